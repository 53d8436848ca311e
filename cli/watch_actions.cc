#include "cli/watch_actions.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/fd.h"
#include "base/files.h"
#include "cli/containers.h"
#include "cli/json_text.h"
#include "cli/project_run.h"
#include "cli/session.h"
#include "cli/tar.h"

namespace stack::cli {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

// Editors write a file in several steps; a checkout writes thousands.
constexpr milliseconds kQuiet{15};
constexpr milliseconds kLongest{200};

// Go's %q of a list.
std::string quoted(const std::set<std::string>& names) {
  std::string out = "[";
  for (const auto& name : names) out += (out.size() > 1 ? " \"" : "\"") + name + "\"";
  return out + "]";
}

// What has changed as an archive of the container's root; what is gone goes to `removed`.
Result<std::string> archive_of(const std::map<std::string, std::string>& files,
                               std::vector<std::string>* removed) {
  std::string out;
  for (const auto& [host, target] : files) {
    struct stat st {};
    if (::lstat(host.c_str(), &st) != 0) {
      if (target != "/") removed->push_back(target);
      continue;
    }
    TarEntry entry;
    entry.name = target.substr(target.find_first_not_of('/'));
    entry.mode = st.st_mode & 07777U;
    entry.mtime = st.st_mtime;
    std::string data;
    if (S_ISDIR(st.st_mode)) {
      entry.type = '5';
      entry.name += '/';
    } else if (S_ISLNK(st.st_mode)) {
      entry.type = '2';
      std::error_code ec;
      entry.link = fs::read_symlink(host, ec).string();
    } else if (S_ISREG(st.st_mode)) {
      auto text = read_file(host, std::size_t{1} << 30U);
      if (!text.ok()) continue;  // gone or replaced meanwhile: its own event comes
      data = std::move(text).value();
      entry.size = data.size();
    } else {
      continue;
    }
    out += tar_header(entry) + data + tar_padding(data.size());
  }
  if (!out.empty()) out += std::string(1024, '\0');
  return out;
}

Status put_archive(const Engine& engine, const std::string& id, const std::string& archive) {
  BodyStream answer = TRY(engine.http().upload(
      "PUT", fmt::format("{}/containers/{}/archive?path=%2F", kApi, id), "application/x-tar",
      [&](const ApiClient::Sink& sink) { return sink(archive); }));
  std::string rest;
  while (TRY(answer.read(rest))) {
  }
  return ok_status();
}

// Runs a command in the container; its output is shown.
Result<int> run_in(const Engine& engine, const std::string& id, const compose::Hook& hook) {
  JsonObject body;
  body.add("AttachStdout", true).add("AttachStderr", true).add("Cmd", hook.command);
  if (!hook.user.empty()) body.add("User", hook.user);
  if (!hook.working_dir.empty()) body.add("WorkingDir", hook.working_dir);
  if (hook.privileged) body.add("Privileged", true);
  std::vector<std::string> environment;
  for (const auto& [name, value] : hook.environment)
    environment.push_back(value ? name + "=" + *value : name);
  body.add("Env", environment);
  const std::string created =
      TRY(engine.http().post(fmt::format("{}/containers/{}/exec", kApi, id), body.text()));
  const std::string exec = json_member(created, "Id");
  Hijacked connection =
      TRY(engine.http().hijack(fmt::format("{}/exec/{}/start", kApi, exec),
                               JsonObject().add("Detach", false).add("Tty", false).text()));
  SessionOptions options;
  options.input = false;
  TRY(run_session(std::move(connection), options));
  return engine.exec_exit_code(exec);
}

}  // namespace

Status Watcher::check(const compose::Project& project, const std::vector<std::string>& services) {
  const WatchRules rules = TRY(watch_rules(project, services));
  for (const WatchRule& rule : rules.rules) {
    if (exists(rule.trigger.path)) continue;
    return Error::not_found(fmt::format("service \"{}\": the watched path {} does not exist",
                                        rule.service, rule.trigger.path))
        .fix("Create it, or correct develop.watch.path in the Compose file.");
  }
  return ok_status();
}

Result<Watcher> Watcher::start(Context& context, const compose::Project& project, Options options) {
  WatchRules found = TRY(watch_rules(project, options.services));
  for (const auto& warning : found.warnings) context.warn(warning);
  TreeWatch tree = TRY(TreeWatch::create([rules = found.rules](const std::string& directory) {
    return std::all_of(rules.begin(), rules.end(),
                       [&](const WatchRule& rule) { return rule.can_skip(directory); });
  }));
  for (const WatchRule& rule : found.rules) TRY(tree.add(rule.trigger.path));
  Watcher watcher(context, project, std::move(options), std::move(found.rules), std::move(tree));
  TRY(watcher.initial_sync());
  watcher.options_.say("Watch enabled");
  return watcher;
}

Status Watcher::initial_sync() {
  std::map<std::string, WatchWork> work;
  for (const WatchRule& rule : rules_) {
    if (!rule.trigger.initial_sync || rule.trigger.action.rfind("sync", 0) != 0) continue;
    WatchWork& all = work[rule.service];
    std::error_code ec;
    for (fs::recursive_directory_iterator it(rule.trigger.path, ec), end; !ec && it != end;
         it.increment(ec)) {
      const std::string path = it->path().string();
      if (it->is_directory(ec) && rule.can_skip(path)) {
        it.disable_recursion_pending();
      } else if (rule.matches(path)) {
        all.files[path] = rule.target_of(path);
      }
    }
    if (!fs::is_directory(rule.trigger.path, ec))
      all.files[rule.trigger.path] = rule.trigger.target;
  }
  for (const auto& [service, files] : work) {
    if (!files.files.empty()) TRY(sync(service, files));
  }
  return ok_status();
}

