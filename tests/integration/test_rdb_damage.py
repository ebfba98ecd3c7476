#!/usr/bin/env python3
"""Each byte of a small file flipped, and each prefix of it, to each command of stillframe-rdb: an
error that says where, or a correct result; never an output file that is not whole.  QUICK=1: a
part of them."""
import collections
import json
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
from dump_bytes import key, listpack, rdb, stream, stream_node, string  # noqa: E402

QUICK = os.environ.get("QUICK") == "1"
STEP = 14 if QUICK else 2  # commands that stop at the first file they cannot read take every so many, each others
IN_2100 = b"\xfc" + struct.pack("<Q", 4102444800000)
DATA = rdb(b"\xfa" + string(b"ctime") + b"\xc2\0\0\0\x60", b"\xfe\x02\xfb\x08\x01",
           IN_2100 + key(0, b"s", b"\xc3\x09\x13\x02abc\xe0\x06\x02\0!"), key(1, b"l", b"\x02" + string(b"a") + string(b"bc")),
           key(5, b"z", b"\x01" + string(b"m") + struct.pack("<d", 1.5)), key(11, b"i", string(struct.pack("<IIh", 2, 1, 7))),
           key(16, b"h", string(listpack(b"f", b"v"))), key(25, b"e", bytes(8) + string(listpack(b"f", b"v", 0))),
           key(18, b"q", b"\x01\x02" + string(listpack(b"e"))), key(21, b"x", stream(21, [stream_node(1, [(0, False)])], 1, 1, 1)),
           version=12)
NO_SUM = DATA[:-8] + bytes(8)

PREFIXES = [DATA[:i] for i in range(len(DATA))]
FLIPPED = [DATA[:i] + bytes([DATA[i] ^ 1 << i % 8]) + DATA[i + 1:] for i in range(len(DATA))]
UNSUMMED = [[NO_SUM[:i] + bytes([NO_SUM[i] ^ bits]) + NO_SUM[i + 1:] for i in range(len(NO_SUM) - 8)] for bits in (1, 0x80, 0xff)]


PRELOAD = os.path.join(resp.ROOT, "build", "tests", "integration", "malloc_preload.so")


def tool(*args):
    # close_fds=False: a process is started much faster.
    p = subprocess.run([resp.STILLFRAME_RDB, *args], capture_output=True, timeout=120, close_fds=False)
    return p.returncode, p.stdout, p.stderr.decode("utf-8", "backslashreplace")


