#!/usr/bin/env python3
"""Stillframe on OSv beside redis-server on OSv: make bench BENCH=osv OSV=tree.

The same recipe for both images (osv/image.py), the same emulator, one processor, one machine at a
time, alternating; medians.  Where the guest is emulated a rate says more about the emulator than
about the server, and the other programs of the host change it: the figure to look at is CPU time,
of the thread that runs the guest's processor ("guest") and of QEMU as a whole ("all", the network's
end on the host included), in seconds per million requests, less what the machine takes when it is
idle.

  boot     seconds and CPU seconds until "Ready to accept connections", bytes of the image, CPU time
           of an idle second
  list     redis-benchmark's whole default list, -c 50, at -P 1 and -P 16, row by row
  save     BGSAVE of many keys beside writers: how long, how long the loop stood still, and what a
           client saw meanwhile; where BGSAVE is refused, the answers, and SAVE instead
  answers  what BGSAVE, BGREWRITEAOF, a save point and appendonly say, word for word
  memory   keys of 100 bytes until the machine is full, and how that ends

redis-benchmark opens its 50 connections at the same moment, of which QEMU's forward loses some.  So
a relay stands between (a process on the host, the same for both, in neither's CPU time): it accepts
all of them at once and opens the guest's one after the other, each only when the one before has
answered a PING.

  TESTS="set,get"                           of list (all)
  CPU=max       of QEMU's -cpu (qemu64, which has no SSSE3: where a processor has it OSv's
                memmove() loses bytes, and redis-server ends at LPOP)
  PARTS="boot list save answers memory"     which (all)
  ROUNDS=n      boots of each of list and of save (3)
  REQUESTS=n    per row (100000)            PIPELINES="1 16"
  KEYS=n        of save (500000)            MEMORY=512M     of the machine in boot, list and save
  FULL=256M     of the machine in memory    ACCEL=kvm       instead of emulation
  REDIS_SERVER  the other program (redis-server in PATH)
"""
import os
import re
import shlex
import statistics
import subprocess
import sys
import threading
import time

os.environ.setdefault("CPU", "qemu64")  # guest reads it
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "osv"))
import guest  # noqa: E402
import resp  # noqa: E402 - guest has set the path
import osv_load  # noqa: E402

PARTS = os.environ.get("PARTS", "boot list save answers memory").split()
ROUNDS = int(os.environ.get("ROUNDS", "3"))
REQUESTS = int(os.environ.get("REQUESTS", "100000"))
PIPELINES = [int(p) for p in os.environ.get("PIPELINES", "1 16").split()]
MEMORY = os.environ.get("MEMORY", "512M")
FULL = os.environ.get("FULL", "256M")
KEYS = int(os.environ.get("KEYS", "500000"))
TESTS = os.environ.get("TESTS", "")
IDLE_S = 20
ROW_SECONDS = 900  # longer than any row
FULL_SECONDS = 60  # without an answer: the machine stands
SAVE_SECONDS = 120  # longer than any that ends
WORDS = ("--bind", "0.0.0.0", "--protected-mode", "no", "--dir", "/data")
KINDS = ("Stillframe", "Redis")
CSV_ROW = re.compile(r'"(.*?)","([\d.]+)"')


def program(kind):
    return guest.PROGRAMS["pie"] if kind == "Stillframe" else resp.redis_server()


def image(kind, *words):
    """The image of a server with these words more; made once."""
    made = image.__dict__.setdefault("made", {})
    if (kind, words) not in made:
        path = guest.new_path(kind + ".qcow2")
        guest.run(sys.executable, os.path.join(resp.ROOT, "osv", "image.py"), "--osv", guest.OSV, "--out", path,
                  program(kind), *WORDS, *words)
        made[(kind, words)] = path
    return made[(kind, words)]


class Disk:
    """A layer over an image: what the guest writes there goes with it."""

    def __init__(self, base):
        self.path = guest.new_path("disk.qcow2")
        guest.run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, self.path)


class Machine(guest.Guest):
    """A guest whose CPU time is known: .boot_s, .boot_cpu_s, .idle (CPU seconds a second)."""

    def __init__(self, kind, *words, memory=MEMORY):
        disk, began = Disk(image(kind, *words)), time.monotonic()
        super().__init__(disk, memory=memory)
        self.boot_s, self.kind = time.monotonic() - began, kind
        self.thread = int(re.search(r"thread_id=(\d+)", self.monitor("info cpus")).group(1))
        self.boot_cpu_s = self.cpu()[1]
        self.idle = (0, 0)

    def cpu(self):
        """CPU seconds of the guest's processor, and of QEMU."""
        tasks = "/proc/%d/task" % self.process.pid
        return thread_seconds(tasks, self.thread), sum(thread_seconds(tasks, t) for t in os.listdir(tasks))

    def measure_idle(self, seconds=IDLE_S):
        before, began = self.cpu(), time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        self.idle = tuple((b - a) / took for a, b in zip(before, self.cpu()))

    def end(self):
        self.power_cut()
        os.unlink(self.disk.path)


