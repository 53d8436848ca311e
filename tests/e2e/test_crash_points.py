"""kill -9 of the engine, of netd or of the command after every single step of up, update, down and the end of a container.

A step is a state-changing system call, counted from outside by crash_at (its source says which). After each of them:
no container died that should live, the next command converges to what is declared, and nothing is left over. CI takes
the smallest project that has a dependency, a port, a volume and a network, and of the engine's
steps a run of like calls in one directory as one. By hand, STACK_CRASH_EVERY=1 takes every single call, STACK_CRASH_SERVICES=8 a wider project,
STACK_CRASH_FROM=17 begins later to repeat a failure, and STACK_CRASH_LIST=1 prints the steps.
"""
import os
import pathlib
import signal
import subprocess

import templates
from harness import EndToEnd, eventually, links, pids_of, processes

EVERY = bool(os.environ.get("STACK_CRASH_EVERY"))
EXTRA = int(os.environ.get("STACK_CRASH_SERVICES", "2")) - 2


def compose_file(mark):
    return f"""
        services:
          base: {{image: busybox, command: sleep 1000, stop_signal: SIGKILL, volumes: ["data:/data"]}}
          app:
            image: busybox
            command: sleep 1000
            stop_signal: SIGKILL
            depends_on: [base]
            ports: ["18090:80"]
            environment: {{MARK: "{mark}"}}
""" + "".join(f"""
          s{n}: {{image: busybox, command: sleep 1000, stop_signal: SIGKILL}}""" for n in range(EXTRA)) + """
        volumes: {data: {}}
    """


class CrashPoints(EndToEnd):
    def setUp(self):
        super().setUp()
        self.victim = self.project("crash", compose_file("one"))
        self.expected = {f"crash-{name}-1": "running" for name in ["base", "app", *(f"s{n}" for n in range(EXTRA))]}

    def crash(self, program, step, *command):
        """Runs the command while `program` is killed after `step` steps; the steps, and whether it came to that."""
        tool = [templates.programs() / "e2e" / "crash_at", *(["--runs"] if program == "stackd" and not EVERY else []), str(step)]
        self.machine.wake()
        if program == "stack":
            done = subprocess.run([*tool, "--", templates.programs() / "stack", *command], cwd=self.victim.dir,
                                  env=self.machine.env, capture_output=True, text=True, timeout=60)
            lines = done.stdout.splitlines()
            return lines, "killed" in lines
        pid, = eventually(lambda: pids_of(program), 5)
        tracer = subprocess.Popen([*tool, str(pid)], stdout=subprocess.PIPE, text=True)
        # The engine may write down what it remembers of before.
        self.assertIn("ready\n", iter(tracer.stdout.readline, ""))
        self.victim(*command, code=None)
        tracer.send_signal(signal.SIGTERM)
        lines = tracer.communicate(timeout=10)[0].splitlines()
        return lines, "killed" in lines

    def check_up(self, where):
        self.assertEqual({row["Name"]: row["State"] for row in self.victim.ps()}, self.expected, where)
        shims = [pid for pid in processes() if pathlib.Path(f"/proc/{pid}/comm").read_text() == "stack-shim\n"]
        self.assertEqual(len(shims), len(self.expected), f"one shim a container, {processes()}: {where}")
        eventually(lambda: len([link for link in links() if link.startswith("stv")]) == len(self.expected), 3,
                   f"one interface a container, {links()}: {where}")
        self.assertEqual(len(self.machine.records()), len(self.expected) + 1, f"one directory each: {where}")

    def every_step(self, program, *command, before, after, at_least):
        step = int(os.environ.get("STACK_CRASH_FROM", "1")) - 1  # to repeat a failure
        while True:
            step += 1
            before(step)
            lines, killed = self.crash(program, step, *command)
            where = f"{program} killed after step {step} of {' '.join(command)}: {lines[-4:]}"
            after(step, where)
            if not killed:
                break
        self.assertGreater(step, at_least, "fewer steps than there can be: the tracer misses some")
        if os.environ.get("STACK_CRASH_LIST"):
            print("\n".join(lines))
        print(f"{step - 1} steps of {program} in {' '.join(command)}", flush=True)

    def of_up(self, program, at_least):
        def after(_, where):
            self.victim("up", "-d")
            self.check_up(where)
            self.victim("down", "-v", "-t", "0")
            eventually(lambda: not self.machine.left_behind(), 3, f"nothing is left: {where}")
        self.every_step(program, "up", "-d", before=lambda step: None, after=after, at_least=at_least)

    def of_update(self, program, at_least):
        self.victim("up", "-d")
        bystanders = {name: self.victim.pid(name.split("-")[1]) for name in self.expected if "-app-" not in name}

        def before(step):
            self.victim.edit(compose_file(f"mark{step}"))

        def after(step, where):
            self.victim("up", "-d")
            self.check_up(where)
            self.assertIn(f"MARK=mark{step}", self.victim.inspect("app")["Config"]["Env"], where)
            for name, pid in bystanders.items():
                self.assertEqual(self.victim.pid(name.split("-")[1]), pid, f"{name} went on: {where}")
        self.every_step(program, "up", "-d", before=before, after=after, at_least=at_least)

    def of_down(self, program, at_least):
        def after(_, where):
            self.victim("down", "-v", "-t", "0")
            eventually(lambda: not self.machine.left_behind(), 3, f"nothing is left: {where}")
        self.every_step(program, "down", "-v", "-t", "0", before=lambda step: self.victim("up", "-d"), after=after,
                        at_least=at_least)

    def test_engine_while_a_container_ends(self):
        self.victim.edit("""
            services:
              app:
                image: busybox
                command: sh -c 'trap "exit 7" USR1; sleep 1000 & wait'
                stop_signal: SIGUSR1
        """)

        def after(_, where):
            self.victim("stop", "app")
            self.assertEqual(self.victim.inspect("app")["State"]["ExitCode"], 7, where)
        self.every_step("stackd", "stop", "app", before=lambda step: self.victim("up", "-d"), after=after, at_least=5)

    def test_engine_in_up(self):
        self.of_up("stackd", 20)

    def test_engine_in_update(self):
        self.of_update("stackd", 15)

    def test_engine_in_down(self):
        self.of_down("stackd", 10)

    def test_netd_in_up(self):
        self.of_up("stack-netd", 1)

    def test_netd_in_update(self):
        self.of_update("stack-netd", 1)

    def test_netd_in_down(self):
        self.of_down("stack-netd", 1)

    def test_command_in_up(self):
        self.of_up("stack", 1)

    def test_command_in_update(self):
        self.of_update("stack", 1)

    def test_command_in_down(self):
        self.of_down("stack", 1)
