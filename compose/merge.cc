#include "compose/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "compose/forms.h"
#include "compose/path.h"
#include "compose/trace.h"

namespace stack::compose {
namespace {

// What a place in the tree asks for; everywhere else maps are united, lists joined, scalars
// replaced.
enum class Rule {
  kNone,
  kReplace,
  kLines,         // both become lists of "KEY=value" and are joined
  kHosts,         // the same, without lines that are there already
  kBuild,         // a path is {context: path}
  kDependencies,  // names are maps with the short form's defaults
  kNames,         // names are maps without content
  kLogging,
  kPools,
};

struct RuleAt {
  std::string_view parent;  // below the object; empty: the attribute is the object's own
  std::string_view key;
  Rule rule;
};

constexpr RuleAt kServiceRules[] = {
    {"", "annotations", Rule::kLines},      {"", "build", Rule::kBuild},
    {"build", "args", Rule::kLines},        {"build", "additional_contexts", Rule::kLines},
    {"build", "extra_hosts", Rule::kHosts}, {"build", "labels", Rule::kLines},
    {"", "command", Rule::kReplace},        {"", "depends_on", Rule::kDependencies},
    {"deploy", "labels", Rule::kLines},     {"", "dns", Rule::kLines},
    {"", "dns_opt", Rule::kLines},          {"", "dns_search", Rule::kLines},
    {"", "entrypoint", Rule::kReplace},     {"", "env_file", Rule::kLines},
    {"", "label_file", Rule::kLines},       {"", "environment", Rule::kLines},
    {"", "extra_hosts", Rule::kHosts},      {"healthcheck", "test", Rule::kReplace},
    {"", "labels", Rule::kLines},           {"", "logging", Rule::kLogging},
    {"", "models", Rule::kNames},           {"", "networks", Rule::kNames},
    {"", "sysctls", Rule::kLines},          {"", "tmpfs", Rule::kLines},
};

std::string text_of(const Node& n, std::string_view key) {
  const Node* child = n.find(key);
  return child == nullptr || !child->is_scalar() ? "" : child->text;
}

void to_lines(Node& n) {
  if (n.is_list()) return;
  Node list = Node::list(n.place);
  if (n.is_string()) list.items.push_back(n);
  for (const Entry& e : n.entries) {
    const auto add = [&](const Node& value) {
      const std::string line = value.is_null() ? e.key : e.key + "=" + value.text;
      list.items.push_back(Node::string(line, value.place));
    };
    if (!e.value.is_list()) add(e.value);
    for (const Node& value : e.value.items) add(value);
  }
  std::stable_sort(list.items.begin(), list.items.end(),
                   [](const Node& a, const Node& b) { return a.text < b.text; });
  n = std::move(list);
}

class Merger {
 public:
  explicit Merger(Report& report) : report_(report) {}

  void file(Node& base, Node over) { map(base, std::move(over)); }
  void service(Node& base, Node over, std::string_view name) {
    const Step services(*this, "services");
    const Step step(*this, name);
    map(base, std::move(over));
  }

 private:
  struct Step {
    Step(Merger& merger, std::string_view key) : merger_(merger), step_(merger.path_.enter(key)) {
      merger_.keys_.push_back(key);
    }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    ~Step() { merger_.keys_.pop_back(); }
    Merger& merger_;
    Path::Step step_;
  };

  void map(Node& base, Node over) {
    const MapIndex index(base, over.entries.size());
    for (Entry& e : over.entries) {
      const auto old = index.find(base, e.key);
      if (!old) {
        base.entries.push_back(std::move(e));
        continue;
      }
      const Step step(*this, e.key);
      value(base.entries[*old].value, std::move(e.value));
    }
  }

  void put_over(Node& base, Node over) {
    if (Trace* trace = report_.trace()) {
      trace->lost(Trace::How::kOverridden, path_.text(), over.place, base);
    }
    base = std::move(over);
  }

  void value(Node& base, Node over) {
    const Rule rule = rule_here();
    if (rule == Rule::kReplace || base.is_null()) return put_over(base, std::move(over));
    if (over.is_null()) return;
    switch (rule) {
      case Rule::kLines:
        to_lines(base);
        to_lines(over);
        break;
      case Rule::kHosts:
        hosts(base, over);
        break;
      case Rule::kBuild:
        to_build(base);
        to_build(over);
        break;
      case Rule::kDependencies:
        to_names(base, started_dependency);
        to_names(over, started_dependency);
        break;
      case Rule::kNames:
        to_names(base, Node::null);
        to_names(over, Node::null);
        break;
      case Rule::kLogging:
        if (!base.is_map() || !over.is_map() || other_driver(base, over)) base = Node::null();
        break;
      case Rule::kPools:
        if (base.is_list() && over.is_list()) return pools(base, over);
        break;
      default:
        break;
    }
    join(base, std::move(over));
  }

  void join(Node& base, Node over) {
    if (base.is_scalar()) {
      put_over(base, std::move(over));
    } else if (base.is_map() && over.is_map()) {
      map(base, std::move(over));
    } else if (base.is_list() && over.is_list()) {
      for (Node& item : over.items) base.items.push_back(std::move(item));
    } else {
      report_.error(over.place, fmt::format("cannot override {}", path_.text()),
                    base.is_list() ? "a list stands there; write a list, or !override to replace it"
                                   : "a mapping stands there; write a mapping, or !override to "
                                     "replace it",
                    "cannot-merge");
    }
  }

