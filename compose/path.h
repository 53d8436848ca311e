// Where a pass is in the tree, for messages: "services.web.ports.[0]".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stack::compose {

class Path {
 public:
  class Step {
   public:
    explicit Step(Path& path) : path_(path) {}
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    ~Step() { path_.parts_.pop_back(); }

   private:
    Path& path_;
  };

  [[nodiscard]] Step enter(std::string_view key) {
    parts_.push_back({key, 0});
    return Step(*this);
  }
  [[nodiscard]] Step enter(std::size_t index) {
    parts_.push_back({{}, index});
    return Step(*this);
  }

  // List positions are "[0]".
  std::string text() const { return join(true); }
  // List positions are "0", as schema validators print them.
  std::string plain_text() const { return join(false); }
  std::size_t depth() const { return parts_.size(); }

 private:
  struct Part {
    std::string_view key;  // of the tree, which outlives the walk; no data: a list position
    std::size_t index = 0;
  };

  std::string join(bool brackets) const {
    std::string out;
    for (const Part& p : parts_) {
      if (!out.empty()) out += '.';
      if (p.key.data() != nullptr) {
        out += p.key;
      } else {
        out += brackets ? "[" + std::to_string(p.index) + "]" : std::to_string(p.index);
      }
    }
    return out;
  }

  std::vector<Part> parts_;
};

}  // namespace stack::compose
