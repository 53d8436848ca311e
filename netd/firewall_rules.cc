#include "netd/firewall_rules.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/rtnetlink.h>

#include "netd/endpoint.h"

namespace stack::netd {

namespace {

constexpr std::uint32_t kEstablished =
    1U << 1U;  // NF_CT_STATE_BIT(IP_CT_ESTABLISHED), kernel's nf_conntrack_common.h
constexpr std::uint32_t kRelated = 1U << 2U;
constexpr std::uint32_t kUntracked = 1U << 6U;  // IPv6 neighbour discovery

constexpr std::uint32_t kSource4 = 12, kTarget4 = 16;  // offsets in the IPv4 header
constexpr std::uint32_t kSource6 = 8, kTarget6 = 24;

std::string u32_bytes(std::uint32_t v) { return {reinterpret_cast<const char*>(&v), sizeof v}; }
std::string be16_key(int port) {
  const std::uint16_t v = htons(static_cast<std::uint16_t>(port));
  std::string key(reinterpret_cast<const char*>(&v), sizeof v);
  key.resize(4, '\0');  // each field of a concatenation fills whole registers
  return key;
}
std::string proto_key(std::uint8_t proto) {
  std::string key(1, static_cast<char>(proto));
  key.resize(4, '\0');
  return key;
}
std::string packed(const Address& a) { return {reinterpret_cast<const char*>(a.bytes), a.size()}; }

struct Family {
  std::uint8_t proto;
  std::uint32_t source, target, length;
  std::string digit;  // suffix of set names
};
const Family kFamilies[] = {{NFPROTO_IPV4, kSource4, kTarget4, 4, "4"},
                            {NFPROTO_IPV6, kSource6, kTarget6, 16, "6"}};

NftRule& address(NftRule& rule, const Family& f, std::uint32_t offset, int to = 0) {
  return rule.payload(NFT_PAYLOAD_NETWORK_HEADER, offset, f.length, to);
}

NftRule& in_loopback_net(NftRule& rule, std::uint32_t offset) {
  return rule.nfproto(NFPROTO_IPV4)
      .payload(NFT_PAYLOAD_NETWORK_HEADER, offset, 1)
      .cmp(NFT_CMP_EQ, "\x7f");
}

NftRule& local_target(NftRule& rule) {
  return rule.fib(NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR).cmp(NFT_CMP_EQ, u32_bytes(RTN_LOCAL));
}

void write_sets(NftBatch& batch) {
  batch.add_set({"bridges", kTypeIfname, 16});
  batch.add_set({"internal", kTypeIfname, 16});
  batch.add_set({"peers", concat(kTypeIfname, kTypeIfname), 32});
  for (const Family& f : kFamilies) {
    const std::uint32_t type = f.proto == NFPROTO_IPV4 ? kTypeIpv4 : kTypeIpv6;
    batch.add_set({"subnets" + f.digit, type, f.length, true});
    batch.add_set({"masqueraded" + f.digit, type, f.length, true});
    batch.add_set({"not_routed" + f.digit, kTypeIfname, 16});
    batch.add_set({"publish" + f.digit, concat(concat(type, kTypeProto), kTypeService),
                   f.length + 8, false, concat(type, kTypeService), f.length + 4});
    batch.add_set({"publish_any" + f.digit, concat(kTypeProto, kTypeService), 8, false,
                   concat(type, kTypeService), f.length + 4});
  }
}

void write_guard(NftBatch& batch) {
  batch.add_chain("guard", BaseChain{"filter", NF_INET_PRE_ROUTING, -300});
  for (const std::uint32_t offset : {kSource4, kTarget4}) {
    batch.add_rule("guard", [&](NftRule& r) {
      in_loopback_net(r.meta(NFT_META_IIFNAME).lookup("bridges"), offset).verdict(NF_DROP);
    });
  }
  for (const Family& f : kFamilies) {
    batch.add_rule("guard", [&](NftRule& r) {
      r.iif("lo", false).meta(NFT_META_IIFNAME).lookup("bridges", 0, true).nfproto(f.proto);
      address(r, f, f.target).lookup("masqueraded" + f.digit).verdict(NF_DROP);
    });
  }
}

void write_published(NftBatch& batch, const std::string& chain, bool local_origin) {
  for (const Family& f : kFamilies) {
    const int words = static_cast<int>(f.length / 4);
    const int data = 8;  // registers behind the longest key
    // 127/8 and ::1 are for clients on this host. A neighbour may send to them all the same, and
    // translation comes before the routing code would refuse it (moby#45610).
    const auto not_loopback = [&](NftRule& r) {
      if (f.proto == NFPROTO_IPV4 && !local_origin) {
        r.payload(NFT_PAYLOAD_NETWORK_HEADER, f.target, 1).cmp(NFT_CMP_NEQ, "\x7f");
      } else if (f.proto == NFPROTO_IPV6) {
        // Nor can a packet from ::1 be routed to a bridge (IPv6 has no route_localnet): stack-netd
        // proxies it.
        address(r, f, f.target).cmp(NFT_CMP_NEQ, std::string(15, '\0') + '\x01');
      }
    };
    batch.add_rule(chain, [&](NftRule& r) {
      local_target(r.nfproto(f.proto));
      not_loopback(r);
      address(r, f, f.target)
          .meta(NFT_META_L4PROTO, words)
          .payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, words + 1)
          .map("publish" + f.digit, 0, data)
          .dnat(f.proto, data, data + words);
    });
    batch.add_rule(chain, [&](NftRule& r) {
      local_target(r.nfproto(f.proto));
      not_loopback(r);
      r.meta(NFT_META_L4PROTO, 0)
          .payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 1)
          .map("publish_any" + f.digit, 0, data)
          .dnat(f.proto, data, data + words);
    });
  }
}

