// What is loaded before any file is read: which files, from which directory, with which
// environment, profiles and name.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "compose/dotenv.h"
#include "compose/loader.h"

namespace stack::compose {

struct Discovered {
  std::vector<std::string> files;              // absolute, or "-"
  std::string directory;                       // the project's, absolute
  StringMap environment;                       // process environment, then environment files
  std::vector<std::string> environment_files;  // given on the command line, absolute
  std::string explicit_name;                   // -p or COMPOSE_PROJECT_NAME
  std::string default_name;                    // from the directory; may be empty
  std::vector<std::string> profiles;
  std::vector<std::string> warnings;
  std::vector<EnvFileValue> values;  // of the environment files, in order
};

Result<Discovered> discover(const LoadOptions& options);

// Everything but the files: an absent project file is no error.
Result<Discovered> discover_without_files(const LoadOptions& options);

// Lower case; only letters, digits, '_' and '-'; no '_' or '-' in front.
std::string normalized_project_name(const std::string& name);
Status check_project_name(const std::string& name);

}  // namespace stack::compose
