// What an endpoint asks of its network that the network cannot give. Pure.
#pragma once

#include <string>

#include "base/error.h"
#include "engine/model.h"

namespace stack::engine {

// kInvalid "invalid endpoint settings:" with all that is wrong in Docker's words. `network` is
// nullptr while it does not exist, which says nothing against the endpoint.
Status check_endpoint(const EndpointConfig& config, const Network* network);

}  // namespace stack::engine
