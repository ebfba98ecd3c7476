#!/usr/bin/env python3
"""A machine of one program, whose end it is when memory runs out: machine_preload.c pretends one,
so that the server takes its limits from it, and errors come before its end."""
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import full_machine  # noqa: E402
import resp  # noqa: E402

PRELOAD = os.path.join(resp.ROOT, "build", "tests", "integration", "machine_preload.so")
MIB = 1 << 20
MACHINE = 128 * MIB
PARAMETERS = ("maxmemory", "snapshot-memory-limit", "maxmemory-clients", "client-query-buffer-limit", "proto-max-bulk-len")


class Machine:
    """A server on a machine of its own."""

    def __init__(self, directory, *args, memory=MACHINE, config=None, discard_ms=0):
        self.server = resp.start("env", directory, ["LD_PRELOAD=" + PRELOAD, "MACHINE_BYTES=%d" % memory, "MACHINE_DISCARD_MS=%d" % discard_ms,
                                                    resp.STILLFRAME_SERVER, *([config] if config else []), "--enable-debug-command", "yes", *args])

    def client(self):
        self.check()
        return self.server.client()

    def check(self):
        if not self.server.is_running():
            raise AssertionError("it has ended:\n" + self.server.log())

    def shutdown(self):
        try:
            self.client().call("SHUTDOWN", "SAVE")
        except EOFError:
            pass
        assert self.server.wait() == 0, self.server.log()


