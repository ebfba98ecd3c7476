#!/usr/bin/env python3
"""Connections through TLS: certificates, options, everything that a client can do there, and what
others try.  Certificates are made by the openssl program when the tests begin; redis-server says
what a parameter may be."""
import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

QUICK = bool(os.environ.get("QUICK"))
MB = 1 << 20
CERTS = None  # a directory, by setUpModule()
PASSWORD = "open sesame"


def openssl(*words, **options):
    return subprocess.run(["openssl", *words], cwd=CERTS, check=True, capture_output=True, timeout=120, **options)


def make_certificate(name, ca, *more):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", name + ".key", "-out", name + ".csr",
            "-subj", "/CN=" + name)
    with open(os.path.join(CERTS, "names"), "w", encoding="ascii") as f:
        f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".crt", "-CAkey", ca + ".key", "-CAcreateserial", "-extfile", "names",
            "-out", name + ".crt", *(more or ("-days", "2")))


def setUpModule():
    global CERTS
    CERTS = tempfile.mkdtemp()
    for ca in ("ca", "other-ca"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", ca + ".key",
                "-out", ca + ".crt", "-days", "2", "-subj", "/CN=" + ca)
    for name, ca, *more in (("server", "ca"), ("second", "ca"), ("client", "ca"), ("foreign", "other-ca"), ("expired", "ca", "-days", "-1")):
        make_certificate(name, ca, *more)
    openssl("ec", "-in", "server.key", "-aes256", "-passout", "pass:" + PASSWORD, "-out", "locked.key")
    os.mkdir(path("trusted"))
    shutil.copy(path("ca.crt"), path("trusted"))
    openssl("rehash", "trusted")
    with open(path("dh.pem"), "wb") as f:  # a group that everybody knows: making one takes long
        f.write(openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "dh_param:ffdhe2048").stdout)


def tearDownModule():
    shutil.rmtree(CERTS)


def path(name):
    return os.path.join(CERTS, name)


