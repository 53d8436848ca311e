// Environment files: .env, --env-file, env_file and label_file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "compose/interpolate.h"

namespace stack::compose {

struct EnvFile {
  std::vector<std::pair<std::string, std::string>> values;  // in order; a later one wins
  std::vector<int> lines;                                   // of each value, from 1
  std::vector<UnsetVariable> unset;                         // offsets are those in the file
};

// A value together with where it stands.
struct EnvFileValue {
  std::string name;
  std::string value;
  std::string file;
  int line = 0;
};

// KEY=value lines with quotes, escapes, comments and interpolation. `lookup` is asked first, then
// the keys above; a bare KEY takes its value from `lookup` or is left out. The error's place has
// the line; the caller knows the file.
Result<EnvFile> parse_env_file(std::string_view text, const Lookup& lookup);
// `earlier` is asked last: keys of the files before this one.
Result<EnvFile> parse_env_file(std::string_view text, const Lookup& lookup,
                               const StringMap& earlier);

// format: raw. Nothing is interpreted but the first "=".
Result<EnvFile> parse_raw_env_file(std::string_view text, const Lookup& lookup);

}  // namespace stack::compose
