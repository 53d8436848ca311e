#include "images/registry_auth.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/base64.h"

namespace stack::images {
namespace {

using nlohmann::json;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string text_of(const json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

}  // namespace

Challenge parse_challenge(std::string_view header) {
  Challenge out;
  const std::size_t space = std::min(header.find(' '), header.size());
  out.scheme = lower(std::string(header.substr(0, space)));
  std::string_view rest = header.substr(space);
  while (true) {
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == ',')) rest.remove_prefix(1);
    const std::size_t equals = rest.find('=');
    if (equals == std::string_view::npos) return out;
    const std::string key = lower(std::string(rest.substr(0, equals)));
    rest.remove_prefix(equals + 1);
    std::string value;
    if (rest.starts_with('"')) {
      std::size_t at = 1;
      for (; at < rest.size() && rest[at] != '"'; ++at) {
        if (rest[at] == '\\' && at + 1 < rest.size()) ++at;
        value += rest[at];
      }
      rest.remove_prefix(std::min(at + 1, rest.size()));
    } else {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      value = rest.substr(0, comma);
      rest.remove_prefix(comma);
    }
    out.parameters[key] = value;
  }
}

std::string registry_error_code(const HttpResponse& response) {
  const json body = json::parse(response.body, nullptr, false);
  if (!body.is_object() || !body.contains("errors") || !body["errors"].is_array() ||
      body["errors"].empty())
    return "";
  return text_of(body["errors"][0], "code");
}

std::string registry_error_text(const HttpResponse& response) {
  const json body = json::parse(response.body, nullptr, false);
  std::vector<std::string> lines;
  if (body.is_object() && body.contains("errors") && body["errors"].is_array()) {
    for (const json& error : body["errors"]) {
      std::string code = lower(text_of(error, "code"));
      std::replace(code.begin(), code.end(), '_', ' ');
      const std::string message = text_of(error, "message");
      lines.push_back((code.empty() ? "unknown" : code) + (message.empty() ? "" : ": " + message));
    }
  }
  if (lines.size() == 1) return lines[0];
  if (!lines.empty()) {
    std::string out = "errors:";
    for (const std::string& line : lines) out += "\n" + line;
    return out;
  }
  std::string details = text_of(body, "details");
  if (details.empty()) details = text_of(body, "error_description");
  if (response.status == 401)
    return "unauthorized: " + (details.empty() ? "authentication required" : details);
  if (response.status == 403)
    return "denied: " + (details.empty() ? "requested access to the resource is denied" : details);
  if (response.status == 429)
    return "toomanyrequests: " + (details.empty() ? "too many requests" : details);
  return "received unexpected HTTP status: " + std::to_string(response.status);
}

void Authorizer::add_scope(const std::string& scope) {
  const std::lock_guard lock(mutex_);
  scopes_.push_back(scope);
}

std::shared_ptr<Authorizer> Authorizer::with_scope(const std::string& scope) const {
  auto out = std::make_shared<Authorizer>(endpoint_, credentials_);
  const std::lock_guard lock(mutex_);
  out->scopes_ = scopes_;
  out->scopes_.push_back(scope);
  return out;
}

std::string Authorizer::refresh_token() const {
  const std::lock_guard lock(mutex_);
  return refresh_token_;
}

std::string Authorizer::header() const {
  const std::lock_guard lock(mutex_);
  return header_;
}

Status Authorizer::answer(const std::string& text, const std::string& refused,
                          const HttpRequest& prepared) {
  const Challenge challenge = parse_challenge(text);
  const std::lock_guard lock(mutex_);
  if (header_ != refused) return ok_status();
  if (challenge.scheme == "basic") {
    if (!credentials_ || credentials_->username.empty())
      return Error::invalid("no basic auth credentials").fix("Log in to " + endpoint_.domain + ".");
    header_ =
        "Authorization: Basic " + base64(credentials_->username + ":" + credentials_->password);
    return ok_status();
  }
  if (challenge.scheme != "bearer") {
    return Error::invalid("the registry " + endpoint_.domain +
                          " asks for an unknown kind of authentication: " + text);
  }
  if (credentials_ && !credentials_->registry_token.empty()) {
    header_ = "Authorization: Bearer " + credentials_->registry_token;
    return ok_status();
  }
  HttpRequest request;
  request.stop = prepared.stop;
  request.proxies = prepared.proxies;
  request.limit = 1U << 20U;
  const auto realm = challenge.parameters.find("realm");
  if (realm != challenge.parameters.end() &&
      host_port(realm->second).host == host_port(endpoint_.base).host) {
    request.insecure_tls = prepared.insecure_tls;
    request.ca_pem = prepared.ca_pem;
    request.cert_file = prepared.cert_file;
    request.key_file = prepared.key_file;
  }
  return fetch_token(challenge, std::move(request));
}

Status Authorizer::fetch_token(const Challenge& challenge, HttpRequest request) {
  const auto parameter = [&](const char* name) {
    const auto it = challenge.parameters.find(name);
    return it == challenge.parameters.end() ? std::string() : it->second;
  };
  const std::string realm = parameter("realm");
  // Whoever answers at the realm gets the password: in the clear only on the registry's own host.
  const bool own_http = realm.starts_with("http://") && endpoint_.base.starts_with("http://") &&
                        host_port(realm).host == host_port(endpoint_.base).host;
  if (!realm.starts_with("https://") && !own_http) {
    return Error::invalid("the registry " + endpoint_.domain +
                          " sends us for authentication to \"" + realm + "\", which is refused")
        .fix("A token server without TLS is trusted on the registry's own host only.");
  }
  std::vector<std::string> scopes = scopes_;
  if (scopes.empty() && !parameter("scope").empty()) scopes.push_back(parameter("scope"));
  const std::string service = parameter("service");
  const bool refresh = credentials_ && !credentials_->identity_token.empty();
  if (refresh) {
    std::string scope;
    for (const std::string& one : scopes) scope += (scope.empty() ? "" : " ") + one;
    request.method = "POST";
    request.url = realm;
    request.headers = {"Content-Type: application/x-www-form-urlencoded"};
    request.body = "grant_type=refresh_token&client_id=docker&refresh_token=" +
                   url_encode(credentials_->identity_token) + "&service=" + url_encode(service) +
                   (scope.empty() ? "" : "&scope=" + url_encode(scope));
  } else {
    request.url = realm + (realm.find('?') == std::string::npos ? "?" : "&") +
                  "service=" + url_encode(service);
    for (const std::string& scope : scopes) request.url += "&scope=" + url_encode(scope);
    if (credentials_ && !credentials_->username.empty()) {
      request.url += "&account=" + url_encode(credentials_->username);
      request.headers.push_back("Authorization: Basic " +
                                base64(credentials_->username + ":" + credentials_->password));
    }
    if (offline_) request.url += "&offline_token=true&client_id=docker";
  }
  HttpClient client;
  const HttpResponse response = TRY(client.perform(request));
  if (response.status != 200) return Error::invalid(registry_error_text(response));
  const json answer = json::parse(response.body, nullptr, false);
  std::string token = text_of(answer, "token");
  if (token.empty()) token = text_of(answer, "access_token");
  if (token.empty())
    return Error::invalid("authorization server did not include a token in the response");
  refresh_token_ = text_of(answer, "refresh_token");
  header_ = "Authorization: Bearer " + token;
  return ok_status();
}

}  // namespace stack::images
