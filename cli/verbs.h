// Compose's commands, each defined in the file of its family.
#pragma once

#include "cli/command.h"

namespace stack::cli {

extern const Command kUpCommand, kCreateCommand, kDownCommand;                    // up.cc, down.cc
extern const Command kStartCommand, kStopCommand, kRestartCommand, kKillCommand;  // lifecycle.cc
extern const Command kRmCommand, kPauseCommand, kUnpauseCommand, kScaleCommand;   // lifecycle.cc
extern const Command kPlanCommand, kRollbackCommand, kRevisionsCommand;           // plan.cc
extern const Command kWhyCommand, kHistoryCommand;                                // why.cc
extern const Command kPsCommand, kLsCommand, kImagesCommand, kVolumesCommand;     // ps.cc, lists.cc
extern const Command kTopCommand, kPortCommand, kVersionCommand,
    kStatsCommand;                                                // lists.cc, stats.cc
extern const Command kLogsCommand, kEventsCommand, kWaitCommand;  // logs.cc, events.cc
extern const Command kExecCommand, kRunCommand, kAttachCommand,
    kCpCommand;                                                       // exec.cc, run.cc, cp.cc
extern const Command kWatchCommand, kEnableCommand, kDisableCommand;  // watch.cc, boot.cc
extern const Command kBuildCommand, kPullCommand, kPushCommand,
    kConfigCommand;  // build.cc, push.cc, config.cc
extern const Command kCommitCommand, kExportCommand, kPublishCommand;  // service_image.cc

extern const Command kLoginCommand, kLogoutCommand, kSearchCommand, kImagePullCommand,
    kImagePushCommand;  // registry_commands.cc

}  // namespace stack::cli
