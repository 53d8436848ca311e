// The kinds of values in the services of a file that others extend. Such a file is not validated as
// a whole, but what has short forms must be readable.
#include <fmt/core.h>

#include "compose/canonical.h"
#include "compose/forms.h"

namespace stack::compose {
namespace {

enum Kinds : unsigned { kAny = 0, kText = 1, kNumber = 2, kList = 4, kMap = 8 };

struct Form {
  std::string_view key;
  unsigned value;   // kinds of the attribute itself
  unsigned item;    // of the items of a list
  unsigned member;  // of the values of a map
};

constexpr Form kForms[] = {
    {"build", kText | kMap, kAny, kAny},
    {"configs", kAny, kText | kMap, kText | kMap},
    {"depends_on", kList | kMap, kText, kMap},
    {"devices", kAny, kText | kMap, kText | kMap},
    {"env_file", kText | kList, kAny, kAny},
    {"extends", kText | kMap, kAny, kAny},
    {"gpus", kText | kList, kAny, kAny},
    {"label_file", kAny, kText | kList, kText | kList},
    {"models", kAny, kText, kAny},
    {"networks", kAny, kText, kAny},
    {"ports", kList, kAny, kAny},
    {"secrets", kAny, kText | kMap, kText | kMap},
    {"ulimits", kAny, kNumber | kMap, kAny},
    {"volumes", kAny, kText | kMap, kText | kMap},
};

unsigned kind_of(const Node& n) {
  switch (n.kind) {
    case Node::Kind::kString:
      return kText;
    case Node::Kind::kInt:
      return kNumber;
    case Node::Kind::kList:
      return kList;
    case Node::Kind::kMap:
      return kMap;
    default:
      return 0;
  }
}

std::string names_of(unsigned kinds) {
  std::string out;
  const auto add = [&](Kinds kind, const char* name) {
    if ((kinds & kind) != 0) out += (out.empty() ? "" : " or ") + std::string(name);
  };
  add(kNumber, "integer");
  add(kText, "string");
  add(kList, "array");
  add(kMap, "mapping");
  return out;
}

class FormChecker {
 public:
  explicit FormChecker(Report& report) : report_(report) {}

  void file(Node& root) {
    each_object(root, path_, "services", [this](Node& service) {
      for (Entry& e : service.entries) {
        for (const Form& form : kForms) {
          if (form.key == e.key) attribute(e, form);
        }
      }
    });
  }

 private:
  void attribute(Entry& e, const Form& form) {
    const auto step = path_.enter(e.key);
    check(e.value, form.value);
    for (std::size_t i = 0; i < e.value.items.size(); ++i) {
      const auto inner = path_.enter(i);
      check(e.value.items[i], form.item);
    }
    for (Entry& member : e.value.entries) {
      const auto inner = path_.enter(member.key);
      check(member.value, form.member);
    }
  }

  void check(Node& n, unsigned kinds) {
    if (kinds == kAny || (kind_of(n) & kinds) != 0) return;
    report_.error(n.place, fmt::format("{} must be a {}", path_.text(), names_of(kinds)), {},
                  "wrong-type");
    n.tag = Node::Tag::kBroken;
  }

  Report& report_;
  Path path_;
};

}  // namespace

void check_forms(Node& root, Report& report) { FormChecker(report).file(root); }

}  // namespace stack::compose
