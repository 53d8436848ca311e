// The program itself, as a user meets it: exit codes, texts on stdout and stderr, with an engine of
// the test's own behind it.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"
#include "base/process.h"
#include "tests/cli/fake_server.h"

namespace stack::cli {
namespace {

using testing::chunk;
using testing::chunked_head;
using testing::FakeServer;
using testing::http_answer;
using testing::Request;
using testing::send_text;

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

class Program : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/stack-cli-test-XXXXXX";
    directory_ = ::mkdtemp(name);
    ASSERT_TRUE(write_file(directory_ + "/compose.yaml",
                           "services:\n  web:\n    image: box\n  db:\n    image: box\n")
                    .ok());
  }
  void TearDown() override { (void)remove_tree(directory_); }

  Outcome run(std::vector<std::string> args,
              const std::string& socket = "/tmp/stack-cli-no-such-socket") {
    SpawnOptions options;
    options.argv = {STACK_BINARY_DIR "/stack"};
    options.argv.insert(options.argv.end(), args.begin(), args.end());
    options.env =
        std::vector<std::string>{"PATH=/usr/bin:/bin", "HOME=/", "STACK_HOST=unix://" + socket};
    const Fd out = open_fd(directory_ + "/out", O_RDWR | O_CREAT | O_TRUNC, 0600).value();
    const Fd err = open_fd(directory_ + "/err", O_RDWR | O_CREAT | O_TRUNC, 0600).value();
    options.fds = {{out.get(), 1}, {err.get(), 2}};
    auto child = spawn(options);
    EXPECT_TRUE(child.ok());
    Outcome outcome;
    outcome.code = (*reap(child->pidfd.get(), true).value()).code;
    outcome.out = *read_file(directory_ + "/out");
    outcome.err = *read_file(directory_ + "/err");
    return outcome;
  }
  Outcome run_here(std::vector<std::string> args,
                   const std::string& socket = "/tmp/stack-cli-no-such-socket") {
    args.insert(args.begin(), {"-f", directory_ + "/compose.yaml", "-p", "demo"});
    return run(std::move(args), socket);
  }

  std::string directory_;
};

TEST_F(Program, WithoutACommandItHelps) {
  const Outcome outcome = run({});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_TRUE(outcome.out.starts_with("Usage:  stack [OPTIONS] COMMAND\n")) << outcome.out;
  EXPECT_EQ(outcome.err, "");
}

