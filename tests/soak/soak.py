#!/usr/bin/env python3
"""An hour of everything, beside redis-server: make soak.

All commands by chance on both servers: replies, events, values are equal, and now and then all the
data.  Meanwhile saves back to back, cancelled, copied and streamed, parameters that change, clients
that come and go (workers: beside.py, churn.py, saves.py, sessions.py).  Ours is started anew in
the first and the last tenth of the time: after SHUTDOWN SAVE, after SHUTDOWN NOSAVE and kill -9
behind a save.  The long life between is what is judged.

Every so often all workers stand still and a look is taken.  The data is on the average always the
same, so over the looks of the long life, its first quarter left out, these stay as they are:

  - what the process takes beyond its data (RSS less mm_live_bytes), and what the server counts
    beyond it: growth by a robust fit below RSS_BOUND and COUNTED_BOUND;
  - the data beside what redis-server needs for the same: within a tenth;
  - descriptors beside those of clients: equal; threads: no more than in the first third;
  - the 99th percentile of PING, and of batches of the load, each beside redis-server's in the same
    seconds: the median of the last third at most twice that of the middle one.

Of a run with fewer than FEW looks neither slopes nor latencies are judged, but that nothing grows
beyond the short bounds.

Looks and samples are in build/soak/soak.csv.

  MINUTES  how long (60)    SEED  of all choices: an earlier run's, which printed it
"""
import collections
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
import resp  # noqa: E402
import tls  # noqa: E402
from beside import Sequences, Servers, SharedPair, empty_libraries, whole_digests  # noqa: E402
from churn import EXPIRING, OURS, Churn  # noqa: E402
from figures import MB, Samples, growth, info, look, percentile, thirds, warmed  # noqa: E402
from saves import Saves  # noqa: E402
from sessions import BY_CHANCE, Session  # noqa: E402
from workers import Gate  # noqa: E402

MINUTES = float(os.environ.get("MINUTES", "60"))
SEED = int(os.environ.get("SEED", str(random.SystemRandom().randrange(1 << 32))))
CSV = os.path.join(os.environ.get("SOAK_DIR", os.path.join(resp.ROOT, "build", "soak")), "soak.csv")
SAMPLE_SECONDS = 5
# In an hour some ten thousand saves run and millions of commands: 4 MB are less than half a KB
# a save and a byte a command.  What is counted beyond the data grew by less than 1 MB in
# runs of twelve minutes, RSS beyond it by up to 3, by chance: free blocks, free room of malloc().
COUNTED_BOUND = 4 * MB
RSS_BOUND = 8 * MB
DATA_PERCENT = 10  # it was 5 in such a run
# With few looks, from a process that is new:
SHORT_COUNTED_BOUND = 8 * MB
SHORT_RSS_BOUND = 32 * MB
FEW = 30  # looks, by which no slope can be told
RESTARTS = ((0.02, "SHUTDOWN SAVE"), (0.04, "SHUTDOWN NOSAVE"), (0.06, "kill -9"), (0.94, "kill -9"), (0.96, "SHUTDOWN SAVE"), (0.98, "SHUTDOWN NOSAVE"))
OPTIONS = ("--stop-writes-on-bgsave-error", "no", "--loglevel", "notice")


