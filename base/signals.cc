#include "base/signals.h"

#include <signal.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>

namespace stack {

Result<int> parse_signal(const std::string& text) {
  if (text.empty()) return SIGTERM;
  char* end = nullptr;
  const long number = std::strtol(text.c_str(), &end, 10);
  if (*end == '\0') {
    if (number > 0 && number <= SIGRTMAX) return static_cast<int>(number);
    return Error::invalid("invalid signal: " + text);
  }
  std::string name = text;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char ch) { return static_cast<char>(std::toupper(ch)); });
  if (name.rfind("SIG", 0) == 0) name = name.substr(3);
  if (name == "RTMIN") return SIGRTMIN;
  if (name == "RTMAX") return SIGRTMAX;
  for (int signal = 1; signal < SIGRTMIN; ++signal) {
    const char* abbreviation = ::sigabbrev_np(signal);
    if (abbreviation != nullptr && name == abbreviation) return signal;
  }
  return Error::invalid("invalid signal: " + text);
}

}  // namespace stack
