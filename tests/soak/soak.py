#!/usr/bin/env python3
"""Hours of mixed load on one server: make soak MINUTES=60.

Writers and readers with random commands, many more keys than memory allows (evictions), expiry,
connections that come and go in the middle of something, subscribers, transactions, BGSAVE one after
the other, FLUSHALL now and then.  Every ten seconds it looks whether what has to stay bounded is:
memory used beside maxmemory, memory of the process, clients, what waits to be freed; at the end the
dump is loaded again, and everything that connected has to be forgotten.

  MINUTES   how long (10)      SEED   of the random choices      MEMORY_MB   maxmemory (64)
"""
import os
import random
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import resp  # noqa: E402

MINUTES = float(os.environ.get("MINUTES", "10"))
SEED = int(os.environ.get("SEED", str(random.SystemRandom().randrange(1 << 32))))
MEMORY = int(os.environ.get("MEMORY_MB", "64")) << 20
WORKERS = 4
KEYS = 400000
EXPECTED_ERRORS = ("OOM", "WRONGTYPE", "ERR value is not", "ERR hash value", "EXECABORT", "ERR increment", "ERR no such key",
                   "ERR Background save", "BUSYKEY", "ERR string exceeds", "ERR DUMP")


class Worker(threading.Thread):
    """One connection after the other, each for some hundred batches."""

    def __init__(self, server, number, stop):
        super().__init__(daemon=True)
        self.server, self.rng, self.stop = server, random.Random("%d %d" % (SEED, number)), stop
        self.commands = 0
        self.failure = None

    def command(self):
        rng = self.rng
        key = b"k:%d" % min(int(rng.expovariate(1 / (KEYS / 4))), KEYS)
        value = b"v" * rng.choice([1, 10, 100, 100, 1000, rng.choice([20000, 300000])])
        return rng.choice([
            ("SET", key, value), ("SET", key, value), ("SET", key, value, "PX", rng.randrange(1, 60000)),
            ("GET", key), ("GET", key), ("MGET", key, b"k:1", b"k:2"), ("APPEND", key, value[:50]), ("DEL", key),
            ("INCR", b"n:%d" % rng.randrange(1000)), ("HSET", b"h" + key, rng.randrange(2000), value[:200]),
            ("HDEL", b"h" + key, rng.randrange(2000)), ("HGETALL", b"h:none"), ("EXPIRE", key, rng.randrange(1, 100)),
            ("SETRANGE", key, rng.randrange(1000), value[:100]), ("RENAME", key, b"k:r"), ("UNLINK", b"h" + key),
            ("COPY", key, b"k:c", "REPLACE"), ("PUBLISH", "c%d" % rng.randrange(5), value[:300]),
            ("WATCH", key), ("SCAN", rng.randrange(1 << 20)), ("OBJECT", "ENCODING", key), ("INFO", "memory")])

    def session(self):
        rng = self.rng
        with self.server.client(timeout=60) as c:
            if rng.random() < 0.3:
                c.call("HELLO", 3)
            for _ in range(rng.randrange(300)):
                batch = [self.command() for _ in range(rng.choice([1, 5, 30]))]
                if rng.random() < 0.1:
                    batch = [("MULTI",)] + [b for b in batch if b[0] != "WATCH"] + [("EXEC",)]
                for reply in c.pipeline(batch):
                    if isinstance(reply, resp.RespError) and not str(reply).startswith(EXPECTED_ERRORS):
                        raise AssertionError(str(reply))
                self.commands += len(batch)
                if self.stop.is_set():
                    break
            if rng.random() < 0.5:  # leave in the middle of something
                c.send_raw(rng.choice([b"*3\r\n$3\r\nSET\r\n$1\r\n", b"SUBSCRIBE c1 c2\r\nPI", b"MULTI\r\nSET a b\r\n",
                                       b"GET k:1\r\n" * 1000, b"*1000000\r\n"]))

    def run(self):
        try:
            while not self.stop.is_set():
                self.session()
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error
            self.stop.set()


class Subscriber(Worker):
    """Listens for a while, reads or does not read, and goes."""

    def session(self):
        rng = self.rng
        with self.server.client(timeout=60) as c:
            c.send(rng.choice(["SUBSCRIBE", "PSUBSCRIBE"]), "c%d" % rng.randrange(5), "c*")
            end = time.monotonic() + rng.random() * 5
            reads = rng.random() < 0.7
            while time.monotonic() < end and not self.stop.is_set():
                if not reads:
                    time.sleep(0.2)
                    continue
                c.sock.settimeout(0.2)
                try:
                    if not c.sock.recv(1 << 16):
                        return  # closed for what it had not read
                except TimeoutError:
                    pass


