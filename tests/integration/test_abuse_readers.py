#!/usr/bin/env python3
"""Clients that read slowly or not at all, and such as write slowly or never finish: the memory of
the server is bounded, others are served, and who is beyond a limit is closed.

The limits themselves, to the byte and beside redis-server: test_protocol.py, test_unread.py,
test_maxmemory_clients.py. Who asks for a copy of the data (SYNC) and does not read it:
test_save_stream.py.
"""
import os
import random
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from abuse import LONG, MB, AbuseTest, Pings, connect, eventually, field, rss  # noqa: E402

CROWD = 200 if LONG else 40
# What the system's own buffers of a connection hold, on both sides, belongs to no process.
LIMIT = 2 * MB


def narrow(server):
    """A connection that takes in a few kilobytes, so that what it does not read stays with the
    server."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(120)
    s.connect(("127.0.0.1", server.port))
    return s


class Readers(AbuseTest):
    def limits(self, server, hard=LIMIT, soft=0, seconds=0):
        with server.client() as admin:
            admin.call("CONFIG", "SET", "client-output-buffer-limit",
                       " ".join("%s %d %d %d" % (kind, hard, soft, seconds) for kind in ("normal", "pubsub", "replica")))

    def assert_bounded(self, server, admin, before, crowd):
        """What they hold together, and the process: the limit for each, one reply or message more,
        and some for the allocator."""
        self.assertLess(field(admin, "used_memory") - before[0], crowd * (LIMIT + MB))
        self.assertLess(rss(server) - before[1], crowd * (LIMIT + MB) * 3 // 2 + 32 * MB)

    def crowd_is_closed(self, server, join, grow):
        """join(socket) makes each of a crowd one who is told much; grow(admin, turn) lets it be
        more. All are closed at their limit, within the memory of it; nothing is left."""
        admin = server.client()
        admin.call("SET", "large", "x" * 100000)
        grow(admin, 0)
        before = field(admin, "used_memory"), rss(server)
        crowd = [narrow(server) for _ in range(CROWD)]
        with Pings(server) as pings:
            for s in crowd:
                join(s)
            turn = 0
            while field(admin, "connected_clients") > 2:
                grow(admin, turn)
                self.assert_bounded(server, admin, before, CROWD)
                turn += 1
                self.assertLess(turn, 2000, "they are not closed")
        self.assert_served(pings)
        eventually(lambda: field(admin, "used_memory") < before[0] + 2 * MB, what="the memory")
        self.assertIn("overcoming of output buffer limits", server.log())
        self.assertLess(server.log().count("overcoming of output buffer limits"), CROWD + 1)
        for s in crowd:
            s.close()

    def test_who_asks_for_much_and_reads_nothing_is_closed(self):
        server = self.start()
        self.limits(server)
        self.crowd_is_closed(server, lambda s: s.sendall(resp.pack("GET", "large") * 60), lambda *_: None)

    def test_one_huge_reply_is_not_made_beyond_the_limit(self):
        server = self.start()
        self.limits(server)
        with server.client() as c:
            for at in range(0, 100000, 10000):
                c.call("RPUSH", "list", *["x" * 1000] * 10000)
        self.crowd_is_closed(server, lambda s: s.sendall(resp.pack("LRANGE", "list", 0, -1)), lambda *_: None)

    def test_subscribers_who_do_not_read_are_closed(self):
        server = self.start()
        self.limits(server)
        self.crowd_is_closed(server, lambda s: s.sendall(resp.pack("SUBSCRIBE", "c") + resp.pack("PSUBSCRIBE", "c*")),
                             lambda admin, turn: admin.call("PUBLISH", "c", "x" * 50000))

    def test_monitors_who_do_not_read_are_closed(self):
        server = self.start()
        self.limits(server)
        self.crowd_is_closed(server, lambda s: s.sendall(resp.pack("MONITOR")),
                             lambda admin, turn: admin.call("SET", "k", "x" * 50000))

    def test_who_caches_keys_and_does_not_read_is_closed(self):
        server = self.start()
        self.limits(server)
        names = ["%d:" % i + "x" * 5000 for i in range(10)]
        self.crowd_is_closed(server, lambda s: s.sendall(resp.pack("HELLO", "3") + resp.pack("CLIENT", "TRACKING", "ON", "BCAST")),
                             lambda admin, turn: admin.call("MSET", *[w for n in names for w in (n, turn)]))

    def test_to_whom_invalidations_are_redirected_and_who_does_not_read_is_closed(self):
        server = self.start()
        self.limits(server)
        ears, mouths = narrow(server), [server.client() for _ in range(10)]
        ears.sendall(resp.pack("CLIENT", "ID"))
        number = int(ears.recv(100)[1:])
        ears.sendall(resp.pack("SUBSCRIBE", "__redis__:invalidate"))
        admin = server.client()
        before = field(admin, "used_memory"), rss(server)
        for m in mouths:
            m.call("CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST")
        names = ["%d:" % i + "x" * 5000 for i in range(10)]
        with Pings(server) as pings:
            for turn in range(2000):
                admin.call("MSET", *[w for n in names for w in (n, turn)])
                self.assert_bounded(server, admin, before, 1)
                if field(admin, "connected_clients") == 11:
                    break
        self.assert_served(pings)
        self.assertEqual(field(admin, "connected_clients"), 11)  # the mouths and admin are not gone
        for m in mouths:  # their redirection is broken, and they go on
            self.assertEqual(m.call("CLIENT", "TRACKINGINFO")[1], [b"on", b"bcast", b"broken_redirect"])
            self.assertEqual(m.call("GET", names[0]), b"%d" % turn)

    def test_a_soft_limit_closes_in_its_time_and_a_reader_in_time_lives(self):
        server = self.start()
        self.limits(server, hard=0, soft=MB, seconds=3600)
        admin = server.client()
        admin.call("SET", "large", "x" * 100000)
        lazy, slow = narrow(server), narrow(server)
        for s in (lazy, slow):
            s.sendall(resp.pack("GET", "large") * 100)
        eventually(lambda: field(admin, "mem_clients_normal") > 10 * MB, what="the replies")
        got = 0
        while got < 100 * (100000 + 11):
            got += len(slow.recv(1 << 16))
        self.limits(server, hard=0, soft=MB, seconds=1)
        self.wait_for_clients(admin, 2)
        slow.sendall(b"PING\r\n")
        self.assertEqual(slow.recv(100), b"+PONG\r\n")

    # ---- slow, and alive ----

    def test_many_slow_readers_get_every_byte_and_hold_what_is_left(self):
        server = self.start()
        admin = server.client()
        admin.call("SET", "large", "x" * 300000)
        before = field(admin, "used_memory")
        crowd = [narrow(server) for _ in range(CROWD)]
        reply = 300000 + len(b"$300000\r\n\r\n")
        got = [0] * CROWD
        rng = random.Random(7)
        with Pings(server) as pings:
            for s in crowd:
                s.sendall(resp.pack("GET", "large") * 2)
            eventually(lambda: field(admin, "total_commands_processed") and
                       b"cmdstat_get:calls=%d," % (2 * CROWD) in admin.call("INFO", "commandstats"), what="the GETs")
            for _ in range(20):  # now and then a byte, or some
                for i, s in enumerate(crowd):
                    got[i] += len(s.recv(rng.choice([1, 1, 100])))
            self.assertLess(field(admin, "used_memory") - before, CROWD * (2 * reply + MB // 8))
            for i, s in enumerate(crowd):
                while got[i] < 2 * reply:
                    got[i] += len(s.recv(1 << 16))
        self.assert_served(pings)
        self.assertEqual(got, [2 * reply] * CROWD)
        eventually(lambda: field(admin, "used_memory") < before + MB, what="the memory")

    def test_many_slow_writers_hold_what_they_have_sent(self):
        """A byte at a time, and a request that never ends."""
        server = self.start()
        admin = server.client()
        before = field(admin, "used_memory")
        crowd = [connect(server) for _ in range(CROWD)]
        request = resp.pack("SET", "key", "value") + b"ECHO 'in a line'\r\n"
        with Pings(server) as pings:
            for at in range(len(request)):
                for s in crowd:
                    s.sendall(request[at:at + 1])
            expected = b"+OK\r\n$9\r\nin a line\r\n"
            for s in crowd:
                got = b""
                while len(got) < len(expected):
                    got += s.recv(100)
                self.assertEqual(got, expected)
            for s in crowd:
                s.sendall(b"*2\r\n$4\r\nECHO\r\n$100000\r\n")
            for _ in range(50):
                for s in crowd:
                    s.sendall(b"x")
            eventually(lambda: field(admin, "total_net_input_bytes") > CROWD * (len(request) + 70), what="the bytes")
            self.assertLess(field(admin, "used_memory") - before, CROWD * 4096 + MB // 2)
        self.assert_served(pings)

    def test_who_never_finishes_is_closed_by_the_timeout(self):
        server = self.start("--timeout", "2")
        half, idle, ear = connect(server), connect(server), server.client()
        ear.call("SUBSCRIBE", "c")
        begin = time.monotonic()
        half.sendall(b"*2\r\n$4\r\nECHO\r\n$10\r\nabc")
        idle.sendall(b"PING\r\n")
        self.assertEqual(idle.recv(100), b"+PONG\r\n")
        for s in (half, idle):
            self.assertEqual(s.recv(100), b"")
        self.assertGreater(time.monotonic() - begin, 1.9)
        with server.client() as admin:  # a subscriber waits by trade
            self.assertEqual(admin.call("PUBLISH", "c", "m"), 1)
        self.assertEqual(ear.read(), [b"message", b"c", b"m"])


if __name__ == "__main__":
    unittest.main()
