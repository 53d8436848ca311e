// stackd: one engine per user. Constructs the parts, wires them, finds again what runs, serves the
// API, and leaves when nothing is left to supervise (with --on-demand, as the command line client
// starts it).

#include <fcntl.h>
#include <fmt/core.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/files.h"
#include "base/log.h"
#include "engine/api/routes.h"
#include "engine/api/server.h"
#include "engine/boot.h"
#include "engine/containers.h"
#include "engine/daemon.h"
#include "engine/daemon_settings.h"
#include "engine/firewall_guard.h"
#include "engine/history.h"
#include "engine/image_service.h"
#include "engine/interface_guard.h"
#include "engine/networks.h"
#include "engine/projects.h"
#include "engine/state_store.h"
#include "engine/systemd.h"
#include "engine/volumes.h"
#include "images/store.h"
#include "netd/client.h"
#include "runtime/container.h"

namespace stack::engine {
namespace {

constexpr std::chrono::seconds kIdleTime{3};
constexpr std::chrono::seconds kSettleTime{60};

std::filesystem::path path_from(const char* variable, const char* fallback) {
  const char* value = ::getenv(variable);
  return value != nullptr && *value != '\0' ? std::filesystem::path(value)
                                            : std::filesystem::path(fallback);
}

Paths default_paths() {
  Paths paths;
  paths.root = path_from("STACK_ROOT", "/var/lib/stack");
  paths.run = path_from("STACK_RUN", "/run/stack");
  std::error_code ec;
  paths.programs = std::filesystem::read_symlink("/proc/self/exe", ec).parent_path();
  return paths;
}

bool anything_to_supervise(const Services& services, const api::HttpServer& server) {
  if (server.active() > 0 || services.projects->busy()) return true;
  for (const Container* c : services.containers->list()) {
    if (c->status == RunState::kRunning || c->status == RunState::kPaused ||
        c->status == RunState::kRestarting || c->status == RunState::kRemoving) {
      return true;
    }
  }
  return false;
}

// Commands look at this lock to see that an engine is starting (cli/engine_launcher.h). The
// command that started this one has handed it down.
Result<Fd> hold_start_lock(const Paths& paths, int inherited) {
  if (inherited < 0) return lock_file(paths.run / "start.lock", true);
  if (::fcntl(inherited, F_SETFD, FD_CLOEXEC) != 0)
    return Error::os(errno, fmt::format("--start-lock {}", inherited));
  return Fd(inherited);
}

Status serve(bool on_demand, int inherited_lock) {
  if (::geteuid() != 0) {
    return Error::invalid("stackd must run as root")
        .fix("Use sudo, or start it from a root shell.");
  }
  const Paths paths = default_paths();
  TRY(make_directories(paths.root, 0711));
  TRY(make_directories(paths.run, 0711));
  Fd starting = TRY(hold_start_lock(paths, inherited_lock));

  EventLoop loop;
  SystemdNotifier systemd(loop);
  WorkerPool pool(loop, std::max(4U, std::thread::hardware_concurrency()));
  WorkerPool long_pool(loop, 4);
  const SystemClock clock;
  EventBus events;
  auto settings = TRY(SettingsFile::open(path_from("STACK_CONFIG", "/etc/stack/daemon.json"),
                                         paths.root / "daemon.json.accepted"));
  auto state = TRY(StateStore::open(paths.root / "state.db"));
  auto store = TRY(images::Store::open(paths.root / "images"));
  auto runtime = TRY(runtime::Runtime::open({paths.programs / "stack-shim", paths.root / "cache"}));
  netd::NetdClient netd(
      loop, {(paths.programs / "stack-netd").string(), (paths.run / "netd.sock").string()});

  Services services{paths, loop, pool, long_pool, clock, events, *state, *store, runtime, netd};
  Volumes volumes(services);
  Networks networks(services);
  Containers containers(services);
  ImageService image_service(services, settings);
  Projects projects(services);
  services.volumes = &volumes;
  services.networks = &networks;
  services.containers = &containers;
  services.images = &image_service;
  services.projects = &projects;
  History history(loop, clock, *state, events);
  services.history = &history;

  volumes.adopt();
  networks.adopt();
  netd.start();
  const bool after_boot = first_start_since_boot(paths.run);
  const auto returning = containers.adopt(after_boot);
  const auto tidy_bridge = [&] {
    const Status removed = networks.remove_unused_bridge();
    if (!removed.ok()) log_warning("{}", removed.error().to_string());
  };
  tidy_bridge();
  FirewallGuard firewall(services);
  firewall.restore_now();
  const InterfaceGuard interfaces(services);
  netd.settle();
  projects.adopt();
  projects.boot(returning);
  TRY(mark_boot(paths.run));

  auto server =
      TRY(api::HttpServer::listen(loop, paths.run / "stack.sock", api::make_router(services)));
  log_info("stackd is ready at {}", (paths.run / "stack.sock").string());
  starting.reset();
  systemd.ready("serving " + (paths.run / "stack.sock").string());

  const auto leave = [&](int) { loop.stop(); };
  const auto signals = loop.on_signal({SIGTERM, SIGINT, SIGHUP}, leave);
  EventLoop::Timer idle;
  bool tidy = false;
  std::function<void()> look = [&] {
    const bool quiet = std::chrono::steady_clock::now() - server->last_activity() > kIdleTime;
    // What an `up` of fifty services has left free goes back to the system.
    if (quiet && !tidy) ::malloc_trim(0);
    tidy = quiet;
    if (on_demand && quiet && !anything_to_supervise(services, *server)) {
      log_info("nothing is left to supervise");
      // netd has nothing to answer for either; wait for its word, but not for ever.
      netd.shut_down([&](Status) { loop.stop(); });
      idle = loop.after(std::chrono::seconds(2), [&] { loop.stop(); });
      return;
    }
    idle = loop.after(std::chrono::seconds(1), look);
  };
  idle = loop.after(std::chrono::seconds(1), look);
  // An image that is known to be on the disk need not be unpacked again after the next boot.
  EventLoop::Timer settle;
  std::function<void()> settle_images = [&] {
    settle = loop.after(kSettleTime, settle_images);
    pool.run([&] { return store->layer_store().flush(); },
             [](const Status& status) {
               if (!status.ok()) log_warning("{}", status.error().to_string());
             });
  };
  settle = loop.after(kSettleTime, settle_images);
  loop.run();
  systemd.stopping();
  // Jobs use the parts, which are destroyed before the pools.
  long_pool.stop();
  pool.stop();
  tidy_bridge();
  return ok_status();
}

}  // namespace
}  // namespace stack::engine

int main(int argc, char** argv) {
  ::umask(022);
  bool on_demand = false;
  int start_lock = -1;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--on-demand") == 0) {
      on_demand = true;
    } else if (std::strcmp(argv[i], "--debug") == 0) {
      stack::set_log_level(stack::LogLevel::kDebug);
    } else if (std::strcmp(argv[i], "--start-lock") == 0 && i + 1 < argc) {
      start_lock = std::atoi(argv[++i]);
    } else {
      std::fprintf(stderr, "usage: stackd [--on-demand] [--debug] [--start-lock DESCRIPTOR]\n");
      return std::strcmp(argv[i], "--help") == 0 ? 0 : 1;
    }
  }
  const stack::Status served = stack::engine::serve(on_demand, start_lock);
  if (served.ok()) return 0;
  stack::log_error("{}", served.error().to_string());
  if (!served.error().remedy.empty()) stack::log_error("{}", served.error().remedy);
  return 1;
}
