#include "engine/api/respond.h"

#include "engine/json_fields.h"

namespace stack::engine::api {

int http_status(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kInvalid:
      return 400;
    case ErrorKind::kNotFound:
      return 404;
    case ErrorKind::kConflict:
      return 409;
    case ErrorKind::kOs:
    case ErrorKind::kTimeout:
    case ErrorKind::kCancelled:
    case ErrorKind::kUnavailable:
    case ErrorKind::kInternal:
      break;
  }
  return 500;
}

std::string error_body(std::string_view message) { return line_of({{"message", message}}); }

std::string line_of(const Json& json) { return dump(json) + "\n"; }

void respond_json(Exchange& exchange, int status, const Json& json) {
  exchange.respond(status, "application/json", line_of(json));
}

void respond_error(Exchange& exchange, const Error& error) {
  std::string message = error.to_string();
  if (!error.remedy.empty()) message += ". " + error.remedy;
  respond_error(exchange, http_status(error), message);
}

void respond_error(Exchange& exchange, int status, std::string_view message) {
  exchange.respond(status, "application/json", error_body(message));
}

void respond_empty(Exchange& exchange, int status) { exchange.respond(status, "", ""); }

std::function<void(Status)> answer(const ExchangePtr& exchange, int status) {
  return [exchange, status](const Status& result) {
    if (result.ok()) {
      respond_empty(*exchange, status);
    } else {
      respond_error(*exchange, result.error());
    }
  };
}

bool parse_body(Exchange& exchange, const std::function<void(const Json&)>& parser) {
  const auto& body = exchange.request().body;
  const auto parsed = parse_json(body.empty() ? "{}" : body, parser);
  if (!parsed.ok()) respond_error(exchange, parsed.error());
  return parsed.ok();
}

}  // namespace stack::engine::api
