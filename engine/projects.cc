#include "engine/projects.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/log.h"
#include "compose/loader.h"
#include "compose/render.h"
#include "engine/containers.h"
#include "engine/daemon.h"
#include "engine/local_engine.h"
#include "engine/project_options.h"
#include "engine/state_store.h"
#include "scheduler/run.h"
#include "scheduler/supervisor.h"

namespace stack::engine {

namespace {

using nlohmann::json;
using scheduler::ProjectPtr;

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json to_json(const scheduler::ProgressLine& line) {
  if (const auto* event = std::get_if<scheduler::ProgressEvent>(&line)) {
    json out{
        {"id", event->id}, {"status", event->status}, {"kind", scheduler::to_string(event->kind)}};
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
  json out{{"message", error.to_string()},
           {"exit_code", error.kind == ErrorKind::kCancelled ? 130 : 1}};
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
  if (const auto it = body.find("options"); it != body.end() && it->is_object())
    request.options = *it;
  if (const auto it = body.find("service"); it != body.end() && it->is_string())
    request.service = it->get<std::string>();
  if (const auto it = body.find("project"); it != body.end() && !it->is_null()) {
    auto project =
        TRY(compose::load_canonical(it->is_string() ? it->get<std::string>() : it->dump()));
    if (const auto dir = body.find("working_dir"); dir != body.end() && dir->is_string())
      project.working_dir = dir->get<std::string>();
    project.config_files = strings(body, "config_files");
    project.environment_files = strings(body, "environment_files");
    if (const auto env = body.find("environment"); env != body.end() && env->is_object()) {
      for (const auto& [key, value] : env->items()) {
        if (value.is_string()) project.environment[key] = value.get<std::string>();
      }
    }
    // Names only: services of profiles that are not active are no orphans.
    for (const auto& name : strings(body, "disabled_services"))
      project.disabled_services[name] = {};
    if (verb == "run") {
      const auto service = project.services.find(request.service);
      if (service == project.services.end())
        return Error::not_found("no such service: " + request.service);
      TRY(apply_run_options(request.options, &service->second));
    }
    request.project = std::make_shared<const compose::Project>(std::move(project));
  }
  static const std::set<std::string> kNeedProject = {"up", "build", "pull", "run"};
  if (kNeedProject.count(verb) != 0 && request.project == nullptr)
    return Error::invalid("\"project\" is missing");
  return request;
}

// A declared project in the state store: the canonical document, what travels beside it, and which
// replicas are kept.
std::string to_record(const scheduler::Kept& kept) {
  json replicas = json::object();
  for (const auto& [service, numbers] : kept.replicas) replicas[service] = numbers;
  return dump({{"project", compose::to_json(*kept.project)},
               {"working_dir", kept.project->working_dir},
               {"config_files", kept.project->config_files},
               {"environment_files", kept.project->environment_files},
               {"replicas", std::move(replicas)}});
}

Result<scheduler::Kept> parse_record(const std::string& text) {
  const json record = json::parse(text, nullptr, false);
  if (!record.is_object()) return Error::make(ErrorKind::kInternal, "the record is not JSON");
  auto project = TRY(compose::load_canonical(record.value("project", "")));
  project.working_dir = record.value("working_dir", "");
  project.config_files = strings(record, "config_files");
  project.environment_files = strings(record, "environment_files");
  scheduler::Kept kept;
  if (const auto it = record.find("replicas"); it != record.end() && it->is_object()) {
    for (const auto& [service, numbers] : it->items()) {
      for (const auto& number : numbers) kept.replicas[service].insert(number.get<int>());
    }
  }
  kept.project = std::make_shared<const compose::Project>(std::move(project));
  return kept;
}

}  // namespace

struct Projects::Impl {
  explicit Impl(Services& shared)
      : services(shared),
        engine(shared),
        timers(shared.loop),
        supervisor({engine, timers}, {[this](const std::string& name, const scheduler::Kept* kept) {
                                        store(name, kept);
                                      },
                                      [](const std::string& name, const std::string& message) {
                                        log_info("project {}: {}", name, message);
                                      }}) {}

  Services& services;
  LocalEngine engine;
  scheduler::LoopTimers timers;
  scheduler::Supervisor supervisor;
  int active = 0;

  void store(const std::string& name, const scheduler::Kept* kept) {
    const Status stored = kept != nullptr ? services.state.put("project", name, to_record(*kept))
                                          : services.state.erase("project", name);
    if (!stored.ok()) log_error("project {}: {}", name, stored.error().to_string());
  }
  Result<scheduler::RunHandle> start(const std::string& name, const Request& request,
                                     scheduler::ProgressSink progress, scheduler::RunDone done);
};

namespace {
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

Result<scheduler::RunHandle> Projects::Impl::start(const std::string& name, const Request& r,
                                                   scheduler::ProgressSink progress,
                                                   scheduler::RunDone done) {
  const scheduler::RunContext context{engine, timers};
  if (r.verb == "up")
    return supervisor.up(r.project, TRY(up_options(r.options)), std::move(progress),
                         std::move(done));
  if (r.verb == "down") {
    return supervisor.down(name, r.project, TRY(down_options(r.options)), std::move(progress),
                           std::move(done));
  }
  if (r.verb == "build")
    return scheduler::start_build(context, r.project, TRY(image_options(r.options)),
                                  std::move(progress), std::move(done));
  if (r.verb == "pull")
    return scheduler::start_pull(context, r.project, TRY(image_options(r.options)),
                                 std::move(progress), std::move(done));
  if (r.verb == "run") {
    auto options = TRY(run_options(r.options));
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
  return supervisor.verb(verb->second, name, r.project, TRY(services_options(r.options)),
                         std::move(progress), std::move(done));
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

Result<std::unique_ptr<Projects::Run>> Projects::run(const std::string& project,
                                                     const std::string& verb, std::string_view body,
                                                     std::function<void(std::string)> line,
                                                     std::function<void()> finished) {
  const Request request = TRY(parse_request(verb, body));
  const auto progress = [line](const scheduler::ProgressLine& what) { line(dump(to_json(what))); };
  const bool dry_run = request.options.value("dry_run", false);
  const auto done = [impl = impl_.get(), line, finished = std::move(finished), verb,
                     dry_run](Result<scheduler::RunResult> result) {
    if (result.ok()) {
      line(dump({{"result", to_json(verb, *result, dry_run)}}));
    } else {
      line(dump(to_json(result.error())));
    }
    --impl->active;
    finished();
  };
  auto handle = TRY(impl_->start(project, request, progress, done));
  ++impl_->active;
  std::unique_ptr<Run> run = std::make_unique<CancellingRun>(std::move(handle));
  return run;
}

bool Projects::busy() const { return impl_->active > 0; }

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
