// push: the images that the project builds, to their registries.
#include "cli/push.h"

#include <algorithm>

#include "cli/registry_client.h"
#include "cli/verbs.h"
#include "compose/project.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kPushFlags[] = {
    {"ignore-push-failures", 0, FlagType::kBool,
     "Push what it can and ignores images with push failures"},
    {"include-deps", 0, FlagType::kBool, "Also push images of services declared as dependencies"},
    {"quiet", 'q', FlagType::kBool, "Push without printing progress information"},
};

void add_dependencies(const compose::Project& project, const std::string& name,
                      std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), name) != names.end()) return;
  names.push_back(name);
  const auto service = project.services.find(name);
  if (service == project.services.end()) return;
  for (const auto& [other, how] : service->second.depends_on)
    add_dependencies(project, other, names);
}

// Shows the layers of one image below it.
Status push_one(const Engine& engine, const std::string& reference, ProgressPrinter& printer) {
  const std::string parent = "Pushing " + reference;
  printer.event({parent, "", "", "Pushing"});
  BodyStream stream = TRY(begin_push(engine.http(), reference));
  std::string pending;
  for (bool more = true; more;) {
    more = TRY(stream.read(pending));
    for (std::size_t end = 0; (end = pending.find('\n')) != std::string::npos;) {
      const PullLine line = TRY(parse_pull_line(std::string_view(pending).substr(0, end)));
      pending.erase(0, end + 1);
      if (!line.error.empty()) return Error::make(ErrorKind::kInternal, line.error);
      if (line.id.empty()) continue;
      const bool done = line.status == "Pushed" || line.status == "Layer already exists" ||
                        line.status.starts_with("Mounted");
      printer.event({line.id, parent, "", line.status, done ? StepKind::kDone : StepKind::kWorking,
                     line.current, line.total});
      printer.tick();
    }
  }
  printer.event({parent, "", "", "Pushed", StepKind::kDone});
  return ok_status();
}

}  // namespace

Status push_images(Context& context, const compose::Project& project,
                   const std::vector<std::string>& names, const PushOptions& how) {
  const Engine* engine = TRY(context.engine());
  ProgressPrinter::Options options = context.progress_options("Pushing");
  if (how.quiet) options.mode = ProgressMode::kQuiet;
  ProgressPrinter printer(options);
  for (const std::string& name : names) {
    const compose::Service& service = project.services.at(name);
    if (!service.build || service.image.empty()) {
      if (how.show_skipped) printer.event({name, "", "", "Skipped", StepKind::kDone});
      continue;
    }
    std::vector<std::string> references{service.image};
    references.insert(references.end(), service.build->tags.begin(), service.build->tags.end());
    for (const std::string& reference : references) {
      Status pushed = push_one(*engine, reference, printer);
      if (pushed.ok()) continue;
      printer.event({"Pushing " + reference, "", "", "Error", StepKind::kError});
      if (!how.ignore_failures) return std::move(pushed).error();
      context.warn(pushed.error().to_string());
    }
  }
  printer.finish();
  return ok_status();
}

namespace {

Result<int> push(Context& context, const Arguments& args) {
  const compose::Project* project = TRY(context.project(args.positional));
  TRY(check_services(*project, args.positional));
  std::vector<std::string> names;
  if (args.positional.empty()) {
    for (const auto& [name, service] : project->services) names.push_back(name);
  } else if (args.on("include-deps")) {
    for (const std::string& name : args.positional) add_dependencies(*project, name, names);
  } else {
    names = args.positional;
  }
  TRY(push_images(context, *project, names,
                  {.quiet = args.on("quiet"), .ignore_failures = args.on("ignore-push-failures")}));
  return 0;
}

}  // namespace

constinit const Command kPushCommand{
    "push", "[OPTIONS] [SERVICE...]", "Push service images", kPushFlags, 0, push};

}  // namespace stack::cli
