#include "images/registry.h"

#include <cctype>
#include <condition_variable>
#include <mutex>

namespace stack::images {

bool pause(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  return !changed.wait_for(lock, stop, time, [] { return false; }) && !stop.stop_requested();
}

std::optional<std::chrono::seconds> parse_retry_after(const std::string& value,
                                                      std::chrono::system_clock::time_point now) {
  // Nobody waits longer than that for a pull; a registry that asks for more is answered by an
  // error.
  constexpr std::chrono::seconds kLongest{120};
  if (value.empty()) return std::nullopt;
  if (value.find_first_not_of("0123456789") == std::string::npos)
    return value.size() > 4 ? kLongest : std::min(kLongest, std::chrono::seconds(std::stoi(value)));
  const auto when = parse_http_date(value);
  if (!when) return std::nullopt;
  const auto wait =
      std::chrono::ceil<std::chrono::seconds>(std::chrono::system_clock::from_time_t(*when) - now);
  return std::clamp(wait, std::chrono::seconds(0), kLongest);
}

Registry::Registry(Endpoint endpoint, std::string repository, const RegistryOptions& options,
                   TlsFiles tls, std::shared_ptr<Authorizer> authorizer)
    : options_(&options),
      endpoint_(std::move(endpoint)),
      repository_(std::move(repository)),
      tls_(std::move(tls)),
      authorizer_(std::move(authorizer)) {}

Result<Registry> Registry::at(const Endpoint& endpoint, const std::string& repository,
                              const RegistryOptions& options, bool push) {
  TlsFiles tls = TRY(tls_files(endpoint.domain, options.certificate_directories));
  auto credentials = TRY(credentials_for(endpoint, options));
  auto authorizer = std::make_shared<Authorizer>(endpoint, std::move(credentials));
  if (!repository.empty())
    authorizer->add_scope("repository:" + repository + (push ? ":pull,push" : ":pull"));
  return Registry(endpoint, repository, options, std::move(tls), std::move(authorizer));
}

Registry Registry::copy() const {
  return Registry(endpoint_, repository_, *options_, tls_, authorizer_);
}

Registry Registry::with_scope(const std::string& scope) const {
  return Registry(endpoint_, repository_, *options_, tls_, authorizer_->with_scope(scope));
}

void Registry::prepare(HttpRequest& request, const std::string& path) const {
  request.url =
      path.starts_with("http://") || path.starts_with("https://")
          ? path
          : endpoint_.base + (path.starts_with('/') ? path : "/v2/" + repository_ + "/" + path);
  request.stop = options_->stop;
  request.proxies = options_->proxies;
  // Another place (a redirected upload) is trusted by the system's certificates alone.
  if (!same_origin(request.url, endpoint_.base)) return;
  request.insecure_tls = endpoint_.insecure;
  request.ca_pem = tls_.ca_pem;
  request.cert_file = tls_.cert_file;
  request.key_file = tls_.key_file;
}

Status Registry::ping() {
  HttpRequest request;
  prepare(request, "/v2/");
  const HttpResponse answer = TRY(client_.perform(request));
  if (answer.status == 200 || answer.status == 401) return ok_status();
  return Error::make(ErrorKind::kUnavailable,
                     "Get \"" + request.url +
                         "\": received unexpected HTTP status: " + std::to_string(answer.status));
}

Result<HttpResponse> Registry::once(const HttpRequest& original) {
  HttpRequest request = original;
  std::string sent;
  const auto with_auth = [&] {
    request.headers = original.headers;
    // Uploads may be redirected by URL to another host or port, or to one without TLS, which must
    // not get our token.
    sent = same_origin(request.url, endpoint_.base) ? authorizer_->header() : std::string();
    if (!sent.empty()) request.headers.push_back(sent);
  };
  with_auth();
  HttpResponse response = TRY(client_.perform(request));
  if (response.status != 401 || response.header("www-authenticate").empty()) return response;
  Status answered = authorizer_->answer(response.header("www-authenticate"), sent, request);
  if (!answered.ok()) {
    const std::string verb = request.method.empty() ? "" : request.method.substr(0, 1);
    std::string method = request.method;
    for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    method = verb + method.substr(verb.size());
    return std::move(answered).error().while_(method + " \"" + request.url + "\"");
  }
  with_auth();
  return client_.perform(request);
}

Result<HttpResponse> Registry::attempt(HttpRequest request, const std::string& path) {
  prepare(request, path);
  return once(request);
}

Result<HttpResponse> Registry::request(HttpRequest request, const std::string& path) {
  prepare(request, path);
  std::chrono::milliseconds wait = options_->first_backoff;
  for (int attempt = 1;; ++attempt) {
    auto response = once(request);
    const bool busy = response.ok() && (response->status == 429 || response->status >= 500);
    const bool cut =
        !response.ok() && response.error().kind == ErrorKind::kUnavailable && !request.on_data;
    if ((!busy && !cut) || attempt >= options_->attempts) return response;
    std::chrono::milliseconds pause_time = wait;
    if (busy) {
      if (const auto after =
              parse_retry_after(response->header("retry-after"), std::chrono::system_clock::now()))
        pause_time = *after;
    }
    if (!pause(pause_time, options_->stop)) return Error::make(ErrorKind::kCancelled, "cancelled");
    wait *= 2;
  }
}

Result<Registry> connect_registry(const Reference& reference, const RegistryOptions& options,
                                  bool push) {
  std::optional<Error> failure;
  for (const Endpoint& endpoint : endpoints_of(reference.domain, options, push)) {
    Registry registry = TRY(Registry::at(endpoint, reference.path, options, push));
    Status answered = registry.ping();
    if (answered.ok()) return registry;
    if (answered.error().kind == ErrorKind::kCancelled) return std::move(answered).error();
    failure = std::move(answered).error();
  }
  return std::move(*failure).fix(
      "Check the name of the registry and the network; a registry without TLS must be listed under "
      "insecure-registries in /etc/stack/daemon.json.");
}

}  // namespace stack::images
