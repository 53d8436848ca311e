#!/usr/bin/env python3
"""Compares `stack config` with what Docker Compose 2.40 made of the same files.

    run.py [--stack PROGRAM] [NAME...]     runs the cases (all, or those whose name begins so) and prints the score
    run.py --refresh [NAME...]             records Docker Compose's answers, of cases that have none or are named; see peer.py
    run.py --show NAME...                  prints what differs

A case is passed when every command of it has the outcome of the recorded one: accepted or refused alike, and the same output. JSON is
compared with sorted keys, everything else to the byte.
"""

import argparse
import collections
import concurrent.futures
import difflib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import case as cases
import peer

HERE = Path(__file__).resolve().parent
STACK = HERE.parents[1] / "build" / "stack"


def find(names):
    found = [cases.Case.read(p) for p in sorted(cases.CASES.rglob("*.case"))]
    if names:
        found = [c for c in found if any(c.name.startswith(n) for n in names)]
    return found


def run_stack(program, case, command):
    stdin = open(case.directory / command.directory / command.stdin) if command.stdin else subprocess.DEVNULL
    directory = os.path.normpath(case.directory / command.directory)
    done = subprocess.run([program, *command.arguments], cwd=directory, env=cases.environment_of(command), stdin=stdin, capture_output=True, timeout=20)
    return cases.Outcome(done.returncode, done.stdout.decode("utf-8", "surrogateescape"),
                         done.stderr.decode("utf-8", "surrogateescape"))


def comparable(text, command):
    try:
        end = text[len(text.rstrip("\n")):]
        return json.dumps(json.loads(text), sort_keys=True, indent=2, ensure_ascii=False) + end
    except ValueError:
        pass
    if any(flag in command.arguments for flag in ("--services", "--volumes", "--networks", "--images", "--models", "--variables")):
        text = "".join(sorted(text.splitlines(True)))  # Docker Compose prints them in any order
    if "--environment" in command.arguments:
        # What the shell and the client add to the environment is not of interest.
        added = ("PWD=", "SHLVL=", "_=", "OLDPWD=", "GOGC=", "GOMAXPROCS=")
        text = "".join(line for line in sorted(text.splitlines(True)) if not line.startswith(added))
    return text


def difference(command, expected, actual):
    """How what stack did differs from what Docker Compose did; nothing when it does not."""
    if expected.accepted != actual.accepted:
        verb = "accepts" if expected.accepted else "refuses"
        return f"Docker Compose {verb} it: {expected.message}stack exits with {actual.code}: {actual.message}"
    if actual.code not in (0, 1):
        return f"stack exits with {actual.code}: {actual.message}"
    a, b = comparable(expected.stdout, command), comparable(actual.stdout, command)
    if not expected.accepted or a == b:
        return ""
    lines = difflib.unified_diff(a.splitlines(), b.splitlines(), "Docker Compose", "stack", n=2, lineterm="")
    return "\n".join(lines) + "\n"


def differences(case, program):
    """Of every command that differs, text that says how."""
    golden = cases.read_golden(case.golden_path)
    case.lay_out()
    out = []
    for command in case.commands:
        expected = golden.get(command.text)
        if expected is None:
            if not command.hashes_canonical and command.text != "config":
                out.append(f"$ {command.text}\nnot recorded: run.py --refresh {case.name}\n")
            continue
        try:
            actual = run_stack(program, case, command)
        except subprocess.TimeoutExpired:
            out.append(f"$ {command.text}\ntook longer than 20 s\n")
            continue
        if text := difference(command, expected, actual):
            out.append(f"$ {command.text}\n{text}")
    return out


def canonical_arguments(document, command):
    kept = [a for i, a in enumerate(command.arguments) if a != "-f" and (i == 0 or command.arguments[i - 1] != "-f")]
    return ["--project-directory", ".", "-f", str(document), *kept]


def check(found, program, show):
    lock = cases.lock()  # noqa: F841 held until the process ends
    passed, failed = collections.Counter(), {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for case, lines in zip(found, pool.map(lambda c: differences(c, program), found)):
            topic = case.name.split("/")[0]
            if case.deviation:
                lines = [] if lines else [f"it does not differ any more: {case.deviation}\n"]
            passed[topic] += not lines
            if lines:
                failed[case.name] = lines
    totals = collections.Counter(c.name.split("/")[0] for c in found)
    for name, lines in failed.items():
        print(f"DIFFERS {name}")
        if show:
            print("\n".join(lines))
    for topic, total in sorted(totals.items()):
        print(f"{topic:<16} {passed[topic]:>4} of {total}")
    agreeing = sum(passed.values())
    print(f"{'all':<16} {agreeing:>4} of {len(found)}: {100 * agreeing / max(1, len(found)):.1f} % as Docker Compose")
    return 1 if failed else 0


def refresh(found):
    """Records the commands; of the default ones only what the first of them allows."""
    lock = cases.lock()  # noqa: F841
    for case in found:
        case.lay_out()
    jobs = [(case, command) for case in found for command in case.commands if not command.hashes_canonical]
    outcomes = peer.run([(case.directory, command) for case, command in jobs], cases.ROOT / ".peer")
    recorded = collections.defaultdict(dict)
    for (case, command), outcome in zip(jobs, outcomes):
        recorded[case.path][command.text] = outcome
    hashed = []
    for case in found:
        golden = recorded[case.path]
        hashes = next((c for c in case.commands if c.hashes_canonical), None)
        printed = next((c.text for c in case.commands if c.arguments[-1] == "config"), None)
        if printed and len(golden) > 1 and not golden[printed].accepted:
            del golden[printed]  # the first command says it
        if hashes is None or printed not in golden or not golden[printed].accepted:
            continue
        document = cases.ROOT / f".canonical-{case.directory.name}.yaml"
        document.write_text(golden[printed].stdout, errors="surrogateescape")
        hashed.append((case, hashes, document))
    commands = [(case.directory, cases.Command(c.text, c.directory, c.environment, canonical_arguments(document, c), ""))
                for case, c, document in hashed]
    for (case, command, document), outcome in zip(hashed, peer.run(commands, cases.ROOT / ".peer") if commands else []):
        document.unlink()
        if outcome.accepted:  # Docker Compose does not load everything that it prints.
            recorded[case.path][command.text] = cases.Outcome(0, "".join(sorted(outcome.stdout.splitlines(True))), "")
    for case in found:
        cases.write_golden(case.golden_path, recorded[case.path])
    print(f"recorded {len(found)} cases")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default=STACK, help="the program to test")
    parser.add_argument("--refresh", action="store_true")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    found = find(arguments.names)
    if arguments.refresh:
        refresh(found if arguments.names else [c for c in found if not c.golden_path.exists()])
        return 0
    return check(found, str(Path(arguments.stack).resolve()), arguments.show)


if __name__ == "__main__":
    sys.exit(main())
