#!/usr/bin/env python3
"""A save beside writers, Stillframe and redis-server in turn: make bench BENCH=save.

    tests/bench/save.py [options]            make bench BENCH=save SAVE="--quick"

Of each kind of data, load and form of the file, and of both servers, a row in each of two tables.
What is measured, a round: the load runs; for --seconds nothing else does ("without"); then saves
follow one another until they have taken --seconds in all, at least one ("within": the probes and
writes in the windows of the saves only, by the clock); then one more save whose memory is looked
at (Pss of all processes of the server, every 20 ms, which costs processor time: so it is not one of
the saves before).  bench_writes.c says what the load and the probe are.

  data  strings100 strings1k (random bytes), text100 text1k (words), mixed (all types, small and
        middle), hash list zset string (one huge key, 512 MB the string)
  load  0 (the probe alone), a number of writes a second, full
  form  of rdbcompression: no, yes (LZF), lz4 (not Redis)

"Growth" is the highest memory in a save above that just before the saves.  CPU seconds are of one
save: of the event loop's thread, load included; of the sweepers and the writer; of Redis's child.
"Loop waits": for how much of the time the event loop had work and no processor, because other
threads had them, of this benchmark, of the save, or of whatever else the machine runs: where that
is much without a save, the latencies of the row say more about the machine than about the server.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
sys.path.insert(0, HERE)
import plot  # noqa: E402
import resp  # noqa: E402

WRITES = os.path.join(HERE, "../../build/tests/bench/bench_writes")
MB = 1000000
TICKS = os.sysconf("SC_CLK_TCK")
KINDS = ("redis", "stillframe")  # in this order: a plot is as long as Redis's save
# How many of --keys: keys, elements of the huge key, bytes of the huge string.
DATA = {"strings100": 1, "strings1k": 1 / 4, "text100": 1, "text1k": 1 / 4, "mixed": 1 / 4, "hash": 1 / 5, "list": 1 / 5,
        "zset": 1, "string": 107.3741824}
POLL_S = 0.002
GAP_S = 1.0  # between the first save and the next, for a plot


class Watch(threading.Thread):
    """The highest Pss of a server and its children."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.ended = pid, 0, threading.Event()

    def run(self):
        self.peak = pss_bytes(self.pid)
        while not self.ended.wait(0.02):
            self.peak = max(self.peak, pss_bytes(self.pid))


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
        return [int(child) for child in f.read().split()]


def pss_bytes(pid):
    total = 0
    try:
        with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
            total = sum(int(line.split()[1]) * 1024 for line in f if line.startswith("Pss:"))
        return total + sum(pss_bytes(child) for child in children(pid))
    except OSError:  # a child that has ended
        return total


def cpu_seconds(pid):
    """Of each thread by its name; the first is called "loop"; "child": of ended children; "waits":
    that the loop wanted a processor and had none."""
    times = {}
    for task in os.listdir("/proc/%d/task" % pid):
        base = "/proc/%d/task/%s/" % (pid, task)
        with open(base + "comm", encoding="ascii") as f:
            name = "loop" if int(task) == pid else f.read().strip()
        with open(base + "schedstat", encoding="ascii") as f:
            ran, waited = (int(x) / 1e9 for x in f.read().split()[:2])
        times[name] = times.get(name, 0) + ran
        if name == "loop":
            times["waits"] = waited
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    times["child"] = (int(fields[13]) + int(fields[14])) / TICKS
    return times


def info(client, section="persistence"):
    return dict(line.split(":", 1) for line in client.call("INFO", section).decode().split("\r\n")
                if ":" in line and not line.startswith("#"))


def save(client, starts):
    """One background save: when it began and ended; what its start took is appended to starts."""
    begin = time.monotonic()
    client.call("BGSAVE")
    while True:
        facts = info(client)
        end = time.monotonic()
        if facts["rdb_bgsave_in_progress"] == "0":
            break
        time.sleep(POLL_S)
    assert facts["rdb_last_bgsave_status"] == "ok", facts
    starts.append(int(info(client, "stats")["latest_fork_usec"]))
    return begin, end


