// Questions to registries: login, search, what a reference stands for.
#include <fmt/core.h>

#include "engine/api/filters.h"
#include "engine/api/registry_headers.h"
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/image_service.h"
#include "engine/json_fields.h"
#include "images/reference.h"
#include "images/registry_questions.h"

namespace stack::engine::api {

namespace {

constexpr int kSearchLimit = 25, kLargestLimit = 100;

void auth(Services& services, const ExchangePtr& exchange) {
  const auto credentials = parse_registry_auth(exchange->request().body);
  std::string server;
  if (!parse_body(*exchange, [&](const Json& json) { server = text_field(json, "serveraddress"); }))
    return;
  images::RegistryOptions options = services.images->pull_options();
  options.docker_config.clear();
  options.stop = stop_with(*exchange);
  services.images->run<images::LoginAnswer>(
      [credentials = credentials.value_or(RegistryCredentials{}), server, options](images::Store&) {
        return images::log_in(server, credentials, options);
      },
      [exchange](const Result<images::LoginAnswer>& answer) {
        if (!answer.ok()) return respond_error(*exchange, answer.error());
        if (!answer->accepted) return respond_error(*exchange, 401, answer->refusal);
        Json out = {{"Status", "Login Succeeded"}};
        if (!answer->identity_token.empty()) out["IdentityToken"] = answer->identity_token;
        respond_json(*exchange, 200, out);
      });
}

// What the engine filters itself; the index only knows the words.
bool wanted(const Filters& filters, const images::SearchResult& result) {
  for (const auto& text : filters.all("stars")) {
    if (result.stars < std::atoi(text.c_str())) return false;
  }
  if (filters.has("is-official") && is_true(filters.all("is-official").at(0)) != result.official)
    return false;
  return !filters.has("is-automated") ||
         is_true(filters.all("is-automated").at(0)) == result.automated;
}

void search(Services& services, const ExchangePtr& exchange) {
  const auto filters = filters_of(*exchange, {"is-official", "is-automated", "stars"});
  if (!filters) return;
  for (const auto& text : filters->all("stars")) {
    if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos)
      return respond_error(*exchange, 400, fmt::format("invalid filter 'stars=[{}]'", text));
  }
  const auto& query = exchange->request().query;
  const auto limit = query.number("limit");
  if (!limit.ok()) return respond_error(*exchange, limit.error());
  const int count = limit->value_or(0) == 0 ? kSearchLimit : **limit;
  if (count < 1 || count > kLargestLimit) {
    return respond_error(
        *exchange, 400,
        fmt::format("limit {} is outside the range of [1, {}]", count, kLargestLimit));
  }
  if (query.text("term").empty()) return respond_error(*exchange, 400, "no term is given");
  images::RegistryOptions options = services.images->pull_options();
  options.credentials = registry_auth_of(exchange->request());
  options.stop = stop_with(*exchange);
  using Found = std::vector<images::SearchResult>;
  services.images->run<Found>([term = query.text("term"), count, options](
                                  images::Store&) { return images::search(term, count, options); },
                              [exchange, filters = *filters](const Result<Found>& found) {
                                if (!found.ok()) return respond_error(*exchange, found.error());
                                Json out = Json::array();
                                for (const auto& result : *found) {
                                  if (!wanted(filters, result)) continue;
                                  out.push_back({{"star_count", result.stars},
                                                 {"is_official", result.official},
                                                 {"name", result.name},
                                                 {"is_automated", result.automated},
                                                 {"description", result.description}});
                                }
                                respond_json(*exchange, 200, out);
                              });
}

void distribution(Services& services, const ExchangePtr& exchange) {
  const auto reference = images::Reference::parse(exchange->request().captures[0]);
  if (!reference.ok()) return respond_error(*exchange, reference.error());
  images::RegistryOptions options = services.images->pull_options();
  options.credentials = registry_auth_of(exchange->request());
  options.stop = stop_with(*exchange);
  services.images->run<images::RemoteImage>(
      [reference = *reference, options](images::Store&) {
        return images::inspect_remote(reference, options);
      },
      [exchange](const Result<images::RemoteImage>& image) {
        if (!image.ok()) return respond_error(*exchange, image.error());
        Json platforms = Json::array();
        for (const auto& one : image->platforms) {
          Json platform = {{"architecture", one.architecture}, {"os", one.os}};
          if (!one.variant.empty()) platform["variant"] = one.variant;
          platforms.push_back(std::move(platform));
        }
        respond_json(*exchange, 200,
                     {{"Descriptor",
                       {{"mediaType", image->descriptor.media_type},
                        {"digest", image->descriptor.digest},
                        {"size", image->descriptor.size}}},
                      {"Platforms", platforms}});
      });
}

}  // namespace

void add_registry_routes(Router& router, Services& services) {
  router.add("POST", "/auth", [&services](const ExchangePtr& e) { auth(services, e); });
  router.add("GET", "/images/search", [&services](const ExchangePtr& e) { search(services, e); });
  router.add("GET", "/distribution/{name*}/json",
             [&services](const ExchangePtr& e) { distribution(services, e); });
}

}  // namespace stack::engine::api
