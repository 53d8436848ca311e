#include "engine/local_engine.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "engine/containers.h"
#include "engine/image_service.h"
#include "engine/local_images.h"
#include "engine/networks.h"
#include "engine/service_container.h"
#include "engine/volumes.h"
#include "scheduler/labels.h"

namespace stack::engine {

namespace {

using scheduler::Operation;
using scheduler::OperationResult;
using scheduler::ProgressSink;
using scheduler::ProjectPtr;
using OperationDone = std::function<void(Result<OperationResult>)>;

using scheduler::kProjectLabel;
using scheduler::kServiceLabel;
using scheduler::label_of;

// A callback that ends an operation which yields nothing.
std::function<void(Result<Unit>)> ends(OperationDone done) {
  return [done = std::move(done)](Result<Unit> result) {
    if (result.ok()) return done(OperationResult{});
    done(std::move(result).error());
  };
}

Result<const compose::Service*> service_of(const ProjectPtr& project, const std::string& name) {
  const auto it = project->services.find(name);
  if (it == project->services.end()) return Error::not_found("no such service: " + name);
  return &it->second;
}

// One operation: a function per alternative of scheduler::Operation.
struct Perform {
  Services& services;
  const ProjectPtr& project;
  const ProgressSink& progress;
  std::stop_token cancel;
  OperationDone done;

  Result<std::string> container_of(const std::string& service) const {
    const Container* found = nullptr;
    for (const Container* c : services.containers->list()) {
      const auto& labels = c->config.labels;
      if (label_of(labels, kProjectLabel) != project->name ||
          label_of(labels, kServiceLabel) != service)
        continue;
      if (label_of(labels, "com.docker.compose.oneoff") == "True") continue;
      // A container that is about to be replaced carries its number too; the newest one is what is
      // meant.
      if (found == nullptr || c->created > found->created) found = c;
    }
    if (found == nullptr) return Error::not_found("service \"" + service + "\" has no container");
    return found->id;
  }

  static Status write_injected(const ServiceContainer::InjectedFile& file) {
    TRY(make_directories(file.path.parent_path(), 0700));
    TRY(replace_file(file.path, file.text, file.mode));
    // umask must not take bits away, and the asked owner may be anybody.
    if (::chmod(file.path.c_str(), file.mode) != 0 ||
        ::chown(file.path.c_str(), file.uid, file.gid) != 0) {
      return Error::os(errno, file.path.string());
    }
    return ok_status();
  }

  Result<ServiceContainer> service_container(const compose::Service& service,
                                             ServicePlacement placement) const {
    placement.files_directory = services.paths.run / "projects" / project->name;
    placement.container_of = [this](const std::string& name) { return container_of(name); };
    return container_of_service(*project, service, placement);
  }

  void operator()(const scheduler::EnsureImage& op) {
    ensure_image(services, project, op, progress, cancel, std::move(done));
  }

  void operator()(const scheduler::RemoveImage& op) {
    services.images->remove(op.reference, false,
                            [done = std::move(done)](Result<images::RemoveReport> report) {
                              if (report.ok() || report.error().kind == ErrorKind::kNotFound)
                                return done(OperationResult{});
                              done(std::move(report).error());
                            });
  }

  void operator()(const scheduler::CreateNetwork& op) {
    const auto existing = services.networks->find(op.name);
    if (existing.ok() && (*existing)->config.name == op.name)
      return done(OperationResult{(*existing)->id, 0});
    const auto it = project->networks.find(op.key);
    if (it == project->networks.end()) return done(Error::not_found("undefined network " + op.key));
    const compose::Network& from = it->second;
    NetworkConfig config;
    config.name = op.name;
    if (!from.driver.empty()) config.driver = from.driver;
    config.internal = from.internal;
    config.attachable = from.attachable;
    config.enable_ipv4 = from.enable_ipv4.value_or(true);
    config.enable_ipv6 = from.enable_ipv6.value_or(false);
    for (const auto& pool : from.ipam.config)
      config.ipam.push_back({pool.subnet, pool.gateway, pool.ip_range, pool.aux_addresses});
    config.options = from.driver_opts;
    config.labels = from.labels;
    for (const auto& [key, value] : op.labels) config.labels[key] = value;
    services.networks->create(std::move(config), [done = std::move(done)](Result<std::string> id) {
      if (!id.ok()) return done(std::move(id).error());
      done(OperationResult{*id, 0});
    });
  }

