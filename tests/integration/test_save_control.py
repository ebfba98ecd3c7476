#!/usr/bin/env python3
"""A save under control and in sight: BGSAVE WAIT and CANCEL, INFO, the log, LATENCY, CONFIG SET.  A
save that must be seen under way is held by a file (hold_preload.c): it cannot end before."""
import os
import re
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_server import ServerCase, info  # noqa: E402

PRELOAD = os.path.join(resp.ROOT, "build", "tests", "integration", "hold_preload.so")
KEYS = 40000  # of 100 bytes: more than all buffers between the sweep and the file
SUCCESS, STARTED, SCHEDULED = (b"Background saving " + w for w in (b"terminated with success", b"started", b"scheduled"))
CANCELLED = "ERR Background saving cancelled: by BGSAVE CANCEL"
IN_PROGRESS = "ERR Background save already in progress"


class SaveCase(ServerCase):
    """Servers whose saves stand still, at the first write or at fsync, while the test says so."""

    def begin(self, *args, keys=KEYS):
        server = resp.start("env", self.dir, [
            "LD_PRELOAD=" + PRELOAD, "HOLD_WRITES=" + self.path("hold"), "HOLD_FSYNC=" + self.path("hold-fsync"),
            "HOLD_READS=" + self.path("hold-reads"), "HOLD_BEGIN=" + self.path("hold-begin"), "HOLD_POLL=" + self.path("hold-poll"),
            resp.STILLFRAME_SERVER, "--enable-debug-command", "yes", "--enable-protected-configs", "yes",
            "--rdbcompression", "no", *(args or ("--save", ""))])
        self.servers.append(server)
        c = server.client()
        if keys:
            c.call("DEBUG", "POPULATE", keys, "k", 100)
        return server, c

    def hold(self, name="hold"):
        self.write(name, "")

    def release(self, name="hold"):
        os.remove(self.path(name))

    def until(self, c, **fields):
        """Wait until INFO has these, and return all of it."""
        def has():
            f = info(c)
            return f if all(f[n] == str(v) for n, v in fields.items()) else None
        return resp.wait_until(has, what="INFO to have %s" % fields)

    def settled(self, c):
        return self.until(c, rdb_bgsave_in_progress=0, rdb_bgsave_scheduled=0)

    def waiter(self, server, c, *command):
        """A client that waits for a save."""
        before = int(info(c)["rdb_bgsave_waiters"])
        w = server.client()
        w.id = w.call("CLIENT", "ID")
        w.send(*(command or ("BGSAVE", "WAIT")))
        self.until(c, rdb_bgsave_waiters=before + 1)
        return w

    def error_of(self, reply):
        self.assertIsInstance(reply, resp.RespError)
        return str(reply)

    def fails(self, server, c):
        """From now on saves fail, in their last step but one."""
        os.mkdir(self.path("d"))
        c.call("CONFIG", "SET", "dbfilename", "d")

    def no_temporary_file(self):
        self.assertEqual([n for n in os.listdir(self.dir) if n.startswith("temp-")], [])


class Threads(SaveCase):
    def test_without_threads_it_runs_or_says_why_not(self):
        """With each number of threads that the system may allow."""
        ends = []
        for most in range(1, 8):
            server = resp.start("env", self.dir, ["LD_PRELOAD=" + PRELOAD, "THREADS_MAX=%d" % most, resp.STILLFRAME_SERVER,
                                                  "--save", ""], ready=False)
            self.servers.append(server)
            try:
                server.wait_ready()
            except resp.StartError as e:
                self.assertIn("The snapshot thread cannot be started: Resource temporarily unavailable", e.log)
                self.assertEqual(e.status, 1, e.log)
                ends.append(most)
                continue
            with server.client() as c:
                c.call("SET", "x", "1")
                c.call("CONFIG", "SET", "snapshot-threads", "4")
                self.assertEqual(c.call("BGSAVE", "WAIT"), SUCCESS)
            server.stop()
        self.assertIn(1, ends)
        self.assertNotIn(7, ends)


