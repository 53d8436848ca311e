// A request as the routes see it: decoded, and free of the HTTP library. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stack::engine::api {

// Docker's meaning of a query value that is a flag: absent, "", "0", "no", "false" and "none" are
// false.
bool is_true(std::string_view value);
std::string percent_decode(std::string_view text, bool plus_is_space);

class Query {
 public:
  Query() = default;
  static Query parse(std::string_view text);

  bool has(const std::string& key) const { return values_.count(key) != 0; }
  std::string text(const std::string& key) const;  // the first value; empty when absent
  bool flag(const std::string& key) const { return is_true(text(key)); }
  std::vector<std::string> all(const std::string& key) const;
  // kInvalid when it is there and not a number.
  Result<std::optional<int>> number(const std::string& key) const;

 private:
  std::multimap<std::string, std::string> values_;
};

struct Request {
  std::string method;
  std::string path;     // decoded, without the version prefix
  std::string version;  // "1.51", or empty
  Query query;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // empty for routes that stream it
  std::vector<std::string> captures;           // what the pattern's {parts} matched

  std::string header(const std::string& lower_case_name) const;
};

// "/v1.51/containers/json?all=1" to its parts. kInvalid when it is not an absolute path.
Status parse_target(std::string_view target, Request& out);

}  // namespace stack::engine::api
