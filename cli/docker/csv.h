// "type=bind,src=/a,ro": the long forms of --mount, --network, --publish and --gpus.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stack::cli::docker {

struct CsvField {
  std::string key;  // in lower case
  std::string value;
  bool has_value = false;
};

// Fields as in RFC 4180: one that contains a comma is quoted as a whole. `flag` is for messages.
Result<std::vector<CsvField>> csv_fields(std::string_view flag, std::string_view text);

// "invalid argument "TEXT" for "--FLAG" flag: WHAT"
Error wrong_flag(std::string_view flag, std::string_view text, std::string_view what);

}  // namespace stack::cli::docker
