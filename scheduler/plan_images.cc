#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "compose/units.h"
#include "scheduler/graph.h"
#include "scheduler/inputs.h"
#include "scheduler/inventory.h"
#include "scheduler/labels.h"
#include "scheduler/plan_builder.h"
#include "scheduler/reconcile.h"

namespace stack::scheduler {

namespace {

std::string policy_of(const compose::Service& service, PullPolicy chosen) {
  switch (chosen) {
    case PullPolicy::kAlways:
      return "always";
    case PullPolicy::kMissing:
      return "missing";
    case PullPolicy::kNever:
      return "never";
    case PullPolicy::kFromFile:
      break;
  }
  return service.pull_policy;
}

// After how long an image is pulled again: daily, weekly, every_<duration>.
std::optional<Duration> refresh_interval(const std::string& policy) {
  using std::chrono::hours;
  if (policy == "daily") return hours(24);
  if (policy == "weekly") return hours(24 * 7);
  if (!policy.starts_with("every_")) return std::nullopt;
  const auto interval = compose::parse_duration(policy.substr(6));
  return interval.ok() ? std::optional<Duration>(*interval) : std::nullopt;
}

// Why an image that is there is pulled again, or nothing.
std::string refresh_cause(const std::string& policy, const std::string& reference,
                          const Observed& observed) {
  if (policy == "always") return "pull_policy is always";
  const auto interval = refresh_interval(policy);
  const auto since = observed.image_ages.find(reference);
  if (!interval || since == observed.image_ages.end()) return {};
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(observed.now - since->second);
  if (age < *interval) return {};
  return fmt::format("pull_policy is {} and it is {} old", policy, compose::duration_text(age));
}

StepWords image_words(const EnsureImage& op) {
  if (op.pull) return {op.service, "Pulling", "Pulled"};
  return {op.reference, "Building", "Built"};
}

std::set<std::string> built_references(const compose::Project& project) {
  std::set<std::string> references;
  for (const auto& [name, service] : project.services) {
    if (service.build) references.insert(image_reference(project, service));
  }
  return references;
}

// The services whose images a build may start from: additional_contexts with service:x.
std::vector<std::string> contexts_of(const compose::Project& project,
                                     const compose::Service& service) {
  std::vector<std::string> names;
  if (!service.build) return names;
  for (const auto& [name, context] : service.build->additional_contexts) {
    std::string other(service_reference(context));
    if (project.services.contains(other)) names.push_back(std::move(other));
  }
  return names;
}

// Which images are made one after another. A service's image may start from that of a service it
// depends on (FROM says so, and is not read here), or names it as a context.
class BuildOrder {
 public:
  BuildOrder(const compose::Project& project, const Graph& graph)
      : project_(project), graph_(graph) {
    for (const std::string& name : graph.order) visit(name);
  }

  const std::vector<std::string>& names() const { return names_; }

  std::set<std::string> with_contexts(const std::set<std::string>& selected) const {
    std::set<std::string> out = selected;
    // A context comes before the service that uses it.
    for (auto name = names_.rbegin(); name != names_.rend(); ++name) {
      if (!out.contains(*name)) continue;
      for (std::string& other : contexts_of(project_, project_.services.at(*name)))
        out.insert(std::move(other));
    }
    return out;
  }

  // The steps among `steps` that the build of a service comes after.
  std::vector<int> before(const std::string& name, const std::map<std::string, int>& steps) const {
    std::set<std::string> earlier = with_dependencies(graph_, {name});
    for (std::string& other : contexts_of(project_, project_.services.at(name)))
      earlier.insert(std::move(other));
    std::vector<int> after;
    for (const std::string& other : earlier) {
      const auto step = steps.find(other);
      if (step != steps.end() && project_.services.at(other).build) after.push_back(step->second);
    }
    return after;
  }

 private:
  void visit(const std::string& name) {
    if (!seen_.insert(name).second) return;
    for (const Edge& edge : graph_.dependencies.at(name)) visit(edge.service);
    for (const std::string& other : contexts_of(project_, project_.services.at(name))) visit(other);
    names_.push_back(name);
  }

