// What a link of the default network gives a container beside the name in its resolver: Docker's
// environment variables and lines of /etc/hosts. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"

namespace stack::engine {

struct Link {
  std::string target, alias;  // "database:db", or "database" alone
  static Link parse(const std::string& text);
};

// DB_NAME, DB_PORT, DB_PORT_80_TCP_ADDR, ..., DB_ENV_X for a container `owner` that knows `target`
// as `alias`. `address` is the target's in the default network.
std::vector<std::string> link_environment(const std::string& owner, const Container& target,
                                          const std::string& alias, const std::string& address);
// "172.17.0.2\tdb HOSTNAME database"
std::string link_host_line(const Container& target, const std::string& alias,
                           const std::string& address);
// The text of a hosts file with the line for `alias` taken out and `line` (may be empty) put at
// its end.
std::string replace_host_line(std::string_view text, std::string_view alias,
                              const std::string& line);

}  // namespace stack::engine
