#!/usr/bin/env python3
"""A week's use in minutes, and what is left of it in memory: make soak SOAK=week.

Each day has as many saves as one has with a save each quarter of an hour, a day's clients that
connect and go, and commands of all types on more keys than maxmemory holds: so keys are evicted all
day, others expire, fields too.  Small values in the morning and large ones in the evening, which
leave holes of each other's size.  At night everything is at rest, and a look is taken; RSS is the
median of those behind the evening's saves, as a single one moves by some MB.

From one day to the next the data is of the same size, so what the process takes has to be too: the
last day's RSS is at most RSS_BOUND above the second one's, and what the server counts beyond its
data at most COUNTED_BOUND; descriptors and threads are as many.  At the end the dump is loaded
again.
The table of the nights is printed, and stands in build/soak/week.csv.

  DAYS  (7)                       COMMANDS   a day (500000)    SAVES  a day (96)
  MEMORY_MB  maxmemory (64)       CLIENTS    a day (14400)     SEED   of an earlier run
"""
import os
import random
import shutil
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
import resp  # noqa: E402
from churn import Commands  # noqa: E402
from figures import MB, Samples, info, look, rss_of  # noqa: E402

DAYS = int(os.environ.get("DAYS", "7"))
SAVES = int(os.environ.get("SAVES", "96"))
COMMANDS = int(os.environ.get("COMMANDS", "500000"))
CLIENTS = int(os.environ.get("CLIENTS", "14400"))
MEMORY = int(os.environ.get("MEMORY_MB", "64")) * MB
SEED = int(os.environ.get("SEED", str(random.SystemRandom().randrange(1 << 32))))
CSV = os.path.join(os.environ.get("SOAK_DIR", os.path.join(resp.ROOT, "build", "soak")), "week.csv")
EVENING = 0.75  # of the day
KEYS = 20000  # of each type
BATCH = 100
# From the second day to the last, 480 saves later.  A single RSS moves by 4 MB to both sides, with
# the blocks that the last evictions have left half empty; what is counted, without the side tables,
# by a quarter of one.  The tables have memory wherever a save has ever kept a page aside, a
# sixty-fourth of that: also of room that is free now.
RSS_BOUND = 6 * MB
COUNTED_BOUND = 1 * MB
SIDE_SHARE = 1 / 16  # of the arena's memory: what the side tables may have
OPTIONS = ("--save", "", "--enable-debug-command", "yes", "--maxmemory", MEMORY, "--maxmemory-policy", "allkeys-lru")
EXPECTED_ERRORS = ("OOM", "WRONGTYPE", "ERR no such key", "ERR The ID specified", "BUSYGROUP", "ERR The XGROUP", "ERR increment", "ERR source and destination objects", "ERR string exceeds",
                   "NOSCRIPT", "ERR hash value", "ERR value is not", "WRONGPASS")


