#include "engine/local_images.h"

#include <fcntl.h>

#include "base/files.h"
#include "engine/containers.h"
#include "engine/image_service.h"
#include "engine/service_container.h"
#include "scheduler/graph.h"
#include "scheduler/labels.h"

namespace stack::engine {

namespace {

using scheduler::OperationResult;
using Finished = std::function<void(Result<OperationResult>)>;

Result<images::BuildRequest> build_request(const compose::Project& project,
                                           const compose::Service& service,
                                           const scheduler::EnsureImage& op) {
  const compose::Build& from = *service.build;
  images::BuildRequest request;
  request.context = from.context;
  request.dockerfile = from.dockerfile;
  if (!from.dockerfile_inline.empty()) request.dockerfile_inline = from.dockerfile_inline;
  for (const auto& [key, value] : from.args) {
    if (value) request.args[key] = *value;
  }
  for (const auto& [key, value] : op.build_args) request.args[key] = value;
  request.target = from.target;
  request.labels = from.labels;
  if (!op.plain) {
    request.labels["com.docker.compose.project"] = project.name;
    request.labels["com.docker.compose.service"] = service.name;
  }
  std::vector<std::string> tags = from.tags;
  tags.insert(tags.begin(), op.reference);
  for (const auto& text : tags) {
    auto tag = images::Reference::parse(text);
    if (!tag.ok()) return Error::invalid("invalid tag \"" + text + "\": " + tag.error().message);
    request.tags.push_back(std::move(*tag));
  }
  request.no_cache = op.no_cache || from.no_cache;
  request.pull = op.pull_base || from.pull;
  request.network_mode = from.network;
  for (const auto& [host, addresses] : from.extra_hosts) {
    for (const auto& address : addresses) request.extra_hosts.push_back(host + ":" + address);
  }
  request.shm_size = from.shm_size;
  for (const auto& [name, limit] : from.ulimits) request.ulimits[name] = {limit.soft, limit.hard};
  request.privileged = from.privileged;
  request.entitlements = from.entitlements;
  request.additional_contexts = from.additional_contexts;
  for (auto& [name, context] : request.additional_contexts) {
    const auto other = project.services.find(std::string(scheduler::service_reference(context)));
    if (other != project.services.end())
      context = "docker-image://" + scheduler::image_reference(project, other->second);
  }
  for (const auto& secret : from.secrets) {
    const auto it = project.secrets.find(secret.source);
    if (it == project.secrets.end()) continue;
    images::BuildSecret value;
    if (!it->second.file.empty()) value.file = it->second.file;
    if (const auto env = project.environment.find(it->second.environment);
        env != project.environment.end())
      value.content = env->second;
    request.secrets[secret.target.empty() ? secret.source : secret.target] = std::move(value);
  }
  for (const std::string& text : from.ssh) {
    const std::size_t equals = text.find('=');
    std::filesystem::path socket;
    if (equals != std::string::npos) {
      socket = text.substr(equals + 1);
    } else if (const auto agent = project.environment.find("SSH_AUTH_SOCK");
               agent != project.environment.end()) {
      socket = agent->second;
    }
    // One that is not there is an error of the step that needs it.
    if (!socket.empty()) request.ssh[text.substr(0, equals)] = socket;
  }
  return request;
}

void build(Services& services, const scheduler::ProjectPtr& project,
           const scheduler::EnsureImage& op, const scheduler::ProgressSink& progress,
           std::stop_token cancel, Finished done) {
  const auto it = project->services.find(op.service);
  if (it == project->services.end() || !it->second.build)
    return done(Error::not_found("service \"" + op.service + "\" has no build section"));
  const auto forward = [progress, service = op.service](const images::BuildEvent& event) {
    if (!progress) return;
    switch (event.kind) {
      case images::BuildEvent::Kind::kWarning:
        return progress(scheduler::Warning{event.text});
      case images::BuildEvent::Kind::kInstruction:
      case images::BuildEvent::Kind::kTriggers:
      case images::BuildEvent::Kind::kRunning:
      case images::BuildEvent::Kind::kState:
      case images::BuildEvent::Kind::kFailed:
      case images::BuildEvent::Kind::kDone:
      case images::BuildEvent::Kind::kTransfer:
        return;
      case images::BuildEvent::Kind::kCached:
        return progress(scheduler::OutputLine{service, "stdout", "CACHED " + event.text});
      default:
        return progress(scheduler::OutputLine{
            service, event.stream.empty() ? "stdout" : event.stream, event.text});
    }
  };
  auto request = build_request(*project, it->second, op);
  if (!request.ok()) return done(std::move(request).error());
  services.images->build(std::move(*request), services.images->pull_options(), forward,
                         std::move(cancel), [done = std::move(done)](Result<images::Image> image) {
                           if (!image.ok()) return done(std::move(image).error());
                           done(OperationResult{image->id, 0});
                         });
}

}  // namespace

void ensure_image(Services& services, const scheduler::ProjectPtr& project,
                  const scheduler::EnsureImage& op, const scheduler::ProgressSink& progress,
                  std::stop_token cancel, Finished done) {
  using Build = scheduler::EnsureImage::Build;
  if (!op.pull || op.build == Build::kYes)
    return build(services, project, op, progress, std::move(cancel), std::move(done));
  images::PullOptions options = services.images->pull_options();
  options.stop = cancel;
  if (const auto it = project->services.find(op.service); it != project->services.end())
    options.platform = it->second.platform;
  const auto forward = [progress,
                        parent = "Image " + op.reference](const images::PullProgress& event) {
    if (!progress || event.id.empty()) return;
    scheduler::ProgressEvent line;
    line.id = event.id;
    line.parent = parent;
    line.status = event.status;
    line.current = event.current;
    line.total = event.total;
    line.kind = event.status == "Pull complete" || event.status == "Already exists"
                    ? scheduler::ProgressKind::kDone
                    : scheduler::ProgressKind::kWorking;
    progress(line);
  };
  services.images->pull(op.reference, std::move(options), forward,
                        [&services, project, op, progress, cancel,
                         done = std::move(done)](Result<images::Image> image) mutable {
                          if (image.ok()) return done(OperationResult{image->id, 0});
                          if (op.build == Build::kIfPullFails && !cancel.stop_requested()) {
                            return build(services, project, op, progress, std::move(cancel),
                                         std::move(done));
                          }
                          done(std::move(image).error().while_("pulling image " + op.reference));
                        });
}

namespace {

// Reads a hook's output line by line until its streams end, then asks for the exit code.
struct HookOutput {
  Services& services;
  scheduler::ProgressSink progress;
  std::string name, exec_id;
  Finished done;
  ExecStreams streams;
  EventLoop::Watch out, err;
  EventBus::Subscription died;
  std::string text;

