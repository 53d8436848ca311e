// image ls, rm, tag and history.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include "cli/docker/rows.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/duration_text.h"
#include "cli/registry_client.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kLsFlags[] = {
    {"all", 'a', FlagType::kBool, "Show all images (default hides intermediate images)"},
    {"digests", 0, FlagType::kBool, "Show digests"},
    {"filter", 'f', FlagType::kFilters, "Filter output based on conditions provided"},
    {"format", 0, FlagType::kString, kFormatUsage},
    {"no-trunc", 0, FlagType::kBool, "Don't truncate output"},
    {"quiet", 'q', FlagType::kBool, "Only show image IDs"},
    {"tree", 0, FlagType::kBool, "", "", true},
};
constexpr FlagSpec kRmFlags[] = {
    {"force", 'f', FlagType::kBool, "Force removal of the image"},
    {"no-prune", 0, FlagType::kBool, "Do not delete untagged parents"},
    {"platform", 0, FlagType::kList, "Remove only the given platform variant."},
};
constexpr FlagSpec kHistoryFlags[] = {
    {"format", 0, FlagType::kString, kFormatUsage},
    {"human", 'H', FlagType::kBool, "Print sizes and dates in human readable format", "true"},
    {"no-trunc", 0, FlagType::kBool, "Don't truncate output"},
    {"platform", 0, FlagType::kString, "Show history for the given platform."},
    {"quiet", 'q', FlagType::kBool, "Only show image IDs"},
};

Result<int> ls(Context& context, const Arguments& args) {
  if (args.on("tree"))
    return Error::invalid("--tree is not supported")
        .fix("`stack image inspect NAME` shows an image's platform.");
  const Engine* engine = TRY(context.engine());
  auto filters = args.list("filter");
  if (!args.positional.empty()) filters.push_back("reference=" + args.positional[0]);
  std::string target = fmt::format("{}/images/json?all={}", kApi, args.on("all") ? 1 : 0);
  const std::string format = args.text("format");
  const bool digests = args.on("digests") || format.find(".Digest") != std::string::npos;
  if (digests) target += "&digests=1";
  target += filters_query(filters);
  const Document answer = TRY(get_document(*engine, target));
  auto images = answer.root().items();
  std::stable_sort(images.begin(), images.end(), [](JsonView a, JsonView b) {
    return a.number("Created") > b.number("Created");
  });
  const auto now = std::chrono::system_clock::now();
  std::vector<Record> records;
  for (const JsonView image : images) {
    for (Record& row : image_rows(image, {!args.on("no-trunc"), digests}, now))
      records.push_back(std::move(row));
  }
  std::vector<Column> columns{{"REPOSITORY", "Repository"}, {"TAG", "Tag"}};
  if (args.on("digests")) columns.push_back({"DIGEST", "Digest"});
  for (const Column& column :
       {Column{"IMAGE ID", "ID"}, Column{"CREATED", "CreatedSince"}, Column{"SIZE", "Size"}})
    columns.push_back(column);
  print(TRY(render_rows(args, "ID", columns, records)));
  return 0;
}

Result<int> rm(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  std::string query =
      fmt::format("?force={}&noprune={}", args.on("force") ? 1 : 0, args.on("no-prune") ? 1 : 0);
  return for_each_name(args.positional, [&](const std::string& name) -> Status {
    const auto removed = engine->http().remove(image_path(name) + query);
    if (!removed.ok() && args.on("force") && removed.error().kind == ErrorKind::kNotFound) {
      print_error(removed.error());
      return ok_status();
    }
    if (!removed.ok()) return removed.error();
    const Document answer = TRY(Document::parse(*removed));
    for (const JsonView done : answer.root().items()) {
      for (const auto& [what, id] : done.members()) print(fmt::format("{}: {}\n", what, id.text()));
    }
    return ok_status();
  });
}

Result<int> tag(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const auto [name, version, digest] = split_image_name(args.positional[1]);
  TRY(engine->http().post(fmt::format("{}/tag?repo={}&tag={}", image_path(args.positional[0]),
                                      url_encode(name), url_encode(version))));
  return 0;
}

// What the shell form of RUN adds is noise in a narrow column.
std::string created_by(const std::string& text, bool truncate) {
  std::string out = text;
  std::replace(out.begin(), out.end(), '\t', ' ');
  return truncate ? ellipsis(out, 45) : out;
}

Result<int> history(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const Document answer = TRY(get_document(*engine, image_path(args.positional[0]) + "/history"));
  const bool truncate = !args.on("no-trunc");
  const bool human = args.on("human");
  const auto now = std::chrono::system_clock::now();
  std::vector<Record> records;
  for (const JsonView layer : answer.root().items()) {
    const std::int64_t created = layer.number("Created");
    const std::string id = layer.text("Id");
    const std::string moment = rfc3339_text(created * 1'000'000'000);
    const std::int64_t size = layer.number("Size");
    records.emplace_back()
        .add("Comment", layer.text("Comment"))
        .add("CreatedAt", moment)
        .add("CreatedBy", created_by(layer.text("CreatedBy"), truncate))
        .add("CreatedSince", human ? age_text(created, now) : moment)
        .add("ID", truncate ? (id.empty()            ? "<missing>"
                               : id.starts_with('<') ? id
                                                     : short_id(id))
                            : id)
        .add("Size", human ? human_size(static_cast<double>(size)) : std::to_string(size));
  }
  print(TRY(render_rows(args, "ID",
                        {{"IMAGE", "ID"},
                         {human ? "CREATED" : "CREATED AT", "CreatedSince"},
                         {"CREATED BY", "CreatedBy"},
                         {"SIZE", "Size"},
                         {"COMMENT", "Comment"}},
                        records)));
  return 0;
}

}  // namespace

constinit const Command kImageLs{.name = "ls",
                                 .usage = "[OPTIONS] [REPOSITORY[:TAG]]",
                                 .summary = "List images",
                                 .flags = kLsFlags,
                                 .run = ls,
                                 .alias = "list",
                                 .words = Words::kDocker,
                                 .max_args = 1};
constinit const Command kImageRm{.name = "rm",
                                 .usage = "[OPTIONS] IMAGE [IMAGE...]",
                                 .summary = "Remove one or more images",
                                 .flags = kRmFlags,
                                 .min_args = 1,
                                 .run = rm,
                                 .alias = "remove",
                                 .words = Words::kDocker};
constinit const Command kTag{.name = "tag",
                             .usage = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
                             .summary = "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
                             .min_args = 2,
                             .run = tag,
                             .words = Words::kDocker,
                             .max_args = 2};
constinit const Command kHistory{.name = "history",
                                 .usage = "[OPTIONS] IMAGE",
                                 .summary = "Show the history of an image",
                                 .flags = kHistoryFlags,
                                 .min_args = 1,
                                 .run = history,
                                 .words = Words::kDocker,
                                 .max_args = 1};

}  // namespace stack::cli::docker
