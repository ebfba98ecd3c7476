#!/usr/bin/env python3
"""stillframe-rdb resp and aof: what each option does, and what happens with damage, huge values and
servers that know less than the file."""
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from dump_bytes import crc64, key, length, listpack, module_id, payload, rdb, string  # noqa: E402
from golden import files, forms, live  # noqa: E402

RELEASE = os.environ.get("STILLFRAME_FLAVOUR", "release") == "release"
PAST_MS = 1500000000000


def expires(ms):
    return b"\xfc" + struct.pack("<q", ms)


class RespTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="resp-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def write(self, data, name="dump.rdb"):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def run_tool(self, *args):
        p = subprocess.run([resp.STILLFRAME_RDB, *args], capture_output=True, timeout=300)
        return p.returncode, p.stdout, p.stderr.decode()

    def commands(self, data, *options, said=""):
        status, out, err = self.run_tool("resp", *options, self.write(data))
        self.assertEqual((status, err), (0, said), options)
        return live.commands(out)

    def redis(self, *args):
        server = resp.start_redis_server(self.dir, "--save", "", "--enable-debug-command", "yes", *args)
        self.addCleanup(server.stop)
        return server


class Names(RespTest):
    DATA = rdb(b"\xfe\x03", key(0, b"user:1", string(b"a")), key(0, b"user", string(b"b")), key(2, b"x=1", forms.strings([b"m"])),
               b"\xfe\x05", key(0, b"session:\xff", string(b"c")))

    def names(self, *options):
        return [words[1] for words in self.commands(self.DATA, *options)]

    def test_prefixes_are_replaced(self):
        self.assertEqual(self.names("--rename=user:=u/", "--rename=sess=", "--rename=x\\x3d=\\x00y="),
                         [b"3", b"u/1", b"user", b"\0y=1", b"5", b"ion:\xff"])
        self.assertEqual(self.names("--rename=x\\==z"), [b"3", b"user:1", b"user", b"z1", b"5", b"session:\xff"])
        self.assertEqual(self.names("--rename==new:", "--restore"), [b"3", b"new:user:1", b"new:user", b"new:x=1", b"5", b"new:session:\xff"])

    def test_databases_are_mapped(self):
        self.assertEqual(self.names("--db-map=3=0", "--db-map=5=0"), [b"0", b"user:1", b"user", b"x=1", b"session:\xff"])
        self.assertEqual(self.names("--db-map=5=3"), [b"3", b"user:1", b"user", b"x=1", b"session:\xff"])

    def test_what_is_no_pair_is_told(self):
        for option, said in (("--rename=x", "not FROM=TO"), ("--db-map=x=1", "not N=M"), ("--for=redis-1.0", "there is no such server; known are redis-2.6"), ("--for=redis-4.0", "convert"), ("--expired=no", "")):
            status, out, err = self.run_tool("resp", option, self.write(self.DATA))
            self.assertEqual((status, out), (2, b""), option)
            self.assertIn(said, err)

    def test_selected_keys_only_and_then_no_functions(self):
        data = rdb(b"\xf5" + string(files.LIBRARY), key(0, b"a", string(b"1")), key(0, b"b", string(b"2")))
        self.assertEqual([w[:2] for w in self.commands(data)],
                         [[b"FUNCTION", b"LOAD"], [b"SELECT", b"0"], [b"SET", b"a"], [b"SET", b"b"]])
        self.assertEqual([w[:2] for w in self.commands(data, "--match=b")], [[b"SELECT", b"0"], [b"SET", b"b"]])


