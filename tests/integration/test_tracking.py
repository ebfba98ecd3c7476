#!/usr/bin/env python3
"""Client-side caching: CLIENT TRACKING in all its modes.

Beside redis-server, where there is one: the same scripts of several connections, and random ones,
are told the same in the same order.  Debian's is a 7.0; where 7.2 does otherwise, or we tell more,
the expected is written here.

A model: clients that keep what they have read until they are told that it has changed never hold
what the server has replaced, whatever happens: writes, expiry, eviction, a full table, FLUSHALL.

TRACKING_STEPS and TRACKING_SEED change length and seed of the random ones.
"""
import os
import random
import re
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from tracked import Connection, Group, Push, is_message  # noqa: E402

STEPS = int(os.environ.get("TRACKING_STEPS", "1500"))
SEED = int(os.environ.get("TRACKING_SEED", random.SystemRandom().randrange(1 << 32)))

ON = ("CLIENT", "TRACKING", "ON")
OFF = ("CLIENT", "TRACKING", "OFF")
YES, NO = ("CLIENT", "CACHING", "YES"), ("CLIENT", "CACHING", "NO")
SILENT = {"replies": 0, "quiet": True}
A3 = [("a", "HELLO", 3), ("a", *ON)]


def invalid(*keys):
    return Push([b"invalidate", [k.encode() for k in keys]])


ALL = Push([b"invalidate", None])

