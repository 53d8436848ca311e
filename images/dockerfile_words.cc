// Variable expansion of Dockerfile words.
#include <algorithm>
#include <cctype>

#include "images/dockerfile.h"
#include "images/glob.h"

namespace stack::images {
namespace {

bool name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

class Expander {
 public:
  Expander(std::string_view text, const VariableLookup& lookup, char escape, bool split)
      : text_(text), lookup_(lookup), escape_(escape), split_(split) {}

  Result<std::vector<std::string>> run() {
    TRY(until('\0', true));
    flush();
    return std::move(words_);
  }

 private:
  bool end() const { return at_ >= text_.size(); }

  void flush() {
    if (!split_ || started_) words_.push_back(std::move(word_));
    word_.clear();
    started_ = false;
  }

  void add(std::string_view text) {
    word_.append(text);
    started_ = true;
  }

  // Reads to `stop` (not consumed) or to the end.
  Status until(char stop, bool splitting) {
    while (!end()) {
      const char c = text_[at_];
      if (stop != '\0' && c == stop) return ok_status();
      if (splitting && split_ && (c == ' ' || c == '\t')) {
        ++at_;
        if (started_) flush();
        continue;
      }
      if (c == '\'') {
        const std::size_t close = text_.find('\'', at_ + 1);
        if (close == std::string_view::npos)
          return Error::invalid(
              "unexpected end of statement while looking for matching single-quote");
        add(text_.substr(at_ + 1, close - at_ - 1));
        at_ = close + 1;
      } else if (c == '"') {
        ++at_;
        TRY(double_quoted());
      } else if (c == '$') {
        const std::string value = TRY(variable());
        add_expanded(value, splitting);
      } else if (c == escape_) {
        ++at_;
        if (end()) return ok_status();
        add(text_.substr(at_++, 1));
      } else {
        add(text_.substr(at_++, 1));
      }
    }
    return ok_status();
  }

  // An unquoted value is split into words like the text around it.
  void add_expanded(const std::string& value, bool splitting) {
    if (!splitting || !split_) {
      add(value);
      if (value.empty() && split_) started_ = !word_.empty();
      return;
    }
    for (const char c : value) {
      if (c == ' ' || c == '\t' || c == '\n') {
        if (started_) flush();
      } else {
        add(std::string_view(&c, 1));
      }
    }
  }

  Status double_quoted() {
    started_ = true;
    while (true) {
      if (end())
        return Error::invalid(
            "unexpected end of statement while looking for matching double-quote");
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return ok_status();
      }
      if (c == '$') {
        add(TRY(variable()));
      } else if (c == escape_ && at_ + 1 < text_.size() &&
                 (text_[at_ + 1] == '"' || text_[at_ + 1] == '$' || text_[at_ + 1] == escape_)) {
        add(text_.substr(at_ + 1, 1));
        at_ += 2;
      } else {
        add(text_.substr(at_++, 1));
      }
    }
  }

  Result<std::string> variable() {
    ++at_;  // $
    if (end()) return std::string("$");
    if (text_[at_] != '{') {
      const std::string name = read_name();
      if (name.empty()) return std::string("$");
      return lookup_(name).value_or("");
    }
    ++at_;
    if (end()) return Error::invalid("syntax error: missing '}'");
    const std::string name = read_name();
    if (name.empty()) return Error::invalid("syntax error: bad substitution");
    if (end()) return Error::invalid("syntax error: missing '}'");
    const std::optional<std::string> value = lookup_(name);
    const char op = text_[at_];
    if (op == '}') {
      ++at_;
      return value.value_or("");
    }
    return modified(name, value);
  }