def info(client):
    out = {}
    for line in client.call("INFO", "everything").decode().split("\r\n"):
        name, _, value = line.partition(":")
        out[name] = value
    return out


def check(figures, rss):
    """What has to stay bounded."""
    used = int(figures["used_memory"])
    assert used < MEMORY * 1.5 + (32 << 20), "used_memory %d at a maxmemory of %d" % (used, MEMORY)
    live = int(figures["mm_live_bytes"])
    # A third more than what lives, what is beside it, and what a save holds: it leaves no trace
    # (S3).
    bound = live * 4 // 3 + (used - live) + (40 << 20)
    assert rss < bound, "the process takes %d bytes, with %d live and %d used" % (rss, live, used)
    assert int(figures["connected_clients"]) < 4 * WORKERS + 20, figures["connected_clients"]
    assert figures["rdb_last_bgsave_status"] == "ok", "a save has failed"


def rss_of(pid):
    with open("/proc/%d/statm" % pid, encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def watch(server, workers, stop):
    rng, end, begin, looked = random.Random(SEED), time.monotonic() + 60 * MINUTES, time.monotonic(), 0
    with server.client() as c:
        while time.monotonic() < end and not stop.is_set():
            time.sleep(1)
            if not server.is_running():
                raise AssertionError("the server has ended:\n" + server.log()[-3000:])
            if c.pipeline([("BGSAVE",)])[0] and rng.random() < 0.02:
                c.call("FLUSHALL")
            if time.monotonic() - begin < 10 * (looked + 1):
                continue
            looked += 1
            figures, rss = info(c), rss_of(server.pid)
            print("%6d s  %9d commands  %5.1f MB live  %5.1f used  %6.1f MB of the process  %s keys evicted  %s saves" % (
                time.monotonic() - begin, sum(w.commands for w in workers), int(figures["mm_live_bytes"]) / 1e6,
                int(figures["used_memory"]) / 1e6, rss / 1e6,
                figures["evicted_keys"], figures.get("rdb_saves", "?")), flush=True)
            check(figures, rss)
    stop.set()


def at_the_end(server, directory):
    """Nobody is there any more; what was saved can be loaded."""
    with server.client() as c:
        resp.wait_until(lambda: info(c)["connected_clients"] == "1", what="all clients to be forgotten")
        figures = info(c)
        assert figures["blocked_clients"] == "0" and figures["pubsub_channels"] == "0", figures
        c.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        resp.wait_until(lambda: info(c)["rdb_bgsave_in_progress"] == "0", what="the last save")
        cursor = b"0"
        while True:  # nothing may expire between the two digests
            cursor, keys = c.call("SCAN", cursor, "COUNT", 1000)
            c.pipeline([("PERSIST", k) for k in keys])
            if cursor == b"0":
                break
        c.call("SAVE")
        digest = c.call("DEBUG", "DIGEST")
    assert server.stop() == 0, server.log()[-3000:]
    again = resp.start_stillframe(directory, "--enable-debug-command", "yes", "--maxmemory", 0)
    with again.client() as c:
        assert c.call("DEBUG", "DIGEST") == digest, "the dump holds something else"
        print("the dump is loaded again: the same %d keys" % c.call("DBSIZE"))
    again.stop()


def main():
    directory = tempfile.mkdtemp(prefix="stillframe-soak-")
    print("seed %d, %g minutes, %d MB" % (SEED, MINUTES, MEMORY >> 20), flush=True)
    server = resp.start_stillframe(directory, "--enable-debug-command", "yes", "--maxmemory", MEMORY, "--maxmemory-policy",
                                   "allkeys-lru", "--save", "3600 1")
    stop = threading.Event()
    workers = [(Worker if n < WORKERS else Subscriber)(server, n, stop) for n in range(WORKERS + 3)]
    try:
        for w in workers:
            w.start()
        watch(server, workers, stop)
        for w in workers:
            w.join(90)
            if w.failure is not None:
                raise AssertionError("a client met: %r" % w.failure)
        at_the_end(server, directory)
    finally:
        stop.set()
        server.kill()
        shutil.rmtree(directory, ignore_errors=True)
    print("passed: %d commands" % sum(w.commands for w in workers))


if __name__ == "__main__":
    main()
