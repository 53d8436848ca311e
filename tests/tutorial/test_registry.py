"""Registries: login, push, pull and search against real ones, with TLS, passwords and tokens; mirrors; spoilt answers."""
import json
import os
import shutil
import pathlib
import stat
import subprocess
import threading
import time
import unittest

import registries
from harness import EndToEnd, PEER

HOST = "192.0.2.10"  # its own machine, as far as trust goes


@unittest.skipUnless(os.path.exists(registries.PROGRAM) and not PEER, "needs Debian's docker-registry")
class Registry(EndToEnd):
    def setUp(self):
        super().setUp()
        registries.add_address(HOST)
        self.settings = self.machine.base / "etc" / "daemon.json"
        self.settings.parent.mkdir()
        self.machine.env["STACK_CONFIG"] = str(self.settings)
        self.config = self.machine.base / ".docker" / "config.json"

    def serve(self, kind, *arguments, **options):
        """Started, and stopped before the test looks for what is left behind."""
        one = kind(*arguments, **options)
        self.addCleanup(one.stop)
        return one

    def registry(self, name="registry", port=5000, **options):
        return self.serve(registries.Registry, self.machine.base / name, HOST, port, **options)

    def authority(self):
        return registries.Authority(self.machine.base / "authority")

    def trust(self, authority, *names):
        for name in names:
            directory = self.settings.parent / "certs.d" / name
            directory.mkdir(parents=True)
            (directory / "ca.crt").write_bytes(authority.certificate.read_bytes())

    def insecure(self, *names, **more):
        self.settings.write_text(json.dumps({"insecure-registries": list(names), **more}))

    def image_id(self, name):
        return self.inspect_image(name)["Id"]

    def inspect_image(self, name):
        return json.loads(self.stack("image", "inspect", name).out)[0]

    def test_login_push_and_pull_over_tls(self):
        authority = self.authority()
        registry = self.registry(tls=authority.sign(HOST), users={"ann": "s3cret:pass"})
        image = f"{registry.name}/shop/web:1"
        self.stack("image", "tag", "busybox", image)
        unknown = self.stack("login", "-u", "ann", "--password-stdin", registry.name, stdin="s3cret:pass\n", code=1)
        self.assertRegex(unknown.err, r'Get "https://192.0.2.10:5000/v2/".*certificate')
        self.trust(authority, registry.name)

        wrong = self.stack("login", "-u", "ann", "--password-stdin", registry.name, stdin="guess\n", code=1)
        self.assertIn("401 Unauthorized", wrong.err)
        self.assertNotIn("guess", wrong.err + wrong.out)
        self.assertFalse(self.config.exists())
        refused = self.stack("image", "push", image, code=1)
        self.assertIn("no basic auth credentials", refused.err)

        right = self.stack("login", "-u", "ann", "--password-stdin", registry.name, stdin="s3cret:pass\n")
        self.assertEqual(right.out, "Login Succeeded\n")
        self.assertIn("stored unencrypted", right.err)
        self.assertEqual(stat.S_IMODE(self.config.stat().st_mode), 0o600)
        self.assertEqual(list(json.loads(self.config.read_text())["auths"]), [registry.name])
        again = self.stack("login", registry.name)
        self.assertIn("Authenticating with existing credentials... [Username: ann]", again.out)

        pushed = self.stack("image", "push", image).out
        self.assertRegex(pushed, rf"^The push refers to repository \[{registry.name}/shop/web\]\n"
                                 r"([0-9a-f]{12}): Preparing\n\1: Pushed\n1: digest: sha256:[0-9a-f]{64} size: \d+\n$")
        self.assertRegex(self.stack("image", "push", image).out, r"[0-9a-f]{12}: Layer already exists\n")
        digest = self.inspect_image(image)["RepoDigests"]
        before = self.image_id("busybox")

        self.stack("image", "rm", image)
        pulled = self.stack("image", "pull", image).out
        self.assertRegex(pulled, r"^1: Pulling from shop/web\n")
        self.assertTrue(pulled.endswith(f"Status: Downloaded newer image for {image}\n{image}\n"), pulled)
        self.assertEqual(self.image_id(image), before)
        self.assertEqual(self.inspect_image(image)["RepoDigests"], digest)
        self.assertIn("Image is up to date", self.stack("image", "pull", image).out)
        self.assertEqual(self.stack("image", "pull", "-q", image).out, image + "\n")

        missing = self.stack("image", "pull", f"{registry.name}/shop/web:2", code=1)
        self.assertIn(f"manifest for {registry.name}/shop/web:2 not found: manifest unknown: manifest unknown",
                      missing.err)
        self.assertEqual(self.stack("logout", registry.name).out,
                         f"Removing login credentials for {registry.name}\n")
        self.assertEqual(self.stack("logout", registry.name).out, f"Not logged in to {registry.name}\n")
        self.assertIn("no basic auth credentials", self.stack("image", "pull", image, code=1).err)

    def test_the_docker_client_logs_in_pushes_and_pulls(self):
        client = shutil.which("docker")
        if not client:
            self.skipTest("needs Debian's docker client")
        registry = self.registry(users={"ann": "word"})
        self.insecure(registry.name)
        self.stack("image", "ls")

        def docker(*arguments, code=0, **options):
            env = {**self.machine.env, "DOCKER_HOST": f"unix://{self.machine.run_dir}/stack.sock"}
            done = subprocess.run([client, *arguments], env=env, capture_output=True, text=True, timeout=60,
                                  **options)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            return done
        image = f"{registry.name}/app"
        docker("tag", "busybox", image)
        self.assertIn("unauthorized", docker("login", "-u", "ann", "-p", "x", registry.name, code=1).stderr.lower())
        self.assertIn("Login Succeeded", docker("login", "-u", "ann", "-p", "word", registry.name).stdout)
        self.assertRegex(docker("push", image).stdout, r"latest: digest: sha256:[0-9a-f]{64} size: \d+")
        docker("rmi", image)
        self.assertIn("Downloaded newer image", docker("pull", image).stdout)
        status, remote = self.machine.api("GET", f"/v1.51/distribution/{image}/json")
        self.assertEqual((status, remote["Platforms"]), (200, [{"architecture": "amd64", "os": "linux"}]))
        self.assertIn(image + "@" + remote["Descriptor"]["digest"], self.inspect_image(image)["RepoDigests"])

    def test_plain_registries_must_be_listed_and_settings_change_without_a_restart(self):
        registry = self.registry()
        image = f"{registry.name}/web"
        self.stack("image", "tag", "busybox", image)
        refused = self.stack("image", "push", image, code=1)
        self.assertIn("insecure-registries", refused.err)
        self.insecure(registry.name)
        self.stack("image", "push", image)

        self.settings.write_text('{\n  "insecure-registries": [],\n  "no-such-key": 1\n}\n')
        self.stack("image", "push", image)
        # Without an engine to keep the settings: the last good ones still hold.
        self.machine.stop_engine()
        self.stack("image", "push", image)
        log = "".join(path.read_text() for path in self.machine.run_dir.glob("*.log"))
        self.assertIn(f"{self.settings}:3:3: the following directives don't match any configuration option: "
                      "no-such-key", log)
        self.insecure()
        self.stack("image", "push", image, code=1)

    def test_tokens(self):
        authority = self.authority()
        certificate = authority.sign(HOST)
        server = self.serve(registries.TokenServer, self.machine.base / "token", HOST, 5001, {"ann": "word"}, certificate)
        registry = self.registry(tls=certificate, tokens=server)
        self.trust(authority, registry.name)
        image, public = f"{registry.name}/shop/web", f"{registry.name}/public/web"
        self.stack("image", "tag", "busybox", image)
        self.stack("image", "tag", "busybox", public)
        wrong = self.stack("login", "-u", "ann", "--password-stdin", registry.name, stdin="guess", code=1)
        self.assertIn(f'Get "https://{registry.name}/v2/": unauthorized: incorrect username or password', wrong.err)
        denied = self.stack("image", "push", image, code=1)
        self.assertIn("unauthorized: authentication required", denied.err)
        self.stack("login", "-u", "ann", "--password-stdin", registry.name, stdin="word")
        # What the token server gave to keep is kept instead of the password.
        entry = json.loads(self.config.read_text())["auths"][registry.name]
        self.assertEqual(entry["identitytoken"], "refresh-ann")
        self.stack("image", "push", image)
        mounted = self.stack("image", "push", public).out
        self.assertIn(": Mounted from shop/web\n", mounted)
        self.assertIn("repository:shop/web:pull", server.scopes)
        # Who may not read the other repository sends the layers.
        server.refused = {"repository:shop/web:pull", "repository:public/web:pull"}
        other = f"{registry.name}/shop/other"
        self.stack("image", "tag", "busybox", other)
        self.assertIn(": Pushed\n", self.stack("image", "push", other).out)
        server.refused = set()
        self.stack("image", "rm", public)
        self.stack("image", "pull", public)
        self.stack("logout", registry.name)
        self.stack("image", "pull", public)
        self.assertIn("unauthorized: authentication required", self.stack("image", "pull", image, code=1).err)

    def test_a_mirror_that_is_away_and_one_that_is_there(self):
        mirror = self.registry()
        image = f"{mirror.name}/library/hello:1"
        self.insecure(mirror.name, **{"registry-mirrors": [f"http://{HOST}:1", f"http://{mirror.name}"]})
        self.stack("image", "tag", "busybox", image)
        self.stack("image", "push", image)
        pulled = self.stack("image", "pull", "hello:1").out
        self.assertTrue(pulled.endswith("docker.io/library/hello:1\n"), pulled)
        self.assertEqual(self.image_id("hello:1"), self.image_id("busybox"))

    def test_busy_and_broken_answers(self):
        registry = self.registry()
        left = {"busy": 2, "cut": 2}
        lock = threading.Lock()

        def take(what):
            with lock:
                left[what] -= 1
                return left[what] >= 0

        def spoil(request, status, headers, body):
            if "/manifests/" in request.path and take("busy"):
                request.answer(429, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}', Retry_After="0")
                return True
            if "/blobs/" in request.path and request.command == "GET" and len(body) > 100000 and take("cut"):
                request.send_response(status)
                for name, value in headers.items():
                    request.send_header(name.replace("_", "-"), value)
                request.send_header("Content-Length", str(len(body)))
                request.end_headers()
                request.wfile.write(body[:len(body) // 3])
                request.close_connection = True
                return True
            return False

        proxy = self.serve(registries.SpoilingProxy, HOST, 5002, registry.name, spoil)
        self.insecure(registry.name, proxy.name)
        self.stack("image", "tag", "busybox", f"{registry.name}/app")
        self.stack("image", "push", f"{registry.name}/app")
        before = self.image_id("busybox")
        self.stack("image", "rm", "-f", before)
        pulled = self.stack("image", "pull", f"{proxy.name}/app").out
        self.assertIn("Retrying in ", pulled)
        self.assertEqual(self.image_id(f"{proxy.name}/app"), before)
        self.assertTrue(left["busy"] < 0 and left["cut"] < 0, left)
        left.update(busy=100)
        busy = self.stack("image", "pull", f"{proxy.name}/app", code=1)
        self.assertIn("toomanyrequests: slow down", busy.err)

    def test_a_pull_ends_when_its_last_client_leaves(self):
        registry = self.registry()
        asked, left = threading.Semaphore(0), threading.Semaphore(0)

        def stall(request, status, headers, body):
            """The layers never end."""
            if "/blobs/" not in request.path or len(body) < 100_000:
                return False
            request.send_response(200)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            asked.release()
            try:
                while True:
                    request.wfile.write(body[:1])
                    time.sleep(0.01)
            except OSError:
                left.release()
            return True

        proxy = self.serve(registries.SpoilingProxy, HOST, 5002, registry.name, stall)
        self.insecure(registry.name, proxy.name)
        self.stack("image", "tag", "busybox", f"{registry.name}/app")
        self.stack("image", "push", f"{registry.name}/app")
        self.stack("image", "rm", "-f", self.image_id("busybox"))
        pulls = [self.machine.popen("image", "pull", f"{proxy.name}/app") for _ in range(2)]
        self.assertTrue(asked.acquire(timeout=10), "the layer is asked for")
        pulls[0].kill()
        self.assertFalse(left.acquire(timeout=0.5), "one client still waits")
        pulls[1].kill()
        self.assertTrue(left.acquire(timeout=10), "the download ends with the last client")
        self.assertEqual(self.stack("image", "ls", "-q").out, "")

    def test_search(self):
        found = [{"name": "mysql", "description": "MySQL is a widely used,\nopen-source relational database management",
                  "star_count": 15000, "is_official": True, "is_automated": False},
                 {"name": "bitnami/mysql", "description": "", "star_count": 12, "is_official": False,
                  "is_automated": False}]
        index = self.serve(registries.search_index, HOST, 5003, found)
        self.insecure(index.name)
        rows = self.stack("search", f"{index.name}/mysql").out.splitlines()
        self.assertRegex(rows[0], r"^NAME +DESCRIPTION +STARS +OFFICIAL$")
        self.assertRegex(rows[1], r"^mysql +MySQL is a widely used, open-source relation… +15000 +\[OK\]$")
        self.assertRegex(rows[2], r"^bitnami/mysql +12 *$")
        only = self.stack("search", "--filter", "is-official=true", "--format", "{{.Name}}", f"{index.name}/mysql").out
        self.assertEqual(only, "mysql\n")
        self.assertEqual(len(self.stack("search", "--limit", "1", f"{index.name}/mysql").out.splitlines()), 2)
        self.assertIn("outside the range of [1, 100]", self.stack("search", "--limit", "101", "mysql", code=1).err)

    def test_a_credential_helper_is_run(self):
        registry = self.registry(users={"ann": "word"})
        self.insecure(registry.name)
        programs = self.machine.base / "bin"
        programs.mkdir()
        helper = programs / "docker-credential-keep"
        helper.write_text(f"""#!/bin/sh
store={self.machine.base}/kept
case $1 in
store) cat >$store ;;
erase) rm -f $store ;;
get) [ -f $store ] && cat $store && exit; echo "credentials not found in native keychain"; exit 1 ;;
list) echo '{{}}' ;;
esac
""")
        helper.chmod(0o755)
        self.machine.env["PATH"] = f"{programs}:{self.machine.env['PATH']}"
        self.config.parent.mkdir()
        self.config.write_text('{"credHelpers": {"%s": "keep"}, "other": [1]}' % registry.name)
        self.stack("image", "tag", "busybox", f"{registry.name}/app")
        self.stack("login", "-u", "ann", "--password-stdin", registry.name, stdin="word")
        self.assertNotIn("YW5uOndvcmQ", self.config.read_text())
        self.assertEqual(json.loads(self.config.read_text())["other"], [1])
        self.assertIn('"Secret":"word"', (self.machine.base / "kept").read_text().replace(" ", ""))
        self.stack("image", "push", f"{registry.name}/app")
        self.stack("logout", registry.name)
        self.assertFalse((self.machine.base / "kept").exists())

    def test_a_project_is_pushed(self):
        registry = self.registry()
        self.insecure(registry.name)
        project = self.project("shop", f"""
            services:
              web:
                image: {registry.name}/shop-web
                build:
                  dockerfile_inline: |
                    FROM busybox
                    RUN echo hello >/hello
              other: {{image: busybox}}
            """)
        project("build")
        done = project("push")
        self.assertIn("other  Skipped", done.err)
        self.assertEqual(list(registry.blobs()), ["shop-web"])


