#include "cli/template.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "cli/template_functions.h"
#include "cli/template_tree.h"

namespace stack::cli {

namespace {

bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

bool one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Members of Docker's documents whose keys are data.
bool is_map_member(std::string_view name) {
  return one_of(name, {"Labels",       "Options",        "Networks",    "Ports",
                       "Volumes",      "Sysctls",        "DriverOpts",  "Tmpfs",
                       "ExposedPorts", "Containers",     "Annotations", "PortBindings",
                       "StorageOpt",   "Config.Options", "Data",        "AuxiliaryAddresses",
                       "Attributes",   "Services",       "Peers",       "GenericResources"});
}

// Members of Docker's documents that are lists, and null when empty.
bool is_list_member(std::string_view name) {
  return one_of(name, {"Binds",
                       "CapAdd",
                       "CapDrop",
                       "Cmd",
                       "Entrypoint",
                       "Env",
                       "OnBuild",
                       "Shell",
                       "Dns",
                       "DnsOptions",
                       "DnsSearch",
                       "ExtraHosts",
                       "GroupAdd",
                       "Links",
                       "SecurityOpt",
                       "VolumesFrom",
                       "Devices",
                       "DeviceRequests",
                       "DeviceCgroupRules",
                       "Ulimits",
                       "Mounts",
                       "ExecIDs",
                       "Aliases",
                       "DNSNames",
                       "MaskedPaths",
                       "ReadonlyPaths",
                       "RepoTags",
                       "RepoDigests",
                       "BlkioWeightDevice",
                       "Args",
                       "BlkioDeviceReadBps",
                       "BlkioDeviceWriteBps",
                       "BlkioDeviceReadIOps",
                       "BlkioDeviceWriteIOps",
                       "SecondaryIPAddresses",
                       "SecondaryIPv6Addresses"});
}

TemplateValue member_value(std::string_view name, const Json& json) {
  TemplateValue out{json, is_map_member(name)};
  if (json.is_null() && out.is_map) {
    out.json = Json::object();
    out.is_nil = true;
  } else if (json.is_null() && is_list_member(name)) {
    out.json = Json::array();
    out.is_nil = true;
  }
  return out;
}

struct Variable {
  std::string name;
  TemplateValue value;
};

// What a list of nodes asks of the loop around it.
enum class Flow { kOn, kBreak, kContinue };

class Execution {
 public:
  explicit Execution(const TemplateData& data) : data_(data) {
    variables_.push_back({"$", TemplateValue{*data.dot}});
  }

  Result<Flow> run(const std::vector<TemplateNode>& nodes, const TemplateValue& dot) {
    for (const TemplateNode& node : nodes) {
      auto flow = step(node, dot);
      if (!flow.ok()) {
        Error error = std::move(flow).error();
        if (!error.message.starts_with("template: ")) {
          error.message = fmt::format("template: :{}:{}: executing \"\": {}", node.line,
                                      node.column, error.message);
        }
        return error;
      }
      if (*flow != Flow::kOn) return *flow;
    }
    return Flow::kOn;
  }

  std::string output;

 private:
  Result<Flow> step(const TemplateNode& node, const TemplateValue& dot) {
    switch (node.kind) {
      case TemplateNode::Kind::kText:
        output += node.text;
        return Flow::kOn;
      case TemplateNode::Kind::kBreak:
        return Flow::kBreak;
      case TemplateNode::Kind::kContinue:
        return Flow::kContinue;
      case TemplateNode::Kind::kAction: {
        const TemplateValue value = TRY(pipeline(node.pipeline, dot));
        if (node.pipeline.variables.empty()) output += template_text(value);
        return Flow::kOn;
      }
      default:
        break;
    }
    const std::size_t scope = variables_.size();
    auto flow = node.kind == TemplateNode::Kind::kRange ? range(node, dot) : choice(node, dot);
    variables_.resize(scope);
    return flow;
  }

