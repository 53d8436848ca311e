#include "cli/template_printf.h"

#include <fmt/core.h>

#include <cctype>
#include <cstdio>

#include "base/go_quote.h"
#include "cli/table.h"

namespace stack::cli {

namespace {

struct Verb {
  std::string flags;
  std::size_t width = 0;
  int precision = -1;
  char letter = 0;

  bool has(char flag) const { return flags.find(flag) != std::string::npos; }
};

// Reads what follows a '%'; `at` moves behind the verb.
Verb verb_at(std::string_view format, std::size_t& at) {
  Verb verb;
  while (at < format.size() && std::string_view("-+# 0").find(format[at]) != std::string_view::npos)
    verb.flags += format[at++];
  const auto number = [&format, &at] {
    std::size_t value = 0;
    while (at < format.size() && std::isdigit(static_cast<unsigned char>(format[at])) != 0 &&
           value < 100000) {
      value = value * 10 + static_cast<std::size_t>(format[at++] - '0');
    }
    return value;
  };
  verb.width = number();
  if (at < format.size() && format[at] == '.') {
    ++at;
    verb.precision = static_cast<int>(number());
  }
  if (at < format.size()) verb.letter = format[at++];
  return verb;
}

std::string hex_of(std::string_view text, bool upper) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned>(static_cast<unsigned char>(c));
    out += upper ? fmt::format("{:02X}", byte) : fmt::format("{:02x}", byte);
  }
  return out;
}

std::string integer_text(std::int64_t value, char letter) {
  switch (letter) {
    case 'x':
      return fmt::format("{:x}", value);
    case 'X':
      return fmt::format("{:X}", value);
    case 'o':
      return fmt::format("{:o}", value);
    case 'b':
      return fmt::format("{:b}", value);
    case 'c':
      return std::string(1, static_cast<char>(value));
    default:
      return std::to_string(value);
  }
}

std::string real_text(double value, const Verb& verb) {
  char text[512];
  switch (verb.letter) {
    case 'f':
    case 'F':
      (void)std::snprintf(text, sizeof text, "%.*f", verb.precision < 0 ? 6 : verb.precision,
                          value);
      return text;
    case 'e':
      (void)std::snprintf(text, sizeof text, "%.*e", verb.precision < 0 ? 6 : verb.precision,
                          value);
      return text;
    default:
      return fmt::format("{}", value);
  }
}

std::string mismatch(const Verb& verb, const TemplateValue& value) {
  return fmt::format("%!{}({}={})", verb.letter, value.json.type_name(), template_text(value));
}

std::string converted(const Verb& verb, const TemplateValue& value) {
  const Json& json = value.json;
  std::string text;
  switch (verb.letter) {
    case 'v':
    case 's': {
      if (verb.letter == 's' && (json.is_number() || json.is_boolean()))
        return mismatch(verb, value);
      text = template_text(value);
      return verb.precision >= 0 ? text.substr(0, static_cast<std::size_t>(verb.precision)) : text;
    }
    case 'q':
      return json.is_string() ? go_quote(json.get<std::string>()) : mismatch(verb, value);
    case 't':
      return json.is_boolean() ? template_text(value) : mismatch(verb, value);
    case 'x':
    case 'X':
      if (json.is_string()) return hex_of(json.get<std::string>(), verb.letter == 'X');
      [[fallthrough]];
    case 'd':
    case 'o':
    case 'b':
    case 'c':
      if (!json.is_number_integer()) return mismatch(verb, value);
      text = integer_text(json.get<std::int64_t>(), verb.letter);
      return verb.has('+') && !text.starts_with('-') ? '+' + text : text;
    case 'f':
    case 'F':
    case 'e':
    case 'g':
      return json.is_number_float() ? real_text(json.get<double>(), verb) : mismatch(verb, value);
    default:
      return mismatch(verb, value);
  }
}

std::string padded(const Verb& verb, std::string text) {
  const std::size_t width = display_width(text);
  if (width >= verb.width) return text;
  const std::size_t missing = verb.width - width;
  if (verb.has('-')) return text + std::string(missing, ' ');
  if (!verb.has('0') || verb.letter == 's' || verb.letter == 'v')
    return std::string(missing, ' ') + text;
  const std::size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  return text.insert(sign, missing, '0');
}

}  // namespace

Result<TemplateValue> template_printf(const std::vector<TemplateValue>& args) {
  if (!args[0].json.is_string())
    return Error::invalid("error calling printf: the format must be a string");
  const auto& format = args[0].json.get_ref<const std::string&>();
  std::string out;
  std::size_t next = 1;
  for (std::size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      out += format[at++];
      continue;
    }
    ++at;
    const Verb verb = verb_at(format, at);
    if (verb.letter == '%') {
      out += '%';
    } else if (verb.letter == 0) {
      out += "%!(NOVERB)";
    } else if (next >= args.size()) {
      out += fmt::format("%!{}(MISSING)", verb.letter);
    } else {
      out += padded(verb, converted(verb, args[next++]));
    }
  }
  if (next < args.size()) {
    std::string extra;
    for (; next < args.size(); ++next) {
      extra += fmt::format("{}{}={}", extra.empty() ? "" : ", ", args[next].json.type_name(),
                           template_text(args[next]));
    }
    out += fmt::format("%!(EXTRA {})", extra);
  }
  return TemplateValue{out};
}

}  // namespace stack::cli
