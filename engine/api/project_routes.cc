// The endpoints for whole projects, docs/api.md.
#include <algorithm>
#include <cstdlib>

#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/api/text.h"
#include "engine/history.h"
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

void revisions(Services& services, const ExchangePtr& exchange) {
  const auto all = services.projects->revisions(exchange->request().captures.at(0));
  if (!all.ok()) return respond_error(*exchange, all.error());
  Json out = Json::array();
  for (const auto& revision : *all) {
    out.push_back({{"Revision", revision.number},
                   {"Time", rfc3339_nano(revision.time)},
                   {"Who", revision.who},
                   {"Why", revision.why},
                   {"Services", revision.services}});
  }
  respond_json(*exchange, 200, out);
}

void history(Services& services, const ExchangePtr& exchange) {
  const auto& request = exchange->request();
  const auto since = request.query.text("since");
  constexpr std::size_t kMost = 20'000;
  std::size_t limit = kMost;
  if (const auto asked = request.query.text("limit"); !asked.empty())
    limit = std::min<std::size_t>(kMost, std::strtoul(asked.c_str(), nullptr, 10));
  std::optional<WallTime> from = WallTime{};
  if (!since.empty()) from = parse_moment(since, services.clock.wall());
  if (!from) return respond_error(*exchange, 400, "invalid value for \"since\": " + since);
  const auto entries = services.history->find(request.captures.at(0), *from, limit);
  if (!entries.ok()) return respond_error(*exchange, entries.error());
  Json out = Json::array();
  for (const auto& entry : *entries) {
    out.push_back({{"Time", rfc3339_nano(entry.time)},
                   {"Service", entry.service},
                   {"Container", entry.container},
                   {"Action", entry.action},
                   {"Why", entry.why},
                   {"Who", entry.who}});
  }
  respond_json(*exchange, 200, out);
}

void why(Services& services, const ExchangePtr& exchange) {
  services.projects->why(exchange->request().captures.at(0),
                         exchange->request().query.text("service"),
                         [exchange](Result<std::vector<scheduler::Because>> chain) {
                           if (!chain.ok()) return respond_error(*exchange, chain.error());
                           Json out = Json::array();
                           for (const auto& because : *chain)
                             out.push_back({{"Depth", because.depth}, {"Text", because.text}});
                           respond_json(*exchange, 200, out);
                         });
}

}  // namespace

void add_project_routes(Router& router, Services& services) {
  router.add("GET", "/stack/projects",
             [&services](const ExchangePtr& exchange) { list(services, exchange); });
  router.add("GET", "/stack/projects/{name}/revisions",
             [&services](const ExchangePtr& exchange) { revisions(services, exchange); });
  router.add("GET", "/stack/projects/{name}/history",
             [&services](const ExchangePtr& exchange) { history(services, exchange); });
  router.add("GET", "/stack/projects/{name}/why",
             [&services](const ExchangePtr& exchange) { why(services, exchange); });
  for (const char* verb : {"up", "down", "start", "stop", "restart", "kill", "pause", "unpause",
                           "rm", "build", "pull", "run", "rollback", "enable", "disable"}) {
    router.add("POST", std::string("/stack/projects/{name}/") + verb,
               [&services, verb](const ExchangePtr& exchange) { run(services, exchange, verb); });
  }
}

}  // namespace stack::engine::api
