#!/usr/bin/env python3
"""What the documents say of the server, asked of the server: tables of parameters, limits and
fields, lists of what there is not."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

# Parameters of Redis 7.2 that the reference server has not.
OF_7_2 = ["cluster-announce-human-nodename", "locale-collate", "set-max-listpack-entries", "set-max-listpack-value"]
# Read over by Redis, and so here.
OBSOLETE = ["list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"]


def document(name):
    with open(os.path.join(resp.ROOT, name), encoding="utf-8") as f:
        return f.read()


def section(page, title):
    """The text below a heading, up to the next one of its kind or above."""
    at = page.index("\n%s\n" % title) + 1
    level = len(title) - len(title.lstrip("#"))
    end = re.search(r"^#{1,%d} " % level, page[at + len(title):], re.M)
    return page[at:] if end is None else page[at:at + len(title) + end.start()]


def rows(text):
    """The cells of each row of the tables in a text, without heads."""
    lines, out = text.split("\n"), []
    for i, line in enumerate(lines):
        below = lines[i + 1] if i + 1 < len(lines) else ""
        if line.startswith("|") and not line.startswith("|---") and not below.startswith("|---"):
            out.append([c.strip() for c in line.strip().strip("|").split("|")])
    return out


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


def same_value(a, b):
    """Values as CONFIG GET shows them and as people write them."""
    def plain(s):
        units = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
        return [str(int(w[:-2]) * units[w[-2:]]) if re.fullmatch(r"\d+[kmg]b", w) else w for w in s.split()]
    return plain(a) == plain(b)


class Documents(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="stillframe-documents-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def start(self, *args, program=resp.start_stillframe):
        server = program(tempfile.mkdtemp(dir=self.dir), *args)
        self.addCleanup(server.kill)
        return server

    def config(self, c):
        flat = [w.decode() for w in c.call("CONFIG", "GET", "*")]
        return dict(zip(flat[::2], flat[1::2]))

    def refused(self, *args):
        done = subprocess.run([resp.STILLFRAME_SERVER, "--port", "0", *args], cwd=self.dir, timeout=60, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 1, "%s: %s" % (args, done.stdout))
        return done.stdout.decode()

    # ---- configuration.md ----

    def test_parameters_that_work_have_the_defaults_of_the_table(self):
        values = self.config(self.start().client())
        table = rows(section(document("docs/configuration.md"), "## Parameters that work"))
        self.assertGreater(len(table), 55)
        for name, also, default in table:
            for n in names(name) + names(also):
                if n not in ("port", "dir"):  # this start's own
                    self.assertTrue(same_value(values[n], names(default)[0].strip('"')), (n, values[n], default))

    def test_the_example_configuration_has_all_parameters_that_work(self):
        table = rows(section(document("docs/configuration.md"), "## Parameters that work"))
        said = set(re.findall(r"^# ([a-z-]+) \S", document("server/dist/stillframe.conf"), re.M))
        self.assertEqual([n for row in table for n in names(row[0]) if n not in said], [])

    def test_parameters_without_effect_are_those_that_the_log_names(self):
        page = document("docs/configuration.md")
        told = [n for row in rows(section(page, "## Parameters without effect")) for n in re.sub(r" \(`[^`]*`\)", "", row[1]).split("`")[1::2]]
        works = [n for row in rows(section(page, "## Parameters that work")) for n in names(row[0])]
        self.assertEqual(len(told), len(set(told)))
        with self.start().client() as c:
            lines = []
            for name in told + works:
                value = c.call("CONFIG", "GET", name)
                self.assertEqual(len(value), 2, name)
                if name not in ("port", "dir"):
                    lines.append('%s "%s"' % (name, value[1].decode()))
        path = os.path.join(self.dir, "all.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        server = self.start(path)
        lines = re.findall(r"Parameters without effect here \(docs/configuration.md says why\): (.*)\n", server.log())
        self.assertEqual(sorted(n for line in lines for n in line.split(", ")), sorted(told))
        every = set(self.config(server.client()))
        second = {n for row in rows(section(page, "## Parameters that work")) for n in names(row[1])}
        second |= {n for row in rows(section(page, "## Parameters without effect")) + rows(section(page, "## Parameters of which one value is taken"))
                   for cell in row for group in re.findall(r"\((`[^)]*)\)", cell) for n in names(group)}
        fixed = {names(row[0])[0] for row in rows(section(page, "## Parameters of which one value is taken"))}
        self.assertEqual(every - set(told) - set(works) - fixed - second, set())

    def test_of_some_parameters_one_value_is_taken(self):
        table = rows(section(document("docs/configuration.md"), "## Parameters of which one value is taken"))
        self.assertGreater(len(table), 6)
        for name, only, why in table:
            name, only = names(name)[0], names(only)[0].strip('"')
            other = "7" if only == "0" else "yes"
            self.assertIn(why, self.refused("--" + name, other), name)
            if only != "":
                self.start("--" + name, only).stop()

    def test_every_parameter_of_7_2_is_known_and_the_obsolete_are_read_over(self):
        with self.start("--" + OBSOLETE[0], "512", "--" + OBSOLETE[1], "64", "--" + OBSOLETE[2], "yes").client() as c:
            for name in OF_7_2:
                self.assertEqual(len(c.call("CONFIG", "GET", name)), 2, name)
            for name in OBSOLETE:
                self.assertEqual(c.call("CONFIG", "GET", name), [])

    # ---- operations.md ----

    def test_the_table_of_parameters_says_what_can_be_set_and_its_defaults(self):
        table = rows(section(document("docs/operations.md"), "## Parameters"))
        self.assertGreater(len(table), 30)
        with self.start().client() as c:
            values = self.config(c)
            for name, default, can_be_set, does, _ in table:
                name, value = names(name)[0], values[names(name)[0]]
                if name not in ("port", "dir"):
                    self.assertTrue(same_value(value, "" if default == "empty" else default.replace("`", "")), (name, value, default))
                try:
                    c.call("CONFIG", "SET", name, value)
                    said = "yes"
                except resp.RespError as e:
                    said = "protected" if "protected config" in str(e) else "no" if "immutable config" in str(e) else str(e)
                self.assertEqual(said, can_be_set, name)
                for also in re.findall(r"also `([^`]+)`", does):
                    self.assertEqual(values[also], value)

    def test_limits_of_the_table_are_limits(self):
        page = section(document("docs/operations.md"), "## Parameters")
        low, high = map(int, re.search(r"\| `databases` \|.*\| (\d+) to (\d+) \|", page).groups())
        for n in (low - 1, high + 1):
            self.assertIn("argument must be between %d and %d inclusive" % (low, high), self.refused("--databases", str(n)))
        low, high = map(int, re.search(r"\| `hz` \|.*; (\d+) to (\d+) \|", page).groups())
        with self.start().client() as c:
            for given, taken in ((low - 1, low), (high + 1, high)):
                c.call("CONFIG", "SET", "hz", given)
                self.assertEqual(c.call("CONFIG", "GET", "hz")[1], str(taken).encode())
            most = int(re.search(r"\| `bind` \|.* up to (\d+) addresses", page).group(1))
            with self.assertRaisesRegex(resp.RespError, "Too many bind addresses"):
                c.call("CONFIG", "SET", "bind", " ".join(["127.0.0.1"] * (most + 1)))
        self.assertIn("--arena-size", page.replace("`arena-size`", "--arena-size"))
        self.assertIn("argument must be between 0 and %d inclusive" % (64 << 40), self.refused("--arena-size", str((64 << 40) + 1)))

    def test_every_field_that_the_document_explains_is_in_info(self):
        page = document("docs/operations.md")
        with self.start().client() as c:
            c.call("SET", "a", 1)
            with self.assertRaises(resp.RespError):
                c.call("GET", "a", "b")
            fields = {line.split(":")[0] for line in c.call("INFO", "all").decode().split("\r\n")}
            fields |= {line.split(":")[0] for line in c.call("INFO", "debug").decode().split("\r\n")}
        told = [n for title in ("## What to watch in INFO", "### Memory figures") for row in rows(section(page, title)) for n in names(row[0])]
        self.assertGreater(len(told), 50)
        last = ""
        for name in told:
            if name.startswith("_"):  # `allocator_allocated`, `_active`
                name = last[:last.rindex("_")] + name
            last = name
            if name.startswith("errorstat_") or name == "loading_*":
                continue  # there while, or when, it happens
            pattern = re.compile(re.escape(name).replace(r"\*", ".*") + "$")
            self.assertTrue(any(pattern.match(f) for f in fields), name)

    def test_commands_that_are_not_here_are_listed(self):
        told = set(names(re.search(r"^- Commands of Redis 7.2 that are not here: (.*(?:\n  .*)*)", document("docs/operations.md"), re.M).group(1)))
        ours, theirs = ({n.decode().split("|")[0].upper() for n in self.start(program=p).client().call("COMMAND", "LIST")}
                        for p in (resp.start_stillframe, resp.start_redis_server))
        self.assertEqual({n.split(" ")[0] for n in told}, theirs - ours)

    # ---- sources ----

    def strings(self, pattern=r""):
        """The string literals of the server, those that stand together joined, conversions as a
        zero byte."""
        out = []
        for folder, _, files in os.walk(resp.ROOT):
            if os.path.relpath(folder, resp.ROOT).split(os.sep)[0] not in ("server", "snapshot", "mm"):
                continue
            for name in files:
                if name.endswith((".c", ".h", ".def")):
                    with open(os.path.join(folder, name), encoding="utf-8") as f:
                        text = f.read()
                    for run in re.findall(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*', text):
                        out.append("".join(re.findall(r'"((?:[^"\\]|\\.)*)"', run)))
        return out

    def test_log_lines_of_a_save_are_those_of_the_server(self):
        texts = [re.sub(r"%[-+ 0-9.*]*(?:ll|z)?[a-z]", "\0", s.replace("%%", "\1")).replace("\1", "%") for s in self.strings()]
        lines = [n for row in rows(section(document("docs/operations.md"), "### Log lines of a save")) for n in names(row[0])]
        self.assertGreater(len(lines), 10)
        for line in lines:
            pieces = [p for p in re.split(r"\b(?:N|S|P|\d+)\b|:? ?\.\.\.$", line) if p.strip()]
            pattern = re.compile(".*?".join(map(re.escape, pieces)), re.S)
            self.assertTrue(any(pattern.search(t) for t in texts), line)

    def test_paths_and_libraries_of_osv_are_all(self):
        page = document("docs/osv.md")
        paths = {s for s in self.strings() if s.startswith(("/proc", "/dev", "/sys"))}
        self.assertEqual(paths, set(re.findall(r"`(/(?:proc|dev|sys)/[^`]*)`", page)))
        said = subprocess.run(["ldd", resp.STILLFRAME_SERVER], stdout=subprocess.PIPE, timeout=10, check=True).stdout.decode()
        needed = {line.split()[0] for line in said.split("\n") if "=>" in line} - {"libc.so.6", "libm.so.6"}
        needed -= {"libssl.so.3", "libcrypto.so.3", "libseccomp.so.2"}  # what is for OSv is made without TLS and the sandbox
        if not any("asan" in n or "tsan" in n for n in needed):
            told = set(names(re.search(r"^At present those are (.*);", page, re.M).group(1)))
            self.assertEqual(needed, told)

    def test_events_that_latency_has_are_named(self):
        told = set(names(re.search(r"events that took 10 ms or longer: (.*(?:\n.*)?)\.", document("docs/operations.md")).group(1)))
        used = set()
        for folder, _, files in os.walk(os.path.join(resp.ROOT, "server")):
            for name in files:
                if name.endswith(".c"):
                    with open(os.path.join(folder, name), encoding="utf-8") as f:
                        used |= set(re.findall(r'latency_add\("([a-z-]+)"', f.read()))
        self.assertEqual(told, used | {"command", "fast-command"})

    def test_the_number_of_wrong_variants_is_right(self):
        with open(os.path.join(resp.ROOT, "tests", "model", "run.sh"), encoding="utf-8") as f:
            rows_of_models = re.findall(r"^(holds|fails) ", f.read(), re.M)
        self.assertIn("with %d wrong variants" % rows_of_models.count("fails"), document("README.md"))
        self.assertIn("\n    %d passed, 0 failed\n" % len(rows_of_models), document("docs/model.md"))

    def test_usage_is_the_form_that_is_told(self):
        page = document("docs/operations.md")
        self.assertIn("`stillframe-server [FILE] [--name value ...] [-]`", page)
        said = subprocess.run([resp.STILLFRAME_SERVER, "--help"], stdout=subprocess.PIPE, timeout=10, check=True).stdout.decode()
        self.assertIn("stillframe-server [configuration file] [--name value ...] [-]", said)

    def test_links_and_files_that_are_named_exist(self):
        for name in ["README.md"] + [os.path.join("docs", n) for n in os.listdir(os.path.join(resp.ROOT, "docs")) if n.endswith(".md")]:
            for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document(name)):
                if not target.startswith("http"):
                    self.assertTrue(os.path.exists(os.path.join(resp.ROOT, os.path.dirname(name), target)), (name, target))


if __name__ == "__main__":
    unittest.main()
