#!/usr/bin/env python3
"""What an engine answers: a fixed series of requests, and of each answer its status, its error text and the shape of its
document. test_api_documents.py holds ours against those of Docker Engine 28.5, which this program records:

    DOCKER_SOCKET=/var/run/docker.sock tests/e2e/engine_probes.py > tests/e2e/golden/engine-28.5.json

A shape keeps names, types and what is empty, and forgets the rest: "" and 0 and null and [] are themselves, other
strings and numbers are "string" and "number", moments are "time".
"""
import contextlib
import http.client
import json
import os
import re
import socket
import sys
import time
import urllib.parse

PREFIX = "probe-"
SLEEP = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def ask(path, method, target, body=None, headers=None):
    connection = UnixConnection(path)
    headers = dict(headers or {})
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    try:
        connection.request(method, target, body=body, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def shape(value):
    if isinstance(value, dict):
        return {named(key): shape(one) for key, one in sorted(value.items())}
    if isinstance(value, list):
        return merged([shape(one) for one in value])
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return "number" if value else 0
    if value == "0001-01-01T00:00:00Z":
        return "no time"
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value):
        return "time"
    return "string" if value else ""


def named(key):
    """Members that are named after something of this run."""
    return "ID" if re.fullmatch(r"(sha256:)?[0-9a-f]{64}", key) else key


def merged(shapes):
    """A list's elements, each different one once."""
    out = []
    for one in shapes:
        if one not in out:
            out.append(one)
    return sorted(out, key=lambda one: json.dumps(one, sort_keys=True))


