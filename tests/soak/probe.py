#!/usr/bin/env python3
"""How long PING takes on two servers in turn: probe.py PORT PORT SECONDS.

A process of its own, so that it waits for nobody's interpreter lock; what the machine does
otherwise meets both servers alike.  Each SECONDS a line: for each server how many, and p50, p99 and
the worst in microseconds.  A server that is being restarted is tried again.
"""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import resp  # noqa: E402
from figures import percentile  # noqa: E402

PAUSE_SECONDS = 0.005


class Probe:
    def __init__(self, port):
        self.port, self.client, self.took = port, None, []

    def ping(self):
        try:
            if self.client is None:
                self.client = resp.Client(port=self.port, timeout=60)
            begin = time.perf_counter()
            self.client.call("PING")
            self.took.append((time.perf_counter() - begin) * 1e6)
        except resp.RespError:
            pass  # LOADING
        except (OSError, EOFError):
            self.client = None
            time.sleep(0.05)

    def say(self):
        words = [len(self.took), percentile(self.took, 0.5), percentile(self.took, 0.99), max(self.took, default=0)]
        self.took = []
        return " ".join("%d" % w for w in words)


def main():
    probes, seconds = [Probe(int(port)) for port in sys.argv[1:3]], float(sys.argv[3])
    rng, end = random.Random(0), time.monotonic() + seconds
    while os.getppid() != 1:
        for probe in rng.sample(probes, 2):
            probe.ping()
        time.sleep(PAUSE_SECONDS)
        if time.monotonic() >= end:
            end += seconds
            print("%s %s" % (probes[0].say(), probes[1].say()), flush=True)


if __name__ == "__main__":
    main()
