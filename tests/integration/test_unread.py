#!/usr/bin/env python3
"""Replies that nobody has read yet: clients that send their whole pipeline before they read
anything, as most client libraries do. The server goes on reading and running, as Redis does; what
bounds the replies are the limits for output.

What is compared is whether a client lives, and what it gets; where the limits are Redis's own, with
redis-server beside.
"""
import os
import random
import re
import shutil
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_maxmemory import field  # noqa: E402

MB = 1 << 20
QUICK = os.environ.get("QUICK") == "1"


def fate(server, commands, count=1, read=True):
    """What becomes of a client that sends these so many times: "closed", or "lives"."""
    with server.client() as c:
        try:
            c.send_raw(b"".join(resp.pack(*w.split()) for w in commands) * count)
            if not read:
                time.sleep(0.2)
                with server.client() as other:
                    c.sock.setblocking(False)
                    return "lives" if ("addr=127.0.0.1:%d " % c.sock.getsockname()[1]).encode() in other.call(
                        "CLIENT", "LIST") else "closed"
            for _ in range(len(commands) * count):
                c.read()
            return "lives"
        except (EOFError, ConnectionError):
            return "closed"


class Unread(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def start(self, *args, start=resp.start_stillframe):
        directory = tempfile.mkdtemp(dir=self.dir)
        server = start(directory, "--save", "", "--unixsocket", os.path.join(directory, "sock"), *args)
        self.addCleanup(server.kill)
        return server

    def both(self, *args):
        return [self.start(*args, start=start) for start in (resp.start_stillframe, resp.start_redis_server)]

    def client_bytes(self, admin):
        return int(field(admin, "memory", "mem_clients_normal"))

    def test_two_million_commands_run_before_one_reply_is_read(self):
        batches = 5 if QUICK else 20
        server = self.start()
        admin = server.client()
        empty = self.client_bytes(admin)
        for connect in (server.client, lambda: resp.Client(path=os.path.join(server.dir, "sock"))):
            admin.call("DEL", "n")
            with connect() as c:
                c.sock.settimeout(120)
                for _ in range(batches):
                    c.send_raw(resp.pack("INCR", "n") * 100000)
                resp.wait_until(lambda: int(admin.call("GET", "n")) == batches * 100000, what="all INCRs")
                held = self.client_bytes(admin)
                if not QUICK:
                    self.assertGreater(held, 8 * MB)
                self.assertLess(held, 24 * MB)  # 18.9 MB of replies, less what the sockets hold
                for first in range(1, batches * 100000, 100000):
                    self.assertEqual([c.read() for _ in range(100000)], list(range(first, first + 100000)))
                    # What is sent goes: memory follows what is still to be read.
                    self.assertLess(self.client_bytes(admin), held - held // batches * (first // 100000) + MB)
        resp.wait_until(lambda: self.client_bytes(admin) < empty + 64 * 1024, what="the memory of clients")

    def test_large_pipelines_are_answered_whole_to_whoever_writes_first_and_reads_then(self):
        server = self.start()
        admin = server.client()
        admin.pipeline([["SET", "v:%d" % i, bytes([65 + i]) * n] for i, n in enumerate((10, 1000, 20000, 70000, 300000, 3 * MB))])
        admin.pipeline([["RPUSH", "l"] + ["element:%06d" % i for i in range(first, first + 500)] for first in range(0, 5000, 500)])
        sizes = [10, 1000, 20000, 70000, 300000, 3 * MB]
        order = [i % 4 for i in range(4000)] + [5, 4, 0, 5, 3, 4, 1, 5]
        for connect in (server.client, lambda: resp.Client(path=os.path.join(server.dir, "sock"))):
            with connect() as c:
                c.send_raw(b"".join(resp.pack("GET", "v:%d" % i) for i in order) + resp.pack("LRANGE", "l", 0, -1) * 100 +
                           resp.pack("SCAN", 0) + resp.pack("MULTI") + resp.pack("GET", "v:5") + resp.pack("LRANGE", "l", 0, -1) +
                           resp.pack("EXEC") + resp.pack("GET", "v:5") + resp.pack("QUIT"))
                for i in order:
                    value = c.read()
                    self.assertEqual((len(value), value[:1], value[-1:]), (sizes[i], bytes([65 + i]), bytes([65 + i])))
                elements = [b"element:%06d" % i for i in range(5000)]
                for _ in range(100):
                    self.assertEqual(c.read(), elements)
                self.assertEqual(len(c.read()[1]), 7)
                self.assertEqual([c.read() for _ in range(3)], [b"OK", b"QUEUED", b"QUEUED"])
                value, listed = c.read()
                self.assertEqual((len(value), listed), (3 * MB, elements))
                self.assertEqual([len(c.read()), c.read()], [3 * MB, b"OK"])
                with self.assertRaises(EOFError):
                    c.read()

    def test_a_blocked_client_is_read_on(self):
        count = 200000
        for server in self.both():
            with resp.Client(path=os.path.join(server.dir, "sock"), timeout=20) as c, server.client() as other:
                c.send_raw(resp.pack("BLPOP", "q", 0) + resp.pack("INCR", "n") * count)
                other.call("RPUSH", "q", "x")
                self.assertEqual(c.read(), [b"q", b"x"])
                self.assertEqual([c.read() for _ in range(count)], list(range(1, count + 1)))
        server = self.start("--client-query-buffer-limit", "1mb")
        with server.client(timeout=20) as c, server.client() as other:
            with self.assertRaises((EOFError, ConnectionError)):
                c.send_raw(resp.pack("BLPOP", "q", 0) + resp.pack("INCR", "n") * count)
                c.read()
            self.assertEqual(other.call("EXISTS", "n"), 0)
            self.assertIn("max query buffer length", server.log())

    def test_a_client_that_a_pause_holds_is_read_on_and_its_end_is_noticed(self):
        count, out = 200000, []
        for server in self.both():
            with resp.Client(path=os.path.join(server.dir, "sock"), timeout=20) as c, server.client() as other:
                other.call("CLIENT", "PAUSE", "100000", "WRITE")
                c.send_raw(resp.pack("INCR", "n") * count)
                other.call("CLIENT", "UNPAUSE")
                self.assertEqual([c.read() for _ in range(count)], list(range(1, count + 1)))
                other.call("CLIENT", "PAUSE", "100000", "WRITE")
                gone = server.client()
                gone.send("SET", "gone", "1")
                resp.wait_until(lambda: field(other, "clients", "blocked_clients") == "1", what="its wait")
                gone.close()
                resp.wait_until(lambda: field(other, "clients", "blocked_clients") == "0", what="its end")
                other.call("CLIENT", "UNPAUSE")
                out.append(other.call("EXISTS", "gone"))
        self.assertEqual(out, [0, 0])

    def test_others_are_served_while_one_does_not_read(self):
        server = self.start()
        c, other = server.client(), server.client()
        c.call("SET", "v", "x" * 100000)
        done = threading.Event()

        def flood():
            with server.client() as lazy:
                lazy.send_raw(resp.pack("GET", "v") * 3000)
                done.wait(60)
        thread = threading.Thread(target=flood)
        thread.start()
        slowest = 0
        for _ in range(300):
            begin = time.monotonic()
            other.call("PING")
            slowest = max(slowest, time.monotonic() - begin)
        done.set()
        thread.join()
        self.assertLess(slowest, 1)

    def test_limits_are_looked_at_whenever_output_grows(self):
        out = []
        for server in self.both("--client-output-buffer-limit", "normal", "100000", "0", "0"):
            admin = server.client()
            admin.pipeline([["MSET"] + [w for i in range(first, first + 500) for w in ("key:%06d" % i, "v")]
                            for first in range(0, 6500, 500)])
            admin.call("SET", "v", "x" * 2000)
            admin.call("SET", "large", "x" * 1000000)
            admin.call("RPUSH", "l", *["x" * 100] * 500)
            one = [fate(server, [words]) for words in ("KEYS *", "KEYS key:00000*", "GET large", "LRANGE l 0 -1", "MGET" + " v" * 30,
                                                       "MGET" + " v" * 80)]
            many = [fate(server, ["GET v"], count=20000), fate(server, ["PING"], count=10), fate(server, ["GET v"], 20000, read=False)]
            admin.call("CONFIG", "SET", "client-output-buffer-limit", "normal 1000 0 0")
            small = [fate(server, [words]) for words in ("GET v", "LRANGE l 0 10", "LRANGE l 0 -1")]
            admin.call("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")
            unlimited = [fate(server, ["KEYS *"]), fate(server, ["GET v"], count=2000)]
            out.append((one, many, small, unlimited))
        self.assertEqual(*out)
        self.assertEqual(out[0][0][0], "closed")

    def test_a_limit_that_is_set_later_holds_for_those_who_are_beyond_it(self):
        out = []
        for server in self.both("--client-output-buffer-limit", "normal", "0", "0", "0", "--client-output-buffer-limit",
                                "pubsub", "0", "0", "0"):
            admin, c = server.client(), server.client()
            admin.call("SET", "v", "x" * 100000)
            c.send_raw(resp.pack("GET", "v") * 300)
            resp.wait_until(lambda: int(field(admin, "memory", "mem_clients_normal")) > 10 * MB, what="the queue")
            admin.call("CONFIG", "SET", "client-output-buffer-limit", "normal 5mb 0 0")
            resp.wait_until(lambda: admin.call("CLIENT", "LIST").count(b"\n") == 1, what="its end")
            out.append("closed")
        self.assertEqual(*out)

    def test_a_soft_limit_gives_time(self):
        server = self.start("--client-output-buffer-limit", "normal", "0", "1mb", "1")
        admin = server.client()
        admin.call("SET", "v", "x" * 100000)
        c = server.client()
        c.send_raw(resp.pack("GET", "v") * 200)
        time.sleep(0.3)
        self.assertEqual(admin.call("CLIENT", "LIST").count(b"\n"), 2)
        resp.wait_until(lambda: admin.call("CLIENT", "LIST").count(b"\n") == 1, seconds=10, what="its end")
        self.assertIn("overcoming of output buffer limits", server.log())

    def test_subscribers_who_do_not_read_are_closed_at_their_limit(self):
        for limit in (50000, 10 * MB):
            server = self.start("--client-output-buffer-limit", "pubsub", str(limit), "0", "0")
            admin, slow = server.client(), server.client()
            slow.call("SUBSCRIBE", "c")
            sent = 0
            while admin.call("PUBLISH", "c", "x" * 10000) == 1 and sent < 64 * MB:
                sent += 10000
                self.assertLess(self.client_bytes(admin) , limit + MB)
            self.assertLess(sent, 32 * MB)

    def test_what_is_shown_of_a_client_that_does_not_read(self):
        server = self.start()
        admin, c = server.client(), server.client()
        admin.call("SET", "v", "x" * 100000)
        own = c.call("CLIENT", "ID")
        c.send_raw(resp.pack("GET", "v") * 200)
        pending = 200 * 100000

        def line():
            text = admin.call("CLIENT", "LIST", "ID", own).decode()
            return {k: int(v) for k, v in re.findall(r" (obl|oll|omem|tot-mem)=(\d+)", text)}
        resp.wait_until(lambda: line()["omem"] > pending - 8 * MB, what="the queue")
        self.assertLess(line()["omem"], pending + MB)
        self.assertGreater(line()["oll"], 50)
        self.assertGreaterEqual(line()["tot-mem"], line()["omem"])
        self.assertGreater(int(field(admin, "clients", "client_recent_max_output_buffer")), pending - 8 * MB)
        self.assertGreater(self.client_bytes(admin), pending - 8 * MB)
        self.assertGreater(int(field(admin, "memory", "used_memory")), pending - 8 * MB)
        c.close()
        resp.wait_until(lambda: int(field(admin, "memory", "used_memory")) < 8 * MB, what="the memory")

    def test_memory_that_is_lent_is_nobodys(self):
        server = self.start()
        admin, c = server.client(), server.client()

        def used():
            return int(field(admin, "memory", "used_memory"))
        warm = [["SET", "v", "x" * 300000], ["GET", "v"], ["MGET", "v"], ["DEL", "v"], ["COMMAND"]]
        c.pipeline(warm[:1] + [["DEL", "v"]])
        c.pipeline([["MGET", "v"], ["GET", "v"], ["COMMAND", "COUNT"]])  # each command's statistics take room once
        before = used()
        for commands in (warm, [["SET", "w", "x" * 1000]] + [["GET", "w"]] * 3000 + [["DEL", "w"]], [["COMMAND"]] * 3,
                         [["SET", "v", "x" * 200000]] + [["MGET", "v", "v", "v"]] * 20 + [["DEL", "v"]]):
            c.pipeline(commands)
            self.assertLess(abs(used() - before), 40000)  # COMMAND's own statistics among it

    def test_a_header_is_no_memory(self):
        server = self.start("--maxmemory-policy", "allkeys-lru")
        admin = server.client()
        admin.pipeline([["SET", "key:%04d" % i, "x" * 1000] for i in range(1000)])
        admin.call("CONFIG", "SET", "maxmemory", int(field(admin, "memory", "used_memory")) + MB // 2)
        strangers = [server.client() for _ in range(200)]
        for i, c in enumerate(strangers):
            c.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n" + b"x" * (i % 5))
        time.sleep(0.5)  # memory is looked at ten times a second
        admin.call("PING")
        self.assertEqual(admin.call("DBSIZE"), 1000)
        self.assertLess(self.client_bytes(admin), 300 * 1024)

    def test_half_a_command_is_shown_as_by_redis(self):
        out = []
        for server in self.both():
            with server.client() as admin:
                shown = []
                for sent in (b"*3\r\n$3\r\nSET\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nabc", b"*3\r\n$3\r\nSE",
                             b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n" + b"x" * 70000, b"GET a", b"*3\r\n$3\r\nSET\r\n$5",
                             b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$4\r\nECHO\r\n$10\r\n1234"):
                    with server.client() as c:
                        own = c.call("CLIENT", "ID")
                        c.send_raw(sent)
                        time.sleep(0.05)
                        line = admin.call("CLIENT", "LIST", "ID", own).decode()
                        shown.append((sent[:40], re.search(r"qbuf=(\d+)", line)[1], re.search(r"argv-mem=(\d+)", line)[1]))
            out.append(shown)
        self.assertEqual(*out)

    def test_maxmemory_sees_replies_as_they_are_made(self):
        """Twenty clients with two MGETs of all keys, unread: each command sees what the replies
        before it hold, and a few keys go for them; they do not all go at once for what all of them
        together need."""
        server = self.start("--maxmemory-policy", "allkeys-lru")
        admin = server.client()
        admin.pipeline([["SET", "key:%02d" % i, "x" * 100000] for i in range(50)])
        admin.call("CONFIG", "SET", "maxmemory", int(field(admin, "memory", "used_memory")) + 20 * MB)
        lazy = [server.client() for _ in range(20)]
        for c in lazy:
            for _ in range(2):  # the system takes up to 4 MB of what a client does not read
                c.send("MGET", *["key:%02d" % i for i in range(50)])
        resp.wait_until(lambda: b"cmdstat_mget:calls=40," in admin.call("INFO", "commandstats"), what="the MGETs")
        time.sleep(0.3)  # whatever is done in the background
        self.assertLess(admin.call("DBSIZE"), 50)
        self.assertGreater(admin.call("DBSIZE"), 5)  # how many depends on what the system takes

    WORDS = [["GET", "v:0"], ["GET", "v:2"], ["GET", "v:4"], ["GET", "v:5"], ["LRANGE", "l", 0, -1], ["KEYS", "*"], ["MGET", "v:3", "v:4", "v:2"],
             ["PING"], ["SUBSCRIBE", "c"], ["UNSUBSCRIBE"], ["RESET"], ["PUBLISH", "c", "m"], ["PUBLISH", "c", "m" * 70000],
             ["CLIENT", "REPLY", "ON"], ["CLIENT", "REPLY", "OFF"], ["CLIENT", "REPLY", "SKIP"], ["MULTI"], ["EXEC"], ["DISCARD"],
             ["BLPOP", "q", "0.02"], ["RPUSH", "q", "1"], ["SCAN", "0", "COUNT", "500"], ["SET", "v:1", "y" * 20000], ["COMMAND"],
             ["CLIENT", "LIST"], ["FOO"], ["GET"], ["HELLO", "2"], ["HELLO", "3"], ["XREAD", "BLOCK", "20", "STREAMS", "st", "$"],
             ["XADD", "st", "MAXLEN", "5", "*", "f", "v"], ["WAIT", "1", "10"], ["MONITOR"], ["QUIT"]]

    def trouble(self, rng, admin, client):
        """One step of a client that sends in odd pieces, reads when it likes, and may be gone."""
        dice = rng.random()
        if dice < 0.5:
            if len(client.unsent) < 1 << 20:
                client.unsent += b"".join(resp.pack(*rng.choice(self.WORDS)) for _ in range(rng.randrange(1, 60)))
            client.unsent = client.unsent[client.sock.send(client.unsent[:rng.choice([1, 100, 5000, 65536, MB])]):]
        elif dice < 0.85:
            for _ in range(rng.randrange(1, 20)):
                if not client.sock.recv(rng.choice([100, 5000, 1 << 18])):
                    raise ConnectionError
        elif dice < 0.88:
            raise ConnectionError
        elif dice < 0.90:
            admin.call("CLIENT", "PAUSE", rng.choice(["1", "20"]), rng.choice(["WRITE", "ALL"]))
        elif dice < 0.93:
            admin.call("CONFIG", "SET", "client-output-buffer-limit", "normal %s 0 0" % rng.choice(["0", "0", "1mb", "100000"]))
        elif dice < 0.96:
            admin.call("CONFIG", "SET", "maxmemory-clients", rng.choice(["0", "0", "20mb"]))
        else:
            admin.call("PUBLISH", "c", "z" * rng.choice([10, 5000, 200000]))

    def test_what_follows_a_quit_is_in_no_figure(self):
        """A client that leaves its replies unread and has begun another command behind QUIT."""
        admin = self.start().client()
        admin.call("SET", "k", "x" * 5000000)
        lazy = resp.Client(admin.sock.getpeername()[1])
        lazy.sock.sendall(resp.pack("CLIENT", "SETNAME", "lazy") + resp.pack("GET", "k") * 5 + resp.pack("QUIT") +
                          b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nab")
        resp.wait_until(lambda: re.search(r".* name=lazy .* cmd=quit .*", admin.call("CLIENT", "LIST").decode()),
                        what="QUIT")
        line = re.search(r".* name=lazy .*", admin.call("CLIENT", "LIST").decode())[0]
        self.assertIn(" qbuf=0 ", line)
        lazy.close()

    def test_nothing_is_left_of_clients_that_make_trouble(self):
        seed = int(os.environ.get("TROUBLE_SEED", random.SystemRandom().randrange(1 << 32)))
        rng = random.Random(seed)
        server = self.start()
        admin = server.client()
        admin.call("CLIENT", "NO-EVICT", "ON")
        admin.pipeline([["SET", "v:%d" % i, "x" * n] for i, n in enumerate((5, 500, 5000, 60000, 66000, 300000))])
        admin.pipeline([["RPUSH", "l"] + ["e%d" % i for i in range(3000)]])
        before = self.client_bytes(admin)
        clients = []
        end = time.monotonic() + (3 if QUICK else 6)
        while time.monotonic() < end:
            if len(clients) < 30:
                path = os.path.join(server.dir, "sock")
                clients.append(resp.Client(path=path) if rng.random() < 0.4 else server.client())
                clients[-1].sock.setblocking(False)
                clients[-1].unsent = b""
            c = rng.choice(clients)
            try:
                self.trouble(rng, admin, c)
            except BlockingIOError:
                pass
            except ConnectionError:
                c.close()
                clients.remove(c)
        for c in clients:
            c.close()
        self.assertTrue(server.is_running(), "TROUBLE_SEED=%d" % seed)
        resp.wait_until(lambda: field(admin, "clients", "connected_clients") == "1", what="the end of all, TROUBLE_SEED=%d" % seed)
        self.assertLess(self.client_bytes(admin), before + 64 * 1024)
        self.assertEqual(field(admin, "clients", "blocked_clients"), "0")
        self.assertEqual(admin.call("ECHO", "alive"), b"alive")


if __name__ == "__main__":
    unittest.main()
