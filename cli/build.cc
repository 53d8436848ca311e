// build and pull.
#include <fmt/core.h>

#include <cstdlib>

#include "cli/project_run.h"
#include "cli/push.h"
#include "cli/verbs.h"
#include "compose/project.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kBuildFlags[] = {
    {"build-arg", 0, FlagType::kList, "Set build-time variables for services"},
    {"builder", 0, FlagType::kString, "", "", true},
    {"check", 0, FlagType::kBool, "", "", true},
    {"memory", 'm', FlagType::kString, "", "", true},
    {"no-cache", 0, FlagType::kBool, "Do not use cache when building the image"},
    {"print", 0, FlagType::kBool, "", "", true},
    {"progress", 0, FlagType::kString, "", "", true},
    {"provenance", 0, FlagType::kString, "", "", true},
    {"pull", 0, FlagType::kBool, "Always attempt to pull a newer version of the image"},
    {"push", 0, FlagType::kBool, "Push service images"},
    {"quiet", 'q', FlagType::kBool, "Suppress the build output"},
    {"sbom", 0, FlagType::kString, "", "", true},
    {"ssh", 0, FlagType::kString, "", "", true},
    {"with-dependencies", 0, FlagType::kBool, "Also build dependencies (transitively)"},
};
constexpr FlagSpec kPullFlags[] = {
    {"ignore-buildable", 0, FlagType::kBool, "Ignore images that can be built"},
    {"ignore-pull-failures", 0, FlagType::kBool,
     "Pull what it can and ignores images with pull failures"},
    {"include-deps", 0, FlagType::kBool, "Also pull services declared as dependencies"},
    {"policy", 0, FlagType::kString, "Apply pull policy (\"missing\"|\"always\")"},
    {"quiet", 'q', FlagType::kBool, "Pull without printing progress information"},
};

Status check_build_flags(const Arguments& args) {
  for (const auto& [flag, remedy] :
       {std::pair{"check", "Leave it out: only building is supported."},
        {"print", "Leave it out: `stack config` shows the build sections."},
        {"ssh", "Use a secret for keys."},
        {"sbom", "Leave it out, or say false: images are built without attestations."},
        {"provenance", "Leave it out, or say false: images are built without attestations."}}) {
    const std::string value = args.text(flag);
    if (args.given(flag) && value != "false" && value != "0")
      return Error::invalid(fmt::format("--{} is not supported", flag)).fix(remedy);
  }
  return ok_status();
}

Result<int> build(Context& context, const Arguments& args) {
  TRY(check_build_flags(args));
  const compose::Project* project = TRY(context.project(args.positional));
  TRY(check_services(*project, args.positional));
  ProjectRequest request;
  request.verb = "build";
  request.title = "Building";
  request.scope = {project->name, project};
  request.quiet_log = args.on("quiet");
  request.quiet_steps = args.on("quiet");
  JsonObject& options = request.options;
  if (!args.positional.empty()) options.add("services", args.positional);
  if (args.on("no-cache")) options.add("no_cache", true);
  if (args.on("pull")) options.add("pull", true);
  if (args.on("with-dependencies")) options.add("with_dependencies", true);
  std::map<std::string, std::string> build_args;
  for (const std::string& text : args.list("build-arg")) {
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos) {
      build_args[text.substr(0, equals)] = text.substr(equals + 1);
    } else if (const char* value = ::getenv(text.c_str())) {
      build_args[text] = value;
    }
  }
  if (!build_args.empty()) options.add("build_args", build_args);
  const int code = TRY(run_project(context, request));
  if (code != 0 || !args.on("push") || context.dry_run()) return code;
  std::vector<std::string> names = args.positional;
  if (names.empty()) {
    for (const auto& [name, service] : project->services) names.push_back(name);
  }
  TRY(push_images(context, *project, names, {.quiet = args.on("quiet"), .show_skipped = false}));
  return 0;
}

Result<int> pull(Context& context, const Arguments& args) {
  const compose::Project* project = TRY(context.project(args.positional));
  TRY(check_services(*project, args.positional));
  const std::string policy = args.text("policy");
  if (!policy.empty() && policy != "missing" && policy != "always") {
    return Error::invalid(fmt::format("invalid --policy value \"{}\"", policy))
        .fix("Use missing or always.");
  }
  ProjectRequest request;
  request.verb = "pull";
  request.title = "Pulling";
  request.scope = {project->name, project};
  request.quiet_steps = args.on("quiet");
  if (!args.positional.empty()) request.options.add("services", args.positional);
  if (!policy.empty()) request.options.add("pull", policy);
  for (const auto& [flag, option] : {std::pair{"ignore-buildable", "ignore_buildable"},
                                     {"ignore-pull-failures", "ignore_pull_failures"},
                                     {"include-deps", "include_deps"}}) {
    if (args.on(flag)) request.options.add(option, true);
  }
  return run_project(context, request);
}

}  // namespace

constinit const Command kBuildCommand{
    "build", "[OPTIONS] [SERVICE...]", "Build or rebuild services", kBuildFlags, 0, build};
constinit const Command kPullCommand{
    "pull", "[OPTIONS] [SERVICE...]", "Pull service images", kPullFlags, 0, pull};

}  // namespace stack::cli
