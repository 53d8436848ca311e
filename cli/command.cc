#include "cli/command.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/fd.h"
#include "cli/command_tree.h"
#include "cli/other_reading.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kDryRunFlag{"dry-run", 0, FlagType::kBool, "Execute command in dry run mode"};
constexpr int kDockerFlagError = 125;

std::vector<std::string> names_of(std::span<const Command* const> among) {
  std::vector<std::string> names;
  for (const Command* command : among) names.emplace_back(command->name);
  return names;
}

int fail(const Error& error, int code = 1) {
  print_error(error);
  return error.kind == ErrorKind::kCancelled ? 130 : code;
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
  globals.host = args.text("host");
  for (const std::string_view flag : {"tls", "tlsverify", "tlscacert", "tlscert", "tlskey"}) {
    if (!args.given(flag)) continue;
    return Error::invalid(fmt::format("--{}: the engine listens on a unix socket only", flag))
        .fix("Leave it out; `ssh HOST stack ...` reaches another machine.");
  }
  if (const std::string name = args.text("context"); !name.empty() && name != "default") {
    return Error::not_found(fmt::format("context \"{}\" does not exist", name))
        .fix("There is one engine a machine: leave --context out, or name a socket with --host.");
  }
  if (const std::string limit = environment_value("COMPOSE_PARALLEL_LIMIT");
      !limit.empty() && limit.find_first_not_of("-0123456789") != std::string::npos) {
    return Error::invalid(
        fmt::format("COMPOSE_PARALLEL_LIMIT must be an integer (found: \"{}\")", limit));
  }
  return globals;
}

std::string usage_and_help(const Command& command, const std::string& path) {
  return fmt::format("\nUsage:  {} {}\n\nRun '{} --help' for more information", path, command.usage,
                     path);
}

std::string argument_words(std::size_t count) {
  return fmt::format("{} argument{}", count, count == 1 ? "" : "s");
}

Status check_argument_count(const Command& command, const std::string& path, std::size_t given) {
  const std::size_t low = command.min_args;
  const std::size_t high = command.max_args;
  if (given >= low && given <= high) return ok_status();
  if (command.words == Words::kCompose) {
    return Error::invalid(fmt::format("requires at least {} arg(s), only received {}", low, given))
        .fix(fmt::format("Usage: {} {}", path, command.usage));
  }
  std::string need;
  if (high == 0) {
    need = "accepts no arguments";
  } else if (low == high) {
    need = "requires " + argument_words(low);
  } else if (given < low) {
    need = "requires at least " + argument_words(low);
  } else {
    need = "requires at most " + argument_words(high);
  }
  return Error::invalid(fmt::format("stack: '{}' {}", path, need))
      .fix(usage_and_help(command, path));
}

int run_leaf(Context& context, const Command& command, const std::string& path,
             std::span<const std::string> args, const Meaning* meaning) {
  const bool docker = command.words == Words::kDocker;
  auto parsed = parse_flags(flags_of(command), args, command.interspersed);
  if (!parsed) {
    Error error = std::move(parsed).error();
    if (meaning != nullptr) add_other_flags(*meaning, args, error);
    if (docker) {
      error.remedy += (error.remedy.empty() ? "" : "\n") + usage_and_help(command, path);
    } else if (error.remedy.empty()) {
      error.remedy = fmt::format("`{} --help` lists the flags.", path);
    }
    return fail(error, docker ? kDockerFlagError : 1);
  }
  if (parsed->on("help")) {
    print(command_help(command, path));
    return 0;
  }
  if (const auto count = check_argument_count(command, path, parsed->positional.size()); !count) {
    return fail(count.error());
  }
  if (parsed->on("dry-run")) context.set_dry_run();
  auto code = command.run(context, *parsed);
  if (code.ok()) return *code;
  if (meaning != nullptr) add_other_names(context, *meaning, *parsed, code.error());
  return fail(code.error(), command.failure_code);
}

