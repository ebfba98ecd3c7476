#!/usr/bin/env python3
"""stillframe-rdb diff: dumps of both servers, with changes that are known."""
import csv
import io
import json
import os
import random
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

TOOL = resp.STILLFRAME_RDB
YEAR_2100_MS = 4102444800000


def diff(*args, **more):
    p = subprocess.run([TOOL, "diff", *args], capture_output=True, timeout=300, **more)
    return p.returncode, p.stdout, p.stderr.decode()


def length(n):
    return bytes([n]) if n < 64 else struct.pack(">BI", 0x80, n)


def string(b):
    return length(len(b)) + b


def rdb(body):
    return b"REDIS0010\xfe\x00" + body + b"\xff" + bytes(8)


class DiffTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="rdb-diff-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def save(self, c, name):
        self.assertEqual(c.call("SAVE"), b"OK")
        shutil.move(self.path("dump.rdb"), self.path(name))
        return self.path(name)

    def redis(self, *args):
        server = resp.start_redis_server(self.dir, "--save", "", *args)
        self.addCleanup(server.stop)
        return server.client()

    def stillframe(self, *args):
        server = resp.start_stillframe(self.dir, "--save", "", *args)
        self.addCleanup(server.stop)
        return server.client()

    def commands(self, c, *commands):
        for reply in c.pipeline(list(commands)):
            self.assertNotIsInstance(reply, resp.RespError)

    def json(self, *args, status=1):
        got, out, err = diff("--format=json", *args)
        self.assertEqual((got, err), (status, ""))
        return json.loads(out.decode("utf-8", "surrogatepass"))


def every_type(n=40):
    """Commands for values of every type and of both sizes."""
    commands = []
    for i in range(n):
        commands += [("SET", "string:%d" % i, "value %d" % i * (1 + i % 7)), ("SET", "int:%d" % i, i * 7919),
                     ("SET", "big:%d" % i, "x" * 70000 + str(i)), ("SET", "time:%d" % i, "t", "PXAT", YEAR_2100_MS + i)]
        for size, name in ((5, "small"), (300, "large")):
            commands += [("RPUSH", "list:%s:%d" % (name, i), *["e%d" % (k * i) for k in range(size)]),
                         ("SADD", "set:%s:%d" % (name, i), *["m%d" % (k + i) for k in range(size)]),
                         ("SADD", "ints:%s:%d" % (name, i), *[k * 3 + i for k in range(size)]),
                         ("HSET", "hash:%s:%d" % (name, i), *sum([["f%d" % k, "v%d" % (k * i)] for k in range(size)], [])),
                         ("ZADD", "zset:%s:%d" % (name, i), *sum([[k * 1.5 - i, "z%d" % k] for k in range(size)], []))]
    for k in range(250):
        commands.append(("XADD", "stream", "5-%d" % (k + 1), "field", "value %d" % k, "n", k))
    commands += [("XGROUP", "CREATE", "stream", "group", "5-10"), ("XGROUP", "CREATECONSUMER", "stream", "group", "anna"),
                 ("XREADGROUP", "GROUP", "group", "bert", "COUNT", 3, "STREAMS", "stream", ">"), ("XDEL", "stream", "5-7"),
                 ("SELECT", 3), ("SET", "string:1", "in another database"), ("SELECT", 0)]
    return commands


