// Layers of a store beyond keeping them: bringing them to the disk for sure, and compressing them
// for registries.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "images/compress.h"
#include "images/layer_store.h"
#include "images/reference.h"

namespace stack::images {

using nlohmann::json;

void LayerStore::note_unwritten() const {
  const std::lock_guard lock(note_mutex_);
  unwritten_ = true;
  const auto boot = read_file("/proc/sys/kernel/random/boot_id", 64);
  // Without the note a power cut now could leave a half-written cached layer; nothing else would.
  (void)write_file(root_ / "unwritten", boot.ok() ? *boot : "", 0600);
}

bool LayerStore::lost_writes() const {
  const auto noted = read_file(root_ / "unwritten", 64);
  const auto boot = read_file("/proc/sys/kernel/random/boot_id", 64);
  return noted.ok() && (!boot.ok() || *noted != *boot);
}

Status LayerStore::flush() const {
  // Waiting for the disk would take longer than a pull. The kernel writes by itself within half a
  // minute (vm.dirty_expire_centisecs); asked later, it has nothing left to do.
  struct stat noted {};
  const bool settled =
      ::stat((root_ / "unwritten").c_str(), &noted) == 0 && ::time(nullptr) - noted.st_mtime > 60;
  return settled ? flush_all() : ok_status();
}

Status LayerStore::flush_all() const {
  // What is stored from here on notes itself again, after it is there: it keeps its marks.
  unwritten_ = false;
  std::vector<std::filesystem::path> marks;
  for (const LayerRecord& layer : all_layers())
    marks.push_back(layer_directory(layer.diff_id).parent_path() / "unwritten");
  // One call for thousands of files: fsync(2) of each would take many times as long.
  if (::syncfs(lock_.get()) != 0) {
    const int error = errno;
    unwritten_ = true;
    return Error::os(error, "writing the image store to disk");
  }
  for (const auto& mark : marks) (void)::unlink(mark.c_str());
  const std::lock_guard lock(note_mutex_);
  if (!unwritten_) (void)::unlink((root_ / "unwritten").c_str());
  return ok_status();
}

std::optional<LayerStore::Compressed> LayerStore::compressed_as(const std::string& diff_id) const {
  const auto text = read_file(layer_directory(diff_id).parent_path() / "gzip.json", 4096);
  if (!text.ok()) return std::nullopt;
  const json in = json::parse(*text, nullptr, false);
  if (!in.is_object() || !in["digest"].is_string() || !in["size"].is_number_integer())
    return std::nullopt;
  Compressed out{in["digest"].get<std::string>(), in["size"].get<std::int64_t>()};
  return is_digest(out.digest) ? std::optional(out) : std::nullopt;
}

void LayerStore::remember_compressed(const std::string& diff_id,
                                     const Compressed& compressed) const {
  const json out = {{"digest", compressed.digest}, {"size", compressed.size}};
  // Forgetting it costs time only.
  (void)replace_file(layer_directory(diff_id).parent_path() / "gzip.json", out.dump());
}

Result<BlobWriter> LayerStore::compress_layer(const LayerRecord& record) const {
  const Fd blob = TRY(open_fd(blob_path(record.blob), O_RDONLY));
  FdSource source(blob.get());
  HashingSource hashed(source);
  BlobWriter out = TRY(new_blob());
  TRY_WHILE(gzip(hashed, out), "compressing layer " + record.diff_id);
  if (hashed.digest() != record.blob)
    return Error::invalid("blob " + record.blob + " is damaged")
        .fix("Pull or build the image again.");
  return out;
}

}  // namespace stack::images
