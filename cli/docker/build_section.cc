#include "cli/docker/build_section.h"

#include <fmt/core.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "cli/api_client.h"
#include "cli/docker/csv.h"
#include "cli/docker/support.h"
#include "cli/environment.h"
#include "cli/json_text.h"

namespace stack::cli::docker {

namespace {

// "$" would be a variable in the canonical document.
std::string literal(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '$' ? std::string("$$") : std::string(1, c);
  return out;
}
std::vector<std::string> literals(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts) out.push_back(literal(text));
  return out;
}
std::string literal_map(const std::map<std::string, std::string>& map) {
  JsonObject out;
  for (const auto& [name, value] : map) out.add(name, literal(value));
  return out.text();
}

std::map<std::string, std::string> build_args(const Arguments& args) {
  return pairs(resolved_environment(args.list("build-arg")));
}

Status add_secrets(const Arguments& args, JsonObject& section, JsonObject& project) {
  if (!args.given("secret")) return ok_status();
  JsonObject secrets;
  std::vector<std::string> names;
  for (const std::string& text : args.list("secret")) {
    std::string id;
    std::string source;
    std::string variable;
    for (const CsvField& field : TRY(csv_fields("secret", text))) {
      if (field.key == "id") id = field.value;
      if (field.key == "src" || field.key == "source") source = field.value;
      if (field.key == "env") variable = field.value;
    }
    if (id.empty()) return wrong_flag("secret", text, "the secret has no id");
    if (source.empty() && variable.empty())
      (std::getenv(id.c_str()) != nullptr ? variable : source) = id;
    JsonObject secret;
    if (!variable.empty())
      secret.add("environment", variable);
    else
      secret.add("file", literal(std::filesystem::absolute(source)));
    secrets.add_json(id, secret.text());
    names.push_back(id);
  }
  section.add("secrets", names);
  project.add_json("secrets", secrets.text());
  return ok_status();
}

Result<std::string> section_json(const Arguments& args, const std::string& directory,
                                 const std::string& dockerfile, JsonObject& project) {
  JsonObject section;
  section.add("context", literal(directory));
  if (!dockerfile.empty()) {
    section.add("dockerfile_inline", literal(dockerfile));
  } else {
    section.add("dockerfile", args.given("file")
                                  ? literal(std::filesystem::absolute(args.text("file")))
                                  : "Dockerfile");
  }
  if (const auto map = build_args(args); !map.empty()) section.add_json("args", literal_map(map));
  if (args.given("label")) section.add_json("labels", literal_map(pairs(args.list("label"))));
  if (args.given("target")) section.add("target", args.text("target"));
  if (args.given("network") && args.text("network") != "default")
    section.add("network", args.text("network"));
  if (args.given("add-host")) section.add("extra_hosts", literals(args.list("add-host")));
  if (args.given("cache-from")) section.add("cache_from", literals(args.list("cache-from")));
  if (args.given("shm-size"))
    section.add("shm_size", std::to_string(TRY(bytes_flag("shm-size", args.text("shm-size")))));
  if (args.given("platform")) section.add("platforms", comma_separated(args.list("platform")));
  if (args.given("build-context"))
    section.add_json("additional_contexts", literal_map(pairs(args.list("build-context"))));
  if (args.given("ulimit")) {
    JsonObject ulimits;
    for (const auto& [name, value] : pairs(args.list("ulimit"))) {
      const std::size_t colon = value.find(':');
      const auto number = [](const std::string& text) {
        return static_cast<std::int64_t>(std::atoll(text.c_str()));
      };
      ulimits.add_json(
          name,
          JsonObject()
              .add("soft", number(value.substr(0, colon)))
              .add("hard", number(colon == std::string::npos ? value : value.substr(colon + 1)))
              .text());
    }
    section.add_json("ulimits", ulimits.text());
  }
  const auto tags = args.list("tag");
  if (tags.size() > 1) section.add("tags", std::vector<std::string>(tags.begin() + 1, tags.end()));
  TRY(add_secrets(args, section, project));
  return section.text();
}

}  // namespace

Status check_build_flags(const Arguments& args) {
  struct Unsupported {
    const char* flag;
    const char* remedy;
  };
  for (const Unsupported& u :
       {Unsupported{"annotation", "Use --label, which is kept with the image."},
        {"attest", "Leave it out: images are built without attestations."},
        {"cache-to", "Leave it out: the build cache stays on this machine."},
        {"call", "Leave it out: only building is supported."},
        {"check", "Leave it out: only building is supported."},
        {"squash", "Leave it out, or use a last stage that copies from the others."},
        {"ssh", "Use --secret for keys."},
        {"metadata-file", "Use --iidfile."}}) {
    if (args.given(u.flag))
      return Error::invalid(fmt::format("--{} is not supported", u.flag)).fix(u.remedy);
  }
  for (const char* flag : {"sbom", "provenance"}) {
    const std::string value = args.text(flag);
    if (args.given(flag) && value != "false" && value != "0")
      return Error::invalid(fmt::format("--{} is not supported", flag))
          .fix("Leave it out, or say false.");
  }
  for (const std::string& output : args.list("output")) {
    if (output == "type=docker" || output == "type=image") continue;
    return Error::invalid(fmt::format("--output {} is not supported", output))
        .fix(
            "Built images stay in the engine's store; `stack image save` and `stack cp` take files "
            "out.");
  }
  return ok_status();
}

Result<std::string> build_project(const Arguments& args, const std::string& directory,
                                  const std::string& dockerfile) {
  JsonObject project;
  project.add("name", "image-build");
  JsonObject service;
  service.add_json("build", TRY(section_json(args, directory, dockerfile, project)));
  if (const auto tags = args.list("tag"); !tags.empty()) service.add("image", tags[0]);
  project.add_json("services", JsonObject().add_json("image", service.text()).text());
  return project.text();
}

Result<std::string> build_query(const Arguments& args) {
  std::string out =
      fmt::format("nocache={}&pull={}", args.on("no-cache") ? 1 : 0, args.on("pull") ? 1 : 0);
  for (const std::string& tag : args.list("tag")) out += "&t=" + url_encode(tag);
  const auto object = [](const std::map<std::string, std::string>& map) {
    JsonObject json;
    for (const auto& [name, value] : map) json.add(name, value);
    return url_encode(json.text());
  };
  if (const auto map = build_args(args); !map.empty()) out += "&buildargs=" + object(map);
  if (args.given("label")) out += "&labels=" + object(pairs(args.list("label")));
  for (const auto& [flag, name] : {std::pair{"target", "target"}, {"network", "networkmode"}}) {
    if (args.given(flag)) out += fmt::format("&{}={}", name, url_encode(args.text(flag)));
  }
  for (const std::string& host : args.list("add-host")) out += "&extrahosts=" + url_encode(host);
  if (args.given("shm-size"))
    out += fmt::format("&shmsize={}", TRY(bytes_flag("shm-size", args.text("shm-size"))));
  if (args.on("quiet")) out += "&q=1";
  return out;
}

}  // namespace stack::cli::docker
