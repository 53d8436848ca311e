// A client of one repository at one endpoint (OCI distribution, Docker Registry v2): requests that
// authenticate themselves and are repeated when that makes sense. Authorisation is shared by the
// copies that download and upload threads use.
#pragma once

#include <memory>
#include <string>

#include "images/http.h"
#include "images/registry_auth.h"
#include "images/registry_options.h"

namespace stack::images {

// When a busy registry asks us to come back: seconds or an HTTP date; nullopt when it does not say.
std::optional<std::chrono::seconds> parse_retry_after(const std::string& value,
                                                      std::chrono::system_clock::time_point now);

class Registry {
 public:
  // `repository` may be empty: for requests below /v2/ itself. The options must outlive it.
  static Result<Registry> at(const Endpoint& endpoint, const std::string& repository,
                             const RegistryOptions& options, bool push = false);
  // GET /v2/: whether a registry answers there. kUnavailable when not.
  Status ping();

  // `path` is below /v2/<repository>/ ("manifests/latest"), or absolute, or a whole URL.
  // Authenticates, repeats after 429 and 5xx and cut connections (unless data has been delivered to
  // on_data).
  Result<HttpResponse> request(HttpRequest request, const std::string& path);
  // One attempt, without repetition.
  Result<HttpResponse> attempt(HttpRequest request, const std::string& path);

  Registry copy() const;  // for another thread
  // Asks for a scope more, by an authorisation of its own: a token server that refuses it does not
  // hinder the others.
  Registry with_scope(const std::string& scope) const;
  const Endpoint& endpoint() const { return endpoint_; }
  const std::string& base() const { return endpoint_.base; }
  Authorizer& authorizer() { return *authorizer_; }

 private:
  Registry(Endpoint endpoint, std::string repository, const RegistryOptions& options, TlsFiles tls,
           std::shared_ptr<Authorizer> authorizer);
  void prepare(HttpRequest& request, const std::string& path) const;
  Result<HttpResponse> once(const HttpRequest& request);

  HttpClient client_;
  const RegistryOptions* options_;
  Endpoint endpoint_;
  std::string repository_;
  TlsFiles tls_;
  std::shared_ptr<Authorizer> authorizer_;
};

// The first endpoint that answers; for pushes and questions. Mirrors are left out when `push`.
Result<Registry> connect_registry(const Reference& reference, const RegistryOptions& options,
                                  bool push);

// Waits, or returns false when cancelled meanwhile.
bool pause(std::chrono::milliseconds time, const std::stop_token& stop);

}  // namespace stack::images
