#include "engine/api/documents.h"
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/json_fields.h"
#include "engine/volumes.h"

namespace stack::engine::api {

namespace {

int users(const Services& services, const std::string& name) {
  int count = 0;
  for (const auto* c : services.containers->list()) {
    for (const auto& mount : c->mounts) count += mount.volume == name ? 1 : 0;
  }
  return count;
}

void list(Services& services, const ExchangePtr& exchange) {
  const auto filters = filters_of(*exchange, {"name", "driver", "label", "label!", "dangling"});
  if (!filters) return;
  const auto dangling = filters->flag("dangling");
  if (!dangling.ok()) return respond_error(*exchange, dangling.error());
  Json out = Json::array();
  for (const auto* volume : services.volumes->list()) {
    if (!filters->contains("name", volume->name) || !filters->exact("driver", volume->driver))
      continue;
    if (!filters->labels(volume->labels)) continue;
    if (*dangling && **dangling != (users(services, volume->name) == 0)) continue;
    out.push_back(volume_document(*volume));
  }
  respond_json(*exchange, 200, {{"Volumes", out}, {"Warnings", nullptr}});
}

void create(Services& services, const ExchangePtr& exchange) {
  Volume wanted;
  const bool parsed = parse_body(*exchange, [&](const Json& json) {
    wanted.name = text_field(json, "Name");
    if (const auto driver = text_field(json, "Driver"); !driver.empty()) wanted.driver = driver;
    wanted.options = field<StringMap>(json, "DriverOpts");
    wanted.labels = field<StringMap>(json, "Labels");
  });
  if (!parsed) return;
  const auto volume = services.volumes->create(std::move(wanted));
  if (!volume.ok()) return respond_error(*exchange, volume.error());
  respond_json(*exchange, 201, volume_document(**volume));
}

void prune(Services& services, const ExchangePtr& exchange) {
  const auto filters = filters_of(*exchange, {"label", "label!", "all"});
  if (!filters) return;
  const auto named_too = flag_of(*exchange, *filters, "all", false);
  if (!named_too) return;
  std::vector<std::pair<std::string, std::filesystem::path>> unused;
  for (const auto* volume : services.volumes->list()) {
    if ((!volume->anonymous && !*named_too) || !filters->labels(volume->labels) ||
        users(services, volume->name) > 0)
      continue;
    unused.emplace_back(volume->name, volume->mountpoint);
  }
  services.long_pool.run(
      [unused] {
        std::vector<std::pair<std::string, std::int64_t>> sizes;
        for (const auto& [name, path] : unused) sizes.emplace_back(name, tree_size(path));
        return sizes;
      },
      [&services, exchange](const std::vector<std::pair<std::string, std::int64_t>>& sizes) {
        Strings deleted;
        std::int64_t reclaimed = 0;
        for (const auto& [name, size] : sizes) {
          if (!services.volumes->remove(name, false).ok()) continue;  // in use since
          deleted.push_back(name);
          reclaimed += size;
        }
        respond_json(*exchange, 200, {{"VolumesDeleted", deleted}, {"SpaceReclaimed", reclaimed}});
      });
}

}  // namespace

void add_volume_routes(Router& router, Services& services) {
  const auto add = [&](const char* method, const char* pattern,
                       void (*handler)(Services&, const ExchangePtr&)) {
    router.add(method, pattern,
               [&services, handler](const ExchangePtr& exchange) { handler(services, exchange); });
  };
  add("GET", "/volumes", list);
  add("POST", "/volumes/create", create);
  add("POST", "/volumes/prune", prune);
  add("GET", "/volumes/{name}", [](Services& s, const ExchangePtr& exchange) {
    const auto volume = s.volumes->find(exchange->request().captures[0]);
    if (!volume.ok()) return respond_error(*exchange, volume.error());
    respond_json(*exchange, 200, volume_document(**volume));
  });
  add("DELETE", "/volumes/{name}", [](Services& s, const ExchangePtr& exchange) {
    answer(exchange)(s.volumes->remove(exchange->request().captures[0],
                                       exchange->request().query.flag("force")));
  });
}

}  // namespace stack::engine::api
