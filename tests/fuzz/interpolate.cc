// ${...} in values.
#include "compose/interpolate.h"

#include <cstdlib>

#include "tests/fuzz/input.h"

using namespace stack::compose;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = stack::fuzz::text_of(data, size);
  const std::string value = "value";
  const std::string empty;
  const Interpolated out = interpolate(text, [&](const std::string& name) -> const std::string* {
    if (name.empty()) std::abort();
    return name[0] == 'A' ? &value : name[0] == 'B' ? &empty : nullptr;
  });
  for (const UnsetVariable& u : out.unset) {
    if (u.offset >= text.size() || text[u.offset] != '$') std::abort();
  }
  if (out.error && out.error->offset > text.size()) std::abort();
  (void)variables_in(text);
  return 0;
}
