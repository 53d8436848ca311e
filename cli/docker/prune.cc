// container, image, network, volume, builder and system prune.
#include <fmt/core.h>

#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/duration_text.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kPlainFlags[] = {
    {"filter", 0, FlagType::kFilters, "Provide filter values (e.g. \"until=<timestamp>\")"},
    {"force", 'f', FlagType::kBool, "Do not prompt for confirmation"},
};
constexpr FlagSpec kAllFlags[] = {
    {"all", 'a', FlagType::kBool, "Remove all unused, not just dangling or anonymous ones"},
    {"filter", 0, FlagType::kFilters, "Provide filter values (e.g. \"label=<key>=<value>\")"},
    {"force", 'f', FlagType::kBool, "Do not prompt for confirmation"},
};
constexpr FlagSpec kSystemFlags[] = {
    {"volumes", 0, FlagType::kBool, "Prune anonymous volumes"},
};
constexpr FlagSpec kBuilderFlags[] = {
    {"keep-storage", 0, FlagType::kString, "", "", true},
    {"max-used-space", 0, FlagType::kString, "", "", true},
    {"min-free-space", 0, FlagType::kString, "", "", true},
    {"reserved-space", 0, FlagType::kString, "", "", true},
    {"verbose", 0, FlagType::kBool, "", "", true},
};

// What one kind of resource is called at each place.
struct Kind {
  const char* path;     // of the API
  const char* deleted;  // member of the answer
  const char* title;    // "Deleted Containers:"
};
constexpr Kind kContainers{"/containers/prune", "ContainersDeleted", "Deleted Containers:"};
constexpr Kind kNetworks{"/networks/prune", "NetworksDeleted", "Deleted Networks:"};
constexpr Kind kVolumes{"/volumes/prune", "VolumesDeleted", "Deleted Volumes:"};
constexpr Kind kImages{"/images/prune", "ImagesDeleted", "Deleted Images:"};
constexpr Kind kCache{"/build/prune", "CachesDeleted", "Deleted build cache objects:"};

// Prunes one kind, prints what went and answers with the bytes that are free again.
Result<std::int64_t> prune(const Engine& engine, const Kind& kind,
                           const std::vector<std::string>& filters, const std::string& query = {}) {
  std::string target = fmt::format("{}{}?{}", kApi, kind.path, query);
  target += filters_query(filters);
  const Document answer = TRY(post_document(engine, target));
  const auto deleted = answer[kind.deleted].items();
  if (!deleted.empty()) print(fmt::format("{}\n", kind.title));
  for (const JsonView item : deleted) {
    if (!item.is_object()) {
      print(item.text() + '\n');
      continue;
    }
    for (const auto& [what, id] : item.members()) {
      std::string word = what;  // "Untagged" is shown as "untagged"
      word[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(word[0])));
      print(fmt::format("{}: {}\n", word, id.text()));
    }
  }
  if (!deleted.empty()) print("\n");
  return answer.root().number("SpaceReclaimed");
}

void print_total(std::int64_t bytes) {
  print(fmt::format("Total reclaimed space: {}\n", human_size(static_cast<double>(bytes), 4)));
}

bool may_go_on(const Arguments& args, std::string_view warning) {
  return args.on("force") || confirmed(warning);
}

Result<int> prune_containers(Context& context, const Arguments& args) {
  if (!may_go_on(args, "WARNING! This will remove all stopped containers.\n")) return 0;
  const Engine* engine = TRY(context.engine());
  print_total(TRY(prune(*engine, kContainers, args.list("filter"))));
  return 0;
}

Result<int> prune_networks(Context& context, const Arguments& args) {
  if (!may_go_on(
          args,
          "WARNING! This will remove all custom networks not used by at least one container.\n"))
    return 0;
  const Engine* engine = TRY(context.engine());
  TRY(prune(*engine, kNetworks, args.list("filter")));
  return 0;
}

std::vector<std::string> with_all(const Arguments& args) {
  auto filters = args.list("filter");
  if (args.on("all")) filters.emplace_back("all=true");
  return filters;
}

Result<int> prune_volumes(Context& context, const Arguments& args) {
  const char* warning =
      args.on("all")
          ? "WARNING! This will remove all local volumes not used by at least one container.\n"
          : "WARNING! This will remove anonymous local volumes not used by at least one "
            "container.\n";
  if (!may_go_on(args, warning)) return 0;
  const Engine* engine = TRY(context.engine());
  print_total(TRY(prune(*engine, kVolumes, with_all(args))));
  return 0;
}

