#!/usr/bin/env python3
"""stillframe-rdb convert: every type in every version and compression, in parts and put together
again, as servers load it; what a version has no place for; and files that appear whole or not at
all."""
import binascii
import glob
import gzip
import json
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from dump_bytes import crc64, key, length, listpack, module_id, string  # noqa: E402
from golden import files  # noqa: E402

LIBRARY = b"#!lua name=lib\nredis.register_function('f', function() return 1 end)"
VERSIONS = (6, 7, 8, 9, 10, 11, 12, 80)
YEAR_2100_MS = 4102444800000


def magic(version):
    return b"VALKEY%03d" % version if version >= 80 else b"REDIS%04d" % version


def dump(*items, version=10):
    data = magic(version) + b"".join(items) + b"\xff"
    return data + struct.pack("<Q", crc64(data))


def fill(c):
    """Every type, small and large, with elements of every form, in two databases."""
    dice = random.Random(7)
    words = [b"", b"0", b"-7", b"12345678901234567890", b"text", b"a longer text " * 20, dice.randbytes(300), b"x" * 70000, b"y" * 300000]
    words += [b"%d" % dice.randrange(-2**40, 2**40) for _ in range(200)] + [dice.randbytes(dice.randrange(1, 90)) for _ in range(200)]
    commands = []
    for db in (0, 3):
        commands.append(("SELECT", db))
        for name, some in (("small", words[:5] + words[9:13]), ("wide", words[:9]), ("large", words)):
            commands.append(("RPUSH", "list:" + name, *some))
            commands.append(("SADD", "set:" + name, *some))
            commands.append(("HSET", "hash:" + name, *sum([[w, some[-1 - i]] for i, w in enumerate(some)], [])))
            commands.append(("ZADD", "zset:" + name,
                             *sum([[dice.choice([i, -i / 3, 1e300 * i, "inf", "-inf"]), w] for i, w in enumerate(some)], [])))
            commands.append(("SET", "string:" + name, b"".join(some)))
        commands += [("SET", i, i * 1000) for i in range(50)] + [("SET", "text", "x"), ("SET", "m" * 50, "q")]
        commands += [("SADD", "ints", 1, 2, 3), ("SET", "expires", "x", "PXAT", YEAR_2100_MS),
                     ("PEXPIREAT", "hash:small", YEAR_2100_MS + 1)]
    return commands


def fill_streams():
    commands = []
    for name, count in (("small", 5), ("large", 300)):
        stream = "stream:" + name
        commands += [("XADD", stream, "%d-%d" % (i + 1, i), "field", "value %d" % i, "other", i) for i in range(count)]
        commands += [("XADD", stream, "%d-1" % (count + 1), "quite", "another"), ("XDEL", stream, "1-0", "4-3")]
        commands += [("XGROUP", "CREATE", stream, "g1", "2-1"), ("XGROUP", "CREATE", stream, "g2", "0"), ("XGROUP", "CREATE", stream, "g3", "$")]
        for consumer, n in (("c1", 1), ("c2", 1), ("c1", 9), ("c2", 9)):
            commands.append(("XREADGROUP", "GROUP", "g1", consumer, "COUNT", n, "STREAMS", stream, ">"))
        commands.append(("XREADGROUP", "GROUP", "g2", "only", "STREAMS", stream, ">"))
        commands.append(("XGROUP", "CREATECONSUMER", stream, "g2", "idle"))
    return commands


def pipeline(c, commands):
    for reply in c.pipeline(commands):
        if isinstance(reply, resp.RespError):
            raise reply


class ConvertTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="convert-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def tool(self, *args, **options):
        p = subprocess.run([resp.STILLFRAME_RDB, *args], capture_output=True, timeout=300, **options)
        return p.returncode, p.stdout, p.stderr.decode()

    def convert(self, source, to, *args):
        """Must succeed; what was said on stderr."""
        status, out, err = self.tool("convert", source, "-o", self.path(to), *args)
        self.assertEqual(status, 0, err)
        return err

    def refused(self, *args, status=1):
        before = sorted(os.listdir(self.dir))
        got, out, err = self.tool("convert", *args)
        self.assertEqual((got, out), (status, b""), err)
        self.assertEqual(sorted(os.listdir(self.dir)), before)
        return err

    def assert_sound(self, name):
        status, out, err = self.tool("check", self.path(name))
        self.assertEqual((status, err), (0, ""))
        return out.decode()

    def load(self, name, start=resp.start_redis_server, *args):
        home = tempfile.mkdtemp(dir=self.dir)
        shutil.copyfile(self.path(name), os.path.join(home, "dump.rdb"))
        server = start(home, "--save", "", "--enable-debug-command", "yes", *args)
        self.addCleanup(server.stop)
        return server, server.client()

    def digest(self, name, start=resp.start_redis_server):
        args = ("--sanitize-dump-payload", "yes") if start == resp.start_redis_server else ()
        server, c = self.load(name, start, *args)
        digest = c.call("DEBUG", "DIGEST")
        server.stop()
        return digest


