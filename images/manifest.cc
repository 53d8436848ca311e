#include "images/manifest.h"

#include <nlohmann/json.hpp>

#include "images/platform.h"
#include "images/reference.h"

namespace stack::images {
namespace {

using nlohmann::json;

Result<Descriptor> parse_descriptor(const json& in) {
  Descriptor out;
  out.media_type = in.value("mediaType", "");
  out.digest = in.at("digest").get<std::string>();
  out.size = in.at("size").get<std::int64_t>();
  if (!is_digest(out.digest))
    return Error::invalid("manifest: \"" + out.digest + "\" is not a sha256 digest");
  if (out.size < 0) return Error::invalid("manifest: negative size of " + out.digest);
  if (const auto platform = in.find("platform"); platform != in.end() && platform->is_object()) {
    out.os = platform->value("os", "");
    out.architecture = platform->value("architecture", "");
    out.variant = platform->value("variant", "");
  }
  if (const auto notes = in.find("annotations"); notes != in.end() && notes->is_object()) {
    out.annotations = notes->get<std::map<std::string, std::string>>();
  }
  return out;
}

bool is_index_type(std::string_view type) { return type == kOciIndex || type == kDockerList; }
bool is_manifest_type(std::string_view type) {
  return type == kOciManifest || type == kDockerManifest;
}

json descriptor_json(const Descriptor& in) {
  json out = {{"mediaType", in.media_type}, {"digest", in.digest}, {"size", in.size}};
  if (!in.annotations.empty()) out["annotations"] = in.annotations;
  if (!in.architecture.empty()) {
    out["platform"] = {{"architecture", in.architecture}, {"os", in.os}};
    if (!in.variant.empty()) out["platform"]["variant"] = in.variant;
  }
  return out;
}

}  // namespace

Result<ManifestDocument> parse_manifest(std::string_view text, std::string_view content_type) {
  if (const std::size_t semicolon = content_type.find(';'); semicolon != std::string_view::npos) {
    content_type = content_type.substr(0, semicolon);
  }
  try {
    const json in = json::parse(text);
    if (!in.is_object()) return Error::invalid("manifest is not a JSON object");
    if (in.value("schemaVersion", 0) != 2) {
      return Error::invalid("manifest schema version " +
                            std::to_string(in.value("schemaVersion", 0)) + " is not supported");
    }
    ManifestDocument out;
    out.media_type = in.value("mediaType", "");
    const bool lists = in.contains("manifests");
    if (lists == (in.contains("config") || in.contains("layers"))) {
      return Error::invalid(
          "manifest is neither clearly an index nor clearly an image (CVE-2021-41190)");
    }
    if ((is_index_type(out.media_type) && !lists) || (is_manifest_type(out.media_type) && lists)) {
      return Error::invalid("manifest does not have the shape of its media type " + out.media_type);
    }
    const bool known = is_index_type(content_type) || is_manifest_type(content_type);
    if (known && (is_index_type(content_type) != lists ||
                  (!out.media_type.empty() && out.media_type != content_type))) {
      return Error::invalid("manifest says it is \"" + out.media_type + "\", the registry says \"" +
                            std::string(content_type) + "\"");
    }
    if (out.media_type.empty())
      out.media_type =
          known ? std::string(content_type) : std::string(lists ? kOciIndex : kOciManifest);
    out.is_index = lists;
    if (lists) {
      for (const json& item : in.at("manifests")) {
        Descriptor descriptor = TRY(parse_descriptor(item));
        out.manifests.push_back(std::move(descriptor));
      }
      return out;
    }
    out.config = TRY(parse_descriptor(in.at("config")));
    for (const json& item : in.at("layers")) {
      Descriptor descriptor = TRY(parse_descriptor(item));
      out.layers.push_back(std::move(descriptor));
    }
    return out;
  } catch (const json::exception& e) {
    return Error::invalid(std::string("manifest: ") + e.what());
  }
}

std::string make_manifest(const Descriptor& config, const std::vector<Descriptor>& layers) {
  json list = json::array();
  for (const Descriptor& layer : layers) list.push_back(descriptor_json(layer));
  const json out = {{"schemaVersion", 2},
                    {"mediaType", kOciManifest},
                    {"config", descriptor_json(config)},
                    {"layers", std::move(list)}};
  return out.dump();
}

std::string make_index(const std::vector<Descriptor>& manifests) {
  json list = json::array();
  for (const Descriptor& item : manifests) list.push_back(descriptor_json(item));
  const json out = {{"schemaVersion", 2}, {"mediaType", kOciIndex}, {"manifests", std::move(list)}};
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Descriptor> choose_platform(const ManifestDocument& index, const std::string& platform) {
  const Platform wanted = parse_platform(platform);
  const Descriptor* best = nullptr;
  for (const Descriptor& item : index.manifests) {
    if (!is_manifest_type(item.media_type)) continue;
    if (item.os != wanted.os || item.architecture != wanted.architecture) continue;
    if (item.variant == wanted.variant) return item;
    // arm64 is arm64/v8; without a wish the first variant will do.
    if (wanted.variant.empty() ||
        (wanted.architecture == "arm64" && wanted.variant == "v8" && item.variant.empty())) {
      if (best == nullptr) best = &item;
    }
  }
  if (best != nullptr) return *best;
  return Error::not_found("no matching manifest for " + wanted.text() +
                          " in the manifest list entries");
}

}  // namespace stack::images
