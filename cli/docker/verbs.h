// Docker's commands, each defined in the file of its family.
#pragma once

#include "cli/command.h"

namespace stack::cli::docker {

extern const Command kRun, kCreate, kStart, kAttach, kExec;  // run.cc, start.cc, exec.cc
extern const Command kStop, kRestart, kKill, kPause, kUnpause, kRemove;  // lifecycle.cc
extern const Command kWait, kRename, kUpdate;                            // lifecycle.cc, update.cc
extern const Command kContainerLs, kContainerInspect, kInspect;  // container_list.cc, inspect.cc
extern const Command kLogs, kStats, kTop, kPort, kDiff;          // logs.cc, stats.cc, look.cc
extern const Command kCommit, kExport, kCp;                      // container_files.cc
extern const Command kImageLs, kImageInspect, kImageRm, kTag, kHistory;  // images.cc
extern const Command kPull, kPush, kLoad, kSave, kImport,
    kBuild;  // image_transfer.cc, image_archive.cc
extern const Command kContainerPrune, kImagePrune, kNetworkPrune, kVolumePrune, kBuilderPrune,
    kSystemPrune;  // prune.cc
extern const Command kNetworkLs, kNetworkCreate, kNetworkRm, kNetworkInspect, kNetworkConnect,
    kNetworkDisconnect;                                                    // networks.cc
extern const Command kVolumeLs, kVolumeCreate, kVolumeRm, kVolumeInspect;  // volumes.cc
extern const Command kInfo, kDf, kEvents, kVersionCommand;   // info.cc, df.cc, events.cc
extern const Command kContextLs, kContextShow, kContextUse;  // contexts.cc

}  // namespace stack::cli::docker
