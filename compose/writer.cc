#include "compose/writer.h"

#include <fmt/core.h>

#include <algorithm>

#include "compose/fields.h"
#include "compose/forms.h"
#include "compose/json.h"
#include "compose/scalar.h"
#include "compose/units.h"
#include "compose/yaml_print.h"

namespace stack::compose {
namespace {

template <typename T>
constexpr bool kIsOptional = false;
template <typename T>
constexpr bool kIsOptional<std::optional<T>> = true;

// Every literal $ is doubled, so that loading the document gives it back.
std::string escape(const std::string& text) {
  if (text.find('$') == std::string::npos) return text;
  std::string out;
  for (char c : text) {
    out += c;
    if (c == '$') out += c;
  }
  return out;
}

void escape_all(Node& n) {
  if (n.is_string()) n.text = escape(n.text);
  for (Node& i : n.items) escape_all(i);
  for (Entry& e : n.entries) escape_all(e.value);
}

class Writer {
 public:
  Writer(Node& out, Style style) : out_(out), style_(style) {
    out_.kind = Node::Kind::kMap;
    out_.entries.reserve(8);
  }

  template <typename T>
  void operator()(const char* key, const T& value) {
    if (!empty(value)) put(key, node(value));
  }

  template <typename T>
  void always(const char* key, const T& value) {
    put(key, node(value));
  }

  void bytes(const char* key, Bytes value) {
    if (value != 0) put(key, Node::string(std::to_string(value)));
  }

  void mode(const char* key, const std::optional<std::uint32_t>& value) {
    if (value) put(key, Node::string(fmt::format("{:04o}", *value)));
  }

  void command(const char* key, const std::optional<StringList>& value) {
    if (value) {
      put(key, node(*value));
    } else if (style_ != Style::kYaml) {
      put(key, Node::null());
    }
  }

  void hosts(const char* key, const std::map<std::string, StringList>& hosts) {
    StringList lines;
    for (const auto& [host, addresses] : hosts) {
      for (const std::string& a : addresses) lines.push_back(host + "=" + a);
    }
    std::sort(lines.begin(), lines.end());
    (*this)(key, lines);
  }

  void ssh(const char* key, const StringList& keys) { (*this)(key, keys); }

  // `shown`: in JSON even when empty.
  template <typename F>
  void group(const char* key, bool shown, const F& members) {
    Node inner = Node::map();
    Writer writer(inner, style_);
    members(writer);
    if (!inner.entries.empty() || (shown && style_ != Style::kYaml)) put(key, std::move(inner));
  }

  void extensions(const Extensions& extensions) {
    if (style_ == Style::kHash || style_ == Style::kJson) return;
    put_extensions(extensions);
  }

  void project_extensions(const Extensions& extensions) {
    if (style_ != Style::kHash) put_extensions(extensions);
  }

  // Docker Compose forgets them in JSON.
  template <typename T>
  void models(const char* key, const T& value) {
    if (style_ != Style::kJson) (*this)(key, value);
  }

  void put_extensions(const Extensions& extensions) {
    for (const auto& [name, text] : extensions) {
      Result<Node> value = parse_json(text);
      if (!value.ok()) continue;
      if (style_ == Style::kModel) escape_all(*value);
      if (style_ == Style::kYaml) sort_keys(*value);
      if (style_ == Style::kJson) null_empty_lists(*value);
      put(name.c_str(), std::move(value).value());
    }
  }

  // Docker Compose prints and hashes an absent object as one with a null member.
  template <typename T>
  void docker_empty(const char* key, const char* member, const std::optional<T>& value) {
    if (value || !docker_json()) return (*this)(key, value);
    Node inner = Node::map();
    inner.set(member, Node::null());
    put(key, std::move(inner));
  }

  const char* docker_name(const char* ours, const char* docker) const {
    return docker_json() ? docker : ours;
  }

 private:
  bool docker_json() const { return style_ == Style::kHash || style_ == Style::kJson; }
  void put(const char* key, Node value) { out_.entries.push_back({key, {}, std::move(value)}); }

  template <typename T>
  static bool empty(const T& value) {
    if constexpr (kIsOptional<T>) {
      return !value.has_value();
    } else if constexpr (std::is_arithmetic_v<T>) {
      return value == T{};
    } else if constexpr (std::is_same_v<T, Duration>) {
      return value.count() == 0;
    } else {
      return value.empty();
    }
  }

  Node node(const std::string& value) const {
    return Node::string(style_ == Style::kModel ? escape(value) : value);
  }
  Node node(bool value) const { return Node::boolean(value); }
  template <std::integral T>
  Node node(T value) const {
    return Node::integer(static_cast<std::int64_t>(value));
  }
  Node node(float value) const { return Node::scalar(Node::Kind::kFloat, float_text(value)); }
  Node node(Duration value) const { return Node::string(duration_text(value)); }
  Node node(const Ulimit& value) const {
    // Docker Compose leaves zeros out of JSON, and takes a single zero for none, which would not
    // load again.
    const bool all = !docker_json();
    if (value.single && (style_ == Style::kModel || value.soft != 0)) {
      return Node::integer(value.soft);
    }
    Node n = Node::map();
    if (all || value.soft != 0) n.set("soft", Node::integer(value.soft));
    if (all || value.hard != 0) n.set("hard", Node::integer(value.hard));
    return n;
  }
  template <typename T>
  Node node(const std::optional<T>& value) const {
    return value ? node(*value) : Node::null();
  }
  template <typename T>
  Node node(const std::vector<T>& values) const {
    Node n = Node::list();
    n.items.reserve(values.size());
    for (const T& v : values) n.items.push_back(node(v));
    return n;
  }
  template <typename T>
  Node node(const std::map<std::string, T>& values) const {
    Node n = Node::map();
    n.entries.reserve(values.size());
    for (const auto& [key, value] : values) n.entries.push_back({key, {}, node(value)});
    if (style_ == Style::kYaml) sort_entries(n);
    return n;
  }
  template <typename T>
  requires std::is_class_v<T> Node node(const T& value)
  const {
    Node n = Node::map();
    Writer writer(n, style_);
    describe(writer, value);
    return n;
  }

  Node& out_;
  Style style_;
};

// Leaves the services out.
class FrameWriter : public Writer {
 public:
  using Writer::Writer;
  void always(const char* key, const std::map<std::string, Service>&) {
    Writer::always(key, std::map<std::string, Service>());
  }
};

template <typename T>
Node written(const T& value, Style style) {
  Node n = Node::map();
  Writer writer(n, style);
  describe(writer, value);
  return n;
}

}  // namespace

Node write(const Project& project, Style style) { return written(project, style); }

Node write_frame(const Project& project, Style style) {
  Node n = Node::map();
  FrameWriter writer(n, style);
  describe(writer, project);
  return n;
}

Node write(const Service& service, Style style) { return written(service, style); }
Node write(const Network& network, Style style) { return written(network, style); }
Node write(const Volume& volume, Style style) { return written(volume, style); }

}  // namespace stack::compose
