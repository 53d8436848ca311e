// docker save and docker load: a docker-archive (manifest.json) and an OCI layout (index.json) in
// one tar.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "images/paths.h"
#include "images/store_impl.h"
#include "images/tar.h"

namespace stack::images {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDocument = 16U << 20U;

struct Saved {
  std::string id;
  Descriptor manifest;
  std::vector<LayerRecord> layers;
  std::set<std::string> tags;  // full
};

std::string blob_name(const std::string& digest) { return "blobs/sha256/" + digest.substr(7); }

// Members of an archive that is being loaded, spooled to files under names of our own; links are
// followed in the map only.
class Members {
 public:
  explicit Members(std::filesystem::path directory) : directory_(std::move(directory)) {}

  Status read(ByteSource& from, const ProgressCallback& progress) {
    TarReader reader(from);
    TarEntry entry;
    while (TRY(reader.next(entry))) {
      std::vector<std::string> parts = split_path(entry.path);
      if (std::find(parts.begin(), parts.end(), "..") != parts.end())
        return Error::invalid("invalid entry name \"" + entry.path + "\"");
      const std::string name = join_path(parts);
      if (!entry.hardlink.empty()) {
        links_[name] = join_path(split_path(entry.hardlink));
      } else if (S_ISLNK(entry.mode)) {
        parts.pop_back();
        links_[name] = clean_absolute("/" + join_path(parts) + "/" + entry.symlink).substr(1);
      } else if (S_ISREG(entry.mode)) {
        Status stored = spool(name, entry, reader);
        if (!stored.ok()) return std::move(stored).error().while_("reading \"" + entry.path + "\"");
        if (progress)
          progress(
              {.id = "", .status = "Loading " + name, .current = entry.size, .total = entry.size});
      }
    }
    return ok_status();
  }

  bool has(const std::string& name) const { return !resolve(name).empty(); }

  Result<std::filesystem::path> path(const std::string& name) const {
    const std::string found = resolve(name);
    if (found.empty()) return Error::invalid("the archive has no member \"" + name + "\"");
    return directory_ / found;
  }

  Result<std::string> text(const std::string& name) const {
    const std::filesystem::path file = TRY(path(name));
    return TRY_WHILE(read_file(file, kMaxDocument), "reading \"" + name + "\" of the archive");
  }

 private:
  Status spool(const std::string& name, const TarEntry& entry, TarReader& reader) {
    const std::string file = std::to_string(files_.size());
    Fd fd = TRY(open_fd(directory_ / file, O_WRONLY | O_CREAT | O_EXCL, 0644));
    while (true) {
      const auto block = TRY(reader.block());
      if (!block) break;
      if (::lseek(fd.get(), block->offset, SEEK_SET) < 0) return Error::os(errno, "seeking");
      TRY(write_all(fd.get(), block->bytes));
    }
    if (::ftruncate(fd.get(), entry.size) != 0) return Error::os(errno, "setting the size");
    files_[name] = file;
    return ok_status();
  }

  std::string resolve(const std::string& raw) const {
    std::string name = clean_absolute(raw).substr(1);
    for (int i = 0; i < 16; ++i) {
      if (const auto it = files_.find(name); it != files_.end()) return it->second;
      const auto link = links_.find(name);
      if (link == links_.end()) return "";
      name = link->second;
    }
    return "";
  }

