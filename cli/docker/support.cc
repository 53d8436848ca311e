#include "cli/docker/support.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "base/fd.h"
#include "cli/environment.h"
#include "cli/json_text.h"
#include "cli/terminal.h"
#include "compose/units.h"

namespace stack::cli::docker {

std::string container_path(std::string_view name) {
  return fmt::format("{}/containers/{}", kApi, url_encode(name));
}
std::string image_path(std::string_view name) {
  return fmt::format("{}/images/{}", kApi, url_encode(name));
}

Result<Document> get_document(const Engine& engine, const std::string& target) {
  return Document::parse(TRY(engine.http().get(target)));
}
Result<Document> post_document(const Engine& engine, const std::string& target, std::string body) {
  return Document::parse(TRY(engine.http().post(target, std::move(body))));
}

Result<int> for_each_name(const std::vector<std::string>& names,
                          const std::function<Status(const std::string&)>& one) {
  int code = 0;
  for (const std::string& name : names) {
    if (Status status = one(name); !status.ok()) {
      if (names.size() == 1) return std::move(status).error();
      print_error(status.error());
      code = 1;
    }
  }
  return code;
}

std::string filters_json(const std::vector<std::string>& filters) {
  std::map<std::string, std::vector<std::string>> by_name;
  for (const std::string& filter : filters) {
    const std::size_t equals = filter.find('=');
    std::string name = filter.substr(0, equals);
    while (name.ends_with(' ')) name.pop_back();
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    by_name[name].push_back(filter.substr(equals + 1));
  }
  if (by_name.empty()) return "";
  JsonObject object;
  for (const auto& [name, values] : by_name) object.add(name, values);
  return object.text();
}

std::string filters_query(const std::vector<std::string>& filters) {
  const std::string json = filters_json(filters);
  return json.empty() ? std::string() : "&filters=" + url_encode(json);
}

std::map<std::string, std::string> pairs(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> out;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    out[text.substr(0, equals)] = equals == std::string::npos ? "" : text.substr(equals + 1);
  }
  return out;
}

std::vector<std::string> comma_separated(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts) {
    for (std::size_t start = 0; start <= text.size();) {
      const std::size_t comma = std::min(text.find(',', start), text.size());
      if (comma > start) out.push_back(text.substr(start, comma - start));
      start = comma + 1;
    }
  }
  return out;
}

Result<std::vector<std::string>> environment_flags(const Arguments& args) {
  std::vector<std::string> out;
  for (const std::string& path : args.list("env-file")) {
    const auto lines = TRY(lines_of_env_file(path));
    out.insert(out.end(), lines.begin(), lines.end());
  }
  const auto given = resolved_environment(args.list("env"));
  out.insert(out.end(), given.begin(), given.end());
  return out;
}

std::string label_text(const std::map<std::string, std::string>& labels) {
  std::string out;
  for (const auto& [name, value] : labels)
    out += fmt::format("{}{}={}", out.empty() ? "" : ",", name, value);
  return out;
}

std::string short_id(std::string_view id) {
  const std::size_t colon = id.find(':');
  return std::string(id.substr(colon == std::string_view::npos ? 0 : colon + 1).substr(0, 12));
}

bool confirmed(std::string_view warning) {
  return confirm(fmt::format("{}Are you sure you want to continue? [y/N] ", warning));
}

void print_warnings(JsonView answer) {
  for (const std::string& warning : answer["Warnings"].texts())
    (void)write_all(STDERR_FILENO, fmt::format("WARNING: {}\n", warning));
}

Result<std::int64_t> duration_flag(std::string_view flag, const std::string& text) {
  const auto parsed = compose::parse_duration(text);
  if (parsed.ok() && parsed->count() >= 0) return static_cast<std::int64_t>(parsed->count());
  return Error::invalid(fmt::format("invalid argument \"{}\" for \"--{}\" flag: time: invalid "
                                    "duration \"{}\"",
                                    text, flag, text))
      .fix("Write it as 30s, 1m30s or 500ms.");
}

Result<std::int64_t> bytes_flag(std::string_view flag, const std::string& text) {
  const auto parsed = compose::parse_bytes(text);
  if (parsed.ok()) return *parsed;
  return Error::invalid(fmt::format("invalid argument \"{}\" for \"--{}\" flag: invalid size: '{}'",
                                    text, flag, text))
      .fix("Write it as 512m or 2g.");
}

}  // namespace stack::cli::docker
