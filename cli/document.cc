#include "cli/document.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

namespace stack::cli {

namespace {

const Json& none() {
  static const Json kNone;
  return kNone;
}

}  // namespace

const Json& JsonView::json() const { return json_ != nullptr ? *json_ : none(); }

JsonView JsonView::operator[](std::string_view name) const {
  if (!json().is_object()) return {};
  const auto found = json_->find(std::string(name));
  return found != json_->end() ? JsonView(&*found) : JsonView();
}

std::string JsonView::text() const {
  if (json().is_null()) return "";
  return json_->is_string() ? json_->get<std::string>() : json_->dump();
}

std::int64_t JsonView::number() const {
  return json().is_number() ? json_->get<std::int64_t>() : 0;
}
double JsonView::real() const { return json().is_number() ? json_->get<double>() : 0; }
bool JsonView::truth() const { return json().is_boolean() && json_->get<bool>(); }
bool JsonView::exists() const { return !json().is_null(); }
bool JsonView::is_object() const { return json().is_object(); }

std::vector<JsonView> JsonView::items() const {
  std::vector<JsonView> out;
  if (!json().is_array()) return out;
  out.reserve(json_->size());
  for (const Json& item : *json_) out.emplace_back(&item);
  return out;
}

std::vector<std::pair<std::string, JsonView>> JsonView::members() const {
  std::vector<std::pair<std::string, JsonView>> out;
  if (!json().is_object()) return out;
  for (const auto& [name, value] : json_->items()) out.emplace_back(name, JsonView(&value));
  return out;
}

std::vector<std::string> JsonView::texts() const {
  std::vector<std::string> out;
  for (const JsonView item : items()) out.push_back(item.text());
  return out;
}

std::map<std::string, std::string> JsonView::text_map() const {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : members()) out.emplace(name, value.text());
  return out;
}

std::string JsonView::compact() const {
  return json().dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string JsonView::indented(int columns) const {
  return json().dump(columns, ' ', false, Json::error_handler_t::replace);
}

Result<Document> Document::parse(std::string_view text) {
  auto json = std::make_shared<Json>(Json::parse(text, nullptr, false));
  if (json->is_discarded()) {
    return Error::make(ErrorKind::kUnavailable,
                       fmt::format("the engine's answer is not JSON: {}", text.substr(0, 200)));
  }
  Document out;
  out.json_ = std::move(json);
  return out;
}

}  // namespace stack::cli
