// why and history.
#include <fmt/core.h>

#include <chrono>

#include "cli/duration_text.h"
#include "cli/plan_file.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "compose/project.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kWhyFlags[] = {
    {"format", 0, FlagType::kString, "Format of the answer (\"text\"|\"json\")", "text"},
};
constexpr FlagSpec kHistoryFlags[] = {
    {"format", 0, FlagType::kString, "Format of the list (\"table\"|\"json\")", "table"},
    {"limit", 'n', FlagType::kInt, "Show the newest entries only", "100"},
    {"since", 0, FlagType::kString, "Show entries since a timestamp, or for a duration such as 2h"},
};

Result<int> why(Context& context, const Arguments& args) {
  const ProjectScope scope = TRY(context.scope());
  const Engine* engine = TRY(context.engine());
  for (const std::string& service : args.positional) {
    const std::string json = TRY(engine->http().get(fmt::format(
        "/stack/projects/{}/why?service={}", url_encode(scope.name), url_encode(service))));
    if (args.text("format") == "json") {
      print(json + "\n");
      continue;
    }
    for (const WhyRow& row : TRY(parse_why(json)))
      print(
          fmt::format("{:{}}{}{}\n", "", row.depth * 2, row.depth > 0 ? "because " : "", row.text));
  }
  return 0;
}

Result<int> history(Context& context, const Arguments& args) {
  const ProjectScope scope = TRY(context.scope());
  const Engine* engine = TRY(context.engine());
  std::string target = fmt::format("/stack/projects/{}/history?limit={}", url_encode(scope.name),
                                   args.number("limit").value_or(100));
  if (args.given("since"))
    target += "&since=" + TRY(api_timestamp(args.text("since"), std::chrono::system_clock::now()));
  const std::string json = TRY(engine->http().get(target));
  if (args.text("format") == "json") {
    print(json + "\n");
    return 0;
  }
  std::vector<Row> rows = {{"TIME", "WHO", "WHAT", "ACTION", "WHY"}};
  for (const HistoryRow& row : TRY(parse_history(json))) {
    if (!args.positional.empty() && row.service != args.positional.front()) continue;
    rows.push_back({row.time, row.who, row.container.empty() ? row.service : row.container,
                    row.action, row.why});
  }
  print(render_table(rows, 0));
  return 0;
}

}  // namespace

constinit const Command kWhyCommand{
    "why", "[OPTIONS] SERVICE...", "Say why a service is as it is", kWhyFlags, 1, why};
constinit const Command kHistoryCommand{"history",
                                        "[OPTIONS] [SERVICE]",
                                        "Show who did what to the project, why, and when",
                                        kHistoryFlags,
                                        0,
                                        history};

}  // namespace stack::cli
