#!/usr/bin/env python3
"""Very many connections, such as vanish, such as come and go at once, and none left to be had.

Handshakes of TLS that are not finished: test_tls.py.
"""
import os
import random
import re
import resource
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from abuse import LONG, MB, AbuseTest, Pings, connect, cpu_seconds, eventually, field, rss, until_closed  # noqa: E402

IDLE = 10000
TCP_REPAIR = 19


def descriptors(server):
    return {int(n) for n in os.listdir("/proc/%d/fd" % server.pid)}


def vanish(sock):
    """Close it so that no packet tells of it, as when a machine loses its power."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    sock.close()


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Vanished(AbuseTest):
    """Clients that are gone without a word. What answers for them here is their machine, which
    knows of no connection; of a machine that is gone too, the third probe without an answer ends
    it, which is the system's to do: asserted is that the server asks it to."""

    def setUp(self):
        super().setUp()
        with socket.socket() as s:
            try:
                s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
            except OSError:
                self.skipTest("connections cannot vanish: no right to TCP_REPAIR")

    def gone(self, *args):
        """Clients in all states vanish; returns the server and those that were there."""
        server = self.start(*args)
        admin = server.client()
        before = field(admin, "used_memory")
        crowd = [server.client() for _ in range(30)]
        for i, c in enumerate(crowd):
            if i % 3 == 1:
                c.call("SUBSCRIBE", "c")
            elif i % 3 == 2:
                c.send("BLPOP", "q", 0)
        eventually(lambda: field(admin, "blocked_clients") == 10, what="their wait")
        for c in crowd:
            vanish(c.sock)
        return server, admin, before

    def test_keepalive_finds_all_who_vanished(self):
        _, admin, before = self.gone("--tcp-keepalive", "1")
        eventually(lambda: admin.call("CLIENT", "LIST").count(b"\n") == 1, what="their end")
        self.assertEqual((field(admin, "blocked_clients"), admin.call("PUBSUB", "CHANNELS")), (0, []))
        self.assertLess(field(admin, "used_memory"), before + MB)

    def test_timeout_finds_those_who_should_say_something(self):
        _, admin, _ = self.gone("--tcp-keepalive", "0", "--timeout", "1")
        # Who waits for others is silent by trade, and stays, as in Redis.
        eventually(lambda: (admin.call("PING"), admin.call("CLIENT", "LIST").count(b"\n"))[1] == 21, what="the end of ten")

    def test_what_is_told_to_one_finds_it(self):
        _, admin, _ = self.gone("--tcp-keepalive", "0")
        admin.call("PUBLISH", "c", "m")
        admin.call("RPUSH", "q", *range(10))
        eventually(lambda: admin.call("CLIENT", "LIST").count(b"\n") == 11, what="the end of twenty")

    def test_each_connection_has_the_systems_probes(self):
        server = self.start("--tcp-keepalive", "300")
        with server.client() as c:
            eventually(lambda: resp.keepalive_timer(server, c), what="a keepalive timer")


class Storms(AbuseTest):
    def test_connections_that_come_and_go_leave_nothing(self):
        server = self.start()
        admin = server.client()
        rng = random.Random(11)
        hellos = [b"", b"PING\r\n", b"*1\r\n$4\r\nPI", b"SUBSCRIBE c\r\n", b"BLPOP q 0\r\n", b"MULTI\r\nSET a b\r\n", b"MONITOR\r\n",
                  b"WATCH a\r\n", b"HELLO 3\r\nCLIENT TRACKING ON BCAST\r\n", b"CLIENT SETNAME x\r\n"]

        def rounds(count):
            for _ in range(count):
                s = connect(server)
                s.sendall(rng.choice(hellos))
                (reset if rng.random() < 0.5 else socket.socket.close)(s)
            self.wait_for_clients(admin, 2)
        with Pings(server) as pings:
            rounds(300)
            eventually(lambda: admin.call("CLIENT", "LIST").count(b"\n") == 2, what="the end of all")
            before = field(admin, "used_memory"), rss(server), len(descriptors(server)), cpu_seconds(server)
            count = 50000 if LONG else 3000
            rounds(count)
            eventually(lambda: admin.call("CLIENT", "LIST").count(b"\n") == 2, what="the end of all")
        self.assert_served(pings)
        self.assertLess(field(admin, "used_memory"), before[0] + MB)
        self.assertLess(rss(server), before[1] + 8 * MB)
        self.assertLessEqual(len(descriptors(server)), before[2])
        self.assertLess(cpu_seconds(server) - before[3], 2 + count * 0.001)

    def test_more_than_maxclients_are_told_so_as_by_redis(self):
        out = []
        for server in self.start_both("--maxclients", "5"):
            clients = [server.client() for _ in range(5)]
            self.assertEqual([c.call("PING") for c in clients], [b"PONG"] * 5)
            told = []
            for _ in range(100):
                with connect(server) as s:
                    told.append(until_closed(s))
            out.append((set(told), field(clients[0], "rejected_connections"), field(clients[0], "connected_clients")))
            clients.pop().close()
            self.wait_for_clients(clients[0], 4)
            self.assertEqual(server.client().call("PING"), b"PONG")
        self.assertEqual(*out)
        self.assertEqual(out[0], ({b"-ERR max number of clients reached\r\n"}, 100, 5))


