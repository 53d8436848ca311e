#include "tests/images/root_support.h"

namespace stack::images::test {
namespace {

class BuildTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (IsSkipped()) return;
    Fd tar = busybox_tar();
    ASSERT_TRUE(import(tar.get(), "box").ok());
    context_ = dir_ / "context";
    ASSERT_TRUE(make_directories(context_ / "api/sub").ok());
    ASSERT_TRUE(write_file(context_ / "api/app.py", "app").ok());
    ASSERT_TRUE(write_file(context_ / "api/start.sh", "#!", 0755).ok());
    ASSERT_TRUE(write_file(context_ / "api/sub/deep", "deep").ok());
  }
  Result<Image> run(const std::string& dockerfile, const std::string& tag = "built") {
    BuildRequest request = more_;
    request.context = context_;
    request.dockerfile_inline = dockerfile;
    request.args = args_;
    request.tags = {*Reference::parse(tag)};
    output_.clear();
    cached_ = 0;
    const auto progress = [this](const BuildEvent& event) {
      if (event.kind == BuildEvent::Kind::kOutput) output_ += event.text;
      if (event.kind == BuildEvent::Kind::kCached) ++cached_;
    };
    return build(*store_, request, runner_, progress, nullptr, {});
  }
  // The first layer, topmost first, that has the file.
  std::filesystem::path find(const Image& image, const std::string& path) {
    const auto layers = store_->layer_directories(image.id).value();
    for (const auto& layer : layers) {
      if (stack::exists(layer / path)) return layer / path;
    }
    return {};
  }
  std::filesystem::path context_;
  std::map<std::string, std::string> args_;
  BuildRequest more_;  // what else the test asks for
  ChrootRunner runner_;
  std::string output_;
  int cached_ = 0;
};

TEST_F(BuildTest, TheFlaskExample) {
  const std::string dockerfile =
      "FROM box\nADD api/* /app/\nWORKDIR /app\nRUN echo hello > installed && cat "
      "installed\nENTRYPOINT [\"./start.sh\"]\nEXPOSE 8000\n";
  const auto image = run(dockerfile);
  ASSERT_TRUE(image.ok()) << image.error().to_string();
  EXPECT_EQ(output_, "hello\n");
  EXPECT_EQ(read(find(*image, "app/app.py")), "app");
  EXPECT_EQ(read(find(*image, "app/deep")), "deep")
      << "a directory among the sources gives its contents";
  EXPECT_EQ(read(find(*image, "app/installed")), "hello\n");
  struct stat st {};
  ASSERT_EQ(::stat(find(*image, "app/start.sh").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777U, 0755U);
  EXPECT_EQ(image->config.working_dir, "/app");
  EXPECT_EQ(image->config.entrypoint, std::vector<std::string>{"./start.sh"});
  EXPECT_TRUE(image->config.exposed_ports.contains("8000/tcp"));
  ASSERT_EQ(image->config.history.size(), 6U);
  EXPECT_EQ(image->config.history[1].created_by, "ADD api/* /app/ # buildkit");
  EXPECT_EQ(image->config.history[3].created_by,
            "RUN /bin/sh -c echo hello > installed && cat installed # buildkit");
  EXPECT_TRUE(image->config.history[4].empty_layer);

  // Again: the same image, nothing run.
  const auto start = std::chrono::steady_clock::now();
  const auto again = run(dockerfile);
  const auto took = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->id, image->id);
  EXPECT_EQ(runner_.runs, 1);
  EXPECT_EQ(cached_, 3);
  std::printf("cached build: %.2f ms\n", std::chrono::duration<double, std::milli>(took).count());

  // A changed file runs what follows it; a changed configuration runs nothing.
  ASSERT_TRUE(run(dockerfile + "LABEL a=b\n").ok());
  EXPECT_EQ(runner_.runs, 1);
  ASSERT_TRUE(write_file(context_ / "api/app.py", "new").ok());
  const auto changed = run(dockerfile);
  ASSERT_TRUE(changed.ok());
  EXPECT_EQ(runner_.runs, 2);
  EXPECT_EQ(read(find(*changed, "app/app.py")), "new");
}

