"""Both servers, and sequences of steps on them.

A sequence is a list of batches, a batch a list of steps: what is sent before anything is read.  A
step is a command (a list of words) or a special (its name begins with "@").  run_sequence() returns
None, or the first Difference.
"""
import os
import re
from collections import Counter

import resp

from .compare import exact, waiters
from .differences import is_known, is_known_encoding
from .replies import Simple, TypedClient
from .specials import SPECIALS
from .words import DATABASES

TIMEOUT_SECONDS = 60
EVENTS = "AEmn"  # what notify-keyspace-events is set to


class PairClient(TypedClient):
    """A connection to one server, and those that wait for its keys."""

    def __init__(self, port):
        super().__init__(port=port, timeout=TIMEOUT_SECONDS)
        self._waiters = []
        self.db = self.proto = None

    def waiters(self, n):
        """n connections of the same database and protocol, with their ids."""
        while len(self._waiters) < n:
            c = TypedClient(port=self.sock.getpeername()[1], timeout=TIMEOUT_SECONDS)
            self._waiters.append((c, c.call("CLIENT", "ID")))
        here = re.search(rb" db=(\d+) .* resp=(\d)", bytes(self.call("CLIENT", "INFO")))
        for c, _ in self._waiters[:n]:
            c.call("HELLO", here.group(2))
            c.call("SELECT", here.group(1))
        return self._waiters[:n]


class Difference:
    """What was not equal: kind ("reply", "state", "events", "changes", "crash"), text, the batch
    and step where it was seen, what kind of step it was."""

    def __init__(self, kind, text, batch, step=None, name=""):
        self.kind, self.text, self.batch, self.step, self.name = kind, text, batch, step, name

    def is_like(self, other):
        return other is not None and self.kind == other.kind and self.name == other.name


class Side:
    """One server with the client that commands it and the one that hears its events."""
    HEARD = "__keyevent@*"  # what the listener subscribes to

    def __init__(self, start, directory, options):
        self.start, self.dir, self.options = start, directory, options
        self.server = None
        os.makedirs(directory, exist_ok=True)

    def open(self):
        if self.server is None or not self.server.is_running():
            self.server = self.start(self.dir, *self.options)
        self.client = PairClient(self.server.port)
        self.listener = TypedClient(port=self.server.port, timeout=TIMEOUT_SECONDS)
        self.listener.pipeline([["PSUBSCRIBE", self.HEARD], ["PSUBSCRIBE", "end-of-batch"]])
        self.client.call("CONFIG", "SET", "notify-keyspace-events", EVENTS)
        self.client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)  # which keys it finds when is chance

    def empty(self):
        """No keys, and the statistics of a new server."""
        self.client.call("FLUSHALL")
        self.client.call("CONFIG", "RESETSTAT")

    def events(self):
        """What has been published since the last time."""
        self.client.call("PUBLISH", "end-of-batch", "end")
        found = []
        while True:
            _, _, channel, message = self.listener.read()
            if channel == b"end-of-batch":
                return found
            found.append((channel[len(b"__keyevent@"):].decode(), message))

    def changes(self):
        info = self.client.call("INFO", "persistence").decode()
        return int(info.split("rdb_changes_since_last_save:")[1].split("\r\n")[0])


