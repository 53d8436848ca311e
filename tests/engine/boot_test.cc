#include "engine/boot.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/files.h"

namespace stack::engine {
namespace {

using Names = std::set<std::string>;

compose::Project project_with_a_job() {
  compose::Project project;
  project.services["job"];
  project.services["db"].depends_on["job"].condition = "service_completed_successfully";
  project.services["web"].depends_on["db"].condition = "service_healthy";
  project.services["other"];
  return project;
}

TEST(Boot, WhatAServiceDependsOnComesAlongButForJobsThatAreDone) {
  const auto project = project_with_a_job();
  EXPECT_EQ(services_to_start(project, {"web"}, {"job"}), (Names{"db", "web"}));
  EXPECT_EQ(services_to_start(project, {"web"}, {}), (Names{"db", "job", "web"}));
  EXPECT_EQ(services_to_start(project, {"job"}, {"job"}), (Names{"job"})) << "asked for by itself";
  EXPECT_EQ(services_to_start(project, {"gone"}, {}), Names{}) << "no longer declared";
}

TEST(Boot, TheMarkTellsABootFromARestart) {
  char directory[] = "/tmp/boot-test-XXXXXX";
  ASSERT_NE(::mkdtemp(directory), nullptr);
  const std::filesystem::path run = directory;
  EXPECT_TRUE(first_start_since_boot(run));
  ASSERT_TRUE(mark_boot(run).ok());
  EXPECT_FALSE(first_start_since_boot(run));
  ASSERT_TRUE(write_file(run / "boot", "another boot\n").ok());
  EXPECT_TRUE(first_start_since_boot(run)) << "a runtime directory on a disk";
  ASSERT_TRUE(remove_tree(run).ok());
}

}  // namespace
}  // namespace stack::engine
