#include "runtime/user.h"

namespace stack::runtime {

namespace {

constexpr std::uint64_t kMaxId = 2147483647;

// One line after the other; the callback returns false to stop.
template <typename F>
void each_line(std::string_view text, F&& f) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    if (!f(line)) return;
  }
}

std::string_view field(std::string_view line, int index) {
  for (; index > 0; --index) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return {};
    line.remove_prefix(colon + 1);
  }
  return line.substr(0, line.find(':'));
}

// False unless all digits. Saturates far above kMaxId.
bool number(std::string_view text, std::uint64_t* value) {
  if (text.empty()) return false;
  *value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    if (*value < (1ULL << 40U)) *value = *value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return true;
}

std::uint32_t id_of(std::string_view text) {
  std::uint64_t value = 0;
  return number(text, &value) && value <= kMaxId ? static_cast<std::uint32_t>(value) : 0;
}

bool push_group(std::uint32_t gid, ResolvedUser* result) {
  for (std::size_t i = 0; i < result->group_count; ++i) {
    if (result->groups[i] == gid) return true;
  }
  if (result->group_count == kMaxGroups) return false;
  result->groups[result->group_count++] = gid;
  return true;
}

// By name first, then by number, since a name may consist of digits.
UserError find_group(std::string_view name, std::string_view group, std::uint32_t* gid) {
  bool found = false;
  each_line(group, [&](std::string_view line) {
    if (field(line, 0) != name) return true;
    *gid = id_of(field(line, 2));
    found = true;
    return false;
  });
  if (found) return UserError::kNone;
  std::uint64_t value = 0;
  if (!number(name, &value)) return UserError::kNoGroup;
  if (value > kMaxId) return UserError::kRange;
  *gid = static_cast<std::uint32_t>(value);
  return UserError::kNone;
}

bool member_of(std::string_view members, std::string_view name) {
  while (!members.empty()) {
    const std::size_t comma = members.find(',');
    if (members.substr(0, comma) == name) return true;
    if (comma == std::string_view::npos) return false;
    members.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

UserError resolve_user(std::string_view user, std::string_view passwd, std::string_view group,
                       ResolvedUser* result, std::string_view* subject) {
  result->uid = 0;
  result->gid = 0;
  result->group_count = 0;
  result->home = "/";
  const std::size_t colon = user.find(':');
  const std::string_view user_part = user.substr(0, colon);
  const std::string_view group_part =
      colon == std::string_view::npos ? std::string_view() : user.substr(colon + 1);

  std::uint64_t wanted_uid = 0;
  const bool numeric = user_part.empty() || number(user_part, &wanted_uid);
  std::string_view by_name;  // the passwd line of that name, else the first of that uid
  std::string_view by_uid;
  each_line(passwd, [&](std::string_view line) {
    if (!user_part.empty() && field(line, 0) == user_part) {
      by_name = line;
      return false;
    }
    std::uint64_t uid = 0;
    if (numeric && by_uid.empty() && number(field(line, 2), &uid) && uid == wanted_uid)
      by_uid = line;
    return true;
  });
  const std::string_view entry = !by_name.empty() ? by_name : by_uid;
  *subject = user_part;
  if (!entry.empty()) {
    result->uid = id_of(field(entry, 2));
    result->gid = id_of(field(entry, 3));
    if (!field(entry, 5).empty()) result->home = field(entry, 5);
  } else if (!numeric) {
    return UserError::kNoUser;
  } else if (wanted_uid > kMaxId) {
    return UserError::kRange;
  } else {
    result->uid = static_cast<std::uint32_t>(wanted_uid);
  }

  if (!group_part.empty()) {  // a given group replaces all others
    *subject = group_part;
    std::uint32_t gid = 0;
    const UserError error = find_group(group_part, group, &gid);
    if (error != UserError::kNone) return error;
    result->gid = gid;
    push_group(gid, result);
    return UserError::kNone;
  }
  push_group(result->gid, result);
  if (entry.empty()) return UserError::kNone;
  bool fits = true;
  const std::string_view name = field(entry, 0);
  each_line(group, [&](std::string_view line) {
    if (member_of(field(line, 3), name)) fits = push_group(id_of(field(line, 2)), result);
    return fits;
  });
  return fits ? UserError::kNone : UserError::kTooManyGroups;
}

UserError add_group(std::string_view name, std::string_view group, ResolvedUser* result) {
  std::uint32_t gid = 0;
  const UserError error = find_group(name, group, &gid);
  if (error != UserError::kNone) return error;
  return push_group(gid, result) ? UserError::kNone : UserError::kTooManyGroups;
}

}  // namespace stack::runtime
