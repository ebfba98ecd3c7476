"""What is left out, what is compared in part, and what differs, each with its reason."""
import re

import resp

from sequences.compare import exact, is_single
from sequences.differences import is_known as is_known_of_72

# Commands that are not sent: why.
LEFT_OUT = {
    "PSYNC": "redis-server begins to copy all its data; test_save_stream.py has it",
    "CLIENT PAUSE": "it stops who comes next; test_pause() has it",
    "BGSAVE": "Redis has no such form; test_save_copies.py has it",
}


def is_left_out(name, extremes):
    """As many random elements as a negative count says are promised, and come: gigabytes.  And
    whether a message has been pending for a millisecond is chance."""
    if any(place.name == "min-idle-time" and e == b"1" for place, e in extremes):
        return True
    return name in ("SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER") and any(
        re.fullmatch(rb"-\d{4,19}", e) and int(e) >= -(1 << 63) + 1 for place, e in extremes if place.name == "count")


def in_kind(_command, ours, theirs):
    """Both an error of the same text, or neither an error."""
    return ours == theirs if is_single(ours) or is_single(theirs) else True


def in_number(_command, ours, theirs):
    """As many elements: which ones is chance."""
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs)
    return in_kind(_command, ours, theirs)


def scores(_command, ours, theirs):
    """Scores as numbers, whatever their digits."""
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(scores(None, a, b) for a, b in zip(ours, theirs))
    if ours == theirs or not isinstance(ours, bytes) or not isinstance(theirs, bytes):
        return ours == theirs
    try:
        return float(ours) == float(theirs)
    except ValueError:
        return False


# How replies are compared; others: exactly.
COMPARE = {
    # The order of a hash table's cursors is each server's own.
    "SCAN": in_kind, "SSCAN": in_kind, "HSCAN": in_kind, "ZSCAN": in_kind,
    # By chance.
    "ACL GENPASS": in_kind, "SPOP": in_number, "SRANDMEMBER": in_number, "HRANDFIELD": in_number, "ZRANDMEMBER": in_number,
    # Of each server's own.
    "MEMORY USAGE": in_kind, "LOLWUT": in_kind, "SLOWLOG GET": in_kind, "CLIENT LIST": in_kind, "ACL LOG": in_kind, "HELLO": in_kind,
    # Times in it.
    "XADD": in_kind, "XINFO STREAM": in_kind, "XPENDING": in_number,
}
NUMBERS = ("ZADD ZINCRBY ZRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE ZREVRANGE ZPOPMIN ZPOPMAX ZMPOP BZPOPMIN BZPOPMAX BZMPOP ZUNION ZINTER "
           "ZDIFF GEORADIUS GEORADIUS_RO GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO GEOSEARCH")
COMPARE.update({name: scores for name in NUMBERS.split()})

def is_chance(name, words):
    """Is the effect each server's own?"""
    return name == "SPOP" or (name == "XADD" and b"*" in words)


_TOO_LATE, _ANY = r"RespError\('ERR timeout is out of range'\)", r"(?s).*"
_RANGE = r"RespError\('ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807'\)"
_LONGEST, _LEAST = b"%d" % ((1 << 63) - 1), b"%d" % -(1 << 63)
# Rows of the command's first words, extreme or None for any, pattern of our reply, of theirs.
DIFFERENCES = [(c, e, re.compile(a), re.compile(b)) for c, e, a, b in [
    # As in 7.2: what is no time in 64 bits of milliseconds is out of range; 7.0 takes some of it,
    # or calls it negative.
    (r"B[LRZ]\w+", None, _TOO_LATE, r"RespError\('ERR timeout is negative'\)"),
    (r"WAIT|XREAD|XREADGROUP", _LONGEST, _TOO_LATE, _ANY),
    (r"CLIENT PAUSE", _LONGEST, r".*\[" + _TOO_LATE + r", \+OK\].*", _ANY),
    # As in 7.2: what has no counterpart above 0 is refused.
    (r"LPOS|LREM", _LEAST, _RANGE, _ANY),
    # Nothing is allocated for what COUNT claims.
    (r"XAUTOCLAIM", b"%d" % (1 << 53), r"\[b'0-0', .*", r"RespError\('ERR Insufficient memory, .*"),
]]


# Options that Redis 7.0 does not have.
NEWER = {b"IFEQ", b"IFNE", b"IFDEQ", b"IFDNE"}


def is_same(name, words, extremes, ours, theirs):
    if COMPARE.get(name, exact)(words, ours, theirs) or is_known_of_72(words, ours, theirs):
        return True
    return any(re.fullmatch(c, name) and (e is None or e in extremes) and a.fullmatch(repr(ours)) and b.fullmatch(repr(theirs))
               for c, e, a, b in DIFFERENCES)


# Parameters that are not set.
PARAMETERS_LEFT_OUT = {
    "port": "another process may take the port in between; test_ports() has it",
    "tls-port": "as port",
}

# Parameters that are set here alone.
PARAMETERS_HERE = {"maxclients": "redis-server allocates for as many at once: gigabytes, and it is ended"}


def is_same_parameter(name, extreme, replies):
    (ours, now), (theirs, there) = replies
    is_refused = isinstance(ours, resp.RespError)
    if is_refused and (extreme == b"" or extreme.isdigit() and int(extreme) >= 1 << 63):
        return True  # Redis takes some of it for 0, for what is left of it in 64 bits, or for a percentage
    if name in ("min-replicas-to-write", "min-slaves-to-write"):
        return is_refused != (extreme == b"0")  # without replicas anything else would refuse all writes
    if name == "repl-backlog-size" and not is_refused:
        return int(now[1]) == int(extreme or 0)  # without effect here; Redis raises it to 16384
    if is_refused or isinstance(theirs, resp.RespError):
        return str(ours) == str(theirs)
    return now == there
