#!/usr/bin/env python3
"""Power cuts on OSv: at every instant of a save the data partition holds the old dump or the new
one, whole, and the machine boots from it.

Every write to the disk is logged; a disk that has taken the first n of them is a power cut behind
the n-th (write_log.py says why no other is).  Each is looked at with a host's tools, some are
booted.  Besides, QEMU is killed in the middle of a save.

  OSV_LONG=1   more saves, each instant checked by e2fsck too, more boots
"""
import collections
import hashlib
import os
import random
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest  # noqa: E402
import write_log  # noqa: E402
from cuts import SEED, Readers, begin_save, digest, save, sound  # noqa: E402

LONG = os.environ.get("OSV_LONG") == "1"
DATA_MB = 48
WORDS = ("--enable-debug-command", "yes", "--save", "", "--rdbcompression", "no")
BOOTS = 12 if LONG else 2
TEMP = re.compile(r"^temp-stillframe-(\d+-[0-9a-f]{16}\.rdb|aside-dump\.rdb)$")
# What e2fsck may say, and why.
EXPLAINED = {
    "counts": re.compile(r"^(Free (blocks|inodes) count wrong|Directories count wrong)"),
    "leftover": re.compile(r"^(Unattached (zero-length )?inode|Inode \d+ ref count is|Deleted inode \d+|(Block|Inode) bitmap differences"
                           r"|Entry 'temp-stillframe-[^']*' in / \(2\) has deleted/unused inode)"),
}
CHATTER = re.compile(r"^(e2fsck |Pass \d|Fix\? no|Connect to /lost\+found\? no|.*: \d+/\d+ files|$|.*WARNING: Filesystem still has errors|Padding at end)")


def findings(said):
    """e2fsck's findings, each by its kind: {kind: how many}; what is not explained by its text."""
    found = collections.Counter()
    for line in said.splitlines():
        if not CHATTER.match(line):
            found[next((kind for kind, form in EXPLAINED.items() if form.match(line)), line)] += 1
    return found


