// Text in double quotes as Go's strconv.Quote writes it, for what Docker prints so. UTF-8 stays.
#pragma once

#include <string>
#include <string_view>

namespace stack {

std::string go_quote(std::string_view text);

}  // namespace stack
