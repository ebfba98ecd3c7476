#!/usr/bin/env python3
"""stillframe-rdb keys, get, head, info and the filters, against what the server answers that wrote
the file."""
import csv
import io
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from golden import files  # noqa: E402

YEAR_2100_MS = 4102444800000
NAMES = [b"", b"plain", b"user:1", b"user:2", b"with space", b"quote\"d", b"back\\slash", b"new\nline", b"tab\tcr\r", b"\x00\xff\xfe",
         "Größe".encode(), "日本語".encode(), b"cut\xe6\x97", b"\x1b[31mred", b"\xc2\x85", b"a,b", b"\\x41", b"-n", b"\x7f"]


def tool(*args, stdin=None):
    p = subprocess.run([resp.STILLFRAME_RDB, *args], capture_output=True, timeout=300, input=stdin)
    return p.returncode, p.stdout, p.stderr


def unescape(line):
    """What docs say of names: \\xNN, \\n, \\r, \\t, \\\\; all else is itself."""
    short = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b'"': b'"'}
    return re.sub(rb"\\(x[0-9a-f]{2}|.)", lambda m: bytes([int(m[1][1:], 16)]) if m[1][:1] == b"x" else short[m[1]], line)


def as_bytes(text):
    return text.encode("utf-8", "surrogateescape")


def parse_json(out):
    return json.loads(out.decode("utf-8"))


