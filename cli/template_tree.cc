#include "cli/template_tree.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "cli/template_functions.h"
#include "cli/template_lexer.h"

namespace stack::cli {

namespace {

using Token = TemplateToken;

struct Action {
  std::vector<Token> tokens;
  std::size_t line = 1;
  std::size_t column = 0;
};
// The template cut into text and actions; comments and trimmed space are gone.
struct Piece {
  std::string text;
  std::optional<Action> action;
};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Behind "{{" or "{{- ", which takes the space before it.
std::size_t action_begin(std::string_view text, std::size_t open, std::string& plain) {
  const std::size_t begin = open + 2;
  if (begin + 1 >= text.size() || text[begin] != '-' || !is_space(text[begin + 1])) return begin;
  plain.erase(plain.find_last_not_of(" \t\r\n") + 1);
  return begin + 2;
}

Result<std::vector<Piece>> cut(std::string_view text) {
  std::vector<Piece> pieces;
  bool trim_next = false;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t open = text.find("{{", at);
    std::string plain(text.substr(at, open == std::string_view::npos ? open : open - at));
    if (trim_next) plain.erase(0, std::min(plain.size(), plain.find_first_not_of(" \t\r\n")));
    trim_next = false;
    if (open == std::string_view::npos) {
      if (!plain.empty()) pieces.push_back({std::move(plain), std::nullopt});
      break;
    }
    const auto line = static_cast<std::size_t>(
        1 + std::count(text.begin(), text.begin() + static_cast<long>(open), '\n'));
    const std::size_t line_start = text.rfind('\n', open) + 1;  // npos + 1 is 0
    const std::size_t begin = action_begin(text, open, plain);
    if (!plain.empty()) pieces.push_back({std::move(plain), std::nullopt});
    const bool comment = text.substr(begin, 2) == "/*";
    const std::size_t comment_end = comment ? text.find("*/", begin) : 0;
    if (comment && comment_end == std::string_view::npos)
      return template_error(line, "unclosed comment");
    const std::size_t close = template_action_end(text, comment ? comment_end + 2 : begin);
    if (close == std::string_view::npos) return template_error(line, "unclosed action");
    std::size_t end = close;
    if (end > begin + 1 && text[end - 1] == '-' && is_space(text[end - 2])) {
      --end;
      trim_next = true;
    }
    at = close + 2;
    if (comment) continue;
    Action action{TRY(lex_template_action(text.substr(begin, end - begin), line)), line,
                  open - line_start + 2};
    pieces.push_back({{}, std::move(action)});
    if (at == text.size()) break;
  }
  return pieces;
}

class ActionParser {
 public:
  ActionParser(const std::vector<Token>& tokens, std::size_t line) : tokens_(tokens), line_(line) {
    skip_space();
  }

  bool at_end() const { return at_ >= tokens_.size(); }
  const Token& peek() const {
    static const Token kNone;
    return at_end() ? kNone : tokens_[at_];
  }
  bool accept_word(std::string_view word) {
    if (!peek().is(Token::Kind::kWord, word)) return false;
    ++at_;
    skip_space();
    return true;
  }

  // To the end of the action, or (inside parentheses) to the closing one.
  Result<TemplatePipeline> pipeline(bool nested) {
    TemplatePipeline out;
    if (!nested) TRY(declaration(out));
    for (;;) {
      std::vector<TemplateOperand> command;
      skip_space();
      while (!at_end() &&
             (peek().kind != Token::Kind::kSymbol || peek().is(Token::Kind::kSymbol, "("))) {
        command.push_back(TRY(operand()));
        skip_space();
      }
      if (command.empty()) return template_error(line_, "missing value for command");
      if (!out.commands.empty() && command[0].kind != TemplateOperand::Kind::kFunction) {
        return template_error(line_, fmt::format("non executable command in pipeline stage {}",
                                                 out.commands.size() + 1));
      }
      out.commands.push_back(std::move(command));
      if (peek().is(Token::Kind::kSymbol, "|")) {
        ++at_;
        continue;
      }
      if (nested && peek().is(Token::Kind::kSymbol, ")")) {
        ++at_;
        return out;
      }
      if (at_end() && !nested) return out;
      return template_error(line_, at_end()
                                       ? std::string("unclosed left paren")
                                       : fmt::format("unexpected \"{}\" in command", peek().text));
    }
  }

