#include "cli/command.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/fd.h"
#include "cli/verbs.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kGlobalFlags[] = {
    {"all-resources", 0, FlagType::kBool, "Include all resources, even those not used by services"},
    {"ansi", 0, FlagType::kString,
     "Control when to print ANSI control characters (\"never\"|\"always\"|\"auto\")", "auto"},
    {"compatibility", 0, FlagType::kBool, "Separate the parts of names by _ instead of -"},
    {"dry-run", 0, FlagType::kBool, "Say what would be done, and do nothing"},
    {"env-file", 0, FlagType::kList, "Specify an alternate environment file"},
    {"file", 'f', FlagType::kList, "Compose configuration files"},
    {"parallel", 0, FlagType::kInt, "Control max parallelism, -1 for unlimited", "-1"},
    {"profile", 0, FlagType::kList, "Specify a profile to enable"},
    {"progress", 0, FlagType::kString,
     "Set type of progress output (auto, tty, plain, json, quiet)", "auto"},
    {"project-directory", 0, FlagType::kString,
     "Specify an alternate working directory (default: the path of the, first specified, Compose "
     "file)"},
    {"project-name", 'p', FlagType::kString, "Project name"},
    {"workdir", 0, FlagType::kString, "", "", true},
    {"no-ansi", 0, FlagType::kBool, "", "", true},
    {"verbose", 0, FlagType::kBool, "", "", true},
    {"version", 'v', FlagType::kBool, "Show the version"},
    {"help", 'h', FlagType::kBool, "", "", true},
};

const Command* const kCommands[] = {
    &kAttachCommand,   &kBuildCommand,   &kConfigCommand,  &kCpCommand,      &kCreateCommand,
    &kDownCommand,     &kEventsCommand,  &kExecCommand,    &kImagesCommand,  &kKillCommand,
    &kLoginCommand,    &kLogoutCommand,  &kLogsCommand,    &kLsCommand,      &kPauseCommand,
    &kPortCommand,     &kPsCommand,      &kPullCommand,    &kPushCommand,    &kRestartCommand,
    &kRmCommand,       &kRunCommand,     &kScaleCommand,   &kSearchCommand,  &kStartCommand,
    &kStatsCommand,    &kStopCommand,    &kTopCommand,     &kUnpauseCommand, &kUpCommand,
    &kVersionCommand,  &kVolumesCommand, &kWaitCommand,    &kImageCommand,   &kNetworkCommand,
    &kSystemCommand,   &kVolumeCommand,  &kHistoryCommand, &kPlanCommand,    &kRevisionsCommand,
    &kRollbackCommand, &kWhyCommand,
};

constexpr FlagSpec kCommonFlags[] = {
    {"dry-run", 0, FlagType::kBool, "Execute command in dry run mode"},
    {"help", 'h', FlagType::kBool, "", "", true},
};

std::vector<FlagSpec> flags_of(const Command& command) {
  std::vector<FlagSpec> flags(command.flags.begin(), command.flags.end());
  flags.insert(flags.end(), std::begin(kCommonFlags), std::end(kCommonFlags));
  return flags;
}

std::vector<std::string> names_of(std::span<const Command* const> among) {
  std::vector<std::string> names;
  for (const Command* command : among) names.emplace_back(command->name);
  return names;
}

int fail(const Error& error) {
  print_error(error);
  return error.kind == ErrorKind::kCancelled ? 130 : 1;
}

std::string given_or_environment(const Arguments& args, std::string_view flag,
                                 const char* variable) {
  if (args.given(flag)) return args.text(flag);
  const std::string value = environment_value(variable);
  return value.empty() ? args.text(flag) : value;
}

Result<Globals> globals_of(const Arguments& args) {
  Globals globals;
  globals.files = args.list("file");
  globals.project_name = args.text("project-name");
  globals.project_directory =
      args.text(args.given("project-directory") ? "project-directory" : "workdir");
  globals.env_files = args.list("env-file");
  globals.profiles = args.list("profile");
  globals.ansi = args.on("no-ansi") ? "never" : given_or_environment(args, "ansi", "COMPOSE_ANSI");
  globals.progress = given_or_environment(args, "progress", "COMPOSE_PROGRESS");
  globals.compatibility = args.on("compatibility") || environment_flag("COMPOSE_COMPATIBILITY");
  globals.all_resources = args.on("all-resources");
  globals.dry_run = args.on("dry-run");
  if (const std::string limit = environment_value("COMPOSE_PARALLEL_LIMIT");
      !limit.empty() && limit.find_first_not_of("-0123456789") != std::string::npos) {
    return Error::invalid(
        fmt::format("COMPOSE_PARALLEL_LIMIT must be an integer (found: \"{}\")", limit));
  }
  return globals;
}

