// .dockerignore: which files of a build context are left out. Pure. The last pattern that matches a
// path or one of its parents decides; '!' takes back; '#' starts a comment; patterns are cleaned, a
// leading '/' is dropped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stack::images {

class DockerIgnore {
 public:
  DockerIgnore() = default;
  explicit DockerIgnore(std::string_view text);
  bool empty() const { return patterns_.empty(); }
  bool excluded(const std::string& relative_path) const;
  // No '!' pattern can bring back anything below an excluded directory.
  bool can_skip_directory(const std::string& relative_path) const;

 private:
  struct Pattern {
    std::string text;
    bool negated = false;
  };
  std::vector<Pattern> patterns_;
  bool any_negated_ = false;
};

}  // namespace stack::images
