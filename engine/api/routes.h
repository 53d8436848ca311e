// All routes of the engine: the Docker Engine API and, below /stack/, projects (docs/api.md).
#pragma once

#include "engine/api/router.h"
#include "engine/daemon.h"

namespace stack::engine::api {

Router make_router(Services& services);

// By resource, each in a file of its name.
void add_system_routes(Router& router, Services& services);
void add_disk_usage_routes(Router& router, Services& services);
void add_event_routes(Router& router, Services& services);
void add_container_routes(Router& router, Services& services);
void add_container_list_routes(Router& router, Services& services);
void add_container_stream_routes(Router& router, Services& services);  // logs, attach, wait, stats
void add_container_file_routes(Router& router, Services& services);    // archive, export, changes
void add_exec_routes(Router& router, Services& services);
void add_commit_routes(Router& router, Services& services);
void add_image_routes(Router& router, Services& services);
void add_image_transfer_routes(Router& router, Services& services);  // pull, push, load, save
void add_registry_routes(Router& router, Services& services);        // login, search, distribution
void add_build_routes(Router& router, Services& services);
void add_network_routes(Router& router, Services& services);
void add_volume_routes(Router& router, Services& services);
void add_project_routes(Router& router, Services& services);
void add_swarm_routes(Router& router);

}  // namespace stack::engine::api
