// stats.
#include <fmt/core.h>

#include <thread>

#include "cli/containers.h"
#include "cli/duration_text.h"
#include "cli/format.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kFlags[] = {
    {"all", 'a', FlagType::kBool, "Show all containers (default shows just running)"},
    {"format", 0, FlagType::kString, "Format output: table, json, or a Go template", "table"},
    {"no-stream", 0, FlagType::kBool, "Disable streaming stats and only pull the first result"},
    {"no-trunc", 0, FlagType::kBool, "Do not truncate output"},
};

Record record_of(const Container& container, const Stats& stats, bool truncate) {
  Record out;
  out.add("BlockIO", fmt::format("{} / {}", human_size(stats.read), human_size(stats.written)))
      .add("CPUPerc", fmt::format("{:.2f}%", stats.cpu_percent))
      .add("Container", container.id)
      .add("ID", truncate ? container.id.substr(0, 12) : container.id)
      .add("MemPerc",
           fmt::format("{:.2f}%",
                       stats.memory_limit > 0 ? stats.memory / stats.memory_limit * 100 : 0))
      .add("MemUsage",
           fmt::format("{} / {}", binary_size(stats.memory), binary_size(stats.memory_limit)))
      .add("Name", container.name)
      .add("NetIO", fmt::format("{} / {}", human_size(stats.rx), human_size(stats.tx)))
      .add("PIDs", std::to_string(stats.pids));
  return out;
}

Result<std::string> snapshot(Context& context, const ProjectScope& scope, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const auto containers = TRY(project_containers(context, scope, args.positional, args.on("all")));
  // The engine measures the processor over a second: ask for all containers at once.
  std::vector<std::optional<Stats>> stats(containers.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < containers.size(); ++i) {
    threads.emplace_back([engine, &containers, &stats, i] {
      if (auto found = engine->stats(containers[i].id); found.ok()) stats[i] = *found;
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<Record> records;
  for (std::size_t i = 0; i < containers.size(); ++i) {
    if (stats[i]) records.push_back(record_of(containers[i], *stats[i], !args.on("no-trunc")));
  }
  return render_list(args.text("format"),
                     {{"CONTAINER ID", "ID"},
                      {"NAME", "Name"},
                      {"CPU %", "CPUPerc"},
                      {"MEM USAGE / LIMIT", "MemUsage"},
                      {"MEM %", "MemPerc"},
                      {"NET I/O", "NetIO"},
                      {"BLOCK I/O", "BlockIO"},
                      {"PIDS", "PIDs"}},
                     records, 10);
}

Result<int> stats(Context& context, const Arguments& args) {
  const ProjectScope scope = TRY(context.scope(args.positional));
  if (args.on("no-stream")) {
    print(TRY(snapshot(context, scope, args)));
    return 0;
  }
  const bool terminal = is_terminal(1);
  for (;;) {
    const std::string text = TRY(snapshot(context, scope, args));
    print(terminal ? "\033[H\033[J" + text : text);
  }
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
