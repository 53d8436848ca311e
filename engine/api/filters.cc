#include "engine/api/filters.h"

#include <algorithm>
#include <regex>

#include "engine/api/request.h"
#include "engine/json_fields.h"

namespace stack::engine::api {

namespace {

bool label_matches(const std::map<std::string, std::string>& labels, const std::string& wanted) {
  const auto equals = wanted.find('=');
  const auto it = labels.find(wanted.substr(0, equals));
  if (it == labels.end()) return false;
  return equals == std::string::npos || it->second == wanted.substr(equals + 1);
}

bool regex_matches(const std::string& pattern, std::string_view value) {
  if (pattern.find_first_of("^$.*+?()[]{}|\\") == std::string::npos) return false;
  try {
    return std::regex_search(value.begin(), value.end(),
                             std::regex(pattern, std::regex::ECMAScript));
  } catch (const std::regex_error&) {
    return false;
  }
}

}  // namespace

Result<Filters> Filters::parse(std::string_view text,
                               std::initializer_list<std::string_view> known) {
  Filters out;
  if (text.empty()) return out;
  const auto parsed = parse_json(text, [&](const Json& json) {
    for (const auto& [key, values] : json.items()) {
      if (known.size() > 0 && std::find(known.begin(), known.end(), key) == known.end())
        bad_value("invalid filter '" + key + "'");
      auto& list = out.values_[key];
      if (values.is_array()) {
        list = values.get<Strings>();
      } else {
        for (const auto& [value, on] : values.items()) {
          if (!on.is_boolean() || on.get<bool>()) list.push_back(value);
        }
      }
    }
  });
  if (!parsed.ok()) {
    const auto& message = parsed.error().message;
    return Error::invalid(message.rfind("invalid JSON", 0) == 0 ? "invalid filter" : message);
  }
  return out;
}

const std::vector<std::string>& Filters::all(const std::string& key) const {
  static const std::vector<std::string> kNone;
  const auto it = values_.find(key);
  return it == values_.end() ? kNone : it->second;
}

Result<std::optional<bool>> Filters::flag(const std::string& key) const {
  if (!has(key)) return std::optional<bool>();
  const bool on = exact(key, "1") || exact(key, "true");
  const bool off = exact(key, "0") || exact(key, "false");
  if (!all(key).empty() && on != off) return std::optional<bool>(on);
  std::string shown;
  for (const auto& value : all(key)) shown += (shown.empty() ? "" : " ") + value;
  return Error::invalid("invalid filter '" + key + "=[" + shown + "]'");
}

bool Filters::exact(const std::string& key, std::string_view value) const {
  const auto& list = all(key);
  return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

bool Filters::prefix(const std::string& key, std::string_view value) const {
  const auto& list = all(key);
  return list.empty() || std::any_of(list.begin(), list.end(), [&](const std::string& one) {
           return value.substr(0, one.size()) == one;
         });
}

bool Filters::contains(const std::string& key, std::string_view value) const {
  const auto& list = all(key);
  return list.empty() || std::any_of(list.begin(), list.end(), [&](const std::string& one) {
           return value.find(one) != std::string_view::npos || regex_matches(one, value);
         });
}

bool Filters::labels(const std::map<std::string, std::string>& labels) const {
  const auto& wanted = all("label");
  const auto& unwanted = all("label!");
  const auto matches = [&](const std::string& one) { return label_matches(labels, one); };
  return std::all_of(wanted.begin(), wanted.end(), matches) &&
         std::none_of(unwanted.begin(), unwanted.end(), matches);
}

}  // namespace stack::engine::api
