#include "netd/firewall.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <optional>

#include "base/fd.h"
#include "netd/nft_transaction.h"

namespace stack::netd {

namespace {

Result<std::vector<Element>> list_set(NetlinkSocket& socket, const Table& table,
                                      const std::string& set) {
  std::vector<Element> out;
  NetlinkBatch batch;
  begin_nft_request(batch, NFT_MSG_GETSETELEM, NLM_F_DUMP, table.family);
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

// The mark of the rule set that the table was made with; nothing when there is no table.
Result<std::optional<std::string>> find_table(NetlinkSocket& socket, const Table& table) {
  NetlinkBatch question;
  begin_nft_request(question, NFT_MSG_GETTABLE, 0, table.family);
  question.put_string(NFTA_TABLE_NAME, kTable);
  question.end();
  std::string mark;
  const int error = TRY(socket.request(question, [&](const nlmsghdr& m) {
    const Attribute data = find_attribute<nfgenmsg>(m, NFTA_TABLE_USERDATA);
    if (data.size > 2) mark = Attribute{data.data + 2, data.size - 2}.text();
  }));
  if (error == ENOENT) return std::optional<std::string>();
  if (error != 0) return Error::os(error, "looking for the firewall table");
  return std::optional(std::move(mark));
}

}  // namespace

Status add_firewall_elements(const Table& table, const SetElements& elements) {
  if (elements.empty()) return ok_status();
  NetlinkSocket& socket = *TRY(netfilter_socket());
  for (int i = 0; i < kNftAttempts; ++i) {
    // Looking is cheap; a transaction that the kernel must take back costs it a grace period.
    const bool there = TRY(find_table(socket, table)).has_value();
    NftBatch add(table.family, kTable);
    if (!there) write_table(add, table, false);
    write_elements(add, elements);
    const BatchFailure failure = TRY(run_retrying(socket, add));
    if (failure.error == 0) return ok_status();
    if (there && (failure.error == EEXIST || failure.error == EBUSY))
      return Error::conflict("the firewall has another entry for the same address");
    // Else another thread was faster in making the table, or in removing it.
    if (failure.error != (there ? ENOENT : EEXIST))
      return nft_error(failure, there ? "adding firewall entries" : "creating the firewall table");
  }
  return Error::make(ErrorKind::kOs, "the firewall table keeps vanishing");
}

Status remove_firewall_elements(const Table& table, const SetElements& elements) {
  NetlinkSocket& socket = *TRY(netfilter_socket());
  NftBatch all(table.family, kTable);
  erase_elements(all, elements);
  if (all.empty() || !TRY(find_table(socket, table))) return ok_status();
  BatchFailure failure = TRY(run_retrying(socket, all));
  if (failure.error == 0) return ok_status();
  if (failure.error != ENOENT) return nft_error(failure, "removing firewall entries");
  // Something is gone already and the kernel took back the whole transaction: keep to what is
  // there.
  SetElements present;
  for (const auto& [set, list] : elements) {
    const std::vector<Element> now = TRY(list_set(socket, table, set));
    for (const Element& e : list) {
      const bool there = std::any_of(now.begin(), now.end(), [&](const Element& n) {
        return n.key == e.key && n.interval_end == e.interval_end;
      });
      if (there) present[set].push_back(e);
    }
  }
  NftBatch rest(table.family, kTable);
  erase_elements(rest, present);
  if (rest.empty()) return ok_status();
  failure = TRY(run_retrying(socket, rest));
  if (failure.error != 0 && failure.error != ENOENT)
    return nft_error(failure, "removing firewall entries");
  return ok_status();
}

Status replace_firewall_elements(const Table& table, const SetElements& old_ones,
                                 const SetElements& new_ones) {
  NetlinkSocket& socket = *TRY(netfilter_socket());
  NftBatch both(table.family, kTable);
  erase_elements(both, old_ones);
  write_elements(both, new_ones);
  if (both.empty()) return ok_status();
  const BatchFailure failure = TRY(run_retrying(socket, both));
  if (failure.error == 0) return ok_status();
  if (failure.error != ENOENT) return nft_error(failure, "replacing firewall entries");
  // Some of the old ones are gone already: then there is no moment to save.
  TRY(remove_firewall_elements(table, old_ones));
  return add_firewall_elements(table, new_ones);
}

Result<bool> remove_table_if_unused(const Table& table) {
  NetlinkSocket& socket = *TRY(netfilter_socket());
  for (int i = 0; i < kNftAttempts; ++i) {
    // The generation guards against a network that appears between looking and deleting.
    const std::uint32_t seen = TRY(nft_generation(socket));
    if (!TRY(find_table(socket, table))) return true;
    if (!TRY(list_set(socket, table, table.in_use)).empty()) return false;
    NftBatch batch(table.family, kTable, seen);
    batch.delete_table();
    const BatchFailure failure = TRY(run_retrying(socket, batch));
    if (failure.error == 0 || failure.error == ENOENT) return true;
    if (failure.error != ERESTART) return nft_error(failure, "removing the firewall table");
  }
  return false;
}

Status replace_table(const Table& table, const SetElements& elements) {
  NetlinkSocket& socket = *TRY(netfilter_socket());
  NftBatch batch(table.family, kTable);
  write_table(batch, table, true);
  write_elements(batch, elements);
  const BatchFailure failure = TRY(run_retrying(socket, batch));
  if (failure.error != 0) return nft_error(failure, "restoring the firewall table");
  return ok_status();
}

Result<std::vector<Element>> list_elements(const Table& table, const std::string& set) {
  NetlinkSocket& socket = *TRY(netfilter_socket());
  return list_set(socket, table, set);
}

Result<TableState> table_state(const Table& table) {
  NetlinkSocket& socket = *TRY(netfilter_socket());
  const auto mark = TRY(find_table(socket, table));
  if (!mark) return TableState::kAbsent;
  if (*mark != kRuleSetMark) return TableState::kBroken;
  // `nft flush table` leaves chains without rules; each chain counts its rules as uses.
  for (const char* chain : table.chains) {
    NetlinkBatch batch;
    begin_nft_request(batch, NFT_MSG_GETCHAIN, 0, table.family);
    batch.put_string(NFTA_CHAIN_TABLE, kTable);
    batch.put_string(NFTA_CHAIN_NAME, chain);
    batch.end();
    std::uint32_t rules = 0;
    const int error = TRY(socket.request(batch, [&](const nlmsghdr& m) {
      rules = find_attribute<nfgenmsg>(m, NFTA_CHAIN_USE).be32();
    }));
    if (error != 0 || rules == 0) return TableState::kBroken;
  }
  return TableState::kComplete;
}

Status install_resolver_rules() {
  NetlinkSocket socket = TRY(NetlinkSocket::open_netfilter());
  NetlinkBatch batch = resolver_rules();
  return socket.transact(batch, "redirecting 127.0.0.11:53 in the container's namespace");
}

}  // namespace stack::netd