# The same here and on redis-server 7.0.
SCRIPTS = {
    "a key that was read is told once": A3 + [
        ("a", "GET", "k"), ("b", "SET", "k", 1), ("b", "SET", "k", 2), ("a", "GET", "k"), ("a", "SET", "k", 3),
        ("a", "MGET", "k", "l", "k"), ("b", "MSET", "l", 1, "k", 2), ("b", "MSET", "l", 1, "k", 2),
        ("a", "GET", "k"), ("b", "GET", "k"), ("a", "GET", "none"), ("b", "DEL", "none"), ("b", "DEL", "k"),
        ("a", "LLEN", "l"), ("b", "SET", "l", "x")],
    "all that a command reads": A3 + [
        ("b", "RPUSH", "list", 1, 2), ("b", "HSET", "hash", "f", 1), ("b", "ZADD", "z1", 1, "m"),
        ("a", "LRANGE", "list", 0, -1), ("b", "RPOP", "list"), ("a", "HGETALL", "hash"), ("b", "HINCRBY", "hash", "f", 1),
        ("a", "ZUNION", 2, "z1", "z2"), ("b", "ZADD", "z2", 1, "x"), ("b", "ZREM", "z1", "m"),
        ("a", "SINTER", "s1", "s2", "s3"), ("b", "SADD", "s3", 1), ("b", "SADD", "s2", 1), ("b", "SUNIONSTORE", "s1", "s2", "s3"),
        ("a", "EXISTS", "e1", "e2"), ("b", "SET", "e2", 1), ("a", "TYPE", "list"), ("a", "OBJECT", "REFCOUNT", "list"),
        ("b", "LPUSH", "list", 1), ("a", "SORT_RO", "list"), ("b", "DEL", "list"), ("a", "DUMP", "hash"), ("b", "UNLINK", "hash"),
        ("a", "XREAD", "STREAMS", "x1", "x2", "0", "0"), ("b", "XADD", "x2", "1-1", "f", "v"), ("a", "XLEN", "x2"),
        ("b", "XTRIM", "x2", "MAXLEN", 0), ("a", "LCS", "e1", "e2"), ("b", "APPEND", "e1", "x"),
        ("a", "GEOPOS", "geo", "m"), ("b", "GEOADD", "geo", 1, 2, "m"), ("a", "PFCOUNT", "p1", "p2"), ("b", "PFADD", "p2", "x"),
        ("a", "GETRANGE", "str", 0, 1), ("b", "SETRANGE", "str", 2, "x"), ("a", "BITCOUNT", "str"), ("b", "SETBIT", "str", 3, 1)],
    "what reads nothing": A3 + [
        ("a", "SET", "k", 1), ("b", "SET", "k", 1), ("a", "INCR", "n"), ("b", "INCR", "n"), ("a", "GETSET", "k", 1),
        ("b", "SET", "k", 1), ("a", "GETDEL", "k"), ("b", "SET", "k", 1), ("a", "GETEX", "k"), ("b", "SET", "k", 1),
        ("a", "SCAN", 0, "MATCH", "k"), ("b", "SET", "k", 1), ("a", "KEYS", "k"), ("b", "SET", "k", 1), ("a", "DBSIZE"), ("b", "SET", "k", 1),
        ("a", "GET", "k"), ("b", "SADD", "k", 1), ("b", "SETNX", "k", 1), ("b", "GET", "k"), ("b", "SET", "k", 1)],
    "a command that fails has read": A3 + [
        ("b", "RPUSH", "l", 1), ("a", "GET", "l"), ("b", "RPUSH", "l", 1), ("a", "GET"), ("b", "RPUSH", "l", 1)],
    "expiry set and taken away": A3 + [
        ("b", "SET", "k", 1), ("a", "GET", "k"), ("b", "EXPIRE", "k", 100), ("a", "TTL", "k"), ("b", "PERSIST", "k"),
        ("b", "PERSIST", "k"), ("a", "GET", "k"), ("b", "EXPIRE", "k", -1), ("a", "GET", "k"), ("b", "SET", "k", 1, "EX", 100)],
    "names of other databases": A3 + [
        ("a", "GET", "k"), ("b", "SELECT", 1), ("b", "SET", "k", 1), ("a", "GET", "k"), ("b", "MOVE", "k", 2), ("a", "GET", "k"),
        ("b", "SET", "k", 1), ("a", "GET", "k"), ("a", "EXISTS", "k2"), ("b", "RENAME", "k", "k2"), ("a", "MGET", "k", "k2"),
        ("b", "COPY", "k2", "k"), ("a", "GET", "k"), ("b", "FLUSHDB"), ("b", "SET", "k", 1)],
    "transactions": A3 + [
        ("a", "MULTI"), ("a", "GET", "k"), ("a", "SET", "k", 1), ("a", "GET", "k"), ("a", "MGET", "l", "m"), ("a", "MSET", "m", 1, "l", 1),
        ("a", "EXEC"), ("b", "SET", "k", 2), ("b", "MULTI"), ("b", "SET", "k", 1), ("b", "SET", "k", 2), ("a", "GET", "k"), ("b", "EXEC"),
        ("a", "MULTI"), ("a", "GET", "k"), ("a", "FLUSHALL"), ("a", "GET", "k"), ("a", "EXEC"), ("b", "SET", "k", 2),
        ("a", "MULTI"), ("a", "GET", "k"), ("a", "DISCARD"), ("b", "SET", "k", 2)],
    "everything is gone": A3 + [
        ("c", "HELLO", 3), ("c", *ON, "BCAST", "PREFIX", "zz"), ("a", "GET", "k"), ("b", "FLUSHDB"), ("b", "SET", "k", 1),
        ("b", "FLUSHALL"), ("a", "FLUSHALL"), ("a", "FLUSHDB"), ("a", *OFF), ("b", "FLUSHALL")],
    "its own changes": [
        ("a", "HELLO", 3), ("a", *ON, "NOLOOP"), ("a", "GET", "k"), ("a", "SET", "k", 1), ("b", "SET", "k", 2), ("a", "GET", "k"),
        ("a", "EVAL", "return redis.call('set','k',1)", 0), ("a", "GET", "k"), ("b", "SET", "k", 1), ("a", "GET", "k"),
        ("a", "MULTI"), ("a", "SET", "k", 1), ("a", "GET", "k"), ("a", "EXEC"), ("b", "SET", "k", 1),
        ("b", "HELLO", 3), ("b", *ON), ("a", "GET", "k"), ("b", "GET", "k"), ("a", "SET", "k", 1), ("a", "FLUSHALL")],
    "all keys": [
        ("a", "HELLO", 3), ("a", *ON, "BCAST"), ("b", "SET", "k", 1), ("b", "SET", "k", 1), ("a", "SET", "k", 2), ("b", "MSET", "z", 1, "b", 1, "a", 1),
        ("b", "EVAL", "for i = 3, 1, -1 do redis.call('set','x' .. i,1) end", 0), ("b", "DEL", "a", "none"), ("b", "RENAME", "b", "c"),
        ("b", "MULTI"), ("b", "SET", "k", 1), ("b", "INCR", "k"), ("b", "SET", "a", 1), ("b", "EXEC"),
        ("a", "MULTI"), ("a", "SET", "k", 1), ("a", "EXEC"), ("b", "FLUSHALL"), ("a", "FLUSHALL"), ("a", *OFF), ("b", "SET", "k", 1)],
    "all keys but its own changes": [
        ("a", "HELLO", 3), ("a", *ON, "BCAST", "NOLOOP"), ("c", "HELLO", 3), ("c", *ON, "BCAST"),
        ("a", "SET", "k", 1), ("b", "SET", "k", 1), ("a", "MULTI"), ("a", "SET", "k", 1), ("a", "SET", "l", 1), ("a", "EXEC")],
    "prefixes": [
        ("a", "HELLO", 3), ("a", *ON, "BCAST", "PREFIX", "foo", "PREFIX", "bar"), ("c", "HELLO", 3), ("c", *ON, "BCAST", "PREFIX", "b"),
        ("b", "MSET", "foo1", 1, "bar1", 1, "baz", 1, "bar", 1, "fo", 1, "foo", 1), ("a", "CLIENT", "TRACKINGINFO"),
        ("a", *ON, "BCAST", "PREFIX", "fo"), ("a", *ON, "BCAST", "PREFIX", "foo"), ("a", *ON, "BCAST", "PREFIX", "foobar"),
        ("a", *ON, "BCAST", "PREFIX", "x", "PREFIX", "xx"), ("a", *ON, "BCAST", "PREFIX", "new", "PREFIX", "other"),
        ("b", "MSET", "new", 1, "other", 1), ("a", "CLIENT", "TRACKINGINFO"), ("a", *ON, "BCAST"), ("b", "SET", "foo2", 1),
        ("a", "CLIENT", "TRACKINGINFO"), ("a", *ON, "BCAST", "PREFIX", "foox"), ("a", *ON, "BCAST", "PREFIX", ""),
        ("a", *OFF), ("b", "MSET", "foo1", 1, "bar1", 1), ("a", "CLIENT", "TRACKINGINFO"), ("c", "RESET"), ("b", "SET", "b", 1)],
    "somebody else is told": [
        ("b", *ON, "REDIRECT", "@a"), ("b", "CLIENT", "GETREDIR"), ("b", "GET", "k"), ("c", "SET", "k", 1),
        ("a", "SUBSCRIBE", "__redis__:invalidate"), ("b", "GET", "k"), ("c", "SET", "k", 1), ("b", "GET", "k"), ("b", "SET", "k", 1),
        ("c", "FLUSHALL"), ("b", "CLIENT", "TRACKINGINFO"), ("b", "MGET", "k", "l"), ("c", "MSET", "k", 1, "l", 1),
        ("a", "UNSUBSCRIBE"), ("b", "GET", "k"), ("c", "SET", "k", 1), ("a", "SUBSCRIBE", "other"), ("b", "GET", "k"), ("c", "SET", "k", 1),
        ("a", "UNSUBSCRIBE"), ("a", "HELLO", 3), ("b", "GET", "k"), ("c", "SET", "k", 1), ("b", *ON), ("b", "GET", "k"), ("c", "SET", "k", 1),
        ("b", "HELLO", 3), ("b", "GET", "k"), ("c", "SET", "k", 1), ("b", *ON, "REDIRECT", "@b"), ("b", "GET", "k"), ("c", "SET", "k", 1),
        ("b", "GET", "k"), ("b", "SET", "k", 1)],
    "somebody else is told of all keys": [
        ("a", "SUBSCRIBE", "__redis__:invalidate"), ("b", *ON, "BCAST", "REDIRECT", "@a", "PREFIX", "x"),
        ("c", "MSET", "x2", 1, "x1", 1), ("b", "SET", "x", 1), ("c", "FLUSHALL")],
    "what it asks for": [
        ("a", "HELLO", 3), ("a", *ON, "OPTIN"), ("a", "GET", "k"), ("b", "SET", "k", 1), ("a", *YES), ("a", "CLIENT", "TRACKINGINFO"),
        ("a", "GET", "k"), ("a", "GET", "l"), ("b", "MSET", "k", 1, "l", 1),
        ("a", *YES), ("a", "MULTI"), ("a", "GET", "k"), ("a", "GET", "l"), ("a", "EXEC"), ("a", "GET", "m"), ("b", "MSET", "k", 1, "l", 1, "m", 1),
        ("a", *YES), ("a", "NOCOMMAND"), ("a", "GET", "k"), ("b", "SET", "k", 1), ("a", *YES), ("a", "GET"), ("a", "GET", "k"),
        ("b", "SET", "k", 1), ("a", *YES), ("a", "CLIENT", "GETNAME"), ("a", "GET", "k"), ("b", "SET", "k", 1),
        ("a", *YES), ("a", "CLIENT", "ID", "x"), ("a", "GET", "k"), ("b", "SET", "k", 1), ("a", *YES), ("a", "CLIENT", "NOTHING"),
        ("a", "GET", "k"), ("b", "SET", "k", 1), ("a", *YES), ("a", "PING"), ("a", "GET", "k"), ("b", "SET", "k", 1),
        ("a", *YES), ("a", "EVAL", "redis.call('get','s1') return redis.call('get','s2')", 2, "s1", "s2"), ("b", "MSET", "s1", 1, "s2", 1),
        ("a", *YES), ("a", *OFF), ("a", *ON, "OPTIN"), ("a", "CLIENT", "TRACKINGINFO"), ("a", "GET", "k"), ("b", "SET", "k", 1)],
    "what it does not ask for": [
        ("a", "HELLO", 3), ("a", *ON, "OPTOUT"), ("a", "GET", "k"), ("b", "SET", "k", 1), ("a", *NO), ("a", "CLIENT", "TRACKINGINFO"),
        ("a", "GET", "k"), ("b", "SET", "k", 1), ("a", *NO), ("a", "BAD"), ("a", "GET", "k"), ("b", "SET", "k", 1),
        ("a", "MULTI"), ("a", *NO), ("a", "GET", "k"), ("a", "GET", "l"), ("a", "EXEC"), ("b", "MSET", "k", 1, "l", 1)],
    "off and on again": A3 + [
        ("a", *OFF), ("a", "GET", "k"), ("b", "SET", "k", 1), ("a", *ON), ("a", "GET", "k"), ("a", *OFF), ("a", *ON), ("b", "SET", "k", 1),
        ("a", "GET", "k"), ("a", *OFF), ("a", *ON, "BCAST"), ("b", "SET", "k", 1), ("a", "RESET"), ("a", "CLIENT", "TRACKINGINFO"),
        ("b", "SET", "k", 1), ("a", "HELLO", 3), ("b", "SET", "k", 1), ("a", *ON), ("a", "GET", "k"), ("a", "HELLO", 2),
        ("b", "SET", "k", 1), ("a", "HELLO", 3), ("b", "SET", "k", 1)],
    "silent clients are told": A3 + [
        ("a", "GET", "k"), ("a", "CLIENT", "REPLY", "OFF", SILENT), ("b", "SET", "k", 1), ("a", "GET", "k", SILENT), ("a", "SET", "k", 1, SILENT),
        ("a", "CLIENT", "REPLY", "ON"), ("a", "GET", "k"), ("a", "CLIENT", "REPLY", "SKIP", SILENT), ("b", "SET", "k", 1),
        ("a", "SET", "k", 1, SILENT), ("a", "GET", "k")],
    "lists that are waited for": A3 + [
        ("b", "HELLO", 3), ("b", *ON), ("b", "LLEN", "l"), ("a", "BLPOP", "l", 0, SILENT), ("b", "RPUSH", "l", 1), ("a", "PING", {"replies": 2}),
        ("a", "LRANGE", "l", 0, -1), ("a", "LPUSH", "l", 1), ("a", "LRANGE", "l", 0, -1), ("a", "BLPOP", "l", 0),
        ("a", "LRANGE", "l", 0, -1), ("a", "BLMPOP", 1, 1, "l", "LEFT")],
    "errors": [
        ("a", "CLIENT", "TRACKING", "MAYBE"), ("a", *ON, "REDIRECT"), ("a", *ON, "REDIRECT", 999), ("a", *ON, "REDIRECT", "x"),
        ("a", *ON, "REDIRECT", 0), ("a", *ON, "REDIRECT", -1), ("a", *ON, "REDIRECT", "@b", "REDIRECT", "@b"), ("a", *ON, "PREFIX", "x"),
        ("a", *ON, "PREFIX"), ("a", *ON, "BCAST", "OPTIN"), ("a", *ON, "BCAST", "OPTOUT"), ("a", *ON, "OPTIN", "OPTOUT"), ("a", *ON, "FOO"),
        ("a", *OFF, "PREFIX", "x"), ("a", *OFF, "FOO"), ("a", *ON), ("a", *ON, "BCAST"), ("a", *YES), ("a", *NO), ("a", "CLIENT", "CACHING", "X"),
        ("a", *OFF), ("a", "CLIENT", "CACHING", "X"), ("a", *YES), ("a", "CLIENT", "CACHING"), ("a", "CLIENT", "TRACKING"),
        ("a", *ON, "OPTIN"), ("a", *NO), ("a", *ON, "OPTOUT"), ("a", *ON), ("a", *ON, "OPTOUT"), ("a", *YES), ("a", *ON, "OPTIN"), ("a", *OFF),
        ("a", *ON, "BCAST", "PREFIX", "ab", "PREFIX", "c", "PREFIX", "a", "PREFIX", "abc"), ("a", *ON, "BCAST", "PREFIX", "x", "PREFIX", "x"),
        ("a", *ON, "BCAST", "PREFIX", "b", "PREFIX", "abc", "PREFIX", "a", "PREFIX", "bc"), ("a", *ON, "BCAST", "PREFIX", "", "PREFIX", "a"),
        ("a", *ON, "BCAST", "PREFIX", "ab"), ("a", *ON, "BCAST", "PREFIX", "a", "PREFIX", "abc"), ("a", *ON), ("a", *OFF),
        ("a", "CLIENT", "GETREDIR"), ("a", "CLIENT", "GETREDIR", "x"), ("a", "CLIENT", "TRACKINGINFO"), ("a", "CLIENT", "TRACKINGINFO", "x"),
        ("a", *ON, "REDIRECT", "@b", "NOLOOP"), ("a", "CLIENT", "GETREDIR"), ("a", "CLIENT", "TRACKINGINFO"), ("a", *ON), ("a", "CLIENT", "TRACKINGINFO")],
}

