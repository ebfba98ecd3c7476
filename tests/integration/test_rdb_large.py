#!/usr/bin/env python3
"""stillframe-rdb and what must be held whole: an element, a field's value, a name of many MB."""
import base64
import json
import os
import subprocess
import tempfile
import unittest

import dump_bytes
import resp  # noqa: E402

SIZE = 80 << 20
RELEASE = os.environ.get("STILLFRAME_FLAVOUR", "release") == "release"


class Large(unittest.TestCase):
    """A child's peak counts what its parent had when it was born: this process keeps small."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dir = directory.name

    def path(self, name):
        return os.path.join(self.dir, name)

    def block(self):
        """64 KiB; what is written is as many of them as it takes, and an "x"."""
        return base64.b64encode(os.urandom(48 << 10))

    def write(self, name, before, block, after):
        with open(self.path(name), "wb") as f:
            f.write(b"REDIS0010" + before + dump_bytes.length(SIZE + 1))
            for _ in range(SIZE // len(block)):
                f.write(block)
            f.write(b"x" + after + b"\xff" + bytes(8))

    def assert_holds(self, name, block):
        """The file has all blocks, one behind the other, and the "x"."""
        with open(self.path(name), "rb") as f:
            f.seek(f.read(65536).index(block[:64]))
            for i in range(SIZE // len(block)):
                self.assertTrue(f.read(len(block)) == block, i)
            self.assertEqual(f.read(1), b"x")

    def run_tool(self, *args, status=0, out=os.devnull):
        with open(out, "wb") as f:
            p = subprocess.Popen([resp.STILLFRAME_RDB, *args], stdout=f, cwd=self.dir, env={**os.environ, "TMPDIR": self.dir})
            _, got, used = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(got)
        self.assertEqual(p.returncode, status, args)
        if RELEASE:
            self.assertLess(used.ru_maxrss, 64 << 10, args)  # KiB

    def try_all(self, name, *commands):
        for command in (("check",), ("info",), ("keys",), ("keys", "--long"), ("head",), ("memory", "--keys"), ("json",),
                        ("ndjson", "--binary=base64"), ("csv",), ("resp",), ("resp", "--restore"), *commands):
            self.run_tool(*command, name)
        self.run_tool("diff", "--full", name, name)
        self.run_tool("convert", "--to-version=9", "--compress=none", name, "-o", "plain.rdb")
        self.run_tool("convert", "--compress=lz4", name, "-o", "packed.rdb")
        self.run_tool("diff", name, "plain.rdb")
        self.run_tool("diff", "plain.rdb", "packed.rdb")
        self.assertEqual(sorted(os.listdir(self.dir)), sorted([name, "plain.rdb", "packed.rdb"]))

    def test_value_of_a_field(self):
        block = self.block()
        self.write("field.rdb", b"\x04\x01h\x02\x01a\x01b\x01f", block, b"")
        self.write("other.rdb", b"\x04\x01h\x02\x01a\x01b\x01f", block[::-1], b"")
        self.run_tool("diff", "field.rdb", "other.rdb", status=1)
        os.unlink(self.path("other.rdb"))
        self.try_all("field.rdb", ("get", "h"))
        self.run_tool("get", "h", "field.rdb", "--format=json", out=self.path("got"))
        self.assert_holds("got", block)
        with open(self.path("got"), "rb") as f:
            begin = f.read(65536)
            f.seek(-64, os.SEEK_END)
            end = f.read()
        self.assertEqual(json.loads(begin[:begin.index(block[:64])] + end[end.rindex(b"x"):])["value"], {"a": "b", "f": "x"})

    def test_name_of_a_key(self):
        block = self.block()
        self.write("name.rdb", b"\x00", block, b"\x01v")
        self.try_all("name.rdb", ("keys", "--sample=50"))
        self.run_tool("keys", "name.rdb", out=self.path("got"))
        self.assert_holds("got", block)
        self.assertEqual(os.path.getsize(self.path("got")), SIZE + 2)


if __name__ == "__main__":
    unittest.main()
