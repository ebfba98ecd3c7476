#!/usr/bin/env python3
"""Random transactions beside redis-server: several connections that watch, queue, make mistakes,
and change each other's keys; expiry, other databases, SWAPDB, FLUSHALL, RESET.  Every reply has to
be the same.

TRANSACTIONS_STEPS and TRANSACTIONS_SEED change length and seed.
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
from test_pubsub import Pair, Reader  # noqa: E402,F401

STEPS = int(os.environ.get("TRANSACTIONS_STEPS", "1000"))
CONNECTIONS = 4
KEYS = ["a", "b", "c", "h"]


class Transactions(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.servers = []
        for name, start in (("a", resp.start_stillframe), ("b", resp.start_redis_server)):
            os.mkdir(os.path.join(self.dir, name))
            server = start(os.path.join(self.dir, name), "--save", "", "--enable-debug-command", "yes",
                           "--databases", "4")
            self.addCleanup(server.kill)
            self.servers.append(server)
            with server.client() as c:
                c.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")  # when it comes is nobody's promise
        self.helpers = [s.client() for s in self.servers]

    def settle(self):
        for h in self.helpers:
            for _ in range(4):
                h.call("PING")

    def command(self, rng):
        key = lambda: rng.choice(KEYS)
        db = lambda: str(rng.randrange(3))
        return rng.choices([w for _, w in self.choices], [n for n, _ in self.choices])[0](rng, key, db)

    choices = [
        (10, lambda rng, key, db: ["SET", key(), str(rng.randrange(9))]),
        (6, lambda rng, key, db: ["GET", key()]),
        (5, lambda rng, key, db: ["INCR", key()]),
        (4, lambda rng, key, db: ["DEL", key()]),
        (3, lambda rng, key, db: ["HSET", "h", "f", "v"]),
        (2, lambda rng, key, db: ["HDEL", "h", "f"]),
        (2, lambda rng, key, db: ["PEXPIRE", key(), rng.choice(["100000", "-1", "0", "1"])]),
        (1, lambda rng, key, db: ["SET", key(), "x", "PX", rng.choice(["1", "100000"])]),
        (1, lambda rng, key, db: ["PERSIST", key()]),
        (1, lambda rng, key, db: ["SETRANGE", key(), "0", ""]),
        (1, lambda rng, key, db: ["APPEND", key(), ""]),
        (2, lambda rng, key, db: ["RENAME", key(), key()]),
        (1, lambda rng, key, db: ["COPY", key(), key(), "REPLACE"]),
        (1, lambda rng, key, db: ["COPY", key(), key(), "DB", db()]),
        (2, lambda rng, key, db: ["MOVE", key(), db()]),
        (3, lambda rng, key, db: ["SELECT", rng.choice([db(), db(), "9", "x"])]),
        (1, lambda rng, key, db: ["SWAPDB", db(), db()]),
        (1, lambda rng, key, db: [rng.choice(["FLUSHALL", "FLUSHDB"])]),
        (14, lambda rng, key, db: ["WATCH"] + [key() for _ in range(rng.choice([1, 1, 2]))]),
        (2, lambda rng, key, db: ["UNWATCH"]),
        (12, lambda rng, key, db: ["MULTI"]),
        (14, lambda rng, key, db: ["EXEC"]),
        (3, lambda rng, key, db: ["DISCARD"]),
        (1, lambda rng, key, db: ["RESET"]),
        (1, lambda rng, key, db: ["PING"]),
        (2, lambda rng, key, db: rng.choice([["FOO"], ["SET", "a"], ["WATCH"], ["EXEC", "x"], ["MULTI", "x"],
                                             ["DISCARD", "x"], ["UNWATCH", "x"], ["CONFIG", "FOO"], ["CONFIG"],
                                             ["CONFIG", "GET"], ["INCR", "h"], ["AUTH", "a", "b", "c"], ["MONITOR", "x"]])),
        (1, lambda rng, key, db: ["TOUCH", key()]),
        (1, lambda rng, key, db: ["EXISTS", key(), key()]),
        (1, lambda rng, key, db: ["TYPE", key()]),
        (1, lambda rng, key, db: ["OBJECT", "ENCODING", key()]),
        (1, lambda rng, key, db: ["WAIT", "0", "0"]),
        (1, lambda rng, key, db: ["CLIENT", "NO-EVICT", rng.choice(["ON", "OFF"])]),
        (1, lambda rng, key, db: ["PUBLISH", "x", "y"]),
    ]

    def test_what_changes_nothing_breaks_nothing(self):
        """Redis 7.0 lets LTRIM break a transaction though it takes nothing; later versions do
        not."""
        c, d = self.servers[0].client(), self.servers[0].client()
        c.call("RPUSH", "ltrim:list", "a", "b")
        for words, runs in ((("LTRIM", "ltrim:list", 0, -1), True), (("LTRIM", "ltrim:list", 0, 5), True),
                            (("LTRIM", "ltrim:list", 0, 0), False), (("LTRIM", "ltrim:list", 5, 0), False)):
            d.call("WATCH", "ltrim:list")
            c.call(*words)
            d.call("MULTI")
            d.call("PING")
            self.assertEqual(d.call("EXEC"), [b"PONG"] if runs else None, words)

    def test_transactions_end_as_those_of_redis(self):
        seed = int(os.environ.get("TRANSACTIONS_SEED", random.SystemRandom().randrange(1 << 32)))
        rng = random.Random(seed)
        pairs = [Pair(self.servers) for _ in range(CONNECTIONS)]
        history, told = [], 0
        for step in range(STEPS):
            pair = rng.choice(pairs)
            batch = [self.command(rng) for _ in range(rng.choice([1, 1, 2, 4]))]
            history.append((pairs.index(pair), batch))
            for c in pair.clients:
                c.send_raw(b"".join(resp.pack(*w) for w in batch))
            self.settle()
            if any("PX" in w or w[0] in ("PEXPIRE", "EXEC") for w in batch):
                time.sleep(0.004)  # what expires within a millisecond has expired
            ours, theirs = (c.drain() for c in pair.clients)
            told += len(theirs)
            self.assertEqual(ours, theirs, "seed %d step %d, after %s" % (seed, step, history[-12:]))
        self.assertGreater(told, STEPS)
        for p in pairs:
            p.close()


if __name__ == "__main__":
    unittest.main()