# A script, and what the last step of it tells: as in 7.2, or more than there.
OURS = {
    "a script's keys are those that it reads": [
        (A3 + [("a", "EVAL", "return redis.call('get', 'read')", 1, "named"), ("b", "SET", "read", 1)], {"a": [invalid("read")], "b": [b"OK"]}),
        ([("b", "SET", "named", 1)], {"b": [b"OK"]}),
        ([("a", "EVAL_RO", "return redis.call('mget', 'm1', 'm2')", 0), ("b", "MSET", "m2", 1, "m1", 1)],
         {"a": [invalid("m2"), invalid("m1")], "b": [b"OK"]}),
        ([("a", "EVAL_RO", "return 1", 1, "named"), ("b", "SET", "named", 1)], {"b": [b"OK"]}),
        ([("a", "FUNCTION", "LOAD", "REPLACE", "#!lua name=l\nredis.register_function{function_name='f', flags={'no-writes'}, "
                                    "callback=function(keys) return redis.call('get', 'by ' .. keys[1]) end}"),
          ("a", "FCALL_RO", "f", 1, "named"), ("b", "SET", "named", 1)], {"b": [b"OK"]}),
        ([("b", "SET", "by named", 1)], {"a": [invalid("by named")], "b": [b"OK"]}),
        ([("a", "EVAL", "redis.call('get', 'own') redis.call('set', 'own', 1) return 'end'", 0)], {"a": [b"end", invalid("own")]})],
    "XREAD has read when it is answered": [
        (A3 + [("a", "XREAD", "BLOCK", 0, "STREAMS", "s", "$", SILENT), ("b", "XADD", "s", "1-1", "f", "v")], {"b": [b"1-1"]}),
        # what it was told when it began to wait, its reply, and nothing more yet
        ([("a", "PING", {"replies": 2})], {"a": [invalid("s"), {b"s": [[b"1-1", [b"f", b"v"]]]}, b"PONG"]}),
        ([("b", "XADD", "s", "1-2", "f", "v")], {"a": [invalid("s")], "b": [b"1-2"]})],
    "CLIENT CACHING is good until XREAD is answered": [
        ([("a", "HELLO", 3), ("a", *ON, "OPTIN"), ("a", *YES), ("a", "XREAD", "BLOCK", 0, "STREAMS", "s", "$", SILENT),
          ("b", "XADD", "s", "1-1", "f", "v"), ("a", "PING", {"replies": 2}), ("b", "XADD", "s", "1-2", "f", "v")],
         {"a": [invalid("s")], "b": [b"1-2"]}),
        ([("a", "GET", "k"), ("b", "SET", "k", 1)], {"b": [b"OK"]})],
    "exchanged databases": [
        (A3 + [("a", "GET", "k"), ("b", "SWAPDB", 0, 1)], {"a": [ALL], "b": [b"OK"]}),
        ([("b", "SWAPDB", 1, 1)], {"b": [b"OK"]}), ([("a", "SWAPDB", 1, 2)], {"a": [b"OK", ALL]})],
    "its own scripts' changes": [
        ([("a", "HELLO", 3), ("a", *ON, "BCAST", "NOLOOP"), ("a", "EVAL", "return redis.call('set', 'k', 1)", 0)], {"a": [b"OK"]})],
    "who is served within its command is somebody else": [
        ([("a", "HELLO", 3), ("b", "HELLO", 3), ("b", *ON, "NOLOOP"), ("a", "BLPOP", "l", 0, SILENT), ("b", "MULTI"), ("b", "RPUSH", "l", 1, 2),
          ("b", "LLEN", "l"), ("b", "EXEC")], {"b": [[2, 2], invalid("l")]})],
    "messages follow the reply": [
        ([("b", *ON, "REDIRECT", "@a"), ("a", "HELLO", 3), ("b", "GET", "k"), ("a", "SET", "k", 1)], {"a": [b"OK", invalid("k")]}),
        ([("b", "MGET", "k", "l"), ("a", "MULTI"), ("a", "SET", "k", 1), ("a", "SET", "l", 1), ("a", "EXEC")],
         {"a": [[b"OK", b"OK"], invalid("k"), invalid("l")]})],
    "null in who gets it's protocol": [
        ([("b", "HELLO", 3), ("b", *ON, "REDIRECT", "@a"), ("a", "SUBSCRIBE", "__redis__:invalidate"), ("c", "FLUSHALL")],
         {"a": [[b"message", b"__redis__:invalidate", None]], "c": [b"OK"]})],
    "nobody is there to be told": [
        ([("b", "HELLO", 3), ("b", *ON, "REDIRECT", "@a"), ("b", "GET", "k"), ("c", "CLIENT", "KILL", "ID", "@a"), ("c", "CLIENT", "TRACKINGINFO")],
         None)],
}


