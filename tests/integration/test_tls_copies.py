#!/usr/bin/env python3
"""A copy of the data through TLS: redis-cli --rdb, and readers that are slow, dead or several.  The
same without TLS: test_save_stream.py.
"""
import os
import ssl
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_save_stream import VALUE, Reader, Talk, connect, info  # noqa: E402
from tls import Encrypted, Tls, context, path, setUpModule, tearDownModule  # noqa: E402

__all__ = ["setUpModule", "tearDownModule"]

KEYS = 40000  # 20 MB: more than all that is on the way holds


class TlsReader(Reader):
    def connect(self, server, room):
        return context().wrap_socket(connect(server.tls, room), server_hostname="localhost", suppress_ragged_eofs=False)

    def is_cut_off(self):
        try:
            return super().is_cut_off()
        except ssl.SSLError:
            return True


class Copies(Talk, Encrypted):
    READER = TlsReader

    def begin(self, *args, keys=KEYS):
        server = self.start("--enable-debug-command", "yes", "--rdbcompression", "no", "--repl-diskless-sync-delay", "0", *args)
        c = server.client()
        self.addCleanup(c.close)
        c.call("DEBUG", "POPULATE", keys, "k", VALUE)
        return server, c

    def digest_of(self, data):
        directory = os.path.join(self.dir, "load")
        os.mkdir(directory)
        with open(os.path.join(directory, "dump.rdb"), "wb") as f:
            f.write(data)
        server = resp.start_redis_server(directory, "--save", "", "--enable-debug-command", "yes")
        self.addCleanup(server.kill)
        with server.client() as c:
            return c.call("DEBUG", "DIGEST")

    def test_redis_cli_gets_its_file(self):
        server, c = self.begin()
        name = os.path.join(self.dir, "x.rdb")
        keys = ["--tls", "--cacert", path("ca.crt"), "--cert", path("client.crt"), "--key", path("client.key"), "-p", str(server.tls)]
        subprocess.run(["redis-cli", *keys, "--rdb", name], capture_output=True, timeout=120, check=True)
        with open(name, "rb") as f:
            self.assertEqual(self.digest_of(f.read()), c.call("DEBUG", "DIGEST"))
        resp.wait_until(lambda: info(c, "sync_full") == "1")
        self.assertIn("Copy sent to client 127.0.0.1:", server.log())

    def test_both_ports_share_one(self):
        server, c = self.begin()
        c.call("CONFIG", "SET", "repl-diskless-sync-max-replicas", "3")
        c.call("CONFIG", "SET", "repl-diskless-sync-delay", "1000")
        readers = [self.reader(server, kind=kind, room=65536) for kind in (TlsReader, Reader, TlsReader)]
        resp.wait_until(lambda: info(c, "copy_readers_sending") == "3", 60)
        files = {}
        threads = [threading.Thread(target=lambda r=r: files.setdefault(r, r.file())) for r in readers]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(len(set(files.values())), 1)
        self.assertEqual(self.digest_of(files[readers[0]]), c.call("DEBUG", "DIGEST"))

    def test_others_are_served_while_one_takes_it_slowly(self):
        server, c = self.begin()
        before = c.call("DEBUG", "DIGEST")
        r = self.stuck(server, c)
        with Tls(server.tls) as other:
            self.assertEqual(other.pipeline([("SET", "new", "v"), ("GET", "k:1"), ("DEL", "k:2")])[::2], [b"OK", 1])
        self.assertEqual(info(c, "rdb_bgsave_in_progress"), "1")
        self.assertEqual(self.digest_of(r.file()), before)

    def test_what_is_on_its_way_is_bounded(self):
        server, c = self.begin()
        r = self.stuck(server, c)
        (line,) = [x for x in c.call("CLIENT", "LIST").decode().split("\n") if ("addr=" + r.name() + " ") in x]
        fields = dict(f.split("=", 1) for f in line.split(" "))
        self.assertLess(int(fields["tot-mem"]), 1 << 20)
        self.assertLess(int(fields["omem"]), 1 << 18)
        self.assertEqual(r.file()[:5], b"REDIS")

    def test_one_that_takes_nothing_is_cut_off(self):
        server, c = self.begin("--repl-timeout", "2")
        r = self.stuck(server, c)
        self.idle(c)
        self.assertTrue(r.is_cut_off())
        self.assertIn("The copy for client %s was not sent: it took nothing for repl-timeout" % r.name(), server.log())
        self.assertEqual(c.call("SET", "a", "b"), b"OK")

    def test_one_that_leaves_the_end_of_it_is_cut_off(self):
        """All is written by the writer, but not taken by the reader: what the sockets hold."""
        server, c = self.begin("--repl-timeout", "2", keys=100)
        c.call("SET", "more", "x" * 200000)
        r = self.reader(server, room=2048)
        self.idle(c)
        resp.wait_until(lambda: ("addr=" + r.name() + " ").encode() not in c.call("CLIENT", "LIST"), 60)
        self.assertEqual(c.call("PING"), b"PONG")

    def test_one_that_dies_ends_its_copy(self):
        server, c = self.begin()
        for hard in (True, False):
            r = self.stuck(server, c)
            r.close(hard=hard)
            self.idle(c)
        self.assertEqual((info(c, "sync_full"), info(c, "copy_readers_waiting")), ("0", "0"))
        r = self.reader(server, ("PSYNC", "?", "-1"))
        self.assertTrue(r.line().startswith(b"+FULLRESYNC "))
        self.assertEqual(r.file()[:5], b"REDIS")
        resp.wait_until(lambda: info(c, "sync_full") == "1")

    def test_one_that_is_killed(self):
        server, c = self.begin()
        r = self.stuck(server, c)
        self.assertEqual(c.call("CLIENT", "KILL", "ADDR", r.name()), 1)
        self.idle(c)
        self.assertTrue(r.is_cut_off())

    def test_one_that_holds_memory_is_cut_off_and_writers_go_on(self):
        server, c = self.begin("--snapshot-memory-limit", "4mb")
        r = self.stuck(server, c)
        for i in range(0, KEYS, 100):  # far more pages than the limit takes
            c.pipeline([("SETRANGE", "k:%d" % k, 0, "changed") for k in range(i, i + 100)])
        self.idle(c)
        self.assertIn("The copy for client %s was not sent: it took too little while writers waited" % r.name(), server.log())
        self.assertTrue(r.is_cut_off())

    def test_the_end_of_the_server(self):
        server, c = self.begin()
        r = self.stuck(server, c)
        self.assertEqual(server.stop(), 0)
        self.assertTrue(r.is_cut_off())


if __name__ == "__main__":
    unittest.main()
