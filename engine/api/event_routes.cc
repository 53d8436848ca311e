// GET /events: what has happened since a moment, and what happens until another one.
#include "engine/api/documents.h"
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/api/text.h"
#include "engine/json_fields.h"

namespace stack::engine::api {

namespace {

std::string without_tag(const std::string& image) {
  const std::string name = image.substr(0, image.find('@'));
  const std::size_t colon = name.rfind(':');
  const bool is_tag = colon != std::string::npos && name.find('/', colon) == std::string::npos;
  return is_tag ? name.substr(0, colon) : name;
}

// Of an image's own events, and of those of containers made from it.
bool matches_image(const Filters& filters, const Event& event) {
  const auto it = event.attributes.find(event.type == "image" ? "name" : "image");
  const std::string name = it == event.attributes.end() ? std::string() : it->second;
  return filters.exact("image", event.id) || filters.exact("image", name) ||
         filters.exact("image", without_tag(event.id)) || filters.exact("image", without_tag(name));
}

bool matches(const Filters& filters, const Event& event) {
  // "exec_create: ls" and "health_status: healthy" are found by their first word, too.
  const auto word = event.action.substr(0, event.action.find(':'));
  if (filters.has("event") && !filters.exact("event", event.action) &&
      !filters.exact("event", word))
    return false;
  if (!filters.exact("type", event.type) || !filters.labels(event.attributes)) return false;
  const auto name_it = event.attributes.find("name");
  const auto name = name_it == event.attributes.end() ? std::string() : name_it->second;
  for (const char* type : {"container", "network", "volume"}) {
    if (!filters.has(type)) continue;
    if (event.type != type) return false;
    if (!filters.prefix(type, name) && !filters.prefix(type, event.id)) return false;
  }
  if (filters.has("image") && !matches_image(filters, event)) return false;
  return filters.exact("scope", "local");
}

class EventStream : public std::enable_shared_from_this<EventStream> {
 public:
  EventStream(Services& services, ExchangePtr exchange, Filters filters)
      : services_(services), exchange_(std::move(exchange)), filters_(std::move(filters)) {}

  void start(std::optional<WallTime> since, std::optional<WallTime> until) {
    exchange_->begin(200, "application/json");
    exchange_->on_close([self = shared_from_this()] { self->end(); });
    if (since) {
      for (const auto& event : services_.events.history()) {
        if (event.time >= *since && (!until || event.time <= *until)) show(event);
      }
    }
    const WallTime now = services_.clock.wall();
    if (until && *until <= now) {
      exchange_->finish();
      return end();
    }
    subscription_ = services_.events.subscribe(
        [weak = weak_from_this()](const Event& event) {
          if (const auto self = weak.lock()) self->show(event);
        },
        EventBus::Listener::kClient);
    if (until) {
      timer_ = services_.loop.after(std::chrono::duration_cast<Duration>(*until - now),
                                    [self = shared_from_this()] {
                                      self->exchange_->finish();
                                      self->end();
                                    });
    }
  }

 private:
  void show(const Event& event) {
    if (!matches(filters_, event)) return;
    if (exchange_->queued() > (8U << 20U)) {  // a client that does not read
      exchange_->abort();
      return end();
    }
    exchange_->write(line_of(event_json(event)));
  }
  void end() {
    const auto keep = shared_from_this();
    subscription_ = {};
    timer_.cancel();
  }

  Services& services_;
  ExchangePtr exchange_;
  Filters filters_;
  EventBus::Subscription subscription_;
  EventLoop::Timer timer_;
};

}  // namespace

void add_event_routes(Router& router, Services& services) {
  router.add("GET", "/events", [&services](const ExchangePtr& exchange) {
    // Filters that are not known are not looked at.
    auto parsed = Filters::parse(exchange->request().query.text("filters"), {});
    if (!parsed.ok()) return respond_error(*exchange, parsed.error());
    auto filters = std::make_optional(std::move(parsed).value());
    const auto& query = exchange->request().query;
    const WallTime now = services.clock.wall();
    std::optional<WallTime> since, until;
    for (const char* key : {"since", "until"}) {
      const auto text = query.text(key);
      if (text.empty()) continue;
      const auto moment = parse_moment(text, now);
      if (!moment)
        return respond_error(*exchange, 400,
                             "invalid value for \"" + std::string(key) + "\": " + text);
      (std::string(key) == "since" ? since : until) = moment;
    }
    if (since && until && *until < *since) {
      return respond_error(*exchange, 400,
                           "`since` time (" + query.text("since") +
                               ") cannot be after `until` time (" + query.text("until") + ")");
    }
    std::make_shared<EventStream>(services, exchange, std::move(*filters))->start(since, until);
  });
}

}  // namespace stack::engine::api
