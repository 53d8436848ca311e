// What Dockerfile instructions do to an image configuration, and the history lines they leave.
// Pure: no file is touched here.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "images/dockerfile.h"
#include "images/image_config.h"

namespace stack::images {

// ARG and ENV as seen by the instructions of one stage.
struct BuildScope {
  ImageConfig config;
  std::vector<std::pair<std::string, std::optional<std::string>>>
      args;  // declared by ARG in this stage and those it starts from, in order
  char escape = '\\';
  bool cmd_set = false;  // by this stage: ENTRYPOINT then does not reset it

  // ENV wins over ARG.
  std::optional<std::string> lookup(std::string_view name) const;
  VariableLookup lookup() const;
};

// Values for ARG: of the command line, of the ARGs before FROM, and the predefined ones
// (TARGETARCH, ...).
struct ArgValues {
  std::map<std::string, std::string> given;     // --build-arg
  std::map<std::string, std::string> global;    // before FROM, expanded
  std::map<std::string, std::string> platform;  // BUILDPLATFORM, TARGETARCH, ...
};

// The shell form's command line: config.shell or /bin/sh -c, then the text.
std::vector<std::string> with_shell(const ImageConfig& config, const std::vector<std::string>& args,
                                    bool json_form);

// Applies an instruction that changes the configuration only (ARG, CMD, ENTRYPOINT, ENV, EXPOSE,
// HEALTHCHECK, LABEL, MAINTAINER, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME, WORKDIR) and returns
// its line for the history. Errors carry the instruction's place.
Result<std::string> apply_metadata(BuildScope& scope, const Instruction& instruction,
                                   const ArgValues& values);
bool is_metadata(
    const std::string& instruction_name);  // of those above; WORKDIR makes a layer as well

// docker import/commit --change: one instruction, or several of them in lines.
Status apply_change(ImageConfig& config, const std::string& change);

// "80", "80/tcp", "8000-8002/udp" as {"80/tcp", ...}.
Result<std::vector<std::string>> parse_exposed_port(const std::string& text);
// Go's durations: "1m30s", "500ms".
Result<Duration> parse_duration(const std::string& text);

}  // namespace stack::images
