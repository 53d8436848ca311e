#include "cli/ps_format.h"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>

#include "base/go_quote.h"
#include "cli/containers.h"
#include "cli/duration_text.h"
#include "cli/json_text.h"

namespace stack::cli {

namespace {

std::string host_text(const std::string& ip) {
  return ip.find(':') != std::string::npos ? fmt::format("[{}]", ip) : ip;
}

struct PortRange {
  std::string ip;
  std::string type;
  int first = 0;
  int last = 0;

  std::string text() const {
    std::string numbers = first == last ? std::to_string(first) : fmt::format("{}-{}", first, last);
    if (!ip.empty()) numbers = fmt::format("{}:{}->{}", host_text(ip), numbers, numbers);
    return fmt::format("{}/{}", numbers, type);
  }
};

std::string joined(const std::vector<std::string>& texts, std::string_view separator) {
  std::string out;
  for (const std::string& text : texts) {
    if (!out.empty()) out += separator;
    out += text;
  }
  return out;
}

}  // namespace

std::string ports_text(std::vector<PublishedPort> ports) {
  std::sort(ports.begin(), ports.end(), [](const PublishedPort& a, const PublishedPort& b) {
    return std::tie(a.private_port, a.ip, a.public_port, a.type) <
           std::tie(b.private_port, b.ip, b.public_port, b.type);
  });
  std::vector<std::string> ranges_done;
  std::vector<std::string> mappings;
  std::vector<PortRange> open;  // one for each address and protocol
  for (const PublishedPort& port : ports) {
    if (!port.ip.empty() && port.public_port != port.private_port) {
      mappings.push_back(fmt::format("{}:{}->{}/{}", host_text(port.ip), port.public_port,
                                     port.private_port, port.type));
      continue;
    }
    const auto range = std::find_if(open.begin(), open.end(), [&port](const PortRange& r) {
      return r.ip == port.ip && r.type == port.type;
    });
    if (range == open.end()) {
      open.push_back({port.ip, port.type, port.private_port, port.private_port});
    } else if (port.private_port == range->last + 1) {
      range->last = port.private_port;
    } else if (port.private_port != range->last) {
      ranges_done.push_back(range->text());
      range->first = range->last = port.private_port;
    }
  }
  for (const PortRange& range : open) ranges_done.push_back(range.text());
  ranges_done.insert(ranges_done.end(), mappings.begin(), mappings.end());
  return joined(ranges_done, ", ");
}

Record ps_record(const Container& container, WallTime now, bool truncate) {
  const std::int64_t now_seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::string age = human_duration(std::chrono::seconds(
                              std::max<std::int64_t>(0, now_seconds - container.created))) +
                          " ago";
  std::string labels;
  for (const auto& [name, value] : container.labels)
    labels += fmt::format("{}{}={}", labels.empty() ? "" : ",", name, value);
  std::size_t local_volumes = 0;
  std::vector<std::string> mounts;
  for (const MountPoint& mount : container.mounts) {
    if (mount.driver == "local") ++local_volumes;
    const std::string& name = mount.name.empty() ? mount.source : mount.name;
    mounts.push_back(truncate ? ellipsis(name, 15) : name);
  }
  std::vector<std::string> publishers;
  std::vector<PublishedPort> ports = container.ports;
  std::sort(ports.begin(), ports.end(), [](const PublishedPort& a, const PublishedPort& b) {
    return std::tie(a.private_port, a.ip, a.public_port) <
           std::tie(b.private_port, b.ip, b.public_port);
  });
  for (const PublishedPort& port : ports) {
    publishers.push_back(JsonObject()
                             .add("URL", port.ip)
                             .add("TargetPort", port.private_port)
                             .add("PublishedPort", port.public_port)
                             .add("Protocol", port.type)
                             .text());
  }
  const std::string exit_code = std::to_string(exit_code_of(container));
  const std::string publishers_json = json_array(publishers);
  Record out;
  out.add("Command", go_quote(truncate ? ellipsis(container.command, 20) : container.command))
      .add("CreatedAt", created_at_text(container.created))
      .add("ExitCode", exit_code, exit_code)
      .add("Health", health_of(container))
      .add("ID", truncate ? container.id.substr(0, 12) : container.id)
      .add("Image", container.image)
      .add("Labels", labels)
      .add("LocalVolumes", std::to_string(local_volumes))
      .add("Mounts", joined(mounts, ","))
      .add("Name", container.name)
      .add("Names", container.name)
      .add("Networks", joined(container.networks, ","))
      .add("Ports", ports_text(container.ports))
      .add("Project", container.project())
      .add("Publishers", publishers_json, publishers_json)
      .add("RunningFor", age)
      .add("Service", container.service())
      .add("Size", human_size(static_cast<double>(container.size)))
      .add("State", container.state)
      .add("Status", container.status);
  return out;
}

std::vector<Column> ps_columns() {
  return {{"NAME", "Name"},       {"IMAGE", "Image"},        {"COMMAND", "Command"},
          {"SERVICE", "Service"}, {"CREATED", "RunningFor"}, {"STATUS", "Status"},
          {"PORTS", "Ports"}};
}

std::string restarts_text(const Container& container) {
  if (container.restarts == 0) return "";
  std::string out = ", " + std::to_string(container.restarts) +
                    (container.restarts == 1 ? " restart" : " restarts");
  if (!container.restart_reason.empty()) out += ": " + container.restart_reason;
  return out;
}

}  // namespace stack::cli
