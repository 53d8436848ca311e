// Answers explain() from what a traced run of the loader left behind.
#pragma once

#include <string>
#include <vector>

#include "compose/discover.h"
#include "compose/explain.h"
#include "compose/trace.h"

namespace stack::compose {

struct Traced {
  const LoadOptions& options;
  const Sources& sources;
  const Trace& trace;
  const Project& project;
  const Node& root;                         // the canonical tree
  const std::vector<EnvFileValue>& values;  // of .env or --env-file
};

Result<std::vector<Explanation>> explain_subject(const Traced& traced, const std::string& subject);

}  // namespace stack::compose
