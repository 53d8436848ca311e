// stats.
#include "cli/containers.h"
#include "cli/stats_view.h"
#include "cli/verbs.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kFlags[] = {
    {"all", 'a', FlagType::kBool, "Show all containers (default shows just running)"},
    {"format", 0, FlagType::kString, "Format output: table, json, or a Go template", "table"},
    {"no-stream", 0, FlagType::kBool, "Disable streaming stats and only pull the first result"},
    {"no-trunc", 0, FlagType::kBool, "Do not truncate output"},
};

Result<int> stats(Context& context, const Arguments& args) {
  const ProjectScope scope = TRY(context.scope(args.positional));
  const Engine* engine = TRY(context.engine());
  const StatsLister list = [&]() -> Result<std::vector<StatsContainer>> {
    std::vector<StatsContainer> out;
    for (const Container& c :
         TRY(project_containers(context, scope, args.positional, args.on("all"))))
      out.push_back({c.id, c.name, c.id});
    return out;
  };
  TRY(show_stats(*engine, list, {args.text("format"), !args.on("no-trunc"), args.on("no-stream")}));
  return 0;
}

}  // namespace

constinit const Command kStatsCommand{
    "stats",
    "[OPTIONS] [SERVICE]",
    "Display a live stream of container(s) resource usage statistics",
    kFlags,
    0,
    stats};

}  // namespace stack::cli
