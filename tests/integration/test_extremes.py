#!/usr/bin/env python3
"""Extremes in every numeric argument of every command, beside redis-server.

The commands come from COMMAND DOCS (extremes/): each option and choice in turn, in each place for a
number each extreme, over keys that fit.  Replies are equal, and what the keys then hold and when
they expire; of a command that redis-server does not have, what is no number is refused.  Memory
stays what it was.

  EXTREMES_LONG=1           also each two places of a command at once
  EXTREMES_COMMANDS=a,b     only these
  VERBOSE=1                 each command as its turn comes
"""
import os
import re
import select
import shutil
import sys
import tempfile
import time
import unittest
from itertools import combinations, product

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from extremes import forms, known  # noqa: E402
from extremes.words import EXTREMES, KEYS, LIBRARY, MAKE, MALFORMED, PAIRED, WRITTEN, usual  # noqa: E402
from sequences.replies import TypedClient  # noqa: E402

LONG = os.environ.get("EXTREMES_LONG") == "1"
ONLY = [c.upper() for c in os.environ.get("EXTREMES_COMMANDS", "").split(",") if c]
VERBOSE = os.environ.get("VERBOSE") == "1"
FLAVOUR = os.environ.get("STILLFRAME_FLAVOUR", "release")
GROWTH_KB = 48 << 10
BATCH = 400
SHOWN = 40 if not VERBOSE else 100000
SLACK_MS = 300000  # between the two servers' clocks, on a machine that is very slow
OPTIONS = ("--save", "", "--enable-debug-command", "yes", "--proto-max-bulk-len", "1mb", "--slowlog-log-slower-than", "-1")


def fill(command, form, extremes):
    """The words of a form; extremes: of the places of these indexes what stands there."""
    words = []
    for i, item in enumerate(form):
        if isinstance(item, forms.Key):
            words.append(KEYS[item.number].encode())
        elif not isinstance(item, forms.Place):
            words.append(item)
        elif i in extremes:
            words.append(extremes[i])
        elif item.name.startswith("num") and item.name in ("numkeys", "numfields"):
            rest = [x for x in form[i + 1:] if isinstance(x, forms.Key) or x == b"f"]
            words.append(b"%d" % len(rest))
        else:
            words.append(usual(command.name.decode().lower(), item.name))
    return words


def tries(command, pairs):
    """(words, the extremes in it) of each form and place; pairs: and of each two places."""
    seen = set()
    for form, places in command.forms:
        sets = [(i,) for i in places] + (list(combinations(places, 2)) if pairs else [])
        for chosen in sets:
            for values in each_of(form, chosen):
                words = fill(command, form, dict(zip(chosen, [w for w, _ in values])))
                extremes = [(form[i], e) for i, (_, e) in zip(chosen, values)]
                if tuple(words) not in seen and not known.is_left_out(command.name.decode(), extremes):
                    seen.add(tuple(words))
                    yield words, extremes


def each_of(form, chosen):
    """What stands in the chosen places: tuples of (what is written, the extreme)."""
    if len(chosen) == 1:
        return [((w % e, e),) for w in WRITTEN[form[chosen[0]].kind] for e in EXTREMES]
    return list(product(*[[(WRITTEN[form[i].kind][0] % e, e) for e in PAIRED] for i in chosen]))


