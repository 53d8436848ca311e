#!/usr/bin/env python3
"""Random projects, valid and not, on which `stack config` and Docker Compose must agree.

    generate.py --count 1000 [--seed 1] [--keep DIRECTORY]    makes projects, runs both (see peer.py), prints the agreement

The same seed makes the same projects. Those on which the two differ are written to the directory as .case files; what is learned from
them belongs into cases/.
"""

import argparse
import concurrent.futures
import json
import os
import random
import shutil
import sys
from pathlib import Path

import case as cases
import peer
import run


class Raw(str):
    """YAML that is written as it is."""


def flow(value):
    """YAML in flow style."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(v) for v in value) + "]"
    return json.dumps(value)


class Project:
    NAMES = ["web", "db", "cache", "worker"]
    VARIABLES = ["TAG", "PORT", "NUM", "FLAG", "DIR", "EMPTY", "UNSET"]

    # Choices that are mistakes, most of which Docker Compose refuses: only wild projects make them.
    MISTAKES = {"10x", "10", "5 s", "80:99999", "1-2:1-3", "http", "./a:/b:c:d", ":/x", "0755", "nothing", "first", "often", "service_ready", "!", "300", "nope",
                "nope.env", "x", "lonely", "nowhere", "many", "maybe", 'echo "open', "imge"}  # fmt: skip

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.wild = self.random.random() < 0.35
        self.files = {}
        self.declared = []  # services
        self.networks, self.volumes, self.secrets, self.configs = set(), set(), set(), set()

    # Choices.

    def chance(self, probability):
        return self.random.random() < probability

    def one(self, *options):
        if not self.wild:
            options = [o for o in options if not self.mistaken(o)] or options
        chosen = self.random.choice(options)
        return chosen() if callable(chosen) else chosen

    def mistaken(self, option):
        if isinstance(option, str):
            return option in self.MISTAKES or ":?" in option or option.startswith(("${NUM", "${FLAG}"))
        return option in (1.5, ["curl"], ["lonely"], ["a", 1], ["h:1.2.3.4", "h:1.2.3.4"], {"soft": 1}, {"published": 80})

    def some(self, options, least=0, most=3):
        return [self.one(o) for o in self.random.sample(options, min(len(options), self.random.randint(least, most)))]

    # Values.

    def text(self, *plain):
        """A string, now and then with a variable."""
        value = self.one(*plain)
        if not isinstance(value, str) or isinstance(value, Raw) or not self.chance(0.15):
            return value
        name = self.random.choice(self.VARIABLES)
        return self.one(f"${{{name}:-{value}}}", f"${{{name}-{value}}}", f"{value}", f"${{{name}:+{value}}}", f"${name}", f"${{{name}}}{value}",
                        f"{value}$$", f"${{{name}:?needed}}")

    def number(self, *plain):
        value = self.one(*plain)
        return self.one(value, value, value, str(value), "${NUM}", f"${{UNSET:-{value}}}", Raw("many"), 1.5) if self.chance(0.3) else value

    def flag(self):
        return self.one(True, False, True, False, "true", "no", "${FLAG}", "${FLAG:-false}", Raw("yes"), Raw("maybe"), 1) if self.chance(0.3) else \
            self.one(True, False)

    def size(self):
        return self.text("64m", "1g", "512k", "1.5gb", "100", lambda: 1048576, "2GiB", "10x", "1 m")

    def duration(self):
        return self.text("5s", "1m30s", "500ms", "1h", "0s", "2d", "10", "1.5h", "5 s")

    def pairs(self, keys, values=None):
        """A map, or a list of KEY=value."""
        chosen = self.random.sample(keys, self.random.randint(1, min(3, len(keys))))
        values = values or (lambda: self.text("1", "two words", "", lambda: 3, lambda: 1.5, lambda: True, lambda: None, "a=b", "x$$y", Raw("0x1f"), Raw("no")))
        entries = {k: values() for k in chosen}
        if self.chance(0.5):
            return entries
        return [k if v is None else f"{k}={v if not isinstance(v, (bool, float)) else json.dumps(v)}" for k, v in entries.items()]

    def names(self, of, *more):
        name = self.random.choice(list(more) or ["one", "two", "three"])
        if not self.wild or not self.chance(0.1):
            of.add(name)
        return name

    def port(self):
        return self.one("80:80", "8080:80/udp", "127.0.0.1:81:81", "90", lambda: 3000, "5000-5002:5000-5002", "6000-6002:7000", "[::1]:53:53", ":22",
                        "${PORT}:80", "${PORT:-9000}:90", "80:99999", "1-2:1-3", "http", Raw("22:22"),
                        lambda: {"target": self.number(80, 443), "published": self.one("8080", 8081, "9000-9001"), "protocol": self.one("tcp", "udp")},
                        lambda: {"target": 80, "mode": "host", "host_ip": self.one("127.0.0.1", "::1", "nowhere")}, lambda: {"published": 80})

    def mount(self):
        volume = self.names(self.volumes, "data", "logs")
        return self.one(f"{volume}:/{volume}", f"{volume}:/var/{volume}:ro", "./src:/src", "../up:/up:z", "/abs:/abs:rshared,ro", "~/home:/home", "/anonymous",
                        "./a:/b:c:d", ":/x", "${DIR}:/dir", "${DIR:-./d}:/dir/", "./cached:/c:cached",
                        lambda: {"type": "bind", "source": self.text("./x", "/y"), "target": "/bind", "read_only": self.flag()},
                        lambda: {"type": "volume", "source": volume, "target": "/long/", "volume": {"nocopy": self.flag(), "subpath": "s"}},
                        lambda: {"type": "tmpfs", "target": "/tmpfs", "tmpfs": {"size": self.size(), "mode": self.one(1777, "0755")}},
                        lambda: {"type": self.one("bind", "nothing"), "target": "/wrong"})

    def file(self, of, kind):
        name = self.names(of, "first", "second")
        return self.one(name, name, lambda: {"source": name, "target": self.text("/t", "rel", name)},
                        lambda: {"source": name, "uid": self.one("5", 5), "mode": self.one(0o440, "0440", Raw("0440"))})

    def health(self):
        out = {"test": self.one("exit 0", ["CMD", "true"], ["CMD-SHELL", "x", "y"], ["NONE"], ["curl"], "echo $$X")}
        for key in self.some(["interval", "timeout", "start_period", "start_interval"]):
            out[key] = self.duration()
        if self.chance(0.4):
            out["retries"] = self.number(3, 5)
        if self.chance(0.1):
            out["disable"] = self.flag()
        return out

    def build(self):
        out = {"context": self.text(".", "./ctx", "https://example.com/x.git", "../up")}
        more = {"dockerfile": lambda: self.text("Dockerfile.dev", "../D"), "args": lambda: self.pairs(["A", "B", "TAG", "UNSET"]),
                "target": lambda: self.text("prod"), "labels": lambda: self.pairs(["a", "b"]), "tags": lambda: self.some(["x:1", "y:2", "x:1"], 1),
                "cache_from": lambda: ["c:1"], "network": "host", "shm_size": self.size, "extra_hosts": lambda: self.hosts(), "no_cache": self.flag,
                "platforms": lambda: self.some(["linux/amd64", "linux/arm64"], 1), "additional_contexts": lambda: self.pairs(["x", "y"], lambda: "./other"),
                "secrets": lambda: [self.file(self.secrets, "secret")], "dockerfile_inline": "FROM x", "ulimits": lambda: {"nofile": self.one(5, {"soft": 1, "hard": 2})}}
        for key in self.some(list(more), 0, 4):
            out[key] = self.one(more[key])
        return self.one(out, out, out["context"])

    def hosts(self):
        return self.one(["h:1.2.3.4", "g=::1"], {"h": "1.2.3.4", "k": ["5.6.7.8", "::2"]}, ["h=[::1]"], ["lonely"], ["h:1.2.3.4", "h:1.2.3.4"])

    def deploy(self):
        out = {}
        more = {"replicas": lambda: self.number(1, 2, 3), "labels": lambda: self.pairs(["a", "b"]), "mode": lambda: self.one("replicated", "global"),
                "resources": lambda: {"limits": {"cpus": self.one("0.5", 0.5, "1"), "memory": self.size()},
                                      "reservations": self.one({}, {"memory": "32m"}, {"devices": [{"capabilities": ["gpu"], "count": self.one(1, "all")}]})},
                "restart_policy": lambda: {"condition": self.one("on-failure", "any", "none"), "max_attempts": self.number(3), "delay": self.duration()},
                "placement": lambda: {"constraints": self.some(["a==b", "c!=d"]), "preferences": [{"spread": "zone"}]},
                "update_config": lambda: {"parallelism": self.number(2), "order": self.one("start-first", "stop-first", "first")}}
        for key in self.some(list(more), 1, 3):
            out[key] = self.one(more[key])
        return out

    def depends_on(self, own):
        others = [n for n in (self.NAMES if self.wild else self.declared) if n != own or (self.wild and self.chance(0.1))] or [own]
        chosen = self.some(others, 1, 2)
        chosen = [n for n in chosen if n != own or self.wild]
        condition = lambda: self.text("service_started", "service_healthy", "service_completed_successfully", "service_ready")  # noqa: E731
        return self.one(chosen, chosen, {n: {"condition": condition(), **self.one({}, {"restart": self.flag()}, {"required": self.one(True, False)})} for n in chosen})

    def service_networks(self):
        chosen = [self.names(self.networks, "front", "back") for _ in range(self.random.randint(1, 2))]
        return self.one(list(dict.fromkeys(chosen)), {n: self.one(None, {"aliases": self.some(["x", "y", "x"], 1)}, {"ipv4_address": "10.5.0.5", "priority": 5}) for n in chosen})

    def attributes(self, own):
        command = lambda: self.text("echo one", ["echo", "two"], "sh -c 'a b'", "x && y", "", [], "echo $$HOME", 'echo "open', ["a", 1])  # noqa: E731
        return {
            "command": command, "entrypoint": command, "environment": lambda: self.pairs(["A", "B", "C", "TAG", "UNSET"]), "labels": lambda: self.pairs(["l.a", "l.b", "l.c"]),
            "annotations": lambda: self.pairs(["a", "b"]), "ports": lambda: [self.port() for _ in range(self.random.randint(0, 3))],
            "volumes": lambda: [self.mount() for _ in range(self.random.randint(1, 3))], "depends_on": lambda: self.depends_on(own),
            "networks": self.service_networks, "healthcheck": self.health, "build": self.build, "deploy": self.deploy,
            "restart": lambda: self.text("always", "no", Raw("no"), "on-failure:3", "unless-stopped", lambda: False), "user": lambda: self.text("root", "1000:1000", Raw("1000:1000"), lambda: 5),
            "hostname": lambda: self.text("h", "h.example"), "container_name": lambda: self.text("c1", "my_c", "!"), "init": self.flag, "tty": self.flag, "privileged": self.flag,
            "read_only": self.flag, "stdin_open": self.flag, "mem_limit": self.size, "shm_size": self.size, "memswap_limit": lambda: self.one(self.size, -1), "cpus": lambda: self.number(0.5, 2),
            "cpu_shares": lambda: self.number(73), "pids_limit": lambda: self.number(10, -1), "scale": lambda: self.number(1, 2, 0), "stop_signal": lambda: self.text("SIGUSR1"),
            "stop_grace_period": self.duration, "cap_add": lambda: self.some(["A", "B", "A", "C"], 1), "cap_drop": lambda: self.some(["A", "B"], 1), "dns": lambda: self.one("1.1.1.1", ["1.1.1.1", "8.8.8.8"]),
            "dns_search": lambda: self.one("a.example", ["a.example", "b.example"]), "dns_opt": lambda: self.some(["x", "y"], 1), "expose": lambda: self.some([80, "81", "82-83", 84], 1), "extra_hosts": self.hosts,
            "tmpfs": lambda: self.one("/t", ["/t", "/u:size=1m"], ["/t", "/t"]), "ulimits": lambda: {"nofile": self.one(5, "6", {"soft": 1, "hard": 2}, {"soft": 1}), "nproc": self.number(7)},
            "sysctls": lambda: self.pairs(["net.a", "net.b"]), "security_opt": lambda: self.some(["a", "b", "a"], 1), "group_add": lambda: self.some(["g", 5, "g"], 1),
            "devices": lambda: self.some(["/dev/a", "/dev/b:/dev/c", "/dev/d:/dev/e:r", {"source": "/dev/f", "target": "/dev/g"}], 1), "secrets": lambda: [self.file(self.secrets, "secret")],
            "configs": lambda: [self.file(self.configs, "config")], "profiles": lambda: self.some(["p", "q"], 1), "logging": lambda: {"driver": self.one("json-file", "none"), "options": {"max-file": self.one("3", 3, None)}},
            "env_file": lambda: self.one("one.env", ["one.env", {"path": "nope.env", "required": False}], [{"path": "one.env", "format": self.one("raw", "dotenv", "x")}], "nope.env"),
            "network_mode": lambda: self.one("host", "none", "service:" + self.one(*self.NAMES)), "links": lambda: self.some(self.NAMES, 1, 1), "pull_policy": lambda: self.text("always", "missing", "if_not_present", "daily", "often"),
            "platform": lambda: self.text("linux/amd64"), "working_dir": lambda: self.text("/w", "rel"), "pid": lambda: self.one("host", "service:db"), "ipc": lambda: self.one("shareable", "private"), "oom_score_adj": lambda: self.number(5, 2000),
            "gpus": lambda: self.one("all", [{"count": 1}], [{"driver": "x", "device_ids": ["0"], "count": 1}]), "x-note": lambda: self.one("n", {"a": [1, 2.5, None]}), "post_start": lambda: [{"command": command(), "user": "root"}],
            "develop": lambda: {"watch": [{"path": "./src", "action": self.one("rebuild", "sync", "restart"), "target": self.one("/t", "/u")}]}, "imge": lambda: "typo", "blkio_config": lambda: {"weight": self.one(300, "300")},
            "attach": self.flag, "domainname": lambda: "d", "isolation": lambda: "x", "mac_address": lambda: "02:42:ac:11:00:01", "external_links": lambda: ["x:y"], "volumes_from": lambda: [self.one(*self.NAMES)], "storage_opt": lambda: {"size": self.one("1g", 5)},
            "provider": lambda: {"type": "x", "options": {"a": self.one("b", 1, ["c"])}}, "models": lambda: ["llm"],
        }  # fmt: skip

    def service(self, own, whole):
        attributes = self.attributes(own)
        unlikely = {"imge", "provider", "models", "network_mode", "volumes_from", "gpus", "links", "pid"}
        chosen = self.random.sample(list(attributes), self.random.randint(0 if not whole else 1, 7))
        chosen = [a for a in chosen if a not in unlikely or (self.wild and self.chance(0.2))]
        out = {"image": self.text("busybox", "nginx:1", "nginx:${TAG}", "r.example:5000/x@sha256:" + "a" * 64)} if whole and not self.chance(0.03) else {}
        for key in chosen:
            out[key] = self.one(attributes[key])
        if not whole:
            for key in list(out):
                if self.chance(0.12):
                    out[key] = Raw(self.one("!reset " + flow(self.one(None, [], "x")), "!override " + flow(out[key]), "null", "!reset {}"))
        return out

    # Files.

    def services(self, names, whole=True):
        lines = ["services:"]
        for name in names:
            body = self.service(name, whole)
            lines.append(f"  {name}:" + ("" if body else " {}"))
            lines += [f"    {key}: {flow(value)}" for key, value in body.items()]
        return lines

    def objects(self):
        lines = []
        for kind, names, contents in (
            ("networks", self.networks, [None, {}, {"driver": "bridge"}, {"name": self.text("n")}, {"external": self.flag()}, {"ipam": {"config": [{"subnet": "10.5.0.0/16"}]}}, {"internal": self.flag(), "labels": self.pairs(["a"])}]),
            ("volumes", self.volumes, [None, {}, {"driver": "local", "driver_opts": {"type": "nfs", "n": 5}}, {"name": self.text("v")}, {"external": self.flag()}, {"labels": self.pairs(["a"])}]),
            ("secrets", self.secrets, [{"file": self.text("./s")}, {"environment": "TAG"}, {"external": True}, {}]),
            ("configs", self.configs, [{"file": self.text("./c")}, {"content": self.text("text $$ here")}, {"environment": "TAG"}, {"external": True, "name": "c"}]),
        ):
            if names:
                lines.append(f"{kind}:")
                lines += [f"  {name}: {flow(self.random.choice(contents))}" for name in sorted(names)]
        return lines

    def make(self, number):
        names = self.some(self.NAMES, 1, 3)
        self.declared = names
        main = self.services(names)
        if self.chance(0.15):
            main.append(f"name: {flow(self.text('proj', 'My Project', ''))}")
        if self.chance(0.1):
            main.insert(0, 'version: "3.8"')
        if self.chance(0.2):
            base = ["services:", "  base:"] + [f"    {k}: {flow(v)}" for k, v in {"image": "base", **self.service("base", True)}.items()]
            if self.chance(0.5):
                self.files["sub/base.yaml"] = base
                extends = {"file": "sub/base.yaml", "service": self.one("base", "base", "base", "nope")}
            else:
                main[1:1] = base[1:]
                extends = self.one("base", {"service": "base"})
            main.append(f"  extending:\n    extends: {flow(extends)}") if not any(line.startswith(("name", "version")) for line in main) else None
        if self.chance(0.15):
            included = Project(self.random.random())
            body = included.services(["inner"] + (["web"] if self.chance(0.1) else []))
            self.files["inc/compose.yaml"] = body + included.objects()
            if self.chance(0.3):
                self.files["inc/.env"] = ["TAG=inner", "NUM=7"]
            main.append("include: " + flow(self.one(["inc/compose.yaml"], [{"path": "inc/compose.yaml", "env_file": self.one("one.env", "nope.env")}], "inc/compose.yaml", [{"path": ["inc/compose.yaml"], "project_directory": "."}])))
        flags = []
        if self.chance(0.4):
            over = self.services(self.some(self.NAMES, 1, 2), whole=self.chance(0.3))
            if self.chance(0.5):
                self.files["compose.override.yaml"] = over
            else:
                self.files["over.yaml"] = over
                flags = ["-f compose.yaml -f over.yaml"]
        self.files["compose.yaml"] = main + self.objects()
        if self.chance(0.6):
            self.files[".env"] = self.random.sample(["TAG=1.2", "PORT=8000", "NUM=3", "FLAG=true", "DIR=./dir", "EMPTY=", "NUM='4'", 'TAG="a b"', "# comment", "export FLAG=no", "TAG=${PORT}x", "BARE"], 4)
        self.files["one.env"] = self.random.sample(["A=file", "E='x y'", 'F="$TAG"', "G=${NOPE:-d}", "TAG", "H=a # c"], 3)
        if self.chance(0.2):
            flags.append("--profile " + self.one("p", "q", "'*'"))
        variables = self.some(["TAG=outer", "NUM=5", "FLAG=false", "PORT=7000"], 0, 2)
        command = " ".join([*variables, *flags, self.one("config --format json", "config --format json", "config", "config --no-interpolate", "config --no-normalize --format json", "config --no-path-resolution")
                            if self.chance(0.3) else "config --format json"])
        text = f"Generated.\n$ {command}\n" + "".join(f"-- {path} --\n" + "\n".join(lines) + "\n" for path, lines in sorted(self.files.items()))
        return cases.Case.parse(cases.ROOT / f"generated{number}.case", text), text


def compare(case, expected, program):
    try:
        actual = run.run_stack(program, case, case.commands[0])
    except Exception as error:  # a crash or a hang is a difference like others
        return f"stack: {error}\n"
    return run.difference(case.commands[0], expected, actual)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default=run.STACK)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    program = str(Path(arguments.stack).resolve())
    agreeing = accepted = 0
    lock = cases.lock()  # noqa: F841
    for first in range(0, arguments.count, arguments.batch):
        numbers = range(first, min(first + arguments.batch, arguments.count))
        made = [Project(arguments.seed * 1_000_003 + n).make(n) for n in numbers]
        for case, _ in made:
            case.lay_out()
        outcomes = peer.run([(case.directory, case.commands[0]) for case, _ in made], cases.ROOT / ".peer")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            differences = list(pool.map(lambda pair: compare(pair[0][0], pair[1], program), zip(made, outcomes)))
        for (case, text), outcome, difference in zip(made, outcomes, differences):
            accepted += outcome.accepted
            agreeing += not difference
            shutil.rmtree(case.directory)
            if difference and arguments.keep:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                name = f"{arguments.seed}-{case.path.stem.removeprefix('generated')}"
                (arguments.keep / f"{name}.case").write_text(text)
                (arguments.keep / f"{name}.difference").write_text(difference)
        done = numbers[-1] + 1
        print(f"{agreeing} of {done} agree ({100 * agreeing / done:.2f} %); Docker Compose accepts {accepted}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
