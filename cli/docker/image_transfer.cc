// load, save and import.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/docker/save_stream.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/message_stream.h"
#include "cli/registry_client.h"
#include "cli/terminal.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kLoadFlags[] = {
    {"input", 'i', FlagType::kString, "Read from tar archive file, instead of STDIN"},
    {"platform", 0, FlagType::kString, "Load only the given platform variant."},
    {"quiet", 'q', FlagType::kBool, "Suppress the load output"},
};
constexpr FlagSpec kSaveFlags[] = {
    {"output", 'o', FlagType::kString, "Write to a file, instead of STDOUT"},
    {"platform", 0, FlagType::kString, "Save only the given platform variant."},
};
constexpr FlagSpec kImportFlags[] = {
    {"change", 'c', FlagType::kList, "Apply Dockerfile instruction to the created image"},
    {"message", 'm', FlagType::kString, "Set commit message for imported image"},
    {"platform", 0, FlagType::kString, "Set platform if server is multi-platform capable"},
};

Result<Fd> open_input(const std::string& path, std::string_view what) {
  if (!path.empty() && path != "-") return open_fd(path, O_RDONLY);
  if (is_terminal(STDIN_FILENO)) {
    return Error::invalid(fmt::format("requested {} from stdin, but stdin is empty", what))
        .fix("Name the archive, or redirect it to stdin.");
  }
  return duplicate(STDIN_FILENO);
}

Result<int> load(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const Fd input = TRY(open_input(args.text("input"), "load"));
  const std::string target = fmt::format("{}/images/load?quiet={}", kApi, args.on("quiet") ? 1 : 0);
  TRY(show_messages(
      engine->http().upload("POST", target, "application/x-tar", bytes_of(input.get())),
      {STDOUT_FILENO, false}));
  return 0;
}

Result<int> save(Context& context, const Arguments& args) {
  const std::string path = args.text("output");
  TRY(check_save_target(path));
  const Engine* engine = TRY(context.engine());
  std::string target = fmt::format("{}/images/get?", kApi);
  for (const std::string& name : args.positional) target += "names=" + url_encode(name) + '&';
  target.pop_back();
  TRY(save_stream(engine->http().stream("GET", target), path));
  return 0;
}

Result<int> import(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const std::string& source = args.positional[0];
  const bool remote = source.starts_with("http://") || source.starts_with("https://");
  std::string target =
      fmt::format("{}/images/create?fromSrc={}", kApi, remote ? url_encode(source) : "-");
  if (args.positional.size() > 1) {
    const auto [name, tag, digest] = split_image_name(args.positional[1]);
    target += fmt::format("&repo={}&tag={}", url_encode(name), url_encode(tag));
  }
  for (const std::string& change : args.list("change")) target += "&changes=" + url_encode(change);
  if (args.given("message")) target += "&message=" + url_encode(args.text("message"));
  if (args.given("platform")) target += "&platform=" + url_encode(args.text("platform"));
  if (remote) {
    TRY(show_messages(engine->http().stream("POST", target), {STDOUT_FILENO, false}));
    return 0;
  }
  const Fd input = TRY(open_input(source, "import"));
  TRY(show_messages(
      engine->http().upload("POST", target, "application/x-tar", bytes_of(input.get())),
      {STDOUT_FILENO, false}));
  return 0;
}

}  // namespace

constinit const Command kLoad{.name = "load",
                              .usage = "[OPTIONS]",
                              .summary = "Load an image from a tar archive or STDIN",
                              .flags = kLoadFlags,
                              .run = load,
                              .words = Words::kDocker,
                              .max_args = 0};
constinit const Command kSave{
    .name = "save",
    .usage = "[OPTIONS] IMAGE [IMAGE...]",
    .summary = "Save one or more images to a tar archive (streamed to STDOUT by default)",
    .flags = kSaveFlags,
    .min_args = 1,
    .run = save,
    .words = Words::kDocker};
constinit const Command kImport{
    .name = "import",
    .usage = "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    .summary = "Import the contents from a tarball to create a filesystem image",
    .flags = kImportFlags,
    .min_args = 1,
    .run = import,
    .words = Words::kDocker,
    .max_args = 2};

}  // namespace stack::cli::docker
