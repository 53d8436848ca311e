// A transaction of nf_tables objects as bytes (linux/netfilter/nf_tables.h): tables, chains, sets,
// elements, rules. Values in, bytes out. One NftBatch is applied by the kernel wholly or not at
// all.
#pragma once

// clang-format off
#include <netinet/in.h>  // before linux/in.h, which linux/netfilter.h includes and which then leaves out the same types
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
// clang-format on

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "netd/netlink.h"

namespace stack::netd {

// Data types as user space (nft) numbers them, so that `nft list ruleset` prints our sets;
// concatenations shift by 6 bits.
inline constexpr std::uint32_t kTypeIpv4 = 7;
inline constexpr std::uint32_t kTypeIpv6 = 8;
inline constexpr std::uint32_t kTypeEther = 9;
inline constexpr std::uint32_t kTypeProto = 12;
inline constexpr std::uint32_t kTypeService = 13;
inline constexpr std::uint32_t kTypeIfname = 41;
constexpr std::uint32_t concat(std::uint32_t a, std::uint32_t b) { return a << 6U | b; }

// 32-bit registers; a value of n bytes takes n/4 consecutive ones. Use numbers from 0 to 15.
constexpr std::uint32_t reg(int n) { return NFT_REG32_00 + static_cast<std::uint32_t>(n); }

// The expressions of one rule, in order. Each method is one expression of the kernel.
class NftRule {
 public:
  explicit NftRule(NetlinkBatch& out) : out_(out) {}

  NftRule& meta(std::uint32_t key, int to = 0);  // NFT_META_*
  NftRule& payload(std::uint32_t base, std::uint32_t offset, std::uint32_t length, int to = 0);
  NftRule& set_payload(std::uint32_t base, std::uint32_t offset, std::uint32_t length,
                       std::uint32_t checksum_offset, int from = 0);
  NftRule& ct(std::uint32_t key, int to = 0);  // NFT_CT_*
  NftRule& fib(std::uint32_t result, std::uint32_t flags,
               int to = 0);  // NFT_FIB_RESULT_*, NFTA_FIB_F_*
  NftRule& mask(std::uint32_t length, std::string_view mask, int r = 0);
  NftRule& cmp(std::uint32_t op, std::string_view value, int r = 0);  // NFT_CMP_*
  NftRule& lookup(const std::string& set, int from = 0, bool invert = false);
  NftRule& map(const std::string& set, int from, int to);
  NftRule& load(std::string_view value, int to = 0);
  NftRule& verdict(int code);  // NF_ACCEPT, NF_DROP, NFT_RETURN
  NftRule& masquerade();
  NftRule& dnat(std::uint32_t family, int address, int port);
  NftRule& counter();

  // Shorthands.
  NftRule& iif(std::string_view name, bool equal = true);
  NftRule& oif(std::string_view name, bool equal = true);
  NftRule& iif_prefix(std::string_view prefix, bool equal = true) {
    return name_prefix(NFT_META_IIFNAME, prefix, equal);
  }
  NftRule& oif_prefix(std::string_view prefix, bool equal = true) {
    return name_prefix(NFT_META_OIFNAME, prefix, equal);
  }
  NftRule& nfproto(std::uint8_t proto);
  NftRule& l4proto(std::uint8_t proto);
  NftRule& ct_state(std::uint32_t bits);
  NftRule& ct_status(std::uint32_t bits);

 private:
  NftRule& name_prefix(std::uint32_t key, std::string_view prefix, bool equal);
  template <typename Body>
  NftRule& expression(const char* name, Body body);
  void value(std::uint16_t attribute, std::string_view bytes);
  NetlinkBatch& out_;
};

std::string ifname_key(std::string_view name);  // 16 bytes, zero padded

struct BaseChain {
  std::string type;  // filter, nat
  std::uint32_t hook = 0;
  std::int32_t priority = 0;
  std::uint32_t policy = NF_ACCEPT;
};

struct SetShape {
  std::string name;
  std::uint32_t key_type = 0;
  std::uint32_t key_length = 0;
  bool interval = false;
  std::uint32_t data_type = 0;  // a map when data_length > 0
  std::uint32_t data_length = 0;
};

struct Element {
  std::string key;
  std::string data;  // for maps
  bool interval_end = false;

  bool operator==(const Element&) const = default;
};

class NftBatch {
 public:
  // With a generation the transaction fails with ERESTART when the rule set has another one by now.
  NftBatch(std::uint8_t family, std::string table, std::uint32_t generation = 0);

  // create_only: the batch fails with EEXIST when the table is there. `mark` is kept as its user
  // data.
  void add_table(bool create_only = false, std::string_view mark = {});
  void delete_table();
  void add_chain(const std::string& chain, const std::optional<BaseChain>& base = {});
  void add_set(const SetShape& shape);
  void add_elements(const std::string& set, const std::vector<Element>& elements);
  void delete_elements(const std::string& set, const std::vector<Element>& elements);
  // Appends (or inserts at the head) a rule: rule(NftRule&) writes the expressions. The comment is
  // what nft prints.
  template <typename Body>
  void add_rule(const std::string& chain, Body body, std::string_view comment = {},
                bool at_head = false) {
    const std::size_t nest = open_rule(chain, at_head);
    NftRule rule(out_);
    body(rule);
    close_rule(nest, comment);
  }
  void delete_rule(const std::string& chain, std::uint64_t handle);

  // Closes the transaction; nothing may be added afterwards.
  NetlinkBatch& finish();
  bool empty() const { return messages_ == 0; }

 private:
  void begin(std::uint16_t type, std::uint16_t flags);
  std::size_t open_rule(const std::string& chain, bool at_head);
  void close_rule(std::size_t nest, std::string_view comment);
  void elements(std::uint16_t type, std::uint16_t flags, const std::string& set,
                const std::vector<Element>& list);

  std::uint8_t family_;
  std::string table_;
  NetlinkBatch out_;
  std::uint32_t set_id_ = 0;
  std::uint32_t messages_ = 0;
};

}  // namespace stack::netd
