#!/usr/bin/env python3
"""Random command sequences give the same replies here and on redis-server.

Both servers get the same seeded commands, in batches.  Replies are compared exactly; those without an order are
sorted first, and remaining times may differ by what passes between the two servers; of a key that is drawn, only that
it exists is compared.  After each batch: the number of changes that INFO counts, every so often DEBUG DIGEST and the
encodings of all keys, and in the end a dump of each server is loaded by the other.

  DIFFERENTIAL_COMMANDS=n   commands per sequence (default 20000; QUICK=1: 4000)
  DIFFERENTIAL_SEED=n       instead of a seed from the clock
"""
import os
import random
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

QUICK = os.environ.get("QUICK") == "1"
COMMANDS = int(os.environ.get("DIFFERENTIAL_COMMANDS", "4000" if QUICK else "20000"))
SEED = int(os.environ.get("DIFFERENTIAL_SEED", str(int(time.time()))))
BATCH = 100
SLACK_MS = 5000  # a loaded machine may stop for a while between the two servers
DATABASES = 4

UNORDERED = {"KEYS", "HGETALL", "HKEYS", "HVALS"}
REMAINING = {"TTL", "PTTL"}


class Commands:
    """The random commands of one sequence."""

    def __init__(self, rnd):
        self.rnd = rnd

    def key(self):
        r = self.rnd.random()
        if r < 0.75:
            return "key:%d" % self.rnd.randrange(40)
        if r < 0.95:
            return "hash:%d" % self.rnd.randrange(12)
        if r < 0.97:
            return "k" * self.rnd.choice([200, 254, 255, 256, 300, 1100])
        return self.rnd.choice(["", "a\0b", "*", "[x]", "\xff"])

    def field(self):
        r = self.rnd.random()
        if r < 0.9:
            return "field:%d" % self.rnd.randrange(self.rnd.choice([8, 40, 700]))
        if r < 0.95:
            return str(self.rnd.randrange(-10, 100000))
        return self.rnd.choice(["", "f" * 64, "f" * 65, "f" * 300])

    def number(self):
        r = self.rnd.random()
        if r < 0.7:
            return str(self.rnd.randrange(-200, 20000))
        return self.rnd.choice(["9223372036854775807", "-9223372036854775808", "9223372036854775808", "0", "-0", "01",
                                "+1", " 1", "1.5", "x", "", "-1", "4294967296"])

    def value(self):
        r = self.rnd.random()
        if r < 0.3:
            return self.number()
        if r < 0.85:
            n = self.rnd.choice([1, 5, 20, 43, 44, 45, 64, 65, 100])
        elif r < 0.97:
            n = self.rnd.choice([400, 900, 1000, 1024, 2000, 5000])
        else:
            n = self.rnd.choice([40000, 70000])
        c = self.rnd.choice("abcxyz")
        return c * self.rnd.randrange(n + 1) + str(self.rnd.randrange(10))

    def small_value(self):
        return self.value()[:self.rnd.choice([10, 64, 64, 64, 100])]

    def offset(self):
        return self.rnd.choice([0, 0, 1, 5, 44, 100, 900, 1000, 1100, 3000, -1, "x", 200000 if self.rnd.random() < 0.1 else 2,
                                536870912, 9223372036854775807])

    def index(self):
        return self.rnd.choice([0, 1, 2, 5, 50, 1000, -1, -2, -5, -100, 9223372036854775807, -9223372036854775808, "x"])

    def expiry(self):
        now = int(time.time())
        return self.rnd.choice([["EX", 100000], ["PX", 100000000], ["EXAT", now + 200000], ["PXAT", (now + 300000) * 1000],
                                ["PXAT", 1], ["EXAT", 1], ["EX", 0], ["PX", -5], ["EX", "x"], ["EX"],
                                ["EX", 9223372036854775807], ["PX", 9223372036854775807], ["KEEPTTL"], ["KEEPTTL", "EX", 5]])

    def set_options(self):
        o = []
        if self.rnd.random() < 0.3:
            o += self.expiry()
        if self.rnd.random() < 0.2:
            o += [self.rnd.choice(["NX", "XX", "nx", "NX XX".split()[0]])]
        if self.rnd.random() < 0.15:
            o += ["GET"]
        if self.rnd.random() < 0.03:
            o += [self.rnd.choice(["XX", "NX", "FOO", ""])]
        return o

    def expire_command(self):
        now = int(time.time())
        name, when = self.rnd.choice([("EXPIRE", 100000), ("PEXPIRE", 100000000), ("EXPIREAT", now + 200000),
                                      ("PEXPIREAT", (now + 300000) * 1000), ("EXPIRE", 300000), ("EXPIRE", -1),
                                      ("PEXPIREAT", 5), ("EXPIRE", 9223372036854775807), ("PEXPIRE", "x"),
                                      ("EXPIRE", -9223372036854775808), ("PEXPIREAT", 9223372036854775000),
                                      ("PEXPIRE", 9223372036854775807), ("EXPIREAT", 9223372036854775)])
        options = []
        while self.rnd.random() < 0.3:
            options.append(self.rnd.choice(["NX", "XX", "GT", "LT", "gt", "FOO"]))
        return [name, self.key(), when] + options

    def hash_pairs(self):
        n = self.rnd.choice([1, 1, 1, 2, 5, 30])
        words = []
        for _ in range(n):
            words += [self.field(), self.small_value()]
        return words

    def scan_options(self):
        o = []
        if self.rnd.random() < 0.3:
            o += ["MATCH", self.rnd.choice(["key:*", "*1*", "h?sh:[0-4]", "[^k]*", "field:1*", "\\*"])]
        if self.rnd.random() < 0.1:
            o += self.rnd.choice([["COUNT", 0], ["COUNT", "x"], ["FOO"], ["COUNT"], ["MATCH"]])
        return o

    def next_plain(self):
        """A command whose reply is comparable as it is."""
        while True:
            command = self.next()
            if command[0] not in UNORDERED | REMAINING | {"TRANSACTION", "REDUMP", "SCANALL", "DRAW", "EXPIRETIME",
                                                          "PEXPIRETIME", "SELECT"}:
                return command

    def next(self):
        k, rnd = self.key, self.rnd
        table = [
            (10, lambda: ["SET", k(), self.value()] + self.set_options()),
            (4, lambda: ["GET", k()]),
            (2, lambda: ["MSET"] + [w for _ in range(rnd.choice([1, 2, 5])) for w in (k(), self.value())]),
            (1, lambda: ["MSET", k(), 1, k()]),
            (2, lambda: ["MGET"] + [k() for _ in range(rnd.choice([1, 3, 8]))]),
            (4, lambda: [rnd.choice(["INCR", "DECR"]), k()]),
            (3, lambda: [rnd.choice(["INCRBY", "DECRBY"]), k(), self.number()]),
            (6, lambda: ["APPEND", k(), self.value()]),
            (1, lambda: ["APPEND", k(), ""]),
            (2, lambda: ["STRLEN", k()]),
            (5, lambda: ["SETRANGE", k(), self.offset(), rnd.choice(["", "z", "replaced", self.value()])]),
            (3, lambda: ["GETRANGE", k(), self.index(), self.index()]),
            (4, lambda: [rnd.choice(["DEL", "UNLINK"])] + [k() for _ in range(rnd.choice([1, 1, 3]))]),
            (2, lambda: ["EXISTS"] + [k() for _ in range(rnd.choice([1, 3]))]),
            (2, lambda: ["TYPE", k()]),
            (1, lambda: ["KEYS", rnd.choice(["*", "key:*", "hash:?", "*[13579]", "k*1", "\\**", "[", "nothing"])]),
            (1, lambda: ["SCANALL", "SCAN"]),
            (1, lambda: ["DRAW", "RANDOMKEY"]),
            (3, lambda: [rnd.choice(["RENAME", "RENAMENX"]), k(), k()]),
            (2, lambda: ["MOVE", k(), rnd.choice([0, 1, 2, 3, 99, "x", 99999999999])]),
            (3, lambda: ["COPY", k(), k()] + rnd.choice([[], ["REPLACE"], ["DB", 1, "REPLACE"], ["DB", 2], ["DB", 77],
                                                         ["FOO"], ["DB"]])),
            (6, self.expire_command),
            (4, lambda: [rnd.choice(["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST"]), k()]),
            (2, lambda: ["OBJECT", rnd.choice(["ENCODING", "FREQ"]), k()]),
            (1, lambda: ["DBSIZE"]),
            (1, lambda: ["DEBUG", "DIGEST-VALUE", k(), k()]),
            (12, lambda: [rnd.choice(["HSET", "HSET", "HSET", "HMSET"]), k()] + self.hash_pairs()),
            (1, lambda: ["HSET", k(), "f", "v", "g"]),
            (1, lambda: ["HSETNX", k(), self.field(), self.small_value()]),
            (4, lambda: ["HGET", k(), self.field()]),
            (2, lambda: ["HMGET", k()] + [self.field() for _ in range(3)]),
            (5, lambda: ["HDEL", k()] + [self.field() for _ in range(rnd.choice([1, 3, 20]))]),
            (4, lambda: ["HINCRBY", k(), self.field(), self.number()]),
            (2, lambda: [rnd.choice(["HLEN", "HGETALL", "HKEYS", "HVALS"]), k()]),
            (2, lambda: [rnd.choice(["HEXISTS", "HSTRLEN"]), k(), self.field()]),
            (0.5, lambda: ["SCAN", rnd.choice(["x", "-", " 0", "99999999999999999999"])] + self.scan_options()),
            (0.5, lambda: ["HSCAN", k(), "x"] + self.scan_options()),
            (1, lambda: ["SCANALL", "SCAN"] + self.scan_options()),
            (1, lambda: ["SCANALL", "HSCAN", k()] + self.scan_options()),
            (1, lambda: ["SELECT", rnd.randrange(DATABASES)]),
            (0.4, lambda: ["SWAPDB", rnd.choice([0, 1, 2]), rnd.choice([0, 1, 3, 99, "x"])]),
            (3, lambda: ["GETEX", k()] + rnd.choice([[], ["PERSIST"], ["PERSIST", "EX", 5], ["FOO"], self.expiry()])),
            (3, lambda: [rnd.choice(["GETDEL", "TOUCH"]), k()]),
            (3, lambda: [rnd.choice(["GETSET", "SETNX"]), k(), self.value()]),
            (2, lambda: [rnd.choice(["SETEX", "PSETEX"]), k(), rnd.choice([100000000, 0, -1, "x", 2 ** 62, 2 ** 63 - 1]),
                         self.value()]),
            (2, lambda: ["MSETNX"] + [w for _ in range(rnd.choice([1, 2, 3])) for w in (k(), self.value())]),
            (3, lambda: ["INCRBYFLOAT", k(), rnd.choice(["1.5", "-0.1", "3.0e3", "1e-7", "inf", "x", "", "0", "5", " 1"])]),
            (1, lambda: ["SUBSTR", k(), self.index(), self.index()]),
            (1, lambda: ["LCS", k(), k()] + rnd.choice([[], ["LEN"], ["IDX"], ["IDX", "MINMATCHLEN", 3, "WITHMATCHLEN"],
                                                        ["IDX", "LEN"], ["FOO"]])),
            (3, lambda: ["REDUMP", k(), k()] + rnd.choice([[], ["REPLACE"], ["REPLACE", "IDLETIME", 5], ["REPLACE", "FREQ", 5],
                                                           ["FREQ", 500], ["REPLACE", "ABSTTL"], ["FOO"]])),
            (1, lambda: ["RESTORE", k(), rnd.choice([0, -1, "x", 5]), rnd.choice(["", "x", "\xc1\x00" * 8])]),
            (2, lambda: ["TRANSACTION", [self.next_plain() for _ in range(rnd.choice([0, 1, 3]))]]),
            (0.1, lambda: [rnd.choice(["FLUSHDB", "FLUSHALL"])] + rnd.choice([[], [], ["ASYNC"], ["SYNC"], ["FOO"]])),
        ]
        return rnd.choices([f for _, f in table], [w for w, _ in table])[0]()


