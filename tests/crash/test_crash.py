#!/usr/bin/env python3
"""After a power cut at any moment there is the old state or the new one, whole: of the dump, of the
dumps that are kept, of copies, of the configuration, of the users, of what stillframe-rdb writes.

The program runs under record_preload.c; disk.py makes every state in which a disk may then be
found.  Each state is judged by its bytes: a name has those of a version that was whole, not one
from before what was acknowledged.  Of each kind of state one is given to a real start.

  CRASH_LONG=1   more of everything, and a start for each state

That the model finds what is wrong is shown with programs that leave a step out.
"""
import collections
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
import resp  # noqa: E402
from test_server import ServerCase, info  # noqa: E402

sys.path.insert(0, HERE)
import disk  # noqa: E402

HELPERS = os.path.join(resp.ROOT, "build", "tests")
RECORDER = os.path.join(HELPERS, "crash", "record_preload.so")
OSV = os.path.join(HELPERS, "integration", "osv_preload.so")
LONG = os.environ.get("CRASH_LONG") == "1"
STARTS = 2000 if LONG else 12  # of one test, about
TEMPORARY = re.compile(r"^(temp-stillframe-.*|\.stillframe-\d+-[0-9a-f]{16}\.conf|\.stillframe-rdb-\d+-\d+\.tmp)$")
KEPT = re.compile(r"^dump-\d{8}T\d{6}Z(_\d+)?\.rdb$")
OPTIONS = ("--save", "", "--enable-debug-command", "yes", "--rdbcompression", "no")
if LONG:
    disk.FORMS_MAX, disk.ALL_SUBSETS = 200, 10


