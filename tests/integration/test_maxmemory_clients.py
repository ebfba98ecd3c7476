#!/usr/bin/env python3
"""maxmemory-clients: the largest clients are closed until the others are within the limit, and
nobody else."""
import os
import re
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_connections import is_open, told  # noqa: E402
from test_maxmemory import field  # noqa: E402

MB = 1 << 20


class Limit(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def start(self, *args, start=resp.start_stillframe):
        directory = tempfile.mkdtemp(dir=self.dir)
        self.server = start(directory, "--save", "", *args)
        self.addCleanup(self.server.kill)
        admin = self.server.client()
        admin.call("CLIENT", "NO-EVICT", "ON")
        return admin

    def send_half(self, c, size):
        """All of a SET but for the last 100 bytes of its value: the server has to keep what is
        there."""
        try:
            c.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % (size + 100) + b"x" * size)
        except OSError:
            pass  # closed before it had sent all

    def half_a_command(self, size):
        c = self.server.client()
        c.call("PING")
        self.send_half(c, size)
        return c

    def evicted(self, admin):
        return int(field(admin, "stats", "evicted_clients"))

    def wait_for_input(self, admin, size):
        def is_there():
            text = admin.call("CLIENT", "LIST").decode()
            return sum(int(n) for n in re.findall(r" qbuf=(\d+) ", text)) >= size
        resp.wait_until(is_there, what="%d bytes of input" % size)

    def test_values_are_accepted_and_refused_as_by_redis(self):
        values = ["0", "5%", "100%", "101%", "-5%", "0%", "x%", "%", "5 %", "-1", "1x", "100mb", "1g", "7.5%", "010%"]
        told_by = []
        for start in (resp.start_stillframe, resp.start_redis_server):
            c = self.start(start=start)
            told_by.append([(v, told(c, "CONFIG", "SET", "maxmemory-clients", v), c.call("CONFIG", "GET", "maxmemory-clients"))
                            for v in values])
        self.assertEqual(*told_by)

    def test_the_largest_go_first_and_no_more_than_need_to(self):
        admin = self.start()
        small, large, medium = (self.half_a_command(n * MB) for n in (1, 8, 3))
        self.wait_for_input(admin, 12 * MB)
        self.assertEqual(self.evicted(admin), 0)
        self.assertEqual(admin.call("CONFIG", "SET", "maxmemory-clients", "8mb"), b"OK")
        resp.wait_until(lambda: self.evicted(admin) == 1, what="an eviction")
        self.assertFalse(is_open(large))
        for c in (small, medium):
            c.send_raw(b"x" * 100 + b"\r\n")
            self.assertEqual(c.read(), b"OK")
        self.assertEqual(self.evicted(admin), 1)
        self.assertRegex(self.server.log(), r"Evicting client: id=\d+ addr=127\.0\.0\.1:\d+ .* qbuf=8\d{6} ")
        admin.call("CONFIG", "RESETSTAT")
        self.assertEqual(self.evicted(admin), 0)

    def test_a_client_that_may_not_be_evicted_counts_and_stays(self):
        admin = self.start("--maxmemory-clients", "6mb")
        kept = self.server.client()
        self.assertEqual(kept.call("CLIENT", "NO-EVICT", "ON"), b"OK")
        self.send_half(kept, 5 * MB - 100)
        self.wait_for_input(admin, 4 * MB)
        self.assertEqual(self.evicted(admin), 0)
        other = self.half_a_command(2 * MB)
        resp.wait_until(lambda: self.evicted(admin) == 1, what="an eviction")
        self.assertFalse(is_open(other))
        kept.send_raw(b"x" * 100 + b"\r\n")
        self.assertEqual(kept.read(), b"OK")
        # And once it may be, it is.
        kept.send_raw(b"*3\r\n$6\r\nCLIENT\r\n$8\r\nNO-EVICT\r\n$3\r\nOFF\r\n")
        self.assertEqual(kept.read(), b"OK")
        self.send_half(kept, 8 * MB)
        resp.wait_until(lambda: self.evicted(admin) == 2, what="an eviction")

    def test_what_a_transaction_keeps_counts(self):
        admin = self.start("--maxmemory-clients", "6mb")
        c = self.server.client()
        c.call("MULTI")
        with self.assertRaises((EOFError, ConnectionError)):
            for _ in range(10):
                c.call("SET", "k", "x" * MB)
        self.assertEqual(self.evicted(admin), 1)
        self.assertEqual(admin.call("EXISTS", "k"), 0)

    def test_those_who_do_not_read_their_replies_go(self):
        admin = self.start()
        admin.call("SET", "value", "x" * (2 * MB))
        admin.call("CONFIG", "SET", "maxmemory-clients", "16mb")
        lazy = [self.server.client() for _ in range(20)]
        for c in lazy:
            for _ in range(4):
                c.send("GET", "value")
        resp.wait_until(lambda: self.evicted(admin) > 0, what="an eviction")
        resp.wait_until(lambda: int(field(admin, "memory", "mem_clients_normal")) <= 16 * MB, what="memory within the limit")
        self.assertLess(self.evicted(admin), 20)
        self.assertEqual(admin.call("STRLEN", "value"), 2 * MB)

    def test_one_huge_reply_is_too_much(self):
        admin = self.start("--maxmemory-clients", "4mb")
        admin.call("SET", "value", "x" * MB)
        c = self.server.client()
        c.call("PING")
        with self.assertRaises((EOFError, ConnectionError)):
            c.call("MGET", *["value"] * 200)
        self.assertEqual(self.evicted(admin), 1)

    def test_a_slow_subscriber_goes(self):
        admin = self.start("--maxmemory-clients", "12mb", "--client-output-buffer-limit", "pubsub", "0", "0", "0")
        slow, quick = self.server.client(), self.server.client()
        for c in (slow, quick):
            c.call("SUBSCRIBE", "news")
        for i in range(200):
            if admin.call("PUBLISH", "news", "x" * 200000) == 1:
                break
            self.assertEqual(quick.read()[2], b"x" * 200000)
        self.assertLess(i, 199)
        self.assertEqual(self.evicted(admin), 1)
        self.assertEqual(admin.call("PUBLISH", "news", "y"), 1)

    def test_what_comes_at_once_is_seen_before_it_is_a_command(self):
        admin = self.start("--maxmemory-clients", "10mb")
        command = resp.pack("SET", "k", "x" * (10 * MB))
        for n in range(1, 11):
            with self.server.client() as c:
                with self.assertRaises((EOFError, ConnectionError)):
                    c.send_raw(command)
                    c.read()
            self.assertEqual(self.evicted(admin), n)
        self.assertEqual(admin.call("EXISTS", "k"), 0)
        with self.server.client() as c:
            self.assertEqual(c.call("SET", "k", "x" * (9 * MB)), b"OK")

    def test_a_share_of_maxmemory(self):
        admin = self.start("--maxmemory-clients", "5%")
        c = self.half_a_command(8 * MB)
        self.wait_for_input(admin, 8 * MB)  # 5 % of no limit is no limit
        self.assertEqual(admin.call("CONFIG", "SET", "maxmemory", "100mb"), b"OK")
        resp.wait_until(lambda: self.evicted(admin) == 1, what="an eviction")
        self.assertFalse(is_open(c))

    def test_many_small_ones_count_together(self):
        admin = self.start()
        clients = [self.server.client() for _ in range(200)]
        for c in clients:
            c.call("CLIENT", "SETNAME", "idle")
        before = int(field(admin, "memory", "mem_clients_normal"))
        admin.call("CONFIG", "SET", "maxmemory-clients", before // 2)
        resp.wait_until(lambda: self.evicted(admin) > 50, what="evictions")
        left = sum(is_open(c) for c in clients)
        self.assertEqual(left, 200 - self.evicted(admin))
        self.assertGreater(left, 20)
        # Without a limit again, and with one: those that are left are counted anew.
        admin.call("CONFIG", "SET", "maxmemory-clients", 0)
        more = [self.server.client() for _ in range(100)]
        self.assertTrue(all(is_open(c) for c in more))
        count = self.evicted(admin)
        admin.call("CONFIG", "SET", "maxmemory-clients", before // 4)
        resp.wait_until(lambda: self.evicted(admin) > count, what="evictions")
        # Those count, too, that connect and say nothing.
        count = self.evicted(admin)
        silent = [self.server.client() for _ in range(200)]
        resp.wait_until(lambda: self.evicted(admin) > count + 50, what="evictions")
        self.assertLess(sum(is_open(c) for c in silent), 150)


if __name__ == "__main__":
    unittest.main()
