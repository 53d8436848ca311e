// Images for the API and the scheduler: the store's blocking operations, run on the pool, with progress on the loop.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "base/error.h"
#include "images/build.h"
#include "images/pull.h"
#include "images/store.h"

namespace stack::engine {

struct Services;
template <typename T>
using Done = std::function<void(Result<T>)>;

class ImageService {
 public:
  explicit ImageService(Services& services) : services_(services) {}

  images::Store& store();
  // Progress and done are called on the loop. Pulls of the same reference at the same time share one download.
  void pull(const std::string& reference, images::PullOptions options, std::function<void(const images::PullProgress&)> progress,
            Done<images::Image> done);
  void build(images::BuildRequest request, std::function<void(const images::BuildProgress&)> progress, std::stop_token stop,
             Done<images::Image> done);
  // kConflict when a container uses it and `force` is false.
  void remove(const std::string& reference, bool force, Done<images::RemoveReport> done);
  // Any other blocking work on the store.
  template <typename T>
  void run(std::function<Result<T>(images::Store&)> work, Done<T> done);

 private:
  Services& services_;
};

}  // namespace stack::engine
