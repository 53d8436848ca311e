// A client of one repository in one registry (OCI distribution, Docker Registry v2): which address,
// who we are, and requests that are repeated when that makes sense. Authorisation is shared by the
// copies that download threads use.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "images/http.h"
#include "images/pull.h"

namespace stack::images {

// WWW-Authenticate: scheme in lower case and its parameters.
struct Challenge {
  std::string scheme;
  std::map<std::string, std::string> parameters;
};
Challenge parse_challenge(std::string_view header);

// True for hosts that may be spoken to without TLS: localhost, 127.0.0.0/8, ::1, and the listed
// names and CIDRs.
bool is_insecure_registry(const std::string& domain, const std::vector<std::string>& listed);

class Registry {
 public:
  // Finds out how to speak to the registry: https, or http for insecure ones.
  static Result<Registry> connect(const Reference& reference, const PullOptions& options,
                                  bool push);
  // `path` is below /v2/<repository>/ ("manifests/latest"), or a whole URL. Authenticates, repeats
  // after 429 and 5xx and cut connections (unless data has been delivered to on_data).
  Result<HttpResponse> request(HttpRequest request, const std::string& path);
  // For another thread.
  Registry copy() const;
  const std::string& base() const { return base_; }

 private:
  struct Auth {
    std::mutex mutex;
    std::string header;  // "Authorization: ..."
    std::optional<Credentials> credentials;
  };
  Registry(const Reference& reference, const PullOptions& options, bool push);
  Result<HttpResponse> once(const HttpRequest& request);
  Status authenticate(const std::string& challenge);
  void prepare_tls(HttpRequest& request) const;

  HttpClient client_;
  const PullOptions* options_;
  std::string domain_;
  std::string repository_;
  std::string base_;  // scheme://host
  bool insecure_ = false;
  bool push_ = false;
  std::shared_ptr<Auth> auth_;
};

}  // namespace stack::images
