// Where values come from, for `config --explain`: what was put over what while the files became one
// tree, and how values read before their variables were replaced. Recorded only when asked for.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compose/dotenv.h"
#include "compose/node.h"

namespace stack::compose {

class Trace {
 public:
  enum class How { kOverridden, kReset };
  struct Loss {
    std::string path;  // "services.web.image", where it happened
    Place by;          // what stands there now, or the !reset
    Place place;       // of what was lost
    std::string value;
    How how = How::kOverridden;
  };

  void lost(How how, std::string path, Place by, const Node& old) {
    losses_.push_back({std::move(path), by, old.place, text_of(old), how});
  }
  // A value that has variables.
  struct Text {
    std::string path;
    Place place;
    std::string raw;
  };
  void interpolated(Text text) {
    raw_.emplace(key(text.place), texts_.size());
    texts_.push_back(std::move(text));
  }
  // Of the environment of an included project.
  void included(EnvFileValue value) { included_.push_back(std::move(value)); }

  const std::vector<Loss>& losses() const { return losses_; }
  const std::vector<Text>& texts() const { return texts_; }
  const std::vector<EnvFileValue>& included_values() const { return included_; }
  // The text in the file of a value that had variables; null for others.
  const std::string* raw(Place place) const {
    const auto it = raw_.find(key(place));
    return it == raw_.end() ? nullptr : &texts_[it->second].raw;
  }

  // One line: a scalar's text, "3 items", "2 keys".
  static std::string text_of(const Node& node);

 private:
  using Key = std::array<std::int32_t, 3>;
  static Key key(Place p) { return {p.file, p.line, p.column}; }

  std::vector<Loss> losses_;
  std::vector<Text> texts_;
  std::map<Key, std::size_t> raw_;  // positions in texts_
  std::vector<EnvFileValue> included_;
};

}  // namespace stack::compose
