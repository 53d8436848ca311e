#include "base/event_loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <vector>

#include "base/fd.h"
#include "base/worker_pool.h"

namespace stack {
namespace {

using std::chrono::milliseconds;

TEST(EventLoop, TimersFireInOrderAndCancelledOnesDoNot) {
  EventLoop loop;
  std::string order;
  auto c = loop.after(milliseconds(1), [&] { order += "c"; });
  auto b = loop.after(milliseconds(4), [&] {
    order += "b";
    loop.stop();
  });
  auto a = loop.after(milliseconds(2), [&] { order += "a"; });
  c.cancel();
  loop.run();
  EXPECT_EQ(order, "ab");
}

TEST(EventLoop, WatchIsLevelTriggeredAndMayCancelItself) {
  EventLoop loop;
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe.ok());
  ASSERT_TRUE(write_all(pipe->write.get(), "xy").ok());
  int calls = 0;
  EventLoop::Watch watch;
  watch = loop.on_readable(pipe->read.get(), [&] {
    char byte = 0;
    ASSERT_EQ(::read(pipe->read.get(), &byte, 1), 1);
    if (++calls == 2) {
      watch.cancel();
      loop.stop();
    }
  });
  loop.run();
  EXPECT_EQ(calls, 2);
}

// The loop learns of many descriptors at once. What is watched in the place of one that has gone in
// the meantime must not be told of the other's end.
TEST(EventLoop, NobodyIsToldOfAnothersDescriptor) {
  EventLoop loop;
  constexpr std::size_t kMany = 16;
  std::vector<Fd> ready;
  std::vector<Fd> silent;
  std::vector<EventLoop::Watch> watches(kMany);
  int told = 0;
  const auto replace_all = [&] {
    for (auto& watch : watches) watch.cancel();
    ready.clear();
    for (std::size_t i = 0; i < kMany; ++i) {
      silent.emplace_back(::eventfd(0, EFD_CLOEXEC));
      watches[i] = loop.on_readable(silent.back().get(), [&] { ++told; });
    }
  };
  for (std::size_t i = 0; i < kMany; ++i) {
    ready.emplace_back(::eventfd(1, EFD_CLOEXEC));
    watches[i] = loop.on_readable(ready.back().get(), replace_all);
  }
  const auto end = loop.after(milliseconds(20), [&] { loop.stop(); });
  loop.run();
  EXPECT_EQ(told, 0);
  EXPECT_EQ(silent.size(), kMany);
}

TEST(WorkerPool, ResultsArriveOnTheLoop) {
  EventLoop loop;
  WorkerPool pool(loop, 2);
  int sum = 0;
  int left = 20;
  for (int i = 0; i < 20; ++i) {
    pool.run([i] { return i; },
             [&](int value) {
               sum += value;
               if (--left == 0) loop.stop();
             });
  }
  loop.run();
  EXPECT_EQ(sum, 190);
}

TEST(WorkerPool, AJobThatThrowsFailsAlone) {
  EventLoop loop;
  WorkerPool pool(loop, 1);
  std::string message;
  pool.run([]() -> Status { throw std::out_of_range("map::at"); },
           [&](const Status& status) {
             message = status.ok() ? "" : status.error().message;
             loop.stop();
           });
  loop.run();
  EXPECT_EQ(message, "internal error: map::at");
}

}  // namespace
}  // namespace stack
