#!/usr/bin/env python3
"""Where a dump, a configuration or a file of users is to be written: what stands there already, and
file systems that are full, read-only or gone."""
import os
import shutil
import socket
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_server import ServerCase, info  # noqa: E402

OPTIONS = ("--save", "", "--enable-debug-command", "yes", "--enable-protected-configs", "yes", "--stop-writes-on-bgsave-error", "no")
NAMESPACE = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]


def can_mount():
    return shutil.which("unshare") and shutil.which("nsenter") and subprocess.run(
        NAMESPACE + ["mount", "-t", "tmpfs", "none", "/mnt"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


class Standing(ServerCase):
    """Something else has the dump's name."""

    def dangling(self, path):
        os.symlink("nowhere", path)

    def link(self, path):
        self.write("target", "what is in the target")
        os.symlink(self.path("target"), path)

    def fifo(self, path):
        os.mkfifo(path)

    def socket(self, path):
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(path)

    def device(self, path):
        os.symlink("/dev/null", path)

    def loop(self, path):
        os.symlink(os.path.basename(path), path)

    def directory(self, path):
        os.mkdir(path)
        with open(os.path.join(path, "kept"), "w") as f:
            f.write("x")

    def test_a_save_takes_the_name_and_leaves_what_a_link_leads_to_as_redis_does(self):
        for start in (resp.start_stillframe, resp.start_redis_server):
            server = start(self.dir, "--save", "", "--dbfilename", "d.rdb", "--enable-protected-configs", "yes")
            self.servers.append(server)
            with server.client() as c:
                c.call("SET", "k", "v")
                for make in (self.link, self.dangling, self.fifo, self.socket, self.device, self.loop):
                    for words in (["SAVE"], ["BGSAVE"]):
                        with self.subTest(what=make.__name__, words=words, start=start.__name__):
                            make(self.path("d.rdb"))
                            c.call(*words)
                            resp.wait_until(lambda: info(c, "persistence")["rdb_bgsave_in_progress"] == "0")
                            self.assertEqual(info(c, "persistence")["rdb_last_bgsave_status"], "ok")
                            self.assertTrue(stat.S_ISREG(os.lstat(self.path("d.rdb")).st_mode))
                            with open(self.path("d.rdb"), "rb") as f:
                                self.assertEqual(f.read(5), b"REDIS")
                            os.unlink(self.path("d.rdb"))
                            self.assertEqual([n for n in os.listdir(self.dir) if n != "target"], [])
            with open(self.path("target")) as f:
                self.assertEqual(f.read(), "what is in the target")
            self.assertFalse(os.path.exists(self.path("nowhere")))
            server.stop()

    def test_kept_dumps_are_dumps_whatever_had_the_name(self):
        c = self.start(*OPTIONS, "--snapshot-retain", "2").client()
        for make in (self.link, self.fifo):
            make(self.path("dump.rdb"))
            self.assertEqual(c.call("SAVE"), b"OK")
            names = [n for n in os.listdir(self.dir) if n.startswith("dump")]
            self.assertTrue(all(stat.S_ISREG(os.lstat(self.path(n)).st_mode) for n in names), names)
            os.unlink(self.path("dump.rdb"))
            if os.path.exists(self.path("target")):
                os.unlink(self.path("target"))

    def test_a_directory_is_not_replaced(self):
        c = self.start(*OPTIONS).client()
        self.directory(self.path("dump.rdb"))
        for retain in (0, 2):
            c.call("CONFIG", "SET", "snapshot-retain", retain)
            with self.assertRaisesRegex(resp.RespError, "rename of dump.rdb: Is a directory"):
                c.call("SAVE")
            self.assertEqual(os.listdir(self.dir), ["dump.rdb"])
            self.assertEqual(os.listdir(self.path("dump.rdb")), ["kept"])
        shutil.rmtree(self.path("dump.rdb"))
        self.assertEqual(c.call("SAVE"), b"OK")

    def test_a_start_says_what_stands_there_and_leaves_it(self):
        no_file = "it is no file, but a pipe, a socket or a device"
        for make, why in ((self.fifo, no_file), (self.device, no_file), (self.directory, "Is a directory"),
                          (self.loop, "Too many levels of symbolic links"), (self.socket, "No such device or address")):
            with self.subTest(what=make.__name__):
                make(self.path("dump.rdb"))
                said = self.refused("--port", "0", "--unixsocket", self.path("s"))
                self.assertIn("Can't load the dump dump.rdb in %s: %s. The file is left untouched" % (os.path.realpath(self.dir), why), said)
                self.assertTrue(os.path.lexists(self.path("dump.rdb")))
                if make == self.directory:
                    shutil.rmtree(self.path("dump.rdb"))
                else:
                    os.unlink(self.path("dump.rdb"))

    def test_a_link_to_a_dump_is_loaded(self):
        server = self.start(*OPTIONS, "--dbfilename", "real.rdb")
        with server.client() as c:
            c.call("SET", "k", "v")
            c.call("SAVE")
        server.stop()
        os.symlink("real.rdb", self.path("dump.rdb"))
        self.assertEqual(self.start(*OPTIONS).client().call("GET", "k"), b"v")


class Gone(ServerCase):
    def test_configuration_and_users_of_a_directory_that_has_vanished(self):
        there = self.path("there")
        os.mkdir(there)
        conf, acl = os.path.join(there, "s.conf"), os.path.join(there, "users.acl")
        for path, text in ((conf, "save \"\"\naclfile %s\n" % acl), (acl, "user default on nopass ~* &* +@all\n")):
            with open(path, "w") as f:
                f.write(text)
        server = resp.start(resp.STILLFRAME_SERVER, self.dir, [conf])
        self.servers.append(server)
        with server.client() as c:
            shutil.rmtree(there)
            for words in (("CONFIG", "REWRITE"), ("ACL", "SAVE")):
                answer = c.pipeline([words])[0]
                self.assertIsInstance(answer, resp.RespError)
                self.assertRegex(str(answer), "^ERR ")
                self.assertNotIn("OK", str(answer))
            self.assertEqual(c.call("PING"), b"PONG")
            os.mkdir(there)
            self.assertEqual(c.pipeline([("CONFIG", "REWRITE"), ("ACL", "SAVE")]), [b"OK", b"OK"])
            self.assertEqual(sorted(os.listdir(there)), ["s.conf", "users.acl"])


@unittest.skipUnless(can_mount(), "no file system can be mounted here")
class Disk(ServerCase):
    """A file system of one megabyte, which the server alone sees."""

    def setUp(self):
        super().setUp()
        self.disk = self.path("disk")
        os.mkdir(self.disk)
        script = 'mount -t tmpfs -o size=1m none "$0" && cd "$0" && printf %s "save \\"\\"\naclfile users.acl\nenable-debug-command yes\nrdbcompression no\n" >s.conf && ' \
                 'echo "user default on nopass ~* &* +@all" >users.acl && exec "$@"'
        self.server = resp.start(NAMESPACE[0], self.dir, NAMESPACE[1:] + ["sh", "-c", script, self.disk, resp.STILLFRAME_SERVER, "s.conf"])
        self.servers.append(self.server)
        self.there = "/proc/%d/root%s" % (self.server.pid, self.disk)
        self.c = self.server.client()

    def files(self):
        out = {}
        for name in os.listdir(self.there):
            with open(os.path.join(self.there, name), "rb") as f:
                out[name] = f.read()
        return out

    def mount_it(self, how):
        subprocess.run(["nsenter", "-t", str(self.server.pid), "-m"] + (["-U", "--preserve-credentials"] if "-rm" in NAMESPACE else []) +
                       ["mount", "-o", "remount," + how, self.disk], check=True)

    def digest(self):
        return self.c.call("DEBUG", "DIGEST")

    def fails(self, error):
        """Every way to write one, and nothing has changed."""
        before, digest = self.files(), self.digest()
        with self.assertRaisesRegex(resp.RespError, "^ERR .*" + error):
            self.c.call("SAVE")
        self.c.call("BGSAVE")
        resp.wait_until(lambda: info(self.c, "persistence")["rdb_bgsave_in_progress"] == "0")
        f = info(self.c, "persistence")
        self.assertEqual(f["rdb_last_bgsave_status"], "err")
        self.assertRegex(f["rdb_last_bgsave_error"], error)
        for words in (("CONFIG", "REWRITE"), ("ACL", "SAVE")):
            answer = self.c.pipeline([words])[0]
            self.assertIsInstance(answer, resp.RespError)
            self.assertRegex(str(answer), "^ERR ")
        answer = self.c.pipeline([("SHUTDOWN", "SAVE")])[0]
        self.assertIsInstance(answer, resp.RespError)
        self.assertEqual(self.files(), before)
        self.assertEqual(self.digest(), digest)

    def works(self):
        self.assertEqual(self.c.pipeline([("SAVE",), ("CONFIG", "REWRITE"), ("ACL", "SAVE")]), [b"OK"] * 3)
        self.assertEqual(sorted(self.files()), ["dump.rdb", "s.conf", "users.acl"])

    def test_full(self):
        self.c.call("SET", "k", "v")
        self.works()
        self.c.call("DEBUG", "POPULATE", 20000, "k", 200)
        with open(os.path.join(self.there, "filler"), "wb", buffering=0) as f:
            with self.assertRaises(OSError):
                while True:
                    f.write(b"x" * 4096)
        self.fails("No space left on device")
        os.unlink(os.path.join(self.there, "filler"))
        with self.assertRaisesRegex(resp.RespError, "No space left on device"):
            self.c.call("SAVE")  # the dump alone is too large
        self.c.call("FLUSHALL")
        self.works()

    def test_read_only(self):
        self.c.call("SET", "k", "v")
        self.works()
        self.c.call("SET", "k", "w")
        self.mount_it("ro")
        self.fails("Read-only file system")
        self.mount_it("rw")
        self.works()

    def test_a_full_disk_in_the_middle_of_saves_under_writes(self):
        self.c.call("DEBUG", "POPULATE", 2000, "k", 100)
        self.works()
        good = self.files()["dump.rdb"]
        for i in range(30):
            self.c.call("DEBUG", "POPULATE", 1000 * (i + 2), "k", 100)
            self.c.call("BGSAVE")
            resp.wait_until(lambda: info(self.c, "persistence")["rdb_bgsave_in_progress"] == "0")
            if info(self.c, "persistence")["rdb_last_bgsave_status"] != "ok":
                break
            good = self.files()["dump.rdb"]
        self.assertEqual(info(self.c, "persistence")["rdb_last_bgsave_status"], "err")
        self.assertEqual(self.files()["dump.rdb"], good)
        self.assertEqual(sorted(self.files()), ["dump.rdb", "s.conf", "users.acl"])


if __name__ == "__main__":
    unittest.main()
