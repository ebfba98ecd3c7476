#!/usr/bin/env python3
"""Figures over sockets, Stillframe beside redis-server, alternating in one run.

    tests/bench/server.py stall   how long the start of BGSAVE stalls the server: median of 100
                                  starts at 1, 5, 10 M keys
    tests/bench/server.py cpu     server CPU seconds per million SET and GET at pipeline 16
    tests/bench/server.py load    start-up: how long loading takes, by kind of value

Options: --keys 5000000 --rounds 3.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
import resp  # noqa: E402

WRITES = os.path.join(HERE, "../../build/tests/bench/bench_writes")
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) / TICKS, int(fields[12]) / TICKS)


def info(client, field):
    for line in client.call("INFO", "everything").decode(errors="replace").splitlines():
        if line.startswith(field + ":"):
            return line.split(":", 1)[1]
    return "0"


def wait_saved(client):
    while info(client, "rdb_bgsave_in_progress") != "0":
        time.sleep(0.01)


def start(kind, directory, *args):
    d = os.path.join(directory, kind)
    os.makedirs(d, exist_ok=True)
    run = resp.start_stillframe if kind == "stillframe" else resp.start_redis_server
    return run(d, "--save", "", "--enable-debug-command", "yes", *args)


def spread(values):
    return "%.4g (%.4g .. %.4g)" % (statistics.median(values), min(values), max(values))


def bench_stall(o, directory):
    print("stall at the start of BGSAVE, microseconds (latest_fork_usec), median (min .. max)")
    for keys in o.sizes:
        for kind, starts in (("stillframe", 100), ("redis", 3)):
            server = start(kind, directory, "--rdbcompression", "no")
            client = resp.Client(port=server.port)
            subprocess.run([WRITES, str(server.port), "fill", "strings100", str(keys)], check=True)
            stalls = []
            for _ in range(starts):
                client.call("BGSAVE")
                stalls.append(int(info(client, "latest_fork_usec")))
                if kind == "stillframe":
                    client.call("BGSAVE", "CANCEL")
                wait_saved(client)
            print("  %9d keys  %-10s  %3d starts  %s" % (keys, kind, starts, spread(stalls)), flush=True)
            server.stop()
            shutil.rmtree(os.path.join(directory, kind))


def bench_cpu(o, directory):
    print("server CPU seconds per million requests, redis-benchmark -P 16 -c 50, medians of %d rounds" % o.rounds)
    servers = {kind: start(kind, directory) for kind in ("stillframe", "redis")}
    totals = {}
    for _ in range(o.rounds):
        for test in ("set", "get"):
            for kind, server in servers.items():
                before = cpu_seconds(server.pid)
                n = 2000000
                subprocess.run(["redis-benchmark", "-p", str(server.port), "-t", test, "-n", str(n), "-P", "16", "-c", "50",
                                "-r", "1000000", "-d", "100", "-q"], capture_output=True, check=True)
                after = cpu_seconds(server.pid)
                totals.setdefault((test, kind), []).append([(a - b) * 1e6 / n for a, b in zip(after, before)])
    for test in ("set", "get"):
        for kind in servers:
            user = statistics.median(x[0] for x in totals[test, kind])
            system = statistics.median(x[1] for x in totals[test, kind])
            print("  %-4s %-10s  user %.3f  system %.3f  both %.3f" % (test, kind, user, system, user + system), flush=True)
    for s in servers.values():
        s.stop()


# What is loaded, and which part of --keys: elements, of one huge key.
KINDS = [("strings", 1), ("texts", 2), ("kilobytes", 4), ("integers", 1), ("hashes", 4), ("sets", 4), ("intsets", 4), ("zsets", 4),
         ("lists", 4), ("hash", 2), ("set", 2), ("zset", 2), ("list", 2)]
RELOAD = os.path.join(HERE, "../../build/tests/bench/bench_reload")


def load_once(kind, directory, args):
    """Seconds from the start of the process until it answers, its CPU seconds then."""
    begin = time.time()
    server = start(kind, directory, *args)
    client = resp.Client(port=server.port)
    while info(client, "loading") != "0":
        time.sleep(0.01)
    seconds, cpu, keys = time.time() - begin, sum(cpu_seconds(server.process.pid)), client.call("DBSIZE")
    client.close()
    server.stop()
    return seconds, cpu, keys


def bench_load(o, directory):
    print("loading at start from a file in memory, Stillframe and Redis alternating, median of %d rounds" % o.rounds)
    print("| kind | keys or elements | file, MB | seconds | Redis | CPU seconds | Redis | M a CPU second | Redis |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind, part in KINDS:
        count = o.keys // part
        made = os.path.join(directory, "made.rdb")
        subprocess.run([RELOAD, "make", kind, str(count), made], check=True)
        times = {"stillframe": [], "redis": []}
        for server in times:
            os.makedirs(os.path.join(directory, server), exist_ok=True)
            link = os.path.join(directory, server, "dump.rdb")
            if os.path.exists(link):
                os.unlink(link)
            os.link(made, link)
        for _ in range(o.rounds):
            for server in times:
                seconds, cpu, keys = load_once(server, directory, [])
                assert keys == (count if count == o.keys or kind.endswith("s") else 1), keys
                times[server].append((seconds, cpu))
        seconds, cpu = ({s: statistics.median(x[i] for x in t) for s, t in times.items()} for i in (0, 1))
        print("| %s | %d | %.0f | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |" % (
            kind, count, os.path.getsize(made) / 1e6, seconds["stillframe"], seconds["redis"], cpu["stillframe"],
            cpu["redis"], count / cpu["stillframe"] / 1e6, count / cpu["redis"] / 1e6), flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("what", choices=["stall", "cpu", "load"])
    p.add_argument("--keys", type=int, default=5000000)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--sizes", type=lambda s: [int(x) for x in s.split(",")], default=[1000000, 5000000, 10000000])
    o = p.parse_args()
    directory = tempfile.mkdtemp(prefix="bench-", dir=os.environ.get("BENCH_DIR"))
    try:
        {"stall": bench_stall, "cpu": bench_cpu, "load": bench_load}[o.what](o, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
