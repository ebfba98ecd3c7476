#!/usr/bin/env python3
"""stillframe-rdb json, ndjson and csv: they say of a dump what a live redis-server answers, and
every byte of it can be read back."""
import base64
import csv
import io
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import dump_bytes  # noqa: E402
import resp  # noqa: E402

YEAR_2100_MS = 4102444800000
csv.field_size_limit(1 << 30)


def run(*args, status=0, err=b""):
    p = subprocess.run([resp.STILLFRAME_RDB, *args], capture_output=True, timeout=300)
    assert p.returncode == status and (err is None or p.stderr == err), (args, p.returncode, p.stderr)
    return p.stdout


def plain(text):
    """The bytes behind a string of --binary=bytes."""
    return text.encode("utf-8", "surrogateescape")


def prefixed(text):
    """The bytes behind a string of --binary=base64, which never has a lone surrogate."""
    data = text.encode("utf-8")
    return base64.b64decode(data[7:], validate=True) if data.startswith(b"base64:") else data


READERS = {"bytes": plain, "base64": prefixed}


def decoded(value, read):
    """A value of JSON with every string as bytes."""
    if isinstance(value, str):
        return read(value)
    if isinstance(value, list):
        return [decoded(v, read) for v in value]
    if isinstance(value, dict):
        return {read(k): decoded(v, read) for k, v in value.items()}
    return value


def no_duplicates(pairs):
    assert len(dict(pairs)) == len(pairs), "a name twice in an object"
    return dict(pairs)


def loads(text):
    return json.loads(text, object_pairs_hook=no_duplicates)


def scores(value):
    return {m: float(s) if not isinstance(s, bytes) else float(s.decode()) for m, s in value}


def model_of_json(entries, read):
    """Database and name -> what there is, in a form that a server's answers can have, too."""
    model = {}
    for e in entries:
        kind, value = e["type"], e["value"]
        if kind == "zset":
            value = scores(decoded(value, read))
        elif kind == "set":
            members = decoded(value, read)
            value = set(members)
            assert len(value) == len(members)
        elif kind == "stream":
            value = stream_of_json(value, read)
        else:
            value = decoded(value, read)
        place = e["db"], read(e["key"])
        assert place not in model, place
        model[place] = kind, e.get("expire_at_ms", -1), value
    return model


def stream_of_json(s, read):
    groups = {}
    for g in s["groups"]:
        consumers = {read(c["name"]): (c["seen_ms"], [(p["id"], p["delivered_ms"], p["deliveries"]) for p in c["pending"]])
                     for c in g["consumers"]}
        groups[read(g["name"])] = g["last_id"], g["entries_read"], consumers
    entries = [(e["id"], [tuple(pair) for pair in decoded(e["fields"], read)]) for e in s["entries"]]
    return entries, s["length"], s["last_id"], s["max_deleted_id"], s["entries_added"], groups


def pairs(flat):
    return list(zip(flat[::2], flat[1::2]))


def stream_of_server(c, key):
    info = dict(pairs(c.call("XINFO", "STREAM", key, "FULL", "COUNT", 0)))
    groups = {}
    for g in info[b"groups"]:
        g = dict(pairs(g))
        consumers = {}
        for consumer in g[b"consumers"]:
            consumer = dict(pairs(consumer))
            pending = [(i.decode(), ms, n) for i, ms, n in consumer[b"pending"]]
            consumers[consumer[b"name"]] = consumer[b"seen-time"], pending
        groups[g[b"name"]] = g[b"last-delivered-id"].decode(), g[b"entries-read"], consumers
    entries = [(i.decode(), pairs(fields)) for i, fields in c.call("XRANGE", key, "-", "+")]
    return (entries, info[b"length"], info[b"last-generated-id"].decode(), info[b"max-deleted-entry-id"].decode(),
            info[b"entries-added"], groups)


def value_of_server(c, kind, key):
    if kind == "string":
        return c.call("GET", key)
    if kind == "list":
        return c.call("LRANGE", key, 0, -1)
    if kind == "set":
        return set(c.call("SMEMBERS", key))
    if kind == "hash":
        return dict(pairs(c.call("HGETALL", key)))
    if kind == "zset":
        return scores(pairs(c.call("ZRANGE", key, 0, -1, "WITHSCORES")))
    return stream_of_server(c, key)


def model_of_server(c, databases=(0, 3)):
    model = {}
    for db in databases:
        c.call("SELECT", db)
        for key in c.call("KEYS", "*"):
            kind = c.call("TYPE", key).decode()
            model[db, key] = kind, c.call("PEXPIRETIME", key), value_of_server(c, kind, key)
    return model


