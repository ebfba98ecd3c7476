#!/usr/bin/env python3
"""A server and a tool for aarch64, under qemu-user, beside those of this machine: one life with
saves beside writes, its system calls, dumps that go from one machine to the other, and what both
tools say of the same files."""
import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]
import emulated  # noqa: E402
import resp  # noqa: E402
import test_elsewhere as elsewhere  # noqa: E402
from golden import files  # noqa: E402

PROGRAMS = os.path.join(resp.ROOT, "build", "aarch64")
SERVER = emulated.command(os.path.join(PROGRAMS, "stillframe-server"))
TOOL = emulated.command(os.path.join(PROGRAMS, "stillframe-rdb"))
# The emulator's own, for the guest's.
NOT_OURS = {"exit_group", "execve"}


class InADirectory(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dir = directory.name
        self.addCleanup(resp.kill_running)

    def place(self, *options, env=None, native=False):
        return elsewhere.Place(self.dir, [] if native else SERVER[:-1], env, options, resp.STILLFRAME_SERVER if native else SERVER[-1])


class Life(InADirectory):
    def test_a_life_with_saves_beside_writes(self):
        trace = os.path.join(self.dir, "trace")
        elsewhere.live(self, self.place(*elsewhere.everything(self.dir),
                                        env={"QEMU_STRACE": "1", "QEMU_LOG_FILENAME": trace + ".%d"}))
        # What it asks the system for there is in the list that the sandbox goes by.
        made = set()
        for name in os.listdir(self.dir):
            if name.startswith("trace."):
                with open(os.path.join(self.dir, name), encoding="utf-8", errors="replace") as f:
                    made.update(re.findall(r"^\d+ ([a-z]\w*)\(", f.read(), re.M))
        self.assertGreater(len(made), 40)
        self.assertLess({"openat", "renameat", "fsync", "clone", "epoll_pwait"}, made)
        self.assertEqual(made - set(elsewhere.calls()) - NOT_OURS, set())

    def test_the_sandbox_has_its_rules_there(self):
        # The filter is made; only then the emulator has no place for it.
        server = self.place().start()
        self.assertIn("Sandbox: the system refuses it (Operation not supported)", server.log())
        self.assertEqual(server.stop(), 0, server.log())


class Files(InADirectory):
    def test_a_dump_is_the_same_data_on_both(self):
        digests = []
        for native in (False, True, False):
            server = self.place(native=native).start()
            with server.client() as c:
                if not digests:
                    elsewhere.serve(c)
                    for number in ("3.0e3", "1e-7", "-2.5", "17179869184.125", "0.1"):
                        c.call("INCRBYFLOAT", "sum", number)
                        c.call("ZADD", "scores", number, number)
                    c.call("SETBIT", "bits", 100001, 1)
                    c.call("PFADD", "hll", *range(3000))
                    c.call("GEOADD", "geo", "13.361389", "38.115556", "Palermo")
                    c.call("SET", b"\xff\x80\x00", bytes(range(256)) * 40)
                    c.call("HSET", b"\xfe", *[bytes([i]) for i in range(256)])
                # PFCOUNT first: it keeps its count in the value.
                digests.append((c.call("PFCOUNT", "hll"), c.call("GEOHASH", "geo", "Palermo"), c.call("DEBUG", "DIGEST")))
            self.assertEqual(elsewhere.end(server, "SAVE"), 0, server.log())
            said = [subprocess.run([*tool, "check", os.path.join(self.dir, "dump.rdb")], capture_output=True, timeout=600, check=True).stdout
                    for tool in ([resp.STILLFRAME_RDB], TOOL)]
            self.assertIn(b": sound: RDB ", said[0])
            self.assertEqual(*said)
        self.assertEqual(digests[1:], digests[:1] * 2)

    def said(self, tool, words, path):
        """Its exit status, what it prints, and what it has written."""
        out = os.path.join(self.dir, "out.rdb")
        done = subprocess.run([*tool, *words, path], cwd=self.dir, capture_output=True, timeout=600)
        written = b""
        if os.path.exists(out):
            with open(out, "rb") as f:
                written = f.read()
            os.unlink(out)
        return done.returncode, done.stdout, done.stderr, written

    def test_both_tools_say_the_same_of_every_kind_of_file(self):
        path, count = os.path.join(self.dir, "golden.rdb"), 0
        for file in files.files():
            with open(path, "wb") as f:
                f.write(file.data)
            for words in (["check"], ["json"], ["memory"], ["convert", "--to-version=12", "--lossy", "--compress=lz4", "-o", "out.rdb"]):
                native, there = (self.said(tool, words, path) for tool in ([resp.STILLFRAME_RDB], TOOL))
                with self.subTest(file=file.name, words=words):
                    self.assertEqual(there, native)
                    count += native[0] == 0
        self.assertGreater(count, 30)


class Program(unittest.TestCase):
    def test_jump_targets_are_marked_and_return_addresses_signed(self):
        # Debian's archives that are linked in have no marks; the program's own code has them all.
        notes = subprocess.run(["readelf", "-n", os.path.join(PROGRAMS, "obj/server/config/config_file.o")], capture_output=True,
                               timeout=60, check=True).stdout.decode()
        self.assertRegex(notes, r"AArch64 feature: BTI, PAC")


if __name__ == "__main__":
    unittest.main()
