// The containers of this engine: their records, their life from create to remove, restart policies
// and health checks. Everything is called on the event loop; work that blocks runs on the pool, and
// `done` is called on the loop. Operations on one container are queued and run one after the other,
// in the order they were asked for.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "engine/model.h"

namespace stack::netd {
struct PublishedContainer;
struct Sender;
}  // namespace stack::netd

namespace stack::engine {

struct Services;  // engine/daemon.h: what the parts of the engine share

template <typename T>
using Done = std::function<void(Result<T>)>;

struct CreatedContainer {
  std::string id;
  std::vector<std::string> warnings;
};

struct RemoveOptions {
  bool force = false;    // kill a running one first
  bool volumes = false;  // its anonymous volumes too
};

struct ContainerUpdate {
  ResourceLimits resources;    // what is zero or empty stays as it is
  std::string restart_policy;  // empty: as it is
  int restart_max_retries = 0;
};
ResourceLimits merge_limits(const ResourceLimits& now, const ResourceLimits& wanted);

enum class WaitCondition { kNotRunning, kNextExit, kRemoved };
struct WaitResult {
  int exit_code = 0;
  std::string error;
};

struct ExecConfig {
  std::vector<std::string> cmd, env;
  std::string user, working_dir;
  std::string detach_keys;  // as the client wrote them
  bool tty = false, privileged = false, attach_stdin = false, attach_stdout = true,
       attach_stderr = true;
};
struct ExecState {
  std::string id, container_id;
  ExecConfig config;
  bool running = false;
  std::optional<int> exit_code;
  int pid = 0;
};
// The streams of a started exec, owned by the caller: a terminal, or pipes (in only with
// attach_stdin).
struct ExecStreams {
  Fd terminal;
  Fd in, out, err;
};

struct AttachOptions {
  bool stdin_ = false, stdout_ = true, stderr_ = true;
  bool tell_moment = false;  // of a container that is up: runtime::moment_of_attachment()
};

class Containers {
 public:
  explicit Containers(Services& services);
  ~Containers();

  // Reads the records, re-adopts what runs, applies restart policies to what does not; called once
  // at start. After a boot of the machine the containers of projects are left to Projects::boot()
  // instead, which knows their order: their ids come back.
  std::vector<std::string> adopt(bool after_boot);

  // `renew_from`: take over the anonymous volumes of this container (Compose's recreate).
  void create(std::string name, ContainerConfig config, std::string inherit_volumes_from,
              Done<CreatedContainer> done);
  void start(const std::string& id, Done<Unit> done);
  // Without the names and published ports of its service, until take_over().
  void start_standby(const std::string& id, Done<Unit> done);
  // Names and published ports go from the container `from` (empty: nobody has them) to `id`, which
  // runs on standby: host ports stay bound, new connections and questions go to the new one from
  // one moment to the next, established connections stay. `from` is on standby afterwards.
  void take_over(const std::string& id, const std::string& from, Done<Unit> done);
  // Calls back when no connection to a listening TCP port of the container is left, or after the
  // time.
  void drain(const std::string& id, Duration limit, std::stop_token cancel, Done<Unit> done);
  void stop(const std::string& id, std::optional<int> timeout_seconds, std::string signal,
            Done<Unit> done);
  void restart(const std::string& id, std::optional<int> timeout_seconds, std::string signal,
               Done<Unit> done);
  void kill(const std::string& id, const std::string& signal, Done<Unit> done);
  void remove(const std::string& id, RemoveOptions options, Done<Unit> done);
  void rename(const std::string& id, const std::string& new_name, Done<Unit> done);
  // Takes a link of the default network away; the container that it led to stays.
  Status unlink(const std::string& id, const std::string& alias);
  void update(const std::string& id, ContainerUpdate update, Done<Unit> done);
  void pause(const std::string& id, Done<Unit> done);
  void unpause(const std::string& id, Done<Unit> done);
  void wait(const std::string& id, WaitCondition condition, Done<WaitResult> done);
  void connect(const std::string& id, const std::string& network_id, EndpointConfig config,
               Done<Unit> done);
  void disconnect(const std::string& id, const std::string& network_id, Done<Unit> done);

  // Full id, name (with or without slash) or unique id prefix. kNotFound: "No such container: x".
  Result<const Container*> find(const std::string& name_or_id) const;
  std::vector<const Container*> list() const;  // newest first

  // A stream socket: output as Docker's frames (raw with a terminal), written bytes go to stdin,
  // half close ends stdin.
  Result<Fd> attach(const std::string& id, AttachOptions options);
  Status resize(const std::string& id, int rows, int columns);
  std::filesystem::path log_file(const std::string& id) const;

  Result<std::string> create_exec(const std::string& id, ExecConfig config);  // exec id
  void start_exec(const std::string& exec_id, Done<ExecStreams> done);
  // Calls back once the exec has an exit code, at once when it has one or is unknown.
  void when_exec_ended(const std::string& exec_id, std::function<void()> ended);
  Result<const ExecState*> find_exec(const std::string& exec_id) const;
  Status resize_exec(const std::string& exec_id, int rows, int columns);

  // A directory that is the container's root file system while the object lives: /proc/PID/root
  // when it runs, a mount else.
  void with_rootfs(const std::string& id,
                   std::function<Status(const std::filesystem::path&)> blocking_work,
                   Done<Unit> done);

  // The host's end of an interface is gone. When its container runs on, it is made again.
  void interface_lost(const std::string& host_veth);

  // What is published now, and which interfaces are held to their addresses, for the firewall.
  std::vector<netd::PublishedContainer> published() const;
  std::vector<netd::Sender> senders() const;

  Result<std::vector<int>> processes(const std::string& id) const;  // host pids

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stack::engine
