"""What the tests of the tutorial share: an engine without images, a registry that has them (as Docker Hub would), and the
two programs that the same lines are typed into.
"""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import subprocess
import termios
import time

import templates
from harness import PEER, Done, EndToEnd, eventually

MIRROR = "127.0.0.1:5000"


class Terminal:
    """A program on a terminal of its own, and what it has shown so far."""

    def __init__(self, command, cwd, env):
        self.master, slave = pty.openpty()
        self.child = subprocess.Popen(command, cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=slave,
                                      start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.shown = ""
        self.looked = 0

    def read(self, timeout):
        if select.select([self.master], [], [], timeout)[0]:
            with contextlib.suppress(OSError):
                self.shown += os.read(self.master, 65536).decode(errors="replace")

    def expect(self, pattern, timeout=30):
        """Waits until the pattern appears in what was shown since the last time."""
        deadline = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.shown[self.looked:])
            if found:
                self.looked += found.end()
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout} s: {pattern!r}; shown:\n{self.shown}")
            self.read(0.1)

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self, timeout=20):
        """The exit code, when the program ends by itself."""
        deadline = time.monotonic() + timeout
        while self.child.poll() is None and time.monotonic() < deadline:
            self.read(0.05)
        if self.child.poll() is None:
            self.child.kill()
            raise AssertionError(f"does not end; shown:\n{self.shown}")
        os.close(self.master)
        return self.child.returncode


class Tutorial(EndToEnd):
    """The lines are typed with self.docker(...); what they mean is up to `client`."""

    template = "empty"
    client = None

    def setUp(self):
        if PEER:
            self.skipTest("tries our programs")
        super().setUp()
        settings = self.machine.base / "daemon.json"
        settings.write_text(json.dumps({"registry-mirrors": [f"http://{MIRROR}"]}))
        self.machine.env.update(STACK_CONFIG=str(settings),
                                DOCKER_HOST=f"unix://{self.machine.run_dir}/stack.sock",
                                DOCKER_CONFIG=str(self.machine.base / "docker"), DOCKER_CLI_HINTS="false")
        self.addCleanup(self.stop_serving)
        self.registry = templates.serve_registry(MIRROR, self.machine.base / "registry.yml")
        self.machine.run_dir.mkdir(exist_ok=True)
        self.log = open(self.machine.base / "stackd.log", "w+")
        self.daemon = subprocess.Popen(["stackd"], env=self.machine.env, stdin=subprocess.DEVNULL, stdout=self.log,
                                       stderr=self.log)
        eventually(lambda: self.machine.api("GET", "/version")[0] == 200, 10)

    def stop_serving(self):
        with contextlib.suppress(Exception):
            for one in self.machine.api("GET", "/v1.44/containers/json?all=1")[1]:
                self.machine.api("DELETE", f"/v1.44/containers/{one['Id']}?force=1&v=1")
            for one in self.machine.api("GET", "/v1.44/networks")[1]:
                if one["Name"] not in ("bridge", "host", "none"):
                    self.machine.api("DELETE", f"/v1.44/networks/{one['Id']}")
            for one in self.machine.api("GET", "/v1.44/volumes")[1]["Volumes"]:
                self.machine.api("DELETE", f"/v1.44/volumes/{one['Name']}?force=1")
        # What goes with the containers goes a moment after the answer; what does not go is found by clean_up.
        with contextlib.suppress(AssertionError):
            eventually(lambda: not [left for left in self.machine.left_behind() if left.startswith("control group")], 5)
        for process in (getattr(self, "daemon", None), getattr(self, "registry", None)):
            if process:
                process.terminate()
                process.wait(10)
        self.log.close()

    def show_history(self):
        super().show_history()
        with contextlib.suppress(OSError):
            print("---- the engine's log\n" + (self.machine.base / "stackd.log").read_text()[-4000:], flush=True)

    def docker(self, *arguments, code=0, stdin=None, timeout=90):
        command = [*self.client(), *arguments]
        begin = time.monotonic()
        try:
            ended = subprocess.run(command, cwd=self.machine.base, env=self.machine.env, capture_output=True, text=True,
                                   errors="replace", timeout=timeout,
                                   **({"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}))
        except subprocess.TimeoutExpired as hung:
            raise AssertionError(f"hung: {command}\n{hung.stdout}\n{hung.stderr}") from None
        done = Done(command, ended.returncode, ended.stdout, ended.stderr, time.monotonic() - begin)
        self.machine.history.append(done)
        if code is not None:
            self.assertEqual(done.code, code, f"expected exit code {code}:\n{done}")
        return done

    def terminal(self, *arguments):
        return Terminal([*self.client(), *arguments], self.machine.base, self.machine.env)

    def table(self, *arguments):
        """A printed table as lists of cells, the head first; columns are two or more spaces apart."""
        return [re.split(r" {2,}", line.rstrip()) for line in self.docker(*arguments).out.splitlines()]

    def containers(self):
        """{name: status} of all containers."""
        rows = self.docker("container", "ls", "-a", "--format", "{{.Names}}\t{{.Status}}").out.splitlines()
        return dict(row.split("\t") for row in rows)

    def put(self, path, text):
        target = self.machine.base / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return str(target)


class WithStack:
    @staticmethod
    def client():
        return ["stack"]


class WithDocker:
    @staticmethod
    def client():
        return [templates.docker_client()]
