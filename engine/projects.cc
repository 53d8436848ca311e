#include "engine/projects.h"

#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "compose/loader.h"
#include "engine/containers.h"
#include "engine/daemon.h"
#include "engine/local_engine.h"
#include "engine/project_options.h"
#include "scheduler/run.h"

namespace stack::engine {

namespace {

using nlohmann::json;
using scheduler::ProjectPtr;

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

json to_json(const scheduler::ProgressLine& line) {
  if (const auto* event = std::get_if<scheduler::ProgressEvent>(&line)) {
    json out{{"id", event->id}, {"status", event->status}, {"kind", scheduler::to_string(event->kind)}};
    if (!event->text.empty()) out["text"] = event->text;
    if (!event->parent.empty()) out["parent"] = event->parent;
    if (event->current != 0) out["current"] = event->current;
    if (event->total != 0) out["total"] = event->total;
    return out;
  }
  if (const auto* output = std::get_if<scheduler::OutputLine>(&line)) {
    return {{"log", output->text}, {"id", output->id}, {"stream", output->stream}};
  }
  return {{"warning", std::get<scheduler::Warning>(line).text}};
}

json to_json(const scheduler::ContainerSummary& c) {
  return {{"id", c.id}, {"name", c.name}, {"service", c.service}, {"number", c.number}};
}

json to_json(const std::string& verb, const scheduler::RunResult& result, bool dry_run) {
  json out = json::object();
  if (verb == "run") {
    out = {{"id", result.created.id}, {"name", result.created.name}};
  } else {
    out["containers"] = json::array();
    for (const auto& c : result.containers) out["containers"].push_back(to_json(c));
  }
  if (verb == "build") out["images"] = result.images;
  if (dry_run) out["plan"] = scheduler::to_text(result.plan);
  return out;
}

json to_json(const Error& error) {
  json out{{"message", error.to_string()}, {"exit_code", error.kind == ErrorKind::kCancelled ? 130 : 1}};
  if (!error.remedy.empty()) out["remedy"] = error.remedy;
  return {{"error", std::move(out)}};
}

struct Request {
  std::string verb;
  ProjectPtr project;  // null when the body has none
  json options = json::object();
  std::string service;  // run
};

std::vector<std::string> strings(const json& body, const char* key) {
  std::vector<std::string> out;
  const auto it = body.find(key);
  if (it == body.end() || !it->is_array()) return out;
  for (const auto& item : *it) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

Result<Request> parse_request(const std::string& verb, std::string_view text) {
  const json body = json::parse(text.empty() ? "{}" : text, nullptr, false);
  if (!body.is_object()) return Error::invalid("the body is not a JSON object");
  Request request;
  request.verb = verb;
  if (const auto it = body.find("options"); it != body.end() && it->is_object()) request.options = *it;
  if (const auto it = body.find("service"); it != body.end() && it->is_string()) request.service = it->get<std::string>();
  if (const auto it = body.find("project"); it != body.end() && !it->is_null()) {
    auto project = TRY(compose::load_canonical(it->is_string() ? it->get<std::string>() : it->dump()));
    if (const auto dir = body.find("working_dir"); dir != body.end() && dir->is_string()) project.working_dir = dir->get<std::string>();
    project.config_files = strings(body, "config_files");
    project.environment_files = strings(body, "environment_files");
    if (const auto env = body.find("environment"); env != body.end() && env->is_object()) {
      for (const auto& [key, value] : env->items()) {
        if (value.is_string()) project.environment[key] = value.get<std::string>();
      }
    }
    // Names only: services of profiles that are not active are no orphans.
    for (const auto& name : strings(body, "disabled_services")) project.disabled_services[name] = {};
    if (verb == "run") {
      const auto service = project.services.find(request.service);
      if (service == project.services.end()) return Error::not_found("no such service: " + request.service);
      TRY(apply_run_options(request.options, &service->second));
    }
    request.project = std::make_shared<const compose::Project>(std::move(project));
  }
  static const std::set<std::string> kNeedProject = {"up", "build", "pull", "run"};
  if (kNeedProject.count(verb) != 0 && request.project == nullptr) return Error::invalid("\"project\" is missing");
  return request;
}

bool ends_things(const std::string& verb) { return verb == "down" || verb == "stop" || verb == "kill" || verb == "rm"; }

}  // namespace

struct Projects::Impl {
  explicit Impl(Services& shared) : services(shared), engine(shared), timers(shared.loop) {}

  struct Job {
    std::string name;
    Request request;
    std::function<void(std::string)> line;
    std::function<void()> finished;
    scheduler::RunHandle handle;
    bool begun = false, cancelled = false;
  };
  using JobPtr = std::shared_ptr<Job>;

  Services& services;
  LocalEngine engine;
  scheduler::LoopTimers timers;
  std::map<std::string, std::deque<JobPtr>> jobs;  // by project; the front one runs

  void begin(const JobPtr& job);
  void end(const JobPtr& job);
  void cancel(const JobPtr& job);
  Result<scheduler::RunHandle> start(const JobPtr& job);
};

namespace {
class JobRun final : public Projects::Run {
 public:
  explicit JobRun(std::function<void()> cancel) : cancel_(std::move(cancel)) {}
  ~JobRun() override { cancel_(); }

