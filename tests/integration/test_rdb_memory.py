#!/usr/bin/env python3
"""stillframe-rdb memory against what redis-server itself says its keys take."""
import csv
import io
import json
import os
import pty
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from golden import files, live  # noqa: E402

ENTRY = 8          # jemalloc with a quantum of 16 takes 32 bytes for the 24 of a table's entry
EXPIRY = 32        # an entry in the table of expiry times
HOSTILE = b"</script><img src=x onerror=alert(1)>"


def tool(*args, text=True):
    p = subprocess.run([resp.STILLFRAME_RDB, "memory", *args], capture_output=True, text=text, timeout=300)
    return p.returncode, p.stdout, p.stderr


def pairs(n, make):
    return [x for i in range(n) for x in make(i)]


def fill(c):
    """Keys of every type and encoding, several sizes of each."""
    r = random.Random(9)
    commands = [("SET", b"\xff\xfe\x00:\xe2\x80\xa8 x", "boo"), ("SET", HOSTILE, "y" * 300), ("SET", "a,\"b\"\n", 1)]
    for n in (1, 7, 30, 31, 44, 45, 100, 200, 254, 255, 300, 5000, 65530, 65535, 70000):
        commands += [("SET", "text:%d" % n, "x" * n), ("SET", "name:" + "n" * n, n), ("SET", "random:%d" % n, r.randbytes(n))]
        commands += [("SET", "expiring:%d" % n, "x" * n, "EX", 10000 + n)]
    for n in (1, 3, 20, 100, 400, 512, 513, 1000, 5000):
        commands += [("HSET", "hash:%d" % n, *pairs(n, lambda i: ("field %d" % i, i * 1000)))]
        commands += [("SADD", "ints:%d" % n, *range(n)), ("SADD", "wide:%d" % n, *(i * 10 ** 12 for i in range(n)))]
        commands += [("SADD", "set:%d" % n, *("member %d" % (i * i) for i in range(n)))]
        commands += [("ZADD", "zset:%d" % n, *pairs(n, lambda i: (i / 7, "member %d" % i)))]
        commands += [("RPUSH", "list:%d" % n, *("element %d" % i for i in range(n))), ("RPUSH", "numbers:%d" % n, *range(n))]
    commands += [("HSET", "long:hash", "f", "x" * 65), ("SADD", "long:set", "x" * 65), ("ZADD", "long:zset", 1, "x" * 65)]
    commands += [("RPUSH", "long:list", *("x" * 9000 for _ in range(5)))]
    commands += [("SELECT", 5), ("SET", "text:1", "z"), ("SELECT", 0)]
    for reply in c.pipeline(commands):
        assert not isinstance(reply, resp.RespError), reply


def stream(key, entries, groups, consumers, pending):
    r, ms = random.Random(entries), 1700000000000
    commands = []
    for i in range(entries):
        ms += r.randrange(1, 3000)
        commands.append(("XADD", key, "%d-%d" % (ms, r.randrange(3)), "kind", "click", "page", "/p/%d" % i))
    for g in range(groups):
        commands.append(("XGROUP", "CREATE", key, "group%d" % g, 0))
        commands += [("XREADGROUP", "GROUP", "group%d" % g, "consumer %d" % k, "COUNT", pending, "STREAMS", key, ">")
                     for k in range(consumers)]
    return commands


class MemoryTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="rdb-memory-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def path(self, name="dump.rdb"):
        return os.path.join(self.dir, name)

    def redis(self, *args):
        server = resp.start_redis_server(self.dir, "--save", "", "--enable-debug-command", "yes", *args)
        self.addCleanup(server.stop)
        return server, server.client()

    def memory(self, *args, form="json"):
        status, out, err = tool(*args, "--format=" + form, text=False)
        self.assertEqual((status, err), (0, b""))
        return json.loads(out) if form == "json" else out

    def filled(self, *args):
        server, c = self.redis(*args)
        fill(c)
        c.call("SAVE")
        return server, c