class Damage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = os.getcwd()
        cls.dir = tempfile.mkdtemp(prefix="rdb-damage-")
        os.chdir(cls.dir)
        cls.files = PREFIXES + FLIPPED + sum(UNSUMMED, [])
        cls.names = ["f%d" % i for i in range(len(cls.files))]
        for name, data in zip(cls.names + ["whole"], cls.files + [DATA]):
            with open(name, "wb") as f:
                f.write(data)
        status, out, err = tool("check", "--quick", "--format=json", *cls.names)
        cls.verdicts = {f["file"]: f["result"] for f in json.loads(out)}
        cls.damaged = {name for name, verdict in cls.verdicts.items() if verdict == "damaged"}
        cls.before = set(os.listdir())
        cls.keys = set(cls.lines("whole"))

    @classmethod
    def tearDownClass(cls):
        os.chdir(cls.home)
        shutil.rmtree(cls.dir)

    @staticmethod
    def lines(path):
        status, out, err = tool("ndjson", path)
        assert status == 0, err
        return out.splitlines()

    def told(self, err):
        """The messages about each file."""
        about = collections.defaultdict(str)
        for line in err.splitlines():
            m = re.fullmatch(r"stillframe-rdb: (\w+): (.+)", line)
            self.assertIsNotNone(m, line)
            about[m.group(1)] += m.group(2) + "\n"
        return about

    def assert_place(self, text):
        self.assertRegex(text, r"byte \d+|is empty|a kind of file")

    def test_all_of_them_are_what_they_should_be(self):
        self.assertEqual(len(self.verdicts), len(self.files))
        self.assertLessEqual(set(self.names[:2 * len(DATA)]), self.damaged)  # the checksum sees all of them
        self.assertTrue(self.damaged < set(self.names))  # other letters in a value are sound
        self.assertEqual(len(self.keys), 8)

    def test_commands_that_go_on(self):
        for args in (["info"], ["info", "--format=json"], ["keys", "--long"], ["head", "--limit=100000"], ["memory"],
                     ["memory", "--keys", "--format=csv"], ["memory", "--prefixes"], ["report"], ["check"]):
            with self.subTest(args):
                status, _, err = tool(*args, *self.names)
                about = self.told(err)
                self.assertEqual(status, 1)
                self.assertLessEqual(self.damaged, set(about))
                for text in about.values():
                    self.assert_place(text)
                self.assertEqual(set(os.listdir()), self.before)

    def test_names_alone(self):
        """`keys` reads over values: it sees what breaks the file, and all that a checksum sees."""
        status, _, err = tool("keys", *self.names)
        about = self.told(err)
        self.assertEqual(status, 1)
        self.assertLessEqual(set(self.names[:2 * len(DATA)]), set(about))
        self.assertLessEqual(set(about), self.damaged)

    def each(self, shift):
        """Every so many of the files: each command others."""
        every = STEP * 3
        return self.names[shift % STEP:2 * len(DATA):STEP] + self.names[2 * len(DATA) + shift % every::every]

    def test_commands_that_print(self):
        for i, args in enumerate((["json"], ["json", "--size=0-"], ["csv", "--binary=base64"], ["resp"],
                                  ["resp", "--restore"], ["diff", "whole"], ["diff", "--full", "whole"])):
            for name in self.each(i):
                status, _, err = tool(*args, name)
                if name in self.damaged:
                    self.assertEqual(status, 2 if args[0] == "diff" else 1, (args, name))
                    self.assert_place(self.told(err)[name])
                else:
                    self.assertIn(status, (0, 1) if args[0] == "diff" else (0,), (args, name, err))
        self.assertEqual(set(os.listdir()), self.before)

    def test_commands_that_make_files(self):
        for i, args in enumerate((["aof"], ["json"], ["convert"], ["convert", "--to-version=9", "--lossy"],
                                  ["convert", "--to-version=80", "--compress=lz4"], ["convert", "--split=slot:2"],
                                  ["convert", "--size=0-"])):
            for name in self.each(i):
                status, _, err = tool(*args, name, "-o", "out.rdb")
                made = set(os.listdir()) - self.before
                if name in self.damaged:
                    self.assertEqual((status, made), (1, set()), (args, name))
                    self.assert_place(self.told(err)[name])
                    continue
                self.assertEqual(status, 0, (args, name, err))
                self.assertEqual(made, {"out.0.rdb", "out.1.rdb"} if "--split=slot:2" in args else {"out.rdb"})
                if args[0] == "convert":
                    self.assertEqual(tool("check", *made)[0], tool("check", name)[0], (args, name))
                for path in made:
                    os.unlink(path)

    def test_salvage(self):
        for name in self.each(0):
            status, _, err = tool("salvage", name, "out.rdb")
            made = set(os.listdir()) - self.before
            self.assertIn(status, (0, 1, 3), name)
            self.assertEqual(made, {"out.rdb"} if status != 3 else set(), (name, err))
            if status == 3:
                continue
            saved = self.lines("out.rdb")
            os.unlink("out.rdb")
            number = int(name[1:])
            if number < len(DATA):
                self.assertLessEqual(set(saved), self.keys, name)
            elif number < 2 * len(DATA):  # one byte is repaired
                self.assertEqual(set(saved), self.keys, name)


@unittest.skipIf(any(f in resp.STILLFRAME_RDB for f in ("/asan/", "/tsan/")), "these have a malloc of their own")
class NoMemory(unittest.TestCase):
    """Each allocation fails, alone and with all behind it: a message, and no half of a file."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="rdb-memory-")
        self.addCleanup(shutil.rmtree, self.dir)
        for name, data in (("s", DATA), ("t", NO_SUM)):
            with open(os.path.join(self.dir, name), "wb") as f:
                f.write(data)

    def run_failing(self, args, call, once):
        env = dict(os.environ, LD_PRELOAD=PRELOAD, MALLOC_FAILS=str(call), **({"MALLOC_FAILS_ONCE": "1"} if once else {}))
        return subprocess.run([resp.STILLFRAME_RDB, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=self.dir,
                              timeout=60)

    def test_each_command(self):
        for args in (["check", "s"], ["info", "s"], ["keys", "--db=2", "--long", "s"], ["get", "--escapes", "h", "s"],
                     ["json", "--size=0-", "s"], ["resp", "--restore", "s"], ["aof", "s", "-o", "out"], ["diff", "--full", "s", "t"],
                     ["memory", "--prefixes", "s"], ["salvage", "s", "out"], ["convert", "s", "-o", "out"],
                     ["convert", "s", "t", "--on-conflict=last", "--compress=lz4", "-o", "out"],
                     ["convert", "s", "-o", "out", "--to-version=9", "--lossy", "--split=slot:2"]):
            for once in (True, False):
                calls = failed = 0
                while calls == failed or calls < failed + 10:  # until ten in a row were not missed
                    p = self.run_failing(args, calls, once)
                    calls += 1
                    said = (args, calls, p.stderr)
                    self.assertIn(p.returncode, (0, 1, 2, 3), said)
                    if p.returncode != 0:
                        failed = calls
                        self.assertTrue(p.stderr.startswith(b"stillframe-rdb: "), said)
                    made = set(os.listdir(self.dir)) - {"s", "t"}
                    self.assertLessEqual(made, {"out", "out.0", "out.1"} if p.returncode == 0 else set(), said)
                    for name in made:
                        os.unlink(os.path.join(self.dir, name))
                self.assertGreater(failed, 5)


if __name__ == "__main__":
    unittest.main()
