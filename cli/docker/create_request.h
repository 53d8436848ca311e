// From the flags of `run` and `create` to the body of POST /containers/create.
#pragma once

#include <string>

#include "base/error.h"
#include "cli/flags.h"

namespace stack::cli::docker {

struct CreateRequest {
  std::string image;
  std::string name;
  std::string platform;
  std::string body;
  bool attach_stdin = false;
  bool attach_stdout = false;
  bool attach_stderr = false;
  bool open_stdin = false;
  bool tty = false;
};

// `foreground`: `run` without -d, which attaches to the output. Reads the files of --env-file and
// --label-file and our own environment.
Result<CreateRequest> create_request(const Arguments& args, bool foreground);

}  // namespace stack::cli::docker
