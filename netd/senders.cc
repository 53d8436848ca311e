#include "netd/senders.h"

#include <cerrno>

#include "netd/firewall.h"
#include "netd/sender_rules.h"

namespace stack::netd {

namespace {

Result<SetElements> elements_of(const std::vector<Sender>& senders) {
  SetElements all;
  for (const Sender& sender : senders) merge(all, TRY(sender_elements(sender)));
  return all;
}

// The kernel has no chains for bridges: then there is no guard, as with Docker.
bool unsupported(const Status& status) {
  if (status.ok()) return false;
  const int error = status.error().os_errno;
  return error == EOPNOTSUPP || error == EAFNOSUPPORT || error == EPROTONOSUPPORT ||
         error == ENOENT;
}

}  // namespace

Status guard_senders(const std::vector<Sender>& senders) {
  if (senders.empty()) return ok_status();
  Status added = add_firewall_elements(sender_table(), TRY(elements_of(senders)));
  return unsupported(added) ? ok_status() : std::move(added);
}

Status forget_senders(const std::vector<Sender>& senders) {
  if (senders.empty()) return ok_status();
  return remove_firewall_elements(sender_table(), TRY(elements_of(senders)));
}

Status restore_senders(const std::vector<Sender>& senders) {
  if (senders.empty() && TRY(table_state(sender_table())) == TableState::kAbsent)
    return ok_status();
  Status replaced = replace_table(sender_table(), TRY(elements_of(senders)));
  if (unsupported(replaced)) return ok_status();
  TRY(replaced);
  (void)TRY(remove_table_if_unused(sender_table()));
  return ok_status();
}

}  // namespace stack::netd
