// JSON answers of the engine, read without spelling out their shape: asking for what is not there
// answers with nothing. Keeps the JSON library out of the commands.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cli/json.h"

namespace stack::cli {

// A place in a document, which must outlive it.
class JsonView {
 public:
  JsonView() = default;
  explicit JsonView(const Json* json) : json_(json) {}

  JsonView operator[](std::string_view name) const;
  // A string as it is; numbers and booleans as JSON; "" when absent or null.
  std::string text() const;
  std::string text(std::string_view name) const { return (*this)[name].text(); }
  std::int64_t number() const;
  std::int64_t number(std::string_view name) const { return (*this)[name].number(); }
  double real() const;
  bool truth() const;
  bool truth(std::string_view name) const { return (*this)[name].truth(); }
  bool exists() const;  // and is not null
  bool is_object() const;
  std::vector<JsonView> items() const;  // of an array
  std::vector<std::pair<std::string, JsonView>> members() const;
  std::vector<std::string> texts() const;  // the strings of an array
  std::map<std::string, std::string> text_map() const;
  const Json& json() const;
  std::string compact() const;
  std::string indented(int columns) const;

 private:
  const Json* json_ = nullptr;
};

class Document {
 public:
  // kUnavailable when it is not JSON: then it is not the engine that answers.
  static Result<Document> parse(std::string_view text);

  JsonView root() const { return JsonView(json_.get()); }
  JsonView operator[](std::string_view name) const { return root()[name]; }

 private:
  std::shared_ptr<const Json> json_;
};

}  // namespace stack::cli