class EveryType(ConvertTest):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="convert-")
        cls.addClassCleanup(shutil.rmtree, cls.home, ignore_errors=True)
        server = resp.start_redis_server(cls.home, "--save", "", "--enable-debug-command", "yes")
        c = server.client()
        pipeline(c, fill(c))
        c.call("FUNCTION", "LOAD", LIBRARY)
        cls.digest_without_streams = c.call("DEBUG", "DIGEST")
        pipeline(c, [("SELECT", 0)] + fill_streams())
        cls.digest_of_all = c.call("DEBUG", "DIGEST")
        cls.keys = {db: c.pipeline([("SELECT", db), ("KEYS", "*")])[1] for db in (0, 3)}
        c.call("SELECT", 0)
        cls.streams = cls.ask_streams(c)
        c.call("SAVE")
        server.stop()
        cls.whole = os.path.join(cls.home, "dump.rdb")

    @staticmethod
    def ask_streams(c):
        """All that there is to know but for times, which pass."""
        answers = []
        for name in ("stream:small", "stream:large"):
            info = c.call("XINFO", "STREAM", name, "FULL", "COUNT", 0)
            flat = dict(zip(info[::2], info[1::2]))
            for i in (b"radix-tree-keys", b"radix-tree-nodes"):
                flat.pop(i)
            flat[b"groups"] = [dict(zip(g[::2], g[1::2])) for g in flat[b"groups"]]
            for g in flat[b"groups"]:
                g[b"consumers"] = [dict(zip(x[::2], x[1::2])) for x in g[b"consumers"]]
            answers.append(flat)
        return answers

    def test_each_version_gives_the_same_data(self):
        for version in VERSIONS:
            with self.subTest(version=version):
                name = "%d.rdb" % version
                said = self.convert(self.whole, name, "--to-version=%d" % version, "--lossy")
                self.assertEqual(self.read(name)[:9], magic(version))
                self.assertIn("sound: RDB %d, " % version, self.assert_sound(name))
                want = self.digest_of_all if version >= 9 else self.digest_without_streams
                if version <= 10:
                    self.assertEqual(self.digest(name), want)
                if version >= 9:
                    self.assertEqual(self.digest(name, resp.start_stillframe), want)
                self.assertEqual("streams left out: 2" in said, version < 9)
                self.assertEqual("function libraries left out: 1" in said, version < 10)

    def test_streams_keep_their_groups_where_they_are_written_anew(self):
        self.convert(self.whole, "anew.rdb", "--compress=none")
        server, c = self.load("anew.rdb")
        self.assertEqual(self.ask_streams(c), self.streams)
        server.stop()
        self.convert(self.whole, "old.rdb", "--to-version=9", "--lossy")
        server, c = self.load("old.rdb")
        got = self.ask_streams(c)
        for stream, want in zip(got, self.streams):
            self.assertEqual([g[b"consumers"] for g in stream[b"groups"]], [g[b"consumers"] for g in want[b"groups"]])
            self.assertEqual([g[b"pending"] for g in stream[b"groups"]], [g[b"pending"] for g in want[b"groups"]])
            for name in (b"length", b"last-generated-id", b"entries"):
                self.assertEqual(stream[name], want[name])

    def test_each_compression_gives_the_same_data(self):
        size = {}
        for how in ("none", "lzf", "lz4"):
            name = how + ".rdb"
            self.convert(self.whole, name, "--compress=" + how)
            self.assert_sound(name)
            size[how] = os.path.getsize(self.path(name))
            self.assertEqual(self.digest(name, resp.start_stillframe if how == "lz4" else resp.start_redis_server), self.digest_of_all)
        self.assertLess(size["lzf"], size["none"] / 3)
        self.assertLess(size["lz4"], size["none"] / 3)
        frame = self.write("frame.lz4", self.read("lz4.rdb")[7:])
        subprocess.run(["lz4", "-t", "-q", frame], check=True)
        unpacked = subprocess.run(["lz4", "-dc", frame], check=True, capture_output=True).stdout
        self.assertEqual(unpacked[-8:], bytes(8))
        self.assertEqual(unpacked[:-8], self.read("none.rdb")[:-8])
        self.convert(self.path("lz4.rdb"), "kept.rdb")
        self.assertEqual(self.read("kept.rdb"), self.read("lz4.rdb"))
        self.convert(self.path("lz4.rdb"), "back.rdb", "--compress=none")
        self.assertEqual(self.read("back.rdb"), self.read("none.rdb"))
        self.convert(self.whole, "small.rdb", "--compress=lz4", "--level=9")
        self.convert(self.whole, "fast.rdb", "--compress=lz4", "--level=-50")
        self.assertLess(os.path.getsize(self.path("small.rdb")), size["lz4"])
        self.assertGreater(os.path.getsize(self.path("fast.rdb")), size["lz4"])

    def test_versions_and_compressions_together(self):
        self.convert(self.whole, "a.rdb", "--to-version=valkey-9.0", "--compress=lz4")
        self.convert(self.path("a.rdb"), "b.rdb", "--for=redis-6.2", "--compress=lzf", "--lossy")
        self.convert(self.path("b.rdb"), "c.rdb", "--to-version=10", "--compress=none")
        self.assertEqual(self.digest("c.rdb"), self.digest_of_all)

    def test_slots_are_disjoint_and_put_together_again_the_same(self):
        status, out, err = self.tool("convert", self.whole, "-o", self.path("node-%d.rdb"), "--split=slot:3")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual([line.split(b", slots ")[1] for line in out.splitlines()], [b"0 to 5460", b"5461 to 10922", b"10923 to 16383"])
        parts = [self.path("node-%d.rdb" % i) for i in range(3)]
        total = 0
        for i, part in enumerate(parts):
            self.assert_sound(part)
            server, c = self.load(part)
            self.assertEqual(len(c.call("FUNCTION", "LIST")), 1)
            for db in (0, 3):
                keys = c.pipeline([("SELECT", db), ("KEYS", "*")])[1]
                total += len(keys)
                for k in keys:
                    self.assertEqual(self.part_of(k), i, k)
            server.stop()
        self.assertEqual(total, sum(len(k) for k in self.keys.values()))
        self.assertEqual(self.tool("convert", *parts, "-o", self.path("all.rdb"))[0], 0)
        self.assert_sound("all.rdb")
        self.assertEqual(self.digest("all.rdb"), self.digest_of_all)
        self.assertEqual(self.read("all.rdb").count(LIBRARY), self.read("node-0.rdb").count(LIBRARY))

    @staticmethod
    def part_of(name):
        """Which third of the slots, by another way than the tool's."""
        begin = name.find(b"{")
        finish = name.find(b"}", begin + 1) if begin >= 0 else -1
        slot = binascii.crc_hqx(name[begin + 1:finish] if finish > begin + 1 else name, 0) % 16384
        return 0 if slot <= 5460 else 1 if slot <= 10922 else 2

    def test_databases_become_files_and_others(self):
        self.convert(self.whole, "db.rdb", "--split=db")
        self.assertEqual(sorted(os.path.basename(p) for p in glob.glob(self.path("db.*"))), ["db.0.rdb", "db.3.rdb"])
        server, c = self.load("db.3.rdb")
        self.assertEqual(c.call("DBSIZE"), 0)
        self.assertEqual(sorted(c.pipeline([("SELECT", 3), ("KEYS", "*")])[1]), sorted(self.keys[3]))
        server.stop()
        self.convert(self.path("db.3.rdb"), "moved.rdb", "--db-map=3=0,5=6", "--db-map=8=9")
        server, c = self.load("moved.rdb")
        self.assertEqual(sorted(c.call("KEYS", "*")), sorted(self.keys[3]))
        server.stop()

    def test_sizes_add_up(self):
        self.convert(self.whole, "size.rdb", "--split=size:100k", "--compress=none")
        parts = sorted(glob.glob(self.path("size.*.rdb")), key=lambda p: int(p.split(".")[-2]))
        self.assertGreater(len(parts), 5)
        for part in parts[:-1]:
            self.assertGreaterEqual(os.path.getsize(part), 100 * 1024)
        for part in parts:
            self.assert_sound(part)
        status, out, err = self.tool("convert", *parts, "-o", self.path("all.rdb"))
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(self.digest("all.rdb"), self.digest_of_all)

    def test_some_of_the_keys(self):
        self.convert(self.whole, "some.rdb", "--match=zset:*", "--match=2*", "--db=3")
        server, c = self.load("some.rdb")
        keys = c.pipeline([("SELECT", 3), ("KEYS", "*")])[1]
        self.assertEqual(sorted(keys), sorted(k for k in self.keys[3] if k.startswith((b"zset:", b"2"))))
        self.assertEqual(c.pipeline([("SELECT", 0), ("DBSIZE",)])[1], 0)
        server.stop()
        self.convert(self.whole, "few.rdb", "--elements=300-", "--type=set,zset", "--to-version=9", "--lossy")
        self.assertIn("RDB 9, 4 keys", self.assert_sound("few.rdb"))