class Soak:
    def __init__(self, directory):
        self.rng = random.Random(SEED)
        self.gate = Gate()
        self.port, self.tls_port = resp.free_port(), resp.free_port()
        ours = ["--port", self.port]
        tls.setUpModule()
        if self.knows_tls(directory):
            ours += ["--tls-port", self.tls_port, "--tls-cert-file", tls.path("server.crt"), "--tls-key-file", tls.path("server.key"),
                     "--tls-ca-cert-file", tls.path("ca.crt"), "--tls-auth-clients", "no"]
        self.ours = ours
        self.pair = SharedPair(directory, (("ours", self.start_ours), ("theirs", resp.start_redis_server)), *OPTIONS)
        self.servers = Servers(self.pair)
        encrypted = (self.tls_port, tls.context(certificate=None)) if "--tls-port" in ours else None
        seed = lambda: self.rng.random()  # noqa: E731
        self.sequences = Sequences(self.gate, self.pair, seed())
        self.churn = Churn(self.gate, self.servers, seed())
        self.saves = Saves(self.gate, self.servers, seed())
        self.workers = [self.sequences, self.churn, self.saves] + [Session(self.gate, self.servers, n, seed(), encrypted) for n in range(2)]
        self.samples = Samples(CSV)
        self.life, self.looks, self.windows, self.called, self.rests = 0, [], [], collections.Counter(), 0
        self.digests = 0
        self.probe = self.lookers = None
        self.is_encrypted = encrypted is not None

    def start_ours(self, where, *options):
        """With a file for the parameters and one for users, which are there the first time too."""
        for name, text in (("soak.conf", "aclfile users.acl\n"), ("users.acl", "user default on nopass ~* &* +@all\n")):
            if not os.path.exists(os.path.join(where, name)):
                with open(os.path.join(where, name), "w", encoding="ascii") as f:
                    f.write(text)
        return resp.start_stillframe(where, "soak.conf", *options, *self.ours)

    @staticmethod
    def knows_tls(directory):
        """False if it was built without."""
        try:
            where = os.path.join(directory, "tls")
            os.mkdir(where)
            server = resp.start_stillframe(where, "--save", "")
            with server.client() as c:
                return bool(c.call("CONFIG", "GET", "tls-port"))
        finally:
            server.kill()

    # -- looks

    def open(self):
        self.lookers = [s.client(timeout=300) for s in self.servers]

    def sample(self, is_rest, latency=(0,) * 8):
        """A row of the file."""
        took, self.churn.took = self.churn.took, []
        batches = [percentile([t[side] * 1e6 for t in took], share) for side in (0, 1) for share in (0.5, 0.99, 1)]
        ours, theirs = (look(s, c) for s, c in zip(self.servers, self.lookers))
        row = {"seconds": time.monotonic() - self.begin, "life": self.life, "rest": int(is_rest)}
        row.update(ours)
        row.update({"theirs_" + name: theirs[name] for name in ("rss", "used", "keys", "fds", "threads")})
        row.update(zip(("pings", "ping_p50", "ping_p99", "ping_worst", "theirs_pings", "theirs_ping_p50", "theirs_ping_p99", "theirs_ping_worst"), latency))
        row.update(zip(("batch_p50", "batch_p99", "batch_worst", "theirs_batch_p50", "theirs_batch_p99", "theirs_batch_worst"), batches))
        row.update({"begun": self.saves.begun, "cancels": self.saves.cancelled, "load": sum(w.commands for w in self.workers)})
        self.samples.add(row)
        return row

    def rest(self):
        """Everybody stands still: a look at the same data, and now and then all of it compared."""
        self.gate.close()
        self.saves.rest()
        self.settle()
        self.looks.append(self.sample(True))
        self.rests += 1
        if self.rests % 3 == 0:
            self.compare()
            self.reload()
            self.saves.rewrite()
            empty_libraries(self.servers)
        self.gate.open()

    def settle(self):
        """What was freed or left is so."""
        def is_quiet():
            f = info(self.lookers[0])
            return all(f[n] == "0" for n in ("lazyfree_pending_objects", "blocked_clients", "snapshot_preserved_bytes", "snapshot_retired_bytes",
                                             "snapshot_newborn_bytes", "watching_clients", "tracking_clients"))
        resp.wait_until(is_quiet, 120, 0.01, "nothing to be freed")

    def compare(self):
        ours, theirs = whole_digests(self.servers, (EXPIRING, OURS, BY_CHANCE))
        assert ours == theirs, "all data: ours %s, theirs %s" % (ours, theirs)
        self.digests += 1

    def reload(self):
        """All is written and read again, in the same process."""
        before = whole_digests(self.servers, ())[0]
        for c in self.lookers:
            assert c.call("DEBUG", "RELOAD") == b"OK"
        after = whole_digests(self.servers, ())[0]
        assert before == after, "after DEBUG RELOAD it has %s, had %s" % (after, before)

    # -- another process

    def count_calls(self):
        """Which commands have been called."""
        for name, value in info(self.lookers[0], "commandstats").items():
            if name.startswith("cmdstat_"):
                self.called[name[8:]] += int(value.split("=")[1].split(",")[0]) + int(value.partition("rejected_calls=")[2].split(",")[0])

    def restart(self, how):
        self.gate.close()
        self.saves.rest()
        self.settle()
        self.compare()
        ours, before = self.servers[0], whole_digests(self.servers, ())[0]
        self.count_calls()
        if how != "SHUTDOWN SAVE":
            assert self.lookers[0].call("SAVE") == b"OK"
        if how == "kill -9":
            ours.kill()
        else:
            self.lookers[0].send(*how.split())
            assert ours.wait(120) == 0, "%s: %s" % (how, ours.log()[-3000:])
        for worker in self.workers:
            worker.reconnect()  # the first one starts it
        self.open()
        self.lookers[0].call("CONFIG", "RESETSTAT")
        after = whole_digests(self.servers, ())[0]
        assert before == after, "after %s it has %s, had %s" % (how, after, before)
        self.life += 1
        self.say("started again after %s" % how)
        self.gate.open()

    # -- the time

    def say(self, text):
        print("%6d s  %s" % (time.monotonic() - self.begin, text), flush=True)

    def progress(self, row):
        self.say("%d commands, %d saves, %d connections  RSS %.1f MB, %.1f beyond the data, theirs %.1f  %d descriptors, %d threads  PING p99 %.1f ms, theirs %.1f" % (
            row["load"], row["begun"], sum(getattr(w, "connections", 0) for w in self.workers), row["rss"] / MB, (row["rss"] - row["live"]) / MB,
            row["theirs_rss"] / MB, row["fds"], row["threads"], row["ping_p99"] / 1e3, row["theirs_ping_p99"] / 1e3))

    def run(self):
        self.begin, seconds = time.monotonic(), 60 * MINUTES
        end, every = self.begin + seconds, max(2.0, seconds / 180)
        self.open()
        self.probe = subprocess.Popen([sys.executable, os.path.join(HERE, "probe.py")] + [str(s.port) for s in self.servers] + [str(SAMPLE_SECONDS)],
                                      stdout=subprocess.PIPE, text=True)
        os.set_blocking(self.probe.stdout.fileno(), False)
        for w in self.workers:
            w.start()
        restarts, rest_at, said_at = list(RESTARTS), self.begin + every, self.begin
        while time.monotonic() < end:
            time.sleep(0.1)
            self.gate.check()
            now = time.monotonic()
            if restarts and now - self.begin > restarts[0][0] * seconds:
                self.restart(restarts.pop(0)[1])
            if now > rest_at:
                self.rest()
                rest_at = time.monotonic() + every
            line = self.probe.stdout.readline()
            if line:
                row = self.sample(False, [int(w) for w in line.split()])
                self.windows.append(row)
                if now - said_at > max(seconds / 60, 10):
                    self.progress(row)
                    said_at = now
        for _, how in restarts:
            self.restart(how)
        self.finish()

    def finish(self):
        self.gate.close()
        self.saves.rest()
        self.settle()
        self.compare()
        self.count_calls()
        self.gate.end()
        for w in self.workers:
            w.join(60)
        # These are counted when they end, which is when the client goes, or the server.
        for name, times in (("sync", self.saves.streams), ("psync", self.saves.streams), ("shutdown", self.life)):
            self.called[name] += times
        names = {n.decode() for n in self.lookers[0].call("COMMAND", "LIST")}
        parents = {n.split("|")[0] for n in names if "|" in n}
        missed = sorted(n for n in names - parents if not self.called[n])
        self.say("%d commands of %d were called; not: %s" % (len(names - parents) - len(missed), len(names - parents), " ".join(missed) or "-"))
        self.judge()
        assert len(self.looks) < FEW or not missed, "nobody called " + " ".join(missed)

    # -- what has to stay as it is

    def judge(self):
        life = collections.Counter(x["life"] for x in self.looks).most_common(1)[0][0]
        looks = [x for x in self.looks if x["life"] == life]
        windows = [x for x in self.windows if x["life"] == life and x["pings"] and x["theirs_pings"]]
        is_long = len(looks) >= FEW
        failures = []

        def judge(what, figure, limit, unit="", judged=True):
            print("  %-60s %8.2f%s" % (what, figure, unit) + (", at most %.2f%s" % (limit, unit) if judged else ""))
            if judged and figure > limit:
                failures.append(what)
        print("%d looks at one process, %d seconds, %d saves" % (len(looks), looks[-1]["seconds"] - looks[0]["seconds"], looks[-1]["begun"] - looks[0]["begun"]))
        for what, of, bound in (("RSS beyond the data grew by", lambda x: x["rss"] - x["live"], RSS_BOUND if is_long else SHORT_RSS_BOUND),
                                ("memory counted beyond the data grew by", lambda x: x["used"] - x["live"],
                                 COUNTED_BOUND if is_long else SHORT_COUNTED_BOUND)):
            judge(what, growth([(x["seconds"], of(x)) for x in looks]) / MB, bound / MB, " MB")
        ratios = [(x["seconds"], x["live"] / x["theirs_used"]) for x in looks]
        judge("data beside redis-server's grew by", 100 * growth(ratios) / ratios[len(ratios) // 2][1], DATA_PERCENT, " %", is_long)
        beside = [x["fds"] - x["clients"] for x in looks]
        judge("descriptors beside those of clients differ by", max(beside) - min(beside), 0)
        # A save's threads stay; how many it has, snapshot-threads says.
        judge("most threads in the last two thirds, beyond the first's", max([x["threads"] for x in looks[len(looks) // 3:]]) -
              max(x["threads"] for x in looks[:len(looks) // 3 + 1]), 0 if is_long else 2)
        for what, name in (("PING", "ping_p99"), ("a batch", "batch_p99")):
            middle, last = thirds([x[name] / max(x["theirs_" + name], 1) for x in warmed(windows)])
            judge("p99 of %s beside redis-server's, last third to middle one" % what, last / middle if middle else 0, 2, "", is_long)
        for name in ("rss", "theirs_rss", "used", "live", "theirs_used"):
            print("  %-60s %8.2f MB" % (name + " grew by", growth([(x["seconds"], x[name]) for x in looks]) / MB))
        for name in ("ping_p50", "ping_p99", "ping_worst", "batch_p50", "batch_p99", "batch_worst"):
            print("  %-60s %8.2f ms, redis-server's %.2f" % (name + ", median of windows", *(
                percentile([x[side + name] for x in windows], 0.5) / 1e3 for side in ("", "theirs_"))))
        assert not failures, "not flat: " + "; ".join(failures)

    def close(self):
        self.gate.end()
        if self.probe is not None:
            self.probe.kill()
            self.probe.wait()
        for server in self.servers:
            server.kill()
        tls.tearDownModule()
        self.samples.close()


def main():
    directory = tempfile.mkdtemp(prefix="stillframe-soak-")
    print("seed %d, %g minutes; figures in %s" % (SEED, MINUTES, CSV), flush=True)
    soak = None
    try:
        soak = Soak(directory)
        soak.run()
    except BaseException:
        print("FAILED with seed %d" % SEED, flush=True)
        if soak is not None and not soak.servers[0].is_running():
            print(soak.servers[0].log()[-6000:])
        raise
    finally:
        if soak is not None:
            soak.close()
        shutil.rmtree(directory, ignore_errors=True)
    print("passed: %d commands, %d saves, all data compared %d times" % (sum(w.commands for w in soak.workers), soak.saves.begun, soak.digests))


if __name__ == "__main__":
    main()
