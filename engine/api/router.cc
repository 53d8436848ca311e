#include "engine/api/router.h"

namespace stack::engine::api {

namespace {

std::vector<std::string> components(std::string_view path) {
  std::vector<std::string> out;
  while (!path.empty()) {
    path.remove_prefix(path[0] == '/' ? 1 : 0);
    const auto end = std::min(path.find('/'), path.size());
    if (end > 0) out.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return out;
}

bool is_capture(const std::string& part) { return part.size() > 2 && part.front() == '{'; }
bool is_long_capture(const std::string& part) {
  return is_capture(part) && part[part.size() - 2] == '*';
}

bool matches(const std::vector<std::string>& pattern, const std::vector<std::string>& path,
             std::vector<std::string>& captures) {
  if (path.size() < pattern.size()) return false;
  std::size_t at = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const auto& part = pattern[i];
    if (is_long_capture(part)) {
      // It takes what the parts behind it leave, so there is one of its kind in a pattern.
      const std::size_t end = path.size() - (pattern.size() - i - 1);
      std::string joined;
      for (; at < end; ++at) joined += (joined.empty() ? "" : "/") + path[at];
      captures.push_back(std::move(joined));
    } else if (is_capture(part)) {
      captures.push_back(path[at++]);
    } else if (path[at++] != part) {
      return false;
    }
  }
  return at == path.size();
}

}  // namespace

void Router::add(std::string method, std::string_view pattern, Handler handler, Body body) {
  routes_.push_back({std::move(method), components(pattern), body, std::move(handler)});
}

const Route* Router::find(Request& request) const {
  const auto path = components(request.path);
  for (const auto& method : {request.method, std::string(request.method == "HEAD" ? "GET" : "")}) {
    if (method.empty()) continue;
    for (const auto& route : routes_) {
      if (route.method != method) continue;
      request.captures.clear();
      if (matches(route.pattern, path, request.captures)) return &route;
    }
  }
  request.captures.clear();
  return nullptr;
}

}  // namespace stack::engine::api
