#include "images/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <optional>

namespace stack::images {
namespace {

// libcurl is loaded when it is first needed: with its security, directory and compression libraries
// it takes three megabytes of an engine that mostly supervises containers.
// These are its functions under their own names without "curl_".
struct CurlLibrary {
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_easy_reset) easy_reset;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&::curl_easy_perform) easy_perform;
  decltype(&::curl_easy_getinfo) easy_getinfo;
  decltype(&::curl_easy_strerror) easy_strerror;
  decltype(&::curl_slist_append) slist_append;
  decltype(&::curl_slist_free_all) slist_free_all;
  decltype(&::curl_getdate) getdate;
};

template <typename Function>
bool find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(::dlsym(library, name));
  return *function != nullptr;
}

Result<CurlLibrary> load() {
  void* library = ::dlopen(STACK_CURL_SONAME, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return Error::make(ErrorKind::kUnavailable,
                       std::string("libcurl cannot be loaded: ") + ::dlerror())
        .fix("Install the package libcurl4.");
  CurlLibrary curl{};
  decltype(&::curl_global_init) global_init = nullptr;
  const bool complete = find(library, "curl_global_init", &global_init) &&
                        find(library, "curl_easy_init", &curl.easy_init) &&
                        find(library, "curl_easy_cleanup", &curl.easy_cleanup) &&
                        find(library, "curl_easy_reset", &curl.easy_reset) &&
                        find(library, "curl_easy_setopt", &curl.easy_setopt) &&
                        find(library, "curl_easy_perform", &curl.easy_perform) &&
                        find(library, "curl_easy_getinfo", &curl.easy_getinfo) &&
                        find(library, "curl_easy_strerror", &curl.easy_strerror) &&
                        find(library, "curl_slist_append", &curl.slist_append) &&
                        find(library, "curl_slist_free_all", &curl.slist_free_all) &&
                        find(library, "curl_getdate", &curl.getdate);
  if (!complete || global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return Error::make(ErrorKind::kUnavailable, "this libcurl cannot be used");
  return curl;
}

// Any thread; the library stays loaded.
Result<const CurlLibrary*> curl_library() {
  static const Result<CurlLibrary> loaded = load();
  if (!loaded.ok()) return loaded.error();
  return &*loaded;
}

bool is_local_address(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    const std::uint32_t ip = ntohl(in.sin_addr.s_addr);
    return (ip >> 24) == 127 || (ip >> 16) == 0xA9FE || ip == 0;
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, address, sizeof in);
    return IN6_IS_ADDR_LOOPBACK(&in.sin6_addr) || IN6_IS_ADDR_LINKLOCAL(&in.sin6_addr) ||
           IN6_IS_ADDR_UNSPECIFIED(&in.sin6_addr) || IN6_IS_ADDR_V4MAPPED(&in.sin6_addr);
  }
  return true;
}

// What one transfer's callbacks work on.
struct Transfer {
  const CurlLibrary& library;
  CURL* curl;
  const HttpRequest& request;
  HttpResponse response;
  std::optional<Error> error;
  std::int64_t sent = 0;
  bool refused_address = false;
  std::string proxy = {};  // empty: none
};

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(data, size);
  if (line.starts_with("HTTP/")) transfer.response.headers.clear();  // of the last hop only
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.front())) != 0)
    value.remove_prefix(1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back())) != 0)
    value.remove_suffix(1);
  transfer.response.headers[name] = value;
  return size;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.library.easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &transfer.response.status);
  const std::string_view bytes(data, size);
  const long status = transfer.response.status;
  if (transfer.request.on_data && (status == 200 || status == 206)) {
    Status taken = transfer.request.on_data(status, bytes);
    if (taken.ok()) return size;
    transfer.error = std::move(taken).error();
    return 0;
  }
  if (transfer.response.body.size() + size > transfer.request.limit) {
    transfer.error = Error::invalid("the answer is larger than " +
                                    std::to_string(transfer.request.limit) + " bytes");
    return 0;
  }
  transfer.response.body.append(bytes);
  return size;
}

std::size_t on_send(char* data, std::size_t one, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t room = std::min<std::size_t>(
      one * count, static_cast<std::size_t>(transfer.request.body_size - transfer.sent));
  const ssize_t n =
      ::pread(transfer.request.body_fd, data, room, transfer.request.body_offset + transfer.sent);
  if (n < 0) return CURL_READFUNC_ABORT;
  transfer.sent += n;
  if (transfer.request.on_sent) transfer.request.on_sent(transfer.sent);
  return static_cast<std::size_t>(n);
}

int on_seek(void* user, curl_off_t offset, int origin) {
  if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  static_cast<Transfer*>(user)->sent = offset;
  return CURL_SEEKFUNC_OK;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(user)->request.stop.stop_requested() ? 1 : 0;
}

