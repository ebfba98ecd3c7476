#!/usr/bin/env python3
"""stillframe-rdb reads a dump in every form that one meets: packed by any of the usual programs,
from a pipe, from a file that is cut off or damaged."""
import gzip
import os
import pty
import resource
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

TOOL = resp.STILLFRAME_RDB


def tool(*args, **more):
    p = subprocess.run([TOOL, *args], capture_output=True, timeout=120, **more)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def pack(*command, data):
    return subprocess.run(command, input=data, capture_output=True, timeout=60, check=True).stdout


def dump(keys, bytes_each=20):
    """An RDB without checksum: strings k0, k1, ..."""
    parts = [b"REDIS0010\xfe\x00"]
    for i in range(keys):
        name = b"k%d" % i
        value = (b"%d." % (i * 2654435761 % 2**32) * bytes_each)[:bytes_each]
        parts.append(b"\x00" + bytes([len(name)]) + name + struct.pack(">BI", 0x80, len(value)) + value)
    return b"".join(parts) + b"\xff" + bytes(8)


class InputTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="rdb-input-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def forms(self, data):
        """Name, and the file, of each form that there is a program for here."""
        half = len(data) // 2
        forms = {"plain": data, "gzip": gzip.compress(data), "gzip of two members": gzip.compress(data[:half]) + gzip.compress(data[half:])}
        if shutil.which("lz4"):
            frame = pack("lz4", "-c", "-B4", "-BD", data=data)
            forms["LZ4"] = frame
            forms["LZ4, old blocks"] = pack("lz4", "-c", "-9", "--no-frame-crc", data=data)
            forms["Valkey's"] = b"VCS\1\1\0\1" + frame
            forms["Valkey's, in gzip"] = gzip.compress(b"VCS\1\1\0\1" + frame)
        if shutil.which("zstd"):
            forms["Zstd"] = pack("zstd", "-c", data=data)
            forms["Zstd, two frames"] = pack("zstd", "-c", data=data[:half]) + pack("zstd", "-c", data=data[half:])
        return forms


class Forms(InputTest):
    def test_files_and_pipes_of_every_form(self):
        for name, packed in self.forms(dump(30000)).items():
            with self.subTest(name):
                path = self.write("packed", packed)
                status, out, err = tool("check", path)
                self.assertEqual((status, err), (0, ""))
                self.assertIn("30,000 keys", out)
                status, piped, err = tool("check", "-", input=packed)
                self.assertEqual((status, err), (0, ""))
                self.assertIn("30,000 keys", piped)
                self.assertTrue(piped.startswith("-: sound"))

    def test_the_packed_form_is_named(self):
        forms = self.forms(dump(1000))
        for name, want in (("gzip", "as gzip ("), ("Zstd", "as Zstd ("), ("Valkey's", "as LZ4 in Valkey's envelope ("),
                           ("Valkey's, in gzip", "as LZ4 in Valkey's envelope, in gzip (")):
            if name in forms:
                self.assertIn(want, tool("check", self.write("packed", forms[name]))[1])

    def test_standard_input_that_is_a_file_is_read_from_where_it_stands(self):
        path = self.write("behind", b"some other bytes" + dump(50))
        with open(path, "rb") as f:
            os.lseek(f.fileno(), len(b"some other bytes"), os.SEEK_SET)
            status, out, err = tool("check", "-", stdin=f)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("50 keys", out)

    def test_a_fifo_is_a_stream(self):
        os.mkfifo(self.path("fifo"))
        p = subprocess.Popen([TOOL, "check", self.path("fifo")], stdout=subprocess.PIPE)
        with open(self.path("fifo"), "wb") as f:
            f.write(dump(20000))
        out, _ = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 0)
        self.assertIn(b"20,000 keys", out)

    def test_what_is_no_file(self):
        self.assertEqual(tool("check", self.dir), (1, "", "stillframe-rdb: %s: Is a directory\n" % self.dir))
        none = self.path("none")
        self.assertEqual(tool("check", none), (1, "", "stillframe-rdb: %s: No such file or directory\n" % none))


