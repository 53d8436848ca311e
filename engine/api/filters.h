// The `filters` parameter of lists, prunes and events: {"label":["a=b"]} or, in old clients,
// {"label":{"a=b":true}}. Pure.
#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stack::engine::api {

class Filters {
 public:
  // kInvalid for malformed text and for a key that is not among `known` (none: any will do), with
  // Docker's texts.
  static Result<Filters> parse(std::string_view text,
                               std::initializer_list<std::string_view> known);

  bool has(const std::string& key) const { return values_.count(key) != 0; }
  const std::vector<std::string>& all(const std::string& key) const;
  // A key whose values are true (1) and false (0). nullopt: it is not there. kInvalid: it is
  // something else, or both.
  Result<std::optional<bool>> flag(const std::string& key) const;
  // No such key: true. Otherwise: one of its values is `value`.
  bool exact(const std::string& key, std::string_view value) const;
  bool prefix(const std::string& key,
              std::string_view value) const;  // a value is the beginning of `value`
  bool contains(const std::string& key, std::string_view value)
      const;  // a value is part of `value`, or matches it as regex
  // label: all of them must be there, "key" or "key=value"; label!: none of them may.
  bool labels(const std::map<std::string, std::string>& labels) const;

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

}  // namespace stack::engine::api
