// events.
#include <fmt/core.h>

#include <chrono>

#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/duration_text.h"
#include "cli/template.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kFlags[] = {
    {"filter", 'f', FlagType::kFilters, "Filter output based on conditions provided"},
    {"format", 0, FlagType::kString, "Format output using a custom template: 'json' or 'TEMPLATE'"},
    {"since", 0, FlagType::kString, "Show all events created since timestamp"},
    {"until", 0, FlagType::kString, "Stream events until this timestamp"},
};

// "2026-11-24T23:48:13.710649451Z container start ID (image=busybox, name=web)"
std::string event_line(JsonView event) {
  const JsonView actor = event["Actor"];
  std::string attributes;
  for (const auto& [name, value] : actor["Attributes"].text_map())
    attributes += fmt::format("{}{}={}", attributes.empty() ? "" : ", ", name, value);
  return fmt::format("{} {} {} {}{}\n", rfc3339_text(event.number("timeNano")), event.text("Type"),
                     event.text("Action"), actor.text("ID"),
                     attributes.empty() ? std::string() : fmt::format(" ({})", attributes));
}

Result<int> events(Context& context, const Arguments& args) {
  const std::string format = args.text("format");
  std::optional<Template> pattern;
  if (!format.empty() && format != "json") pattern = TRY(Template::parse(format));
  const auto now = std::chrono::system_clock::now();
  std::string target = fmt::format("{}/events?", kApi);
  for (const char* when : {"since", "until"}) {
    if (args.given(when))
      target += fmt::format("{}={}&", when, TRY(api_timestamp(args.text(when), now)));
  }
  if (const std::string filters = filters_query(args.list("filter")); !filters.empty())
    target += filters.substr(1);
  const Engine* engine = TRY(context.engine());
  BodyStream stream = TRY(engine->http().stream("GET", target));
  std::string pending;
  for (bool more = true; more;) {
    more = TRY(stream.read(pending));
    std::size_t start = 0;
    for (std::size_t newline = 0; (newline = pending.find('\n', start)) != std::string::npos;
         start = newline + 1) {
      const std::string_view line = std::string_view(pending).substr(start, newline - start);
      if (line.find_first_not_of("\r ") == std::string_view::npos) continue;
      const Document event = TRY(Document::parse(line));
      if (pattern) {
        print(TRY(pattern->execute({&event.root().json()})) + '\n');
      } else {
        print(format == "json" ? event.root().compact() + '\n' : event_line(event.root()));
      }
    }
    pending.erase(0, start);
  }
  return 0;
}

}  // namespace

constinit const Command kEvents{.name = "events",
                                .usage = "[OPTIONS]",
                                .summary = "Get real time events from the server",
                                .flags = kFlags,
                                .run = events,
                                .words = Words::kDocker,
                                .max_args = 0};

}  // namespace stack::cli::docker
