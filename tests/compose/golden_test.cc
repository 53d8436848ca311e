// Replays tests/compose/golden: what Docker Compose made of the same files, without Docker Compose.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/files.h"
#include "compose/config_hash.h"
#include "compose/json.h"
#include "compose/loader.h"
#include "compose/render.h"

namespace stack::compose {
namespace {

namespace fs = std::filesystem;

const std::string kCases = std::string(STACK_SOURCE_DIR) + "/tests/compose/golden";
// Where the case was when it was recorded: the path is part of the output.
const std::string kRecorded = "/tmp/compose-golden/";

std::string text_of(const fs::path& path) {
  Result<std::string> text = stack::read_file(path);
  return text.ok() ? std::move(text).value() : "";
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string w; in >> w;) words.push_back(w);
  return words;
}

LoadOptions options_of(const std::string& name) {
  LoadOptions options;
  const std::string pretended = kRecorded + name;
  const std::string real = kCases + "/" + name;
  const auto there = [=](const std::string& path) -> std::optional<fs::path> {
    if (path.rfind(pretended + "/", 0) != 0) return std::nullopt;
    return fs::path(real + path.substr(pretended.size()));
  };
  options.working_directory = pretended;
  options.environment = {{"HOME", "/root"}};
  for (const std::string& line : words_of(text_of(real + "/environment"))) {
    const std::size_t equals = line.find('=');
    options.environment[line.substr(0, equals)] = line.substr(equals + 1);
  }
  const std::vector<std::string> arguments = words_of(text_of(real + "/arguments"));
  for (std::size_t i = 0; i + 1 < arguments.size(); i += 2) {
    (arguments[i] == "-f" ? options.files : options.profiles).push_back(arguments[i + 1]);
  }
  options.read_file = [=](const std::string& path) -> Result<std::string> {
    const auto file = there(path);
    if (!file) return Error::not_found(path);
    return stack::read_file(*file);
  };
  options.file_kind = [=](const std::string& path) {
    const auto file = there(path);
    if (!file || !fs::exists(*file)) return FileKind::kAbsent;
    return fs::is_directory(*file) ? FileKind::kDirectory : FileKind::kFile;
  };
  return options;
}

// Keys sorted; x-* below the top level and models go, which Docker Compose leaves out of JSON.
Node comparable(Node n, bool top) {
  std::erase_if(n.entries, [&](const Entry& e) {
    return (!top && e.key.rfind("x-", 0) == 0) || (top && e.key == "models");
  });
  // "exec": {"command": null} is how it prints an absent hook.
  std::erase_if(n.entries, [](const Entry& e) {
    const Node* command = e.value.find("command");
    return e.key == "exec" && command != nullptr && command->is_null();
  });
  for (Entry& e : n.entries) e.value = comparable(std::move(e.value), false);
  for (Node& i : n.items) i = comparable(std::move(i), false);
  std::sort(n.entries.begin(), n.entries.end(),
            [](const Entry& a, const Entry& b) { return a.key < b.key; });
  return n;
}

std::string comparable(const std::string& json) {
  Result<Node> root = parse_json(json);
  if (!root.ok()) return root.error().to_string();
  return print_json(comparable(std::move(root).value(), true), 2);
}

class Golden : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto outcome = load(options_of(GetParam()));
    if (const auto* errors = std::get_if<LoadErrors>(&outcome)) {
      FAIL() << render(errors->front());
    }
    project_ = std::move(std::get<LoadResult>(outcome).project);
  }
  std::string recorded(const char* file) const {
    return text_of(kCases + "/" + GetParam() + "/" + file);
  }
  Project project_;
};

TEST_P(Golden, JsonIsDockerComposes) {
  EXPECT_EQ(comparable(to_json(project_)), comparable(recorded("expected.json")));
}

TEST_P(Golden, YamlIsDockerComposesToTheByte) {
  EXPECT_EQ(to_yaml(project_), recorded("expected.yaml"));
}

TEST_P(Golden, HashesAreDockerComposes) {
  if (recorded("hashes").empty()) GTEST_SKIP() << "not recorded: see record.sh";
  std::string hashes;
  for (const auto& [name, service] : project_.services) {
    hashes += name + " " + config_hash(service) + "\n";
  }
  EXPECT_EQ(hashes, recorded("hashes"));
}

TEST_P(Golden, CanonicalDocumentLoadsToTheSameProject) {
  const Result<Project> back = load_canonical(to_json(project_));
  ASSERT_TRUE(back.ok()) << back.error().to_string();
  EXPECT_EQ(*back, project_);
  EXPECT_EQ(to_json(*back), to_json(project_));
}

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kCases)) {
    if (entry.is_directory()) names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Cases, Golden, testing::ValuesIn(cases()), [](const auto& tested) {
  std::string name = tested.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace stack::compose
