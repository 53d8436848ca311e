"""The API answers as Docker Engine 28.5 does: status, error text, keys, types, null and empty, and the order of events.

What was recorded from the real one is in golden/engine-28.5.json (engine_probes.py says how to record it anew).
"""
import json
import pathlib
import re

from api_harness import EngineTest
from engine_probes import collect

GOLDEN = pathlib.Path(__file__).parent / "golden" / "engine-28.5.json"

# Where an answer differs on purpose: what is asked, where in the answer (both as patterns), and why.
INTENDED = [
    (r"create, block weight", r"", "a weight out of range is refused also where the kernel has none"),
    (r"exec resize, created", r"", "Docker waits ten seconds for the exec to start and fails then"),
    (r"(POST|GET) /containers/nosuch/attach|attach, bad keys|version too old", r"/(message|type)",
     "Docker's text is not JSON here"),
    (r"create, two networks", r"/message", "one reason is enough"),
    (r"create, not JSON|create, wrong type|.*, not JSON|.*, wrong type|create, two documents", r"/message",
     "the words of another JSON parser"),
    (r"archive without a path", r"/message", "Docker's text lacks a space"),
    (r"network create, (subnet|gateway)", r"/message", "the reason stands behind other first words"),
    (r".*bad (limit|moment|since|time|signal|arguments|exit code)|swarm update", r"/message|/status", "Go's words for a wrong number"),
    (r"events, bad moment", r"/message", "Go's words for a wrong number"),
    (r"info", r"/shape/(RuncCommit|Runtimes|CDISpecDirs|Containerd|LiveRestoreEnabled|NFd)", "of other programs"),
    (r"version", r"/shape/(BuildTime|Components|GitCommit|GoVersion|Platform)", "of other programs"),
    (r"info", r"/shape/(Containers|Images).*", "what is there differs"),
    (r"container list, much", r"/shape\[\]/Mounts", "Docker does not tell where an anonymous volume is"),
    (r"image inspect", r"/shape/(DockerVersion|GraphDriver)", "made by another program"),
    (r"stats.*", r"/shape/(id|name)", "Docker leaves them out of one shot"),
    (r"system df.*", r"/shape/(BuildCache|Containers|Images|Volumes)", "what is there differs; types are compared elsewhere"),
    (r"inspect after start, no user", r"/shape/.*Path", "the log is opened earlier"),
    (r"container inspect, network (host|none)", r"/shape/NetworkSettings/Networks/.*", "no endpoint is made for nothing"),
    (r"prune images.*", r"", "answered by the image store"),
    (r"bridge with a container|network list, predefined", r"", "the recording machine's other containers"),
]


def intended(name, path):
    return any(re.fullmatch(asked, name) and re.match(where, path) for asked, where, _ in INTENDED)


class Documents(EngineTest):
    def test_answers(self):
        golden, ours = json.loads(GOLDEN.read_text()), collect(self.socket)
        self.assertEqual(sorted(golden), sorted(ours))
        wrong = []
        for name, expected in golden.items():
            for path, docker, stack in self.differences(expected, ours[name]):
                if not intended(name, path):
                    wrong.append(f"{name}: {path}\n    Docker: {docker}\n    here:   {stack}")
        self.assertEqual(wrong, [], "\n".join(wrong))

    def differences(self, expected, found, path=""):
        if isinstance(expected, dict) and isinstance(found, dict):
            for key in sorted(expected.keys() | found.keys()):
                if key == "Stack" and key not in expected:
                    continue  # ours, beside Docker's
                if key in expected and key in found:
                    yield from self.differences(expected[key], found[key], f"{path}/{key}")
                else:
                    yield f"{path}/{key}", expected.get(key, "(no such member)"), found.get(key, "(no such member)")
        elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found) == 1:
            yield from self.differences(expected[0], found[0], f"{path}[]")
        elif path == "/status" and expected == 500 and 400 <= found < 500:
            return  # a mistake of the client is one here
        elif expected != found:
            yield path, expected, found
