// login, logout, search, pull and push, as docker has them.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.h"
#include "base/registry_credentials.h"
#include "cli/docker/support.h"
#include "cli/format.h"
#include "cli/json_text.h"
#include "cli/message_stream.h"
#include "cli/registry_client.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kLoginFlags[] = {
    {"username", 'u', FlagType::kString, "Username"},
    {"password", 'p', FlagType::kString, "Password or Personal Access Token (PAT)"},
    {"password-stdin", 0, FlagType::kBool,
     "Take the Password or Personal Access Token (PAT) from stdin"},
};
constexpr FlagSpec kSearchFlags[] = {
    {"filter", 'f', FlagType::kFilters, "Filter output based on conditions provided"},
    {"format", 0, FlagType::kString, "Pretty-print search using a Go template", "table"},
    {"limit", 0, FlagType::kInt, "Max number of search results"},
    {"no-trunc", 0, FlagType::kBool, "Don't truncate output"},
};
constexpr FlagSpec kPullFlags[] = {
    {"all-tags", 'a', FlagType::kBool, "Download all tagged images in the repository"},
    {"disable-content-trust", 0, FlagType::kBool, "", "true", true},
    {"platform", 0, FlagType::kString, "Set platform if server is multi-platform capable"},
    {"quiet", 'q', FlagType::kBool, "Suppress verbose output"},
};
constexpr FlagSpec kPushFlags[] = {
    {"all-tags", 'a', FlagType::kBool, "Push all tags of an image to the repository"},
    {"disable-content-trust", 0, FlagType::kBool, "", "true", true},
    {"quiet", 'q', FlagType::kBool, "Suppress verbose output"},
};

void say_aside(std::string_view text) { (void)write_all(STDERR_FILENO, text); }

// A line of stdin without its end; echo is off for the time when `secret`.
Result<std::string> read_line(bool secret) {
  termios before{};
  const bool quiet = secret && ::tcgetattr(STDIN_FILENO, &before) == 0;
  if (quiet) {
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    (void)::tcsetattr(STDIN_FILENO, TCSANOW, &silent);
  }
  std::string out;
  ssize_t n = 0;
  for (char c = 0; (n = ::read(STDIN_FILENO, &c, 1)) == 1 && c != '\n';) out += c;
  const int error = n < 0 ? errno : 0;
  if (quiet) {
    (void)::tcsetattr(STDIN_FILENO, TCSANOW, &before);
    print("\n");
  }
  if (error != 0) return Error::os(error, "reading from stdin");
  if (!out.empty() && out.back() == '\r') out.pop_back();
  return out;
}

// Everything up to the end of stdin, without the last line's end.
Result<std::string> password_from_stdin() {
  std::string out;
  char buffer[4096];
  ssize_t n = 0;
  while ((n = ::read(STDIN_FILENO, buffer, sizeof buffer)) > 0) {
    out.append(buffer, static_cast<std::size_t>(n));
    if (out.size() > (1U << 20U)) return Error::invalid("the password on stdin is too long");
  }
  if (n < 0) return Error::os(errno, "reading the password from stdin");
  if (!out.empty() && out.back() == '\n') out.pop_back();
  if (!out.empty() && out.back() == '\r') out.pop_back();
  return out;
}

Result<RegistryCredentials> ask_credentials(const Arguments& args,
                                            const std::optional<RegistryCredentials>& known) {
  RegistryCredentials out;
  out.username = args.text("username");
  out.password = args.text("password");
  if (args.on("password-stdin")) {
    if (out.username.empty())
      return Error::invalid("Must provide --username with --password-stdin");
    out.password = TRY(password_from_stdin());
  }
  if (!out.username.empty() && !out.password.empty()) return out;
  if (!is_terminal(STDIN_FILENO))
    return Error::invalid("Cannot perform an interactive login from a non TTY device")
        .fix("Give --username and --password-stdin.");
  if (out.username.empty()) {
    const std::string before = known ? known->username : "";
    print(before.empty() ? "Username: " : "Username (" + before + "): ");
    out.username = TRY(read_line(false));
    if (out.username.empty()) out.username = before;
    if (out.username.empty()) return Error::invalid("username is required");
  }
  print("Password: ");
  out.password = TRY(read_line(true));
  if (out.password.empty()) return Error::invalid("password is required");
  return out;
}

// The engine asks the registry; what it gives to keep is filled in.
Status check_login(const Engine& engine, const std::string& key, RegistryCredentials& credentials) {
  const std::string answer =
      TRY(engine.http().post(fmt::format("{}/auth", kApi), registry_auth_json(credentials, key)));
  const std::string token = json_member(answer, "IdentityToken");
  if (!token.empty()) {
    credentials.password.clear();
    credentials.identity_token = token;
  }
  return ok_status();
}

