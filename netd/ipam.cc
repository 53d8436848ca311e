#include "netd/ipam.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdio>

#include "base/sha256.h"

namespace stack::netd {

namespace {

constexpr int kHostBitsOfPool = 20;  // the pools behind 172.x are /20

Address address4(std::uint32_t host_order) {
  Address a;
  for (int i = 0; i < 4; ++i) a.bytes[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return a;
}

std::vector<Prefix> parsed(const std::vector<std::string>& texts) {
  std::vector<Prefix> out;
  for (const auto& text : texts) {
    if (const auto p = parse_prefix(text)) out.push_back(masked(*p));
  }
  return out;
}

bool overlaps_any(const Prefix& p, const std::vector<Prefix>& list) {
  return std::any_of(list.begin(), list.end(), [&](const Prefix& q) { return overlap(p, q); });
}

Subnet subnet_of(const Prefix& p) { return {to_string(p), to_string(plus(p.address, 1)), ""}; }

}  // namespace

Result<Subnet> next_subnet4(const std::vector<std::string>& used,
                            const std::vector<std::string>& host_routes,
                            bool include_default_bridge) {
  std::vector<Prefix> taken = parsed(used);
  const std::vector<Prefix> routes = parsed(host_routes);
  taken.insert(taken.end(), routes.begin(), routes.end());
  for (std::uint32_t second = include_default_bridge ? 17 : 18; second <= 31; ++second) {
    const Prefix p{address4(172U << 24U | second << 16U), 16};
    if (!overlaps_any(p, taken)) return subnet_of(p);
  }
  for (std::uint32_t block = 0; block < 16; ++block) {
    const Prefix p{address4(192U << 24U | 168U << 16U | block << 12U), kHostBitsOfPool};
    if (!overlaps_any(p, taken)) return subnet_of(p);
  }
  return Error::conflict("all predefined address pools have been fully subnetted")
      .fix(
          "Remove unused networks (stack network prune) or give the network a subnet of its own "
          "(ipam.config.subnet).");
}

Result<Subnet> next_subnet6(const std::string& network_id, const std::vector<std::string>& used) {
  const std::vector<Prefix> taken = parsed(used);
  for (int attempt = 0; attempt < 256; ++attempt) {
    const std::string digest =
        sha256_hex("stack network " + network_id + " " + std::to_string(attempt));
    Prefix p;
    p.address.v6 = true;
    p.length = 64;
    p.address.bytes[0] = 0xfd;
    for (std::size_t i = 0; i < 7; ++i) {
      p.address.bytes[i + 1] =
          static_cast<std::uint8_t>(std::stoi(digest.substr(i * 2, 2), nullptr, 16));
    }
    if (!overlaps_any(p, taken)) return subnet_of(p);
  }
  return Error::conflict("no free IPv6 subnet found");
}

Result<Subnet> validate_subnet(const Subnet& subnet, const std::vector<std::string>& used) {
  const auto prefix = parse_prefix(subnet.cidr);
  if (!prefix)
    return Error::invalid("invalid subnet " + subnet.cidr + ": invalid CIDR block notation");
  const Prefix network = masked(*prefix);
  if (network != *prefix) {
    return Error::invalid("invalid subnet " + subnet.cidr + ": it should be " + to_string(network));
  }
  if (overlaps_any(network, parsed(used))) {
    return Error::conflict(
        "invalid pool request: Pool overlaps with other one on this address space");
  }
  Subnet out = subnet;
  out.cidr = to_string(network);
  if (!subnet.ip_range.empty()) {
    const auto range = parse_prefix(subnet.ip_range);
    if (!range) return Error::invalid("invalid ip-range " + subnet.ip_range);
    if (!contains(network, range->address) || range->length < network.length) {
      return Error::invalid("invalid ip-range " + subnet.ip_range + ": parent subnet " + out.cidr +
                            " doesn't contain ip-range");
    }
    out.ip_range = to_string(masked(*range));
  }
  if (subnet.gateway.empty()) {
    // Docker takes the gateway from the range when there is one.
    const Prefix from = out.ip_range.empty() ? network : *parse_prefix(out.ip_range);
    Address gateway = from.address;
    if (gateway == network.address) gateway = plus(gateway, 1);
    if (network.length < network.address.bits() - 1) out.gateway = to_string(gateway);
  } else {
    const auto gateway = parse_address(subnet.gateway);
    if (!gateway) return Error::invalid("invalid gateway address " + subnet.gateway);
    if (!contains(network, *gateway)) {
      return Error::invalid("invalid gateway address " + subnet.gateway + ": parent subnet " +
                            out.cidr + " doesn't contain this address");
    }
    out.gateway = to_string(*gateway);
  }
  return out;
}

Result<std::string> next_address(const Subnet& subnet, const std::set<std::string>& used,
                                 const std::string& network_label, const std::string& after) {
  const auto network = parse_prefix(subnet.cidr);
  const auto range = parse_prefix(subnet.ip_range.empty() ? subnet.cidr : subnet.ip_range);
  if (!network || !range) return Error::invalid("invalid CIDR address: " + subnet.cidr);
  const Address first = first_address(*range);
  const Address last = last_address(*range);
  const bool v4 = !network->address.v6;
  // A /31 and /32 have no network or broadcast address, RFC 3021.
  const bool reserved = network->length < network->address.bits() - 1;
  const auto usable = [&](const Address& a) {
    if (reserved && (a == masked(*network).address || (v4 && a == last_address(*network))))
      return false;
    const std::string text = to_string(a);
    return text != subnet.gateway && !used.contains(text);
  };
  const auto previous = parse_address(after);
  const bool inside = previous && contains(*range, *previous);
  const Address begin = inside && *previous != last ? plus(*previous, 1) : first;
  Address a = begin;
  do {
    if (usable(a)) return to_string(a);
    a = a == last ? first : plus(a, 1);
  } while (a != begin);
  return Error::conflict(std::string("no available ") + (v4 ? "IPv4" : "IPv6") +
                         " addresses on this network's address pools: " + network_label);
}

Status check_static_address(const Subnet& subnet, const std::string& address,
                            const std::set<std::string>& used) {
  const auto network = parse_prefix(subnet.cidr);
  const auto a = parse_address(address);
  if (!a) return Error::invalid("invalid endpoint settings:\ninvalid IPv4 address: " + address);
  if (!network || !contains(*network, *a)) {
    return Error::invalid(
        "invalid endpoint settings:\nno configured subnet or ip-range contain the IP address " +
        address);
  }
  if (to_string(*a) == subnet.gateway || used.contains(to_string(*a))) {
    return Error::conflict("Address already in use");
  }
  return ok_status();
}

std::string random_mac() {
  std::uint8_t bytes[6] = {};
  (void)!::getrandom(bytes, sizeof bytes, 0);
  bytes[0] =
      static_cast<std::uint8_t>((bytes[0] & 0xfeU) | 0x02U);  // unicast, locally administered
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2],
                bytes[3], bytes[4], bytes[5]);
  return text;
}

