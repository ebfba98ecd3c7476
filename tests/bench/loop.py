#!/usr/bin/env python3
"""The event loop beside redis-server's: make bench BENCH="loop floor fan-out memory instructions".

  loop          redis-benchmark at pipelines of 1, 16 and 64, alternating, server and client each on
                a core of its own: ratio of throughput, the server's CPU seconds per million
                requests; p99 and p99.9 of a probe meanwhile
  floor         the server's CPU seconds per million PINGs beside those of a server that does
                nothing (bench_floor.c)
  fan-out       PUBLISH of 100 bytes to 100 subscribers: deliveries per second, the server's CPU
                seconds per million of them
  memory        bytes a key (16-byte keys) with values of 3, 32 and 100 bytes; bytes an idle client
  instructions  executed by the server per request, by callgrind

  ROUNDS=n      rounds of each (3)
  REQUESTS=n    per run (1000000 at -P 16 and 64; a fifth of it at -P 1)
"""
import os
import re
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import resp  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "3"))
REQUESTS = int(os.environ.get("REQUESTS", "1000000"))
TESTS = ["ping_mbulk", "set", "get", "incr", "mset"]
TICKS = os.sysconf("SC_CLK_TCK")
KINDS = (("Stillframe", resp.start_stillframe), ("Redis", resp.start_redis_server))


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def field(client, section, name):
    for line in client.call("INFO", section).decode().split("\r\n"):
        if line.startswith(name + ":"):
            return int(line.split(":", 1)[1])
    raise KeyError(name)


