// Pull and push against Debian's docker-registry on a loopback port, and through a proxy that cuts
// and alters.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>

#include "base/process.h"
#include "images/pull.h"
#include "tests/images/root_support.h"

namespace stack::images::test {
namespace {

int listen_on_loopback(int& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(fd, 16), 0);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  return fd;
}

Fd connect_to(int port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

// Passes connections on. The first `cuts` answers longer than `after` bytes end there; with `alter`
// that byte is changed instead.
class Proxy {
 public:
  Proxy(int upstream, int cuts, std::size_t after, bool alter)
      : upstream_(upstream),
        cuts_(cuts),
        after_(after),
        alter_(alter),
        listener_(listen_on_loopback(port)) {
    thread_ = std::jthread([this] {
      while (true) {
        Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client) return;
        const std::lock_guard lock(mutex_);
        serving_.emplace_back([this, c = std::move(client)] { serve(c.get()); });
      }
    });
  }
  ~Proxy() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    serving_.clear();
  }
  int port = 0;
  std::atomic<int> done = 0;

 private:
  void serve(int client) {
    Fd server = connect_to(upstream_);
    std::jthread up([&] {
      char buffer[4096];
      for (ssize_t n; (n = ::recv(client, buffer, sizeof buffer, 0)) > 0;)
        ::send(server.get(), buffer, static_cast<std::size_t>(n), MSG_NOSIGNAL);
      ::shutdown(server.get(), SHUT_RDWR);
    });
    std::size_t passed = 0;
    std::string buffer(16384, '\0');
    for (ssize_t n; (n = ::recv(server.get(), buffer.data(), buffer.size(), 0)) > 0;) {
      const std::size_t size = static_cast<std::size_t>(n);
      if (passed <= after_ && passed + size > after_ && done < cuts_) {
        ++done;
        if (!alter_) break;
        buffer[after_ - passed] = static_cast<char>(buffer[after_ - passed] ^ 1);
      }
      passed += size;
      if (::send(client, buffer.data(), size, MSG_NOSIGNAL) < 0) break;
    }
    ::shutdown(client, SHUT_RDWR);
    ::shutdown(server.get(), SHUT_RDWR);
  }
  int upstream_;
  int cuts_;
  std::size_t after_;
  bool alter_;
  Fd listener_;
  std::mutex mutex_;
  std::vector<std::jthread> serving_;
  std::jthread thread_;
};

class PullTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (IsSkipped()) return;
    if (!stack::exists("/usr/bin/docker-registry"))
      GTEST_SKIP() << "needs Debian's docker-registry";
    { Fd reserve(listen_on_loopback(port_)); }
    ASSERT_TRUE(
        write_file(dir_ / "registry.yml",
                   "version: 0.1\nlog: {level: error}\nstorage:\n  filesystem: {rootdirectory: " +
                       (dir_ / "registry").string() +
                       "}\nhttp: {addr: '127.0.0.1:" + std::to_string(port_) + "'}\n")
            .ok());
    SpawnOptions options;
    options.argv = {"/usr/bin/docker-registry", "serve", dir_ / "registry.yml"};
    auto child = spawn(options);
    ASSERT_TRUE(child.ok()) << child.error().to_string();
    registry_ = std::move(*child);
    bool up = false;
    for (int i = 0; i < 500 && !up; ++i) {
      up = static_cast<bool>(connect_to(port_));
      if (!up) ::usleep(10000);
    }
    ASSERT_TRUE(up);
    options_.first_backoff = std::chrono::milliseconds(10);
    options_.progress = [this](const Progress& p) {
      lines_.push_back(p.id.empty() ? p.status : "layer: " + p.status);
    };
  }
  void TearDown() override {
    if (registry_.pidfd) {
      (void)send_signal(registry_.pidfd.get(), SIGKILL);
      (void)reap(registry_.pidfd.get(), true);
    }
    StoreTest::TearDown();
  }
  Reference at(int port, const std::string& name = "app:1") {
    return Reference::parse("127.0.0.1:" + std::to_string(port) + "/" + name).value();
  }
  // Pushes an image and forgets it here; returns its id.
  std::string publish() {
    Fd tar = busybox_tar();
    const auto image = import(tar.get(), at(port_).to_string());
    EXPECT_TRUE(image.ok());
    const auto digest = push(*store_, at(port_), options_);
    EXPECT_TRUE(digest.ok()) << digest.error().to_string();
    EXPECT_TRUE(store_->remove(image->id, true, nullptr).ok());
    EXPECT_TRUE(std::filesystem::is_empty(dir_ / "images/layers"));
    lines_.clear();
    return image->id;
  }
  bool said(const std::string& line) {
    return std::find(lines_.begin(), lines_.end(), line) != lines_.end();
  }
  int port_ = 0;
  Child registry_;
  PullOptions options_;
  std::vector<std::string> lines_;
};