  // What is neither list nor map has no names, as Docker Compose has it.
  void to_names(Node& n, const std::function<Node(Place)>& value) {
    names_to_map(&n, value);
    if (n.is_map()) return;
    report_.warning(n.place,
                    fmt::format("{} is ignored here: it is no list of names", path_.text()), {},
                    "wrong-type");
    n = Node::map(n.place);
  }

  static void hosts(Node& base, Node& over) {
    to_lines(base);
    to_lines(over);
    std::erase_if(over.items, [&](const Node& line) {
      return std::any_of(base.items.begin(), base.items.end(),
                         [&](const Node& b) { return b.text == line.text; });
    });
  }

  static void to_build(Node& n) {
    if (!n.is_string()) return;
    Node map = Node::map(n.place);
    map.set("context", Node::string(n.text, n.place));
    n = std::move(map);
  }

  static bool other_driver(const Node& base, const Node& over) {
    const std::string a = text_of(base, "driver");
    const std::string b = text_of(over, "driver");
    return !a.empty() && !b.empty() && a != b;
  }

  // Address pools are united by subnet. As Docker Compose has it, a pool of the base for which the
  // later file has none stays only when the later file's own are there already.
  void pools(Node& base, const Node& over) {
    std::vector<Node> out;
    const auto with_subnet = [&](const std::string& subnet) {
      return std::find_if(out.begin(), out.end(),
                          [&](const Node& n) { return text_of(n, "subnet") == subnet; });
    };
    for (Node& original : base.items) {
      for (const Node& change : over.items) {
        const std::string subnet = text_of(change, "subnet");
        if (subnet != text_of(original, "subnet") && with_subnet(subnet) == out.end()) {
          out.push_back(change);
          continue;
        }
        map(original, change);
        const auto there = with_subnet(text_of(original, "subnet"));
        if (there == out.end()) {
          out.push_back(original);
        } else {
          *there = original;
        }
      }
    }
    base.items = std::move(out);
  }

  Rule rule_here() const {
    if (keys_.size() < 3) return Rule::kNone;
    const std::string_view kind = keys_[0];
    const std::string_view key = keys_.back();
    if (kind == "networks" || kind == "volumes") {
      if (keys_.size() == 3 && key == "labels") return Rule::kLines;
      if (kind == "networks" && keys_.size() == 4 && keys_[2] == "ipam" && key == "config")
        return Rule::kPools;
    }
    if (kind != "services" || keys_.size() > 4) return Rule::kNone;
    const std::string_view parent = keys_.size() == 4 ? keys_[2] : "";
    if (parent == "ulimits") return Rule::kReplace;
    for (const RuleAt& r : kServiceRules) {
      if (r.key == key && r.parent == parent) return r.rule;
    }
    return Rule::kNone;
  }

  Report& report_;
  Path path_;
  std::vector<std::string_view> keys_;
};

void take(Node& n, std::vector<std::string_view>& way, bool in_list, Marks& marks) {
  for (Entry& e : n.entries) {
    way.push_back(e.key);
    if (e.value.tag != Node::Tag::kNone && !in_list) {
      const bool is_reset = e.value.tag == Node::Tag::kReset;
      marks.push_back({{way.begin(), way.end()}, is_reset ? e.key_place : e.value.place, is_reset});
    }
    // Inside what replaces everything there is nothing left to reset.
    if (e.value.tag == Node::Tag::kNone) take(e.value, way, in_list, marks);
    way.pop_back();
  }
  const auto reset = [](const Node& node) { return node.tag == Node::Tag::kReset; };
  std::erase_if(n.entries, [&](const Entry& e) { return reset(e.value); });
  std::erase_if(n.items, reset);
  for (Node& item : n.items) take(item, way, true, marks);
}

void erase_at(Node& n, const Mark& mark, std::size_t depth, Trace* trace) {
  Node* next = n.find(mark.keys[depth]);
  if (next == nullptr) return;
  if (depth + 1 < mark.keys.size()) return erase_at(*next, mark, depth + 1, trace);
  if (trace != nullptr) {
    trace->lost(mark.reset ? Trace::How::kReset : Trace::How::kOverridden,
                fmt::format("{}", fmt::join(mark.keys, ".")), mark.place, *next);
  }
  n.erase(mark.keys[depth]);
}

}  // namespace

Marks take_marks(Node& document) {
  Marks marks;
  std::vector<std::string_view> way;
  take(document, way, false, marks);
  return marks;
}

void erase_marked(Node& model, const Marks& marks, const Report& report) {
  for (const Mark& mark : marks) erase_at(model, mark, 0, report.trace());
}

void erase_marked(Node& service, std::string_view name, const Marks& marks, const Report& report) {
  for (const Mark& mark : marks) {
    const std::vector<std::string>& keys = mark.keys;
    if (keys.size() > 2 && keys[0] == "services" && keys[1] == name) {
      erase_at(service, mark, 2, report.trace());
    }
  }
}

void merge_file(Node& base, Node over, Report& report) {
  Merger(report).file(base, std::move(over));
}

void merge_service(Node& base, Node over, std::string_view name, Report& report) {
  Merger(report).service(base, std::move(over), name);
}

}  // namespace stack::compose
