#include "engine/api/response_head.h"

#include <fmt/core.h>

#include <ctime>

namespace stack::engine::api {

namespace {

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

// API versions compare by number: 1.9 is older than 1.42.
bool at_least(const std::string& version, int minor) {
  const auto dot = version.find('.');
  if (dot == std::string::npos) return version.empty();
  return std::atoi(version.c_str()) > 1 || std::atoi(version.c_str() + dot + 1) >= minor;
}

}  // namespace

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

std::string_view reason(int status) {
  switch (status) {
    case 101:
      return "UPGRADED";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Request Entity Too Large";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

std::string to_string(const ResponseHead& head, const Headers& common) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", head.status, reason(head.status));
  const auto add = [&](std::string_view name, std::string_view value) {
    out += fmt::format("{}: {}\r\n", name, value);
  };
  for (const auto& [name, value] : common) add(name, value);
  if (!head.content_type.empty()) add("Content-Type", head.content_type);
  for (const auto& [name, value] : head.extra) add(name, value);
  add("Date", http_date());
  if (head.chunked) {
    add("Transfer-Encoding", "chunked");
  } else if (head.content_length && has_body(head.status)) {
    add("Content-Length", std::to_string(*head.content_length));
  }
  if (!head.keep_alive) add("Connection", "close");
  return out + "\r\n";
}

std::string hijack_head(const Request& request, bool raw) {
  const bool framed = !raw && at_least(request.version, 42);
  if (request.header("upgrade").empty()) {
    return "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n";
  }
  if (request.header("upgrade") == "h2c") {
    return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
  }
  return fmt::format(
      "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.{}-stream\r\nConnection: "
      "Upgrade\r\nUpgrade: tcp\r\n\r\n",
      framed ? "multiplexed" : "raw");
}

}  // namespace stack::engine::api