def model_of_csv(text, read):
    """Streams: their entries alone."""
    model = {}
    for row in csv.DictReader(io.StringIO(text, newline=""), strict=True):
        place = int(row["db"]), read(row["key"])
        kind, value = row["type"], read(row["value"])
        expire_at_ms = int(row["expire_at_ms"] or -1)
        model.setdefault(place, (kind, expire_at_ms, {"string": b"", "list": [], "set": set(), "hash": {}, "zset": {},
                                                      "stream": []}[kind]))
        was = model[place][2]
        if kind == "string":
            model[place] = kind, expire_at_ms, value
        elif kind == "list":
            assert int(row["index"]) == len(was)
            was.append(value)
        elif kind == "set":
            was.add(value)
        elif kind == "hash":
            was[read(row["field"])] = value
        elif kind == "zset":
            was[value] = float(row["score"])
        elif row["index"]:
            if not was or was[-1][0] != row["index"]:
                was.append((row["index"], []))
            was[-1][1].append((read(row["field"]), value))
    return model


class ExportTest(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="rdb-json-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.random = random.Random(15)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def redis(self, *args):
        server = resp.start_redis_server(self.dir, "--save", "", *args)
        self.addCleanup(server.stop)
        return server.client()

    def all_of(self, c, commands):
        for command, reply in zip(commands, c.pipeline(commands)):
            self.assertNotIsInstance(reply, resp.RespError, command)

    def assert_same(self, got, want):
        self.assertEqual(sorted(got), sorted(want))
        for place, value in want.items():
            self.assertEqual(got[place], value, place)

    def some(self, most=40):
        """A string: a number, a text, or bytes of any kind."""
        turn = self.random.random()
        if turn < 0.3:
            return b"%d" % self.random.choice([0, -1, 127, 128, -4096, 40000, 1 << 31, -(1 << 63), self.random.getrandbits(40)])
        n = self.random.randrange(most)
        if turn < 0.6:
            return "".join(self.random.choice("ab \"\\\n\t,;é€🐘\x00\x7f") for _ in range(n)).encode()
        return bytes(self.random.getrandbits(8) for _ in range(n))

    def different(self, n):
        got = {b"base64:", b"base64:AA==", b"", b"\xff"}
        while len(got) < n:
            got.add(self.some())
        return sorted(got)

    def fill(self, c):
        """Keys of each type and encoding; names that are no text, too."""
        r, commands = self.random, []
        for n in (1, 3, 30, 700):
            many = self.different(n)
            name = lambda kind: b"%s \xe9\x80 %d" % (kind, n)  # noqa: E731
            commands += [("SET", name(b"string"), b"\n".join(many)), ("RPUSH", name(b"list"), *many, *many),
                         ("SADD", name(b"set"), *many), ("SADD", name(b"ints"), *range(-5, n)),
                         ("SADD", name(b"long ints"), *[1 << 40 | i for i in range(n)])]
            commands += [("HSET", name(b"hash"), *sum([[m, self.some()] for m in many], [])),
                         ("ZADD", name(b"zset"), *sum([[self.score(), m] for m in many], []))]
            for i in range(n):
                commands.append(("XADD", name(b"stream"), "%d-%d" % (1000 + i // 3, i), *sum([[self.some(), self.some()] for _ in range(
                    1 + i % 4)], [])))
        commands += [("SET", b"number:%d" % i, i) for i in (0, -128, 127, 32767, -32769, 2147483647, 2147483648, -(1 << 63))]
        commands += [("SET", "compresses", b"again and again " * 1000), ("SET", "empty", ""),
                     ("SET", "big text", "é€🐘\n".encode() * 100000), ("SET", "big bytes", r.randbytes(700000)),
                     ("SET", "big, packed", bytes(range(256)) * 4000), ("SET", "prefix", b"base64:" + b"x" * 300000),
                     ("RPUSH", "big elements", *[r.randbytes(n) for n in (100, 5000, 70000, 300000)])]
        commands += [("SET", "expires", "v", "PXAT", YEAR_2100_MS + 7), ("PEXPIREAT", b"hash \xe9\x80 30", YEAR_2100_MS),
                     ("SELECT", 3), ("SET", "expires", "in another", "PXAT", YEAR_2100_MS), ("SET", b"\x00\xff", "v"), ("SELECT", 0)]
        self.all_of(c, commands)
        self.fill_streams(c)

    def score(self):
        r = self.random
        return r.choice([r.randrange(-1000, 1000), r.random(), r.uniform(-1, 1) * 10.0 ** r.randrange(-300, 300), "inf", "-inf", 0.1,
                         r.randrange(1 << 62), "-0", 5e-324, 1.7976931348623157e308])

    def fill_streams(self, c):
        name = b"stream \xe9\x80 700"
        self.all_of(c, [("XADD", "deleted", "%d-1" % i, "f", "v") for i in range(1, 50)] + [
            ("XDEL", "deleted", "7-1", "48-1", "49-1"), ("XGROUP", "CREATE", "groups alone", "g", "$", "MKSTREAM"),
            ("XGROUP", "CREATE", name, b"g\xff", 0), ("XGROUP", "CREATE", name, "idle", "1100-0"),
            ("XGROUP", "CREATECONSUMER", name, "idle", "nobody"), ("XREADGROUP", "GROUP", b"g\xff", b"\x80", "COUNT", 20, "STREAMS", name, ">"),
            ("XREADGROUP", "GROUP", b"g\xff", "two", "COUNT", 5, "STREAMS", name, ">"),
            ("XCLAIM", name, b"g\xff", "two", 0, "1000-1", "RETRYCOUNT", 9), ("XACK", name, b"g\xff", "1000-2"),
            ("XSETID", "deleted", "100-7", "ENTRIESADDED", 200, "MAXDELETEDID", "60-1")])


