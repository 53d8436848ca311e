// commit, export and publish: a service's container, or the project, for others.
#include <fmt/core.h>

#include <algorithm>

#include "cli/containers.h"
#include "cli/docker/container_files.h"
#include "cli/docker/save_stream.h"
#include "cli/progress.h"
#include "cli/verbs.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kIndexFlags[] = {
    {"index", 0, FlagType::kInt, "index of the container if service has multiple replicas."},
};
constexpr FlagSpec kPublishFlags[] = {
    {"app", 0, FlagType::kBool, "Published compose application (includes referenced images)"},
    {"oci-version", 0, FlagType::kString, "OCI image/artifact specification version"},
    {"resolve-image-digests", 0, FlagType::kBool, "Pin image tags to digests"},
    {"with-env", 0, FlagType::kBool, "Include environment variables in the published OCI artifact"},
    {"yes", 'y', FlagType::kBool, "Assume \"yes\" as answer to all prompts"},
};

// The container that the flags mean, running or not.
Result<Container> container_of(Context& context, const Arguments& args) {
  const std::string& service = args.positional[0];
  const ProjectScope scope = TRY(context.scope({service}));
  auto found = TRY(project_containers(context, scope, {service}, true));
  const long index = args.number("index").value_or(0);
  std::erase_if(found, [index](const Container& c) {
    return c.one_off() || (index > 0 && c.number() != index);
  });
  if (found.empty()) {
    return Error::not_found(index > 0
                                ? fmt::format("service \"{}\" has no container #{}", service, index)
                                : fmt::format("service \"{}\" has no container", service))
        .fix(fmt::format("Create it with `stack up -d {}`.", service));
  }
  return *std::min_element(found.begin(), found.end(), [](const Container& a, const Container& b) {
    return a.number() < b.number();
  });
}

Result<int> commit(Context& context, const Arguments& args) {
  const Container container = TRY(container_of(context, args));
  const Engine* engine = TRY(context.engine());
  const std::string reference = args.positional.size() > 1 ? args.positional[1] : "";
  ProgressPrinter printer(context.progress_options("Committing"));
  const auto say = [&](std::string_view status, StepKind kind) {
    printer.event({container.name, "", "commit " + container.name, std::string(status), kind});
  };
  say("Committing", StepKind::kWorking);
  if (context.dry_run()) {
    say("Committed", StepKind::kDone);
    return 0;
  }
  const std::string id = TRY(docker::commit_container(*engine, container.id, reference, args));
  say("Committed as " + id, StepKind::kDone);
  return 0;
}

Result<int> export_service(Context& context, const Arguments& args) {
  TRY(docker::check_save_target(args.text("output")));
  const Container container = TRY(container_of(context, args));
  if (context.dry_run()) return 0;
  const Engine* engine = TRY(context.engine());
  TRY(docker::export_container(*engine, container.id, args));
  return 0;
}

Result<int> publish(Context&, const Arguments&) {
  return Error::invalid(
             "publish is not supported: there is no way yet to keep a project in a registry")
      .fix("Keep compose.yaml with the sources, and push the images with `stack compose push`.");
}

}  // namespace

constinit const Command kCommitCommand{
    .name = "commit",
    .usage = "[OPTIONS] SERVICE [REPOSITORY[:TAG]]",
    .summary = "Create a new image from a service container's changes",
    .flags = kIndexFlags,
    .min_args = 1,
    .run = commit,
    .max_args = 2,
    .more_flags = docker::kCommitFlags};
constinit const Command kExportCommand{
    .name = "export",
    .usage = "[OPTIONS] SERVICE",
    .summary = "Export a service container's filesystem as a tar archive",
    .flags = kIndexFlags,
    .min_args = 1,
    .run = export_service,
    .max_args = 1,
    .more_flags = docker::kExportFlags};
constinit const Command kPublishCommand{.name = "publish",
                                        .usage = "[OPTIONS] REPOSITORY[:TAG]",
                                        .summary = "Publish compose application",
                                        .flags = kPublishFlags,
                                        .min_args = 1,
                                        .run = publish,
                                        .max_args = 1};

}  // namespace stack::cli
