#!/usr/bin/env python3
"""Saves as an operator sees them: temporary files, what a failure is told to whom, FLUSHALL with
save points."""
import fcntl
import os
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_server import QUICK, ServerCase, info  # noqa: E402


class TemporaryFiles(ServerCase):
    def test_a_start_removes_only_what_is_proved_to_be_left_by_a_save(self):
        """By a name that only saves have, and a lock that goes with the process, whoever sees its
        number."""
        gone = subprocess.Popen(["true"])
        gone.wait()
        tag = "0123456789abcdef"
        names = {"temp-20261128.rdb": True, "temp-%d.rdb" % gone.pid: True, "temp-x.rdb": True, "dump-1.rdb": True,
                 "temp-stillframe-%d.rdb" % gone.pid: True, "temp-stillframe-1-%s.rdb.bak" % tag: True,
                 "temp-stillframe-1-%s.rdb" % tag[1:]: True, "temp-stillframe--%s.rdb" % tag: True,
                 "old-temp-stillframe-1-%s.rdb" % tag: True, "temp-stillframe-1-%s.rdb" % tag.upper(): True,
                 # pid 1 lives, and so does this process: in another container they are others
                 "temp-stillframe-1-%s.rdb" % tag: False, "temp-stillframe-%d-%s.rdb" % (os.getpid(), tag): False,
                 "temp-stillframe-%d-%s.rdb" % (gone.pid, tag): False, "temp-stillframe-%d-%s.rdb" % (gone.pid, tag[::-1]): True}
        for name in names:
            self.write(name, "x")
        os.mkdir(self.path("temp-stillframe-2-%s.rdb" % tag))
        os.symlink("dump-1.rdb", self.path("temp-stillframe-3-%s.rdb" % tag))
        with open(self.path("temp-stillframe-%d-%s.rdb" % (gone.pid, tag[::-1]))) as held:  # somebody is at it
            fcntl.flock(held, fcntl.LOCK_EX)
            server = self.start()
            server.stop()
        self.assertEqual({name: os.path.exists(self.path(name)) for name in names}, names)
        self.assertTrue(os.path.isdir(self.path("temp-stillframe-2-%s.rdb" % tag)))
        self.assertTrue(os.path.islink(self.path("temp-stillframe-3-%s.rdb" % tag)))
        self.assertEqual(server.log().count("which a save that was never finished had left"), 3)

    def populated(self, *args):
        server = self.start("--enable-debug-command", "yes", "--enable-protected-configs", "yes", *args)
        c = server.client()
        c.call("DEBUG", "POPULATE", 300000 if QUICK else 1500000, "k", 50)
        return server, c

    def temps(self):
        return [name for name in os.listdir(self.dir) if name.startswith("temp-")]

    def test_a_start_beside_a_running_save_leaves_it_alone_and_removes_what_a_killed_one_left(self):
        server, c = self.populated("--save", "")
        c.call("BGSAVE")
        [temp] = resp.wait_until(self.temps)
        self.assertRegex(temp, "^temp-stillframe-%d-[0-9a-f]{16}.rdb$" % server.pid)
        other = self.start("--dbfilename", "other.rdb")
        resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in c.call("INFO", "persistence"))
        self.assertIn(b"rdb_last_bgsave_status:ok", c.call("INFO", "persistence"))
        self.assertNotIn("Removed", other.log())
        self.assertEqual(self.temps(), [])
        c.call("BGSAVE")
        resp.wait_until(self.temps)
        server.kill()
        self.assertEqual(len(self.temps()), 1)
        self.start("--dbfilename", "other.rdb")
        self.assertEqual(self.temps(), [])

    def test_a_second_sigint_takes_the_temporary_file_with_it(self):
        server, _ = self.populated("--save", "3600 1000000000")
        os.kill(server.pid, signal.SIGINT)
        resp.wait_until(self.temps)
        os.kill(server.pid, signal.SIGINT)
        self.assertEqual(server.wait(), 1)
        self.assertIn("You insist... exiting now.", server.log())
        self.assertEqual(self.temps(), [])
        self.assertFalse(os.path.exists(self.path("dump.rdb")))

    def test_what_waits_is_not_done_behind_the_save_of_the_end(self):
        server = resp.start_stillframe(self.dir)
        self.addCleanup(server.kill)
        with server.client() as admin, server.client() as c:
            c.send_raw(b"BLPOP q 0\r\n" + b"INCR n\r\n" * 20000)
            resp.wait_until(lambda: re.search(rb" qbuf=\d{5,} ", admin.call("CLIENT", "LIST")), what="its input")
            admin.send_raw(b"LPUSH q x\r\nSHUTDOWN SAVE\r\n")
            told = []
            with self.assertRaises((EOFError, ConnectionError)):
                while True:
                    told.append(c.read())
        self.assertEqual(server.wait(), 0)
        server = resp.start_stillframe(self.dir)
        self.addCleanup(server.kill)
        with server.client() as admin:
            self.assertLessEqual(max([n for n in told if isinstance(n, int)], default=0), int(admin.call("GET", "n") or 0))

    def test_a_dump_goes_where_the_server_was_when_it_began(self):
        server, c = self.populated("--save", "")
        os.mkdir(self.path("elsewhere"))
        self.assertEqual(c.pipeline([("BGSAVE",), ("CONFIG", "SET", "dir", self.path("elsewhere"))]),
                         [b"Background saving started", b"OK"])
        resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in c.call("INFO", "persistence"))
        self.assertIn(b"rdb_last_bgsave_status:ok", c.call("INFO", "persistence"), server.log())
        self.assertTrue(os.path.exists(self.path("dump.rdb")))
        self.assertEqual(os.listdir(self.path("elsewhere")), [])


