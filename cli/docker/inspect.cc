#include "cli/docker/inspect.h"

#include <fmt/core.h>

#include <algorithm>

#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/template.h"

namespace stack::cli::docker {

namespace {

constexpr std::string_view kUsage = "Format output using a custom template: 'json' or 'TEMPLATE'";
constexpr FlagSpec kFlags[] = {
    {"format", 'f', FlagType::kString, kUsage},
    {"size", 's', FlagType::kBool, "Display total file sizes if the type is container"},
    {"type", 0, FlagType::kString, "Only inspect objects of the given type"},
};
constexpr FlagSpec kContainerFlags[] = {
    {"format", 'f', FlagType::kString, kUsage},
    {"size", 's', FlagType::kBool, "Display total file sizes"},
};
constexpr FlagSpec kImageFlags[] = {
    {"format", 'f', FlagType::kString, kUsage},
    {"platform", 0, FlagType::kString, "Inspect a specific platform of the multi-platform image."},
};
constexpr FlagSpec kNetworkFlags[] = {
    {"format", 'f', FlagType::kString, kUsage},
    {"verbose", 'v', FlagType::kBool, "Verbose output for diagnostics"},
};
constexpr FlagSpec kVolumeFlags[] = {{"format", 'f', FlagType::kString, kUsage}};

std::string shown(const std::vector<Document>& documents, bool indented) {
  if (documents.empty()) return "[]\n";
  std::string list = "[";
  for (const Document& document : documents) {
    if (list.size() > 1) list += ',';
    list += document.root().compact();
  }
  list += ']';
  return (indented ? pretty_json(list) : list) + '\n';
}

constexpr int kBadTemplate = 64;  // Docker's exit code for it: EX_USAGE of sysexits.h

Result<std::string> expanded(const std::vector<Document>& documents, const std::string& format) {
  const Template pattern = TRY(Template::parse(format));
  std::string out;
  for (const Document& document : documents) {
    auto text = pattern.execute({&document.root().json()});
    if (!text.ok()) {
      Error error = std::move(text).error();
      if (!out.empty()) print(out);
      error.message = "template parsing error: " + error.message;
      return error;
    }
    out += *text + '\n';
  }
  return out;
}

Result<int> inspect(Context& context, const Arguments& args) {
  const std::string type = args.text("type");
  struct Kind {
    const char* type;
    std::string path;  // with NAME for the name
  };
  const std::string size = args.on("size") ? "?size=1" : "";
  const Kind kinds[] = {{"container", "/containers/NAME/json" + size},
                        {"image", "/images/NAME/json"},
                        {"network", "/networks/NAME"},
                        {"volume", "/volumes/NAME"}};
  const bool known =
      type.empty() || std::any_of(std::begin(kinds), std::end(kinds),
                                  [&type](const Kind& kind) { return kind.type == type; });
  if (!known) {
    return Error::invalid(fmt::format("\"{}\" is not a valid value for --type", type))
        .fix("Use container, image, network or volume.");
  }
  return inspect_each(
      context, args, [&](const Engine& engine, const std::string& name) -> Result<Document> {
        for (const Kind& kind : kinds) {
          if (!type.empty() && type != kind.type) continue;
          std::string target = std::string(kApi) + kind.path;
          target.replace(target.find("NAME"), 4, url_encode(name));
          auto found = get_document(engine, target);
          if (found.ok() || !type.empty() || found.error().kind != ErrorKind::kNotFound)
            return found;
        }
        return Error::not_found(fmt::format("Error: No such object: {}", name))
            .fix(
                "`stack ps -a`, `stack images`, `stack network ls` and `stack volume ls` show what "
                "there is.");
      });
}

// `path` with NAME for the name.
template <std::size_t N>
Result<int> inspect_kind(Context& context, const Arguments& args, const char (&path)[N],
                         const std::string& query = {}) {
  return inspect_each(context, args, [&](const Engine& engine, const std::string& name) {
    std::string target = std::string(kApi) + path + query;
    target.replace(target.find("NAME"), 4, url_encode(name));
    return get_document(engine, target);
  });
}

Result<int> inspect_container(Context& context, const Arguments& args) {
  return inspect_kind(context, args, "/containers/NAME/json", args.on("size") ? "?size=1" : "");
}
Result<int> inspect_image(Context& context, const Arguments& args) {
  return inspect_kind(context, args, "/images/NAME/json");
}
Result<int> inspect_network(Context& context, const Arguments& args) {
  return inspect_kind(context, args, "/networks/NAME", args.on("verbose") ? "?verbose=1" : "");
}
Result<int> inspect_volume(Context& context, const Arguments& args) {
  return inspect_kind(context, args, "/volumes/NAME");
}

}  // namespace

Result<int> inspect_each(Context& context, const Arguments& args, const Finder& find) {
  const std::string format = args.text("format");
  if (!format.empty() && format != "json") {
    if (const auto pattern = Template::parse(format); !pattern.ok()) {
      print_error(pattern.error());
      return kBadTemplate;
    }
  }
  const Engine* engine = TRY(context.engine());
  std::vector<Document> found;
  std::vector<Error> missing;
  for (const std::string& name : args.positional) {
    auto document = find(*engine, name);
    if (document.ok())
      found.push_back(std::move(*document));
    else
      missing.push_back(std::move(document).error());
  }
  const bool plain = format.empty() || format == "json";
  print(plain ? shown(found, format.empty()) : TRY(expanded(found, format)));
  if (!plain && found.empty()) print("\n");
  for (const Error& error : missing) print_error(error);
  return missing.empty() ? 0 : 1;
}

constinit const Command kInspect{.name = "inspect",
                                 .usage = "[OPTIONS] NAME|ID [NAME|ID...]",
                                 .summary = "Return low-level information on Docker objects",
                                 .flags = kFlags,
                                 .min_args = 1,
                                 .run = inspect,
                                 .words = Words::kDocker};
constinit const Command kContainerInspect{
    .name = "inspect",
    .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Display detailed information on one or more containers",
    .flags = kContainerFlags,
    .min_args = 1,
    .run = inspect_container,
    .words = Words::kDocker};
constinit const Command kImageInspect{
    .name = "inspect",
    .usage = "[OPTIONS] IMAGE [IMAGE...]",
    .summary = "Display detailed information on one or more images",
    .flags = kImageFlags,
    .min_args = 1,
    .run = inspect_image,
    .words = Words::kDocker};
constinit const Command kNetworkInspect{
    .name = "inspect",
    .usage = "[OPTIONS] NETWORK [NETWORK...]",
    .summary = "Display detailed information on one or more networks",
    .flags = kNetworkFlags,
    .min_args = 1,
    .run = inspect_network,
    .words = Words::kDocker};
constinit const Command kVolumeInspect{
    .name = "inspect",
    .usage = "[OPTIONS] VOLUME [VOLUME...]",
    .summary = "Display detailed information on one or more volumes",
    .flags = kVolumeFlags,
    .min_args = 1,
    .run = inspect_volume,
    .words = Words::kDocker};

}  // namespace stack::cli::docker
