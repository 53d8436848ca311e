#!/usr/bin/env python3
"""Runs end-to-end tests of the built programs, as root, each in namespaces of its own.

    run.py --programs build --prepare          make the images that the tests need (once; on the host's network)
    run.py --programs build                    all tests
    run.py --programs build healing recovery.kill_stackd    those whose names start so
    PEER_DOCKER="docker" run.py commands                    the same on Docker Compose, to check what a test expects

Every test gets new network, mount and process namespaces: its published ports cannot meet anybody else's, what it
leaves behind is seen exactly, and whatever it leaves behind ends with it.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
FOLDERS = (HERE, HERE.parent / "tutorial")  # where test_*.py are


def all_tests():
    for path in sorted(path for folder in FOLDERS for path in folder.glob("test_*.py")):
        for method in re.findall(r"^    def test_([a-z0-9_]+)", path.read_text(), re.M):
            yield f"{path.stem[5:]}.{method}"


def reap_until(child):
    """Process 1 of the namespace adopts every orphan; nobody else reaps them."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def inside(programs, test):
    """In the namespaces, as process 1: sets the network up and runs one test in a child."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    child = subprocess.Popen([sys.executable, str(HERE / "run.py"), "--programs", programs, "--run", test])
    code = reap_until(child.pid)
    return code if code >= 0 else 128 - code


def run_one(test):
    import unittest
    sys.path[:0] = [str(folder) for folder in FOLDERS]
    module_name, _, method = test.partition(".")
    module = __import__(f"test_{module_name}")
    suite = unittest.TestSuite(
        case(f"test_{method}")
        for case in vars(module).values()
        if isinstance(case, type) and issubclass(case, unittest.TestCase) and hasattr(case, f"test_{method}"))
    if not suite.countTestCases():
        print(f"run.py: no test {test}", file=sys.stderr)
        return 2
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    if result.skipped and result.wasSuccessful():
        return 77
    return 0 if result.wasSuccessful() else 1


def isolated(programs, test):
    if os.environ.get("PEER_DOCKER"):
        return subprocess.run([sys.executable, str(HERE / "run.py"), "--programs", programs, "--run", test]).returncode
    return subprocess.run(in_namespaces(programs, test)).returncode


def in_namespaces(programs, test):
    # fork: the command runs as process 1 of its namespace; kill-child: the namespace ends when unshare does.
    return ["unshare", "--net", "--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc",
            "--kill-child", sys.executable, str(HERE / "run.py"), "--programs", programs, "--inside", test]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", default=str(HERE.parent.parent / "build"), help="where stack and its helpers are")
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("tests", nargs="*")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("the engine is run for real: needs root")
    programs = os.path.abspath(options.programs)
    os.environ["STACK_PROGRAMS"] = programs
    if options.prepare:
        sys.path.insert(0, str(HERE))
        import templates
        return templates.prepare()
    if options.inside:
        return inside(programs, options.inside)
    if options.run:
        return run_one(options.run)

    known = list(all_tests())
    wanted = [test for test in known
              if not options.tests or test in options.tests or
              any(test.startswith(one) for one in options.tests if one not in known)]
    if not wanted:
        parser.error("no such test: " + " ".join(options.tests))
    if len(wanted) == 1 and not os.environ.get("PEER_DOCKER"):
        # In our place: whoever kills this process ends the namespaces and all that runs in them.
        command = in_namespaces(programs, wanted[0])
        os.execvp(command[0], command)
    outcomes = {}
    for test in wanted:
        print(f"== {test}", flush=True)
        outcomes[test] = isolated(programs, test)
    failed = [test for test, code in outcomes.items() if code not in (0, 77)]
    for test in failed:
        print(f"failed: {test}")
    skipped = sum(code == 77 for code in outcomes.values())
    print(f"{len(wanted) - len(failed) - skipped} passed, {len(failed)} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
