#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "engine/config_json.h"
#include "engine/json_fields.h"

namespace stack::engine {

namespace {

constexpr std::string_view kPropagations[] = {"private", "rprivate", "shared",
                                              "rshared", "slave",    "rslave"};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> out;
  for (std::size_t start = 0; start <= text.size();) {
    const auto end = std::min(text.find(separator, start), text.size());
    out.emplace_back(text.substr(start, end - start));
    start = end + 1;
  }
  return out;
}

bool is_propagation(std::string_view word) {
  return std::find(std::begin(kPropagations), std::end(kPropagations), word) !=
         std::end(kPropagations);
}

void apply_bind_option(const std::string& word, std::string_view spec, MountConfig& mount) {
  if (word == "ro" || word == "readonly") {
    mount.read_only = true;
  } else if (is_propagation(word) && mount.type == "bind") {
    mount.propagation = word;
  } else if (word == "nocopy" && mount.type == "volume") {
    mount.no_copy = true;
  } else if (word == "rw" || word == "z" || word == "Z" || word == "cached" ||
             word == "delegated" || word == "consistent" || word.empty()) {
    return;  // the default, SELinux labels (not enforced here), and hints for other systems
  } else {
    bad_value(fmt::format("invalid mode: {}", spec));
  }
}

std::string bind_text(const MountConfig& mount) {
  std::string options;
  const auto add = [&](std::string_view word) {
    if (!options.empty()) options += ',';
    options += word;
  };
  if (mount.read_only) add("ro");
  if (!mount.propagation.empty()) add(mount.propagation);
  if (mount.no_copy) add("nocopy");
  std::string text = mount.source + ":" + mount.target;
  if (!options.empty()) text += ":" + options;
  return text;
}

bool fits_bind(const MountConfig& mount) {
  if (!mount.subpath.empty() || mount.source.empty()) return false;
  if (mount.type == "bind") return mount.create_host_path && mount.recursive;
  return mount.type == "volume" && mount.volume_labels.empty() && mount.driver_options.empty() &&
         mount.volume_driver.empty();
}

Json mount_object(const MountConfig& mount, MountForm form) {
  Json out = {{"Type", mount.type}, {"Target", mount.target}};
  if (!mount.source.empty()) out["Source"] = mount.source;
  if (mount.read_only) out["ReadOnly"] = true;
  if (mount.type == "bind") {
    Json options = Json::object();
    if (!mount.propagation.empty()) options["Propagation"] = mount.propagation;
    if (!mount.recursive) options["NonRecursive"] = true;
    if (mount.create_host_path) options["CreateMountpoint"] = true;
    if (!options.empty()) out["BindOptions"] = options;
  } else if (mount.type == "volume") {
    Json options = Json::object();
    if (mount.no_copy) options["NoCopy"] = true;
    if (!mount.subpath.empty()) options["Subpath"] = mount.subpath;
    if (!mount.volume_labels.empty()) options["Labels"] = mount.volume_labels;
    if (!mount.volume_driver.empty()) options["DriverConfig"]["Name"] = mount.volume_driver;
    if (!mount.driver_options.empty()) options["DriverConfig"]["Options"] = mount.driver_options;
    if (!options.empty()) out["VolumeOptions"] = options;
  } else if (mount.type == "tmpfs") {
    Json options = Json::object();
    if (mount.tmpfs_size != 0) options["SizeBytes"] = mount.tmpfs_size;
    if (mount.tmpfs_mode) options["Mode"] = *mount.tmpfs_mode;
    // Not one of Docker's members: only records have it.
    if (form == MountForm::kAllMounts && !mount.tmpfs_options.empty())
      options["Text"] = mount.tmpfs_options;
    if (!options.empty()) out["TmpfsOptions"] = options;
  } else if (mount.type == "image" && !mount.subpath.empty()) {
    out["ImageOptions"]["Subpath"] = mount.subpath;
  }
  return out;
}

MountConfig parse_mount(const Json& json) {
  MountConfig out;
  out.type = text_field(json, "Type");
  out.source = text_field(json, "Source");
  out.target = text_field(json, "Target");
  out.read_only = field(json, "ReadOnly", false);
  const Json& bind = child(json, "BindOptions");
  const Json& volume = child(json, "VolumeOptions");
  const Json& tmpfs = child(json, "TmpfsOptions");
  const auto refuse = [&](std::string_view why) {
    bad_value(fmt::format("invalid mount config for type \"{}\": {}", out.type, why));
  };
  if (out.type != "bind" && out.type != "volume" && out.type != "tmpfs" && out.type != "image") {
    refuse("mount type unknown");
  }
  if (out.target.empty()) refuse("field Target must not be empty");
  if (out.target[0] != '/')
    refuse(fmt::format("invalid mount path: '{}' mount path must be absolute", out.target));
  if (out.target == "/") refuse("invalid specification: destination can't be '/'");
  if (out.type == "bind") {
    if (out.source.empty()) refuse("field Source must not be empty");
    if (out.source[0] != '/')
      refuse(fmt::format("invalid mount path: '{}' mount path must be absolute", out.source));
    if (!volume.is_null()) bad_value("VolumeOptions must not be specified on mount type \"bind\"");
  }
  if (out.type == "tmpfs" && !out.source.empty()) refuse("field Source must not be specified");
  if (out.type == "image" && out.source.empty()) refuse("field Source must not be empty");
  out.propagation = text_field(bind, "Propagation");
  if (!out.propagation.empty() && !is_propagation(out.propagation)) {
    refuse(fmt::format("invalid propagation mode: {}", out.propagation));
  }
  out.recursive = !field(bind, "NonRecursive", false);
  out.create_host_path = field(bind, "CreateMountpoint", false);
  out.no_copy = field(volume, "NoCopy", false);
  out.subpath = out.type == "image" ? text_field(child(json, "ImageOptions"), "Subpath")
                                    : text_field(volume, "Subpath");
  const std::filesystem::path below(out.subpath);
  if (below.is_absolute() || std::find(below.begin(), below.end(), "..") != below.end())
    refuse("subpath must be a relative path within the volume");
  out.volume_labels = field<StringMap>(volume, "Labels");
  out.volume_driver = text_field(child(volume, "DriverConfig"), "Name");
  out.driver_options = field<StringMap>(child(volume, "DriverConfig"), "Options");
  out.tmpfs_size = field<std::int64_t>(tmpfs, "SizeBytes");
  out.tmpfs_mode = optional_field<std::uint32_t>(tmpfs, "Mode");
  if (out.tmpfs_mode == 0) out.tmpfs_mode.reset();  // Go clients cannot say it otherwise
  out.tmpfs_options = text_field(tmpfs, "Text");
  for (const auto& option : child(tmpfs, "Options")) {  // [["noexec"], ["uid", "1000"]]
    std::string word;
    for (const auto& part : option) word += (word.empty() ? "" : "=") + part.get<std::string>();
    out.tmpfs_options += (out.tmpfs_options.empty() ? "" : ",") + word;
  }
  return out;
}

}  // namespace

