// Named and anonymous volumes: directories below STACK_ROOT/volumes. Loop thread only; the
// operations are short.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/model.h"

namespace stack::engine {

struct Services;

class Volumes {
 public:
  explicit Volumes(Services& services) : services_(services) {}
  void adopt();

  // Returns the existing one when the name is taken, as Docker does. An empty name makes an
  // anonymous volume.
  Result<const Volume*> create(Volume wanted);
  Status remove(const std::string& name, bool force);         // kConflict while a container uses it
  Result<const Volume*> find(const std::string& name) const;  // kNotFound: "get x: no such volume"
  std::vector<const Volume*> list() const;

 private:
  void finish_removals();
  void clear_away(const std::filesystem::path& gone);

  Services& services_;
  std::map<std::string, Volume> volumes_;
};

}  // namespace stack::engine
