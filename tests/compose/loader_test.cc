#include <gtest/gtest.h>

#include "compose/config_hash.h"
#include "compose/render.h"
#include "tests/compose/support.h"

namespace stack::compose::test {
namespace {

Service service(const std::string& members) {
  return loaded("services:\n  a: {image: x, " + members + "}\n").project.services["a"];
}

TEST(Loader, PlacesOfObjectsAreKept) {
  const Project p = loaded("services:\n  a:\n    image: x\n    ports:\n      - 80:80\n").project;
  EXPECT_EQ(p.services.at("a").where.line, 2);
  EXPECT_EQ(p.services.at("a").ports[0].where.line, 5);
  EXPECT_EQ(p.services.at("a").ports[0].where.file, "/proj/compose.yaml");
}

TEST(Loader, PlacesDoNotCountInComparison) {
  EXPECT_EQ(loaded("services: {a: {image: x}}\n").project,
            loaded("# moved\n\nservices:\n  a:\n    image: x\n").project);
}

TEST(Loader, NoCommandAndAnEmptyOneDiffer) {
  EXPECT_FALSE(service("tty: true").command.has_value());
  EXPECT_EQ(service("command: []").command, StringList{});
  EXPECT_EQ(service("command: ''").command, StringList{});
}

TEST(Loader, AOneLetterVolumeIsAVolumeHere) {
  const Project p =
      loaded("services: {a: {image: x, volumes: ['v:/v']}}\nvolumes: {v: {}}\n").project;
  EXPECT_EQ(p.services.at("a").volumes[0].source, "v");
  EXPECT_EQ(p.volumes.at("v").name, "proj_v");
}

TEST(Loader, InactiveServicesAreSetAside) {
  LoadOptions options = options_for(
      {{"compose.yaml", "services:\n  a: {image: x}\n  b: {image: x, profiles: [p]}\n"}});
  EXPECT_EQ(loaded(options).project.services.size(), 1U);
  EXPECT_EQ(loaded(options).project.disabled_services.count("b"), 1U);
  options.services = {"b"};
  EXPECT_EQ(loaded(options).project.services.size(), 2U);
  options.services.clear();
  options.environment["COMPOSE_PROFILES"] = "q,p";
  EXPECT_EQ(loaded(options).project.services.size(), 2U);
}

TEST(Loader, UnusedObjectsGoUnlessAllAreWanted) {
  LoadOptions options =
      options_for({{"compose.yaml", "services: {a: {image: x}}\nvolumes: {v: {}}\n"}});
  EXPECT_EQ(loaded(options).project.volumes.size(), 0U);
  options.all_resources = true;
  EXPECT_EQ(loaded(options).project.volumes.size(), 1U);
}

TEST(Loader, SecretsOfAnIncludedProjectHaveItsEnvironment) {
  const Project p =
      loaded(options_for({{"compose.yaml",
                           "include: [{path: sub/c.yaml, env_file: [own.env]}]\n"
                           "services: {a: {image: x, environment: [TOKEN, OTHER]}}\n"},
                          {"own.env", "TOKEN=t\nOTHER=o\n"},
                          {"sub/c.yaml",
                           "services: {b: {image: x, secrets: [s]}}\n"
                           "secrets: {s: {environment: TOKEN}}\n"}}))
          .project;
  EXPECT_EQ(p.environment.at("TOKEN"), "t");
  EXPECT_FALSE(p.environment.contains("OTHER"));
  EXPECT_EQ(p.services.at("a").environment.at("TOKEN"), std::nullopt);
}

TEST(Loader, OurOwnSettingsComeFromTheServiceElseTheProject) {
  const Project p = loaded(
                        "x-stack: {on_unhealthy: none}\nservices:\n  a: {image: x}\n"
                        "  b: {image: x, x-stack: {on_unhealthy: restart}}\n")
                        .project;
  EXPECT_EQ(p.services.at("a").x_stack.on_unhealthy, "none");
  EXPECT_EQ(p.services.at("b").x_stack.on_unhealthy, "restart");
  EXPECT_EQ(*load_canonical(to_json(p)), p);
}

TEST(ConfigHash, CountsWhatARunningContainerSees) {
  const std::string before = config_hash(service("environment: [A=1]"));
  EXPECT_EQ(config_hash(service("environment: {A: 1}")), before);
  for (const char* same :
       {"build: .", "scale: 3", "pull_policy: always", "profiles: []", "x-a: 1"}) {
    EXPECT_EQ(config_hash(service("environment: [A=1], " + std::string(same))), before) << same;
  }
  for (const char* other : {"labels: [a=b]", "restart: 'no'", "init: false", "deploy: {}"}) {
    EXPECT_NE(config_hash(service("environment: [A=1], " + std::string(other))), before) << other;
  }
}

// The labels that `docker compose up` put on these objects.
TEST(ConfigHash, OfNetworksAndVolumesIsDockerComposes) {
  Network network;
  network.name = "hashprobe_n";
  network.labels = {{"k", "v"}};
  EXPECT_EQ(config_hash(network),
            "adbe90c7f5b2a94d1c1662e110b0373decbcab1faaa9f6f74125ed03983a20a0");
  Volume volume;
  volume.name = "hashprobe_dd";
  volume.labels = {{"k", "v"}};
  EXPECT_EQ(config_hash(volume),
            "65617f8dbe5b9a9c6f569bdeef98191752052a3bac1337c938e3c116902963db");
}

TEST(Canonical, BrokenDocumentsAreErrors) {
  for (const char* text :
       {"", "{", "[]", "{\"services\": []}", "{\"name\": \"\\q\"}", "nul", "{} x"}) {
    EXPECT_FALSE(load_canonical(text).ok()) << text;
  }
}

TEST(Canonical, DollarsSurvive) {
  const Project p = loaded("services: {a: {image: x, command: [echo, '$$HOME $$$$']}}\n").project;
  EXPECT_EQ((*p.services.at("a").command)[1], "$HOME $$");
  EXPECT_EQ(*load_canonical(to_json(p)), p);
}

// Of several uses of a variable the one that says something about it is listed.
TEST(Variables, TheDefaultIsThatOfAnyUse) {
  const auto found = variables(options_for(
      {{"compose.yaml", "services: {a: {image: 'x:${TAG:-1}', command: 'run $TAG $PLAIN'}}\n"}}));
  const std::vector<Variable> expected{{"PLAIN", "", "", false}, {"TAG", "1", "", false}};
  EXPECT_EQ(std::get<std::vector<Variable>>(found), expected);
}

}  // namespace
}  // namespace stack::compose::test
