"""What the end-to-end tests share: a machine with a state directory of its own, projects on it, bounded waits and the
check that nothing is left behind. Runs inside the namespaces that run.py makes, so /proc, the links, the nftables and
the mount table hold nothing but the test's own things; only control groups are shared with the rest of the machine.
"""
import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import textwrap
import time
import unittest
import urllib.error
import urllib.request

import templates
from host import control_groups, firewall, links, mounts_under

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
# A command that runs Docker's client with Compose: the same tests are then run on it, to check what they expect.
PEER = shlex.split(os.environ.get("PEER_DOCKER", ""))


class Done:
    """How a command ended."""

    def __init__(self, command, code, out, err, seconds):
        self.command, self.code, self.out, self.err, self.seconds = command, code, out, err, seconds

    def __str__(self):
        return (f"$ {shlex.join(self.command)}\n  exit code {self.code} after {self.seconds:.2f} s\n"
                f"{textwrap.indent(self.out, '  out| ')}{textwrap.indent(self.err, '  err| ')}")


def eventually(condition, timeout=10.0, what=None):
    """Waits until condition() is true and returns its value; fails with what was seen last."""
    deadline = time.monotonic() + timeout
    seen = None
    while True:
        try:
            seen = condition()
            if seen:
                return seen
        except (AssertionError, OSError, LookupError, ValueError, StopIteration, subprocess.SubprocessError) as error:
            seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or condition}; last seen: {seen!r}")
        time.sleep(0.02)


def always(condition, seconds, what=None):
    """Looks again and again for a bounded time, and fails as soon as condition() is not true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            raise AssertionError(f"no longer true: {what or condition}")
        time.sleep(0.05)


def processes():
    """{pid: name of the executed file} of every process of this namespace that is not part of the test itself."""
    own = {1, os.getpid()}
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) in own:
            continue
        with contextlib.suppress(OSError):
            stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
            if stat.rpartition(")")[2].split()[0] != "Z":
                found[int(entry)] = os.path.basename(os.readlink(f"/proc/{entry}/exe").removesuffix(" (deleted)"))
    return found


def pids_of(program):
    return sorted(pid for pid, name in processes().items() if name == program)


def holder_of_port(port, address="127.0.0.1"):
    """A socket that keeps the port busy until it is closed."""
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind((address, port))
    taken.listen()
    return taken


def fetch(url, timeout=3):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


class Project:
    def __init__(self, machine, name, text=None, files=None):
        self.machine, self.name = machine, name
        self.dir = machine.base / name
        self.dir.mkdir(exist_ok=True)
        if text is not None:
            self.edit(text)
        for path, content in (files or {}).items():
            target = self.dir / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(textwrap.dedent(content))

    def edit(self, text):
        """In one step: a command may be reading it."""
        new = self.dir / "compose.yaml.new"
        new.write_text(textwrap.dedent(text))
        new.rename(self.dir / "compose.yaml")

    def __call__(self, *arguments, **options):
        return self.machine.stack(*arguments, cwd=self.dir, **options)

    def start(self, *arguments, **options):
        return self.machine.popen(*arguments, cwd=self.dir, **options)

    def ps(self, *arguments):
        """The containers as `ps -a --format json` prints them: a JSON object a line."""
        out = self("ps", "-a", "--format", "json", *arguments).out
        return [json.loads(line) for line in out.splitlines() if line]

    def container(self, service, number=1):
        name = f"{self.name}-{service}-{number}"
        for row in self.ps():
            if row["Name"] == name:
                return row
        raise LookupError(f"no container {name}")

    def ids(self):
        return {row["Name"]: row["ID"] for row in self.ps()}

    def inspect(self, service, number=1):
        return self.machine.inspect(f"{self.name}-{service}-{number}")

    def pid(self, service, number=1):
        """The process that is the container's process 1."""
        return self.inspect(service, number)["State"]["Pid"]

    def address(self, service):
        networks = self.inspect(service)["NetworkSettings"]["Networks"]
        return next(iter(networks.values()))["IPAddress"]

    def logs(self, *arguments):
        return self("logs", "--no-color", "--no-log-prefix", *arguments).out

    def run_in(self, service, *command, **options):
        return self("exec", "-T", service, *command, **options)


