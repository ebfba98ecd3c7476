#!/usr/bin/env python3
"""What osv/image.py and osv/disk.py make of what a user says, with no machine: an error before
anything is written, a note, or the right words on the command line of the guest."""
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest  # noqa: E402
from guest import resp  # noqa: E402


class Image(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.dir = place.name
        self.image = os.path.join(self.dir, "image.qcow2")

    def tool(self, name, *words, args=""):
        """(exit status, what it said) of a program of osv/."""
        done = subprocess.run([sys.executable, os.path.join(resp.ROOT, "osv", name), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, timeout=300, env={**os.environ, "OSV_WORDS": args})
        return done.returncode, done.stdout.decode()

    def make(self, args="", *options, data_mb="8", data=None, look=False):
        words = ["--osv", guest.OSV, "--out", self.image, "--data-mb", data_mb, "--server-words", "OSV_WORDS", *options]
        words += ["--data", data] if data else []
        return self.tool("image.py", *words, *(["--look"] if look else []), guest.PROGRAMS["pie"], args=args)

    def directory(self, **files):
        place = tempfile.mkdtemp(dir=self.dir)
        for name, text in files.items():
            with open(os.path.join(place, name.replace("_", ".")), "w", encoding="utf-8") as f:
                f.write(text)
        return place

    def test_what_cannot_be_is_refused_before_anything_is_built(self):
        cases = [({"data_mb": "0"}, r"between 4 and \d+, not 0"), ({"data_mb": "4G"}, r"between 4 and \d+, not 4G"),
                 ({"data": "/no/such"}, r"/no/such: no such directory"), ({"args": "--requirepass 'a"}, "No closing quotation"),
                 ({"args": "--requirepass 'a\"b'"}, "double quote"), ({"args": "x.conf"}, "/data/x.conf"), ({"args": "/etc/x.conf"}, "/data/x.conf"),
                 ({"args": "/data/x.conf"}, "no such file"), ({"args": "--dir /tmp"}, "gone with the machine"),
                 ({"args": "--save '' --bind 127.0.0.1 -::1"}, "nobody outside"),
                 ({"args": "/data/x.conf", "data": self.directory(x_conf="port 7000\nbind 127.0.0.1\n")}, "nobody outside")]
        for said, error in cases:
            with self.subTest(**said):
                status, text = self.make(look=True, **said)
                self.assertEqual(status, 1, text)
                self.assertRegex(text, "^osv/image.py: .*" + error)
                self.assertEqual(text.count("\n"), 1)
        self.assertEqual(self.make("--bind 0.0.0.0", look=True), (0, ""))
        self.assertFalse(os.path.exists(self.image))

    def words_of(self, text):
        return re.match(r"\S+: --\S+ --\S+ /stillframe-server (.*)", text).group(1)

    def test_notes(self):
        status, text = self.make("--port 7000 --save ''")
        self.assertEqual((status, self.words_of(text)), (0, '--dir /data --protected-mode no --port 7000 --save ""'))
        self.assertIn("port 7000: ", text)
        self.assertIn("no password", text)
        status, text = self.make("--requirepass secret")
        self.assertEqual((status, self.words_of(text)), (0, "--dir /data --protected-mode no --requirepass secret"))
        self.assertNotIn("no password", text)

    def test_a_configuration_that_the_image_keeps_counts(self):
        data = self.directory(stillframe_conf="# mine\nprotected-mode yes\ndir /var/lib/redis\n")
        words = "/data/stillframe.conf --dir /data"
        for options in ({"data": data}, {}):
            status, text = self.make("/data/stillframe.conf", **options)
            self.assertEqual((status, self.words_of(text)), (0, words))
        status, text = self.make("/data/another.conf")
        self.assertEqual(status, 1, text)
        self.assertRegex(text, "/data/another.conf: there is no such file in /data of .*image.qcow2")
        status, text = self.make(data_mb="16", look=True)
        self.assertEqual(status, 1, text)
        self.assertIn("its /data holds stillframe.conf", text)

    def test_files_have_their_names_in_the_guest_too(self):
        self.assertEqual(self.make(data=self.directory(dump_rdb="REDIS"))[0], 0)
        for name in ("dump.rdb", "/data/dump.rdb"):
            self.assertEqual(self.tool("disk.py", self.image, "get", name, "-"), (0, "REDIS"))
        self.assertEqual(self.tool("disk.py", self.image, "remove", "/data/dump.rdb")[0], 0)
        self.assertEqual(self.tool("disk.py", self.image, "list"), (0, ""))

    def test_a_raw_disk(self):
        self.image = os.path.join(self.dir, "image.raw")
        self.assertEqual(self.make("", "--format", "raw", data=self.directory(dump_rdb="REDIS"))[0], 0)
        self.assertEqual(self.tool("disk.py", self.image, "get", "dump.rdb", "-"), (0, "REDIS"))

    def test_what_is_no_image_is_not_booted(self):
        path = os.path.join(self.dir, "text")
        with open(path, "w", encoding="utf-8") as f:
            f.write("no image\n" * 1000)
        status, text = self.tool("qemu.py", path, "--port", str(resp.free_port()), "--accel", "tcg")
        self.assertEqual(status, 1, text)
        self.assertIn("not an image with a data partition", text)


if __name__ == "__main__":
    guest.main()
