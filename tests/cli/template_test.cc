#include "cli/template.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace stack::cli {
namespace {

const Json& document() {
  static const Json kDocument = Json::parse(R"({
    "Id": "0123abc", "Name": "/web", "RestartCount": 2, "Pid": 0, "Running": true, "Ratio": 0.5,
    "Config": {"Env": ["A=1", "B=two words"], "Cmd": ["nginx", "-g"], "Entrypoint": null, "OnBuild": null,
               "Labels": {"zeta": "1", "com.example.some-name": "x"}, "Image": "nginx"},
    "State": {"Status": "running", "ExitCode": 0},
    "Mounts": [{"Type": "bind", "Source": "/a<b"}, {"Type": "volume", "Source": "/c"}],
    "NetworkSettings": {"IPAddress": "172.17.0.2",
       "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "443/tcp": null},
       "Networks": {"front": {"IPAddress": "10.0.0.2"}, "back": {"IPAddress": "10.0.1.2"}}},
    "Nothing": null, "Empty": ""})");
  return kDocument;
}

std::string expand(std::string_view text) {
  const auto parsed = Template::parse(text);
  if (!parsed.ok()) return "PARSE " + parsed.error().message;
  const auto out = parsed->execute({&document()});
  return out.ok() ? *out : "RUN " + out.error().message;
}

struct Case {
  const char* text;
  const char* want;
};

class Templates : public ::testing::TestWithParam<Case> {};

TEST_P(Templates, ExpandAsGoDoes) {
  EXPECT_EQ(expand(GetParam().text), GetParam().want) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Values, Templates,
    ::testing::Values(Case{"plain", "plain"}, Case{"{{.Id}} {{ .Name }}", "0123abc /web"},
                      Case{"{{.State.Status}}", "running"}, Case{"{{.ID}}", "0123abc"},
                      Case{"{{.NetworkSettings.IPAddress}}", "172.17.0.2"},
                      Case{"{{.RestartCount}}", "2"}, Case{"{{.Running}}", "true"},
                      Case{"{{.Ratio}}", "0.5"}, Case{"{{.Config.Cmd}}", "[nginx -g]"},
                      Case{"{{.Config.Entrypoint}}", "[]"},
                      Case{"{{json .Config.Entrypoint}}", "null"},
                      Case{"{{.Config.Labels}}", "map[com.example.some-name:x zeta:1]"},
                      Case{"{{.Config.Labels.zeta}}", "1"},
                      Case{"{{.Config.Labels.nosuch}}", "<no value>"},
                      Case{"{{.State}}", "{running 0}"}, Case{"{{.Nothing}}", "<nil>"},
                      Case{"{{json .Mounts}}",
                           R"([{"Type":"bind","Source":"/a<b"},{"Type":"volume","Source":"/c"}])"},
                      Case{"{{.Mounts}}", "[{bind /a<b} {volume /c}]"},
                      Case{"{{ json .Config.Env }}", R"(["A=1","B=two words"])"}));

