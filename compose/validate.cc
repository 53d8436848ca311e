#include "compose/validate.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "compose/json.h"
#include "compose/path.h"
#include "compose/scalar.h"
#include "compose/schema.h"

namespace stack::compose {
namespace {

using AKind = Alternative::Kind;
using NKind = Node::Kind;

bool is_whole(const Node& n) {
  return n.kind == NKind::kInt ||
         (n.kind == NKind::kFloat && n.text.find_first_not_of("-0123456789") == std::string::npos);
}

bool matches(const Node& n, const Alternative& a) {
  if (a.cast && n.is_string()) return true;
  switch (a.kind) {
    case AKind::kAny:
      return true;
    case AKind::kNull:
      return n.is_null();
    case AKind::kBool:
      return n.kind == NKind::kBool;
    case AKind::kInt:
      return is_whole(n);
    case AKind::kNumber:
      return n.kind == NKind::kInt || n.kind == NKind::kFloat;
    case AKind::kString:
      return n.is_string();
    case AKind::kList:
      return n.is_list();
    case AKind::kMap:
    case AKind::kSection:
      return n.is_map();
  }
  return false;
}

const char* type_name(AKind kind) {
  switch (kind) {
    case AKind::kAny:
    case AKind::kNull:
      return "null";
    case AKind::kBool:
      return "boolean";
    case AKind::kInt:
      return "integer";
    case AKind::kNumber:
      return "number";
    case AKind::kString:
      return "string";
    case AKind::kList:
      return "array";
    case AKind::kMap:
    case AKind::kSection:
      return "mapping";
  }
  return "";
}

// "array or string"
std::string type_names(const Shape& shape) {
  std::set<std::string> names;
  for (const Alternative& a : shape) {
    names.insert(type_name(a.kind));
    if (a.cast) names.insert("string");
  }
  std::string out;
  std::size_t left = names.size();
  for (const std::string& n : names) {
    out += n;
    --left;
    if (left > 0) out += left == 1 ? " or " : ", ";
  }
  return out;
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_object_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-';
  });
}

bool is_good_key(Alternative::Keys keys, std::string_view key) {
  switch (keys) {
    case Alternative::Keys::kNames:
      return is_object_name(key);
    case Alternative::Keys::kTexts:
      return key.find_first_not_of('\n') != std::string_view::npos;
    case Alternative::Keys::kLines:
      return !key.empty() && key.find('\n') == std::string_view::npos;
    default:
      return true;
  }
}

// Checks of strings by name. As in the Compose Specification's schema, the text need only contain
// what the pattern describes.
struct Check {
  std::string_view name;
  const char* pattern;
  bool (*good)(const std::string&);
};

bool has_container_name(const std::string& text) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const char next = text[i + 1];
    if (is_letter_or_digit(text[i]) &&
        (is_letter_or_digit(next) || next == '_' || next == '.' || next == '-')) {
      return true;
    }
  }
  return false;
}