class Golden(ConvertTest):
    """Files of every type, encoding and version, to every version: `ndjson` tells the same of both,
    but for what the version has no place for."""

    def keys(self, path):
        status, out, err = self.tool("ndjson", path)
        self.assertEqual(status, 0, err)
        return [json.loads(line) for line in out.decode("utf-8", "surrogateescape").splitlines()]

    @staticmethod
    def what_stays(keys, version):
        if version < 12:
            for k in keys:
                k.pop("field_expire_at_ms", None)
        for stream in (k["value"] for k in keys if k["type"] == "stream"):
            if version < 10:
                stream["max_deleted_id"], stream["entries_added"] = "0-0", stream["length"]
            for group in stream["groups"]:
                if version < 10:
                    group["entries_read"] = None
                if version < 11:
                    for consumer in group["consumers"]:
                        consumer["active_ms"] = consumer["seen_ms"]
        if version < 9:
            keys = [k for k in keys if k["type"] != "stream"]
            for k in keys:
                k.pop("idle_s", None), k.pop("freq", None)
        return keys

    def test_every_type_to_every_version(self):
        turn = 0
        for file in files.files():
            source = self.write(file.name + ".rdb", file.data)
            for version in VERSIONS:
                turn += 1
                how = ("keep", "none", "lzf", "lz4")[turn // 3 % 4]
                with self.subTest(file=file.name, version=version, compression=how):
                    self.convert(source, "out.rdb", "-f", "--lossy", "--to-version=%d" % version, "--compress=" + how)
                    self.assert_sound("out.rdb")
                    want, got = self.what_stays(self.keys(source), version), self.keys(self.path("out.rdb"))
                    self.assertEqual(len(got), len(want))
                    for a, b in zip(got, want):
                        self.assertTrue(a == b, a["key"])
        self.assertGreater(turn, 100)


class Records(ConvertTest):
    """Dumps spelled out."""

    def test_what_needs_no_change_is_not_changed(self):
        ziplist = struct.pack("<IIH", 14, 10, 1) + b"\x00\x01a" + b"\xff"
        old = dump(b"\xfa\x09redis-ver\x056.2.1", b"\xfa\x05ctime\xc2\0\0\0\x10", b"\xfe\0\xfb\x03\x01",
                   b"\xfc" + struct.pack("<q", YEAR_2100_MS) + b"\xf8\x05" + key(0, b"s", b"\xc0\x07"), b"\xf9\x63" + key(0, b"t", string(b"plain")),
                   key(0, b"lzf", b"\xc3\x09\x40\x64\x01xx\xe0\x57\x01\x01xx"), key(10, b"list", string(ziplist)),
                   b"\xfe\x09", key(2, b"set", b"\x02\x01a\x01b"), key(11, b"ints", string(struct.pack("<IIhh", 2, 2, 1, 2))), version=9)
        path = self.write("old.rdb", old)
        self.convert(path, "copy.rdb")
        self.assertEqual(self.read("copy.rdb"), old)
        for version in (10, 11, 12, 80):
            self.convert(path, "%d.rdb" % version, "--to-version=%d" % version)
            self.assertEqual(self.read("%d.rdb" % version), dump(old[9:-9], version=version))

    def test_old_forms_are_the_same_data_in_each_version(self):
        entries = b"\x00\x01a" + b"\x03\x01b" + b"\x03\xf3" + b"\x02\xc0\x39\x30"
        ziplist = struct.pack("<IIH", 10 + len(entries) + 1, 10 + len(entries) - 4, 4) + entries + b"\xff"
        scores = b"\x00\x01a" + b"\x03\xf3" + b"\x02\x01b" + b"\x03\xc0\x39\x30"
        zziplist = struct.pack("<IIH", 10 + len(scores) + 1, 10 + len(scores) - 4, 4) + scores + b"\xff"
        zipmap = b"\x02\x01a\x01\x00x\x01b\x02\x01yy_\xff"
        old = self.write("old.rdb", dump(
            key(1, b"list", b"\x03\x01a\x01b\xc0\x05"), key(10, b"list ziplist", string(ziplist)), key(14, b"quicklist", b"\x02" + string(ziplist) * 2),
            key(9, b"zipmap", string(zipmap)), key(13, b"hash ziplist", string(ziplist)), key(12, b"zset ziplist", string(zziplist)),
            key(3, b"zset", b"\x04\x01a\x031.5\x01b\xfe\x01c\xff\x01d\x16-1.0000000000000001e-9"), key(4, b"hash", b"\x01\x01f\xc0\x09"), version=7))
        want = self.digest("old.rdb")
        self.assertNotEqual(want, b"0" * 40)
        for version in VERSIONS:
            for how in ("keep", "lzf", "none"):
                name = "%d-%s.rdb" % (version, how)
                self.assertEqual(self.convert(old, name, "--to-version=%d" % version, "--compress=" + how), "")
                self.assertIn("RDB %d, 8 keys" % version, self.assert_sound(name))
        for name in ("6-keep.rdb", "6-none.rdb", "8-lzf.rdb", "9-none.rdb", "10-none.rdb"):
            self.assertEqual(self.digest(name), want, name)
        self.assertEqual(self.digest("80-lzf.rdb", resp.start_stillframe), want)

    EXPIRY = YEAR_2100_MS

    def fields(self):
        return [(b"never", b"1", None), (b"soon", b"2", self.EXPIRY), (b"later", b"x" * 30, self.EXPIRY + 12345)]

    def of_valkey(self):
        return length(3) + b"".join(string(f) + self.value(v) + struct.pack("<q", -1 if e is None else e)
                                    for f, v, e in self.fields())

    @staticmethod
    def value(v):
        return b"\xc0" + bytes([int(v)]) if v.isdigit() else string(v)

    def of_redis(self, fields=None):
        return struct.pack("<q", self.EXPIRY) + length(3) + b"".join(
            length(0 if e is None else e - self.EXPIRY + 1) + string(f) + self.value(v) for f, v, e in fields or self.fields())

    def test_fields_keep_their_expiry_between_redis_and_valkey(self):
        redis = dump(key(24, b"h", self.of_redis()), key(0, b"s", b"\x01x"), version=12)
        valkey = dump(b"\xfe\0", key(22, b"h", self.of_valkey()), key(0, b"s", b"\x01x"), version=80)
        self.write("redis.rdb", redis)
        self.write("valkey.rdb", valkey)
        self.convert(self.path("redis.rdb"), "to80.rdb", "--to-version=80")
        self.assertEqual(self.read("to80.rdb"), valkey)
        self.convert(self.path("valkey.rdb"), "to12.rdb", "--to-version=redis-7.4")
        self.assertEqual(self.read("to12.rdb"), dump(b"\xfe\0" + redis[9:-9], version=12))
        self.convert(self.path("valkey.rdb"), "copy.rdb")
        self.assertEqual(self.read("copy.rdb"), valkey)

    def test_forms_of_release_candidates_are_written_for_valkey(self):
        absolute = length(3) + b"".join((b"\x81" + struct.pack(">Q", e) if e else b"\0") + string(f) + self.value(v) for f, v, e in self.fields())
        triples = sorted(self.fields(), key=lambda x: x[2] or 1 << 62)
        lp = listpack(*sum([[f, v, b"%d" % (e or 0)] for f, v, e in triples], []))
        for name, kind, value in (("22", 22, absolute), ("23", 23, string(lp)), ("25", 25, struct.pack("<q", self.EXPIRY) + string(lp))):
            source = self.write(name, dump(key(kind, b"h", value), version=12))
            self.convert(source, name + ".80", "--to-version=80")
            self.convert(self.path(name + ".80"), name + ".12", "--to-version=12")
            got = self.read(name + ".12")
            self.assertTrue(got[9:].startswith(b"\xfe\0\x18\x01h" + struct.pack("<q", self.EXPIRY)))
            for field, value, expiry in self.fields():
                self.assertIn(string(field) + self.value(value) + struct.pack("<q", expiry or -1), self.read(name + ".80"))
                self.assertIn(length(0 if expiry is None else expiry - self.EXPIRY + 1) + string(field) + self.value(value), got)

    def test_a_hash_whose_fields_do_not_expire_is_a_plain_one_elsewhere(self):
        source = self.write("v.rdb", dump(key(22, b"h", b"\x01\x01f\x01v" + struct.pack("<q", -1)), version=80))
        for version in (9, 10, 12):
            self.assertEqual(self.convert(source, "%d.rdb" % version, "--to-version=%d" % version), "")
            self.assertEqual(self.read("%d.rdb" % version), dump(b"\xfe\0", key(4, b"h", b"\x01\x01f\x01v"), version=version))

    def test_data_that_has_no_place_is_refused_by_name(self):
        module = b"\x07\x06module" + b"\x81" + struct.pack(">Q", module_id(b"datatype1", 0)) + b"\x02\x05\0"
        stream = key(15, b"events", b"\0\0\0\0\0")
        for name, item, version, to, what in (
                ("fields", key(24, b"the hash", self.of_redis()), 12, 11, 'the hash\'s field "soon" expires'),
                ("functions", b"\xf5" + string(LIBRARY), 10, 9, 'the function library "lib"'),
                ("streams", stream, 9, 8, "it is a stream"), ("modules", module, 10, 10, "module")):
            with self.subTest(name=name):
                source = self.write(name + ".rdb", dump(b"\xfe\0", key(0, b"before", b"\x01x"), item, key(0, b"behind", b"\x01y"), version=version))
                said = self.refused(source, "-o", self.path(name + ".out"), "--to-version=%d" % to)
                self.assertIn(what, said)
                self.assertRegex(said, r"%s: byte \d+: " % source)
                if name == "modules":
                    self.assertIn("values that are not read left out: 1", self.convert(source, "skipped", "--skip-unknown"))
                if name != "functions":
                    self.assertIn('(key "%s")' % {"fields": "the hash", "streams": "events", "modules": "module"}[name], said)
                said = self.convert(source, name + ".out", "--to-version=%d" % to, "--lossy")
                self.assertRegex(said, r"RDB %d: [a-z ]+(left out|without their expiry): \d" % to)
                self.assertIn("RDB %d, %d keys" % (to, 3 if name == "fields" else 2), self.assert_sound(name + ".out"))

    def test_what_is_no_data_is_said_and_left_out(self):
        source = self.write("a.rdb", dump(b"\xfa\x07repl-id\x03abc", b"\xfe\0", b"\xf8\x05" + key(0, b"idle", b"\x01x"), b"\xf9\x05" + key(0, b"freq", b"\x01x")))
        said = self.convert(source, "b.rdb", "--to-version=8")
        self.assertIn("RDB 8: keys without their idle time: 1", said)
        self.assertIn("RDB 8: keys without their access frequency: 1", said)
        self.assertIn("RDB 8: AUX fields left out: 1", said)
        self.assertEqual(self.read("b.rdb"), dump(b"\xfe\0", key(0, b"idle", b"\x01x"), key(0, b"freq", b"\x01x"), version=8))
        self.assertEqual(self.convert(source, "q.rdb", "--to-version=8", "--quiet"), "")

    def test_an_empty_collection_is_not_written_anew(self):
        source = self.write("a.rdb", dump(key(2, b"empty", b"\0"), key(18, b"hollow", b"\0"), key(0, b"s", b"\x01x")))
        said = self.convert(source, "b.rdb", "--compress=none")
        self.assertEqual(said.count("\n"), 2)
        self.assertEqual(self.read("b.rdb"), dump(b"\xfe\0", key(0, b"s", b"\x01x")))
        source = self.write("many.rdb", dump(*(key(2, b"%d" % i, b"\0") for i in range(25))))
        said = self.convert(source, "c.rdb", "--compress=none")
        self.assertEqual(said.count("\n"), 21)
        self.assertIn("5 more findings", said)

    def test_a_key_in_two_files(self):
        a = self.write("a.rdb", dump(b"\xfe\0", key(0, b"same", b"\x01a"), key(0, b"only a", b"\x01x")))
        b = self.write("b.rdb", dump(b"\xfe\0", key(0, b"only b", b"\x01x"), key(0, b"same", b"\x01b"), b"\xfe\x01", key(0, b"only a", b"\x01y")))
        said = self.refused(a, b, "-o", self.path("c.rdb"))
        self.assertIn('%s: database 0 has the key "same", which came before' % b, said)
        self.assertNotIn("only a", said)
        for rule, kept in (("first", b"a"), ("last", b"b")):
            said = self.tool("convert", a, b, "-o", self.path(rule), "--on-conflict=" + rule)[2]
            self.assertIn("left out of keys that are in more than one file: 1", said)
            self.assertIn(key(0, b"same", b"\x01" + kept), self.read(rule))
            self.assertIn("RDB 10, 4 keys", self.assert_sound(rule))
        self.assertEqual(self.tool("convert", a, b, "-o", self.path("moved"), "--db-map=1=7", "--match=only*")[0], 0)
        self.assertIn("RDB 10, 3 keys", self.assert_sound("moved"))
        said = self.refused(a, b, "-o", self.path("d.rdb"), "--match=only*", "--db-map=1=0")
        self.assertIn('database 0 has the key "only a"', said)

    def test_libraries_and_fields_of_several_files(self):
        other = LIBRARY.replace(b"return 1", b"return 2")
        a = self.write("a.rdb", dump(b"\xfa\x05ctime\xc0\x01", b"\xfa\x03lua\x01a", b"\xf5" + string(LIBRARY), version=11))
        b = self.write("b.rdb", dump(b"\xfa\x05ctime\xc0\x02", b"\xfa\x03lua\x01b", b"\xf5" + string(other), key(0, b"k", b"\x01x")))
        self.assertIn('another function library "lib"', self.refused(a, b, "-o", self.path("c")))
        self.assertEqual(self.tool("convert", a, b, "-o", self.path("first"), "--on-conflict=first")[0], 0)
        self.assertEqual(self.read("first"), dump(b"\xfa\x05ctime\xc0\x01", b"\xfa\x03lua\x01a", b"\xf5" + string(LIBRARY), b"\xfa\x03lua\x01b",
                                                  b"\xfe\0", key(0, b"k", b"\x01x"), version=11))
        self.assertEqual(self.tool("convert", a, b, "-o", self.path("last"), "--on-conflict=last")[0], 0)
        self.assertIn(b"\xfa\x05ctime\xc0\x02", self.read("last"))
        self.assertIn(other, self.read("last"))
        self.assertNotIn(LIBRARY, self.read("last"))
        self.assertEqual(self.tool("convert", a, a, "-o", self.path("same"))[0], 0)
        self.assertEqual(self.read("same").count(LIBRARY), 1)


class Files(ConvertTest):
    def setUp(self):
        super().setUp()
        self.source = self.write("in.rdb", dump(b"\xfe\0", *(key(0, b"key:%06d" % i, string(os.urandom(100))) for i in range(3000))))

    def test_no_input_is_ever_changed(self):
        for name in ("in.rdb", "./in.rdb"):
            said = self.refused(self.source, "-o", os.path.join(self.dir, name), "--force")
            self.assertIn("it is an input", said)
        os.link(self.source, self.path("link.rdb"))
        self.assertIn("it is an input", self.refused(self.source, "-o", self.path("link.rdb"), "--force"))
        os.rename(self.path("link.rdb"), self.path("x.1.rdb"))
        self.assertIn("it is an input", self.refused(self.source, "-o", self.path("x.rdb"), "--split=slot:4", "-f"))

    def test_a_file_that_is_there_stays_without_force(self):
        self.write("out.rdb", b"mine")
        self.assertIn("--force", self.refused(self.source, "-o", self.path("out.rdb")))
        self.assertEqual(self.read("out.rdb"), b"mine")
        self.convert(self.source, "out.rdb", "--force")
        self.assert_sound("out.rdb")
        os.mkdir(self.path("sub"))
        self.assertIn("Is a directory", self.refused(self.source, "-o", self.path("sub"), "-f"))
        self.assertIn("No such file", self.refused(self.source, "-o", self.path("none/x.rdb")))
        self.write("many.2.rdb", b"mine")
        self.assertIn("many.2.rdb", self.refused(self.source, "-o", self.path("many.rdb"), "--split=slot:4"))

    def test_pipes_on_both_sides(self):
        self.convert(self.source, "want.rdb")
        with open(self.source, "rb") as f:
            status, out, err = self.tool("convert", "-", "-o", "-", stdin=f)
        self.assertEqual((status, out, err), (0, self.read("want.rdb"), ""))
        p = subprocess.run("cat %s | %s convert - -o - | cat" % (self.source, resp.STILLFRAME_RDB), shell=True, capture_output=True)
        self.assertEqual(p.stdout, self.read("want.rdb"))
        with gzip.open(self.path("in.rdb.gz"), "wb") as f:
            f.write(self.read("in.rdb"))
        self.convert(self.path("in.rdb.gz"), "gz.rdb")
        self.assertEqual(self.read("gz.rdb"), self.read("want.rdb"))

    def test_wrong_arguments(self):
        for args in ((self.source,), (self.source, "-o", "-", "--split=db"), (self.source, "-", "-o", self.path("x")),
                     (self.source, "-o", self.path("x"), "--to-version=5"), (self.source, "-o", self.path("x"), "--to-version=redis-9"), (self.source, "-o", self.path("x"), "--for=redis-7.0", "--to-version=9"),
                     (self.source, "-o", self.path("x"), "--split=slot:0"), (self.source, "-o", self.path("x"), "--split=slot:1025"),
                     (self.source, "-o", self.path("x"), "--split=keys"), (self.source, "-o", self.path("x"), "--split=size:x"),
                     (self.source, "-o", self.path("x"), "--db-map=1"), (self.source, "-o", self.path("x"), "--level=13"),
                     (self.source, "-o", self.path("x"), "--compress=zip"), (self.source, "-o", self.path("x"), "--type=thing")):
            self.assertNotEqual(self.refused(*args, status=2), "", args)

    def test_what_is_damaged_leaves_nothing(self):
        data = self.read("in.rdb")
        for name, damaged in (("cut", data[:-100]), ("flipped", data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])):
            source = self.write(name, damaged)
            for args in ((), ("--split=slot:3",), ("--split=size:50k",), ("--compress=lz4",), ("--to-version=9",)):
                self.assertIn(source, self.refused(source, "-o", self.path("out.rdb"), *args))

    def test_a_full_disk_leaves_nothing(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100 << 10, 100 << 10))

        for args in ((), ("--split=slot:2",), ("--compress=lz4",), ("--compress=lzf",), ("--split=size:1mb",)):
            before = sorted(os.listdir(self.dir))
            status, out, err = self.tool("convert", self.source, "-o", self.path("out.rdb"), *args, preexec_fn=limit)
            self.assertEqual((status, out), (1, b""), args)
            self.assertRegex(err, r"^stillframe-rdb: .*out(\.\d)?\.rdb: write: File too large\n$")
            self.assertEqual(sorted(os.listdir(self.dir)), before)
        with open("/dev/full", "wb") as full:
            p = subprocess.run([resp.STILLFRAME_RDB, "convert", self.source, "-o", "-"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual((p.returncode, p.stderr), (1, "stillframe-rdb: standard output: write: No space left on device\n"))

    def test_a_signal_leaves_nothing(self):
        before = sorted(os.listdir(self.dir))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            for args in ((), ("--split=slot:3",)):
                p = subprocess.Popen([resp.STILLFRAME_RDB, "convert", "-", "-o", self.path("out.rdb"), *args], stdin=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
                data = self.read("in.rdb")
                p.stdin.write(data[:100000])
                for at in range(100000, 300000, 1000):  # what is read ahead is handed on when more comes
                    p.stdin.write(data[at:at + 1000])
                    p.stdin.flush()
                    if sorted(os.listdir(self.dir)) != before:
                        break
                    time.sleep(0.05)
                self.assertNotEqual(sorted(os.listdir(self.dir)), before)
                time.sleep(0.05)  # all parts are there, or nearly
                p.send_signal(number)
                self.assertEqual(p.wait(60), -number)
                p.stdin.close()
                self.assertEqual(sorted(os.listdir(self.dir)), before)

    def test_a_signal_while_files_get_their_names(self):
        """All of them, or none."""
        before = set(os.listdir(self.dir))
        for _ in range(3):
            p = subprocess.Popen([resp.STILLFRAME_RDB, "convert", self.source, "-q", "-o", self.path("part-%d.rdb"), "--split=slot:300"],
                                 stderr=subprocess.DEVNULL)
            while p.poll() is None and not os.path.exists(self.path("part-0.rdb")):
                pass
            p.send_signal(signal.SIGTERM)
            self.assertIn(p.wait(60), (0, -signal.SIGTERM))
            made = set(os.listdir(self.dir)) - before
            self.assertIn(len(made), (0, 300))
            for name in made:
                os.unlink(self.path(name))

    def test_memory_does_not_grow_with_a_key(self):
        """Written anew, a list waits for its length, and a stream for all of its groups."""
        element = string(bytes(range(256)) * 200)
        nodes = (b"\x01" + element) * 1200
        self.write("list.rdb", dump(b"\xfe\0", key(18, b"long", length(1200) + nodes), key(0, b"s", b"\x01x")))
        peak = {}
        for args in (("--to-version=9",), ("--compress=none",), ("--compress=lz4",), ()):  # to a pipe, which needs no fsync
            code = ("import os, resource, sys; status = os.spawnvp(os.P_WAIT, sys.argv[1], sys.argv[1:]); "
                    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(status)")
            p = subprocess.Popen([sys.executable, "-c", code, resp.STILLFRAME_RDB, "convert", self.path("list.rdb"), "-o", "-", "-q", *args],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            status, out, err = self.tool("check", "-", stdin=p.stdout)
            p.stdout.close()
            self.assertEqual((status, err), (0, ""))
            self.assertIn(b"2 keys", out)
            peak[args] = int(p.stderr.read())
            p.stderr.close()
            self.assertEqual(p.wait(60), 0)
        if os.environ.get("STILLFRAME_FLAVOUR", "release") == "release":
            self.assertLess(max(peak.values()), 40 << 10, peak)
        status, out, err = self.tool("convert", self.path("list.rdb"), "-o", self.path("x"), "--to-version=9", env={"TMPDIR": self.path("none")})
        self.assertEqual((status, os.path.exists(self.path("x"))), (1, False))
        self.assertIn("No such file or directory", err)
        self.assertIn("long", err)

    def test_many_files_at_once(self):
        self.convert(self.source, "part.rdb", "--split=slot:100", "--compress=lz4")
        parts = glob.glob(self.path("part.*.rdb"))
        self.assertEqual(len(parts), 100)
        self.assertEqual(self.tool("check", *parts[:50])[0], 0)
        self.assertEqual(self.tool("convert", *parts, "-o", self.path("all.rdb"), "--compress=none")[0], 0)
        self.assertIn("3,000 keys", self.assert_sound("all.rdb"))


if __name__ == "__main__":
    unittest.main()
