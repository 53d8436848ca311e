"""State directories with images in them, made once and copied for every test.

`busybox` holds the small image alone, `examples` what both examples need. They are made on the host's own network,
because building asks Debian's archive for packages. The copy has the path that the template was made at; what
never changes once written (blobs, unpacked layers) is shared by hard links.
"""
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

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
    try:
        subprocess.run([SOURCE / "examples" / "images" / "make.sh", *images], check=True, env=env)
        if template == "examples":
            subprocess.run([SOURCE / "examples" / "flask-nginx-redis" / "setup.sh"], check=True)
            copy = work / "flask-nginx-redis"
            shutil.copytree(SOURCE / "examples" / "flask-nginx-redis", copy)
            subprocess.run([programs() / "stack", "build"], cwd=copy, env=env, check=True)
        stop_engine(work / "run")
    except BaseException:
        stop_engine(work / "run")
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    root().rename(target)
    mark.write_text(stamp(template))


def prepare():
    directory().mkdir(parents=True, exist_ok=True)
    for template in ("busybox", "examples"):
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
