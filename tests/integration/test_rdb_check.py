#!/usr/bin/env python3
"""`stillframe-rdb check`: would that server take the file?  What Redis 7.0 really does is asked of
redis-server; and what is counted, read over and left out."""
import csv
import gzip
import io
import json
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
from dump_bytes import EMPTY_ZIPLIST, VALUES, key, rdb, string  # noqa: E402

SERVERS = ("redis-5.0 redis-6.0 redis-6.2 redis-7.0 redis-7.2 redis-7.4 redis-8.0 redis-8.2 redis-8.4 redis-8.6 redis-8.8 "
           "redis-8.10 valkey-7.2 valkey-8.0 valkey-8.1 valkey-9.0 valkey-9.2 keydb-6.3 stillframe").split()
A_MODULE = b"\x81" + struct.pack(">Q", 0x0123456789abcdef)
IN_2100 = b"\xfc" + struct.pack("<Q", 4102444800000)
LUA = b"#!lua name=lib\nredis.register_function('f', function() return 1 end)"


class CheckTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="rdb-check-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.dump = os.path.join(self.dir, "dump.rdb")

    def write(self, data):
        with open(self.dump, "wb") as f:
            f.write(data)

    def check(self, *args, data=None, path=None, stdin=None):
        if data is not None:
            self.write(data)
        p = subprocess.run([resp.STILLFRAME_RDB, "check", *args, path or self.dump], capture_output=True, timeout=300,
                           input=stdin)
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    def verdicts(self, data, servers=SERVERS):
        """What is said of each server; and the exit status."""
        status, out, err = self.check("-q", "--loads-in=" + ",".join(servers), data=data)
        lines = [line[len(self.dump) + 2:].split(": ", 1) for line in out.splitlines()]
        self.assertEqual([name for name, _ in lines], list(servers), out + err)
        self.assertEqual(status, 0 if all(said.startswith("yes") for _, said in lines) else 1)
        return dict(lines)

    def takers(self, data):
        return {name for name, said in self.verdicts(data).items() if said.startswith("yes")}