def plain_text(text):
    """An error text without what differs from run to run."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "<id>", text)
    text = re.sub(r"\b[0-9a-f]{12}\b", "<short id>", text)
    return re.sub(r"/var/lib/[^ ]*/", "<root>/", text)


class Probes:
    def __init__(self, path, image="busybox"):
        self.path, self.image = path, image
        self.answers = {}

    def ask(self, method, target, body=None, **options):
        return ask(self.path, method, target, body, **options)

    def record(self, name, method, target, body=None, **options):
        """Asks and keeps what the answer looks like."""
        answer = self.ask(method, target, body, **options)
        seen = {"status": answer.status}
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        if kind == "application/json" and answer.body.strip():
            with contextlib.suppress(ValueError):
                document = answer.json()
                if answer.status >= 400:
                    seen["message"] = plain_text(document.get("message", ""))
                else:
                    seen["shape"] = shape(document)
        elif kind:
            seen["type"] = kind
        assert name not in self.answers, name
        self.answers[name] = seen
        return answer

    def clean(self):
        filters = urllib.parse.quote(json.dumps({"name": [PREFIX]}))
        for one in self.ask("GET", f"/containers/json?all=1&filters={filters}").json():
            self.ask("DELETE", f"/containers/{one['Id']}?force=1&v=1")
        for one in self.ask("GET", f"/networks?filters={filters}").json():
            self.ask("DELETE", f"/networks/{one['Id']}")
        for one in self.ask("GET", f"/volumes?filters={filters}").json()["Volumes"] or []:
            self.ask("DELETE", f"/volumes/{one['Name']}?force=1")

    def create(self, name, record=None, **body):
        body = {"Image": self.image, "Cmd": SLEEP, **body}
        target = f"/containers/create?name={PREFIX}{name}"
        answer = self.record(record, "POST", target, body) if record else self.ask("POST", target, body)
        return answer.json().get("Id", "") if answer.status == 201 else ""


def filtered(**filters):
    return "filters=" + urllib.parse.quote(json.dumps({key: [value] for key, value in filters.items()}))


def system(p):
    p.record("ping", "GET", "/_ping")
    p.record("ping, head", "HEAD", "/_ping")
    for name in ("version", "info", "plugins"):
        p.record(name, "GET", f"/{name}")
    for path in ("swarm", "services", "nodes", "tasks", "secrets", "configs"):
        p.record(f"GET /{path}", "GET", f"/{path}")
    p.record("swarm unlock key", "GET", "/swarm/unlockkey")
    p.record("service create", "POST", "/services/create", {})
    p.record("swarm leave", "POST", "/swarm/leave")
    p.record("swarm update", "POST", "/swarm/update", {})
    p.record("secret create", "POST", "/secrets/create", {})
    p.record("unknown path", "GET", "/nosuch")
    p.record("unknown path, versioned", "GET", "/v1.40/nosuch")
    p.record("wrong method", "DELETE", "/info")
    p.record("version too new", "GET", "/v1.99/info")
    p.record("version too old", "GET", "/v1.12/info")
    p.record("version not a number", "GET", "/vx/info")
    p.record("session", "POST", "/session")
    p.record("events, since after until", "GET", "/events?since=20&until=10")
    p.record("events, bad moment", "GET", "/events?since=yesterday&until=10")
    p.record("events, unknown filter", "GET", "/events?until=10&" + filtered(nosuch="x"))


def bad_requests(p):
    post = lambda name, target, body, **options: p.record(name, "POST", target, body, **options)
    post("create without a body", "/containers/create", b"", headers={"Content-Type": "application/json"})
    post("create, not JSON", "/containers/create", b"{", headers={"Content-Type": "application/json"})
    post("create, wrong type", "/containers/create", {"Image": 1})
    post("create, text", "/containers/create", b"x", headers={"Content-Type": "text/plain"})
    post("create, no type", "/containers/create", b"{}")
    post("create, two documents", "/containers/create", b'{"Image":"x"} {"Image":"y"}',
         headers={"Content-Type": "application/json"})
    post("create, empty document", "/containers/create", {})
    post("create, unknown image", "/containers/create", {"Image": "nosuch-image:9"})
    post("create, bad reference", "/containers/create", {"Image": "UPPER"})
    post("create, bad name", "/containers/create?name=a%20b", {"Image": p.image})
    post("create, short name", "/containers/create?name=a", {"Image": p.image})
    host = lambda **config: {"Image": p.image, "Cmd": ["true"], "HostConfig": config}
    for name, body in {
        "restart policy": host(RestartPolicy={"Name": "sometimes"}),
        "restart policy with retries": host(RestartPolicy={"Name": "always", "MaximumRetryCount": 3}),
        "negative retries": host(RestartPolicy={"Name": "on-failure", "MaximumRetryCount": -1}),
        "restart policy and AutoRemove": host(RestartPolicy={"Name": "always"}, AutoRemove=True),
        "memory too small": host(Memory=1000),
        "swap below memory": host(Memory=64 << 20, MemorySwap=32 << 20),
        "swap without memory": host(MemorySwap=64 << 20),
        "reservation above memory": host(Memory=64 << 20, MemoryReservation=128 << 20),
        "swappiness": host(Memory=64 << 20, MemorySwappiness=101),
        "too many processors": host(NanoCpus=999_000_000_000),
        "processors and quota": host(NanoCpus=1_000_000_000, CpuQuota=1000),
        "quota": host(CpuQuota=10),
        "period": host(CpuPeriod=10),
        "cpuset": host(CpusetCpus="999"),
        "cpuset text": host(CpusetCpus="x"),
        "shares": host(CpuShares=-1),
        "block weight": host(BlkioWeight=5),
        "oom score": host(OomScoreAdj=2000),
        "shm": host(ShmSize=-1),
        "bind without a colon": host(Binds=["x"]),
        "bind to a relative path": host(Binds=["/tmp:x"]),
        "bind to the root": host(Binds=["/tmp:/"]),
        "bind of a bad volume name": host(Binds=["a/b:/x"]),
        "bind mode": host(Binds=["/tmp:/x:nosuch"]),
        "bind twice": host(Binds=["/tmp:/x", "/etc:/x"]),
        "mount type": host(Mounts=[{"Type": "nosuch", "Target": "/x"}]),
        "mount without a target": host(Mounts=[{"Type": "bind", "Source": "/tmp"}]),
        "mount without a source": host(Mounts=[{"Type": "bind", "Target": "/x"}]),
        "mount of nothing": host(Mounts=[{"Type": "bind", "Source": "/no/such", "Target": "/x"}]),
        "mount of the wrong kind": host(Mounts=[{"Type": "bind", "Source": "/tmp", "Target": "/x",
                                                  "VolumeOptions": {}}]),
        "tmpfs with a source": host(Mounts=[{"Type": "tmpfs", "Source": "/a", "Target": "/x"}]),
        "network mode": host(NetworkMode="nosuch-network"),
        "network of no container": host(NetworkMode="container:nosuch"),
        "pid of no container": host(PidMode="container:nosuch"),
        "pid mode": host(PidMode="nosuch"),
        "ipc mode": host(IpcMode="nosuch"),
        "uts mode": host(UTSMode="nosuch"),
        "cgroup mode": host(CgroupnsMode="nosuch"),
        "runtime": host(Runtime="nosuch"),
        "volumes from nothing": host(VolumesFrom=["nosuch"]),
        "link to nothing": host(Links=["nosuch:x"]),
        "port": host(PortBindings={"x/tcp": [{"HostPort": "1"}]}),
        "host port": host(PortBindings={"80/tcp": [{"HostPort": "x"}]}),
        "capability": host(CapAdd=["NOSUCH"]),
        "security option": host(SecurityOpt=["foo=bar"]),
        "log driver": host(LogConfig={"Type": "nosuch", "Config": {}}),
        "log option": host(LogConfig={"Type": "json-file", "Config": {"nosuch": "1"}}),
        "sysctl": host(Sysctls={"vm.swappiness": "1"}),
        "isolation": host(Isolation="nosuch"),
        "extra host": host(ExtraHosts=["x"]),
        "resolver": host(Dns=["x"]),
        "environment": {"Image": p.image, "Cmd": ["true"], "Env": ["=x"]},
        "working directory": {"Image": p.image, "Cmd": ["true"], "WorkingDir": "x"},
        "stop signal": {"Image": p.image, "Cmd": ["true"], "StopSignal": "NOSUCH"},
        "health interval": {"Image": p.image, "Cmd": ["true"], "Healthcheck": {"Interval": 10}},
        "exposed port": {"Image": p.image, "Cmd": ["true"], "ExposedPorts": {"x/tcp": {}}},
        "two networks": {"Image": p.image, "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"},
                         "NetworkingConfig": {"EndpointsConfig": {"bridge": {"IPAMConfig": {"IPv4Address": "x"}}}}},
        "address on the default network": {
            "Image": p.image, "Cmd": ["true"], "HostConfig": {"NetworkMode": "bridge"},
            "NetworkingConfig": {"EndpointsConfig": {"bridge": {"IPAMConfig": {"IPv4Address": "172.17.0.99"}}}}},
        "MAC address": {"Image": p.image, "Cmd": ["true"], "MacAddress": "x"},
    }.items():
        answer = post(f"create, {name}", f"/containers/create?name={PREFIX}bad", body)
        if answer.status == 201:
            p.ask("DELETE", f"/containers/{answer.json()['Id']}?force=1&v=1")


def unknown_names(p):
    for method, path, body in [
        ("GET", "containers/nosuch/json", None), ("GET", "containers/nosuch/logs?stdout=1", None),
        ("GET", "containers/nosuch/top", None), ("GET", "containers/nosuch/stats", None),
        ("GET", "containers/nosuch/changes", None), ("GET", "containers/nosuch/export", None),
        ("GET", "containers/nosuch/archive?path=/", None), ("HEAD", "containers/nosuch/archive?path=/", None),
        ("POST", "containers/nosuch/start", None), ("POST", "containers/nosuch/stop", None),
        ("POST", "containers/nosuch/restart", None), ("POST", "containers/nosuch/kill", None),
        ("POST", "containers/nosuch/pause", None), ("POST", "containers/nosuch/unpause", None),
        ("POST", "containers/nosuch/rename?name=x1", None), ("POST", "containers/nosuch/wait", None),
        ("POST", "containers/nosuch/attach", None), ("POST", "containers/nosuch/resize?h=1&w=1", None),
        ("POST", "containers/nosuch/exec", {"Cmd": ["true"]}), ("POST", "containers/nosuch/update", {}),
        ("POST", "commit?container=nosuch", {}), ("DELETE", "containers/nosuch", None),
        ("GET", "exec/nosuch/json", None), ("POST", "exec/nosuch/start", {}),
        ("POST", "exec/nosuch/resize?h=1&w=1", None), ("GET", "networks/nosuch", None),
        ("DELETE", "networks/nosuch", None), ("POST", "networks/nosuch/connect", {"Container": "x"}),
        ("POST", "networks/bridge/connect", {"Container": "nosuch"}),
        ("POST", "networks/nosuch/disconnect", {"Container": "x"}), ("GET", "volumes/nosuch", None),
        ("DELETE", "volumes/nosuch", None), ("DELETE", "volumes/nosuch?force=1", None),
    ]:
        p.record(f"{method} /{path}", method, f"/{path}", body)


def networks(p):
    name = PREFIX + "net"
    p.record("network create", "POST", "/networks/create", {"Name": name, "Labels": {"a": "b"}})
    p.record("network create again", "POST", "/networks/create", {"Name": name})
    p.record("network inspect", "GET", f"/networks/{name}")
    p.record("network list", "GET", "/networks?" + filtered(name=name))
    p.record("network list, predefined", "GET", "/networks?" + filtered(type="builtin"))
    p.record("network list, unknown filter", "GET", "/networks?" + filtered(nosuch="x"))
    p.record("network list, bad type", "GET", "/networks?" + filtered(type="nosuch"))
    p.record("network list, bad filter", "GET", "/networks?filters=x")
    for one in ("bridge", "host", "none"):
        p.record(f"network {one}", "GET", f"/networks/{one}")
        p.record(f"network remove {one}", "DELETE", f"/networks/{one}")
    for what, body in {
        "without a name": {}, "predefined": {"Name": "bridge"}, "driver": {"Name": PREFIX + "x", "Driver": "nosuch"},
        "bad name": {"Name": "a b"},
        "subnet": {"Name": PREFIX + "x", "IPAM": {"Config": [{"Subnet": "x"}]}},
        "gateway": {"Name": PREFIX + "x", "IPAM": {"Config": [{"Subnet": "10.99.0.0/24", "Gateway": "10.98.0.1"}]}},
        "second host": {"Name": PREFIX + "x", "Driver": "host"},
        "wrong type": {"Name": 1},
    }.items():
        p.record(f"network create, {what}", "POST", "/networks/create", body)
    p.ask("POST", "/networks/create", {"Name": PREFIX + "sub", "EnableIPv6": True, "Internal": True,
                                       "IPAM": {"Config": [{"Subnet": "10.231.7.0/24", "IPRange": "10.231.7.128/25",
                                                            "AuxiliaryAddresses": {"x": "10.231.7.9"}},
                                                           {"Subnet": "fd00:7::/64"}]}})
    p.record("network inspect, all members", "GET", f"/networks/{PREFIX}sub")


def volumes(p):
    name = PREFIX + "vol"
    p.record("volume create", "POST", "/volumes/create", {"Name": name, "Labels": {"a": "b"}})
    p.record("volume create, empty", "POST", "/volumes/create", {"Name": PREFIX + "vol2"})
    anonymous = p.record("volume create, anonymous", "POST", "/volumes/create", {}).json()["Name"]
    p.ask("DELETE", f"/volumes/{anonymous}")
    p.record("volume create, driver", "POST", "/volumes/create", {"Name": PREFIX + "x", "Driver": "nosuch"})
    p.record("volume create, bad name", "POST", "/volumes/create", {"Name": "a/b"})
    p.record("volume create, option", "POST", "/volumes/create", {"Name": PREFIX + "x", "DriverOpts": {"nosuch": "1"}})
    p.record("volume inspect", "GET", f"/volumes/{name}")
    p.record("volume list", "GET", "/volumes?" + filtered(name=name))
    p.record("volume list, none", "GET", "/volumes?" + filtered(name="nosuch"))
    p.record("volume list, unknown filter", "GET", "/volumes?" + filtered(nosuch="x"))


def containers(p):
    p.record("list, none", "GET", "/containers/json?" + filtered(name="nosuch"))
    p.record("list, unknown filter", "GET", "/containers/json?" + filtered(nosuch="x"))
    p.record("list, bad filter", "GET", "/containers/json?filters=x")
    p.record("list, bad status", "GET", "/containers/json?" + filtered(status="nosuch"))
    p.record("list, bad health", "GET", "/containers/json?" + filtered(health="nosuch"))
    p.record("list, bad exit code", "GET", "/containers/json?" + filtered(exited="x"))
    p.record("list, bad limit", "GET", "/containers/json?limit=x")
    plain = p.create("plain", record="container create")
    p.create("plain", record="container create again")
    p.record("container inspect, created", "GET", f"/containers/{plain}/json")
    p.record("container list, created", "GET", "/containers/json?all=1&" + filtered(name=PREFIX + "plain"))
    for verb in ("stop", "kill", "pause", "unpause", "resize?h=1&w=1", "top", "exec", "start", "start"):
        body = {"Cmd": ["true"]} if verb == "exec" else None
        again = f"{verb}, {'again' if 'start, created' in p.answers else 'created'}"
        p.record(again, "GET" if verb == "top" else "POST", f"/containers/{plain}/{verb}", body)
    p.record("container inspect, running", "GET", f"/containers/{plain}/json")
    p.record("container inspect, size", "GET", f"/containers/{plain}/json?size=1")
    p.record("container list, running", "GET", "/containers/json?" + filtered(name=PREFIX + "plain"))
    p.record("container list, size", "GET", "/containers/json?size=1&" + filtered(name=PREFIX + "plain"))
    p.record("bridge with a container", "GET", "/networks/bridge")
    full = p.create(
        "full", record="container create, much", Env=["A=b"], Labels={"a": "b"}, Hostname="host", Domainname="dom",
        User="0", WorkingDir="/tmp", Tty=True, OpenStdin=True, StdinOnce=True, Entrypoint=["sh"], Cmd=["-c", "sleep 60"],
        ExposedPorts={"80/tcp": {}, "81/udp": {}}, StopSignal="SIGINT", StopTimeout=3, Volumes={"/anonymous": {}},
        Healthcheck={"Test": ["CMD", "true"], "Interval": 3_000_000_000, "Retries": 2},
        HostConfig={
            "Binds": ["/tmp:/bound:ro", PREFIX + "vol:/volume"], "PortBindings": {"80/tcp": [{"HostPort": "0"}]},
            "Mounts": [{"Type": "tmpfs", "Target": "/tmp2", "TmpfsOptions": {"SizeBytes": 65536, "Mode": 448}},
                       {"Type": "volume", "Source": PREFIX + "vol2", "Target": "/volume2",
                        "VolumeOptions": {"NoCopy": True, "Labels": {"x": "y"}}},
                       {"Type": "bind", "Source": "/etc", "Target": "/etc2", "ReadOnly": True,
                        "BindOptions": {"Propagation": "rprivate"}}],
            "Tmpfs": {"/tmp3": "size=1m"}, "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
            "Memory": 64 << 20, "NanoCpus": 500_000_000, "PidsLimit": 50, "CapAdd": ["NET_ADMIN"], "CapDrop": ["MKNOD"],
            "Dns": ["10.0.0.1"], "DnsSearch": ["example.org"], "DnsOptions": ["ndots:1"], "ExtraHosts": ["x:10.0.0.2"],
            "GroupAdd": ["5"], "Init": True, "Sysctls": {"net.ipv4.ip_forward": "1"},
            "Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}], "ShmSize": 1 << 20, "OomScoreAdj": 10,
            "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/null2", "CgroupPermissions": "rwm"}],
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}, "ReadonlyRootfs": True,
            "SecurityOpt": ["no-new-privileges"], "NetworkMode": PREFIX + "net"},
        NetworkingConfig={"EndpointsConfig": {PREFIX + "net": {"Aliases": ["other"]}}})
    p.record("container inspect, much, created", "GET", f"/containers/{full}/json")
    p.record("start, much", "POST", f"/containers/{full}/start")
    p.record("container inspect, much, running", "GET", f"/containers/{full}/json")
    p.record("container list, much", "GET", "/containers/json?" + filtered(name=PREFIX + "full"))
    p.record("network with a container", "GET", f"/networks/{PREFIX}net")
    p.record("network in use", "DELETE", f"/networks/{PREFIX}net")
    p.record("volume in use", "DELETE", f"/volumes/{PREFIX}vol")
    p.record("connect twice", "POST", f"/networks/{PREFIX}net/connect", {"Container": full})
    p.record("disconnect, not connected", "POST", "/networks/bridge/disconnect", {"Container": full})
    p.record("connect", "POST", f"/networks/{PREFIX}net/connect", {"Container": plain})
    p.record("container inspect, two networks", "GET", f"/containers/{plain}/json")
    p.record("disconnect", "POST", f"/networks/{PREFIX}net/disconnect", {"Container": plain})
    for mode in ("none", "host"):
        one = p.create(mode, HostConfig={"NetworkMode": mode})
        p.ask("POST", f"/containers/{one}/start")
        p.record(f"container inspect, network {mode}", "GET", f"/containers/{one}/json")
    shared = p.create("shared", HostConfig={"NetworkMode": f"container:{plain}"})
    p.ask("POST", f"/containers/{shared}/start")
    p.record("container inspect, network of a container", "GET", f"/containers/{shared}/json")
    linked = p.create("linked", HostConfig={"Links": [f"{PREFIX}plain:one"]})
    p.ask("POST", f"/containers/{linked}/start")
    p.record("container inspect, linked", "GET", f"/containers/{linked}/json")
    p.record("disconnect, wrong name", "POST", "/networks/bridge/disconnect", {"Container": "nosuch"})
    return plain, full


def running(p, plain, full):
    at = f"/containers/{plain}"
    p.record("top", "GET", f"{at}/top")
    p.record("top, arguments", "GET", f"{at}/top?ps_args=-eo%20pid,comm")
    p.record("top, bad arguments", "GET", f"{at}/top?ps_args=-eo%20comm")
    p.record("stats", "GET", f"{at}/stats?stream=0")
    p.record("stats, one shot", "GET", f"{at}/stats?stream=0&one-shot=1")
    p.record("logs without a stream", "GET", f"{at}/logs")
    p.record("logs", "GET", f"{at}/logs?stdout=1")
    p.record("logs of a terminal", "GET", f"/containers/{full}/logs?stdout=1")
    p.record("logs, bad since", "GET", f"{at}/logs?stdout=1&since=x")
    p.record("logs, bad tail", "GET", f"{at}/logs?stdout=1&tail=x")
    p.record("attach, bad keys", "POST", f"{at}/attach?stream=1&stdout=1&detachKeys=nosuch")
    p.record("wait, bad condition", "POST", f"{at}/wait?condition=nosuch")
    p.record("kill, bad signal", "POST", f"{at}/kill?signal=NOSUCH")
    p.record("kill, signal 0", "POST", f"{at}/kill?signal=0")
    p.record("stop, bad time", "POST", f"{at}/stop?t=x")
    p.record("stop, bad signal", "POST", f"{at}/stop?signal=NOSUCH")
    p.record("rename, no name", "POST", f"{at}/rename")
    p.record("rename, taken", "POST", f"{at}/rename?name={PREFIX}full")
    p.record("rename, same", "POST", f"{at}/rename?name={PREFIX}plain")
    p.record("rename, bad", "POST", f"{at}/rename?name=a%20b")
    p.record("resize, no size", "POST", f"{at}/resize")
    p.record("resize, bad size", "POST", f"{at}/resize?h=x&w=1")
    p.record("resize", "POST", f"/containers/{full}/resize?h=10&w=10")
    p.record("remove, running", "DELETE", at)
    p.record("remove, link", "DELETE", f"{at}?link=1")
    p.record("changes, none", "GET", f"{at}/changes")
    p.record("update", "POST", f"{at}/update", {"Memory": 64 << 20, "MemorySwap": 128 << 20})
    p.record("update, memory above swap", "POST", f"{at}/update", {"Memory": 256 << 20})
    p.record("update, too small", "POST", f"{at}/update", {"Memory": 1})
    p.record("update, restart policy", "POST", f"{at}/update", {"RestartPolicy": {"Name": "nosuch"}})
    p.record("update, not JSON", "POST", f"{at}/update", b"x", headers={"Content-Type": "application/json"})
    p.record("archive without a path", "GET", f"{at}/archive")
    p.record("archive of nothing", "GET", f"{at}/archive?path=/nosuch")
    p.record("archive head of nothing", "HEAD", f"{at}/archive?path=/nosuch")
    p.record("archive", "GET", f"{at}/archive?path=/bin/sh")
    p.record("archive head", "HEAD", f"{at}/archive?path=/bin/sh")
    p.record("archive into a file", "PUT", f"{at}/archive?path=/bin/sh", b"", headers={"Content-Type": "application/x-tar"})
    p.record("archive into nothing", "PUT", f"{at}/archive?path=/nosuch", b"", headers={"Content-Type": "application/x-tar"})
    p.record("archive read only", "PUT", f"/containers/{full}/archive?path=/", b"", headers={"Content-Type": "application/x-tar"})
    p.record("exec without a command", "POST", f"{at}/exec", {})
    p.record("exec, not JSON", "POST", f"{at}/exec", b"x", headers={"Content-Type": "application/json"})
    exec_id = p.record("exec create", "POST", f"{at}/exec", {"Cmd": ["sh", "-c", "exit 3"], "AttachStdout": True}).json()["Id"]
    p.record("exec inspect, created", "GET", f"/exec/{exec_id}/json")
    p.record("exec resize, created", "POST", f"/exec/{exec_id}/resize?h=1&w=1")
    p.record("exec start, detached", "POST", f"/exec/{exec_id}/start", {"Detach": True})
    for _ in range(200):
        if not p.ask("GET", f"/exec/{exec_id}/json").json()["Running"]:
            break
    p.record("exec inspect, ended", "GET", f"/exec/{exec_id}/json")
    p.record("exec start again", "POST", f"/exec/{exec_id}/start", {"Detach": True})
    p.record("pause", "POST", f"{at}/pause")
    p.record("container inspect, paused", "GET", f"{at}/json")
    for verb in ("pause", "start", "exec"):
        p.record(f"{verb}, paused", "POST", f"{at}/{verb}", {"Cmd": ["true"]} if verb == "exec" else None)
    p.record("unpause", "POST", f"{at}/unpause")
    p.record("unpause, running", "POST", f"{at}/unpause")
    p.record("restart", "POST", f"{at}/restart?t=1")
    p.record("stop", "POST", f"{at}/stop?t=1")
    p.record("stop again", "POST", f"{at}/stop?t=1")
    p.record("container inspect, exited", "GET", f"{at}/json")
    p.record("container list, exited", "GET", "/containers/json?all=1&" + filtered(name=PREFIX + "plain"))
    p.record("wait, exited", "POST", f"{at}/wait")
    p.record("exec, exited", "POST", f"{at}/exec", {"Cmd": ["true"]})
    p.record("kill, exited", "POST", f"{at}/kill")
    p.record("pause, exited", "POST", f"{at}/pause")
    p.record("top, exited", "GET", f"{at}/top")
    p.record("stats, exited", "GET", f"{at}/stats?stream=0")
    p.record("remove", "DELETE", at)
    p.record("remove again", "DELETE", at)


def failing_starts(p):
    for name, body in {"no program": {"Cmd": ["nosuch"]}, "no path": {"Cmd": ["/no/such"]},
                       "not executable": {"Cmd": ["/etc/passwd"]}, "a directory": {"Cmd": ["/etc"]},
                       "no user": {"User": "nosuch"}}.items():
        one = p.create("failing", **body)
        p.record(f"start, {name}", "POST", f"/containers/{one}/start")
        p.record(f"inspect after start, {name}", "GET", f"/containers/{one}/json")
        p.ask("DELETE", f"/containers/{one}?force=1")


def images(p):
    p.record("image list", "GET", "/images/json?" + filtered(reference=p.image))
    p.record("image inspect", "GET", f"/images/{p.image}/json")
    p.record("image history", "GET", f"/images/{p.image}/history")
    p.record("system df", "GET", "/system/df")
    p.record("system df, bad type", "GET", "/system/df?type=nosuch")
    for one in ("container", "image", "volume", "build-cache"):
        p.record(f"system df, {one}", "GET", f"/system/df?type={one}")


def prunes(p):
    label = filtered(label="no.such.label=1")
    for what in ("containers", "networks", "volumes", "images"):
        p.record(f"prune {what}", "POST", f"/{what}/prune?{label}")
        p.record(f"prune {what}, unknown filter", "POST", f"/{what}/prune?{filtered(nosuch='x')}")
        if what != "volumes":
            p.record(f"prune {what}, bad until", "POST", f"/{what}/prune?{filtered(until='x', label='no.such.label=1')}")
    p.record("prune builds", "POST", f"/build/prune?{filtered(id='nosuch')}")


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def event_line(event):
    """Type, action and what it tells; of the container's labels and image only that they are there."""
    attributes = event["Actor"]["Attributes"]
    told = [f"{key}={attributes[key]}" if key in ("exitCode", "signal", "oldName", "height", "width", "type", "driver",
                                                  "destination", "propagation", "read/write") else key
            for key in sorted(attributes) if key not in ("image", "name")]
    return " ".join([event["Type"], re.sub("[0-9a-f]{64}", "<id>", event["Action"]), *told])


