// Loads a project: finds the files, reads, interpolates, extends, includes, merges, checks,
// normalises and binds them. Pure apart from `read_file`, `file_kind` and the environment, all of
// which are passed in. All errors of all files are found in one run.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "compose/diagnostic.h"
#include "compose/project.h"

namespace stack::compose {

enum class FileKind { kAbsent, kFile, kDirectory };

struct LoadOptions {
  std::vector<std::string> files;  // -f; "-" is standard input; empty: COMPOSE_FILE, else discovery
  std::string project_directory;
  std::string project_name;            // -p
  std::vector<std::string> env_files;  // --env-file
  std::vector<std::string> profiles;   // --profile; empty: COMPOSE_PROFILES
  std::vector<std::string> services;   // named on the command line: their own profiles are active
  std::map<std::string, std::string> environment;  // the process environment
  std::string working_directory;                   // absolute
  bool interpolate = true;
  bool normalize = true;
  bool resolve_paths = true;
  bool consistency = true;
  bool all_resources =
      false;  // keep networks, volumes, configs and secrets that no active service uses
  bool read_env_files = true;  // of services; --env-file and .env are read
  bool lint = false;           // look for what is probably not meant, too (lint.h)

  // Defaults read the real file system. "-" reads standard input.
  std::function<Result<std::string>(const std::string& path)> read_file;
  std::function<FileKind(const std::string& path)> file_kind;
  // Follows symbolic links; of what does not exist the path itself. Absent: nothing is followed.
  std::function<std::string(const std::string& path)> real_path;
};

// The process environment and working directory filled in.
LoadOptions default_load_options();

struct LoadResult {
  Project project;
  std::vector<Diagnostic> warnings;  // and notes
};
// At least one error, and the warnings and notes beside it; by file, line and column.
using LoadErrors = std::vector<Diagnostic>;

std::variant<LoadResult, LoadErrors> load(const LoadOptions& options);

// Keeps the services named and what they depend on, and the networks, volumes, configs, secrets and
// models that these use; the other services become disabled ones.
void select_services(Project& project, const std::vector<std::string>& names);

// Only the project's name, for commands that work without files ("down -p x", "ps").
Result<std::string> resolve_project_name(const LoadOptions& options);

// What to_json() printed: no interpolation, no files, no discovery.
Result<Project> load_canonical(std::string_view json);

// The merged files as they are printed with their variables (options.interpolate is false): nothing
// is read into the model, so it is not checked for consistency either.
enum class Format { kYaml, kJson };
std::variant<std::string, LoadErrors> load_document(const LoadOptions& options, Format format);

// ${NAME} used in the files, for `config --variables`, sorted by name.
struct Variable {
  std::string name;
  std::string default_value;
  std::string presence_value;
  bool required = false;

  bool operator==(const Variable&) const = default;
};
std::variant<std::vector<Variable>, LoadErrors> variables(const LoadOptions& options);

}  // namespace stack::compose