// every_([0-9]+[wdhms])+
bool has_period(const std::string& text) {
  for (std::size_t at = text.find("every_"); at != std::string::npos;
       at = text.find("every_", at + 1)) {
    const std::size_t digits = at + 6;
    const std::size_t unit = text.find_first_not_of("0123456789", digits);
    if (unit != std::string::npos && unit > digits &&
        std::string_view("wdhms").find(text[unit]) != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

bool has_pull_policy(const std::string& text) {
  for (const char* word :
       {"always", "never", "build", "if_not_present", "missing", "refresh", "daily", "weekly"}) {
    if (text.find(word) != std::string::npos) return true;
  }
  return has_period(text);
}

constexpr Check kChecks[] = {
    {"container_name", "[a-zA-Z0-9][a-zA-Z0-9_.-]+", has_container_name},
    {"pull_policy",
     "always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+",
     has_pull_policy},
};

class Validator {
 public:
  explicit Validator(Report& report) : report_(report) {}

  void section(Node& node, const Section& section) {
    for (Entry& e : node.entries) {
      const Key* key = section.find(e.key);
      if (key == nullptr) {
        if (section.open || (section.extensions && e.key.rfind("x-", 0) == 0)) continue;
        unknown(e, section);
        continue;
      }
      const auto step = path_.enter(e.key);
      walk(e.value, key->shape);
    }
    for (const Key& key : section.keys) {
      if (key.required && node.find(key.name) == nullptr) {
        report_.error(node.place,
                      fmt::format("{} missing property '{}'", path_.plain_text(), key.name),
                      fmt::format("add `{}:`", key.name), "missing-key");
        node.tag = Node::Tag::kBroken;
      }
    }
  }

 private:
  void unknown(Entry& e, const Section& section) {
    const std::string at = path_.plain_text();
    const std::string meant = nearest(e.key, section.key_names());
    std::string hint = meant.empty() ? elsewhere(e.key) : fmt::format("did you mean `{}`?", meant);
    report_.error(
        e.key_place,
        fmt::format("{}{}additional properties '{}' not allowed", at, at.empty() ? "" : " ", e.key),
        std::move(hint), "unknown-key");
    if (path_.depth() == 0 && !meant.empty()) report_.damage(meant);
    e.value.tag = Node::Tag::kBroken;
  }

  // A key that is right in another place: the indentation is probably wrong.
  std::string elsewhere(const std::string& key) const {
    const bool top = path_.depth() == 0;
    if (top && schema().section("service").find(key) != nullptr) {
      return fmt::format("`{}` belongs to a service: indent it below the service's name", key);
    }
    if (!top && schema().section("file").find(key) != nullptr) {
      return fmt::format("`{}` belongs at the top level: it is indented too far", key);
    }
    return "keys of your own begin with \"x-\"";
  }

  void walk(Node& node, const Shape& shape) {
    const auto it = std::find_if(shape.begin(), shape.end(),
                                 [&](const Alternative& a) { return matches(node, a); });
    if (it == shape.end()) return wrong_kind(node, shape);
    if (it->kind == AKind::kSection) return section(node, *it->section);
    if (it->kind == AKind::kMap && it->item != nullptr) {
      map(node, *it);
    } else if (it->kind == AKind::kList && it->item != nullptr) {
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        const auto step = path_.enter(i);
        walk(node.items[i], *it->item);
      }
      if (it->unique) unique(node);
    } else if (it->kind == AKind::kString) {
      if (!it->choices.empty()) choice(node, it->choices);
      if (!it->check.empty()) check(node, it->check);
    } else if (it->kind == AKind::kInt) {
      bounds(node, *it);
    }
  }

  void map(Node& node, const Alternative& a) {
    for (Entry& e : node.entries) {
      if (!is_good_key(a.keys, e.key)) {
        report_.error(
            e.key_place,
            fmt::format("{} additional properties '{}' not allowed", path_.plain_text(), e.key),
            a.keys == Alternative::Keys::kNames
                ? "a name consists of letters, digits, '.', '_' and '-'"
                : "a key is a line of text",
            "bad-name");
      }
      const auto step = path_.enter(e.key);
      walk(e.value, *a.item);
    }
  }

  void unique(Node& list) {
    if (list.items.size() < 2) return;
    std::unordered_map<std::string, std::size_t> seen;
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      Node& item = list.items[i];
      const std::string content = item.is_scalar()
                                      ? fmt::format("{} {}", static_cast<int>(item.kind), item.text)
                                      : print_json(item);
      const auto [first, inserted] = seen.emplace(content, i);
      if (inserted) continue;
      report_.error(
          item.place,
          fmt::format("{} items at {} and {} are equal", path_.plain_text(), first->second, i),
          "say it once", "said-twice");
      item.tag = Node::Tag::kBroken;
      return;
    }
  }

  void check(Node& node, const std::string& name) {
    for (const Check& c : kChecks) {
      if (c.name != name || c.good(node.text)) continue;
      report_.error(node.place,
                    fmt::format("{} '{}' does not match pattern '{}'", path_.plain_text(),
                                node.text, c.pattern),
                    {}, "bad-value");
      node.tag = Node::Tag::kBroken;
    }
  }

  void bounds(Node& node, const Alternative& a) {
    const auto value = parse_integer(node.text);
    if (!value) return;
    if (a.least && *value < *a.least) {
      beyond(node, "greater", *a.least);
    } else if (a.most && *value > *a.most) {
      beyond(node, "less", *a.most);
    }
  }

  void beyond(Node& node, const char* direction, std::int64_t bound) {
    report_.error(
        node.place,
        fmt::format("{} must be {} than or equal to {}", path_.plain_text(), direction, bound), {},
        "bad-value");
    node.tag = Node::Tag::kBroken;
  }

  static bool takes(const Shape& shape, AKind kind) {
    return std::any_of(shape.begin(), shape.end(),
                       [kind](const Alternative& a) { return a.kind == kind; });
  }

  void wrong_kind(Node& node, const Shape& shape) {
    std::string hint;
    if (node.is_null()) {
      hint = "nothing follows the colon: give it a value, or remove it";
    } else if (takes(shape, AKind::kString) && node.is_scalar()) {
      hint = fmt::format("write it in quotes: \"{}\"", node.text);
    } else if (takes(shape, AKind::kList) && node.is_scalar()) {
      hint = fmt::format("write a list: [\"{}\"]", node.text);
    }
    report_.error(node.place, fmt::format("{} must be a {}", path_.plain_text(), type_names(shape)),
                  hint, "wrong-type");
    node.tag = Node::Tag::kBroken;
  }

  void choice(Node& node, const std::vector<std::string>& choices) {
    if (std::find(choices.begin(), choices.end(), node.text) != choices.end()) return;
    std::string list;
    for (const std::string& c : choices) list += (list.empty() ? "'" : ", '") + c + "'";
    report_.error(node.place,
                  fmt::format("{} value must be {}{}", path_.plain_text(),
                              choices.size() > 1 ? "one of " : "", list),
                  did_you_mean(node.text, choices), "bad-choice");
    node.tag = Node::Tag::kBroken;
  }

  Report& report_;
  Path path_;
};

}  // namespace

void validate(Node& root, Report& report) {
  Validator(report).section(root, schema().section("file"));
}

void validate_include(Node& item, Report& report) {
  if (item.is_map()) return Validator(report).section(item, schema().section("include"));
  report.error(item.place, "an item of include must be a string or a mapping", {}, "wrong-type");
}

}  // namespace stack::compose
