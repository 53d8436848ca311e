// container ls.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include "cli/docker/rows.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/format.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kFlags[] = {
    {"all", 'a', FlagType::kBool, "Show all containers (default shows just running)"},
    {"filter", 'f', FlagType::kFilters, "Filter output based on conditions provided"},
    {"format", 0, FlagType::kString, kFormatUsage},
    {"last", 'n', FlagType::kInt, "Show n last created containers (includes all states)", "-1"},
    {"latest", 'l', FlagType::kBool, "Show the latest created container (includes all states)"},
    {"no-trunc", 0, FlagType::kBool, "Don't truncate output"},
    {"quiet", 'q', FlagType::kBool, "Only display container IDs"},
    {"size", 's', FlagType::kBool, "Display total file sizes"},
};

Result<int> ls(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const long last = args.on("latest") ? 1 : args.number("last").value_or(-1);
  const std::string format = args.text("format");
  // A template that shows sizes needs them although nobody said --size.
  const bool sizes = args.on("size") || format.find(".Size") != std::string::npos;
  std::string target =
      fmt::format("{}/containers/json?all={}", kApi, args.on("all") || last > 0 ? 1 : 0);
  if (last > 0) target += fmt::format("&limit={}", last);
  if (sizes) target += "&size=1";
  target += filters_query(args.list("filter"));
  const Document answer = TRY(get_document(*engine, target));
  const bool truncate = !args.on("no-trunc");
  std::vector<Record> records;
  for (const JsonView container : answer.root().items())
    records.push_back(container_row(container, truncate, std::chrono::system_clock::now()));
  std::vector<Column> columns{
      {"CONTAINER ID", "ID"}, {"IMAGE", "Image"}, {"COMMAND", "Command"}, {"CREATED", "RunningFor"},
      {"STATUS", "Status"},   {"PORTS", "Ports"}, {"NAMES", "Names"}};
  if (sizes) columns.push_back({"SIZE", "Size"});
  print(TRY(render_rows(args, "ID", columns, records)));
  return 0;
}

}  // namespace

constinit const Command kContainerLs{.name = "ls",
                                     .usage = "[OPTIONS]",
                                     .summary = "List containers",
                                     .flags = kFlags,
                                     .run = ls,
                                     .alias = "ps,list",
                                     .words = Words::kDocker,
                                     .max_args = 0};

}  // namespace stack::cli::docker