 private:
  void skip_space() {
    while (!at_end() && tokens_[at_].kind == Token::Kind::kSpace) ++at_;
  }

  // `$x :=`, `$x =` or `$i, $x :=` at the beginning.
  Status declaration(TemplatePipeline& out) {
    const std::size_t start = at_;
    std::vector<std::string> names;
    while (peek().kind == Token::Kind::kVariable) {
      names.push_back(peek().text);
      ++at_;
      skip_space();
      if (peek().is(Token::Kind::kSymbol, ",")) {
        ++at_;
        skip_space();
        continue;
      }
      if (peek().is(Token::Kind::kSymbol, ":=") || peek().is(Token::Kind::kSymbol, "=")) {
        out.declares = peek().text == ":=";
        out.variables = std::move(names);
        ++at_;
        skip_space();
        return ok_status();
      }
      break;
    }
    at_ = start;
    return ok_status();
  }

  Result<TemplateOperand> operand() {
    TemplateOperand out;
    const Token token = peek();
    ++at_;
    out.source = token.source;
    switch (token.kind) {
      case Token::Kind::kField:
        if (!token.text.empty()) out.fields.push_back(token.text);
        break;
      case Token::Kind::kVariable:
        out.kind = TemplateOperand::Kind::kVariable;
        out.name = token.text;
        break;
      case Token::Kind::kString:
        out.kind = TemplateOperand::Kind::kLiteral;
        out.literal = token.text;
        break;
      case Token::Kind::kNumber:
      case Token::Kind::kCharacter:
        out.kind = TemplateOperand::Kind::kLiteral;
        out.literal = TRY(number(token.text));
        break;
      case Token::Kind::kWord:
        TRY(word(token, out));
        break;
      case Token::Kind::kSymbol:
        out.kind = TemplateOperand::Kind::kPipeline;
        out.pipeline = std::make_shared<TemplatePipeline>(TRY(pipeline(true)));
        out.source = "(...)";
        break;
      case Token::Kind::kSpace:
        return template_error(line_, "missing value for command");
    }
    while (peek().kind == Token::Kind::kField && !peek().text.empty()) {
      out.fields.push_back(peek().text);
      out.source += peek().source;
      ++at_;
    }
    return out;
  }

  Result<Json> number(const std::string& text) const {
    long integer = 0;
    const char* end = text.data() + text.size();
    if (const auto [stop, ec] = std::from_chars(text.data(), end, integer);
        ec == std::errc() && stop == end) {
      return Json(integer);
    }
    double real = 0;
    if (const auto [stop, ec] = std::from_chars(text.data(), end, real);
        ec == std::errc() && stop == end) {
      return Json(real);
    }
    return template_error(line_, fmt::format("bad number syntax: \"{}\"", text));
  }

  Status word(const Token& token, TemplateOperand& out) const {
    out.kind = TemplateOperand::Kind::kLiteral;
    if (token.text == "true" || token.text == "false") {
      out.literal = token.text == "true";
    } else if (token.text == "nil") {
      out.literal = nullptr;
    } else if (is_template_function(token.text)) {
      out.kind = TemplateOperand::Kind::kFunction;
      out.name = token.text;
    } else {
      return template_error(line_, fmt::format("function \"{}\" not defined", token.text));
    }
    return ok_status();
  }

  const std::vector<Token>& tokens_;
  std::size_t line_;
  std::size_t at_ = 0;
};

class TreeParser {
 public:
  explicit TreeParser(std::vector<Piece> pieces) : pieces_(std::move(pieces)) {}

