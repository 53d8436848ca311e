#include "cli/attached_up.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "base/fd.h"
#include "cli/duration_text.h"
#include "cli/follow.h"
#include "cli/terminal.h"
#include "cli/up_call.h"
#include "cli/watch_actions.h"
#include "compose/loader.h"
#include "compose/project.h"

namespace stack::cli {

namespace {

constexpr std::chrono::milliseconds kStep{100};

// What is not brought up has no exit code to wait for.
Status check_exit_code_from(const Arguments& args, const compose::Project& project) {
  const std::string from = args.text("exit-code-from");
  if (from.empty()) return ok_status();
  if (!project.services.contains(from))
    return Error::not_found(fmt::format("no such service: {}: not found", from));
  const auto& named = args.positional;
  if (named.empty() || std::find(named.begin(), named.end(), from) != named.end())
    return ok_status();
  compose::Project started = project;
  compose::select_services(started, named);
  if (!args.on("no-deps") && started.services.contains(from)) return ok_status();
  return Error::not_found(fmt::format("no such service: {}: disabled", from))
      .fix("It is neither named nor a dependency of what is: name it as well.");
}

// Which services' output is shown.
Result<std::set<std::string>> attach_set(const Arguments& args, const compose::Project& project) {
  std::set<std::string> out;
  const auto wanted = args.list("attach");
  if (!wanted.empty()) {
    std::string missing;
    for (const std::string& name : wanted) {
      if (project.services.contains(name)) continue;
      missing += (missing.empty() ? "" : ", ") + name;
    }
    if (!missing.empty())
      return Error::invalid(
          fmt::format("cannot attach to services not included in up: {}", missing));
    out.insert(wanted.begin(), wanted.end());
  } else if (!args.positional.empty() && !args.on("attach-dependencies")) {
    out.insert(args.positional.begin(), args.positional.end());
  } else {
    for (const auto& [name, service] : project.services) out.insert(name);
  }
  for (const auto& [name, service] : project.services) {
    if (wanted.empty() && !service.attach.value_or(true)) out.erase(name);
  }
  for (const std::string& name : args.list("no-attach")) out.erase(name);
  return out;
}

class AttachedSession {
 public:
  AttachedSession(Context& context, const Engine& engine, const Arguments& args,
                  const ProjectRequest& request, SignalWatch& signals)
      : context_(context), engine_(engine), args_(args), request_(request), signals_(signals) {}

  Status watch() {
    watcher_.emplace(TRY(Watcher::start(
        context_, *request_.scope.project,
        {args_.positional, args_.on("quiet-build"), true,
         [](const std::string& text) { print(fmt::format("        ⦿ {}\n", text)); }})));
    return ok_status();
  }

  // Follows until everything has ended; the exit code. What is watched may come back.
  Result<int> follow(Follower& follower) {
    const auto finish_at = [](TimePoint now) { return now + std::chrono::milliseconds(500); };
    std::optional<TimePoint> give_up;
    for (;;) {
      TRY(step(follower));
      for (const Follower::Exit& exit : follower.take_exits()) TRY(on_exit(exit));
      if (follower.finished() && !stop_ && !watching()) break;
      // Stopped, but a log stream stays open: its container is not ours to wait for any longer.
      if (stopped_ && !stop_) {
        const TimePoint now = std::chrono::steady_clock::now();
        if (!give_up) give_up = finish_at(now);
        if (now > *give_up) break;
      }
    }
    if (interrupted_) return 130;
    return code_.value_or(0);
  }

  // The first time stops, the second kills.
  Status on_interrupt() {
    if (!interrupted_) {
      interrupted_ = true;
      print("Gracefully Stopping... press Ctrl+C again to force\n");
      return begin_stop("stop", "Stopping");
    }
    return begin_stop("kill", "Killing");
  }

 private:
  bool watching() const { return watcher_ && !interrupted_ && !stop_ && !stopped_; }

  // Waits for what comes next of logs, signals, the stop under way and watched files.
  Status step(Follower& follower) {
    const bool watched = watching();
    const int others[] = {signals_.fd(), stop_ ? stop_->fd() : -1, watched ? watcher_->fd() : -1};
    const auto due = watched ? watcher_->due() : std::nullopt;
    const auto ready = TRY(follower.step(others, std::min(due.value_or(kStep), kStep)));
    for (const int fd : ready) {
      if (fd == signals_.fd() && signals_.take() != 0) TRY(on_interrupt());
      if (stop_ && fd == stop_->fd()) TRY(pump_stop());
      if (watched && fd == watcher_->fd()) TRY(watcher_->take());
    }
    if (watched && watcher_->due() == std::chrono::milliseconds{0} &&
        !watcher_->act(&signals_).ok())
      TRY(on_interrupt());
    if (stop_) stop_->tick();
    return ok_status();
  }

