// A container's files as an image or an archive: for `commit` and `export` of Docker and of
// Compose.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "cli/engine_api.h"
#include "cli/flags.h"

namespace stack::cli::docker {

inline constexpr FlagSpec kCommitFlags[] = {
    {"author", 'a', FlagType::kString,
     "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")"},
    {"change", 'c', FlagType::kList, "Apply Dockerfile instruction to the created image"},
    {"message", 'm', FlagType::kString, "Commit message"},
    {"pause", 'p', FlagType::kBool, "Pause container during commit", "true"},
};
inline constexpr FlagSpec kExportFlags[] = {
    {"output", 'o', FlagType::kString, "Write to a file, instead of STDOUT"},
};

// With these flags; `reference` may be empty. The new image's id.
Result<std::string> commit_container(const Engine& engine, const std::string& container,
                                     const std::string& reference, const Arguments& args);
Status export_container(const Engine& engine, const std::string& container, const Arguments& args);

}  // namespace stack::cli::docker
