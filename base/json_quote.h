// A text as a JSON string in the spelling of Go's encoder: <, > and & are escaped, so are U+2028
// and U+2029, and a byte that is not UTF-8 becomes U+FFFD.
#pragma once

#include <string>
#include <string_view>

namespace stack {

void append_json_string(std::string& out, std::string_view text);

}  // namespace stack
