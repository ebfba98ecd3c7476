#!/usr/bin/env python3
"""Client-side caching: make bench BENCH=tracking.  What it costs to remember who has read what, and
to tell them.

KEYS (1,000,000) keys of 10 bytes are read once by one connection, then by a second, and so on, in
pipelines of 1000, with and without CLIENT TRACKING ON; then another connection writes them all,
and each reader is told of each.  Here and by redis-server in turn, each of ROUNDS (3) times, from
an empty server each time.  Printed: medians, and the ratio of ours to Redis's.

  used, rss     bytes a key by which used_memory and the process grow (after so many readers)
  CPU           the server's seconds for a million reads, or for a million keys that are written

  KEYS=n READERS=n ROUNDS=n
"""
import os
import statistics
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import resp  # noqa: E402

KEYS = int(os.environ.get("KEYS", "1000000"))
READERS = int(os.environ.get("READERS", "4"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
PAGE, TICK = os.sysconf("SC_PAGESIZE"), os.sysconf("SC_CLK_TCK")
VALUE = b"v" * 10
PIPELINE = 1000


def key(i):
    return b"key:%012d" % i


def pack_all(*command):
    """So many pipelines; the command has the key behind its first word."""
    return [b"".join(resp.pack(command[0], key(i), *command[1:]) for i in range(at, min(at + PIPELINE, KEYS)))
            for at in range(0, KEYS, PIPELINE)]


class Figures:
    def __init__(self, server, control):
        with open("/proc/%d/stat" % server.pid, encoding="ascii") as f:
            times = f.read().rpartition(")")[2].split()
        with open("/proc/%d/statm" % server.pid, encoding="ascii") as f:
            self.rss = int(f.read().split()[1]) * PAGE
        self.cpu = (int(times[11]) + int(times[12])) / TICK
        info = control.call("INFO", "memory").decode()
        self.used = int(info.partition("used_memory:")[2].split()[0])


def exchange(c, pipelines, reply_bytes):
    """Send each pipeline and take its replies, which are of a length that is known."""
    for p in pipelines:
        c.sock.sendall(p)
        left = reply_bytes * p.count(b"key:")
        while left > 0:
            left -= len(c.sock.recv(min(left, 1 << 18)))


def drain(c, count):
    for _ in range(count):
        c.read()


def run(start, reads, writes):
    """{name: figure} of one round."""
    out = {}
    reply = len(b"$%d\r\n%b\r\n" % (len(VALUE), VALUE))
    with tempfile.TemporaryDirectory() as directory:
        server = start(directory, "--save", "", "--tracking-table-max-keys", KEYS)
        with server.client(timeout=600) as control:
            exchange(control, writes, len("+OK\r\n"))
            before = Figures(server, control)
            with server.client(timeout=600) as c:
                exchange(c, reads, reply)
            out["CPU of reads without"] = Figures(server, control).cpu - before.cpu
            readers = [server.client(timeout=600) for _ in range(READERS)]
            for c in readers:
                c.call("HELLO", 3)
                c.call("CLIENT", "TRACKING", "ON")
            begin = Figures(server, control)
            for n, c in enumerate(readers, 1):
                before = Figures(server, control)
                exchange(c, reads, reply)
                after = Figures(server, control)
                out["CPU of reads, reader %d" % n] = after.cpu - before.cpu
                out["used a key, %d readers" % n] = (after.used - begin.used) / KEYS
                out["rss a key, %d readers" % n] = (after.rss - begin.rss) / KEYS
            threads = [threading.Thread(target=drain, args=(c, KEYS)) for c in readers]
            for t in threads:
                t.start()
            before = Figures(server, control)
            exchange(control, writes, len("+OK\r\n"))
            for t in threads:
                t.join()
            out["CPU of writes, told to %d" % READERS] = Figures(server, control).cpu - before.cpu
            for c in readers:
                c.close()
        server.stop()
    return out


def main():
    reads, writes = pack_all("GET"), pack_all("SET", VALUE)
    rows = {"ours": [], "Redis": []}
    for _ in range(ROUNDS):
        rows["ours"].append(run(resp.start_stillframe, reads, writes))
        rows["Redis"].append(run(resp.start_redis_server, reads, writes))
    print("%d keys, %d rounds" % (KEYS, ROUNDS))
    print("%-28s %10s %10s %6s" % ("", "ours", "Redis", "ratio"))
    for name in rows["ours"][0]:
        ours, redis = (statistics.median(r[name] for r in rows[who]) for who in ("ours", "Redis"))
        print("%-28s %10.2f %10.2f %6.2f" % (name, ours, redis, ours / redis if redis else float("nan")))


if __name__ == "__main__":
    main()