def redump(client, args):
    """A value by DUMP and RESTORE to another key, two hours to live."""
    source, target, *options = args
    payload = client.call("DUMP", source)
    if payload is None:
        return None
    when = (int(time.time()) + 7200) * 1000 if "ABSTTL" in options else 7200000
    return client.pipeline([["RESTORE", target, when, payload] + options])[0]


def scan_all(client, args):
    """A whole iteration: its elements without repetitions, or the error."""
    seen, cursor = set(), b"0"
    at = 2 if args[0] == "HSCAN" else 1
    while True:
        reply = client.pipeline([args[:at] + [cursor] + args[at:]])[0]
        if isinstance(reply, resp.RespError):
            return reply
        cursor, found = reply
        if args[0] == "HSCAN":
            found = list(zip(found[::2], found[1::2]))
        seen.update(found)
        if cursor == b"0":
            return sorted(seen)


def draw(client):
    """RANDOMKEY deletes expired keys that it meets, by chance: SCAN first."""
    scan_all(client, ["SCAN"])
    reply = client.call("RANDOMKEY")
    return None if reply is None else client.call("EXISTS", reply)


def run_batch(client, commands):
    """The replies; SCANALL and DRAW are done apart, between the others."""
    apart = {"SCANALL": lambda c: scan_all(client, c[1:]), "DRAW": lambda c: draw(client),
             "REDUMP": lambda c: redump(client, c[1:]),
             "TRANSACTION": lambda c: client.pipeline([["MULTI"]] + c[1] + [["EXEC"]])}
    replies, rest = [], []
    for c in commands:
        if c[0] in apart:
            replies += client.pipeline(rest) if rest else []
            rest = []
            replies.append(apart[c[0]](c))
        else:
            rest.append(c)
    return replies + (client.pipeline(rest) if rest else [])


