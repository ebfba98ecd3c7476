#!/usr/bin/env python3
"""Limits of the machine: memory, file sizes, open files, threads, stacks, disks that are full, and
what is left where somebody is killed.  At each limit a start serves, or ends with status 1 and says
what is too little; no write that was acknowledged is lost, no file that was there is damaged, and
what failed says why.

LIMITS_LONG=1: smaller steps.  Limits hold for root, too, but some of them root may raise: servers
are started without that right.
"""
import ctypes
import fcntl
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_elsewhere import Process  # noqa: E402
from test_server import info  # noqa: E402

LONG = bool(os.environ.get("LIMITS_LONG"))
SANITIZED = any(f in resp.STILLFRAME_SERVER for f in ("/asan/", "/tsan/"))
MIB = 1 << 20
CAP_SYS_RESOURCE, PR_CAPBSET_DROP = 24, 24
# The loader, and the kernel, need some memory and descriptors before the program begins.
BEFORE_US = re.compile(r"error while loading shared libraries: ")


def limited(*limits):
    """For preexec_fn: (RLIMIT_..., value) as soft and hard limit, and no right to raise them."""
    prctl = ctypes.CDLL(None).prctl

    def limit():
        prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0)
        for kind, value in limits:
            resource.setrlimit(kind, (value, value))
    return limit


class Limits(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="stillframe-limits-")
        self.servers = []

    def tearDown(self):
        for s in self.servers:
            if s.is_running():
                s.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def begin(self, *args, limits=(), env=None, program=resp.STILLFRAME_SERVER):
        """A server that is starting."""
        port = resp.free_port()
        command = [program] + [str(a) for a in args] + ["--port", str(port), "--save", ""]
        server = Process(command, self.dir, port, dict(os.environ, **(env or {})), limited(*limits))
        self.servers.append(server)
        return server

    def start(self, *args, **options):
        server = self.begin(*args, **options)
        server.wait_ready()
        return server

    def serves(self, *args, **options):
        """A server that serves; or None: it has ended, as the one that has too little should."""
        try:
            return self.start(*args, **options)
        except resp.StartError as e:
            self.assertEqual(e.status, 1, e.log)
            self.assertRegex(e.log, r"Cannot allocate memory|Resource temporarily unavailable|Limits of this process|Raise the limit|no memory|out of memory")
            return None

    def temporary(self, directory=None):
        return [n for n in os.listdir(directory or self.dir) if n.startswith(("temp-", ".stillframe-"))]

    def wait_saved(self, c):
        resp.wait_until(lambda: info(c, "persistence")["rdb_bgsave_in_progress"] == "0", 120, what="the save to end")
        return info(c, "persistence")

    def assert_saves(self, c):
        self.assertEqual(c.call("BGSAVE", "WAIT"), b"Background saving terminated with success")
        self.assertEqual(self.temporary(), [])

    def error_of(self, c, *command):
        with self.assertRaises(resp.RespError) as e:
            c.call(*command)
        return str(e.exception)