class Wait(SaveCase):
    def test_the_reply_is_the_outcome(self):
        server, c = self.begin("--save", "3600 1000000")
        before = info(c)["rdb_last_save_time"]
        c.call("SET", "x", "1")
        self.assertEqual(c.call("BGSAVE", "wait"), SUCCESS)
        f = info(c)
        self.assertEqual([f[n] for n in ("rdb_last_save_keys", "rdb_saves", "rdb_bgsave_in_progress", "rdb_bgsave_waiters",
                                         "rdb_changes_since_last_save")], [str(KEYS + 1), "1", "0", "0", "0"])
        self.assertEqual(os.path.getsize(self.path("dump.rdb")), int(f["rdb_last_save_bytes"]))
        self.assertGreaterEqual(int(f["rdb_last_save_time"]), int(before))
        self.assertLess(abs(int(f["rdb_last_save_raw_bytes"]) - int(f["rdb_last_save_bytes"])), 64)  # the checksum, at most
        c.call("CONFIG", "SET", "rdbcompression", "lz4")
        self.assertEqual(c.call("BGSAVE", "WAIT"), SUCCESS)
        g = info(c)
        self.assertEqual(g["rdb_last_save_raw_bytes"], f["rdb_last_save_raw_bytes"])
        self.assertLess(int(g["rdb_last_save_bytes"]), int(f["rdb_last_save_bytes"]))
        self.assertEqual(os.path.getsize(self.path("dump.rdb")), int(g["rdb_last_save_bytes"]))
        f = g
        self.fails(server, c)
        with self.assertRaisesRegex(resp.RespError, r"^ERR Background saving failed: rename of d: Is a directory "
                                    r"\(EISDIR, %s/d\)$" % self.dir):
            c.call("BGSAVE", "WAIT")
        g = info(c)
        self.assertEqual(g["rdb_last_save_time"], f["rdb_last_save_time"])
        self.assertEqual(g["rdb_last_bgsave_status"], "err")
        os.rmdir(self.path("d"))
        self.assertEqual(c.call("BGSAVE", "WAIT"), SUCCESS)  # and not only when a failed save is tried again
        self.no_temporary_file()

    @unittest.skipIf(shutil.which("redis-cli") is None, "no redis-cli")
    def test_in_a_script_it_is_an_exit_status(self):
        server, c = self.begin(keys=10)
        asked = "redis-cli -p %d -e BGSAVE WAIT && cp dump.rdb copy.rdb" % server.port
        for fails in (False, True):
            if fails:
                self.fails(server, c)
            done = subprocess.run(asked, shell=True, cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60)
            self.assertEqual((done.returncode == 0, os.path.exists(self.path("copy.rdb"))), (not fails, not fails), done.stdout)
            if not fails:
                os.remove(self.path("copy.rdb"))

    def test_who_comes_while_a_save_runs_waits_for_the_next(self):
        """The running one is of an instant before its last writes."""
        server, c = self.begin()
        self.hold()
        self.assertEqual(c.call("BGSAVE"), STARTED)
        c.call("SET", "x", "1")
        waiters = [self.waiter(server, c) for _ in range(3)]
        f = info(c)
        self.assertEqual([f[n] for n in ("rdb_bgsave_in_progress", "rdb_bgsave_scheduled", "rdb_bgsave_waiters", "blocked_clients")],
                         ["1", "1", "3", "3"])
        self.release()
        self.assertEqual([w.read() for w in waiters], [SUCCESS] * 3)
        f = self.settled(c)
        self.assertEqual([f[n] for n in ("rdb_saves", "rdb_last_save_keys", "rdb_changes_since_last_save", "blocked_clients")],
                         ["2", str(KEYS + 1), "0", "0"])

    def test_the_next_one_comes_whatever_becomes_of_the_running_one(self):
        server, c = self.begin("--save", "3600 1000000")
        for cancel in (True, False):
            self.hold()
            if not cancel:
                self.fails(server, c)
            first = self.waiter(server, c)
            c.call("CONFIG", "SET", "dbfilename", "dump.rdb")
            second = self.waiter(server, c)
            if cancel:
                self.assertEqual(c.call("BGSAVE", "CANCEL"), b"Background saving cancelled")
            self.release()
            said = self.error_of(first.read())
            self.assertTrue(said == CANCELLED if cancel else "EISDIR" in said, said)
            self.assertEqual(second.read(), SUCCESS)

    def test_a_client_that_ends_its_wait_leaves_the_save_alone(self):
        server, c = self.begin()
        self.hold()
        first = [self.waiter(server, c)]  # of this save, and of the next
        first += [self.waiter(server, c) for _ in range(3)]
        gone = [self.waiter(server, c) for _ in range(2)]
        self.assertEqual(c.call("CLIENT", "UNBLOCK", first[0].id), 1)
        self.assertEqual(c.call("CLIENT", "UNBLOCK", first[1].id, "TIMEOUT"), 1)
        self.assertEqual(c.call("CLIENT", "UNBLOCK", first[2].id, "ERROR"), 1)
        self.assertEqual(c.call("CLIENT", "KILL", "ID", gone[0].id), 1)
        gone[1].close()
        self.assertEqual(first[0].read(), STARTED)
        self.assertEqual(first[1].read(), SCHEDULED)
        self.assertEqual(self.error_of(first[2].read()), "UNBLOCKED client unblocked via CLIENT UNBLOCK")
        self.assertEqual(first[1].call("PING"), b"PONG")
        self.until(c, rdb_bgsave_waiters=1)
        self.assertEqual(c.call("CLIENT", "UNBLOCK", first[3].id), 1)
        self.until(c, rdb_bgsave_waiters=0, rdb_bgsave_scheduled=1)
        self.release()
        self.assertEqual(self.settled(c)["rdb_saves"], "2")  # nobody waits, and both came

    def test_a_wait_is_a_wait_like_any_other(self):
        server, c = self.begin()
        self.hold()
        w = self.waiter(server, c)
        c.call("CONFIG", "SET", "timeout", "1")
        [line] = [n for n in c.call("CLIENT", "LIST").decode().split("\n") if n.startswith("id=%d " % w.id)]
        self.assertRegex(line, r" flags=b .* cmd=bgsave ")
        for command in (["PING"], ["RESET"], ["ECHO", "x"]):
            w.send(*command)  # they wait behind it
        with self.assertRaises((EOFError, OSError)):  # `timeout` is for clients that idle, as this one does
            c.read()
        time.sleep(1)

        def no_timeout():
            nonlocal c
            try:
                c = server.client()
                return c.call("CONFIG", "SET", "timeout", "0")
            except (EOFError, OSError):  # it was slow
                return False
        resp.wait_until(no_timeout)
        self.release()
        self.assertEqual([w.read() for _ in range(4)], [SUCCESS, b"PONG", b"RESET", b"x"])
        calls = c.call("INFO", "commandstats").decode()
        self.assertRegex(calls, "cmdstat_bgsave:calls=1,.*failed_calls=0")
        with server.client() as muted:
            muted.send("CLIENT", "REPLY", "SKIP")
            muted.send("BGSAVE", "WAIT")
            self.assertEqual(muted.call("ECHO", "y"), b"y")
        self.assertEqual(info(c)["rdb_saves"], "2")

    def test_where_nobody_can_wait_the_answer_comes_at_once(self):
        _, c = self.begin()
        self.hold()
        replies = c.pipeline([("MULTI",), ("BGSAVE", "WAIT"), ("BGSAVE", "WAIT"), ("BGSAVE", "WAIT"), ("BGSAVE",), ("EXEC",)])
        self.assertEqual(replies[-1], [STARTED, SCHEDULED, SCHEDULED, resp.RespError(IN_PROGRESS)])
        self.assertEqual(info(c)["rdb_bgsave_scheduled"], "1")
        self.release()
        self.assertEqual(self.settled(c)["rdb_saves"], "2")

    def test_a_save_in_the_foreground_answers_too(self):
        server, c = self.begin()
        self.hold()
        self.assertEqual(c.call("BGSAVE"), STARTED)
        w = self.waiter(server, c)
        c.send("DEBUG", "RELOAD")  # waits for the running one, and saves then
        resp.wait_until(lambda: "started without fork" in server.log())
        self.release()
        self.assertEqual(c.read(), b"OK")
        self.assertEqual(w.read(), SUCCESS)
        self.assertEqual(self.settled(c)["rdb_saves"], "2")

    def test_a_save_that_everybody_waits_for_is_not_held_back(self):
        """snapshot-rate-limit is for the sake of those who are served: neither a save in the
        foreground, nor one in the background that has to end first, keeps to it."""
        server, c = self.begin("--save", "", "--snapshot-rate-limit", "1000")
        self.assertEqual(c.call("SAVE"), b"OK")
        self.assertEqual(c.call("BGSAVE"), STARTED)
        self.assertEqual(c.call("DEBUG", "RELOAD"), b"OK")
        f = self.settled(c)
        self.assertEqual([f["rdb_saves"], f["rdb_saves_cancelled"]], ["3", "0"])
        self.assertEqual(c.call("BGSAVE"), STARTED)  # the limit holds again
        c.send("SHUTDOWN", "SAVE")
        self.assertEqual(server.wait(), 0)
        self.assertIn("Background saving cancelled", server.log())

    def test_the_end_of_the_server_answers(self):
        for how, dump, answer in ((("SHUTDOWN", "SAVE"), True, SUCCESS), (("SHUTDOWN", "NOSAVE"), False, None)):
            server, c = self.begin()
            self.hold()
            first = self.waiter(server, c)
            c.call("SET", "x", "1")
            second = self.waiter(server, c)
            c.send(*how)
            resp.wait_until(lambda: "A background save is running: cancelling it" in server.log())
            self.release()
            for w in (first, second):
                said = w.read()
                if answer is not None:
                    self.assertEqual(said, answer)  # the save of the end is of a later instant still
                else:
                    self.assertEqual(self.error_of(said), "ERR Background saving cancelled: the server ends")
            self.assertEqual(server.wait(), 0)
            self.assertEqual(os.path.exists(self.path("dump.rdb")), dump)
            if dump:
                with self.start("--save", "").client() as after:
                    self.assertEqual(after.call("DBSIZE"), KEYS + 1)
                os.remove(self.path("dump.rdb"))
            self.no_temporary_file()

    def test_an_end_whose_save_fails_answers_and_the_server_stays(self):
        server, c = self.begin()
        self.hold()
        w = self.waiter(server, c)
        self.fails(server, c)
        c.send("SHUTDOWN", "SAVE")
        resp.wait_until(lambda: "A background save is running: cancelling it" in server.log())
        self.release()
        self.assertIn("EISDIR", self.error_of(w.read()))
        self.assertIn("Errors trying to SHUTDOWN", self.error_of(c.read()))
        self.assertEqual(self.settled(c)["rdb_last_bgsave_status"], "ok")  # it was not in the background


