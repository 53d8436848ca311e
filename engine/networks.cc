#include "engine/networks.h"

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "engine/containers.h"
#include "engine/daemon.h"
#include "engine/model_json.h"
#include "engine/state_store.h"
#include "netd/ipam.h"
#include "netd/network.h"

namespace stack::engine {

namespace {

// So long the predefined bridge stays after its last container.
constexpr std::chrono::seconds kBridgeLinger{1};
constexpr const char* kPredefined[] = {"bridge", "host", "none"};

bool option(const Network& network, const char* key, bool fallback) {
  const auto it = network.config.options.find(key);
  return it == network.config.options.end() ? fallback : it->second == "true" || it->second == "1";
}

}  // namespace

void Networks::adopt() {
  auto records = services_.state.all("network");
  if (!records.ok()) log_error("reading networks: {}", records.error().to_string());
  if (records.ok()) {
    for (const auto& [id, text] : *records) {
      auto network = parse_network_record(text);
      if (network.ok()) {
        networks_.emplace(id, std::move(network).value());
      } else {
        log_error("network {}: {}", id, network.error().to_string());
      }
    }
  }
  for (const char* name : kPredefined) {
    if (find(name).ok()) continue;
    Network network;
    network.id = random_hex(64);
    network.config.name = name;
    network.config.driver = name == std::string_view("none") ? "null" : name;
    network.created = services_.clock.wall();
    network.predefined = true;
    if (name == std::string_view("bridge")) {
      network.bridge = netd::bridge_name(network.id);
      auto routes = netd::host_subnets();
      const Status filled = fill_ipam(&network, routes.ok() ? *routes : std::vector<std::string>());
      if (!filled.ok()) log_error("default network: {}", filled.error().to_string());
    }
    (void)services_.state.put("network", network.id,
                              to_record(network));  // made again next time when this fails
    networks_.emplace(network.id, std::move(network));
  }
}

Status Networks::fill_ipam(Network* network, const std::vector<std::string>& host_subnets) const {
  std::vector<std::string> used;
  for (const auto& [id, other] : networks_) {
    for (const auto& pool : other.config.ipam) used.push_back(pool.subnet);
  }
  auto& pools = network->config.ipam;
  for (auto& pool : pools) {
    if (pool.subnet.empty()) continue;
    const netd::Subnet checked = TRY(netd::validate_subnet(subnet_of(pool), used));
    pool.subnet = checked.cidr;
    pool.gateway = checked.gateway;
    pool.ip_range = checked.ip_range;
  }
  pools.erase(std::remove_if(pools.begin(), pools.end(),
                             [](const IpamPool& p) { return p.subnet.empty(); }),
              pools.end());
  const auto add = [&](const netd::Subnet& subnet) {
    IpamPool pool;
    pool.subnet = subnet.cidr;
    pool.gateway = subnet.gateway;
    pool.by_engine = !network->predefined;
    pools.push_back(std::move(pool));
  };
  if (network->config.enable_ipv4 && pool_of(*network, false) == nullptr) {
    add(TRY(netd::next_subnet4(used, host_subnets, network->predefined)));
  }
  if (network->config.enable_ipv6 && pool_of(*network, true) == nullptr) {
    add(TRY(netd::next_subnet6(network->id, used)));
  }
  return ok_status();
}

netd::NetworkSpec Networks::spec_of(const Network& network) {
  netd::NetworkSpec spec;
  spec.id = network.id;
  spec.name = network.config.name;
  spec.bridge = network.bridge;
  spec.bridge_by_user = network.bridge_by_user;
  spec.internal = network.config.internal;
  spec.masquerade = option(network, "com.docker.network.bridge.enable_ip_masquerade", true);
  spec.icc = option(network, "com.docker.network.bridge.enable_icc", true);
  if (const auto it = network.config.options.find("com.docker.network.driver.mtu");
      it != network.config.options.end()) {
    spec.mtu = std::atoi(it->second.c_str());
  }
  for (const auto& pool : network.config.ipam) {
    (is_v6(pool.subnet) ? spec.ipv6 : spec.ipv4).push_back(subnet_of(pool));
  }
  return spec;
}

std::vector<netd::NetworkSpec> Networks::live_specs() const {
  std::vector<netd::NetworkSpec> specs;
  for (const auto& [id, network] : networks_) {
    if (network.bridge.empty()) continue;
    if (network.predefined && addresses_.in_use(id) == 0) continue;
    const auto change = unsettled_.find(id);
    if (change != unsettled_.end() && change->second == Change::kRemoving) continue;
    specs.push_back(spec_of(network));
  }
  return specs;
}

Status check_connectable(const Container& c, const Network& network) {
  const auto& mode = c.config.network_mode;
  if (network.config.driver == "host") {
    return Error::conflict(
        "cannot connect container to host network - container must be created in host network "
        "mode");
  }
  if (mode == "host" || mode.rfind("container:", 0) == 0) {
    return Error::conflict(
        "container sharing network namespace with another container or host cannot be connected "
        "to any other network");
  }
  if (network.config.driver == "null" || mode == "none") {
    return Error::conflict(
        "container cannot be connected to multiple networks with one of the networks in private "
        "(none) mode");
  }
  return ok_status();
}

Status Networks::check_new(NetworkConfig& config) const {
  if (config.name.empty()) return Error::invalid("invalid network name: name is empty");
  const bool predefined = std::find(std::begin(kPredefined), std::end(kPredefined), config.name) !=
                          std::end(kPredefined);
  if (predefined || config.name == "default") {
    return Error::make(ErrorKind::kConflict,
                       "operation is not permitted on predefined " + config.name + " network ");
  }
  if (const auto existing = find(config.name);
      existing.ok() && (*existing)->config.name == config.name) {
    return Error::conflict("network with name " + config.name + " already exists");
  }
  if (config.driver.empty() || config.driver == "default") config.driver = "bridge";
  if (config.driver == "host" || config.driver == "null")
    return Error::conflict("only one instance of \"" + config.driver + "\" network is allowed");
  if (config.driver != "bridge")
    return Error::not_found("plugin \"" + config.driver + "\" not found");
  return ok_status();
}

Status Networks::check_bridge(const Network& network) const {
  for (const auto& [id, other] : networks_) {
    if (other.bridge != network.bridge) continue;
    return Error::conflict("cannot create network " + network.id + " (" + network.bridge +
                           "): conflicts with network " + id + " (" + other.bridge +
                           "): networks have same bridge name");
  }
  return ok_status();
}

void Networks::create(NetworkConfig config, Done<std::string> done) {
  if (Status fits = check_new(config); !fits.ok()) return done(std::move(fits).error());
  struct Host {
    std::vector<std::string> subnets;
    bool has_bridge = false;
  };
  Network network;
  network.id = random_hex(64);
  network.config = std::move(config);
  network.created = services_.clock.wall();
  network.bridge = netd::bridge_name(network.id);
  if (const auto it = network.config.options.find("com.docker.network.bridge.name");
      it != network.config.options.end()) {
    network.bridge = it->second;
  }
  const std::string bridge = network.bridge;
  services_.pool.run(
      [bridge]() -> Result<Host> {
        const bool has_bridge = TRY(netd::find_bridge(bridge));
        return Host{TRY(netd::host_subnets()), has_bridge};
      },
      [this, network = std::move(network), done = std::move(done)](Result<Host> host) mutable {
        if (!host.ok()) return done(std::move(host).error());
        // Another one may have been made meanwhile.
        if (Status fits = check_new(network.config); !fits.ok())
          return done(std::move(fits).error());
        if (Status fits = check_bridge(network); !fits.ok()) return done(std::move(fits).error());
        network.bridge_by_user = host->has_bridge;
        const Status filled = fill_ipam(&network, host->subnets);
        if (!filled.ok()) {
          const bool malformed = filled.error().kind == ErrorKind::kInvalid;
          return done(malformed
                          ? Error::invalid("invalid network config:\n" + filled.error().message)
                          : filled.error());
        }
        // The record comes first: what the kernel has without a record could not be found again
        // after a crash.
        const Status put = services_.state.put("network", network.id, to_record(network));
        if (!put.ok()) return done(put.error());
        networks_.emplace(network.id, network);
        make(network, std::move(done));
      });
}

void Networks::make(const Network& network, Done<std::string> done) {
  unsettled_[network.id] = Change::kMaking;
  services_.pool.run(
      [spec = spec_of(network)]() -> Status {
        Status made = netd::ensure_network(spec);
        if (!made.ok()) (void)netd::remove_network(spec);  // the first error is the one to tell
        return made;
      },
      [this, network, done = std::move(done)](Status made) {
        unsettled_.erase(network.id);
        if (!made.ok()) {
          erase(network.id);
          return done(std::move(made).error());
        }
        services_.events.publish({"network",
                                  "create",
                                  network.id,
                                  {{"name", network.config.name}, {"type", network.config.driver}},
                                  services_.clock.wall()});
        done(network.id);
      });
}

void Networks::erase(const std::string& id) {
  const Status erased = services_.state.erase("network", id);
  if (!erased.ok()) log_error("network {}: {}", id, erased.error().to_string());
  networks_.erase(id);
  addresses_.forget(id);
}

void Networks::remove(const std::string& name_or_id, Done<Unit> done) {
  const auto found = find(name_or_id);
  if (!found.ok()) return done(found.error());
  const Network network = **found;
  if (unsettled_.count(network.id) != 0)
    return done(Error::not_found("network " + name_or_id + " not found"));
  if (network.predefined) {
    return done(
        Error::make(ErrorKind::kConflict,
                    network.config.name + " is a pre-defined network and cannot be removed"));
  }
  if (Status unused = check_unused(network); !unused.ok()) return done(std::move(unused).error());
  unsettled_[network.id] = Change::kRemoving;
  services_.pool.run(
      [spec = spec_of(network)] { return netd::remove_network(spec); },
      [this, network, done = std::move(done)](Status removed) {
        unsettled_.erase(network.id);
        if (!removed.ok()) return done(std::move(removed).error());
        erase(network.id);
        services_.events.publish({"network",
                                  "destroy",
                                  network.id,
                                  {{"name", network.config.name}, {"type", network.config.driver}},
                                  services_.clock.wall()});
        done(Unit{});
      });
}

Status Networks::check_unused(const Network& network) const {
  std::string users;
  for (const Container* container : services_.containers->list()) {
    for (const auto& endpoint : container->endpoints) {
      // It has addresses from the beginning of its start.
      const bool active =
          is_up(container->status) || !endpoint.ipv4.empty() || !endpoint.ipv6.empty();
      if (active && endpoint.network_id == network.id)
        users += " name:\"" + container->name + "\" id:\"" + container->id.substr(0, 12) + "\"";
    }
  }
  if (users.empty() && addresses_.in_use(network.id) == 0) return ok_status();
  return Error::conflict("error while removing network: network " + network.config.name +
                         " has active endpoints" +
                         (users.empty() ? "" : " (" + users.substr(1) + ")"));
}

Result<const Network*> Networks::find(const std::string& name_or_id) const {
  if (const auto it = networks_.find(name_or_id); it != networks_.end()) return &it->second;
  const Network* by_prefix = nullptr;
  int matches = 0;
  for (const auto& [id, network] : networks_) {
    if (network.config.name == name_or_id) return &network;
    if (!name_or_id.empty() && id.rfind(name_or_id, 0) == 0) {
      by_prefix = &network;
      ++matches;
    }
  }
  if (matches == 1) return by_prefix;
  if (matches > 1)
    return Error::invalid("network " + name_or_id + " is ambiguous (" + std::to_string(matches) +
                          " matches found on ID prefix)");
  return Error::not_found("network " + name_or_id + " not found");
}

std::vector<const Network*> Networks::list() const {
  std::vector<const Network*> out;
  for (const auto& [id, network] : networks_) out.push_back(&network);
  std::sort(out.begin(), out.end(),
            [](const Network* a, const Network* b) { return a->created > b->created; });
  return out;
}

Status Networks::assign(const Network& network, Endpoint* endpoint) {
  if (unsettled_.count(network.id) != 0)
    return Error::not_found("network " + network.config.name + " not found");
  TRY(addresses_.assign(network, endpoint));
  if (network.predefined) gate_->users = static_cast<int>(addresses_.in_use(network.id));
  endpoint->mac = endpoint->config.mac.empty() ? netd::random_mac() : endpoint->config.mac;
  return ok_status();
}

void Networks::release(const Endpoint& endpoint) {
  addresses_.release(endpoint);
  const auto network = networks_.find(endpoint.network_id);
  if (network == networks_.end() || !network->second.predefined) return;
  gate_->users = static_cast<int>(addresses_.in_use(network->first));
  if (gate_->users > 0) return;
  // `docker run` after `docker run`: a bridge takes more time to make than a container.
  unused_bridge_ = services_.loop.after(kBridgeLinger, [this, id = network->first] {
    if (gate_->users == 0) withdraw(spec_of(networks_.at(id)));
  });
}

Status Networks::remove_unused_bridge() {
  if (gate_->users > 0) return ok_status();
  for (const auto& [id, network] : networks_) {
    if (network.predefined && !network.bridge.empty()) TRY(netd::remove_network(spec_of(network)));
  }
  return ok_status();
}

void Networks::withdraw(netd::NetworkSpec spec) {
  const auto network = networks_.find(spec.id);
  const auto gate = network != networks_.end() && network->second.predefined ? gate_ : nullptr;
  services_.pool.run(
      [spec = std::move(spec), gate]() -> Status {
        if (gate == nullptr) return netd::remove_network(spec);
        const std::lock_guard lock(gate->mutex);
        return gate->users > 0 ? ok_status() : netd::remove_network(spec);
      },
      [](Status removed) {
        if (!removed.ok())
          log_warning("removing the bridge of a network: {}", removed.error().to_string());
      });
}

void Networks::retain(const Endpoint& endpoint) {
  addresses_.retain(endpoint);
  const auto network = networks_.find(endpoint.network_id);
  if (network != networks_.end() && network->second.predefined)
    gate_->users = static_cast<int>(addresses_.in_use(network->first));
}

}  // namespace stack::engine