MountConfig parse_bind(std::string_view text) {
  const auto parts = split(text, ':');
  const auto malformed = [&] {
    bad_value(fmt::format("invalid volume specification: '{}'", text));
  };
  MountConfig out;
  if (parts.size() > 3 || parts.back().empty() || parts.front().empty()) malformed();
  if (parts.size() == 1) {  // a place alone: an anonymous volume
    out.target = parts[0];
    out.type = "volume";
  } else {
    out.source = parts[0];
    out.target = parts[1];
    out.type = out.source[0] == '/' ? "bind" : "volume";
    if (out.target.empty()) malformed();
  }
  out.create_host_path = out.type == "bind";
  if (out.target[0] != '/') {
    bad_value(
        fmt::format("invalid volume specification: '{}': invalid mount config for type \"{}\": "
                    "invalid mount path: "
                    "'{}' mount path must be absolute",
                    text, out.type, out.target));
  }
  if (out.target == "/") {
    bad_value(fmt::format(
        "invalid volume specification: '{}': invalid mount config for type \"{}\": invalid "
        "specification: destination can't be '/'",
        text, out.type));
  }
  if (out.type == "volume" && !out.source.empty() &&
      (out.source.find('/') != std::string::npos || out.source[0] == '.')) {
    bad_value(fmt::format(
        "create {0}: \"{0}\" includes invalid characters for a local volume name, only "
        "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use "
        "absolute path",
        out.source));
  }
  if (parts.size() == 3) {
    for (const auto& word : split(parts[2], ',')) apply_bind_option(word, parts[2], out);
  }
  return out;
}

void mounts_to_json(const ContainerConfig& config, MountForm form, Json& host_config) {
  Json binds, mounts, tmpfs;
  for (const auto& mount : config.mounts) {
    if (form == MountForm::kDocker && fits_bind(mount)) {
      binds.push_back(bind_text(mount));
    } else if (form == MountForm::kDocker && mount.is_plain_tmpfs()) {
      tmpfs[mount.target] = mount.tmpfs_options;
    } else {
      mounts.push_back(mount_object(mount, form));
    }
  }
  host_config["Binds"] = std::move(binds);
  if (!mounts.is_null()) host_config["Mounts"] = std::move(mounts);
  if (!tmpfs.is_null()) host_config["Tmpfs"] = std::move(tmpfs);
}

void parse_mounts(const Json& host_config, ContainerConfig& out) {
  std::set<std::string> targets;
  const auto add = [&](MountConfig mount) {
    while (mount.target.size() > 1 && mount.target.back() == '/') mount.target.pop_back();
    if (!targets.insert(mount.target).second) bad_value("Duplicate mount point: " + mount.target);
    out.mounts.push_back(std::move(mount));
  };
  for (const auto& text : child(host_config, "Binds")) add(parse_bind(text.get<std::string>()));
  for (const auto& mount : child(host_config, "Mounts")) add(parse_mount(mount));
  for (const auto& [target, options] : field<StringMap>(host_config, "Tmpfs")) {
    if (target.empty() || target[0] != '/') {
      bad_value(fmt::format("invalid mount path: '{}' mount path must be absolute", target));
    }
    MountConfig mount;
    mount.type = "tmpfs";
    mount.target = target;
    mount.tmpfs_options = options;
    add(std::move(mount));
  }
  // A volume driver for all volumes that do not name one.
  out.volume_driver = text_field(host_config, "VolumeDriver");
  for (auto& mount : out.mounts) {
    if (mount.type == "volume" && mount.volume_driver.empty() && out.volume_driver != "local")
      mount.volume_driver = out.volume_driver;
  }
}

}  // namespace stack::engine