def events(p):
    """What is told about a container's life, in order. Events of different objects that happen at once (a network's
    and its container's) may come either way round, so each type has its own list."""
    begin = time.time()
    ask = p.ask
    one = p.create("events", HostConfig={"Mounts": [{"Type": "volume", "Source": PREFIX + "ev", "Target": "/v"}]})
    at = f"/containers/{one}"
    up = lambda: ask("GET", f"{at}/json").json()["State"]["Running"]
    ask("POST", f"{at}/start")
    time.sleep(0.3)  # until the program has set its trap
    exec_id = ask("POST", f"{at}/exec", {"Cmd": ["sh", "-c", "exit 3"]}).json()["Id"]
    ask("POST", f"/exec/{exec_id}/start", {"Detach": True})
    wait_for(lambda: not ask("GET", f"/exec/{exec_id}/json").json()["Running"])
    time.sleep(0.3)
    ask("POST", f"{at}/pause")
    ask("POST", f"{at}/unpause")
    ask("POST", f"{at}/rename?name={PREFIX}events2")
    ask("POST", f"{at}/update", {"CpuShares": 512})
    ask("GET", f"{at}/top")
    ask("GET", f"{at}/archive?path=/bin/sh")
    ask("PUT", f"{at}/archive?path=/tmp", bytes(1024), headers={"Content-Type": "application/x-tar"})
    ask("GET", f"{at}/export")
    ask("POST", f"{at}/kill?signal=HUP")
    wait_for(lambda: not up(), 2)
    ask("POST", f"{at}/start")
    time.sleep(0.3)
    ask("POST", f"{at}/restart?t=5")
    time.sleep(0.3)
    ask("POST", f"{at}/kill")
    wait_for(lambda: not up())
    time.sleep(0.3)
    ask("POST", f"{at}/start")
    time.sleep(0.3)
    ask("POST", f"{at}/stop?t=5")
    time.sleep(0.3)
    ask("DELETE", f"{at}?v=1")
    healthy = p.create("health", Healthcheck={"Test": ["CMD", "true"], "Interval": 200_000_000})
    ask("POST", f"/containers/{healthy}/start")
    wait_for(lambda: ask("GET", f"/containers/{healthy}/json").json()["State"]["Health"]["Status"] == "healthy")
    ask("DELETE", f"/containers/{healthy}?force=1")
    ask("DELETE", f"/volumes/{PREFIX}ev")
    net = ask("POST", "/networks/create", {"Name": PREFIX + "evnet"}).json()["Id"]
    ask("DELETE", f"/networks/{net}")
    end = time.time()
    told = [json.loads(line) for line in ask("GET", f"/events?since={begin:.6f}&until={end:.6f}").body.splitlines()]
    mine = lambda event: (PREFIX in event["Actor"]["Attributes"].get("name", "") or event["Actor"]["ID"].startswith(PREFIX)
                          or event["Actor"]["Attributes"].get("container") in (one, healthy))
    told = [event for event in told if mine(event)]
    p.answers["event"] = {"shape": shape(told[0])}
    for name, kind, about in (("container events", "container", one), ("network events of a container", "network", one),
                              ("volume events", "volume", None), ("network events", "network", net)):
        p.answers[name] = {"events": [
            event_line(event) for event in told if event["Type"] == kind and (
                about is None or about in (event["Actor"]["ID"], event["Actor"]["Attributes"].get("container")))]}
    # Docker mounts a volume for docker cp, too; here it is there already.
    p.answers["volume events"]["events"] = sorted(set(p.answers["volume events"]["events"]))
    # How often the check ran until here is a matter of time.
    lines = [event_line(event) for event in told if event["Actor"]["ID"] == healthy]
    p.answers["health events"] = {"events": sorted(set(lines))}


def collect(path, image="busybox"):
    p = Probes(path, image)
    p.clean()
    try:
        system(p)
        unknown_names(p)
        bad_requests(p)
        networks(p)
        volumes(p)
        plain, full = containers(p)
        running(p, plain, full)
        failing_starts(p)
        events(p)
        images(p)
        prunes(p)
    finally:
        p.clean()
    return p.answers


if __name__ == "__main__":
    answers = collect(os.environ.get("DOCKER_SOCKET", "/var/run/docker.sock"))
    lines = [f"{json.dumps(name)}: {json.dumps(answers[name], sort_keys=True)}" for name in sorted(answers)]
    print("{\n" + ",\n".join(lines) + "\n}")
