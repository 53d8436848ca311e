#include "engine/container_etc_files.h"

#include "base/files.h"
#include "engine/container_config.h"

namespace stack::engine {

namespace {

std::vector<std::string> addresses_of(const Endpoint& endpoint) {
  std::vector<std::string> addresses;
  for (const auto& address : {endpoint.ipv4, endpoint.ipv6}) {
    if (!address.empty()) addresses.push_back(address);
  }
  return addresses;
}

NetworkIdentity identity_of(const StartJob& job) {
  NetworkIdentity identity;
  identity.hostname = hostname_of(job.container);
  identity.domainname = job.container.config.domainname;
  identity.own_resolver = job.resolver;
  for (const auto& endpoint : job.container.endpoints) {
    for (auto& address : addresses_of(endpoint))
      identity.host_addresses.push_back(std::move(address));
  }
  return identity;
}

// A host without one has no resolver.
std::string host_resolv_conf() {
  auto text = read_file("/etc/resolv.conf");
  return text.ok() ? std::move(text).value() : std::string();
}

}  // namespace

Status write_etc_files(const StartJob& job) {
  const NetworkIdentity identity = identity_of(job);
  std::string hosts = hosts_file(job.container.config, identity, job.host_gateway);
  for (const auto& line : job.link_hosts) hosts += line + "\n";
  TRY(write_file(job.directory / "hosts", hosts));
  TRY(write_file(job.directory / "hostname", identity.hostname + "\n"));
  TRY(write_file(job.directory / "resolv.conf",
                 resolv_conf(job.container.config, identity, host_resolv_conf())));
  return ok_status();
}

Status add_to_etc_files(const StartJob& job, const Endpoint& added) {
  NetworkIdentity identity = identity_of(job);
  identity.host_addresses = addresses_of(added);
  const auto hosts = job.directory / "hosts";
  const std::string known = TRY(read_file(hosts));
  TRY(write_file(hosts, known + own_host_lines(identity)));
  if (!job.resolver) return ok_status();
  const auto resolv = job.directory / "resolv.conf";
  const std::string host_text = host_resolv_conf();
  NetworkIdentity before = identity;
  before.own_resolver = false;
  if (TRY(read_file(resolv)) != resolv_conf(job.container.config, before, host_text))
    return ok_status();
  return write_file(resolv, resolv_conf(job.container.config, identity, host_text));
}

Status remove_from_etc_files(const std::filesystem::path& directory, const Endpoint& gone) {
  const auto hosts = directory / "hosts";
  const std::string before = TRY(read_file(hosts));
  const std::string after = without_host_lines(before, addresses_of(gone));
  return before == after ? ok_status() : write_file(hosts, after);
}

}  // namespace stack::engine
