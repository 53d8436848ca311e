// Names for containers that nobody named: an adjective and a noun.
#pragma once

#include <string>

namespace stack::engine {

std::string random_name();

}  // namespace stack::engine
