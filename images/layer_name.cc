#include "images/paths.h"
#include "images/tree_writer.h"

namespace stack::images {

Result<LayerName> classify_layer_name(const std::string& path, bool layer) {
  constexpr std::string_view kPrefix = ".wh.";
  constexpr std::string_view kMeta = ".wh..wh.";
  LayerName out;
  out.parts = split_path(path);
  for (const std::string& part : out.parts) {
    if (part == "..") return Error::invalid("invalid entry name \"" + path + "\"");
  }
  if (!layer || out.parts.empty()) return out;
  for (std::size_t i = 0; i + 1 < out.parts.size(); ++i) {
    if (out.parts[i].starts_with(kMeta)) {
      out.kind = LayerName::Kind::kSkip;  // below aufs's own directories
      return out;
    }
    if (out.parts[i].starts_with(kPrefix))
      return Error::invalid("invalid entry name \"" + path + "\"");
  }
  const std::string last = out.parts.back();
  if (!last.starts_with(kPrefix)) return out;
  if (last == ".wh..wh..opq") {
    out.parts.pop_back();
    // Overlayfs ignores the attribute on the top of a layer, so it could not be honoured there.
    if (out.parts.empty()) return Error::invalid("invalid whiteout entry \"" + last + "\"");
    out.kind = LayerName::Kind::kOpaque;
    return out;
  }
  const std::string target = last.substr(kPrefix.size());
  if (target.empty() || target == "." || target == "..")
    return Error::invalid("invalid whiteout entry \"" + last + "\"");
  if (last.starts_with(kMeta)) {
    out.kind = LayerName::Kind::kSkip;
    return out;
  }
  out.kind = LayerName::Kind::kWhiteout;
  out.parts.back() = target;
  return out;
}

}  // namespace stack::images
