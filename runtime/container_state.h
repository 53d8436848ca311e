#pragma once

#include "runtime/cgroup.h"
#include "runtime/container.h"

namespace stack::runtime {

// Nothing changes after open(), so threads share it freely.
struct Runtime::State {
  RuntimeConfig config;
  Fd shim;
  std::unique_ptr<CgroupSystem> cgroups;
};

}  // namespace stack::runtime
