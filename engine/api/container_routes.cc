// The life of containers: create, start, stop, remove, ...
#include <fmt/core.h>

#include <thread>

#include "engine/api/platform.h"
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/api/top.h"
#include "engine/config_json.h"
#include "engine/json_fields.h"
#include "engine/model_json.h"
#include "engine/projects.h"
#include "images/store.h"
#include "runtime/container.h"

namespace stack::engine::api {

namespace {

// Of a list of numbers and ranges: "0-3,7".
std::int64_t highest_of(const std::string& set) {
  std::int64_t highest = -1;
  for (std::size_t at = 0; at < set.size();) {
    const auto end = std::min(set.find_first_of(",-", at), set.size());
    highest = std::max(highest, static_cast<std::int64_t>(std::atoll(set.c_str() + at)));
    at = end + 1;
  }
  return highest;
}

void create(Services& services, const ExchangePtr& exchange) {
  const auto& request = exchange->request();
  const auto type = request.header("content-type");
  if (type.empty())
    return respond_error(*exchange, 400, "malformed Content-Type header (): mime: no media type");
  if (type.rfind("application/json", 0) != 0) {
    return respond_error(
        *exchange, 400,
        fmt::format("unsupported Content-Type header ({}): must be 'application/json'", type));
  }
  auto config = parse_container_config(request.body);
  if (!config.ok()) return respond_error(*exchange, config.error());
  const auto cpus = static_cast<std::int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  if (const auto& set = config->resources.cpuset_cpus; highest_of(set) >= cpus) {
    return respond_error(
        *exchange, 400,
        fmt::format("Requested CPUs are not available - requested {}, available: 0-{}", set,
                    cpus - 1));
  }
  if (config->resources.nano_cpus > cpus * 1'000'000'000) {
    return respond_error(
        *exchange, 400,
        fmt::format("range of CPUs is from 0.01 to {0}.00, as there are only {0} CPUs available",
                    cpus));
  }
  if (const auto image = services.store.find(config->image); image.ok()) {
    const auto fits = check_platform(request.query.text("platform"), image->config, config->image);
    if (!fits.ok()) return respond_error(*exchange, fits.error());
  }
  std::string name = request.query.text("name");
  if (!name.empty() && name[0] == '/') name.erase(0, 1);
  services.containers->create(
      name, std::move(config).value(), "", [exchange](const Result<CreatedContainer>& created) {
        if (!created.ok()) return respond_error(*exchange, created.error());
        respond_json(*exchange, 201, {{"Id", created->id}, {"Warnings", created->warnings}});
      });
}

void start(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  if (c->status == RunState::kRunning) return respond_empty(*exchange, 304);
  services.containers->start(c->id, [exchange](const Status& started) {
    if (started.ok()) return respond_empty(*exchange, 204);
    const Error& error = started.error();
    // What the user asked the program to be is the user's mistake, whatever failed underneath.
    const bool request_error =
        error.kind == ErrorKind::kOs && runtime::is_start_request_error(error.message);
    respond_error(*exchange, request_error ? 400 : http_status(error), error.to_string());
  });
}

void update(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  ContainerUpdate wanted;
  const bool parsed = parse_body(*exchange, [&](const Json& json) {
    ContainerConfig checked;
    parse_resources(json, checked.resources);
    checked.restart_policy = text_field(child(json, "RestartPolicy"), "Name");
    checked.restart_max_retries = field<int>(child(json, "RestartPolicy"), "MaximumRetryCount");
    check_update(checked);
    wanted = {checked.resources, checked.restart_policy, checked.restart_max_retries};
  });
  if (!parsed) return;
  services.containers->update(c->id, std::move(wanted), [exchange](const Status& updated) {
    if (!updated.ok()) return respond_error(*exchange, updated.error());
    respond_json(*exchange, 200, {{"Warnings", nullptr}});
  });
}

void stop(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  const auto timeout = exchange->request().query.number("t");
  if (!timeout.ok()) return respond_error(*exchange, timeout.error());
  if (c->status == RunState::kCreated || c->status == RunState::kExited)
    return respond_empty(*exchange, 304);
  services.containers->stop(c->id, *timeout, exchange->request().query.text("signal"),
                            answer(exchange));
}

void restart(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  const auto timeout = exchange->request().query.number("t");
  if (!timeout.ok()) return respond_error(*exchange, timeout.error());
  services.containers->restart(c->id, *timeout, exchange->request().query.text("signal"),
                               answer(exchange));
}

void kill(Services& services, const ExchangePtr& exchange) {
  const auto& name = exchange->request().captures.at(0);
  const auto found = services.containers->find(name);
  if (!found.ok()) {
    return respond_error(*exchange, http_status(found.error()),
                         "cannot kill container: " + name + ": " + found.error().message);
  }
  const auto signal = exchange->request().query.text("signal");
  services.containers->kill(name, signal.empty() ? "SIGKILL" : signal, answer(exchange));
}

void remove(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  const auto& query = exchange->request().query;
  if (query.flag("link"))
    return respond_error(*exchange, 400,
                         "Conflict, cannot remove the default link name of the container");
  if (query.flag("force") || !is_live(c->status)) services.projects->forget(*c);
  services.containers->remove(exchange->request().captures.at(0),
                              {query.flag("force"), query.flag("v")}, answer(exchange));
}

// DELETE /containers/OWNER/ALIAS?link=1 takes away what OWNER's links call ALIAS.
void unlink(Services& services, const ExchangePtr& exchange) {
  const auto& captures = exchange->request().captures;
  if (!exchange->request().query.flag("link"))
    return respond_error(*exchange, 404,
                         "No such container: " + captures.at(0) + "/" + captures.at(1));
  answer(exchange)(services.containers->unlink(captures.at(0), captures.at(1)));
}

void rename(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  const std::string name = exchange->request().query.text("name");
  if (name.empty()) return respond_error(*exchange, 400, "Neither old nor new names may be empty");
  services.containers->rename(c->id, name, answer(exchange));
}

void top(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  if (c->status != RunState::kRunning && c->status != RunState::kPaused) {
    return respond_error(*exchange, 409, fmt::format("container {} is not running", c->id));
  }
  const auto columns = parse_ps_arguments(exchange->request().query.text("ps_args"));
  if (!columns.ok()) return respond_error(*exchange, columns.error());
  const auto pids = services.containers->processes(c->id);
  if (!pids.ok()) return respond_error(*exchange, pids.error());
  Json rows = Json::array();
  for (const int pid : *pids) {
    if (const auto process = read_process(pid)) rows.push_back(ps_row(*columns, *process));
  }
  Strings titles;
  for (const auto& column : *columns) titles.push_back(column.title);
  publish_container_event(services, *c, "top");
  respond_json(*exchange, 200, {{"Titles", titles}, {"Processes", rows}});
}

void prune(Services& services, const ExchangePtr& exchange) {
  const auto filters = filters_of(*exchange, {"label", "label!", "until"});
  if (!filters) return;
  const auto until = until_of(*exchange, *filters, services.clock.wall());
  if (!until) return;
  struct Prune {
    Strings ids, deleted;
    std::int64_t reclaimed = 0;
  };
  auto state = std::make_shared<Prune>();
  for (const auto* c : services.containers->list()) {
    const bool over = c->status == RunState::kCreated || c->status == RunState::kExited ||
                      c->status == RunState::kDead;
    if (over && c->created < *until && filters->labels(c->config.labels))
      state->ids.push_back(c->id);
  }
  // One after the other; the size is what removing each gives back.
  auto next = std::make_shared<std::function<void()>>();
  *next = [&services, exchange, state, weak = std::weak_ptr(next)] {
    const auto self = weak.lock();
    if (state->ids.empty()) {
      return respond_json(
          *exchange, 200,
          {{"ContainersDeleted", or_null(state->deleted)}, {"SpaceReclaimed", state->reclaimed}});
    }
    const auto id = state->ids.back();
    state->ids.pop_back();
    if (const auto c = services.containers->find(id); c.ok()) services.projects->forget(**c);
    services.pool.run(
        [path = services.paths.root / "containers" / id / "upper"] { return writable_size(path); },
        [&services, state, id, self](std::int64_t size) {
          services.containers->remove(id, {}, [state, id, size, self](const Status& removed) {
            if (removed.ok()) {
              state->deleted.push_back(id);
              state->reclaimed += size;
            }
            (*self)();
          });
        });
  };
  (*next)();
}

void resize(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  const auto size = terminal_size(*exchange);
  if (!size) return;
  const auto resized = services.containers->resize(c->id, size->rows, size->columns);
  if (resized.ok()) {
    publish_container_event(
        services, *c, "resize",
        {{"height", std::to_string(size->rows)}, {"width", std::to_string(size->columns)}});
  }
  answer(exchange, 200)(resized);
}

}  // namespace

void add_container_routes(Router& router, Services& services) {
  const auto add = [&](const char* method, const char* pattern,
                       void (*handler)(Services&, const ExchangePtr&)) {
    router.add(method, pattern,
               [&services, handler](const ExchangePtr& exchange) { handler(services, exchange); });
  };
  add("POST", "/containers/create", create);
  add("POST", "/containers/prune", prune);
  add("POST", "/containers/{id}/start", start);
  add("POST", "/containers/{id}/stop", stop);
  add("POST", "/containers/{id}/restart", restart);
  add("POST", "/containers/{id}/kill", kill);
  add("POST", "/containers/{id}/update", update);
  add("POST", "/containers/{id}/rename", rename);
  add("POST", "/containers/{id}/resize", resize);
  add("GET", "/containers/{id}/top", top);
  add("DELETE", "/containers/{id}", remove);
  add("DELETE", "/containers/{id}/{alias}", unlink);
  add("POST", "/containers/{id}/pause", [](Services& s, const ExchangePtr& exchange) {
    if (const Container* c = named_container(*exchange, s))
      s.containers->pause(c->id, answer(exchange));
  });
  add("POST", "/containers/{id}/unpause", [](Services& s, const ExchangePtr& exchange) {
    if (const Container* c = named_container(*exchange, s))
      s.containers->unpause(c->id, answer(exchange));
  });
}

}  // namespace stack::engine::api
