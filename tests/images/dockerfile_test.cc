#include "images/dockerfile.h"

#include <gtest/gtest.h>

#include "images/build_plan.h"
#include "images/dockerignore.h"
#include "images/glob.h"
#include "images/instructions.h"

namespace stack::images {
namespace {

std::string error_of(const std::string& text) {
  const auto parsed = parse_dockerfile(text, "Dockerfile");
  return parsed.ok() ? "" : parsed.error().to_string();
}

TEST(Dockerfile, JoinsContinuationsAndSkipsComments) {
  const auto file = parse_dockerfile(
      "# syntax=docker/dockerfile:1\nARG V=1\nFROM base:$V AS Build\nRUN a && \\\n  # no\n\n  b "
      "\\\n c\nCOPY --from=x --chown=1:2 a b /c/\n",
      "D");
  ASSERT_TRUE(file.ok()) << file.error().to_string();
  EXPECT_EQ(file->directives.at("syntax"), "docker/dockerfile:1");
  ASSERT_EQ(file->stages.size(), 1U);
  EXPECT_EQ(file->stages[0].name, "build");
  ASSERT_EQ(file->stages[0].instructions.size(), 2U);
  EXPECT_EQ(file->stages[0].instructions[0].args[0], "a &&   b  c");
  EXPECT_EQ(file->stages[0].instructions[0].where.line, 4);
  const Instruction& copy = file->stages[0].instructions[1];
  EXPECT_EQ(copy.args, (std::vector<std::string>{"a", "b", "/c/"}));
  EXPECT_EQ(copy.flag("from")->value, "x");
  EXPECT_EQ(file->warnings.size(), 1U);
}

TEST(Dockerfile, EscapeDirectiveChangesContinuation) {
  const auto file = parse_dockerfile("# escape=`\nFROM scratch\nRUN a `\n b\\\nCMD x\n", "D");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->stages[0].instructions[0].args[0], "a  b\\");
  EXPECT_EQ(file->stages[0].instructions.size(), 2U);
}

TEST(Dockerfile, Heredocs) {
  const auto file = parse_dockerfile(
      "FROM x\nRUN <<EOF\nfirst\n  second\nEOF\nCOPY <<-\"A\" <<B /d/\n\tone\n\tA\ntwo\nB\nRUN cat "
      "<<<here\n",
      "D");
  ASSERT_TRUE(file.ok()) << file.error().to_string();
  const auto& list = file->stages[0].instructions;
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].heredocs[0].content, "first\n  second\n");
  ASSERT_EQ(list[1].heredocs.size(), 2U);
  EXPECT_EQ(list[1].heredocs[0].content, "one\n");
  EXPECT_FALSE(list[1].heredocs[0].expand);
  EXPECT_EQ(list[1].heredocs[1].content, "two\n");
  EXPECT_TRUE(list[2].heredocs.empty());
  EXPECT_NE(error_of("FROM x\nRUN <<EOF\na\n").find("unterminated heredoc"), std::string::npos);
}

TEST(Dockerfile, ErrorsNameThePlaceWithACaret) {
  EXPECT_EQ(error_of("FROM x\n  FRUM y\n"),
            "Dockerfile:2:3: unknown instruction: FRUM (did you mean FROM?)\n  FRUM y\n  ^");
  EXPECT_EQ(error_of("FROM x\nCOPY --form=a b c\n"),
            "Dockerfile:2:6: unknown flag: --form (did you mean from?)\nCOPY --form=a b c\n     ^");
  EXPECT_NE(error_of("RUN x\n").find("no build stage in current context"), std::string::npos);
  EXPECT_NE(error_of("FROM x\nENV a\n").find("ENV must have two arguments"), std::string::npos);
  EXPECT_NE(error_of("FROM x\nCOPY a\n").find("but only one was provided"), std::string::npos);
  EXPECT_NE(error_of("FROM x y\n").find("either one or three"), std::string::npos);
  EXPECT_NE(error_of("").find("no instructions"), std::string::npos);
  EXPECT_NE(error_of("FROM x\nONBUILD FROM y\n").find("FROM isn't allowed as an ONBUILD trigger"),
            std::string::npos);
}

