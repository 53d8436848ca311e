// What `docker logs --details` shows in front of every line: the labels, variables and the tag that
// the log's options name. Pure.
#pragma once

#include <string>

#include "engine/model.h"

namespace stack::engine::api {

// "env=x,label=a%2Fb", sorted by name and quoted as a query; empty when the options name nothing.
std::string log_details(const Container& c);

}  // namespace stack::engine::api
