// What several route files need.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "engine/api/filters.h"
#include "engine/api/respond.h"
#include "engine/containers.h"
#include "engine/daemon.h"

namespace stack::engine::api {

// The container named by the first capture. nullptr: the error has been answered.
const Container* named_container(Exchange& exchange, const Services& services);
// nullopt: the error has been answered.
std::optional<Filters> filters_of(Exchange& exchange,
                                  std::initializer_list<std::string_view> known);

// A filter that is true or false, `otherwise` where it is not given. nullopt: the error has been
// answered.
std::optional<bool> flag_of(Exchange& exchange, const Filters& filters, const std::string& key,
                            bool otherwise);

// The moment of the filter "until", or one in the far future. nullopt: the error has been answered.
std::optional<WallTime> until_of(Exchange& exchange, const Filters& filters, WallTime now);

struct TerminalSize {
  int rows = 0, columns = 0;
};
// The parameters h and w. nullopt: the error has been answered.
std::optional<TerminalSize> terminal_size(Exchange& exchange);

// An event about a container, with its image, name and labels beside `more`.
void publish_container_event(Services& services, const Container& container,
                             const std::string& action,
                             std::map<std::string, std::string> more = {});

// A pipe whose reader is the client: `work` writes to the descriptor on a worker (blocking), and
// the bytes go out as they come, with back-pressure. The answer begins with the first byte, so an
// error before it has a status of its own.
class PipeAnswer : public std::enable_shared_from_this<PipeAnswer> {
 public:
  PipeAnswer(ExchangePtr exchange, Services& services, std::string content_type);
  // Nothing is answered before allow(): until then headers may be added.
  Headers headers;
  void allow();
  // The writing end for the worker; closed by it when through.
  Result<Fd> open();
  void work_done(const Status& status);  // on the loop

 private:
  void read_some();
  void end_if_complete();
  ExchangePtr exchange_;
  Services& services_;
  std::string content_type_;
  Fd reader_;
  EventLoop::Watch watch_;
  std::optional<Status> status_;
  bool end_of_data_ = false, allowed_ = false;
};

// Reads away what comes from a descriptor, so that its writer does not stop at a full pipe, and
// closes it at the end.
void drain(EventLoop& loop, Fd fd);

// Bytes below a directory that are its own (no hard link is counted twice). Blocking.
std::int64_t tree_size(const std::filesystem::path& directory);
// Of a container's own layer, without what the engine has put there (engine/init_files.h). Blocking.
std::int64_t writable_size(const std::filesystem::path& upper);

}  // namespace stack::engine::api
