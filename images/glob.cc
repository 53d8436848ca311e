#include "images/glob.h"

#include <string>
#include <vector>

#include "images/paths.h"

namespace stack::images {
namespace {

// One class "[...]" at pattern[0]; sets its length, 0 when it is broken.
bool in_class(std::string_view pattern, char c, std::size_t& length) {
  std::size_t i = 1;
  bool negated = false;
  if (i < pattern.size() && (pattern[i] == '^' || pattern[i] == '!')) {
    negated = true;
    ++i;
  }
  bool found = false;
  bool first = true;
  length = 0;
  while (i < pattern.size() && (pattern[i] != ']' || first)) {
    first = false;
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    const char low = pattern[i++];
    char high = low;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      ++i;
      if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
      high = pattern[i++];
    }
    found = found || (low <= c && c <= high);
  }
  if (i >= pattern.size()) return false;
  length = i + 1;
  return found != negated;
}

// Greedy matching with one point of return: the last star.
bool match(std::string_view pattern, std::string_view name, bool slash_is_special) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_n = 0;
  while (n < name.size()) {
    bool ok = false;
    if (p < pattern.size()) {
      const char c = pattern[p];
      if (c == '*') {
        star = p++;
        star_n = n;
        continue;
      }
      std::size_t length = 1;
      if (c == '?') {
        ok = !(slash_is_special && name[n] == '/');
      } else if (c == '[') {
        ok = in_class(pattern.substr(p), name[n], length) && !(slash_is_special && name[n] == '/');
        if (length == 0) return false;
      } else if (c == '\\' && p + 1 < pattern.size()) {
        ok = pattern[p + 1] == name[n];
        length = 2;
      } else {
        ok = c == name[n];
      }
      if (ok) {
        p += length;
        ++n;
        continue;
      }
    }
    if (star == std::string_view::npos || (slash_is_special && name[star_n] == '/')) return false;
    p = star + 1;
    n = ++star_n;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool match_components(const std::vector<std::string>& pattern, std::size_t p,
                      const std::vector<std::string>& path, std::size_t n) {
  while (p < pattern.size()) {
    if (pattern[p] == "**") {
      while (p < pattern.size() && pattern[p] == "**") ++p;
      if (p == pattern.size()) return true;
      for (std::size_t skip = n; skip < path.size(); ++skip) {
        if (match_components(pattern, p, path, skip)) return true;
      }
      return false;
    }
    // "**" inside a component ("a**") is two stars.
    if (n >= path.size() || !match(pattern[p], path[n], true)) return false;
    ++p;
    ++n;
  }
  return n == path.size();
}

}  // namespace

bool path_match(std::string_view pattern, std::string_view name) {
  return match(pattern, name, true);
}
bool shell_match(std::string_view pattern, std::string_view name) {
  return match(pattern, name, false);
}

bool ignore_match(std::string_view pattern, std::string_view path) {
  return match_components(split_path(pattern), 0, split_path(path), 0);
}

bool has_glob(std::string_view pattern) {
  return pattern.find_first_of("*?[") != std::string_view::npos;
}

}  // namespace stack::images
