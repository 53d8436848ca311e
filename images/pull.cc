#include "images/pull.h"

#include <atomic>
#include <mutex>
#include <thread>

#include "images/channel.h"
#include "images/manifest.h"
#include "images/registry.h"
#include "images/registry_questions.h"

namespace stack::images {
namespace {

constexpr std::size_t kConfigLimit = 8U << 20U;

std::string short_layer(const std::string& digest) { return digest.substr(7, 12); }

class Puller {
 public:
  Puller(Store& store, const Reference& reference, const PullOptions& options)
      : store_(store), reference_(reference), options_(options) {}

  // Mirrors come first; what one cannot give is asked of the next, the registry itself at last.
  Result<Image> run() {
    std::optional<Error> failure;
    for (const Endpoint& endpoint : endpoints_of(reference_.domain, options_, false)) {
      Registry registry = TRY(Registry::at(endpoint, reference_.path, options_));
      Status answered = registry.ping();
      if (answered.ok()) {
        auto image = pull_from(registry);
        // A registry that answered has the last word over one that would be asked in the clear.
        if (image.ok() || !endpoint.mirror) return image;
        failure = std::move(image).error();
      } else {
        failure = std::move(answered).error();
      }
      if (failure->kind == ErrorKind::kCancelled) return std::move(*failure);
    }
    return std::move(*failure).fix(
        "Check the name of the registry and the network; a registry without TLS must be listed "
        "under insecure-registries in /etc/stack/daemon.json.");
  }

 private:
  Result<Image> pull_from(Registry& registry) {
    FetchedManifest fetched = TRY(fetch_manifest(registry, reference_));
    ManifestDocument manifest = TRY(parse_manifest(fetched.json, fetched.content_type));
    const std::string top_digest = fetched.digest;
    if (manifest.is_index) {
      Reference chosen = reference_;
      chosen.digest = TRY(choose_platform(manifest, options_.platform)).digest;
      fetched = TRY(fetch_manifest(registry, chosen));
      manifest = TRY(parse_manifest(fetched.json, fetched.content_type));
      if (manifest.is_index)
        return Error::invalid("the manifest list of " + reference_.familiar() +
                              " names another list");
    }
    const std::string config_text = TRY(fetch_config(registry, manifest.config));
    const ImageConfig config = TRY(ImageConfig::parse(config_text));
    if (config.diff_ids.size() != manifest.layers.size()) {
      return Error::invalid("the manifest of " + reference_.familiar() + " has " +
                            std::to_string(manifest.layers.size()) + " layers, its configuration " +
                            std::to_string(config.diff_ids.size()));
    }
    const auto before = store_.find(reference_.to_string());
    const bool known = before.ok() && before->id == manifest.config.digest;
    Store::Pin pin(store_);  // before it is asked which layers are here already
    pin.add(config.diff_ids);
    std::vector<LayerRecord> layers = TRY(fetch_layers(registry, manifest, config));
    Reference by_digest = reference_;
    by_digest.digest = top_digest;
    const std::optional<Reference> tag =
        reference_.digest.empty() ? std::optional(reference_) : std::nullopt;
    // Layers that were here with other blobs: the manifest as received would name blobs that we do
    // not have.
    bool same_blobs = true;
    for (std::size_t i = 0; i < layers.size(); ++i)
      same_blobs = same_blobs && layers[i].blob == manifest.layers[i].digest;
    const Image image =
        TRY(store_.add_image(config_text, layers, tag, same_blobs ? fetched.json : "", by_digest));
    report("", "Digest: " + top_digest);
    report("",
           (known ? "Status: Image is up to date for " : "Status: Downloaded newer image for ") +
               reference_.familiar());
    return image;
  }

  void report(const std::string& id, const std::string& status, std::int64_t current = 0,
              std::int64_t total = 0) {
    if (!options_.progress) return;
    const std::lock_guard lock(progress_mutex_);
    options_.progress({.id = id, .status = status, .current = current, .total = total});
  }

