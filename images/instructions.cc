#include "images/instructions.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "base/go_quote.h"
#include "base/signals.h"
#include "images/dockerfile_syntax.h"
#include "images/paths.h"

namespace stack::images {
namespace {

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::string quoted_list(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + go_quote(word);
  return "[" + out + "]";
}

std::vector<std::string> sorted(std::vector<std::string> words) {
  std::sort(words.begin(), words.end());
  return words;
}

// {"K", "V"} of a raw "K=V", expanded.
Result<std::pair<std::string, std::string>> expand_pair(const std::string& raw,
                                                        const VariableLookup& lookup, char escape) {
  const std::size_t equals = raw.find('=');
  std::string key = TRY(expand_word(std::string_view(raw).substr(0, equals), lookup, escape));
  std::string value = TRY(expand_word(std::string_view(raw).substr(equals + 1), lookup, escape));
  return std::pair(std::move(key), std::move(value));
}

Result<std::string> apply_env_or_label(BuildScope& scope, const Instruction& in) {
  std::string shown = in.name;
  const VariableLookup before = scope.lookup();
  std::vector<std::pair<std::string, std::string>> all;
  // All values see the state before the instruction: ENV a=1 b=$a takes the old a.
  for (const std::string& raw : in.args) all.push_back(TRY(expand_pair(raw, before, scope.escape)));
  for (const auto& [key, value] : all) {
    if (key.empty()) return Error::invalid(in.name + " names can not be blank");
    shown += " " + key + "=" + value;
    if (in.name == "ENV") {
      set_env(scope.config.env, key, value);
    } else {
      scope.config.labels[key] = value;
    }
  }
  return shown;
}

Result<std::string> apply_arg(BuildScope& scope, const Instruction& in, const ArgValues& values) {
  std::string shown = "ARG";
  for (const std::string& raw : in.args) {
    const std::size_t equals = raw.find('=');
    std::string key =
        TRY(expand_word(std::string_view(raw).substr(0, equals), scope.lookup(), scope.escape));
    std::optional<std::string> value;
    if (const auto given = values.given.find(key); given != values.given.end()) {
      value = given->second;
    } else if (equals != std::string::npos) {
      value =
          TRY(expand_word(std::string_view(raw).substr(equals + 1), scope.lookup(), scope.escape));
    } else if (const auto global = values.global.find(key); global != values.global.end()) {
      value = global->second;
    } else if (const auto platform = values.platform.find(key); platform != values.platform.end()) {
      value = platform->second;
    }
    shown += " " + key + (value ? "=" + *value : "");
    const auto declared = std::find_if(scope.args.begin(), scope.args.end(),
                                       [&](const auto& arg) { return arg.first == key; });
    if (declared == scope.args.end()) {
      scope.args.emplace_back(std::move(key), std::move(value));
    } else if (value) {  // without one it keeps that of the stage below
      declared->second = std::move(value);
    }
  }
  return shown;
}

std::string shell_or_exec(BuildScope& scope, const Instruction& in,
                          std::optional<std::vector<std::string>>& to) {
  std::vector<std::string> command = in.args.empty() && !in.json_form
                                         ? std::vector<std::string>{}
                                         : with_shell(scope.config, in.args, in.json_form);
  std::string shown = in.name + " " + quoted_list(command);
  to = std::move(command);
  return shown;
}

Result<std::string> apply_healthcheck(BuildScope& scope, const Instruction& in) {
  Healthcheck check;
  if (in.args[0] == "NONE") {
    check.test = {"NONE"};
  } else {
    check.test = {in.json_form ? "CMD" : "CMD-SHELL"};
    check.test.insert(check.test.end(), in.args.begin() + 1, in.args.end());
  }
  const std::array<std::pair<const char*, Duration*>, 4> durations{
      {{"interval", &check.interval},
       {"timeout", &check.timeout},
       {"start-period", &check.start_period},
       {"start-interval", &check.start_interval}}};
  std::string shown = "HEALTHCHECK &{" + quoted_list(check.test);
  for (const auto& [name, to] : durations) {
    std::string text = "0s";
    if (const Flag* flag = in.flag(name)) {
      text = flag->value;
      *to = TRY(parse_duration(text));
      if (to->count() != 0 && *to < std::chrono::milliseconds(1)) {
        return Error::at(flag->where,
                         std::string("Interval \"") + name + "\" cannot be less than 1ms");
      }
    }
    shown += " " + go_quote(text);
  }
  if (const Flag* retries = in.flag("retries")) {
    char* end = nullptr;
    const long count = std::strtol(retries->value.c_str(), &end, 10);
    if (*end != '\0' || retries->value.empty() || count < 0 || count > 1'000'000) {
      return Error::at(retries->where, "--retries must be a number that is not negative, not \"" +
                                           retries->value + "\"");
    }
    check.retries = static_cast<int>(count);
  }
  shown += " '\\x" + std::string(check.retries < 16 ? "0" : "");
  static constexpr char kHex[] = "0123456789abcdef";
  if (check.retries >= 16) shown += kHex[(check.retries / 16) % 16];
  shown += kHex[check.retries % 16];
  shown += "'}";
  scope.config.healthcheck = std::move(check);
  return shown;
}

Result<std::string> apply_expose(BuildScope& scope, const Instruction& in) {
  std::vector<std::string> shown;
  for (const std::string& raw : in.args) {
    for (const std::string& word : TRY(expand_words(raw, scope.lookup(), scope.escape))) {
      for (const std::string& port : TRY(parse_exposed_port(word))) {
        scope.config.exposed_ports.insert(port);
        shown.push_back(port);
      }
    }
  }
  return "EXPOSE [" + join(sorted(std::move(shown))) + "]";
}

Result<std::string> apply_named(BuildScope& scope, const Instruction& in, const ArgValues& values) {
  ImageConfig& config = scope.config;
  const auto word = [&]() { return expand_word(in.args[0], scope.lookup(), scope.escape); };
  if (in.name == "ENV" || in.name == "LABEL") return apply_env_or_label(scope, in);
  if (in.name == "ARG") return apply_arg(scope, in, values);
  if (in.name == "CMD") {
    scope.cmd_set = true;
    return shell_or_exec(scope, in, config.cmd);
  }
  if (in.name == "ENTRYPOINT") {
    std::string shown = shell_or_exec(scope, in, config.entrypoint);
    // A CMD of the base belonged to its entry point.
    if (!scope.cmd_set) config.cmd.reset();
    return shown;
  }
  if (in.name == "EXPOSE") return apply_expose(scope, in);
  if (in.name == "HEALTHCHECK") return apply_healthcheck(scope, in);
  if (in.name == "MAINTAINER") {
    config.author = in.args[0];
    return "MAINTAINER " + in.args[0];
  }
  if (in.name == "ONBUILD") {
    config.on_build.push_back(in.args[0]);
    return "ONBUILD " + in.args[0];
  }
  if (in.name == "SHELL") {
    config.shell = in.args;
    return "SHELL [" + join(in.args) + "]";
  }
  if (in.name == "STOPSIGNAL") {
    config.stop_signal = TRY(word());
    TRY(parse_signal(config.stop_signal));
    return "STOPSIGNAL " + config.stop_signal;
  }
  if (in.name == "USER") {
    config.user = TRY(word());
    if (config.user.empty()) return Error::invalid("USER requires exactly one argument");
    return "USER " + config.user;
  }
  if (in.name == "VOLUME") {
    std::vector<std::string> shown;
    for (const std::string& raw : in.args) {
      std::string path = TRY(expand_word(raw, scope.lookup(), scope.escape));
      if (path.empty()) return Error::invalid("VOLUME specified can not be an empty string");
      config.volumes.insert(path);
      shown.push_back(std::move(path));
    }
    return "VOLUME [" + join(shown) + "]";
  }
  if (in.name == "WORKDIR") {
    const std::string path = TRY(word());
    config.working_dir =
        clean_absolute(path.starts_with('/') ? path : config.working_dir + "/" + path);
    return "WORKDIR " + config.working_dir;
  }
  return Error::make(ErrorKind::kInternal,
                     in.name + " is not an instruction about the configuration");
}

}  // namespace

std::optional<std::string> BuildScope::lookup(std::string_view name) const {
  for (const std::string& entry : config.env) {
    if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name))
      return entry.substr(name.size() + 1);
  }
  for (auto it = args.rbegin(); it != args.rend(); ++it) {
    if (it->first == name) return it->second;
  }
  return std::nullopt;
}

