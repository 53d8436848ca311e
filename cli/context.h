// What every command gets: the global flags, how to talk to the user, the project, and the engine.
// Project and engine are fetched when first asked for, so that `version` starts no engine and `ls`
// reads no file.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/engine_api.h"
#include "cli/flags.h"
#include "cli/progress.h"

namespace stack::compose {
struct Diagnostic;
struct Project;
struct LoadOptions;
}  // namespace stack::compose

namespace stack::cli {

struct Globals {
  std::vector<std::string> files;
  std::string project_name;
  std::string project_directory;
  std::vector<std::string> env_files;
  std::vector<std::string> profiles;
  std::string ansi = "auto";
  std::string progress = "auto";
  bool compatibility = false;
  bool all_resources = false;
  bool dry_run = false;
  std::string host;  // --host: the engine's socket
};

// The project that a command is about. `project` is null when it is known by name only (-p without
// a file).
struct ProjectScope {
  std::string name;
  const compose::Project* project = nullptr;
};

class Context {
 public:
  static Result<Context> create(Globals globals);
  Context(Context&&) noexcept;
  ~Context();

  const Globals& globals() const { return globals_; }
  bool dry_run() const { return globals_.dry_run; }
  void set_dry_run() { globals_.dry_run = true; }

  // Loads the project once; warnings are printed, errors come back rendered. `services` activate
  // their own profiles.
  Result<const compose::Project*> project(const std::vector<std::string>& services = {});
  Result<const compose::Project*> load(const compose::LoadOptions& options);
  Result<ProjectScope> scope(const std::vector<std::string>& services = {});
  compose::LoadOptions load_options(const std::vector<std::string>& services) const;

  // Whether a bare verb means Compose's (cli/command_tree.h).
  bool in_project() const;

  // Starts the engine when nothing answers.
  Result<const Engine*> engine();

  bool colour_stdout() const { return colour_stdout_; }
  ProgressPrinter::Options progress_options(std::string title) const;

  void warn(std::string_view text) const;

 private:
  explicit Context(Globals globals);
  struct Loaded;

  Globals globals_;
  bool colour_stdout_ = false;
  bool colour_stderr_ = false;
  ProgressMode progress_mode_ = ProgressMode::kPlain;
  std::unique_ptr<Loaded> loaded_;
  std::optional<Engine> engine_;
};

// What the loader found, as one message: every error with its place, excerpt and hint.
Error rendered(const std::vector<compose::Diagnostic>& errors);
// "error text" and, on a second line, what to do about it; to stderr.
void print_error(const Error& error);
// To stdout, unbuffered.
void print(std::string_view text);

// "no such service: x" for the first name that the project (or, without a file, no container of it)
// has.
Status check_services(const compose::Project& project, const std::vector<std::string>& services);

// The environment of this process, "" when not set.
std::string environment_value(const char* name);
bool environment_flag(const char* name);

}  // namespace stack::cli
