// GET /containers/json with its filters, and GET /containers/x/json.
#include <fmt/core.h>

#include <algorithm>

#include "engine/api/documents.h"
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/api/text.h"
#include "engine/json_fields.h"

namespace stack::engine::api {

namespace {

bool in_network(const Filters& filters, const Container& c) {
  const auto& wanted = filters.all("network");
  if (wanted.empty()) return true;
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& name) {
    if (c.config.networks.count(name) != 0 || c.config.network_mode == name) return true;
    return std::any_of(c.endpoints.begin(), c.endpoints.end(), [&](const Endpoint& e) {
      return e.network_name == name || (!name.empty() && e.network_id.rfind(name, 0) == 0);
    });
  });
}

bool has_volume(const Filters& filters, const Container& c) {
  const auto& wanted = filters.all("volume");
  if (wanted.empty()) return true;
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& name) {
    return std::any_of(c.mounts.begin(), c.mounts.end(), [&](const MountPoint& m) {
      return m.volume == name || m.config.target == name;
    });
  });
}

// "80", "80/udp", "8000-8010/tcp"
bool has_port(const Strings& wanted, const Strings& ports) {
  if (wanted.empty()) return true;
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& text) {
    const auto slash = text.find('/');
    const std::string protocol = slash == std::string::npos ? "tcp" : text.substr(slash + 1);
    const int first = std::atoi(text.c_str());
    const auto dash = text.find('-');
    const int last = dash == std::string::npos ? first : std::atoi(text.c_str() + dash + 1);
    return std::any_of(ports.begin(), ports.end(), [&](const std::string& port) {
      const auto at = port.find('/');
      const int number = std::atoi(port.c_str());
      return number >= first && number <= last &&
             port.substr(std::min(at + 1, port.size())) == protocol;
    });
  });
}

bool ports_match(const Filters& filters, const Container& c) {
  Strings exposed(c.config.exposed_ports.begin(), c.config.exposed_ports.end());
  Strings published;
  for (const auto& port : c.config.ports) {
    published.push_back(std::to_string(port.container_port) + "/" + port.protocol);
    exposed.push_back(published.back());
  }
  for (const auto& port : c.ports)
    published.push_back(std::to_string(port.host_port) + "/" + port.protocol);
  return has_port(filters.all("expose"), exposed) && has_port(filters.all("publish"), published);
}

bool of_image(const Filters& filters, const Services& services, const Container& c) {
  const auto& wanted = filters.all("ancestor");
  if (wanted.empty()) return true;
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& reference) {
    if (c.config.image == reference) return true;
    const auto image = services.store.find(reference);
    return image.ok() && image->id == c.image_id;
  });
}

bool exit_code_matches(const Filters& filters, const Container& c) {
  if (!filters.has("exited")) return true;
  return c.status != RunState::kCreated && c.status != RunState::kRunning &&
         filters.exact("exited", std::to_string(c.exit_code));
}

bool matches(const Filters& filters, const Services& services, const Container& c) {
  if (!filters.labels(c.config.labels) || !filters.prefix("id", c.id)) return false;
  if (filters.has("name") && !filters.contains("name", c.name) &&
      !filters.contains("name", "/" + c.name))
    return false;
  if (!filters.exact("status", to_string(c.status)) ||
      !filters.exact("health", to_string(c.health.status)))
    return false;
  return in_network(filters, c) && has_volume(filters, c) && ports_match(filters, c) &&
         exit_code_matches(filters, c) && of_image(filters, services, c);
}

ContainerSizes sizes_of(const std::filesystem::path& upper, std::int64_t image_size) {
  const auto writable = writable_size(upper);
  return {writable, image_size + writable};
}

// Go's words for what is wrong with the numbers of "80", "80-90/udp".
std::optional<std::string> wrong_port(const std::string& text) {
  const auto range = text.substr(0, text.find('/'));
  const auto dash = range.find('-');
  for (const auto& number :
       {range.substr(0, dash), dash == std::string::npos ? "0" : range.substr(dash + 1)}) {
    const bool digits =
        !number.empty() && number.find_first_not_of("0123456789") == std::string::npos;
    if (!digits) return fmt::format("strconv.ParseUint: parsing \"{}\": invalid syntax", number);
    if (number.size() > 5 || std::atoi(number.c_str()) > 65535)
      return fmt::format("strconv.ParseUint: parsing \"{}\": value out of range", number);
  }
  return std::nullopt;
}