class Loads(CheckTest):
    def test_a_version_says_who_reads_it(self):
        redis7 = {s for s in SERVERS if s.startswith(("redis-7", "redis-8", "valkey")) or s == "stillframe"}
        for version, want in ((9, set(SERVERS)), (10, redis7), (11, redis7 - {"redis-7.0"}),
                              (12, {s for s in SERVERS if s.startswith("redis-8") or s in ("redis-7.4", "stillframe")})):
            self.assertEqual(self.takers(rdb(key(0, b"k", string(b"v")), version=version)), want, version)
        self.assertEqual(self.takers(b"VALKEY080\xff" + bytes(8)), {"valkey-9.0", "valkey-9.2", "stillframe"})
        said = self.verdicts(rdb(version=12))
        self.assertEqual(said["redis-7.0"], "no: RDB 12, which Redis 7.4 to 8.4 writes: it reads REDIS0001 to REDIS0010")
        self.assertIn("it reads REDIS0001 to REDIS0011 and VALKEY080", said["valkey-9.0"])

    def test_a_type_says_who_reads_it(self):
        for kind, since in ((15, "redis-5.0"), (16, "redis-7.0"), (19, "redis-7.0"), (20, "redis-7.2"), (21, "redis-7.2")):
            takers = self.takers(rdb(key(0, b"k", string(b"v")), key(kind, b"key", VALUES[kind]), version=9))
            redis = [s for s in SERVERS if s.startswith("redis")]
            self.assertEqual({s for s in takers if s.startswith("redis")}, set(redis[redis.index(since):]), kind)
        self.assertEqual(self.verdicts(rdb(key(0, b"k", string(b"v")), key(20, b"set", VALUES[20])), ["redis-7.0"])["redis-7.0"],
                         'no: a value of type 20 (set listpack), which it does not know (byte 14, key "set")')

    def test_fields_that_expire_are_for_those_that_know_the_form(self):
        fields = b"\x01" + bytes(7) + b"\x01\x01" + string(b"field") + string(b"v")
        said = self.verdicts(rdb(key(24, b"h", fields), version=12), ["redis-7.4", "stillframe"])
        self.assertEqual(said, {"redis-7.4": "yes", "stillframe": "yes"})
        self.assertEqual(self.takers(rdb(key(24, b"h", VALUES[24]), version=12)) & {"redis-7.2", "redis-7.4", "stillframe"},
                         {"redis-7.4", "stillframe"})

    def test_what_is_left_out_without_a_word_is_told(self):
        past = b"\xfc" + struct.pack("<Q", 1000) + key(0, b"k", string(b"v"))
        script = b"\xfa" + string(b"lua") + string(b"return 1")
        said = self.verdicts(rdb(script, past, IN_2100 + key(0, b"l", string(b"v")), version=9), ["redis-6.2", "redis-7.0", "stillframe"])
        self.assertEqual(said, {
            "redis-6.2": "yes, but 1 key whose time is over is left out",
            "redis-7.0": "yes, but 1 key whose time is over is left out; 1 script for EVALSHA is passed over",
            "stillframe": "yes, but 1 key whose time is over is left out"})
        members = b"\xfa" + string(b"keydb-subexpire-key") + string(b"m")
        said = self.verdicts(rdb(members, key(2, b"s", VALUES[2]), version=9), ["redis-6.2", "keydb-6.3", "stillframe"])
        self.assertEqual(said["redis-6.2"], "yes, but members that expire on their own (KeyDB) never do")
        self.assertEqual(said["keydb-6.3"], "yes")
        self.assertRegex(said["stillframe"], "no: the AUX field keydb-subexpire-key .*, which it does not read")

    def test_functions_databases_and_modules(self):
        said = self.verdicts(rdb(b"\xf5" + string(LUA), version=9), ["redis-6.2", "redis-7.0"])
        self.assertEqual(said, {"redis-6.2": 'no: the function library "lib": functions came with Redis 7.0', "redis-7.0": "yes"})
        self.assertIn("which is not in Lua", self.verdicts(rdb(b"\xf5" + string(b"#!js name=lib\n")), ["redis-7.0"])["redis-7.0"])
        self.assertIn("database 16: it has 16, unless its configuration says otherwise",
                      self.verdicts(rdb(b"\xfe\x10", key(0, b"k", string(b"v"))), ["redis-7.0"])["redis-7.0"])
        self.assertEqual(self.takers(rdb(b"\xfe\x0f", key(0, b"k", string(b"v")), version=9)), set(SERVERS))
        for item in (b"\x07" + string(b"m") + A_MODULE + b"\0", b"\xf7" + A_MODULE + b"\x02\x02\0"):
            said = self.verdicts(rdb(item), ["redis-7.0", "stillframe"])
            self.assertIn("which the module must be loaded for", said["redis-7.0"])
            self.assertIn("which it does not read", said["stillframe"])

    def test_what_is_packed(self):
        plain = rdb(key(0, b"k", string(b"v")))
        packed = b"VCS\x01\x01\x00\x01" + subprocess.run(["lz4", "-c", "-q"], input=plain, capture_output=True, check=True).stdout
        self.assertEqual(self.takers(packed), {"valkey-9.2", "stillframe"})
        self.assertEqual(self.verdicts(gzip.compress(plain), ["redis-7.0"]), {"redis-7.0": "yes, but unpack it first (gzip)"})

    def test_a_damaged_file_is_for_nobody(self):
        said = self.verdicts(rdb(key(0, b"k", string(b"v")))[:-9], ["redis-6.2", "redis-7.0"])
        self.assertRegex(said["redis-6.2"], "^no: RDB 10")
        self.assertEqual(said["redis-7.0"], "not known: it was not read to its end")

    def test_servers_that_nobody_knows(self):
        for name in ("redis-1.0", "", "redis-7.0,", ",redis-7.0"):
            status, out, err = self.check("--loads-in=" + name, data=rdb())
            self.assertEqual((status, out), (2, ""))
            self.assertIn("there is no such server; known are redis-2.6 ", err)
        status, out, _ = self.check("-q", "--loads-in=redis-7.0", "--loads-in=valkey-8.1,stillframe", data=rdb())
        self.assertEqual((status, out.count(": yes\n")), (0, 3))


