#include "engine/api/documents.h"
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/config_json.h"
#include "engine/json_fields.h"
#include "engine/model_json.h"
#include "engine/networks.h"

namespace stack::engine::api {

namespace {

bool is_used(const Services& services, const std::string& network_id) {
  for (const auto* c : services.containers->list()) {
    for (const auto& endpoint : c->endpoints) {
      if (endpoint.network_id == network_id) return true;
    }
  }
  return false;
}

// What the state of a network forbids is answered with 403, unlike elsewhere.
void respond_network_error(Exchange& exchange, const Error& error) {
  respond_error(exchange, error.kind == ErrorKind::kConflict ? 403 : http_status(error),
                error.to_string());
}
std::function<void(Status)> network_answer(const ExchangePtr& exchange, int status) {
  return [exchange, status](const Status& result) {
    if (!result.ok()) return respond_network_error(*exchange, result.error());
    respond_empty(*exchange, status);
  };
}

void list(Services& services, const ExchangePtr& exchange) {
  const auto filters = filters_of(
      *exchange, {"name", "id", "driver", "label", "label!", "type", "scope", "dangling"});
  if (!filters) return;
  for (const auto& type : filters->all("type")) {
    if (type != "builtin" && type != "custom")
      return respond_error(*exchange, 400, "invalid filter: 'type'='" + type + "'");
  }
  const auto dangling = filters->flag("dangling");
  if (!dangling.ok())
    return respond_error(*exchange, 400,
                         "invalid value for filter 'dangling', must be \"true\" (or \"1\"), or "
                         "\"false\" (or \"0\")");
  Json out = Json::array();
  for (const auto* network : services.networks->list()) {
    const auto& config = network->config;
    if (!filters->contains("name", config.name) || !filters->prefix("id", network->id)) continue;
    if (!filters->exact("driver", config.driver) || !filters->exact("scope", "local") ||
        !filters->labels(config.labels))
      continue;
    if (!filters->exact("type", network->predefined ? "builtin" : "custom")) continue;
    if (*dangling && **dangling != (!network->predefined && !is_used(services, network->id)))
      continue;
    out.push_back(network_document(*network, {}));
  }
  respond_json(*exchange, 200, out);
}

void inspect(Services& services, const ExchangePtr& exchange) {
  const auto found = services.networks->find(exchange->request().captures[0]);
  if (!found.ok()) return respond_error(*exchange, found.error());
  respond_json(*exchange, 200, network_document(**found, services.containers->list()));
}

void create(Services& services, const ExchangePtr& exchange) {
  auto config = parse_network_config(exchange->request().body);
  if (!config.ok()) return respond_error(*exchange, config.error());
  services.networks->create(std::move(config).value(), [exchange](const Result<std::string>& id) {
    if (!id.ok()) {
      const Error& error = id.error();
      const bool taken = error.message.find("already exists") != std::string::npos;
      return taken ? respond_error(*exchange, error) : respond_network_error(*exchange, error);
    }
    respond_json(*exchange, 201, {{"Id", *id}, {"Warning", ""}});
  });
}

void connect(Services& services, const ExchangePtr& exchange) {
  std::string container;
  EndpointConfig config;
  const bool parsed = parse_body(*exchange, [&](const Json& json) {
    container = text_field(json, "Container");
    config = parse_endpoint(child(json, "EndpointConfig"));
  });
  if (!parsed) return;
  const auto found = services.containers->find(container);
  if (!found.ok()) return respond_error(*exchange, found.error());
  const auto network = services.networks->find(exchange->request().captures[0]);
  if (!network.ok()) return respond_error(*exchange, network.error());
  services.containers->connect((*found)->id, (*network)->id, std::move(config),
                               network_answer(exchange, 200));
}

void disconnect(Services& services, const ExchangePtr& exchange) {
  std::string container;
  const bool parsed = parse_body(*exchange, [&](const Json& json) {
    container = text_field(json, "Container");
    (void)field(json, "Force", false);  // nothing keeps an endpoint; another type is refused
  });
  if (!parsed) return;
  const auto found = services.containers->find(container);
  if (!found.ok()) return respond_error(*exchange, found.error());
  const auto network = services.networks->find(exchange->request().captures[0]);
  if (!network.ok()) return respond_error(*exchange, network.error());
  services.containers->disconnect((*found)->id, (*network)->id, network_answer(exchange, 200));
}

void prune(Services& services, const ExchangePtr& exchange) {
  const auto filters = filters_of(*exchange, {"label", "label!", "until"});
  if (!filters) return;
  const auto until = until_of(*exchange, *filters, services.clock.wall());
  if (!until) return;
  struct Prune {
    std::size_t pending = 1;
    Strings deleted;
  };
  auto state = std::make_shared<Prune>();
  const auto one_done = [exchange, state] {
    if (--state->pending == 0)
      respond_json(*exchange, 200, {{"NetworksDeleted", or_null(state->deleted)}});
  };
  std::vector<std::pair<std::string, std::string>> unused;
  for (const auto* network : services.networks->list()) {
    if (network->predefined || is_used(services, network->id) || network->created >= *until ||
        !filters->labels(network->config.labels))
      continue;
    unused.emplace_back(network->id, network->config.name);
  }
  for (const auto& [id, name] : unused) {
    ++state->pending;
    services.networks->remove(id, [state, name = name, one_done](const Status& removed) {
      if (removed.ok()) state->deleted.push_back(name);
      one_done();
    });
  }
  one_done();
}

}  // namespace

void add_network_routes(Router& router, Services& services) {
  const auto add = [&](const char* method, const char* pattern,
                       void (*handler)(Services&, const ExchangePtr&)) {
    router.add(method, pattern,
               [&services, handler](const ExchangePtr& exchange) { handler(services, exchange); });
  };
  add("GET", "/networks", list);
  add("POST", "/networks/create", create);
  add("POST", "/networks/prune", prune);
  add("GET", "/networks/{id}", inspect);
  add("POST", "/networks/{id}/connect", connect);
  add("POST", "/networks/{id}/disconnect", disconnect);
  add("DELETE", "/networks/{id}", [](Services& s, const ExchangePtr& exchange) {
    s.networks->remove(exchange->request().captures[0], network_answer(exchange, 204));
  });
}

}  // namespace stack::engine::api
