"""A project of four parts (Flask, Vue, Nginx, Redis) with `stack up` attached, and with Docker Compose on our socket."""
import json
import os
import re
import signal
import subprocess

import templates
from harness import PEER, EndToEnd, eventually, fetch

SERVICES = ("api-server", "redis-master", "web-server")


def answers():
    return len(json.loads(fetch("http://127.0.0.1:8000/api/products"))["products"]) == 4 and \
        '<div id="app"' in fetch("http://127.0.0.1/")


class StackUp(EndToEnd):
    template = "examples"

    def test_up_attached_and_down(self):
        project = self.machine.example("flask-nginx-redis")
        shown = self.machine.base / "shown"
        with shown.open("w") as out:
            up = project.start("up", stdout=out, stderr=subprocess.STDOUT)
        eventually(answers, 30, "the API and the page answer")
        for service in SERVICES:
            eventually(lambda s=service: re.search(rf"^{s}-1 +\| ", shown.read_text(), re.M), 10, f"the log of {service} is shown")
        eventually(lambda: "GET /api/products" in shown.read_text(), 10, "the log goes on")
        up.send_signal(signal.SIGINT)
        up.wait(30)
        self.assertIn("Gracefully Stopping...", shown.read_text())
        self.assertEqual({row["Service"]: row["State"] for row in project.ps()},
                         {service: "exited" for service in SERVICES})
        down = project("down").err
        for service in SERVICES:
            self.assertRegex(down, rf"Container flask-nginx-redis-{service}-1 +Removed")
        self.assertRegex(down, r"Network flask-nginx-redis_default +Removed")
        self.assertEqual(project.ps(), [])


class ComposeOnOurSocket(EndToEnd):
    """Docker Compose itself, where its plugin is installed, on the same project."""

    template = "examples"

    def setUp(self):
        if PEER:
            self.skipTest("tries our programs")
        docker = templates.docker_client()
        found = subprocess.run([docker, "compose", "version", "--short"], capture_output=True, text=True)
        if found.returncode != 0:
            self.skipTest("needs the plugin docker-compose (Docker Compose 2) of Docker's client")
        super().setUp()
        self.command = [docker, "compose"]
        self.example = self.machine.example("flask-nginx-redis")
        self.stack("container", "ls")  # starts the engine
        self.machine.env["DOCKER_HOST"] = f"unix://{self.machine.run_dir}/stack.sock"
        if "DOCKER_CONFIG" in os.environ:  # where the plugin was found
            self.machine.env["DOCKER_CONFIG"] = os.environ["DOCKER_CONFIG"]

    def compose(self, *arguments, code=0):
        done = subprocess.run([*self.command, *arguments], cwd=self.example.dir, env=self.machine.env, capture_output=True,
                              text=True, timeout=90, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, code, f"{arguments}:\n{done.stdout}{done.stderr}")
        return done

    def states(self):
        """{container: state} as `docker compose ps -a` tells it."""
        lines = self.compose("ps", "-a", "--format", "json").stdout.splitlines()
        rows = [row for line in lines for row in (lambda one: one if isinstance(one, list) else [one])(json.loads(line))]
        return {row["Name"].removeprefix("flask-nginx-redis-"): row["State"] for row in rows}

    def test_compose_up_to_down(self):
        running = {f"{service}-1": "running" for service in SERVICES}
        self.compose("up", "-d")
        self.assertEqual(self.states(), running)
        eventually(answers, 30, "the API and the page answer")
        self.assertIn("GET /api/products", self.compose("logs", "api-server").stdout)
        self.assertEqual(self.compose("exec", "-T", "redis-master", "redis-cli", "ping").stdout, "PONG\n")
        self.compose("exec", "-T", "redis-master", "sh", "-c", "exit 3", code=3)
        self.assertEqual(self.compose("run", "--rm", "-T", "--no-deps", "web-server", "echo", "once").stdout, "once\n")
        self.assertEqual(self.states(), running, "run --rm leaves nothing")

        before = self.example.inspect("api-server")["Id"]
        self.compose("up", "-d")
        self.assertEqual(self.example.inspect("api-server")["Id"], before, "up again changes nothing")
        started = self.example.inspect("web-server")["State"]["StartedAt"]
        self.compose("restart", "-t", "1", "web-server")
        self.assertNotEqual(self.example.inspect("web-server")["State"]["StartedAt"], started)
        self.assertEqual(self.compose("port", "api-server", "8000").stdout, "0.0.0.0:8000\n")

        self.compose("scale", "redis-master=3")
        self.assertEqual(self.states(), {**running, "redis-master-2": "running", "redis-master-3": "running"})
        self.compose("scale", "redis-master=1")
        self.assertEqual(self.states(), running)
        self.compose("stop", "-t", "1", "web-server")
        self.assertEqual(self.states()["web-server-1"], "exited")
        self.compose("start", "web-server")
        eventually(answers, 30, "they answer again")
        self.compose("down", "-t", "1")
        self.assertEqual(self.states(), {})
