// A few threads for work that blocks: mounts, netlink, unpacking, hashing. A job gets values and
// returns a value; its completion runs on the event loop. Threads start with the first job that
// needs them and end after ten idle seconds.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>

#include "base/error.h"
#include "base/event_loop.h"

namespace stack {

class WorkerPool {
 public:
  WorkerPool(EventLoop& loop, unsigned max_threads);
  ~WorkerPool();  // stop()
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Waits for running jobs and drops queued ones; nothing runs afterwards.
  void stop();

  // job() runs on a worker; done(result) on the loop. A job that throws has a defect of ours: where
  // its result can be an error it fails alone, and the program goes on.
  template <typename Job, typename Done>
  void run(Job job, Done done) {
    submit([this, job = std::move(job), done = std::move(done)]() mutable {
      auto result = std::make_shared<decltype(job())>(result_of(job));
      loop_.post([result, done = std::move(done)]() mutable { done(std::move(*result)); });
    });
  }

 private:
  template <typename Job>
  static auto result_of(Job& job) -> decltype(job()) {
    if constexpr (std::is_constructible_v<decltype(job()), Error>) {
      try {
        return job();
      } catch (const std::bad_alloc&) {
        throw;
      } catch (const std::exception& e) {
        return thrown(e);
      }
    } else {
      return job();
    }
  }
  static Error thrown(const std::exception& exception);
  void submit(std::function<void()> task);
  struct Impl;
  EventLoop& loop_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stack
