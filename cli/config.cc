// config: the resolved project, or one aspect of it.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <set>

#include "base/files.h"
#include "cli/format.h"
#include "cli/image_digests.h"
#include "cli/json_text.h"
#include "cli/verbs.h"
#include "compose/config_hash.h"
#include "compose/explain.h"
#include "compose/loader.h"
#include "compose/render.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kFlags[] = {
    {"diagnostics", 0, FlagType::kBool,
     "Print all errors, warnings and notes; for editors with --format json"},
    {"environment", 0, FlagType::kBool, "Print environment used for interpolation."},
    {"explain", 0, FlagType::kString,
     "Print where the value at a path (services.web.ports[0]) or of a variable comes from"},
    {"format", 0, FlagType::kString, "Format the output. Values: [yaml | json]", "yaml"},
    {"hash", 0, FlagType::kString, "Print the service config hash, one per line."},
    {"images", 0, FlagType::kBool, "Print the image names, one per line."},
    {"lock-image-digests", 0, FlagType::kBool, "Produces an override file with image digests"},
    {"models", 0, FlagType::kBool, "Print the model names, one per line."},
    {"networks", 0, FlagType::kBool, "Print the network names, one per line."},
    {"no-consistency", 0, FlagType::kBool,
     "Don't check model consistency - warning: may produce invalid Compose output"},
    {"no-env-resolution", 0, FlagType::kBool, "Don't resolve service env files"},
    {"no-interpolate", 0, FlagType::kBool, "Don't interpolate environment variables"},
    {"no-normalize", 0, FlagType::kBool, "Don't normalize compose model"},
    {"no-path-resolution", 0, FlagType::kBool, "Don't resolve file paths"},
    {"output", 'o', FlagType::kString, "Save to file (default to stdout)"},
    {"profiles", 0, FlagType::kBool, "Print the profile names, one per line."},
    {"quiet", 'q', FlagType::kBool, "Only validate the configuration, don't print anything"},
    {"resolve-image-digests", 0, FlagType::kBool, "Pin image tags to digests"},
    {"services", 0, FlagType::kBool, "Print the service names, one per line."},
    {"variables", 0, FlagType::kBool, "Print model variables and default values."},
    {"volumes", 0, FlagType::kBool, "Print the volume names, one per line."},
};

// Dependencies before those who depend on them, otherwise by name.
std::vector<std::string> dependency_order(const compose::Project& project) {
  std::vector<std::string> out;
  std::set<std::string> seen;
  const std::function<void(const std::string&)> visit = [&](const std::string& name) {
    const auto service = project.services.find(name);
    if (service == project.services.end() || !seen.insert(name).second) return;
    for (const auto& [dependency, how] : service->second.depends_on) visit(dependency);
    out.push_back(name);
  };
  for (const auto& [name, service] : project.services) visit(name);
  return out;
}

std::string lines(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += text + '\n';
  return out;
}

template <typename Map>
std::string key_lines(const Map& map) {
  std::string out;
  for (const auto& [name, value] : map) out += name + '\n';
  return out;
}

Result<std::string> hashes(const compose::Project& project, const std::string& which) {
  std::string out;
  std::set<std::string> wanted;
  for (std::size_t start = 0; which != "*" && start <= which.size();) {
    const std::size_t comma = std::min(which.find(',', start), which.size());
    wanted.insert(which.substr(start, comma - start));
    start = comma + 1;
  }
  TRY(check_services(project, {wanted.begin(), wanted.end()}));
  for (const auto& [name, service] : project.services) {
    if (which == "*" || wanted.contains(name))
      out += fmt::format("{} {}\n", name, compose::config_hash(service));
  }
  return out;
}

Result<std::string> variables(Context& context, const compose::LoadOptions& options,
                              const std::string& format) {
  const auto found = compose::variables(options);
  if (std::holds_alternative<compose::LoadErrors>(found)) {
    TRY(context.load(options));  // reports the same errors, rendered
    return std::string();
  }
  const auto& list = std::get<std::vector<compose::Variable>>(found);
  if (format == "json") {
    JsonObject out;
    for (const compose::Variable& variable : list) {
      out.add_json(variable.name, JsonObject()
                                      .add("Name", variable.name)
                                      .add("DefaultValue", variable.default_value)
                                      .add("PresenceValue", variable.presence_value)
                                      .add("Required", variable.required)
                                      .text());
    }
    return out.text() + '\n';
  }
  std::vector<Row> rows{{"NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE"}};
  for (const compose::Variable& variable : list) {
    rows.push_back({variable.name, variable.required ? "true" : "false", variable.default_value,
                    variable.presence_value});
  }
  return render_table(rows, 20);
}

