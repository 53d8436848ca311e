#include "compose/writer.h"

#include <fmt/core.h>

#include <algorithm>

#include "compose/fields.h"
#include "compose/json.h"
#include "compose/scalar.h"
#include "compose/units.h"

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

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

// The order of map keys in YAML output: numbers inside names count as numbers (web2 before web10),
// and at the first difference a letter comes after anything else, unless digits stand before it.
bool natural_less(const std::string& a, const std::string& b) {
  std::size_t i = 0;
  while (i < a.size() && i < b.size() && a[i] == b[i]) ++i;
  if (i == a.size() || i == b.size()) return a.size() < b.size();
  const bool after_digit = i > 0 && is_digit(a[i - 1]);
  if (is_letter(a[i]) && is_letter(b[i])) {
    return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]);
  }
  if (is_letter(a[i]) || is_letter(b[i])) return after_digit ? is_letter(a[i]) : is_letter(b[i]);
  const auto run = [&](const std::string& t) {
    std::size_t end = i;
    while (end < t.size() && is_digit(t[end])) ++end;
    return t.substr(i, end - i);
  };
  const std::string left = run(a);
  const std::string right = run(b);
  // A number that began before the difference has its leading digits in common.
  bool inside = false;
  for (std::size_t j = i; j > 0 && is_digit(a[j - 1]); --j) inside = inside || a[j - 1] != '0';
  const auto significant = [&](const std::string& t) {
    const std::size_t zeros = inside ? 0 : std::min(t.find_first_not_of('0'), t.size());
    return t.substr(zeros);
  };
  const std::string l = significant(left);
  const std::string r = significant(right);
  if (l.size() != r.size()) return l.size() < r.size();
  if (l != r) return l < r;
  if (left.size() != right.size()) return left.size() < right.size();
  return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]);
}

void sort_naturally(Node& n) {
  std::sort(n.entries.begin(), n.entries.end(),
            [](const Entry& a, const Entry& b) { return natural_less(a.key, b.key); });
}

void sort_all_naturally(Node& n) {
  sort_naturally(n);
  for (Node& i : n.items) sort_all_naturally(i);
  for (Entry& e : n.entries) sort_all_naturally(e.value);
}

class Writer {
 public:
  Writer(Node& out, Style style) : out_(out), style_(style) { out_.kind = Node::Kind::kMap; }

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

  void wrapped(const char* key, const char* inner, const StringList& values) {
    if (values.empty()) return;
    Node list = Node::list();
    for (const std::string& v : values) {
      Node item = Node::map();
      item.set(inner, node(v));
      list.items.push_back(std::move(item));
    }
    put(key, std::move(list));
  }

  // `shown`: in JSON even when empty.
  template <typename F>
  void group(const char* key, bool shown, const F& members) {
    Node inner = Node::map();
    Writer writer(inner, style_);
    members(writer);
    if (!inner.entries.empty() || (shown && style_ != Style::kYaml)) put(key, std::move(inner));
  }

  void extensions(const Extensions& extensions) {
    if (style_ == Style::kHash) return;
    for (const auto& [name, text] : extensions) {
      Result<Node> value = parse_json(text);
      if (!value.ok()) continue;
      escape_all(*value);
      if (style_ == Style::kYaml) sort_all_naturally(*value);
      put(name.c_str(), std::move(value).value());
    }
  }

  // Docker Compose hashes an absent object as one with a null member.
  template <typename T>
  void docker_empty(const char* key, const char* member, const std::optional<T>& value) {
    if (value || style_ != Style::kHash) return (*this)(key, value);
    Node inner = Node::map();
    inner.set(member, Node::null());
    put(key, std::move(inner));
  }

  const char* docker_name(const char* ours, const char* docker) const {
    return style_ == Style::kHash ? docker : ours;
  }

 private:
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
    return Node::string(style_ == Style::kHash ? value : escape(value));
  }
  Node node(bool value) const { return Node::boolean(value); }
  template <std::integral T>
  Node node(T value) const {
    return Node::integer(static_cast<std::int64_t>(value));
  }
  Node node(float value) const { return Node::scalar(Node::Kind::kFloat, float_text(value)); }
  Node node(Duration value) const { return Node::string(duration_text(value)); }
  Node node(const Ulimit& value) const {
    // Docker Compose leaves a zero out, which would not load again.
    const bool all = style_ != Style::kHash;
    if (value.single && (all || value.soft != 0)) return Node::integer(value.soft);
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
    if (style_ == Style::kYaml) sort_naturally(n);
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

template <typename T>
Node written(const T& value, Style style) {
  Node n = Node::map();
  Writer writer(n, style);
  describe(writer, value);
  return n;
}

}  // namespace

Node write(const Project& project, Style style) { return written(project, style); }
Node write(const Service& service, Style style) { return written(service, style); }
Node write(const Network& network, Style style) { return written(network, style); }
Node write(const Volume& volume, Style style) { return written(volume, style); }

}  // namespace stack::compose
