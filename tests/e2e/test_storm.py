"""Random faults, one after the other: after each the project is again what was declared. The seed is printed; a failure is
repeated with STACK_STORM_SEED. CI does 40 faults, STACK_STORM_FAULTS=1000 more.

The state directory is a small file system of its own, so that it can be full. The engine's wall clock is moved by a
preloaded library: the kernel has one for the whole machine."""
import contextlib
import os
import pathlib
import random
import signal
import subprocess
import time

from harness import EndToEnd, eventually, fetch, links, pids_of, processes

FAULTS = int(os.environ.get("STACK_STORM_FAULTS", "40"))
SEED = int(os.environ.get("STACK_STORM_SEED", str(random.SystemRandom().randrange(10**6))))
TEXT = """
    x-any: &any
      image: busybox
      deploy: {restart_policy: {delay: 100ms}}
      stop_signal: SIGKILL
      healthcheck: {interval: 300ms, timeout: 600ms, retries: 2, x-stack: {probe: {http: /}}}
      command: sh -c 'mkdir -p /www; echo $$HOSTNAME >/www/index.html; exec httpd -f -p 80 -h /www'
    services:
      web: {<<: *any, ports: ["18085:80"]}
      api:
        <<: *any
        depends_on: [web]
        volumes: ["data:/www"]
        healthcheck: {interval: 300ms, timeout: 600ms, retries: 2, test: wget -qO- http://127.0.0.1/ && test -e /www/index.html}
      job:
        <<: *any
        mem_limit: 32m
        tmpfs: [/scratch]
    volumes:
      data: {driver_opts: {type: tmpfs, device: tmpfs}}
"""
SERVICES = ("web", "api", "job")
WALL_CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec* now) {
  static int (*real)(clockid_t, struct timespec*);
  if (!real) real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(clock, now);
  if (clock == CLOCK_REALTIME) {
    FILE* file = fopen(getenv("STORM_CLOCK"), "re");
    long ahead = 0;
    if (file && fscanf(file, "%ld", &ahead) == 1) now->tv_sec += ahead;
    if (file) fclose(file);
  }
  return result;
}
"""


class Storm(EndToEnd):
    def setUp(self):
        super().setUp()
        root, whole = self.machine.root, self.machine.base / "whole"
        whole.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "storm", whole], check=True)
        subprocess.run(["cp", "-a", f"{root}/.", whole], check=True)
        subprocess.run(["mount", "--move", whole, root], check=True)
        self.clock = self.machine.base / "clock"
        self.clock.write_text("0")
        library = self.machine.base / "wall_clock.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", library], input=WALL_CLOCK, text=True, check=True)
        self.machine.env.update(LD_PRELOAD=str(library), STORM_CLOCK=str(self.clock))

    def test_every_fault_is_healed(self):
        print(f"seed {SEED}", flush=True)
        self.dice = random.Random(SEED)
        self.storm = self.project("storm", TEXT)
        self.storm("up", "-d", "--wait")
        faults = sorted(name for name in dir(self) if name.startswith("fault_"))
        counts, latest = {}, []
        for number in range(FAULTS):
            fault, victim = self.dice.choice(faults), self.dice.choice(SERVICES)
            counts[fault[6:]] = counts.get(fault[6:], 0) + 1
            latest = [*latest[-4:], f"{fault[6:]} of {victim}"]
            what = f"fault {number} of seed {SEED}, the latest: {latest}"
            try:
                getattr(self, fault)(victim)
                eventually(self.healed, 20, what)
                if number % 10 == 9:
                    eventually(self.nothing_left_over, 5, what)
            except (AssertionError, LookupError) as error:
                self.tell()
                raise AssertionError(what) from error
        print(f"{FAULTS} faults: {counts}", flush=True)

    def tell(self):
        """What is needed to understand a failure."""
        for service in SERVICES:
            print(self.storm("why", service, code=None).out, self.storm.inspect(service)["State"])
        for command in (["nft", "list", "ruleset"], ["ss", "-tlnp"], ["ip", "-brief", "address"], ["ip", "neighbour"]):
            print(subprocess.run(command, check=False, capture_output=True, text=True).stdout)

    def healed(self):
        rows = {row["Service"]: (row["State"], row["Health"]) for row in self.storm.ps()}
        if rows != {service: ("running", "healthy") for service in SERVICES}:
            return False
        for one in SERVICES:
            other = self.dice.choice(SERVICES)
            # By name; that it serves is seen by its probe. busybox's wget, linked statically, crashes in getaddrinfo.
            if self.storm.run_in(one, "ping", "-c", "1", "-W", "1", other, code=None).code != 0:
                return False
        if " /www tmpfs " not in pathlib.Path(f"/proc/{self.storm.pid('api')}/mounts").read_text():
            return False
        return len(fetch("http://127.0.0.1:18085/", 1)) > 1 and len(pids_of("stack-netd")) == 1

    def nothing_left_over(self):
        shims = [pid for pid in processes() if pathlib.Path(f"/proc/{pid}/comm").read_text() == "stack-shim\n"]
        return len(shims) == 3 and len([link for link in links() if link.startswith("stv")]) == 3 and \
            len(os.listdir(self.machine.run_dir / "containers")) == 3

    def fault_killed(self, service):
        os.kill(self.storm.pid(service), signal.SIGKILL)

    def fault_hung(self, service):
        pid = self.storm.pid(service)
        os.kill(pid, signal.SIGSTOP)
        # Only the health check can notice, and the container is then replaced by a new run.
        eventually(lambda: self.storm.pid(service) not in (0, pid), 10, "a hung service is restarted")

    def fault_out_of_memory(self, _):
        pid = self.storm.pid("job")
        self.storm.run_in("job", "sh", "-c", "echo 1000 >/proc/1/oom_score_adj; dd if=/dev/zero of=/scratch/x bs=1M",
                          code=None)
        if os.path.exists(f"/proc/{pid}"):  # dd itself was chosen
            self.storm.run_in("job", "rm", "-f", "/scratch/x", code=None)

    def fault_shim_killed(self, service):
        stat = pathlib.Path(f"/proc/{self.storm.pid(service)}/stat").read_text()
        os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGKILL)

    def fault_interface_removed(self, service):
        index = self.inside(service, "cat", "/sys/class/net/eth0/iflink").strip()
        for line in subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout.splitlines():
            if line.startswith(f"{index}: "):
                subprocess.run(["ip", "link", "del", line.split(":")[1].split("@")[0].strip()], check=True)

    def fault_mount_removed_in_container(self, _):
        pid = self.storm.pid("api")
        self.inside("api", "umount", "-l", "/www")
        eventually(lambda: self.storm.pid("api") not in (0, pid), 10, "a service that lost its files is restarted")

    def fault_mount_removed_on_host(self, _):
        subprocess.run(["umount", "-l", self.machine.root / "volumes" / "storm_data" / "_data"], check=True)
        os.kill(self.storm.pid("api"), signal.SIGKILL)

    def fault_disk_full(self, service):
        pid = self.storm.pid(service)
        filler = self.machine.root / "filler"
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            for size in (1 << 16, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)):
                        pass
        os.kill(pid, signal.SIGKILL)
        if self.dice.random() < 0.5:
            self.machine.kill("stackd")
            self.storm("ps", code=None)
        time.sleep(0.5)
        filler.unlink()

    def fault_clock_jumped(self, service):
        """By up to a day in either direction, with or without an engine that sees it happen."""
        if self.dice.random() < 0.5:
            self.machine.kill("stackd")
        self.clock.write_text(str(self.dice.randint(-86400, 86400)))
        fault = self.dice.choice((self.fault_killed, self.fault_hung, self.fault_everything_killed))
        fault(service)

    def fault_engine_killed(self, _):
        for pid in pids_of("stackd"):
            os.kill(pid, signal.SIGKILL)

    def fault_netd_killed(self, _):
        for pid in pids_of("stack-netd"):
            os.kill(pid, signal.SIGKILL)

    def fault_everything_killed(self, service):
        for program in ("stackd", "stack-netd"):
            for pid in pids_of(program):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.last_pid(service), signal.SIGKILL)

    def fault_firewall_flushed(self, _):
        subprocess.run(["nft", "flush", "ruleset"], check=True)

    def fault_engine_hung(self, _):
        for pid in pids_of("stackd"):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.5)  # requests and probes pile up meanwhile
            os.kill(pid, signal.SIGCONT)

    def last_pid(self, service):
        """The service's main process, found without the engine."""
        for pid in processes():
            with contextlib.suppress(OSError):
                if b"httpd" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
        return -1

    def inside(self, service, *command):
        """What a command of the container's image prints among the container's mounts, run without the engine."""
        return subprocess.run(["nsenter", "-t", str(self.storm.pid(service)), "--mount", "--pid", *command], check=False,
                              capture_output=True, text=True).stdout
