#include "cli/log_feed.h"

#include <fmt/core.h>

namespace stack::cli {

Result<LogFeed> LogFeed::open(const Engine& engine, const std::string& container_id,
                              const LogQuery& query) {
  std::string target =
      fmt::format("{}/containers/{}/logs?stdout=1&stderr=1&timestamps=1&follow={}&tail={}", kApi,
                  container_id, query.follow ? 1 : 0, url_encode(query.tail));
  if (!query.since.empty()) target += "&since=" + url_encode(query.since);
  if (!query.until.empty()) target += "&until=" + url_encode(query.until);
  BodyStream stream = TRY(engine.http().stream("GET", target));
  const bool raw = is_raw_stream(stream.content_type());
  return LogFeed(std::move(stream), raw);
}

Status LogFeed::pump() {
  bytes_.clear();
  auto more = stream_.read(bytes_);
  const auto add = [this](LogLine line) { lines.push_back(std::move(line)); };
  Status decoded =
      frames_.feed(bytes_, [this, &add](OutputStream stream, std::string_view payload) {
        assembler_.feed(stream, payload, add);
      });
  if (!more.ok() || !decoded.ok() || !*more) {
    ended_ = true;
    assembler_.finish(add);
  }
  if (!decoded.ok()) return decoded;
  if (!more.ok()) return std::move(more).error();
  return ok_status();
}

}  // namespace stack::cli
