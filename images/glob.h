// File name patterns. Pure; linear in practice, without recursion over the text.
#pragma once

#include <string_view>

namespace stack::images {

// Go's path/filepath.Match: * and ? do not match '/', [a-z] [^a-z], backslash escapes. A broken
// pattern matches nothing.
bool path_match(std::string_view pattern, std::string_view name);
// The same where * and ? match any character, as in shell parameters.
bool shell_match(std::string_view pattern, std::string_view name);
// With "**" for any number of components, as in .dockerignore.
bool ignore_match(std::string_view pattern, std::string_view path);
bool has_glob(std::string_view pattern);

}  // namespace stack::images
