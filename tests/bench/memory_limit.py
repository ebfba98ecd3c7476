#!/usr/bin/env python3
"""A save under snapshot-memory-limit while writers do what they can: make bench BENCH=memory-limit.

1,000,000 strings of 100 bytes, and a hash, a list, a sorted set and a string that are as much again
together.  Of each load, and of all at once, a row: how large the process was before the save and at
most (VmHWM; "x": the ratio, which 1.25 bounds by default), how long the save and its throttling
were, and how long a write and a read of a client of their own took without a save and within it,
in milliseconds.  The clients write without waiting for one another, in pipelines of 16.

  KEYS=n       strings (1000000)             RATE=n      MB a second that the disk takes (0: all)
  LIMIT="25%"  snapshot-memory-limit         LOADS="set setrange hset huge list zset all"
  CGROUP=dir   an empty memory cgroup of version 1 or 2 that the server is started in; during the
               save its limit is 1.25 times what the process had before it, and the server must
               survive that.  "group" is what the group held at most, page cache and the kernel's
               memory included; above the limit the system ends the process.  Unset: none
"""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import resp  # noqa: E402

KEYS = int(os.environ.get("KEYS", "1000000"))
RATE = int(float(os.environ.get("RATE", "0")) * 1000000)
LIMIT = os.environ.get("LIMIT", "25%")
LOADS = os.environ.get("LOADS", "set setrange hset huge list zset all").split()
CGROUP = os.environ.get("CGROUP")
MB = 1000000
MANY = KEYS // 5  # elements of the hash, of the list, of the sorted set
HUGE = KEYS * 40  # bytes of the huge string
QUIET_S = 3

COMMANDS = {
    "set": lambda r, i: ("SET", "s%d" % r.randrange(KEYS), "%0100d" % i),
    "setrange": lambda r, i: ("SETRANGE", "s%d" % r.randrange(KEYS), 0, "%090d" % i),
    "hset": lambda r, i: ("HSET", "hash", "f%d" % r.randrange(MANY), "%040d" % i),
    "huge": lambda r, i: ("SETRANGE", "huge", r.randrange(HUGE - 600), "z" * 512),
    "list": lambda r, i: ("LPUSH", "list", "%040d" % i) if i % 2 == 0 else ("RPOP", "list"),
    "zset": lambda r, i: ("ZADD", "zset", r.randrange(1000000), "m%d" % r.randrange(MANY)),
}


def status(server, name):
    with open("/proc/%d/status" % server.pid, encoding="ascii") as f:
        return int(re.search(name + r":\s+(\d+) kB", f.read()).group(1)) * 1024


def forget_peak(server):
    with open("/proc/%d/clear_refs" % server.pid, "w", encoding="ascii") as f:
        f.write("5")


def info(client):
    return dict(line.split(":", 1) for line in client.call("INFO", "everything").decode().split("\r\n")
                if ":" in line and not line.startswith("#"))


def build(c):
    def batches(commands, size=1000):
        batch = []
        for command in commands:
            batch.append(command)
            if len(batch) == size:
                c.pipeline(batch)
                batch = []
        c.pipeline(batch)
    batches(("SET", "s%d" % i, "x" * 100) for i in range(KEYS))
    batches((("HSET", "hash") + tuple(w for k in range(i, i + 100) for w in ("f%d" % k, "v" * 40))
             for i in range(0, MANY, 100)), 20)
    batches((("RPUSH", "list") + tuple("%040d" % k for k in range(i, i + 100)) for i in range(0, MANY, 100)), 20)
    batches((("ZADD", "zset") + tuple(w for k in range(i, i + 100) for w in (k, "m%d" % k)) for i in range(0, MANY, 100)), 20)
    c.call("SETRANGE", "huge", HUGE, "x")


def write_until_killed(port, name, seed):
    """In a process of its own."""
    rnd, commands = random.Random(seed), COMMANDS[name]
    with resp.Client(port=port) as c:
        made = [b"".join(resp.pack(*commands(rnd, i)) for i in range(k, k + 16)) for k in range(0, 64000, 16)]
        while True:
            for batch in made:
                c.send_raw(batch)
                for _ in range(16):
                    c.read()


