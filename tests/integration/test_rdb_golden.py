#!/usr/bin/env python3
"""Files of every type, encoding and version through the whole of stillframe-rdb.

What redis-server 7.0 can write it writes here, made to choose each encoding; older and newer files
are spelled byte by byte (golden/files.py).  Of each file: `check` calls it sound; a server that
loads it has what the file was made from; the commands of `resp`, in both forms, and the append-only
file of `aof` give a server with the same DEBUG DIGEST, times, streams' groups and encodings.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from golden import files, live  # noqa: E402

ALLOWED = ("--save", "", "--enable-debug-command", "yes")


def model(value):
    """What a server answers for it, as live.state() has it."""
    kind, data = value.kind.encode(), value.data
    if kind == b"stream":
        groups = {name: (last, None if read < 0 else read, {c: pending for c, (_, _, pending) in consumers.items()})
                  for name, (last, read, consumers) in data.groups.items()}
        data = {"entries": data.entries, "last": data.last, "deleted": data.highest_deleted, "added": data.added, "groups": groups}
    return kind, data, -1 if value.expires_ms is None else value.expires_ms


def without_reads(state):
    """How many entries a group has read is not in streams of type 15: a server that loads one makes
    a guess, for groups that have read nothing or everything, which XINFO makes anew for the others
    whenever it is asked."""
    for (_, key), (_, value, _) in state.items():
        if key.endswith(b":15"):
            value["groups"] = {name: (last, None, consumers) for name, (last, _, consumers) in value["groups"].items()}
    return state


class Golden(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="golden-")
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        cls.servers = {}
        for name, start in (("redis", resp.start_redis_server), ("target", resp.start_redis_server),
                            ("stillframe", resp.start_stillframe), ("stillframe target", resp.start_stillframe)):
            directory = os.path.join(cls.dir, name)
            os.mkdir(directory)
            more = ("--rdb-version-check", "relaxed") if name == "stillframe target" else ()
            cls.servers[name] = start(directory, *ALLOWED, *more)
            cls.addClassCleanup(cls.servers[name].stop)

    def path(self, name):
        return os.path.join(self.dir, name)

    def tool(self, *args):
        """Its output; it says nothing else, and all is well."""
        p = subprocess.run([resp.STILLFRAME_RDB, *args], capture_output=True, timeout=300)
        self.assertEqual((p.returncode, p.stderr), (0, b""), args)
        return p.stdout

    def assert_same(self, found, expected):
        """As assertEqual(), but only what differs is told."""
        for place in sorted(found.keys() | expected.keys()):
            self.assertEqual(found.get(place), expected.get(place), place)

    def replay(self, path, target, *options):
        """resp into an empty server."""
        server = self.servers[target]
        live.empty(server)
        errors, replies, said = live.pipe(server, self.tool("resp", *options, path))
        self.assertEqual((errors, said), (0, ""), options)
        self.assertGreater(replies, 0)
        return server

    def check_file(self, path, reader):
        """All but what it was made from.  Returns what `reader` has of it."""
        self.assertIn(b"sound: RDB ", self.tool("check", path))
        origin = self.servers[reader]
        live.load(origin, path)
        digest, state, encodings = live.digest(origin), without_reads(live.state(origin)), live.encodings(origin)
        ways = [("target",), ("target", "--restore", "--for=redis-7.0")]
        if reader == "stillframe":
            ways += [("stillframe target", "--match=*"), ("stillframe target", "--restore", "--match=*")]
        else:
            ways += [("target", "--restore")]
        for target, *options in ways:
            with self.subTest(options=options, target=target):
                server = self.replay(path, target, *options)
                self.assertEqual(live.digest(server), digest)
                self.assert_same(without_reads(live.state(server)), state)
                if "--restore" in options and not reader.startswith("still"):
                    self.assert_same(live.encodings(server), encodings)
        return state


class Spelled(Golden):
    """Versions 1 to 12 and 80, byte by byte."""

    def test_every_type_and_encoding_of_every_version(self):
        for file in files.files():
            if file.reader is None:
                continue
            with self.subTest(file=file.name):
                path = self.path(file.name + ".rdb")
                with open(path, "wb") as f:
                    f.write(file.data)
                state = self.check_file(path, file.reader)
                self.assert_same(state, without_reads({place: model(value) for place, value in file.keys.items()}))


if __name__ == "__main__":
    unittest.main()
