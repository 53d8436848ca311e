"""What would be done and why, plans kept in files, revisions and the way back, history and `why`."""
import json

from harness import EndToEnd, eventually

APP = """
    services:
      db:
        image: busybox
        command: sleep 1000
        init: true
        volumes: ["data:/data"]
      web:
        image: busybox
        command: sleep 1000
        init: true
        environment: {{COLOUR: {colour}, DB_PASSWORD: "{colour}-secret"}}
        depends_on: [db]
    volumes:
      data:
"""


class Plan(EndToEnd):
    def state(self, project):
        """All that a command could change."""
        machine = self.machine
        containers = [(c["ID"], c["Name"], c["State"]) for c in
                      (json.loads(line) for line in machine.stack("ps", "-a", "--format", "json",
                                                                  cwd=project.dir).out.splitlines())]
        images = ("image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
        listings = [machine.stack(*words).out for words in (("volume", "ls"), ("network", "ls"), images)]
        files = {str(path): path.read_bytes() for path in project.dir.rglob("*") if path.is_file()}
        return sorted(containers), listings, files, machine.records()

    def test_plan_names_every_cause_and_changes_nothing(self):
        project = self.project("plan", APP.format(colour="red"))
        fresh = project("plan", code=2)
        self.assertIn("+ create network plan_default: it does not exist", fresh.out)
        self.assertIn("+ create container plan-web-1: it does not exist", fresh.out)
        self.assertEqual(self.machine.records(), [])
        project("up", "-d")
        self.assertIn("nothing to change", project("plan").out)
        project.edit(APP.format(colour="blue"))
        before = self.state(project)
        changed = project("plan", code=2)
        self.assertIn('environment.COLOUR changed from "red" to "blue"', changed.out)
        self.assertNotIn("blue-secret", changed.out)
        self.assertNotIn("db-1", changed.out)
        answer = json.loads(project("plan", "--format", "json", code=2).out)
        replace = [s for s in answer["plan"]["steps"] if s["action"] == "replace"]
        self.assertEqual([s["object"]["name"] for s in replace], ["plan-web-1"])
        self.assertIn({"path": "environment.COLOUR", "old": '"red"', "new": '"blue"'}, replace[0]["attributes"])
        self.assertEqual(self.state(project), before)
        project("plan", "nobody", code=1)

    def test_plan_file_is_done_or_refused(self):
        project = self.project("file", APP.format(colour="red"))
        project("plan", "-o", "one.plan", code=2)
        project("up", "-d", "--plan", "one.plan")
        self.assertEqual(set(project.ids()), {"file-db-1", "file-web-1"})
        refused = project("up", "-d", "--plan", "one.plan", code=1)
        self.assertIn("the world has moved since the plan was made", refused.err)
        project.edit(APP.format(colour="blue"))
        project("plan", "-o", "two.plan", code=2)
        project.edit(APP.format(colour="green"))  # the plan holds what was declared when it was made
        project("up", "-d", "--plan", "two.plan")
        self.assertEqual(project.run_in("web", "sh", "-c", "echo $COLOUR").out, "blue\n")
        project("up", "--plan", "compose.yaml", code=1)

    def test_dry_run_of_every_command_changes_nothing(self):
        project = self.project("dry", APP.format(colour="red"))
        project("up", "-d")
        project("stop", "-t", "0", "db")
        project.edit(APP.format(colour="blue"))
        before = self.state(project)
        commands = [
            ("up", "-d"), ("up", "-d", "--force-recreate", "--remove-orphans", "-V"), ("up", "-d", "--scale", "web=3"),
            ("create",), ("create", "--force-recreate"), ("start",), ("stop",), ("restart",), ("kill",), ("pause",),
            ("unpause",), ("rm", "-f"), ("rm", "-f", "-s", "-v"), ("scale", "web=2"), ("pull",), ("build",),
            ("run", "-d", "web", "true"), ("run", "--rm", "web", "touch", "/x"), ("exec", "-T", "web", "touch", "/x"),
            ("cp", "compose.yaml", "web:/copied"), ("cp", "web:/etc/passwd", "copied"), ("ps",), ("images",),
            ("logs", "--no-color"), ("top",), ("port", "web", "80"), ("ls",), ("config",), ("version",), ("volumes",),
            ("rollback",), ("plan",), ("down", "-v", "--rmi", "all"),
        ]
        for words in commands:
            with self.subTest(" ".join(words)):
                self.machine.stack("--dry-run", *words, cwd=project.dir, code=None, timeout=20)
                self.assertEqual(self.state(project), before)
        shown = self.machine.stack("--dry-run", "up", "-d", cwd=project.dir)
        self.assertIn("DRY-RUN MODE", shown.err)
        self.assertIn('environment.COLOUR changed from "red" to "blue"', shown.err)
        with self.assertRaises(AssertionError):
            project.run_in("web", "ls", "/x")

    def test_rollback_to_an_earlier_revision(self):
        project = self.project("back", APP.format(colour="red"))
        project("rollback", code=1)
        for colour in ("red", "blue", "green"):
            project.edit(APP.format(colour=colour))
            project("up", "-d")
        project("up", "-d")  # nothing new: no revision
        listed = project("revisions").out
        self.assertEqual([line.split()[0] for line in listed.splitlines()], ["REVISION", "1", "2", "3"])
        db = project.ids()["back-db-1"]
        project("rollback")
        self.assertEqual(project.run_in("web", "sh", "-c", "echo $COLOUR").out, "blue\n")
        project("rollback", "1")
        self.assertEqual(project.run_in("web", "sh", "-c", "echo $COLOUR").out, "red\n")
        self.assertEqual(project.ids()["back-db-1"], db)
        self.assertIn("rollback to revision 1", project("rollback", "--list").out)
        self.assertIn("There are: 1, 2", project("rollback", "99", code=1).err)

    def test_history_and_why_outlive_the_engine(self):
        project = self.project("past", """
            services:
              db:
                image: busybox
                command: sleep 1000
                init: true
                healthcheck: {test: ["CMD", "sh", "-c", "echo no table; false"], interval: 200ms, retries: 2}
              web:
                image: busybox
                command: sleep 1000
                init: true
                depends_on: {db: {condition: service_healthy}}
              loop:
                image: busybox
                command: sh -c 'exit 3'
                restart: on-failure:1
        """)
        project("up", "-d", code=1)
        eventually(lambda: "gave up" in project("why", "loop").out, 10)
        chain = project("why", "web").out
        self.assertIn("past-web-1 is created and was not started", chain)
        self.assertIn("because it needs db (service_healthy): container past-db-1 is unhealthy", chain)
        self.assertIn("it said: no table", chain)
        self.assertIn("the last run was `up`", chain)
        self.machine.kill("stackd")
        rows = json.loads(project("history", "--format", "json").out)
        actions = [(r["Service"], r["Action"]) for r in rows]
        self.assertIn(("loop", "die"), actions)
        self.assertIn(("loop", "restart"), actions)
        up = [r for r in rows if r["Action"] == "up"]
        self.assertEqual(len(up), 1)
        self.assertIn("stack up", up[0]["Who"])
        self.assertIn("failed", up[0]["Why"])
        seen = project("events", "--since", "1h", "--until", "0s").out
        self.assertIn("container start", seen)
        self.assertIn("past-loop-1", seen)
        project("why", "nobody", code=1)
