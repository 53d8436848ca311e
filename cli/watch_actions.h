// Doing what develop.watch asks for: files into containers, commands, restarts and rebuilds.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/terminal.h"
#include "cli/tree_watch.h"
#include "cli/watch_rules.h"

namespace stack::cli {

class Watcher {
 public:
  struct Options {
    std::vector<std::string> services;  // empty: all that have a develop section
    bool quiet = false;                 // no build output
    bool prune = true;                  // the image that a rebuild replaces is removed
    std::function<void(const std::string&)> say;
  };
  // Watches from now on and does the initial syncs. The project must outlive the watcher.
  static Result<Watcher> start(Context& context, const compose::Project& project, Options options);
  // That there is something to watch; the error says that there is not.
  static Status check(const compose::Project& project, const std::vector<std::string>& services);

  int fd() const { return tree_.fd(); }
  Status take();  // when fd() is readable
  // Until act() is due; nullopt while nothing has changed.
  std::optional<std::chrono::milliseconds> due() const;
  // Does what is due. Failures are said and watching goes on; kCancelled when the user interrupted.
  Status act(SignalWatch* signals);

 private:
  Watcher(Context& context, const compose::Project& project, Options options,
          std::vector<WatchRule> rules, TreeWatch tree)
      : context_(&context),
        project_(&project),
        options_(std::move(options)),
        rules_(std::move(rules)),
        tree_(std::move(tree)) {}
  Status initial_sync();
  Status sync(const std::string& service, const WatchWork& work);
  Status rebuild(const std::set<std::string>& services, SignalWatch* signals);
  Status restart(const std::set<std::string>& services, SignalWatch* signals);
  Result<std::vector<Container>> containers_of(const std::string& service) const;

  Context* context_;
  const compose::Project* project_;
  Options options_;
  std::vector<WatchRule> rules_;
  TreeWatch tree_;
  std::set<std::string> changed_;
  std::chrono::steady_clock::time_point first_, last_;
};

}  // namespace stack::cli
