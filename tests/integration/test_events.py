#!/usr/bin/env python3
"""Keyspace events and WATCH by chance: the same random commands go here and to redis-server, and
subscribers have to be told the same of both, in the same order; transactions have to break on both
or on neither.

  EVENTS_SEED=n      the commands of an earlier run: each run prints its seed
  EVENTS_COMMANDS=n  how many commands (default 4000; QUICK=1: 1500)
  EVENTS_ROUNDS=n    how many transactions (default 1500; QUICK=1: 400)
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
SEED = int(os.environ.get("EVENTS_SEED") or random.SystemRandom().randrange(1 << 30))
COMMANDS = int(os.environ.get("EVENTS_COMMANDS", "1500" if QUICK else "4000"))
ROUNDS = int(os.environ.get("EVENTS_ROUNDS", "400" if QUICK else "1500"))
CLASSES = "KEAnm"
KEYS = ["a", "b", "c", "d", "e", "{x}1", ""]
PAST, SOON, FAR = "1000", "3", "1000000"  # SOON, in ms, has passed after nap()


def told(client, *command):
    """The reply, an error as its text."""
    try:
        return client.call(*command)
    except resp.RespError as error:
        return "error: %s" % error


def nap():
    """Longer than SOON: what was to expire has expired on both servers."""
    time.sleep(0.012)


class Commands:
    """Random commands on strings and keys; the same for the same generator of numbers."""

    def __init__(self, rnd):
        self.rnd = rnd
        self.payloads = []

    def key(self):
        return self.rnd.choice(KEYS)

    def value(self):
        return self.rnd.choice(["1", "17", "text", "", "3.5", "x" * 60, "9223372036854775807"])

    def expiry(self):
        return self.rnd.choice([[], [], ["PX", SOON], ["PX", FAR], ["KEEPTTL"], ["PXAT", PAST], ["EX", "5"]])

    def string(self):
        r, k = self.rnd, self.key()
        return r.choice([
            lambda: ["SET", k, self.value()] + self.expiry() + r.choice([[], [], ["NX"], ["XX"], ["GET"]]),
            lambda: ["SETEX", k, "100", self.value()],
            lambda: ["SETNX", k, self.value()],
            lambda: ["GETSET", k, self.value()],
            lambda: ["GETDEL", k],
            lambda: ["GETEX", k] + r.choice([[], ["PERSIST"], ["PX", SOON], ["PX", FAR], ["PXAT", PAST]]),
            lambda: ["GET", k],
            lambda: ["MGET", k, self.key(), self.key()],
            lambda: ["MSET", k, "1", self.key(), "2", self.key(), "3"],
            lambda: ["MSETNX", k, "1", self.key(), "2"],
            lambda: ["INCR", k],
            lambda: ["DECRBY", k, "3"],
            lambda: ["INCRBYFLOAT", k, "0.5"],
            lambda: ["APPEND", k, self.value()],
            lambda: ["SETRANGE", k, r.choice(["0", "3"]), self.value()],
            lambda: ["GETRANGE", k, "0", "-1"],
            lambda: ["STRLEN", k],
            lambda: ["LCS", k, self.key()],
            lambda: ["HSET", k, "f", "1"],
            lambda: ["HDEL", k, "f"],
        ])()

    def generic(self):
        r, k = self.rnd, self.key()
        db = r.choice(["0", "1", "2"])
        return r.choice([
            lambda: ["DEL", k, self.key()],
            lambda: ["UNLINK", k],
            lambda: ["RENAME", k, self.key()],
            lambda: ["RENAMENX", k, self.key()],
            lambda: ["COPY", k, self.key()] + r.choice([[], ["REPLACE"], ["DB", db, "REPLACE"], ["DB", db]]),
            lambda: ["MOVE", k, db],
            lambda: ["EXPIRE", k, r.choice(["100", "-1", "0"])] + r.choice([[], ["NX"], ["XX"], ["GT"], ["LT"]]),
            lambda: ["PEXPIRE", k, r.choice([SOON, FAR, "-1"])],
            lambda: ["PEXPIREAT", k, PAST],
            lambda: ["PERSIST", k],
            lambda: ["EXISTS", k, self.key()],
            lambda: ["TOUCH", k, self.key()],
            lambda: ["TYPE", k],
            lambda: ["DUMP", k],
            lambda: ["OBJECT", "ENCODING", k],
            lambda: ["TTL", k],
            lambda: ["EXPIRETIME", k],
            lambda: ["RESTORE", k, r.choice(["0", SOON, FAR]), self.payload()] + r.choice([[], ["REPLACE"]]),
            lambda: ["RESTORE", k, PAST, self.payload(), "ABSTTL"] + r.choice([[], ["REPLACE"]]),
            lambda: ["RESTORE", k, "-1", self.payload(), "REPLACE"],
            lambda: ["SELECT", db],
        ])()

    def payload(self):
        return self.rnd.choice(self.payloads)

    def any(self):
        dice = self.rnd.random()
        if dice < 0.002:
            return self.rnd.choice([["FLUSHDB"], ["FLUSHALL"]])
        if dice < 0.01:
            return ["SWAPDB", self.rnd.choice("012"), self.rnd.choice("012")]
        return self.string() if dice < 0.5 else self.generic()


class Events(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print("EVENTS_SEED=%d" % SEED)

    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.servers = []
        for name, start in (("a", resp.start_stillframe), ("b", resp.start_redis_server)):
            directory = os.path.join(self.dir, name)
            os.mkdir(directory)
            server = start(directory, "--save", "", "--enable-debug-command", "yes")
            self.addCleanup(server.kill)
            server.talk = server.client()
            # Keys expire when they are asked for: active expiry would come at its own times.
            server.talk.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
            self.servers.append(server)
        theirs = self.servers[1].talk
        self.payloads = [b"nonsense"]
        for value in ("12", "some text"):
            theirs.call("SET", "p", value)
            self.payloads.append(theirs.call("DUMP", "p"))
        theirs.call("DEL", "p")

    def listen(self, version):
        for server in self.servers:
            server.talk.call("CONFIG", "SET", "notify-keyspace-events", CLASSES)
            server.ear = server.client()
            server.ear.call("HELLO", version)
            server.ear.send("PSUBSCRIBE", "__key*")
            server.ear.read()

    def heard(self, server):
        """What the subscriber was told since it was asked last."""
        server.talk.call("PUBLISH", "__key_end", "1")
        out = []
        while not out or out[-1][0] != b"__key_end":
            out.append(tuple(server.ear.read()[2:]))
        return out

    def both(self, command):
        """The command to both servers; replies and events have to be the same.  The events."""
        replies = [told(server.talk, *command) for server in self.servers]
        events = [self.heard(server) for server in self.servers]
        if command[0] not in ("DUMP", "TTL", "EXPIRETIME", "OBJECT"):  # of these, the clock or the version shows
            self.assertEqual(replies[0], replies[1], command)
        self.assertEqual(events[0], events[1], command)
        return events[0]

    def test_events_of_each_step_in_redis_order(self):
        self.listen("2")
        for command in (["MSET", "a", "1", "b", "2", "a", "3"], ["MSETNX", "c", "1", "d", "2"],
                        ["RENAME", "a", "b"], ["RENAME", "b", "z"], ["COPY", "z", "c", "REPLACE"], ["COPY", "z", "y"],
                        ["MOVE", "y", "1"], ["RESTORE", "r", "0", self.payloads[1]],
                        ["RESTORE", "r", "0", self.payloads[1]], ["RESTORE", "r", "0", self.payloads[2], "REPLACE"],
                        ["RESTORE", "r", PAST, self.payloads[2], "REPLACE", "ABSTTL"],
                        ["RESTORE", "r", PAST, self.payloads[2], "REPLACE", "ABSTTL"]):
            self.both(command)
        for command in (["RESTORE", "a", "0", self.payloads[1], "REPLACE"], ["RESTORE", "a", "-1", self.payloads[1]],
                        ["RESTORE", "a", "0", self.payloads[1]], ["MSET", "b", "1", "a", "2", "b", "3"],
                        ["MSETNX", "a", "1", "b", "2"], ["RENAME", "c", "a"], ["COPY", "c", "a"],
                        ["RESTORE", "a", PAST, self.payloads[1], "REPLACE", "ABSTTL"],
                        ["RESTORE", "a", "0", b"nonsense", "REPLACE"], ["EXISTS", "a"]):
            self.both(["SET", "c", "1"])
            self.both(["SET", "a", "1", "PX", SOON])
            self.both(["SET", "b", "1", "PX", SOON])
            nap()
            with self.subTest(after_expiry=command):
                self.both(command)
            self.both(["DEL", "a", "b", "c"])

    def test_loading_tells_nothing(self):
        self.listen("3")
        self.both(["MSET", "a", "1", "b", "2"])
        self.assertEqual(len(self.both(["DEBUG", "RELOAD"])), 1)  # the end that heard() sends

    def test_the_clock_of_use_goes_with_the_value(self):
        for server in self.servers:
            server.talk.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "lfu-decay-time", "0",
                             "lfu-log-factor", "0")
        for command in (["RENAME", "s", "t"], ["COPY", "s", "t", "REPLACE"], ["MOVE", "s", "1"],
                        ["RESTORE", "t", "0", self.payloads[2], "REPLACE"], ["SET", "t", "other"]):
            uses = []
            for server in self.servers:
                told(server.talk, "FLUSHALL")
                told(server.talk, "MSET", "s", "source", "t", "target")  # small integers are shared
                for _ in range(20):
                    told(server.talk, "GET", "s")
                    told(server.talk, "GET", "t")
                told(server.talk, *command)
                if command[0] == "MOVE":
                    told(server.talk, "SELECT", "1")
                uses.append([told(server.talk, "OBJECT", "FREQ", key) for key in "st"])
                told(server.talk, "SELECT", "0")
            with self.subTest(command=command):
                self.assertEqual(uses[0], uses[1])

    def random_events(self, version, seed):
        made = Commands(random.Random(seed))
        made.payloads = self.payloads
        self.listen(version)
        for number in range(COMMANDS // 2):
            command = made.any()
            try:
                self.both(command)
            except AssertionError as e:
                raise AssertionError("EVENTS_SEED=%d, command %d: %s" % (SEED, number, e)) from None
            if SOON in command:
                nap()

    def test_a_database_exchanged_with_itself_breaks_no_transaction(self):
        for server in self.servers:
            server.talk.call("SET", "a", "1")
            server.talk.call("WATCH", "a")
            server.client().call("SWAPDB", "0", "0")
            server.talk.call("MULTI")
            server.talk.call("PING")
            with self.subTest(server=server.command[0]):
                self.assertEqual(server.talk.call("EXEC"), [b"PONG"])

    def test_random_commands_tell_the_same_events_to_resp2(self):
        self.random_events("2", SEED)

    def test_random_commands_tell_the_same_events_to_resp3(self):
        self.random_events("3", SEED + 1)

    def test_random_changes_break_the_same_transactions(self):
        made = Commands(random.Random(SEED + 2))
        made.payloads = self.payloads
        for server in self.servers:
            server.watcher = server.client()
        for number in range(ROUNDS):
            before = [made.any() for _ in range(2)]
            db, watched = made.rnd.choice("012"), [made.key() for _ in range(made.rnd.randrange(1, 3))]
            between = [made.any() for _ in range(made.rnd.randrange(1, 3))]
            naps = [made.rnd.random() < 0.1 for _ in range(2)]
            out = []
            for server in self.servers:
                for command in before:
                    told(server.talk, *command)
            if naps[0] or any(SOON in c for c in before):
                nap()
            for server in self.servers:
                told(server.watcher, "SELECT", db)
                if any(c[0] == "RESTORE" and c[1] in watched for c in between):
                    # What RESTORE REPLACE puts over a key that had expired at WATCH does not break
                    # Redis's transaction.
                    told(server.watcher, "EXISTS", *watched)
                told(server.watcher, "WATCH", *watched)
                for command in between:
                    told(server.talk, *command)
            if naps[1] or any(SOON in c for c in between):
                nap()
            for server in self.servers:
                told(server.watcher, "MULTI")
                told(server.watcher, "PING")
                out.append(told(server.watcher, "EXEC"))
            self.assertEqual(out[0], out[1], "EVENTS_SEED=%d, round %d: db %s, before %s, watched %s, between %s" %
                             (SEED, number, db, before, watched, between))


if __name__ == "__main__":
    unittest.main()