TEST_F(Program, UnknownCommandsAndFlags) {
  Outcome outcome = run({"pss"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "stack: unknown command: stack pss\nDid you mean: stack ps?\n");
  outcome = run({"compose", "pss"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err,
            "unknown command: \"stack compose pss\"\nDid you mean: stack compose ps?\n");
  outcome = run({"up", "-f", "x"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(outcome.err.starts_with("unknown shorthand flag: 'f' in -f\n")) << outcome.err;
  EXPECT_EQ(run({"up", "--wait-timeout"}).err.substr(0, 37),
            "flag needs an argument: --wait-timeou");
  EXPECT_TRUE(
      run_here({"exec", "web"}).err.starts_with("requires at least 2 arg(s), only received 1\n"));
  outcome = run({"container", "exec", "web"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err,
            "stack: 'stack container exec' requires at least 2 arguments\n\n"
            "Usage:  stack container exec [OPTIONS] CONTAINER COMMAND [ARG...]\n\n"
            "Run 'stack container exec --help' for more information\n");
  outcome = run({"rmi", "--foo"});
  EXPECT_EQ(outcome.code, 125);
  EXPECT_EQ(outcome.err,
            "unknown flag: --foo\n\nUsage:  stack rmi [OPTIONS] IMAGE [IMAGE...]\n\n"
            "Run 'stack rmi --help' for more information\n");
  // A flag that only Docker's reading of the word has.
  outcome = run_here({"run", "--network", "host", "nginx"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err,
            "unknown flag: --network\nHere is a project, so this is Compose's word; Docker's is "
            "`stack container run`.\n");
  EXPECT_TRUE(
      run({"--progress", "foo", "ps"}).err.starts_with("unsupported --progress value \"foo\"\n"));
  EXPECT_TRUE(run({"--ansi", "never", "--progress", "tty", "ps"})
                  .err.starts_with("can't use --progress tty while ANSI support is disabled\n"));
}

TEST_F(Program, FlagConflictsNeedNoEngine) {
  const Outcome outcome = run_here({"up", "--build", "--no-build"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "--build and --no-build are incompatible\n");
  EXPECT_EQ(run_here({"run", "-P", "-p", "80:80", "web"}).err,
            "--service-ports and --publish are incompatible\n");
  EXPECT_TRUE(
      run_here({"down", "--rmi", "foo"}).err.starts_with("invalid value for --rmi: \"foo\"\n"));
  EXPECT_TRUE(
      run_here({"up", "-d", "wbe"}).err.starts_with("no such service: wbe\nDid you mean web?\n"));
  EXPECT_TRUE(run_here({"cp", "a", "b"}).err.starts_with("unknown copy direction\n"));
  EXPECT_EQ(run_here({"cp", "web:a", "db:b"}).err, "copying between services is not supported\n");
}

TEST_F(Program, WithoutAFileItSaysWhatToDo) {
  const Outcome outcome = run({"--project-directory", "/proc/self/fd", "up", "-d"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("no configuration file provided: not found\n"), std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("name the file with -f"), std::string::npos) << outcome.err;
}

TEST_F(Program, NoEngine) {
  const Outcome outcome = run_here({"ps"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(outcome.err.starts_with("no engine answers at /tmp/stack-cli-no-such-socket\n"))
      << outcome.err;
}

// Answers one request of a project endpoint with these lines.
FakeServer::Answer project_lines(std::vector<std::string> lines) {
  return [lines = std::move(lines)](int fd, const Request& request) {
    if (!request.target.starts_with("/stack/")) return;
    send_text(fd, chunked_head("application/x-ndjson"));
    for (const std::string& line : lines) send_text(fd, chunk(line + "\n"));
    send_text(fd, chunk(""));
  };
}

TEST_F(Program, UpSendsTheProjectAndShowsTheSteps) {
  FakeServer server(
      project_lines({R"({"id":"Network demo_default","status":"Creating","kind":"working"})",
                     R"({"id":"Network demo_default","status":"Created","kind":"done"})",
                     R"({"warning":"port 80 is privileged"})", R"({"result":{"containers":[]}})"}));
  const Outcome outcome = run_here({"up", "-d", "--force-recreate", "web"}, server.socket_path());
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err,
            " Network demo_default  Creating\n Network demo_default  Created\nwarning: port 80 is "
            "privileged\n");
  const Request request = server.requests().back();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/stack/projects/demo/up");
  EXPECT_NE(request.body.find("\"working_dir\":\"" + directory_ + "\""), std::string::npos)
      << request.body;
  EXPECT_NE(request.body.find(R"("options":{"services":["web"],"force_recreate":true,"ask":true})"),
            std::string::npos)
      << request.body;
}

TEST_F(Program, FailuresHaveARemedyAndACode) {
  FakeServer server(project_lines(
      {R"({"error":{"message":"port 80 is taken by pid 7","remedy":"Stop it.","exit_code":1}})"}));
  const Outcome outcome = run_here({"up", "-d"}, server.socket_path());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "port 80 is taken by pid 7\nStop it.\n");
  FakeServer other(project_lines({R"({"error":{"message":"x","remedy":"","exit_code":17}})"}));
  EXPECT_EQ(run_here({"down"}, other.socket_path()).code, 17);
}

TEST_F(Program, AnEngineThatVanishesInTheMiddleOfUp) {
  FakeServer server([](int fd, const Request& request) {
    if (request.target.starts_with("/stack/"))
      send_text(fd, chunked_head() + chunk("{\"id\":\"Container a\",\"status\":\"Starting\"}\n"));
  });
  const Outcome outcome = run_here({"up", "-d"}, server.socket_path());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(outcome.err.starts_with(
      " Container a  Starting\nthe engine closed the connection before its answer was complete\n"))
      << outcome.err;
}

TEST_F(Program, JsonProgressAndDryRun) {
  FakeServer server(project_lines(
      {R"({"id":"Container web-1","status":"Started","kind":"done"})", R"({"result":{}})"}));
  Outcome outcome =
      run({"-f", directory_ + "/compose.yaml", "-p", "demo", "--progress", "json", "up", "-d"},
          server.socket_path());
  EXPECT_EQ(outcome.err, "{\"id\":\"Container web-1\",\"status\":\"Started\"}\n");
  outcome = run_here({"down", "--dry-run"}, server.socket_path());
  EXPECT_EQ(outcome.err, " DRY-RUN MODE - Container web-1  Started\n");
  EXPECT_NE(server.requests().back().body.find(R"("dry_run":true)"), std::string::npos);
}

TEST_F(Program, ANameAloneNeedsNoFile) {
  FakeServer server(project_lines({R"({"result":{}})"}));
  const Outcome outcome = run({"-p", "other", "down", "-v", "-t", "3"}, server.socket_path());
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(server.requests().back().target, "/stack/projects/other/down");
  EXPECT_NE(server.requests().back().body.find(
                R"(: stack down","options":{"volumes":true,"timeout":3}})"),
            std::string::npos);
}

TEST_F(Program, PsAsksForTheProjectsContainers) {
  FakeServer server([](int fd, const Request&) {
    send_text(
        fd,
        http_answer(
            200,
            R"([{"Id":"0123456789abcdef","Names":["/demo-web-1"],"Image":"box","Command":"sh","Created":0,
      "State":"running","Status":"Up 2 seconds","Ports":[],"Labels":{"com.docker.compose.service":"web"}}])"));
  });
  EXPECT_EQ(run_here({"ps", "-q"}, server.socket_path()).out, "0123456789abcdef\n");
  EXPECT_EQ(run_here({"ps", "--services"}, server.socket_path()).out, "web\n");
  EXPECT_EQ(run_here({"ps", "--format", "{{.Name}} {{.Status}}"}, server.socket_path()).out,
            "demo-web-1 Up 2 seconds\n");
  const Outcome outcome = run_here({"ps", "nosuch"}, server.socket_path());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "no such service: nosuch\n");
}

TEST_F(Program, Version) {
  EXPECT_TRUE(run({"--version"}).out.starts_with("stack version "));
  EXPECT_TRUE(run({"compose", "version", "-f", "json"}).out.starts_with("{\"version\":\""));
}

}  // namespace
}  // namespace stack::cli
