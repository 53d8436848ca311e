// ${VARIABLE} in the values of Compose files and environment files: Compose Specification,
// "Interpolation".
//   $X ${X} ${X:-w} ${X-w} ${X:+w} ${X+w} ${X:?w} ${X?w}, words nest, $$ is $; a $ before anything
//   else is itself.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compose/loader.h"

namespace stack::compose {

// nullptr: not set.
using Lookup = std::function<const std::string*(const std::string& name)>;

struct InterpolationError {
  enum class Kind { kMalformed, kRequired };
  Kind kind = Kind::kMalformed;
  std::size_t offset = 0;  // of the $ in the text
  std::string message;     // kRequired: "required variable X is missing a value: words"
};

struct UnsetVariable {
  std::string name;
  std::size_t offset = 0;  // of its $ in the text
};

struct Interpolated {
  std::string text;
  std::vector<UnsetVariable> unset;  // became an empty string for want of a value
  std::optional<InterpolationError> error;
};

Interpolated interpolate(std::string_view text, const Lookup& lookup);

// The variables a text uses, in order.
std::vector<Variable> variables_in(std::string_view text);

}  // namespace stack::compose
