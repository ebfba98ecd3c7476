"""stillframe-rdb used wrongly, or on a terminal: what it says then is what the user needs next."""
import os
import pty
import shutil
import subprocess
import tempfile
import unittest

import resp


def tool(*args, **how):
    p = subprocess.run([resp.STILLFRAME_RDB, *args], capture_output=True, timeout=60, **how)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def on_terminal(*args):
    """What a terminal gets to see of both outputs, without its own line ends."""
    master, slave = pty.openpty()
    p = subprocess.Popen([resp.STILLFRAME_RDB, *args], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
    os.close(slave)
    got = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the other end is closed
            piece = b""
        if not piece:
            break
        got += piece
    os.close(master)
    return p.wait(60), got.replace(b"\r\n", b"\n").decode()


class Usage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="rdb-usage-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        cls.dump = cls.path("dump.rdb")
        server = resp.start_redis_server(cls.dir, "--save", "")
        try:
            r = server.client()
            r.call("SET", "plain", "one\ttwo\\three")
            r.call("SET", "evil", b"\x1b]0;title\x07 \xff \xc3\xbc\n")
            r.call("SADD", "set", "a", "b")
            r.call("SAVE")
        finally:
            server.stop()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.dir, name)

    def says(self, args, *lines, status=2, **how):
        self.assertEqual(tool(*args, **how), (status, "", "".join("stillframe-rdb: " + line + "\n" if i == 0 else line + "\n"
                                                              for i, line in enumerate(lines))))

    def test_a_command_that_is_none(self):
        self.says(["chek", "x"], "there is no command chek", "Did you mean: stillframe-rdb check")
        self.says(["dif", "x"], "there is no command dif", "Did you mean: stillframe-rdb diff")
        self.says(["frobnicate", "--help"], "there is no command frobnicate", "Try: stillframe-rdb --help")
        self.says(["x"], "there is no command x", "Try: stillframe-rdb --help")
        self.says([self.dump], "there is no command " + self.dump,
                  "Try: stillframe-rdb check %s, or another command of stillframe-rdb --help" % self.dump)

    def test_an_option_that_is_none_points_to_the_help_of_its_command(self):
        self.says(["keys", "--mach", "x", "y"], "unrecognized option '--mach'", "Try: stillframe-rdb keys --help")
        self.says(["--mach", "x", "keys"], "unrecognized option '--mach'", "Try: stillframe-rdb keys --help")
        self.says(["--mach"], "unrecognized option '--mach'", "Try: stillframe-rdb --help")

    def test_arguments_that_are_missing_are_named(self):
        for command, needs in ("check", "FILE..."), ("diff", "BEFORE AFTER"), ("get", "KEY FILE..."), ("completion", "bash|zsh|fish"):
            self.says([command], "%s needs %s" % (command, needs), "Try: stillframe-rdb %s --help" % command)
        self.says(["diff", "a", "b", "c"], "diff: too many arguments: it takes BEFORE AFTER", "Try: stillframe-rdb diff --help")
        self.says(["manual", "x"], "manual: too many arguments: it takes none", "Try: stillframe-rdb manual --help")

    def test_a_value_that_cannot_be_meant_is_answered_with_one_that_can(self):
        for command in "memory", "report":
            for option, what, example in (("depth=99", "not a number from 1 to 16", "depth=2"), ("separator=", "not a text of 1 to 256 bytes", "separator=/"),
                                          ("pattern=(", "not an extended regular expression", "pattern='^([a-z]+):'")):
                self.says([command, "--" + option, self.dump, "-o", self.path("none")], "--%s: %s" % (option.split("=")[0], what), "Try: --" + example)

    def test_a_percent_sign_in_an_argument_is_nothing_but_itself(self):
        for arguments, said in ((["check", "--color=%s%s%s%n", "x"], "--color=%s%s%s%n: not auto|always|never"),
                                (["keys", "--limit=%n%s", "x"], "--limit=%n%s: not a number"),
                                (["%s%n"], "there is no command %s%n"), (["check", "%s%n"], "%s%n: No such file or directory")):
            p = subprocess.run([resp.STILLFRAME_RDB, *arguments], capture_output=True, text=True)
            self.assertIn(p.returncode, (1, 2), arguments)
            self.assertIn("stillframe-rdb: %s\n" % said, p.stderr)

    def test_standard_input_is_read_once(self):
        for command in "diff", "check":
            with open(self.dump, "rb") as f:
                self.says([command, "-", "-"], command + ": standard input (-) can be read once",
                          "Try: stillframe-rdb %s --help" % command, stdin=f)
        with open(self.dump, "rb") as f:  # neither of these is a file to be read
            self.assertEqual(tool("get", "-", "-", stdin=f), (1, "", "stillframe-rdb: no such key: -\n"))
        with open(self.dump, "rb") as f:
            p = subprocess.run([resp.STILLFRAME_RDB, "salvage", "-q", "-", "-"], stdin=f, capture_output=True, timeout=60)
        self.assertEqual((p.returncode, p.stdout[:5]), (0, b"REDIS"))

    def test_only_what_is_read_is_an_input(self):
        """A file that is there makes way with --force, be it named as OUT or as the key."""
        there = self.path("there")
        with open(there, "w") as f:
            f.write("old")
        self.says(["salvage", self.dump, there], there + ": is there already (--force replaces it)", status=3)
        with open(there) as f:
            self.assertEqual(f.read(), "old")
        self.assertEqual(tool("salvage", "-q", "--force", self.dump, there), (0, "", ""))
        self.assertEqual(tool("diff", "-q", self.dump, there), (0, "", ""))
        self.assertEqual(tool("get", "plain", self.dump, "-o", "plain", cwd=self.dir), (0, "", ""))
        self.assertEqual(tool("get", "plain", self.dump, "-f", "-o", "plain", cwd=self.dir), (0, "", ""))
        self.says(["get", "plain", self.dump, "-f", "-o", self.dump], self.dump + ": it is an input, which is never changed", status=1)

    def test_a_dump_for_a_server_is_one_that_it_reads(self):
        packed, old = self.path("packed.rdb"), self.path("old.rdb")
        tool("convert", self.dump, "-o", packed, "--compress=lz4")
        self.assertIn("envelope", tool("check", packed)[1])
        for server, has in ("redis-7.0", False), ("redis-6.2", False), ("valkey-9.2", True), ("stillframe", True):
            self.assertEqual(tool("convert", "-f", packed, "-o", old, "--for=" + server)[0], 0)
            status, said, _ = tool("check", "--loads-in=" + server, old)
            self.assertEqual((status, "envelope" in said), (0, has), server)
            self.assertEqual(tool("diff", "-q", packed, old)[0], 0)
        self.says(["convert", "-f", packed, "-o", old, "--for=redis-7.0", "--compress=lz4"],
                  "--compress=lz4: the server of --for does not read that")
        self.says(["convert", "-f", packed, "-o", old, "--level=3", "--compress=lzf"], "--level=3: it is one of --compress=lz4")

    def test_no_command_sends_control_characters_to_a_terminal(self):
        self.assertEqual(on_terminal("get", "evil", self.dump), (0, "\\x1b]0;title\\x07 \\xff ü\n\n"))
        self.assertEqual(on_terminal("get", "plain", self.dump), (0, "one\ttwo\\three\n"))
        self.assertEqual(tool("get", "plain", self.dump), (0, "one\ttwo\\three", ""))
        status, said = on_terminal("convert", self.dump, "-o", "-")
        self.assertEqual((status, said.splitlines()[0]),
                         (2, "stillframe-rdb: convert: a dump is nothing for a terminal: -o FILE, or a pipe"))
        for command in "keys", "head":
            self.assertNotIn("\x1b]", on_terminal(command, "--color=never", self.dump)[1])

    def test_salvage_finds_out_first_whether_it_may_write(self):
        there, out = self.path("list-there"), self.path("not-written.rdb")
        with open(there, "w") as f:
            f.write("old")
        self.says(["salvage", self.dump, out, "--list=" + there], there + ": is there already (--force replaces it)", status=3)
        self.assertFalse(os.path.exists(out))
        self.says(["salvage", self.dump, self.dir, "--list=" + self.path("no-list")], self.dir + ": cannot be written: Is a directory", status=3)
        self.assertEqual([n for n in os.listdir(self.dir) if n == "no-list" or n.endswith(".tmp")], [])

    def test_salvage_tells_what_keeps_the_doubtful(self):
        data = bytearray(open(self.dump, "rb").read())
        at = data.index(b"\x04evil")
        data[at + 5:at + 19] = b"\xff" * 14
        with open(self.path("hurt.rdb"), "wb") as f:
            f.write(data)
        status, _, err = tool("salvage", self.path("hurt.rdb"), self.path("hurt-saved.rdb"))
        self.assertEqual(status, 3)  # all that is beside the damage is doubtful
        self.assertIn(": 0 keys written, 3 known to be lost (--keep-doubtful keeps 2 of them)\n", err)
        status, _, err = tool("salvage", "--keep-doubtful", self.path("hurt.rdb"), self.path("hurt-saved.rdb"))
        self.assertEqual(status, 1)
        self.assertTrue(err.endswith(": 2 keys written, 1 known to be lost\n"), err)

    def test_what_to_do_next_is_told(self):
        broken = self.path("broken.rdb")
        with open(self.dump, "rb") as f, open(broken, "wb") as to:
            to.write(f.read()[:-12])
        status, said = on_terminal("check", broken)
        self.assertEqual((status, said.splitlines()[-1]), (1, "Try: stillframe-rdb salvage %s OUT, which saves what is whole" % broken))
        self.assertNotIn("Try", on_terminal("check", "-q", broken)[1])
        self.assertNotIn("Try", tool("check", broken)[2])
        self.assertTrue(tool("diff", self.dump, self.dump)[1].endswith("\nno difference\n"))

    def test_the_help_tells_what_is_so_without_an_option(self):
        for command, text in ("memory", "what a prefix ends with (default: :)"), ("diff", "(default: 10)"), ("json", "(default: bytes)"):
            self.assertIn(text, " ".join(tool(command, "--help")[1].split()))
        self.assertNotRegex(tool("manual", "--help")[1], r"(?m) $")


if __name__ == "__main__":
    unittest.main()