class Side:
    def __init__(self, start, directory):
        os.mkdir(directory)
        self.server = start(directory, *OPTIONS)
        self.client = self.connect()
        self.client.call("SCRIPT", "LOAD", "return #KEYS")
        self.client.call("FUNCTION", "LOAD", LIBRARY)
        self.client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")

    def connect(self):
        return TypedClient(port=self.server.port)

    def resident_kb(self):
        with open("/proc/%d/status" % self.server.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


class Extremes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="extremes-")
        cls.ours = Side(resp.start_stillframe, os.path.join(cls.dir, "ours"))
        cls.theirs = Side(resp.start_redis_server, os.path.join(cls.dir, "theirs"))
        cls.sides = [cls.ours, cls.theirs]
        cls.commands = forms.commands(cls.ours.client.call("COMMAND", "DOCS"))
        cls.has = {bytes(n).upper() for n in cls.theirs.client.call("COMMAND", "LIST")}
        cls.flags = {bytes(i[0]).decode().upper(): {bytes(f) for f in i[2]} for i in cls.flat_info(cls.ours.client)}

    @classmethod
    def flat_info(cls, client):
        for info in client.call("COMMAND", "INFO"):
            yield info
            for sub in info[9]:
                yield [bytes(sub[0]).replace(b"|", b" "), *sub[1:]]

    @classmethod
    def tearDownClass(cls):
        statuses = [side.server.stop() for side in cls.sides]
        shutil.rmtree(cls.dir, ignore_errors=True)
        assert statuses[0] == 0, statuses

    def setUp(self):
        for side in self.sides:
            side.client.call("FLUSHALL")
        self.found = []

    def test_each_command(self):
        before = self.ours.resident_kb()
        count = names = 0
        for command in self.commands:
            name = command.name.decode()
            if name in known.LEFT_OUT or (ONLY and name not in ONLY):
                continue
            names += 1
            count += self.try_command(command, name)
        print("extremes: %d tries of %d commands" % (count, names), file=sys.stderr)
        self.none_found()
        self.assertEqual(self.ours.client.call("DEBUG", "DIGEST"), self.theirs.client.call("DEBUG", "DIGEST"))
        if FLAVOUR == "release":
            self.assertLess(self.ours.resident_kb() - before, GROWTH_KB)
        self.assertGreater(count, 100 * names)

    def none_found(self):
        if self.found:
            self.fail("%d differences\n%s" % (len(self.found), "\n".join(self.found[:SHOWN])))

    def try_command(self, command, name):
        if VERBOSE:
            print(name, file=sys.stderr, flush=True)
        sides = self.sides if command.name in self.has else self.sides[:1]
        clients = [side.connect() for side in sides]
        count = 0
        group = "sort" if name.startswith("SORT") else command.group
        make = [[w.replace("%s", k) for w in c] for k in KEYS for c in MAKE.get(group, [])]
        writes = b"write" in self.flags[name]
        # Two extremes may make it wait for ever.
        waits = b"blocking" in self.flags[name] or name in ("WAIT", "WAITAOF")
        for batch in batches(tries(command, LONG and not waits)):
            count += len(batch)
            sent = []
            for i, (words, _) in enumerate(batch):
                if writes or i == 0:
                    sent += [["DEL", *KEYS], *make]
                sent.append(words)
                if writes:
                    sent += [["PEXPIRETIME", k] for k in KEYS] + [["DEBUG", "DIGEST-VALUE", *KEYS]]
            replies = self.ask(clients, sent, batch)
            if replies is None:
                clients = [side.connect() for side in sides]
                continue
            step = len(make) + 5
            for i, (words, extremes) in enumerate(batch):
                at = i * step + 1 + len(make) if writes else 1 + len(make) + i
                self.look(name, words, extremes, [r[at:at + 4 if writes else at + 1] for r in replies])
        for c in clients:
            c.close()
        return count

    def ask(self, clients, sent, batch):
        for c in clients:
            c.send_raw(b"".join(resp.pack(*words) for words in sent))
        try:
            return [[c.read() for _ in sent] for c in clients]
        except (OSError, EOFError) as e:
            self.found.append("%s in %s ... %s: %s" % (e, batch[0][0], batch[-1][0], self.ours.server.log()[-3000:]))
            if not all(side.server.is_running() for side in self.sides):
                self.fail("\n".join(map(str, self.found)))
            return None

    def look(self, name, words, extremes, replies):
        ours, theirs = replies[0], replies[-1]
        if len(replies) == 1 or known.NEWER & set(words):
            bad = [place for place, e in extremes if e in MALFORMED and place.kind == "integer"]
            if bad and not isinstance(ours[0], resp.RespError):
                self.found.append("%s: %r" % (words, ours[0]))
        elif not known.is_same(name, words, [e for _, e in extremes], ours[0], theirs[0]):
            self.found.append("%s: ours %.200r, theirs %.200r" % (words, ours[0], theirs[0]))
        elif len(ours) > 1 and type(ours[0]) is type(theirs[0]):
            self.look_at_keys(name, words, ours[1:], theirs[1:])

    def look_at_keys(self, name, words, ours, theirs):
        now_ms = time.time() * 1000
        for i, key in enumerate(KEYS):
            soon = any(-2 < r[i] < now_ms + SLACK_MS and r[i] != -1 for r in (ours, theirs))
            if not soon and abs(ours[i] - theirs[i]) > SLACK_MS * (ours[i] > 0 and theirs[i] > 0):
                self.found.append("%s: %s expires ours %s, theirs %s" % (words, key, ours[i], theirs[i]))
            if not soon and ours[2][i] != theirs[2][i] and not known.is_chance(name, words):
                self.found.append("%s: %s is another one" % (words, key))

    def test_numbers_that_keys_hold(self):
        """What is added to, and what is added."""
        texts = list(dict.fromkeys([*EXTREMES, b"-9223372036854775807", b"9223372036854775806", b"-2", b"2", b"1.7e308", b"-1.7e308"]))
        commands = []
        for held in texts:
            for command, make in (("INCR DECR", ["SET", "k", held]), ("APPEND STRLEN GETBIT BITCOUNT", ["SET", "k", held])):
                commands += [c for name in command.split() for c in (make, [name, "k"], ["GET", "k"])]
            for added in texts:
                for command in ("INCRBY", "DECRBY", "INCRBYFLOAT"):
                    commands += [["SET", "k", held], [command, "k", added], ["GET", "k"], ["OBJECT", "ENCODING", "k"]]
                for command in ("HINCRBY", "HINCRBYFLOAT"):
                    commands += [["HSET", "h", "f", held], [command, "h", "f", added], ["HGET", "h", "f"]]
                commands += [["DEL", "z"], ["ZADD", "z", held, "m"], ["ZINCRBY", "z", added, "m"], ["ZSCORE", "z", "m"]]
                commands += [["ZADD", "z", "INCR", added, "m"], ["ZCOUNT", "z", held, added], ["ZUNIONSTORE", "y", "1", "z", "WEIGHTS", added],
                             ["ZRANGE", "y", "0", "-1", "WITHSCORES"]]
                for kind in ("i64", "u63", "i5", "u1"):
                    for overflow in ("WRAP", "SAT", "FAIL"):
                        commands += [["DEL", "b"], ["BITFIELD", "b", "SET", kind, "#1", held, "OVERFLOW", overflow, "INCRBY", kind, "#1", added]]
        self.same(commands)

    def same(self, commands):
        print("extremes: %d commands" % len(commands), file=sys.stderr)
        for batch in batches(commands):
            for ours, theirs, words in zip(self.ours.client.pipeline(batch), self.theirs.client.pipeline(batch), batch):
                if not known.scores(words, ours, theirs):
                    self.found.append("%s: ours %.200r, theirs %.200r" % (words, ours, theirs))
        self.none_found()

    def test_timeouts_of_those_who_wait(self):
        """An error at once, or one waits until he is let go, or until it is over."""
        commands = [["BLPOP", "no"], ["BRPOP", "no"], ["BRPOPLPUSH", "no", "k"], ["BLMOVE", "no", "k", "LEFT", "LEFT"], ["BZPOPMIN", "no"],
                    ["BZPOPMAX", "no"], ["BLMPOP", None, "1", "no", "LEFT"], ["BZMPOP", None, "1", "no", "MIN"], ["WAIT", "1"],
                    ["XREAD", "BLOCK", None, "STREAMS", "no", "$"]]
        for command in commands:
            for extreme in EXTREMES:
                words = [extreme if w is None else w for w in command] + ([] if None in command else [extreme])
                ours, theirs = (self.wait(side, words) for side in self.sides)
                if not known.is_same(command[0], words, [extreme], ours, theirs) and not self.is_over_later(ours, theirs):
                    self.found.append("%s: ours %.200r, theirs %.200r" % (words, ours, theirs))
        self.none_found()

    @staticmethod
    def is_over_later(ours, theirs):
        return "waits" in (ours, theirs) and not isinstance(ours, resp.RespError) and not isinstance(theirs, resp.RespError)

    def wait(self, side, words):
        """The answer, or "waits"."""
        with side.connect() as c:
            number = c.call("CLIENT", "ID")
            c.send(*words)
            let_go = resp.wait_until(lambda: self.is_answered(c) or side.client.call("CLIENT", "UNBLOCK", number), what="it to wait")
            answer = c.read()
            return "waits" if let_go == 1 and not isinstance(answer, resp.RespError) else answer

    @staticmethod
    def is_answered(c):
        return bool(select.select([c.sock], [], [], 0)[0]) and "answered"

    def test_pause(self):
        for extreme in EXTREMES:
            for mode in ((), ("WRITE",), ("ALL",)):
                ours, theirs = (side.client.pipeline([["MULTI"], ["CLIENT", "PAUSE", extreme, *mode], ["CLIENT", "UNPAUSE"], ["EXEC"], ["SET", "k", "v"]])
                                for side in self.sides)
                if not known.is_same("CLIENT PAUSE", [b"CLIENT"], [extreme], ours, theirs):
                    self.found.append("%s: ours %s, theirs %s" % (extreme, ours, theirs))
        self.none_found()

    def test_debug_sleep(self):
        """What is not above 0 does not sleep; 4.9e-324 is shorter than any."""
        for extreme in EXTREMES:
            if not re.match(rb"[+ ]?0?[1-9i]|0x", extreme):
                ours, theirs = (side.client.call("DEBUG", "SLEEP", extreme) for side in self.sides)
                self.assertEqual(isinstance(ours, resp.RespError), isinstance(theirs, resp.RespError), (extreme, ours, theirs))

    def test_configuration(self):
        """Each parameter that is a number: set to it or refused, as there, and read back."""
        ours, theirs = ({bytes(k).decode(): bytes(v).decode() for k, v in zip(*[iter(side.client.call("CONFIG", "GET", "*"))] * 2)} for side in self.sides)
        for side in self.sides:
            side.client.call("CLIENT", "NO-EVICT", "ON")
        count = 0
        for name, value in sorted(ours.items()):
            if name in known.PARAMETERS_LEFT_OUT or not re.fullmatch(r"-?\d+%?", value):
                continue
            count += 1
            for extreme in EXTREMES:
                sides = self.sides if name in theirs and name not in known.PARAMETERS_HERE else self.sides[:1]
                replies = []
                for side, old in zip(sides, (value, theirs.get(name))):
                    if VERBOSE:
                        print(name, extreme, side is self.ours, flush=True)
                    said = side.client.call("CONFIG", "SET", name, extreme)
                    replies.append((said, side.client.call("CONFIG", "GET", name)))
                    if not isinstance(said, resp.RespError):
                        self.assertEqual(bytes(side.client.call("CONFIG", "SET", name, old)), b"OK", (name, extreme, said, old))
                self.look_at_parameter(name, extreme, value, replies)
        self.assertGreater(count, 60)
        self.none_found()

    def test_ports(self):
        """What is no port is refused, and the one that is there stays."""
        for name in known.PARAMETERS_LEFT_OUT:
            for extreme in EXTREMES:
                if extreme not in (b"0", b"1"):
                    ours, theirs = (side.client.call("CONFIG", "SET", name, extreme) for side in self.sides)
                    self.assertIsInstance(ours, resp.RespError)
                    self.assertEqual(ours, theirs)
        self.ours.connect().close()

    def look_at_parameter(self, name, extreme, old, replies):
        said, now = replies[0]
        if isinstance(said, resp.RespError):
            if now[1] != old.encode():
                self.found.append("CONFIG SET %s %s: %s, and it is %s" % (name, extreme, said, now[1]))
        elif not re.fullmatch(rb"-?\d+%?", now[1]):
            self.found.append("CONFIG SET %s %s: %s" % (name, extreme, now[1]))
        if len(replies) == 2 and not known.is_same_parameter(name, extreme, replies):
            self.found.append("CONFIG SET %s %s: ours %s, theirs %s" % (name, extreme, *replies))


def batches(items):
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


if __name__ == "__main__":
    unittest.main()