def key_of_reply(value):
    """HELLO names the program: not compared."""
    return b"hello" if isinstance(value, dict) and b"server" in value or isinstance(value, list) and value[:1] == [b"server"] else value


def comparable(told):
    return [(words, {n: [key_of_reply(v) for v in values] for n, values in at.items()}) for words, at in told]


def without(tree, name):
    return {k: v for k, v in tree.items() if k != name}


class Servers(unittest.TestCase):
    """Ours and, where there is one, a redis-server 7.0."""

    redis = None

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        cls.ours = cls.start(resp.start_stillframe, "ours")
        try:
            cls.redis = cls.start(resp.start_redis_server, "redis", "--save", "")
        except FileNotFoundError:
            return
        with cls.redis.client() as c:
            if b"redis_version:7.0." not in c.call("INFO", "server"):
                cls.redis = None

    @classmethod
    def start(cls, how, name, *args):
        directory = os.path.join(cls.dir, name)
        os.mkdir(directory)
        server = how(directory, *args)
        cls.addClassCleanup(server.stop)
        return server

    def group(self, server, names="abc"):
        with server.client() as c:
            c.call("FLUSHALL")
        g = Group(server.port, names)
        self.addCleanup(g.close)
        return g

    def both(self):
        if self.redis is None:
            self.skipTest("no redis-server 7.0 to compare with")
        return self.ours, self.redis

    def figure(self, name):
        with self.ours.client() as c:
            return int(re.search(r"\b%s:(\d+)" % name, c.call("INFO", "everything").decode()).group(1))