void write_leaving(NftBatch& batch) {
  batch.add_chain("leaving", BaseChain{"nat", NF_INET_POST_ROUTING, 100});
  batch.add_rule("leaving", [&](NftRule& r) {
    in_loopback_net(r.meta(NFT_META_OIFNAME).lookup("bridges"), kSource4).masquerade();
  });
  for (const Family& f : kFamilies) {
    batch.add_rule("leaving", [&](NftRule& r) {
      r.meta(NFT_META_OIFNAME).lookup("bridges").ct_status(IPS_DST_NAT).nfproto(f.proto);
      address(r, f, f.source).lookup("subnets" + f.digit).masquerade();
    });
    batch.add_rule("leaving", [&](NftRule& r) {
      r.oif("lo", false).meta(NFT_META_OIFNAME).lookup("bridges", 0, true).nfproto(f.proto);
      address(r, f, f.source).lookup("masqueraded" + f.digit).masquerade();
    });
  }
}

void write_forward(NftBatch& batch) {
  batch.add_chain("forward", BaseChain{"filter", NF_INET_FORWARD, 0});
  batch.add_rule("forward",
                 [](NftRule& r) { r.ct_state(kEstablished | kRelated).verdict(NF_ACCEPT); });
  batch.add_rule("forward", [](NftRule& r) {
    r.meta(NFT_META_IIFNAME, 0).meta(NFT_META_OIFNAME, 4).lookup("peers").verdict(NF_ACCEPT);
  });
  batch.add_rule("forward",
                 [](NftRule& r) { r.meta(NFT_META_IIFNAME).lookup("internal").verdict(NF_DROP); });
  batch.add_rule("forward",
                 [](NftRule& r) { r.meta(NFT_META_OIFNAME).lookup("internal").verdict(NF_DROP); });
  batch.add_rule("forward", [](NftRule& r) {
    r.meta(NFT_META_OIFNAME).lookup("bridges").ct_status(IPS_DST_NAT).verdict(NF_ACCEPT);
  });
  batch.add_rule("forward",
                 [](NftRule& r) { r.meta(NFT_META_OIFNAME).lookup("bridges").verdict(NF_DROP); });
  for (const Family& f : kFamilies) {
    batch.add_rule("forward", [&](NftRule& r) {
      r.nfproto(f.proto).meta(NFT_META_IIFNAME).lookup("not_routed" + f.digit);
      r.meta(NFT_META_OIFNAME).lookup("not_routed" + f.digit).verdict(NF_DROP);
    });
  }
}

void write_input(NftBatch& batch) {
  batch.add_chain("input", BaseChain{"filter", NF_INET_LOCAL_IN, 0});
  batch.add_rule("input", [](NftRule& r) {
    r.ct_state(kEstablished | kRelated | kUntracked).verdict(NF_ACCEPT);
  });
  batch.add_rule("input",
                 [](NftRule& r) { r.meta(NFT_META_IIFNAME).lookup("internal").verdict(NF_DROP); });
  for (const Family& f : kFamilies) {
    batch.add_rule("input", [&](NftRule& r) {
      r.meta(NFT_META_IIFNAME).lookup("bridges").nfproto(f.proto);
      address(r, f, f.target).lookup("subnets" + f.digit);
      r.fib(NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF)
          .cmp(NFT_CMP_NEQ, u32_bytes(RTN_LOCAL));
      r.verdict(NF_DROP);
    });
  }
}

void write_host_table(NftBatch& batch) {
  write_sets(batch);
  write_guard(batch);
  batch.add_chain("published", BaseChain{"nat", NF_INET_PRE_ROUTING, -100});
  write_published(batch, "published", false);
  batch.add_chain("published_local", BaseChain{"nat", NF_INET_LOCAL_OUT, -100});
  write_published(batch, "published_local", true);
  write_leaving(batch);
  write_forward(batch);
  write_input(batch);
}

void add(SetElements& out, const std::string& set, const std::vector<Element>& elements) {
  auto& list = out[set];
  list.insert(list.end(), elements.begin(), elements.end());
}

}  // namespace

std::vector<Element> interval(const Prefix& prefix) {
  const Prefix subnet = masked(prefix);
  const Address end = plus(last_address(subnet), 1);
  std::vector<Element> out = {{packed(subnet.address), "", false}};
  if (end > subnet.address) out.push_back({packed(end), "", true});
  return out;
}

