// Why a container is replaced: what it was made from, or what it is attached to, is not what is
// declared.
#include <fmt/core.h>

#include <algorithm>

#include "scheduler/inputs.h"
#include "scheduler/labels.h"
#include "scheduler/up_planner.h"

namespace stack::scheduler {

std::optional<UpPlanner::Divergence> UpPlanner::forced(const compose::Service& service) const {
  if (!named(service.name)) {
    if (options_.always_recreate_deps) return Divergence{"--always-recreate-deps"};
    return std::nullopt;
  }
  if (options_.force_recreate) return Divergence{"--force-recreate"};
  if (options_.renew_anon_volumes) return Divergence{"--renew-anon-volumes"};
  return std::nullopt;
}

std::optional<std::string> UpPlanner::image_id_of(const compose::Service& service) const {
  if (const auto pinned = options_.pinned_images.find(service.name);
      pinned != options_.pinned_images.end())
    return pinned->second;
  const auto image = observed_.image_ids.find(image_reference(project_, service));
  if (image == observed_.image_ids.end()) return std::nullopt;
  return image->second;
}

UpPlanner::Divergence UpPlanner::changed_definition(const compose::Service& service,
                                                    const ObservedContainer& c) const {
  Divergence divergence{"its configuration changed"};
  const auto before =
      observed_.declared_before ? observed_.declared_before(service.name, c.config_hash) : nullptr;
  if (before == nullptr) return divergence;
  divergence.changes = changes_between(*before, service);
  if (!divergence.changes.empty()) divergence.cause = to_string(divergence.changes);
  return divergence;
}

std::optional<UpPlanner::Divergence> UpPlanner::divergence(const compose::Service& service,
                                                           const ObservedContainer& c,
                                                           const std::string& hash) const {
  if (options_.only_missing || options_.no_recreate) return std::nullopt;
  if (auto divergence = forced(service)) return divergence;
  if (c.config_hash != hash) return changed_definition(service, c);
  if (const auto image = image_id_of(service); image && c.image_id != *image) {
    const auto digits = [](const std::string& id) {
      return id.substr(id.find(':') == std::string::npos ? 0 : id.find(':') + 1).substr(0, 12);
    };
    return Divergence{
        fmt::format("image {} changed from {} to {}", image_reference(project_, service),
                    digits(c.image_id), digits(*image)),
        {{"image", c.image_id, *image}}};
  }
  if (const auto label = c.labels.find(kInputsLabel); label != c.labels.end()) {
    const auto input =
        changed_input(label->second, inputs_of(project_, service, observed_.file_digests));
    if (input) return Divergence{"the content of " + *input + " changed"};
  }
  if (auto why = detached(service, c)) return Divergence{*std::move(why)};
  return std::nullopt;
}

// Attachments that are not what the service says.
std::optional<std::string> UpPlanner::detached(const compose::Service& service,
                                               const ObservedContainer& c) const {
  for (const auto& [key, options] : service.networks) {
    const auto network = project_.networks.find(key);
    if (network == project_.networks.end()) continue;
    const std::string& name = network->second.name;
    const auto existing = observed_.networks.find(name);
    const auto attached = c.networks.find(name);
    // Who is on a network that is replaced is put on the new one; who has been taken off already,
    // by a replacement that was cut short, is not.
    const bool moves = replaced_networks_.contains(name);
    if (attached == c.networks.end() || existing == observed_.networks.end() ||
        (!moves && attached->second != existing->second.id)) {
      return fmt::format("it is not attached to network {}", name);
    }
  }
  for (const compose::MountConfig& mount : service.volumes) {
    if (mount.type != "volume" || mount.source.empty()) continue;
    const auto volume = project_.volumes.find(mount.source);
    if (volume == project_.volumes.end()) continue;
    const bool mounted = std::any_of(c.mounts.begin(), c.mounts.end(), [&](const ObservedMount& m) {
      return m.volume == volume->second.name && m.target == mount.target;
    });
    if (!mounted)
      return fmt::format("volume {} is not mounted at {}", volume->second.name, mount.target);
  }
  for (const std::string& base : joined_services(service)) {
    const auto state = services_.find(base);
    if (state == services_.end()) continue;
    if (state->second.replaced) return fmt::format("it shares with {}, which is replaced", base);
    const auto& replicas = state->second.replicas;
    const bool joined = replicas.empty() ||
                        std::any_of(c.joined.begin(), c.joined.end(), [&](const std::string& id) {
                          return std::any_of(replicas.begin(), replicas.end(),
                                             [&](const Replica& r) { return r.ref.id == id; });
                        });
    if (!joined) return fmt::format("it shares with a container of {} that is gone", base);
  }
  return std::nullopt;
}

}  // namespace stack::scheduler