class AsRedisSays(MemoryTest):
    def test_each_key_takes_what_memory_usage_says(self):
        server, c = self.filled()
        self.assertIn(b"mem_allocator:jemalloc", c.call("INFO", "memory"))
        c.call("DEBUG", "RELOAD", "NOSAVE")
        rows = self.memory("--keys", "--redis=7.0", "--allocator=system", self.path())
        self.assertEqual(len(rows), sum(self.size(c, db) for db in (0, 5)))
        seen = set()
        for row in rows:
            self.assert_as_redis(c, row)
            seen.add((row["type"], row["encoding"]))
        self.assertEqual(len(seen), 10, seen)

    def assert_as_redis(self, c, row, delta=0.0):
        c.call("SELECT", row["db"])
        key = row["key"].encode("utf-8", "surrogateescape")
        encoding, usage = c.call("OBJECT", "ENCODING", key).decode(), c.call("MEMORY", "USAGE", key, "SAMPLES", 0)
        self.assertEqual((row["type"], row["encoding"]), (c.call("TYPE", key).decode(), encoding), key)
        # what MEMORY USAGE does not count, or by the size asked for instead of the block's
        more = ENTRY + (EXPIRY if row["ttl_s"] is not None else 0)
        if encoding in ("hashtable", "skiplist"):
            more += 8 + ENTRY * row["elements"]
        if encoding == "quicklist":  # a node and the list: 40 in blocks of 48
            more += 8 + 8 * self.nodes(c, key)
        if encoding == "skiplist":  # levels are a matter of chance
            delta = 0.05 if row["elements"] > 50 else 0.4
        if delta > 0:
            self.assertAlmostEqual((row["memory"] - more) / usage, 1, delta=delta, msg=key)
        else:
            self.assertEqual(row["memory"] - more, usage, key)

    def test_files_of_every_version(self):
        """Plain forms, ziplists, zipmaps: what they become when they are loaded."""
        server, c = self.redis()
        for file in files.files():
            if file.reader != "redis":
                continue
            with open(self.path("old.rdb"), "wb") as f:
                f.write(file.data)
            live.load(server, self.path("old.rdb"))
            rows = self.memory("--keys", "--redis=7.0", "--allocator=system", self.path("old.rdb"))
            self.assertEqual(len(rows), len(file.keys))
            for row in rows:
                if row["type"] == "stream":  # MEMORY USAGE guesses: used_memory, below
                    continue
                # where nodes end in a list of ziplists is not told, and matters only for odd sizes
                self.assert_as_redis(c, row, 0.1 if row["key"] == "list:quicklist" else 0.03)

    def size(self, c, db):
        c.call("SELECT", db)
        return c.call("DBSIZE")

    def nodes(self, c, key):
        words = c.call("DEBUG", "OBJECT", key).decode().split()
        return int(next(w for w in words if w.startswith("ql_nodes:"))[9:])

    def used(self, c):
        return int(next(x for x in c.call("INFO", "memory").split(b"\r\n") if x.startswith(b"used_memory:"))[12:])

    def test_sums_are_what_a_server_takes_more(self):
        cases = {"stream": lambda k: stream(k, 1000, 0, 0, 0), "groups": lambda k: stream(k, 50, 2, 2, 10),
                 "pending": lambda k: stream(k, 1000, 2, 4, 200), "expiring": lambda k: [("SET", k, "x" * 100, "EX", 9999)],
                 "hash": lambda k: [("HSET", k, *pairs(100, lambda i: ("f%d" % i, "v" * 70)))],
                 "zset": lambda k: [("ZADD", k, *pairs(300, lambda i: (i, "member%d" % i)))],
                 "set": lambda k: [("SADD", k, *("member%d" % i for i in range(300)))],
                 "list": lambda k: [("RPUSH", k, *("member%d" % i for i in range(3000)))]}
        _, c = self.redis()
        for name, make in cases.items():
            copies = 20000 if name == "expiring" else 60 if name in ("stream", "pending", "list") else 400
            c.call("FLUSHALL")
            c.call("DEBUG", "RELOAD")
            before = self.used(c)
            commands = [x for i in range(copies) for x in make("key:%05d" % i)]
            for at in range(0, len(commands), 1000):
                for reply in c.pipeline(commands[at:at + 1000]):
                    self.assertNotIsInstance(reply, resp.RespError)
            c.call("DEBUG", "RELOAD")
            took = self.used(c) - before
            total = self.memory("--redis=7.0", "--allocator=system", self.path())["total"]
            self.assertAlmostEqual((total["memory"] + total["tables"]) / took, 1, delta=0.03, msg=name)


