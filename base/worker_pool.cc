#include "base/worker_pool.h"

#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <thread>

#include "base/log.h"

namespace stack {

struct WorkerPool::Impl {
  explicit Impl(unsigned max) : max_threads(max) {}
  const unsigned max_threads;
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable finished;
  std::deque<std::function<void()>> queue;
  unsigned threads = 0;
  unsigned idle = 0;
  bool stopping = false;

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      if (queue.empty() && !stopping) {
        ++idle;
        const bool woken = wake.wait_for(lock, std::chrono::seconds(10),
                                         [this] { return stopping || !queue.empty(); });
        --idle;
        if (!woken) break;
      }
      if (stopping) break;
      auto task = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      task();
      task = nullptr;  // destroys captures outside the lock
      lock.lock();
    }
    --threads;
    finished.notify_all();
  }
};

WorkerPool::WorkerPool(EventLoop& loop, unsigned max_threads)
    : loop_(loop), impl_(std::make_unique<Impl>(max_threads)) {}

WorkerPool::~WorkerPool() { stop(); }

void WorkerPool::stop() {
  std::unique_lock lock(impl_->mutex);
  impl_->stopping = true;
  impl_->queue.clear();
  impl_->wake.notify_all();
  impl_->finished.wait(lock, [this] { return impl_->threads == 0; });
}

Error WorkerPool::thrown(const std::exception& exception) {
  log_error("a job ended with an exception: {}", exception.what());
  return Error::make(ErrorKind::kInternal, std::string("internal error: ") + exception.what());
}

void WorkerPool::submit(std::function<void()> task) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->stopping) return;
  impl_->queue.push_back(std::move(task));
  if (impl_->idle < impl_->queue.size() && impl_->threads < impl_->max_threads) {
    ++impl_->threads;
    std::thread([impl = impl_.get()] { impl->work(); }).detach();
  }
  impl_->wake.notify_one();
}

}  // namespace stack
