#!/usr/bin/env python3
"""Checks who includes whom: the layers of docs/architecture.md, and where third-party headers may appear.

Prints every line that breaks a rule as file:line: message, and exits 1 when there is one.
"""
import pathlib
import re
import sys

# Folder -> what it may include, as folders or single files, besides itself.
LAYERS = {
    "base": [],
    "compose": ["base"],
    "scheduler": ["base", "compose"],
    "runtime": ["base"],
    "netd": ["base"],
    "images": ["base"],
    "engine": ["base", "compose", "scheduler", "runtime", "netd", "images"],
    "cli": ["base", "compose", "images/dockerignore.h"],  # what `watch` ignores
}
# Headers that are slow to compile or leak another library's types: never in a header of ours, and only in these folders.
HEAVY = {
    r"nlohmann/json\.hpp": ["base", "compose", "runtime", "images", "netd", "engine", "cli"],
    r"boost/": ["base", "engine", "cli", "netd"],
    r"yaml-cpp/": ["compose"],
    r"CLI/": ["cli"],
    r"spdlog/": ["base"],
    r"sqlite3\.h": ["engine"],
    r"curl/": ["images"],
    r"archive(_entry)?\.h": ["images"],
    r"isa-l": ["images"],
    r"zstd\.h|zlib\.h": ["images"],
    r"seccomp\.h": ["runtime"],
    r"netlink/": ["netd"],
    r"nftables/": ["netd"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def problems_of(folder, path, text):
    allowed = [folder, *LAYERS[folder]]
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        kind, name = match.groups()
        top = name.split("/")[0]
        if kind == '"':
            if top not in LAYERS or "/" not in name:
                yield number, f'"{name}" is not a path from the root of the repository'
            elif not any(name == one or name.startswith(one + "/") for one in allowed):
                yield number, f"{folder}/ must not include {top}/ ({name})"
            continue
        for pattern, folders in HEAVY.items():
            if not re.match(pattern, name):
                continue
            # A header whose subject is JSON may show it (templates compute with it), and the API server's own headers asio:
            # few files include them. What one class keeps to itself (*_impl.h) is read by its own files alone.
            shown = ("nlohmann" in name and re.search("json|template_", path.stem)) or \
                (path.parent.name == "api" and ("asio" in name or path.stem.endswith("_impl")))
            if path.suffix == ".h" and not shown:
                yield number, f"<{name}> must stay out of headers"
            if folder not in folders:
                yield number, f"<{name}> is for {', '.join(folders)}, not for {folder}/"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    count = bad = 0
    for folder in LAYERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            count += 1
            for number, message in problems_of(folder, path, path.read_text()):
                bad += 1
                print(f"{path.relative_to(root)}:{number}: {message}")
    print(f"layers: {count} files, {bad} problems")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main())
