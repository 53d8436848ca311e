#include "compose/bind.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <sstream>

#include "compose/fields.h"
#include "compose/json.h"
#include "compose/scalar.h"
#include "compose/units.h"

namespace stack::compose {
namespace {

class Reader {
 public:
  Reader(const Node& in, Report& report, std::string path)
      : in_(in), report_(report), path_(std::move(path)) {
    for (const Entry& e : in_.entries) keys_ |= bit(e.key);
  }

  template <typename T>
  void operator()(const char* key, T& out) {
    const Node* n = find(key);
    if (n == nullptr || n->is_null()) return;
    const Key inner(*this, key);
    read(*n, out);
  }

  template <typename T>
  void always(const char* key, T& out) {
    (*this)(key, out);
  }

  void bytes(const char* key, Bytes& out) {
    const Node* n = find(key);
    if (n == nullptr || n->is_null()) return;
    const Key inner(*this, key);
    // A number has no unit and may be -1 for no limit; Docker Compose leaves fractions out.
    if (n->kind == Node::Kind::kInt) return read(*n, out);
    if (n->kind == Node::Kind::kFloat) {
      report_.warning(n->place, fmt::format("'{}' is ignored: {} has no unit", path_, n->text));
      return;
    }
    const Result<Bytes> value = parse_bytes(n->text);
    if (value.ok()) {
      out = *value;
    } else {
      fail(*n, value.error().message, "a size is a number with an optional unit: 512m, 1.5g");
    }
  }

  // A number is the mode itself (0440 in the file is 288 here); a string is read in base 8.
  void mode(const char* key, std::optional<std::uint32_t>& out) {
    const Node* n = find(key);
    if (n == nullptr || n->is_null()) return;
    const Key inner(*this, key);
    std::uint32_t value = 0;
    const std::string& t = n->text;
    const auto r = std::from_chars(t.data(), t.data() + t.size(), value, n->is_string() ? 8 : 10);
    if (r.ec != std::errc() || r.ptr != t.data() + t.size()) {
      fail(*n, fmt::format("invalid file mode: {}", t), "a mode is an octal number such as 0440");
    } else {
      out = value;
    }
  }

  void command(const char* key, std::optional<StringList>& out) { (*this)(key, out); }

  // {host: address}, {host: [address, ...]}, or lines "host=address" and "host:address", where an
  // IPv6 address may stand in brackets and several addresses may follow each other after commas.
  void hosts(const char* key, std::map<std::string, StringList>& out) {
    const Node* n = find(key);
    if (n == nullptr || n->is_null()) return;
    const Key inner(*this, key);
    const auto add = [&](const std::string& host, std::string address, const Node& at) {
      if (host.empty() || host.find_first_of(":=") != std::string::npos) {
        return fail(at, fmt::format("bad host name '{}'", host));
      }
      if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
        address = address.substr(1, address.size() - 2);
      }
      out[host].push_back(std::move(address));
    };
    for (const Entry& e : n->entries) {
      if (e.value.is_scalar()) add(e.key, e.value.text, e.value);
      for (const Node& address : e.value.items) add(e.key, address.text, address);
    }
    for (const Node& line : n->items) {
      std::size_t split = line.text.find('=');
      if (split == std::string::npos) split = line.text.find(':');
      if (split == std::string::npos) {
        fail(line, fmt::format("invalid additional host, missing IP: {}", line.text),
             "write HOST=ADDRESS");
        continue;
      }
      std::istringstream addresses(line.text.substr(split + 1));
      for (std::string a; std::getline(addresses, a, ',');) {
        add(line.text.substr(0, split), a, line);
      }
    }
  }

  // {default: null, id: path} or ["default", "id=path"].
  void ssh(const char* key, StringList& out) {
    const Node* n = find(key);
    if (n == nullptr) return;
    if (n->is_list()) return (*this)(key, out);
    for (const Entry& e : n->entries) {
      out.push_back(e.value.text.empty() ? e.key : e.key + "=" + e.value.text);
    }
    std::sort(out.begin(), out.end());
  }

