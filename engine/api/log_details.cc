#include "engine/api/log_details.h"

#include <fmt/core.h>

#include <regex>
#include <set>

#include "engine/api/text.h"

namespace stack::engine::api {

namespace {

std::string option(const Container& c, const char* name) {
  const auto it = c.config.log.options.find(name);
  return it == c.config.log.options.end() ? std::string() : it->second;
}

// Names of a list, "a,b", and those that a pattern finds.
class Wanted {
 public:
  Wanted(const std::string& list, const std::string& pattern) {
    for (std::size_t start = 0; start < list.size();) {
      const auto end = std::min(list.find(',', start), list.size());
      names_.insert(list.substr(start, end - start));
      start = end + 1;
    }
    if (pattern.empty()) return;
    try {
      pattern_.emplace(pattern);
    } catch (const std::regex_error&) {  // finds nothing
    }
  }
  bool has(const std::string& name) const {
    return names_.count(name) > 0 || (pattern_ && std::regex_search(name, *pattern_));
  }

 private:
  std::set<std::string> names_;
  std::optional<std::regex> pattern_;
};

// The tag is a template; these are its fields.
std::string tag_of(const Container& c) {
  std::string tag = option(c, "tag");
  const std::pair<const char*, std::string> fields[] = {
      {"ID", c.id.substr(0, 12)},
      {"FullID", c.id},
      {"Name", c.name},
      {"ImageName", c.config.image},
      {"ImageFullID", c.image_id},
      {"ImageID", c.image_id.substr(0, 19)},
      {"Command", command_text(c)},
      {"DaemonName", "docker"},
  };
  for (const auto& [name, value] : fields) {
    for (const auto& text :
         {fmt::format("{{{{.{}}}}}", name), fmt::format("{{{{ .{} }}}}", name)}) {
      for (std::size_t at = 0; (at = tag.find(text, at)) != std::string::npos; at += value.size())
        tag.replace(at, text.size(), value);
    }
  }
  return tag;
}

// As Go's url.QueryEscape.
std::string quoted(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

}  // namespace

std::string log_details(const Container& c) {
  std::map<std::string, std::string> details;
  const Wanted labels(option(c, "labels"), option(c, "labels-regex"));
  for (const auto& [name, value] : c.config.labels) {
    if (labels.has(name)) details[name] = value;
  }
  const Wanted variables(option(c, "env"), option(c, "env-regex"));
  for (const auto& entry : c.config.env) {
    const auto equals = entry.find('=');
    if (equals != std::string::npos && variables.has(entry.substr(0, equals)))
      details[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  if (!option(c, "tag").empty()) details["tag"] = tag_of(c);
  std::string out;
  for (const auto& [name, value] : details)
    out += (out.empty() ? "" : ",") + quoted(name) + "=" + quoted(value);
  return out;
}

}  // namespace stack::engine::api