def thread_seconds(tasks, thread):
    """A thread that has just ended counts as nothing: QEMU's workers for the disk come and go."""
    try:
        with open("%s/%s/schedstat" % (tasks, thread), encoding="ascii") as f:
            return int(f.read().split()[0]) / 1e9
    except OSError:
        return 0


def median_rows(rounds):
    """Rounds of {name: tuple of numbers}: {name: tuple of medians}, of the rounds that have it."""
    names = dict.fromkeys(name for r in rounds for name in r)
    return {name: tuple(statistics.median(column) for column in zip(*(r[name] for r in rounds if name in r))) for name in names}


def ratio(a, b):
    return a / b if b else float("nan")


# -- boot

def bench_boot():
    rounds = {kind: [] for kind in KINDS}
    for _ in range(ROUNDS):
        for kind in KINDS:
            m = Machine(kind)
            m.measure_idle()
            rounds[kind].append((m.boot_s, m.boot_cpu_s, m.idle[0] * 1000, m.idle[1] * 1000))
            m.end()
    print("| | image, MiB | boot, s | boot, CPU s | idle, guest's CPU ms a second | all |\n|---|---|---|---|---|---|")
    for kind in KINDS:
        size = os.stat(image(kind)).st_blocks * 512 / 1048576
        print("| %s | %.1f | %.1f | %.1f | %.1f | %.1f |" % (kind, size, *(statistics.median(c) for c in zip(*rounds[kind]))))


# -- list

class Watch(threading.Thread):
    """Ends a program that waits for a machine which is gone, or whose network stands still: seen
    once, with QEMU's ring of received packets full and the guest not emptying it.  .error: how that
    went; .at: when there was a row, by the program's reader."""

    def __init__(self, machine, process):
        super().__init__(daemon=True)
        self.machine, self.process, self.error, self.at = machine, process, None, time.monotonic()

    def run(self):
        while self.process.poll() is None:
            try:
                self.machine.check()
                if time.monotonic() - self.at > ROW_SECONDS:
                    raise self.machine.error("no row of redis-benchmark in %d s" % ROW_SECONDS)
            except guest.GuestError as e:
                self.error = e
                self.process.kill()
            time.sleep(1)


