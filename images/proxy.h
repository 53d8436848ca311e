// Which HTTP proxy a URL goes through, by the rules of Docker's programs (Go's httpproxy). Pure,
// but for reading the environment.
#pragma once

#include <string>

namespace stack::images {

struct ProxySettings {
  std::string http;      // for http:// URLs; "host:port" or a URL; empty: none
  std::string https;     // for https:// URLs
  std::string no_proxy;  // comma separated: host, .domain, host:port, address, CIDR, *

  // HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or their lower-case forms.
  static ProxySettings of_environment();
  bool operator==(const ProxySettings&) const = default;
};

// Empty: directly. Loopback addresses and localhost never go through a proxy.
std::string proxy_for(const std::string& url, const ProxySettings& settings);

// Host and port of a URL or of "host:port"; brackets of IPv6 addresses are taken off. The port is 0
// when none is written.
struct HostPort {
  std::string host;
  int port = 0;
};
HostPort host_port(std::string_view url);
// Whether two http(s) URLs have the same scheme, host and port.
bool same_origin(std::string_view a, std::string_view b);
// Whether an IPv4 address in text lies in a CIDR in text; false for anything else.
bool in_cidr(const std::string& address, const std::string& cidr);

}  // namespace stack::images
