// RUN steps of a Dockerfile as containers of this engine: same isolation, network and resolver as
// any other, without a record.
#pragma once

#include "engine/daemon.h"
#include "images/build.h"

namespace stack::engine {

class ContainerStepRunner final : public images::StepRunner {
 public:
  explicit ContainerStepRunner(Services& services) : services_(services) {}
  // On a worker thread; hops to the loop for addresses and names.
  Result<int> run(const images::RunStep& step, const images::OutputCallback& output,
                  std::stop_token stop) override;

 private:
  Services& services_;
};

}  // namespace stack::engine
