// A container's place in its networks: published ports, names, connect and disconnect.

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "engine/container_links.h"
#include "engine/container_start.h"
#include "engine/containers_impl.h"
#include "engine/networks.h"
#include "netd/client.h"
#include "netd/endpoint.h"
#include "netd/ipam.h"
#include "netd/network.h"

namespace stack::engine {

namespace {

constexpr std::chrono::milliseconds kForgetAfter{200};
constexpr int kEphemeralFirst = 32768;
constexpr int kEphemeralLast = 60999;

bool overlaps(const std::string& a, const std::string& b) {
  const auto any = [](const std::string& ip) {
    return ip.empty() || ip == "0.0.0.0" || ip == "::";
  };
  return any(a) || any(b) || a == b;
}

struct PortRange {
  int first = 0, last = 0;
};
Result<PortRange> parse_range(const std::string& text) {
  PortRange range;
  char* end = nullptr;
  range.first = range.last = static_cast<int>(std::strtol(text.c_str(), &end, 10));
  if (*end == '-') range.last = static_cast<int>(std::strtol(end + 1, &end, 10));
  if (*end != '\0' || range.first < 0 || range.last > 65535 || range.last < range.first) {
    return Error::invalid("invalid port specification: \"" + text + "\"");
  }
  return range;
}

}  // namespace

Status Containers::Impl::assign_ports(Entry* entry, const std::vector<AssignedPort>& heir_of) {
  Container& c = entry->c;
  c.ports.clear();
  std::vector<PortBinding> wanted = c.config.ports;
  if (c.config.publish_all_ports) {
    for (const auto& exposed : c.config.exposed_ports) {
      const std::size_t slash = exposed.find('/');
      const int port = std::atoi(exposed.c_str());
      const std::string protocol = slash == std::string::npos ? "tcp" : exposed.substr(slash + 1);
      const bool named = std::any_of(wanted.begin(), wanted.end(), [&](const PortBinding& b) {
        return b.container_port == port && b.protocol == protocol;
      });
      if (!named) wanted.push_back({port, protocol, "", ""});
    }
  }
  if (c.endpoints.empty())
    return ok_status();  // host or another container's network: nothing to publish
  for (const auto& binding : wanted) {
    std::set<int> used;
    for (const auto& [id, other] : entries) {
      for (const auto& port : other->c.ports) {
        if (port.protocol == binding.protocol && overlaps(port.host_ip, binding.host_ip))
          used.insert(port.host_port);
      }
    }
    int host_port = 0;
    const PortRange range = TRY(parse_range(binding.host_port.empty() ? "0" : binding.host_port));
    const auto inherited = std::find_if(heir_of.begin(), heir_of.end(), [&](const AssignedPort& p) {
      return p.container_port == binding.container_port && p.protocol == binding.protocol &&
             (p.host_ip == binding.host_ip || binding.host_ip.empty()) &&
             (range.first == 0 || (p.host_port >= range.first && p.host_port <= range.last));
    });
    if (inherited != heir_of.end() && used.count(inherited->host_port) == 0) {
      host_port = inherited->host_port;
    } else if (range.first == 0) {
      int& next = next_ephemeral.try_emplace(binding.protocol, kEphemeralFirst).first->second;
      for (;;) {
        host_port = TRY(netd::next_free_port(kEphemeralFirst, kEphemeralLast, next, used));
        next = host_port == kEphemeralLast ? kEphemeralFirst : host_port + 1;
        if (netd::check_port_free(binding.host_ip, host_port, binding.protocol).ok()) break;
        used.insert(host_port);
      }
    } else if (range.first != range.last) {
      host_port = TRY(netd::next_free_port(range.first, range.last, range.first, used));
    } else {
      host_port = range.first;
      if (used.count(host_port) != 0) {
        c.ports.clear();
        return Error::conflict(
            "failed to set up container networking: driver failed programming external "
            "connectivity on "
            "endpoint " +
            c.name + ": Bind for " + (binding.host_ip.empty() ? "0.0.0.0" : binding.host_ip) + ":" +
            std::to_string(host_port) + " failed: port is already allocated");
      }
    }
    AssignedPort port{binding.container_port, host_port, binding.protocol, binding.host_ip};
    if (binding.host_ip.empty()) {
      port.host_ip = "0.0.0.0";
      c.ports.push_back(port);
      port.host_ip = "::";
    }
    c.ports.push_back(port);
  }
  return ok_status();
}

std::vector<netd::PublishedPort> Containers::Impl::published_ports(const Entry& entry) const {
  std::vector<netd::PublishedPort> out;
  const auto& ports = entry.c.ports;
  if (entry.c.endpoints.empty()) return out;
  // Published on the endpoint that has the default route: the first with a gateway.
  const auto endpoint = std::find_if(entry.c.endpoints.begin(), entry.c.endpoints.end(),
                                     [](const Endpoint& e) { return !e.gateway4.empty(); });
  if (endpoint == entry.c.endpoints.end())
    return out;  // internal networks only: not reachable from outside
  const auto network = services.networks->find(endpoint->network_id);
  if (!network.ok()) return out;
  const auto has = [&](const AssignedPort& port, const char* ip) {
    return std::any_of(ports.begin(), ports.end(), [&](const AssignedPort& p) {
      return p.host_ip == ip && p.host_port == port.host_port &&
             p.container_port == port.container_port && p.protocol == port.protocol;
    });
  };
  for (const auto& port : ports) {
    const bool both = has(port, "0.0.0.0") && has(port, "::");
    if (both && port.host_ip == "::") continue;
    netd::PublishedPort published;
    published.host_ip = both ? std::string() : port.host_ip;
    published.host_port = port.host_port;
    published.container_port = port.container_port;
    published.protocol = port.protocol;
    published.container_ipv4 = endpoint->ipv4;
    published.container_ipv6 = endpoint->ipv6;
    published.bridge = (*network)->bridge;
    out.push_back(std::move(published));
  }
  return out;
}

std::vector<netd::PublishedContainer> Containers::published() const {
  std::vector<netd::PublishedContainer> out;
  for (const auto& [id, entry] : impl_->entries) {
    if (entry->ending) continue;
    auto ports = impl_->published_ports(*entry);
    if (!ports.empty()) out.push_back({id, std::move(ports)});
  }
  return out;
}

std::vector<netd::Sender> Containers::senders() const {
  std::vector<netd::Sender> out;
  for (const auto& [id, entry] : impl_->entries) {
    if (entry->ending) continue;
    const auto more = senders_of(entry->c);
    out.insert(out.end(), more.begin(), more.end());
  }
  return out;
}

void Containers::Impl::forget_senders_of(const Container& c) {
  const auto gone = senders_of(c);
  if (gone.empty()) return;
  const bool under_way = !departed.empty();
  departed.insert(departed.end(), gone.begin(), gone.end());
  if (under_way) return;
  forget_soon = services.loop.after(kForgetAfter, [this] {
    services.pool.run([gone = std::exchange(departed, {})] { return netd::forget_senders(gone); },
                      [](Status forgotten) {
                        if (!forgotten.ok())
                          log_warning("the firewall: {}", forgotten.error().to_string());
                      });
  });
}

void Containers::Impl::register_names(Entry* entry, Fd netns, std::function<void(Status)> done) {
  const Container& c = entry->c;
  netd::ContainerNames names;
  names.id = c.id;
  names.name = c.name;
  names.upstream = c.config.dns;
  names.internal_only = !c.endpoints.empty();
  for (const auto& endpoint : c.endpoints) {
    netd::NameEndpoint known;
    known.network_id = endpoint.network_id;
    known.network_name = endpoint.network_name;
    known.ipv4 = endpoint.ipv4;
    known.ipv6 = endpoint.ipv6;
    if (!c.standby) {
      known.names = endpoint.config.aliases;
      known.names.push_back(c.name);
      if (!c.config.hostname.empty()) known.names.push_back(c.config.hostname);
    }
    known.names.push_back(c.id.substr(0, 12));
    for (const auto& link : endpoint.config.links) {
      const std::size_t colon = link.find(':');
      names.links.push_back(
          {colon == std::string::npos ? link : link.substr(colon + 1), link.substr(0, colon)});
    }
    const auto network = services.networks->find(endpoint.network_id);
    if (network.ok() && !(*network)->config.internal) names.internal_only = false;
    names.endpoints.push_back(std::move(known));
  }
  for (const auto& text : c.config.links) {
    const Link link = Link::parse(text);
    names.links.push_back({link.alias, link.target});
  }
  services.netd.set_container(std::move(names), std::move(netns), std::move(done));
}

void Containers::Impl::release(Entry* entry) {
  services.netd.remove_container(entry->c.id);
  for (auto& endpoint : entry->c.endpoints) {
    services.networks->release(endpoint);
    endpoint.ipv4.clear();
    endpoint.ipv6.clear();
    endpoint.gateway4.clear();
    endpoint.gateway6.clear();
  }
  entry->c.ports.clear();
}

// A container that ends loses its interface too: only one that runs on for a moment has been
// robbed.
void Containers::interface_lost(const std::string& host_veth) {
  for (const auto& [id, entry] : impl_->entries) {
    if (!is_up(entry->c.status)) continue;
    const auto& endpoints = entry->c.endpoints;
    if (std::none_of(endpoints.begin(), endpoints.end(),
                     [&](const Endpoint& e) { return e.host_veth == host_veth; }))
      continue;
    entry->interface_timer = impl_->services.loop.after(
        std::chrono::milliseconds(100), [this, id = id, generation = entry->generation] {
          Entry* same = impl_->get(id);
          if (same != nullptr && same->generation == generation && is_up(same->c.status))
            impl_->restore_interfaces(same);
        });
  }
}

void Containers::Impl::restore_interfaces(Entry* entry) {
  auto job = std::make_shared<StartJob>();
  job->container = entry->c;
  for (const auto& endpoint : entry->c.endpoints) {
    const auto network = services.networks->find(endpoint.network_id);
    if (!network.ok()) return;
    job->networks.push_back(Networks::spec_of(**network));
  }
  services.pool.run([job] { return engine::restore_interfaces(*job); },
                    [this, name = entry->c.name](Status restored) {
                      if (restored.ok()) {
                        log_info("container {}: a lost interface was made again", name);
                      } else {
                        log_warning("container {}: making a lost interface again: {}", name,
                                    restored.error().to_string());
                      }
                    });
}

void Containers::connect(const std::string& name_or_id, const std::string& network_id,
                         EndpointConfig config, Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  auto network = impl_->services.networks->find(network_id);
  if (!network.ok()) return done(std::move(network).error());
  Entry* entry = *found;
  if (Status fits = check_connectable(entry->c, **network); !fits.ok())
    return done(std::move(fits).error());
  for (const auto& endpoint : entry->c.endpoints) {
    if (endpoint.network_id == (*network)->id) {
      return done(Error::conflict("endpoint with name " + entry->c.name +
                                  " already exists in network " + endpoint.network_name));
    }
  }
  Endpoint endpoint;
  endpoint.id = random_hex(64);
  endpoint.network_id = (*network)->id;
  endpoint.network_name = (*network)->config.name;
  endpoint.config = std::move(config);
  int index = 0;
  const auto taken = [&](const std::string& name) {
    return std::any_of(entry->c.endpoints.begin(), entry->c.endpoints.end(),
                       [&](const Endpoint& e) { return e.interface == name; });
  };
  while (taken("eth" + std::to_string(index))) ++index;
  endpoint.interface = "eth" + std::to_string(index);
  entry->c.config.networks[endpoint.network_name] = endpoint.config;
  if (!is_up(entry->c.status)) {
    entry->c.endpoints.push_back(std::move(endpoint));
    impl_->save(*entry);
    return done(Unit{});
  }
  Status assigned = impl_->services.networks->assign(**network, &endpoint);
  if (!assigned.ok()) return done(std::move(assigned).error());
  endpoint.host_veth = netd::veth_name(random_hex(64), index);
  netd::EndpointSpec spec = endpoint_spec(endpoint, Networks::spec_of(**network));
  spec.default_route4 = std::none_of(entry->c.endpoints.begin(), entry->c.endpoints.end(),
                                     [](const Endpoint& e) { return !e.gateway4.empty(); });
  const bool first = entry->c.endpoints.empty();
  const std::string id = entry->c.id;
  entry->c.endpoints.push_back(std::move(endpoint));
  impl_->services.pool.run(
      [spec, pid = entry->c.pid, first, senders = senders_of(entry->c)]() -> Status {
        const Fd netns = TRY(netd::namespace_of(pid));
        TRY(netd::guard_senders(senders));
        return netd::attach_endpoints(netns.get(), {spec}, first);
      },
      [this, id, done = std::move(done)](Status attached) {
        Entry* same = impl_->get(id);
        if (same == nullptr) return done(Error::not_found("No such container: " + id));
        if (!attached.ok()) {
          impl_->services.networks->release(same->c.endpoints.back());
          same->c.endpoints.pop_back();
          return done(std::move(attached).error());
        }
        impl_->save(*same);
        auto netns = netd::namespace_of(same->c.pid);
        impl_->register_names(same, netns.ok() ? std::move(netns).value() : Fd(),
                              [done](Status known) {
                                if (known.ok()) return done(Unit{});
                                done(std::move(known).error());
                              });
      });
}

void Containers::disconnect(const std::string& name_or_id, const std::string& network_id,
                            bool force, Done<Unit> done) {
  (void)force;
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  auto network = impl_->services.networks->find(network_id);
  if (!network.ok()) return done(std::move(network).error());
  Entry* entry = *found;
  const auto it = std::find_if(entry->c.endpoints.begin(), entry->c.endpoints.end(),
                               [&](const Endpoint& e) { return e.network_id == (*network)->id; });
  if (it == entry->c.endpoints.end()) {
    return done(Error::conflict("container " + entry->c.id + " is not connected to network " +
                                (*network)->config.name));
  }
  const Endpoint endpoint = *it;
  std::vector<netd::Sender> senders = senders_of(entry->c);
  std::erase_if(senders, [&](const netd::Sender& s) { return s.veth != endpoint.host_veth; });
  const auto before = impl_->published_ports(*entry);
  entry->c.endpoints.erase(it);
  entry->c.config.networks.erase(endpoint.network_name);
  const auto after = impl_->published_ports(*entry);
  if (after.empty()) entry->c.ports.clear();
  impl_->save(*entry);
  if (!is_up(entry->c.status)) {
    impl_->services.networks->release(endpoint);
    return done(Unit{});
  }
  impl_->register_names(entry, Fd(), [](const Status&) {});
  netd::EndpointSpec spec;
  spec.network_id = endpoint.network_id;
  spec.interface = endpoint.interface;
  spec.host_veth = endpoint.host_veth;
  const std::string id = entry->c.id;
  impl_->services.pool.run(
      [spec, senders, before, after, id, pid = entry->c.pid]() -> Status {
        // First what leads to the address: it may soon be another container's.
        if (before != after) {
          TRY(netd::unpublish(id, before));
          if (!after.empty()) TRY(netd::publish(id, after));
        }
        const Fd netns = TRY(netd::namespace_of(pid));
        TRY(netd::detach_endpoint(netns.get(), spec));
        return netd::forget_senders(senders);
      },
      [this, id, before, after, endpoint, done = std::move(done)](Status detached) {
        impl_->services.networks->release(endpoint);
        const auto answer = [done, detached](Status withdrawn) {
          if (!detached.ok()) return done(detached.error());
          if (!withdrawn.ok()) return done(std::move(withdrawn).error());
          done(Unit{});
        };
        const bool moved = before != after && impl_->get(id) != nullptr;
        if (!moved) return answer(ok_status());
        impl_->services.netd.set_published(id, after, answer);
      });
}

}  // namespace stack::engine