class FailedSave(ServerCase):
    def test_writes_are_refused_as_redis_refuses_them(self):
        answers = []
        for name, start in (("ours", resp.start_stillframe), ("theirs", resp.start_redis_server)):
            directory = self.path(name)
            os.mkdir(directory)
            server = start(self.dir, "--save", "900 1", "--dir", directory)
            self.servers.append(server)
            with server.client() as c:
                c.call("SET", "k", "v")
                os.rmdir(directory)
                c.call("BGSAVE")
                resp.wait_until(lambda: b"rdb_last_bgsave_status:err" in c.call("INFO", "persistence"))
                answers.append(c.pipeline([
                    ("SET", "k", "w"), ("GET", "k"), ("PING",), ("ECHO", "x"), ("MULTI",), ("SET", "k", "w"), ("EXEC",),
                    ("MULTI",), ("GET", "k"), ("EXEC",), ("CONFIG", "SET", "stop-writes-on-bgsave-error", "no"),
                    ("SET", "k", "w"), ("PING",)]))
        self.assertEqual(*[[self.without_cause(a) for a in said] for said in answers])
        self.assertIn("MISCONF", str(answers[0][0]))
        for said, error in zip(answers[0], answers[1]):
            if isinstance(error, resp.RespError) and "MISCONF" in str(error):
                self.assertRegex(str(said), r"^%s The cause was: open of .*: No such file or directory \(ENOENT, .*/ours/dump.rdb\)$"
                                 % re.escape(str(error)))

    def without_cause(self, answer):
        """What is ours in MISCONF stands behind what Redis says."""
        return resp.RespError(str(answer).partition(" The cause was: ")[0]) if isinstance(answer, resp.RespError) else answer


    def test_a_save_in_the_foreground_that_fails_is_told_to_its_client_alone(self):
        """The status, MISCONF and the duration are BGSAVE's: SAVE and SHUTDOWN do not touch
        them."""
        answers = []
        for name, start in (("ours", resp.start_stillframe), ("theirs", resp.start_redis_server)):
            directory = self.path(name)
            os.mkdir(directory)
            server = start(self.dir, "--save", "900 1000", "--dir", directory)
            self.servers.append(server)

            def look(c):
                f = info(c)
                return [f[n] for n in ("rdb_last_bgsave_status", "rdb_changes_since_last_save", "rdb_last_bgsave_time_sec")]
            with server.client() as c:
                c.call("SET", "k", "v")
                os.rmdir(directory)
                said = []
                for command in ("SAVE", "SHUTDOWN", "SAVE"):
                    with self.assertRaisesRegex(resp.RespError, "^ERR"):
                        c.call(command)
                    said += [look(c), c.pipeline([("SET", "k", "v"), ("PING",)])]
                c.call("BGSAVE")
                resp.wait_until(lambda: b"rdb_last_bgsave_status:err" in c.call("INFO", "persistence"))
                said.append(c.pipeline([("SET", "k", "v")]))
                answers.append(said)
        answers[0][-1] = [self.without_cause(a) for a in answers[0][-1]]
        self.assertEqual(answers[0], answers[1])

    def test_a_save_in_the_foreground_that_succeeds_ends_misconf(self):
        server = self.start("--save", "900 1", "--dbfilename", "d")
        with server.client() as c:
            os.mkdir(self.path("d"))  # a directory is there where the dump should go
            c.call("SET", "k", "v")
            c.call("BGSAVE")
            resp.wait_until(lambda: b"rdb_last_bgsave_status:err" in c.call("INFO", "persistence"))
            with self.assertRaisesRegex(resp.RespError, "^MISCONF"):
                c.call("SET", "k", "v")
            with self.assertRaisesRegex(resp.RespError, "^ERR"):
                c.call("SAVE")
            self.assertEqual(info(c)["rdb_last_bgsave_status"], "err")
            os.rmdir(self.path("d"))
            self.assertEqual(c.call("SAVE"), b"OK")
            self.assertEqual(c.call("SET", "k", "v"), b"OK")


