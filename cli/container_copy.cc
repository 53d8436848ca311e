#include "cli/container_copy.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "base/base64.h"
#include "base/fd.h"
#include "cli/tar.h"

namespace stack::cli {

namespace {

namespace fs = std::filesystem;

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

struct Found {
  bool directory = false;
  std::string link_target;  // of a symbolic link: where it leads in the container
};

// What is at the path in the container; nullopt when there is nothing.
Result<std::optional<Found>> find_in(const Engine& engine, const std::string& id,
                                     const std::string& path) {
  const Response response = TRY(engine.http().request("HEAD", archive_target(id, path)));
  if (response.status == 404) return std::optional<Found>();
  if (!response.ok()) return error_of(response);
  const std::string stat = decode_base64(response.path_stat).value_or("");
  const std::uint64_t mode = std::strtoull(json_member(stat, "mode").c_str(), nullptr, 10);
  return std::optional<Found>(
      Found{(mode & (1ULL << 31U)) != 0, json_member(stat, "linkTarget")});  // Go's fs.ModeDir
}

}  // namespace

CopyPlace copy_place(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || text[0] == '/' || text[0] == '.')
    return {"", text};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

Status copy_out(const Engine& engine, const std::string& container, const std::string& from,
                const std::string& to, const CopyOptions& options) {
  if (from.empty()) return Error::invalid("the path in the container is empty");
  std::string source = from;
  if (options.follow_link) {
    if (const auto found = TRY(find_in(engine, container, from));
        found && !found->link_target.empty())
      source = found->link_target;
  }
  auto opened = engine.http().stream("GET", archive_target(container, source));
  if (!opened.ok() && opened.error().kind == ErrorKind::kNotFound &&
      opened.error().message.find("o such container") == std::string::npos) {
    return Error::not_found(
        fmt::format("Could not find the file {} in container {}", source, container));
  }
  BodyStream stream = TRY(std::move(opened));
  std::error_code ec;
  const bool into_directory = fs::is_directory(to, ec);
  fs::path directory = to;
  std::string rename_to;
  if (means_content(source)) {
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

Status copy_in(const Engine& engine, const std::string& container, const std::string& from,
               const std::string& to, const CopyOptions& options) {
  std::optional<Found> found = TRY(find_in(engine, container, to));
  std::string target = to;
  if (found && !found->link_target.empty()) {  // what it leads to is written, never the link
    target = found->link_target;
    found = TRY(find_in(engine, container, target));
  }
  std::error_code ec;
  const bool needs_directory = target.ends_with('/') && from != "-" && !fs::is_directory(from, ec);
  if (!found && needs_directory && TRY(find_in(engine, container, "/"))) {
    return Error::not_found(fmt::format("no such directory: {} in container {}", to, container))
        .fix("Create it first, or leave out the last slash.");
  }
  const std::string place = target;
  std::string name = last_part(from);
  if (from != "-") {
    if (means_content(from)) {
      name = ".";
      if (!found) target = parent_of(place), name = last_part(place);
    } else if (!found || !found->directory) {
      target = parent_of(place);
      name = last_part(place);
    }
  }
  std::string upload_path = archive_target(container, target) + "&noOverwriteDirNonDir=true";
  if (options.archive) upload_path += "&copyUIDGID=true";
  const std::string source = means_content(from) ? parent_of(from) : from;
  const ApiClient::Producer produce =
      from == "-" ? bytes_of(STDIN_FILENO) : ApiClient::Producer([&](const ApiClient::Sink& sink) {
        return write_tar(source, name, options.follow_link, sink);
      });
  BodyStream answer = TRY(engine.http().upload("PUT", upload_path, "application/x-tar", produce));
  std::string rest;
  while (TRY(answer.read(rest))) {
  }
  return ok_status();
}

}  // namespace stack::cli
