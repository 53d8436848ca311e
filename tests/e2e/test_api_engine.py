"""What the engine keeps for the clients of its API: links, volumes with options, streams that are taken over."""
import json
import os
import pathlib
import socket
import struct
import subprocess
import time
import urllib.parse

from api_harness import EngineTest
from answers import SLEEP
from harness import eventually


def connects(address, port):
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex((address, port)) == 0


class EngineApi(EngineTest):
    def create(self, name, code=201, **body):
        answer = self.ask("POST", f"/containers/create?name={name}", {"Image": "busybox", "Cmd": SLEEP, **body})
        self.assertEqual(answer.status, code, answer.body)
        return answer.json().get("Id")

    def start(self, name, code=204):
        answer = self.ask("POST", f"/containers/{name}/start")
        self.assertEqual(answer.status, code, answer.body)
        return answer

    def run_container(self, name, **body):
        one = self.create(name, **body)
        self.start(name)
        return one

    def inspect(self, name):
        return self.ask("GET", f"/containers/{name}/json").json()

    def exec(self, name, *command):
        """The output and the exit code of a command in a container."""
        one = self.ask("POST", f"/containers/{name}/exec", {"Cmd": command, "AttachStdout": True, "AttachStderr": True,
                                                            "Tty": False}).json()["Id"]
        out = self.hijack("POST", f"/exec/{one}/start", b"{}")
        text, framed = b"", self.until_closed(out)
        while framed:
            size = struct.unpack(">I", framed[4:8])[0]
            text, framed = text + framed[8:8 + size], framed[8 + size:]
        return text.decode(), self.ask("GET", f"/exec/{one}/json").json()["ExitCode"]

    def hijack(self, method, target, body=b"", headers="Connection: Upgrade\r\nUpgrade: tcp\r\n", status=101):
        connection = socket.socket(socket.AF_UNIX)
        self.addCleanup(connection.close)
        connection.settimeout(10)
        connection.connect(self.socket)
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}"
                           f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            self.assertTrue(byte, head)
            head += byte
        self.assertTrue(head.startswith(f"HTTP/1.1 {status} ".encode()), head)
        return connection

    def until_closed(self, connection):
        out = b""
        while True:
            piece = connection.recv(65536)
            if not piece:
                return out
            out += piece

    def test_links_follow_their_container(self):
        self.run_container("database", ExposedPorts={"5432/tcp": {}})
        self.run_container("web", HostConfig={"Links": ["database:db"]})
        address = self.inspect("database")["NetworkSettings"]["IPAddress"]
        self.assertIn(f"{address}\tdb ", self.exec("web", "cat", "/etc/hosts")[0])
        self.assertIn(f"DB_PORT_5432_TCP=tcp://{address}:5432", self.exec("web", "env")[0])
        self.assertEqual(self.ask("DELETE", "/containers/database?force=1").status, 204)
        self.assertNotIn("\tdb ", self.exec("web", "cat", "/etc/hosts")[0])
        self.run_container("other")  # takes the address, perhaps
        self.run_container("database")
        now = self.inspect("database")["NetworkSettings"]["IPAddress"]
        self.assertIn(f"{now}\tdb ", self.exec("web", "cat", "/etc/hosts")[0])
        self.assertEqual(self.exec("web", "ping", "-c", "1", "-W", "2", "db")[1], 0)
        self.ask("POST", "/containers/database/stop?t=0")
        self.create("late", HostConfig={"Links": ["database:db"]})
        self.assertIn("Cannot link to a non running container: /database AS /late/db",
                      self.start("late", 500).json()["message"])

    def test_volume_options(self):
        outside = self.machine.base / "outside"
        outside.mkdir()
        (outside / "file").write_text("there\n")
        create = lambda name, **options: self.ask("POST", "/volumes/create", {"Name": name, "DriverOpts": options})
        self.assertEqual(create("bound", type="none", o="bind", device=str(outside)).status, 201)
        self.assertEqual(create("memory", type="tmpfs", o="size=1m", device="tmpfs").status, 201)
        self.assertEqual(create("gone", type="none", o="bind", device="/no/such").status, 201)
        self.assertIn('missing required option: "device"', create("bad", type="nfs").json()["message"])
        self.run_container("one", HostConfig={"Binds": ["bound:/b", "memory:/m"]})
        self.run_container("two", HostConfig={"Binds": ["memory:/m"]})
        self.assertEqual(self.exec("one", "cat", "/b/file")[0], "there\n")
        self.exec("one", "touch", "/m/shared")
        self.assertEqual(self.exec("two", "ls", "/m")[0], "shared\n")
        self.assertIn("tmpfs", self.exec("two", "grep", " /m ", "/proc/mounts")[0])
        mounted = lambda: "volumes/memory" in pathlib.Path(f"/proc/{self.daemon.pid}/mountinfo").read_text()
        self.ask("DELETE", "/containers/one?force=1")
        self.assertTrue(mounted())
        self.ask("DELETE", "/containers/two?force=1")
        eventually(lambda: not mounted(), 5)
        self.create("three", HostConfig={"Binds": ["gone:/g"]})
        self.assertIn("/no/such", self.start("three", 400).json()["message"])
        self.assertEqual(self.ask("DELETE", "/volumes/bound").status, 204)
        self.assertTrue((outside / "file").exists())

    def test_volume_subpath_stays_inside(self):
        self.ask("POST", "/volumes/create", {"Name": "data"})
        place = self.machine.root / "volumes" / "data" / "_data"
        (place / "sub").mkdir()
        (place / "sub" / "file").write_text("x")
        os.symlink("/etc", place / "out")
        mount = lambda path: {"Mounts": [{"Type": "volume", "Source": "data", "Target": "/s",
                                          "VolumeOptions": {"Subpath": path}}]}
        self.run_container("inside", HostConfig=mount("sub"))
        self.assertEqual(self.exec("inside", "ls", "/s")[0], "file\n")
        self.create("above", code=400, HostConfig=mount("../.."))
        self.create("led", HostConfig=mount("out"))
        self.assertIn("leads out of volume", self.start("led", 400).json()["message"])
        # Nor is an empty directory outside filled from the image, or looked into by a copy.
        outside = self.machine.base / "outside"
        outside.mkdir()
        os.symlink(outside, place / "empty")
        filling = mount("empty")
        filling["Mounts"][0]["Target"] = "/bin"
        self.create("filling", HostConfig=filling)
        self.assertIn("leads out of volume", self.start("filling", 400).json()["message"])
        self.assertEqual(os.listdir(outside), [])
        (outside / "secret").write_text("s")
        self.assertEqual(self.ask("GET", "/containers/filling/archive?path=/bin/secret").status, 404)

    def test_what_a_container_does_to_dockerenv_is_its_own_business(self):
        victim = self.machine.base / "victim"
        victim.write_text("kept")
        self.run_container("bad", Cmd=["sh", "-c", f"ln -sf {victim} /.dockerenv; exec sleep 1000"])
        eventually(lambda: self.exec("bad", "readlink", "/.dockerenv")[1] == 0, 5)
        self.assertEqual(self.ask("POST", "/containers/bad/restart?t=0").status, 204)
        self.assertEqual(victim.read_text(), "kept")
        for made in ("mkdir", "mkfifo"):
            self.assertEqual(self.exec("bad", "sh", "-c", f"rm -rf /.dockerenv; {made} /.dockerenv")[1], 0)
            self.assertEqual(self.ask("POST", "/containers/bad/restart?t=0").status, 204)

    def test_events_of_an_image_are_those_of_its_containers_too(self):
        begin = time.time()
        self.run_container("one", Cmd=["true"], Image="busybox:latest")
        eventually(lambda: self.inspect("one")["State"]["Status"] == "exited", 5)
        for image, seen in (("busybox", True), ("busybox:latest", True), ("busy", False)):
            filters = urllib.parse.quote(json.dumps({"image": [image], "event": ["start"]}))
            answer = self.ask("GET", f"/events?since={begin:.6f}&until={time.time():.6f}&filters={filters}")
            self.assertEqual('"start"' in answer.body.decode(), seen, image)

    def test_web_socket(self):
        self.create("talk", Cmd=["sh", "-c", "read line; echo got $line"], OpenStdin=True)
        key = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        refused = self.ask("GET", "/containers/talk/attach/ws?stream=1&stdout=1")
        self.assertEqual(refused.status, 400)
        one = self.hijack("GET", "/containers/talk/attach/ws?stream=1&stdin=1&stdout=1&stderr=1", headers=key)
        self.start("talk")
        one.sendall(b"\x82\x86" + bytes(4) + b"typed\n")  # a masked binary message
        seen = self.until_closed(one)
        self.assertEqual(seen[:12], b"\x82\x0agot typed\n")
        self.assertEqual(seen[12] & 0x0f, 8)  # and the end

    def test_attach_half_close_and_detach(self):
        self.create("cat", Cmd=["sh", "-c", "cat; echo end"], OpenStdin=True, StdinOnce=True)
        one = self.hijack("POST", "/containers/cat/attach?stream=1&stdin=1&stdout=1")
        self.start("cat")
        one.sendall(b"in\n")
        one.shutdown(socket.SHUT_WR)
        framed = self.until_closed(one)
        self.assertEqual(framed[8:11] + framed[-4:], b"in\nend\n")
        self.create("term", Cmd=["sh"], OpenStdin=True, Tty=True)
        two = self.hijack("POST", "/containers/term/attach?stream=1&stdin=1&stdout=1")
        self.start("term")
        two.sendall(b"echo a$((1+1))\n")
        seen = b""
        while b"a2\r\n" not in seen:
            seen += two.recv(4096)
        two.sendall(b"\x10\x11")  # ctrl-p ctrl-q
        self.until_closed(two)
        self.assertTrue(self.inspect("term")["State"]["Running"])
        three = self.hijack("POST", "/containers/term/attach?stream=1&stdin=1&stdout=1")
        three.sendall(b"exit 4\n")
        self.until_closed(three)
        eventually(lambda: self.inspect("term")["State"]["ExitCode"] == 4, 5)

    def test_auto_remove(self):
        self.create("gone", Cmd=["nosuch"], HostConfig={"AutoRemove": True})
        self.start("gone", 400)
        eventually(lambda: self.ask("GET", "/containers/gone/json").status == 404, 5)
        # The client that started it need not wait for it.
        self.run_container("short", Cmd=["sleep", "0.3"], HostConfig={"AutoRemove": True}, Volumes={"/anonymous": {}})
        eventually(lambda: self.ask("GET", "/containers/short/json").status == 404, 5)
        self.assertEqual(self.ask("GET", "/volumes").json()["Volumes"], [])
        eventually(lambda: os.listdir(self.machine.root / "volumes") == [], 5, "what they held is gone from the disk")
        # A restart ends it, but is no reason to remove it.
        self.run_container("again", Cmd=["sleep", "1000"], HostConfig={"AutoRemove": True})
        self.assertEqual(self.ask("POST", "/containers/again/restart?t=0").status, 204)
        for turn in ("pause", "unpause"):  # behind everything that waits in its queue
            self.assertEqual(self.ask("POST", f"/containers/again/{turn}").status, 204)
        self.assertEqual(self.inspect("again")["State"]["Status"], "running")

    def test_names_and_prefixes(self):
        ids = [self.create(f"n{i}", Cmd=["true"]) for i in range(40)]
        first = next(one[:1] for one in ids if sum(other[0] == one[0] for other in ids) > 1)
        self.assertEqual(self.ask("GET", f"/containers/{first}/json").status, 400)
        self.assertEqual(self.inspect(ids[0][:12])["Name"], "/n0")
        self.create("n1", code=409, Cmd=["true"])

    def test_networks_live(self):
        net = {"Name": "six", "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "fd00:99::/64"}]},
               "Options": {"com.docker.network.bridge.name": "mybridge0"}}
        self.assertEqual(self.ask("POST", "/networks/create", net).status, 201)
        self.ask("POST", "/networks/create", {"Name": "inner", "Internal": True})
        # A firewall of somebody else that forwards nothing.
        for command in ("add table ip foreign", "add chain ip foreign FORWARD { type filter hook forward priority 0 ; policy drop ; }"):
            subprocess.run(["nft", *command.split(" ", 2)[:2], command.split(" ", 2)[2]], check=True)
        self.addCleanup(subprocess.run, ["nft", "delete", "table", "ip", "foreign"])
        rules = ["nft", "list", "table", "ip", "foreign"]
        eventually(lambda: b"stk-" in subprocess.run(rules, capture_output=True).stdout, 3, "the engine opened its way")
        self.run_container("one", HostConfig={"NetworkMode": "six"})
        self.run_container("two", HostConfig={"NetworkMode": "six"})
        self.assertIn("mybridge0", subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout)
        self.assertEqual(self.exec("one", "ping", "-c", "1", "-W", "2", "two")[1], 0)
        six = self.inspect("two")["NetworkSettings"]["Networks"]["six"]["GlobalIPv6Address"]
        self.assertTrue(six.startswith("fd00:99::"), six)
        eventually(lambda: self.exec("one", "ping", "-6", "-c", "1", "-W", "2", six)[1] == 0, 10)
        self.assertEqual(self.ask("POST", "/networks/inner/connect", {"Container": "one", "EndpointConfig": {
            "Aliases": ["known"]}}).status, 200)
        self.run_container("three", HostConfig={"NetworkMode": "inner"})
        self.assertEqual(self.exec("three", "ping", "-c", "1", "-W", "2", "known")[1], 0)
        self.assertNotIn("default", self.exec("three", "ip", "route")[0])
        self.assertEqual(self.ask("POST", "/networks/inner/disconnect", {"Container": "one"}).status, 200)
        self.assertNotEqual(self.exec("three", "ping", "-c", "1", "-W", "1", "known")[1], 0)
        self.assertEqual(sorted(one["Name"] for one in self.ask("GET", "/networks/six").json()["Containers"].values()),
                         ["one", "two"])

    def test_a_port_goes_with_the_network_it_was_published_on(self):
        self.ask("POST", "/networks/create", {"Name": "front"})
        bindings = {"PortBindings": {"80/tcp": [{"HostPort": "18123"}]}, "NetworkMode": "front"}
        self.run_container("web", Cmd=["httpd", "-f", "-p", "80"], HostConfig=bindings)
        eventually(lambda: connects("127.0.0.1", 18123), 5)
        self.assertEqual(self.ask("POST", "/networks/front/disconnect", {"Container": "web"}).status, 200)
        self.assertFalse(connects("127.0.0.1", 18123))
        self.ask("POST", "/networks/create", {"Name": "back"})
        again = {**bindings, "NetworkMode": "back"}
        self.run_container("heir", Cmd=["httpd", "-f", "-p", "80"], HostConfig=again)
        eventually(lambda: connects("127.0.0.1", 18123), 5)

    def test_containers_share_the_memory_of_a_shareable_one(self):
        self.run_container("private")
        self.run_container("donor", HostConfig={"IpcMode": "shareable", "ShmSize": 1 << 20})
        self.assertEqual(self.exec("donor", "sh", "-c", "echo shared >/dev/shm/file"), ("", 0))
        self.run_container("guest", HostConfig={"IpcMode": "container:donor"})
        self.run_container("other", HostConfig={"IpcMode": "container:guest"})
        self.assertEqual(self.exec("other", "cat", "/dev/shm/file"), ("shared\n", 0))
        self.assertIn("size=1024k", self.exec("guest", "grep", " /dev/shm ", "/proc/mounts")[0])
        self.assertNotEqual(self.exec("private", "cat", "/dev/shm/file")[1], 0)
        # A restart empties it for those who come; who has joined keeps what there was.
        self.assertEqual(self.ask("POST", "/containers/donor/restart?t=0").status, 204)
        self.assertEqual(self.exec("donor", "ls", "/dev/shm"), ("", 0))
        self.assertEqual(self.exec("guest", "cat", "/dev/shm/file"), ("shared\n", 0))
        self.create("refused", Cmd=["true"], HostConfig={"IpcMode": "container:private"})
        answer = self.ask("POST", "/containers/refused/start")
        self.assertIn("non-shareable IPC (hint: use IpcMode:shareable for the donor container)", answer.json()["message"])
        self.ask("POST", "/containers/donor/stop?t=0")
        self.create("late", Cmd=["true"], HostConfig={"IpcMode": "container:donor"})
        self.assertRegex(self.ask("POST", "/containers/late/start").json()["message"],
                         "^failed to join IPC namespace: container [0-9a-f]{64} is not running$")
        self.assertNotIn("/shm ", pathlib.Path("/proc/mounts").read_text().replace("/dev/shm ", ""))

    def test_stop_signals_and_times(self):
        deaf = ["sh", "-c", "trap '' TERM; trap 'exit 5' USR1; echo ready; while :; do sleep 0.05; done"]
        ready = lambda name: eventually(lambda: b"ready" in self.ask("GET", f"/containers/{name}/logs?stdout=1").body, 5)
        self.run_container("deaf", Cmd=deaf)
        ready("deaf")
        begin = time.monotonic()
        self.assertEqual(self.ask("POST", "/containers/deaf/stop?t=1").status, 204)
        self.assertTrue(0.9 < time.monotonic() - begin < 4)
        self.assertEqual(self.inspect("deaf")["State"]["ExitCode"], 137)
        self.run_container("hears", Cmd=deaf, StopSignal="SIGUSR1")
        ready("hears")
        self.assertEqual(self.ask("POST", "/containers/hears/stop?t=5").status, 204)
        self.assertEqual(self.inspect("hears")["State"]["ExitCode"], 5)
