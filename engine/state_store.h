// What must survive the engine: one SQLite file (WAL, synchronous=NORMAL), documents by kind and
// key. Loop thread only. kind is "container", "network", "volume" or "project".
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace stack::engine {

class StateStore {
 public:
  // Opens or makes the file. One engine at a time: kConflict when another holds the lock.
  static Result<std::unique_ptr<StateStore>> open(const std::filesystem::path& file);
  ~StateStore();

  Status put(const std::string& kind, const std::string& key, const std::string& document);
  Status erase(const std::string& kind, const std::string& key);
  Result<std::vector<std::pair<std::string, std::string>>> all(const std::string& kind) const;

 private:
  struct Impl;
  explicit StateStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stack::engine
