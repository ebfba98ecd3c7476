"""Several connections that cache keys, and what each of them reads: for the tests of CLIENT
TRACKING.

A *script* is a list of steps, (name of a connection, words...): the words are a command of that
connection; "@b" is the number of connection b, and each reply's number of a connection is its name
again.  What a step gives is, for each connection, what it read until the server had nothing more to
say: replies as they are, pushes as Push.
"""
import resp


class Push(list):
    """A push of RESP3."""

    def __repr__(self):
        return "Push(%s)" % list.__repr__(self)


def is_message(value):
    """A push, or a message to a RESP2 connection that has subscribed."""
    return isinstance(value, Push) or (isinstance(value, list) and value[:1] == [b"message"])


class Connection(resp.Client):
    """It tells pushes from arrays."""

    def _value(self, kind, rest):
        value = super()._value(kind, rest)
        return Push(value) if kind == b">" else value


class Group:
    """Connections to one server, by their names."""

    def __init__(self, port, names):
        self.at = {n: Connection(port=port, timeout=60) for n in names}
        self.ids = {n: c.call("CLIENT", "ID") for n, c in self.at.items()}
        self.quiet, self.in_multi = set(), set()

    def close(self):
        for c in self.at.values():
            c.close()

    def words(self, words):
        return [self.ids[w[1:]] if isinstance(w, str) and w.startswith("@") and w[1:] in self.ids else w for w in words]

    def named(self, value):
        """With names instead of connections' numbers, where Redis tells those."""
        if isinstance(value, Push) and value[:1] == [b"tracking-redir-broken"]:
            return Push([value[0], self.name_of(value[1])])
        return value

    def info_named(self, value):
        """Of TRACKINGINFO, a map, in RESP2 an array: with a name for who is told instead."""
        if isinstance(value, dict):
            return {k: self.name_of(v) if k == b"redirect" else v for k, v in value.items()}
        if isinstance(value, list):
            return [self.name_of(v) if isinstance(v, int) else v for v in value]
        return value

    def name_of(self, number):
        return next(("@" + n for n, i in self.ids.items() if i == number), number)

    def read_what_is_told(self, name):
        """All that the connection is told without having asked.  CLIENT ID has an answer in any
        state, if only an error, and CLIENT CACHING is good beyond it."""
        got = []
        c = self.at[name]
        c.send("CLIENT", "ID")
        while True:
            value = c.read()
            if not is_message(value):
                return got
            got.append(self.named(value))

    def step(self, name, *words, replies=1, quiet=False):
        """replies: so many there are to the command that are no pushes.  quiet: the connection
        cannot be asked now whether it has read all (it is blocked, or must not reply)."""
        c = self.at[name]
        self.last = (name, words)
        c.send(*self.words(words))
        got = []
        while replies > 0:
            got.append(self.named(c.read()))
            replies -= not is_message(got[-1]) or words[0].upper().endswith("SUBSCRIBE")
        if words[:2] == ("CLIENT", "GETREDIR"):
            got = [self.name_of(v) for v in got]
        if words[:2] == ("CLIENT", "TRACKINGINFO"):
            got = [self.info_named(v) for v in got]
        if words[0] == "MULTI":
            self.in_multi.add(name)
        if words[0] in ("EXEC", "DISCARD", "RESET"):
            self.in_multi.discard(name)
        (self.quiet.add if quiet else self.quiet.discard)(name)
        rest = {n: self.read_what_is_told(n) for n in self.at if n not in self.quiet | self.in_multi}
        rest[name] = got + rest.get(name, [])
        return {n: v for n, v in rest.items() if v}

    def run(self, script):
        """The steps with what each gave."""
        out = []
        for step in script:
            options = step[-1] if isinstance(step[-1], dict) else {}
            words = step[:-1] if options else step
            out.append((words, self.step(*words, **options)))
        return out