  std::string read_name() {
    const std::size_t start = at_;
    if (end()) return "";
    if (!name_start(text_[at_])) {
      if (std::isdigit(static_cast<unsigned char>(text_[at_])) != 0 ||
          std::string_view("@*#").find(text_[at_]) != std::string_view::npos) {
        ++at_;
        return std::string(text_.substr(start, 1));
      }
      return "";
    }
    while (!end() && name_char(text_[at_])) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  // A word inside ${...}, expanded, up to `stop`.
  Result<std::string> operand(char stop) {
    std::string saved = std::move(word_);
    const bool saved_started = started_;
    word_.clear();
    Status done = until(stop, false);
    std::string out = std::move(word_);
    word_ = std::move(saved);
    started_ = saved_started;
    if (!done.ok()) return std::move(done).error();
    if (end()) return Error::invalid("syntax error: missing '}'");
    return out;
  }

  Result<std::string> modified(const std::string& name, const std::optional<std::string>& value) {
    char op = text_[at_++];
    bool empty_counts = false;
    if (op == ':') {
      if (end()) return Error::invalid("syntax error: missing '}'");
      empty_counts = true;
      op = text_[at_++];
    }
    const bool present = value && (!empty_counts || !value->empty());
    switch (op) {
      case '-':
      case '+':
      case '?': {
        const std::string word = TRY(operand('}'));
        ++at_;
        if (op == '-') return present ? *value : word;
        if (op == '+') return present ? word : std::string();
        if (present) return *value;
        return Error::invalid(name + ": " +
                              (word.empty() ? std::string("is not allowed to be ") +
                                                  (empty_counts ? "unset or empty" : "unset")
                                            : word));
      }
      case '#':
      case '%': {
        const bool greedy = !end() && text_[at_] == op;
        if (greedy) ++at_;
        const std::string pattern = TRY(operand('}'));
        ++at_;
        return trim(value.value_or(""), pattern, op == '#', greedy);
      }
      case '/': {
        const bool all = !end() && text_[at_] == '/';
        if (all) ++at_;
        const std::string pattern = TRY(operand('/'));
        ++at_;
        const std::string replacement = TRY(operand('}'));
        ++at_;
        return replace(value.value_or(""), pattern, replacement, all);
      }
      default:
        return Error::invalid(std::string("unsupported modifier (") + op + ") in substitution");
    }
  }

  static std::string trim(const std::string& value, const std::string& pattern, bool front,
                          bool greedy) {
    std::optional<std::size_t> best;
    for (std::size_t n = 0; n <= value.size(); ++n) {
      const std::string_view part = front ? std::string_view(value).substr(0, n)
                                          : std::string_view(value).substr(value.size() - n);
      if (!shell_match(pattern, part)) continue;
      best = n;
      if (!greedy) break;
    }
    if (!best) return value;
    return front ? value.substr(*best) : value.substr(0, value.size() - *best);
  }

  static std::string replace(const std::string& value, const std::string& pattern,
                             const std::string& replacement, bool all) {
    std::string out;
    std::size_t at = 0;
    bool done = false;
    while (at < value.size()) {
      std::size_t length = 0;
      for (std::size_t n = value.size() - at; n > 0 && !done && length == 0; --n) {
        if (shell_match(pattern, std::string_view(value).substr(at, n))) length = n;
      }
      if (length == 0) {
        out += value[at++];
        continue;
      }
      out += replacement;
      at += length;
      done = !all;
    }
    return out;
  }

  std::string_view text_;
  const VariableLookup& lookup_;
  char escape_;
  bool split_;
  std::size_t at_ = 0;
  std::string word_;
  bool started_ = false;
  std::vector<std::string> words_;
};

}  // namespace

Result<std::string> expand_word(std::string_view text, const VariableLookup& lookup, char escape) {
  std::vector<std::string> words = TRY(Expander(text, lookup, escape, false).run());
  return std::move(words[0]);
}

Result<std::vector<std::string>> expand_words(std::string_view text, const VariableLookup& lookup,
                                              char escape) {
  return Expander(text, lookup, escape, true).run();
}

}  // namespace stack::images
