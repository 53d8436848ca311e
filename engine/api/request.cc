#include "engine/api/request.h"

#include <charconv>

namespace stack::engine::api {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// "/v1.51/..." has a version; "/volumes" has none.
std::size_t version_length(std::string_view path) {
  if (path.size() < 4 || path[0] != '/' || path[1] != 'v') return 0;
  const auto end = std::min(path.find('/', 1), path.size());
  const auto text = path.substr(2, end - 2);
  const bool is_version =
      !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos;
  return is_version ? end : 0;
}

}  // namespace

bool is_true(std::string_view value) {
  return !(value.empty() || value == "0" || value == "no" || value == "false" || value == "False" ||
           value == "none");
}

std::string percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
        hex_digit(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' && plus_is_space ? ' ' : text[i];
    }
  }
  return out;
}

Query Query::parse(std::string_view text) {
  Query out;
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    const auto pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    const auto value = equals < pair.size() ? pair.substr(equals + 1) : std::string_view();
    out.values_.emplace(percent_decode(pair.substr(0, equals), true), percent_decode(value, true));
  }
  return out;
}

std::string Query::text(const std::string& key) const {
  const auto it = values_.lower_bound(key);
  return it != values_.end() && it->first == key ? it->second : std::string();
}

std::vector<std::string> Query::all(const std::string& key) const {
  std::vector<std::string> out;
  const auto [first, last] = values_.equal_range(key);
  for (auto it = first; it != last; ++it) out.push_back(it->second);
  return out;
}

Result<std::optional<int>> Query::number(const std::string& key) const {
  const auto value = text(key);
  if (value.empty()) return std::optional<int>();
  int out = 0;
  const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), out);
  if (failed != std::errc() || end != value.data() + value.size()) {
    return Error::invalid("invalid value for " + key + ": \"" + value + "\"");
  }
  return std::optional<int>(out);
}

std::string Request::header(const std::string& lower_case_name) const {
  const auto it = headers.find(lower_case_name);
  return it == headers.end() ? std::string() : it->second;
}

Status parse_target(std::string_view target, Request& out) {
  // An absolute form ("http://host/path") is what proxies send.
  if (target.rfind("http://", 0) == 0) {
    const auto slash = target.find('/', 7);
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  if (target.empty() || target[0] != '/') return Error::invalid("malformed request target");
  const auto question = std::min(target.find('?'), target.size());
  if (question < target.size()) out.query = Query::parse(target.substr(question + 1));
  std::string_view path = target.substr(0, question);
  const auto skip = version_length(path);
  if (skip != 0) out.version = std::string(path.substr(2, skip - 2));
  path.remove_prefix(skip);
  out.path = percent_decode(path.empty() ? "/" : path, false);
  return ok_status();
}

}  // namespace stack::engine::api
