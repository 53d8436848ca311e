// How explanations look.
#include "compose/explain.h"

#include <fmt/core.h>

#include "compose/json.h"
#include "compose/node.h"

namespace stack::compose {
namespace {

const char* name_of(ValueOrigin::Kind kind) {
  switch (kind) {
    case ValueOrigin::Kind::kFile:
      return "file";
    case ValueOrigin::Kind::kEnvFile:
      return "env-file";
    case ValueOrigin::Kind::kEnvironment:
      return "environment";
    case ValueOrigin::Kind::kDefault:
      return "default";
    case ValueOrigin::Kind::kReset:
      return "reset";
  }
  return "";
}

std::string place_text(const ValueOrigin& o) {
  switch (o.kind) {
    case ValueOrigin::Kind::kEnvironment:
      return "the environment";
    case ValueOrigin::Kind::kDefault:
      return "no file: a default";
    default:
      break;
  }
  std::string out = fmt::format("{}:{}", o.where.file, o.where.line);
  if (o.where.column > 0) out += fmt::format(":{}", o.where.column);
  return out;
}

std::string one_line(const std::string& text) {
  constexpr std::size_t kLong = 100;
  std::string out = text.substr(0, text.find('\n'));
  if (out.size() > kLong) out.resize(kLong);
  return out.size() < text.size() ? out + " ..." : out;
}

void put(std::string& out, const char* what, const ValueOrigin& o) {
  out += fmt::format("  {:<8} {}", what, place_text(o));
  if (!o.written.empty()) out += fmt::format("  {}", one_line(o.written));
  if (!o.value.empty() && o.value != o.written) {
    out += fmt::format("{}{}", o.written.empty() ? "  " : " = ", one_line(o.value));
  }
  out += '\n';
  for (const std::string& step : o.chain) out += fmt::format("  {:<8}   {}\n", "", step);
}

Node origin_node(const ValueOrigin& o) {
  Node n = Node::map();
  n.set("kind", Node::string(name_of(o.kind)));
  n.set("file", Node::string(o.where.file));
  n.set("line", Node::integer(o.where.line));
  n.set("column", Node::integer(o.where.column));
  n.set("value", Node::string(o.value));
  n.set("written", Node::string(o.written));
  Node chain = Node::list();
  for (const std::string& step : o.chain) chain.items.push_back(Node::string(step));
  n.set("chain", std::move(chain));
  return n;
}

}  // namespace

std::string to_text(const std::vector<Explanation>& explanations) {
  std::string out;
  for (const Explanation& x : explanations) {
    out += x.set ? fmt::format("{} = {}\n", x.subject, one_line(x.value))
                 : fmt::format("{} is not set\n", x.subject);
    for (std::size_t i = 0; i < x.origins.size(); ++i) {
      const ValueOrigin& o = x.origins[i];
      put(out, o.kind == ValueOrigin::Kind::kReset ? "removed" : i == 0 ? "set" : "over", o);
      if (i > 0) continue;
      for (const UsedVariable& v : x.variables) {
        out += fmt::format(
            "             {} {}\n", v.name,
            v.set ? fmt::format("= {}, from {}", one_line(v.value), place_text(v.origin))
                  : "is not set");
      }
    }
    for (const auto& [path, use] : x.uses) {
      out += fmt::format("  used     {}  {}: {}\n", place_text(use), path, one_line(use.value));
    }
  }
  return out;
}

std::string to_json(const std::vector<Explanation>& explanations) {
  Node list = Node::list();
  for (const Explanation& x : explanations) {
    Node n = Node::map();
    n.set("subject", Node::string(x.subject));
    n.set("set", Node::boolean(x.set));
    n.set("value", Node::string(x.value));
    Node origins = Node::list();
    for (const ValueOrigin& o : x.origins) origins.items.push_back(origin_node(o));
    n.set("origins", std::move(origins));
    Node variables = Node::list();
    for (const UsedVariable& v : x.variables) {
      Node variable = Node::map();
      variable.set("name", Node::string(v.name));
      variable.set("set", Node::boolean(v.set));
      variable.set("value", Node::string(v.value));
      if (v.set) variable.set("origin", origin_node(v.origin));
      variables.items.push_back(std::move(variable));
    }
    n.set("variables", std::move(variables));
    Node uses = Node::list();
    for (const auto& [path, use] : x.uses) {
      Node u = origin_node(use);
      u.set("path", Node::string(path));
      uses.items.push_back(std::move(u));
    }
    n.set("uses", std::move(uses));
    list.items.push_back(std::move(n));
  }
  return print_json(list, 2) + "\n";
}

}  // namespace stack::compose