  std::filesystem::path directory_;
  std::map<std::string, std::string> files_;
  std::map<std::string, std::string> links_;
};

// Makes an archive member a blob of the store; the member's file is used up.
Status adopt_blob(const LayerStore& store, const std::filesystem::path& file,
                  const std::string& digest) {
  if (store.has_blob(digest)) return ok_status();
  std::error_code ec;
  std::filesystem::create_hard_link(file, store.blob_path(digest), ec);
  if (ec && ec.value() != EEXIST) return Error::os(ec.value(), "storing " + digest);
  return ok_status();
}

std::string layer_media_type(const std::filesystem::path& file) {
  const auto fd = open_fd(file, O_RDONLY);
  char head[8] = {};
  const ssize_t n = fd.ok() ? ::read(fd->get(), head, sizeof head) : 0;
  switch (detect_compression(std::string_view(head, n > 0 ? static_cast<std::size_t>(n) : 0))) {
    case Compression::kGzip:
      return std::string(kLayerGzip);
    case Compression::kZstd:
      return std::string(kLayerZstd);
    default:
      return std::string(kLayerTar);
  }
}

struct Loaded {
  std::string config;
  std::vector<std::string> layer_members;
  std::vector<std::string> layer_digests;  // expected, or empty
  std::string manifest;                    // as stored, or empty
  std::vector<Reference> tags;
};

Result<std::vector<Loaded>> docker_archive(const Members& members) {
  const std::string text = TRY(members.text("manifest.json"));
  const json list = json::parse(text, nullptr, false);
  if (!list.is_array()) return Error::invalid("manifest.json of the archive is not a list");
  std::vector<Loaded> out;
  for (const json& item : list) {
    Loaded image;
    image.config = TRY(members.text(item.at("Config").get<std::string>()));
    image.layer_members = item.at("Layers").get<std::vector<std::string>>();
    image.layer_digests.resize(image.layer_members.size());
    if (const auto tags = item.find("RepoTags"); tags != item.end() && tags->is_array()) {
      for (const json& tag : *tags)
        image.tags.push_back(TRY(Reference::parse(tag.get<std::string>())));
    }
    out.push_back(std::move(image));
  }
  return out;
}

Result<std::vector<Loaded>> oci_archive(const Members& members) {
  const std::string text = TRY(members.text("index.json"));
  std::vector<std::pair<Descriptor, std::optional<Reference>>> todo;
  const ManifestDocument top = TRY(parse_manifest(text));
  for (const Descriptor& item : top.manifests) {
    std::optional<Reference> tag;
    if (const auto it = item.annotations.find("io.containerd.image.name");
        it != item.annotations.end()) {
      tag = TRY(Reference::parse(it->second));
    } else if (const auto name = item.annotations.find("org.opencontainers.image.ref.name");
               name != item.annotations.end()) {
      // Often only a tag; a whole name is taken, as skopeo writes it.
      auto parsed = Reference::parse(name->second);
      if (parsed.ok() && name->second.find_first_of(":/") != std::string::npos)
        tag = std::move(*parsed);
    }
    todo.emplace_back(item, std::move(tag));
  }
  std::vector<Loaded> out;
  for (const auto& [descriptor, tag] : todo) {
    std::string manifest_text = TRY(members.text(blob_name(descriptor.digest)));
    ManifestDocument manifest = TRY(parse_manifest(manifest_text));
    if (manifest.is_index) {
      const Descriptor chosen = TRY(choose_platform(manifest, ""));
      manifest_text = TRY(members.text(blob_name(chosen.digest)));
      manifest = TRY(parse_manifest(manifest_text));
    }
    Loaded image;
    image.manifest = manifest_text;
    image.config = TRY(members.text(blob_name(manifest.config.digest)));
    for (const Descriptor& layer : manifest.layers) {
      image.layer_members.push_back(blob_name(layer.digest));
      image.layer_digests.push_back(layer.digest);
    }
    if (tag) image.tags.push_back(*tag);
    out.push_back(std::move(image));
  }
  return out;
}

}  // namespace

