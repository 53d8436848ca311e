#include "images/dockerignore.h"

#include "images/glob.h"
#include "images/paths.h"

namespace stack::images {
namespace {

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

DockerIgnore::DockerIgnore(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.starts_with('#')) continue;
    line = trim(line);
    Pattern pattern;
    if (line.starts_with('!')) {
      pattern.negated = true;
      line = trim(line.substr(1));
    }
    if (line.empty()) continue;
    pattern.text = clean_absolute(line).substr(1);
    if (pattern.text.empty()) {
      // "." and "/" name the context itself; everything in it follows.
      pattern.text = "**";
      if (!pattern.negated && line == "/") continue;
    }
    any_negated_ = any_negated_ || pattern.negated;
    patterns_.push_back(std::move(pattern));
  }
}

bool DockerIgnore::excluded(const std::string& relative_path) const {
  bool out = false;
  const std::vector<std::string> parts = split_path(relative_path);
  for (const Pattern& pattern : patterns_) {
    if (pattern.negated != out) continue;  // would change nothing
    std::string prefix;
    for (const std::string& part : parts) {
      prefix += (prefix.empty() ? "" : "/") + part;
      if (ignore_match(pattern.text, prefix)) {
        out = !pattern.negated;
        break;
      }
    }
  }
  return out;
}

bool DockerIgnore::can_skip_directory(const std::string& relative_path) const {
  return !any_negated_ && excluded(relative_path);
}

}  // namespace stack::images
