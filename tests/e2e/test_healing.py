"""What is declared is kept: restart policies, back-off, health checks, and how `ps` tells about it."""
import os
import signal
import time

from harness import EndToEnd, always, eventually


class Healing(EndToEnd):
    def restarts(self, project, service):
        return project.inspect(service)["RestartCount"]

    def test_killed_container_is_restarted_by_policy(self):
        project = self.project("heal", """
            x-any: &any {image: busybox, command: sleep 1000}
            services:
              always: {<<: *any, restart: always}
              stopped: {<<: *any, restart: unless-stopped}
              failure: {<<: *any, restart: on-failure}
              never: {<<: *any}
        """)
        project("up", "-d")
        before = {service: project.pid(service) for service in ("always", "stopped", "failure", "never")}
        ids = project.ids()
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        for service in ("always", "stopped", "failure"):
            eventually(lambda: project.pid(service) not in (0, before[service]), 5, f"{service} runs again")
            self.assertEqual(self.restarts(project, service), 1, service)
        row = eventually(lambda: next(r for r in project.ps("never") if r["State"] == "exited"), 5)
        self.assertEqual(row["ExitCode"], 137)
        self.assertRegex(row["Status"], r"^Exited \(137\)")
        self.assertEqual(project.ids(), ids, "the same containers")

    def test_restart_policy_heeds_the_exit_code(self):
        project = self.project("codes", """
            services:
              good: {image: busybox, command: "true", restart: on-failure}
              bad: {image: busybox, command: sh -c 'exit 3', restart: "on-failure:2"}
        """)
        project("up", "-d")
        row = eventually(lambda: next(r for r in project.ps("bad") if r["State"] == "exited"
                                      and self.restarts(project, "bad") == 2), 10)
        self.assertEqual(row["ExitCode"], 3)
        self.assertEqual(project.container("good")["State"], "exited")
        self.assertEqual(self.restarts(project, "good"), 0)
        always(lambda: self.restarts(project, "bad") == 2, 1, "given up for good")

    def test_stopped_by_the_user_stays_stopped(self):
        project = self.project("userstop", """
            services:
              web: {image: busybox, command: sleep 1000, restart: always, stop_grace_period: 200ms}
        """)
        project("up", "-d")
        project("stop", "web")
        always(lambda: project.container("web")["State"] == "exited", 1)
        self.machine.kill("stackd")
        self.machine.wake()
        always(lambda: project.container("web")["State"] == "exited", 1)
        project("start", "web")
        self.assertEqual(project.container("web")["State"], "running")

    def test_unhealthy_while_it_is_stopped_stays_stopped(self):
        project = self.project("lastly", """
            services:
              web:
                image: busybox
                command: sh -c 'trap "rm /ok; sleep 2; exit 0" TERM; touch /ok; while :; do sleep 0.1; done'
                restart: always
                healthcheck: {test: test -e /ok, interval: 200ms, retries: 1}
        """)
        project("up", "-d", "--wait")
        project("stop")
        always(lambda: project.container("web")["State"] == "exited", 1)

    def test_crash_loop_backs_off_and_ps_tells(self):
        project = self.project("loop", """
            services:
              crash: {image: busybox, command: sh -c 'echo attempt; exit 9', restart: always}
        """)
        project("up", "-d")
        row = eventually(lambda: next(r for r in project.ps() if r["State"] == "restarting"), 10)
        self.assertRegex(row["Status"], r"^Restarting \(9\)")
        eventually(lambda: self.restarts(project, "crash") >= 5, 15)
        # 100 ms, doubled each time: the distances between the attempts grow.
        stamps = [line.split()[0] for line in project.logs("-t").splitlines() if "attempt" in line]
        times = [self.seconds(stamp) for stamp in stamps]
        gaps = [b - a for a, b in zip(times, times[1:])]
        self.assertGreaterEqual(len(gaps), 4)
        for number, gap in enumerate(gaps[:5]):
            self.assertGreaterEqual(gap, 0.09 * 2 ** number, gaps)
            self.assertLess(gap, 0.1 * 2 ** number + 1.0, gaps)

    @staticmethod
    def seconds(stamp):
        whole, _, fraction = stamp.rstrip("Z").partition(".")
        return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (fraction or "0"))

    def test_failing_health_check_restarts_the_service(self):
        project = self.project("sick", """
            services:
              web:
                image: busybox
                command: sh -c 'touch /run-ok; exec sleep 1000'
                restart: unless-stopped
                stop_grace_period: 200ms
                healthcheck: {test: "test -e /run-ok", interval: 300ms, timeout: 1s, retries: 2}
              plain:
                image: busybox
                command: sh -c 'touch /run-ok; exec sleep 1000'
                healthcheck: {test: "test -e /run-ok", interval: 300ms, timeout: 1s, retries: 2}
        """)
        project("up", "-d", "--wait")
        self.assertEqual(project.container("web")["Health"], "healthy")
        pids = {service: project.pid(service) for service in ("web", "plain")}
        for service in pids:
            project.run_in(service, "rm", "/run-ok")
        # interval x retries + stop, with room for a slow machine
        eventually(lambda: project.pid("web") not in (0, pids["web"]), 8, "the unhealthy service is restarted")
        eventually(lambda: project.container("web")["Health"] == "healthy", 8)
        # Without a restart policy it stays, and ps says how it is.
        eventually(lambda: project.container("plain")["Health"] == "unhealthy", 5)
        self.assertIn("(unhealthy)", project.container("plain")["Status"])
        self.assertEqual(project.pid("plain"), pids["plain"])

    def test_health_check_that_hangs_is_a_failure(self):
        project = self.project("hang", """
            services:
              web:
                image: busybox
                command: sleep 1000
                healthcheck: {test: "sleep 100", interval: 200ms, timeout: 300ms, retries: 2}
        """)
        project("up", "-d")
        eventually(lambda: project.container("web")["Health"] == "unhealthy", 8)
        # The probes that timed out are gone: nothing but the container's own process.
        eventually(lambda: project("top", "web").out.count("sleep 100\n") <= 1, 3)

    def test_health_states_and_start_period(self):
        project = self.project("start", """
            services:
              slow:
                image: busybox
                command: sh -c 'sleep 2; touch /ready; sleep 1000'
                init: true
                healthcheck:
                  {test: ["CMD", "test", "-e", "/ready"], interval: 200ms, retries: 1, start_period: 20s, start_interval: 200ms}
              none: {image: busybox, command: sleep 1000, init: true, healthcheck: {test: ["NONE"]}}
        """)
        project("up", "-d")
        row = project.container("slow")
        self.assertEqual(row["Health"], "starting")
        self.assertIn("(health: starting)", row["Status"])
        self.assertEqual(project.container("none")["Health"], "")
        eventually(lambda: project.container("slow")["Health"] == "healthy", 8, "failures in the start period do not count")
        self.assertEqual(self.restarts(project, "slow"), 0)