TEST(Expansion, CoversTheForms) {
  const VariableLookup lookup = [](std::string_view name) -> std::optional<std::string> {
    if (name == "a") return "one two";
    if (name == "e") return "";
    if (name == "p") return "/usr/lib/x.tar.gz";
    return std::nullopt;
  };
  const auto word = [&](const char* text) { return expand_word(text, lookup).value(); };
  EXPECT_EQ(word("$a-${a}"), "one two-one two");
  EXPECT_EQ(word("'$a' \"$a\" \\$a"), "$a one two $a");
  EXPECT_EQ(word("${u:-x${a}y}"), "xone twoy");
  EXPECT_EQ(word("${e:-d}${e-d}"), "d");
  EXPECT_EQ(word("${a:+set}${u:+set}"), "set");
  EXPECT_EQ(word("${p##*/} ${p%.*} ${p%%.*}"), "x.tar.gz /usr/lib/x.tar /usr/lib/x");
  EXPECT_EQ(word("${p/x/y} ${p//r/R}"), "/usr/lib/y.tar.gz /usR/lib/x.taR.gz");
  EXPECT_EQ(word("$ $1 a$"), "$  a$");
  EXPECT_EQ(expand_word("${u:?gone}", lookup).error().message, "u: gone");
  EXPECT_FALSE(expand_word("${a", lookup).ok());
  EXPECT_FALSE(expand_word("'x", lookup).ok());
  EXPECT_EQ(expand_words("$a \"$a\" x", lookup).value(),
            (std::vector<std::string>{"one", "two", "one two", "x"}));
}

TEST(Instructions, ConfigurationRules) {
  BuildScope scope;
  scope.config.cmd = std::vector<std::string>{"base"};
  const auto apply = [&](const std::string& text) {
    auto shown = apply_metadata(scope, parse_instruction(text, "D").value(), {});
    return shown.ok() ? *shown : "ERROR " + shown.error().message;
  };
  EXPECT_EQ(apply("ENV a=1 b=\"x y\""), "ENV a=1 b=x y");
  EXPECT_EQ(apply("ENV c $a z"), "ENV c=1 z");
  EXPECT_EQ(apply("ENV a=2 d=$a"), "ENV a=2 d=1");
  EXPECT_EQ(scope.config.env, (std::vector<std::string>{"a=2", "b=x y", "c=1 z", "d=1"}));
  EXPECT_EQ(apply("ENTRYPOINT [\"/e\"]"), "ENTRYPOINT [\"/e\"]");
  EXPECT_FALSE(scope.config.cmd) << "a new ENTRYPOINT drops the CMD of the base";
  EXPECT_EQ(apply("CMD run \"me\""), "CMD [\"/bin/sh\" \"-c\" \"run \\\"me\\\"\"]");
  apply("ENTRYPOINT [\"/f\"]");
  EXPECT_TRUE(scope.config.cmd) << "but not the CMD of the same stage";
  EXPECT_EQ(apply("WORKDIR /a"), "WORKDIR /a");
  EXPECT_EQ(apply("WORKDIR b/../c"), "WORKDIR /a/c");
  EXPECT_EQ(apply("VOLUME [\"/v$a\", \"/plain\"]"), "VOLUME [/v2 /plain]");
  EXPECT_TRUE(scope.config.volumes.contains("/v2"));
  EXPECT_EQ(apply("EXPOSE 80 90-91/udp"), "EXPOSE [80/tcp 90/udp 91/udp]");
  EXPECT_TRUE(scope.config.exposed_ports.contains("91/udp"));
  EXPECT_EQ(apply("HEALTHCHECK --interval=1m30s --retries=3 CMD curl x").substr(0, 14),
            "HEALTHCHECK &{");
  EXPECT_EQ(scope.config.healthcheck->test, (std::vector<std::string>{"CMD-SHELL", "curl x"}));
  EXPECT_EQ(scope.config.healthcheck->interval, std::chrono::seconds(90));
  EXPECT_EQ(apply("EXPOSE 70000").substr(0, 5), "ERROR");
  ImageConfig changed;
  EXPECT_TRUE(apply_change(changed, "CMD [\"a\"]").ok());
  EXPECT_FALSE(apply_change(changed, "RUN x").ok());
  EXPECT_TRUE(apply_change(changed, "ENV X=y\nEXPOSE 99").ok());
  EXPECT_EQ(changed.env, std::vector<std::string>{"X=y"});
  EXPECT_TRUE(changed.exposed_ports.contains("99/tcp"));
  EXPECT_FALSE(apply_change(changed, "ENV X=z\nRUN x").ok());
}

