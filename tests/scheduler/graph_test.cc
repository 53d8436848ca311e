#include "scheduler/graph.h"

#include <gtest/gtest.h>

#include "scheduler/labels.h"
#include "tests/scheduler/world.h"

namespace stack::scheduler {
namespace {

using testing::depends;
using testing::project_of;
using testing::service;

TEST(Graph, OrdersDependenciesFirst) {
  auto project = project_of({"a", "b", "c"});
  depends(project, "a", "b");
  depends(project, "b", "c");
  const auto graph = make_graph(project.services);
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->order, (std::vector<std::string>{"c", "b", "a"}));
  EXPECT_EQ(with_dependencies(*graph, {"b"}), (std::set<std::string>{"b", "c"}));
}

TEST(Graph, SaysTheCycleThroughEveryKindOfDependency) {
  auto project = project_of({"a", "b", "c", "d"});
  depends(project, "d", "a");
  service(project, "a").links = {"b:alias"};
  service(project, "b").network_mode = "service:c";
  service(project, "c").volumes_from = {"a:ro"};
  const auto graph = make_graph(project.services);
  ASSERT_FALSE(graph.ok());
  EXPECT_EQ(graph.error().message, "dependency cycle detected: a -> b -> c -> a");
}

TEST(Graph, MissingDependencies) {
  auto project = project_of({"a"});
  depends(project, "a", "gone", "service_started", false, false);
  EXPECT_TRUE(make_graph(project.services).ok());
  depends(project, "a", "gone");
  EXPECT_EQ(make_graph(project.services).error().message,
            "service \"a\" depends on undefined service \"gone\": invalid compose project");
}

TEST(Graph, RestartFollowsOnlyEdgesThatAskForIt) {
  auto project = project_of({"a", "b", "c", "d"});
  depends(project, "b", "a", "service_started", true);
  depends(project, "c", "b", "service_started", true);
  depends(project, "d", "a");
  const auto graph = make_graph(project.services);
  EXPECT_EQ(with_restarted_dependents(*graph, {"a"}), (std::set<std::string>{"a", "b", "c"}));
}

TEST(Labels, DependsOnGoesThereAndBack) {
  const std::vector<Edge> edges = {{"cache", AwaitCondition::Condition::kStarted, false, true},
                                   {"db", AwaitCondition::Condition::kHealthy, true, true}};
  const std::string text = depends_on_text(edges);
  EXPECT_EQ(text, "cache:service_started:false,db:service_healthy:true");
  const auto parsed = parse_depends_on(text);
  EXPECT_EQ(parsed.at("db").condition, "service_healthy");
  EXPECT_TRUE(parsed.at("db").restart);
  EXPECT_FALSE(parsed.at("cache").restart);
  EXPECT_TRUE(parse_depends_on("").empty());
}

TEST(Labels, OfAContainer) {
  auto project = project_of({"web"});
  project.working_dir = "/srv";
  project.config_files = {"/srv/a.yaml", "/srv/b.yaml"};
  const Labels labels = container_labels(project, project.services.at("web"), {}, 2, "abc");
  EXPECT_EQ(labels,
            (Labels{{"com.docker.compose.project", "demo"},
                    {"com.docker.compose.service", "web"},
                    {"com.docker.compose.version", "2.40.3"},
                    {"com.docker.compose.container-number", "2"},
                    {"com.docker.compose.oneoff", "False"},
                    {"com.docker.compose.config-hash", "abc"},
                    {"com.docker.compose.depends_on", ""},
                    {"com.docker.compose.project.working_dir", "/srv"},
                    {"com.docker.compose.project.config_files", "/srv/a.yaml,/srv/b.yaml"}}));
}

}  // namespace
}  // namespace stack::scheduler
