#include <chrono>

#include "cli/duration_text.h"
#include "cli/environment.h"
#include "cli/format.h"
#include "cli/json_text.h"
#include "cli/log_printer.h"
#include "cli/progress.h"
#include "cli/ps_format.h"
#include "cli/table.h"

namespace stack::cli {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(HumanDuration, SpeaksLikeDocker) {
  EXPECT_EQ(human_duration(milliseconds(900)), "Less than a second");
  EXPECT_EQ(human_duration(seconds(1)), "1 second");
  EXPECT_EQ(human_duration(seconds(59)), "59 seconds");
  EXPECT_EQ(human_duration(seconds(60)), "About a minute");
  EXPECT_EQ(human_duration(seconds(119)), "About a minute");
  EXPECT_EQ(human_duration(minutes(2)), "2 minutes");
  EXPECT_EQ(human_duration(minutes(60)), "About an hour");
  EXPECT_EQ(human_duration(hours(47)), "47 hours");
  EXPECT_EQ(human_duration(hours(48)), "2 days");
  EXPECT_EQ(human_duration(hours(24 * 14)), "2 weeks");
  EXPECT_EQ(human_duration(hours(24 * 70)), "2 months");
  EXPECT_EQ(human_duration(hours(24 * 365 * 3)), "3 years");
}

TEST(HumanSize, UsesThreeOrFourDigits) {
  EXPECT_EQ(human_size(0), "0B");
  EXPECT_EQ(human_size(1984158), "1.98MB");
  EXPECT_EQ(human_size(126), "126B");
  EXPECT_EQ(binary_size(828.0 * 1024), "828KiB");
  EXPECT_EQ(binary_size(23.54 * 1024 * 1024 * 1024), "23.54GiB");
}

TEST(ApiTimestamp, TakesTimesAndAges) {
  const WallTime now{seconds(1'000'000)};
  EXPECT_EQ(*api_timestamp("42m", now), "997480.000000000");
  EXPECT_EQ(*api_timestamp("1h30m", now), "994600.000000000");
  EXPECT_EQ(*api_timestamp("1795551538", now), "1795551538");
  EXPECT_EQ(*api_timestamp("2026-11-24T20:18:59.350586064Z", now), "1795551539.350586064");
  EXPECT_EQ(*api_timestamp("2026-11-24T21:18:59+01:00", now), "1795551539.000000000");
  EXPECT_FALSE(api_timestamp("yesterday", now).ok());
}

TEST(Table, PadsAllButTheLastCell) {
  const std::vector<Row> rows{
      {"NAME", "IMAGE", "PORTS"}, {"clidemo-db-1", "clibox", "5432/tcp"}, {"a", "b", ""}};
  EXPECT_EQ(render_table(rows, 10),
            "NAME           IMAGE     PORTS\n"
            "clidemo-db-1   clibox    5432/tcp\n"
            "a              b         \n");
}

TEST(Table, CountsCellsNotBytes) {
  EXPECT_EQ(display_width("sh -c 'for i in 1 2…"), 20U);
  EXPECT_EQ(display_width("日本"), 4U);
  EXPECT_EQ(display_width("\033[36mweb\033[0m"), 3U);
}

TEST(Ellipsis, CutsByCodePoints) {
  EXPECT_EQ(ellipsis("sh -c 'for i in 1 2 3; do'", 20), "sh -c 'for i in 1 2…");
  EXPECT_EQ(ellipsis("short", 20), "short");
  EXPECT_EQ(ellipsis("exactly-twenty-chars", 20), "exactly-twenty-chars");
}

TEST(JsonText, EscapesAsGo) {
  EXPECT_EQ(json_string("a->b & \"c\"\n\x01"), "\"a-\\u003eb \\u0026 \\\"c\\\"\\n\\u0001\"");
  EXPECT_EQ(
      JsonObject().add("a", 1).add("b", true).add("c", std::vector<std::string>{"x", "y"}).text(),
      R"({"a":1,"b":true,"c":["x","y"]})");
}

TEST(LogPrinter, PrefixGrowsWithTheNamesSeen) {
  LogPrinter printer({false, true});
  EXPECT_EQ(printer.line("one-1", "x"), "one-1  | x\n");
  EXPECT_EQ(printer.line("a-long-name-1", "y"), "a-long-name-1  | y\n");
  EXPECT_EQ(printer.line("one-1", "x"), "one-1          | x\n");
}

TEST(LogPrinter, ColoursComeInOrderOfAppearance) {
  LogPrinter printer({true, true});
  EXPECT_EQ(printer.line("web-1", "text"), "\033[36mweb-1  | \033[0mtext\n");
  EXPECT_EQ(printer.line("db-1", "text"), "\033[33mdb-1   | \033[0mtext\n");
  EXPECT_EQ(printer.line("web-1", "again"), "\033[36mweb-1  | \033[0magain\n");
  for (const char* name : {"c", "d", "e"}) (void)printer.line(name, "");
  EXPECT_TRUE(printer.line("sixth", "").starts_with("\033[36;1m"));
}

TEST(LogPrinter, WithoutPrefixTheLineIsBare) {
  LogPrinter printer({true, false});
  EXPECT_EQ(printer.line("web-1", "text\rmore"), "text\rmore\n");
  EXPECT_EQ(printer.status("web-1 exited with code 3"), "\r\033[Kweb-1 exited with code 3\n");
}

TEST(LogPrinter, NamesLoseTheProject) {
  EXPECT_EQ(name_in_project("demo-web-1", "demo"), "web-1");
  EXPECT_EQ(name_in_project("demo_web_1", "demo"), "web_1");
  EXPECT_EQ(name_in_project("my-redis", "demo"), "my-redis");
  EXPECT_EQ(name_in_project("demolition-1", "demo"), "demolition-1");
}

TEST(Progress, PlainAndJsonLines) {
  const ProgressEvent event{"Network demo_default", "", "", "Creating"};
  EXPECT_EQ(plain_progress_line(event, false), " Network demo_default  Creating");
  EXPECT_EQ(plain_progress_line(event, true), " DRY-RUN MODE - Network demo_default  Creating");
  EXPECT_EQ(json_progress_line(event, false),
            R"({"id":"Network demo_default","status":"Creating"})");
  const ProgressEvent layer{"8f1c", "web", "", "Downloading", StepKind::kWorking, 50, 200};
  EXPECT_EQ(
      json_progress_line(layer, false),
      R"({"id":"8f1c","parent_id":"web","status":"Downloading","current":50,"total":200,"percent":25})");
}

TEST(ProgressBoard, DrawsOneLineForEachResource) {
  ProgressBoard board("Running");
  const TimePoint start{};
  board.apply({"Container a", "", "", "Starting"}, start);
  board.apply({"Container bc", "", "", "Creating"}, start);
  board.apply({"Container a", "", "", "Started", StepKind::kDone}, start + milliseconds(600));
  const auto lines = board.lines(start + milliseconds(1200), 50, 24, false, false);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], "[+] Running 1/2");
  EXPECT_EQ(lines[1], " ✔ Container a   Started                      0.6s");
  EXPECT_EQ(display_width(lines[1]), 50U);
  EXPECT_EQ(display_width(lines[1]), display_width(lines[2]));
  EXPECT_TRUE(lines[2].ends_with("1.2s")) << lines[2];
}

