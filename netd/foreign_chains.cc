#include "netd/foreign_chains.h"

#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "netd/firewall.h"
#include "netd/legacy_iptables.h"
#include "netd/nft_transaction.h"

namespace stack::netd {

namespace {

// What nft prints behind our rules; a rule for a named bridge adds its name.
constexpr const char* kComment = "stack";
constexpr const char* kNamedComment = "stack ";

std::string comment_for(const std::string& bridge) {
  return bridge.empty() ? kComment : kNamedComment + bridge;
}

struct ForeignChain {
  std::uint8_t family = 0;
  std::string table;
  std::string chain;
  std::uint32_t hook = NF_INET_NUMHOOKS;  // not a base chain
  bool drops = false;

  bool operator==(const ForeignChain&) const = default;
};

struct OurRule {
  std::uint64_t handle = 0;
  std::string comment;
};

Result<std::vector<ForeignChain>> list_chains(NetlinkSocket& socket) {
  std::vector<ForeignChain> out;
  NetlinkBatch batch;
  begin_nft_request(batch, NFT_MSG_GETCHAIN, NLM_F_DUMP, NFPROTO_UNSPEC);
  batch.end();
  const int error = TRY(socket.request(batch, [&](const nlmsghdr& m) {
    ForeignChain c;
    c.family = static_cast<const nfgenmsg*>(NLMSG_DATA(&m))->nfgen_family;
    c.table = find_attribute<nfgenmsg>(m, NFTA_CHAIN_TABLE).text();
    c.chain = find_attribute<nfgenmsg>(m, NFTA_CHAIN_NAME).text();
    if (const Attribute hook = find_attribute<nfgenmsg>(m, NFTA_CHAIN_HOOK)) {
      c.hook = find_attribute(hook, NFTA_HOOK_HOOKNUM).be32();
      c.drops = find_attribute<nfgenmsg>(m, NFTA_CHAIN_POLICY).be32() == NF_DROP;
    }
    out.push_back(std::move(c));
  }));
  if (error != 0) return Error::os(error, "listing firewall chains");
  return out;
}

bool is_ip(const ForeignChain& c) {
  return c.family == NFPROTO_IPV4 || c.family == NFPROTO_IPV6 || c.family == NFPROTO_INET;
}
bool is_ours(const ForeignChain& c) { return c.family == NFPROTO_INET && c.table == kTable; }
bool is_firewalld(const ForeignChain& c) {
  return c.table == "firewalld";
}  // ends in a reject rule, not in a policy

std::vector<ForeignChain> chains_to_open(const std::vector<ForeignChain>& all) {
  std::vector<ForeignChain> out;
  for (const ForeignChain& c : all) {
    if (!is_ip(c) || is_ours(c) || c.hook != NF_INET_FORWARD) continue;
    if (!c.drops && !is_firewalld(c)) continue;
    ForeignChain target = c;
    // Docker re-creates its own chains but leaves this one to the administrator; FORWARD jumps to
    // it first.
    const auto user = std::find_if(all.begin(), all.end(), [&](const ForeignChain& o) {
      return o.family == c.family && o.table == c.table && o.chain == "DOCKER-USER";
    });
    if (user != all.end()) target = *user;
    if (std::find(out.begin(), out.end(), target) == out.end()) out.push_back(target);
  }
  return out;
}

Result<std::vector<OurRule>> our_rules_in(NetlinkSocket& socket, const ForeignChain& c) {
  std::vector<OurRule> rules;
  NetlinkBatch batch;
  begin_nft_request(batch, NFT_MSG_GETRULE, NLM_F_DUMP, c.family);
  batch.put_string(NFTA_RULE_TABLE, c.table);
  batch.put_string(NFTA_RULE_CHAIN, c.chain);
  batch.end();
  const int error = TRY(socket.request(batch, [&](const nlmsghdr& m) {
    const Attribute data = find_attribute<nfgenmsg>(m, NFTA_RULE_USERDATA);
    if (data.size < 2) return;
    std::string comment = Attribute{data.data + 2, data.size - 2}.text();
    if (comment != kComment && !comment.starts_with(kNamedComment)) return;
    const Attribute handle = find_attribute<nfgenmsg>(m, NFTA_RULE_HANDLE);
    std::uint64_t value = 0;
    if (handle.size >= sizeof value) std::memcpy(&value, handle.data, sizeof value);
    rules.push_back({__builtin_bswap64(value), std::move(comment)});
  }));
  if (error != 0 && error != ENOENT)
    return Error::os(error, "listing rules of " + c.table + " " + c.chain);
  return rules;
}

// The bridges that foreign chains must let through: "" stands for the prefix of ours.
Result<std::vector<std::string>> bridges_to_accept() {
  std::vector<std::string> out = {""};
  for (const Element& e : TRY(list_elements(host_table(), "bridges"))) {
    std::string name = e.key.c_str();
    if (!name.starts_with(kBridgePrefix)) out.push_back(std::move(name));
  }
  return out;
}

void write_accept(NftBatch& batch, const std::string& chain, const std::string& bridge) {
  for (const bool inward : {false, true}) {
    batch.add_rule(
        chain,
        [&](NftRule& r) {
          if (bridge.empty()) {
            inward ? r.oif_prefix(kBridgePrefix) : r.iif_prefix(kBridgePrefix);
          } else {
            inward ? r.oif(bridge) : r.iif(bridge);
          }
          r.counter().verdict(NF_ACCEPT);
        },
        comment_for(bridge), true);
  }
}

// Brings one chain to two rules for each bridge; an empty batch when it has them.
void write_missing(NftBatch& batch, const ForeignChain& c, const std::vector<OurRule>& rules,
                   const std::vector<std::string>& bridges) {
  for (const std::string& bridge : bridges) {
    const std::string comment = comment_for(bridge);
    const auto same = [&](const OurRule& rule) { return rule.comment == comment; };
    if (std::count_if(rules.begin(), rules.end(), same) == 2) continue;
    for (const OurRule& rule : rules) {
      if (same(rule)) batch.delete_rule(c.chain, rule.handle);
    }
    write_accept(batch, c.chain, bridge);
  }
}

Status remove_rules(const std::function<bool(const OurRule&)>& chosen) {
  NetlinkSocket& socket = *TRY(netfilter_socket());
  for (const ForeignChain& c : TRY(list_chains(socket))) {
    if (!is_ip(c) || is_ours(c) || (c.hook != NF_INET_FORWARD && c.chain != "DOCKER-USER"))
      continue;
    NftBatch batch(c.family, c.table);
    for (const OurRule& rule : TRY(our_rules_in(socket, c))) {
      if (chosen(rule)) batch.delete_rule(c.chain, rule.handle);
    }
    if (batch.empty()) continue;
    const BatchFailure failure = TRY(run_retrying(socket, batch));
    if (failure.error != 0 && failure.error != ENOENT) {
      return nft_error(failure, "removing our rules from " + c.table + " " + c.chain);
    }
  }
  return ok_status();
}

}  // namespace

Result<int> missing_foreign_accepts() {
  NetlinkSocket& socket = *TRY(netfilter_socket());
  const std::vector<std::string> bridges = TRY(bridges_to_accept());
  int missing = TRY(legacy_accept_missing(bridges)) ? 1 : 0;
  for (const ForeignChain& c : chains_to_open(TRY(list_chains(socket)))) {
    NftBatch batch(c.family, c.table);
    write_missing(batch, c, TRY(our_rules_in(socket, c)), bridges);
    if (!batch.empty()) ++missing;
  }
  return missing;
}

Status insert_foreign_accepts() {
  NetlinkSocket& socket = *TRY(netfilter_socket());
  const std::vector<std::string> bridges = TRY(bridges_to_accept());
  for (int i = 0; i < kNftAttempts; ++i) {
    const std::uint32_t seen = TRY(nft_generation(socket));
    bool again = false;
    for (const ForeignChain& c : chains_to_open(TRY(list_chains(socket)))) {
      NftBatch batch(c.family, c.table, seen);
      write_missing(batch, c, TRY(our_rules_in(socket, c)), bridges);
      if (batch.empty()) continue;
      const BatchFailure failure = TRY(run_retrying(socket, batch));
      // EPERM: the table belongs to a program (NFT_TABLE_F_OWNER) that lets nobody in;
      // missing_foreign_accepts() says so.
      if (failure.error != 0 && failure.error != EPERM && failure.error != ERESTART &&
          failure.error != ENOENT) {
        return nft_error(failure, "accepting our traffic in " + c.table + " " + c.chain);
      }
      again = failure.error != EPERM;  // our own change made a new generation: look again
      if (again) break;
    }
    if (!again) break;
  }
  return insert_legacy_accept(bridges);
}

Status remove_foreign_accepts(const std::string& bridge) {
  TRY(remove_rules([&](const OurRule& rule) { return rule.comment == comment_for(bridge); }));
  return remove_legacy_accept({bridge});
}

Status remove_foreign_accepts() {
  TRY(remove_rules([](const OurRule&) { return true; }));
  return remove_legacy_accept({""});
}

}  // namespace stack::netd
