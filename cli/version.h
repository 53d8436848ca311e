// The version of the program, as CMake has it.
#pragma once

#include <string_view>

namespace stack::cli {

#ifdef STACK_VERSION
inline constexpr std::string_view kVersion = STACK_VERSION;
#else
inline constexpr std::string_view kVersion = "0.0.0";
#endif

}  // namespace stack::cli