INSTANTIATE_TEST_SUITE_P(
    Control, Templates,
    ::testing::Values(
        Case{"{{range .Config.Env}}{{.}};{{end}}", "A=1;B=two words;"},
        Case{"{{range .Config.Env}}{{println .}}{{end}}", "A=1\nB=two words\n"},
        Case{"{{range $i, $e := .Config.Cmd}}{{if $i}},{{end}}{{$i}}={{$e}}{{end}}",
             "0=nginx,1=-g"},
        Case{"{{range $p, $b := .NetworkSettings.Ports}}{{$p}}->{{if $b}}{{(index $b "
             "0).HostPort}}{{else}}none{{end}} {{end}}",
             "443/tcp->none 80/tcp->8080 "},
        Case{"{{range $k, $v := .NetworkSettings.Networks}}{{$k}}:{{$v.IPAddress}} {{end}}",
             "back:10.0.1.2 front:10.0.0.2 "},
        Case{"{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "10.0.1.210.0.0.2"},
        Case{"{{range .Config.OnBuild}}x{{else}}none{{end}}", "none"},
        Case{"{{if .Running}}up{{else}}down{{end}}", "up"},
        Case{"{{if .Pid}}a{{else if .Empty}}b{{else if .Running}}c{{else}}d{{end}}", "c"},
        Case{"{{with .State}}{{.Status}}{{end}}", "running"},
        Case{"{{with .Empty}}x{{else}}{{.Id}}{{end}}", "0123abc"},
        Case{"{{$x := .Id}}{{$x}}-{{$.Name}}", "0123abc-/web"},
        Case{"{{$n := 1}}{{range .Config.Cmd}}{{$n = 5}}{{end}}{{$n}}", "5"},
        Case{"{{range .Config.Env}}{{if eq . \"A=1\"}}{{continue}}{{end}}{{.}}{{break}}{{end}}",
             "B=two words"},
        Case{"a {{- .Id -}} b", "a0123abcb"}, Case{"a\n{{- /* note */ -}}\n b", "ab"},
        Case{"{{range .Mounts}}{{$.Name}}={{.Type}} {{end}}", "/web=bind /web=volume "}));

INSTANTIATE_TEST_SUITE_P(
    Functions, Templates,
    ::testing::Values(
        Case{"{{len .Config.Env}} {{len .Id}} {{len .Config.OnBuild}}", "2 7 0"},
        Case{"{{index .Config.Env 1}}", "B=two words"},
        Case{"{{index .Config.Labels \"com.example.some-name\"}}", "x"},
        Case{"{{index .Config.Labels \"nosuch\"}}", ""},
        Case{"{{index .NetworkSettings.Ports \"80/tcp\" 0 | json}}",
             R"({"HostIp":"0.0.0.0","HostPort":"8080"})"},
        Case{"{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}", "8080"},
        Case{"{{join .Config.Env \", \"}}", "A=1, B=two words"},
        Case{"{{split .Name \"/\"}}", "[ web]"}, Case{"{{index (split \"a:b\" \":\") 1}}", "b"},
        Case{"{{upper .State.Status}} {{.Name | lower | title}}", "RUNNING /Web"},
        Case{"{{title \"one two\"}}", "One Two"}, Case{"{{slice .Id 0 4}}", "0123"},
        Case{"{{truncate .Id 2}}", "01"}, Case{"{{pad .Id 1 2}}|", " 0123abc  |"},
        Case{"{{printf \"%s-%d-%q\" .Id .RestartCount .Name}}", "0123abc-2-\"/web\""},
        Case{"{{printf \"%-9s|%9s|%.3s\" .Id .Id .Id}}", "0123abc  |  0123abc|012"},
        Case{"{{.Id | printf \"%s!\"}}", "0123abc!"},
        Case{"{{printf \"%05d %x\" 42 255}}", "00042 ff"},
        Case{"{{printf \"%d\" .Id}}", "%!d(string=0123abc)"},
        Case{"{{print 1 2 \"a\" 3}}", "1 2a3"},
        Case{"{{eq .State.Status \"running\"}} {{ne 1 2}} {{lt 1 2}} {{ge 2 2}} {{eq 3 1 2 3}}",
             "true true true true true"},
        Case{"{{and .Running .Id}} {{or .Empty .Name}} {{not .Running}} {{and .Empty .Id}}|",
             "0123abc /web false |"},
        Case{"{{if and (eq .State.ExitCode 0) (or .Empty .Running)}}ok{{end}}", "ok"},
        Case{"{{html \"<&>\"}} {{urlquery \"a b\"}}", "&lt;&amp;&gt; a+b"},
        Case{"{{`raw \\n`}} {{\"a\\tb\"}}", "raw \\n a\tb"}));

INSTANTIATE_TEST_SUITE_P(
    Mistakes, Templates,
    ::testing::Values(
        Case{"{{.Id", "PARSE template parsing error: template: :1: unclosed action"},
        Case{"{{if .Id}}x", "PARSE template parsing error: template: :1: unexpected EOF"},
        Case{"{{end}}", "PARSE template parsing error: template: :1: unexpected {{end}}"},
        Case{"{{nosuch .Id}}",
             "PARSE template parsing error: template: :1: function \"nosuch\" not defined"},
        Case{"{{}}", "PARSE template parsing error: template: :1: missing value for command"},
        Case{"{{.Id | .Name}}",
             "PARSE template parsing error: template: :1: non executable command in pipeline stage "
             "2"},
        Case{"{{\"abc}}", "PARSE template parsing error: template: :1: unterminated quoted string"},
        Case{"{{(.Id}}", "PARSE template parsing error: template: :1: unclosed left paren"},
        Case{"{{.Nosuch}}",
             "RUN template: :1:2: executing \"\": at <.Nosuch>: can't evaluate field Nosuch"},
        Case{"{{$x}}", "RUN template: :1:2: executing \"\": undefined variable \"$x\""},
        Case{"{{index .Config.Env 7}}",
             "RUN template: :1:2: executing \"\": error calling index: index out of range: 7"},
        Case{"{{.Id.Name}}",
             "RUN template: :1:2: executing \"\": at <.Id.Name>: can't evaluate field Name in type "
             "string"},
        Case{"{{join .Id}}",
             "RUN template: :1:2: executing \"\": wrong number of args for join: want 2 got 1"},
        Case{"{{break}}",
             "PARSE template parsing error: template: :1: {{break}} outside {{range}}"}));

TEST(Template, MethodsOfRows) {
  const Json row{{"ID", "1"}};
  const TemplateMethod label = [](std::string_view name, const std::vector<std::string>& args) {
    return name == "Label" ? std::optional("label " + args[0]) : std::nullopt;
  };
  const auto out = Template::parse("{{.Label \"a\"}} {{json .}}")
                       ->execute({&row, label, "{\"ID\":\"\\u003c\"}"});
  ASSERT_TRUE(out.ok()) << out.error().message;
  EXPECT_EQ(*out, "label a {\"ID\":\"\\u003c\"}");
}

TEST(Template, NoInputCrashesIt) {
  const std::string_view text =
      "{{range $i, $x := .Mounts}}{{if eq $x.Type \"bind\"}}{{(index $x 0).a | "
      "json}}{{else}}{{end}}{{end}}";
  for (std::size_t from = 0; from < text.size(); ++from) {
    for (std::size_t length = 0; from + length <= text.size(); ++length)
      (void)expand(text.substr(from, length));
  }
}

}  // namespace
}  // namespace stack::cli
