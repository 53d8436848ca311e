// Small file operations with our errors. All blocking.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace stack {

Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit = 64U << 20U);
Status write_file(const std::filesystem::path& path, std::string_view text, unsigned mode = 0644);
// Writes beside the target, syncs, and renames over it: a reader sees the old text or the new one,
// also after a crash.
Status replace_file(const std::filesystem::path& path, std::string_view text, unsigned mode = 0644);
Status make_directories(const std::filesystem::path& path, unsigned mode = 0755);
// Removes a tree without following symbolic links or crossing mounts; absent is fine.
Status remove_tree(const std::filesystem::path& path);
bool exists(const std::filesystem::path& path);

// An exclusive flock(2) that ends with the object. kConflict when somebody else holds it and `wait`
// is false.
Result<Fd> lock_file(const std::filesystem::path& path, bool wait);

// 64 or fewer lower-case hexadecimal digits from getrandom(2).
std::string random_hex(std::size_t digits);

}  // namespace stack