class Probe(threading.Thread):
    """One command after the other, each timed: two kinds of times, without and within a save."""

    def __init__(self, server, command):
        super().__init__(daemon=True)
        self.client, self.command = server.client(), command
        self.times, self.within, self.stopped = ([], []), False, False

    def run(self):
        i = 0
        while not self.stopped:
            i += 1
            within, began = self.within, time.perf_counter()
            self.client.call(*self.command(i))
            self.times[within].append((time.perf_counter() - began) * 1000)
            time.sleep(0.0005)

    def row(self):
        out = []
        for times in self.times:
            times.sort()
            out.append("/".join("%.1f" % times[min(len(times) - 1, int(len(times) * q))] for q in (0.5, 0.99, 0.999, 1))
                       if times else "-")
        return out


def group_file(version_2, version_1):
    is_2 = os.path.exists(os.path.join(CGROUP, "memory.max"))
    return os.path.join(CGROUP, version_2 if is_2 else version_1)


def write_to(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def join_group(server):
    """Before it has any data: what a process has when it joins is not the group's."""
    limit = group_file("memory.max", "memory.limit_in_bytes")
    write_to(limit, "max" if limit.endswith("max") else "-1")
    write_to(os.path.join(CGROUP, "cgroup.procs"), str(server.pid))


def confine(bytes_):
    write_to(group_file("memory.max", "memory.limit_in_bytes"), str(bytes_))
    peak = group_file("memory.peak", "memory.max_usage_in_bytes")
    try:
        write_to(peak, "0")
    except OSError:  # version 2 before Linux 6.12: since the group was made
        pass


def group_peak():
    with open(group_file("memory.peak", "memory.max_usage_in_bytes"), encoding="ascii") as f:
        return int(f.read())


def measure(name, directory):
    server = resp.start_stillframe(directory, "--save", "", "--rdbcompression", "no", "--snapshot-memory-limit", LIMIT,
                                   "--snapshot-rate-limit", str(RATE), "--snapshot-throttle-timeout", "0")
    if CGROUP:
        join_group(server)
    c = server.client(timeout=600)
    build(c)
    loads = list(COMMANDS) if name == "all" else [name]
    writers = [subprocess.Popen([sys.executable, __file__, "write", str(server.port), load, str(i)])
               for i, load in enumerate(loads * (1 if name == "all" else 2))]
    probes = [Probe(server, lambda i: ("SET", "s%d" % (i * 7919 % KEYS), "%0100d" % i)),
              Probe(server, lambda i: ("GET", "s%d" % (i * 7919 % KEYS)))]
    try:
        time.sleep(QUIET_S)
        for p in probes:
            p.start()
        time.sleep(QUIET_S)
        forget_peak(server)
        before = status(server, "VmRSS")
        if CGROUP:
            confine(before * 5 // 4)
        for p in probes:
            p.within = True
        c.call("BGSAVE")
        began = time.monotonic()
        resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in c.call("INFO", "persistence"), 600, 0.02, "the save")
        took = time.monotonic() - began
        for p in probes:
            p.stopped = True
        at_most = status(server, "VmHWM")
        facts = info(c)
    finally:
        for w in writers:
            w.kill()
            w.wait()
    for p in probes:
        p.join()
    rows = [p.row() for p in probes]
    print("%-9s %7.0f %7.0f  %.3f %7.2f %8.2f %6s  %-22s %-22s %-22s %-22s" % (
        name, before / MB, at_most / MB, at_most / before, took, int(facts["snapshot_throttled_usec"]) / 1e6,
        facts["rdb_last_bgsave_status"], rows[0][0], rows[0][1], rows[1][0], rows[1][1])
          + (" group %.0f of %.0f" % (group_peak() / MB, before * 5 / 4 / MB) if CGROUP else ""), flush=True)

    server.kill()
    return at_most / before


def main():
    print("KEYS=%d LIMIT=%s RATE=%d MB/s%s; times in ms: p50/p99/p99.9/longest" % (
        KEYS, LIMIT, RATE // MB, " in a cgroup of 1.25 times" if CGROUP else ""))
    print("%-9s %7s %7s  %5s %7s %8s %6s  %-22s %-22s %-22s %-22s" % (
        "load", "MB", "at most", "x", "save s", "throttle", "status", "write without", "write within", "read without",
        "read within"))
    for name in LOADS:
        directory = tempfile.mkdtemp(prefix="stillframe-bench-")
        try:
            measure(name, directory)
        finally:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write_until_killed(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    else:
        main()