TEST(Plan, BuildsOnlyWhatTheTargetNeeds) {
  const auto file = parse_dockerfile(
      "FROM a AS one\nFROM b AS two\nFROM one AS three\nCOPY --from=two x y\nFROM c\n", "D");
  const std::vector<std::string> bases{"a", "b", "one", "c"};
  EXPECT_EQ(select_stages(*file, bases, "")->needed,
            (std::vector<bool>{false, false, false, true}));
  EXPECT_EQ(select_stages(*file, bases, "THREE")->needed,
            (std::vector<bool>{true, true, true, false}));
  EXPECT_EQ(select_stages(*file, bases, "none").error().message,
            "target stage \"none\" could not be found");
  EXPECT_EQ(parse_mount("type=cache,target=/c")->id, "/c");
  EXPECT_EQ(parse_mount("type=secret,id=k")->target, "/run/secrets/k");
  EXPECT_FALSE(parse_mount("type=bind").ok());
  EXPECT_FALSE(parse_mount("type=what,target=/x").ok());
}

TEST(Plan, TheSourceOfACopyIsNoVariable) {
  const auto refused = [](const std::string& instruction) {
    const auto file = parse_dockerfile("FROM a AS b\nFROM c\nARG S=b\n" + instruction + "\n", "D");
    const auto graph = select_stages(*file, {"a", "c"}, "");
    return graph.ok() ? "" : graph.error().to_string();
  };
  EXPECT_EQ(refused("COPY --from=$S /x /x"),
            "D:4:6: variable expansion is not supported for --from, define a new stage with FROM "
            "using ARG from global scope as a workaround\nCOPY --from=$S /x /x\n     ^");
  EXPECT_EQ(refused("RUN --mount=type=bind,from=${S},target=/m ls"),
            "D:4:5: 'from' doesn't support variable expansion, define alias stage instead\n"
            "RUN --mount=type=bind,from=${S},target=/m ls\n    ^");
  EXPECT_EQ(refused("COPY --from=b $S /x"), "");
}

TEST(DockerIgnore, RulesOfDocker) {
  const DockerIgnore ignore(
      "# c\n*.md\n!README.md\n**/node_modules\n/build/\nsub/*.o\n!sub/keep.o\n");
  EXPECT_TRUE(ignore.excluded("x.md"));
  EXPECT_FALSE(ignore.excluded("a/x.md"));
  EXPECT_FALSE(ignore.excluded("README.md"));
  EXPECT_TRUE(ignore.excluded("a/b/node_modules/c"));
  EXPECT_TRUE(ignore.excluded("node_modules"));
  EXPECT_TRUE(ignore.excluded("build/x"));
  EXPECT_TRUE(ignore.excluded("sub/a.o"));
  EXPECT_FALSE(ignore.excluded("sub/keep.o"));
  EXPECT_FALSE(ignore.excluded("other"));
  EXPECT_TRUE(DockerIgnore("*\n!src\n").excluded("x"));
  EXPECT_FALSE(DockerIgnore("*\n!src\n").excluded("src/a"));
  EXPECT_TRUE(path_match("a[b-d]?*", "acxyz"));
  EXPECT_FALSE(path_match("*", "a/b"));
  EXPECT_TRUE(path_match("\\*", "*"));
}

}  // namespace
}  // namespace stack::images
