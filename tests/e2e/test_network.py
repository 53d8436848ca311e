"""Names, links and published ports."""
import socket
import subprocess
import threading

from harness import EndToEnd, Outside, eventually, fetch

HTTP = """
    services:
      web:
        image: busybox
        command: sh -c 'mkdir /www; hostname >/www/index.html; exec httpd -f -p 80 -h /www'
        init: true
        hostname: webhost
        ports: ["18080:80"]
      client: {image: busybox, command: sleep 1000, init: true}
"""


def fetch_inside(project, service, url):
    """What a program in the service's network namespace gets. busybox's own wget, linked statically, crashes in
    getaddrinfo, under Docker too."""
    pid = project.inspect(service)["State"]["Pid"]
    return subprocess.run(["nsenter", "-t", str(pid), "-n", "python3", "-c",
                           f"import urllib.request as r; print(r.urlopen({url!r}, timeout=3).read().decode(), end='')"],
                          capture_output=True, text=True, timeout=10)


class Network(EndToEnd):
    def resolve(self, project, service, name):
        """The address that `name` has inside the container, or None."""
        done = project.run_in(service, "ping", "-c", "1", "-W", "1", name, code=None)
        first = done.out.splitlines()[0] if done.out else ""
        return first[first.index("(") + 1:first.index(")")] if "(" in first and done.code == 0 else None

    def test_links_follow_their_target_to_a_new_address(self):
        project = self.project("links", """
            version: '3'
            services:
              app:
                image: busybox
                command: sleep 1000
                init: true
                links: [db, "db:database"]
              other: {image: busybox, command: sleep 1000, init: true}
              db: {image: busybox, command: sleep 1000, init: true}
        """)
        project("up", "-d")
        old = project.address("db")
        self.assertEqual(self.resolve(project, "app", "database"), old)
        self.assertEqual(self.resolve(project, "app", "db"), old)
        self.assertIsNone(self.resolve(project, "other", "database"), "a link is for the linking container alone")
        app = project.pid("app")
        project("rm", "-s", "-f", "db")
        blocker = project("run", "-d", "other", "sleep", "1000").out.strip()
        project("up", "-d", "--no-deps", "db")
        new = project.address("db")
        self.assertNotEqual(new, old)
        self.assertEqual(project.pid("app"), app, "the linking container went on")
        eventually(lambda: self.resolve(project, "app", "database") == new, 2)
        self.assertEqual(self.resolve(project, "app", "db"), new)
        self.machine.remove(blocker)

    def test_names_that_resolve(self):
        project = self.project("names", """
            services:
              a: {image: busybox, command: sleep 1000, init: true}
              b:
                image: busybox
                command: sleep 1000
                init: true
                container_name: special
                hostname: inner
                extra_hosts: ["fixed.example:203.0.113.9"]
                networks: {default: {aliases: [other-name]}, back: }
              c: {image: busybox, command: sleep 1000, init: true, networks: [back]}
            networks: {back: }
        """)
        project("up", "-d")
        for name in ("b", "special", "other-name"):
            self.assertIsNotNone(self.resolve(project, "a", name), name)
        self.assertIsNotNone(self.resolve(project, "c", "b"))
        self.assertIsNone(self.resolve(project, "a", "c"), "not on a common network")
        self.assertEqual(project.run_in("b", "hostname").out, "inner\n")
        self.assertIn("203.0.113.9\tfixed.example", project.run_in("b", "cat", "/etc/hosts").out.replace(" ", "\t"))
        self.assertIn("nameserver 127.0.0.11", project.run_in("a", "cat", "/etc/resolv.conf").out)

    def test_replicas_share_their_service_name(self):
        project = self.project("many", """
            services:
              web: {image: busybox, command: sleep 1000, init: true, scale: 3}
              client: {image: busybox, command: sleep 1000, init: true}
        """)
        project("up", "-d")
        out = project.run_in("client", "nslookup", "-type=a", "web", code=None).out
        for number in (1, 2, 3):
            address = next(iter(project.inspect("web", number)["NetworkSettings"]["Networks"].values()))["IPAddress"]
            self.assertIn(address, out)

    def test_published_port_answers_everywhere(self):
        outside = Outside()
        self.addCleanup(outside.close)
        project = self.project("ports", HTTP)
        project("up", "-d")
        for url in ("http://127.0.0.1:18080/", f"http://{outside.here}:18080/", "http://localhost:18080/"):
            self.assertEqual(eventually(lambda: fetch(url), 3, url), "webhost\n")
        self.assertEqual(outside.fetch(f"http://{outside.here}:18080/"), "webhost\n")
        # From another container and from itself, by the host's address and by the container's.
        address = next(iter(project.inspect("web")["NetworkSettings"]["Networks"].values()))["IPAddress"]
        for service in ("client", "web"):
            for url in (f"http://{outside.here}:18080/", f"http://{address}/"):
                seen = fetch_inside(project, service, url)
                self.assertEqual(seen.stdout, "webhost\n", f"{service} {url} {seen.stderr}")
        project("down", "-t", "0")
        with self.assertRaises(OSError):
            fetch("http://127.0.0.1:18080/", 1)

    def test_published_on_loopback_is_not_reachable_from_outside(self):
        outside = Outside()
        self.addCleanup(outside.close)
        project = self.project("local", HTTP.replace("18080:80", "127.0.0.1:18080:80"))
        project("up", "-d")
        self.assertEqual(eventually(lambda: fetch("http://127.0.0.1:18080/"), 3), "webhost\n")
        with self.assertRaises(subprocess.CalledProcessError):
            outside.fetch(f"http://{outside.here}:18080/")

    def test_forward_drop_of_another_firewall_does_not_matter(self):
        outside = Outside()
        self.addCleanup(outside.close)
        rules = "table ip filter { chain FORWARD { type filter hook forward priority filter; policy drop; }; }"
        subprocess.run(["nft", rules], check=True)
        self.addCleanup(subprocess.run, ["nft", "delete", "table", "ip", "filter"], check=True)
        project = self.project("drop", HTTP)
        project("up", "-d")
        eventually(lambda: outside.fetch(f"http://{outside.here}:18080/") == "webhost\n", 5)
        server = outside.popen("python3", "-m", "http.server", "18090", "--bind", outside.there,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        eventually(lambda: fetch_inside(project, "client", f"http://{outside.there}:18090/").returncode == 0, 8,
                   "containers reach the outside through NAT")

    def test_foreign_names_are_forwarded(self):
        resolver = Resolver("127.0.0.53")
        self.addCleanup(resolver.close)
        conf = self.machine.base / "resolv.conf"
        conf.write_text("nameserver 127.0.0.53\n")
        subprocess.run(["mount", "--bind", str(conf), "/etc/resolv.conf"], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", "/etc/resolv.conf"], check=True)
        project = self.project("forward", "services: {a: {image: busybox, command: sleep 1000, init: true}}")
        project("up", "-d")
        out = eventually(lambda: project.run_in("a", "nslookup", "-type=a", "www.example.org", code=None).out, 5)
        self.assertIn("198.51.100.7", out)
        self.assertGreater(resolver.asked, 0)


class Udp(EndToEnd):
    template = "examples"  # its API image has Python; busybox has no UDP server

    def test_udp_port(self):
        outside = Outside()
        self.addCleanup(outside.close)
        project = self.project("udp", """
            services:
              echo:
                image: flask-nginx-redis-api-server
                entrypoint: ["python3", "-uc"]
                command:
                  - |
                    import socket
                    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    s.bind(("0.0.0.0", 5000))
                    while True:
                        data, sender = s.recvfrom(100)
                        s.sendto(data, sender)
                stop_signal: SIGKILL
                ports: ["15000:5000/udp"]
        """)
        project("up", "-d")
        self.assertIn("0.0.0.0:15000->5000/udp", project.container("echo")["Ports"])
        for address in ("127.0.0.1", outside.here):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(0.5)

                def answered():
                    client.sendto(b"hello", (address, 15000))
                    return client.recv(64) == b"hello"
                eventually(answered, 5, f"echo by way of {address}")
        ask = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2); "
               f"s.sendto(b'hello', ('{outside.here}', 15000)); print(s.recv(9))")
        self.assertIn("hello", outside.run("python3", "-c", ask))


class Resolver(threading.Thread):
    """A name server that knows one answer."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.start()

    def run(self):
        while True:
            try:
                query, sender = self.socket.recvfrom(2048)
            except OSError:
                return
            self.asked += 1
            end = query.index(b"\0", 12) + 5
            is_a = query[end - 4:end - 2] == b"\0\1"
            answer = query[:2] + b"\x81\x80" + b"\0\1" + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0" + query[12:end]
            if is_a:
                answer += b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton("198.51.100.7")
            self.socket.sendto(answer, sender)

    def close(self):
        self.socket.close()
