// GET /system/df: what images, containers and volumes take.
#include <algorithm>

#include "engine/api/documents.h"
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/image_service.h"
#include "engine/json_fields.h"
#include "engine/volumes.h"
#include "images/layer_store.h"

namespace stack::engine::api {

namespace {

// What the loop knew when the request came.
struct Snapshot {
  std::vector<Container> containers;
  std::vector<Volume> volumes;
  std::map<std::string, int> image_users, volume_users;
  WallTime now;
  std::filesystem::path root;
};

struct Wanted {
  bool images = true, containers = true, volumes = true, builds = true;
};

struct LayerUse {
  std::map<std::string, std::int64_t> size;  // by chain id
  std::map<std::string, int> users;
  std::map<std::string, Strings> of_image;  // chain ids by image id

  std::int64_t total() const {
    std::int64_t sum = 0;
    for (const auto& [chain, bytes] : size) sum += bytes;
    return sum;
  }
  std::int64_t shared(const std::string& image) const {
    std::int64_t sum = 0;
    for (const auto& chain : of_image.at(image)) sum += users.at(chain) > 1 ? size.at(chain) : 0;
    return sum;
  }
};

LayerUse layer_use(const images::Store& store, const std::vector<images::Image>& all) {
  LayerUse out;
  for (const auto& image : all) {
    auto& chains = out.of_image[image.id];
    const auto layers = store.layers(image.id);
    for (std::size_t i = 0; layers.ok() && i < layers->size(); ++i) {
      chains.push_back(images::chain_id(image.config.diff_ids, i + 1));
      out.size[chains.back()] = (*layers)[i].size;
      ++out.users[chains.back()];
    }
  }
  return out;
}

Json usage_document(const images::Store& store, Snapshot& snapshot, const Wanted& wanted) {
  Json out = {{"LayersSize", 0},
              {"Images", nullptr},
              {"Containers", nullptr},
              {"Volumes", nullptr},
              {"BuildCache", nullptr}};
  const auto all = store.list();
  if (wanted.builds) out["BuildCache"] = Json::array();
  if (wanted.images) {
    const auto layers = layer_use(store, all);
    out["LayersSize"] = layers.total();
    out["Images"] = Json::array();
    for (const auto& image : all) {
      Json entry = image_entry(image, snapshot.image_users[image.id]);
      entry["SharedSize"] = layers.shared(image.id);
      out["Images"].push_back(std::move(entry));
    }
  }
  if (wanted.containers) {
    std::map<std::string, std::int64_t> image_sizes;
    for (const auto& image : all) image_sizes[image.id] = image.size;
    out["Containers"] = Json::array();
    for (const auto& c : snapshot.containers) {
      const auto writable = writable_size(snapshot.root / "containers" / c.id / "upper");
      out["Containers"].push_back(container_entry(
          c, snapshot.now, ContainerSizes{writable, image_sizes[c.image_id] + writable}));
    }
  }
  if (wanted.volumes) {
    out["Volumes"] = Json::array();
    for (const auto& volume : snapshot.volumes) {
      Json entry = volume_document(volume);
      entry["UsageData"] = {{"RefCount", snapshot.volume_users[volume.name]},
                            {"Size", tree_size(volume.mountpoint)}};
      out["Volumes"].push_back(std::move(entry));
    }
  }
  return out;
}

void disk_usage(Services& services, const ExchangePtr& exchange) {
  Wanted wanted;
  if (const auto types = exchange->request().query.all("type"); !types.empty()) {
    wanted = {false, false, false, false};
    for (const auto& type : types) {
      bool* member = type == "image"         ? &wanted.images
                     : type == "container"   ? &wanted.containers
                     : type == "volume"      ? &wanted.volumes
                     : type == "build-cache" ? &wanted.builds
                                             : nullptr;
      if (member == nullptr) return respond_error(*exchange, 400, "unknown object type: " + type);
      *member = true;
    }
  }
  const auto snapshot = std::make_shared<Snapshot>();
  for (const auto* c : services.containers->list()) {
    snapshot->containers.push_back(*c);
    ++snapshot->image_users[c->image_id];
    for (const auto& mount : c->mounts) ++snapshot->volume_users[mount.volume];
  }
  for (const auto* volume : services.volumes->list()) snapshot->volumes.push_back(*volume);
  snapshot->now = services.clock.wall();
  snapshot->root = services.paths.root;
  services.images->run<std::string>(
      [snapshot, wanted](images::Store& store) -> Result<std::string> {
        return line_of(usage_document(store, *snapshot, wanted));
      },
      [exchange](Result<std::string> body) {
        if (!body.ok()) return respond_error(*exchange, body.error());
        exchange->respond(200, "application/json", std::move(body).value());
      });
}

}  // namespace

void add_disk_usage_routes(Router& router, Services& services) {
  router.add("GET", "/system/df", [&services](const ExchangePtr& e) { disk_usage(services, e); });
}

}  // namespace stack::engine::api
