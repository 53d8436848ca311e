// --format of the listing commands: table, json, and the simple Go templates people write:
// {{.Field}}, {{json .Field}},
// {{json .}}, upper, lower and join-free text with \t and \n.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/table.h"

namespace stack::cli {

// One line of a list: its fields by name, in the order of the JSON form.
struct Record {
  struct Field {
    std::string name;
    std::string text;
    std::string json;  // empty: `text` as a string
  };
  std::vector<Field> fields;

  Record& add(std::string name, std::string text, std::string json = {});
  const Field* find(std::string_view name) const;
  std::string to_json() const;
};

// Applies a template to a record; an unknown field or an unsupported action is an error that names
// it.
Result<std::string> apply_template(std::string_view format, const Record& record);

struct Column {
  std::string title;
  std::string field;
};

// A list in the format asked for: "table" (the columns), "json" (an object a line), "table
// TEMPLATE" or "TEMPLATE".
Result<std::string> render_list(std::string_view format, const std::vector<Column>& columns,
                                const std::vector<Record>& records, std::size_t min_width);

}  // namespace stack::cli
