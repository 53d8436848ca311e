#include "compose/dotenv.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <map>

namespace stack::compose {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

std::string_view trim(std::string_view t) {
  while (!t.empty() && is_blank(t.front())) t.remove_prefix(1);
  while (!t.empty() && is_blank(t.back())) t.remove_suffix(1);
  return t;
}

bool is_key_char(char c) {
  const auto u = static_cast<unsigned char>(c);
  return std::isalnum(u) != 0 || u >= 0x80 || c == '_' || c == '.' || c == '-' || c == '[' ||
         c == ']';
}

class EnvParser {
 public:
  EnvParser(std::string_view text, const Lookup& lookup, StringMap seen)
      : text_(text), lookup_(lookup), seen_(std::move(seen)) {
    if (text_.substr(0, kBom.size()) == kBom) {
      text_.remove_prefix(kBom.size());
      removed_ = kBom.size();
    }
  }

  Result<EnvFile> run() {
    for (;;) {
      skip_blank_and_comments();
      if (at_ >= text_.size()) return std::move(out_);
      if (Status s = statement(); !s.ok()) return std::move(s).error();
    }
  }

 private:
  // Values that hold values could double with each line.
  static constexpr std::size_t kMaxValue = 1U << 20U;
  static constexpr std::string_view kBom = "\xEF\xBB\xBF";

  Error fail(const std::string& what) const {
    const std::string_view before = text_.substr(0, at_);
    const int line = static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1;
    const std::size_t start = before.rfind('\n');
    const std::size_t column = start == std::string_view::npos ? at_ + 1 : at_ - start;
    return Error::at({"", line, static_cast<int>(column)}, fmt::format("line {}: {}", line, what));
  }

  std::string_view rest_of_line() const {
    return text_.substr(at_, std::min(text_.find('\n', at_), text_.size()) - at_);
  }

  void skip_blank_and_comments() {
    while (at_ < text_.size()) {
      if (text_[at_] == '\n' || is_blank(text_[at_])) {
        ++at_;
      } else if (text_[at_] == '#') {
        at_ += rest_of_line().size();
      } else {
        return;
      }
    }
  }

