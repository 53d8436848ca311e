// volume, network and system: the engine's objects, whatever project they belong to.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/fd.h"
#include "cli/duration_text.h"
#include "cli/format.h"
#include "cli/verbs.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kListFlags[] = {
    {"format", 0, FlagType::kString, "Format output: table, json, or a Go template", "table"},
    {"no-trunc", 0, FlagType::kBool, "Do not truncate the output"},
    {"quiet", 'q', FlagType::kBool, "Only display names or IDs"},
};
constexpr FlagSpec kForceFlags[] = {{"force", 'f', FlagType::kBool, "Force the removal"}};

std::string label_text(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels)
    out += fmt::format("{}{}={}", out.empty() ? "" : ",", name, value);
  return out;
}

// Applies `one` to every argument, reports what fails and goes on; 1 when anything failed.
template <typename F>
int for_each_name(const Arguments& args, F one) {
  int code = 0;
  for (const std::string& name : args.positional) {
    if (const Status status = one(name); !status.ok()) {
      print_error(status.error());
      code = 1;
    }
  }
  return code;
}

Result<int> inspect_all(Context& context, const Arguments& args, std::string_view kind) {
  const Engine* engine = TRY(context.engine());
  std::string out;
  const int code = for_each_name(args, [&](const std::string& name) -> Status {
    const std::string json =
        TRY(engine->http().get(fmt::format("{}/{}/{}", kApi, kind, url_encode(name))));
    out += (out.empty() ? "" : ",") + json;
    return ok_status();
  });
  print(pretty_json('[' + out + ']') + '\n');
  return code;
}

Result<int> remove_all(Context& context, const Arguments& args, std::string_view kind) {
  const Engine* engine = TRY(context.engine());
  return for_each_name(args, [&](const std::string& name) -> Status {
    TRY(engine->http().remove(fmt::format("{}/{}/{}{}", kApi, kind, url_encode(name),
                                          args.on("force") ? "?force=1" : "")));
    print(name + '\n');
    return ok_status();
  });
}

Result<int> volume_ls(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  auto found = TRY(engine->volumes({}));
  std::sort(found.begin(), found.end(),
            [](const VolumeEntry& a, const VolumeEntry& b) { return a.name < b.name; });
  std::vector<Record> records;
  std::string names;
  for (const VolumeEntry& volume : found) {
    Record& record = records.emplace_back();
    record.add("Driver", volume.driver)
        .add("Labels", label_text(volume.labels))
        .add("Mountpoint", volume.mountpoint)
        .add("Name", volume.name)
        .add("Scope", volume.scope);
    names += volume.name + '\n';
  }
  print(args.on("quiet")
            ? names
            : TRY(render_list(args.text("format"), {{"DRIVER", "Driver"}, {"VOLUME NAME", "Name"}},
                              records, 10)));
  return 0;
}
Result<int> volume_rm(Context& context, const Arguments& args) {
  return remove_all(context, args, "volumes");
}
Result<int> volume_inspect(Context& context, const Arguments& args) {
  return inspect_all(context, args, "volumes");
}

Result<int> network_ls(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  auto found = TRY(engine->networks());
  std::sort(found.begin(), found.end(),
            [](const NetworkEntry& a, const NetworkEntry& b) { return a.name < b.name; });
  std::vector<Record> records;
  std::string ids;
  for (const NetworkEntry& network : found) {
    const std::string id = args.on("no-trunc") ? network.id : network.id.substr(0, 12);
    Record& record = records.emplace_back();
    record.add("Driver", network.driver)
        .add("ID", id)
        .add("Labels", label_text(network.labels))
        .add("Name", network.name)
        .add("Scope", network.scope);
    ids += id + '\n';
  }
  print(
      args.on("quiet")
          ? ids
          : TRY(render_list(
                args.text("format"),
                {{"NETWORK ID", "ID"}, {"NAME", "Name"}, {"DRIVER", "Driver"}, {"SCOPE", "Scope"}},
                records, 10)));
  return 0;
}
Result<int> network_rm(Context& context, const Arguments& args) {
  return remove_all(context, args, "networks");
}
Result<int> network_inspect(Context& context, const Arguments& args) {
  return inspect_all(context, args, "networks");
}

