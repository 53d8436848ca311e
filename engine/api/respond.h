// Answers in JSON, and errors in Docker's form: {"message": "..."} with the status of the error's
// kind.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "engine/api/exchange.h"

namespace stack::engine::api {

using ExchangePtr = std::shared_ptr<Exchange>;

int http_status(const Error& error);
std::string error_body(std::string_view message);
std::string line_of(const nlohmann::json& json);  // one line with its newline, for streams

void respond_json(Exchange& exchange, int status, const nlohmann::json& json);
void respond_error(Exchange& exchange, const Error& error);
void respond_error(Exchange& exchange, int status, std::string_view message);
void respond_empty(Exchange& exchange, int status);  // 204, 304, 200

// The usual end of an operation without a result: `status` or the error.
std::function<void(Status)> answer(const ExchangePtr& exchange, int status = 204);

// Runs `parser` on the request's JSON body ({} when empty). False: the error has been answered.
bool parse_body(Exchange& exchange, const std::function<void(const nlohmann::json&)>& parser);

}  // namespace stack::engine::api
