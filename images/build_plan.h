// Which stages a build needs, and the mounts of RUN. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "images/dockerfile.h"

namespace stack::images {

struct MountRequest {
  std::string type = "bind";
  std::string id, from, source, target, sharing = "shared", environment;
  bool read_write = false;
  bool required = false;
  std::int64_t size = 0;
  unsigned mode = 0;
  bool has_mode = false;
  unsigned uid = 0;
  unsigned gid = 0;
};
// The value of --mount=, after expansion of variables.
Result<MountRequest> parse_mount(const std::string& text);

// Where a stage gets files or its root from: an earlier stage (index), or an image or named
// context.
struct StageGraph {
  std::size_t target = 0;
  std::vector<bool> needed;
};
// `bases[i]` is the expanded base of stage i. kInvalid when the target does not exist. What ONBUILD
// triggers of a base need is not known here.
Result<StageGraph> select_stages(const Dockerfile& file, const std::vector<std::string>& bases,
                                 const std::string& target);
// What COPY --from and RUN --mount=from= name is known before anything is built: variables are
// refused there.
Status check_sources(const Instruction& instruction);
// Index of a stage by name or number among the first `before` ones; -1 when it is not a stage.
int find_stage(const Dockerfile& file, const std::string& name, std::size_t before);

}  // namespace stack::images
