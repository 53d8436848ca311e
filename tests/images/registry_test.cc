// The decisions about registries that need none.
#include "images/registry.h"

#include <gtest/gtest.h>

namespace stack::images {
namespace {

using std::chrono::seconds;

TEST(Proxy, IsChosenByScheme) {
  const ProxySettings set{"http://p:1", "http://q:2",
                          "internal.example, .sub.example,10.0.0.0/8,h:81"};
  EXPECT_EQ(proxy_for("http://a.example/x", set), "http://p:1");
  EXPECT_EQ(proxy_for("https://a.example:5000/x", set), "http://q:2");
  EXPECT_EQ(proxy_for("https://a.example", {"http://p:1", "", ""}), "");
}

TEST(Proxy, IsNotUsedForExcludedHosts) {
  const ProxySettings set{"http://p:1", "http://p:1",
                          "internal.example, .sub.example,10.0.0.0/8,h:81"};
  for (const char* direct : {"http://localhost:5000/", "http://127.0.0.9/", "http://[::1]:5/",
                             "https://internal.example", "https://x.internal.example",
                             "http://a.sub.example", "http://10.1.2.3:5000", "http://h:81/"})
    EXPECT_EQ(proxy_for(direct, set), "") << direct;
  for (const char* through : {"http://sub.example", "http://notinternal.example", "http://11.0.0.1",
                              "http://h:82/", "https://h/"})
    EXPECT_EQ(proxy_for(through, set), "http://p:1") << through;
  EXPECT_EQ(proxy_for("http://a.example", {"p", "p", "*"}), "");
}

TEST(Endpoints, MirrorsComeFirstAndOnlyForTheHub) {
  RegistryOptions options;
  options.mirrors = {"https://m.example/", "http://10.0.0.1:5000"};
  options.insecure_registries = {"10.0.0.0/8"};
  const auto hub = endpoints_of("docker.io", options, false);
  ASSERT_EQ(hub.size(), 3U);
  EXPECT_EQ(hub[0].base, "https://m.example");
  EXPECT_TRUE(hub[0].mirror);
  EXPECT_FALSE(hub[0].insecure);
  EXPECT_TRUE(hub[1].insecure);
  EXPECT_EQ(hub[2].base, "https://registry-1.docker.io");
  EXPECT_EQ(endpoints_of("docker.io", options, true).size(), 1U);
  EXPECT_EQ(endpoints_of("r.example", options, false).size(), 1U);
  const auto plain = endpoints_of("10.9.9.9:5000", options, false);
  ASSERT_EQ(plain.size(), 2U);
  EXPECT_EQ(plain[0].base, "https://10.9.9.9:5000");
  EXPECT_EQ(plain[1].base, "http://10.9.9.9:5000");
}

TEST(Endpoints, ExplicitCredentialsNeverGoToAMirror) {
  RegistryOptions options;
  options.mirrors = {"https://m.example"};
  options.credentials = Credentials{"ann", "word", "", ""};
  options.auths["m.example"] = Credentials{"bob", "x", "", ""};
  const auto all = endpoints_of("docker.io", options, false);
  EXPECT_EQ((*credentials_for(all[0], options))->username, "bob");
  EXPECT_EQ((*credentials_for(all[1], options))->username, "ann");
}

TEST(RetryAfter, SecondsAndDates) {
  const auto now = std::chrono::system_clock::from_time_t(784111777);  // 06 Nov 1994 08:49:37
  EXPECT_EQ(parse_retry_after("7", now), seconds(7));
  EXPECT_EQ(parse_retry_after("99999999999999", now), seconds(120));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:50 GMT", now), seconds(13));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:00 GMT", now), seconds(0));
  EXPECT_FALSE(parse_retry_after("", now).has_value());
  EXPECT_FALSE(parse_retry_after("soon", now).has_value());
}

TEST(RegistryErrors, AreDockersWords) {
  HttpResponse response;
  response.status = 403;
  response.body =
      R"({"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]})";
  EXPECT_EQ(registry_error_text(response), "denied: requested access to the resource is denied");
  EXPECT_EQ(registry_error_code(response), "DENIED");
  response.body = R"({"errors":[{"code":"A_B","message":"x"},{"code":"C"}]})";
  EXPECT_EQ(registry_error_text(response), "errors:\na b: x\nc");
  response.status = 401;
  response.body = R"({"details":"incorrect username or password"})";
  EXPECT_EQ(registry_error_text(response), "unauthorized: incorrect username or password");
  response.status = 502;
  response.body = "<html>";
  EXPECT_EQ(registry_error_text(response), "received unexpected HTTP status: 502");
  EXPECT_EQ(registry_error_code(response), "");
}

TEST(RegistryAuth, ATokenGoesToItsOriginAlone) {
  const auto same = [](const char* url) { return same_origin(url, "https://r.example:443/v2/"); };
  EXPECT_TRUE(same("https://r.example/v2/app/blobs/uploads/1?x=y"));
  EXPECT_TRUE(same("https://R.example:443"));
  EXPECT_FALSE(same("https://r.example:5000/v2/"));
  EXPECT_FALSE(same("http://r.example/v2/"));
  EXPECT_FALSE(same("http://r.example:443/v2/"));
  EXPECT_FALSE(same("https://other.example/v2/"));
  EXPECT_TRUE(same_origin("http://r.example", "http://r.example:80/"));
}

TEST(RegistryAuth, APasswordGoesToNoStrangerInTheClear) {
  Authorizer authorizer({"http://r.example:5000", "r.example:5000"}, Credentials{"a", "b", "", ""});
  for (const char* realm :
       {"http://other.example/token", "file:///etc/passwd", "http://169.254.169.254/x"}) {
    const Status answered =
        authorizer.answer(std::string("Bearer realm=\"") + realm + "\"", "", {});
    ASSERT_FALSE(answered.ok());
    EXPECT_NE(answered.error().message.find("is refused"), std::string::npos) << realm;
  }
  EXPECT_TRUE(authorizer.answer("Basic realm=\"x\"", "", {}).ok());
  EXPECT_EQ(authorizer.header(), "Authorization: Basic YTpi");
}

}  // namespace
}  // namespace stack::images
