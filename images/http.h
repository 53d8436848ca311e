// HTTP requests over libcurl, the only file that knows it. Blocking; one client belongs to one
// thread at a time and keeps its connections. Redirects are followed, without credentials on
// another host and never from https to http.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "images/proxy.h"

namespace stack::images {

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;                  // for POST, PUT, PATCH
  int body_fd = -1;                  // instead of body: `body_size` bytes of this file
  std::int64_t body_offset = 0;      // from here
  std::int64_t body_size = 0;
  std::function<void(std::int64_t)> on_sent;  // bytes of body_fd sent so far
  std::int64_t range_from = 0;
  std::size_t limit = 8U << 20U;  // of the answer's body when it is collected
  bool insecure_tls = false;
  std::string ca_pem;  // certificates that are trusted beside the system's
  std::string cert_file, key_file;
  std::optional<ProxySettings> proxies;  // absent: those of our environment
  bool refuse_local_addresses = false;   // loopback, link-local
  // Receives the body of a 2xx answer piece by piece instead of collecting it; `status` is 200 or
  // 206.
  std::function<Status(long status, std::string_view bytes)> on_data;
  std::stop_token stop;
};

struct HttpResponse {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string header(const std::string& name) const {
    const auto it = headers.find(name);
    return it == headers.end() ? "" : it->second;
  }
};

class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  // kUnavailable when the connection fails or is cut; any HTTP status is a success here.
  Result<HttpResponse> perform(const HttpRequest& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string url_encode(std::string_view text);
// A date of an HTTP header in seconds since the epoch; nullopt when it is none.
std::optional<std::int64_t> parse_http_date(const std::string& text);

}  // namespace stack::images
