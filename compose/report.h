// Collects what the passes of the loader find: errors up to a limit, warnings without one. A pass
// reports and goes on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compose/diagnostic.h"
#include "compose/node.h"

namespace stack::compose {

class Report {
 public:
  explicit Report(const Sources& sources) : sources_(sources) {}

  void error(Place where, std::string message, std::string hint = {});
  void warning(Place where, std::string message, std::string hint = {});
  bool failed() const { return count_ > 0; }
  // Of all errors, also those beyond the limit.
  std::size_t error_count() const { return count_; }

  std::vector<Diagnostic> take_errors() { return std::move(errors_); }
  std::vector<Diagnostic> take_warnings() { return std::move(warnings_); }
  const Sources& sources() const { return sources_; }

  // While it lives, errors say that they were found on the way described.
  class Step {
   public:
    Step(Report& report, std::string what) : report_(report) {
      report_.chain_.push_back(std::move(what));
    }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    ~Step() { report_.chain_.pop_back(); }

   private:
    Report& report_;
  };

 private:
  Diagnostic make(Diagnostic::Severity, Place, std::string, std::string) const;

  static constexpr std::size_t kMaxErrors = 20;
  const Sources& sources_;
  std::vector<Diagnostic> errors_;
  std::vector<Diagnostic> warnings_;
  std::vector<std::string> chain_;
  std::size_t count_ = 0;
};

// The candidate nearest to `name` by edits, if near enough to be what was meant; else empty.
std::string nearest(std::string_view name, const std::vector<std::string>& candidates);
// "did you mean `x`?" or empty.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace stack::compose
