#include "compose/probe.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "compose/json.h"

namespace stack::compose {

namespace {

const std::vector<std::string> kKinds = {"http", "tcp", "unix", "redis"};

bool is_port(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0 && port < 65536;
}

bool is_address(std::string host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    in6_addr v6{};
    return ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &v6) == 1;
  }
  in_addr v4{};
  return ::inet_pton(AF_INET, host.c_str(), &v4) == 1;
}

// "localhost:80", ":80" or "80" with the address written out.
Result<std::string> address_and_port(std::string text, const char* default_port) {
  const std::size_t colon = text.rfind(':');
  const bool bracket_last = !text.empty() && text.back() == ']';
  std::string host;
  std::string port = text;
  if (colon != std::string::npos && !bracket_last) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  } else if (default_port != nullptr && !is_port(text)) {
    host = text;
    port = default_port;
  }
  if (host.empty() || host == "localhost") host = "127.0.0.1";
  if (!is_address(host)) {
    return Error::invalid(fmt::format(
        "\"{}\" is not an IP address; names other than localhost are not resolved", host));
  }
  if (!is_port(port)) return Error::invalid(fmt::format("\"{}\" is not a port", port));
  return host + ":" + port;
}

}  // namespace

Result<std::string> probe_uri(std::string_view kind, const std::string& value) {
  if (kind == "unix") {
    if (value.empty() || value[0] != '/')
      return Error::invalid(fmt::format("\"{}\" is not an absolute path", value));
    return "unix://" + value;
  }
  if (kind != "http") return fmt::format("{}://{}", kind, TRY(address_and_port(value, nullptr)));
  std::string rest = value;
  constexpr std::string_view kScheme = "http://";
  if (rest.rfind(kScheme, 0) == 0) {
    rest = rest.substr(kScheme.size());
  } else if (rest.find("://") != std::string::npos) {
    return Error::invalid(fmt::format("\"{}\" is not an http:// address", value));
  }
  const std::size_t slash = rest.find('/');
  const std::string path = slash == std::string::npos ? "/" : rest.substr(slash);
  const bool plain =
      std::all_of(path.begin(), path.end(), [](unsigned char c) { return c > 0x20 && c != 0x7f; });
  if (!plain)
    return Error::invalid(fmt::format("the path \"{}\" has a space or a control character", path));
  const std::string host = rest.substr(0, slash);
  return "http://" + TRY(address_and_port(host.empty() ? "80" : host, "80")) + path;
}

std::string probe_of(const Healthcheck& healthcheck) {
  const auto own = healthcheck.extensions.find("x-stack");
  if (own == healthcheck.extensions.end()) return {};
  const Result<Node> value = parse_json(own->second);
  const Node* probe = value.ok() ? value->find("probe") : nullptr;
  if (probe == nullptr || probe->entries.size() != 1) return {};
  const Entry& entry = probe->entries.front();
  auto uri = probe_uri(entry.key, entry.value.text);
  return uri.ok() ? std::move(uri).value() : std::string();  // check_probe() has said why
}

void check_probe(const Entry& service, Report& report) {
  const Node* healthcheck = service.value.find("healthcheck");
  const Node* own = healthcheck == nullptr ? nullptr : healthcheck->find("x-stack");
  if (own == nullptr) return;
  const std::string at = fmt::format("services.{}.healthcheck.x-stack", service.key);
  if (!own->is_map()) return report.error(own->place, at + " must be a mapping");
  for (const Entry& e : own->entries) {
    if (e.key != "probe") {
      report.error(e.key_place, fmt::format("{}: \"{}\" is not known", at, e.key),
                   did_you_mean(e.key, {"probe"}));
      continue;
    }
    if (!e.value.is_map() || e.value.entries.size() != 1) {
      report.error(e.value.place,
                   fmt::format("{}.probe must have exactly one of http, tcp, unix, redis", at));
      continue;
    }
    const Entry& probe = e.value.entries.front();
    if (std::find(kKinds.begin(), kKinds.end(), probe.key) == kKinds.end()) {
      report.error(probe.key_place, fmt::format("{}.probe: \"{}\" is not known", at, probe.key),
                   did_you_mean(probe.key, kKinds));
      continue;
    }
    const auto uri = probe.value.is_scalar()
                         ? probe_uri(probe.key, probe.value.text)
                         : Result<std::string>(Error::invalid("one value is expected"));
    if (!uri.ok())
      report.error(probe.value.place,
                   fmt::format("{}.probe.{}: {}", at, probe.key, uri.error().message));
  }
}

}  // namespace stack::compose