class Cancel(SaveCase):
    def cancelled(self, c, w):
        """A cancel of the save that w waits for and that is held; what INFO says then."""
        self.assertEqual(c.call("BGSAVE", "CANCEL"), b"Background saving cancelled")
        self.assertEqual(c.call("BGSAVE", "CANCEL"), b"Background saving cancelled")  # it has not ended yet
        self.release()
        self.assertEqual(self.error_of(w.read()), CANCELLED)
        return self.settled(c)

    def test_a_cancel_is_no_failure(self):
        server, c = self.begin("--save", "3600 1000000")
        for kind in (SUCCESS, "err"):
            if kind == "err":
                self.fails(server, c)
                with self.assertRaisesRegex(resp.RespError, "EISDIR"):
                    c.call("BGSAVE", "WAIT")
            else:
                c.call("SET", "x", "1")
            before = info(c)
            self.hold()
            after = self.cancelled(c, self.waiter(server, c))
            for name in ("rdb_last_save_time", "rdb_last_bgsave_status", "rdb_last_bgsave_error", "rdb_saves", "rdb_saves_failed",
                         "rdb_changes_since_last_save", "rdb_last_save_keys", "rdb_last_cow_size"):
                self.assertEqual(after[name], before[name], name)
            self.assertEqual(int(after["rdb_saves_cancelled"]), int(before["rdb_saves_cancelled"]) + 1)
            self.assertEqual(after["rdb_last_cancel_reason"], "by BGSAVE CANCEL")
            if kind == "err":
                with self.assertRaisesRegex(resp.RespError, "^MISCONF"):
                    c.call("SET", "x", "2")
            else:
                self.assertEqual(c.call("SET", "x", "2"), b"OK")
            self.no_temporary_file()
            self.assertFalse(os.path.exists(self.path("dump.rdb")))
        os.rmdir(self.path("d"))
        self.assertEqual(c.call("BGSAVE", "WAIT"), SUCCESS)
        self.assertEqual(server.stop(), 0)
        self.assertIn("Background saving cancelled: by BGSAVE CANCEL", server.log())

    def test_a_cancel_keeps_the_dump_that_was_there(self):
        server, c = self.begin()
        self.assertEqual(c.call("BGSAVE", "WAIT"), SUCCESS)
        with open(self.path("dump.rdb"), "rb") as f:
            old = f.read()
        c.call("SET", "x", "1")
        self.hold()
        after = self.cancelled(c, self.waiter(server, c))
        self.assertEqual(after["rdb_changes_since_last_save"], "1")
        with open(self.path("dump.rdb"), "rb") as f:
            self.assertEqual(f.read(), old)

    def test_a_cancel_that_comes_too_late_is_a_success(self):
        server, c = self.begin()
        self.hold("hold-fsync")
        w = self.waiter(server, c)
        self.until(c, current_save_state="writing")
        self.assertEqual(c.call("BGSAVE", "CANCEL"), b"Background saving cancelled")
        self.release("hold-fsync")
        reply = w.read()
        f = self.settled(c)
        if reply == SUCCESS:  # the manual says so; the other would be as well
            self.assertEqual([f["rdb_saves"], f["rdb_saves_cancelled"], f["rdb_last_cancel_reason"]], ["1", "0", ""])
        else:
            self.assertEqual(self.error_of(reply), CANCELLED)
            self.assertEqual([f["rdb_saves"], f["rdb_saves_cancelled"]], ["0", "1"])
        self.assertEqual(os.path.exists(self.path("dump.rdb")), reply == SUCCESS)

    def test_a_save_that_is_read_back_is_not_too_late(self):
        server, c = self.begin("--save", "", "--snapshot-verify", "yes")
        self.hold("hold-reads")
        w = self.waiter(server, c)
        self.until(c, current_save_state="verifying")
        self.assertEqual(c.call("BGSAVE", "CANCEL"), b"Background saving cancelled")
        self.release("hold-reads")
        self.assertEqual(self.error_of(w.read()), CANCELLED)
        f = self.settled(c)
        self.assertEqual([f["rdb_saves"], f["rdb_saves_cancelled"], f["rdb_last_bgsave_verify"]], ["0", "1", "off"])
        self.assertFalse(os.path.exists(self.path("dump.rdb")))
        self.no_temporary_file()
        self.assertEqual(c.call("BGSAVE", "WAIT"), SUCCESS)
        self.assertEqual(info(c)["rdb_last_bgsave_verify"], "ok")

    def test_the_save_of_a_save_point(self):
        _, c = self.begin("--save", "3600 1000000")
        c.call("SET", "x", "1")
        before = info(c)
        self.hold()
        c.call("CONFIG", "SET", "save", "1 1")
        self.until(c, rdb_bgsave_in_progress=1)
        c.call("CONFIG", "SET", "save", "3600 1000000")  # it would begin again: nothing is saved yet
        self.assertEqual(c.call("BGSAVE", "CANCEL"), b"Background saving cancelled")
        self.release()
        after = self.settled(c)
        for name in ("rdb_last_save_time", "rdb_last_bgsave_status", "rdb_saves", "rdb_changes_since_last_save"):
            self.assertEqual(after[name], before[name], name)
        self.assertEqual(after["rdb_saves_cancelled"], "1")

    def test_the_save_that_flushall_asks_for(self):
        """What it was to cover counts again."""
        _, c = self.begin("--save", "3600 1000000")
        c.call("DEBUG", "PAUSE-CRON", "1")
        before = int(info(c)["rdb_changes_since_last_save"]) + c.call("DBSIZE")
        c.call("FLUSHALL")
        c.call("DEBUG", "POPULATE", KEYS, "k", 100)
        c.call("SET", "x", "1")
        since = int(info(c)["rdb_changes_since_last_save"])
        self.hold()
        c.call("DEBUG", "PAUSE-CRON", "0")
        self.until(c, rdb_bgsave_in_progress=1, rdb_bgsave_scheduled=0)
        self.assertEqual(c.call("BGSAVE", "CANCEL"), b"Background saving cancelled")
        self.release()
        after = self.settled(c)
        self.assertEqual([after[n] for n in ("rdb_changes_since_last_save", "rdb_last_bgsave_status", "rdb_saves_cancelled")],
                         [str(before + since), "ok", "1"])

    def test_what_was_to_come_is_cancelled_where_nothing_runs(self):
        _, c = self.begin()
        self.hold()
        c.call("DEBUG", "PAUSE-CRON", "1")  # what is to come does not begin
        self.assertEqual(c.pipeline([("MULTI",), ("BGSAVE",), ("BGSAVE", "WAIT"), ("BGSAVE", "CANCEL"), ("EXEC",)])[-1],
                         [STARTED, SCHEDULED, b"Background saving cancelled"])
        self.release()
        self.until(c, rdb_bgsave_in_progress=0, rdb_bgsave_scheduled=1)
        self.assertEqual(c.call("BGSAVE", "CANCEL"), b"Scheduled background saving cancelled")
        with self.assertRaisesRegex(resp.RespError, "not in progress or scheduled"):
            c.call("BGSAVE", "CANCEL")
        c.call("DEBUG", "PAUSE-CRON", "0")
        self.assertEqual([info(c)[n] for n in ("rdb_bgsave_scheduled", "rdb_saves", "rdb_saves_cancelled")], ["0", "0", "1"])


