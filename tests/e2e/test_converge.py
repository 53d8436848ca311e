"""up brings the declared state about and nothing else; down takes it away."""
from harness import EndToEnd, always, eventually, firewall, links, processes

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

    def test_container_removed_by_itself_stays_away_until_the_next_up(self):
        project = self.project("byhand", TWO.format(colour="red"))
        project("up", "-d")
        self.machine.remove("byhand-db-1")
        always(lambda: set(project.ids()) == {"byhand-web-1"}, 1, "whoever removes it does not want it back")
        self.assertEqual(project("start").code, 0)
        project("up", "-d")
        self.assertEqual(set(project.ids()), {"byhand-db-1", "byhand-web-1"})

    def test_up_while_a_container_is_removed(self):
        """Whoever waits for a turn at a container that goes meanwhile is answered."""
        project = self.project("meanwhile", TWO.format(colour="red").replace("init: true", "stop_grace_period: 1s"))
        project("up", "-d")
        stop = project.start("stop")
        self.machine.remove("meanwhile-db-1")
        project("up", "-d", timeout=20)
        stop.communicate(timeout=20)
        eventually(lambda: set(project.ids()) == {"meanwhile-db-1", "meanwhile-web-1"}, 5)

    def test_scaled_to_none_stays_so(self):
        project = self.project("none", TWO.format(colour="red"))
        project("up", "-d", "--scale", "web=2")
        project("up", "-d", "--scale", "web=0")
        always(lambda: set(project.ids()) == {"none-db-1"}, 1)
        self.machine.kill("stackd")
        self.machine.wake()
        always(lambda: set(project.ids()) == {"none-db-1"}, 1)

    def test_created_is_not_started_by_itself(self):
        project = self.project("made", TWO.format(colour="red"))
        project("up", "-d")
        project.edit(TWO.format(colour="blue"))
        project("create")
        states = {"web": "created", "db": "running"}
        always(lambda: {row["Service"]: row["State"] for row in project.ps()} == states, 1)
        project("start")
        self.assertEqual(project.run_in("web", "sh", "-c", "echo $COLOUR").out, "blue\n")

    def test_service_of_another_profile_is_no_orphan(self):
        project = self.project("profile", """
            services:
              web: {image: busybox, command: sleep 1000, init: true}
              more: {image: busybox, command: sleep 1000, init: true, profiles: [more]}
        """)
        project("--profile", "more", "up", "-d")
        self.assertNotIn("orphan", project("up", "-d").err)
        self.assertEqual(set(project.ids()), {"profile-web-1", "profile-more-1"})

    def test_exit_code_of_a_service_that_is_not_brought_up(self):
        project = self.project("other", TWO.format(colour="red"))
        failed = project("up", "--exit-code-from", "db", "web", code=1, timeout=20)
        self.assertIn("no such service: db: disabled", failed.err)

    def test_kill_is_over_when_it_has_ended(self):
        project = self.project("killed", TWO.format(colour="red"))
        project("up", "-d")
        project("kill")
        self.assertEqual({row["State"] for row in project.ps()}, {"exited"})

    def test_jobs_are_hidden_and_survive_down(self):
        project = self.project("oneoff", TWO.format(colour="red"))
        project("up", "-d", "db")
        project("run", "-d", "web", "sleep", "1000")
        shown = project("ps", "--format", "{{.Service}}").out.split()
        self.assertEqual(shown, ["db"])
        self.assertEqual(len(project.ps()), 2)
        project("down")
        self.assertEqual([row["Service"] for row in project.ps()], ["web"])
