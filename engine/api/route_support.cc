#include "engine/api/route_support.h"

#include <fcntl.h>
#include <fts.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>
#include <tuple>

#include "engine/api/text.h"

namespace stack::engine::api {

const Container* named_container(Exchange& exchange, const Services& services) {
  const auto found = services.containers->find(exchange.request().captures.at(0));
  if (found.ok()) return *found;
  respond_error(exchange, found.error());
  return nullptr;
}

std::optional<Filters> filters_of(Exchange& exchange,
                                  std::initializer_list<std::string_view> known) {
  auto filters = Filters::parse(exchange.request().query.text("filters"), known);
  if (filters.ok()) return std::move(filters).value();
  respond_error(exchange, filters.error());
  return std::nullopt;
}

std::optional<bool> flag_of(Exchange& exchange, const Filters& filters, const std::string& key,
                            bool otherwise) {
  const auto flag = filters.flag(key);
  if (flag.ok()) return flag->value_or(otherwise);
  respond_error(exchange, flag.error());
  return std::nullopt;
}

std::optional<WallTime> until_of(Exchange& exchange, const Filters& filters, WallTime now) {
  if (!filters.has("until")) return WallTime::max();
  const auto& texts = filters.all("until");
  if (texts.size() > 1) {
    respond_error(exchange, 400, "more than one until filter specified");
    return std::nullopt;
  }
  const auto moment = parse_moment(texts.at(0), now);
  if (!moment) {
    respond_error(exchange, 400,
                  "failed to parse value as time or duration: \"" + texts.at(0) + "\"");
  }
  return moment;
}

std::optional<TerminalSize> terminal_size(Exchange& exchange) {
  TerminalSize out;
  for (const auto& [key, name, value] :
       {std::tuple{"h", "height", &out.rows}, {"w", "width", &out.columns}}) {
    const auto text = exchange.request().query.text(key);
    const auto number = exchange.request().query.number(key);
    if (text.empty() || !number.ok() || **number < 0) {
      respond_error(exchange, 400,
                    std::string("invalid resize ") + name + " \"" + text + "\": invalid syntax");
      return std::nullopt;
    }
    *value = **number;
  }
  return out;
}

void publish_container_event(Services& services, const Container& container,
                             const std::string& action, std::map<std::string, std::string> more) {
  auto attributes = container.config.labels;
  attributes["image"] = container.config.image;
  attributes["name"] = container.name;
  attributes.merge(more);
  services.events.publish(
      {"container", action, container.id, std::move(attributes), services.clock.wall()});
}

PipeAnswer::PipeAnswer(ExchangePtr exchange, Services& services, std::string content_type)
    : exchange_(std::move(exchange)), services_(services), content_type_(std::move(content_type)) {}

Result<Fd> PipeAnswer::open() {
  auto pipe = TRY(make_pipe());
  reader_ = std::move(pipe.read);
  (void)::fcntl(reader_.get(), F_SETPIPE_SZ,
                1 << 20);  // fewer wake-ups; refused above the user's limit
  (void)::fcntl(reader_.get(), F_SETFL, O_NONBLOCK);
  exchange_->on_close([self = shared_from_this()] {
    self->watch_.cancel();
    self->reader_.reset();  // the writer gets EPIPE
    self->end_of_data_ = true;
  });
  exchange_->on_drain([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && self->allowed_ && !self->watch_ && !self->end_of_data_) self->read_some();
  });
  return std::move(pipe.write);
}

void PipeAnswer::allow() {
  if (std::exchange(allowed_, true) || end_of_data_) return;
  read_some();
}

void PipeAnswer::read_some() {
  watch_ = services_.loop.on_readable(reader_.get(), [self = shared_from_this()] {
    std::string bytes(256U << 10U, '\0');
    const auto n = ::read(self->reader_.get(), bytes.data(), bytes.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n > 0) {
      bytes.resize(static_cast<std::size_t>(n));
      self->watch_.cancel();  // until the client has taken this
      if (!self->exchange_->begun())
        self->exchange_->begin(200, self->content_type_, self->headers);
      self->exchange_->write(std::move(bytes));
      return;
    }
    self->end_of_data_ = true;
    const auto keep = self;
    keep->watch_.cancel();
    keep->end_if_complete();
  });
}

void PipeAnswer::work_done(const Status& status) {
  status_ = status;
  end_if_complete();
}

void PipeAnswer::end_if_complete() {
  if (!end_of_data_ || !status_) return;
  if (status_->ok()) {
    if (!exchange_->begun()) exchange_->begin(200, content_type_, headers);
    exchange_->finish();
  } else if (exchange_->begun()) {
    exchange_->abort();
  } else {
    respond_error(*exchange_, status_->error());
  }
}

std::int64_t tree_size(const std::filesystem::path& directory) {
  std::string path = directory.string();
  char* roots[] = {path.data(), nullptr};
  const std::unique_ptr<FTS, int (*)(FTS*)> tree(
      ::fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, nullptr), ::fts_close);
  std::int64_t total = 0;
  std::set<ino_t> seen;
  while (const FTSENT* entry = tree ? ::fts_read(tree.get()) : nullptr) {
    if (entry->fts_info != FTS_F && entry->fts_info != FTS_SL) continue;
    if (entry->fts_statp->st_nlink > 1 && !seen.insert(entry->fts_statp->st_ino).second) continue;
    total += entry->fts_statp->st_size;
  }
  return total;
}

std::int64_t writable_size(const std::filesystem::path& upper) {
  struct stat link {};  // all the others are empty
  const bool linked = ::lstat((upper / "etc/mtab").c_str(), &link) == 0 && S_ISLNK(link.st_mode);
  return tree_size(upper) - (linked ? link.st_size : 0);
}

void drain(EventLoop& loop, Fd fd) {
  struct Drain {
    Fd fd;
    EventLoop::Watch watch;
  };
  if (!fd) return;
  auto state = std::make_shared<Drain>();
  state->fd = std::move(fd);
  state->watch = loop.on_readable(state->fd.get(), [state] {
    char buffer[65536];
    const auto n = ::read(state->fd.get(), buffer, sizeof buffer);
    if (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN))) return;
    const auto keep = state;
    keep->watch.cancel();
  });
}

}  // namespace stack::engine::api
