// The documents of the API: the same keys as a real engine's, which golden/*.keys hold, and
// Docker's texts.
#include "engine/api/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/base64.h"
#include "base/files.h"
#include "engine/api/build_trace.h"
#include "engine/api/filters.h"
#include "engine/api/log_details.h"
#include "engine/api/platform.h"
#include "engine/api/progress_json.h"
#include "engine/api/stats_json.h"
#include "engine/api/system_documents.h"
#include "engine/api/text.h"
#include "engine/api/top.h"
#include "images/layer_store.h"

namespace stack::engine::api {
namespace {

using Json = nlohmann::json;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

void collect(const Json& json, const std::string& prefix, std::set<std::string>& out) {
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      const auto path = prefix.empty() ? key : prefix + "." + key;
      out.insert(path);
      collect(value, path, out);
    }
  } else if (json.is_array() && !json.empty() && json[0].is_object()) {
    collect(json[0], prefix + "[]", out);
  }
}

std::set<std::string> golden(const std::string& name) {
  std::istringstream lines(
      read_file(std::string(STACK_SOURCE_DIR) + "/tests/engine/golden/" + name + ".keys").value());
  std::set<std::string> out;
  for (std::string line; std::getline(lines, line);) out.insert(line);
  return out;
}

// `theirs`: keys of the recorded document that say something about
// that engine alone.
void expect_keys(Json document, const std::string& name, const std::set<std::string>& theirs = {}) {
  if (document.is_object()) document.erase("Stack");
  std::set<std::string> keys;
  collect(document, "", keys);
  auto wanted = golden(name);
  for (const auto& key : theirs) ASSERT_EQ(wanted.erase(key), 1U) << key;
  EXPECT_THAT(keys, testing::ContainerEq(wanted));
}

WallTime at(std::int64_t ns) { return WallTime(std::chrono::nanoseconds(ns)); }

// What was recorded: a published port, a volume, a network, a health check, --init.
Container running() {
  Container c;
  c.id = std::string(64, 'a');
  c.name = "apirun";
  c.config.image = "box";
  c.config.cmd = std::vector<std::string>{"sleep", "100"};
  c.config.healthcheck = HealthcheckConfig{{"CMD-SHELL", "true"}, seconds(1), {}, {}, {}, 0};
  c.config.init = true;
  c.config.exposed_ports = {"80/tcp", "90/udp"};
  c.config.ports = {{80, "tcp", "", "18099"}};
  MountConfig mount;
  mount.type = "volume";
  mount.source = "data";
  mount.target = "/d";
  c.config.mounts = {mount};
  c.config.network_mode = "net";
  c.mounts = {{mount, "data", "/v/data/_data", false}};
  c.path = "sleep";
  c.args = {"100"};
  c.image_id = "sha256:1";
  c.status = RunState::kRunning;
  c.pid = 5;
  c.created = c.started_at.emplace(at(1'700'000'000'500'000'000));
  c.health = {HealthStatus::kHealthy, 0, {{c.created, c.created, 0, "ok"}}};
  Endpoint e;
  e.id = "e";
  e.network_id = "n";
  e.network_name = "net";
  e.ipv4 = "172.19.0.2";
  e.prefix4 = 16;
  e.gateway4 = "172.19.0.1";
  e.config.aliases = {"web", "apirun"};
  c.endpoints = {e};
  c.ports = {{80, 18099, "tcp", "0.0.0.0"}, {80, 18099, "tcp", "::"}};
  return c;
}

TEST(Documents, ContainersHaveDockersKeys) {
  Container c = running();
  c.config.exposed_ports = {"80/tcp"};
  expect_keys(container_entry(c, at(0), ContainerSizes{0, 1}), "container_entry");
  expect_keys(container_document(c, {}, std::nullopt), "container_inspect");
}

