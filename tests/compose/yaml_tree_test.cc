#include "compose/yaml_tree.h"

#include <gtest/gtest.h>

#include "compose/json.h"

namespace stack::compose {
namespace {

struct Parsed {
  std::string json;   // of the first document
  std::string error;  // the first
};

Parsed parse(const std::string& text) {
  Sources sources;
  const std::int32_t file = sources.add("f.yaml", text);
  Report report(sources);
  const std::vector<Node> documents = parse_yaml(file, report);
  Parsed p;
  if (!documents.empty()) p.json = print_json(documents[0]);
  const std::vector<Diagnostic> errors = report.take();
  if (!errors.empty()) p.error = errors[0].message;
  return p;
}

TEST(YamlTree, MergeKeysTakeMapsAndListsAndExplicitKeysWin) {
  EXPECT_EQ(parse("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}").json,
            R"({"a":{"x":1,"y":2},"b":{"y":3,"x":1}})");
  EXPECT_EQ(parse("a: &a {x: 1}\nb: &b {x: 2, z: 3}\nc: {<<: [*a, *b]}").json,
            R"({"a":{"x":1},"b":{"x":2,"z":3},"c":{"x":1,"z":3}})");
  EXPECT_EQ(parse("a: {'<<': 1}").json, R"({"a":{"\u003c\u003c":1}})");
}

TEST(YamlTree, PlacesAreThoseOfTheText) {
  const std::string text = "a:\n  b: [x,  y]\n";
  Sources sources;
  const std::int32_t file = sources.add("f.yaml", text);
  Report report(sources);
  const std::vector<Node> documents = parse_yaml(file, report);
  const Node& y = documents[0].find("a")->find("b")->items[1];
  EXPECT_EQ(y.place.line, 2);
  EXPECT_EQ(y.place.column, 11);
}

// Everything about a tree, on a line for each node.
void describe(const Node& n, const std::string& key, std::string& out) {
  out += std::to_string(n.place.line) + ":" + std::to_string(n.place.column) + " " + key + " " +
         std::to_string(static_cast<int>(n.kind)) + std::to_string(static_cast<int>(n.tag)) + " " +
         n.text + "\n";
  for (const Node& i : n.items) describe(i, "-", out);
  for (const Entry& e : n.entries) {
    describe(e.value, e.key + "@" + std::to_string(e.key_place.column), out);
  }
}

std::string everything(const std::string& text, bool shorten) {
  Sources sources;
  Report report(sources);
  std::string out;
  for (const Node& d : parse_yaml(sources.add("f.yaml", text), report, shorten)) {
    describe(d, "document", out);
  }
  for (const Diagnostic& d : report.take()) out += render(d) + "\n";
  return out;
}

TEST(YamlTree, WordsMakeNoDifference) {
  for (const char* text : {
           "some/image:tag: registry.example:5000/team/app   # a comment with words\n",
           "folded: first words\n  and more   words\n\n  after an empty line\nnext: value\n",
           "block: |2-\n    indented words\n   less # no comment\nfolded: >\n  one two\n  three\n",
           "quoted: \"one\\ttwo\\x01 three\\\n  four\"\nnext: 'single ''quoted'' words'\n",
           "none: null\nyes: true\nnumber: 4711\nfloat: 12.50\ntime: 22:22\ndate: 2001-01-01\n",
           "base: &anchor {key: value}\nother: {<<: *anchor, more: [words, here, \"and\":there]}\n",
           "name: !reset null\nlist: !override # comment words\n  # another one\n  - item words\n",
           "flow: {a:bc, \"d\":ef, gh: [ij,kl mn], op?: qr}\n",
           "double: first\ndouble: second\n",
           "broken: words: more words\n---\nsecond: document\n",
           "broken: [words, and\nmore: words\n",
           "%YAML 1.2\n--- text\n...\nother words\n",
           "? complex key\n: complex value\n- wrong words\n",
           "umlaut: \xC3\xA4hnlich w\xC3\xB6rter: wrong\n",
           "key with words: value\r\nnext:\r\n  - item one\r\n  - item: two\r\n",
           "\ttab: word\n",
       }) {
    EXPECT_EQ(everything(text, true), everything(text, false)) << text;
  }
  const std::string key(1010, 'k');
  EXPECT_EQ(everything(key + ": value\n", true), everything(key + ": value\n", false));
  EXPECT_EQ(everything(key + key + ": value\n", true), everything(key + key + ": value\n", false));
}

TEST(YamlTree, TagsOfMergingAreKept) {
  const std::string text = "a: !reset null\nb: !override [1]\nc: !!str 1\n";
  Sources sources;
  Report report(sources);
  const std::vector<Node> d = parse_yaml(sources.add("f", text), report);
  EXPECT_EQ(d[0].find("a")->tag, Node::Tag::kReset);
  EXPECT_EQ(d[0].find("b")->tag, Node::Tag::kOverride);
  EXPECT_TRUE(d[0].find("c")->is_string());
}

TEST(YamlTree, AliasesThatMultiplyStopAtABound) {
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c <= 'k'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i)
      bomb += std::string(i > 0 ? "," : "") + "*" + static_cast<char>(c - 1);
    bomb += "]\n";
  }
  EXPECT_EQ(parse(bomb).error, "aliases expand to more than 500000 nodes");
}

TEST(YamlTree, AnAliasInsideItsOwnNodeIsACycle) {
  EXPECT_NE(parse("a: &a [*a]").error.find("cycle detected"), std::string::npos);
}

TEST(YamlTree, DeepNestingIsAnErrorNotACrash) {
  EXPECT_NE(parse(std::string(100000, '[')).error, "");
}

TEST(YamlTree, ABrokenFileIsAnErrorWhateverItsBytes) {
  for (const char* text :
       {"\xff\xfe", "a: [", "a: 'x", "%", "? ", "- - -\n -", "!!", "&a *a", "{a: b"}) {
    (void)parse(text);  // must return
  }
  SUCCEED();
}

}  // namespace
}  // namespace stack::compose
