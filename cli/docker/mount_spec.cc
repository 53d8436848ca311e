#include "cli/docker/mount_spec.h"

#include <fmt/core.h>

#include <charconv>
#include <filesystem>
#include <map>
#include <optional>

#include "cli/docker/csv.h"
#include "cli/flags.h"
#include "cli/json_text.h"
#include "compose/units.h"

namespace stack::cli::docker {

namespace {

struct Mount {
  std::string type = "volume";
  std::string source;
  std::string target;
  std::string consistency;
  bool read_only = false;
  JsonObject bind;
  std::string recursive;  // of bind-recursive
  JsonObject volume;
  std::map<std::string, std::string> volume_labels;
  std::map<std::string, std::string> driver_options;
  std::string driver;
  JsonObject tmpfs;
  JsonObject image;
};

class MountParser {
 public:
  explicit MountParser(const std::string& text) : text_(text) {}

  Result<std::string> run() {
    for (const CsvField& field : TRY(csv_fields("mount", text_))) TRY(take(field));
    TRY(check());
    return json();
  }

 private:
  Error wrong(std::string_view what) const { return wrong_flag("mount", text_, what); }

  Result<bool> truth(const CsvField& field) const {
    if (!field.has_value) return true;
    const auto value = parse_bool(field.value);
    if (!value) return wrong(fmt::format("invalid value for {}: {}", field.key, field.value));
    return *value;
  }

  Result<std::pair<std::string, std::string>> pair(const CsvField& field) const {
    const std::size_t equals = field.value.find('=');
    return std::pair(field.value.substr(0, equals),
                     equals == std::string::npos ? "" : field.value.substr(equals + 1));
  }

  Status take(const CsvField& field) {
    const std::string& key = field.key;
    if (key == "readonly" || key == "ro") {
      mount_.read_only = TRY(truth(field));
      return ok_status();
    }
    if (key == "volume-nocopy" || key == "bind-nonrecursive" || key == "bind-create-src")
      return take_switch(field);
    if (!field.has_value)
      return wrong(fmt::format("invalid field '{}' must be a key=value pair", key));
    if (key == "type") {
      mount_.type = field.value;
    } else if (key == "source" || key == "src") {
      mount_.source = field.value;
    } else if (key == "target" || key == "dst" || key == "destination") {
      mount_.target = field.value;
    } else if (key == "consistency") {
      mount_.consistency = field.value;
    } else {
      return take_option(field);
    }
    return ok_status();
  }

  Status take_switch(const CsvField& field) {
    const bool on = TRY(truth(field));
    if (field.key == "volume-nocopy") mount_.volume.add("NoCopy", on);
    if (field.key == "bind-nonrecursive") mount_.bind.add("NonRecursive", on);
    if (field.key == "bind-create-src") mount_.bind.add("CreateMountpoint", on);
    return ok_status();
  }

  Status take_option(const CsvField& field) {
    const std::string& key = field.key;
    const std::string& value = field.value;
    if (key == "bind-propagation") {
      mount_.bind.add("Propagation", value);
    } else if (key == "bind-recursive") {
      mount_.recursive = value;
    } else if (key == "volume-subpath") {
      mount_.volume.add("Subpath", value);
    } else if (key == "image-subpath") {
      mount_.image.add("Subpath", value);
    } else if (key == "volume-label") {
      mount_.volume_labels.insert(TRY(pair(field)));
    } else if (key == "volume-opt") {
      mount_.driver_options.insert(TRY(pair(field)));
    } else if (key == "volume-driver") {
      mount_.driver = value;
    } else if (key == "tmpfs-size") {
      const auto bytes = compose::parse_bytes(value);
      if (!bytes.ok()) return wrong(fmt::format("invalid value for {}: {}", key, value));
      mount_.tmpfs.add("SizeBytes", *bytes);
    } else if (key == "tmpfs-mode") {
      int mode = 0;
      const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), mode, 8);
      if (ec != std::errc() || end != value.data() + value.size())
        return wrong(fmt::format("invalid value for {}: {}", key, value));
      mount_.tmpfs.add("Mode", mode);
    } else {
      return wrong(fmt::format("unknown option '{}' in '{}={}'", key, key, value));
    }
    return ok_status();
  }

