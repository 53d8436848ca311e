#include "engine/projects.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/log.h"
#include "engine/boot.h"
#include "engine/containers.h"
#include "engine/daemon.h"
#include "engine/history.h"
#include "engine/json_fields.h"
#include "engine/local_engine.h"
#include "engine/project_options.h"
#include "engine/project_record.h"
#include "engine/project_request.h"
#include "engine/revisions.h"
#include "engine/run_record.h"
#include "engine/state_store.h"
#include "engine/tcp_sockets.h"
#include "images/store.h"
#include "scheduler/labels.h"
#include "scheduler/reconcile.h"
#include "scheduler/run.h"
#include "scheduler/supervisor.h"

namespace stack::engine {

namespace {

using nlohmann::json;
using scheduler::ProjectPtr;

// A declared project in the state store, and which replicas are kept.
std::string to_record(const scheduler::Kept& kept) {
  json replicas = json::object();
  for (const auto& [service, numbers] : kept.replicas) replicas[service] = numbers;
  json record = project_record(*kept.project);
  record["replicas"] = std::move(replicas);
  return dump(record);
}

Result<scheduler::Kept> parse_record(const std::string& text) {
  const json record = json::parse(text, nullptr, false);
  scheduler::Kept kept;
  kept.project = std::make_shared<const compose::Project>(TRY(parse_project_record(record)));
  if (const auto it = record.find("replicas"); it != record.end() && it->is_object()) {
    for (const auto& [service, numbers] : it->items()) {
      for (const auto& number : numbers) kept.replicas[service].insert(number.get<int>());
    }
  }
  return kept;
}

}  // namespace

struct Projects::Impl {
  explicit Impl(Services& shared)
      : services(shared),
        revisions(shared.state),
        engine(shared, revisions),
        timers(shared.loop),
        supervisor(
            {engine, timers},
            {[this](const std::string& name, const scheduler::Kept* kept) { store(name, kept); },
             [this](const std::string& name, const std::string& message) {
               log_info("project {}: {}", name, message);
               if (services.history != nullptr)
                 services.history->record({{}, name, "", "", "mend", message, "supervisor"});
             }}) {}

  Services& services;
  Revisions revisions;
  LocalEngine engine;
  scheduler::LoopTimers timers;
  scheduler::Supervisor supervisor;
  ProjectBoot boot{services, supervisor};
  int active = 0;

  void store(const std::string& name, const scheduler::Kept* kept) {
    const Status stored = kept != nullptr ? services.state.put("project", name, to_record(*kept))
                                          : services.state.erase("project", name);
    if (!stored.ok()) log_error("project {}: {}", name, stored.error().to_string());
  }
  Result<scheduler::RunHandle> start(const std::string& name, ProjectRequest& request,
                                     scheduler::ProgressSink progress, scheduler::RunDone done);
  Result<scheduler::RunHandle> roll_back(const std::string& name, ProjectRequest& request,
                                         scheduler::ProgressSink progress, scheduler::RunDone done);
  // What stays of a run: its history, its times, and the revision that it made.
  void remember(const std::string& name, const ProjectRequest& request, WallTime began,
                const Result<scheduler::RunResult>& result);
};

namespace {

bool may_roll_back(const compose::Project& project) {
  return std::any_of(project.services.begin(), project.services.end(), [](const auto& entry) {
    const auto& deploy = entry.second.deploy;
    return deploy && deploy->update_config && deploy->update_config->failure_action == "rollback";
  });
}

class CancellingRun final : public Projects::Run {
 public:
  explicit CancellingRun(scheduler::RunHandle handle) : handle_(std::move(handle)) {}
  ~CancellingRun() override {
    if (!handle_.finished()) handle_.cancel();
  }

