// Docker's rules for `user` strings ("name", "uid", "name:group", ":gid", ...) over the texts of
// /etc/passwd and /etc/group. Without heap and without exceptions: the shim's child uses it inside
// the container.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stack::runtime {

inline constexpr std::size_t kMaxGroups = 1024;

struct ResolvedUser {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::array<std::uint32_t, kMaxGroups> groups;  // supplementary, the primary one included
  std::size_t group_count = 0;
  std::string_view home = "/";  // points into the passwd text, or a literal
};

enum class UserError { kNone, kNoUser, kNoGroup, kRange, kTooManyGroups };

// `user` may be empty (0:0). On error *subject is the name that was not found.
UserError resolve_user(std::string_view user, std::string_view passwd, std::string_view group,
                       ResolvedUser* result, std::string_view* subject);
// Appends one more group by name or number.
UserError add_group(std::string_view name, std::string_view group, ResolvedUser* result);

}  // namespace stack::runtime