@contextlib.contextmanager
def environment(**more):
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Case(ServerCase):
    """A directory that is recorded, and versions of the names in it that matter."""

    kept = 0          # how many whole versions of the dump there have to be
    is_set_aside = False

    def setUp(self):
        super().setUp()
        self.data = self.path("data")
        os.mkdir(self.data)
        self.trace = self.path("trace")
        self.mark = disk.Mark(self.trace)
        self.versions = collections.defaultdict(lambda: [None])  # name: what it had, None: it was not there
        self.notes = {}  # (name, version): what a start has to find
        self.before = {}

    def record(self, without="", preload=""):
        self.before = disk.listing(self.data)
        for name, (_, shape) in self.before.items():
            self.versions[name] = [shape]
        return environment(LD_PRELOAD=" ".join(filter(None, [RECORDER, preload])), RECORD_DIR=self.data, RECORD_TRACE=self.trace,
                           RECORD_WITHOUT=without, RECORD_EIO=self.path("eio"))

    @contextlib.contextmanager
    def version(self, name, note=None):
        """One more of a name: it begins, and at the end it is acknowledged."""
        n = len(self.versions[name])
        self.mark("begin %s %d" % (name, n))
        yield
        self.mark("end %s %d" % (name, n))
        path = os.path.join(self.data, name)
        with open(path, "rb") as f:
            self.versions[name].append(disk.Shape(f.read(), os.stat(path).st_mode & 0o7777))
        self.notes[name, n] = note

    # -- what may be there

    def windows(self, recording):
        """For each number of steps: {name: (first version that may be there, last)}."""
        now, out = {name: (0, 0) for name in self.versions}, []
        out.append(dict(now))
        for step in recording.steps:
            if step.kind == "mark":
                what, name, n = step.name.split()
                now[name] = (now[name][0], int(n)) if what == "begin" else (int(n), int(n))
            out.append(dict(now))
        return out

    def judge(self, names, window):
        """What is wrong with a state."""
        wrong = []
        for name, (low, high) in window.items():
            shape = names.get(name)
            if shape in self.versions[name][low:high + 1]:
                continue
            if self.is_set_aside and shape is None and \
                    names.get("temp-stillframe-aside-" + name) in self.versions[name][low:high + 1]:
                continue
            if shape in self.versions[name]:
                wrong.append("%s is there no more, though acknowledged" % name if shape is None else "%s is an older one" % name)
            else:
                wrong.append("%s is gone" % name if shape is None else "%s is none that ever was whole" % name)
        whole = [v for v in self.versions["dump.rdb"] if v is not None] if self.kept else []
        for name, shape in names.items():
            if name in window or TEMPORARY.match(name):
                continue
            if not self.kept or not KEPT.match(name):
                wrong.append("nobody knows what %s is" % name)
            elif shape not in whole:
                wrong.append("a kept dump is none that ever was whole")
        if self.kept and not any(self.keeps(names, last) for last in range(window["dump.rdb"][0], window["dump.rdb"][1] + 1)):
            wrong.append("a dump that is to be kept is gone")
        return wrong

    def keeps(self, names, last):
        """All are there that are to be kept when that is the last version."""
        return all(self.versions["dump.rdb"][v] in names.values() for v in range(max(1, last - self.kept + 1), last + 1))

    def kind(self, names, window):
        """Two states of a kind differ in the bytes of a temporary file at most."""
        if LONG:
            return frozenset(names.items()), tuple(sorted(window.items()))

        def of(name, shape):
            if shape in self.versions.get(name, ()):
                return name, self.versions[name].index(shape)
            if TEMPORARY.match(name):
                return "temporary", min(1, len(shape.data))
            return ("kept" if KEPT.match(name) else name), 0
        return tuple(sorted(of(*x) for x in names.items())), tuple(sorted(window.items()))

    def examine(self, model="any", mangle=None):
        """(what is wrong: how often, states by kind) of all states."""
        recording = disk.Recording(self.trace, self.before)
        self.assertEqual(recording.whole(), disk.plain(disk.listing(self.data)), "the recording is not what was done")
        if mangle is not None:
            mangle(recording.steps)
        windows, wrong, kinds, count = self.windows(recording), collections.Counter(), {}, 0
        cuts = disk.Cuts(recording, model)
        for state in cuts:
            count += 1
            window = windows[state.last]
            faults = self.judge(state.names, window)
            wrong.update(faults)
            if not faults:
                kinds.setdefault(self.kind(state.names, window), state)
        print("%s, %s: %d steps, %d states, %d distinct, %d kinds" % (
            self.id().rpartition(".")[2], model, len(recording.steps), cuts.made, count, len(kinds)), flush=True)
        self.assertGreater(count, 10)
        return wrong, [(s, windows[s.last]) for s in kinds.values()]

    def check(self, start, model="any"):
        """Nothing is wrong, and a start of some of each kind finds it so."""
        wrong, found = self.examine(model)
        self.assertEqual(wrong, {})
        step = max(1, len(found) // STARTS)
        for state, _ in found[::step]:
            with tempfile.TemporaryDirectory(dir=self.dir) as where:
                disk.lay_out(state, where)
                start(where, state.names)
        print("    %d starts" % len(found[::step]), flush=True)

    def note_of(self, name, names):
        shape = names.get(name)
        return self.notes.get((name, self.versions[name].index(shape)))


class Dumps(Case):
    def server(self, *more):
        server = resp.start_stillframe(self.data, *OPTIONS, *more)
        self.servers.append(server)
        c = server.client()
        c.call("DEBUG", "POPULATE", 3000, "key", 100)
        return server, c

    def changed(self, c, i):
        c.pipeline([("SET", "version", i), ("RPUSH", "list", *range(300)), ("ZADD", "zset", i, "m%d" % i), ("HSET", "hash", "f%d" % i, "v" * 90)])
        return c.call("DEBUG", "DIGEST").decode()

    def save(self, c, i, *words, name="dump.rdb"):
        with self.version(name, self.changed(c, i)):
            if words[0] == "SAVE":
                self.assertEqual(c.call(*words), b"OK")
                return
            c.call(*words)
            resp.wait_until(lambda: info(c, "persistence")["rdb_bgsave_in_progress"] == "0")
            self.assertEqual(info(c, "persistence")["rdb_last_bgsave_status"], "ok")

    def start_it(self, where, names):
        note = self.note_of("dump.rdb", names)
        server = resp.start_stillframe(where, *OPTIONS)
        try:
            with server.client() as c:
                self.assertEqual(c.call("DEBUG", "DIGEST").decode(), note or "0" * 40, server.log())
                self.assertEqual([n for n in os.listdir(where) if n.startswith("temp-")], [])
                self.assertEqual(c.call("SAVE"), b"OK")
        finally:
            server.kill()

    def saves(self, *more, without="", preload=""):
        with self.record(without, preload):
            server, c = self.server(*more)
        for i, words in enumerate((["SAVE"], ["BGSAVE"], ["SAVE"]) * (3 if LONG else 1)):
            self.save(c, i, *words)
        with self.version("dump.rdb", self.changed(c, 99)):
            c.send("SHUTDOWN", "SAVE")
            self.assertEqual(server.wait(), 0)
        c.close()

    def test_saves(self):
        self.saves()
        self.check(self.start_it)
        self.assertEqual(self.examine("ordered")[0], {})

    def test_saves_that_are_read_back_by_two_sweepers(self):
        self.saves("--snapshot-verify", "yes", "--snapshot-threads", "2", "--rdbcompression", "yes")
        self.check(self.start_it)

    def test_kept_dumps(self):
        self.kept = 2
        self.saves("--snapshot-retain", "2")
        self.check(self.start_it)

    def test_copies(self):
        with self.record():
            _, c = self.server()
        self.versions["copy.rdb"] = [None]
        self.save(c, 0, "SAVE")
        for i in range(1, 4):
            self.save(c, i, "BGSAVE", "TO", "copy.rdb", "MATCH", "*1*", name="copy.rdb")
        c.close()
        whole = {}

        def start(where, names):
            self.start_it(where, names)
            copy = names.get("copy.rdb")
            if copy is not None and copy not in whole:
                whole[copy] = subprocess.run([resp.STILLFRAME_RDB, "check", os.path.join(where, "copy.rdb")], check=False,
                                             stdout=subprocess.DEVNULL).returncode
            self.assertEqual(set(whole.values()) - {0}, set())
        self.check(start)
        self.assertEqual(len(whole), 3)

    def set_aside(self, *more, without=""):
        self.is_set_aside = True
        self.saves(*more, without=without, preload=OSV)

    def start_on_osv(self, where, names):
        aside = names.get("temp-stillframe-aside-dump.rdb")
        with environment(LD_PRELOAD=OSV):
            self.start_it(where, names if "dump.rdb" in names or aside is None else {"dump.rdb": aside})

    def test_where_the_old_dump_steps_aside(self):
        self.set_aside()
        self.check(self.start_on_osv, "ordered")

    # -- a wrong program is found out

    def test_saves_without_fsync_are_found(self):
        self.saves(without="file")
        self.assertIn("dump.rdb is none that ever was whole", self.examine()[0])

    def test_saves_without_fsync_of_the_directory_are_found(self):
        self.saves(without="directory")
        self.assertEqual(set(self.examine()[0]), {"dump.rdb is an older one", "dump.rdb is there no more, though acknowledged"})

    def test_a_removal_before_the_directory_is_synced_is_found(self):
        self.kept = 2
        self.saves("--snapshot-retain", "2", without="directory")
        self.assertIn("a dump that is to be kept is gone", self.examine()[0])

    def test_where_the_old_dump_steps_aside_a_removal_before_the_directory_is_synced_is_found(self):
        self.set_aside(without="directory")
        self.assertIn("dump.rdb is there no more, though acknowledged", self.examine("any")[0])

    def test_a_name_before_the_bytes_is_found(self):
        self.saves()

        def swap(steps):
            for i, s in enumerate(steps):
                if s.kind == "rename":
                    at = max(j for j in range(i) if steps[j].kind == "sync" and steps[j].file == s.file)
                    steps[at:i + 1] = [s] + steps[at:i]
        self.assertEqual(self.examine(mangle=swap)[0].keys(), {"dump.rdb is none that ever was whole"})

    # -- a failed fsync

    def test_after_a_failed_fsync_nothing_is_renamed_and_the_next_save_has_a_new_file(self):
        with self.record():
            _, c = self.server("--snapshot-retain", "2", "--stop-writes-on-bgsave-error", "no")
        self.kept = 2
        self.save(c, 0, "SAVE")
        for words in (["SAVE"], ["BGSAVE"]):
            self.changed(c, 1)
            self.write("eio", "")
            answer = c.pipeline([words])[0]
            if words == ["SAVE"]:
                self.assertRegex(str(answer), "^ERR")
            else:
                resp.wait_until(lambda: info(c, "persistence")["rdb_bgsave_in_progress"] == "0")
                f = info(c, "persistence")
                self.assertEqual(f["rdb_last_bgsave_status"], "err")
                self.assertRegex(f["rdb_last_bgsave_error"], "^fsync of .*dump.rdb.*: Input/output error")
            os.unlink(self.path("eio"))
            self.save(c, 2, "BGSAVE")
        c.close()
        recording = disk.Recording(self.trace, self.before)
        kinds = [s.kind for s in recording.steps if s.kind != "mark"]
        self.assertEqual(kinds.count("sync failed"), 2)
        for i, s in enumerate(recording.steps):
            if s.kind == "sync failed":
                later = recording.steps[i + 1:]
                behind = later[:[x.kind for x in later].index("create")]
                self.assertEqual([x.kind for x in behind if x.kind not in ("mark", "sync directory")], ["unlink"])
                self.assertFalse([x for x in later if x.file == s.file and x.kind != "unlink"], "it was used on")
        created = [s.name for s in recording.steps if s.kind == "create"]
        self.assertEqual(len(set(created)), len(created))
        self.check(self.start_it)


class Configuration(Case):
    NAME = "stillframe.conf"

    def setUp(self):
        super().setUp()
        with open(os.path.join(self.data, self.NAME), "w") as f:
            f.write("# ours\nsave \"\"\nhz 10\ndir %s\n" % self.dir + "# a line\n" * 2000)
        os.chmod(os.path.join(self.data, self.NAME), 0o640)

    def rewrite(self, without="", preload=""):
        with self.record(without, preload):
            server = resp.start_stillframe(self.dir, os.path.join(self.data, self.NAME))
        self.notes[self.NAME, 0] = "10"
        self.servers.append(server)
        with server.client() as c:
            for hz in (20, 30, 40):
                c.call("CONFIG", "SET", "hz", hz)
                with self.version(self.NAME, str(hz)):
                    self.assertEqual(c.call("CONFIG", "REWRITE"), b"OK")

    def start_it(self, where, names):
        server = resp.start_stillframe(where, os.path.join(where, self.NAME))
        try:
            with server.client() as c:
                self.assertEqual(c.call("CONFIG", "GET", "hz")[1].decode(), self.note_of(self.NAME, names))
        finally:
            server.kill()

    def test_config_rewrite(self):
        self.rewrite()
        self.check(self.start_it)

    def test_config_rewrite_where_the_old_file_steps_aside(self):
        self.is_set_aside = True
        self.rewrite(preload=OSV)

        def start(where, names):
            with environment(LD_PRELOAD=OSV):
                self.start_it(where, names if self.NAME in names else {self.NAME: names["temp-stillframe-aside-" + self.NAME]})
        self.check(start, "ordered")

    def test_config_rewrite_without_fsync_is_found(self):
        self.rewrite("file")
        self.assertIn(self.NAME + " is none that ever was whole", self.examine()[0])

    def test_config_rewrite_without_fsync_of_the_directory_is_found(self):
        self.rewrite("directory")
        self.assertIn(self.NAME + " is an older one", self.examine()[0])


class Users(Case):
    NAME = "users.acl"

    def save(self, without=""):
        with open(os.path.join(self.data, self.NAME), "w") as f:
            f.write("user default on nopass ~* &* +@all\n")
        with self.record(without):
            server = resp.start_stillframe(self.dir, "--save", "", "--aclfile", os.path.join(self.data, self.NAME))
        self.servers.append(server)
        with server.client() as c:
            self.notes[self.NAME, 0] = c.call("ACL", "LIST")
            for n in range(3):
                c.pipeline([("ACL", "SETUSER", "user%d-%d" % (n, i), "on", ">p%d" % i, "~k%d:*" % i, "+@read") for i in range(100)])
                with self.version(self.NAME, c.call("ACL", "LIST")):
                    self.assertEqual(c.call("ACL", "SAVE"), b"OK")

    def start_it(self, where, names):
        server = resp.start_stillframe(where, "--save", "", "--aclfile", os.path.join(where, self.NAME))
        try:
            with server.client() as c:
                self.assertEqual(sorted(c.call("ACL", "LIST")), sorted(self.note_of(self.NAME, names)))
        finally:
            server.kill()

    def test_acl_save(self):
        self.save()
        self.check(self.start_it)

    def test_acl_save_without_fsync_is_found(self):
        self.save("file")
        self.assertIn(self.NAME + " is none that ever was whole", self.examine()[0])


class Tool(Case):
    """What stillframe-rdb writes, where nothing was and over what was there."""

    def setUp(self):
        super().setUp()
        server = resp.start_stillframe(self.dir, *OPTIONS)
        with server.client() as c:
            for i in range(2):
                c.call("DEBUG", "POPULATE", 3000 * (i + 1), "key%d" % i, 100)
                c.call("SAVE")
                os.rename(self.path("dump.rdb"), self.path("source%d.rdb" % i))
        server.stop()

    def run_it(self, *words):
        done = subprocess.run([resp.STILLFRAME_RDB, *words], cwd=self.data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout.decode())

    def outputs(self, without=""):
        self.whole = set()
        sources = [self.path("source%d.rdb" % i) for i in range(2)]
        with self.record(without):
            for name, commands in {
                    "new.rdb": [["convert", sources[0], "-o", "new.rdb"], ["convert", "--force", sources[1], "-o", "new.rdb"]],
                    "saved.rdb": [["salvage", sources[0], "saved.rdb"], ["salvage", "--force", sources[1], "saved.rdb"]],
                    "all.json": [["json", sources[0], "-o", "all.json"], ["json", "--force", sources[1], "-o", "all.json"]]}.items():
                self.versions[name] = [None]
                for words in commands:
                    with self.version(name):
                        self.run_it(*words)

    def look(self, where, names):
        for name, shape in names.items():
            if name.endswith(".rdb") and shape not in self.whole:
                subprocess.run([resp.STILLFRAME_RDB, "check", os.path.join(where, name)], check=True, stdout=subprocess.DEVNULL)
                self.whole.add(shape)

    def test_outputs(self):
        self.outputs()
        self.check(self.look)
        self.assertEqual(len(self.whole), 4)

    def test_outputs_without_fsync_are_found(self):
        self.outputs("file")
        self.assertEqual(set(self.examine()[0]), {n + " is none that ever was whole" for n in ("new.rdb", "saved.rdb", "all.json")})

    def test_outputs_without_fsync_of_the_directory_are_found(self):
        self.outputs("directory")
        self.assertIn("new.rdb is there no more, though acknowledged", self.examine()[0])


if __name__ == "__main__":
    unittest.main()
