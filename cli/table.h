// Text in columns, as Go's tabwriter lays it out in Docker's tools: a column is as wide as its
// longest cell plus three spaces, at least `min_width`; the last cell of a row is not padded.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace stack::cli {

using Row = std::vector<std::string>;

std::string render_table(const std::vector<Row>& rows, std::size_t min_width,
                         std::size_t padding = 3);

// Cells that the text takes on a terminal: combining marks take none, East Asian wide characters
// and emoji two; escape sequences take none.
std::size_t display_width(std::string_view text);

// At most `cells` code points; a cut text ends with "…".
std::string ellipsis(std::string_view text, std::size_t cells);

}  // namespace stack::cli
