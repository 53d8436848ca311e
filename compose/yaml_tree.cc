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

#include "base/utf8.h"
#include "compose/tree_builder.h"
#include "compose/yaml_words.h"

namespace stack::compose {
namespace {

struct ViewBuffer : std::streambuf {
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // NOLINT: setg wants char*, nothing writes
    setg(begin, begin, begin + text.size());
  }
};

// True when a text begins with a scalar in quotes, of which the last is missing. Anchors and tags may
// stand before it.
bool is_unclosed(std::string_view text) {
  while (!text.empty() && (text[0] == '&' || text[0] == '!')) {
    text.remove_prefix(std::min(text.find_first_of(" \t\r\n"), text.size()));
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  }
  if (text.empty() || (text[0] != '"' && text[0] != '\'')) return false;
  const char quote = text[0];
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"') {
      ++i;
    } else if (text[i] == quote) {
      const bool doubled = quote == '\'' && i + 1 < text.size() && text[i + 1] == quote;
      if (!doubled) return false;
      ++i;
    }
  }
  return true;
}

// Hands the parser's events to the builder. `line`: where the text that is parsed begins in the
// file, from 0.
class Events : public YAML::EventHandler {
 public:
  Events(TreeBuilder& builder, YamlWords& words, std::int32_t file, std::int32_t line)
      : builder_(builder), words_(words), file_(file), line_(line) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    // The parser takes a property at the end of a file for a document that never ends.
    if (mark.pos <= begun_) throw YAML::ParserException(mark, "unexpected end of the document");
    begun_ = mark.pos;
  }
  void OnDocumentEnd() override {
    // The parser lets the end of a file close a quote.
    if (last_.pos >= 0 &&
        is_unclosed(words_.shortened().substr(static_cast<std::size_t>(last_.pos)))) {
      throw YAML::ParserException(last_, "found unexpected end of stream: a quote is not closed");
    }
    last_.pos = -1;
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    builder_.null(place(mark), anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (tag != "?") last_ = mark;
    builder_.scalar(place(mark), tag, anchor,
                    words_.whole(static_cast<std::size_t>(mark.pos), value));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    builder_.alias(place(mark), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    builder_.open(Node::Kind::kList, place(mark), tag, anchor);
  }
  void OnSequenceEnd() override { builder_.close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    builder_.open(Node::Kind::kMap, place(mark), tag, anchor);
  }
  void OnMapEnd() override { builder_.close(); }

  Place place(const YAML::Mark& mark) const {
    const std::int32_t missing = words_.missing(static_cast<std::size_t>(std::max(mark.pos, 0)),
                                                static_cast<std::size_t>(std::max(mark.column, 0)));
    return {file_, line_ + mark.line + 1, mark.column + missing + 1};
  }

 private:
  TreeBuilder& builder_;
  YamlWords& words_;
  YAML::Mark last_ = YAML::Mark::null_mark();  // of the scalars that are not plain
  int begun_ = -1;                             // where the last document did
  std::int32_t file_;
  std::int32_t line_;
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
  if (why.find("a quote is not closed") != std::string::npos) return "close it on the same line";
  if (why.find("a tab") != std::string::npos) return "indent with spaces";
  if (why.find("mapping values") != std::string::npos) {
    return "a value that contains \": \" must be quoted; or the line above is indented less";
  }
  if (why.find("expected key") != std::string::npos) {
    return "check the indentation of this line against the lines above it";
  }
  return {};
}

// UTF-16 and UTF-32, which are the parser's business.
bool is_wide(std::string_view text) {
  using namespace std::string_view_literals;
  return text.starts_with("\xFF\xFE"sv) || text.starts_with("\xFE\xFF"sv) ||
         text.starts_with("\0\0\xFE\xFF"sv);
}

// Where a text stops being text, and why; nothing when it is good.
std::optional<std::pair<std::size_t, const char*>> not_text(std::string_view text) {
  if (is_wide(text)) return std::nullopt;
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

// Where the first document begins that is marked behind `from`; npos when there is none. Such a
// mark is one wherever it stands, also in a block or a quoted text.
std::size_t next_document(std::string_view text, std::size_t from) {
  for (std::size_t at = text.find("\n---", from); at != std::string::npos;
       at = text.find("\n---", at + 1)) {
    const std::size_t end = at + 4;
    if (end == text.size() || text[end] == ' ' || text[end] == '\n' || text[end] == '\r') {
      return at + 1;
    }
  }
  return std::string::npos;
}

void report_syntax(const YAML::Exception& e, Place at, Report& report) {
  const std::string line(report.sources().line(at));
  const bool deep = dynamic_cast<const YAML::DeepRecursion*>(&e) != nullptr;
  const std::string why =
      deep ? fmt::format("exceeded max depth of {}", kMaxYamlDepth) : reason(e.msg, line);
  const std::size_t tab = line.find_first_not_of(' ');
  if (tab != std::string::npos && line[tab] == '\t') at.column = static_cast<int>(tab) + 1;
  report.error(at, fmt::format("yaml: line {}: {}", at.line, why), hint(why));
}

// Parses the file from an offset on, at which a line begins; returns where to go on after an error.
std::size_t parse_from(std::size_t begin, std::int32_t file, bool shorten, TreeBuilder& builder,
                       std::vector<Node>& documents, Report& report) {
  const std::string& text = report.sources().file(file)->text;
  // Nothing at all is no document; nothing after a mark is one.
  const bool marked = text.starts_with("---") || text.find("\n---") != std::string::npos;
  YamlWords words(std::string_view(text).substr(begin), shorten && !is_wide(text));
  Events events(builder, words, file, report.sources().place(file, begin).line - 1);
  Place reached;  // the error
  try {
    ViewBuffer buffer(words.shortened());
    std::istream in(&buffer);
    YAML::Parser parser(in);
    for (;;) {
      builder.begin();
      if (!parser.HandleNextDocument(events)) return std::string::npos;
      std::optional<Node> root = builder.take();
      if (root && (marked || !root->is_null())) documents.push_back(std::move(*root));
    }
  } catch (const YAML::Exception& e) {
    reached = events.place(e.mark);
    report_syntax(e, reached, report);
  } catch (const TreeBuilder::Stop& stop) {
    reached = stop.at;
  }
  const std::size_t error = report.sources().offset(reached).value_or(begin);
  return next_document(text, std::max(begin, error));
}

}  // namespace

std::vector<Node> parse_yaml(std::int32_t file, Report& report, bool shorten) {
  std::vector<Node> documents;
  const std::string& text = report.sources().file(file)->text;
  if (const auto wrong = not_text(text)) {
    const auto byte = static_cast<unsigned char>(text[wrong->first]);
    report.error(report.sources().place(file, wrong->first), fmt::format("yaml: {}", wrong->second),
                 fmt::format("the byte is 0x{:02X}; save the file as UTF-8 text", byte));
    return documents;
  }
  TreeBuilder builder(report);
  // An error in one document leaves the others.
  constexpr int kMaxBroken = 20;
  std::size_t at = 0;
  for (int broken = 0; at != std::string::npos && broken < kMaxBroken; ++broken) {
    at = parse_from(at, file, shorten, builder, documents, report);
  }
  return documents;
}

}  // namespace stack::compose
