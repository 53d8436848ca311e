#include "compose/substitute.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "compose/path.h"
#include "compose/scalar.h"
#include "compose/schema.h"
#include "compose/trace.h"
#include "compose/units.h"

namespace stack::compose {
namespace {

const Alternative* first_of(const Shape* shape, std::initializer_list<Alternative::Kind> kinds) {
  if (shape == nullptr) return nullptr;
  for (const Alternative& a : *shape) {
    for (const Alternative::Kind k : kinds) {
      if (a.kind == k) return &a;
    }
  }
  return nullptr;
}

const Alternative* cast_of(const Shape* shape) {
  if (shape == nullptr) return nullptr;
  for (const Alternative& a : *shape) {
    if (a.cast) return &a;
  }
  return nullptr;
}

class Substitution {
 public:
  Substitution(const Lookup* lookup, Report& report) : lookup_(lookup), report_(report) {}

  void file(Node& root) { section(root, schema().section("file")); }

 private:
  using Kind = Alternative::Kind;

  void section(Node& node, const Section& section) {
    for (Entry& e : node.entries) {
      const auto step = path_.enter(e.key);
      const Key* key = section.find(e.key);
      walk(e.value, key != nullptr ? &key->shape : nullptr);
    }
  }

  void walk(Node& node, const Shape* shape) {
    if (node.is_map()) {
      const Alternative* a = first_of(shape, {Kind::kSection, Kind::kMap});
      if (a != nullptr && a->kind == Kind::kSection) return section(node, *a->section);
      for (Entry& e : node.entries) {
        const auto step = path_.enter(e.key);
        walk(e.value, a != nullptr ? a->item : nullptr);
      }
    } else if (node.is_list()) {
      const Alternative* a = first_of(shape, {Kind::kList});
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        const auto step = path_.enter(i);
        walk(node.items[i], a != nullptr ? a->item : nullptr);
      }
    } else if (node.is_string()) {
      if (lookup_ != nullptr && node.text.find('$') != std::string::npos && !replace(node)) return;
      if (const Alternative* a = cast_of(shape)) cast(node, *a);
    }
  }

  bool replace(Node& node) {
    Interpolated r = interpolate(node.text, *lookup_);
    if (r.error) {
      const Place at = dollar_place(node, r.error->offset);
      if (r.error->kind == InterpolationError::Kind::kRequired) {
        report_.error(
            at, fmt::format("error while interpolating {}: {}", path_.text(), r.error->message),
            "set it in the environment or in .env", "required-variable");
      } else {
        report_.error(
            at,
            fmt::format("invalid interpolation format for {}.\nYou may need to escape any "
                        "$ with another $.\n{}",
                        path_.text(), node.text),
            {}, "bad-interpolation");
      }
      node.tag = Node::Tag::kBroken;
      return false;
    }
    for (const UnsetVariable& u : r.unset) unset(node, u);
    total_ += r.text.size();
    if (total_ > kMaxText) {
      report_.error(
          node.place,
          fmt::format("the variables of this file expand to more than {} MiB", kMaxText >> 20U), {},
          "too-large");
      lookup_ = nullptr;  // once is enough
      return false;
    }
    if (Trace* trace = report_.trace()) {
      trace->interpolated({path_.text(), node.place, node.text});
    }
    node.text = std::move(r.text);
    return true;
  }

  void unset(const Node& node, const UnsetVariable& u) {
    const std::string path = path_.text();
    const bool for_a_shell = path.find(".command") != std::string::npos ||
                             path.find(".entrypoint") != std::string::npos ||
                             path.find(".healthcheck.test") != std::string::npos;
    report_.warning(
        dollar_place(node, u.offset),
        fmt::format("The \"{}\" variable is not set. Defaulting to a blank string.", u.name),
        for_a_shell ? fmt::format("for the container's own ${} write $${}", u.name, u.name)
                    : fmt::format("set it, or say what it is without: ${{{}:-default}}", u.name),
        "unset-variable");
  }

  // The place of the $ at `offset` of a scalar's text. Escapes and folded lines shift the rest of a
  // text, but the number of the $ stays.
  Place dollar_place(const Node& node, std::size_t offset) const {
    const auto begin = report_.sources().offset(node.place);
    if (!begin) return node.place;
    const std::string& text = report_.sources().file(node.place.file)->text;
    auto number = std::count(node.text.begin(), node.text.begin() + static_cast<long>(offset), '$');
    std::size_t at = text.find('$', *begin);
    while (number-- > 0 && at != std::string::npos) at = text.find('$', at + 1);
    if (at == std::string::npos) return node.place;
    return report_.sources().place(node.place.file, at);
  }

  void cast(Node& node, const Alternative& a) {
    // Without interpolation a variable stays what it is.
    if (lookup_ == nullptr && node.text.find('$') != std::string::npos) return;
    if (a.kind == Kind::kBool) {
      bool old_style = false;
      const auto value = parse_boolean(node.text, &old_style);
      if (!value) {
        report_.error(node.place,
                      fmt::format("error while interpolating {}: failed to cast to "
                                  "expected type: invalid boolean: {}",
                                  path_.text(), node.text),
                      "use true or false", "wrong-type");
        node.tag = Node::Tag::kBroken;
        return;
      }
      if (old_style) {
        report_.warning(
            node.place,
            fmt::format("\"{}\" for boolean is not supported by YAML 1.2, please use `{}`",
                        node.text, *value ? "true" : "false"),
            {}, "old-boolean");
      }
      node = keep_tag(node, Node::boolean(*value, node.place));
      return;
    }
    const char* begin = node.text.data();
    const char* end = begin + node.text.size();
    if (begin != end && *begin == '+') ++begin;
    if (a.kind == Kind::kInt) {
      std::int64_t value = 0;
      const auto r = std::from_chars(begin, end, value);
      if (r.ec == std::errc() && r.ptr == end) {
        node = keep_tag(node, Node::integer(value, node.place));
        return;
      }
    } else {
      double value = 0;
      const auto r = std::from_chars(begin, end, value);
      if (r.ec == std::errc() && r.ptr == end) {
        node = keep_tag(node, Node::scalar(Node::Kind::kFloat, float_text(value), node.place));
        return;
      }
    }
    report_.error(
        node.place,
        fmt::format("error while interpolating {}: failed to cast to expected type: "
                    "strconv.{}: parsing \"{}\": invalid syntax",
                    path_.text(), a.kind == Kind::kInt ? "Atoi" : "ParseFloat", node.text),
        fmt::format("{} is a number", path_.text()), "wrong-type");
    node.tag = Node::Tag::kBroken;
  }

  static Node keep_tag(const Node& old, Node value) {
    value.tag = old.tag;
    return value;
  }

  // Variables that hold variables could fill the memory.
  static constexpr std::size_t kMaxText = 64U << 20U;

  const Lookup* lookup_;
  Report& report_;
  Path path_;
  std::size_t total_ = 0;
};

}  // namespace

void substitute(Node& root, const Lookup& lookup, Report& report) {
  Substitution(&lookup, report).file(root);
}

void cast_values(Node& root, Report& report) { Substitution(nullptr, report).file(root); }

}  // namespace stack::compose
