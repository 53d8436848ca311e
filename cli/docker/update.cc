// update.
#include <fmt/core.h>

#include "cli/docker/resource_flags.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kFlags[] = {
    {"blkio-weight", 0, FlagType::kInt,
     "Block IO (relative weight), between 10 and 1000, or 0 to disable"},
    {"cpu-period", 0, FlagType::kInt, "Limit CPU CFS (Completely Fair Scheduler) period"},
    {"cpu-quota", 0, FlagType::kInt, "Limit CPU CFS (Completely Fair Scheduler) quota"},
    {"cpu-rt-period", 0, FlagType::kInt, "Limit the CPU real-time period in microseconds"},
    {"cpu-rt-runtime", 0, FlagType::kInt, "Limit the CPU real-time runtime in microseconds"},
    {"cpu-shares", 'c', FlagType::kInt, "CPU shares (relative weight)"},
    {"cpus", 0, FlagType::kString, "Number of CPUs"},
    {"cpuset-cpus", 0, FlagType::kString, "CPUs in which to allow execution (0-3, 0,1)"},
    {"cpuset-mems", 0, FlagType::kString, "MEMs in which to allow execution (0-3, 0,1)"},
    {"kernel-memory", 0, FlagType::kString, "", "", true},
    {"memory", 'm', FlagType::kString, "Memory limit"},
    {"memory-reservation", 0, FlagType::kString, "Memory soft limit"},
    {"memory-swap", 0, FlagType::kString,
     "Swap limit equal to memory plus swap: -1 to enable unlimited swap"},
    {"pids-limit", 0, FlagType::kInt, "Tune container pids limit (set -1 for unlimited)"},
    {"restart", 0, FlagType::kString, "Restart policy to apply when a container exits"},
};

Result<int> update(Context& context, const Arguments& args) {
  JsonObject body;
  TRY(add_limits(args, body));
  if (args.given("restart"))
    body.add_json("RestartPolicy", TRY(restart_policy_json(args.text("restart"))));
  if (body.empty())
    return Error::invalid("you must provide one or more flags when using this command")
        .fix("For example: --memory 512m --restart always");
  const Engine* engine = TRY(context.engine());
  return for_each_name(args.positional, [&](const std::string& name) -> Status {
    print_warnings(
        TRY(post_document(*engine, container_path(name) + "/update", body.text())).root());
    print(name + '\n');
    return ok_status();
  });
}

}  // namespace

constinit const Command kUpdate{.name = "update",
                                .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
                                .summary = "Update configuration of one or more containers",
                                .flags = kFlags,
                                .min_args = 1,
                                .run = update,
                                .words = Words::kDocker};

}  // namespace stack::cli::docker
