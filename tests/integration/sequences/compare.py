"""Ways to compare the replies of two servers: functions (command, ours, theirs) -> bool."""
import resp

from .replies import Double, Map, Set, is_null


def exact(_command, ours, theirs):
    return ours == theirs


def ignored(_command, _ours, _theirs):
    return True


def is_single(reply):
    """Errors and nulls: what every way compares exactly."""
    return isinstance(reply, resp.RespError) or is_null(reply)


def by(normalise):
    """Equal after normalise(reply)."""
    def compare(_command, ours, theirs):
        if is_single(ours) or is_single(theirs):
            return ours == theirs
        return type(ours) is type(theirs) and normalise(ours) == normalise(theirs)
    return compare


def order(value):
    """A key by which any replies can be sorted."""
    if isinstance(value, list):
        return (2, [order(v) for v in value])
    if isinstance(value, int):
        return (0, value)
    return (1, bytes(value)) if isinstance(value, bytes) else (3, repr(value))


def pairs(reply):
    """The pairs of a flat reply of RESP2, or of a map or of an array of pairs of RESP3."""
    if isinstance(reply, Map) or not reply or not isinstance(reply[0], list):
        return list(zip(reply[::2], reply[1::2]))
    return [tuple(p) for p in reply]


def sorted_reply(reply):
    return sorted(reply, key=order) if isinstance(reply, list) else reply


unordered = by(sorted_reply)
as_map = by(lambda reply: sorted(pairs(reply), key=lambda p: order(list(p))) if isinstance(reply, list) else reply)


def near(slack):
    """Positive integers that may differ by slack; others exactly."""
    def compare(_command, ours, theirs):
        if isinstance(ours, int) and isinstance(theirs, int) and ours > 0 and theirs > 0:
            return abs(ours - theirs) <= slack
        return ours == theirs
    return compare


def as_number(value):
    """A double whose digits do not matter: 7.0 prints 17 of them, 7.2 as many as needed."""
    if isinstance(value, list):
        return [type(value)] + [as_number(v) for v in value]
    if isinstance(value, Double) or (isinstance(value, bytes) and (value == b"-0" or (b"." in value or b"e" in value) and len(value) > 2)):
        try:
            return (type(value), float(value)) if float(value) else type(value)(b"0")
        except ValueError:
            return value
    return value


numbers = by(as_number)
unordered_numbers = by(lambda reply: as_number(sorted_reply(reply)))


def waiters(_command, ours, theirs):
    """Replies of @blocked.  Whose stream or group goes is told so by 7.2 in the words of the
    command (NOGROUP, WRONGTYPE), by 7.0 in words of its own."""
    def is_nothing(r):
        return isinstance(r, list) and all(not entries for _, entries in pairs(r))

    def one(r):
        if len(r) == 3 and r[0] == "XREADGROUP" and str(r[2]).startswith(("UNBLOCKED the stream key", "NOGROUP ", "WRONGTYPE ")):
            return ["XREADGROUP", r[1], "it went"]
        if len(r) == 3 and r[0] == "XREAD" and (is_null(r[2]) or is_nothing(r[2])):
            return ["XREAD", "nothing"]
        return as_number(r)

    def is_same(a, b):
        # An empty stream with a higher ID takes the key's place: 7.0 wakes who reads, with nothing.
        # Here he waits on, and is given what comes, or told that it went.
        return one(a) == one(b) or (a[0] == b[0] and a[0] in ("XREAD", "XREADGROUP") and len(b) == 3 and is_nothing(b[2]))
    return len(ours) == len(theirs) and all(is_same(a, b) for a, b in zip(ours, theirs))


__all__ = ["Double", "Map", "Set", "as_map", "as_number", "by", "exact", "ignored", "is_single", "near", "numbers", "order",
           "pairs", "sorted_reply", "unordered", "unordered_numbers", "waiters"]
