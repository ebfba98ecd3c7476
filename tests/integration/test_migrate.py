#!/usr/bin/env python3
"""MIGRATE: every type of value to redis-server, from it, and between two Stillframes; what is told
when it cannot be done; and that nobody else stands still meanwhile, and no write is lost."""
import os
import shutil
import socket
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

LONG_MS = 60000  # how long a target may take that answers at all
VALUES = {
    "empty": [("SET", "empty", "")],
    "number": [("SET", "number", 12345)],
    "text": [("SET", "text", "hello")],
    "large": [("SET", "large", "ab" * 600000)],
    "expires": [("SET", "expires", "soon", "PXAT", 4102444800000)],
    "hash": [("HSET", "hash", "f", "v", "g", 7)],
    "table": [("HSET", "table", *[w for i in range(2000) for w in ("f%d" % i, "v%d" % i)])],
    "list": [("RPUSH", "list", *range(5))],
    "long": [("RPUSH", "long", *["element %d" % i for i in range(5000)])],
    "ints": [("SADD", "ints", *range(30))],
    "set": [("SADD", "set", *["m%d" % i for i in range(2000)])],
    "zset": [("ZADD", "zset", 1, "a", 2.5, "b", "-inf", "c")],
    "scores": [("ZADD", "scores", *[w for i in range(2000) for w in (i / 7, "m%d" % i)])],
    "stream": [("XADD", "stream", "1-1", "f", "v"), ("XADD", "stream", "2-1", "f", "w"), ("XGROUP", "CREATE", "stream", "g", 0),
               ("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "stream", ">")],
    "sketch": [("PFADD", "sketch", *range(3000))],
}


class Silent:
    """A server that takes connections, and says only what it is told to say."""

    def __init__(self, backlog=50):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(backlog)
        self.port = self.listener.getsockname()[1]

    def accept(self):
        self.listener.settimeout(60)
        connection = self.listener.accept()[0]
        connection.settimeout(60)
        return connection

    def close(self):
        self.listener.close()


def read_until(connection, what):
    got = b""
    while what not in got:
        more = connection.recv(1 << 20)
        assert more, got[-200:]
        got += more
    return got


class Migrate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="migrate-")
        cls.servers = {}
        for name, start in (("ours", resp.start_stillframe), ("other", resp.start_stillframe),
                            ("redis", resp.start_redis_server)):
            os.mkdir(os.path.join(cls.dir, name))
            cls.servers[name] = start(os.path.join(cls.dir, name), "--save", "", "--enable-debug-command", "yes")

    @classmethod
    def tearDownClass(cls):
        for name, server in cls.servers.items():
            status = server.stop()
            assert status == 0 or name == "redis", server.log()
        shutil.rmtree(cls.dir)

    def setUp(self):
        self.clients = {}
        for name, server in self.servers.items():
            self.clients[name] = server.client()
            self.addCleanup(self.clients[name].close)
            self.clients[name].pipeline([("FLUSHALL",), ("CONFIG", "SET", "requirepass", "")])
        self.ours, self.other, self.redis = (self.clients[n] for n in ("ours", "other", "redis"))

    def migrate(self, to, *words, source="ours"):
        """MIGRATE's reply, or its error as text; words: key db ..., the timeout left out."""
        port = self.servers[to].port if isinstance(to, str) else to
        (reply,) = self.clients[source].pipeline([("MIGRATE", "127.0.0.1", port, words[0], words[1], LONG_MS, *words[2:])])
        return str(reply) if isinstance(reply, resp.RespError) else reply

    # ---- what is moved ----

    def digests(self, client, keys):
        return client.call("DEBUG", "DIGEST-VALUE", *keys)

    def move_all(self, source, target):
        keys = list(VALUES)
        a, b = self.clients[source], self.clients[target]
        for replies in (a.pipeline(VALUES[k]) for k in keys):
            self.assertFalse([r for r in replies if isinstance(r, resp.RespError)])
        want = self.digests(a, keys)
        for key in keys[:len(keys) // 2]:
            self.assertEqual(self.migrate(target, key, 0, source=source), b"OK")
        self.assertEqual(self.migrate(target, "", 0, "KEYS", *keys[len(keys) // 2:], source=source), b"OK")
        self.assertEqual(a.call("DBSIZE"), 0)
        self.assertEqual(self.digests(b, keys), want)
        self.assertEqual(b.call("DBSIZE"), len(keys))
        self.assertEqual(b.call("EXPIRE", "expires", 100, "NX"), 0)
        left = b.call("PEXPIRETIME", "expires")
        self.assertLess(abs(left - 4102444800000), 600000)

    def test_to_redis_server(self):
        self.move_all("ours", "redis")

    def test_from_redis_server(self):
        self.move_all("redis", "ours")

    def test_between_two_of_ours(self):
        self.move_all("ours", "other")

    def test_the_target_s_database_and_name(self):
        self.ours.call("SELECT", 3)
        self.ours.call("SET", "k", "v")
        (reply,) = self.ours.pipeline([("MIGRATE", "localhost", self.servers["redis"].port, "k", 5, LONG_MS)])
        self.assertEqual(reply, b"OK")
        self.redis.call("SELECT", 5)
        self.assertEqual(self.redis.call("GET", "k"), b"v")
        self.assertEqual(self.ours.call("EXISTS", "k"), 0)
        self.ours.call("SET", "k", "v")
        self.assertEqual(self.migrate("redis", "k", 99), "ERR Target instance replied with error: ERR DB index is out of range")
        self.assertEqual(self.ours.call("GET", "k"), b"v")
        self.redis.call("SELECT", 0)
        self.assertEqual(self.redis.call("DBSIZE"), 0)

    def test_times_of_fields(self):
        self.ours.call("HSET", "h", "a", 1, "b", 2)
        self.ours.call("HEXPIREAT", "h", 4102444800, "FIELDS", 1, "a")
        self.assertEqual(self.migrate("redis", "h", 0),
                         "ERR Target instance replied with error: ERR DUMP payload version or checksum are wrong")
        self.assertEqual(self.migrate("other", "h", 0), b"OK")
        self.assertEqual(self.other.call("HEXPIRETIME", "h", "FIELDS", 2, "a", "b"), [4102444800, -1])

    def test_a_field_that_expires_meanwhile(self):
        self.ours.call("HSET", "h", "a", 1, "b", 2)
        c, connection = self.begin(self.silent(), "h")
        read_until(connection, b"RESTORE")
        self.ours.call("EVAL", "return redis.call('hpexpire', 'h', 1, 'fields', 1, 'a')", 0)
        resp.wait_until(lambda: self.ours.call("HLEN", "h") == 1)
        connection.sendall(b"+OK\r\n")
        self.assertIn("was changed while it was moved", self.end(c))  # by the script
        self.assertEqual(self.ours.call("HGETALL", "h"), [b"b", b"2"])

    # ---- options ----

    def test_copy_and_replace(self):
        self.ours.call("SET", "k", "ours")
        self.assertEqual(self.migrate("redis", "k", 0, "COPY"), b"OK")
        self.assertEqual(self.ours.call("GET", "k"), b"ours")
        self.redis.call("SET", "k", "theirs")
        busy = "ERR Target instance replied with error: BUSYKEY Target key name already exists."
        self.assertEqual(self.migrate("redis", "k", 0), busy)
        self.assertEqual(self.migrate("redis", "k", 0, "COPY"), busy)
        self.assertEqual((self.ours.call("GET", "k"), self.redis.call("GET", "k")), (b"ours", b"theirs"))
        self.assertEqual(self.migrate("redis", "k", 0, "COPY", "REPLACE"), b"OK")
        self.assertEqual((self.ours.call("GET", "k"), self.redis.call("GET", "k")), (b"ours", b"ours"))
        self.assertEqual(self.migrate("redis", "k", 0, "REPLACE"), b"OK")
        self.assertIsNone(self.ours.call("GET", "k"))

    def test_several_keys_of_which_one_is_refused(self):
        for target in ("redis", "other"):
            self.ours.call("MSET", "a", 1, "b", 2, "c", 3)
            self.clients[target].call("SET", "b", "busy")
            self.assertEqual(self.migrate(target, "", 0, "KEYS", "none", "a", "b", "a", "c"),
                             "ERR Target instance replied with error: BUSYKEY Target key name already exists.")
            self.assertEqual(self.ours.call("KEYS", "*"), [b"b"])
            self.assertEqual(self.clients[target].call("MGET", "a", "b", "c"), [b"1", b"busy", b"3"])
            self.ours.call("FLUSHALL")
            self.assertEqual(self.migrate(target, "", 0, "KEYS", "none", "neither"), b"NOKEY")
            self.assertEqual(self.migrate(target, "none", 0), b"NOKEY")

    def test_passwords(self):
        self.redis.call("ACL", "SETUSER", "mover", "on", ">secret", "~*", "+@all")
        self.redis.call("CONFIG", "SET", "requirepass", "pass")
        for words, want in (((), "NOAUTH Authentication required."), (("AUTH", "wrong"), "WRONGPASS"),
                            (("AUTH2", "mover", "wrong"), "WRONGPASS")):
            self.ours.call("SET", "k", "v")
            self.assertIn("ERR Target instance replied with error: " + want, self.migrate("redis", "k", 0, *words))
            self.assertEqual(self.ours.call("GET", "k"), b"v")
        self.assertEqual(self.migrate("redis", "k", 0, "AUTH", "pass"), b"OK")
        self.ours.call("SET", "k", "v")
        self.assertEqual(self.migrate("redis", "k", 0, "REPLACE", "AUTH2", "mover", "secret"), b"OK")
        self.redis.pipeline([("AUTH", "pass"), ("CONFIG", "SET", "requirepass", "")])

    def test_passwords_are_not_shown(self):
        with self.servers["ours"].client() as c:
            c.call("CONFIG", "SET", "slowlog-log-slower-than", 0)
            c.call("SLOWLOG", "RESET")
            c.call("SET", "k", "v")
            port = self.servers["other"].port
            c.pipeline([("MIGRATE", "127.0.0.1", port, "k", 0, LONG_MS, "AUTH", "secret", "COPY"),
                        ("MIGRATE", "127.0.0.1", port, "k", 0, LONG_MS, "AUTH2", "u", "secret", "COPY")])
            logged = [e[3] for e in c.call("SLOWLOG", "GET", -1) if e[3][0] == b"MIGRATE"]
            c.call("CONFIG", "SET", "slowlog-log-slower-than", 10000)
        self.assertEqual([w[6:] for w in logged], [[b"AUTH2", b"(redacted)", b"(redacted)", b"COPY"],
                                                   [b"AUTH", b"(redacted)", b"COPY"]])

    def test_errors_are_those_of_redis(self):
        refused = resp.free_port()
        for line in ("k 0 1000 foo", "k 0 1000 KEYS k", "k 0 1000 AUTH", "k 0 1000 AUTH2 x", "k 0 x", "k x 1", "k 0", "none 0 1",
                     "(empty) 0 1000 KEYS", "(empty) 0 1000 COPY KEYS none", "k 0 1000", "k 0 -5", "k 0 1000 COPY AUTH p"):
            words = ["" if w == "(empty)" else w for w in line.split()]
            with self.subTest(line):
                replies = []
                for c in (self.ours, self.redis):
                    c.call("SET", "k", "v")
                    replies += c.pipeline([("MIGRATE", "127.0.0.1", refused, *words)])
                self.assertEqual(replies[0], replies[1])
        for c in (self.ours, self.redis):
            (reply,) = c.pipeline([("MIGRATE", "no.such.host.invalid", refused, "k", 0, LONG_MS)])
            self.assertEqual(str(reply), "IOERR error or timeout connecting to the client")

    def test_keys_of_a_call(self):
        for line in ("h p k 0 1", "h p k 0 1 COPY", "h p (empty) 0 1 KEYS a b", "h p (empty) 0 1 AUTH KEYS KEYS a b", "h p k 0 1 KEYS a",
                     "h p (empty) 0 1 AUTH2 a KEYS COPY KEYS a"):
            words = ["" if w == "(empty)" else w for w in line.split()]
            for sub in ("GETKEYS", "GETKEYSANDFLAGS"):
                ours, theirs = (c.pipeline([("COMMAND", sub, "MIGRATE", *words)])[0] for c in (self.ours, self.redis))
                self.assertEqual(ours, theirs, line)

    def test_not_where_it_cannot_wait(self):
        port = self.servers["other"].port
        self.ours.call("SET", "k", "v")
        replies = self.ours.pipeline([("MULTI",), ("MIGRATE", "127.0.0.1", port, "k", 0, LONG_MS), ("EXEC",)])
        self.assertIn("not possible within a transaction", str(replies[2][0]))
        (reply,) = self.ours.pipeline([("EVAL", "return redis.call('migrate', '127.0.0.1', ARGV[1], KEYS[1], 0, 60000)", 1, "k", port)])
        self.assertIn("not possible within a transaction", str(reply))
        self.assertEqual(self.ours.call("GET", "k"), b"v")
        self.assertEqual(self.other.call("DBSIZE"), 0)

    # ---- what else hears of it ----

    def test_events_and_watches(self):
        with self.servers["ours"].client() as listener, self.servers["ours"].client() as watcher:
            self.ours.call("CONFIG", "SET", "notify-keyspace-events", "KEA")
            self.ours.call("MSET", "a", 1, "b", 2)
            listener.call("PSUBSCRIBE", "__keyevent@0__:*")
            watcher.call("WATCH", "b")
            dirty = self.dirty()
            self.assertEqual(self.migrate("other", "", 0, "KEYS", "a", "b"), b"OK")
            self.assertEqual([listener.read()[2:] for _ in range(2)], [[b"__keyevent@0__:del", b"a"], [b"__keyevent@0__:del", b"b"]])
            self.assertEqual(self.dirty() - dirty, 2)
            self.assertIsNone(watcher.pipeline([("MULTI",), ("PING",), ("EXEC",)])[2])
            self.ours.call("CONFIG", "SET", "notify-keyspace-events", "")

    def dirty(self):
        for line in self.ours.call("INFO", "persistence").decode().split("\r\n"):
            if line.startswith("rdb_changes_since_last_save:"):
                return int(line.split(":")[1])
        raise AssertionError("no count of changes")

    # ---- a target that takes long ----

    def begin(self, target, *words, timeout=LONG_MS):
        """A client that waits for its MIGRATE, and the target's end; SELECT is answered there."""
        c, connection = self.begin_unanswered(target, *words, timeout=timeout)
        self.assertEqual(read_until(connection, b"0\r\n"), b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n")
        connection.sendall(b"+OK\r\n")
        return c, connection

    def begin_unanswered(self, target, *words, timeout):
        c = self.servers["ours"].client()
        self.addCleanup(c.close)
        c.send("MIGRATE", "127.0.0.1", target.port, words[0], 0, timeout, *words[1:])
        connection = target.accept()
        self.addCleanup(connection.close)
        return c, connection

    def silent(self):
        target = Silent()
        self.addCleanup(target.close)
        return target

    def end(self, client):
        reply = client.read()
        return str(reply) if isinstance(reply, resp.RespError) else reply

    def test_others_are_served_while_the_target_is_silent(self):
        self.ours.call("SET", "k", "v")
        c, connection = self.begin(self.silent(), "k")
        read_until(connection, b"RESTORE")
        self.assertEqual(self.ours.pipeline([("PING",), ("SET", "x", 1), ("GET", "k"), ("INCR", "x"), ("DUMP", "k")])[:4],
                         [b"PONG", b"OK", b"v", 2])
        self.assertIn("blocked_clients:1\r\n", self.ours.call("INFO", "clients").decode())
        connection.sendall(b"+OK\r\n")
        self.assertEqual(self.end(c), b"OK")
        self.assertEqual(self.ours.call("EXISTS", "k"), 0)

    def test_a_target_that_never_answers(self):
        self.ours.call("SET", "k", "v")
        c, _ = self.begin_unanswered(self.silent(), "k", timeout=50)
        self.assertEqual(self.end(c), "IOERR error or timeout reading from target instance")
        self.assertEqual(self.ours.call("GET", "k"), b"v")
        self.assertEqual(self.ours.call("SET", "k", "w"), b"OK")

    def test_a_target_that_takes_nothing(self):
        self.ours.call("SET", "k", os.urandom(30000000))
        c, _ = self.begin(self.silent(), "k", timeout=3000)  # SELECT has to be answered in that
        self.assertEqual(self.end(c), "IOERR error or timeout writing to target instance")
        self.assertEqual(self.ours.call("STRLEN", "k"), 30000000)

    def test_a_target_that_dies_in_the_middle(self):
        self.ours.call("MSET", "a", 1, "b", 2, "c", 3)
        c, connection = self.begin(self.silent(), "", "KEYS", "a", "b", "c")
        read_until(connection, b"$1\r\nc\r\n")
        connection.sendall(b"+OK\r\n-ERR no\r\n+O")
        connection.close()
        self.assertEqual(self.end(c), "ERR Target instance replied with error: ERR no")
        self.assertEqual(sorted(self.ours.call("KEYS", "*")), [b"b", b"c"])  # a was taken
        c, connection = self.begin(self.silent(), "", "KEYS", "b", "c")
        read_until(connection, b"$1\r\nc\r\n")
        connection.sendall(b"+OK\r\n")
        connection.close()
        self.assertEqual(self.end(c), "IOERR error or timeout reading from target instance")
        self.assertEqual(self.ours.call("KEYS", "*"), [b"c"])

    def test_a_target_that_is_no_server_of_this_kind(self):
        for said in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+OK\r\n:1\r\n", b"+OK\r\n+OKAY\r\n", b"+OK\r\n" + b"x" * 100000 + b"\n",
                     b"\n\n\n", b"+OK\r\n$2\r\nOK\r\n", b"+OK\r\n+PONG\r\n"):
            self.ours.call("SET", "k", "v")
            c, connection = self.begin_unanswered(self.silent(), "k", timeout=LONG_MS)
            connection.sendall(said)
            self.assertIn("ERR Target instance replied with something else than OK or an error: ", self.end(c))
            self.assertEqual(self.ours.call("GET", "k"), b"v")

    # ---- writes beside it ----

    def test_a_write_waits_and_is_not_lost(self):
        self.ours.call("MSET", "k", "v", "free", 1)
        c, connection = self.begin(self.silent(), "k")
        read_until(connection, b"RESTORE")
        lines = [("APPEND", "k", "+"), ("EVAL", "return redis.call('append', KEYS[1], '+')", 1, "k"), ("RENAME", "free", "k")]
        writers = [self.servers["ours"].client() for _ in range(len(lines) + 1)]
        for w, line in zip(writers, lines):
            self.addCleanup(w.close)
            w.send(*line)
        writers[-1].send_raw(resp.pack("MULTI") + resp.pack("INCR", "n") + resp.pack("APPEND", "k", "+") + resp.pack("EXEC"))
        self.addCleanup(writers[-1].close)
        self.assertEqual([writers[-1].read() for _ in range(3)], [b"OK", b"QUEUED", b"QUEUED"])
        self.assertEqual(self.ours.pipeline([("GET", "k"), ("GET", "n"), ("GET", "free")]), [b"v", None, b"1"])
        flusher = self.servers["ours"].client()
        self.addCleanup(flusher.close)
        connection.sendall(b"+OK\r\n")
        self.assertEqual(self.end(c), b"OK")
        replies = [writers[0].read(), writers[1].read(), writers[2].read(), writers[3].read()]
        self.assertEqual(replies, [1, 2, b"OK", [1, 2]])  # as if each had come after MIGRATE
        self.assertEqual(self.ours.call("GET", "k"), b"1+")

    def test_databases_are_not_emptied_or_exchanged_meanwhile(self):
        self.ours.call("SET", "k", "v")
        c, connection = self.begin(self.silent(), "k")
        read_until(connection, b"RESTORE")
        others = []
        for line in (("FLUSHALL",), ("SWAPDB", 0, 1), ("FLUSHDB",)):
            others.append(self.servers["ours"].client())
            self.addCleanup(others[-1].close)
            others[-1].send(*line)
        self.assertEqual(self.ours.call("GET", "k"), b"v")
        connection.sendall(b"-ERR no\r\n")
        self.assertIn("ERR no", self.end(c))
        self.assertEqual([o.read() for o in others], [b"OK"] * 3)
        self.assertEqual(self.ours.call("DBSIZE"), 0)

    def test_a_script_that_does_not_name_the_key(self):
        self.ours.call("SET", "k", "v")
        c, connection = self.begin(self.silent(), "k")
        read_until(connection, b"RESTORE")
        self.assertEqual(self.ours.call("EVAL", "return redis.call('append', 'k', '+')", 0), 2)
        connection.sendall(b"+OK\r\n")
        self.assertIn("ERR Key 'k' was changed while it was moved", self.end(c))
        self.assertEqual(self.ours.call("GET", "k"), b"v+")
        c, connection = self.begin(self.silent(), "k")
        read_until(connection, b"RESTORE")
        self.assertEqual(self.ours.call("EVAL", "return redis.call('del', 'k')", 0), 1)
        connection.sendall(b"+OK\r\n")
        self.assertEqual(self.end(c), b"OK")

    def test_a_key_that_expires_meanwhile(self):
        self.ours.call("SET", "k", "v")
        c, connection = self.begin(self.silent(), "k")
        read_until(connection, b"RESTORE")
        self.assertEqual(self.ours.call("EVAL", "return redis.call('pexpire', 'k', 1)", 0), 1)
        resp.wait_until(lambda: self.ours.call("EXISTS", "k") == 0)
        connection.sendall(b"+OK\r\n")
        self.assertEqual(self.end(c), b"OK")

    def test_the_same_key_twice_at_a_time(self):
        self.ours.call("SET", "k", "v")
        target = self.silent()
        c, connection = self.begin(target, "k")
        read_until(connection, b"RESTORE")
        second = self.servers["ours"].client()
        self.addCleanup(second.close)
        second.send("MIGRATE", "127.0.0.1", target.port, "k", 0, LONG_MS)
        self.assertEqual(self.ours.call("GET", "k"), b"v")
        connection.sendall(b"+OK\r\n")
        self.assertEqual(self.end(c), b"OK")
        self.assertEqual(self.end(second), b"NOKEY")

    def test_a_pause_is_waited_for(self):
        self.ours.call("SET", "k", "v")
        c, connection = self.begin(self.silent(), "k")
        read_until(connection, b"RESTORE")
        self.ours.call("CLIENT", "PAUSE", 600000, "WRITE")
        connection.sendall(b"+OK\r\n")
        self.assertEqual(connection.recv(1), b"")  # it has read that
        self.assertEqual(self.ours.call("GET", "k"), b"v")
        self.ours.call("CLIENT", "UNPAUSE")
        self.assertEqual(self.end(c), b"OK")
        self.assertEqual(self.ours.call("EXISTS", "k"), 0)

    def test_who_waits_for_a_pause_does_not_wait_for_the_target(self):
        self.ours.call("SET", "k", "v")
        c, connection = self.begin(self.silent(), "k")
        read_until(connection, b"RESTORE")
        with self.servers["ours"].client() as writer, self.servers["ours"].client() as other:
            writer.send("SET", "k", "w")
            for kind, command in (("ALL", ("GET", "k")), ("WRITE", ("SET", "other", 1))):
                self.ours.call("CLIENT", "PAUSE", 100, kind)
                self.assertIn(other.call(*command), (b"v", b"OK"))  # or never, as LONG_MS is
            self.assertEqual(self.ours.call("GET", "k"), b"v")  # the writer waits on
            connection.sendall(b"+OK\r\n")
            self.assertEqual(self.end(c), b"OK")
            self.assertEqual(writer.read(), b"OK")
        self.assertEqual(self.ours.call("GET", "k"), b"w")

    def test_a_client_that_goes(self):
        self.ours.call("SET", "k", "v")
        c, connection = self.begin(self.silent(), "k")
        read_until(connection, b"RESTORE")
        c.close()
        resp.wait_until(lambda: self.ours.call("CLIENT", "LIST").count(b"cmd=migrate") == 0)
        self.assertEqual(self.ours.call("GET", "k"), b"v")
        connection.sendall(b"+OK\r\n")
        resp.wait_until(lambda: self.ours.call("EXISTS", "k") == 0)
        self.ours.call("SET", "k", "w")
        c, connection = self.begin(self.silent(), "k")
        read_until(connection, b"RESTORE")
        connection.close()
        self.assertIn("IOERR", self.end(c))
        self.assertEqual(self.ours.call("GET", "k"), b"w")

    def test_a_client_that_is_unblocked(self):
        self.ours.call("SET", "k", "v")
        c, connection = self.begin(self.silent(), "k")
        read_until(connection, b"RESTORE")
        number = [line.split(b" ")[0][3:] for line in self.ours.call("CLIENT", "LIST").split(b"\n") if b"cmd=migrate" in line][0]
        self.assertEqual(self.ours.call("CLIENT", "UNBLOCK", number, "ERROR"), 1)
        self.assertEqual(self.end(c), "UNBLOCKED client unblocked via CLIENT UNBLOCK")
        connection.sendall(b"-ERR no\r\n")
        self.assertEqual(self.ours.pipeline([("SET", "k", "w")]), [b"OK"])

    # ---- large values, which are dumped in slices ----

    def large_hash(self, fields=100000):
        self.ours.pipeline([("HSET", "large", *[w for i in range(n, n + 1000) for w in ("field%d" % i, "value%d" % i)])
                            for n in range(0, fields, 1000)])

    def test_large_values(self):
        self.large_hash()
        self.ours.pipeline([("RPUSH", "list", *["element%d" % i for i in range(n, n + 1000)]) for n in range(0, 50000, 1000)])
        self.ours.call("SET", "string", os.urandom(3000000) + b"a" * 3000000)
        keys = ["large", "list", "string"]
        want = self.digests(self.ours, keys)
        waiting = self.servers["ours"].client()
        self.addCleanup(waiting.close)
        waiting.send("MIGRATE", "127.0.0.1", self.servers["other"].port, "", 0, LONG_MS, "KEYS", *keys)
        resp.wait_until(self.no_save_runs)
        self.assertEqual(self.ours.call("BGSAVE"), b"Background saving started")
        self.assertEqual(self.end(waiting), b"OK")
        self.assertEqual(self.digests(self.other, keys), want)
        self.assertEqual(self.ours.call("DBSIZE"), 0)
        resp.wait_until(self.no_save_runs)
        self.assertEqual(self.migrate("ours", "", 0, "KEYS", *keys, source="other"), b"OK")
        self.assertEqual(self.digests(self.ours, keys), want)

    def test_a_large_value_that_scripts_change_although_they_do_not_name_it(self):
        self.large_hash()
        waiting = self.servers["ours"].client()
        self.addCleanup(waiting.close)
        waiting.send("MIGRATE", "127.0.0.1", self.servers["other"].port, "large", 0, LONG_MS)
        for i in range(30):
            self.ours.call("EVAL", "return redis.call('hset', 'large', ARGV[1], 1)", 0, "new%d" % i)
        reply = self.end(waiting)
        there = self.other.call("HMGET", "large", *["new%d" % i for i in range(30)])
        here = self.ours.call("HMGET", "large", *["new%d" % i for i in range(30)])
        self.assertEqual([a or b for a, b in zip(there, here)], [b"1"] * 30, reply)
        if reply == b"OK":
            self.assertEqual(self.other.call("HLEN", "large") + self.ours.call("HLEN", "large"), 100030)
        else:
            self.assertIn("was changed while it was moved", reply)
            self.assertEqual(self.ours.call("HLEN", "large"), 100030)

    def test_a_large_value_that_goes_while_it_is_dumped(self):
        for line in ("return redis.call('del', 'large')", "return redis.call('flushall')", "return redis.call('expire', 'large', -1)"):
            self.large_hash(30000)
            c, connection = self.begin(self.silent(), "large")
            self.ours.call("EVAL", line, 0)
            self.ours.call("SET", "other", "x" * 100000)
            if connection.recv(1 << 16):  # else it went before a byte was sent
                connection.sendall(b"+OK\r\n")
            self.assertEqual(self.end(c), b"OK")
            self.ours.call("FLUSHALL")

    def test_a_client_that_goes_while_a_large_value_is_dumped(self):
        self.large_hash()
        target = self.silent()
        c, connection = self.begin_unanswered(target, "large", timeout=LONG_MS)
        c.close()
        self.assertEqual(read_until(connection, b"0\r\n")[:4], b"*2\r\n")
        self.assertEqual(connection.recv(1), b"")  # nobody is there any more who wants it
        self.assertEqual(self.ours.call("HSET", "large", "new", 1), 1)

    def test_saves_and_writers_beside_it(self):
        """Counters are moved while clients add to them and saves run: nothing is lost."""
        stop, added, errors = threading.Event(), {}, []

        def add(number):
            with self.servers["ours"].client() as c, self.servers["redis"].client() as t:
                n = 0
                while not stop.is_set() and not errors:
                    key = "n%d" % (n % 20)
                    try:
                        (t if n % 7 == 0 else c).call("INCRBY", key, number)
                        n += 1
                    except (resp.RespError, OSError, EOFError) as e:
                        errors.append(e)
                added[number] = n * number

        threads = [threading.Thread(target=add, args=(number,)) for number in (1, 1000)]
        for t in threads:
            t.start()
        keys = ["n%d" % i for i in range(20)]
        total = 0
        try:
            for turn in range(60):
                if turn % 20 == 5:
                    resp.wait_until(self.no_save_runs)
                    self.ours.call("BGSAVE")
                for key in keys if turn % 2 else [""]:
                    reply = self.migrate("redis", key, 1, *(["REPLACE"] if key else ["REPLACE", "KEYS"] + keys))
                    self.assertIn(reply, (b"OK", b"NOKEY"))
                    if key:
                        total += self.take(key, 1)
                    else:
                        total += sum(self.take(k, 1) for k in keys)
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(errors, [])
        resp.wait_until(self.no_save_runs)
        left = sum(int(c.call("GET", k) or 0) for k in keys for c in (self.ours, self.redis))
        self.assertEqual(left + total, sum(added.values()))
        self.assertIn(b"rdb_last_bgsave_status:ok", self.ours.call("INFO", "persistence"))

    def no_save_runs(self):
        return b"rdb_bgsave_in_progress:0" in self.ours.call("INFO", "persistence")

    def take(self, key, db):
        """What the target has in the other database, taken out of it."""
        with self.servers["redis"].client() as t:
            t.call("SELECT", db)
            return int(t.call("GETDEL", key) or 0)


@unittest.skipIf(os.environ.get("STILLFRAME_FLAVOUR", "release") in ("asan", "tsan"), "no preload beside a sanitizer")
class SlowNames(unittest.TestCase):
    """The target's name is looked up by a thread, which nobody can stop: for as long as a file is
    there (hold_preload.c)."""
    AT_ONCE = 16

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="migrate-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.held = os.path.join(self.dir, "held")
        preload = os.path.join(resp.ROOT, "build", "tests", "integration", "hold_preload.so")
        self.target = resp.start_stillframe(self.dir, "--save", "")
        self.addCleanup(self.target.kill)
        self.server = resp.start_stillframe(self.dir, "--save", "", under=("env", "LD_PRELOAD=" + preload, "HOLD_NAMES=" + self.held))
        self.addCleanup(self.server.kill)
        self.c = self.server.client()
        self.addCleanup(self.c.close)

    def hold(self):
        with open(self.held, "w"):
            pass

    def words(self, timeout_ms, key="k"):
        return "MIGRATE", "localhost", self.target.port, key, 0, timeout_ms

    def threads(self):
        return len(os.listdir("/proc/%d/task" % self.server.pid))

    def test_who_waits_for_one_is_told_in_time_and_may_go(self):
        self.c.call("SET", "k", "v")
        before = self.threads()
        self.hold()
        with self.assertRaisesRegex(resp.RespError, "^IOERR error or timeout connecting to the client"):
            self.c.call(*self.words(100))
        crowd = [self.server.client() for _ in range(self.AT_ONCE - 1)]
        for i, c in enumerate(crowd):
            self.c.call("SET", "k%d" % i, i)
            c.send(*self.words(LONG_MS, "k%d" % i))
        resp.wait_until(lambda: self.threads() == before + self.AT_ONCE, what="their threads")
        with self.assertRaisesRegex(resp.RespError, "^IOERR"):
            self.c.call(*self.words(LONG_MS))  # more names are not looked up at once
        for c in crowd[1:]:
            c.close()
        resp.wait_until(lambda: b"blocked_clients:1\r" in self.c.call("INFO", "clients"), what="the others' end")
        self.assertEqual(self.c.call("GET", "k"), b"v")
        os.unlink(self.held)
        self.assertEqual(crowd[0].read(), b"OK")
        resp.wait_until(lambda: self.threads() == before, what="the end of the threads")
        with self.target.client() as t:
            self.assertEqual(t.call("KEYS", "*"), [b"k0"])
        self.assertEqual(self.c.call("DBSIZE"), self.AT_ONCE - 1)
        self.assertEqual(self.c.call(*self.words(LONG_MS)), b"OK")

    def test_an_end_of_the_server_does_not_wait_for_one(self):
        self.c.call("SET", "k", "v")
        self.hold()
        with self.server.client() as c:
            c.send(*self.words(LONG_MS))
            resp.wait_until(lambda: b"blocked_clients:1\r" in self.c.call("INFO", "clients"), what="its wait")
            self.c.send("SHUTDOWN", "NOSAVE")
            self.assertEqual(self.server.wait(20), 0)


if __name__ == "__main__":
    unittest.main()
