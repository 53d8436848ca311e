// Rows of Docker's lists, for `ls` and for `system df -v`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/format.h"

namespace stack::cli::docker {

inline constexpr std::string_view kFormatUsage =
    "Format output using a custom template: 'table' (default), 'table TEMPLATE', 'json' or "
    "'TEMPLATE'";

// Columns' titles that a "table TEMPLATE" shows for fields that the plain table has not.
std::vector<Column> all_titles(std::vector<Column> columns);

// The list as --quiet, --format and --no-trunc ask; `id_field` is what --quiet shows.
Result<std::string> render_rows(const Arguments& args, std::string_view id_field,
                                const std::vector<Column>& columns,
                                const std::vector<Record>& records);

// An element of GET /containers/json.
Record container_row(JsonView container, bool truncate, WallTime now);

struct ImageRowOptions {
  bool truncate = true;
  bool digests = false;
};
// An element of GET /images/json: a row for each of its tags.
std::vector<Record> image_rows(JsonView image, const ImageRowOptions& options, WallTime now);

Record volume_row(JsonView volume);

// "3 hours ago"; "N/A" for no time at all.
std::string age_text(std::int64_t unix_seconds, WallTime now);

}  // namespace stack::cli::docker
