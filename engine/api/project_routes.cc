// The endpoints for whole projects, docs/api.md.
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/json_fields.h"
#include "engine/projects.h"

namespace stack::engine::api {

namespace {

void list(Services& services, const ExchangePtr& exchange) {
  Json out = Json::array();
  for (const auto& project : services.projects->list(exchange->request().query.flag("all"))) {
    out.push_back({{"Name", project.name},
                   {"Status", project.status},
                   {"ConfigFiles", project.config_files}});
  }
  respond_json(*exchange, 200, out);
}

// The handle of the run lives in the exchange's on_close(): it goes, and with it the run, when the
// client does.
void run(Services& services, const ExchangePtr& exchange, const std::string& verb) {
  struct State {
    std::unique_ptr<Projects::Run> run;
    bool finished = false;
  };
  const auto state = std::make_shared<State>();
  const auto begin = [exchange] {
    if (!exchange->begun()) exchange->begin(200, "application/x-ndjson");
  };
  auto run = services.projects->run(
      exchange->request().captures.at(0), verb, exchange->request().body,
      [exchange, begin](std::string line) {
        begin();
        exchange->write(std::move(line) + "\n");
      },
      [&services, exchange, state, begin] {
        begin();
        exchange->finish();
        state->finished = true;
        services.loop.post([state] { state->run.reset(); });  // not inside its own call
      });
  if (!run.ok()) return respond_error(*exchange, run.error());
  if (state->finished) return;
  state->run = std::move(run).value();
  exchange->on_close([state] { state->run.reset(); });
}

}  // namespace

void add_project_routes(Router& router, Services& services) {
  router.add("GET", "/stack/projects",
             [&services](const ExchangePtr& exchange) { list(services, exchange); });
  for (const char* verb : {"up", "down", "start", "stop", "restart", "kill", "pause", "unpause",
                           "rm", "build", "pull", "run"}) {
    router.add("POST", std::string("/stack/projects/{name}/") + verb,
               [&services, verb](const ExchangePtr& exchange) { run(services, exchange, verb); });
  }
}

}  // namespace stack::engine::api
