#include <algorithm>

#include "images/store_impl.h"

namespace stack::images {
namespace {

std::string short_id(const std::string& id) {
  return id.starts_with("sha256:") ? id.substr(7, 12) : id.substr(0, 12);
}

std::string familiar(const std::string& full) {
  const auto reference = Reference::parse_name(full);
  return reference.ok() ? reference->familiar() : full;
}

std::string repository(const std::string& full) {
  const auto reference = Reference::parse_name(full);
  return reference.ok() ? reference->name() : full;
}

// The engine's texts, so that scripts that match them go on working.
Status check_unused(const std::vector<ImageUse>& uses, const std::string& shown, bool force) {
  for (const ImageUse& use : uses) {
    if (use.running) {
      return Error::conflict("conflict: unable to delete " + shown +
                             " (cannot be forced) - image is being used by running container " +
                             short_id(use.container_id));
    }
  }
  if (!uses.empty() && !force) {
    return Error::conflict("conflict: unable to delete " + shown +
                           " (must be forced) - image is being used by stopped container " +
                           short_id(uses[0].container_id));
  }
  return ok_status();
}

}  // namespace

std::set<std::string> Store::Impl::held_layers() const {
  std::set<std::string> out = cache.held_layers();
  out.insert(pinned.begin(), pinned.end());
  for (const auto& [id, record] : images) {
    for (const LayerRecord& layer : record.layers) out.insert(layer.diff_id);
  }
  return out;
}

std::set<std::string> Store::Impl::held_blobs() const {
  std::set<std::string> out;
  for (const std::string& diff_id : held_layers()) {
    if (const auto layer = layers->find_layer(diff_id)) out.insert(layer->blob);
  }
  for (const auto& [id, record] : images) {
    out.insert(id);
    out.insert(record.manifest.digest);
    for (const LayerRecord& layer : record.layers) out.insert(layer.blob);
  }
  return out;
}

void Store::Impl::erase(const std::string& id, std::vector<std::string>& deleted, Doomed& doomed) {
  const auto it = images.find(id);
  if (it == images.end()) return;
  const ImageRecord gone = std::move(it->second);
  images.erase(it);
  deleted.push_back(id);
  const std::set<std::string> held = held_layers();
  doomed.blobs.push_back(gone.manifest.digest);
  doomed.blobs.push_back(gone.id);
  for (std::size_t i = gone.layers.size(); i > 0; --i) {
    const LayerRecord& layer = gone.layers[i - 1];
    if (held.contains(layer.diff_id)) continue;
    doomed.layers.push_back(layer);
    deleted.push_back(chain_id(gone.config.diff_ids, i));
  }
}

Status Store::Impl::commit_erasure(const Doomed& doomed, std::int64_t* freed) {
  TRY(save_index());
  const std::set<std::string> held = held_blobs();
  for (const LayerRecord& layer : doomed.layers) {
    layers->remove_layer(layer.diff_id);
    layers->remove_blob(layer.blob);
    if (freed != nullptr) *freed += layer.size;
  }
  for (const std::string& blob : doomed.blobs) {
    if (!held.contains(blob)) layers->remove_blob(blob);
  }
  return ok_status();
}

Result<RemoveReport> Store::remove(const std::string& text, bool force,
                                   const InUseCallback& in_use) {
  const std::lock_guard lock(impl_->mutex);
  ImageRecord* record = TRY(impl_->find(text));
  const std::vector<ImageUse> uses = in_use ? in_use(record->id) : std::vector<ImageUse>{};
  RemoveReport report;
  report.image_id = record->id;
  // A reference that is no prefix of the id names one tag or digest of the image.
  const auto reference = Reference::parse(text);
  const bool by_tag =
      reference.ok() && reference->digest.empty() && record->tags.contains(reference->to_string());
  const bool by_digest = reference.ok() && !reference->digest.empty() && !is_image_id(text);
  if (by_tag || by_digest) {
    const std::string name =
        by_tag ? reference->to_string() : reference->name() + "@" + reference->digest;
    const bool last_tag =
        by_tag ? record->tags.size() == 1 : record->tags.empty() && record->digests.size() == 1;
    if (!last_tag) {
      record->tags.erase(name);
      record->digests.erase(name);
      report.untagged.push_back(familiar(name));
      TRY(impl_->save_index());
      return report;
    }
    if (!uses.empty() && !force) {
      return Error::conflict("conflict: unable to remove repository reference \"" + text +
                             "\" (must force) - container " + short_id(uses[0].container_id) +
                             " is using its referenced image " + short_id(record->id));
    }
  } else {
    std::set<std::string> repositories;
    for (const std::string& tag : record->tags) repositories.insert(repository(tag));
    if (repositories.size() > 1 && !force) {
      return Error::conflict("conflict: unable to delete " + short_id(record->id) +
                             " (must be forced) - image is referenced in multiple repositories");
    }
    TRY(check_unused(uses, short_id(record->id), force));
  }
  const std::string id = record->id;
  for (const std::string& tag : record->tags) report.untagged.push_back(familiar(tag));
  for (const std::string& digest : record->digests) report.untagged.push_back(familiar(digest));
  if (!uses.empty()) {
    // Forced: the names go, the image stays for its container. A prune takes it later.
    record->tags.clear();
    record->digests.clear();
    TRY(impl_->save_index());
    return report;
  }
  Impl::Doomed doomed;
  impl_->erase(id, report.deleted, doomed);
  TRY(impl_->commit_erasure(doomed, nullptr));
  return report;
}

Result<PruneReport> Store::prune(const PruneFilter& filter, const InUseCallback& in_use) {
  const std::lock_guard lock(impl_->mutex);
  PruneReport report;
  std::vector<std::string> victims;
  Impl::Doomed doomed;
  for (const auto& [id, record] : impl_->images) {
    if (!filter.all && !record.tags.empty()) continue;
    if (filter.wanted && !filter.wanted(record.image())) continue;
    if (in_use && !in_use(id).empty()) continue;
    victims.push_back(id);
  }
  for (const std::string& id : victims) {
    for (const std::string& tag : impl_->images[id].tags) report.untagged.push_back(familiar(tag));
    for (const std::string& digest : impl_->images[id].digests)
      report.untagged.push_back(familiar(digest));
    impl_->erase(id, report.deleted, doomed);
  }
  TRY(impl_->commit_erasure(doomed, &report.space_reclaimed));
  return report;
}

Result<PruneReport> Store::prune_build_cache() {
  const std::lock_guard lock(impl_->mutex);
  PruneReport report;
  const std::set<std::string> before = impl_->cache.held_layers();
  TRY(impl_->cache.clear());
  const std::set<std::string> held = impl_->held_layers();
  for (const std::string& diff_id : before) {
    const auto layer = impl_->layers->find_layer(diff_id);
    if (!layer || held.contains(diff_id)) continue;
    impl_->layers->remove_layer(diff_id);
    report.deleted.push_back(diff_id);
    report.space_reclaimed += layer->size;
  }
  return report;
}

void Store::Pin::add(const std::vector<std::string>& diff_ids) {
  const std::lock_guard lock(store_.impl_->mutex);
  store_.impl_->pinned.insert(diff_ids.begin(), diff_ids.end());
  diff_ids_.insert(diff_ids_.end(), diff_ids.begin(), diff_ids.end());
}

Store::Pin::~Pin() {
  const std::lock_guard lock(store_.impl_->mutex);
  auto& pinned = store_.impl_->pinned;
  for (const std::string& diff_id : diff_ids_) pinned.erase(pinned.find(diff_id));
}

std::int64_t Store::collect_garbage() {
  const std::lock_guard lock(impl_->mutex);
  std::int64_t freed = 0;
  const std::set<std::string> held = impl_->held_layers();
  for (const LayerRecord& layer : impl_->layers->all_layers()) {
    if (held.contains(layer.diff_id)) continue;
    impl_->layers->remove_layer(layer.diff_id);
    freed += layer.size;
  }
  const std::set<std::string> blobs = impl_->held_blobs();
  for (const std::string& digest : impl_->layers->all_blobs()) {
    if (blobs.contains(digest)) continue;
    std::error_code ec;
    const auto size = std::filesystem::file_size(impl_->layers->blob_path(digest), ec);
    if (!ec) freed += static_cast<std::int64_t>(size);
    impl_->layers->remove_blob(digest);
  }
  return freed;
}

}  // namespace stack::images
