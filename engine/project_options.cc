#include "engine/project_options.h"

#include <nlohmann/json.hpp>

#include "base/files.h"

namespace stack::engine {

namespace {

using nlohmann::json;

// Reads members by name; the first of a wrong type is the error.
class Reader {
 public:
  explicit Reader(const json& object) : object_(object) {}
  Reader& flag(const char* key, bool* out) {
    return with(key, "a boolean",
                [&](const json& v) { return v.is_boolean() && ((*out = v.get<bool>()), true); });
  }
  Reader& text(const char* key, std::string* out) {
    return with(key, "a string", [&](const json& v) {
      return v.is_string() && ((*out = v.get<std::string>()), true);
    });
  }
  Reader& number(const char* key, std::optional<int>* out) {
    return with(key, "a number", [&](const json& v) {
      return v.is_number_integer() && ((*out = v.get<int>()), true);
    });
  }
  Reader& list(const char* key, std::vector<std::string>* out) {
    return with(key, "a list of strings", [&](const json& v) {
      if (!v.is_array()) return false;
      for (const auto& item : v) {
        if (!item.is_string()) return false;
        out->push_back(item.get<std::string>());
      }
      return true;
    });
  }
  template <typename T>
  Reader& map(const char* key, std::map<std::string, T>* out) {
    return with(key, "an object", [&](const json& v) {
      if (!v.is_object()) return false;
      for (const auto& [name, value] : v.items()) {
        if constexpr (std::is_same_v<T, int>) {
          if (!value.is_number_integer()) return false;
        } else {
          if (!value.is_string()) return false;
        }
        (*out)[name] = value.template get<T>();
      }
      return true;
    });
  }
  Reader& pull(scheduler::PullPolicy* out) {
    std::string word;
    text("pull", &word);
    if (word == "always") {
      *out = scheduler::PullPolicy::kAlways;
    } else if (word == "missing" || word == "if_not_present") {
      *out = scheduler::PullPolicy::kMissing;
    } else if (word == "never") {
      *out = scheduler::PullPolicy::kNever;
    } else if (!word.empty() && word != "policy" && status_.ok()) {
      status_ = Error::invalid("invalid --pull option \"" + word + "\"");
    }
    return *this;
  }
  Status status() { return std::move(status_); }

