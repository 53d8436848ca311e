"""What nobody should write, and some do: values of the wrong kind, short forms put together at random, nested variables, environment
files with all kinds of quotes, and YAML in every style."""

import json
import re

PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./+=-]*$")


class Raw(str):
    """YAML that is written as it is."""


class Oddities:
    odd = 0.0  # how probable it is for any value to be replaced

    # Values.

    def strange(self, value):
        """Another value in place of this one."""
        plain = json.dumps(value) if not isinstance(value, Raw) else str(value)
        options = [None, "", 5, 0, -1, 1.5, True, False, [], {}, [None], [value], {"a": value}, {"a": None}, {"x-a": 1}, "text", "a=b", "${UNSET}", "${NUM}", "${EMPTY}", "$$X", " ", "a b", "1", "-1", "0", "true",
                   Raw("!reset null"), Raw("!!str 5"), Raw("0o17"), Raw("1_000"), Raw("22:22"), Raw("yes"), Raw("~"), Raw("1e3"), Raw(".5"), Raw("2001-01-01x"), Raw("!!int '5'"), Raw("0755"), 99999999999, [1, "a"], ["a", "a"], {"source": "a"}, {"target": "b"}]  # fmt: skip
        if "\n" not in plain:
            options += [Raw("!override " + plain), Raw("!reset " + plain)]
        if isinstance(value, dict) and value:
            key = self.random.choice(list(value))
            fewer, more = {k: v for k, v in value.items() if k != key}, {**value, self.random.choice(["x-odd", "odd", key.upper(), ""]): 1}
            options += [fewer] * 8 + [more] * 3 + [list(value), {**value, key: None}]
        elif isinstance(value, list) and value:
            item = self.random.choice(value)
            options += [[*value, item]] * 5 + [value[::-1], value[1:], [*value, None], [*value, 1], [*value, {}], value[0], {str(i): v for i, v in enumerate(value)}] * 2
        elif isinstance(value, str) and not isinstance(value, Raw) and value:
            at = self.random.randrange(len(value))
            options += [value[:at] + value[at + 1:], value[:at] + self.random.choice(":/-. =$0,@[]~a{}") + value[at:], value[:at], value + value, value.upper(), " " + value, value + " "] * 4
        return self.random.choice(options)

    def pieces(self, of, most=5):
        return "".join(self.random.choice(of) for _ in range(self.random.randint(1, most)))

    def odd_port(self):
        return self.pieces(["80", "8080", "-", ":", ":", "1.2.3.4", "[::1]", "/tcp", "/udp", "/", "${PORT}", "0", "65535", "0.0.0.0", " ", "80-82", "90-92"], 6)

    def odd_mount(self):
        return self.pieces(["./a", "/b", ":", ":", ":", "v", "ro", "rw", "~", "~/x", "C:\\", "c:/", ",", "z", "${DIR}", "..", ".", "/", "//", "nocopy", "$$", "a b", "\\\\"], 6)

    def odd_command(self):
        return self.pieces(["a", " ", " ", "'b c'", '"d e"', "\\", "'", '"', "$$X", "#", "&&", "|", ";", "\t", "\n", "ü", "a=b", "(", "`", "\\ ", '"\\""', "\\n", "$NUM"], 7)

    def odd_duration(self):
        return self.pieces(["1", "5", "s", "m", "h", "ms", "us", "ns", "d", "w", ".", "-", " ", "0", "+", "µs"], 5)

    def odd_size(self):
        return self.pieces(["1", "5", "k", "m", "g", "b", "K", "iB", "B", ".", "-", " ", "0", "t", "p", "e", "kb", "x", ","], 4)

    def nested(self, depth=0):
        """A text with variables in variables."""
        name = self.random.choice(["TAG", "NUM", "EMPTY", "UNSET", "DIR", "PORT", "A_b1"])
        word = self.nested(depth + 1) if depth < 3 and self.chance(0.5) else self.random.choice(["x", "", "a b", "$$", "}", "{", "{a}", ":-", "-", "\\", "'", '"', "$", "1"])
        operator = self.random.choice(["", ":-", "-", ":+", "+", ":?", "?", ":", "=", ":="])
        return self.random.choice(["", "a", "$", "$$", "b-"]) + self.random.choice([f"${{{name}{operator}{word}}}"] * 6 + [f"${name}", f"${name}{word}", f"${{{name}", f"$${{{name}{operator}{word}}}", f"${{ {name}}}", "${}", f"${{1{name}}}"]) + self.random.choice(["", "", "c", "}", "$"])

    # Environment files.

    def env_lines(self, count=3):
        return [self.env_line() for _ in range(self.random.randint(1, count))]

    def env_line(self):
        key = self.pieces(["A", "B", "c", "_", "1", ".", "-", "TAG"], 2)
        value = self.pieces(["a", "b", " ", "#", " #", "'", '"', "'c d'", '"e f"', "$TAG", "${NUM}", "${UNSET:-x}", "$$", "\\n", "\\", "\\$", "=", ":", "\t", "ü", '\\"', "${A:-'q'}", "1", "{", "}"], 5)
        return self.random.choice([f"{key}={value}"] * 8 + [f"{key} = {value}", f"export {key}={value}", f"export {key}", f"{key}: {value}", f"{key}", f"  {key}={value}", f"# {value}", "", f"{key}={value} # note", f'{key}="{value}"', f"{key}='{value}'", f"{key}=", f"{key}= {value}"])

    # YAML.

    def flow(self, value):
        """Of one line, unless there is something of several lines in it."""
        if self.odd and self.chance(self.odd):
            value = self.strange(value)
        if isinstance(value, Raw):
            return str(value)
        if isinstance(value, dict):
            return "{" + ", ".join(f"{json.dumps(k)}: {self.flow(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self.flow(v) for v in value) + "]"
        return json.dumps(value, ensure_ascii=False)

    def block(self, value, indent):
        """What comes after a colon, in block style for the most part."""
        if self.odd and self.chance(self.odd):
            value = self.strange(value)
        pad = "\n" + " " * indent
        if isinstance(value, Raw) or not value or self.chance(0.1):
            return " " + self.flow(value)
        if isinstance(value, dict):
            return "".join(f"{pad}{self.key(k)}:{self.block(v, indent + 2)}" for k, v in value.items())
        if isinstance(value, list):
            return "".join(f"{pad}-{self.item(v, indent + 2)}" for v in value)
        return " " + self.scalar(value, indent)

    def item(self, value, indent):
        if isinstance(value, dict) and value and not self.odd:  # the first key behind the dash
            text = self.block(value, indent)
            return " " + text.lstrip()
        return self.block(value, indent)

    def key(self, text):
        return text if PLAIN.match(text) and self.chance(0.9) else json.dumps(text)

    def scalar(self, value, indent):
        if not isinstance(value, str):
            return json.dumps(value)
        pad = "\n" + " " * indent
        if PLAIN.match(value) and self.chance(0.7):
            return value + (self.random.choice(["", "  # note", " "]) if self.chance(0.2) else "")
        if value.isprintable() and value.strip() == value and self.chance(0.4):
            return self.random.choice([f"|-{pad}{value}", f">-{pad}{value}", f"|{pad}{value}", f">{pad}{value}", f"|+{pad}{value}\n"])
        if value.isprintable() and self.chance(0.4):
            return "'" + value.replace("'", "''") + "'"
        return json.dumps(value, ensure_ascii=self.chance(0.3))

    def yaml_text(self, lines):
        """The lines of a file, now and then with something around them that matters little."""
        if self.chance(0.85):
            return lines
        return self.random.choice([["---", *lines], ["# note", "", *lines], [*lines, "..."], [*lines, "---"], [*lines, "--- # another", "x-second: 1"], ["%YAML 1.1", "---", *lines], [*lines, "---", "services:", "  web: {labels: {second: document}}"],
                                   [line + " " if self.chance(0.3) and line.strip() and not line.startswith(" " * 6) else line for line in lines], [*lines, "x-last: !!map {}"], [*lines, "x-bin: !custom a"], [*lines, "x-a: &a {b: c}", "x-d: {<<: *a}"]])
