// image: import, load, save, ls, rm, build, pull, tag and inspect in their simple Docker forms.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>

#include "base/fd.h"
#include "cli/duration_text.h"
#include "cli/format.h"
#include "cli/project_run.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kImportFlags[] = {
    {"change", 'c', FlagType::kList, "Apply Dockerfile instruction to the created image"},
    {"message", 'm', FlagType::kString, "Set commit message for imported image"},
    {"platform", 0, FlagType::kString, "", "", true},
};
constexpr FlagSpec kLoadFlags[] = {
    {"input", 'i', FlagType::kString, "Read from tar archive file, instead of STDIN"},
    {"quiet", 'q', FlagType::kBool, "Suppress the load output"},
};
constexpr FlagSpec kSaveFlags[] = {
    {"output", 'o', FlagType::kString, "Write to a file, instead of STDOUT"}};
constexpr FlagSpec kLsFlags[] = {
    {"format", 0, FlagType::kString, "Format output: table, json, or a Go template", "table"},
    {"no-trunc", 0, FlagType::kBool, "Don't truncate output"},
    {"quiet", 'q', FlagType::kBool, "Only show image IDs"},
};
constexpr FlagSpec kRmFlags[] = {
    {"force", 'f', FlagType::kBool, "Force removal of the image"},
    {"no-prune", 0, FlagType::kBool, "Do not delete untagged parents"},
};
constexpr FlagSpec kBuildFlags[] = {
    {"build-arg", 0, FlagType::kList, "Set build-time variables"},
    {"file", 'f', FlagType::kString, "Name of the Dockerfile (default: \"PATH/Dockerfile\")"},
    {"label", 0, FlagType::kList, "Set metadata for an image"},
    {"no-cache", 0, FlagType::kBool, "Do not use cache when building the image"},
    {"pull", 0, FlagType::kBool, "Always attempt to pull a newer version of the image"},
    {"quiet", 'q', FlagType::kBool, "Suppress the build output and print image ID on success"},
    {"tag", 't', FlagType::kList, "Name and optionally a tag (format: \"name:tag\")"},
    {"target", 0, FlagType::kString, "Set the target build stage to build."},
};

// "localhost:5000/a/b:tag" is {"localhost:5000/a/b", "tag"}; a digest stays with the name.
std::pair<std::string, std::string> split_tag(const std::string& reference) {
  const std::size_t colon = reference.rfind(':');
  if (colon == std::string::npos || reference.find('/', colon) != std::string::npos ||
      reference.find('@') != std::string::npos) {
    return {reference, ""};
  }
  return {reference.substr(0, colon), reference.substr(colon + 1)};
}

Result<Fd> open_input(const std::string& path) {
  if (path != "-") return open_fd(path, O_RDONLY);
  if (is_terminal(STDIN_FILENO)) {
    return Error::invalid("requested load from stdin, but stdin is a terminal")
        .fix("Name the archive, or redirect it to stdin.");
  }
  return duplicate(STDIN_FILENO);
}

// Shows the engine's lines of progress until the end; what it says last (an id) is the answer.
Result<std::string> show_progress(Context& context, BodyStream stream, std::string title,
                                  bool quiet) {
  ProgressPrinter printer(context.progress_options(std::move(title)));
  std::string pending;
  std::string last;
  for (bool more = true; more;) {
    more = TRY(stream.read(pending));
    std::size_t start = 0;
    for (std::size_t newline = 0; (newline = pending.find('\n', start)) != std::string::npos ||
                                  (!more && start < pending.size());
         start = newline == std::string::npos ? pending.size() : newline + 1) {
      const std::string_view text = std::string_view(pending).substr(
          start, newline == std::string::npos ? newline : newline - start);
      if (text.find_first_not_of("\r ") == std::string_view::npos) continue;
      const PullLine line = TRY(parse_pull_line(text));
      if (!line.error.empty()) return Error::make(ErrorKind::kInternal, line.error);
      if (!line.stream.empty()) last = line.stream;
      if (!line.status.empty()) last = line.status;
      if (quiet) continue;
      if (line.id.empty() || line.status.empty()) continue;
      const bool done = line.status.find("omplete") != std::string::npos ||
                        line.status == "Already exists" || line.status.starts_with("Pulled");
      printer.event({line.id, "", "", line.status, done ? StepKind::kDone : StepKind::kWorking,
                     line.current, line.total});
      printer.tick();
    }
    pending.erase(0, start);
  }
  printer.finish();
  while (!last.empty() && last.back() == '\n') last.pop_back();
  return last;
}