class Views(MemoryTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.mkdtemp(prefix="rdb-memory-")
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        server = resp.start_redis_server(cls.shared, "--save", "")
        fill(server.client())
        server.client().call("SAVE")
        server.stop()
        cls.dump = os.path.join(cls.shared, "dump.rdb")

    def test_sums_are_those_of_the_keys(self):
        rows, all_of = self.memory("--keys", self.dump), self.memory(self.dump)
        total = {"keys": len(rows), **{k: sum(r[k] for r in rows) for k in ("memory", "record_bytes", "elements")}}
        total["expiring"] = sum(r["ttl_s"] is not None for r in rows)
        total["largest_key"] = max(r["memory"] for r in rows)
        self.assertEqual({k: all_of["total"][k] for k in total}, total)
        for part in ("databases", "encodings", "sizes", "ttls"):
            for name in ("keys", "memory", "record_bytes", "elements", "expiring"):
                self.assertEqual(sum(x[name] for x in all_of[part]), total[name], (part, name))
        for e in all_of["encodings"]:
            mine = [r["memory"] for r in rows if (r["type"], r["encoding"]) == (e["type"], e["encoding"])]
            self.assertEqual((len(mine), sum(mine)), (e["keys"], e["memory"]))
        self.assertLess(total["record_bytes"], os.path.getsize(self.dump))
        self.assertEqual(self.memory(self.dump, self.dump)["total"]["memory"], 2 * total["memory"])

    def test_top_by_each_measure(self):
        rows = self.memory("--keys", self.dump)
        names = {"memory": "memory", "size": "record_bytes", "elements": "elements", "largest": "largest_bytes", "ttl": "ttl_s", "idle": "idle_s", "freq": "freq"}
        for by, column in names.items():
            for n in (0, 3, 1000):
                got = self.memory("--by=" + by, "-N", str(n), self.dump)
                want = sorted((r for r in rows if r[column] is not None), key=lambda r: -r[column])[:n]  # stable: first come, first
                for r in got["top"]:  # a long name is cut, and says so
                    r["key"] += "n" * (r.pop("key_bytes", len(r["key"])) - len(r["key"]))
                self.assertEqual((got["top_by"], got["top"]), (by, want))

    def test_csv_has_what_json_has(self):
        rows = self.memory("--keys", self.dump)
        text = self.memory("--keys", self.dump, form="csv").decode("utf-8", "surrogateescape")
        got = list(csv.DictReader(io.StringIO(text, newline="")))
        self.assertEqual(got, [{k: "" if v is None else str(v) for k, v in r.items()} for r in rows])
        self.assertIn("a,\"b\"\n", [r["key"] for r in got])
        self.assertIn(b"\xff\xfe\x00:\xe2\x80\xa8 x", [r["key"].encode("utf-8", "surrogateescape") for r in rows])

    def test_prefixes_are_those_of_the_names(self):
        rows, got = self.memory("--keys", self.dump), self.memory("--prefixes", "--depth=2", self.dump)
        want = {"": rows}
        for r in rows:
            for level in (1, 2):
                if r["key"].count(":") >= level:
                    want.setdefault(":".join(r["key"].split(":")[:level]) + ":", []).append(r)
        self.assertEqual({p["prefix"]: (p["keys"], p["memory"], p["elements"]) for p in got},
                         {p: (len(r), sum(x["memory"] for x in r), sum(x["elements"] for x in r)) for p, r in want.items()})
        for p in got:
            self.assertEqual(sum(p["sizes"].values()), p["keys"])
            self.assertEqual((p["missed_at_most"], p["folded_prefixes"]), (0, 0))
        text = self.memory("--prefixes", "--depth=2", self.dump, form="csv").decode("utf-8", "surrogateescape")
        self.assertEqual([(r["prefix"], r["memory"]) for r in csv.DictReader(io.StringIO(text, newline=""))],
                         [(p["prefix"], str(p["memory"])) for p in got])

    def test_other_separators_and_patterns(self):
        by_name = {p["prefix"]: p["keys"] for p in self.memory("--prefixes", "--separator", "et:", self.dump)}
        self.assertEqual({k: by_name[k] for k in ("set:", "zset:")}, {"set:": 9, "zset:": 9})
        by_name = {p["prefix"]: p["keys"] for p in self.memory("--prefixes", "--pattern", "^([a-z]+):[0-9]+$", self.dump)}
        self.assertEqual(by_name["hash"], 9)
        self.assertNotIn("long", by_name)
        self.assertEqual(by_name[""], len(self.memory("--keys", self.dump)))

    def test_for_people(self):
        status, out, err = tool(self.dump)
        self.assertEqual((status, err), (0, ""))
        for word in ("string/embstr", "set/intset", "Sizes of keys", "Keys with most memory", "\"text:\"", "\"list:\""):
            self.assertIn(word, out)
        status, out, _ = tool("--keys", self.dump)
        self.assertIn("\\xff\\xfe\\x00:\\xe2\\x80\\xa8 x", out)
        self.assertEqual(len(out.splitlines()), 1 + len(self.memory("--keys", self.dump)))
        self.assertRegex(tool("--prefixes", self.dump)[1], r"\[[ .:=+*#%@-]+\] +\S+ \S+ +\"text:\"\n")

    def test_a_report_is_one_page_with_its_data(self):
        """What a browser makes of it: test_rdb_report.py."""
        path = self.path("report.html")
        p = subprocess.run([resp.STILLFRAME_RDB, "report", self.dump, "-o", path], capture_output=True, text=True, timeout=300)
        self.assertEqual((p.returncode, p.stdout, p.stderr), (0, "", ""))
        with open(path, encoding="utf-8") as f:
            text = f.read()
        data = text.split('<script id="data" type="application/json">')[1].split("</script>")[0]
        self.assertNotIn("<", data)
        data, want = json.loads(data), self.memory("-N", "100", self.dump)
        self.assertEqual({k: data["total"][k] for k in want["total"]}, want["total"])
        self.assertEqual([r["key"] for r in data["top"]["memory"]], [r["key"] for r in want["top"]])
        self.assertEqual(sum(c["m"] for c in data["tree"]["c"]) + data["tree"]["f"][2],
                         sum(p["memory"] for p in want["prefixes"] if p["level"] == 1))
        self.assertTrue(text.endswith("</html>\n"))

    def test_a_report_is_not_poured_into_a_terminal(self):
        here, there = pty.openpty()
        try:
            p = subprocess.run([resp.STILLFRAME_RDB, "report", self.dump], stdout=there, stderr=subprocess.PIPE, timeout=120)
        finally:
            os.close(there)
            os.close(here)
        self.assertEqual(p.returncode, 2)
        self.assertIn(b"-o report.html", p.stderr)

    def test_selection_and_output_file(self):
        path = self.path("out.json")
        status, out, err = tool("--keys", "--match=hash:*", "--elements=400-", "--format=json", "-o", path, self.dump)
        self.assertEqual((status, out, err), (0, "", ""))
        with open(path) as f:
            self.assertEqual(sorted(r["elements"] for r in json.load(f)), [400, 512, 513, 1000, 5000])

    def test_wrong_options(self):
        for args in (["--keys", "--prefixes"], ["-N", "1001"], ["--depth=0", "--prefixes"], ["--depth=17", "--prefixes"],
                     ["--separator=", "--prefixes"], ["--pattern=(", "--prefixes"], ["--by=beauty"]):
            status, out, err = tool(*args, self.dump)
            self.assertEqual((status, out), (2, ""), args)
            self.assertIn("stillframe-rdb: ", err)

    def test_a_damaged_file_is_said(self):
        with open(self.dump, "rb") as f, open(self.path(), "wb") as g:
            g.write(f.read()[:-2000])
        status, out, err = tool(self.path())
        self.assertEqual(status, 1)
        self.assertIn(self.path() + ": byte ", err)
        self.assertIn("keys", out)


class Prefixes(MemoryTest):
    def test_more_prefixes_than_there_is_room_for(self):
        """A big one is exact or says by how much it may be off; the rest is folded, and the sums
        above stay exact."""
        _, c = self.redis()
        for at in range(0, 150000, 5000):
            commands = [("SET", "user:%d:x" % i, "y") for i in range(at, at + 5000)]
            commands += [("SET", "big:%d:%d" % (i % 3, i), "z" * 60) for i in range(at, at + 300)]
            c.pipeline(commands)
        c.call("SAVE")
        rows, got = self.memory("--keys", self.path()), self.memory("--prefixes", self.path())
        got = {p["prefix"]: p for p in got}
        self.assertLessEqual(len(got), 16384)
        for name in ("", "user:", "big:"):
            mine = [r["memory"] for r in rows if r["key"].startswith(name)]
            self.assertEqual((got[name]["keys"], got[name]["memory"]), (len(mine), sum(mine)))
        self.assertGreater(got["user:"]["folded_prefixes"], 100000)
        children = [p for p in got.values() if p["level"] == 2 and p["prefix"].startswith("user:")]
        self.assertEqual(sum(p["memory"] for p in children) + got["user:"]["folded_memory"], got["user:"]["memory"])
        for i in range(3):
            mine, told = sum(r["memory"] for r in rows if r["key"].startswith("big:%d:" % i)), got["big:%d:" % i]
            self.assertLessEqual(told["memory"], mine)
            self.assertLessEqual(mine, told["memory"] + told["missed_at_most"])
        self.say_error(got[""]["memory"])

    def say_error(self, memory):
        sample = self.memory("--sample=5", "--seed=3", self.path())
        self.assertAlmostEqual(sample["sample"], 0.05)
        error = sample["total"]["memory_error"]
        self.assertGreater(error, 0.003 * memory)
        self.assertLess(error, 0.05 * memory)
        self.assertLess(abs(sample["total"]["memory"] - memory), 2 * error)
        self.assertRegex(tool("--sample=5", self.path())[1], r"sample +\S+ keys, 5 % of all.* within .* 19 times out of 20")
        self.assertNotIn("memory_error", self.memory(self.path())["total"])


if __name__ == "__main__":
    unittest.main()
