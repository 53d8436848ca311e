#include "netd/nft.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>

namespace stack::netd {

namespace {

constexpr std::uint16_t nft_type(int message) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message);
}

nfgenmsg header(std::uint8_t family, std::uint16_t resource = 0) {
  nfgenmsg h{};
  h.nfgen_family = family;
  h.version = NFNETLINK_V0;
  h.res_id = htons(resource);
  return h;
}

std::string_view bytes_of(const std::uint32_t& v) {
  return {reinterpret_cast<const char*>(&v), sizeof v};
}

}  // namespace

std::string ifname_key(std::string_view name) {
  std::string key(name.substr(0, IFNAMSIZ - 1));
  key.resize(IFNAMSIZ, '\0');
  return key;
}

template <typename Body>
NftRule& NftRule::expression(const char* name, Body body) {
  const std::size_t element = out_.open(NFTA_LIST_ELEM);
  out_.put_string(NFTA_EXPR_NAME, name);
  const std::size_t data = out_.open(NFTA_EXPR_DATA);
  body();
  out_.close(data);
  out_.close(element);
  return *this;
}

void NftRule::value(std::uint16_t attribute, std::string_view bytes) {
  const std::size_t nest = out_.open(attribute);
  out_.put(NFTA_DATA_VALUE, bytes);
  out_.close(nest);
}

NftRule& NftRule::meta(std::uint32_t key, int to) {
  return expression("meta", [&] {
    out_.put_be32(NFTA_META_KEY, key);
    out_.put_be32(NFTA_META_DREG, reg(to));
  });
}

NftRule& NftRule::payload(std::uint32_t base, std::uint32_t offset, std::uint32_t length, int to) {
  return expression("payload", [&] {
    out_.put_be32(NFTA_PAYLOAD_DREG, reg(to));
    out_.put_be32(NFTA_PAYLOAD_BASE, base);
    out_.put_be32(NFTA_PAYLOAD_OFFSET, offset);
    out_.put_be32(NFTA_PAYLOAD_LEN, length);
  });
}

