#include "netd/conntrack.h"

#include <netinet/in.h>
// clang-format off
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
// clang-format on

#include <algorithm>

#include "netd/ipam.h"
#include "netd/netlink.h"

namespace stack::netd {

namespace {

void begin_request(NetlinkBatch& batch, int message, std::uint16_t flags, std::uint8_t family) {
  nfgenmsg header{};
  header.nfgen_family = family;
  header.version = NFNETLINK_V0;
  batch.begin(static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | message), flags, header);
}

struct Flow {
  std::string original;  // the attribute CTA_TUPLE_ORIG as received
  std::string id;
};

}  // namespace

Status forget_udp_flows(const std::vector<std::string>& container_addresses) {
  NetlinkSocket& socket = *TRY(netfilter_socket());
  for (const bool v6 : {false, true}) {
    std::vector<std::string> wanted;
    for (const std::string& text : container_addresses) {
      const auto a = parse_address(text);
      if (a && a->v6 == v6) wanted.emplace_back(reinterpret_cast<const char*>(a->bytes), a->size());
    }
    if (wanted.empty()) continue;
    const std::uint8_t family = v6 ? AF_INET6 : AF_INET;
    std::vector<Flow> flows;
    NetlinkBatch list;
    begin_request(list, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
    list.end();
    const int error = TRY(socket.request(list, [&](const nlmsghdr& m) {
      const Attribute reply = find_attribute<nfgenmsg>(m, CTA_TUPLE_REPLY);
      const Attribute proto = find_attribute(find_attribute(reply, CTA_TUPLE_PROTO), CTA_PROTO_NUM);
      if (proto.size < 1 || *proto.data != IPPROTO_UDP) return;
      const Attribute source =
          find_attribute(find_attribute(reply, CTA_TUPLE_IP), v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC);
      if (!source || std::find(wanted.begin(), wanted.end(),
                               std::string(source.data, source.size)) == wanted.end()) {
        return;
      }
      const Attribute original = find_attribute<nfgenmsg>(m, CTA_TUPLE_ORIG);
      const Attribute id = find_attribute<nfgenmsg>(m, CTA_ID);
      flows.push_back({std::string(original.data, original.size), std::string(id.data, id.size)});
    }));
    if (error != 0) return Error::os(error, "listing tracked flows");
    NetlinkBatch remove;
    for (const Flow& flow : flows) {
      begin_request(remove, IPCTNL_MSG_CT_DELETE, 0, family);
      remove.put(CTA_TUPLE_ORIG | NLA_F_NESTED, flow.original);
      remove.put(CTA_ID, flow.id);
      remove.end();
    }
    const BatchFailure failure = TRY(socket.run(remove));
    if (failure.error != 0 && failure.error != ENOENT)
      return Error::os(failure.error, "forgetting tracked flows");
  }
  return ok_status();
}

}  // namespace stack::netd
