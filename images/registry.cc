#include "images/registry.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <condition_variable>
#include <nlohmann/json.hpp>

#include "base/files.h"

namespace stack::images {
namespace {

using nlohmann::json;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string base64(std::string_view text) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    unsigned value = static_cast<unsigned char>(text[i]) << 16U;
    if (i + 1 < text.size())
      value |= static_cast<unsigned>(static_cast<unsigned char>(text[i + 1])) << 8U;
    if (i + 2 < text.size()) value |= static_cast<unsigned char>(text[i + 2]);
    out += kDigits[value >> 18U];
    out += kDigits[(value >> 12U) & 63U];
    out += i + 1 < text.size() ? kDigits[(value >> 6U) & 63U] : '=';
    out += i + 2 < text.size() ? kDigits[value & 63U] : '=';
  }
  return out;
}

std::string unbase64(std::string_view text) {
  std::string out;
  unsigned value = 0;
  int bits = 0;
  for (const char c : text) {
    int digit = -1;
    if (c >= 'A' && c <= 'Z')
      digit = c - 'A';
    else if (c >= 'a' && c <= 'z')
      digit = c - 'a' + 26;
    else if (c >= '0' && c <= '9')
      digit = c - '0' + 52;
    else if (c == '+')
      digit = 62;
    else if (c == '/')
      digit = 63;
    if (digit < 0) continue;
    value = (value << 6U) | static_cast<unsigned>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>((value >> static_cast<unsigned>(bits)) & 0xFFU);
    }
  }
  return out;
}

std::string host_of(const std::string& domain_or_url) {
  std::string text = domain_or_url;
  if (const std::size_t scheme = text.find("://"); scheme != std::string::npos)
    text = text.substr(scheme + 3);
  text = text.substr(0, text.find('/'));
  if (text.starts_with('[')) return text.substr(1, text.find(']') - 1);
  return text.substr(0, text.rfind(':') == std::string::npos ? std::string::npos : text.rfind(':'));
}