int run_command(Context& context, const Command& command, const std::string& path,
                std::span<const std::string> args, const Meaning* meaning = nullptr) {
  if (command.children.empty()) return run_leaf(context, command, path, args, meaning);
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

// Docker's words for what this engine does not have.
std::optional<Error> refused_word(std::string_view name) {
  for (const std::string_view word : {"swarm", "node", "service", "stack", "secret"}) {
    if (name != word) continue;
    return Error::invalid(fmt::format("stack {}: this engine is not part of a swarm", name))
        .fix("It runs Compose projects on one machine: `stack up -d`, `stack scale SERVICE=N`.");
  }
  for (const std::string_view word : {"plugin", "trust", "manifest", "bake", "checkpoint"}) {
    if (name == word) return Error::invalid(fmt::format("stack {} is not supported", name));
  }
  return std::nullopt;
}

int unknown_command(std::string_view name) {
  if (const auto refused = refused_word(name)) return fail(*refused);
  Error error = Error::invalid(fmt::format("stack: unknown command: stack {}", name));
  const auto near = nearest(name, first_words());
  error.remedy =
      near ? fmt::format("Did you mean: stack {}?", *near) : "`stack --help` lists the commands.";
  return fail(error);
}

// `stack help image ls` and `stack image ls --help` say the same.
int help(std::span<const std::string> words) {
  if (words.empty()) {
    print(main_help());
    return 0;
  }
  const auto meaning = meaning_of(words[0], [] { return true; });
  if (!meaning) return unknown_command(words[0]);
  const Command* command = meaning->command;
  std::string path = "stack " + words[0];
  for (const std::string& word : words.subspan(1)) {
    const Command* child = find_command(command->children, word);
    if (child == nullptr) break;
    command = child;
    path += fmt::format(" {}", child->name);
  }
  print(command_help(*command, path));
  return 0;
}

}  // namespace

const Command* find_command(std::span<const Command* const> among, std::string_view name) {
  const auto is_alias = [name](std::string_view aliases) {
    while (!aliases.empty()) {
      const std::size_t comma = aliases.find(',');
      if (aliases.substr(0, comma) == name) return true;
      aliases.remove_prefix(comma == std::string_view::npos ? aliases.size() : comma + 1);
    }
    return false;
  };
  for (const Command* command : among) {
    if (command->name == name || is_alias(command->alias)) return command;
  }
  return nullptr;
}

std::vector<FlagSpec> flags_of(const Command& command) {
  std::vector<FlagSpec> flags(command.flags.begin(), command.flags.end());
  flags.insert(flags.end(), command.more_flags.begin(), command.more_flags.end());
  const bool has_h = std::any_of(flags.begin(), flags.end(),
                                 [](const FlagSpec& flag) { return flag.shorthand == 'h'; });
  if (command.words == Words::kCompose) flags.push_back(kDryRunFlag);
  flags.push_back({"help", has_h ? '\0' : 'h', FlagType::kBool, "", "", true});
  return flags;
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
  if (!command.alias.empty())
    out += fmt::format("\nAliases:\n  {}, {}\n", command.name, command.alias);
  const std::string flags = flag_help(flags_of(command));
  return flags.empty() ? out : out + "\nOptions:\n" + flags;
}

int run_command_line(std::span<const std::string> args) {
  auto globals_args = parse_flags(global_flags(), args, false);
  if (!globals_args) return fail(globals_args.error());
  std::vector<std::string> rest = globals_args->positional;
  bool compose = false;
  if (!rest.empty() && rest[0] == "compose" && !globals_args->on("version")) {
    // `stack compose -p NAME ps`: the same flags may stand on either side of the word.
    std::vector<std::string> joined(args.begin(), args.end() - static_cast<long>(rest.size()));
    joined.insert(joined.end(), rest.begin() + 1, rest.end());
    globals_args = parse_flags(global_flags(), joined, false);
    if (!globals_args) return fail(globals_args.error());
    rest = globals_args->positional;
    compose = true;
  }
  if (globals_args->on("version"))
    return run_command_line(std::vector<std::string>{"compose", "version"});
  if (rest.empty() || globals_args->on("help")) {
    print(compose ? command_help(*find_command(command_groups(), "compose"), "stack compose")
                  : main_help());
    return 0;
  }
  if (rest[0] == "help") return help(std::span(rest).subspan(1));
  // Where DockerConfig looks for the logins; also for credential helpers.
  if (globals_args->given("config"))
    ::setenv("DOCKER_CONFIG", globals_args->text("config").c_str(), 1);
  auto globals = globals_of(*globals_args);
  if (!globals) return fail(globals.error());
  auto context = Context::create(std::move(*globals));
  if (!context) return fail(context.error());
  const auto after = std::span<const std::string>(rest).subspan(1);
  if (compose)
    return run_command(*context, *find_command(command_groups(), "compose"), "stack compose", rest);
  const auto meaning = meaning_of(rest[0], [&context] { return context->in_project(); });
  if (!meaning) return unknown_command(rest[0]);
  return run_command(*context, *meaning->command, "stack " + rest[0], after, &*meaning);
}

}  // namespace stack::cli
