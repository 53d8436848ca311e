// What a person reads when a file is wrong: the place, the line, and what was probably meant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/compose/support.h"

namespace stack::compose::test {
namespace {

using testing::HasSubstr;

TEST(Errors, AnUnknownKeyNamesItsPlaceAndTheNearestOne) {
  EXPECT_EQ(errors_of("services:\n  web:\n    imge: nginx\n"),
            "/proj/compose.yaml:3:5: services.web additional properties 'imge' not allowed\n"
            "      imge: nginx\n"
            "      ^~~~\n"
            "  hint: did you mean `image`?\n");
}

TEST(Errors, AllMistakesOfAFileInOneRun) {
  const std::string text = errors_of(
      "servces: {}\nservices:\n  a:\n    image: [x]\n    ports: 80\n    enviroment: {}\n");
  EXPECT_THAT(text, HasSubstr("compose.yaml:1:1: additional properties 'servces' not allowed"));
  EXPECT_THAT(text, HasSubstr("compose.yaml:4:12: services.a.image must be a string"));
  EXPECT_THAT(text, HasSubstr("compose.yaml:5:12: services.a.ports must be a array"));
  EXPECT_THAT(text, HasSubstr("did you mean `environment`?"));
}

TEST(Errors, AProbeIsCheckedWhereItIsWritten) {
  const auto of = [](const std::string& own) {
    return errors_of("services:\n  a:\n    image: x\n    healthcheck:\n      x-stack: " + own +
                     "\n");
  };
  EXPECT_EQ(of("{probe: {http: 'http://localhost:8080/health'}}"), "");
  EXPECT_EQ(of("{probe: {redis: 6379}}"), "");
  EXPECT_THAT(
      of("{probe: {htp: 80}}"),
      HasSubstr("compose.yaml:5:25: services.a.healthcheck.x-stack.probe: \"htp\" is not known"));
  EXPECT_THAT(of("{prob: {http: 80}}"), HasSubstr("did you mean `probe`?"));
  EXPECT_THAT(of("{probe: {tcp: 70000}}"),
              HasSubstr("compose.yaml:5:30: services.a.healthcheck.x-stack.probe.tcp: "
                        "\"70000\" is not a port"));
  EXPECT_THAT(of("{probe: {tcp: 'db:5432'}}"), HasSubstr("\"db\" is not an IP address"));
  EXPECT_THAT(of("{probe: {unix: run/x}}"), HasSubstr("is not an absolute path"));
  EXPECT_THAT(of("{probe: {tcp: 1, unix: /x}}"),
              HasSubstr("exactly one of http, tcp, unix, redis"));
  // A file for both: `test` is what Docker Compose runs.
  EXPECT_EQ(errors_of("services:\n  a:\n    image: x\n    healthcheck: {test: 'true', x-stack: "
                      "{probe: {tcp: 1}}}\n"),
            "");
}

struct Case {
  const char* text;
  const char* message;
};

TEST(Errors, SayWhatDockerComposeSaysAndWhere) {
  for (const Case& c : std::initializer_list<Case>{
           {"services:\n  a: {}\n",
            ":2:3: service \"a\" has neither an image nor a build context specified: invalid "
            "compose project"},
           {"services:\n  a:\n", ":2:3: services.a must be a mapping"},
           {"services:\n  a: {image: x, networks: [foo]}\n",
            "service \"a\" refers to undefined network foo: invalid compose project"},
           {"services:\n  a: {image: x, volumes: ['data:/d']}\n",
            "service \"a\" refers to undefined volume data: invalid compose project"},
           {"services:\n  a: {image: x, secrets: [s]}\n",
            "service \"a\" refers to undefined secret s"},
           {"services:\n  a: {image: x, depends_on: [bb]}\n  b: {image: x}\n",
            "service \"a\" depends on undefined service \"bb\": invalid compose project"},
           {"services:\n  a: {image: x, depends_on: {b: {condition: started}}}\n  b: {image: x}\n",
            "services.a.depends_on.b.condition value must be one of 'service_started', "
            "'service_healthy', 'service_completed_successfully'"},
           {"services:\n  a: {image: x, depends_on: {b: {restart: true}}}\n  b: {image: x}\n",
            "services.a.depends_on.b missing property 'condition'"},
           {"services:\n  a: {image: x, command: [sleep, 5]}\n",
            "services.a.command.1 must be a string"},
           {"services:\n  a: {image: x, scale: two}\n",
            "error while interpolating services.a.scale: failed to cast to expected type: "
            "strconv.Atoi: parsing \"two\": invalid syntax"},
           {"services:\n  a: {image: x, mem_limit: 10x}\n",
            "'services[a].mem_limit' invalid suffix: 'x'"},
           {"services:\n  a: {image: x, stop_grace_period: '10'}\n",
            "time: missing unit in duration \"10\""},
           {"services:\n  a: {image: x, ports: ['80:x']}\n",
            "services.a.ports.[0]: Invalid containerPort: x"},
           {"services:\n  a: {image: x, ports: ['90-91:80-82']}\n",
            "Invalid ranges specified for container and host Ports: 90-91 and 80-82"},
           {"services:\n  a: {image: x, ports: ['1.2.3:80:80']}\n", "Invalid ip address: 1.2.3"},
           {"services:\n  a: {image: x, volumes: ['./a:/b:ro:x']}\n",
            "invalid spec: ./a:/b:ro:x: too many colons"},
           {"services:\n  a: {image: x, volumes: [':/b']}\n",
            "invalid spec: :/b: empty section between colons"},
           {"services:\n  a: {image: x, tmpfs: [/x], volumes: ['/x']}\n",
            "target /x already mounted as services.a.tmpfs[0]"},
           {"services:\n  a: {image: x, network_mode: host, networks: [default]}\n",
            "mutually exclusive `network_mode` and `networks`"},
           {"services:\n  a: {image: x, healthcheck: {test: [curl, x]}}\n",
            "healthcheck.test must start either by \"CMD\", \"CMD-SHELL\" or \"NONE\""},
           {"services:\n  a: {image: x, container_name: '!'}\n",
            "container_name '!' does not match pattern '[a-zA-Z0-9][a-zA-Z0-9_.-]+'"},
           {"services:\n  a: {image: x, container_name: cc, scale: 2}\n",
            "container name must be unique"},
           {"services:\n  a: {image: x, scale: 2, deploy: {replicas: 3}}\n",
            "can't set distinct values on 'scale' and 'deploy.replicas'"},
           {"services:\n  a b: {image: x}\n", "services additional properties 'a b' not allowed"},
           {"services:\n  a: {image: '${X!}'}\n",
            "invalid interpolation format for services.a.image."},
           {"services:\n  a: {image: '${X:?set me}'}\n",
            "error while interpolating services.a.image: required variable X is missing a value: "
            "set me"},
           {"services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {}}\n",
            "secrets.s: one of file|environment must be set"},
           {"services: {}\nvolumes: {d: {external: true, driver: x}}\n",
            "volumes.d: conflicting parameters \"external\" and \"driver\" specified"},
           {"services:\n  a: {image: x, env_file: no.env}\n",
            "env file /proj/no.env not found: stat /proj/no.env: no such file or directory"},
           {"services:\n  a: {extends: bse}\n  base: {image: x}\n",
            "cannot extend service \"a\" in /proj/compose.yaml: service \"bse\" not found"},
           {"services:\n  a: {extends: b}\n  b: {extends: a}\n",
            "Circular reference:\n  a in /proj/compose.yaml\n  extends b in /proj/compose.yaml"},
           {"services: {a: {image: x, extra_hosts: [foo]}}\n",
            "invalid additional host, missing IP: foo"},
           {"# nothing\n", "empty compose file"},
           {"- a\n", "top-level object must be a mapping"}}) {
    EXPECT_THAT(errors_of(c.text), HasSubstr(c.message)) << c.text;
  }
}

TEST(Errors, OfYamlHaveTheirLine) {
  EXPECT_THAT(
      errors_of("services:\n  a:\n    image: x\n    image: y\n"),
      HasSubstr("compose.yaml:4:5: line 4: mapping key \"image\" already defined at line 3"));
  EXPECT_THAT(
      errors_of("services:\n\ta: x\n"),
      HasSubstr("compose.yaml:2:1: yaml: line 2: found character that cannot start any token"));
  EXPECT_THAT(errors_of("services:\n  a:\n    image: b: c\n"),
              HasSubstr("mapping values are not allowed in this context"));
  EXPECT_THAT(errors_of("services: {a: *nope}\n"), HasSubstr("unknown anchor"));
  EXPECT_THAT(errors_of("services:\n  a: {image: x, labels: {5: x}}\n"),
              HasSubstr("non-string key in services.a.labels: 5"));
}

TEST(Errors, DependencyCyclesAreSpelledOut) {
  EXPECT_THAT(errors_of("services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, links: [c]}\n"
                        "  c: {image: x, network_mode: 'service:a'}\n"),
              HasSubstr("dependency cycle detected: a -> b -> c -> a"));
}

TEST(Errors, ADependencyInAnInactiveProfileNamesTheProfile) {
  EXPECT_THAT(errors_of("services:\n  a: {image: x, depends_on: [b]}\n"
                        "  b: {image: x, profiles: [dev]}\n"),
              HasSubstr("`b` is in a profile that is not active: use --profile dev"));
}

TEST(Errors, AnImportedServiceThatExistsIsAConflict) {
  EXPECT_THAT(
      errors_of(options_for({{"compose.yaml", "include: [i.yaml]\nservices: {s: {image: x}}\n"},
                             {"i.yaml", "services: {s: {image: y}}\n"}})),
      HasSubstr("services.s conflicts with imported resource"));
  EXPECT_THAT(errors_of(options_for({{"compose.yaml", "include: [i.yaml]\n"},
                                     {"i.yaml", "include: [compose.yaml]\n"}})),
              HasSubstr("include cycle detected:\n/proj/compose.yaml\n include /proj/i.yaml\n "
                        "include /proj/compose.yaml"));
}

TEST(Errors, AnErrorInOneDocumentOrFileLeavesTheOthers) {
  LoadOptions options = options_for({{"a.yaml",
                                      "services:\n  a: {image: [}\n"
                                      "---\nservices:\n  b: {image: x, imge: y}\n"
                                      "---\nservices: *none\n"
                                      "--- # the last\nservices:\n  c: {image: x, tty: maybe}\n"},
                                     {"b.yaml", "services:\n\td: {}\n"},
                                     {"c.yaml", "services:\n  e: {image: x, ports: [a]}\n"}});
  options.files = {"a.yaml", "b.yaml", "c.yaml"};
  const std::string errors = errors_of(options);
  for (const char* where :
       {"a.yaml:2:", "a.yaml:5:", "a.yaml:7:", "a.yaml:10:", "b.yaml:2:", "c.yaml:2:"}) {
    EXPECT_THAT(errors, HasSubstr(std::string("/proj/") + where));
  }
  options.interpolate = false;
  const auto document = load_document(options, Format::kYaml);
  ASSERT_TRUE(std::holds_alternative<LoadErrors>(document));
  EXPECT_GE(std::get<LoadErrors>(document).size(), 4U);
}

TEST(Warnings, AnAttributeWithoutEffectIsNamedWithItsPlace) {
  const LoadResult r = loaded("services:\n  a:\n    image: x\n    gpus: all\n");
  ASSERT_EQ(r.warnings.size(), 1U);
  EXPECT_EQ(
      render(r.warnings[0]),
      "/proj/compose.yaml:4:5: warning: services.a.gpus is not supported yet and has no effect\n"
      "      gpus: all\n"
      "      ^~~~");
}

TEST(Warnings, WhatTheEngineDoesOrNobodyAsksForIsNotNamed) {
  const LoadResult r = loaded(
      "services:\n  a:\n    image: x\n    runtime: runc\n    use_api_socket: false\n"
      "    deploy:\n      update_config: {order: start-first}\n"
      "      rollback_config: {parallelism: 1}\n"
      "      restart_policy: {delay: 1s, window: 1m}\n"
      "    develop: {watch: [{path: ., action: rebuild}]}\n"
      "    build: {context: ., privileged: true, entitlements: [network.host], sbom: false}\n"
      "  p: {provider: {type: x}}\n");
  EXPECT_TRUE(r.warnings.empty()) << render(r.warnings, Diagnostic::Severity::kWarning);
}

TEST(Warnings, ABuildSaysWhatItLeavesOut) {
  const LoadResult r = loaded(
      "services:\n  a:\n    build:\n      context: .\n      platforms: [linux/amd64]\n"
      "      cache_from: [x]\n      sbom: true\n");
  const std::string all = render(r.warnings, Diagnostic::Severity::kWarning);
  for (const char* key : {"platforms", "cache_from", "sbom"}) {
    EXPECT_THAT(all, HasSubstr(std::string("services.a.build.") + key + " is not supported"));
  }
}

}  // namespace
}  // namespace stack::compose::test
