// The progress of a build as BuildKit tells it: messages of its control protocol
// (moby.buildkit.v1.StatusResponse, in the encoding of Protocol Buffers), one for each event, as
// base64 in lines of JSON. For clients that ask for version 2 of the builder. Pure.
#pragma once

#include <chrono>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "images/build.h"

namespace stack::engine::api {

class BuildTrace {
 public:
  using Time = std::chrono::system_clock::time_point;

  // Where the context has come from; what clients see first.
  nlohmann::json context_loaded(Time began, Time ended) const;
  // nullopt for events that BuildKit has no message for.
  std::optional<nlohmann::json> tell(const images::BuildEvent& event, Time now);
  nlohmann::json exported(const std::vector<images::Reference>& tags, Time began, Time ended) const;

 private:
  struct Vertex {
    std::string digest;
    std::string name;
    Time started;
  };
  std::map<int, Vertex> steps_;
};

nlohmann::json built_line(const std::string& image_id);
// BuildKit's sentence for a command that failed: of the words of the command and its code.
std::string command_failed_text(const images::BuildEvent& failed);

}  // namespace stack::engine::api
