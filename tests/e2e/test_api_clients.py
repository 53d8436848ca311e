"""Programs that speak the Docker API know no difference: the ordinary flows of Docker's Python client."""
import base64
import functools
import http.server
import io
import json
import os
import socket
import tarfile
import threading
import time

import docker

from api_harness import EngineTest
from harness import eventually

LOOP = ["sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done"]


def archive(**files):
    """A tar in memory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o640
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Clients(EngineTest):
    def setUp(self):
        super().setUp()
        self.client = docker.DockerClient(base_url=f"unix://{self.socket}", timeout=30)
        self.addCleanup(self.client.close)

    def loop(self, **options):
        return self.client.containers.run("busybox", LOOP, detach=True, **options)

    def test_run(self):
        run = self.client.containers.run
        self.assertEqual(run("busybox", ["echo", "hello"], remove=True), b"hello\n")
        with self.assertRaises(docker.errors.ContainerError) as raised:
            run("busybox", ["sh", "-c", "echo bad >&2; exit 7"], remove=True)
        self.assertEqual((raised.exception.exit_status, raised.exception.stderr), (7, b"bad\n"))
        with self.assertRaises(docker.errors.NotFound):
            self.client.api.create_container("nosuch-image:1")
        with self.assertRaises(docker.errors.APIError) as raised:
            run("busybox", ["nosuch"], remove=True)
        self.assertEqual(raised.exception.status_code, 400)
        self.assertEqual(self.client.containers.list(all=True), [created for created in
                                                                 self.client.containers.list(all=True)
                                                                 if created.status == "created"])

    def test_kill_is_answered_when_it_has_ended(self):
        one = self.loop()
        one.kill()
        one.reload()
        self.assertEqual((one.status, one.attrs["State"]["ExitCode"]), ("exited", 137))
        one.remove()

    def test_the_start_of_an_exec_says_whether_its_stream_has_frames(self):
        one = self.loop()
        for tty, expected in ((False, b"\1\0\0\0\0\0\0\4told"), (True, b"told")):
            command = self.client.api.exec_create(one.id, ["printf", "told"], tty=True)["Id"]
            stream = self.client.api.exec_start(command, tty=tty, socket=True)
            read = b""
            while len(read) < len(expected):
                read += stream.read(100)
            stream.close()
            self.assertEqual(read, expected)
        one.remove(force=True)

    def test_a_network_may_be_made_after_its_container(self):
        one = self.client.containers.create("busybox", LOOP, network="later")
        with self.assertRaisesRegex(docker.errors.NotFound, "failed to set up container networking: network later not found"):
            one.start()
        self.client.networks.create("later")
        one.start()
        one.reload()
        self.assertEqual(list(one.attrs["NetworkSettings"]["Networks"]), ["later"])
        one.remove(force=True)
        self.client.networks.get("later").remove()

    def test_lists_show_what_was_asked_for(self):
        self.client.images.get("busybox").tag("other", "1")
        self.assertEqual([image["RepoTags"] for image in self.client.api.images("other")], [["other:1"]])
        for ask, filters in ((self.client.api.images, {"dangling": ["x"]}), (self.client.api.volumes, {"dangling": "x"}),
                             (self.client.api.containers, {"is-task": "x"})):
            with self.assertRaisesRegex(docker.errors.APIError, r"invalid filter '[a-z-]+=\[x\]'"):
                ask(filters=filters)
        with self.assertRaisesRegex(docker.errors.NotFound, r"\(linux/amd64\) does not match .* \(linux/s390x\)"):
            self.client.api.create_container("other:1", "true", platform="linux/s390x")
        self.client.images.remove("other:1")

    def test_life(self):
        one = self.loop(name="life", labels={"a": "b"})
        self.assertEqual([c.name for c in self.client.containers.list(filters={"label": "a=b"})], ["life"])
        self.assertEqual(self.client.containers.get("life").id, one.id)
        self.assertEqual(self.client.containers.get(one.short_id).id, one.id)
        one.pause()
        one.reload()
        self.assertEqual(one.status, "paused")
        one.unpause()
        one.update(mem_limit="64m", memswap_limit="128m", restart_policy={"Name": "on-failure", "MaximumRetryCount": 2})
        one.reload()
        self.assertEqual(one.attrs["HostConfig"]["Memory"], 64 << 20)
        self.assertEqual(one.attrs["HostConfig"]["RestartPolicy"]["MaximumRetryCount"], 2)
        self.assertIn(str(64 << 20).encode(), one.exec_run(
            ["sh", "-c", "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null"]).output)
        one.rename("other")
        self.assertEqual(self.client.containers.get("other").id, one.id)
        self.assertEqual(one.top()["Titles"][0], "UID")
        stats = one.stats(stream=False)
        self.assertGreater(stats["memory_stats"]["usage"], 0)
        self.assertEqual(next(one.stats(decode=True))["id"], one.id)
        one.stop(timeout=5)
        self.assertEqual(one.wait()["StatusCode"], 0)
        one.start()
        one.kill("KILL")
        self.assertEqual(one.wait()["StatusCode"], 137)
        one.restart()
        one.remove(force=True)
        with self.assertRaises(docker.errors.NotFound):
            self.client.containers.get("other")

    def test_wait_conditions(self):
        one = self.client.containers.create("busybox", ["sh", "-c", "sleep 0.3; exit 4"])
        codes = []
        waiting = threading.Thread(target=lambda: codes.append(one.wait(condition="next-exit")["StatusCode"]))
        waiting.start()
        self.assertEqual(one.wait()["StatusCode"], 0)  # never ran: not running
        one.start()
        waiting.join(10)
        self.assertEqual(codes, [4])
        gone = threading.Thread(target=lambda: codes.append(one.wait(condition="removed")["StatusCode"]))
        gone.start()
        time.sleep(0.1)
        one.remove()
        gone.join(10)
        self.assertEqual(codes, [4, 4])

    def test_exec(self):
        one = self.loop()
        self.assertEqual(one.exec_run(["sh", "-c", "echo out; echo err >&2; exit 3"]), (3, b"out\nerr\n"))
        self.assertEqual(one.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True).output, (b"out\n", b"err\n"))
        self.assertEqual(one.exec_run("id -u", user="daemon").output, b"1\n")
        self.assertEqual(one.exec_run("pwd", workdir="/tmp").output, b"/tmp\n")
        self.assertEqual(one.exec_run(["sh", "-c", "echo $A"], environment={"A": "b"}).output, b"b\n")
        self.assertEqual(b"".join(one.exec_run("cat /etc/passwd", stream=True).output)[:5], b"root:")
        self.assertIn(b"not found", one.exec_run("nosuch").output)
        code, held = one.exec_run(["sh", "-c", "read line; echo got $line"], stdin=True, socket=True)
        self.assertIsNone(code)
        connection = getattr(held, "_sock", held)
        connection.sendall(b"typed\n")
        self.assertIn(b"got typed\n", eventually(lambda: connection.recv(4096), 5))
        held.close()
        terminal = one.exec_run(["sh", "-c", "test -t 1 && echo yes"], tty=True)
        self.assertEqual(terminal.output, b"yes\r\n")

    def test_logs(self):
        one = self.client.containers.run("busybox", ["sh", "-c", "echo 1; echo 2 >&2; sleep 0.4; echo 3"], detach=True)
        self.assertEqual(b"".join(one.logs(stream=True)), b"1\n2\n3\n")
        self.assertEqual(one.logs(stderr=False), b"1\n3\n")
        self.assertEqual(one.logs(tail=1), b"3\n")
        self.assertRegex(one.logs(tail=1, timestamps=True), rb"^\d{4}-\d\d-\d\dT[0-9:.]+Z 3\n$")
        first = one.logs(timestamps=True).split()[0].decode()
        self.assertEqual(one.logs(until=int(time.time()) - 3600), b"")
        self.assertEqual(one.logs(since=int(time.time()) + 3600), b"")
        self.assertTrue(first.startswith("20"))

    def test_logs_with_details(self):
        options = docker.types.LogConfig(type="json-file", config={"labels": "a", "env": "E", "tag": "{{.Name}}"})
        self.client.containers.run("busybox", ["sh", "-c", "echo one; echo two >&2"], name="said", labels={"a": "1"},
                                   environment={"E": "x"}, log_config=options)
        lines = self.stack("logs", "--details", "said")
        self.assertEqual((lines.out, lines.err), ("E=x,a=1,tag=said one\n", "E=x,a=1,tag=said two\n"))
        self.client.containers.run("busybox", ["echo", "plain"], name="plain")
        self.assertEqual(self.stack("logs", "--details", "plain").out, " plain\n")

    def test_import_from_a_url(self):
        folder = self.machine.base / "web"
        folder.mkdir()
        (folder / "root.tar").write_bytes(archive(file=b"fetched\n"))
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            self.client.api.import_image_from_url(f"{url}/root.tar", repository="fetched", tag="1")
            image = self.client.images.get("fetched:1")
            self.assertEqual(image.history()[0]["Comment"], f"Imported from {url}/root.tar")
            with self.assertRaisesRegex(docker.errors.APIError, f"failed to GET {url}/none.tar with status 404"):
                self.client.api.import_image_from_url(f"{url}/none.tar", repository="none")
            self.client.images.remove("fetched:1")
        finally:
            server.shutdown()
            server.server_close()
            serving.join()

    def test_attach(self):
        one = self.client.containers.create("busybox", ["sh", "-c", "cat; echo end"], stdin_open=True, tty=False)
        held = self.client.api.attach_socket(one.id, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        one.start()
        connection = getattr(held, "_sock", held)
        connection.sendall(b"through\n")
        seen = b""
        while b"through" not in seen:
            seen += connection.recv(4096)
        one.kill()
        held.close()
        second = self.client.containers.run("busybox", ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done"],
                                            detach=True)
        self.assertEqual(b"".join(second.attach(stream=True, logs=True)), b"1\n2\n3\n")

    def test_attach_with_the_log_has_everything_once(self):
        """Whatever the moment of the attachment: in the middle of a line, between lines, before the first."""
        count = ("i=0; while [ $i -lt 400 ]; do printf $i; [ $((i % 40)) != 7 ] || sleep 0.02; echo ,; i=$((i + 1)); "
                 "[ $((i % 40)) != 0 ] || sleep 0.02; done")
        expected = b"".join(b"%d,\n" % i for i in range(400))
        for _ in range(10):
            one = self.client.containers.run("busybox", ["sh", "-c", count], detach=True)
            self.assertEqual(b"".join(one.attach(stream=True, logs=True)), expected)
            one.remove(force=True)

    def test_archives(self):
        one = self.loop()
        self.assertTrue(one.put_archive("/tmp", archive(a=b"text", b=b"")))
        self.assertEqual(one.exec_run("cat /tmp/a").output, b"text")
        pieces, stat = one.get_archive("/tmp/a")
        self.assertEqual((stat["name"], stat["size"], stat["mode"]), ("a", 4, 0o640))
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
            self.assertEqual(tar.extractfile("a").read(), b"text")
        with self.assertRaises(docker.errors.NotFound):
            one.get_archive("/nosuch")
        one.exec_run("rm /tmp/b")
        self.assertEqual([(change["Path"], change["Kind"]) for change in one.diff()], [("/tmp", 0), ("/tmp/a", 1)])
        with tarfile.open(fileobj=io.BytesIO(b"".join(one.export()))) as tar:
            self.assertIn("tmp/a", [name.removeprefix("./") for name in tar.getnames()])

    def test_commit(self):
        one = self.loop()
        one.exec_run(["sh", "-c", "echo kept > /kept"])
        image = one.commit("committed", "v1", message="why", author="who", changes=["ENV A=b", 'CMD ["cat", "/kept"]'])
        self.assertEqual(image.tags, ["committed:v1"])
        self.assertEqual((image.attrs["Comment"], image.attrs["Author"]), ("why", "who"))
        self.assertIn("A=b", image.attrs["Config"]["Env"])
        self.assertEqual(self.client.containers.run("committed:v1", remove=True), b"kept\n")
        one.remove(force=True)
        self.client.images.remove("committed:v1")
        self.assertEqual([i.tags for i in self.client.images.list()], [["busybox:latest"]])

    def test_build(self):
        context = self.machine.base / "context"
        context.mkdir()
        (context / "Dockerfile").write_text("FROM busybox\nARG who=nobody\nCOPY file /file\nRUN echo $who >> /file\n"
                                            "LABEL a=b\nCMD [\"cat\", \"/file\"]\n")
        (context / "file").write_text("copied\n")
        image, log = self.client.images.build(path=str(context), tag="built:1", buildargs={"who": "me"}, rm=True)
        self.assertEqual(image.labels, {"a": "b"})
        self.assertTrue(any("Successfully built" in line.get("stream", "") for line in log))
        self.assertEqual(self.client.containers.run("built:1", remove=True), b"copied\nme\n")
        (context / "Dockerfile").write_text("FROM busybox\nRUN exit 3\n")
        with self.assertRaises(docker.errors.BuildError) as raised:
            self.client.images.build(path=str(context))
        self.assertRegex(str(raised.exception), "code: 3")
        self.client.images.remove("built:1", force=True)

    def test_a_build_is_told_step_by_step(self):
        context = archive(Dockerfile=b"FROM busybox\nENV A=b\nRUN echo out; echo err >&2\nLABEL c=d\n")
        said = [line.get("stream", "") for line in self.client.api.build(
            fileobj=io.BytesIO(context), custom_context=True, decode=True, nocache=True, buildargs={"typo": "1"})]
        told = "".join(said)
        steps = [line.rstrip() for line in said if line.startswith("Step ")]
        self.assertEqual(steps, ["Step 1/4 : FROM busybox", "Step 2/4 : ENV A=b", "Step 3/4 : RUN echo out; echo err >&2",
                                 "Step 4/4 : LABEL c=d"])
        self.assertIn("out\n", told)
        self.assertIn("\x1b[91merr\n\x1b[0m", told)
        self.assertIn("[Warning] One or more build-args [typo] were not consumed\n", told)
        context = archive(Dockerfile=b"FROM busybox\nRUN exit 3\n")
        *_, last = self.client.api.build(fileobj=io.BytesIO(context), custom_context=True, decode=True)
        message = "The command '/bin/sh -c exit 3' returned a non-zero code: 3"
        self.assertEqual(last, {"error": message, "errorDetail": {"code": 3, "message": message}})

    def test_a_build_says_what_every_step_has_led_to(self):
        def build(tag=None, **options):
            text = b"FROM busybox AS first\nENV A=b\nRUN echo made > /made\nFROM busybox\nCOPY --from=first /made /\nCMD [\"x\"]\n"
            lines = self.client.api.build(fileobj=io.BytesIO(archive(Dockerfile=text)), custom_context=True, decode=True,
                                          tag=tag, **options)
            return "".join(line.get("stream", "") for line in lines)
        base = self.client.images.get("busybox").id[7:19]
        told = build("built")
        result = self.client.images.get("built").id[7:19]
        self.assertRegex(told, "\n".join([
            "Step 1/6 : FROM busybox AS first", f" ---> {base}",
            "Step 2/6 : ENV A=b", " ---> [0-9a-f]{12}",
            "Step 3/6 : RUN echo made > /made", " ---> Running in ([0-9a-f]{12})",
            r" ---> Removed intermediate container \1", " ---> [0-9a-f]{12}",
            "Step 4/6 : FROM busybox", f" ---> {base}",
            "Step 5/6 : COPY --from=first /made /", " ---> [0-9a-f]{12}",
            'Step 6/6 : CMD \\["x"\\]', f" ---> {result}",
            f"Successfully built {result}", "Successfully tagged built:latest", "$"]))
        self.assertEqual(build("built").count(" ---> Using cache\n"), 4)
        self.assertEqual(build("again", cache_from=["built"]).count(" ---> Using cache\n"), 4)
        self.assertEqual(build("again", cache_from=["nosuch"]).count("Using cache"), 0)
        for name in ("built", "again"):
            self.client.images.remove(name)

    def test_a_build_says_that_its_base_triggers_steps(self):
        def build(text, tag):
            lines = self.client.api.build(fileobj=io.BytesIO(archive(Dockerfile=text)), custom_context=True, decode=True,
                                          tag=tag)
            return "".join(line.get("stream", "") for line in lines)
        build(b"FROM busybox\nONBUILD RUN echo triggered\n", "base")
        told = build(b"FROM base\nLABEL a=b\n", "child")
        self.assertRegex(told, "Step 1/2 : FROM base\n ---> [0-9a-f]+\n# Executing 1 build trigger\n ---> Running in ")
        self.assertIn("triggered\n", told)
        self.assertIn("Step 2/2 : LABEL a=b\n", told)
        for name in ("child", "base"):
            self.client.images.remove(name)

    def test_a_build_finds_the_containers_of_its_network(self):
        self.client.networks.create("builders")
        server = self.loop(name="server", network="builders")
        context = archive(Dockerfile=b"FROM busybox\nRUN nslookup server\n")
        self.client.images.build(fileobj=io.BytesIO(context), custom_context=True, network_mode="builders", tag="asked")
        server.remove(force=True)
        self.client.networks.get("builders").remove()
        self.client.images.remove("asked")

    def test_events(self):
        begin = int(time.time())
        one = self.client.containers.run("busybox", "true", detach=True, name="told")
        one.wait()
        one.remove()
        seen = [event["Action"] for event in self.client.events(since=begin, until=int(time.time()) + 1, decode=True,
                                                                filters={"container": "told"})]
        self.assertEqual(seen, ["create", "start", "die", "destroy"])

    def test_networks(self):
        net = self.client.networks.create("one", driver="bridge", labels={"a": "b"}, ipam=docker.types.IPAMConfig(
            pool_configs=[docker.types.IPAMPool(subnet="10.231.9.0/24", gateway="10.231.9.1")]))
        server = self.loop(name="server")
        asking = self.loop(name="asking", network="one")
        net.connect(server, aliases=["known"], ipv4_address="10.231.9.77")
        self.assertIn(b"10.231.9.77", asking.exec_run("nslookup known").output)
        net.reload()
        self.assertEqual({c.name for c in net.containers}, {"server", "asking"})
        with self.assertRaises(docker.errors.APIError) as raised:
            net.remove()
        self.assertEqual(raised.exception.status_code, 403)
        net.disconnect(server)
        self.assertNotEqual(asking.exec_run("nslookup known").exit_code, 0)
        server.reload()
        self.assertEqual(list(server.attrs["NetworkSettings"]["Networks"]), ["bridge"])
        for one in (server, asking):
            one.remove(force=True)
        self.assertEqual(self.client.networks.prune()["NetworksDeleted"], ["one"])

    def test_links(self):
        self.loop(name="database", environment={"PASSWORD": "x"})
        one = self.client.containers.run("busybox", LOOP, detach=True, links={"database": "db"})
        address = self.client.containers.get("database").attrs["NetworkSettings"]["IPAddress"]
        self.assertIn(address.encode() + b"\tdb", one.exec_run("cat /etc/hosts").output)
        self.assertIn(b"DB_ENV_PASSWORD=x", one.exec_run("env").output)
        self.assertIn(b"DB_NAME=/", one.exec_run("env").output)
        # A link can be taken away from a running container: the name is gone, both containers stay.
        self.assertEqual(one.exec_run("ping -c 1 db").exit_code, 0)
        self.client.api.remove_container(f"{one.name}/db", link=True)
        self.assertNotIn(b"\tdb", one.exec_run("cat /etc/hosts").output)
        self.assertNotEqual(one.exec_run("ping -c 1 -w 2 db").exit_code, 0)
        one.reload()
        self.assertIsNone(one.attrs["HostConfig"]["Links"])
        self.assertEqual(len(self.client.containers.list()), 2)
        with self.assertRaises(docker.errors.NotFound):
            self.client.api.remove_container(f"{one.name}/db", link=True)

    def test_link_local_addresses(self):
        api = self.client.api
        def create(address):
            return api.create_container("busybox", LOOP, networking_config=api.create_networking_config(
                {"bridge": api.create_endpoint_config(link_local_ips=[address])}))["Id"]
        one, other = create("169.254.8.8"), create("169.254.8.9")
        for container in (one, other):
            api.start(container)
        self.assertEqual(api.inspect_container(one)["NetworkSettings"]["Networks"]["bridge"]["IPAMConfig"],
                         {"LinkLocalIPs": ["169.254.8.8"]})
        asking = self.client.containers.get(one)
        self.assertIn(b"inet 169.254.8.8/16 ", asking.exec_run("ip address show eth0").output)
        # Each may send from its own: the guard against forged senders knows it.
        self.assertEqual(asking.exec_run("ping -c 1 -w 2 169.254.8.9").exit_code, 0)
        for wrong in ("10.1.1.1", "bad"):
            with self.assertRaisesRegex(docker.errors.APIError, f"invalid link-local IP address: {wrong}"):
                create(wrong)

    def test_volumes(self):
        volume = self.client.volumes.create("data", labels={"a": "b"})
        run = self.client.containers.run
        run("busybox", ["sh", "-c", "echo kept > /data/file"], volumes={"data": {"bind": "/data"}}, remove=True)
        self.assertEqual(run("busybox", "cat /d/file", volumes=["data:/d:ro"], remove=True), b"kept\n")
        holder = self.loop(volumes=["data:/data"])
        self.assertEqual(run("busybox", "cat /data/file", volumes_from=[holder.id], remove=True), b"kept\n")
        with self.assertRaises(docker.errors.APIError) as raised:
            volume.remove()
        self.assertEqual(raised.exception.status_code, 409)
        # What an image has at a place is copied into a new volume there.
        self.assertIn(b"sh\n", run("busybox", "ls /bin", volumes=["fresh:/bin"], remove=True))
        self.assertTrue(os.path.lexists(self.machine.root / "volumes" / "fresh" / "_data" / "sh"))
        holder.remove(force=True)
        self.assertEqual(self.client.volumes.prune(filters={"all": True})["VolumesDeleted"], ["data", "fresh"])

    def test_files_of_the_engine_are_there_before_the_first_start(self):
        one = self.client.containers.create("busybox", ["cat", "/etc/mtab"])
        for name in ("/etc/hosts", "/etc/resolv.conf", "/.dockerenv", "/dev/shm"):
            stream, stat = one.get_archive(name)
            self.assertEqual(stat["name"], os.path.basename(name))
            self.assertEqual(stat["size"] if not name.startswith("/dev") else 0, 0)
            self.assertTrue(b"".join(stream))
        self.assertEqual(one.get_archive("/etc/mtab")[1]["linkTarget"], "/proc/mounts")
        with tarfile.open(fileobj=io.BytesIO(b"".join(one.export()))) as tar:
            self.assertEqual(tar.getmember("etc/mtab").linkname, "/proc/mounts")
            self.assertEqual(tar.getmember("etc/hosts").size, 0)
        self.assertEqual(one.diff(), None)
        one.start()
        one.wait()
        self.assertIn(b" /proc proc ", one.logs())
        self.assertGreater(one.get_archive("/etc/hosts")[1]["size"], 0)
        self.assertEqual(one.diff(), None)
        one.remove()

    def test_changes_of_a_commit_are_lines(self):
        one = self.client.containers.create("busybox", "true")
        image = one.commit("changed", changes="ENV X=y\nEXPOSE 99")
        self.assertIn("X=y", image.attrs["Config"]["Env"])
        self.assertEqual(image.attrs["Config"]["ExposedPorts"], {"99/tcp": {}})
        one.remove()
        self.client.images.remove("changed")

    def test_builds_of_version_2(self):
        """BuildKit's progress and errors, for a context that comes as a tar."""
        def build(dockerfile, target="/build?version=2&t=newer"):
            answer = self.ask("POST", target, archive(Dockerfile=dockerfile),
                              headers={"Content-Type": "application/x-tar"})
            self.assertEqual(answer.status, 200)
            lines = [json.loads(line) for line in answer.body.splitlines()]
            trace = [base64.b64decode(line["aux"]) for line in lines if line.get("id") == "moby.buildkit.trace"]
            return lines, b"".join(trace)
        lines, trace = build(b"FROM busybox\nRUN --mount=type=cache,target=/c echo said\n")
        self.assertEqual(lines[-1], {"id": "moby.image.id", "aux": {"ID": self.client.images.get("newer").id}})
        for text in (b"[internal] load remote build context", b"[1/2] FROM busybox", b"[2/2] RUN --mount=", b"said\n",
                     b"naming to docker.io/library/newer:latest"):
            self.assertIn(text, trace)
        lines, trace = build(b"FROM busybox\nRUN exit 3\n")
        message = 'process "/bin/sh -c exit 3" did not complete successfully: exit code: 3'
        self.assertEqual(lines[-1], {"errorDetail": {"message": message}, "error": message})
        self.assertIn(message.encode(), trace)
        lines, _ = build(b"FROM busybox\nNOSUCH\n")
        self.assertIn("nosuch", lines[-1]["error"].lower())
        self.client.images.remove("newer")

    def test_a_session_is_held(self):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self.socket)
            connection.sendall(b"POST /session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
                               b"X-Docker-Expose-Session-Uuid: one\r\n\r\n")
            self.assertEqual(connection.recv(4096), b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                                                    b"Upgrade: h2c\r\n\r\n")
            connection.sendall(b"x" * 100000)
            self.assertEqual(self.ask("GET", "/_ping").status, 200)
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(connection.recv(4096), b"")

    def test_prune(self):
        one = self.client.containers.run("busybox", ["sh", "-c", "echo x > /file"], detach=True)
        one.wait()
        self.assertEqual(self.client.containers.prune({"until": "24h"})["ContainersDeleted"], None)
        pruned = self.client.containers.prune()
        self.assertEqual(pruned["ContainersDeleted"], [one.id])
        self.assertGreater(pruned["SpaceReclaimed"], 0)
        df = self.client.df()
        self.assertEqual(df["Containers"], [])
        self.assertEqual(len(df["Images"]), 1)

    def test_restart_policy(self):
        one = self.client.containers.run("busybox", ["sh", "-c", "exit 9"], detach=True,
                                         restart_policy={"Name": "on-failure", "MaximumRetryCount": 2})

        def ended():
            one.reload()
            return one.status == "exited" and one.attrs["RestartCount"] == 2
        eventually(ended, 10)
        self.assertEqual(one.attrs["State"]["ExitCode"], 9)

    def test_out_of_memory(self):
        one = self.client.containers.run("busybox", ["sh", "-c", "x=a; while :; do x=$x$x; done"], detach=True,
                                         mem_limit="16m", memswap_limit="16m")
        one.wait()
        one.reload()
        self.assertTrue(one.attrs["State"]["OOMKilled"])
        self.assertEqual(one.attrs["State"]["ExitCode"], 137)
