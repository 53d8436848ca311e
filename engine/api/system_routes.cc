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
#include "engine/daemon_settings.h"
#include "engine/image_service.h"
#include "engine/json_fields.h"

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

int open_files() {
  std::error_code ec;
  int count = 0;
  for (auto it = std::filesystem::directory_iterator("/proc/self/fd", ec);
       !ec && it != std::filesystem::directory_iterator(); it.increment(ec))
    ++count;
  return count;
}

void info(Services& services, const ExchangePtr& exchange) {
  EngineFacts facts;
  for (const auto* c : services.containers->list()) {
    ++facts.containers;
    if (c->status == RunState::kRunning || c->status == RunState::kRestarting) ++facts.running;
    if (c->status == RunState::kPaused) ++facts.paused;
  }
  facts.event_listeners = static_cast<int>(services.events.clients());
  facts.open_files = open_files();
  facts.root = services.paths.root.string();
  const auto& settings = services.images->settings().current();
  facts.mirrors = settings.registry_mirrors;
  facts.insecure_registries = settings.insecure_registries;
  facts.now = services.clock.wall();
  services.images->run<int>(
      [](images::Store& store) -> Result<int> { return static_cast<int>(store.list().size()); },
      [exchange, facts](const Result<int>& images) mutable {
        facts.images = images.ok() ? *images : 0;
        respond_json(*exchange, 200, info_document(facts, host_facts()));
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
}

void add_swarm_routes(Router& router) {
  const Handler refuse = [](const ExchangePtr& e) {
    respond_error(*e, 503,
                  "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm "
                  "join\" to connect this node to "
                  "swarm and try again.");
  };
  router.add("POST", "/swarm/leave", [](const ExchangePtr& e) {
    respond_error(*e, 503, "This node is not part of a swarm");
  });
  router.add("POST", "/swarm/init", [](const ExchangePtr& e) {
    respond_error(*e, 501, "this engine cannot be part of a swarm");
  });
  router.add("POST", "/swarm/join", [](const ExchangePtr& e) {
    respond_error(*e, 501, "this engine cannot be part of a swarm");
  });
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
  add_disk_usage_routes(router, services);
  add_event_routes(router, services);
  add_container_list_routes(router, services);
  add_container_routes(router, services);
  add_container_stream_routes(router, services);
  add_container_file_routes(router, services);
  add_exec_routes(router, services);
  add_commit_routes(router, services);
  add_image_routes(router, services);
  add_image_transfer_routes(router, services);
  add_registry_routes(router, services);
  add_build_routes(router, services);
  add_network_routes(router, services);
  add_volume_routes(router, services);
  add_project_routes(router, services);
  add_swarm_routes(router);
  return router;
}

}  // namespace stack::engine::api