 private:
  scheduler::RunHandle handle_;
};
}  // namespace

Result<scheduler::RunHandle> Projects::Impl::start(const std::string& name, ProjectRequest& r,
                                                   scheduler::ProgressSink progress,
                                                   scheduler::RunDone done) {
  const scheduler::RunContext context{engine, timers};
  if (r.verb == "up") {
    scheduler::UpOptions options = TRY(up_options(*r.options));
    if (may_roll_back(*r.project)) {
      if (auto last = revisions.load(name, 0); last.ok()) {
        options.fallback.emplace(scheduler::Fallback{last->project, last->images,
                                                     "revision " + std::to_string(last->number)});
      }
    }
    return supervisor.up(r.project, std::move(options), std::move(progress), std::move(done));
  }
  if (r.verb == "rollback") return roll_back(name, r, std::move(progress), std::move(done));
  if (r.verb == "down") {
    return supervisor.down(name, r.project, TRY(down_options(*r.options)), std::move(progress),
                           std::move(done));
  }
  if (r.verb == "build")
    return scheduler::start_build(context, r.project, TRY(image_options(*r.options)),
                                  std::move(progress), std::move(done));
  if (r.verb == "pull")
    return scheduler::start_pull(context, r.project, TRY(image_options(*r.options)),
                                 std::move(progress), std::move(done));
  if (r.verb == "run") {
    auto options = TRY(run_options(*r.options));
    options.service = r.service;
    return supervisor.run(r.project, std::move(options), std::move(progress), std::move(done));
  }
  static const std::map<std::string, scheduler::Verb> kVerbs = {
      {"start", scheduler::Verb::kStart},     {"stop", scheduler::Verb::kStop},
      {"restart", scheduler::Verb::kRestart}, {"kill", scheduler::Verb::kKill},
      {"pause", scheduler::Verb::kPause},     {"unpause", scheduler::Verb::kUnpause},
      {"rm", scheduler::Verb::kRemove}};
  const auto verb = kVerbs.find(r.verb);
  if (verb == kVerbs.end()) return Error::not_found("no such project operation: " + r.verb);
  return supervisor.verb(verb->second, name, r.project, TRY(services_options(*r.options)),
                         std::move(progress), std::move(done));
}

Result<scheduler::RunHandle> Projects::Impl::roll_back(const std::string& name, ProjectRequest& r,
                                                       scheduler::ProgressSink progress,
                                                       scheduler::RunDone done) {
  scheduler::UpOptions options = TRY(up_options(*r.options));
  const auto asked = r.options->find("revision");
  if (asked != r.options->end() && !asked->is_number_integer())
    return Error::invalid("options.revision must be a number");
  const Revision revision =
      TRY(revisions.load(name, asked == r.options->end() ? -1 : asked->get<int>()));
  for (const auto& [service, image] : revision.images) {
    if (services.store.find(image).ok()) continue;
    return Error::not_found(fmt::format("the image of service \"{}\" in revision {} is gone: {}",
                                        service, revision.number, image))
        .fix(
            "Roll back to another revision (`stack rollback --list`), or bring the image back and "
            "use `stack up`.");
  }
  options.rollback = true;
  options.pinned_images = revision.images;
  r.project = revision.project;
  (*r.options)["revision"] = revision.number;
  progress(scheduler::Warning{fmt::format("going back to revision {}", revision.number)});
  return supervisor.up(r.project, std::move(options), std::move(progress), std::move(done));
}

void Projects::Impl::remember(const std::string& name, const ProjectRequest& r, WallTime began,
                              const Result<scheduler::RunResult>& result) {
  const bool questions = result.ok() && !result->questions.empty();
  if (r.options->value("dry_run", false) || questions || services.history == nullptr) return;
  const std::string what =
      r.verb == "rollback" ? fmt::format("rollback to revision {}", r.options->value("revision", 0))
                           : r.verb;
  const std::string who = r.who.empty() ? "api" : r.who;
  services.history->record({began, name, r.service, "", what,
                            result.ok() ? "" : "failed: " + result.error().to_string(), who});
  if (!result.ok() && result.error().kind == ErrorKind::kCancelled) return;
  if (result.ok()) {
    for (const auto& step : result->plan.steps) {
      if (step.cause.empty() || scheduler::is_waiting(step.op)) continue;
      const auto* ref = scheduler::container_of(step.op);
      const auto* create = std::get_if<scheduler::CreateContainer>(&step.op);
      services.history->record({{},
                                name,
                                create != nullptr ? create->service
                                : ref != nullptr  ? ref->service
                                                  : "",
                                ref != nullptr ? ref->name : "",
                                scheduler::to_string(step.op),
                                step.cause,
                                who});
    }
  }
  static const std::set<std::string> kBringUp = {"up", "start", "restart", "rollback"};
  if (kBringUp.count(r.verb) == 0) return;
  scheduler::LastRun run{what, who, began, result.ok() ? "" : result.error().to_string(), {}};
  if (result.ok()) run.steps = result->times;
  if (const Status kept = services.state.put("run", name, to_record(run)); !kept.ok())
    log_error("project {}: {}", name, kept.error().to_string());
  const bool declares = r.verb == "up" || r.verb == "rollback";
  if (!declares || !result.ok() || r.project == nullptr || r.options->value("no_start", false) ||
      scheduler::count_changes(result->plan) == 0)
    return;
  std::map<std::string, std::string> images;
  for (const Container* c : services.containers->list()) {
    const auto& labels = c->config.labels;
    const std::string service = scheduler::label_of(labels, scheduler::kServiceLabel);
    if (scheduler::label_of(labels, scheduler::kProjectLabel) == name &&
        r.project->services.contains(service))
      images.emplace(service, c->image_id);
  }
  const Status added = revisions.add(*r.project, images, who, what, services.clock.wall());
  if (!added.ok()) log_error("project {}: {}", name, added.error().to_string());
}

Projects::Projects(Services& services) : impl_(std::make_unique<Impl>(services)) {}
Projects::~Projects() = default;

void Projects::adopt() {
  auto records = impl_->services.state.all("project");
  if (!records.ok()) {
    log_error("reading projects: {}", records.error().to_string());
    return;
  }
  for (const auto& [name, text] : *records) {
    auto kept = parse_record(text);
    if (kept.ok()) {
      impl_->supervisor.restore(std::move(kept).value());
    } else {
      log_error("project {}: {}", name, kept.error().to_string());
    }
  }
}

void Projects::boot(const std::vector<std::string>& containers) { impl_->boot.begin(containers); }

Result<std::unique_ptr<Projects::Run>> Projects::run(const std::string& project,
                                                     const std::string& verb, std::string_view body,
                                                     std::function<void(std::string)> line,
                                                     std::function<void()> finished) {
  if (verb == "enable" || verb == "disable") {
    const auto all = list(true);
    if (std::none_of(all.begin(), all.end(), [&](const auto& p) { return p.name == project; })) {
      return Error::not_found("no such project: " + project).fix("Bring it up first: stack up -d.");
    }
    TRY(verb == "enable" ? enable_project(impl_->services.paths, impl_->services.state, project)
                         : disable_project(impl_->services.paths, impl_->services.state, project));
    line(dump({{"result", json::object()}}));
    finished();
    return std::unique_ptr<Run>();
  }
  const auto request = std::make_shared<ProjectRequest>(TRY(parse_project_request(verb, body)));
  const auto progress = [line](const scheduler::ProgressLine& what) { line(dump(to_json(what))); };
  const bool dry_run = request->options->value("dry_run", false);
  const WallTime began = impl_->services.clock.wall();
  const auto done = [impl = impl_.get(), line, finished = std::move(finished), verb, dry_run,
                     request, project, began](Result<scheduler::RunResult> result) {
    impl->remember(project, *request, began, result);
    if (result.ok()) {
      line(dump({{"result", to_json(verb, *result, dry_run)}}));
    } else {
      line(dump(to_json(result.error())));
    }
    --impl->active;
    finished();
  };
  auto handle = TRY(impl_->start(project, *request, progress, done));
  ++impl_->active;
  std::unique_ptr<Run> run = std::make_unique<CancellingRun>(std::move(handle));
  return run;
}

Result<std::vector<RevisionSummary>> Projects::revisions(const std::string& project) const {
  return impl_->revisions.list(project);
}

void Projects::why(const std::string& project, const std::string& service,
                   std::function<void(Result<std::vector<scheduler::Because>>)> done) {
  Services& services = impl_->services;
  scheduler::ObserveRequest request;
  request.project = project;
  impl_->engine.observe(
      request, [this, &services, project, service, done](Result<scheduler::Observed> seen) {
        if (!seen.ok()) return done(std::move(seen).error());
        const scheduler::Kept* kept = impl_->supervisor.kept(project);
        auto last_declared = impl_->revisions.load(project, 0);
        const compose::Project declared = kept != nullptr ? *kept->project
                                          : last_declared.ok()
                                              ? *last_declared->project
                                              : scheduler::project_from_labels(project, *seen);
        const bool known = declared.services.contains(service) ||
                           std::any_of(seen->containers.begin(), seen->containers.end(),
                                       [&](const auto& c) { return c.service == service; });
        if (!known) return done(Error::not_found("no such service: " + service));
        scheduler::WhyInput input{declared, *seen, service, {}, {}, {}};
        if (auto records = services.state.all("run"); records.ok()) {
          for (const auto& [name, text] : *records) {
            if (name != project) continue;
            if (auto run = parse_run_record(text); run.ok())
              input.last_run = std::move(run).value();
          }
        }
        for (const Container* c : services.containers->list()) {
          if (c->pid == 0 ||
              scheduler::label_of(c->config.labels, scheduler::kProjectLabel) != project ||
              scheduler::label_of(c->config.labels, scheduler::kServiceLabel) != service)
            continue;
          auto& addresses = input.listening[c->id];
          for (const auto& socket : tcp_sockets_of(c->pid)) {
            if (socket.listens)
              addresses.push_back(socket.address + ":" + std::to_string(socket.port));
          }
        }
        static const std::set<std::string> kStops = {"stop", "kill", "down", "rm", "restart"};
        if (auto history = services.history->find(project, WallTime{}, 500); history.ok()) {
          for (const auto& entry : *history) {
            if (kStops.count(entry.action) != 0 && !entry.who.empty())
              input.stopped_by = fmt::format("`{}` of {}", entry.action, entry.who);
          }
        }
        done(scheduler::explain(input));
      });
}

void Projects::forget(const Container& container) {
  const auto seen = observed_container(container);
  if (!seen.one_off) impl_->supervisor.forget(seen.project, seen.service, seen.number);
}

bool Projects::busy() const { return impl_->active > 0 || impl_->boot.busy(); }

std::vector<ProjectListing> Projects::list(bool all) const {
  struct Seen {
    std::map<std::string, int> states;
    std::set<std::string> files;
    bool running = false;
  };
  std::map<std::string, Seen> projects;
  for (const Container* c : impl_->services.containers->list()) {
    const auto& labels = c->config.labels;
    const auto name = labels.find("com.docker.compose.project");
    if (name == labels.end()) continue;
    Seen& seen = projects[name->second];
    ++seen.states[std::string(to_string(c->status))];
    if (c->status == RunState::kRunning) seen.running = true;
    if (const auto files = labels.find("com.docker.compose.project.config_files");
        files != labels.end())
      seen.files.insert(files->second);
  }
  std::vector<ProjectListing> out;
  for (const auto& [name, seen] : projects) {
    if (!all && !seen.running) continue;
    ProjectListing listing{name, "", ""};
    for (const auto& [state, count] : seen.states) {
      listing.status +=
          (listing.status.empty() ? "" : ", ") + state + "(" + std::to_string(count) + ")";
    }
    for (const auto& files : seen.files)
      listing.config_files += (listing.config_files.empty() ? "" : ",") + files;
    out.push_back(std::move(listing));
  }
  return out;
}

}  // namespace stack::engine