TEST_F(BuildTest, StagesArgumentsOwnersAndHeredocs) {
  ASSERT_TRUE(write_file(context_ / ".dockerignore", "api/sub\n").ok());
  args_["V"] = "2";
  const auto image =
      run("ARG BASE=box\nFROM box AS unused\nRUN exit 9\nFROM $BASE AS make\nARG V=1\nENV W=w\nRUN "
          "mkdir /out && echo $V$W > /out/v && echo x > /gone\n"
          "FROM make\nRUN rm /gone\nCOPY --from=make --chown=app:web --chmod=600 /out/v "
          "/data/\nCOPY api /all\nCOPY <<EOF /etc/made\nvalue $W\nEOF\n"
          "RUN <<EOF\necho one\necho two\nEOF\nUSER app\nCMD run\n");
  ASSERT_TRUE(image.ok()) << image.error().to_string();
  EXPECT_EQ(read(find(*image, "data/v")), "2w\n");
  struct stat st {};
  ASSERT_EQ(::stat(find(*image, "data/v").c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, 101U);
  EXPECT_EQ(st.st_gid, 77U);
  EXPECT_EQ(st.st_mode & 07777U, 0600U);
  EXPECT_TRUE(find(*image, "all/sub/deep").empty());
  EXPECT_EQ(read(find(*image, "all/app.py")), "app");
  EXPECT_EQ(read(find(*image, "etc/made")), "value w\n");
  EXPECT_EQ(output_, "one\ntwo\n");
  EXPECT_EQ(image->config.user, "app");
  ASSERT_EQ(::lstat((store_->layer_directories(image->id)->at(4) / "gone").c_str(), &st), 0);
  EXPECT_TRUE(S_ISCHR(st.st_mode)) << "removed below by a whiteout";
}

TEST_F(BuildTest, AStageHasTheArgumentsOfTheOneItStartsFrom) {
  ASSERT_TRUE(run("FROM box AS base\nARG V=1\nFROM base\nRUN echo $V\n").ok());
  EXPECT_EQ(output_, "1\n");
  ASSERT_TRUE(run("FROM box AS base\nARG V=1\nFROM base\nARG V\nWORKDIR /v$V\nRUN pwd\n").ok());
  EXPECT_EQ(output_, "/v1\n");
  ASSERT_TRUE(run("FROM box AS base\nARG V=1\nFROM base\nARG V=2\nRUN echo $V\n").ok());
  EXPECT_EQ(output_, "2\n");
}

TEST_F(BuildTest, ATriggerOfTheBaseCopiesFromAStageThatNothingElseNeeds) {
  const auto base = run("FROM box\nONBUILD COPY --from=make /made /made\n", "base");
  ASSERT_TRUE(base.ok()) << base.error().to_string();
  const auto image =
      run("FROM box AS below\nRUN echo made > /made\nFROM below AS make\nFROM base\n");
  ASSERT_TRUE(image.ok()) << image.error().to_string();
  EXPECT_EQ(read(find(*image, "made")), "made\n");
}

TEST_F(BuildTest, AStepRunsAgainWhenWhatItIsGivenChanges) {
  const auto runs_of = [this](const std::string& step) {
    const int before = runner_.runs;
    EXPECT_TRUE(run("FROM box\n" + step + " echo x > /x\n").ok()) << step;
    return runner_.runs - before;
  };
  more_.secrets["key"].content = "word";
  more_.privileged = true;
  for (const char* step :
       {"RUN", "RUN --security=insecure", "RUN --mount=type=secret,id=key,target=/k",
        "RUN --mount=type=secret,id=key,target=/k,required",
        "RUN --mount=type=secret,id=key,env=KEY", "RUN --mount=type=secret,id=key,env=WORD"}) {
    EXPECT_EQ(runs_of(step), 1) << step;
    EXPECT_EQ(runs_of(step), 0) << step;
  }
  more_.extra_hosts = {"db:10.0.0.1"};
  EXPECT_EQ(runs_of("RUN"), 1);
  more_.extra_hosts = {"db:10.0.0.2"};
  EXPECT_EQ(runs_of("RUN"), 1);
}

TEST_F(BuildTest, NothingThatItStandsOnIsPrunedMeanwhile) {
  const auto prune = [this] {
    PruneFilter everything;
    everything.all = true;
    EXPECT_TRUE(store_->prune(everything, nullptr).ok());
    EXPECT_TRUE(store_->prune_build_cache().ok());
  };
  runner_.meanwhile = [&] {
    if (runner_.runs == 2) prune();
  };
  const auto built = run("FROM box\nRUN echo a > /a\nRUN cat /a > /b\n");
  ASSERT_TRUE(built.ok()) << built.error().to_string();
  EXPECT_EQ(read(find(*built, "b")), "a\n");
  EXPECT_TRUE(stack::exists(find(*built, "bin/sh")));
  prune();
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "images/layers"));
}

