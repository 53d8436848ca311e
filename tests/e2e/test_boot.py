"""A boot of the machine (all processes, the runtime directory and the groups are gone), systemd, and a new engine."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess

import templates
from harness import EndToEnd, control_groups, eventually, fetch, pids_of, processes

TEXT = """
    x-any: &any {image: busybox, command: sleep 1000, stop_signal: SIGKILL}
    services:
      job: {image: busybox, command: sh -c 'echo ran >>/data/jobs', volumes: ["data:/data"]}
      base:
        <<: *any
        restart: unless-stopped
        healthcheck: {test: "true", interval: 500ms}
        depends_on: {job: {condition: service_completed_successfully}}
      front:
        <<: *any
        restart: always
        depends_on: {base: {condition: service_healthy}}
      failure: {<<: *any, restart: on-failure}
      never: {<<: *any}
      stopped: {<<: *any, restart: unless-stopped}
      stubborn: {<<: *any, restart: always}
    volumes: {data: {}}
"""


class Boot(EndToEnd):
    def reboot(self):
        """What a machine loses when its power is cut."""
        for program in ("stackd", "stack-netd"):
            for pid in pids_of(program):
                os.kill(pid, signal.SIGKILL)
        for pid in processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not processes(), 10)
        shutil.rmtree(self.machine.run_dir)
        for group in sorted(control_groups() - self.machine.groups_before, key=len, reverse=True):
            with contextlib.suppress(OSError):
                os.rmdir(group)
        subprocess.run(["nft", "flush", "ruleset"], check=True)  # of this test's own network namespace
        for line in subprocess.run(["ip", "-o", "link", "show", "type", "bridge"], check=True, capture_output=True,
                                   text=True).stdout.splitlines():
            subprocess.run(["ip", "link", "del", line.split(":")[1].strip()], check=True)

    def states(self, project):
        return {row["Service"]: row["State"] for row in project.ps()}

    def test_projects_come_back_in_order_by_policy(self):
        project = self.project("booted", TEXT)
        project("up", "-d")
        project("stop", "-t", "0", "stopped", "stubborn")
        self.reboot()
        expected = {"job": "exited", "base": "running", "front": "running", "failure": "running", "never": "exited",
                    "stopped": "exited", "stubborn": "running"}
        eventually(lambda: self.states(project) == expected, 10, "by restart policy")
        self.assertEqual(project.run_in("base", "true", code=0).code, 0)
        begun = {service: project.inspect(service)["State"]["StartedAt"] for service in ("base", "front")}
        self.assertLess(begun["base"], begun["front"], "dependencies first")
        self.assertEqual((self.machine.root / "volumes/booted_data/_data/jobs").read_text(), "ran\n", "jobs stay done")
        # The engine alone restarting is no boot: what the user stopped stays stopped.
        project("stop", "-t", "0", "stubborn")
        self.machine.kill("stackd")
        self.assertEqual(self.states(project)["stubborn"], "exited")

    def test_texts_of_configs_and_secrets_come_back(self):
        text = """
            services:
              web:
                image: busybox
                command: sleep 1000
                stop_signal: SIGKILL
                restart: always
                configs: [text]
                secrets: [word]
            configs: {{text: {{content: "{text}"}}}}
            secrets: {{word: {{environment: WORD}}}}
        """
        project = self.project("texts", text.format(text="first"), files={".env": "WORD=hush"})
        project("up", "-d")
        project.edit(text.format(text="second"))
        project("up", "-d")
        self.reboot()
        eventually(lambda: self.states(project) == {"web": "running"}, 10)
        self.assertEqual(project.run_in("web", "cat", "/text", "/run/secrets/word").out, "secondhush")

    def test_enable_and_disable(self):
        first, second = (self.project(name, "services: {web: {image: busybox, command: sleep 1000, restart: always, "
                                            "stop_signal: SIGKILL}}") for name in ("first", "second"))
        failed = first("enable", code=1)
        self.assertIn("no such project: first", failed.err)
        for project in (first, second):
            project("up", "-d")
        self.assertIn("Project first comes back", first("enable").out)
        second("enable")
        self.assertEqual(sorted(os.listdir(self.machine.root / "enabled")), ["first", "second"])
        second("disable")
        self.assertEqual(os.listdir(self.machine.root / "enabled"), ["first"])
        self.reboot()
        eventually(lambda: self.states(first) == {"web": "running"}, 10)
        self.assertEqual(self.states(second), {"web": "exited"})

    def test_systemd_is_told(self):
        address = str(self.machine.base / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(address)
            listener.settimeout(5)
            engine = subprocess.Popen([templates.programs() / "stackd"], stderr=subprocess.DEVNULL,
                                      env={**self.machine.env, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"})
            try:
                first = listener.recv(4096).decode()
                self.assertIn("READY=1\n", first)
                self.assertIn(f"MAINPID={engine.pid}", first)
                self.machine.stack("ls")  # it serves by then
                for _ in range(3):
                    self.assertEqual(listener.recv(4096), b"WATCHDOG=1")
                os.kill(engine.pid, signal.SIGSTOP)
                listener.settimeout(0.6)
                with self.assertRaises(TimeoutError, msg="a hung engine is silent"):
                    while True:
                        listener.recv(4096)
                os.kill(engine.pid, signal.SIGCONT)
                engine.terminate()
                listener.settimeout(5)
                while listener.recv(4096) != b"STOPPING=1":
                    pass
                self.assertEqual(engine.wait(5), 0)
            finally:
                engine.kill()
                engine.wait(5)

    def test_containers_survive_an_upgrade_of_the_package(self):
        installed = self.machine.base / "lib"
        installed.mkdir()

        def install():
            for program in ("stack", "stackd", "stack-shim", "stack-netd"):
                shutil.copy2(templates.programs() / program, installed / f"{program}.new")
                (installed / f"{program}.new").rename(installed / program)
        install()
        self.machine.env["PATH"] = f"{installed}:{self.machine.env['PATH']}"
        project = self.project("upgraded", """
            services:
              web:
                image: busybox
                init: true
                command: sh -c 'mkdir /www; echo served >/www/index.html; exec httpd -f -p 80 -h /www'
                ports: ["18084:80"]
                restart: always
        """)
        project("up", "-d")
        pid = project.pid("web")
        install()
        # As systemd does with KillMode=process: the engine is told to stop, and started again.
        self.machine.kill("stackd", signal.SIGTERM)
        self.assertEqual(fetch("http://127.0.0.1:18084/"), "served\n")
        self.assertEqual(project.pid("web"), pid)
        new = pids_of("stackd")
        self.assertEqual(os.stat(f"/proc/{new[0]}/exe").st_ino, (installed / "stackd").stat().st_ino, "the new program")
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: project.pid("web") not in (0, pid), 5, "supervised as before")
