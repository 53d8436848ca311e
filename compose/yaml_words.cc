#include "compose/yaml_words.h"

#include <algorithm>
#include <array>

namespace stack::compose {
namespace {

constexpr char kWord = '\x01';
// The parser knows keys of up to 1,024 characters only, and should see how long they are.
constexpr std::size_t kLongLine = 1000;

enum Class : std::uint8_t {
  kOther,
  kBegin,   // of a word
  kInside,  // a word that has begun
  kColon,   // inside a word when the beginning of one follows
  kStop,    // begins what is no scalar, or an escape: the rest of the line stays
};

constexpr std::array<Class, 256> classes() {
  std::array<Class, 256> out{};
  const auto set = [&](std::string_view characters, Class value) {
    for (const char c : characters) out[static_cast<unsigned char>(c)] = value;
  };
  set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/$", kBegin);
  set("-.=+@", kInside);
  set(":", kColon);
  set("#&*!%|>\\", kStop);
  return out;
}
constexpr std::array<Class, 256> kClasses = classes();

// An escape that stands for the very character.
bool escapes_word(std::string_view text) {
  return text.find("\\x01") != std::string_view::npos ||
         text.find("\\u0001") != std::string_view::npos ||
         text.find("\\U00000001") != std::string_view::npos;
}

Class class_of(char c) { return kClasses[static_cast<unsigned char>(c)]; }

}  // namespace

YamlWords::YamlWords(std::string_view text, bool shorten) : text_(text), shortened_(text) {
  if (!shorten || escapes_word(text)) return;
  buffer_.reserve(text.size());
  words_.reserve(text.size() / 8);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    if (end - begin > kLongLine) {
      buffer_.append(text, begin, end - begin);
    } else {
      line(begin, end);
    }
    begin = end;
  }
  shortened_ = buffer_;
}

void YamlWords::line(std::size_t begin, std::size_t end) {
  std::int32_t missing = 0;
  std::size_t at = begin;
  while (at < end && class_of(text_[at]) != kStop) {
    const std::size_t next = class_of(text_[at]) == kBegin ? word_end(at, end) : at + 1;
    const std::size_t size = next - at;
    if (size == 1) {
      buffer_ += text_[at];
    } else {
      missing += static_cast<std::int32_t>(size) - 1;
      words_.push_back({static_cast<std::uint32_t>(buffer_.size()), static_cast<std::uint32_t>(at),
                        static_cast<std::uint32_t>(size), missing});
      buffer_ += kWord;
    }
    at = next;
  }
  buffer_.append(text_, at, end - at);
}

std::size_t YamlWords::word_end(std::size_t begin, std::size_t end) const {
  std::size_t at = begin + 1;
  for (; at < end; ++at) {
    const Class c = class_of(text_[at]);
    const bool colon = c == kColon && at + 1 < end && class_of(text_[at + 1]) == kBegin;
    if (c != kBegin && c != kInside && !colon) break;
  }
  return at;
}

std::size_t YamlWords::find(std::size_t position) {
  while (last_ > 0 && words_[last_ - 1].position >= position) --last_;
  while (last_ < words_.size() && words_[last_].position < position) ++last_;
  return last_;
}

std::int32_t YamlWords::missing(std::size_t position, std::size_t column) {
  const std::size_t next = find(position);
  if (next == 0) return 0;
  const Word& before = words_[next - 1];
  return before.position + column >= position ? before.missing_after : 0;
}

const std::string& YamlWords::whole(std::size_t position, const std::string& scalar) {
  std::size_t at = words_.empty() ? std::string::npos : scalar.find(kWord);
  if (at == std::string::npos) return scalar;
  whole_.clear();
  std::size_t begin = 0;
  for (std::size_t word = find(position); at != std::string::npos; ++word) {
    whole_.append(scalar, begin, at - begin);
    whole_ += text_.substr(words_[word].begin, words_[word].size);
    begin = at + 1;
    at = scalar.find(kWord, begin);
  }
  whole_.append(scalar, begin);
  return whole_;
}

}  // namespace stack::compose