class Probe(threading.Thread):
    """GETs, one a millisecond, and how long each took.  Its thread is on the client's core and goes
    before the client (SCHED_FIFO, where it may): otherwise it measures how long redis-benchmark
    keeps the core."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.client = resp.Client(port)
        self.took, self.stop = [], threading.Event()

    def run(self):
        os.sched_setaffinity(0, {1})
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except PermissionError:
            print("the probe waits for its core like others: no SCHED_FIFO for this user", file=sys.stderr)
        while not self.stop.wait(0.001):
            begin = time.perf_counter()
            self.client.call("GET", "probe")
            self.took.append(time.perf_counter() - begin)

    def percentile(self, p):
        return 1e3 * sorted(self.took)[int(len(self.took) * p)] if self.took else 0


def run(server, test, pipeline, requests):
    """Requests per second, user and system seconds per million, probe."""
    probe = Probe(server.port)
    before = cpu_seconds(server.pid)
    probe.start()
    out = subprocess.run(["taskset", "-c", "1", "redis-benchmark", "-p", str(server.port), "-t", test, "-c", "50", "-n",
                          str(requests), "-P", str(pipeline), "-r", "1000000", "--csv"], capture_output=True, text=True,
                         check=True).stdout
    after = cpu_seconds(server.pid)
    probe.stop.set()
    probe.join()
    rate = float(out.strip().splitlines()[-1].split('","')[1])
    millions = requests / 1e6
    return rate, (after[0] - before[0]) / millions, (after[1] - before[1]) / millions, probe.percentile(.99), \
        probe.percentile(.999)


def bench_loop(directory):
    print("| -P | test | throughput, of Redis's | user s per M | Redis | user ratio | all s per M | Redis | ratio | probe "
          "p99 ms | Redis | p99.9 | Redis |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    servers = {}
    for name, start in KINDS:
        where = os.path.join(directory, name)
        os.mkdir(where)
        servers[name] = start(where, "--save", "")
        subprocess.run(["taskset", "-a", "-p", "-c", "0", str(servers[name].pid)], check=True, stdout=subprocess.DEVNULL)
    for pipeline in (1, 16, 64):
        requests = REQUESTS if pipeline > 1 else REQUESTS // 5
        for test in TESTS:
            results = {name: [] for name in servers}
            n = requests // 10 if test == "mset" else requests
            for _ in range(ROUNDS):
                for name, server in servers.items():
                    results[name].append(run(server, test, pipeline, n))
            a, b = ([statistics.median(column) for column in zip(*results[name])] for name in servers)
            print("| %d | %s | %.2f | %.2f | %.2f | **%.2f** | %.2f | %.2f | **%.2f** | %.2f | %.2f | %.2f | %.2f |" %
                  (pipeline, test, a[0] / b[0], a[1], b[1], a[1] / b[1] if b[1] else 0, a[1] + a[2], b[1] + b[2],
                   (a[1] + a[2]) / (b[1] + b[2]), a[3], b[3], a[4], b[4]), flush=True)
    for server in servers.values():
        server.kill()


class Floor:
    """The least server there is, with the face of the others."""

    def __init__(self):
        self.port = resp.free_port()
        self.process = subprocess.Popen([os.path.join("build", "tests", "bench", "bench_floor"), str(self.port)])
        self.pid, self.kill = self.process.pid, self.process.kill
        time.sleep(0.5)


def bench_floor(directory):
    print("| -P | server | user s per M PINGs | system | user above the floor, of Redis's |\n|---|---|---|---|---|")
    servers = {"the least": Floor()}
    for name, start in KINDS:
        where = os.path.join(directory, "floor-" + name)
        os.mkdir(where)
        servers[name] = start(where, "--save", "")
    for server in servers.values():
        subprocess.run(["taskset", "-a", "-p", "-c", "0", str(server.pid)], check=True, stdout=subprocess.DEVNULL)
    for pipeline in (1, 16, 64):
        requests = 4 * REQUESTS if pipeline > 1 else REQUESTS // 2
        costs = {name: [] for name in servers}
        for _ in range(ROUNDS):
            for name, server in servers.items():
                before = cpu_seconds(server.pid)
                subprocess.run(["taskset", "-c", "1", "redis-benchmark", "-p", str(server.port), "-t", "ping_mbulk", "-c", "50", "-n",
                                str(requests), "-P", str(pipeline), "-q"], capture_output=True, check=True)
                after = cpu_seconds(server.pid)
                costs[name].append([(b - a) * 1e6 / requests for a, b in zip(before, after)])
        medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in costs.items()}
        floor, of = medians["the least"][0], medians["Redis"][0] - medians["the least"][0]
        for name, (user, system) in medians.items():
            print("| %d | %s | %.3f | %.3f | %.2f |" % (pipeline, name, user, system, (user - floor) / of if of else 0), flush=True)
    for server in servers.values():
        server.kill()


class Listeners(threading.Thread):
    """Subscribers of one channel: they read what comes, and count its bytes."""

    def __init__(self, port, count):
        super().__init__(daemon=True)
        self.poll = select.epoll()
        self.socks = {}
        self.bytes, self.want = 0, None
        self.done = threading.Event()
        for _ in range(count):
            c = resp.Client(port)
            c.call("SUBSCRIBE", "channel")
            self.socks[c.sock.fileno()] = c
            self.poll.register(c.sock.fileno(), select.EPOLLIN)

    def run(self):
        os.sched_setaffinity(threading.get_native_id(), {1})
        while self.bytes < self.want:
            for fd, _ in self.poll.poll(10):
                self.bytes += len(os.read(fd, 1 << 18))
        self.done.set()


def fan_out(server, subscribers, messages, pipeline):
    """Deliveries per second, the server's user and system seconds per million of them."""
    message = b"m" * 100
    framed = len(b"*3\r\n$7\r\nmessage\r\n$7\r\nchannel\r\n$100\r\n" + message + b"\r\n")
    listeners = Listeners(server.port, subscribers)
    listeners.want = framed * subscribers * messages
    with server.client() as c:
        before, begin = cpu_seconds(server.pid), time.perf_counter()
        listeners.start()
        batch = [("PUBLISH", "channel", message)] * pipeline
        for _ in range(messages // pipeline):
            if c.pipeline(batch) != [subscribers] * pipeline:
                raise AssertionError("a message did not reach everybody")
        if not listeners.done.wait(120):
            raise AssertionError("messages are missing")
        took, after = time.perf_counter() - begin, cpu_seconds(server.pid)
    millions = subscribers * messages / 1e6
    return millions / took, (after[0] - before[0]) / millions, (after[1] - before[1]) / millions


def bench_fan_out(directory):
    print("| subscribers | -P | M deliveries/s | Redis | ratio | user s per M | Redis | all s per M | Redis | ratio |\n"
          "|---|---|---|---|---|---|---|---|---|---|")
    servers = {}
    for name, start in KINDS:
        where = os.path.join(directory, "fan-out-" + name)
        os.mkdir(where)
        servers[name] = start(where, "--save", "")
        subprocess.run(["taskset", "-a", "-p", "-c", "0", str(servers[name].pid)], check=True, stdout=subprocess.DEVNULL)
    for pipeline in (1, 16):
        results = {name: [] for name in servers}
        for _ in range(ROUNDS):
            for name, server in servers.items():
                results[name].append(fan_out(server, 100, 16000 if pipeline > 1 else 4000, pipeline))
        a, b = ([statistics.median(column) for column in zip(*results[name])] for name in servers)
        print("| 100 | %d | %.2f | %.2f | **%.2f** | %.2f | %.2f | %.2f | %.2f | **%.2f** |" % (
            pipeline, a[0], b[0], a[0] / b[0], a[1], b[1], a[1] + a[2], b[1] + b[2], (a[1] + a[2]) / (b[1] + b[2])),
            flush=True)
    for server in servers.values():
        server.kill()


def rss_bytes(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def bench_memory(directory):
    count = 1000000
    print("| what | Stillframe used | rss | Redis used | rss | ratio used | ratio rss |\n|---|---|---|---|---|---|---|")
    for size in (3, 32, 100):
        row = []
        for name, start in KINDS:
            server = start(tempfile.mkdtemp(dir=directory), "--save", "")
            with server.client() as c:
                used, rss = field(c, "memory", "used_memory"), rss_bytes(server.pid)
                for i in range(0, count, 1000):
                    c.pipeline([["SET", "key:%012d" % k, ("v%0" + str(size - 1) + "d") % (k % 100)] for k in
                                range(i, i + 1000)])
                row += [(field(c, "memory", "used_memory") - used) / count, (rss_bytes(server.pid) - rss) / count]
            server.kill()
        print("| bytes a key, value of %d bytes | %.0f | %.0f | %.0f | %.0f | **%.2f** | **%.2f** |" %
              (size, *row, row[0] / row[2], row[1] / row[3]), flush=True)
    row = []
    clients = 9000
    for name, start in KINDS:
        server = start(tempfile.mkdtemp(dir=directory), "--save", "")
        with server.client() as c:
            used, rss = field(c, "memory", "used_memory"), rss_bytes(server.pid)
            open_ones = []
            for _ in range(clients):
                open_ones.append(socket.create_connection(("127.0.0.1", server.port)))
                open_ones[-1].sendall(b"PING\r\n")
            for s in open_ones:
                s.recv(16)
            time.sleep(1.5)
            row += [(field(c, "memory", "used_memory") - used) / clients, (rss_bytes(server.pid) - rss) / clients]
            for s in open_ones:
                s.close()
        server.kill()
    print("| bytes an idle client, of %d | %.0f | %.0f | %.0f | %.0f | **%.2f** | **%.2f** |" %
          (clients, *row, row[0] / row[2], row[1] / row[3]), flush=True)


def instructions(binary, test, pipeline, requests, directory):
    port, out = resp.free_port(), os.path.join(directory, "callgrind.out")
    with subprocess.Popen(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out, binary, "--port", str(port),
                           "--save", "", "--dir", directory], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
        def answers():
            try:
                with resp.Client(port) as c:
                    return c.call("PING") == b"PONG"
            except OSError:
                return False
        resp.wait_until(answers, seconds=60)
        subprocess.run(["redis-benchmark", "-p", str(port), "-t", test, "-P", str(pipeline), "-c", "50", "-n",
                        str(requests), "-r", "100000", "-q"], stdout=subprocess.DEVNULL, check=True)
        with resp.Client(port) as c:
            c.send("SHUTDOWN", "NOSAVE")
        p.wait()
    with open(out) as f:
        return int(re.search(r"^(?:summary|totals): (\d+)", f.read(), re.M).group(1))


def bench_instructions(directory):
    print("| -P | test | Stillframe | Redis | ratio |\n|---|---|---|---|---|")
    for pipeline in (1, 16, 64):
        for test in TESTS:
            each = []
            for binary in (resp.STILLFRAME_SERVER, resp.redis_server()):
                few, many = (instructions(binary, test, pipeline, n, directory) for n in (10000, 60000))
                each.append((many - few) / 50000)
            print("| %d | %s | %.0f | %.0f | **%.2f** |" % (pipeline, test, *each, each[0] / each[1]), flush=True)


def main():
    directory = tempfile.mkdtemp()
    try:
        for name in sys.argv[1:]:
            {"loop": bench_loop, "floor": bench_floor, "fan-out": bench_fan_out, "memory": bench_memory,
             "instructions": bench_instructions}[name](directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
