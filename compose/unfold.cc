#include "compose/unfold.h"

#include <fmt/core.h>

#include "compose/forms.h"
#include "compose/path.h"

namespace stack::compose {
namespace {

class Unfolder {
 public:
  explicit Unfolder(Report& report) : report_(report) {}

  void file(Node& root) {
    each_object(root, path_, "services", [this](Node& n) { service(n); });
    for (const char* kind : {"networks", "volumes", "secrets", "configs"}) {
      each_object(root, path_, kind, [](Node& n) {
        to_dict(n.find("labels"), Unset::kEmpty);
        values_to_strings(n.find("driver_opts"));
      });
    }
  }

 private:
  void service(Node& n) {
    for (Entry& e : n.entries) {
      if (!e.value.is_null()) attribute(e.key, e.value);
    }
  }

  void attribute(std::string_view key, Node& n) {
    if (key == "environment") return environment(key, &n);
    if (key == "labels" || key == "annotations") return to_dict(&n, Unset::kEmpty);
    if (key == "sysctls") return to_dict(&n, Unset::kNull);
    if (key == "command" || key == "entrypoint") return words(key, &n);
    if (key == "dns_search" || key == "tmpfs") return to_list(&n);
    if (key == "networks") return networks(n);
    if (key == "build") return build(n);
    if (key == "ports") return ports(n);
    if (key == "volumes") return mounts(n);
    if (key == "healthcheck") return test(n.find("test"));
    if (key == "logging") return values_to_strings(n.find("options"));
    if (key == "gpus") return device_requests(n);
    if (key == "deploy") return deploy(n);
    if (key == "develop") return develop(n);
    if (key == "provider") return provider(n);
    if (key == "post_start" || key == "pre_stop") return hooks(n, key);
  }

  void environment(std::string_view key, Node* n) {
    const auto step = path_.enter(key);
    to_environment(n, path_, report_);
  }

  void words(std::string_view key, Node* n) {
    const auto step = path_.enter(key);
    to_words(n, path_, report_);
  }

  static void networks(Node& n) {
    for (Entry& e : n.entries) values_to_strings(e.value.find("driver_opts"));
  }

  void build(Node& b) {
    const auto step = path_.enter("build");
    environment("args", b.find("args"));
    to_dict(b.find("labels"), Unset::kEmpty);
  }

  static void ports(Node& n) {
    for (Node& item : n.items) {
      if (Node* published = item.find("published")) to_string(*published);
    }
  }

  static void mounts(Node& n) {
    for (Node& item : n.items) {
      if (Node* volume = item.find("volume")) to_dict(volume->find("labels"), Unset::kEmpty);
    }
  }

  static void test(Node* n) {
    if (n == nullptr || !n->is_string()) return;
    Node list = Node::list(n->place);
    list.items.push_back(Node::string("CMD-SHELL", n->place));
    list.items.push_back(std::move(*n));
    *n = std::move(list);
  }

  static void device_requests(Node& list) {
    for (Node& request : list.items) {
      to_dict(request.find("options"), Unset::kEmpty);
      Node* count = request.find("count");
      if (count != nullptr && (count->text == "all" || count->text == "ALL")) {
        *count = Node::integer(-1, count->place);
      }
    }
  }

  static void deploy(Node& d) {
    to_dict(d.find("labels"), Unset::kEmpty);
    Node* resources = d.find("resources");
    Node* reservations = resources == nullptr ? nullptr : resources->find("reservations");
    Node* devices = reservations == nullptr ? nullptr : reservations->find("devices");
    if (devices != nullptr) device_requests(*devices);
  }

  void develop(Node& d) {
    Node* watch = d.find("watch");
    if (watch == nullptr) return;
    const auto step = path_.enter("develop");
    const auto inner = path_.enter("watch");
    for (std::size_t i = 0; i < watch->items.size(); ++i) {
      const auto item = path_.enter(i);
      if (Node* exec = watch->items[i].find("exec")) hook(*exec);
    }
  }

  void hooks(Node& list, std::string_view key) {
    const auto step = path_.enter(key);
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      const auto item = path_.enter(i);
      hook(list.items[i]);
    }
  }

  void hook(Node& h) {
    words("command", h.find("command"));
    environment("environment", h.find("environment"));
  }

  static void provider(Node& p) {
    Node* options = p.find("options");
    if (options == nullptr) return;
    for (Entry& e : options->entries) {
      to_string(e.value);
      to_list(&e.value);
      items_to_strings(&e.value);
    }
  }

  Report& report_;
  Path path_;
};

}  // namespace

void unfold(Node& root, Report& report) { Unfolder(report).file(root); }

}  // namespace stack::compose
