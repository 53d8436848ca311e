#include "compose/yaml_tree.h"

#include <fmt/core.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <optional>
#include <streambuf>
#include <unordered_map>

#include "base/utf8.h"
#include "compose/scalar.h"
#include "compose/trace.h"

namespace stack::compose {
namespace {

// A project of 1,000 services has some 50,000 nodes. Nested aliases grow exponentially and must
// stop somewhere.
constexpr std::size_t kMaxAliasedNodes = 500'000;
// A node with an anchor is copied, and with every anchor around it once more.
constexpr std::size_t kMaxAnchoredNodes = 2'000'000;
// The parser's own limit; aliases inside nodes with anchors could pile up more.
constexpr std::size_t kMaxDepth = 500;

struct ViewBuffer : std::streambuf {
  explicit ViewBuffer(const std::string& text) {
    char* begin = const_cast<char*>(text.data());  // NOLINT: setg wants char*, nothing writes
    setg(begin, begin, begin + text.size());
  }
};

std::size_t depth_of(const Node& n) {
  std::size_t depth = 0;
  for (const Node& i : n.items) depth = std::max(depth, depth_of(i));
  for (const Entry& e : n.entries) depth = std::max(depth, depth_of(e.value));
  return depth + 1;
}

struct Stop {
};  // leaves the parser after an error that makes the rest meaningless; caught in parse_yaml

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::int32_t file, Report& report) : file_(file), report_(report) {}