 private:
  std::function<void()> cancel_;
};
}  // namespace

Result<scheduler::RunHandle> Projects::Impl::start(const JobPtr& job) {
  const Request& r = job->request;
  const scheduler::RunContext context{engine, timers};
  const auto progress = [job](const scheduler::ProgressLine& line) { job->line(dump(to_json(line))); };
  const auto done = [this, job](Result<scheduler::RunResult> result) {
    if (result.ok()) {
      const bool dry_run = job->request.options.value("dry_run", false);
      job->line(dump({{"result", to_json(job->request.verb, *result, dry_run)}}));
    } else {
      job->line(dump(to_json(result.error())));
    }
    end(job);
  };
  if (r.verb == "up") return scheduler::start_up(context, r.project, TRY(up_options(r.options)), progress, done);
  if (r.verb == "down") return scheduler::start_down(context, job->name, r.project, TRY(down_options(r.options)), progress, done);
  if (r.verb == "build") return scheduler::start_build(context, r.project, TRY(image_options(r.options)), progress, done);
  if (r.verb == "pull") return scheduler::start_pull(context, r.project, TRY(image_options(r.options)), progress, done);
  if (r.verb == "run") {
    auto options = TRY(run_options(r.options));
    options.service = r.service;
    return scheduler::start_run(context, r.project, std::move(options), progress, done);
  }
  static const std::map<std::string, scheduler::Verb> kVerbs = {
      {"start", scheduler::Verb::kStart}, {"stop", scheduler::Verb::kStop},   {"restart", scheduler::Verb::kRestart},
      {"kill", scheduler::Verb::kKill},   {"pause", scheduler::Verb::kPause}, {"unpause", scheduler::Verb::kUnpause},
      {"rm", scheduler::Verb::kRemove}};
  const auto verb = kVerbs.find(r.verb);
  if (verb == kVerbs.end()) return Error::not_found("no such project operation: " + r.verb);
  return scheduler::start_verb(context, verb->second, job->name, r.project, TRY(services_options(r.options)), progress, done);
}

void Projects::Impl::begin(const JobPtr& job) {
  job->begun = true;
  auto handle = start(job);
  if (handle.ok()) {
    job->handle = std::move(handle).value();
    return;
  }
  job->line(dump(to_json(handle.error())));
  end(job);
}

void Projects::Impl::end(const JobPtr& job) {
  // Later, so that neither the run nor its client is destroyed inside its own callback.
  services.loop.post([this, job] {
    auto& queue = jobs[job->name];
    queue.erase(std::remove(queue.begin(), queue.end(), job), queue.end());
    job->finished();
    if (const auto it = jobs.find(job->name); it != jobs.end()) {
      if (it->second.empty()) {
        jobs.erase(it);
      } else if (!it->second.front()->begun) {
        begin(it->second.front());
      }
    }
  });
}

void Projects::Impl::cancel(const JobPtr& job) {
  if (job->cancelled) return;
  job->cancelled = true;
  if (job->begun) return job->handle.cancel();
  job->line(dump(to_json(Error::make(ErrorKind::kCancelled, "cancelled"))));
  end(job);
}

Projects::Projects(Services& services) : impl_(std::make_unique<Impl>(services)) {}
Projects::~Projects() = default;

Result<std::unique_ptr<Projects::Run>> Projects::run(const std::string& project, const std::string& verb, std::string_view body,
                                                     std::function<void(std::string)> line, std::function<void()> finished) {
  auto job = std::make_shared<Impl::Job>();
  job->name = project;
  job->request = TRY(parse_request(verb, body));
  job->line = std::move(line);
  job->finished = std::move(finished);
  auto& queue = impl_->jobs[project];
  if (ends_things(verb)) {
    const auto earlier = queue;
    for (const auto& other : earlier) {
      if (!ends_things(other->request.verb)) impl_->cancel(other);
    }
  }
  queue.push_back(job);
  if (queue.size() == 1) {
    impl_->services.loop.post([impl = impl_.get(), job] {
      if (!job->begun && !job->cancelled) impl->begin(job);
    });
  }
  std::unique_ptr<Run> handle = std::make_unique<JobRun>([impl = impl_.get(), job] { impl->cancel(job); });
  return handle;
}

bool Projects::busy() const { return !impl_->jobs.empty(); }

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
    ++seen.states[to_string(c->status)];
    if (c->status == RunState::kRunning) seen.running = true;
    if (const auto files = labels.find("com.docker.compose.project.config_files"); files != labels.end()) seen.files.insert(files->second);
  }
  std::vector<ProjectListing> out;
  for (const auto& [name, seen] : projects) {
    if (!all && !seen.running) continue;
    ProjectListing listing{name, "", ""};
    for (const auto& [state, count] : seen.states) {
      listing.status += (listing.status.empty() ? "" : ", ") + state + "(" + std::to_string(count) + ")";
    }
    for (const auto& files : seen.files) listing.config_files += (listing.config_files.empty() ? "" : ",") + files;
    out.push_back(std::move(listing));
  }
  return out;
}

}  // namespace stack::engine
