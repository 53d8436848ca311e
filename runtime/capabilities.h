// Linux capabilities by name and as bit masks, and Docker's rules for adding and dropping them.
// Pure but for own_bounding_set().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stack::runtime {

using CapabilityMask = std::uint64_t;

inline constexpr CapabilityMask kDefaultCapabilities = 0xa80425fbU;

// With or without CAP_, any case. nullopt for an unknown name (also "ALL").
std::optional<int> capability_number(std::string_view name);
std::string capability_name(int number);                        // "CAP_CHOWN"
CapabilityMask mask_of(const std::vector<std::string>& names);  // unknown names are ignored
std::vector<std::string> names_of(CapabilityMask mask);

// Docker's default set with the additions and removals, never more than `available` (our own
// bounding set). Errors: `invalid CapAdd: unknown capability: "CAP_FOO"`.
Result<CapabilityMask> docker_capabilities(const std::vector<std::string>& add,
                                           const std::vector<std::string>& drop, bool privileged,
                                           CapabilityMask available);

CapabilityMask own_bounding_set();

}  // namespace stack::runtime
