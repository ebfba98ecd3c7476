#!/usr/bin/env python3
"""What clients do through TLS, what others try, and what both cost."""
import contextlib
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from tls import ByHand, Encrypted, Tls, context, path, setUpModule, tearDownModule  # noqa: E402

QUICK = bool(os.environ.get("QUICK"))
MB = 1 << 20
__all__ = ["setUpModule", "tearDownModule"]


class Connections(Encrypted):
    # ---- what a client does ----

    def test_values_of_all_sizes_come_back(self):
        server = self.start()
        sizes = [0, 1, 100, 16383, 16384, 16385, 65536, 300001, MB, 3 * MB] + ([] if QUICK else [64 * MB])
        with Tls(server.tls) as c, server.client() as plain:
            for n in sizes:
                value = (b"%08d" % n) * (n // 8 + 1)
                self.assertEqual(c.call("SET", "k", value[:n]), b"OK")
                self.assertTrue(plain.call("GET", "k") == value[:n], n)
                self.assertTrue(c.call("GET", "k") == value[:n], n)
                self.assertTrue(c.pipeline([["GET", "k"]] * 3 + [["STRLEN", "k"]]) == [value[:n]] * 3 + [n], n)

    def test_large_pipelines_are_answered_whole_to_whoever_writes_first_and_reads_then(self):
        server = self.start()
        count = 20000 if QUICK else 200000
        with Tls(server.tls) as c, server.client() as admin:
            c.send_raw(resp.pack("INCR", "n") * count)
            resp.wait_until(lambda: int(admin.call("GET", "n")) == count, what="all INCRs")
            self.assertEqual([c.read() for _ in range(count)], list(range(1, count + 1)))
            admin.call("SET", "v", b"x" * 300000)
            c.send_raw((resp.pack("GET", "v") + resp.pack("ECHO", "small")) * 100)
            for _ in range(100):
                self.assertEqual((len(c.read()), c.read()), (300000, b"small"))
            # What came with one record, and is more than is read at once.
            c.send_raw(resp.pack("SET", "w", b"y" * 65000) * 5 + resp.pack("PING"))
            self.assertEqual([c.read() for _ in range(6)], [b"OK"] * 5 + [b"PONG"])

    def test_messages_monitor_and_waiting_clients(self):
        server = self.start()
        with Tls(server.tls) as sub, Tls(server.tls) as monitor, Tls(server.tls) as blocked, server.client() as plain:
            sub.call("HELLO", 3)
            self.assertEqual(sub.call("SUBSCRIBE", "ch"), [b"subscribe", b"ch", 1])
            self.assertEqual(monitor.call("MONITOR"), b"OK")
            blocked.send_raw(resp.pack("BLPOP", "q", 0) + resp.pack("INCR", "n") * 5000)
            resp.wait_until(lambda: b"blocked_clients:1" in plain.call("INFO", "clients"))
            big = b"m" * 100000
            for i in range(50):
                plain.call("PUBLISH", "ch", big)
            for i in range(50):
                self.assertEqual(sub.read(), [b"message", b"ch", big])
            self.assertEqual(sub.call("PING"), b"PONG")
            plain.call("RPUSH", "q", "a")
            self.assertEqual(blocked.read(), [b"q", b"a"])
            self.assertEqual([blocked.read() for _ in range(5000)], list(range(1, 5001)))
            self.assertIn(b'"BLPOP" "q" "0"', monitor.read() + monitor.read() + monitor.read())

    def test_a_paused_client_goes_on_with_what_it_had_sent(self):
        server = self.start()
        with Tls(server.tls) as c, server.client() as admin:
            admin.call("CLIENT", "PAUSE", 100000, "WRITE")
            c.send_raw((resp.pack("SET", "k", b"z" * 60000) + resp.pack("INCR", "n")) * 20)
            resp.wait_until(lambda: b"cmd=set" in admin.call("CLIENT", "LIST") or b"flags=b" in admin.call("CLIENT", "LIST"))
            admin.call("CLIENT", "UNPAUSE")
            self.assertEqual([c.read() for _ in range(40)], [w for i in range(1, 21) for w in (b"OK", i)])

    def test_what_waited_is_run_in_portions_and_what_comes_meanwhile_is_read(self):
        server, count = self.start(), 50000 if QUICK else 200000
        with server.client() as admin, Tls(server.tls) as c:
            c.send_raw(resp.pack("CLIENT", "REPLY", "OFF") + resp.pack("BLPOP", "q", 0) + b"INCR n\r\n" * count)
            resp.wait_until(lambda: re.search(rb" qbuf=\d{6,} ", admin.call("CLIENT", "LIST")), what="its input")
            admin.call("RPUSH", "q", "x")
            c.send_raw(b"INCR n\r\n" * count)
            resp.wait_until(lambda: admin.call("GET", "n") == b"%d" % (2 * count), 60, what="all of them")
            c.send_raw(b"INCR n\r\nCLIENT REPLY ON\r\n")
            self.assertEqual([c.read(), admin.call("GET", "n")], [b"OK", b"%d" % (2 * count + 1)])

    def test_who_is_closed_is_told_so(self):
        server = self.start()
        with server.client() as admin:
            for words in (("QUIT",), ("CLIENT", "KILL", "ID", "own", "SKIPME", "no"), ("CLIENT", "KILL", "by another")):
                with Tls(server.tls) as c:
                    number = c.call("CLIENT", "ID")
                    if words[-1] == "by another":
                        admin.call("CLIENT", "KILL", "ID", number)
                    else:
                        c.send(*(number if w == "own" else w for w in words))
                    self.assertTrue(c.is_told_of_the_end(), words)
            c = Tls(server.tls)
            c.send_raw(b"*1\r\n$x\r\n")  # a protocol error
            self.assertTrue(c.is_told_of_the_end())
            c = Tls(server.tls)
            c.call("PING")
            with self.assertRaises(EOFError):
                admin.call("SHUTDOWN", "NOSAVE")
            self.assertTrue(c.is_told_of_the_end())
        self.assertEqual(server.wait(), 0)

    def test_the_end_that_a_client_says_is_heard(self):
        server = self.start()
        with server.client() as admin:
            for unwrap in (True, False):
                c = Tls(server.tls)
                c.call("SET", "k", "v")
                if unwrap:
                    c.sock.unwrap().close()
                else:
                    socket.socket.close(c.sock)
                resp.wait_until(lambda: len(admin.call("CLIENT", "LIST").split(b"\n")) == 2, what="one client left")

    def test_tools_of_redis(self):
        server = self.start()
        keys = ["--tls", "--cacert", path("ca.crt"), "--cert", path("client.crt"), "--key", path("client.key"), "-p", str(server.tls)]

        def tool(name, *words, **options):
            return subprocess.run([name, *keys, *words], capture_output=True, timeout=300, check=True, **options).stdout.decode()
        self.assertEqual(tool("redis-cli", "SET", "k", "v").strip(), "OK")
        self.assertEqual(tool("redis-cli", input=b"GET k\nINCR n\n").split(), ["v", "1"])
        said = tool("redis-benchmark", "-t", "set,get,lrange_600", "-n", "2000", "-c", "20", "-P", "4", "-q")
        self.assertEqual(len(re.findall(r"requests per second", said)), 4, said)

    # ---- records, and what goes wrong with them ----

    def test_records_may_come_in_any_pieces(self):
        server = self.start()
        by_hand = ByHand(server.tls)
        by_hand.shake_hands(piece=7)
        data = by_hand.records(resp.pack("SET", "k", b"v" * 5000) + resp.pack("GET", "k"))
        for i in range(0, len(data), 11):
            by_hand.raw.sendall(data[i:i + 11])
        want = b"+OK\r\n$5000\r\n" + b"v" * 5000 + b"\r\n"
        got = b""
        while len(got) < len(want):
            got += by_hand.step(by_hand.object.read, 1 << 16)
        self.assertEqual(got, want)
        with Tls(server.tls) as c:  # a record for each byte
            for byte in resp.pack("ECHO", "slowly"):
                c.send_raw(bytes([byte]))
            self.assertEqual(c.read(), b"slowly")

    def test_a_cut_record_executes_nothing_and_a_changed_one_ends_the_connection(self):
        server = self.start()
        with server.client() as admin:
            for change in ("cut", "flip", "junk"):
                by_hand = ByHand(server.tls)
                by_hand.shake_hands()
                data = bytearray(by_hand.records(resp.pack("SET", "evil", change)))
                if change == "cut":
                    del data[-5:]
                elif change == "flip":
                    data[-3] ^= 1
                else:
                    data = b"\xff" * 1000
                by_hand.raw.sendall(data)
                if change == "cut":
                    by_hand.raw.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError):
                    while by_hand.raw.recv(4096):
                        pass
                by_hand.raw.close()
                resp.wait_until(lambda: len(admin.call("CLIENT", "LIST").split(b"\n")) == 2, what="one client left")
                self.assertEqual(admin.call("EXISTS", "evil"), 0)
            with Tls(server.tls) as c:
                self.assertEqual(c.call("PING"), b"PONG")

    def s_client(self, server, *words):
        """The openssl program as a client: lines go in, what it prints comes out."""
        return subprocess.Popen(["openssl", "s_client", "-connect", "127.0.0.1:%d" % server.tls, "-CAfile", path("ca.crt"), "-cert",
                                 path("client.crt"), "-key", path("client.key"), "-crlf", *words],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def read_until(self, process, word):
        got = b""
        while word not in got:
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                break
            got += data
        return got

    def test_nothing_is_negotiated_anew_but_keys_may_be_changed(self):
        server = self.start()
        with self.s_client(server, "-tls1_2") as p:
            p.stdin.write(b"ECHO ready\n")
            p.stdin.flush()
            self.assertIn(b"$5\r\nready", self.read_until(p, b"\nready\r\n"))
            p.stdin.write(b"R\n")
            p.stdin.flush()
            self.assertIn(b"no renegotiation", self.read_until(p, b"no renegotiation"))
            p.kill()
        with self.s_client(server, "-tls1_3") as p:
            for line, word in ((b"ECHO ready\n", b"\nready\r\n"), (b"K\n", b"KEYUPDATE"), (b"ECHO after\n", b"\nafter\r\n")):
                p.stdin.write(line)
                p.stdin.flush()
                self.assertIn(word, self.read_until(p, word))
            p.kill()

    # ---- handshakes ----

    def test_who_speaks_no_tls_is_closed_and_logged(self):
        server = self.start()
        for data in (b"PING\r\n", b"GET / HTTP/1.0\r\n\r\n", resp.pack("SET", "a", "b"), b"\x16\x03\x01\xff\xff" + b"\0" * 100, b"\0" * 300):
            with socket.create_connection(("127.0.0.1", server.tls), timeout=120) as s:
                s.sendall(data)
                with contextlib.suppress(ConnectionError):
                    while s.recv(4096):
                        pass
        self.said(server, "Error accepting a client connection: ", 5)
        self.assertIn("wrong version number (addr=127.0.0.1:", server.log())
        with Tls(server.tls) as c:
            self.assertEqual(c.call("DBSIZE"), 0)

    def test_tls_on_the_plain_port_is_no_harm(self):
        server = self.start()
        with socket.create_connection(("127.0.0.1", server.port), timeout=120) as s:
            outgoing = ssl.MemoryBIO()
            with self.assertRaises(ssl.SSLWantReadError):
                context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
            s.sendall(outgoing.read())
            with server.client() as c:
                self.assertEqual(c.call("PING"), b"PONG")

    def test_lines_of_failed_handshakes_are_bounded(self):
        server = self.start()
        begin = time.monotonic()
        for _ in range(300):
            with socket.create_connection(("127.0.0.1", server.tls), timeout=120) as s:
                s.sendall(b"PING\r\n")
                with contextlib.suppress(ConnectionError):
                    s.recv(100)
        seconds = time.monotonic() - begin
        self.assertLessEqual(server.log().count("Error accepting"), 10 * (seconds + 2))
        time.sleep(1.1)  # the next second's lines
        self.cannot_connect(server.tls, context(certificate=None))
        self.said(server, "peer did not return a certificate")
        if seconds < 10:  # more than there were lines for
            self.assertRegex(server.log(), r"peer did not return a certificate \(addr=\S+ laddr=\S+\); \d+ more before it")

    def drip(self, sock):
        """A handshake of a byte now and then, which would take half a minute."""
        hello = ssl.MemoryBIO()
        with self.assertRaises(ssl.SSLWantReadError):
            context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost").do_handshake()

        def send():
            with contextlib.suppress(OSError):
                for byte in hello.read():
                    sock.sendall(bytes([byte]))
                    time.sleep(0.1)
        threading.Thread(target=send, daemon=True).start()

    def test_a_slow_handshake_is_waited_for_and_a_silent_or_endless_one_is_not(self):
        server = self.start()
        silent, endless = (socket.create_connection(("127.0.0.1", server.tls), timeout=120) for _ in range(2))
        begin = time.monotonic()
        self.drip(endless)
        slow = ByHand(server.tls)
        slow.shake_hands(piece=64, pause=0.02)
        slow.raw.sendall(slow.records(resp.pack("PING")))
        self.assertEqual(slow.step(slow.object.read, 100), b"+PONG\r\n")
        with server.client() as admin:
            self.assertEqual(len(admin.call("CLIENT", "LIST").split(b"\n")), 5)  # the other two are among them
            self.assertEqual(silent.recv(10), b"")
            with contextlib.suppress(ConnectionError):
                self.assertEqual(endless.recv(10), b"")
            self.assertGreater(time.monotonic() - begin, 9)
            self.said(server, "the handshake was not over in 10 seconds (addr=127.0.0.1:%d" % silent.getsockname()[1])
            self.said(server, "the handshake was not over in 10 seconds (addr=127.0.0.1:%d" % endless.getsockname()[1])
            self.assertEqual(len(admin.call("CLIENT", "LIST").split(b"\n")), 3)

    def test_silent_connections_do_not_keep_others_out(self):
        server = self.start("--maxclients", "20")
        silent = [socket.create_connection(("127.0.0.1", server.tls), timeout=120) for _ in range(14)]
        with server.client() as plain:  # for these there is room whatever the others do
            self.assertEqual(plain.call("PING"), b"PONG")
            self.assertLessEqual(len(plain.call("CLIENT", "LIST").strip().split(b"\n")), 11)
            with Tls(server.tls) as c:
                self.assertEqual(c.call("PING"), b"PONG")
        self.said(server, "the handshake gave way to that of another")
        for s in silent:
            s.close()

    def test_more_clients_than_there_may_be_are_closed(self):
        server = self.start("--maxclients", "3")
        clients = [Tls(server.tls) for _ in range(3)]
        self.assertEqual([c.call("PING") for c in clients], [b"PONG"] * 3)
        self.cannot_connect(server.tls, context())
        clients.pop().close()
        resp.wait_until(lambda: clients[0].call("CLIENT", "LIST").count(b"\n") == 2)
        with Tls(server.tls) as c:
            self.assertEqual(c.call("PING"), b"PONG")

    def test_protected_mode_answers_after_the_handshake(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.connect(("192.0.2.1", 9))
                own = s.getsockname()[0]
            except OSError:
                own = "127.0.0.1"
        if own.startswith("127."):
            self.skipTest("this machine has no address but its own")
        server = self.start("--bind", own, "127.0.0.1")
        with Tls(server.tls, host=own) as c:
            with self.assertRaisesRegex(resp.RespError, "DENIED"):
                c.read(raising=True)
            self.assertTrue(c.is_told_of_the_end())
        with server.client() as admin:
            self.assertIn(b"rejected_connections:1\r", admin.call("INFO", "stats"))
            admin.call("CONFIG", "SET", "protected-mode", "no")
            with Tls(server.tls, host=own) as c:
                self.assertEqual(c.call("PING"), b"PONG")

    # ---- memory ----

    def test_what_a_connection_takes_is_counted(self):
        server = self.start()

        def total(c, number):
            return int(re.search(rb"id=%d .* tot-mem=(\d+)" % number, c.call("CLIENT", "LIST")).group(1))
        with server.client() as admin:
            plain = server.client()
            c = Tls(server.tls)
            of_plain, of_tls = (total(admin, each.call("CLIENT", "ID")) for each in (plain, c))
            self.assertGreater(of_tls, of_plain + 4000)
            # Half a record is kept.
            by_hand = ByHand(server.tls)
            by_hand.shake_hands()
            by_hand.raw.sendall(by_hand.records(resp.pack("CLIENT", "ID")))
            number = int(by_hand.step(by_hand.object.read, 100)[1:])
            idle = total(admin, number)
            by_hand.raw.sendall(by_hand.records(b"*1\r\n$16000\r\n" + b"x" * 10000)[:9000])
            resp.wait_until(lambda: total(admin, number) >= idle + 9000, what="the half record to be counted")
            by_hand.raw.close()
            many = [Tls(server.tls) for _ in range(30)]
            for each in many:
                each.call("PING")
            admin.call("CLIENT", "NO-EVICT", "ON")
            admin.call("CONFIG", "SET", "maxmemory-clients", "100kb")
            resp.wait_until(lambda: int(re.search(rb"evicted_clients:(\d+)", admin.call("INFO", "stats")).group(1)) >= 20)
            for each in many:
                each.close()

    def test_connections_that_come_and_go_leave_nothing(self):
        server = self.start()

        def rounds(n):
            for _ in range(n):
                with Tls(server.tls, using) as c:
                    c.call("PING")
            return int(re.search(rb"used_memory:(\d+)", admin.call("INFO", "memory")).group(1))
        using = context()
        with server.client() as admin:
            first = rounds(100)
            self.assertLess(rounds(100 if QUICK else 1000), first + MB)

    # ---- builds ----

    @unittest.skipUnless(os.environ.get("STILLFRAME_FLAVOUR", "release") == "release", "of the release build")
    def test_under_a_filter_that_kills_on_fork_and_exec(self):
        preload = os.path.join(resp.ROOT, "build", "tests", "integration", "seccomp_preload.so")
        os.environ["LD_PRELOAD"] = preload
        try:
            server = self.start()
        finally:
            del os.environ["LD_PRELOAD"]
        with Tls(server.tls) as c:
            c.call("CONFIG", "SET", "tls-cert-file", path("server.crt"))
            self.assertEqual(c.call("PING"), b"PONG")
        self.assertEqual(server.stop(), 0)

    @unittest.skipUnless(os.environ.get("STILLFRAME_FLAVOUR", "release") == "release", "of the release build")
    def test_a_server_without_tls_says_so(self):
        program = os.path.join(resp.ROOT, "build", "plain", "stillframe-server")
        if not os.path.exists(program):
            self.skipTest("make FLAVOUR=plain: it is not built")
        for words in (("tls-port", "6380"), ("tls-cert-file", "x"), ("tls-auth-clients", "no"), ("tls-protocols", "TLSv1.3")):
            done = subprocess.run([program, "--port", "0", "--" + words[0], words[1]], cwd=self.dir, capture_output=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"This server was built without TLS", done.stderr)
        server = resp.start(program, self.dir, ("--save", "", "--tls-port", "0", "--tls-auth-clients", "yes"))
        self.addCleanup(server.kill)
        with server.client() as c:
            with self.assertRaisesRegex(resp.RespError, "CONFIG SET failed .*'tls-port'.* This server was built without TLS"):
                c.call("CONFIG", "SET", "tls-port", 7000)
            self.assertEqual(c.call("CONFIG", "GET", "tls-port"), [b"tls-port", b"0"])
        linked = subprocess.run(["ldd", program], capture_output=True, check=True).stdout
        self.assertNotIn(b"libssl", linked)


if __name__ == "__main__":
    unittest.main()