  const compose::Project& project_;
  const Graph& graph_;
  std::set<std::string> seen_;
  std::vector<std::string> names_;
};

}  // namespace

ObserveRequest what_to_observe(const compose::Project& project) {
  ObserveRequest request;
  request.project = project.name;
  std::set<std::string> images;
  for (const auto& [name, service] : project.services) {
    if (!service.provider) images.insert(image_reference(project, service));
  }
  request.images.assign(images.begin(), images.end());
  for (const auto& [key, network] : project.networks) request.networks.push_back(network.name);
  for (const auto& [key, volume] : project.volumes) request.volumes.push_back(volume.name);
  request.files = input_files(project);
  request.working_dir = project.working_dir;
  return request;
}

Result<Plan> plan_images(const compose::Project& project, const Observed& observed,
                         const UpOptions& options) {
  using Build = EnsureImage::Build;
  PlanBuilder builder;
  if (options.only_missing) return builder.take();
  const auto named = TRY(select_services(project, options.services));
  const Graph graph = TRY(make_graph(project.services));
  const BuildOrder order(project, graph);
  const auto selected =
      order.with_contexts(options.no_deps ? named : with_dependencies(graph, named));
  const auto built = built_references(project);
  std::set<std::string> pulled;
  std::map<std::string, int> steps;

  for (const std::string& name : order.names()) {
    const compose::Service& service = project.services.at(name);
    if (!selected.contains(name) || service.provider) continue;
    const std::string reference = image_reference(project, service);
    const bool present = observed.image_ids.contains(reference);
    const std::string policy = policy_of(service, options.pull);
    std::string cause = "it is not present";

    EnsureImage op{name, reference, false, Build::kNo, options.no_cache, false, options.build_args};
    if (service.build && !options.no_build) {
      if (options.build || policy == "build") {
        op.build = Build::kYes;
        cause = options.build ? "--build" : "pull_policy is build";
      } else if (!present) {
        op.build = Build::kYes;
      }
    }
    const bool forced = op.build == Build::kYes && (options.build || policy == "build");
    if (!service.image.empty() && policy != "never" && policy != "build" && !forced) {
      const std::string refresh = refresh_cause(policy, reference, observed);
      op.pull = !refresh.empty() || (!present && (service.build || !built.contains(reference)));
      if (!refresh.empty()) cause = refresh;
    }
    if (op.pull && service.build && !options.no_build) op.build = Build::kIfPullFails;
    if (!op.pull && op.build == Build::kNo) continue;
    if (op.build == Build::kNo && !pulled.insert(reference).second) continue;
    const StepWords words = image_words(op);
    std::vector<int> after = service.build ? order.before(name, steps) : std::vector<int>{};
    steps[name] = builder.add(std::move(op), cause, std::move(after), words);
  }
  return builder.take();
}

Result<Plan> plan_build(const compose::Project& project, const ImageOptions& options) {
  PlanBuilder builder;
  const auto named = TRY(select_services(project, options.services));
  const Graph graph = TRY(make_graph(project.services));
  const BuildOrder order(project, graph);
  const auto selected =
      order.with_contexts(options.with_dependencies ? with_dependencies(graph, named) : named);
  std::map<std::string, int> steps;
  for (const std::string& name : order.names()) {
    const compose::Service& service = project.services.at(name);
    if (!selected.contains(name) || !service.build) continue;
    EnsureImage op{name,
                   image_reference(project, service),
                   false,
                   EnsureImage::Build::kYes,
                   options.no_cache,
                   options.pull,
                   options.build_args,
                   options.plain};
    const StepWords words = image_words(op);
    steps[name] = builder.add(std::move(op), "", order.before(name, steps), words);
  }
  if (builder.plan().empty()) builder.plan().warnings.push_back("No services to build");
  return builder.take();
}

Result<Plan> plan_pull(const compose::Project& project, const Observed& observed,
                       const ImageOptions& options) {
  PlanBuilder builder;
  const auto selected = TRY(select_services(project, options.services));
  const auto built = built_references(project);
  std::map<std::string, std::string> pulled;  // reference -> service
  const auto skip = [&](const std::string& name, const std::string& why) {
    builder.plan().kept.push_back({name, "Skipped", ProgressKind::kDone, why, {}, 0, 0});
  };
  for (const std::string& name : selected) {
    const compose::Service& service = project.services.at(name);
    const std::string policy = policy_of(service, options.policy);
    if (service.image.empty()) {
      skip(name, "No image to be pulled");
      continue;
    }
    const bool present = observed.image_ids.contains(service.image);
    if (policy == "never" || policy == "build") {
      skip(name, "");
    } else if (options.ignore_buildable && built.contains(service.image)) {
      skip(name, "Image can be built");
    } else if (present && (policy == "missing" || policy == "if_not_present")) {
      skip(name, "Image is already present locally");
    } else if (const auto [it, fresh] = pulled.emplace(service.image, name); !fresh) {
      skip(name, "Image is already being pulled by " + it->second);
    } else {
      EnsureImage op{name, service.image, true, EnsureImage::Build::kNo, false, false, {}};
      const StepWords words = image_words(op);
      builder.add(std::move(op), "", {}, words);
    }
  }
  return builder.take();
}

}  // namespace stack::scheduler
