// One error type for the whole program: a kind, the object it is about, the user's place in a file,
// and what was being done. Functions that can fail return Result<T> (or Status) and never log what
// they return; rendering happens once, at the edge (cli/ for people, engine/api for clients).
// Nothing of ours throws; exceptions of third-party libraries stop in the file that includes them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace stack {

// A place in a text that the user wrote. Lines and columns count from 1; 0 means unknown.
struct SourceLoc {
  std::string file;
  int line = 0;
  int column = 0;

  bool operator==(const SourceLoc&) const = default;
};

enum class ErrorKind {
  kInvalid,      // the user's input is wrong                      HTTP 400
  kNotFound,     // the named object does not exist                HTTP 404
  kConflict,     // it exists, is in use, or is in another state   HTTP 409
  kOs,           // a system call failed; os_errno says why        HTTP 500
  kTimeout,      // it took longer than allowed                    HTTP 500
  kCancelled,    // interrupted by the user                        HTTP 500
  kUnavailable,  // a peer (registry, engine) cannot be reached    HTTP 500
  kInternal,     // our own defect                                 HTTP 500
};

struct [[nodiscard]] Error {
  ErrorKind kind = ErrorKind::kInvalid;
  int os_errno = 0;     // errno(3) when kind == kOs, else 0
  std::string message;  // names the object; no full stop
  std::string remedy;   // what the user can do about it, a sentence; may be empty
  std::optional<SourceLoc> where;
  std::vector<std::string> doing;  // steps that were under way, innermost first

  // The message becomes "what: strerror(err)". ENOENT keeps kind kOs: only the caller knows whether
  // "not found" is meant.
  static Error os(int err, std::string what);
  static Error at(SourceLoc loc, std::string what);
  static Error invalid(std::string what) { return make(ErrorKind::kInvalid, std::move(what)); }
  static Error not_found(std::string what) { return make(ErrorKind::kNotFound, std::move(what)); }
  static Error conflict(std::string what) { return make(ErrorKind::kConflict, std::move(what)); }
  static Error make(ErrorKind kind, std::string what);

  Error&& while_(std::string step) && {
    doing.push_back(std::move(step));
    return std::move(*this);
  }
  Error&& fix(std::string what_to_do) && {
    remedy = std::move(what_to_do);
    return std::move(*this);
  }

  // One line: "file:line:column: step: step: message" with the outermost step first; the remedy is
  // not included.
  std::string to_string() const;
};

struct Unit {};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : v_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error)
      : v_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return v_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return std::get<0>(v_); }
  const T& value() const& { return std::get<0>(v_); }
  T&& value() && { return std::get<0>(std::move(v_)); }
  Error& error() & { return std::get<1>(v_); }
  const Error& error() const& { return std::get<1>(v_); }
  Error&& error() && { return std::get<1>(std::move(v_)); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Error> v_;
};

using Status = Result<Unit>;
inline Status ok_status() { return Unit{}; }

}  // namespace stack

// TRY(expr) yields the value of a Result or returns its error from the enclosing function.
// TRY_WHILE(expr, "step") also records what was being done.
#define TRY(expr)                                                 \
  __extension__({                                                 \
    auto try_result_ = (expr);                                    \
    if (!try_result_.ok()) return std::move(try_result_).error(); \
    std::move(try_result_).value();                               \
  })
#define TRY_WHILE(expr, step)                                                  \
  __extension__({                                                              \
    auto try_result_ = (expr);                                                 \
    if (!try_result_.ok()) return std::move(try_result_).error().while_(step); \
    std::move(try_result_).value();                                            \
  })
