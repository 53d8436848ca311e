#include "engine/volumes.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "engine/containers.h"
#include "engine/daemon.h"
#include "engine/model_json.h"
#include "engine/state_store.h"
#include "engine/volume_mount.h"

namespace stack::engine {

namespace {

// Of the directory of a removed volume; its name and eight random digits follow. No volume's name
// begins with a dot.
constexpr std::string_view kGonePrefix = ".gone-";

bool valid_name(const std::string& name) {
  const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  if (name.size() < 2 || !plain(name[0])) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return plain(c) || c == '_' || c == '.' || c == '-'; });
}

}  // namespace

void Volumes::adopt() {
  auto records = services_.state.all("volume");
  if (!records.ok()) {
    log_error("reading volumes: {}", records.error().to_string());
    return;
  }
  for (const auto& [name, text] : *records) {
    auto volume = parse_volume_record(text);
    if (volume.ok()) {
      volumes_.emplace(name, std::move(volume).value());
    } else {
      log_error("volume {}: {}", name, volume.error().to_string());
    }
  }
  finish_removals();
}

// What an engine that died has moved out of the way but not removed.
void Volumes::finish_removals() {
  const auto directory = services_.paths.root / "volumes";
  std::error_code ec;
  for (const auto& item : std::filesystem::directory_iterator(directory, ec)) {
    const std::string file = item.path().filename();
    if (!file.starts_with(kGonePrefix)) continue;
    const std::string name = file.substr(std::min(file.size(), kGonePrefix.size() + 8 + 1));
    if (volumes_.count(name) != 0 && !stack::exists(directory / name)) {
      const Status erased = services_.state.erase("volume", name);
      if (!erased.ok()) log_error("volume {}: {}", name, erased.error().to_string());
      volumes_.erase(name);
    }
    clear_away(item.path());
  }
}

Result<const Volume*> Volumes::create(Volume wanted) {
  if (wanted.name.empty()) {
    wanted.name = random_hex(64);
    wanted.anonymous = true;
  }
  if (const auto it = volumes_.find(wanted.name); it != volumes_.end()) return &it->second;
  if (!valid_name(wanted.name)) {
    return Error::invalid("create " + wanted.name + ": \"" + wanted.name +
                          "\" includes invalid characters for a local volume name, only "
                          "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are "
                          "allowed. If you intended to pass a host directory, use absolute path");
  }
  if (wanted.driver.empty()) wanted.driver = "local";
  if (wanted.driver != "local") {
    return Error::not_found("create " + wanted.name + ": error looking up volume plugin " +
                            wanted.driver + ": plugin \"" + wanted.driver + "\" not found");
  }
  if (Status fits = check_volume_options(wanted.options); !fits.ok()) {
    return Error::invalid("create " + wanted.name + ": " + fits.error().message);
  }
  const auto directory = services_.paths.root / "volumes" / wanted.name / "_data";
  TRY(make_directories(services_.paths.root / "volumes", 0701));
  TRY(make_directories(directory, 0755));
  // The mode must not depend on the umask of whoever started the engine.
  if (::chmod(directory.c_str(), 0755) != 0) return Error::os(errno, directory.string());
  wanted.mountpoint = directory.string();
  wanted.created = services_.clock.wall();
  TRY(services_.state.put("volume", wanted.name, to_record(wanted)));
  services_.events.publish(
      {"volume", "create", wanted.name, {{"driver", wanted.driver}}, wanted.created});
  const auto [it, inserted] = volumes_.emplace(wanted.name, std::move(wanted));
  return &it->second;
}

Status Volumes::remove(const std::string& name, bool force) {
  const auto it = volumes_.find(name);
  if (it == volumes_.end()) {
    if (force) return ok_status();
    return Error::not_found("get " + name + ": no such volume");
  }
  std::string users;
  for (const Container* container : services_.containers->list()) {
    const bool uses = std::any_of(container->mounts.begin(), container->mounts.end(),
                                  [&](const MountPoint& m) { return m.volume == name; });
    if (uses) users += (users.empty() ? "" : ", ") + container->id;
  }
  if (!users.empty())
    return Error::conflict("remove " + name + ": volume is in use - [" + users + "]");
  // Out of the way at once, for a volume of a million files takes minutes to remove. adopt() goes on
  // after a crash at any point.
  const auto directory = services_.paths.root / "volumes";
  const auto gone = directory / (std::string(kGonePrefix) + random_hex(8) + "-" + name);
  if (::rename((directory / name).c_str(), gone.c_str()) != 0 && errno != ENOENT)
    return Error::os(errno, "removing volume " + name);
  TRY(services_.state.erase("volume", name));
  clear_away(gone);
  services_.events.publish(
      {"volume", "destroy", name, {{"driver", it->second.driver}}, services_.clock.wall()});
  volumes_.erase(it);
  return ok_status();
}

void Volumes::clear_away(const std::filesystem::path& gone) {
  services_.long_pool.run(
      [gone]() -> Status {
        TRY(unmount_volume(gone / "_data"));  // before what is below it is removed
        return remove_tree(gone);
      },
      [](const Status& removed) {
        if (!removed.ok()) log_warning("{}", removed.error().to_string());
      });
}

Result<const Volume*> Volumes::find(const std::string& name) const {
  const auto it = volumes_.find(name);
  if (it == volumes_.end()) return Error::not_found("get " + name + ": no such volume");
  return &it->second;
}

std::vector<const Volume*> Volumes::list() const {
  std::vector<const Volume*> out;
  for (const auto& [name, volume] : volumes_) out.push_back(&volume);
  return out;
}

}  // namespace stack::engine
