#!/usr/bin/env python3
"""Keys of a million elements of each type (LONG=1: ten million), and a string of 512 MB.

  - one write during a save preserves a handful of pages, whatever the key's size
  - written at full speed during a save: the snapshot is of its instant, as redis-server's digest of
    the file says
  - deleting, expiring, overwriting, flushing it takes no turn of the loop above a millisecond: in
    process (bench_huge), by the thread's CPU time.  With LONG=1 over sockets too, where the clock
    is the wall's and a turn that the machine interrupts looks long; the best of some rounds counts
"""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_oracle import Writer, batch, encode  # noqa: E402

LONG = os.environ.get("LONG") == "1"
ELEMENTS = int(os.environ.get("HUGE_ELEMENTS", "10000000" if LONG else "1000000"))
ORACLE_ELEMENTS = 1000000
STRING_BYTES = 512 << 20
SLICE_LIMIT_US = 2000  # the aim is 1000; a million fields freed at once take 17000.  bench_huge adds what the machine is slower now
WALL_LIMIT_US = 20000  # freed at once ten million elements would take a quarter of a second and more
ROUNDS = 5
BENCH = os.path.join(resp.ROOT, "build/tests/bench/bench_huge")
FEW = 16  # pages


class Kind:
    """A type: the command that adds elements, element i as words, writes (words behind the key,
    pages preserved at most), and a random write for the oracle."""

    def __init__(self, add, element, writes, random_write, each=1000):
        self.add, self.element, self.writes, self.random_write, self.each = add, element, writes, random_write, each


def rnd_member(rnd):
    return "member:%08d" % rnd.randrange(ORACLE_ELEMENTS)


