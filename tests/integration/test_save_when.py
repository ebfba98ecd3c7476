#!/usr/bin/env python3
"""Saves that begin by themselves, dumps that are kept, dumps that are read back: as an operator
sees them.  When exactly a reason holds: tests/server/test_persist_when.c, which has the clock in
hand."""
import os
import random
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_server import QUICK, ServerCase, info  # noqa: E402

TOOL = os.path.join(resp.ROOT, "build/stillframe-rdb")
KEPT = re.compile(r"^dump-\d{8}T\d{6}Z(_[1-9]\d*)?\.rdb$")


def checked(path):
    """The tool's word on a dump."""
    return subprocess.run([TOOL, "check", path], capture_output=True, text=True)


class Case(ServerCase):
    def settled(self, c):
        """After the end of whatever runs."""
        resp.wait_until(lambda: info(c, "persistence")["rdb_bgsave_in_progress"] == "0", seconds=120)
        return info(c, "persistence")

    def saved(self, c):
        c.call("BGSAVE")
        return self.settled(c)

    def kept(self, directory=None):
        return sorted(name for name in os.listdir(directory or self.dir) if KEPT.match(name))


class Reasons(Case):
    def test_bytes(self):
        server = self.start("--save", "", "--save-bytes", "1mb", "--enable-debug-command", "yes")
        with server.client() as c:
            for i in range(10):
                c.call("SET", "k%d" % i, "v" * 100000)
            c.call("GET", "k0")
            f = info(c, "persistence")
            self.assertEqual(f["rdb_bytes_since_last_save"], str(10 * (3 + 2 + 100000)))
            self.assertEqual(f["rdb_saves"], "0")
            c.call("SET", "k", "v" * 100000)
            resp.wait_until(lambda: info(c, "persistence")["rdb_saves"] == "1", seconds=120)
            self.assertEqual(info(c, "persistence")["rdb_bytes_since_last_save"], "0")
            self.assertIn("1100054 bytes of changes since the last save (save-bytes). Saving...", server.log())
            # what changes by itself counts, as what it is
            c.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
            c.call("SET", "e", "v", "PX", 1)
            before = int(info(c, "persistence")["rdb_bytes_since_last_save"])
            resp.wait_until(lambda: c.call("EXISTS", "e") == 0)
            self.assertEqual(int(info(c, "persistence")["rdb_bytes_since_last_save"]), before + len("DELe"))

    def test_idle(self):
        server = self.start("--save", "", "--save-idle", "1")
        with server.client() as c:
            c.call("SET", "k", "v")
            resp.wait_until(lambda: info(c, "persistence")["rdb_saves"] == "1", seconds=120)
            self.assertRegex(server.log(), r"No change for \d+ seconds, and 1 before \(save-idle\). Saving")
            time.sleep(2.5)
            self.assertEqual(info(c, "persistence")["rdb_saves"], "1")

    def test_schedule(self):
        server = self.start("--save", "", "--snapshot-schedule", "0 0 1 1 *")
        with server.client() as c:
            then = time.localtime(int(info(c, "persistence")["rdb_next_scheduled_save_time"]))
            self.assertEqual((then.tm_mon, then.tm_mday, then.tm_hour, then.tm_min, then.tm_sec), (1, 1, 0, 0, 0))
            for wrong, why in (("0 0 32 * *", "field 3 (day of the month): '32' is not between 1 and 31"),
                               ("0 0 * *", "five fields are needed: minute, hour, day of the month, month, day of the week")):
                with self.assertRaises(resp.RespError) as e:
                    c.call("CONFIG", "SET", "snapshot-schedule", wrong)
                self.assertEqual(str(e.exception), "ERR CONFIG SET failed (possibly related to argument "
                                 "'snapshot-schedule') - " + why)
            self.assertEqual(c.call("CONFIG", "GET", "snapshot-schedule")[1], b"0 0 1 1 *")
            c.call("CONFIG", "SET", "snapshot-schedule", "* * * * *")
            then = int(info(c, "persistence")["rdb_next_scheduled_save_time"])
            self.assertEqual(then % 60, 0)
            self.assertTrue(-1 <= then - time.time() <= 60, then)
            if not QUICK:
                resp.wait_until(lambda: info(c, "persistence")["rdb_saves"] != "0", seconds=180)
                self.assertIn(time.strftime("It is time for the save of %Y-%m-%d %H:%M (snapshot-schedule). Saving...",
                                            time.localtime(then)), server.log())
            c.call("CONFIG", "SET", "snapshot-schedule", "")
            self.assertEqual(info(c, "persistence")["rdb_next_scheduled_save_time"], "-1")

    def test_a_wrong_schedule_is_no_start(self):
        with self.assertRaises(resp.StartError) as e:
            self.start("--snapshot-schedule", "61 * * * *")
        self.assertIn("field 1 (minute): '61' is not between 0 and 59", str(e.exception))

    def test_a_file_may_have_the_schedule_in_quotes_or_not_and_keeps_it(self):
        self.write("a.conf", "snapshot-schedule \"*/5 8-18 * * mon-fri\"\n")
        self.write("b.conf", "snapshot-schedule */5 8-18 * * mon-fri\n")
        for name in ("a.conf", "b.conf"):
            server = self.start(self.path(name))
            with server.client() as c:
                self.assertEqual(c.call("CONFIG", "GET", "snapshot-schedule")[1], b"*/5 8-18 * * mon-fri")
                c.call("CONFIG", "SET", "snapshot-schedule", "@daily")
                c.call("CONFIG", "REWRITE")
            server.kill()
            with self.start(self.path(name)).client() as c:
                self.assertEqual(c.call("CONFIG", "GET", "snapshot-schedule")[1], b"@daily")

    def test_the_end_saves_if_anything_does(self):
        for args, is_saved in (([], False), (["--save-idle", "9999"], True), (["--save-bytes", "1gb"], True),
                               (["--snapshot-schedule", "@yearly"], True)):
            server = self.start("--save", "", *args)
            with server.client() as c:
                c.call("SET", "k", "v")
            server.stop()
            self.assertEqual(os.path.exists(self.path("dump.rdb")), is_saved, args)
            if is_saved:
                os.remove(self.path("dump.rdb"))


