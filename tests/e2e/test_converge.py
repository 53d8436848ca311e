"""up brings the declared state about and nothing else; down takes it away."""
from harness import EndToEnd, eventually, firewall, links, processes

TWO = """
    services:
      web:
        image: busybox
        command: sleep 1000
        init: true
        environment:
          COLOUR: {colour}
      db:
        image: busybox
        command: sleep 1000
        init: true
        volumes: ["data:/data"]
    volumes:
      data:
"""


class Converge(EndToEnd):
    def test_up_again_changes_nothing(self):
        project = self.project("again", TWO.format(colour="red"))
        project("up", "-d")
        before, pids = project.ids(), [project.pid(s) for s in ("web", "db")]
        again = project("up", "-d")
        self.assertEqual(project.ids(), before)
        self.assertEqual([project.pid(s) for s in ("web", "db")], pids)
        self.assertIn("Container again-web-1  Running", again.err)

    def test_edited_service_alone_is_replaced(self):
        project = self.project("edit", TWO.format(colour="red"))
        project("up", "-d")
        before, db = project.ids(), project.pid("db")
        project.edit(TWO.format(colour="blue"))
        project("up", "-d")
        after = project.ids()
        self.assertNotEqual(before["edit-web-1"], after["edit-web-1"])
        self.assertEqual(before["edit-db-1"], after["edit-db-1"])
        self.assertEqual(db, project.pid("db"))
        self.assertEqual(project.run_in("web", "sh", "-c", "echo $COLOUR").out, "blue\n")

    def test_force_recreate_replaces_everything(self):
        project = self.project("force", TWO.format(colour="red"))
        project("up", "-d")
        before = project.ids()
        project("up", "-d", "--force-recreate")
        after = project.ids()
        self.assertEqual(before.keys(), after.keys())
        self.assertFalse(set(before.values()) & set(after.values()))

    def test_down_leaves_nothing_but_volumes(self):
        project = self.project("gone", TWO.format(colour="red"))
        project("up", "-d")
        project.run_in("db", "sh", "-c", "echo kept >/data/file")
        project("down")
        eventually(lambda: not [one for one in self.machine.left_behind() if not one.startswith("record volumes/")], 3)
        self.assertEqual(links(), ["lo"])
        self.assertNotIn("gone", firewall())
        self.assertEqual([r for r in self.machine.records() if "data" in r], ["volumes/gone_data"])
        project("up", "-d")
        self.assertEqual(project.run_in("db", "cat", "/data/file").out, "kept\n")
        project("down", "-v")
        self.assertEqual(self.machine.records(), [])

    def test_down_without_anything_running_succeeds(self):
        project = self.project("never", TWO.format(colour="red"))
        project("down")
        project("down", "-v")

    def test_removed_service_becomes_an_orphan(self):
        project = self.project("orphan", TWO.format(colour="red"))
        project("up", "-d")
        project.edit("""
            services:
              web: {image: busybox, command: sleep 1000, init: true, environment: {COLOUR: red}}
        """)
        warned = project("up", "-d")
        self.assertIn("orphan", warned.err.lower())
        self.assertIn("orphan-db-1", warned.err)
        self.assertEqual(set(project.ids()), {"orphan-web-1", "orphan-db-1"})
        project("up", "-d", "--remove-orphans")
        self.assertEqual(set(project.ids()), {"orphan-web-1"})

    def test_scale_adds_and_removes_replicas(self):
        project = self.project("scale", TWO.format(colour="red"))
        project("up", "-d", "--scale", "web=3")
        names = {"scale-db-1", "scale-web-1", "scale-web-2", "scale-web-3"}
        self.assertEqual(set(project.ids()), names)
        project("up", "-d", "--scale", "web=1")
        self.assertEqual(set(project.ids()), {"scale-db-1", "scale-web-1"})

    def test_depends_on_orders_start_and_waits_for_health(self):
        project = self.project("order", """
            services:
              app:
                image: busybox
                command: sh -c 'cat /shared/ready; sleep 1000'
                init: true
                volumes: ["shared:/shared"]
                depends_on:
                  base: {condition: service_healthy}
                  job: {condition: service_completed_successfully}
              base:
                image: busybox
                command: sh -c 'sleep 1; echo base >>/shared/ready; sleep 1000'
                init: true
                volumes: ["shared:/shared"]
                healthcheck: {test: ["CMD", "grep", "base", "/shared/ready"], interval: 200ms, retries: 100}
              job:
                image: busybox
                command: sh -c 'echo job >>/shared/ready'
                volumes: ["shared:/shared"]
            volumes: {shared: }
        """)
        project("up", "-d")
        eventually(lambda: sorted(project.logs("app").split()) == ["base", "job"], 5)

    def test_failed_dependency_fails_up_and_names_it(self):
        project = self.project("faildep", """
            services:
              app: {image: busybox, command: sleep 1000, depends_on: {job: {condition: service_completed_successfully}}}
              job: {image: busybox, command: sh -c 'exit 4'}
        """)
        done = project("up", "-d", code=1)
        self.assertRegex(done.err, r'service "job" didn\'t complete successfully: exit 4')
        self.assertEqual(project.container("app")["State"], "created")

    def test_wait_returns_when_all_is_healthy(self):
        project = self.project("wait", """
            services:
              slow:
                image: busybox
                command: sh -c 'sleep 1; touch /ready; sleep 1000'
                init: true
                healthcheck: {test: "test -e /ready", interval: 200ms, retries: 100}
        """)
        project("up", "-d", "--wait")
        self.assertEqual(project.container("slow")["Health"], "healthy")

    def test_engine_leaves_when_nothing_is_left(self):
        project = self.project("idle", TWO.format(colour="red"))
        project("up", "-d")
        project("down", "-v")
        eventually(lambda: not processes(), 30, "the engine leaves by itself")