TEST(Documents, ContainersShowWhatIs) {
  const Container c = running();
  const Json entry = container_entry(c, c.created + seconds(5), std::nullopt);
  EXPECT_EQ(entry["Names"], Json::array({"/apirun"}));
  EXPECT_EQ(entry["Status"], "Up 5 seconds (healthy)");
  EXPECT_EQ(entry["Ports"].size(), 3U);
  EXPECT_EQ(entry["Ports"][2], Json({{"PrivatePort", 90}, {"Type", "udp"}}));
  EXPECT_EQ(entry["Stack"]["RestartCount"], 0);
  const Json document = container_document(c, {}, std::nullopt);
  EXPECT_EQ(document["State"]["StartedAt"], "2023-11-14T22:13:20.5Z");
  EXPECT_EQ(document["State"]["FinishedAt"], "0001-01-01T00:00:00Z");
  EXPECT_EQ(document["NetworkSettings"]["Ports"]["90/udp"], nullptr);
  EXPECT_EQ(document["NetworkSettings"]["Ports"]["80/tcp"][1]["HostIp"], "::");
  EXPECT_EQ(document["NetworkSettings"]["IPAddress"], "");
  EXPECT_EQ(document["NetworkSettings"]["Networks"]["net"]["DNSNames"],
            Json::array({"apirun", "web", "aaaaaaaaaaaa"}));
  EXPECT_EQ(document["HostConfig"]["Binds"], Json::array({"data:/d"}));
  EXPECT_EQ(document["HostConfig"]["RestartPolicy"]["Name"], "no");
  EXPECT_EQ(document["HostConfig"]["MaskedPaths"].size(), 12U);
  EXPECT_EQ(document["Config"]["Hostname"], "aaaaaaaaaaaa");
  Container created = c;
  created.status = RunState::kCreated;
  for (Endpoint& endpoint : created.endpoints) endpoint.ipv4.clear();
  created.started_at.reset();
  const Json before = container_document(created, {}, std::nullopt);
  EXPECT_EQ(before["NetworkSettings"]["Ports"], Json::object());
  EXPECT_EQ(before["NetworkSettings"]["Networks"]["net"]["IPAddress"], "");
  EXPECT_EQ(before["LogPath"], "");
  created.endpoints.clear();
  EXPECT_EQ(container_document(created, {}, std::nullopt)["NetworkSettings"]["Networks"],
            Json::object());
  created.config.network_mode = "host";
  EXPECT_EQ(
      container_document(created, {}, std::nullopt)["NetworkSettings"]["Networks"]["host"].size(),
      before["NetworkSettings"]["Networks"]["net"].size());
}

TEST(LogDetails, AreWhatTheOptionsName) {
  Container c;
  c.id = std::string(64, 'a');
  c.name = "web";
  c.config.labels = {{"a", "1"}, {"b", "2 3"}, {"other", "x"}};
  c.config.env = {"E=x", "LANG_A=/y", "PATH=/bin"};
  EXPECT_EQ(log_details(c), "");
  c.config.log.options = {{"labels", "b,a"}, {"env", "E"}};
  EXPECT_EQ(log_details(c), "E=x,a=1,b=2+3");
  c.config.log.options = {
      {"env-regex", "^LANG"}, {"labels-regex", "o.*r"}, {"tag", "{{.Name}}/{{.ID}}"}};
  EXPECT_EQ(log_details(c), "LANG_A=%2Fy,other=x,tag=web%2Faaaaaaaaaaaa");
}

