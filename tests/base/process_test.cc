#include "base/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

namespace stack {
namespace {

TEST(Spawn, PassesDescriptorsArgumentsAndEnvironment) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe.ok());
  SpawnOptions options;
  options.argv = {"sh", "-c", "echo $1 $K; exit 3", "sh", "word"};
  options.env = std::vector<std::string>{"K=value", "PATH=/bin:/usr/bin"};
  options.fds = {{pipe->write.get(), 1}};
  auto child = spawn(options);
  ASSERT_TRUE(child.ok()) << child.error().to_string();
  pipe->write.reset();
  EXPECT_EQ(read_all(pipe->read.get()).value(), "word value\n");
  auto status = reap(child->pidfd.get(), true);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status.value()->code, 3);
}

TEST(Spawn, MissingProgramIsAnError) {
  SpawnOptions options;
  options.argv = {"/no/such/program"};
  auto child = spawn(options);
  ASSERT_FALSE(child.ok());
  EXPECT_EQ(child.error().os_errno, ENOENT);
}

TEST(Process, IsNamedByPidAndStartTime) {
  SpawnOptions options;
  options.argv = {"sleep", "30"};
  auto child = spawn(options);
  ASSERT_TRUE(child.ok());
  const auto start = process_start_time(child->pid);
  ASSERT_TRUE(start.ok());
  EXPECT_GT(*start, 0U);
  EXPECT_TRUE(open_process({child->pid, *start}).ok());
  EXPECT_EQ(open_process({child->pid, *start + 1}).error().kind, ErrorKind::kNotFound);
  ASSERT_TRUE(send_signal(child->pidfd.get(), SIGKILL).ok());
  EXPECT_EQ(reap(child->pidfd.get(), true).value()->code, 137);
  EXPECT_FALSE(open_process({child->pid, *start}).ok());
}

TEST(FdPassing, CarriesDescriptorsAndEndOfFile) {
  auto pair = make_socketpair(SOCK_SEQPACKET);
  auto pipe = make_pipe();
  ASSERT_TRUE(pair.ok() && pipe.ok());
  const int fds[] = {pipe->write.get()};
  ASSERT_TRUE(send_fds(pair->first.get(), "hello", fds).ok());
  auto message = receive_fds(pair->second.get());
  ASSERT_TRUE(message.ok());
  EXPECT_EQ(message->bytes, "hello");
  ASSERT_EQ(message->fds.size(), 1U);
  ASSERT_TRUE(write_all(message->fds[0].get(), "x").ok());
  message->fds.clear();
  pipe->write.reset();
  EXPECT_EQ(read_all(pipe->read.get()).value(), "x");
  pair->first.reset();
  EXPECT_TRUE(receive_fds(pair->second.get())->bytes.empty());
}

}  // namespace
}  // namespace stack