  void operator()(const scheduler::RemoveNetwork& op) {
    services.networks->remove(op.id.empty() ? op.name : op.id,
                              [done = std::move(done)](Result<Unit> removed) {
                                if (removed.ok() || removed.error().kind == ErrorKind::kNotFound)
                                  return done(OperationResult{});
                                done(std::move(removed).error());
                              });
  }

  void operator()(const scheduler::ConnectNetwork& op) {
    auto service = service_of(project, op.container.service);
    if (!service.ok()) return done(std::move(service).error());
    ServicePlacement placement;
    placement.container_name = op.container.name;
    auto made = service_container(**service, std::move(placement));
    if (!made.ok()) return done(std::move(made).error());
    services.containers->connect(op.container.id, op.name, made->config.networks[op.name],
                                 ends(std::move(done)));
  }

  void operator()(const scheduler::DisconnectNetwork& op) {
    services.containers->disconnect(op.container.id, op.name, ends(std::move(done)));
  }

  void operator()(const scheduler::CreateVolume& op) {
    Volume volume;
    volume.name = op.name;
    if (const auto it = project->volumes.find(op.key); it != project->volumes.end()) {
      volume.driver = it->second.driver;
      volume.options = it->second.driver_opts;
      volume.labels = it->second.labels;
    }
    for (const auto& [key, value] : op.labels) volume.labels[key] = value;
    auto created = services.volumes->create(std::move(volume));
    if (!created.ok()) return done(std::move(created).error());
    done(OperationResult{(*created)->name, 0});
  }

  void operator()(const scheduler::RemoveVolume& op) {
    Status removed = services.volumes->remove(op.name, true);
    if (!removed.ok()) return done(std::move(removed).error());
    done(OperationResult{});
  }

  void operator()(const scheduler::CreateContainer& op) {
    // A repeat after a crash finds what the first try made.
    if (const auto existing = services.containers->find(op.name);
        existing.ok() && (*existing)->name == op.name &&
        label_of((*existing)->config.labels, kProjectLabel) == project->name &&
        label_of((*existing)->config.labels, "com.docker.compose.config-hash") ==
            label_of(op.labels, "com.docker.compose.config-hash") &&
        (*existing)->id != op.replaces.id) {
      return done(OperationResult{(*existing)->id, 0});
    }
    auto service = service_of(project, op.service);
    if (!service.ok()) return done(std::move(service).error());
    auto image = services.store.find(op.image);
    if (!image.ok()) return done(std::move(image).error());
    ServicePlacement placement;
    placement.container_name = op.replaces.id.empty() ? op.name : op.replaces.name;
    placement.labels = op.labels;
    placement.labels["com.docker.compose.image"] = image->id;
    const compose::StackOptions& own = (*service)->x_stack;
    const std::string& on_unhealthy =
        own.on_unhealthy.empty() ? project->x_stack.on_unhealthy : own.on_unhealthy;
    if (!on_unhealthy.empty()) placement.labels["io.stack.on-unhealthy"] = on_unhealthy;
    placement.one_off = op.one_off;
    placement.service_ports =
        op.one_off;  // what `run` does not publish is not in the project that it passes
    placement.use_aliases = op.use_aliases;
    auto made = service_container(**service, std::move(placement));
    if (!made.ok()) return done(std::move(made).error());
    for (const auto& file : made->files) {
      const Status written = write_injected(file);
      if (!written.ok()) return done(written.error());
    }
    ContainerConfig config = std::move(made->config);
    config.image = op.image;
    // The one who runs it is its only input: where that ends, the program sees the end.
    if (op.one_off) config.stdin_once = config.open_stdin;
    services.containers->create(op.name, std::move(config),
                                op.inherit_anonymous_volumes ? op.replaces.id : std::string(),
                                [done = std::move(done)](Result<CreatedContainer> created) {
                                  if (!created.ok()) return done(std::move(created).error());
                                  done(OperationResult{created->id, 0});
                                });
  }