TEST_F(PullTest, PushThenPullGivesTheSameImage) {
  const std::string id = publish();
  const auto image = pull(*store_, at(port_), options_);
  ASSERT_TRUE(image.ok()) << image.error().to_string();
  EXPECT_EQ(image->id, id);
  ASSERT_EQ(image->repo_digests.size(), 1U);
  EXPECT_TRUE(said("layer: Pull complete"));
  EXPECT_TRUE(said("Status: Downloaded newer image for " + at(port_).familiar()));
  EXPECT_EQ(read(store_->layer_directories(id)->at(0) / "etc/group"), "root:x:0:\nweb:x:77:\n");
  ASSERT_TRUE(pull(*store_, at(port_), options_).ok());
  EXPECT_TRUE(said("layer: Already exists"));
  EXPECT_TRUE(said("Status: Image is up to date for " + at(port_).familiar()));
  EXPECT_EQ(store_->find(image->repo_digests[0])->id, id);
  const auto missing = pull(*store_, at(port_, "app:2"), options_);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(missing.error().message.find("manifest unknown"), std::string::npos);
}

TEST_F(PullTest, ALayerThatIsHereStaysAsLongAsThePullNeedsIt) {
  const std::string id = publish();
  ASSERT_TRUE(pull(*store_, at(port_), options_).ok());
  options_.progress = [&](const Progress& p) {
    if (p.status == "Already exists") {
      EXPECT_EQ(store_->remove(id, true, nullptr)->deleted, std::vector<std::string>{id});
    }
  };
  const auto image = pull(*store_, at(port_), options_);
  ASSERT_TRUE(image.ok()) << image.error().to_string();
  EXPECT_EQ(read(store_->layer_directories(id)->at(0) / "etc/group"), "root:x:0:\nweb:x:77:\n");
}

TEST_F(PullTest, ADamagedConfigurationIsFetchedAgain) {
  const std::string id = publish();
  ASSERT_TRUE(pull(*store_, at(port_), options_).ok());
  ASSERT_TRUE(write_file(store_->layer_store().blob_path(id), "damaged").ok());
  store_.reset();
  store_ = Store::open(dir_ / "images").value();
  EXPECT_FALSE(store_->find(id).ok());
  ASSERT_TRUE(pull(*store_, at(port_), options_).ok());
  store_.reset();
  store_ = Store::open(dir_ / "images").value();
  EXPECT_TRUE(store_->find(id).ok());
}

TEST_F(PullTest, ACutConnectionIsResumed) {
  const std::string id = publish();
  Proxy proxy(port_, 3, 300000, false);
  const auto image = pull(*store_, at(proxy.port), options_);
  ASSERT_TRUE(image.ok()) << image.error().to_string();
  EXPECT_EQ(image->id, id);
  EXPECT_EQ(proxy.done, 3);
}

TEST_F(PullTest, AnAlteredLayerIsNeverStored) {
  publish();
  Proxy proxy(port_, 1, 300000, true);
  const auto image = pull(*store_, at(proxy.port), options_);
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(proxy.done, 1);
  EXPECT_NE(image.error().to_string().find("digest mismatch: expected sha256:"), std::string::npos)
      << image.error().to_string();
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "images/layers"));
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "images/tmp"));
}

TEST_F(PullTest, AStopTokenEndsThePull) {
  publish();
  std::stop_source stop;
  stop.request_stop();
  options_.stop = stop.get_token();
  EXPECT_EQ(pull(*store_, at(port_), options_).error().kind, ErrorKind::kCancelled);
}

}  // namespace
}  // namespace stack::images::test
