// The short forms of ports, volumes and devices, and what has units.
#include "compose/canonical.h"
#include "compose/scalar.h"
#include "compose/units.h"
#include "tests/fuzz/input.h"

using namespace stack::compose;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(stack::fuzz::text_of(data, size));
  const Sources sources;
  Report report(sources);
  const Node item = Node::string(text);
  const Path path;
  (void)parse_port(item, path, report);
  (void)parse_mount(item, path, report);
  if (!text.empty()) (void)parse_device(item, report);
  bool cut = false;
  (void)split_command(text, &cut);
  (void)parse_bytes(text);
  (void)parse_duration(text);
  (void)parse_integer(text);
  (void)resolve_plain_scalar(text, {});
  return 0;
}
