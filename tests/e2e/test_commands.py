"""The commands print what Docker Compose 2.40 prints, and end with its exit codes."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
import unittest

from harness import PEER, EndToEnd, eventually

SHAPES = """
    name: shapes
    services:
      web:
        image: busybox
        command: sh -c 'echo hello; sleep 0.1; echo err >&2; trap "exit 0" TERM; while :; do sleep 0.2; done'
        ports: ["18099:80"]
      db:
        image: busybox
        command: sh -c 'trap "exit 0" TERM; while :; do sleep 0.2; done'
        healthcheck: {test: "true", interval: 1s}
      job:
        image: busybox
        command: sh -c 'echo done; exit 3'
        depends_on: [db]
"""


class Commands(EndToEnd):
    def shapes(self):
        project = self.project("shapes", SHAPES)
        project("up", "-d")
        eventually(lambda: project.container("db")["Health"] == "healthy", 5)
        eventually(lambda: project.container("job")["State"] == "exited", 5)
        return project

    def table(self, text):
        """Rows of a printed table as lists of cells; columns are two or more spaces apart."""
        return [re.split(r" {2,}", line.rstrip()) for line in text.splitlines()]

    def test_up_reports_progress_on_stderr(self):
        project = self.project("shapes", SHAPES)
        done = project("up", "-d")
        self.assertEqual(done.out, "")
        for line in ("Network shapes_default  Created", "Container shapes-web-1  Created",
                     "Container shapes-web-1  Started", "Container shapes-job-1  Started"):
            self.assertIn(line, done.err)
        # The job is started after what it depends on.
        self.assertLess(done.err.index("shapes-db-1  Started"), done.err.index("shapes-job-1  Started"))

    def test_ps(self):
        project = self.shapes()
        rows = self.table(project("ps").out)
        self.assertEqual(rows[0], ["NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS"])
        self.assertEqual([row[0] for row in rows[1:]], ["shapes-db-1", "shapes-web-1"])
        self.assertRegex(rows[1][5], r"^Up .*\(healthy\)$")
        self.assertTrue(rows[2][6].startswith("0.0.0.0:18099->80/tcp"), rows[2])
        self.assertEqual(rows[2][2], "\"sh -c 'echo hello; …\"")
        everything = self.table(project("ps", "-a").out)
        self.assertEqual([row[0] for row in everything[1:]], ["shapes-db-1", "shapes-job-1", "shapes-web-1"])
        self.assertRegex(everything[2][5], r"^Exited \(3\) .* ago$")
        self.assertTrue(all(re.fullmatch("[0-9a-f]{64}", line) for line in project("ps", "-q").out.split()))
        self.assertEqual(project("ps", "--services").out, "db\nweb\n")

    def test_ps_json(self):
        row = self.shapes().container("web")
        self.assertEqual({key: row[key] for key in ("Name", "Service", "Project", "State", "Health", "ExitCode", "Image")},
                         {"Name": "shapes-web-1", "Service": "web", "Project": "shapes", "State": "running",
                          "Health": "", "ExitCode": 0, "Image": "busybox"})
        self.assertIn({"URL": "0.0.0.0", "TargetPort": 80, "PublishedPort": 18099, "Protocol": "tcp"}, row["Publishers"])
        self.assertLessEqual({"ID", "Names", "Command", "CreatedAt", "RunningFor", "Ports", "Status", "Labels", "Mounts",
                              "Networks", "LocalVolumes", "Size"}, set(row))
        self.assertIn("com.docker.compose.service=web", row["Labels"])

    def test_unknown_service(self):
        project = self.shapes()
        for command in (("ps", "nosuch"), ("logs", "nosuch"), ("up", "-d", "nosuch"), ("stop", "nosuch")):
            self.assertIn("no such service: nosuch", project(*command, code=1).err)
        self.assertIn('service "nosuch" is not running', project.run_in("nosuch", "true", code=1).err)
        self.assertIn('service "job" is not running', project.run_in("job", "true", code=1).err)

    def test_logs(self):
        project = self.shapes()
        lines = project("logs", "--no-color").out.splitlines()
        self.assertEqual(sorted(lines), ["job-1  | done", "web-1  | err", "web-1  | hello"])
        self.assertEqual(project("logs", "--no-color", "--tail", "1", "web").out, "web-1  | err\n")
        self.assertRegex(project("logs", "--no-color", "-t", "--tail", "1", "web").out,
                         r"^web-1  \| \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z err\n$")
        self.assertEqual(project("logs", "--no-log-prefix", "job").out, "done\n")

    def test_logs_follow_ends_with_the_containers(self):
        project = self.project("follow", """
            services:
              count: {image: busybox, command: sh -c 'for i in 1 2 3 4 5; do echo $$i; sleep 0.1; done'}
        """)
        project("up", "-d")
        done = project("logs", "-f", "--no-log-prefix", timeout=10)
        self.assertEqual([line for line in done.out.splitlines() if line.isdigit()], ["1", "2", "3", "4", "5"])

    def test_exec(self):
        project = self.shapes()
        self.assertEqual(project.run_in("web", "sh", "-c", "exit 7", code=7).out, "")
        done = project("exec", "-T", "-e", "A=b", "-w", "/tmp", "-u", "daemon", "web", "sh", "-c", "id -u; pwd; echo $A")
        self.assertEqual(done.out, "1\n/tmp\nb\n")
        missing = project.run_in("web", "nosuch", code=127)
        self.assertIn("nosuch", missing.out + missing.err)
        self.assertEqual(project.run_in("web", "cat", stdin="through\n").out, "through\n")
        # A program that writes more than it reads: neither side waits for the other.
        lines = "x" * 99 + "\n"
        many = project.run_in("web", "sed", "s/.*/&&&&&&&&&&/", stdin=lines * 20_000)
        self.assertEqual(len(many.out), 991 * 20_000)
        both = project.run_in("web", "sh", "-c", "echo out; echo err >&2")
        self.assertEqual((both.out, both.err), ("out\n", "err\n"))
        self.assertEqual(project("exec", "-d", "web", "touch", "/detached").code, 0)
        eventually(lambda: project.run_in("web", "test", "-e", "/detached", code=None).code == 0, 3)

    def test_exec_with_a_terminal(self):
        project = self.shapes()
        master, slave = pty.openpty()
        child = subprocess.Popen(self.machine.command(
            ["exec", "web", "sh", "-c", "tty; stty size; read answer; echo got $answer"]),
                                 cwd=project.dir, env=self.machine.env, stdin=slave, stdout=slave, stderr=slave,
                                 start_new_session=True)
        os.close(slave)
        seen = self.read_until(master, "\n", 5)
        os.write(master, b"yes\n")
        seen += self.read_until(master, "got yes", 5)
        self.assertEqual(child.wait(5), 0)
        os.close(master)
        self.assertIn("/dev/pts/", seen)

    def read_until(self, descriptor, what, timeout):
        seen, deadline = "", time.monotonic() + timeout
        while what not in seen and time.monotonic() < deadline:
            if select.select([descriptor], [], [], 0.1)[0]:
                try:
                    seen += os.read(descriptor, 4096).decode(errors="replace")
                except OSError:
                    break
        self.assertIn(what, seen)
        return seen

    def test_run(self):
        project = self.shapes()
        done = project("run", "--rm", "-T", "web", "sh", "-c", "echo out; exit 5", code=5)
        self.assertEqual(done.out, "out\n")
        self.assertEqual(set(project.ids()), {"shapes-web-1", "shapes-db-1", "shapes-job-1"})
        self.assertEqual(project("run", "--rm", "-T", "-e", "X=y", "web", "sh", "-c", "echo $X").out, "y\n")
        self.assertEqual(project("run", "--rm", "-T", "web", "cat", stdin="piped").out, "piped")
        self.assertNotEqual(project("run", "--rm", "-T", "web", "nosuch", code=None).code, 0)

    def test_stop_start_restart_kill_rm(self):
        project = self.shapes()
        self.assertIn("Container shapes-web-1  Stopped", project("stop", "web").err)
        self.assertRegex(project.container("web")["Status"], r"^Exited \(0\)")
        ident = project.container("web")["ID"]
        self.assertIn("Container shapes-web-1  Started", project("start", "web").err)
        self.assertEqual(project.container("web")["ID"], ident)
        before = project.pid("db")
        self.assertIn("Container shapes-db-1  Started", project("restart", "db").err)
        self.assertNotEqual(project.pid("db"), before)
        self.assertIn("Container shapes-web-1  Killed", project("kill", "-s", "KILL", "web").err)
        eventually(lambda: project.container("web")["ExitCode"] == 137, 3)
        self.assertIn("Container shapes-web-1  Removed", project("rm", "-f", "web").err)
        self.assertNotIn("shapes-web-1", project.ids())
        removed = project("rm", "-f").err
        self.assertIn("shapes-job-1", removed)
        self.assertEqual(set(project.ids()), {"shapes-db-1"}, "a running container is not removed")

    def test_stop_signal_and_grace_period(self):
        project = self.project("signals", """
            services:
              polite:
                image: busybox
                command: sh -c 'trap "echo bye; exit 4" USR1; while :; do sleep 0.05; done'
                stop_signal: SIGUSR1
              deaf:
                image: busybox
                command: sh -c 'trap "" TERM; while :; do sleep 0.05; done'
                stop_grace_period: 500ms
        """)
        project("up", "-d")
        done = project("stop")
        self.assertLess(done.seconds, 5)
        self.assertEqual(project.container("polite")["ExitCode"], 4)
        self.assertEqual(project.container("deaf")["ExitCode"], 137)
        self.assertEqual(project.logs("polite"), "bye\n")

    def test_top(self):
        rows = self.table(self.shapes()("top", "web").out)
        self.assertEqual(rows[0][:4], ["SERVICE", "#", "UID", "PID"])
        self.assertEqual(rows[0][-1], "CMD")
        self.assertEqual(rows[1][:3], ["web", "1", "root"])
        self.assertIn("echo hello", rows[1][-1])

    def test_ls(self):
        project = self.shapes()
        rows = self.table(self.stack("ls").out)
        self.assertEqual(rows[0], ["NAME", "STATUS", "CONFIG FILES"])
        self.assertIn(["shapes", "running(2)", str(project.dir / "compose.yaml")], rows)
        self.assertIn({"Name": "shapes", "Status": "running(2)", "ConfigFiles": str(project.dir / "compose.yaml")},
                      json.loads(self.stack("ls", "--format", "json").out))
        project("stop")
        self.assertNotIn("shapes", self.stack("ls").out)
        self.assertRegex(self.stack("ls", "-a").out, r"(?m)^shapes +exited\(3\)")

    def test_images(self):
        project = self.shapes()
        rows = self.table(project("images").out)
        self.assertEqual(rows[0][:3], ["CONTAINER", "REPOSITORY", "TAG"])
        self.assertIn("IMAGE ID", rows[0])
        self.assertEqual(rows[1][:3], ["shapes-db-1", "busybox", "latest"])
        self.assertRegex(project("images", "-q").out, r"^[0-9a-f]{64}\n$")

    @unittest.skipIf(PEER, "would remove an image that others use")
    def test_image_commands(self):
        listed = self.table(self.stack("image", "ls").out)
        self.assertEqual(listed[0][:3], ["REPOSITORY", "TAG", "IMAGE ID"])
        self.assertEqual(listed[1][:2], ["busybox", "latest"])
        saved = self.machine.base / "saved.tar"
        self.stack("image", "save", "-o", str(saved), "busybox")
        self.stack("image", "rm", "busybox")
        self.assertNotIn("busybox", self.stack("image", "ls").out)
        self.stack("image", "load", "-i", str(saved))
        self.assertIn("busybox", self.stack("image", "ls").out)
        project = self.project("loaded", "services: {a: {image: busybox, command: echo works}}")
        project("up", "-d")
        eventually(lambda: project.logs() == "works\n", 5)

    @unittest.skipIf(PEER, "would remove an image that others use")
    def test_a_stopped_container_keeps_its_image(self):
        self.stack("container", "create", "--name", "kept", "busybox", "echo", "works")
        image = self.machine.inspect("kept")["Image"]
        self.stack("image", "rm", image, code=1)
        self.stack("image", "rm", "-f", image)
        self.assertNotIn("busybox", self.stack("image", "ls").out)
        self.stack("container", "start", "kept")
        eventually(lambda: self.stack("container", "logs", "kept").out == "works\n", 5)
        eventually(lambda: not self.machine.inspect("kept")["State"]["Running"], 5)
        self.stack("container", "rm", "kept")
        self.assertIn(image, self.stack("image", "prune", "-f").out)

    def test_cp_writes_to_what_a_link_leads_to(self):
        project = self.project("links", """
            services:
              a: {image: busybox, command: sh -c 'mkdir -p /usr/lib; ln -s usr/lib /lib2; ln -s none /new; sleep 99'}""")
        project("up", "-d")
        eventually(lambda: "new" in project("exec", "a", "ls", "/", code=None).out.split(), 5)
        here = self.machine.base / "file"
        here.write_text("text")
        name = project.container("a")["Name"]
        self.stack("container", "cp", str(here), f"{name}:/lib2")
        self.stack("container", "cp", str(here), f"{name}:/new")
        self.assertEqual(project("exec", "a", "cat", "/usr/lib/file", "/none").out, "texttext")
        self.assertEqual(project("exec", "a", "readlink", "/lib2").out, "usr/lib\n")
        # A slash at the end asks for a directory.
        refused = self.stack("container", "cp", str(here), f"{name}:/no/", code=1)
        self.assertIn("no such directory", refused.err)
        # And out of one, with -L, to what the link stands for.
        self.stack("container", "cp", "-L", f"{name}:/new", str(self.machine.base / "back"))
        self.assertEqual((self.machine.base / "back").read_text(), "text")

    def test_config(self):
        project = self.project("shapes", SHAPES)
        self.assertEqual(sorted(project("config", "--services").out.split()), ["db", "job", "web"])
        self.assertEqual(project("config", "-q").out, "")
        document = json.loads(project("config", "--format", "json").out)
        self.assertEqual(document["name"], "shapes")
        self.assertEqual(document["networks"], {"default": {"name": "shapes_default", "ipam": {}}})
        self.assertEqual(document["services"]["web"], {
            "command": ["sh", "-c", 'echo hello; sleep 0.1; echo err >&2; trap "exit 0" TERM; while :; do sleep 0.2; done'],
            "entrypoint": None, "image": "busybox", "networks": {"default": None},
            "ports": [{"mode": "ingress", "target": 80, "published": "18099", "protocol": "tcp"}]})
        self.assertEqual(document["services"]["job"]["depends_on"],
                         {"db": {"condition": "service_started", "required": True}})
        text = project("config").out
        self.assertTrue(text.startswith("name: shapes\nservices:\n  db:\n    command:\n      - sh\n"), text)
        self.assertIn('        published: "18099"\n', text)

    def test_exit_codes_of_wrong_calls(self):
        self.assertIn("no configuration file provided: not found", self.stack("compose", "ps", code=1).err)
        self.assertIn("nosuch.yaml", self.stack("-f", "nosuch.yaml", "up", code=1).err)
        project = self.project("shapes", SHAPES)
        self.assertIn("--bogus", project("up", "--bogus", code=None).err)
        self.assertNotEqual(project("up", "--bogus", code=None).code, 0)
        self.assertNotEqual(self.stack("bogus", code=None).code, 0)
        self.assertRegex(self.stack("version").out, r"\d+\.\d+")

    def test_attached_up_prints_logs_and_ctrl_c_stops(self):
        project = self.project("shapes", SHAPES)
        out = open(self.machine.base / "out", "w+")
        up = project.start("up", "--no-color", stdout=out)
        eventually(lambda: {"web-1  | hello", "job-1  | done"} <= set(self.read(out).splitlines()), 10)
        self.assertIn("job-1 exited with code 3", eventually(lambda: "exited" in self.read(out) and self.read(out), 5))
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=20)
        self.assertEqual(up.returncode, 130)
        self.assertIn("Attaching to db-1, job-1, web-1", self.read(out))
        self.assertEqual({row["State"] for row in project.ps()}, {"exited"})
        out.close()

    @staticmethod
    def read(stream):
        stream.seek(0)
        return stream.read()

    def test_attached_up_second_ctrl_c_kills(self):
        project = self.project("deaf", """
            services:
              deaf: {image: busybox, command: sh -c 'trap "" TERM INT; echo on; while :; do sleep 0.1; done', stop_grace_period: 60s}
        """)
        out = open(self.machine.base / "out", "w+")
        up = project.start("up", stdout=out)
        eventually(lambda: "on" in self.read(out), 10)
        begin = time.monotonic()
        up.send_signal(signal.SIGINT)
        eventually(lambda: "gracefully" in self.read(out).lower(), 5)
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=20)
        self.assertLess(time.monotonic() - begin, 15)
        eventually(lambda: project.container("deaf")["ExitCode"] == 137, 5)
        out.close()

    def test_exit_code_from(self):
        project = self.project("codefrom", """
            services:
              job: {image: busybox, command: sh -c 'echo hi; exit 3'}
              other: {image: busybox, command: sleep 1000, init: true}
        """)
        done = project("up", "--exit-code-from", "job", code=3)
        self.assertIn("job-1", done.out)
        self.assertEqual({row["State"] for row in project.ps()}, {"exited"})

    def test_build(self):
        project = self.project("built", """
            services:
              app: {build: ., command: cat /message}
        """, {"Dockerfile": """
            FROM busybox AS first
            ARG WHO=world
            RUN echo "hello $WHO" >/message
            FROM busybox
            COPY --from=first /message /message
            LABEL made.by=test
        """})
        project("build")
        self.assertIn("built-app", self.stack("image", "ls").out)
        project("up", "-d")
        eventually(lambda: project.logs() == "hello world\n", 5)
        project("build", "--build-arg", "WHO=moon")
        project("up", "-d")
        eventually(lambda: project.logs().endswith("hello moon\n"), 5)
        if not PEER:  # a name that cannot be given is found before the work
            refused = self.stack("image", "build", "-t", "UPPER", str(project.dir), code=1)
            self.assertIn('invalid tag "UPPER": invalid reference format: repository name (library/UPPER) must be lowercase',
                          refused.err)
        (project.dir / "Dockerfile").write_text("FROM busybox\nRUN exit 9\n")
        failed = project("build", code=None)
        self.assertNotEqual(failed.code, 0)
        self.assertIn("exit 9", failed.err + failed.out)
        project("down", "--rmi", "local")
        self.assertNotIn("built-app", self.stack("image", "ls").out)

    def test_images_that_start_from_others(self):
        """In FROM, behind a dependency; as a context of a build; each of them is built first."""
        project = self.project("layered", """
            services:
              after: {build: {context: ., dockerfile: after}, command: cat /message, depends_on: [zero]}
              context: {build: {context: ., dockerfile: context, additional_contexts: {made: "service:zero"}}}
              zero: {image: layered-base, build: {context: ., dockerfile: zero}}
        """, {"zero": "FROM busybox\nRUN echo from zero >/message\n",
              "after": "FROM layered-base\nRUN echo and after >>/message\n",
              "context": "FROM made\nCOPY --from=made /message /copied\n"})
        built = project("build", "context")
        images = self.stack("image", "ls").out
        self.assertIn("layered-context", images)
        self.assertIn("layered-base", images)
        if not PEER:  # as Docker's, but for the form of the lines
            self.assertIn("zero | [2/2] RUN echo from zero >/message\n", built.out)
        project("build", "--push", "context")  # which has no name of its own: nothing is pushed
        project("up", "-d")
        eventually(lambda: project.logs("after") == "from zero\nand after\n", 5)
        project("down", "--rmi", "all")
        self.assertNotIn("layered", self.stack("image", "ls").out)

    def test_all_resources(self):
        project = self.project("spare", "volumes: {kept: {}}\nnetworks: {lone: {}}\n")
        self.assertIn("no service selected", project("up", code=1).err)
        shown = project("--all-resources", "up").err
        self.assertIn(" Volume spare_kept  Created\n", shown)
        self.assertIn(" Network spare_lone  Created\n", shown)
        project("--all-resources", "down", "-v")
        self.assertNotIn("spare", self.stack("network", "ls").out + self.stack("volume", "ls").out)

    def test_container_is_as_declared(self):
        project = self.project("declared", """
            services:
              app:
                image: busybox
                entrypoint: ["sleep"]
                command: ["1000"]
                init: true
                user: "33:33"
                working_dir: /var/www
                hostname: named
                read_only: true
                tmpfs: ["/scratch"]
                cap_drop: [ALL]
                env_file: [vars.env]
                environment: {B: "2", C: "$$literal"}
                volumes: ["./data:/data:ro", "named:/vol"]
                labels: {who: me}
                configs: [{source: note, target: /note}]
            configs: {note: {file: ./note.txt}}
            volumes: {named: }
        """, {"vars.env": "A=1\nB=1\n", "data/file": "bound\n", "note.txt": "noted\n"})
        project("up", "-d")
        done = project.run_in("app", "sh", "-c", "id -u; id -g; pwd; hostname; echo $A $B $C; cat /data/file /note")
        self.assertEqual(done.out, "33\n33\n/var/www\nnamed\n1 2 $literal\nbound\nnoted\n")
        self.assertNotEqual(project.run_in("app", "touch", "/x", code=None).code, 0)
        self.assertNotEqual(project.run_in("app", "touch", "/data/x", code=None).code, 0)
        project("exec", "-T", "-u", "0", "app", "touch", "/scratch/x")
        caps = project.run_in("app", "grep", "CapBnd", "/proc/self/status").out.split()[1]
        self.assertEqual(int(caps, 16), 0)
        inspected = project.inspect("app")
        self.assertEqual(inspected["Config"]["Labels"]["who"], "me")
        self.assertEqual(inspected["Config"]["Labels"]["com.docker.compose.project"], "declared")