  Status statement() {
    const std::string_view line = trim(rest_of_line());
    if (line.substr(0, 6) == "export" && line.size() > 6 && is_blank(line[6])) {
      at_ += 6;
      while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    }
    const std::size_t start = at_;
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<long>(counted_),
                                         text_.begin() + static_cast<long>(start), '\n'));
    counted_ = start;
    while (at_ < text_.size() && is_key_char(text_[at_])) ++at_;
    const std::string key(text_.substr(start, at_ - start));
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    const bool ended = at_ >= text_.size() || text_[at_] == '\n' || text_[at_] == '#';
    if (ended && !key.empty()) {
      // A bare KEY is inherited.
      at_ += rest_of_line().size();
      if (const std::string* value = lookup_(key)) store(key, *value);
      return ok_status();
    }
    const char separator = ended ? '\n' : text_[at_];
    if (separator != '=' && separator != ':') {
      if (!key.empty() && is_key_char(separator)) return fail("key cannot contain a space");
      return fail(
          fmt::format("unexpected character \"{}\" in variable name \"{}\"", separator, line));
    }
    if (key.empty()) {
      return fail(
          fmt::format("unexpected character \"{}\" in variable name \"{}\"", separator, line));
    }
    ++at_;
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    return value_of(key);
  }

  Status value_of(const std::string& key) {
    const char first = at_ < text_.size() ? text_[at_] : '\n';
    if (first == '"' || first == '\'') {
      const std::size_t end = closing_quote(first);
      if (end == std::string_view::npos) {
        return fail(fmt::format("unterminated quoted value {}", rest_of_line()));
      }
      const std::string_view inner = text_.substr(at_ + 1, end - at_ - 1);
      Result<std::string> value = first == '\'' ? Result<std::string>(unescape_single(inner))
                                                : expand(unescape_double(inner));
      if (!value.ok()) return std::move(value).error();
      at_ = end + 1;
      store(key, *value);
      return ok_status();
    }
    const std::string_view line = rest_of_line();
    // A comment has a space before it: "A=#b" is "#b".
    Result<std::string> value = expand(std::string(trim(line.substr(0, line.find(" #")))));
    if (!value.ok()) return std::move(value).error();
    at_ += line.size();
    store(key, *value);
    return ok_status();
  }

  std::size_t closing_quote(char quote) const {
    for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\') {
        ++i;
      } else if (text_[i] == quote) {
        return i;
      }
    }
    return std::string_view::npos;
  }

  static std::string unescape_single(std::string_view t) {
    std::string out;
    for (std::size_t i = 0; i < t.size(); ++i) {
      if (t[i] == '\\' && i + 1 < t.size() && t[i + 1] == '\'') ++i;
      out += t[i];
    }
    return out;
  }

  // A literal dollar leaves as $$, which the interpolation that follows turns back.
  static std::string unescape_double(std::string_view t) {
    static constexpr std::string_view kFrom = "abfnrtv\"\\";
    static constexpr std::string_view kTo = "\a\b\f\n\r\t\v\"\\";
    std::string out;
    for (std::size_t i = 0; i < t.size(); ++i) {
      if (t[i] != '\\' || i + 1 >= t.size()) {
        out += t[i];
        continue;
      }
      const char c = t[++i];
      if (const std::size_t known = kFrom.find(c); known != std::string_view::npos) {
        out += kTo[known];
      } else if (c == '$') {
        out += "$$";
      } else if (c == '0' && octal_digits(t.substr(i + 1)) > 0) {
        const std::size_t n = octal_digits(t.substr(i + 1));
        out += static_cast<char>(std::stoi(std::string(t.substr(i + 1, n)), nullptr, 8));
        i += n;
      } else {
        out += '\\';
        out += c;
      }
    }
    return out;
  }
  static std::size_t octal_digits(std::string_view t) {
    std::size_t n = 0;
    while (n < 3 && n < t.size() && t[n] >= '0' && t[n] <= '7') ++n;
    return n;
  }

  Result<std::string> expand(const std::string& text) {
    if (text.find('$') == std::string::npos) return text;
    const Interpolated r = interpolate(text, [&](const std::string& name) -> const std::string* {
      if (const std::string* outer = lookup_(name)) return outer;
      const auto it = seen_.find(name);
      return it == seen_.end() ? nullptr : &it->second;
    });
    if (r.error) {
      return fail(r.error->kind == InterpolationError::Kind::kMalformed
                      ? fmt::format("invalid interpolation format: \"{}\"", text)
                      : r.error->message);
    }
    if (r.text.size() > kMaxValue) {
      return fail(fmt::format("the value is longer than {} MiB", kMaxValue >> 20U));
    }
    for (const UnsetVariable& u : r.unset) {
      const std::size_t name = std::min(text_.find(u.name, at_), text_.size());
      out_.unset.push_back({u.name, removed_ + text_.rfind('$', name)});
    }
    return r.text;
  }

  void store(const std::string& key, const std::string& value) {
    seen_[key] = value;
    out_.values.emplace_back(key, value);
    out_.lines.push_back(line_);
  }

  std::string_view text_;
  const Lookup& lookup_;
  std::size_t at_ = 0;
  EnvFile out_;
  StringMap seen_;           // earlier files, then this one
  std::size_t removed_ = 0;  // bytes in front of text_
  std::size_t counted_ = 0;  // line_ is that of this offset
  int line_ = 1;
};

}  // namespace

Result<EnvFile> parse_env_file(std::string_view text, const Lookup& lookup) {
  return EnvParser(text, lookup, {}).run();
}

Result<EnvFile> parse_env_file(std::string_view text, const Lookup& lookup,
                               const StringMap& earlier) {
  return EnvParser(text, lookup, earlier).run();
}

Result<EnvFile> parse_raw_env_file(std::string_view text, const Lookup& lookup) {
  EnvFile out;
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (trim(line).empty() || trim(line).front() == '#') continue;
    const std::size_t equals = line.find('=');
    const std::string key(line.substr(0, equals));
    if (std::any_of(key.begin(), key.end(), is_blank)) {
      return Error::at({"", number, 0}, fmt::format("variable '{}' contains whitespaces", key));
    }
    if (equals != std::string_view::npos) {
      out.values.emplace_back(key, std::string(line.substr(equals + 1)));
      out.lines.push_back(number);
    } else if (const std::string* value = lookup(key)) {
      out.values.emplace_back(key, *value);
      out.lines.push_back(number);
    }
  }
  return out;
}

}  // namespace stack::compose
