#include "compose/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <numeric>

#include "base/utf8.h"

namespace stack::compose {

namespace {

// More help nobody, and each has a copy of its line.
constexpr std::size_t kMaxShown = 100;
constexpr std::size_t kMaxExcerpt = 160;  // bytes

// Behind the quoted text that begins at `begin`.
std::size_t quote_end(std::string_view line, std::size_t begin) {
  const char quote = line[begin];
  for (std::size_t i = begin + 1; i < line.size(); ++i) {
    if (line[i] == '\\' && quote == '"') {
      ++i;
    } else if (line[i] == quote) {
      return i + 1;
    }
  }
  return line.size();
}

// Behind the variable that begins at `begin`.
std::size_t variable_end(std::string_view line, std::size_t begin) {
  std::size_t i = begin + 1;
  if (i < line.size() && line[i] == '{') {
    const std::size_t close = line.find('}', i);
    return close == std::string_view::npos ? line.size() : close + 1;
  }
  while (i < line.size() &&
         (std::isalnum(static_cast<unsigned char>(line[i])) != 0 || line[i] == '_')) {
    ++i;
  }
  return i;
}

// Behind the word that begins at `begin`: a quoted text, a variable, or a key or plain value.
std::size_t word_end(std::string_view line, std::size_t begin) {
  if (begin >= line.size()) return line.size();
  const char first = line[begin];
  if (first == '"' || first == '\'') return quote_end(line, begin);
  if (first == '$') return variable_end(line, begin);
  std::size_t i = begin + 1;
  if (std::strchr("[]{}", first) != nullptr) return i;
  for (; i < line.size(); ++i) {
    if (std::strchr(",]}", line[i]) != nullptr) break;
    const bool before_blank = i + 1 == line.size() || line[i + 1] == ' ';
    if (line[i] == ':' && before_blank) break;
    if (line[i] == '#' && line[i - 1] == ' ') break;
  }
  while (i > begin + 1 && line[i - 1] == ' ') --i;
  return i;
}

bool is_tail(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// Where the part of a long line begins that shows the byte `at`.
std::size_t window_begin(std::string_view line, std::size_t at) {
  if (line.size() <= kMaxExcerpt || at <= kMaxExcerpt / 2) return 0;
  std::size_t from = std::min(at - kMaxExcerpt / 2, line.size() - kMaxExcerpt / 2);
  while (from > 0 && is_tail(line[from])) --from;
  return from;
}

int characters(std::string_view text) { return static_cast<int>(utf8::length(text)); }

// Fills in what is to be seen of the line around the column in bytes.
void locate(Diagnostic& d, std::string_view line, int column) {
  const std::size_t begin = std::min(static_cast<std::size_t>(column - 1), line.size());
  const std::size_t end = word_end(line, begin);
  d.where.column = characters(line.substr(0, begin)) + 1;
  d.end_column = d.where.column + std::max(1, characters(line.substr(begin, end - begin)));
  const std::size_t from = window_begin(line, begin);
  std::size_t size = std::min(kMaxExcerpt, line.size() - from);
  while (from + size < line.size() && size > 0 && is_tail(line[from + size])) --size;
  d.excerpt = line.substr(from, size);
  d.excerpt_column = characters(line.substr(from, begin - from)) + 1;
}

// A message may quote a value, and a value may be as long as the file.
std::string clipped(std::string message) {
  constexpr std::size_t kMaxMessage = 1'000;
  if (message.size() <= kMaxMessage) return message;
  std::size_t head = kMaxMessage * 3 / 4;
  std::size_t tail = message.size() - kMaxMessage / 4;
  while (head > 0 && is_tail(message[head])) --head;
  while (tail < message.size() && is_tail(message[tail])) ++tail;
  return message.substr(0, head) + " ... " + message.substr(tail);
}

}  // namespace

void Report::add(Diagnostic::Severity severity, Place where, std::string message, std::string hint,
                 std::string_view code) {
  std::string key = fmt::format("{}:{}:{}:{}", where.file, where.line, where.column, message);
  if (!seen_.insert(std::hash<std::string>()(key)).second) return;
  if (severity == Diagnostic::Severity::kError) ++count_;
  if (shown_[static_cast<int>(severity)]++ >= kMaxShown) return;
  Diagnostic d;
  d.severity = severity;
  d.where = sources_.loc(where);
  d.code = code.empty() ? code_ : code;
  d.message = clipped(std::move(message));
  d.hint = clipped(std::move(hint));
  if (where.line > 0 && where.column > 0) locate(d, sources_.line(where), where.column);
  if (const Sources::File* file = sources_.file(where.file)) d.chain = file->chain;
  found_.push_back({where, std::move(d)});
}

void Report::error(Place where, std::string message, std::string hint, std::string_view code) {
  add(Diagnostic::Severity::kError, where, std::move(message), std::move(hint), code);
}

void Report::warning(Place where, std::string message, std::string hint, std::string_view code) {
  add(Diagnostic::Severity::kWarning, where, std::move(message), std::move(hint), code);
}

void Report::note(Place where, std::string message, std::string hint, std::string_view code) {
  add(Diagnostic::Severity::kNote, where, std::move(message), std::move(hint), code);
}

std::vector<Diagnostic> Report::take() {
  std::stable_sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) {
    return std::tie(a.place.file, a.place.line, a.place.column) <
           std::tie(b.place.file, b.place.line, b.place.column);
  });
  std::vector<Diagnostic> out;
  out.reserve(found_.size());
  for (Found& f : found_) out.push_back(std::move(f.diagnostic));
  found_.clear();
  if (count_ > kMaxShown) {
    Diagnostic more;
    more.code = "too-many-errors";
    more.message = fmt::format("and {} more errors", count_ - kMaxShown);
    out.push_back(std::move(more));
  }
  return out;
}

bool Report::damaged(std::string_view kind, std::string_view name) const {
  if (damaged_.empty()) return false;
  return damaged_.contains("") || damaged_.contains(kind) ||
         damaged_.contains(fmt::format("{}.{}", kind, name));
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
