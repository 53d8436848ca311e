#include "compose/validate.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "compose/path.h"
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

class Validator {
 public:
  Validator(Report& report, bool merged) : report_(report), merged_(merged) {}

  void file(const Node& root) { section(root, schema().section("file")); }

 private:
  void section(const Node& node, const Section& section) {
    for (const Entry& e : node.entries) {
      const Key* key = section.find(e.key);
      if (key == nullptr) {
        if (section.extensions && e.key.rfind("x-", 0) == 0) continue;
        unknown(e, section);
        continue;
      }
      const auto step = path_.enter(e.key);
      if (path_.depth() == 1) check_names(e);
      walk(e.value, key->shape);
    }
    if (!merged_) return;
    for (const Key& key : section.keys) {
      if (key.required && node.find(key.name) == nullptr) {
        report_.error(node.place,
                      fmt::format("{} missing property '{}'", path_.plain_text(), key.name));
      }
    }
  }

  void unknown(const Entry& e, const Section& section) {
    if (merged_) return;
    const std::string at = path_.plain_text();
    report_.error(
        e.key_place,
        fmt::format("{}{}additional properties '{}' not allowed", at, at.empty() ? "" : " ", e.key),
        did_you_mean(e.key, section.key_names()));
  }

  // The keys of services, networks, volumes, configs, secrets and models are names.
  void check_names(const Entry& e) {
    if (merged_ || !e.value.is_map() || e.key.rfind("x-", 0) == 0) return;
    for (const Entry& object : e.value.entries) {
      const bool good = !object.key.empty() &&
                        object.key.find_first_not_of(
                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
                            std::string::npos;
      if (good) continue;
      report_.error(object.key_place,
                    fmt::format("{} additional properties '{}' not allowed", e.key, object.key),
                    "a name consists of letters, digits, '.', '_' and '-'");
    }
  }

  void walk(const Node& node, const Shape& shape) {
    if (node.tag == Node::Tag::kReset) return;
    if (node.is_null() && !merged_) return;
    const auto it = std::find_if(shape.begin(), shape.end(),
                                 [&](const Alternative& a) { return matches(node, a); });
    if (it == shape.end()) return wrong_kind(node, shape);
    if (it->kind == AKind::kSection) return section(node, *it->section);
    if (it->kind == AKind::kMap && it->item != nullptr) {
      for (const Entry& e : node.entries) {
        const auto step = path_.enter(e.key);
        walk(e.value, *it->item);
      }
    } else if (it->kind == AKind::kList && it->item != nullptr) {
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        const auto step = path_.enter(i);
        walk(node.items[i], *it->item);
      }
    } else if (!merged_ && it->kind == AKind::kString && !it->choices.empty()) {
      choice(node, it->choices);
    }
  }

  void wrong_kind(const Node& node, const Shape& shape) {
    std::string hint;
    const bool wants_string = std::any_of(
        shape.begin(), shape.end(), [](const Alternative& a) { return a.kind == AKind::kString; });
    if (wants_string && node.is_scalar() && !node.is_null()) {
      hint = fmt::format("write it in quotes: \"{}\"", node.text);
    }
    report_.error(node.place, fmt::format("{} must be a {}", path_.plain_text(), type_names(shape)),
                  hint);
  }

  void choice(const Node& node, const std::vector<std::string>& choices) {
    if (std::find(choices.begin(), choices.end(), node.text) != choices.end()) return;
    if (node.text.find('$') != std::string::npos) return;  // not interpolated
    std::string list;
    for (const std::string& c : choices) list += (list.empty() ? "'" : ", '") + c + "'";
    report_.error(node.place,
                  fmt::format("{} value must be {}{}", path_.plain_text(),
                              choices.size() > 1 ? "one of " : "", list),
                  did_you_mean(node.text, choices));
  }

  Report& report_;
  bool merged_;
  Path path_;
};

}  // namespace

void validate_file(const Node& root, Report& report) { Validator(report, false).file(root); }
void validate_merged(const Node& root, Report& report) { Validator(report, true).file(root); }

}  // namespace stack::compose
