"""A registry on loopback with one image of one large gzip layer: about 110 MB compressed, 293 MB unpacked."""
import gzip
import hashlib
import io
import json
import pathlib
import random
import socket
import subprocess
import tarfile
import tempfile
import time
import urllib.request

PROGRAM = "/usr/bin/docker-registry"
FILES, SIZE = 6000, 48800


class BigImage:
    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="bench-registry-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"127.0.0.1:{port}"
        self.name = f"{self.base}/big:1"
        config = {"version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}},
                  "storage": {"filesystem": {"rootdirectory": f"{self.dir.name}/data"}}, "http": {"addr": self.base}}
        path = pathlib.Path(self.dir.name, "config.yml")
        path.write_text(json.dumps(config))
        self.process = subprocess.Popen([PROGRAM, "serve", str(path)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        self.fill()

    def request(self, method, path, data=None, **headers):
        url = path if path.startswith("http") else f"http://{self.base}{path}"
        request = urllib.request.Request(url, data=data, method=method,
                                         headers={name.replace("_", "-"): value for name, value in headers.items()})
        return urllib.request.urlopen(request)

    def blob(self, data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        location = self.request("POST", "/v2/big/blobs/uploads/", b"").headers["Location"]
        self.request("PUT", f"{location}&digest={digest}", data, Content_Type="application/octet-stream")
        return {"digest": digest, "size": len(data)}

    def fill(self):
        chance = random.Random(1)
        words = [bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 11))) for _ in range(3000)]
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w") as tar:
            for number in range(FILES):
                if number % 100 == 0:
                    directory = tarfile.TarInfo(f"d{number // 100}")
                    directory.type, directory.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(directory)
                text = b" ".join(chance.choices(words, k=SIZE // 8))
                content = (chance.randbytes(SIZE // 8) + text)[:SIZE]
                entry = tarfile.TarInfo(f"d{number // 100}/f{number}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        tar = plain.getvalue()
        layer = self.blob(gzip.compress(tar, 6, mtime=0))
        config = self.blob(json.dumps({
            "architecture": "amd64", "os": "linux", "config": {"Cmd": ["true"]},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]}}).encode())
        self.sizes = f"{layer['size'] / 1e6:.0f} MB of gzip, {len(tar) / 1e6:.0f} MB unpacked"
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        manifest = {"schemaVersion": 2, "mediaType": kind,
                    "config": {"mediaType": "application/vnd.docker.container.image.v1+json", **config},
                    "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", **layer}]}
        self.request("PUT", "/v2/big/manifests/1", json.dumps(manifest).encode(), Content_Type=kind)

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.dir.cleanup()
