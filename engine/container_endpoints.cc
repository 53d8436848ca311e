#include "engine/container_endpoints.h"

#include <algorithm>
#include <tuple>

namespace stack::engine {

const Endpoint* gateway_endpoint(const Container& container, bool v6) {
  const Endpoint* best = nullptr;
  const auto before = [](const Endpoint& a, const Endpoint& b) {
    return std::make_tuple(-a.config.gateway_priority, std::cref(a.network_name)) <
           std::make_tuple(-b.config.gateway_priority, std::cref(b.network_name));
  };
  for (const Endpoint& endpoint : container.endpoints) {
    if ((v6 ? endpoint.gateway6 : endpoint.gateway4).empty()) continue;
    if (best == nullptr || before(endpoint, *best)) best = &endpoint;
  }
  return best;
}

std::vector<netd::EndpointSpec> endpoint_specs(const Container& container,
                                               const std::vector<netd::NetworkSpec>& networks) {
  std::vector<netd::EndpointSpec> specs;
  for (std::size_t i = 0; i < container.endpoints.size(); ++i) {
    const Endpoint& endpoint = container.endpoints[i];
    const netd::NetworkSpec& network = networks[i];
    netd::EndpointSpec spec;
    spec.network_id = endpoint.network_id;
    spec.bridge = network.bridge;
    spec.interface = endpoint.interface;
    if (!endpoint.ipv4.empty()) spec.ipv4 = endpoint.ipv4 + "/" + std::to_string(endpoint.prefix4);
    if (!endpoint.ipv6.empty()) spec.ipv6 = endpoint.ipv6 + "/" + std::to_string(endpoint.prefix6);
    for (const auto& address : endpoint.config.link_local_ips)
      spec.link_local.push_back(address + (address.find(':') == address.npos ? "/16" : "/64"));
    spec.gateway4 = endpoint.gateway4;
    spec.gateway6 = endpoint.gateway6;
    spec.default_route4 = &endpoint == gateway_endpoint(container, false);
    spec.default_route6 = &endpoint == gateway_endpoint(container, true);
    spec.mac = endpoint.mac;
    spec.host_veth = endpoint.host_veth;
    spec.mtu = network.mtu;
    specs.push_back(std::move(spec));
  }
  return specs;
}

std::vector<netd::PublishedPort> published_ports(const Container& container) {
  std::vector<netd::PublishedPort> out;
  const Endpoint* way4 = gateway_endpoint(container, false);
  const Endpoint* way6 = gateway_endpoint(container, true);
  if (way4 == nullptr && way6 == nullptr) return out;
  const auto has = [&](const AssignedPort& port, const char* ip) {
    return std::any_of(container.ports.begin(), container.ports.end(), [&](const AssignedPort& p) {
      return p.host_ip == ip && p.host_port == port.host_port &&
             p.container_port == port.container_port && p.protocol == port.protocol;
    });
  };
  for (const auto& port : container.ports) {
    const bool both = has(port, "0.0.0.0") && has(port, "::");
    if (both && port.host_ip == "::") continue;
    netd::PublishedPort published;
    published.host_ip = both ? std::string() : port.host_ip;
    published.host_port = port.host_port;
    published.container_port = port.container_port;
    published.protocol = port.protocol;
    if (way4 != nullptr) published.container_ipv4 = way4->ipv4;
    if (way6 != nullptr) published.container_ipv6 = way6->ipv6;
    out.push_back(std::move(published));
  }
  return out;
}

}  // namespace stack::engine
