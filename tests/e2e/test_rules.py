"""Rules of `up` that touch the world: contents, jobs, directories, questions, providers, restarts."""
import json
import os
import pathlib

from harness import EndToEnd, eventually

SLEEPER = "image: busybox, command: sleep 1000, init: true"


class Rules(EndToEnd):
    def test_edited_contents_replace_their_users(self):
        text = """
            services:
              web: {image: busybox, command: sleep 1000, init: true, configs: [inline, file]}
              other: {image: busybox, command: sleep 1000, init: true}
            configs:
              inline: {content: "CONTENT"}
              file: {file: ./app.conf}
        """
        project = self.project("contents", text, {"app.conf": "first\n"})
        project("up", "-d")
        before = project.ids()
        project("up", "-d")
        self.assertEqual(project.ids(), before)
        # As editors do: a new file under the old name.
        (project.dir / "new").write_text("second\n")
        os.replace(project.dir / "new", project.dir / "app.conf")
        project("up", "-d")
        self.assertEqual(project.run_in("web", "cat", "/file").out, "second\n")
        project.edit(text.replace("CONTENT", "changed"))
        self.assertIn("the content of config inline changed", project("plan", code=2).out)
        project("up", "-d")
        self.assertEqual(project.run_in("web", "cat", "/inline").out, "changed")
        self.assertEqual(project.ids()["contents-other-1"], before["contents-other-1"])

    def test_jobs_run_again_on_every_up_or_when_something_changed(self):
        text = """
            services:
              always:
                image: busybox
                command: sh -c 'echo again >>/log/always'
                volumes: ["./log:/log"]
              changed:
                image: busybox
                command: sh -c 'echo again >>/log/changed'
                environment: {V: VALUE}
                volumes: ["./log:/log"]
                x-stack: {rerun: changed}
              web:
                image: busybox
                command: sleep 1000
                init: true
                depends_on:
                  always: {condition: service_completed_successfully}
                  changed: {condition: service_completed_successfully}
        """
        project = self.project("jobs", text, {"log/none": ""})

        def runs():
            return [len((project.dir / "log" / name).read_text().split()) for name in ("always", "changed")]

        project("up", "-d")
        self.assertEqual(runs(), [1, 1])
        project("up", "-d")
        self.assertEqual(runs(), [2, 1])
        project.edit(text.replace("VALUE", "2"))
        project("up", "-d", "--wait")
        self.assertEqual(runs(), [3, 2])

    def test_wait_takes_ended_jobs_for_done(self):
        project = self.project("wait", """
            services:
              job: {image: busybox, command: "true"}
              bad: {image: busybox, command: "sh -c 'exit 3'", profiles: [bad]}
              web: {image: busybox, command: sleep 1000, init: true}
        """)
        project("up", "-d", "--wait")
        failed = self.stack("--profile", "bad", "up", "-d", "--wait", cwd=project.dir, code=1)
        self.assertIn("wait-bad-1 exited (3)", failed.err)

    def test_another_directory_of_the_same_name_is_refused(self):
        first = self.project("twin", "services: {web: {%s}}" % SLEEPER)
        first("up", "-d")
        before = first.ids()
        other = self.machine.base / "elsewhere" / "twin"
        other.mkdir(parents=True)
        (other / "compose.yaml").write_text("services: {db: {%s}}\n" % SLEEPER)
        for words in (("up", "-d", "--remove-orphans"), ("down", "--remove-orphans"), ("stop",), ("kill",)):
            refused = self.stack(*words, cwd=other, code=1)
            self.assertIn(f'project "twin" is that of {first.dir}', refused.err)
        self.assertEqual(first.ids(), before)
        self.assertEqual(first.container("web")["State"], "running")
        # Under another name it is a project of its own, and one that was moved is the same one.
        self.stack("-p", "twin2", "up", "-d", cwd=other)
        self.stack("-p", "twin2", "down", cwd=other)
        moved = self.machine.base / "moved" / "twin"
        moved.parent.mkdir()
        os.rename(first.dir, moved)
        first.dir = moved
        first("up", "-d")
        self.assertEqual(len(first.ids()), 1)

    def test_changed_volume_asks(self):
        text = """
            services:
              db: {image: busybox, command: sleep 1000, init: true, volumes: ["data:/data"]}
            volumes: {data: {labels: {v: "VALUE"}}}
        """
        project = self.project("ask", text)
        project("up", "-d")
        project.run_in("db", "sh", "-c", "echo kept >/data/file")
        project.edit(text.replace("VALUE", "2"))
        kept = project("up", "-d", stdin="n\n")
        self.assertIn('Volume "ask_data" exists but doesn\'t match configuration', kept.out)
        self.assertEqual(project.run_in("db", "cat", "/data/file").out, "kept\n")
        project("up", "-d", stdin="y\n")
        project.run_in("db", "cat", "/data/file", code=1)
        project.run_in("db", "sh", "-c", "echo kept >/data/file")
        project.edit(text.replace("VALUE", "3"))
        project("up", "-d", "--yes")
        project.run_in("db", "cat", "/data/file", code=1)

    def test_provider_gives_its_variables_to_dependents(self):
        project = self.project("provided", """
            services:
              cloud: {provider: {type: e2ecloud, options: {size: big, zone: [a, b]}}}
              web: {image: busybox, command: sleep 1000, init: true, depends_on: [cloud]}
        """)
        bin_dir = self.machine.base / "bin"
        bin_dir.mkdir()
        program = bin_dir / "docker-e2ecloud"
        program.write_text("""#!/bin/sh
            [ "$2" = metadata ] && exit 1
            echo "$@" >>"%s/calls"
            echo '{"type":"info","message":"making it"}'
            echo '{"type":"setenv","message":"URL=http://cloud"}'
            [ -e "%s/fail" ] && echo '{"type":"error","message":"no quota"}'
            true
        """ % (self.machine.base, self.machine.base))
        program.chmod(0o755)
        env = {"PATH": f"{bin_dir}:{self.machine.env['PATH']}"}
        project("up", "-d", env=env)
        self.assertEqual(project.run_in("web", "sh", "-c", "echo $CLOUD_URL").out, "http://cloud\n")
        before = project.ids()
        project("up", "-d", env=env)
        self.assertEqual(project.ids(), before)
        (self.machine.base / "fail").touch()
        self.assertIn("no quota", project("up", "-d", env=env, code=1).err)
        (self.machine.base / "fail").unlink()
        project("down", env=env)
        calls = pathlib.Path(self.machine.base / "calls").read_text().splitlines()
        self.assertEqual(calls[0], "compose --project-name=provided up --size=big --zone=a --zone=b cloud")
        self.assertEqual(calls[-1], "compose --project-name=provided down --size=big --zone=a --zone=b cloud")
        self.assertIn("executable file not found", project("up", "-d", code=1).err)
        (project.dir / "compose.yaml").unlink()

    def test_deploy_restart_policy_delays_and_gives_up(self):
        project = self.project("policy", """
            services:
              loop:
                image: busybox
                command: sh -c 'exit 3'
                deploy: {restart_policy: {condition: any, delay: 300ms, max_attempts: 2}}
        """)
        project("up", "-d")
        eventually(lambda: project.container("loop")["State"] == "exited" and
                   project.inspect("loop")["RestartCount"] == 2, 10)
        eventually(lambda: "gave up after 2 restarts" in project("why", "loop").out, 2)

    def test_dependents_follow_a_restart_for_health(self):
        project = self.project("follow", """
            services:
              db:
                image: busybox
                command: sh -c 'touch /ok; sleep 1000'
                init: true
                restart: always
                healthcheck: {test: ["CMD", "test", "-e", "/ok"], interval: 200ms, retries: 2}
              web:
                image: busybox
                command: sleep 1000
                init: true
                depends_on: {db: {condition: service_healthy, restart: true}}
              aside:
                image: busybox
                command: sleep 1000
                init: true
                depends_on: {db: {condition: service_healthy}}
        """)
        project("up", "-d")
        web, aside = project.pid("web"), project.pid("aside")
        project.run_in("db", "rm", "/ok")
        eventually(lambda: project.pid("web") not in (0, web), 15)
        self.assertEqual(project.pid("aside"), aside)
        rows = json.loads(project("history", "--format", "json").out)
        self.assertTrue([r for r in rows if "web was restarted after" in r["Why"]], rows)
