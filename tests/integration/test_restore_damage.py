#!/usr/bin/env python3
"""RESTORE of payloads that lie, with right checksums: values of every type and form, changed by
chance and by design (hostile.py).

What is taken is read and changed, dumped and copied, saved, checked by stillframe-rdb and loaded
again; what is in it is what redis-server finds in the same payload, and what redis-server refuses
is refused, or mended with a line in the log.

  RESTORE_PAYLOADS=n   how many (default 6000; QUICK=1: 2000)
  RESTORE_SEED=n       instead of the one that is always the same
  VERBOSE=1            all differences, not the first twenty
"""
import collections
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hostile  # noqa: E402
import resp  # noqa: E402
from dump_bytes import key, payload, rdb  # noqa: E402

PAYLOADS = int(os.environ.get("RESTORE_PAYLOADS", "2000" if os.environ.get("QUICK") == "1" else "6000"))
SEED = int(os.environ.get("RESTORE_SEED", "34"))
BATCH = 250
VERBOSE = os.environ.get("VERBOSE") == "1"
GROWTH_KB = 64 << 10
REFUSED = ("ERR Bad data format", "ERR Bad data format: values of this type are not supported")
OF_REDIS_7_0 = range(20)  # the types that it reads
# What stillframe-rdb says of a dump that redis-server made of what it took, and that is refused
# here: scores that are no numbers, flags of a stream's entry that are none, IDs that do not rise,
# lengths in a stream's node that contradict each other.
UNSEEN = re.compile(r"is no score|unknown flags|out of order|the stream's listpack of \d+ bytes is damaged")
OPTIONS = ("--save", "", "--enable-debug-command", "yes", "--sanitize-dump-payload", "yes")


def text(reply):
    return str(reply) if isinstance(reply, resp.RespError) else "OK" if reply == b"OK" else repr(reply)


