#!/usr/bin/env python3
"""Fields of hashes that expire: replies and errors as Redis 7.4 and 8 have them, what listeners
are told, what goes by itself; and saves, which hold the times of their cut while writers change
them."""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_oracle import Writer, batch, encode  # noqa: E402

FAR = 4102444800000
SEED = int(os.environ.get("ORACLE_SEED") or random.SystemRandom().randrange(1 << 30))
SNAPSHOTS = int(os.environ.get("ORACLE_SNAPSHOTS", "12"))


class FieldTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="fields-")
        self.addCleanup(shutil.rmtree, self.dir, True)

    def start(self, *args):
        server = resp.start_stillframe(self.dir, "--enable-debug-command", "yes", *args)
        self.addCleanup(server.kill)
        return server

    def tool(self, *args):
        p = subprocess.run([resp.STILLFRAME_RDB, *args], capture_output=True, timeout=300)
        self.assertEqual(p.returncode, 0, p.stderr)
        return p.stdout


class Replies(FieldTest):
    """In a listpack and in a table."""

    def each_form(self):
        c = self.start().client()
        for entries in (512, 1):
            c.call("CONFIG", "SET", "hash-max-listpack-entries", entries)
            c.call("FLUSHALL")
            with self.subTest(entries=entries):
                yield c

    def test_conditions_and_answers(self):
        for c in self.each_form():
            c.call("HSET", "h", "a", 1, "b", 2, "c", 3)
            at = lambda n, *rest: c.call("HPEXPIREAT", "h", FAR + n, *rest)
            self.assertEqual(at(0, "FIELDS", 3, "a", "b", "none"), [1, 1, -2])
            self.assertEqual(at(0, "NX", "FIELDS", 2, "a", "c"), [0, 1])
            self.assertEqual(c.call("HPERSIST", "h", "FIELDS", 3, "c", "c", "none"), [1, -1, -2])
            self.assertEqual(at(5, "xx", "FIELDS", 2, "a", "c"), [1, 0])
            self.assertEqual(at(3, "GT", "FIELDS", 3, "a", "b", "c"), [0, 1, 0])
            self.assertEqual(at(4, "LT", "FIELDS", 3, "a", "b", "c"), [1, 0, 1])
            self.assertEqual(c.call("HPEXPIRETIME", "h", "FIELDS", 4, "a", "b", "c", "none"), [FAR + 4, FAR + 3, FAR + 4, -2])
            self.assertEqual(c.call("HEXPIRETIME", "h", "FIELDS", 1, "a"), [FAR // 1000 + 1])
            self.assertEqual(c.call("HEXPIREAT", "h", 1, "XX", "FIELDS", 2, "a", "none"), [2, -2])
            self.assertEqual(c.call("HPEXPIRE", "h", 0, "FIELDS", 1, "b"), [2])
            self.assertEqual(c.call("HGETALL", "h"), [b"c", b"3"])
            self.assertEqual(c.call("HEXPIRE", "none", 10, "FIELDS", 2, "a", "b"), [-2, -2])
            for command in ("HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST"):
                self.assertEqual(c.call(command, "none", "FIELDS", 2, "a", "b"), [-2, -2])
            c.call("HSET", "h", "d", 1)
            self.assertEqual(c.call("HEXPIRE", "h", 1000, "FIELDS", 1, "d"), [1])
            self.assertLessEqual(c.call("HTTL", "h", "FIELDS", 2, "d", "x")[0], 1000)
            self.assertEqual(c.call("HTTL", "h", "FIELDS", 2, "d", "x")[1], -2)
            self.assertLessEqual(c.call("HPTTL", "h", "FIELDS", 1, "d")[0], 1000000)

    def test_what_a_write_does_to_a_time(self):
        for c in self.each_form():
            def time_of_a():
                return c.call("HPEXPIRETIME", "h", "FIELDS", 1, "a")[0]
            for write, keeps in ((["HSET", "h", "a", 2], False), (["HMSET", "h", "a", 2], False), (["HINCRBY", "h", "a", 1], True),
                                 (["HINCRBYFLOAT", "h", "a", "0.5"], True), (["HSETNX", "h", "a", 9], True),
                                 (["HSETEX", "h", "FIELDS", 1, "a", 5], False), (["HSETEX", "h", "KEEPTTL", "FIELDS", 1, "a", 5], True),
                                 (["HGETEX", "h", "FIELDS", 1, "a"], True), (["HGETEX", "h", "PERSIST", "FIELDS", 1, "a"], False)):
                c.call("DEL", "h")
                c.call("HSET", "h", "a", 1, "b", 2)
                c.call("HPEXPIREAT", "h", FAR, "FIELDS", 1, "a")
                c.call(*write)
                self.assertEqual(time_of_a(), FAR if keeps else -1, write)
                self.assertEqual(c.call("HPEXPIRETIME", "h", "FIELDS", 1, "b"), [-1])

    def test_hsetex_hgetex_and_hgetdel(self):
        for c in self.each_form():
            self.assertEqual(c.call("HSETEX", "h", "FXX", "EX", 10, "FIELDS", 1, "a", 1), 0)
            self.assertEqual(c.call("EXISTS", "h"), 0)
            self.assertEqual(c.call("HSETEX", "h", "PXAT", FAR, "FNX", "FIELDS", 2, "a", 1, "b", 2), 1)
            self.assertEqual(c.call("HSETEX", "h", "FNX", "FIELDS", 2, "c", 1, "b", 3), 0)
            self.assertEqual(c.call("HSETEX", "h", "FXX", "FIELDS", 2, "c", 1, "b", 3), 0)
            self.assertEqual(c.call("HSETEX", "h", "FIELDS", 1, "c", 3, "FXX"), 0)
            self.assertEqual(c.call("HSETEX", "h", "FXX", "KEEPTTL", "FIELDS", 1, "b", 3), 1)
            self.assertEqual(c.call("HGETEX", "h", "FIELDS", 3, "a", "b", "c"), [b"1", b"3", None])
            self.assertEqual(c.call("HGETEX", "h", "EXAT", FAR // 1000, "FIELDS", 2, "a", "c"), [b"1", None])
            self.assertEqual(c.call("HPEXPIRETIME", "h", "FIELDS", 2, "a", "b"), [FAR, FAR])
            self.assertEqual(c.call("HGETEX", "h", "PXAT", 1, "FIELDS", 1, "a"), [b"1"])
            self.assertEqual(c.call("HGETDEL", "h", "FIELDS", 3, "a", "b", "b"), [None, b"3", None])
            self.assertEqual(c.call("EXISTS", "h"), 0)
            for command in ("HGETEX", "HGETDEL"):
                self.assertEqual(c.call(command, "h", "FIELDS", 2, "a", "b"), [None, None])
            self.assertEqual(c.call("HSETEX", "h", "EXAT", 1, "FIELDS", 1, "a", 1), 1)
            self.assertEqual(c.call("EXISTS", "h"), 0)

    def test_errors(self):
        c = self.start().client()
        c.call("SET", "s", 1)
        c.call("HSET", "h", "f", 1)

        def says(error, *words):
            with self.assertRaises(resp.RespError, msg=words) as e:
                c.call(*words)
            self.assertEqual(str(e.exception), error, words)

        position = "ERR Mandatory argument FIELDS is missing or not at the right position"
        count = "ERR The `numfields` parameter must match the number of arguments"
        wrong = "WRONGTYPE Operation against a key holding the wrong kind of value"
        for command in ("HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT"):
            lower = command.lower()
            says("ERR wrong number of arguments for '%s' command" % lower, command, "h", 1, "FIELDS", 1)
            says(wrong, command, "s", 1, "FIELDS", 1, "f")
            says(position, command, "h", 1, "f", 1, "f")
            says(position, command, "h", 1, "NX", "XX", "FIELDS", 1, "f")
            says("ERR Parameter `numFields` should be greater than 0", command, "h", 1, "FIELDS", 0, "f")
            says("ERR Parameter `numFields` should be greater than 0", command, "h", 1, "FIELDS", "x", "f")
            says(count, command, "h", 1, "FIELDS", 2, "f")
            says(count, command, "h", 1, "FIELDS", 1, "f", "g")
            says("ERR value is not an integer or out of range", command, "h", "x", "FIELDS", 1, "f")
            says("ERR invalid expire time, must be >= 0", command, "h", -1, "FIELDS", 1, "f")
            says("ERR invalid expire time in '%s' command" % lower, command, "h", 1 << 62, "FIELDS", 1, "f")
        says("ERR invalid expire time in 'hpexpireat' command", "HPEXPIREAT", "h", 1 << 46, "FIELDS", 1, "f")
        self.assertEqual(c.call("HPEXPIREAT", "h", (1 << 46) - 1, "FIELDS", 1, "f"), [1])
        for command in ("HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST", "HGETEX", "HGETDEL"):
            says("ERR wrong number of arguments for '%s' command" % command.lower(), command, "h", "FIELDS", 1)
            says(wrong, command, "s", "FIELDS", 1, "f")
            says(position, command, "h", "f", 1, "f")
            says("ERR Number of fields must be a positive integer", command, "h", "FIELDS", 0, "f")
            says(count, command, "h", "FIELDS", 2, "f")
        says("ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified", "HGETEX", "h", "EX", 1, "PERSIST", "FIELDS", 1, "f")
        says("ERR invalid expire time in 'hgetex' command", "HGETEX", "h", "EXAT", 99999999999, "FIELDS", 1, "f")
        says(wrong, "HSETEX", "s", "FIELDS", 1, "f", 1)
        says("ERR unknown argument: NX", "HSETEX", "h", "NX", "FIELDS", 1, "f", 1)
        says("ERR Only one of FXX or FNX arguments can be specified", "HSETEX", "h", "FXX", "FNX", "FIELDS", 1, "f", 1)
        says("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified", "HSETEX", "h", "KEEPTTL", "EX", 1, "FIELDS", 1, "f", 1)
        says("ERR invalid number of fields", "HSETEX", "h", "FIELDS", 0, "f", 1)
        says("ERR wrong number of arguments", "HSETEX", "h", "EX", 10, "FIELDS", 2, "f", 1)
        says("ERR unknown argument: g", "HSETEX", "h", "FIELDS", 1, "f", 1, "g", 2)
        says("ERR FIELDS keyword specified multiple times", "HSETEX", "h", "FIELDS", 1, "f", 1, "FIELDS", 1, "f", 1)
        says("ERR missing expire time", "HSETEX", "h", "FIELDS", 1, "f", 1, "EX")
        self.assertEqual(c.call("HGETALL", "h"), [b"f", b"1"])

    def test_scripts_and_transactions(self):
        server = self.start()
        c = server.client()
        self.assertEqual(c.call("EVAL", "redis.call('HSETEX', KEYS[1], 'PXAT', ARGV[1], 'FIELDS', 1, 'f', 'v') "
                                "return redis.call('HPEXPIRETIME', KEYS[1], 'FIELDS', 1, 'f')", 1, "h", FAR), [FAR])
        c.call("WATCH", "h")
        other = server.client()
        other.call("HPEXPIREAT", "h", FAR + 1, "FIELDS", 1, "f")
        c.call("MULTI")
        c.call("HGET", "h", "f")
        self.assertIsNone(c.call("EXEC"))


class Expiry(FieldTest):
    def stats(self, c, name):
        for line in c.call("INFO", "everything").decode().splitlines():
            if line.startswith(name + ":"):
                return line.split(":", 1)[1]
        return None

    def test_fields_go_by_themselves(self):
        c = self.start("--hash-max-listpack-entries", "64").client()
        for i in range(200):
            c.call("HSETEX", "small:%d" % i, "PX", 1 + i % 50, "FIELDS", 2, "a", 1, "b", 2)
            c.call("HSET", "small:%d" % i, "stays", 1) if i % 2 else None
        c.pipeline([("HSETEX", "large", "PX", 100, "FIELDS", 1, "f%d" % i, "v") for i in range(5000)])
        c.call("HSETEX", "later", "PXAT", FAR, "FIELDS", 1, "f", "v")
        resp.wait_until(lambda: self.stats(c, "expired_subkeys") == "5400", what="all fields gone")
        self.assertEqual(c.call("DBSIZE"), 101)
        self.assertRegex(self.stats(c, "db0"), r"^keys=101,expires=0,avg_ttl=0,subexpiry=1$")
        self.assertEqual(c.call("OBJECT", "ENCODING", "small:1"), b"listpack")

    def test_events(self):
        server = self.start()
        c, s = server.client(), server.client()
        c.call("CONFIG", "SET", "notify-keyspace-events", "EA")
        s.call("PSUBSCRIBE", "*")

        def heard():
            c.call("PUBLISH", "fence", "x")
            out = []
            while True:
                _, _, channel, payload = s.read()
                if channel == b"fence":
                    return out
                out.append((channel.decode().split(":")[1], payload))

        def tells(want, *command):
            c.call(*command)
            self.assertEqual(heard(), [(w, b"h") for w in want], command)

        tells(["hset"], "HSET", "h", "a", 1, "b", 2, "c", 3)
        tells(["hexpire"], "HEXPIRE", "h", 100, "FIELDS", 2, "a", "b")
        tells([], "HEXPIRE", "h", 100, "NX", "FIELDS", 2, "a", "b")
        tells(["hpersist"], "HPERSIST", "h", "FIELDS", 2, "a", "c")
        tells([], "HPERSIST", "h", "FIELDS", 2, "a", "c")
        tells(["hdel"], "HPEXPIREAT", "h", 1, "FIELDS", 1, "a")
        tells(["hset", "hexpire"], "HSETEX", "h", "EX", 100, "FIELDS", 1, "d", 1)
        tells(["hset"], "HSETEX", "h", "KEEPTTL", "FIELDS", 1, "d", 2)
        tells(["hexpire"], "HGETEX", "h", "EX", 200, "FIELDS", 1, "d")
        tells([], "HGETEX", "h", "FIELDS", 1, "d")
        tells(["hpersist"], "HGETEX", "h", "PERSIST", "FIELDS", 1, "d")
        tells(["hdel"], "HGETDEL", "h", "FIELDS", 2, "d", "none")
        tells(["hdel", "del"], "HGETDEL", "h", "FIELDS", 2, "b", "c")
        c.call("HSETEX", "h", "PX", 1, "FIELDS", 1, "a", 1)
        resp.wait_until(lambda: c.call("EXISTS", "h") == 0, what="the hash is gone")
        self.assertEqual([e for e, _ in heard()], ["hset", "hexpire", "hexpired", "del"])

    def test_nothing_goes_while_writers_are_held(self):
        server = self.start()
        c = server.client()
        c.call("HSETEX", "h", "PX", 30, "FIELDS", 3, "a", 1, "b", 2, "c", 3)
        c.call("CLIENT", "PAUSE", 100000, "WRITE")
        resp.wait_until(lambda: c.call("HGET", "h", "a") is None, what="the field is not shown any more")
        self.assertEqual(c.call("HGETALL", "h"), [])
        self.assertIsNone(c.call("HRANDFIELD", "h"))
        self.assertEqual(c.call("HRANDFIELD", "h", 5), [])
        self.assertEqual(c.call("HSCAN", "h", 0), [b"0", []])
        self.assertEqual(c.call("HTTL", "h", "FIELDS", 1, "a"), [-2])
        self.assertEqual((c.call("EXISTS", "h"), c.call("HLEN", "h")), (1, 3))  # as Redis: they are still there
        c.call("CLIENT", "UNPAUSE")
        resp.wait_until(lambda: c.call("EXISTS", "h") == 0, what="the hash is gone")

    def test_full_memory(self):
        c = self.start("--maxmemory", "8mb", "--maxmemory-policy", "allkeys-random").client()
        for i in range(300):
            c.pipeline([("HSETEX", "h%d:%d" % (i, j), "PXAT", FAR + j, "FIELDS", 2, "f", "x" * 300, "g", i) for j in range(60)])
        used = int(self.stats(c, "used_memory"))
        self.assertLess(used, 9 << 20)
        self.assertGreater(int(self.stats(c, "evicted_keys")), 0)
        size = c.call("DBSIZE")
        self.assertIn("subexpiry=%d" % size, self.stats(c, "db0"))
        c.call("FLUSHALL")
        self.assertIsNone(self.stats(c, "db0"))


# ---- saves ----

HASHES, FIELDS = 12, 60


def random_write(rnd):
    h, f = "h%d" % rnd.randrange(HASHES), "f%d" % rnd.randrange(FIELDS)
    g = "f%d" % rnd.randrange(FIELDS)
    kind = rnd.randrange(16)
    if kind < 4:
        return encode("HPEXPIREAT", h, FAR + rnd.randrange(10 ** 9), "FIELDS", 2, f, g)
    if kind < 7:
        return encode("HSET", h, f, "v" * rnd.randrange(100), g, rnd.randrange(10 ** 6))
    if kind == 7:
        return encode("HSETEX", h, "PXAT", FAR + rnd.randrange(10 ** 9), "FIELDS", 2, f, "w" * rnd.randrange(70), g, 1)
    if kind == 8:
        return encode("HPEXPIRE", h, rnd.randrange(1, 60), "FIELDS", 1, f)
    if kind == 9:
        return encode("HPERSIST", h, "FIELDS", 2, f, g)
    if kind == 10:
        return encode("HDEL", h, f, g)
    if kind == 11:
        return encode("HGETEX", h, "PXAT", FAR + rnd.randrange(1000), "FIELDS", 1, f)
    if kind == 12:
        return encode("HINCRBY", h, "n", 1)
    if kind == 13:
        return encode("RENAME", h, "h%d" % rnd.randrange(HASHES)) if rnd.random() < 0.3 else encode("HGETDEL", h, "FIELDS", 1, f)
    if kind == 14:
        return encode("COPY", h, "h%d" % rnd.randrange(HASHES), "REPLACE")
    return encode("HSETEX", h, "KEEPTTL", "FIELDS", 1, f, "k" * rnd.randrange(90))


class Saves(FieldTest):
    def in_file(self):
        """name -> {field: (value, time)}; of the file that was saved."""
        found = {}
        for line in self.tool("ndjson", os.path.join(self.dir, "dump.rdb")).splitlines():
            key = json.loads(line)
            times = key.get("field_expire_at_ms", {})
            found[key["key"]] = {f: (str(v), times.get(f, -1)) for f, v in key["value"].items()}
        return found

    def save(self, c):
        """The hashes at the cut as one transaction has them, and a time right after it: TIME says
        the moment, not when the turn began."""
        names = ["f%d" % i for i in range(FIELDS)] + ["n"]
        looks = []
        for i in range(HASHES):
            looks += [("HMGET", "h%d" % i, *names), ("HPEXPIRETIME", "h%d" % i, "FIELDS", len(names), *names)]
        replies = c.pipeline([("MULTI",), *looks, ("TIME",), ("BGSAVE",), ("EXEC",)])[-1]
        now_ms = int(replies[-2][0]) * 1000 + int(replies[-2][1]) // 1000
        state = {}
        for i in range(HASHES):
            values, times = replies[2 * i], replies[2 * i + 1]
            state["h%d" % i] = {f: (v.decode(), t) for f, v, t in zip(names, values, times) if v is not None}
        resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in c.call("INFO", "persistence"), seconds=120, what="the save's end")
        self.assertIn(b"rdb_last_bgsave_status:ok", c.call("INFO", "persistence"))
        return state, now_ms

    def end_what_ends_soon(self, c):
        names = ["f%d" % i for i in range(FIELDS)]
        for i in range(HASHES):
            times = c.call("HPEXPIRETIME", "h%d" % i, "FIELDS", len(names), *names)
            c.call("HDEL", "h%d" % i, "n", *[f for f, t in zip(names, times) if 0 <= t < FAR])

    def check_file(self, state, now_ms):
        found = self.in_file()
        for name, fields in found.items():
            at_cut = state.get(name, {})  # and in the file what had expired then and not gone yet
            self.assertEqual([(f, v, fields.get(f)) for f, v in at_cut.items() if fields.get(f) != v], [], name)
            self.assertEqual([(f, v) for f, v in fields.items() if f not in at_cut and not -1 < v[1] < now_ms], [], name)
        for name, fields in state.items():
            self.assertTrue(not fields or name in found, name)

    def test_a_save_has_the_times_of_its_cut(self):
        print("fields: seed", SEED, file=sys.stderr)
        rnd = random.Random(SEED)
        server = self.start("--hash-max-listpack-entries", "40", "--save", "")
        c = server.client()
        buffers = [batch([random_write(rnd) for _ in range(200)], i) for i in range(60)]
        writer = Writer(server.port, buffers)
        writer.start()
        try:
            for n in range(SNAPSHOTS):
                c.call("CONFIG", "SET", "hash-max-listpack-entries", rnd.choice((8, 40, 200)))
                state, now_ms = self.save(c)
                self.check_file(state, now_ms)
        finally:
            writer.stop.set()
            writer.join()
        self.assertIsNone(writer.error)
        self.end_what_ends_soon(c)
        digest = c.call("DEBUG", "DIGEST")
        c.call("DEBUG", "RELOAD")
        self.assertEqual(c.call("DEBUG", "DIGEST"), digest)

    def test_a_large_hash_changes_while_it_is_saved(self):
        server = self.start("--save", "", "--snapshot-threads", "1")
        c = server.client()
        n = 60000
        for at in range(0, n, 1000):
            c.call("HSETEX", "big", "PXAT", FAR, "FIELDS", 1000, *sum([["f%d" % i, "v%d" % i] for i in range(at, at + 1000)], []))
        rnd = random.Random(SEED)
        c.pipeline([("HPEXPIREAT", "big", FAR + i, "FIELDS", 1, "f%d" % i) for i in range(0, n, 3)])
        c.pipeline([("MULTI",), ("BGSAVE",), ("EXEC",)])
        for _ in range(20):
            c.pipeline([("HPEXPIREAT", "big", FAR + 10 ** 9, "FIELDS", 1, "f%d" % rnd.randrange(n)) for _ in range(500)])
            c.pipeline([("HSET", "big", "f%d" % rnd.randrange(n), "changed") for _ in range(300)])
            c.pipeline([("HDEL", "big", "f%d" % rnd.randrange(n)) for _ in range(100)])
        resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in c.call("INFO", "persistence"), seconds=120, what="the save's end")
        fields = self.in_file()["big"]
        want = {"f%d" % i: ("v%d" % i, FAR + i if i % 3 == 0 else FAR) for i in range(n)}
        # Not the whole of both: the difference of two such texts takes minutes.
        self.assertEqual([(f, want.get(f), fields.get(f)) for f in {**want, **fields} if want.get(f) != fields.get(f)][:5], [])

    def test_a_restart_after_a_crash(self):
        server = self.start()
        c = server.client()
        c.call("HSET", "h", "a", 1, "b", 2)
        c.call("HPEXPIREAT", "h", FAR, "FIELDS", 1, "a")
        c.call("HSETEX", "soon", "PX", 1500, "FIELDS", 1, "f", "v")
        c.call("HSETEX", "soon", "PXAT", FAR, "FIELDS", 1, "g", "v")
        c.call("SAVE")
        self.assertIn("The dump is of RDB version 12, not 10", server.log())
        self.assertIn(b"sound: RDB 12", self.tool("check", os.path.join(self.dir, "dump.rdb")))
        server.kill()
        c = self.start().client()
        self.assertEqual(c.call("HPEXPIRETIME", "h", "FIELDS", 2, "a", "b"), [FAR, -1])
        resp.wait_until(lambda: c.call("HGETALL", "soon") == [b"g", b"v"], what="the field is gone")
        c.call("HPERSIST", "h", "FIELDS", 1, "a")
        c.call("DEL", "soon")
        c.call("SAVE")
        self.assertIn(b"sound: RDB 10", self.tool("check", os.path.join(self.dir, "dump.rdb")))

    def test_a_small_one_is_read_where_small_is_smaller(self):
        c = self.start().client()
        for i in range(30):
            c.call("HSET", "h", "f%d" % i, "v%d" % i)
        c.call("HPEXPIREAT", "h", FAR, "FIELDS", 3, "f0", "f7", "f29")
        names = ["f%d" % i for i in range(30)]
        before = c.call("HPEXPIRETIME", "h", "FIELDS", 30, *names), c.call("HMGET", "h", *names), c.call("DEBUG", "DIGEST")
        self.assertEqual(c.call("OBJECT", "ENCODING", "h"), b"listpackex")
        for name, value in (("hash-max-listpack-entries", 10), ("hash-max-listpack-value", 1)):
            c.call("CONFIG", "SET", "hash-max-listpack-entries", 128, "hash-max-listpack-value", 64)
            c.call("DEBUG", "RELOAD")
            self.assertEqual(c.call("OBJECT", "ENCODING", "h"), b"listpackex")
            c.call("CONFIG", "SET", name, value)
            c.call("DEBUG", "RELOAD")
            self.assertEqual(c.call("OBJECT", "ENCODING", "h"), b"hashtable")
            self.assertEqual((c.call("HPEXPIRETIME", "h", "FIELDS", 30, *names), c.call("HMGET", "h", *names), c.call("DEBUG", "DIGEST")), before)

    def test_the_tool_sends_them_to_a_server(self):
        server = self.start()
        c = server.client()
        c.call("HSETEX", "small", "PXAT", FAR, "FIELDS", 2, "a", 1, "b", 2)
        c.call("HSET", "small", "c", 3)
        c.call("CONFIG", "SET", "hash-max-listpack-entries", 2)
        c.call("HSETEX", "large", "PXAT", FAR + 7, "FIELDS", 3, "a", 1, "b", 2, "c", 3)
        digest = c.call("DEBUG", "DIGEST")
        c.call("SAVE")
        path = os.path.join(self.dir, "dump.rdb")
        for options in ((), ("--restore",)):
            sent = self.tool("resp", *options, "--for=stillframe", path)
            c.call("FLUSHALL")
            other = server.client()
            done = threading.Thread(target=lambda: other.send_raw(sent + encode("ECHO", "done")))
            done.start()
            while other.read() != b"done":
                pass
            done.join()
            self.assertEqual(c.call("DEBUG", "DIGEST"), digest, options)
            self.assertEqual(c.call("HPEXPIRETIME", "large", "FIELDS", 2, "a", "c"), [FAR + 7] * 2)
        out = os.path.join(self.dir, "other.rdb")
        self.tool("convert", "--to-version=12", path, "-o", out)
        self.tool("diff", "-q", path, out)  # 1 where they differ


if __name__ == "__main__":
    unittest.main()