class Power(unittest.TestCase):
    def setUp(self):
        self.readers = Readers()
        self.addCleanup(self.readers.close)
        self.rnd = random.Random("%d %s" % (SEED, self.id()))

    def save_some(self, machine, times, retain=0):
        """Saves of other data each time: their digests, in order."""
        self.saves = getattr(self, "saves", 0)
        c = machine.resp
        c.call("CONFIG", "SET", "snapshot-retain", retain)
        cuts = []
        for i in range(times):
            self.saves += 1
            c.call("FLUSHALL")
            c.call("DEBUG", "POPULATE", 2000 + 1000 * (i % 2), "save-%d" % self.saves, 500)
            cuts.append(save(machine))
        return cuts

    def instants(self, disk, log, first, look):
        """look(partition, n) for each n from `first` on: the disk has taken n writes."""
        writes = write_log.read(log)
        raw = disk.base_raw()
        with open(raw, "r+b") as f:
            write_log.apply(log, writes[:first], f)
            for n in range(first, len(writes) + 1):
                if n > first:
                    write_log.apply(log, writes[n - 1:n], f)
                with self.subTest(writes=n):
                    look(guest.Partition(raw), n)
        return raw, writes

    def test_every_instant(self):
        disk = guest.Disk(*WORDS, data_mb=DATA_MB)
        log = guest.new_path("write-log")
        with guest.Guest(disk, write_log=log) as machine:
            cuts = self.save_some(machine, 1)
            first = len(write_log.read(log))  # from here on there is a dump
            cuts += self.save_some(machine, 4 if LONG else 2)
            cuts += self.save_some(machine, 4 if LONG else 2, retain=1)
            machine.shutdown("NOSAVE")
        state = {"at": 0, "dumps": {}, "order": [], "kinds": collections.Counter(), "first": {}}

        def look(partition, n):
            self.look(partition, state, cuts)
            if LONG or n % 16 == 0:
                said = partition.fsck()[1]
                for kind in findings(said):
                    self.assertIn(kind, EXPLAINED, "e2fsck behind write %d" % n)
                    state["kinds"][kind] += 1
                for line in re.findall(r"^(?:Entry 'temp-stillframe-a?|Unattached|Inode \d+ ref count is)", said, re.M):
                    state["first"].setdefault(re.sub(r"\d+", "N", line), n)

        raw, writes = self.instants(disk, log, first, look)
        self.assertEqual(state["order"], cuts)
        with guest.Partition(raw, is_ours=True) as partition:  # switched off by SHUTDOWN
            self.assertEqual(set(findings(partition.fsck()[1])) - {"counts"}, set())
        print("power cuts behind each of %d writes, %d saves; e2fsck: %s" % (len(writes) - first + 1, len(cuts), dict(state["kinds"])), file=sys.stderr)
        # Random ones, and the first of each kind in which a name leads to no file, or none to one.
        for n in self.rnd.sample(range(first, len(writes) + 1), BOOTS) + sorted(state["first"].values()):
            with self.subTest(boot=n):
                self.boot(disk, log, writes[:n], cuts)

    def look(self, partition, state, cuts):
        """The dump is a whole one, the one of the instant before or the next."""
        names = partition.names()
        self.assertFalse([n for n in names if n != "dump.rdb" and not TEMP.match(n) and not n.startswith("dump-")])
        path = partition.copy_out("dump.rdb", os.path.join(self.readers.dir, "instant.rdb"))
        with open(path, "rb") as f:
            content = hashlib.sha256(f.read()).digest()
        if content not in state["dumps"]:
            self.assertTrue(sound(path), guest.run(guest.resp.STILLFRAME_RDB, "check", path, check=False))
            state["dumps"][content] = self.readers.digest("theirs", path)
        found = state["dumps"][content]
        if not state["order"] or state["order"][-1] != found:
            state["order"].append(found)
            self.assertEqual(found, cuts[len(state["order"]) - 1])

    def boot(self, disk, log, writes, cuts):
        """A machine whose disk has taken these writes has a cut's data, saves again, and removes
        what was left."""
        raw = disk.base_raw()
        with open(raw, "r+b") as f:
            write_log.apply(log, writes, f)
        cut_disk = guest.Disk.of_raw(raw)
        with guest.Guest(cut_disk) as machine:
            self.assertIn(digest(machine), cuts)
            machine.resp.call("SET", "behind", "the power cut")
            for _ in range(3):
                last = save(machine)
            machine.shutdown("NOSAVE")
        with cut_disk.partition() as partition:
            self.assertEqual([n for n in partition.names() if TEMP.match(n)], [])
            self.readers.check(partition.copy_out("dump.rdb", os.path.join(self.readers.dir, "again.rdb")), last)
            self.assertEqual(set(findings(partition.fsck()[1])) - set(EXPLAINED), set(), partition.fsck()[1])

    def test_qemu_killed_in_a_save(self):
        disk = guest.Disk(*WORDS, data_mb=DATA_MB)
        cuts, left = [], []
        for _ in range(6 if LONG else 2):
            with guest.Guest(disk) as machine:
                c = machine.resp
                if cuts:
                    self.assertIn(digest(machine), cuts[-2:])
                    self.assertEqual(re.findall(r"Removed (temp-stillframe-\S+), which a save", machine.console()), left)
                c.call("FLUSHALL")
                c.call("DEBUG", "POPULATE", 6000, "key-%d" % len(cuts), 500)
                cuts.append(save(machine))
                c.call("SET", "cut", len(cuts))
                c.call("CONFIG", "SET", "snapshot-rate-limit", "1mb")
                cuts.append(begin_save(machine))
                written = self.rnd.randrange(300000, 2500000)
                machine.wait_for(lambda: int(machine.info("persistence")["current_save_bytes_written"]) > written, guest.REPLY_SECONDS, "some of the file")
                machine.power_cut()
            with disk.partition() as partition:
                path = partition.copy_out("dump.rdb", os.path.join(self.readers.dir, "cut.rdb"))
                self.readers.check(path, cuts[-2])
                left = [n for n in partition.names() if TEMP.match(n)]


if __name__ == "__main__":
    guest.main()
