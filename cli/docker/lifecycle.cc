// stop, restart, kill, pause, unpause, rm, rename and wait.
#include <fmt/core.h>

#include "cli/docker/support.h"
#include "cli/docker/verbs.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kStopFlags[] = {
    {"signal", 's', FlagType::kString, "Signal to send to the container"},
    {"timeout", 't', FlagType::kInt, "Seconds to wait before killing the container"},
    {"time", 0, FlagType::kInt, "", "", true},
};
constexpr FlagSpec kKillFlags[] = {
    {"signal", 's', FlagType::kString, "Signal to send to the container"},
};
constexpr FlagSpec kRemoveFlags[] = {
    {"force", 'f', FlagType::kBool, "Force the removal of a running container (uses SIGKILL)"},
    {"link", 'l', FlagType::kBool, "Remove the specified link"},
    {"volumes", 'v', FlagType::kBool, "Remove anonymous volumes associated with the container"},
};

// POST /containers/NAME/VERB for each name, which is printed when it is done.
Result<int> post_each(Context& context, const Arguments& args, const std::string& verb_and_query) {
  const Engine* engine = TRY(context.engine());
  return for_each_name(args.positional, [&](const std::string& name) -> Status {
    TRY(engine->http().post(fmt::format("{}/{}", container_path(name), verb_and_query)));
    print(name + '\n');
    return ok_status();
  });
}

std::string stop_query(std::string_view verb, const Arguments& args) {
  std::string query;
  const auto add = [&query](std::string_view name, const std::string& value) {
    query += fmt::format("{}{}={}", query.empty() ? "?" : "&", name, url_encode(value));
  };
  if (args.given("signal")) add("signal", args.text("signal"));
  for (const char* flag : {"time", "timeout"}) {
    if (args.given(flag)) add("t", args.text(flag));
  }
  return std::string(verb) + query;
}

Result<int> stop(Context& context, const Arguments& args) {
  return post_each(context, args, stop_query("stop", args));
}
Result<int> restart(Context& context, const Arguments& args) {
  return post_each(context, args, stop_query("restart", args));
}
Result<int> kill(Context& context, const Arguments& args) {
  return post_each(context, args, stop_query("kill", args));
}
Result<int> pause(Context& context, const Arguments& args) {
  return post_each(context, args, "pause");
}
Result<int> unpause(Context& context, const Arguments& args) {
  return post_each(context, args, "unpause");
}

Result<int> remove(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const auto flag = [&args](const char* name) { return args.on(name) ? 1 : 0; };
  return for_each_name(args.positional, [&](const std::string& given) -> Status {
    const std::string name = given.substr(given.starts_with('/') && given.size() > 1 ? 1 : 0);
    const auto removed =
        engine->http().remove(fmt::format("{}?v={}&link={}&force={}", container_path(name),
                                          flag("volumes"), flag("link"), flag("force")));
    // As Docker: with --force what is not there is no failure.
    if (!removed.ok() && args.on("force") && removed.error().kind == ErrorKind::kNotFound) {
      print_error(removed.error());
      return ok_status();
    }
    if (!removed.ok()) return removed.error();
    print(given + '\n');
    return ok_status();
  });
}

Result<int> rename(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const std::string& name = args.positional[1];
  if (name.empty()) return Error::invalid("Error: Neither old nor new names may be empty");
  TRY(engine->http().post(
      fmt::format("{}/rename?name={}", container_path(args.positional[0]), url_encode(name))));
  return 0;
}

Result<int> wait(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  return for_each_name(args.positional, [&](const std::string& name) -> Status {
    const Document answer = TRY(post_document(*engine, container_path(name) + "/wait"));
    print(fmt::format("{}\n", answer.root().number("StatusCode")));
    return ok_status();
  });
}

}  // namespace

constinit const Command kStop{.name = "stop",
                              .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
                              .summary = "Stop one or more running containers",
                              .flags = kStopFlags,
                              .min_args = 1,
                              .run = stop,
                              .words = Words::kDocker};
constinit const Command kRestart{.name = "restart",
                                 .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
                                 .summary = "Restart one or more containers",
                                 .flags = kStopFlags,
                                 .min_args = 1,
                                 .run = restart,
                                 .words = Words::kDocker};
constinit const Command kKill{.name = "kill",
                              .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
                              .summary = "Kill one or more running containers",
                              .flags = kKillFlags,
                              .min_args = 1,
                              .run = kill,
                              .words = Words::kDocker};
constinit const Command kPause{.name = "pause",
                               .usage = "CONTAINER [CONTAINER...]",
                               .summary = "Pause all processes within one or more containers",
                               .min_args = 1,
                               .run = pause,
                               .words = Words::kDocker};
constinit const Command kUnpause{.name = "unpause",
                                 .usage = "CONTAINER [CONTAINER...]",
                                 .summary = "Unpause all processes within one or more containers",
                                 .min_args = 1,
                                 .run = unpause,
                                 .words = Words::kDocker};
constinit const Command kRemove{.name = "rm",
                                .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
                                .summary = "Remove one or more containers",
                                .flags = kRemoveFlags,
                                .min_args = 1,
                                .run = remove,
                                .alias = "remove",
                                .words = Words::kDocker};
constinit const Command kRename{.name = "rename",
                                .usage = "CONTAINER NEW_NAME",
                                .summary = "Rename a container",
                                .min_args = 2,
                                .run = rename,
                                .words = Words::kDocker,
                                .max_args = 2};
constinit const Command kWait{
    .name = "wait",
    .usage = "CONTAINER [CONTAINER...]",
    .summary = "Block until one or more containers stop, then print their exit codes",
    .min_args = 1,
    .run = wait,
    .words = Words::kDocker};

}  // namespace stack::cli::docker