Result<int> system_info(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const std::string json = TRY(engine->http().get(fmt::format("{}/info", kApi)));
  if (args.text("format") == "json") {
    print(json + (json.ends_with('\n') ? "" : "\n"));
    return 0;
  }
  const EngineVersion version = TRY(engine->version());
  print(fmt::format("Engine: {}\n Socket: {}\n API version: {}\n", version.version,
                    engine->http().socket_path(), version.api_version));
  constexpr std::pair<const char*, const char*> kLines[] = {{"Containers", "Containers"},
                                                            {"  Running", "ContainersRunning"},
                                                            {"  Paused", "ContainersPaused"},
                                                            {"  Stopped", "ContainersStopped"},
                                                            {"Images", "Images"},
                                                            {"Storage driver", "Driver"},
                                                            {"Cgroup driver", "CgroupDriver"},
                                                            {"Cgroup version", "CgroupVersion"},
                                                            {"Kernel", "KernelVersion"},
                                                            {"Operating system", "OperatingSystem"},
                                                            {"Architecture", "Architecture"},
                                                            {"CPUs", "NCPU"},
                                                            {"Root directory", "DockerRootDir"}};
  for (const auto& [title, name] : kLines) {
    if (const std::string value = json_member(json, name); !value.empty())
      print(fmt::format(" {}: {}\n", title, value));
  }
  if (const std::string memory = json_member(json, "MemTotal"); !memory.empty()) {
    print(fmt::format(" Total memory: {}\n", binary_size(std::strtod(memory.c_str(), nullptr))));
  }
  return 0;
}

Result<int> system_df(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const std::vector<DiskUse> uses = TRY(engine->disk_usage());
  std::vector<Record> records;
  for (const DiskUse& use : uses) {
    std::string reclaimable = human_size(use.reclaimable, 4);
    if (use.size > 0)
      reclaimable += fmt::format(" ({}%)", static_cast<int>(use.reclaimable / use.size * 100));
    Record& record = records.emplace_back();
    record.add("Active", std::to_string(use.active))
        .add("Reclaimable", reclaimable)
        .add("Size", human_size(use.size, 4))
        .add("TotalCount", std::to_string(use.total))
        .add("Type", use.type);
  }
  print(TRY(render_list(args.text("format"),
                        {{"TYPE", "Type"},
                         {"TOTAL", "TotalCount"},
                         {"ACTIVE", "Active"},
                         {"SIZE", "Size"},
                         {"RECLAIMABLE", "Reclaimable"}},
                        records, 10)));
  return 0;
}

constinit const Command kVolumeLs{"ls",      "[OPTIONS]", "List volumes", kListFlags, 0,
                                  volume_ls, {},          true,           "list"};
constinit const Command kVolumeRm{"rm",
                                  "[OPTIONS] VOLUME [VOLUME...]",
                                  "Remove one or more volumes",
                                  kForceFlags,
                                  1,
                                  volume_rm,
                                  {},
                                  true,
                                  "remove"};
constinit const Command kVolumeInspect{
    "inspect", "VOLUME [VOLUME...]", "Display detailed information on one or more volumes", {},
    1,         volume_inspect};
constexpr const Command* kVolumeChildren[] = {&kVolumeInspect, &kVolumeLs, &kVolumeRm};
constinit const Command kNetworkLs{"ls", "[OPTIONS]", "List networks", kListFlags, 0, network_ls,
                                   {},   true,        "list"};
constinit const Command kNetworkRm{
    "rm",    "NETWORK [NETWORK...]", "Remove one or more networks", {}, 1, network_rm, {}, true,
    "remove"};
constinit const Command kNetworkInspect{
    "inspect", "NETWORK [NETWORK...]", "Display detailed information on one or more networks", {},
    1,         network_inspect};
constexpr const Command* kNetworkChildren[] = {&kNetworkInspect, &kNetworkLs, &kNetworkRm};
constexpr FlagSpec kFormatFlags[] = {
    {"format", 'f', FlagType::kString, "Format output: table, json, or a Go template"}};
constinit const Command kSystemInfo{"info",       "[OPTIONS]", "Display system-wide information",
                                    kFormatFlags, 0,           system_info};
constinit const Command kSystemDf{"df", "[OPTIONS]", "Show disk usage", kFormatFlags, 0, system_df};
constexpr const Command* kSystemChildren[] = {&kSystemDf, &kSystemInfo};

}  // namespace

constinit const Command kVolumeCommand{"volume", "COMMAND", "Manage volumes", {},
                                       0,        nullptr,   kVolumeChildren};
constinit const Command kNetworkCommand{"network", "COMMAND", "Manage networks", {},
                                        0,         nullptr,   kNetworkChildren};
constinit const Command kSystemCommand{"system", "COMMAND", "Look at the engine", {},
                                       0,        nullptr,   kSystemChildren};

}  // namespace stack::cli
