// The engine itself: ping, version, info, disk usage, registry credentials.
#include <fmt/core.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "base/files.h"
#include "engine/api/documents.h"
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/api/system_documents.h"
#include "engine/api/text.h"
#include "engine/image_service.h"
#include "engine/json_fields.h"
#include "engine/volumes.h"
#include "images/layer_store.h"

namespace stack::engine::api {

namespace {

void ping(const ExchangePtr& exchange) {
  // Without a builder version 2 clients build with POST /build.
  exchange->respond(200, "text/plain; charset=utf-8", "OK",
                    {{"Builder-Version", "1"},
                     {"Swarm", "inactive"},
                     {"Cache-Control", "no-cache, no-store, must-revalidate"},
                     {"Pragma", "no-cache"}});
}

HostFacts host_facts() {
  HostFacts out;
  utsname names{};
  if (::uname(&names) == 0) {
    out.kernel = names.release;
    out.machine = names.machine;
    out.host_name = names.nodename;
  }
  struct sysinfo memory {};
  if (::sysinfo(&memory) == 0)
    out.memory = static_cast<std::int64_t>(memory.totalram) * memory.mem_unit;
  out.cpus = ::get_nprocs();
  out.cgroup_v2 = exists("/sys/fs/cgroup/cgroup.controllers");
  if (const auto text = read_file("/etc/os-release"); text.ok())
    out.os_name = os_release_name(*text);
  return out;
}

void info(Services& services, const ExchangePtr& exchange) {
  EngineFacts facts;
  for (const auto* c : services.containers->list()) {
    ++facts.containers;
    if (c->status == RunState::kRunning || c->status == RunState::kRestarting) ++facts.running;
    if (c->status == RunState::kPaused) ++facts.paused;
  }
  facts.root = services.paths.root.string();
  facts.now = services.clock.wall();
  services.images->run<int>(
      [](images::Store& store) -> Result<int> { return static_cast<int>(store.list().size()); },
      [exchange, facts](const Result<int>& images) mutable {
        facts.images = images.ok() ? *images : 0;
        respond_json(*exchange, 200, info_document(facts, host_facts()));
      });
}

void disk_usage(Services& services, const ExchangePtr& exchange) {
  struct Snapshot {
    std::vector<Container> containers;
    std::vector<Volume> volumes;
    std::map<std::string, int> image_users, volume_users;
  };
  auto snapshot = std::make_shared<Snapshot>();
  for (const auto* c : services.containers->list()) {
    snapshot->containers.push_back(*c);
    ++snapshot->image_users[c->image_id];
    for (const auto& mount : c->mounts) ++snapshot->volume_users[mount.volume];
  }
  for (const auto* volume : services.volumes->list()) snapshot->volumes.push_back(*volume);
  const WallTime now = services.clock.wall();
  services.images->run<std::string>(
      [snapshot, now, root = services.paths.root](images::Store& store) -> Result<std::string> {
        Json out = {{"LayersSize", 0}, {"BuildCache", Json::array()}};
        out["Images"] = out["Containers"] = out["Volumes"] = Json::array();
        std::map<std::string, std::int64_t> layer_sizes, image_sizes;
        std::map<std::string, int> layer_users;
        const auto all = store.list();
        std::map<std::string, std::vector<std::pair<std::string, std::int64_t>>>
            layers_of;  // chain id, size
        for (const auto& image : all) {
          const auto layers = store.layers(image.id);
          for (std::size_t i = 0; layers.ok() && i < layers->size(); ++i) {
            const auto chain = images::chain_id(image.config.diff_ids, i + 1);
            layers_of[image.id].emplace_back(chain, (*layers)[i].size);
            layer_sizes[chain] = (*layers)[i].size;
            ++layer_users[chain];
          }
        }
        for (const auto& image : all) {
          std::int64_t shared = 0;
          for (const auto& [chain, size] : layers_of[image.id])
            shared += layer_users[chain] > 1 ? size : 0;
          const auto users = snapshot->image_users.find(image.id);
          Json entry = image_entry(image, users == snapshot->image_users.end() ? 0 : users->second);
          entry["SharedSize"] = shared;
          out["Images"].push_back(std::move(entry));
          image_sizes[image.id] = image.size;
        }
        std::int64_t total = 0;
        for (const auto& [id, size] : layer_sizes) total += size;
        out["LayersSize"] = total;
        for (const auto& c : snapshot->containers) {
          const auto writable = tree_size(root / "containers" / c.id / "upper");
          out["Containers"].push_back(container_entry(
              c, now, ContainerSizes{writable, image_sizes[c.image_id] + writable}));
        }
        for (const auto& volume : snapshot->volumes) {
          Json entry = volume_document(volume);
          entry["UsageData"] = {{"RefCount", snapshot->volume_users[volume.name]},
                                {"Size", tree_size(volume.mountpoint)}};
          out["Volumes"].push_back(std::move(entry));
        }
        return line_of(out);
      },
      [exchange](Result<std::string> body) {
        if (!body.ok()) return respond_error(*exchange, body.error());
        exchange->respond(200, "application/json", std::move(body).value());
      });
}

// Versions that are not spoken: texts as Docker's.
Status admit(const Request& request) {
  if (request.version.empty()) return ok_status();
  const auto dot = request.version.find('.');
  const int major = std::atoi(request.version.c_str());
  const int minor = dot == std::string::npos ? 0 : std::atoi(request.version.c_str() + dot + 1);
  if (major > 1 || minor > 51) {
    return Error::invalid(fmt::format(
        "client version {} is too new. Maximum supported API version is 1.51", request.version));
  }
  if (major < 1 || minor < 24) {
    return Error::invalid(fmt::format(
        "client version {} is too old. Minimum supported API version is 1.24, please upgrade "
        "your client to a newer version",
        request.version));
  }
  return ok_status();
}

}  // namespace

void add_system_routes(Router& router, Services& services) {
  router.add("GET", "/_ping", ping);
  router.add("GET", "/version",
             [](const ExchangePtr& e) { respond_json(*e, 200, version_document(host_facts())); });
  router.add("GET", "/info", [&services](const ExchangePtr& e) { info(services, e); });
  router.add("GET", "/system/df", [&services](const ExchangePtr& e) { disk_usage(services, e); });
  router.add("POST", "/auth", [](const ExchangePtr& e) {
    respond_error(*e, 501,
                  "credentials are not checked by this engine; they are used when an image is "
                  "pulled or pushed");
  });
}

void add_swarm_routes(Router& router) {
  const Handler refuse = [](const ExchangePtr& e) {
    respond_error(*e, 503,
                  "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm "
                  "join\" to connect this node to "
                  "swarm and try again.");
  };
  for (const char* resource : {"swarm", "services", "nodes", "tasks", "secrets", "configs"}) {
    router.add("GET", std::string("/") + resource, refuse);
    for (const char* method : {"GET", "POST", "DELETE"}) {
      router.add(method, std::string("/") + resource + "/{rest*}", refuse);
    }
  }
  router.add("GET", "/plugins", [](const ExchangePtr& e) { respond_json(*e, 200, Json::array()); });
}

Router make_router(Services& services) {
  Router router;
  router.common_headers = {{"Api-Version", "1.51"},
                           {"Docker-Experimental", "false"},
                           {"Ostype", "linux"},
                           {"Server", std::string("Stack/") + engine_version() + " (linux)"}};
  router.admission = admit;
  add_system_routes(router, services);
  add_event_routes(router, services);
  add_container_list_routes(router, services);
  add_container_routes(router, services);
  add_container_stream_routes(router, services);
  add_container_file_routes(router, services);
  add_exec_routes(router, services);
  add_image_routes(router, services);
  add_image_transfer_routes(router, services);
  add_build_routes(router, services);
  add_network_routes(router, services);
  add_volume_routes(router, services);
  add_project_routes(router, services);
  add_swarm_routes(router);
  return router;
}

}  // namespace stack::engine::api
