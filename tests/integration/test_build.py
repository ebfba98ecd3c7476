#!/usr/bin/env python3
"""What a build prints: a short line for each step, its commands with V=1, and all that the compiler
has to say."""
import os
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OBJECT = "build/page10/obj/mm/base/must.o"  # of a flavour that only the benchmark builds


class Build(unittest.TestCase):
    def setUp(self):
        if os.path.exists(os.path.join(ROOT, OBJECT)):
            os.unlink(os.path.join(ROOT, OBJECT))

    def make(self, *words):
        env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "V")}
        done = subprocess.run(["make", "--no-print-directory", "FLAVOUR=page10", OBJECT, *words], cwd=ROOT, env=env, timeout=120,
                              check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode()

    def test_a_step_is_one_short_line(self):
        self.assertEqual(self.make(), (0, "  CC  %s\n" % OBJECT))

    def test_silent_is_silent(self):
        self.assertEqual(self.make("-s"), (0, ""))
        self.setUp()
        self.assertEqual(self.make("-j2", "-s"), (0, ""))

    def test_v_1_shows_the_commands(self):
        status, said = self.make("V=1")
        self.assertEqual((status, said.count("\n")), (0, 1))
        self.assertIn(" -Wall ", said)
        self.assertTrue(said.endswith("-c -o %s mm/base/must.c\n" % OBJECT))

    def test_a_mistake_is_told_whole_and_ends_the_build(self):
        status, said = self.make("EXTRA_CFLAGS=-DBROKEN -include tests/no_such_header.h")
        self.assertNotEqual(status, 0)
        self.assertIn("fatal error: tests/no_such_header.h: No such file or directory", said)
        self.assertFalse(os.path.exists(os.path.join(ROOT, OBJECT)))


if __name__ == "__main__":
    unittest.main()
