#include "images/users.h"

#include <fcntl.h>

#include <optional>
#include <vector>

#include "images/copy.h"

namespace stack::images {
namespace {

std::optional<unsigned> number(std::string_view text) {
  if (text.empty() || text.size() > 10 ||
      text.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  unsigned long value = 0;
  for (const char c : text) value = value * 10 + static_cast<unsigned long>(c - '0');
  if (value > 0xFFFFFFFEUL) return std::nullopt;
  return static_cast<unsigned>(value);
}

// The fields of the line whose first field is `name`.
std::vector<std::string_view> find_line(std::string_view file, std::string_view name) {
  while (!file.empty()) {
    const std::string_view line = file.substr(0, file.find('\n'));
    file.remove_prefix(std::min(line.size() + 1, file.size()));
    if (line.size() <= name.size() || line[name.size()] != ':' || !line.starts_with(name)) continue;
    std::vector<std::string_view> fields;
    std::string_view rest = line;
    while (true) {
      const std::size_t colon = rest.find(':');
      fields.push_back(rest.substr(0, colon));
      if (colon == std::string_view::npos) return fields;
      rest.remove_prefix(colon + 1);
    }
  }
  return {};
}

std::string text_in(int root_fd, const std::string& path) {
  const auto fd = open_in_root(root_fd, path, O_RDONLY | O_NONBLOCK);
  if (!fd.ok()) return "";
  const auto text = read_all(fd->get(), 16U << 20U);
  return text.ok() ? *text : "";
}

}  // namespace

Result<std::pair<uid_t, gid_t>> resolve_owner(const std::string& text, std::string_view passwd,
                                              std::string_view group) {
  const std::size_t colon = text.find(':');
  const std::string user = text.substr(0, colon);
  uid_t uid = 0;
  gid_t gid = 0;
  if (const auto numeric_id = number(user)) {
    uid = *numeric_id;
    gid = *numeric_id;
  } else if (!user.empty()) {
    const auto fields = find_line(passwd, user);
    const auto id = fields.size() > 3 ? number(fields[2]) : std::nullopt;
    const auto own_group = fields.size() > 3 ? number(fields[3]) : std::nullopt;
    if (!id || !own_group)
      return Error::invalid("unable to find user " + user + ": no matching entries in passwd file");
    uid = *id;
    gid = *own_group;
  }
  if (colon == std::string::npos) return std::pair(uid, gid);
  const std::string name = text.substr(colon + 1);
  if (const auto numeric = number(name)) return std::pair(uid, static_cast<gid_t>(*numeric));
  const auto fields = find_line(group, name);
  const auto found = fields.size() > 2 ? number(fields[2]) : std::nullopt;
  if (!found)
    return Error::invalid("unable to find group " + name + ": no matching entries in group file");
  return std::pair(uid, static_cast<gid_t>(*found));
}

Result<std::pair<uid_t, gid_t>> resolve_owner_in(int root_fd, const std::string& text) {
  // Numbers need no file: an image may have none.
  if (text.find_first_not_of("0123456789:") == std::string::npos)
    return resolve_owner(text, "", "");
  return resolve_owner(text, text_in(root_fd, "/etc/passwd"), text_in(root_fd, "/etc/group"));
}

}  // namespace stack::images