 private:
  Reader& with(const char* key, const char* expected,
               const std::function<bool(const json&)>& read) {
    const auto it = object_.find(key);
    if (it == object_.end() || it->is_null() || !status_.ok()) return *this;
    if (!read(*it))
      status_ = Error::invalid(std::string("options.") + key + " must be " + expected);
    return *this;
  }
  const json& object_;
  Status status_ = ok_status();
};

}  // namespace

Result<scheduler::UpOptions> up_options(const json& options) {
  scheduler::UpOptions o;
  std::vector<std::string> recreate;
  TRY(Reader(options)
          .list("services", &o.services)
          .flag("build", &o.build)
          .flag("no_build", &o.no_build)
          .pull(&o.pull)
          .flag("no_cache", &o.no_cache)
          .map("build_args", &o.build_args)
          .flag("force_recreate", &o.force_recreate)
          .flag("no_recreate", &o.no_recreate)
          .flag("always_recreate_deps", &o.always_recreate_deps)
          .flag("renew_anon_volumes", &o.renew_anon_volumes)
          .flag("no_deps", &o.no_deps)
          .flag("no_start", &o.no_start)
          .flag("remove_orphans", &o.remove_orphans)
          .flag("all_resources", &o.all_resources)
          .flag("ignore_orphans", &o.ignore_orphans)
          .map("scale", &o.scale)
          .number("timeout", &o.timeout)
          .flag("wait", &o.wait)
          .number("wait_timeout", &o.wait_timeout)
          .flag("yes", &o.recreate_all_volumes)
          .flag("ask", &o.ask)
          .text("expected", &o.expected)
          .list("recreate_volumes", &recreate)
          .flag("dry_run", &o.dry_run)
          .status());
  o.recreate_volumes.insert(recreate.begin(), recreate.end());
  return o;
}

Result<scheduler::DownOptions> down_options(const json& options) {
  scheduler::DownOptions o;
  TRY(Reader(options)
          .list("services", &o.services)
          .flag("remove_orphans", &o.remove_orphans)
          .number("timeout", &o.timeout)
          .flag("volumes", &o.volumes)
          .text("rmi", &o.rmi)
          .flag("dry_run", &o.dry_run)
          .status());
  return o;
}

Result<scheduler::ServicesOptions> services_options(const json& options) {
  scheduler::ServicesOptions o;
  TRY(Reader(options)
          .list("services", &o.services)
          .number("timeout", &o.timeout)
          .flag("no_deps", &o.no_deps)
          .text("signal", &o.signal)
          .flag("remove_orphans", &o.remove_orphans)
          .flag("stop", &o.stop)
          .flag("volumes", &o.volumes)
          .flag("wait", &o.wait)
          .number("wait_timeout", &o.wait_timeout)
          .flag("dry_run", &o.dry_run)
          .status());
  return o;
}

Result<scheduler::ImageOptions> image_options(const json& options) {
  scheduler::ImageOptions o;
  Reader reader(options);
  reader.list("services", &o.services)
      .flag("no_cache", &o.no_cache)
      .map("build_args", &o.build_args)
      .flag("with_dependencies", &o.with_dependencies)
      .flag("plain", &o.plain)
      .flag("ignore_buildable", &o.ignore_buildable)
      .flag("ignore_pull_failures", &o.ignore_pull_failures)
      .flag("pull_base", &o.pull)
      .flag("dry_run", &o.dry_run);
  // `pull` is a boolean for build (refresh bases) and a policy for pull.
  if (const auto it = options.find("pull"); it != options.end() && it->is_boolean()) {
    o.pull = it->get<bool>();
  } else {
    reader.pull(&o.policy);
  }
  TRY(reader.status());
  return o;
}

Result<scheduler::RunOptions> run_options(const json& options) {
  scheduler::RunOptions o;
  std::vector<std::string> labels;
  TRY(Reader(options)
          .text("name", &o.name)
          .list("labels", &labels)
          .flag("use_aliases", &o.use_aliases)
          .flag("no_deps", &o.no_deps)
          .flag("build", &o.build)
          .flag("remove_orphans", &o.remove_orphans)
          .flag("ignore_orphans", &o.ignore_orphans)
          .pull(&o.pull)
          .flag("dry_run", &o.dry_run)
          .status());
  for (const auto& text : labels) {
    const std::size_t equals = text.find('=');
    o.labels[text.substr(0, equals)] =
        equals == std::string::npos ? std::string() : text.substr(equals + 1);
  }
  o.slug = random_hex(64);
  return o;
}

namespace {

// "[[IP:]HOST:]CONTAINER[/PROTO]" of `run -p`, one port each.
Result<compose::PortConfig> published_port(const std::string& text) {
  compose::PortConfig port;
  std::string rest = text;
  if (const std::size_t slash = rest.rfind('/'); slash != std::string::npos) {
    port.protocol = rest.substr(slash + 1);
    rest.resize(slash);
  }
  const std::size_t last = rest.rfind(':');
  const std::string target = rest.substr(last == std::string::npos ? 0 : last + 1);
  char* end = nullptr;
  const long number = std::strtol(target.c_str(), &end, 10);
  if (target.empty() || *end != '\0' || number < 1 || number > 65535)
    return Error::invalid("Invalid containerPort: " + target);
  port.target = static_cast<std::uint16_t>(number);
  if (last == std::string::npos) return port;
  rest.resize(last);
  const std::size_t colon = rest.rfind(':');
  port.published = rest.substr(colon == std::string::npos ? 0 : colon + 1);
  if (colon != std::string::npos) port.host_ip = rest.substr(0, colon);
  if (port.host_ip.size() > 2 && port.host_ip.front() == '[')
    port.host_ip = port.host_ip.substr(1, port.host_ip.size() - 2);
  if (port.published.find_first_not_of("0123456789-") != std::string::npos)
    return Error::invalid("Invalid hostPort: " + port.published);
  return port;
}

Result<compose::MountConfig> extra_volume(const std::string& text) {
  compose::MountConfig mount;
  const std::size_t first = text.find(':');
  if (first == std::string::npos) {
    mount.type = "volume";
    mount.target = text;
    return mount;
  }
  mount.source = text.substr(0, first);
  std::string rest = text.substr(first + 1);
  if (const std::size_t colon = rest.find(':'); colon != std::string::npos) {
    mount.read_only = rest.substr(colon + 1).rfind("ro", 0) == 0;
    rest.resize(colon);
  }
  mount.target = rest;
  mount.type = mount.source.find('/') != std::string::npos ? "bind" : "volume";
  if (mount.target.empty() || mount.target[0] != '/')
    return Error::invalid("invalid mount path: '" + mount.target + "' mount path must be absolute");
  return mount;
}

}  // namespace

Status apply_run_options(const json& options, compose::Service* service) {
  std::vector<std::string> command, entrypoint, environment, volumes, publish, cap_add, cap_drop;
  std::string user, workdir;
  bool service_ports = false;
  service->tty = service->stdin_open = false;
  TRY(Reader(options)
          .list("command", &command)
          .list("entrypoint", &entrypoint)
          .list("environment", &environment)
          .list("volumes_extra", &volumes)
          .list("publish", &publish)
          .list("cap_add", &cap_add)
          .list("cap_drop", &cap_drop)
          .text("user", &user)
          .text("workdir", &workdir)
          .flag("tty", &service->tty)
          .flag("stdin", &service->stdin_open)
          .flag("service_ports", &service_ports)
          .status());
  const auto given = [&](const char* key) {
    return options.contains(key) && !options.at(key).is_null();
  };
  if (given("entrypoint")) {
    service->entrypoint = entrypoint;
    service->command.emplace();  // the old command was meant for the old entrypoint
  }
  if (given("command") && !command.empty()) service->command = command;
  for (const auto& text : environment) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
      service->environment[text] = std::nullopt;
    } else {
      service->environment[text.substr(0, equals)] = text.substr(equals + 1);
    }
  }
  if (!service_ports) service->ports.clear();
  for (const auto& text : publish) service->ports.push_back(TRY(published_port(text)));
  for (const auto& text : volumes) service->volumes.push_back(TRY(extra_volume(text)));
  service->cap_add.insert(service->cap_add.end(), cap_add.begin(), cap_add.end());
  service->cap_drop.insert(service->cap_drop.end(), cap_drop.begin(), cap_drop.end());
  if (!user.empty()) service->user = user;
  if (!workdir.empty()) service->working_dir = workdir;
  service->restart = "no";
  if (service->deploy) service->deploy->restart_policy.reset();
  service->container_name.clear();
  return ok_status();
}

}  // namespace stack::engine
