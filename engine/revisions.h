// What was declared, revision after revision: each `up` that ended well and declared something new
// (a definition, or an image behind a tag) makes one. The last ten of a project are kept, also when
// it is down.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "compose/project.h"

namespace stack::engine {

class StateStore;

struct RevisionSummary {
  int number = 0;
  WallTime time{};
  std::string who;
  std::string why;                    // "up", "rollback to revision 3"
  std::vector<std::string> services;  // that differ from the revision before; all of the first
};
struct Revision : RevisionSummary {
  std::shared_ptr<const compose::Project> project;
  std::map<std::string, std::string> images;  // service -> image id
};

class Revisions {
 public:
  explicit Revisions(StateStore& state) : state_(state) {}

  // Does nothing when the newest revision says the same.
  Status add(const compose::Project& project, const std::map<std::string, std::string>& images,
             const std::string& who, const std::string& why, WallTime now);
  Result<std::vector<RevisionSummary>> list(const std::string& project) const;  // oldest first
  // 0: the newest; -1: the one before it. kNotFound says which there are.
  Result<Revision> load(const std::string& project, int number) const;
  // For scheduler::Observed::declared_before.
  std::function<std::shared_ptr<const compose::Service>(const std::string&, const std::string&)>
  lookup(const std::string& project) const;

 private:
  StateStore& state_;
};

}  // namespace stack::engine
