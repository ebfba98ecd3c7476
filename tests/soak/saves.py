"""Saves back to back, and what is done to them: cancelled, throttled, copied, streamed; parameters
changed meanwhile.  Only Stillframe is asked."""
import os
import random
import time

import resp
from workers import Worker

# The first value of each is what stands while memory is looked at.
PARAMETERS = {
    "rdbcompression": ["yes", "no", "lz4"], "rdb-version": ["10", "9", "11", "12"], "snapshot-threads": ["0", "1", "2"],
    "snapshot-rate-limit": ["0", "100mb", "20mb"], "snapshot-retain": ["0", "1", "3"], "snapshot-verify": ["no", "yes"],
    "snapshot-memory-limit": ["25%", "0", "1gb"], "save": ["", "3600 100000000", "1 1"], "save-bytes": ["0", "100mb"], "hz": ["10", "50", "1"],
    "activedefrag": ["no", "yes"], "slowlog-log-slower-than": ["10000", "0", "-1"], "slowlog-max-len": ["128", "1000"],
    "latency-monitor-threshold": ["0", "1"], "latency-tracking": ["yes", "no"], "tracking-table-max-keys": ["1000000", "100"],
    "acllog-max-len": ["128", "10"], "maxmemory-clients": ["0", "100mb"], "lazyfree-lazy-user-del": ["no", "yes"],
    "lazyfree-lazy-server-del": ["no", "yes"], "loglevel": ["notice", "warning"],
    "repl-diskless-sync-delay": ["0", "1"], "busy-reply-threshold": ["5000", "1000"]}
MENDS = (("CONFIG", "SET", "snapshot-rate-limit", 0), ("CONFIG", "SET", "save", ""))


def is_saving(client):
    said = client.call("INFO", "persistence")
    return b"rdb_bgsave_in_progress:1" in said or b"rdb_copy_in_progress:1" in said or b"rdb_bgsave_scheduled:1" in said


class Saves(Worker):
    def __init__(self, gate, servers, seed):
        super().__init__(gate)
        self.servers, self.rng = servers, random.Random(seed)
        self.begun = self.cancelled = self.copies = self.streams = self.changes = 0
        self.reconnect()

    def reconnect(self):
        self.c = self.servers[0].client(timeout=300)

    def unit(self):
        """A save and what happens to it."""
        rng = self.rng
        if self.c.pipeline([("BGSAVE",)])[0] == b"Background saving started":
            self.begun += 1
        for _ in range(rng.choice([0, 0, 1, 2])):
            self.something()
        end = time.monotonic() + 3
        while is_saving(self.c):
            if time.monotonic() > end or rng.random() < 0.002:
                self.c.pipeline(MENDS)
            time.sleep(0.005)

    def something(self):
        rng = self.rng
        r = rng.random()
        if r < 0.4:
            name = rng.choice(sorted(PARAMETERS))
            self.c.call("CONFIG", "SET", name, rng.choice(PARAMETERS[name]))
            self.changes += 1
        elif r < 0.55:
            self.cancelled += self.c.pipeline([("BGSAVE", "CANCEL")])[0] == b"Background saving cancelled"
        elif r < 0.65:
            self.copy()
        elif r < 0.75:
            self.stream()
        elif r < 0.80:
            self.c.pipeline([("BGSAVE", "SCHEDULE"), ("LASTSAVE",), ("INFO", "all"), ("CONFIG", "GET", "*")])
        elif r < 0.84:
            self.c.pipeline([("SAVE",)])
        elif r < 0.87:
            self.c.pipeline([("MEMORY", "PURGE"), ("MEMORY", "DOCTOR"), ("MEMORY", "STATS")])
        elif r < 0.90:
            with self.servers[0].client(timeout=300) as waiter:
                waiter.send("BGSAVE", "WAIT")
                self.c.pipeline(MENDS)
                waiter.read()
        else:
            time.sleep(rng.random() / 50)
        self.commands += 1

    def copy(self):
        """A copy of a part of the data, which goes again."""
        parts = self.rng.choice([[], ["DB", 4], ["MATCH", "*1*"], ["TYPE", "hash"], ["DB", 5, "MATCH", "h*", "TYPE", "hash"]])
        self.c.pipeline([["BGSAVE", "TO", "copy.rdb"] + parts])
        self.copies += 1

    def stream(self):
        """A dump through a connection, read whole or left."""
        with self.servers[0].client(timeout=300) as c:
            c.pipeline([("REPLCONF", "capa", "eof", "rdb-only", 1)])
            c.send(*self.rng.choice([["SYNC"], ["PSYNC", "?", -1]]))
            end = time.monotonic() + self.rng.choice([0, 0.05, 1])
            while time.monotonic() < end:
                c.sock.settimeout(0.1)
                try:
                    if not c.sock.recv(1 << 18):
                        break
                except TimeoutError:
                    pass
        self.streams += 1

    def rewrite(self):
        """What stands in files is written anew; nobody else is there."""
        for command in (["ACL", "SAVE"], ["ACL", "LOAD"], ["CONFIG", "REWRITE"]):
            assert self.c.call(*command) == b"OK", command

    def rest(self):
        """No save, the usual parameters, nothing left behind."""
        self.c.pipeline(MENDS)
        resp.wait_until(lambda: not is_saving(self.c), 120, 0.01, "the end of the last save")
        for name, values in PARAMETERS.items():
            self.c.call("CONFIG", "SET", name, values[0])
        temps = [n for n in os.listdir(self.servers[0].dir) if n.startswith("temp-")]
        assert not temps, "left behind: %s" % temps
