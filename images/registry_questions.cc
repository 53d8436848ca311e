#include "images/registry_questions.h"

#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "images/image_config.h"

namespace stack::images {
namespace {

using nlohmann::json;

constexpr std::size_t kManifestLimit = 4U << 20U;

const std::vector<std::string> kAccept{
    "Accept: application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json"};

Error refusal(const Reference& reference, const HttpResponse& response) {
  const std::string code = registry_error_code(response);
  const std::string text = registry_error_text(response);
  if (code == "NAME_UNKNOWN")
    return Error::not_found("repository " + reference.name() + " not found: " + text);
  if (response.status == 404) {
    return Error::not_found("manifest for " + reference.familiar() + " not found: " +
                            (code.empty() ? "manifest unknown: manifest unknown" : text));
  }
  if (response.status == 403 || code == "DENIED") {
    return Error::not_found("pull access denied for " + reference.familiar_name() +
                            ", repository does not exist or may require 'docker login': " + text);
  }
  if (response.status == 401)
    return Error::invalid(text).fix("Log in to " + reference.domain + ".");
  return Error::make(ErrorKind::kUnavailable, text);
}

// "localhost:5000/mysql" names its own index.
Reference index_of(const std::string& term) {
  const std::size_t slash = term.find('/');
  const std::string first = term.substr(0, slash);
  Reference out;
  if (slash != std::string::npos &&
      (first.find_first_of(".:") != std::string::npos || first == "localhost")) {
    out.domain = first == "index.docker.io" ? "docker.io" : first;
    out.path = term.substr(slash + 1);
  } else {
    out.domain = "docker.io";
    out.path = term;
  }
  if (out.domain == "docker.io" && out.path.starts_with("library/")) out.path = out.path.substr(8);
  return out;
}

}  // namespace

Result<FetchedManifest> fetch_manifest(Registry& registry, const Reference& reference) {
  const std::string& name = reference.digest.empty() ? reference.tag : reference.digest;
  HttpRequest request;
  request.headers = kAccept;
  request.limit = kManifestLimit;
  HttpResponse response = TRY(registry.request(std::move(request), "manifests/" + name));
  if (response.status != 200) return refusal(reference, response);
  FetchedManifest out;
  out.digest = "sha256:" + sha256_hex(response.body);
  if (!reference.digest.empty() && out.digest != name)
    return Error::invalid("manifest verification failed for digest " + name +
                          ": the registry sent " + out.digest);
  out.content_type = response.header("content-type");
  out.json = std::move(response.body);
  return out;
}

Result<std::vector<std::string>> list_tags(const Reference& repository,
                                           const RegistryOptions& options) {
  Registry registry = TRY(connect_registry(repository, options, false));
  std::vector<std::string> out;
  std::string path = "tags/list";
  while (!path.empty()) {
    const HttpResponse answer = TRY(registry.request({}, path));
    if (answer.status != 200) return refusal(repository, answer);
    const json body = json::parse(answer.body, nullptr, false);
    if (!body.is_object() || !body.contains("tags"))
      return Error::make(ErrorKind::kUnavailable, "the list of tags cannot be read");
    for (const json& tag : body["tags"]) {
      if (tag.is_string()) out.push_back(tag.get<std::string>());
    }
    // Link: </v2/x/tags/list?last=b&n=100>; rel="next"
    const std::string link = answer.header("link");
    const std::size_t end = link.find('>');
    const bool more = link.starts_with('<') && end != std::string::npos && out.size() < 100000;
    path = more ? link.substr(1, end - 1) : "";
  }
  return out;
}

Result<LoginAnswer> log_in(const std::string& server_address, const Credentials& credentials,
                           RegistryOptions options) {
  const std::string host = registry_host(server_address);
  const bool hub = host.empty() || credentials_key(host) == kHubServer;
  options.credentials = credentials;
  std::optional<Error> failure;
  for (const Endpoint& endpoint : endpoints_of(hub ? "docker.io" : host, options, true)) {
    Registry registry = TRY(Registry::at(endpoint, "", options));
    if (Status there = registry.ping(); !there.ok()) {
      if (there.error().kind == ErrorKind::kCancelled) return std::move(there).error();
      failure = std::move(there).error();
      continue;
    }
    registry.authorizer().want_refresh_token();
    const std::string url = endpoint.base + "/v2/";
    const auto answer = registry.request({}, "/v2/");
    LoginAnswer out;
    if (!answer.ok()) {
      if (answer.error().kind != ErrorKind::kInvalid) return answer.error();
      out.refusal = "Get \"" + url + "\": " + answer.error().message;
      return out;
    }
    out.accepted = answer->status == 200;
    if (out.accepted) {
      out.identity_token = registry.authorizer().refresh_token();
    } else {
      out.refusal = "login attempt to " + url +
                    " failed with status: " + std::to_string(answer->status) +
                    (answer->status == 401 ? " Unauthorized" : "");
    }
    return out;
  }
  return std::move(*failure).fix("Check the name of the registry and the network.");
}

Result<std::vector<SearchResult>> search(const std::string& term, int limit,
                                         RegistryOptions options) {
  if (term.find("://") != std::string::npos)
    return Error::invalid("invalid repository name: repository name (" + term +
                          ") should not have a scheme");
  const Reference index = index_of(term);
  std::vector<Endpoint> endpoints = endpoints_of(index.domain, options, true);
  if (index.domain == "docker.io") endpoints[0].base = "https://index.docker.io";
  std::optional<Error> failure;
  for (const Endpoint& endpoint : endpoints) {
    Registry registry = TRY(Registry::at(endpoint, "", options));
    const auto answer = registry.attempt(
        {}, "/v1/search?q=" + url_encode(index.path) + "&n=" + std::to_string(limit));
    if (!answer.ok()) {
      if (answer.error().kind == ErrorKind::kCancelled) return answer.error();
      failure = answer.error();
      continue;
    }
    if (answer->status != 200)
      return Error::make(ErrorKind::kUnavailable, endpoint.domain + ": Unexpected status code " +
                                                      std::to_string(answer->status));
    const json body = json::parse(answer->body, nullptr, false);
    if (!body.is_object() || !body.contains("results") || !body["results"].is_array())
      return Error::make(ErrorKind::kUnavailable,
                         endpoint.domain + ": the answer to the search cannot be read");
    std::vector<SearchResult> out;
    for (const json& item : body["results"]) {
      if (!item.is_object()) continue;
      SearchResult result;
      const auto text = [&](const char* key) {
        return item.contains(key) && item[key].is_string() ? item[key].get<std::string>() : "";
      };
      const auto flag = [&](const char* key) {
        return item.contains(key) && item[key].is_boolean() && item[key].get<bool>();
      };
      result.name = text("name");
      result.description = text("description");
      if (item.contains("star_count") && item["star_count"].is_number())
        result.stars = item["star_count"].get<int>();
      result.official = flag("is_official");
      result.automated = flag("is_automated");
      if (!result.name.empty()) out.push_back(std::move(result));
    }
    return out;
  }
  return std::move(*failure).fix("Check the name of the registry and the network.");
}

Result<RemoteImage> inspect_remote(const Reference& reference, const RegistryOptions& options) {
  std::optional<Error> failure;
  for (const Endpoint& endpoint : endpoints_of(reference.domain, options, false)) {
    Registry registry = TRY(Registry::at(endpoint, reference.path, options));
    if (Status there = registry.ping(); !there.ok()) {
      failure = std::move(there).error();
      continue;
    }
    auto fetched = fetch_manifest(registry, reference);
    if (!fetched.ok()) {
      if (!endpoint.mirror) return std::move(fetched).error();
      failure = std::move(fetched).error();
      continue;
    }
    const ManifestDocument manifest = TRY(parse_manifest(fetched->json, fetched->content_type));
    RemoteImage out;
    out.descriptor = {.media_type = manifest.media_type,
                      .digest = fetched->digest,
                      .size = static_cast<std::int64_t>(fetched->json.size())};
    for (const Descriptor& item : manifest.manifests)
      out.platforms.push_back({item.os, item.architecture, item.variant});
    if (!manifest.is_index) {
      HttpRequest request;
      const HttpResponse config =
          TRY(registry.request(std::move(request), "blobs/" + manifest.config.digest));
      if (config.status != 200) return refusal(reference, config);
      const ImageConfig parsed = TRY(ImageConfig::parse(config.body));
      out.platforms.push_back({parsed.os, parsed.architecture, parsed.variant});
    }
    return out;
  }
  return std::move(*failure).fix("Check the name of the registry and the network.");
}

}  // namespace stack::images
