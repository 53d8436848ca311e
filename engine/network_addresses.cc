#include "engine/network_addresses.h"

#include "netd/address.h"
#include "netd/ipam.h"

namespace stack::engine {

bool is_v6(const std::string& cidr) { return cidr.find(':') != std::string::npos; }

netd::Subnet subnet_of(const IpamPool& pool) { return {pool.subnet, pool.gateway, pool.ip_range}; }

const IpamPool* pool_of(const Network& network, bool v6) {
  for (const auto& pool : network.config.ipam) {
    if (is_v6(pool.subnet) == v6) return &pool;
  }
  return nullptr;
}

Result<std::string> NetworkAddresses::choose(const Network& network, const IpamPool& pool,
                                             const std::string& fixed) const {
  static const std::set<std::string> kNone;
  const auto taken = taken_.find(network.id);
  const std::set<std::string>& given = taken == taken_.end() ? kNone : taken->second;
  // Copied only when there is something to add: a network may have a thousand addresses in use.
  std::set<std::string> more;
  if (!pool.aux_addresses.empty()) {
    more = given;
    for (const auto& [name, address] : pool.aux_addresses) more.insert(address);
  }
  const std::set<std::string>& used = more.empty() ? given : more;
  if (!fixed.empty()) {
    TRY(netd::check_static_address(subnet_of(pool), fixed, used));
    return fixed;
  }
  const auto last = last_.find(network.id);
  const bool after_last = !is_v6(pool.subnet) && last != last_.end();
  return netd::next_address(subnet_of(pool), used, network.config.name + " (" + network.id + ")",
                            after_last ? last->second : std::string());
}

Status NetworkAddresses::assign(const Network& network, Endpoint* endpoint) {
  for (const bool v6 : {false, true}) {
    const IpamPool* pool = pool_of(network, v6);
    const std::string& fixed = v6 ? endpoint->config.ipv6 : endpoint->config.ipv4;
    if (pool == nullptr && !fixed.empty()) {
      release(*endpoint);
      return Error::invalid(
          "user specified IP address is supported only when connecting to networks with user "
          "configured subnets");
    }
    if (pool == nullptr) continue;
    auto address = choose(network, *pool, fixed);
    if (!address.ok()) {
      release(*endpoint);
      return std::move(address).error();
    }
    taken_[network.id].insert(*address);
    if (!v6 && fixed.empty()) last_[network.id] = *address;
    const auto subnet = netd::parse_prefix(pool->subnet);
    (v6 ? endpoint->ipv6 : endpoint->ipv4) = *address;
    (v6 ? endpoint->prefix6 : endpoint->prefix4) = subnet ? subnet->length : 0;
    (v6 ? endpoint->gateway6 : endpoint->gateway4) =
        network.config.internal ? std::string() : pool->gateway;
  }
  return ok_status();
}

void NetworkAddresses::release(const Endpoint& endpoint) {
  const auto it = taken_.find(endpoint.network_id);
  if (it == taken_.end()) return;
  it->second.erase(endpoint.ipv4);
  it->second.erase(endpoint.ipv6);
}

void NetworkAddresses::retain(const Endpoint& endpoint) {
  if (!endpoint.ipv4.empty()) taken_[endpoint.network_id].insert(endpoint.ipv4);
  if (!endpoint.ipv6.empty()) taken_[endpoint.network_id].insert(endpoint.ipv6);
}

void NetworkAddresses::forget(const std::string& network_id) {
  taken_.erase(network_id);
  last_.erase(network_id);
}

std::size_t NetworkAddresses::in_use(const std::string& network_id) const {
  const auto it = taken_.find(network_id);
  return it == taken_.end() ? 0 : it->second.size();
}

}  // namespace stack::engine
