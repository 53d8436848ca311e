// /etc/stack/daemon.json: what an administrator sets for the whole engine, with the keys of
// dockerd's file. Read again whenever it has changed, so that nothing needs a restart; a file that
// is refused leaves the settings as they were.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "images/pull.h"

namespace stack::engine {

struct Settings {
  std::vector<std::string> registry_mirrors;
  std::vector<std::string> insecure_registries;
  std::optional<images::ProxySettings> proxies;
  int max_concurrent_downloads = 3;
  int max_concurrent_uploads = 5;
  int max_download_attempts = 5;
  // Of containers that do not say it themselves.
  std::vector<std::string> dns, dns_search, dns_options;
  std::string log_driver;
  std::map<std::string, std::string> log_options;

  std::vector<std::string> ignored;  // keys of dockerd that mean nothing here

  bool operator==(const Settings&) const = default;
};

// Pure. Errors have file, line and column: bad JSON, keys that dockerd does not know either, values
// of another type.
Result<Settings> parse_settings(const std::string& text, const std::string& file);

struct ContainerConfig;
// Fills in what the container does not say itself.
void apply_settings(const Settings& settings, ContainerConfig& config);

class SettingsFile {
 public:
  // `accepted` keeps a copy of the last file that was good: it is used when the engine starts and
  // finds a bad one. Without that copy a bad file is an error, as for dockerd.
  static Result<SettingsFile> open(std::filesystem::path path, std::filesystem::path accepted);

  // Looks whether the file has changed. Loop thread only.
  const Settings& current();
  // Why the present file is not in force.
  const std::optional<Error>& refused() const { return refused_; }
  const std::filesystem::path& path() const { return path_; }
  images::PullOptions registry_options();

 private:
  struct Version {
    ino_t inode = 0;
    off_t size = -1;
    std::int64_t changed = 0;  // nanoseconds
    bool operator==(const Version&) const = default;
  };
  Version version() const;
  Result<Settings> read() const;

  std::filesystem::path path_, accepted_;
  Version seen_;
  Settings settings_;
  std::optional<Error> refused_;
};

}  // namespace stack::engine
