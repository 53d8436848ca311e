#include "cli/provider.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/fd.h"
#include "base/process.h"
#include "cli/progress.h"

extern char** environ;

namespace stack::cli {

namespace {

using nlohmann::json;

constexpr std::size_t kLongestAnswer = 1U << 20U;

std::optional<std::string> in_path(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string rest = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
  rest += ':';
  for (std::size_t colon = 0; (colon = rest.find(':')) != std::string::npos;
       rest.erase(0, colon + 1)) {
    std::string file = rest.substr(0, colon) + "/" + name;
    if (colon > 0 && ::access(file.c_str(), X_OK) == 0) return file;
  }
  return std::nullopt;
}

Result<std::string> find_program(const std::string& type) {
  if (type.find('/') == std::string::npos) {
    for (const std::string& directory :
         {std::string(std::getenv("HOME") != nullptr ? std::getenv("HOME") : "") +
              "/.docker/cli-plugins",
          std::string("/usr/local/lib/docker/cli-plugins"),
          std::string("/usr/libexec/docker/cli-plugins"),
          std::string("/usr/lib/docker/cli-plugins")}) {
      const std::string plugin = directory + "/docker-" + type;
      if (::access(plugin.c_str(), X_OK) == 0) return plugin;
    }
    for (const std::string& name : {"docker-" + type, type}) {
      if (auto file = in_path(name)) return *file;
    }
  } else if (::access(type.c_str(), X_OK) == 0) {
    return type;
  }
  return Error::not_found(fmt::format("exec: \"{}\": executable file not found in $PATH", type))
      .fix(fmt::format("Install the provider as docker-{0} or {0} in PATH.", type));
}

std::vector<std::string> environment_of(const compose::Project& project) {
  std::map<std::string, std::string> all = {project.environment.begin(), project.environment.end()};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    all.emplace(text.substr(0, text.find('=')),
                text.substr(std::min(text.size(), text.find('=') + 1)));
  }
  std::vector<std::string> list;
  for (const auto& [key, value] : all) list.push_back(key + "=" + value);
  return list;
}

// Runs to the end and hands over each line of its output; the exit code.
Result<int> run_program(const std::vector<std::string>& argv, const std::vector<std::string>& env,
                        bool show_errors, const std::function<void(std::string_view)>& line) {
  Pipe out = TRY(make_pipe());
  SpawnOptions options;
  options.argv = argv;
  options.env = env;
  options.new_session = false;  // Ctrl-C is meant for it, too
  options.fds = {{STDIN_FILENO, STDIN_FILENO}, {out.write.get(), STDOUT_FILENO}};
  if (show_errors) options.fds.emplace_back(STDERR_FILENO, STDERR_FILENO);
  const Child child = TRY(spawn(options));
  out.write.reset();
  std::string pending;
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::read(out.read.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    pending.append(buffer, static_cast<std::size_t>(n));
    for (std::size_t end = 0; (end = pending.find('\n')) != std::string::npos;
         pending.erase(0, end + 1))
      line(std::string_view(pending).substr(0, end));
    if (pending.size() > kLongestAnswer)
      return Error::invalid(argv.front() + ": a line without end");
  }
  if (!pending.empty()) line(pending);
  const auto status = TRY(reap(child.pidfd.get(), true));
  return status->code;
}

// The options that it knows for a command; nothing when it does not say.
std::optional<std::set<std::string>> known_options(const std::string& program,
                                                   const std::vector<std::string>& env,
                                                   const char* command) {
  std::string text;
  const auto code = run_program({program, "compose", "metadata"}, env, false,
                                [&](std::string_view line) { text.append(line).append("\n"); });
  if (!code.ok() || *code != 0) return std::nullopt;
  const json answer = json::parse(text, nullptr, false);
  if (!answer.is_object() || !answer.contains(command) || !answer[command].is_object())
    return std::nullopt;
  std::set<std::string> names;
  const json parameters = answer[command].value("parameters", json::array());
  for (const json& parameter : parameters) {
    if (parameter.is_object()) names.insert(parameter.value("name", ""));
  }
  return names;
}

Status run_one(const Context& context, const compose::Project& project,
               const compose::Service& service, const char* command,
               std::map<std::string, std::string>* variables) {
  const bool up = std::string_view(command) == "up";
  ProgressPrinter printer(context.progress_options("Running"));
  const auto say = [&](const std::string& status, StepKind kind, const std::string& text = {}) {
    printer.event({service.name, {}, text, status, kind, 0, 0});
  };
  if (context.dry_run()) {
    say(up ? "Created" : "Removed", StepKind::kDone);
    return ok_status();
  }
  const std::string program = TRY(find_program(service.provider->type));
  const std::vector<std::string> env = environment_of(project);
  const auto known = known_options(program, env, command);
  std::vector<std::string> argv = {program, "compose", "--project-name=" + project.name, command};
  for (const auto& [key, values] : service.provider->options) {
    if (known && !known->contains(key)) continue;
    for (const std::string& value : values) argv.push_back(fmt::format("--{}={}", key, value));
  }
  argv.push_back(service.name);

  say(up ? "Creating" : "Removing", StepKind::kWorking);
  std::optional<std::string> failure;
  const auto take = [&](std::string_view line) {
    if (line.empty()) return;
    const json message = json::parse(line, nullptr, false);
    if (!message.is_object()) {
      if (!failure) failure = fmt::format("invalid response from the provider: {}", line);
      return;
    }
    const std::string type = message.value("type", "");
    const std::string text = message.value("message", "");
    if (type == "error") {
      if (!failure) failure = text;
    } else if (type == "info") {
      say(text, StepKind::kWorking);
    } else if (type == "setenv" && variables != nullptr && text.find('=') != std::string::npos) {
      (*variables)[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
    }
  };
  const int code = TRY(run_program(argv, env, true, take));
  if (!failure && code != 0) failure = fmt::format("it ended with exit status {}", code);
  if (failure) {
    say("Error", StepKind::kError, *failure);
    return Error::make(ErrorKind::kInternal,
                       fmt::format("provider {} of service \"{}\": {}", service.provider->type,
                                   service.name, *failure));
  }
  say(up ? "Created" : "Removed", StepKind::kDone);
  return ok_status();
}

// Dependencies first.
std::vector<std::string> order_of(const compose::Project& project,
                                  const std::vector<std::string>& selected,
                                  bool with_dependencies) {
  std::vector<std::string> order;
  std::set<std::string> seen;
  const std::function<void(const std::string&)> visit = [&](const std::string& name) {
    const auto service = project.services.find(name);
    if (service == project.services.end() || !seen.insert(name).second) return;
    if (with_dependencies) {
      for (const auto& [dependency, how] : service->second.depends_on) visit(dependency);
    }
    order.push_back(name);
  };
  for (const std::string& name : selected) visit(name);
  if (selected.empty()) {
    for (const auto& [name, service] : project.services) visit(name);
  }
  return order;
}

}  // namespace

bool has_providers(const compose::Project& project) {
  return std::any_of(project.services.begin(), project.services.end(),
                     [](const auto& entry) { return entry.second.provider.has_value(); });
}

Status run_providers(const Context& context, compose::Project& project,
                     const std::vector<std::string>& selected, bool with_dependencies) {
  for (const std::string& name : order_of(project, selected, with_dependencies)) {
    const compose::Service service = project.services.at(name);
    if (!service.provider) continue;
    std::map<std::string, std::string> variables;
    TRY(run_one(context, project, service, "up", &variables));
    std::string prefix = name + "_";
    std::transform(prefix.begin(), prefix.end(), prefix.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    for (auto& [dependent, definition] : project.services) {
      if (!definition.depends_on.contains(name)) continue;
      for (const auto& [key, value] : variables) definition.environment[prefix + key] = value;
    }
  }
  return ok_status();
}

Status end_providers(const Context& context, const compose::Project& project,
                     const std::vector<std::string>& selected) {
  std::vector<std::string> order = order_of(project, selected, false);
  std::vector<std::string> all = order_of(project, {}, true);
  std::reverse(all.begin(), all.end());
  for (const std::string& name : all) {
    if (std::find(order.begin(), order.end(), name) == order.end()) continue;
    const compose::Service& service = project.services.at(name);
    if (service.provider) TRY(run_one(context, project, service, "down", nullptr));
  }
  return ok_status();
}

}  // namespace stack::cli
