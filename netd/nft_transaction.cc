#include "netd/nft_transaction.h"

#include <linux/netfilter/nfnetlink.h>

#include <cerrno>

namespace stack::netd {

void begin_nft_request(NetlinkBatch& batch, int message, std::uint16_t flags, std::uint8_t family) {
  nfgenmsg header{};
  header.nfgen_family = family;
  header.version = NFNETLINK_V0;
  batch.begin(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message), flags, header);
}

Result<BatchFailure> run_retrying(NetlinkSocket& socket, NftBatch& batch) {
  NetlinkBatch& bytes = batch.finish();
  BatchFailure failure;
  for (int i = 0; i < kNftAttempts; ++i) {
    failure = TRY(socket.run(bytes));
    if (failure.error != EAGAIN && failure.error != EINTR) break;
  }
  return failure;
}

Error nft_error(const BatchFailure& failure, const std::string& what) {
  Error error = Error::os(
      failure.error, what + " (message " + std::to_string(failure.sequence) + " of the batch)");
  if (failure.error == EOPNOTSUPP || failure.error == EPROTONOSUPPORT || failure.error == EINVAL) {
    return std::move(error).fix(
        "The kernel needs nf_tables with inet NAT (CONFIG_NF_TABLES_INET, CONFIG_NFT_NAT, Linux "
        "5.2).");
  }
  return error;
}

Result<std::uint32_t> nft_generation(NetlinkSocket& socket) {
  NetlinkBatch batch;
  begin_nft_request(batch, NFT_MSG_GETGEN, 0, NFPROTO_UNSPEC);
  batch.end();
  std::uint32_t id = 0;
  const int error = TRY(socket.request(
      batch, [&](const nlmsghdr& m) { id = find_attribute<nfgenmsg>(m, NFTA_GEN_ID).be32(); }));
  if (error != 0) return Error::os(error, "asking for the firewall's generation");
  return id;
}

}  // namespace stack::netd
