// Images in the store: list, inspect, history, tag, remove, prune.
#include <algorithm>

#include "engine/api/documents.h"
#include "engine/api/platform.h"
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

// Leaves the names that the filter "reference" asks for. False: there are none.
bool keep_named(const Filters& filters, images::Image& image) {
  const auto& patterns = filters.all("reference");
  if (patterns.empty()) return true;
  const auto unwanted = [&](char separator) {
    return [&patterns, separator](const std::string& name) {
      return std::none_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
        return glob_matches(pattern, name) ||
               glob_matches(pattern, name.substr(0, name.rfind(separator)));
      });
    };
  };
  std::erase_if(image.repo_tags, unwanted(':'));
  std::erase_if(image.repo_digests, unwanted('@'));
  return !image.repo_tags.empty() || !image.repo_digests.empty();
}

void list(Services& services, const ExchangePtr& exchange) {
  const auto filters = filters_of(
      *exchange, {"dangling", "label", "label!", "before", "since", "reference", "until"});
  if (!filters) return;
  const auto until = until_of(*exchange, *filters, services.clock.wall());
  if (!until) return;
  const auto wants_dangling = filters->flag("dangling");
  if (!wants_dangling.ok()) return respond_error(*exchange, wants_dangling.error());
  services.images->run<std::string>(
      [filters = *filters, wants_dangling = *wants_dangling,
       until = *until](images::Store& store) -> Result<std::string> {
        std::optional<WallTime> before = until, since;
        for (const auto& name : filters.all("before")) before = TRY(store.find(name)).created;
        for (const auto& name : filters.all("since")) since = TRY(store.find(name)).created;
        Json out = Json::array();
        for (auto& image : store.list()) {
          const bool dangling = image.repo_tags.empty() && image.repo_digests.empty();
          if (wants_dangling && *wants_dangling != dangling) continue;
          if (!filters.labels(image.config.labels) || !keep_named(filters, image)) continue;
          if ((before && image.created >= *before) || (since && image.created <= *since)) continue;
          out.push_back(image_entry(image));
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
              [name = exchange->request().captures[0],
               platform = exchange->request().query.text("platform")](
                  images::Store& store) -> Result<Json> {
                const auto image = TRY(store.find(name));
                TRY(check_platform(platform, image.config, name));
                const auto layers = TRY(store.layer_directories(image.id));
                return image_document(image, layers);
              });
}

void history(Services& services, const ExchangePtr& exchange) {
  answer_with(services, exchange,
              [name = exchange->request().captures[0]](images::Store& store) -> Result<Json> {
                const auto image = TRY(store.find(name));
                const auto layers = TRY(store.layers(image.id));
                std::vector<images::Image> ancestors;
                for (auto parent = image.parent; !parent.empty();) {
                  auto found = store.find(parent);
                  if (!found.ok()) break;  // removed since
                  parent = found->parent;
                  ancestors.push_back(std::move(found).value());
                }
                return image_history(image, layers, ancestors);
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
  const auto until = until_of(*exchange, *filters, services.clock.wall());
  if (!until) return;
  const auto only_dangling = flag_of(*exchange, *filters, "dangling", true);
  if (!only_dangling) return;
  images::PruneFilter filter;
  filter.all = !*only_dangling;
  filter.wanted = [filters = *filters, until = *until](const images::Image& image) {
    return filters.labels(image.config.labels) && image.created < until;
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
  const auto filters = Filters::parse(exchange->request().query.text("filters"),
                                      {"description", "id", "inuse", "label", "label!", "parent",
                                       "private", "shared", "type", "until", "unused-for"});
  if (!filters.ok())
    return respond_error(*exchange, 400, "failed to prune build cache: " + filters.error().message);
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
