"""Requests that an engine refuses: malformed, contradictory, about what is not there, or impossible to start."""
from answers import PREFIX


def bad_requests(p):
    post = lambda name, target, body, **options: p.record(name, "POST", target, body, **options)
    subnet = p.ask("GET", "/networks/bridge").json()["IPAM"]["Config"][0]["Subnet"]
    inside = ".".join(subnet.split(".")[:2]) + ".0.99"
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
            "NetworkingConfig": {"EndpointsConfig": {"bridge": {"IPAMConfig": {"IPv4Address": inside}}}}},
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


def failing_starts(p):
    for name, body in {"no program": {"Cmd": ["nosuch"]}, "no path": {"Cmd": ["/no/such"]},
                       "not executable": {"Cmd": ["/etc/passwd"]}, "a directory": {"Cmd": ["/etc"]},
                       "no user": {"User": "nosuch"}}.items():
        one = p.create("failing", **body)
        p.record(f"start, {name}", "POST", f"/containers/{one}/start")
        p.record(f"inspect after start, {name}", "GET", f"/containers/{one}/json")
        p.ask("DELETE", f"/containers/{one}?force=1")
