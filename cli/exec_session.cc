#include "cli/exec_session.h"

#include <fmt/core.h>

#include "cli/json_text.h"
#include "cli/session.h"

namespace stack::cli {

Result<int> run_exec(const Engine& engine, const std::string& container_id,
                     const ExecOptions& options) {
  const bool attached = !options.detach;
  const std::string keys =
      options.detach_keys.empty() ? std::string(kDefaultDetachKeys) : options.detach_keys;
  SessionOptions session;
  session.detach_keys = TRY(DetachKeys::parse(keys));
  JsonObject body;
  body.add("AttachStdin", attached && options.input)
      .add("AttachStdout", attached)
      .add("AttachStderr", attached)
      .add("Tty", options.tty)
      .add("Cmd", options.command)
      .add("Env", options.environment);
  if (!options.user.empty()) body.add("User", options.user);
  if (!options.working_directory.empty()) body.add("WorkingDir", options.working_directory);
  if (!options.detach_keys.empty()) body.add("DetachKeys", options.detach_keys);
  if (options.privileged) body.add("Privileged", true);
  const std::string created = TRY(engine.http().post(
      fmt::format("{}/containers/{}/exec", kApi, url_encode(container_id)), body.text()));
  const std::string id = json_member(created, "Id");
  const std::string start = fmt::format("{}/exec/{}/start", kApi, id);
  JsonObject how;
  how.add("Detach", options.detach).add("Tty", options.tty);
  if (options.detach) {
    TRY(engine.http().post(start, how.text()));
    return 0;
  }
  Hijacked connection = TRY(engine.http().hijack(start, how.text()));
  session.tty = options.tty;
  session.input = options.input;
  if (options.tty) {
    session.resize = [&engine, &id](WindowSize size) {
      // A process that has ended meanwhile needs no size.
      (void)engine.http().post(
          fmt::format("{}/exec/{}/resize?h={}&w={}", kApi, id, size.rows, size.columns));
    };
  }
  if (TRY(run_session(std::move(connection), session)) == SessionEnd::kDetached) return 0;
  return engine.exec_exit_code(id);
}

}  // namespace stack::cli
