"""kill -9 of the engine, of netd, or of both: containers, log lines, exit codes, names and health checks survive."""
import os
import re
import signal
import time

from harness import EndToEnd, eventually, pids_of, fetch

WRITER = """
    services:
      writer:
        image: busybox
        command: sh -c 'i=0; while [ $$i -lt 2000 ]; do i=$$((i+1)); echo line $$i; sleep 0.005; done; exit 7'
      web:
        image: busybox
        command: sh -c 'mkdir /www; echo served >/www/index.html; exec httpd -f -p 80 -h /www'
        init: true
        ports: ["18080:80"]
        healthcheck: {test: "date +%s >>/probes", interval: 300ms}
        restart: always
"""


class Recovery(EndToEnd):
    def check_lines(self, project, up_to=None):
        numbers = [int(n) for n in re.findall(r"^line (\d+)$", project.logs("writer"), re.M)]
        self.assertEqual(numbers, list(range(1, (up_to or len(numbers)) + 1)), "log lines lost, doubled or reordered")
        return len(numbers)

    def kill_repeatedly(self, *programs):
        project = self.project("victim", WRITER)
        project("up", "-d")
        eventually(lambda: fetch("http://127.0.0.1:18080/"), 10, "the published port answers")
        pids = {service: project.pid(service) for service in ("writer", "web")}
        for moment in (0.0, 0.05, 0.3, 1.0):
            time.sleep(moment)  # the moment is the point: somewhere else in the engine's life each time
            for program in programs:
                self.machine.kill(program)
            for service, pid in pids.items():
                self.assertTrue(os.path.exists(f"/proc/{pid}"), f"{service} died with {programs}")
            self.assertEqual(fetch("http://127.0.0.1:18080/"), "served\n", "the published port answers meanwhile")
            self.machine.stack("ls")
            for program in programs:
                eventually(lambda: pids_of(program), 5, f"{program} is back")
            self.assertEqual({service: project.pid(service) for service in pids}, pids)
            # Names resolve within a second, in both directions.
            eventually(lambda: project.run_in("writer", "nslookup", "web", code=None).code == 0, 1.5)
        row = eventually(lambda: next(r for r in project.ps("writer") if r["State"] == "exited"), 40)
        self.assertEqual(row["ExitCode"], 7)
        self.check_lines(project, 2000)
        before = project.run_in("web", "cat", "/probes").out
        eventually(lambda: project.run_in("web", "cat", "/probes").out != before, 5, "health checks go on")
        self.assertEqual(project.container("web")["Health"], "healthy")

    def test_kill_stackd(self):
        self.kill_repeatedly("stackd")

    def test_kill_netd(self):
        self.kill_repeatedly("stack-netd")

    def test_kill_both(self):
        self.kill_repeatedly("stackd", "stack-netd")

    def test_netd_comes_back_by_itself(self):
        project = self.project("netd", WRITER)
        project("up", "-d")
        self.machine.kill("stack-netd")
        eventually(lambda: pids_of("stack-netd"), 1.5, "restarted by stackd")
        eventually(lambda: project.run_in("writer", "nslookup", "web", code=None).code == 0, 1.5)

    def test_exit_while_the_engine_is_dead_is_known_afterwards(self):
        project = self.project("dead", """
            services:
              once: {image: busybox, command: sh -c 'sleep 1; echo last words; exit 42'}
              again: {image: busybox, command: sh -c 'sleep 1; echo attempt; exit 5', restart: "on-failure:1"}
              killed: {image: busybox, command: sleep 1000}
        """)
        project("up", "-d")
        pids = {service: project.pid(service) for service in ("once", "again", "killed")}
        self.machine.kill("stackd")
        os.kill(pids["killed"], signal.SIGKILL)
        eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids.values()), 5)
        self.assertEqual(project.container("once")["ExitCode"], 42)
        self.assertEqual(project.container("killed")["ExitCode"], 137)
        self.assertEqual(project.logs("once"), "last words\n")
        eventually(lambda: project.logs("again") == "attempt\nattempt\n", 8, "the policy is applied late, not never")

    def test_kill_stackd_during_up_at_many_moments(self):
        services = "\n".join(f"""
              s{n}: {{image: busybox, command: sleep 1000, init: true}}""" for n in range(8))
        project = self.project("midway", f"""
            services:{services}
        """)
        for delay in (0.0, 0.01, 0.02, 0.04, 0.08, 0.16, 0.3):
            self.machine.wake()
            up = project.start("up", "-d")
            time.sleep(delay)  # the moment is the point
            for pid in pids_of("stackd"):
                os.kill(pid, signal.SIGKILL)
            up.communicate(timeout=30)
            project("up", "-d")
            rows = project.ps()
            self.assertEqual({row["Name"]: row["State"] for row in rows},
                             {f"midway-s{n}-1": "running" for n in range(8)}, f"killed after {delay} s")
            if delay in (0.04, 0.3):
                project("down")
                self.assertEqual(project.ps(), [])

    def test_kill_stackd_during_down(self):
        project = self.project("halfdown", WRITER)
        for delay in (0.0, 0.02, 0.05, 0.1):
            project("up", "-d")
            down = project.start("down", "-t", "0")
            time.sleep(delay)  # the moment is the point
            for pid in pids_of("stackd"):
                os.kill(pid, signal.SIGKILL)
            down.communicate(timeout=30)
            project("down", "-t", "0")
            self.assertEqual(project.ps(), [])
            eventually(lambda: not self.machine.left_behind(), 3, f"nothing left, killed after {delay} s")

    def test_exec_session_and_port_survive_a_new_engine(self):
        project = self.project("upgrade", WRITER)
        project("up", "-d")
        self.machine.kill("stackd", signal.SIGTERM)
        self.assertEqual(fetch("http://127.0.0.1:18080/"), "served\n")
        self.assertEqual(project.run_in("web", "cat", "/www/index.html").out, "served\n")
        project("up", "-d")
        project("down", "-t", "0")
