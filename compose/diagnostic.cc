#include "compose/diagnostic.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "compose/report.h"

namespace stack::compose {

std::string render(const Diagnostic& d) {
  std::string out;
  if (!d.where.file.empty()) {
    out += d.where.file;
    if (d.where.line > 0) out += fmt::format(":{}", d.where.line);
    if (d.where.line > 0 && d.where.column > 0) out += fmt::format(":{}", d.where.column);
    out += ": ";
  }
  if (d.severity == Diagnostic::Severity::kWarning) out += "warning: ";
  out += d.message;
  if (!d.excerpt.empty()) {
    out += fmt::format("\n  {}", d.excerpt);
    if (d.where.column > 0) {
      // Tabs are repeated so that the caret stands under its character whatever the tab width is.
      std::string pad;
      for (std::size_t i = 0; i + 1 < static_cast<std::size_t>(d.where.column); ++i) {
        pad += i < d.excerpt.size() && d.excerpt[i] == '\t' ? '\t' : ' ';
      }
      out += fmt::format("\n  {}^", pad);
    }
  }
  for (const std::string& step : d.chain) out += fmt::format("\n  while {}", step);
  if (!d.hint.empty()) out += fmt::format("\n  hint: {}", d.hint);
  return out;
}

Diagnostic Report::make(Diagnostic::Severity severity, Place where, std::string message,
                        std::string hint) const {
  Diagnostic d;
  d.severity = severity;
  d.where = sources_.loc(where);
  d.message = std::move(message);
  d.hint = std::move(hint);
  d.excerpt = sources_.line(where);
  d.chain.assign(chain_.rbegin(), chain_.rend());
  return d;
}

void Report::error(Place where, std::string message, std::string hint) {
  ++count_;
  if (errors_.size() >= kMaxErrors) return;
  Diagnostic d = make(Diagnostic::Severity::kError, where, std::move(message), std::move(hint));
  if (std::find(errors_.begin(), errors_.end(), d) == errors_.end()) {
    errors_.push_back(std::move(d));
  }
}

void Report::warning(Place where, std::string message, std::string hint) {
  Diagnostic d = make(Diagnostic::Severity::kWarning, where, std::move(message), std::move(hint));
  if (std::find(warnings_.begin(), warnings_.end(), d) == warnings_.end()) {
    warnings_.push_back(std::move(d));
  }
}

namespace {

// Edits, where swapping two neighbours counts as one (optimal string alignment).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), 0U);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::string nearest(std::string_view name, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance =
      std::max<std::size_t>(1, std::min<std::size_t>(3, name.size() / 3)) + 1;
  for (const std::string& c : candidates) {
    const std::size_t gap =
        c.size() > name.size() ? c.size() - name.size() : name.size() - c.size();
    if (gap >= best_distance) continue;
    const std::size_t d = distance(name, c);
    if (d < best_distance && d > 0) {
      best_distance = d;
      best = c;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string best = nearest(name, candidates);
  return best.empty() ? "" : fmt::format("did you mean `{}`?", best);
}

}  // namespace stack::compose
