"""From COMMAND DOCS to commands: each option and choice in turn, with places for numbers.

A form is a tuple of items: bytes, a Key, or a Place.
"""
from collections import namedtuple
from itertools import combinations

from .words import PLACES, WORDS

Key = namedtuple("Key", "number")  # 0, 1: the first and the second key of the group's type
Place = namedtuple("Place", "name kind")  # kind: of PLACES; a number stands there

TYPES = {"integer": "integer", "unix-time": "integer", "double": "double"}


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


class Command:
    """A command or subcommand: .name (its words), .group, .since, .forms."""

    def __init__(self, name, doc):
        self.name, self.group, self.since = name, doc[b"group"].decode(), doc[b"since"].decode()
        self.arguments = [pairs(a) for a in doc.get(b"arguments", [])]
        self.forms = self.with_places()

    def with_places(self):
        """Pairs of a form and the indexes of those of its places that it is there for."""
        head = tuple(self.name.split())
        out = []
        for form, only in combined([self.choices(a) for a in self.arguments]):
            form = head + form
            places = [i for i, item in enumerate(form) if isinstance(item, Place) and (only is None or item in only)]
            if places and (form, places) not in out:
                out.append((form, places))
        return out

    def choices(self, a):
        """What an argument may be: tuples of items, the plainest first."""
        token = (a[b"token"],) if b"token" in a else ()
        kind, flags = a[b"type"].decode(), a.get(b"flags", [])
        inner = [pairs(x) for x in a.get(b"arguments", [])]
        if kind == "pure-token":
            out = [token]
        elif kind == "oneof":
            out = [token + c for x in inner for c in self.choices(x)]
        elif kind == "block":
            out = [token + c for c, _ in combined([self.choices(x) for x in inner])]
        elif kind == "key":
            n = 0 if a.get(b"key_spec_index", 0) == 0 and a[b"name"] != b"key2" else 1
            out = [token + (Key(n),)]
        else:
            out = [token + (self.item(a[b"name"].decode(), kind),)]
        if b"multiple" in flags:
            again = out[0] if b"multiple_token" in flags else out[0][len(token):]
            if kind == "key":
                again = (Key(1),)
            out.append(out[0] + again)
        return [()] + out if b"optional" in flags else out

    def item(self, name, kind):
        command = self.name.decode().lower()
        if kind in TYPES:
            return Place(name, TYPES[kind])
        for key in ((command, name), (command.split()[0], name), name):
            if key in PLACES:
                return Place(name, PLACES[key])
        for key in ((command, name), name):
            if key in WORDS:
                return WORDS[key]
        return b"a"


def combined(choices):
    """Forms of a list of arguments, each with the places that it is there for (None: all): the
    plainest; each other choice alone; each two of them, if one has a place of its own."""
    plain = [c[0] for c in choices]
    others = [(i, c) for i, cs in enumerate(choices) for c in cs[1:]]
    yield sum(plain, ()), None
    for i, c in others:
        yield sum(plain[:i] + [c] + plain[i + 1:], ()), None
    for (i, a), (j, b) in combinations(others, 2):
        own = {item for item in a + b if isinstance(item, Place)}
        if i != j and own:
            yield sum(plain[:i] + [a] + plain[i + 1:j] + [b] + plain[j + 1:], ()), own


def commands(docs):
    """All commands that have a place for a number, from COMMAND DOCS as a flat list."""
    def each(name, doc):
        doc = pairs(doc)
        if b"subcommands" in doc:
            for sub, sub_doc in pairs(doc[b"subcommands"]).items():
                yield from each(sub.replace(b"|", b" "), sub_doc)
        else:
            yield Command(name.upper(), doc)
    for name, doc in sorted(pairs(docs).items()):
        yield from (c for c in each(name, doc) if c.forms)