class Kept(Case):
    def test_the_newest_are_kept_and_each_can_be_loaded(self):
        server = self.start("--save", "", "--snapshot-retain", "3")
        names = []
        with server.client() as c:
            for i in range(6):
                c.call("SET", "k", i)
                names.append(self.saved(c)["rdb_last_retained"])
                self.assertEqual(self.kept(), sorted(names[-3:]))
            self.assertTrue(os.path.samefile(self.path(names[-1]), self.path("dump.rdb")))
            self.assertEqual(info(c, "persistence")["rdb_last_retain_status"], "ok")
            c.call("CONFIG", "SET", "snapshot-retain", 1)
            names.append(self.saved(c)["rdb_last_retained"])
            self.assertEqual(self.kept(), names[-1:])
            c.call("CONFIG", "SET", "snapshot-retain", 3)
            self.saved(c)
            c.call("CONFIG", "SET", "snapshot-retain", 0)
            self.saved(c)
            self.assertEqual(len(self.kept()), 2)  # none is removed
        server.stop()
        os.remove(self.path("dump.rdb"))
        os.rename(self.path(self.kept()[0]), self.path("dump.rdb"))
        with self.start().client() as c:
            self.assertEqual(c.call("GET", "k"), b"5")

    def test_what_cannot_be_kept_fails_no_save(self):
        name = "d" * 250 + ".rdb"  # with a time it is too long
        server = self.start("--save", "", "--snapshot-retain", "3", "--dbfilename", name)
        with server.client() as c:
            f = self.saved(c)
            self.assertEqual((f["rdb_last_bgsave_status"], f["rdb_last_retain_status"], f["rdb_last_retained"]),
                             ("ok", "err", ""))
        self.assertIn("Dumps cannot be kept as snapshot-retain says: link: File name too long", server.log())
        self.assertEqual(os.listdir(self.dir).count(name), 1)

    def test_a_kill_at_any_moment_leaves_whole_files(self):
        """Those that the server has reported are there, unless newer ones took their place."""
        seed = random.randrange(1 << 30)
        choose = random.Random(seed)
        directory = self.path("data")
        os.mkdir(directory)
        written = 0
        for _ in range(4 if QUICK else 25):
            before, saves = len(self.kept(directory)), choose.randrange(3)
            server = resp.start_stillframe(self.dir, "--dir", directory, "--save", "", "--snapshot-retain", "2",
                                           "--snapshot-verify", choose.choice(("yes", "no")),
                                           "--enable-debug-command", "yes")
            self.servers.append(server)
            with server.client() as c:
                self.assertEqual(c.call("DBSIZE") >= written, True, "seed %d" % seed)
                c.call("DEBUG", "POPULATE", 20000, "x%d" % written, 20)
                for _ in range(saves):
                    self.saved(c)
                    written = c.call("DBSIZE")
                c.call("BGSAVE")
                time.sleep(choose.random() * 0.05)
            server.kill()
            for name in self.kept(directory) + ["dump.rdb"] * os.path.exists(os.path.join(directory, "dump.rdb")):
                r = checked(os.path.join(directory, name))
                self.assertEqual(r.returncode, 0, "seed %d: %s: %s%s" % (seed, name, r.stdout, r.stderr))
            # A kill may come when the new one is kept, and the oldest is not yet removed.
            self.assertLessEqual(len(self.kept(directory)), (2 if saves else before) + 1, "seed %d" % seed)


class ReadBack(Case):
    def test_a_dump_is_read_back_if_that_is_wanted(self):
        for compression in ("yes", "no", "lz4"):
            for checksum in ("yes", "no"):
                server = self.start("--save", "", "--snapshot-verify", "yes", "--rdbcompression", compression,
                                    "--rdbchecksum", checksum, "--enable-debug-command", "yes", "--dbfilename",
                                    "%s-%s.rdb" % (compression, checksum))
                with server.client() as c:
                    c.call("DEBUG", "POPULATE", 50000, "k", 100)
                    c.pipeline([("HSET", "h", "f%d" % i, "v" * i) for i in range(1000)])
                    c.pipeline([("ZADD", "z", i, "m%d" % i) for i in range(1000)])
                    c.pipeline([("XADD", "s", "*", "f", "v") for i in range(1000)])
                    c.pipeline([("RPUSH", "l", "v" * i) for i in range(1000)])
                    c.call("SADD", "i", *range(400))
                    c.call("SETBIT", "large", 80000000, 1)
                    f = self.saved(c)
                    self.assertEqual((f["rdb_last_bgsave_status"], f["rdb_last_bgsave_verify"]), ("ok", "ok"), server.log())
                    self.assertGreaterEqual(int(f["rdb_last_bgsave_verify_time_usec"]), 0)
                    self.assertRegex(server.log(), r"The new dump was read back in [\d.]+ seconds: it is whole")
                    c.call("CONFIG", "SET", "snapshot-verify", "no")
                    f = self.saved(c)
                    self.assertEqual((f["rdb_last_bgsave_verify"], f["rdb_last_bgsave_verify_time_usec"]), ("off", "-1"))
                server.stop()


if __name__ == "__main__":
    unittest.main()
