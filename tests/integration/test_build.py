#!/usr/bin/env python3
"""What a build prints: a short line for each step, its commands with V=1, and all that the compiler
has to say."""
import os
import subprocess
import tempfile
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

    def test_a_parameter_in_a_field_of_another_type_is_no_program(self):
        with open(os.path.join(ROOT, "server/config/config.def"), encoding="utf-8") as f:
            table = f.read()
        self.assertEqual(self.compile_with(table), (0, ""))
        for kind, field in (("INT", "protected_mode"), ("BOOL", "hz"), ("MEMORY", "dir"), ("TEXT", "requirepass")):
            status, said = self.compile_with(table + '\nOPTION("wrong", NULL, %s, %s, "", 0, 0, 0, NULL)\n' % (kind, field))
            self.assertNotEqual(status, 0)
            self.assertIn("wrong: the field is not of the C type", said)

    def compile_with(self, table):
        with tempfile.TemporaryDirectory() as directory:
            os.makedirs(os.path.join(directory, "server/config"))
            with open(os.path.join(directory, "server/config/config.def"), "w", encoding="utf-8") as f:
                f.write(table)
            done = subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-fsyntax-only", "-I" + directory, "-I.",
                                   "server/config/config.c"], cwd=ROOT, timeout=120, check=False, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode()


if __name__ == "__main__":
    unittest.main()