class Sight(SaveCase):
    def test_threads_have_names(self):
        server, c = self.begin("--save", "", "--snapshot-threads", "2")
        c.call("BGSAVE", "WAIT")
        names = []
        for task in os.listdir("/proc/%d/task" % server.pid):
            with open("/proc/%d/task/%s/comm" % (server.pid, task), encoding="ascii") as f:
                names.append(f.read().strip())
        self.assertEqual([names.count(n) for n in ("sweeper", "writer")], [2, 1], names)

    def test_info_while_a_save_is_under_way(self):
        server, c = self.begin("--save", "", "--snapshot-threads", "2")
        f = info(c)
        self.assertEqual([f[n] for n in ("current_save_state", "current_save_threads", "rdb_last_save_threads")], ["idle", "0", "0"])
        self.hold()
        self.hold("hold-fsync")
        w = self.waiter(server, c)
        f = self.until(c, current_save_state="sweeping")
        self.assertEqual([f[n] for n in ("current_save_keys_total", "current_save_threads", "rdb_last_bgsave_type")],
                         [str(KEYS), "2", "forkless"])
        self.assertLess(int(f["current_save_keys_processed"]), KEYS)
        self.assertLess(float(f["current_fork_perc"]), 100)
        c.call("CONFIG", "RESETSTAT")
        self.release()
        f = self.until(c, current_save_state="writing")
        self.assertEqual([f[n] for n in ("current_save_keys_processed", "current_fork_perc", "current_save_eta_seconds")],
                         [str(KEYS), "100.00", "-1"])
        resp.wait_until(lambda: int(info(c)["current_save_bytes_written"]) > KEYS * 100)  # what was swept is written
        self.assertGreater(int(f["current_save_bytes_per_second"]), 0)
        self.release("hold-fsync")
        self.assertEqual(w.read(), SUCCESS)
        f = info(c)
        self.assertEqual([f[n] for n in ("current_save_state", "current_save_threads", "rdb_last_save_threads")], ["idle", "0", "2"])
        self.assertGreater(int(f["rdb_last_bgsave_time_usec"]), 0)

    def test_the_log_tells_of_a_save_that_takes_long(self):
        """A line every five seconds, in the background and while everybody waits."""
        server, c = self.begin("--save", "")
        self.hold()
        w = self.waiter(server, c)
        resp.wait_until(lambda: "Background saving: " in server.log(), 60)
        self.assertRegex(server.log(), r"Background saving: [0-9]+ of %d keys \([0-9]+ %%\), [0-9]+ MB written, "
                         r"[0-9.]+ MB/s, -?[0-9]+ s to go\n" % KEYS)
        self.release()
        self.assertEqual(w.read(), SUCCESS)
        self.assertRegex(server.log(), r"DB saved on disk: %d keys, %d bytes in [0-9.]+ seconds \([0-9.]+ MB/s, swept after [0-9.]+\), "
                         r"[0-9.]+ MB of extra memory at most, the start took [0-9]+ us: %s\n"
                         % (KEYS, os.path.getsize(self.path("dump.rdb")), re.escape(os.path.realpath(self.path("dump.rdb")))))
        self.hold("hold-fsync")
        c.send("SHUTDOWN", "SAVE")
        resp.wait_until(lambda: "Saving: all keys are read; " in server.log(), 60)
        self.release("hold-fsync")
        self.assertEqual(server.wait(), 0)
        self.assertRegex(server.log(), r"Saving started, and everybody waits: %d keys, sweep threads: [0-9]+\n" % KEYS)

    # Each parameter of saves: a running save keeps what was at its begin, and the log says so; or
    # it acts at once.
    AT_BEGIN = {"dbfilename", "dir", "rdbcompression", "rdb-compression-level", "rdb-version", "snapshot-threads", "snapshot-verify",
                "snapshot-retain"}
    AT_ONCE = {"save", "save-bytes", "save-idle", "snapshot-schedule", "snapshot-rate-limit", "snapshot-memory-limit",
               "snapshot-memory-policy", "snapshot-throttle-timeout", "stop-writes-on-bgsave-error"}
    FIXED = {"rdbchecksum", "rdb-del-sync-files", "rdb-save-incremental-fsync", "rdb-version-check"}

    def test_it_is_known_when_each_parameter_acts(self):
        """A new one belongs to one of the lists, and, if a save takes it at its begin, to that in
        persist_config.c."""
        _, c = self.begin(keys=0)
        there = {n.decode() for n in c.call("CONFIG", "GET", "*")[::2]}
        self.assertEqual({n for n in there if re.match("snapshot-|rdb|save|dbfilename$|dir$|stop-writes-on-bgsave", n)}
                         - self.AT_BEGIN - self.AT_ONCE - self.FIXED, set())
        with open(os.path.join(resp.ROOT, "server/persist/persist_config.c"), encoding="utf-8") as f:
            told = set(re.findall('"([a-z-]+)"', re.search(r"at_begin\[\] = \{(.*?)\};", f.read(), re.S).group(1)))
        self.assertEqual(told, self.AT_BEGIN & there)

    def test_a_parameter_acts_at_once_or_the_log_says_when(self):
        server, c = self.begin("--save", "")
        later = "CONFIG SET %s: from the next save on; the one that runs goes on as it began"
        os.mkdir(self.path("elsewhere"))
        sets = [("rdbcompression", "yes"), ("dbfilename", "other.rdb"), ("dir", self.path("elsewhere")), ("snapshot-threads", "3"),
                ("rdb-compression-level", "3"), ("rdb-version", "11")]
        c.call("CONFIG", "SET", "rdbcompression", "yes")  # nothing runs: nothing is said
        c.call("CONFIG", "SET", "rdbcompression", "no")
        self.hold()
        self.assertEqual(c.call("BGSAVE"), STARTED)
        for name, value in sets:
            self.assertNotIn(later % name, server.log())
            c.call("CONFIG", "SET", name, value)
            self.assertEqual(server.log().count(later % name), 1)
            c.call("CONFIG", "SET", name, value)  # it is that already
            self.assertEqual(server.log().count(later % name), 1)
        c.call("CONFIG", "SET", "snapshot-rate-limit", "100mb", "save", "60 1")  # these act
        self.assertEqual(server.log().count("from the next save on"), len(sets))
        self.release()
        self.settled(c)
        plain = os.path.getsize(self.path("dump.rdb"))
        self.assertGreater(plain, KEYS * 100)
        self.assertEqual(c.call("BGSAVE", "WAIT"), SUCCESS)
        self.assertLess(os.path.getsize(self.path("elsewhere/other.rdb")), plain)
        self.assertEqual(info(c)["rdb_last_save_threads"], "3")

    def test_latency_has_what_a_save_costs_the_event_loop(self):
        """Its begin, and the turns in which its end is taken in."""
        server, c = self.begin("--save", "", "--latency-monitor-threshold", "5", keys=10)

        def longest(event):
            return max([e[3] for e in c.call("LATENCY", "LATEST") if e[0] == event], default=0)

        def save(name):
            self.hold(name)
            logged = server.log().count("Background saving terminated")
            c.send("BGSAVE", "WAIT")
            time.sleep(0.1)
            self.release(name)
            self.assertEqual(c.read(), SUCCESS)
            self.assertEqual(server.log().count("Background saving terminated"), logged + 1)
        for name, event in (("hold-begin", b"snapshot-cut"), ("hold-poll", b"snapshot-end")):
            for _ in range(50):  # on a slow machine it may not have come to it within that time
                save(name)
                if longest(event) >= 5:
                    break
            self.assertGreaterEqual(longest(event), 5, event)
            self.assertIn(event, c.call("LATENCY", "DOCTOR"))
            self.assertGreaterEqual(c.call("LATENCY", "HISTORY", event)[0][1], 5)


