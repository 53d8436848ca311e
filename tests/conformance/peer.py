"""Runs commands of cases on Docker Compose, many in one go.

PEER_DOCKER  the command that runs the docker client (docker)
PEER_SHELL   a shell from which it can be run, when starting PEER_DOCKER costs; the commands are given to it in one script
PEER_COMPOSE what runs Docker Compose in that shell (docker compose). Its plugin alone is much cheaper than through the client:
             PEER_SHELL=sh PEER_COMPOSE="env GOGC=off GOMAXPROCS=1 /usr/libexec/docker/cli-plugins/docker-compose"
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import case as cases


def run(jobs, work, parallel=2):
    """`jobs`: (directory, Command); those of one directory run one after the other. Returns their Outcomes. `work`: a directory for
    this alone, seen by the peer too."""
    work = Path(work)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    shell = shlex.split(os.environ.get("PEER_SHELL", ""))
    program = os.environ.get("PEER_COMPOSE", "docker compose")
    if not shell:
        shell, program = ["sh"], os.environ.get("PEER_DOCKER", "docker") + " compose"
    scripts = {}
    for number, (directory, command) in enumerate(jobs):
        line = cases.shell_line(command, directory, f"timeout 20 {program}")
        text = f"({line}) >{work}/{number}.out 2>{work}/{number}.err\necho $? >{work}/{number}.code\n"
        scripts[directory] = scripts.get(directory, "") + text
    for number, text in enumerate(scripts.values()):
        (work / f"{number}.sh").write_text(text)
    script = f"seq 0 {len(scripts) - 1} | xargs -P {parallel} -I@ sh {work}/@.sh"
    subprocess.run(shell, input=script, text=True, check=True)
    outcomes = [read(work, number) for number in range(len(jobs))]
    shutil.rmtree(work)
    if broken := [o for o in outcomes if o.code in (126, 127)]:
        sys.exit(f"Docker Compose does not run: {broken[0].message}")
    return outcomes


def read(work, number):
    def text(suffix):
        return (work / f"{number}.{suffix}").read_bytes().decode("utf-8", "surrogateescape")

    return cases.Outcome(int(text("code")), text("out"), messages(text("err")))


def messages(stderr):
    """What it said, without times and levels: `level=warning msg="..."` becomes `warning: ...`."""
    out = []
    for line in stderr.splitlines():
        if line.startswith("time="):
            words = shlex.split(line) if line.count('"') % 2 == 0 else [line]
            fields = dict(w.split("=", 1) for w in words if "=" in w)
            line = f"{fields.get('level')}: {fields.get('msg')}"
        out.append(line)
    return "\n".join(out) + "\n" if out else ""
