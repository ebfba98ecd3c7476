#!/usr/bin/env python3
"""Dumps, configurations and files of users where the server believes itself on OSv (osv_preload.c):
the old one steps aside for the new one, since rename() there forgets what it replaces, and comes
back where that was cut off."""
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
            server = resp.start_stillframe(self.dir, *words, "--save", "", "--enable-debug-command", "yes")
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

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def written_files(self):
        """A server with a configuration and a file of users of its own: its words."""
        self.write("users.acl", "user old on nopass ~* +@all\n")
        return (self.write("server.conf", "# ours\nhz 20\naclfile users.acl\n"),)

    def test_a_file_that_is_written_anew_is_not_replaced_by_rename(self):
        words = self.written_files()
        names = sorted(os.listdir(self.dir))
        held = [open(os.path.join(self.dir, name)) for name in names]
        server = self.start(*words)
        with server.client() as c:
            for hz in (30, 40):
                c.call("CONFIG", "SET", "hz", hz)
                c.call("CONFIG", "REWRITE")
                c.call("ACL", "SETUSER", "new%d" % hz, "on", "nopass")
                c.call("ACL", "SAVE")
                self.assertEqual(sorted(os.listdir(self.dir)), names)
        server.kill()
        for f in held:
            self.assertEqual(os.fstat(f.fileno()).st_nlink, 0)
            f.close()
        with self.start(*words).client() as c:
            self.assertEqual(c.call("CONFIG", "GET", "hz"), [b"hz", b"40"])
            self.assertEqual(c.call("ACL", "USERS"), [b"default", b"new30", b"new40", b"old"])

    def test_a_file_that_was_set_aside_comes_back_and_is_read(self):
        words = self.written_files()
        for name in ("server.conf", "users.acl"):
            self.rename(name, "temp-stillframe-aside-" + name)
        server = self.start(*words)
        with server.client() as c:
            self.assertEqual(c.call("CONFIG", "GET", "hz"), [b"hz", b"20"])
            self.assertEqual(c.call("ACL", "USERS"), [b"default", b"old"])
            self.assertIn("users.acl was not there: it was being written anew", server.log())
        server.kill()
        for name in ("server.conf", "users.acl"):
            self.write("temp-stillframe-aside-" + name, "what is older is not read\n")
        with self.start(*words).client() as c:
            self.assertEqual(c.call("CONFIG", "GET", "hz"), [b"hz", b"20"])
        self.assertEqual(sorted(os.listdir(self.dir)), ["server.conf", "users.acl"])

    def test_what_a_save_has_left_is_removed_for_good(self):
        for left in ([], ["temp-stillframe-2-00000000000000a%d.rdb" % i for i in range(2)]):
            for name in left:
                self.write(name, "a part of a dump")
            server = self.start()
            with server.client() as c:
                with self.assertRaises((OSError, EOFError)):
                    c.call("SHUTDOWN", "NOSAVE")
            server.process.wait()
            self.assertEqual(os.listdir(self.dir), [])
            self.assertIn("synced directories %d times" % (1 if left else 0), server.log())


if __name__ == "__main__":
    unittest.main()
