// One call of a project endpoint (docs/api.md): sends the request and shows what the engine reports
// until its last line.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/context.h"
#include "cli/engine_api.h"
#include "cli/json_text.h"
#include "cli/progress.h"
#include "cli/terminal.h"

namespace stack::cli {

struct ProjectRequest {
  std::string verb;   // up, down, ...
  std::string title;  // of the progress display: Running, Stopping, ...
  ProjectScope scope;
  std::string project_json;  // in place of a loaded project
  std::string working_dir;   // with project_json
  JsonObject options;
  std::string service;       // run
  bool quiet_steps = false;  // no progress, but warnings and errors
  bool quiet_log = false;    // no build output
};

std::string project_request_body(const ProjectRequest& request, bool dry_run);

// The call under way, for callers that watch other descriptors meanwhile.
class ProjectRun {
 public:
  static Result<ProjectRun> begin(const Context& context, const Engine& engine,
                                  const ProjectRequest& request);
  int fd() const { return stream_.fd(); }
  bool animated() const { return printer_->animated(); }
  void tick() { printer_->tick(); }
  // Reads once and shows it; true when finished, then outcome() is there. The engine's own failure
  // is the error.
  Result<bool> pump();
  ProjectLine::Outcome& outcome() { return *outcome_; }
  // The exit code of the failure that pump() returned.
  int failure_code() const { return failure_code_; }

 private:
  Result<bool> take(std::string_view line);

  BodyStream stream_;
  std::string pending_;
  std::unique_ptr<ProgressPrinter> printer_;
  std::optional<ProjectLine::Outcome> outcome_;
  bool quiet_steps_ = false;
  bool quiet_log_ = false;
  int failure_code_ = 1;
};

// The whole call. Ctrl-C closes the connection, which cancels the run, and comes back as
// kCancelled. `failure_code`, if given, gets the exit code that the engine asks for when it fails.
Result<ProjectLine::Outcome> call_project(Context& context, const ProjectRequest& request,
                                          SignalWatch* signals = nullptr,
                                          int* failure_code = nullptr);

// The exit code of a command that is one call of a project endpoint.
Result<int> run_project(Context& context, const ProjectRequest& request);

}  // namespace stack::cli