  void operator()(const scheduler::RenameContainer& op) {
    if (const auto c = services.containers->find(op.container.id); c.ok() && (*c)->name == op.to)
      return done(OperationResult{});
    services.containers->rename(op.container.id, op.to, ends(std::move(done)));
  }
  void operator()(const scheduler::StartContainer& op) {
    // Texts of configs and secrets live in memory only; after a reboot they are written again
    // before a start.
    if (project != nullptr) {
      if (const auto it = project->services.find(op.container.service);
          it != project->services.end()) {
        ServicePlacement placement;
        placement.container_name = op.container.name;
        if (!it->second.configs.empty() || !it->second.secrets.empty()) {
          auto made = service_container(it->second, std::move(placement));
          if (!made.ok()) return done(std::move(made).error());
          for (const auto& file : made->files) {
            const Status written = write_injected(file);
            if (!written.ok()) return done(written.error());
          }
        }
      }
    }
    if (op.standby)
      return services.containers->start_standby(op.container.id, ends(std::move(done)));
    services.containers->start(op.container.id, ends(std::move(done)));
  }
  void operator()(const scheduler::TakeOver& op) {
    services.containers->take_over(op.container.id, op.from.id, ends(std::move(done)));
  }
  void operator()(const scheduler::DrainContainer& op) {
    services.containers->drain(op.container.id, std::chrono::seconds(op.seconds), cancel,
                               ends(std::move(done)));
  }
  void operator()(const scheduler::StopContainer& op) {
    services.containers->stop(op.container.id, op.timeout, "", ends(std::move(done)));
  }
  void operator()(const scheduler::KillContainer& op) {
    services.containers->kill(op.container.id, op.signal,
                              [done = std::move(done)](Result<Unit> killed) {
                                if (killed.ok() || killed.error().kind == ErrorKind::kConflict)
                                  return done(OperationResult{});
                                done(std::move(killed).error());
                              });
  }
  void operator()(const scheduler::PauseContainer& op) {
    services.containers->pause(op.container.id, ends(std::move(done)));
  }
  void operator()(const scheduler::UnpauseContainer& op) {
    services.containers->unpause(op.container.id, ends(std::move(done)));
  }
  void operator()(const scheduler::RemoveContainer& op) {
    services.containers->remove(op.container.id, {true, op.volumes},
                                [done = std::move(done)](Result<Unit> removed) {
                                  if (removed.ok() || removed.error().kind == ErrorKind::kNotFound)
                                    return done(OperationResult{});
                                  done(std::move(removed).error());
                                });
  }
  void operator()(const scheduler::RunHook& op) {
    run_hook(services, op, progress, cancel, std::move(done));
  }
  template <typename Waiting>
  void operator()(const Waiting& op) {
    done(Error::make(ErrorKind::kInternal,
                     scheduler::to_string(Operation(op)) + " is not the engine's work"));
  }
};

}  // namespace

void LocalEngine::perform(const scheduler::ProjectPtr& project, const Operation& op,
                          const ProgressSink& progress, std::stop_token cancel,
                          Done<OperationResult> done) {
  std::visit(Perform{services_, project, progress, std::move(cancel), std::move(done)}, op);
}

scheduler::Subscription LocalEngine::watch(const std::string& project,
                                           std::function<void()> look_again) {
  auto subscription = std::make_shared<EventBus::Subscription>(
      services_.events.subscribe([project, look_again = std::move(look_again)](const Event& event) {
        if (event.type != "container" || event.action.rfind("exec_", 0) == 0) return;
        if (label_of(event.attributes, kProjectLabel) == project) look_again();
      }));
  return scheduler::Subscription([subscription]() mutable { subscription.reset(); });
}

}  // namespace stack::engine
