// events and wait.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "cli/containers.h"
#include "cli/duration_text.h"
#include "cli/json_text.h"
#include "cli/project_run.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kEventsFlags[] = {
    {"json", 0, FlagType::kBool, "Output events as a stream of json objects"},
    {"since", 0, FlagType::kString, "Show all events created since timestamp"},
    {"until", 0, FlagType::kString, "Stream events until this timestamp"},
};
constexpr FlagSpec kWaitFlags[] = {
    {"down-project", 0, FlagType::kBool, "Drops project when the first container stops"},
};

std::string event_line(const EngineEvent& event, bool json) {
  Labels attributes;
  for (const auto& [name, value] : event.attributes) {
    if (!name.starts_with("com.docker.compose.")) attributes.emplace(name, value);
  }
  if (json) {
    return JsonObject()
               .add("action", event.action)
               .add("attributes", attributes)
               .add("id", event.id)
               .add("service", event.attribute(label::kService))
               .add("time", rfc3339_text(event.time_nano))
               .add("type", "container")
               .text() +
           '\n';
  }
  std::string list;
  for (const auto& [name, value] : attributes)
    list += fmt::format("{}{}={}", list.empty() ? "" : ", ", name, value);
  return fmt::format("{} container {} {} ({})\n\n", event_time_text(event.time_nano), event.action,
                     event.id, list);
}

Result<int> events(Context& context, const Arguments& args) {
  const ProjectScope scope = TRY(context.scope(args.positional));
  const Engine* engine = TRY(context.engine());
  const auto now = std::chrono::system_clock::now();
  const std::string filters =
      JsonObject()
          .add("type", std::vector<std::string>{"container"})
          .add("label", std::vector<std::string>{fmt::format("{}={}", label::kProject, scope.name)})
          .text();
  std::string target = fmt::format("{}/events?filters={}", kApi, url_encode(filters));
  if (args.given("since")) target += "&since=" + TRY(api_timestamp(args.text("since"), now));
  if (args.given("until")) target += "&until=" + TRY(api_timestamp(args.text("until"), now));
  BodyStream stream = TRY(engine->http().stream("GET", target));
  std::string pending;
  for (bool more = true; more;) {
    more = TRY(stream.read(pending));
    std::size_t start = 0;
    for (std::size_t newline = 0; (newline = pending.find('\n', start)) != std::string::npos;
         start = newline + 1) {
      const std::string_view line = std::string_view(pending).substr(start, newline - start);
      if (line.empty()) continue;
      const EngineEvent event = TRY(parse_event(line));
      const std::string service = event.attribute(label::kService);
      if (event.attribute(label::kOneOff) == "True") continue;
      if (!args.positional.empty() && std::find(args.positional.begin(), args.positional.end(),
                                                service) == args.positional.end()) {
        continue;
      }
      print(event_line(event, args.on("json")));
    }
    pending.erase(0, start);
  }
  return 0;
}

Result<int> wait(Context& context, const Arguments& args) {
  const ProjectScope scope = TRY(context.scope(args.positional));
  const Engine* engine = TRY(context.engine());
  const auto containers = TRY(project_containers(context, scope, args.positional, false));
  if (containers.empty()) {
    return Error::not_found(fmt::format("no containers for project \"{}\"", scope.name))
        .fix("Only running containers can be waited for; see `stack ps`.");
  }
  struct Waiting {
    std::string id;
    BodyStream stream;
    std::string body;
    bool done = false;
  };
  std::vector<Waiting> waiting;
  for (const Container& container : containers) {
    waiting.push_back({container.id,
                       TRY(engine->http().stream(
                           "POST", fmt::format("{}/containers/{}/wait", kApi, container.id))),
                       {},
                       false});
  }
  int code = 0;
  for (std::size_t left = waiting.size(); left > 0;) {
    std::vector<int> fds;
    bool buffered = false;
    for (const Waiting& w : waiting) {
      if (w.done) continue;
      fds.push_back(w.stream.fd());
      buffered = buffered || w.stream.has_buffered();
    }
    const auto ready =
        wait_readable(fds, buffered ? std::optional(std::chrono::milliseconds(0)) : std::nullopt);
    for (Waiting& w : waiting) {
      const bool readable = std::find(ready.begin(), ready.end(), w.stream.fd()) != ready.end();
      if (w.done || (!readable && !w.stream.has_buffered())) continue;
      if (TRY(w.stream.read(w.body))) continue;
      w.done = true;
      --left;
      code = std::atoi(json_member(w.body, "StatusCode").c_str());
      print(fmt::format("container \"{}\" exited with status code {}\n", w.id, code));
      if (!args.on("down-project")) continue;
      ProjectRequest request;
      request.verb = "down";
      request.title = "Running";
      request.scope = scope;
      request.options.add("remove_orphans", true);
      TRY(run_project(context, request));
      return code;
    }
  }
  return code;
}

}  // namespace

constinit const Command kEventsCommand{
    "events", "[OPTIONS] [SERVICE...]", "Receive real time events from containers", kEventsFlags, 0,
    events};
constinit const Command kWaitCommand{"wait",
                                     "SERVICE [SERVICE...] [OPTIONS]",
                                     "Block until containers of all (or specified) services stop.",
                                     kWaitFlags,
                                     1,
                                     wait};

}  // namespace stack::cli
