#!/usr/bin/env python3
"""Random publish and subscribe beside redis-server: several connections, patterns, shard channels,
both protocols, transactions, CLIENT REPLY, RESET, connections that come and go.  Every connection
has to be told the same, in the same order.

The order in which a table is walked is nobody's promise: what UNSUBSCRIBE without names tells, what
several patterns make of one message, and lists of channels are sorted.  Within one step, Redis 7.0
tells RESP3 clients their own messages before the reply to PUBLISH, Redis 7.2 after it: pushes and
replies are compared apart, and nobody publishes to itself within a transaction.

PUBSUB_STEPS and PUBSUB_SEED change length and seed.
"""
import os
import random
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

STEPS = int(os.environ.get("PUBSUB_STEPS", "1500"))
CONNECTIONS = 6
CHANNELS = ["a", "b", "ab", "news.1", "news.2", "", "c[d"]
PATTERNS = ["*", "a*", "news.?", "[ab]", "news.[12]", "c\\[d", "zz*"]


class Push(list):
    """An array that came as a push."""


class Reader(resp.Client):
    """A connection that takes what is there, and waits for nothing."""

    gone = False

    def drain(self):
        self.sock.setblocking(False)
        while True:
            try:
                data = self.sock.recv(1 << 18)
            except BlockingIOError:
                break
            except ConnectionError:
                data = b""
            if not data:
                self.gone = True
                break
            self.buf = self.buf[self.at:] + data
            self.at = 0
        self.sock.settimeout(20)  # a reply that stops in the middle is a fault, not a hang
        out = []
        while self.at < len(self.buf):
            out.append(self.read())
        return out + (["closed"] if self.gone else [])

    def _value(self, kind, rest):
        value = super()._value(kind, rest)
        return Push(value) if kind == b">" else value


def is_push(value):
    return isinstance(value, Push)


UNSUBSCRIBED = (b"unsubscribe", b"punsubscribe", b"sunsubscribe")
KINDS = UNSUBSCRIBED + (b"subscribe", b"psubscribe", b"ssubscribe", b"message", b"pmessage", b"smessage", b"pong")


def kind_of(value):
    return value[0] if isinstance(value, list) and value and value[0] in KINDS else None


def in_order(values):
    """With the runs sorted that a table's order decides."""
    out, at = [], 0
    while at < len(values):
        end, kind, value = at + 1, kind_of(values[at]), values[at]
        if kind in UNSUBSCRIBED or kind == b"pmessage":
            while end < len(values) and kind_of(values[end]) == kind:
                end += 1
            run = values[at:end]
            if kind == b"pmessage":
                out += sorted(run)
            else:
                out += [kind, sorted(repr(v[1]) for v in run), [v[2] for v in run]]
        elif kind is None and isinstance(value, list) and all(isinstance(v, bytes) for v in value):
            out.append(sorted(value))  # a list of channels
        elif kind is None and isinstance(value, list):
            out.append(in_order(value))  # what EXEC answers
        else:
            out.append(value)
        at = end
    return out


def compared(values):
    return in_order([v for v in values if not is_push(v)]), in_order([v for v in values if is_push(v)])


class Pair:
    """One connection to each server, told the same."""

    def __init__(self, servers):
        self.servers = servers
        self.open()

    def open(self):
        self.clients = [Reader(port=s.port) for s in self.servers]
        self.version, self.in_multi, self.joins, self.muted = 2, False, False, False

    def close(self):
        for c in self.clients:
            c.close()


