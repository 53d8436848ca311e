"""Health checks that the engine does itself (x-stack probe), and restarts of what turns unhealthy."""
import time

from harness import EndToEnd, eventually


class Probes(EndToEnd):
    def test_kinds_of_native_probes(self):
        project = self.project("probes", """
            x-fast: &fast {interval: 200ms, timeout: 1s, retries: 2}
            services:
              http:
                image: busybox
                init: true
                command: sh -c 'mkdir /www; echo ok >/www/health; exec httpd -f -p 8080 -h /www'
                healthcheck: {<<: *fast, x-stack: {probe: {http: "http://localhost:8080/health"}}}
              missing:
                image: busybox
                init: true
                command: sh -c 'mkdir /www; exec httpd -f -p 8080 -h /www'
                healthcheck: {<<: *fast, x-stack: {probe: {http: "http://localhost:8080/health"}}}
              tcp:
                image: busybox
                init: true
                command: nc -ll -p 5432 -e cat
                healthcheck: {<<: *fast, x-stack: {probe: {tcp: 5432}}}
              closed:
                image: busybox
                init: true
                command: sleep 1000
                healthcheck: {<<: *fast, x-stack: {probe: {tcp: 5432}}}
              redis:
                image: busybox
                init: true
                command: sh -c 'printf "#!/bin/sh\\nread line\\necho +PONG\\n" >/answer; chmod +x /answer; exec nc -ll -p 6379 -e /answer'
                healthcheck: {<<: *fast, x-stack: {probe: {redis: 6379}}}
              silent:
                image: busybox
                init: true
                command: sh -c 'printf "#!/bin/sh\\nsleep 100\\n" >/answer; chmod +x /answer; exec nc -ll -p 6379 -e /answer'
                healthcheck: {<<: *fast, x-stack: {probe: {redis: 6379}}}
              nosocket:
                image: busybox
                init: true
                command: sleep 1000
                healthcheck: {<<: *fast, x-stack: {probe: {unix: /run/app.sock}}}
        """)
        project("up", "-d")
        expected = {"http": "healthy", "missing": "unhealthy", "tcp": "healthy", "closed": "unhealthy",
                    "redis": "healthy", "silent": "unhealthy", "nosocket": "unhealthy"}
        eventually(lambda: {row["Service"]: row["Health"] for row in project.ps()} == expected, 10,
                   "each as its service answers")
        said = {service: project.inspect(service)["State"]["Health"]["Log"][-1]["Output"] for service in expected}
        self.assertIn("200 OK", said["http"])
        self.assertIn("404", said["missing"])
        self.assertIn("Connection refused", said["closed"])
        self.assertIn("+PONG", said["redis"])
        self.assertIn("exceeded timeout", said["silent"])
        self.assertIn("No such file", said["nosocket"])
        # No process: the container has its own alone.
        self.assertEqual(len(project("top", "closed").out.strip().splitlines()), 3, "a header, init and sleep")

    def test_bad_probe_says_where(self):
        project = self.project("badprobe", """
            services:
              web:
                image: busybox
                healthcheck:
                  x-stack: {probe: {http: "http://web/"}}
        """)
        failed = project("up", "-d", code=None)
        self.assertNotEqual(failed.code, 0)
        self.assertRegex(failed.err, r"compose\.yaml:6:31: .*probe\.http: \"web\" is not an IP address")

    def test_unhealthy_services_are_restarted_in_time(self):
        text = """
            services:
        """ + "".join(f"""
              {name}:
                image: busybox
                init: true
                stop_signal: SIGKILL
                restart: {policy}
                command: sh -c 'mkdir /www; exec httpd -f -p 80 -h /www'
                healthcheck: {{interval: 500ms, timeout: 1s, retries: 3, {check}}}
        """ for name, policy, check in (
            ("always", "always", "x-stack: {probe: {http: /health}}"),
            ("stopped", "unless-stopped", "test: wget -q -O /dev/null http://127.0.0.1/health"),
            ("failure", "on-failure", "x-stack: {probe: {http: /health}}"),
            ("never", '"no"', "x-stack: {probe: {http: /health}}")))
        project = self.project("sick", text)
        project("up", "-d")
        services = ("always", "stopped", "failure", "never")
        for service in services:
            project.run_in(service, "touch", "/www/health")
        eventually(lambda: {row["Health"] for row in project.ps()} == {"healthy"}, 10)
        before = {service: project.pid(service) for service in services}
        for service in services:
            project.run_in(service, "rm", "/www/health")
        began = time.monotonic()
        for service in services[:3]:
            eventually(lambda: project.pid(service) not in (0, before[service]), 10, f"{service} is restarted")
        took = time.monotonic() - began
        self.assertLess(took, 0.5 * 3 + 1 + 0.8, "interval x retries + 1 s, and what looking costs here")
        self.assertEqual(project.pid("never"), before["never"])
