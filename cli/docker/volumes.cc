// volume ls, create and rm.
#include <fmt/core.h>

#include <algorithm>

#include "cli/docker/rows.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/json_text.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kLsFlags[] = {
    {"cluster", 0, FlagType::kBool, "", "", true},
    {"filter", 'f', FlagType::kFilters, "Provide filter values (e.g. \"dangling=true\")"},
    {"format", 0, FlagType::kString, kFormatUsage},
    {"quiet", 'q', FlagType::kBool, "Only display volume names"},
};
constexpr FlagSpec kCreateVolumeFlags[] = {
    {"driver", 'd', FlagType::kString, "Specify volume driver name", "local"},
    {"label", 0, FlagType::kList, "Set metadata for a volume"},
    {"name", 0, FlagType::kString, "", "", true},
    {"opt", 'o', FlagType::kList, "Set driver specific options"},
};
constexpr FlagSpec kRmFlags[] = {
    {"force", 'f', FlagType::kBool, "Force the removal of one or more volumes"},
};

Result<int> ls(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  std::string target = fmt::format("{}/volumes?", kApi);
  if (const std::string filters = filters_query(args.list("filter")); !filters.empty())
    target += filters.substr(1);
  const Document answer = TRY(get_document(*engine, target));
  auto volumes = answer["Volumes"].items();
  std::sort(volumes.begin(), volumes.end(),
            [](JsonView a, JsonView b) { return a.text("Name") < b.text("Name"); });
  std::vector<Record> records;
  for (const JsonView volume : volumes) records.push_back(volume_row(volume));
  print(TRY(render_rows(args, "Name", {{"DRIVER", "Driver"}, {"VOLUME NAME", "Name"}}, records)));
  return 0;
}

Result<int> create(Context& context, const Arguments& args) {
  std::string name = args.text("name");
  if (!args.positional.empty()) {
    if (!name.empty())
      return Error::invalid(
          "conflicting options: cannot specify a volume name through both --name and as a "
          "positional arg");
    name = args.positional[0];
  }
  const Engine* engine = TRY(context.engine());
  JsonObject body;
  body.add("Name", name).add("Driver", args.text("driver"));
  body.add("DriverOpts", pairs(args.list("opt"))).add("Labels", pairs(args.list("label")));
  const Document answer =
      TRY(post_document(*engine, fmt::format("{}/volumes/create", kApi), body.text()));
  print(answer.root().text("Name") + '\n');
  return 0;
}

Result<int> rm(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  return for_each_name(args.positional, [&](const std::string& name) -> Status {
    TRY(engine->http().remove(fmt::format("{}/volumes/{}{}", kApi, url_encode(name),
                                          args.on("force") ? "?force=1" : "")));
    print(name + '\n');
    return ok_status();
  });
}

}  // namespace

constinit const Command kVolumeLs{.name = "ls",
                                  .usage = "[OPTIONS]",
                                  .summary = "List volumes",
                                  .flags = kLsFlags,
                                  .run = ls,
                                  .alias = "list",
                                  .words = Words::kDocker,
                                  .max_args = 0};
constinit const Command kVolumeCreate{.name = "create",
                                      .usage = "[OPTIONS] [VOLUME]",
                                      .summary = "Create a volume",
                                      .flags = kCreateVolumeFlags,
                                      .run = create,
                                      .words = Words::kDocker,
                                      .max_args = 1};
constinit const Command kVolumeRm{.name = "rm",
                                  .usage = "[OPTIONS] VOLUME [VOLUME...]",
                                  .summary = "Remove one or more volumes",
                                  .flags = kRmFlags,
                                  .min_args = 1,
                                  .run = rm,
                                  .alias = "remove",
                                  .words = Words::kDocker};

}  // namespace stack::cli::docker