class PubSub(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.servers = []
        for name, start in (("a", resp.start_stillframe), ("b", resp.start_redis_server)):
            os.mkdir(os.path.join(self.dir, name))
            server = start(os.path.join(self.dir, name), "--save", "")
            self.addCleanup(server.kill)
            self.servers.append(server)
        self.helpers = [s.client() for s in self.servers]

    def settle(self):
        """What was sent has been worked off, and its answers are in the sockets."""
        for h in self.helpers:
            for _ in range(4):
                h.call("PING")

    def names(self, rng, of, least=1):
        return [rng.choice(of) for _ in range(rng.choice([least, 1, 1, 2, 3]))]

    def command(self, rng, pair):
        ch = lambda: rng.choice(CHANNELS)
        message = lambda: "m%d" % rng.randrange(1000)
        choices = [
            (8, lambda: ["SUBSCRIBE"] + self.names(rng, CHANNELS)),
            (6, lambda: ["PSUBSCRIBE"] + self.names(rng, PATTERNS)),
            (5, lambda: ["SSUBSCRIBE"] + self.names(rng, CHANNELS)),
            (5, lambda: ["UNSUBSCRIBE"] + self.names(rng, CHANNELS, 0)),
            (4, lambda: ["PUNSUBSCRIBE"] + self.names(rng, PATTERNS, 0)),
            (4, lambda: ["SUNSUBSCRIBE"] + self.names(rng, CHANNELS, 0)),
            (16, lambda: ["PUBLISH", ch(), message()]),
            (8, lambda: ["SPUBLISH", ch(), message()]),
            (2, lambda: ["PUBSUB", "CHANNELS"]),
            (1, lambda: ["PUBSUB", "CHANNELS", rng.choice(PATTERNS)]),
            (1, lambda: ["PUBSUB", "NUMSUB"] + self.names(rng, CHANNELS, 0)),
            (1, lambda: ["PUBSUB", "NUMPAT"]),
            (1, lambda: ["PUBSUB", "SHARDCHANNELS"]),
            (1, lambda: ["PUBSUB", "SHARDCHANNELS", rng.choice(PATTERNS)]),
            (1, lambda: ["PUBSUB", "SHARDNUMSUB"] + self.names(rng, CHANNELS, 0)),
            (1, lambda: ["RESET"]),
            (3, lambda: ["PING"] + rng.choice([[], ["x"], ["x", "y"]])),
            (2, lambda: ["GET", "k"]),
            (1, lambda: ["CLIENT", "REPLY", rng.choice(["ON", "OFF", "SKIP", "ON", "ON", "foo"])]),
            (1, lambda: rng.choice([["SUBSCRIBE"], ["PUBLISH", "a"], ["SPUBLISH"], ["PUBSUB"], ["PUBSUB", "x"],
                                    ["PSUBSCRIBE"], ["SSUBSCRIBE"], ["PUBSUB", "NUMPAT", "x"],
                                    ["PUBSUB", "CHANNELS", "a", "b"], ["HELLO", "4"], ["QUIT"]])),
            (2, lambda: ["HELLO"]),
            (3, lambda: ["MULTI"]),
            (1, lambda: ["CLIENT", "KILL", "TYPE", "pubsub", "SKIPME", rng.choice(["yes", "no"])]),
        ]
        if pair.in_multi:
            choices += [(20, lambda: ["EXEC"]), (4, lambda: ["DISCARD"])]
        weights, makers = zip(*choices)
        while True:
            words = rng.choices(makers, weights)[0]()
            if words == ["HELLO"]:
                words = ["HELLO", rng.choice(["2", "3"])]
            if pair.in_multi and words[0] in ("HELLO", "CLIENT"):
                continue
            if pair.in_multi and words[0] in ("PUBLISH", "SPUBLISH") and (pair.version == 3 or pair.joins):
                continue
            if pair.in_multi and words[0].endswith("UNSUBSCRIBE") and len(words) == 1:
                continue  # more elements than EXEC's array has: a run that is cut somewhere
            if pair.muted and (words[0] == "QUIT" or words[1:2] == ["KILL"]):
                continue  # Redis closes after the reply, and there is none
            return words

    def note(self, pair, words):
        if words[0] == "HELLO" and words[1] in "23" or words[0] == "RESET":
            pair.version = 2 if words[0] == "RESET" else int(words[1])
        if words[0] == "MULTI" and not pair.in_multi:
            pair.in_multi, pair.joins = True, False
        if words[:2] == ["CLIENT", "REPLY"] and words[2] != "foo":
            pair.muted = words[2] != "ON"
        if words[0] == "RESET":
            pair.muted = False
        if words[0].endswith("SUBSCRIBE"):
            pair.joins = True
        if words[0] in ("EXEC", "DISCARD", "RESET"):
            pair.in_multi = False

    def without_hello(self, values):
        """The reply to HELLO names server and version."""
        return ["hello" if (isinstance(v, list) and v[:1] == [b"server"]) or (
            isinstance(v, dict) and b"server" in v) else v for v in values]

    def test_everybody_is_told_the_same_in_the_same_order(self):
        seed = int(os.environ.get("PUBSUB_SEED", random.SystemRandom().randrange(1 << 32)))
        rng = random.Random(seed)
        pairs = [Pair(self.servers) for _ in range(CONNECTIONS)]
        history = []
        told = 0
        for step in range(STEPS):
            pair = rng.choice(pairs)
            batch = []
            for _ in range(rng.choice([1, 1, 1, 2, 5])):
                batch.append(self.command(rng, pair))
                self.note(pair, batch[-1])
            history.append((pairs.index(pair), batch))
            for c in pair.clients:
                c.send_raw(b"".join(resp.pack(*w) for w in batch))
            self.settle()
            for n, p in enumerate(pairs):
                ours, theirs = (compared(self.without_hello(c.drain())) for c in p.clients)
                told += len(theirs[0]) + len(theirs[1])
                self.assertEqual(ours, theirs, "seed %d step %d connection %d, after %s" % (
                    seed, step, n, history[-6:]))
                if any(c.gone for c in p.clients):
                    self.assertTrue(all(c.gone for c in p.clients))
                    p.close()
                    p.open()
        self.assertGreater(told, STEPS)
        for p in pairs:
            p.close()
        for s, h in zip(self.servers, self.helpers):
            resp.wait_until(lambda h=h: h.call("PUBSUB", "CHANNELS") == [] and h.call("PUBSUB", "NUMPAT") == 0)
            h.close()


if __name__ == "__main__":
    unittest.main()
