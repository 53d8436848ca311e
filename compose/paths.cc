#include "compose/paths.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace stack::compose {

std::string clean_path(std::string_view path) {
  if (path.empty()) return {};
  const bool absolute = path[0] == '/';
  std::string out(absolute ? "/" : "");
  std::size_t fixed = out.size();  // what no ".." takes back
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view name = path.substr(begin, end - begin);
    begin = end + 1;
    if (name.empty() || name == ".") continue;
    if (name == ".." && out.size() > fixed) {
      const std::size_t slash = out.rfind('/');
      out.resize(slash == std::string::npos ? 0 : std::max(slash, fixed));
      continue;
    }
    if (name == ".." && absolute) continue;
    if (!out.empty() && out.back() != '/') out += '/';
    out += name;
    if (name == "..") fixed = out.size();
  }
  return out.empty() ? "." : out;
}

std::string join_path(const std::string& base, const std::string& path) {
  if (path.starts_with('/')) return clean_path(path);
  return clean_path(base.empty() ? path : base + "/" + path);
}

std::string directory_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

std::string relative_path(const std::string& path, const std::string& base) {
  return std::filesystem::path(path).lexically_relative(base).string();
}

namespace {

class Resolver {
 public:
  Resolver(const std::string& directory, const std::string& home)
      : directory_(directory), home_(home) {}

  void service(Node& n) const {
    if (Node* build = n.find("build")) this->build(*build);
    if (Node* files = n.find("env_file")) {
      for (Node& f : files->items) path(f.find("path"));
    }
    if (Node* files = n.find("label_file")) {
      for (Node& f : files->items) path(&f);
    }
    if (Node* volumes = n.find("volumes")) {
      for (Node& v : volumes->items) {
        const Node* type = v.find("type");
        if (type != nullptr && type->text == "bind") source(v.find("source"));
      }
    }
    if (Node* develop = n.find("develop")) {
      if (Node* watch = develop->find("watch")) {
        for (Node& w : watch->items) path(w.find("path"));
      }
    }
    if (Node* extends = n.find("extends")) path(extends->find("file"));
  }

  void volume(Node& n) const {
    // A local volume that is a bind mount: driver_opts {o: bind, device: PATH}.
    const Node* driver = n.find("driver");
    Node* options = n.find("driver_opts");
    if (options == nullptr || driver == nullptr || driver->text != "local") return;
    const Node* o = options->find("o");
    if (o != nullptr && o->text == "bind") source(options->find("device"));
  }

  void file_source(Node& n) const { source(n.find("file")); }

 private:
  void build(Node& n) const {
    context(n.find("context"));
    if (Node* contexts = n.find("additional_contexts")) {
      for (Entry& e : contexts->entries) context(&e.value);
    }
    if (Node* ssh = n.find("ssh")) {
      for (Entry& key : ssh->entries) path(&key.value);
    }
  }

  // Like a path, but an empty one is the directory itself.
  void source(Node* n) const {
    if (n != nullptr && n->is_string() && n->text.empty()) {
      n->text = directory_;
    } else {
      path(n);
    }
  }

  void path(Node* n) const {
    if (n == nullptr || !n->is_string() || n->text.empty()) return;
    std::string text = n->text;
    if (text[0] == '~' && !home_.empty()) text = home_ + "/" + text.substr(1);
    const bool windows = text.size() > 2 && text[1] == ':' && (text[2] == '\\' || text[2] == '/');
    // Absolute paths stay as they were written.
    if (windows || text.rfind("\\\\", 0) == 0) return;
    n->text = text[0] == '/' && n->text[0] == '/' ? text : join_path(directory_, text);
  }

  static bool is_remote(const std::string& text) {
    for (const char* prefix : {"git@", "github.com/", "service:"}) {
      if (text.rfind(prefix, 0) == 0) return true;
    }
    return text.find("://") != std::string::npos;
  }

  void context(Node* n) const {
    if (n != nullptr && !is_remote(n->text)) path(n);
  }

  const std::string& directory_;
  const std::string& home_;
};

}  // namespace

void resolve_service_paths(Node& service, const std::string& directory, const std::string& home) {
  Resolver(directory, home).service(service);
}

void resolve_paths(Node& root, const std::string& directory, const std::string& home) {
  const Resolver resolver(directory, home);
  const auto each = [&](const char* kind, auto f) {
    if (Node* objects = root.find(kind)) {
      for (Entry& e : objects->entries) {
        if (e.value.is_map()) f(e.value);
      }
    }
  };
  each("services", [&](Node& n) { resolver.service(n); });
  each("volumes", [&](Node& n) { resolver.volume(n); });
  each("secrets", [&](Node& n) { resolver.file_source(n); });
  each("configs", [&](Node& n) { resolver.file_source(n); });
}

std::string read_failure(const std::string& path, const Error& error) {
  if (error.kind != ErrorKind::kOs) return fmt::format("{}: {}", path, error.message);
  if (error.os_errno == EISDIR) return fmt::format("read {}: is a directory", path);
  std::string why = std::generic_category().message(error.os_errno);
  if (!why.empty()) why[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(why[0])));
  return fmt::format("open {}: {}", path, why);
}

std::string home_of(const StringMap& environment) {
  const auto it = environment.find("HOME");
  return it == environment.end() ? "" : it->second;
}

}  // namespace stack::compose
