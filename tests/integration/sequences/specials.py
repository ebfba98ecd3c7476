"""Steps that are more than one command: functions (pair, args) that return our reply and theirs.
See README.md."""
import select
import time

import resp

from .compare import order, sorted_reply
from .replies import is_null

EXPIRE_MS = 8  # less, and a server that is late deletes the key at once


def on_both(f):
    """A special that does f(client, args) on each server."""
    return lambda pair, args: (f(pair.ours, args), f(pair.theirs, args))


def multi(client, args):
    return client.pipeline([["MULTI"]] + args[0] + [["EXEC"]])


def scan_all(client, args):
    """A whole iteration: its elements without repetitions, or the error."""
    if args[0].upper() == "SCAN" and len(args) > 1:
        scan_all(client, ["SCAN"])  # what has expired goes, whether it is of the type asked for or not
    seen, cursor = [], b"0"
    at = 1 if args[0].upper() == "SCAN" else 2
    while True:
        reply = client.call(*args[:at], cursor, *args[at:])
        if isinstance(reply, resp.RespError):
            return reply
        cursor, found = reply
        found = [f if isinstance(f, list) else [f] for f in found]
        if args[0].upper() in ("HSCAN", "ZSCAN"):
            flat = [w for f in found for w in f]
            found = [list(p) for p in zip(flat[::2], flat[1::2])]
        seen += found
        if cursor == b"0":
            unique = []
            for f in sorted(seen, key=order):
                if not unique or unique[-1] != f:
                    unique.append(f)
            return unique


def redump(client, args):
    """A value by DUMP and RESTORE to another key, two hours to live.  An expired target is looked
    at before: RESTORE with REPLACE says nothing of it there, and here that it has expired."""
    source, target, *options = args
    client.call("EXISTS", target)
    payload = client.call("DUMP", source)
    if is_null(payload):
        return payload
    at = (int(time.time()) + 7200) * 1000 if "ABSTTL" in options else 7200000
    return client.call("RESTORE", target, at, payload, *options)


def exchange(pair, args):
    """Each server's value restored by the other one."""
    source, target = args
    for client in (pair.ours, pair.theirs):
        client.call("EXISTS", target)
    ours, theirs = pair.ours.call("DUMP", source), pair.theirs.call("DUMP", source)
    if is_null(ours) or is_null(theirs):
        return ours, theirs
    return (pair.ours.call("RESTORE", target, 0, theirs, "REPLACE"), pair.theirs.call("RESTORE", target, 0, ours, "REPLACE"))


def expired(pair, args):
    """A key whose time is over, though nobody has looked yet."""
    replies = [client.call("PEXPIRE", args[0], EXPIRE_MS) for client in (pair.ours, pair.theirs)]
    if replies[0] == 1:
        time.sleep((EXPIRE_MS + 2) / 1000)
    return replies


def draw(client, _args):
    """RANDOMKEY deletes expired keys that it meets, by chance: SCAN first."""
    scan_all(client, ["SCAN"])
    reply = client.call("RANDOMKEY")
    return reply if is_null(reply) else client.call("EXISTS", reply)


def configure(pair, args):
    ours, theirs = pair.ours.call("CONFIG", "SET", *args), pair.theirs.call("CONFIG", "SET", *args)
    if isinstance(theirs, resp.RespError) and "Unknown option" in str(theirs):
        theirs = ours
    return ours, theirs


def is_waiting(client, waiter, waiter_id):
    """True once the waiter either has a reply or is blocked."""
    if waiter.at < len(waiter.buf) or select.select([waiter.sock], [], [], 0)[0]:
        return True
    line = client.call("CLIENT", "LIST", "ID", waiter_id)
    flags = bytes(line).split(b" flags=")[1].split(b" ")[0]
    return b"b" in flags


def blocked(client, args):
    """Waiters, each on its connection and in order; then commands; then everybody's reply."""
    blocking, commands = args
    waiters = client.waiters(len(blocking))
    for (waiter, waiter_id), command in zip(waiters, blocking):
        waiter.send(*command)
        resp.wait_until(lambda w=waiter, i=waiter_id: is_waiting(client, w, i), step=0.0005, what="a client that waits")
    replies = [[c[0], client.call(*c)] for c in commands]
    for (waiter, waiter_id), command in zip(waiters, blocking):
        released = client.call("CLIENT", "UNBLOCK", waiter_id)
        replies.append([command[0], released, waiter.read()])
    return replies


def waiting(pair, args):
    """@blocked; 7.2 counts what a waiting client takes among the changes, 7.0 only what BLMPOP
    does: so the count begins anew on both sides, by a SAVE, unless something before this was
    counted differently already."""
    before = [side.changes() for side in pair.sides]
    replies = pair.specials["@blocked"](pair, args)
    ours, theirs = [side.changes() - n for side, n in zip(pair.sides, before)]
    if ours != theirs and pair.are_counted_alike(before):
        for side in pair.sides:
            side.client.call("SAVE")
            side.changes_before = side.uncounted = 0
    return replies


SPECIALS = {
    "@multi": on_both(multi),
    "@scan": on_both(scan_all),
    "@redump": on_both(redump),
    "@exchange": exchange,
    "@expired": expired,
    "@draw": on_both(draw),
    "@config": configure,
    "@blocked": on_both(blocked),
    "@waiting": waiting,
}

__all__ = ["SPECIALS", "on_both", "scan_all", "sorted_reply"]
