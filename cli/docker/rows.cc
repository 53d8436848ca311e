#include "cli/docker/rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include "base/go_quote.h"
#include "cli/docker/support.h"
#include "cli/duration_text.h"
#include "cli/ps_format.h"
#include "cli/registry_client.h"

namespace stack::cli::docker {

namespace {

std::string size_text(JsonView number) {
  const auto bytes = number.number();
  return number.exists() && bytes >= 0 ? human_size(static_cast<double>(bytes)) : "N/A";
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ",") + text;
  return out;
}

Record image_row(JsonView image, const std::string& name, const std::string& tag,
                 const std::string& digest, bool truncate, WallTime now) {
  const std::string id = image.text("Id");
  const std::int64_t created = image.number("Created");
  Record out;
  const std::int64_t containers = image.number("Containers");
  out.add("Containers", containers >= 0 ? std::to_string(containers) : "N/A")
      .add("CreatedAt", created_at_text(created))
      .add("CreatedSince", age_text(created, now))
      .add("Digest", digest.empty() ? "<none>" : digest)
      .add("ID", truncate ? short_id(id) : id)
      .add("Repository", name)
      .add("SharedSize", size_text(image["SharedSize"]))
      .add("Size", human_size(static_cast<double>(image.number("Size"))))
      .add("Tag", tag)
      .add("UniqueSize",
           image["SharedSize"].exists() && image.number("SharedSize") >= 0
               ? human_size(static_cast<double>(image.number("Size") - image.number("SharedSize")))
               : "N/A")
      .add("VirtualSize", human_size(static_cast<double>(image.number("Size")), 4));
  return out;
}

}  // namespace

std::string age_text(std::int64_t unix_seconds, WallTime now) {
  if (unix_seconds <= 0) return "N/A";
  const auto age = now - std::chrono::system_clock::from_time_t(unix_seconds);
  return human_duration(std::max(Duration(age), Duration(0))) + " ago";
}

std::vector<Column> all_titles(std::vector<Column> columns) {
  for (const Column& more :
       {Column{"CREATED AT", "CreatedAt"}, Column{"CREATED", "CreatedSince"},
        Column{"LOCAL VOLUMES", "LocalVolumes"}, Column{"SHARED SIZE", "SharedSize"},
        Column{"UNIQUE SIZE", "UniqueSize"}, Column{"DIGEST", "Digest"},
        Column{"MOUNTPOINT", "Mountpoint"}, Column{"VOLUME NAME", "Name"},
        Column{"CREATED BY", "CreatedBy"}}) {
    const bool known = std::any_of(columns.begin(), columns.end(), [&more](const Column& column) {
      return column.field == more.field;
    });
    if (!known) columns.push_back(more);
  }
  return columns;
}

Result<std::string> render_rows(const Arguments& args, std::string_view id_field,
                                const std::vector<Column>& columns,
                                const std::vector<Record>& records) {
  const std::string format = args.text("format");
  const bool plain = format.empty() || format == "table";
  if (args.on("quiet") && plain) {
    std::string ids;
    for (const Record& record : records) {
      const std::string line = record.find(id_field)->text + '\n';
      if (!ids.ends_with('\n' + line) && ids != line)
        ids += line;  // an image with several tags is shown once
    }
    return ids;
  }
  return render_list(format, plain ? columns : all_titles(columns), records, 10);
}