  Result<std::string> fetch_config(Registry& registry, const Descriptor& config) {
    if (auto here = store_.layer_store().read_blob(config.digest, kConfigLimit); here.ok())
      return here;
    if (config.size > static_cast<std::int64_t>(kConfigLimit))
      return Error::invalid("the image configuration " + config.digest + " is too large");
    HttpRequest request;
    request.limit = kConfigLimit;
    const HttpResponse response =
        TRY(registry.request(std::move(request), "blobs/" + config.digest));
    if (response.status != 200)
      return Error::make(ErrorKind::kUnavailable, registry.base() + " answered " +
                                                      std::to_string(response.status) + " for " +
                                                      config.digest);
    const std::string digest = "sha256:" + sha256_hex(response.body);
    if (digest != config.digest)
      return Error::invalid("image config verification failed for digest " + config.digest +
                            ": the registry sent " + digest);
    return response.body;
  }

  Result<std::vector<LayerRecord>> fetch_layers(Registry& registry,
                                                const ManifestDocument& manifest,
                                                const ImageConfig& config) {
    const std::size_t count = manifest.layers.size();
    std::vector<LayerRecord> out(count);
    std::mutex mutex;
    std::optional<Error> failure;
    std::atomic<std::size_t> next{0};
    for (const Descriptor& layer : manifest.layers)
      report(short_layer(layer.digest), "Pulling fs layer");
    const auto work = [&] {
      Registry mine = registry.copy();
      for (std::size_t i = next++; i < count; i = next++) {
        // The same layer twice in one image is fetched once, by whoever comes first.
        std::size_t first = i;
        for (std::size_t j = 0; j < i; ++j) {
          if (config.diff_ids[j] == config.diff_ids[i]) first = std::min(first, j);
        }
        if (first != i) continue;
        auto layer = fetch_layer(mine, manifest.layers[i], config.diff_ids[i]);
        const std::lock_guard lock(mutex);
        if (!layer.ok()) {
          if (!failure) failure = std::move(layer).error();
          next = count;
          return;
        }
        out[i] = std::move(*layer);
      }
    };
    {
      std::vector<std::jthread> threads;
      const std::size_t workers = std::min<std::size_t>(
          count, static_cast<std::size_t>(std::max(1, options_.parallel_downloads)));
      for (std::size_t i = 0; i < workers; ++i) threads.emplace_back(work);
    }
    if (failure) return std::move(*failure);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < i && out[i].diff_id.empty(); ++j) {
        if (config.diff_ids[j] == config.diff_ids[i]) out[i] = out[j];
      }
    }
    return out;
  }

  Result<LayerRecord> fetch_layer(Registry& registry, const Descriptor& descriptor,
                                  const std::string& diff_id) {
    const std::string id = short_layer(descriptor.digest);
    LayerStore& layers = store_.layer_store();
    if (const auto present = layers.find_layer(diff_id);
        present && layers.has_blob(present->blob)) {
      report(id, "Already exists");
      return *present;
    }
    BlobWriter blob = TRY(layers.new_blob());
    Channel channel;
    std::optional<Error> broken;
    // This thread unpacks what the other one downloads, hashes and stores.
    std::jthread downloading([&] {
      Status done = download(registry, descriptor, blob, channel);
      if (done.ok()) {
        report(id, "Verifying Checksum");
        report(id, "Download complete");
        channel.finish(std::nullopt);
      } else {
        broken = std::move(done).error();
        channel.finish(broken);
      }
    });
    const auto plain = decompress(channel);
    auto unpacked = [&] {
      const auto ahead = read_ahead(*plain);
      return layers.unpack(*ahead);
    }();
    // A gzip stream may be followed by bytes that no decompressor wants.
    while (unpacked.ok()) {
      const auto rest = channel.next();
      if (!rest.ok() || rest->empty()) break;
    }
    channel.abandon();
    downloading.join();
    // The digest comes first: with a wrong one the content proves nothing.
    if (broken && broken->kind != ErrorKind::kCancelled)
      return std::move(*broken).while_("pulling layer " + descriptor.digest);
    if (broken && options_.stop.stop_requested()) return std::move(*broken);
    const bool complete = blob.size() == descriptor.size;
    if (complete) {
      const std::string digest = TRY_WHILE(layers.finish_blob(std::move(blob), descriptor.digest),
                                           "filesystem layer verification failed");
    }
    if (!unpacked.ok()) {
      if (complete) layers.remove_blob(descriptor.digest);
      return std::move(unpacked).error().while_("pulling layer " + descriptor.digest);
    }
    if (!complete)
      return Error::invalid("filesystem layer verification failed: " + descriptor.digest +
                            " has another size than the manifest says");
    report(id, "Extracting", descriptor.size, descriptor.size);
    if (unpacked->diff_id != diff_id) {
      layers.remove_blob(descriptor.digest);
      return Error::invalid("layer content mismatch: the configuration says diff id " + diff_id +
                            ", the layer " + descriptor.digest + " has " + unpacked->diff_id);
    }
    LayerRecord record{.diff_id = diff_id,
                       .blob = descriptor.digest,
                       .media_type = descriptor.media_type,
                       .blob_size = descriptor.size,
                       .size = unpacked->size};
    TRY(layers.install(std::move(unpacked->directory), record));
    report(id, "Pull complete");
    return record;
  }