class Load:
    """bench_writes while it runs, and what it wrote about it: probes and writes."""

    def __init__(self, server, data, count, rate, path):
        self.path = path
        self.process = subprocess.Popen([WRITES, str(server.port), "run", data, str(count), rate, path], stdin=subprocess.PIPE)

    def end(self):
        self.process.stdin.close()
        assert self.process.wait() == 0, "bench_writes failed"
        self.probes, self.writes = [], []
        with open(self.path, encoding="ascii") as f:
            for line in f:
                kind, x, y = line.split()
                if kind == "c":
                    self.cpu = float(x)
                else:
                    (self.probes if kind == "p" else self.writes).append((float(x), float(y)))

    def latencies(self, windows):
        """Of the probes that were on their way in one of the windows, in microseconds."""
        return [us for at, us in self.probes if any(at < end and at + us / 1e6 > begin for begin, end in windows)]

    def written(self, windows):
        """(Writes, seconds) of these windows."""
        return sum(self._at(end) - self._at(begin) for begin, end in windows), sum(end - begin for begin, end in windows)

    def _at(self, t):
        """Writes answered at t, between two notes in proportion."""
        low, high = 0, len(self.writes)
        while low < high:
            mid = (low + high) // 2
            low, high = (mid + 1, high) if self.writes[mid][0] < t else (low, mid)
        if low == 0 or low == len(self.writes):
            return self.writes[min(low, len(self.writes) - 1)][1] if self.writes else 0
        (t0, n0), (t1, n1) = self.writes[low - 1], self.writes[low]
        return n0 + (n1 - n0) * (t - t0) / (t1 - t0)


class Cell:
    """What the rounds of one server under one load and form brought."""

    def __init__(self):
        self.starts, self.durations, self.growths, self.bases, self.cpu = [], [], [], [], []
        self.without, self.within, self.rates, self.size, self.waits = [], [], ([], []), 0, ([], [])
        self.timeline = None

    def figures(self):
        rates = [sum(n for n, _ in part) / sum(s for _, s in part) for part in self.rates]
        return {
            "start_us": statistics.median(self.starts), "start_max_us": max(self.starts), "saves": len(self.starts),
            "save_s": statistics.median(self.durations), "file_bytes": self.size,
            "growth_bytes": statistics.median(self.growths), "memory_bytes": statistics.median(self.bases),
            "rate_without": rates[0], "rate_within": rates[1],
            "without_us": percentiles(self.without), "within_us": percentiles(self.within),
            "cpu_s": {name: statistics.mean(c.get(name, 0) for c in self.cpu) for name in sorted({n for c in self.cpu for n in c})},
            "waits": [statistics.mean(part) for part in self.waits]}


def percentiles(us):
    us = sorted(us)
    return [us[min(len(us) - 1, int(len(us) * q))] for q in (0.5, 0.99, 0.999, 1)] if us else [0] * 4


