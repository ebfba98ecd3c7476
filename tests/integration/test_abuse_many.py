#!/usr/bin/env python3
"""Clients that want very much at once: commands queued, keys watched, channels, keys waited for,
requests sent ahead. Each costs what it is worth, nobody else waits for long, and when its client is
gone so is the memory.

Limits of clients' memory: test_maxmemory_clients.py, of input and output: test_protocol.py,
test_unread.py.
"""
import os
import re
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from abuse import LONG, MB, AbuseTest, Pings, eventually, field  # noqa: E402

MANY = 1000000 if LONG else 100000
# For so many of anything: some microseconds each, many times what they cost on a quiet machine, and
# a small part of what each would cost that looked at all others.
SECONDS = MANY / 1e6 * 20


class Much(AbuseTest):
    def setUp(self):
        super().setUp()
        self.server = self.start("--client-output-buffer-limit", "pubsub", "0", "0", "0")
        self.admin = self.server.client()
        self.keys = [b"key:%d" % i for i in range(MANY)]

    def used(self):
        return field(self.admin, "used_memory")

    def replies(self, c, count, expected=None):
        for _ in range(count):
            reply = c.read()
            if expected is not None:
                self.assertEqual(reply, expected)

    def sent(self, c, data):
        """In a thread: the server answers while it is read."""
        thread = threading.Thread(target=c.send_raw, args=(data,), daemon=True)
        thread.start()
        return thread

    def costs(self, most_bytes, work):
        """work(client): within the processor time of so many things; afterwards no more than
        most_bytes each are held; others are served meanwhile; when it has gone nothing is left."""
        before = self.used()
        c = self.server.client()
        with Pings(self.server) as pings:
            self.assert_costs_less(SECONDS, self.server, lambda: work(c))
            self.assertLess(self.used() - before, most_bytes * MANY + 8 * MB)
            self.assert_costs_less(SECONDS, self.server, lambda: (c.close(), self.wait_for_clients(self.admin, 2)))
        self.assert_served(pings)
        eventually(lambda: self.used() < before + 4 * MB, what="the memory")

    # ---- transactions ----

    def test_a_long_transaction_holds_what_was_sent_and_gives_it_back(self):
        def queue(c):
            self.sent(c, resp.pack("MULTI") + resp.pack("INCR", "n") * MANY)
            self.assertEqual(c.read(), b"OK")
            self.replies(c, MANY, b"QUEUED")
            self.assertIn(b" multi=%d " % MANY, self.admin.call("CLIENT", "LIST"))
        self.costs(200, queue)

        def run(c):
            queue(c)
            self.assertEqual(c.call("EXEC")[-1], MANY)
            self.assertLess(field(self.admin, "mem_clients_normal"), 4 * MB)
        self.costs(200, run)

        def discard(c):
            queue(c)
            self.assertEqual(c.call("DISCARD"), b"OK")
            self.assertLess(field(self.admin, "mem_clients_normal"), 4 * MB)
        self.costs(200, discard)
        self.assertEqual(self.admin.call("GET", "n"), b"%d" % MANY)

    def test_what_a_transaction_holds_is_bounded_by_the_query_buffer_limit(self):
        limit = 4 * MB
        server = self.start("--client-query-buffer-limit", str(limit))
        admin, c = server.client(), server.client()
        before = field(admin, "used_memory")
        c.call("MULTI")
        sent = 0
        with self.assertRaises((ConnectionError, EOFError)):
            while sent < 20 * limit:
                self.assertEqual(c.call("SET", "k", "v" * 10000), b"QUEUED")
                sent += 10000
                self.assertLess(field(admin, "used_memory") - before, limit + 2 * MB)
        self.assertGreater(sent, limit // 2)
        eventually(lambda: field(admin, "used_memory") < before + MB, what="the memory")
        self.assertEqual(admin.call("EXISTS", "k"), 0)

    # ---- keys and channels ----

    def test_very_many_watched_keys_are_no_work_for_each_other(self):
        def watch(c):
            self.assertEqual(c.call("WATCH", *self.keys), b"OK")
            self.assertEqual(c.call("WATCH", *self.keys), b"OK")  # again, each
            self.assertEqual(field(self.admin, "total_watched_keys"), MANY)
        self.costs(300, watch)
        self.assertEqual(field(self.admin, "total_watched_keys"), 0)

        def watch_and_lose(c):
            watch(c)
            self.admin.call("SET", self.keys[MANY // 2], "x")
            c.call("MULTI")
            self.assertIsNone(c.call("EXEC"))
        self.costs(300, watch_and_lose)

    def test_a_key_that_very_many_watch_is_no_work_for_the_next(self):
        crowd = [self.server.client() for _ in range(1000 if LONG else 300)]

        def watch():
            for c in crowd:
                c.call("WATCH", *self.keys[:100])
                c.call("WATCH", *self.keys[:100])
        self.assert_costs_less(SECONDS, self.server, watch)
        self.assertEqual((field(self.admin, "watching_clients"), field(self.admin, "total_watched_keys")), (len(crowd), 100))
        self.admin.call("SET", self.keys[7], "x")
        for c in crowd:
            c.call("MULTI")
            self.assertIsNone(c.call("EXEC"))

    def subscribe(self, kind):
        def work(c):
            self.sent(c, resp.pack(kind, *self.keys))
            self.replies(c, MANY)
        return work

    def test_very_many_channels(self):
        self.costs(400, self.subscribe("SUBSCRIBE"))
        self.assertEqual(self.admin.call("PUBSUB", "CHANNELS"), [])

    def test_very_many_shard_channels(self):
        self.costs(400, self.subscribe("SSUBSCRIBE"))

    def test_very_many_patterns(self):
        def work(c):
            self.subscribe("PSUBSCRIBE")(c)
            self.assertEqual(self.admin.call("PUBLISH", "key:77", "m"), 1)
            self.assertEqual(c.read(), [b"pmessage", b"key:77", b"key:77", b"m"])
        self.costs(400, work)
        self.assertEqual(self.admin.call("PUBSUB", "NUMPAT"), 0)

    def test_channels_that_come_and_go_all_at_once(self):
        def work(c):
            for _ in range(3):
                self.sent(c, resp.pack("SUBSCRIBE", *self.keys) + resp.pack("UNSUBSCRIBE"))
                self.replies(c, 2 * MANY)
        self.assert_costs_less(6 * SECONDS, self.server, lambda: work(self.server.client()))
        self.assertEqual(self.admin.call("PUBSUB", "CHANNELS"), [])

    def waits(self, *words):
        def work(c):
            c.send(*words)
            eventually(lambda: field(self.admin, "blocked_clients") == 1, what="its wait")
        return work

    def test_a_wait_for_very_many_keys(self):
        self.costs(400, self.waits("BLPOP", *self.keys, 0))
        self.costs(400, self.waits("BZPOPMIN", *self.keys, 0))
        self.costs(600, self.waits("XREAD", "BLOCK", 0, "STREAMS", *self.keys, *["$"] * MANY))
        # One key, named again and again, is one; as is what is there already.
        self.costs(100, self.waits("BLPOP", *["same"] * MANY, 0))
        self.costs(100, self.waits("XREAD", "BLOCK", 0, "STREAMS", *["same"] * MANY, *["$"] * MANY))
        self.assertEqual(field(self.admin, "blocked_clients"), 0)

    def test_very_many_tracked_keys(self):
        self.admin.call("CONFIG", "SET", "tracking-table-max-keys", MANY // 2)

        def work(c):
            c.call("HELLO", "3")
            c.call("CLIENT", "TRACKING", "ON")
            for at in range(0, MANY, 10000):
                c.send("MGET", *self.keys[at:at + 10000])
            answered = 0
            while answered < MANY // 10000:  # and invalidations of what is too much
                reply = c.read()
                answered += len(reply) == 10000
            self.assertLessEqual(field(self.admin, "tracking_total_keys"), MANY // 2 + 10000)
        self.costs(400, work)

    # ---- requests ahead ----

    def test_requests_that_wait_for_one_that_waits_are_not_run_in_one_turn(self):
        """As many as the limit of input lets through stand behind a BLPOP; then it ends."""
        count = 20 * MANY
        c = self.server.client()
        c.send_raw(resp.pack("CLIENT", "REPLY", "OFF") + resp.pack("BLPOP", "q", 0))
        c.send_raw(b"INCR n\r\n" * count)
        eventually(lambda: re.search(rb" qbuf=\d{7,} ", self.admin.call("CLIENT", "LIST")), what="its input")
        with Pings(self.server) as pings:
            self.admin.call("RPUSH", "q", "x")
            seen = set()
            eventually(lambda: seen.add(self.admin.call("GET", "n")) or b"%d" % count in seen, 120, "all of them")
        self.assert_served(pings)
        self.assertGreater(len(seen), 2)  # others had their turns between


if __name__ == "__main__":
    unittest.main()
