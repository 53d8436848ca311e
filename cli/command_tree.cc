#include "cli/command_tree.h"

#include <fmt/core.h>

#include <algorithm>

#include "cli/docker/verbs.h"
#include "cli/verbs.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kGlobalFlags[] = {
    {"all-resources", 0, FlagType::kBool, "Include all resources, even those not used by services"},
    {"ansi", 0, FlagType::kString,
     "Control when to print ANSI control characters (\"never\"|\"always\"|\"auto\")", "auto"},
    {"compatibility", 0, FlagType::kBool, "Separate the parts of names by _ instead of -"},
    {"config", 0, FlagType::kString,
     "Directory of config.json with the logins at registries (default ~/.docker)"},
    {"context", 'c', FlagType::kString, "", "", true},
    {"debug", 'D', FlagType::kBool, "", "", true},
    {"dry-run", 0, FlagType::kBool, "Say what would be done, and do nothing"},
    {"env-file", 0, FlagType::kList, "Specify an alternate environment file"},
    {"file", 'f', FlagType::kList, "Compose configuration files"},
    {"host", 'H', FlagType::kString, "Socket of the engine (unix:///path)"},
    {"log-level", 'l', FlagType::kString, "", "info", true},
    {"parallel", 0, FlagType::kInt, "Control max parallelism, -1 for unlimited", "-1"},
    {"profile", 0, FlagType::kList, "Specify a profile to enable"},
    {"progress", 0, FlagType::kString,
     "Set type of progress output (auto, tty, plain, json, quiet)", "auto"},
    {"project-directory", 0, FlagType::kString,
     "Specify an alternate working directory (default: the path of the, first specified, Compose "
     "file)"},
    {"project-name", 'p', FlagType::kString, "Project name"},
    {"tls", 0, FlagType::kBool, "", "", true},
    {"tlscacert", 0, FlagType::kString, "", "", true},
    {"tlscert", 0, FlagType::kString, "", "", true},
    {"tlskey", 0, FlagType::kString, "", "", true},
    {"tlsverify", 0, FlagType::kBool, "", "", true},
    {"workdir", 0, FlagType::kString, "", "", true},
    {"no-ansi", 0, FlagType::kBool, "", "", true},
    {"verbose", 0, FlagType::kBool, "", "", true},
    {"version", 'v', FlagType::kBool, "Show the version"},
    {"help", 'h', FlagType::kBool, "", "", true},
};

constexpr const Command* kComposeCommands[] = {
    &kAttachCommand,    &kBuildCommand,   &kCommitCommand,   &kConfigCommand, &kCpCommand,
    &kCreateCommand,    &kDisableCommand, &kDownCommand,     &kEnableCommand, &kEventsCommand,
    &kExecCommand,      &kExportCommand,  &kHistoryCommand,  &kImagesCommand, &kKillCommand,
    &kLogsCommand,      &kLsCommand,      &kPauseCommand,    &kPlanCommand,   &kPortCommand,
    &kPsCommand,        &kPublishCommand, &kPullCommand,     &kPushCommand,   &kRestartCommand,
    &kRevisionsCommand, &kRmCommand,      &kRollbackCommand, &kRunCommand,    &kScaleCommand,
    &kStartCommand,     &kStatsCommand,   &kStopCommand,     &kTopCommand,    &kUnpauseCommand,
    &kUpCommand,        &kVersionCommand, &kVolumesCommand,  &kWaitCommand,   &kWatchCommand,
    &kWhyCommand,
};

constexpr const Command* kContainerCommands[] = {
    &docker::kAttach,      &docker::kCommit,
    &docker::kCp,          &docker::kCreate,
    &docker::kDiff,        &docker::kExec,
    &docker::kExport,      &docker::kContainerInspect,
    &docker::kKill,        &docker::kLogs,
    &docker::kContainerLs, &docker::kPause,
    &docker::kPort,        &docker::kContainerPrune,
    &docker::kRename,      &docker::kRestart,
    &docker::kRemove,      &docker::kRun,
    &docker::kStart,       &docker::kStats,
    &docker::kStop,        &docker::kTop,
    &docker::kUnpause,     &docker::kUpdate,
    &docker::kWait,
};
constexpr const Command* kImageCommands[] = {
    &docker::kBuild,    &docker::kHistory, &docker::kImport,     &docker::kImageInspect,
    &docker::kLoad,     &docker::kImageLs, &docker::kImagePrune, &kImagePullCommand,
    &kImagePushCommand, &docker::kImageRm, &docker::kSave,       &docker::kTag,
};
constexpr const Command* kVolumeCommands[] = {
    &docker::kVolumeCreate, &docker::kVolumeInspect, &docker::kVolumeLs,
    &docker::kVolumePrune,  &docker::kVolumeRm,
};
constexpr const Command* kNetworkCommands[] = {
    &docker::kNetworkConnect, &docker::kNetworkCreate, &docker::kNetworkDisconnect,
    &docker::kNetworkInspect, &docker::kNetworkLs,     &docker::kNetworkPrune,
    &docker::kNetworkRm,
};
constexpr const Command* kSystemCommands[] = {
    &docker::kDf,
    &docker::kEvents,
    &docker::kInfo,
    &docker::kSystemPrune,
};
constexpr const Command* kBuilderCommands[] = {&docker::kBuild, &docker::kBuilderPrune};
constexpr const Command* kContextCommands[] = {
    &docker::kContextLs,
    &docker::kContextShow,
    &docker::kContextUse,
};

constexpr Command group(std::string_view name, std::string_view summary,
                        std::span<const Command* const> children, std::string_view alias = {}) {
  Command out;
  out.name = name;
  out.usage = "COMMAND";
  out.summary = summary;
  out.children = children;
  out.alias = alias;
  return out;
}