VariableLookup BuildScope::lookup() const {
  return [this](std::string_view name) { return lookup(name); };
}

std::vector<std::string> with_shell(const ImageConfig& config, const std::vector<std::string>& args,
                                    bool json_form) {
  if (json_form) return args;
  std::vector<std::string> out =
      config.shell.empty() ? std::vector<std::string>{"/bin/sh", "-c"} : config.shell;
  out.push_back(join(args));
  return out;
}

bool is_metadata(const std::string& name) {
  static constexpr std::array<std::string_view, 14> kNames{
      "ARG",        "CMD",     "ENTRYPOINT", "ENV",        "EXPOSE", "HEALTHCHECK", "LABEL",
      "MAINTAINER", "ONBUILD", "SHELL",      "STOPSIGNAL", "USER",   "VOLUME",      "WORKDIR"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

Result<std::string> apply_metadata(BuildScope& scope, const Instruction& instruction,
                                   const ArgValues& values) {
  auto shown = apply_named(scope, instruction, values);
  if (!shown.ok() && !shown.error().where) {
    Error error = std::move(shown).error();
    error.where = instruction.where;
    return error;
  }
  return shown;
}

Status apply_change(ImageConfig& config, const std::string& change) {
  const auto instructions = TRY(parse_instructions(change, "--change"));
  for (const Instruction& instruction : instructions) {
    if (!is_metadata(instruction.name) || instruction.name == "ARG" ||
        instruction.name == "MAINTAINER" || instruction.name == "SHELL") {
      return Error::at(instruction.where, instruction.name + " is not a valid change command");
    }
  }
  BuildScope scope;
  scope.config = std::move(config);
  scope.cmd_set = true;
  for (const Instruction& instruction : instructions) TRY(apply_metadata(scope, instruction, {}));
  config = std::move(scope.config);
  return ok_status();
}

Result<std::vector<std::string>> parse_exposed_port(const std::string& text) {
  const Error wrong = Error::invalid("invalid containerPort: " + text);
  const std::size_t slash = text.find('/');
  std::string protocol = slash == std::string::npos ? "tcp" : text.substr(slash + 1);
  std::transform(protocol.begin(), protocol.end(), protocol.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp")
    return Error::invalid("invalid proto: " + protocol);
  const std::string range = text.substr(0, slash);
  const std::size_t dash = range.find('-');
  const auto number = [](const std::string& digits) -> long {
    if (digits.empty() || digits.size() > 5 ||
        digits.find_first_not_of("0123456789") != std::string::npos)
      return -1;
    return std::stol(digits);
  };
  const long first = number(range.substr(0, dash));
  const long last = dash == std::string::npos ? first : number(range.substr(dash + 1));
  if (first < 0 || last < first || last > 65535) return wrong;
  std::vector<std::string> out;
  for (long port = first; port <= last; ++port)
    out.push_back(std::to_string(port) + "/" + protocol);
  return out;
}

Result<Duration> parse_duration(const std::string& text) {
  const Error wrong = Error::invalid("time: invalid duration " + go_quote(text));
  if (text == "0") return Duration(0);
  double total = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t used = 0;
    const std::size_t start = at;
    while (at < text.size() &&
           (std::isdigit(static_cast<unsigned char>(text[at])) != 0 || text[at] == '.'))
      ++at;
    used = at - start;
    if (used == 0 || used > 18 || text.substr(start, used) == ".") return wrong;
    const double value = std::strtod(text.substr(start, used).c_str(), nullptr);
    static constexpr std::array<std::pair<std::string_view, double>, 7> kUnits{
        {{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
    bool found = false;
    for (const auto& [unit, factor] : kUnits) {
      if (text.compare(at, unit.size(), unit) != 0) continue;
      total += value * factor;
      at += unit.size();
      found = true;
      break;
    }
    if (!found) return wrong;
  }
  if (text.empty() || total > 9e18) return wrong;
  return Duration(static_cast<std::int64_t>(std::llround(total)));
}

}  // namespace stack::images
