#!/usr/bin/env python3
"""Dumps that others wrote, well and badly: what the server makes of them, what it says, what a save keeps."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from dump_bytes import EMPTY_ZIPLIST, key, listpack, payload, rdb, stream, stream_node, string  # noqa: E402


class DumpTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="dumps-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.dump = os.path.join(self.dir, "dump.rdb")

    def write(self, data):
        with open(self.dump, "wb") as f:
            f.write(data)

    def start(self, *args):
        server = resp.start_stillframe(self.dir, "--save", "", "--enable-debug-command", "yes", *args)
        self.addCleanup(server.stop)
        return server

    def tool(self, *args):
        p = subprocess.run([resp.STILLFRAME_RDB, *args, self.dump], capture_output=True, text=True, timeout=300)
        return p.returncode, p.stdout, p.stderr


FIVE_SIX = [(0, False), (1, False)]

# What is wrong, and does not keep a dump from being read: the value, what is said of it, what it then is.
FINDINGS = [
    (1, b"\0", "an empty list: left out", None),
    (10, string(EMPTY_ZIPLIST), "an empty list: left out", None),
    (14, b"\0", "an empty list: left out", None),
    (18, b"\0", "an empty list: left out", None),
    (18, b"\1\2" + string(listpack()), "an empty list: left out", None),
    (2, b"\0", "an empty set: left out", None),
    (11, string(b"\2\0\0\0\0\0\0\0"), "an empty set: left out", None),
    (20, string(listpack()), "an empty set: left out", None),
    (4, b"\0", "an empty hash: left out", None),
    (9, string(b"\0\xff"), "an empty hash: left out", None),
    (13, string(EMPTY_ZIPLIST), "an empty hash: left out", None),
    (16, string(listpack()), "an empty hash: left out", None),
    (3, b"\0", "an empty sorted set: left out", None),
    (5, b"\0", "an empty sorted set: left out", None),
    (12, string(EMPTY_ZIPLIST), "an empty sorted set: left out", None),
    (17, string(listpack()), "an empty sorted set: left out", None),
    (18, b"\2\2" + string(listpack()) + b"\2" + string(listpack(b"a")),
     "a list's node without an element: left out", (("LRANGE", 0, -1), [b"a"])),
    (18, b"\1\2" + string(listpack(b"a", b"b", count=5)),
     "the list's listpack claims 5 elements and has 2: counted anew", (("LLEN",), 2)),
    (16, string(listpack(b"a", 1, b"b", 2, count=2)),
     "the hash's listpack claims 2 elements and has 4: counted anew", (("HLEN",), 2)),
    (20, string(listpack(b"a", b"b", count=1)),
     "the set's listpack claims 1 elements and has 2: counted anew", (("SCARD",), 2)),
    (17, string(listpack(b"a", 5, b"b", 3)), "the sorted set's listpack is not in order: put in order",
     (("ZRANGE", 0, -1), [b"b", b"a"])),
    (15, stream(15, [stream_node(5, FIVE_SIX)], 6, 9), "a stream claims 6 entries and has 2: counted anew",
     (("XLEN",), 2)),
    (19, stream(19, [stream_node(5, FIVE_SIX)], 6, 9, added=7), "a stream claims 6 entries and has 2: counted anew",
     (("XLEN",), 2)),
    (19, stream(19, [stream_node(5, FIVE_SIX)], 2, 9, added=1),
     "a stream of 2 entries claims that 1 were added: counted anew", (("XLEN",), 2)),
    (19, stream(19, [stream_node(5, FIVE_SIX)], 2, 3, added=2),
     "a stream's last ID 3-0 is below that of an entry: raised to it", (("XREVRANGE", "+", "-", "COUNT", 1),
                                                                       [[b"6-0", [b"f", b"v"]]])),
    (19, stream(19, [stream_node(5, FIVE_SIX, live=9)], 2, 9, added=2),
     "a stream's node has a wrong number of entries: read without its deleted entries", (("XLEN",), 2)),
    (19, stream(19, [stream_node(5, [(0, False), (9, True), (1, False)], deleted=1)], 2, 9, added=3),
     "a stream's node has entries out of order: read without its deleted entries", (("XLEN",), 2)),
]


class Findings(DumpTest):
    def test_tool_and_server_name_the_same_keys_and_judge_them_alike(self):
        self.write(rdb(*(key(kind, b"key:%d" % i, value) for i, (kind, value, _, _) in enumerate(FINDINGS)), version=12))
        status, out, err = self.tool("check")
        self.assertEqual(status, 0, err)
        self.assertIn("can be loaded, but see what was found", out)
        by_tool = re.findall(r'^stillframe-rdb: .*: byte (\d+): (.*) \(key "(.*)"\)$', err, re.M)
        server = self.start()
        by_log = re.findall(r"Loading the dump: at offset (\d+): (.*) \(key '(.*)'\)$", server.log(), re.M)
        self.assertEqual(len(by_tool), len(FINDINGS) + 1)  # the empty node of an empty list besides
        few = {f: n for n, f in enumerate(by_tool) if "empty" not in f[1]}
        self.assertEqual([f for f in by_log if "empty" not in f[1]], sorted(few, key=few.get))
        self.assertEqual([f for f in by_log if "empty" in f[1]], [f for f in by_tool if "empty" in f[1]][:10])
        self.assertIn("Loading the dump: 16 keys without an element in all: left out", server.log())
        self.assertIn("empty keys skipped: 16.", server.log())
        for i, (_, _, text, _) in enumerate(FINDINGS):
            self.assertIn((text, "key:%d" % i), [f[1:] for f in by_tool])
        with server.client() as c:
            for i, (_, _, text, then) in enumerate(FINDINGS):
                with self.subTest(text=text):
                    if then is None:
                        self.assertEqual(c.call("EXISTS", "key:%d" % i), 0)
                    else:
                        self.assertEqual(c.call(then[0][0], "key:%d" % i, *then[0][1:]), then[1])
            digest = c.call("DEBUG", "DIGEST")
            c.call("SAVE")
            self.assertEqual(self.tool("check")[2], "")  # what was mended stays so
            c.call("DEBUG", "RELOAD", "NOSAVE")
            self.assertEqual(c.call("DEBUG", "DIGEST"), digest)

    def test_restore_takes_what_a_dump_may_have_but_no_empty_collection(self):
        server = self.start()
        with server.client() as c:
            for kind, value, text, then in FINDINGS:
                with self.subTest(kind=kind, text=text):
                    c.call("DEL", "k")
                    if then is None:
                        with self.assertRaisesRegex(resp.RespError, "^ERR Bad data format$"):
                            c.call("RESTORE", "k", 0, payload(bytes([kind]) + value))
                    else:
                        c.call("RESTORE", "k", 0, payload(bytes([kind]) + value))
                        self.assertEqual(c.call(then[0][0], "k", *then[0][1:]), then[1])
                        self.assertIn("RESTORE: %s (key 'k')" % text, server.log())

    def test_a_stream_that_redis_let_fall_behind_its_deleted_entries(self):
        """XSETID of 7.0 goes below deleted entries: new ones then stand behind them, in the same node."""
        redis = resp.start_redis_server(self.dir, "--save", "")
        self.addCleanup(redis.stop)
        with redis.client() as c:
            for command in ("XADD s 1-0 f v", "XADD s 2-0 f v", "XADD s 3-0 f v", "XDEL s 3-0"):
                c.call(*command.split())
            try:
                c.call("XSETID", "s", "2-0")
            except resp.RespError:
                self.skipTest("this redis-server does not do that any more")
            c.call("COPY", "s", "fallen")
            c.call("XADD", "s", "2-1", "f", "v")
            entries = c.call("XRANGE", "s", "-", "+")
            c.call("SAVE")
        redis.stop()
        with self.start().client() as c:
            self.assertEqual(c.call("XRANGE", "s", "-", "+"), entries)
            self.assertEqual(c.call("XADD", "s", "2-2", "f", "v"), b"2-2")
            self.assertEqual(c.call("XADD", "fallen", "2-1", "f", "v"), b"2-1")
            c.call("DEBUG", "RELOAD")
            self.assertEqual(c.call("XLEN", "s"), 4)


class OneValue(DumpTest):
    def test_restore_takes_one_value_and_nothing_else(self):
        empty, second = b"\x01\x00", key(0, b"x", string(b"y"))
        payloads = [empty + second, empty, b"\x00" + string(b"v") + second, b"\x00" + string(b"v") + b"\xff",
                    b"\xfe\x01" + second, b"\xfd\xff\xff\xff\x7f" + second, b"\xfc" + b"\x7f" * 8 + second,
                    b"\xfa" + string(b"a") + string(b"b") + second, b"\xf9\x05" + second, b"\xf8\x05" + second,
                    b"\xfb\x01\x01" + second, b"\xf5" + string(b"#!lua name=x"), b"", b"\xff"]
        # between an empty value and another one
        payloads += [empty + p + second for p in payloads[4:11]]
        with self.start().client() as c:
            for p in payloads:
                with self.subTest(payload=p):
                    with self.assertRaisesRegex(resp.RespError, "^ERR Bad data format$"):
                        c.call("RESTORE", "k", 0, payload(p))
                    self.assertEqual([c.call("DBSIZE"), c.call("EXISTS", "k", "x")], [0, 0])

    def test_a_lists_node_that_is_one_element_is_not_empty(self):
        for value in (b"\x12\x01\x01\x00", b"\x12\x02\x01\x00\x01\x01a", b"\x12\x02\x02" + string(listpack(b"a")) + b"\x01\x00"):
            with self.subTest(value=value):
                self.write(rdb(bytes([value[0]]) + string(b"l") + value[1:]))
                self.assertEqual(self.tool("check")[0], 1)
                with self.assertRaises(resp.StartError) as e:
                    self.start()
                self.assertIn("a list's node that is one element is empty", e.exception.log)
        os.remove(self.dump)
        with self.start().client() as c:
            with self.assertRaisesRegex(resp.RespError, "Bad data format"):
                c.call("RESTORE", "l", 0, payload(b"\x12\x01\x01\x00"))


if __name__ == "__main__":
    unittest.main()
