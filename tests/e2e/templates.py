"""State directories with images in them, made once and copied for every test.

`busybox` holds the small image alone, `examples` what both examples need, `empty` nothing: its images are in a registry
(serve_registry), as those of Docker Hub would be. They are made on the host's own network,
because building asks Debian's archive for packages. The copy has the path that the template was made at; what
never changes once written (blobs, unpacked layers) is shared by hard links.
"""
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from host import firewall, links, mounts_under

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent


def programs():
    return pathlib.Path(os.environ["STACK_PROGRAMS"])


def directory():
    return pathlib.Path(os.environ.get("STACK_E2E", programs() / "e2e"))


def root():
    return directory() / "root"


def stamp(template):
    """Changes when the images, or how they are kept, may have changed."""
    digest = hashlib.sha256()
    sources = [SOURCE / "examples" / "images"]
    if template == "examples":
        sources.append(SOURCE / "examples" / "flask-nginx-redis" / "myapp")
    if template == "empty":  # what a registry keeps does not depend on the engine
        sources.append(SOURCE / "tests" / "tutorial" / "images")
    else:
        sources += [SOURCE / "images", SOURCE / "engine"]
    for source in sources:
        for path in sorted(source.rglob("*")):
            if path.is_file():
                if source.name == "engine" and not path.name.startswith(("state_store", "image_")):
                    continue
                digest.update(str(path.relative_to(SOURCE)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def engine_of(run_dir):
    """The engine's processes that serve run_dir."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if (entry.isdigit() and os.path.basename(os.readlink(f"/proc/{entry}/exe")) in ("stackd", "stack-netd")
                    and f"STACK_RUN={run_dir}\0".encode() in pathlib.Path(f"/proc/{entry}/environ").read_bytes()):
                found.append(int(entry))
        except OSError:
            pass
    return found


def stop_engine(run_dir):
    deadline = time.monotonic() + 10
    while engine_of(run_dir) and time.monotonic() < deadline:
        for pid in engine_of(run_dir):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        time.sleep(0.1)
    if engine_of(run_dir):
        sys.exit(f"stackd does not stop: {engine_of(run_dir)}")


def traces():
    """What an engine on the host's own network could leave there."""
    return ({f"link {name}" for name in links() if name.startswith(("stk-", "stv"))}
            | {line for line in firewall().splitlines() if line.startswith("table ") and " stack " in line}
            | {f"mount {point}" for point in mounts_under(root())})


def make(template):
    target = directory() / template
    mark = target / "stamp"
    if mark.exists() and mark.read_text() == stamp(template):
        return
    print(f"making the images for the template {template}", flush=True)
    remove(target)
    remove(root())
    work = pathlib.Path(tempfile.mkdtemp(prefix="e2e-", dir="/tmp"))
    env = {**os.environ, "STACK_ROOT": str(root()), "STACK_RUN": str(work / "run"), "PULL": "never",
           "STACK": str(programs() / "stack")}
    images = ["busybox"] if template == "busybox" else ["busybox", "debian", "redis", "nginx"]
    kept = root()
    before = traces()
    try:
        subprocess.run([SOURCE / "examples" / "images" / "make.sh", *images], check=True, env=env)
        if template == "examples":
            subprocess.run([SOURCE / "examples" / "flask-nginx-redis" / "setup.sh"], check=True)
            copy = work / "flask-nginx-redis"
            shutil.copytree(SOURCE / "examples" / "flask-nginx-redis", copy)
            subprocess.run([programs() / "stack", "build"], cwd=copy, env=env, check=True)
        if template == "empty":
            fill_registry(work, env)
            kept = work / "root"
            kept.mkdir()
            (kept / "images").mkdir()
        stop_engine(work / "run")
        if traces() - before:
            sys.exit(f"left behind on the host: {sorted(traces() - before)}")
        if kept != root():
            remove(root())
            shutil.move(kept, root())
    except BaseException:
        stop_engine(work / "run")
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    root().rename(target)
    mark.write_text(stamp(template))


# What the tutorial pulls, and under which names.
REGISTRY_IMAGES = {"hello-world": ["hello-world"], "mysql": ["mysql:5.7"], "ubuntu": ["ubuntu"], "forge": ["forge"],
                   "nginx": ["nginx"], "redis": ["redis"], "busybox": ["busybox"]}


def registry_data():
    return directory() / "registry"


def serve_registry(address, settings, read_only=True):
    """Debian's docker-registry on what fill_registry has put there."""
    storage = {"filesystem": {"rootdirectory": str(registry_data())}}
    if read_only:
        storage["maintenance"] = {"readonly": {"enabled": True}}
    settings.write_text(json.dumps({"version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}},
                                    "storage": storage, "http": {"addr": address}}))
    process = subprocess.Popen(["docker-registry", "serve", str(settings)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    host, port = address.split(":")
    deadline = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
            return process
        if time.monotonic() > deadline or process.poll() is not None:
            process.kill()
            raise AssertionError(f"docker-registry does not listen at {address}")
        time.sleep(0.02)


def fill_registry(work, env):
    """Builds the tutorial's images and pushes them to a registry, whose files are kept."""
    remove(registry_data())
    sources = work / "images"
    shutil.copytree(SOURCE / "tests" / "tutorial" / "images", sources)
    subprocess.run(["gcc", "-Os", "-static", "-s", "-o", "hello", "hello.c"], cwd=sources / "hello-world", check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    registry = serve_registry(address, work / "registry.yml", read_only=False)
    stack = str(programs() / "stack")
    try:
        for image, names in REGISTRY_IMAGES.items():
            if (sources / image).is_dir():
                subprocess.run([stack, "image", "build", "-q", "-t", image, str(sources / image)], env=env, check=True)
            for name in names:
                target = f"{address}/library/{name}"
                subprocess.run([stack, "image", "tag", image, target], env=env, check=True)
                subprocess.run([stack, "image", "push", "-q", target], env=env, check=True)
    finally:
        registry.terminate()
        registry.wait(10)


def docker_client():
    """Docker's client: the one that is installed, else that of Debian's package, without its daemon."""
    installed = shutil.which("docker")
    return installed or str(directory() / "docker-client" / "usr" / "bin" / "docker")


def fetch_docker_client():
    target = directory() / "docker-client"
    if shutil.which("docker") or (target / "usr/bin/docker").exists():
        return
    with tempfile.TemporaryDirectory() as work:
        subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "docker.io"], cwd=work, check=True)
        package = next(pathlib.Path(work).glob("docker.io_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(package), str(target)], check=True)


def prepare():
    directory().mkdir(parents=True, exist_ok=True)
    fetch_docker_client()
    for template in ("busybox", "examples", "empty"):
        make(template)
    return 0


def remove(path):
    if path.exists():
        subprocess.run(["rm", "-rf", "--one-file-system", str(path)], check=True)


def fresh_root(template):
    """A state directory with the template's images, for one test."""
    source = directory() / template
    if not (source / "stamp").exists():
        sys.exit(f"{source} is missing; run: tests/e2e/run.py --prepare")
    remove(root())
    root().mkdir()
    for entry in sorted(source.iterdir()):
        if entry.name not in ("images", "stamp"):
            subprocess.run(["cp", "-a", str(entry), str(root())], check=True)
    (root() / "images").mkdir()
    for entry in sorted((source / "images").iterdir()):
        shared = entry.name in ("blobs", "layers")
        subprocess.run(["cp", "-al" if shared else "-a", str(entry), str(root() / "images")], check=True)
    shutil.copystat(source, root())
    return root()
