#!/usr/bin/env python3
"""snapshot-memory-limit: who waits at it, for how long, and what becomes of the save.

The sweep is held by construction: its file may take a thousand bytes a second.  A string of 20 MB
is more than what it may have in its hands, so the cut stays open until the save is cancelled or the
test is over; and what changes in a large string takes memory until then.
"""
import os
import re
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_server import QUICK, ServerCase  # noqa: E402
import test_server  # noqa: E402

MB = 1 << 20
LIMIT = 2 * MB
FULL = 1200 * 1000  # so much of it: others have to wait


def info(c, name):
    return test_server.info(c, "everything")[name]


class MemoryLimit(ServerCase):
    def begin(self, *args, limit=LIMIT, timeout=0):
        """A server with a save under way, and a client of it."""
        self.server = self.start("--save", "", "--rdbcompression", "no", "--snapshot-rate-limit", "1000",
                                 "--snapshot-memory-limit", str(limit), "--snapshot-throttle-timeout", str(timeout),
                                 "--latency-monitor-threshold", "1", *args)
        c = self.server.client()
        c.call("SETRANGE", "big", 20 * MB, "x")
        c.call("SETRANGE", "second", 20 * MB, "x")
        c.call("BGSAVE")
        return c

    def fill(self, c):
        c.call("SETRANGE", "big", 0, "y" * FULL)

    def let_go(self, c):
        self.assertEqual(c.call("CONFIG", "SET", "snapshot-memory-limit", "0"), b"OK")

    def held(self, c):
        return int(info(c, "blocked_clients"))

    def wait_held(self, c, count=1):
        resp.wait_until(lambda: self.held(c) == count, what="%d held clients" % count)

    def client(self):
        c = self.server.client()
        self.addCleanup(c.close)
        return c

    def hold(self, *command):
        """A client whose command is held, and its number."""
        c = self.client()
        number = c.call("CLIENT", "ID")
        c.send(*command)
        return c, number

    def status(self, c):
        return info(c, "rdb_last_bgsave_status")

    def wait_ended(self, c):
        resp.wait_until(lambda: info(c, "rdb_bgsave_in_progress") == "0", 60, what="the save to end")

    # ---- who waits ----

    def test_reads_go_on_while_writes_are_held(self):
        c = self.begin()
        c.call("SET", "k", "old")
        self.fill(c)
        w, number = self.hold("SET", "k", "new")
        self.wait_held(c)
        for _ in range(200):
            self.assertEqual(c.call("GET", "k"), b"old")
        self.assertEqual(c.call("PUBLISH", "channel", "message"), 0)
        self.assertEqual(info(c, "snapshot_throttled"), "1")
        self.assertEqual(info(c, "snapshot_memory_limit_bytes"), str(LIMIT))
        self.assertGreaterEqual(int(info(c, "snapshot_held_bytes")), FULL)
        line = c.call("CLIENT", "LIST", "ID", number).decode()
        self.assertRegex(line, " flags=b ")
        for command in (["PFCOUNT", "h"], ["DEL", "k"], ["BLPOP", "l", "0"]):
            self.hold(*command)
        self.wait_held(c, 4)
        self.let_go(c)
        self.assertEqual(w.read(), b"OK")
        resp.wait_until(lambda: info(c, "snapshot_throttled") == "0")
        self.assertEqual(info(c, "snapshot_writers_delayed"), "1")
        self.assertGreater(int(info(c, "snapshot_throttled_usec")), 0)
        self.assertEqual(self.status(c), "ok")
        log = self.server.log()
        self.assertRegex(log, r"Writes are slowed down: the running save has taken 1\.\d MB of the 2\.1 MB")
        self.assertIn("Writes go on as usual", log)
        self.assertIn(b"snapshot-throttle", [e[0] for e in c.call("LATENCY", "LATEST")])

    def test_a_pipeline_keeps_its_order(self):
        c = self.begin()
        c.call("SET", "k", "old")
        self.fill(c)
        p = self.client()
        p.send_raw(b"".join(resp.pack(*command) for command in (
            ["GET", "k"], ["SET", "k", "1"], ["GET", "k"], ["INCR", "k"], ["PING"], ["GET", "k"])))
        self.assertEqual(p.read(), b"old")  # behind it a write is held, and what comes after it
        self.wait_held(c)
        self.assertEqual(c.call("GET", "k"), b"old")
        self.let_go(c)
        self.assertEqual([p.read() for _ in range(5)], [b"OK", b"1", 2, b"PONG", b"2"])

    def test_those_who_are_held_have_their_turn_in_order(self):
        c = self.begin()
        self.fill(c)
        waiting = []
        for i in range(20):
            waiting.append(self.hold("INCR", "counter")[0])
            self.wait_held(c, i + 1)
        self.let_go(c)
        self.assertEqual([w.read() for w in waiting], list(range(1, 21)))

    def test_who_comes_new_stands_behind(self):
        c = self.begin()
        self.fill(c)
        w, _ = self.hold("INCR", "counter")
        self.wait_held(c)
        self.assertEqual(c.pipeline([["CONFIG", "SET", "snapshot-memory-limit", 64 * MB], ["INCR", "counter"]]), [b"OK", 2])
        self.assertEqual(w.read(), 1)

    def test_a_transaction_waits_as_a_whole(self):
        c = self.begin()
        self.fill(c)
        t = self.client()
        self.assertEqual([t.call(*q) for q in (["MULTI"], ["SET", "a", "1"], ["GET", "a"], ["INCR", "a"])],
                         [b"OK", b"QUEUED", b"QUEUED", b"QUEUED"])
        t.send("EXEC")
        reader = self.client()
        self.assertEqual([reader.call(*q) for q in (["MULTI"], ["GET", "a"], ["EXEC"])], [b"OK", b"QUEUED", [None]])
        self.assertEqual([reader.call(*q) for q in (["MULTI"], ["SET", "a", "9"], ["DISCARD"])], [b"OK", b"QUEUED", b"OK"])
        self.wait_held(c)
        self.let_go(c)
        self.assertEqual(t.read(), [b"OK", b"1", 2])

    def test_who_waits_for_a_key_is_served_when_the_writer_goes_on(self):
        c = self.begin()
        waits, _ = self.hold("BLPOP", "list", "0")
        self.wait_held(c)
        self.fill(c)
        w, _ = self.hold("RPUSH", "list", "a", "b")
        self.wait_held(c, 2)
        self.assertEqual(c.call("EXISTS", "list"), 0)
        self.let_go(c)
        self.assertEqual(w.read(), 2)
        self.assertEqual(waits.read(), [b"list", b"a"])
        self.assertEqual(c.call("LRANGE", "list", "0", "-1"), [b"b"])

    def test_a_pause_and_the_limit_both_hold(self):
        c = self.begin()
        self.fill(c)
        w, _ = self.hold("SET", "k", "v")
        self.wait_held(c)
        c.call("CLIENT", "PAUSE", "1000000", "WRITE")
        self.let_go(c)
        for _ in range(50):
            self.assertIsNone(c.call("GET", "k"))
        c.call("CLIENT", "UNPAUSE")
        self.assertEqual(w.read(), b"OK")

    # ---- who is held can go ----

    def test_a_held_client_can_be_killed(self):
        c = self.begin()
        self.fill(c)
        w, number = self.hold("SET", "k", "v")
        self.wait_held(c)
        self.assertEqual(c.call("CLIENT", "KILL", "ID", number), 1)
        with self.assertRaises((EOFError, ConnectionError)):
            w.read()
        self.assertEqual(self.held(c), 0)
        self.let_go(c)
        self.assertIsNone(c.call("GET", "k"))

    def test_a_held_client_that_hangs_up_is_gone(self):
        c = self.begin()
        self.fill(c)
        w, _ = self.hold("SET", "k", "v")
        self.wait_held(c)
        w.close()
        self.wait_held(c, 0)
        self.assertEqual(info(c, "connected_clients"), "1")
        self.let_go(c)
        self.assertIsNone(c.call("GET", "k"))

    def test_a_held_client_is_not_idle(self):
        c = self.begin("--timeout", "1")
        self.fill(c)
        w, _ = self.hold("SET", "k", "v")
        idle = self.client()
        with self.assertRaises((EOFError, ConnectionError)):  # the server looks at those who idle
            idle.read()
        c = self.client()
        self.wait_held(c)
        self.let_go(c)
        self.assertEqual(w.read(), b"OK")

    def test_what_a_held_client_sends_stays_in_its_socket(self):
        c = self.begin()
        self.fill(c)
        w, number = self.hold("SET", "k", "v")
        self.wait_held(c)
        w.sock.settimeout(1)
        with self.assertRaises(OSError):  # nobody takes it
            for _ in range(1000):
                w.sock.sendall(resp.pack("SET", "k", "x" * 100000))
        line = c.call("CLIENT", "LIST", "ID", number).decode()
        self.assertLess(int(re.search(r"qbuf=(\d+)", line).group(1)), 256 * 1024)

    # ---- near the limit ----

    def test_near_the_limit_writes_go_on_in_steps(self):
        """The sweep stands still, and what is left lasts the longer."""
        c = self.begin(limit=40 * MB)
        c.call("SETRANGE", "big", 0, "y" * (20 * MB))
        began = int(info(c, "snapshot_held_bytes"))
        w = self.client()
        sender = threading.Thread(target=w.send_raw, args=(
            b"".join(resp.pack("SETRANGE", "second", i * 100000, "z" * 100000) for i in range(200)),))
        sender.start()  # more than there is room for
        resp.wait_until(lambda: info(c, "snapshot_writers_delayed") != "0")
        for _ in range(100):
            self.assertEqual(w.read(), 20 * MB + 1)
        self.assertGreater(int(info(c, "snapshot_held_bytes")), began + 9 * MB)
        self.assertLess(int(info(c, "snapshot_held_bytes")), 36 * MB)
        self.assertEqual(info(c, "rdb_bgsave_in_progress"), "1")
        self.let_go(c)
        for _ in range(100):
            self.assertEqual(w.read(), 20 * MB + 1)
        sender.join()

    # ---- the save is given up ----

    def assert_given_up(self, c, reason):
        self.wait_ended(c)
        self.assertEqual(self.status(c), "err")
        self.assertEqual(info(c, "snapshot_given_up"), "1")
        self.assertRegex(info(c, "rdb_last_bgsave_error"), reason)
        self.assertRegex(self.server.log(), "Background saving cancelled: " + reason)
        self.assertFalse([name for name in os.listdir(self.dir) if name.startswith("temp-")])

    def test_a_save_for_which_writes_would_wait_for_too_long_is_given_up(self):
        c = self.begin(timeout=300)
        self.fill(c)
        began = time.monotonic()
        self.assertEqual(c.call("SET", "k", "v"), b"OK")
        self.assertGreaterEqual(time.monotonic() - began, 0.3)
        self.assert_given_up(c, r"a write has waited for \d+ ms at snapshot-memory-limit \(2097152 bytes\)")
        c.call("CONFIG", "SET", "save", "3600 1")  # and nothing is refused
        self.assertEqual(c.call("SET", "k", "w"), b"OK")

    def test_one_command_may_be_too_much(self):
        c = self.begin()
        self.assertEqual(c.call("SETRANGE", "big", 0, "y" * (4 * MB)), 20 * MB + 1)
        self.assert_given_up(c, r"one command needed more than snapshot-memory-limit \(2097152 bytes\) leaves to it")
        self.assertLess(int(info(c, "snapshot_preserved_peak_bytes")), LIMIT + 4096)

    def test_with_policy_cancel_nobody_waits(self):
        c = self.begin("--snapshot-memory-policy", "cancel")
        self.fill(c)
        self.assertEqual(c.call("SET", "k", "v"), b"OK")
        self.assert_given_up(c, r"snapshot-memory-limit \(2097152 bytes\) was reached")
        self.assertEqual(info(c, "snapshot_writers_delayed"), "0")

    def test_the_policy_can_be_changed_while_writes_are_held(self):
        c = self.begin()
        self.fill(c)
        w, _ = self.hold("SET", "k", "v")
        self.wait_held(c)
        c.call("CONFIG", "SET", "snapshot-memory-policy", "cancel")
        self.assertEqual(w.read(), b"OK")
        self.assert_given_up(c, "snapshot-memory-limit")

    def test_save_points_try_again(self):
        c = self.begin(timeout=1)
        c.call("CONFIG", "SET", "save", "1 1")
        self.fill(c)
        self.assertEqual(c.call("SET", "k", "v"), b"OK")
        c.call("CONFIG", "SET", "snapshot-rate-limit", "0")
        resp.wait_until(lambda: self.status(c) == "ok" and int(info(c, "rdb_saves")) > 0, 120, what="a save that succeeds")
        self.assertEqual(info(c, "rdb_last_bgsave_error"), "")

    # ---- configuration ----

    def test_the_limit_is_shown_and_written_as_it_was_given(self):
        self.write("stillframe.conf", "snapshot-memory-limit 30%\n")
        self.server = self.start(self.path("stillframe.conf"))
        c = self.server.client()
        self.assertEqual(c.call("CONFIG", "GET", "snapshot-memory-limit")[1], b"30%")
        for value, shown in (("12%", b"12%"), ("64mb", b"67108864"), ("1gb", b"1073741824"), ("0", b"0"), ("100%", b"100%")):
            c.call("CONFIG", "SET", "snapshot-memory-limit", value)
            self.assertEqual(c.call("CONFIG", "GET", "snapshot-memory-limit")[1], shown)
        for value in ("101%", "-1", "half", "5%%", ""):
            with self.assertRaises(resp.RespError):
                c.call("CONFIG", "SET", "snapshot-memory-limit", value)
        c.call("CONFIG", "SET", "snapshot-memory-limit", "12%", "snapshot-memory-policy", "cancel",
               "snapshot-throttle-timeout", "77")
        c.call("CONFIG", "REWRITE")
        with open(self.path("stillframe.conf")) as f:
            lines = f.read().split("\n")
        for line in ("snapshot-memory-limit 12%", "snapshot-memory-policy cancel", "snapshot-throttle-timeout 77"):
            self.assertIn(line, lines)
        with self.assertRaisesRegex(resp.RespError, "throttle, cancel"):
            c.call("CONFIG", "SET", "snapshot-memory-policy", "wait")


