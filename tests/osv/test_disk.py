#!/usr/bin/env python3
"""A data partition that is full on OSv: saves fail with their reason, the old dump stays whole,
writes are refused as Redis refuses them, and when there is room again all is well.  And what is
written anew or removed there: nothing is left without a name, and nothing comes back."""
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
        self.check(disk, first)  # what a failed save had written is gone for good
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

    def check(self, disk, expected):
        with disk.partition() as partition:
            self.assertEqual(list(partition.names()), ["dump.rdb"])
            path = partition.copy_out("dump.rdb", os.path.join(self.readers.dir, "copied.rdb"))
        self.readers.check(path, expected)


class Files(unittest.TestCase):
    NAMES = ("server.conf", "users.acl")

    def look(self, disk):
        with disk.partition() as partition:
            self.assertEqual(sorted(partition.names()), sorted(self.NAMES))
            self.assertNotIn("Unattached", partition.fsck()[1])

    def test_the_configuration_and_the_users_are_written_anew(self):
        disk = guest.Disk("--aclfile", "users.acl", "--save", "", data_mb=DATA_MB, config="/data/server.conf")
        for name, text in zip(self.NAMES, ("# ours\nhz 20\n", "user old on nopass\n")):
            disk.put("temp-stillframe-aside-" + name, text)  # as a power cut may leave it
        with guest.Guest(disk) as machine:
            c = machine.resp
            self.assertIn("server.conf was not there: it was being written anew", machine.console())
            self.assertIn("users.acl was not there: it was being written anew", machine.console())
            self.assertEqual(c.call("CONFIG", "GET", "hz"), [b"hz", b"20"])
            for hz in (30, 40):
                c.call("CONFIG", "SET", "hz", hz)
                c.call("CONFIG", "REWRITE")
                c.call("ACL", "SETUSER", "new%d" % hz)
                c.call("ACL", "SAVE")
            machine.power_cut()
        self.look(disk)
        disk.put("temp-stillframe-2-00000000000000a1.rdb", "a part of a dump")
        with guest.Guest(disk) as machine:
            self.assertEqual(machine.resp.call("CONFIG", "GET", "hz"), [b"hz", b"40"])
            self.assertEqual(machine.resp.call("ACL", "USERS"), [b"default", b"new30", b"new40", b"old"])
            self.assertRegex(machine.console(), "Removed temp-stillframe-2-")
            machine.power_cut()
        self.look(disk)


if __name__ == "__main__":
    guest.main()
