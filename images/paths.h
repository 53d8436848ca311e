// Paths of archives and Dockerfiles as text. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stack::images {

// Components without empty ones and ".": "/a//./b/" is {a, b}. ".." stays.
inline std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> out;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") out.emplace_back(part);
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return out;
}

inline std::string join_path(const std::vector<std::string>& parts, std::string_view before = {}) {
  std::string out(before);
  for (const std::string& part : parts) {
    if (!out.empty() && !out.ends_with('/')) out += '/';
    out += part;
  }
  return out;
}

// Lexical path.Clean of an absolute path: ".." goes up, never above the root.
inline std::string clean_absolute(std::string_view path) {
  std::vector<std::string> parts;
  for (std::string& part : split_path(path)) {
    if (part != "..") {
      parts.push_back(std::move(part));
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  return "/" + join_path(parts);
}

}  // namespace stack::images
