// The short form of services.*.ports: Compose Specification, "Ports, short syntax".
#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "compose/canonical.h"

namespace stack::compose {
namespace {

struct Range {
  int first = 0;
  int last = 0;
  int size() const { return last - first + 1; }
};

std::optional<int> port_number(std::string_view t) {
  int value = 0;
  const auto r = std::from_chars(t.data(), t.data() + t.size(), value);
  if (t.empty() || r.ec != std::errc() || r.ptr != t.data() + t.size() || value < 0 ||
      value > 65535) {
    return std::nullopt;
  }
  return value;
}

std::optional<Range> port_range(std::string_view t) {
  const std::size_t dash = t.find('-');
  const auto first = port_number(t.substr(0, dash));
  if (!first) return std::nullopt;
  if (dash == std::string_view::npos) return Range{*first, *first};
  const auto last = port_number(t.substr(dash + 1));
  if (!last || *last < *first) return std::nullopt;
  return Range{*first, *last};
}

bool is_address(const std::string& t) {
  unsigned char buffer[16];
  return ::inet_pton(AF_INET, t.c_str(), buffer) == 1 ||
         ::inet_pton(AF_INET6, t.c_str(), buffer) == 1;
}

struct ShortPort {
  std::string ip;
  std::string host;
  std::string container;
  std::string protocol = "tcp";
};

// Splits at the colons; an IPv6 address stands in brackets.
std::optional<std::string> split(std::string text, ShortPort& out) {
  if (const std::size_t slash = text.rfind('/'); slash != std::string::npos) {
    std::string protocol = text.substr(slash + 1);
    text.erase(slash);
    std::transform(protocol.begin(), protocol.end(), protocol.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (!protocol.empty()) out.protocol = protocol;
    if (out.protocol != "tcp" && out.protocol != "udp" && out.protocol != "sctp") {
      return "Invalid proto: " + out.protocol;
    }
  }
  const std::size_t last = text.rfind(':');
  out.container = last == std::string::npos ? text : text.substr(last + 1);
  if (out.container.empty()) return fmt::format("No port specified: {}<empty>", text);
  if (last == std::string::npos) return std::nullopt;
  text.erase(last);
  const std::size_t before = text.rfind(':');
  out.host = before == std::string::npos ? text : text.substr(before + 1);
  if (before == std::string::npos) return std::nullopt;
  out.ip = text.substr(0, before);
  if (out.ip.size() >= 2 && out.ip.front() == '[' && out.ip.back() == ']') {
    out.ip = out.ip.substr(1, out.ip.size() - 2);
  } else if (out.ip.find(':') != std::string::npos) {
    return fmt::format("Invalid ip address {}: address {}: too many colons in address", out.ip,
                       out.ip + ":");
  }
  if (!out.ip.empty() && !is_address(out.ip)) return "Invalid ip address: " + out.ip;
  return std::nullopt;
}

Node make_port(const ShortPort& p, int target, const std::string& published, Place at) {
  Node n = Node::map(at);
  n.set("mode", Node::string("ingress", at));
  if (!p.ip.empty()) n.set("host_ip", Node::string(p.ip, at));
  n.set("target", Node::integer(target, at));
  if (!published.empty()) n.set("published", Node::string(published, at));
  n.set("protocol", Node::string(p.protocol, at));
  return n;
}

std::optional<std::string> expand(const ShortPort& p, Place at, std::vector<Node>& out) {
  const auto container = port_range(p.container);
  if (!container) return "Invalid containerPort: " + p.container;
  out.reserve(out.size() + static_cast<std::size_t>(container->size()));
  if (p.host.empty()) {
    for (int t = container->first; t <= container->last; ++t)
      out.push_back(make_port(p, t, "", at));
    return std::nullopt;
  }
  const auto host = port_range(p.host);
  if (!host) return "Invalid hostPort: " + p.host;
  if (container->size() == 1 && host->size() > 1) {
    // One container port behind a range: the engine picks a free one.
    out.push_back(
        make_port(p, container->first, fmt::format("{}-{}", host->first, host->last), at));
    return std::nullopt;
  }
  if (container->size() != host->size()) {
    return fmt::format("Invalid ranges specified for container and host Ports: {} and {}", p.host,
                       p.container);
  }
  for (int i = 0; i < container->size(); ++i) {
    out.push_back(make_port(p, container->first + i, std::to_string(host->first + i), at));
  }
  return std::nullopt;
}

}  // namespace

std::vector<Node> parse_port(const Node& item, const Path& path, Report& report) {
  std::vector<Node> out;
  ShortPort p;
  auto failure = split(item.text, p);
  if (!failure) failure = expand(p, item.place, out);
  if (failure) {
    report.error(item.place, fmt::format("{}: {}", path.text(), *failure),
                 "a port is [[IP:][HOST]:]CONTAINER[/PROTOCOL], for example \"8080:80\"");
    out.clear();
  }
  return out;
}

}  // namespace stack::compose
