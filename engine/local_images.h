// Two operations of the scheduler that take long: making an image present, and running a hook.
#pragma once

#include <functional>
#include <stop_token>

#include "engine/daemon.h"
#include "scheduler/engine.h"

namespace stack::engine {

void ensure_image(Services& services, const scheduler::ProjectPtr& project,
                  const scheduler::EnsureImage& op, const scheduler::ProgressSink& progress,
                  std::stop_token cancel,
                  std::function<void(Result<scheduler::OperationResult>)> done);
void run_hook(Services& services, const scheduler::RunHook& op,
              const scheduler::ProgressSink& progress, std::stop_token cancel,
              std::function<void(Result<scheduler::OperationResult>)> done);

}  // namespace stack::engine
