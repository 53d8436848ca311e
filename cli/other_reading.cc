#include "cli/other_reading.h"

#include <fmt/core.h>

#include <filesystem>

#include "cli/document.h"

namespace stack::cli {

namespace {

void add(Error& error, const std::string& sentence) {
  error.remedy += (error.remedy.empty() ? "" : "\n") + sentence;
}

bool answers(const Engine& engine, const std::string& target) {
  const auto response = engine.http().request("GET", std::string(kApi) + target);
  return response.ok() && response->ok();
}

// Docker's reading of a name in a project's directory: a container, an image or a directory.
void add_docker_names(const Engine& engine, const Meaning& meaning, const Arguments& args,
                      Error& error) {
  if (meaning.other->max_args == 0) return;  // `ps NAME`: Docker's takes no names
  const std::string_view verb = meaning.command->name;
  for (const std::string& name : args.positional) {
    std::error_code ec;
    std::string what;
    const std::string plain = name.substr(0, name.find(':'));  // `cp NAME:PATH`
    if (verb == "build") {
      if (std::filesystem::is_directory(name, ec) || name == "-") what = "a build context";
    } else if (verb == "run" || verb == "create" || verb == "pull" || verb == "push") {
      what = answers(engine, fmt::format("/images/{}/json", url_encode(name)))
                 ? "an image"
                 : "no service of this project; as an image";
    } else if (answers(engine, fmt::format("/containers/{}/json", url_encode(plain)))) {
      what = "a container";
    }
    if (what.empty()) continue;
    add(error, fmt::format("`{}` is {}: type `{} {}`.", name, what, meaning.other_path, name));
    return;
  }
}

// Compose's reading of a name outside of a project: a service of some project that is known.
void add_compose_names(const Engine& engine, const Meaning& meaning, const Arguments& args,
                       Error& error) {
  for (const std::string& name : args.positional) {
    const auto found = engine.containers(
        true, {fmt::format("{}={}", label::kService, name.substr(0, name.find(':')))});
    if (!found.ok() || found->empty()) continue;
    const std::string& verb = std::string(meaning.other->name);
    add(error, fmt::format("`{}` is a service of the project {}: type `stack compose -p {} {} {}`.",
                           name, found->front().project(), found->front().project(), verb, name));
    return;
  }
}

}  // namespace

void add_other_flags(const Meaning& meaning, std::span<const std::string> args, Error& error) {
  if (meaning.other == nullptr) return;
  const auto parsed = parse_flags(flags_of(*meaning.other), args, meaning.other->interspersed);
  if (!parsed.ok()) return;
  error.remedy.clear();
  add(error, meaning.other->words == Words::kDocker
                 ? fmt::format("Here is a project, so this is Compose's word; Docker's is `{}`.",
                               meaning.other_path)
                 : fmt::format("Here is no project, so this is Docker's word; Compose's is `{}`.",
                               meaning.other_path));
}

void add_other_names(Context& context, const Meaning& meaning, const Arguments& args,
                     Error& error) {
  if (meaning.other == nullptr || args.positional.empty()) return;
  const bool about_a_name = error.kind == ErrorKind::kNotFound ||
                            error.message.find("is not running") != std::string::npos;
  if (!about_a_name) return;
  const auto engine = context.engine();
  if (!engine.ok()) return;
  if (meaning.other->words == Words::kDocker)
    add_docker_names(**engine, meaning, args, error);
  else
    add_compose_names(**engine, meaning, args, error);
}

}  // namespace stack::cli
