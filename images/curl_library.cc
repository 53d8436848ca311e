#include "images/curl_library.h"

#include <dlfcn.h>

namespace stack::images {
namespace {

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

}  // namespace

Result<const CurlLibrary*> curl_library() {
  static const Result<CurlLibrary> loaded = load();
  if (!loaded.ok()) return loaded.error();
  return &*loaded;
}

}  // namespace stack::images
