// --format of the listing commands: "table", "table TEMPLATE", "json" or "TEMPLATE", with the
// template language of cli/template.h.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/table.h"

namespace stack::cli {

// One line of a list: its fields by name, in the order of the JSON form (Docker's is
// alphabetical).
struct Record {
  struct Field {
    std::string name;
    std::string text;
    std::string json;  // empty: `text` as a string
  };
  std::vector<Field> fields;
  std::map<std::string, std::string> labels;  // what {{.Label "name"}} answers with

  Record& add(std::string name, std::string text, std::string json = {});
  const Field* find(std::string_view name) const;
  std::string to_json() const;
};

struct Column {
  std::string title;
  std::string field;
};

// Titles that {{.Field}} has in the head of a "table TEMPLATE" beyond those of the columns are the
// field's name in capitals.
Result<std::string> render_list(std::string_view format, const std::vector<Column>& columns,
                                const std::vector<Record>& records, std::size_t min_width);

// Only the template's text for one record, without a newline behind it: for streams of events.
Result<std::string> render_record(std::string_view format, const Record& record);

}  // namespace stack::cli
