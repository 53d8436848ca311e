#include "cli/stats_view.h"

#include <fmt/core.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "cli/context.h"
#include "cli/duration_text.h"
#include "cli/format.h"
#include "cli/terminal.h"

namespace stack::cli {

namespace {

Record record_of(const StatsContainer& container, const Stats& stats, bool truncate) {
  const double memory_share = stats.memory_limit > 0 ? stats.memory / stats.memory_limit * 100 : 0;
  Record out;
  out.add("BlockIO", fmt::format("{} / {}", human_size(stats.read), human_size(stats.written)))
      .add("CPUPerc", fmt::format("{:.2f}%", stats.cpu_percent))
      .add("Container", container.asked_for)
      .add("ID", truncate ? container.id.substr(0, 12) : container.id)
      .add("MemPerc", fmt::format("{:.2f}%", memory_share))
      .add("MemUsage",
           fmt::format("{} / {}", binary_size(stats.memory), binary_size(stats.memory_limit)))
      .add("Name", container.name)
      .add("NetIO", fmt::format("{} / {}", human_size(stats.rx), human_size(stats.tx)))
      .add("PIDs", std::to_string(stats.pids));
  return out;
}

Result<std::string> picture(const Engine& engine, const std::vector<StatsContainer>& containers,
                            const StatsOptions& options) {
  // The engine measures the processor over a second: ask for all containers at once.
  std::vector<std::optional<Stats>> stats(containers.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < containers.size(); ++i) {
    threads.emplace_back([&engine, &containers, &stats, i] {
      if (auto found = engine.stats(containers[i].id); found.ok()) stats[i] = *found;
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<Record> records;
  for (std::size_t i = 0; i < containers.size(); ++i) {
    if (stats[i]) records.push_back(record_of(containers[i], *stats[i], options.truncate));
  }
  return render_list(options.format,
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

}  // namespace

Status show_stats(const Engine& engine, const StatsLister& list, const StatsOptions& options) {
  const bool redraw = is_terminal(STDOUT_FILENO) && !options.once;
  for (;;) {
    const auto containers = TRY(list());
    const std::string text = TRY(picture(engine, containers, options));
    print(redraw ? "\033[H\033[J" + text : text);
    if (options.once) return ok_status();
  }
}

}  // namespace stack::cli
