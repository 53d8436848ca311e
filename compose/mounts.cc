// The short forms of services.*.volumes and services.*.devices.
#include <fmt/core.h>

#include "compose/canonical.h"
#include "compose/paths.h"

namespace stack::compose {
namespace {

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }

// A Windows drive ("C:\x", "c:/x:/y") keeps its colon. Otherwise a single letter before "/" that
// comes first is a volume's name here, since this is Linux: Docker Compose takes "v:/x" for one
// path, which no engine can mount.
bool is_drive(const std::string& text, std::size_t colon) {
  if (colon + 1 >= text.size()) return false;
  if (text[colon + 1] == '\\') return true;
  const std::size_t next = text.find(':', colon + 1);
  return text[colon + 1] == '/' && next != std::string::npos && next + 1 < text.size() &&
         text[next + 1] == '/';
}

// Splits at colons outside ${...}.
std::vector<std::string> split_fields(const std::string& text) {
  std::vector<std::string> fields(1);
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '{' && i > 0 && text[i - 1] == '$') ++depth;
    if (c == '}' && depth > 0) --depth;
    const bool letter = c == ':' && fields.back().size() == 1 && is_letter(fields.back()[0]);
    const bool drive = letter && (fields.size() > 1 || is_drive(text, i));
    if (c == ':' && depth == 0 && !drive) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

bool is_path(const std::string& source) {
  return source[0] == '.' || source[0] == '/' || source[0] == '~' || source.rfind("\\\\", 0) == 0 ||
         (source.size() > 2 && is_letter(source[0]) && source[1] == ':');
}

struct MountFlags {
  bool read_only = false;
  bool nocopy = false;
  std::string propagation;
  std::string selinux;
};

MountFlags parse_flags(const std::string& options) {
  MountFlags flags;
  std::size_t begin = 0;
  while (begin <= options.size()) {
    const std::size_t end = std::min(options.find(',', begin), options.size());
    const std::string word = options.substr(begin, end - begin);
    begin = end + 1;
    if (word == "ro" || word == "rw") flags.read_only = word == "ro";
    if (word == "nocopy") flags.nocopy = true;
    if (word == "z" || word == "Z") flags.selinux = word;
    for (const char* p : {"private", "rprivate", "shared", "rshared", "slave", "rslave"}) {
      if (word == p) flags.propagation = word;
    }
  }
  return flags;
}

}  // namespace

namespace {

// [SOURCE, TARGET, OPTIONS], or [TARGET]; empty after an error.
std::vector<std::string> mount_fields(const Node& item, const Path& path, Report& report) {
  std::vector<std::string> fields = split_fields(item.text);
  const char* why = nullptr;
  if (fields.size() > 3) why = "too many colons";
  for (const std::string& f : fields) {
    if (f.empty()) why = "empty section between colons";
  }
  // Of one or two characters everything is a target, as Docker Compose has it.
  if (item.text.size() == 1 || item.text.size() == 2) return {item.text};
  if (item.text.empty()) why = "empty volume spec";
  if (why == nullptr) return fields;
  report.error(item.place, fmt::format("{}: invalid spec: {}: {}", path.text(), item.text, why),
               "a volume is [SOURCE:]TARGET[:OPTIONS], for example \"data:/var/lib/data:ro\"");
  return {};
}

}  // namespace

std::optional<std::string> mount_target(const Node& item, const Path& path, Report& report) {
  const std::vector<std::string> fields = mount_fields(item, path, report);
  if (fields.empty()) return std::nullopt;
  return fields.size() == 1 ? fields[0] : fields[1];
}

Node parse_mount(const Node& item, const Path& path, Report& report) {
  const Place at = item.place;
  Node n = Node::map(at);
  n.entries.reserve(4);
  const std::vector<std::string> fields = mount_fields(item, path, report);
  if (fields.empty()) {
    n.tag = Node::Tag::kBroken;
    return n;
  }
  const std::string& target = fields.size() == 1 ? fields[0] : fields[1];
  const MountFlags flags = parse_flags(fields.size() == 3 ? fields[2] : "");
  const bool bind = fields.size() > 1 && is_path(fields[0]);
  n.set("type", Node::string(bind ? "bind" : "volume", at));
  if (fields.size() > 1) n.set("source", Node::string(fields[0], at));
  n.set("target", Node::string(clean_path(target), at));
  if (flags.read_only) n.set("read_only", Node::boolean(true, at));
  // Either kind keeps the options of the other, as Docker Compose has it: labels for SELinux on a
  // named volume are options of `bind`.
  Node bind_options = Node::map(at);
  if (!flags.selinux.empty()) bind_options.set("selinux", Node::string(flags.selinux, at));
  if (!flags.propagation.empty()) {
    bind_options.set("propagation", Node::string(flags.propagation, at));
  }
  if (bind) bind_options.set("create_host_path", Node::boolean(true, at));
  Node volume_options = Node::map(at);
  if (flags.nocopy) volume_options.set("nocopy", Node::boolean(true, at));
  const bool shown = !bind && item.text.size() > 2;  // of "/x" Docker Compose prints none
  if (!bind_options.entries.empty()) n.set("bind", std::move(bind_options));
  if (shown || flags.nocopy) n.set("volume", std::move(volume_options));
  return n;
}

Node parse_device(const Node& item, Report& report) {
  const Place at = item.place;
  Node n = Node::map(at);
  std::vector<std::string> fields(1);
  for (const char c : item.text) {
    if (c == ':') {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (fields.size() > 3) {
    report.error(at,
                 fmt::format("confusing device mapping, please use long syntax: {}", item.text));
    return n;
  }
  n.set("source", Node::string(fields[0], at));
  n.set("target",
        Node::string(fields.size() > 1 && !fields[1].empty() ? fields[1] : fields[0], at));
  n.set("permissions", Node::string(fields.size() > 2 ? fields[2] : "rwm", at));
  return n;
}

}  // namespace stack::compose
