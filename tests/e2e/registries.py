"""Registries for the tests: Debian's docker-registry with TLS, passwords or tokens, a token server that signs with a key
of its own, a proxy that spoils answers, and an index that can be searched. All of them on addresses of the test's own
network namespace.
"""
import base64
import contextlib
import crypt
import http.client
import http.server
import json
import pathlib
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

PROGRAM = "/usr/bin/docker-registry"


def add_address(address):
    """An address that is not a loopback one, so that nothing about it is trusted by default."""
    subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True)


class Authority:
    """A certificate authority and the certificates that it signs."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True)
        self.certificate = self.dir / "ca.crt"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.crt")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.dir, check=True, capture_output=True)

    def sign(self, address):
        """(certificate, key) for an address."""
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={address}",
                      "-keyout", f"{address}.key", "-out", f"{address}.csr")
        (self.dir / "names").write_text(f"subjectAltName=IP:{address}\n")
        self._openssl("x509", "-req", "-in", f"{address}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", "2", "-extfile", "names", "-out", f"{address}.crt")
        return self.dir / f"{address}.crt", self.dir / f"{address}.key"


class Registry:
    """A docker-registry that runs until stop()."""

    def __init__(self, directory, address, port, tls=None, users=None, tokens=None):
        self.name = f"{address}:{port}"
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True)
        config = {"version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}},
                  "storage": {"filesystem": {"rootdirectory": str(self.dir / "data")}, "delete": {"enabled": True}},
                  "http": {"addr": self.name}}
        if tls:
            config["http"]["tls"] = {"certificate": str(tls[0]), "key": str(tls[1])}
        if users:
            lines = [f"{name}:{crypt.crypt(word, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))}"
                     for name, word in users.items()]
            (self.dir / "htpasswd").write_text("\n".join(lines) + "\n")
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(self.dir / "htpasswd")}}
        if tokens:
            config["auth"] = {"token": {"realm": tokens.url, "service": "registry.test", "issuer": "test issuer",
                                        "rootcertbundle": str(tokens.certificate)}}
        (self.dir / "config.yml").write_text(json.dumps(config))
        self.log = open(self.dir / "log", "wb")
        self.process = subprocess.Popen([PROGRAM, "serve", str(self.dir / "config.yml")], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, cwd=self.dir)
        wait_for(address, port, self.process)

    def blobs(self):
        """How many blobs each repository links to."""
        base = self.dir / "data/docker/registry/v2/repositories"
        return {str(path.parent.relative_to(base)): len(list(path.glob("sha256/*")))
                for path in base.glob("**/_layers")}

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


def wait_for(address, port, process=None):
    deadline = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
            return
        if time.monotonic() > deadline or (process and process.poll() is not None):
            raise AssertionError(f"nobody listens at {address}:{port}")
        time.sleep(0.02)


class Server:
    """An HTTP server on a thread; `handle(request handler)` answers every request."""

    def __init__(self, address, port, handle, tls=None):
        owner = self
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def answer(self, status, body=b"", **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def any(self):
                owner.requests.append((self.command, self.path))
                handle(self)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = any

        self.name = f"{address}:{port}"
        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenServer(Server):
    """Gives tokens that docker-registry accepts: JWT, RS256, the certificate in x5c."""

    def __init__(self, directory, address, port, users, tls):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True)
        self.users = users
        self.certificate = self.dir / "token.crt"
        self.url = f"https://{address}:{port}/token"
        self.scopes = []
        self.refused = set()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=issuer",
                        "-keyout", "token.key", "-out", "token.crt"], cwd=self.dir, check=True, capture_output=True)
        super().__init__(address, port, self.handle, tls)

    def sign(self, user, scopes):
        der = subprocess.run(["openssl", "x509", "-in", "token.crt", "-outform", "DER"], cwd=self.dir, check=True,
                             capture_output=True).stdout
        now = int(time.time())
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            # Anonymous users may pull what is below public/.
            allowed = actions.split(",") if user else ["pull"] if name.startswith("public/") else []
            access.append({"type": kind, "name": name, "actions": allowed})
        parts = [{"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]},
                 {"iss": "test issuer", "sub": user or "", "aud": "registry.test", "exp": now + 60, "nbf": now - 10,
                  "iat": now, "jti": str(time.monotonic_ns()), "access": access}]
        text = ".".join(base64url(json.dumps(part).encode()) for part in parts)
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", "token.key"], cwd=self.dir, check=True,
                                   input=text.encode(), capture_output=True).stdout
        return f"{text}.{base64url(signature)}"

    def handle(self, request):
        url = urllib.parse.urlsplit(request.path)
        values = urllib.parse.parse_qs(url.query)
        user = None
        if request.command == "POST":
            length = int(request.headers.get("Content-Length", 0))
            values = urllib.parse.parse_qs(request.rfile.read(length).decode())
            user = values.get("refresh_token", [""])[0].removeprefix("refresh-")
            if user not in self.users:
                return request.answer(401, b'{"details": "the refresh token is not known"}')
        elif request.headers.get("Authorization", "").startswith("Basic "):
            user, _, word = base64.b64decode(request.headers["Authorization"][6:]).decode().partition(":")
            if self.users.get(user) != word:
                return request.answer(401, b'{"details": "incorrect username or password"}')
        scopes = [one for text in values.get("scope", []) for one in text.split()]
        self.scopes += scopes
        if self.refused.intersection(scopes):
            return request.answer(403, b'{"details": "this scope is not for you"}')
        token = {"token": self.sign(user, scopes)}
        if "offline_token" in values and user:
            token["refresh_token"] = "refresh-" + user
        request.answer(200, json.dumps(token).encode(), Content_Type="application/json")


class SpoilingProxy(Server):
    """Stands before a plain registry. `spoil(request, status, headers, body)` may answer instead and return True."""

    def __init__(self, address, port, upstream, spoil):
        self.upstream, self.spoil = upstream, spoil
        super().__init__(address, port, self.handle)

    def handle(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection(self.upstream, timeout=20)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in ("connection",)}
        upstream.request(request.command, request.path, body=body or None, headers=headers)
        answer = upstream.getresponse()
        data = answer.read()
        upstream.close()
        kept = {name.replace("-", "_"): value for name, value in answer.getheaders()
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date")}
        if not self.spoil(request, answer.status, kept, data):
            if request.command == "HEAD":
                kept["X_Length"] = answer.getheader("Content-Length", "0")
            request.answer(answer.status, data, **kept)


def search_index(address, port, results, tls=None):
    """GET /v1/search of a registry index."""
    def handle(request):
        url = urllib.parse.urlsplit(request.path)
        values = urllib.parse.parse_qs(url.query)
        if url.path != "/v1/search":
            return request.answer(404, b"{}")
        term, limit = values.get("q", [""])[0], int(values.get("n", ["25"])[0])
        found = [one for one in results if term in one["name"]][:limit]
        body = {"query": term, "num_results": len(found), "num_pages": 1, "page": 1, "page_size": limit, "results": found}
        request.answer(200, json.dumps(body).encode(), Content_Type="application/json")
    return Server(address, port, handle, tls)