class Pair:
    """Stillframe and redis-server.  ours and theirs are the clients that specials use."""
    SIDE = Side
    STARTS = (("ours", resp.start_stillframe), ("theirs", resp.start_redis_server))
    IS_ALONE = True  # nobody else writes or saves: the changes are counted, the digest is of all

    def __init__(self, directory, *options):
        options = ("--save", "", "--enable-debug-command", "yes") + options
        self.sides = [self.SIDE(start, os.path.join(directory, name), options) for name, start in self.STARTS]
        self.compare, self.specials, self.defaults = {"@BLOCKED": waiters, "@WAITING": waiters}, dict(SPECIALS), {}
        for side in self.sides:
            side.open()

    @property
    def ours(self):
        return self.sides[0].client

    @property
    def theirs(self):
        return self.sides[1].client

    def use(self, module):
        self.compare.update(getattr(module, "COMPARE", {}))
        self.specials.update(getattr(module, "SPECIALS", {}))
        self.defaults.update({name: values[0] for name, values in getattr(module, "CONFIGS", {}).items()})

    def missing_commands(self):
        """The names of commands that only the reference server has."""
        return set(self.theirs.call("COMMAND", "LIST")) - set(self.ours.call("COMMAND", "LIST"))

    def close(self):
        for side in self.sides:
            side.server.stop()

    def reset(self):
        """As after the start: no keys, RESP2, database 0, default configuration."""
        for side in self.sides:
            try:
                side.client.call("HELLO", 2)
                side.client.call("SELECT", 0)
            except (OSError, EOFError, ValueError):
                side.open()
            side.empty()
        for name, value in self.defaults.items():
            self.specials["@config"](self, [name, value])
        for side in self.sides:
            side.events()
            side.changes_before, side.uncounted = side.changes(), 0

    # -- comparing

    def is_same(self, command, ours, theirs):
        name = str(command[0]).upper()
        if is_known(command, ours, theirs):
            return True
        if name == "@MULTI":
            return self.is_same_multi(command[1], ours, theirs)
        compare = self.compare.get(name) or self.compare.get(name.lower()) or exact
        return compare(command, ours, theirs)

    def is_same_multi(self, commands, ours, theirs):
        if ours[:-1] != theirs[:-1]:
            return False
        a, b = ours[-1], theirs[-1]
        if not isinstance(a, list) or not isinstance(b, list):
            return a == b
        queued = [c for c, r in zip(commands, ours[1:]) if r == Simple(b"QUEUED")]
        return len(a) == len(b) == len(queued) and all(self.is_same(c, x, y) for c, x, y in zip(queued, a, b))

    def run_batch(self, steps):
        """Pairs of replies; between specials the commands are pipelined."""
        replies, rest = [], []

        def flush():
            if rest:
                for side in self.sides:
                    side.client.send_raw(b"".join(resp.pack(*c) for c in rest))
                ours = [self.ours.read() for _ in rest]
                replies.extend(zip(ours, [self.theirs.read() for _ in rest]))
                rest.clear()
        for step in steps:
            if str(step[0]).startswith("@"):
                flush()
                replies.append(self.specials[step[0]](self, step[1:]))
            else:
                rest.append(step)
        flush()
        return replies

    def check_batch(self, steps, at):
        """A Difference in replies, events or the number of changes, or None."""
        exactly, loosely = set(), set()  # words of steps that are compared word by word, and of others
        for i, (step, (ours, theirs)) in enumerate(zip(steps, self.run_batch(steps))):
            if not self.is_same(step, ours, theirs):
                return Difference("reply", "ours   %.1500r\ntheirs %.1500r" % (ours, theirs), at, i, name_of(step))
            is_exact = not name_of(step).startswith("@") and repr(ours) == repr(theirs)
            (exactly if is_exact else loosely).update(words_of(step))
        if any(name_of(step) == "@SORT" for step in steps):
            exactly = set()  # it looks for keys that no step names, in no order that is promised
        events = [in_order(e for e in side.events() if not is_missed(e) or e[1] in exactly - loosely) for side in self.sides]
        if events[0] != events[1]:
            events, more_changes = deleted_or_expired(events)
            self.sides[0].uncounted += more_changes[0]
            self.sides[1].uncounted += more_changes[1]
        if events[0] != events[1]:
            return Difference("events", first_unequal(*events), at)
        changes = [side.changes() for side in self.sides]
        if not self.are_counted_alike(changes):
            return Difference("changes", "rdb_changes_since_last_save: ours %d, theirs %d" % tuple(changes), at)
        return None

    def are_counted_alike(self, changes):
        """Counted from the sequence's beginning, or from a DEBUG RELOAD."""
        return (not self.IS_ALONE or len({n - side.changes_before - side.uncounted for n, side in zip(changes, self.sides)}) == 1 or
                changes[0] == changes[1] or changes[0] - self.sides[0].uncounted == changes[1] - self.sides[1].uncounted)

    def check_state(self, at):
        """A Difference of keys, encodings, digests, or None."""
        here = re.search(rb" db=(\d+) ", bytes(self.ours.call("CLIENT", "INFO"))).group(1)
        found = None
        for db in range(DATABASES):
            found = found or self.check_database(db, at)
        for side in self.sides:
            side.client.call("SELECT", here)
        if found is None and self.IS_ALONE:
            ours, theirs = self.ours.call("DEBUG", "DIGEST"), self.theirs.call("DEBUG", "DIGEST")
            if ours != theirs:
                found = Difference("state", "DEBUG DIGEST: ours %s, theirs %s" % (ours, theirs), at)
        return found

    def check_database(self, db, at):
        for side in self.sides:
            side.client.call("SELECT", db)
            self.specials["@scan"](self, ["SCAN"])  # deletes what has expired
        ours, theirs = (sorted(side.client.call("KEYS", "*")) for side in self.sides)
        if ours != theirs:
            return Difference("state", "keys of database %d: %s" % (db, first_unequal(ours, theirs)), at, name="keys")
        if not ours:
            return None
        keys = ours
        ours, theirs = (side.client.call("DEBUG", "DIGEST-VALUE", *keys) for side in self.sides)
        for key, a, b in zip(keys, ours, theirs):
            if a != b:
                return Difference("state", "digest of %r in database %d: ours %s, theirs %s\n%s" % (
                    key, db, a, b, self.contents(key)), at, name="digest of a " + self.ours.call("TYPE", key).decode())
        ours, theirs = (side.client.pipeline([["OBJECT", "ENCODING", k] for k in keys]) for side in self.sides)
        for key, a, b in zip(keys, ours, theirs):
            if a != b and not is_known_encoding(a, b):
                return Difference("state", "encoding of %r in database %d: ours %s, theirs %s" % (key, db, a, b), at,
                                  name="encoding %s, not %s" % (a, b))
        return None

    def contents(self, key):
        """The beginnings of a key's value on both."""
        reads = {b"string": ["GET", key], b"hash": ["HGETALL", key], b"list": ["LRANGE", key, 0, -1], b"set": ["SMEMBERS", key],
                 b"zset": ["ZRANGE", key, 0, -1, "WITHSCORES"], b"stream": ["XINFO", "STREAM", key, "FULL"]}
        lines = []
        for name, side in zip(("ours", "theirs"), self.sides):
            command = reads.get(bytes(side.client.call("TYPE", key)))
            if command:
                lines.append("%-6s %.700r" % (name, side.client.call(*command)))
        return "\n".join(lines)

    def run_sequence(self, batches, state_every=5):
        """The first Difference in a sequence that starts with nothing, or None.  State is compared
        every so many batches, and in the end."""
        at = 0
        try:
            self.reset()
            for at, steps in enumerate(batches):
                found = self.check_batch(steps, at)
                if found is None and ((at + 1) % state_every == 0 or at == len(batches) - 1):
                    found = self.check_state(at)
                if found is not None:
                    self.forget_connections()
                    return found
        except (OSError, EOFError, AssertionError) as e:
            return self.crashed(e, at)
        return None

    def forget_connections(self):
        """After a difference replies may still be on their way."""
        for side in self.sides:
            side.open()

    def crashed(self, error, at):
        text = "%s: %s" % (type(error).__name__, error)
        for name, side in zip(("ours", "theirs"), self.sides):
            try:
                side.server.wait(5)  # its end may take as long as its report
                text += "\n%s ended:\n%s" % (name, side.server.log()[-3000:])
            except Exception:  # noqa: BLE001 - still running: a hang
                side.server.kill()
            side.open()
        return Difference("crash", text, at)


