#!/usr/bin/env python3
"""The parameters of TLS: what they do, what is refused (redis-server says what), and changes beside
traffic."""
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from tls import PASSWORD, Encrypted, Tls, context, openssl, path, setUpModule, tearDownModule  # noqa: E402

__all__ = ["setUpModule", "tearDownModule"]


class Parameters(Encrypted):
    def refused(self, *args):
        done = subprocess.run([resp.STILLFRAME_SERVER, "--port", "0", "--tls-port", str(resp.free_port()), *args], cwd=self.dir, timeout=60,
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 1, args)
        return (done.stdout + done.stderr).decode()

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
                           (["--tls-key-file", path("locked.key")], path("locked.key") + ": it has a password: tls-key-file-pass"),
                           (["--tls-key-file", path("locked.key"), "--tls-key-file-pass", "no"], ": tls-key-file-pass is not its password"),
                           (["--tls-key-file", path("server.crt")], path("server.crt") + ": there is no private key in PEM in it"),
                           (["--tls-cert-file", path("server.key")], path("server.key") + ": there is no certificate in PEM in it"),
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


if __name__ == "__main__":
    unittest.main()
