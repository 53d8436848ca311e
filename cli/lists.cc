// ls, images, volumes, top, port and version: what there is.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "cli/containers.h"
#include "cli/duration_text.h"
#include "cli/format.h"
#include "cli/json_text.h"
#include "cli/verbs.h"
#include "cli/version.h"
#include "compose/project.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kLsFlags[] = {
    {"all", 'a', FlagType::kBool, "Show all stopped Compose projects"},
    {"filter", 0, FlagType::kList, "Filter output based on conditions provided"},
    {"format", 0, FlagType::kString, "Format the output. Values: [table | json]", "table"},
    {"quiet", 'q', FlagType::kBool, "Only display project names"},
};
constexpr FlagSpec kListFlags[] = {
    {"format", 0, FlagType::kString, "Format the output. Values: [table | json]", "table"},
    {"quiet", 'q', FlagType::kBool, "Only display IDs"},
};
constexpr FlagSpec kPortFlags[] = {
    {"index", 0, FlagType::kInt, "Index of the container if service has multiple replicas"},
    {"protocol", 0, FlagType::kString, "tcp or udp", "tcp"},
};
constexpr FlagSpec kVersionFlags[] = {
    {"format", 'f', FlagType::kString, "Format the output. Values: [pretty | json]", "pretty"},
    {"short", 0, FlagType::kBool, "Shows only the version number"},
};

// Objects by line for the table, but one array as JSON: `ls` and `images`.
Result<std::string> array_or_table(const std::string& format, const std::vector<Column>& columns,
                                   const std::vector<Record>& records) {
  if (format != "json") return render_list(format, columns, records, 20);
  std::vector<std::string> objects;
  for (const Record& record : records) objects.push_back(record.to_json());
  return json_array(objects) + '\n';
}

std::string unique_files(const std::vector<const Container*>& containers) {
  std::string out;
  for (const Container* container : containers) {
    const std::string files = container->label(label::kConfigFiles);
    if (files.empty() || (',' + out + ',').find(',' + files + ',') != std::string::npos) continue;
    out += (out.empty() ? "" : ",") + files;
  }
  return out.empty() ? "N/A" : out;
}

Result<int> ls(Context& context, const Arguments& args) {
  std::string name_filter;
  for (const std::string& filter : args.list("filter")) {
    if (!filter.starts_with("name="))
      return Error::invalid(fmt::format("invalid filter '{}'", filter))
          .fix("The only filter is name.");
    name_filter = filter.substr(5);
  }
  const Engine* engine = TRY(context.engine());
  const auto containers = TRY(engine->containers(args.on("all"), {std::string(label::kProject)}));
  std::map<std::string, std::vector<const Container*>> projects;
  for (const Container& container : containers) {
    if (container.project().find(name_filter) != std::string::npos)
      projects[container.project()].push_back(&container);
  }
  std::vector<Record> records;
  std::string names;
  for (const auto& [name, members] : projects) {
    std::map<std::string, int> states;
    for (const Container* container : members) ++states[container->state];
    std::string status;
    for (const auto& [state, count] : states)
      status += fmt::format("{}{}({})", status.empty() ? "" : ", ", state, count);
    Record& record = records.emplace_back();
    record.add("Name", name).add("Status", status).add("ConfigFiles", unique_files(members));
    names += name + '\n';
  }
  print(args.on("quiet")
            ? names
            : TRY(array_or_table(
                  args.text("format"),
                  {{"NAME", "Name"}, {"STATUS", "Status"}, {"CONFIG FILES", "ConfigFiles"}},
                  records)));
  return 0;
}

// Repository and tag under which an image was used; "<none>" where it has none.
std::pair<std::string, std::string> repository_of(const ImageDetails& image) {
  if (image.tags.empty()) return {"<none>", "<none>"};
  const std::string& tag = image.tags.front();
  const std::size_t colon = tag.rfind(':');
  if (colon == std::string::npos || tag.find('/', colon) != std::string::npos)
    return {tag, "<none>"};
  return {tag.substr(0, colon), tag.substr(colon + 1)};
}

