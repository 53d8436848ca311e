#include "cli/template_lexer.h"

#include <fmt/core.h>

#include <cctype>
#include <charconv>
#include <optional>

#include "cli/template_tree.h"

namespace stack::cli {

namespace {

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::size_t name_end(std::string_view text, std::size_t at) {
  while (at < text.size() && is_name_character(text[at])) ++at;
  return at;
}

// The end of quoted text that begins at `at`, behind its closing quote; npos without one.
std::size_t quoted_end(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\' && quote != '`') {
      ++i;
    } else if (text[i] == quote) {
      return i + 1;
    } else if (text[i] == '\n' && quote != '`') {
      return std::string_view::npos;
    }
  }
  return std::string_view::npos;
}

std::string unquoted(std::string_view body) {
  std::string out;
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\' || i + 1 == body.size()) {
      out += body[i];
      continue;
    }
    const char c = body[++i];
    constexpr std::string_view kLetters = "abfnrtv";
    constexpr std::string_view kValues = "\a\b\f\n\r\t\v";
    if (const auto at = kLetters.find(c); at != std::string_view::npos) {
      out += kValues[at];
    } else if (c == 'x' && i + 2 < body.size()) {
      unsigned value = 0;
      std::from_chars(body.data() + i + 1, body.data() + i + 3, value, 16);
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += c;
    }
  }
  return out;
}

struct Lexer {
  std::string_view text;
  std::size_t line;
  std::size_t at = 0;
  std::vector<TemplateToken> tokens = {};

  void take(TemplateToken::Kind kind, std::size_t end, std::string value) {
    tokens.push_back({kind, std::move(value), std::string(text.substr(at, end - at))});
    at = end;
  }

  Status quoted() {
    const std::size_t end = quoted_end(text, at);
    if (end == std::string_view::npos) {
      return template_error(line, text[at] == '\'' ? "unterminated character constant"
                                                   : "unterminated quoted string");
    }
    const std::string_view body = text.substr(at + 1, end - at - 2);
    if (text[at] == '\'') {
      const std::string value = unquoted(body);
      if (value.size() != 1)
        return template_error(line, fmt::format("malformed character constant: '{}'", body));
      take(TemplateToken::Kind::kCharacter, end,
           std::to_string(static_cast<unsigned char>(value[0])));
    } else {
      take(TemplateToken::Kind::kString, end, text[at] == '`' ? std::string(body) : unquoted(body));
    }
    return ok_status();
  }

  bool number() {
    std::size_t end = at;
    if (text[end] == '+' || text[end] == '-') ++end;
    if (end >= text.size() || std::isdigit(static_cast<unsigned char>(text[end])) == 0)
      return false;
    while (end < text.size() && (is_name_character(text[end]) || text[end] == '.')) ++end;
    take(TemplateToken::Kind::kNumber, end, std::string(text.substr(at, end - at)));
    return true;
  }

  Status next() {
    using Kind = TemplateToken::Kind;
    const char c = text[at];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      std::size_t end = at;
      while (end < text.size() && std::isspace(static_cast<unsigned char>(text[end])) != 0) ++end;
      take(Kind::kSpace, end, {});
    } else if (c == '"' || c == '`' || c == '\'') {
      TRY(quoted());
    } else if (c == '.' && !(at + 1 < text.size() && std::isdigit(text[at + 1]) != 0)) {
      const std::size_t end = name_end(text, at + 1);
      take(Kind::kField, end, std::string(text.substr(at + 1, end - at - 1)));
    } else if (c == '$') {
      const std::size_t end = name_end(text, at + 1);
      take(Kind::kVariable, end, std::string(text.substr(at, end - at)));
    } else if (text.substr(at, 2) == ":=") {
      take(Kind::kSymbol, at + 2, ":=");
    } else if (c == '(' || c == ')' || c == '|' || c == ',' || c == '=') {
      take(Kind::kSymbol, at + 1, std::string(1, c));
    } else if (number()) {
    } else if (is_name_character(c)) {
      const std::size_t end = name_end(text, at);
      take(Kind::kWord, end, std::string(text.substr(at, end - at)));
    } else {
      return template_error(line, fmt::format("unexpected \"{}\" in operand", c));
    }
    return ok_status();
  }
};

}  // namespace

std::size_t template_action_end(std::string_view text, std::size_t from) {
  for (std::size_t i = from; i < text.size(); ++i) {
    if (text.substr(i, 2) == "}}") return i;
    if (text[i] != '"' && text[i] != '`' && text[i] != '\'') continue;
    const std::size_t end = quoted_end(text, i);
    if (end == std::string_view::npos) continue;  // the lexer reports it
    i = end - 1;
  }
  return std::string_view::npos;
}

Result<std::vector<TemplateToken>> lex_template_action(std::string_view action, std::size_t line) {
  Lexer lexer{action, line};
  while (lexer.at < action.size()) TRY(lexer.next());
  return std::move(lexer.tokens);
}

}  // namespace stack::cli