  Result<std::vector<TemplateNode>> all() {
    std::vector<TemplateNode> nodes = TRY(list(0));
    if (at_ < pieces_.size()) {
      const Action& action = *pieces_[at_].action;
      return template_error(action.line, fmt::format("unexpected {{{{{}}}}}", first_word(action)));
    }
    return nodes;
  }

 private:
  static std::string first_word(const Action& action) {
    for (const Token& token : action.tokens) {
      if (token.kind != Token::Kind::kSpace)
        return token.kind == Token::Kind::kWord ? token.text : std::string();
    }
    return "";
  }

  // Up to {{end}}, {{else}} or the end; `loops` is how many ranges are around it.
  Result<std::vector<TemplateNode>> list(int loops) {
    std::vector<TemplateNode> nodes;
    for (; at_ < pieces_.size(); ++at_) {
      Piece& piece = pieces_[at_];
      if (!piece.action) {
        TemplateNode node;
        node.text = std::move(piece.text);
        nodes.push_back(std::move(node));
        continue;
      }
      const std::string word = first_word(*piece.action);
      if (word == "end" || word == "else") break;
      nodes.push_back(TRY(action(word, loops)));
    }
    return nodes;
  }

  Result<TemplateNode> action(const std::string& word, int loops) {
    const Action& action = *pieces_[at_].action;
    ActionParser parser(action.tokens, action.line);
    TemplateNode node;
    node.line = action.line;
    node.column = action.column;
    if (word == "break" || word == "continue") {
      if (loops == 0)
        return template_error(action.line, fmt::format("{{{{{}}}}} outside {{{{range}}}}", word));
      node.kind = word == "break" ? TemplateNode::Kind::kBreak : TemplateNode::Kind::kContinue;
      return node;
    }
    if (word == "define" || word == "template" || word == "block") {
      return template_error(action.line,
                            fmt::format("{{{{{}}}}} is not supported in --format", word));
    }
    if (word == "if" || word == "range" || word == "with") {
      parser.accept_word(word);
      TRY(control(word, parser, node, loops));
      return node;
    }
    node.kind = TemplateNode::Kind::kAction;
    node.pipeline = TRY(parser.pipeline(false));
    return node;
  }

  // The pieces up to the matching {{end}}, which stays the current one. `{{else if X}}` is an if
  // inside the else that shares its end.
  Status control(const std::string& word, ActionParser& parser, TemplateNode& node, int loops) {
    node.kind = word == "if"      ? TemplateNode::Kind::kIf
                : word == "range" ? TemplateNode::Kind::kRange
                                  : TemplateNode::Kind::kWith;
    if (parser.at_end())
      return template_error(node.line, fmt::format("missing value for {}", word));
    node.pipeline = TRY(parser.pipeline(false));
    ++at_;
    const int inside = loops + (word == "range" ? 1 : 0);
    node.body = TRY(list(inside));
    if (at_ < pieces_.size() && first_word(*pieces_[at_].action) == "else") {
      const Action& action = *pieces_[at_].action;
      ActionParser rest(action.tokens, action.line);
      rest.accept_word("else");
      for (const std::string_view chained : {"if", "with"}) {
        if (!rest.accept_word(chained)) continue;
        TemplateNode inner;
        inner.line = action.line;
        inner.column = action.column;
        TRY(control(std::string(chained), rest, inner, loops));
        node.otherwise.push_back(std::move(inner));
        return ok_status();
      }
      ++at_;
      node.otherwise = TRY(list(loops));
    }
    if (at_ >= pieces_.size() || first_word(*pieces_[at_].action) != "end")
      return template_error(node.line, "unexpected EOF");
    return ok_status();
  }

  std::vector<Piece> pieces_;
  std::size_t at_ = 0;
};

}  // namespace

Error template_error(std::size_t line, std::string_view what) {
  return Error::invalid(fmt::format("template parsing error: template: :{}: {}", line, what))
      .fix("Templates are Go's: {{.Field}}, {{json .Field}}, {{range .List}}...{{end}}.");
}

Result<std::vector<TemplateNode>> parse_template(std::string_view text) {
  return TreeParser(TRY(cut(text))).all();
}

}  // namespace stack::cli
