// Blobs and unpacked layers of a store directory.
//   blobs/sha256/<hex>        a blob; has this name only when its digest was verified
//   layers/<id>/fs            an unpacked layer, an overlay lower directory; <id> is the start of
//                             the diff id
//   layers/<id>/layer.json    its LayerRecord
//   tmp/<random>              whatever is not complete; emptied by open()
// A layer is unpacked on its own, whatever is below it, so that it is shared by every image that
// has it and all layers of an image are unpacked in parallel. All members may be called from
// several threads at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "images/byte_stream.h"

namespace stack::images {

inline constexpr std::string_view kLayerTar = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";

// A layer that is in the store: its tar (blob) and its unpacked directory.
struct LayerRecord {
  std::string diff_id;  // digest of the uncompressed tar
  std::string blob;     // digest of the blob
  std::string media_type;
  std::int64_t blob_size = 0;
  std::int64_t size = 0;  // of the regular files, unpacked

  bool operator==(const LayerRecord&) const = default;
};

// OCI image-spec "Layer ChainID": names a layer together with all below it.
std::string chain_id(const std::vector<std::string>& diff_ids, std::size_t count);

// A directory in tmp/ that is removed unless it is given away.
class TemporaryDirectory {
 public:
  TemporaryDirectory() = default;
  explicit TemporaryDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryDirectory& operator=(TemporaryDirectory&& other) noexcept;
  ~TemporaryDirectory();
  const std::filesystem::path& path() const { return path_; }
  void give_away() { path_.clear(); }

 private:
  std::filesystem::path path_;
};

// A blob being written. Not given its name: it disappears.
class BlobWriter final : public ByteSink {
 public:
  BlobWriter(std::filesystem::path temporary, Fd fd);
  BlobWriter(BlobWriter&&) noexcept = default;
  ~BlobWriter() override;
  Status write(std::string_view bytes) override;
  std::int64_t size() const { return size_; }
  int fd() const { return fd_.get(); }
  std::string digest() { return "sha256:" + hash_.finish(); }  // the end: nothing is written later
  // For a download that goes on after a cut: bytes that are there already are hashed again.
  Status restart();

 private:
  friend class LayerStore;
  std::filesystem::path temporary_;
  Fd fd_;
  Sha256 hash_;
  std::int64_t size_ = 0;
};

struct UnpackedLayer {
  TemporaryDirectory directory;  // holds fs/
  std::string diff_id;
  std::int64_t size = 0;
};

class LayerStore {
 public:
  static Result<std::unique_ptr<LayerStore>> open(std::filesystem::path root);

  bool has_blob(const std::string& digest) const;
  std::filesystem::path blob_path(const std::string& digest) const;
  Result<BlobWriter> new_blob() const;
  // Gives the blob its name. kInvalid with both digests when `expected` is not empty and differs.
  Result<std::string> finish_blob(BlobWriter writer, const std::string& expected = {}) const;
  Result<std::string> put_blob(std::string_view bytes) const;
  // Small blobs: manifests and configurations. Verified against the digest.
  Result<std::string> read_blob(const std::string& digest, std::size_t limit = 8U << 20U) const;
  void remove_blob(const std::string& digest) const;

  // The record of an unpacked layer, if it is complete.
  std::optional<LayerRecord> find_layer(const std::string& diff_id) const;
  std::filesystem::path layer_directory(const std::string& diff_id) const;  // .../fs
  // Unpacks a plain tar stream to its very end; the directory is not part of the store yet. Without
  // `hash` the diff id stays empty: for callers that hash the same bytes anyway.
  Result<UnpackedLayer> unpack(ByteSource& from, bool hash = true) const;
  // Unpacks and installs a layer whose blob is in the store (or in `file`, which is not moved),
  // unless it is there already. kInvalid with both digests when the blob or its content is not what
  // was expected; an empty expectation is not checked.
  Result<LayerRecord> install_blob(const std::filesystem::path& file,
                                   const std::string& blob_digest, const std::string& media_type,
                                   const std::string& expected_diff_id) const;
  // Makes an unpacked layer (a directory holding fs/) part of the store. Somebody else's equal
  // layer stays.
  Status install(TemporaryDirectory directory, const LayerRecord& record) const;
  // An overlay upper directory in our tmp/ becomes a layer: its tar is written as a blob, itself
  // becomes the layer's directory. `upper` must be named fs and lie in `directory`.
  Result<LayerRecord> adopt_upper(TemporaryDirectory directory) const;
  // The same with a foreign upper directory, which stays as it is.
  Result<LayerRecord> copy_upper(const std::filesystem::path& upper) const;
  // How a layer that is kept as a plain tar was compressed for a registry: remembered, so that a
  // second push knows the digest without doing it again.
  struct Compressed {
    std::string digest;
    std::int64_t size = 0;
  };
  std::optional<Compressed> compressed_as(const std::string& diff_id) const;
  void remember_compressed(const std::string& diff_id, const Compressed& compressed) const;
  // Writes the layer's blob gzipped; a blob that nobody gives a name to disappears.
  Result<BlobWriter> compress_layer(const LayerRecord& record) const;
  void remove_layer(const std::string& diff_id) const;
  std::vector<LayerRecord> all_layers() const;
  std::vector<std::string> all_blobs() const;

  // Waits for the disk only when what is unwritten is older than a minute; what is younger may be
  // lost in a power cut, and lost_writes() tells so. index.json and the build cache come after it.
  Status flush() const;
  // True when the machine went down before everything was on the disk: layers and blobs that
  // index.json does not reach may be damaged.
  bool lost_writes() const;
  Status flush_all() const;  // also when nothing is new

  Result<TemporaryDirectory> temporary() const;
  const std::filesystem::path& root() const { return root_; }

 private:
  explicit LayerStore(std::filesystem::path root) : root_(std::move(root)) {}
  void note_unwritten() const;
  Result<LayerRecord> tar_upper(const std::filesystem::path& upper) const;
  std::filesystem::path root_;
  Fd lock_;
  mutable std::atomic<bool> unwritten_{false};
  mutable std::mutex note_mutex_;
};

}  // namespace stack::images