class Memory(Limits):
    """RLIMIT_AS, RLIMIT_DATA: every reservation may be refused."""

    VALUE = "v" * 8000

    def test_a_limit_of_addresses(self):
        sizes = [16, 40, 64, 140, 160, 176, 200, 240]
        self.sweep(resource.RLIMIT_AS, range(12, 260, 4) if LONG else sizes, True)

    def test_a_limit_of_data(self):
        self.sweep(resource.RLIMIT_DATA, range(2, 110, 2) if LONG else [2, 4, 16, 30, 34, 48, 80], False)

    @unittest.skipIf(SANITIZED, "shadow memory needs more than any limit")
    def sweep(self, kind, sizes, may_fail_to_load):
        """From far too little to plenty.  The dump of each is the next one's."""
        known, served = {}, []
        for mib in sizes:
            with self.subTest(mib=mib):
                before = self.read("dump.rdb") if os.path.exists(self.path("dump.rdb")) else None
                try:
                    server = self.serves("--arena-size", "64mb", limits=[(kind, mib * MIB)])
                except AssertionError as e:
                    if not BEFORE_US.search(str(e)):
                        raise
                    server = None
                if server is None:
                    self.assertEqual(self.read("dump.rdb") if before is not None else None, before)
                    continue
                served.append(mib)
                with server.client() as c:
                    for key, value in known.items():
                        self.assertEqual(c.call("GET", key), value)
                    self.fill_beside_saves(c, server, known)
                self.assertEqual(server.stop(), 0, server.log())
                self.assertEqual(self.temporary(), [])
        self.assertTrue(served, "none of these limits was enough")
        self.assertNotEqual(served[0], sizes[0], "none of these limits was too low")

    def fill_beside_saves(self, c, server, known):
        """Writes until one is refused, with a save behind the other; then relief, and one more."""
        c.call("FLUSHALL")
        known.clear()
        refused = 0
        for i in range(0, 6000, 50):
            if info(c, "persistence")["rdb_bgsave_in_progress"] == "0":
                c.call("BGSAVE")
            commands = [["SET", "key:%d" % k, "%d:%s" % (k, self.VALUE)] for k in range(i, i + 50)]
            for command, reply in zip(commands, c.pipeline(commands)):
                if isinstance(reply, resp.RespError):
                    self.assertTrue(str(reply).startswith("OOM "), reply)
                    refused += 1
                else:
                    self.assertEqual(reply, b"OK")
                    known[command[1]] = command[2].encode()
            if refused > 50:
                break
        fields = self.wait_saved(c)
        if fields["rdb_last_bgsave_status"] != "ok":
            self.assertNotEqual(fields["rdb_last_bgsave_error"], "")
            self.assertIn("Background saving error: " + fields["rdb_last_bgsave_error"], server.log())
        self.assertEqual(c.call("DBSIZE"), len(known))
        for key, value in known.items():
            self.assertEqual(c.call("GET", key), value)
        for key in sorted(known)[:len(known) // 2]:
            c.call("DEL", key)
            del known[key]
        self.assert_saves(c)


class FileSizes(Limits):
    """RLIMIT_FSIZE: a file that may not become larger is an error, and not the end (SIGXFSZ)."""

    LIMIT = 256 * 1024

    def test_everything_that_is_written(self):
        conf = self.write("server.conf", "# %s\naclfile %s\nlogfile server.log\n" % ("c" * 100000, self.path("users.acl")))
        users = "user default on nopass ~* &* +@all\n"
        self.write("users.acl", users)
        server = self.start(conf, "--snapshot-retain", "2", limits=[(resource.RLIMIT_FSIZE, self.LIMIT)])
        with server.client() as c:
            c.call("SET", "small", "x")
            c.call("SAVE")
            old = self.read("dump.rdb")
            names = sorted(os.listdir(self.dir))
            value = os.urandom(self.LIMIT * 2)
            c.call("SET", "large", value)
            for command in (["SAVE"], ["BGSAVE", "WAIT"], ["BGSAVE", "TO", "copy.rdb", "WAIT"]):
                self.assertIn("File too large", self.error_of(c, *command), command)
                self.assertEqual(sorted(os.listdir(self.dir)), names)
                self.assertEqual(self.read("dump.rdb"), old)
            self.assertIn("File too large", info(c, "persistence")["rdb_last_bgsave_error"])
            for i in range(3):  # more words than the file may have
                c.call("ACL", "SETUSER", "u%d" % i, *["~%s%d" % ("k" * 1000, k) for k in range(100)])
            self.assertIn("File too large", self.error_of(c, "ACL", "SAVE") + self.log_of())
            self.assertEqual(self.read("users.acl").decode(), users)
            c.call("CONFIG", "SET", "proc-title-template", "t" * (self.LIMIT - 90000))
            before = self.read("server.conf")
            self.assertIn("File too large", self.error_of(c, "CONFIG", "REWRITE") + self.log_of())
            self.assertEqual(self.read("server.conf"), before)
            self.assertEqual(sorted(os.listdir(self.dir)), names)
            c.call("DEL", "large")
            self.assert_saves(c)
            self.assertIn("Background saving error", self.log_of())
        self.assertEqual(server.stop(), 0)

    def log_of(self):
        return self.read("server.log").decode()

    def test_a_log_that_is_full_ends_nothing(self):
        server = self.start("--logfile", "server.log", limits=[(resource.RLIMIT_FSIZE, 200)])
        with server.client() as c:
            c.call("SET", "k", "v")
            c.call("SAVE")
            self.assertEqual(c.call("GET", "k"), b"v")
        self.assertEqual(os.path.getsize(self.path("server.log")), 200)
        self.assertEqual(server.stop(), 0)

    def test_the_tool(self):
        server = self.start()
        with server.client() as c:
            c.call("SET", "large", os.urandom(self.LIMIT * 2))
            c.call("SAVE")
        server.stop()
        before = self.read("dump.rdb")
        for words in (["convert", "--to-version=9", "dump.rdb", "-o", "out.rdb"], ["json", "dump.rdb", "-o", "out.json"]):
            done = subprocess.run([resp.STILLFRAME_RDB] + words, cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                                  preexec_fn=limited((resource.RLIMIT_FSIZE, self.LIMIT)), check=False)
            self.assertGreater(done.returncode, 0, (words, done.stderr))
            self.assertIn(b"File too large", done.stderr, words)
            self.assertEqual(os.listdir(self.dir), ["dump.rdb"], words)
            self.assertEqual(self.read("dump.rdb"), before)


if __name__ == "__main__":
    unittest.main()
