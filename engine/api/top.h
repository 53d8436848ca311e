// GET /containers/x/top: what `ps` would print of some processes, read from /proc. `-ef`, `aux` and
// lists of columns (-o).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stack::engine::api {

struct ProcessFacts {
  int pid = 0, ppid = 0, pgid = 0, session = 0, threads = 0, nice = 0, priority = 0;
  std::string user, user_id, comm, command, tty = "?", state;
  double cpu_seconds = 0, elapsed_seconds = 0;
  double memory_percent = 0;
  std::int64_t virtual_kib = 0, resident_kib = 0;
  std::int64_t started = 0, now = 0;  // Unix time, seconds
};

struct PsColumn {
  std::string key;  // ps's name: "pid", "args"
  std::string title;
};

// Empty: -ef. kInvalid for what we cannot print, and for lists without a pid, in Docker's words.
Result<std::vector<PsColumn>> parse_ps_arguments(std::string_view text);
std::vector<std::string> ps_row(const std::vector<PsColumn>& columns, const ProcessFacts& process);

// nullopt when the process has ended.
std::optional<ProcessFacts> read_process(int pid);

}  // namespace stack::engine::api
