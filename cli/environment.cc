#include "cli/environment.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/files.h"

namespace stack::cli {

std::vector<std::string> resolved_environment(const std::vector<std::string>& entries) {
  std::vector<std::string> out;
  for (const std::string& entry : entries) {
    if (entry.find('=') != std::string::npos) {
      out.push_back(entry);
    } else if (const char* value = ::getenv(entry.c_str())) {
      out.push_back(entry + '=' + value);
    }
  }
  return out;
}

Result<std::vector<std::string>> lines_of_env_file(const std::string& path) {
  const auto text = read_file(path);
  if (!text.ok()) {
    return Error::not_found(fmt::format("open {}: no such file or directory", path))
        .fix("Check the path of the file.");
  }
  std::vector<std::string> entries;
  int line_number = 0;
  for (std::size_t start = 0; start < text->size(); ++line_number) {
    const std::size_t end = std::min(text->find('\n', start), text->size());
    std::string line = text->substr(start, end - start);
    start = end + 1;
    line.erase(0, std::min(line.size(), line.find_first_not_of(" \t")));
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    const std::string name = line.substr(0, line.find('='));
    if (name.empty() || name.find_first_of(" \t") != std::string::npos) {
      Error error =
          Error::at({path, line_number + 1, 1},
                    name.empty() ? fmt::format("no variable name on line '{}'", line)
                                 : fmt::format("variable '{}' contains whitespaces", name));
      error.remedy = "Write one NAME=VALUE a line.";
      return error;
    }
    entries.push_back(std::move(line));
  }
  return resolved_environment(entries);
}

Result<std::vector<std::string>> shell_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == '\'') {
      if (c == '\'') {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '\\' && i + 1 < text.size()) {
      const char next = text[++i];
      // Inside double quotes a backslash stays before what it does not quote: POSIX shell, 2.2.3.
      if (quote == '"' && next != '"' && next != '\\' && next != '$' && next != '`') word += c;
      word += next;
      in_word = true;
    } else if (quote == '"') {
      if (c == '"') {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t' || c == '\n') {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) return Error::invalid("unclosed quote in: " + std::string(text));
  if (in_word) words.push_back(std::move(word));
  return words;
}

}  // namespace stack::cli
