// cp.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/fd.h"
#include "cli/containers.h"
#include "cli/progress.h"
#include "cli/tar.h"
#include "cli/verbs.h"

namespace stack::cli {

namespace {

namespace fs = std::filesystem;

constexpr FlagSpec kFlags[] = {
    {"all", 0, FlagType::kBool, "Include containers created by the run command"},
    {"archive", 'a', FlagType::kBool, "Archive mode (copy all uid/gid information)"},
    {"follow-link", 'L', FlagType::kBool, "Always follow symbol link in SRC_PATH"},
    {"index", 0, FlagType::kInt, "Index of the container if service has multiple replicas"},
};

struct Place {
  std::string service;  // empty: on this machine
  std::string path;
};

// "web:/etc" is in a container; "./a:b", "/a:b" and "-" are not.
Place place_of(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || text[0] == '/' || text[0] == '.')
    return {"", text};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::string last_part(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path.substr(path.rfind('/') + 1);
}
std::string parent_of(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}
bool means_content(const std::string& path) { return path == "." || path.ends_with("/."); }

std::string archive_target(const std::string& id, const std::string& path) {
  return fmt::format("{}/containers/{}/archive?path={}", kApi, id, url_encode(path));
}

std::string base64_decode(std::string_view text) {
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    unsigned value = 0;
    if (c >= 'A' && c <= 'Z')
      value = static_cast<unsigned>(c - 'A');
    else if (c >= 'a' && c <= 'z')
      value = static_cast<unsigned>(c - 'a') + 26;
    else if (c >= '0' && c <= '9')
      value = static_cast<unsigned>(c - '0') + 52;
    else if (c == '+' || c == '-')
      value = 62;
    else if (c == '/' || c == '_')
      value = 63;
    else
      break;
    bits = (bits << 6U) | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> static_cast<unsigned>(count)) & 0xffU);
    }
  }
  return out;
}

// Whether the path is a directory in the container; nullopt when there is nothing.
Result<std::optional<bool>> is_directory_in(const Engine& engine, const std::string& id,
                                            const std::string& path) {
  const Response response = TRY(engine.http().request("HEAD", archive_target(id, path)));
  if (response.status == 404) return std::optional<bool>();
  if (!response.ok()) return error_of(response);
  const std::string mode = json_member(base64_decode(response.path_stat), "mode");
  return std::optional<bool>((std::strtoull(mode.c_str(), nullptr, 10) & (1ULL << 31U)) !=
                             0);  // Go's fs.ModeDir
}

Status copy_out(const Engine& engine, const Container& container, const Place& from,
                const std::string& to, bool follow_link) {
  (void)follow_link;  // the engine resolves the path it is given
  if (from.path.empty()) return Error::invalid("the path in the container is empty");
  auto opened = engine.http().stream("GET", archive_target(container.id, from.path));
  if (!opened.ok() && opened.error().kind == ErrorKind::kNotFound) {
    return Error::not_found(
        fmt::format("Could not find the file {} in container {}", from.path, container.id));
  }
  BodyStream stream = TRY(std::move(opened));
  std::error_code ec;
  const bool into_directory = fs::is_directory(to, ec);
  fs::path directory = to;
  std::string rename_to;
  if (means_content(from.path)) {
    fs::create_directories(directory, ec);
    if (ec) return Error::os(ec.value(), to);
  } else if (!into_directory) {
    if (to.ends_with('/'))
      return Error::not_found(fmt::format("the directory {} does not exist", to))
          .fix("Create it first.");
    directory = parent_of(to);
    rename_to = last_part(to);
  }
  TarExtractor extractor(directory, rename_to);
  std::string bytes;
  for (bool more = true; more;) {
    bytes.clear();
    more = TRY(stream.read(bytes));
    if (to == "-") {
      TRY(write_all(STDOUT_FILENO, bytes));
    } else {
      TRY_WHILE(extractor.feed(bytes), "unpacking what the container sent");
    }
  }
  return to == "-" ? ok_status() : extractor.finish();
}

Status copy_in(const Engine& engine, const Container& container, const std::string& from,
               const std::string& to, bool archive, bool follow_link) {
  const std::optional<bool> directory = TRY(is_directory_in(engine, container.id, to));
  std::string target = to;
  std::string name = last_part(from);
  if (from != "-") {
    if (means_content(from)) {
      name = ".";
      if (!directory) target = parent_of(to), name = last_part(to);
    } else if (!directory.value_or(false)) {
      target = parent_of(to);
      name = last_part(to);
    }
  }
  std::string upload_path = archive_target(container.id, target) + "&noOverwriteDirNonDir=true";
  if (archive) upload_path += "&copyUIDGID=true";
  const std::string source = means_content(from) ? parent_of(from) : from;
  const ApiClient::Producer produce =
      from == "-" ? bytes_of(STDIN_FILENO) : ApiClient::Producer([&](const ApiClient::Sink& sink) {
        return write_tar(source, name, follow_link, sink);
      });
  BodyStream answer = TRY(engine.http().upload("PUT", upload_path, "application/x-tar", produce));
  std::string rest;
  while (TRY(answer.read(rest))) {
  }
  return ok_status();
}

Result<int> cp(Context& context, const Arguments& args) {
  const Place from = place_of(args.positional[0]);
  const Place to = place_of(args.positional[1]);
  if (!from.service.empty() && !to.service.empty())
    return Error::invalid("copying between services is not supported");
  if (from.service.empty() && to.service.empty()) {
    return Error::invalid("unknown copy direction").fix("Write one of the two as SERVICE:PATH.");
  }
  const std::string& service = from.service.empty() ? to.service : from.service;
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
  if (!from.service.empty()) containers.resize(1);
  const Engine* engine = TRY(context.engine());
  ProgressPrinter printer(context.progress_options("Copying"));
  for (const Container& container : containers) {
    const bool out = !from.service.empty();
    const std::string what = out ? fmt::format("{}:{} to {}", container.name, from.path, to.path)
                                 : fmt::format("{} to {}:{}", from.path, container.name, to.path);
    const bool quiet = out && to.path == "-";
    if (!quiet) printer.event({container.name, "", "copy " + what, "Copying", StepKind::kWorking});
    if (!context.dry_run()) {
      if (out)
        TRY(copy_out(*engine, container, from, to.path, args.on("follow-link")));
      else
        TRY(copy_in(*engine, container, from.path, to.path, args.on("archive"),
                    args.on("follow-link")));
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
