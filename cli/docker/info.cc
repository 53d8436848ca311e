// info and version.
#include <fmt/core.h>
#include <sys/utsname.h>

#include <algorithm>

#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/duration_text.h"
#include "cli/json_text.h"
#include "cli/template.h"
#include "cli/version.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kFlags[] = {
    {"format", 'f', FlagType::kString,
     "Format output using a custom template: 'json' or 'TEMPLATE'"},
};
constexpr FlagSpec kVersionFlags[] = {
    {"format", 'f', FlagType::kString,
     "Format output using a custom template: 'json' or 'TEMPLATE'"},
    {"short", 0, FlagType::kBool, "Shows only the version number"},
};

// A line "Title: value" of the page; nothing for an absent member.
void line(std::string& out, std::string_view title, JsonView value) {
  if (value.exists()) out += fmt::format(" {}: {}\n", title, value.text());
}

std::string sorted_words(JsonView list) {
  std::vector<std::string> words = list.texts();
  for (const auto& [name, unused] : list.members()) words.push_back(name);
  std::sort(words.begin(), words.end());
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

// "name=seccomp,profile=builtin"
std::string security_option(const std::string& option) {
  std::string out;
  std::string indent = "  ";
  for (std::size_t start = 0; start <= option.size();) {
    const std::size_t comma = std::min(option.find(',', start), option.size());
    std::string part = option.substr(start, comma - start);
    if (part.starts_with("name=")) part.erase(0, 5);
    if (part.starts_with("profile=")) part = "Profile: " + part.substr(8);
    out += indent + part + '\n';
    indent = "   ";
    start = comma + 1;
  }
  return out;
}

std::string info_page(const JsonView info, const std::string& socket) {
  std::string out = fmt::format(
      "Client:\n Version:    {}\n Context:    default\n Debug Mode: false\n\nServer:\n", kVersion);
  line(out, "Containers", info["Containers"]);
  line(out, " Running", info["ContainersRunning"]);
  line(out, " Paused", info["ContainersPaused"]);
  line(out, " Stopped", info["ContainersStopped"]);
  line(out, "Images", info["Images"]);
  line(out, "Server Version", info["ServerVersion"]);
  line(out, "Storage Driver", info["Driver"]);
  for (const JsonView pair : info["DriverStatus"].items()) {
    const auto texts = pair.texts();
    if (texts.size() == 2) out += fmt::format("  {}: {}\n", texts[0], texts[1]);
  }
  line(out, "Logging Driver", info["LoggingDriver"]);
  line(out, "Cgroup Driver", info["CgroupDriver"]);
  line(out, "Cgroup Version", info["CgroupVersion"]);
  const JsonView plugins = info["Plugins"];
  out += fmt::format(" Plugins:\n  Volume: {}\n  Network: {}\n  Log: {}\n",
                     sorted_words(plugins["Volume"]), sorted_words(plugins["Network"]),
                     sorted_words(plugins["Log"]));
  line(out, "Swarm", info["Swarm"]["LocalNodeState"]);
  out += fmt::format(" Runtimes: {}\n", sorted_words(info["Runtimes"]));
  line(out, "Default Runtime", info["DefaultRuntime"]);
  line(out, "Init Binary", info["InitBinary"]);
  if (const auto options = info["SecurityOptions"].texts(); !options.empty()) {
    out += " Security Options:\n";
    for (const std::string& option : options) out += security_option(option);
  }
  line(out, "Kernel Version", info["KernelVersion"]);
  line(out, "Operating System", info["OperatingSystem"]);
  line(out, "OSType", info["OSType"]);
  line(out, "Architecture", info["Architecture"]);
  line(out, "CPUs", info["NCPU"]);
  out += fmt::format(" Total Memory: {}\n", binary_size(info["MemTotal"].real()));
  line(out, "Name", info["Name"]);
  line(out, "ID", info["ID"]);
  line(out, "Docker Root Dir", info["DockerRootDir"]);
  out += fmt::format(" Socket: {}\n", socket);
  line(out, "Debug Mode", info["Debug"]);
  if (const auto labels = info["Labels"].texts(); !labels.empty()) {
    out += " Labels:\n";
    for (const std::string& label : labels) out += fmt::format("  {}\n", label);
  }
  line(out, "Experimental", info["ExperimentalBuild"]);
  const JsonView registries = info["RegistryConfig"];
  if (const auto nets = registries["InsecureRegistryCIDRs"].texts(); !nets.empty()) {
    out += " Insecure Registries:\n";
    for (const auto& [name, index] : registries["IndexConfigs"].members()) {
      if (index["Secure"].exists() && !index.truth("Secure")) out += fmt::format("  {}\n", name);
    }
    for (const std::string& net : nets) out += fmt::format("  {}\n", net);
  }
  if (const auto mirrors = registries["Mirrors"].texts(); !mirrors.empty()) {
    out += " Registry Mirrors:\n";
    for (const std::string& mirror : mirrors) out += fmt::format("  {}\n", mirror);
  }
  line(out, "Live Restore Enabled", info["LiveRestoreEnabled"]);
  for (const std::string& warning : info["Warnings"].texts()) out += warning + '\n';
  return out;
}

Result<std::string> formatted(const Document& document, const std::string& format) {
  if (format == "json") return document.root().compact() + '\n';
  const Template pattern = TRY(Template::parse(format));
  return TRY(pattern.execute({&document.root().json()})) + '\n';
}

Result<int> info(Context& context, const Arguments& args) {
  const std::string format = args.text("format");
  if (!format.empty() && format != "json") TRY(Template::parse(format));
  const Engine* engine = TRY(context.engine());
  const Document answer = TRY(get_document(*engine, fmt::format("{}/info", kApi)));
  print(format.empty() ? info_page(answer.root(), engine->http().socket_path())
                       : TRY(formatted(answer, format)));
  return 0;
}

std::string architecture() {
  utsname names{};
  ::uname(&names);
  const std::string machine = names.machine;
  if (machine == "x86_64") return "amd64";
  return machine == "aarch64" ? "arm64" : machine;
}

std::string version_page(JsonView both) {
  const JsonView client = both["Client"];
  const JsonView server = both["Server"];
  std::string out = fmt::format(
      "Client:\n Version:           {}\n API version:       {}\n OS/Arch:           {}/{}\n "
      "Context:           default\n\nServer:\n",
      client.text("Version"), client.text("ApiVersion"), client.text("Os"), client.text("Arch"));
  for (const JsonView part : server["Components"].items()) {
    const JsonView details = part["Details"];
    out += fmt::format(" {}:\n  {:<18}{}\n", part.text("Name"), "Version:", part.text("Version"));
    if (details["ApiVersion"].exists())
      out += fmt::format("  {:<18}{} (minimum version {})\n",
                         "API version:", details.text("ApiVersion"), details.text("MinAPIVersion"));
    if (!details.text("GitCommit").empty())
      out += fmt::format("  {:<18}{}\n", "Git commit:", details.text("GitCommit"));
    if (!details.text("BuildTime").empty())
      out += fmt::format("  {:<18}{}\n", "Built:", details.text("BuildTime"));
    if (details["Os"].exists())
      out += fmt::format("  {:<18}{}/{}\n", "OS/Arch:", details.text("Os"), details.text("Arch"));
    if (details["Experimental"].exists())
      out += fmt::format("  {:<18}{}\n", "Experimental:", details.text("Experimental"));
  }
  return out;
}

Result<int> version(Context& context, const Arguments& args) {
  if (args.on("short")) {
    print(fmt::format("{}\n", kVersion));
    return 0;
  }
  const std::string format = args.text("format");
  if (!format.empty() && format != "json") TRY(Template::parse(format));
  const std::string api(kApi.substr(2));
  JsonObject both;
  both.add_json("Client", JsonObject()
                              .add("Version", kVersion)
                              .add("ApiVersion", api)
                              .add("DefaultAPIVersion", api)
                              .add("Os", "linux")
                              .add("Arch", architecture())
                              .add("Context", "default")
                              .text());
  const auto show = [&](const JsonObject& object) -> Status {
    const Document document = TRY(Document::parse(object.text()));
    print(format.empty() ? version_page(document.root()) : TRY(formatted(document, format)));
    return ok_status();
  };
  const auto engine = context.engine();
  const auto server =
      engine.ok() ? (*engine)->http().get("/version") : Result<std::string>(engine.error());
  if (!server.ok()) {
    TRY(show(both.add_json("Server", "null")));
    return server.error();
  }
  TRY(show(both.add_json("Server", *server)));
  return 0;
}

}  // namespace

constinit const Command kInfo{.name = "info",
                              .usage = "[OPTIONS]",
                              .summary = "Display system-wide information",
                              .flags = kFlags,
                              .run = info,
                              .words = Words::kDocker,
                              .max_args = 0};
constinit const Command kVersionCommand{
    .name = "version",
    .usage = "[OPTIONS]",
    .summary = "Show the version information of the client and the engine",
    .flags = kVersionFlags,
    .run = version,
    .words = Words::kDocker,
    .max_args = 0};

}  // namespace stack::cli::docker
