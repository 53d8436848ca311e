"""develop.watch: what is edited on the host is in the container at once."""
import pathlib
import signal
import time

from harness import EndToEnd, eventually


def text_of(path):
    try:
        return path.read_text()
    except FileNotFoundError:  # before its first edit, and while a new copy takes its place
        return ""


TEXT = """
    services:
      web:
        image: busybox
        init: true
        command: sleep 1000
        develop:
          watch:
            - {action: sync, path: ./src, target: /app, ignore: ["*.tmp"], initial_sync: true}
            - {action: sync+restart, path: ./conf, target: /conf}
            - {action: restart, path: ./flag}
            - {action: sync+exec, path: ./run, target: /run/x, exec: {command: touch /executed}}
"""
FILES = {"src/first": "1", "conf/keep": "", "flag/keep": "", "run/keep": ""}


class Watch(EndToEnd):
    def watching(self, project, *command):
        watch = project.start(*command)
        lines = []
        while True:
            line = watch.stdout.readline()
            lines.append(line)
            self.assertNotEqual(line, "", f"ended early: {watch.stderr.read() if watch.poll() is not None else lines}")
            if line.strip().endswith("Watch enabled"):
                return watch

    def content(self, project, path):
        done = project.run_in("web", "cat", path, code=None)
        return done.out if done.code == 0 else None

    def test_actions(self):
        project = self.project("watch", TEXT, FILES)
        watch = self.watching(project, "watch")
        self.assertEqual(self.content(project, "/app/first"), "1", "synced at the beginning")
        (project.dir / "src/first").write_text("2")
        eventually(lambda: self.content(project, "/app/first") == "2", 3)
        (project.dir / "src/new").mkdir()
        (project.dir / "src/new/deep").write_text("3")
        (project.dir / "src/x.tmp").write_text("4")
        eventually(lambda: self.content(project, "/app/new/deep") == "3", 3)
        (project.dir / "src/first").unlink()
        eventually(lambda: self.content(project, "/app/first") is None, 3)
        self.assertIsNone(self.content(project, "/app/x.tmp"), "ignored")
        pid = project.pid("web")
        (project.dir / "conf/c").write_text("5")
        eventually(lambda: project.pid("web") not in (0, pid), 5, "restarted")
        self.assertEqual(self.content(project, "/conf/c"), "5")
        pid = project.pid("web")
        (project.dir / "flag/f").write_text("")
        eventually(lambda: project.pid("web") not in (0, pid), 5, "restarted without a sync")
        (project.dir / "run/r").write_text("6")
        eventually(lambda: self.content(project, "/executed") == "", 3)
        self.assertEqual(self.content(project, "/run/x/r"), "6")
        watch.send_signal(signal.SIGINT)
        out, _ = watch.communicate(timeout=10)
        self.assertEqual(watch.returncode, 130)
        self.assertIn('Syncing service "web" after 1 changes were detected\n', out)
        self.assertEqual(out.count('service(s) ["web"] restarted\n'), 2)

    def test_edit_in_a_tree_of_5000_files_is_soon_visible(self):
        project = self.project("bigtree", TEXT, FILES)
        for directory in range(100):
            (project.dir / f"src/d{directory}").mkdir()
            for number in range(50):
                (project.dir / f"src/d{directory}/f{number}").write_text("0")
        project("up", "-d")
        self.watching(project, "watch", "--no-up")
        root = pathlib.Path(f"/proc/{project.pid('web')}/root/app")
        times = []
        for turn in range(1, 8):
            path = f"d{turn * 13}/f{turn}"
            begin = time.monotonic()
            (project.dir / "src" / path).write_text(str(turn))
            while text_of(root / path) != str(turn):
                self.assertLess(time.monotonic() - begin, 5)
                time.sleep(0.001)
            times.append(time.monotonic() - begin)
        print(f"edit to visible: {[round(t * 1000) for t in times]} ms", flush=True)

    def test_rebuild_and_up_watch(self):
        project = self.project("rebuild", """
            services:
              web:
                build: .
                init: true
                develop: {watch: [{action: rebuild, path: ./src}]}
        """, {"Dockerfile": "FROM busybox\nCOPY src /src\nCMD [\"sleep\", \"1000\"]\n", "src/a": "1",
              ".dockerignore": "src/ignored\n"})
        up = self.watching(project, "up", "--watch")
        before = project.ids()
        (project.dir / "src/ignored").write_text("x")
        (project.dir / "src/a").write_text("2")
        eventually(lambda: self.content(project, "/src/a") == "2", 15)
        self.assertNotEqual(project.ids(), before)
        up.send_signal(signal.SIGINT)
        out, _ = up.communicate(timeout=20)
        self.assertEqual(up.returncode, 130)
        self.assertIn('service(s) ["web"] successfully built', out)

    def test_nothing_to_watch(self):
        project = self.project("nothing", "services: {web: {image: busybox, command: sleep 1000}}")
        failed = project("watch", code=1)
        self.assertIn("none of the selected services is configured for watch, consider setting a 'develop' section",
                      failed.err)