def measure(cell, server, o, data, rate, gap_s):
    """One round; returns how long the first save was."""
    client = server.client(timeout=600)
    load = Load(server, data, o.counts[data], rate, os.path.join(o.directory, "load.txt"))
    time.sleep(0.5)
    cpu = [cpu_seconds(server.pid)]
    quiet = [(time.monotonic(), time.monotonic() + o.seconds)]
    time.sleep(o.seconds)
    cpu.append(cpu_seconds(server.pid))
    base = pss_bytes(server.pid)
    time.sleep(0.1)
    before, windows, spent = cpu_seconds(server.pid), [], []
    while sum(end - begin for begin, end in windows) < o.seconds:
        before = cpu_seconds(server.pid)
        windows.append(save(client, cell.starts))
        after = cpu_seconds(server.pid)
        spent.append({name: after[name] - before.get(name, 0) for name in after})
        if len(windows) == 1:
            first = windows[0][1] - windows[0][0]
            time.sleep(max(GAP_S, gap_s - first + GAP_S) if o.plots and cell.timeline is None else 0)
    watch = Watch(server.pid)
    watch.start()
    save(client, cell.starts)
    watch.ended.set()
    watch.join()
    load.end()
    client.close()
    cell.growths.append(watch.peak - base)
    cell.bases.append(base)
    cell.durations += [end - begin for begin, end in windows]
    cell.size = os.path.getsize(os.path.join(server.directory, "dump.rdb"))
    cell.without += load.latencies(quiet)
    cell.within += load.latencies(windows)
    for part, w in zip(cell.rates, (quiet, windows)):
        part.append(load.written(w))
    cell.waits[0].append((cpu[1]["waits"] - cpu[0]["waits"]) / o.seconds)
    cell.waits[1].append(sum(s["waits"] for s in spent) / sum(end - begin for begin, end in windows))
    cell.cpu += spent
    if cell.timeline is None:
        cell.timeline = (load.probes, windows)
    return first


FORM_NAMES = {"no": "none", "yes": "LZF", "lz4": "LZ4"}
SERVER_NAMES = {"stillframe": "Stillframe", "redis": "Redis"}
HEADS = ("| server | load | form | start, us: median, largest | save, s | file, MB | growth, MB | of memory "
         "| CPU s of a save: loop | sweepers | writer | child |\n|---|---|---|---|---|---|---|---|---|---|---|---|",
         "| server | load | form | writes/s without | within | ratio | probe, us, without: p50 / p99 / p99.9 / max "
         "| within | loop waits, %: without, within |\n|---|---|---|---|---|---|---|---|---|")


def load_name(rate):
    return {"0": "no load", "full": "full speed"}.get(rate) or "{:,}/s".format(int(rate))


def rows(kind, rate, form, f):
    """A row of each table."""
    head = "| %s | %s | %s " % (SERVER_NAMES[kind], load_name(rate), FORM_NAMES[form])
    cpu, probe = f["cpu_s"], lambda us: " / ".join("{:,.0f}".format(x) for x in us)
    threads = ["%.2f" % cpu[n] if n in cpu and (n != "child" or kind == "redis") else "" for n in ("sweeper", "writer", "child")]
    ratio = "**%.2f**" % (f["rate_within"] / f["rate_without"]) if f["rate_without"] else ""
    return (head + "| {:,.0f}, {:,.0f} | {:.2f} | {:.0f} | {:.1f} | {:.2f} % | {:.2f} | {} |".format(
        f["start_us"], f["start_max_us"], f["save_s"], f["file_bytes"] / MB, f["growth_bytes"] / MB,
        100 * f["growth_bytes"] / f["memory_bytes"], cpu["loop"], " | ".join(threads)),
        head + "| {:,.0f} | {:,.0f} | {} | {} | {} | {:.0f}, {:.0f} |".format(
            f["rate_without"], f["rate_within"], ratio, probe(f["without_us"]), probe(f["within_us"]),
            *(100 * share for share in f["waits"])))


def start(kind, o, data):
    directory = os.path.join(o.directory, kind)
    os.makedirs(directory)
    run = resp.start_stillframe if kind == "stillframe" else resp.start_redis_server
    server = run(directory, "--save", "", "--rdbcompression", "no")
    server.directory = directory
    subprocess.run([WRITES, str(server.port), "fill", data, str(o.counts[data])], check=True)
    return server


