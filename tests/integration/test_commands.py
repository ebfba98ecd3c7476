#!/usr/bin/env python3
"""Each command of the keyspace over a connection: what it answers, its errors in Redis's words, and
what it leaves.

What random commands find, test_differential.py finds; here stand the cases that have a reason.
"""
import os
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_INT = "ERR value is not an integer or out of range"
SYNTAX = "ERR syntax error"
OVERFLOW = "ERR increment or decrement would overflow"
INT64_MAX = 2 ** 63 - 1
QUICK = os.environ.get("QUICK") == "1"


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="commands-")
        cls.server = resp.start_stillframe(cls.dir, "--save", "", "--enable-debug-command", "yes")
        cls.client = cls.server.client()

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        status = cls.server.stop()
        shutil.rmtree(cls.dir)
        assert status == 0, cls.server.log()

    def setUp(self):
        self.call("SELECT", 0)
        self.call("FLUSHALL")

    def call(self, *words):
        return self.client.call(*words)

    def check(self, line, want):
        """The reply to a line of words."""
        self.assertEqual(self.call(*line.split()), want, line)

    def check_error(self, line, want):
        with self.assertRaises(resp.RespError, msg=line) as caught:
            self.call(*line.split())
        self.assertEqual(str(caught.exception), want, line)

    def info(self, section, field):
        for line in self.call("INFO", section).decode().split("\r\n"):
            if line.startswith(field + ":"):
                return line[len(field) + 1:]
        self.fail("INFO %s has no %s" % (section, field))


