#!/usr/bin/env python3
"""Random projects, valid and not, on which `stack config` and Docker Compose must agree.

    generate.py --count 1000 [--seed 1] [--keep DIRECTORY]    makes projects, runs both (see peer.py), prints the agreement

The same seed makes the same projects. Those on which the two differ are written to the directory as .case files; what is learned from
them belongs into cases/.
"""

import argparse
import concurrent.futures
import os
import shutil
import sys
from pathlib import Path

import case as cases
import peer
import run
from random_project import Project


def compare(case, expected, program):
    try:
        actual = run.run_stack(program, case, case.commands[0])
    except Exception as error:  # a crash or a hang is a difference like others
        return f"stack: {error}\n"
    return run.difference(case.commands[0], expected, actual)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default=run.STACK)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    program = str(Path(arguments.stack).resolve())
    agreeing = accepted = 0
    lock = cases.lock()  # noqa: F841
    for first in range(0, arguments.count, arguments.batch):
        numbers = range(first, min(first + arguments.batch, arguments.count))
        made = [Project(arguments.seed * 1_000_003 + n).make(n) for n in numbers]
        for case, _ in made:
            case.lay_out()
        outcomes = peer.run([(case.directory, case.commands[0]) for case, _ in made], cases.ROOT / ".peer")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            differences = list(pool.map(lambda pair: compare(pair[0][0], pair[1], program), zip(made, outcomes)))
        for (case, text), outcome, difference in zip(made, outcomes, differences):
            accepted += outcome.accepted
            agreeing += not difference
            shutil.rmtree(case.directory)
            if difference and arguments.keep:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                name = f"{arguments.seed}-{case.path.stem.removeprefix('generated')}"
                (arguments.keep / f"{name}.case").write_text(text)
                (arguments.keep / f"{name}.difference").write_text(difference)
        done = numbers[-1] + 1
        print(f"{agreeing} of {done} agree ({100 * agreeing / done:.2f} %); Docker Compose accepts {accepted}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