class Flushall(ServerCase):
    def changes(self, c):
        f = info(c)
        return [f[n] for n in ("rdb_changes_since_last_save", "rdb_saves", "rdb_last_bgsave_status")]

    def settled(self, c):
        def nothing_runs():
            f = info(c)  # both of one moment: one save may begin as the other ends
            return f["rdb_bgsave_in_progress"] == f.get("rdb_bgsave_scheduled", "0") == "0"
        resp.wait_until(nothing_runs)
        return self.changes(c)

    def test_no_change_before_it_counts_any_more_as_in_redis(self):
        answers = []
        for start in (resp.start_stillframe, resp.start_redis_server):
            server = start(self.dir, "--save", "3600 1000000")
            self.servers.append(server)
            with server.client() as c:
                for i in range(5):
                    c.call("SET", "k%d" % i, "v")
                said = [self.changes(c), c.call("FLUSHALL"), self.changes(c), self.settled(c)]
                said += [c.call(*command) for command in (["SET", "k", "v"], ["MULTI"], ["SET", "k", "w"], ["FLUSHALL"],
                                                          ["SET", "k", "x"], ["EXEC"])]
                said += [self.changes(c)]
                self.settled(c)  # ours has saved that last change too
                said += [c.call("SAVE"), c.call("SET", "k", "y"), c.call("CONFIG", "SET", "save", ""), c.call("FLUSHALL"),
                         self.changes(c)]
                answers.append(said)
            server.stop()
        self.assertEqual(answers[0], answers[1])

    def test_what_its_save_does_not_cover_counts_again(self):
        server = self.start("--save", "3600 1000000", "--dbfilename", "d")
        with server.client() as c:
            os.mkdir(self.path("d"))
            c.call("MSET", "a", "1", "b", "2", "c", "3")
            c.call("FLUSHALL")
            self.assertEqual(self.changes(c)[0], "0")
            resp.wait_until(lambda: info(c)["rdb_last_bgsave_status"] == "err")
            self.assertEqual(self.settled(c), ["6", "0", "err"])
            os.rmdir(self.path("d"))
            c.call("SAVE")
            self.assertEqual(self.changes(c), ["0", "1", "ok"])

    def test_a_save_that_was_running_takes_nothing_of_what_comes_behind_it(self):
        server = self.start("--save", "3600 100000000", "--enable-debug-command", "yes", "--enable-protected-configs", "yes")
        os.mkdir(self.path("d"))
        with server.client() as c:
            c.call("DEBUG", "POPULATE", 300000, "k", 50)
            for i in range(100):
                c.call("SET", "x%d" % i, "v")
            before, keys = int(self.changes(c)[0]), c.call("DBSIZE")
            self.assertGreater(before, 99)
            replies = c.pipeline([("BGSAVE",), ("FLUSHALL",), ("SET", "a", "1"), ("SET", "b", "2"), ("INFO", "persistence"),
                                  ("CONFIG", "SET", "dbfilename", "d")])
            for part in (b"rdb_changes_since_last_save:2\r\n", b"rdb_bgsave_in_progress:1\r\n", b"rdb_bgsave_scheduled:1\r\n"):
                self.assertIn(part, replies[-2])
            # the running save succeeds and covers what was before; FLUSHALL's fails
            self.assertEqual(self.settled(c), [str(before + keys + 2), "1", "err"])
            c.call("CONFIG", "SET", "dbfilename", "dump.rdb")
            c.call("SAVE")
            self.assertEqual(self.changes(c), ["0", "2", "ok"])
            server.kill()
        server = self.start("--save", "")
        with server.client() as c:
            self.assertEqual(c.call("DBSIZE"), 2)


if __name__ == "__main__":
    unittest.main()
