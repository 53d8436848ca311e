// The networks of this engine and the addresses in them. Loop thread only; `done` is called on the loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/model.h"

namespace stack::engine {

struct Services;
template <typename T>
using Done = std::function<void(Result<T>)>;

class Networks {
 public:
  explicit Networks(Services& services);
  ~Networks();
  void adopt();  // reads the records; makes sure that bridges and rules of used networks exist

  void create(NetworkConfig config, Done<std::string> done);  // id
  void remove(const std::string& name_or_id, Done<Unit> done);  // refused while an endpoint uses it
  // Name, id or unique id prefix. kNotFound: "network x not found".
  Result<const Network*> find(const std::string& name_or_id) const;
  std::vector<const Network*> list() const;

 private:
  friend class Containers;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stack::engine
