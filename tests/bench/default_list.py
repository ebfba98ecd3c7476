#!/usr/bin/env python3
"""All of redis-benchmark's default list beside redis-server: make bench BENCH=types.

  - redis-benchmark --csv -c 50 -n 100000 at -P 1 and -P 16, test by test, alternating; server and
    client each on a core of its own: throughput, the server's CPU seconds per million requests,
    their ratios, per row and over the whole list
  - memory of a million small hashes, lists, sets, sorted sets

  ROUNDS=n     rounds of each, medians (3)
  REQUESTS=n   per run (100000)
  BENCH_TESTS  only these tests
  CALLGRIND=1  where the instructions go: rows of test, server
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from loop import KINDS, cpu_seconds, field, rss_bytes  # noqa: E402
import resp  # noqa: E402 - loop has set the path

ROUNDS = int(os.environ.get("ROUNDS", "3"))
REQUESTS = int(os.environ.get("REQUESTS", "100000"))
TESTS = ["ping_inline", "ping_mbulk", "set", "get", "incr", "lpush", "rpush", "lpop", "rpop", "sadd", "hset", "spop", "zadd",
         "zpopmin", "lrange_100", "lrange_300", "lrange_500", "lrange_600", "mset"]
COUNT = 1000000


def fill(client, test):
    """What redis-benchmark's list in its order leaves for this test: a list as long as the run, and
    so on."""
    client.call("FLUSHALL")
    if test in ("lpop", "rpop"):
        for _ in range(0, REQUESTS + 1000, 1000):
            client.call("LPUSH", "mylist", *["xxx"] * 1000)
    elif test == "spop":
        for i in range(0, REQUESTS, 1000):
            client.call("SADD", "myset", *["element:%012d" % n for n in range(i, i + 1000)])
    elif test == "zpopmin":
        for i in range(0, REQUESTS, 1000):
            client.call("ZADD", "myzset", *[w for n in range(i, i + 1000) for w in (n, "element:%012d" % n)])
    elif test.startswith("lrange"):  # redis-benchmark pushes as many elements as it makes requests
        for _ in range(0, REQUESTS, 1000):
            client.call("LPUSH", "mylist", *["xxx"] * 1000)


def run(server, test, pipeline, directory):
    """Requests per second, user and system seconds per million of them."""
    out = os.path.join(directory, "csv")
    before = cpu_seconds(server.pid)
    with open(out, "w", encoding="ascii") as f:
        subprocess.run(["taskset", "-c", "1", "redis-benchmark", "-p", str(server.port), "-t", test, "-c", "50", "-n", str(REQUESTS),
                        "-P", str(pipeline), "--csv"], stdout=f, stderr=subprocess.DEVNULL, check=True)
    after = cpu_seconds(server.pid)
    with open(out, encoding="ascii") as f:
        rows = [line.strip().strip('"').split('","') for line in f]
    rate = float([r for r in rows if len(r) > 2 and "needed to benchmark" not in r[0]][-1][1])
    return rate, (after[0] - before[0]) * 1e6 / REQUESTS, (after[1] - before[1]) * 1e6 / REQUESTS


def measured(server, test, pipeline, directory):
    with server.client() as c:
        fill(c, test)
    rate, user, system = run(server, test, pipeline, directory)
    if test.startswith("lrange"):  # redis-benchmark fills the list before it measures: that is measured apart and taken off
        _, fill_user, fill_system = run(server, "lpush", pipeline, directory)
        user, system = max(user - fill_user, 0), max(system - fill_system, 0)
    return rate, user, system


def start_pinned(name, start, directory):
    where = os.path.join(directory, name)
    os.mkdir(where)
    server = start(where, "--save", "")
    subprocess.run(["taskset", "-a", "-p", "-c", "0", str(server.pid)], check=True, stdout=subprocess.DEVNULL)
    return server


def has_test(servers, test):
    words = {"ping_inline": "PING", "ping_mbulk": "PING"}.get(test, test.split("_")[0].upper())
    with servers["Stillframe"].client() as c:
        return isinstance(c.call("COMMAND", "INFO", words)[0], list)


def print_row(pipeline, test, a, b):
    print("| %s | %s | %.2f | %.2f | %.2f | **%.2f** | %.2f | %.2f | **%.2f** |" % (
        pipeline, test, a[0] / b[0], a[1], b[1], a[1] / b[1] if b[1] else 0, a[1] + a[2], b[1] + b[2],
        (a[1] + a[2]) / (b[1] + b[2]) if b[1] + b[2] else 0), flush=True)


def bench_list(directory):
    servers = {name: start_pinned(name, start, directory) for name, start in KINDS}
    tests = [t for t in os.environ.get("BENCH_TESTS", ",".join(TESTS)).split(",") if has_test(servers, t)]
    print("| -P | test | throughput, of Redis's | user s per M | Redis | ratio | all s per M | Redis | ratio |\n"
          "|---|---|---|---|---|---|---|---|---|")
    for pipeline in (1, 16):
        totals = {name: [0, 0, 0] for name in servers}
        for test in tests:
            results = {name: [] for name in servers}
            for _ in range(ROUNDS):
                for name, server in servers.items():
                    results[name].append(measured(server, test, pipeline, directory))
            medians = {name: [statistics.median(column) for column in zip(*results[name])] for name in servers}
            print_row(pipeline, test, *medians.values())
            for name, (rate, user, system) in medians.items():
                for i, value in enumerate((1e6 / rate, user, system)):  # seconds of the whole list add up
                    totals[name][i] += value
        a, b = ([len(tests) * 1e6 / t[0], t[1], t[2]] for t in totals.values())
        print_row(pipeline, "**the whole list**", a, b)
    for server in servers.values():
        server.kill()


SMALL = [("hash of 5 fields", lambda i: ["HSET", "k:%d" % i] + [w for n in range(5) for w in ("field%d" % n, "value%d" % (i % 97))]),
         ("list of 5 elements", lambda i: ["RPUSH", "k:%d" % i] + ["value%d" % ((i + n) % 97) for n in range(5)]),
         ("set of 5 integers", lambda i: ["SADD", "k:%d" % i] + [str(i % 1000 + n * 7) for n in range(5)]),
         ("set of 5 strings", lambda i: ["SADD", "k:%d" % i] + ["member%d" % (i % 97 + n) for n in range(5)]),
         ("sorted set of 5", lambda i: ["ZADD", "k:%d" % i] + [w for n in range(5) for w in (n * 10 + i % 7, "member%d" % n)])]


def bench_memory(directory):
    print("\n| a million of | Stillframe, bytes each | rss | Redis | rss | ratio used | ratio rss |\n|---|---|---|---|---|---|---|")
    for what, command in SMALL:
        row = []
        for _, start in KINDS:
            server = start(tempfile.mkdtemp(dir=directory), "--save", "")
            with server.client() as c:
                if not isinstance(c.call("COMMAND", "INFO", command(0)[0])[0], list):
                    server.kill()
                    break
                used, rss = field(c, "memory", "used_memory"), rss_bytes(server.pid)
                for i in range(0, COUNT, 1000):
                    c.pipeline([command(k) for k in range(i, i + 1000)])
                row += [(field(c, "memory", "used_memory") - used) / COUNT, (rss_bytes(server.pid) - rss) / COUNT]
            server.kill()
        if len(row) == 4:
            print("| %s | %.0f | %.0f | %.0f | %.0f | **%.2f** | **%.2f** |" % (what, *row, row[0] / row[2], row[1] / row[3]), flush=True)


def callgrind(binary, test, directory):
    """The functions with the most instructions of their own in this test at -P 16."""
    port, out = resp.free_port(), os.path.join(directory, "callgrind.out")
    with subprocess.Popen(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out, binary, "--port", str(port), "--save", "",
                           "--dir", directory], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
        def answers():
            try:
                with resp.Client(port) as c:
                    return c.call("PING") == b"PONG"
            except OSError:
                return False
        resp.wait_until(answers, seconds=60)
        with resp.Client(port) as c:
            fill(c, test)
        subprocess.run(["redis-benchmark", "-p", str(port), "-t", test, "-P", "16", "-c", "50", "-n", "20000", "-q"],
                       stdout=subprocess.DEVNULL, check=True)
        with resp.Client(port) as c:
            c.send("SHUTDOWN", "NOSAVE")
        p.wait()
    return subprocess.run(["callgrind_annotate", out], capture_output=True, text=True, check=True).stdout


def bench_callgrind(directory):
    for test in os.environ.get("BENCH_TESTS", ",".join(TESTS)).split(","):
        for binary in (resp.STILLFRAME_SERVER, resp.redis_server()):
            text = callgrind(binary, test, directory)
            lines = [line for line in text.splitlines() if "%)" in line][:14]
            print("== %s %s\n%s" % (test, os.path.basename(binary), "\n".join(line[:150] for line in lines)), flush=True)


def main():
    directory = tempfile.mkdtemp()
    try:
        if os.environ.get("CALLGRIND") == "1":
            bench_callgrind(directory)
        else:
            bench_list(directory)
            bench_memory(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
