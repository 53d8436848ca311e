#include "engine/api/top.h"

#include <fmt/core.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmath>
#include <ctime>
#include <map>
#include <sstream>

#include "base/files.h"

namespace stack::engine::api {

namespace {

const std::map<std::string, std::string>& titles() {
  static const std::map<std::string, std::string> kTitles{
      {"pid", "PID"},       {"ppid", "PPID"},      {"pgid", "PGID"},     {"sid", "SID"},
      {"sess", "SESS"},     {"uid", "UID"},        {"user", "USER"},     {"euser", "EUSER"},
      {"comm", "COMMAND"},  {"cmd", "CMD"},        {"args", "COMMAND"},  {"command", "COMMAND"},
      {"c", "C"},           {"stime", "STIME"},    {"start", "STARTED"}, {"tty", "TT"},
      {"tt", "TT"},         {"tname", "TTY"},      {"time", "TIME"},     {"cputime", "TIME"},
      {"etime", "ELAPSED"}, {"etimes", "ELAPSED"}, {"stat", "STAT"},     {"s", "S"},
      {"state", "S"},       {"pcpu", "%CPU"},      {"%cpu", "%CPU"},     {"pmem", "%MEM"},
      {"%mem", "%MEM"},     {"vsz", "VSZ"},        {"rss", "RSS"},       {"ni", "NI"},
      {"nice", "NI"},       {"pri", "PRI"},        {"nlwp", "NLWP"},     {"thcount", "THCNT"},
      {"lstart", "STARTED"}};
  return kTitles;
}

std::string clock_text(double seconds) {  // [days-]hours:minutes:seconds
  const auto s = static_cast<std::int64_t>(seconds);
  std::string out = fmt::format("{:02}:{:02}:{:02}", s / 3600 % 24, s / 60 % 60, s % 60);
  return s >= 86400 ? fmt::format("{}-{}", s / 86400, out) : out;
}

std::string elapsed_text(double seconds) {  // ps leaves leading zero fields out
  const auto s = static_cast<std::int64_t>(seconds);
  if (s >= 3600) return clock_text(seconds);
  return fmt::format("{:02}:{:02}", s / 60, s % 60);
}

std::string start_text(const ProcessFacts& p, const char* today, const char* format_before) {
  std::tm then{};
  std::tm now{};
  const std::time_t started = p.started;
  const std::time_t present = p.now;
  ::localtime_r(&started, &then);
  ::localtime_r(&present, &now);
  const bool same_day = then.tm_yday == now.tm_yday && then.tm_year == now.tm_year;
  char text[64];
  return {text, std::strftime(text, sizeof text, same_day ? today : format_before, &then)};
}

std::string cell(const std::string& key, const ProcessFacts& p) {
  const double cpu_share = p.elapsed_seconds > 0 ? 100 * p.cpu_seconds / p.elapsed_seconds : 0;
  if (key == "pid") return std::to_string(p.pid);
  if (key == "ppid") return std::to_string(p.ppid);
  if (key == "pgid") return std::to_string(p.pgid);
  if (key == "sid" || key == "sess") return std::to_string(p.session);
  if (key == "uid") return p.user_id;
  if (key == "user" || key == "euser") return p.user;
  if (key == "comm") return p.comm;
  if (key == "cmd" || key == "args" || key == "command") return p.command;
  if (key == "c") return std::to_string(std::min(99, static_cast<int>(cpu_share)));
  if (key == "stime" || key == "start")
    return start_text(p, key == "stime" ? "%H:%M" : "%H:%M:%S", "%b%d");
  if (key == "lstart") return start_text(p, "%a %b %e %H:%M:%S %Y", "%a %b %e %H:%M:%S %Y");
  if (key == "tty" || key == "tt" || key == "tname") return p.tty;
  if (key == "time" || key == "cputime") return clock_text(p.cpu_seconds);
  if (key == "bsdtime") {
    const auto s = static_cast<std::int64_t>(p.cpu_seconds);
    return fmt::format("{}:{:02}", s / 60, s % 60);
  }
  if (key == "etime") return elapsed_text(p.elapsed_seconds);
  if (key == "etimes") return std::to_string(static_cast<std::int64_t>(p.elapsed_seconds));
  if (key == "stat" || key == "s" || key == "state")
    return p.state.substr(0, key == "stat" ? std::string::npos : 1);
  if (key == "pcpu" || key == "%cpu") return fmt::format("{:.1f}", cpu_share);
  if (key == "pmem" || key == "%mem") return fmt::format("{:.1f}", p.memory_percent);
  if (key == "vsz") return std::to_string(p.virtual_kib);
  if (key == "rss") return std::to_string(p.resident_kib);
  if (key == "ni" || key == "nice") return std::to_string(p.nice);
  if (key == "pri") return std::to_string(39 - p.priority);
  return std::to_string(p.threads);
}

// "pid,user=WHO comm": a name, and after '=' a title that takes the rest of its argument.
Status add_columns(std::string_view list, std::vector<PsColumn>& out) {
  while (!list.empty()) {
    const auto end = std::min(list.find_first_of(", "), list.size());
    std::string word(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
    if (word.empty()) continue;
    std::string title;
    const auto equals = word.find('=');
    const bool titled = equals != std::string::npos;
    if (titled) {
      title = word.substr(equals + 1);
      word.resize(equals);
    }
    const auto known = titles().find(word);
    if (known == titles().end()) return Error::invalid("unknown column of ps: " + word);
    out.push_back({word, titled ? title : known->second});
  }
  return ok_status();
}

std::string user_name(unsigned uid) {
  std::vector<char> buffer(4096);
  ::passwd entry{};
  ::passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return found->pw_name;
  return std::to_string(uid);
}

std::string tty_name(int device) {
  if (device == 0) return "?";
  const auto number = static_cast<dev_t>(static_cast<unsigned>(device));
  if (::gnu_dev_major(number) >= 136 && ::gnu_dev_major(number) < 144) {
    return fmt::format("pts/{}", ::gnu_dev_minor(number) + (::gnu_dev_major(number) - 136) * 256);
  }
  return fmt::format("tty{}", ::gnu_dev_minor(number));
}

double first_number(const std::filesystem::path& file) {
  const auto text = read_file(file);
  return text.ok() ? std::atof(text->c_str()) : 0;
}

std::int64_t total_memory_kib() {
  return static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) * (::sysconf(_SC_PAGESIZE) / 1024);
}

}  // namespace

Result<std::vector<PsColumn>> parse_ps_arguments(std::string_view text) {
  std::istringstream words{std::string(text)};
  std::vector<PsColumn> out;
  std::string word;
  bool bsd = false;
  while (words >> word) {
    std::string list;
    if (word == "-o" || word == "o" || word == "-eo" || word == "-efo" || word == "--format") {
      if (!(words >> list)) return Error::invalid("ps: " + word + " wants a list of columns");
    } else if (word.rfind("-o", 0) == 0) {
      list = word.substr(2);
    } else if (word == "aux" || word == "-aux" || word == "axu") {
      bsd = true;
      continue;
    } else if (word == "-ef" || word == "-e" || word == "-f" || word == "ef" || word == "ax") {
      continue;
    } else {
      return Error::invalid("ps arguments that are not supported: " + word +
                            " (-ef, aux and -o LIST are)");
    }
    TRY(add_columns(list, out));
  }
  if (bsd && out.empty()) {
    return std::vector<PsColumn>{{"user", "USER"},    {"pid", "PID"},     {"pcpu", "%CPU"},
                                 {"pmem", "%MEM"},    {"vsz", "VSZ"},     {"rss", "RSS"},
                                 {"tty", "TTY"},      {"stat", "STAT"},   {"stime", "START"},
                                 {"bsdtime", "TIME"}, {"args", "COMMAND"}};
  }
  if (out.empty()) {
    return std::vector<PsColumn>{{"user", "UID"},  {"pid", "PID"},     {"ppid", "PPID"},
                                 {"c", "C"},       {"stime", "STIME"}, {"tty", "TTY"},
                                 {"time", "TIME"}, {"cmd", "CMD"}};
  }
  for (const auto& column : out) {
    if (column.title == "PID") return out;
  }
  return Error::invalid("Couldn't find PID field in ps output");
}

std::vector<std::string> ps_row(const std::vector<PsColumn>& columns, const ProcessFacts& process) {
  std::vector<std::string> out;
  for (const auto& column : columns) out.push_back(cell(column.key, process));
  return out;
}

// proc(5): /proc/PID/stat, whose second field may hold anything between its parentheses.
std::optional<ProcessFacts> read_process(int pid) {
  const std::filesystem::path directory = "/proc/" + std::to_string(pid);
  const auto stat = read_file(directory / "stat");
  const auto command = read_file(directory / "cmdline");
  struct stat owner {};
  if (!stat.ok() || !command.ok() || ::stat(directory.c_str(), &owner) != 0) return std::nullopt;
  const auto open = stat->find('(');
  const auto close = stat->rfind(')');
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  ProcessFacts out;
  out.pid = pid;
  out.comm = stat->substr(open + 1, close - open - 1);
  std::istringstream words(stat->substr(close + 1));
  std::vector<std::string> fields(3);  // numbered from 1 as in the manual page
  for (std::string word; words >> word;) fields.push_back(word);
  if (fields.size() < 25) return std::nullopt;
  const auto number = [&](std::size_t i) { return std::atoll(fields[i].c_str()); };
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  out.state = fields[3];
  out.ppid = static_cast<int>(number(4));
  out.pgid = static_cast<int>(number(5));
  out.session = static_cast<int>(number(6));
  out.tty = tty_name(static_cast<int>(number(7)));
  out.cpu_seconds = static_cast<double>(number(14) + number(15)) / ticks;
  out.priority = static_cast<int>(number(18));
  out.nice = static_cast<int>(number(19));
  out.threads = static_cast<int>(number(20));
  const double uptime = first_number("/proc/uptime");
  out.elapsed_seconds = std::max(0.0, uptime - static_cast<double>(number(22)) / ticks);
  out.now = std::time(nullptr);
  out.started = out.now - std::llround(out.elapsed_seconds);
  out.virtual_kib = number(23) / 1024;
  out.resident_kib = number(24) * (::sysconf(_SC_PAGESIZE) / 1024);
  out.memory_percent =
      100.0 * static_cast<double>(out.resident_kib) / static_cast<double>(total_memory_kib());
  // ps's additions: s session leader, l threads, < and N niceness.
  if (out.nice < 0) out.state += '<';
  if (out.nice > 0) out.state += 'N';
  if (out.session == out.pid) out.state += 's';
  if (out.threads > 1) out.state += 'l';
  out.user_id = std::to_string(owner.st_uid);
  out.user = user_name(owner.st_uid);
  std::string line = *command;
  while (!line.empty() && line.back() == '\0') line.pop_back();
  for (char& c : line) {
    if (c == '\0') c = ' ';
  }
  out.command = line.empty() ? "[" + out.comm + "]" : line;
  return out;
}

}  // namespace stack::engine::api
