"""A client whose replies keep their wire type: a status is not a string, a set not an array, and
there are three nulls."""
import resp

NULLS = {}


class Simple(bytes):
    """A simple string."""

    def __eq__(self, other):
        return isinstance(other, Simple) and bytes(self) == bytes(other)

    __hash__ = bytes.__hash__

    def __repr__(self):
        return "+" + bytes(self).decode("latin-1")


class Double(bytes):
    """A double of RESP3, as its text."""

    def __eq__(self, other):
        return isinstance(other, Double) and bytes(self) == bytes(other)

    __hash__ = bytes.__hash__

    def __repr__(self):
        return "," + bytes(self).decode("latin-1")


class Verbatim(bytes):
    """A verbatim string with its kind."""

    def __eq__(self, other):
        return isinstance(other, Verbatim) and bytes(self) == bytes(other)

    __hash__ = bytes.__hash__


class Null:
    """One of the nulls: $-1, *-1, _."""

    def __init__(self, kind):
        self.kind = kind

    def __bool__(self):
        return False

    def __repr__(self):
        return "null(%s)" % self.kind


class Bool:
    """A boolean of RESP3."""

    def __init__(self, value):
        self.value = value

    def __bool__(self):
        return self.value

    def __repr__(self):
        return "#%s" % ("t" if self.value else "f")


class Set(list):
    """A set of RESP3."""

    def __eq__(self, other):
        return isinstance(other, Set) and list(self) == list(other)

    __hash__ = None

    def __repr__(self):
        return "~" + list.__repr__(self)


class Push(list):
    """A push of RESP3."""

    def __eq__(self, other):
        return isinstance(other, Push) and list(self) == list(other)

    __hash__ = None


class Map(list):
    """A map of RESP3: keys and values in turn."""

    def __eq__(self, other):
        return isinstance(other, Map) and list(self) == list(other)

    __hash__ = None

    def __repr__(self):
        return "%" + list.__repr__(self)


NULL, NULL_ARRAY, NULL3 = Null("$-1"), Null("*-1"), Null("_")
TRUE, FALSE = Bool(True), Bool(False)


def is_null(value):
    return isinstance(value, Null)


class TypedClient(resp.Client):
    """One connection; call() returns errors instead of raising them."""

    def call(self, *args):
        self.sock.sendall(resp.pack(*args))
        return self.read()

    def _value(self, kind, rest):
        if kind == b"$":
            return NULL if rest == b"-1" else self._bytes(int(rest))
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return Simple(rest)
        if kind == b"*":
            return NULL_ARRAY if rest == b"-1" else [self.read() for _ in range(int(rest))]
        if kind == b"~":
            return Set(self.read() for _ in range(int(rest)))
        if kind == b">":
            return Push(self.read() for _ in range(int(rest)))
        if kind == b"%":
            return Map(self.read() for _ in range(2 * int(rest)))
        if kind == b"_":
            return NULL3
        if kind == b"#":
            return TRUE if rest == b"t" else FALSE
        if kind == b",":
            return Double(rest)
        if kind == b"=":
            return Verbatim(self._bytes(int(rest)))
        return super()._value(kind, rest)
