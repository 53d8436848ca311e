// cp.
#include <fmt/core.h>

#include <algorithm>

#include "cli/container_copy.h"
#include "cli/containers.h"
#include "cli/progress.h"
#include "cli/verbs.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kFlags[] = {
    {"all", 0, FlagType::kBool, "Include containers created by the run command"},
    {"archive", 'a', FlagType::kBool, "Archive mode (copy all uid/gid information)"},
    {"follow-link", 'L', FlagType::kBool, "Always follow symbol link in SRC_PATH"},
    {"index", 0, FlagType::kInt, "Index of the container if service has multiple replicas"},
};

Result<int> cp(Context& context, const Arguments& args) {
  const CopyPlace from = copy_place(args.positional[0]);
  const CopyPlace to = copy_place(args.positional[1]);
  if (!from.name.empty() && !to.name.empty())
    return Error::invalid("copying between services is not supported");
  if (from.name.empty() && to.name.empty()) {
    return Error::invalid("unknown copy direction").fix("Write one of the two as SERVICE:PATH.");
  }
  const std::string& service = from.name.empty() ? to.name : from.name;
  const ProjectScope scope = TRY(context.scope({service}));
  auto containers = TRY(project_containers(context, scope, {service}, true));
  const long index = args.number("index").value_or(0);
  std::erase_if(containers, [&](const Container& c) {
    return (c.one_off() && !args.on("all")) || (index > 0 && c.number() != index);
  });
  if (containers.empty())
    return Error::not_found(fmt::format("no container found for service \"{}\"", service));
  std::sort(containers.begin(), containers.end(),
            [](const Container& a, const Container& b) { return a.number() < b.number(); });
  if (!from.name.empty()) containers.resize(1);
  const Engine* engine = TRY(context.engine());
  const CopyOptions options{args.on("archive"), args.on("follow-link")};
  ProgressPrinter printer(context.progress_options("Copying"));
  for (const Container& container : containers) {
    const bool out = !from.name.empty();
    const std::string what = out ? fmt::format("{}:{} to {}", container.name, from.path, to.path)
                                 : fmt::format("{} to {}:{}", from.path, container.name, to.path);
    const bool quiet = out && to.path == "-";
    if (!quiet) printer.event({container.name, "", "copy " + what, "Copying", StepKind::kWorking});
    if (!context.dry_run()) {
      if (out)
        TRY(copy_out(*engine, container.id, from.path, to.path, options));
      else
        TRY(copy_in(*engine, container.id, from.path, to.path, options));
    }
    if (!quiet) printer.event({container.name, "", "copy " + what, "Copied", StepKind::kDone});
  }
  return 0;
}

}  // namespace

constinit const Command kCpCommand{
    "cp",
    "[OPTIONS] SERVICE:SRC_PATH DEST_PATH|-",
    "Copy files/folders between a service container and the local filesystem",
    kFlags,
    2,
    cp};

}  // namespace stack::cli
