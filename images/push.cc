#include <fcntl.h>

#include "base/files.h"
#include "images/manifest.h"
#include "images/pull.h"
#include "images/registry.h"

namespace stack::images {
namespace {

Status upload_blob(Registry& registry, const Store& store, const std::string& digest,
                   std::int64_t size) {
  HttpRequest head;
  head.method = "HEAD";
  const HttpResponse present = TRY(registry.request(std::move(head), "blobs/" + digest));
  if (present.status == 200) return ok_status();
  HttpRequest start;
  start.method = "POST";
  const HttpResponse started = TRY(registry.request(std::move(start), "blobs/uploads/"));
  if (started.status == 401 || started.status == 403)
    return Error::invalid("denied: requested access to the resource is denied")
        .fix("Log in to the registry.");
  if (started.status != 202)
    return Error::make(
        ErrorKind::kUnavailable,
        registry.base() + " answered " + std::to_string(started.status) + " to an upload");
  std::string location = started.header("location");
  location += (location.find('?') == std::string::npos ? "?" : "&") + std::string("digest=") +
              url_encode(digest);
  Fd file = TRY(open_fd(store.layer_store().blob_path(digest), O_RDONLY));
  HttpRequest put;
  put.method = "PUT";
  put.headers = {"Content-Type: application/octet-stream"};
  put.body_fd = file.get();
  put.body_size = size;
  const HttpResponse done = TRY(registry.request(std::move(put), location));
  if (done.status != 201)
    return Error::make(ErrorKind::kUnavailable, registry.base() + " answered " +
                                                    std::to_string(done.status) +
                                                    " to the upload of " + digest);
  return ok_status();
}

}  // namespace

Result<std::string> push(const Store& store, const Reference& reference,
                         const PullOptions& options) {
  const Image image = TRY(store.find(reference.to_string()));
  const Store::Manifest stored = TRY(store.manifest(image.id));
  const ManifestDocument manifest = TRY(parse_manifest(stored.json));
  Registry registry = TRY(Registry::connect(reference, options, true));
  const auto report = [&](const std::string& id, const std::string& status) {
    if (options.progress) options.progress({.id = id, .status = status, .current = 0, .total = 0});
  };
  for (const Descriptor& layer : manifest.layers) {
    report(layer.digest.substr(7, 12), "Pushing");
    TRY_WHILE(upload_blob(registry, store, layer.digest, layer.size), "pushing " + layer.digest);
    report(layer.digest.substr(7, 12), "Pushed");
  }
  TRY(upload_blob(registry, store, manifest.config.digest, manifest.config.size));
  HttpRequest put;
  put.method = "PUT";
  put.headers = {"Content-Type: " + stored.media_type};
  put.body = stored.json;
  const std::string tag = reference.tag.empty() ? stored.digest : reference.tag;
  const HttpResponse done = TRY(registry.request(std::move(put), "manifests/" + tag));
  if (done.status != 201)
    return Error::make(
        ErrorKind::kUnavailable,
        registry.base() + " answered " + std::to_string(done.status) + " to the manifest");
  report("", tag + ": digest: " + stored.digest + " size: " + std::to_string(stored.json.size()));
  return stored.digest;
}

}  // namespace stack::images