NftRule& NftRule::set_payload(std::uint32_t base, std::uint32_t offset, std::uint32_t length,
                              std::uint32_t checksum_offset, int from) {
  return expression("payload", [&] {
    out_.put_be32(NFTA_PAYLOAD_SREG, reg(from));
    out_.put_be32(NFTA_PAYLOAD_BASE, base);
    out_.put_be32(NFTA_PAYLOAD_OFFSET, offset);
    out_.put_be32(NFTA_PAYLOAD_LEN, length);
    out_.put_be32(NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
    out_.put_be32(NFTA_PAYLOAD_CSUM_OFFSET, checksum_offset);
  });
}

NftRule& NftRule::ct(std::uint32_t key, int to) {
  return expression("ct", [&] {
    out_.put_be32(NFTA_CT_DREG, reg(to));
    out_.put_be32(NFTA_CT_KEY, key);
  });
}

NftRule& NftRule::fib(std::uint32_t result, std::uint32_t flags, int to) {
  return expression("fib", [&] {
    out_.put_be32(NFTA_FIB_DREG, reg(to));
    out_.put_be32(NFTA_FIB_RESULT, result);
    out_.put_be32(NFTA_FIB_FLAGS, flags);
  });
}

NftRule& NftRule::mask(std::uint32_t length, std::string_view mask, int r) {
  return expression("bitwise", [&] {
    out_.put_be32(NFTA_BITWISE_SREG, reg(r));
    out_.put_be32(NFTA_BITWISE_DREG, reg(r));
    out_.put_be32(NFTA_BITWISE_LEN, length);
    value(NFTA_BITWISE_MASK, mask);
    value(NFTA_BITWISE_XOR, std::string(length, '\0'));
  });
}

NftRule& NftRule::cmp(std::uint32_t op, std::string_view bytes, int r) {
  return expression("cmp", [&] {
    out_.put_be32(NFTA_CMP_SREG, reg(r));
    out_.put_be32(NFTA_CMP_OP, op);
    value(NFTA_CMP_DATA, bytes);
  });
}

NftRule& NftRule::lookup(const std::string& set, int from, bool invert) {
  return expression("lookup", [&] {
    out_.put_string(NFTA_LOOKUP_SET, set);
    out_.put_be32(NFTA_LOOKUP_SREG, reg(from));
    if (invert) out_.put_be32(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
  });
}

NftRule& NftRule::map(const std::string& set, int from, int to) {
  return expression("lookup", [&] {
    out_.put_string(NFTA_LOOKUP_SET, set);
    out_.put_be32(NFTA_LOOKUP_SREG, reg(from));
    out_.put_be32(NFTA_LOOKUP_DREG, reg(to));
  });
}

NftRule& NftRule::load(std::string_view bytes, int to) {
  return expression("immediate", [&] {
    out_.put_be32(NFTA_IMMEDIATE_DREG, reg(to));
    value(NFTA_IMMEDIATE_DATA, bytes);
  });
}

NftRule& NftRule::verdict(int code) {
  return expression("immediate", [&] {
    out_.put_be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    const std::size_t data = out_.open(NFTA_IMMEDIATE_DATA);
    const std::size_t verdict = out_.open(NFTA_DATA_VERDICT);
    out_.put_be32(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code));
    out_.close(verdict);
    out_.close(data);
  });
}

NftRule& NftRule::masquerade() {
  return expression("masq", [] {});
}

NftRule& NftRule::dnat(std::uint32_t family, int address, int port) {
  return expression("nat", [&] {
    out_.put_be32(NFTA_NAT_TYPE, NFT_NAT_DNAT);
    out_.put_be32(NFTA_NAT_FAMILY, family);
    out_.put_be32(NFTA_NAT_REG_ADDR_MIN, reg(address));
    out_.put_be32(NFTA_NAT_REG_PROTO_MIN, reg(port));
  });
}

NftRule& NftRule::counter() {
  return expression("counter", [&] {
    out_.put_be64(NFTA_COUNTER_BYTES, 0);
    out_.put_be64(NFTA_COUNTER_PACKETS, 0);
  });
}

NftRule& NftRule::iif(std::string_view name, bool equal) {
  return meta(NFT_META_IIFNAME).cmp(equal ? NFT_CMP_EQ : NFT_CMP_NEQ, ifname_key(name));
}
NftRule& NftRule::oif(std::string_view name, bool equal) {
  return meta(NFT_META_OIFNAME).cmp(equal ? NFT_CMP_EQ : NFT_CMP_NEQ, ifname_key(name));
}
NftRule& NftRule::name_prefix(std::uint32_t key, std::string_view prefix, bool equal) {
  return meta(key).cmp(equal ? NFT_CMP_EQ : NFT_CMP_NEQ,
                       prefix);  // shorter than the register: compares a prefix
}
NftRule& NftRule::nfproto(std::uint8_t proto) {
  return meta(NFT_META_NFPROTO).cmp(NFT_CMP_EQ, std::string(1, static_cast<char>(proto)));
}
NftRule& NftRule::l4proto(std::uint8_t proto) {
  return meta(NFT_META_L4PROTO).cmp(NFT_CMP_EQ, std::string(1, static_cast<char>(proto)));
}
NftRule& NftRule::ct_state(std::uint32_t bits) {
  const std::uint32_t zero = 0;
  return ct(NFT_CT_STATE).mask(4, bytes_of(bits)).cmp(NFT_CMP_NEQ, bytes_of(zero));
}
NftRule& NftRule::ct_status(std::uint32_t bits) {
  const std::uint32_t zero = 0;
  return ct(NFT_CT_STATUS).mask(4, bytes_of(bits)).cmp(NFT_CMP_NEQ, bytes_of(zero));
}

NftBatch::NftBatch(std::uint8_t family, std::string table, std::uint32_t generation)
    : family_(family), table_(std::move(table)) {
  out_.begin(NFNL_MSG_BATCH_BEGIN, 0, header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  if (generation != 0) out_.put_be32(NFNL_BATCH_GENID, generation);
  out_.end();
}

void NftBatch::begin(std::uint16_t type, std::uint16_t flags) {
  out_.begin(nft_type(type), flags, header(family_));
  ++messages_;
}

void NftBatch::add_table(bool create_only, std::string_view mark) {
  begin(NFT_MSG_NEWTABLE, create_only ? NLM_F_CREATE | NLM_F_EXCL : NLM_F_CREATE);
  out_.put_string(NFTA_TABLE_NAME, table_);
  if (!mark.empty()) out_.put(NFTA_TABLE_USERDATA, mark);
  out_.end();
}

void NftBatch::delete_table() {
  begin(NFT_MSG_DELTABLE, 0);
  out_.put_string(NFTA_TABLE_NAME, table_);
  out_.end();
}

void NftBatch::add_chain(const std::string& chain, const std::optional<BaseChain>& base) {
  begin(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
  out_.put_string(NFTA_CHAIN_TABLE, table_);
  out_.put_string(NFTA_CHAIN_NAME, chain);
  if (base) {
    const std::size_t hook = out_.open(NFTA_CHAIN_HOOK);
    out_.put_be32(NFTA_HOOK_HOOKNUM, base->hook);
    out_.put_be32(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(base->priority));
    out_.close(hook);
    out_.put_be32(NFTA_CHAIN_POLICY, base->policy);
    out_.put_string(NFTA_CHAIN_TYPE, base->type);
  }
  out_.end();
}

void NftBatch::add_set(const SetShape& shape) {
  begin(NFT_MSG_NEWSET, NLM_F_CREATE);
  out_.put_string(NFTA_SET_TABLE, table_);
  out_.put_string(NFTA_SET_NAME, shape.name);
  std::uint32_t flags = 0;
  if (shape.interval) flags |= NFT_SET_INTERVAL;
  if (shape.data_length > 0) flags |= NFT_SET_MAP;
  out_.put_be32(NFTA_SET_FLAGS, flags);
  out_.put_be32(NFTA_SET_KEY_TYPE, shape.key_type);
  out_.put_be32(NFTA_SET_KEY_LEN, shape.key_length);
  out_.put_be32(NFTA_SET_ID, ++set_id_);
  if (shape.data_length > 0) {
    out_.put_be32(NFTA_SET_DATA_TYPE, shape.data_type);
    out_.put_be32(NFTA_SET_DATA_LEN, shape.data_length);
  }
  out_.end();
}

void NftBatch::elements(std::uint16_t type, std::uint16_t flags, const std::string& set,
                        const std::vector<Element>& list) {
  // nla_len has 16 bits, so long lists go in several messages of the same transaction.
  constexpr std::size_t kPerMessage = 400;
  for (std::size_t at = 0; at < list.size(); at += kPerMessage) {
    begin(type, flags);
    out_.put_string(NFTA_SET_ELEM_LIST_TABLE, table_);
    out_.put_string(NFTA_SET_ELEM_LIST_SET, set);
    const std::size_t nest = out_.open(NFTA_SET_ELEM_LIST_ELEMENTS);
    for (std::size_t i = at; i < std::min(list.size(), at + kPerMessage); ++i) {
      const std::size_t element = out_.open(NFTA_LIST_ELEM);
      const std::size_t key = out_.open(NFTA_SET_ELEM_KEY);
      out_.put(NFTA_DATA_VALUE, list[i].key);
      out_.close(key);
      if (!list[i].data.empty()) {
        const std::size_t data = out_.open(NFTA_SET_ELEM_DATA);
        out_.put(NFTA_DATA_VALUE, list[i].data);
        out_.close(data);
      }
      if (list[i].interval_end) out_.put_be32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
      out_.close(element);
    }
    out_.close(nest);
    out_.end();
  }
}

void NftBatch::add_elements(const std::string& set, const std::vector<Element>& list) {
  elements(NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, list);
}
void NftBatch::delete_elements(const std::string& set, const std::vector<Element>& list) {
  elements(NFT_MSG_DELSETELEM, 0, set, list);
}

std::size_t NftBatch::open_rule(const std::string& chain, bool at_head) {
  begin(NFT_MSG_NEWRULE, at_head ? NLM_F_CREATE : NLM_F_CREATE | NLM_F_APPEND);
  out_.put_string(NFTA_RULE_TABLE, table_);
  out_.put_string(NFTA_RULE_CHAIN, chain);
  return out_.open(NFTA_RULE_EXPRESSIONS);
}

void NftBatch::close_rule(std::size_t nest, std::string_view comment) {
  out_.close(nest);
  if (!comment.empty()) {
    std::string
        data;  // user space's own type-length-value: type 0 is a comment, with its terminator
    data.push_back('\0');
    data.push_back(static_cast<char>(comment.size() + 1));
    data.append(comment);
    data.push_back('\0');
    out_.put(NFTA_RULE_USERDATA, data);
  }
  out_.end();
}

void NftBatch::delete_rule(const std::string& chain, std::uint64_t handle) {
  begin(NFT_MSG_DELRULE, 0);
  out_.put_string(NFTA_RULE_TABLE, table_);
  out_.put_string(NFTA_RULE_CHAIN, chain);
  out_.put_be64(NFTA_RULE_HANDLE, handle);
  out_.end();
}

NetlinkBatch& NftBatch::finish() {
  out_.request_ack_of_last();
  out_.begin(NFNL_MSG_BATCH_END, 0, header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  out_.end();
  return out_;
}

}  // namespace stack::netd
