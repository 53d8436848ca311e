// A YAML text with a single character in place of each word. yaml-cpp tries a tree of regular
// expressions at every character of a scalar, which is most of the time that loading takes; but to
// no rule of YAML does it matter what a word consists of, or that it is longer than one character.
// The words are put back into the scalars that the parser hands out. Comments, anchors, aliases,
// tags, escapes and directives stay as they are, so the words are those of scalars alone, in order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stack::compose {

class YamlWords {
 public:
  // `text` outlives this, and has no control characters but tabs and line ends. Unless `shorten` it
  // stays whole.
  YamlWords(std::string_view text, bool shorten);

  std::string_view shortened() const { return shortened_; }

  // How many columns before a position of the shortened text, `column` behind the beginning of its
  // line, are missing in it.
  std::int32_t missing(std::size_t position, std::size_t column);

  // The scalar that begins at a position of the shortened text, with its words. The result lives
  // until the next call.
  const std::string& whole(std::size_t position, const std::string& scalar);

 private:
  struct Word {
    std::uint32_t position;      // in the shortened text
    std::uint32_t begin;         // in the text
    std::uint32_t size;          // in the text
    std::int32_t missing_after;  // columns, in this line up to the word's end
  };

  void line(std::size_t begin, std::size_t end);
  std::size_t word_end(std::size_t begin, std::size_t end) const;
  // The first word at or behind a position. What is asked for is mostly near what was asked for last.
  std::size_t find(std::size_t position);

  std::string_view text_;
  std::string buffer_;
  std::string_view shortened_;
  std::vector<Word> words_;
  std::size_t last_ = 0;
  std::string whole_;
};

}  // namespace stack::compose
