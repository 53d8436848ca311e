#include "cli/format.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>

#include "cli/json_text.h"

namespace stack::cli {

namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Result<std::string> evaluate(std::string_view action, const Record& record) {
  std::string_view rest = trimmed(action);
  enum class Function { kNone, kJson, kUpper, kLower } function = Function::kNone;
  for (const auto& [name, which] : {std::pair<std::string_view, Function>{"json ", Function::kJson},
                                    {"upper ", Function::kUpper},
                                    {"lower ", Function::kLower}}) {
    if (!rest.starts_with(name)) continue;
    function = which;
    rest = trimmed(rest.substr(name.size()));
  }
  if (rest == "." && function == Function::kJson) return record.to_json();
  if (!rest.starts_with('.') || rest.find_first_of(" |(") != std::string_view::npos) {
    return Error::invalid(fmt::format("template: {{{{{}}}}} is not supported", action))
        .fix("Use {{.Field}} or {{json .}}, or --format json with jq.");
  }
  const Record::Field* field = record.find(rest.substr(1));
  if (field == nullptr) {
    std::string names;
    for (const Record::Field& known : record.fields)
      names += (names.empty() ? "" : ", ") + known.name;
    return Error::invalid(fmt::format("template: there is no field {}", rest.substr(1)))
        .fix("Fields: " + names + ".");
  }
  std::string value = field->text;
  if (function == Function::kJson) return field->json.empty() ? json_string(value) : field->json;
  const auto map = [&value](int (*convert)(int)) {
    std::transform(value.begin(), value.end(), value.begin(),
                   [convert](unsigned char c) { return static_cast<char>(convert(c)); });
  };
  if (function == Function::kUpper) map(std::toupper);
  if (function == Function::kLower) map(std::tolower);
  return value;
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 't' || text[i + 1] == 'n')) {
      out += text[++i] == 't' ? '\t' : '\n';
    } else {
      out += text[i];
    }
  }
  return out;
}

Row cells(const std::string& line) {
  Row row;
  std::size_t start = 0;
  for (std::size_t tab = 0; (tab = line.find('\t', start)) != std::string::npos; start = tab + 1) {
    row.push_back(line.substr(start, tab - start));
  }
  row.push_back(line.substr(start));
  return row;
}

}  // namespace

Record& Record::add(std::string name, std::string text, std::string json) {
  fields.push_back({std::move(name), std::move(text), std::move(json)});
  return *this;
}

const Record::Field* Record::find(std::string_view name) const {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [name](const Field& f) { return f.name == name; });
  return found != fields.end() ? &*found : nullptr;
}

std::string Record::to_json() const {
  JsonObject object;
  for (const Field& field : fields) {
    object.add_json(field.name, field.json.empty() ? json_string(field.text) : field.json);
  }
  return object.text();
}

Result<std::string> apply_template(std::string_view format, const Record& record) {
  const std::string text = unescaped(format);
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find("{{", at);
    out += text.substr(at, open == std::string::npos ? open : open - at);
    if (open == std::string::npos) break;
    const std::size_t close = text.find("}}", open);
    if (close == std::string::npos)
      return Error::invalid("template: unclosed action: {{ without }}");
    out += TRY(evaluate(std::string_view(text).substr(open + 2, close - open - 2), record));
    at = close + 2;
  }
  return out;
}

Result<std::string> render_list(std::string_view format, const std::vector<Column>& columns,
                                const std::vector<Record>& records, std::size_t min_width) {
  std::string out;
  if (format == "json") {
    for (const Record& record : records) out += record.to_json() + '\n';
    return out;
  }
  const bool table = format.empty() || format.starts_with("table");
  const std::string_view pattern =
      table ? trimmed(format.substr(std::min<std::size_t>(format.size(), 5))) : format;
  if (!table) {
    for (const Record& record : records) out += TRY(apply_template(pattern, record)) + '\n';
    return out;
  }
  std::vector<Row> rows(1);
  if (pattern.empty()) {
    for (const Column& column : columns) rows[0].push_back(column.title);
    for (const Record& record : records) {
      Row& row = rows.emplace_back();
      for (const Column& column : columns) {
        const Record::Field* field = record.find(column.field);
        row.push_back(field != nullptr ? field->text : "");
      }
    }
  } else {
    Record titles;
    for (const Column& column : columns) titles.add(column.field, column.title);
    if (!records.empty()) {
      for (const Record::Field& field : records[0].fields) {
        std::string title = field.name;
        std::transform(title.begin(), title.end(), title.begin(),
                       [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        if (titles.find(field.name) == nullptr) titles.add(field.name, title);
      }
    }
    rows[0] = cells(TRY(apply_template(pattern, titles)));
    for (const Record& record : records)
      rows.push_back(cells(TRY(apply_template(pattern, record))));
  }
  return render_table(rows, min_width);
}

}  // namespace stack::cli
