// image build.
#include <fmt/core.h>
#include <unistd.h>

#include <filesystem>

#include "base/fd.h"
#include "base/files.h"
#include "cli/docker/build_section.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/message_stream.h"
#include "cli/project_run.h"
#include "cli/registry_client.h"
#include "cli/tar.h"
#include "cli/terminal.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kFlags[] = {
    {"add-host", 0, FlagType::kList, "Add a custom host-to-IP mapping (format: \"host:ip\")"},
    {"allow", 0, FlagType::kList, "", "", true},
    {"annotation", 0, FlagType::kList, "", "", true},
    {"attest", 0, FlagType::kList, "", "", true},
    {"build-arg", 0, FlagType::kList, "Set build-time variables"},
    {"build-context", 0, FlagType::kList, "Additional build contexts (e.g., name=path)"},
    {"builder", 0, FlagType::kString, "", "", true},
    {"cache-from", 0, FlagType::kList, "External cache sources"},
    {"cache-to", 0, FlagType::kList, "", "", true},
    {"call", 0, FlagType::kString, "", "", true},
    {"cgroup-parent", 0, FlagType::kString, "", "", true},
    {"check", 0, FlagType::kBool, "", "", true},
    {"compress", 0, FlagType::kBool, "", "", true},
    {"cpu-period", 0, FlagType::kInt, "", "", true},
    {"cpu-quota", 0, FlagType::kInt, "", "", true},
    {"cpu-shares", 'c', FlagType::kInt, "", "", true},
    {"cpuset-cpus", 0, FlagType::kString, "", "", true},
    {"cpuset-mems", 0, FlagType::kString, "", "", true},
    {"debug", 'D', FlagType::kBool, "", "", true},
    {"disable-content-trust", 0, FlagType::kBool, "", "", true},
    {"file", 'f', FlagType::kString, "Name of the Dockerfile (default: \"PATH/Dockerfile\")"},
    {"force-rm", 0, FlagType::kBool, "", "", true},
    {"iidfile", 0, FlagType::kString, "Write the image ID to a file"},
    {"isolation", 0, FlagType::kString, "", "", true},
    {"label", 0, FlagType::kList, "Set metadata for an image"},
    {"load", 0, FlagType::kBool, "Shorthand for \"--output=type=docker\""},
    {"memory", 'm', FlagType::kString, "", "", true},
    {"memory-swap", 0, FlagType::kString, "", "", true},
    {"metadata-file", 0, FlagType::kString, "", "", true},
    {"network", 0, FlagType::kString,
     "Set the networking mode for the \"RUN\" instructions during build", "default"},
    {"no-cache", 0, FlagType::kBool, "Do not use cache when building the image"},
    {"no-cache-filter", 0, FlagType::kList, "", "", true},
    {"output", 'o', FlagType::kList, "", "", true},
    {"platform", 0, FlagType::kList, "Set target platform for build"},
    {"progress", 0, FlagType::kString, "", "auto", true},
    {"provenance", 0, FlagType::kString, "", "", true},
    {"pull", 0, FlagType::kBool, "Always attempt to pull all referenced images"},
    {"push", 0, FlagType::kBool, "Shorthand for \"--output=type=registry\""},
    {"quiet", 'q', FlagType::kBool, "Suppress the build output and print image ID on success"},
    {"rm", 0, FlagType::kBool, "", "", true},
    {"sbom", 0, FlagType::kString, "", "", true},
    {"secret", 0, FlagType::kList,
     "Secret to expose to the build (format: \"id=mysecret[,src=/local/secret]\")"},
    {"security-opt", 0, FlagType::kList, "", "", true},
    {"shm-size", 0, FlagType::kString, "Shared memory size for build containers"},
    {"squash", 0, FlagType::kBool, "", "", true},
    {"ssh", 0, FlagType::kList, "", "", true},
    {"tag", 't', FlagType::kList, "Name and optionally a tag (format: \"name:tag\")"},
    {"target", 0, FlagType::kString, "Set the target build stage to build"},
    {"ulimit", 0, FlagType::kList, "Ulimit options"},
};