TEST_F(BuildTest, ThePlatformMayHaveItsOtherName) {
  more_.platform = "aarch64";
  const auto image =
      run("FROM scratch\nARG TARGETPLATFORM\nARG TARGETARCH\n"
          "COPY api/app.py /$TARGETPLATFORM/$TARGETARCH\n");
  ASSERT_TRUE(image.ok()) << image.error().to_string();
  EXPECT_EQ(image->config.architecture, "arm64");
  EXPECT_EQ(read(find(*image, "linux/arm64/arm64")), "app");
  // It is no base for this machine.
  more_.platform = "";
  const auto here = host_architecture();
  if (here == "arm64") GTEST_SKIP() << "it is";
  EXPECT_NE(
      run("FROM built\nENV A=b\n")
          .error()
          .to_string()
          .find("image with reference built:latest was found but its platform (linux/arm64) does "
                "not match the specified platform (linux/" +
                here + ")"),
      std::string::npos);
  EXPECT_TRUE(run("FROM --platform=linux/aarch64 built\nENV A=b\n", "other").ok());
}

TEST_F(BuildTest, AFailedStepSaysWhereAndWhy) {
  const auto image = run("FROM box\nRUN echo one; echo two; exit 3\n");
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.error().to_string(),
            "dockerfile_inline:2:1: process \"/bin/sh -c echo one; echo two; exit 3\" did not "
            "complete successfully: exit code: 3\n"
            "RUN echo one; echo two; exit 3\n^\nlast output:\none\ntwo");
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "images/tmp"));
  EXPECT_NE(run("FROM box\nCOPY nothing /x\n")
                .error()
                .to_string()
                .find("dockerfile_inline:2:1: \"/nothing\": not found"),
            std::string::npos);
  EXPECT_NE(run("FROM none\n").error().to_string().find("No such image: none:latest"),
            std::string::npos);
}

TEST_F(BuildTest, LinksInContextAndStagesStayInside) {
  std::filesystem::create_symlink("/etc/shadow", context_ / "shadow");
  EXPECT_FALSE(
      run("FROM box\nCOPY shadow /x\n").ok());  // I22: resolved in the context, where there is none
  std::filesystem::create_symlink("/etc", context_ / "api/etc");
  const auto image = run("FROM box\nCOPY api /api\n");
  ASSERT_TRUE(image.ok()) << image.error().to_string();
  EXPECT_EQ(std::filesystem::read_symlink(store_->layer_directories(image->id)->at(0) / "api/etc"),
            "/etc");
}

TEST_F(BuildTest, ADirectoryTakesNoLinksPlace) {
  ASSERT_TRUE(make_directories(context_ / "root/lib").ok());
  ASSERT_TRUE(write_file(context_ / "root/lib/x", "x").ok());
  const std::string merged = "FROM box\nRUN mkdir -p /usr/lib && ln -s usr/lib /lib\n";
  EXPECT_NE(run(merged + "COPY root/ /\n")
                .error()
                .to_string()
                .find("cannot overwrite non-directory \"lib\" with directory"),
            std::string::npos);
  const auto image = run(merged + "COPY root/lib/ /lib\n");
  ASSERT_TRUE(image.ok()) << image.error().to_string();
  EXPECT_EQ(read(find(*image, "usr/lib/x")), "x");
}

TEST_F(BuildTest, AddUnpacksWhatItIsToldTo) {
  Fd tar = make_tar({file_entry("inside")});
  ASSERT_TRUE(write_file(context_ / "a.tar", read_all(tar.get()).value()).ok());
  EXPECT_EQ(read(find(*run("FROM box\nADD a.tar /to/\n"), "to/inside")), "content");
  EXPECT_FALSE(find(*run("FROM box\nADD --unpack=false a.tar /to/\n"), "to/a.tar").empty());
  EXPECT_EQ(read(find(*run("FROM box\nADD --unpack a.tar /to/\n"), "to/inside")), "content");
}

TEST_F(BuildTest, AddOfAGitRepositoryIsRefused) {
  for (const char* source : {"git@example.com:a/b.git", "ssh://git@example.com/a/b",
                             "https://example.com/a/b.git#main:dir", "git://example.com/a"})
    EXPECT_NE(run(std::string("FROM box\nADD ") + source + " /x\n")
                  .error()
                  .to_string()
                  .find("dockerfile_inline:2:1: ADD of a Git repository is not supported"),
              std::string::npos)
        << source;
}

TEST_F(BuildTest, ScratchHasDockersDefaults) {
  const auto image = run("FROM scratch\nCOPY api/app.py /\n");
  ASSERT_TRUE(image.ok()) << image.error().to_string();
  EXPECT_EQ(image->config.working_dir, "/");
  EXPECT_EQ(image->config.env,
            std::vector<std::string>{
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"});
  EXPECT_EQ(read(find(*image, "app.py")), "app");
}

}  // namespace
}  // namespace stack::images::test
