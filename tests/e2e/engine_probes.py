#!/usr/bin/env python3
"""What an engine answers: a fixed series of requests, and of each answer its status, its error text and the shape of its
document. test_api_documents.py holds ours against those of Docker Engine 28.5, which this program records:

    DOCKER_SOCKET=/var/run/docker.sock tests/e2e/engine_probes.py > tests/e2e/golden/engine-28.5.json

What an answer looks like is told in answers.py.
"""
import json
import time
import os
import sys

from answers import PREFIX, SLEEP, Probes, filtered, loose
from event_probes import events
from refused_probes import bad_requests, failing_starts, unknown_names


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
        answer = p.record(f"network create, {what}", "POST", "/networks/create", body)
        if answer.status == 201:
            p.ask("DELETE", f"/networks/{answer.json()['Id']}")
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
    for name, query in (("stats", "stream=0"), ("stats, one shot", "stream=0&one-shot=1")):
        p.record(name, "GET", f"{at}/stats?{query}")
        p.answers[name]["shape"] = loose(p.answers[name]["shape"])
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
    time.sleep(0.3)  # until the program has set its trap
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