  Result<Flow> choice(const TemplateNode& node, const TemplateValue& dot) {
    const TemplateValue value = TRY(pipeline(node.pipeline, dot));
    if (!template_truth(value)) return run(node.otherwise, dot);
    return run(node.body, node.kind == TemplateNode::Kind::kWith ? value : dot);
  }

  Result<Flow> range(const TemplateNode& node, const TemplateValue& dot) {
    TemplatePipeline source = node.pipeline;
    const std::vector<std::string> names = std::exchange(source.variables, {});
    const TemplateValue over = TRY(pipeline(source, dot));
    std::vector<std::pair<TemplateValue, TemplateValue>> items;
    if (over.json.is_array()) {
      for (const Json& item : over.json) items.push_back({{Json(items.size())}, {item}});
    } else if (over.json.is_object()) {
      for (const auto& [key, item] : over.json.items()) items.push_back({{Json(key)}, {item}});
      std::sort(items.begin(), items.end(),
                [](const auto& a, const auto& b) { return a.first.json < b.first.json; });
    } else if (over.json.is_number_integer()) {
      for (std::int64_t i = 0; i < over.json.get<std::int64_t>() && i < 1'000'000; ++i)
        items.push_back({{Json(i)}, {Json(i)}});
    } else if (!over.json.is_null()) {
      return Error::invalid(fmt::format("range can't iterate over {}", template_text(over)));
    }
    if (items.empty()) return run(node.otherwise, dot);
    const std::size_t scope = variables_.size();
    for (auto& [key, item] : items) {
      variables_.resize(scope);
      if (names.size() == 1) variables_.push_back({names[0], item});
      if (names.size() == 2) {
        variables_.push_back({names[0], key});
        variables_.push_back({names[1], item});
      }
      if (TRY(run(node.body, item)) == Flow::kBreak) break;
    }
    return Flow::kOn;
  }

  Result<TemplateValue> pipeline(const TemplatePipeline& pipeline, const TemplateValue& dot) {
    TemplateValue value;
    bool first = true;
    for (const auto& command : pipeline.commands) {
      value = TRY(evaluate(command, dot, first ? nullptr : &value));
      first = false;
    }
    for (const std::string& name : pipeline.variables) {
      if (pipeline.declares) {
        variables_.push_back({name, value});
        continue;
      }
      Variable* variable = find(name);
      if (variable == nullptr)
        return Error::invalid(fmt::format("undefined variable \"{}\"", name));
      variable->value = value;
    }
    return value;
  }

  Result<TemplateValue> evaluate(const std::vector<TemplateOperand>& command,
                                 const TemplateValue& dot, const TemplateValue* piped) {
    const TemplateOperand& head = command[0];
    if (head.kind != TemplateOperand::Kind::kFunction) {
      if (const auto method = TRY(call_method(command, dot))) return *method;
      if (command.size() > 1)
        return Error::invalid(fmt::format("can't give argument to non-function {}", head.source));
      return operand(head, dot);
    }
    if (head.name == "and" || head.name == "or") return logic(command, dot, piped);
    std::vector<TemplateValue> args;
    for (std::size_t i = 1; i < command.size(); ++i) args.push_back(TRY(operand(command[i], dot)));
    if (piped != nullptr) args.push_back(*piped);
    const bool whole_row = head.name == "json" && args.size() == 1 && !data_.dot_json.empty() &&
                           args[0].json == *data_.dot;
    TemplateValue value = whole_row ? TemplateValue{std::string(data_.dot_json)}
                                    : TRY(call_template_function(head.name, args));
    return fields(head, std::move(value));
  }

  Result<TemplateValue> logic(const std::vector<TemplateOperand>& command, const TemplateValue& dot,
                              const TemplateValue* piped) {
    const bool stop_at = command[0].name == "or";
    TemplateValue value;
    for (std::size_t i = 1; i < command.size(); ++i) {
      value = TRY(operand(command[i], dot));
      if (template_truth(value) == stop_at) return value;
    }
    if (piped != nullptr)
      value = *piped;
    else if (command.size() == 1)
      return Error::invalid(
          fmt::format("wrong number of args for {}: want at least 1 got 0", command[0].name));
    return value;
  }