def name_of(step):
    return str(step[0]).upper()


def words_of(step):
    """All words of a step, those of commands within a special too."""
    for word in step:
        if isinstance(word, (list, tuple)):
            yield from words_of(word)
        else:
            yield word if isinstance(word, bytes) else str(word).encode()


def is_missed(event):
    """A special looks up keys of its own, and a command that is known to answer otherwise may look
    earlier or later."""
    return event[0].endswith(":keymiss")


def in_order(events):
    """When within a command expired keys are found is nobody's promise: these events come last,
    sorted."""
    events = list(events)
    return [e for e in events if not e[0].endswith(":expired")] + sorted(e for e in events if e[0].endswith(":expired"))


def deleted_or_expired(events):
    """An expired key that a command overwrites without a look (RESTORE REPLACE, an empty result of
    ...STORE) is deleted there, and a change, and has expired here, or the other way round.  Returns
    what is unequal then, and how many changes more each side counts."""
    expired = [Counter(e for e in side if e[0].endswith(":expired")) for side in events]
    only = [expired[0] - expired[1], expired[1] - expired[0]]
    rest = [[e for e in side if not e[0].endswith(":expired")] for side in events]
    more, at = [0, 0], [0, 0]

    def is_deleted_expired(here):
        """The next event here is the end of a key that has expired there."""
        if at[here] == len(rest[here]) or not rest[here][at[here]][0].endswith(":del"):
            return False
        name, key = rest[here][at[here]]
        expiry = (name.replace(":del", ":expired"), key)
        if only[1 - here][expiry] == 0:
            return False
        only[1 - here][expiry] -= 1
        return True
    while at[0] < len(rest[0]) or at[1] < len(rest[1]):
        if rest[0][at[0]:at[0] + 1] == rest[1][at[1]:at[1] + 1]:
            at = [at[0] + 1, at[1] + 1]
            continue
        for here in (0, 1):
            if is_deleted_expired(here):
                at[here] += 1
                more[here] += 1
                break
        else:
            return events, [0, 0]
    return (events, [0, 0]) if any(only[0].values()) or any(only[1].values()) else ([[], []], more)


def first_unequal(ours, theirs):
    for i, (a, b) in enumerate(zip(ours, theirs)):
        if a != b:
            return "at %d: ours %r, theirs %r" % (i, a, b)
    longer, rest = ("ours", ours[len(theirs):]) if len(ours) > len(theirs) else ("theirs", theirs[len(ours):])
    return "%s has also %.300r" % (longer, rest)