Result<std::string> normalize_mac(std::string_view mac) {
  std::string out;
  int digits = 0;
  for (const char c : mac) {
    if (c == ':' || c == '-') {
      if (digits != 2) break;
      digits = 0;
      out.push_back(':');
      continue;
    }
    const char lower = static_cast<char>(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
    if (!((lower >= '0' && lower <= '9') || (lower >= 'a' && lower <= 'f'))) {
      out.clear();
      break;
    }
    out.push_back(lower);
    ++digits;
  }
  const bool multicast =
      out.size() == 17 && std::string_view("13579bdf").find(out[1]) != std::string_view::npos;
  if (out.size() != 17 || digits != 2 || multicast) {
    return Error::invalid("address " + std::string(mac) + ": invalid MAC address");
  }
  return out;
}

Result<std::array<std::uint8_t, 6>> mac_bytes(std::string_view mac) {
  const std::string normal = TRY(normalize_mac(mac));
  std::array<std::uint8_t, 6> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::uint8_t>(std::stoi(normal.substr(i * 3, 2), nullptr, 16));
  }
  return out;
}

Result<int> next_free_port(int first, int last, int start, const std::set<int>& used) {
  const int count = last - first + 1;
  for (int i = 0; i < count; ++i) {
    const int port = first + (std::max(start, first) - first + i) % count;
    if (!used.contains(port)) return port;
  }
  return Error::conflict("all ports are allocated");
}

}  // namespace stack::netd
