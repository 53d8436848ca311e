#include <fmt/core.h>

#include <algorithm>

#include "base/sha256.h"
#include "scheduler/reconcile.h"

namespace stack::scheduler {

std::string fingerprint(const Plan& plan, const Observed& observed) {
  std::string text = to_text(plan);
  std::vector<std::string> containers;
  for (const ObservedContainer& c : observed.containers) {
    containers.push_back(fmt::format("{} {} {} {} {} {}\n", c.id, c.name, to_string(c.state),
                                     c.config_hash, c.image_id, c.standby));
  }
  std::sort(containers.begin(), containers.end());
  for (const std::string& line : containers) text += line;
  for (const auto& [name, network] : observed.networks)
    text += fmt::format("network {} {} {}\n", name, network.id, network.config_hash);
  for (const auto& [name, volume] : observed.volumes)
    text += fmt::format("volume {} {}\n", name, volume.config_hash);
  for (const auto& [reference, id] : observed.image_ids)
    text += fmt::format("image {} {}\n", reference, id);
  for (const auto& [path, digest] : observed.file_digests)
    text += fmt::format("file {} {}\n", path, digest);
  return sha256_hex(text);
}

}  // namespace stack::scheduler
