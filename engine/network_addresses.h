// Which addresses of the networks are in use. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>

#include "base/error.h"
#include "engine/model.h"
#include "netd/network.h"

namespace stack::engine {

bool is_v6(const std::string& cidr);
netd::Subnet subnet_of(const IpamPool& pool);
// The first pool of the family; nullptr when the network has none.
const IpamPool* pool_of(const Network& network, bool v6);

class NetworkAddresses {
 public:
  // Gives an endpoint its addresses: the fixed ones of its configuration, else the next free. They
  // are taken until release(); after an error none is. kConflict or kInvalid with Docker's texts.
  Status assign(const Network& network, Endpoint* endpoint);
  void release(const Endpoint& endpoint);
  // Marks addresses as taken that a container found again already has.
  void retain(const Endpoint& endpoint);
  void forget(const std::string& network_id);
  std::size_t in_use(const std::string& network_id) const;

 private:
  Result<std::string> choose(const Network& network, const IpamPool& pool,
                             const std::string& fixed) const;

  std::map<std::string, std::set<std::string>> taken_;  // network id -> addresses
  // Network id -> the IPv4 address given last: not reused at once.
  std::map<std::string, std::string> last_;
};

}  // namespace stack::engine