class Forms(CheckTest):
    """What is said for programs, and of several files."""

    def setUp(self):
        super().setUp()
        k = key(0, b"k", string(b"v"))
        files = {"good": rdb(k), "found": rdb(k, key(10, b"e", string(EMPTY_ZIPLIST))), "twice": rdb(k, key(0, b'"\xff', b"\x01v"), k),
                 'a "b",c': rdb(b"\x07" + string(b"m") + A_MODULE + b"\0", b"\xfe\x10", k)}
        for name, data in files.items():
            with open(os.path.join(self.dir, name), "wb") as f:
                f.write(data)
        self.files = list(files) + ["missing"]

    def run_all(self, *args):
        p = subprocess.run([resp.STILLFRAME_RDB, "check", *args, *self.files], capture_output=True, timeout=300, cwd=self.dir)
        self.assertEqual(p.returncode, 1)
        self.assertEqual(p.stderr.count(b"\n"), 4, p.stderr)  # a finding, a duplicate, what is read over, what is missing
        return p.stdout.decode()

    def test_json(self):
        said = json.loads(self.run_all("--format=json", "--skip-unknown", "--loads-in=redis-6.2,redis-7.0"))
        self.assertEqual([f["file"] for f in said], self.files)
        self.assertEqual([f["result"] for f in said], ["sound", "found", "damaged", "sound", "unreadable"])
        self.assertEqual([f["keys"] for f in said], [1, 2, 2, 1, 0])
        self.assertEqual([f["findings"] for f in said], [0, 1, 0, 0, 0])
        self.assertEqual([f["duplicates"] for f in said], ["none", "none", "found", "none", "none"])
        self.assertEqual(said[0], {
            "file": "good", "result": "sound", "version": 10, "keys": 1, "size_bytes": 23, "rdb_bytes": 23, "packed": "plain",
            "checksum": "good", "findings": 0, "duplicates": "none", "read_over": [], "error": None, "loads_in": [
                {"server": "redis-6.2", "loads": False, "why": "RDB 10, which Redis 7.0 writes: it reads REDIS0001 to REDIS0009"},
                {"server": "redis-7.0", "loads": True, "left_out": ""}]})
        self.assertEqual(said[2]["error"], {"offset": 20, "key": "k", "text": "its database has this key twice"})
        self.assertEqual([f["loads"] for f in said[2]["loads_in"]], [False, None])
        self.assertEqual([(r["count"], r["what"].split(" of the")[0]) for r in said[3]["read_over"]], [(1, "module value (type 7)")])
        self.assertEqual(said[4]["error"], {"offset": None, "key": "", "text": "No such file or directory"})
        self.assertEqual([f["loads"] for f in said[4]["loads_in"]], [None, None])

    def test_csv(self):
        rows = list(csv.DictReader(io.StringIO(self.run_all("--format=csv", "--skip-unknown", "--loads-in=redis-6.2,redis-7.0"))))
        self.assertEqual([r["file"] for r in rows], self.files)
        self.assertEqual([r["result"] for r in rows], ["sound", "found", "damaged", "sound", "unreadable"])
        self.assertEqual([r["read_over"] for r in rows], ["0", "0", "0", "1", "0"])
        self.assertEqual((rows[2]["error_offset"], rows[2]["error_key"], rows[2]["error"]), ("20", "k", "its database has this key twice"))
        self.assertEqual([r["loads_in"] for r in rows], ["redis-6.2=no;redis-7.0=yes"] * 2 + ["redis-6.2=no;redis-7.0=not known"] +
                         ["redis-6.2=no;redis-7.0=no"] + ["redis-6.2=not known;redis-7.0=not known"])

    def test_several_files_are_summed(self):
        said = self.run_all("--skip-unknown").splitlines()
        self.assertEqual(said[-1], "5 files, 6 keys: 2 sound, 1 to be loaded, but see what was found, 1 damaged or not read, "
                                   "1 not to be opened")
        self.assertEqual(self.run_all("--skip-unknown", "-q"), "")


