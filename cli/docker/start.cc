// start and attach.
#include <fmt/core.h>

#include "cli/docker/attached.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kStartFlags[] = {
    {"attach", 'a', FlagType::kBool, "Attach STDOUT/STDERR and forward signals"},
    {"checkpoint", 0, FlagType::kString, "", "", true},
    {"checkpoint-dir", 0, FlagType::kString, "", "", true},
    {"detach-keys", 0, FlagType::kString, "Override the key sequence for detaching a container"},
    {"interactive", 'i', FlagType::kBool, "Attach container's STDIN"},
};
constexpr FlagSpec kAttachFlags[] = {
    {"detach-keys", 0, FlagType::kString, "Override the key sequence for detaching a container"},
    {"no-stdin", 0, FlagType::kBool, "Do not attach STDIN"},
    {"sig-proxy", 0, FlagType::kBool, "Proxy all received signals to the process", "true"},
};

Result<int> start_attached(const Engine& engine, const Arguments& args) {
  if (args.positional.size() > 1)
    return Error::invalid("you cannot start and attach multiple containers at once");
  const Document found = TRY(get_document(engine, container_path(args.positional[0]) + "/json"));
  const JsonView config = found["Config"];
  AttachOptions options;
  options.tty = config.truth("Tty");
  options.input = args.on("interactive") && config.truth("OpenStdin");
  options.removed_when_done = found["HostConfig"].truth("AutoRemove");
  options.detach_keys = args.text("detach-keys");
  TRY(check_input_terminal(options.tty, options.input));
  auto exit = attach_container(engine, found.root().text("Id"), options);
  if (exit.ok()) return exit->code;
  print_error(exit.error());
  return start_failure_code(exit.error());
}

Result<int> start(Context& context, const Arguments& args) {
  if (args.given("checkpoint"))
    return Error::invalid("checkpoints are not supported").fix("Leave --checkpoint out.");
  const Engine* engine = TRY(context.engine());
  if (args.on("attach") || args.on("interactive")) return start_attached(*engine, args);
  std::string failed;
  auto code = for_each_name(args.positional, [&](const std::string& name) -> Status {
    const auto started = engine->http().post(container_path(name) + "/start");
    if (!started.ok()) {
      failed += (failed.empty() ? "" : ", ") + name;
      return started.error();
    }
    print(name + '\n');
    return ok_status();
  });
  if (failed.empty()) return code;
  const std::string summary = "Error: failed to start containers: " + failed;
  if (code.ok()) return Error::make(ErrorKind::kInternal, summary);
  code.error().message += '\n' + summary;
  return code;
}

Result<int> attach(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const Document found = TRY(get_document(*engine, container_path(args.positional[0]) + "/json"));
  const JsonView state = found["State"];
  if (!state.truth("Running"))
    return Error::conflict("You cannot attach to a stopped container, start it first")
        .fix(fmt::format("`stack container start -a {}` does both.", args.positional[0]));
  if (state.truth("Paused"))
    return Error::conflict("You cannot attach to a paused container, unpause it first");
  if (state.truth("Restarting"))
    return Error::conflict("You cannot attach to a restarting container, wait until it is running");
  const JsonView config = found["Config"];
  AttachOptions options;
  options.tty = config.truth("Tty");
  options.input = !args.on("no-stdin") && config.truth("OpenStdin");
  options.signal_proxy = args.on("sig-proxy");
  options.start = false;
  options.detach_keys = args.text("detach-keys");
  TRY(check_input_terminal(options.tty, options.input));
  return TRY(attach_container(*engine, found.root().text("Id"), options)).code;
}

}  // namespace

constinit const Command kStart{.name = "start",
                               .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
                               .summary = "Start one or more stopped containers",
                               .flags = kStartFlags,
                               .min_args = 1,
                               .run = start,
                               .words = Words::kDocker};
constinit const Command kAttach{
    .name = "attach",
    .usage = "[OPTIONS] CONTAINER",
    .summary = "Attach local standard input, output, and error streams to a running container",
    .flags = kAttachFlags,
    .min_args = 1,
    .run = attach,
    .words = Words::kDocker,
    .max_args = 1};

}  // namespace stack::cli::docker
