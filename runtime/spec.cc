#include "runtime/spec.h"

namespace stack::runtime {

bool Hooks::empty() const { return *this == Hooks{}; }

const Namespace* find_namespace(const Spec& spec, NamespaceType type) {
  for (const auto& ns : spec.linux_.namespaces) {
    if (ns.type == type) return &ns;
  }
  return nullptr;
}

}  // namespace stack::runtime
