#include "compose/diagnostic.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "base/json_quote.h"

namespace stack::compose {

namespace {

using Severity = Diagnostic::Severity;

const char* name_of(Severity severity) {
  switch (severity) {
    case Severity::kNote:
      return "note";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      break;
  }
  return "error";
}

std::string place_text(const SourceLoc& where) {
  std::string out = where.file;
  if (where.line > 0) out += fmt::format(":{}", where.line);
  if (where.line > 0 && where.column > 0) out += fmt::format(":{}", where.column);
  return out;
}

// Under the word of the excerpt. Tabs are repeated so that it stands there whatever their width is.
std::string underline(const Diagnostic& d) {
  std::string out;
  const auto begin = static_cast<std::size_t>(d.excerpt_column - 1);
  for (std::size_t at = 0, character = 0; character < begin; ++character) {
    const bool tab = at < d.excerpt.size() && d.excerpt[at] == '\t';
    out += tab ? '\t' : ' ';
    for (++at;
         at < d.excerpt.size() && (static_cast<unsigned char>(d.excerpt[at]) & 0xC0U) == 0x80U;)
      ++at;
  }
  out += '^';
  const int width = std::min(d.end_column - d.where.column, 160);
  if (width > 1) out.append(static_cast<std::size_t>(width - 1), '~');
  return out;
}

}  // namespace

std::string render(const Diagnostic& d) {
  std::string out;
  if (!d.where.file.empty()) out += place_text(d.where) + ": ";
  if (d.severity != Severity::kError) out += fmt::format("{}: ", name_of(d.severity));
  out += d.message;
  if (!d.excerpt.empty()) {
    out += fmt::format("\n  {}", d.excerpt);
    if (d.where.column > 0) out += fmt::format("\n  {}", underline(d));
  }
  for (const std::string& step : d.chain) out += fmt::format("\n  {}", step);
  if (!d.hint.empty()) out += fmt::format("\n  hint: {}", d.hint);
  return out;
}

std::string render(const std::vector<Diagnostic>& diagnostics, Severity least) {
  constexpr std::size_t kMaxOthers = 3;
  std::map<std::string_view, std::vector<const Diagnostic*>> same;
  for (const Diagnostic& d : diagnostics) same[d.message].push_back(&d);
  std::string out;
  for (const Diagnostic& d : diagnostics) {
    const std::vector<const Diagnostic*>& all = same[d.message];
    if (d.severity < least || all.front() != &d) continue;
    out += render(d) + '\n';
    for (std::size_t i = 1; i < all.size(); ++i) {
      if (i > kMaxOthers) {
        out += fmt::format("  and {} more places\n", all.size() - i);
        break;
      }
      out += fmt::format("  also at {}\n", place_text(all[i]->where));
    }
  }
  return out;
}

std::string to_json(const std::vector<Diagnostic>& diagnostics) {
  std::string out = "[";
  const auto member = [&out](std::string_view key, std::string_view text) {
    out += fmt::format("\n    \"{}\": ", key);
    append_json_string(out, text);
    out += ',';
  };
  for (const Diagnostic& d : diagnostics) {
    out += out.size() > 1 ? ",\n  {" : "\n  {";
    member("file", d.where.file);
    out += fmt::format("\n    \"line\": {},\n    \"column\": {},\n    \"endColumn\": {},",
                       d.where.line, d.where.column, d.end_column);
    member("severity", name_of(d.severity));
    member("code", d.code);
    member("message", d.message);
    member("hint", d.hint);
    out += "\n    \"chain\": [";
    for (const std::string& step : d.chain) {
      if (&step != &d.chain.front()) out += ", ";
      append_json_string(out, step);
    }
    out += "]\n  }";
  }
  out += diagnostics.empty() ? "]\n" : "\n]\n";
  return out;
}

}  // namespace stack::compose
