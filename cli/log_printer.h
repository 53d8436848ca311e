// Log lines of several containers under coloured prefixes, byte for byte as Docker Compose prints
// them. Pure: text in, text out; the caller writes it to stdout or stderr.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace stack::cli {

class LogPrinter {
 public:
  struct Options {
    bool colour = false;
    bool prefix = true;
  };
  explicit LogPrinter(Options options) : options_(options) {}

  // A prefix is as wide as the longest name seen so far; colours are given in order of first
  // appearance.
  void register_name(std::string_view name);

  // "web-1  | text\n"
  std::string line(std::string_view name, std::string_view text);
  // "web-1 exited with code 3\n", behind what erases a half-drawn line of the terminal.
  std::string status(std::string_view text) const;

 private:
  Options options_;
  std::size_t width_ = 0;
  std::map<std::string, std::string, std::less<>> colours_;  // name -> SGR code
};

// "demo-web-1" of project "demo" is "web-1"; other names stay.
std::string name_in_project(std::string_view container, std::string_view project);

}  // namespace stack::cli
