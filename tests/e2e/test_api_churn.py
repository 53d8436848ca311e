"""Nothing adds up: hundreds of short containers, one after the other and many at once, leave no trace in the engine.
Half of them over the API, half by `stack run --rm`. STACK_CHURN=1000 for the whole of what is promised.
"""
import os
import pathlib
import threading
import time

from api_harness import EngineTest
from harness import control_groups, eventually, firewall, links, processes

COUNT = int(os.environ.get("STACK_CHURN", "200"))  # so many in a row, and as many again AT_ONCE at a time
AT_ONCE = 50


class Churn(EngineTest):
    def run_once(self, code):
        """What `docker run --rm` does; returns the exit code it would end with."""
        body = {"Image": "busybox", "Cmd": ["sh", "-c", f"exit {code}"] if code else ["true"],
                "HostConfig": {"AutoRemove": True}}
        created = self.ask("POST", "/containers/create", body)
        assert created.status == 201, created.body
        one = created.json()["Id"]
        answer = {}
        waiting = threading.Thread(target=lambda: answer.update(
            self.ask("POST", f"/containers/{one}/wait?condition=removed").json()))
        waiting.start()
        started = self.ask("POST", f"/containers/{one}/start")
        assert started.status == 204, started.body
        waiting.join(30)
        return answer.get("StatusCode")

    def type_once(self, code):
        """The same, typed."""
        words = ["sh", "-c", f"exit {code}"] if code else ["true"]
        return self.stack("run", "--rm", "busybox", *words, code=None).code

    def engine(self):
        """Descriptors and memory (KiB, private) of the engine's process."""
        pid = self.daemon.pid
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        memory = sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private_"))
        return len(os.listdir(f"/proc/{pid}/fd")), memory

    def traces(self):
        return {"links": links(), "rules": len(firewall().splitlines()), "processes": sorted(processes().values()), "groups": sorted(control_groups() - self.machine.groups_before),
                "mounts": len(pathlib.Path(f"/proc/{self.daemon.pid}/mountinfo").read_text().splitlines()),
                "records": self.machine.records()}

    def test_short_containers(self):
        self.assertEqual([run(code) for run in (self.run_once, self.type_once) for code in (0, 1, 7, 255)],
                         [0, 1, 7, 255] * 2)
        self.at_once()
        eventually(lambda: not self.machine.records() and links() == ["lo"], 10)  # the bridge stays for a moment
        time.sleep(0.3)
        files, memory = self.engine()
        before = self.traces()
        begin = time.monotonic()
        for i in range(COUNT):
            self.assertEqual((self.run_once, self.type_once)[i % 2](i % 3), i % 3)
        each = (time.monotonic() - begin) / COUNT
        for _ in range(COUNT // AT_ONCE):
            self.at_once()
        eventually(lambda: self.traces() == before, 10, f"as before: {before}")
        time.sleep(0.3)
        files_now, memory_now = self.engine()
        print(f"{each * 1000:.1f} ms a container; descriptors {files} -> {files_now}, memory {memory} -> {memory_now} KiB",
              flush=True)
        self.assertLessEqual(files_now, files + 2)
        self.assertLessEqual(memory_now, memory + 4096)  # what the allocator keeps differs by 2 MiB from run to run

    def at_once(self):
        codes = [None] * AT_ONCE

        def one(i):
            codes[i] = (self.run_once, self.type_once)[i % 2](i % 5)
        threads = [threading.Thread(target=one, args=(i,)) for i in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(codes, [i % 5 for i in range(AT_ONCE)])