class Damage(CheckTest):
    """Each byte of a small file flipped, and each prefix of it."""

    def setUp(self):
        super().setUp()
        self.data = rdb(IN_2100, *[b"\xf9\x01" + key(kind, b"%d" % kind, value) for kind, value in VALUES.items()], version=12)

    def results(self, files):
        for i, data in enumerate(files):
            with open(os.path.join(self.dir, str(i)), "wb") as f:
                f.write(data)
        p = subprocess.run([resp.STILLFRAME_RDB, "check", "--format=json", *map(str, range(len(files)))], capture_output=True,
                           timeout=300, cwd=self.dir)
        self.assertIn(p.returncode, (0, 1))
        return json.loads(p.stdout)

    def test_each_prefix(self):
        for i, f in enumerate(self.results([self.data[:n] for n in range(len(self.data))])):
            self.assertEqual(f["result"], "damaged" if i > 0 else f["result"], i)
            self.assertLessEqual(f["error"]["offset"], i)
            self.assertRegex(f["error"]["text"], "ends in|claims|is empty|in the middle")

    def test_each_byte_flipped_with_its_checksum(self):
        flipped = [self.data[:i] + bytes([self.data[i] ^ 1 << i % 8]) + self.data[i + 1:] for i in range(len(self.data))]
        for i, f in enumerate(self.results(flipped)):
            self.assertEqual(f["result"], "damaged", i)
            self.assertNotEqual(f["error"]["text"], "")

    def test_each_byte_flipped_without_a_checksum(self):
        whole = self.data[:-8] + bytes(8)
        for bit in (0, 3, 7):
            flipped = [whole[:i] + bytes([whole[i] ^ 1 << bit]) + whole[i + 1:] for i in range(len(whole) - 8)]
            results = self.results(flipped)
            self.assertEqual({f["result"] for f in results} & {"sound", "damaged"}, {"sound", "damaged"})  # other names are sound
            for f in results:
                self.assertEqual(f["result"] == "damaged", f["error"] is not None and f["error"]["text"] != "")


