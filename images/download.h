// ADD from a URL.
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

#include "base/error.h"

namespace stack::images {

// The last component of the URL's path; empty when there is none.
std::string url_file_name(const std::string& url);
// Fetches http(s) into a file with mode 0600 and the server's Last-Modified time. `checksum` is
// "sha256:..." or empty. Loopback and link-local addresses are refused: a Dockerfile must not reach
// the host's own services.
Status download_file(const std::string& url, const std::filesystem::path& to,
                     const std::string& checksum, const std::stop_token& stop);

}  // namespace stack::images
