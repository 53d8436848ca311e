#include "compose/interpolate.h"

#include <fmt/core.h>

namespace stack::compose {
namespace {

bool is_name_start(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_name(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

std::size_t name_length(std::string_view t) {
  if (t.empty() || !is_name_start(t[0])) return 0;
  std::size_t i = 1;
  while (i < t.size() && is_name(t[i])) ++i;
  return i;
}

// What stands between the braces of ${...}.
struct Substitution {
  std::string name;
  std::string_view op;  // "", ":-", "-", ":+", "+", ":?", "?"
  std::string_view word;
};

std::optional<Substitution> parse_body(std::string_view body) {
  const std::size_t n = name_length(body);
  if (n == 0) return std::nullopt;
  Substitution s{std::string(body.substr(0, n)), {}, {}};
  body.remove_prefix(n);
  if (body.empty()) return s;
  const std::size_t length = body[0] == ':' ? 2 : 1;
  if (body.size() < length) return std::nullopt;
  const char op = body[length - 1];
  if (op != '-' && op != '+' && op != '?') return std::nullopt;
  s.op = body.substr(0, length);
  s.word = body.substr(length);
  if (s.word.find('\n') != std::string_view::npos) return std::nullopt;
  return s;
}

// Length of "${...}" including its closing brace; 0 when it is not closed. Braces inside balance, but
// as in Docker Compose what stands right behind an opening one does not count, and when that leaves
// too few, the last brace of the line closes.
std::size_t braced_length(std::string_view t) {
  int depth = 0;
  for (std::size_t i = 1; i < t.size(); ++i) {
    if (t[i] == '}' && --depth == 0) return i + 1;
    if (t[i] == '{') {
      ++depth;
      ++i;
    }
  }
  const std::size_t last = t.substr(0, t.find('\n')).rfind('}');
  return last == std::string_view::npos ? 0 : last + 1;
}

class Expander {
 public:
  Expander(const Lookup& lookup, Interpolated& out) : lookup_(lookup), out_(out) {}

  std::string expand(std::string_view text, std::size_t base) {
    std::string result;
    if (++depth_ > kMaxDepth) {
      out_.error = {InterpolationError::Kind::kMalformed, base, "nested too deeply"};
      return result;
    }
    for (std::size_t i = 0; i < text.size() && !out_.error;) {
      const std::size_t dollar = text.find('$', i);
      result += text.substr(i, dollar - i);
      if (dollar == std::string_view::npos) break;
      i = dollar + one(text.substr(dollar), base + dollar, result);
    }
    --depth_;
    return result;
  }

 private:
  static constexpr int kMaxDepth = 100;

  // Expands what begins with the $ at the front of `t`; returns how much of `t` that was.
  std::size_t one(std::string_view t, std::size_t offset, std::string& result) {
    if (t.size() > 1 && t[1] == '$') {
      result += '$';
      return 2;
    }
    if (const std::size_t n = name_length(t.substr(1)); n > 0) {
      result += plain(std::string(t.substr(1, n)), offset);
      return n + 1;
    }
    if (t.size() < 2 || t[1] != '{') {
      result += '$';
      return 1;
    }
    const std::size_t length = braced_length(t);
    const auto s = length == 0 ? std::nullopt : parse_body(t.substr(2, length - 3));
    if (!s) {
      out_.error = {InterpolationError::Kind::kMalformed, offset, "invalid interpolation format"};
      return t.size();
    }
    const auto word_offset = offset + static_cast<std::size_t>(s->word.data() - t.data());
    result += braced(*s, offset, word_offset);
    return length;
  }

  std::string plain(const std::string& name, std::size_t offset) {
    if (const std::string* value = lookup_(name)) return *value;
    out_.unset.push_back({name, offset});
    return {};
  }

  std::string braced(const Substitution& s, std::size_t offset, std::size_t word_offset) {
    if (s.op.empty()) return plain(s.name, offset);
    const std::string* value = lookup_(s.name);
    const bool present = value != nullptr && (s.op.size() == 1 || !value->empty());
    // The word must be well-formed even where it is not needed.
    const std::size_t unset = out_.unset.size();
    std::string word = expand(s.word, word_offset);
    if (out_.error) return {};
    const bool needed = (s.op.back() == '+') == present;
    if (!needed) out_.unset.resize(unset);
    switch (s.op.back()) {
      case '-':
        return present ? *value : word;
      case '+':
        return present ? word : std::string();
      default:
        if (present) return *value;
        out_.error = {InterpolationError::Kind::kRequired, offset,
                      fmt::format("required variable {} is missing a value{}{}", s.name,
                                  word.empty() ? "" : ": ", word)};
        return {};
    }
  }

  const Lookup& lookup_;
  Interpolated& out_;
  int depth_ = 0;
};

void collect(std::string_view text, std::vector<Variable>& out, int depth = 0);

// What stands between the braces of ${...}.
void collect_braced(std::string_view body, std::vector<Variable>& out, int depth) {
  const auto s = parse_body(body);
  if (!s) return;
  const char kind = s->op.empty() ? '\0' : s->op.back();
  Variable v{s->name, {}, {}, kind == '?'};
  if (kind == '-') v.default_value = s->word;
  if (kind == '+') v.presence_value = s->word;
  out.push_back(std::move(v));
  // What only an error message says is no use of it.
  if (kind == '-' || kind == '+') collect(s->word, out, depth + 1);
}

void collect(std::string_view text, std::vector<Variable>& out, int depth) {
  if (depth > 100) return;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '$') {
      ++i;
      continue;
    }
    const std::string_view t = text.substr(i);
    if (t.size() > 1 && t[1] == '$') {
      i += 2;
    } else if (const std::size_t n = name_length(t.substr(1)); n > 0) {
      out.push_back({std::string(t.substr(1, n)), {}, {}, false});
      i += n + 1;
    } else if (t.size() > 1 && t[1] == '{') {
      const std::size_t length = braced_length(t);
      if (length == 0) return;  // not closed; loading the file says so
      collect_braced(t.substr(2, length - 3), out, depth);
      i += length;
    } else {
      ++i;
    }
  }
}

}  // namespace

Interpolated interpolate(std::string_view text, const Lookup& lookup) {
  Interpolated out;
  out.text = Expander(lookup, out).expand(text, 0);
  return out;
}

std::vector<Variable> variables_in(std::string_view text) {
  std::vector<Variable> out;
  collect(text, out);
  return out;
}

}  // namespace stack::compose
