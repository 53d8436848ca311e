// JSON written out, in the spelling of Go's encoder (`<`, `>` and `&` escaped), keys in the order
// they are added.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stack::cli {

std::string json_string(std::string_view text);
std::string json_array(const std::vector<std::string>& json_values);
std::string json_strings(const std::vector<std::string>& texts);

class JsonObject {
 public:
  JsonObject& add(std::string_view key, std::string_view text) {
    return add_json(key, json_string(text));
  }
  JsonObject& add(std::string_view key, const char* text) {
    return add(key, std::string_view(text));
  }
  JsonObject& add(std::string_view key, std::int64_t number) {
    return add_json(key, std::to_string(number));
  }
  JsonObject& add(std::string_view key, int number) {
    return add_json(key, std::to_string(number));
  }
  JsonObject& add(std::string_view key, bool value) {
    return add_json(key, value ? "true" : "false");
  }
  JsonObject& add(std::string_view key, const std::vector<std::string>& texts) {
    return add_json(key, json_strings(texts));
  }
  JsonObject& add(std::string_view key, const std::map<std::string, std::string>& texts);
  JsonObject& add_json(std::string_view key, std::string_view json);

  bool empty() const { return members_.empty(); }
  std::string text() const { return '{' + members_ + '}'; }

 private:
  std::string members_;
};

}  // namespace stack::cli