constinit const Command kBuilderGroup =
    group("builder", "Manage builds", kBuilderCommands, "buildx");
constinit const Command kComposeGroup =
    group("compose", "Define and run multi-container applications", kComposeCommands);
constinit const Command kContainerGroup =
    group("container", "Manage containers", kContainerCommands);
constinit const Command kContextGroup = group("context", "Manage contexts", kContextCommands);
constinit const Command kImageGroup = group("image", "Manage images", kImageCommands);
constinit const Command kNetworkGroup = group("network", "Manage networks", kNetworkCommands);
constinit const Command kSystemGroup =
    group("system", "Look at the engine, and tidy up", kSystemCommands);
constinit const Command kVolumeGroup = group("volume", "Manage volumes", kVolumeCommands);

constexpr const Command* kGroups[] = {
    &kBuilderGroup, &kComposeGroup, &kContainerGroup, &kContextGroup,
    &kImageGroup,   &kNetworkGroup, &kSystemGroup,    &kVolumeGroup,
};

constexpr ShortForm kShortForms[] = {
    {"attach", "container attach", &docker::kAttach},
    {"build", "image build", &docker::kBuild},
    {"commit", "container commit", &docker::kCommit},
    {"cp", "container cp", &docker::kCp},
    {"create", "container create", &docker::kCreate},
    {"diff", "container diff", &docker::kDiff},
    {"events", "system events", &docker::kEvents},
    {"exec", "container exec", &docker::kExec},
    {"export", "container export", &docker::kExport},
    {"history", "image history", &docker::kHistory},
    {"images", "image ls", &docker::kImageLs},
    {"import", "image import", &docker::kImport},
    {"info", "system info", &docker::kInfo},
    {"inspect", "inspect", &docker::kInspect},
    {"login", "login", &kLoginCommand},
    {"logout", "logout", &kLogoutCommand},
    {"kill", "container kill", &docker::kKill},
    {"load", "image load", &docker::kLoad},
    {"logs", "container logs", &docker::kLogs},
    {"pause", "container pause", &docker::kPause},
    {"port", "container port", &docker::kPort},
    {"ps", "container ls", &docker::kContainerLs},
    {"pull", "image pull", &kImagePullCommand},
    {"push", "image push", &kImagePushCommand},
    {"rename", "container rename", &docker::kRename},
    {"restart", "container restart", &docker::kRestart},
    {"rm", "container rm", &docker::kRemove},
    {"rmi", "image rm", &docker::kImageRm},
    {"run", "container run", &docker::kRun},
    {"save", "image save", &docker::kSave},
    {"search", "search", &kSearchCommand},
    {"start", "container start", &docker::kStart},
    {"stats", "container stats", &docker::kStats},
    {"stop", "container stop", &docker::kStop},
    {"tag", "image tag", &docker::kTag},
    {"top", "container top", &docker::kTop},
    {"unpause", "container unpause", &docker::kUnpause},
    {"update", "container update", &docker::kUpdate},
    {"wait", "container wait", &docker::kWait},
};

// One answer for all: it has nothing of a project's in it.
constexpr ShortForm kVersionForm{"version", "version", &docker::kVersionCommand};

const ShortForm* find_short(std::string_view word) {
  const auto found = std::find_if(std::begin(kShortForms), std::end(kShortForms),
                                  [word](const ShortForm& form) { return form.name == word; });
  return found != std::end(kShortForms) ? found : nullptr;
}

constexpr std::string_view kRule =
    "A verb that Compose and Docker both have (ps, run, logs, ...) is Compose's where there is a\n"
    "project: a Compose file here or above, -f, -p, COMPOSE_FILE or COMPOSE_PROJECT_NAME. "
    "Elsewhere\n"
    "it is Docker's. `stack compose VERB` and `stack container VERB` (image, ...) always mean the "
    "one.\n";

}  // namespace

std::span<const FlagSpec> global_flags() { return kGlobalFlags; }
std::span<const Command* const> compose_commands() { return kComposeCommands; }
std::span<const Command* const> command_groups() { return kGroups; }
std::span<const ShortForm> docker_short_forms() { return kShortForms; }

detail::BothMeanings detail::both_meanings(std::string_view word) {
  if (word == kVersionForm.name) return {nullptr, &kVersionForm};
  return {find_command(kComposeCommands, word), find_short(word)};
}

std::vector<std::string> first_words() {
  std::vector<std::string> out;
  for (const Command* command : kGroups) out.emplace_back(command->name);
  for (const Command* command : kComposeCommands) out.emplace_back(command->name);
  for (const ShortForm& form : kShortForms) out.emplace_back(form.name);
  return out;
}

std::string main_help() {
  std::string out = fmt::format(
      "Usage:  stack [OPTIONS] COMMAND\n\nCompose projects and containers, with the commands of "
      "Docker Compose and Docker\n\n{}\nCompose Commands:\n",
      kRule);
  for (const Command* command : kComposeCommands)
    out += fmt::format("  {:<11} {}\n", command->name, command->summary);
  out += "\nDocker Commands:\n";
  for (const ShortForm& form : kShortForms)
    out += fmt::format("  {:<11} {}\n", form.name, form.command->summary);
  out += "\nManagement Commands:\n";
  for (const Command* command : kGroups)
    out += fmt::format("  {:<11} {}\n", command->name, command->summary);
  return out + "\nOptions:\n" + flag_help(kGlobalFlags) +
         "\nRun 'stack COMMAND --help' for more information on a command.\n";
}

}  // namespace stack::cli
