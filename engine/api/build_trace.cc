#include "engine/api/build_trace.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/sha256.h"

namespace stack::engine::api {

namespace {

using Json = nlohmann::json;
using Time = BuildTrace::Time;

// Protocol Buffers, "Encoding": a number in groups of seven bits, the lowest first.
std::string varint(std::uint64_t value) {
  std::string out;
  for (; value > 0x7f; value >>= 7U) out += static_cast<char>((value & 0x7fU) | 0x80U);
  return out + static_cast<char>(value);
}
std::string number_field(unsigned number, std::uint64_t value) {
  return varint(number << 3U) + varint(value);
}
std::string bytes_field(unsigned number, const std::string& value) {
  return varint((number << 3U) | 2U) + varint(value.size()) + value;
}

// google.protobuf.Timestamp
std::string timestamp(Time time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(time - whole);
  return number_field(1, static_cast<std::uint64_t>(whole.time_since_epoch().count())) +
         number_field(2, static_cast<std::uint64_t>(rest.count()));
}

// moby.buildkit.v1.Vertex
struct VertexState {
  std::string digest;
  std::string name;
  Time started;
  std::optional<Time> completed = std::nullopt;
  bool cached = false;
  std::string error = {};
};

std::string encode(const VertexState& vertex) {
  std::string out = bytes_field(1, vertex.digest) + bytes_field(3, vertex.name);
  if (vertex.cached) out += number_field(4, 1);
  out += bytes_field(5, timestamp(vertex.started));
  if (vertex.completed) out += bytes_field(6, timestamp(*vertex.completed));
  if (!vertex.error.empty()) out += bytes_field(7, vertex.error);
  return bytes_field(1, out);
}

// moby.buildkit.v1.VertexStatus
std::string status(const std::string& vertex, const std::string& text, Time began, Time ended) {
  return bytes_field(2, bytes_field(1, text) + bytes_field(2, vertex) +
                            bytes_field(6, timestamp(ended)) + bytes_field(7, timestamp(began)) +
                            bytes_field(8, timestamp(ended)));
}

Json line(const std::string& message) {
  return {{"id", "moby.buildkit.trace"}, {"aux", base64(message)}};
}

std::string digest_of(const std::string& text) { return "sha256:" + sha256_hex(text); }

}  // namespace

Json BuildTrace::context_loaded(Time began, Time ended) const {
  const std::string name = "[internal] load remote build context";
  return line(encode({digest_of(name), name, began}) +
              encode({digest_of(name), name, began, ended}));
}

std::optional<Json> BuildTrace::tell(const images::BuildEvent& event, Time now) {
  using Kind = images::BuildEvent::Kind;
  if (event.kind == Kind::kWarning)  // VertexWarning: of no step, level 1, the short text
    return line(bytes_field(4, number_field(2, 1) + bytes_field(3, event.text)));
  if (event.kind == Kind::kStep) {
    const auto digest = digest_of(fmt::format("{} {}", event.id, event.text));
    const auto& vertex = steps_[event.id] = {digest, event.text, now};
    return line(encode({vertex.digest, vertex.name, vertex.started}));
  }
  const auto step = steps_.find(event.id);
  if (step == steps_.end()) return std::nullopt;
  VertexState state{step->second.digest, step->second.name, step->second.started, now};
  switch (event.kind) {
    case Kind::kOutput:  // VertexLog
      return line(bytes_field(3, bytes_field(1, state.digest) + bytes_field(2, timestamp(now)) +
                                     number_field(3, event.stream == "stderr" ? 2 : 1) +
                                     bytes_field(4, event.text)));
    case Kind::kFailed:
      state.error = command_failed_text(event);
      return line(encode(state));
    case Kind::kCached:
      state.cached = true;
      return line(encode(state));
    case Kind::kDone:
      return line(encode(state));
    default:
      return std::nullopt;
  }
}

Json BuildTrace::exported(const std::vector<images::Reference>& tags, Time began,
                          Time ended) const {
  const std::string name = "exporting to image";
  std::string message = encode({digest_of(name), name, began, ended});
  for (const auto& tag : tags)
    message += status(digest_of(name), "naming to " + tag.to_string(), began, ended);
  return line(message);
}

Json built_line(const std::string& image_id) {
  return {{"id", "moby.image.id"}, {"aux", {{"ID", image_id}}}};
}

std::string command_failed_text(const images::BuildEvent& failed) {
  return fmt::format(R"(process "{}" did not complete successfully: exit code: {})", failed.text,
                     failed.exit_code);
}

}  // namespace stack::engine::api
