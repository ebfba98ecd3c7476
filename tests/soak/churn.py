"""Data that stands and never rests: values of all types and sizes grow, shrink, move and go, and on
the average there is always the same.

Databases 4 to 11 hold the same keys on both servers, and every reply is compared.  Each database
has KEYS keys a type; a key lives for some dozen commands, in which it grows, and is cut or deleted.
12 holds keys that expire in seconds (when a server notices is its own affair: nothing is compared),
13 fields that expire and what else only this server knows.
"""
import random
import time

import resp
from workers import Worker

FIRST, LAST, EXPIRING, OURS = 4, 11, 12, 13
KEYS = 25
BATCH = 40
FAR = 4102444800000  # milliseconds


def timed(client, data, count):
    """Seconds until all replies are there, and the replies."""
    begin = time.perf_counter()
    client.send_raw(data)
    replies = [client.read() for _ in range(count)]
    return time.perf_counter() - begin, replies


class Commands:
    """Commands on so many keys of each type."""

    def __init__(self, rng, keys=KEYS):
        self.rng, self.keys, self.serial = rng, keys, 0

    def key(self, kind):
        return "%s:%d" % (kind, self.rng.randrange(self.keys))

    def value(self):
        """Mostly short, of all sizes to 100 kB, now and then a megabyte."""
        size = int(2 ** self.rng.uniform(0, 17)) if self.rng.random() < 0.1 else self.rng.randrange(200)
        if self.rng.random() < 0.0005:
            size = 1 << 20
        return self.rng.choice("abcdefgh") * size

    def words(self, n=None):
        return ["m%d" % self.rng.randrange(3000) for _ in range(n or self.rng.choice([1, 1, 3, 10, 100]))]

    def string(self, k):
        rng = self.rng
        return rng.choice([
            ["SET", k, self.value()], ["SET", k, self.value(), "PXAT", FAR + rng.randrange(1000)], ["APPEND", k, self.value()],
            ["SETRANGE", k, rng.randrange(3000), self.value()], ["GETRANGE", k, 0, 100], ["STRLEN", k], ["SETBIT", k, rng.randrange(50000), 1],
            ["BITCOUNT", k], ["GETEX", k, "PERSIST"], ["SET", k, rng.randrange(10 ** 9)], ["GETDEL", k]])

    def hash(self, k):
        pairs = [w for f in self.words() for w in (f, self.value()[:2000])]
        return self.rng.choice([["HSET", k] + pairs, ["HSET", k] + pairs, ["HDEL", k] + self.words(), ["HLEN", k], ["HMGET", k] + self.words(),
                                ["HINCRBY", k, "n", 7], ["HSTRLEN", k, "m1"]])

    def list(self, k):
        return self.rng.choice([[self.rng.choice(["LPUSH", "RPUSH"]), k] + [self.value()[:3000] for _ in range(self.rng.choice([1, 5, 30]))],
                                ["LTRIM", k, 0, self.rng.randrange(300)], ["LPOP", k, self.rng.randrange(1, 50)], ["RPOP", k], ["LLEN", k],
                                ["LMOVE", k, self.key("list"), "LEFT", "RIGHT"], ["LINSERT", k, "BEFORE", "x", "y"], ["LRANGE", k, 0, 3]])

    def set(self, k):
        other = self.key("set")
        return self.rng.choice([["SADD", k] + self.words(), ["SADD", k] + [self.rng.randrange(2000) for _ in range(20)], ["SREM", k] + self.words(),
                                ["SCARD", k], ["SMISMEMBER", k] + self.words(), ["SMOVE", k, other, "m1"], ["SINTERCARD", 2, k, other],
                                ["SUNIONSTORE", self.key("set"), k, other], ["SINTERSTORE", self.key("set"), k, other]])

    def zset(self, k):
        pairs = [w for m in self.words() for w in (self.rng.randrange(10000), m)]
        return self.rng.choice([["ZADD", k] + pairs, ["ZADD", k] + pairs, ["ZREM", k] + self.words(), ["ZCARD", k], ["ZPOPMIN", k, 5],
                                ["ZREMRANGEBYRANK", k, 500, -1], ["ZRANGE", k, 0, 5, "WITHSCORES"], ["ZINCRBY", k, 3, "m1"],
                                ["ZRANGESTORE", self.key("zset"), k, 0, 100]])

    def stream(self, k):
        self.serial += 1
        return self.rng.choice([["XADD", k, "MAXLEN", 400, "%d-1" % self.serial, "f", self.value()[:1000]], ["XLEN", k],
                                ["XADD", k, "%d-2" % self.serial, "f", 1, "g", 2], ["XTRIM", k, "MAXLEN", 50], ["XRANGE", k, "-", "+", "COUNT", 2],
                                ["XDEL", k, "%d-1" % self.rng.randrange(self.serial)],
                                ["XGROUP", "CREATE", k, "g%d" % self.rng.randrange(3), 0], ["XGROUP", "DESTROY", k, "g%d" % self.rng.randrange(3)]])

    def any(self, k, kind):
        return self.rng.choice([["DEL", k], ["UNLINK", k], ["RENAME", k, self.key(kind)], ["COPY", k, self.key(kind), "REPLACE"],
                                ["PEXPIREAT", k, FAR], ["PERSIST", k], ["TYPE", k], ["DEL", k], ["PEXPIREAT", k, 1]])

    def large(self, kind):
        """A key of thousands of elements is built, and goes in the same batch."""
        k, n = "large:" + kind, self.rng.randrange(2000, 12000)
        build = {"string": ["SETRANGE", k, n * 200, "x"], "hash": ["HSET", k] + [w for i in range(n) for w in (i, "v%d" % i)],
                 "list": ["RPUSH", k] + ["e%d" % i for i in range(n)], "set": ["SADD", k] + ["m%d" % i for i in range(n)],
                 "zset": ["ZADD", k] + [w for i in range(n) for w in (i, "m%d" % i)], "stream": ["XADD", k, "1-1"] + ["f"] * (2 * n)}
        return [build[kind], ["COPY", k, k + "2"], [self.rng.choice(["DEL", "UNLINK"]), k, k + "2"]]

    def batch(self):
        out = []
        while len(out) < BATCH:
            kind = self.rng.choice(["string", "hash", "list", "set", "zset", "stream"])
            k = self.key(kind)
            if self.rng.random() < 0.002:
                out += self.large(kind)
            else:
                out.append(self.any(k, kind) if self.rng.random() < 0.12 else getattr(self, kind)(k))
        return out