class Scripted(Servers):
    def test_the_same_is_told_as_by_redis(self):
        for name, script in SCRIPTS.items():
            told = [comparable(self.group(s).run(script)) for s in self.both()]
            for ours, theirs in zip(*told):
                self.assertEqual(ours, theirs, name)

    def test_what_7_2_tells_or_more(self):
        for name, parts in OURS.items():
            g = self.group(self.ours)
            for script, expected in parts:
                if expected is None:
                    continue
                self.assertEqual(g.run(script)[-1][1], expected, "%s: %r" % (name, script[-1]))

    def test_whom_it_named_has_gone(self):
        for server in self.both():
            g = self.group(server)
            g.run([("b", "HELLO", 3), ("b", *ON, "REDIRECT", "@a"), ("b", "GET", "k"), ("c", "SET", "k", 1)])
            g.at.pop("a").close()
            with server.client() as c:
                resp.wait_until(lambda: b"id=%d " % g.ids["a"] not in c.call("CLIENT", "LIST"))
            broken = Push([b"tracking-redir-broken", "@a"])
            self.assertEqual([s[1] for s in g.run([
                ("b", "CLIENT", "TRACKINGINFO"), ("b", "MGET", "k", "l"), ("c", "MSET", "k", 1, "l", 1), ("b", "CLIENT", "GETREDIR"),
                ("b", "GET", "k"), ("b", "SET", "k", 2), ("b", "CLIENT", "TRACKINGINFO"), ("c", "FLUSHALL"), ("b", *ON),
                ("b", "CLIENT", "TRACKINGINFO"), ("b", "GET", "k"), ("c", "SET", "k", 3)])], [
                {"b": [{b"flags": [b"on"], b"redirect": "@a", b"prefixes": []}]}, {"b": [[b"1", None]]}, {"b": [broken, broken], "c": [b"OK"]},
                {"b": ["@a"]}, {"b": [b"1"]}, {"b": [b"OK", broken]},
                {"b": [{b"flags": [b"on", b"broken_redirect"], b"redirect": "@a", b"prefixes": []}]}, {"b": [broken], "c": [b"OK"]},
                {"b": [b"OK"]}, {"b": [{b"flags": [b"on"], b"redirect": 0, b"prefixes": []}]}, {"b": [None]}, {"b": [invalid("k")], "c": [b"OK"]}])

    def test_in_the_list_of_clients(self):
        for server in self.both():
            g = self.group(server)
            with server.client() as c:
                def look(name):
                    line = re.search(rb"id=%d .*" % g.ids[name], c.call("CLIENT", "LIST")).group(0)
                    redirect = int(re.search(rb"redir=(-?\d+)", line).group(1))
                    return re.search(rb"flags=(\w+)", line).group(1).decode(), g.name_of(redirect)

                self.assertEqual(look("a"), ("N", -1))
                g.run([("a", *ON), ("b", *ON, "BCAST", "REDIRECT", "@c")])
                self.assertEqual((look("a"), look("b"), look("c")), (("t", 0), ("tB", "@c"), ("N", -1)))
                g.at.pop("c").close()
                resp.wait_until(lambda: b"id=%d " % g.ids["c"] not in c.call("CLIENT", "LIST"))
                g.run([("a", "SET", "k", 1)])
                self.assertEqual(look("b"), ("tRB", "@c"))
                g.run([("a", *OFF), ("b", "RESET")])
                self.assertEqual((look("a"), look("b")), (("N", -1), ("N", -1)))