MIDDLE = "member:%08d" % (ORACLE_ELEMENTS // 2)
KINDS = {
    "hash": Kind("HSET", lambda i: ["member:%08d" % i, "value-%d" % i],
                 [(["HSET", MIDDLE, "new-value-" * 2], 4), (["HSET", "a-new-field", "v"], 12), (["HDEL", MIDDLE], 12),
                  (["HINCRBY", "counter", 1], 12)],
                 lambda rnd: rnd.choice([["HSET", rnd_member(rnd), "w" * rnd.randrange(30)]] * 4 + [
                     ["HDEL", rnd_member(rnd)], ["HSET", "extra:%d" % rnd.randrange(10 ** 6), "e"]])),
    "list": Kind("RPUSH", lambda i: ["member:%08d" % i],
                 [(["LSET", ORACLE_ELEMENTS // 2, "y" * 15], FEW), (["LSET", ORACLE_ELEMENTS // 3, "long" * 10], FEW),
                  (["LPUSH", "a"], FEW), (["RPUSH", "b"], FEW), (["LPOP"], FEW), (["RPOP", 3], FEW), (["LTRIM", 1, -2], FEW),
                  # A full node becomes two: one path of the tree is taken out, two are put in.
                  (["LINSERT", "AFTER", "member:%08d" % 400, "new"], 24), (["LREM", -1, "member:%08d" % 5000], FEW)],
                 lambda rnd: rnd.choice([["LSET", rnd.randrange(-50000, 50000), "w" * rnd.randrange(30)], ["LPUSH", "a", "b"],
                                         ["RPUSH", "c"], ["LPOP"], ["RPOP", 2],
                                         ["LINSERT", "BEFORE", "a", "d"]])),  # "a" is near the head: it is looked for from there
    "set": Kind("SADD", lambda i: ["member:%08d" % i],
                [(["SADD", MIDDLE + "x"], FEW), (["SREM", MIDDLE], FEW), (["SPOP"], FEW)],
                lambda rnd: rnd.choice([["SADD", rnd_member(rnd)], ["SADD", "extra:%d" % rnd.randrange(10 ** 6)],
                                        ["SREM", rnd_member(rnd)], ["SPOP"]])),
    "zset": Kind("ZADD", lambda i: [i, "member:%08d" % i],
                 [(["ZADD", 1.5, MIDDLE], FEW), (["ZADD", ORACLE_ELEMENTS // 3, "new"], FEW), (["ZINCRBY", 0.5, "member:%08d" % 77], FEW),
                  (["ZREM", "member:%08d" % 4711], FEW), (["ZPOPMIN"], FEW), (["ZREMRANGEBYRANK", 1000, 1001], FEW)],
                 lambda rnd: rnd.choice([["ZADD", rnd.randrange(10 ** 6), rnd_member(rnd)], ["ZINCRBY", 3, rnd_member(rnd)],
                                         ["ZREM", rnd_member(rnd)], ["ZPOPMAX"], ["ZADD", 5, "extra:%d" % rnd.randrange(10 ** 6)]])),
    "stream": Kind("XADD", lambda i: ["%d-1" % (i + 1), "field", "value-%d" % i],
                   [(["XADD", "*", "field", "new"], FEW), (["XDEL", "%d-1" % (ORACLE_ELEMENTS // 2)], FEW),
                    (["XTRIM", "MINID", "=", "3-0"], FEW), (["XADD", "MAXLEN", "~", 10 ** 9, "*", "a", "b"], FEW)],
                   lambda rnd: rnd.choice([["XADD", "*", "field", "w" * rnd.randrange(30)]] * 4 + [
                       ["XDEL", "%d-1" % rnd.randrange(ORACLE_ELEMENTS)], ["XTRIM", "MAXLEN", "~", ORACLE_ELEMENTS]]), each=1),
}


def info_number(client, section, field):
    return int(re.search(rb"%s:(\d+)" % field.encode(), client.call("INFO", section)).group(1))


class HugeKeys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="huge-")
        for name in ("redis", "stillframe"):
            os.mkdir(os.path.join(cls.dir, name))
        cls.server = resp.start_stillframe(os.path.join(cls.dir, "stillframe"), "--save", "", "--rdbcompression", "no",
                                           "--enable-debug-command", "yes")
        cls.client = cls.server.client(timeout=600)
        there = {c.decode().upper() for c in cls.client.call("COMMAND", "LIST")}
        cls.kinds = {name: k for name, k in KINDS.items() if k.add in there}

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.server.stop()
        shutil.rmtree(cls.dir, ignore_errors=True)

    def build(self, name, elements):
        """A server that holds this key and nothing else."""
        kind, c = self.kinds[name], self.client
        c.call("FLUSHALL")
        self.wait_freed()
        for start in range(0, elements, 1000):
            commands = [[kind.add, name] + [w for i in range(first, first + kind.each) for w in kind.element(i)]
                        for first in range(start, start + 1000, kind.each)]
            replies = c.pipeline(commands)
            self.assertNotIsInstance(replies[-1], resp.RespError)

    def wait_saved(self):
        resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in self.client.call("INFO", "persistence"), 300)
        self.assertIn(b"rdb_last_bgsave_status:ok", self.client.call("INFO", "persistence"))

    def wait_freed(self):
        resp.wait_until(lambda: info_number(self.client, "memory", "mm_live_bytes") < 1 << 20, 300)

    # -- pages

    def pages_of(self, *command):
        """How many pages one command preserves while a save runs that has not come to its key."""
        replies = self.client.pipeline([["MULTI"], ["BGSAVE"], ["INFO", "persistence"], command, ["INFO", "persistence"], ["EXEC"]])[-1]
        self.assertNotIsInstance(replies[2], resp.RespError, command)
        self.assertNotIn(replies[2], (None, 0) if command[0] in ("HDEL", "SREM", "ZREM", "XDEL", "LREM") else ("",), command)
        self.wait_saved()
        before, after = (int(re.search(rb"snapshot_preserved_pages:(\d+)", r).group(1)) for r in (replies[1], replies[3]))
        return after - before

    def check_pages(self, writes):
        for command, most in writes:
            pages = self.pages_of(*command)
            print("%s %s: %d pages" % (command[1], " ".join(str(w)[:20] for w in command[:1] + command[2:]), pages), file=sys.stderr)
            self.assertLessEqual(pages, most, command)

    def test_one_write_preserves_a_handful_of_pages(self):
        for name, kind in self.kinds.items():
            with self.subTest(name):
                self.build(name, ORACLE_ELEMENTS)
                self.check_pages([([c[0], name] + c[1:], most) for c, most in kind.writes])

    def build_string(self):
        c, rnd = self.client, random.Random(1)
        c.call("FLUSHALL")
        c.call("SETRANGE", "string", STRING_BYTES - 1, "x")
        c.pipeline([("SETRANGE", "string", rnd.randrange(STRING_BYTES - 100), "r" * 100) for _ in range(5000)])

    def test_one_write_to_a_string_preserves_a_handful_of_pages(self):
        self.build_string()
        writes = [(["SETRANGE", "string", 300 << 20, "change"], 2), (["SETRANGE", "string", (100 << 20) - 3, "across an edge"], 2),
                  (["APPEND", "small", "x" * 10], 2)]
        if isinstance(self.client.call("COMMAND", "INFO", "SETBIT")[0], list):
            writes += [(["SETBIT", "string", 3 << 30, 1], 2), (["BITFIELD", "string", "SET", "u8", 77 << 20, 200], 2)]
        self.check_pages(writes)

    # -- the oracle

    def run_oracle(self, name, random_write):
        rnd = random.Random(2)
        buffers = [batch([encode(w[0], name, *w[1:]) for w in (random_write(rnd) for _ in range(100))], i) for i in range(100)]
        redis = resp.start_redis_server(os.path.join(self.dir, "redis"), "--save", "", "--enable-debug-command", "yes")
        writer = Writer(self.server.port, buffers)
        try:
            writer.start()
            for _ in range(2):
                digest, started = self.client.pipeline([["MULTI"], ["DEBUG", "DIGEST"], ["BGSAVE"], ["EXEC"]])[-1]
                self.assertEqual(started, b"Background saving started")
                before, begin = writer.batches, time.time()
                self.wait_saved()
                print("%s: a save of %.1f s beside %d batches of writes" % (name, time.time() - begin, writer.batches - before),
                      file=sys.stderr)
                self.assertGreater(writer.batches, before)
                self.assertIsNone(writer.error)
                shutil.copyfile(os.path.join(self.server.dir, "dump.rdb"), os.path.join(redis.dir, "dump.rdb"))
                with redis.client(timeout=600) as r:
                    r.call("DEBUG", "RELOAD", "NOSAVE")
                    self.assertEqual(r.call("DEBUG", "DIGEST"), digest)
        finally:
            writer.stop.set()
            writer.join(30)
            redis.kill()

    def test_the_oracle_under_writes_at_full_speed(self):
        for name, kind in self.kinds.items():
            with self.subTest(name):
                self.build(name, ORACLE_ELEMENTS)
                self.run_oracle(name, kind.random_write)

    def test_the_oracle_of_a_string(self):
        self.build_string()
        self.run_oracle("string", lambda rnd: ["SETRANGE", rnd.randrange(STRING_BYTES - 100), "s" * rnd.randrange(1, 80)])

    # -- turns of the loop

    def longest_turn_us(self, commands):
        """Of the commands, and of all turns until what they left behind is freed."""
        c = self.client
        c.call("DEBUG", "RELOAD", "NOSAVE")
        time.sleep(0.1)
        c.call("CONFIG", "RESETSTAT")
        for command in commands:
            c.call(*command)
        resp.wait_until(lambda: c.call("EXISTS", "victim") == 0 or c.call("TYPE", "victim") == b"string", 60)
        resp.wait_until(lambda: info_number(c, "memory", "mm_live_bytes") < 1 << 20, 60)
        return info_number(c, "stats", "eventloop_longest_usec")

    def test_a_huge_key_goes_in_slices(self):
        """In process, as CPU time of the thread: what else runs on the machine does not count."""
        done = subprocess.run([BENCH, str(ELEMENTS), str(ROUNDS), str(SLICE_LIMIT_US)], capture_output=True, text=True, check=False)
        print(done.stdout, file=sys.stderr)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @unittest.skipUnless(LONG, "wall times need a machine that does nothing else: LONG=1")
    def test_a_huge_key_goes_without_a_stall(self):
        """Over sockets, by the wall's clock."""
        ways = {"DEL": [["DEL", "victim"]], "expiry": [["PEXPIRE", "victim", 1]], "SET": [["SET", "victim", "x"]],
                "RENAME": [["SET", "other", "x"], ["RENAME", "other", "victim"]], "FLUSHALL": [["FLUSHALL"]]}
        for name in self.kinds:
            self.build(name, ELEMENTS)
            self.client.call("RENAME", name, "victim")
            self.client.call("SAVE")
            for way, commands in ways.items():
                with self.subTest("%s, %s" % (name, way)):
                    turns = []
                    while len(turns) < ROUNDS and (not turns or min(turns) > 1000):
                        turns.append(self.longest_turn_us(commands))
                    print("%s of %d elements, %s: longest turn %s us" % (name, ELEMENTS, way, ", ".join(map(str, turns))), file=sys.stderr)
                    self.assertLess(min(turns), WALL_LIMIT_US)


if __name__ == "__main__":
    unittest.main()
