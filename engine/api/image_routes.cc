// Images in the store: list, inspect, history, tag, remove, prune.
#include <algorithm>

#include "engine/api/documents.h"
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/api/text.h"
#include "engine/image_service.h"
#include "engine/json_fields.h"
#include "images/layer_store.h"
#include "images/reference.h"

namespace stack::engine::api {

namespace {

bool glob_matches(std::string_view pattern,
                  std::string_view text) {  // '*' and '?', as in path.Match without '/'
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (glob_matches(pattern.substr(1), text.substr(i))) return true;
      if (i < text.size() && text[i] == '/') break;
    }
    return false;
  }
  if (text.empty() || (pattern[0] != '?' && pattern[0] != text[0])) return false;
  return glob_matches(pattern.substr(1), text.substr(1));
}

bool named(const Filters& filters, const images::Image& image) {
  const auto& patterns = filters.all("reference");
  if (patterns.empty()) return true;
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return std::any_of(image.repo_tags.begin(), image.repo_tags.end(), [&](const std::string& tag) {
      return glob_matches(pattern, tag) || glob_matches(pattern, tag.substr(0, tag.rfind(':')));
    });
  });
}

void list(Services& services, const ExchangePtr& exchange) {
  const auto filters = filters_of(
      *exchange, {"dangling", "label", "label!", "before", "since", "reference", "until"});
  if (!filters) return;
  std::map<std::string, int> uses;
  for (const auto* c : services.containers->list()) ++uses[c->image_id];
  const WallTime now = services.clock.wall();
  services.images->run<std::string>(
      [filters = *filters, uses = std::move(uses),
       now](images::Store& store) -> Result<std::string> {
        std::optional<WallTime> before, since;
        for (const auto& name : filters.all("before")) before = TRY(store.find(name)).created;
        for (const auto& name : filters.all("since")) since = TRY(store.find(name)).created;
        for (const auto& text : filters.all("until")) before = parse_moment(text, now);
        Json out = Json::array();
        for (const auto& image : store.list()) {
          const bool dangling = image.repo_tags.empty() && image.repo_digests.empty();
          if (filters.has("dangling") && is_true(filters.all("dangling").at(0)) != dangling)
            continue;
          if (!filters.labels(image.config.labels) || !named(filters, image)) continue;
          if ((before && image.created >= *before) || (since && image.created <= *since)) continue;
          const auto use = uses.find(image.id);
          out.push_back(image_entry(image, use == uses.end() ? 0 : use->second));
        }
        return dump(out) + "\n";
      },
      [exchange](Result<std::string> body) {
        if (!body.ok()) return respond_error(*exchange, body.error());
        exchange->respond(200, "application/json", std::move(body).value());
      });
}

// Runs `work` on a worker and answers with the JSON it returns.
void answer_with(Services& services, const ExchangePtr& exchange,
                 std::function<Result<Json>(images::Store&)> work) {
  services.images->run<std::string>(
      [work = std::move(work)](images::Store& store) -> Result<std::string> {
        return line_of(TRY(work(store)));
      },
      [exchange](Result<std::string> body) {
        if (!body.ok()) return respond_error(*exchange, body.error());
        exchange->respond(200, "application/json", std::move(body).value());
      });
}

void inspect(Services& services, const ExchangePtr& exchange) {
  answer_with(services, exchange,
              [name = exchange->request().captures[0]](images::Store& store) -> Result<Json> {
                const auto image = TRY(store.find(name));
                const auto layers = TRY(store.layer_directories(image.id));
                return image_document(image, layers);
              });
}

void history(Services& services, const ExchangePtr& exchange) {
  answer_with(services, exchange,
              [name = exchange->request().captures[0]](images::Store& store) -> Result<Json> {
                const auto image = TRY(store.find(name));
                const auto layers = TRY(store.layers(image.id));
                return image_history(image, layers);
              });
}

void publish(Services& services, const std::string& action, const std::string& id,
             const std::string& name) {
  services.events.publish({"image", action, id, {{"name", name}}, services.clock.wall()});
}

void tag(Services& services, const ExchangePtr& exchange) {
  const auto& query = exchange->request().query;
  std::string name = query.text("repo");
  if (!query.text("tag").empty()) name += ":" + query.text("tag");
  auto target = images::Reference::parse(name);
  if (!target.ok()) return respond_error(*exchange, target.error());
  services.images->run<std::string>(
      [source = exchange->request().captures[0],
       target = *target](images::Store& store) -> Result<std::string> {
        TRY(store.tag(source, target));
        return TRY(store.find(target.familiar())).id;
      },
      [&services, exchange, target = *target](const Result<std::string>& id) {
        if (!id.ok()) return respond_error(*exchange, id.error());
        publish(services, "tag", *id, target.familiar());
        respond_empty(*exchange, 201);
      });
}

void remove(Services& services, const ExchangePtr& exchange) {
  services.images->remove(exchange->request().captures[0], exchange->request().query.flag("force"),
                          [exchange](const Result<images::RemoveReport>& report) {
                            if (!report.ok()) return respond_error(*exchange, report.error());
                            Json out = Json::array();
                            for (const auto& name : report->untagged)
                              out.push_back({{"Untagged", name}});
                            for (const auto& id : report->deleted) out.push_back({{"Deleted", id}});
                            respond_json(*exchange, 200, out);
                          });
}

void prune(Services& services, const ExchangePtr& exchange) {
  const auto filters = filters_of(*exchange, {"dangling", "label", "label!", "until"});
  if (!filters) return;
  images::PruneFilter filter;
  filter.all = filters->has("dangling") && !is_true(filters->all("dangling").at(0));
  std::optional<WallTime> until;
  for (const auto& text : filters->all("until")) until = parse_moment(text, services.clock.wall());
  filter.wanted = [filters = *filters, until](const images::Image& image) {
    return filters.labels(image.config.labels) && (!until || image.created < *until);
  };
  services.images->prune(std::move(filter), [exchange](const Result<images::PruneReport>& report) {
    if (!report.ok()) return respond_error(*exchange, report.error());
    Json deleted;
    for (const auto& name : report->untagged) deleted.push_back({{"Untagged", name}});
    for (const auto& id : report->deleted) deleted.push_back({{"Deleted", id}});
    respond_json(*exchange, 200,
                 {{"ImagesDeleted", deleted}, {"SpaceReclaimed", report->space_reclaimed}});
  });
}

void prune_build_cache(Services& services, const ExchangePtr& exchange) {
  services.images->run<images::PruneReport>(
      [](images::Store& store) { return store.prune_build_cache(); },
      [exchange](const Result<images::PruneReport>& report) {
        if (!report.ok()) return respond_error(*exchange, report.error());
        respond_json(*exchange, 200,
                     {{"CachesDeleted", or_null(report->deleted)},
                      {"SpaceReclaimed", report->space_reclaimed}});
      });
}

}  // namespace

void add_image_routes(Router& router, Services& services) {
  const auto add = [&](const char* method, const char* pattern,
                       void (*handler)(Services&, const ExchangePtr&)) {
    router.add(method, pattern,
               [&services, handler](const ExchangePtr& exchange) { handler(services, exchange); });
  };
  add("GET", "/images/json", list);
  add("POST", "/images/prune", prune);
  add("POST", "/build/prune", prune_build_cache);
  add("GET", "/images/{name*}/json", inspect);
  add("GET", "/images/{name*}/history", history);
  add("POST", "/images/{name*}/tag", tag);
  add("DELETE", "/images/{name*}", remove);
}

}  // namespace stack::engine::api
