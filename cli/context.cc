#include "cli/context.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdlib>
#include <variant>

#include "base/fd.h"
#include "cli/engine_launcher.h"
#include "cli/heap.h"
#include "cli/terminal.h"
#include "compose/diagnostic.h"
#include "compose/discover.h"
#include "compose/loader.h"

namespace stack::cli {

namespace {

// Whether escape sequences may be written to `fd`.
bool wants_colour(const std::string& ansi, int fd) {
  if (ansi == "never" || !environment_value("NO_COLOR").empty()) return false;
  if (ansi == "always" || environment_flag("CLICOLOR_FORCE")) return true;
  return is_terminal(fd) && environment_value("TERM") != "dumb";
}

Result<ProgressMode> progress_mode(const Globals& globals) {
  const std::string& name = globals.progress;
  if (name == "plain") return ProgressMode::kPlain;
  if (name == "json") return ProgressMode::kJson;
  if (name == "quiet" || name == "none") return ProgressMode::kQuiet;
  if (name == "tty") {
    if (globals.ansi == "never") {
      return Error::invalid("can't use --progress tty while ANSI support is disabled")
          .fix("Leave out --ansi never, or use --progress plain.");
    }
    return ProgressMode::kTerminal;
  }
  if (name == "auto" || name.empty()) {
    const bool drawable = is_terminal(STDERR_FILENO) && globals.ansi != "never" &&
                          environment_value("TERM") != "dumb";
    return drawable ? ProgressMode::kTerminal : ProgressMode::kPlain;
  }
  return Error::invalid(fmt::format("unsupported --progress value \"{}\"", name))
      .fix("Use auto, tty, plain, json or quiet.");
}

}  // namespace

struct Context::Loaded {
  compose::Project project;
};

Context::Context(Globals globals) : globals_(std::move(globals)) {}
Context::Context(Context&&) noexcept = default;
Context::~Context() = default;

Result<Context> Context::create(Globals globals) {
  Context context(std::move(globals));
  context.progress_mode_ = TRY(progress_mode(context.globals_));
  context.colour_stdout_ = wants_colour(context.globals_.ansi, STDOUT_FILENO);
  context.colour_stderr_ = wants_colour(context.globals_.ansi, STDERR_FILENO);
  return context;
}

compose::LoadOptions Context::load_options(const std::vector<std::string>& services) const {
  compose::LoadOptions options = compose::default_load_options();
  options.files = globals_.files;
  options.project_directory = globals_.project_directory;
  options.project_name = globals_.project_name;
  options.env_files = globals_.env_files;
  options.profiles = globals_.profiles;
  options.all_resources = globals_.all_resources;
  options.services = services;
  options.read_file = [read = std::move(options.read_file)](const std::string& path) {
    Result<std::string> text = read(path);
    if (text.ok()) expect_files(text->size());
    return text;
  };
  return options;
}

Result<const compose::Project*> Context::project(const std::vector<std::string>& services) {
  if (!loaded_) return load(load_options(services));
  return &loaded_->project;
}

Result<const compose::Project*> Context::load(const compose::LoadOptions& options) {
  auto loaded = compose::load(options);
  if (const auto* errors = std::get_if<compose::LoadErrors>(&loaded)) return rendered(*errors);
  auto& result = std::get<compose::LoadResult>(loaded);
  (void)write_all(STDERR_FILENO,
                  compose::render(result.warnings, compose::Diagnostic::Severity::kWarning));
  loaded_ = std::make_unique<Loaded>(Loaded{std::move(result.project)});
  return &loaded_->project;
}

Result<ProjectScope> Context::scope(const std::vector<std::string>& services) {
  // As Compose: a name alone needs no file, and a name in the environment saves a project without
  // one.
  if (!globals_.project_name.empty() && globals_.files.empty()) {
    return ProjectScope{TRY(compose::resolve_project_name(load_options({}))), nullptr};
  }
  auto loaded = project(services);
  if (loaded.ok()) return ProjectScope{(*loaded)->name, *loaded};
  if (const std::string name = environment_value("COMPOSE_PROJECT_NAME"); !name.empty()) {
    return ProjectScope{name, nullptr};
  }
  return std::move(loaded).error();
}

bool Context::in_project() const {
  const bool said = !globals_.files.empty() || !globals_.project_name.empty() ||
                    !globals_.project_directory.empty() || !globals_.env_files.empty() ||
                    !globals_.profiles.empty() || globals_.all_resources ||
                    !environment_value("COMPOSE_FILE").empty() ||
                    !environment_value("COMPOSE_PROJECT_NAME").empty();
  if (said) return true;
  const auto found = compose::discover(load_options({}));
  return found.ok() || found.error().kind != ErrorKind::kNotFound;
}

Result<const Engine*> Context::engine() {
  if (!engine_) {
    const EngineAddress address = TRY(engine_address(globals_.host));
    TRY(ensure_engine(address));
    engine_.emplace(ApiClient(address.socket));
  }
  return &*engine_;
}

ProgressPrinter::Options Context::progress_options(std::string title) const {
  ProgressPrinter::Options options;
  options.mode = progress_mode_;
  options.fd = environment_flag("COMPOSE_STATUS_STDOUT") ? STDOUT_FILENO : STDERR_FILENO;
  options.colour = colour_stderr_;
  options.dry_run = dry_run();
  options.title = std::move(title);
  return options;
}

void Context::warn(std::string_view text) const {
  const std::string_view word = colour_stderr_ ? "\033[33mwarning:\033[0m" : "warning:";
  (void)write_all(STDERR_FILENO, fmt::format("{} {}\n", word, text));
}

Error rendered(const compose::LoadErrors& errors) {
  std::string text = compose::render(errors, compose::Diagnostic::Severity::kWarning);
  text.pop_back();  // the line end
  Error out = Error::invalid(text);
  if (text.find("no configuration file provided") != std::string::npos) {
    out.remedy =
        "Go to the directory of your compose.yaml, or name the file with -f, or the project with "
        "-p.";
  }
  return out;
}

void print_error(const Error& error) {
  std::string text = error.to_string() + '\n';
  if (!error.remedy.empty()) text += error.remedy + '\n';
  (void)write_all(STDERR_FILENO, text);
}

void print(std::string_view text) { (void)write_all(STDOUT_FILENO, text); }

Status check_services(const compose::Project& project, const std::vector<std::string>& services) {
  for (const std::string& name : services) {
    if (project.services.contains(name)) continue;
    std::vector<std::string> known;
    for (const auto& [known_name, service] : project.services) known.push_back(known_name);
    Error error = Error::not_found(fmt::format("no such service: {}", name));
    if (const auto near = nearest(name, known)) {
      error.remedy = fmt::format("Did you mean {}?", *near);
    } else if (project.disabled_services.contains(name)) {
      error.remedy = "It belongs to a profile that is not active; activate it with --profile.";
    }
    return error;
  }
  return ok_status();
}

std::string environment_value(const char* name) {
  const char* value = ::getenv(name);
  return value != nullptr ? value : "";
}

bool environment_flag(const char* name) {
  return parse_bool(environment_value(name)).value_or(false);
}

}  // namespace stack::cli
