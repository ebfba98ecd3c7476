#!/usr/bin/env python3
"""Files of every type, encoding and version through the whole of stillframe-rdb.

What redis-server 7.0 can write it writes here, made to choose each encoding; older and newer files
are spelled byte by byte (golden/files.py).  Of each file: `check` calls it sound; a server that
loads it has what the file was made from; the commands of `resp`, in both forms, and the append-only
file of `aof` give a server with the same DEBUG DIGEST, times, streams' groups and encodings.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from dump_bytes import payload  # noqa: E402
from golden import files, live, told as told_json  # noqa: E402

ENVELOPE = b"VCS\x01\x01\x00\x01"  # of a file that is packed as a whole
ALLOWED = ("--save", "", "--enable-debug-command", "yes")


def model(value):
    """What a server answers for it, as live.state() has it."""
    kind, data = value.kind.encode(), value.data
    if kind == b"stream":
        groups = {name: (last, None if read < 0 else read, {c: pending for c, (_, _, pending) in consumers.items()})
                  for name, (last, read, consumers) in data.groups.items()}
        data = {"entries": data.entries, "last": data.last, "deleted": data.highest_deleted, "added": data.added, "groups": groups}
    return kind, data, -1 if value.expires_ms is None else value.expires_ms


def without_reads(state):
    """How many entries a group has read is not in streams of type 15: a server that loads one makes
    a guess, for groups that have read nothing or everything, which XINFO makes anew for the others
    whenever it is asked."""
    for (_, key), (_, value, _) in state.items():
        if key.endswith(b":15"):
            value["groups"] = {name: (last, None, consumers) for name, (last, _, consumers) in value["groups"].items()}
    return state


def some_of(data):
    """About half of a file: of a packed one whole blocks, and a piece of the next."""
    half = len(data) // 2
    if not data.startswith(ENVELOPE):
        return half
    at = len(ENVELOPE) + 7  # the frame's header without its options
    while at < half or at == len(ENVELOPE) + 7:
        at += 4 + (int.from_bytes(data[at:at + 4], "little") & 0x7fffffff)
    assert at + 8 < len(data), (at, len(data))
    return at + 8


class Golden(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="golden-")
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        cls.servers = {}
        for name, start in (("redis", resp.start_redis_server), ("target", resp.start_redis_server),
                            ("stillframe", resp.start_stillframe), ("stillframe target", resp.start_stillframe)):
            directory = os.path.join(cls.dir, name)
            os.mkdir(directory)
            more = ("--rdb-version-check", "relaxed") if name == "stillframe target" else ()
            cls.servers[name] = start(directory, *ALLOWED, *more)
            cls.addClassCleanup(cls.servers[name].stop)

    def configure(self, settings):
        """All servers, for this test."""
        for name in self.servers:
            with self.servers[name].client() as c:
                self.addCleanup(self.set_back, name, live.pairs(sum((c.call("CONFIG", "GET", s) for s in settings), [])))
                c.call("CONFIG", "SET", *sum(map(list, settings.items()), []))

    def set_back(self, name, settings):
        with self.servers[name].client() as c:
            c.call("CONFIG", "SET", *sum(map(list, settings), []))

    def path(self, name):
        return os.path.join(self.dir, name)

    def tool(self, *args):
        """Its output; it says nothing else, and all is well."""
        p = subprocess.run([resp.STILLFRAME_RDB, *args], capture_output=True, timeout=300)
        self.assertEqual((p.returncode, p.stderr), (0, b""), args)
        return p.stdout

    def assert_same(self, found, expected):
        """As assertEqual(), but only what differs is told."""
        for place in sorted(found.keys() | expected.keys()):
            self.assertEqual(found.get(place), expected.get(place), place)

    def replay(self, path, target, *options):
        """resp into an empty server."""
        server = self.servers[target]
        live.empty(server)
        errors, replies, said = live.pipe(server, self.tool("resp", *options, path))
        self.assertEqual((errors, said), (0, ""), options)
        self.assertGreater(replies, 0)
        return server

    def check_file(self, path, reader, usual=True):
        """All but what it was made from.  Returns what `reader` has of it.  usual: servers have the
        limits of encodings that they come with."""
        self.assertIn(b"sound: RDB ", self.tool("check", path))
        origin = self.servers[reader]
        live.load(origin, path)
        digest, state, encodings = live.digest(origin), without_reads(live.state(origin)), live.encodings(origin)
        ways = [("target",), ("target", "--restore", "--for=redis-7.0")]
        if reader == "stillframe":
            ways += [("stillframe target", "--match=*"), ("stillframe target", "--restore", "--match=*")]
        else:
            ways += [("target", "--restore")]
        for target, *options in ways:
            with self.subTest(options=options, target=target):
                server = self.replay(path, target, *options)
                self.assertEqual(live.digest(server), digest)
                self.assert_same(without_reads(live.state(server)), state)
                if reader == "redis":
                    self.assertEqual(live.functions(server), live.functions(origin))
                if "--restore" in options and reader == "redis":
                    self.assert_same(live.encodings(server), encodings)
        self.check_facts(path, state, encodings if reader == "redis" and usual else None)
        self.check_texts(path, state)
        self.check_conversions(path, reader, digest, state)
        self.check_salvage(path, reader, digest, state)
        live.load(origin, path)
        return state

    def check_salvage(self, path, reader, digest, state):
        """Of a sound file it is all; of some half of one, nothing that was not in it."""
        out, half, origin = self.path("saved.rdb"), self.path("half.rdb"), self.servers[reader]
        self.tool("salvage", "-q", "-f", path, out)
        live.load(origin, out)
        self.assertEqual(live.digest(origin), digest)
        self.assert_same(without_reads(live.state(origin)), state)
        with open(path, "rb") as f:
            data = f.read()
        with open(half, "wb") as f:
            f.write(data[:some_of(data)])
        p = subprocess.run([resp.STILLFRAME_RDB, "salvage", "-f", half, out], capture_output=True, timeout=300)
        self.assertEqual(p.returncode, 1, p.stderr)
        live.load(origin, out)
        saved = without_reads(live.state(origin))
        self.assertGreater(len(saved), 0)  # no key has half of the bytes
        self.assert_same(saved, {place: state[place] for place in saved if place in state})

    def check_facts(self, path, state, encodings):
        """What is known of each key; encodings: as redis-server says."""
        told = {(k["db"], told_json.exact(k["key"])): k for k in json.loads(self.tool("keys", "--format=json", path))}
        sizes = {place: 1 if kind == b"string" else len(value["entries"] if kind == b"stream" else value)
                 for place, (kind, value, _) in state.items()}
        self.assert_same({place: k["elements"] for place, k in told.items()}, sizes)
        self.assert_same({place: k.get("expire_at_ms", -1) for place, k in told.items()}, {place: s[2] for place, s in state.items()})
        if encodings is not None:
            older = (b"list", b"set")  # which Redis 7.2 has in listpacks, too, and 7.0 has not
            self.assert_same({place: told[place]["encoding"].encode() for place, s in state.items() if s[0] not in older},
                             {place: encodings[place] for place, s in state.items() if s[0] not in older})
        memory = json.loads(self.tool("memory", "--format=json", path))
        self.assertEqual((memory["total"]["keys"], memory["total"]["elements"]), (len(state), sum(sizes.values())))
        self.assertIn(b"checksum", self.tool("info", path))

    def check_texts(self, path, state):
        """JSON is what a live server answers, and everything can be read back."""
        told, libraries = told_json.document(self.tool("json", path))
        self.assert_same(without_reads({place: found[:3] for place, found in told.items()}), state)
        self.assertTrue(all(name == "golden" and code == files.LIBRARY for name, code in libraries))
        packed, _ = told_json.document(self.tool("json", "--binary=base64", path), told_json.from_base64)
        self.assert_same(without_reads({place: found[:3] for place, found in packed.items()}), state)
        by_line = told_json.lines(self.tool("ndjson", "-q", path))
        self.assert_same(by_line, told)

    def check_conversions(self, path, reader, digest, state):
        """To each version that has a place for all of it, in one compression after the other."""
        has_streams = any(kind == b"stream" for kind, _, _ in state.values())
        for i, version in enumerate(("6", "7", "8", "9", "10", "11", "12", "80")):
            if has_streams and i < 3:
                continue
            compression = ("none", "lzf", "keep", "lz4")[i % 4]
            with self.subTest(version=version, compression=compression):
                out = self.path("converted.rdb")
                lossy = ("--lossy",) if version == "9" else ()  # libraries, and counters of streams
                p = subprocess.run([resp.STILLFRAME_RDB, "convert", path, "-f", "-o", out, "--to-version", version, "--compress", compression,
                                    *lossy], capture_output=True, timeout=300)
                self.assertEqual(p.returncode, 0, p.stderr)
                self.assertIn(b"sound: RDB %d, " % int(version), self.tool("check", out))
                server = self.servers["redis" if int(version) <= 10 and compression != "lz4" else "stillframe"]
                live.load(server, out)
                self.assertEqual(live.digest(server), digest)
                if int(version) >= 10:
                    self.tool("diff", "-q", path, out)
                    self.assert_same(without_reads(live.state(server)), state)


class Written(Golden):
    """By redis-server 7.0, made to choose each encoding that it has."""
    SMALL = {"hash-max-listpack-entries": 1000, "hash-max-listpack-value": 20000, "zset-max-listpack-entries": 1000,
             "zset-max-listpack-value": 20000, "set-max-intset-entries": 1000, "list-max-listpack-size": -2, "stream-node-max-entries": 0}
    LARGE = {"hash-max-listpack-entries": 0, "zset-max-listpack-entries": 0, "set-max-intset-entries": 0, "list-max-listpack-size": 1,
             "stream-node-max-entries": 2}

    def fill(self, c):
        elements, scored = files.ELEMENTS, files.SCORED
        c.call("SET", "empty", "")
        c.call("SET", "binary", bytes(range(256)) * 300)
        c.call("SET", "packs", b"0123456789" * 9000)
        c.call("MSET", *sum([["int:%d" % n, n] for n in files.NUMBERS], []))
        c.call("RPUSH", "list", *elements * 3)
        c.call("RPUSH", "list:one", "")
        c.call("SADD", "set", *elements)
        for width, some in files.SMALL_SETS.items():
            c.call("SADD", "set:%d" % width, *some)
        c.call("HSET", "hash", *sum(map(list, files.FIELDS), []))
        c.call("ZADD", "zset", *sum([[repr(s), m] for m, s in scored], []))
        c.call("ZADD", "zset:negative zero", "-0.0", "m")
        for i in range(700):
            c.call("HSET", "hash:many", "f%d" % i, "v" * (i % 90))
            c.call("ZADD", "zset:many", i / 7, "m%d" % i)
            c.call("SADD", "set:many", "m%d" % i)
        for key in (b"\xff\0key", b""):
            c.call("SET", key, "x", "PXAT", files.FAR_MS)
        c.call("SELECT", 9)
        for i in range(1, 150):
            c.call("XADD", "stream", "%d-%d" % (i, 2 ** 64 - 1 if i % 3 else 0), "f", i, "g" if i % 5 else "other", b"\xff" * i)
        c.call("XDEL", "stream", "7-0", "148-%d" % (2 ** 64 - 1), "149-%d" % (2 ** 64 - 1))
        c.call("XGROUP", "CREATE", "stream", "g", "4", "ENTRIESREAD", 4)
        c.call("XGROUP", "CREATE", "stream", "nobody", "$")
        for consumer, many in (("a", 90), ("b", 3)):
            c.call("XREADGROUP", "GROUP", "g", consumer, "COUNT", many, "STREAMS", "stream", ">")
            c.call("XREADGROUP", "GROUP", "g", consumer, "COUNT", 2, "STREAMS", "stream", "0")
        c.call("XGROUP", "CREATECONSUMER", "stream", "g", "idle")
        c.call("XGROUP", "CREATE", "stream:never", "g", "$", "MKSTREAM")
        c.call("XADD", "stream:empty", "5-5", "f", "v")
        c.call("XDEL", "stream:empty", "5-5")
        c.call("PEXPIREAT", "stream:empty", files.FAR_MS)
        c.call("FUNCTION", "LOAD", files.LIBRARY)
        c.call("SELECT", 0)

    def save(self, name):
        server = self.servers["redis"]
        with server.client() as c:
            self.assertEqual(c.call("SAVE"), b"OK")
        path = self.path(name + ".rdb")
        shutil.copyfile(os.path.join(server.dir, "dump.rdb"), path)
        return path

    def test_every_encoding_compressed_and_not(self):
        server = self.servers["redis"]
        for limits, threshold, expected in ((self.SMALL, 0, {b"hash": b"listpack", b"zset": b"listpack", b"set:8": b"intset"}),
                                            (self.LARGE, 100, {b"hash": b"hashtable", b"zset": b"skiplist", b"set:8": b"hashtable"})):
            live.empty(server)
            self.configure(limits)
            with server.client() as c:
                c.call("DEBUG", "QUICKLIST-PACKED-THRESHOLD", threshold)  # 0: as it is set up; longer ones stand alone
                self.fill(c)
                c.call("DEBUG", "QUICKLIST-PACKED-THRESHOLD", 0)
            encodings = live.encodings(server)
            for key, encoding in expected.items():
                self.assertEqual(encodings[0, key], encoding)
            for compression in ("yes", "no"):
                with self.subTest(limits=limits, compression=compression):
                    self.configure({"rdbcompression": compression})
                    state, digest = live.state(server), live.digest(server)
                    self.assert_same(self.check_file(self.save("redis-" + compression), "redis", usual=False), state)
                    self.assertEqual(live.digest(server), digest)

    def test_idle_times_and_frequencies_come_along_with_restore(self):
        for policy, word, option, told in (("allkeys-lru", "IDLETIME", 5000, range(5000, 5600)), ("allkeys-lfu", "FREQ", 77, range(77, 78))):
            live.empty(self.servers["redis"])
            self.configure({"maxmemory-policy": policy, "lfu-decay-time": 0})
            with self.servers["redis"].client() as c:
                c.call("SET", "k", "v")
                c.call("HSET", "h", "f", "v")
                for key in ("k", "h"):
                    c.call("RESTORE", key, 0, c.call("DUMP", key), "REPLACE", word, option)
            target = self.replay(self.save("access"), "target", "--restore")
            with target.client() as c:
                for key in ("k", "h"):
                    self.assertIn(c.call("OBJECT", word, key), told)

    def test_an_append_only_file_is_valid_and_loads(self):
        server = self.servers["redis"]
        live.empty(server)
        with server.client() as c:
            self.fill(c)
        digest, state, path = live.digest(server), live.state(server), self.save("for-aof")
        for options in ((), ("--restore",)):
            directory = tempfile.mkdtemp(dir=self.dir)
            aof = os.path.join(directory, "appendonly.aof")
            self.tool("aof", "-o", aof, *options, path)
            said = subprocess.run(["redis-check-aof", aof], capture_output=True, timeout=60)
            self.assertIn(b"is valid", said.stdout)
            loaded = resp.start_redis_server(directory, *ALLOWED, "--appendonly", "yes")
            self.addCleanup(loaded.stop)
            self.assertEqual(live.digest(loaded), digest)
            self.assert_same(live.state(loaded), state)
            loaded.stop()

    def test_compressed_as_a_whole(self):
        server = self.servers["redis"]
        live.empty(server)
        self.configure({"rdbcompression": "no"})
        with server.client() as c:
            self.fill(c)
        digest, state, path = live.digest(server), live.state(server), self.save("for-lz4")
        packed = self.path("packed.rdb")
        with open(packed, "wb") as f:
            f.write(ENVELOPE + subprocess.run(["lz4", "-c", "-q", "-B4", path], capture_output=True, check=True).stdout)
        self.assert_same(self.check_file(packed, "stillframe"), state)
        self.assertEqual(live.digest(self.servers["target"]), digest)


class Spelled(Golden):
    """Versions 1 to 12 and 80, byte by byte."""

    def test_restore_carries_the_bytes_of_the_file(self):
        for file in files.files():
            path = self.path("exact.rdb")
            with open(path, "wb") as f:
                f.write(file.data)
            db, found = None, {}
            for words in live.commands(self.tool("resp", "--restore", path)):
                if words[0] == b"SELECT":
                    db = int(words[1])
                elif words[0] == b"RESTORE":
                    found[db, words[1]] = words[2:]
            self.assertEqual(found.keys(), file.keys.keys())
            for place, value in file.keys.items():
                at, data, *options = found[place]
                self.assertEqual(data[:1] + data[1:-10], bytes([value.type]) + value.written, place)
                self.assertEqual(data, payload(data[:-10], int.from_bytes(data[-10:-8], "little")))
                self.assertEqual(int(at), value.expires_ms or 0)
                self.assertEqual(b"ABSTTL" in options, value.expires_ms is not None)

    def test_fields_that_expire_are_written_with_their_time(self):
        for file in files.files():
            if file.reader is not None:
                continue
            path = self.path(file.name + ".rdb")
            with open(path, "wb") as f:
                f.write(file.data)
            told, _ = told_json.document(self.tool("json", path))
            self.assert_same(told, {place: (*model(value), value.expiry) for place, value in file.keys.items()})
            for command in (["salvage", "-q"], ["convert", "--to-version=12"], ["convert", "--to-version=80", "--compress=lz4"]):
                out = self.path("expiring.out")
                self.tool(*command, "-f", path, *([out] if command[0] == "salvage" else ["-o", out]))
                self.assert_same(told_json.document(self.tool("json", out))[0], told)
                self.tool("diff", "-q", path, out)
            fields, times = {}, {}
            for verb, key, *words in live.commands(self.tool("resp", path)):
                if verb == b"HSET":
                    fields.setdefault(key, {}).update(live.pairs(words))
                if verb == b"HPEXPIREAT":
                    self.assertIn(words[3], fields[key])
                    times.setdefault(key, {})[words[3]] = int(words[0])
            self.assertEqual(fields, {key: value.data for (_, key), value in file.keys.items()})
            self.assertEqual(times, {key: value.expiry for (_, key), value in file.keys.items()})

    def test_every_type_and_encoding_of_every_version(self):
        for file in files.files():
            if file.reader is None:
                continue
            with self.subTest(file=file.name):
                path = self.path(file.name + ".rdb")
                with open(path, "wb") as f:
                    f.write(file.data)
                state = self.check_file(path, file.reader)
                self.assert_same(state, without_reads({place: model(value) for place, value in file.keys.items()}))


if __name__ == "__main__":
    unittest.main()