std::optional<std::uint32_t> ipv4(const std::string& text) {
  in_addr address{};
  if (::inet_pton(AF_INET, text.c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

bool in_cidr(const std::string& host, const std::string& cidr) {
  const std::size_t slash = cidr.find('/');
  const auto network = ipv4(cidr.substr(0, slash));
  const auto address = ipv4(host);
  if (slash == std::string::npos || !network || !address) return false;
  const int bits = std::atoi(cidr.c_str() + slash + 1);
  if (bits < 0 || bits > 32) return false;
  const std::uint32_t mask = bits == 0 ? 0 : ~std::uint32_t{0} << (32 - bits);
  return (*network & mask) == (*address & mask);
}

// Waits, or returns false when cancelled.
bool pause(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  return !changed.wait_for(lock, stop, time, [] { return false; }) && !stop.stop_requested();
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

bool is_insecure_registry(const std::string& domain, const std::vector<std::string>& listed) {
  const std::string host = host_of(domain);
  if (host == "localhost" || host == "::1" || in_cidr(host, "127.0.0.0/8")) return true;
  return std::any_of(listed.begin(), listed.end(), [&](const std::string& item) {
    return item == domain || item == host || in_cidr(host, item);
  });
}

std::optional<Credentials> find_credentials(std::string_view config_json,
                                            const std::string& domain) {
  const json config = json::parse(config_json, nullptr, false);
  if (!config.is_object() || !config.contains("auths") || !config["auths"].is_object())
    return std::nullopt;
  std::vector<std::string> names{domain, "https://" + domain, "https://" + domain + "/v1/",
                                 "https://" + domain + "/v2/", "http://" + domain};
  if (domain == "docker.io")
    names = {"https://index.docker.io/v1/", "index.docker.io", "docker.io",
             "https://index.docker.io", "registry-1.docker.io"};
  for (const std::string& name : names) {
    const auto entry = config["auths"].find(name);
    if (entry == config["auths"].end() || !entry->is_object()) continue;
    Credentials out;
    const auto text = [&](const char* key) {
      return entry->contains(key) && (*entry)[key].is_string() ? (*entry)[key].get<std::string>()
                                                               : std::string();
    };
    out.username = text("username");
    out.password = text("password");
    out.identity_token = text("identitytoken");
    if (const std::string pair = unbase64(text("auth")); pair.find(':') != std::string::npos) {
      out.username = pair.substr(0, pair.find(':'));
      out.password = pair.substr(pair.find(':') + 1);
    }
    if (!out.username.empty() || !out.identity_token.empty()) return out;
  }
  return std::nullopt;
}

Registry::Registry(const Reference& reference, const PullOptions& options, bool push)
    : options_(&options),
      domain_(reference.domain),
      repository_(reference.path),
      push_(push),
      auth_(std::make_shared<Auth>()) {
  auth_->credentials = options.credentials;
  if (!auth_->credentials && !options.docker_config.empty()) {
    if (const auto text = read_file(options.docker_config); text.ok())
      auth_->credentials = find_credentials(*text, reference.domain);
  }
}

Registry Registry::copy() const {
  Reference reference;
  reference.domain = domain_;
  reference.path = repository_;
  Registry out(reference, *options_, push_);
  out.base_ = base_;
  out.insecure_ = insecure_;
  out.auth_ = auth_;
  return out;
}

void Registry::prepare_tls(HttpRequest& request) const {
  request.insecure_tls = insecure_;
  const std::filesystem::path directory = std::filesystem::path(options_->ca_directory) / domain_;
  if (const auto file = directory / "ca.crt"; stack::exists(file)) request.ca_file = file;
  if (const auto file = directory / "client.cert"; stack::exists(file)) request.cert_file = file;
  if (const auto file = directory / "client.key"; stack::exists(file)) request.key_file = file;
}

Result<Registry> Registry::connect(const Reference& reference, const PullOptions& options,
                                   bool push) {
  std::vector<std::string> candidates;
  const bool hub = reference.domain == "docker.io";
  if (hub && !push) {
    for (std::string mirror : options.mirrors) {
      while (mirror.ends_with('/')) mirror.pop_back();
      candidates.push_back(mirror);
    }
  }
  candidates.push_back("https://" + (hub ? std::string("registry-1.docker.io") : reference.domain));
  if (!hub && is_insecure_registry(reference.domain, options.insecure_registries))
    candidates.push_back("http://" + reference.domain);
  std::optional<Error> last;
  for (const std::string& candidate : candidates) {
    Registry registry(reference, options, push);
    registry.base_ = candidate;
    registry.insecure_ = is_insecure_registry(
        host_of(candidate) == host_of(reference.domain) ? reference.domain : host_of(candidate),
        options.insecure_registries);
    HttpRequest ping;
    ping.url = candidate + "/v2/";
    ping.stop = options.stop;
    registry.prepare_tls(ping);
    auto answer = registry.client_.perform(ping);
    if (answer.ok() && (answer->status == 200 || answer->status == 401)) return registry;
    if (answer.ok()) {
      last =
          Error::make(ErrorKind::kUnavailable, "Get \"" + ping.url + "\": the registry answered " +
                                                   std::to_string(answer->status));
    } else if (answer.error().kind == ErrorKind::kCancelled) {
      return std::move(answer).error();
    } else {
      last = std::move(answer).error();
    }
  }
  return std::move(*last).fix(
      "Check the name of the registry and the network; a registry without TLS must be listed as "
      "insecure.");
}

Status Registry::authenticate(const std::string& header) {
  const Challenge challenge = parse_challenge(header);
  const std::lock_guard lock(auth_->mutex);
  const auto& credentials = auth_->credentials;
  const std::string basic =
      credentials
          ? "Authorization: Basic " + base64(credentials->username + ":" + credentials->password)
          : "";
  if (challenge.scheme == "basic") {
    if (basic.empty())
      return Error::invalid("no basic auth credentials").fix("Log in to " + domain_ + ".");
    auth_->header = basic;
    return ok_status();
  }
  const auto realm = challenge.parameters.find("realm");
  if (challenge.scheme != "bearer" || realm == challenge.parameters.end()) {
    return Error::invalid("the registry " + domain_ +
                          " asks for an unknown kind of authentication: " + header);
  }
  // Whoever answers at the realm gets the password: in the clear only on the registry's own host.
  const bool tls = realm->second.starts_with("https://");
  if (!tls && !(realm->second.starts_with("http://") && base_.starts_with("http://") &&
                host_of(realm->second) == host_of(base_))) {
    return Error::invalid("the registry " + domain_ + " sends us for authentication to " +
                          realm->second + ", which is refused");
  }
  const auto service = challenge.parameters.find("service");
  const std::string service_name = service == challenge.parameters.end() ? "" : service->second;
  const std::string scope = "repository:" + repository_ + (push_ ? ":pull,push" : ":pull");
  HttpRequest request;
  request.stop = options_->stop;
  request.limit = 1U << 20U;
  if (host_of(realm->second) == host_of(base_)) prepare_tls(request);
  if (credentials && !credentials->identity_token.empty()) {
    request.method = "POST";
    request.url = realm->second;
    request.headers = {"Content-Type: application/x-www-form-urlencoded"};
    request.body = "grant_type=refresh_token&client_id=stack&refresh_token=" +
                   url_encode(credentials->identity_token) +
                   "&service=" + url_encode(service_name) + "&scope=" + url_encode(scope);
  } else {
    request.url = realm->second + (realm->second.find('?') == std::string::npos ? "?" : "&") +
                  "service=" + url_encode(service_name) + "&scope=" + url_encode(scope);
    if (!basic.empty()) request.headers.push_back(basic);
  }
  HttpClient client;
  const HttpResponse response = TRY(client.perform(request));
  if (response.status != 200)
    return Error::invalid("unauthorized: " + realm->second + " answered " +
                          std::to_string(response.status))
        .fix("Log in to " + domain_ + ".");
  const json answer = json::parse(response.body, nullptr, false);
  for (const char* key : {"token", "access_token"}) {
    if (answer.is_object() && answer.contains(key) && answer[key].is_string()) {
      auth_->header = "Authorization: Bearer " + answer[key].get<std::string>();
      return ok_status();
    }
  }
  return Error::invalid("unauthorized: " + realm->second + " gave no token");
}

Result<HttpResponse> Registry::once(const HttpRequest& original) {
  HttpRequest request = original;
  const auto with_auth = [&] {
    request.headers = original.headers;
    const std::lock_guard lock(auth_->mutex);
    // Uploads may be redirected by URL to another host, which must not get our token.
    if (!auth_->header.empty() && host_of(request.url) == host_of(base_))
      request.headers.push_back(auth_->header);
  };
  with_auth();
  HttpResponse response = TRY(client_.perform(request));
  if (response.status != 401) return response;
  TRY(authenticate(response.header("www-authenticate")));
  with_auth();
  return client_.perform(request);
}

Result<HttpResponse> Registry::request(HttpRequest request, const std::string& path) {
  request.url = path.starts_with("http")
                    ? path
                    : base_ + (path.starts_with('/') ? path : "/v2/" + repository_ + "/" + path);
  request.stop = options_->stop;
  prepare_tls(request);
  std::chrono::milliseconds wait = options_->first_backoff;
  for (int attempt = 1;; ++attempt) {
    auto response = once(request);
    const bool busy = response.ok() && (response->status == 429 || response->status >= 500);
    const bool cut =
        !response.ok() && response.error().kind == ErrorKind::kUnavailable && !request.on_data;
    if ((!busy && !cut) || attempt >= options_->attempts) return response;
    std::chrono::milliseconds pause_time = wait;
    if (busy) {
      const std::string after = response->header("retry-after");
      if (!after.empty() && after.size() < 5 &&
          after.find_first_not_of("0123456789") == std::string::npos)
        pause_time = std::chrono::seconds(std::stoi(after));
    }
    if (!pause(pause_time, options_->stop)) return Error::make(ErrorKind::kCancelled, "cancelled");
    wait *= 2;
  }
}

}  // namespace stack::images
