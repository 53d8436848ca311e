// Pulling and pushing images over the OCI distribution protocol (Docker Registry v2): layers are
// downloaded and unpacked in parallel and verified while they stream; a cut connection is resumed
// with Range. Blocking; cancelled by the stop token. Errors carry Docker's texts where it has one;
// kNotFound for a missing repository or tag, kUnavailable for the network.
#pragma once

#include <functional>
#include <string>

#include "images/registry_options.h"
#include "images/store.h"

namespace stack::images {

// "Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete", "Extracting", "Pull
// complete", "Already exists", "Retrying in 2 seconds" per layer id; with an empty id the lines
// "Digest: sha256:..." and "Status: Downloaded newer image for x:latest" or "Status: Image is up to
// date for x:latest".
using PullProgress = Progress;

struct PullOptions : RegistryOptions {
  std::string platform;  // os/arch[/variant]; empty: this machine's
  int parallel_downloads = 3;
  int parallel_uploads = 5;
  ProgressCallback progress;  // called under a lock, from several threads
};

Result<Image> pull(Store& store, const Reference& reference, const PullOptions& options);
struct PushResult {
  std::string tag;
  std::string digest;  // of the manifest
  std::int64_t size = 0;
};
// Uploads an image under the reference's repository and tag and records its new digest. Layers that
// the registry has are not sent, nor those it can mount from another repository. Reports
// "Preparing", "Waiting", "Pushing", "Pushed", "Layer already exists", "Mounted from x" per layer.
Result<PushResult> push(Store& store, const Reference& reference, const PullOptions& options);

}  // namespace stack::images