class Server:
    """A redis-server with keys of every type, its dump, and its answers."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="rdb-look-")
        self.server = resp.start_redis_server(self.dir, "--save", "", "--maxmemory-policy", "noeviction")
        self.c = self.server.client()
        self.fill()
        self.ask("SAVE")
        self.path = os.path.join(self.dir, "dump.rdb")
        self.facts = [self.facts_of(db, key) for db in (0, 3, 11) for key in self.keys_of(db)]

    def close(self):
        self.server.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def ask(self, *args):
        return self.c.call(*args)

    def fill(self):
        for name in NAMES:
            self.ask("SET", name, b"value of " + name)
        for i, value in enumerate([b"0", b"-1", b"9223372036854775807", b"9223372036854775808", b"00", b"x" * 44, b"x" * 45,
                                   b"y" * 3000, os.urandom(200), b"1" * 20, b""]):
            self.ask("SET", "s:%d" % i, value)
        for n in (1, 100, 511, 512, 513, 700):
            self.ask("SADD", "ints:%d" % n, *range(-5, n - 5))
            self.ask("HSET", "h:%d" % n, *sum([["f%d" % i, "v" * (i % 5)] for i in range(n)], []))
        for n in (1, 127, 128, 129, 300):
            self.ask("ZADD", "z:%d" % n, *sum([[i / 8, "member %d" % i] for i in range(n)], []))
            self.ask("SADD", "words:%d" % n, *["word %d" % i for i in range(n)])
            self.ask("RPUSH", "l:%d" % n, *["element %d" % i for i in range(n)])
        for n in (64, 65):
            self.ask("HSET", "wide:h:%d" % n, "f", "x" * n)
            self.ask("ZADD", "wide:z:%d" % n, 1, "x" * n)
            self.ask("SADD", "wide:s:%d" % n, "x" * n)
        self.ask("RPUSH", "l:big", *["x" * 500] * 40)
        self.ask("RPUSH", "l:near", *["x" * 100] * 70)
        for i in range(250):
            self.ask("XADD", "stream", "%d-1" % (i + 1), "field", i, "other", "x" * i)
        self.ask("XDEL", "stream", "7-1", "8-1")
        self.ask("XGROUP", "CREATE", "stream", "group", "0")
        self.ask("XREADGROUP", "GROUP", "group", "me", "COUNT", 5, "STREAMS", "stream", ">")
        self.ask("SELECT", 3)
        self.ask("SET", "user:1", "of three")
        self.ask("SET", "far", "x", "PXAT", YEAR_2100_MS)
        for s in (100, 1000, 100000):
            self.ask("SET", "soon:%d" % s, "x", "EX", s)
        self.ask("SELECT", 11)
        self.ask("HSET", "only here", "f", "v")
        self.ask("SELECT", 0)

    def keys_of(self, db):
        self.ask("SELECT", db)
        return sorted(self.ask("KEYS", "*"))

    def facts_of(self, db, key):
        self.ask("SELECT", db)
        kind = self.ask("TYPE", key).decode()
        count = {"string": None, "list": "LLEN", "set": "SCARD", "zset": "ZCARD", "hash": "HLEN", "stream": "XLEN"}[kind]
        elements = self.elements_of(kind, key)
        return {"db": db, "key": key, "type": kind, "encoding": self.encoding_in_7_2(kind, key, elements),
                "elements": 1 if count is None else self.ask(count, key), "value_bytes": sum(elements),
                "largest_bytes": max(elements), "expire_at_ms": None if self.ask("PTTL", key) == -1 else self.ask("PEXPIRETIME", key)}

    def elements_of(self, kind, key):
        """How many bytes each element has."""
        if kind == "string":
            return [self.ask("STRLEN", key)]
        if kind == "list":
            return [len(e) for e in self.ask("LRANGE", key, 0, -1)]
        if kind == "set":
            return [len(e) for e in self.ask("SMEMBERS", key)]
        if kind == "zset":
            return [len(e) for e in self.ask("ZRANGE", key, 0, -1)]
        if kind == "hash":
            all_of_it = self.ask("HGETALL", key)
            return [len(f) + len(v) for f, v in zip(all_of_it[::2], all_of_it[1::2])]
        return [sum(map(len, fields)) for _, fields in self.ask("XRANGE", key, "-", "+")]

    def encoding_in_7_2(self, kind, key, elements):
        """What the server says, but for sets and lists: 7.2 has new small forms for these."""
        said = self.ask("OBJECT", "ENCODING", key).decode()
        if said == "hashtable" and kind == "set" and len(elements) <= 128 and max(elements) <= 64:
            return "listpack"
        if said == "quicklist" and sum(elements) + 3 * len(elements) <= 8192:
            return "listpack"
        return said


class LookTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.s = Server()

    @classmethod
    def tearDownClass(cls):
        cls.s.close()

    def run_tool(self, *args, status=0, stdin=None):
        got, out, err = tool(*args, stdin=stdin)
        self.assertEqual(got, status, err)
        if status == 0:
            self.assertEqual(err, b"")
        return out

    def names(self, *args):
        return [unescape(line) for line in self.run_tool("keys", *args, self.s.path).splitlines()]

    def rows(self, *args):
        return parse_json(self.run_tool("keys", "--format=json", *args, self.s.path))


class Keys(LookTest):
    def test_every_name_comes_once_and_can_be_read_back(self):
        out = self.run_tool("keys", self.s.path)
        self.assertEqual(sorted(map(unescape, out.splitlines())), sorted(f["key"] for f in self.s.facts))
        self.assertNotRegex(out, rb"[\x00-\x09\x0b-\x1f\x7f]")
        self.assertIn("Größe\n日本語\n".split("\n")[0].encode(), out)
        out.decode("utf-8")

    def test_facts_are_what_the_server_says(self):
        rows = {(r["db"], as_bytes(r["key"])): r for r in self.rows()}
        self.assertEqual(len(rows), len(self.s.facts))
        for f in self.s.facts:
            r = rows[f["db"], f["key"]]
            for what in ("type", "encoding", "elements", "value_bytes", "largest_bytes"):
                self.assertEqual(r[what], f[what], (f["key"], what))
            self.assertEqual(r.get("expire_at_ms"), f["expire_at_ms"])
            self.assertEqual(r["file"], self.s.path)
        self.assertLess(sum(r["record_bytes"] for r in rows.values()), os.path.getsize(self.s.path))
        self.assertGreater(sum(r["record_bytes"] for r in rows.values()), os.path.getsize(self.s.path) - 200)

    def test_csv_has_the_same_rows(self):
        text = self.run_tool("keys", "--format=csv", self.s.path).decode("utf-8", "surrogateescape")
        rows = list(csv.reader(io.StringIO(text, newline="")))
        self.assertEqual(rows[0], ["db", "type", "encoding", "elements", "value_bytes", "largest_bytes", "record_bytes",
                                   "expire_at_ms", "idle_s", "freq", "key", "file"])
        want = [[str(r.get(name, "")) for name in rows[0][:-2]] + [as_bytes(r["key"]), r["file"]] for r in self.rows()]
        self.assertEqual([r[:-2] + [as_bytes(r[-2]), r[-1]] for r in rows[1:]], want)

    def test_the_long_form_has_a_column_for_each(self):
        lines = self.run_tool("keys", "--long", self.s.path).decode().splitlines()
        self.assertEqual(lines[0].split(), ["db", "type", "encoding", "elements", "bytes", "ttl", "idle/freq", "key"])
        rows = self.rows()
        self.assertEqual(len(lines), len(rows) + 1)
        for line, r in zip(lines[1:], rows):
            m = re.match(r" ?(\d+)  (\w+) +(\w+) +([\d,]+|-) +([\d.]+ \w+) +(-|past|\S+(?: \S+)?)  +(-|\S+)  (.*)$", line)
            self.assertIsNotNone(m, line)
            self.assertEqual((int(m[1]), m[2], m[3], unescape(m[8].encode())),
                             (r["db"], r["type"], r["encoding"], as_bytes(r["key"])))
            self.assertEqual(m[6] == "-", "expire_at_ms" not in r, line)
        self.assertRegex("\n".join(lines), r"  27h|1d 3h  ")

    def test_idle_times_and_frequencies_are_told(self):
        head = b"REDIS0009" + b"\xf8\x80" + struct.pack(">I", 7200) + b"\x00\x01i\x01v" + b"\xf9\x07\x00\x01f\x01v"
        path = os.path.join(self.s.dir, "used.rdb")
        with open(path, "wb") as f:
            f.write(head + b"\x00\x01n\x01v\xff" + bytes(8))
        rows = parse_json(self.run_tool("keys", "--format=json", path))
        self.assertEqual([(r["key"], r.get("idle_s"), r.get("freq")) for r in rows], [("i", 7200, None), ("f", None, 7), ("n", None, None)])
        for args, want in ((["--idle=1h-"], b"i\n"), (["--idle=-1h"], b""), (["--freq=7"], b"f\n"), (["--freq=8-"], b"")):
            self.assertEqual(self.run_tool("keys", *args, path), want)
        self.assertIn(b"2h 0m  i\n", self.run_tool("keys", "-l", path))
        self.assertIn(b"f 7  f\n", self.run_tool("keys", "-l", path))

    def test_output_files_appear_when_they_are_complete(self):
        path = os.path.join(self.s.dir, "names")
        self.run_tool("keys", "-o", path, self.s.path)
        with open(path, "rb") as f:
            self.assertEqual(f.read(), self.run_tool("keys", self.s.path))
        self.run_tool("keys", "-o", path, self.s.path, status=1)
        self.run_tool("keys", "-f", "-o", path, "-n1", self.s.path)
        self.assertLess(os.path.getsize(path), 30)
        other = os.path.join(self.s.dir, "never")
        with open(self.s.path, "rb") as f:
            self.run_tool("keys", "-o", other, "-", stdin=f.read()[:-500], status=1)
        self.assertFalse(os.path.exists(other))


class Encodings(unittest.TestCase):
    """Files of every version and type (golden/files.py), in a server that has loaded them."""

    def check(self, start, data, compares):
        with tempfile.TemporaryDirectory(prefix="rdb-look-") as d:
            path = os.path.join(d, "dump.rdb")
            with open(path, "wb") as f:
                f.write(data)
            rows = parse_json(tool("keys", "--format=json", path)[1])
            server = start(d, "--save", "")
            try:
                c = server.client()
                for r in filter(compares, rows):
                    c.call("SELECT", r["db"])
                    self.assertEqual(c.call("OBJECT", "ENCODING", as_bytes(r["key"])), r["encoding"].encode(), r)
            finally:
                server.stop()
        return len(rows)

    def test_all_but_lists_are_as_in_7_0(self):
        for file in files.files():
            if file.reader == "redis":
                self.assertGreater(self.check(resp.start_redis_server, file.data, lambda r: r["type"] != "list"), 20)

    def test_lists_and_sets_are_as_here(self):
        """As in 7.2, that is."""
        for file in files.files():
            if file.reader == "stillframe" or file.version in (7, 9):
                self.check(lambda *a: resp.start_stillframe(*a, "--rdb-version-check", "relaxed"), file.data, lambda r: r["type"] in ("list", "set"))

    def test_small_hashes_whose_fields_expire(self):
        for file in files.files():
            if file.reader is None:
                hashes = [files.hash_expiring(kind, file.version, [(b"f", b"v"), (b"g", b"w")], {b"g": files.FAR_MS})
                          for kind in ((22,) if file.version == 80 else (22, 23, 24, 25))]
                small = files.File("small", file.version, [(b"%d" % h.type, h) for h in hashes], None)
                path = os.path.join(tempfile.gettempdir(), "rdb-look-%d.rdb" % os.getpid())
                with open(path, "wb") as f:
                    f.write(small.data)
                rows = parse_json(tool("keys", "--format=json", path)[1])
                os.unlink(path)
                want = {"24": "listpackex", "25": "listpackex", "23": "listpackex"} if file.version == 12 else {}
                self.assertEqual({r["key"]: r["encoding"] for r in rows}, {"22": "hashtable", **want})
                self.assertEqual({r["expiring_fields"] for r in rows}, {1})


class Filters(LookTest):
    def keys_where(self, condition):
        return sorted(f["key"] for f in self.s.facts if condition(f))

    def check(self, args, condition):
        with self.subTest(args=args):
            want = self.keys_where(condition)
            self.assertEqual(sorted(self.names(*args)), want)
            self.assertNotIn(len(want), (0, len(self.s.facts)))
            # and the same of values, which takes another way through the file
            got = parse_json(self.run_tool("head", "--format=json", "-n100000", *args, self.s.path))
            self.assertEqual(sorted(as_bytes(k["key"]) for k in got), want)

    def test_what_is_known_before_the_value(self):
        self.check(["--match", "user:*"], lambda f: f["key"].startswith(b"user:"))
        self.check(["-m", "s:?", "-m", "h:*"], lambda f: re.match(rb"s:.$|h:", f["key"]))
        self.check(["--exclude", "*:*"], lambda f: b":" not in f["key"])
        self.check(["--regex", "^(z|l):[0-9]{3}$"], lambda f: re.match(rb"[zl]:\d{3}$", f["key"]))
        self.check(["-e", "\\\\"], lambda f: b"\\" in f["key"])
        self.check(["--type", "hash,stream"], lambda f: f["type"] in ("hash", "stream"))
        self.check(["-d", "3", "-d", "11"], lambda f: f["db"] in (3, 11))
        self.check(["--ttl", "any"], lambda f: f["expire_at_ms"] is not None)
        self.check(["--ttl", "none"], lambda f: f["expire_at_ms"] is None)
        self.check(["--ttl", "15m-2d"], lambda f: f["key"] in (b"soon:1000", b"soon:100000"))
        self.check(["--ttl", "9000d-"], lambda f: f["key"] == b"far")

    def test_globs_are_those_of_keys(self):
        self.s.ask("SELECT", 0)
        for pattern in ("*", "?", "", "s:*", "s:[0-3]", "s:[^0-3]", "user:[12]", "*\\\\*", "*[\n]*", "\\*", "*e", "[a-c]*", "*:*:*"):
            self.assertEqual(sorted(self.names("--db=0", "--match", pattern)), sorted(self.s.ask("KEYS", pattern)), pattern)

    def test_what_is_known_behind_the_value(self):
        sizes = {(r["db"], as_bytes(r["key"])): r["record_bytes"] for r in self.rows()}
        for encoding in ("int", "embstr", "raw", "listpack", "quicklist", "intset", "hashtable", "skiplist", "stream"):
            self.check(["--encoding", encoding], lambda f: f["encoding"] == encoding)
        self.check(["--encoding", "raw,int"], lambda f: f["encoding"] in ("raw", "int"))
        self.check(["--elements", "128-512"], lambda f: f["type"] != "string" and 128 <= f["elements"] <= 512)
        self.check(["--size", "1k-"], lambda f: sizes[f["db"], f["key"]] >= 1024)
        self.check(["--size", "-20"], lambda f: sizes[f["db"], f["key"]] <= 20)
        self.check(["--size", "100-", "--type", "hash", "--elements", "-100"],
                   lambda f: f["type"] == "hash" and f["elements"] <= 100 and sizes[f["db"], f["key"]] >= 100)

    def test_limits_count_over_all_files(self):
        names = self.names()
        self.assertEqual(self.names("-n", "5"), names[:5])
        twice = self.run_tool("keys", "-n", str(len(names) + 3), self.s.path, self.s.path).splitlines()
        self.assertEqual(list(map(unescape, twice)), names + names[:3])
        few = self.names("-n", "3", "--encoding", "hashtable")
        self.assertEqual(few, self.names("--encoding", "hashtable")[:3])

    def test_samples_are_the_same_each_time(self):
        path = os.path.join(self.s.dir, "many.rdb")
        with open(path, "wb") as f:
            f.write(b"REDIS0009" + b"".join(b"\0\x08%08d\x02%02d" % (i, i % 50 + 10) for i in range(50000)) + b"\xff" + bytes(8))
        first = self.run_tool("keys", "--sample", "10", path)
        self.assertEqual(self.run_tool("keys", "--sample", "10%", path), first)
        self.assertNotEqual(self.run_tool("keys", "--sample", "10", "--seed", "2", path), first)
        self.assertAlmostEqual(len(first.splitlines()), 5000, delta=350)  # five standard errors
        info = parse_json(self.run_tool("info", "--format=json", "--sample", "10", path))["files"][0]
        self.assertEqual(info["keys"], 10 * len(first.splitlines()))
        self.assertEqual(info["sample"]["share"], 0.1)
        self.assertAlmostEqual(info["sample"]["keys_error"], (0.9 * len(first.splitlines())) ** .5 / .1, delta=1)
        self.assertAlmostEqual(info["value_bytes"], 100000, delta=5 * info["sample"]["value_bytes_error"])
        self.assertIn(b"10 % of the keys", self.run_tool("info", "--sample", "10", path))

    def test_standard_input_is_a_file_too(self):
        with open(self.s.path, "rb") as f:
            data = f.read()
        for args in ((), ("--encoding", "raw")):
            self.assertEqual(self.run_tool("keys", *args, "-", stdin=data), self.run_tool("keys", *args, self.s.path))
            self.assertEqual(self.run_tool("head", "-n99", "--format=json", *args, "-", stdin=data),
                             self.run_tool("head", "-n99", "--format=json", *args, self.s.path))
        packed = subprocess.run(["lz4", "-c", "-q", self.s.path], capture_output=True, check=True).stdout
        self.assertEqual(self.run_tool("keys", "--size=1k-", "-", stdin=packed), self.run_tool("keys", "--size=1k-", self.s.path))

    def test_what_is_read_over_is_told(self):
        module = b"\x07\x01m\x81" + bytes(8) + b"\x05\x03abc\x00"  # of some module: a string, the end
        path = os.path.join(self.s.dir, "module.rdb")
        with open(path, "wb") as f:
            f.write(b"REDIS0009\0\x01a\x01v" + module + module + b"\0\x01b\x01w\xff" + bytes(8))
        for args in (["keys"], ["head"], ["get", "b"], ["keys", "--size=1-"], ["head", "--size=1-"]):
            self.assertEqual(tool(*args, path)[0], 1, args)
            status, out, err = tool(*args, "--skip-unknown", path)
            self.assertEqual((status, err), (0, b"stillframe-rdb: left out by --skip-unknown: 2\n"), args)
            self.assertIn(b"w" if args[0] == "get" else b"b", out)
        info = parse_json(self.run_tool("info", "--format=json", "--skip-unknown", path, self.s.path, path))
        self.assertEqual([f["read_over"] for f in info["files"]], [2, 0, 2])
        self.assertEqual(info["total"]["read_over"], 4)

    def test_wrong_filters_are_refused(self):
        for args in (["--type=zet"], ["--ttl=never"], ["--regex=("], ["--size=big"], ["--sample=0"], ["--db=x"], ["--encoding=zip"]):
            for command in ("keys", "head", "info"):
                status, out, err = tool(command, *args, self.s.path)
                self.assertEqual((status, out), (2, b""))
                self.assertRegex(err.decode(), r"^stillframe-rdb: --.*\nTry: .*\n$")


class Get(LookTest):
    def test_strings_are_their_bytes(self):
        for f in self.s.facts:
            if f["type"] != "string" or not f["key"] or b"\0" in f["key"]:
                continue
            self.s.ask("SELECT", f["db"])
            self.assertEqual(self.run_tool("get", "--db", str(f["db"]), "--", f["key"], self.s.path), self.s.ask("GET", f["key"]))

    def test_names_can_be_given_as_keys_prints_them(self):
        self.s.ask("SELECT", 0)
        for line in self.run_tool("keys", "--db=0", "--type=string", self.s.path).splitlines():
            self.assertEqual(self.run_tool("get", "--escapes", "--", line, self.s.path), self.s.ask("GET", unescape(line)))
        status, _, err = tool("get", "--escapes", "\\q", self.s.path)
        self.assertEqual(status, 2)
        self.assertIn(b"Try: ", err)

    def redis_cli(self, db, *command):
        p = subprocess.run(["redis-cli", "--no-raw", "-p", str(self.s.server.port), "-n", str(db), *command], capture_output=True, check=True)
        return re.sub(rb"(?m)^((?:   )*) +(\d+\) )", rb"\1\2", p.stdout)

    def test_collections_look_as_in_redis_cli(self):
        for key, command in (("l:1", ("LRANGE", "l:1", "0", "-1")), ("l:127", ("LRANGE", "l:127", "0", "-1")),
                             ("z:1", ("ZRANGE", "z:1", "0", "-1", "WITHSCORES")), ("ints:1", ("SMEMBERS", "ints:1")),
                             ("ints:100", ("SMEMBERS", "ints:100")), ("h:1", ("HGETALL", "h:1")), ("h:100", ("HGETALL", "h:100"))):
            self.assertEqual(self.run_tool("get", key, self.s.path), self.redis_cli(0, *command), key)

    def test_streams_look_as_in_redis_cli(self):
        self.assertEqual(re.sub(rb"(?m)^ +", b"", self.run_tool("get", "stream", self.s.path)),
                         re.sub(rb"(?m)^ +", b"", self.redis_cli(0, "XRANGE", "stream", "-", "+")))

    def test_json_is_what_the_server_answers(self):
        self.s.ask("SELECT", 0)
        get = lambda key: parse_json(self.run_tool("get", "--format=json", key, self.s.path))  # noqa: E731
        text = lambda values: [v.decode() for v in values]  # noqa: E731
        self.assertEqual(get("l:300")["value"], text(self.s.ask("LRANGE", "l:300", 0, -1)))
        self.assertEqual(sorted(get("words:300")["value"]), sorted(text(self.s.ask("SMEMBERS", "words:300"))))
        pairs = text(self.s.ask("HGETALL", "h:700"))
        self.assertEqual(get("h:700")["value"], dict(zip(pairs[::2], pairs[1::2])))
        pairs = text(self.s.ask("ZRANGE", "z:300", 0, -1, "WITHSCORES"))
        self.assertEqual(sorted(map(tuple, get("z:300")["value"])), sorted((m, float(s)) for m, s in zip(pairs[::2], pairs[1::2])))
        self.assertEqual(len(get("stream")["value"]["entries"]), 248)

    def test_the_first_database_and_file_that_have_it(self):
        self.assertEqual(self.run_tool("get", "user:1", self.s.path), b"value of user:1")
        self.assertEqual(self.run_tool("get", "--db=3", "user:1", self.s.path), b"of three")
        other = os.path.join(self.s.dir, "other.rdb")
        with open(other, "wb") as f:
            f.write(b"REDIS0009\x00\x02xy\x01v\x00\x06user:1\x05other\xff" + bytes(8))
        self.assertEqual(self.run_tool("get", "user:1", other, self.s.path), b"other")
        self.assertEqual(self.run_tool("get", "user:2", other, self.s.path), b"value of user:2")

    def test_what_is_not_there_is_said(self):
        for args in (["nope"], ["--db=11", "user:1"], ["--format=json", "nope"]):
            status, out, err = tool("get", *args, self.s.path)
            self.assertEqual((status, out), (1, b""))
            self.assertEqual(err, b"stillframe-rdb: no such key: %s\n" % args[-1].encode())
        self.assertIn(b"--escapes", tool("get", "no\\\\pe", self.s.path)[2])
        with open(self.s.path, "rb") as f:
            data = f.read()
        status, out, err = tool("get", "nope", "-", stdin=data[:-9])
        self.assertEqual((status, out), (1, b""))
        self.assertIn(b"the file ends", err)
        self.assertEqual(tool("get", "user:1")[0], 2)
        self.assertEqual(tool("get", "--format=csv", "user:1", self.s.path)[0], 2)

    def test_a_large_string_passes_through(self):
        path = os.path.join(self.s.dir, "large.rdb")
        big = os.urandom(1 << 20) * 20
        with open(path, "wb") as f:
            f.write(b"REDIS0009\x00\x01a\x01b\x00\x01k\x80" + struct.pack(">I", len(big)) + big + b"\xff" + bytes(8))
        self.assertEqual(self.run_tool("get", "k", path), big)
        out = os.path.join(self.s.dir, "value")
        self.run_tool("get", "k", "-o", out, path)
        with open(out, "rb") as f:
            self.assertEqual(f.read(), big)


class Memory(LookTest):
    MOST = 64 << 10  # KiB, of a process

    def memory_of(self, *args):
        """How much it needed, in KiB; its output goes nowhere.  A child begins as large as its
        parent: a small one."""
        p = subprocess.run([sys.executable, "-c", "import resource, subprocess, sys\n"
                            "status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode\n"
                            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
                            "sys.exit(status)", resp.STILLFRAME_RDB, *args], capture_output=True, text=True, timeout=300)
        self.assertEqual((p.returncode, p.stderr), (0, ""), args)
        return int(p.stdout)

    def test_a_value_of_any_size_needs_the_same(self):
        path = os.path.join(self.s.dir, "long.rdb")
        with open(path, "wb") as f:  # zeros that take no disk
            f.write(b"REDIS0009\0\x01k\x80" + struct.pack(">I", 300 << 20))
            f.seek(300 << 20, os.SEEK_CUR)
            f.write(b"\xff" + bytes(8))
        for args in (["get", "k"], ["get", "--format=json", "k"], ["head"], ["keys", "-l"], ["head", "--size=1k-"], ["info"]):
            needed = self.memory_of(*args, path)
            if "asan" not in resp.STILLFRAME_RDB:
                self.assertLess(needed, self.MOST, args)

    def test_any_number_of_keys_needs_the_same(self):
        path = os.path.join(self.s.dir, "keys.rdb")
        with open(path, "wb") as f:
            f.write(b"REDIS0009")
            f.writelines(b"\0\x08%08d\x01%d" % (i, i % 10) for i in range(1500000))
            f.write(b"\xff" + bytes(8))
        for args in (["keys", "--format=json"], ["head", "-n9999999", "--encoding=int", "--format=json"], ["info", "--top=1000"]):
            needed = self.memory_of(*args, path)
            if "asan" not in resp.STILLFRAME_RDB:
                self.assertLess(needed, self.MOST, args)


class Head(LookTest):
    def test_ten_keys_each_in_short(self):
        out = self.run_tool("head", self.s.path).decode()
        heads = re.findall(r"(?m)^db (\d+)  (\w+) +(\".*\")", out)
        self.assertEqual(len(heads), 10)
        for (db, kind, name), r in zip(heads, self.rows("-n10")):
            self.assertEqual((int(db), kind, unescape(name[1:-1].encode())), (r["db"], r["type"], as_bytes(r["key"])))
        self.assertNotIn("\033", out)

    def test_values_are_cut(self):
        head = lambda *args: self.run_tool("head", *args, self.s.path).decode().splitlines()  # noqa: E731
        self.assertEqual(head("-m", "l:300"), ['db 0  list    "l:300"'] + ['    "element %d"' % i for i in range(5)] + ["    ... and 295 more"])
        self.assertEqual(head("-m", "s:7"), ['db 0  string  "s:7"', '    "%s"...  2.9 KiB' % ("y" * 100)])
        self.assertEqual(head("-m", "only here"), ['db 11  hash    "only here"', '    "f": "v"'])
        self.assertEqual(head("-m", "z:1"), ['db 0  zset    "z:1"', '    "member 0"  0'])
        self.assertEqual(head("-m", "stream")[:3], ['db 0  stream  "stream"', '    1-1  "field": "0" "other": ""', '    2-1  "field": "1" "other": "x"'])
        self.assertEqual(head("-m", "stream")[6:], ["    ... and 243 more", '    group "group", read up to 5-1'])
        self.assertEqual(head("-m", "soon:100000")[0], 'db 3  string  "soon:100000"  ttl 1d 3h')

    def test_colours_are_for_terminals(self):
        self.assertIn(b"\033[1;36m\"user:1\"\033[0m", self.run_tool("head", "--color=always", "-m", "user:1", self.s.path))
        master, slave = pty.openpty()
        env = {**os.environ, "TERM": "xterm"}
        env.pop("NO_COLOR", None)
        p = subprocess.Popen([resp.STILLFRAME_RDB, "head", "-m", "user:1", self.s.path], stdout=slave, env=env)
        os.close(slave)
        p.wait()
        self.assertIn(b"\033[1;36m", os.read(master, 65536))
        os.close(master)


class Info(LookTest):
    def test_json_counts_what_the_server_has(self):
        info = parse_json(self.run_tool("info", "--format=json", "--top=3", self.s.path))
        f = info["files"][0]
        self.assertEqual(f["keys"], len(self.s.facts))
        self.assertEqual(f["value_bytes"], sum(k["value_bytes"] for k in self.s.facts))
        self.assertEqual(f["key_bytes"], sum(len(k["key"]) for k in self.s.facts))
        self.assertEqual({d["db"]: (d["keys"], d["expires"]) for d in f["databases"]},
                         {db: (sum(k["db"] == db for k in self.s.facts),
                               sum(k["db"] == db and k["expire_at_ms"] is not None for k in self.s.facts)) for db in (0, 3, 11)})
        self.assertEqual(sum(t["keys"] for t in f["types"]), len(self.s.facts))
        self.assertEqual(sum(t["keys"] for t in f["sizes"]), len(self.s.facts))
        self.assertEqual(sum(t["keys"] for t in f["expiry"]), len(self.s.facts))
        self.assertEqual([b["value_bytes"] for b in f["biggest"]], sorted((k["value_bytes"] for k in self.s.facts), reverse=True)[:3])
        self.assertEqual((f["family"], f["version"], f["checksum"], f["packed"]), ("redis", 10, "good", "plain"))
        self.assertEqual(f["aux"]["ctime"], str(f["written_at"]))
        self.assertEqual(f["size_bytes"], os.path.getsize(self.s.path))

    def test_several_files_are_added_up(self):
        one = parse_json(self.run_tool("info", "--format=json", self.s.path))
        two = parse_json(self.run_tool("info", "--format=json", self.s.path, self.s.path))
        self.assertEqual(two["files"], one["files"] * 2)
        self.assertEqual(two["total"]["files"], 2)
        for name in ("keys", "expires", "key_bytes", "value_bytes"):
            self.assertEqual(two["total"][name], 2 * one["total"][name])
        self.assertEqual([d["keys"] for d in two["total"]["databases"]], [2 * d["keys"] for d in one["total"]["databases"]])
        text = self.run_tool("info", self.s.path, self.s.path).decode()
        self.assertIn("\nAll 2 files\n", text)
        self.assertNotIn("All ", self.run_tool("info", self.s.path).decode())

    def test_filters_count_what_they_let_through(self):
        info = parse_json(self.run_tool("info", "--format=json", "--type=zset", "--elements=128-", self.s.path))["files"][0]
        want = [k for k in self.s.facts if k["type"] == "zset" and k["elements"] >= 128]
        self.assertEqual((info["keys"], info["value_bytes"]), (len(want), sum(k["value_bytes"] for k in want)))
        limited = parse_json(self.run_tool("info", "--format=json", "-n4", self.s.path))["files"][0]
        self.assertEqual((limited["keys"], limited["checksum"]), (4, "unchecked"))

    def test_no_form_runs_into_the_next_column(self):
        out = self.run_tool("info", self.s.path).decode()
        self.assertRegex(out, r"sorted set listpack +(plain|LZF) +\d")
        self.assertRegex(out, r"list quicklist 2 +elements +\d")


if __name__ == "__main__":
    unittest.main()
