// run and create.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/files.h"
#include "cli/docker/attached.h"
#include "cli/docker/create_flags.h"
#include "cli/docker/create_request.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/message_stream.h"
#include "cli/registry_client.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kRunFlags[] = {
    {"detach", 'd', FlagType::kBool, "Run container in background and print container ID"},
    {"detach-keys", 0, FlagType::kString, "Override the key sequence for detaching a container"},
    {"sig-proxy", 0, FlagType::kBool, "Proxy received signals to the process", "true"},
};

Status check_cidfile(const Arguments& args) {
  const std::string path = args.text("cidfile");
  if (path.empty() || !exists(path)) return ok_status();
  return Error::conflict(fmt::format("container ID file found, make sure the other container isn't "
                                     "running or delete {}",
                                     path))
      .fix("Docker never overwrites a --cidfile.");
}

// Pulls the image when it is not there and the policy allows it.
Result<std::string> create(const Engine& engine, const Arguments& args,
                           const CreateRequest& request) {
  const std::string policy = args.text("pull");
  if (policy != "always" && policy != "missing" && policy != "never")
    return Error::invalid(fmt::format(
        "invalid pull option: '{}': must be one of \"always\", \"missing\" or \"never\"", policy));
  TRY(check_cidfile(args));
  const auto pull = [&] {
    return show_messages(begin_pull(engine.http(), request.image, request.platform),
                         {STDERR_FILENO, args.on("quiet")});
  };
  if (policy == "always") TRY(pull());
  std::string target = fmt::format("{}/containers/create", kApi);
  char separator = '?';
  for (const auto& [name, value] :
       {std::pair{"name", request.name}, {"platform", request.platform}}) {
    if (value.empty()) continue;
    target += fmt::format("{}{}={}", separator, name, url_encode(value));
    separator = '&';
  }
  auto created = engine.http().post(target, request.body);
  const bool no_image = !created.ok() && created.error().kind == ErrorKind::kNotFound &&
                        created.error().message.find("o such image") != std::string::npos;
  if (no_image && policy == "missing") {
    if (!args.on("quiet")) {
      const std::string shown =
          split_image_name(request.image).tag.empty() ? request.image + ":latest" : request.image;
      (void)write_all(STDERR_FILENO, fmt::format("Unable to find image '{}' locally\n", shown));
    }
    TRY(pull());
    created = engine.http().post(target, request.body);
  }
  if (!created.ok()) return std::move(created).error();
  const Document answer = TRY(Document::parse(*created));
  print_warnings(answer.root());
  const std::string id = answer.root().text("Id");
  if (const std::string path = args.text("cidfile"); !path.empty()) {
    const Fd file = TRY(open_fd(path, O_WRONLY | O_CREAT | O_EXCL, 0644));
    TRY(write_all(file.get(), id));
  }
  return id;
}

// What --rm promises, also when the container could not be started.
void remove_unstarted(const Engine& engine, const std::string& id) {
  (void)engine.http().remove(container_path(id) + "?v=1&force=1");  // the engine may have done it
}

Result<int> run_started(const Engine& engine, const std::string& id, const Arguments& args,
                        const CreateRequest& request) {
  const bool attached = request.attach_stdin || request.attach_stdout || request.attach_stderr;
  if (!attached) {
    TRY(engine.http().post(container_path(id) + "/start"));
    print(id + '\n');
    return 0;
  }
  AttachOptions options;
  options.tty = request.tty;
  options.input = request.attach_stdin;
  options.output = request.attach_stdout;
  options.error = request.attach_stderr;
  options.signal_proxy = args.on("sig-proxy");
  options.removed_when_done = args.on("rm");
  options.detach_keys = args.text("detach-keys");
  return TRY(attach_container(engine, id, options)).code;
}

Result<int> run(Context& context, const Arguments& args) {
  const CreateRequest request = TRY(create_request(args, !args.on("detach")));
  if (const auto terminal = check_input_terminal(request.tty, request.attach_stdin);
      !terminal.ok()) {
    print_error(terminal.error());
    return 1;
  }
  if (args.given("detach-keys")) TRY(DetachKeys::parse(args.text("detach-keys")));
  const Engine* engine = TRY(context.engine());
  const std::string id = TRY(create(*engine, args, request));
  auto code = run_started(*engine, id, args, request);
  if (code.ok()) return code;
  if (args.on("rm")) remove_unstarted(*engine, id);
  if (code.error().kind == ErrorKind::kCancelled) return code;
  print_error(code.error());
  return start_failure_code(code.error());
}

Result<int> create_only(Context& context, const Arguments& args) {
  const CreateRequest request = TRY(create_request(args, true));
  const Engine* engine = TRY(context.engine());
  const auto id = create(*engine, args, request);
  if (id.ok()) {
    print(*id + '\n');
    return 0;
  }
  if (id.error().kind == ErrorKind::kCancelled) return id.error();
  print_error(id.error());
  return 1;  // what the engine refuses; a wrong command line is 125, as of `run`
}

}  // namespace

constinit const Command kRun{.name = "run",
                             .usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
                             .summary = "Create and run a new container from an image",
                             .flags = kRunFlags,
                             .min_args = 1,
                             .run = run,
                             .interspersed = false,
                             .words = Words::kDocker,
                             .more_flags = kCreateFlags,
                             .failure_code = 125};
constinit const Command kCreate{.name = "create",
                                .usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
                                .summary = "Create a new container",
                                .flags = kCreateFlags,
                                .min_args = 1,
                                .run = create_only,
                                .interspersed = false,
                                .words = Words::kDocker,
                                .failure_code = 125};

}  // namespace stack::cli::docker
