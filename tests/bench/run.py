#!/usr/bin/env python3
"""Measures `stack` beside Docker Compose, in one run on one machine, and prints a table: ours, peer, ratio.

    tests/bench/run.py                                    ours alone
    PEER_DOCKER="docker" tests/bench/run.py               beside Docker; any command prefix that runs its client
    tests/bench/run.py --runs 9 --services 200 fifty      other sizes; only the cases whose name starts so
    tests/bench/run.py --runs 3 --only ours scale idle probes    50 against 1,000 services, idle CPU, health checks

The two take turns, so that a slower minute of the machine meets both. Each number is the median of the runs, with the
fastest in brackets. Both use the very same images (examples/images/make.sh). Needs root, and the examples' ports
(80, 8000, 6379 to 6382) free. Ours keeps its state in a directory of its own below the build directory.
"""
import argparse
import json
import os
import pathlib
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import big_image

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
IMAGES = ("debian", "busybox", "redis", "nginx")


class Tool:
    """Something that understands Compose's command line."""

    def __init__(self, name, compose, images, processes, env):
        self.name, self.compose, self.images, self.processes, self.env = name, compose, images, processes, env

    def run(self, *arguments, cwd, check=True):
        begin = time.monotonic()
        done = subprocess.run([*self.compose, *arguments], cwd=cwd, env=self.env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300)
        seconds = time.monotonic() - begin
        if check and done.returncode != 0:
            sys.exit(f"{self.name}: {shlex.join(arguments)} failed in {cwd}:\n{done.stdout}{done.stderr}")
        return seconds

    def docker(self, *arguments, check=True):
        """Docker's own words, outside of any project."""
        begin = time.monotonic()
        subprocess.run([*self.images, *arguments], env=self.env, check=check, stdin=subprocess.DEVNULL, cwd="/",
                       stdout=subprocess.DEVNULL, stderr=None if check else subprocess.DEVNULL)
        return time.monotonic() - begin

    def is_engine(self, pid):
        # Not by the executed file: a shim has left the root directory that its file is in.
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip() in [name[:15] for name in self.processes]

    def memory(self):
        """PSS of all processes of the engine, in bytes."""
        total = 0
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and self.is_engine(entry):
                    for line in pathlib.Path(f"/proc/{entry}/smaps_rollup").read_text().splitlines():
                        if line.startswith("Pss:"):
                            total += int(line.split()[1]) * 1024
            except OSError:
                pass
        return total

    def cpu(self):
        """CPU time so far of all processes of the engine and of those that they have waited for, in seconds."""
        ticks = 0
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and self.is_engine(entry):
                    fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                    ticks += sum(int(field) for field in fields[11:15])
            except OSError:
                pass
        return ticks / os.sysconf("SC_CLK_TCK")

    def prepare(self, wanted):
        subprocess.run([SOURCE / "examples/images/make.sh", *wanted], check=True,
                       env={**self.env, "STACK": shlex.join(self.images), "PULL": "never"})


def ours(build):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("COMPOSE_", "DOCKER_"))}
    run_dir = tempfile.mkdtemp(prefix="bench-", dir="/tmp")
    env.update(STACK_ROOT=env.get("STACK_BENCH_ROOT", str(build / "bench")), STACK_RUN=run_dir)
    stack = str(build / "stack")
    if not os.access(stack, os.X_OK):
        sys.exit(f"{stack} is missing; run ./quickstart.sh build")
    return Tool("ours", [stack], [stack], ("stackd", "stack-shim", "stack-netd"), env)


def peer():
    prefix = shlex.split(os.environ.get("PEER_DOCKER", ""))
    if not prefix:
        return None
    names = ("dockerd", "containerd", "containerd-shim-runc-v2", "docker-proxy", "containerd-shim")
    return Tool("peer", [*prefix, "compose"], prefix, names, dict(os.environ))