class Chance(Servers):
    """Random steps, here and there.  What 7.0 does otherwise is left out (OURS): who is told
    instead of others, d, has no transactions, within whose replies Redis tells it."""

    KEYS = ["k%d" % i for i in range(5)] + ["x", "xy", "xyz"]

    def connections(self, r):
        modes = r.choice([(), ("NOLOOP",), ("OPTIN",), ("OPTOUT", "NOLOOP"), ("BCAST",), ("BCAST", "NOLOOP"), ("BCAST", "PREFIX", "x"),
                          ("BCAST", "PREFIX", "k1", "PREFIX", "x", "NOLOOP"), ("REDIRECT", "@d"), ("BCAST", "REDIRECT", "@d")])
        return r.choice([(*ON, *modes), (*ON, *modes), OFF, YES, NO, ("CLIENT", "TRACKINGINFO"), ("CLIENT", "GETREDIR"), ("RESET",),
                         ("HELLO", r.choice([2, 3, 3]))])

    def writes(self, r):
        k, l = r.choice(self.KEYS), r.choice(self.KEYS)
        return r.choice([("SET", k, 1), ("MSET", k, 1, l, 2), ("DEL", k, l), ("INCR", "n"), ("RENAME", k, l), ("COPY", k, l, "REPLACE"),
                         ("EXPIRE", k, 100), ("PERSIST", k), ("EXPIRE", k, 0), ("MOVE", k, r.randrange(2)), ("FLUSHDB",), ("GETDEL", k),
                         ("SET", k, 1, "XX"), ("APPEND", k, "x"), ("SADD", k, 1), ("SORT", k, "STORE", l), ("RESTORE", k, 0, "garbage"),
                         ("SELECT", r.randrange(2)), ("FLUSHALL",)])

    def reads(self, r):
        k, l = r.choice(self.KEYS), r.choice(self.KEYS)
        return r.choice([("GET", k), ("MGET", k, l), ("EXISTS", l, k), ("TTL", k), ("LRANGE", k, 0, -1), ("SUNION", k, l), ("STRLEN", k),
                         ("TYPE", k), ("GETRANGE", l, 0, 3), ("GET",)])

    def steps(self, r, count):
        in_multi = set()
        for _ in range(count):
            name = r.choice("abcd")
            if name in in_multi:
                if r.random() < 0.3:
                    in_multi.discard(name)
                    yield (name, r.choice(["EXEC", "EXEC", "DISCARD"]))
                else:
                    yield (name, *r.choice([self.writes, self.reads])(r))
            elif name != "d" and r.random() < 0.06:
                in_multi.add(name)
                yield (name, "MULTI")
            else:
                yield (name, *r.choices([self.connections, self.writes, self.reads], [3, 4, 8])[0](r))

    @staticmethod
    def apart(told):
        """Replies and pushes: in Redis what d is told of its own command comes before the reply,
        and what it is told for the client whose EXEC runs comes behind the rest, here each change
        in its turn."""
        out = {}
        for name, values in told.items():
            values = [key_of_reply(v) for v in values]
            pushes = [v for v in values if is_message(v)]
            out[name] = ([v for v in values if not is_message(v)], sorted(pushes, key=repr) if name == "d" else pushes)
        return out

    def test_random_steps(self):
        r = random.Random(SEED)
        print("seed %d" % SEED, file=sys.stderr)
        groups = [self.group(s, "abcd") for s in self.both()]
        for number, step in enumerate(self.steps(r, STEPS)):
            ours, theirs = (self.apart(g.step(*step)) for g in groups)
            self.assertEqual(ours, theirs, "step %d: %r" % (number, step))


class Cache(Connection):
    """A client that keeps what it reads until it is told otherwise."""

    def __init__(self, port, *modes):
        super().__init__(port=port, timeout=60)
        self.call("HELLO", 3)
        self.modes, self.kept, self.told = modes, {}, 0
        self.call(*ON, *modes)

    def hear(self, push):
        self.told += 1
        if push[1] is None:
            self.kept.clear()
        for key in push[1] or ():
            self.kept.pop(key, None)

    def ask(self, *words):
        """The reply; what comes with it is heard in its order."""
        self.send(*words)
        while True:
            value = self.read()
            if not isinstance(value, Push):
                return value
            self.hear(value)

    def get(self, key):
        if "OPTIN" in self.modes:
            self.ask(*YES)
        value = self.ask("GET", key)
        if not isinstance(value, resp.RespError):
            self.kept[key] = value

    def fill(self, keys):
        for at in range(0, len(keys), 1000):
            self.sock.sendall(b"".join(resp.pack("GET", k) for k in keys[at:at + 1000]))
            for k in keys[at:at + 1000]:
                value = self.read()
                while isinstance(value, Push):
                    self.hear(value)
                    value = self.read()
                self.kept[k] = value

    def catch_up(self):
        """All that the server has told it is heard."""
        for _ in range(2):  # what is told at the end of a turn
            self.ask("PING")


