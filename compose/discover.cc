#include "compose/discover.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "compose/dotenv.h"
#include "compose/paths.h"

namespace stack::compose {
namespace {

constexpr std::array kNames{"compose.yaml", "compose.yml", "docker-compose.yml",
                            "docker-compose.yaml"};
constexpr std::array kOverrides{"compose.override.yml", "compose.override.yaml",
                                "docker-compose.override.yml", "docker-compose.override.yaml"};

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + separator.size();
  }
  return parts;
}

class Discovery {
 public:
  explicit Discovery(const LoadOptions& options) : options_(options) {}

  Result<Discovered> run(bool files_needed) {
    out_.environment = options_.environment;
    out_.environment.emplace("PWD", options_.working_directory);
    const std::string cwd = options_.working_directory;
    if (!options_.project_directory.empty()) {
      out_.directory = join_path(cwd, options_.project_directory);
    }
    for (const std::string& f : options_.files) {
      out_.files.push_back(f == "-" ? f : join_path(cwd, f));
    }
    TRY(read_env_files());
    TRY(files_from_environment());
    if (out_.files.empty()) TRY(search(files_needed));
    if (out_.directory.empty()) out_.directory = directory_of_first_file();
    TRY(read_env_files());
    profiles();
    TRY(names());
    return std::move(out_);
  }

 private:
  const std::string* variable(const std::string& name) const {
    const auto it = out_.environment.find(name);
    return it == out_.environment.end() || it->second.empty() ? nullptr : &it->second;
  }

  std::string directory_of_first_file() const {
    for (const std::string& f : out_.files) {
      if (f != "-") return directory_of(f);
    }
    return options_.working_directory;
  }

  Result<bool> env_file_disabled() const {
    const std::string* disable = variable("COMPOSE_DISABLE_ENV_FILE");
    if (disable == nullptr) return false;
    const auto is = [&](std::initializer_list<std::string_view> words) {
      return std::find(words.begin(), words.end(), *disable) != words.end();
    };
    if (is({"1", "t", "T", "true", "TRUE", "True"})) return true;
    if (is({"0", "f", "F", "false", "FALSE", "False"})) return false;
    return Error::invalid(
               fmt::format("COMPOSE_DISABLE_ENV_FILE must be a boolean, not \"{}\"", *disable))
        .fix("use 1 or 0");
  }

  // Values that are there already win, so it may run again when the project's directory is known.
  Status read_env_files() {
    std::vector<std::string> paths = options_.env_files;
    if (paths.empty()) {
      if (const std::string* list = variable("COMPOSE_ENV_FILES")) paths = split(*list, ",");
    }
    const bool given = !paths.empty();
    if (!given) {
      if (TRY(env_file_disabled())) return ok_status();
      const std::string directory =
          !out_.directory.empty() ? out_.directory : directory_of_first_file();
      paths.push_back(directory + "/.env");
    }
    out_.environment_files.clear();
    StringMap values;
    for (const std::string& p : paths) {
      const std::string path = join_path(options_.working_directory, p);
      const FileKind kind = options_.file_kind(path);
      if (given) {
        if (kind == FileKind::kAbsent) {
          return Error::not_found(fmt::format("couldn't find env file: {}", path));
        }
        out_.environment_files.push_back(path);
      } else if (kind != FileKind::kFile) {
        return ok_status();
      }
      Result<std::string> text = options_.read_file(path);
      if (!text.ok()) return Error::invalid(read_failure(path, text.error()));
      const Lookup lookup = [&](const std::string& name) -> const std::string* {
        const auto it = out_.environment.find(name);
        return it == out_.environment.end() ? nullptr : &it->second;
      };
      Result<EnvFile> parsed = parse_env_file(*text, lookup, values);
      if (!parsed.ok()) {
        Error e = std::move(parsed).error();
        e.message = fmt::format("failed to read {}: {}", path, e.message);
        if (e.where) e.where->file = path;
        return e;
      }
      const bool known = std::any_of(out_.values.begin(), out_.values.end(),
                                     [&](const EnvFileValue& v) { return v.file == path; });
      for (std::size_t i = 0; i < parsed->values.size(); ++i) {
        const auto& [key, value] = parsed->values[i];
        values[key] = value;
        if (!known) out_.values.push_back({key, value, path, parsed->lines[i]});
      }
      for (const UnsetVariable& u : parsed->unset) warn_unset(u.name);
    }
    out_.environment.insert(values.begin(), values.end());
    return ok_status();
  }

