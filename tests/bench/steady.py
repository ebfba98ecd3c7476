#!/usr/bin/env python3
"""Memory across saves: make bench BENCH=steady.  A save leaves no trace: the same load with saves
and without.

  queue    200,000 records; again and again a list, a hash and strings of 23 sizes (0.5 to 24 KB)
           come and go
  jobs     a list to which jobs are pushed and popped until it is empty
  mixed    55,000 keys of all types, 1 byte to 6 KB, random writes
  plain    3,000,000 keys of 64 bytes, redis-benchmark's SETs at full speed

Each is run without saves, then with saves every 0.3 s, every 2 s, and back to back, until SAVES
(1000) were made; then everything is flushed.  Printed: the highest of live, resident (the arena's
blocks) and the process's memory (rss), in MB, and the two as a ratio to the same load without
saves: at any moment, what a save needs while it runs included, and ten seconds after the last save,
with the load going on: what saves have left behind; and what is left after FLUSHALL beside an empty
server.

  SAVES=n     saves of each row (1000)          LOADS="queue jobs mixed plain small"
  PAUSES="0.3 2 0"   seconds between saves; 0: back to back
  defrag      (LOADS=defrag) memory after 90 % random deletes and eight rounds of drifting sizes,
              with activedefrag yes
  small       the queue with --arena-size 256mb
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import resp  # noqa: E402

SAVES = int(os.environ.get("SAVES", "1000"))
LOADS = os.environ.get("LOADS", "queue jobs mixed plain small").split()
PAUSES = [float(p) for p in os.environ.get("PAUSES", "0.3 2 0").split()]
PAGE = os.sysconf("SC_PAGESIZE")
ALONE_S, AFTER_S = 20, 10


def rss(server):
    with open("/proc/%d/statm" % server.pid, encoding="ascii") as f:
        return int(f.read().split()[1]) * PAGE


def info(client, *sections):
    out = {}
    for line in client.call("INFO", *sections).decode().split("\r\n"):
        name, _, value = line.partition(":")
        out[name] = value
    return out


class Writer(threading.Thread):
    """Repeats one load on a connection of its own, until stopped."""

    def __init__(self, server, seed):
        super().__init__(daemon=True)
        self.server, self.rng, self.stopped, self.error = server, random.Random(seed), threading.Event(), None

    def fill(self, client):
        pass

    def step(self, client):
        raise NotImplementedError

    def run(self):
        try:
            with self.server.client(timeout=120) as c:
                while not self.stopped.is_set():
                    self.step(c)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def stop(self):
        self.stopped.set()
        self.join()
        if self.error is not None:
            raise self.error


class Queue(Writer):
    SIZES = [500 + 1000 * i for i in range(23)]

    def fill(self, client):
        for i in range(0, 200000, 1000):
            client.pipeline([("SET", "record:%d" % k, "v" * 30) for k in range(i, i + 1000)])

    def step(self, client):
        sizes = self.SIZES
        client.pipeline([("RPUSH", "list", *["x" * n for n in sizes]),
                         ("HSET", "hash", *[w for n in sizes for w in ("f%d" % n, "x" * n)])] +
                        [("SET", "string:%d" % n, "x" * n) for n in sizes])
        client.call("DEL", "list", "hash", *["string:%d" % n for n in sizes])


class Jobs(Writer):
    def step(self, client):
        client.pipeline([("RPUSH", "jobs", "job %d " % i + "x" * self.rng.randrange(400)) for i in range(2000)])
        client.pipeline([("LPOP", "jobs")] * 2000)


class Mixed(Writer):
    KEYS = 55000

    def command(self, i):
        rng = self.rng
        n = 1 + int(min(rng.expovariate(1 / 300), 6000))
        kind = i % 6
        if kind < 2:
            return ("SET", "s:%d" % i, "v" * n)
        if kind == 2:
            return ("HSET", "h:%d" % i, rng.randrange(40), "v" * (n % 300))
        if kind == 3:
            return rng.choice([("RPUSH", "l:%d" % i, "v" * (n % 400)), ("LPUSH", "l:%d" % i, "v" * (n % 400)),
                               ("LPOP", "l:%d" % i)])
        if kind == 4:
            return ("SADD", "S:%d" % i, rng.randrange(60)) if rng.random() < 0.6 else ("SREM", "S:%d" % i, rng.randrange(60))
        return ("ZADD", "z:%d" % i, rng.random(), rng.randrange(60))

    def fill(self, client):
        for i in range(0, self.KEYS, 1000):
            client.pipeline([self.command(k) for k in range(i, i + 1000)])
        for _ in range(4000):  # until as much goes as comes
            self.step(client)

    def step(self, client):
        batch = [self.command(self.rng.randrange(self.KEYS)) for _ in range(200)]
        if self.rng.random() < 0.1:
            batch.append(("DEL", *["%s:%d" % ("sshlSz"[k % 6], k) for k in
                                   (self.rng.randrange(self.KEYS) for _ in range(150))]))
        client.pipeline(batch)


class Plain:
    """redis-benchmark at full speed."""

    def __init__(self, server, _seed):
        self.server, self.process = server, None

    def command(self, requests):
        return ["redis-benchmark", "-p", str(self.server.port), "-t", "set", "-P", "16", "-r", "3000000", "-d", "64", "-q",
                "-n", str(requests)]

    def fill(self, _client):
        subprocess.run(self.command(20000000), stdout=subprocess.DEVNULL, check=True)

    def start(self):
        self.process = subprocess.Popen(self.command(2000000000), stdout=subprocess.DEVNULL)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Highest:
    """Highest of live, resident and rss, looked at ten times a second."""

    def __init__(self, server, client):
        self.server, self.client = server, client
        self.live = self.resident = self.rss = self.copies = 0

    def look(self):
        i = info(self.client, "memory", "persistence")
        self.live = max(self.live, int(i["mm_live_bytes"]))
        self.resident = max(self.resident, int(i["mm_resident_bytes"]))
        self.rss = max(self.rss, rss(self.server))
        return i

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while True:
            i = self.look()
            left = end - time.monotonic()
            if left <= 0:
                return i
            time.sleep(min(0.1, left))


def saves(highest, pause):
    begin = time.monotonic()
    for _ in range(SAVES):
        highest.client.call("BGSAVE")
        while highest.look()["rdb_bgsave_in_progress"] != "0":
            time.sleep(0.005)
        if pause > 0:
            highest.wait(pause)
    return time.monotonic() - begin


def measure(name, load, parent, *options):
    directory = tempfile.mkdtemp(dir=parent)
    server = resp.start_stillframe(directory, "--save", "", "--enable-debug-command", "yes", *options)
    client = server.client(timeout=300)
    empty = rss(server), int(info(client, "memory")["mm_resident_bytes"])
    load(server, 1).fill(client)
    alone = None
    for pause in [None] + PAUSES:
        highest, writer = Highest(server, client), load(server, 2)
        writer.start()
        took = saves(highest, pause) if pause is not None else (highest.wait(ALONE_S), ALONE_S)[1]
        left = highest
        if alone is None:
            alone = highest
        else:
            left = Highest(server, client)
            time.sleep(AFTER_S)
            left.wait(2)
        writer.stop()
        what = "without" if pause is None else "back to back" if pause == 0 else "every %g s" % pause
        print("| %s | %s | %d | %.0f | %.1f | %.1f | %.1f | %.2f | %.2f | **%.2f** | **%.2f** |" % (
            name, what, 0 if pause is None else SAVES, took, highest.live / 1e6, highest.resident / 1e6, highest.rss / 1e6,
            highest.resident / alone.resident, highest.rss / alone.rss, left.resident / alone.resident, left.rss / alone.rss),
              flush=True)
    client.call("FLUSHALL")
    time.sleep(6)
    left = rss(server), int(info(client, "memory")["mm_resident_bytes"])
    print("| %s | after FLUSHALL, above an empty server | | | | %.1f | %.1f | | | | |" % (
        name, (left[1] - empty[1]) / 1e6, (left[0] - empty[0]) / 1e6), flush=True)
    client.close()
    server.kill()


def fill_and_thin(client, keys):
    """90 % of the keys go at random; then eight rounds in which values of other sizes come and half
    of the old ones go."""
    rng = random.Random(5)
    alive = list(range(keys))
    for i in range(0, keys, 1000):
        client.pipeline([("SET", "k:%d" % k, "v" * rng.randrange(20, 200)) for k in range(i, i + 1000)])
    rng.shuffle(alive)
    gone, alive = alive[keys // 10:], alive[:keys // 10]
    for i in range(0, len(gone), 1000):
        client.call("DEL", *["k:%d" % k for k in gone[i:i + 1000]])
    size, number = 150, keys
    for _ in range(8):
        size = size * 13 // 10
        fresh = list(range(number, number + keys // 10))
        number += len(fresh)
        for i in range(0, len(fresh), 1000):
            client.pipeline([("SET", "k:%d" % k, "v" * rng.randrange(size // 2, size)) for k in fresh[i:i + 1000]])
        rng.shuffle(alive)
        gone, alive = alive[len(alive) // 2:], alive[:len(alive) // 2] + fresh
        for i in range(0, len(gone), 1000):
            client.call("DEL", *["k:%d" % k for k in gone[i:i + 1000]])


def defrag(directory):
    print("\n| after 90 % random deletes and eight rounds of drifting sizes | used MB | rss MB | rss / used |\n|---|---|---|---|")
    for kind, start in (("Stillframe", resp.start_stillframe), ("Redis", resp.start_redis_server)):
        for setting in ("no", "yes"):
            server = start(tempfile.mkdtemp(dir=directory), "--save", "")
            with server.client(timeout=300) as c:
                answer = c.pipeline([("CONFIG", "SET", "active-defrag-ignore-bytes", "1mb"), ("CONFIG", "SET", "activedefrag", setting)])[1]
                if answer != b"OK":
                    print("| %s, activedefrag %s | %s | | |" % (kind, setting, answer))
                    server.kill()
                    continue
                fill_and_thin(c, 1000000)
                time.sleep(30)
                used = int(info(c, "memory")["used_memory"])
                print("| %s, activedefrag %s | %.1f | %.1f | **%.2f** |" % (kind, setting, used / 1e6, rss(server) / 1e6,
                                                                          rss(server) / used), flush=True)
            server.kill()


def main():
    directory = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    print("| load | saves | how many | s | live MB | resident MB | rss MB | resident | rss | resident left | rss left |\n"
          "|---|---|---|---|---|---|---|---|---|---|---|")
    try:
        for name in LOADS:
            if name == "defrag":
                defrag(directory)
            elif name == "small":
                measure("queue, arena of 256 MB", Queue, directory, "--arena-size", "256mb")
            else:
                measure(name, {"queue": Queue, "jobs": Jobs, "mixed": Mixed, "plain": Plain}[name], directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
