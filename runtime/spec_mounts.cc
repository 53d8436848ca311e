#include <algorithm>
#include <array>
#include <filesystem>

#include "runtime/spec_parts.h"

namespace stack::runtime {

namespace {

std::string clean(const std::string& path) {
  std::string text = std::filesystem::path(path).lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

Status check_target(const std::string& target, const char* type) {
  const std::string prefix = std::string("invalid mount config for type \"") + type + "\": ";
  if (target.empty()) return Error::invalid(prefix + "field Target must not be empty");
  if (target[0] != '/') {
    return Error::invalid("invalid mount path: '" + target + "' mount path must be absolute");
  }
  if (clean(target) == "/")
    return Error::invalid(prefix + "invalid specification: destination can't be '/'");
  return ok_status();
}

Result<Mount> bind(const MountOption& m) {
  TRY(check_target(m.target, m.kind == MountKind::kVolume ? "volume" : "bind"));
  static constexpr std::array<std::string_view, 7> kPropagations = {
      "", "rprivate", "private", "rshared", "shared", "rslave", "slave"};
  if (std::find(kPropagations.begin(), kPropagations.end(), m.propagation) == kPropagations.end()) {
    return Error::invalid("invalid mount config for type \"bind\": invalid propagation mode: " +
                          m.propagation);
  }
  Mount mount{clean(m.target), "bind", m.source, {}};
  mount.options.push_back(m.recursive == BindRecursive::kDisabled ? "bind" : "rbind");
  if (!m.source_root.empty())
    mount.options.push_back(std::string(kSourceRootOption) + m.source_root);
  if (m.read_only) {
    mount.options.push_back("ro");
    // Recursively read-only where the kernel can (5.12), as Docker does since 25.
    if (m.recursive == BindRecursive::kEnabled || m.recursive == BindRecursive::kReadonly)
      mount.options.push_back("rro");
  }
  if (!m.propagation.empty()) {
    mount.options.push_back(m.propagation);
  } else {
    mount.options.push_back(m.kind == MountKind::kVolume ? "rslave" : "rprivate");
  }
  return mount;
}

Result<Mount> tmpfs(const MountOption& m) {
  TRY(check_target(m.target, "tmpfs"));
  Mount mount{clean(m.target), "tmpfs", "tmpfs", {"noexec", "nosuid", "nodev"}};
  if (m.read_only) mount.options.push_back("ro");
  if (m.tmpfs_size > 0) mount.options.push_back("size=" + std::to_string(m.tmpfs_size));
  if (m.tmpfs_mode) {
    std::string octal;
    for (std::uint32_t rest = *m.tmpfs_mode; rest > 0; rest >>= 3U) {
      octal.insert(octal.begin(), static_cast<char>('0' + (rest & 7U)));
    }
    mount.options.push_back("mode=" + (octal.empty() ? "0" : octal));
  }
  return mount;
}

}  // namespace

Result<std::vector<std::string>> tmpfs_options(const std::string& text) {
  std::vector<std::string> options = {"noexec", "nosuid", "nodev"};
  static constexpr std::array<std::string_view, 20> kFlags = {
      "defaults", "ro",      "rw",       "suid",       "nosuid",   "dev",       "nodev",
      "exec",     "noexec",  "sync",     "async",      "remount",  "mand",      "nomand",
      "atime",    "noatime", "diratime", "nodiratime", "relatime", "norelatime"};
  static constexpr std::array<std::string_view, 6> kValues = {
      "size=", "mode=", "uid=", "gid=", "nr_inodes=", "mpol="};
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string item = text.substr(at, comma - at);
    at = comma + 1;
    if (item.empty()) continue;
    const bool flag = std::find(kFlags.begin(), kFlags.end(), item) != kFlags.end() ||
                      item == "strictatime" || item == "nostrictatime" ||
                      item.starts_with("nr_blocks=");
    const bool value =
        std::any_of(kValues.begin(), kValues.end(), [&](auto v) { return item.starts_with(v); });
    if (!flag && !value) {
      return Error::invalid("invalid tmpfs option \"" + item.substr(0, item.find('=')) + "\"");
    }
    // An explicit opposite takes a default away.
    if (item == "exec" || item == "suid" || item == "dev") std::erase(options, "no" + item);
    if (std::find(options.begin(), options.end(), item) == options.end() && item != "defaults")
      options.push_back(item);
  }
  return options;
}

Result<std::vector<Mount>> user_mounts(const ContainerOptions& o) {
  std::vector<Mount> mounts;
  for (const auto& m : o.mounts)
    mounts.push_back(m.kind == MountKind::kTmpfs ? TRY(tmpfs(m)) : TRY(bind(m)));
  for (const auto& [target, options] : o.tmpfs) {
    TRY(check_target(target, "tmpfs"));
    mounts.push_back({clean(target), "tmpfs", "tmpfs", TRY(tmpfs_options(options))});
  }
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (mounts[i].destination == mounts[j].destination) {
        return Error::invalid("Duplicate mount point: " + mounts[i].destination);
      }
    }
  }
  std::stable_sort(mounts.begin(), mounts.end(), [](const Mount& a, const Mount& b) {
    return std::count(a.destination.begin(), a.destination.end(), '/') <
           std::count(b.destination.begin(), b.destination.end(), '/');
  });
  return mounts;
}

}  // namespace stack::runtime
