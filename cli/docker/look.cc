// top, port and diff.
#include <fmt/core.h>

#include <algorithm>

#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/table.h"

namespace stack::cli::docker {

namespace {

Result<int> top(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  std::string options;
  for (std::size_t i = 1; i < args.positional.size(); ++i)
    options += (i > 1 ? " " : "") + args.positional[i];
  std::string target = container_path(args.positional[0]) + "/top";
  if (!options.empty()) target += "?ps_args=" + url_encode(options);
  const Document answer = TRY(get_document(*engine, target));
  std::vector<Row> rows{answer["Titles"].texts()};
  for (const JsonView process : answer["Processes"].items()) rows.push_back(process.texts());
  print(render_table(rows, 20));
  return 0;
}

std::string address_text(JsonView binding) {
  const std::string ip = binding.text("HostIp");
  return fmt::format("{}:{}", ip.find(':') != std::string::npos ? '[' + ip + ']' : ip,
                     binding.text("HostPort"));
}

Result<int> port(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const std::string& name = args.positional[0];
  const Document found = TRY(get_document(*engine, container_path(name) + "/json"));
  const JsonView ports = found["NetworkSettings"]["Ports"];
  if (args.positional.size() > 1) {
    std::string wanted = args.positional[1];
    if (wanted.find('/') == std::string::npos) wanted += "/tcp";
    const auto bindings = ports[wanted].items();
    if (bindings.empty()) {
      return Error::not_found(
                 fmt::format("no public port '{}' published for {}", args.positional[1], name))
          .fix(fmt::format("`stack container port {}` lists those that are.", name));
    }
    for (const JsonView binding : bindings) print(address_text(binding) + '\n');
    return 0;
  }
  std::vector<std::string> lines;
  for (const auto& [key, bindings] : ports.members()) {
    for (const JsonView binding : bindings.items())
      lines.push_back(fmt::format("{} -> {}\n", key, address_text(binding)));
  }
  std::sort(lines.begin(), lines.end());
  for (const std::string& line : lines) print(line);
  return 0;
}

Result<int> diff(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const Document answer =
      TRY(get_document(*engine, container_path(args.positional[0]) + "/changes"));
  for (const JsonView change : answer.root().items()) {
    constexpr std::string_view kKinds = "CAD";
    const auto kind = static_cast<std::size_t>(change.number("Kind"));
    print(fmt::format("{} {}\n", kind < kKinds.size() ? kKinds[kind] : '?', change.text("Path")));
  }
  return 0;
}

}  // namespace

constinit const Command kTop{.name = "top",
                             .usage = "CONTAINER [ps OPTIONS]",
                             .summary = "Display the running processes of a container",
                             .min_args = 1,
                             .run = top,
                             .interspersed = false,
                             .words = Words::kDocker};
constinit const Command kPort{
    .name = "port",
    .usage = "CONTAINER [PRIVATE_PORT[/PROTO]]",
    .summary = "List port mappings or a specific mapping for the container",
    .min_args = 1,
    .run = port,
    .words = Words::kDocker,
    .max_args = 2};
constinit const Command kDiff{
    .name = "diff",
    .usage = "CONTAINER",
    .summary = "Inspect changes to files or directories on a container's filesystem",
    .min_args = 1,
    .run = diff,
    .words = Words::kDocker,
    .max_args = 1};

}  // namespace stack::cli::docker
