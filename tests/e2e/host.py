"""What an engine has on the machine: links, firewall rules, mounts, control groups."""
import contextlib
import os
import pathlib
import re
import subprocess


def links():
    shown = subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout
    return sorted(re.findall(r"^\d+: ([^:@]+)", shown, re.M))


def firewall():
    return subprocess.run(["nft", "list", "ruleset"], check=True, capture_output=True, text=True).stdout.strip()


def mounts_under(*directories):
    points = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted(p for p in points for d in directories if p.startswith(str(d) + "/"))


def control_groups():
    """The groups below any directory `stack` of the hierarchies; ours or of another engine on this machine."""
    found = set()
    for parent, directories, _ in os.walk("/sys/fs/cgroup"):  # goes on where one vanishes meanwhile
        if os.path.basename(parent) == "stack":
            found.update(f"{parent}/{child}" for child in directories if not of_another(f"{parent}/{child}"))
            directories.clear()
    return found


def of_another(group):
    """Its processes are of another process namespace, which are seen as 0 from here."""
    with contextlib.suppress(OSError):
        members = pathlib.Path(group, "cgroup.procs").read_text().split()
        return bool(members) and set(members) == {"0"}
    return True  # gone meanwhile