class Machine:
    def __init__(self, template):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="e2e-", dir="/tmp"))
        self.run_dir = self.base / "run"
        self.root = templates.fresh_root(template) if not PEER else self.base / "root"
        self.projects = []
        self.children = []
        self.history = []
        self.env = {name: value for name, value in os.environ.items()
                    if not re.match("COMPOSE_|DOCKER_|STACK_", name)}
        self.env.update(STACK_ROOT=str(self.root), STACK_RUN=str(self.run_dir), HOME=str(self.base),
                        PATH=f"{templates.programs()}:{os.environ['PATH']}", LC_ALL="C.UTF-8")

    @staticmethod
    def command(arguments):
        if not PEER:
            return ["stack", *arguments]
        return [*PEER, *([] if arguments[0] in ("image", "container", "compose") else ["compose"]), *arguments]

    def stack(self, *arguments, cwd=None, code=0, timeout=60, stdin=None, env=None):
        """Runs `stack ARGUMENTS`; fails unless it ends with `code` (None: any) in time."""
        command = self.command(arguments)
        begin = time.monotonic()
        try:
            ended = subprocess.run(command, cwd=cwd or self.base, env={**self.env, **(env or {})}, timeout=timeout,
                                   capture_output=True, text=True, errors="replace",
                                   **({"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}))
        except subprocess.TimeoutExpired as hung:
            done = Done(command, "none: hung", (hung.stdout or b"").decode(errors="replace"),
                        (hung.stderr or b"").decode(errors="replace"), timeout)
            self.history.append(done)
            raise AssertionError(f"hung:\n{done}") from None
        done = Done(command, ended.returncode, ended.stdout, ended.stderr, time.monotonic() - begin)
        self.history.append(done)
        if code is not None and done.code != code:
            raise AssertionError(f"expected exit code {code}:\n{done}")
        return done

    def popen(self, *arguments, cwd=None, **options):
        child = subprocess.Popen(self.command(arguments), cwd=cwd or self.base, env=self.env, text=True, errors="replace",
                                 **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                                    "stderr": subprocess.PIPE, **options})
        self.children.append(child)
        return child

    def project(self, name, text=None, files=None):
        project = Project(self, name, text, files)
        self.projects.append(project)
        return project

    def example(self, name):
        """A copy of examples/NAME."""
        shutil.copytree(SOURCE / "examples" / name, self.base / name)
        project = Project(self, name)
        self.projects.append(project)
        return project

    def api(self, method, path, body=None):
        """A request to the engine's socket; (status, parsed JSON or None)."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(self.run_dir / "stack.sock"))
            payload = b"" if body is None else json.dumps(body).encode()
            connection.sendall((f"{method} {path} HTTP/1.1\r\nHost: stack\r\nConnection: close\r\n"
                                f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
                                ).encode() + payload)
            import http.client
            answer = http.client.HTTPResponse(connection, method=method)
            answer.begin()
            text = answer.read().decode()
            return answer.status, json.loads(text) if text.strip() else None

    def inspect(self, name):
        if PEER:
            return json.loads(subprocess.run([*PEER, "inspect", name], check=True, capture_output=True).stdout)[0]
        self.wake()
        status, answer = self.api("GET", f"/v1.51/containers/{name}/json")
        if status != 200:
            raise LookupError(f"{name}: {answer}")
        return answer

    def remove(self, container):
        """Kills and removes one container that no service declares."""
        if PEER:
            subprocess.run([*PEER, "rm", "-f", container], check=True, capture_output=True)
            return
        self.wake()
        status, answer = self.api("DELETE", f"/v1.51/containers/{container}?force=1")
        if status >= 300:
            raise AssertionError(f"cannot remove {container}: {answer}")

    def wake(self):
        """Any command brings the engine back."""
        if not PEER and not pids_of("stackd"):
            self.stack("ls")

    def kill(self, program, signal_number=signal.SIGKILL):
        pids = pids_of(program)
        if not pids:
            raise AssertionError(f"{program} does not run")
        for pid in pids:
            os.kill(pid, signal_number)
        eventually(lambda: not set(pids) & set(pids_of(program)), 5, f"{program} is gone")

    def stop_engine(self):
        for program in ("stackd", "stack-netd"):
            for pid in pids_of(program):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            with contextlib.suppress(AssertionError):
                eventually(lambda: not pids_of(program), 5)

    def records(self):
        """What is left in the state directory of containers and volumes."""
        left = []
        for kind in ("containers", "volumes"):
            with contextlib.suppress(FileNotFoundError):
                left += [f"{kind}/{entry}" for entry in os.listdir(self.root / kind)]
        return sorted(left)

    def left_behind(self):
        """What is there after `down -v` that was not there before, while the engine may still run."""
        if PEER:
            return []
        left = [f"process {pid} {name}" for pid, name in processes().items() if name not in ("stackd", "stack-netd")]
        left += [f"link {name}" for name in links() if name not in ("lo", "out0")]
        left += [f"mount {point}" for point in mounts_under(self.root, self.run_dir)
                 if point not in (str(self.root / "state"),)]
        left += [f"control group {group}" for group in sorted(control_groups() - self.groups_before)]
        left += [f"record {record}" for record in self.records()]
        for directory, _, files in os.walk(self.run_dir / "containers"):
            left += [f"file {directory}/{name}" for name in files]
        return left

    groups_before = frozenset()


class EndToEnd(unittest.TestCase):
    """A test on a machine of its own. When it ends, every project is taken down and nothing may be left."""

    template = "busybox"
    maxDiff = None

    def setUp(self):
        self.machine = Machine(self.template)
        self.machine.groups_before = frozenset(control_groups())
        self.addCleanup(self.clean_up)
        if PEER:
            return
        left = [f"{pid} {name}" for pid, name in processes().items()]
        self.assertEqual(left, [], "the namespace is not empty")

    def project(self, name, text=None, files=None):
        return self.machine.project(name, text, files)

    def stack(self, *arguments, **options):
        return self.machine.stack(*arguments, **options)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        outcome = super().run(result)
        if len(result.failures) + len(result.errors) > before:
            self.show_history()
        return outcome

    def show_history(self):
        """The last commands and the engine's own words, for whoever reads the failure."""
        print("---- the last commands of this test", flush=True)
        for done in self.machine.history[-8:]:
            print(done)

    def clean_up(self):
        machine = self.machine
        left = []
        try:
            for child in machine.children:
                if child.poll() is None:
                    child.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.communicate(timeout=5)
            for project in machine.projects:
                if (project.dir / "compose.yaml").exists() or (project.dir / "docker-compose.yml").exists():
                    project("down", "-v", "--remove-orphans", "-t", "0", code=None)
            # Like Docker's, a plain `down` keeps anonymous volumes, and `down -v` those that the file no longer declares.
            for volume in [] if PEER else machine.stack("volume", "ls", "-q", code=None).out.split():
                machine.stack("volume", "rm", volume)
            left = machine.left_behind()
            if left:
                with contextlib.suppress(AssertionError):
                    eventually(lambda: not machine.left_behind(), 2)
                # What was there all the time: a test beside this one makes groups, and fills them a moment later.
                found = machine.left_behind()
                left = [one for one in left if one in found]
            if PEER:
                return
            machine.stop_engine()
            left += [f"process {pid} {name} after the engine was told to stop" for pid, name in processes().items()
                     if f"process {pid} {name}" not in left]
            rules = firewall()
            if rules:
                left.append("firewall rules after the engine has stopped:\n" + rules)
            self.assertEqual(left, [], "left behind")
        finally:
            # What was found, and nothing else: a test beside this one may be about to use a group that is empty now.
            mark = "control group "
            for group in sorted((line.removeprefix(mark) for line in left if line.startswith(mark)), key=len, reverse=True):
                with contextlib.suppress(OSError):
                    os.rmdir(group)
            for point in reversed(mounts_under(machine.root, machine.base)):
                subprocess.run(["umount", "-l", point], stderr=subprocess.DEVNULL)
            shutil.rmtree(machine.base, ignore_errors=True)


class Outside:
    """Another machine: a network namespace with one cable to this one (192.0.2.1 here, 192.0.2.2 there)."""

    here, there = "192.0.2.1", "192.0.2.2"

    def __init__(self):
        self.keeper = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
        own = os.readlink("/proc/self/ns/net")
        eventually(lambda: os.readlink(f"/proc/{self.keeper.pid}/ns/net") != own, 5)
        subprocess.run(["ip", "link", "add", "out0", "type", "veth", "peer", "name", "eth0",
                        "netns", str(self.keeper.pid)], check=True)
        subprocess.run(["ip", "addr", "add", f"{self.here}/24", "dev", "out0"], check=True)
        subprocess.run(["ip", "link", "set", "out0", "up"], check=True)
        subprocess.run(["ip", "route", "add", "default", "via", self.there], check=True)
        for command in (f"addr add {self.there}/24 dev eth0", "link set eth0 up", "link set lo up"):
            self.run("ip", *command.split())

    def run(self, *command, **options):
        return subprocess.run(["nsenter", "--target", str(self.keeper.pid), "--net", *command], check=True,
                              capture_output=True, text=True, timeout=20, **options).stdout

    def popen(self, *command, **options):
        return subprocess.Popen(["nsenter", "--target", str(self.keeper.pid), "--net", *command], **options)

    def fetch(self, url):
        return self.run("curl", "-fsS", "--max-time", "3", url)

    def close(self):
        self.keeper.stdin.close()
        self.keeper.wait(5)
        subprocess.run(["ip", "link", "del", "out0"], stderr=subprocess.DEVNULL)
