#include "engine/api/hijack.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>

namespace stack::engine::api {

namespace asio = boost::asio;
using boost::system::error_code;
using LocalSocket = asio::local::stream_protocol::socket;

namespace {

constexpr std::size_t kChunk = 32U << 10U;
constexpr std::chrono::microseconds kFirstHeadWait{30};
constexpr std::chrono::microseconds kLongestPause{5000};
constexpr std::chrono::seconds kLongestHeadWait{10};

// Docker's frame: stream, three zero bytes, length in network order.
std::string frame_header(std::uint8_t stream, std::size_t size) {
  std::string out(8, '\0');
  out[0] = static_cast<char>(stream);
  for (int i = 0; i < 4; ++i)
    out[static_cast<std::size_t>(4 + i)] = static_cast<char>(size >> (24 - 8 * i));
  return out;
}

class Relay : public std::enable_shared_from_this<Relay> {
 public:
  Relay(LocalSocket client, Hijack with)
      : client_(std::move(client)),
        input_(client_.get_executor()),
        timer_(client_.get_executor()),
        before_end_(std::move(with.before_end)),
        done_(std::move(with.done)) {
    first_ = std::move(with.first);
    if (with.detach_keys) detach_.emplace(*with.detach_keys);
    take_input_ = with.client_input;
    if (with.duplex) {
      duplex_ = true;
      terminal_ = with.duplex_is_terminal;
      // Input goes through a descriptor of its own, so that either direction can end alone.
      auto copy = duplicate(with.duplex.get());
      if (copy.ok()) input_.assign(copy->release());
      // The stream of an attachment has its frames already, that of a terminal has none.
      add_source(std::move(with.duplex), with.duplex_is_terminal && !with.raw ? 1 : 0);
    } else {
      if (with.in) input_.assign(with.in.release());
      if (with.out) add_source(std::move(with.out), with.raw ? 0 : 1);
      if (with.err) add_source(std::move(with.err), with.raw ? 0 : 2);
    }
  }

  void start(std::string head, std::string early) {
    head_deadline_ = std::chrono::steady_clock::now() + kLongestHeadWait;
    send(std::move(head),
         [self = shared_from_this()] { self->begin_when_head_is_taken(kFirstHeadWait); });
    open_sources_ = sources_.size();
    if (early.empty()) {
      read_client();
    } else {
      pass_on(std::move(early));
    }
  }

  void close() {
    if (closed_) return;
    closed_ = true;
    client_gone_ = true;
    error_code ignored;
    client_.close(ignored);
    input_.close(ignored);
    for (auto& source : sources_) source->descriptor.close(ignored);
    ended();
  }

 private:
  struct Source {
    Source(const LocalSocket::executor_type& executor, Fd fd, std::uint8_t which)
        : descriptor(executor, fd.release()), stream(which) {}
    asio::posix::stream_descriptor descriptor;
    std::uint8_t stream;  // 0: no frames
    std::array<char, kChunk> buffer;
  };

  // Some clients (docker-py) read the head through a buffer and the stream around it: what they
  // would get together with the head would be lost to them. So the stream begins once the socket
  // has been emptied; who does not read the head, on a busy machine perhaps, misses nothing by it.
  // The kernel does not say when, so it is asked, soon and then more and more rarely.
  void begin_when_head_is_taken(std::chrono::microseconds wait) {
    if (client_gone_) return begin();
    int unread = 0;
    if (std::chrono::steady_clock::now() > head_deadline_ ||
        ::ioctl(client_.native_handle(), SIOCOUTQ, &unread) != 0 || unread == 0)
      return begin();
    timer_.expires_after(wait);
    timer_.async_wait([self = shared_from_this(), wait](const error_code& ec) {
      if (!ec && !self->closed_) self->begin_when_head_is_taken(std::min(wait * 2, kLongestPause));
    });
  }

  void begin() {
    if (closed_) return;
    if (!first_.empty()) send(std::exchange(first_, {}), [] {});
    for (auto& source : sources_) read_source(*source);
    if (sources_.empty()) finish_when_sent();
  }

  void add_source(Fd fd, std::uint8_t stream) {
    sources_.push_back(std::make_unique<Source>(client_.get_executor(), std::move(fd), stream));
  }

  // Container to client: read, send, and only then read again.
  void read_source(Source& source) {
    source.descriptor.async_read_some(
        asio::buffer(source.buffer),
        [self = shared_from_this(), &source](const error_code& ec, std::size_t size) {
          if (self->closed_) return;
          if (ec) {  // end of file, or EIO of a terminal whose last process has gone
            if (--self->open_sources_ == 0) self->finish_when_sent();
            return;
          }
          if (self->client_gone_)
            return self->read_source(source);  // drained, so that the program does not block
          std::string bytes =
              source.stream == 0 ? std::string() : frame_header(source.stream, size);
          bytes.append(source.buffer.data(), size);
          self->send(std::move(bytes), [self, &source] { self->read_source(source); });
        });
  }

  void send(std::string bytes, std::function<void()> sent) {
    outbox_.emplace_back(std::move(bytes), std::move(sent));
    if (outbox_.size() == 1) send_next();
  }

