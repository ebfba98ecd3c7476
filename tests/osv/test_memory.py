#!/usr/bin/env python3
"""The memory of a machine of OSv runs out: errors come, not its end.

It is filled in several shapes until commands are refused; then reads, a save, writes after DEL,
SHUTDOWN SAVE and a boot that loads the dump with the same digest.  Clients with arguments and
replies that no machine could hold are refused or closed.

  OSV_LONG=1   each shape, at 256 MB and at 1 GB
"""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest  # noqa: E402
import full_machine  # noqa: E402

LONG = os.environ.get("OSV_LONG") == "1"
WORDS = ("--enable-debug-command", "yes", "--save", "")
MIB = 1 << 20
# what the machines of the test have for maxmemory, at least
LEAST = {"256M": 128 * MIB, "1G": 512 * MIB}


class Memory(unittest.TestCase):
    def fill_and_use(self, shape, memory, *words):
        """Through a boot: it fits again."""
        disk = guest.Disk(*WORDS, *words, data_mb=1024)
        with guest.Guest(disk, memory=memory) as machine:
            limit = full_machine.setting(machine.resp, "maxmemory")
            full_machine.fill(machine, shape)
            if limit:
                self.assertGreater(limit, LEAST[memory])
                self.assertGreater(int(machine.info("memory")["used_memory"]), limit * 9 // 10)
            before = full_machine.use_full(machine)
            machine.shutdown("SAVE")
        with guest.Guest(disk, memory=memory) as machine:
            self.assertEqual((machine.resp.call("DEBUG", "DIGEST"), machine.resp.call("DBSIZE")), before)
            machine.resp.call("FLUSHALL")
            # What lost its bytes leaves behind what they pointed to.
            machine.wait_for(lambda: machine.info("memory")["mm_live_bytes"] == "0", 120, "all of the data to be gone")
            machine.wait_for(lambda: int(machine.info("memory")["used_memory_rss"]) < LEAST[memory] // 3, 120, "memory that comes back")

    def test_large_strings(self):
        self.fill_and_use("large", "256M")

    def test_arguments_and_replies_that_no_machine_could_hold(self):
        with guest.Guest(guest.Disk(*WORDS), memory="256M") as machine:
            full_machine.refuse_claim(machine)
            full_machine.crowd_requests(machine)
            full_machine.crowd_replies(machine)
            self.assertEqual(machine.resp.call("SET", "a", "b"), b"OK")

    @unittest.skipUnless(LONG, "only with OSV_LONG=1")
    def test_each_shape_in_each_machine(self):
        for memory in LEAST:
            for shape in full_machine.SHAPES:
                with self.subTest(shape=shape, memory=memory):
                    self.fill_and_use(shape, memory)

    @unittest.skipUnless(LONG, "only with OSV_LONG=1")
    def test_without_maxmemory(self):
        """Set by hand; what the machine has bounds it all the same."""
        for shape in ("large", "fields"):
            with self.subTest(shape=shape):
                self.fill_and_use(shape, "256M", "--maxmemory", "0", "--snapshot-memory-limit", "0")

    @unittest.skipUnless(LONG, "only with OSV_LONG=1")
    def test_eviction_beside_saves(self):
        with guest.Guest(guest.Disk(*WORDS, "--maxmemory-policy", "allkeys-lru", data_mb=1024), memory="256M") as machine:
            full_machine.evict_beside_saves(machine)

    @unittest.skipUnless(LONG, "only with OSV_LONG=1")
    def test_a_dump_that_does_not_fit_is_refused(self):
        disk = guest.Disk(*WORDS, data_mb=1024)
        with guest.Guest(disk, memory="1G") as machine:
            machine.resp.call("DEBUG", "POPULATE", 3000, "key", 100000)
            machine.shutdown("SAVE")
        with guest.Guest(disk, memory="256M", ready="Stillframe version=") as machine:
            machine.wait_power_off()
            self.assertIn(full_machine.DOES_NOT_FIT, machine.console())
            self.assertRegex(machine.console(), r"dump.rdb in /data: Out of memory \(key 'key:\d+'\)\.")


if __name__ == "__main__":
    guest.main()
