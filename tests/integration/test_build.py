#!/usr/bin/env python3
"""What a build prints: a short line for each step, its commands with V=1, and all that the compiler
has to say; and how the programs are made."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

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


class Machines(unittest.TestCase):
    """A machine for which this is not written is refused with the reason, before anything else."""

    HEADER = "mm/base/machine.h"
    WIDTH = "error: .*Stillframe needs a 64-bit machine, on which pointers and long have 8 bytes"
    ORDER = "error: .*Stillframe needs a little-endian machine"

    def errors(self, *compiler):
        done = subprocess.run([*compiler, "-fsyntax-only", "-x", "c", self.HEADER], cwd=ROOT, timeout=120, check=False, capture_output=True)
        said = done.stderr.decode()
        self.assertEqual(done.returncode != 0, " error: " in said, said)
        return said

    def test_32_bits_are_refused(self):
        for words in (["-m32"], ["-mx32"]):
            self.assertRegex(self.errors("gcc", *words), self.WIDTH)

    def test_big_endian_is_refused(self):
        said = self.errors("gcc", "-U__BYTE_ORDER__", "-D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__")
        self.assertRegex(said, self.ORDER)
        self.assertNotRegex(said, self.WIDTH)

    def test_this_machine_is_none_of_them(self):
        self.assertEqual(self.errors("gcc"), "")

    @unittest.skipIf(shutil.which("clang") is None, "clang is not installed")
    def test_machines_that_there_are(self):
        for target in ("x86_64", "aarch64", "riscv64", "powerpc64le"):
            self.assertEqual(self.errors("clang", "--target=%s-linux-gnu" % target), "", target)
        for target in ("s390x", "powerpc64", "aarch64_be", "mips64"):
            self.assertRegex(self.errors("clang", "--target=%s-linux-gnu" % target), self.ORDER, target)
        for target in ("i686", "armv7", "mipsel", "powerpc"):
            self.assertRegex(self.errors("clang", "--target=%s-linux-gnu" % target), self.WIDTH, target)

    def test_it_comes_before_everything_else(self):
        env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "V")}
        if os.path.exists(os.path.join(ROOT, OBJECT)):
            os.unlink(os.path.join(ROOT, OBJECT))
        done = subprocess.run(["make", "-s", "--no-print-directory", "FLAVOUR=page10", "EXTRA_CFLAGS=-m32", OBJECT], cwd=ROOT, env=env,
                              timeout=120, check=False, capture_output=True)
        self.assertNotEqual(done.returncode, 0)
        errors = [line for line in done.stderr.decode().split("\n") if "error:" in line]
        self.assertRegex(errors[0], self.WIDTH)
        self.assertFalse(os.path.exists(os.path.join(ROOT, OBJECT)))


class Installed(unittest.TestCase):
    """make install, into a directory of its own."""

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.root = directory.name
        env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "V")}
        for _ in range(2):  # the second time over the first
            subprocess.run(["flock", "build/.lock-release", "make", "-s", "--no-print-directory", "install", "DESTDIR=" + cls.root,
                            "PREFIX=/usr"], cwd=ROOT, env=env, timeout=1200, check=True, capture_output=True)
            with open(os.path.join(cls.root, "etc/stillframe/stillframe.conf"), "a", encoding="utf-8") as f:
                f.write("# mine\n")

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as f:
            return f.read()

    def test_the_configuration_is_taken_and_what_was_changed_in_it_stays(self):
        text = self.read("etc/stillframe/stillframe.conf")
        self.assertEqual(text.count("# mine\n"), 2)
        self.assertIn("\ndir /var/lib/stillframe\n", text)
        self.assertIn("\nbind 127.0.0.1 -::1\n", text)
        with tempfile.TemporaryDirectory() as directory:
            config = os.path.join(directory, "conf")
            with open(config, "w", encoding="utf-8") as f:
                f.write(text.replace("/var/lib/stillframe", directory))
            server = resp.start(os.path.join(self.root, "usr/bin/stillframe-server"), directory, (config,))
            with server.client() as c:
                self.assertEqual(c.call("CONFIG", "GET", "bind"), [b"bind", b"127.0.0.1 -::1"])
            self.assertEqual(server.stop(), 0)

    def test_the_unit_names_what_was_installed(self):
        unit = self.read("usr/lib/systemd/system/stillframe-server.service")
        self.assertIn("\nExecStart=/usr/bin/stillframe-server /etc/stillframe/stillframe.conf --supervised systemd\n", unit)
        self.assertNotIn("@", unit.replace("@system-service", "").replace("@privileged", ""))
        self.assertIn("u stillframe ", self.read("usr/lib/sysusers.d/stillframe.conf"))

    def test_completions_know_every_parameter(self):
        with open(os.path.join(ROOT, "server/config/config.def"), encoding="utf-8") as f:
            names = re.findall(r'^(?:TLS_|SANDBOX_)?OPTION\("([^"]+)"', f.read(), re.M)
        self.assertGreater(len(names), 100)
        for path in ("usr/share/bash-completion/completions/stillframe-server", "usr/share/zsh/site-functions/_stillframe-server"):
            told = self.read(path).split()
            self.assertEqual([n for n in names if "--" + n not in [t.strip("'") for t in told]], [])
        script = "COMP_WORDS=(stillframe-server --snapshot-r); COMP_CWORD=1; . %s/usr/share/bash-completion/completions/stillframe-server; " \
                 "_stillframe_server; echo ${COMPREPLY[*]}" % self.root
        said = subprocess.run(["bash", "-c", script], capture_output=True, timeout=60, check=True).stdout.decode()
        self.assertEqual(said, "--snapshot-rate-limit --snapshot-retain\n")

    @unittest.skipIf(shutil.which("groff") is None, "groff is not installed")
    def test_the_man_pages_are_set_without_a_warning(self):
        for page in ("stillframe-server.1", "stillframe-rdb.1"):
            done = subprocess.run(["groff", "-man", "-Tascii", "-P-cbou", "-wall", os.path.join(self.root, "usr/share/man/man1", page)],
                                  capture_output=True, timeout=60, check=True)
            self.assertEqual(done.stderr, b"")
            self.assertIn(b"SYNOPSIS", done.stdout)


def readelf(option, program):
    return subprocess.run(["readelf", "-W", option, program], capture_output=True, timeout=60, check=True).stdout.decode()


@unittest.skipUnless(os.environ.get("STILLFRAME_FLAVOUR", "release") == "release", "of the release build")
class Hardened(unittest.TestCase):
    """What the release programs are made with (docs/security.md), read from the files."""

    PROGRAMS = [os.path.join(ROOT, "build", name) for name in ("stillframe-server", "stillframe-rdb")]

    def test_programs_may_lie_anywhere_and_no_table_of_addresses_can_be_written(self):
        for program in self.PROGRAMS:
            self.assertRegex(readelf("-h", program), r"Type: +DYN \(Position-Independent Executable file\)")
            dynamic = readelf("-d", program)
            self.assertRegex(dynamic, r"\(FLAGS\) .*BIND_NOW")
            self.assertRegex(dynamic, r"\(FLAGS_1\) .*NOW.*PIE")
            self.assertNotIn("TEXTREL", dynamic)
            self.assertIn("GNU_RELRO", readelf("-l", program))

    def test_no_memory_is_both_written_and_run(self):
        for program in self.PROGRAMS:
            segments = re.findall(r"^  (LOAD|GNU_STACK) .* 0x\w+ 0x\w+ ([R ][W ][E ]) 0x", readelf("-l", program), re.M)
            self.assertIn("GNU_STACK", [kind for kind, _ in segments])
            self.assertEqual([s for s in segments if "W" in s[1] and "E" in s[1]], [])
            # Nor is what is only read: headers and constants lie in segments of their own.
            self.assertIn(("LOAD", "R  "), segments)
            self.assertEqual(sum("E" in flags for _, flags in segments), 1)

    def test_stacks_and_known_buffers_are_checked(self):
        for program in self.PROGRAMS:
            asked = set(re.findall(r" UND (\w+)", readelf("--dyn-syms", program)))
            self.assertIn("__stack_chk_fail", asked)
            self.assertIn("__memcpy_chk", asked)
        # The libraries that are linked in are Debian's: our own code has to ask, too.
        ours = readelf("-s", os.path.join(ROOT, "build/obj/server/config/config_file.o"))
        self.assertIn("__stack_chk_fail", ours)

    def test_control_flow_marks_are_there_where_libc_has_them(self):
        crt = subprocess.run(["gcc", "-print-file-name=crt1.o"], capture_output=True, check=True).stdout.decode().strip()
        has = "SHSTK" in readelf("-n", crt)
        ours = readelf("-n", os.path.join(ROOT, "build/obj/server/config/config_file.o"))
        self.assertEqual("SHSTK" in ours, has)


if __name__ == "__main__":
    unittest.main()