class Stale(Servers):
    """TR1: nobody holds what the server has replaced."""

    KEYS = [b"k%d" % i for i in range(40)] + [b"p:%d" % i for i in range(40)]

    @staticmethod
    def write(r, c, keys):
        k, l = r.choice(keys), r.choice(keys)
        value = b"%d" % r.randrange(1 << 30)
        words = r.choice([("SET", k, value), ("SET", k, value, "PX", r.choice([1, 3, 30])), ("DEL", k, l), ("APPEND", k, value), ("RENAME", k, l),
                          ("COPY", k, l, "REPLACE"), ("MSET", k, value, l, value), ("PEXPIRE", k, r.choice([1, 5])), ("GETDEL", k), ("UNLINK", k),
                          ("SWAPDB", 0, 1) if r.random() < 0.1 else ("SETRANGE", k, 3, value), ("FLUSHDB",) if r.random() < 0.1 else ("SETBIT", k, 9, 1),
                          ("MOVE", k, 1), ("EVAL", "redis.call('set', KEYS[1], ARGV[1]) return redis.call('get', KEYS[2])", 2, k, l, value)])
        c.ask(*words) if isinstance(c, Cache) else c.pipeline([words])
        if isinstance(c, Cache) and "NOLOOP" in c.modes:
            c.kept.pop(k, None)  # it knows what it does
            c.kept.pop(l, None)

    def check(self, caches, plain, what):
        for c in caches:
            c.catch_up()
        # One look at all, after which nothing that has expired is left; that is heard, too.
        now = dict(zip(self.KEYS, plain.call("MGET", *self.KEYS)))
        for c in caches:
            c.catch_up()
            held = {k: v for k, v in c.kept.items() if now[k] != v}
            self.assertEqual(held, {}, "%s: %r holds what has changed" % (what, c.modes))

    def live(self, seed, count, settings=(), undo=()):
        r = random.Random(seed)
        server = self.ours
        with server.client() as plain:
            plain.pipeline([("FLUSHALL",)] + [("CONFIG", "SET", *s) for s in settings])
            caches = [Cache(server.port, *m) for m in
                      [(), ("NOLOOP",), ("OPTIN",), ("OPTOUT",), ("BCAST",), ("BCAST", "NOLOOP"), ("BCAST", "PREFIX", "k", "PREFIX", "p:")]]
            try:
                for i in range(count):
                    c = r.choice(caches)
                    if r.random() < 0.6:
                        c.get(r.choice(self.KEYS))
                    else:
                        self.write(r, r.choice([c, plain]), self.KEYS)
                    if i % 50 == 49:
                        self.check(caches, plain, "step %d of seed %d" % (i, seed))
                self.assertGreater(min(c.told for c in caches), 0)
            finally:
                plain.pipeline([("CONFIG", "SET", *s) for s in undo])
                for c in caches:
                    c.close()

    def test_nobody_holds_what_has_changed(self):
        self.live(SEED, STEPS)

    def test_with_a_full_table(self):
        self.live(SEED + 1, STEPS, [("tracking-table-max-keys", 10)], [("tracking-table-max-keys", 1000000)])

    def test_with_eviction(self):
        """Keys go for want of memory, while all of them are kept by somebody."""
        value = b"x" * 20000
        keys = [b"big:%d" % i for i in range(300)]
        for modes in [(), ("NOLOOP",), ("BCAST",), ("BCAST", "NOLOOP")]:
            with self.ours.client() as plain, Cache(self.ours.port, *modes) as c:
                plain.call("FLUSHALL")
                for k in keys:
                    plain.call("SET", k, value)
                for k in keys:
                    c.get(k)
                used = int(re.search(rb"used_memory:(\d+)", plain.call("INFO", "memory")).group(1))
                plain.pipeline([("CONFIG", "SET", "maxmemory-policy", "allkeys-random"), ("CONFIG", "SET", "maxmemory", used - (1 << 20))])
                try:
                    before, i = self.figure("evicted_keys"), 0
                    while self.figure("evicted_keys") < before + 100:
                        c.ask("SET", b"more:%d" % i, value)
                        i += 1
                    c.catch_up()
                    left = dict(zip(keys, plain.call("MGET", *keys)))
                    c.catch_up()
                    self.assertIn(None, left.values())
                    self.assertEqual({k: v for k, v in c.kept.items() if k in left and left[k] != v}, {}, modes)
                finally:
                    plain.pipeline([("CONFIG", "SET", "maxmemory", 0), ("CONFIG", "SET", "maxmemory-policy", "noeviction")])

    def test_evicted_for_its_own_command(self):
        """What goes to make room for a command is told before its reply, in EXEC too."""
        with self.ours.client() as plain, Cache(self.ours.port) as c:
            plain.call("FLUSHALL")
            for i in range(100):
                plain.call("SET", "big:%d" % i, b"x" * 20000)
            c.fill([b"big:%d" % i for i in range(100)])
            plain.call("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
            plain.call("CONFIG", "SET", "maxmemory", 1)
            try:
                before = c.told
                self.assertIsInstance(c.ask("SET", "k", 1), resp.RespError)  # all went, and it is not enough
                self.assertEqual(c.told - before, 100)
            finally:
                plain.pipeline([("CONFIG", "SET", "maxmemory", 0), ("CONFIG", "SET", "maxmemory-policy", "noeviction")])

    def test_expiry_is_told_by_itself(self):
        """Nobody asks for the key."""
        for server in self.both():
            with server.client() as plain:
                plain.call("FLUSHALL")
                for modes in [(), ("NOLOOP",), ("BCAST", "NOLOOP")]:
                    with Cache(server.port, *modes) as c:
                        c.ask("SET", "k", 1, "PX", 300)
                        c.get(b"k")
                        while b"k" in c.kept:
                            value = c.read()
                            self.assertIsInstance(value, Push)
                            c.hear(value)


class Table(Servers):
    """The table of keys: figures, bounds, what becomes of it."""

    def test_it_holds_so_many_keys_and_no_more(self):
        with self.ours.client() as plain, Cache(self.ours.port) as c:
            plain.call("FLUSHALL")
            plain.call("CONFIG", "SET", "tracking-table-max-keys", 100)
            try:
                for i in range(1000):
                    c.get(b"k%d" % i)
                c.catch_up()
                self.assertEqual(self.figure("tracking_total_keys"), 100)
                self.assertEqual(len(c.kept), 100)
                self.assertEqual(c.told, 901)  # and FLUSHALL
                plain.call("CONFIG", "SET", "tracking-table-max-keys", 7)
                resp.wait_until(lambda: self.figure("tracking_total_keys") == 7)
                c.catch_up()
                self.assertEqual(len(c.kept), 7)
                c.ask("MGET", *["m%d" % i for i in range(50)])
                self.assertEqual(self.figure("tracking_total_keys"), 7)
                plain.call("CONFIG", "SET", "tracking-table-max-keys", 0)
                for i in range(500):
                    c.get(b"n%d" % i)
                self.assertEqual(self.figure("tracking_total_keys"), 507)
            finally:
                plain.call("CONFIG", "SET", "tracking-table-max-keys", 1000000)

    def test_figures(self):
        told = []
        for server in self.both():
            g = self.group(server)
            rows = []
            with server.client() as plain:
                for script in [[], [("a", *ON), ("b", *ON)], [("a", "MGET", "x", "y"), ("b", "GET", "y")], [("c", "SET", "y", 1)],
                               [("c", *ON, "BCAST", "PREFIX", "p", "PREFIX", "q")], [("a", *OFF), ("a", *ON, "BCAST", "PREFIX", "q")],
                               [("c", "RESET")], [("b", "FLUSHALL")], [("a", *OFF), ("b", *OFF)]]:
                    g.run(script)
                    info = plain.call("INFO", "everything").decode()
                    rows.append([int(re.search(r"\b%s:(\d+)" % n, info).group(1))
                                 for n in ("tracking_clients", "tracking_total_keys", "tracking_total_items", "tracking_total_prefixes")])
            told.append(rows)
        self.assertEqual(told[0], told[1])

    def test_memory_comes_back(self):
        """With the keys, with the clients, with FLUSHALL."""
        keys = [b"key:%d" % i for i in range(20000)]

        def is_small():
            return self.figure("mem_tracking_table") < 10000 and self.figure("tracking_total_keys") == 0

        with self.ours.client() as plain:
            plain.call("FLUSHALL")
            resp.wait_until(is_small)
            clients = [Cache(self.ours.port) for _ in range(5)]
            for c in clients:
                c.fill(keys)
            self.assertEqual((self.figure("tracking_total_keys"), self.figure("tracking_total_items")), (20000, 100000))
            full = self.figure("mem_tracking_table")
            self.assertGreater(full, 20000 * 40)
            clients.pop().close()  # a fifth is more than an eighth
            resp.wait_until(lambda: self.figure("tracking_total_items") == 80000)
            self.assertLess(self.figure("mem_tracking_table"), full)
            for c in clients:
                c.close()
            resp.wait_until(is_small)
            with Cache(self.ours.port) as c, Cache(self.ours.port) as d:
                c.fill(keys)
                d.fill(keys)
                for at in range(0, 10000, 1000):
                    plain.pipeline([("SET", k, 1) for k in keys[at:at + 1000]])
                self.assertEqual(self.figure("tracking_total_keys"), 10000)
                plain.call("FLUSHALL")
                resp.wait_until(is_small)

    def test_who_does_not_read_is_closed_by_its_limit(self):
        with self.ours.client() as plain, Cache(self.ours.port, "BCAST") as deaf:
            number = deaf.ask("CLIENT", "ID")
            plain.call("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0")
            try:
                name = "x" * 10000

                def is_gone():
                    plain.pipeline([("SET", "%s%d" % (name, i), 1) for i in range(100)])
                    return b"id=%d " % number not in plain.call("CLIENT", "LIST")

                resp.wait_until(is_gone, what="the limit")
            finally:
                plain.call("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")
        self.assertEqual(self.figure("tracking_total_prefixes"), 0)

    def test_too_much_for_one_turn_is_told_as_all(self):
        with self.ours.client() as plain, Cache(self.ours.port, "BCAST", "PREFIX", "long") as c, Cache(self.ours.port, "BCAST", "PREFIX", "x") as d:
            plain.call("EVAL", "local s = ('l'):rep(1000000) for i = 1, 70 do redis.call('set', 'long' .. i .. s, i) end redis.call('set', 'x', 1)", 0)
            plain.call("FLUSHDB")
            c.catch_up()
            d.catch_up()
            self.assertEqual((c.told, d.told), (2, 2))  # all, and FLUSHDB: at once; x, and FLUSHDB

    def test_clients_come_and_go(self):
        """Numbers are used again, and nobody is told what another one has read."""
        r = random.Random(SEED)
        clients = []
        with self.ours.client() as plain:
            plain.call("FLUSHALL")
            for _ in range(300):
                if len(clients) < 3 or r.random() < 0.5:
                    clients.append(Cache(self.ours.port))
                else:
                    clients.pop(r.randrange(len(clients))).close()
                for c in clients:
                    if r.random() < 0.3:
                        c.get(b"k%d" % r.randrange(20))
                keys = [b"k%d" % r.randrange(20) for _ in range(3)]
                plain.pipeline([("SET", k, 1) for k in keys])
                for c in clients:
                    had = dict(c.kept)
                    before = c.told
                    c.catch_up()
                    self.assertEqual(c.told - before, len(set(had) & set(keys)))
            for c in clients:
                c.close()
            resp.wait_until(lambda: self.figure("tracking_clients") == 0)
            resp.wait_until(lambda: self.figure("tracking_total_keys") == 0)


if __name__ == "__main__":
    unittest.main()
