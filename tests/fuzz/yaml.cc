// YAML texts to trees.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "compose/json.h"
#include "compose/yaml_print.h"
#include "compose/yaml_tree.h"
#include "tests/fuzz/input.h"

using namespace stack::compose;

namespace {

// Also where everything stands.
bool same(const Node& a, const Node& b) {
  const auto there = [](const Place& p, const Place& q) {
    return p.line == q.line && p.column == q.column;
  };
  if (a.kind != b.kind || a.tag != b.tag || a.text != b.text || !there(a.place, b.place)) {
    return false;
  }
  const auto same_entry = [&](const Entry& x, const Entry& y) {
    return x.key == y.key && there(x.key_place, y.key_place) && same(x.value, y.value);
  };
  return std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(),
                    [](const Node& x, const Node& y) { return same(x, y); }) &&
         std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(),
                    same_entry);
}

bool same(const std::vector<Node>& a, const std::vector<Node>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Node& x, const Node& y) { return same(x, y); });
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(stack::fuzz::text_of(data, size));
  Sources sources;
  const std::int32_t file = sources.add("f.yaml", text);
  Report report(sources);
  const std::vector<Node> documents = parse_yaml(file, report);
  Report slow(sources);
  const std::vector<Node> expected = parse_yaml(file, slow, /*shorten=*/false);
  if (!same(documents, expected) || to_json(report.take()) != to_json(slow.take())) std::abort();
  if (report.failed()) return 0;
  for (const Node& document : documents) {
    // What we print as JSON we read back as the same.
    const stack::Result<Node> again = parse_json(print_json(document));
    if (!again.ok()) std::abort();
    (void)print_yaml(document);
  }
  return 0;
}
