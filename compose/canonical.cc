#include "compose/canonical.h"

#include <fmt/core.h>

#include <algorithm>

#include "compose/path.h"
#include "compose/units.h"

namespace stack::compose {
namespace {

using Kind = Node::Kind;

Node with_tag(Node n, const Node& from) {
  n.tag = from.tag;
  return n;
}

void to_string(Node& n) {
  if (n.is_scalar() && !n.is_null()) n.kind = Kind::kString;
}

bool skip(const Node* n) { return n == nullptr || n->tag == Node::Tag::kReset; }

class Canonicaliser {
 public:
  explicit Canonicaliser(Report& report) : report_(report) {}

  void file(Node& root) {
    each(root, "services", [this](Node& n) { service(n); });
    each(root, "networks", [this](Node& n) {
      external(n);
      dict(n.find("labels"));
      strings(n.find("driver_opts"));
    });
    each(root, "volumes", [this](Node& n) {
      external(n);
      dict(n.find("labels"));
      strings(n.find("driver_opts"));
    });
    for (const char* kind : {"secrets", "configs"}) {
      each(root, kind, [&](Node& n) {
        external(n);
        dict(n.find("labels"));
        strings(n.find("driver_opts"));
      });
    }
    includes(root.find("include"));
  }

 private:
  template <typename F>
  void each(Node& root, std::string_view kind, const F& f) {
    Node* objects = root.find(kind);
    if (skip(objects)) return;
    const auto step = path_.enter(kind);
    for (Entry& e : objects->entries) {
      if (!e.value.is_map() || skip(&e.value)) continue;
      const auto inner = path_.enter(e.key);
      f(e.value);
    }
  }

  void service(Node& n) {
    if (Node* b = n.find("build"); !skip(b)) build(*b);
    for (const char* key : {"environment", "sysctls"}) dict(n.find(key));
    for (const char* key : {"labels", "annotations"}) dict(n.find(key), /*empty_for_null=*/true);
    for (const char* key : {"command", "entrypoint"}) command(n.find(key), key);
    for (const char* key : {"dns", "dns_search", "tmpfs", "label_file"}) list_of(n.find(key));
    for (const char* key : {"expose", "group_add"}) items_to_strings(n.find(key));
    for (const char* key : {"configs", "secrets"}) file_references(n.find(key));
    for (const char* key : {"networks", "models"}) names_to_map(n.find(key));
    depends_on(n.find("depends_on"));
    ports(n);
    mounts(n.find("volumes"));
    devices(n.find("devices"));
    env_files(n.find("env_file"));
    hosts(n.find("extra_hosts"), "extra_hosts");
    if (Node* x = n.find("extends"); !skip(x) && x->is_string()) {
      Node map = Node::map(x->place);
      map.set("service", Node::string(x->text, x->place));
      *x = std::move(map);
    }
    if (Node* h = n.find("healthcheck"); !skip(h)) healthcheck(*h);
    if (Node* l = n.find("logging"); !skip(l)) strings(l->find("options"));
    if (Node* s = n.find("storage_opt"); !skip(s)) strings(s);
    if (Node* p = n.find("pull_policy"); !skip(p) && p->text == "if_not_present")
      p->text = "missing";
    if (Node* g = n.find("gpus"); !skip(g)) gpus(*g);
    if (Node* d = n.find("deploy"); !skip(d)) deploy(*d);
    if (Node* d = n.find("develop"); !skip(d)) develop(*d);
    if (Node* p = n.find("provider"); !skip(p)) provider(*p);
    if (Node* nets = n.find("networks"); !skip(nets)) {
      for (Entry& e : nets->entries) strings(e.value.find("driver_opts"));
    }
    for (const char* key : {"post_start", "pre_stop"}) {
      if (Node* hooks = n.find(key); !skip(hooks)) {
        for (Node& h : hooks->items) hook(h);
      }
    }
  }

