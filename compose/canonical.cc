#include "compose/canonical.h"

#include <fmt/core.h>

#include "compose/forms.h"
#include "compose/path.h"

namespace stack::compose {
namespace {

class Canonicaliser {
 public:
  Canonicaliser(bool lenient, Report& report) : lenient_(lenient), report_(report) {}

  void file(Node& root) {
    each_object(root, path_, "services", [this](Node& n) { service(n); });
    for (const char* kind : {"networks", "volumes", "secrets", "configs"}) {
      each_object(root, path_, kind, [this](Node& n) { external(n); });
    }
  }

 private:
  std::string at(std::string_view key) const { return fmt::format("{}.{}", path_.text(), key); }

  // The attributes one after the other, so that absent ones cost nothing.
  void service(Node& n) {
    for (Entry& e : n.entries) {
      if (!e.value.is_null()) attribute(e.key, e.value);
    }
  }

  void attribute(std::string_view key, Node& n) {
    if (key == "dns" || key == "label_file") return to_list(&n);
    if (key == "configs" || key == "secrets") return wrap_items(&n, "source");
    if (key == "networks" || key == "models") return names_to_map(&n);
    if (key == "depends_on") return dependencies(n);
    if (key == "build") return build(n);
    if (key == "ports") return ports(n);
    if (key == "volumes") return mounts(n);
    if (key == "devices") return devices(n);
    if (key == "env_file") return env_files(n);
    if (key == "extends") return wrap(n, "service");
    if (key == "gpus") return gpus(n);
    if (key == "ulimits") return limits(n, key);
    if (key == "develop") return develop(n);
  }

  static void dependencies(Node& n) {
    names_to_map(&n, started_dependency);
    for (Entry& e : n.entries) {
      if (e.value.is_map() && e.value.find("required") == nullptr) {
        e.value.set("required", Node::boolean(true, e.value.place));
      }
    }
  }

  void wrap_items(Node* n, std::string_view key) {
    if (n == nullptr) return;
    for (Node& item : n->items) wrap(item, key);
  }

  void build(Node& b) {
    wrap(b, "context");
    const auto step = path_.enter("build");
    contexts(b.find("additional_contexts"));
    wrap_items(b.find("secrets"), "source");
    for (const char* key : {"provenance", "sbom"}) {
      if (Node* n = b.find(key)) to_string(*n);
    }
    ssh(b.find("ssh"));
    if (Node* n = b.find("ulimits")) limits(*n, "ulimits");
  }

  void contexts(Node* n) {
    if (n == nullptr) return;
    for (const Node& item : n->items) {
      if (item.text.find('=') != std::string::npos) continue;
      if (lenient_) return;
      report_.error(item.place, fmt::format("{}: invalid value {}, expected key=value",
                                            at("additional_contexts"), item.text));
    }
    to_dict(n, Unset::kNull);
  }

  // ["default", "id=path"] to {default: null, id: path}.
  void ssh(Node* n) {
    if (n == nullptr || !n->is_list()) return;
    for (const Node& item : n->items) {
      if (item.text == "default" || item.text.find('=') != std::string::npos) continue;
      report_.error(item.place, fmt::format("{}: invalid ssh key \"{}\"", at("ssh"), item.text),
                    "a key is `default` or ID=PATH");
    }
    to_dict(n, Unset::kNull);
  }

  // Those of a service are numbers by now; those of a build are not read from text.
  void limits(Node& n, std::string_view key) {
    const auto whole = [](const Node* v) { return v == nullptr || v->kind == Node::Kind::kInt; };
    for (const Entry& e : n.entries) {
      const bool good = e.value.is_map()
                            ? whole(e.value.find("soft")) && whole(e.value.find("hard"))
                            : whole(&e.value);
      if (good || (lenient_ && e.value.is_map())) continue;
      report_.error(e.value.place, fmt::format("{}.{} must be a whole number", at(key), e.key));
    }
  }

  void ports(Node& n) {
    const auto list = path_.enter("ports");
    std::vector<Node> out;
    out.reserve(n.items.size());
    for (std::size_t i = 0; i < n.items.size(); ++i) {
      if (n.items[i].is_map()) {
        out.push_back(lenient_ ? n.items[i] : std::move(n.items[i]));
      } else if (!short_port(n.items[i], i, out)) {
        return;
      }
      if (ports_ + out.size() > kMaxPorts) {
        report_.error(n.place,
                      fmt::format("{}: the ranges of this file are more than {} ports",
                                  path_.text(), kMaxPorts),
                      {}, "too-large");
        out.clear();
        break;
      }
    }
    ports_ += out.size();
    n.items = std::move(out);
  }

  // False when the list is to stay as it is, because an item is no port yet, as with variables in it.
  bool short_port(const Node& item, std::size_t index, std::vector<Node>& out) {
    const auto step = path_.enter(index);
    if (item.kind == Node::Kind::kFloat) {
      report_.error(item.place, fmt::format("{}: {} is not a port", path_.text(), item.text));
      return true;
    }
    Report trial(report_.sources());
    for (Node& p : parse_port(item, path_, lenient_ ? trial : report_)) {
      out.push_back(std::move(p));
    }
    return !trial.failed();
  }

  void mounts(Node& n) {
    const auto list = path_.enter("volumes");
    for (std::size_t i = 0; i < n.items.size(); ++i) {
      Node& item = n.items[i];
      if (!item.is_string()) continue;
      const auto step = path_.enter(i);
      item = parse_mount(item, path_, report_);
    }
  }

  void devices(Node& n) {
    for (Node& item : n.items) {
      if (item.is_string()) item = parse_device(item, report_);
    }
  }

  void env_files(Node& n) {
    to_list(&n);
    for (Node& item : n.items) {
      wrap(item, "path");
      if (item.find("required") == nullptr) item.set("required", Node::boolean(true, item.place));
    }
  }

  static void gpus(Node& g) {
    if (!g.is_string()) return;
    Node list = Node::list(g.place);
    Node request = Node::map(g.place);
    // Elsewhere than in the file of the project itself any text is taken for it.
    request.set("count", Node::string("all", g.place));
    list.items.push_back(std::move(request));
    g = std::move(list);
  }

  static void develop(Node& d) {
    Node* watch = d.find("watch");
    if (watch == nullptr) return;
    for (Node& w : watch->items) {
      to_list(w.find("ignore"));
      to_list(w.find("include"));
    }
  }

  // {name: x} is the old way to say external and name.
  void external(Node& n) {
    Node* e = n.find("external");
    if (e == nullptr || !e->is_map()) return;
    const Place place = e->place;
    const Node* old = e->find("name");
    const Node old_name = old == nullptr ? Node::null(place) : *old;
    *e = Node::boolean(true, place);
    if (old_name.is_null()) return;
    report_.warning(place,
                    fmt::format("{}: external.name is deprecated. Please set name and "
                                "external: true",
                                path_.text()),
                    {}, "deprecated");
    const Node* name = n.find("name");
    if (name == nullptr) {
      n.set("name", old_name);
    } else if (name->text != old_name.text) {
      report_.error(name->place, fmt::format("{}: name and external.name conflict; only use name",
                                             path_.text()));
    }
  }

  // All of TCP and UDP, and some more; a range becomes a node for each of its ports.
  static constexpr std::size_t kMaxPorts = 150'000;

  bool lenient_;
  Report& report_;
  Path path_;
  std::size_t ports_ = 0;
};

}  // namespace

void canonicalise(Node& root, bool lenient, Report& report) {
  const Report::Pass pass(report, "bad-value");
  Canonicaliser(lenient, report).file(root);
}

}  // namespace stack::compose
