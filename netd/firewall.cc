#include "netd/firewall.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>

#include "base/fd.h"
#include "netd/legacy_iptables.h"

namespace stack::netd {

namespace {

constexpr int kAttempts = 20;

void begin_request(NetlinkBatch& batch, int message, std::uint16_t flags, std::uint8_t family) {
  nfgenmsg header{};
  header.nfgen_family = family;
  header.version = NFNETLINK_V0;
  batch.begin(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message), flags, header);
}

// EAGAIN and EINTR mean that another transaction came between: ask again.
Result<BatchFailure> run_retrying(NetlinkSocket& socket, NftBatch& batch) {
  NetlinkBatch& bytes = batch.finish();
  BatchFailure failure;
  for (int i = 0; i < kAttempts; ++i) {
    failure = TRY(socket.run(bytes));
    if (failure.error != EAGAIN && failure.error != EINTR) break;
  }
  return failure;
}

Error firewall_error(const BatchFailure& failure, const std::string& what) {
  Error error = Error::os(
      failure.error, what + " (message " + std::to_string(failure.sequence) + " of the batch)");
  if (failure.error == EOPNOTSUPP || failure.error == EPROTONOSUPPORT || failure.error == EINVAL) {
    return std::move(error).fix(
        "The kernel needs nf_tables with inet NAT (CONFIG_NF_TABLES_INET, CONFIG_NFT_NAT, Linux "
        "5.2).");
  }
  return error;
}

struct ForeignChain {
  std::uint8_t family = 0;
  std::string table;
  std::string chain;
  std::uint32_t hook = NF_INET_NUMHOOKS;  // not a base chain
  bool drops = false;

