#!/usr/bin/env python3
"""How fast stillframe-rdb is on large files, and how much memory it takes; beside redis-check-rdb.

    tests/bench/rdb.py [--mb 1024] [--rounds 3] [--only check,diff] [--sets strings,hash]

Makes its files once, in $BENCH_DATA (build/bench-data): strings of 100 bytes, the same with one in
a hundred changed, all types mixed, one huge hash, strings that LZF compresses, and the strings in
Valkey's LZ4 envelope.  Commands take turns; of each the median of its rounds: seconds by the
clock and of all processors, MB (10^6 bytes) of RDB a second by the clock, and the most memory
that a round took (VmHWM, program and libraries included).  Files are in the page cache, if it is
large enough.
"""
import argparse
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.join(ROOT, "build/stillframe-rdb")
MAKER = os.path.join(ROOT, "build/tests/bench/bench_rdb")
DATA = os.environ.get("BENCH_DATA", os.path.join(ROOT, "build/bench-data"))
SETS = ("strings", "mixed", "hash", "texts", "lz4")
# What is done with a set; {file}, {other} and {out} are put in.
COMMANDS = {
    "redis-check-rdb": ("redis-check-rdb", "{file}"),
    "check": (TOOL, "check", "{file}"),
    "check --quick": (TOOL, "check", "--quick", "{file}"),
    "info": (TOOL, "info", "{file}"),
    "memory": (TOOL, "memory", "{file}"),
    "json": (TOOL, "json", "{file}"),
    "diff": (TOOL, "diff", "{file}", "{other}"),
    "convert": (TOOL, "convert", "-f", "-o", "{out}", "{file}"),
}


def path(name):
    return os.path.join(DATA, name + ".rdb")


def make(name, mb):
    if os.path.exists(path(name)):
        return
    print("making %s" % path(name), file=sys.stderr)
    if name != "lz4":
        subprocess.run([MAKER, name, str(mb), path(name)], check=True)
        return
    make("strings", mb)
    with open(path("lz4") + ".new", "wb") as f:
        f.write(b"VCS\1\1\0\1")
        f.flush()
        subprocess.run(["lz4", "-q", "-c", "-1", "-B5", "-BX", path("strings")], stdout=f, check=True)
    os.rename(path("lz4") + ".new", path("lz4"))


def peak_kib(pid):
    """So far; 0: it is over."""
    try:
        with open("/proc/%d/status" % pid) as f:
            return next((int(line.split()[1]) for line in f if line.startswith("VmHWM")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def run(command):
    """Seconds by the clock, those of processors, and KiB."""
    start, peak, done = time.monotonic(), 0, 0
    p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not done:
        peak = max(peak, peak_kib(p.pid))
        done, status, usage = os.wait4(p.pid, os.WNOHANG)
        if not done:
            time.sleep(0.005)
    seconds = time.monotonic() - start
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode not in (0, 1) or (p.returncode == 1 and "diff" not in command):
        sys.exit("%s: exit status %d" % (" ".join(command), p.returncode))
    return seconds, usage.ru_utime + usage.ru_stime, peak


def wanted(name, what, only):
    """redis-check-rdb does not know LZ4; diff needs a second file of that kind."""
    if what == "redis-check-rdb" and (name == "lz4" or shutil.which("redis-check-rdb") is None):
        return False
    return only is None or what in only


def measure(name, rounds, only, mb):
    make(name, mb)
    other = {"strings": "changed", "lz4": "strings"}.get(name, name)
    make(other, mb)
    size = os.path.getsize(path("strings" if name == "lz4" else name))
    names = {"file": path(name), "other": path(other), "out": os.path.join(DATA, "converted.rdb")}
    results = {what: [] for what in COMMANDS if wanted(name, what, only)}
    for _ in range(rounds):
        for what, got in results.items():
            got.append(run([word.format(**names) for word in COMMANDS[what]]))
    if os.path.exists(names["out"]):
        os.unlink(names["out"])
    for what, got in results.items():
        seconds, cpu = (sorted(of)[rounds // 2] for of in list(zip(*got))[:2])
        print("%-8s  %-16s  %6.2f  %6.2f  %6.0f  %6.1f" % (name, what, seconds, cpu, size / 1e6 / seconds, max(k for _, _, k in got) / 1024),
              flush=True)


def main():
    p = argparse.ArgumentParser(description="stillframe-rdb on large files")
    p.add_argument("--mb", type=int, default=1024, help="size of the files that are made")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--only", help="commands, with commas: check,diff")
    p.add_argument("--sets", default=",".join(SETS))
    a = p.parse_args()
    os.makedirs(DATA, exist_ok=True)
    print("%-8s  %-16s  %6s  %6s  %6s  %6s" % ("file", "command", "s", "cpu s", "MB/s", "MiB"))
    for name in a.sets.split(","):
        measure(name, a.rounds, a.only and a.only.split(","), a.mb)


if __name__ == "__main__":
    main()