Record container_row(JsonView container, bool truncate, WallTime now) {
  const std::int64_t created = container.number("Created");
  const std::string command = container.text("Command");
  std::vector<PublishedPort> ports;
  for (const JsonView port : container["Ports"].items()) {
    ports.push_back({port.text("IP"), static_cast<int>(port.number("PrivatePort")),
                     static_cast<int>(port.number("PublicPort")), port.text("Type")});
  }
  std::vector<std::string> names;
  for (std::string name : container["Names"].texts()) {
    if (name.starts_with('/')) name.erase(0, 1);
    // A name with a slash is an alias by which another container links to this one.
    if (!truncate || name.find('/') == std::string::npos) names.push_back(std::move(name));
  }
  std::int64_t local_volumes = 0;
  std::vector<std::string> mounts;
  for (const JsonView mount : container["Mounts"].items()) {
    if (mount.text("Driver") == "local") ++local_volumes;
    const std::string name = mount.text("Name").empty() ? mount.text("Source") : mount.text("Name");
    mounts.push_back(truncate ? ellipsis(name, 15) : name);
  }
  std::vector<std::string> networks;
  for (const auto& [name, unused] : container["NetworkSettings"]["Networks"].members())
    networks.push_back(name);
  std::string size = human_size(static_cast<double>(container.number("SizeRw")));
  if (const auto whole = container.number("SizeRootFs"); whole > 0)
    size += fmt::format(" (virtual {})", human_size(static_cast<double>(whole)));
  const JsonView platform = container["ImageManifestDescriptor"]["platform"];
  const std::string image = container.text("Image");
  Record out;
  out.labels = container["Labels"].text_map();
  out.add("Command", go_quote(truncate ? ellipsis(command, 20) : command))
      .add("CreatedAt", created_at_text(created))
      .add("ID", truncate ? short_id(container.text("Id")) : container.text("Id"))
      .add("Image", truncate && image.starts_with("sha256:") ? short_id(image) : image)
      .add("Labels", label_text(out.labels))
      .add("LocalVolumes", std::to_string(local_volumes))
      .add("Mounts", joined(mounts))
      .add("Names", joined(names))
      .add("Networks", joined(networks))
      .add("Platform", platform.exists() ? platform.compact() : "",
           platform.exists() ? platform.compact() : "null")
      .add("Ports", ports_text(std::move(ports)))
      .add("RunningFor", age_text(created, now))
      .add("Size", size)
      .add("State", container.text("State"))
      .add("Status", container.text("Status"));
  return out;
}

std::vector<Record> image_rows(JsonView image, const ImageRowOptions& options, WallTime now) {
  std::vector<Record> out;
  const auto digests = image["RepoDigests"].texts();
  const auto digest_of = [&digests](const std::string& name) {
    for (const std::string& digest : digests) {
      if (digest.starts_with(name + '@')) return digest.substr(name.size() + 1);
    }
    return std::string();
  };
  const auto labels = image["Labels"].text_map();
  for (const std::string& reference : image["RepoTags"].texts()) {
    const auto [name, tag, digest] = split_image_name(reference);
    if (name == "<none>") continue;
    out.push_back(image_row(image, name, tag, digest_of(name), options.truncate, now));
  }
  if (out.empty()) {
    for (const std::string& digest : digests) {
      const std::size_t at = digest.find('@');
      if (digest.starts_with("<none>")) continue;
      out.push_back(image_row(image, digest.substr(0, at), "<none>", digest.substr(at + 1),
                              options.truncate, now));
      if (!options.digests) break;
    }
  }
  if (out.empty()) out.push_back(image_row(image, "<none>", "<none>", "", options.truncate, now));
  for (Record& row : out) row.labels = labels;
  return out;
}

Record volume_row(JsonView volume) {
  const JsonView usage = volume["UsageData"];
  const auto size = usage.number("Size");
  Record out;
  out.labels = volume["Labels"].text_map();
  out.add("Availability", "N/A")
      .add("Driver", volume.text("Driver"))
      .add("Group", "N/A")
      .add("Labels", label_text(out.labels))
      .add("Links", usage.exists() ? std::to_string(usage.number("RefCount")) : "N/A")
      .add("Mountpoint", volume.text("Mountpoint"))
      .add("Name", volume.text("Name"))
      .add("Scope", volume.text("Scope"))
      .add("Size", usage.exists() && size >= 0 ? human_size(static_cast<double>(size)) : "N/A")
      .add("Status", "N/A");
  return out;
}

}  // namespace stack::cli::docker
