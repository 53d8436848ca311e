// POST /commit: a container's changes become an image.
#include <set>

#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/config_json.h"
#include "engine/image_service.h"
#include "engine/json_fields.h"
#include "images/instructions.h"
#include "images/reference.h"

namespace stack::engine::api {

namespace {

images::ImageConfig image_config(const ContainerConfig& c) {
  images::ImageConfig out;
  for (const auto& entry : c.env) {  // a bare name only says what is left out
    if (entry.find('=') != std::string::npos) out.env.push_back(entry);
  }
  out.entrypoint = c.entrypoint;
  if (out.entrypoint && out.entrypoint->empty()) out.entrypoint.reset();
  out.cmd = c.cmd;
  out.working_dir = c.working_dir;
  out.user = c.user;
  out.exposed_ports = c.exposed_ports;
  out.volumes = c.volumes;
  out.labels = c.labels;
  out.stop_signal = c.stop_signal;
  if (c.healthcheck) {
    const auto& health = *c.healthcheck;
    out.healthcheck = {health.test,         health.interval,       health.timeout,
                       health.start_period, health.start_interval, health.retries};
  }
  return out;
}

// The configuration of the request goes before the container's, member by member.
void put_over(const ContainerConfig& asked, ContainerConfig& c) {
  if (asked.cmd && !asked.cmd->empty()) c.cmd = asked.cmd;
  if (asked.entrypoint && !asked.entrypoint->empty()) c.entrypoint = asked.entrypoint;
  if (!asked.user.empty()) c.user = asked.user;
  if (!asked.working_dir.empty()) c.working_dir = asked.working_dir;
  if (!asked.stop_signal.empty()) c.stop_signal = asked.stop_signal;
  for (const auto& entry : asked.env) {
    const auto equals = std::min(entry.find('='), entry.size());
    images::set_env(c.env, entry.substr(0, equals),
                    entry.substr(std::min(equals + 1, entry.size())));
  }
  for (const auto& [key, value] : asked.labels) c.labels[key] = value;
  c.exposed_ports.insert(asked.exposed_ports.begin(), asked.exposed_ports.end());
  c.volumes.insert(asked.volumes.begin(), asked.volumes.end());
  if (asked.healthcheck) c.healthcheck = asked.healthcheck;
}

struct Commit {
  std::string container;
  images::CommitRequest request;
};

void run(Services& services, const ExchangePtr& exchange, const Commit& commit, bool paused) {
  services.images->run<images::Image>(
      [commit](images::Store& store) { return store.commit(commit.request); },
      [&services, exchange, commit, paused](const Result<images::Image>& image) {
        const auto answer_now = [&services, exchange, commit, image](const Status&) {
          if (!image.ok()) return respond_error(*exchange, image.error());
          const auto found = services.containers->find(commit.container);
          const auto& reference = commit.request.reference;
          const auto name = reference ? reference->familiar() : std::string();
          if (found.ok())
            publish_container_event(
                services, **found, "commit",
                {{"comment", commit.request.comment}, {"imageID", image->id}, {"imageRef", name}});
          if (reference)
            services.events.publish(
                {"image", "tag", image->id, {{"name", name}}, services.clock.wall()});
          respond_json(*exchange, 201, {{"Id", image->id}});
        };
        if (!paused) return answer_now(ok_status());
        services.containers->unpause(commit.container, answer_now);
      });
}

void commit(Services& services, const ExchangePtr& exchange) {
  const auto& query = exchange->request().query;
  const auto found = services.containers->find(query.text("container"));
  if (!found.ok()) return respond_error(*exchange, found.error());
  const Container& c = **found;
  ContainerConfig config = c.config;
  const bool parsed = parse_body(*exchange, [&](const Json& json) {
    ContainerConfig asked;
    parse_config(json, asked);
    put_over(asked, config);
  });
  if (!parsed) return;
  Commit work;
  work.container = c.id;
  auto& request = work.request;
  request.parent_id = c.image_id;
  request.comment = query.text("comment");
  request.author = query.text("author");
  request.upper_directory = services.paths.root / "containers" / c.id / "upper";
  request.config = image_config(config);
  for (const auto& word : c.config.cmd.value_or(Strings{}))
    request.command += (request.command.empty() ? "" : " ") + word;
  for (const auto& change : query.all("changes")) {
    const auto applied = images::apply_change(request.config, change);
    if (!applied.ok()) return respond_error(*exchange, applied.error());
  }
  if (auto name = query.text("repo"); !name.empty()) {
    if (const auto tag = query.text("tag"); !tag.empty()) name += ":" + tag;
    auto reference = images::Reference::parse(name);
    if (!reference.ok()) return respond_error(*exchange, reference.error());
    request.reference = std::move(reference).value();
  }
  // Frozen meanwhile, unless the client says that the program may go on.
  const bool pause = (!query.has("pause") || query.flag("pause")) && c.status == RunState::kRunning;
  if (!pause) return run(services, exchange, work, false);
  services.containers->pause(c.id, [&services, exchange, work](const Status& paused) {
    if (!paused.ok()) return respond_error(*exchange, paused.error());
    run(services, exchange, work, true);
  });
}

}  // namespace

void add_commit_routes(Router& router, Services& services) {
  router.add("POST", "/commit", [&services](const ExchangePtr& e) { commit(services, e); });
}

}  // namespace stack::engine::api
