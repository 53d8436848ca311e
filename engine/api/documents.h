// The documents that the API shows, with Docker's keys and null rules (API 1.51). Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "engine/daemon.h"
#include "engine/events.h"
#include "engine/model.h"
#include "images/store.h"

namespace stack::engine::api {

struct ContainerSizes {
  std::int64_t writable = 0, root = 0;
};

// An entry of GET /containers/json, and GET /containers/x/json. Beside Docker's keys both have
// "Stack":
// {"RestartReason", "RestartCount"}.
nlohmann::json container_entry(const Container& c, WallTime now,
                               const std::optional<ContainerSizes>& sizes);
nlohmann::json container_document(const Container& c, const Paths& paths,
                                  const std::optional<ContainerSizes>& sizes);
nlohmann::json mount_points_json(const Container& c);

nlohmann::json network_document(const Network& network,
                                const std::vector<const Container*>& containers);
nlohmann::json volume_document(const Volume& volume);

// `containers`: how many use it; lists leave it open (-1), as only GET /system/df counts.
nlohmann::json image_entry(const images::Image& image, int containers = -1);
nlohmann::json image_document(const images::Image& image,
                              const std::vector<std::filesystem::path>& layers);
// `ancestors`: the images that it was committed from, nearest first. Their steps show their ids.
nlohmann::json image_history(const images::Image& image,
                             const std::vector<images::LayerRecord>& layers,
                             const std::vector<images::Image>& ancestors = {});

nlohmann::json event_json(const Event& event);

}  // namespace stack::engine::api
