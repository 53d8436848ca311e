// Answers explain() from what a traced run of the loader left behind.
#pragma once

#include <string>
#include <vector>

#include "compose/origins.h"

namespace stack::compose {

Result<std::vector<Explanation>> explain_subject(const Traced& traced, const std::string& subject);

}  // namespace stack::compose