  void build(Node& b) {
    if (b.is_string()) {
      Node map = with_tag(Node::map(b.place), b);
      map.set("context", Node::string(b.text, b.place));
      b = std::move(map);
      return;
    }
    for (const char* key : {"args", "additional_contexts"}) dict(b.find(key));
    dict(b.find("labels"), /*empty_for_null=*/true);
    hosts(b.find("extra_hosts"), "build.extra_hosts");
    file_references(b.find("secrets"));
    for (const char* key : {"provenance", "sbom"}) {
      if (Node* n = b.find(key)) to_string(*n);
    }
    ssh(b.find("ssh"));
  }

  // Lists of "default" and "id=path".
  void ssh(Node* n) {
    if (skip(n) || !n->is_map()) return;
    Node list = with_tag(Node::list(n->place), *n);
    for (const Entry& e : n->entries) {
      const bool bare = e.value.is_null() || e.value.text.empty();
      list.items.push_back(Node::string(bare ? e.key : e.key + "=" + e.value.text, e.value.place));
    }
    *n = std::move(list);
  }

  // "KEY=value" items become entries, values strings. A key without value stays null, or becomes
  // empty.
  void dict(Node* n, bool empty_for_null = false) {
    if (skip(n)) return;
    if (n->is_list()) {
      Node map = with_tag(Node::map(n->place), *n);
      for (const Node& item : n->items) {
        if (item.tag == Node::Tag::kReset) continue;
        const std::size_t equals = item.text.find('=');
        const std::string key = item.text.substr(0, equals);
        map.set(key, equals == std::string::npos
                         ? Node::null(item.place)
                         : Node::string(item.text.substr(equals + 1), item.place));
        if (!key.empty() && key.back() == ' ') trailing_space(item.place, key);
      }
      *n = std::move(map);
    }
    for (Entry& e : n->entries) {
      to_string(e.value);
      if (empty_for_null && e.value.is_null() && !skip(&e.value)) {
        e.value = Node::string("", e.value.place);
      }
    }
  }

  void trailing_space(Place at, const std::string& key) {
    report_.error(at, fmt::format("'{}.environment' environment variable {} is declared with a "
                                  "trailing space",
                                  path_.text(), key));
  }

  void strings(Node* n) {
    if (skip(n)) return;
    for (Entry& e : n->entries) to_string(e.value);
  }

  void items_to_strings(Node* n) {
    if (skip(n)) return;
    for (Node& i : n->items) to_string(i);
  }

  void list_of(Node* n) {
    if (skip(n) || !n->is_string()) return;
    Node list = with_tag(Node::list(n->place), *n);
    list.items.push_back(Node::string(n->text, n->place));
    *n = std::move(list);
  }

  void command(Node* n, std::string_view key) {
    if (skip(n) || !n->is_string()) return;
    bool cut = false;
    Result<std::vector<std::string>> words = split_command(n->text, &cut);
    if (!words.ok()) {
      report_.error(n->place, fmt::format("{}.{}: {}", path_.text(), key, words.error().message),
                    "a quote is not closed, or the text ends in a backslash");
      return;
    }
    if (cut) {
      report_.warning(n->place,
                      fmt::format("{}.{}: everything after an unquoted ; & | < or > is dropped",
                                  path_.text(), key),
                      "to run a shell, write [\"sh\", \"-c\", \"...\"]");
    }
    Node list = with_tag(Node::list(n->place), *n);
    for (std::string& w : *words) list.items.push_back(Node::string(std::move(w), n->place));
    *n = std::move(list);
  }

  void file_references(Node* n) {
    if (skip(n)) return;
    for (Node& item : n->items) {
      if (!item.is_string()) continue;
      Node map = with_tag(Node::map(item.place), item);
      map.set("source", Node::string(item.text, item.place));
      item = std::move(map);
    }
  }

  void names_to_map(Node* n) {
    if (skip(n) || !n->is_list()) return;
    Node map = with_tag(Node::map(n->place), *n);
    for (const Node& item : n->items) {
      if (item.tag != Node::Tag::kReset) map.set(item.text, Node::null(item.place));
    }
    *n = std::move(map);
  }

