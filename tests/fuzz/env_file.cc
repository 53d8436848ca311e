// Environment files.
#include <cstdlib>

#include "compose/dotenv.h"
#include "tests/fuzz/input.h"

using namespace stack::compose;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = stack::fuzz::text_of(data, size);
  const std::string value = "value";
  const Lookup lookup = [&](const std::string& name) -> const std::string* {
    return name == "SET" ? &value : nullptr;
  };
  for (const auto& parsed : {parse_env_file(text, lookup), parse_raw_env_file(text, lookup)}) {
    if (!parsed.ok()) {
      if (!parsed.error().where || parsed.error().where->line < 1) std::abort();
      continue;
    }
    if (parsed->lines.size() != parsed->values.size()) std::abort();
  }
  return 0;
}