def context(certificate="client", ca="ca", least=None, most=None, ciphers=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.load_verify_locations(path(ca + ".crt"))
    c.minimum_version, c.maximum_version = least or c.minimum_version, most or c.maximum_version
    if ciphers:
        c.set_ciphers(ciphers)
    if certificate:
        c.load_cert_chain(path(certificate + ".crt"), path(certificate + ".key"))
    return c


class Tls(resp.Client):
    """A connection through TLS."""

    def __init__(self, port, using=None, timeout=120, session=None, host="127.0.0.1"):
        raw = socket.create_connection((host, port), timeout=timeout)
        try:
            self.sock = (using or context()).wrap_socket(raw, server_hostname="localhost", session=session, suppress_ragged_eofs=False)
        except (OSError, ssl.SSLError):
            raw.close()
            raise
        self.buf = b""
        self.at = 0

    def common_name(self):
        """Whose certificate the server has shown."""
        return dict(pair for (pair,) in self.sock.getpeercert()["subject"])["commonName"]

    def is_told_of_the_end(self):
        """It ends as it should, not cut off; replies on the way are read over."""
        while self.sock.recv(1 << 16):
            pass
        return True


class ByHand:
    """A client whose records are made in memory, to be sent in any pieces."""

    def __init__(self, port):
        self.raw = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context().wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def step(self, call, *args, piece=1 << 16, pause=0):
        """Repeat call until it does not wait for the other side any more."""
        while True:
            try:
                result = call(*args)
            except ssl.SSLWantReadError:
                result = None
            data = self.outgoing.read()
            for i in range(0, len(data), piece):
                self.raw.sendall(data[i:i + piece])
                time.sleep(pause)
            if result is not None or call == self.object.do_handshake and self.object.version() and not data:
                return result
            got = self.raw.recv(1 << 16)
            if not got:
                raise EOFError
            self.incoming.write(got)

    def shake_hands(self, **options):
        def finish():
            self.object.do_handshake()
            return True
        self.step(finish, **options)

    def records(self, data):
        self.object.write(data)
        return self.outgoing.read()


class Encrypted(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def start(self, *args, program=resp.start_stillframe):
        """A server with both ports; .tls is the encrypted one."""
        for attempt in range(10):
            port = resp.free_port()
            try:
                server = program(tempfile.mkdtemp(dir=self.dir), "--save", "", "--tls-port", port, "--tls-cert-file", path("server.crt"),
                                 "--tls-key-file", path("server.key"), "--tls-ca-cert-file", path("ca.crt"), *args)
            except resp.StartError as e:
                if attempt == 9 or "in use" not in e.log:
                    raise
                continue
            server.tls = port
            self.addCleanup(server.kill)
            return server
        raise AssertionError("not reached")

    def refused(self, *args):
        done = subprocess.run([resp.STILLFRAME_SERVER, "--port", "0", "--tls-port", str(resp.free_port()), *args], cwd=self.dir, timeout=60,
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 1, args)
        return (done.stdout + done.stderr).decode()

    def said(self, server, text, count=1):
        resp.wait_until(lambda: server.log().count(text) >= count, what="%r in the log" % text)

    def cannot_connect(self, port, using):
        """In TLS 1.3 a client hears with the first reply that its certificate was not liked."""
        with self.assertRaises((ssl.SSLError, OSError, EOFError)):
            with Tls(port, using) as c:
                c.call("PING")

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

    def test_the_copy_of_the_data_is_refused_in_plain_words(self):
        with Tls(self.start().tls) as c:
            self.assertEqual(c.call("REPLCONF", "capa", "eof", "rdb-only", 1), b"OK")
            with self.assertRaisesRegex(resp.RespError, "not sent through TLS"):
                c.call("SYNC")
            self.assertEqual(c.call("PING"), b"PONG")

    def test_tools_of_redis(self):
        server = self.start()
        keys = ["--tls", "--cacert", path("ca.crt"), "--cert", path("client.crt"), "--key", path("client.key"), "-p", str(server.tls)]

        def tool(name, *words, **options):
            return subprocess.run([name, *keys, *words], capture_output=True, timeout=300, check=True, **options).stdout.decode()
        self.assertEqual(tool("redis-cli", "SET", "k", "v").strip(), "OK")
        self.assertEqual(tool("redis-cli", input=b"GET k\nINCR n\n").split(), ["v", "1"])
        said = tool("redis-benchmark", "-t", "set,get,lrange_600", "-n", "2000", "-c", "20", "-P", "4", "-q")
        self.assertEqual(len(re.findall(r"requests per second", said)), 4, said)
        copy = subprocess.run(["redis-cli", *keys, "--rdb", os.path.join(self.dir, "x.rdb")], capture_output=True, timeout=60, check=False)
        self.assertNotEqual(copy.returncode, 0)

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

    def test_a_slow_handshake_is_waited_for_and_a_silent_one_is_not(self):
        server = self.start()
        silent = socket.create_connection(("127.0.0.1", server.tls), timeout=120)
        begin = time.monotonic()
        slow = ByHand(server.tls)
        slow.shake_hands(piece=64, pause=0.02)
        slow.raw.sendall(slow.records(resp.pack("PING")))
        self.assertEqual(slow.step(slow.object.read, 100), b"+PONG\r\n")
        with server.client() as admin:
            self.assertEqual(len(admin.call("CLIENT", "LIST").split(b"\n")), 4)  # the silent one is one of them
            self.assertEqual(silent.recv(10), b"")
            self.assertGreater(time.monotonic() - begin, 9)
            self.said(server, "the handshake was not over in 10 seconds (addr=127.0.0.1:%d" % silent.getsockname()[1])
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

    # ---- certificates ----

    def test_who_has_to_show_a_certificate(self):
        server = self.start()
        none, foreign, expired = context(None), context("foreign"), context("expired")
        with server.client() as admin:
            for mode, refused in (("yes", (none, foreign, expired)), ("optional", (foreign, expired)), ("no", ())):
                admin.call("CONFIG", "SET", "tls-auth-clients", mode)
                for using in (context(), none, foreign, expired):
                    if using in refused:
                        self.cannot_connect(server.tls, using)
                    else:
                        with Tls(server.tls, using) as c:
                            self.assertEqual(c.call("PING"), b"PONG")
        for reason in ("peer did not return a certificate", "certificate verify failed: unable to get local issuer certificate",
                       "certificate verify failed: certificate has expired"):
            self.said(server, reason)

    def test_trusted_certificates_in_a_directory_and_a_key_with_a_password(self):
        server = self.start("--tls-ca-cert-file", "", "--tls-ca-cert-dir", path("trusted"), "--tls-key-file", path("locked.key"),
                            "--tls-key-file-pass", PASSWORD)
        with Tls(server.tls) as c:
            self.assertEqual(c.call("PING"), b"PONG")
            c.call("CONFIG", "SET", "slowlog-log-slower-than", 0, "tls-key-file-pass", PASSWORD)
            self.assertNotIn(PASSWORD.encode(), b" ".join(w for entry in c.call("SLOWLOG", "GET", -1) for w in entry[3]))
            with self.assertRaisesRegex(resp.RespError, "tls-key-file .*locked.key: "):
                c.call("CONFIG", "SET", "tls-key-file-pass", "wrong")
            with self.assertRaisesRegex(resp.RespError, "tls-key-file .*locked.key: "):
                c.call("CONFIG", "SET", "tls-key-file-pass", "")
            self.assertEqual(c.call("CONFIG", "GET", "tls-key-file-pass"), [b"tls-key-file-pass", PASSWORD.encode()])
        self.cannot_connect(server.tls, context("foreign"))

    def test_a_certificate_is_changed_beside_traffic(self):
        server = self.start()
        stop, errors, done = threading.Event(), [], [0]

        def traffic():
            try:
                with Tls(server.tls) as c:
                    while not stop.is_set():
                        for i in range(1, 101):
                            done[0] += 1
                            c.send("INCR", "n")
                        for i in range(100):
                            c.read(raising=True)
            except Exception as e:  # pylint: disable=broad-except
                errors.append(e)
        thread = threading.Thread(target=traffic)
        thread.start()
        old = Tls(server.tls)
        self.assertEqual(old.common_name(), "server")
        with server.client() as admin:
            for i in range(20):
                name = ("second", "server")[i % 2]
                admin.call("CONFIG", "SET", "tls-cert-file", path(name + ".crt"), "tls-key-file", path(name + ".key"))
                with Tls(server.tls) as c:
                    self.assertEqual(c.common_name(), name)
                with self.assertRaisesRegex(resp.RespError, "key values mismatch"):
                    admin.call("CONFIG", "SET", "tls-cert-file", path("client.crt"))
                with Tls(server.tls) as c:
                    self.assertEqual(c.common_name(), name)
            # The same names, other content.
            shutil.copy(path("server.crt"), os.path.join(self.dir, "live.crt"))
            shutil.copy(path("server.key"), os.path.join(self.dir, "live.key"))
            live = [os.path.join(self.dir, n) for n in ("live.crt", "live.key")]
            admin.call("CONFIG", "SET", "tls-cert-file", live[0], "tls-key-file", live[1])
            shutil.copy(path("second.crt"), live[0])
            shutil.copy(path("second.key"), live[1])
            with Tls(server.tls) as c:
                self.assertEqual(c.common_name(), "server")
            admin.call("CONFIG", "SET", "tls-cert-file", live[0])
            with Tls(server.tls) as c:
                self.assertEqual(c.common_name(), "second")
        self.assertEqual(old.call("PING"), b"PONG")
        stop.set()
        thread.join()
        self.assertEqual(errors, [])
        self.assertEqual(int(old.call("GET", "n")), done[0])

    # ---- parameters ----

    def test_what_cannot_be_used_stops_the_start(self):
        given = ["--tls-cert-file", path("server.crt"), "--tls-key-file", path("server.key"), "--tls-ca-cert-file", path("ca.crt")]
        for more, text in ((["--tls-cert-file", "/none"], "tls-cert-file /none: No such file or directory"),
                           (["--tls-cert-file", ""], "tls-cert-file: none is given"),
                           (["--tls-key-file", ""], "tls-key-file: none is given"),
                           (["--tls-key-file", path("client.key")], "key values mismatch"),
                           (["--tls-key-file", path("locked.key")], "tls-key-file " + path("locked.key")),
                           (["--tls-ca-cert-file", ""], "tls-auth-clients: "),
                           (["--tls-ca-cert-file", path("server.key")], "tls-ca-cert-file " + path("server.key")),
                           (["--tls-ca-cert-dir", "/none"], "tls-ca-cert-dir /none: No such file or directory"),
                           (["--tls-dh-params-file", path("ca.crt")], "tls-dh-params-file " + path("ca.crt")),
                           (["--tls-protocols", "TLSv1.2 SSLv3"], "TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3 are known"),
                           (["--tls-ciphers", "none"], "tls-ciphers none: no cipher match"),
                           (["--tls-ciphersuites", "none"], "tls-ciphersuites none: ")):
            self.assertIn("TLS cannot be configured: ", self.refused(*given, *more))
            self.assertIn(text, self.refused(*given, *more))

    def test_config_set_takes_and_refuses_what_redis_does(self):
        ours, theirs = self.start(), self.start(program=resp.start_redis_server)
        tries = [("tls-cert-file", "/none"), ("tls-cert-file", ""), ("tls-cert-file", path("second.crt")), ("tls-key-file", path("client.key")),
                 ("tls-cert-file", path("second.crt"), "tls-key-file", path("second.key")), ("tls-cert-file", path("second.crt")),
                 ("tls-ca-cert-file", ""), ("tls-ca-cert-file", path("other-ca.crt")), ("tls-ca-cert-file", path("server.key")),
                 ("tls-ca-cert-dir", path("trusted")), ("tls-ca-cert-file", ""), ("tls-auth-clients", "maybe"), ("tls-auth-clients", "optional"),
                 ("tls-protocols", "TLSv1.2"), ("tls-protocols", "tlsv1.3"), ("tls-protocols", "SSLv2"), ("tls-protocols", ""),
                 ("tls-ciphers", "DEFAULT"), ("tls-ciphers", "nothing"), ("tls-ciphers", ""), ("tls-ciphersuites", "TLS_AES_128_GCM_SHA256"),
                 ("tls-ciphersuites", "nothing"), ("tls-prefer-server-ciphers", "yes"), ("tls-prefer-server-ciphers", "1"),
                 ("tls-session-caching", "no"), ("tls-session-cache-size", "-1"), ("tls-session-cache-size", "10"),
                 ("tls-session-cache-timeout", "x"), ("tls-session-cache-timeout", "60"), ("tls-dh-params-file", "/none"),
                 ("tls-dh-params-file", path("dh.pem")), ("tls-port", "65536"), ("tls-port", "x"), ("maxmemory", "1mb", "tls-key-file", "/none"),
                 ("tls-key-file", path("server.key"), "tls-cert-file", path("server.crt"), "maxmemory", "x"),
                 ("tls-cluster", "no"), ("tls-replication", "no"), ("tls-client-cert-file", "")]
        a, b = ours.client(), theirs.client()
        for words in tries:
            said = [c.pipeline([("CONFIG", "SET", *words), ("CONFIG", "GET", "tls-c*"), ("CONFIG", "GET", "tls-[kpas]*"), ("CONFIG", "GET", "maxmemory")])
                    for c in (a, b)]
            for one in said:  # the reason behind it is ours
                one[0] = re.sub("Unable to update TLS configuration.*", "Unable to update", str(one[0]))
                for flat in one[1:3]:
                    pairs = dict(zip(flat[::2], flat[1::2]))
                    pairs.pop(b"tls-port", None)
                    flat[:] = [sorted(pairs.items())]
            self.assertEqual(said[0], said[1], words)
        for word in ("cert", "cluster", "replication", "auth", "protocols", "ciphers", "session", "dh", "prefer", "key", "ca"):
            get = [dict(zip(w[::2], w[1::2])) for w in (c.call("CONFIG", "GET", "tls-*%s*" % word) for c in (a, b))]
            self.assertEqual(get[0], get[1])

    def test_versions(self):
        server = self.start("--tls-protocols", "TLSv1.2")
        v12, v13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
        with server.client() as admin:
            for value, works, version in (("TLSv1.2", (v12,), "TLSv1.2"), ("TLSv1.3", (v13,), "TLSv1.3"), ("TLSv1.2 TLSv1.3", (v12, v13), "TLSv1.3"),
                                          ("", (v12, v13), "TLSv1.3")):
                admin.call("CONFIG", "SET", "tls-protocols", value)
                with Tls(server.tls) as c:
                    self.assertEqual(c.sock.version(), version)
                for v in (v12, v13):
                    if v in works:
                        with Tls(server.tls, context(least=v, most=v)) as c:
                            self.assertEqual(c.call("PING"), b"PONG")
                    else:
                        self.cannot_connect(server.tls, context(least=v, most=v))
        self.said(server, "unsupported protocol")

    def test_ciphers(self):
        server = self.start("--tls-protocols", "TLSv1.2", "--tls-ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256")
        ours, other = "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"
        theirs = context(ciphers=other + ":" + ours)
        with server.client() as admin:
            for value, name in (("no", other), ("yes", ours)):
                admin.call("CONFIG", "SET", "tls-prefer-server-ciphers", value)
                with Tls(server.tls, theirs) as c:
                    self.assertEqual(c.sock.cipher()[0], name)
            self.cannot_connect(server.tls, context(ciphers="ECDHE-ECDSA-CHACHA20-POLY1305"))
            admin.call("CONFIG", "SET", "tls-protocols", "", "tls-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256")
            with Tls(server.tls) as c:
                self.assertEqual(c.sock.cipher()[0], "TLS_CHACHA20_POLY1305_SHA256")
        # DHE needs parameters, and a certificate that signs with RSA.
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "rsa.key", "-out", "rsa.crt", "-days", "2", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost")
        using = context(ca="rsa", most=ssl.TLSVersion.TLSv1_2, ciphers="DHE-RSA-AES128-GCM-SHA256")
        with server.client() as admin:
            admin.call("CONFIG", "SET", "tls-ciphers", "", "tls-cert-file", path("rsa.crt"), "tls-key-file", path("rsa.key"))
            self.cannot_connect(server.tls, using)
            admin.call("CONFIG", "SET", "tls-dh-params-file", path("dh.pem"))
            with Tls(server.tls, using) as c:
                self.assertEqual(c.sock.cipher()[0], "DHE-RSA-AES128-GCM-SHA256")

    def is_taken_up_again(self, server, using):
        with Tls(server.tls, using) as c:
            c.call("PING")  # in TLS 1.3 the ticket comes behind the handshake
            session = c.sock.session
        with Tls(server.tls, using, session=session) as c:
            self.assertEqual(c.call("PING"), b"PONG")
            return c.sock.session_reused

    def test_sessions(self):
        server = self.start()
        old = context(most=ssl.TLSVersion.TLSv1_2)
        without_tickets = context(most=ssl.TLSVersion.TLSv1_2)
        without_tickets.options |= ssl.OP_NO_TICKET
        with server.client() as admin:
            for value in ("yes", "no", "yes"):
                admin.call("CONFIG", "SET", "tls-session-caching", value)
                for using in (context(), old, without_tickets):
                    self.assertEqual(self.is_taken_up_again(server, using), value == "yes", (value, using.maximum_version))
            # Of as many as are kept.
            admin.call("CONFIG", "SET", "tls-session-cache-size", 2)
            sessions = []
            for _ in range(4):
                with Tls(server.tls, without_tickets) as c:
                    sessions.append(c.sock.session)
            with Tls(server.tls, without_tickets, session=sessions[3]) as c:
                self.assertTrue(c.sock.session_reused)
            with Tls(server.tls, without_tickets, session=sessions[0]) as c:
                self.assertFalse(c.sock.session_reused)
            # For as long.
            admin.call("CONFIG", "SET", "tls-session-cache-timeout", 1)
            with Tls(server.tls, old) as c:
                session = c.sock.session
            time.sleep(3)
            with Tls(server.tls, old, session=session) as c:
                self.assertFalse(c.sock.session_reused)

    # ---- ports ----

    def test_ports_are_opened_closed_and_changed(self):
        server = self.start()
        with server.client() as admin:
            now = dict(line.split(":", 1) for line in admin.call("INFO", "server").decode().split("\r\n") if ":" in line)
            self.assertEqual(now["tcp_port"], str(server.port))
            self.assertEqual(now["listener0"], "name=tcp,bind=*,bind=-::*,port=%d" % server.port)
            self.assertEqual(now["listener1"], "name=tls,bind=*,bind=-::*,port=%d" % server.tls)
            stays = Tls(server.tls)
            admin.call("CONFIG", "SET", "tls-port", 0)
            with self.assertRaises(OSError):
                socket.create_connection(("127.0.0.1", server.tls), timeout=120)
            self.assertEqual(stays.call("PING"), b"PONG")
            # Nobody looks at certificates while there is no port, and then at once.
            admin.call("CONFIG", "SET", "tls-cert-file", "/none")
            with self.assertRaisesRegex(resp.RespError, "tls-cert-file /none: No such file"):
                admin.call("CONFIG", "SET", "tls-port", server.tls)
            admin.call("CONFIG", "SET", "tls-cert-file", path("server.crt"), "tls-port", server.tls)
            with Tls(server.tls) as c:
                self.assertEqual(c.call("PING"), b"PONG")
            with self.assertRaisesRegex(resp.RespError, "Unable to listen on this port"):
                admin.call("CONFIG", "SET", "tls-port", server.port)
            with Tls(server.tls) as c:
                admin.call("CONFIG", "SET", "bind", "127.0.0.1")
                c.call("CONFIG", "SET", "port", 0)
                self.assertIn(b"tcp_port:%d\r" % server.tls, c.call("INFO", "server"))
                self.assertIn(b"listener0:name=tls,bind=127.0.0.1,port=%d\r" % server.tls, c.call("INFO", "server"))
            with self.assertRaises(OSError):
                socket.create_connection(("127.0.0.1", server.port), timeout=120)
            with Tls(server.tls) as c:
                self.assertEqual(c.call("PING"), b"PONG")

    def test_the_configuration_is_written_and_read_back(self):
        server = self.start()
        conf, port = os.path.join(self.dir, "tls.conf"), server.tls
        with open(conf, "w", encoding="utf-8") as f:
            f.write("port 0\ntls-port %d\ntls-cert-file %s\ntls-key-file %s\ntls-auth-clients no\nsave \"\"\n" % (
                server.tls, path("server.crt"), path("server.key")))
        server.stop()
        for again in range(2):
            server = resp.Server([resp.STILLFRAME_SERVER, conf], self.dir, port)
            self.addCleanup(server.kill)
            self.said(server, "Ready to accept connections")
            self.assertIn("Running mode=standalone, port=%d." % server.port, server.log())
            with Tls(server.port, context(None)) as c:
                if not again:
                    c.call("CONFIG", "SET", "tls-protocols", "TLSv1.3", "tls-session-cache-size", 7)
                    self.assertEqual(c.call("CONFIG", "REWRITE"), b"OK")
                self.assertEqual(c.call("CONFIG", "GET", "tls-protocols"), [b"tls-protocols", b"TLSv1.3"])
                self.assertEqual(c.call("CONFIG", "GET", "tls-session-cache-size"), [b"tls-session-cache-size", b"7"])
            server.stop()

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
