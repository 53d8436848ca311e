// One build under way: the stages done so far and the step being made. Private to build.cc and its
// parts.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "images/build.h"
#include "images/build_cache.h"
#include "images/build_context.h"
#include "images/build_plan.h"
#include "images/dockerfile.h"
#include "images/instructions.h"

namespace stack::images {

struct BuildStage {
  BuildScope scope;
  std::vector<LayerRecord> layers;  // bottom first
  std::string key;                  // of the layers so far, for the cache
  std::string state;                // the id of the image, if it ended here; of scratch none
  bool known = false;               // an earlier build has been there
};

// A root to copy from, open as long as it is needed.
struct OpenedSource {
  Fd root;
  CopySource source;
  std::string key;  // what its content depends on, when that is cheaper than hashing it
  std::vector<std::filesystem::path> directories;  // for bind mounts: topmost first
};

// Proxy settings are arguments of every RUN without a declaration.
bool is_proxy_arg(const std::string& name);

class Builder {
 public:
  Builder(Store& store, const BuildRequest& request, StepRunner& runner,
          const BuildProgress& progress, const BaseResolver& resolve_base, std::stop_token stop)
      : store_(store),
        request_(request),
        runner_(runner),
        progress_(progress),
        resolve_base_(resolve_base),
        stop_(std::move(stop)),
        pin_(store) {}
  Result<Image> run();

 private:
  // build.cc
  Status load_dockerfile();
  Status load_context();
  Result<std::vector<std::string>> expand_bases();
  Status start_stage(std::size_t index, const std::string& base, BuildStage& stage);
  Result<Image> find_image(const std::string& name, const std::string& platform);
  Status run_stage(std::size_t index);
  Result<const BuildStage*> earlier_stage(std::size_t index);
  Status run_instruction(std::size_t index, const Instruction& instruction, BuildStage& stage);
  Result<Image> finish(BuildStage& stage);
  // build_step.cc
  Status workdir_step(BuildStage& stage, const std::string& shown, int id);
  Status copy_step(std::size_t index, const Instruction& instruction, BuildStage& stage, int id);
  Result<OpenedSource> open_source(std::size_t index, const std::string& from);
  // Looks up the key; otherwise runs `make` with an upper directory mounted over the stage's layers
  // and stores the result.
  using Make =
      std::function<Status(const std::filesystem::path& upper, const std::filesystem::path& work)>;
  Status cached_step(BuildStage& stage, const std::string& key_text, const std::string& shown,
                     int id, const Make& make);
  std::vector<std::filesystem::path> lowers(const BuildStage& stage) const;
  // build_run.cc
  Status run_step(std::size_t index, const Instruction& instruction, BuildStage& stage, int id);
  Result<RunMount> run_mount(std::size_t index, const MountRequest& request, std::string& key,
                             std::vector<OpenedSource>& keep);

  Error fail(const Instruction& instruction, Error error) const;
  void add_history(BuildStage& stage, const std::string& created_by, bool empty_layer);
  void tell(BuildEvent event) const;
  void announce(const Instruction& instruction);
  Status note_state(BuildStage& stage) const;
  void tell_state(const BuildStage& stage) const;
  void count_instructions(std::size_t stage);
  void warn_of_unused_args() const;
  int begin(const std::string& text);
  void end(int id, bool cached, std::chrono::steady_clock::time_point since);

  Store& store_;
  const BuildRequest& request_;
  StepRunner& runner_;
  const BuildProgress& progress_;
  const BaseResolver& resolve_base_;
  std::stop_token stop_;
  Store::Pin pin_;  // all layers of the stages and of the images they use
  Dockerfile file_;
  Fd context_;
  DockerIgnore ignore_;
  ArgValues values_;
  std::vector<std::string> bases_;  // of the stages, expanded
  std::map<std::size_t, BuildStage> stages_;
  std::map<std::string, Image> images_;  // bases and sources by name and platform
  std::filesystem::path empty_;          // lower directory of scratch
  int next_id_ = 1;
  int instructions_ = 0, announced_ = 0;  // of the stages that are built
  std::optional<bool> reused_;  // whether the layer of this instruction was there; none: no layer
};

}  // namespace stack::images
