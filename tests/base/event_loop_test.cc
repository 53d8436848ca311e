#include "base/event_loop.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace stack
