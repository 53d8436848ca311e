// RUN: the process is the runner's, the layer is ours.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <deque>

#include "base/files.h"
#include "images/build_stage.h"
#include "images/copy.h"
#include "images/overlay.h"
#include "images/paths.h"

namespace stack::images {
namespace {

constexpr std::size_t kLastLines = 20;

// The end of what a step printed, for the error.
class Tail {
 public:
  void add(std::string_view text) {
    text_.append(text);
    if (text_.size() > 64U << 10U) text_.erase(0, text_.size() - (16U << 10U));
  }
  std::string last_lines() const {
    std::string_view text = text_;
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    std::size_t at = text.size();
    for (std::size_t lines = 0; at > 0; --at) {
      if (text[at - 1] == '\n' && ++lines == kLastLines) break;
    }
    return std::string(text.substr(at));
  }

 private:
  std::string text_;
};

// Names that mounting needs and that a container's root may lack. What was made for them is no part
// of the layer.
std::vector<std::string> mount_points(const RunStep& step) {
  std::vector<std::string> out{"/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/dev", "/proc",
                               "/sys"};
  for (const RunMount& mount : step.mounts) {
    if (!mount.target.empty()) out.push_back(clean_absolute(mount.target));
  }
  return out;
}

// All prefixes of the mount points that are missing below, innermost last.
std::vector<std::string> missing_names(int root, const std::vector<std::string>& points) {
  std::vector<std::string> out;
  for (const std::string& point : points) {
    std::string path;
    for (const std::string& part : split_path(point)) {
      path += "/" + part;
      if (!open_in_root(root, path, O_PATH | O_NOFOLLOW).ok()) out.push_back(path);
    }
  }
  return out;
}

void remove_stubs(const std::filesystem::path& upper, const std::vector<std::string>& missing) {
  const auto root = open_fd(upper, O_RDONLY | O_DIRECTORY);
  if (!root.ok()) return;
  for (auto it = missing.rbegin(); it != missing.rend(); ++it) {
    const std::size_t slash = it->rfind('/');
    const auto parent = open_in_root(root->get(), it->substr(0, slash + 1), O_PATH | O_DIRECTORY);
    if (!parent.ok()) continue;
    const std::string name = it->substr(slash + 1);
    struct stat st {};
    if (::fstatat(parent->get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    // Only what is empty is a stub; a step may have put something there itself. A failure leaves it
    // in the layer.
    if (S_ISDIR(st.st_mode)) (void)::unlinkat(parent->get(), name.c_str(), AT_REMOVEDIR);
    if (S_ISREG(st.st_mode) && st.st_size == 0) (void)::unlinkat(parent->get(), name.c_str(), 0);
  }
}

// What a RUN with here-documents means: one alone is a script (with #! a file that is executed),
// others are for the shell.
std::string heredoc_command(const Instruction& in, std::optional<std::string>& script) {
  const std::string& text = in.args[0];
  const Heredoc& first = in.heredocs[0];
  if (in.heredocs.size() == 1 && text.starts_with("<<") &&
      text.find_first_of(" \t") == std::string::npos) {
    if (!first.content.starts_with("#!")) return first.content;
    script = first.content;
    return "/dev/pipes/" + first.name;
  }
  std::string full = text;
  for (const Heredoc& doc : in.heredocs) full += "\n" + doc.content + doc.name;
  return full;
}

}  // namespace

bool is_proxy_arg(const std::string& name) {
  static const std::set<std::string> kNames{
      "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY",
      "ftp_proxy",  "NO_PROXY",   "no_proxy",    "ALL_PROXY",   "all_proxy"};
  return kNames.contains(name);
}

Result<RunMount> Builder::run_mount(std::size_t index, const MountRequest& request,
                                    std::string& key, std::vector<OpenedSource>& keep) {
  RunMount out;
  out.target = request.target;
  out.read_only = !request.read_write;
  out.uid = request.uid;
  out.gid = request.gid;
  if (request.type == "tmpfs") {
    out.type = RunMount::Type::kTmpfs;
    out.size = request.size;
    out.read_only = false;
    return out;
  }
  if (request.type == "ssh") {
    out.type = RunMount::Type::kSsh;
    const auto agent = request_.ssh.find(request.id);
    if (agent == request_.ssh.end()) {
      if (request.required)
        return Error::invalid("no SSH key \"" + request.id + "\" forwarded from the client");
      out.target.clear();
      return out;
    }
    if (out.target.empty())
      out.target =
          "/run/buildkit/ssh_agent." + (request.id == "default" ? std::string("0") : request.id);
    out.content = agent->second.string();
    out.read_only = false;
    return out;
  }
  if (request.type == "secret") {
    out.type = RunMount::Type::kSecret;
    out.mode = request.has_mode ? request.mode : 0400;
    out.environment = request.environment;
    const auto secret = request_.secrets.find(request.id);
    if (secret == request_.secrets.end()) {
      if (request.required) return Error::invalid("secret " + request.id + ": not found");
      out.target.clear();  // optional and absent: no mount
      return out;
    }
    out.content = secret->second.content ? *secret->second.content
                                         : TRY_WHILE(read_file(secret->second.file, 500U << 10U),
                                                     "secret " + request.id);
    return out;
  }
  if (request.type == "cache") {
    out.type = RunMount::Type::kCache;
    out.mode = request.has_mode ? request.mode : 0755;
    out.sharing = request.sharing;
    const std::filesystem::path directory = TRY(store_.build_cache().mount_directory(request.id));
    if (::chown(directory.c_str(), request.uid, request.gid) != 0 ||
        ::chmod(directory.c_str(), out.mode) != 0)
      return Error::os(errno, directory);
    out.source_root = {directory};
    return out;
  }
  OpenedSource source = TRY(open_source(index, request.from));
  out.source_root = source.directories;
  out.source_path = request.source.empty() ? "/" : clean_absolute(request.source);
  if (source.key.empty()) {
    const std::vector<CopyItem> items = TRY(expand_source(source.source, out.source_path));
    key += " " + TRY(content_digest(source.source, items, {}));
  } else {
    key += " " + source.key;
  }
  keep.push_back(std::move(source));
  return out;
}

Status Builder::run_step(std::size_t index, const Instruction& in, BuildStage& stage, int id) {
  const BuildScope& scope = stage.scope;
  RunStep step;
  std::string key;
  std::vector<OpenedSource> keep;
  step.network_mode = request_.network_mode;
  for (const Flag& flag : in.flags) {
    const std::string value = TRY(expand_word(flag.value, scope.lookup(), scope.escape));
    if (flag.name == "mount") {
      auto request = parse_mount(value);
      if (!request.ok()) return Error::at(flag.where, request.error().message);
      key += "\nmount " + value;  // but not what a secret says
      RunMount mount = TRY(run_mount(index, *request, key, keep));
      const bool absent = mount.target.empty() && mount.environment.empty();
      if (!absent) step.mounts.push_back(std::move(mount));
    } else if (flag.name == "network") {
      if (value != "default" && value != "none" && value != "host")
        return Error::at(flag.where, "invalid network mode: " + value);
      step.network_mode = value == "default" ? request_.network_mode : value;
    } else if (flag.name == "security") {
      if (value != "insecure" && value != "sandbox")
        return Error::at(flag.where, "security \"" + value + "\" is not valid");
      const auto& granted = request_.entitlements;
      const bool allowed = request_.privileged || std::find(granted.begin(), granted.end(),
                                                            "security.insecure") != granted.end();
      if (value == "insecure" && !allowed) {
        return Error::at(flag.where, "security.insecure is not allowed")
            .fix("Grant it with build.entitlements or build.privileged.");
      }
      step.privileged = value == "insecure";
    } else {
      return Error::at(flag.where, "RUN --" + flag.name + " is not supported");
    }
  }
  std::vector<std::string> command = in.args;
  std::optional<std::string> script;
  if (!in.heredocs.empty()) command = {heredoc_command(in, script)};
  step.args = with_shell(scope.config, command, in.json_form);
  step.env = scope.config.env;
  std::vector<std::string> shown_args;
  for (const auto& [name, value] : scope.args) {
    if (!value) continue;
    shown_args.push_back(name + "=" + *value);
    bool in_env = false;
    for (const std::string& entry : scope.config.env)
      in_env = in_env || entry.starts_with(name + "=");
    if (!in_env) set_env(step.env, name, *value);
  }
  for (const std::string& entry : step.env) key += "\nenv " + entry;
  for (const auto& [name, value] : request_.args) {
    if (is_proxy_arg(name)) set_env(step.env, name, value);  // neither in history nor in the key
  }
  step.cwd = scope.config.working_dir.empty() ? "/" : scope.config.working_dir;
  step.user = scope.config.user;
  step.extra_hosts = request_.extra_hosts;
  step.shm_size = request_.shm_size;
  step.ulimits = request_.ulimits;
  for (const std::string& word : step.args) key += "\narg " + word;
  key += "\n" + step.cwd + "\n" + step.user + "\n" + step.network_mode +
         (script ? "\n" + *script : "");
  if (step.privileged) key += "\ninsecure";
  for (const std::string& host : step.extra_hosts) key += "\nhost " + host;
  std::string shown = "RUN";
  if (!shown_args.empty()) shown += " |" + std::to_string(shown_args.size());
  for (const std::string& word : shown_args) shown += " " + word;
  for (const std::string& word : step.args) shown += " " + word;
  shown += " # buildkit";

  const Make make = [&](const std::filesystem::path& upper,
                        const std::filesystem::path& work) -> Status {
    step.lowers = lowers(stage);
    step.upper = upper;
    step.work = work;
    TemporaryDirectory pipes;
    if (script) {
      pipes = TRY(store_.layer_store().temporary());
      TRY(write_file(pipes.path() / in.heredocs[0].name, *script, 0755));
      if (::chmod(pipes.path().c_str(), 0755) != 0) return Error::os(errno, pipes.path());
      RunMount mount;
      mount.target = "/dev/pipes";
      mount.source_root = {pipes.path()};
      mount.source_path = "/";
      step.mounts.push_back(std::move(mount));
    }
    std::vector<std::string> missing;
    {
      Fd below = TRY(mount_overlay(step.lowers));
      missing = missing_names(below.get(), mount_points(step));
    }
    Tail tail;
    const OutputCallback output = [&](std::string_view stream, std::string_view text) {
      tail.add(text);
      tell({.kind = BuildEvent::Kind::kOutput,
            .id = id,
            .text = std::string(text),
            .stream = std::string(stream)});
    };
    step.id = random_hex(64);
    tell({.kind = BuildEvent::Kind::kRunning, .id = id, .text = step.id});
    const int code = TRY(runner_.run(step, output, stop_));
    if (stop_.stop_requested())
      return Error::make(ErrorKind::kCancelled, "the build was cancelled");
    if (code != 0) {
      std::string words;
      for (const std::string& word : step.args) words += (words.empty() ? "" : " ") + word;
      tell({.kind = BuildEvent::Kind::kFailed, .id = id, .text = words, .exit_code = code});
      std::string message = "process \"" + words +
                            "\" did not complete successfully: exit code: " + std::to_string(code);
      const std::string lines = tail.last_lines();
      message +=
          "\n" + caret(file_.source, in.where) + (lines.empty() ? "" : "\nlast output:\n" + lines);
      return Error::at(in.where, std::move(message));
    }
    remove_stubs(upper, missing);
    return ok_status();
  };
  return cached_step(stage, "RUN" + key, shown, id, make);
}

}  // namespace stack::images
