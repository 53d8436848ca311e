"""The two examples, as a user meets them."""
import json
import socket

from harness import EndToEnd, Outside, eventually, fetch, links


class Examples(EndToEnd):
    template = "examples"

    def products(self, base="http://127.0.0.1:8000"):
        return json.loads(fetch(f"{base}/api/products"))

    def flask(self):
        project = self.machine.example("flask-nginx-redis")
        project("up", "-d")
        eventually(lambda: fetch("http://127.0.0.1:8000/api/products"), 30, "the API answers")
        project.run_in("redis-master", "redis-cli", "del", "products")
        return project

    def test_flask_nginx_redis_answers_on_its_ports(self):
        project = self.flask()
        self.assertIn('<div id="app"', fetch("http://127.0.0.1/"))
        first, second = self.products(), self.products()
        self.assertEqual((first["source"], second["source"]), ("catalogue", "redis"))
        self.assertEqual(first["products"], second["products"])
        stored = project.run_in("redis-master", "redis-cli", "--raw", "lrange", "products", "0", "-1").out
        self.assertEqual([json.loads(line) for line in stored.splitlines()], second["products"])
        rows = {row["Service"]: row for row in project.ps()}
        self.assertEqual({service: row["State"] for service, row in rows.items()},
                         {"api-server": "running", "web-server": "running", "redis-master": "running"})
        self.assertIn("0.0.0.0:8000->8000/tcp", rows["api-server"]["Ports"])
        self.assertEqual(rows["redis-master"]["Ports"], "6379/tcp")

    def test_flask_nginx_redis_is_reachable_from_everywhere(self):
        outside = Outside()
        self.addCleanup(outside.close)
        project = self.flask()
        self.assertEqual(len(json.loads(outside.fetch(f"http://{outside.here}:8000/api/products"))["products"]), 4)
        self.assertIn('<div id="app"', outside.fetch(f"http://{outside.here}/"))
        self.assertEqual(len(self.products(f"http://{outside.here}:8000")["products"]), 4)
        # From a container, by the host's address (hairpin) and by the service's name.
        for host in (f"{outside.here}:8000", "api-server:8000"):
            out = project.run_in("web-server", "curl", "-fsS", "--max-time", "3", f"http://{host}/api/products").out
            self.assertEqual(len(json.loads(out)["products"]), 4, host)
        # Redis is exposed to the other services only.
        address = project.address("redis-master")
        outside.run("ip", "route", "replace", address, "via", outside.here)
        with self.assertRaises(Exception, msg="an unpublished port answers from outside"):
            outside.run("timeout", "2", "bash", "-c", f"echo PING >/dev/tcp/{address}/6379")

    def test_flask_nginx_redis_up_again_changes_nothing(self):
        project = self.flask()
        before = project.ids()
        again = project("up", "-d")
        self.assertEqual(project.ids(), before)
        self.assertNotIn("Started", again.err)
        self.assertNotIn("Created", again.err)

    def test_flask_nginx_redis_down_leaves_nothing(self):
        project = self.flask()
        project("down")
        self.assertEqual(project.ps(), [])
        eventually(lambda: not [left for left in self.machine.left_behind() if "volumes/" not in left], 3,
                   "nothing is left after down")
        self.assertEqual(links(), ["lo"])

    def replication(self, project):
        return project.run_in("redis-master", "redis-cli", "info", "replication").out

    def replicas(self, project):
        """The number of replicas that the master counts as online."""
        return self.replication(project).count("state=online")

    def test_redis_replicas_connect_to_their_master(self):
        project = self.machine.example("redis-replicas")
        project("up", "-d")
        self.assertEqual(project.container("redis-master")["Health"], "healthy")
        eventually(lambda: self.replicas(project) == 3, 20, "three replicas online")
        self.assertIn("connected_slaves:3", self.replication(project))
        project.run_in("redis-master", "redis-cli", "set", "greeting", "hello")
        for number in (1, 2, 3):
            def read():
                return project.run_in(f"redis-replica-{number}", "redis-cli", "get", "greeting").out.strip() == "hello"
            eventually(read, 5, f"replica {number} has the value")
        for port in (6379, 6380, 6381, 6382):
            with socket.create_connection(("127.0.0.1", port), 3) as connection:
                connection.sendall(b"PING\r\n")
                self.assertEqual(connection.recv(64), b"+PONG\r\n")

    def test_redis_replicas_come_back_by_name(self):
        project = self.machine.example("redis-replicas")
        project("up", "-d")
        eventually(lambda: self.replicas(project) == 3, 20, "three replicas online")
        project.run_in("redis-master", "redis-cli", "set", "kept", "yes")
        before = project.ids()
        old = project.address("redis-master")
        # Somebody else takes the old address, so that the new master must have another one.
        project("rm", "-s", "-f", "redis-master")
        blocker = project("run", "-d", "--no-deps", "--entrypoint", "sleep", "redis-replica-1", "300").out.strip()
        project("up", "-d")
        eventually(lambda: self.replicas(project) == 3, 30, "three replicas online again")
        self.assertNotEqual(project.address("redis-master"), old)
        self.machine.remove(blocker)
        after = project.ids()
        changed = [name for name in before if before[name] != after[name]]
        self.assertEqual(changed, ["redis-replicas-redis-master-1"])
        # The volume outlived the container.
        self.assertEqual(project.run_in("redis-master", "redis-cli", "get", "kept").out.strip(), "yes")

    def test_redis_replicas_down_v_removes_the_volume(self):
        project = self.machine.example("redis-replicas")
        project("up", "-d", "--wait")
        project("down")
        self.assertTrue(any("master-data" in record for record in self.machine.records()), self.machine.records())
        kept = self.machine.records()
        project("up", "-d")
        project("down", "-v")
        self.assertEqual(self.machine.records(), [record for record in kept if "master-data" not in record])
