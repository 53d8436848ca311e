// The loader's view of the real machine.
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <iterator>

#include "base/files.h"
#include "compose/loader.h"

namespace stack::compose {

LoadOptions default_load_options() {
  LoadOptions options;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    options.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  std::error_code ignored;  // a deleted working directory is found out when a file is looked for
  // The shell's idea of the directory, when it is the same one, keeps the names of symbolic links.
  const auto pwd = options.environment.find("PWD");
  const std::filesystem::path cwd = std::filesystem::current_path(ignored);
  const bool same = pwd != options.environment.end() && !pwd->second.empty() &&
                    pwd->second[0] == '/' && std::filesystem::equivalent(pwd->second, cwd, ignored);
  options.working_directory = same ? pwd->second : cwd.string();
  options.read_file = [](const std::string& path) -> Result<std::string> {
    if (path != "-") return stack::read_file(path);
    return std::string(std::istreambuf_iterator<char>(std::cin), {});
  };
  using fs_type = std::filesystem::file_type;
  options.file_kind = [](const std::string& path) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    const bool absent = error == std::errc::no_such_file_or_directory ||
                        error == std::errc::not_a_directory || status.type() == fs_type::not_found;
    if (absent) return FileKind::kAbsent;
    // Whatever else hinders a look at it, reading it will say.
    return std::filesystem::is_directory(status) ? FileKind::kDirectory : FileKind::kFile;
  };
  options.real_path = [](const std::string& path) {
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(path, error);
    return error ? path : real.string();
  };
  return options;
}

}  // namespace stack::compose
