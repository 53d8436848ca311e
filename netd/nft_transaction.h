// Asking and changing nf_tables (nfnetlink): what every user of a NftBatch needs around it.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "netd/netlink.h"
#include "netd/nft.h"

namespace stack::netd {

// How often a change is tried again when somebody else's came between.
inline constexpr int kNftAttempts = 20;

// Begins a question to nf_tables: NFT_MSG_GET*, NLM_F_DUMP or 0, NFPROTO_*.
void begin_nft_request(NetlinkBatch& batch, int message, std::uint16_t flags, std::uint8_t family);

// Applies the batch; again while another transaction came between (EAGAIN, EINTR).
Result<BatchFailure> run_retrying(NetlinkSocket& socket, NftBatch& batch);

Error nft_error(const BatchFailure& failure, const std::string& what);

// The generation changes with every transaction of anybody.
Result<std::uint32_t> nft_generation(NetlinkSocket& socket);

}  // namespace stack::netd
