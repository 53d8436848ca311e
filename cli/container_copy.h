// Copying between a container and this machine: what `cp` of Compose and of Docker share.
#pragma once

#include <string>

#include "base/error.h"
#include "cli/engine_api.h"

namespace stack::cli {

// "web:/etc" is {"web", "/etc"}; "./a:b", "/a:b" and "-" are {"", text}: on this machine.
struct CopyPlace {
  std::string name;  // of a service or container
  std::string path;
};
CopyPlace copy_place(const std::string& text);

struct CopyOptions {
  bool archive = false;      // keep owners
  bool follow_link = false;  // copy what a link points to
};

// `to` "-": the archive to our stdout; `from` "-": the archive from our stdin.
Status copy_out(const Engine& engine, const std::string& container, const std::string& from,
                const std::string& to, const CopyOptions& options);
Status copy_in(const Engine& engine, const std::string& container, const std::string& from,
               const std::string& to, const CopyOptions& options);

}  // namespace stack::cli
