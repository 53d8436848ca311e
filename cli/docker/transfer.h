// The lines that the engine sends while it pulls, pushes, loads or builds, shown as Docker shows
// them: one line a layer that is redrawn on a terminal, a line for each change elsewhere.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "cli/api_client.h"

namespace stack::cli::docker {

struct TransferOutput {
  int fd = 1;
  bool quiet = false;
};

struct TransferResult {
  std::string image_id;  // of the last line with aux.ID, or aux.Digest
  std::string last_status;
  std::string last_stream;
};

// Reads to the end. An error among the lines is the error; one of the request is passed on.
Result<TransferResult> show_transfer(Result<BodyStream> answer, const TransferOutput& output);

// Pulls with the login kept for the image's registry. `reference` may have no tag: then "latest".
Status pull_image(const ApiClient& http, const std::string& reference, const std::string& platform,
                  const std::string& config_directory, const TransferOutput& output);
Status pull_all_tags(const ApiClient& http, const std::string& name, const std::string& platform,
                     const std::string& config_directory, const TransferOutput& output);
// `target`: the request's path and query.
Status push_image(const ApiClient& http, const std::string& target, const std::string& name,
                  const std::string& config_directory, const TransferOutput& output);

}  // namespace stack::cli::docker