  void depends_on(Node* n) {
    if (skip(n) || !n->is_list()) return;
    Node map = with_tag(Node::map(n->place), *n);
    for (const Node& item : n->items) {
      if (item.tag == Node::Tag::kReset) continue;
      Node dependency = Node::map(item.place);
      dependency.set("condition", Node::string("service_started", item.place));
      dependency.set("required", Node::boolean(true, item.place));
      map.set(item.text, std::move(dependency));
    }
    *n = std::move(map);
  }

  void ports(Node& service) {
    Node* n = service.find("ports");
    if (skip(n) || !n->is_list()) return;
    std::vector<Node> out;
    for (std::size_t i = 0; i < n->items.size(); ++i) {
      Node& item = n->items[i];
      if (item.is_map()) {
        for (const char* key : {"published", "target"}) {
          if (Node* value = item.find(key); value != nullptr && key[0] == 'p') to_string(*value);
        }
        out.push_back(std::move(item));
      } else if (item.tag != Node::Tag::kReset && item.is_scalar()) {
        const std::string path = fmt::format("{}.ports.[{}]", path_.text(), i);
        for (Node& p : parse_port(item, path, report_)) out.push_back(std::move(p));
      }
    }
    n->items = std::move(out);
  }

  void mounts(Node* n) {
    if (skip(n)) return;
    for (std::size_t i = 0; i < n->items.size(); ++i) {
      Node& item = n->items[i];
      if (item.is_string() && item.tag != Node::Tag::kReset) {
        item = with_tag(parse_mount(item, fmt::format("{}.volumes.[{}]", path_.text(), i), report_),
                        item);
      } else if (Node* volume = item.find("volume")) {
        dict(volume->find("labels"), true);
      }
    }
  }

  void devices(Node* n) {
    if (skip(n)) return;
    for (Node& item : n->items) {
      if (item.is_string() && !item.text.empty() && item.tag != Node::Tag::kReset) {
        item = with_tag(parse_device(item, report_), item);
      }
    }
  }

  void env_files(Node* n) {
    list_of(n);
    if (skip(n)) return;
    for (Node& item : n->items) {
      if (item.is_string()) {
        Node map = with_tag(Node::map(item.place), item);
        map.set("path", Node::string(item.text, item.place));
        item = std::move(map);
      }
      const Node* format = item.find("format");
      if (format != nullptr && format->text != "raw" && format->text != "dotenv" &&
          !format->text.empty()) {
        report_.error(format->place,
                      fmt::format("unsupported env_file format \"{}\"", format->text),
                      "use raw or dotenv");
      }
    }
  }

  // "host=ip", "host:ip" and {host: ip} become {host: [ip, ...]}.
  void hosts(Node* n, std::string_view key) {
    if (skip(n)) return;
    if (n->is_list()) {
      Node map = with_tag(Node::map(n->place), *n);
      for (const Node& item : n->items) {
        if (item.tag == Node::Tag::kReset) continue;
        const std::size_t equals = item.text.find('=');
        const std::size_t split = equals == std::string::npos ? item.text.find(':') : equals;
        if (split == std::string::npos || split + 1 == item.text.size()) {
          report_.error(item.place, fmt::format("{}.{}: invalid additional host, missing IP: {}",
                                                path_.text(), key, item.text));
          continue;
        }
        add_addresses(map, item.text.substr(0, split), item.text.substr(split + 1), item.place);
      }
      *n = std::move(map);
      return;
    }
    Node map = with_tag(Node::map(n->place), *n);
    for (Entry& e : n->entries) {
      if (skip(&e.value) || !e.value.is_string()) {
        map.entries.push_back(std::move(e));
      } else {
        add_addresses(map, e.key, e.value.text, e.value.place);
      }
    }
    *n = std::move(map);
  }