class RestoreDamage(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="restore-damage-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.ours = self.start("ours", resp.start_stillframe)
        self.theirs = self.start("theirs", resp.start_redis_server)
        self.client, self.other = self.ours.client(), self.theirs.client()
        self.counts, self.crashes = collections.Counter(), 0
        self.found = []

    def start(self, name, start):
        directory = os.path.join(self.dir, name)
        os.makedirs(directory, exist_ok=True)
        server = start(directory, *OPTIONS)
        self.addCleanup(server.stop)
        return server

    def sources(self):
        """(type, value, version), each once."""
        found = [*hostile.spelled(), *hostile.dumps(self.other, hostile.COMMANDS),
                 *hostile.dumps(self.client, hostile.COMMANDS + hostile.FIELD_EXPIRY)]
        return list(dict.fromkeys(s for s in found if len(s[1]) <= hostile.LONGEST))

    def test_values_that_lie(self):
        sources, rnd = self.sources(), random.Random(SEED)
        kinds = collections.defaultdict(list)
        for s in sources:
            kinds[s[0]].append(s)
        mutator = hostile.Mutator(SEED)
        print("restore: seed %d, %d values of %d types" % (SEED, len(sources), len(kinds)), file=sys.stderr)
        payloads = sources + list(hostile.designed())
        while len(payloads) < PAYLOADS:
            kind, value, version = rnd.choice(kinds[rnd.choice(list(kinds))])
            if rnd.random() < 0.02:
                kind = rnd.randrange(32)  # what it is read as
            payloads.append((kind, mutator.mutate(value), version))
        before = None
        for at in range(0, len(payloads), BATCH):
            self.try_batch(payloads[at:at + BATCH], random.Random(SEED + at))
            before = before or self.resident_kb()
        print("restore: %s; redis-server ended %d times" % (
            ", ".join("%d %s" % (n, k) for k, n in sorted(self.counts.items())), self.crashes), file=sys.stderr)
        if self.found:
            self.fail("%d differences\n%s" % (len(self.found), "\n".join(self.found[:20 if not VERBOSE else None])))
        for needed in ("both take it", "both refuse it"):
            self.assertGreater(self.counts[needed], PAYLOADS // 20)
        if os.environ.get("STILLFRAME_FLAVOUR", "release") == "release":
            self.assertLess(self.resident_kb() - before, GROWTH_KB)
        self.assertEqual(self.ours.stop(), 0, "how it ends")

    def resident_kb(self):
        with open("/proc/%d/status" % self.ours.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def try_batch(self, batch, rnd):
        """Restored as r:0 ...; what was taken is compared, used and saved."""
        commands = [["RESTORE", "r:%d" % i, 0, payload(bytes([kind]) + value, version)] for i, (kind, value, version) in enumerate(batch)]
        log = self.log_size()
        ours = self.client.pipeline(commands)
        mended = set(re.findall(r"RESTORE: .*\(key 'r:(\d+)'\)", self.log_since(log)))
        taken = []
        for i, (reply, source) in enumerate(zip(ours, batch)):
            theirs = self.ask_the_other(["RESTORE", "r:%d" % i, 0, payload(bytes([source[0]]) + source[1], min(source[2], 10))])
            self.compare(i, source, text(reply), theirs, str(i) in mended)
            if text(reply) == "OK":
                taken.append(i)
        self.use(taken, batch, rnd)

    def ask_the_other(self, command):
        """Its reply as a text; "crash" if it ended."""
        try:
            reply = self.other.pipeline([command])[0]
            if reply == b"OK":
                self.digest, self.dump, _ = self.other.pipeline([["DEBUG", "DIGEST-VALUE", command[1]], ["DUMP", command[1]], ["DEL", command[1]]])
            return text(reply)
        except (OSError, EOFError):
            self.crashes += 1
            self.theirs.kill()
            self.theirs = self.start("theirs%d" % self.crashes, resp.start_redis_server)
            self.other = self.theirs.client()
            return "crash"

    def compare(self, i, source, ours, theirs, is_mended):
        what = "%r: ours %s, theirs %s" % (source, ours, theirs)
        self.assertIn(ours, ("OK", *REFUSED), what)
        kind = self.kind_of_difference(source, ours, theirs, is_mended)
        self.counts[kind] += 1
        if kind == "both take it":
            digest = self.client.call("DEBUG", "DIGEST-VALUE", "r:%d" % i)
            if not is_mended and digest != self.digest:
                self.found.append("%s, and another value" % what)
        if kind == "here alone":
            self.found.append(what)
        elif kind == "there alone":
            self.look_at_what_it_took(what)

    def look_at_what_it_took(self, what):
        """It has read less than there is, or beyond it: what it dumps then is another payload, and
        that is taken here.  Or it is one of those that redis-server does not see."""
        again, digest, _ = self.client.pipeline([["RESTORE", "again", 0, self.dump], ["DEBUG", "DIGEST-VALUE", "again"], ["DEL", "again"]])
        if again == b"OK":
            self.assertEqual(digest, self.digest, what)
            return
        path = os.path.join(self.dir, "one.rdb")
        with open(path, "wb") as f:
            f.write(rdb(key(self.dump[0], b"k", self.dump[1:-10])))
        status, said = self.check(path)
        if status == 0 or not UNSEEN.search(said):
            self.found.append("%s, and its dump %r: %s, %s" % (what, self.dump, again, said))
        self.counts["there alone, for good"] += 1

    @staticmethod
    def check(path):
        p = subprocess.run([resp.STILLFRAME_RDB, "check", path], capture_output=True, text=True, timeout=120)
        return p.returncode, p.stderr

    def kind_of_difference(self, source, ours, theirs, is_mended):
        if theirs == "crash":
            return "there a crash"
        if source[0] not in OF_REDIS_7_0:
            return "newer"
        if (ours == "OK") == (theirs == "OK"):
            return "both take it" if ours == "OK" else "both refuse it"
        if ours != "OK":
            return "there alone"
        return "mended here" if is_mended else "here alone"

    def use(self, taken, batch, rnd):
        c = self.client
        types = [t.decode() for t in c.pipeline([["TYPE", "r:%d" % i] for i in taken])]
        for i, kind in zip(taken, types):
            if kind == "none":
                continue  # it had expired
            commands = [["COPY", "r:%d" % i, "k"], *hostile.uses(rnd, kind, 6), ["OBJECT", "ENCODING", "k"], ["MEMORY", "USAGE", "k"],
                        ["DUMP", "r:%d" % i], ["DEL", "k", "k2"]]
            try:
                replies = c.pipeline(commands)
            except (OSError, EOFError) as e:
                self.fail("%s: %s, then %s\n%s" % (e, batch[i], commands, self.ours.log()[-6000:]))
            if replies[-2] is None:
                continue  # its last field has expired
            again = c.pipeline([["RESTORE", "again", 0, replies[-2]], *self.contents("again", kind), *self.contents("r:%d" % i, kind), ["DEL", "again"]])
            self.assertEqual([text(again[0]), again[1]], ["OK", again[2]], batch[i])
        looks = [look for i, kind in zip(taken, types) for look in self.contents("r:%d" % i, kind)]
        before = c.pipeline(looks)
        c.call("BGSAVE", "WAIT")
        self.assertEqual(self.check(os.path.join(self.ours.dir, "dump.rdb")), (0, ""))
        c.call("DEBUG", "RELOAD")
        for i, a, b in zip(taken, before, c.pipeline(looks)):
            self.assertEqual(a, b, batch[i])
        c.pipeline([["DEL", "r:%d" % i] for i in taken])
        self.assertEqual(c.call("DBSIZE"), 0)

    @staticmethod
    def contents(name, kind):
        """A command that says what a key holds: of a hash, what has not expired."""
        return [["HGETALL", name] if kind == "hash" else ["DEBUG", "DIGEST-VALUE", name]]

    def log_size(self):
        return os.fstat(self.ours._log.fileno()).st_size

    def log_since(self, size):
        self.client.call("PING")
        return os.pread(self.ours._log.fileno(), 1 << 24, size).decode("utf-8", "backslashreplace")


if __name__ == "__main__":
    unittest.main()