// What a filter of a fixed set of values cannot mean.
std::optional<std::string> wrong_value(const Filters& filters) {
  struct Choice {
    const char *key, *what;
    Strings words;
  };
  static const Choice kChoices[] = {
      {"status",
       "state",
       {"created", "running", "paused", "restarting", "removing", "exited", "dead"}},
      {"health", "health", {"none", "starting", "healthy", "unhealthy"}}};
  for (const auto& [key, what, words] : kChoices) {
    for (const auto& value : filters.all(key)) {
      if (std::find(words.begin(), words.end(), value) != words.end()) continue;
      std::string known;
      for (const auto& word : words) known += (known.empty() ? "" : ", ") + word;
      return fmt::format("invalid filter '{}={}': invalid value for {} ({}): must be one of {}",
                         key, value, what, value, known);
    }
  }
  for (const char* key : {"publish", "expose"}) {
    for (const auto& value : filters.all(key)) {
      if (const auto wrong = wrong_port(value))
        return fmt::format("error while looking up for {} {}: {}", key, value, *wrong);
    }
  }
  for (const auto& value : filters.all("exited")) {
    if (value.empty() || value.find_first_not_of("0123456789") != std::string::npos)
      return fmt::format(
          "invalid filter 'exited={0}': strconv.Atoi: parsing \"{0}\": invalid syntax", value);
  }
  return std::nullopt;
}

void list(Services& services, const ExchangePtr& exchange) {
  const auto filters = filters_of(*exchange, {"label", "label!", "name", "id", "status", "network",
                                              "health", "volume", "ancestor", "expose", "publish",
                                              "exited", "before", "since", "is-task", "isolation"});
  if (!filters) return;
  const auto& query = exchange->request().query;
  const auto limit = query.number("limit");
  if (!limit.ok()) return respond_error(*exchange, limit.error());
  if (const auto wrong = wrong_value(*filters)) return respond_error(*exchange, 400, *wrong);
  const auto tasks = flag_of(*exchange, *filters, "is-task", false);
  if (!tasks) return;
  std::optional<WallTime> before, since;
  for (const char* key : {"before", "since"}) {
    for (const auto& name : filters->all(key)) {
      const auto other = services.containers->find(name);
      if (!other.ok()) return respond_error(*exchange, other.error());
      (std::string(key) == "before" ? before : since) = (*other)->created;
    }
  }
  const int most = limit->value_or(query.number("n").ok() ? query.number("n")->value_or(-1) : -1);
  const bool all = query.flag("all") || filters->has("status") || filters->has("exited") ||
                   most > 0 || before || since;
  std::vector<const Container*> chosen;
  for (const auto* c : services.containers->list()) {
    if (*tasks) break;  // those are a swarm's
    const bool up = c->status == RunState::kRunning || c->status == RunState::kPaused ||
                    c->status == RunState::kRestarting;
    if (!all && !up) continue;
    if ((before && c->created >= *before) || (since && c->created <= *since)) continue;
    if (!matches(*filters, services, *c)) continue;
    chosen.push_back(c);
    if (most > 0 && chosen.size() == static_cast<std::size_t>(most)) break;
  }
  const WallTime now = services.clock.wall();
  if (!query.flag("size")) {
    // Written entry by entry: one tree of 1,000 containers would be large.
    std::string body = "[";
    for (const auto* c : chosen) {
      if (body.size() > 1) body += ',';
      body += dump(container_entry(*c, now, std::nullopt));
    }
    return exchange->respond(200, "application/json", body + "]\n");
  }
  std::vector<Container> copies;
  for (const auto* c : chosen) copies.push_back(*c);
  services.long_pool.run(
      [copies = std::move(copies), root = services.paths.root, store = &services.store, now] {
        Json out = Json::array();
        for (const auto& c : copies) {
          const auto image = store->find(c.image_id);
          out.push_back(container_entry(
              c, now,
              sizes_of(root / "containers" / c.id / "upper", image.ok() ? image->size : 0)));
        }
        return dump(out) + "\n";
      },
      [exchange](std::string body) {
        exchange->respond(200, "application/json", std::move(body));
      });
}

void inspect(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  if (!exchange->request().query.flag("size")) {
    return respond_json(*exchange, 200, container_document(*c, services.paths, std::nullopt));
  }
  services.long_pool.run(
      [copy = *c, paths = services.paths, store = &services.store] {
        const auto image = store->find(copy.image_id);
        const auto sizes =
            sizes_of(paths.root / "containers" / copy.id / "upper", image.ok() ? image->size : 0);
        return dump(container_document(copy, paths, sizes)) + "\n";
      },
      [exchange](std::string body) {
        exchange->respond(200, "application/json", std::move(body));
      });
}

}  // namespace

void add_container_list_routes(Router& router, Services& services) {
  router.add("GET", "/containers/json",
             [&services](const ExchangePtr& exchange) { list(services, exchange); });
  router.add("GET", "/containers/{id}/json",
             [&services](const ExchangePtr& exchange) { inspect(services, exchange); });
}

}  // namespace stack::engine::api
