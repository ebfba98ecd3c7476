"""The random commands of sequences/ on both servers, while others write and save there too.

Databases 0 to 3 are theirs: FLUSHALL becomes FLUSHDB, events of other databases are not heard, and
neither the number of changes nor the digest of all is compared, which the others' work and the
saves change.  Replies, events, keys, digests of values and encodings are, as in
test_differential.py.
"""
import random

import resp
import sequences
from sequences import runner
from sequences.runner import Pair, Side
from sequences.shrink import report
from sequences.words import DATABASES
from test_differential import Generator
from workers import Worker

STEPS = 400  # in a sequence: about a second
SHRINK_SECONDS = 60
runner.TIMEOUT_SECONDS = 300  # somebody else's SAVE, or the machine, may keep a command waiting


class SharedSide(Side):
    """A server of which the sequences have some databases only."""
    HEARD = "__keyevent@[0-%d]__:*" % (DATABASES - 1)

    def empty(self):
        self.client.pipeline([w for db in range(DATABASES) for w in (["SELECT", db], ["FLUSHDB"])] + [["SELECT", 0]])


class SharedPair(Pair):
    """starts: ("ours", how that server is started) and ("theirs", ...)."""
    SIDE = SharedSide
    IS_ALONE = False

    def __init__(self, directory, starts, *options):
        self.STARTS = starts
        super().__init__(directory, *options)


class Servers:
    """The two servers of a pair, as they are at this moment: ours is started anew now and then."""

    def __init__(self, pair):
        self.pair = pair

    def __getitem__(self, side):
        return self.pair.sides[side].server


def tame(step):
    """The same step, leaving other databases alone."""
    if str(step[0]).startswith("@"):
        return [tame_within(word) for word in step]
    if str(step[0]).upper() == "FLUSHALL":
        return ["FLUSHDB"] + step[1:]
    if step[:2] == ["DEBUG", "RELOAD"]:
        return ["DBSIZE"]  # the others would be answered LOADING: Soak.reload() does that
    return step


def tame_within(word):
    """A word of a special, which may be a command, or a list of such."""
    if not isinstance(word, list) or not word:
        return word
    return [tame_within(w) for w in word] if isinstance(word[0], list) else tame(word)


class Sequences(Worker):
    def __init__(self, gate, pair, seed):
        super().__init__(gate)
        self.pair, self.seed, self.number = pair, seed, 0
        missing = pair.missing_commands()
        self.modules = [m for m in sequences.modules().values() if getattr(m, "NEEDS", "PING").lower().encode() not in missing]
        self.missing = missing
        for module in self.modules:
            pair.use(module)

    def reconnect(self):
        for side in self.pair.sides:
            side.open()

    def unit(self):
        self.number += 1
        rnd = random.Random("%s %d" % (self.seed, self.number))
        generator = Generator(rnd, self.modules, [m.NAME for m in self.modules], self.missing)
        batches = [[tame(step) for step in batch] for batch in generator.batches(STEPS)]
        found = self.pair.run_sequence(batches)
        self.commands += STEPS
        if found is not None:
            raise AssertionError("sequence %d\n%s" % (self.number, report(self.pair, batches, found, SHRINK_SECONDS)))


def whole_digests(servers, leave_out):
    """The digest of all data of each server but what is in some databases, which goes."""
    digests = []
    for server in servers:
        with server.client(timeout=300) as c:
            replies = c.pipeline([w for db in leave_out for w in (["SELECT", db], ["FLUSHDB"])] + [["DEBUG", "DIGEST"]])
            assert not isinstance(replies[-1], resp.RespError), replies[-1]
            digests.append(replies[-1])
    return digests


def empty_libraries(servers):
    """All functions are written, forgotten, read again, and forgotten."""
    for server in servers:
        with server.client(timeout=300) as c:
            c.call("FUNCTION", "RESTORE", c.call("FUNCTION", "DUMP"), "FLUSH")
            c.call("FUNCTION", "FLUSH")
            c.call("SCRIPT", "FLUSH")
