#include "scheduler/inputs.h"

#include <fmt/core.h>

#include <set>
#include <string_view>

#include "base/sha256.h"

namespace stack::scheduler {

namespace {

constexpr std::size_t kDigits = 16;

// "config:app" -> digits
std::map<std::string, std::string, std::less<>> parse(std::string_view text) {
  std::map<std::string, std::string, std::less<>> parts;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const auto equals = part.rfind('=');
    if (equals == std::string_view::npos) continue;
    parts.emplace(part.substr(0, equals), part.substr(equals + 1));
  }
  return parts;
}

std::optional<std::string> digest_of(const compose::Project& project,
                                     const compose::FileSource& source,
                                     const std::map<std::string, std::string>& file_digests) {
  if (source.external) return std::nullopt;
  if (!source.file.empty()) {
    const auto known = file_digests.find(source.file);
    if (known == file_digests.end()) return std::nullopt;
    return known->second;
  }
  if (source.environment.empty()) return sha256_hex(source.content);
  const auto value = project.environment.find(source.environment);
  if (value == project.environment.end()) return std::nullopt;
  return sha256_hex(value->second);
}

void add(const compose::Project& project, const char* kind,
         const std::vector<compose::FileReference>& references,
         const std::map<std::string, compose::FileSource>& sources,
         const std::map<std::string, std::string>& file_digests,
         std::map<std::string, std::string>& out) {
  for (const auto& reference : references) {
    const auto source = sources.find(reference.source);
    if (source == sources.end()) continue;
    if (const auto digest = digest_of(project, source->second, file_digests))
      out[fmt::format("{}:{}", kind, reference.source)] = digest->substr(0, kDigits);
  }
}

std::string readable(const std::string& key) {
  const auto colon = key.find(':');
  return key.substr(0, colon) + " " + key.substr(colon + 1);
}

}  // namespace

std::vector<std::string> input_files(const compose::Project& project) {
  std::set<std::string> files;
  for (const auto& [name, service] : project.services) {
    for (const auto& reference : service.configs) {
      const auto source = project.configs.find(reference.source);
      if (source != project.configs.end() && !source->second.file.empty())
        files.insert(source->second.file);
    }
    for (const auto& reference : service.secrets) {
      const auto source = project.secrets.find(reference.source);
      if (source != project.secrets.end() && !source->second.file.empty())
        files.insert(source->second.file);
    }
  }
  return {files.begin(), files.end()};
}

std::string inputs_of(const compose::Project& project, const compose::Service& service,
                      const std::map<std::string, std::string>& file_digests) {
  std::map<std::string, std::string> parts;
  add(project, "config", service.configs, project.configs, file_digests, parts);
  add(project, "secret", service.secrets, project.secrets, file_digests, parts);
  std::string text;
  for (const auto& [key, digits] : parts)
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, digits);
  return text;
}

std::optional<std::string> changed_input(const std::string& before, const std::string& now) {
  const auto old_parts = parse(before);
  for (const auto& [key, digits] : parse(now)) {
    const auto known = old_parts.find(key);
    // One that was not there is a change of the service's own definition, or could not be read
    // then.
    if (known != old_parts.end() && known->second != digits) return readable(key);
  }
  return std::nullopt;
}

}  // namespace stack::scheduler
