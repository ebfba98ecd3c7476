#!/usr/bin/env python3
"""rdb-version: what is written in each, who reads it, and what the log says of that for which a
version has no place.  rdb-version-check: what becomes of versions that nobody knows here."""
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from dump_bytes import key, length, listpack, payload, rdb, string  # noqa: E402

# The names that stillframe-rdb has for the types that a reader of a version knows at least.
TYPES_OF = {
    9: {"string", "list", "set", "set intset", "sorted set", "hash", "stream"},
    10: {"string", "list quicklist 2", "set", "set intset", "sorted set", "sorted set listpack", "hash",
         "hash listpack", "stream 2"},
    11: {"string", "list quicklist 2", "set", "set intset", "set listpack", "sorted set", "sorted set listpack", "hash",
         "hash listpack", "stream 3"},
}
TYPES_OF[12] = TYPES_OF[11]


class VersionTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="versions-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.dump = os.path.join(self.dir, "dump.rdb")

    def start(self, *args, **options):
        server = resp.start_stillframe(self.dir, "--save", "", "--enable-debug-command", "yes", *args, **options)
        self.addCleanup(server.stop)
        return server

    def tool(self, *args):
        p = subprocess.run([resp.STILLFRAME_RDB, *args, self.dump], capture_output=True, text=True, timeout=300)
        return p.returncode, p.stdout, p.stderr

    def write(self, data):
        with open(self.dump, "wb") as f:
            f.write(data)


class Written(VersionTest):
    def fill(self, c):
        """Every type, small and large, with elements of every form."""
        dice = random.Random(7)
        words = [b"", b"0", b"-7", b"12345678901234567890", b"text", b"a longer text " * 20, dice.randbytes(300), b"x" * 70000]
        words += [b"%d" % dice.randrange(-2**40, 2**40) for _ in range(300)] + [dice.randbytes(dice.randrange(1, 90)) for _ in range(300)]
        for name, some in (("small", words[:5] + words[8:12]), ("wide", words[:8]), ("large", words)):
            c.call("RPUSH", "list:" + name, *some)
            c.call("SADD", "set:" + name, *some)
            c.call("HSET", "hash:" + name, *sum([[w, some[-1 - i]] for i, w in enumerate(some)], []))
            c.call("ZADD", "zset:" + name, *sum([[dice.choice([i, -i / 3, 1e300 * i, "inf", "-inf"]), w] for i, w in enumerate(some)], []))
            c.call("SET", "string:" + name, b"".join(some))
            for i, w in enumerate(some[:50]):
                c.call("XADD", "stream:" + name, "%d-%d" % (i + 1, i), "field", w, "other", i)
        c.call("CONFIG", "SET", "list-max-listpack-size", 1000)
        c.call("RPUSH", "list:node", *(b"%d" % i for i in range(900)))
        c.call("CONFIG", "SET", "hash-max-listpack-entries", 100000, "hash-max-listpack-value", 100000,
               "zset-max-listpack-entries", 100000, "zset-max-listpack-value", 100000)
        c.call("HSET", "hash:long listpack", *sum([[b"f%d" % i, b"v" * (i % 200)] for i in range(5000)], []))
        c.call("HSET", "hash:wide listpack", b"f", b"v" * 80000, b"g", 1)
        c.call("ZADD", "zset:long listpack", *sum([[i / 7, b"m%d" % i] for i in range(2000)], []))
        c.call("SADD", "set:ints", *range(100))
        c.call("EXPIRE", "hash:small", 100000)
        c.call("XGROUP", "CREATE", "stream:small", "group", "3-2")
        c.call("XREADGROUP", "GROUP", "group", "consumer", "STREAMS", "stream:small", ">")
        c.call("XDEL", "stream:small", "2-1")
        return c.call("DEBUG", "DIGEST")

    def test_each_version_has_its_types_and_gives_the_same_data(self):
        c = self.start().client()
        digest = self.fill(c)
        for version in (9, 10, 11, 12):
            with self.subTest(version=version):
                c.call("CONFIG", "SET", "rdb-version", version)
                self.assertEqual(c.call("SAVE"), b"OK")
                with open(self.dump, "rb") as f:
                    self.assertEqual(f.read(9), b"REDIS%04d" % version)
                status, out, err = self.tool("check")
                self.assertEqual((status, err), (0, ""))
                self.assertIn("sound: RDB %d, " % version, out)
                types = re.findall(r"^ {4}(.*?) +(?:integer|plain|LZF|elements) +[\d,]+ ", self.tool("info")[1], re.M)
                self.assertEqual(set(types), TYPES_OF[version])
                reader = self.start()
                self.assertEqual(reader.client().call("DEBUG", "DIGEST"), digest)
                reader.stop()
                self.load_into_redis(version, digest)

    def load_into_redis(self, version, digest):
        if version <= 10:
            redis = resp.start_redis_server(self.dir, "--save", "", "--enable-debug-command", "yes", "--sanitize-dump-payload", "yes")
            self.assertEqual(redis.client().call("DEBUG", "DIGEST"), digest)
            redis.stop()
        else:
            redis = resp.start_redis_server(self.dir, "--save", "", ready=False)
            self.assertNotEqual(redis.wait(), 0)
            self.assertIn("handle RDB format version %d" % version, redis.log())

    def test_what_a_version_has_no_place_for_is_told_once_a_save(self):
        server = self.start("--rdb-version", "9")
        c = server.client()
        library = b"#!lua name=mylib\nredis.register_function('f', function() return 1 end)"
        self.write(rdb(b"\xf5" + bytes([0x40 | len(library) >> 8, len(library) & 255]) + library, version=10))
        self.assertEqual(c.call("DEBUG", "RELOAD", "NOSAVE"), b"OK")
        for i in range(10):
            c.call("XADD", "s:%d" % i, "1-1", "f", "v")
            c.call("XADD", "s:%d" % i, "2-1", "f", "v")
            c.call("XDEL", "s:%d" % i, "1-1")
            c.call("XGROUP", "CREATE", "s:%d" % i, "g", 0)
            c.call("XGROUP", "CREATECONSUMER", "s:%d" % i, "g", "c")
        lines = ["The dump is without %s: below version %d RDB has no place for that" % line for line in (
            ("function libraries", 10), ("how many entries were added to streams, deleted and read by groups", 10),
            ("when consumers of streams were active", 11))]
        told = [0, 0, 0]
        for version, expected in ((9, (1, 1, 1)), (10, (0, 0, 1)), (11, (0, 0, 0)), (12, (0, 0, 0)), (9, (1, 1, 1))):
            c.call("CONFIG", "SET", "rdb-version", version)
            self.assertEqual(c.call("SAVE"), b"OK")
            told = [a + b for a, b in zip(told, expected)]
            self.assertEqual([server.log().count(line) for line in lines], told, version)
        with open(self.dump, "rb") as f:
            self.assertNotIn(library[:16], f.read())

    def test_nothing_is_told_where_nothing_is_lost(self):
        server = self.start("--rdb-version", "9")
        c = server.client()
        c.call("XADD", "s", "1-1", "f", "v")
        c.call("SADD", "set", "a")
        c.call("HSET", "hash", "f", "v")
        self.assertEqual(c.call("SAVE"), b"OK")
        self.assertNotIn("The dump is without", server.log())


