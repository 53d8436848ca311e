#include "engine/step_runner.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <future>

#include "base/files.h"
#include "engine/container_config.h"
#include "engine/container_start.h"
#include "engine/networks.h"
#include "images/copy.h"
#include "netd/client.h"
#include "netd/endpoint.h"
#include "runtime/container.h"
#include "runtime/default_spec.h"

namespace stack::engine {

namespace {

// Runs `fn` on the loop and waits; for worker threads only.
template <typename T>
T on_loop(EventLoop& loop, std::function<void(std::function<void(T)>)> fn) {
  auto promise = std::make_shared<std::promise<T>>();
  auto future = promise->get_future();
  loop.post([fn = std::move(fn), promise] {
    fn([promise](T value) { promise->set_value(std::move(value)); });
  });
  return future.get();
}

// Splits Docker's frames: byte 0 is the stream, bytes 4-7 the length, big endian.
class FrameReader {
 public:
  explicit FrameReader(const images::OutputCallback& output) : output_(output) {}
  void feed(std::string_view bytes) {
    buffer_.append(bytes);
    while (buffer_.size() >= 8) {
      const auto byte = [&](std::size_t i) {
        return static_cast<std::size_t>(static_cast<unsigned char>(buffer_[i]));
      };
      const std::size_t length = byte(4) << 24U | byte(5) << 16U | byte(6) << 8U | byte(7);
      if (buffer_.size() < 8 + length) return;
      output_(buffer_[0] == 2 ? "stderr" : "stdout", std::string_view(buffer_).substr(8, length));
      buffer_.erase(0, 8 + length);
    }
  }

 private:
  const images::OutputCallback& output_;
  std::string buffer_;
};

struct StepNetwork {
  Endpoint endpoint;
  netd::NetworkSpec spec;
};

// Files and directories that exist for the time of one step; removed with the object.
class Scratch {
 public:
  explicit Scratch(std::filesystem::path path) : path_(std::move(path)) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { (void)remove_tree(path_); }  // below STACK_RUN: gone with the boot at the latest
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// The host side of one RUN --mount. kBind sources are resolved below their root by descriptor.
Result<runtime::MountOption> mount_option(const images::RunMount& mount,
                                          const std::filesystem::path& scratch, int index) {
  runtime::MountOption option;
  option.target = mount.target;
  option.read_only = mount.read_only;
  switch (mount.type) {
    case images::RunMount::Type::kTmpfs:
      option.kind = runtime::MountKind::kTmpfs;
      option.tmpfs_size = static_cast<std::uint64_t>(mount.size);
      option.read_only = false;
      return option;
    case images::RunMount::Type::kSecret: {
      const auto file = scratch / ("secret" + std::to_string(index));
      TRY(write_file(file, mount.content, mount.mode == 0 ? 0400 : mount.mode));
      if (::chown(file.c_str(), mount.uid, mount.gid) != 0) return Error::os(errno, file.string());
      option.source = file.string();
      option.read_only = true;
      return option;
    }
    case images::RunMount::Type::kCache: {
      TRY(make_directories(mount.source_root.front(), mount.mode == 0 ? 0755 : mount.mode));
      option.source = mount.source_root.front().string();
      return option;
    }
    case images::RunMount::Type::kSsh:
      option.source = mount.content;
      return option;
    case images::RunMount::Type::kBind:
      break;
  }
  for (const auto& root : mount.source_root) {
    const Fd root_fd = TRY(open_fd(root, O_RDONLY | O_DIRECTORY));
    auto source = images::open_in_root(root_fd.get(),
                                       mount.source_path.empty() ? "/" : mount.source_path, O_PATH);
    if (!source.ok()) continue;
    option.source =
        std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(source->get())).string();
    return option;
  }
  return Error::not_found("RUN --mount: \"" + mount.source_path + "\" does not exist");
}

Result<int> pump(const Fd& stream, const std::filesystem::path& run_dir, const Fd& shim,
                 const images::OutputCallback& output, std::stop_token stop) {
  FrameReader reader(output);
  const Fd stopped(::eventfd(0, EFD_CLOEXEC));
  if (!stopped) return Error::os(errno, "eventfd");
  const std::stop_callback wake(stop, [&stopped] { (void)::eventfd_write(stopped.get(), 1); });
  bool killed = false;
  bool open = true;
  char buffer[32768];
  for (;;) {
    pollfd waiting[] = {{open ? stream.get() : -1, POLLIN, 0},
                        {shim.get(), POLLIN, 0},
                        {killed ? -1 : stopped.get(), POLLIN, 0}};
    if (::poll(waiting, 3, -1) < 0 && errno != EINTR) return Error::os(errno, "poll");
    if (waiting[2].revents != 0) {
      killed = true;
      (void)runtime::signal(run_dir, SIGKILL);
    }
    if (waiting[0].revents != 0) {
      const ssize_t n = ::read(stream.get(), buffer, sizeof buffer);
      if (n > 0) reader.feed({buffer, static_cast<std::size_t>(n)});
      if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) open = false;
      continue;  // all output comes before the end
    }
    if (waiting[1].revents != 0) break;
  }
  if (killed) return Error::make(ErrorKind::kCancelled, "cancelled");
  const auto record = TRY(runtime::read_exit(run_dir));
  return record ? record->code : 137;
}

}  // namespace