Status Watcher::take() {
  const bool none = changed_.empty();
  std::set<std::string> seen;
  TRY(tree_.take(&seen));
  for (const std::string& path : seen) {
    if (std::any_of(rules_.begin(), rules_.end(),
                    [&](const WatchRule& rule) { return rule.matches(path); }))
      changed_.insert(path);
  }
  if (changed_.empty()) return ok_status();
  last_ = std::chrono::steady_clock::now();
  if (none) first_ = last_;
  return ok_status();
}

std::optional<milliseconds> Watcher::due() const {
  if (changed_.empty()) return std::nullopt;
  const auto at = std::min(last_ + kQuiet, first_ + kLongest);
  const auto left = std::chrono::ceil<milliseconds>(at - std::chrono::steady_clock::now());
  return std::max(left, milliseconds{0});
}

Status Watcher::act(SignalWatch* signals) {
  const auto work = work_for(rules_, std::exchange(changed_, {}));
  std::set<std::string> rebuilt;
  std::set<std::string> restarted;
  for (const auto& [service, what] : work) {
    if (what.rebuild) {
      rebuilt.insert(service);
      continue;  // the new image has the files
    }
    if (!what.files.empty()) {
      options_.say(fmt::format("Syncing service \"{}\" after {} changes were detected", service,
                               what.files.size()));
      if (Status synced = sync(service, what); !synced.ok()) {
        print_error(synced.error());
        continue;
      }
    }
    if (what.restart) restarted.insert(service);
  }
  for (auto& [services, action] :
       {std::pair{&restarted, &Watcher::restart}, std::pair{&rebuilt, &Watcher::rebuild}}) {
    if (services->empty()) continue;
    Status done = (this->*action)(*services, signals);
    if (!done.ok() && done.error().kind == ErrorKind::kCancelled) return done;
    if (!done.ok()) print_error(done.error());
  }
  return ok_status();
}

Result<std::vector<Container>> Watcher::containers_of(const std::string& service) const {
  auto containers =
      TRY(project_containers(*context_, {project_->name, project_}, {service}, false));
  std::erase_if(containers, [](const Container& c) { return c.one_off(); });
  return containers;
}

Status Watcher::sync(const std::string& service, const WatchWork& work) {
  std::vector<std::string> removed;
  const std::string archive = TRY(archive_of(work.files, &removed));
  const Engine* engine = TRY(context_->engine());
  for (const Container& container : TRY(containers_of(service))) {
    if (!archive.empty()) TRY(put_archive(*engine, container.id, archive));
    if (!removed.empty()) {
      compose::Hook remove;
      remove.command = {"rm", "-rf"};
      remove.command.insert(remove.command.end(), removed.begin(), removed.end());
      remove.user = "0";
      if (const int code = TRY(run_in(*engine, container.id, remove)); code != 0)
        return Error::make(
            ErrorKind::kInternal,
            fmt::format("removing files in {}: rm ended with {}", container.name, code));
    }
    for (const compose::Hook* hook : work.execs) {
      if (const int code = TRY(run_in(*engine, container.id, *hook)); code != 0)
        return Error::make(ErrorKind::kInternal,
                           fmt::format("the exec of service {} ended with {}", service, code));
    }
  }
  return ok_status();
}

Status Watcher::restart(const std::set<std::string>& services, SignalWatch* signals) {
  ProjectRequest request;
  request.verb = "restart";
  request.title = "Restarting";
  request.scope = {project_->name, project_};
  request.quiet_steps = true;
  request.options.add("services", std::vector<std::string>(services.begin(), services.end()));
  request.options.add("no_deps", true);
  TRY(call_project(*context_, request, signals));
  options_.say(fmt::format("service(s) {} restarted", quoted(services)));
  return ok_status();
}

Status Watcher::rebuild(const std::set<std::string>& services, SignalWatch* signals) {
  options_.say(
      fmt::format("Rebuilding service(s) {} after changes were detected...", quoted(services)));
  std::set<std::string> replaced;
  for (const std::string& service : services) {
    for (const Container& container : TRY(containers_of(service)))
      replaced.insert(container.image_id);
  }
  ProjectRequest request;
  request.verb = "up";
  request.title = "Building";
  request.scope = {project_->name, project_};
  request.quiet_steps = true;
  request.quiet_log = options_.quiet;
  request.options.add("services", std::vector<std::string>(services.begin(), services.end()));
  request.options.add("build", true).add("no_deps", true).add("force_recreate", true);
  TRY(call_project(*context_, request, signals));
  options_.say(fmt::format("service(s) {} successfully built", quoted(services)));
  if (!options_.prune) return ok_status();
  const Engine* engine = TRY(context_->engine());
  // Refused while it has a name or a container, which is what we want.
  for (const std::string& image : replaced)
    (void)engine->http().remove(fmt::format("{}/images/{}", kApi, url_encode(image)));
  return ok_status();
}

}  // namespace stack::cli