TEST(ProgressBoard, NeverIsTallerOrWiderThanTheScreen) {
  ProgressBoard board("Running");
  for (int i = 0; i < 40; ++i) {
    board.apply({"Container a-very-long-name-of-a-project-" + std::to_string(i), "", "", "Started",
                 i == 35 ? StepKind::kWorking : StepKind::kDone},
                TimePoint{});
  }
  const auto lines = board.lines(TimePoint{}, 40, 10, true, false);
  EXPECT_LE(lines.size(), 9U);
  for (const std::string& line : lines) EXPECT_LE(display_width(line), 40U) << line;
  EXPECT_EQ(lines.back(), " ... 33 more");
  EXPECT_NE(lines[1].find("33m"), std::string::npos) << "the one at work comes first: " << lines[1];
}

TEST(Ports, PublishedExposedAndRanges) {
  EXPECT_EQ(ports_text({{"::", 80, 28080, "tcp"}, {"0.0.0.0", 80, 28080, "tcp"}}),
            "0.0.0.0:28080->80/tcp, [::]:28080->80/tcp");
  EXPECT_EQ(ports_text({{"", 5432, 0, "tcp"}}), "5432/tcp");
  EXPECT_EQ(ports_text({{"0.0.0.0", 8001, 8001, "tcp"}, {"0.0.0.0", 8000, 8000, "tcp"}}),
            "0.0.0.0:8000-8001->8000-8001/tcp");
  EXPECT_EQ(ports_text({}), "");
}

