// commit, export and cp.
#include "cli/docker/container_files.h"

#include <fmt/core.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/container_copy.h"
#include "cli/docker/save_stream.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/registry_client.h"
#include "cli/terminal.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kCpFlags[] = {
    {"archive", 'a', FlagType::kBool, "Archive mode (copy all uid/gid information)"},
    {"follow-link", 'L', FlagType::kBool, "Always follow symbol link in SRC_PATH"},
    {"quiet", 'q', FlagType::kBool, "Suppress progress output during copy."},
};

Result<int> commit(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const std::string reference = args.positional.size() > 1 ? args.positional[1] : "";
  print(TRY(commit_container(*engine, args.positional[0], reference, args)) + '\n');
  return 0;
}

Result<int> export_files(Context& context, const Arguments& args) {
  TRY(check_save_target(args.text("output")));
  const Engine* engine = TRY(context.engine());
  TRY(export_container(*engine, args.positional[0], args));
  return 0;
}

Result<int> cp(Context& context, const Arguments& args) {
  const CopyPlace from = copy_place(args.positional[0]);
  const CopyPlace to = copy_place(args.positional[1]);
  if (!from.name.empty() && !to.name.empty())
    return Error::invalid("copying between containers is not supported")
        .fix("Copy to this machine first, then into the other container.");
  if (from.name.empty() && to.name.empty())
    return Error::invalid("must specify at least one container source")
        .fix("Write one of the two as CONTAINER:PATH.");
  const Engine* engine = TRY(context.engine());
  const CopyOptions options{args.on("archive"), args.on("follow-link")};
  if (!from.name.empty())
    TRY(copy_out(*engine, from.name, from.path, to.path, options));
  else
    TRY(copy_in(*engine, to.name, from.path, to.path, options));
  if (!args.on("quiet") && is_terminal(STDOUT_FILENO) && to.path != "-")
    (void)write_all(STDERR_FILENO, fmt::format("Successfully copied to {}\n", args.positional[1]));
  return 0;
}

}  // namespace

Result<std::string> commit_container(const Engine& engine, const std::string& container,
                                     const std::string& reference, const Arguments& args) {
  std::string target = fmt::format("{}/commit?container={}&pause={}", kApi, url_encode(container),
                                   args.on("pause") ? 1 : 0);
  if (!reference.empty()) {
    const auto [name, tag, digest] = split_image_name(reference);
    target += fmt::format("&repo={}&tag={}", url_encode(name), url_encode(tag));
  }
  if (args.given("author")) target += "&author=" + url_encode(args.text("author"));
  if (args.given("message")) target += "&comment=" + url_encode(args.text("message"));
  for (const std::string& change : args.list("change")) target += "&changes=" + url_encode(change);
  return TRY(post_document(engine, target)).root().text("Id");
}

Status export_container(const Engine& engine, const std::string& container, const Arguments& args) {
  return save_stream(engine.http().stream("GET", container_path(container) + "/export"),
                     args.text("output"));
}

constinit const Command kCommit{.name = "commit",
                                .usage = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
                                .summary = "Create a new image from a container's changes",
                                .flags = kCommitFlags,
                                .min_args = 1,
                                .run = commit,
                                .words = Words::kDocker,
                                .max_args = 2};
constinit const Command kExport{.name = "export",
                                .usage = "[OPTIONS] CONTAINER",
                                .summary = "Export a container's filesystem as a tar archive",
                                .flags = kExportFlags,
                                .min_args = 1,
                                .run = export_files,
                                .words = Words::kDocker,
                                .max_args = 1};
constinit const Command kCp{
    .name = "cp",
    .usage =
        "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n"
        "        stack cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    .summary = "Copy files/folders between a container and the local filesystem",
    .flags = kCpFlags,
    .min_args = 2,
    .run = cp,
    .words = Words::kDocker,
    .max_args = 2};

}  // namespace stack::cli::docker
