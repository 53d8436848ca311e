// The real stack-netd: names, forwarding, published ports, its death and return.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "base/event_loop.h"
#include "base/files.h"
#include "netd/client.h"
#include "netd/dns_message.h"
#include "netd/ports.h"
#include "tests/netd/sandbox.h"

namespace stack::netd::test {
namespace {

using std::chrono::milliseconds;

constexpr std::uint16_t kA = 1, kPtr = 12, kMx = 15, kTxt = 16, kAaaa = 28;

std::string query_bytes(const std::string& name, std::uint16_t type, std::uint16_t id = 0x1234) {
  std::string q = {static_cast<char>(id >> 8), static_cast<char>(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  std::size_t at = 0;
  while (at < name.size()) {
    const std::size_t dot = std::min(name.find('.', at), name.size());
    q.push_back(static_cast<char>(dot - at));
    q += name.substr(at, dot - at);
    at = dot + 1;
  }
  q.push_back('\0');
  q += {static_cast<char>(type >> 8), static_cast<char>(type), 0, 1};
  return q;
}

struct Reply {
  int rcode = -1;  // -1: no answer
  bool ra = false, aa = false, tc = false;
  std::vector<std::string> addresses;
  std::string raw;
};

Reply parse_reply(const std::string& raw) {
  Reply r;
  r.raw = raw;
  if (raw.size() < 12) return r;
  const auto u = [&](std::size_t i) { return static_cast<unsigned char>(raw[i]); };
  r.rcode = u(3) & 15;
  r.ra = (u(3) & 0x80) != 0;
  r.aa = (u(2) & 4) != 0;
  r.tc = (u(2) & 2) != 0;
  const int answers = u(6) << 8 | u(7);
  std::size_t at = 12;
  while (at < raw.size() && u(at) != 0) at += 1 + u(at);
  at += 5;
  for (int i = 0; i < answers && at + 12 <= raw.size(); ++i) {
    const std::size_t length = static_cast<std::size_t>(u(at + 10) << 8 | u(at + 11));
    if (length == 4) {
      r.addresses.push_back(std::to_string(u(at + 12)) + "." + std::to_string(u(at + 13)) + "." +
                            std::to_string(u(at + 14)) + "." + std::to_string(u(at + 15)));
    } else {
      r.addresses.push_back(raw.substr(at + 12, length));
    }
    at += 12 + length;
  }
  return r;
}

Reply ask(int ns, const std::string& name, std::uint16_t type = kA, int ms = 3000) {
  const Fd fd = make_socket(ns, AF_INET, SOCK_DGRAM);
  const SocketAddress a = socket_address("127.0.0.11", 53);
  EXPECT_EQ(::connect(fd.get(), a.get(), a.size), 0);
  const std::string q = query_bytes(name, type);
  EXPECT_EQ(::send(fd.get(), q.data(), q.size(), 0), static_cast<ssize_t>(q.size()));
  char buffer[4096];
  if (!readable(fd.get(), ms)) return {};
  const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
  return n > 0 ? parse_reply(std::string(buffer, static_cast<std::size_t>(n))) : Reply();
}

Reply ask_tcp(int ns, const std::string& name, std::uint16_t type = kA) {
  const Fd fd = connect_tcp(ns, "127.0.0.11", 53);
  if (!fd) return {};
  const std::string q = query_bytes(name, type);
  const std::string framed =
      std::string{static_cast<char>(q.size() >> 8), static_cast<char>(q.size())} + q;
  EXPECT_TRUE(write_all(fd.get(), framed).ok());
  std::string in;
  char buffer[70000];
  while (readable(fd.get(), 3000)) {
    const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (n <= 0) break;
    in.append(buffer, static_cast<std::size_t>(n));
    if (in.size() < 2) continue;
    const std::size_t size = static_cast<std::size_t>(static_cast<unsigned char>(in[0]) << 8 |
                                                      static_cast<unsigned char>(in[1]));
    if (in.size() >= 2 + size) return parse_reply(in.substr(2, size));
  }
  return {};
}

class DaemonTest : public NetworkTest {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    dir = std::filesystem::temp_directory_path() / ("netd-test-" + random_hex(8));
    std::filesystem::create_directories(dir);
    std::ofstream(dir / "resolv.conf") << "# comment\nnameserver 127.0.0.53\noptions edns0\n";
    client = std::make_unique<NetdClient>(
        loop, NetdClient::Options{std::string(STACK_BINARY_DIR) + "/stack-netd", dir / "netd.sock",
                                  dir / "resolv.conf"});
    client->start();
    net = network("a1", "172.30.0.0/24", "172.30.0.1");
    ASSERT_OK(ensure_network(net));
  }
  void TearDown() override {
    bool done = false;
    client->shut_down([&](Status) { done = true; });
    spin([&] { return done; });
    spin([&] { return !std::filesystem::exists(dir / "netd.sock"); });
    std::filesystem::remove_all(dir);
  }

  template <typename Condition>
  bool spin(Condition condition, milliseconds limit = milliseconds(5000)) {
    if (condition()) return true;
    const auto end = std::chrono::steady_clock::now() + limit;
    EventLoop::Timer timer;
    std::function<void()> check = [&] {
      if (condition() || std::chrono::steady_clock::now() > end) {
        loop.stop();
      } else {
        timer = loop.after(milliseconds(1), check);
      }
    };
    timer = loop.after(milliseconds(1), check);
    loop.run();
    return condition();
  }

  ContainerNames names(const std::string& id, const std::string& name, const std::string& ip,
                       const std::vector<std::string>& more) {
    ContainerNames c;
    c.id = id;
    c.name = name;
    NameEndpoint e;
    e.network_id = net.id;
    e.network_name = net.name;
    e.ipv4 = ip;
    e.names = more;
    e.names.push_back(name);
    c.endpoints = {e};
    return c;
  }

  Status set(ContainerNames c, const Fd& ns) {
    std::optional<Status> result;
    client->set_container(std::move(c), Fd(::fcntl(ns.get(), F_DUPFD_CLOEXEC, 3)),
                          [&](Status s) { result = std::move(s); });
    EXPECT_TRUE(spin([&] { return result.has_value(); }));
    return result ? std::move(*result) : Status(Error::make(ErrorKind::kTimeout, "no answer"));
  }
  Status set_ports(const std::string& id, std::vector<PublishedPort> ports) {
    std::optional<Status> result;
    client->set_published(id, std::move(ports), [&](Status s) { result = std::move(s); });
    EXPECT_TRUE(spin([&] { return result.has_value(); }));
    return result ? std::move(*result) : Status(Error::make(ErrorKind::kTimeout, "no answer"));
  }
  pid_t netd_pid() {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const auto line = read_file(entry.path() / "cmdline");
      if (line.ok() && line->find((dir / "netd.sock").string()) != std::string::npos) {
        return std::atoi(entry.path().filename().c_str());
      }
    }
    return 0;
  }

  // The host's resolver: answers everything with 9.9.9.9 (or NXDOMAIN for names that begin with
  // "nx").
  void serve_upstream(const Fd& udp, int rounds) {
    for (int i = 0; i < rounds; ++i) {
      if (!readable(udp.get(), 3000)) return;
      char buffer[2048];
      SocketAddress from;
      from.size = sizeof from.storage;
      const ssize_t n = ::recvfrom(udp.get(), buffer, sizeof buffer, 0, from.get(), &from.size);
      const std::span<const std::uint8_t> query(reinterpret_cast<std::uint8_t*>(buffer),
                                                static_cast<std::size_t>(n));
      Question q;
      if (parse_question(query, &q) != ParseResult::kOk) return;
      std::uint8_t out[512];
      std::size_t size =
          q.name.starts_with("nx")
              ? write_error(query, &q, Rcode::kNxDomain, sizeof out, out)
              : write_answer(query, q, {std::string("\x09\x09\x09\x09", 4)}, sizeof out, out);
      ::sendto(udp.get(), out, size, 0, from.get(), from.size);
    }
  }

  EventLoop loop;
  std::filesystem::path dir;
  std::unique_ptr<NetdClient> client;
  NetworkSpec net;
};

TEST_F(DaemonTest, AnswersNamesOverUdpAndTcp) {
  const Fd a = container({endpoint(net, "172.30.0.2")});
  const Fd b = container({endpoint(net, "172.30.0.3")});
  ASSERT_OK(set(names("aaa", "proj-web-1", "172.30.0.2", {"web"}), a));
  ASSERT_OK(set(names("bbb", "proj-web-2", "172.30.0.3", {"web", "db"}), b));
  const Reply one = ask(a.get(), "DB");
  EXPECT_EQ(one.rcode, 0);
  EXPECT_TRUE(one.ra);
  EXPECT_FALSE(one.aa);
  EXPECT_THAT(one.addresses, ::testing::ElementsAre("172.30.0.3"));
  EXPECT_THAT(one.raw, ::testing::HasSubstr("DB"));  // the case of the question comes back
  std::set<std::string> first;
  for (int i = 0; i < 40; ++i) {
    const Reply both = ask(b.get(), "web");
    EXPECT_THAT(both.addresses, ::testing::UnorderedElementsAre("172.30.0.2", "172.30.0.3"));
    if (!both.addresses.empty()) first.insert(both.addresses[0]);
  }
  EXPECT_EQ(first.size(), 2U);
  EXPECT_THAT(ask_tcp(a.get(), "proj-web-2." + net.name).addresses,
              ::testing::ElementsAre("172.30.0.3"));
  EXPECT_EQ(ask(a.get(), "web", kAaaa).rcode, 0);
  EXPECT_TRUE(ask(a.get(), "web", kAaaa).addresses.empty());
  EXPECT_EQ(ask(a.get(), "web", kMx).rcode, 0);
  const Reply ptr = ask(a.get(), "3.0.30.172.in-addr.arpa", kPtr);
  ASSERT_EQ(ptr.addresses.size(), 1U);
  EXPECT_EQ(ptr.addresses[0], "\x0aproj-web-2\x07test_a1" + std::string(1, '\0'));
  client->remove_container("bbb");
  EXPECT_TRUE(spin([&] { return ask(a.get(), "web").addresses.size() == 1; }));
}

TEST_F(DaemonTest, ForwardsUnknownNamesToTheHostsResolver) {
  const Fd a = container({endpoint(net, "172.30.0.2")});
  ASSERT_OK(set(names("aaa", "web", "172.30.0.2", {}), a));
  const Fd upstream = bound(kHost, "127.0.0.53", 53, SOCK_DGRAM);
  std::thread server([&] { serve_upstream(upstream, 3); });
  EXPECT_THAT(ask(a.get(), "example.org").addresses, ::testing::ElementsAre("9.9.9.9"));
  EXPECT_EQ(ask(a.get(), "nx.example.org").rcode, 3);
  EXPECT_EQ(ask(a.get(), "web", kTxt).rcode, 0);
  server.join();
  // Servers of the container's own, asked from inside it.
  ContainerNames own = names("aaa", "web", "172.30.0.2", {});
  own.upstream = {"127.0.0.1"};
  ASSERT_OK(set(own, a));
  const Fd inner = bound(a.get(), "127.0.0.1", 53, SOCK_DGRAM);
  std::thread inner_server([&] { serve_upstream(inner, 1); });
  EXPECT_THAT(ask(a.get(), "example.org").addresses, ::testing::ElementsAre("9.9.9.9"));
  inner_server.join();
  // Nobody there: refused at once, no time-out.
  own.upstream = {"127.0.0.9"};
  ASSERT_OK(set(own, a));
  const Reply none = ask(a.get(), "example.org", kA, 1000);
  EXPECT_EQ(none.rcode, 2);
  EXPECT_FALSE(none.ra);
  EXPECT_EQ(ask_tcp(a.get(), "example.org").rcode, 2);
  own.internal_only = true;
  ASSERT_OK(set(own, a));
  EXPECT_EQ(ask(a.get(), "example.org").rcode, 2);
  EXPECT_THAT(ask(a.get(), "web").addresses, ::testing::ElementsAre("172.30.0.2"));
}

TEST_F(DaemonTest, ForwardsOverTcpAndIgnoresForgedReplies) {
  const Fd a = container({endpoint(net, "172.30.0.2")});
  ASSERT_OK(set(names("aaa", "web", "172.30.0.2", {}), a));
  const Fd tcp = bound(kHost, "127.0.0.53", 53, SOCK_STREAM);
  std::thread server([&] {
    if (!readable(tcp.get(), 3000)) return;
    const Fd c(::accept4(tcp.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char buffer[2048];
    const ssize_t n = ::recv(c.get(), buffer, sizeof buffer, 0);
    if (n < 14) return;
    const std::span<const std::uint8_t> query(reinterpret_cast<std::uint8_t*>(buffer) + 2,
                                              static_cast<std::size_t>(n - 2));
    Question q;
    (void)parse_question(query, &q);
    std::vector<std::string> many(100, std::string("\x09\x09\x09\x09", 4));
    std::vector<std::uint8_t> out(65535);
    const std::size_t size = write_answer(query, q, many, out.size(), out.data());
    std::string framed = {static_cast<char>(size >> 8), static_cast<char>(size)};
    framed.append(reinterpret_cast<char*>(out.data()), size);
    (void)write_all(c.get(), framed);
  });
  EXPECT_EQ(ask_tcp(a.get(), "example.org").addresses.size(), 100U);
  server.join();

  const Fd udp = bound(kHost, "127.0.0.53", 53, SOCK_DGRAM);
  std::thread forger([&] {
    if (!readable(udp.get(), 3000)) return;
    char buffer[2048];
    SocketAddress from;
    from.size = sizeof from.storage;
    const ssize_t n = ::recvfrom(udp.get(), buffer, sizeof buffer, 0, from.get(), &from.size);
    const std::span<const std::uint8_t> query(reinterpret_cast<std::uint8_t*>(buffer),
                                              static_cast<std::size_t>(n));
    Question q;
    (void)parse_question(query, &q);
    std::uint8_t out[512];
    const std::size_t size =
        write_answer(query, q, {std::string("\x06\x06\x06\x06", 4)}, sizeof out, out);
    const Fd stranger = bound(kHost, "127.0.0.54", 53, SOCK_DGRAM);
    ::sendto(stranger.get(), out, size, 0, from.get(), from.size);  // right id, wrong source
    out[0] = static_cast<std::uint8_t>(out[0] ^ 1);
    ::sendto(udp.get(), out, size, 0, from.get(), from.size);  // right source, wrong id
    out[0] = static_cast<std::uint8_t>(out[0] ^ 1);
    const std::size_t good =
        write_answer(query, q, {std::string("\x09\x09\x09\x09", 4)}, sizeof out, out);
    ::sendto(udp.get(), out, good, 0, from.get(), from.size);
  });
  EXPECT_THAT(ask(a.get(), "example.org").addresses, ::testing::ElementsAre("9.9.9.9"));
  forger.join();
}

TEST_F(DaemonTest, ContainerMayRunItsOwnDnsServer) {
  const Fd a = container({endpoint(net, "172.30.0.2")});
  const Fd b = container({endpoint(net, "172.30.0.3")});
  ASSERT_OK(set(names("aaa", "web", "172.30.0.2", {}), a));
  ASSERT_OK(set(names("bbb", "dns", "172.30.0.3", {}), b));
  const Fd udp = bound(b.get(), "0.0.0.0", 53, SOCK_DGRAM);
  const Fd tcp = bound(b.get(), "0.0.0.0", 53, SOCK_STREAM);
  EXPECT_EQ(reach_udp(a.get(), "172.30.0.3", 53, udp), "172.30.0.2");
  EXPECT_EQ(reach_tcp(a.get(), "172.30.0.3", 53, tcp), "172.30.0.2");
  EXPECT_EQ(reach_udp(b.get(), "127.0.0.1", 53, udp), "127.0.0.1");
  EXPECT_THAT(ask(b.get(), "web").addresses, ::testing::ElementsAre("172.30.0.2"));
  EXPECT_THAT(ask_tcp(b.get(), "web").addresses, ::testing::ElementsAre("172.30.0.2"));
}

TEST_F(DaemonTest, HoldsAndProxiesPublishedPorts) {
  const Fd a = container({endpoint(net, "172.30.0.2")});
  ASSERT_OK(set(names("aaa", "web", "172.30.0.2", {}), a));
  const Fd tcp = bound(a.get(), "0.0.0.0", 80, SOCK_STREAM);
  const Fd udp = bound(a.get(), "0.0.0.0", 80, SOCK_DGRAM);
  PublishedPort p;
  p.host_port = 8080;
  p.container_port = 80;
  p.container_ipv4 = "172.30.0.2";
  PublishedPort u = p;
  u.protocol = "udp";
  ASSERT_OK(set_ports("aaa", {p, u}));
  ASSERT_OK(publish("aaa", {p, u}));
  EXPECT_EQ(reach_tcp(outside.get(), "10.99.0.1", 8080, tcp), "10.99.0.2");
  EXPECT_NE(reach_tcp(kHost, "127.0.0.1", 8080, tcp), "");
  EXPECT_NE(reach_tcp(kHost, "::1", 8080, tcp), "");
  EXPECT_NE(reach_tcp(outside.get(), "fd99::1", 8080, tcp), "");
  EXPECT_NE(reach_udp(kHost, "::1", 8080, udp), "");
  EXPECT_NE(reach_udp(outside.get(), "fd99::1", 8080, udp), "");
  EXPECT_NE(reach_udp(outside.get(), "10.99.0.1", 8080, udp), "");
  // Nobody else gets the port; the holder is named.
  const auto holder = find_port_holder("", 8080, "tcp");
  ASSERT_TRUE(holder.ok() && holder->has_value());
  EXPECT_EQ((*holder)->command, "stack-netd");
  EXPECT_EQ((*holder)->pid, netd_pid());
  const Fd taken = bound(kHost, "0.0.0.0", 9090, SOCK_STREAM);
  PublishedPort q = p;
  q.host_port = 9090;
  q.host_ip = "0.0.0.0";
  const Status refused = set_ports("bbb", {q});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message,
            "failed to bind host port for 0.0.0.0:9090:172.30.0.2:80/tcp: address already in use");
  EXPECT_THAT(refused.error().remedy,
              ::testing::HasSubstr("held by process " + std::to_string(::getpid())));
  // With the firewall gone, the proxies carry IPv4 as well.
  ASSERT_OK(unpublish("aaa", {p, u}));
  EXPECT_NE(reach_tcp(outside.get(), "10.99.0.1", 8080, tcp), "");
  EXPECT_NE(reach_udp(outside.get(), "10.99.0.1", 8080, udp), "");
  ASSERT_OK(set_ports("aaa", {}));
  const Fd free = bound(kHost, "0.0.0.0", 8080, SOCK_STREAM);
  EXPECT_FALSE(connect_tcp(kHost, "::1", 8080, 300));
}

TEST_F(DaemonTest, ProxyKeepsEveryByteAndHalfClose) {
  const Fd a = container({endpoint(net, "172.30.0.2")});
  const Fd tcp = bound(a.get(), "0.0.0.0", 80, SOCK_STREAM);
  PublishedPort p;
  p.host_ip = "::1";
  p.host_port = 8080;
  p.container_port = 80;
  p.container_ipv4 = "172.30.0.2";
  ASSERT_OK(set_ports("aaa", {p}));
  std::string sent;
  for (int i = 0; i < 3000000; ++i) sent.push_back(static_cast<char>(i * 7 + i / 251));
  const Fd out = make_socket(kHost, AF_INET6, SOCK_STREAM);
  const SocketAddress to = socket_address("::1", 8080);
  ASSERT_EQ(::connect(out.get(), to.get(), to.size), 0);
  ASSERT_TRUE(readable(tcp.get(), 2000));
  const Fd in(::accept4(tcp.get(), nullptr, nullptr, SOCK_CLOEXEC));
  std::thread writer([&] {
    EXPECT_TRUE(write_all(out.get(), sent).ok());
    ::shutdown(out.get(), SHUT_WR);
  });
  std::this_thread::sleep_for(milliseconds(100));  // let it fill up: back-pressure
  const auto got = read_all(in.get());
  writer.join();
  ASSERT_TRUE(got.ok());
  EXPECT_TRUE(*got == sent);
  ASSERT_OK(write_all(in.get(), "bye"));  // the other direction is still open
  ::shutdown(in.get(), SHUT_WR);
  EXPECT_EQ(read_all(out.get()).value(), "bye");
}

TEST_F(DaemonTest, KilledNetdComesBackWithEverything) {
  const Fd a = container({endpoint(net, "172.30.0.2")});
  ASSERT_OK(set(names("aaa", "web", "172.30.0.2", {}), a));
  const Fd tcp = bound(a.get(), "0.0.0.0", 80, SOCK_STREAM);
  PublishedPort p;
  p.host_port = 8080;
  p.container_port = 80;
  p.container_ipv4 = "172.30.0.2";
  ASSERT_OK(set_ports("aaa", {p}));
  for (int round = 0; round < 3; ++round) {
    const pid_t before = netd_pid();
    ASSERT_GT(before, 0);
    ASSERT_EQ(::kill(before, SIGKILL), 0);
    const auto began = std::chrono::steady_clock::now();
    EXPECT_TRUE(spin([&] { return client->restarts() == round + 1 && client->connected(); }));
    EXPECT_TRUE(spin([&] { return ask(a.get(), "web", kA, 50).addresses.size() == 1; }));
    const auto took = std::chrono::steady_clock::now() - began;
    EXPECT_LT(took, milliseconds(1000));
    std::printf("[ measure  ] names back %.1f ms after kill -9\n",
                std::chrono::duration<double, std::milli>(took).count());
    EXPECT_TRUE(spin([&] { return !reach_tcp(kHost, "::1", 8080, tcp, 100).empty(); }));
  }
}

TEST_F(DaemonTest, NextEngineUsesTheSameNetdAndSettles) {
  const Fd a = container({endpoint(net, "172.30.0.2")});
  const Fd b = container({endpoint(net, "172.30.0.3")});
  ASSERT_OK(set(names("aaa", "web", "172.30.0.2", {}), a));
  ASSERT_OK(set(names("bbb", "gone", "172.30.0.3", {}), b));
  const pid_t before = netd_pid();
  client = std::make_unique<NetdClient>(
      loop, NetdClient::Options{std::string(STACK_BINARY_DIR) + "/stack-netd", dir / "netd.sock",
                                dir / "resolv.conf"});
  EXPECT_EQ(ask(a.get(), "web").addresses.size(), 1U);  // without any engine
  client->start();
  std::optional<Status> result;
  client->set_container(names("aaa", "web", "172.30.0.2", {"more"}), Fd(),
                        [&](Status s) { result = std::move(s); });
  client->settle();
  ASSERT_TRUE(spin([&] { return result.has_value(); }));
  ASSERT_OK(*result);
  EXPECT_EQ(netd_pid(), before);
  EXPECT_EQ(ask(a.get(), "more").addresses.size(), 1U);
  EXPECT_TRUE(spin([&] { return ask(a.get(), "gone", kA, 300).addresses.empty(); }));
}

TEST_F(DaemonTest, MeasureQueriesAndMemory) {
  std::vector<Fd> containers;
  for (int i = 0; i < 50; ++i) {
    const std::string ip = "172.30.0." + std::to_string(i + 2);
    containers.push_back(container({endpoint(net, ip)}));
    ASSERT_OK(set(names("id" + std::to_string(i), "proj-web-" + std::to_string(i), ip,
                        {"web" + std::to_string(i)}),
                  containers.back()));
  }
  const std::string q = query_bytes("web7", kA);
  const SocketAddress a = socket_address("127.0.0.11", 53);
  std::atomic<long> answered = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  const Fd fd = make_socket(containers[3].get(), AF_INET, SOCK_DGRAM);
  ASSERT_EQ(::connect(fd.get(), a.get(), a.size), 0);
  constexpr std::size_t kWindow = 32;
  std::vector<iovec> parts(kWindow);
  std::vector<mmsghdr> messages(kWindow);
  std::vector<std::string> buffers(kWindow, std::string(600, '\0'));
  while (std::chrono::steady_clock::now() < end) {
    for (std::size_t i = 0; i < kWindow; ++i) {
      parts[i] = {const_cast<char*>(q.data()), q.size()};
      messages[i] = {};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    if (::sendmmsg(fd.get(), messages.data(), kWindow, 0) <= 0) break;
    std::size_t left = kWindow;
    while (left > 0) {
      for (std::size_t i = 0; i < left; ++i) {
        parts[i] = {buffers[i].data(), buffers[i].size()};
        messages[i] = {};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
      }
      const int n = ::recvmmsg(fd.get(), messages.data(), static_cast<unsigned>(left),
                               MSG_WAITFORONE, nullptr);
      if (n <= 0) break;
      left -= static_cast<std::size_t>(n);
      answered += n;
    }
  }
  EXPECT_GT(answered.load(), 1000);
  std::string pss = "?";
  const std::string rollup =
      read_file("/proc/" + std::to_string(netd_pid()) + "/smaps_rollup").value();
  const std::size_t at = rollup.find("Pss:");
  if (at != std::string::npos) pss = rollup.substr(at, rollup.find('\n', at) - at);
  std::printf(
      "[ measure  ] %ld queries/s through one socket, window %zu; stack-netd with 50 containers "
      "%s\n",
      answered.load() / 2, kWindow, pss.c_str());
}

}  // namespace
}  // namespace stack::netd::test
