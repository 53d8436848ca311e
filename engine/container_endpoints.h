// What the endpoints of a container come to: its way to other networks, what is published on it,
// and what the kernel is told of its interfaces. Pure.
#pragma once

#include <vector>

#include "engine/model.h"
#include "netd/endpoint.h"
#include "netd/network.h"
#include "netd/ports.h"

namespace stack::engine {

// The endpoint that has the default route, and with it the published ports: answers leave by the
// way that questions came. The highest gw_priority, then the first network by name. nullptr: none
// has a gateway, as those of internal networks.
const Endpoint* gateway_endpoint(const Container& container, bool v6);

// In the order of the endpoints; `networks` are theirs.
std::vector<netd::EndpointSpec> endpoint_specs(const Container& container,
                                               const std::vector<netd::NetworkSpec>& networks);

// The container's assigned ports, which lead to its gateway endpoints; none without one.
std::vector<netd::PublishedPort> published_ports(const Container& container);

}  // namespace stack::engine
