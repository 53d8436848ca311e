"""An `up` that cannot finish says why and what to do, leaves nothing unaccounted for, and the next one converges."""
import os
import signal
import subprocess
import time

from harness import EndToEnd, eventually, holder_of_port, links, pids_of

EIGHT = "services:\n" + "".join(
    f"  s{n}: {{image: busybox, command: sleep 1000, init: true}}\n" for n in range(8))


class Interrupted(EndToEnd):
    def all_running(self, project, count=8):
        return [row["State"] for row in project.ps()] == ["running"] * count

    def nothing_created(self, project):
        self.assertEqual(project.ps(), [])
        self.assertEqual(links(), ["lo"])
        self.assertEqual(self.machine.records(), [])

    def test_ctrl_c_during_up(self):
        project = self.project("ctrlc", """
            services:
              base:
                image: busybox
                command: sleep 1000
                init: true
                healthcheck: {test: "test -e /ready", interval: 200ms, retries: 1000}
              app: {image: busybox, command: sleep 1000, init: true, depends_on: {base: {condition: service_healthy}}}
        """)
        up = project.start("up", "-d")
        eventually(lambda: project.container("base")["State"] == "running", 10)
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=10)
        self.assertEqual(up.returncode, 130)
        self.assertNotEqual(project.container("app")["State"], "running")
        project.run_in("base", "touch", "/ready")
        project("up", "-d")
        self.assertTrue(self.all_running(project, 2))

    def test_kill_9_of_the_command(self):
        project = self.project("killed", EIGHT)
        for delay in (0.0, 0.02, 0.05, 0.15):
            self.machine.wake()
            up = project.start("up", "-d")
            time.sleep(delay)  # the moment is the point
            up.kill()
            up.wait(5)
            project("up", "-d")
            self.assertTrue(self.all_running(project), f"killed after {delay} s")
            project("down", "-t", "0")
            eventually(lambda: not self.machine.left_behind(), 3)

    def test_port_taken_by_a_process_names_it_before_anything_is_created(self):
        project = self.project("taken", """
            services:
              web: {image: busybox, command: sleep 1000, init: true, ports: ["18081:80"]}
              db: {image: busybox, command: sleep 1000, init: true}
        """)
        with holder_of_port(18081, "0.0.0.0"):
            failed = project("up", "-d", code=1)
            self.assertIn("18081", failed.err)
            self.assertIn(f"{os.getpid()}", failed.err, "the holder's pid")
            self.assertIn("python3", failed.err, "the holder's command")
            self.nothing_created(project)
        project("up", "-d")
        self.assertTrue(self.all_running(project, 2))

    def test_port_taken_by_another_project_names_it(self):
        text = "services: {front: {image: busybox, command: sleep 1000, init: true, ports: ['18082:80']}}"
        first, second = self.project("first", text), self.project("second", text)
        first("up", "-d")
        failed = second("up", "-d", code=1)
        self.assertIn("18082", failed.err)
        self.assertRegex(failed.err, "first")
        self.assertRegex(failed.err, "front")
        self.assertEqual(second.ps(), [])
        first("down", "-t", "0")
        second("up", "-d")
        self.assertTrue(self.all_running(second, 1))

    def test_image_missing(self):
        project = self.project("noimage", """
            services:
              good: {image: busybox, command: sleep 1000, init: true}
              bad: {image: "registry.invalid/no/such:1", command: sleep 1000}
        """)
        failed = project("up", "-d", code=1, timeout=120)
        self.assertIn("registry.invalid/no/such:1", failed.err)
        self.nothing_created(project)
        project.edit("services: {good: {image: busybox, command: sleep 1000, init: true}}")
        project("up", "-d")
        self.assertTrue(self.all_running(project, 1))

    def test_command_missing_in_the_image(self):
        project = self.project("nocommand", "services: {web: {image: busybox, command: no-such-program}}")
        failed = project("up", "-d", code=1)
        self.assertIn("no-such-program", failed.err)
        self.assertIn("not found", failed.err)
        project.edit("services: {web: {image: busybox, command: sleep 1000, init: true}}")
        project("up", "-d")
        self.assertTrue(self.all_running(project, 1))

    def test_full_disk(self):
        # The state directory moves to a small file system, which is then filled to the last byte.
        root = self.machine.root
        copy = self.machine.base / "copy"
        subprocess.run(["cp", "-a", str(root), str(copy)], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(root)], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", str(root)], check=True)
        subprocess.run(["cp", "-a", f"{copy}/.", str(root)], check=True)
        project = self.project("full", EIGHT)
        filler = root / "filler"
        with open(filler, "wb", buffering=0) as stream:
            try:
                while True:
                    stream.write(b"\0" * 4096)
            except OSError:
                pass
        failed = project("up", "-d", code=None)
        self.assertNotEqual(failed.code, 0)
        self.assertIn("no space left", failed.err.lower())
        filler.unlink()
        project("up", "-d")
        self.assertTrue(self.all_running(project))
        project("down", "-v", "-t", "0")
        self.machine.stop_engine()

    def test_helper_killed_while_creating(self):
        project = self.project("helper", EIGHT)
        for delay in (0.01, 0.05, 0.1):
            self.machine.wake()
            up = project.start("up", "-d")
            time.sleep(delay)  # the moment is the point
            for pid in pids_of("stack-netd"):
                os.kill(pid, signal.SIGKILL)
            up.communicate(timeout=30)
            project("up", "-d")
            self.assertTrue(self.all_running(project))
            project("down", "-t", "0")

    def test_bad_file_says_where(self):
        project = self.project("badfile", """
            services:
              web:
                image: busybox
                enviroment: [A=b]
        """)
        failed = project("up", "-d", code=None)
        self.assertNotEqual(failed.code, 0)
        self.assertRegex(failed.err, r"compose\.yaml:5:5")
        self.assertIn("environment", failed.err, "the nearest valid name")
        self.assertIn("enviroment: [A=b]", failed.err, "the offending line")
        self.assertIn("^", failed.err)
