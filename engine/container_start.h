// The blocking half of starting and ending a container: kernel work over values, called on worker
// threads.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "engine/daemon.h"
#include "engine/model.h"
#include "engine/networks.h"
#include "netd/endpoint.h"
#include "netd/network.h"
#include "netd/ports.h"
#include "netd/senders.h"
#include "runtime/container.h"

namespace stack::engine {

struct StartJob {
  Container container;  // endpoints have addresses, mounts have host paths
  std::vector<std::filesystem::path> lowers;
  std::filesystem::path directory;          // STACK_ROOT/containers/ID
  std::filesystem::path run_dir;            // STACK_RUN/containers/ID
  std::vector<netd::NetworkSpec> networks;  // of the endpoints, in their order
  std::shared_ptr<BridgeGate> bridge_gate;  // set when one of them is the predefined bridge
  std::vector<netd::PublishedPort> ports;
  std::string host_gateway;  // for host-gateway in extra_hosts
  // Processes whose namespaces are shared; 0: none.
  int network_pid = 0, pid_pid = 0, ipc_pid = 0, uts_pid = 0;
  std::filesystem::path
      files_of;  // the directory of the container whose hosts and resolv.conf are shared
  // Where a shareable /dev/shm is mounted, its own or that of the container whose IPC namespace it
  // joins; empty for a private one.
  std::filesystem::path shm;
  bool resolver = false;
  std::vector<std::string> link_hosts;  // lines for /etc/hosts
  struct VolumeMount {
    std::map<std::string, std::string> options;
    std::filesystem::path mountpoint;
  };
  std::vector<VolumeMount> volumes;  // those that are mounted while they are used
  struct Client {
    Fd socket;
    runtime::AttachRequest request;
  };
  std::vector<Client> clients;  // attached before the program starts
};

// A network namespace with all interfaces; empty when the container brings none of its own (host,
// container:ID).
Result<Fd> prepare_network(const StartJob& job);
// Makes those interfaces of a running container that are not on the host: lost ones, and the one of
// a network that it is being connected to. Returns its namespace.
Result<Fd> make_missing_interfaces(const StartJob& job);
// Takes the interface of `gone` from a running container, to which the others are left.
Status take_interface(const StartJob& left, const Endpoint& gone, bool was_gateway);
// Its interfaces on bridges, each held to its own addresses; none for a container that may configure
// interfaces (CAP_NET_ADMIN) and so has virtual addresses or networks of its own at will.
std::vector<netd::Sender> senders_of(const Container& container);
// Publishes, guards the senders, writes the files below /etc, fills new volumes, starts the
// program. Undoes itself on failure.
Result<runtime::RunningContainer> launch(const runtime::Runtime& runtime, const StartJob& job,
                                         int netns_fd);
// After the end: published ports, cgroups, run directory, and the shareable /dev/shm at `shm` unless
// that is empty. Idempotent.
Status clean_up(const runtime::Runtime& runtime, const std::string& id,
                const std::filesystem::path& run_dir, const std::vector<netd::PublishedPort>& ports,
                const std::filesystem::path& shm);

}  // namespace stack::engine
