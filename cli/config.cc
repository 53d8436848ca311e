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
#include "cli/terminal.h"
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
    {"format", 0, FlagType::kString, "Format the output. Values: [yaml | json]"},
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

const std::string& name_of(const std::string& name) { return name; }
template <typename T>
const std::string& name_of(const std::pair<const std::string, T>& entry) {
  return entry.first;
}

template <typename Names>
std::string key_lines(const Names& names) {
  std::string out;
  for (const auto& name : names) out += name_of(name) + '\n';
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

Result<std::string> variables(const compose::LoadOptions& options, const std::string& format) {
  const auto found = compose::variables(options);
  if (const auto* errors = std::get_if<compose::LoadErrors>(&found)) return rendered(*errors);
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
    return out.text() + "\n\n";  // as Docker Compose ends it
  }
  std::vector<Row> rows{{"NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE"}};
  for (const compose::Variable& variable : list) {
    rows.push_back({variable.name, variable.required ? "true" : "false", variable.default_value,
                    variable.presence_value});
  }
  return render_table(rows, 20);
}

std::string images(const compose::Project& project) {
  std::string out;
  for (const auto& [name, service] : project.services) {
    out +=
        (service.image.empty() ? fmt::format("{}-{}", project.name, name) : service.image) + '\n';
  }
  return out;
}

std::string profiles(const compose::Project& project) {
  std::set<std::string> found;
  for (const auto* services : {&project.services, &project.disabled_services}) {
    for (const auto& [name, service] : *services)
      found.insert(service.profiles.begin(), service.profiles.end());
  }
  return key_lines(found);
}

// The lists, one of which is printed in place of the project: as Compose, services that are named
// restrict only some of them, and only one of them reads the services' environment files.
struct Aspect {
  const char* flag;
  bool of_named;
  bool of_environment;
  std::string (*text)(const compose::Project&);
};
constexpr Aspect kAspects[] = {
    {"services", false, false,
     [](const compose::Project& p) { return lines(dependency_order(p)); }},
    {"volumes", false, false, [](const compose::Project& p) { return key_lines(p.volumes); }},
    {"networks", false, false, [](const compose::Project& p) { return key_lines(p.networks); }},
    {"models", false, false,
     [](const compose::Project& p) {
       std::string out;
       for (const auto& [name, model] : p.models) out += model.model + '\n';
       return out;
     }},
    {"profiles", true, false, profiles},
    {"images", true, false, images},
    {"environment", true, true,
     [](const compose::Project& p) {
       std::string out;
       for (const auto& [name, value] : p.environment) out += fmt::format("{}={}\n", name, value);
       return out;
     }},
};

// The project; the services that are named alone are one of their own, in `selected`.
Result<const compose::Project*> load(Context& context, const compose::LoadOptions& options,
                                     compose::Project& selected) {
  compose::LoadOptions all = options;
  all.all_resources = options.all_resources || !options.services.empty();
  const compose::Project* project = TRY(context.load(all));
  if (options.services.empty()) return project;
  TRY(check_services(*project, options.services));
  selected = *project;
  compose::select_services(selected, options.services);
  return &selected;
}

DigestLookup digests(Context& context) {
  return [&context](const std::string& reference) -> Result<std::string> {
    const Engine* engine = TRY(context.engine());
    const Response answer =
        TRY(engine->http().request("GET", fmt::format("{}/distribution/{}/json", kApi, reference)));
    if (!answer.ok()) {
      const std::string message = json_member(answer.body, "message");
      return Error::not_found(fmt::format("the digest of {} is not known: {}", reference,
                                          message.empty() ? "the engine did not say why" : message))
          .fix(
              "Write the digest into the file (image: NAME@sha256:...), or check the name and the "
              "registry.");
    }
    return distribution_digest(answer.body);
  };
}

// Only the images: an override file that pins them.
compose::Project images_only(const compose::Project& project) {
  compose::Project out;
  for (const auto& [name, service] : project.services) {
    compose::Service image;
    image.image = service.image;
    out.services.emplace(name, std::move(image));
  }
  return out;
}

Result<std::string> whole(Context& context, const Arguments& args,
                          const compose::LoadOptions& options) {
  const std::string format = args.text("format");
  const bool json = format == "json";
  const bool lock = args.on("lock-image-digests");
  const bool resolve = lock || args.on("resolve-image-digests");
  if (!options.interpolate) {
    if (resolve) {
      return Error::invalid("images cannot be resolved to digests without interpolation")
          .fix("Leave out --no-interpolate.");
    }
    auto document =
        compose::load_document(options, json ? compose::Format::kJson : compose::Format::kYaml);
    if (const auto* errors = std::get_if<compose::LoadErrors>(&document)) return rendered(*errors);
    return std::get<std::string>(std::move(document));
  }
  compose::Project own;
  const compose::Project* project = TRY(load(context, options, own));
  if (resolve) {
    if (project != &own) own = *project;
    TRY(pin_images(own, digests(context)));
    if (lock) own = images_only(own);
    project = &own;
  }
  return json ? compose::to_docker_json(*project) : compose::to_yaml(*project);
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

Result<int> config(Context& context, const Arguments& args) {
  compose::LoadOptions options = context.load_options(args.positional);
  options.interpolate = !args.on("no-interpolate");
  options.normalize = !args.on("no-normalize") && !context.globals().compatibility;
  options.resolve_paths = !args.on("no-path-resolution");
  options.consistency = !args.on("no-consistency");
  const std::string format = args.text("format");
  if (args.on("diagnostics")) return diagnostics(std::move(options), format);
  if (args.given("explain")) {
    print(TRY(explanation(context, options, args.text("explain"), format)));
    return 0;
  }

  for (const Aspect& aspect : kAspects) {
    if (!args.on(aspect.flag)) continue;
    if (!aspect.of_named) options.services.clear();
    options.read_env_files = aspect.of_environment;
    compose::Project selected;
    print(aspect.text(*TRY(load(context, options, selected))));
    return 0;
  }
  if (args.given("hash")) {
    options.services.clear();
    const compose::Project* project = TRY(context.load(options));
    print(TRY(hashes(*project, args.text("hash"))));
    return 0;
  }
  if (args.on("variables")) {
    print(TRY(variables(options, format)));
    return 0;
  }
  if (!format.empty() && format != "json" && format != "yaml") {
    return Error::invalid(fmt::format("unsupported format \"{}\"", format))
        .fix("Use yaml or json.");
  }
  const std::string text = TRY(whole(context, args, options));
  if (args.on("quiet")) return 0;
  if (const std::string path = args.text("output"); !path.empty()) {
    TRY_WHILE(replace_file(path, text), "writing the configuration");
  } else {
    print(text);
    // Docker Compose ends JSON without a line end, also on terminals.
    if (!text.ends_with('\n') && is_terminal(STDOUT_FILENO)) print("\n");
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
