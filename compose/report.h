// Collects what the passes of the loader find. A pass reports and goes on: what it found wrong it
// marks as broken, so that the passes after it neither stumble over it nor complain again.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "compose/diagnostic.h"
#include "compose/node.h"

namespace stack::compose {

class Trace;

class Report {
 public:
  explicit Report(const Sources& sources) : sources_(sources) {}

  // Without a code of its own a diagnostic has that of the pass under way.
  void error(Place where, std::string message, std::string hint = {}, std::string_view code = {});
  void warning(Place where, std::string message, std::string hint = {}, std::string_view code = {});
  void note(Place where, std::string message, std::string hint = {}, std::string_view code = {});

  bool failed() const { return count_ > 0; }
  // Of all errors, also those beyond the limit.
  std::size_t error_count() const { return count_; }

  // All, by file (in the order in which they were read), line and column; what has no place first.
  std::vector<Diagnostic> take();
  const Sources& sources() const { return sources_; }

  // While it lives, diagnostics have this code.
  class Pass {
   public:
    Pass(Report& report, std::string_view code) : report_(report), before_(report.code_) {
      report.code_ = code;
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    ~Pass() { report_.code_ = before_; }

   private:
    Report& report_;
    std::string_view before_;
  };

  // What lacks something that was reported: "services.web", "networks", or "" for all. Nothing that
  // is missing there, or refers there, is worth another error.
  void damage(std::string object) { damaged_.insert(std::move(object)); }
  bool damaged(std::string_view kind, std::string_view name) const;

  // Null unless somebody asked where values come from.
  Trace* trace() const { return trace_; }
  void set_trace(Trace* trace) { trace_ = trace; }

 private:
  struct Found {
    Place place;
    Diagnostic diagnostic;
  };
  void add(Diagnostic::Severity, Place, std::string, std::string, std::string_view);

  const Sources& sources_;
  std::vector<Found> found_;
  std::unordered_set<std::size_t> seen_;  // hashes of place and message
  std::size_t shown_[3] = {};             // by severity
  std::string_view code_ = "invalid";
  std::set<std::string, std::less<>> damaged_;
  std::size_t count_ = 0;
  Trace* trace_ = nullptr;
};

// The candidate nearest to `name` by edits, if near enough to be what was meant; else empty.
std::string nearest(std::string_view name, const std::vector<std::string>& candidates);
// "did you mean `x`?" or empty.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace stack::compose
