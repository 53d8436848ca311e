#include "cli/format.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "cli/json_text.h"
#include "cli/template.h"

namespace stack::cli {

namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
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

void append_cells(std::string_view text, std::vector<Row>& rows) {
  std::size_t line_start = 0;
  while (line_start <= text.size()) {
    const std::size_t line_end = std::min(text.find('\n', line_start), text.size());
    const std::string_view line = text.substr(line_start, line_end - line_start);
    Row& row = rows.emplace_back();
    std::size_t start = 0;
    for (std::size_t tab = 0; (tab = line.find('\t', start)) != std::string::npos; start = tab + 1)
      row.emplace_back(line.substr(start, tab - start));
    row.emplace_back(line.substr(start));
    line_start = line_end + 1;
  }
}

Json document_of(const Record& record) {
  Json out = Json::object();
  for (const Record::Field& field : record.fields)
    out[field.name] =
        field.json.empty() ? Json(field.text) : Json::parse(field.json, nullptr, false);
  return out;
}

Result<std::string> text_of(const Template& pattern, const Record& record) {
  const Json document = document_of(record);
  const std::string json = record.to_json();
  const TemplateMethod label =
      [&record](std::string_view name,
                const std::vector<std::string>& args) -> std::optional<std::string> {
    if (name != "Label" || args.size() != 1) return std::nullopt;
    const auto found = record.labels.find(args[0]);
    return found != record.labels.end() ? found->second : std::string();
  };
  return pattern.execute({&document, label, json});
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

Result<std::string> head_of(const Template& pattern, const std::vector<Column>& columns,
                            const std::vector<Record>& records) {
  Json titles = Json::object();
  for (const Column& column : columns) titles[column.field] = column.title;
  if (!records.empty()) {
    for (const Record::Field& field : records[0].fields) {
      if (!titles.contains(field.name)) titles[field.name] = upper(field.name);
    }
  }
  // The title of {{.Label "com.example.some-name"}} is "some name".
  const TemplateMethod label =
      [](std::string_view name,
         const std::vector<std::string>& args) -> std::optional<std::string> {
    if (name != "Label" || args.size() != 1) return std::nullopt;
    std::string title = args[0].substr(args[0].rfind('.') + 1);
    std::replace_if(
        title.begin(), title.end(), [](char c) { return c == '-' || c == '_'; }, ' ');
    return title;
  };
  auto head = pattern.execute({&titles, label, {}});
  // Without a row nobody knows which other fields there are.
  if (!head.ok() && records.empty()) return std::string();
  return head;
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

Result<std::string> render_record(std::string_view format, const Record& record) {
  if (format == "json") return record.to_json();
  return text_of(TRY(Template::parse(unescaped(trimmed(format)))), record);
}

Result<std::string> render_list(std::string_view format, const std::vector<Column>& columns,
                                const std::vector<Record>& records, std::size_t min_width) {
  std::string out;
  if (format == "json") {
    for (const Record& record : records) out += record.to_json() + '\n';
    return out;
  }
  const bool table = format.empty() || format.starts_with("table");
  const std::string_view source =
      trimmed(table ? format.substr(std::min<std::size_t>(format.size(), 5)) : format);
  std::vector<Row> rows;
  if (table && source.empty()) {
    Row& head = rows.emplace_back();
    for (const Column& column : columns) head.push_back(column.title);
    for (const Record& record : records) {
      Row& row = rows.emplace_back();
      for (const Column& column : columns) {
        const Record::Field* field = record.find(column.field);
        row.push_back(field != nullptr ? field->text : "");
      }
    }
    return render_table(rows, min_width);
  }
  const Template pattern = TRY(Template::parse(unescaped(source)));
  if (!table) {
    for (const Record& record : records) out += TRY(text_of(pattern, record)) + '\n';
    return out;
  }
  append_cells(TRY(head_of(pattern, columns, records)), rows);
  for (const Record& record : records) append_cells(TRY(text_of(pattern, record)), rows);
  return render_table(rows, min_width);
}

}  // namespace stack::cli
