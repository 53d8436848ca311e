// pull, push, load, save and import.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/docker/save_stream.h"
#include "cli/docker/support.h"
#include "cli/docker/transfer.h"
#include "cli/docker/verbs.h"
#include "cli/terminal.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kTrustFlag{"disable-content-trust", 0, FlagType::kBool,
                              "Skip image verification", "true"};
constexpr FlagSpec kPullFlags[] = {
    {"all-tags", 'a', FlagType::kBool, "Download all tagged images in the repository"},
    kTrustFlag,
    {"platform", 0, FlagType::kString, "Set platform if server is multi-platform capable"},
    {"quiet", 'q', FlagType::kBool, "Suppress verbose output"},
};
constexpr FlagSpec kPushFlags[] = {
    {"all-tags", 'a', FlagType::kBool, "Push all tags of an image to the repository"},
    kTrustFlag,
    {"platform", 0, FlagType::kString,
     "Push a platform-specific manifest as a single-platform image to the registry."},
    {"quiet", 'q', FlagType::kBool, "Suppress verbose output"},
};
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

Result<int> pull(Context& context, const Arguments& args) {
  const std::string& reference = args.positional[0];
  const Engine* engine = TRY(context.engine());
  const TransferOutput output{STDOUT_FILENO, args.on("quiet")};
  const auto [name, tag] = split_tag(reference);
  if (args.on("all-tags")) {
    if (!tag.empty()) return Error::invalid("tag can't be used with --all-tags/-a");
    TRY(pull_all_tags(engine->http(), name, args.text("platform"),
                      context.globals().config_directory, output));
    print(name + '\n');
    return 0;
  }
  if (tag.empty() && reference.find('@') == std::string::npos && !args.on("quiet"))
    print("Using default tag: latest\n");
  TRY(pull_image(engine->http(), reference, args.text("platform"),
                 context.globals().config_directory, output));
  print(full_image_name(reference) + '\n');
  return 0;
}

Result<int> push(Context& context, const Arguments& args) {
  const std::string& reference = args.positional[0];
  auto [name, tag] = split_tag(reference);
  if (args.on("all-tags") && !tag.empty())
    return Error::invalid("tag can't be used with --all-tags/-a");
  if (!args.on("all-tags") && tag.empty()) {
    tag = "latest";
    if (!args.on("quiet")) print("Using default tag: latest\n");
  }
  const Engine* engine = TRY(context.engine());
  if (!args.on("quiet")) {
    const std::string full = full_image_name(name);
    print(fmt::format("The push refers to repository [{}]\n", full.substr(0, full.rfind(':'))));
  }
  std::string target = image_path(name) + "/push?";
  if (!tag.empty()) target += "tag=" + url_encode(tag);
  if (args.given("platform")) target += "&platform=" + url_encode(args.text("platform"));
  TRY(push_image(engine->http(), target, name, context.globals().config_directory,
                 {STDOUT_FILENO, args.on("quiet")}));
  if (args.on("quiet")) print(full_image_name(tag.empty() ? name : name + ':' + tag) + '\n');
  return 0;
}

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
  TRY(show_transfer(
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
    const auto [name, tag] = split_tag(args.positional[1]);
    target += fmt::format("&repo={}&tag={}", url_encode(name), url_encode(tag));
  }
  for (const std::string& change : args.list("change")) target += "&changes=" + url_encode(change);
  if (args.given("message")) target += "&message=" + url_encode(args.text("message"));
  if (args.given("platform")) target += "&platform=" + url_encode(args.text("platform"));
  if (remote) {
    TRY(show_transfer(engine->http().stream("POST", target), {STDOUT_FILENO, false}));
    return 0;
  }
  const Fd input = TRY(open_input(source, "import"));
  TRY(show_transfer(
      engine->http().upload("POST", target, "application/x-tar", bytes_of(input.get())),
      {STDOUT_FILENO, false}));
  return 0;
}

}  // namespace

constinit const Command kPull{.name = "pull",
                              .usage = "[OPTIONS] NAME[:TAG|@DIGEST]",
                              .summary = "Download an image from a registry",
                              .flags = kPullFlags,
                              .min_args = 1,
                              .run = pull,
                              .words = Words::kDocker,
                              .max_args = 1};
constinit const Command kPush{.name = "push",
                              .usage = "[OPTIONS] NAME[:TAG]",
                              .summary = "Upload an image to a registry",
                              .flags = kPushFlags,
                              .min_args = 1,
                              .run = push,
                              .words = Words::kDocker,
                              .max_args = 1};
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
