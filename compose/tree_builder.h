// Builds the tree of a YAML document from the events of a parser: resolves aliases and merge keys,
// finds duplicate keys and keys that are not strings, bounds what aliases multiply. Knows no
// parser.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "compose/node.h"
#include "compose/report.h"

namespace stack::compose {

// A project of 1,000 services has some 50,000 nodes. Nested aliases grow exponentially and must
// stop somewhere.
inline constexpr std::size_t kMaxAliasedNodes = 500'000;
// A node with an anchor is copied, and with every anchor around it once more.
inline constexpr std::size_t kMaxAnchoredNodes = 2'000'000;
// The parser's own limit; aliases inside nodes with anchors could pile up more.
inline constexpr std::size_t kMaxYamlDepth = 500;

class TreeBuilder {
 public:
  using Anchor = std::size_t;  // 0: none

  // Thrown, after it was reported, by an error that makes the rest of a document meaningless.
  struct Stop {
    Place at;
  };

  explicit TreeBuilder(Report& report) : report_(report) {}

  void begin();                // a document
  std::optional<Node> take();  // the document, once it has ended

  // `tag`: "?" for a plain scalar without one.
  void null(Place place, Anchor anchor);
  void scalar(Place place, const std::string& tag, Anchor anchor, const std::string& text);
  void alias(Place place, Anchor anchor);
  void open(Node::Kind kind, Place place, const std::string& tag, Anchor anchor);
  void close();

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
  // A list or map whose end has not come. What it has so far is at the end of `items_` or
  // `entries_`.
  struct Frame {
    Node node;
    Anchor anchor = 0;
    std::size_t first = 0;
    std::optional<Key> key;
    std::vector<Node> merges;                     // values of <<, applied at the end
    std::unordered_map<std::string, Place> seen;  // large maps only
  };
  struct Anchored {
    Node node;
    std::size_t size = 0;
    std::size_t depth = 0;
  };

  void merge_into(Node& target, const Node& source);
  void add(Item item, Anchor anchor);
  void add_value(Frame& f, Node value);
  void remember(const Node& node, Anchor anchor);
  Key key_of(Item item);
  bool is_new(Frame& f, const Key& key);
  bool in_extension() const;
  std::string path() const;

  Report& report_;
  std::vector<Frame> stack_;
  std::vector<Node> items_;
  std::vector<Entry> entries_;
  std::unordered_map<Anchor, Anchored> anchors_;
  std::optional<Node> root_;
  std::size_t aliased_ = 0;
  std::size_t anchored_ = 0;
};

}  // namespace stack::compose