curl_socket_t on_socket(void* user, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(user);
  // A proxy is chosen by the administrator, and resolves the name itself.
  if (transfer.proxy.empty() && transfer.request.refuse_local_addresses &&
      is_local_address(&address->addr)) {
    transfer.refused_address = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace

struct HttpClient::State {
  const CurlLibrary* library = nullptr;
  CURL* curl = nullptr;
  ~State() {
    if (curl != nullptr) library->easy_cleanup(curl);
  }
};

HttpClient::HttpClient() : state_(std::make_unique<State>()) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;

Result<HttpResponse> HttpClient::perform(const HttpRequest& request) {
  if (state_->curl == nullptr) {
    state_->library = TRY(curl_library());
    state_->curl = state_->library->easy_init();
  }
  const CurlLibrary& library = *state_->library;
  CURL* curl = state_->curl;
  if (curl == nullptr) return Error::make(ErrorKind::kInternal, "libcurl cannot be used");
  library.easy_reset(curl);
  Transfer transfer{
      .library = library, .curl = curl, .request = request, .response = {}, .error = std::nullopt};
  transfer.proxy =
      proxy_for(request.url, request.proxies ? *request.proxies : ProxySettings::of_environment());
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(nullptr,
                                                                      library.slist_free_all);
  for (const std::string& header : request.headers)
    headers.reset(library.slist_append(headers.release(), header.c_str()));
  headers.reset(library.slist_append(headers.release(), "Expect:"));
  char reason[CURL_ERROR_SIZE] = {};
  const bool https = request.url.starts_with("https://");
  library.easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  library.easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
  library.easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  library.easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  library.easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, https ? "https" : "http,https");
  library.easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  library.easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
  library.easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
  // A connection that gives less than a byte a second for a minute is dead.
  library.easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  library.easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L);
  library.easy_setopt(curl, CURLOPT_BUFFERSIZE, 512L << 10);
  library.easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
  library.easy_setopt(curl, CURLOPT_USERAGENT, "stack");
  library.easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  library.easy_setopt(curl, CURLOPT_HEADERFUNCTION, &on_header);
  library.easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  library.easy_setopt(curl, CURLOPT_WRITEFUNCTION, &on_body);
  library.easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  library.easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  library.easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &on_progress);
  library.easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  library.easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, &on_socket);
  library.easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &transfer);
  if (request.insecure_tls) {
    library.easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    library.easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!request.ca_pem.empty()) {
    // Takes the place of the bundle file; the system's directory of certificates stays in force.
    curl_blob pem{const_cast<char*>(request.ca_pem.data()), request.ca_pem.size(), CURL_BLOB_COPY};
    library.easy_setopt(curl, CURLOPT_CAINFO_BLOB, &pem);
  }
  if (!request.cert_file.empty())
    library.easy_setopt(curl, CURLOPT_SSLCERT, request.cert_file.c_str());
  if (!request.key_file.empty())
    library.easy_setopt(curl, CURLOPT_SSLKEY, request.key_file.c_str());
  library.easy_setopt(curl, CURLOPT_PROXY, transfer.proxy.c_str());
  library.easy_setopt(curl, CURLOPT_NOPROXY, "");
  if (request.range_from > 0)
    library.easy_setopt(curl, CURLOPT_RANGE, (std::to_string(request.range_from) + "-").c_str());
  if (request.method == "HEAD") {
    library.easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (request.body_fd >= 0) {
    library.easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    library.easy_setopt(curl, CURLOPT_READFUNCTION, &on_send);
    library.easy_setopt(curl, CURLOPT_READDATA, &transfer);
    library.easy_setopt(curl, CURLOPT_SEEKFUNCTION, &on_seek);
    library.easy_setopt(curl, CURLOPT_SEEKDATA, &transfer);
    library.easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body_size));
    library.easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else if (request.method != "GET") {
    library.easy_setopt(curl, CURLOPT_POST, 1L);
    library.easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
    library.easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                        static_cast<curl_off_t>(request.body.size()));
    library.easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  const CURLcode rc = library.easy_perform(curl);
  if (rc == CURLE_OK) {
    library.easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &transfer.response.status);
    return std::move(transfer.response);
  }
  if (transfer.error) return std::move(*transfer.error);
  if (request.stop.stop_requested()) return Error::make(ErrorKind::kCancelled, "cancelled");
  if (transfer.refused_address)
    return Error::invalid(request.url + " is an address of this machine or its link")
        .fix("Only addresses outside are fetched.");
  std::string method = request.method;
  std::transform(method.begin() + 1, method.end(), method.begin() + 1,
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return Error::make(ErrorKind::kUnavailable,
                     method + " \"" + request.url +
                         "\": " + (reason[0] != '\0' ? reason : library.easy_strerror(rc)));
}

std::string url_encode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || std::strchr("-._~", c) != nullptr) {
      out += c;
    } else {
      out += '%';
      out += kHex[(c >> 4) & 0xF];
      out += kHex[c & 0xF];
    }
  }
  return out;
}

std::optional<std::int64_t> parse_http_date(const std::string& text) {
  const auto library = curl_library();
  if (!library.ok()) return std::nullopt;
  const time_t when = (*library)->getdate(text.c_str(), nullptr);
  return when < 0 ? std::nullopt : std::optional<std::int64_t>(when);
}

}  // namespace stack::images
