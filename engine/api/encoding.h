// Base64 (RFC 4648), as headers of the API carry JSON. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace stack::engine::api {

std::string base64(std::string_view bytes);
// The standard alphabet or the one for URLs, with or without padding; nullopt when it is neither.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace stack::engine::api
