"""Asking an engine over its socket, and what an answer looks like once what differs from run to run is forgotten.

A shape keeps names, types and what is empty: "" and 0 and null and [] are themselves, other strings and numbers are
"string" and "number", moments are "time".
"""
import contextlib
import http.client
import json
import re
import socket
import urllib.parse


PREFIX = "probe-"
SLEEP = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def ask(path, method, target, body=None, headers=None):
    connection = UnixConnection(path)
    headers = dict(headers or {})
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    try:
        connection.request(method, target, body=body, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def shape(value):
    if isinstance(value, dict):
        return {named(key): shape(one) for key, one in sorted(value.items())}
    if isinstance(value, list):
        return merged([shape(one) for one in value])
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return "number" if value else 0
    if value == "0001-01-01T00:00:00Z":
        return "no time"
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value):
        return "time"
    return "string" if value else ""


def loose(value):
    """The same for statistics: what is 0 is a matter of luck."""
    if isinstance(value, dict):
        return {key: loose(one) for key, one in value.items()}
    if isinstance(value, list):
        return merged([loose(one) for one in value])
    return "number" if value == 0 and not isinstance(value, bool) else value


def named(key):
    """Members that are named after something of this run."""
    return "ID" if re.fullmatch(r"(sha256:)?[0-9a-f]{64}", key) else key


def merged(shapes):
    """A list's elements, each different one once."""
    out = []
    for one in shapes:
        if one not in out:
            out.append(one)
    return sorted(out, key=lambda one: json.dumps(one, sort_keys=True))


def plain_text(text):
    """An error text without what differs from run to run."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "<id>", text)
    text = re.sub(r"\b[0-9a-f]{12}\b", "<short id>", text)
    return re.sub(r"/var/lib/[^ ]*/", "<root>/", text)


class Probes:
    def __init__(self, path, image="busybox"):
        self.path, self.image = path, image
        self.answers = {}

    def ask(self, method, target, body=None, **options):
        return ask(self.path, method, target, body, **options)

    def record(self, name, method, target, body=None, **options):
        """Asks and keeps what the answer looks like."""
        answer = self.ask(method, target, body, **options)
        seen = {"status": answer.status}
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        if kind == "application/json" and answer.body.strip():
            with contextlib.suppress(ValueError):
                document = answer.json()
                if answer.status >= 400:
                    seen["message"] = plain_text(document.get("message", ""))
                else:
                    seen["shape"] = shape(document)
        elif kind:
            seen["type"] = kind
        assert name not in self.answers, name
        self.answers[name] = seen
        return answer

    def clean(self):
        filters = urllib.parse.quote(json.dumps({"name": [PREFIX]}))
        for one in self.ask("GET", f"/containers/json?all=1&filters={filters}").json():
            self.ask("DELETE", f"/containers/{one['Id']}?force=1&v=1")
        for one in self.ask("GET", f"/networks?filters={filters}").json():
            self.ask("DELETE", f"/networks/{one['Id']}")
        for one in self.ask("GET", f"/volumes?filters={filters}").json()["Volumes"] or []:
            self.ask("DELETE", f"/volumes/{one['Name']}?force=1")

    def create(self, name, record=None, **body):
        body = {"Image": self.image, "Cmd": SLEEP, **body}
        target = f"/containers/create?name={PREFIX}{name}"
        answer = self.record(record, "POST", target, body) if record else self.ask("POST", target, body)
        return answer.json().get("Id", "") if answer.status == 201 else ""


def filtered(**filters):
    return "filters=" + urllib.parse.quote(json.dumps({key: [value] for key, value in filters.items()}))
