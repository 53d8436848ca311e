// Changes below directories, by inotify(7): one watch a directory, made for new directories as they
// appear. What was written before the watch on its directory existed is reported as well.
#pragma once

#include <sys/inotify.h>

#include <functional>
#include <map>
#include <set>
#include <string>

#include "base/error.h"
#include "base/fd.h"

namespace stack::cli {

class TreeWatch {
 public:
  // `skip` says which directories are of no interest.
  static Result<TreeWatch> create(std::function<bool(const std::string&)> skip);

  // A directory with all below it, or a single file. kNotFound when it is not there.
  Status add(const std::string& path);
  int fd() const { return inotify_.get(); }
  // Adds the paths that changed since the last call; does not wait.
  Status take(std::set<std::string>* changed);
  std::size_t directories() const { return paths_.size(); }

 private:
  TreeWatch(Fd inotify, std::function<bool(const std::string&)> skip)
      : inotify_(std::move(inotify)), skip_(std::move(skip)) {}
  // Watches the directory and what is below; reports what is there when `changed` is given.
  Status descend(const std::string& directory, std::set<std::string>* changed);
  Status take_event(const inotify_event& event, const char* name, std::set<std::string>* changed);
  bool below_root(const std::string& path) const;

  Fd inotify_;
  std::function<bool(const std::string&)> skip_;
  std::map<int, std::string> paths_;            // watch -> directory
  std::map<std::string, std::string> singles_;  // watched files -> their directory
  std::set<std::string> roots_;
};

}  // namespace stack::cli