  std::optional<Node> take() { return std::exchange(root_, std::nullopt); }
  void begin() {
    stack_.clear();
    anchors_.clear();
    root_.reset();
  }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add({Node::null(place(mark)), true}, anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const bool plain = tag == "?";
    Node n;
    // With a tag of Compose's own it is text, as Docker Compose has it.
    if (plain || tag == "tag:yaml.org,2002:int" || tag == "tag:yaml.org,2002:float" ||
        tag == "tag:yaml.org,2002:bool") {
      n = resolve_plain_scalar(value, place(mark));
    } else {
      n = Node::string(value, place(mark));
    }
    n.tag = tag_of(tag);
    if (plain && is_timestamp(value) && !in_extension()) {
      report_.error(n.place, fmt::format("{}: {} is a time to YAML", path(), value),
                    fmt::format("write \"{}\" to use it as a string", value));
    }
    add({std::move(n), plain}, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end()) {
      report_.error(place(mark), "cycle detected: the alias is inside the node that it refers to");
      throw Stop{};
    }
    aliased_ += it->second.size;
    if (aliased_ > kMaxAliasedNodes) {
      report_.error(place(mark),
                    fmt::format("aliases expand to more than {} nodes", kMaxAliasedNodes));
      throw Stop{};
    }
    if (stack_.size() + it->second.depth > kMaxDepth) {
      report_.error(place(mark), fmt::format("aliases nest deeper than {} levels", kMaxDepth));
      throw Stop{};
    }
    add({it->second.node, false}, 0);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node::list(place(mark)), Node::Kind::kList, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Node::map(place(mark)), Node::Kind::kMap, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Item {
    Node node;
    bool plain = false;
  };
  struct Key {
    std::string text;
    Place place;
    bool merge = false;
    bool usable = true;
  };
  struct Frame {
    Node node;
    YAML::anchor_t anchor = 0;
    std::optional<Key> key;
    std::vector<Node> merges;                     // values of <<, applied at the end
    std::unordered_map<std::string, Place> seen;  // large maps only
  };
  struct Anchored {
    Node node;
    std::size_t size = 0;
    std::size_t depth = 0;
  };

  Place place(const YAML::Mark& mark) const { return {file_, mark.line + 1, mark.column + 1}; }
  static Node::Tag tag_of(const std::string& tag) {
    if (tag == "!reset") return Node::Tag::kReset;
    if (tag == "!override") return Node::Tag::kOverride;
    return Node::Tag::kNone;
  }

  void open(Node node, Node::Kind kind, const std::string& tag, YAML::anchor_t anchor) {
    node.kind = kind;
    node.tag = tag_of(tag);
    Frame f;
    f.node = std::move(node);
    f.anchor = anchor;
    stack_.push_back(std::move(f));
  }

  void close() {
    Frame f = std::move(stack_.back());
    stack_.pop_back();
    for (const Node& m : f.merges) merge_into(f.node, m);
    add({std::move(f.node), false}, f.anchor);
  }

  // Explicit keys win, and of several merged maps the first that has the key:
  // yaml.org/type/merge.html.
  void merge_into(Node& target, const Node& source) {
    if (source.is_map()) {
      const MapIndex index(target, source.entries.size());
      for (const Entry& e : source.entries) {
        const auto mine = index.find(target, e.key);
        if (!mine) {
          target.entries.push_back(e);
        } else if (Trace* trace = report_.trace()) {
          trace->lost(Trace::How::kOverridden, e.key, target.entries[*mine].value.place, e.value);
        }
      }
    } else if (source.is_list()) {
      for (const Node& i : source.items) {
        if (i.is_map()) {
          merge_into(target, i);
        } else {
          report_.error(i.place, "map merge requires map or sequence of maps as the value");
        }
      }
    } else {
      report_.error(source.place, "map merge requires map or sequence of maps as the value");
    }
  }

  void add(Item item, YAML::anchor_t anchor) {
    if (anchor != 0) {
      const std::size_t size = count_nodes(item.node);
      anchored_ += size;
      if (anchored_ > kMaxAnchoredNodes) {
        report_.error(item.node.place,
                      fmt::format("anchors hold more than {} nodes", kMaxAnchoredNodes));
        throw Stop{};
      }
      anchors_[anchor] = {item.node, size, depth_of(item.node)};
    }
    if (stack_.empty()) {
      root_ = std::move(item.node);
      return;
    }
    Frame& f = stack_.back();
    if (f.node.is_list()) {
      f.node.items.push_back(std::move(item.node));
    } else if (!f.key) {
      f.key = key_of(item);
    } else {
      const Key key = std::move(*f.key);
      f.key.reset();
      // The parser gives an absent value the place of whatever follows it.
      if (item.node.is_null() && item.node.place.line != key.place.line) {
        item.node.place = key.place;
      }
      if (key.merge && !f.merges.empty()) {
        report_.error(key.place, "mapping key \"<<\" already defined",
                      "merge several maps with a list: <<: [*a, *b]");
      } else if (key.merge) {
        f.merges.push_back(std::move(item.node));
      } else if (key.usable && is_new(f, key)) {
        f.node.entries.push_back({key.text, key.place, std::move(item.node)});
      }
    }
  }

  Key key_of(const Item& item) {
    Key key{item.node.text, item.node.place, false, true};
    key.merge = item.plain && item.node.text == "<<";
    if (!item.node.is_string()) {
      key.usable = false;
      report_.error(key.place,
                    fmt::format("non-string key {}: {}", path(),
                                item.node.is_null() ? "null" : item.node.text),
                    item.node.is_scalar() && !item.node.is_null()
                        ? fmt::format("write \"{}\" to use it as a string", item.node.text)
                        : "");
    }
    return key;
  }

  bool is_new(Frame& f, const Key& key) {
    constexpr std::size_t kLarge = 16;
    const Place* first = nullptr;
    if (f.node.entries.size() < kLarge) {
      for (const Entry& e : f.node.entries) {
        if (e.key == key.text) first = &e.key_place;
      }
    } else {
      if (f.seen.empty()) {
        for (const Entry& e : f.node.entries) f.seen.emplace(e.key, e.key_place);
      }
      const auto [it, inserted] = f.seen.emplace(key.text, key.place);
      if (!inserted) first = &it->second;
    }
    if (first == nullptr) return true;
    report_.error(key.place, fmt::format("line {}: mapping key \"{}\" already defined at line {}",
                                         key.place.line, key.text, first->line));
    return false;
  }

  bool in_extension() const {
    return std::any_of(stack_.begin(), stack_.end(),
                       [](const Frame& f) { return f.key && f.key->text.starts_with("x-"); });
  }

  // "in services.a" or "at top level".
  std::string path() const {
    std::string out;
    for (const Frame& f : stack_) {
      if (f.key) out += (out.empty() ? "" : ".") + f.key->text;
    }
    return out.empty() ? "at top level" : "in " + out;
  }

  std::int32_t file_;
  Report& report_;
  std::vector<Frame> stack_;
  std::unordered_map<YAML::anchor_t, Anchored> anchors_;
  std::optional<Node> root_;
  std::size_t aliased_ = 0;
  std::size_t anchored_ = 0;
};

// The wording that people find when they search for it, where it says more than the parser's own.
std::string reason(const std::string& message, const std::string& line) {
  const auto says = [&](const char* what) { return message.find(what) != std::string::npos; };
  const std::size_t indent = line.find_first_not_of(' ');
  if (indent != std::string::npos && line[indent] == '\t') {
    return "found character that cannot start any token: a tab cannot indent";
  }
  if (says("unknown token") || says("unexpected token")) {
    return "found character that cannot start any token";
  }
  if (says("illegal map value")) return "mapping values are not allowed in this context";
  if (says("end of map not found")) return "did not find expected key";
  if (says("end of map flow not found")) return "did not find expected ',' or '}'";
  if (says("end of sequence not found")) return "did not find expected '-' indicator";
  if (says("end of sequence flow not found")) return "did not find expected ',' or ']'";
  if (says("the referenced anchor is not defined")) return "unknown anchor referenced";
  return message;
}

std::string hint(const std::string& why) {
  if (why.find("a tab") != std::string::npos) return "indent with spaces";
  if (why.find("mapping values") != std::string::npos) {
    return "a value that contains \": \" must be quoted; or the line above is indented less";
  }
  if (why.find("expected key") != std::string::npos) {
    return "check the indentation of this line against the lines above it";
  }
  return {};
}

}  // namespace

