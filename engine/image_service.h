// Images for the API and the scheduler: the store's blocking operations, run on the long pool, with
// progress on the loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/daemon.h"
#include "images/build.h"
#include "images/pull.h"
#include "images/store.h"

namespace stack::engine {

class SettingsFile;

template <typename T>
using Done = std::function<void(Result<T>)>;

class ImageService {
 public:
  ImageService(Services& services, SettingsFile& settings)
      : services_(services), settings_(settings) {}

  SettingsFile& settings() { return settings_; }

  images::Store& store() { return services_.store; }
  // Progress and done are called on the loop. A pull of a reference that is being pulled already
  // joins that download and hears its progress from then on. It is cancelled when the stop tokens
  // of all who asked say so.
  void pull(const std::string& reference, images::PullOptions options,
            std::function<void(const images::PullProgress&)> progress, Done<images::Image> done);
  // `registries` is how base images are pulled: pull_options() with what the client knows.
  void build(images::BuildRequest request, images::PullOptions registries,
             std::function<void(const images::BuildEvent&)> progress, std::stop_token stop,
             Done<images::Image> done);
  // kConflict when a container uses it and `force` is false.
  void remove(const std::string& reference, bool force, Done<images::RemoveReport> done);
  void prune(images::PruneFilter filter, Done<images::PruneReport> done);
  // Any other blocking work on the store.
  template <typename T>
  void run(std::function<Result<T>(images::Store&)> work, Done<T> done) {
    services_.long_pool.run(
        [store = &services_.store, work = std::move(work)] { return work(*store); },
        std::move(done));
  }
  // The options of /etc/stack/daemon.json and the caller's defaults.
  images::PullOptions pull_options();

 private:
  struct Pull {
    std::vector<std::function<void(const images::PullProgress&)>> listeners;
    std::vector<Done<images::Image>> waiting;
    // It ends when nobody wants it any more; who has no stop token wants it to the end.
    std::size_t wanted = 0;
    std::stop_source stop;
    std::vector<std::unique_ptr<std::stop_callback<std::function<void()>>>> leaving;
  };
  void forget(const std::string& key, const std::shared_ptr<Pull>& pull);
  images::InUseCallback users() const;

  Services& services_;
  SettingsFile& settings_;
  std::map<std::string, std::shared_ptr<Pull>> pulls_;  // by normalised reference
};

}  // namespace stack::engine
