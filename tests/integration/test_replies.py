#!/usr/bin/env python3
"""The same commands give the same replies here and on redis-server, in RESP2 and RESP3.

Each file of replies/ is a list of commands, one a line, in redis-cli's quoting, run in order on one
connection of a fresh server.  "# differs: reason" above a line: the replies need not be equal, only
of one kind (error or not).  "# here: words" behind that says what the reply has to be then: its
values in order, nil for null.
"""
import glob
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

FILES = sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "replies", "*.txt")))


def words(line):
    """A line in redis-cli's quoting as a list of bytes."""
    out, at = [], 0
    while at < len(line):
        if line[at] == " ":
            at += 1
            continue
        if line[at] != '"':
            end = (line + " ").index(" ", at)
            out.append(line[at:end].encode())
            at = end
            continue
        end = at + 1
        while line[end] != '"':
            end += 2 if line[end] == "\\" else 1
        out.append(line[at + 1:end].encode("latin1").decode("unicode_escape").encode("latin1"))
        at = end + 1
    return out


def ask(client, command):
    try:
        return client.call(*command)
    except resp.RespError as error:
        return error


def flat(reply):
    """A reply's values in order, as text."""
    if isinstance(reply, (list, dict)):
        return [x for v in (reply if isinstance(reply, list) else (p for kv in reply.items() for p in kv)) for x in flat(v)]
    return ["nil" if reply is None else reply.decode() if isinstance(reply, bytes) else "%g" % reply if isinstance(reply, float) else str(reply)]


def commands(path):
    """(words, is compared, what it must be here or None) of each line."""
    differs, here = False, None
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.strip()
            if line.startswith("# differs:"):
                differs = True
            elif line.startswith("# here:"):
                here = line.removeprefix("# here:").split()
            elif line and not line.startswith("#"):
                yield words(line), not differs, here
                differs, here = False, None


class Replies(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def start(self, name, start):
        directory = os.path.join(self.dir, name)
        os.mkdir(directory)
        server = start(directory, "--save", "", "--enable-debug-command", "yes")
        self.addCleanup(server.kill)
        return server.client()

    def check(self, path, protocol):
        mine, other = self.start("a", resp.start_stillframe), self.start("b", resp.start_redis_server)
        for c in (mine, other):
            c.call("HELLO", protocol)
        for command, compared, here in commands(path):
            a, b = ask(mine, command), ask(other, command)
            if here is not None:
                self.assertEqual(flat(a), here, "%r in RESP%s of %s" % (command, protocol, os.path.basename(path)))
            if compared:
                self.assertEqual(a, b, "%r in RESP%s of %s" % (command, protocol, os.path.basename(path)))
            else:
                self.assertEqual(isinstance(a, resp.RespError), isinstance(b, resp.RespError),
                                 "%r: %r, redis-server: %r" % (command, a, b))


def add(path, protocol):
    name = os.path.basename(path).removesuffix(".txt")
    setattr(Replies, "test_%s_resp%s" % (name, protocol), lambda self: self.check(path, protocol))


for each in FILES:
    for version in ("2", "3"):
        add(each, version)

if __name__ == "__main__":
    unittest.main()