class Damage(InputTest):
    def test_each_prefix_is_an_error_with_its_place(self):
        for name, packed in self.forms(dump(8)).items():
            whole = 0
            for n in range(0, len(packed), 5):  # of the packed ones, each: tests/tool/test_input.c
                status, out, err = tool("check", "-", input=packed[:n])
                whole += status == 0
                if status != 0:
                    self.assertEqual((status, out), (1, ""), (name, n))
                    self.assertRegex(err, r"^stillframe-rdb: -: byte \d+.*: .*\n$", (name, n))
            self.assertEqual(whole, 0, name)

    def test_a_pipe_names_the_same_place_as_a_file(self):
        for name, packed in self.forms(dump(2000)).items():
            for damaged in (packed[:-9], packed[:len(packed) // 2], packed + b"xy",
                            packed[:len(packed) // 3] + b"\x55" * 9 + packed[len(packed) // 3 + 9:]):
                path = self.write("damaged", damaged)
                by_file, by_pipe = tool("check", path), tool("check", "-", input=damaged)
                self.assertEqual(by_file[2].replace(path, "-", 1).replace(" 2 more", " more"), by_pipe[2].replace(" 2 more", " more"), name)
                self.assertEqual(by_file[0], by_pipe[0])


class Conduct(InputTest):
    def test_an_error_ends_it_while_the_pipe_is_still_open(self):
        """The reader's thread waits for a pipe that says no more: that must not keep the tool."""
        p = subprocess.Popen([TOOL, "check", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        p.stdin.write(b"NONSENSE FROM A PIPE" * 10)
        p.stdin.flush()
        err = p.stderr.read()
        self.assertEqual(p.wait(timeout=60), 1)
        self.assertIn(b"-: byte 0: ", err)
        p.stdin.close()
        p.stderr.close()

    def on_terminal(self, *args, stdin=None, feed=None):
        """What the tool writes to stderr, a terminal."""
        ours, theirs = pty.openpty()
        p = subprocess.Popen([TOOL, *args], stdin=stdin, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        if feed:
            feed()
        seen = b""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if select.select([ours], [], [], 1)[0]:
                try:
                    more = os.read(ours, 65536)
                except OSError:
                    break
                if not more:
                    break
                seen += more
        os.close(ours)
        self.assertEqual(p.wait(timeout=60), 0)
        return seen.decode()

    def test_a_bar_on_a_terminal_also_where_the_size_is_not_known(self):
        data = dump(300000, 40)

        def slowly(fd):
            for i in range(12):
                at = len(data) * i // 12
                os.write(fd, b"")
                view = memoryview(data)[at:len(data) * (i + 1) // 12]
                while view:
                    view = view[os.write(fd, view):]
                time.sleep(0.15)
            os.close(fd)

        r, w = os.pipe()
        seen = self.on_terminal("check", "-", stdin=r, feed=lambda: (os.close(r), slowly(w)))
        self.assertRegex(seen, r"\r\x1b\[K-  [\d.]+ MiB so far  [\d.]+ [KMG]iB/s")
        self.assertTrue(seen.endswith("\r\x1b[K"))
        r, w = os.pipe()
        seen = self.on_terminal("check", "--quiet", "-", stdin=r, feed=lambda: (os.close(r), slowly(w)))
        self.assertEqual(seen, "")

    def test_a_large_packed_file_in_flat_memory(self):
        packed = gzip.compress(dump(400000, 200), 1)
        limit = {} if "/asan/" in TOOL or "/tsan/" in TOOL else {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (64 << 20, 64 << 20))}
        status, out, err = tool("info", "-", input=packed, **limit)
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"\n  compressed +gzip")


if __name__ == "__main__":
    unittest.main()