  // Takes what is there without waiting; false when nothing more is there now.
  bool feed(const Fd& fd, EventLoop::Watch* watch) {
    char buffer[4096];
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n <= 0) {
      if (n == 0) watch->cancel();
      return false;
    }
    text.append(buffer, static_cast<std::size_t>(n));
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
      if (progress) progress(scheduler::OutputLine{name, "stdout", text.substr(0, end)});
      text.erase(0, end + 1);
    }
    return true;
  }
};

}  // namespace

void run_hook(Services& services, const scheduler::RunHook& op,
              const scheduler::ProgressSink& progress, std::stop_token, Finished done) {
  ExecConfig config;
  config.cmd = op.hook.command;
  config.user = op.hook.user;
  config.working_dir = op.hook.working_dir;
  config.privileged = op.hook.privileged;
  for (const auto& [key, value] : op.hook.environment) {
    if (value) config.env.push_back(key + "=" + *value);
  }
  auto exec = services.containers->create_exec(op.container.id, std::move(config));
  if (!exec.ok()) return done(std::move(exec).error());
  auto hook = std::make_shared<HookOutput>(HookOutput{
      services, progress, op.container.name, *exec, std::move(done), {}, {}, {}, {}, {}});
  hook->died = services.events.subscribe([hook](const Event& event) {
    if (event.action != "exec_die" || event.attributes.count("execID") == 0 ||
        event.attributes.at("execID") != hook->exec_id)
      return;
    const auto state = hook->services.containers->find_exec(hook->exec_id);
    const int code = state.ok() ? (*state)->exit_code.value_or(137) : 137;
    // The subscription holds the hook: it ends after this call, not inside it.
    hook->services.loop.post([hook, code] {
      while (hook->streams.out && hook->feed(hook->streams.out, &hook->out)) {
      }
      while (hook->streams.err && hook->feed(hook->streams.err, &hook->err)) {
      }
      hook->out.cancel();
      hook->err.cancel();
      if (!hook->text.empty() && hook->progress)
        hook->progress(scheduler::OutputLine{hook->name, "stdout", hook->text});
      auto finished = std::move(hook->done);
      hook->died = {};
      finished(OperationResult{"", code});
    });
  });
  services.containers->start_exec(*exec, [hook](Result<ExecStreams> started) {
    if (!started.ok()) {
      auto finished = std::move(hook->done);
      hook->died = {};
      return finished(std::move(started).error());
    }
    hook->streams = std::move(started).value();
    const auto follow = [&](Fd ExecStreams::*fd, EventLoop::Watch HookOutput::*watch) {
      const int raw = (hook->streams.*fd).get();
      if (raw < 0) return;
      ::fcntl(raw, F_SETFL, O_NONBLOCK);
      hook.get()->*watch = hook->services.loop.on_readable(
          raw, [hook, fd, watch] { hook->feed(hook->streams.*fd, &(hook.get()->*watch)); });
    };
    follow(&ExecStreams::out, &HookOutput::out);
    follow(&ExecStreams::err, &HookOutput::err);
  });
}

}  // namespace stack::engine