  template <typename F>
  void group(const char* key, bool, const F& members) {
    const Node* n = find(key);
    if (n == nullptr || !n->is_map()) return;
    Reader inner(*n, report_, path_ + "." + key);
    members(inner);
  }

  void extensions(Extensions& out) {
    for (const Entry& e : in_.entries) {
      if (e.key.rfind("x-", 0) == 0) out[e.key] = print_json(sorted(e.value));
    }
  }

  void project_extensions(Extensions& out) { extensions(out); }

  template <typename T>
  void models(const char* key, T& out) {
    (*this)(key, out);
  }

  template <typename T>
  void docker_empty(const char* key, const char*, std::optional<T>& out) {
    (*this)(key, out);
  }

  const char* docker_name(const char* ours, const char*) const { return ours; }

 private:
  struct Key {
    Key(Reader& reader, std::string_view key) : path(reader.path_), size(path.size()) {
      if (size > 0) path += '.';
      path += key;
    }
    Key(const Key&) = delete;
    Key& operator=(const Key&) = delete;
    ~Key() { path.resize(size); }
    std::string& path;
    std::size_t size;
  };

  // Most of what may be said of a service is not.
  const Node* find(std::string_view key) const {
    return (keys_ & bit(key)) == 0 ? nullptr : in_.find(key);
  }
  static std::uint64_t bit(std::string_view key) {
    if (key.empty()) return 0;
    const auto at = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(key[i])}; };
    return std::uint64_t{1} << ((key.size() * 7U + at(0) + at(key.size() / 2) * 3U) % 64U);
  }

  static Node sorted(Node n) {
    std::sort(n.entries.begin(), n.entries.end(),
              [](const Entry& a, const Entry& b) { return a.key < b.key; });
    for (Node& i : n.items) i = sorted(std::move(i));
    for (Entry& e : n.entries) e.value = sorted(std::move(e.value));
    return n;
  }

  void fail(const Node& n, const std::string& why, std::string hint = {}) {
    report_.error(n.place, fmt::format("'{}' {}", path_, why), std::move(hint));
  }

  // What YAML took for something else than text: numbers without a fraction are text, too.
  void read(const Node& n, std::string& out) {
    if (n.is_null() || n.kind == Node::Kind::kInt || n.is_string()) {
      out = n.text;
    } else {
      fail(n, "must be a string",
           n.is_scalar() ? fmt::format("write it in quotes: \"{}\"", n.text) : "");
    }
  }

  void read(const Node& n, bool& out) {
    const auto value = parse_boolean(n.text);
    if (!n.is_scalar() || !value) return fail(n, fmt::format("invalid boolean: {}", n.text));
    out = *value;
  }

  // As Docker Compose, which cuts a fraction off.
  template <std::integral T>
  void read(const Node& n, T& out) {
    const std::string text =
        n.kind == Node::Kind::kFloat ? n.text.substr(0, n.text.find('.')) : n.text;
    const auto value = parse_integer(text);
    // Docker Compose reads text only into numbers that may be negative.
    const bool wanted = n.is_scalar() && !(std::is_unsigned_v<T> && n.is_string());
    if (!wanted || !value || *value < static_cast<std::int64_t>(lowest<T>()) ||
        (*value > 0 && static_cast<std::uint64_t>(*value) > highest<T>())) {
      return fail(n, fmt::format("must be a whole number{}, got \"{}\"",
                                 sizeof(T) == 2 ? " from 0 to 65535" : "", n.text));
    }
    out = static_cast<T>(*value);
  }
  template <typename T>
  static std::int64_t lowest() {
    return std::is_signed_v<T> ? static_cast<std::int64_t>(std::numeric_limits<T>::min()) : 0;
  }
  template <typename T>
  static std::uint64_t highest() {
    return static_cast<std::uint64_t>(std::numeric_limits<T>::max());
  }

  void read(const Node& n, float& out) {
    float value = 0;
    const char* end = n.text.data() + n.text.size();
    const auto r = std::from_chars(n.text.data(), end, value);
    if (r.ec != std::errc() || r.ptr != end) {
      return fail(n, fmt::format("must be a number, got \"{}\"", n.text));
    }
    out = value;
  }

  void read(const Node& n, Duration& out) {
    const Result<Duration> value = parse_duration(n.text);
    if (!value.ok()) {
      return fail(n, value.error().message, "a duration has units: 30s, 1m30s, 500ms");
    }
    out = *value;
  }

  void read(const Node& n, Ulimit& out) {
    if (n.is_map()) {
      out.single = false;
      nested(n, [&](Reader& r) {
        r("soft", out.soft);
        r("hard", out.hard);
      });
      return;
    }
    read(n, out.soft);
    out.hard = out.soft;
    out.single = true;
  }

  template <typename T>
  void read(const Node& n, std::optional<T>& out) {
    T value{};
    read(n, value);
    out = std::move(value);
  }

  template <typename T>
  void read(const Node& n, std::vector<T>& out) {
    if (!n.is_list()) return fail(n, "must be a array");
    out.reserve(n.items.size());
    for (std::size_t i = 0; i < n.items.size(); ++i) {
      const std::size_t size = path_.size();
      add_to_path(std::to_string(i));
      read(n.items[i], out.emplace_back());
      path_.resize(size);
    }
  }

  template <typename T>
  void read(const Node& n, std::map<std::string, T>& out) {
    if (!n.is_map()) return fail(n, "must be a mapping");
    for (const Entry& e : n.entries) {
      const std::size_t size = path_.size();
      add_to_path(e.key);
      T& value = out[e.key];
      if (!e.value.is_null()) {
        read(e.value, value);
      }
      name_it(value, e);
      path_.resize(size);
    }
  }

  void add_to_path(std::string_view item) {
    path_ += '[';
    path_ += item;
    path_ += ']';
  }

  // An object's name in the project and place are those of its entry.
  void name_it(Service& s, const Entry& e) {
    s.name = e.key;
    static_cast<SourceLoc&>(s.where) = report_.sources().loc(e.key_place);
  }
  template <typename T>
  void name_it(T& value, const Entry& e) {
    if constexpr (requires { value.where; }) {
      static_cast<SourceLoc&>(value.where) = report_.sources().loc(e.key_place);
    }
  }

  template <typename T>
  requires std::is_class_v<T>
  void read(const Node& n, T& out) {
    if (!n.is_map()) return fail(n, "must be a mapping");
    if constexpr (requires { out.where; }) {
      static_cast<SourceLoc&>(out.where) = report_.sources().loc(n.place);
    }
    nested(n, [&](Reader& r) { describe(r, out); });
  }

  template <typename F>
  void nested(const Node& n, const F& members) {
    Reader inner(n, report_, std::move(path_));
    members(inner);
    path_ = std::move(inner.path_);
  }

  const Node& in_;
  Report& report_;
  std::string path_;
  std::uint64_t keys_ = 0;  // a set bit for every key, several of which may share one
};

StackOptions stack_options(const Extensions& extensions) {
  StackOptions options;
  const auto it = extensions.find("x-stack");
  if (it == extensions.end()) return options;
  const Result<Node> value = parse_json(it->second);
  if (!value.ok()) return options;
  if (const Node* n = value->find("on_unhealthy")) options.on_unhealthy = n->text;
  if (const Node* n = value->find("rerun")) options.rerun = n->text;
  return options;
}

}  // namespace

Project bind_project(const Node& root, Report& report) {
  Project project;
  Reader reader(root, report, {});
  describe(reader, project);
  project.x_stack = stack_options(project.extensions);
  for (auto& [name, service] : project.services) {
    service.x_stack = stack_options(service.extensions);
    if (service.x_stack.on_unhealthy.empty()) {
      service.x_stack.on_unhealthy = project.x_stack.on_unhealthy;
    }
    if (service.x_stack.rerun.empty()) service.x_stack.rerun = project.x_stack.rerun;
  }
  return project;
}

}  // namespace stack::compose