Result<int> import(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const Fd input = TRY(open_input(args.positional[0]));
  std::string target = fmt::format("{}/images/create?fromSrc=-", kApi);
  if (args.positional.size() > 1) {
    const auto [name, tag] = split_tag(args.positional[1]);
    target += fmt::format("&repo={}&tag={}", url_encode(name), url_encode(tag));
  }
  for (const std::string& change : args.list("change")) target += "&changes=" + url_encode(change);
  if (args.given("message")) target += "&message=" + url_encode(args.text("message"));
  BodyStream stream =
      TRY(engine->http().upload("POST", target, "application/x-tar", bytes_of(input.get())));
  print(TRY(show_progress(context, std::move(stream), "Importing", true)) + '\n');
  return 0;
}

Result<int> load(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const Fd input = TRY(open_input(args.given("input") ? args.text("input") : "-"));
  BodyStream stream = TRY(engine->http().upload("POST", fmt::format("{}/images/load?quiet=1", kApi),
                                                "application/x-tar", bytes_of(input.get())));
  const std::string said =
      TRY(show_progress(context, std::move(stream), "Loading", args.on("quiet")));
  if (!args.on("quiet")) print(said + '\n');
  return 0;
}

Result<int> save(Context& context, const Arguments& args) {
  const std::string path = args.text("output");
  if (path.empty() && is_terminal(STDOUT_FILENO)) {
    return Error::invalid("cowardly refusing to save to a terminal")
        .fix("Use -o FILE or redirect the output.");
  }
  const Engine* engine = TRY(context.engine());
  std::string target = fmt::format("{}/images/get?", kApi);
  for (const std::string& name : args.positional) target += "names=" + url_encode(name) + '&';
  target.pop_back();
  BodyStream stream = TRY(engine->http().stream("GET", target));
  Fd file;
  const std::string partial = path + ".partial";
  if (!path.empty()) file = TRY(open_fd(partial, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  const auto copy = [&]() -> Status {
    std::string bytes;
    for (bool more = true; more;) {
      bytes.clear();
      more = TRY(stream.read(bytes));
      TRY(write_all(path.empty() ? STDOUT_FILENO : file.get(), bytes));
    }
    return ok_status();
  };
  Status copied = copy();
  if (!path.empty()) {
    // A cut archive must not look like a whole one.
    if (!copied.ok())
      (void)::unlink(partial.c_str());
    else if (::rename(partial.c_str(), path.c_str()) != 0)
      return Error::os(errno, path);
  }
  if (!copied.ok()) return std::move(copied).error();
  return 0;
}

Result<int> ls(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  auto images = TRY(engine->images());
  std::sort(images.begin(), images.end(),
            [](const ImageDetails& a, const ImageDetails& b) { return a.created > b.created; });
  const auto now = std::chrono::system_clock::now();
  std::vector<Record> records;
  std::string ids;
  for (const ImageDetails& image : images) {
    const std::string bare = image.id.substr(image.id.find(':') + 1);
    const std::string id = args.on("no-trunc") ? image.id : bare.substr(0, 12);
    std::vector<std::string> tags = image.tags;
    if (tags.empty()) tags.emplace_back("<none>:<none>");
    ids += id + '\n';
    for (const std::string& reference : tags) {
      const auto [name, tag] = split_tag(reference);
      if (!args.positional.empty() && args.positional[0] != name && args.positional[0] != reference)
        continue;
      records.emplace_back()
          .add("CreatedAt", created_at_text(image.created))
          .add("CreatedSince",
               human_duration(now - std::chrono::system_clock::from_time_t(image.created)) + " ago")
          .add("ID", id)
          .add("Repository", name)
          .add("Size", human_size(static_cast<double>(image.size)))
          .add("Tag", tag);
    }
  }
  print(args.on("quiet") ? ids
                         : TRY(render_list(args.text("format"),
                                           {{"REPOSITORY", "Repository"},
                                            {"TAG", "Tag"},
                                            {"IMAGE ID", "ID"},
                                            {"CREATED", "CreatedSince"},
                                            {"SIZE", "Size"}},
                                           records, 10)));
  return 0;
}

// Goes on after a failure, so that one missing name does not hide the others.
template <typename F>
int each(const Arguments& args, F one) {
  int code = 0;
  for (const std::string& name : args.positional) {
    if (const Status status = one(name); !status.ok()) print_error(status.error()), code = 1;
  }
  return code;
}

Result<int> rm(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  return each(args, [&](const std::string& name) -> Status {
    const std::string json = TRY(engine->http().remove(
        fmt::format("{}/images/{}?force={}&noprune={}", kApi, url_encode(name),
                    args.on("force") ? 1 : 0, args.on("no-prune") ? 1 : 0)));
    for (const auto& [what, id] : TRY(parse_deletions(json)))
      print(fmt::format("{}: {}\n", what, id));
    return ok_status();
  });
}

Result<int> tag(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const auto [name, version] = split_tag(args.positional[1]);
  TRY(engine->http().post(fmt::format("{}/images/{}/tag?repo={}&tag={}", kApi,
                                      url_encode(args.positional[0]), url_encode(name),
                                      url_encode(version))));
  return 0;
}

Result<int> inspect(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  std::string out;
  const int code = each(args, [&](const std::string& name) -> Status {
    out += (out.empty() ? "" : ",") +
           TRY(engine->http().get(fmt::format("{}/images/{}/json", kApi, url_encode(name))));
    return ok_status();
  });
  print(pretty_json('[' + out + ']') + '\n');
  return code;
}

// K=V, or a bare K with its value from our environment.
std::map<std::string, std::string> pairs(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> out;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    out[text.substr(0, equals)] =
        equals == std::string::npos ? environment_value(text.c_str()) : text.substr(equals + 1);
  }
  return out;
}

// A project of one service: the engine builds on this machine, so the context needs no archive.
Result<int> build(Context& context, const Arguments& args) {
  std::error_code ec;
  const auto directory = std::filesystem::canonical(args.positional[0], ec);
  if (ec) return Error::os(ec.value(), args.positional[0]);
  const auto tags = args.list("tag");
  // "$" would be a variable in the canonical document.
  const auto literal = [](const std::string& text) {
    std::string out;
    for (const char c : text) out += c == '$' ? std::string("$$") : std::string(1, c);
    return out;
  };
  JsonObject section;
  section.add("context", literal(directory));
  std::string dockerfile = "Dockerfile";
  if (args.given("file")) dockerfile = std::filesystem::absolute(args.text("file"));
  section.add("dockerfile", literal(dockerfile));
  JsonObject build_args;
  for (const auto& [name, value] : pairs(args.list("build-arg")))
    build_args.add(name, literal(value));
  if (!build_args.empty()) section.add_json("args", build_args.text());
  JsonObject labels;
  for (const auto& [name, value] : pairs(args.list("label"))) labels.add(name, literal(value));
  if (!labels.empty()) section.add_json("labels", labels.text());
  if (args.given("target")) section.add("target", args.text("target"));
  if (tags.size() > 1) section.add("tags", std::vector<std::string>(tags.begin() + 1, tags.end()));
  JsonObject service;
  service.add_json("build", section.text());
  if (!tags.empty()) service.add("image", tags[0]);
  JsonObject options;
  if (args.on("no-cache")) options.add("no_cache", true);
  if (args.on("pull")) options.add("pull", "always");
  const std::string project =
      JsonObject()
          .add("name", "image-build")
          .add_json("services", JsonObject().add_json("image", service.text()).text())
          .text();
  ProjectRequest request;
  request.verb = "build";
  request.title = "Building";
  request.scope.name = "image-build";
  request.project_json = project;
  request.working_dir = directory;
  request.options = options;
  request.quiet_log = request.quiet_steps = args.on("quiet");
  const auto outcome = TRY(call_project(context, request));
  for (const auto& [name, id] : outcome.images) {
    if (args.on("quiet")) print(id + '\n');
  }
  return 0;
}

constinit const Command kBuild{
    "build", "[OPTIONS] PATH", "Build an image from a Dockerfile", kBuildFlags, 1, build};
constinit const Command kImport{"import",
                                "[OPTIONS] FILE|- [REPOSITORY[:TAG]]",
                                "Import the contents from a tarball to create a filesystem image",
                                kImportFlags,
                                1,
                                import};
constinit const Command kInspect{
    "inspect", "IMAGE [IMAGE...]", "Display detailed information on one or more images", {}, 1,
    inspect};
constinit const Command kLoad{"load",     "[OPTIONS]", "Load an image from a tar archive or STDIN",
                              kLoadFlags, 0,           load};
constinit const Command kLs{
    "ls", "[OPTIONS] [REPOSITORY[:TAG]]", "List images", kLsFlags, 0, ls, {}, true, "list"};
constinit const Command kRm{
    "rm",    "[OPTIONS] IMAGE [IMAGE...]", "Remove one or more images", kRmFlags, 1, rm, {}, true,
    "remove"};
constinit const Command kSave{
    "save", "[OPTIONS] IMAGE [IMAGE...]", "Save one or more images to a tar archive", kSaveFlags, 1,
    save};
constinit const Command kTag{"tag",
                             "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
                             "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
                             {},
                             2,
                             tag};
constexpr const Command* kChildren[] = {
    &kBuild, &kImport, &kInspect, &kLoad, &kLs, &kImagePullCommand, &kImagePushCommand,
    &kRm,    &kSave,   &kTag};

}  // namespace

constinit const Command kImageCommand{"image", "COMMAND", "Manage images", {},
                                      0,       nullptr,   kChildren};

}  // namespace stack::cli
