#!/usr/bin/env python3
"""A snapshot is of one instant, whatever the types and encodings in it.

Writers send the random commands of sequences/ at full speed: every type and conversion, RENAME,
COPY, MOVE, SWAPDB, FLUSHALL, expiry, transactions; limits of encodings change all the time.
Snapshots are taken meanwhile.  For each:

  - the digest that one MULTI/EXEC took together with BGSAVE is the digest of the file as
    redis-server loads it (as a replica, which keeps what has expired), as Stillframe loads it, and
    again after DEBUG RELOAD;
  - the file holds exactly the keys of each database, with their expiry times to the millisecond.

And files that redis-server wrote, with all encodings, have the same digest here.

  ORACLE_SEED=n        the writes of an earlier run: each run prints its seed
  ORACLE_SNAPSHOTS=n   snapshots of small data (default 150; QUICK=1: 25)
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
import sequences  # noqa: E402
from sequences.words import DATABASES, Words  # noqa: E402
from test_oracle import Writer, batch, encode  # noqa: E402

QUICK = os.environ.get("QUICK") == "1"
SNAPSHOTS = int(os.environ.get("ORACLE_SNAPSHOTS", "25" if QUICK else "150"))
SEED = int(os.environ.get("ORACLE_SEED") or random.SystemRandom().randrange(1 << 30))
KEYS = 12  # of each type
LARGE = 5000 if QUICK else 60000
EXPIRES = os.path.join(resp.ROOT, "build/tests/integration/rdb_expires")
# What the sequences cannot use, because its effect is by chance.
BY_CHANCE = {"set": [["SPOP"], ["SPOP", 3]], "stream": [["XADD", "*", "f", "v"], ["XADD", "MAXLEN", "~", 100, "*", "f", "v"]],
             "string": [["PFADD", "a"]]}
BUILD = {"string": ("SETRANGE", 20, lambda i: [i * 20, "r" * 18]), "hash": ("HSET", 1, lambda i: ["field:%d" % i, "value-%d" % i]),
         "list": ("RPUSH", 1, lambda i: ["element-%d" % i]), "set": ("SADD", 1, lambda i: ["member:%d" % i]),
         "zset": ("ZADD", 1, lambda i: [i % 1000 / 4, "member:%d" % i]),
         "stream": ("XADD", 1, lambda i: ["%d-1" % (i + 1), "field", "value-%d" % i])}
BLOCKING = {"BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP"}
LEFT_OUT = {"HELLO", "DEBUG", "CONFIG", "SELECT", "KEYS", "SUBSCRIBE"}


class Commands:
    """Random writes over all types."""

    def __init__(self, rnd, modules, soon, reads=()):
        names = [m.NAME for m in modules]
        self.reads = reads
        self.rnd, self.soon, self.names = rnd, soon, names
        self.tables = []
        for module in modules:
            table = module.commands(Words(rnd, module.NAME, names, KEYS))
            self.tables.append(([f for _, f in table], [w for w, _ in table]))

    def key(self):
        return "%s:%d" % (self.rnd.choice(self.names), self.rnd.randrange(KEYS))

    def one(self):
        """A command that may stand anywhere, in a transaction too."""
        while True:
            functions, weights = self.rnd.choice(self.tables)
            command = self.rnd.choices(functions, weights)[0]()
            words = [str(w).upper() for w in command]
            if words[0].startswith("@") or words[0] in LEFT_OUT:
                continue
            if words[0] in BLOCKING or "BLOCK" in words or words[0] in self.reads:
                continue  # a writer that waits or reads writes nothing
            if not self.soon and ("PXAT" in words or "EXAT" in words) and "1" in words:
                continue  # what has expired is not loaded
            if "-0" in words or "WEIGHTS" in words:
                continue  # a score of -0 is 0 in a listpack, on both servers: limits that change would change the digest
            return command

    def by_chance(self):
        name = self.rnd.choice([n for n in BY_CHANCE if n in self.names])
        command, *words = self.rnd.choice(BY_CHANCE[name])
        return [command, "%s:%d" % (name, self.rnd.randrange(KEYS))] + words

    def some(self):
        """The next bytes to send."""
        r = self.rnd.random()
        if r < 0.03:
            return encode("MULTI") + b"".join(encode(*self.one()) for _ in range(4)) + encode("EXEC")
        if r < 0.05:
            return encode("SELECT", self.rnd.choice([0, 0, 0, 1, 2, 3]))
        if r < 0.08:
            return encode(*self.by_chance())
        if r < 0.10:
            return encode("PEXPIREAT", self.key(), 4102444800000 + self.rnd.randrange(10 ** 9))
        if r < 0.12 and self.soon:
            return encode("PEXPIRE", self.key(), self.rnd.randrange(1, 40))
        return encode(*self.one())

    def buffers(self, count, per_buffer, serial):
        return [batch([self.some() for _ in range(per_buffer)], serial * 1000 + i) for i in range(count)]


class AllTypes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print("oracle of all types: seed %d" % SEED, file=sys.stderr)
        cls.dir = tempfile.mkdtemp(prefix="oracle-types-")
        options = ("--save", "", "--enable-debug-command", "yes")
        cls.replica = cls.start(resp.start_redis_server, "replica", *options, "--replicaof", "127.0.0.1 1")
        cls.redis = cls.start(resp.start_redis_server, "redis", *options)
        cls.reader = cls.start(resp.start_stillframe, "reader", *options)

    @classmethod
    def start(cls, program, name, *options):
        where = os.path.join(cls.dir, name)
        os.mkdir(where)
        server = program(where, *options)
        server.talk = server.client()
        return server

    @classmethod
    def tearDownClass(cls):
        for server in (cls.replica, cls.redis, cls.reader):
            server.talk.close()
            server.kill()
        shutil.rmtree(cls.dir, ignore_errors=True)

    def setUp(self):
        self.rnd = random.Random("%d %s" % (SEED, self.id()))
        there = set(self.reader.talk.call("COMMAND", "LIST"))
        self.modules = [m for m in sequences.modules().values() if getattr(m, "NEEDS", "PING").lower().encode() in there]
        self.reads = {c[0].decode().upper() for c in self.reader.talk.call("COMMAND") if b"readonly" in c[2]}
        self.configs = [c for m in self.modules for c in getattr(m, "CONFIGS", {}).items()]

    def start_server(self, *options):
        where = tempfile.mkdtemp(dir=self.dir)
        # Of so little data the default limit is 16 MB, which one transaction of random writes can
        # need.
        limit = [] if "--snapshot-memory-limit" in options else ["--snapshot-memory-limit", "1gb"]
        server = resp.start_stillframe(where, "--save", "", "--enable-debug-command", "yes", *limit, *options)
        self.addCleanup(self.end, server)
        return server

    @staticmethod
    def end(server):
        if not server.is_running():
            print("the server ended by itself:\n" + server.log()[-6000:], file=sys.stderr)
        server.kill()

    # -- what a snapshot must be

    def loaded(self, server, path):
        """The digest of a file as this server loads it."""
        shutil.copyfile(path, os.path.join(server.dir, "dump.rdb"))
        server.talk.call("DEBUG", "RELOAD", "NOSAVE")
        return server.talk.call("DEBUG", "DIGEST")

    def known_keys(self):
        return ["%s:%d" % (m.NAME, i) for m in self.modules for i in range(KEYS)]

    def cut(self, client):
        """In one transaction: the digest, the keys of each database with their expiry times,
        BGSAVE."""
        asked = []
        for db in range(DATABASES):  # what is asked for and has expired goes: DBSIZE and the digest come after it
            asked += [["SELECT", db]] + [["PEXPIRETIME", k] for k in self.known_keys()] + [["DBSIZE"]]
        asked += [["DEBUG", "DIGEST"], ["BGSAVE"]]
        replies = client.pipeline([["MULTI"]] + asked + [["EXEC"]])[-1]
        self.assertEqual(replies[-1], b"Background saving started")
        per_db = 2 + len(self.known_keys())
        return replies[-2], [replies[db * per_db + 1:(db + 1) * per_db] for db in range(DATABASES)]

    def check_keys(self, path, databases):
        out = subprocess.run([EXPIRES, path], capture_output=True, check=True).stdout.split(b"\n")
        seen = [{} for _ in range(DATABASES)]
        for line in out[:-1]:
            db, expire, key = line.split(b" ", 2)
            self.assertNotIn(key, seen[int(db)], "a key stands twice in the dump")
            seen[int(db)][key] = int(expire)
        for found, (*times, size) in zip(seen, databases):
            self.assertEqual(len(found), size)
            for key, at in zip(self.known_keys(), times):
                self.assertEqual(found.get(key.encode(), -2), at, key)

    def change_limits(self, client):
        if self.configs:
            name, values = self.rnd.choice(self.configs)
            client.call("CONFIG", "SET", name, self.rnd.choice(values))

    def run_oracle(self, server, snapshots, soon=False, writers=2):
        client = server.client()
        path = os.path.join(server.dir, "dump.rdb")
        threads = []
        for w in range(writers):
            commands = Commands(random.Random(self.rnd.random()), self.modules, soon, self.reads)
            threads.append(Writer(server.port, commands.buffers(60 if QUICK else 200, 60, w + 1)))
        for t in threads:
            t.start()
        started = time.time()
        for i in range(snapshots):
            with self.subTest(seed=SEED, snapshot=i):
                self.change_limits(client)
                digest, databases = self.cut(client)
                self.change_limits(client)
                resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in client.call("INFO", "persistence"), 120, 0.001)
                self.assertIn(b"rdb_last_bgsave_status:ok", client.call("INFO", "persistence"))
                self.check_keys(path, databases)
                self.assertEqual(self.loaded(self.replica, path), digest)
                if not soon:
                    self.assertEqual(self.loaded(self.reader, path), digest)
                    if i % 8 == 0:
                        self.reader.talk.call("DEBUG", "RELOAD")
                        self.assertEqual(self.reader.talk.call("DEBUG", "DIGEST"), digest)
            for t in threads:
                self.assertIsNone(t.error)
        took = time.time() - started
        for t in threads:
            t.stop.set()
        for t in threads:
            t.join(30)
        print("oracle of all types: %d snapshots in %.1f s beside %d batches of writes" % (
            snapshots, took, sum(t.batches for t in threads)), file=sys.stderr)

    def build_large(self, client):
        """One large key of each type that there is, in database 0: the random commands change them
        too."""
        for module in self.modules:
            if module.NAME not in BUILD:
                continue
            command, every, words = BUILD[module.NAME]
            for first in range(0, LARGE, 1000):
                client.pipeline([[command, module.NAME + ":0"] + words(i) for i in range(first, first + 1000) if i % every == 0])

    def test_small_data(self):
        self.run_oracle(self.start_server(), SNAPSHOTS)

    def test_keys_that_expire_in_the_middle(self):
        self.run_oracle(self.start_server(), SNAPSHOTS // 2, soon=True)

    def test_larger_keys(self):
        server = self.start_server("--rdbcompression", "no")
        with server.client() as client:
            self.build_large(client)
        self.run_oracle(server, 4 if QUICK else 25)

    def test_larger_keys_at_the_memory_limit(self):
        server = self.start_server("--snapshot-memory-limit", "2mb")
        with server.client() as client:
            self.build_large(client)
        self.run_oracle(server, 3 if QUICK else 15)

    def test_files_of_the_reference_server(self):
        """Written there under random limits, loaded here, written here, loaded there."""
        client = self.redis.talk
        for i in range(6 if QUICK else 30):
            with self.subTest(seed=SEED, file=i):
                client.call("FLUSHALL")
                client.call("SELECT", 0)
                for name, values in self.configs + [("rdbcompression", ["yes", "no"])]:
                    client.pipeline([["CONFIG", "SET", name, self.rnd.choice(values)]])
                commands = Commands(random.Random(self.rnd.random()), self.modules, False, self.reads)
                with self.redis.client() as other:
                    for data, end in commands.buffers(20, 100, i):
                        other.send_raw(data)
                        while other.read() != end.split(b"\r\n")[1]:
                            pass
                    if i % 5 == 4:
                        self.build_large(client)
                client.call("SAVE")
                digest = client.call("DEBUG", "DIGEST")
                self.assertEqual(self.loaded(self.reader, os.path.join(self.redis.dir, "dump.rdb")), digest)
                self.change_limits(self.reader.talk)
                self.reader.talk.call("DEBUG", "RELOAD")
                self.assertEqual(self.reader.talk.call("DEBUG", "DIGEST"), digest)
                self.assertEqual(self.loaded(self.replica, os.path.join(self.reader.dir, "dump.rdb")), digest)


if __name__ == "__main__":
    unittest.main()
