#include "compose/yaml_print.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "base/utf8.h"
#include "compose/scalar.h"

namespace stack::compose {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_old_boolean(const std::string& t) {
  if (t.size() > 3) return false;
  for (const char* word : {"y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No",
                           "NO", "off", "Off", "OFF"}) {
    if (t == word) return true;
  }
  return false;
}

// 22:22 is 1342 to YAML 1.1.
bool is_base60(const std::string& t) {
  std::size_t i = !t.empty() && (t[0] == '-' || t[0] == '+') ? 1 : 0;
  if (i >= t.size() || !is_digit(t[i])) return false;
  while (i < t.size() && (is_digit(t[i]) || t[i] == '_')) ++i;
  bool groups = false;
  while (i + 1 < t.size() && t[i] == ':' && is_digit(t[i + 1])) {
    const bool two = i + 2 < t.size() && is_digit(t[i + 2]);
    if (two && t[i + 1] > '5') return false;
    i += two ? 3 : 2;
    groups = true;
  }
  if (i < t.size() && t[i] == '.') {
    ++i;
    while (i < t.size() && (is_digit(t[i]) || t[i] == '_')) ++i;
  }
  return groups && i == t.size();
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Begins as nothing but text does.
bool is_word(const std::string& t) {
  constexpr std::string_view kOthers = "tTfFnNyYoO";  // true, False, null, yes, off, ...
  constexpr std::size_t kLongest = 5;                 // of those words
  return !t.empty() &&
         (t[0] == '/' || (is_letter(t[0]) &&
                          (t.size() > kLongest || kOthers.find(t[0]) == std::string_view::npos)));
}

// What most texts are: printed as they stand.
bool is_plain_word(const std::string& t) {
  return is_word(t) && t.back() != ':' && std::all_of(t.begin(), t.end(), [](char c) {
           return is_letter(c) || (c >= '+' && c <= ':' && c != ',') || c == '_' || c == '=' ||
                  c == '@';
         });
}

bool is_control(unsigned char u) { return u < 0x20 || u == 0x7F; }

bool plain_allowed(const std::string& t) {
  if (t.front() == ' ' || t.back() == ' ') return false;
  if (t.compare(0, 3, "---") == 0 || t.compare(0, 3, "...") == 0) return false;
  const auto blank_at = [&](std::size_t i) { return i >= t.size() || t[i] == ' ' || t[i] == '\t'; };
  if (std::strchr("#,[]{}&*!|>'\"%@`", t[0]) != nullptr) return false;
  if (std::strchr("?:-", t[0]) != nullptr && blank_at(1)) return false;
  for (std::size_t i = 1; i < t.size(); ++i) {
    if (t[i] == ':' && blank_at(i + 1)) return false;
    if (t[i] == '#' && blank_at(i - 1)) return false;
  }
  return true;
}

// Beyond the basic plane: printed as an escape, as Docker Compose does.
bool has_astral(const std::string& t) {
  return std::any_of(t.begin(), t.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0xF0; });
}

std::string double_quoted(const std::string& t) {
  std::string out = "\"";
  for (std::size_t i = 0; i < t.size(); ++i) {
    const char c = t[i];
    if (static_cast<unsigned char>(c) >= 0xF0) {
      out += fmt::format("\\U{:08X}", static_cast<std::uint32_t>(utf8::next(t, i)));
      --i;
      continue;
    }
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\a':
        out += "\\a";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\x1b':
        out += "\\e";
        break;
      case '\0':
        out += "\\0";
        break;
      default:
        if (is_control(static_cast<unsigned char>(c))) {
          out += fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

std::string single_quoted(const std::string& t) {
  std::string out = "'";
  for (const char c : t) {
    out += c;
    if (c == '\'') out += c;
  }
  return out + "'";
}

// Longer ones are printed with a question mark, as others do who print YAML.
constexpr std::size_t kMaxSimpleKey = 128;

class YamlPrinter {
 public:
  explicit YamlPrinter(std::string& out) : out_(out) {}

  void document(const Node& n) {
    if (n.is_map() && !n.entries.empty()) {
      map(n, 0, false);
    } else if (n.is_list() && !n.items.empty()) {
      list(n, 0, false);
    } else {
      scalar(n, 0);
      out_ += '\n';
    }
  }

  void entry(const Entry& e, int indent) {
    pad(indent);
    key_and_value(e, indent);
  }

 private:
  void pad(int indent) { out_.append(static_cast<std::size_t>(indent), ' '); }

  // `inline_first`: the first line continues the "- " of a list.
  void map(const Node& n, int indent, bool inline_first) {
    for (const Entry& e : n.entries) {
      if (!inline_first) pad(indent);
      inline_first = false;
      key_and_value(e, indent);
    }
  }

  void key_and_value(const Entry& e, int indent) {
    if (e.key.size() > kMaxSimpleKey || e.key.find('\n') != std::string::npos) {
      return explicit_key_and_value(e, indent);
    }
    string(e.key, 0);
    out_ += ':';
    if (e.value.is_map() && !e.value.entries.empty()) {
      out_ += '\n';
      map(e.value, indent + 2, false);
    } else if (e.value.is_list() && !e.value.items.empty()) {
      out_ += '\n';
      list(e.value, indent + 2, false);
    } else {
      out_ += ' ';
      scalar(e.value, indent + 2);
      out_ += '\n';
    }
  }

  void list(const Node& n, int indent, bool inline_first) {
    for (const Node& i : n.items) {
      if (!inline_first) pad(indent);
      inline_first = false;
      out_ += "- ";
      value_behind_mark(i, indent);
    }
  }

  // Its first line continues the one with the mark.
  void value_behind_mark(const Node& n, int indent) {
    if (n.is_map() && !n.entries.empty()) {
      map(n, indent + 2, true);
    } else if (n.is_list() && !n.items.empty()) {
      list(n, indent + 2, true);
    } else {
      scalar(n, indent + 2);
      out_ += '\n';
    }
  }

  // "? KEY" and ": VALUE", each on lines of its own.
  void explicit_key_and_value(const Entry& e, int indent) {
    out_ += "? ";
    string(e.key, indent + 2);
    out_ += '\n';
    pad(indent);
    out_ += ": ";
    value_behind_mark(e.value, indent);
  }

  void scalar(const Node& n, int indent) {
    switch (n.kind) {
      case Node::Kind::kNull:
        out_ += "null";
        break;
      case Node::Kind::kList:
        out_ += "[]";
        break;
      case Node::Kind::kMap:
        out_ += "{}";
        break;
      case Node::Kind::kString:
        string(n.text, indent);
        break;
      case Node::Kind::kFloat:
        out_ += n.text == "+Inf"   ? ".inf"
                : n.text == "-Inf" ? "-.inf"
                : n.text == "NaN"  ? ".nan"
                                   : n.text;
        break;
      default:
        out_ += n.text;
    }
  }

  void string(const std::string& t, int indent) {
    if (is_plain_word(t)) {
      out_ += t;
      return;
    }
    const bool breaks = t.find('\n') != std::string::npos;
    const bool special =
        has_astral(t) || std::any_of(t.begin(), t.end(), [](char c) {
          return c != '\n' && c != '\t' && is_control(static_cast<unsigned char>(c));
        });
    if (breaks && !special && t.find(" \n") == std::string::npos && t.back() != ' ') {
      literal(t, indent);
      return;
    }
    const auto another_kind = [&] {
      return !is_word(t) && (is_old_boolean(t) || is_base60(t) || is_timestamp(t) ||
                             !resolve_plain_scalar(t, {}).is_string());
    };
    if (t.empty() || breaks || special || t.find('\t') != std::string::npos || another_kind()) {
      out_ += double_quoted(t);
    } else {
      out_ += plain_allowed(t) ? t : single_quoted(t);
    }
  }

  void literal(const std::string& t, int indent) {
    out_ += '|';
    if (t[0] == ' ' || t[0] == '\n') out_ += '2';
    const bool ends = t.back() == '\n';
    if (!ends) {
      out_ += '-';
    } else if (t.size() == 1 || t[t.size() - 2] == '\n') {
      out_ += '+';
    }
    std::size_t begin = 0;
    const std::size_t size = ends ? t.size() - 1 : t.size();
    while (begin <= size) {
      const std::size_t end = std::min(t.find('\n', begin), size);
      out_ += '\n';
      if (end > begin) {
        pad(indent);
        out_.append(t, begin, end - begin);
      }
      begin = end + 1;
    }
  }

  std::string& out_;
};

}  // namespace

std::string print_yaml(const Node& node) {
  std::string out;
  YamlPrinter(out).document(node);
  return out;
}

void print_yaml(const Entry& entry, int indent, std::string& out) {
  YamlPrinter(out).entry(entry, indent);
}

}  // namespace stack::compose
