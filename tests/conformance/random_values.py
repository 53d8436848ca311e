"""Random values of a Compose file, written as YAML flow style, right ones and (in wild projects) wrong ones."""

import json
import random

from random_oddities import Oddities, Raw  # noqa: F401


class Bad:
    """A mistake, which most often makes Docker Compose refuse the file: only wild projects make it."""

    def __init__(self, value):
        self.value = value


class Values(Oddities):
    # What the environment has of each kind is set by Project: a variable may stand where its kind fits.
    TEXTS, NUMBERS, FLAGS = ["TAG", "DIR", "EMPTY", "UNSET"], ["NUM", "PORT"], ["FLAG"]

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.wild = self.random.random() < 0.5
        self.odd = self.random.choice([0, 0.01, 0.03, 0.03]) if self.wild else 0.0

    def chance(self, probability):
        return self.random.random() < probability

    def one(self, *options):
        """One of the options; functions are called."""
        if not (self.wild and self.chance(0.2)):  # one mistake hides the others
            options = [o for o in options if not isinstance(o, Bad)] or options
        chosen = self.random.choice(options)
        if isinstance(chosen, Bad):
            chosen = chosen.value
        return chosen() if callable(chosen) else chosen

    def some(self, options, least=0, most=3):
        if not (self.wild and self.chance(0.2)):
            options = [o for o in options if not isinstance(o, Bad)]
        return [self.one(o) for o in self.random.sample(options, min(len(options), self.random.randint(least, most)))]

    def part(self, options, least=0, most=3):
        """A map with some of the keys."""
        return {key: self.one(options[key]) for key in self.some([k for k in options], least, most)}

    # Scalars.

    def word(self, *plain):
        """A string of which the value matters: now and then as a variable's default."""
        value = self.one(*plain)
        if isinstance(value, Raw) or not isinstance(value, str) or not self.chance(0.12) or not value:
            return value
        return self.one(f"${{UNSET:-{value}}}", f"${{UNSET-{value}}}", f"${{EMPTY:-{value}}}", f"${{UNSET:-${{EMPTY:-{value}}}}}", Bad(f"{value}$$"), Bad("${UNSET}"))

    def text(self, *plain):
        """Any string, now and then with a variable."""
        if self.odd and self.chance(0.2):
            return self.nested()
        value = self.one(*plain)
        if not isinstance(value, str) or isinstance(value, Raw) or not self.chance(0.2):
            return value
        name = self.random.choice(self.TEXTS + self.NUMBERS + self.FLAGS)
        other = self.random.choice(self.TEXTS)
        return self.one(f"${{{name}:-{value}}}", f"${{{name}-{value}}}", f"{value}${{{name}:+{value}}}", f"{value}${name}", f"{value}${{{name}}}", f"{value}$$", f"{value}-${{{name}+set}}",
                        f"{value}${{{name}:-${{{other}:-x y}}}}", f"{value}${{{name}:-}}", f"{value}$${{{name}}}", f"${{NUM:?needed}}{value}", Bad(f"${{{name}:?needed}}"), Bad(f"${{{name}"), Bad("$ {x}"))

    def number(self, *plain):
        value = self.one(*plain)
        return self.one(value, value, str(value), "${NUM}", f"${{UNSET:-{value}}}", "${NUM:-7}", Bad(Raw("many")), Bad(1.5), Bad("")) if self.chance(0.3) else value

    def flag(self):
        return self.one(True, False, "true", "false", "${FLAG}", "${FLAG:-false}", Raw("true"), Raw("True"), Bad(Raw("yes")), Bad("no"), Bad("maybe"), Bad(1), Bad(None)) if self.chance(0.3) else \
            self.one(True, False)

    def size(self):
        if self.odd and self.chance(0.3):
            return self.odd_size()
        return self.word("64m", "1g", "512k", "1.5gb", "100", lambda: 1048576, "2GiB", "300M", "7b", "1 m", Bad("10x"), Bad(""), Bad("-1m"))

    def duration(self):
        if self.odd and self.chance(0.3):
            return self.odd_duration()
        return self.word("5s", "1m30s", "500ms", "1h", "0s", "1.5h", "90m", "1us", "1h1m1s", Bad("2d"), Bad("10"), Bad("5 s"), Bad(""), Bad(5))

    def pairs(self, keys, values=None, count=3):
        """A map, or a list of KEY=value."""
        chosen = self.random.sample(keys, self.random.randint(1, min(count, len(keys))))
        values = values or (lambda: self.text("1", "two words", "", lambda: 3, lambda: 1.5, lambda: True, lambda: None, "a=b", "x$$y", "ünï", Raw("0x1f"), Raw("no"), Raw("1e3"), Raw("0o17"), Raw("~"), "a: b", "# no"))
        entries = {k: values() for k in chosen}
        if self.chance(0.5):
            return entries
        return [k if v is None else f"{k}={v if not isinstance(v, (bool, float)) else json.dumps(v)}" for k, v in entries.items()]
