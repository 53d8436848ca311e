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

// Whether the path is a directory in the container; nullopt when there is nothing.
Result<std::optional<bool>> is_directory_in(const Engine& engine, const std::string& id,
                                            const std::string& path) {
  const Response response = TRY(engine.http().request("HEAD", archive_target(id, path)));
  if (response.status == 404) return std::optional<bool>();
  if (!response.ok()) return error_of(response);
  const std::string mode = json_member(decode_base64(response.path_stat).value_or(""), "mode");
  return std::optional<bool>((std::strtoull(mode.c_str(), nullptr, 10) & (1ULL << 31U)) !=
                             0);  // Go's fs.ModeDir
}

// Where a symbolic link in the container leads; the path itself when it is none.
Result<std::string> link_target(const Engine& engine, const std::string& id,
                                const std::string& path) {
  const Response response = TRY(engine.http().request("HEAD", archive_target(id, path)));
  if (response.status == 404) return path;
  if (!response.ok()) return error_of(response);
  const std::string target =
      json_member(decode_base64(response.path_stat).value_or(""), "linkTarget");
  return target.empty() ? path : target;
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
  const std::string source = options.follow_link ? TRY(link_target(engine, container, from)) : from;
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
  const std::optional<bool> directory = TRY(is_directory_in(engine, container, to));
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