class Strings(Commands):
    def test_set_and_its_options(self):
        self.check("SET a 1", b"OK")
        self.check("SET a 2 NX", None)
        self.check("SET a 2 XX", b"OK")
        self.check("SET b 2 XX", None)
        self.check("SET a 3 GET", b"2")
        self.check("SET new 3 GET", None)
        self.check("SET a 4 NX GET", b"3")
        self.check("GET a", b"3")
        self.check("SET none 4 XX GET", None)
        self.check("EXISTS none", 0)
        self.check("SET a v EX 100", b"OK")
        self.check("TTL a", 100)
        self.check("SET a v KEEPTTL", b"OK")
        self.check("TTL a", 100)
        self.check("SET a v", b"OK")
        self.check("TTL a", -1)
        self.check("SET a v PXAT 99999999999999", b"OK")
        self.check("PEXPIRETIME a", 99999999999999)
        self.check("SET a v EXAT 99999999999", b"OK")
        self.check("EXPIRETIME a", 99999999999)
        self.check("SET a v PXAT 1", b"OK")
        self.check("GET a", None)

    def test_errors_of_set(self):
        for options in ("NX XX", "EX", "EX 1 PX 1", "KEEPTTL EX 1", "EX 1 KEEPTTL", "FOO", "NX 5", "GET GOT"):
            self.check_error("SET a v " + options, SYNTAX)
        for options in ("EX 0", "PX -1", "EXAT 0", "EX %d" % INT64_MAX, "PX %d" % INT64_MAX):
            self.check_error("SET a v " + options, "ERR invalid expire time in 'set' command")
        self.check_error("SET a v EX x", NOT_INT)
        self.check("HSET h f v", 1)
        self.check_error("SET h v GET", WRONG_TYPE)
        self.check("SET h v", b"OK")
        self.check("TYPE h", b"string")

    def test_counting(self):
        self.check("INCR n", 1)
        self.check("DECR n", 0)
        self.check("INCRBY n 41", 41)
        self.check("DECRBY n -1", 42)
        self.check("OBJECT ENCODING n", b"int")
        self.check("SET n %d" % INT64_MAX, b"OK")
        self.check_error("INCR n", OVERFLOW)
        self.check("SET n %d" % -2 ** 63, b"OK")
        self.check_error("DECR n", OVERFLOW)
        self.check_error("DECRBY n %d" % -2 ** 63, "ERR decrement would overflow")
        for text in ("x", "1.5", "01", "9223372036854775808"):
            self.call("SET", "n", text)
            self.check_error("INCR n", NOT_INT)
        self.check_error("INCRBY n x", NOT_INT)
        self.check("SET t 5 EX 100", b"OK")
        self.check("INCR t", 6)
        self.check("TTL t", 100)

    def test_ranges(self):
        self.check("SETRANGE s 5 world", 10)
        self.assertEqual(self.call("GET", "s"), b"\0" * 5 + b"world")
        self.check("SETRANGE s 0 hello", 10)
        self.check("GETRANGE s 0 -1", b"helloworld")
        self.check("GETRANGE s -3 -2", b"rl")
        self.check("GETRANGE s 8 2", b"")
        self.check("GETRANGE s -100 2", b"hel")
        self.check("GETRANGE none 0 -1", b"")
        self.assertEqual(self.call("SETRANGE", "none", 5, ""), 0)
        self.check("EXISTS none", 0)
        self.check_error("SETRANGE s -1 x", "ERR offset is out of range")
        self.check_error("SETRANGE s x x", NOT_INT)
        for offset in (536870912, INT64_MAX):
            self.check_error("SETRANGE s %d x" % offset, "ERR string exceeds maximum allowed size (proto-max-bulk-len)")
        self.check("APPEND s !", 11)
        self.check("APPEND fresh 12", 2)
        self.check("OBJECT ENCODING fresh", b"int")
        self.check("APPEND fresh 3", 3)
        self.check("OBJECT ENCODING fresh", b"raw")
        self.check("STRLEN fresh", 3)

    def test_a_string_passes_through_all_its_forms(self):
        """From an integer over the record's inside to blocks, with a check of all bytes at each
        step."""
        want = b"1"
        self.call("SET", "s", want)
        rnd = os.urandom(700)
        while len(want) < 3000000:
            piece = (rnd * (len(want) // 700 + 1))[:len(want)]
            self.assertEqual(self.call("APPEND", "s", piece), 2 * len(want))
            want += piece
            self.assertEqual(self.call("SETRANGE", "s", len(want) // 3, "here"), max(len(want), len(want) // 3 + 4))
            want = want[:len(want) // 3] + b"here" + want[len(want) // 3 + 4:]
            self.assertEqual(self.call("GET", "s"), want)
            self.assertEqual(self.call("COPY", "s", "t", "REPLACE"), 1)
            self.assertEqual(self.call("RENAME", "t", "k" * (len(want) % 3000)), b"OK")
        self.assertEqual(self.call("SET", "s", "short"), b"OK")
        self.assertEqual(self.call("GET", "s"), b"short")

    def test_many_keys_at_once(self):
        self.check("MSET a 1 b 2 a 3", b"OK")
        self.check("HSET h f v", 1)
        self.check("MGET a b h none", [b"3", b"2", None, None])
        self.check_error("MSET a 1 b", "ERR wrong number of arguments for 'mset' command")
        self.check("MSET h 5", b"OK")
        self.check("GET h", b"5")

    def test_wrong_types(self):
        self.check("HSET h f v", 1)
        self.check("SET s v", b"OK")
        for line in ("GET h", "INCR h", "APPEND h x", "STRLEN h", "SETRANGE h 0 x", "GETRANGE h 0 1", "HGET s f", "HSET s f v",
                     "HDEL s f", "HLEN s", "HGETALL s", "HINCRBY s f 1", "HMGET s f", "HEXISTS s f", "HKEYS s", "HSCAN s 0"):
            self.check_error(line, WRONG_TYPE)


class Keys(Commands):
    def test_deleting_and_asking(self):
        self.check("MSET a 1 b 2 c 3", b"OK")
        self.check("EXISTS a b none a", 3)
        self.check("DEL a none b", 2)
        self.check("UNLINK c c", 1)
        self.check("DBSIZE", 0)
        self.check("TYPE none", b"none")
        self.check("RANDOMKEY", None)

    def test_patterns(self):
        self.check("MSET one 1 two 2 three 3 four 4", b"OK")
        for pattern, want in (("*", "four one three two"), ("t*", "three two"), ("t??", "two"), ("[ot]*e", "one three"),
                              ("[^ot]*", "four"), ("t[a-h]*", "three"), ("nothing", ""), ("*o*", "four one two")):
            self.assertEqual(sorted(self.call("KEYS", pattern)), want.encode().split(), pattern)

    def test_renaming(self):
        self.check("SET a 1 EX 100", b"OK")
        self.check("RENAME a b", b"OK")
        self.check("TTL b", 100)
        self.check("SET c 2", b"OK")
        self.check("RENAMENX b c", 0)
        self.check("RENAME b c", b"OK")
        self.check("GET c", b"1")
        self.check("RENAMENX c d", 1)
        self.check("RENAME d d", b"OK")
        self.check("RENAMENX d d", 0)
        self.check_error("RENAME none x", "ERR no such key")
        self.check("DBSIZE", 1)

    def test_moving_and_copying(self):
        self.check("SET a 1", b"OK")
        self.check("HSET h f %s" % ("v" * 100), 1)
        self.check("MOVE a 1", 1)
        self.check("MOVE a 1", 0)
        self.check("MOVE h 1", 1)
        self.check_error("MOVE a 0", "ERR source and destination objects are the same")
        self.check_error("MOVE a 99", "ERR DB index is out of range")
        self.check_error("MOVE a x", NOT_INT)
        self.check("SELECT 1", b"OK")
        self.check("HGET h f", b"v" * 100)
        self.check("COPY h g", 1)
        self.check("COPY h g", 0)
        self.check("HSET h f2 v", 1)
        self.check("COPY h g REPLACE", 1)
        self.check("HLEN g", 2)
        self.check("HSET g f3 v", 1)
        self.check("HLEN h", 2)
        self.check("COPY a a DB 2", 1)
        self.check("COPY none x", 0)
        self.check_error("COPY a a", "ERR source and destination objects are the same")
        self.check_error("COPY a b DB 99", "ERR DB index is out of range")
        self.check_error("COPY a b FOO", SYNTAX)

    def test_expiry(self):
        self.check("SET a 1", b"OK")
        self.check("TTL a", -1)
        self.check("TTL none", -2)
        self.check("EXPIRE none 5", 0)
        self.check("EXPIRE a 100", 1)
        self.check("EXPIRE a 50 GT", 0)
        self.check("EXPIRE a 200 GT", 1)
        self.check("EXPIRE a 300 LT", 0)
        self.check("EXPIRE a 300 NX", 0)
        self.check("EXPIRE a 100 XX", 1)
        self.check("PERSIST a", 1)
        self.check("PERSIST a", 0)
        self.check("EXPIRE a 100 XX", 0)
        self.check("EXPIRE a 100 GT", 0)
        self.check("EXPIRE a 100 LT", 1)
        self.check("PEXPIREAT a 99999999999999", 1)
        self.check("PEXPIRETIME a", 99999999999999)
        self.check("EXPIREAT a 99999999999", 1)
        self.check("EXPIRETIME a", 99999999999)
        self.check("EXPIRE a -1", 1)
        self.check("EXISTS a", 0)
        self.check("SET a 1", b"OK")
        self.check_error("EXPIRE a x", NOT_INT)
        self.check_error("EXPIRE a %d" % INT64_MAX, "ERR invalid expire time in 'expire' command")
        self.check_error("PEXPIRE a %d" % INT64_MAX, "ERR invalid expire time in 'pexpire' command")
        self.check_error("EXPIRE a 5 FOO", "ERR Unsupported option FOO")
        self.check_error("EXPIRE a 5 NX GT", "ERR NX and XX, GT or LT options at the same time are not compatible")
        self.check_error("EXPIRE a 5 LT GT", "ERR GT and LT options at the same time are not compatible")

    def test_keys_expire_by_themselves(self):
        before = int(self.info("stats", "expired_keys"))
        self.client.pipeline([["SET", "k%d" % i, "v", "PX", 50] for i in range(1000)])
        self.check("SET stays v", b"OK")
        resp.wait_until(lambda: self.call("DBSIZE") == 1, what="a thousand keys to expire")
        self.assertEqual(int(self.info("stats", "expired_keys")), before + 1000)
        self.check("DEBUG SET-ACTIVE-EXPIRE 0", b"OK")
        self.check("SET a v PX 1", b"OK")
        time.sleep(0.3)
        self.check("DBSIZE", 2)
        self.check("GET a", None)
        self.check("DBSIZE", 1)
        self.check("DEBUG SET-ACTIVE-EXPIRE 1", b"OK")

    def test_databases(self):
        self.check("SET a zero", b"OK")
        self.check("SELECT 1", b"OK")
        self.check("SET a one", b"OK")
        self.check("SWAPDB 0 1", b"OK")
        self.check("GET a", b"zero")
        self.check("FLUSHDB", b"OK")
        self.check("SELECT 0", b"OK")
        self.check("GET a", b"one")
        self.check("FLUSHALL ASYNC", b"OK")
        self.check("DBSIZE", 0)
        self.check_error("FLUSHDB FOO", SYNTAX)
        self.check_error("SWAPDB x 1", "ERR invalid first DB index")
        self.check_error("SWAPDB 1 x", "ERR invalid second DB index")
        self.check_error("SWAPDB 1 99", "ERR DB index is out of range")

    def test_another_connection_sees_a_swap_and_a_flush(self):
        with self.server.client() as other:
            other.call("SELECT", 2)
            other.call("SET", "a", "two")
            self.check("SWAPDB 2 3", b"OK")
            self.assertIsNone(other.call("GET", "a"))
            self.check("SWAPDB 3 2", b"OK")
            self.assertEqual(other.call("GET", "a"), b"two")
            self.check("FLUSHALL", b"OK")
            self.assertEqual(other.call("SET", "a", "again"), b"OK")
            self.assertEqual(other.call("GET", "a"), b"again")


class Scanning(Commands):
    def scan(self, *options, during=None):
        cursor, seen = b"0", []
        while True:
            cursor, keys = self.call("SCAN", cursor, *options)
            seen += keys
            if during is not None:
                during(len(seen))
            if cursor == b"0":
                return seen

    def test_a_scan_meets_every_key(self):
        self.check("DEBUG POPULATE 5000 k", b"OK")
        self.call("HSET", "hash", "f", "v")
        self.assertEqual(len(set(self.scan())), 5001)
        self.assertEqual(len(self.scan()), 5001)  # once each, while nothing changes
        self.assertEqual(sorted(self.scan("MATCH", "k:12?")), sorted(b"k:%d" % i for i in range(120, 130)))
        self.assertEqual(self.scan("TYPE", "hash"), [b"hash"])
        self.assertEqual(self.scan("TYPE", "list", "COUNT", 1000), [])

    def test_a_scan_for_a_type_removes_what_has_expired_of_others(self):
        self.check("DEBUG SET-ACTIVE-EXPIRE 0", b"OK")
        self.call("HSET", "hash", "f", "v")
        for i in range(20):
            self.call("SET", "gone:%d" % i, "v", "PX", 1)
        time.sleep(0.01)
        self.check("DBSIZE", 21)
        self.assertEqual(self.scan("TYPE", "hash", "MATCH", "h*"), [b"hash"])  # the names of others are not looked at
        self.check("DBSIZE", 21)
        self.assertEqual(self.scan("TYPE", "hash"), [b"hash"])
        self.check("DBSIZE", 1)
        self.check("DEBUG SET-ACTIVE-EXPIRE 1", b"OK")

    def test_a_scan_meets_what_stays_whatever_comes_and_goes(self):
        self.check("DEBUG POPULATE 300 stays", b"OK")
        want = {b"stays:%d" % i for i in range(300)}

        def grow(_):
            self.client.pipeline([["SET", "new:%d:%d" % (self.serial, i), 1] for i in range(50)])
            self.serial += 1
        self.serial = 0
        self.assertLessEqual(want, set(self.scan(during=grow)))
        self.assertGreater(self.call("DBSIZE"), 1000)

        def shrink(_):
            gone = [k for k in self.call("KEYS", "new:*")[:100]]
            if gone:
                self.call("DEL", *gone)
        self.assertLessEqual(want, set(self.scan(during=shrink)))

    def test_errors_of_scan(self):
        for cursor in ("x", "1x", "99999999999999999999"):
            self.check_error("SCAN " + cursor, "ERR invalid cursor")
        self.check_error("SCAN 0 COUNT 0", SYNTAX)
        self.check_error("SCAN 0 COUNT x", NOT_INT)
        self.check_error("SCAN 0 FOO", SYNTAX)
        self.check_error("SCAN 0 MATCH", SYNTAX)
        self.check("HSCAN none 0", [b"0", []])

    def test_a_scan_deletes_what_has_expired(self):
        self.check("DEBUG SET-ACTIVE-EXPIRE 0", b"OK")
        self.check("MSET a 1 b 2", b"OK")
        self.check("PEXPIRE a 1", 1)
        time.sleep(0.01)
        self.assertEqual(self.scan(), [b"b"])
        self.check("DBSIZE", 1)
        self.check("DEBUG SET-ACTIVE-EXPIRE 1", b"OK")

    def test_scanning_a_hash(self):
        for fields in (10, 3000):
            self.call("DEL", "h")
            self.client.pipeline([["HSET", "h", "f%d" % i, i] for i in range(fields)])
            cursor, seen = b"0", {}
            while True:
                cursor, found = self.call("HSCAN", "h", cursor, "COUNT", 7)
                seen.update(zip(found[::2], found[1::2]))
                if cursor == b"0":
                    break
            self.assertEqual(seen, {b"f%d" % i: b"%d" % i for i in range(fields)})


class Hashes(Commands):
    def test_setting_if_the_value_is_this_one(self):
        self.check("SET a 1", b"OK")
        self.check("SET a 2 IFEQ 2", None)
        self.check("SET a 2 IFEQ 1", b"OK")
        self.check("SET a 3 IFNE 2", None)
        self.check("SET a 3 IFNE 1 EX 100", b"OK")
        self.check("SET a 4 IFEQ 3 KEEPTTL", b"OK")
        self.check("TTL a", 100)
        self.check("SET a 5 IFEQ 9 GET", b"4")
        self.check("SET a 5 IFEQ 4 GET", b"4")
        self.check("GET a", b"5")
        self.check("SET none 1 IFEQ 1", None)
        self.check("SET none 1 IFEQ 1 GET", None)
        self.check("SET none 1 IFDEQ notadigest", None)
        self.check("EXISTS none", 0)
        self.check("SET none 1 IFNE 1", b"OK")
        self.check("RPUSH l x", 1)
        self.check_error("SET l 1 IFEQ 1", WRONG_TYPE)
        self.check_error("SET l 1 IFNE 1", WRONG_TYPE)
        for line in ("SET a 1 NX IFEQ 1", "SET a 1 IFEQ 1 XX", "SET a 1 IFEQ", "SET a 1 IFEQ 1 IFNE 2", "SETNX a 1 IFEQ 1"):
            self.check_error(line, SYNTAX if line[3] == " " else "ERR wrong number of arguments for 'setnx' command")

    def test_digests(self):
        # [Redis, its tests: the first digest begins with zeros]
        long = "v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2kwlj7626sd"
        self.check("DIGEST none", None)
        self.call("SET", "a", long)
        self.check("DIGEST a", b"00006c38adf31777")
        self.check("SET a 1 IFDEQ 00006c38adf31778", None)
        self.check("SET a 1 IFDNE 00006c38adf31777", None)
        self.check("SET a 1 IFDEQ 00006C38ADF31777", b"OK")
        self.call("SET", "b", "1" + "0" * 100)
        self.call("SETRANGE", "b", 1, b"")
        self.check("DELEX b IFDNE 00006c38adf31777", 1)
        self.assertEqual(len(self.call("DIGEST", "a")), 16)  # of an integer, as text
        for digest in ("0006c38adf31777", "000006c38adf31777", "0006c38adf3177g", "x"):
            for line in ("SET a 2 IFDEQ ", "SET a 2 IFDNE ", "DELEX a IFDEQ ", "DELEX a IFDNE "):
                self.check_error(line + digest, "ERR must be exactly 16 hexadecimal characters")
        self.check("RPUSH l x", 1)
        self.check_error("DIGEST l", WRONG_TYPE)
        self.check_error("SET l 2 IFDEQ x", WRONG_TYPE)

    def test_deleting_if_the_value_is_this_one(self):
        self.check("MSET a 1 b 2 c 3 d 4", b"OK")
        self.check("RPUSH l x", 1)
        self.check("DELIFEQ a 2", 0)
        self.check("DELIFEQ a 1", 1)
        self.check("DELIFEQ a 1", 0)
        self.check("DELEX b IFEQ 1", 0)
        self.check("DELEX b IFNE 2", 0)
        self.check("DELEX b IFEQ 2", 1)
        self.check("DELEX c IFNE 2", 1)
        self.check("DELEX none IFNE 2", 0)
        self.check_error("DELIFEQ l x", WRONG_TYPE)
        self.check_error("DELEX l IFEQ x", WRONG_TYPE)
        self.check("DELEX l", 1)
        self.check("DELEX l", 0)
        self.check_error("DELEX d IFEQ", "ERR wrong number of arguments for 'delex' command")
        self.check_error("DELEX d EQ 4", "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")
        self.check("KEYS *", [b"d"])

    def test_setting_several_keys_with_an_expiry(self):
        self.check("MSETEX 2 a 1 b 2 NX EX 100", 1)
        self.check("MGET a b", [b"1", b"2"])
        self.check("TTL a", 100)
        self.check("TTL b", 100)
        self.check("MSETEX 2 b 3 c 3 NX", 0)
        self.check("MSETEX 2 b 3 c 3 XX", 0)
        self.check("MSETEX 2 a 3 b 3 KEEPTTL XX", 1)
        self.check("TTL b", 100)
        self.check("MSETEX 3 a 4 a 5 a 6 px 200000", 1)
        self.check("GET a", b"6")
        self.check("TTL a", 200)
        self.check("MSETEX 1 a 7", 1)
        self.check("TTL a", -1)
        self.check("RPUSH l x", 1)
        self.check("MSETEX 2 l 1 n 2 exat 99999999999", 1)
        self.check("EXPIRETIME l", 99999999999)
        self.check("DBSIZE", 4)
        self.check("MSETEX 2 l 1 n 2 pxat 1", 1)
        self.check("EXISTS l n", 0)
        for line, error in (
                ("MSETEX a 1 EX 10", "ERR invalid numkeys value"), ("MSETEX 0 a 1", "ERR invalid numkeys value"),
                ("MSETEX 2147483648 a 1", "ERR invalid numkeys value"), ("MSETEX 2 a 1 b", "ERR wrong number of key-value pairs"),
                ("MSETEX 2147483647 a 1", "ERR wrong number of key-value pairs"), ("MSETEX 1 a 1 bad", SYNTAX),
                ("MSETEX 1 a 1 NX XX", SYNTAX), ("MSETEX 1 a 1 EX 1 PX 1", SYNTAX), ("MSETEX 1 a 1 KEEPTTL EX 1", SYNTAX),
                ("MSETEX 1 a 1 GET", SYNTAX), ("MSETEX 1 a 1 IFEQ 1", SYNTAX), ("MSETEX 1 a 1 EX", SYNTAX),
                ("MSETEX 1 a 1 EX 0", "ERR invalid expire time in 'msetex' command"), ("MSETEX 1 a 1 EX x", NOT_INT)):
            self.check_error(line, error)
        self.check("GET a", b"7")

    def test_keys_of_conditional_commands(self):
        for line, want in (
                ("SET a b", [[b"a", [b"OW", b"update"]]]), ("SET a b IFEQ c", [[b"a", [b"RW", b"access", b"update"]]]),
                ("DELEX a", [[b"a", [b"RM", b"delete"]]]), ("DELEX a IFEQ b", [[b"a", [b"RW", b"access", b"delete"]]]),
                ("MSETEX 2 a 1 b 2 EX 10", [[b"a", [b"OW", b"update"]], [b"b", [b"OW", b"update"]]])):
            self.assertEqual(self.call("COMMAND", "GETKEYSANDFLAGS", *line.split()), want, line)

    def test_setting_and_getting(self):
        self.check("HSET h a 1 b 2", 2)
        self.check("HSET h b 3 c 4", 1)
        self.check("HMSET h d 5", b"OK")
        self.check("HSETNX h d 6", 0)
        self.check("HSETNX h e 6", 1)
        self.check("HGET h b", b"3")
        self.check("HGET h none", None)
        self.check("HMGET h a none d", [b"1", None, b"5"])
        self.check("HMGET none a", [None])
        self.check("HLEN h", 5)
        self.check("HSTRLEN h a", 1)
        self.check("HEXISTS h a", 1)
        self.check("HEXISTS h none", 0)
        self.check("HGETALL h", [b"a", b"1", b"b", b"3", b"c", b"4", b"d", b"5", b"e", b"6"])
        self.check("HKEYS h", [b"a", b"b", b"c", b"d", b"e"])
        self.check("HVALS h", [b"1", b"3", b"4", b"5", b"6"])
        self.check("HGETALL none", [])
        self.check("HDEL h a b none", 2)
        self.check("HDEL h c d e", 3)
        self.check("EXISTS h", 0)
        self.check_error("HSET h a", "ERR wrong number of arguments for 'hset' command")
        self.check_error("HSET h a 1 b", "ERR wrong number of arguments for 'hset' command")

    def test_counting(self):
        self.check("HINCRBY h n 5", 5)
        self.check("HINCRBY h n -10", -5)
        self.check("HSET h s text m %d" % INT64_MAX, 2)
        self.check_error("HINCRBY h s 1", "ERR hash value is not an integer")
        self.check_error("HINCRBY h m 1", OVERFLOW)
        self.check_error("HINCRBY h n x", NOT_INT)

    def test_a_large_hash(self):
        """Grows through every form and shrinks again; every field is right at each stage."""
        fields = 2000 if QUICK else 20000
        want = {}
        for begin in range(0, fields, 500):
            pairs = []
            for i in range(begin, begin + 500):
                want[b"field:%d" % i] = b"value:%d" % i * (1 + i % 5)
                pairs += [b"field:%d" % i, want[b"field:%d" % i]]
            self.call("HSET", "h", *pairs)
        found = self.call("HGETALL", "h")
        self.assertEqual(dict(zip(found[::2], found[1::2])), want)
        self.check("OBJECT ENCODING h", b"hashtable")
        self.client.pipeline([["HSET", "h", "field:%d" % i, "new"] for i in range(0, fields, 3)])
        for i in range(0, fields, 3):
            want[b"field:%d" % i] = b"new"
        self.client.pipeline([["HDEL", "h"] + ["field:%d" % k for k in range(i, i + 50)] for i in range(100, fields, 50)])
        for i in range(100, fields):
            del want[b"field:%d" % i]
        found = self.call("HGETALL", "h")
        self.assertEqual(dict(zip(found[::2], found[1::2])), want)


class Looking(Commands):
    def test_encodings(self):
        for value, want in ((b"5", b"int"), (b"x" * 44, b"embstr"), (b"x" * 45, b"raw"), (b"x" * 5000, b"raw"),
                            (b"12345678901234567890", b"embstr"), (b"-0", b"embstr")):
            self.call("SET", "a", value)
            self.check("OBJECT ENCODING a", want)
        self.check("HSET h f v", 1)
        self.check("OBJECT ENCODING h", b"listpack")
        self.check("OBJECT ENCODING none", None)
        self.check("SET n 7", b"OK")
        self.check("OBJECT REFCOUNT n", 2147483647)
        self.check("OBJECT REFCOUNT h", 1)
        self.check("OBJECT IDLETIME h", 0)
        self.assertIn(b"ENCODING <key>".split()[0], self.call("OBJECT", "HELP")[1].upper())
        self.check_error("OBJECT FREQ h", "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please "
                         "note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")

    def test_hits_and_misses(self):
        def figures():
            return int(self.info("stats", "keyspace_hits")), int(self.info("stats", "keyspace_misses"))
        self.check("SET a 1", b"OK")
        for line, hits, misses in (("GET a", 1, 0), ("GET none", 0, 1), ("EXISTS a none", 1, 1), ("TTL a", 1, 0),
                                   ("INCR a", 0, 0), ("SET a 1", 0, 0), ("MGET a none", 1, 1), ("TYPE none", 0, 1)):
            before = figures()
            self.call(*line.split())
            after = figures()
            self.assertEqual((after[0] - before[0], after[1] - before[1]), (hits, misses), line)

    def test_idle_time(self):
        self.check("SET a 1", b"OK")
        self.check("SET b 1", b"OK")
        time.sleep(2.1)
        self.check("GET a", b"1")
        self.assertLess(self.call("OBJECT", "IDLETIME", "a"), 2)
        self.assertGreaterEqual(self.call("OBJECT", "IDLETIME", "b"), 2)
        self.assertGreaterEqual(self.call("OBJECT", "IDLETIME", "b"), 2)  # asking is not using

    def test_populating(self):
        self.check("DEBUG POPULATE 100 p 10", b"OK")
        self.check("DBSIZE", 100)
        self.assertEqual(self.call("GET", "p:7"), b"value:7\0\0\0")
        self.check("DEBUG POPULATE 10 p 3", b"OK")
        self.assertEqual(self.call("GET", "p:7"), b"value:7\0\0\0")
        self.check("DEBUG POPULATE 10", b"OK")
        self.check("GET key:9", b"value:9")
        self.check("OBJECT ENCODING key:9", b"embstr")
        self.check_error("DEBUG POPULATE x", "ERR value is out of range, must be positive")

    def test_debug_object(self):
        self.call("SET", "a", "x" * 100)
        self.assertRegex(self.call("DEBUG", "OBJECT", "a").decode(),
                         r"^Value at:0x[0-9a-f]+ refcount:1 encoding:raw serializedlength:\d+ lru:\d+ lru_seconds_idle:\d+$")
        self.check_error("DEBUG OBJECT none", "ERR no such key")

    def test_a_reload_keeps_everything(self):
        self.check("DEBUG POPULATE 2000 p", b"OK")
        self.check("DEBUG POPULATE 20 large 100000", b"OK")
        self.call("SET", "k" * 100000, "a long key")
        self.call("SET", "k" * 70000, "v" * 70000)
        self.call("SET", "number", -123456789012)
        self.call("SET", "expires", "later", "PXAT", 99999999999999)
        for i in range(1500):
            self.call("HSET", "h", "f%d" % i, "v" * (i % 100))
        self.call("HSET", "wide", "f" * 100000, "v" * 200000, "g", "1")
        self.call("HSET", "small", "f", "v", "n", "12")
        self.call("EXPIRE", "h", 100000)
        self.call("SELECT", 5)
        self.call("SET", "in another database", "yes")
        digest = self.call("DEBUG", "DIGEST")
        when = self.call("PEXPIRETIME", "h")
        for compression in ("lz4", "no", "yes"):
            self.call("CONFIG", "SET", "rdbcompression", compression)
            self.check("DEBUG RELOAD", b"OK")
            self.assertEqual(self.call("DEBUG", "DIGEST"), digest)
        self.assertEqual(self.call("PEXPIRETIME", "h"), when)
        self.check("SELECT 0", b"OK")
        self.check("PEXPIRETIME expires", 99999999999999)
        self.check("OBJECT ENCODING number", b"int")
        self.check("OBJECT ENCODING small", b"listpack")
        self.check("OBJECT ENCODING h", b"hashtable")

    def test_expired_keys_are_left_out_of_a_reload(self):
        self.check("DEBUG SET-ACTIVE-EXPIRE 0", b"OK")
        self.check("MSET a 1 b 2", b"OK")
        self.check("PEXPIRE a 20", 1)
        self.check("SAVE", b"OK")
        time.sleep(0.03)
        self.check("DEBUG RELOAD NOSAVE", b"OK")
        self.check("DBSIZE", 1)
        self.assertEqual(self.info("persistence", "rdb_last_load_keys_expired"), "1")
        self.assertEqual(self.info("persistence", "rdb_last_load_keys_loaded"), "1")
        self.check("DEBUG SET-ACTIVE-EXPIRE 1", b"OK")


del Commands  # only what is derived from it is a test

if __name__ == "__main__":
    unittest.main(warnings="ignore")