  bool operator==(const ForeignChain&) const = default;
};

Result<std::vector<ForeignChain>> list_chains(NetlinkSocket& socket) {
  std::vector<ForeignChain> out;
  NetlinkBatch batch;
  begin_request(batch, NFT_MSG_GETCHAIN, NLM_F_DUMP, NFPROTO_UNSPEC);
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

Result<std::vector<std::uint64_t>> our_rules_in(NetlinkSocket& socket, const ForeignChain& c) {
  std::vector<std::uint64_t> handles;
  NetlinkBatch batch;
  begin_request(batch, NFT_MSG_GETRULE, NLM_F_DUMP, c.family);
  batch.put_string(NFTA_RULE_TABLE, c.table);
  batch.put_string(NFTA_RULE_CHAIN, c.chain);
  batch.end();
  const int error = TRY(socket.request(batch, [&](const nlmsghdr& m) {
    const Attribute data = find_attribute<nfgenmsg>(m, NFTA_RULE_USERDATA);
    const std::string ours = kForeignComment;
    if (data.size < 2 ||
        std::string(data.data + 2, ::strnlen(data.data + 2, data.size - 2)) != ours)
      return;
    const Attribute handle = find_attribute<nfgenmsg>(m, NFTA_RULE_HANDLE);
    std::uint64_t value = 0;
    if (handle.size >= sizeof value) std::memcpy(&value, handle.data, sizeof value);
    handles.push_back(__builtin_bswap64(value));
  }));
  if (error != 0 && error != ENOENT)
    return Error::os(error, "listing rules of " + c.table + " " + c.chain);
  return handles;
}

// The generation changes with every transaction of anybody.
Result<std::uint32_t> generation(NetlinkSocket& socket) {
  NetlinkBatch batch;
  begin_request(batch, NFT_MSG_GETGEN, 0, NFPROTO_UNSPEC);
  batch.end();
  std::uint32_t id = 0;
  const int error = TRY(socket.request(
      batch, [&](const nlmsghdr& m) { id = find_attribute<nfgenmsg>(m, NFTA_GEN_ID).be32(); }));
  if (error != 0) return Error::os(error, "asking for the firewall's generation");
  return id;
}

Result<std::vector<Element>> list_set(NetlinkSocket& socket, const std::string& set) {
  std::vector<Element> out;
  NetlinkBatch batch;
  begin_request(batch, NFT_MSG_GETSETELEM, NLM_F_DUMP, NFPROTO_INET);
  batch.put_string(NFTA_SET_ELEM_LIST_TABLE, kTable);
  batch.put_string(NFTA_SET_ELEM_LIST_SET, set);
  batch.end();
  const int error = TRY(socket.request(batch, [&](const nlmsghdr& m) {
    for_each_attribute(find_attribute<nfgenmsg>(m, NFTA_SET_ELEM_LIST_ELEMENTS),
                       [&](std::uint16_t, const Attribute& a) {
                         Element e;
                         const Attribute key =
                             find_attribute(find_attribute(a, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
                         const Attribute data =
                             find_attribute(find_attribute(a, NFTA_SET_ELEM_DATA), NFTA_DATA_VALUE);
                         if (key) e.key.assign(key.data, key.size);
                         if (data) e.data.assign(data.data, data.size);
                         e.interval_end = (find_attribute(a, NFTA_SET_ELEM_FLAGS).be32() &
                                           NFT_SET_ELEM_INTERVAL_END) != 0;
                         out.push_back(std::move(e));
                       });
  }));
  if (error != 0 && error != ENOENT) return Error::os(error, "listing the firewall set " + set);
  return out;
}

}  // namespace

Status add_firewall_elements(const SetElements& elements) {
  NetlinkSocket socket = TRY(NetlinkSocket::open_netfilter());
  for (int i = 0; i < kAttempts; ++i) {
    NftBatch add(NFPROTO_INET, kTable);
    write_elements(add, elements);
    if (add.empty()) return ok_status();
    BatchFailure failure = TRY(run_retrying(socket, add));
    if (failure.error == 0) return ok_status();
    if (failure.error == EEXIST || failure.error == EBUSY) {
      return Error::conflict("the firewall has another entry for the same address");
    }
    if (failure.error != ENOENT) return firewall_error(failure, "adding firewall entries");
    NftBatch create(NFPROTO_INET, kTable);
    write_table(create, false);
    write_elements(create, elements);
    failure = TRY(run_retrying(socket, create));
    if (failure.error == 0) return ok_status();
    if (failure.error != EEXIST) return firewall_error(failure, "creating the firewall table");
    // Another thread was faster: its table takes our elements.
  }
  return Error::make(ErrorKind::kOs, "the firewall table keeps vanishing");
}

Status remove_firewall_elements(const SetElements& elements) {
  NetlinkSocket socket = TRY(NetlinkSocket::open_netfilter());
  NftBatch all(NFPROTO_INET, kTable);
  erase_elements(all, elements);
  if (all.empty()) return ok_status();
  BatchFailure failure = TRY(run_retrying(socket, all));
  if (failure.error == 0) return ok_status();
  if (failure.error != ENOENT) return firewall_error(failure, "removing firewall entries");
  // Something is gone already and the kernel took back the whole transaction: keep to what is
  // there.
  SetElements present;
  for (const auto& [set, list] : elements) {
    const std::vector<Element> now = TRY(list_set(socket, set));
    for (const Element& e : list) {
      const bool there = std::any_of(now.begin(), now.end(), [&](const Element& n) {
        return n.key == e.key && n.interval_end == e.interval_end;
      });
      if (there) present[set].push_back(e);
    }
  }
  NftBatch rest(NFPROTO_INET, kTable);
  erase_elements(rest, present);
  if (rest.empty()) return ok_status();
  failure = TRY(run_retrying(socket, rest));
  if (failure.error != 0 && failure.error != ENOENT)
    return firewall_error(failure, "removing firewall entries");
  return ok_status();
}

Status replace_firewall_elements(const SetElements& old_ones, const SetElements& new_ones) {
  NetlinkSocket socket = TRY(NetlinkSocket::open_netfilter());
  NftBatch both(NFPROTO_INET, kTable);
  erase_elements(both, old_ones);
  write_elements(both, new_ones);
  if (both.empty()) return ok_status();
  const BatchFailure failure = TRY(run_retrying(socket, both));
  if (failure.error == 0) return ok_status();
  if (failure.error != ENOENT) return firewall_error(failure, "replacing firewall entries");
  // Some of the old ones are gone already: then there is no moment to save.
  TRY(remove_firewall_elements(old_ones));
  return add_firewall_elements(new_ones);
}

Result<bool> remove_table_if_unused() {
  NetlinkSocket socket = TRY(NetlinkSocket::open_netfilter());
  for (int i = 0; i < kAttempts; ++i) {
    // The generation guards against a network that appears between looking and deleting.
    const std::uint32_t seen = TRY(generation(socket));
    if (!TRY(list_set(socket, "bridges")).empty()) return false;
    NftBatch batch(NFPROTO_INET, kTable, seen);
    batch.delete_table();
    const BatchFailure failure = TRY(run_retrying(socket, batch));
    if (failure.error == 0 || failure.error == ENOENT) return true;
    if (failure.error != ERESTART) return firewall_error(failure, "removing the firewall table");
  }
  return false;
}

Status replace_table(const SetElements& elements) {
  NetlinkSocket socket = TRY(NetlinkSocket::open_netfilter());
  NftBatch batch(NFPROTO_INET, kTable);
  write_table(batch, true);
  write_elements(batch, elements);
  const BatchFailure failure = TRY(run_retrying(socket, batch));
  if (failure.error != 0) return firewall_error(failure, "restoring the firewall table");
  return ok_status();
}

Result<std::vector<Element>> list_elements(const std::string& set) {
  NetlinkSocket socket = TRY(NetlinkSocket::open_netfilter());
  return list_set(socket, set);
}

Result<TableState> table_state() {
  NetlinkSocket socket = TRY(NetlinkSocket::open_netfilter());
  NetlinkBatch table;
  begin_request(table, NFT_MSG_GETTABLE, 0, NFPROTO_INET);
  table.put_string(NFTA_TABLE_NAME, kTable);
  table.end();
  std::string mark;
  int error = TRY(socket.request(table, [&](const nlmsghdr& m) {
    const Attribute data = find_attribute<nfgenmsg>(m, NFTA_TABLE_USERDATA);
    if (data.size > 2) mark = Attribute{data.data + 2, data.size - 2}.text();
  }));
  if (error == ENOENT) return TableState::kAbsent;
  if (error != 0) return Error::os(error, "looking for the firewall table");
  if (mark != kRuleSetMark) return TableState::kBroken;
  // `nft flush table` leaves chains without rules; each chain counts its rules as uses.
  for (const char* chain :
       {"guard", "published", "published_local", "leaving", "forward", "input"}) {
    NetlinkBatch batch;
    begin_request(batch, NFT_MSG_GETCHAIN, 0, NFPROTO_INET);
    batch.put_string(NFTA_CHAIN_TABLE, kTable);
    batch.put_string(NFTA_CHAIN_NAME, chain);
    batch.end();
    std::uint32_t rules = 0;
    error = TRY(socket.request(batch, [&](const nlmsghdr& m) {
      rules = find_attribute<nfgenmsg>(m, NFTA_CHAIN_USE).be32();
    }));
    if (error != 0 || rules == 0) return TableState::kBroken;
  }
  return TableState::kComplete;
}

Result<int> missing_foreign_accepts() {
  NetlinkSocket socket = TRY(NetlinkSocket::open_netfilter());
  int missing = TRY(legacy_accept_missing()) ? 1 : 0;
  const std::vector<ForeignChain> all = TRY(list_chains(socket));
  for (const ForeignChain& c : chains_to_open(all)) {
    if (TRY(our_rules_in(socket, c)).size() < 2) ++missing;
  }
  return missing;
}

Status insert_foreign_accepts() {
  NetlinkSocket socket = TRY(NetlinkSocket::open_netfilter());
  for (int i = 0; i < kAttempts; ++i) {
    const std::uint32_t seen = TRY(generation(socket));
    bool again = false;
    const std::vector<ForeignChain> all = TRY(list_chains(socket));
    for (const ForeignChain& c : chains_to_open(all)) {
      const std::vector<std::uint64_t> old = TRY(our_rules_in(socket, c));
      if (old.size() == 2) continue;
      NftBatch batch(c.family, c.table, seen);
      for (const std::uint64_t handle : old) batch.delete_rule(c.chain, handle);
      write_foreign_accept(batch, c.chain);
      const BatchFailure failure = TRY(run_retrying(socket, batch));
      // EPERM: the table belongs to a program (NFT_TABLE_F_OWNER) that lets nobody in;
      // missing_foreign_accepts() says so.
      if (failure.error != 0 && failure.error != EPERM && failure.error != ERESTART &&
          failure.error != ENOENT) {
        return firewall_error(failure, "accepting our traffic in " + c.table + " " + c.chain);
      }
      again = failure.error != EPERM;  // our own change made a new generation: look again
      if (again) break;
    }
    if (!again) break;
  }
  return insert_legacy_accept();
}

Status remove_foreign_accepts() {
  NetlinkSocket socket = TRY(NetlinkSocket::open_netfilter());
  for (const ForeignChain& c : TRY(list_chains(socket))) {
    if (!is_ip(c) || is_ours(c) || (c.hook != NF_INET_FORWARD && c.chain != "DOCKER-USER"))
      continue;
    const std::vector<std::uint64_t> handles = TRY(our_rules_in(socket, c));
    if (handles.empty()) continue;
    NftBatch batch(c.family, c.table);
    for (const std::uint64_t handle : handles) batch.delete_rule(c.chain, handle);
    const BatchFailure failure = TRY(run_retrying(socket, batch));
    if (failure.error != 0 && failure.error != ENOENT) {
      return firewall_error(failure, "removing our rules from " + c.table + " " + c.chain);
    }
  }
  return remove_legacy_accept();
}

Status install_resolver_rules() {
  NetlinkSocket socket = TRY(NetlinkSocket::open_netfilter());
  NetlinkBatch batch = resolver_rules();
  return socket.transact(batch, "redirecting 127.0.0.11:53 in the container's namespace");
}

}  // namespace stack::netd
