#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "base/files.h"
#include "images/manifest.h"
#include "images/pull.h"
#include "images/registry.h"

namespace stack::images {
namespace {

// A blob larger than this goes up in pieces, so that a cut connection costs one piece at most.
constexpr std::int64_t kChunk = std::int64_t{64} << 20;

Error refused(const HttpResponse& response, const std::string& what) {
  if (response.status == 401 || response.status == 403)
    return Error::invalid(registry_error_text(response)).fix("Log in to the registry.");
  return Error::make(ErrorKind::kUnavailable, what + ": " + registry_error_text(response));
}

// "0-1048575" of a Range header: how many bytes the registry has.
std::int64_t received_of(const std::string& range) {
  const std::size_t dash = range.find('-');
  if (dash == std::string::npos) return 0;
  const std::int64_t last = std::strtoll(range.c_str() + dash + 1, nullptr, 10);
  return last > 0 ? last + 1 : 0;
}

class Pusher {
 public:
  Pusher(Store& store, const Reference& reference, const PullOptions& options)
      : store_(store), reference_(reference), options_(options) {}

  Result<PushResult> run() {
    const auto found = store_.find(reference_.to_string());
    if (!found.ok()) return missing();
    const Image image = *found;
    Registry registry = TRY(connect_registry(reference_, options_, true));
    const std::vector<LayerRecord> layers = TRY(store_.layers(image.id));
    for (const LayerRecord& layer : layers) report(layer.diff_id.substr(7, 12), "Preparing");
    const std::vector<Descriptor> pushed = TRY(push_layers(registry, layers));

    Store::Manifest manifest = TRY(store_.manifest(image.id));
    const ManifestDocument stored = TRY(parse_manifest(manifest.json));
    const bool same =
        std::equal(pushed.begin(), pushed.end(), stored.layers.begin(), stored.layers.end(),
                   [](const Descriptor& a, const Descriptor& b) { return a.digest == b.digest; });
    if (!same) {
      manifest.json = make_manifest(stored.config, pushed);
      manifest.media_type = kOciManifest;
      manifest.digest = "sha256:" + sha256_hex(manifest.json);
    }
    const Fd config = TRY(open_fd(store_.layer_store().blob_path(stored.config.digest), O_RDONLY));
    if (!TRY(has_blob(registry, stored.config.digest)))
      TRY(upload(registry, "", config.get(), stored.config));
    HttpRequest put;
    put.method = "PUT";
    put.headers = {"Content-Type: " + manifest.media_type};
    put.body = manifest.json;
    const HttpResponse done = TRY(registry.request(std::move(put), "manifests/" + reference_.tag));
    if (done.status != 201 && done.status != 200) return refused(done, "the manifest was refused");
    Reference by_digest = reference_;
    by_digest.tag.clear();
    by_digest.digest = manifest.digest;
    TRY(store_.add_digest(image.id, by_digest));
    return PushResult{reference_.tag, manifest.digest,
                      static_cast<std::int64_t>(manifest.json.size())};
  }

 private:
  Error missing() const {
    if (store_.tags_of(reference_).empty())
      return Error::not_found("An image does not exist locally with the tag: " +
                              reference_.familiar_name());
    return Error::not_found("tag does not exist: " + reference_.familiar());
  }

  void report(const std::string& id, const std::string& status, std::int64_t current = 0,
              std::int64_t total = 0) {
    if (!options_.progress) return;
    const std::lock_guard lock(progress_mutex_);
    options_.progress({.id = id, .status = status, .current = current, .total = total});
  }

