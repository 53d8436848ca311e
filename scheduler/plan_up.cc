#include <fmt/core.h>

#include "compose/config_hash.h"
#include "scheduler/labels.h"
#include "scheduler/reconcile.h"
#include "scheduler/up_planner.h"

namespace stack::scheduler {

UpPlanner::UpPlanner(const compose::Project& project, const Observed& observed,
                     const UpOptions& options, bool images_ready)
    : project_(project), observed_(observed), options_(options), images_ready_(images_ready) {}

Status UpPlanner::begin() {
  if (project_.services.empty() && project_.networks.empty() && project_.volumes.empty())
    return Error::invalid("no service selected");
  for (const auto& [name, count] : options_.scale) {
    if (!project_.services.contains(name))
      return Error::not_found("no such service: " + name + ": not found");
  }
  graph_ = TRY(make_graph(project_.services));
  named_ = TRY(select_services(project_, options_.services));
  inventory_ = take_inventory(project_, observed_);
  return ok_status();
}

Result<int> UpPlanner::scale_of(const compose::Service& service) const {
  int scale = 1;
  if (const auto chosen = options_.scale.find(service.name); chosen != options_.scale.end()) {
    scale = chosen->second;
  } else if (service.scale) {
    scale = *service.scale;
  } else if (service.deploy && service.deploy->replicas) {
    scale = *service.deploy->replicas;
  }
  if (scale < 0)
    return Error::invalid(
        fmt::format("service \"{}\": the scale {} is negative", service.name, scale));
  if (scale > 1 && !service.container_name.empty()) {
    return Error::invalid(fmt::format(
        "WARNING: The \"{}\" service is using the custom container name \"{}\". Docker requires "
        "each container to have a unique name. Remove the custom name to scale the service",
        service.name, service.container_name));
  }
  return scale;
}

Result<Plan> UpPlanner::up() {
  TRY(begin());
  selected_ = options_.no_deps ? named_ : with_dependencies(graph_, named_);
  TRY(plan_networks(selected_));
  TRY(plan_volumes(selected_));
  plan_orphans();
  for (const std::string& name : graph_.order) {
    if (selected_.contains(name)) TRY(plan_create(name));
  }
  if (options_.no_start) return builder_.take();

  std::vector<int> everything = create_steps_;
  everything.insert(everything.end(), resources_.begin(), resources_.end());
  barrier_ = builder_.join(everything, "everything exists");
  for (const std::string& name : graph_.order) {
    if (selected_.contains(name)) plan_start(name);
  }
  plan_other_starts();
  if (options_.wait) plan_wait();
  return builder_.take();
}

Result<Plan> UpPlanner::run(const RunOptions& run) {
  TRY(begin());
  const compose::Service& service = project_.services.at(run.service);
  TRY(require_image(service));
  std::set<std::string> with_target = run.no_deps ? named_ : with_dependencies(graph_, named_);
  selected_ = with_target;
  selected_.erase(run.service);
  named_.clear();  // dependencies are replaced only when they diverged
  TRY(plan_networks(with_target));
  TRY(plan_volumes(with_target));
  plan_orphans();
  for (const std::string& name : graph_.order) {
    if (selected_.contains(name)) TRY(plan_create(name));
  }
  std::vector<int> everything = create_steps_;
  everything.insert(everything.end(), resources_.begin(), resources_.end());
  barrier_ = builder_.join(everything, "everything exists");
  for (const std::string& name : graph_.order) {
    if (selected_.contains(name)) plan_start(name);
  }
  plan_other_starts();

  hashes_[run.service] = compose::config_hash(service);
  CreateContainer create = creation(service, 0);
  create.one_off = true;
  create.use_aliases = run.use_aliases;
  create.name = !run.name.empty() ? run.name
                                  : fmt::format("{}-{}-run-{}", project_.name, run.service,
                                                run.slug.substr(0, 12));
  create.labels[kSlugLabel] = run.slug;
  for (const auto& [key, value] : run.labels) create.labels.emplace(key, value);
  std::vector<int> after = conditions(run.service);
  after.push_back(barrier_);
  const std::string name = create.name;
  const int created = builder_.add(std::move(create), "of `run`", after,
                                   container_words(name, "Creating", "Created"));
  builder_.plan().targets = {{"", name, run.service, 0, created}};
  return builder_.take();
}

Result<Plan> plan_up(const compose::Project& project, const Observed& observed,
                     const UpOptions& options, bool images_ready) {
  return UpPlanner(project, observed, options, images_ready).up();
}

UpOptions run_images(const RunOptions& options) {
  UpOptions up;
  up.services = {options.service};
  up.build = options.build;
  up.pull = options.pull;
  up.no_deps = options.no_deps;
  up.remove_orphans = options.remove_orphans;
  up.ignore_orphans = options.ignore_orphans;
  return up;
}

Result<Plan> plan_run(const compose::Project& project, const Observed& observed,
                      const RunOptions& options, bool images_ready) {
  const UpOptions up = run_images(options);
  return UpPlanner(project, observed, up, images_ready).run(options);
}

}  // namespace stack::scheduler