def bench(o, data):
    servers = {kind: start(kind, o, data) for kind in o.servers}
    memory = ", ".join("%s %.0f MB" % (SERVER_NAMES[kind], pss_bytes(s.pid) / MB) for kind, s in servers.items())
    tables = ([], [])
    for form in o.forms:
        for rate in o.loads:
            cells = {kind: Cell() for kind in servers if kind != "redis" or form != "lz4"}
            for _ in range(o.rounds):
                first = 0
                for kind, cell in cells.items():
                    servers[kind].client().call("CONFIG", "SET", "rdbcompression", form)
                    first = max(first, measure(cell, servers[kind], o, data, rate, first))
            for kind, cell in reversed(cells.items()):
                f = cell.figures()
                for table, row in zip(tables, rows(kind, rate, form, f)):
                    table.append(row)
                if o.json:
                    with open(o.json, "a", encoding="ascii") as out:
                        out.write(json.dumps({"server": kind, "data": data, "load": rate, "form": form, **f}) + "\n")
                print("%s: %s" % (data, tables[1][-1]), file=sys.stderr, flush=True)
            if o.plots and set(cells) == set(KINDS):
                panels = [(SERVER_NAMES[kind], *cells[kind].timeline) for kind in ("stillframe", "redis")]
                plot.draw(os.path.join(o.plots, "save-%s-%s-%s.svg" % (data, rate, FORM_NAMES[form].lower())), panels,
                          "%s; %s; compression: %s" % (o.titles[data], load_name(rate), FORM_NAMES[form]))
    for server in servers.values():
        server.stop()
    for kind in servers:
        shutil.rmtree(os.path.join(o.directory, kind))
    print("\n%s, %s; medians of %d rounds of %g s without and within\n" % (o.titles[data], memory, o.rounds, o.seconds))
    for head, table in zip(HEADS, tables):
        print(head + "\n" + "\n".join(table) + "\n", flush=True)


def options():
    def words(text):
        return text.replace(",", " ").split()

    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--keys", type=int, default=5000000, help="strings of 100 bytes; all else follows from it (5000000)")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=5, help="without saves, and within, a round (5)")
    p.add_argument("--data", type=words, default=list(DATA), help='such as strings100,hash')
    p.add_argument("--loads", type=words, default=["0", "25000", "full"])
    p.add_argument("--forms", type=words, default=list(FORM_NAMES))
    p.add_argument("--servers", type=words, default=list(KINDS))
    p.add_argument("--plots", help="a directory for drawings of the first save of each row")
    p.add_argument("--json", help="a file that gets a line of JSON for each row")
    p.add_argument("--quick", action="store_true", help="a few minutes: 200000 keys, 1 round of 1 s, five kinds of data")
    o = p.parse_args()
    if o.quick:
        o.keys, o.rounds, o.seconds = min(o.keys, 200000), 1, 1
        o.data = o.data if o.data != list(DATA) else ["strings100", "text1k", "mixed", "hash", "string"]
    for name, known in (("data", DATA), ("forms", FORM_NAMES), ("servers", SERVER_NAMES)):
        unknown = [x for x in getattr(o, name) if x not in known]
        if unknown:
            p.error("--%s: no such: %s" % (name, " ".join(unknown)))
    o.servers = [kind for kind in KINDS if kind in o.servers]
    o.counts = {data: max(1000, round(o.keys * part)) for data, part in DATA.items()}
    names = {"strings100": "{:,} strings of 100 random bytes", "strings1k": "{:,} strings of 1 KiB, random",
             "text100": "{:,} strings of 100 bytes, words", "text1k": "{:,} strings of 1 KiB, words",
             "mixed": "{:,} keys of all types", "hash": "a hash of {:,} fields", "list": "a list of {:,} elements",
             "zset": "a sorted set of {:,} members", "string": "a string of {:,} bytes"}
    o.titles = {data: names[data].format(o.counts[data]) for data in DATA}
    return o


def main():
    o = options()
    o.directory = tempfile.mkdtemp(prefix="bench-", dir=os.environ.get("BENCH_DIR"))
    if o.plots:
        os.makedirs(o.plots, exist_ok=True)
    try:
        for data in o.data:
            bench(o, data)
    finally:
        shutil.rmtree(o.directory, ignore_errors=True)


if __name__ == "__main__":
    main()
