#include "base/error.h"

#include <fmt/core.h>

#include <cstring>

namespace stack {

Error Error::make(ErrorKind kind, std::string what) {
  Error e;
  e.kind = kind;
  e.message = std::move(what);
  return e;
}

Error Error::os(int err, std::string what) {
  char buffer[128];
  Error e = make(ErrorKind::kOs, std::move(what));
  e.os_errno = err;
  e.message += ": ";
  e.message += ::strerror_r(err, buffer, sizeof buffer);
  return e;
}

Error Error::at(SourceLoc loc, std::string what) {
  Error e = make(ErrorKind::kInvalid, std::move(what));
  e.where = std::move(loc);
  return e;
}

std::string Error::to_string() const {
  std::string out;
  if (where) {
    out += where->file;
    if (where->line > 0) out += fmt::format(":{}", where->line);
    if (where->column > 0) out += fmt::format(":{}", where->column);
    out += ": ";
  }
  for (auto step = doing.rbegin(); step != doing.rend(); ++step) out += *step + ": ";
  return out + message;
}

}  // namespace stack
