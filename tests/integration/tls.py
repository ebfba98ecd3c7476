"""For the tests of TLS: certificates, made by the openssl program when a module's tests begin
(setUpModule), clients, and a server with both ports (Encrypted)."""
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

import resp

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

    def said(self, server, text, count=1):
        resp.wait_until(lambda: server.log().count(text) >= count, what="%r in the log" % text)

    def cannot_connect(self, port, using):
        """In TLS 1.3 a client hears with the first reply that its certificate was not liked."""
        with self.assertRaises((ssl.SSLError, OSError, EOFError)):
            with Tls(port, using) as c:
                c.call("PING")
