// The parts of the engine and how they know each other: one struct of references, made by
// stackd_main.cc. No part is global.
#pragma once

#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/worker_pool.h"
#include "engine/events.h"

namespace stack::images {
class Store;
}
namespace stack::netd {
class NetdClient;
}
namespace stack::runtime {
class Runtime;
}

namespace stack::engine {

class StateStore;
class Containers;
class Networks;
class Volumes;
class ImageService;
class Projects;
class History;

struct Paths {
  std::filesystem::path root = "/var/lib/stack";  // STACK_ROOT
  std::filesystem::path run = "/run/stack";       // STACK_RUN
  std::filesystem::path programs;  // where stack-shim and stack-netd are: beside stackd
};

struct Services {
  Paths paths;
  EventLoop& loop;
  WorkerPool& pool;       // short blocking work: starting containers, netlink, mounts
  WorkerPool& long_pool;  // pulls, builds, imports, copies
  const Clock& clock;
  EventBus& events;
  StateStore& state;
  images::Store& store;
  runtime::Runtime& runtime;
  netd::NetdClient& netd;
  // Set right after construction, before anything is called.
  Containers* containers = nullptr;
  Networks* networks = nullptr;
  Volumes* volumes = nullptr;
  ImageService* images = nullptr;
  Projects* projects = nullptr;
  History* history = nullptr;
};

}  // namespace stack::engine
