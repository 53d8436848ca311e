// Files of containers: archive (docker cp), export, changes.
#include <fcntl.h>
#include <fmt/core.h>
#include <fts.h>
#include <sys/stat.h>

#include <cstring>
#include <set>

#include "base/base64.h"
#include "base/files.h"
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/api/text.h"
#include "engine/init_files.h"
#include "engine/json_fields.h"
#include "images/copy.h"
#include "images/overlay.h"
#include "images/store.h"
#include "runtime/user.h"

namespace stack::engine::api {

namespace {

// Go's os.FileMode: permissions, and types in the upper bits.
std::uint32_t go_mode(unsigned mode) {
  std::uint32_t out = mode & 0777U;
  if (S_ISDIR(mode)) out |= 1U << 31U;
  if (S_ISLNK(mode)) out |= 1U << 27U;
  if (S_ISBLK(mode)) out |= 1U << 26U;
  if (S_ISFIFO(mode)) out |= 1U << 25U;
  if (S_ISSOCK(mode)) out |= 1U << 24U;
  if ((mode & S_ISUID) != 0) out |= 1U << 23U;
  if ((mode & S_ISGID) != 0) out |= 1U << 22U;
  if (S_ISCHR(mode)) out |= (1U << 26U) | (1U << 21U);
  if ((mode & S_ISVTX) != 0) out |= 1U << 20U;
  return out;
}

std::string stat_header(const images::PathStat& stat) {
  return base64(dump({{"name", stat.name},
                      {"size", stat.size},
                      {"mode", go_mode(stat.mode)},
                      {"mtime", go_time(stat.mtime)},
                      {"linkTarget", stat.link_target}}));
}

Error not_there(const std::string& path, const std::string& container) {
  return Error::not_found(
      fmt::format("Could not find the file {} in container {}", path, container));
}

bool is_absent(const Error& error) {
  return error.kind == ErrorKind::kNotFound || error.os_errno == ENOENT ||
         error.os_errno == ENOTDIR;
}

std::string path_of(const ExchangePtr& exchange) {
  const auto path = exchange->request().query.text("path");
  if (path.empty()) respond_error(*exchange, 400, "bad parameter: path cannot be empty");
  return path;
}

// Where a path of a container lies while nothing is mounted in it: a volume or a directory of the
// host is looked into directly.
struct Place {
  std::optional<std::filesystem::path> root;  // else the container's own
  std::string path;
  std::string name;        // of what stands at `path`, where it has another one there
  std::string at = {};     // where `root`, but for `above`, is in the container
  std::string above = {};  // what of `root` the container does not see
};

Place place_of(const Container& c, const std::string& path) {
  Place out{std::nullopt, path, {}};
  if (is_up(c.status)) return out;
  const bool contents = path.ends_with("/.");
  auto wanted = std::filesystem::path("/" + path).lexically_normal().string();
  if (wanted.size() > 1 && wanted.back() == '/') wanted.pop_back();
  std::size_t longest = 0;
  for (const auto& mount : c.mounts) {
    const auto& target = mount.config.target;
    const bool inside = wanted.rfind(target, 0) == 0 &&
                        (wanted.size() == target.size() || wanted[target.size()] == '/');
    if (!inside || target.size() <= longest || mount.host_path.empty()) continue;
    longest = target.size();
    std::error_code ec;
    const std::filesystem::path source = mount.host_path;
    const auto below = wanted.substr(target.size());
    if (mount.config.type == "volume" && !mount.config.subpath.empty()) {
      // Seen from the volume's own root, which its links cannot lead out of.
      const std::string above = "/" + mount.config.subpath;
      out = {volume_directory(mount), above + below + (contents ? "/." : ""), {}, target, above};
    } else if (std::filesystem::is_directory(source, ec)) {
      out = {source, (below.empty() ? "/" : below) + (contents ? "/." : ""), {}, target};
    } else {
      out = {source.parent_path(), "/" + source.filename().string(), {}};
    }
    if (below.empty() && !contents) out.name = std::filesystem::path(target).filename();
  }
  return out;
}

// The same to read from: the files below /etc that a started container has are mounted into it.
Place readable_place_of(const Services& services, const Container& c, const std::string& path) {
  Place out = place_of(c, path);
  if (out.root || is_up(c.status)) return out;
  const auto wanted = std::filesystem::path("/" + path).lexically_normal();
  for (const char* name : {"hostname", "hosts", "resolv.conf"}) {
    std::error_code ec;
    const auto directory = services.paths.root / "containers" / c.id;
    if (wanted == std::filesystem::path("/etc") / name &&
        std::filesystem::exists(directory / name, ec))
      return {directory, std::string("/") + name, {}};
  }
  return out;
}

Result<images::PathStat> stat_at(int root, const Place& place, const std::string& path,
                                 const std::string& container) {
  auto stat = images::stat_in_root(root, place.path);
  if (!stat.ok() && is_absent(stat.error())) return not_there(path, container);
  if (!stat.ok()) return std::move(stat).error();
  if (!place.name.empty()) stat->name = place.name;
  // Clients expect the place in the container that a link leads to.
  if (!stat->link_target.empty()) {
    std::string target = TRY(images::resolve_in_root(root, place.path));
    if (target.starts_with(place.above)) target.erase(0, place.above.size());
    stat->link_target = place.at + target;
  }
  return stat;
}

void stat_path(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  const std::string path = path_of(exchange);
  if (path.empty()) return;
  auto header = std::make_shared<std::string>();
  services.containers->with_rootfs(
      c->id,
      [path, place = readable_place_of(services, *c, path), name = exchange->request().captures[0],
       header](const std::filesystem::path& root) -> Status {
        const Fd fd = TRY(open_fd(place.root.value_or(root), O_PATH | O_DIRECTORY | O_CLOEXEC));
        const auto stat = TRY(stat_at(fd.get(), place, path, name));
        *header = stat_header(stat);
        return ok_status();
      },
      [exchange, header](const Status& status) {
        if (!status.ok()) return respond_error(*exchange, status.error());
        exchange->respond(200, "", "", {{"X-Docker-Container-Path-Stat", *header}});
      });
}

void get_archive(Services& services, const ExchangePtr& exchange) {
  if (exchange->request().method == "HEAD") return stat_path(services, exchange);
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  const std::string path = path_of(exchange);
  if (path.empty()) return;
  const auto pipe = std::make_shared<PipeAnswer>(exchange, services, "application/x-tar");
  auto out = pipe->open();
  if (!out.ok()) return respond_error(*exchange, out.error());
  const auto writer = std::make_shared<Fd>(std::move(out).value());
  publish_container_event(services, *c, "archive-path");
  services.containers->with_rootfs(
      c->id,
      [&services, path, place = readable_place_of(services, *c, path),
       name = exchange->request().captures[0], pipe,
       writer](const std::filesystem::path& root) -> Status {
        const Fd closes(writer->release());
        const Fd fd = TRY(open_fd(place.root.value_or(root), O_PATH | O_DIRECTORY | O_CLOEXEC));
        const auto stat = TRY(stat_at(fd.get(), place, path, name));
        // Posted before the first byte is in the pipe, so it is there before the answer begins.
        services.loop.post([pipe, header = stat_header(stat)] {
          pipe->headers.emplace_back("X-Docker-Container-Path-Stat", header);
          pipe->allow();
        });
        return images::write_tar(fd.get(), place.path, closes.get(), place.name);
      },
      [pipe, writer](const Status& status) {
        writer->reset();  // when the work was never begun
        pipe->allow();
        pipe->work_done(status);
      });
}

// The container's own user as its own files know it (copyUIDGID). Unknown: root.
std::pair<uid_t, gid_t> owner_in(const std::filesystem::path& root, const std::string& user) {
  const auto text_of = [&](const char* path) -> std::string {
    const auto directory = open_fd(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!directory.ok()) return {};
    const auto file = images::open_in_root(directory->get(), path, O_RDONLY);
    if (!file.ok()) return {};
    auto text = read_file("/proc/self/fd/" + std::to_string(file->get()));
    return text.ok() ? std::move(text).value() : std::string();
  };
  const std::string passwd = text_of("/etc/passwd");
  const std::string group = text_of("/etc/group");
  const auto found = std::make_unique<runtime::ResolvedUser>();
  std::string_view subject;
  if (runtime::resolve_user(user, passwd, group, found.get(), &subject) !=
      runtime::UserError::kNone)
    return {0, 0};
  return {found->uid, found->gid};
}

bool in_writable_mount(const Container& c, const std::string& path) {
  return std::any_of(c.mounts.begin(), c.mounts.end(), [&](const MountPoint& mount) {
    return !mount.config.read_only && path.rfind(mount.config.target, 0) == 0 &&
           (path.size() == mount.config.target.size() || path[mount.config.target.size()] == '/');
  });
}

void put_archive(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  const std::string path = path_of(exchange);
  if (path.empty()) return;
  if (c->config.read_only && !in_writable_mount(*c, path))
    return respond_error(*exchange, 400, "container rootfs is marked read-only");
  auto pipe = make_pipe();
  if (!pipe.ok()) return respond_error(*exchange, pipe.error());
  (void)::fcntl(pipe->write.get(), F_SETPIPE_SZ, 1 << 20);
  const auto reader = std::make_shared<Fd>(std::move(pipe->read));
  images::ExtractOptions options;
  options.no_overwrite_dir_with_non_dir = exchange->request().query.flag("noOverwriteDirNonDir");
  const std::string id = c->id;
  const std::string user = c->config.user;
  const bool own = exchange->request().query.flag("copyUIDGID");
  exchange->receive_body(std::move(pipe->write),
                         [exchange](const Status&) {});  // cut short: the tar reader notices
  services.containers->with_rootfs(
      id,
      [path, place = place_of(*c, path), name = exchange->request().captures[0], reader, options,
       user, own](const std::filesystem::path& root) mutable -> Status {
        const Fd closes(reader->release());
        const Fd fd = TRY(open_fd(place.root.value_or(root), O_PATH | O_DIRECTORY | O_CLOEXEC));
        const auto target = images::stat_in_root(fd.get(), place.path, true);
        if (!target.ok()) return is_absent(target.error()) ? not_there(path, name) : target.error();
        if (!S_ISDIR(target->mode)) return Error::invalid("extraction point is not a directory");
        if (own) options.chown = owner_in(root, user);
        return images::extract_tar(fd.get(), place.path, closes.get(), options);
      },
      [&services, exchange, reader, id](const Status& status) {
        reader->reset();
        const auto found = services.containers->find(id);
        if (status.ok() && found.ok()) publish_container_event(services, **found, "extract-to-dir");
        answer(exchange, 200)(status);
      });
}

// The image and the container's changes without what is mounted in it (volumes, /proc): the changes
// lie as the topmost lower layer in an overlay of their own, which may be read while the container
// runs.
Status write_tree(const images::Store& store, const Paths& paths, const std::string& id,
                  const std::string& image, int out) {
  std::vector<std::filesystem::path> layers{paths.root / "containers" / id / "upper"};
  for (auto& layer : TRY(store.layer_directories(image))) layers.push_back(std::move(layer));
  const auto scratch = paths.root / "tmp" / ("export-" + random_hex(16));
  TRY(make_directories(scratch / "upper", 0700));
  TRY(make_directories(scratch / "work", 0700));
  Status written = add_init_files(scratch / "upper", layers);
  if (written.ok()) {
    auto root = images::mount_overlay(layers, scratch / "upper", scratch / "work");
    written = root.ok() ? images::export_tar(root->get(), out) : Status(std::move(root).error());
  }
  const Status removed = remove_tree(scratch);
  return written.ok() ? removed : written;
}

void export_tree(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  const auto pipe = std::make_shared<PipeAnswer>(exchange, services, "application/octet-stream");
  auto out = pipe->open();
  if (!out.ok()) return respond_error(*exchange, out.error());
  pipe->allow();
  const auto writer = std::make_shared<Fd>(std::move(out).value());
  publish_container_event(services, *c, "export");
  services.long_pool.run(
      [store = &services.store, paths = services.paths, id = c->id, image = c->image_id, writer] {
        const Fd closes(writer->release());
        return write_tree(*store, paths, id, image, closes.get());
      },
      [pipe](const Status& status) { pipe->work_done(status); });
}

// Files and mount points that the engine puts into every container, not its program.
bool made_by_engine(const std::string& path, const struct stat& s) {
  static const std::set<std::string> kFiles{"/.dockerenv", "/dev/console", "/etc/hosts",
                                            "/etc/hostname", "/etc/resolv.conf"};
  static const std::set<std::string> kDirectories{"/dev", "/dev/pts", "/dev/shm", "/proc", "/sys"};
  return kDirectories.count(path) != 0 || (path == "/etc/mtab" && S_ISLNK(s.st_mode)) ||
         (kFiles.count(path) != 0 && S_ISREG(s.st_mode) && s.st_size == 0);
}

// The upper directory of the overlay is the list of changes: a character device 0/0 is a removal.
Json changes_of(const std::filesystem::path& upper,
                const std::vector<std::filesystem::path>& lowers) {
  Json out = Json::array();
  std::string top = upper.string();
  char* roots[] = {top.data(), nullptr};
  const auto by_name = [](const FTSENT** a, const FTSENT** b) {
    return std::strcmp((*a)->fts_name, (*b)->fts_name);
  };
  const std::unique_ptr<FTS, int (*)(FTS*)> tree(
      ::fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, by_name), ::fts_close);
  bool etc_is_ours = true;  // until something else is found below it
  for (const FTSENT* entry = nullptr; tree && (entry = ::fts_read(tree.get())) != nullptr;) {
    if (entry->fts_info == FTS_DP || entry->fts_level == 0) continue;
    const std::string path(entry->fts_path + top.size());
    const struct stat& s = *entry->fts_statp;
    if (made_by_engine(path, s)) continue;
    if (path.rfind("/etc/", 0) == 0) etc_is_ours = false;
    const bool removed = S_ISCHR(s.st_mode) && s.st_rdev == 0;
    const bool below =
        std::any_of(lowers.begin(), lowers.end(), [&](const std::filesystem::path& lower) {
          struct stat ignored {};
          return ::lstat((lower.string() + path).c_str(), &ignored) == 0;
        });
    out.push_back({{"Path", path}, {"Kind", removed ? 2 : below ? 0 : 1}});
  }
  if (!etc_is_ours) return out;
  Json without_etc = Json::array();
  for (auto& change : out) {
    if (change["Path"] != "/etc") without_etc.push_back(std::move(change));
  }
  return without_etc;
}

void changes(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  services.long_pool.run(
      [upper = services.paths.root / "containers" / c->id / "upper", image = c->image_id,
       store = &services.store] {
        const auto lowers = store->layer_directories(image);
        const Json found =
            changes_of(upper, lowers.ok() ? *lowers : std::vector<std::filesystem::path>());
        return dump(found.empty() ? Json() : found) + "\n";
      },
      [exchange](std::string body) {
        exchange->respond(200, "application/json", std::move(body));
      });
}

}  // namespace

void add_container_file_routes(Router& router, Services& services) {
  router.add("GET", "/containers/{id}/archive",
             [&services](const ExchangePtr& e) { get_archive(services, e); });
  router.add(
      "PUT", "/containers/{id}/archive",
      [&services](const ExchangePtr& e) { put_archive(services, e); }, Body::kStreamed);
  router.add("GET", "/containers/{id}/export",
             [&services](const ExchangePtr& e) { export_tree(services, e); });
  router.add("GET", "/containers/{id}/changes",
             [&services](const ExchangePtr& e) { changes(services, e); });
}

}  // namespace stack::engine::api
