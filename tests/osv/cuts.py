"""Data of all types in a machine, writers beside its saves, and what a dump has to be: for the
tests of OSv."""
import os
import random
import shutil
import subprocess
import tempfile
import threading

import guest
from guest import resp
import sequences
from test_oracle import Writer
from test_oracle_types import BUILD, Commands

SEED = int(os.environ.get("OSV_SEED") or random.SystemRandom().randrange(1 << 30))
KEEP = 4102444800000  # an expiry in 2100
GROUP_KEYS = 40
LARGE_HLL = "large:hll"


class Beside(Writer):
    """A writer over a connection that is there already: QEMU's forward loses those that are made
    while others are."""

    def __init__(self, client, buffers):
        threading.Thread.__init__(self, daemon=True)
        self.client, self.buffers = client, buffers
        self.stop = threading.Event()
        self.error = None
        self.batches = 0


class Data:
    """Random commands over all types for one machine: fill(), then writers that go on."""

    def __init__(self, name, machine):
        self.rnd = random.Random("%d %s" % (SEED, name))
        self.machine = machine
        c = machine.resp
        there = set(c.call("COMMAND", "LIST"))
        self.modules = [m for m in sequences.modules().values() if getattr(m, "NEEDS", "PING").lower().encode() in there]
        self.reads = {command[0].decode().upper() for command in c.call("COMMAND") if b"readonly" in command[2]}
        self.configs = [pair for m in self.modules for pair in getattr(m, "CONFIGS", {}).items()]
        self.writers = []

    def commands(self):
        return Commands(random.Random(self.rnd.random()), self.modules, False, self.reads)

    def fill(self, elements):
        """Small keys of every type and encoding, one large key a type, streams with groups, hashes
        with fields, keys that expire."""
        c = self.machine.resp
        for i in range(6):
            if self.configs:
                name, values = self.rnd.choice(self.configs)
                c.call("CONFIG", "SET", name, self.rnd.choice(values))
            for data, end in self.commands().buffers(3, 60, 1000 + i):
                c.send_raw(data)
                while c.read() != end.split(b"\r\n")[1]:
                    pass
        c.call("SELECT", 0)
        for kind, (command, every, words) in BUILD.items():
            for first in range(0, elements, 1000):
                some = [[command, "large:" + kind] + words(i) for i in range(first, min(first + 1000, elements)) if i % every == 0]
                must_work(c.pipeline(some))
        must_work(c.pipeline([["SET", "large:huge", "h" * 3000000], ["SET", "large:number", 12345],
                              ["SET", "large:later", "l" * 300, "PXAT", KEEP], ["SETRANGE", "large:bits", 70000, "b"],
                              ["HSET", "large:pair", "a", 1, "b", 2], ["SADD", "large:ints", 1, 2, 3], ["ZADD", "large:z", 1.5, "a", 2, "b"],
                              ["PFADD", LARGE_HLL] + ["e%d" % i for i in range(2000)], ["GEOADD", "large:geo", 13.36, 38.11, "p"],
                              ["XGROUP", "CREATE", "large:stream", "g", 0],
                              ["XREADGROUP", "GROUP", "g", "c", "COUNT", GROUP_KEYS, "STREAMS", "large:stream", ">"],
                              ["XACK", "large:stream", "g", "1-1", "2-1"]]
                             + [["SET", "e:%d" % i, "v%d" % i, "PXAT", KEEP + i] for i in range(200)]))

    def start_writers(self, count=2):
        for i in range(count):
            writer = Beside(self.machine.client(), self.commands().buffers(40, 30, i + 1))
            self.writers.append(writer)
        for writer in self.writers:
            writer.start()

    def stop_writers(self):
        """How many batches they have written."""
        for writer in self.writers:
            writer.stop.set()
        for writer in self.writers:
            writer.join(guest.REPLY_SECONDS)
            if writer.error or writer.is_alive():
                raise self.machine.error("a writer: %r" % (writer.error or "it waits"))
            writer.client.close()
        batches, self.writers = sum(w.batches for w in self.writers), []
        return batches

    def wait_written(self, batches):
        """Until the writers have written so many batches more."""
        goal = sum(w.batches for w in self.writers) + batches
        self.machine.wait_for(lambda: sum(w.batches for w in self.writers) >= goal or any(w.error for w in self.writers),
                              guest.REPLY_SECONDS, "writers")


def must_work(replies):
    for reply in replies:
        if isinstance(reply, resp.RespError):
            raise AssertionError(reply)


def digest(machine):
    return machine.resp.call("DEBUG", "DIGEST")


def begin_save(machine, *words):
    """BGSAVE and the digest of its cut, in one transaction: the digest."""
    replies = machine.resp.pipeline([["MULTI"], ["DEBUG", "DIGEST"], ["BGSAVE", *words], ["EXEC"]])[-1]
    if replies[1] != b"Background saving started":
        raise machine.error("BGSAVE: %r" % replies[1])
    return replies[0]


def wait_saved(machine):
    """Until no save runs: rdb_last_bgsave_status."""
    machine.wait_for(lambda: machine.info("persistence")["rdb_bgsave_in_progress"] == "0", guest.REPLY_SECONDS, "the end of the save")
    return machine.info("persistence")["rdb_last_bgsave_status"]


def save(machine, *words):
    """A save from begin to end: the digest of its cut."""
    at_cut = begin_save(machine, *words)
    if wait_saved(machine) != "ok":
        raise machine.error("the save failed")
    return at_cut


class Readers:
    """Two servers of the host that load dumps: ours, and Debian's."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="readers-", dir=guest.work_dir())
        self.servers = {}
        for name, start in (("ours", resp.start_stillframe), ("theirs", resp.start_redis_server)):
            where = os.path.join(self.dir, name)
            os.mkdir(where)
            server = start(where, "--save", "", "--enable-debug-command", "yes")
            server.talk = server.client()
            self.servers[name] = server

    def close(self):
        for server in self.servers.values():
            server.talk.close()
            server.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def digest(self, name, path):
        server = self.servers[name]
        shutil.copyfile(path, os.path.join(server.dir, "dump.rdb"))
        server.talk.call("DEBUG", "RELOAD", "NOSAVE")
        return server.talk.call("DEBUG", "DIGEST")

    def check(self, path, expected, is_lz4=False):
        """The file is sound, and both servers load what the digest is of.  Debian's knows no LZ4
        around a whole file: it is given what `stillframe-rdb convert` makes of it."""
        said = guest.run(resp.STILLFRAME_RDB, "check", path)
        if "sound" not in said:
            raise AssertionError(said)
        found = self.digest("ours", path)
        if found != expected:
            raise AssertionError("%s: digest %s, and %s at its cut" % (path, found, expected))
        if is_lz4:
            with open(path, "rb") as f:
                if b"\x04\x22\x4d\x18" not in f.read(64):
                    raise AssertionError("%s: no LZ4 frame" % path)
            plain = path + ".plain"
            guest.run(resp.STILLFRAME_RDB, "convert", "--compress=none", "--force", path, "-o", plain)
            path = plain
        found = self.digest("theirs", path)
        if found != expected:
            raise AssertionError("%s: %s in redis-server, and %s at its cut" % (path, found, expected))


def sound(path):
    """Is it a whole dump?"""
    return subprocess.run([resp.STILLFRAME_RDB, "check", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
