#!/usr/bin/env python3
"""Thousands of snapshots under random load, with everything else at random moments:
make soak SOAK=snapshots MINUTES=30.

Two writers send random commands of all types.  Snapshots are taken back to back, each into a file
of its own, while CONFIG SET changes whatever CONFIG GET lists of snapshots, saves are cancelled and
throttled, data is flushed, swapped and loaded again, and the server is shut down and started.  Of
each snapshot:

  - a file that is there has the digest that was taken in one transaction with BGSAVE, as a second
    server loads it, and as redis-server does where it may know the form; stillframe-rdb finds
    nothing wrong with it;
  - a file that is not there was given up for a reason that we know;
  - no temporary file is left.

Every REST snapshots writers stop and all data goes: memory is back at what it was at the first such
rest of the process.  What the server does not know (yet) is left out, and said at the end.

  MINUTES    how long (10)      SNAPSHOTS   or until so many were taken (no limit)
  SEED       of all choices: an earlier run's, which printed it, makes the same ones (the moments
             at which they meet the server are another matter)
  VERBOSE=1  print each choice
"""
import collections
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import resp  # noqa: E402
import sequences  # noqa: E402
from test_oracle import Writer  # noqa: E402
from test_oracle_types import BUILD, KEYS, Commands  # noqa: E402

MINUTES = float(os.environ.get("MINUTES", "10"))
SNAPSHOTS = int(os.environ.get("SNAPSHOTS", "0"))
SEED = int(os.environ.get("SEED", str(random.SystemRandom().randrange(1 << 32))))
VERBOSE = os.environ.get("VERBOSE") == "1"
REST = 25
LARGE = 3000  # elements of a large key
DATA_MAX = 8 << 20  # bytes; with more than that no thousand snapshots are taken
MB = 1 << 20
# What the process may take at rest beyond its first rest: what malloc() keeps; with a second
# mapping of the arena each page counts twice.
SLACK = (24 if os.environ.get("STILLFRAME_FLAVOUR", "release") == "release" else 64) * MB
OPTIONS = ("--save", "", "--enable-debug-command", "yes", "--enable-protected-configs", "yes")
# What a parameter may be set to; for others it is guessed (values_of).
VALUES = {
    "save": ["", "3600 100000000", "1 1", "900 1 300 10"],
    "save-bytes": ["0", "100kb", "100mb"], "save-idle": ["0", "1", "3600"],
    "snapshot-memory-limit": ["0", "64kb", "1mb", "100mb", "25%", "1%"],
    "snapshot-memory-policy": ["throttle", "cancel"],
    "snapshot-rate-limit": ["0", "0", "100mb", "10mb", "1mb"],
    "snapshot-threads": ["0", "1", "2", "4"],
    "snapshot-retain": ["0", "1", "3"],
    "snapshot-schedule": ["", "* * * * *"],
    "rdbcompression": ["yes", "no", "lz4"],
    "rdb-version": ["9", "10", "11", "12"],
    "rdb-version-check": ["strict", "relaxed"],
}
MENDS = {"snapshot-rate-limit": "0", "snapshot-memory-limit": "0"}  # so that a save comes to its end
NOT_KNOWN = ("Unknown option", "unsupported CONFIG", "syntax error", "unknown command", "unknown subcommand")


def say(*words):
    if VERBOSE:
        print("%.3f" % time.monotonic(), *words, flush=True)


def values_of(name, now):
    """What to set it to: [] when nothing comes to mind."""
    if name in VALUES:
        return VALUES[name]
    if now in ("yes", "no"):
        return ["yes", "no"]
    return [now, "1"] if now.isdigit() else []