class Crowd(AbuseTest):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < IDLE + 1000:
            self.skipTest("%d open files are allowed, %d clients need more" % (hard, IDLE))
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def test_ten_thousand_who_idle(self):
        server = self.start("--maxclients", str(IDLE), "--dbfilename", "idle.rdb")
        admin = server.client()
        admin.pipeline([["SET", "key:%d" % i, "x" * 100] for i in range(10000)])
        before = field(admin, "used_memory"), rss(server)
        count = IDLE - 2
        with Pings(server) as pings:
            crowd = [connect(server) for _ in range(count)]
            self.wait_for_clients(admin, IDLE)
            with connect(server) as s:
                self.assertEqual(until_closed(s), b"-ERR max number of clients reached\r\n")
            # Memory: less than a kilobyte each, by what the server counts, and half as much again
            # by the system.
            self.assertLess((field(admin, "used_memory") - before[0]) / count, 1000)
            self.assertLess(rss(server) - before[1], count * 1500 + 4 * MB)
            # A save beside them.
            admin.call("BGSAVE")
            eventually(lambda: not field(admin, "rdb_bgsave_in_progress"), what="the save")
            self.assertIn(b"rdb_last_bgsave_status:ok", admin.call("INFO", "persistence"))
            # What looks at all of them, and at each.
            numbers = re.findall(rb"^id=(\d+) ", admin.call("CLIENT", "LIST"), re.M)
            self.assertEqual(len(numbers), IDLE)
            crowd.pop().close()  # from here on somebody looks on
            count = len(crowd)
            self.wait_for_clients(admin, count + 2)
            self.assert_costs_less(5, server, lambda: [admin.call("CLIENT", "LIST") for _ in range(10)])
            self.assert_costs_less(5, server, lambda: admin.pipeline([["CLIENT", "UNBLOCK", n] for n in numbers]))
            self.assert_costs_less(5, server, lambda: admin.pipeline([["CLIENT", "KILL", "ID", 1 << 40]] * IDLE))
            # They idle: a second costs next to nothing.
            idle = cpu_seconds(server)
            time.sleep(2)
            self.assertLess(cpu_seconds(server) - idle, 1)
            # All have to wait, the newest leave first; the others go on.
            admin.call("CLIENT", "PAUSE", 1000000, "WRITE")
            for s in crowd:
                s.sendall(b"INCR n\r\n")
            eventually(lambda: field(admin, "blocked_clients") == count, what="all of them to wait")

            def half_leave():
                for s in crowd[:count // 2:-1]:
                    s.close()
                self.wait_for_clients(admin, count // 2 + 3)
            self.assert_costs_less(10, server, half_leave)
            admin.call("CLIENT", "UNPAUSE")
            eventually(lambda: admin.call("GET", "n") == b"%d" % (count // 2 + 1), what="their turn")
            # And all at once.
            self.assert_costs_less(5, server, lambda: [s.close() for s in crowd] and self.wait_for_clients(admin, 2))
        self.assert_served(pings)
        self.assertLess(field(admin, "used_memory"), before[0] + MB)


class NoDescriptors(AbuseTest):
    def limit(self, server, more):
        """So many descriptors more than those that are open now; None: as many as before."""
        if not hasattr(self, "old"):
            self.old = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        used = descriptors(server)
        most = self.old[0] if more is None else max(used) + 1
        if more is not None:
            holes = set(range(most)) - used
            most = sorted(holes)[more] if more < len(holes) else most + more - len(holes)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (most, self.old[1]))

    def answered(self, sockets):
        """Those that have been told something."""
        out = []
        for s in sockets:
            s.setblocking(False)
            try:
                if s.recv(100, socket.MSG_PEEK):
                    out.append(s)
            except BlockingIOError:
                pass
        return out

    def scene(self, server, connect_one):
        admin = server.client()
        admin.call("PING")  # it has been accepted
        self.limit(server, 3)
        waiting = []
        for _ in range(10):
            waiting.append(connect_one())
            waiting[-1].sendall(b"PING\r\n")
        eventually(lambda: len(self.answered(waiting)) == 3, what="those for whom there is room")
        eventually(lambda: "Accepting client connection: accept: Too many open files" in server.log(), what="its line")
        before, begin = cpu_seconds(server), time.monotonic()
        with_log = server.log().count("Accepting client connection")
        time.sleep(4)
        # The loop does not spin, and the log is not filled.
        self.assertLess(cpu_seconds(server) - before, (time.monotonic() - begin) / 4)
        self.assertLessEqual(server.log().count("Accepting client connection") - with_log, 1 + (time.monotonic() - begin) / 10)
        self.assertEqual(len(self.answered(waiting)), 3)
        self.assertEqual(admin.call("SET", "k", "v"), b"OK")  # who is in is served
        # Whoever leaves makes room for the next; and all come in when there is room for all.
        first = self.answered(waiting)[0]
        waiting.remove(first)
        first.close()
        eventually(lambda: len(self.answered(waiting)) == 3, what="the next one")
        self.limit(server, None)
        eventually(lambda: len(self.answered(waiting)) == 9, what="all of them")
        for s in waiting:
            s.close()
        self.wait_for_clients(admin, 1)

    def test_without_a_descriptor_connections_wait_and_the_loop_sleeps(self):
        server = self.start()
        self.scene(server, lambda: connect(server))

    def test_a_save_and_a_rewrite_without_a_descriptor_are_errors_and_come_back(self):
        config = os.path.join(self.dir, "conf")
        with open(config, "w") as f:
            f.write("save ''\n")
        server = resp.start_stillframe(self.dir, config)
        self.addCleanup(server.kill)
        with server.client() as admin:
            admin.call("PING")  # it has been accepted
            self.limit(server, 0)
            with self.assertRaises(resp.RespError):
                admin.call("SAVE")
            with self.assertRaisesRegex(resp.RespError, "Too many open files"):
                admin.call("CONFIG", "REWRITE")
            self.limit(server, None)
            self.assertEqual([admin.call("SAVE"), admin.call("CONFIG", "REWRITE")], [b"OK", b"OK"])


if __name__ == "__main__":
    unittest.main()
