// What must survive the engine: one SQLite file (WAL, synchronous=NORMAL), documents by kind and
// key. Loop thread only. kind is "container", "network", "volume", "project",
// "revision" or "run".
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
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

  // The history: rows in the order they were appended, the newest `keep` of them.
  struct HistoryRow {
    WallTime time{};
    std::string project;  // empty: none
    std::string document;
  };
  Status append_history(const std::vector<HistoryRow>& rows, std::size_t keep);
  // Oldest first: the newest `limit` rows since a moment; an empty project means all.
  Result<std::vector<HistoryRow>> history(const std::string& project, WallTime since,
                                          std::size_t limit) const;

 private:
  struct Impl;
  explicit StateStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stack::engine