Status write_id(const Arguments& args, const std::string& id) {
  const std::string path = args.text("iidfile");
  if (path.empty()) return ok_status();
  return write_file(path, id);
}

Status push_tags(const Engine& engine, const Arguments& args) {
  for (const std::string& reference : args.list("tag"))
    TRY(show_messages(begin_push(engine.http(), reference), {STDOUT_FILENO, args.on("quiet")}));
  return ok_status();
}

Result<std::string> everything_on_stdin() {
  if (is_terminal(STDIN_FILENO))
    return Error::invalid("the build context is to come from stdin, which is a terminal");
  std::string out;
  TRY(bytes_of(STDIN_FILENO)([&out](std::string_view piece) -> Status {
    out += piece;
    return ok_status();
  }));
  return out;
}

bool is_archive(std::string_view bytes) {
  return bytes.substr(0, 2) == "\x1f\x8b" || bytes.substr(0, 3) == "BZh" ||
         bytes.substr(0, 4) == "\x28\xb5\x2f\xfd" ||
         bytes.substr(0, 6) == std::string_view(
                                   "\xfd"
                                   "7zXZ\0",
                                   6) ||
         (bytes.size() > 262 && bytes.substr(257, 5) == "ustar");
}

// `build -`: an archive, or a Dockerfile alone.
Result<std::string> build_stdin(const Engine& engine, const Arguments& args) {
  std::string input = TRY(everything_on_stdin());
  std::string query = TRY(build_query(args));
  if (!is_archive(input)) {
    TarEntry entry;
    entry.name = "Dockerfile";
    entry.size = input.size();
    input = tar_header(entry) + input + tar_padding(input.size()) + std::string(1024, '\0');
  } else if (args.given("file")) {
    query += "&dockerfile=" + url_encode(args.text("file"));
  }
  const auto produce = [&input](const ApiClient::Sink& sink) { return sink(input); };
  return show_messages(engine.http().upload("POST", fmt::format("{}/build?{}", kApi, query),
                                            "application/x-tar", produce),
                       {STDOUT_FILENO, args.on("quiet")});
}

// The engine builds on this machine, so the context needs no archive: a project of one service.
Result<std::string> build_directory(Context& context, const Arguments& args) {
  std::error_code ec;
  const std::string& path = args.positional[0];
  const auto directory = std::filesystem::canonical(path, ec);
  if (ec || !std::filesystem::is_directory(directory, ec)) {
    return Error::not_found(fmt::format("unable to prepare context: path \"{}\" not found", path))
        .fix("Name a directory with a Dockerfile; clone or unpack a remote one first.");
  }
  std::string inline_dockerfile;
  if (args.text("file") == "-") inline_dockerfile = TRY(everything_on_stdin());
  ProjectRequest request;
  request.verb = "build";
  request.title = "Building";
  request.scope.name = "image-build";
  request.project_json = TRY(build_project(args, directory, inline_dockerfile));
  request.working_dir = directory;
  request.options.add("plain", true);
  if (args.on("no-cache") || args.given("no-cache-filter")) request.options.add("no_cache", true);
  if (args.on("pull")) request.options.add("pull", true);
  request.quiet_log = request.quiet_steps = args.on("quiet") || args.text("progress") == "quiet";
  const auto outcome = TRY(call_project(context, request));
  return outcome.images.empty() ? std::string() : outcome.images.begin()->second;
}

Result<int> build(Context& context, const Arguments& args) {
  TRY(check_build_flags(args));
  const Engine* engine = TRY(context.engine());
  const std::string id = args.positional[0] == "-" ? TRY(build_stdin(*engine, args))
                                                   : TRY(build_directory(context, args));
  TRY(write_id(args, id));
  if (args.on("quiet")) print(id + '\n');
  if (args.on("push")) TRY(push_tags(*engine, args));
  return 0;
}

}  // namespace

constinit const Command kBuild{.name = "build",
                               .usage = "[OPTIONS] PATH | -",
                               .summary = "Build an image from a Dockerfile",
                               .flags = kFlags,
                               .min_args = 1,
                               .run = build,
                               .alias = "b",
                               .words = Words::kDocker,
                               .max_args = 1};

}  // namespace stack::cli::docker
