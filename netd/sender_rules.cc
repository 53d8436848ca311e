#include "netd/sender_rules.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter_bridge.h>

#include "netd/address.h"
#include "netd/ipam.h"

namespace stack::netd {

namespace {

// Registers: the interface's name, then the MAC address, then the network address.
constexpr int kName = 0, kMac = 4, kAddress = 6;
constexpr std::uint32_t kMacLength = 6, kMacBytes = 8;  // padded to whole registers

// Offsets: Ethernet source; ARP sender addresses (RFC 826, Ethernet and IPv4); IP sources.
constexpr std::uint32_t kEtherSource = 6, kArpMac = 8, kArpAddress = 14, kSource4 = 12,
                        kSource6 = 8;
constexpr std::uint32_t kNdTarget = 8;            // in the ICMPv6 message, RFC 4861 section 4.4
constexpr char kNeighbourAdvertisement = '\x88';  // type 136

std::string be16(int v) {
  const std::uint16_t bytes = htons(static_cast<std::uint16_t>(v));
  return {reinterpret_cast<const char*>(&bytes), sizeof bytes};
}

NftRule& of_protocol(NftRule& rule, int ether_type) {
  return rule.meta(NFT_META_PROTOCOL).cmp(NFT_CMP_EQ, be16(ether_type));
}

NftRule& name_and_mac(NftRule& rule, std::uint32_t base = NFT_PAYLOAD_LL_HEADER,
                      std::uint32_t offset = kEtherSource) {
  return rule.meta(NFT_META_IIFNAME, kName).payload(base, offset, kMacLength, kMac);
}

// fe80::/10, the address being in register 0.
NftRule& link_local(NftRule& rule, bool is) {
  const std::string mask("\xff\xc0", 2);
  const std::string prefix("\xfe\x80", 2);
  return rule.mask(2, mask).cmp(is ? NFT_CMP_EQ : NFT_CMP_NEQ, prefix);
}

void write_senders(NftBatch& batch) {
  batch.add_set({"guarded", kTypeIfname, 16});
  batch.add_set({"macs", concat(kTypeIfname, kTypeEther), 16 + kMacBytes});
  batch.add_set(
      {"senders4", concat(concat(kTypeIfname, kTypeEther), kTypeIpv4), 16 + kMacBytes + 4});
  batch.add_set(
      {"senders6", concat(concat(kTypeIfname, kTypeEther), kTypeIpv6), 16 + kMacBytes + 16});
  const std::string chain = "senders";
  batch.add_chain(chain, BaseChain{"filter", NF_BR_PRE_ROUTING, NF_BR_PRI_FIRST});
  batch.add_rule(chain, [](NftRule& r) {
    r.meta(NFT_META_IIFNAME).lookup("guarded", 0, true).verdict(NF_ACCEPT);
  });
  batch.add_rule(chain,
                 [](NftRule& r) { name_and_mac(r).lookup("macs", 0, true).verdict(NF_DROP); });
  batch.add_rule(chain, [](NftRule& r) {
    name_and_mac(of_protocol(r, ETH_P_ARP), NFT_PAYLOAD_NETWORK_HEADER, kArpMac)
        .payload(NFT_PAYLOAD_NETWORK_HEADER, kArpAddress, 4, kAddress)
        .lookup("senders4", 0, true)
        .verdict(NF_DROP);
  });
  batch.add_rule(chain, [](NftRule& r) {
    name_and_mac(of_protocol(r, ETH_P_IP))
        .payload(NFT_PAYLOAD_NETWORK_HEADER, kSource4, 4, kAddress)
        .lookup("senders4", 0, true)
        .verdict(NF_DROP);
  });
  batch.add_rule(chain, [](NftRule& r) {
    of_protocol(r, ETH_P_IPV6)
        .l4proto(IPPROTO_ICMPV6)
        .payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1)
        .cmp(NFT_CMP_EQ, std::string(1, kNeighbourAdvertisement))
        .payload(NFT_PAYLOAD_TRANSPORT_HEADER, kNdTarget, 2);
    name_and_mac(link_local(r, false))
        .payload(NFT_PAYLOAD_TRANSPORT_HEADER, kNdTarget, 16, kAddress)
        .lookup("senders6", 0, true)
        .verdict(NF_DROP);
  });
  batch.add_rule(chain, [](NftRule& r) {
    link_local(of_protocol(r, ETH_P_IPV6).payload(NFT_PAYLOAD_NETWORK_HEADER, kSource6, 2), true)
        .verdict(NF_ACCEPT);
  });
  batch.add_rule(chain, [](NftRule& r) {
    of_protocol(r, ETH_P_IPV6)
        .payload(NFT_PAYLOAD_NETWORK_HEADER, kSource6, 16)
        .cmp(NFT_CMP_EQ, std::string(16, '\0'))
        .verdict(NF_ACCEPT);
  });
  batch.add_rule(chain, [](NftRule& r) {
    name_and_mac(of_protocol(r, ETH_P_IPV6))
        .payload(NFT_PAYLOAD_NETWORK_HEADER, kSource6, 16, kAddress)
        .lookup("senders6", 0, true)
        .verdict(NF_DROP);
  });
}

}  // namespace

const Table& sender_table() {
  static const Table table{NFPROTO_BRIDGE, {"senders"}, "guarded", write_senders};
  return table;
}

Result<SetElements> sender_elements(const Sender& sender) {
  const auto mac = TRY(mac_bytes(sender.mac));
  std::string who = ifname_key(sender.veth);
  SetElements out;
  out["guarded"] = {{who, "", false}};
  who.append(mac.begin(), mac.end());
  who.resize(who.size() + kMacBytes - kMacLength, '\0');
  out["macs"] = {{who, "", false}};
  std::vector<std::string> addresses = sender.link_local;
  addresses.insert(addresses.begin(), {sender.ipv4, sender.ipv6});
  for (const std::string& text : addresses) {
    if (text.empty()) continue;
    const auto address = parse_address(text);
    if (!address) return Error::invalid("invalid IP address " + text);
    out[address->v6 ? "senders6" : "senders4"].push_back(
        {who + std::string(reinterpret_cast<const char*>(address->bytes), address->size()), "",
         false});
  }
  return out;
}

}  // namespace stack::netd