def rss_of(pid):
    with open("/proc/%d/statm" % pid, encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Chaos:
    def __init__(self, directory):
        self.rng = random.Random(SEED)
        self.directory = directory
        self.where = os.path.join(directory, "data")
        os.mkdir(self.where)
        self.server = self.c = None
        self.writers = []
        self.waiters = []
        self.counts = collections.Counter()
        self.unknown = {}  # what the server did not know, and what it said
        self.baseline = None
        self.is_cancelled = False
        self.log_at = 0  # where the log of the last save begins
        self.number = 0
        self.readers = []
        for name, start in (("ours", resp.start_stillframe), ("theirs", resp.start_redis_server)):
            os.mkdir(os.path.join(directory, name))
            reader = start(os.path.join(directory, name), "--save", "", "--enable-debug-command", "yes")
            reader.talk = reader.client(timeout=300)
            self.readers.append(reader)
        there = set(self.readers[0].talk.call("COMMAND", "LIST"))
        self.modules = [m for m in sequences.modules().values() if getattr(m, "NEEDS", "PING").lower().encode() in there]
        self.reads = {c[0].decode().upper() for c in self.readers[0].talk.call("COMMAND") if b"readonly" in c[2]}

    # -- the server and who writes to it

    def start(self):
        self.server = resp.start_stillframe(self.where, *OPTIONS, "--dbfilename", "usual.rdb", "--rdbchecksum",
                                            self.rng.choice(["yes", "yes", "no"]))
        self.c = self.server.client(timeout=300)
        self.baseline = None

    def write(self):
        for w in range(2):
            commands = Commands(random.Random(self.rng.random()), self.modules, False, self.reads)
            self.writers.append(Writer(self.server.port, commands.buffers(30, 40, w + 1)))
            self.writers[-1].start()

    def stop_writing(self):
        """The limits go first: a writer may wait for them."""
        for w in self.writers:
            w.stop.set()
        self.mend()
        for w in self.writers:
            w.join(120)
            if w.is_alive():
                raise AssertionError("a writer has waited two minutes for its replies")
            if w.error is not None:
                raise AssertionError("a writer met: %r" % w.error)
            w.client.close()
        self.writers = []

    def restart(self, how):
        """SHUTDOWN; what it saved is what is loaded."""
        say("restart", how)
        self.stop_writing()
        digest = self.c.call("DEBUG", "DIGEST")
        before = os.path.exists(os.path.join(self.where, "usual.rdb"))
        self.c.call("CONFIG", "SET", "dbfilename", "usual.rdb")
        self.c.send("SHUTDOWN", how)
        status = self.server.wait(120)
        self.answer_waiters(may_close=True)
        if status != 0:
            raise AssertionError("SHUTDOWN %s ended with %d" % (how, status))
        self.no_temps()
        self.start_again(digest if how == "SAVE" else None, before)

    def start_again(self, digest, before):
        self.start()
        loaded = self.c.call("DEBUG", "DIGEST")
        if digest is not None and loaded != digest:
            raise AssertionError("loaded %s, shut down with %s" % (loaded, digest))
        if digest is None and not before and self.c.call("DBSIZE") != 0:
            raise AssertionError("SHUTDOWN NOSAVE left a dump")
        self.write()

    # -- talking to it

    def info(self):
        out = {}
        for line in self.c.call("INFO", "everything").decode().split("\r\n"):
            name, _, value = line.partition(":")
            out[name] = value
        return out

    def try_call(self, *command):
        """An error is an answer; what is not known is remembered."""
        say(*command)
        try:
            return self.c.call(*command)
        except resp.RespError as e:
            if any(text in str(e) for text in NOT_KNOWN):
                self.unknown[" ".join(command[:2])] = str(e)
            return e

    def parameters(self):
        words = []
        for pattern in ("snapshot*", "rdb*", "save*"):
            words += self.c.call("CONFIG", "GET", pattern)
        return {k.decode(): v.decode() for k, v in zip(words[::2], words[1::2])}

    def set_one(self):
        now = self.parameters()
        name = self.rng.choice(sorted(now))
        values = values_of(name, now[name])
        if not values:
            self.unknown["CONFIG SET " + name] = "nothing else than %r comes to mind" % now[name]
            return
        value = self.rng.choice(values)
        say("set", name, value)
        try:
            self.c.call("CONFIG", "SET", name, value)
            self.counts["set " + name] += 1
        except resp.RespError as e:
            self.unknown["CONFIG SET %s %s" % (name, value)] = str(e)

    def mend(self):
        if self.server.is_running():
            for name, value in MENDS.items():
                self.c.pipeline([("CONFIG", "SET", name, value)])

    # -- what a snapshot is

    def no_temps(self):
        left = [n for n in os.listdir(self.where) if n.startswith("temp-")]
        if left:
            raise AssertionError("left behind: %s" % left)

    def is_saving(self):
        said = self.c.call("INFO", "persistence")
        return b"rdb_bgsave_in_progress:1" in said or b"rdb_copy_in_progress:1" in said

    def begin(self):
        """A cut: the digest, and the name of the file.  Another save may run: that one comes to its
        end first."""
        for attempt in range(100):
            self.number += 1
            self.log_at = os.fstat(self.server._log.fileno()).st_size
            name = "cut-%d.rdb" % self.number
            replies = self.c.pipeline([("MULTI",), ("CONFIG", "SET", "dbfilename", name), ("DEBUG", "DIGEST"), ("BGSAVE",),
                                       ("CONFIG", "SET", "dbfilename", "usual.rdb"), ("CONFIG", "GET", "rdb-version"),
                                       ("CONFIG", "GET", "rdbcompression"), ("EXEC",)])[-1]
            if replies[2] == b"Background saving started":
                say("begin", name)
                return replies[1], name, dict(zip(*[iter(replies[4] + replies[5])] * 2))
            if attempt > 3:
                self.mend()
            if not isinstance(replies[2], resp.RespError) or "already in progress" not in str(replies[2]):
                raise AssertionError("BGSAVE: %r" % replies[2])
            resp.wait_until(lambda: not self.is_saving(), 120, 0.001, "another save")
        raise AssertionError("there is always another save")

    def end(self):
        def ended():
            if self.is_saving():
                if time.monotonic() - begun > 1:
                    self.mend()
                return False
            return True
        begun = time.monotonic()
        resp.wait_until(ended, 120, 0.001, "the end of a save")

    def why_not(self):
        """What the log says since the last begin: INFO may speak of a later save already."""
        log = os.pread(self.server._log.fileno(), 1 << 24, self.log_at).decode("utf-8", "backslashreplace")
        return " ".join(re.findall(r"[^*#]*(?:saving error|cancelled|given up|cancelling)[^\n]*", log))

    def check(self, digest, name, form):
        path = os.path.join(self.where, name)
        if not os.path.exists(path):
            self.counts["given up"] += 1
            why = self.why_not()
            if not self.is_cancelled and "memory" not in why:
                raise AssertionError("no %s, and nobody cancelled it: %s" % (name, why))
            if not self.is_cancelled:
                self.counts["given up for want of memory"] += 1
            return
        self.counts["whole"] += 1
        done = subprocess.run([resp.STILLFRAME_RDB, "check", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise AssertionError("stillframe-rdb check %s: %s" % (name, done.stdout.decode()))
        for reader in self.readers:
            if reader is self.readers[1] and (form.get(b"rdbcompression") == b"lz4" or int(form.get(b"rdb-version", 10)) > 10):
                continue  # it does not know that form
            shutil.copyfile(path, os.path.join(reader.dir, "dump.rdb"))
            try:
                reader.talk.call("DEBUG", "RELOAD", "NOSAVE")
                loaded = reader.talk.call("DEBUG", "DIGEST")
            except (OSError, EOFError, resp.RespError) as e:
                loaded = e
            if loaded != digest:
                shutil.copyfile(path, os.path.join(tempfile.gettempdir(), "chaos-%d-%s" % (SEED, name)))
                raise AssertionError("%s: %s loads %r, at the cut it was %s; kept in %s" % (
                    name, reader.command[0], loaded, digest, tempfile.gettempdir()))
            self.counts["loaded by " + os.path.basename(reader.command[0])] += 1
        os.unlink(path)
        self.no_leftovers(name)

    def no_leftovers(self, name):
        """Retained copies of it (snapshot-retain) are whole too."""
        stem = name[:-len(".rdb")]
        for other in os.listdir(self.where):
            if other.startswith(stem + "-") or other.startswith(stem + "."):
                path = os.path.join(self.where, other)
                done = subprocess.run([resp.STILLFRAME_RDB, "check", path], stdout=subprocess.PIPE, check=False)
                if done.returncode != 0:
                    raise AssertionError("%s is not whole: %s" % (other, done.stdout.decode()))
                self.counts["retained"] += 1
                os.unlink(path)

    # -- a copy of a part

    def partial(self):
        """BGSAVE TO name [DB 0] [MATCH ...] [TYPE t]: the keys that are meant, as they were."""
        kind = self.rng.choice([m.NAME for m in self.modules if m.NAME in BUILD])
        keys = ["%s:%d" % (kind, i) for i in range(KEYS)]
        name = "part-%d.rdb" % self.number
        parts = [part for part in (("DB", 0), ("MATCH", kind + ":*"), ("TYPE", kind)) if self.rng.random() < 0.7]
        self.mend()
        self.end()
        self.log_at = os.fstat(self.server._log.fileno()).st_size
        command = ["BGSAVE", "TO", name] + [word for part in parts for word in part]
        say(*command)
        replies = self.c.pipeline([("MULTI",), ("SELECT", 0)] + [("TYPE", k) for k in keys] + [
            ["DEBUG", "DIGEST-VALUE"] + keys, command, ("EXEC",)])[-1]
        if isinstance(replies, resp.RespError):
            self.unknown["BGSAVE TO"] = str(replies)
            return
        types, digests, reply = replies[1:-2], replies[-2], replies[-1]
        if isinstance(reply, resp.RespError):
            if "already in progress" not in str(reply):
                self.unknown["BGSAVE TO"] = str(reply)
            return
        self.end()
        path = os.path.join(self.where, name)
        if not os.path.exists(path):
            why = self.why_not()
            if "memory" not in why:
                raise AssertionError("no %s: %s" % (name, why))
            self.counts["part given up"] += 1
            return
        reader = self.readers[0]
        shutil.copyfile(path, os.path.join(reader.dir, "dump.rdb"))
        reader.talk.call("DEBUG", "RELOAD", "NOSAVE")
        want = [d if t == kind.encode() or ("TYPE", kind) not in parts else b"0" * 40 for t, d in zip(types, digests)]
        got = reader.talk.call("DEBUG", "DIGEST-VALUE", *keys)
        if got != want:
            raise AssertionError("%s, %s: %s instead of %s" % (name, parts, got, want))
        if len(parts) == 3 and reader.talk.call("DBSIZE") != sum(d != b"0" * 40 for d in want):
            raise AssertionError("%s: more than %s is there" % (name, parts))
        os.unlink(path)
        self.counts["parts"] += 1

    # -- a copy through a connection

    def ask_for_stream(self):
        """A connection on which a dump will come; None if the server does not know that."""
        c = self.server.client(timeout=120)
        replies = c.pipeline([("REPLCONF", "capa", "eof", "rdb-only", 1)])
        if replies != [b"OK"]:
            self.unknown["REPLCONF"] = str(replies[0])
            c.close()
            return None
        c.send("SYNC")
        return c

    def stream_whole(self):
        """While nobody writes: the dump has the digest of the data."""
        self.mend()
        self.end()
        c = self.ask_for_stream()
        if c is None:
            return
        data = bytearray(c.buf[c.at:])
        while True:
            begin = data.find(b"$EOF:")
            if begin >= 0 and len(data) > begin + 47 and data.endswith(data[begin + 5:begin + 45]) and len(data) > begin + 87:
                break
            if begin < 0 and b"-" in data[:1]:
                raise AssertionError("SYNC: %r" % bytes(data[:200]))
            more = c.sock.recv(1 << 18)
            if not more:
                raise AssertionError("a dump through a connection has no end: %d bytes" % len(data))
            data += more
        c.close()
        reader = self.readers[0]
        with open(os.path.join(reader.dir, "dump.rdb"), "wb") as f:
            f.write(data[begin + 47:-40])
        reader.talk.call("DEBUG", "RELOAD", "NOSAVE")
        want, got = self.c.call("DEBUG", "DIGEST"), reader.talk.call("DEBUG", "DIGEST")
        if want != got:
            raise AssertionError("a dump through a connection is %s, the data %s" % (got, want))
        self.counts["streams"] += 1

    def stream_and_go(self):
        c = self.ask_for_stream()
        if c is not None:
            time.sleep(self.rng.random() / 50)
            c.close()
            self.counts["streams left"] += 1

    # -- what happens meanwhile

    def cancel(self):
        reply = self.try_call("BGSAVE", "CANCEL")
        if isinstance(reply, bytes) and reply.startswith(b"Background saving cancelled"):
            self.is_cancelled = True

    def wait_for_save(self):
        """A client that wants another save, and its outcome."""
        say("BGSAVE WAIT")
        waiter = self.server.client(timeout=300)
        waiter.send("BGSAVE", "WAIT")
        self.waiters.append(waiter)
        if len(self.waiters) > 4:
            self.answer_waiters()

    def answer_waiters(self, may_close=False):
        """Each gets its answer; if the server ends, so do they."""
        self.mend()
        for waiter in self.waiters:
            try:
                reply = waiter.read()
            except (EOFError, OSError):
                if not may_close:
                    raise
                reply = b"closed"
            waiter.close()
            text = str(reply)
            if "syntax error" in text:
                self.unknown["BGSAVE WAIT"] = text
            elif isinstance(reply, resp.RespError) and not any(w in text for w in ("cancelled", "memory", "UNBLOCKED")):
                raise AssertionError("BGSAVE WAIT: " + text)
            else:
                self.counts["BGSAVE WAIT: " + ("closed" if reply == b"closed" else "not" if isinstance(reply, resp.RespError) else "saved")] += 1
        self.waiters = []

    def reload_saved(self):
        if isinstance(self.try_call("DEBUG", "RELOAD"), resp.RespError):
            raise AssertionError("DEBUG RELOAD: " + self.server.log()[-2000:])

    def something(self):
        r = self.rng.random()
        if r < 0.30:
            self.set_one()
        elif r < 0.42:
            self.cancel()
        elif r < 0.50:
            self.try_call("FLUSHALL", self.rng.choice(["SYNC", "ASYNC"]))
        elif r < 0.62:
            self.try_call("SWAPDB", self.rng.randrange(4), self.rng.randrange(4))
        elif r < 0.66:
            self.mend()  # nobody is served meanwhile, so nobody could
            self.reload_saved()
        elif r < 0.72:
            self.try_call(*self.rng.choice([("BGSAVE",), ("BGSAVE", "SCHEDULE"), ("SAVE",), ("LASTSAVE",)]))
        elif r < 0.75:
            self.wait_for_save()
        elif r < 0.77:
            self.try_call("MEMORY", "PURGE")
        elif r < 0.80:
            self.try_call("CONFIG", "SET", "activedefrag", self.rng.choice(["yes", "no"]))
        elif r < 0.84:
            self.large()
        elif r < 0.88:
            self.stream_and_go()
        else:
            time.sleep(self.rng.random() / 100)

    def large(self):
        """A large key: its save lasts."""
        name = self.rng.choice([m.NAME for m in self.modules if m.NAME in BUILD])
        command, every, words = BUILD[name]
        self.c.call("SELECT", 0)
        self.c.pipeline([[command, name + ":0"] + words(i) for i in range(0, LARGE, every)])

    def tighten(self):
        """A large key, little memory for copies, and a save that takes its time: writers have to
        wait."""
        self.large()
        for name, value in (("snapshot-memory-limit", "64kb"), ("snapshot-rate-limit", "1mb"), ("rdbcompression", "no")):
            self.c.call("CONFIG", "SET", name, value)

    def loosen(self):
        time.sleep(self.rng.random() / 3)
        f = self.info()
        if int(f.get("snapshot_throttled", f.get("snapshot_writers_delayed", 0))) > 0:
            self.counts["writers waited"] += 1
        self.mend()

    def one(self):
        if self.rng.random() < 0.4:
            self.set_one()
        is_tight = self.rng.random() < 0.06
        if is_tight:
            self.tighten()
        if self.rng.random() < 0.1:
            self.partial()
        if int(self.info()["mm_live_bytes"]) > DATA_MAX:
            self.c.pipeline([("FLUSHALL",)])  # MISCONF, where a save had failed for want of memory
        self.is_cancelled = False
        cut = self.begin()
        if is_tight:
            self.loosen()
        for _ in range(self.rng.choice([0, 0, 1, 1, 2, 4])):
            self.something()
        if self.rng.random() < 0.004:  # seldom: a process that lives longer shows more
            self.is_cancelled = True
            self.restart(self.rng.choice(["SAVE", "SAVE", "NOSAVE"]))
        self.end()
        self.check(*cut)
        for w in self.writers:
            if w.error is not None:
                raise AssertionError("a writer met: %r" % w.error)
        if not self.server.is_running():
            raise AssertionError("the server has ended")

    # -- does memory come back?

    def at_rest(self):
        def nothing_runs():
            f = self.info()
            return (f["rdb_bgsave_in_progress"] == f["rdb_bgsave_scheduled"] == "0" and int(f["lazyfree_pending_objects"]) == 0 and
                    all(f["snapshot_%s_bytes" % n] == "0" for n in ("preserved", "retired", "newborn")))
        self.c.pipeline([("CONFIG", "SET", name, values_of(name, "")[0]) for name in self.parameters() if name in VALUES])
        self.c.pipeline([("CONFIG", "SET", "rdbcompression", "yes"), ("CONFIG", "SET", "activedefrag", "no"), ("FLUSHALL", "SYNC")])
        resp.wait_until(nothing_runs, 120, 0.01, "rest")
        self.no_temps()

    def rest(self):
        self.stop_writing()
        self.answer_waiters()
        self.stream_whole()
        self.at_rest()
        self.c.call("MEMORY", "PURGE")
        # What was freed goes back to the system by and by.
        end, before = time.monotonic() + 30, 0
        while True:
            now = live, rss = int(self.info()["mm_live_bytes"]), rss_of(self.server.pid)
            if self.baseline is None:
                is_good = before - MB < rss
            else:
                is_good = live <= self.baseline[0] + MB // 4 and rss <= self.baseline[1] + SLACK
            if is_good and before != 0:
                break
            if time.monotonic() > end:
                raise AssertionError("at rest %d bytes live and %d in the process; the first time %s" % (now + (self.baseline,)))
            before = rss
            time.sleep(0.3)
        if self.baseline is None:
            self.baseline = now
        self.counts["rests"] += 1
        print("%6d snapshots  %s  at rest: %.2f MB live, %.1f MB of the process, at its first rest %.1f" % (
            self.number, " ".join("%s: %d" % (k, self.counts[k]) for k in ("whole", "given up")), live / MB, rss / MB,
            self.baseline[1] / MB), flush=True)
        self.write()

    def run(self):
        end = time.monotonic() + 60 * MINUTES
        self.start()
        self.write()
        self.c.call("SAVE")
        while time.monotonic() < end and (SNAPSHOTS == 0 or self.number < SNAPSHOTS):
            for _ in range(REST):
                self.one()
                if time.monotonic() >= end:
                    break
            self.rest()
        self.restart("SAVE")
        self.stop_writing()
        if self.server.stop(120) != 0:
            raise AssertionError("it did not end well")

    def tell(self):
        for name in sorted(self.counts):
            print("  %6d %s" % (self.counts[name], name))
        for name in sorted(self.unknown):
            print("  left out: %s: %s" % (name, self.unknown[name]))


def main():
    directory = tempfile.mkdtemp(prefix="stillframe-chaos-")
    print("seed %d, %g minutes" % (SEED, MINUTES), flush=True)
    chaos = Chaos(directory)
    try:
        chaos.run()
    except BaseException:
        print("FAILED with seed %d, at snapshot %d; the end of the log:" % (SEED, chaos.number))
        for server in [chaos.server] + chaos.readers:
            if server is chaos.server or not server.is_running():
                print(server.log()[-6000:])
        raise
    finally:
        for server in [chaos.server] + chaos.readers:
            if server is not None:
                server.kill()
        shutil.rmtree(directory, ignore_errors=True)
        chaos.tell()
    print("passed: %d snapshots" % chaos.number)


if __name__ == "__main__":
    main()
