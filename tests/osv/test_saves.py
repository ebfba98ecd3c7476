#!/usr/bin/env python3
"""Saves on OSv: all types, writers beside, each way of saving, and what is there after the machine
was off.

A save's file keeps a name of its own (dbfilename), so that one boot serves many saves.  Each file,
copied out of the partition, is sound and has the digest of its cut: here, and in redis-server.

  OSV_SEED=n   the writes of an earlier run: each run prints its seed
  OSV_LONG=1   more machines: both forms, one and two processors, 256 MB and 1 GB
"""
import itertools
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest  # noqa: E402
from cuts import SEED, Data, Readers, begin_save, digest, save, wait_saved  # noqa: E402

LONG = os.environ.get("OSV_LONG") == "1"
ELEMENTS = 20000 if LONG else 4000
WORDS = ("--enable-debug-command", "yes", "--enable-protected-configs", "yes", "--save", "")
CODECS = ("no", "yes", "lz4")
MATRIX = [dict(zip(("rdbcompression", "snapshot-threads", "snapshot-verify", "snapshot-memory-limit"), values))
          for values in itertools.product(CODECS, (1, 2), ("no", "yes"), ("0", "1mb"))]
FEW = [m for m in MATRIX if m["snapshot-verify"] == "no" and m["snapshot-memory-limit"] == "0"]
STAMPED = r"^dump-\d{8}T\d{6}Z(_\d+)?\.rdb$"
DATA_MB = 3072  # room for two dozen dumps, whatever the writers have made of the data


class Saves(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print("saves on OSv: seed %d" % SEED, file=sys.stderr)
        cls.readers = Readers()

    @classmethod
    def tearDownClass(cls):
        cls.readers.close()

    def copy_out(self, partition, name):
        return partition.copy_out(name, os.path.join(self.readers.dir, name))

    def save_each_way(self, machine, data, matrix):
        """A save a row, beside writers: {file name: (digest, row)}."""
        c, files = machine.resp, {}
        for i, row in enumerate(matrix):
            name = "way-%02d.rdb" % i
            c.call("CONFIG", "SET", "dbfilename", name, *itertools.chain(*row.items()))
            # so that the writers have work while it runs, and the limit is met
            data.wait_written(2)
            files[name] = save(machine), row
            self.assertEqual(machine.console().count("it is whole"), sum(r["snapshot-verify"] == "yes" for r in matrix[:i + 1]), row)
        return files

    def run_machine(self, form, memory, smp, matrix):
        disk = guest.Disk(*WORDS, form=form, data_mb=DATA_MB)
        with guest.Guest(disk, memory=memory, smp=smp) as machine:
            data = Data(self.id(), machine)
            data.fill(ELEMENTS)
            data.start_writers()
            files = self.save_each_way(machine, data, matrix)
            machine.resp.call("CONFIG", "SET", "dbfilename", "dump.rdb", *itertools.chain(*matrix[0].items()))
            cut = save(machine)
            data.wait_written(3)  # of which the dump knows nothing
            data.stop_writers()
            self.assertNotEqual(digest(machine), cut)
            machine.shutdown("NOSAVE")
        with disk.partition() as partition:
            self.assertEqual(sorted(partition.names()), sorted([*files, "dump.rdb"]))
            for name, (at_cut, row) in files.items():
                with self.subTest(row):
                    self.readers.check(self.copy_out(partition, name), at_cut, row["rdbcompression"] == "lz4")
            self.readers.check(self.copy_out(partition, "dump.rdb"), cut, matrix[0]["rdbcompression"] == "lz4")
        with guest.Guest(disk, memory=memory, smp=smp) as machine:
            self.assertEqual(digest(machine), cut, "the cut, and nothing behind it")
            machine.resp.call("SET", "behind", "the cut")
            last = digest(machine)
            machine.shutdown("SAVE")
        with guest.Guest(disk, memory=memory, smp=smp) as machine:
            self.assertEqual(digest(machine), last)
            self.assertEqual(machine.resp.call("GET", "behind"), b"the cut")
            self.kept(machine)
        with disk.partition() as partition:
            self.assertFalse([n for n in partition.names() if n.startswith("temp")], partition.names())

    def kept(self, machine):
        """Four saves: of the dumps that were replaced two are kept; SHUTDOWN saves as save points
        make it."""
        c = machine.resp
        c.call("CONFIG", "SET", "snapshot-retain", 2, "dbfilename", "kept.rdb")
        cuts = []
        for i in range(4):
            c.call("SET", "kept", i)
            cuts.append(save(machine))
            seconds = int(machine.info("server")["server_time_usec"]) // 1000000
            machine.wait_for(lambda: int(machine.info("server")["server_time_usec"]) // 1000000 > seconds, guest.REPLY_SECONDS, "another second")
        c.call("SET", "kept", "last")
        last = digest(machine)
        c.call("CONFIG", "SET", "snapshot-retain", 0, "save", "3600 1")
        machine.shutdown()
        with machine.disk.partition() as partition:
            names = sorted(n for n in partition.names() if n.startswith("kept-"))
            self.assertEqual(len(names), 2, partition.names())
            for name, cut in zip(names, cuts[-3:-1]):
                self.readers.check(self.copy_out(partition, name), cut)
            self.readers.check(self.copy_out(partition, "kept.rdb"), last)

    def test_executable_on_two_processors_in_every_way(self):
        self.run_machine("pie", "256M", 2, MATRIX)

    def test_shared_object_on_one_processor(self):
        self.run_machine("shared", "512M", 1, FEW)

    @unittest.skipUnless(LONG, "only with OSV_LONG=1")
    def test_executable_on_one_processor_with_more_memory(self):
        self.run_machine("pie", "1G", 1, MATRIX)

    @unittest.skipUnless(LONG, "only with OSV_LONG=1")
    def test_shared_object_on_two_processors(self):
        self.run_machine("shared", "256M", 2, MATRIX)

    def test_a_save_that_was_cancelled_and_one_that_follows(self):
        disk = guest.Disk(*WORDS)
        with guest.Guest(disk) as machine:
            c = machine.resp
            c.call("DEBUG", "POPULATE", 20000, "key", 200)
            first = save(machine)
            c.call("CONFIG", "SET", "snapshot-rate-limit", "100kb")
            c.call("SET", "a", "b")
            begin_save(machine)
            c.call("BGSAVE", "CANCEL")
            self.assertEqual(wait_saved(machine), "ok")
            self.assertEqual(machine.info("persistence")["rdb_saves_cancelled"], "1")
            c.call("CONFIG", "SET", "snapshot-rate-limit", 0)
            machine.power_cut()
        with disk.partition() as partition:
            self.assertEqual(list(partition.names()), ["dump.rdb"])
            self.readers.check(self.copy_out(partition, "dump.rdb"), first)


if __name__ == "__main__":
    guest.main()
