"""Conformance cases: what is in a .case file, and what was recorded in the .golden file beside it.

A case is one topic in one file:

    What it is about, in a sentence or two.
    % Why stack differs from Docker Compose on purpose, if it does; then the case passes as long as it differs.
    $ --profile dev config --services          command lines; what follows `stack`, or `docker compose`
    $ cd sub; A=1 -f - config < in.yaml        optional: a directory, variables, standard input
    -- compose.yaml --
    services: ...
    -- sub/link -> ../target --                a symbolic link
    -- sub/empty/ --                           a directory
    -- dos.yaml [escaped] --                   \\r, \\t, \\xNN and so on are escapes in the text

Without command lines it is run with DEFAULT_COMMANDS. Files are laid out in a directory of a fixed name, because paths are part of
the output and of the configuration hash. Goldens are written by `run.py --refresh` only.
"""

import dataclasses
import os
import re
import shlex
import shutil
from pathlib import Path

ROOT = Path("/tmp/stack-conformance")
CASES = Path(__file__).resolve().parent / "cases"
BASE_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}

# The hash is that of the resolved model, which is what `up` labels containers with: Docker Compose's `config --hash` itself
# leaves env_file out. So its canonical document is what it is asked to hash.
HASH_OF_CANONICAL = "config --hash '*'"
DEFAULT_COMMANDS = ["config --format json", "config", HASH_OF_CANONICAL]

SECTION = re.compile(r"^-- (?P<path>\S+)(?: -> (?P<target>\S+))?(?P<escaped> \[escaped\])? --$")


@dataclasses.dataclass
class Command:
    text: str
    directory: str
    environment: dict
    arguments: list
    stdin: str  # "" for none

    @property
    def hashes_canonical(self):
        return self.text.endswith(HASH_OF_CANONICAL)

    @staticmethod
    def parse(text):
        directory, rest = ".", text
        if match := re.match(r"cd (\S+); (.*)", text):
            directory, rest = match[1], match[2]
        stdin = ""
        if match := re.match(r"(.*) < (\S+)$", rest):
            rest, stdin = match[1], match[2]
        words = shlex.split(rest)
        environment = {}
        while words and re.match(r"[A-Za-z_]\w*=", words[0]):
            key, _, value = words.pop(0).partition("=")
            environment[key] = value
        return Command(text, directory, environment, words, stdin)


@dataclasses.dataclass
class Case:
    path: Path
    about: str
    commands: list
    deviation: str
    files: list  # (path, text or None for a directory, symbolic link's target or None)

    @property
    def name(self):
        return str(self.path.relative_to(CASES).with_suffix("")) if self.path.is_relative_to(CASES) else self.path.stem

    @property
    def golden_path(self):
        return self.path.with_suffix(".golden")

    @property
    def directory(self):
        return ROOT / self.name.replace("/", "-")

    @staticmethod
    def read(path):
        return Case.parse(path, path.read_text())

    @staticmethod
    def parse(path, text):
        about, commands, files, deviation = [], [], [], []
        body = None
        for line in text.splitlines(keepends=True):
            if match := SECTION.match(line.rstrip("\n")):
                body = []
                files.append((match, body))
            elif body is not None:
                body.append(line)
            elif line.startswith("% "):
                deviation.append(line[2:].strip())
            elif line.startswith("$ "):
                commands.append(Command.parse(line[2:].strip()))
            else:
                about.append(line)
        case = Case(path, "".join(about).strip(), commands, " ".join(deviation), [])
        for match, lines in files:
            content = "".join(lines)
            if match["escaped"]:
                content = content.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1").decode(
                    "utf-8", "surrogateescape")
            if match["path"].endswith("/"):
                content = None
            case.files.append((match["path"], content, match["target"]))
        case.commands = commands or [Command.parse(c) for c in DEFAULT_COMMANDS]
        return case

    def lay_out(self):
        """Puts the files in the case's directory, empty before."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        for name, content, target in self.files:
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if target is not None:
                path.symlink_to(target)
            elif content is None:
                path.mkdir(exist_ok=True)
            else:
                path.write_bytes(content.encode("utf-8", "surrogateescape"))


@dataclasses.dataclass
class Outcome:
    code: int
    stdout: str
    message: str  # standard error; of the peer's for information only

    @property
    def accepted(self):
        return self.code == 0


def write_golden(path, outcomes):
    """`outcomes`: command text -> Outcome."""
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as out:
        for command, outcome in outcomes.items():
            out.write(f"$ {command}\n")
            for line in outcome.message.splitlines():
                out.write(f"! {line}\n")
            out.write(f"= {outcome.code}\n")
            *lines, rest = outcome.stdout.split("\n")
            for line in lines:
                out.write(f"  {line}\n")
            if rest:
                out.write(f"  {rest}\n\\\n")  # as diff marks it: no newline at the end


def read_golden(path):
    outcomes, current = {}, None
    for line in path.read_text(encoding="utf-8", errors="surrogateescape").split("\n"):
        if line.startswith("$ "):
            current = outcomes[line[2:]] = Outcome(0, "", "")
        elif line.startswith("! "):
            current.message += line[2:] + "\n"
        elif line.startswith("= "):
            current.code = int(line[2:])
        elif line.startswith("  "):
            current.stdout += line[2:] + "\n"
        elif line == "\\":
            current.stdout = current.stdout.removesuffix("\n")
    return outcomes


def environment_of(command):
    return BASE_ENVIRONMENT | command.environment


def lock():
    """One run at a time: the directory of the cases is the same for all."""
    import fcntl

    ROOT.mkdir(parents=True, exist_ok=True)
    handle = open(ROOT / ".lock", "w")
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def shell_line(command, directory, program):
    """The command for a POSIX shell; `program` is already shell text."""
    variables = " ".join(shlex.quote(f"{k}={v}") for k, v in environment_of(command).items())
    stdin = shlex.quote(command.stdin) if command.stdin else "/dev/null"
    words = " ".join(shlex.quote(a) for a in command.arguments)
    return f"cd {shlex.quote(os.path.normpath(directory / command.directory))} && env -i {variables} {program} {words} <{stdin}"
