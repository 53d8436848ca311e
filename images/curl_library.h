// libcurl, loaded when it is first needed: with its security, directory and compression libraries
// it takes three megabytes of an engine that mostly supervises containers.
#pragma once

#include <curl/curl.h>

#include "base/error.h"

namespace stack::images {

// libcurl's functions under their own names without "curl_".
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

// Any thread; the library stays loaded.
Result<const CurlLibrary*> curl_library();

}  // namespace stack::images
