#include "engine/endpoint_checks.h"

#include <algorithm>
#include <vector>

#include "engine/network_addresses.h"
#include "netd/address.h"

namespace stack::engine {

namespace {

bool is_address(const std::string& text, bool v6) {
  const auto address = netd::parse_address(text);
  return address && address->v6 == v6;
}

bool contains(const std::string& subnet, const std::string& text) {
  const auto prefix = netd::parse_prefix(subnet);
  const auto address = netd::parse_address(text);
  return prefix && address && netd::contains(netd::masked(*prefix), *address);
}

// An address is the user's to choose only in a subnet that the user chose.
std::string place_problem(const std::string& address, const Network& network, bool v6) {
  bool chosen = false;
  for (const IpamPool& pool : network.config.ipam) {
    if (is_v6(pool.subnet) != v6 || pool.by_engine) continue;
    chosen = true;
    if (contains(pool.subnet, address)) return "";
  }
  return chosen ? "no configured subnet or ip-range contain the IP address " + address
                : "user specified IP address is supported only when connecting to networks with "
                  "user configured subnets";
}

}  // namespace

Status check_endpoint(const EndpointConfig& config, const Network* network) {
  std::vector<std::string> problems;
  if (network != nullptr && network->predefined) {
    if (!config.ipv4.empty() || !config.ipv6.empty())
      problems.emplace_back("user specified IP address is supported on user defined networks only");
    if (!config.aliases.empty())
      problems.emplace_back(
          "network-scoped alias is supported only for containers in user defined networks");
  }
  const std::pair<const std::string&, bool> addresses[] = {{config.ipv4, false},
                                                           {config.ipv6, true}};
  for (const auto& [address, v6] : addresses) {
    if (!address.empty() && !is_address(address, v6))
      problems.push_back("invalid IPv" + std::string(v6 ? "6" : "4") + " address: " + address);
  }
  for (const auto& [address, v6] : addresses) {
    if (address.empty() || network == nullptr) continue;
    if (std::string problem = place_problem(address, *network, v6); !problem.empty())
      problems.push_back(std::move(problem));
  }
  if (problems.empty()) return ok_status();
  std::string text = "invalid endpoint settings:";
  for (const std::string& problem : problems)
    text += (problems.size() == 1 ? "\n" : "\n* ") + problem;
  return Error::invalid(text);
}

}  // namespace stack::engine
