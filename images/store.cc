#include "images/store.h"

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "images/store_impl.h"

namespace stack::images {
namespace {

constexpr const char* kNameAnnotation = "io.containerd.image.name";
constexpr const char* kTagAnnotation = "org.opencontainers.image.ref.name";
constexpr const char* kDigestsAnnotation = "stack.repo-digests";
constexpr const char* kTaggedAnnotation = "stack.last-tagged";
constexpr const char* kParentAnnotation = "stack.parent";

std::vector<std::string> split_spaces(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t space = std::min(text.find(' ', at), text.size());
    if (space > at) out.push_back(text.substr(at, space - at));
    at = space + 1;
  }
  return out;
}

std::string familiar(const std::string& full) {
  const auto reference = Reference::parse_name(full);
  return reference.ok() ? reference->familiar() : full;
}

Error no_such_image(const std::string& name) { return Error::not_found("No such image: " + name); }

bool hex_prefix(const std::string& text) {
  return !text.empty() && text.size() <= 64 &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

Image ImageRecord::image() const {
  Image out;
  out.id = id;
  out.parent = parent;
  out.config = config;
  for (const LayerRecord& layer : layers) out.size += layer.size;
  for (const std::string& tag : tags) out.repo_tags.push_back(familiar(tag));
  for (const std::string& digest : digests) out.repo_digests.push_back(familiar(digest));
  out.created = parse_rfc3339(config.created);
  out.last_tagged = last_tagged;
  return out;
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;
LayerStore& Store::layer_store() { return *impl_->layers; }
const LayerStore& Store::layer_store() const { return *impl_->layers; }
const std::filesystem::path& Store::root() const { return impl_->layers->root(); }
const BuildCache& Store::build_cache() const { return impl_->cache; }

namespace {

// After a power cut: layers that may not have reached the disk are made again from their blobs,
// whose digests tell whether those have. An image whose layer is lost is then not loaded.
void unpack_again(const LayerStore& layers) {
  for (const LayerRecord& layer : layers.all_layers()) {
    const std::filesystem::path directory = layers.layer_directory(layer.diff_id).parent_path();
    if (!stack::exists(directory / "unwritten")) continue;
    (void)remove_tree(directory);
    const auto again = layers.install_blob(layers.blob_path(layer.blob), layer.blob,
                                           layer.media_type, layer.diff_id);
    if (again.ok()) continue;
    log_warning("layer {} was lost: {}", layer.diff_id, again.error().to_string());
    layers.remove_blob(layer.blob);
  }
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(std::filesystem::path root) {
  auto layers = TRY(LayerStore::open(std::move(root)));
  auto impl = std::make_unique<Impl>(std::move(layers));
  const bool lost = impl->layers->lost_writes();
  if (lost) unpack_again(*impl->layers);
  TRY_WHILE(impl->load_index(), "reading the image index");
  std::unique_ptr<Store> store(new Store(std::move(impl)));
  if (lost) {
    log_warning("the machine went down while images were written: the build cache is emptied");
    TRY(store->impl_->cache.clear());
    (void)store->collect_garbage();
    TRY(store->layer_store().flush_all());
  } else {
    TRY(store->layer_store().flush());
  }
  return store;
}

Status Store::Impl::load_index() {
  const std::filesystem::path path = layers->root() / "index.json";
  if (!stack::exists(path)) return ok_status();
  const std::string text = TRY(read_file(path));
  const ManifestDocument index = TRY(parse_manifest(text, kOciIndex));
  for (const Descriptor& item : index.manifests) {
    Status loaded = load_descriptor(item);
    if (loaded.ok()) continue;
    // One damaged image must not take the others away. Its entry is gone with the next change of
    // the index.
    log_warning("image {} cannot be used: {}", item.digest, loaded.error().to_string());
  }
  return ok_status();
}

Result<ImageRecord> Store::Impl::load_image(const Descriptor& item,
                                            const ManifestDocument& manifest) const {
  ImageRecord record;
  record.id = manifest.config.digest;
  const std::string config = TRY(layers->read_blob(record.id));
  record.config = TRY(ImageConfig::parse(config));
  if (record.config.diff_ids.size() != manifest.layers.size())
    return Error::invalid("its manifest and its configuration name different layers");
  record.manifest = item;
  record.manifest.annotations.clear();
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    // Unpacked again from its blob if the directory was lost.
    const Descriptor& blob = manifest.layers[i];
    record.layers.push_back(TRY(layers->install_blob(layers->blob_path(blob.digest), blob.digest,
                                                     blob.media_type, record.config.diff_ids[i])));
  }
  return record;
}

Status Store::Impl::load_descriptor(const Descriptor& item) {
  const std::string text = TRY(layers->read_blob(item.digest, 4U << 20U));
  const ManifestDocument manifest = TRY(parse_manifest(text));
  const std::string& id = manifest.config.digest;
  // Each tag has a descriptor of its own. What cannot be read whole gets no record.
  if (!images.contains(id)) images.emplace(id, TRY(load_image(item, manifest)));
  ImageRecord& record = images.at(id);
  const auto annotation = [&](const char* key) {
    const auto it = item.annotations.find(key);
    return it == item.annotations.end() ? std::string() : it->second;
  };
  if (const std::string name = annotation(kNameAnnotation); !name.empty()) record.tags.insert(name);
  for (std::string& digest : split_spaces(annotation(kDigestsAnnotation)))
    record.digests.insert(std::move(digest));
  record.parent = annotation(kParentAnnotation);
  if (const std::string tagged = annotation(kTaggedAnnotation); !tagged.empty())
    record.last_tagged = parse_rfc3339(tagged);
  return ok_status();
}

Status Store::Impl::save_index() const {
  std::vector<Descriptor> out;
  for (const auto& [id, record] : images) {
    Descriptor item = record.manifest;
    if (item.media_type.empty()) item.media_type = kOciManifest;
    std::string digests;
    for (const std::string& digest : record.digests)
      digests += (digests.empty() ? "" : " ") + digest;
    if (!digests.empty()) item.annotations[kDigestsAnnotation] = digests;
    if (!record.parent.empty()) item.annotations[kParentAnnotation] = record.parent;
    if (record.last_tagged != WallTime{})
      item.annotations[kTaggedAnnotation] = rfc3339_nano(record.last_tagged);
    if (record.tags.empty()) out.push_back(item);
    for (const std::string& tag : record.tags) {
      Descriptor named = item;
      named.annotations[kNameAnnotation] = tag;
      named.annotations[kTagAnnotation] = tag.substr(tag.rfind(':') + 1);
      out.push_back(std::move(named));
    }
  }
  return replace_file(layers->root() / "index.json", make_index(out));
}

ImageRecord* Store::Impl::by_digest(const Reference& reference) {
  const std::string wanted = reference.name() + "@" + reference.digest;
  for (auto& [id, record] : images) {
    if (record.digests.contains(wanted)) return &record;
  }
  return nullptr;
}

Result<ImageRecord*> Store::Impl::find(const std::string& text) {
  if (is_image_id(text)) {
    const auto it = images.find(text.starts_with("sha256:") ? text : "sha256:" + text);
    if (it == images.end()) return no_such_image(text);
    return &it->second;
  }
  const auto reference = Reference::parse(text);
  if (reference.ok()) {
    if (!reference->digest.empty()) {
      ImageRecord* found = by_digest(*reference);
      if (found == nullptr) return no_such_image(reference->familiar());
      return found;
    }
    const std::string name = reference->to_string();
    for (auto& [id, record] : images) {
      if (record.tags.contains(name)) return &record;
    }
  }
  const std::string prefix = text.starts_with("sha256:") ? text.substr(7) : text;
  if (hex_prefix(prefix)) {
    ImageRecord* found = nullptr;
    for (auto& [id, record] : images) {
      if (!id.starts_with("sha256:" + prefix)) continue;
      if (found != nullptr) return no_such_image(text);  // not unique
      found = &record;
    }
    if (found != nullptr) return found;
  }
  if (!reference.ok()) return reference.error();
  return no_such_image(reference->familiar());
}

Result<Image> Store::find(const std::string& reference_or_id) const {
  const std::lock_guard lock(impl_->mutex);
  const ImageRecord* record = TRY(impl_->find(reference_or_id));
  return record->image();
}

std::vector<Image> Store::list() const {
  std::vector<Image> out;
  {
    const std::lock_guard lock(impl_->mutex);
    for (const auto& [id, record] : impl_->images) out.push_back(record.image());
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Image& a, const Image& b) { return a.created > b.created; });
  return out;
}

Status Store::tag(const std::string& reference_or_id, const Reference& target) {
  if (!target.digest.empty())
    return Error::invalid("refusing to create a tag with a digest reference");
  const std::lock_guard lock(impl_->mutex);
  ImageRecord* record = TRY(impl_->find(reference_or_id));
  const std::string name = target.to_string();
  if (record->tags.contains(name)) return ok_status();
  for (auto& [id, other] : impl_->images) other.tags.erase(name);
  record->tags.insert(name);
  record->last_tagged = std::chrono::system_clock::now();
  return impl_->save_index();
}

Result<std::vector<std::filesystem::path>> Store::layer_directories(
    const std::string& image_id) const {
  const std::lock_guard lock(impl_->mutex);
  const ImageRecord* record = TRY(impl_->find(image_id));
  std::vector<std::filesystem::path> out;
  std::set<std::string> seen;
  // Topmost first; overlayfs refuses the same directory twice, and a repeated layer adds nothing
  // where it is covered.
  for (auto it = record->layers.rbegin(); it != record->layers.rend(); ++it) {
    if (seen.insert(it->diff_id).second) out.push_back(impl_->layers->layer_directory(it->diff_id));
  }
  return out;
}

Result<std::vector<LayerRecord>> Store::layers(const std::string& image_id) const {
  const std::lock_guard lock(impl_->mutex);
  const ImageRecord* record = TRY(impl_->find(image_id));
  return record->layers;
}

Result<Store::Manifest> Store::manifest(const std::string& image_id) const {
  Descriptor descriptor;
  {
    const std::lock_guard lock(impl_->mutex);
    const ImageRecord* record = TRY(impl_->find(image_id));
    descriptor = record->manifest;
  }
  Manifest out;
  out.json = TRY(impl_->layers->read_blob(descriptor.digest, 4U << 20U));
  out.digest = descriptor.digest;
  out.media_type = descriptor.media_type;
  return out;
}

Result<Image> Store::add_image(const std::string& config_json,
                               const std::vector<LayerRecord>& layers,
                               const std::optional<Reference>& tag, const std::string& manifest,
                               const std::optional<Reference>& digest_of) {
  const ImageConfig config = TRY(ImageConfig::parse(config_json));
  if (config.diff_ids.size() != layers.size()) {
    return Error::invalid("image configuration names " + std::to_string(config.diff_ids.size()) +
                          " layers, its manifest " + std::to_string(layers.size()));
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (config.diff_ids[i] != layers[i].diff_id) {
      return Error::invalid("layer " + std::to_string(i) + " has the diff id " + layers[i].diff_id +
                            ", the image configuration says " + config.diff_ids[i]);
    }
  }
  LayerStore& store = *impl_->layers;
  const std::string id = TRY(store.put_blob(config_json));
  std::string text = manifest;
  if (text.empty()) {
    std::vector<Descriptor> descriptors;
    for (const LayerRecord& layer : layers)
      descriptors.push_back(
          {.media_type = layer.media_type, .digest = layer.blob, .size = layer.blob_size});
    text = make_manifest({.media_type = std::string(kOciConfig),
                          .digest = id,
                          .size = static_cast<std::int64_t>(config_json.size())},
                         descriptors);
  }
  const ManifestDocument parsed = TRY(parse_manifest(text));
  if (parsed.is_index || parsed.config.digest != id)
    return Error::invalid("manifest does not belong to the image " + id);
  const std::string manifest_digest = TRY(store.put_blob(text));
  TRY(store.flush());

  const std::lock_guard lock(impl_->mutex);
  for (const LayerRecord& layer : layers) {
    if (!store.find_layer(layer.diff_id))
      return Error::conflict("layer " + layer.diff_id + " was removed meanwhile").fix("Try again.");
  }
  // Whoever removed the same image meanwhile took its documents along.
  TRY(store.put_blob(config_json));
  TRY(store.put_blob(text));
  ImageRecord& record = impl_->images[id];
  if (record.id.empty()) {
    record.id = id;
    record.config = config;
    record.layers = layers;
    record.manifest = {.media_type = parsed.media_type,
                       .digest = manifest_digest,
                       .size = static_cast<std::int64_t>(text.size())};
  }
  if (tag) {
    const std::string name = tag->to_string();
    for (auto& [other_id, other] : impl_->images) other.tags.erase(name);
    record.tags.insert(name);
    record.last_tagged = std::chrono::system_clock::now();
  }
  if (digest_of && !digest_of->digest.empty())
    record.digests.insert(digest_of->name() + "@" + digest_of->digest);
  TRY(impl_->save_index());
  return record.image();
}

Status Store::add_digest(const std::string& image_id, const Reference& by_digest) {
  const std::lock_guard lock(impl_->mutex);
  ImageRecord* record = TRY(impl_->find(image_id));
  if (!record->digests.insert(by_digest.name() + "@" + by_digest.digest).second) return ok_status();
  return impl_->save_index();
}

std::vector<std::string> Store::repositories_with(const std::string& domain,
                                                  const std::string& diff_id) const {
  const std::lock_guard lock(impl_->mutex);
  std::set<std::string> out;
  for (const auto& [id, record] : impl_->images) {
    if (std::none_of(record.layers.begin(), record.layers.end(),
                     [&](const LayerRecord& layer) { return layer.diff_id == diff_id; }))
      continue;
    for (const std::string& digest : record.digests) {
      const auto name = Reference::parse_name(digest);
      if (name.ok() && name->domain == domain) out.insert(name->path);
    }
  }
  return {out.begin(), out.end()};
}

std::vector<Reference> Store::tags_of(const Reference& repository) const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<Reference> out;
  for (const auto& [id, record] : impl_->images) {
    for (const std::string& tag : record.tags) {
      const auto name = Reference::parse_name(tag);
      if (name.ok() && name->name() == repository.name()) out.push_back(*name);
    }
  }
  std::sort(out.begin(), out.end(),
            [](const Reference& a, const Reference& b) { return a.tag < b.tag; });
  return out;
}

}  // namespace stack::images