def field_expiry(*expires):
    """The same hash in each of its forms: (version, magic, type, value); expires: of its fields."""
    pairs = [(b"f%d" % i, b"v%d" % i) for i in range(len(expires))]
    smallest = struct.pack("<q", min([e for e in expires if e], default=0))
    listpack_ = listpack(*sum([[f, v, e if e < 128 else b"%d" % e] for (f, v), e in zip(pairs, expires)], []))
    fields = b"".join(length(e) + string(f) + string(v) for (f, v), e in zip(pairs, expires))
    valkey = b"".join(string(f) + string(v) + struct.pack("<q", e or -1) for (f, v), e in zip(pairs, expires))
    count = length(len(pairs))
    return [(12, b"REDIS0012", 24, smallest + count + fields), (12, b"REDIS0012", 25, smallest + string(listpack_)),
            (12, b"REDIS0012", 22, count + fields), (12, b"REDIS0012", 23, string(listpack_)),
            (80, b"VALKEY080", 22, count + valkey)]


class Read(VersionTest):
    def put(self, magic, *items):
        self.write(magic + b"".join(items) + b"\xff" + bytes(8))

    def test_hashes_with_field_expiry_are_read_where_no_field_expires(self):
        for version, magic, kind, value in field_expiry(0, 0, 0):
            with self.subTest(magic=magic, kind=kind):
                self.put(magic, key(kind, b"h", value))
                self.assertEqual(self.tool("check")[0], 0)
                self.assertIn("field expiry", self.tool("info")[1])
                server = self.start()
                c = server.client()
                self.assertEqual(c.call("HGETALL", "h"), [b"f0", b"v0", b"f1", b"v1", b"f2", b"v2"])
                self.assertEqual(c.call("OBJECT", "ENCODING", "h"), b"listpack")
                if version == 12:
                    c.call("RESTORE", "r", 0, payload(bytes([kind]) + value, version=12))
                    self.assertEqual(c.call("HGETALL", "r"), c.call("HGETALL", "h"))
                server.stop()

    def test_fields_that_expire_keep_their_times(self):
        soon, late = 4000000000000, 4000000060000
        for version, magic, kind, value in field_expiry(0, late, soon, late):
            with self.subTest(magic=magic, kind=kind):
                if kind == 24:  # counted from the smallest
                    value = dict(((k, v) for _, _, k, v in field_expiry(0, late - soon + 1, 1, late - soon + 1)))[24]
                    value = struct.pack("<q", soon) + value[8:]
                self.put(magic, key(0, b"k", string(b"v")), key(kind, b"h", value))
                self.assertEqual(self.tool("check")[0], 0)
                self.assertRegex(self.tool("check", "--loads-in=stillframe")[1], "stillframe: yes")
                server = self.start()
                c = server.client()
                times = ["HPEXPIRETIME", "h", "FIELDS", 4, "f0", "f1", "f2", "f3"]
                self.assertEqual(c.call(*times), [-1, late, soon, late])
                self.assertEqual(c.call("OBJECT", "ENCODING", "h"), b"listpackex")
                c.call("CONFIG", "SET", "hash-max-listpack-entries", 2)
                if version == 12:
                    c.call("RESTORE", "h", 0, payload(bytes([kind]) + value, version=12), "REPLACE")
                    self.assertEqual(c.call(*times), [-1, late, soon, late])
                c.call("DEBUG", "RELOAD")
                self.assertEqual(c.call(*times), [-1, late, soon, late])
                self.assertEqual(c.call("OBJECT", "ENCODING", "h"), b"hashtable")
                server.stop()

    def test_a_field_twice_is_refused_in_these_forms_too(self):
        twice = length(2) + 2 * (length(0) + string(b"f") + string(b"v"))
        self.put(b"REDIS0012", key(22, b"h", twice))
        self.assertIn('the hash has the field "f" twice', self.tool("check")[2])
        self.assertRaises(resp.StartError, self.start)

    def test_what_newer_files_say_beside_keys_is_read(self):
        self.put(b"VALKEY080", b"\xf4\x05\x01\x00", b"\xfe\0\xfb\1\0", key(0, b"k", string(b"v")))
        self.assertEqual(self.start().client().call("GET", "k"), b"v")

    def test_an_unknown_version_is_refused_unless_the_check_is_relaxed(self):
        for magic in (b"REDIS0013", b"REDIS0042", b"VALKEY081"):
            with self.subTest(magic=magic):
                self.put(magic, key(0, b"k", string(b"v")))
                self.assertEqual(self.tool("check")[0], 1)
                with self.assertRaises(resp.StartError) as e:
                    self.start()
                self.assertIn("is not read: REDIS0001 to REDIS0012 and VALKEY080 are", e.exception.log)
                server = self.start("--rdb-version-check", "relaxed")
                c = server.client()
                self.assertEqual(c.call("GET", "k"), b"v")
                said = "%s, RDB of an unknown version: read as far as it is known" % magic.decode()
                self.assertEqual(server.log().count("at offset 0: " + said), 1)
                c.call("CONFIG", "SET", "rdb-version-check", "strict")
                with self.assertRaisesRegex(resp.RespError, "Error trying to load"):
                    c.call("DEBUG", "RELOAD", "NOSAVE")
                server.stop()
                status, out, err = self.tool("check", "--relaxed")
                self.assertEqual((status, said in err), (0, True))
                self.assertIn("can be loaded, but see what was found", out)
        self.put(b"REDIS0014", key(28, b"k", b"\0"))
        with self.assertRaises(resp.StartError) as e:
            self.start("--rdb-version-check", "relaxed")
        self.assertIn("array (type 28) is not read: it came with Redis 8.8 (key 'k')", e.exception.log)

    def test_restore_takes_versions_as_redis_does_unless_relaxed(self):
        c = self.start().client()
        for version in (1, 9, 10, 11, 12):
            self.assertEqual(c.call("RESTORE", "v:%d" % version, 0, payload(b"\0\1v", version=version)), b"OK")
        for version in (13, 80, 65535):
            with self.assertRaisesRegex(resp.RespError, "ERR DUMP payload version or checksum are wrong"):
                c.call("RESTORE", "k", 0, payload(b"\0\1v", version=version))
        c.call("CONFIG", "SET", "rdb-version-check", "relaxed")
        for version in (13, 80, 65535):
            self.assertEqual(c.call("RESTORE", "k", 0, payload(b"\0\1v", version=version), "REPLACE"), b"OK")
        (_, _, kind, value) = field_expiry(0, 0)[-1]
        self.assertEqual(c.call("RESTORE", "h", 0, payload(bytes([kind]) + value, version=80)), b"OK")
        self.assertEqual(c.call("HGET", "h", "f1"), b"v1")


if __name__ == "__main__":
    unittest.main()
