"""Random projects: services with many attributes, other objects, overrides, extends, include, variables."""

import case as cases
from random_values import Bad, Raw, Values

DIGEST = "sha256:" + "a1" * 32


class Project(Values):
    NAMES = ["web", "db", "cache", "worker"]

    def __init__(self, seed):
        super().__init__(seed)
        self.files = {}
        self.declared = []  # services
        self.included = False
        self.networks, self.volumes, self.secrets, self.configs, self.models = set(), set(), set(), set(), set()

    def name(self, of, *more):
        """Of an object that is to be declared."""
        name = self.random.choice(list(more))
        if not self.wild or not self.chance(0.1):
            of.add(name)
        return name

    # Values of services' attributes.

    def image(self):
        return self.text("busybox", "nginx:1", "nginx:${TAG:-1}", "r.example:5000/x@" + DIGEST, "r.example/a/b:1.2-x@" + DIGEST, "${REGISTRY:-docker.io}/library/redis:${TAG:-7}")

    def command(self):
        if self.odd and self.chance(0.4):
            return self.odd_command()
        return self.text("echo one", ["echo", "two"], "sh -c 'a b'", "x && y", "", [], "echo $$HOME", ["a", "${TAG:-b}"], Raw("|\n      echo a\n      echo b"), Raw(">-\n      folded\n      text \"q q\""),
                         "run --name=\"a b\" c\\ d", None, Bad('echo "open'), Bad(["a", 1]), Bad(5))

    def port(self):
        if self.odd and self.chance(0.4):
            return self.odd_port()
        return self.one("80:80", "8080:80/udp", "127.0.0.1:81:81", "90", lambda: 3000, "5000-5002:5000-5002", "6000-6002:7000", "[::1]:53:53", ":22", "${PORT:-9000}:90", "${PORT}:${NUM:-1}", "0.0.0.0:${PORT:-1}-9999:443",
                        "1000-1001:2000-2001/sctp", "127.0.0.1::99", Bad("80:99999"), Bad("1-2:1-3"), Bad("http"), Bad(Raw("22:22")), Bad("${UNSET}:80"), Bad("1.2.3:80:80"), Bad("80:80/xyz"), Bad(0),
                        lambda: {"target": self.number(80, 443), "published": self.one("8080", 8081, "9000-9001", "${PORT}"), "protocol": self.word("tcp", "udp"), **self.part({"name": "n", "app_protocol": "http", "x-a": 1})},
                        lambda: {"target": 80, "mode": self.one("host", "ingress"), "host_ip": self.one("127.0.0.1", "::1", Bad("nowhere"))}, Bad({"published": 80}), Bad({"target": "x"}), Bad({"target": 80, "tgt": 1}))

    def mount(self, target):
        if self.odd and self.chance(0.4):
            return self.odd_mount()
        volume = self.name(self.volumes, "data", "logs")
        return self.one(f"{volume}:/{volume}{target}", f"{volume}:/var/{volume}{target}:ro", f"./src:/src{target}", f"../up:/up{target}:z", f"/abs:/abs{target}:rshared,ro", f"~/home:/home{target}", f"/anonymous{target}",
                        f"${{DIR:-./d}}:/dir{target}/", f"./cached:/c{target}:cached", f".:/dot{target}:rw,Z", f"{volume}:/n{target}:nocopy", f"/var/run/docker.sock:/sock{target}", Bad(f"./a:/b{target}:c:d"), Bad(":/x"), Bad(""),
                        Bad("${EMPTY}:/dir"), Bad(f"a b:/x{target}"), Bad(f"./a:/b{target}:wat"), Bad(f"{volume}:rel"), Bad(5),
                        lambda: {"type": "bind", "source": self.text("./x", "/y"), "target": f"/bind{target}", **self.part({"read_only": self.flag, "bind": lambda: self.part({"create_host_path": self.flag, "propagation": "rslave", "selinux": self.one("z", "Z", Bad("x")), "recursive": "disabled"}), "consistency": "cached"})},
                        lambda: {"type": "volume", "source": volume, "target": f"/long{target}/", "volume": self.part({"nocopy": self.flag, "subpath": "s", "labels": lambda: self.pairs(["a"])})},
                        lambda: {"type": "volume", "target": f"/nameless{target}"}, lambda: {"type": "image", "source": "busybox", "target": f"/image{target}", "image": self.part({"subpath": "p"})},
                        lambda: {"type": "tmpfs", "target": f"/tmpfs{target}", "tmpfs": self.part({"size": self.size, "mode": self.one(1777, Bad("0755"), Raw("0o700"), Bad("rwx"))})},
                        Bad({"type": "nothing", "target": "/wrong"}), Bad({"type": "bind", "target": "/wrong"}), Bad({"source": "x"}))

    def file(self, of, kind):
        name = self.name(of, f"{kind}1", f"{kind}2")
        return self.one(name, name, lambda: {"source": name, "target": self.text("/t", "rel", name)},
                        lambda: {"source": name, "uid": self.one("5", Bad(5)), "gid": "6", "mode": self.one(0o440, "0440", Raw("0440"), Raw("0o400"), Bad("x"))})

    def health(self):
        out = {"test": self.one("exit 0", ["CMD", "true"], ["CMD-SHELL", "x || y"], "curl -f http://localhost:${PORT:-80}", "echo $$X", ["NONE"], Bad(["CMD-SHELL", "x", "y"]), Bad(["curl"]), Bad([]))}
        out |= self.part({"interval": self.duration, "timeout": self.duration, "start_period": self.duration, "start_interval": self.duration, "retries": lambda: self.number(3, 5), "x-h": 1}, 0, 4)
        return self.one(out, out, out, {"disable": self.flag()}, Bad({"interval": "1s"}))

    def ulimits(self):
        return self.part({"nofile": lambda: self.one(5, "6", {"soft": 1, "hard": 2}, {"soft": "${NUM}", "hard": 99}, Bad({"soft": 1}), Bad("x")), "nproc": lambda: self.number(7), "core": -1}, 1)

    def hosts(self):
        return self.one(["h:1.2.3.4", "g=::1"], {"h": "1.2.3.4", "k": ["5.6.7.8", "::2"]}, ["h=[::1]"], ["h:host-gateway"], {"h": "${ADDRESS:-9.9.9.9}"}, ["h:1.2.3.4", "h:4.3.2.1"], Bad(["lonely"]), Bad(["h:1.2.3.4", "h:1.2.3.4"]), Bad({"h": None}))

    def build(self):
        out = {"context": self.text(".", "./ctx", "https://example.com/x.git", "../up", "git@github.com:a/b.git#main:sub", "~/c", "${DIR:-.}/app")}
        out |= self.part({"dockerfile": lambda: self.text("Dockerfile.dev", "../D", "sub/Dockerfile"), "args": lambda: self.pairs(["A", "B", "TAG", "UNSET"]), "target": lambda: self.text("prod"), "labels": lambda: self.pairs(["a", "b"]),
                          "tags": lambda: self.some(["x:1", "y:2"], 1), "cache_from": lambda: self.one(["c:1"], ["type=registry,ref=x/y", "z"]), "cache_to": ["type=local,dest=./c"], "network": "host", "shm_size": self.size, "extra_hosts": self.hosts,
                          "no_cache": self.flag, "pull": self.flag, "privileged": self.flag, "platforms": lambda: self.some(["linux/amd64", "linux/arm64"], 1), "isolation": "x", "entitlements": ["network.host"],
                          "additional_contexts": lambda: self.pairs(["x", "y"], lambda: self.one("./other", "docker-image://alpine", "https://e.example/x.git", "../o")), "secrets": lambda: [self.file(self.secrets, "secret")],
                          "ssh": ["default"], "ulimits": lambda: self.one({"nofile": 5}, {"nofile": {"soft": 1, "hard": 2}}), "provenance": lambda: self.one(True, "mode=max"), "sbom": True,
                          "x-b": {"a": 1}, **({"dokerfile": "x"} if self.wild else {})}, 0, 4)  # fmt: skip
        if "dockerfile" not in out and self.chance(0.1):
            out["dockerfile_inline"] = "FROM x\nRUN ${TAG:-y} $$z\n"
        return self.one(out, out, out["context"])

    def deploy(self):
        update = lambda: self.part({"parallelism": lambda: self.number(2), "delay": self.duration, "failure_action": "pause", "monitor": self.duration, "max_failure_ratio": lambda: self.one(0.3, "0.5"), "order": lambda: self.word("start-first", "stop-first", Bad("first"))}, 1)  # noqa: E731
        return self.part({
            "replicas": lambda: self.number(1, 2, 3), "labels": lambda: self.pairs(["a", "b"]), "mode": lambda: self.word("replicated", "global"), "endpoint_mode": lambda: self.word("vip", "dnsrr"),
            "resources": lambda: {"limits": self.part({"cpus": self.one("0.5", 0.5, "1"), "memory": self.size, "pids": lambda: self.number(10), "x-l": 1}),
                                  "reservations": self.part({"memory": "32m", "cpus": "0.25", "generic_resources": [{"discrete_resource_spec": {"kind": "gpu", "value": 2}}],
                                                             "devices": lambda: [{"capabilities": ["gpu"], **self.one({"count": self.one(1, "all", "2", Bad("x"))}, {"device_ids": ["0", "1"]}, {}, Bad({"count": 1, "device_ids": ["0"]})), **self.part({"driver": "nvidia", "options": lambda: self.pairs(["a"])})}]}), **self.part({"x-r": {"a": 1}}, 0, 1)},
            "restart_policy": lambda: self.part({"condition": lambda: self.word("on-failure", "any", "none", "unless-stopped"), "max_attempts": lambda: self.number(3), "delay": self.duration, "window": self.duration}, 1),
            "placement": lambda: self.part({"constraints": lambda: self.some(["a==b", "c!=d"]), "preferences": [{"spread": "zone"}], "max_replicas_per_node": lambda: self.number(1)}, 1),
            "update_config": update, "rollback_config": update, "x-d": [1]}, 1)  # fmt: skip

    def depends_on(self, own):
        others = self.declared[: self.declared.index(own)] if own in self.declared else self.declared  # no cycles
        if self.wild and self.chance(0.2):
            others = self.NAMES
        chosen = self.some(others, min(1, len(others)), 2)
        condition = lambda: self.word("service_started", "service_healthy", "service_completed_successfully", Bad("service_ready"))  # noqa: E731
        return self.one(chosen, {n: {"condition": condition(), **self.part({"restart": self.flag, "required": self.one(True, False), "x-d": 1})} for n in chosen})

    def service_networks(self):
        chosen = {self.name(self.networks, "front", "back"): None for _ in range(self.random.randint(1, 2))}
        if self.chance(0.2):
            chosen["default"] = None
        return self.one(list(chosen), {n: self.one(None, {}, self.part({"aliases": lambda: self.some(["x", "y", Bad("x")], 1), "ipv4_address": "10.5.0.5", "ipv6_address": "2001::5", "priority": 5, "mac_address": "02:42:ac:11:00:01", "link_local_ips": ["169.254.1.1"],
                                                                        "driver_opts": {"a": self.one("b", 1)}, "gw_priority": 1, "interface_name": "eth9", "x-n": 1})) for n in chosen})  # fmt: skip

    def env_file(self):
        item = lambda: self.one("one.env", "./two.env", {"path": "two.env"}, {"path": "nope.env", "required": False}, {"path": "one.env", "required": self.flag()}, {"path": "raw.env", "format": "raw"}, "${EMPTY}one.env",  # noqa: E731
                                Bad("nope.env"), Bad({"path": "one.env", "format": "dotenv"}), Bad({"file": "one.env"}), Bad({"required": False}))  # fmt: skip
        return self.one(item, lambda: [item()], lambda: [item(), item()]) if self.wild else self.one("one.env", lambda: [item()], lambda: [item(), item()])

    def watch(self):
        action = self.one("rebuild", "sync", "restart", "sync+restart", "sync+exec", Bad("copy"))
        out = {"path": self.text("./src", "/abs/p", "../w", "pkg.json"), "action": action} | self.part({"ignore": ["node_modules/"], "include": lambda: self.one("*.go", ["a", "b"]), "initial_sync": lambda: self.one(True, False), "x-w": 1})
        if action.startswith("sync"):
            out["target"] = self.one("/t", "/u/")
        if action.endswith("exec") and not (self.wild and self.chance(0.2)):
            out["exec"] = {"command": self.one("reload now", ["kill", "-HUP", "1"]), **self.part({"user": "root", "working_dir": "/w", "privileged": self.flag, "environment": lambda: self.pairs(["A"])})}
        return out

    def hook(self):
        return {"command": self.one(self.command, "x", ["a", "b"]) if self.wild else self.one("x y", ["a", "b"]), **self.part({"user": "root", "privileged": self.flag, "working_dir": "/w", "environment": lambda: self.pairs(["A", "B"])})}

    def service_models(self):
        name = self.name(self.models, "llm", "embed")
        return self.one([name], {name: None}, {name: {"endpoint_var": "URL", "model_var": "M"}}, {name: self.part({"endpoint_var": "U_${NUM:-1}", "x-m": 1})})

    def blkio(self):
        throttle = lambda: [{"path": "/dev/sda", "rate": self.one("12mb", 100, "1k")}]  # noqa: E731
        return self.part({"weight": lambda: self.one(300, Bad("300")), "weight_device": lambda: [{"path": "/dev/sda", "weight": self.one(400, Bad("400"))}], "device_read_bps": throttle, "device_write_bps": throttle, "device_read_iops": lambda: [{"path": "/dev/sdb", "rate": 5}],
                          "device_write_iops": throttle}, 1)  # fmt: skip

    def attributes(self, own):
        words = lambda *options: lambda: self.some([*options, Bad(options[0])], 1)  # noqa: E731
        return {
            "command": self.command, "entrypoint": self.command, "environment": lambda: self.pairs(["A", "B", "C", "TAG", "UNSET", "E.x"]), "labels": lambda: self.pairs(["l.a", "l.b", "l.c", "traefik.http.routers.x.rule"]),
            "annotations": lambda: self.pairs(["a", "b"]), "ports": lambda: [self.port() for _ in range(self.random.randint(0, 3))], "volumes": lambda: [self.mount(n) for n in range(self.random.randint(1, 3))],
            "depends_on": lambda: self.depends_on(own), "networks": self.service_networks, "healthcheck": self.health, "build": self.build, "deploy": self.deploy,
            "restart": lambda: self.word("always", "no", Raw("no"), "on-failure:3", "unless-stopped", Bad(False), Bad("sometimes")), "user": lambda: self.text("root", "1000:1000", Raw("1000:1000"), Bad(5)),
            "hostname": lambda: self.text("h", "h.example"), "container_name": lambda: self.word(own + "1", "my_" + own, own + "-${NUM}", "${TAG:-t}." + own, Bad("!"), Bad("a b"), Bad("same")), "init": self.flag, "tty": self.flag, "privileged": self.flag, "read_only": self.flag, "stdin_open": self.flag,
            "mem_limit": self.size, "shm_size": self.size, "mem_reservation": self.size, "mem_swappiness": lambda: self.number(10), "memswap_limit": lambda: self.one(self.size, -1), "cpus": lambda: self.number(0.5, 2), "cpu_shares": lambda: self.number(73),
            "cpu_quota": lambda: self.number(50000), "cpu_period": lambda: self.number(100000), "cpuset": lambda: self.word("0-1", "0,1"), "cpu_count": 2, "cpu_percent": 50, "cpu_rt_runtime": lambda: self.one(95000, "95000", Bad("400ms")), "cpu_rt_period": lambda: self.number(1400),
            "pids_limit": lambda: self.number(10, -1), "scale": lambda: self.number(1, 2, 0), "stop_signal": lambda: self.text("SIGUSR1"), "stop_grace_period": self.duration, "cap_add": words("A", "B", "C"), "cap_drop": words("A", "B"),
            "cgroup": lambda: self.word("host", "private", Bad("x")), "cgroup_parent": "m", "device_cgroup_rules": words("c 1:3 mr", "a 7:* rmw"), "dns": lambda: self.one("1.1.1.1", ["1.1.1.1", "8.8.8.8"]),
            "dns_search": lambda: self.one("a.example", ["a.example", "b.example"], "."), "dns_opt": words("x", "y"), "domainname": lambda: self.text("d"), "expose": lambda: self.some([80, "81", "82-83", 84, "85/udp", "${PORT}", Bad("x"), Bad(80)], 1), "extra_hosts": self.hosts,
            "external_links": words("x:y", "z"), "tmpfs": lambda: self.one("/t", ["/t", "/u:size=1m"], Bad(["/t", "/t"])), "ulimits": self.ulimits, "sysctls": lambda: self.pairs(["net.a", "net.b"], lambda: self.one("1", 2, "${NUM}")),
            "security_opt": words("a", "b:c"), "group_add": lambda: self.some(["g", 5, Bad("g"), "${NUM}00"], 1), "gpus": lambda: self.one("all", [{"count": 1}], [{"driver": "x", "device_ids": ["0"]}], [{"count": self.one("all", 2, -1), "capabilities": ["gpu", "x"], "options": {"a": 1}}], Bad("one")),
            "devices": lambda: self.some(["/dev/a", "/dev/b:/dev/c", "/dev/d:/dev/e:r", {"source": "/dev/f", "target": "/dev/g"}, {"source": "/dev/h", "target": "/dev/i", "permissions": "rw"}, Bad({"source": "/dev/h"}), "vendor.com/class=x"], 1),
            "secrets": lambda: [self.file(self.secrets, "secret")], "configs": lambda: [self.file(self.configs, "config")], "profiles": lambda: self.some(["p", "q"], 1), "isolation": "x", "mac_address": "02:42:ac:11:00:01", "platform": lambda: self.text("linux/amd64"),
            "logging": lambda: self.part({"driver": self.one("json-file", "none"), "options": {"max-file": self.one("3", 3, None), "tag": "{{.Name}}"}, "x-l": 1}), "env_file": self.env_file, "label_file": lambda: self.one("one.env", ["two.env"], Bad("nope.env")),
            "network_mode": lambda: self.one("host", "none", "bridge", "container:abc", lambda: self.one(*["service:" + n for n in self.declared[: self.declared.index(own)]], Bad("service:web")) if own in self.declared[1:] else "none"), "links": lambda: [self.one(n, n + ":alias") for n in self.some(self.declared[: self.declared.index(own)] if own in self.declared else [], 0, 2)],
            "pull_policy": lambda: self.word("always", "missing", "if_not_present", "daily", "every_2h", "never", "build", Bad("often")), "working_dir": lambda: self.text("/w", "rel"), "pid": lambda: self.one("host", Bad("service:db")), "ipc": lambda: self.one("shareable", "private", "host", Bad("service:db")),
            "uts": "host", "userns_mode": "host", "oom_score_adj": lambda: self.one(5, -100, Bad(2000), Bad("x")), "oom_kill_disable": self.flag, "x-note": lambda: self.one("n", {"a": [1, 2.5, None, Raw("2024"), "${TAG:-t}"]}), "post_start": lambda: [self.hook()], "pre_stop": lambda: [self.hook()],
            "develop": lambda: {"watch": [self.watch() for _ in range(self.random.randint(1, 2))]}, "imge": Bad("typo"), "blkio_config": self.blkio, "attach": self.flag, "storage_opt": lambda: {"size": self.one("1g", 5)}, "runtime": lambda: self.text("runc"), "use_api_socket": lambda: self.one(True, False),
            "credential_spec": {"file": "./cred.json"}, "volumes_from": lambda: [self.one(*[n for n in self.NAMES], "container:x", "container:y:ro")] if self.wild else ["container:x"], "provider": lambda: {"type": "x", "options": self.part({"a": self.one("b", 1, True, ["c", 2]), "b": "${TAG:-v}"}, 1)}, "models": self.service_models,
        }  # fmt: skip

    RARE = {"provider": 0.1, "network_mode": 0.4, "use_api_socket": 0.2, "credential_spec": 0.3, "container_name": 0.6, "gpus": 0.5, "pid": 0.5, "models": 0.6, "scale": 0.7}
    # Docker Compose refuses both together.
    APART = [("network_mode", "networks"), ("network_mode", "mac_address"), ("scale", "container_name"), ("scale", "deploy"), ("mem_limit", "deploy"), ("cpus", "deploy"), ("mem_reservation", "deploy"), ("pids_limit", "deploy"), ("mac_address", "networks"),
             ("container_name", "deploy"), ("gpus", "deploy"), ("provider", "build"), ("links", "network_mode"), ("volumes", "tmpfs"), ("dns", "network_mode")]  # fmt: skip

    def body(self, own, least=0):
        """Attributes of a service but for its image."""
        attributes = {k: v for k, v in self.attributes(own).items() if not isinstance(v, Bad) or (self.wild and self.chance(0.2))}
        chosen = [a for a in self.random.sample(list(attributes), self.random.randint(least, 8)) if self.chance(self.RARE.get(a, 1))]
        if not self.wild:
            for a, b in self.APART:
                if a in chosen and b in chosen:
                    chosen.remove(a)
        out = {key: self.one(attributes[key]) for key in chosen}
        if not self.wild:
            out = {k: v for k, v in out.items() if v != [] or k in ("command", "entrypoint", "ports")}
        return out

    def service(self, own, whole):
        out = {"image": self.image()} if whole and not (self.wild and self.chance(0.1)) else {}
        out |= self.body(own, 0 if whole else 1)
        if not whole:
            for key in list(out):
                if self.chance(0.12):
                    out[key] = Raw(self.one("!reset " + self.flow(self.one(None, [], {}, "x")), "!override " + self.flow(out[key]), "!reset"))
        return out

    # Files.

    def services(self, names, whole=True):
        lines = ["services:"]
        for name in names:
            body = self.service(name, whole)
            lines.append(f"  {name}:" + ("" if body or (self.wild and self.chance(0.3)) else " {}"))
            style = self.chance(0.4)
            lines += [f"    {key}:" + (self.block(value, 6) if style else " " + self.flow(value)) for key, value in body.items()]
            if whole and self.common and self.chance(0.5):
                lines.append("    <<: " + self.one("*common", "[*common]", "[*common, *more]"))
        return lines

    def objects(self):
        lines = []
        # Docker Compose refuses an external object that says more than its name.
        external = lambda: {"external": self.flag(), **self.part({"name": self.word("ext"), "x-e": 1})}  # noqa: E731
        pool = lambda: {"driver": "default", "config": [{"subnet": "10.5.0.0/16", **self.part({"gateway": "10.5.0.1", "ip_range": "10.5.1.0/24", "aux_addresses": {"h": "10.5.0.9"}})}], "options": {"a": "b"}}  # noqa: E731
        for kind, names, contents in (
            ("networks", self.networks, [None, {}, lambda: {"driver": self.text("bridge")}, lambda: {"name": self.text("n")}, external, lambda: {"ipam": pool()}, lambda: self.part({"internal": self.flag, "labels": lambda: self.pairs(["a"]), "attachable": self.flag, "enable_ipv6": self.flag, "enable_ipv4": self.flag, "driver_opts": {"a": 1, "b": "${TAG:-x}"}, "x-n": 1}, 1), Bad({"extarnal": True}), Bad({"external": True, "driver": "x"})]),
            ("volumes", self.volumes, [None, {}, {"driver": "local", "driver_opts": {"type": "nfs", "n": 5, "o": "addr=${ADDRESS:-1.2.3.4},rw"}}, lambda: {"name": self.text("v")}, external, lambda: {"labels": self.pairs(["a", "b"])}, {"x-v": [1]}, Bad({"external": True, "driver": "local"}), Bad("text")]),
            ("secrets", self.secrets, [lambda: {"file": self.text("./s", "/abs/s", "~/s", "../s")}, {"environment": "TAG"}, lambda: {"external": True, **self.part({"name": "ext"})}, lambda: {"file": "./s", "labels": self.pairs(["a"]), "name": "${TAG:-n}"}, {"environment": "TAG", "x-s": 1}, Bad({}), Bad({"file": "a", "environment": "B"}), Bad({"content": "no"}), Bad(None)]),
            ("configs", self.configs, [lambda: {"file": self.text("./c", "/abs/c")}, lambda: {"content": self.text("text $$ here", "a: ${TAG:-b}\nc\n")}, Bad({"environment": "TAG"}) if self.included else {"environment": "TAG"}, lambda: {"external": True, "name": self.word("c")}, lambda: {"content": "x", "labels": self.pairs(["a"])}, Bad({"file": "a", "content": "b"})]),
            ("models", self.models, [{"model": "ai/x"}, lambda: {"model": self.text("ai/y:1"), "context_size": 1024, "runtime_flags": ["--a", "b"]}, {"model": "ai/z", "name": "zz", "x-m": 1}, Bad({}), Bad({"model": "a", "context_size": "1k"})]),
        ):  # fmt: skip
            if names:
                lines.append(f"{kind}:")
                lines += [f"  {name}: {self.flow(self.one(*contents))}" for name in sorted(names)]
        return lines

    def add_extends(self, main):
        base = ["services:", "  base:"] + [f"    {k}: {self.flow(v)}" for k, v in {"image": "base", **self.body("base")}.items() if k not in ("depends_on", "links", "container_name")]
        extends = self.one("base", {"service": "base"})
        place = self.one("here", "sub/base.yaml", "sub/base.yaml", "../base.yaml")
        if place == "here":
            main[1:1] = base[1:]
        else:
            where = "sub/base.yaml" if place.startswith("sub") else "base/common.yaml"
            if self.chance(0.3):
                base += ["  chained:", f"    extends: {self.flow(self.one('base', {'service': 'base'}))}", "    volumes: ['./chained:/chained']", "    env_file: [{path: one.env, required: false}]"]
            if self.chance(0.2):
                base[:0] = ["x-unused: &anchor {a: b}"]
            self.files[where] = base
            extends = {"file": self.one(where, "./" + where), "service": self.one("base", "chained" if any("chained" in line for line in base) else "base", Bad("nope"))}
        for env in ("one.env", "two.env", "raw.env"):
            self.files.setdefault("sub/" + env, ["S=1"])
            self.files.setdefault("base/" + env, ["S=2"])
        body = self.service("extending", whole=False)
        main += [f"  extending:\n    extends: {self.flow(extends)}"] + [f"    {k}: {self.flow(v)}" for k, v in body.items() if not isinstance(v, Raw) or not v.startswith("!")]

    def add_include(self, main):
        included = Project(self.random.random())
        included.wild, included.odd = self.wild, self.odd
        included.common, included.declared, included.included = False, ["inner"], True
        self.files["inc/compose.yaml"] = included.services(["inner"] + (["web"] if self.wild and self.chance(0.1) else [])) + included.objects()
        for env in ("one.env", "two.env", "raw.env"):
            self.files.setdefault("inc/" + env, ["I=${NUM:-inner}"])
        if self.chance(0.3):
            self.files["inc/.env"] = ["TAG=inner", "NUM=7", "FLAG=true"]
        if self.chance(0.3):
            self.files["inc/over.yaml"] = ["services:", "  inner:", f"    labels: {self.flow(self.pairs(['over', 'l.a']))}"]
        item = self.one("inc/compose.yaml", "./inc/compose.yaml", {"path": "inc/compose.yaml", "env_file": self.one("one.env", ["one.env", "two.env"], Bad("nope.env"))}, {"path": ["inc/compose.yaml"], "project_directory": self.one(".", "inc", "./other")},
                        {"path": ["inc/compose.yaml", *(["inc/over.yaml"] if "inc/over.yaml" in self.files else [])]}, Bad({"pth": "inc/compose.yaml"}), Bad("inc/nope.yaml"))  # fmt: skip
        main.append("include: " + self.flow(self.one([item], Bad(item))))

    def make(self, number):
        names = self.some(self.NAMES, 1, 3)
        self.declared = names
        self.common = self.chance(0.2)
        head = []
        if self.common:
            common = {k: v for k, v in self.body("common").items() if k not in ("depends_on", "links", "profiles", "container_name", "network_mode", "networks")}
            head += [f"x-common: &common {self.flow(common)}".replace("\n", "\n  ") if not any(isinstance(v, Raw) for v in common.values()) else "x-common: &common {environment: {X: y}}", f"x-more: &more {self.flow({'labels': self.pairs(['m', 'l.a'])})}"]
        main = self.services(names)
        if self.chance(0.25):
            self.add_extends(main)
        if self.chance(0.15):
            main.append(f"name: {self.flow(self.one('proj', 'my_${NUM:-3}', '', Bad('My Project')))}")
        if self.chance(0.1):
            head.append('version: "3.8"')
        if self.chance(0.1):
            head.append("x-top: {a: [1, '${TAG:-b}'], $$x: y}")
        if self.chance(0.2):
            self.add_include(main)
        flags = []
        if self.chance(0.45):
            over = self.services(self.some(names if not self.wild else self.NAMES, 1, 2), whole=False)
            if self.chance(0.5):
                self.files["compose.override.yaml"] = over
            else:
                self.files["over.yaml"] = over
                flags = ["-f compose.yaml -f over.yaml"]
        self.files["compose.yaml"] = head + main + self.objects()
        wild = lambda lines: lines if self.wild else []  # noqa: E731
        self.files[".env"] = ["PORT=8000", "NUM=3", "FLAG=true"] + self.random.sample(["TAG=1.2", "DIR=./dir", "EMPTY=", "NUM='4'", "# comment", "FLAG=false", "NUM=${PORT}1", *wild(['TAG="a b"', "export FLAG=no", "BARE", "NUM=x"])], 4)
        self.files["one.env"] = self.random.sample(["A=file", "E='x y'", 'F="$TAG"', "G=${NOPE:-d}", "TAG", "H=a # c", 'M="two\nlines"', "export X=1", "A.b=2", "J=${NUM}$$x", "K='${NUM}'"], 4)
        self.files["two.env"] = self.random.sample(["A=second", "C=${A}", "N=", "Y: z", "Q=\"a\\nb\""], 2)
        self.files["raw.env"] = ["A='kept'", "R=$NUM # kept"]
        if self.odd or self.chance(0.1):
            for name, often in ((".env", 0.1), ("one.env", 0.3), ("raw.env", 0.3)):
                if self.chance(often):
                    self.files[name] += self.env_lines()
            for name in [n for n in self.files if n.endswith(".yaml")]:
                self.files[name] = self.yaml_text(self.files[name])
        if self.chance(0.25):
            flags.append("--profile " + self.one("p", "q", "'*'", "p --profile q"))
        variables = self.some(["TAG=outer", "NUM=5", "FLAG=false", "PORT=7000", "COMPOSE_PROFILES=p", Bad("COMPOSE_PROJECT_NAME=Given")], 0, 2)
        command = self.one("config", "config --no-interpolate", "config --no-interpolate --format json", "config --no-normalize --format json", "config --no-path-resolution", "config --no-consistency --format json", "config --no-env-resolution --format json", "config --services", "config --volumes",
                           "config --networks", "config --images", "config --profiles", "config --environment", "config --models", f"config {names[0]}", "config --no-interpolate --no-normalize --no-path-resolution --format json") if self.chance(0.4) else "config --format json"  # fmt: skip
        command = " ".join([*variables, *flags, command])
        text = f"Generated.\n$ {command}\n" + "".join(f"-- {path} --\n" + "\n".join(lines) + "\n" for path, lines in sorted(self.files.items()))
        return cases.Case.parse(cases.ROOT / f"generated{number}.case", text), text