class Churn(Worker):
    """Sends them to both servers."""

    def __init__(self, gate, servers, seed, first=FIRST, last=LAST):
        super().__init__(gate)
        self.servers, self.rng, self.dbs = servers, random.Random(seed), range(first, last + 1)
        self.made = Commands(self.rng)
        self.took = []  # of each batch: seconds of each server
        self.reconnect()

    def reconnect(self):
        self.clients = [s.client(timeout=300) for s in self.servers]

    def unit(self):
        """A batch of each database; the first one or the other server is asked first."""
        for db in self.dbs:
            self.ask(db, self.made.batch())
        self.expiring()
        self.alone()

    def ask(self, db, batch):
        data = resp.pack("SELECT", db) + b"".join(resp.pack(*c) for c in batch)
        replies, took = [None, None], [0.0, 0.0]
        for side in self.rng.sample((0, 1), 2):
            took[side], replies[side] = timed(self.clients[side], data, len(batch) + 1)
        self.took.append(took)
        self.commands += len(batch)
        for command, ours, theirs in zip([["SELECT", db]] + batch, *replies):
            if ours != theirs:
                raise AssertionError("database %d: %.300r: ours %.500r, theirs %.500r" % (db, command, ours, theirs))

    def expiring(self):
        """Keys that live for seconds."""
        rng = self.rng
        batch = [["SELECT", EXPIRING]]
        for _ in range(BATCH):
            k = "e%d" % rng.randrange(2000)
            batch.append(rng.choice([["SET", k, self.made.value()[:5000], "PX", rng.randrange(1, 5000)], ["GET", k], ["PEXPIRE", k, rng.randrange(1, 3000)],
                                     ["EXISTS", k, "e%d" % rng.randrange(2000)]]))
        for client in self.clients:
            client.pipeline(batch)
        self.commands += len(batch)

    def alone(self):
        """Fields that expire, and other commands that redis-server 7.0 does not know."""
        rng = self.rng
        batch = [["SELECT", OURS]]
        for _ in range(BATCH):
            h, f = "h%d" % rng.randrange(40), "f%d" % rng.randrange(500)
            batch.append(rng.choice([
                ["HSET", h, f, self.made.value()[:2000]], ["HPEXPIRE", h, rng.randrange(1, 4000), "FIELDS", 1, f], ["HGET", h, f], ["HPERSIST", h, "FIELDS", 1, f],
                ["HSETEX", h, "PX", rng.randrange(1, 4000), "FIELDS", 2, f, "a", "g" + f, "b"], ["HGETEX", h, "PX", 2000, "FIELDS", 1, f],
                ["HGETDEL", h, "FIELDS", 1, f], ["HLEN", h], ["HRANDFIELD", h, 3], ["HPTTL", h, "FIELDS", 1, f], ["DEL", h], ["SPOP", "s"], ["SADD", "s", f],
                ["MSETEX", 1, "k" + f, "v", "PX", 1500], ["SET", "k" + f, "v", "IFEQ", "v"], ["DIGEST", "k" + f], ["DELEX", "k" + f]]))
        self.clients[0].pipeline(batch)
        self.commands += len(batch)
