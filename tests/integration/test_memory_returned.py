#!/usr/bin/env python3
"""What a burst has used goes back to the system, though something small that lives on lies behind
it: clients' buffers, among which scripts were loaded."""
import os
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

MB = 1 << 20
CLIENTS = 400
ARGUMENT = 100000  # of a client that has not sent it whole; below what malloc() maps by itself
LEFT = 10 * MB


def rss(server):
    with open("/proc/%d/statm" % server.pid, encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@unittest.skipUnless(os.environ.get("STILLFRAME_FLAVOUR", "release") in ("release", "debug"), "another allocator, or a second mapping")
class MemoryReturned(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="stillframe-returned-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.server = resp.start_stillframe(self.dir, "--save", "")
        self.addCleanup(self.server.kill)
        self.c = self.server.client()
        self.addCleanup(self.c.close)

    def burst(self, count=CLIENTS):
        """Half-sent arguments, with a script behind each, which stays; then all clients go."""
        clients = []
        for n in range(count):
            client = self.server.client()
            clients.append(client)
            client.send_raw(b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % ARGUMENT + b"x" * (ARGUMENT - 1000))
            resp.wait_until(lambda n=n: self.received() >= (n + 1) * (ARGUMENT - 1000), what="the argument to be read")
            self.c.call("SCRIPT", "LOAD", "return %d -- %s" % (n, "y" * 500))
        most = rss(self.server)
        for client in clients:
            client.close()
        resp.wait_until(lambda: b"connected_clients:1\r\n" in self.c.call("INFO", "clients"), what="the clients to be forgotten")
        return most

    def received(self):
        return int(self.c.call("INFO", "stats").split(b"total_net_input_bytes:")[1].split(b"\r")[0])

    def test_by_and_by(self):
        before = rss(self.server)
        most = self.burst()
        self.assertGreater(most, before + CLIENTS * ARGUMENT // 2)
        resp.wait_until(lambda: rss(self.server) < before + LEFT, 120, 0.2, "memory to be given back: %d before, %d at most" % (before, most))

    def test_again_and_again(self):
        """The second burst takes what the first one has given back."""
        self.burst()
        resp.wait_until(lambda: rss(self.server) < 30 * MB, 120, 0.2, "memory to be given back")
        self.burst()
        resp.wait_until(lambda: rss(self.server) < 30 * MB, 120, 0.2, "memory to be given back")

    def test_much_waits_until_nobody_has_a_command(self):
        """The loop stands still meanwhile: for that much, longer than anybody should wait."""
        before = rss(self.server)
        self.burst(1000)
        last = time.monotonic()
        end, longest = last + 5, 0
        while last < end:
            self.c.call("PING")
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        if longest < 0.5:  # or the server had a quiet second
            self.assertGreater(rss(self.server), before + 64 * MB)
        resp.wait_until(lambda: rss(self.server) < before + LEFT, 120, 0.2, "memory to be given back")

    def test_at_once_when_asked(self):
        before = rss(self.server)
        self.burst()
        self.c.call("MEMORY", "PURGE")
        self.assertLess(rss(self.server), before + LEFT)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
