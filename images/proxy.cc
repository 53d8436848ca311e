#include "images/proxy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace stack::images {
namespace {

std::string variable(const char* upper, const char* lower) {
  for (const char* name : {upper, lower}) {
    if (const char* value = ::getenv(name); value != nullptr && *value != '\0') return value;
  }
  return "";
}

std::optional<std::uint32_t> ipv4(const std::string& text) {
  in_addr address{};
  if (::inet_pton(AF_INET, text.c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

std::string trimmed_lower(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return "";
  std::string out(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool excludes(const std::string& rule, const std::string& host, int port) {
  if (rule == "*") return true;
  if (in_cidr(host, rule)) return true;
  const HostPort wanted = host_port(rule);
  if (wanted.port != 0 && wanted.port != port) return false;
  std::string name = wanted.host;
  if (name.starts_with("*.")) name = name.substr(1);
  if (name.starts_with('.')) return host.ends_with(name);
  return host == name || host.ends_with("." + name);
}

}  // namespace

ProxySettings ProxySettings::of_environment() {
  return {variable("HTTP_PROXY", "http_proxy"), variable("HTTPS_PROXY", "https_proxy"),
          variable("NO_PROXY", "no_proxy")};
}

HostPort host_port(std::string_view url) {
  if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos)
    url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (const std::size_t at = url.rfind('@'); at != std::string_view::npos)
    url.remove_prefix(at + 1);
  HostPort out;
  std::string_view port;
  if (url.starts_with('[')) {
    const std::size_t close = std::min(url.find(']'), url.size() - 1);
    out.host = url.substr(1, close - 1);
    if (url.substr(close + 1).starts_with(':')) port = url.substr(close + 2);
  } else if (const std::size_t colon = url.rfind(':');
             colon != std::string_view::npos && url.find(':') == colon) {
    out.host = url.substr(0, colon);
    port = url.substr(colon + 1);
  } else {
    out.host = url;
  }
  out.port = std::atoi(std::string(port).c_str());
  return out;
}

namespace {

// What a URL leads to: the port is that of its scheme when none is written.
HostPort target_of(std::string_view url) {
  HostPort out = host_port(url);
  out.host = trimmed_lower(out.host);
  if (out.port == 0) out.port = url.starts_with("https://") ? 443 : 80;
  return out;
}

}  // namespace

bool same_origin(std::string_view a, std::string_view b) {
  const HostPort one = target_of(a);
  const HostPort other = target_of(b);
  return a.starts_with("https://") == b.starts_with("https://") && one.host == other.host &&
         one.port == other.port;
}

bool in_cidr(const std::string& address, const std::string& cidr) {
  const std::size_t slash = cidr.find('/');
  if (slash == std::string::npos) return false;
  const auto network = ipv4(cidr.substr(0, slash));
  const auto found = ipv4(address);
  if (!network || !found) return false;
  const int bits = std::atoi(cidr.c_str() + slash + 1);
  if (bits < 0 || bits > 32) return false;
  const std::uint32_t mask = bits == 0 ? 0 : ~std::uint32_t{0} << (32 - bits);
  return (*network & mask) == (*found & mask);
}

std::string proxy_for(const std::string& url, const ProxySettings& settings) {
  const bool tls = url.starts_with("https://");
  const std::string& proxy = tls ? settings.https : settings.http;
  if (proxy.empty()) return "";
  const HostPort target = target_of(url);
  if (target.host == "localhost" || target.host == "::1" || in_cidr(target.host, "127.0.0.0/8"))
    return "";
  std::string_view rules = settings.no_proxy;
  while (!rules.empty()) {
    const std::size_t comma = std::min(rules.find(','), rules.size());
    const std::string rule = trimmed_lower(rules.substr(0, comma));
    if (!rule.empty() && excludes(rule, target.host, target.port)) return "";
    rules.remove_prefix(std::min(comma + 1, rules.size()));
  }
  return proxy;
}

}  // namespace stack::images