Status Store::save(const std::vector<std::string>& references, int out_fd) const {
  std::map<std::string, Saved> chosen;
  {
    const std::lock_guard lock(impl_->mutex);
    const auto take = [&](const ImageRecord& record) -> Saved& {
      Saved& saved = chosen[record.id];
      saved.id = record.id;
      saved.manifest = record.manifest;
      saved.layers = record.layers;
      return saved;
    };
    for (const std::string& text : references) {
      // A name without tag saves all its tags, one with a tag that one, and an id the image without
      // names, as Docker does.
      const auto name = Reference::parse_name(text);
      const bool name_only = name.ok() && name->tag.empty() && name->digest.empty();
      bool found = false;
      for (const auto& [id, record] : impl_->images) {
        for (const std::string& tag : record.tags) {
          const bool wanted = name_only ? tag.starts_with(name->name() + ":")
                                        : name.ok() && tag == name->to_string();
          if (wanted) take(record).tags.insert(tag);
          found = found || wanted;
        }
      }
      if (found) continue;
      const auto record = impl_->find(text);
      if (record.ok()) {
        take(**record);
      } else if (name_only) {
        return Error::not_found("No such image: " + text);
      } else {
        return name.ok() ? Error::not_found("reference does not exist") : record.error();
      }
    }
  }
  const LayerStore& store = *impl_->layers;
  FdSink sink(out_fd);
  TarWriter tar(sink);
  std::set<std::string> written;
  const auto put = [&](const std::string& digest) -> Status {
    if (!written.insert(digest).second) return ok_status();
    Fd fd = TRY(open_fd(store.blob_path(digest), O_RDONLY));
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0) return Error::os(errno, digest);
    TarEntry entry;
    entry.path = blob_name(digest);
    entry.mode = S_IFREG | 0644U;
    entry.size = st.st_size;
    return tar.file_from(entry, fd.get());
  };
  std::vector<Descriptor> index;
  json docker = json::array();
  for (const auto& [id, saved] : chosen) {
    json item = {{"Config", blob_name(id)}, {"RepoTags", json::array()}, {"Layers", json::array()}};
    for (const LayerRecord& layer : saved.layers) {
      TRY(put(layer.blob));
      item["Layers"].push_back(blob_name(layer.blob));
    }
    TRY(put(id));
    TRY(put(saved.manifest.digest));
    if (saved.tags.empty()) index.push_back(saved.manifest);
    for (const std::string& tag : saved.tags) {
      const auto reference = Reference::parse(tag);
      item["RepoTags"].push_back(reference.ok() ? reference->familiar() : tag);
      Descriptor named = saved.manifest;
      named.annotations["io.containerd.image.name"] = tag;
      named.annotations["org.opencontainers.image.ref.name"] = tag.substr(tag.rfind(':') + 1);
      index.push_back(std::move(named));
    }
    if (saved.tags.empty()) item["RepoTags"] = nullptr;
    docker.push_back(std::move(item));
  }
  TRY(tar.file("index.json", make_index(index)));
  TRY(tar.file("manifest.json", docker.dump()));
  TRY(tar.file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
  return tar.finish();
}

Result<std::vector<std::string>> Store::load(int fd, const ProgressCallback& progress) {
  const LayerStore& store = *impl_->layers;
  const TemporaryDirectory spool = TRY(store.temporary());
  Members members(spool.path());
  FdSource file(fd);
  const auto plain = decompress(file);
  TRY(members.read(*plain, progress));
  std::vector<Loaded> images;
  try {
    if (members.has("manifest.json")) {
      images = TRY(docker_archive(members));
    } else if (members.has("index.json")) {
      images = TRY(oci_archive(members));
    } else {
      return Error::invalid("the archive is no image: it has neither manifest.json nor index.json")
          .fix("A root file system is imported, not loaded.");
    }
  } catch (const json::exception& e) {
    return Error::invalid(std::string("manifest.json of the archive: ") + e.what());
  }
  std::vector<std::string> lines;
  for (const Loaded& loaded : images) {
    const ImageConfig config = TRY(ImageConfig::parse(loaded.config));
    if (config.diff_ids.size() != loaded.layer_members.size()) {
      return Error::invalid("invalid manifest, layers length mismatch: expected " +
                            std::to_string(config.diff_ids.size()) + ", got " +
                            std::to_string(loaded.layer_members.size()));
    }
    Pin pin(*this);
    pin.add(config.diff_ids);
    std::vector<LayerRecord> layers;
    for (std::size_t i = 0; i < loaded.layer_members.size(); ++i) {
      const std::filesystem::path member = TRY(members.path(loaded.layer_members[i]));
      const auto present = store.find_layer(config.diff_ids[i]);
      if (present && !store.has_blob(present->blob)) store.remove_layer(config.diff_ids[i]);
      LayerRecord layer = TRY(store.install_blob(member, loaded.layer_digests[i],
                                                 layer_media_type(member), config.diff_ids[i]));
      // A layer that was here already keeps its own blob, maybe with another compression.
      if (!store.has_blob(layer.blob)) TRY(adopt_blob(store, member, layer.blob));
      layers.push_back(std::move(layer));
    }
    bool same_blobs = !loaded.manifest.empty();
    for (std::size_t i = 0; same_blobs && i < layers.size(); ++i)
      same_blobs = layers[i].blob == loaded.layer_digests[i];
    const std::optional<Reference> first =
        loaded.tags.empty() ? std::nullopt : std::optional(loaded.tags[0]);
    const Image image =
        TRY(add_image(loaded.config, layers, first, same_blobs ? loaded.manifest : ""));
    for (const Reference& tag : loaded.tags) {
      TRY(this->tag(image.id, tag));
      lines.push_back("Loaded image: " + tag.familiar());
    }
    if (loaded.tags.empty()) lines.push_back("Loaded image ID: " + image.id);
  }
  return lines;
}

}  // namespace stack::images
