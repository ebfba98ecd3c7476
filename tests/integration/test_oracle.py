#!/usr/bin/env python3
"""A snapshot is of one instant.

Writers change the data at full speed with every kind of write, and snapshots are taken back to
back.  For each, the digest that one MULTI/EXEC took together with BGSAVE equals the digest of the
dump as redis-server loads it; expiry times are equal to the millisecond, through our decoder; and
what the writers keep true is true in every dump: the sum of all accounts, and counters that are
written in order.

  ORACLE_SEED=n        the writes of an earlier run: each run prints its seed
  ORACLE_SNAPSHOTS=n   snapshots of the small data (default 1000; QUICK=1: 60)
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

QUICK = os.environ.get("QUICK") == "1"
SNAPSHOTS = int(os.environ.get("ORACLE_SNAPSHOTS", "60" if QUICK else "1000"))
SEED = int(os.environ.get("ORACLE_SEED") or random.SystemRandom().randrange(1 << 30))
ACCOUNTS = 50
START_BALANCE = 1000
TTL_KEYS = 25


def encode(*args):
    out = [b"*%d\r\n" % len(args)]
    for a in args:
        if not isinstance(a, bytes):
            a = str(a).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(a), a))
    return b"".join(out)


class Writer(threading.Thread):
    """Sends buffers of commands that were made beforehand, and reads replies only to count them."""

    def __init__(self, port, buffers):
        super().__init__(daemon=True)
        self.client = resp.Client(port=port)
        self.buffers = buffers
        self.stop = threading.Event()
        self.error = None
        self.batches = 0

    def run(self):
        sock = self.client.sock
        try:
            i = 0
            while not self.stop.is_set():
                buf, end = self.buffers[i % len(self.buffers)]
                i += 1
                sock.sendall(buf)
                tail = b""
                while not tail.endswith(end):
                    data = sock.recv(1 << 18)
                    if not data:
                        raise EOFError("the server closed the connection")
                    tail = (tail + data)[-len(end):]
                self.batches += 1
        except Exception as e:  # noqa: BLE001 - reported by the test
            if not self.stop.is_set():
                self.error = e


def batch(commands, serial):
    """A buffer, and the last bytes of its reply: an ECHO of a word that occurs nowhere else."""
    word = b"end-of-batch-%d" % serial
    return b"".join(commands) + encode("ECHO", word), b"$%d\r\n%s\r\n" % (len(word), word)


def random_write(rnd, soon, fields):
    k = "k%d" % rnd.randrange(300)
    h = "h%d" % rnd.randrange(12)
    big = "big%d" % rnd.randrange(4)
    far = 4102444800000 + rnd.randrange(10 ** 9)
    field = "f%d" % rnd.randrange(fields)
    kind = rnd.randrange(30)
    if kind < 4:
        return encode("SET", k, "%d" % rnd.randrange(10 ** 9) if rnd.random() < 0.4 else "v" * rnd.randrange(1, 400))
    if kind == 4:
        return encode("SET", k, "t" * rnd.randrange(1, 2000), "PXAT", far)
    if kind == 5:
        return encode("INCR", "n%d" % rnd.randrange(40))
    if kind == 6:
        return encode("APPEND", k, "a" * rnd.randrange(1, 60))
    if kind == 7:
        return encode("SETRANGE", k, rnd.randrange(300), "r" * rnd.randrange(1, 50))
    if kind == 8:
        return encode("SETRANGE", big, rnd.randrange(1500000), "R" * rnd.randrange(1, 500))
    if kind == 9:
        return encode("APPEND", big, "A" * rnd.randrange(1, 100)) if rnd.random() < 0.3 else encode("DEL", k)
    if kind == 10:
        return encode("DEL", k, h if rnd.random() < 0.1 else k)
    if kind == 11:
        return encode("RENAME", k, "k%d" % rnd.randrange(300))
    if kind == 12:
        return encode("MOVE", k, 1) if rnd.random() < 0.5 else encode("COPY", k, k, "DB", 1, "REPLACE")
    if kind == 13:
        return encode("PEXPIREAT", k, far)
    if kind == 14:
        return encode("PERSIST", k)
    if kind == 15:
        return encode("RENAME", h, "h%d" % rnd.randrange(12))
    if kind == 16:
        return encode("HDEL", h, field, "f%d" % rnd.randrange(fields))
    if kind == 17:
        return encode("HINCRBY", h, "n", rnd.randrange(-5, 6))
    if kind == 18:
        return encode("HSET", h, field, "w" * rnd.randrange(60, 200))
    if kind == 19:
        if not soon:
            return encode("COPY", k, "k%d" % rnd.randrange(300))
        return encode("PEXPIRE", "soon%d" % rnd.randrange(50), rnd.randrange(1, 40)) + encode(
            "SET", "soon%d" % rnd.randrange(50), "s", "PX", rnd.randrange(1, 30))
    if kind == 20:
        return encode("COPY", h, "h%d" % rnd.randrange(12), "REPLACE")
    if kind == 21:
        return encode("PEXPIREAT", "ttl%d" % rnd.randrange(TTL_KEYS), far)
    if kind == 22:
        return encode("SET", "ttl%d" % rnd.randrange(TTL_KEYS), "t" * rnd.randrange(200), "PXAT", far)
    args = []
    for _ in range(rnd.randrange(1, 6)):
        args += ["f%d" % rnd.randrange(fields), "%d" % rnd.randrange(10 ** 6) if rnd.random() < 0.5 else "v" * rnd.randrange(40)]
    return encode("HSET", h, *args)


def transfer(rnd):
    a, b, n = rnd.randrange(ACCOUNTS), rnd.randrange(ACCOUNTS), rnd.randrange(1, 100)
    return (encode("MULTI") + encode("DECRBY", "account%d" % a, n) + encode("INCRBY", "account%d" % b, n) + encode("EXEC"))


def make_buffers(seed, count, per_buffer, soon, fields):
    rnd = random.Random(seed)
    buffers = []
    for i in range(count):
        commands = []
        for _ in range(per_buffer):
            p = rnd.random()
            if p < 0.12:
                commands.append(transfer(rnd))
            elif p < 0.30:  # counters, in order
                commands += [encode("INCR", "order%d" % j) for j in range(3)]
            elif p < 0.302:
                commands.append(encode("SWAPDB", 1, 2))
            elif p < 0.303:
                commands.append(encode("SELECT", 3) + encode("FLUSHDB") + encode("SELECT", 0))
            elif p < 0.32:
                commands.append(encode("SELECT", 3) + random_write(rnd, soon, fields) + encode("SELECT", 0))
            else:
                commands.append(random_write(rnd, soon, fields))
        buffers.append(batch(commands, seed * 1000 + i))
    return buffers


class Oracle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        random.seed(SEED)
        print("oracle: seed %d" % SEED, file=sys.stderr)
        cls.dir = tempfile.mkdtemp(prefix="oracle-")
        cls.redis_dir = os.path.join(cls.dir, "redis")
        os.mkdir(cls.redis_dir)
        cls.redis = resp.start_redis_server(cls.redis_dir, "--save", "", "--enable-debug-command", "yes")
        cls.redis_client = resp.Client(port=cls.redis.port)
        expires = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/tests/integration/rdb_expires")
        cls.expires = os.path.normpath(expires)

    @classmethod
    def tearDownClass(cls):
        cls.redis.stop()
        shutil.rmtree(cls.dir, ignore_errors=True)

    def start(self, *args):
        d = tempfile.mkdtemp(dir=self.dir)
        server = resp.start_stillframe(d, "--save", "", "--enable-debug-command", "yes", *args)
        self.addCleanup(server.stop)
        self.dump = os.path.join(d, "dump.rdb")
        return server

    def wait_saved(self, client):
        while True:
            info = client.call("INFO", "persistence")
            if b"rdb_bgsave_in_progress:0" in info:
                self.assertIn(b"rdb_last_bgsave_status:ok", info)
                return
            time.sleep(0.001)

    def one_snapshot(self, client, soon):
        client.call("MULTI")
        client.call("DEBUG", "DIGEST")
        for i in range(TTL_KEYS):
            client.call("PEXPIRETIME", "ttl%d" % i)
        client.call("DBSIZE")
        client.call("BGSAVE")
        replies = client.call("EXEC")
        self.assertEqual(replies[-1], b"Background saving started")
        self.wait_saved(client)
        digest, ttls, size = replies[0], replies[1:1 + TTL_KEYS], replies[-2]
        self.check_expires(ttls, size)
        if not soon:  # a key that has expired meanwhile is dropped by the loader
            self.check_loaded(digest)

    def check_expires(self, ttls, size):
        out = subprocess.run([self.expires, self.dump], capture_output=True, check=True).stdout.split(b"\n")
        seen, in_db0 = {}, 0
        for line in out[:-1]:
            db, expire, key = line.split(b" ", 2)
            if db == b"0":
                in_db0 += 1
                self.assertNotIn(key, seen, "a key stands twice in the dump")
                seen[key] = int(expire)
        self.assertEqual(in_db0, size)  # expired or not: what was there at the cut is in the dump
        for i, at in enumerate(ttls):
            key = b"ttl%d" % i
            self.assertEqual(seen.get(key, -2), at, key)

    def check_loaded(self, digest):
        shutil.copyfile(self.dump, os.path.join(self.redis_dir, "dump.rdb"))
        r = self.redis_client
        r.call("DEBUG", "RELOAD", "NOSAVE")
        self.assertEqual(r.call("DEBUG", "DIGEST"), digest)
        balances = r.call("MGET", *["account%d" % i for i in range(ACCOUNTS)])
        self.assertEqual(sum(map(int, balances)), ACCOUNTS * START_BALANCE)
        a, b, c = (int(x or 0) for x in r.call("MGET", "order0", "order1", "order2"))
        self.assertTrue(a >= b >= c >= a - self.writers, (a, b, c))

    def run_oracle(self, server, snapshots, soon=False, big=True, writers=2):
        client = resp.Client(port=server.port)
        self.writers = writers
        for i in range(ACCOUNTS):
            client.call("SET", "account%d" % i, START_BALANCE)
        threads = []
        for w in range(writers):
            buffers = make_buffers(random.randrange(1000) * 10 + w, 150, 60, soon, 700 if big else 80)
            if not big:
                buffers = [(b.replace(b"$4\r\nbig", b"$4\r\nkey").replace(b"$7\r\n1", b"$7\r\n0"), e) for b, e in buffers]
            threads.append(Writer(server.port, buffers))
        for t in threads:
            t.start()
        started = time.time()
        for _ in range(snapshots):
            self.one_snapshot(client, soon)
            for t in threads:
                self.assertIsNone(t.error)
        took = time.time() - started
        for t in threads:
            t.stop.set()
        for t in threads:
            t.join(10)
        print("oracle: %d snapshots in %.1f s beside %d batches of writes" % (
            snapshots, took, sum(t.batches for t in threads)), file=sys.stderr)

    def test_small_data_back_to_back(self):
        self.run_oracle(self.start("--snapshot-threads", "1"), SNAPSHOTS, big=False)

    def test_several_sweepers(self):
        self.run_oracle(self.start("--snapshot-threads", "3"), SNAPSHOTS // 5)

    def test_small_data_compressed(self):
        self.run_oracle(self.start("--rdbcompression", "yes"), SNAPSHOTS // 20)

    def test_keys_that_expire_in_the_middle(self):
        self.run_oracle(self.start(), SNAPSHOTS // 10, soon=True)

    def test_larger_data(self):
        server = self.start("--rdbcompression", "no", "--snapshot-threads", "2")
        client = resp.Client(port=server.port)
        client.call("DEBUG", "POPULATE", 20000 if QUICK else 300000, "pop", 100)
        self.run_oracle(server, 3 if QUICK else 8)

    def test_at_the_memory_limit(self):
        server = self.start("--snapshot-memory-limit", "2mb")
        client = resp.Client(port=server.port)
        client.call("DEBUG", "POPULATE", 20000 if QUICK else 100000, "pop", 100)
        self.run_oracle(server, 3 if QUICK else 10)


if __name__ == "__main__":
    unittest.main()
