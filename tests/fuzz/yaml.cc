// YAML texts to trees.
#include <cstdlib>
#include <string>

#include "compose/json.h"
#include "compose/yaml_print.h"
#include "compose/yaml_tree.h"
#include "tests/fuzz/input.h"

using namespace stack::compose;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(stack::fuzz::text_of(data, size));
  Sources sources;
  const std::int32_t file = sources.add("f.yaml", text);
  Report report(sources);
  const std::vector<Node> documents = parse_yaml(file, report);
  (void)to_json(report.take());
  if (report.failed()) return 0;
  for (const Node& document : documents) {
    // What we print as JSON we read back as the same.
    const stack::Result<Node> again = parse_json(print_json(document));
    if (!again.ok()) std::abort();
    (void)print_yaml(document);
  }
  return 0;
}
