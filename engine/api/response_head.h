// The text of an answer's status line and headers. Pure.
#pragma once

#include <optional>
#include <string>

#include "engine/api/exchange.h"

namespace stack::engine::api {

struct ResponseHead {
  int status = 200;
  std::string content_type;
  std::optional<std::size_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
  Headers extra;
};

bool has_body(int status);  // 1xx, 204 and 304 have none
std::string_view reason(int status);
std::string to_string(const ResponseHead& head, const Headers& common);

// 101 for a client that asked for an upgrade, else 200 and the stream starts behind it.
std::string hijack_head(const Request& request, bool raw);

}  // namespace stack::engine::api
