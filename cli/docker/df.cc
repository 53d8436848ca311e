// system df.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include "cli/docker/rows.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/duration_text.h"
#include "cli/json_text.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kFlags[] = {
    {"format", 0, FlagType::kString, kFormatUsage},
    {"verbose", 'v', FlagType::kBool, "Show detailed information on space usage"},
};

struct Use {
  const char* type;
  std::int64_t total = 0;
  std::int64_t active = 0;
  double size = 0;
  double reclaimable = 0;
  bool percent = true;
};

Use images_use(JsonView df) {
  Use out{"Images"};
  double used = 0;
  for (const JsonView image : df["Images"].items()) {
    ++out.total;
    const auto size = static_cast<double>(image.number("Size"));
    const auto shared = static_cast<double>(std::max<std::int64_t>(0, image.number("SharedSize")));
    if (image.number("Containers") > 0) {
      ++out.active;
      used += size - shared;
    }
  }
  out.size = static_cast<double>(df.number("LayersSize"));
  out.reclaimable = std::max(0.0, out.size - used);
  return out;
}

Use containers_use(JsonView df) {
  Use out{"Containers"};
  for (const JsonView container : df["Containers"].items()) {
    const auto size = static_cast<double>(container.number("SizeRw"));
    const std::string state = container.text("State");
    const bool active = state == "running" || state == "paused" || state == "restarting";
    ++out.total;
    out.size += size;
    if (active)
      ++out.active;
    else
      out.reclaimable += size;
  }
  return out;
}

Use volumes_use(JsonView df) {
  Use out{"Local Volumes"};
  for (const JsonView volume : df["Volumes"].items()) {
    const JsonView usage = volume["UsageData"];
    const auto size = static_cast<double>(std::max<std::int64_t>(0, usage.number("Size")));
    const bool active = usage.number("RefCount") > 0;
    ++out.total;
    out.size += size;
    if (active)
      ++out.active;
    else
      out.reclaimable += size;
  }
  return out;
}

Use cache_use(JsonView df) {
  Use out{"Build Cache"};
  out.percent = false;
  for (const JsonView entry : df["BuildCache"].items()) {
    const auto size = static_cast<double>(entry.number("Size"));
    ++out.total;
    if (!entry.truth("Shared")) out.size += size;
    if (entry.truth("InUse"))
      ++out.active;
    else if (!entry.truth("Shared"))
      out.reclaimable += size;
  }
  return out;
}

Record use_row(const Use& use) {
  std::string reclaimable = human_size(use.reclaimable, 4);
  if (use.percent && use.size > 0)
    reclaimable += fmt::format(" ({}%)", static_cast<int>(use.reclaimable / use.size * 100));
  Record out;
  out.add("Active", std::to_string(use.active))
      .add("Reclaimable", reclaimable)
      .add("Size", human_size(use.size, 4))
      .add("TotalCount", std::to_string(use.total))
      .add("Type", use.type);
  return out;
}

struct Details {
  std::vector<Record> images, containers, volumes, cache;
};

Details details_of(JsonView df) {
  const auto now = std::chrono::system_clock::now();
  Details out;
  for (const JsonView image : df["Images"].items()) {
    for (Record& row : image_rows(image, {}, now)) out.images.push_back(std::move(row));
  }
  for (const JsonView container : df["Containers"].items())
    out.containers.push_back(container_row(container, true, now));
  for (const JsonView volume : df["Volumes"].items()) out.volumes.push_back(volume_row(volume));
  for (const JsonView entry : df["BuildCache"].items()) {
    out.cache.emplace_back()
        .add("CacheType", entry.text("Type"))
        .add("CreatedSince", entry.text("CreatedAt"))
        .add("Description", entry.text("Description"))
        .add("ID", short_id(entry.text("ID")))
        .add("LastUsedSince", entry.text("LastUsedAt"))
        .add("Shared", entry.truth("Shared") ? "true" : "false")
        .add("Size", human_size(static_cast<double>(entry.number("Size"))))
        .add("UsageCount", std::to_string(entry.number("UsageCount")));
  }
  return out;
}

std::string array_of(const std::vector<Record>& records) {
  std::vector<std::string> objects;
  for (const Record& record : records) objects.push_back(record.to_json());
  return json_array(objects);
}

Result<std::string> verbose(JsonView df, const std::string& format) {
  const Details details = details_of(df);
  if (format == "json") {
    return JsonObject()
               .add_json("Images", array_of(details.images))
               .add_json("Containers", array_of(details.containers))
               .add_json("Volumes", array_of(details.volumes))
               .add_json("BuildCache", array_of(details.cache))
               .text() +
           '\n';
  }
  if (!format.empty() && format != "table")
    return Error::invalid("the verbose option takes no template")
        .fix("Use --format json with jq, or leave -v out.");
  std::string out = "Images space usage:\n\n";
  out += TRY(render_list("table",
                         {{"REPOSITORY", "Repository"},
                          {"TAG", "Tag"},
                          {"IMAGE ID", "ID"},
                          {"CREATED", "CreatedSince"},
                          {"SIZE", "Size"},
                          {"SHARED SIZE", "SharedSize"},
                          {"UNIQUE SIZE", "UniqueSize"},
                          {"CONTAINERS", "Containers"}},
                         details.images, 10));
  out += "\nContainers space usage:\n\n";
  out += TRY(render_list("table",
                         {{"CONTAINER ID", "ID"},
                          {"IMAGE", "Image"},
                          {"COMMAND", "Command"},
                          {"LOCAL VOLUMES", "LocalVolumes"},
                          {"SIZE", "Size"},
                          {"CREATED", "RunningFor"},
                          {"STATUS", "Status"},
                          {"NAMES", "Names"}},
                         details.containers, 10));
  out += "\nLocal Volumes space usage:\n\n";
  out += TRY(render_list("table", {{"VOLUME NAME", "Name"}, {"LINKS", "Links"}, {"SIZE", "Size"}},
                         details.volumes, 10));
  out += fmt::format("\nBuild cache usage: {}\n\n", human_size(cache_use(df).size, 4));
  out += TRY(render_list("table",
                         {{"CACHE ID", "ID"},
                          {"CACHE TYPE", "CacheType"},
                          {"SIZE", "Size"},
                          {"CREATED", "CreatedSince"},
                          {"LAST USED", "LastUsedSince"},
                          {"USAGE", "UsageCount"},
                          {"SHARED", "Shared"}},
                         details.cache, 10));
  return out;
}

Result<int> df(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const Document answer = TRY(get_document(*engine, fmt::format("{}/system/df", kApi)));
  if (args.on("verbose")) {
    print(TRY(verbose(answer.root(), args.text("format"))));
    return 0;
  }
  std::vector<Record> records;
  for (const Use& use : {images_use(answer.root()), containers_use(answer.root()),
                         volumes_use(answer.root()), cache_use(answer.root())})
    records.push_back(use_row(use));
  print(TRY(render_list(args.text("format"),
                        {{"TYPE", "Type"},
                         {"TOTAL", "TotalCount"},
                         {"ACTIVE", "Active"},
                         {"SIZE", "Size"},
                         {"RECLAIMABLE", "Reclaimable"}},
                        records, 10)));
  return 0;
}

}  // namespace

constinit const Command kDf{.name = "df",
                            .usage = "[OPTIONS]",
                            .summary = "Show disk usage",
                            .flags = kFlags,
                            .run = df,
                            .words = Words::kDocker,
                            .max_args = 0};

}  // namespace stack::cli::docker
