#!/usr/bin/env python3
"""A data partition that is full on OSv: saves fail with their reason, the old dump stays whole,
writes are refused as Redis refuses them, and when there is room again all is well."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest  # noqa: E402
from cuts import Readers, begin_save, digest, save, wait_saved  # noqa: E402
from guest import resp  # noqa: E402

DATA_MB = 16
WORDS = ("--enable-debug-command", "yes", "--save", "86400 1", "--rdbcompression", "no")
VALUE_BYTES = 1000
FITS, TOO_MUCH = 4000, 14000  # keys of VALUE_BYTES: 4 MB, and 14 MB, which have no room beside 4


class Full(unittest.TestCase):
    def setUp(self):
        self.readers = Readers()
        self.addCleanup(self.readers.close)

    def populate(self, c, name, count):
        c.call("DEBUG", "POPULATE", count, name, VALUE_BYTES)

    def fail_to_save(self, machine):
        begin_save(machine)
        self.assertEqual(wait_saved(machine), "err", machine.console()[-2000:])
        self.assertRegex(machine.console(), r"Background saving error: write of .*: No space left on device \(ENOSPC, /data/dump\.rdb\)")

    def refuses_writes(self, c):
        with self.assertRaisesRegex(resp.RespError, "^MISCONF "):
            c.call("SET", "refused", "x")
        with self.assertRaisesRegex(resp.RespError, "^MISCONF "):
            c.call("DEL", "few:1")
        self.assertIsNone(c.call("GET", "refused"))
        self.assertEqual(len(c.call("GET", "few:1")), VALUE_BYTES)

    def test_a_full_partition(self):
        disk = guest.Disk(*WORDS, data_mb=DATA_MB)
        with guest.Guest(disk) as machine:
            c = machine.resp
            self.populate(c, "few", FITS)
            first = save(machine)
            self.populate(c, "many", TOO_MUCH)
            for _ in range(2):  # what a failed save has written is free again
                self.fail_to_save(machine)
            self.assertIn("this save may fail for want of room", machine.console())
            self.refuses_writes(c)
            with self.assertRaisesRegex(resp.RespError, "ERR .*No space left|ERR Errors trying to SHUTDOWN"):
                c.call("SHUTDOWN", "SAVE")
            c.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
            c.call("SET", "taken", "x")
            c.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes")
            machine.power_cut()
        # What a failed save had written is removed in memory, and on the disk with the next flush.
        self.check(disk, first, "temp-stillframe-")
        with guest.Guest(disk) as machine:
            c = machine.resp
            self.assertEqual(digest(machine), first)
            self.populate(c, "many", TOO_MUCH)
            self.fail_to_save(machine)
            self.refuses_writes(c)
            c.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
            self.assertEqual(c.call("DEL", *("many:%d" % i for i in range(TOO_MUCH))), TOO_MUCH)
            c.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes")
            second = save(machine)
            c.call("SET", "a", "b")  # is taken again
            machine.shutdown("NOSAVE")
        self.check(disk, second)
        with guest.Guest(disk) as machine:
            self.assertEqual(digest(machine), second)
            for i in range(12):  # three times the partition
                machine.resp.call("SET", "round", i)
                save(machine)
            last = digest(machine)
            machine.shutdown("SAVE")
        self.check(disk, last)

    def check(self, disk, expected, but=()):
        with disk.partition() as partition:
            self.assertEqual([n for n in partition.names() if not n.startswith(but)], ["dump.rdb"])
            path = partition.copy_out("dump.rdb", os.path.join(self.readers.dir, "copied.rdb"))
        self.readers.check(path, expected)


if __name__ == "__main__":
    unittest.main()