Result<std::string> aspect(const Arguments& args, const compose::Project& project) {
  if (args.on("services")) return lines(dependency_order(project));
  if (args.on("volumes")) return key_lines(project.volumes);
  if (args.on("networks")) return key_lines(project.networks);
  if (args.on("models")) return std::string();  // the file has none: it would have been refused
  if (args.given("hash")) return hashes(project, args.text("hash"));
  if (args.on("images")) {
    std::string out;
    for (const auto& [name, service] : project.services) {
      out +=
          (service.image.empty() ? fmt::format("{}-{}", project.name, name) : service.image) + '\n';
    }
    return out;
  }
  if (args.on("profiles")) {
    std::set<std::string> profiles;
    for (const auto* services : {&project.services, &project.disabled_services}) {
      for (const auto& [name, service] : *services)
        profiles.insert(service.profiles.begin(), service.profiles.end());
    }
    return lines({profiles.begin(), profiles.end()});
  }
  if (args.on("environment")) {
    std::string out;
    for (const auto& [name, value] : project.environment)
      out += fmt::format("{}={}\n", name, value);
    return out;
  }
  const std::string format = args.text("format");
  if (format == "json") return compose::to_json(project);
  if (format == "yaml" || format.empty()) return compose::to_yaml(project);
  return Error::invalid(fmt::format("unsupported format \"{}\"", format)).fix("Use yaml or json.");
}

// Everything that there is to say about the files, on standard output; 1 when they have errors.
Result<int> diagnostics(compose::LoadOptions options, const std::string& format) {
  options.lint = true;
  const auto loaded = compose::load(options);
  const auto* errors = std::get_if<compose::LoadErrors>(&loaded);
  const std::vector<compose::Diagnostic>& all =
      errors != nullptr ? *errors : std::get<compose::LoadResult>(loaded).warnings;
  print(format == "json" ? compose::to_json(all)
                         : compose::render(all, compose::Diagnostic::Severity::kNote));
  return errors != nullptr ? 1 : 0;
}

Result<std::string> explanation(Context& context, const compose::LoadOptions& options,
                                const std::string& subject, const std::string& format) {
  const auto found = compose::explain(options, subject);
  if (const auto* errors = std::get_if<compose::LoadErrors>(&found)) {
    TRY(context.load(options));  // reports the same errors, rendered
    return Error::not_found(errors->back().message).fix(errors->back().hint);
  }
  const auto& list = std::get<std::vector<compose::Explanation>>(found);
  return format == "json" ? compose::to_json(list) : compose::to_text(list);
}

// The named services and what they depend on.
void keep_with_dependencies(compose::Project& project, const std::vector<std::string>& names) {
  std::set<std::string> keep;
  const std::function<void(const std::string&)> visit = [&](const std::string& name) {
    const auto service = project.services.find(name);
    if (service == project.services.end() || !keep.insert(name).second) return;
    for (const auto& [dependency, how] : service->second.depends_on) visit(dependency);
  };
  for (const std::string& name : names) visit(name);
  std::erase_if(project.services,
                [&keep](const auto& entry) { return !keep.contains(entry.first); });
}

Result<int> config(Context& context, const Arguments& args) {
  compose::LoadOptions options = context.load_options(args.positional);
  options.interpolate = !args.on("no-interpolate");
  options.normalize = !args.on("no-normalize");
  options.resolve_paths = !args.on("no-path-resolution");
  options.consistency = !args.on("no-consistency");
  options.resolve_environment = !args.on("no-env-resolution");
  // As Compose: profiles do not hide anything from --profiles.
  if (args.on("profiles")) options.profiles = {"*"};
  if (args.on("diagnostics")) return diagnostics(std::move(options), args.text("format"));
  std::string text;
  if (args.given("explain")) {
    text = TRY(explanation(context, options, args.text("explain"), args.text("format")));
  } else if (args.on("variables")) {
    text = TRY(variables(context, options, args.text("format")));
  } else {
    const compose::Project* project = TRY(context.load(options));
    TRY(check_services(*project, args.positional));
    if (args.on("quiet")) return 0;
    compose::Project selected = *project;
    if (!args.positional.empty()) keep_with_dependencies(selected, args.positional);
    const bool lock = args.on("lock-image-digests");
    if (lock || args.on("resolve-image-digests")) TRY(resolve_image_digests(context, selected));
    text = lock ? image_override(selected) : TRY(aspect(args, selected));
  }
  if (const std::string path = args.text("output"); !path.empty()) {
    TRY_WHILE(replace_file(path, text), "writing the configuration");
  } else {
    print(text);
  }
  return 0;
}

}  // namespace

constinit const Command kConfigCommand{"config",
                                       "[OPTIONS] [SERVICE...]",
                                       "Parse, resolve and render compose file in canonical format",
                                       kFlags,
                                       0,
                                       config,
                                       {},
                                       true,
                                       "convert"};

}  // namespace stack::cli