  void send_next() {
    asio::async_write(client_, asio::buffer(outbox_.front().first),
                      [self = shared_from_this()](const error_code& ec, std::size_t) {
                        if (self->closed_) return;
                        if (ec) self->client_has_gone();
                        if (self->closed_) return;
                        const auto sent = std::move(self->outbox_.front().second);
                        self->outbox_.pop_front();
                        if (!self->outbox_.empty()) self->send_next();
                        sent();
                        if (self->outbox_.empty() && self->finishing_) self->close();
                      });
  }

  void finish_when_sent() {
    const auto finish = [self = shared_from_this()] {
      self->finishing_ = true;
      if (self->outbox_.empty()) self->close();
    };
    if (before_end_) return std::exchange(before_end_, nullptr)(finish);
    finish();
  }

  // Client to container.
  void read_client() {
    client_.async_read_some(asio::buffer(from_client_),
                            [self = shared_from_this()](const error_code& ec, std::size_t size) {
                              if (self->closed_) return;
                              if (ec) return self->client_has_ended();
                              self->pass_on(std::string(self->from_client_.data(), size));
                            });
  }

  void pass_on(std::string bytes) {
    if (detach_) {
      bool detached = false;
      bytes = detach_->feed(bytes, detached);
      if (detached) {
        client_has_gone();
        return;
      }
    }
    if (!take_input_ || !input_.is_open() || bytes.empty()) return read_client();
    in_flight_ = std::move(bytes);
    asio::async_write(
        input_, asio::buffer(in_flight_),
        [self = shared_from_this()](const error_code& ec, std::size_t) {
          if (self->closed_) return;
          error_code ignored;
          if (ec)
            self->input_.close(ignored);  // the program reads no more; what it writes still matters
          self->read_client();
        });
  }

  void client_has_ended() {
    error_code ignored;
    if (input_.is_open()) {
      if (duplex_ && !terminal_ && take_input_)
        (void)::shutdown(input_.native_handle(), SHUT_WR);  // stdin ends
      if (!terminal_) input_.close(ignored);
    }
    watch_hangup();
  }

  // After a half close, the other half is seen as POLLHUP of the unix socket.
  void watch_hangup() {
    pollfd state{client_.native_handle(), 0, 0};
    if (::poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0)
      return client_has_gone();
    client_.async_wait(LocalSocket::wait_error, [self = shared_from_this()](const error_code& ec) {
      if (!ec && !self->closed_ && !self->client_gone_) self->watch_hangup();
    });
  }

  // An attachment just ends. The output of an exec is read on, or its program would be killed by
  // SIGPIPE.
  void client_has_gone() {
    if (client_gone_) return;
    client_gone_ = true;
    if ((duplex_ && !terminal_) || open_sources_ == 0) return close();
    error_code ignored;
    client_.close(ignored);
    input_.close(ignored);
    ended();
  }

  void ended() {
    if (done_) std::exchange(done_, nullptr)();
  }

  LocalSocket client_;
  asio::posix::stream_descriptor input_;
  asio::steady_timer timer_;
  std::chrono::steady_clock::time_point head_deadline_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::size_t open_sources_ = 0;
  std::deque<std::pair<std::string, std::function<void()>>> outbox_;
  std::array<char, kChunk> from_client_;
  std::string in_flight_, first_;
  std::optional<DetachFilter> detach_;
  bool duplex_ = false, terminal_ = false, take_input_ = true;
  bool finishing_ = false, client_gone_ = false, closed_ = false;
  std::function<void(std::function<void()>)> before_end_;
  std::function<void()> done_;
};

}  // namespace

std::function<void()> relay(LocalSocket client, std::string head, std::string early, Hijack with) {
  auto one = std::make_shared<Relay>(std::move(client), std::move(with));
  one->start(std::move(head), std::move(early));
  return [weak = std::weak_ptr<Relay>(one)] {
    if (const auto alive = weak.lock()) alive->close();
  };
}

std::optional<std::string> parse_detach_keys(std::string_view text) {
  if (text.empty()) return std::string("\x10\x11");
  std::string out;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    const auto key = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (key.size() == 1) {
      out += key[0];
    } else if (key.size() == 6 && key.rfind("ctrl-", 0) == 0) {
      const char c = key[5];
      if (c >= 'a' && c <= 'z') {
        out += static_cast<char>(c - 'a' + 1);
      } else if (c >= '@' && c <= '_') {
        out += static_cast<char>(c - '@');
      } else {
        return std::nullopt;
      }
    } else {
      return std::nullopt;
    }
  }
  return out;
}

std::string DetachFilter::feed(std::string_view bytes, bool& detached) {
  std::string out;
  for (const char c : bytes) {
    if (matched_ < keys_.size() && c == keys_[matched_]) {
      if (++matched_ == keys_.size()) {
        detached = true;
        return out;
      }
      continue;
    }
    out += keys_.substr(0, matched_);
    matched_ = !keys_.empty() && c == keys_[0] ? 1 : 0;
    if (matched_ == 0) out += c;
  }
  return out;
}

}  // namespace stack::engine::api
