#include <sys/socket.h>

#include "netd/ipam.h"
#include "netd/route.h"

namespace stack::netd {

Result<std::vector<std::string>> host_subnets() {
  std::vector<std::string> out;
  NetlinkSocket socket = TRY(NetlinkSocket::open_route());
  for (const bool v6 : {false, true}) {
    NetlinkBatch batch;
    rtmsg header{};
    header.rtm_family = v6 ? AF_INET6 : AF_INET;
    batch.begin(RTM_GETROUTE, NLM_F_DUMP, header);
    batch.end();
    const int error = TRY(socket.request(batch, [&](const nlmsghdr& m) {
      const auto* route = static_cast<const rtmsg*>(NLMSG_DATA(&m));
      const Attribute target = find_attribute<rtmsg>(m, RTA_DST);
      if (route->rtm_table != RT_TABLE_MAIN || route->rtm_type != RTN_UNICAST ||
          route->rtm_dst_len == 0)
        return;
      Prefix prefix;
      prefix.address.v6 = v6;
      prefix.length = route->rtm_dst_len;
      if (target.size < prefix.address.size()) return;
      std::memcpy(prefix.address.bytes, target.data, prefix.address.size());
      out.push_back(to_string(prefix));
    }));
    if (error != 0 && error != EAFNOSUPPORT && error != EOPNOTSUPP)
      return Error::os(error, "listing routes");
  }
  return out;
}

}  // namespace stack::netd
