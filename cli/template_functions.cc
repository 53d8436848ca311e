#include "cli/template_functions.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <utility>

#include "base/go_quote.h"
#include "cli/api_client.h"
#include "cli/table.h"
#include "cli/template_printf.h"

namespace stack::cli {

namespace {

using Args = std::vector<TemplateValue>;
using Answer = Result<TemplateValue>;

TemplateValue value_of(Json json) { return {std::move(json)}; }

Error wrong(std::string_view function, std::string_view what) {
  return Error::invalid(fmt::format("error calling {}: {}", function, what));
}

Result<std::string> string_at(std::string_view function, const Args& args, std::size_t at) {
  if (!args[at].json.is_string()) {
    return wrong(function, fmt::format("wrong type for value; expected string; got {}",
                                       args[at].json.type_name()));
  }
  return args[at].json.get<std::string>();
}

template <typename F>
Answer mapped(std::string_view function, const Args& args, F convert) {
  std::string text = TRY(string_at(function, args, 0));
  convert(text);
  return value_of(std::move(text));
}

std::size_t length_of(const Json& json) {
  return json.is_string() ? json.get_ref<const std::string&>().size() : json.size();
}

Answer length(const Args& args) {
  if (args[0].json.is_string() || args[0].json.is_structured() || args[0].is_nil)
    return value_of(length_of(args[0].json));
  return wrong("len", fmt::format("len of type {}", args[0].json.type_name()));
}

// A step of `index`: a list by number, a map by key. What a map does not have is its empty value.
Result<TemplateValue> element(const TemplateValue& in, const TemplateValue& key) {
  const Json& json = in.json;
  if (json.is_array()) {
    if (!key.json.is_number_integer()) return wrong("index", "cannot index slice with that type");
    const auto at = key.json.get<std::int64_t>();
    if (at < 0 || static_cast<std::size_t>(at) >= json.size())
      return wrong("index", fmt::format("index out of range: {}", at));
    return value_of(json[static_cast<std::size_t>(at)]);
  }
  if (json.is_object()) {
    if (!key.json.is_string()) return wrong("index", "the key of a map must be a string");
    if (const auto found = json.find(key.json.get<std::string>()); found != json.end())
      return value_of(*found);
    const bool texts =
        std::all_of(json.begin(), json.end(), [](const Json& v) { return v.is_string(); });
    return texts ? value_of("") : TemplateValue{nullptr, false, true};
  }
  if (json.is_string() && key.json.is_number_integer()) {
    const auto& text = json.get_ref<const std::string&>();
    const auto at = key.json.get<std::int64_t>();
    if (at < 0 || static_cast<std::size_t>(at) >= text.size())
      return wrong("index", fmt::format("index out of range: {}", at));
    return value_of(static_cast<unsigned char>(text[static_cast<std::size_t>(at)]));
  }
  if (json.is_null()) return wrong("index", "index of untyped nil");
  return wrong("index", fmt::format("can't index item of type {}", json.type_name()));
}

Answer index(const Args& args) {
  TemplateValue at = args[0];
  for (std::size_t i = 1; i < args.size(); ++i) at = TRY(element(at, args[i]));
  return at;
}

Answer slice(const Args& args) {
  const Json& json = args[0].json;
  if (!json.is_string() && !json.is_array())
    return wrong("slice", fmt::format("can't slice item of type {}", json.type_name()));
  std::array<std::size_t, 2> bounds{0, length_of(json)};
  for (std::size_t i = 1; i < args.size() && i < 3; ++i) {
    if (!args[i].json.is_number_integer() || args[i].json.get<std::int64_t>() < 0 ||
        args[i].json.get<std::size_t>() > length_of(json)) {
      return wrong("slice", fmt::format("index out of range: {}", args[i].json.dump()));
    }
    bounds[i - 1] = args[i].json.get<std::size_t>();
  }
  if (bounds[0] > bounds[1]) return wrong("slice", "invalid slice index");
  if (json.is_string()) {
    return value_of(json.get_ref<const std::string&>().substr(bounds[0], bounds[1] - bounds[0]));
  }
  return value_of(Json(Json::array_t(json.begin() + static_cast<long>(bounds[0]),
                                     json.begin() + static_cast<long>(bounds[1]))));
}

Answer join(const Args& args) {
  const std::string separator = TRY(string_at("join", args, 1));
  if (!args[0].json.is_array() && !args[0].is_nil)
    return wrong("join", "the first argument is no list");
  std::string out;
  bool first = true;
  for (const Json& item : args[0].json) {
    if (!first) out += separator;
    first = false;
    out += template_text(value_of(item));
  }
  return value_of(std::move(out));
}

Answer split(const Args& args) {
  const std::string text = TRY(string_at("split", args, 0));
  const std::string separator = TRY(string_at("split", args, 1));
  Json out = Json::array();
  if (separator.empty()) {
    for (const char c : text) out.push_back(std::string(1, c));
    return value_of(std::move(out));
  }
  std::size_t start = 0;
  for (std::size_t at = 0; (at = text.find(separator, start)) != std::string::npos;
       start = at + separator.size()) {
    out.push_back(text.substr(start, at - start));
  }
  out.push_back(text.substr(start));
  return value_of(std::move(out));
}

Answer pad(const Args& args) {
  const std::string text = TRY(string_at("pad", args, 0));
  if (text.empty()) return value_of("");
  const auto spaces = [&args](std::size_t i) {
    const Json& json = args[i].json;
    return std::string(json.is_number_integer() ? static_cast<std::size_t>(std::max<std::int64_t>(
                                                      0, json.get<std::int64_t>()))
                                                : 0,
                       ' ');
  };
  return value_of(spaces(1) + text + spaces(2));
}

Answer truncate(const Args& args) {
  const std::string text = TRY(string_at("truncate", args, 0));
  if (!args[1].json.is_number_integer() || args[1].json.get<std::int64_t>() < 0)
    return wrong("truncate", "the length must be a number");
  return value_of(text.substr(0, args[1].json.get<std::size_t>()));
}

Answer print_joined(const Args& args, bool line) {
  std::string out;
  for (std::size_t i = 0; i < args.size(); ++i) {
    // Print puts spaces between operands when neither is a string, Println always.
    const bool spaced =
        i > 0 && (line || (!args[i - 1].json.is_string() && !args[i].json.is_string()));
    if (spaced) out += ' ';
    out += template_text(args[i]);
  }
  if (line) out += '\n';
  return value_of(std::move(out));
}

Result<int> compare(std::string_view function, const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) {
    const auto x = a.get<double>();
    const auto y = b.get<double>();
    return x < y ? -1 : x > y ? 1 : 0;
  }
  if (a.is_string() && b.is_string()) {
    const int order = a.get_ref<const std::string&>().compare(b.get_ref<const std::string&>());
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  if (function != "eq" && function != "ne") return wrong(function, "invalid type for comparison");
  if (a.is_boolean() && b.is_boolean()) return a == b ? 0 : 1;
  if (a.is_null() || b.is_null()) return a.is_null() && b.is_null() ? 0 : 1;
  return wrong(function, "incompatible types for comparison");
}

Answer comparison(std::string_view function, const Args& args) {
  for (std::size_t i = 1; i < args.size(); ++i) {
    const int order = TRY(compare(function, args[0].json, args[i].json));
    const bool holds = (function == "eq" && order == 0) || (function == "ne" && order != 0) ||
                       (function == "lt" && order < 0) || (function == "le" && order <= 0) ||
                       (function == "gt" && order > 0) || (function == "ge" && order >= 0);
    if (holds || i + 1 == args.size()) return value_of(holds);
  }
  return value_of(false);
}

Answer title(const Args& args) {
  return mapped("title", args, [](std::string& text) {
    bool word = false;
    for (char& c : text) {
      if (!word) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      word = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '\'';
    }
  });
}

Answer escaped_html(const Args& args) {
  std::string out;
  for (const char c : template_text(args[0])) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return value_of(std::move(out));
}

Answer url_query(const Args& args) {
  std::string out = url_encode(template_text(args[0]));
  for (std::size_t at = 0; (at = out.find("%20", at)) != std::string::npos;)
    out.replace(at, 3, "+");
  return value_of(std::move(out));
}

struct Function {
  std::size_t min_args;
  std::size_t max_args;
  Answer (*call)(const Args&);
};

constexpr std::size_t kAny = 1000;

const std::map<std::string_view, Function>& functions() {
  static const std::map<std::string_view, Function> kFunctions{
      {"and", {1, kAny, nullptr}},
      {"or", {1, kAny, nullptr}},
      {"not", {1, 1, [](const Args& a) { return Answer(value_of(!template_truth(a[0]))); }}},
      {"len", {1, 1, length}},
      {"index", {1, kAny, index}},
      {"slice", {1, 4, slice}},
      {"json",
       {1, 1,
        [](const Args& a) {
          return Answer(value_of(a[0].is_nil ? "null" : compact_json(a[0].json)));
        }}},
      {"join", {2, 2, join}},
      {"split", {2, 2, split}},
      {"title", {1, 1, title}},
      {"upper",
       {1, 1,
        [](const Args& a) {
          return mapped("upper", a, [](std::string& text) {
            for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
          });
        }}},
      {"lower",
       {1, 1,
        [](const Args& a) {
          return mapped("lower", a, [](std::string& text) {
            for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
          });
        }}},
      {"pad", {3, 3, pad}},
      {"truncate", {2, 2, truncate}},
      {"print", {0, kAny, [](const Args& a) { return print_joined(a, false); }}},
      {"println", {0, kAny, [](const Args& a) { return print_joined(a, true); }}},
      {"printf", {1, kAny, [](const Args& a) { return template_printf(a); }}},
      {"html", {1, 1, escaped_html}},
      {"js",
       {1, 1,
        [](const Args& a) {
          const std::string quoted = go_quote(template_text(a[0]));
          return Answer(value_of(quoted.substr(1, quoted.size() - 2)));
        }}},
      {"urlquery", {1, 1, url_query}},
      {"eq", {2, kAny, [](const Args& a) { return comparison("eq", a); }}},
      {"ne", {2, 2, [](const Args& a) { return comparison("ne", a); }}},
      {"lt", {2, 2, [](const Args& a) { return comparison("lt", a); }}},
      {"le", {2, 2, [](const Args& a) { return comparison("le", a); }}},
      {"gt", {2, 2, [](const Args& a) { return comparison("gt", a); }}},
      {"ge", {2, 2, [](const Args& a) { return comparison("ge", a); }}},
  };
  return kFunctions;
}

std::string object_text(const Json& json, bool is_map) {
  if (!is_map) {
    std::string fields;
    bool first = true;
    for (const auto& [key, value] : json.items())
      fields += (std::exchange(first, false) ? "" : " ") + template_text(value_of(value));
    return '{' + fields + '}';
  }
  std::string out;
  std::map<std::string, const Json*> sorted;
  for (const auto& [key, value] : json.items()) sorted.emplace(key, &value);
  for (const auto& [key, value] : sorted)
    out += fmt::format("{}{}:{}", out.empty() ? "" : " ", key, template_text(value_of(*value)));
  return "map[" + out + ']';
}

}  // namespace

bool is_template_function(std::string_view name) { return functions().contains(name); }

Result<TemplateValue> call_template_function(std::string_view name, const Args& args) {
  const Function& function = functions().at(name);
  if (args.size() < function.min_args || args.size() > function.max_args) {
    return Error::invalid(fmt::format("wrong number of args for {}: want {}{} got {}", name,
                                      function.max_args == kAny ? "at least " : "",
                                      function.min_args, args.size()));
  }
  return function.call(args);
}

bool template_truth(const TemplateValue& value) {
  const Json& json = value.json;
  if (value.missing || json.is_null()) return false;
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number()) return std::abs(json.get<double>()) > 0;
  if (json.is_object() && !value.is_map) return true;  // a struct
  return length_of(json) > 0;
}

std::string template_text(const TemplateValue& value) {
  const Json& json = value.json;
  if (value.missing) return "<no value>";
  if (json.is_null()) return "<nil>";
  if (json.is_string()) return json.get<std::string>();
  if (json.is_number_float()) return fmt::format("{}", json.get<double>());
  if (json.is_object()) return object_text(json, value.is_map);
  if (!json.is_array()) return json.dump();
  std::string out = "[";
  for (const Json& item : json) {
    if (&item != &json.front()) out += ' ';
    out += template_text(value_of(item));
  }
  return out + ']';
}

std::string compact_json(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace stack::cli