class Times(RespTest):
    DATA = rdb(expires(PAST_MS) + key(0, b"past", string(b"a")), expires(PAST_MS) + key(2, b"past set", forms.strings([b"m"])),
               expires(files.FAR_MS) + key(0, b"far", string(b"b")), expires(-5) + key(0, b"long past", string(b"c")),
               key(0, b"never", string(b"d")))

    def times(self, *options):
        return {w[1]: int(w[2]) for w in self.commands(self.DATA, *options) if w[0] == b"PEXPIREAT"}

    def made(self, *options):
        return [w[1] for w in self.commands(self.DATA, *options) if w[0] in (b"SET", b"SADD", b"RESTORE")]

    def test_keys_whose_time_is_over(self):
        everything = [b"past", b"past set", b"far", b"long past", b"never"]
        self.assertEqual(self.times(), {b"past": PAST_MS, b"past set": PAST_MS, b"far": files.FAR_MS, b"long past": 1})
        self.assertEqual(self.times("--expired=persist"), {b"far": files.FAR_MS})
        self.assertEqual(self.times("--expired=drop"), {b"far": files.FAR_MS})
        for form in ((), ("--restore",)):
            self.assertEqual(self.made(*form), everything)
            self.assertEqual(self.made("--expired=persist", *form), everything)
            self.assertEqual(self.made("--expired=drop", *form), [b"far", b"never"])
        restored = {w[1]: int(w[2]) for w in self.commands(self.DATA, "--restore") if w[0] == b"RESTORE"}
        self.assertEqual(restored, {b"past": PAST_MS, b"past set": PAST_MS, b"far": files.FAR_MS, b"long past": 1, b"never": 0})

    def test_a_server_drops_them(self):
        server = self.redis()
        path = self.write(self.DATA, "times.rdb")
        for form in ((), ("--restore",), ("--restore", "--replace")):
            live.empty(server)
            self.assertEqual(live.pipe(server, self.run_tool("resp", *form, path)[1])[0], 0)
            self.assertEqual({k: t for (_, k), (_, _, t) in live.state(server).items()}, {b"far": files.FAR_MS, b"never": -1})


class Replaced(RespTest):
    DATA = rdb(key(0, b"s", string(b"new")), key(1, b"l", forms.strings([b"a", b"b"])), key(4, b"h", forms.pairs([(b"f", b"v")])))

    def test_keys_that_are_there_make_room(self):
        server = self.redis()
        path = self.write(self.DATA, "replaced.rdb")
        for form in ((), ("--restore",)):
            with server.client() as c:
                c.call("FLUSHALL")
                c.call("SET", "l", "another type")
                c.call("HSET", "h", "g", "w")
                c.call("SET", "s", "old", "EX", 1000)
            errors, _, said = live.pipe(server, self.run_tool("resp", *form, path)[1])
            self.assertEqual(errors, 3 if form else 1)
            self.assertIn("BUSYKEY" if form else "WRONGTYPE", said)
            self.assertEqual(live.pipe(server, self.run_tool("resp", "--replace", *form, path)[1])[0], 0)
            self.assertEqual({k: (v, t) for (_, k), (_, v, t) in live.state(server).items()},
                             {b"s": (b"new", -1), b"l": ([b"a", b"b"], -1), b"h": ({b"f": b"v"}, -1)})


class OlderServers(RespTest):
    """--for"""

    def test_what_a_server_does_not_know_is_left_out_and_told(self):
        value = files.hash_expiring(24, 12, [(b"f", b"v"), (b"g", b"w")], {b"g": files.FAR_MS})
        stream = files.stream_value(21, files.ENTRIES, deleted={(5, 2)}, groups={b"g": ((7, 0), 3, {})})
        data = rdb(b"\xf5" + string(files.LIBRARY), key(24, b"h", value.written), key(21, b"x", stream.written), version=12)
        said = [("function libraries", 1), ("expiry times of hash fields", 1), ("counters of streams and groups", 2)]
        for server, lines in (("redis-6.2", said), ("redis-7.0", said[1:2]), ("valkey-8", said[1:2]), ("redis-7.4", [])):
            name = server.replace("valkey-8", "valkey-8.0")
            told = "".join("stillframe-rdb: %s left out, %s has none: %d\n" % (what, name, n) for what, n in lines)
            verbs = [w[0] for w in self.commands(data, "--for=" + server, said=told)]
            self.assertEqual(b"FUNCTION" in verbs, server != "redis-6.2")
            self.assertEqual(b"HPEXPIREAT" in verbs, not said[1] in lines)
            words = next(w for w in self.commands(data, "--for=" + server, "-q") if w[0] == b"XSETID")
            self.assertEqual(len(words), 3 if server == "redis-6.2" else 7)

    def test_values_that_are_too_new_come_as_commands(self):
        data = rdb(key(20, b"s", string(listpack(b"a"))), key(0, b"k", string(b"v")), key(17, b"z", string(listpack(b"m", 1))), version=11)
        for server, verbs in (("redis-6.2", [b"SADD", b"RESTORE", b"ZADD"]), ("redis-7.0", [b"SADD", b"RESTORE", b"RESTORE"]),
                              ("redis-7.2", [b"RESTORE"] * 3), ("valkey-9", [b"RESTORE"] * 3)):
            self.assertEqual([w[0] for w in self.commands(data, "--restore", "--for=" + server)][1:], verbs)

    def test_the_version_of_a_payload_is_as_low_as_can_be(self):
        data = rdb(key(0, b"k", string(b"v")), key(20, b"s", string(listpack(b"a"))), version=12)
        found = {w[1]: w[3] for w in self.commands(data, "--restore") if w[0] == b"RESTORE"}
        self.assertEqual(found, {b"k": payload(b"\0" + string(b"v"), 6), b"s": payload(b"\x14" + string(listpack(b"a")), 11)})


