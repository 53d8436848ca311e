#include "engine/container_links.h"

#include <algorithm>

namespace stack::engine {

namespace {

std::string upper(std::string text) {
  for (char& c : text) {
    c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return text;
}

struct Port {
  int number = 0;
  std::string protocol;
  bool operator<(const Port& other) const {
    return std::tie(number, protocol) < std::tie(other.number, other.protocol);
  }
};

std::vector<Port> exposed(const ContainerConfig& config) {
  std::vector<Port> out;
  for (const auto& text : config.exposed_ports) {
    const auto slash = text.find('/');
    out.push_back(
        {std::atoi(text.c_str()), slash == std::string::npos ? "tcp" : text.substr(slash + 1)});
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Link Link::parse(const std::string& text) {
  const auto colon = text.find(':');
  Link out;
  out.target = text.substr(0, colon);
  if (!out.target.empty() && out.target[0] == '/') out.target.erase(0, 1);
  out.alias = colon == std::string::npos ? out.target : text.substr(colon + 1);
  if (const auto slash = out.alias.rfind('/'); slash != std::string::npos)
    out.alias.erase(0, slash + 1);
  return out;
}

std::vector<std::string> link_environment(const std::string& owner, const Container& target,
                                          const std::string& alias, const std::string& address) {
  const std::string prefix = upper(alias);
  std::vector<std::string> out{prefix + "_NAME=/" + owner + "/" + alias};
  const auto ports = exposed(target.config);
  for (const auto& port : ports) {
    const std::string number = std::to_string(port.number);
    const std::string url = port.protocol + "://" + address + ":" + number;
    const std::string name = prefix + "_PORT_" + number + "_" + upper(port.protocol);
    if (&port == &ports.front()) out.push_back(prefix + "_PORT=" + url);
    out.push_back(name + "=" + url);
    out.push_back(name + "_ADDR=" + address);
    out.push_back(name + "_PORT=" + number);
    out.push_back(name + "_PROTO=" + port.protocol);
  }
  for (const auto& entry : target.config.env) {
    const auto key = entry.substr(0, entry.find('='));
    if (key == "HOME" || key == "PATH" || key.size() == entry.size()) continue;
    out.push_back(prefix + "_ENV_" + entry);
  }
  return out;
}

std::string link_host_line(const Container& target, const std::string& alias,
                           const std::string& address) {
  const auto& hostname = target.config.hostname;
  std::string line =
      address + "\t" + alias + " " + (hostname.empty() ? target.id.substr(0, 12) : hostname);
  if (alias != target.name) line += " " + target.name;
  return line;
}

std::string replace_host_line(std::string_view text, std::string_view alias,
                              const std::string& line) {
  std::string out;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto tab = one.find('\t');
    const auto first = tab == one.npos ? one : one.substr(tab + 1);
    if (tab != one.npos && first.substr(0, first.find(' ')) == alias) continue;
    out += std::string(one) + "\n";
  }
  if (!line.empty()) out += line + "\n";
  return out;
}

}  // namespace stack::engine