  // Fetches the blob into the file and the channel; a cut connection is taken up where it broke.
  Status download(Registry& registry, const Descriptor& descriptor, BlobWriter& blob,
                  Channel& channel) {
    const std::string id = short_layer(descriptor.digest);
    std::chrono::milliseconds wait = options_.first_backoff;
    std::int64_t reported = 0;
    for (int attempt = 1;; ++attempt) {
      HttpRequest request;
      request.range_from = blob.size();
      std::int64_t skip = 0;
      bool first = true;
      request.on_data = [&](long status, std::string_view bytes) -> Status {
        // A server that does not know Range begins again: pass over what we have.
        if (std::exchange(first, false) && status == 200) skip = blob.size();
        const std::size_t drop =
            std::min<std::size_t>(bytes.size(), static_cast<std::size_t>(skip));
        skip -= static_cast<std::int64_t>(drop);
        bytes.remove_prefix(drop);
        if (blob.size() + static_cast<std::int64_t>(bytes.size()) > descriptor.size) {
          return Error::invalid("digest mismatch: " + descriptor.digest + " is longer than the " +
                                std::to_string(descriptor.size) + " bytes of the manifest");
        }
        TRY(blob.write(bytes));
        if (blob.size() - reported >= (512 << 10)) {
          reported = blob.size();
          report(id, "Downloading", blob.size(), descriptor.size);
        }
        return channel.write(bytes);
      };
      const std::int64_t before = blob.size();
      const auto response = registry.request(std::move(request), "blobs/" + descriptor.digest);
      if (response.ok() && (response->status == 200 || response->status == 206) &&
          blob.size() == descriptor.size)
        return ok_status();
      if (descriptor.size == blob.size()) return ok_status();
      if (!response.ok() && response.error().kind != ErrorKind::kUnavailable)
        return response.error();
      if (response.ok() && response->status != 200 && response->status != 206) {
        const ErrorKind kind =
            response->status == 404 ? ErrorKind::kNotFound : ErrorKind::kUnavailable;
        return Error::make(kind, registry.base() + " answered " + std::to_string(response->status) +
                                     " for blob " + descriptor.digest);
      }
      if (blob.size() > before) {
        attempt = 1;  // it moves on
        wait = options_.first_backoff;
      }
      if (attempt >= options_.attempts) {
        if (!response.ok()) return response.error();
        return Error::make(ErrorKind::kUnavailable, "blob " + descriptor.digest + " ended after " +
                                                        std::to_string(blob.size()) + " of " +
                                                        std::to_string(descriptor.size) + " bytes");
      }
      report(id, "Retrying in " + std::to_string(std::max<std::int64_t>(1, wait.count() / 1000)) +
                     " seconds");
      if (!pause(wait, options_.stop)) return Error::make(ErrorKind::kCancelled, "cancelled");
      wait *= 2;
    }
  }

  Store& store_;
  const Reference& reference_;
  const PullOptions& options_;
  std::mutex progress_mutex_;
};

}  // namespace

Result<Image> pull(Store& store, const Reference& reference, const PullOptions& options) {
  return Puller(store, reference, options).run();
}

}  // namespace stack::images