class Streams(RespTest):
    def test_what_is_pending_of_deleted_entries_needs_restore(self):
        server = self.redis()
        with server.client() as c:
            for i in (1, 2, 3):
                c.call("XADD", "x", "%d-0" % i, "f", "v")
            c.call("XGROUP", "CREATE", "x", "g", 0)
            c.call("XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">")
            c.call("XDEL", "x", "2-0")
            c.call("SAVE")
        for form, pending in (((), {(1, 0), (3, 0)}), (("--restore",), {(1, 0), (2, 0), (3, 0)})):
            live.empty(server)
            out = self.run_tool("resp", *form, os.path.join(self.dir, "dump.rdb"))[1]
            self.assertEqual(live.pipe(server, out)[0], 0)
            groups = live.state(server)[0, b"x"][1]["groups"]
            self.assertEqual(set(groups[b"g"][2][b"c"]), pending)

    def test_what_is_pending_is_claimed_many_at_a_time(self):
        entries = {(i, 0): [(b"f", b"v")] for i in range(1, 101)}
        groups = {b"g": ((100, 0), 100, {b"c": (1, 1, {(i, 0): (1700000000000 + i // 50, 1) for i in range(1, 101)})})}
        written = forms.stream(19, [forms.stream_node(sorted(entries.items()))], 100, (100, 0), (1, 0), (0, 0), 100,
                               [forms.stream_group(19, name, *told) for name, told in groups.items()])
        claims = [w for w in self.commands(rdb(key(19, b"x", written))) if w[0] == b"XCLAIM"]
        self.assertEqual([len(w) - 11 for w in claims], [49, 50, 1])
        self.assertEqual(claims[1][-6:], [b"TIME", b"1700000000001", b"RETRYCOUNT", b"1", b"FORCE", b"JUSTID"])


class Damage(RespTest):
    def test_a_broken_file_leaves_no_file_behind(self):
        data = rdb(key(0, b"k", string(b"v" * 100)), key(0, b"l", string(b"w" * 100)))
        path, out = self.write(data[:150]), os.path.join(self.dir, "out")
        for command in ("resp", "aof"):
            for form in ((), ("--restore",)):
                status, _, err = self.run_tool(command, *form, "-o", out, path)
                self.assertEqual((status, os.path.exists(out)), (1, False))
                self.assertRegex(err, r'stillframe-rdb: .*dump\.rdb: byte \d+: .* \(key "l"\)')

    def test_keys_without_an_element_are_none(self):
        data = rdb(key(2, b"empty", length(0)), key(0, b"k", string(b"v")), key(4, b"empty hash", length(0)))
        path = self.write(data)
        for form, verb in (((), b"SET"), (("--restore",), b"RESTORE"), (("--replace",), b"SET")):
            status, out, err = self.run_tool("resp", *form, path)
            self.assertEqual(([w[:2] for w in live.commands(out)], status), ([[b"SELECT", b"0"], [verb, b"k"]], 0))
            self.assertEqual(err.count("an empty"), 2)
            self.assertEqual(self.run_tool("resp", "-q", *form, path), (0, out, ""))

    def test_values_of_modules_are_skipped_if_that_is_wanted(self):
        module = b"\x81" + struct.pack(">Q", module_id(b"ReJSON-RL", 3))
        data = rdb(b"\xf7" + module + b"\2\1\5" + string(b"x") + b"\0", key(0, b"a", string(b"1")),
                   key(7, b"m", module + b"\2\5\5" + string(b"text") + b"\0"), key(0, b"b", string(b"2")))
        path = self.write(data)
        for form in ((), ("--restore",)):
            status, out, err = self.run_tool("resp", *form, path)
            self.assertEqual((status, out), (1, b""))
            self.assertIn("ReJSON-RL", err)
            status, out, err = self.run_tool("resp", "--skip-unknown", *form, path)
            self.assertEqual(status, 0)
            self.assertRegex(err, r'^stillframe-rdb: \S*dump.rdb: not read: MODULE_AUX .*\n.*: not read: .* byte \d+ \(key "m"\)\n$')
            self.assertEqual(self.run_tool("resp", "-q", "--skip-unknown", *form, path), (0, out, ""))
            self.assertEqual([w[1] for w in live.commands(out)], [b"0", b"a", b"b"])

    def test_a_payload_that_cannot_be_kept_is_told(self):
        path = self.write(rdb(key(0, b"k", string(b"v" * 2000000))))
        out = os.path.join(self.dir, "out")
        p = subprocess.run([resp.STILLFRAME_RDB, "resp", "--restore", "-o", out, path], capture_output=True, timeout=60,
                           env=dict(os.environ, TMPDIR="/nowhere"))
        self.assertEqual((p.returncode, os.path.exists(out)), (1, False))
        self.assertIn(b'a temporary file in /nowhere: No such file or directory (key "k")', p.stderr)

    def test_several_files_go_into_one_output(self):
        paths = [self.write(rdb(b"\xfe\x01", key(0, name, string(b"v"))), name.decode() + ".rdb") for name in (b"a", b"b")]
        out = os.path.join(self.dir, "out")
        self.assertEqual(self.run_tool("resp", "-o", out, *paths), (0, b"", ""))
        with open(out, "rb") as f:
            self.assertEqual(live.commands(f.read()), [[b"SELECT", b"1"], [b"SET", b"a", b"v"], [b"SET", b"b", b"v"]])


class Huge(RespTest):
    """A string and a set of many MB each: no more memory than for small ones.  A child's peak
    counts what its parent had when it was born: this process keeps small until it has seen it."""
    MEGABYTES = 8 if os.environ.get("QUICK") == "1" else 120

    def write_huge(self):
        block = os.urandom(1 << 20)
        path = os.path.join(self.dir, "huge.rdb")
        with open(path, "wb") as f:
            f.write(b"REDIS0009\0\4long\x80" + struct.pack(">I", self.MEGABYTES << 20))
            for _ in range(self.MEGABYTES):
                f.write(block)
            f.write(b"\2\5large\x80" + struct.pack(">I", self.MEGABYTES * 10000))
            for i in range(self.MEGABYTES * 10000):
                f.write(b"\x40\x64%08d" % i + block[:92])
            f.write(b"\xff" + bytes(8))
        return path

    def test_memory_stays_as_it_is(self):
        path = self.write_huge()
        for form in ((), ("--restore",)):
            start = time.monotonic()
            with open(os.path.join(self.dir, "out"), "wb") as out:
                p = subprocess.Popen([resp.STILLFRAME_RDB, "resp", "-q", *form, path], stdout=out)
                _, status, usage = os.wait4(p.pid, 0)
                p.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(p.returncode, 0)
            if RELEASE:
                self.assertLess(usage.ru_maxrss, 64 * 1024, form)
            self.assertLess(time.monotonic() - start, 100)
        with open(os.path.join(self.dir, "out"), "rb") as f:
            data = f.read()
        # the last command is that of the set: its checksum is right
        start = data.rindex(b"RESTORE\r\n$5\r\nlarge\r\n$1\r\n0\r\n$") + len(b"RESTORE\r\n$5\r\nlarge\r\n$1\r\n0\r\n$")
        n, begin = int(data[start:data.index(b"\r", start)]), data.index(b"\n", start) + 1
        self.assertEqual(begin + n + 2, len(data))
        if self.MEGABYTES <= 8:
            self.assertEqual(struct.pack("<Q", crc64(data[begin:begin + n - 8])), data[begin + n - 8:begin + n])
        server = self.redis()
        self.assertEqual(live.pipe(server, data)[:2], (0, 3))
        with server.client() as c:
            self.assertEqual((c.call("STRLEN", "long"), c.call("SCARD", "large")), (self.MEGABYTES << 20, self.MEGABYTES * 10000))


if __name__ == "__main__":
    unittest.main()
