// context: there is one, the engine of this machine.
#include <fmt/core.h>

#include "cli/docker/rows.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/engine_launcher.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kLsFlags[] = {
    {"format", 0, FlagType::kString, kFormatUsage},
    {"quiet", 'q', FlagType::kBool, "Only show context names"},
};

Result<int> ls(Context& context, const Arguments& args) {
  const EngineAddress address = TRY(engine_address(context.globals().host));
  std::vector<Record> records(1);
  records[0]
      .add("Current", "*", "true")
      .add("Description", "The engine of this machine")
      .add("DockerEndpoint", "unix://" + address.socket)
      .add("Error", "")
      .add("Name", "default");
  if (args.text("format").empty() && !args.on("quiet")) records[0].fields[4].text = "default *";
  print(TRY(render_rows(args, "Name",
                        {{"NAME", "Name"},
                         {"DESCRIPTION", "Description"},
                         {"DOCKER ENDPOINT", "DockerEndpoint"},
                         {"ERROR", "Error"}},
                        records)));
  return 0;
}

Result<int> show(Context&, const Arguments&) {
  print("default\n");
  return 0;
}

Result<int> use(Context&, const Arguments& args) {
  if (args.positional[0] != "default") {
    return Error::not_found(fmt::format("context \"{}\" does not exist", args.positional[0]))
        .fix("There is one engine a machine; --host names another socket.");
  }
  print("default\n");
  return 0;
}

}  // namespace

constinit const Command kContextLs{.name = "ls",
                                   .usage = "[OPTIONS]",
                                   .summary = "List contexts",
                                   .flags = kLsFlags,
                                   .run = ls,
                                   .alias = "list",
                                   .words = Words::kDocker,
                                   .max_args = 0};
constinit const Command kContextShow{.name = "show",
                                     .usage = "",
                                     .summary = "Print the name of the current context",
                                     .run = show,
                                     .words = Words::kDocker,
                                     .max_args = 0};
constinit const Command kContextUse{.name = "use",
                                    .usage = "CONTEXT",
                                    .summary = "Set the current docker context",
                                    .min_args = 1,
                                    .run = use,
                                    .words = Words::kDocker,
                                    .max_args = 1};

}  // namespace stack::cli::docker
