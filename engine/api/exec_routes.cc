// Commands in running containers.
#include <fcntl.h>
#include <unistd.h>

#include "base/files.h"
#include "engine/api/hijack.h"
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/json_fields.h"
#include "images/users.h"

namespace stack::engine::api {

namespace {

// A user whom the container does not know is refused before there is anything to start.
Status find_user(const std::string& user, int pid) {
  const auto root = open_fd("/proc/" + std::to_string(pid) + "/root", O_PATH | O_DIRECTORY);
  if (!root.ok()) return ok_status();  // it has just ended, which the start will say
  TRY(images::resolve_owner_in(root->get(), user));
  return ok_status();
}

void create(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  ExecConfig config;
  const bool parsed = parse_body(*exchange, [&](const Json& json) {
    config.cmd = field<Strings>(json, "Cmd");
    config.env = field<Strings>(json, "Env");
    config.user = text_field(json, "User");
    config.working_dir = text_field(json, "WorkingDir");
    config.detach_keys = text_field(json, "DetachKeys");
    config.tty = field(json, "Tty", false);
    config.privileged = field(json, "Privileged", false);
    config.attach_stdin = field(json, "AttachStdin", false);
    config.attach_stdout = field(json, "AttachStdout", false);
    config.attach_stderr = field(json, "AttachStderr", false);
  });
  if (!parsed) return;
  if (!parse_detach_keys(config.detach_keys)) {
    return respond_error(*exchange, 400,
                         "Invalid escape keys (" + config.detach_keys + ") provided");
  }
  const auto create_now = [&services, exchange](ExecConfig wanted) {
    const auto id =
        services.containers->create_exec(exchange->request().captures.at(0), std::move(wanted));
    if (!id.ok()) return respond_error(*exchange, id.error());
    respond_json(*exchange, 201, {{"Id", *id}});
  };
  if (config.user.empty() || c->pid == 0) return create_now(std::move(config));
  services.pool.run([user = config.user, pid = c->pid] { return find_user(user, pid); },
                    [exchange, create_now, config](const Status& known) {
                      if (!known.ok()) return respond_error(*exchange, known.error());
                      create_now(config);
                    });
}

// Once the connection is a stream, a failure is text in it; the client then asks for the exit code.
std::string failure_text(const Error& error, bool raw) {
  const std::string text = error.to_string() + "\r\n";
  if (raw) return text;
  std::string out(8, '\0');
  out[0] = '\1';
  for (int i = 0; i < 4; ++i)
    out[static_cast<std::size_t>(4 + i)] = static_cast<char>(text.size() >> (24 - 8 * i));
  return out + text;
}

void start(Services& services, const ExchangePtr& exchange) {
  const std::string id = exchange->request().captures.at(0);
  const auto exec = services.containers->find_exec(id);
  if (!exec.ok()) return respond_error(*exchange, exec.error());
  bool detach = false;
  bool raw = false;  // Docker asks the start, not the creation, whether the stream has frames
  const bool parsed = parse_body(*exchange, [&](const Json& json) {
    detach = field(json, "Detach", false);
    raw = field(json, "Tty", false);
  });
  if (!parsed) return;
  if ((*exec)->running) return respond_error(*exchange, 409, "exec " + id + " is already running");
  if ((*exec)->exit_code)
    return respond_error(*exchange, 409, "exec command " + id + " has already run");
  const ExecConfig config = (*exec)->config;
  services.containers->start_exec(
      id, [&services, exchange, detach, raw, config, id](Result<ExecStreams> streams) {
        if (detach) {
          if (!streams.ok()) return respond_error(*exchange, streams.error());
          drain(services.loop, std::move(streams->terminal));
          drain(services.loop, std::move(streams->out));
          drain(services.loop, std::move(streams->err));
          return respond_empty(*exchange, 200);
        }
        Hijack with;
        with.raw = raw;
        if (!streams.ok()) {
          if (streams.error().kind == ErrorKind::kNotFound ||
              streams.error().kind == ErrorKind::kConflict) {
            return respond_error(*exchange, streams.error());
          }
          with.first = failure_text(streams.error(), raw);
          return exchange->hijack(std::move(with));
        }
        with.client_input = config.attach_stdin;
        with.before_end = [&services, id](std::function<void()> end) {
          services.containers->when_exec_ended(id, std::move(end));
        };
        if (streams->terminal) {
          with.duplex = std::move(streams->terminal);
          with.duplex_is_terminal = true;
          if (config.attach_stdin) with.detach_keys = parse_detach_keys(config.detach_keys);
        } else {
          with.in = std::move(streams->in);
          with.out = std::move(streams->out);
          with.err = std::move(streams->err);
        }
        exchange->hijack(std::move(with));
      });
}

void inspect(Services& services, const ExchangePtr& exchange) {
  const auto exec = services.containers->find_exec(exchange->request().captures.at(0));
  if (!exec.ok()) return respond_error(*exchange, exec.error());
  const ExecState& e = **exec;
  Json process = {
      {"tty", e.config.tty},
      {"entrypoint", e.config.cmd.empty() ? "" : e.config.cmd.front()},
      {"arguments",
       e.config.cmd.empty() ? Strings{} : Strings(e.config.cmd.begin() + 1, e.config.cmd.end())},
      {"privileged", e.config.privileged}};
  if (!e.config.user.empty()) process["user"] = e.config.user;
  respond_json(*exchange, 200,
               {{"ID", e.id},
                {"Running", e.running},
                {"ExitCode", e.exit_code ? Json(*e.exit_code) : Json()},
                {"ProcessConfig", process},
                {"OpenStdin", e.config.attach_stdin},
                {"OpenStderr", e.config.attach_stderr},
                {"OpenStdout", e.config.attach_stdout},
                {"CanRemove", false},
                {"ContainerID", e.container_id},
                {"DetachKeys", ""},
                {"Pid", e.pid}});
}

void resize(Services& services, const ExchangePtr& exchange) {
  const auto size = terminal_size(*exchange);
  if (!size) return;
  answer(exchange, 200)(services.containers->resize_exec(exchange->request().captures.at(0),
                                                         size->rows, size->columns));
}

}  // namespace

void add_exec_routes(Router& router, Services& services) {
  router.add("POST", "/containers/{id}/exec",
             [&services](const ExchangePtr& e) { create(services, e); });
  router.add("POST", "/exec/{id}/start", [&services](const ExchangePtr& e) { start(services, e); });
  router.add("GET", "/exec/{id}/json", [&services](const ExchangePtr& e) { inspect(services, e); });
  router.add("POST", "/exec/{id}/resize",
             [&services](const ExchangePtr& e) { resize(services, e); });
}

}  // namespace stack::engine::api
