#!/usr/bin/env python3
"""Scripts, users' rights and TLS beside redis-server: make bench BENCH="scripts acl tls".

  scripts   EVAL of a small script, EVALSHA of one with five calls, FCALL, a round trip of cjson
  acl       GET, SET and MGET of ten keys for a user with key patterns, beside one without
  tls       GET and SET of 100 bytes and of 100 KB by redis-benchmark --tls

The server's CPU time per command, and by the clock; both servers hold the same data and take turns;
medians of ROUNDS (5) rounds; server and client each on a core of its own.

  BATCHES=n   of 500 commands a round (100)
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from zset import encode, pinned_pair, send, start_pinned  # noqa: E402
import resp  # noqa: E402 - zset has set the path
import tls  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "5"))
BATCH, BATCHES = 500, int(os.environ.get("BATCHES", "100"))
KEYS = 1000
FIVE_CALLS = ("redis.call('set', KEYS[1], ARGV[1]) redis.call('expire', KEYS[1], 100) redis.call('incr', KEYS[2]) "
              "local n = redis.call('hincrby', KEYS[3], 'f', 1) return {redis.call('get', KEYS[1]), n}")
ROUND_TRIP = "local v = cjson.decode(ARGV[1]) v.count = v.count + 1 return cjson.encode(v)"
DOCUMENT = '{"id":4711,"name":"a name of some length","tags":["a","b","c"],"nested":{"x":1.5,"y":null},"count":7}'
LIBRARY = "#!lua name=l\nredis.register_function('read', function(keys) return redis.call('get', keys[1]) end)"


def batches(make):
    return [b"".join(make(i * BATCH + k) for k in range(BATCH)) for i in range(BATCHES)]


def cpu_us(server):
    """Of all its threads; finer than the ticks of /proc/PID/stat."""
    total, tasks = 0, "/proc/%d/task" % server.pid
    for task in os.listdir(tasks):
        with open(os.path.join(tasks, task, "schedstat")) as f:
            total += int(f.read().split()[0])
    return total / 1e3


def measure(server, client, parts):
    """CPU and clock, in us a command."""
    cpu, clock = cpu_us(server), time.monotonic()
    for p in parts:
        send(client, p)
    return (cpu_us(server) - cpu) / (BATCH * len(parts)), (time.monotonic() - clock) * 1e6 / (BATCH * len(parts))


def tell(what, took, names):
    row = [statistics.median(t[i] for t in took[n]) for i in (0, 1) for n in names]
    print("%-28s %8.2f %8.2f us CPU %6.2f   %8.2f %8.2f us clock %6.2f" % (
        what, row[0], row[1], row[0] / row[1], row[2], row[3], row[2] / row[3]), flush=True)


def key(i):
    return "key:%d" % (i * 7919 % KEYS)


def fill(client):
    client.pipeline([["SET", key(i), "x" * 100] for i in range(KEYS)])


def bench_scripts(servers):
    clients = {n: s.client() for n, s in servers.items()}
    for c in clients.values():
        fill(c)
        sha = c.call("SCRIPT", "LOAD", FIVE_CALLS)
        c.call("FUNCTION", "LOAD", LIBRARY)
    for what, make in (
            ("EVAL of one GET", lambda i: encode("EVAL", "return redis.call('get', KEYS[1])", 1, key(i))),
            ("EVALSHA of five calls", lambda i: encode("EVALSHA", sha, 3, "w:%d" % (i % KEYS), "n", "h", "a value")),
            ("EVAL, cjson round trip", lambda i: encode("EVAL", ROUND_TRIP, 0, DOCUMENT)),
            ("FCALL of one GET", lambda i: encode("FCALL", "read", 1, key(i)))):
        parts, took = batches(make), {n: [] for n in servers}
        for _ in range(ROUNDS):
            for n, s in servers.items():
                took[n].append(measure(s, clients[n], parts))
        tell(what, took, servers)


def bench_acl(servers):
    """Each server beside itself: what the patterns cost."""
    plain, limited = ({n: s.client() for n, s in servers.items()} for _ in range(2))
    for n in servers:
        fill(plain[n])
        plain[n].call("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~other:*", "%R~ro:*", "~key:*", "&news:*")
        limited[n].call("AUTH", "u", "x")
    print("%-28s %8s %8s" % ("", "with", "without"))
    for what, make in (("GET", lambda i: encode("GET", key(i))), ("SET", lambda i: encode("SET", key(i), "x" * 100)),
                       ("MGET of ten", lambda i: encode("MGET", *[key(i + k) for k in range(10)]))):
        parts = batches(make)
        for n, s in servers.items():
            took = {"with": [], "without": []}
            for _ in range(ROUNDS):
                took["without"].append(measure(s, plain[n], parts))
                took["with"].append(measure(s, limited[n], parts))
            tell("%s, %s" % (what, n), took, ("with", "without"))


def benchmark(server, port, command, size, requests):
    """Server CPU and clock, in us a command."""
    cpu, clock = cpu_us(server), time.monotonic()
    subprocess.run(["taskset", "-c", "1", "redis-benchmark", "--tls", "--insecure", "-p", str(port), "-t", command, "-d", str(size),
                    "-n", str(requests), "-r", "1000", "-c", "20", "-q"], check=True, stdout=subprocess.DEVNULL)
    return (cpu_us(server) - cpu) / requests, (time.monotonic() - clock) / requests * 1e6


def bench_tls(servers, ports):
    for what, command, size, requests in (("SET of 100 bytes", "set", 100, 30000), ("GET of 100 bytes", "get", 100, 30000),
                                          ("SET of 100 KB", "set", 102400, 2000), ("GET of 100 KB", "get", 102400, 2000)):
        took = {n: [] for n in servers}
        for _ in range(ROUNDS):
            for n, s in servers.items():
                took[n].append(benchmark(s, ports[n], command, size, requests))
        tell(what, took, servers)


def with_tls(directory, servers):
    """Both servers with a port for TLS; returns those."""
    tls.setUpModule()
    ports = {}
    for name, start in (("Stillframe", resp.start_stillframe), ("redis-server", resp.start_redis_server)):
        ports[name] = resp.free_port()
        options = ("--tls-port", ports[name], "--tls-cert-file", tls.path("server.crt"), "--tls-key-file", tls.path("server.key"),
                   "--tls-ca-cert-file", tls.path("ca.crt"), "--tls-auth-clients", "no")
        servers[name] = start_pinned(name, lambda where, *args, s=start, o=options: s(where, *args, *map(str, o)), directory)
    return ports


def main():
    what, directory, servers = sys.argv[1], tempfile.mkdtemp(), {}
    try:
        if what == "tls":
            bench_tls(servers, with_tls(directory, servers))
        else:
            servers.update(pinned_pair(directory))
            {"scripts": bench_scripts, "acl": bench_acl}[what](servers)
    finally:
        for s in servers.values():
            s.kill()
        if tls.CERTS is not None:
            tls.tearDownModule()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
