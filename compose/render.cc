#include "compose/render.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "compose/bind.h"
#include "compose/json.h"
#include "compose/loader.h"
#include "compose/writer.h"
#include "compose/yaml_print.h"

namespace stack::compose {
namespace {

void unescape_all(Node& n) {
  if (n.is_string() && n.text.find("$$") != std::string::npos) {
    std::string out;
    for (std::size_t i = 0; i < n.text.size(); ++i) {
      out += n.text[i];
      if (n.text[i] == '$' && i + 1 < n.text.size() && n.text[i + 1] == '$') ++i;
    }
    n.text = std::move(out);
  }
  for (Node& i : n.items) unescape_all(i);
  for (Entry& e : n.entries) unescape_all(e.value);
}

// One after the other: the tree of a large project does not fit the caches.
void print_services(const std::map<std::string, Service>& services, std::string& out) {
  std::vector<const std::string*> names;
  names.reserve(services.size());
  for (const auto& [name, service] : services) names.push_back(&name);
  std::sort(names.begin(), names.end(),
            [](const std::string* a, const std::string* b) { return natural_less(*a, *b); });
  out += "services:\n";
  for (const std::string* name : names) {
    print_yaml({*name, {}, write(services.at(*name), Style::kYaml)}, 2, out);
  }
}

// In keys as well, as Docker Compose does.
std::string double_dollars(std::string text) {
  if (text.find('$') == std::string::npos) return text;
  std::string out;
  out.reserve(text.size());
  std::size_t begin = 0;
  for (std::size_t at = text.find('$'); at != std::string::npos; at = text.find('$', begin)) {
    out.append(text, begin, at + 1 - begin) += '$';
    begin = at + 1;
  }
  return out.append(text, begin);
}

}  // namespace

std::string to_json(const Project& project) {
  return print_json(write(project, Style::kModel), 2) + "\n";
}

std::string to_docker_json(const Project& project) {
  return double_dollars(print_json(write(project, Style::kJson), 2));
}

std::string to_yaml(const Project& project) {
  const Node frame = write_frame(project, Style::kYaml);
  if (frame.entries.empty()) return print_yaml(frame);
  std::string out;
  for (const Entry& e : frame.entries) {
    if (e.key == "services" && !project.services.empty()) {
      print_services(project.services, out);
    } else {
      print_yaml(e, 0, out);
    }
  }
  return double_dollars(std::move(out));
}

Result<Project> load_canonical(std::string_view json) {
  Node root = TRY_WHILE(parse_json(json), "reading the canonical project");
  if (!root.is_map()) return Error::invalid("the canonical project must be a mapping");
  unescape_all(root);
  const Sources sources;
  Report report(sources);
  Project project = bind_project(root, report);
  if (report.failed()) return Error::invalid(report.take().front().message);
  return project;
}

StringMap environment_of_files(const Project& project) {
  StringMap used;
  for (const auto* sources : {&project.configs, &project.secrets}) {
    for (const auto& [name, source] : *sources) {
      const auto value = project.environment.find(source.environment);
      if (value != project.environment.end()) used.insert(*value);
    }
  }
  return used;
}

}  // namespace stack::compose
