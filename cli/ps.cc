// ps.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "cli/containers.h"
#include "cli/ps_format.h"
#include "cli/verbs.h"
#include "compose/project.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kFlags[] = {
    {"all", 'a', FlagType::kBool,
     "Show all stopped containers (including those created by the run command)"},
    {"filter", 0, FlagType::kList, "Filter services by a property (supported filters: status)"},
    {"format", 0, FlagType::kString,
     "Format output: table, json, or a Go template such as '{{.Name}}'", "table"},
    {"no-trunc", 0, FlagType::kBool, "Don't truncate output"},
    {"orphans", 0, FlagType::kBool, "Include orphaned services (not declared by project)", "true"},
    {"quiet", 'q', FlagType::kBool, "Only display IDs"},
    {"services", 0, FlagType::kBool, "Display services"},
    {"status", 0, FlagType::kList,
     "Filter services by status. Values: [paused | restarting | removing | running | dead | "
     "created | exited]"},
};

Result<std::vector<std::string>> statuses(const Arguments& args) {
  std::vector<std::string> out = args.list("status");
  for (const std::string& filter : args.list("filter")) {
    if (!filter.starts_with("status=")) {
      const std::string name = filter.substr(0, filter.find('='));
      return Error::invalid(filter.find('=') == std::string::npos
                                ? "arguments to --filter should be in form KEY=VAL"
                                : fmt::format("unknown filter {}", name))
          .fix("The only filter is status, as in --filter status=running.");
    }
    out.push_back(filter.substr(7));
  }
  return out;
}

Result<int> ps(Context& context, const Arguments& args) {
  const auto wanted = TRY(statuses(args));
  const ProjectScope scope = TRY(context.scope(args.positional));
  const bool all = args.on("all") || !wanted.empty();
  auto containers = TRY(project_containers(context, scope, args.positional, all));
  if (!all) std::erase_if(containers, [](const Container& c) { return c.one_off(); });
  if (!args.on("orphans") && scope.project != nullptr) {
    std::erase_if(containers, [&scope](const Container& c) {
      return !scope.project->services.contains(c.service());
    });
  }
  if (!wanted.empty()) {
    std::erase_if(containers, [&wanted](const Container& c) {
      return std::find(wanted.begin(), wanted.end(), c.state) == wanted.end();
    });
  }
  std::string out;
  if (args.on("quiet")) {
    for (const Container& container : containers) out += container.id + '\n';
  } else if (args.on("services")) {
    std::set<std::string> services;
    for (const Container& container : containers) services.insert(container.service());
    for (const std::string& name : services) out += name + '\n';
  } else {
    std::vector<Record> records;
    const bool table = args.text("format").empty() || args.text("format").starts_with("table");
    for (Container container : containers) {
      // For people only: programs read Docker's words from the JSON.
      if (table) container.status += restarts_text(container);
      records.push_back(
          ps_record(container, std::chrono::system_clock::now(), !args.on("no-trunc")));
    }
    out = TRY(render_list(args.text("format"), ps_columns(), records, 10));
  }
  print(out);
  return 0;
}

}  // namespace

constinit const Command kPsCommand{"ps", "[OPTIONS] [SERVICE...]", "List containers", kFlags, 0,
                                   ps};

}  // namespace stack::cli
