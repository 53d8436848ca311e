#include "cli/docker/port_spec.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "cli/docker/csv.h"

namespace stack::cli::docker {

namespace {

struct Range {
  int first = 0;
  int last = 0;
  int size() const { return last - first + 1; }
};

Result<Range> range_of(const std::string& text, std::string_view what) {
  const auto port = [](std::string_view digits) {
    int value = -1;
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return ec == std::errc() && end == digits.data() + digits.size() && value >= 0 && value <= 65535
               ? value
               : -1;
  };
  const std::size_t dash = text.find('-');
  const std::string_view view = text;
  const Range out{port(view.substr(0, dash)),
                  port(dash == std::string::npos ? view : view.substr(dash + 1))};
  if (out.first < 0 || out.last < out.first)
    return Error::invalid(fmt::format("Invalid {}: {}", what, text))
        .fix("Write ports as 8080:80, 127.0.0.1:8080:80/udp or 8000-8010:80-90.");
  return out;
}

Result<std::string> take_protocol(std::string& text) {
  const std::size_t slash = text.find('/');
  std::string protocol = slash == std::string::npos ? "tcp" : text.substr(slash + 1);
  if (slash != std::string::npos) text.erase(slash);
  std::transform(protocol.begin(), protocol.end(), protocol.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp")
    return Error::invalid(fmt::format("Invalid proto: {}", protocol)).fix("Use tcp, udp or sctp.");
  return protocol;
}

Status add_binding(const std::string& spec, const std::string& ip, const std::string& host,
                   const std::string& container, const std::string& protocol, PortBindings& out) {
  if (container.empty()) return Error::invalid(fmt::format("No port specified: {}<empty>", spec));
  const Range inside = TRY(range_of(container, "containerPort"));
  if (host.empty()) {
    for (int port = inside.first; port <= inside.last; ++port)
      out[fmt::format("{}/{}", port, protocol)].push_back({ip, ""});
    return ok_status();
  }
  const Range outside = TRY(range_of(host, "hostPort"));
  if (inside.size() != outside.size() && inside.size() != 1) {
    return Error::invalid(fmt::format(
        "Invalid ranges specified for container and host Ports: {} and {}", container, host));
  }
  if (inside.size() == 1) {
    out[fmt::format("{}/{}", inside.first, protocol)].push_back(
        {ip, outside.size() == 1 ? std::to_string(outside.first) : host});
    return ok_status();
  }
  for (int i = 0; i < inside.size(); ++i)
    out[fmt::format("{}/{}", inside.first + i, protocol)].push_back(
        {ip, std::to_string(outside.first + i)});
  return ok_status();
}

Status add_long(const std::string& text, PortBindings& out) {
  std::string target;
  std::string published;
  std::string protocol = "tcp";
  for (const CsvField& field : TRY(csv_fields("publish", text))) {
    if (field.key == "target") {
      target = field.value;
    } else if (field.key == "published") {
      published = field.value;
    } else if (field.key == "protocol") {
      protocol = field.value;
    } else if (field.key != "mode") {
      return wrong_flag("publish", text, fmt::format("invalid field key {}", field.key));
    }
  }
  return add_binding(text, "", published, target, protocol, out);
}

}  // namespace

Status add_published(const std::string& text, PortBindings& out) {
  if (text.find('=') != std::string::npos) return add_long(text, out);
  std::string rest = text;
  const std::string protocol = TRY(take_protocol(rest));
  std::string ip;
  if (rest.starts_with('[')) {
    const std::size_t close = rest.find("]:");
    if (close == std::string::npos)
      return Error::invalid(fmt::format("Invalid ip address: {}", rest));
    ip = rest.substr(1, close - 1);
    rest.erase(0, close + 2);
  } else if (std::count(rest.begin(), rest.end(), ':') > 1) {
    // The last two parts are ports; an address before them may be IPv6 without brackets.
    const std::size_t colon = rest.rfind(':', rest.rfind(':') - 1);
    ip = rest.substr(0, colon);
    rest.erase(0, colon + 1);
    const bool address =
        !ip.empty() && ip.find_first_not_of("0123456789abcdefABCDEF:.") == std::string::npos;
    if (!address && !ip.empty()) return Error::invalid(fmt::format("Invalid ip address: {}", ip));
  }
  const std::size_t colon = rest.rfind(':');
  const std::string host = colon == std::string::npos ? "" : rest.substr(0, colon);
  return add_binding(text, ip, host, colon == std::string::npos ? rest : rest.substr(colon + 1),
                     protocol, out);
}

Result<std::vector<std::string>> exposed_ports(const std::string& text) {
  if (text.find(':') != std::string::npos)
    return Error::invalid(fmt::format("invalid port format for --expose: {}", text));
  std::string rest = text;
  const std::string protocol = TRY(take_protocol(rest));
  const auto range = range_of(rest, "range format for --expose");
  if (!range.ok()) return range.error();
  std::vector<std::string> out;
  for (int port = range->first; port <= range->last; ++port)
    out.push_back(fmt::format("{}/{}", port, protocol));
  return out;
}

}  // namespace stack::cli::docker