class Week:
    def __init__(self, directory):
        self.directory, self.rng = directory, random.Random(SEED)
        self.server = resp.start_stillframe(directory, *OPTIONS)
        self.c = self.server.client(timeout=300)
        self.made = Commands(self.rng, KEYS)
        self.nights = []
        self.evening = []  # RSS behind its saves
        self.begin = time.monotonic()
        self.samples = Samples(CSV)

    # -- a quarter of an hour

    def commands(self, hour):
        """A batch: by day and night different ones."""
        rng = self.rng
        batch = [["SELECT", rng.choice([0, 0, 0, 1, 2, 7])]]
        while len(batch) < BATCH:
            r, k = rng.random(), "s:%d" % min(int(rng.expovariate(4 / KEYS)), 2 * KEYS)
            size = rng.randrange(1, 300) if hour < 12 else rng.choice([rng.randrange(300), rng.randrange(3000), rng.randrange(30000)])
            if r < 0.25:
                batch.append(["SET", k, "v" * size])
            elif r < 0.35:
                batch.append(["SET", k, "v" * size, "PX", rng.randrange(100, 20000)])
            elif r < 0.45:
                batch.append(["GET", k])
            elif r < 0.50:
                batch.append(["HSETEX", "x:%d" % rng.randrange(500), "PX", rng.randrange(100, 20000), "FIELDS", 1, "f%d" % rng.randrange(300), "v" * min(size, 500)])
            elif r < 0.52:
                batch.append(["EVAL", "return redis.call('incr', KEYS[1]) + %d" % rng.randrange(50), 1, "n:%d" % rng.randrange(100)])
            elif r < 0.525:
                batch.append(["PUBLISH", "c%d" % rng.randrange(10), "x" * 100])
            else:
                kind = rng.choice(["string", "hash", "list", "set", "zset", "stream"])
                batch.append(getattr(self.made, kind)(self.made.key(kind)) if rng.random() < 0.9 else self.made.any(self.made.key(kind), kind))
        return batch

    def send(self, client, batch):
        for command, reply in zip(batch, client.pipeline(batch)):
            if isinstance(reply, resp.RespError) and not str(reply).startswith(EXPECTED_ERRORS):
                raise AssertionError("%.200r: %s" % (command, reply))

    def visit(self):
        """A client comes, does what clients do, and goes."""
        rng = self.rng
        k = "s:%d" % rng.randrange(KEYS)
        with self.server.client(timeout=300) as c:
            c.pipeline(rng.choice([
                [["GET", k]], [["HELLO", 3], ["CLIENT", "SETNAME", "web"], ["GET", k], ["SET", k, "v"]],
                [["WATCH", k], ["MULTI"], ["INCR", "n:1"], ["EXEC"]], [["CLIENT", "TRACKING", "on"], ["GET", k]],
                [["HELLO", 3], ["CLIENT", "TRACKING", "on"]] + [["GET", "s:%d" % rng.randrange(KEYS)] for _ in range(5)],
                [["AUTH", "nobody", "wrong"]], [["INFO"]], [["SUBSCRIBE", "c%d" % rng.randrange(10)]],
                [["ACL", "SETUSER", "u%d" % rng.randrange(20), "on", ">p", "~*", "+@read"], ["ACL", "DELUSER", "u%d" % rng.randrange(20)]],
                [["FUNCTION", "LOAD", "REPLACE", "#!lua name=l\nredis.register_function('f%d', function() return 1 end)" % rng.randrange(9)]],
                [["SCAN", 0, "COUNT", 100], ["SLOWLOG", "GET"], ["CLIENT", "LIST"]]]))
            if rng.random() < 0.1:
                c.send_raw(rng.choice([b"*3\r\n$3\r\nSET\r\n", b"BLPOP nothing 0\r\n", b"MULTI\r\nSET a b\r\n", b"MONITOR\r\n"]))

    def quarter(self, number):
        """A save, and what goes on in it and behind it."""
        hour = 24 * number / SAVES
        assert self.c.call("BGSAVE") == b"Background saving started"
        for _ in range(COMMANDS // SAVES // BATCH):
            self.send(self.c, self.commands(hour))
        for _ in range(CLIENTS // SAVES):
            self.visit()
        self.saved()
        if number >= SAVES * EVENING:
            self.evening.append(rss_of(self.server.pid))

    def saved(self):
        resp.wait_until(lambda: info(self.c, "persistence")["rdb_bgsave_in_progress"] == "0", 300, 0.005, "the end of a save")
        assert info(self.c, "persistence")["rdb_last_bgsave_status"] == "ok", self.server.log()[-3000:]

    # -- the days

    def night(self, day):
        def is_quiet():
            f = info(self.c)
            return all(f[n] == "0" for n in ("lazyfree_pending_objects", "snapshot_retired_bytes", "snapshot_newborn_bytes")) and f["connected_clients"] == "1"
        resp.wait_until(is_quiet, 120, 0.01, "the night")
        row = {"day": day, "minutes": (time.monotonic() - self.begin) / 60}
        row.update(look(self.server, self.c))
        row["rss_at_night"], row["rss"] = row["rss"], int(statistics.median(self.evening))
        self.evening = []
        self.samples.add(row)
        self.nights.append(row)
        print("| %3d | %7d | %8d | %6d | %7d | %7d | %7d | %7.1f | %7.1f | %7.1f | %3d | %3d |" % (
            day, row["saves"], row["commands"], row["connections"], row["evicted"], row["expired"], row["keys"], row["live"] / MB, row["used"] / MB,
            row["rss"] / MB, row["fds"], row["threads"]), flush=True)

    def run(self):
        print("| day | saves | commands | clients | evicted | expired | keys | data, MB | used_memory, MB | RSS, MB | descriptors | threads |")
        print("|" + "---:|" * 12)
        for day in range(1, DAYS + 1):
            for number in range(SAVES):
                self.quarter(number)
            self.night(day)
        self.judge()
        self.again()

    def judge(self):
        second, last = self.nights[min(1, DAYS - 1)], self.nights[-1]
        assert last["evicted"] > 0 and last["expired"] > 0 and last["saves"] == DAYS * SAVES, last
        for what, of, bound in (("RSS", lambda x: x["rss"], RSS_BOUND),
                                ("used_memory beyond data and side tables", lambda x: x["used"] - x["live"] - x["side"], COUNTED_BOUND)):
            more = of(last) - of(second)
            print("%s: %.2f MB more than on the second day, at most %.2f" % (what, more / MB, bound / MB))
            assert more <= bound, "%s grew by %d bytes" % (what, more)
        assert last["side"] <= last["resident"] * SIDE_SHARE, "the side tables have %d bytes, the arena %d" % (last["side"], last["resident"])
        for what in ("fds", "threads"):
            assert last[what] == second[what], "%s: %d, were %d" % (what, last[what], second[what])

    def again(self):
        """What was saved can be loaded."""
        self.c.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        self.c.call("CONFIG", "SET", "maxmemory", 0)
        for db in (0, 1, 2, 7):  # what will expire goes: nothing may do so between the two digests
            self.c.call("SELECT", db)
            cursor = b"0"
            while True:
                cursor, keys = self.c.call("SCAN", cursor, "COUNT", 1000)
                self.c.pipeline([("PERSIST", k) for k in keys] + [("DEL", k) for k in keys if k.startswith(b"x:")])
                if cursor == b"0":
                    break
        self.c.call("SAVE")
        digest = self.c.call("DEBUG", "DIGEST")
        assert self.server.stop() == 0, self.server.log()[-3000:]
        self.server = resp.start_stillframe(self.directory, "--enable-debug-command", "yes", "--save", "")
        with self.server.client(timeout=300) as c:
            assert c.call("DEBUG", "DIGEST") == digest, "the dump holds something else"


def main():
    directory = tempfile.mkdtemp(prefix="stillframe-week-")
    print("seed %d, %d days, a day %d saves, %d commands, %d clients; maxmemory %d MB" % (SEED, DAYS, SAVES, COMMANDS, CLIENTS, MEMORY // MB), flush=True)
    week = Week(directory)
    try:
        week.run()
    except BaseException:
        print("FAILED with seed %d" % SEED, flush=True)
        if not week.server.is_running():
            print(week.server.log()[-6000:])
        raise
    finally:
        week.server.kill()
        week.samples.close()
        shutil.rmtree(directory, ignore_errors=True)
    print("passed: %d days in %.1f minutes" % (DAYS, (time.monotonic() - week.begin) / 60))


if __name__ == "__main__":
    main()