class OneProgram(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def start(self, *args, memory=MACHINE, save=("--save", ""), discard_ms=0):
        machine = Machine(self.dir, *save, *args, memory=memory, discard_ms=discard_ms)
        self.addCleanup(machine.server.kill)
        return machine

    def limits(self, c):
        return {name: full_machine.setting(c, name) for name in PARAMETERS}

    def test_limits_come_from_the_machine(self):
        """Each is a part of it, rounded down to MiB, and together they fit."""
        for memory in (64 * MIB, MACHINE, 1024 * MIB):
            machine = self.start(memory=memory)
            limits = self.limits(machine.client())
            self.assertLessEqual(full_machine.setting(machine.client(), "maxclients"), memory // 8 // 16384)
            for name, part in zip(PARAMETERS, (5, 1, 2, 2, 1)):
                self.assertEqual(limits[name] % MIB, 0, name)
                self.assertLessEqual(limits[name], memory * part // 8, name)
                self.assertGreater(limits[name], memory * part // 8 - 4 * MIB, name)
            self.assertRegex(machine.server.log(), "Limits: maxmemory %d MB, a snapshot %d MB," %
                             (limits["maxmemory"] // MIB, limits["snapshot-memory-limit"] // MIB))
            self.assertNotIn("WARNING", machine.server.log())
            machine.server.kill()

    def test_without_such_a_machine_there_are_none(self):
        server = resp.start_stillframe(self.dir)
        self.addCleanup(server.kill)
        c = server.client()
        self.assertEqual([full_machine.setting(c, name) for name in ("maxmemory", "maxmemory-clients")], [0, 0])
        self.assertEqual(c.call("CONFIG", "GET", "snapshot-memory-limit")[1], b"25%")
        self.assertNotIn("This machine", server.log())

    def test_rewrite_writes_what_the_user_set_and_no_more(self):
        config = os.path.join(self.dir, "stillframe.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write("maxmemory-clients 3mb\n")
        machine = Machine(self.dir, memory=MACHINE, config=config)
        self.addCleanup(machine.server.kill)
        c = machine.client()
        before = self.limits(c)
        self.assertEqual(before["maxmemory-clients"], 3 * MIB)
        c.call("CONFIG", "SET", "snapshot-memory-limit", "5mb")
        c.call("CONFIG", "REWRITE")
        with open(config, encoding="ascii") as f:
            lines = [line.split() for line in f if line.strip() and not line.startswith("#")]
        said = {words[0]: words[1] for words in lines}
        self.assertEqual(said["maxmemory-clients"], "3mb")
        self.assertEqual(int(said["snapshot-memory-limit"].replace("5mb", str(5 * MIB))), 5 * MIB)
        self.assertEqual([name for name in PARAMETERS if name in said], ["snapshot-memory-limit", "maxmemory-clients"])

    def test_what_the_user_sets_wins_and_is_warned_of(self):
        machine = self.start("--maxmemory", "120mb")
        c = machine.client()
        self.assertEqual(full_machine.setting(c, "maxmemory"), 120 * MIB)
        self.assertRegex(machine.server.log(), r"WARNING: maxmemory \(120 MB\) and a snapshot's memory \(\d+ MB\) do not fit")
        c.call("CONFIG", "SET", "maxmemory", "0")
        self.assertRegex(machine.server.log(), "WARNING: maxmemory is 0, no limit")

    def test_filled_in_each_shape(self):
        """Errors come, then reads, a save and writes; what was saved fits such a machine again."""
        for shape in full_machine.SHAPES:
            with self.subTest(shape=shape):
                machine = self.start()
                full_machine.fill(machine, shape)
                digest = full_machine.use_full(machine)
                machine.shutdown()
                machine = self.start()
                c = machine.client()
                self.assertEqual((c.call("DEBUG", "DIGEST"), c.call("DBSIZE")), digest)
                machine.server.kill()
                os.remove(os.path.join(self.dir, "dump.rdb"))

    def test_filled_without_maxmemory(self):
        """What the machine has bounds it all the same."""
        machine = self.start("--maxmemory", "0")
        c = machine.client()
        c.call("CONFIG", "SET", "snapshot-memory-limit", "0")
        for shape in ("large", "fields"):
            full_machine.fill(machine, shape)
        digest = full_machine.use_full(machine)
        machine.shutdown()
        c = self.start("--maxmemory", "0").client()
        self.assertEqual((c.call("DEBUG", "DIGEST"), c.call("DBSIZE")), digest)

    def test_commands_that_nobody_asks_before(self):
        """DEBUG POPULATE runs whatever maxmemory says: the arena gives no more."""
        c = self.start().client()
        with self.assertRaisesRegex(resp.RespError, r"^OOM the arena has no memory left: \d+ of 100 keys are there$"):
            for i in range(1000):
                c.call("DEBUG", "POPULATE", 100, "key%d" % i, 100000)
        self.assertEqual(c.call("STRLEN", "key0:1"), 100000)
        c.call("SAVE")
        self.assertGreater(c.call("DBSIZE"), 100)
        c.call("FLUSHALL")
        resp.wait_until(lambda: full_machine.accepts(c), what="a write that is accepted")

    def test_what_was_deleted_is_room_before_it_has_gone_back(self):
        """Free blocks, whose memory the machine has not got back yet, are no shortage."""
        c = self.start(discard_ms=1000).client()
        with self.assertRaisesRegex(resp.RespError, "^OOM "):
            c.call("DEBUG", "POPULATE", 2000000, "key", 100)
        self.assertFalse(full_machine.accepts(c))
        keys = c.call("DBSIZE")
        for first in range(keys // 2, keys - 1000, 1000):
            c.call("DEL", *("key:%d" % i for i in range(first, first + 1000)))
        self.assertEqual(set(c.pipeline([["SET", "a:%d" % i, "b"] for i in range(100)])), {b"OK"})

    def test_large_arguments_and_replies(self):
        machine = self.start()
        full_machine.refuse_claim(machine)
        full_machine.crowd_requests(machine)
        full_machine.crowd_replies(machine)
        c = machine.client()
        self.assertEqual(c.call("SET", "a", "b"), b"OK")

    def test_eviction_beside_saves(self):
        full_machine.evict_beside_saves(self.start("--maxmemory-policy", "allkeys-lru"))

    def refuse_dump(self, count, size):
        """A dump of so many keys of that size, written elsewhere, does not fit."""
        server = resp.start_stillframe(self.dir, "--enable-debug-command", "yes", "--save", "")
        c = server.client()
        c.call("DEBUG", "POPULATE", count, "key", size)
        c.call("SAVE")
        server.stop()
        with self.assertRaises(resp.StartError) as caught:
            self.start()
        self.assertEqual(caught.exception.status, 1)
        self.assertIn(full_machine.DOES_NOT_FIT, caught.exception.log)
        self.assertRegex(caught.exception.log, r"Can't load the dump dump.rdb in \S+: Cannot allocate memory \(key 'key:\d+'\)\.")

    def test_a_dump_that_does_not_fit_is_refused(self):
        self.refuse_dump(2000, 100000)

    def test_the_reason_of_a_refusal_has_memory(self):
        """Of small keys every byte is taken when the next finds none."""
        self.refuse_dump(1500000, 100)


if __name__ == "__main__":
    if os.environ.get("STILLFRAME_FLAVOUR", "release") != "release":
        print("only the release build is tried here")
        sys.exit(0)
    unittest.main()