Result<int> ContainerStepRunner::run(const images::RunStep& step,
                                     const images::OutputCallback& output, std::stop_token stop) {
  const std::string& id = step.id;
  const Scratch scratch(services_.paths.run / "builds" / id);
  TRY(make_directories(scratch.path(), 0700));
  const bool isolated = step.network_mode != "host" && step.network_mode != "none";

  StartJob job;
  Container& c = job.container;
  c.id = id;
  c.config.network_mode = step.network_mode;
  c.config.extra_hosts = step.extra_hosts;
  if (isolated) {
    using Assigned = Result<StepNetwork>;
    auto assigned = on_loop<std::shared_ptr<Assigned>>(
        services_.loop, [&](std::function<void(std::shared_ptr<Assigned>)> done) {
          const bool standard = step.network_mode.empty() || step.network_mode == "default";
          const auto find = [&]() -> Assigned {
            const auto* network =
                TRY(services_.networks->find(standard ? "bridge" : step.network_mode));
            StepNetwork found;
            found.endpoint.network_id = network->id;
            found.endpoint.network_name = network->config.name;
            found.endpoint.interface = "eth0";
            found.endpoint.host_veth = netd::veth_name(id, 0);
            TRY(services_.networks->assign(*network, &found.endpoint));
            found.spec = Networks::spec_of(*network);
            return found;
          };
          done(std::make_shared<Assigned>(find()));
        });
    if (!assigned->ok()) return std::move(*assigned).error();
    c.endpoints.push_back((*assigned)->endpoint);
    job.networks.push_back((*assigned)->spec);
    job.bridge_gate = services_.networks->bridge_gate();
  }
  job.resolver = isolated;
  const auto release = [&] {
    if (!isolated) return;
    services_.loop.post([this, id, endpoint = c.endpoints.front()] {
      services_.netd.remove_container(id);
      services_.networks->release(endpoint);
    });
  };
  const auto run_step = [&]() -> Result<int> {
    const Fd netns = TRY(prepare_network(job));
    if (isolated) {
      auto copy = std::make_shared<Fd>(TRY(duplicate(netns.get())));
      auto known = on_loop<std::shared_ptr<Status>>(
          services_.loop, [&, copy](std::function<void(std::shared_ptr<Status>)> done) {
            netd::ContainerNames names;
            names.id = id;
            names.name = id.substr(0, 12);
            const Endpoint& own = c.endpoints.front();  // in whose network others have names
            names.endpoints.push_back({.network_id = own.network_id,
                                       .network_name = own.network_name,
                                       .ipv4 = own.ipv4,
                                       .ipv6 = own.ipv6,
                                       .names = {}});
            services_.netd.set_container(std::move(names), std::move(*copy), [done](Status s) {
              done(std::make_shared<Status>(std::move(s)));
            });
          });
      if (!known->ok()) return std::move(*known).error();
    }
    NetworkIdentity identity;
    identity.hostname = step.hostname;
    identity.own_resolver = isolated;
    auto host_text = read_file("/etc/resolv.conf");
    TRY(write_file(scratch.path() / "resolv.conf",
                   resolv_conf(c.config, identity, host_text.ok() ? *host_text : "")));
    TRY(write_file(scratch.path() / "hosts", hosts_file(c.config, identity, "")));

    runtime::ContainerOptions options;
    options.id = id;
    options.args = step.args;
    options.env = step.env;
    options.cwd = step.cwd.empty() ? "/" : step.cwd;
    options.user = step.user;
    options.hostname = step.hostname;
    options.privileged = step.privileged;
    options.shm_size = static_cast<std::uint64_t>(step.shm_size);
    for (const auto& [name, limit] : step.ulimits)
      options.ulimits.push_back({name, limit.first, limit.second});
    if (step.network_mode == "host") options.network.mode = runtime::NamespaceMode::kHost;
    for (const char* name : {"resolv.conf", "hosts"}) {
      runtime::MountOption mount;
      mount.source = (scratch.path() / name).string();
      mount.target = std::string("/etc/") + name;
      options.mounts.push_back(std::move(mount));
    }
    int index = 0;
    for (const auto& mount : step.mounts) {
      if (mount.type == images::RunMount::Type::kSecret && !mount.environment.empty()) {
        options.env.push_back(mount.environment + "=" + mount.content);
      } else {
        options.mounts.push_back(TRY(mount_option(mount, scratch.path(), index++)));
        if (mount.type == images::RunMount::Type::kSsh)
          options.env.push_back("SSH_AUTH_SOCK=" + mount.target);
      }
    }
    auto streams = TRY(make_socketpair(SOCK_STREAM));
    runtime::StartRequest request;
    request.id = id;
    request.spec = TRY(runtime::default_spec(options, runtime::Host::current()));
    request.rootfs = {step.lowers, step.upper, step.work};
    request.netns_fd = netns.get();
    request.run_dir = services_.paths.run / "containers" / id;
    request.log.discard = true;
    request.user = step.user;
    request.clients.push_back({streams.second.get(), {false, true, true}});
    TRY(make_directories(request.run_dir.parent_path(), 0711));
    auto running = services_.runtime.start(request);
    if (!running.ok()) {
      // What the user's command line got wrong is the step's result, as from a shell.
      output("stderr", running.error().message + "\n");
      (void)services_.runtime.destroy(id, request.run_dir);
      return runtime::start_exit_code(running.error().message);
    }
    streams.second.reset();
    auto code = pump(streams.first, request.run_dir, running->shim_pidfd, output, std::move(stop));
    (void)reap(running->shim_pidfd.get(), false);
    Status destroyed = services_.runtime.destroy(id, request.run_dir);
    if (code.ok() && !destroyed.ok()) return std::move(destroyed).error();
    return code;
  };
  auto result = run_step();
  release();
  return result;
}

}  // namespace stack::engine