class Oracle(CheckTest):
    """The same verdicts as redis-server's, where it is a 7.0."""

    def takes(self, data):
        """Does redis-server start with it?"""
        self.write(data)
        port = resp.free_port()
        server = subprocess.Popen([resp.redis_server(), "--port", str(port), "--dir", self.dir, "--save", ""], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        try:
            until = time.monotonic() + 60
            while server.poll() is None and time.monotonic() < until:
                try:
                    client = resp.Client(port)
                    if client.call("PING") == b"PONG":
                        return True
                except (OSError, resp.RespError):  # not there yet, or loading
                    pass
                time.sleep(0.02)
            self.assertIsNotNone(server.poll(), "redis-server neither starts nor ends")
            return False
        finally:
            server.kill()
            server.communicate()

    def test_redis_7_0(self):
        version = subprocess.run([resp.redis_server(), "--version"], capture_output=True, text=True).stdout
        if "v=7.0." not in version:
            self.skipTest("not Redis 7.0: " + version)
        k = key(0, b"k", string(b"v"))
        files = {"type %d" % kind: rdb(k, key(kind, b"x", value)) for kind, value in VALUES.items() if kind <= 21}
        files.update({"version %d" % v: rdb(k, version=v) for v in (5, 9, 10, 11, 12)})
        files.update({
            "Valkey": b"VALKEY080\xff" + bytes(8), "function": rdb(b"\xf5" + string(LUA)),
            "function in another language": rdb(b"\xf5" + string(b"#!js name=lib\nx")),
            "database 15": rdb(b"\xfe\x0f", k), "database 16": rdb(b"\xfe\x10", k),
            "module": rdb(b"\x07" + string(b"m") + A_MODULE + b"\0"), "module's aux": rdb(b"\xf7" + A_MODULE + b"\x02\x02\0"),
            "a script": rdb(b"\xfa" + string(b"lua") + string(b"return 1"), k),
            "an AUX field of KeyDB": rdb(b"\xfa" + string(b"keydb-subexpire-key") + string(b"m"), k),
            "a key twice": rdb(k, k), "packed": b"VCS\x01\x01\x00\x01" + b"\x04\x22\x4d\x18" + bytes(20)})
        for name, data in files.items():
            with self.subTest(name):
                status, out, err = self.check("--loads-in=redis-7.0", data=data)
                self.assertEqual(status == 0, self.takes(data), out + err)


class Counts(CheckTest):
    def test_what_is_read_over_is_counted_and_named(self):
        items = [b"\x07" + string(b"m%d" % i) + A_MODULE + b"\x05" + string(b"x" * 100) + b"\0" for i in range(3)]
        data = rdb(b"\xf7" + A_MODULE + b"\x02\x02\0", *items, key(0, b"k", string(b"v")))
        status, out, err = self.check(data=data)
        self.assertEqual((status, out), (1, ""))
        self.assertRegex(err, "byte 9: MODULE_AUX .* is not read; 0 keys before it are good\n$")
        status, out, err = self.check("--skip-unknown", data=data)
        self.assertEqual(status, 0)
        self.assertIn(": sound: RDB 10, 1 key, ", out)
        self.assertIn(", 4 things not read", out)
        self.assertRegex(err, r'^.*: not read: MODULE_AUX \(opcode 247\) of the module type .........\n'
                              r'.*: not read: module value \(type 7\) of the module type ........., 3 times, first at byte \d+ \(key "m0"\)\n$')

    def test_a_key_of_a_module_comes_once_too(self):
        item = b"\x07" + string(b"m") + A_MODULE + b"\0"
        status, _, err = self.check("--skip-unknown", data=rdb(item, key(0, b"k", string(b"v")), item))
        self.assertEqual(status, 1)
        self.assertIn('its database has this key twice (key "m")', err)

    def test_quick_does_not_look_for_duplicates(self):
        k, h = key(0, b"k", string(b"v")), key(4, b"h", b"\x02" + 2 * (string(b"f") + string(b"v")))
        self.assertEqual(self.check(data=rdb(k, h))[0], 1)
        status, out, err = self.check("--quick", data=rdb(k, k, h))
        self.assertEqual((status, err), (0, ""))
        self.assertIn("3 keys", out)
        self.assertIn(", not searched for duplicates\n", out)

    def test_the_first_of_two_errors_is_told(self):
        k = key(0, b"k", string(b"v"))
        for items, text in (((k, key(0, b"l", string(b"v")), k, b"\x63"), 'its database has this key twice (key "k"); 2 keys before it are good'),
                            ((k, b"\x63", k), "99 (0x63) is neither a type nor an opcode of RDB; 1 key before it is good"),
                            ((k, key(4, b"h", b"\x02" + 2 * (string(b"f") + string(b"v"))), b"\x63"),
                             'the hash has the field "f" twice (key "h"); 1 key before it is good'),
                            ((k, key(4, b"h", b"\x03" + 2 * (string(b"f") + string(b"v"))) + b"\xc9", b"\x63"),
                             'the hash has the field "f" twice (key "h"); 1 key before it is good')):
            status, out, err = self.check(data=rdb(*items))
            self.assertEqual((status, out), (1, ""))
            self.assertIn(text, err)
            self.assertEqual(err.count("\n"), 1)

    def test_a_pipe_is_checked_as_well(self):
        k = key(0, b"k", string(b"v"))
        for args in ((), ("--quick",)):
            status, out, err = self.check(*args, path="-", stdin=rdb(k, key(10, b"e", string(EMPTY_ZIPLIST))))
            self.assertEqual(status, 0, err)
            self.assertIn("-: can be loaded, but see what was found: RDB 10, 2 keys, ", out)
        status, _, err = self.check(path="-", stdin=gzip.compress(rdb(k, k)))
        self.assertEqual(status, 1)
        self.assertIn("its database has this key twice", err)
        status, _, err = self.check(path="-", stdin=rdb(k)[:-10])
        self.assertEqual(status, 1)


if __name__ == "__main__":
    unittest.main()