class SameData(DiffTest):
    def test_encodings_and_servers_make_no_difference(self):
        files = []
        for i, start in enumerate((lambda: self.redis("--rdbcompression", "yes"),
                                   lambda: self.redis("--rdbcompression", "no", "--list-max-listpack-size", "4",
                                                      "--hash-max-listpack-entries", "2", "--zset-max-listpack-entries", "2",
                                                      "--set-max-intset-entries", "2", "--stream-node-max-entries", "7"),
                                   self.stillframe, lambda: self.stillframe("--rdbcompression", "lz4"))):
            c = start()
            order = every_type()
            self.commands(c, *order)
            files.append(self.save(c, "same%d.rdb" % i))
        for other in files[1:]:
            status, out, err = diff(files[0], other)
            self.assertEqual((status, err), (0, ""), out.decode())
        counts = self.json(files[0], files[2], status=0)
        self.assertEqual(counts["differences"], [])
        self.assertEqual(counts["same"]["all"], 40 * 14 + 2)
        self.assertEqual(counts["before"]["keys"], counts["after"]["keys"])


    def test_strings_of_every_length_packed_and_not(self):
        """Long ones come in pieces, other ones where they are packed."""
        files = []
        for i, packs in enumerate(("yes", "no")):
            c = self.redis("--rdbcompression", packs)
            for n in (0, 1, 19, 21, 240, 241, 16383, 16384, 16385, 65535, 65536, 65537, 131072, 300000):
                self.commands(c, ("SET", "word:%d" % n, ("some words " * (n // 11 + 1))[:n]), ("SET", "zero:%d" % n, "0" * n),
                              ("SET", "any:%d" % n, random.Random(n).randbytes(n)))
            files.append(self.save(c, "strings%d.rdb" % i))
        self.assertEqual(self.json(*files, status=0)["same"]["all"], 14 * 3)


class Changes(DiffTest):
    def setUp(self):
        super().setUp()
        self.c = self.redis("--hash-max-listpack-entries", "64")
        self.commands(self.c, *every_type(4))
        self.before = self.save(self.c, "before.rdb")

    def after(self, *commands):
        self.commands(self.c, *commands)
        return self.save(self.c, "after.rdb")

    def parts(self, *commands):
        """What JSON says of the one key that the commands have changed."""
        differences = self.json("--full", self.before, self.after(*commands))["differences"]
        self.assertEqual(len(differences), 1, differences)
        return differences[0]

    def test_counts_by_type_and_kind_of_change(self):
        after = self.after(("DEL", "string:1", "hash:small:2"), ("SET", "new", "n"), ("RPUSH", "list:small:3", "tail"),
                           ("PEXPIREAT", "zset:small:0", YEAR_2100_MS), ("PERSIST", "time:0"), ("SET", "time:1", "u", "KEEPTTL"),
                           ("DEL", "set:small:1"), ("SET", "set:small:1", "a string now"))
        j = self.json(self.before, after)
        self.assertEqual(j["removed"], {"all": 2, "string": 1, "hash": 1})
        self.assertEqual(j["added"], {"all": 1, "string": 1})
        self.assertEqual(j["changed"], {"all": 5, "string": 2, "list": 1, "set": 1, "zset": 1})
        self.assertEqual(j["expiry_only"], {"all": 2, "string": 1, "zset": 1})
        by_key = {d["key"]: d for d in j["differences"]}
        self.assertEqual(set(by_key), {"string:1", "hash:small:2", "new", "list:small:3", "zset:small:0", "time:0", "time:1", "set:small:1"})
        self.assertEqual(by_key["zset:small:0"]["expire_at_ms"], {"before": None, "after": YEAR_2100_MS})
        self.assertEqual(by_key["time:0"]["expire_at_ms"], {"before": YEAR_2100_MS, "after": None})
        self.assertNotIn("expire_at_ms", by_key["time:1"])
        self.assertEqual((by_key["set:small:1"]["type"], by_key["set:small:1"]["type_after"]), ("set", "string"))

    def test_strings(self):
        d = self.parts(("SET", "string:3", b"\xff\x00new"))
        self.assertEqual(d, {"change": "changed", "db": 0, "key": "string:3", "type": "string", "parts": [
            {"change": "changed", "part": "value", "before": "value 3" * 4, "after": "\udcff\x00new"}]})
        (part,) = self.parts(("SET", "string:3", "value 3" * 4), ("APPEND", "big:1", "y" * 60000))["parts"]
        self.assertEqual((part["before_bytes"], part["after_bytes"]), (70001, 130001))
        self.assertEqual(part["before"], "x" * 1024)

    def test_hashes(self):
        for size in "small", "large":
            d = self.parts(("HSET", "hash:%s:2" % size, "f1", "other", "new", "n"), ("HDEL", "hash:%s:2" % size, "f3"))
            self.assertEqual(d["parts"], [{"change": "changed", "part": "field", "name": "f1", "before": "v2", "after": "other"},
                                          {"change": "removed", "part": "field", "name": "f3", "before": "v6"},
                                          {"change": "added", "part": "field", "name": "new", "after": "n"}])
            self.commands(self.c, ("DEL", "hash:%s:2" % size), *(x for x in every_type(4) if x[1] == "hash:%s:2" % size))

    def test_sets_and_sorted_sets(self):
        self.assertEqual(self.parts(("SADD", "ints:small:1", "word"), ("SREM", "ints:small:1", 4))["parts"],
                         [{"change": "removed", "part": "member", "name": "4"}, {"change": "added", "part": "member", "name": "word"}])
        self.commands(self.c, ("DEL", "ints:small:1"), ("SADD", "ints:small:1", *[k * 3 + 1 for k in range(5)]))
        self.assertEqual(self.parts(("ZINCRBY", "zset:large:1", 0.25, "z7"), ("ZADD", "zset:large:1", "-inf", "low"))["parts"],
                         [{"change": "changed", "part": "member", "name": "z7", "before": "9.5", "after": "9.75"},
                          {"change": "added", "part": "member", "name": "low", "after": "-inf"}])

    def test_a_queue_that_moved_on_is_no_other_list(self):
        parts = self.parts(("LPOP", "list:large:3", 2), ("RPUSH", "list:large:3", "x", "y"), ("LSET", "list:large:3", 100, "middle"))["parts"]
        self.assertEqual(parts, [{"change": "removed", "part": "element", "index": 0, "before": "e0"},
                                 {"change": "removed", "part": "element", "index": 1, "before": "e3"},
                                 {"change": "removed", "part": "element", "index": 102, "before": "e306"},
                                 {"change": "added", "part": "element", "index": 100, "after": "middle"},
                                 {"change": "added", "part": "element", "index": 298, "after": "x"},
                                 {"change": "added", "part": "element", "index": 299, "after": "y"}])

    def test_streams(self):
        parts = self.parts(("XADD", "stream", "6-1", "a", "b"), ("XDEL", "stream", "5-2"), ("XACK", "stream", "group", "5-11"),
                           ("XGROUP", "CREATECONSUMER", "stream", "group", "carl"))["parts"]
        got = [(p["change"], p["part"], p.get("within"), p.get("name")) for p in parts]
        self.assertEqual(sorted(got, key=str), sorted([
            ("changed", "counters", None, None), ("removed", "entry", None, "5-2"), ("added", "entry", None, "6-1"),
            ("removed", "pending", "bert", "5-11"), ("added", "consumer", "group", "carl")], key=str))
        self.assertIn({"change": "added", "part": "entry", "name": "6-1", "after": "a b"}, parts)

    def test_text_names_the_first_and_full_names_all(self):
        after = self.after(*(("SET", "new:%d" % i, i) for i in range(30)), ("HSET", "hash:large:1", *sum([["f%d" % k, "w"] for k in range(20)], [])))
        status, out, err = diff("--first=3", self.before, after)
        text = out.decode()
        self.assertEqual((status, err), (1, ""))
        self.assertRegex(text, r"\n  all +\d+ +\d+ +\d+ +- +30 +1 +-\n")
        self.assertEqual(text.count("\n  + string db 0  \"new:"), 3)
        self.assertIn("added: 30 keys, the first 3\n", text)
        self.assertIn('\n  ~ hash   db 0  "hash:large:1"  300 fields\n', text)
        self.assertEqual(text.count("\n      ~ field"), 5)
        self.assertIn("      ... and 15 more\n", text)
        full = diff("--full", self.before, after)[1].decode()
        self.assertEqual((full.count("\n  + string"), full.count("\n      ~ field"), full.count("more")), (30, 20, 0))
        text = diff("--full", self.before, self.after(("HSET", "single", "f", "v"), ("RPUSH", "alone", "e")))[1].decode()
        self.assertIn('"single"  1 field\n', text)
        self.assertIn('"alone"  1 element\n', text)

    def test_csv_is_read_back(self):
        after = self.after(("HSET", "hash:small:1", 'quo"te,\n', "line\nbreak"), ("DEL", "string:0"))
        status, out, _ = diff("--format=csv", self.before, after)
        rows = list(csv.DictReader(io.StringIO(out.decode(), newline="")))
        self.assertEqual(status, 1)
        self.assertEqual([(r["change"], r["key"], r["part"], r["name"], r["after"]) for r in rows],
                         [("changed", "hash:small:1", "", "", ""), ("added", "hash:small:1", "field", 'quo"te,\n', "line\nbreak"),
                          ("removed", "string:0", "", "", "")])

    def test_only_what_is_selected(self):
        after = self.after(("SET", "string:0", "x"), ("SET", "int:1", 5), ("HSET", "hash:small:1", "f", "v"))
        self.assertEqual([d["key"] for d in self.json("--match=int:*", self.before, after)["differences"]], ["int:1"])
        self.assertEqual([d["key"] for d in self.json("--type=hash", self.before, after)["differences"]], ["hash:small:1"])
        self.assertEqual(self.json("--db=3", self.before, after, status=0)["differences"], [])

    def test_a_sample_says_how_many_differ_in_all(self):
        a, b = (self.write(name, rdb(b"".join(b"\0\x08%08d\x01%c" % (i, value if i % 2 else 48) for i in range(20000))))
                for name, value in (("a", 49), ("b", 50)))
        status, out, err = diff("--sample=10", a, b)
        self.assertEqual((status, err), (1, ""))
        (told,) = re.findall(r"sample: 10 % of the keys are counted; of all, about ([0-9,]+) differ \(standard error ([0-9,]+)\)\n", out.decode())
        differ, error = (int(n.replace(",", "")) for n in told)
        j = self.json("--sample=10", a, b)
        self.assertEqual((j["sample"], j["changed"]["all"] * 10), (0.1, differ))
        self.assertEqual(error, round((0.9 * differ / 10) ** 0.5 * 10))
        self.assertLess(abs(differ - 10000), 5 * error)
        self.assertNotIn(b"sample", diff(a, b)[1])

    def test_pipes_and_packed_files(self):
        after = self.after(("SET", "string:0", "x"))
        packed = self.path("packed.gz")
        with open(after, "rb") as f, open(packed, "wb") as out:
            subprocess.run(["gzip", "-c"], stdin=f, stdout=out, check=True)
        with open(packed, "rb") as f:
            status, piped, err = diff("--format=json", self.before, "-", input=f.read())
        self.assertEqual((status, err), (1, ""))
        want = self.json(self.before, after)
        self.assertEqual(json.loads(piped)["differences"], want["differences"])
        self.assertEqual(self.json(self.before, packed)["differences"], want["differences"])

    def test_exit_states(self):
        self.assertEqual(diff("-q", self.before, self.before), (0, b"", ""))
        after = self.after(("SET", "string:0", "x"))
        self.assertEqual(diff("-q", self.before, after), (1, b"", ""))
        with open(after, "rb") as f:
            cut = self.write("cut.rdb", f.read()[:-20])
        status, out, err = diff(cut, self.path("missing"))
        self.assertEqual((status, out), (2, b""))
        self.assertIn("missing: No such file", err)
        status, out, err = diff(self.before, cut)
        self.assertEqual((status, out), (2, b""))
        self.assertRegex(err, r"^stillframe-rdb: \S+cut.rdb: byte \d+: ")
        self.assertEqual(diff(self.before)[0], 2)


class Random(DiffTest):
    def test_any_changes_are_those_that_are_found(self):
        seed = int(os.environ.get("TEST_SEED", random.randrange(1 << 30)))
        r = random.Random(seed)
        before = {b"k%d" % i: b"v%d" % r.randrange(50) for i in range(3000)}
        after = dict(before)
        for _ in range(600):
            k = b"k%d" % r.randrange(3300)
            if r.random() < 0.3:
                after.pop(k, None)
            else:
                after[k] = b"v%d" % r.randrange(50)
        files = []
        for name, data in ("a", before), ("b", after):
            items = list(data.items())
            r.shuffle(items)
            files.append(self.write(name, rdb(b"".join(b"\0" + string(k) + string(v) for k, v in items))))
        same = before == after
        got = self.json(*files, status=0 if same else 1)["differences"]
        want = {k.decode(): "removed" for k in before.keys() - after.keys()}
        want |= {k.decode(): "added" for k in after.keys() - before.keys()}
        want |= {k.decode(): "changed" for k in before.keys() & after.keys() if before[k] != after[k]}
        self.assertEqual({d["key"]: d["change"] for d in got}, want, "TEST_SEED=%d" % seed)
        for d in got:
            if d["change"] == "changed":
                self.assertEqual((d["parts"][0]["before"].encode(), d["parts"][0]["after"].encode()),
                                 (before[d["key"].encode()], after[d["key"].encode()]))


class Large(DiffTest):
    """More than is sorted at once in memory, keys and fields of one key."""
    COUNT = 300000  # tool/diff/sorter.h: SORTER_RUN

    def run_limited(self, *args):
        limit = {} if "/asan/" in TOOL or "/tsan/" in TOOL else {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (160 << 20, 160 << 20))}
        return diff(*args, **limit)

    def test_many_keys(self):
        def body(value, skip):
            return rdb(b"".join(b"\0\x08%08d\x01%c" % (i, value if i % 1000 == 5 else 48) for i in range(self.COUNT) if i % 100000 != skip))
        a, b = self.write("a", body(49, 7)), self.write("b", body(50, 8))
        status, out, err = self.run_limited("--format=json", a, b)
        self.assertEqual((status, err), (1, ""))
        j = json.loads(out)
        self.assertEqual((j["changed"]["all"], j["removed"]["all"], j["added"]["all"]), (300, 3, 3))
        self.assertEqual([d["key"] for d in j["differences"] if d["change"] == "changed"], ["%08d" % i for i in range(5, self.COUNT, 1000)])

    def test_all_keys_differ(self):
        a = self.write("a", rdb(b"".join(b"\0\x08%08d\x010" % i for i in range(self.COUNT))))
        b = self.write("b", rdb(b"".join(b"\0\x08%08d\x011" % i for i in range(self.COUNT))))
        status, out, err = self.run_limited(a, b)
        self.assertEqual((status, err), (1, ""))
        self.assertIn(b"changed: 300,000 keys, the first 10\n", out)

    def test_many_fields(self):
        def body(value):
            return rdb(b"\x04\x01h" + length(self.COUNT) + b"".join(b"\x08%08d\x01%c" % (i, value if i % 20 == 5 else 48) for i in range(self.COUNT)))
        a, b = self.write("a", body(49)), self.write("b", body(50))
        status, out, err = self.run_limited("--format=csv", "--full", a, b)
        self.assertEqual((status, err), (1, ""))
        rows = list(csv.DictReader(io.StringIO(out.decode())))[1:]
        self.assertEqual([(r["name"], r["before"], r["after"]) for r in rows], [("%08d" % i, "1", "2") for i in range(5, self.COUNT, 20)])

    def test_a_long_list_is_compared_place_by_place(self):
        def body(n):
            return rdb(b"\x01\x01l" + length(self.COUNT) + b"".join(b"\x08%08d" % (i if i != n else 0) for i in range(self.COUNT)))
        d = self.json(self.write("a", body(77)), self.write("b", body(78)))["differences"]
        self.assertEqual([(p["change"], p["index"]) for p in d[0]["parts"]], [("changed", 77), ("changed", 78)])


if __name__ == "__main__":
    unittest.main()
