// What Docker's commands share: paths of the API, filters, names one by one, questions.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "cli/document.h"

namespace stack::cli::docker {

// "/v1.47/containers/NAME"
std::string container_path(std::string_view name);
std::string image_path(std::string_view name);

Result<Document> get_document(const Engine& engine, const std::string& target);
Result<Document> post_document(const Engine& engine, const std::string& target,
                               std::string body = {});

// Goes on after a failure, so that one missing name does not hide the others; 1 when any failed.
// The failure of a single name is the error.
Result<int> for_each_name(const std::vector<std::string>& names,
                          const std::function<Status(const std::string&)>& one);

// {"label":["a","b=c"]} of "label=a" "label=b=c"; "" for none.
std::string filters_json(const std::vector<std::string>& filters);
// "&filters=..." ready to be appended; "" for none.
std::string filters_query(const std::vector<std::string>& filters);

// {"K":"V"} of "K=V"; a bare K has the value "".
std::map<std::string, std::string> pairs(const std::vector<std::string>& texts);
// Comma-separated words of a flag given once or more (pflag's "strings").
std::vector<std::string> comma_separated(const std::vector<std::string>& texts);

// --env-file, then --env over it: K=V.
Result<std::vector<std::string>> environment_flags(const Arguments& args);

// "a=b,c=d" as lists show labels.
std::string label_text(const std::map<std::string, std::string>& labels);
std::string short_id(std::string_view id);  // 12 characters, without "sha256:"

// Shows the warning and asks, as Docker's prune commands do.
bool confirmed(std::string_view warning);

// ["Warnings"] of an answer, to stderr.
void print_warnings(JsonView answer);

// "30", "1m30s", "500ms": nanoseconds. `flag` is for the message.
Result<std::int64_t> duration_flag(std::string_view flag, const std::string& text);
// "64m", "1.5g", "1024", "-1": bytes.
Result<std::int64_t> bytes_flag(std::string_view flag, const std::string& text);

}  // namespace stack::cli::docker
