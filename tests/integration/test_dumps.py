#!/usr/bin/env python3
"""Dumps that others wrote, well and badly: what the server makes of them, what it says, what a save
keeps."""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from dump_bytes import (EMPTY_ZIPLIST, key, listpack, module_id, payload, rdb, stream, stream_node,  # noqa: E402
                        string)


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

# What is wrong, and does not keep a dump from being read: the value, what is said of it, what it
# then is.
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
        """XSETID of 7.0 goes below deleted entries: new ones then stand behind them, in the same
        node."""
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


LIBRARY = b"#!lua name=mylib\nredis.register_function('f', function() return 1 end)" + b"-- long " * 20000
OTHER = b"#!lua engine=lua name=other\nreturn 1"


class Twice(DumpTest):
    def test_what_comes_twice_is_refused_by_tool_and_server(self):
        consumer, group = b"\1c" + bytes(9), b"\1g\0\0\0"
        for item, by_tool, by_server in (
                (key(15, b"s", b"\0\0\0\0\2" + 2 * (group + b"\0")), 'the stream has the group "g" twice', "two groups of one name"),
                (key(15, b"s", b"\0\0\0\0\1" + group + b"\2" + 2 * consumer), 'the group has the consumer "c" twice',
                 "two consumers of one name"),
                (key(2, b"s", b"\2\1m\1m"), 'the set has the member "m" twice', "a set with a member twice"),
                (key(4, b"s", b"\2\1m\1v\1m\1v"), 'the hash has the field "m" twice', "a hash with a field twice"),
                (key(5, b"s", b"\2" + 2 * (b"\1m" + bytes(8))), 'the sorted set has the member "m" twice',
                 "a sorted set with a member twice"),
                (2 * key(0, b"s", b"\1v"), "its database has this key twice", "a key twice")):
            with self.subTest(by_tool=by_tool):
                self.write(rdb(item))
                status, _, err = self.tool("check")
                self.assertEqual((status, by_tool in err, '(key "s")' in err), (1, True, True), err)
                with self.assertRaises(resp.StartError) as e:
                    self.start()
                self.assertRegex(e.exception.log, by_server + ".*: key 's'")
        os.remove(self.dump)
        with self.start().client() as c:  # names are a group's own
            c.call("RESTORE", "s", 0, payload(b"\x0f\0\0\0\0\2" + group + b"\1" + consumer + b"\1h\0\0\0\1" + consumer))
            self.assertEqual(len(c.call("XINFO", "GROUPS", "s")), 2)


