#!/usr/bin/env python3
"""How good the approximated LRU and LFU are, beside redis-server's: make bench BENCH=hit-ratio.

A cache: keys are asked for, those that are missing are set.  Memory is limited so that the same
number of keys fits into both servers; the hits of the second half of the run count.  Keys are drawn
by Zipf's law; "and a scan": every fourth request walks through keys that nobody asks for again.
Exact LRU over as many keys stands beside them: what the approximation approaches.

Both are asked at the same pace, as their clocks count seconds.

  REQUESTS=n  a run (300000)              PACE=n   a second (15000)
  KEYS=n      different keys (100000)     SHARE=p  percent that fit (10)
"""
import bisect
import itertools
import os
import random
import shutil
import sys
import tempfile
import time
from collections import OrderedDict

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from loop import KINDS, field  # noqa: E402

REQUESTS = int(os.environ.get("REQUESTS", "300000"))
PACE = int(os.environ.get("PACE", "15000"))
KEYS = int(os.environ.get("KEYS", "100000"))
SHARE = int(os.environ.get("SHARE", "10"))
VALUE = "v" * 100
BATCH = 50


def requests(scans):
    """The same sequence for everybody."""
    rnd = random.Random(1)
    sums = list(itertools.accumulate(1 / (i + 1) for i in range(KEYS)))
    order = list(range(KEYS))
    rnd.shuffle(order)
    cold = itertools.count(KEYS)
    for i in range(REQUESTS):
        yield next(cold) if scans and i % 4 == 0 else order[bisect.bisect_left(sums, rnd.random() * sums[-1])]


def batches(scans):
    source = requests(scans)
    while True:
        batch = list(itertools.islice(source, BATCH))
        if not batch:
            return
        yield ["key:%08d" % k for k in batch]


def exact_lru(scans, size):
    held, hits = OrderedDict(), 0
    for i, k in enumerate(requests(scans)):
        if k in held:
            held.move_to_end(k)
            hits += i >= REQUESTS // 2
        held[k] = True
        if len(held) > size:
            held.popitem(last=False)
    return hits / (REQUESTS - REQUESTS // 2)


def settled(client):
    """used_memory, once what was flushed is freed."""
    used = -1
    while used != (used := field(client, "memory", "used_memory")):
        time.sleep(0.3)
    return used


def limit_for(client, size):
    """The maxmemory at which so many keys fit."""
    client.call("FLUSHALL")
    settled(client)
    for first in range(0, size, 1000):
        client.pipeline([["SET", "key:%08d" % k, VALUE] for k in range(first, first + 1000)])
    limit = settled(client)
    client.call("FLUSHALL")
    settled(client)
    return limit


def run(server, policy, samples, scans, size):
    """The share of hits, and how many keys are held in the end."""
    with server.client() as c:
        c.call("CONFIG", "SET", "maxmemory", 0)
        c.call("CONFIG", "SET", "maxmemory-policy", policy, "maxmemory-samples", samples)
        c.call("CONFIG", "SET", "maxmemory", limit_for(c, size))
        done, hits, begin = 0, 0, time.monotonic()
        for keys in batches(scans):
            time.sleep(max(0, begin + done / PACE - time.monotonic()))
            found = c.pipeline([["GET", k] for k in keys])
            missing = [k for k, v in zip(keys, found) if v is None]
            if missing:
                c.pipeline([["SET", k, VALUE] for k in missing])
            hits += (len(keys) - len(missing)) if done >= REQUESTS // 2 else 0
            done += len(keys)
        held = c.call("DBSIZE")
        c.call("CONFIG", "SET", "maxmemory", 0)
    return hits / (REQUESTS - REQUESTS // 2), held


def main():
    size = KEYS * SHARE // 100
    directory = tempfile.mkdtemp()
    servers = {}
    for name, start in KINDS:
        where = os.path.join(directory, name)
        os.mkdir(where)
        servers[name] = start(where, "--save", "")
    print("| requests | policy | samples | Stillframe, % hits | Redis | exact LRU | keys held | Redis |\n"
          "|---|---|---|---|---|---|---|---|")
    try:
        for scans in (False, True):
            exact = exact_lru(scans, size)
            for policy in ("allkeys-lru", "allkeys-lfu"):
                for samples in (5, 10):
                    (ours, held), (theirs, held_there) = (run(s, policy, samples, scans, size) for s in servers.values())
                    print("| Zipf%s | %s | %d | %.2f | %.2f | %.2f | %d | %d |" % (
                        " and a scan" if scans else "", policy, samples, 100 * ours, 100 * theirs, 100 * exact, held, held_there),
                        flush=True)
    finally:
        for server in servers.values():
            server.kill()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
