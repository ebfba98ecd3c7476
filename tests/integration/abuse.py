"""What the tests of abuse have in common: servers that are looked at from outside while somebody
misbehaves, and the bounds that hold meanwhile.

The clock of a loaded machine says little, so what an attack may cost the server is asserted as its
processor time and its memory; for how long others wait there is one generous limit.
"""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

LONG = os.environ.get("ABUSE_LONG") == "1"
MB = 1 << 20
# No PING beside an attack takes as long: far more than any turn of the loop does, and what a
# loaded machine of two processors keeps. A command of a million keys is a second's work in itself.
WORST_PING_SECONDS = 60 if LONG else 10


def field(client, name):
    """A number of INFO."""
    return int(re.search(rb"\r\n%b:(\d+)" % name.encode(), client.call("INFO", "all"))[1])


def rss(server):
    """Bytes of the process that are in memory."""
    with open("/proc/%d/status" % server.pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) * 1024


def cpu_seconds(server):
    """Processor time that the process has taken, all threads."""
    with open("/proc/%d/stat" % server.pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connect(server, host="127.0.0.1", timeout=120):
    """A bare socket, for what no client library sends."""
    return socket.create_connection((host, server.port), timeout=timeout)


def until_closed(sock):
    """What it is told until the server closes it; a reset is an end, too."""
    got = b""
    try:
        while data := sock.recv(1 << 16):
            got += data
    except ConnectionError:
        pass
    return got


class Pings:
    """Somebody well-behaved, in a process of its own so that nothing here holds it up:
    with Pings(server) as pings: ...; then pings.worst is the slowest answer, in seconds."""

    PROGRAM = """
import select, socket, sys, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=120)
worst = count = 0
print("ready", flush=True)
while count == 0 or not select.select([sys.stdin], [], [], 0.005)[0]:
    begin = time.monotonic()
    s.sendall(b"PING\\r\\n")
    assert s.recv(100) == b"+PONG\\r\\n"
    worst, count = max(worst, time.monotonic() - begin), count + 1
print(worst, count)
"""

    def __init__(self, server):
        self.process = subprocess.Popen([sys.executable, "-c", self.PROGRAM, str(server.port)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        out, _ = self.process.communicate("")
        self.worst, self.count = float(out.split()[0]), int(out.split()[1])


class AbuseTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def start(self, *args, start=resp.start_stillframe):
        directory = tempfile.mkdtemp(dir=self.dir)
        server = start(directory, "--save", "", *args)
        self.addCleanup(server.kill)
        return server

    def start_both(self, *args):
        return [self.start(*args, start=start) for start in (resp.start_stillframe, resp.start_redis_server)]

    def assert_served(self, pings):
        self.assertGreater(pings.count, 0)
        self.assertLess(pings.worst, WORST_PING_SECONDS)

    def assert_costs_less(self, seconds, server, work):
        """Of processor time, for what the server does because of it."""
        before = cpu_seconds(server)
        result = work()
        with server.client() as c:
            c.call("PING")  # what came before it is done
        self.assertLess(cpu_seconds(server) - before, seconds)
        return result

    def wait_for_clients(self, admin, count):
        resp.wait_until(lambda: field(admin, "connected_clients") == count, 60, what="%d clients" % count)


def eventually(condition, seconds=60, what="a condition"):
    return resp.wait_until(condition, seconds, 0.05, what)
