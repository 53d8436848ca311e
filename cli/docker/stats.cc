// stats.
#include <fmt/core.h>

#include <algorithm>

#include "cli/docker/rows.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/stats_view.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kFlags[] = {
    {"all", 'a', FlagType::kBool, "Show all containers (default shows just running)"},
    {"format", 0, FlagType::kString, kFormatUsage},
    {"no-stream", 0, FlagType::kBool, "Disable streaming stats and only pull the first result"},
    {"no-trunc", 0, FlagType::kBool, "Do not truncate output"},
};

std::string bare_name(const std::string& name) {
  return name.starts_with('/') ? name.substr(1) : name;
}

Result<int> stats(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  std::vector<StatsContainer> named;
  for (const std::string& name : args.positional) {
    const Document found = TRY(get_document(*engine, container_path(name) + "/json"));
    named.push_back({found.root().text("Id"), bare_name(found.root().text("Name")), name});
  }
  const StatsLister list = [&]() -> Result<std::vector<StatsContainer>> {
    if (!named.empty()) return named;
    std::vector<StatsContainer> out;
    for (const Container& c : TRY(engine->containers(args.on("all"), {})))
      out.push_back({c.id, c.name, c.id.substr(0, 12)});
    return out;
  };
  TRY(show_stats(*engine, list, {args.text("format"), !args.on("no-trunc"), args.on("no-stream")}));
  return 0;
}

}  // namespace

constinit const Command kStats{
    .name = "stats",
    .usage = "[OPTIONS] [CONTAINER...]",
    .summary = "Display a live stream of container(s) resource usage statistics",
    .flags = kFlags,
    .run = stats,
    .words = Words::kDocker};

}  // namespace stack::cli::docker
