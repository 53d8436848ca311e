// Inside of Containers, shared by its files: containers.cc (records, find, remove),
// container_create.cc, container_operations.cc (what a client asks for), container_life.cc (start,
// end, restart policy), container_adopt.cc (after a restart of the engine), container_update.cc,
// container_network.cc, container_connect.cc (after it was made), container_health.cc (probes),
// container_exec.cc (exec, attach, root file system).
//
// Each container has a queue of operations; one runs at a time and calls its `finished` when the
// next may begin. An exit that nobody asked for is an operation too.
#pragma once

#include <deque>
#include <memory>
#include <set>

#include "base/event_loop.h"
#include "base/worker_pool.h"
#include "engine/containers.h"
#include "engine/daemon.h"
#include "engine/native_probe.h"
#include "netd/ports.h"
#include "netd/senders.h"
#include "runtime/container.h"
#include "scheduler/health.h"
#include "scheduler/restart.h"

namespace stack::engine {

struct StartJob;  // engine/container_start.h

struct HealthProbe {    // one probe under way, by a process in the container
  std::string exec_id;  // for its events
  runtime::RunningExec exec;
  EventLoop::Watch out_watch, err_watch, exit_watch;
  EventLoop::Timer timeout;
  std::string output;
  WallTime begun;
  bool timed_out = false;
};

struct Entry {
  using Finished = std::function<void()>;
  using Operation = std::function<void(Finished)>;

  Container c;
  Fd shim_pidfd;
  EventLoop::Watch exit_watch;
  TimePoint started{};
  scheduler::RestartState restarts;
  EventLoop::Timer restart_timer, kill_timer;
  bool stopping = false;  // a stop is under way: its event comes before `die`
  EventLoop::Timer interface_timer;
  bool ending = false;              // has ended, and what it held is being taken away
  bool restarting_by_hand = false;  // its end is no reason to remove it
  std::vector<std::function<void()>>
      when_stopped;  // called once after the container has ended and was cleaned up

  std::unique_ptr<scheduler::HealthMonitor> health;
  std::unique_ptr<HealthProbe> probe;
  std::unique_ptr<NativeProbe> native_probe;
  EventLoop::Timer health_timer;  // the next probe, or the end of the native one's time
  std::uint64_t generation = 0;   // counts starts: late answers of an earlier life are dropped

  struct Turn {
    Operation run;
    std::function<void()>
        gone;  // called instead when the container is removed before; may be empty
  };
  std::deque<Turn> queue;
  bool busy = false;

  struct Waiter {
    WaitCondition condition;
    Done<WaitResult> done;
  };
  std::vector<Waiter> waiters;

  // Attached before the start: handed to the shim, so that not a byte is missed.
  struct PendingClient {
    Fd socket;
    AttachOptions options;
  };
  std::vector<PendingClient> pending_clients;
};

struct ExecEntry {
  ExecState state;
  TimePoint since{};  // made, or ended
  Fd shim_pidfd;
  EventLoop::Watch exit_watch;
  Fd terminal_copy;  // for resizing; the relay owns the terminal
  std::vector<std::function<void()>> when_ended;
};

scheduler::RestartPolicy restart_policy_of(const Container& container);

struct Containers::Impl {
  explicit Impl(Services& shared);

  Services& services;
  std::map<std::string, std::unique_ptr<Entry>> entries;
  std::map<std::string, std::string> ids_by_name;
  std::map<std::string, ExecEntry> execs;
  std::map<std::string, int> next_ephemeral;  // protocol -> where to look first
  std::set<std::string> unsaved;  // ids of containers whose record is to be written again
  EventLoop::Timer save_again;
  std::vector<netd::Sender> departed;  // guards of interfaces that are gone
  EventLoop::Timer forget_soon;

  // containers.cc
  Entry* get(const std::string& id);
  Result<Entry*> find(const std::string& name_or_id);
  Status check_name(const std::string& name) const;  // well-formed and free
  void enqueue(const std::string& id, Entry::Operation operation,
               std::function<void()> gone = nullptr);
  // Answers who waits for a turn that never comes.
  template <typename T>
  static std::function<void()> no_such_container(const std::string& id, Done<T> done) {
    return [id, done = std::move(done)] { done(Error::not_found("No such container: " + id)); };
  }
  void run_next(const std::string& id);
  // Writes the record; what cannot be written, as on a full disk, is written once it can be.
  void save(const Entry& entry);
  Status write(const Entry& entry);
  void publish(const Entry& entry, const std::string& action,
               std::map<std::string, std::string> more = {});
  std::filesystem::path directory(const std::string& id) const {
    return services.paths.root / "containers" / id;
  }
  std::filesystem::path run_dir(const std::string& id) const {
    return services.paths.run / "containers" / id;
  }
  void publish_exec(const Entry& entry, const char* action, const std::vector<std::string>& command,
                    const std::string& exec_id);
  // What the engine decided by itself, for the history.
  void remember(const Entry& entry, const std::string& action, const std::string& why);
  Status make_mounts(Entry* entry, const std::string& inherit_from);
  Status make_endpoints(Container* c) const;
  Status check_others(const Container& c);
  void erase(const std::string& id, bool volumes);
  void notify_waiters(Entry* entry, WaitCondition reached);

