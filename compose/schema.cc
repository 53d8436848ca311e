#include "compose/schema.h"

#include <algorithm>
#include <cassert>
#include <cctype>

#include "compose/schema_table.h"

namespace stack::compose {

const Key* Section::find(std::string_view key) const {
  const auto it = index.find(key);
  return it == index.end() ? nullptr : &keys[it->second];
}

std::vector<std::string> Section::key_names() const {
  std::vector<std::string> names;
  for (const Key& k : keys) names.push_back(k.name);
  return names;
}

const Section& Schema::section(std::string_view name) const {
  const auto it = sections_.find(name);
  assert(it != sections_.end());
  return it->second;
}

// Reads the table. A mistake in it is our defect, which the assertions and the tests find.
class SchemaParser {
 public:
  Schema parse(std::string_view table) {
    Section* section = nullptr;
    while (!table.empty()) {
      const std::size_t end = std::min(table.find('\n'), table.size());
      text_ = table.substr(0, end);
      table.remove_prefix(std::min(end + 1, table.size()));
      skip();
      if (text_.empty()) continue;
      if (take('[')) {
        const std::string name = word();
        section = &schema_.sections_[name];
        section->name = name;
        section->open = take('*');
        section->extensions = section->open || take('+');
        continue;
      }
      const std::string name = word();
      if (take(':')) {
        take('=');
        schema_.named_[name] = shape();
        continue;
      }
      assert(section != nullptr);
      Key key;
      key.name = name;
      key.required = take('!');
      key.shape = shape();
      section->keys.push_back(std::move(key));
    }
    for (auto& [name, one] : schema_.sections_) {
      for (std::size_t i = 0; i < one.keys.size(); ++i) {
        one.index.emplace(one.keys[i].name, i);
      }
    }
    return std::move(schema_);
  }

 private:
  void skip() {
    while (!text_.empty() && text_[0] == ' ') text_.remove_prefix(1);
  }
  bool take(char c) {
    skip();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    skip();
    return true;
  }
  std::string word() {
    std::size_t n = 0;
    while (n < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[n])) != 0 ||
                                text_[n] == '_' || text_[n] == '-' || text_[n] == '+')) {
      ++n;
    }
    std::string out(text_.substr(0, n));
    text_.remove_prefix(n);
    skip();
    return out;
  }

  // Absent before "," and ">".
  std::optional<std::int64_t> number() {
    const std::string digits = word();
    return digits.empty() ? std::nullopt : std::optional<std::int64_t>(std::stoll(digits));
  }

  Shape shape() {
    Shape out;
    do {
      if (take('$')) {
        const Shape& named = schema_.named_.at(word());
        out.insert(out.end(), named.begin(), named.end());
      } else {
        alternative(out);
      }
    } while (take('|'));
    return out;
  }

  void alternative(Shape& out) {
    using Kind = Alternative::Kind;
    Alternative a;
    if (take('@')) {
      a.kind = Kind::kSection;
      // The section may be defined further down; map nodes keep their address.
      a.section = &schema_.sections_[word()];
      out.push_back(a);
      return;
    }
    if (take('\'')) {
      const std::string choice = word();
      take('\'');
      if (!out.empty() && !out.back().choices.empty()) {
        out.back().choices.push_back(choice);
        return;
      }
      a.kind = Kind::kString;
      a.choices.push_back(choice);
      out.push_back(a);
      return;
    }
    std::string name = word();
    if (name.rfind("cast-", 0) == 0) {
      a.cast = true;
      name.erase(0, 5);
    }
    static const std::map<std::string, Kind> kinds{
        {"any", Kind::kAny},   {"null", Kind::kNull},     {"bool", Kind::kBool},
        {"int", Kind::kInt},   {"number", Kind::kNumber}, {"string", Kind::kString},
        {"list", Kind::kList}, {"set", Kind::kList},      {"map", Kind::kMap},
        {"names", Kind::kMap}, {"texts", Kind::kMap},     {"lines", Kind::kMap}};
    a.unique = name == "set";
    a.keys = name == "names"   ? Alternative::Keys::kNames
             : name == "texts" ? Alternative::Keys::kTexts
             : name == "lines" ? Alternative::Keys::kLines
                               : Alternative::Keys::kAny;
    a.kind = kinds.at(name);
    if (take('~')) a.check = word();
    if (take('<')) {
      a.least = number();
      take(',');
      a.most = number();
      take('>');
    }
    if (take('(')) {
      schema_.items_.push_back(shape());
      a.item = &schema_.items_.back();
      take(')');
    }
    out.push_back(std::move(a));
  }

  std::string_view text_;
  Schema schema_;
};

const Schema& schema() {
  static const Schema instance = SchemaParser().parse(kSchemaTable);
  return instance;
}

}  // namespace stack::compose