namespace {

// Where a text stops being text, and why; nothing when it is good. UTF-16 and UTF-32 are the
// parser's business.
std::optional<std::pair<std::size_t, const char*>> not_text(std::string_view text) {
  const auto begins = [&](std::string_view mark) { return text.substr(0, mark.size()) == mark; };
  using namespace std::string_view_literals;
  if (begins("\xFF\xFE"sv) || begins("\xFE\xFF"sv) || begins("\0\0\xFE\xFF"sv)) return std::nullopt;
  const auto control = std::find_if(text.begin(), text.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return (u < 0x20 && c != '\n' && c != '\r' && c != '\t') || u == 0x7F;
  });
  const auto at = static_cast<std::size_t>(control - text.begin());
  if (const std::size_t wrong = utf8::find_invalid(text.substr(0, at)); wrong != text.npos) {
    return std::pair(wrong, "invalid leading UTF-8 octet");
  }
  if (control == text.end()) return std::nullopt;
  return std::pair(at, "control characters are not allowed");
}

}  // namespace

std::vector<Node> parse_yaml(const std::string& text, std::int32_t file, Report& report) {
  std::vector<Node> documents;
  if (const auto wrong = not_text(text)) {
    const auto byte = static_cast<unsigned char>(text[wrong->first]);
    report.error(report.sources().place(file, wrong->first), fmt::format("yaml: {}", wrong->second),
                 fmt::format("the byte is 0x{:02X}; save the file as UTF-8 text", byte));
    return documents;
  }
  TreeBuilder builder(file, report);
  try {
    ViewBuffer buffer(text);
    std::istream in(&buffer);
    YAML::Parser parser(in);
    for (;;) {
      builder.begin();
      if (!parser.HandleNextDocument(builder)) break;
      std::optional<Node> root = builder.take();
      // Nothing at all is no document; nothing after a mark is one.
      const bool marked = text.starts_with("---") || text.find("\n---") != std::string::npos;
      if (root && (marked || !root->is_null())) documents.push_back(std::move(*root));
    }
  } catch (const YAML::Exception& e) {
    Place at{file, e.mark.line + 1, e.mark.column + 1};
    const std::string line(report.sources().line(at));
    const bool deep = dynamic_cast<const YAML::DeepRecursion*>(&e) != nullptr;
    const std::string why =
        deep ? fmt::format("exceeded max depth of {}", kMaxDepth) : reason(e.msg, line);
    const std::size_t tab = line.find_first_not_of(' ');
    if (tab != std::string::npos && line[tab] == '\t') at.column = static_cast<int>(tab) + 1;
    report.error(at, fmt::format("yaml: line {}: {}", at.line, why), hint(why));
  } catch (const Stop&) {
    // Reported where it happened.
  }
  return documents;
}

}  // namespace stack::compose
