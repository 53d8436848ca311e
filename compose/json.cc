#include "compose/json.h"

#include <algorithm>
#include <charconv>

#include "base/json_quote.h"
#include "base/utf8.h"
#include "compose/scalar.h"

namespace stack::compose {
namespace {

class JsonParser {
 public:
  explicit JsonParser(std::string_view text) : text_(text) {}

  Result<Node> run() {
    Node root = TRY(value(0));
    skip();
    if (at_ != text_.size()) return fail("unexpected text after the document");
    return root;
  }

 private:
  static constexpr int kMaxDepth = 200;

  Error fail(const std::string& what) const {
    const auto before = text_.substr(0, at_);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t start = before.rfind('\n');
    const std::size_t column = start == std::string_view::npos ? at_ + 1 : at_ - start;
    return Error::at({"", static_cast<int>(line), static_cast<int>(column)}, "json: " + what);
  }

  void skip() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  Result<Node> value(int depth) {
    if (depth > kMaxDepth) return fail("nested too deeply");
    skip();
    if (at_ >= text_.size()) return fail("unexpected end");
    switch (text_[at_]) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        return Node::string(TRY(string()));
      default:
        return word();
    }
  }

  Result<Node> object(int depth) {
    Node n = Node::map();
    ++at_;
    if (take('}')) return n;
    do {
      skip();
      if (at_ >= text_.size() || text_[at_] != '"') return fail("expected a key");
      std::string key = TRY(string());
      if (!take(':')) return fail("expected ':'");
      n.entries.push_back({std::move(key), {}, TRY(value(depth + 1))});
    } while (take(','));
    if (!take('}')) return fail("expected ',' or '}'");
    return n;
  }

  Result<Node> array(int depth) {
    Node n = Node::list();
    ++at_;
    if (take(']')) return n;
    do {
      n.items.push_back(TRY(value(depth + 1)));
    } while (take(','));
    if (!take(']')) return fail("expected ',' or ']'");
    return n;
  }

  Result<Node> word() {
    std::size_t end = at_;
    while (end < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[end])) != 0 ||
                                  text_[end] == '-' || text_[end] == '+' || text_[end] == '.')) {
      ++end;
    }
    const std::string_view token = text_.substr(at_, end - at_);
    Node n;
    if (token == "null") {
      n = Node::null();
    } else if (token == "true" || token == "false") {
      n = Node::boolean(token == "true");
    } else {
      const bool digits = token.find_first_not_of("-0123456789") == std::string_view::npos;
      n = resolve_plain_scalar(token, {});
      const bool number = n.kind == Node::Kind::kInt || n.kind == Node::Kind::kFloat;
      if (token.empty() || !number || (token[0] != '-' && std::isdigit(token[0]) == 0) ||
          (digits && token.size() > 1 && token[0] == '0')) {
        return fail("unexpected character");
      }
    }
    at_ = end;
    return n;
  }

  Result<std::string> string() {
    std::string out;
    for (++at_; at_ < text_.size();) {
      const std::size_t plain = text_.find_first_of("\"\\", at_);
      if (plain == std::string_view::npos) break;
      out += text_.substr(at_, plain - at_);
      at_ = plain + 1;
      if (text_[plain] == '"') return out;
      if (at_ >= text_.size()) break;
      const char c = text_[at_++];
      static constexpr std::string_view kFrom = "\"\\/bfnrt";
      static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
      if (const std::size_t i = kFrom.find(c); i != std::string_view::npos) {
        out += kTo[i];
      } else if (c == 'u') {
        utf8::append(out, TRY(code_point()));
      } else {
        return fail("unknown escape");
      }
    }
    return fail("a string is not closed");
  }

  Result<unsigned> hex4() {
    unsigned code = 0;
    if (at_ + 4 > text_.size()) return fail("incomplete \\u escape");
    const auto r = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, code, 16);
    if (r.ptr != text_.data() + at_ + 4) return fail("invalid \\u escape");
    at_ += 4;
    return code;
  }

  Result<unsigned> code_point() {
    const unsigned high = TRY(hex4());
    if (high < 0xD800 || high > 0xDFFF) return high;
    if (high > 0xDBFF || text_.substr(at_, 2) != "\\u") return 0xFFFDU;
    at_ += 2;
    const unsigned low = TRY(hex4());
    if (low < 0xDC00 || low > 0xDFFF) return 0xFFFDU;
    return 0x10000U + ((high - 0xD800U) << 10U) + (low - 0xDC00U);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

class JsonPrinter {
 public:
  JsonPrinter(std::string& out, int indent) : out_(out), indent_(indent) {}

  void print(const Node& n, int depth) {
    switch (n.kind) {
      case Node::Kind::kNull:
        out_ += "null";
        break;
      case Node::Kind::kString:
        append_json_string(out_, n.text);
        break;
      case Node::Kind::kBool:
      case Node::Kind::kInt:
        out_ += n.text;
        break;
      case Node::Kind::kFloat:
        if (n.text.find_first_of("IN") != std::string::npos) {
          append_json_string(out_, n.text);  // JSON has no infinity
        } else if (n.text.find('e') != std::string::npos) {
          out_ += float_text(std::strtod(n.text.c_str(), nullptr));  // exponents from 1e21 on
        } else {
          out_ += n.text;
        }
        break;
      case Node::Kind::kList:
        sequence('[', ']', n.items, depth, [&](const Node& i) { print(i, depth + 1); });
        break;
      case Node::Kind::kMap:
        sequence('{', '}', n.entries, depth, [&](const Entry& e) {
          append_json_string(out_, e.key);
          out_ += indent_ > 0 ? ": " : ":";
          print(e.value, depth + 1);
        });
        break;
    }
  }

 private:
  template <typename T, typename F>
  void sequence(char open, char close, const std::vector<T>& items, int depth, const F& one) {
    out_ += open;
    bool first = true;
    for (const T& item : items) {
      if (!first) out_ += ',';
      first = false;
      line(depth + 1);
      one(item);
    }
    if (!items.empty()) line(depth);
    out_ += close;
  }

  void line(int depth) {
    if (indent_ == 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(indent_) * static_cast<std::size_t>(depth), ' ');
  }

  std::string& out_;
  int indent_;
};

}  // namespace

Result<Node> parse_json(std::string_view text) { return JsonParser(text).run(); }

std::string print_json(const Node& node, int indent) {
  std::string out;
  JsonPrinter(out, indent).print(node, 0);
  return out;
}

}  // namespace stack::compose