  Result<std::vector<Descriptor>> push_layers(Registry& registry,
                                              const std::vector<LayerRecord>& layers) {
    std::vector<Descriptor> out(layers.size());
    std::mutex mutex;
    std::optional<Error> failure;
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
      Registry mine = registry.copy();
      for (std::size_t i = next++; i < layers.size(); i = next++) {
        auto done = push_layer(mine, layers[i]);
        const std::lock_guard lock(mutex);
        if (!done.ok()) {
          if (!failure) failure = std::move(done).error();
          next = layers.size();
          return;
        }
        out[i] = std::move(*done);
      }
    };
    const std::size_t workers =
        std::min(layers.size(), static_cast<std::size_t>(std::max(1, options_.parallel_uploads)));
    for (std::size_t i = workers; i < layers.size(); ++i)
      report(layers[i].diff_id.substr(7, 12), "Waiting");
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < workers; ++i) threads.emplace_back(work);
    }
    if (failure) return std::move(*failure);
    return out;
  }

  Result<bool> has_blob(Registry& registry, const std::string& digest) {
    HttpRequest head;
    head.method = "HEAD";
    const HttpResponse answer = TRY(registry.request(std::move(head), "blobs/" + digest));
    if (answer.status == 401 || answer.status == 403) return refused(answer, "");
    return answer.status == 200;
  }

  // A layer that is kept as a plain tar goes up compressed.
  Result<Descriptor> push_layer(Registry& registry, const LayerRecord& layer) {
    const std::string id = layer.diff_id.substr(7, 12);
    LayerStore& layers = store_.layer_store();
    Descriptor descriptor{
        .media_type = layer.media_type, .digest = layer.blob, .size = layer.blob_size};
    if (layer.media_type == kLayerTar) {
      descriptor.media_type = kLayerGzip;
      auto known = layers.compressed_as(layer.diff_id);
      std::optional<BlobWriter> blob;
      if (!known) {
        blob.emplace(TRY(layers.compress_layer(layer)));
        known = LayerStore::Compressed{blob->digest(), blob->size()};
        layers.remember_compressed(layer.diff_id, *known);
      }
      descriptor.digest = known->digest;
      descriptor.size = known->size;
      if (TRY(is_there(registry, id, layer.diff_id, descriptor))) return descriptor;
      if (!blob) {
        blob.emplace(TRY(layers.compress_layer(layer)));
        // Another version of the compressor may write other bytes.
        descriptor.digest = blob->digest();
        descriptor.size = blob->size();
      }
      TRY_WHILE(upload(registry, id, blob->fd(), descriptor), "pushing layer " + id);
    } else {
      if (TRY(is_there(registry, id, layer.diff_id, descriptor))) return descriptor;
      const Fd file = TRY(open_fd(layers.blob_path(layer.blob), O_RDONLY));
      TRY_WHILE(upload(registry, id, file.get(), descriptor), "pushing layer " + id);
    }
    report(id, "Pushed");
    return descriptor;
  }

  // In this repository already, or mounted from another one of the registry.
  Result<bool> is_there(Registry& registry, const std::string& id, const std::string& diff_id,
                        const Descriptor& blob) {
    if (TRY(has_blob(registry, blob.digest))) {
      report(id, "Layer already exists");
      return true;
    }
    int tried = 0;
    for (const std::string& from : store_.repositories_with(reference_.domain, diff_id)) {
      if (from == reference_.path || ++tried > 3) continue;
      Registry both = registry.with_scope("repository:" + from + ":pull");
      HttpRequest mount;
      mount.method = "POST";
      const auto answer =
          both.attempt(std::move(mount), "blobs/uploads/?mount=" + url_encode(blob.digest) +
                                             "&from=" + url_encode(from));
      // We may not be allowed to read that repository: then the layer goes up as any other.
      if (!answer.ok() && answer.error().kind == ErrorKind::kCancelled) return answer.error();
      if (!answer.ok()) continue;
      if (answer->status == 201) {
        report(id, "Mounted from " + from);
        return true;
      }
      if (answer->status == 202) {  // it is not there; an upload has begun that nobody wants
        HttpRequest cancel;
        cancel.method = "DELETE";
        (void)both.attempt(std::move(cancel), answer->header("location"));
      }
    }
    return false;
  }

  Status upload(Registry& registry, const std::string& id, int fd, const Descriptor& blob) {
    HttpRequest start;
    start.method = "POST";
    const HttpResponse started = TRY(registry.request(std::move(start), "blobs/uploads/"));
    if (started.status != 202) return refused(started, "the upload was refused");
    std::string location = started.header("location");
    std::chrono::milliseconds wait = options_.first_backoff;
    int failures = 0;
    for (std::int64_t at = 0; at < blob.size;) {
      HttpRequest patch;
      patch.method = "PATCH";
      patch.headers = {"Content-Type: application/octet-stream"};
      patch.body_fd = fd;
      patch.body_offset = at;
      patch.body_size = std::min(kChunk, blob.size - at);
      if (patch.body_size != blob.size)
        patch.headers.push_back("Content-Range: " + std::to_string(at) + "-" +
                                std::to_string(at + patch.body_size - 1));
      std::int64_t shown = at;
      if (!id.empty()) {
        patch.on_sent = [&, at](std::int64_t sent) {
          if (at + sent - shown < (512 << 10) && at + sent < blob.size) return;
          shown = at + sent;
          report(id, "Pushing", shown, blob.size);
        };
      }
      const std::int64_t end = at + patch.body_size;
      const auto answer = registry.attempt(std::move(patch), location);
      if (answer.ok() && answer->status == 202) {
        if (!answer->header("location").empty()) location = answer->header("location");
        at = end;
        failures = 0;
        wait = options_.first_backoff;
        continue;
      }
      if (!answer.ok() && answer.error().kind != ErrorKind::kUnavailable) return answer.error();
      const bool again =
          !answer.ok() || answer->status == 429 || answer->status >= 500 || answer->status == 416;
      if (!again || ++failures >= options_.attempts) {
        if (!answer.ok()) return answer.error();
        return refused(*answer, "the upload of " + blob.digest + " was refused");
      }
      if (!id.empty())
        report(id, "Retrying in " + std::to_string(std::max<std::int64_t>(1, wait.count() / 1000)) +
                       " seconds");
      if (!pause(wait, options_.stop)) return Error::make(ErrorKind::kCancelled, "cancelled");
      wait *= 2;
      const HttpResponse state = TRY(registry.request({}, location));
      if (state.status != 204) return refused(state, "the upload was lost");
      if (!state.header("location").empty()) location = state.header("location");
      at = std::min(received_of(state.header("range")), blob.size);
    }
    HttpRequest put;
    put.method = "PUT";
    const std::string target = location + (location.find('?') == std::string::npos ? "?" : "&") +
                               "digest=" + url_encode(blob.digest);
    const HttpResponse done = TRY(registry.request(std::move(put), target));
    if (done.status != 201 && done.status != 204)
      return refused(done, "the upload of " + blob.digest + " was refused");
    return ok_status();
  }

  Store& store_;
  const Reference& reference_;
  const PullOptions& options_;
  std::mutex progress_mutex_;
};

}  // namespace

Result<PushResult> push(Store& store, const Reference& reference, const PullOptions& options) {
  return Pusher(store, reference, options).run();
}

}  // namespace stack::images
