#include <exception>
#include <nlohmann/json.hpp>

#include "runtime/spec.h"
#include "runtime/spec_fields.h"

namespace stack::runtime {

namespace {

template <typename T, typename V>
concept Described = requires(V& v, T& t) {
  describe(v, t);
};

// Absent and null members leave the value as it is.
class Reader {
 public:
  using json = nlohmann::json;
  explicit Reader(const json& object) : object_(object) {}

  template <typename T>
  void operator()(const char* name, T& value) {
    if (const json* found = find(name)) read(*found, value);
  }
  template <typename T>
  void always(const char* name, T& value) {
    (*this)(name, value);
  }
  template <typename Body>
  void group(const char* name, Body body) {
    const json* found = find(name);
    if (found == nullptr) return;
    Reader inner(*found);
    body(inner);
  }
  void letter(const char* name, char& value) {
    std::string text;
    (*this)(name, text);
    if (!text.empty()) value = text[0] == 'u' ? 'c' : text[0];
  }
  void number_or_all(const char* name, std::optional<std::int64_t>& value) {
    (*this)(name, value);
    if (value == -1) value.reset();
  }
  void word(const char* name, NamespaceType& value) {
    std::string text;
    (*this)(name, text);
    for (const auto& [type, known] : kNamespaceNames) {
      if (text != known) continue;
      value = type;
      return;
    }
    throw std::runtime_error("unknown namespace type \"" + text + "\"");
  }

 private:
  const json* find(const char* name) const {
    const auto it = object_.find(name);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }

  template <typename T>
  static void read(const json& j, T& value) {
    if constexpr (Described<T, Reader>) {
      Reader inner(j);
      describe(inner, value);
    } else {
      j.get_to(value);
    }
  }
  template <typename T>
  static void read(const json& j, std::optional<T>& value) {
    read(j, value.emplace());
  }
  template <typename T>
  static void read(const json& j, std::vector<T>& list) {
    for (const json& item : j) read(item, list.emplace_back());
  }

  const json& object_;
};

class Writer {
 public:
  using json = nlohmann::ordered_json;

  template <typename T>
  void operator()(const char* name, const T& value) {
    if (!(value == T{})) always(name, value);
  }
  template <typename T>
  void always(const char* name, const T& value) {
    object_[name] = form(value);
  }
  template <typename Body>
  void group(const char* name, Body body) {
    Writer inner;
    body(inner);
    if (!inner.object_.empty()) object_[name] = std::move(inner.object_);
  }
  void letter(const char* name, char value) { object_[name] = std::string(1, value); }
  void number_or_all(const char* name, const std::optional<std::int64_t>& value) {
    (*this)(name, value);
  }
  void word(const char* name, NamespaceType value) {
    for (const auto& [type, known] : kNamespaceNames) {
      if (type == value) object_[name] = known;
    }
  }

  template <typename T>
  static json form(const T& value) {
    if constexpr (Described<const T, Writer>) {
      Writer inner;
      describe(inner, value);
      return std::move(inner.object_);
    } else {
      return value;
    }
  }
  template <typename T>
  static json form(const std::optional<T>& value) {
    return form(*value);
  }
  template <typename T>
  static json form(const std::vector<T>& list) {
    json out = json::array();
    for (const T& item : list) out.push_back(form(item));
    return out;
  }

 private:
  json object_ = json::object();
};

}  // namespace

Result<Spec> parse_spec(std::string_view text) {
  try {
    const auto j = nlohmann::json::parse(text);
    if (!j.is_object()) return Error::invalid("the OCI configuration is not a JSON object");
    Spec spec;
    Reader reader(j);
    describe(reader, spec);
    if (!spec.oci_version.starts_with("1.")) {
      return Error::invalid("the OCI configuration is not valid: ociVersion \"" + spec.oci_version +
                            "\" is not supported (1.x is)");
    }
    return spec;
  } catch (const std::exception& e) {
    return Error::invalid(std::string("the OCI configuration is not valid: ") + e.what());
  }
}

std::string to_json(const Spec& spec) {
  // Bytes that are not UTF-8 (legal in paths) are replaced rather than thrown at the caller.
  return Writer::form(spec).dump(2, ' ', false, Writer::json::error_handler_t::replace);
}

}  // namespace stack::runtime