def comparable(command, reply):
    if isinstance(reply, resp.RespError) or reply is None:
        return reply
    if command[0] == "HGETALL":
        return sorted(zip(reply[::2], reply[1::2]))
    if command[0] in UNORDERED:
        return sorted(reply)
    return reply


def is_same(command, ours, theirs):
    if command[0] in REMAINING and isinstance(ours, int) and isinstance(theirs, int) and ours > 0 and theirs > 0:
        return abs(ours - theirs) <= (SLACK_MS if command[0] == "PTTL" else SLACK_MS // 1000)
    if command[0] in ("EXPIRETIME", "PEXPIRETIME") and isinstance(ours, int) and ours > 0:  # set by EX or PX, from now
        return abs(ours - theirs) <= (SLACK_MS if command[0] == "PEXPIRETIME" else SLACK_MS // 1000)
    return comparable(command, ours) == comparable(command, theirs)


def shown(command):
    if command[0] == "TRANSACTION":
        return "MULTI; %s; EXEC" % "; ".join(shown(c) for c in command[1])
    return " ".join(repr(w)[:60] for w in command)


class Differential(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="differential-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.servers = []
        for name, start in (("ours", resp.start_stillframe), ("theirs", resp.start_redis_server)):
            os.mkdir(os.path.join(self.dir, name))
            server = start(os.path.join(self.dir, name), "--save", "", "--enable-debug-command", "yes")
            self.addCleanup(server.stop)
            self.servers.append(server)
        self.ours, self.theirs = (s.client() for s in self.servers)
        self.addCleanup(self.ours.close)
        self.addCleanup(self.theirs.close)

    def changes(self, client):
        info = client.call("INFO", "persistence").decode()
        return int(info.split("rdb_changes_since_last_save:")[1].split("\r\n")[0])

    def check_batch(self, commands):
        ours, theirs = run_batch(self.ours, commands), run_batch(self.theirs, commands)
        for i, (c, a, b) in enumerate(zip(commands, ours, theirs)):
            if not is_same(c, a, b):
                before = "\n".join(shown(x) for x in commands[max(0, i - 8):i])
                self.fail("seed %d: %s\n  ours   %.300r\n  theirs %.300r\nafter\n%s" % (SEED, shown(c), a, b, before))
        self.assertEqual(self.changes(self.ours), self.changes(self.theirs), "seed %d: changes counted" % SEED)

    def check_state(self):
        for db in range(DATABASES):
            for client in (self.ours, self.theirs):
                client.call("SELECT", db)
                scan_all(client, ["SCAN"])  # deletes what has expired
            keys = sorted(self.theirs.call("KEYS", "*"))
            self.assertEqual(sorted(self.ours.call("KEYS", "*")), keys)
            asked = [["OBJECT", "ENCODING", k] for k in keys]
            if asked:
                ours, theirs = self.ours.pipeline(asked), self.theirs.pipeline(asked)
                self.assertEqual(list(zip(keys, ours)), list(zip(keys, theirs)), "seed %d: encodings" % SEED)
        self.assertEqual(self.ours.call("DEBUG", "DIGEST"), self.theirs.call("DEBUG", "DIGEST"), "seed %d" % SEED)

    def run_sequence(self, seed, configuration=()):
        for client in (self.ours, self.theirs):
            client.call("FLUSHALL")
            client.call("SELECT", 0)
            client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)  # which keys it finds when is chance
            for name, value in configuration:
                client.call("CONFIG", "SET", name, value)
        generator = Commands(random.Random(seed))
        for batch in range(COMMANDS // BATCH):
            self.check_batch([generator.next() for _ in range(BATCH)])
            if batch % 20 == 19:
                self.check_state()

    def exchange_dumps(self):
        self.check_state()
        for server, client in zip(self.servers, (self.ours, self.theirs)):
            client.call("SAVE")
        digest = self.ours.call("DEBUG", "DIGEST")
        paths = [os.path.join(s.dir, "dump.rdb") for s in self.servers]
        shutil.copy(paths[0], paths[0] + ".kept")
        shutil.copy(paths[1], paths[0])
        shutil.copy(paths[0] + ".kept", paths[1])
        for client in (self.ours, self.theirs):
            client.call("DEBUG", "RELOAD", "NOSAVE")
            self.assertEqual(client.call("DEBUG", "DIGEST"), digest, "seed %d" % SEED)

    def test_random_commands_get_the_same_replies(self):
        self.run_sequence(SEED)
        self.exchange_dumps()

    def test_random_commands_get_the_same_replies_with_other_limits(self):
        self.run_sequence(SEED + 1, [("hash-max-listpack-entries", 6), ("hash-max-listpack-value", 12)])
        self.exchange_dumps()


if __name__ == "__main__":
    print("seed", SEED)
    unittest.main(warnings="ignore")