Container sample() {
  Container c;
  c.id = "e36172e502159741c8fd3515a4ef2f129b2ad94f326a3563b54174e198e481f7";
  c.name = "clidemo-db-1";
  c.image = "clibox";
  c.command = "sh -c 'for i in 1 2 3; do echo'";
  c.created = 1000;
  c.state = "running";
  c.status = "Up 2 seconds (healthy)";
  c.ports = {{"0.0.0.0", 80, 28080, "tcp"}};
  c.labels = {{"com.docker.compose.project", "clidemo"}, {"com.docker.compose.service", "db"}};
  c.networks = {"clidemo_default"};
  return c;
}

TEST(Ps, TellsRestartsAndTheirReason) {
  Container container;
  EXPECT_EQ(restarts_text(container), "");
  container.restarts = 1;
  EXPECT_EQ(restarts_text(container), ", 1 restart");
  container.restarts = 3;
  container.restart_reason = "unhealthy";
  EXPECT_EQ(restarts_text(container), ", 3 restarts: unhealthy");
}

TEST(Ps, TableAndJson) {
  const WallTime now{seconds(1003)};
  const std::vector<Record> records{ps_record(sample(), now, true)};
  EXPECT_EQ(*render_list("table", ps_columns(), records, 10),
            "NAME           IMAGE     COMMAND                  SERVICE   CREATED         STATUS    "
            "               PORTS\n"
            "clidemo-db-1   clibox    \"sh -c 'for i in 1 2…\"   db        3 seconds ago   Up 2 "
            "seconds (healthy)   "
            "0.0.0.0:28080->80/tcp\n");
  const std::string json = *render_list("json", ps_columns(), records, 10);
  EXPECT_TRUE(json.starts_with(R"({"Command":"\"sh -c 'for i in 1 2…\"","CreatedAt":")")) << json;
  EXPECT_NE(
      json.find(
          R"("ExitCode":0,"Health":"healthy","ID":"e36172e50215","Image":"clibox","Labels":")"),
      std::string::npos);
  EXPECT_NE(
      json.find(
          R"x("Ports":"0.0.0.0:28080-\u003e80/tcp","Project":"clidemo","Publishers":[{"URL":"0.0.0.0","TargetPort":80,"PublishedPort":28080,"Protocol":"tcp"}],"RunningFor":"3 seconds ago","Service":"db","Size":"0B","State":"running","Status":"Up 2 seconds (healthy)"})x"),
      std::string::npos)
      << json;
}

TEST(Format, Templates) {
  const std::vector<Record> records{ps_record(sample(), WallTime{seconds(1003)}, true)};
  EXPECT_EQ(*render_list("{{.Name}} is {{upper .State}}", {}, records, 10),
            "clidemo-db-1 is RUNNING\n");
  EXPECT_EQ(*render_list("table {{.Name}}\\t{{.State}}", ps_columns(), records, 10),
            "NAME           STATE\nclidemo-db-1   running\n");
  EXPECT_EQ(*render_list("{{json .ExitCode}}", {}, records, 10), "0\n");
  const auto wrong = render_list("{{.Nmae}}", {}, records, 10);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().message,
            "template: :1:2: executing \"\": at <.Nmae>: can't evaluate field Nmae");
}

TEST(ShellWords, FollowTheShell) {
  EXPECT_EQ(*shell_words("sh -c 'echo \"a b\"'"),
            (std::vector<std::string>{"sh", "-c", "echo \"a b\""}));
  EXPECT_EQ(*shell_words("a\\ b \"c \\\" d\" ''"), (std::vector<std::string>{"a b", "c \" d", ""}));
  EXPECT_FALSE(shell_words("'open").ok());
}

}  // namespace
}  // namespace stack::cli
