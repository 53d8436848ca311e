// The networks of this engine and the addresses in them. Loop thread only; `done` is called on the
// loop.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "engine/model.h"
#include "engine/network_addresses.h"
#include "netd/network.h"

namespace stack::engine {

struct Services;
template <typename T>
using Done = std::function<void(Result<T>)>;

// May the container get an endpoint in this network? kConflict with Docker's texts.
Status check_connectable(const Container& container, const Network& network);

// The predefined bridge exists while somebody uses it. Users are counted on the loop, before their
// worker begins; making and removing the bridge happens on workers, under the mutex, and it is
// removed only while nobody is counted.
struct BridgeGate {
  std::mutex mutex;
  std::atomic<int> users{0};
};

class Networks {
 public:
  explicit Networks(Services& services) : services_(services) {}
  // Reads the records and adds what every engine has: bridge, host, none.
  void adopt();

  void create(NetworkConfig config, Done<std::string> done);  // id
  // kConflict while an endpoint uses it or a container that starts is about to.
  void remove(const std::string& name_or_id, Done<Unit> done);
  // Name, id or unique id prefix. kNotFound: "network x not found".
  Result<const Network*> find(const std::string& name_or_id) const;
  std::vector<const Network*> list() const;

  // As NetworkAddresses. kNotFound for a network that is being made or removed.
  Status assign(const Network& network, Endpoint* endpoint);
  void release(const Endpoint& endpoint);
  void retain(const Endpoint& endpoint);
  // The kernel's side of a network that is made at its first use (the predefined bridge). Blocking;
  // any thread.
  static netd::NetworkSpec spec_of(const Network& network);
  std::shared_ptr<BridgeGate> bridge_gate() const { return gate_; }
  // The networks whose bridge must exist now; none that is being removed.
  std::vector<netd::NetworkSpec> live_specs() const;
  // The predefined bridge stays for a moment after its last use; at the end and at the beginning of
  // an engine it goes at once. Blocking.
  Status remove_unused_bridge();
  // Takes the kernel's side away in the background, unless the predefined bridge is used again by
  // then.
  void withdraw(netd::NetworkSpec spec);

 private:
  // Fills in the default driver.
  Status check_new(NetworkConfig& config) const;
  Status check_bridge(const Network& network) const;
  Status check_unused(const Network& network) const;
  // The kernel's side of a network that has its record; without it the record goes again.
  void make(const Network& network, Done<std::string> done);
  Status fill_ipam(Network* network, const std::vector<std::string>& host_subnets) const;
  void erase(const std::string& id);

  Services& services_;
  std::shared_ptr<BridgeGate> gate_ = std::make_shared<BridgeGate>();
  EventLoop::Timer unused_bridge_;
  std::map<std::string, Network> networks_;  // by id
  // Ids of those that are being made or taken away: the name is taken, but nobody may use or remove
  // them.
  enum class Change : std::uint8_t { kMaking, kRemoving };
  std::map<std::string, Change> unsettled_;
  NetworkAddresses addresses_;
};

}  // namespace stack::engine
