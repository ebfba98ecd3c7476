#!/usr/bin/env python3
"""Dumps where the server believes itself on OSv (osv_preload.c): the old one steps aside for the
new one, since rename() there forgets what it replaces, and comes back where that was cut off."""
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

PRELOAD = os.path.join(resp.ROOT, "build", "tests", "integration", "osv_preload.so")
ASIDE = "temp-stillframe-aside-dump.rdb"


class Files(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)

    def start(self, *words):
        os.environ["LD_PRELOAD"] = PRELOAD
        try:
            server = resp.start_stillframe(self.dir, "--save", "", "--enable-debug-command", "yes", *words)
        finally:
            del os.environ["LD_PRELOAD"]
        self.addCleanup(server.kill)
        return server

    def rename(self, old, new):
        os.rename(os.path.join(self.dir, old), os.path.join(self.dir, new))

    def test_nothing_is_left_beside_the_dump(self):
        server = self.start()
        with server.client() as c:
            for i in range(3):
                c.call("SET", "a", i)
                c.call("SAVE")
            self.assertEqual(os.listdir(self.dir), ["dump.rdb"])
            c.call("CONFIG", "SET", "snapshot-retain", 2)
            for i in range(3):
                c.call("SET", "a", i)
                c.call("SAVE")
            self.assertEqual(len(os.listdir(self.dir)), 3)
            digest = c.call("DEBUG", "DIGEST")
        server.kill()
        with self.start().client() as c:
            self.assertEqual(c.call("DEBUG", "DIGEST"), digest)

    def test_a_dump_that_was_set_aside_comes_back_and_is_loaded(self):
        server = self.start()
        with server.client() as c:
            c.call("SET", "a", "b")
            c.call("SAVE")
        server.kill()
        self.rename("dump.rdb", ASIDE)
        server = self.start()
        with server.client() as c:
            self.assertEqual(c.call("GET", "a"), b"b")
            self.assertEqual(os.listdir(self.dir), ["dump.rdb"])
            self.assertIn("dump.rdb was not there: the last save was cut off when it took its place.", server.log())
            c.call("SET", "a", "new")
            shutil.copyfile(os.path.join(self.dir, "dump.rdb"), os.path.join(self.dir, ASIDE))
            c.call("SAVE")
        server.kill()
        shutil.copyfile(os.path.join(self.dir, "dump.rdb"), os.path.join(self.dir, ASIDE))
        with self.start().client() as c:
            self.assertEqual(c.call("GET", "a"), b"new")
        self.assertEqual(os.listdir(self.dir), ["dump.rdb"])


if __name__ == "__main__":
    unittest.main()
