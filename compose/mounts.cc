// The short forms of services.*.volumes and services.*.devices.
#include <fmt/core.h>

#include <filesystem>

#include "compose/canonical.h"

namespace stack::compose {
namespace {

// Splits at colons outside ${...}. A Windows drive ("C:\x") keeps its colon; a single letter before
// "/" is a volume's name here, since this is Linux.
std::vector<std::string> split_fields(const std::string& text) {
  std::vector<std::string> fields(1);
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '{' && i > 0 && text[i - 1] == '$') ++depth;
    if (c == '}' && depth > 0) --depth;
    const bool drive = c == ':' && fields.back().size() == 1 &&
                       std::isalpha(static_cast<unsigned char>(fields.back()[0])) != 0 &&
                       i + 1 < text.size() && text[i + 1] == '\\';
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
         (source.size() > 2 && source[1] == ':' && source[2] == '\\');
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

std::string clean_target(const std::string& target) {
  std::string out = std::filesystem::path(target).lexically_normal().string();
  while (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

}  // namespace

Node parse_mount(const Node& item, const std::string& path, Report& report) {
  const Place at = item.place;
  Node n = Node::map(at);
  const std::vector<std::string> fields = split_fields(item.text);
  const auto fail = [&](const char* why) {
    report.error(at, fmt::format("{}: invalid spec: {}: {}", path, item.text, why),
                 "a volume is [SOURCE:]TARGET[:OPTIONS], for example \"data:/var/lib/data:ro\"");
    return n;
  };
  if (item.text.empty()) return fail("empty volume spec");
  if (fields.size() > 3) return fail("too many colons");
  for (const std::string& f : fields) {
    if (f.empty()) return fail("empty section between colons");
  }
  const std::string& target = fields.size() == 1 ? fields[0] : fields[1];
  const MountFlags flags = parse_flags(fields.size() == 3 ? fields[2] : "");
  const bool bind = fields.size() > 1 && is_path(fields[0]);
  n.set("type", Node::string(bind ? "bind" : "volume", at));
  if (fields.size() > 1) n.set("source", Node::string(fields[0], at));
  n.set("target", Node::string(clean_target(target), at));
  if (flags.read_only) n.set("read_only", Node::boolean(true, at));
  Node options = Node::map(at);
  if (bind) {
    if (!flags.selinux.empty()) options.set("selinux", Node::string(flags.selinux, at));
    if (!flags.propagation.empty()) options.set("propagation", Node::string(flags.propagation, at));
    options.set("create_host_path", Node::boolean(true, at));
    n.set("bind", std::move(options));
  } else {
    if (flags.nocopy) options.set("nocopy", Node::boolean(true, at));
    n.set("volume", std::move(options));
  }
  return n;
}

Node parse_device(const Node& item, Report& report) {
  const Place at = item.place;
  Node n = Node::map(at);
  std::vector<std::string> fields = split_fields(item.text);
  // A CDI name ("vendor.com/class=name") has no path in it and passes through.
  const bool cdi = item.text[0] != '/' && item.text.find('=') != std::string::npos;
  if (cdi) fields.assign(1, item.text);
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
