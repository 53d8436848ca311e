#include "cli/json_text.h"

#include "base/json_quote.h"

namespace stack::cli {

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string json_array(const std::vector<std::string>& json_values) {
  std::string out = "[";
  for (const std::string& value : json_values) {
    if (out.size() > 1) out += ',';
    out += value;
  }
  return out + ']';
}

std::string json_strings(const std::vector<std::string>& texts) {
  std::vector<std::string> values;
  values.reserve(texts.size());
  for (const std::string& text : texts) values.push_back(json_string(text));
  return json_array(values);
}

JsonObject& JsonObject::add(std::string_view key, const std::map<std::string, std::string>& texts) {
  JsonObject object;
  for (const auto& [name, text] : texts) object.add(name, text);
  return add_json(key, object.text());
}

JsonObject& JsonObject::add_json(std::string_view key, std::string_view json) {
  if (!members_.empty()) members_ += ',';
  members_ += json_string(key);
  members_ += ':';
  members_ += json;
  return *this;
}

}  // namespace stack::cli
