#!/usr/bin/env python3
"""Sorted sets and sets beside redis-server: make bench BENCH="zset sets".

  - used_memory of a million sorted sets of five members, and of one of five million
  - ZADD (new members, changed scores), ZRANK, ZSCORE, ZRANGE, ZCOUNT on the large one, in batches
    of 500 commands; ZUNIONSTORE of two sets of a million that share half of their members: the
    server's CPU time per command, and by the clock
  - sets: SINTER and its kin on two sets of a million that share half of their members

Both servers hold the same data and take turns; medians of ROUNDS (5) rounds; server and client each
on a core of its own.

  MEMBERS=n   of the large one (5000000)
"""
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from loop import cpu_seconds, field  # noqa: E402
import resp  # noqa: E402 - loop has set the path

ROUNDS = int(os.environ.get("ROUNDS", "5"))
MEMBERS = int(os.environ.get("MEMBERS", "5000000"))
SMALL = 1000000
BATCH, BATCHES = 500, 100
MARK = b"$9\r\nthe:mark:\r\n"
rnd = random.Random(4)


def encode(*words):
    out = [b"*%d\r\n" % len(words)]
    for w in words:
        w = w if isinstance(w, bytes) else str(w).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(w), w))
    return b"".join(out)


def member(i):
    return b"member:%07d" % i


def send(client, data):
    """Commands; returns when the last one is answered."""
    client.sock.sendall(data + encode("ECHO", "the:mark:"))
    tail = b""
    while not tail.endswith(MARK):
        tail = (tail + client.sock.recv(1 << 20))[-len(MARK):]


def fill_large(client, key, ids):
    for at in range(0, len(ids), 1000):
        send(client, encode("ZADD", key, *[w for i in ids[at:at + 1000] for w in (i * 7919 % 1000003 / 4, member(i))]))


def fill_small(client):
    for at in range(0, SMALL, 1000):
        send(client, b"".join(encode("ZADD", "zset:%d" % k, *[w for m in range(5) for w in (k * (m + 1) % 1000, "m%d" % m)])
                              for k in range(at, at + 1000)))


def batches(make):
    return [b"".join(make() for _ in range(BATCH)) for _ in range(BATCHES)]


def one_of(n):
    return rnd.randrange(n)


fresh = iter(range(MEMBERS, 10 ** 7 - 1))
LOADS = [
    ("ZADD, new member", lambda: encode("ZADD", "z", one_of(1000000) / 4, member(next(fresh)))),
    ("ZADD, new score", lambda: encode("ZADD", "z", one_of(1000000) / 4, member(one_of(MEMBERS)))),
    ("ZINCRBY 1", lambda: encode("ZINCRBY", "z", 1, member(one_of(MEMBERS)))),
    ("ZSCORE", lambda: encode("ZSCORE", "z", member(one_of(MEMBERS)))),
    ("ZRANK", lambda: encode("ZRANK", "z", member(one_of(MEMBERS)))),
    ("ZRANGE of 10 by rank", lambda: (lambda at: encode("ZRANGE", "z", at, at + 9))(one_of(MEMBERS - 10))),
    ("ZRANGE of 10 by score", lambda: encode("ZRANGE", "z", one_of(250000), "inf", "BYSCORE", "LIMIT", 0, 10)),
    ("ZRANGE of 100 by rank", lambda: (lambda at: encode("ZRANGE", "z", at, at + 99))(one_of(MEMBERS - 100))),
    ("ZCOUNT", lambda: (lambda at: encode("ZCOUNT", "z", at, at + 1000))(one_of(240000))),
]


def measure(server, client, parts):
    cpu, clock = sum(cpu_seconds(server.pid)[:2]), time.monotonic()
    for p in parts:
        send(client, p)
    return sum(cpu_seconds(server.pid)[:2]) - cpu, time.monotonic() - clock


def memory(servers, what, count, fill):
    grown = {}
    for name, server in servers.items():
        with server.client() as c:
            before = field(c, "memory", "used_memory")
            fill(c)
            grown[name] = field(c, "memory", "used_memory") - before
    ours, theirs = grown["Stillframe"], grown["redis-server"]
    print("%-28s %8.1f %8.1f bytes each %6.2f" % (what, ours / count, theirs / count, ours / theirs), flush=True)


def compare(servers, clients, what, per, parts):
    """parts: for each round what is sent."""
    cpu, clock = {n: [] for n in servers}, {n: [] for n in servers}
    for p in parts:
        for name in servers:
            a, b = measure(servers[name], clients[name], p)
            cpu[name].append(a / per * 1e6)
            clock[name].append(b / per * 1e6)
    row = [statistics.median(x[n]) for x in (cpu, clock) for n in ("Stillframe", "redis-server")]
    print("%-28s %8.2f %8.2f us CPU %6.2f   %8.2f %8.2f us clock %6.2f" % (
        what, row[0], row[1], row[0] / row[1], row[2], row[3], row[2] / row[3]), flush=True)


def start_pinned(name, start, directory):
    where = os.path.join(directory, name)
    os.mkdir(where)
    server = start(where, "--save", "")
    subprocess.run(["taskset", "-a", "-p", "-c", "0", str(server.pid)], check=True, stdout=subprocess.DEVNULL)
    return server


def pinned_pair(directory):
    servers = {"Stillframe": start_pinned("a", resp.start_stillframe, directory),
               "redis-server": start_pinned("b", resp.start_redis_server, directory)}
    os.sched_setaffinity(0, {1})
    print("%-28s %8s %8s %13s" % ("", "ours", "theirs", "ratio"))
    return servers


def bench_zsets(servers):
    memory(servers, "a million of five members", SMALL, fill_small)
    for s in servers.values():
        with s.client() as c:
            c.call("FLUSHALL", "SYNC")
    ids = list(range(MEMBERS))
    rnd.shuffle(ids)
    memory(servers, "one of %d" % MEMBERS, MEMBERS, lambda c: fill_large(c, "z", ids))
    clients = {n: s.client() for n, s in servers.items()}
    for what, make in LOADS:
        compare(servers, clients, what, BATCH * BATCHES, [batches(make) for _ in range(ROUNDS)])
    for n in servers:
        fill_large(clients[n], "u1", range(1000000))
        fill_large(clients[n], "u2", range(500000, 1500000))
    for name in ("ZUNIONSTORE", "ZINTERSTORE"):
        compare(servers, clients, name + ", a member", 2000000, [[encode(name, "u3", 2, "u1", "u2")]] * ROUNDS)


def bench_sets(servers):
    clients = {n: s.client() for n, s in servers.items()}
    for client in clients.values():
        for key, first in (("s1", 0), ("s2", 500000)):
            for at in range(first, first + 1000000, 1000):
                send(client, encode("SADD", key, *[member(i) for i in range(at, at + 1000)]))
    for command in (["SINTERCARD", 2, "s1", "s2"], ["SINTER", "s1", "s2"], ["SINTERSTORE", "s3", "s1", "s2"], ["SUNIONSTORE", "s3", "s1", "s2"],
                    ["SDIFFSTORE", "s3", "s1", "s2"]):
        compare(servers, clients, command[0] + ", a member", 2000000, [[encode(*command)]] * ROUNDS)


def main():
    directory, servers = tempfile.mkdtemp(), {}
    try:
        servers.update(pinned_pair(directory))
        what = bench_sets if sys.argv[1:] == ["sets"] else bench_zsets
        what(servers)
    finally:
        for s in servers.values():
            s.kill()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
