"""Rolling updates of a service with a published port, under load. STACK_UPDATE_REQUESTS=10000 for more of them."""
import http.client
import os
import threading
import time

from harness import EndToEnd

WEB = """
    services:
      web:
        image: busybox
        command: sh -c 'mkdir -p /www; echo {value} >/www/index.html; sleep 2; exec httpd -f -p 80 -h /www'
        init: true
        stop_grace_period: 5s
        ports: ["127.0.0.1:8080:80"]
        healthcheck:
          test: ["CMD", "sh", "-c", "{probe}"]
          interval: 200ms
          retries: 20
        deploy:
          update_config: {{order: start-first, monitor: 500ms, failure_action: rollback}}
"""
GOOD = "wget -qO- http://127.0.0.1/"


NGINX = """
    services:
      web:
        image: nginx
        command: sh -c 'sleep {boot}; echo {value} >/usr/share/nginx/html/index.html; exec nginx -g "daemon off;"'
        stop_signal: SIGQUIT
        stop_grace_period: 10s
        ports: ["127.0.0.1:8080:80"]
        healthcheck: {{interval: 200ms, retries: 100, x-stack: {{probe: {{http: /}}}}}}
        deploy:
          update_config: {{order: start-first, monitor: 500ms}}
"""


class Load:
    """Requests, so many a second, until it is stopped; what was answered and what failed. Half of the threads keep their
    connection for `kept` seconds, if that is not 0; the others take a new one for each request."""

    def __init__(self, rate=100, kept=0.0):
        self.answers, self.failures = [], []
        self.period, self.kept = 1 / rate, kept
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(4)]
        for thread in self.threads:
            thread.start()

    def run(self, index):
        due = time.monotonic() + index * self.period
        connection, until = None, 0.0
        while not self.over.is_set():
            time.sleep(max(0, due - time.monotonic()))
            due += self.period * len(self.threads)
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=3)
                    until = time.monotonic() + self.kept * (index % 2)
                connection.request("GET", "/")
                answer = connection.getresponse()
                self.answers.append(answer.read().decode().strip())
                if answer.status != 200:
                    self.failures.append(answer.status)
                if time.monotonic() < until:
                    continue
            except (OSError, http.client.HTTPException) as failed:
                self.failures.append(repr(failed))
            connection.close()
            connection = None

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


class Update(EndToEnd):
    def test_start_first_drops_no_request(self):
        project = self.project("roll", WEB.format(value="one", probe=GOOD))
        project("up", "-d", "--wait")
        before = project.ids()
        load = Load()
        time.sleep(0.5)
        project.edit(WEB.format(value="two", probe=GOOD))
        project("up", "-d")
        time.sleep(0.5)
        load.stop()
        self.assertEqual(load.failures, [])
        self.assertGreater(len(load.answers), 300)
        switch = load.answers.index("two")
        self.assertNotIn("one", load.answers[switch + 8:])  # 4 requests may be under way
        self.assertEqual(project.ids().keys(), before.keys())
        self.assertNotEqual(project.ids(), before)
        self.assertEqual(project.run_in("web", "cat", "/www/index.html").out, "two\n")

    def test_failed_update_goes_back_and_drops_no_request(self):
        project = self.project("bad", WEB.format(value="one", probe=GOOD))
        project("up", "-d", "--wait")
        before = project.ids()
        load = Load()
        project.edit(WEB.format(value="two", probe="false"))
        failed = project("up", "-d", code=1)
        self.assertIn('update of service "web" failed', failed.err)
        self.assertIn("went back to revision 1", failed.err)
        load.stop()
        self.assertEqual(load.failures, [])
        self.assertEqual(set(load.answers), {"one"})
        self.assertEqual(project.ids(), before)

    def test_name_leads_to_one_generation_only(self):
        text = WEB.replace('ports: ["127.0.0.1:8080:80"]', "hostname: web-{value}") + """
      client:
        image: busybox
        command: sleep 1000
        init: true
"""
        project = self.project("name", text.format(value="one", probe=GOOD))
        project("up", "-d", "--wait")
        asked = self.machine.popen(
            "exec", "-T", "client", "sh", "-c",
            "for i in $(seq 60); do wget -qO- http://web/ || echo failed; sleep 0.1; done", cwd=project.dir)
        project.edit(text.format(value="two", probe=GOOD))
        project("up", "-d")
        out, _ = asked.communicate(timeout=30)
        lines = out.split()
        self.assertNotIn("failed", lines)
        switch = lines.index("two")
        self.assertEqual(set(lines[:switch]), {"one"})
        self.assertEqual(set(lines[switch:]), {"two"})

    def test_an_engine_killed_in_the_middle_finishes_the_update(self):
        project = self.project("cut", WEB.format(value="one", probe=GOOD))
        project("up", "-d", "--wait")
        project.edit(WEB.format(value="two", probe=GOOD))
        child = project.start("up", "-d")
        time.sleep(1.5)  # the new one boots
        self.machine.kill("stackd")
        child.communicate(timeout=20)
        load = Load(50)
        project("up", "-d")
        load.stop()
        self.assertEqual(load.failures, [])
        self.assertEqual(set(project.ids()), {"cut-web-1"})
        self.assertEqual(project.run_in("web", "cat", "/www/index.html").out, "two\n")


class KeepAlive(EndToEnd):
    template = "examples"

    def test_connections_that_are_kept_see_no_update(self):
        """Clients that keep a connection for less than stop_grace_period finish on the old one."""
        requests = int(os.environ.get("STACK_UPDATE_REQUESTS", "1500"))
        boot = 4 if requests > 5000 else 1
        project = self.project("kept", NGINX.format(value="v0", boot=0))
        project("up", "-d", "--wait")
        load = Load(200, kept=3)
        version = 0
        while len(load.answers) + len(load.failures) < requests:
            version += 1
            project.edit(NGINX.format(value=f"v{version}", boot=boot))
            project("up", "-d")
        load.stop()
        self.assertEqual(load.failures, [])
        self.assertEqual(set(load.answers), {f"v{n}" for n in range(version + 1)})
        print(f"{len(load.answers)} requests, {version} updates", flush=True)