class SameAsAServer(ExportTest):
    def check(self, path, want):
        for binary, read in READERS.items():
            document = run("json", "--binary=" + binary, path).decode("utf-8")
            (file,) = loads(document)
            self.assertEqual((file["file"], file["rdb_version"]), (path, 10))
            self.assert_same(model_of_json(file["keys"], read), want)
            lines = run("ndjson", "--binary=" + binary, path).decode("utf-8").split("\n")
            self.assertEqual(lines.pop(), "")
            self.assertEqual([loads(line) for line in lines], file["keys"])
            self.check_csv(path, binary, read, want)

    def check_csv(self, path, binary, read, want):
        text = run("csv", "--binary=" + binary, path, err=None).decode("utf-8", "surrogateescape" if binary == "bytes" else "strict")
        got = model_of_csv(text, read)
        self.assert_same(got, {place: (kind, expires, value[0] if kind == "stream" else value)
                               for place, (kind, expires, value) in want.items()})

    def save(self, c):
        c.call("SELECT", 0)
        c.call("SAVE")
        return self.path("dump.rdb")

    def test_every_type_in_its_usual_form(self):
        c = self.redis()
        self.fill(c)
        self.check(self.save(c), model_of_server(c))

    def test_every_type_in_its_other_form(self):
        """Nothing is small, nothing is packed; no string is compressed."""
        c = self.redis("--rdbcompression", "no", "--hash-max-listpack-entries", "0", "--zset-max-listpack-entries", "0",
                       "--set-max-intset-entries", "0", "--list-max-listpack-size", "1", "--stream-node-max-entries", "3")
        self.fill(c)
        self.check(self.save(c), model_of_server(c))

    def test_every_type_in_its_largest_packed_form(self):
        c = self.redis("--hash-max-listpack-entries", "100000", "--hash-max-listpack-value", "100000", "--zset-max-listpack-entries",
                       "100000", "--zset-max-listpack-value", "100000", "--list-max-listpack-size", "-5", "--list-compress-depth", "1",
                       "--set-max-intset-entries", "100000", "--stream-node-max-entries", "0")
        self.fill(c)
        self.check(self.save(c), model_of_server(c))

    def test_how_long_idle_and_how_often_used(self):
        for policy, name, ask in (("allkeys-lru", "idle_s", "IDLETIME"), ("allkeys-lfu", "freq", "FREQ")):
            c = self.redis("--maxmemory", "1gb", "--maxmemory-policy", policy)
            self.all_of(c, [("SET", "k:%d" % i, i) for i in range(20)] + [("GET", "k:1")] * 500)
            path = self.save(c)
            (file,) = loads(run("json", path))
            self.assertEqual(len(file["keys"]), 20)
            for e in file["keys"]:
                self.assertLessEqual(abs(e[name] - c.call("OBJECT", ask, e["key"])), 60, e)  # seconds may pass
            if name == "freq":
                self.assertGreater(max(e["freq"] for e in file["keys"]), 5)

    def test_functions_and_what_the_file_says_of_itself(self):
        c = self.redis()
        code = b"#!lua name=mylib\nredis.register_function('f', function() return '\xc3\xa9\xff' end)"
        self.all_of(c, [("FUNCTION", "LOAD", code), ("SET", "k", "v")])
        path = self.save(c)
        (file,) = loads(run("json", path))
        self.assertEqual([(f["name"], plain(f["code"])) for f in file["functions"]], [("mylib", code)])
        aux = dict(file["aux"])
        self.assertEqual(aux["redis-ver"].encode(), dict(line.split(b":", 1) for line in c.call("INFO", "server").splitlines()
                                                         if b":" in line)[b"redis_version"])
        self.assertLess(abs(int(aux["ctime"]) - time.time()), 600)
        note = b"stillframe-rdb: function libraries left out, json has them: 1\n"
        self.assertEqual(run("ndjson", path, err=note), b'{"db":0,"key":"k","type":"string","value":"v"}\n')
        run("csv", path, err=note)
        run("ndjson", "--quiet", path)
        c.call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
        self.assertIn(b"stillframe-rdb: consumer groups left out, json and ndjson have them: 1\n",
                      subprocess.run([resp.STILLFRAME_RDB, "csv", self.save(c)], capture_output=True, timeout=300).stderr)


