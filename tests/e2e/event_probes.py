"""What an engine tells about the life of a container, a volume and a network."""
import json
import re
import time

from answers import PREFIX, shape


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
    p.answers["event"] = {"shape": shape(next(event for event in told if event["Action"] == "create"
                                              and event["Actor"]["ID"] == one))}
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
