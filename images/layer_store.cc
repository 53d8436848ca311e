#include "images/layer_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/files.h"
#include "images/paths.h"
#include "images/reference.h"
#include "images/tar.h"
#include "images/tree_reader.h"
#include "images/tree_writer.h"

namespace stack::images {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// 80 bits name a layer's directory; layer.json has the whole digest.
std::string short_name(const std::string& diff_id) { return diff_id.substr(7, 20); }

std::string record_json(const LayerRecord& record) {
  const json out = {{"diff_id", record.diff_id},
                    {"blob", record.blob},
                    {"media_type", record.media_type},
                    {"blob_size", record.blob_size},
                    {"size", record.size}};
  return out.dump();
}

std::optional<LayerRecord> parse_record(const std::string& text) {
  const json in = json::parse(text, nullptr, false);
  if (!in.is_object()) return std::nullopt;
  try {
    LayerRecord out;
    out.diff_id = in.at("diff_id").get<std::string>();
    out.blob = in.at("blob").get<std::string>();
    out.media_type = in.at("media_type").get<std::string>();
    out.blob_size = in.at("blob_size").get<std::int64_t>();
    out.size = in.at("size").get<std::int64_t>();
    return out;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

// Only one process may write to a store; a predecessor that is just ending gets two seconds.
Result<Fd> lock_store(const fs::path& root) {
  for (int attempt = 0;; ++attempt) {
    auto lock = lock_file(root / "lock", false);
    if (lock.ok() || lock.error().kind != ErrorKind::kConflict || attempt == 40) return lock;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace

std::string chain_id(const std::vector<std::string>& diff_ids, std::size_t count) {
  std::string chain;
  for (std::size_t i = 0; i < count; ++i) {
    chain = i == 0 ? diff_ids[0] : "sha256:" + sha256_hex(chain + " " + diff_ids[i]);
  }
  return chain;
}

TemporaryDirectory& TemporaryDirectory::operator=(TemporaryDirectory&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

TemporaryDirectory::~TemporaryDirectory() {
  // Nothing can be done about a failure here; open() tries again.
  if (!path_.empty()) (void)remove_tree(path_);
}

BlobWriter::BlobWriter(fs::path temporary, Fd fd)
    : temporary_(std::move(temporary)), fd_(std::move(fd)) {}

BlobWriter::~BlobWriter() {
  if (fd_) (void)::unlink(temporary_.c_str());
}

Status BlobWriter::write(std::string_view bytes) {
  hash_.update(bytes);
  size_ += static_cast<std::int64_t>(bytes.size());
  return write_all(fd_.get(), bytes);
}

Status BlobWriter::restart() {
  hash_ = Sha256();
  size_ = 0;
  if (::ftruncate(fd_.get(), 0) != 0 || ::lseek(fd_.get(), 0, SEEK_SET) < 0)
    return Error::os(errno, "truncating a blob");
  return ok_status();
}

Result<std::unique_ptr<LayerStore>> LayerStore::open(fs::path root) {
  std::unique_ptr<LayerStore> store(new LayerStore(std::move(root)));
  for (const char* part : {"blobs/sha256", "layers", "tmp"})
    TRY(make_directories(store->root_ / part));
  if (::chmod((store->root_ / "tmp").c_str(), 0700) != 0) return Error::os(errno, "tmp");
  store->lock_ = TRY_WHILE(lock_store(store->root_), "opening the image store");
  if (!stack::exists(store->root_ / "oci-layout"))
    TRY(replace_file(store->root_ / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
  std::error_code ec;
  for (const auto& left_over : fs::directory_iterator(store->root_ / "tmp", ec))
    TRY(remove_tree(left_over.path()));
  return store;
}

bool LayerStore::has_blob(const std::string& digest) const {
  return is_digest(digest) && stack::exists(blob_path(digest));
}

fs::path LayerStore::blob_path(const std::string& digest) const {
  return root_ / "blobs/sha256" / digest.substr(7);
}

Result<BlobWriter> LayerStore::new_blob() const {
  const fs::path path = root_ / "tmp" / ("blob-" + random_hex(16));
  return BlobWriter(path, TRY(open_fd(path, O_RDWR | O_CREAT | O_EXCL, 0644)));
}

Result<std::string> LayerStore::finish_blob(BlobWriter writer, const std::string& expected) const {
  std::string digest = "sha256:" + writer.hash_.finish();
  if (!expected.empty() && digest != expected) {
    return Error::invalid("digest mismatch: expected " + expected + ", got " + digest);
  }
  if (::rename(writer.temporary_.c_str(), blob_path(digest).c_str()) != 0)
    return Error::os(errno, "storing " + digest);
  writer.fd_.reset();
  note_unwritten();
  return digest;
}

Result<std::string> LayerStore::put_blob(std::string_view bytes) const {
  std::string digest = "sha256:" + sha256_hex(bytes);
  // One that is there but damaged is written again.
  if (!read_blob(digest).ok()) TRY(replace_file(blob_path(digest), bytes));
  return digest;
}

Result<std::string> LayerStore::read_blob(const std::string& digest, std::size_t limit) const {
  if (!is_digest(digest)) return Error::invalid("\"" + digest + "\" is not a digest");
  std::string bytes = TRY(read_file(blob_path(digest), limit));
  const std::string found = "sha256:" + sha256_hex(bytes);
  if (found != digest)
    return Error::invalid("blob " + digest + " is damaged: its digest is " + found);
  return bytes;
}

void LayerStore::remove_blob(const std::string& digest) const {
  if (is_digest(digest)) (void)::unlink(blob_path(digest).c_str());  // absent is what we want
}

std::optional<LayerRecord> LayerStore::find_layer(const std::string& diff_id) const {
  if (!is_digest(diff_id)) return std::nullopt;
  const auto text = read_file(root_ / "layers" / short_name(diff_id) / "layer.json");
  if (!text.ok()) return std::nullopt;
  auto record = parse_record(*text);
  if (!record || record->diff_id != diff_id) return std::nullopt;
  return record;
}

fs::path LayerStore::layer_directory(const std::string& diff_id) const {
  return root_ / "layers" / short_name(diff_id) / "fs";
}

Result<UnpackedLayer> LayerStore::unpack(ByteSource& from, bool hash) const {
  UnpackedLayer out;
  out.directory = TRY(temporary());
  const fs::path tree = out.directory.path() / "fs";
  TRY(make_directories(tree));
  if (::chmod(tree.c_str(), 0755) != 0) return Error::os(errno, tree);
  HashingSource hashed(from);
  ByteSource& bytes = hash ? static_cast<ByteSource&>(hashed) : from;
  TarReader reader(bytes);
  TreeWriterOptions options;
  options.layer = true;
  TreeWriter writer(TRY(open_fd(tree, O_RDONLY | O_DIRECTORY)), options);
  TRY(writer.write(reader));
  TRY(writer.finish());
  // The archive's padding belongs to the digest.
  while (true) {
    const std::string_view rest = TRY(bytes.next());
    if (rest.empty()) break;
  }
  if (hash) out.diff_id = hashed.digest();
  out.size = writer.bytes();
  return out;
}

Result<LayerRecord> LayerStore::install_blob(const fs::path& file, const std::string& blob_digest,
                                             const std::string& media_type,
                                             const std::string& expected_diff_id) const {
  if (auto found = find_layer(expected_diff_id)) return *found;
  Fd fd = TRY(open_fd(file, O_RDONLY));
  FdSource raw(fd.get());
  HashingSource compressed(raw);
  const auto plain = decompress(compressed);
  const auto ahead = read_ahead(*plain);
  UnpackedLayer unpacked = TRY(unpack(*ahead));
  while (true) {
    const std::string_view rest = TRY(compressed.next());
    if (rest.empty()) break;
  }
  const std::int64_t blob_size = compressed.bytes();
  const std::string digest = compressed.digest();
  if (!blob_digest.empty() && digest != blob_digest)
    return Error::invalid("digest mismatch: expected " + blob_digest + ", got " + digest);
  if (!expected_diff_id.empty() && unpacked.diff_id != expected_diff_id) {
    return Error::invalid("layer content mismatch: the configuration says diff id " +
                          expected_diff_id + ", the layer " + digest + " has " + unpacked.diff_id);
  }
  LayerRecord record{.diff_id = unpacked.diff_id,
                     .blob = digest,
                     .media_type = media_type,
                     .blob_size = blob_size,
                     .size = unpacked.size};
  TRY(install(std::move(unpacked.directory), record));
  return record;
}

Status LayerStore::install(TemporaryDirectory directory, const LayerRecord& record) const {
  TRY(replace_file(directory.path() / "layer.json", record_json(record)));  // synced
  TRY(write_file(directory.path() / "unwritten", ""));                      // until flush_all()
  const fs::path target = root_ / "layers" / short_name(record.diff_id);
  if (::rename(directory.path().c_str(), target.c_str()) != 0) {
    const int err = errno;
    if ((err == ENOTEMPTY || err == EEXIST) && find_layer(record.diff_id)) return ok_status();
    return Error::os(err, "storing layer " + record.diff_id);
  }
  directory.give_away();
  note_unwritten();
  return ok_status();
}

Result<LayerRecord> LayerStore::tar_upper(const fs::path& upper) const {
  Fd fd = TRY(open_fd(upper, O_RDONLY | O_DIRECTORY));
  BlobWriter blob = TRY(new_blob());
  TarWriter writer(blob);
  TreeReaderOptions options;
  options.overlay_upper = true;
  LayerRecord record;
  const TreeVisitor visit = [&](const TarEntry& entry, int file) {
    record.size += entry.size;
    return file >= 0 ? writer.file_from(entry, file) : writer.header(entry);
  };
  TRY(read_tree(fd.get(), options, visit));
  TRY(writer.finish());
  record.blob_size = blob.size();
  record.media_type = kLayerTar;
  record.blob = TRY(finish_blob(std::move(blob)));
  record.diff_id = record.blob;
  return record;
}

Result<LayerRecord> LayerStore::adopt_upper(TemporaryDirectory directory) const {
  LayerRecord record = TRY(tar_upper(directory.path() / "fs"));
  TRY(remove_tree(directory.path() / "work"));
  TRY(install(std::move(directory), record));
  return record;
}

Result<LayerRecord> LayerStore::copy_upper(const fs::path& upper) const {
  LayerRecord record = TRY(tar_upper(upper));
  if (find_layer(record.diff_id)) return record;
  Fd blob = TRY(open_fd(blob_path(record.blob), O_RDONLY));
  FdSource source(blob.get());
  UnpackedLayer unpacked = TRY(unpack(source));
  if (unpacked.diff_id != record.diff_id)
    return Error::invalid("layer " + record.diff_id + " changed while it was stored");
  TRY(install(std::move(unpacked.directory), record));
  return record;
}

void LayerStore::remove_layer(const std::string& diff_id) const {
  const auto record = find_layer(diff_id);
  if (!record) return;
  // Out of sight first: a half-removed tree must not be taken for a layer.
  const fs::path away = root_ / "tmp" / ("gone-" + random_hex(16));
  if (::rename((root_ / "layers" / short_name(diff_id)).c_str(), away.c_str()) == 0)
    (void)remove_tree(away);
  remove_blob(record->blob);
}

std::vector<LayerRecord> LayerStore::all_layers() const {
  std::vector<LayerRecord> out;
  std::error_code ec;
  for (const auto& item : fs::directory_iterator(root_ / "layers", ec)) {
    const auto text = read_file(item.path() / "layer.json");
    if (!text.ok()) continue;
    if (auto record = parse_record(*text)) out.push_back(std::move(*record));
  }
  return out;
}

std::vector<std::string> LayerStore::all_blobs() const {
  std::vector<std::string> out;
  std::error_code ec;
  for (const auto& item : fs::directory_iterator(root_ / "blobs/sha256", ec)) {
    std::string digest = "sha256:" + item.path().filename().string();
    if (is_digest(digest)) out.push_back(std::move(digest));
  }
  return out;
}

Result<TemporaryDirectory> LayerStore::temporary() const {
  const fs::path path = root_ / "tmp" / random_hex(16);
  if (::mkdir(path.c_str(), 0700) != 0) return Error::os(errno, path);
  return TemporaryDirectory(path);
}

}  // namespace stack::images