STRINGS = [(b"a", b"1"), (b"b", b"2"), (b"ab", b"3")]


def strings(*items):
    return dump_bytes.rdb(*[dump_bytes.key(0, k, dump_bytes.string(v)) for k, v in items])


class Conduct(ExportTest):
    def test_no_key_and_no_file_that_is_selected(self):
        path = self.write("empty.rdb", dump_bytes.rdb())
        self.assertEqual(loads(run("json", path)), [{"file": path, "rdb_version": 10, "keys": [], "functions": [], "aux": []}])
        self.assertEqual(run("ndjson", path), b"")
        self.assertEqual(run("csv", path), b"db,key,type,index,field,value,score,expire_at_ms,field_expire_at_ms\n")

    def test_selected_keys_of_several_files(self):
        a, b = self.write("a.rdb", strings(*STRINGS)), self.write("b.rdb", strings((b"a", b"4")))
        files = loads(run("json", "--match=a*", a, b))
        self.assertEqual([(f["file"], [k["value"] for k in f["keys"]]) for f in files], [(a, ["1", "3"]), (b, ["4"])])
        lines = [loads(line) for line in run("ndjson", "--match=a*", a, b).splitlines()]
        self.assertEqual([(e["file"], e["value"]) for e in lines], [(a, "1"), (a, "3"), (b, "4")])
        rows = list(csv.DictReader(io.StringIO(run("csv", "--match=a*", a, b).decode())))
        self.assertEqual([(r["file"], r["value"]) for r in rows], [(a, "1"), (a, "3"), (b, "4")])
        # what is known behind the value only; and a limit, which leaves the second file out
        self.assertEqual([len(f["keys"]) for f in loads(run("json", "--size=6-", a, b))], [1, 0])
        self.assertEqual([len(f["keys"]) for f in loads(run("json", "--limit=2", a, b))], [2])

    def test_standard_input(self):
        p = subprocess.run([resp.STILLFRAME_RDB, "json", "-"], input=strings(*STRINGS), capture_output=True, timeout=300)
        self.assertEqual((p.returncode, p.stderr), (0, b""))
        self.assertEqual(len(loads(p.stdout)[0]["keys"]), 3)

    def test_fields_that_expire(self):
        hash_value = dump_bytes.length(3) + b"".join(
            dump_bytes.string(f) + dump_bytes.string(b"v") + struct.pack("<q", ms) for f, ms in ((b"a", -1), (b"b", YEAR_2100_MS),
                                                                                                (b"\xff", 5)))
        data = dump_bytes.rdb(dump_bytes.key(22, b"h", hash_value)).replace(b"REDIS0010", b"VALKEY080")
        path = self.write("valkey.rdb", data[:-8] + bytes(8))
        (e,) = loads(run("json", path))[0]["keys"]
        self.assertEqual(e["value"], {"a": "v", "b": "v", "\udcff": "v"})
        self.assertEqual(e["field_expire_at_ms"], {"b": YEAR_2100_MS, "\udcff": 5})
        rows = list(csv.DictReader(io.StringIO(run("csv", "--binary=base64", path).decode())))
        self.assertEqual([(r["field"], r["field_expire_at_ms"]) for r in rows], [("a", ""), ("b", str(YEAR_2100_MS)), ("base64:/w==", "5")])

    def test_a_file_appears_when_it_is_complete(self):
        good, out = self.write("good.rdb", strings(*STRINGS)), self.path("out.json")
        self.assertEqual(run("json", "-o", out, good), b"")
        with open(out, "rb") as f:
            self.assertEqual(f.read(), run("json", good))
        run("json", "-o", out, good, status=1, err=b"stillframe-rdb: %s: is there already (--force replaces it)\n" % out.encode())
        bad = self.write("bad.rdb", strings(*STRINGS)[:-20])
        for command in ("json", "ndjson", "csv"):
            run(command, "--force", "-o", out, bad, status=1, err=None)
            with open(out, "rb") as f:
                self.assertEqual(f.read(), run("json", good))
        self.assertEqual(sorted(os.listdir(self.dir)), ["bad.rdb", "good.rdb", "out.json"])
        run("ndjson", "--force", "-o", out, good)
        with open(out, "rb") as f:
            self.assertEqual(f.read(), run("ndjson", good))

    def test_no_input_is_ever_changed(self):
        path, link = self.write("a.rdb", strings(*STRINGS)), self.path("link.rdb")
        os.symlink(path, link)
        for out in (path, link):
            for command in ("json", "ndjson", "csv"):
                told = b"stillframe-rdb: %s: it is an input, which is never changed\n" % out.encode()
                self.assertEqual(run(command, "--force", "-o", out, self.write("b.rdb", strings()), path, status=1, err=told), b"")
        with open(path, "rb") as f:
            self.assertEqual(f.read(), strings(*STRINGS))

    def test_damage_is_told_and_ends_it(self):
        whole = strings(*STRINGS)
        for n in range(9, len(whole) - 1, 3):
            path = self.write("cut.rdb", whole[:n])
            p = subprocess.run([resp.STILLFRAME_RDB, "ndjson", path], capture_output=True, timeout=300)
            self.assertEqual(p.returncode, 1)
            self.assertTrue(p.stderr.startswith(b"stillframe-rdb: %s: byte " % path.encode()), p.stderr)
            *whole_lines, cut = p.stdout.split(b"\n")  # a line that is not whole has no end
            self.assertLess(len(cut), 60)
            self.assertEqual([loads(line)["value"].encode() for line in whole_lines], [v for _, v in STRINGS][:len(whole_lines)])

    def test_what_is_mended_on_the_way_is_told(self):
        path = self.write("empty.rdb", dump_bytes.rdb(dump_bytes.key(1, b"l", dump_bytes.length(0)), dump_bytes.key(0, b"k", b"\x01v")))
        told = b"stillframe-rdb: %s: byte 9: an empty list: left out (key \"l\")\n" % path.encode()
        self.assertEqual(run("ndjson", path, err=told), b'{"db":0,"key":"k","type":"string","value":"v"}\n')
        self.assertEqual(run("csv", "--quiet", path).splitlines()[1:], [b"0,k,string,,,v,,,"])

    def test_options_that_are_wrong(self):
        path = self.write("a.rdb", strings(*STRINGS))
        for args in (("--binary=hex", path), ("--type=nothing", path), ("--regex=(", path), ()):
            self.assertEqual(run("json", *args, status=2, err=None), b"")

    def test_nothing_stays_after_a_signal(self):
        p = subprocess.Popen([resp.STILLFRAME_RDB, "json", "-o", self.path("out"), "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(p.stderr.close)
        p.stdin.write(strings(*STRINGS)[:20])
        p.stdin.flush()
        resp.wait_until(lambda: os.listdir(self.dir))
        p.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait(60), -signal.SIGTERM)
        p.stdin.close()
        self.assertEqual(os.listdir(self.dir), [])

    @unittest.skipIf(os.environ.get("STILLFRAME_FLAVOUR", "release") != "release", "a sanitizer takes memory of its own")
    def test_memory_does_not_grow_with_a_key(self):
        """A string of 200 MB, then a hash of as much."""
        size, block = 200 << 20, self.random.randbytes(1 << 20)
        path = self.path("huge.rdb")
        with open(path, "wb") as f:
            f.write(b"REDIS0010\x00\x01k" + dump_bytes.length(size))
            for _ in range(size >> 20):
                f.write(block)
            f.write(b"\x04\x01h" + dump_bytes.length(1 << 21))
            for i in range(1 << 9):
                f.write(b"".join(dump_bytes.string(b"%07d" % (i << 12 | k)) + dump_bytes.string(block[k:k + 80]) for k in range(1 << 12)))
            f.write(b"\xff" + bytes(8))
        for args in (("json",), ("json", "--binary=base64"), ("csv",)):
            with open(os.devnull, "wb") as null:
                p = subprocess.Popen([resp.STILLFRAME_RDB, *args, path], stdout=null)
                _, status, used = os.wait4(p.pid, 0)
            p.returncode = status
            self.assertEqual(status, 0)
            self.assertLess(used.ru_maxrss, 64 << 10, args)  # KiB; Python had some of them, before exec


if __name__ == "__main__":
    unittest.main()