  void warn_unset(const std::string& name) {
    std::string text =
        fmt::format("The \"{}\" variable is not set. Defaulting to a blank string.", name);
    if (std::find(out_.warnings.begin(), out_.warnings.end(), text) == out_.warnings.end()) {
      out_.warnings.push_back(std::move(text));
    }
  }

  Status files_from_environment() {
    const std::string* list = variable("COMPOSE_FILE");
    if (!out_.files.empty() || list == nullptr) return ok_status();
    const std::string* separator = variable("COMPOSE_PATH_SEPARATOR");
    const std::string base = out_.directory.empty() ? options_.working_directory : out_.directory;
    for (const std::string& f : split(*list, separator != nullptr ? *separator : ":")) {
      out_.files.push_back(f == "-" ? f : join_path(base, f));
    }
    return ok_status();
  }

  Status search(bool needed) {
    std::string directory = out_.directory.empty() ? options_.working_directory : out_.directory;
    for (;;) {
      std::vector<std::string> found;
      for (const char* name : kNames) {
        const std::string path = join_path(directory, name);
        if (options_.file_kind(path) == FileKind::kFile) found.push_back(path);
      }
      if (!found.empty()) {
        choose(directory, found);
        return ok_status();
      }
      if (directory == "/") break;
      directory = directory_of(directory);
    }
    if (!needed) return ok_status();
    return Error::not_found("no configuration file provided: not found")
        .fix(fmt::format("run this in a directory with a compose.yaml (looked in {} and above), or "
                         "name the file with -f",
                         out_.directory.empty() ? options_.working_directory : out_.directory));
  }

  void choose(const std::string& directory, const std::vector<std::string>& found) {
    if (found.size() > 1) {
      std::string all;
      for (const std::string& f : found) all += (all.empty() ? "" : ", ") + f;
      out_.warnings.push_back(
          fmt::format("Found multiple config files with supported names: {}", all));
      out_.warnings.push_back(fmt::format("Using {}", found[0]));
    }
    out_.files.push_back(found[0]);
    for (const char* name : kOverrides) {
      const std::string path = join_path(directory, name);
      if (options_.file_kind(path) != FileKind::kFile) continue;
      out_.files.push_back(path);
      break;
    }
  }

  void profiles() {
    out_.profiles = options_.profiles;
    if (!out_.profiles.empty()) return;
    const std::string* list = variable("COMPOSE_PROFILES");
    if (list == nullptr) return;
    for (std::string p : split(*list, ",")) {
      p.erase(0, p.find_first_not_of(' '));
      p.erase(p.find_last_not_of(' ') + 1);
      out_.profiles.push_back(std::move(p));
    }
  }

  Status names() {
    if (!options_.project_name.empty()) {
      out_.explicit_name = options_.project_name;
    } else if (const std::string* name = variable("COMPOSE_PROJECT_NAME")) {
      out_.explicit_name = *name;
    }
    if (!out_.explicit_name.empty()) TRY(check_project_name(out_.explicit_name));
    out_.default_name =
        normalized_project_name(std::filesystem::path(out_.directory).filename().string());
    return ok_status();
  }

  const LoadOptions& options_;
  Discovered out_;
};

}  // namespace

std::string normalized_project_name(const std::string& name) {
  std::string out;
  for (const char c : name) {
    const char l = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool letter = (l >= 'a' && l <= 'z') || (l >= '0' && l <= '9');
    if (letter || ((l == '_' || l == '-') && !out.empty())) out += l;
  }
  return out;
}

Status check_project_name(const std::string& name) {
  if (normalized_project_name(name) == name) return ok_status();
  return Error::invalid(
      fmt::format("invalid project name \"{}\": must consist only of lowercase "
                  "alphanumeric characters, hyphens, and underscores as well as "
                  "start with a letter or number",
                  name));
}

Result<Discovered> discover(const LoadOptions& options) { return Discovery(options).run(true); }

Result<Discovered> discover_without_files(const LoadOptions& options) {
  return Discovery(options).run(false);
}

}  // namespace stack::compose