  Status begin_stop(const char* verb, const char* title) {
    ProjectRequest request;
    request.verb = verb;
    request.title = title;
    request.scope = request_.scope;
    if (!args_.positional.empty()) request.options.add("services", args_.positional);
    if (const auto timeout = args_.number("timeout"); timeout && request.verb == "stop") {
      request.options.add("timeout", std::int64_t{*timeout});
    }
    stop_.emplace(TRY(ProjectRun::begin(context_, engine_, request)));
    return ok_status();
  }

  Status pump_stop() {
    if (!TRY(stop_->pump())) return ok_status();
    stop_.reset();
    stopped_ = true;
    return ok_status();
  }

  Status on_exit(const Follower::Exit& exit) {
    const std::string from = args_.text("exit-code-from");
    const bool on_failure = args_.on("abort-on-container-failure");
    const bool on_any = args_.on("abort-on-container-exit") || (!from.empty() && !on_failure);
    if (!on_any && !on_failure) return ok_status();
    if (!from.empty() && exit.service == from && !code_) code_ = exit.code;
    const bool aborts = on_any || exit.code != 0;
    if (!aborts || stop_ || stopped_ || interrupted_) return ok_status();
    if (from.empty() && !code_) code_ = exit.code;
    const bool colour = context_.progress_options("").colour;
    (void)write_all(STDERR_FILENO, colour ? "\033[31;1mAborting on container exit...\033[0m\n"
                                          : "Aborting on container exit...\n");
    return begin_stop("stop", "Stopping");
  }

  Context& context_;
  const Engine& engine_;
  const Arguments& args_;
  const ProjectRequest& request_;
  SignalWatch& signals_;
  std::optional<ProjectRun> stop_;
  std::optional<Watcher> watcher_;
  bool interrupted_ = false;
  bool stopped_ = false;
  std::optional<int> code_;
};

}  // namespace

Result<int> attached_up(Context& context, const Arguments& args, ProjectRequest request) {
  std::shared_ptr<const compose::Project> holder;
  const compose::Project& project = *request.scope.project;
  const std::set<std::string> shown = TRY(attach_set(args, project));
  TRY(check_exit_code_from(args, project));
  const Engine* engine = TRY(context.engine());
  SignalWatch signals = TRY(SignalWatch::watch({SIGINT, SIGTERM}));
  AttachedSession session(context, *engine, args, request, signals);

  FollowOptions options;
  options.project = project.name;
  options.services = shown;
  options.format.colour = context.colour_stdout() && !args.on("no-color");
  options.format.prefix = !args.on("no-log-prefix");
  options.timestamps = args.on("timestamps");
  options.status_lines = true;
  options.split_streams = true;
  options.since = TRY(api_timestamp("0s", std::chrono::system_clock::now()));
  Follower follower(*engine, options);

  int failure_code = 1;
  const auto outcome = call_up(context, request, holder, args, &signals, &failure_code);
  if (!outcome.ok()) {
    if (outcome.error().kind != ErrorKind::kCancelled) {
      if (failure_code == 1) return outcome.error();
      print_error(outcome.error());
      return failure_code;
    }
    TRY(session.on_interrupt());
    TRY(session.follow(follower));
    return 130;
  }
  std::vector<Container> containers;
  std::vector<std::string> names;
  for (const CreatedContainer& created : outcome->containers) {
    if (!shown.contains(created.service)) continue;
    Container& container = containers.emplace_back();
    container.id = created.id;
    container.name = created.name;
    container.state = "running";
    container.labels[std::string(label::kService)] = created.service;
    names.push_back(name_in_project(created.name, project.name));
  }
  std::sort(names.begin(), names.end());
  std::string attaching;
  for (const std::string& name : names) attaching += (attaching.empty() ? "" : ", ") + name;
  print(fmt::format("Attaching to {}\n", attaching));
  TRY(follower.watch_events(options.since));
  TRY(follower.add(containers));
  if (args.on("watch")) TRY(session.watch());
  return session.follow(follower);
}

}  // namespace stack::cli