class Bounded(ServerCase):
    """The process itself, as the system sees it, while writers of all kinds do what they can."""

    KEYS = 40000 if QUICK else 120000
    HUGE = 8 * MB if QUICK else 32 * MB

    def peak(self, server, name="VmHWM"):
        with open("/proc/%d/status" % server.pid) as f:
            return int(re.search(name + r":\s+(\d+) kB", f.read()).group(1)) * 1024

    def build(self, c):
        def batches(commands, size=500):
            for first in range(0, len(commands), size):
                c.pipeline(commands[first:first + size])
        batches([["SET", "s%d" % i, "x" * 300] for i in range(self.KEYS)])
        batches([["HSET", "hash"] + [w for k in range(50) for w in ("f%d" % (i * 50 + k), "v" * 30)] for i in range(self.KEYS // 100)])
        batches([["RPUSH", "list"] + ["e%d" % (i * 50 + k) for k in range(50)] for i in range(self.KEYS // 100)])
        batches([["ZADD", "zset"] + [w for k in range(50) for w in (k, "m%d" % (i * 50 + k))] for i in range(self.KEYS // 100)])
        c.call("SETRANGE", "huge", self.HUGE, "x")

    def writers(self):
        """What each writer sends, again and again: nothing of it makes the data grow."""
        n, half = self.KEYS, self.KEYS // 2
        return [
            lambda i: ["SET", "s%d" % (i * 7919 % n), "%0300d" % i],
            lambda i: ["SETRANGE", "s%d" % (i * 104729 % n), 0, "%0100d" % i],
            lambda i: ["HSET", "hash", "f%d" % (i * 7919 % half), "%030d" % i],
            lambda i: ["SETRANGE", "huge", i * 64 * 1009 % (self.HUGE - 1000), "z" * 500],
            lambda i: ["LPUSH", "list", "e%d" % i] if i % 2 == 0 else ["RPOP", "list"],
            lambda i: ["ZADD", "zset", i % 1000, "m%d" % (i * 7919 % half)],
        ]

    def write_until(self, server, writer, stop):
        with server.client() as c:
            i = 0
            while not stop.is_set():
                c.pipeline([writer(k) for k in range(i, i + 50)])
                i += 50

    def test_a_save_makes_the_process_no_larger_than_the_limit_says(self):
        server = self.start("--save", "", "--rdbcompression", "no", "--snapshot-threads", "1", "--snapshot-throttle-timeout", "0")
        c = server.client()
        self.build(c)
        stop = threading.Event()
        threads = [threading.Thread(target=self.write_until, args=(server, w, stop)) for w in self.writers()]
        for t in threads:
            t.start()
        time.sleep(1)  # what they take without a save is theirs
        before = self.peak(server)
        live = int(info(c, "mm_live_bytes"))
        c.call("CONFIG", "SET", "snapshot-rate-limit", str(live // 5))  # about five seconds
        try:
            c.call("BGSAVE")
            resp.wait_until(lambda: info(c, "rdb_bgsave_in_progress") == "0", 300, 0.1, "the save to end")
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(info(c, "rdb_last_bgsave_status"), "ok")
        grown, limit = self.peak(server) - before, max(live // 4, 16 * MB)
        self.assertLess(grown, limit, "%d of %d" % (before, live))
        # and it would have been more
        self.assertGreater(int(info(c, "snapshot_writers_delayed")), 0)


if __name__ == "__main__":
    unittest.main()