Result<int> images(Context& context, const Arguments& args) {
  const ProjectScope scope = TRY(context.scope(args.positional));
  const Engine* engine = TRY(context.engine());
  const auto containers = TRY(project_containers(context, scope, args.positional, true));
  std::map<std::string, std::optional<ImageDetails>> details;
  std::vector<Record> records;
  std::string ids;
  std::map<std::string, bool> printed;
  const auto now = std::chrono::system_clock::now();
  for (const Container& container : containers) {
    auto& image = details[container.image_id];
    if (!image) {
      auto found = engine->image(container.image_id);
      if (!found.ok() && found.error().kind != ErrorKind::kNotFound)
        return std::move(found).error();
      image = found.ok() ? std::move(*found) : ImageDetails{};  // removed meanwhile
      if (image->id.empty()) image->id = container.image_id;
    }
    const std::string bare = image->id.substr(image->id.find(':') + 1);
    if (!std::exchange(printed[bare], true)) ids += bare + '\n';
    const auto [repository, tag] = repository_of(*image);
    std::string platform =
        image->os.empty() ? "" : fmt::format("{}/{}", image->os, image->architecture);
    if (!image->variant.empty()) platform += '/' + image->variant;
    Record& record = records.emplace_back();
    const bool json = args.text("format") == "json";
    const auto age =
        image->created > 0
            ? human_duration(now - std::chrono::system_clock::from_time_t(image->created)) + " ago"
            : "N/A";
    record.add("ID", json ? image->id : bare.substr(0, 12))
        .add("ContainerName", container.name)
        .add("Repository", repository)
        .add("Tag", tag)
        .add("Platform", platform)
        .add("Size", human_size(static_cast<double>(image->size)), std::to_string(image->size))
        .add("LastTagTime", image->last_tag_time);
    if (!json) record.add("Created", age);
  }
  if (args.on("quiet")) {
    print(ids);
    return 0;
  }
  print(TRY(array_or_table(args.text("format"),
                           {{"CONTAINER", "ContainerName"},
                            {"REPOSITORY", "Repository"},
                            {"TAG", "Tag"},
                            {"PLATFORM", "Platform"},
                            {"IMAGE ID", "ID"},
                            {"SIZE", "Size"},
                            {"CREATED", "Created"}},
                           records)));
  return 0;
}

Result<int> volumes(Context& context, const Arguments& args) {
  const ProjectScope scope = TRY(context.scope(args.positional));
  const Engine* engine = TRY(context.engine());
  auto found = TRY(engine->volumes({fmt::format("{}={}", label::kProject, scope.name)}));
  if (!args.positional.empty()) {
    const auto containers = TRY(project_containers(context, scope, args.positional, true));
    std::erase_if(found, [&containers](const VolumeEntry& volume) {
      return std::none_of(containers.begin(), containers.end(), [&volume](const Container& c) {
        return std::any_of(c.mounts.begin(), c.mounts.end(),
                           [&volume](const MountPoint& m) { return m.name == volume.name; });
      });
    });
  }
  std::sort(found.begin(), found.end(),
            [](const VolumeEntry& a, const VolumeEntry& b) { return a.name < b.name; });
  std::vector<Record> records;
  std::string names;
  for (const VolumeEntry& volume : found) {
    std::string labels;
    for (const auto& [name, value] : volume.labels)
      labels += fmt::format("{}{}={}", labels.empty() ? "" : ",", name, value);
    Record& record = records.emplace_back();
    record.add("Availability", "N/A")
        .add("Driver", volume.driver)
        .add("Group", "N/A")
        .add("Labels", labels)
        .add("Links", "N/A")
        .add("Mountpoint", volume.mountpoint)
        .add("Name", volume.name)
        .add("Scope", volume.scope)
        .add("Size", "N/A")
        .add("Status", "N/A");
    names += volume.name + '\n';
  }
  print(args.on("quiet")
            ? names
            : TRY(render_list(args.text("format"), {{"DRIVER", "Driver"}, {"VOLUME NAME", "Name"}},
                              records, 10)));
  return 0;
}

