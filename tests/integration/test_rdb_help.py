"""stillframe-rdb's help, man page and completions: of every command, and in the real shells."""
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest

import resp


def tool(*args, **env):
    p = subprocess.run([resp.STILLFRAME_RDB, *args], capture_output=True, text=True, env={**os.environ, **env})
    return p.returncode, p.stdout, p.stderr


def commands():
    """{name: options} as the help tells them."""
    text = tool("--help")[1].split("Commands:\n")[1].split("\n\n")[0]
    names = re.findall(r"^  (\S+)", text, re.M)
    return {name: re.findall(r"^  (?:-., |    )--([a-z-]+)", tool(name, "--help")[1], re.M) for name in names}


class Help(unittest.TestCase):
    def test_each_command_has_help_with_options_and_examples(self):
        found = commands()
        self.assertLessEqual({"check", "info", "completion", "manual"}, set(found))
        for name in found:
            status, out, err = tool(name, "--help")
            self.assertEqual((status, err), (0, ""))
            self.assertRegex(out, r"^Usage: stillframe-rdb %s " % name)
            self.assertRegex(out, r"\nExamples:\n  \S")
            self.assertIn("quiet", found[name])
            self.assertEqual([line for line in out.splitlines() if len(line) > 84 and "stillframe-rdb" not in line], [], name)

    def test_each_example_is_understood(self):
        """Its command, and each option in it, exist: a file that does not is all that is wrong."""
        for name in commands():
            examples = tool(name, "--help")[1].split("\nExamples:\n")[1].split("\n\n")[0]
            for line in re.findall(r"stillframe-rdb ([^|>\n]*?)(?:   .*)?(?:[|>].*)?$", examples, re.M):
                with self.subTest(line=line), tempfile.TemporaryDirectory() as folder:
                    p = subprocess.run(["sh", "-c", "exec %s %s" % (resp.STILLFRAME_RDB, line.replace("$(", "").rstrip('")'))],
                                       capture_output=True, text=True, cwd=folder, stdin=subprocess.DEVNULL)
                    self.assertNotIn("Try: stillframe-rdb", p.stderr)

    def test_an_option_of_another_command_is_refused_by_name(self):
        status, out, err = tool("check", "--top=3", "x")
        self.assertEqual((status, out), (2, ""))
        self.assertEqual(err, "stillframe-rdb: check takes no option --top\nTry: stillframe-rdb check --help\n")


class Manual(unittest.TestCase):
    def test_it_names_every_command_and_option_and_is_sound_roff(self):
        status, page, err = tool("manual")
        self.assertEqual((status, err), (0, ""))
        p = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-rLL=200n"], input=page, capture_output=True, text=True)
        self.assertEqual((p.returncode, p.stderr), (0, ""))
        text = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", p.stdout)
        for name, options in commands().items():
            self.assertRegex(text, r"(?m)^   %s\b" % name)
            for option in options:
                if option != "help":
                    self.assertIn("--" + option, text)


class Completions(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        os.symlink(os.path.abspath(resp.STILLFRAME_RDB), os.path.join(self.dir, "stillframe-rdb"))
        self.env = {**os.environ, "PATH": self.dir + ":" + os.environ["PATH"], "HOME": self.dir, "LC_ALL": "C.UTF-8",
                    "XDG_CONFIG_HOME": self.dir}

    def shell(self, *args):
        p = subprocess.run(args, capture_output=True, text=True, env=self.env, cwd=self.dir, stdin=subprocess.DEVNULL)
        self.assertEqual((p.returncode, p.stderr), (0, ""))
        return p.stdout.split()

    def bash(self, *words):
        """What bash offers for the last of the words."""
        return self.shell("bash", "--norc", "-c", """
            eval "$(stillframe-rdb completion bash)"
            compopt() { :; }
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _stillframe_rdb
            printf '%s\\n' "${COMPREPLY[@]}" """, "bash", "stillframe-rdb", *words)

    def test_bash(self):
        found = commands()
        self.assertEqual(sorted(self.bash("")), sorted([*found, "help", "--help", "--version"]))
        self.assertEqual(self.bash("chec"), ["check"])
        self.assertEqual(self.bash("info", "--to"), ["--top="])
        self.assertEqual(self.bash("check", "--to"), [])
        self.assertEqual(self.bash("check", "--color", "=", "ne"), ["never"])
        self.assertEqual(self.bash("completion", "z"), ["zsh"])
        for name, options in found.items():
            self.assertEqual(sorted(w.rstrip("=")[2:] for w in self.bash(name, "--")), sorted(options), name)

    def test_fish(self):
        with open(os.path.join(self.dir, "c.fish"), "w") as f:
            f.write(tool("completion", "fish")[1])

        def fish(line):
            words = self.shell("fish", "--no-config", "-c", "source c.fish; complete -C '%s' | string replace -r '\\t.*' ''; true" % line)
            return [w for w in words if w != "c.fish"]
        self.assertLessEqual(set(commands()), set(fish("stillframe-rdb ")))
        self.assertEqual(fish("stillframe-rdb chec"), ["check"])
        self.assertEqual(fish("stillframe-rdb info --to"), ["--top"])
        self.assertEqual(fish("stillframe-rdb check --to"), [])
        self.assertEqual(fish("stillframe-rdb check --color=ne"), ["--color=never"])
        self.assertEqual(fish("stillframe-rdb completion z"), ["zsh"])

    def test_zsh(self):
        """In a zsh on a terminal of its own, whose TAB is pressed."""
        with open(os.path.join(self.dir, "_stillframe-rdb"), "w") as f:
            f.write(tool("completion", "zsh")[1])
        master, slave = pty.openpty()
        shell = subprocess.Popen(["zsh", "-f", "-i"], stdin=slave, stdout=slave, stderr=slave, cwd=self.dir, start_new_session=True,
                                 env={**self.env, "TERM": "dumb", "PS1": ""})
        os.close(slave)
        self.addCleanup(shell.wait)
        self.addCleanup(shell.kill)
        self.addCleanup(os.close, master)

        def said(keys, until):
            """What it printed, from then on until that came."""
            os.write(master, keys.encode())
            text, end = "", time.monotonic() + 60
            while until not in text:
                self.assertTrue(select.select([master], [], [], max(0, end - time.monotonic()))[0], "no %s in %r" % (until, text))
                text += os.read(master, 65536).decode()
            return text
        said("fpath=(%s $fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=10000; echo REA''DY\n" % self.dir, "READY")
        said("stillframe-rdb chec\t", "stillframe-rdb check")
        said("\x15stillframe-rdb info --to\t", "--top=")
        said("\x15stillframe-rdb info --color=ne\t", "--color=never")
        text = said("\x15stillframe-rdb check --to\t", "--to") + said("\x15echo DO''NE\n", "DONE")
        self.assertNotIn("--top", text)

    def test_another_shell_is_refused(self):
        status, out, err = tool("completion", "tcsh")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("not bash, zsh or fish", err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