def run_list(machine, relay_port, pipeline, rows):
    """redis-benchmark's list, once, into rows: {(pipeline, test): (rate, guest's CPU s per million,
    all)}.  A row is printed when its test has ended, so that the CPU time between two rows is its
    own."""
    command = "stdbuf -oL redis-benchmark --csv -p %d -c 50 -n %d -P %d" % (relay_port, REQUESTS, pipeline)
    command += " -t " + TESTS if TESTS else ""
    with subprocess.Popen(shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as p:
        watch = Watch(machine, p)
        watch.start()
        before, began = machine.cpu(), time.monotonic()
        for line in p.stdout:
            now, ended = machine.cpu(), time.monotonic()
            row = CSV_ROW.match(line)
            if row and "needed to benchmark" not in line:
                used = [max(n - b - i * (ended - began), 0) * 1e6 / REQUESTS for n, b, i in zip(now, before, machine.idle)]
                rows[(pipeline, row.group(1).split(" (first")[0])] = (float(row.group(2)), *used)
                print("   -P %d %s: %s a second, guest's CPU %.1f s per million" % (pipeline, row.group(1), row.group(2), used[0]), file=sys.stderr)
            before, began = now, ended
            watch.at = ended
    if watch.error:
        raise watch.error


def one_round(kind):
    """The rows of one boot; as far as it came."""
    machine, rows = Machine(kind, "--save", ""), {}
    try:
        machine.measure_idle()
        with osv_load.Relay(machine.port) as relay:
            for pipeline in PIPELINES:
                run_list(machine, relay.port, pipeline, rows)
    except guest.GuestError as e:
        print("%s has ended after %s:\n%s" % (kind, list(rows)[-1:], e), flush=True)
    machine.end()
    return rows


def print_list_row(pipeline, name, a, b):
    print("| %d | %s | %.0f | %.0f | %.2f | %.1f | %.1f | **%.2f** | %.2f |" % (
        pipeline, name, a[0], b[0], ratio(a[0], b[0]), a[1], b[1], ratio(a[1], b[1]), ratio(a[2], b[2])), flush=True)


def whole_list(rows, pipeline):
    """The row of a list in which each test has as many requests."""
    mine = [row for (p, _), row in rows.items() if p == pipeline]
    return len(mine) / sum(1 / r[0] for r in mine), sum(r[1] for r in mine) / len(mine), sum(r[2] for r in mine) / len(mine)


def print_list(ours, theirs):
    print("| -P | test | a second | Redis | ratio | guest's CPU s per million | Redis | ratio | ratio, all |\n"
          "|---|---|---|---|---|---|---|---|---|")
    both = [test for test in ours if test in theirs]
    ours, theirs = ({test: rows[test] for test in both} for rows in (ours, theirs))
    for pipeline in sorted({p for p, _ in both}):
        for (p, name), row in ours.items():
            if p == pipeline:
                print_list_row(p, name, row, theirs[(p, name)])
        print_list_row(pipeline, "**the whole list**", whole_list(ours, pipeline), whole_list(theirs, pipeline))


def bench_list():
    rounds = {kind: [] for kind in KINDS}
    for i in range(ROUNDS):
        for kind in KINDS:
            rounds[kind].append(one_round(kind))
        print("%d of %d rounds, load of the host %.1f" % (i + 1, ROUNDS, os.getloadavg()[0]))
        print_list(*(median_rows(rounds[kind]) for kind in KINDS))


# -- save

def fill(client, count, size=100):
    for i in range(0, count, 200):
        client.pipeline([("SET", "key:%012d" % k, "x" * size) for k in range(i, min(count, i + 200))])


def stall_usec(machine):
    """How long the loop stood still at the cut, by the log; None: no such line."""
    found = re.findall(r"the event loop stalled for (\d+) us", machine.console())
    return int(found[-1]) if found else None


def settle(machine):
    """Until nothing is saved."""
    machine.wait_for(lambda: machine.info("persistence")["rdb_bgsave_in_progress"] == "0", 600, "the save")


def background_save(machine, client):
    """BGSAVE until it has ended: (seconds by INFO's count of microseconds, how it ended)."""
    client.call("BGSAVE")
    settle(machine)
    info = machine.info("persistence")
    return int(info["rdb_last_bgsave_time_usec"]) / 1e6, "status " + info["rdb_last_bgsave_status"]


def foreground_save(client):
    began = time.monotonic()
    client.call("SAVE")
    return time.monotonic() - began, "ok"


def try_to_save(machine, which):
    """(seconds or None, how it ended)."""
    try:
        with machine.client(timeout=SAVE_SECONDS) as client:
            return background_save(machine, client) if which == "BGSAVE" else foreground_save(client)
    except resp.RespError as e:
        return None, "refused: %s" % e
    except (OSError, EOFError):
        return None, "no answer within %d s (%s)" % (SAVE_SECONDS, machine.panic() or "no panic")


def save_beside_writers(machine, which):
    """A row of the table, with two writers and a probe at work before and within the save."""
    with osv_load.Writers(machine, KEYS) as writers, osv_load.Probe(machine, KEYS) as probe:
        time.sleep(5)
        probe.within, at = True, writers.done()
        took, how = try_to_save(machine, which)
        written = writers.done() - at
        probe.within = False
        if took is None:  # what is refused from now on
            time.sleep(1)
            how += "; a writer then: " + (writers.error() or "goes on")
    stall = stall_usec(machine) if which == "BGSAVE" and took is not None else None
    print("| %s | %s | %s | %s | %s | %s | %s | %s |" % (
        machine.kind, which, "-" if took is None else "%.2f" % took, "-" if stall is None else "%d" % stall,
        probe.quantiles(False), probe.quantiles(True), "-" if took is None else "%.0f" % (written / took), how), flush=True)


def bench_save():
    print("%d keys of 100 bytes, two writers with pipelines of 16, a probe of one SET at a time" % KEYS)
    print("| | command | s | loop stood still, us | probe without, ms: p50/p99/longest | within | writes a second within | how |\n"
          "|---|---|---|---|---|---|---|---|")
    for _ in range(ROUNDS):
        for kind in KINDS:
            machine = Machine(kind, "--save", "3600 1")  # else Redis does not refuse writes
            fill(machine.resp, KEYS)
            save_beside_writers(machine, "BGSAVE")
            machine.resp.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
            save_beside_writers(machine, "SAVE")
            machine.end()


# -- answers

def show(machine, *command):
    """A command and its answer as redis-cli would show them."""
    try:
        answer = machine.resp.call(*command)
        text = answer.decode() if isinstance(answer, bytes) else repr(answer)
    except resp.RespError as e:
        text = "(error) %s" % e
    print("    > %s\n    %s" % (" ".join('"%s"' % w if " " in w else w for w in command), text.strip()))


def show_status(machine):
    """The fields that say how the last ones ended."""
    settle(machine)
    info = machine.info("persistence")
    print("    # INFO: " + ", ".join("%s:%s" % (k, info[k]) for k in ("rdb_last_bgsave_status", "aof_last_bgrewrite_status") if k in info))


def point_is_tried(machine):
    """A save by a save point has ended, or could not begin."""
    info = machine.info("persistence")
    return info["rdb_last_bgsave_status"] == "err" or int(info.get("rdb_saves", "0")) > 0 and info["rdb_changes_since_last_save"] == "0"


def bench_answers():
    for kind in KINDS:
        print("%s:" % kind)
        machine = Machine(kind)
        show(machine, "SET", "key", "value")
        show(machine, "BGSAVE")
        show_status(machine)
        show(machine, "SET", "key", "again")
        show(machine, "BGREWRITEAOF")
        show(machine, "CONFIG", "SET", "appendonly", "yes")
        show_status(machine)
        machine.end()
        print("  and when nobody asks, at a save point:")
        machine = Machine(kind)
        show(machine, "CONFIG", "SET", "save", "2 10")
        for i in range(10):
            machine.resp.call("SET", "key:%d" % i, "value")
        machine.wait_for(lambda m=machine: point_is_tried(m), 300, "the save point")
        show(machine, "SET", "key", "value")
        console = machine.console().splitlines()
        ready = next(i for i, line in enumerate(console) if re.search(guest.READY, line))
        print("  its console:\n" + "\n".join("    " + line for line in console[ready + 1:]))
        machine.end()


# -- memory

def is_alive(machine):
    """Whether a connection of its own is answered."""
    try:
        osv_load.connect(machine.port, tries=3)
        return True
    except OSError:
        return False


def fill_up(machine, batch=100):
    """SETs until one is refused or the machine is gone: (keys acknowledged, how it ended)."""
    client, keys = machine.client(timeout=FULL_SECONDS), 0
    while True:
        try:
            answers = client.pipeline([("SET", "key:%012d" % k, "x" * 100) for k in range(keys, keys + batch)])
        except (OSError, EOFError):
            how = machine.panic() or "no word on the console"
            return keys, "%s; no answer, on no connection" % how if not is_alive(machine) else "one connection lost, others live"
        refused = [a for a in answers if isinstance(a, resp.RespError)]
        keys += len(answers) - len(refused)
        if refused:
            return keys, "refused: %s" % refused[0]


def after_full(machine):
    """What still works then."""
    done = []
    for command in (("PING",), ("GET", "key:%012d" % 0), ("BGSAVE",), ("DEL", "key:%012d" % 0), ("SET", "key", "value")):
        try:
            machine.resp.call(*command)
            if command[0] == "BGSAVE":
                settle(machine)
                done.append("BGSAVE (%s)" % machine.info("persistence")["rdb_last_bgsave_status"])
            else:
                done.append(command[0])
        except resp.RespError as e:
            done.append("%s is refused (%s)" % (command[0], e))
    return ", ".join(done)


def bench_memory():
    print("| %s | keys of 100 bytes | how it ends | then |\n|---|---|---|---|" % FULL)
    for kind in KINDS:
        machine = Machine(kind, "--save", "", memory=FULL)
        keys, how = fill_up(machine)
        lives = how.startswith("refused")
        print("| %s | %d | %s | %s |" % (kind, keys, how, after_full(machine) if lives else "to be switched off; all is lost"), flush=True)
        machine.end()


def main():
    lacks = guest.missing()
    if lacks:
        sys.exit("make bench BENCH=osv needs %s; docs/osv.md says how to get it" % ", ".join(lacks))
    parts = {"boot": bench_boot, "list": bench_list, "save": bench_save, "answers": bench_answers, "memory": bench_memory}
    for name in PARTS:
        print("-- %s (load of the host %s)" % (name, " ".join("%.1f" % x for x in os.getloadavg())), flush=True)
        parts[name]()


if __name__ == "__main__":
    main()