const Table& host_table() {
  static const Table table{NFPROTO_INET,
                           {"guard", "published", "published_local", "leaving", "forward", "input"},
                           "bridges",
                           write_host_table};
  return table;
}

void write_table(NftBatch& batch, const Table& table, bool replace) {
  const std::string comment = kRuleSetMark;
  std::string mark = {'\0', static_cast<char>(comment.size() + 1)};
  mark += comment + '\0';
  if (replace) {
    // A table that is added, deleted and added in one transaction: deleted if it was there, and
    // never absent in between.
    batch.add_table();
    batch.delete_table();
  }
  batch.add_table(true, mark);
  table.write(batch);
}

void merge(SetElements& all, const SetElements& more) {
  for (const auto& [set, list] : more) add(all, set, list);
}

void write_elements(NftBatch& batch, const SetElements& elements) {
  for (const auto& [set, list] : elements) batch.add_elements(set, list);
}
void erase_elements(NftBatch& batch, const SetElements& elements) {
  for (const auto& [set, list] : elements) batch.delete_elements(set, list);
}

Result<SetElements> network_elements(const NetworkSpec& spec) {
  SetElements out;
  const std::string bridge = ifname_key(spec.bridge);
  add(out, "bridges", {{bridge, "", false}});
  if (spec.internal) add(out, "internal", {{bridge, "", false}});
  if (spec.icc) add(out, "peers", {{bridge + bridge, "", false}});
  for (const bool v6 : {false, true}) {
    const std::string digit = v6 ? "6" : "4";
    for (const Subnet& subnet : v6 ? spec.ipv6 : spec.ipv4) {
      const auto prefix = parse_prefix(subnet.cidr);
      if (!prefix || prefix->address.v6 != v6)
        return Error::invalid("invalid CIDR address: " + subnet.cidr);
      add(out, "subnets" + digit, interval(*prefix));
      if (spec.masquerade || spec.internal) add(out, "masqueraded" + digit, interval(*prefix));
    }
  }
  return out;
}

Result<SetElements> port_elements(const PublishedPort& port) {
  std::uint8_t proto = IPPROTO_TCP;
  if (port.protocol == "udp") {
    proto = IPPROTO_UDP;
  } else if (port.protocol == "sctp") {
    proto = IPPROTO_SCTP;
  } else if (port.protocol != "tcp") {
    return Error::invalid("unknown protocol " + port.protocol);
  }
  const auto container4 = parse_address(port.container_ipv4);
  const auto container6 = parse_address(port.container_ipv6);
  std::optional<Address> host;
  if (!port.host_ip.empty()) {
    host = parse_address(port.host_ip);
    if (!host) return Error::invalid("invalid IP address " + port.host_ip);
  }
  const std::string service = proto_key(proto) + be16_key(port.host_port);
  SetElements out;
  const bool any = !host || *host == Address{host->v6, {}};
  if (container4 && (!host || !host->v6)) {
    const std::string data = packed(*container4) + be16_key(port.container_port);
    if (any) {
      add(out, "publish_any4", {{service, data, false}});
    } else {
      add(out, "publish4", {{packed(*host) + service, data, false}});
    }
  }
  if (container6 && (!host || host->v6)) {
    const std::string data = packed(*container6) + be16_key(port.container_port);
    if (any) {
      add(out, "publish_any6", {{service, data, false}});
    } else if (packed(*host) != std::string(15, '\0') + '\x01') {
      add(out, "publish6", {{packed(*host) + service, data, false}});
    }
  }
  return out;
}

NetlinkBatch resolver_rules() {
  NftBatch batch(NFPROTO_IPV4, kTable);
  batch.add_table();
  batch.add_chain("resolver", BaseChain{"filter", NF_INET_LOCAL_OUT, -150});
  const auto address = parse_address(kResolverAddress);
  const std::string port53 = be16_key(53).substr(0, 2);
  const std::string ours = be16_key(kResolverPort).substr(0, 2);
  for (const bool request : {true, false}) {
    for (const std::uint8_t proto : {IPPROTO_UDP, IPPROTO_TCP}) {
      const std::uint32_t port_offset = request ? 2 : 0;
      batch.add_rule("resolver", [&](NftRule& r) {
        r.payload(NFT_PAYLOAD_NETWORK_HEADER, request ? kTarget4 : kSource4, 4)
            .cmp(NFT_CMP_EQ, packed(*address))
            .l4proto(proto)
            .payload(NFT_PAYLOAD_TRANSPORT_HEADER, port_offset, 2)
            .cmp(NFT_CMP_EQ, request ? port53 : ours)
            .load(request ? ours : port53)
            .set_payload(NFT_PAYLOAD_TRANSPORT_HEADER, port_offset, 2,
                         proto == IPPROTO_UDP ? 6 : 16);
      });
    }
  }
  return std::move(batch.finish());
}

}  // namespace stack::netd
