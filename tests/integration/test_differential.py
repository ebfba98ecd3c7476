#!/usr/bin/env python3
"""Random command sequences give the same replies here and on redis-server.

Both servers get the same seeded commands of all types (the modules of sequences/, see the README
there): in pipelines, transactions and several databases, under RESP2 and RESP3, with dumps
exchanged and limits of encodings changed on the way. Compared are replies with their wire types,
keyspace events, changes counted, digests and encodings; in the end each server loads the other's
file.  A failure prints the shortest sequence that still shows it, as lines for redis-cli.

  DIFFERENTIAL_COMMANDS=n   commands in all (default 120000; QUICK=1: 12000)
  DIFFERENTIAL_SEED=n       instead of a seed from the clock
  DIFFERENTIAL_MODULES=a,b  only these modules
  DIFFERENTIAL_SHRINK=s     seconds for shrinking (default 60)
"""
import os
import random
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402,F401 - the programs to test
import sequences  # noqa: E402
from sequences.runner import Pair  # noqa: E402
from sequences.shrink import report  # noqa: E402
from sequences.words import Words  # noqa: E402

QUICK = os.environ.get("QUICK") == "1"
COMMANDS = int(os.environ.get("DIFFERENTIAL_COMMANDS", "12000" if QUICK else "120000"))
SEED = int(os.environ.get("DIFFERENTIAL_SEED", str(int(time.time()))))
ONLY = [m for m in os.environ.get("DIFFERENTIAL_MODULES", "").split(",") if m]
SHRINK_SECONDS = int(os.environ.get("DIFFERENTIAL_SHRINK", "60"))
SEQUENCE = 2500  # steps in one sequence
GENERIC_SHARE, TRANSACTION_SHARE, CONFIG_SHARE = 0.15, 0.02, 0.002


class Generator:
    """The steps of one sequence over some modules."""

    def __init__(self, rnd, modules, names, missing=()):
        self.rnd, self.missing, self.left_out = rnd, missing, set()
        self.sources = []
        self.configs = []
        private = {module.NAME for module in modules if getattr(module, "PRIVATE", False)}
        for module in modules:
            given = [n for n in names if n not in private or n == module.NAME]
            table = module.commands(Words(rnd, module.NAME, given))
            self.sources.append((module.NAME, [f for _, f in table], [weight for weight, _ in table]))
            self.configs += list(getattr(module, "CONFIGS", {}).items())

    def is_there(self, step):
        """False if it needs a command that we do not have yet: the name of a special is its
        command's."""
        if step[0] == "@blocked":
            return all(self.is_there(c) for c in step[1] + step[2])
        name = str(step[1] if step[0] == "@scan" else step[0]).lstrip("@").lower().encode()
        if name in self.missing:
            self.left_out.add(name.decode())
        return name not in self.missing

    def command(self):
        while True:
            step = self.any_command()
            if self.is_there(step):
                return step

    def any_command(self):
        typed = [s for s in self.sources if s[0] != "any"]
        generic = [s for s in self.sources if s[0] == "any"]
        pick = generic if generic and (not typed or self.rnd.random() < GENERIC_SHARE) else typed
        _, functions, weights = self.rnd.choice(pick)
        return self.rnd.choices(functions, weights)[0]()

    def plain(self):
        """A command that can stand in a transaction."""
        while True:
            command = self.command()
            if not str(command[0]).startswith("@") and str(command[0]).upper() not in ("HELLO", "DEBUG"):
                return command

    def step(self):
        r = self.rnd.random()
        if r < TRANSACTION_SHARE:
            return ["@multi", [self.plain() for _ in range(self.rnd.choice([0, 1, 3, 6]))]]
        if r < TRANSACTION_SHARE + CONFIG_SHARE and self.configs:
            name, values = self.rnd.choice(self.configs)
            return ["@config", name, self.rnd.choice(values)]
        return self.command()

    def batches(self, steps):
        batches = []
        while steps > 0:
            n = min(self.rnd.choice([1, 20, 100, 200]), steps)
            batches.append([self.step() for _ in range(n)])
            steps -= n
        return batches


class Differential(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print("differential: seed %d" % SEED, file=sys.stderr)
        cls.dir = tempfile.mkdtemp(prefix="differential-")
        cls.pair = Pair(cls.dir)
        cls.modules, cls.missing, cls.left_out = {}, cls.pair.missing_commands(), set()
        for name, module in sequences.modules().items():
            if ONLY and name not in ONLY and name != "generic":
                continue
            if getattr(module, "NEEDS", "PING").lower().encode() not in cls.missing:
                cls.modules[name] = module
                cls.pair.use(module)
            else:
                print("differential: %s is left out: there is no %s" % (name, module.NEEDS), file=sys.stderr)
        cls.types = [n for n in cls.modules if n != "generic"]

    @classmethod
    def tearDownClass(cls):
        if cls.left_out:
            print("differential: commands left out: " + " ".join(sorted(cls.left_out)), file=sys.stderr)
        cls.pair.close()
        shutil.rmtree(cls.dir, ignore_errors=True)

    def run_sequences(self, names, commands, seed):
        """Sequences over the modules of these names; returns how many steps."""
        modules = [self.modules[n] for n in names] + [self.modules["generic"]]
        keys = [self.modules[n].NAME for n in self.types]
        done = 0
        while done < commands:
            steps = min(SEQUENCE, commands - done)
            rnd = random.Random("%d %s %d" % (seed, ",".join(names), done))
            generator = Generator(rnd, modules, keys, self.missing)
            batches = generator.batches(steps)
            self.left_out.update(generator.left_out)
            found = self.pair.run_sequence(batches)
            if found is not None:
                self.fail("seed %d, modules %s, sequence at %d\n%s" % (
                    seed, ",".join(names), done, report(self.pair, batches, found, SHRINK_SECONDS)))
            done += steps
        return done

    def exchange_files(self):
        """Each server loads the other's dump."""
        sides = self.pair.sides
        for side in sides:
            side.client.call("DEBUG", "RELOAD")  # a score of -0 is 0 in a listpack: small sorted sets become one here
        digest = sides[0].client.call("DEBUG", "DIGEST")
        paths = [os.path.join(side.dir, "dump.rdb") for side in sides]
        shutil.copy(paths[0], paths[0] + ".kept")
        shutil.copy(paths[1], paths[0])
        shutil.copy(paths[0] + ".kept", paths[1])
        for side in sides:
            self.assertEqual(bytes(side.client.call("DEBUG", "RELOAD", "NOSAVE")), b"OK")
            self.assertEqual(side.client.call("DEBUG", "DIGEST"), digest, "seed %d" % SEED)

    def test_random_commands_of_one_type(self):
        for name in self.types:
            with self.subTest(name):
                self.run_sequences([name], COMMANDS // 2 // len(self.types), SEED)
                self.exchange_files()

    def test_random_commands_of_all_types(self):
        self.run_sequences(self.types, COMMANDS // 2, SEED)
        self.exchange_files()


if __name__ == "__main__":
    unittest.main(warnings="ignore")
