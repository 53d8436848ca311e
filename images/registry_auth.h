// Authorisation at a registry: challenges, Basic, and tokens of a token server (distribution's
// token specification: GET with Basic, POST with a refresh token). One Authorizer is shared by the
// threads that work for one repository.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "images/http.h"
#include "images/registry_options.h"

namespace stack::images {

// WWW-Authenticate: scheme in lower case and its parameters.
struct Challenge {
  std::string scheme;
  std::map<std::string, std::string> parameters;
};
Challenge parse_challenge(std::string_view header);

// A registry's refusal in Docker's words, out of the answer's {"errors": [...]}: "denied: requested
// access to the resource is denied"; for other bodies a sentence with the status.
std::string registry_error_text(const HttpResponse& response);
// The code of the first error ("MANIFEST_UNKNOWN"), or empty.
std::string registry_error_code(const HttpResponse& response);

class Authorizer {
 public:
  Authorizer(Endpoint endpoint, std::optional<Credentials> credentials)
      : endpoint_(std::move(endpoint)), credentials_(std::move(credentials)) {}

  // "repository:library/nginx:pull". Before the first request.
  void add_scope(const std::string& scope);
  // The same credentials for a scope more, and a token of its own.
  std::shared_ptr<Authorizer> with_scope(const std::string& scope) const;
  // Ask the token server for a refresh token as well: a login.
  void want_refresh_token() { offline_ = true; }
  std::string refresh_token() const;

  std::string header() const;  // "Authorization: ..." or empty
  // Gets what the challenge asks for. `refused` is the header that was sent: when another thread
  // has replaced it meanwhile nothing is done. `prepared` carries TLS, proxies and the stop token.
  Status answer(const std::string& challenge, const std::string& refused,
                const HttpRequest& prepared);

 private:
  Status fetch_token(const Challenge& challenge, HttpRequest request);

  const Endpoint endpoint_;
  mutable std::mutex mutex_;
  std::optional<Credentials> credentials_;
  std::vector<std::string> scopes_;
  std::string header_;
  std::string refresh_token_;
  bool offline_ = false;
};

}  // namespace stack::images