Result<int> login(Context& context, const Arguments& args) {
  if (args.given("password") && args.on("password-stdin"))
    return Error::invalid("--password and --password-stdin are mutually exclusive");
  const auto path = DockerConfig::default_path();
  DockerConfig config = TRY(DockerConfig::load(path));
  const std::string server = args.positional.empty() ? "docker.io" : args.positional[0];
  const std::string key = credentials_key(server);
  const auto known = TRY(config.find(key));
  const Engine* engine = TRY(context.engine());
  if (args.given("password"))
    say_aside("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
  RegistryCredentials credentials;
  if (known && !args.given("username") && !args.given("password") && !args.on("password-stdin")) {
    print(known->username.empty()
              ? "Authenticating with existing credentials...\n"
              : fmt::format("Authenticating with existing credentials... [Username: {}]\n",
                            known->username));
    credentials = *known;
    if (const Status accepted = check_login(*engine, key, credentials); accepted.ok()) {
      print("\nLogin Succeeded\n");
      return 0;
    } else if (!is_terminal(STDIN_FILENO)) {
      return accepted.error();
    }
  }
  credentials = TRY(ask_credentials(args, known));
  TRY(check_login(*engine, key, credentials));
  TRY_WHILE(config.store(key, credentials), "Error saving credentials");
  if (config.helper_for(key).empty()) {
    say_aside(
        fmt::format("\nWARNING! Your credentials are stored unencrypted in '{}'.\n"
                    "Configure a credential helper to remove this warning. See\n"
                    "https://docs.docker.com/go/credential-store/\n",
                    path.string()));
  }
  print("Login Succeeded\n");
  return 0;
}

Result<int> logout(Context&, const Arguments& args) {
  const std::string server = args.positional.empty() ? "docker.io" : args.positional[0];
  const std::string key = credentials_key(server);
  DockerConfig config = TRY(DockerConfig::load(DockerConfig::default_path()));
  const auto known = config.find(key);
  if (known.ok() && !*known) {
    print(fmt::format("Not logged in to {}\n", key));
    return 0;
  }
  print(fmt::format("Removing login credentials for {}\n", key));
  TRY(config.erase(key));
  return 0;
}

std::string shortened(std::string text, bool whole) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::replace(text.begin(), text.end(), '\r', ' ');
  return whole ? text : ellipsis(text, 45);
}

Result<int> search(Context& context, const Arguments& args) {
  const std::string& term = args.positional[0];
  std::string target = fmt::format("{}/images/search?term={}", kApi, url_encode(term));
  if (const auto limit = args.number("limit")) target += fmt::format("&limit={}", *limit);
  target += docker::filters_query(args.list("filter"));
  const Engine* engine = TRY(context.engine());
  const ApiClient client = TRY(with_registry_auth(engine->http(), term));
  const std::string answer = TRY(client.get(target));
  const auto images = TRY(parse_search(answer));
  std::vector<Record> records;
  for (const FoundImage& found : images) {
    records.emplace_back()
        .add("Description", shortened(found.description, args.on("no-trunc")))
        .add("IsOfficial", found.official ? "[OK]" : "")
        .add("Name", found.name)
        .add("StarCount", std::to_string(found.stars));
  }
  print(TRY(render_list(args.text("format"),
                        {{"NAME", "Name"},
                         {"DESCRIPTION", "Description"},
                         {"STARS", "StarCount"},
                         {"OFFICIAL", "IsOfficial"}},
                        records, 10)));
  return 0;
}

Result<int> pull(Context& context, const Arguments& args) {
  const ImageName image = split_image_name(args.positional[0]);
  const bool all = args.on("all-tags");
  if (all && !image.tag.empty()) return Error::invalid("tag can't be used with --all-tags/-a");
  const Engine* engine = TRY(context.engine());
  const bool quiet = args.on("quiet");
  if (!quiet && !all && image.tag.empty()) print("Using default tag: latest\n");
  TRY(show_messages(begin_pull(engine->http(), args.positional[0], args.text("platform"), all),
                    {STDOUT_FILENO, quiet}));
  std::string shown = full_image_name(image.name);
  if (!all)
    shown += image.digest ? "@" + image.tag : ":" + (image.tag.empty() ? "latest" : image.tag);
  print(shown + '\n');
  return 0;
}

Result<int> push(Context& context, const Arguments& args) {
  const ImageName image = split_image_name(args.positional[0]);
  const bool all = args.on("all-tags");
  if (all && !image.tag.empty()) return Error::invalid("tag can't be used with --all-tags/-a");
  const Engine* engine = TRY(context.engine());
  const bool quiet = args.on("quiet");
  if (!quiet && !all && image.tag.empty()) print("Using default tag: latest\n");
  TRY(show_messages(begin_push(engine->http(), args.positional[0], all), {STDOUT_FILENO, quiet}));
  if (quiet)
    print(full_image_name(image.name) +
          (all ? "" : ":" + (image.tag.empty() ? "latest" : image.tag)) + '\n');
  return 0;
}

}  // namespace

constinit const Command kLoginCommand{.name = "login",
                                      .usage = "[OPTIONS] [SERVER]",
                                      .summary = "Authenticate to a registry",
                                      .flags = kLoginFlags,
                                      .run = login,
                                      .words = Words::kDocker,
                                      .max_args = 1};
constinit const Command kLogoutCommand{.name = "logout",
                                       .usage = "[SERVER]",
                                       .summary = "Log out from a registry",
                                       .run = logout,
                                       .words = Words::kDocker,
                                       .max_args = 1};
constinit const Command kSearchCommand{.name = "search",
                                       .usage = "[OPTIONS] TERM",
                                       .summary = "Search Docker Hub for images",
                                       .flags = kSearchFlags,
                                       .min_args = 1,
                                       .run = search,
                                       .words = Words::kDocker,
                                       .max_args = 1};
constinit const Command kImagePullCommand{.name = "pull",
                                          .usage = "[OPTIONS] NAME[:TAG|@DIGEST]",
                                          .summary = "Download an image from a registry",
                                          .flags = kPullFlags,
                                          .min_args = 1,
                                          .run = pull,
                                          .words = Words::kDocker,
                                          .max_args = 1};
constinit const Command kImagePushCommand{.name = "push",
                                          .usage = "[OPTIONS] NAME[:TAG]",
                                          .summary = "Upload an image to a registry",
                                          .flags = kPushFlags,
                                          .min_args = 1,
                                          .run = push,
                                          .words = Words::kDocker,
                                          .max_args = 1};

}  // namespace stack::cli