TEST(Documents, ResourcesHaveDockersKeys) {
  Network network;
  network.id = "n";
  network.config.name = "net";
  network.config.ipam = {{"172.19.0.0/16", "172.19.0.1", "", {}}};
  const Container c = running();
  Json document = network_document(network, {&c});
  document["Containers"] = {{"ID", document["Containers"][c.id]}};
  expect_keys(document, "network");
  EXPECT_EQ(document["Containers"]["ID"]["IPv4Address"], "172.19.0.2/16");
  Volume volume;
  volume.name = "data";
  expect_keys(volume_document(volume), "volume");
  volume.anonymous = true;
  EXPECT_EQ(volume_document(volume)["Labels"], Json({{"com.docker.volume.anonymous", ""}}));
  images::Image image;
  image.id = "sha256:1";
  image.config.diff_ids = {"sha256:2"};
  image.config.history = {{"2023-11-14T22:13:20Z", "RUN x", "", "note", false},
                          {"", "CMD", "", "", true}};
  image.repo_tags = {"box:latest"};
  expect_keys(image_document(image, {"/l"}), "image_inspect");
  expect_keys(image_entry(image, 0), "image_entry");
  images::LayerRecord layer;
  layer.size = 7;
  const Json history = image_history(image, {layer});
  expect_keys(history, "image_history");
  EXPECT_EQ(history[0]["CreatedBy"], "CMD");
  EXPECT_EQ(history[1]["Size"], 7);
  EXPECT_EQ(history[1]["Created"], 1'700'000'000);
}

TEST(Documents, TheEngineHasDockersKeys) {
  expect_keys(version_document({}), "version");
  Json info = info_document({}, {});
  info["Runtimes"] = Json::object();
  expect_keys(info, "info", {"Containerd"});
  EXPECT_EQ(info["DriverStatus"][0], Json::array({"Supports d_type", "true"}));
  EXPECT_EQ(info["Plugins"]["Log"], Json::array({"json-file", "none"}));
  runtime::Stats stats;
  stats.percpu_ns = {1, 2};
  stats.memory_max_usage = 1;
  stats.networks = {{"eth0", 1, 2, 3, 4, 5, 6, 7, 8}};
  const StatsSample sample{at(0), stats};
  expect_keys(stats_json(running(), sample, sample), "stats");
  EXPECT_EQ(stats_json(running(), std::nullopt, std::nullopt)["pids_stats"], Json::object());
}

TEST(Documents, EventsHaveOldAndNewMembers) {
  const Json event = event_json(
      {"container", "die", "c1", {{"image", "box"}, {"exitCode", "3"}}, at(1'500'000'000)});
  EXPECT_EQ(
      event,
      Json::parse(
          R"({"status":"die","id":"c1","from":"box","Type":"container","Action":"die","Actor":{"ID":"c1",
    "Attributes":{"exitCode":"3","image":"box"}},"scope":"local","time":1,"timeNano":1500000000})"));
  EXPECT_FALSE(event_json({"network", "create", "n", {}, at(0)}).contains("status"));
}

TEST(Text, DurationsAndStates) {
  EXPECT_EQ(human_duration(std::chrono::milliseconds(400)), "Less than a second");
  EXPECT_EQ(human_duration(seconds(1)), "1 second");
  EXPECT_EQ(human_duration(seconds(59)), "59 seconds");
  EXPECT_EQ(human_duration(seconds(60)), "About a minute");
  EXPECT_EQ(human_duration(minutes(59)), "59 minutes");
  EXPECT_EQ(human_duration(hours(1)), "About an hour");
  EXPECT_EQ(human_duration(hours(47)), "47 hours");
  EXPECT_EQ(human_duration(hours(48)), "2 days");
  EXPECT_EQ(human_duration(hours(24 * 14)), "2 weeks");
  EXPECT_EQ(human_duration(hours(24 * 60)), "2 months");
  EXPECT_EQ(human_duration(hours(24 * 365 * 2)), "2 years");
  Container c = running();
  c.finished_at = c.created;
  c.exit_code = 137;
  const auto status = [&](RunState state) {
    c.status = state;
    return status_text(c, c.created + seconds(3));
  };
  EXPECT_EQ(status(RunState::kExited), "Exited (137) 3 seconds ago");
  EXPECT_EQ(status(RunState::kRestarting), "Restarting (137) 3 seconds ago");
  EXPECT_EQ(status(RunState::kPaused), "Up 3 seconds (Paused)");
  EXPECT_EQ(status(RunState::kCreated), "Created");
  c.args = {"-c", "echo hi"};
  EXPECT_EQ(command_text(c), "sleep -c 'echo hi'");
}

TEST(Text, Moments) {
  const WallTime now = at(100'000'000'000);
  EXPECT_EQ(parse_moment("5.25", now), at(5'250'000'000));
  EXPECT_EQ(parse_moment("10s", now), at(90'000'000'000));
  EXPECT_EQ(parse_moment("1m30s", now), at(10'000'000'000));
  EXPECT_EQ(parse_moment("1970-01-01T00:00:07.5Z", now), at(7'500'000'000));
  EXPECT_FALSE(parse_moment("yesterday", now).has_value());
  EXPECT_EQ(go_time(at(7'000'000'000)), "1970-01-01T00:00:07Z");
}

TEST(Filters, BothFormsAndErrors) {
  const auto list = Filters::parse(R"({"label":["a=b","c"],"name":["^web.$"]})", {"label", "name"});
  ASSERT_TRUE(list.ok());
  EXPECT_TRUE(list->labels({{"a", "b"}, {"c", ""}}));
  EXPECT_FALSE(list->labels({{"a", "x"}, {"c", ""}}));
  EXPECT_TRUE(list->contains("name", "web1"));
  EXPECT_FALSE(list->contains("name", "web12"));
  const auto map = Filters::parse(R"({"status":{"exited":true}})", {"status"});
  ASSERT_TRUE(map.ok());
  EXPECT_TRUE(map->exact("status", "exited"));
  EXPECT_FALSE(map->exact("status", "running"));
  EXPECT_EQ(Filters::parse("{", {}).error().message, "invalid filter");
  EXPECT_EQ(Filters::parse(R"({"x":["y"]})", {"label"}).error().message, "invalid filter 'x'");
}

TEST(Filters, Flags) {
  const auto flag = [](const char* text) { return Filters::parse(text, {})->flag("dangling"); };
  EXPECT_EQ(flag("{}").value(), std::nullopt);
  EXPECT_EQ(flag(R"({"dangling":["1"]})").value(), true);
  EXPECT_EQ(flag(R"({"dangling":{"false":true}})").value(), false);
  EXPECT_EQ(flag(R"({"dangling":["x"]})").error().message, "invalid filter 'dangling=[x]'");
  EXPECT_EQ(flag(R"({"dangling":["0","1"]})").error().message, "invalid filter 'dangling=[0 1]'");
}

TEST(Platform, AnImageIsForOne) {
  images::ImageConfig image;
  image.os = "linux";
  image.architecture = "arm64";
  image.variant = "v8";
  for (const char* fits : {"", "linux/arm64", "linux/arm64/v8", "arm64", "linux/aarch64",
                           R"({"os":"linux","architecture":"arm64"})"})
    EXPECT_TRUE(check_platform(fits, image, "web").ok()) << fits;
  EXPECT_EQ(check_platform("linux/amd64", image, "web").error().message,
            "image with reference web was found but its platform (linux/arm64/v8) does not match "
            "the specified platform (linux/amd64)");
  EXPECT_EQ(check_platform("linux/arm64/v7", image, "web").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(check_platform("{", image, "web").error().kind, ErrorKind::kInvalid);
}

TEST(Events, ClientsAreCountedApartFromTheEngine) {
  EventBus bus;
  const auto history = bus.subscribe([](const Event&) {});
  {
    const auto client = bus.subscribe([](const Event&) {}, EventBus::Listener::kClient);
    EXPECT_EQ(bus.clients(), 1U);
  }
  EXPECT_EQ(bus.clients(), 0U);
}

TEST(Documents, RegistriesOfTheSettingsAreShown) {
  EngineFacts facts;
  facts.mirrors = {"http://mirror:5000"};
  facts.insecure_registries = {"plain:5000", "10.0.0.0/8"};
  const auto config = info_document(facts, {})["RegistryConfig"];
  EXPECT_EQ(config["Mirrors"], Json::array({"http://mirror:5000/"}));
  EXPECT_EQ(config["IndexConfigs"]["docker.io"]["Mirrors"], config["Mirrors"]);
  EXPECT_EQ(config["IndexConfigs"]["plain:5000"]["Secure"], false);
  EXPECT_EQ(config["InsecureRegistryCIDRs"], Json::array({"::1/128", "127.0.0.0/8", "10.0.0.0/8"}));
}

TEST(Documents, HistoryNamesTheImageThatWasCommittedFrom) {
  images::Image base, child;
  base.id = "sha256:base";
  base.config.history.resize(1);
  child.id = "sha256:child";
  child.config.history.resize(2);
  const auto rows = image_history(child, {}, {base});
  EXPECT_EQ(rows[0]["Id"], "sha256:child");
  EXPECT_EQ(rows[1]["Id"], "sha256:base");
  EXPECT_EQ(image_history(child, {})[1]["Id"], "<missing>");
}

TEST(Top, ColumnsAndRows) {
  EXPECT_EQ(parse_ps_arguments("-o comm").error().message, "Couldn't find PID field in ps output");
  EXPECT_FALSE(parse_ps_arguments("-o pid,what").ok());
  const auto columns = parse_ps_arguments("-o pid,comm -o user=WHO");
  ASSERT_TRUE(columns.ok());
  ProcessFacts process;
  process.pid = 7;
  process.comm = "nginx";
  process.user = "root";
  EXPECT_EQ(ps_row(*columns, process), (std::vector<std::string>{"7", "nginx", "root"}));
  EXPECT_EQ(columns->at(2).title, "WHO");
  const auto standard = parse_ps_arguments("");
  ASSERT_EQ(standard->size(), 8U);
  process.cpu_seconds = 3661;
  process.elapsed_seconds = 36610;
  const auto row = ps_row(*standard, process);
  EXPECT_EQ(row[3], "10");
  EXPECT_EQ(row[6], "01:01:01");
  const auto self = read_process(::getpid());
  ASSERT_TRUE(self.has_value());
  EXPECT_EQ(self->ppid, ::getppid());
  EXPECT_THAT(self->command, testing::HasSubstr("test_engine_documents"));
  EXPECT_FALSE(read_process(0x7ffffff0).has_value());
}

TEST(Encoding, Base64) {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "\xff\xfe\x00z"})
    EXPECT_EQ(decode_base64(base64(text)), text);
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(decode_base64("_-8"), "\xff\xef");
  EXPECT_FALSE(decode_base64("a b").has_value());
}

TEST(Progress, Lines) {
  EXPECT_EQ(progress_line({"abc", "Downloading", 500'000, 1'000'000})["progress"],
            "[=========================>                        ]    500kB/1MB");
  EXPECT_EQ(progress_line({"", "Digest: x", 0, 0}), Json({{"status", "Digest: x"}}));
  EXPECT_EQ(error_line(Error::not_found("no"))["errorDetail"]["message"], "no");
}

std::string message_of(const std::optional<Json>& line) {
  EXPECT_EQ(line.value_or(Json{{"id", ""}})["id"], "moby.buildkit.trace");
  return line ? decode_base64((*line)["aux"].get<std::string>()).value_or("") : "";
}

TEST(BuildTrace, IsInTheEncodingOfProtocolBuffers) {
  using Kind = images::BuildEvent::Kind;
  using namespace std::string_literals;
  BuildTrace trace;
  const BuildTrace::Time now{seconds(300)};
  const std::string time = "\x08\xac\x02\x10\x00"s;  // 300 seconds, no nanoseconds
  EXPECT_EQ(message_of(trace.tell({.kind = Kind::kWarning, .text = "careful"}, now)),
            "\x22\x0b\x10\x01\x1a\x07"
            "careful");
  EXPECT_FALSE(trace.tell({.kind = Kind::kInstruction, .text = "1/2 : FROM a"}, now));
  EXPECT_FALSE(trace.tell({.kind = Kind::kOutput, .id = 7, .text = "of no step"}, now));
  const auto begun = message_of(trace.tell({.kind = Kind::kStep, .id = 1, .text = "RUN x"}, now));
  ASSERT_EQ(begun.size(), 2 + 73 + 7 + 7U);
  EXPECT_EQ(begun.substr(0, 11), "\x0a\x57\x0a\x47sha256:");
  EXPECT_EQ(begun.substr(75), "\x1a\x05RUN x\x2a\x05" + time);
  const auto digest = begun.substr(4, 71);
  EXPECT_EQ(message_of(trace.tell(
                {.kind = Kind::kOutput, .id = 1, .text = "oh\n", .stream = "stderr"}, now)),
            "\x1a\x57\x0a\x47" + digest + "\x12\x05" + time + "\x18\x02\x22\x03oh\n");
  const images::BuildEvent failed{.kind = Kind::kFailed, .id = 1, .text = "x y", .exit_code = 3};
  EXPECT_EQ(command_failed_text(failed),
            "process \"x y\" did not complete successfully: exit code: 3");
  EXPECT_TRUE(message_of(trace.tell(failed, now)).ends_with("exit code: 3"));
  EXPECT_TRUE(message_of(trace.tell({.kind = Kind::kCached, .id = 1}, now))
                  .ends_with("RUN x\x20\x01\x2a\x05" + time + "\x32\x05" + time));
}

}  // namespace
}  // namespace stack::engine::api