int unknown_command(std::string_view name) {
  print(main_help());
  Error error = Error::invalid(fmt::format("unknown docker command: \"compose {}\"", name));
  if (const auto near = nearest(name, names_of(kCommands)))
    error.remedy = fmt::format("Did you mean: stack {}?", *near);
  return fail(error);
}

int run_command(Context& context, const Command& command, const std::string& path,
                std::span<const std::string> args) {
  if (!command.children.empty()) {
    if (args.empty() || args[0] == "--help" || args[0] == "-h") {
      print(command_help(command, path));
      return 0;
    }
    const Command* child = find_command(command.children, args[0]);
    if (child != nullptr)
      return run_command(context, *child, fmt::format("{} {}", path, child->name), args.subspan(1));
    Error error = Error::invalid(fmt::format("unknown command: \"{} {}\"", path, args[0]));
    if (const auto near = nearest(args[0], names_of(command.children))) {
      error.remedy = fmt::format("Did you mean: {} {}?", path, *near);
    } else {
      error.remedy = fmt::format("`{} --help` lists the commands.", path);
    }
    return fail(error);
  }
  const std::vector<FlagSpec> flags = flags_of(command);
  auto parsed = parse_flags(flags, args, command.interspersed);
  if (!parsed) {
    if (parsed.error().remedy.empty())
      parsed.error().remedy = fmt::format("`{} --help` lists the flags.", path);
    return fail(parsed.error());
  }
  if (parsed->on("help")) {
    print(command_help(command, path));
    return 0;
  }
  if (parsed->positional.size() < command.min_args) {
    return fail(Error::invalid(fmt::format("requires at least {} arg(s), only received {}",
                                           command.min_args, parsed->positional.size()))
                    .fix(fmt::format("Usage: {} {}", path, command.usage)));
  }
  if (parsed->on("dry-run")) context.set_dry_run();
  const auto code = command.run(context, *parsed);
  return code.ok() ? *code : fail(code.error());
}

}  // namespace

std::span<const Command* const> commands() { return kCommands; }
std::span<const FlagSpec> global_flags() { return kGlobalFlags; }

const Command* find_command(std::span<const Command* const> among, std::string_view name) {
  for (const Command* command : among) {
    if (command->name == name || (!command->alias.empty() && command->alias == name))
      return command;
  }
  return nullptr;
}

std::string main_help() {
  std::string out =
      "Usage:  stack [OPTIONS] COMMAND\n\nDefine and run multi-container "
      "applications\n\nOptions:\n";
  out += flag_help(kGlobalFlags);
  for (const bool management : {true, false}) {
    out += management ? "\nManagement Commands:\n" : "\nCommands:\n";
    for (const Command* command : kCommands) {
      if (command->children.empty() == management) continue;
      out += fmt::format("  {:<11} {}\n", command->name, command->summary);
    }
  }
  return out + "\nRun 'stack COMMAND --help' for more information on a command.\n";
}

std::string command_help(const Command& command, std::string_view path) {
  std::string out = fmt::format("Usage:  {} {}\n\n{}\n", path, command.usage, command.summary);
  if (!command.children.empty()) {
    out += "\nCommands:\n";
    for (const Command* child : command.children)
      out += fmt::format("  {:<11} {}\n", child->name, child->summary);
    return out +
           fmt::format("\nRun '{} COMMAND --help' for more information on a command.\n", path);
  }
  const std::vector<FlagSpec> flags = flags_of(command);
  if (!command.alias.empty())
    out += fmt::format("\nAliases:\n  {}, {}\n", command.name, command.alias);
  return out + "\nOptions:\n" + flag_help(flags);
}

int run_command_line(std::span<const std::string> args) {
  const auto globals_args = parse_flags(kGlobalFlags, args, false);
  if (!globals_args) return fail(globals_args.error());
  const std::vector<std::string>& rest = globals_args->positional;
  if (globals_args->on("version")) return run_command_line(std::vector<std::string>{"version"});
  if (rest.empty() || globals_args->on("help")) {
    print(main_help());
    return 0;
  }
  if (rest[0] == "help") {
    const Command* about = rest.size() > 1 ? find_command(kCommands, rest[1]) : nullptr;
    print(about != nullptr ? command_help(*about, fmt::format("stack {}", about->name))
                           : main_help());
    return 0;
  }
  const Command* command = find_command(kCommands, rest[0]);
  if (command == nullptr) return unknown_command(rest[0]);
  auto globals = globals_of(*globals_args);
  if (!globals) return fail(globals.error());
  auto context = Context::create(std::move(*globals));
  if (!context) return fail(context.error());
  return run_command(*context, *command, fmt::format("stack {}", command->name),
                     std::span(rest).subspan(1));
}

}  // namespace stack::cli
