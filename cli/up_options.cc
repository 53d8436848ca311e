#include "cli/up_options.h"

#include <fmt/core.h>

#include <charconv>

#include "cli/context.h"
#include "compose/project.h"

namespace stack::cli {

Status check_up_flags(const Arguments& args) {
  const bool abort_on_failure = args.on("abort-on-container-failure");
  const bool abort_on_exit =
      args.on("abort-on-container-exit") || (args.given("exit-code-from") && !abort_on_failure);
  const bool attach = args.given("attach");
  const bool attach_dependencies = args.on("attach-dependencies");
  if (abort_on_exit && abort_on_failure) {
    return Error::invalid(
        "--abort-on-container-failure cannot be combined with --abort-on-container-exit");
  }
  if (args.on("wait") && (attach_dependencies || abort_on_exit || attach)) {
    return Error::invalid(
        "--wait cannot be combined with --abort-on-container-exit, --attach or "
        "--attach-dependencies");
  }
  if (args.on("build") && args.on("no-build"))
    return Error::invalid("--build and --no-build are incompatible");
  if ((args.on("detach") || args.on("wait")) &&
      (attach_dependencies || abort_on_exit || abort_on_failure || attach || args.on("watch"))) {
    return Error::invalid(
        "--detach cannot be combined with --abort-on-container-exit, --abort-on-container-failure, "
        "--attach, "
        "--attach-dependencies or --watch");
  }
  if (args.on("no-recreate")) {
    if (args.on("renew-anon-volumes"))
      return Error::invalid("--no-recreate and --renew-anon-volumes are incompatible");
    if (args.on("force-recreate"))
      return Error::invalid("--force-recreate and --no-recreate are incompatible");
    if (args.on("always-recreate-deps"))
      return Error::invalid("--always-recreate-deps and --no-recreate are incompatible");
  }
  if (attach && attach_dependencies)
    return Error::invalid("cannot combine --attach and --attach-dependencies");
  if (args.on("remove-orphans") && environment_flag("COMPOSE_IGNORE_ORPHANS")) {
    return Error::invalid("cannot combine COMPOSE_IGNORE_ORPHANS and --remove-orphans");
  }
  return ok_status();
}

Result<std::map<std::string, int>> scale_option(const std::vector<std::string>& texts,
                                                bool scale_command) {
  std::map<std::string, int> out;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    int number = 0;
    bool valid = equals != std::string::npos && equals > 0;
    if (valid) {
      const char* end = text.data() + text.size();
      const auto [stop, ec] = std::from_chars(text.data() + equals + 1, end, number);
      valid = ec == std::errc() && stop == end && number >= 0;
      if (!valid && scale_command) {
        return Error::invalid(
            fmt::format("invalid scale specifier: can't parse replica value as int: {}", text));
      }
    }
    if (!valid && scale_command)
      return Error::invalid(fmt::format("invalid scale specifier: {}", text));
    if (!valid)
      return Error::invalid(
          fmt::format("invalid --scale option \"{}\". Should be SERVICE=NUM", text));
    out[text.substr(0, equals)] = number;
  }
  return out;
}

Result<std::string> pull_option(const Arguments& args) {
  const std::string pull = args.text("pull");
  if (pull.empty() || pull == "policy" || pull == "build") return std::string();
  if (pull == "if_not_present") return std::string("missing");
  if (pull == "always" || pull == "missing" || pull == "never") return pull;
  return Error::invalid(fmt::format("invalid --pull option \"{}\"", pull))
      .fix("Use always, missing or never.");
}

Result<JsonObject> up_options(const Arguments& args, const compose::Project& project) {
  JsonObject out;
  if (!args.positional.empty()) out.add("services", args.positional);
  constexpr std::pair<std::string_view, std::string_view> kSwitches[] = {
      {"build", "build"},
      {"no-build", "no_build"},
      {"force-recreate", "force_recreate"},
      {"no-recreate", "no_recreate"},
      {"always-recreate-deps", "always_recreate_deps"},
      {"renew-anon-volumes", "renew_anon_volumes"},
      {"no-deps", "no_deps"},
      {"no-start", "no_start"},
      {"wait", "wait"},
      {"quiet-pull", "quiet_pull"},
      {"yes", "yes"},
  };
  for (const auto& [flag, option] : kSwitches) {
    if (args.on(flag)) out.add(option, true);
  }
  if (args.on("remove-orphans") || environment_flag("COMPOSE_REMOVE_ORPHANS"))
    out.add("remove_orphans", true);
  if (environment_flag("COMPOSE_IGNORE_ORPHANS")) out.add("ignore_orphans", true);
  if (const std::string pull = TRY(pull_option(args)); !pull.empty()) out.add("pull", pull);
  if (const auto timeout = args.number("timeout")) out.add("timeout", std::int64_t{*timeout});
  if (const auto timeout = args.number("wait-timeout"))
    out.add("wait_timeout", std::int64_t{*timeout});
  const auto scale = TRY(scale_option(args.list("scale"), false));
  JsonObject scale_json;
  for (const auto& [service, number] : scale) {
    if (!project.services.contains(service)) {
      return Error::not_found(fmt::format("no such service: {}: not found", service));
    }
    scale_json.add(service, number);
  }
  if (!scale.empty()) out.add_json("scale", scale_json.text());
  return out;
}

}  // namespace stack::cli