  static void add_addresses(Node& map, const std::string& host, const std::string& text, Place at) {
    Node* list = map.find(host);
    if (list == nullptr) list = &map.set(host, Node::list(at));
    std::size_t begin = 0;
    while (begin <= text.size()) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      std::string address = text.substr(begin, end - begin);
      begin = end + 1;
      if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
        address = address.substr(1, address.size() - 2);
      }
      const bool known = std::any_of(list->items.begin(), list->items.end(),
                                     [&](const Node& i) { return i.text == address; });
      if (!known) list->items.push_back(Node::string(std::move(address), at));
    }
  }

  void healthcheck(Node& h) {
    Node* test = h.find("test");
    if (skip(test)) return;
    if (test->is_string()) {
      Node list = with_tag(Node::list(test->place), *test);
      list.items.push_back(Node::string("CMD-SHELL", test->place));
      list.items.push_back(Node::string(test->text, test->place));
      *test = std::move(list);
    }
    if (test->is_list() && !test->items.empty()) {
      const std::string& first = test->items[0].text;
      if (first != "CMD" && first != "CMD-SHELL" && first != "NONE") {
        report_.error(test->items[0].place,
                      fmt::format("{}: healthcheck.test must start either by \"CMD\", "
                                  "\"CMD-SHELL\" or \"NONE\"",
                                  path_.text()),
                      did_you_mean(first, {"CMD", "CMD-SHELL", "NONE"}));
      }
    }
  }

  void device_requests(Node& list) {
    for (Node& request : list.items) {
      dict(request.find("options"));
      Node* count = request.find("count");
      if (count != nullptr && count->text == "all") {
        *count = Node::integer(-1, count->place);
      }
    }
  }

  void gpus(Node& g) {
    if (g.is_string()) {
      Node list = with_tag(Node::list(g.place), g);
      Node request = Node::map(g.place);
      request.set("count", Node::integer(-1, g.place));
      list.items.push_back(std::move(request));
      g = std::move(list);
    }
    device_requests(g);
  }

  void deploy(Node& d) {
    dict(d.find("labels"), true);
    Node* resources = d.find("resources");
    if (skip(resources)) return;
    Node* reservations = resources->find("reservations");
    if (skip(reservations)) return;
    if (Node* list = reservations->find("devices"); !skip(list)) device_requests(*list);
  }

  void develop(Node& d) {
    Node* watch = d.find("watch");
    if (skip(watch)) return;
    for (Node& w : watch->items) {
      list_of(w.find("ignore"));
      list_of(w.find("include"));
      if (Node* exec = w.find("exec")) hook(*exec);
    }
  }

  void hook(Node& h) {
    command(h.find("command"), "command");
    dict(h.find("environment"));
  }

  void provider(Node& p) {
    Node* options = p.find("options");
    if (skip(options)) return;
    for (Entry& e : options->entries) {
      to_string(e.value);
      list_of(&e.value);
      items_to_strings(&e.value);
    }
  }

  // {name: x} is the old way to say external and name.
  void external(Node& n) {
    Node* e = n.find("external");
    if (skip(e) || !e->is_map()) return;
    const Place at = e->place;
    const Node* name = e->find("name");
    report_.warning(at,
                    fmt::format("{}: external.name is deprecated. Please set name and external: "
                                "true",
                                path_.text()));
    const Node copy = name != nullptr ? *name : Node::null(at);
    *e = Node::boolean(true, at);
    if (!copy.is_null() && n.find("name") == nullptr) n.set("name", copy);
  }

  void includes(Node* n) {
    if (skip(n)) return;
    for (Node& item : n->items) {
      if (item.is_string()) {
        Node map = Node::map(item.place);
        map.set("path", Node::string(item.text, item.place));
        item = std::move(map);
      }
      list_of(item.find("path"));
      list_of(item.find("env_file"));
    }
  }

  Report& report_;
  Path path_;
};

}  // namespace

void canonicalise(Node& root, Report& report) { Canonicaliser(report).file(root); }

}  // namespace stack::compose
