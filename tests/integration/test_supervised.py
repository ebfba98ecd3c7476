#!/usr/bin/env python3
"""What a service manager is told: that the server is ready, that it loads, that it ends."""
import os
import shutil
import signal
import socket
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp

MORE = "EXTEND_TIMEOUT_USEC=60000000\n"
LOADS = MORE + "STATUS=Loading the dump\n"
READY = "READY=1\nSTATUS=Ready to accept connections\n"
SAVES = MORE + "STATUS=Saving the data before the end\n"


class Supervised(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="stillframe-supervised-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def manager(self, address):
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        manager.settimeout(60)
        return manager

    def start(self, address, *args):
        before = os.environ.pop("NOTIFY_SOCKET", None)
        if address is not None:
            os.environ["NOTIFY_SOCKET"] = address
        try:
            server = resp.start_stillframe(self.dir, *args)
        finally:
            os.environ.pop("NOTIFY_SOCKET", None)
            if before is not None:
                os.environ["NOTIFY_SOCKET"] = before
        self.addCleanup(server.kill)
        return server

    def fields(self, server):
        with server.client() as c:
            text = c.call("INFO", "server").decode()
            return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)["process_supervised"], c.call("CONFIG", "GET", "supervised")

    def end(self, server):
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(60), 0)

    def test_it_is_told_of_the_start_and_of_the_end(self):
        for kind, address in (("auto", os.path.join(self.dir, "notify")), ("systemd", "@stillframe-test-%d" % os.getpid())):
            with self.subTest(kind=kind):
                manager = self.manager(address)
                server = self.start(address, "--supervised", kind)
                self.assertEqual(manager.recv(4096).decode(), LOADS)
                self.assertEqual(manager.recv(4096).decode(), READY)
                self.assertEqual(self.fields(server), ("systemd", [b"supervised", kind.encode()]))
                self.end(server)
                self.assertEqual(manager.recv(4096).decode(), SAVES)
                self.assertEqual(manager.recv(4096).decode(), "STOPPING=1\n")

    def test_an_end_that_fails_is_not_told_as_one(self):
        address = os.path.join(self.dir, "notify")
        manager = self.manager(address)
        server = self.start(address, "--supervised", "systemd", "--save", "3600 1", "--dbfilename", "d")
        for told in (LOADS, READY):
            self.assertEqual(manager.recv(4096).decode(), told)
        os.mkdir(os.path.join(self.dir, "d"))  # the dump cannot have its name
        with server.client() as c:
            c.call("SET", "k", "v")
            with self.assertRaisesRegex(resp.RespError, "Errors trying to SHUTDOWN"):
                c.call("SHUTDOWN")
        self.assertEqual(manager.recv(4096).decode(), SAVES)
        self.assertEqual(manager.recv(4096).decode(), "STATUS=Ready to accept connections; the save at the end failed\n")
        with server.client() as c:
            self.assertEqual(c.call("GET", "k"), b"v")

    def test_who_did_not_ask_tells_nobody(self):
        address = os.path.join(self.dir, "notify")
        manager = self.manager(address)
        server = self.start(address)
        self.assertEqual(self.fields(server), ("no", [b"supervised", b"no"]))
        self.end(server)
        manager.setblocking(False)
        with self.assertRaises(BlockingIOError):
            manager.recv(4096)

    def test_a_manager_that_is_not_there_does_not_keep_it_from_serving(self):
        said = "cannot be used: "
        for kind, address, line in (("auto", None, None), ("systemd", None, "the environment has no NOTIFY_SOCKET"),
                                    ("auto", "", said + "Invalid argument"), ("auto", "relative", said + "Invalid argument"),
                                    ("auto", "/" + "x" * 200, said + "Invalid argument"),
                                    ("systemd", os.path.join(self.dir, "nobody"), said + "No such file or directory")):
            with self.subTest(kind=kind, address=address):
                server = self.start(address, "--supervised", kind)
                self.assertEqual(self.fields(server), ("no", [b"supervised", kind.encode()]))
                if line is None:
                    self.assertNotIn("NOTIFY_SOCKET", server.log())
                else:
                    self.assertIn(line, server.log())
                self.end(server)

    def test_a_manager_that_goes_does_not_disturb_it(self):
        address = os.path.join(self.dir, "notify")
        manager = self.manager(address)
        server = self.start(address, "--supervised", "systemd")
        manager.close()
        self.end(server)


if __name__ == "__main__":
    unittest.main()
