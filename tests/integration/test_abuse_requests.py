#!/usr/bin/env python3
"""Bytes that are no requests, or such as claim what they do not bring: other protocols, damaged
requests, gigantic counts and lengths. The server answers as redis-server does, byte for byte, and
what is only claimed costs nothing.

Each input is sent on a connection of its own, and its end behind it: what comes back until the
server's end is the answer, whatever the pace. Forms one by one: test_protocol.py. TLS on the plain
port, and other protocols on the TLS port: test_tls.py.
"""
import os
import random
import socket
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from abuse import LONG, MB, AbuseTest, Pings, connect, eventually, field, rss, until_closed  # noqa: E402

SEED = int(os.environ.get("ABUSE_SEED", 18))
ROUNDS = 50000 if LONG else 2500

FOREIGN = {
    "HTTP": [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\nSET a b\r\nFLUSHALL\r\n",
             b"HEAD / HTTP/1.1\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\nSET a b\r\n", b"host: x\r\nSET a b\r\n", b"Post x\r\nSET a b\r\n",
             b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", b"CONNECT x:1 HTTP/1.1\r\n\r\n"],
    "TLS": [b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(range(180)), b"\x16\x03\x01\n\r\n", b"\x80\x2e\x01\x00\x02\x00\x15"],
    "SSH": [b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", b"SSH-2.0-x\n" + b"\0\0\1\4\5\x14" * 20],
    "SMTP": [b"EHLO example.org\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSET a b\r\n.\r\nQUIT\r\n"],
    "RDB": [b"REDIS0011\xfa\x09redis-ver\x055.0.1\xfe\x00\xfb\x01\x00\x00\x01k\x01v\xff" + b"\0" * 8, b"REDIS0010\r\nSET a b\r\n"],
    "others": [b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\3\0\0\0", b"\0\0\0\x85\xffSMBr" + b"\0" * 100, b"stats\r\nget a\r\n", b"\x80\0\0\0" * 20,
               b"AMQP\0\0\x09\x01", b"\0\0\0\x08\x04\xd2\x16\x2f", b"USER root\r\nPASS x\r\nSYST\r\n", b"HELP\r\n", b"\x1b[2J\x07\r\n",
               b"GIOP\1\2\1\0", b"JRMI\0\2K", b"OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm\r\n\r\n", b"\xff\xfb\x1f\xff\xfb\x20\r\n"],
}
NUMBERS = [b"0", b"1", b"-1", b"-0", b"+1", b"00", b"01", b"1 ", b" 1", b"1.0", b"1e3", b"0x10", b"", b"-", b"10", b"11", b"16384", b"16385", b"65536",
           b"536870912", b"536870913", b"1048576", b"1048577", b"2147483647", b"2147483648", b"-2147483648", b"-2147483649", b"4294967296",
           b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808", b"18446744073709551616", b"1" * 21, b"1" * 1000, b"nan", b"\xff",
           b"1\r", b"1\n"]


def answer(server, data):
    with connect(server) as s:
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it is closed already
        return until_closed(s)


class Requests(AbuseTest):
    @classmethod
    def setUpClass(cls):
        cls.maxDiff = None

    def same(self, servers, inputs):
        """The same answer to each."""
        for data in inputs:
            ours, theirs = (answer(s, data) for s in servers)
            if not (b"\0" in data and b"*" in data):  # Redis never finds the end of a header with a zero in it
                self.assertEqual(ours, theirs, repr(data[:300]))

    def assert_alive(self, servers, password=None):
        for server in servers:
            with server.client() as c:
                if password:
                    c.call("AUTH", password)
                self.assertEqual(c.call("PING"), b"PONG")
                eventually(lambda c=c: field(c, "connected_clients") == 1, what="the end of the others")

    # ---- other protocols ----

    def test_other_protocols_are_answered_as_by_redis(self):
        servers = self.start_both()
        for name, inputs in FOREIGN.items():
            self.same(servers, inputs)
            if name == "HTTP":  # what stands behind the first words of a browser is not executed
                for server in servers:
                    with server.client() as c:
                        self.assertEqual(c.call("DBSIZE"), 0)
            # In two pieces that come at once, and again and again on one connection.
            self.same(servers, [data * 3 for data in inputs] + [b"PING\r\n" + data for data in inputs])
        self.assert_alive(servers)
        for server in servers:
            self.assertIn("Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to ", server.log())

    # ---- damaged requests ----

    def commands(self, rng):
        words = rng.choice([["PING"], ["ECHO", "howdy"], ["SET", "k%d" % rng.randrange(5), "v" * rng.randrange(40)], ["GET", "k1"], ["MULTI"],
                            ["EXEC"], ["DISCARD"], ["LPUSH", "l", "a", "b"], ["LRANGE", "l", "0", "-1"], ["DEL", "l", "k1"],
                            ["EVAL", "return {KEYS[1],ARGV[1]}", "1", "k", "v"], ["HSET", "h", "f", "1"], ["HGETALL", "h"], ["APPEND", "k1", "x"],
                            ["ZADD", "z", "1", "m"], ["XADD", "s", "1-1", "a", "b"], ["SELECT", "1"], ["DBSIZE"],
                            ["CLIENT", "GETNAME"], ["RESET"], ["QUIT"], ["TYPE", "h"]])
        if rng.random() < 0.3:
            return (" ".join(words) + rng.choice(["\r\n", "\n", ""])).encode()
        return resp.pack(*words)

    def damaged(self, rng):
        """Requests with something wrong."""
        data = bytearray(b"".join(self.commands(rng) for _ in range(rng.randrange(1, 5))))
        for _ in range(rng.randrange(0, 4)):
            at = rng.randrange(len(data) + 1)
            kind = rng.random()
            if kind < 0.3 and at < len(data):
                data[at] = rng.choice([rng.randrange(256), *b"*$+-:0129\r\n\0\"' "])
            elif kind < 0.5:
                data[at:at] = rng.choice([b"\r\n", b"\r", b"\n", b"*", b"$", b"*3\r\n", b"$-1\r\n", b"\"", b"'", b"\\x", b"\0", rng.choice(NUMBERS)])
            elif kind < 0.7:
                del data[at:at + rng.choice([1, 1, 2, 5, 30])]
            elif kind < 0.8:
                del data[at:]
            elif kind < 0.9:
                data = data[at:] + data[:at]
            else:
                data[at:at] = data[:rng.randrange(len(data) + 1)]
            if not data:
                data += b"\r\n"
        return bytes(data)

    def test_damaged_requests_are_answered_as_by_redis(self):
        servers = self.start_both()
        rng = random.Random(SEED)
        self.same(servers, (self.damaged(rng) for _ in range(ROUNDS)))
        self.assert_alive(servers)

    def test_random_bytes_are_answered_as_by_redis(self):
        servers = self.start_both()
        rng = random.Random(SEED + 1)
        alphabets = [bytes(range(256)), b"*$0123456789-\r\n", b"\r\n\0 \"'\\x41", b"PINGpingSETset \r\n*$1234"]
        self.same(servers, (bytes(rng.choices(rng.choice(alphabets), k=rng.choice([1, 10, 100, 1000, 5000]))) for _ in range(ROUNDS // 5)))
        self.assert_alive(servers)

    def test_random_bytes_of_strangers_are_answered_as_by_redis(self):
        servers = self.start_both("--requirepass", "s3cret")
        rng = random.Random(SEED + 2)
        self.same(servers, (self.damaged(rng) for _ in range(ROUNDS // 5)))
        self.assert_alive(servers, "s3cret")

    # ---- gigantic numbers ----

    def test_counts_and_lengths_are_taken_and_refused_as_by_redis(self):
        headers = [b"*%b\r\n" % n for n in NUMBERS] + [b"*1\r\n$%b\r\n" % n for n in NUMBERS] + [b"*%b\r\n$4\r\nPING\r\n" % n for n in NUMBERS]
        headers += [b"*2\r\n$4\r\nECHO\r\n$%b\r\n%b\r\n" % (n, b"x") for n in NUMBERS] + [b"*1\r\n%b4\r\nPING\r\n" % c for c in (b"*", b":", b"+", b"%", b"\0")]
        lines = [b"x" * n + end for n in (65535, 65536, 65537, 70000) for end in (b"", b"\r\n", b"\n")]
        lines += [b"ECHO " + b"y" * n + b"\r\n" for n in (65520, 65530, 65540)]
        self.same(self.start_both(), headers + lines)
        self.same(self.start_both("--requirepass", "s3cret"), headers + lines)
        small = [b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % n + b"x" * min(n, 1 << 20) for n in (1 << 20, (1 << 20) + 1, 1 << 29)]
        self.same(self.start_both("--proto-max-bulk-len", "1mb"), small)

    def test_what_is_only_promised_is_no_memory(self):
        server = self.start()
        admin = server.client()
        before = field(admin, "used_memory"), rss(server)
        count = 1200 if LONG else 300
        crowd = []
        with Pings(server) as pings:
            for data in (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n", b"*2147483647\r\n", b"*1048576\r\n$536870912\r\nx", b"*2147483647\r\n$1\r\n",
                         b"*2\r\n$536870912\r\n", b"*2\r\n$4\r\nECHO\r\n$536870912\r\n" + b"x" * 1000):
                for _ in range(count // 6):
                    crowd.append(connect(server))
                    crowd[-1].sendall(data)
            eventually(lambda: field(admin, "total_net_input_bytes") > len(crowd) * 100 and field(admin, "connected_clients") == len(crowd) + 2,
                       what="what they send")
            self.assertLess(field(admin, "used_memory") - before[0], len(crowd) * 4096)
            self.assertLess(rss(server) - before[1], len(crowd) * 8192 + 8 * MB)
        self.assert_served(pings)
        self.assertEqual(len(crowd), count)

    def test_an_argument_that_never_ends_is_bounded_by_the_query_buffer_limit(self):
        server = self.start("--client-query-buffer-limit", "4mb")
        admin = server.client()
        before = field(admin, "used_memory")
        for data in (b"*2\r\n$4\r\nECHO\r\n$536870912\r\n", b"*1048576\r\n"):
            piece = b"x" * 65536 if b"ECHO" in data else b"$1\r\nx\r\n" * 8192
            worst = 0
            with connect(server) as s, self.assertRaises(ConnectionError):
                s.sendall(data)
                for _ in range(1000):
                    s.sendall(piece)
                    worst = max(worst, field(admin, "used_memory") - before)
            # The buffer grows by doubling; where an argument is, sixteen bytes say, and it has
            # seven at least.
            self.assertLess(worst, 8 * 4 * MB)
            eventually(lambda: field(admin, "used_memory") < before + MB, what="the memory")
        self.assertIn("Closing client that reached max query buffer length", server.log())


if __name__ == "__main__":
    unittest.main()
