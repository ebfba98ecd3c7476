#!/usr/bin/env python3
"""What the server asks of OSv: symbols, a memory that moves bytes as it is told and gives back what
it is told, a clock for save points.

The same commands are given to a machine and to the same program on Linux: they have the same data.
"""
import os
import random
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest  # noqa: E402
from cuts import LARGE_HLL, SEED, Data, digest  # noqa: E402
from guest import resp  # noqa: E402

sys.path.insert(0, os.path.join(resp.ROOT, "osv"))
import image  # noqa: E402

LONG = os.environ.get("OSV_LONG") == "1"
ROUNDS = 40 if LONG else 8
COMMANDS = 400  # a round
DISTANCES = 16  # more keys of that name than there are
WORDS = ("--enable-debug-command", "yes", "--save", "")


def asked_for(path):
    """The symbols that a program or library has to be given; weak ones it can do without."""
    lines = guest.run("nm", "-D", "--undefined-only", path).splitlines()
    return {line.split()[-1].split("@")[0] for line in lines if line.split()[-2] == "U"}


def text_of(file):
    """What has been written to it until now."""
    return os.pread(file.fileno(), 1 << 20, 0).decode("utf-8", "backslashreplace")


class System(unittest.TestCase):
    def test_no_symbol_is_missing(self):
        programs = [guest.PROGRAMS["pie"], guest.PROGRAMS["shared"]]
        libraries = {name: path for p in programs for name, path in image.libraries(p).items() if not image.OF_THE_KERNEL.match(name)}
        names = sorted(set().union(*map(asked_for, programs + list(libraries.values()))))
        self.assertGreater(len(names), 100)
        with tempfile.TemporaryDirectory() as tmp:
            with open(os.path.join(tmp, "symbols.inc"), "w") as f:
                f.write("".join('"%s",\n' % name for name in names + ["no_system_has_this"]))
            program = os.path.join(tmp, "symbols")
            guest.run("gcc", "-std=gnu11", "-fPIE", "-pie", "-I", tmp, "-o", program, os.path.join(guest.HERE, "symbols.c"),
                      "-Wl,--no-as-needed", *libraries.values())
            with guest.Guest(guest.Disk(form=program, data_mb=8), ready=r"asked for (\d+) symbols, (\d+) missing") as machine:
                missing = [line.split()[1] for line in machine.console().splitlines() if line.startswith("missing: ")]
        self.assertEqual(missing, ["no_system_has_this"])

    def test_memory_that_is_given_back_takes_nothing_with_it(self):
        sources = [os.path.join(guest.HERE, "discard.c")] + [os.path.join(resp.ROOT, "mm/base", name) for name in ("os_linux.c", "must.c", "fault.c")]
        with tempfile.TemporaryDirectory() as tmp:
            program = os.path.join(tmp, "discard")
            guest.run("gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-fPIE", "-pie", "-I", resp.ROOT, "-o", program, *sources)
            said = r"discarded \d+ ranges, (\d+) over an edge: (\d+) pages lost, (\d+) kept"
            with guest.Guest(guest.Disk(form=program, data_mb=8), ready=said) as machine:
                crossing, lost, kept = map(int, re.search(said, machine.console()).groups())
        self.assertGreater(crossing, 100)
        self.assertEqual((lost, kept), (0, 0))

    def test_the_status_of_osv_run(self):
        """It says whether the server started, and ended as it was told to."""
        with tempfile.TemporaryFile() as console:
            self.assertEqual(self.run_status(console, "--save", "", stop_at="Ready to accept"), 0)
            self.assertIn("Nothing is saved", text_of(console))
        with tempfile.TemporaryFile() as console:
            self.assertEqual(self.run_status(console, "--maxmemory", "much"), 1)
            self.assertIn("maxmemory", text_of(console))
            self.assertIn("the machine switched itself off", text_of(console))

    def run_status(self, console, *words, stop_at=None):
        disk = guest.Disk(*words, data_mb=8)
        command = [sys.executable, os.path.join(resp.ROOT, "osv/qemu.py"), disk.path, "--memory", "128M", "--port", str(resp.free_port())]
        with subprocess.Popen(command + ["--accel", guest.ACCEL], stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT) as qemu:
            try:
                if stop_at:
                    resp.wait_until(lambda: stop_at in text_of(console) or qemu.poll() is not None, guest.BOOT_SECONDS, 0.1, stop_at)
                    qemu.terminate()  # as Ctrl-C
                return qemu.wait(guest.POWER_OFF_SECONDS)
            finally:
                qemu.kill()

    def test_the_same_commands_make_the_same_data(self):
        print("OSv and Linux: seed %d" % SEED, file=sys.stderr)
        with tempfile.TemporaryDirectory() as where, guest.Guest(guest.Disk(*WORDS), smp=2) as machine:
            linux = resp.start_stillframe(where, *WORDS)
            self.addCleanup(linux.kill)
            with linux.client() as here:
                self.give_both(machine, here)
            linux.kill()

    def give_both(self, machine, here):
        data = Data(self.id(), machine)
        commands = data.commands()
        for n in range(ROUNDS):
            batch = [["CONFIG", "SET", name, data.rnd.choice(values)] for name, values in data.configs]
            batch += [commands.one() for _ in range(COMMANDS)] + [["PFADD", LARGE_HLL] + ["%d:%d" % (n, i) for i in range(300)]]
            batch += self.moves(data.rnd)
            # The sines of two C libraries differ in the last bit, and so do stored distances.
            batch += [["DEL", "distances:%d" % i] for i in range(DISTANCES)]
            for c in (machine.resp, here):
                c.pipeline(batch)
            if digest(machine) != here.call("DEBUG", "DIGEST"):
                self.fail("round %d: %s" % (n, self.differing(machine.resp, here)))

    @staticmethod
    def moves(rnd):
        """Values over 1 KB whose elements become a byte or two shorter: all behind is moved."""
        out = []
        for key, fields in (("moved:hash", 60), ("moved:hash2", 100)):
            out.append(["CONFIG", "SET", "hash-max-listpack-entries", 512])
            for i in rnd.sample(range(fields), fields):
                out.append(["HSET", key, "field-%04d" % i, "v" * rnd.randrange(8, 14)])
            out.append(["HDEL", key] + ["field-%04d" % rnd.randrange(fields)])
        for _ in range(20):
            out.append(["SETRANGE", "moved:string", rnd.randrange(3000), "x"])
            out.append(["LPUSH", "moved:list", rnd.randrange(1 << rnd.randrange(1, 40))])
            out.append(["LSET", "moved:list", -1, rnd.randrange(1 << rnd.randrange(1, 40))])
        return out

    @staticmethod
    def differing(there, here):
        found = []
        for key in sorted(set(there.call("KEYS", "*")) | set(here.call("KEYS", "*"))):
            if there.call("DEBUG", "DIGEST-VALUE", key) != here.call("DEBUG", "DIGEST-VALUE", key):
                found.append((key, there.call("OBJECT", "ENCODING", key)))
        return found

    def test_save_points_and_times(self):
        disk = guest.Disk("--enable-debug-command", "yes", "--save", "1 1", *(["--snapshot-schedule", "* * * * *"] if LONG else []))
        with guest.Guest(disk, memory="256M") as machine:
            c = machine.resp
            self.assertRegex(machine.info("server")["os"], r"^OSv \d+\.\d+\S* x86_64$")
            c.call("SET", "a", "b")
            machine.wait_for(lambda: machine.info("persistence")["rdb_saves"] != "0", guest.REPLY_SECONDS, "a save point's save")
            self.assertIn("1 changes in 1 seconds. Saving...", machine.console())
            if LONG:
                machine.wait_for(lambda: "(snapshot-schedule). Saving..." in machine.console(), guest.REPLY_SECONDS, "a time's save")
            clients = [machine.client() for _ in range(20)]
            for i, other in enumerate(clients):
                other.call("SET", "client:%d" % i, i)
            at_end = digest(machine)
            for other in clients:
                other.close()
            machine.shutdown()
        with guest.Guest(disk, memory="256M") as machine:
            self.assertEqual(digest(machine), at_end)


if __name__ == "__main__":
    guest.main()