Result<int> top(Context& context, const Arguments& args) {
  const ProjectScope scope = TRY(context.scope(args.positional));
  const Engine* engine = TRY(context.engine());
  auto containers = TRY(project_containers(context, scope, args.positional, false));
  std::sort(containers.begin(), containers.end(), [](const Container& a, const Container& b) {
    return std::pair(a.service(), a.number()) < std::pair(b.service(), b.number());
  });
  std::vector<std::string> titles;
  std::vector<Row> rows;
  for (const Container& container : containers) {
    const auto processes = engine->top(container.id);
    if (!processes.ok()) continue;  // ended between the list and the question
    if (titles.empty()) titles = processes->titles;
    for (const auto& cells : processes->rows) {
      Row& row = rows.emplace_back(Row{container.service(), std::to_string(container.number())});
      for (const std::string& title : titles) {
        const auto at = std::find(processes->titles.begin(), processes->titles.end(), title) -
                        processes->titles.begin();
        row.push_back(static_cast<std::size_t>(at) < cells.size()
                          ? cells[static_cast<std::size_t>(at)]
                          : "-");
      }
    }
  }
  if (rows.empty()) return 0;
  Row head{"SERVICE", "#"};
  head.insert(head.end(), titles.begin(), titles.end());
  rows.insert(rows.begin(), head);
  print(render_table(rows, 4, 2));
  return 0;
}

Result<int> port(Context& context, const Arguments& args) {
  const ProjectScope scope = TRY(context.scope({args.positional[0]}));
  const Container container =
      TRY(running_container(context, scope, args.positional[0], args.number("index").value_or(0)));
  const std::string protocol = args.text("protocol");
  std::string known;
  for (const PublishedPort& published : container.ports) {
    if (published.public_port == 0) continue;
    if (std::to_string(published.private_port) == args.positional[1] &&
        published.type == protocol) {
      const bool v6 = published.ip.find(':') != std::string::npos;
      print(fmt::format("{}:{}\n", v6 ? fmt::format("[{}]", published.ip) : published.ip,
                        published.public_port));
      return 0;
    }
    known +=
        fmt::format("{}{}/{}", known.empty() ? "" : ", ", published.public_port, published.type);
  }
  return Error::not_found(fmt::format("no port {}/{} for container {}: {}", args.positional[1],
                                      protocol, container.name, known));
}

Result<int> version(Context&, const Arguments& args) {
  const std::string format = args.text("format");
  if (args.on("short")) {
    print(fmt::format("{}\n", kVersion));
  } else if (format == "json") {
    print(JsonObject().add("version", kVersion).text() + '\n');
  } else if (format == "pretty" || format.empty()) {
    print(fmt::format("stack version {}\n", kVersion));
  } else {
    return Error::invalid(fmt::format("unsupported format \"{}\"", format))
        .fix("Use pretty or json.");
  }
  return 0;
}

}  // namespace

constinit const Command kLsCommand{"ls",     "[OPTIONS]", "List running compose projects",
                                   kLsFlags, 0,           ls};
constinit const Command kImagesCommand{
    "images", "[OPTIONS] [SERVICE...]", "List images used by the created containers", kListFlags, 0,
    images};
constinit const Command kVolumesCommand{
    "volumes", "[OPTIONS] [SERVICE...]", "List volumes", kListFlags, 0, volumes};
constinit const Command kTopCommand{"top", "[SERVICES...]", "Display the running processes", {}, 0,
                                    top};
constinit const Command kPortCommand{"port",
                                     "[OPTIONS] SERVICE PRIVATE_PORT",
                                     "Print the public port for a port binding",
                                     kPortFlags,
                                     2,
                                     port};
constinit const Command kVersionCommand{"version",     "[OPTIONS]", "Show the version information",
                                        kVersionFlags, 0,           version};

}  // namespace stack::cli