  Status check() {
    if (mount_.target.empty()) return wrong("target is required");
    const std::string& type = mount_.type;
    if (type != "bind" && type != "volume" && type != "tmpfs" && type != "image")
      return wrong(
          fmt::format("unsupported mount type '{}': use bind, volume, tmpfs or image", type));
    if (type != "volume" && (!mount_.volume.empty() || !mount_.volume_labels.empty() ||
                             !mount_.driver_options.empty() || !mount_.driver.empty()))
      return wrong(fmt::format("cannot mix 'volume-*' options with mount type '{}'", type));
    if (type != "bind" && (!mount_.bind.empty() || !mount_.recursive.empty()))
      return wrong(fmt::format("cannot mix 'bind-*' options with mount type '{}'", type));
    if (type != "tmpfs" && !mount_.tmpfs.empty())
      return wrong(fmt::format("cannot mix 'tmpfs-*' options with mount type '{}'", type));
    if (type != "image" && !mount_.image.empty())
      return wrong(fmt::format("cannot mix 'image-*' options with mount type '{}'", type));
    if (mount_.recursive == "disabled") {
      mount_.bind.add("NonRecursive", true);
    } else if (mount_.recursive == "writable") {
      mount_.bind.add("ReadOnlyNonRecursive", true);
    } else if (mount_.recursive == "readonly") {
      mount_.bind.add("ReadOnlyForceRecursive", true);
    } else if (!mount_.recursive.empty() && mount_.recursive != "enabled") {
      return wrong(
          fmt::format("invalid value for bind-recursive: {} (must be \"enabled\", "
                      "\"disabled\", \"writable\" or \"readonly\")",
                      mount_.recursive));
    }
    if (type == "bind" && mount_.source.starts_with('.'))
      mount_.source = std::filesystem::absolute(mount_.source).lexically_normal();
    return ok_status();
  }

  std::string json() {
    JsonObject out;
    out.add("Type", mount_.type);
    if (!mount_.source.empty()) out.add("Source", mount_.source);
    out.add("Target", mount_.target);
    if (mount_.read_only) out.add("ReadOnly", true);
    if (!mount_.consistency.empty()) out.add("Consistency", mount_.consistency);
    if (!mount_.bind.empty()) out.add_json("BindOptions", mount_.bind.text());
    if (!mount_.volume_labels.empty()) mount_.volume.add("Labels", mount_.volume_labels);
    if (!mount_.driver.empty() || !mount_.driver_options.empty()) {
      JsonObject driver;
      if (!mount_.driver.empty()) driver.add("Name", mount_.driver);
      if (!mount_.driver_options.empty()) driver.add("Options", mount_.driver_options);
      mount_.volume.add_json("DriverConfig", driver.text());
    }
    if (!mount_.volume.empty()) out.add_json("VolumeOptions", mount_.volume.text());
    if (!mount_.tmpfs.empty()) out.add_json("TmpfsOptions", mount_.tmpfs.text());
    if (!mount_.image.empty()) out.add_json("ImageOptions", mount_.image.text());
    return out.text();
  }

  const std::string& text_;
  Mount mount_;
};

}  // namespace

Result<VolumeSpec> parse_volume(const std::string& text) {
  VolumeSpec out;
  const std::size_t colon = text.find(':');
  if (text.empty()) return Error::invalid("invalid empty volume spec");
  if (colon == std::string::npos) {
    out.anonymous = text;
    return out;
  }
  std::string source = text.substr(0, colon);
  const std::string rest = text.substr(colon + 1);
  if (source.empty() || rest.empty()) {
    return Error::invalid(fmt::format("invalid volume specification: '{}'", text))
        .fix("Write it as SOURCE:TARGET or SOURCE:TARGET:ro.");
  }
  if (source.starts_with('.')) source = std::filesystem::absolute(source).lexically_normal();
  while (source.size() > 1 && source.ends_with('/')) source.pop_back();
  out.bind = source + ':' + rest;
  return out;
}

Result<std::string> mount_json(const std::string& text) { return MountParser(text).run(); }

}  // namespace stack::cli::docker