class Forms(SaveCase):
    def test_bgsave_without_ours_answers_as_redis(self):
        asked = [("BGSAVE", "x"), ("BGSAVE", "SCHEDULE", "x"), ("BGSAVE", ""), ("BGSAVE", "SCHEDULE", "SCHEDULE"),
                 ("MULTI",), ("SAVE",), ("EXEC",), ("SAVE", "x"), ("LASTSAVE", "x"), ("SAVE",)]
        said = []
        for start in (resp.start_stillframe, resp.start_redis_server):
            directory = self.path(start.__name__)
            os.mkdir(directory)
            server = start(directory, "--save", "")
            self.servers.append(server)
            with server.client() as c:
                began = int(time.time())
                said.append([c.pipeline(asked)])
                self.assertLess(abs(c.call("LASTSAVE") - began), 60)
                for form in (("BGSAVE",), ("bgsave", "schedule")):  # nothing else runs: it is BGSAVE
                    said[-1].append(c.pipeline([form, ("BGSAVE",), ("BGSAVE", "SCHEDULE"), ("SAVE",)]))
                    self.settled_of(c)
        self.assertEqual(said[0], said[1])

    def settled_of(self, c):
        resp.wait_until(lambda: info(c)["rdb_bgsave_in_progress"] == "0")

    def test_forms_of_ours_that_are_wrong(self):
        _, c = self.begin(keys=0)
        for words in (("WAIT", "WAIT"), ("WAIT", "CANCEL"), ("SCHEDULE", "WAIT"), ("WAIT", "1"), ("CANCEL", "WAIT"), ("WAI",)):
            with self.assertRaisesRegex(resp.RespError, "^ERR syntax error$"):
                c.call("BGSAVE", *words)


if __name__ == "__main__":
    if os.environ.get("STILLFRAME_FLAVOUR", "release") != "release":
        print("only the release build is tried here")
        sys.exit(0)
    unittest.main()
