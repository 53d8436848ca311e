// Base64 (RFC 4648), as HTTP headers carry JSON and passwords. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace stack {

std::string base64(std::string_view bytes);
// The standard alphabet or the one for URLs, with or without padding; nullopt when it is neither.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace stack