  // container_prepare.cc
  Status prepare(Entry* entry, StartJob* job);
  // Names are looked up at 127.0.0.11: on any network but the predefined bridge, where the host's
  // own resolvers serve unless something has to be looked up here.
  bool needs_resolver(const Container& c) const;
  // Where the shareable /dev/shm of its IPC namespace is mounted on the host; empty: a private one.
  std::filesystem::path shm_of(const Container& c);
  Status prepare_endpoints(Container& c, StartJob* job);
  Status check_links(const Container& c);

  // container_life.cc
  void start(Entry* entry, Done<Unit> done);
  void unmount_unused_volumes(const Container& ended);
  void remove_after_failed_start(const Entry& entry);
  void publish_attachments(const Entry& entry, bool begins);
  void publish_attachment(const Container& c, const Endpoint& endpoint, bool begins);
  // start() once its turn has come; `standby`: see Containers::start_standby().
  void start_in_turn(const std::string& name_or_id, bool standby, Done<Unit> done);
  void begin_running(Entry* entry, runtime::RunningContainer running);
  // container_operations.cc
  void change_freeze(const std::string& name_or_id, RunState to, Done<Unit> done);
  void thaw(const std::string& id);
  void watch_exit(Entry* entry);  // what has ended already is told at once
  void on_shim_exit(const std::string& id, std::uint64_t generation);
  void ended(Entry* entry, int exit_code, bool oom_killed, WallTime finished, Entry::Finished then);
  // `ran`: from the start to the end of the run that is over, by a clock that does not jump.
  void apply_restart_policy(Entry* entry, Duration ran);
  void schedule_restart(Entry* entry, const scheduler::RestartDecision& decision);
  // Unless by a user, whoever finds the container ended after our death restarts it by its policy.
  void stop(Entry* entry, std::optional<int> timeout, const std::string& signal, Done<Unit> done,
            bool by_user = true);
  void adopt(Entry* entry);
  void finish_removal(Entry* entry);
  bool adopt_after_boot(Entry* entry);
  void register_names(Entry* entry, Fd netns, std::function<void(Status)> done);
  void restore_interfaces(Entry* entry, Entry::Finished finished);

  // container_connect.cc
  void connect(Entry* entry, const std::string& network_id, EndpointConfig config, Done<Unit> done);
  void disconnect(Entry* entry, const std::string& network_id, Done<Unit> done);
  // What work on the interfaces of a container needs to know.
  Result<std::shared_ptr<StartJob>> network_job(const Container& c) const;
  void forget_endpoint(Entry* entry, const Endpoint& endpoint);
  // Host ports of a running container change where they lead; on an error they stay where they were.
  void move_ports(const std::string& id, std::vector<netd::PublishedPort> before,
                  std::vector<netd::PublishedPort> after, std::function<void(Status)> done);

  struct LinkedTo {
    const Container* target;
    std::string alias, address;
  };
  // The running containers that this one is linked to in the default network.
  std::vector<LinkedTo> linked(const Container& c);
  // Writes the address that `entry` has now, or none, into the hosts files of those linked to it.
  void refresh_links(const Entry& entry);
  void set_host_line(const std::string& id, const std::string& alias,
                     const std::string& line) const;
  static bool on_default_network(const Container& c);
  // Ephemeral host ports that `heir_of` names stay the same.
  Status assign_ports(Entry* entry, const std::vector<AssignedPort>& heir_of = {});
  void release(Entry* entry);
  // Later, many at once: taking one out of the firewall costs milliseconds in which no other change
  // of it is made. The names of interfaces do not come again, so what is left for a moment is of no
  // use to anybody.
  void forget_senders_of(const Container& c);

  // container_health.cc
  void start_health(Entry* entry, bool resume);
  void stop_health(Entry* entry);
  void schedule_probe(Entry* entry);
  void begin_probe(Entry* entry);
  void begin_native_probe(Entry* entry);
  void finish_probe(const std::string& id, std::uint64_t generation, scheduler::ProbeResult result);
  void on_unhealthy(Entry* entry);

  Fd own_netns;           // where the thread of probes goes back to
  WorkerPool probe_pool;  // one thread, which changes its network namespace; last: it uses the rest
};

}  // namespace stack::engine