class Results:
    def __init__(self):
        self.values = {}

    def add(self, what, tool, value):
        self.values.setdefault(what, {}).setdefault(tool.name, []).append(value)

    def table(self):
        def cell(values, unit):
            if not values:
                return "-"
            if unit == "MiB":
                return f"{statistics.median(values) / 2**20:.1f} MiB ({min(values) / 2**20:.1f})"
            if unit == "%":
                return f"{statistics.median(values) * 100:.2f} % ({min(values) * 100:.2f})"
            digits = 0 if statistics.median(values) > 0.01 else 2
            return f"{statistics.median(values) * 1000:.{digits}f} ms ({min(values) * 1000:.{digits}f})"
        rows = [("", "ours", "peer", "ours/peer")]
        for what, by_tool in self.values.items():
            unit = "MiB" if what.startswith("memory") else "%" if what.startswith("idle") else "ms"
            mine, theirs = by_tool.get("ours", []), by_tool.get("peer", [])
            ratio = f"{statistics.median(mine) / statistics.median(theirs):.3f}" if mine and theirs else "-"
            rows.append((what, cell(mine, unit), cell(theirs, unit), ratio))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["  ".join(text.ljust(widths[0]) if column == 0 else text.rjust(widths[column])
                           for column, text in enumerate(row)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(lines)


def bench_example(tool, work, results, name, label, prepared):
    directory = work / tool.name / name
    if not directory.exists():
        shutil.copytree(SOURCE / "examples" / name, directory)
    if (tool.name, name) not in prepared:
        tool.run("build", cwd=directory)
        tool.run("up", "-d", cwd=directory)  # images unpacked, caches warm: the same start for both
        tool.run("down", "-v", "-t", "1", cwd=directory)
        prepared.add((tool.name, name))
    results.add(f"up, {label}", tool, tool.run("up", "-d", cwd=directory))
    results.add(f"up again, {label}", tool, tool.run("up", "-d", cwd=directory))
    results.add(f"down, {label}", tool, tool.run("down", "-v", "-t", "1", cwd=directory))


def bench_many(tool, work, results, count):
    directory = work / tool.name / f"many{count}"
    directory.mkdir(parents=True, exist_ok=True)
    # SIGKILL: process 1 ignores SIGTERM by default, and waiting ten seconds for it would measure nothing.
    services = {f"s{n}": {"image": "busybox", "command": ["sleep", "1000000"], "stop_signal": "SIGKILL"}
                for n in range(1, count + 1)}
    (directory / "compose.yaml").write_text(json.dumps({"services": services}))
    results.add(f"up, {count} services", tool, tool.run("up", "-d", cwd=directory))
    results.add(f"up again, {count} services", tool, tool.run("up", "-d", cwd=directory))
    results.add(f"ps, {count} services", tool, tool.run("ps", cwd=directory))
    time.sleep(5)  # what supervision takes, not what starting has left
    results.add(f"memory (PSS), {count} services", tool, tool.memory())
    results.add("compose exec true", tool, tool.run("exec", "-T", "s1", "true", cwd=directory))
    results.add("compose run --rm true", tool, tool.run("run", "--rm", "-T", "s1", "true", cwd=directory))
    for label, words in (("run --rm IMAGE true", ("container", "run", "--rm", "busybox", "true")),
                         (f"container ls, {count}", ("container", "ls")), ("image ls", ("image", "ls")),
                         ("container inspect", ("container", "inspect", f"many{count}-s1-1"))):
        results.add(label, tool, tool.docker(*words))
    results.add(f"down, {count} services", tool, tool.run("down", cwd=directory))


def bench_pull(tool, results, image):
    tool.docker("image", "rm", "-f", image.name, check=False)
    results.add(f"pull, {image.sizes}", tool, tool.docker("image", "pull", image.name))
    tool.docker("image", "rm", "-f", image.name)


def bench_build(tool, work, results):
    """The image of the Flask example when every step is cached."""
    directory = work / tool.name / "flask-build"
    if not directory.exists():
        shutil.copytree(SOURCE / "examples" / "flask-nginx-redis", directory)
        tool.run("build", cwd=directory)
    results.add("build, everything cached", tool, tool.run("build", cwd=directory))


def bench_scale(tool, work, results, count):
    """One project of `count` services: whether a container costs the same in a crowd."""
    directory = work / tool.name / f"scale{count}"
    directory.mkdir(parents=True, exist_ok=True)
    services = {f"s{n}": {"image": "busybox", "command": ["sleep", "1000000"], "stop_signal": "SIGKILL"}
                for n in range(1, count + 1)}
    (directory / "compose.yaml").write_text(json.dumps({"services": services}))
    seconds = tool.run("up", "-d", cwd=directory)
    results.add(f"up, {count} services", tool, seconds)
    results.add(f"up, a container of {count}", tool, seconds / count)
    results.add(f"up again, {count} services", tool, tool.run("up", "-d", cwd=directory))
    memory = tool.memory()
    results.add(f"memory (PSS), {count} services", tool, memory)
    results.add(f"memory (PSS), a container of {count}", tool, memory / count)
    seconds = tool.run("down", cwd=directory)
    results.add(f"down, {count} services", tool, seconds)
    results.add(f"down, a container of {count}", tool, seconds / count)


def rich_project(count):
    """The text of a file of services with what services usually have, about 490 bytes each."""
    lines = ["x-env: &env {LOG_LEVEL: info, TZ: UTC}", "services:"]
    for n in range(count):
        lines += [f"  s{n}:", f"    image: registry.example/team/app{n % 7}:${{TAG:-1.2}}", "    restart: unless-stopped",
                  f'    command: ["serve", "--port", "{8000 + n}"]', "    environment:", "      <<: *env", f'      PORT: "{8000 + n}"',
                  f"      DATABASE_URL: postgres://user:${{PASSWORD:-x}}@db{n % 5}:5432/app", f'    ports: ["{10000 + n}:80"]', "    volumes:",
                  f"      - data{n % 20}:/var/lib/app", f"      - ./conf/{n}:/etc/app:ro", "    networks: [front]", "    healthcheck:",
                  '      test: ["CMD", "curl", "-f", "http://localhost/"]', "      interval: 30s"]
        if n % 3:
            lines += ["    depends_on:", f"      s{n - 1}: {{condition: service_healthy}}"]
    lines += ["networks: {front: {}}", "volumes:"] + [f"  data{n}:" for n in range(min(count, 20))]
    return "\n".join(lines) + "\n"


def bench_config(tool, work, results, count):
    directory = work / tool.name / f"config{count}"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "compose.yaml").write_text(rich_project(count))
    results.add(f"config, {count} services", tool, tool.run("config", cwd=directory))


def bench_idle(tool, work, results, count, seconds=20):
    """What watching over healthy containers costs, with a health check of each every 10 s."""
    directory = work / tool.name / f"idle{count}"
    directory.mkdir(parents=True, exist_ok=True)
    check = {"test": ["CMD", "true"], "interval": "10s"}
    services = {f"s{n}": {"image": "busybox", "command": ["sleep", "1000000"], "stop_signal": "SIGKILL",
                          "healthcheck": check} for n in range(1, count + 1)}
    (directory / "compose.yaml").write_text(json.dumps({"services": services}))
    tool.run("up", "-d", cwd=directory)
    time.sleep(2)
    before = tool.cpu()
    time.sleep(seconds)
    results.add(f"idle CPU, {count} health checks each 10 s", tool, (tool.cpu() - before) / seconds)
    tool.run("down", cwd=directory)


def bench_probes(tool, work, results, seconds=10):
    """CPU time of one health check: by a command in the container, and by the engine itself."""
    kinds = {"exec": {"test": ["CMD", "true"]}}
    if tool.name == "ours":
        kinds.update({kind: {"x-stack": {"probe": {kind: port}}} for kind, port in (("http", 80), ("tcp", 80))})
    for kind, check in kinds.items():
        directory = work / tool.name / f"probe-{kind}"
        directory.mkdir(parents=True, exist_ok=True)
        services = {f"s{n}": {"image": "busybox", "stop_signal": "SIGKILL",
                              "command": ["sh", "-c", "mkdir /w; echo ok >/w/index.html; exec httpd -f -p 80 -h /w"],
                              "healthcheck": {**check, "interval": "100ms"}} for n in range(1, 11)}
        (directory / "compose.yaml").write_text(json.dumps({"services": services}))
        tool.run("up", "-d", cwd=directory)
        time.sleep(1)
        before = tool.cpu()
        time.sleep(seconds)
        results.add(f"CPU of a health check, {kind}", tool, (tool.cpu() - before) / (seconds * 10 * len(services)))
        tool.run("down", cwd=directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--services", type=int, default=50)
    parser.add_argument("--crowd", type=int, default=1000, help="services of the larger project of `scale` and `config`")
    parser.add_argument("--build", type=pathlib.Path, default=SOURCE / "build")
    parser.add_argument("--only", choices=("ours", "peer"))
    parser.add_argument("--json", type=pathlib.Path, help="also write every single value there")
    parser.add_argument("cases", nargs="*",
                        help="flask, redis, pull, build, config, fifty (these by default), scale, idle, probes")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("needs root")
    tools = [tool for tool in ((ours(options.build.resolve()) if options.only != "peer" else None), peer()) if tool
             and options.only in (None, tool.name)]
    if not tools:
        parser.error("PEER_DOCKER is not set")
    results, prepared = Results(), set()
    made = []

    def image():
        if not made:
            made.append(big_image.BigImage())
        return made[0]

    # The directories must be seen by the peer's client at the same path, hence /tmp.
    work = pathlib.Path(tempfile.mkdtemp(prefix="stack-bench-", dir="/tmp"))
    cases = {
        "flask": lambda tool: bench_example(tool, work, results, "flask-nginx-redis", "flask-nginx-redis", prepared),
        "redis": lambda tool: bench_example(tool, work, results, "redis-replicas", "redis-replicas", prepared),
        "pull": lambda tool: bench_pull(tool, results, image()),
        "build": lambda tool: bench_build(tool, work, results),
        "config": lambda tool: [bench_config(tool, work, results, count) for count in (5, options.crowd)],
        "fifty": lambda tool: bench_many(tool, work, results, options.services),
        "scale": lambda tool: [bench_scale(tool, work, results, count) for count in (50, options.crowd)],
        "idle": lambda tool: bench_idle(tool, work, results, options.services),
        "probes": lambda tool: bench_probes(tool, work, results),
    }
    usual = ("flask", "redis", "pull", "build", "config", "fifty")
    wanted = [name for name in cases if any(name.startswith(case) for case in options.cases or usual)]
    if not wanted:
        parser.error("no such case")
    try:
        for tool in tools:
            if not set(wanted) <= {"pull", "config"}:
                tool.prepare(IMAGES if {"flask", "redis", "build"} & set(wanted) else ["busybox"])
        for name in wanted:
            for number in range(options.runs):
                for tool in tools:
                    print(f"\r{name} {number + 1}/{options.runs} {tool.name}   ", end="", file=sys.stderr, flush=True)
                    cases[name](tool)
        print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
        print(results.table())
        print(f"median of {options.runs} runs (fastest in brackets), {os.cpu_count()} cores")
        if options.json:
            options.json.write_text(json.dumps(results.values, indent=1))
    finally:
        for one in made:
            one.close()
        for tool in tools:
            for directory in sorted(d for d in (work / tool.name).glob("*") if not d.name.startswith("config")):
                tool.run("down", "-v", "-t", "0", cwd=directory, check=False)
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
