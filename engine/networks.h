// The networks of this engine and the addresses in them. Loop thread only; `done` is called on the
// loop.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/model.h"

namespace stack::netd {
struct NetworkSpec;
}

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

  // Gives an endpoint its addresses: the fixed ones of its configuration, else the next free. They
  // are taken until release(). kConflict or kInvalid with Docker's texts.
  Status assign(const Network& network, Endpoint* endpoint);
  void release(const Endpoint& endpoint);
  // Marks addresses as taken that a container found again already has.
  void retain(const Endpoint& endpoint);
  // The kernel's side of a network that is made at its first use (the predefined bridge). Blocking;
  // any thread.
  static netd::NetworkSpec spec_of(const Network& network);
  std::shared_ptr<BridgeGate> bridge_gate() const { return gate_; }
  // The networks whose bridge must exist now; none that is being removed.
  std::vector<netd::NetworkSpec> live_specs() const;
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
  std::map<std::string, Network> networks_;  // by id
  // Ids of those that are being made or taken away: the name is taken, but nobody may use or remove
  // them.
  enum class Change : std::uint8_t { kMaking, kRemoving };
  std::map<std::string, Change> unsettled_;
  std::map<std::string, std::set<std::string>> taken_;  // network id -> addresses
  std::map<std::string, std::string>
      last_;  // network id -> the address given last: not reused at once
};

}  // namespace stack::engine
