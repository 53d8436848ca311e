"""Names, links and published ports."""
import json
import socket
import subprocess
import threading
import time

from api_harness import EngineTest
from harness import EndToEnd, Outside, eventually, fetch, holder_of_port, links

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


class NetworkApi(EngineTest):
    """Containers and networks by the API."""

    URL = f"http://{Outside.here}:18080/"

    def expect(self, status, method, target, body=None):
        answer = self.ask(method, target, body)
        self.assertEqual(answer.status, status, answer.body)
        return answer.json() if answer.body.strip() else None

    def network(self, name, **more):
        return self.expect(201, "POST", "/networks/create", {"Name": name, **more})["Id"]

    def web(self, name, networks, port="18080", start=True):
        """A web server in `networks` ({name: endpoint}), published unless `port` is None."""
        body = {"Image": "busybox", "ExposedPorts": {"80/tcp": {}},
                "Cmd": ["sh", "-c", f"mkdir /www; echo {name} >/www/index.html; exec httpd -f -p 80 -h /www"],
                "HostConfig": {"Init": True, "NetworkMode": next(iter(networks)),
                               "PortBindings": {"80/tcp": [{"HostPort": port}]} if port else {}},
                "NetworkingConfig": {"EndpointsConfig": networks}}
        self.expect(201, "POST", f"/containers/create?name={name}", body)
        if start:
            self.expect(204, "POST", f"/containers/{name}/start")

    def connect(self, network, container, status=200, **endpoint):
        return self.expect(status, "POST", f"/networks/{network}/connect",
                           {"Container": container, "EndpointConfig": endpoint})

    def disconnect(self, network, container):
        self.expect(200, "POST", f"/networks/{network}/disconnect", {"Container": container})

    def inspect(self, name):
        return self.expect(200, "GET", f"/containers/{name}/json")

    def ports(self, name):
        return {port: where for port, where in self.inspect(name)["NetworkSettings"]["Ports"].items() if where}

    def interfaces(self, name):
        """{interface: (MTU, [addresses])} as the kernel has them in the container."""
        pid = self.inspect(name)["State"]["Pid"]
        out = subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", "-j", "addr"], check=True, capture_output=True).stdout
        return {one["ifname"]: (one["mtu"], [a["local"] for a in one["addr_info"] if a["scope"] == "global"])
                for one in json.loads(out) if one["ifname"] != "lo"}

    def addresses(self, name):
        """What the API says: {network: address}."""
        networks = self.inspect(name)["NetworkSettings"]["Networks"]
        return {network: endpoint["IPAddress"] for network, endpoint in networks.items() if endpoint["IPAddress"]}

    def at_once(self, *calls):
        answers = [None] * len(calls)

        def call(i):
            answers[i] = self.ask(*calls[i])
        threads = [threading.Thread(target=call, args=(i,)) for i in range(len(calls))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [answer.status for answer in answers]

    def outside(self):
        outside = Outside()
        self.addCleanup(outside.close)
        return outside


class Connections(NetworkApi):
    """Networks that come to a running container and go from it."""

    def test_a_port_goes_with_the_network_it_was_published_on(self):
        outside = self.outside()
        self.network("a", IPAM={"Config": [{"Subnet": "10.231.6.0/24"}]})
        self.network("b")
        self.web("first", {"a": {}})
        eventually(lambda: outside.fetch(self.URL) == "first\n", 5)
        address = self.addresses("first")["a"]
        self.disconnect("a", "first")
        self.assertEqual(self.ports("first"), {})
        holder_of_port(18080, "0.0.0.0").close()
        # Its address is the next one's, which publishes nothing: nobody reaches it by the old port.
        self.network("late", IPAM={"Config": [{"Subnet": "10.231.7.0/24"}]})
        self.web("neighbour", {"a": {"IPAMConfig": {"IPv4Address": address}}}, port=None)
        eventually(lambda: fetch(f"http://{address}/") == "neighbour\n", 5)
        with self.assertRaises(subprocess.CalledProcessError):
            outside.fetch(self.URL)
        self.web("second", {"b": {}})
        eventually(lambda: outside.fetch(self.URL) == "second\n", 5)
        # What somebody else has by now cannot be published again, and nothing of the try is left.
        self.connect("late", "first", status=403)
        self.assertEqual((self.addresses("first"), self.interfaces("first")), ({}, {}))
        self.expect(204, "DELETE", "/containers/second?force=1")
        self.connect("late", "first")
        eventually(lambda: outside.fetch(self.URL) == "first\n", 5)
        self.assertEqual(self.interfaces("first"), {"eth0": (1500, [self.addresses("first")["late"]])})

    def test_routes_and_ports_move_to_the_network_that_is_left(self):
        outside = self.outside()
        for name in ("a", "b"):
            self.network(name)
        self.web("web", {"a": {}, "b": {}})
        eventually(lambda: outside.fetch(self.URL) == "web\n", 5)
        self.disconnect("a", "web")
        eventually(lambda: outside.fetch(self.URL) == "web\n", 5)
        self.connect("a", "web", GwPriority=10)
        eventually(lambda: outside.fetch(self.URL) == "web\n", 5)
        self.disconnect("b", "web")
        self.assertEqual(outside.fetch(self.URL), "web\n")
        self.expect(204, "POST", "/containers/web/restart?t=0")
        eventually(lambda: outside.fetch(self.URL) == "web\n", 5)

    def test_ports_are_published_where_answers_leave(self):
        outside = self.outside()
        for name in ("a", "b"):
            self.network(name)
        self.web("web", {"a": {}, "b": {"GwPriority": 10}})
        eventually(lambda: outside.fetch(self.URL) == "web\n", 5)

    def test_a_port_of_a_container_with_ipv6_alone(self):
        self.network("six", EnableIPv4=False, EnableIPv6=True)
        self.web("web", {"six": {}})
        for host in ("[::1]", "127.0.0.1"):
            self.assertEqual(eventually(lambda: fetch(f"http://{host}:18080/"), 5, host), "web\n")

    def test_internal_networks_alone_publish_nothing(self):
        self.network("inside", Internal=True)
        self.network("a")
        self.web("web", {"inside": {}})
        self.assertEqual(self.ports("web"), {})
        self.connect("a", "web")
        self.assertEqual(eventually(lambda: fetch("http://127.0.0.1:18080/"), 5), "web\n")

    def test_the_default_network_is_made_for_who_connects_to_it(self):
        self.network("wide", Options={"com.docker.network.driver.mtu": "1400"})
        self.network("own")
        self.web("web", {"own": {}}, port=None)
        self.connect("bridge", "web")
        self.assertEqual(fetch(f"http://{self.addresses('web')['bridge']}/"), "web\n")
        self.connect("wide", "web", DriverOpts={"com.docker.network.endpoint.ifname": "wide0"})
        self.assertEqual(self.interfaces("web")["wide0"], (1400, [self.addresses("web")["wide"]]))

    def test_names_come_with_the_first_network_that_has_them(self):
        self.network("names")
        self.web("other", {"names": {}}, port=None)
        self.web("plain", {"bridge": {}}, port=None)
        run = lambda *command: self.stack("container", "exec", "plain", *command).out
        read = lambda name: run("cat", f"/etc/{name}")
        self.assertNotIn("127.0.0.11", read("resolv.conf"))
        run("sh", "-c", "echo 192.0.2.9 mine >>/etc/hosts")
        begin = str(time.time())
        self.connect("names", "plain")
        own = self.addresses("plain")["names"]
        self.assertIn("nameserver 127.0.0.11\n", read("resolv.conf"))
        self.assertIn(f"\n192.0.2.9 mine\n{own}\t", read("hosts"))
        self.assertEqual(run("wget", "-qO-", "http://other/"), "other\n")
        self.disconnect("names", "plain")
        self.assertNotIn(own, read("hosts"))
        self.assertIn("192.0.2.9 mine", read("hosts"))
        self.disconnect("bridge", "plain")
        self.assertEqual(self.inspect("plain")["NetworkSettings"]["Networks"], {})
        told = self.ask("GET", f"/events?since={begin}&until={time.time()}&filters=" + '{"type":["network"]}').body
        self.assertEqual([(one["Action"], one["Actor"]["Attributes"]["name"]) for one in map(json.loads, told.splitlines())],
                         [("connect", "names"), ("disconnect", "names"), ("disconnect", "bridge")])

    def test_a_connection_that_fails_leaves_the_others(self):
        for name in ("a", "b", "c"):
            self.network(name)
        self.web("web", {"a": {}}, port=None)
        taken = {"DriverOpts": {"com.docker.network.endpoint.ifname": "eth0"}}
        good, bad = self.at_once(("POST", "/networks/b/connect", {"Container": "web"}),
                                 ("POST", "/networks/c/connect", {"Container": "web", "EndpointConfig": taken}))
        self.assertEqual(good, 200)
        self.assertGreaterEqual(bad, 400)
        said = self.addresses("web")
        self.assertEqual(sorted(said), ["a", "b"])
        self.assertEqual(self.interfaces("web"), {"eth0": (1500, [said["a"]]), "eth1": (1500, [said["b"]])})

    def test_networks_that_come_and_go_during_a_start(self):
        for name in ("a", "b", "c"):
            self.network(name)
        for round in range(5):
            self.web("web", {"a": {}, "c": {}}, port=None, start=False)
            codes = self.at_once(("POST", "/containers/web/start"),
                                 ("POST", "/networks/b/connect", {"Container": "web"}),
                                 ("POST", "/networks/c/disconnect", {"Container": "web"}))
            self.assertEqual(codes, [204, 200, 200], round)
            said = self.addresses("web")
            self.assertEqual(sorted(said), ["a", "b"])
            self.assertEqual(sorted(a for _, all in self.interfaces("web").values() for a in all), sorted(said.values()))
            self.expect(204, "DELETE", "/containers/web?force=1")


class NetworkLife(NetworkApi):
    """Networks that are made, used and removed at the same moment; bridges and ports that somebody else has."""

    def guarded(self):
        """How many bridges the firewall knows; nft does not show their names."""
        out = subprocess.run(["nft", "-j", "list", "set", "inet", "stack", "bridges"], capture_output=True).stdout
        return sum(len(one["set"].get("elem", [])) for one in json.loads(out or '{"nftables": []}')["nftables"] if "set" in one)

    def test_a_network_is_used_or_removed_never_both(self):
        for round in range(10):
            self.network("a")
            self.web("web", {"a": {}}, port=None, start=False)
            started, removed = self.at_once(("POST", "/containers/web/start"), ("DELETE", "/networks/a"))
            self.assertIn((started, removed), ((204, 403), (404, 204)), round)
            if started == 204:
                eventually(lambda: fetch(f"http://{self.addresses('web')['a']}/") == "web\n", 5)
            self.expect(204, "DELETE", "/containers/web?force=1")
            if removed != 204:
                self.expect(204, "DELETE", "/networks/a")

    def test_a_network_that_is_still_being_made_is_not_there_to_remove(self):
        for round in range(10):
            # No name that an id may begin with: it would stand for the network of that id while this one is not there.
            made, removed, again = self.at_once(("POST", "/networks/create", {"Name": "new"}), ("DELETE", "/networks/new"),
                                                ("DELETE", "/networks/new"))
            self.assertEqual(made, 201, round)
            self.assertLessEqual({removed, again}, {204, 404})
            if 204 not in (removed, again):
                self.expect(204, "DELETE", "/networks/new")
        self.assertEqual([name for name in links() if name.startswith("stk-")], [])

    def test_networks_that_are_made_while_the_firewall_is_restored(self):
        self.network("first")
        for round in range(6):
            subprocess.run(["nft", "delete", "table", "inet", "stack"], check=True)
            # The engine looks after 200 ms; what is made around that moment is in the new table too.
            for number in range(12):
                subnet = f"10.24{round}.{number}.0/24"
                self.network(f"n{round}-{number}", IPAM={"Config": [{"Subnet": subnet}]})
            made = len([name for name in links() if name.startswith("stk-")])
            eventually(lambda: self.guarded() == made, 5, f"{made} bridges are guarded")

    def test_a_bridge_of_the_user_is_used_and_left(self):
        subprocess.run(["ip", "link", "add", "br0", "type", "bridge"], check=True)
        self.addCleanup(subprocess.run, ["ip", "link", "del", "br0"], stderr=subprocess.DEVNULL)
        options = {"com.docker.network.bridge.name": "br0"}
        self.network("mine", Options=options)
        answer = self.ask("POST", "/networks/create", {"Name": "other", "Options": options})
        self.assertIn("networks have same bridge name", answer.json()["message"])
        self.assertEqual(self.guarded(), 1)
        self.web("web", {"mine": {}})
        self.assertEqual(eventually(lambda: fetch("http://127.0.0.1:18080/"), 5), "web\n")
        self.expect(204, "DELETE", "/containers/web?force=1")
        self.expect(204, "DELETE", "/networks/mine")
        self.assertIn("br0", links())
        self.assertEqual(self.guarded(), 0)
        subprocess.run(["ip", "link", "del", "br0"], check=True)

    def test_an_interface_that_is_no_bridge_is_refused(self):
        self.outside()
        before = subprocess.run(["ip", "addr", "show", "out0"], check=True, capture_output=True).stdout
        answer = self.ask("POST", "/networks/create",
                          {"Name": "a", "Options": {"com.docker.network.bridge.name": "out0"}})
        self.assertEqual(answer.json()["message"], "existing interface out0 is not a bridge")
        self.assertEqual(self.expect(200, "GET", '/networks?filters={"name":["a"]}'), [])
        self.assertEqual(subprocess.run(["ip", "addr", "show", "out0"], capture_output=True).stdout, before)

    def test_a_range_of_ports_skips_what_the_host_uses(self):
        self.network("a")
        with holder_of_port(18080, "0.0.0.0"):
            self.web("web", {"a": {}}, port="18080-18081")
        self.assertEqual({one["HostPort"] for one in self.ports("web")["80/tcp"]}, {"18081"})
        self.assertEqual(eventually(lambda: fetch("http://127.0.0.1:18081/"), 5), "web\n")


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
