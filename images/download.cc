#include "images/download.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/files.h"
#include "base/sha256.h"
#include "images/http.h"

namespace stack::images {

std::string url_file_name(const std::string& url) {
  const std::string path = url.substr(0, url.find_first_of("?#"));
  const std::size_t host = path.find("://");
  const std::size_t slash = path.rfind('/');
  if (host == std::string::npos || slash <= host + 2) return "";
  const std::string name = path.substr(slash + 1);
  return name == "." || name == ".." ? "" : name;
}

Status download_file(const std::string& url, const std::filesystem::path& to,
                     const std::string& checksum, const std::stop_token& stop) {
  Fd file = TRY(open_fd(to, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  Sha256 hash;
  HttpRequest request;
  request.url = url;
  request.refuse_local_addresses = true;
  request.stop = stop;
  request.on_data = [&](long, std::string_view bytes) {
    hash.update(bytes);
    return write_all(file.get(), bytes);
  };
  HttpClient client;
  const HttpResponse response = TRY(client.perform(request));
  if (response.status != 200)
    return Error::make(ErrorKind::kUnavailable,
                       "invalid response status " + std::to_string(response.status));
  const std::string digest = "sha256:" + hash.finish();
  if (!checksum.empty() && checksum != digest)
    return Error::invalid("digest mismatch: expected " + checksum + ", got " + digest);
  if (const auto when = parse_http_date(response.header("last-modified"))) {
    const struct timespec times[2] = {{*when, 0}, {*when, 0}};
    if (::futimens(file.get(), times) != 0) return Error::os(errno, to.string());
  }
  return ok_status();
}

}  // namespace stack::images
