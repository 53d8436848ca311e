#include "cli/docker/csv.h"

#include <fmt/core.h>

#include <cctype>

namespace stack::cli::docker {

Error wrong_flag(std::string_view flag, std::string_view text, std::string_view what) {
  return Error::invalid(
      fmt::format("invalid argument \"{}\" for \"--{}\" flag: {}", text, flag, what));
}

Result<std::vector<CsvField>> csv_fields(std::string_view flag, std::string_view text) {
  std::vector<std::string> words(1);
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' && quoted && i + 1 < text.size() && text[i + 1] == '"') {
      words.back() += text[++i];
    } else if (c == '"' && (quoted || words.back().empty())) {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  if (quoted) return wrong_flag(flag, text, "a quote is not closed");
  std::vector<CsvField> out;
  for (const std::string& word : words) {
    if (word.empty()) return wrong_flag(flag, text, "there is an empty field");
    const std::size_t equals = word.find('=');
    CsvField& field = out.emplace_back();
    field.key = word.substr(0, equals);
    for (char& c : field.key) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    field.has_value = equals != std::string::npos;
    if (field.has_value) field.value = word.substr(equals + 1);
  }
  return out;
}

}  // namespace stack::cli::docker