class Carried(DumpTest):
    """What a dump holds beside keys, of use here or not, goes through a load and a save, or is
    refused by name."""

    def aux(self, name, value):
        return b"\xfa" + string(name) + string(value)

    def function(self, code):
        return b"\xf5" + string(code)

    def keep(self, c, field):
        return int(re.search(rb"%s:(\d+)" % field, c.call("INFO", "persistence")).group(1))

    def test_function_libraries_and_unknown_fields_are_in_the_next_dump(self):
        self.write(rdb(self.aux(b"redis-ver", b"9.9.9"), self.aux(b"lua", b"return 1"), self.aux(b"lua", b"return 2"),
                       self.aux(b"repl-id", b"x" * 40), self.aux(b"my-field", b"12345"), self.function(LIBRARY),
                       self.function(OTHER), self.function(b"no first line"), key(0, b"k", string(b"v"))))
        server = self.start()
        log = server.log()
        unusable = 'The function library "%s" cannot be used here, and its functions cannot be called: %s. It is kept as it is, for the next save.'
        for text in (unusable % ("other", "ERR Invalid metadata value given: engine=lua"),
                     unusable % ("", "ERR Missing library metadata"), "Function libraries loaded: 1, with 1 functions"):
            self.assertEqual(log.count(text), 1, text)
        for part in ("the AUX field lua (a script for EVALSHA) is kept as it is, for the next save",
                     "the AUX field my-field (unknown here) is kept as it is, for the next save",
                     "the AUX field repl-id is not kept: there is no replication"):
            self.assertEqual(log.count("Loading the dump: " + part), 1, part)
        self.assertNotIn("redis-ver", log)
        with server.client() as c:
            self.assertEqual([self.keep(c, f) for f in (b"rdb_kept_libraries", b"rdb_kept_aux_fields")], [2, 3])
            self.assertEqual(c.call("FCALL", "f", 0), 1)
            c.call("FLUSHALL")  # as Redis: functions stay
            c.call("SET", "k2", "v")
            c.call("SAVE")
            with open(self.dump, "rb") as f:
                saved = f.read()
            c.call("BGSAVE")
            c.call("DEBUG", "RELOAD", "NOSAVE")  # while the save reads what it holds
            resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in c.call("INFO", "persistence"))
            c.call("DEBUG", "RELOAD", "MERGE", "NOFLUSH")
            self.assertEqual([self.keep(c, f) for f in (b"rdb_kept_libraries", b"rdb_kept_aux_fields")], [2, 3])
            with self.assertRaisesRegex(resp.RespError, 'two function libraries "mylib"'):
                c.call("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH")
            self.assertEqual(c.call("FCALL", "f", 0), 1)
        self.assertNotIn(b"9.9.9", saved)
        self.assertNotIn(b"repl-id", saved)
        info = self.tool("info")[1]
        self.assertIn("functions    3 libraries: mylib other (without a name)\n", info)
        for line in ("lua           return 1", "lua           return 2", "my-field      12345"):
            self.assertIn(line, info)

    def test_redis_calls_the_functions_of_a_dump_that_was_loaded_and_saved_here(self):
        redis = resp.start_redis_server(self.dir, "--save", "")
        self.addCleanup(redis.stop)
        code = "#!lua name=lib\nredis.register_function('f', function() return 42 end)"
        with redis.client() as c:
            c.call("FUNCTION", "LOAD", code)
            c.call("SAVE")
        redis.stop()
        server = self.start()
        with server.client() as c:
            c.call("SAVE")
        server.stop()
        again = resp.start_redis_server(self.dir, "--save", "")
        self.addCleanup(again.stop)
        with again.client() as c:
            self.assertEqual(c.call("FCALL", "f", 0), 42)

    def test_what_cannot_be_kept_is_refused_by_name(self):
        k = key(0, b"k", string(b"v"))
        rejson = b"\x81" + struct.pack(">Q", module_id(b"ReJSON-RL", 3))
        many = b"".join(self.aux(b"x", b"y") for _ in range(16385))
        for items, text in (
                ([b"\xf7" + rejson + b"\2\0"], "MODULE_AUX (opcode 247) of the module type ReJSON-RL is not read"),
                ([b"\x07" + string(b"k") + rejson + b"\0"],
                 "module value (type 7) of the module type ReJSON-RL is not read"),
                ([b"\xf6" + string(b"f")], "FUNCTION of the 7.0 release candidates (opcode 246) is not read"),
                ([k, self.aux(b"keydb-subexpire-key", b"m")],
                 "the AUX field keydb-subexpire-key (KeyDB's members that expire on their own) is not read"),
                ([self.function(OTHER), self.function(OTHER)], 'there are two function libraries "other"'),
                ([many], "more than 16384 function libraries and AUX fields")):
            with self.subTest(text=text):
                self.write(rdb(*items))
                status, _, err = self.tool("check")
                self.assertEqual((status, text in err), (1, True), err)
                with self.assertRaises(resp.StartError) as e:
                    self.start()
                self.assertIn(text, e.exception.log)
        self.write(rdb(k, version=9)[:9] + b"\x40" + string(b"cron") + b"\0" * 40)
        self.assertIn("KeyDB's cron job (type 64) is not read", self.tool("check")[2])

    def test_fields_among_the_keys_are_read_over_and_named(self):
        expiry = b"\xfc" + struct.pack("<Q", 4102444800000)
        self.write(rdb(key(0, b"a", string(b"v")), expiry, self.aux(b"mvcc-tstamp", b"1"), key(0, b"b", string(b"v")),
                       self.aux(b"mvcc-tstamp", b"2"), key(0, b"c", string(b"v")), self.aux(b"stray", b"1"), version=9))
        status, out, err = self.tool("check")
        self.assertEqual((status, err.count("\n")), (0, 1))
        self.assertIn("the AUX field stray among the keys: not kept", err)
        server = self.start()
        self.assertIn("the AUX field stray among the keys: not kept", server.log())
        self.assertEqual(server.log().count("the AUX field mvcc-tstamp is not kept: KeyDB's"), 1)
        with server.client() as c:
            self.assertEqual(c.call("PEXPIRETIME", "b"), 4102444800000)
            self.assertEqual(c.call("PEXPIRETIME", "c"), -1)


class Use(DumpTest):
    def test_a_restart_keeps_how_long_and_how_often_keys_were_used(self):
        for policy, option, value, ask in (("allkeys-lru", "IDLETIME", 1000, "IDLETIME"), ("volatile-lfu", "FREQ", 150, "FREQ")):
            server = self.start("--maxmemory-policy", policy)
            with server.client() as c:
                c.call("SET", "fresh", "v")
                c.call("RESTORE", "k", 0, payload(b"\0" + string(b"v")), option, value)
                c.call("BGSAVE")
                resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in c.call("INFO", "persistence"))
            server.stop()
            for again in (self.start("--maxmemory-policy", policy),
                          resp.start_redis_server(self.dir, "--save", "", "--maxmemory-policy", policy)):
                with again.client() as c:
                    self.assertAlmostEqual(c.call("OBJECT", ask, "k"), value, delta=3)
                    self.assertLess(c.call("OBJECT", ask, "fresh"), 10)
                again.stop()
            os.remove(self.dump)

    def test_a_dump_of_redis_brings_them_and_ours_has_them_where_redis_has(self):
        """The same opcodes at the same keys, under each policy."""
        for policy in ("noeviction", "allkeys-lru", "volatile-lru", "allkeys-lfu", "volatile-lfu", "allkeys-random", "volatile-ttl"):
            opcodes = []
            for start in (resp.start_stillframe, resp.start_redis_server):
                server = start(self.dir, "--save", "", "--maxmemory-policy", policy)
                with server.client() as c:
                    c.call("SET", "key", "value", "PXAT", 4102444800000)
                    c.call("SAVE")
                server.stop()
                with open(self.dump, "rb") as f:
                    data = f.read()
                at = data.index(b"\xfc")
                opcodes.append(data[at:data.index(b"\0\x03key", at)])
                os.remove(self.dump)
            self.assertEqual(opcodes[0][:10], opcodes[1][:10], policy)
            self.assertEqual(len(opcodes[0]), len(opcodes[1]), policy)


if __name__ == "__main__":
    unittest.main()
