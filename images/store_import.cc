#include <fcntl.h>

#include "images/instructions.h"
#include "images/store_impl.h"

namespace stack::images {
namespace {

std::string now_text() { return rfc3339_nano(std::chrono::system_clock::now()); }

}  // namespace

Result<Image> Store::import_rootfs(int tar_fd, const std::optional<Reference>& reference,
                                   const std::vector<std::string>& changes,
                                   const std::string& message, const ProgressCallback& progress) {
  // A mistake in the changes is found before the long work.
  ImageConfig config;
  config.os = "linux";
  config.architecture = host_architecture();
  for (const std::string& change : changes) TRY(apply_change(config, change));

  LayerStore& store = *impl_->layers;
  BlobWriter blob = TRY(store.new_blob());
  // One thread reads, decompresses, hashes and writes the blob; this one unpacks what it has read.
  // The blob is the plain tar, so its digest is the diff id and nothing is hashed twice.
  FdSource file(tar_fd);
  const auto plain = decompress(file);
  TappedSource tapped(*plain, [&](std::string_view bytes) {
    if (progress &&
        (blob.size() >> 23U) != ((blob.size() + static_cast<std::int64_t>(bytes.size())) >> 23U)) {
      progress({.id = "", .status = "Importing", .current = blob.size(), .total = 0});
    }
    return blob.write(bytes);
  });
  UnpackedLayer unpacked;
  {
    const auto ahead = read_ahead(tapped);
    unpacked = TRY(store.unpack(*ahead, false));
  }
  LayerRecord record;
  record.blob_size = blob.size();
  if (record.blob_size == 0) return Error::invalid("the archive is empty");
  record.size = unpacked.size;
  record.media_type = kLayerTar;
  record.blob = TRY(store.finish_blob(std::move(blob)));
  record.diff_id = record.blob;
  TRY(store.install(std::move(unpacked.directory), record));

  config.created = now_text();
  config.diff_ids = {record.diff_id};
  config.history.push_back({.created = config.created,
                            .created_by = "",
                            .author = "",
                            .comment = message.empty() ? "Imported from -" : message});
  return add_image(config.serialize(), {record}, reference);
}

Result<Image> Store::commit(CommitRequest request) {
  std::vector<LayerRecord> layers;
  std::string parent_id;
  ImageConfig parent;
  {
    const std::lock_guard lock(impl_->mutex);
    const ImageRecord* record = TRY(impl_->find(request.parent_id));
    parent_id = record->id;
    layers = record->layers;
    parent = record->config;
  }
  layers.push_back(TRY_WHILE(impl_->layers->copy_upper(request.upper_directory),
                             "committing " + request.upper_directory.string()));
  ImageConfig config = std::move(request.config);
  config.architecture = parent.architecture;
  config.variant = parent.variant;
  config.os = parent.os;
  config.unknown_top = parent.unknown_top;
  config.author = request.author;
  config.created = now_text();
  config.diff_ids = parent.diff_ids;
  config.diff_ids.push_back(layers.back().diff_id);
  config.history = parent.history;
  config.history.push_back({.created = config.created,
                            .created_by = request.command,
                            .author = request.author,
                            .comment = request.comment});
  const Image made = TRY(add_image(config.serialize(), layers, request.reference));
  const std::lock_guard lock(impl_->mutex);
  ImageRecord* record = TRY(impl_->find(made.id));
  record->parent = parent_id;
  TRY(impl_->save_index());
  return record->image();
}

}  // namespace stack::images