std::vector<std::string> image_filters(const Arguments& args) {
  auto filters = args.list("filter");
  filters.emplace_back(args.on("all") ? "dangling=false" : "dangling=true");
  return filters;
}

Result<int> prune_images(Context& context, const Arguments& args) {
  const char* warning = args.on("all") ? "WARNING! This will remove all images without at least "
                                         "one container associated to them.\n"
                                       : "WARNING! This will remove all dangling images.\n";
  if (!may_go_on(args, warning)) return 0;
  const Engine* engine = TRY(context.engine());
  print_total(TRY(prune(*engine, kImages, image_filters(args))));
  return 0;
}

Result<int> prune_builder(Context& context, const Arguments& args) {
  const char* warning = args.on("all") ? "WARNING! This will remove all build cache.\n"
                                       : "WARNING! This will remove all dangling build cache.\n";
  if (!may_go_on(args, warning)) return 0;
  std::string query = args.on("all") ? "all=1" : "";
  for (const auto& [flag, name] : {std::pair{"keep-storage", "keep-storage"},
                                   {"reserved-space", "reserved-space"},
                                   {"max-used-space", "max-used-space"},
                                   {"min-free-space", "min-free-space"}}) {
    if (args.given(flag))
      query += fmt::format("&{}={}", name, TRY(bytes_flag(flag, args.text(flag))));
  }
  const Engine* engine = TRY(context.engine());
  const auto freed = TRY(prune(*engine, kCache, args.list("filter"), query));
  print(fmt::format("Total:\t{}\n", human_size(static_cast<double>(freed), 4)));
  return 0;
}

Result<int> prune_system(Context& context, const Arguments& args) {
  if (args.on("volumes")) {
    for (const std::string& filter : args.list("filter")) {
      if (filter.starts_with("until="))
        return Error::invalid("ERROR: The \"until\" filter is not supported with \"--volumes\"");
    }
  }
  std::string warning =
      "WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at "
      "least one container\n";
  if (args.on("volumes"))
    warning += "  - all anonymous volumes not used by at least one container\n";
  warning += args.on("all") ? "  - all images without at least one container associated to them\n  "
                              "- all build cache\n"
                            : "  - all dangling images\n  - unused build cache\n";
  if (!may_go_on(args, warning + '\n')) return 0;
  const Engine* engine = TRY(context.engine());
  const auto filters = args.list("filter");
  std::int64_t freed = TRY(prune(*engine, kContainers, filters));
  TRY(prune(*engine, kNetworks, filters));
  if (args.on("volumes")) freed += TRY(prune(*engine, kVolumes, filters));
  freed += TRY(prune(*engine, kImages, image_filters(args)));
  freed += TRY(prune(*engine, kCache, filters, args.on("all") ? "all=1" : ""));
  print_total(freed);
  return 0;
}

}  // namespace

constinit const Command kContainerPrune{.name = "prune",
                                        .usage = "[OPTIONS]",
                                        .summary = "Remove all stopped containers",
                                        .flags = kPlainFlags,
                                        .run = prune_containers,
                                        .words = Words::kDocker,
                                        .max_args = 0};
constinit const Command kNetworkPrune{.name = "prune",
                                      .usage = "[OPTIONS]",
                                      .summary = "Remove all unused networks",
                                      .flags = kPlainFlags,
                                      .run = prune_networks,
                                      .words = Words::kDocker,
                                      .max_args = 0};
constinit const Command kVolumePrune{.name = "prune",
                                     .usage = "[OPTIONS]",
                                     .summary = "Remove unused local volumes",
                                     .flags = kAllFlags,
                                     .run = prune_volumes,
                                     .words = Words::kDocker,
                                     .max_args = 0};
constinit const Command kImagePrune{.name = "prune",
                                    .usage = "[OPTIONS]",
                                    .summary = "Remove unused images",
                                    .flags = kAllFlags,
                                    .run = prune_images,
                                    .words = Words::kDocker,
                                    .max_args = 0};
constinit const Command kBuilderPrune{.name = "prune",
                                      .usage = "[OPTIONS]",
                                      .summary = "Remove build cache",
                                      .flags = kAllFlags,
                                      .run = prune_builder,
                                      .words = Words::kDocker,
                                      .max_args = 0,
                                      .more_flags = kBuilderFlags};
constinit const Command kSystemPrune{.name = "prune",
                                     .usage = "[OPTIONS]",
                                     .summary = "Remove unused data",
                                     .flags = kAllFlags,
                                     .run = prune_system,
                                     .words = Words::kDocker,
                                     .max_args = 0,
                                     .more_flags = kSystemFlags};

}  // namespace stack::cli::docker
