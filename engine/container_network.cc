// A container's place in its networks: published ports, names, lost interfaces.

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "engine/container_endpoints.h"
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

bool overlaps(const std::string& a, const std::string& b) {
  const auto any = [](const std::string& ip) {
    return ip.empty() || ip == "0.0.0.0" || ip == "::";
  };
  return any(a) || any(b) || a == b;
}

struct PortRange {
  int first = 0, last = 0;
};
constexpr PortRange kEphemeral{32768, 60999};

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

// The first at or after `start` that neither a container (`used`) nor a process of the host has.
Result<int> free_port(const PortRange& range, int start, const PortBinding& binding,
                      std::set<int> used) {
  for (;;) {
    const int port = TRY(netd::next_free_port(range.first, range.last, start, used));
    if (!netd::port_in_use(binding.host_ip, port, binding.protocol)) return port;
    used.insert(port);
  }
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
  // The host's or another container's network, or internal ones alone: nothing to publish.
  if (gateway_endpoint(c, false) == nullptr && gateway_endpoint(c, true) == nullptr)
    return ok_status();
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
      int& next = next_ephemeral.try_emplace(binding.protocol, kEphemeral.first).first->second;
      host_port = TRY(free_port(kEphemeral, next, binding, std::move(used)));
      next = host_port == kEphemeral.last ? kEphemeral.first : host_port + 1;
    } else if (range.first != range.last) {
      host_port = TRY(free_port(range, range.first, binding, std::move(used)));
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

std::vector<netd::PublishedContainer> Containers::published() const {
  std::vector<netd::PublishedContainer> out;
  for (const auto& [id, entry] : impl_->entries) {
    if (entry->ending) continue;
    auto ports = published_ports(entry->c);
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
          impl_->enqueue(id, [this, id, generation](Entry::Finished finished) {
            Entry* same = impl_->get(id);
            if (same->generation != generation || !is_up(same->c.status)) return finished();
            impl_->restore_interfaces(same, std::move(finished));
          });
        });
  }
}

void Containers::Impl::restore_interfaces(Entry* entry, Entry::Finished finished) {
  const auto job = network_job(entry->c);
  if (!job.ok()) return finished();
  services.pool.run([job = *job] { return make_missing_interfaces(*job); },
                    [name = entry->c.name, finished = std::move(finished)](Result<Fd> restored) {
                      if (restored.ok()) {
                        log_info("container {}: a lost interface was made again", name);
                      } else {
                        log_warning("container {}: making a lost interface again: {}", name,
                                    restored.error().to_string());
                      }
                      finished();
                    });
}

}  // namespace stack::engine
