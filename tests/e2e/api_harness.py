"""What the tests of the engine's API share: an engine that serves until the test ends, and leaves nothing behind."""
import contextlib
import subprocess

from answers import ask
from harness import PEER, EndToEnd, eventually


class EngineTest(EndToEnd):
    said = ""

    def setUp(self):
        super().setUp()
        if PEER:
            self.skipTest("speaks to our socket")
        self.socket = str(self.machine.run_dir / "stack.sock")
        self.addCleanup(self.remove_everything)
        self.serve()

    def serve(self):
        self.machine.run_dir.mkdir(exist_ok=True)
        self.log = open(self.machine.base / "stackd.log", "w+")
        self.daemon = subprocess.Popen(["stackd"], env=self.machine.env, stdin=subprocess.DEVNULL,
                                       stdout=self.log, stderr=self.log)
        eventually(lambda: ask(self.socket, "GET", "/_ping").status == 200, 10)

    def show_history(self):
        print("---- the engine's log\n" + self.said[-8000:], flush=True)

    def ask(self, method, target, body=None, **options):
        return ask(self.socket, method, target, body, **options)

    def remove_everything(self):
        with contextlib.suppress(OSError):
            for one in self.ask("GET", "/containers/json?all=1").json():
                self.ask("DELETE", f"/containers/{one['Id']}?force=1&v=1")
            for one in self.ask("GET", "/networks").json():
                if one["Name"] not in ("bridge", "host", "none"):
                    self.ask("DELETE", f"/networks/{one['Id']}")
            for one in self.ask("GET", "/volumes").json()["Volumes"]:
                self.ask("DELETE", f"/volumes/{one['Name']}")
        self.daemon.terminate()
        self.daemon.wait(10)
        self.log.seek(0)
        self.said = self.log.read()
        self.log.close()