  // {{.Label "x"}}: the first dot is a row that has methods.
  Result<std::optional<TemplateValue>> call_method(const std::vector<TemplateOperand>& command,
                                                   const TemplateValue& dot) {
    const TemplateOperand& head = command[0];
    const bool of_row = data_.method && head.fields.size() == 1 &&
                        (head.kind == TemplateOperand::Kind::kDot || head.name == "$");
    if (!of_row || command.size() < 2) return std::optional<TemplateValue>();
    std::vector<std::string> args;
    for (std::size_t i = 1; i < command.size(); ++i)
      args.push_back(template_text(TRY(operand(command[i], dot))));
    const auto answer = data_.method(head.fields[0], args);
    return answer ? std::optional(TemplateValue{Json(*answer)}) : std::nullopt;
  }

  Result<TemplateValue> operand(const TemplateOperand& operand, const TemplateValue& dot) {
    switch (operand.kind) {
      case TemplateOperand::Kind::kDot:
        return fields(operand, dot);
      case TemplateOperand::Kind::kVariable: {
        const Variable* variable = find(operand.name);
        if (variable == nullptr)
          return Error::invalid(fmt::format("undefined variable \"{}\"", operand.name));
        return fields(operand, variable->value);
      }
      case TemplateOperand::Kind::kLiteral:
        return fields(operand, TemplateValue{operand.literal});
      case TemplateOperand::Kind::kFunction:
        return fields(operand, TRY(call_template_function(operand.name, {})));
      case TemplateOperand::Kind::kPipeline:
        return fields(operand, TRY(pipeline(*operand.pipeline, dot)));
    }
    return TemplateValue{};
  }

  static Result<TemplateValue> fields(const TemplateOperand& operand, TemplateValue value) {
    for (const std::string& name : operand.fields) value = TRY(field(operand, value, name));
    return value;
  }

  static Result<TemplateValue> field(const TemplateOperand& operand, const TemplateValue& in,
                                     const std::string& name) {
    if (in.json.is_null()) {
      return Error::invalid(
          fmt::format("at <{}>: nil data; no entry for key \"{}\"", operand.source, name));
    }
    if (!in.json.is_object()) {
      return Error::invalid(fmt::format("at <{}>: can't evaluate field {} in type {}",
                                        operand.source, name, in.json.type_name()));
    }
    if (const auto found = in.json.find(name); found != in.json.end())
      return member_value(name, *found);
    if (in.is_map) return TemplateValue{nullptr, false, true};
    // Go's names of members differ from those in JSON by capitals: ID and Id.
    std::string known;
    for (const auto& [key, value] : in.json.items()) {
      if (same_letters(key, name)) return member_value(key, value);
      known += (known.empty() ? "" : ", ") + key;
    }
    return Error::invalid(fmt::format("at <{}>: can't evaluate field {}", operand.source, name))
        .fix(known.empty() ? "There are no fields here." : "Fields: " + known + ".");
  }

  Variable* find(const std::string& name) {
    const auto found = std::find_if(variables_.rbegin(), variables_.rend(),
                                    [&name](const Variable& v) { return v.name == name; });
    return found != variables_.rend() ? &*found : nullptr;
  }

  const TemplateData& data_;
  std::vector<Variable> variables_;
};

}  // namespace

Result<Template> Template::parse(std::string_view text) {
  Template out;
  out.nodes_ = std::make_shared<const std::vector<TemplateNode>>(TRY(parse_template(text)));
  return out;
}

Result<std::string> Template::execute(const TemplateData& data) const {
  Execution execution(data);
  TRY(execution.run(*nodes_, TemplateValue{*data.dot}));
  return std::move(execution.output);
}

}  // namespace stack::cli
