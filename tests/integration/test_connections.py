#!/usr/bin/env python3
"""Several connections at once: publish and subscribe, MONITOR, WATCH, keyspace events, CLIENT,
blocked clients.

Each scenario is a list of what its connections are told; it has to be the same here and on
redis-server.
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
from test_replies import FILES, commands  # noqa: E402


def told(client, *command):
    """The reply, an error as its text."""
    try:
        return client.call(*command)
    except resp.RespError as error:
        return "error: %s" % error


def is_open(client):
    try:
        client.call("PING")
        return True
    except (EOFError, ConnectionError):
        return False


class Connections(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.servers = []
        for name, start in (("a", resp.start_stillframe), ("b", resp.start_redis_server)):
            directory = os.path.join(self.dir, name)
            os.mkdir(directory)
            server = start(directory, "--save", "", "--enable-debug-command", "yes", "--unixsocket",
                           os.path.join(directory, "sock"))
            self.addCleanup(server.kill)
            self.servers.append(server)

    def same(self, scenario):
        ours, theirs = (scenario(server) for server in self.servers)
        self.assertEqual(ours, theirs)
        return ours

    def test_subscribers_in_resp2_get_messages_and_may_say_little_else(self):
        def scenario(server):
            c, d = server.client(), server.client()
            out = []
            c.send("SUBSCRIBE", "a", "b", "a")
            out += [c.read() for _ in range(3)]
            c.send("PSUBSCRIBE", "a*", "*")
            out += [c.read() for _ in range(2)]
            out.append(d.call("PUBLISH", "a", "x"))
            out += sorted([c.read() for _ in range(3)], key=repr)
            out.append(d.call("PUBSUB", "NUMSUB", "a", "b", "c"))
            out.append(sorted(d.call("PUBSUB", "CHANNELS")))
            out.append(d.call("PUBSUB", "NUMPAT"))
            for words in (["GET", "a"], ["PING"], ["PING", "x"], ["SSUBSCRIBE", "s"], ["SUNSUBSCRIBE"],
                          ["UNSUBSCRIBE", "zz"], ["PUNSUBSCRIBE", "*"], ["PUNSUBSCRIBE"], ["UNSUBSCRIBE", "a"],
                          ["UNSUBSCRIBE"], ["UNSUBSCRIBE"], ["GET", "a"], ["RESET"], ["PING"]):
                out.append(told(c, *words))
            out.append(d.call("PUBSUB", "CHANNELS"))
            return out
        self.same(scenario)

    def test_messages_to_oneself_follow_the_reply_in_resp3(self):
        # Redis 7.2 sends them after the reply; 7.0 before it.
        c = self.servers[0].client()
        c.call("HELLO", "3")
        c.send("SUBSCRIBE", "a")
        self.assertEqual(c.read(), [b"subscribe", b"a", 1])
        for words in (["PUBLISH", "a", "1"], ["MULTI"], ["PUBLISH", "a", "2"], ["EXEC"]):
            c.send(*words)
        self.assertEqual([c.read() for _ in range(6)],
                         [1, [b"message", b"a", b"1"], b"OK", b"QUEUED", [1], [b"message", b"a", b"2"]])

    def test_shard_channels_are_a_world_of_their_own(self):
        def scenario(server):
            c, d = server.client(), server.client()
            c.send("SSUBSCRIBE", "x", "y")
            out = [c.read(), c.read(), d.call("PUBLISH", "x", "no"), d.call("SPUBLISH", "x", "yes"), c.read()]
            out += [sorted(d.call("PUBSUB", "SHARDCHANNELS")), d.call("PUBSUB", "SHARDNUMSUB", "x", "z")]
            return out
        self.same(scenario)

    def test_a_subscriber_that_leaves_is_forgotten(self):
        server = self.servers[0]
        d = server.client()
        for kind in ("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"):
            clients = [server.client() for _ in range(20)]
            for i, c in enumerate(clients):
                c.send(kind, "all", "own:%d" % i)
                c.read()
                c.read()
            for c in clients[::2]:
                c.close()
            publish = "SPUBLISH" if kind == "SSUBSCRIBE" else "PUBLISH"
            resp.wait_until(lambda p=publish: d.call(p, "all", "x") == 10, what="the end of half of them")
            for c in clients[1::2]:
                c.close()
            resp.wait_until(lambda p=publish: d.call(p, "all", "x") == 0, what="the end of all")
        self.assertEqual(d.call("PUBSUB", "CHANNELS"), [])
        self.assertEqual(d.call("PUBSUB", "NUMPAT"), 0)

    def test_monitors_are_shown_what_redis_shows_them(self):
        def scenario(server):
            c, d = server.client(), server.client()
            out = [c.call("MONITOR")]
            for words in (["SET", "a", b'x\r\n"\x01'], ["AUTH", "foo"], ["CONFIG", "GET", "port"],
                          ["CLIENT", "SETNAME", "q"], ["CLIENT", "LIST"], ["MULTI"], ["SET", "a", "1"], ["EXEC"], ["FOO"],
                          ["GET"], ["HELLO", "2", "AUTH", "default", "x"], ["HSET", "a", "b", "c"], ["EXISTS", "a"],
                          ["PING"]):
                told(d, *words)
            while b'"PING"' not in out[-1]:
                out.append(re.sub(rb"^\d+\.\d{6} \[(\d+) [\d.]+:\d+\]", rb"[\1]", c.read()))
            return out
        self.same(scenario)

    def test_watched_keys_break_transactions_by_redis_rules(self):
        def scenario(server):
            c, d = server.client(), server.client()
            out = []

            def transaction(*between):
                c.call("WATCH", "k")
                for words in between:
                    d.call(*words)
                c.call("MULTI")
                c.call("PING")
                out.append(c.call("EXEC"))

            def expiring():
                d.call("SET", "k", "1", "PX", "1")
                time.sleep(0.01)

            transaction()
            transaction(["SET", "k", "1"])
            transaction(["DEL", "k"])
            transaction(["DEL", "k"])
            transaction(["FLUSHALL"])
            for words in (["FLUSHALL"], ["SWAPDB", "0", "1"]):
                d.call("SET", "k", "1")
                transaction(words)
            transaction(["SWAPDB", "0", "1"])
            transaction(["SWAPDB", "2", "1"])
            d.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
            d.call("SET", "k", "1", "PX", "30")
            transaction(["DEBUG", "SLEEP", "0.05"])
            for words in (["GET", "k"], ["SET", "k", "2"], ["FLUSHDB"]):
                expiring()
                transaction(words)
            d.call("DEBUG", "SET-ACTIVE-EXPIRE", "1")
            d.call("SET", "k", "1")
            for words in (["EXPIRE", "k", "100"], ["PERSIST", "k"], ["HSET", "h", "a", "b"], ["RENAME", "h", "k"],
                          ["COPY", "k", "k2"], ["UNLINK", "k"]):
                transaction(words)
            c.call("WATCH", "k")
            d.call("SET", "k", "1")
            c.call("UNWATCH")
            c.call("MULTI")
            out.append(c.call("EXEC"))
            return out
        self.same(scenario)

    def test_keyspace_events_come_in_redis_order(self):
        def scenario(server):
            c, d = server.client(), server.client()
            c.call("CONFIG", "SET", "notify-keyspace-events", "KEAm")
            c.send("PSUBSCRIBE", "__key*")
            c.read()
            for path in FILES:
                if not path.endswith("strings.txt"):
                    continue
                for words, *_ in commands(path):
                    told(d, *words)
            for words in (["HSET", "H", "a", "1"], ["HINCRBY", "H", "a", "1"], ["HDEL", "H", "a"],
                          ["SET", "E", "1", "PX", "1"], ["DEBUG", "SLEEP", "0.01"], ["GET", "E"], ["APPEND", "A", "x"],
                          ["SETRANGE", "A", "5", "x"], ["RENAME", "A", "B"], ["MOVE", "B", "5"], ["SELECT", "5"],
                          ["COPY", "B", "C"], ["DEL", "B", "C", "D"]):
                told(d, *words)
            d.call("PUBLISH", "__key_end", "1")
            out = []
            while not out or out[-1][0] != b"__key_end":
                out.append(tuple(c.read()[2:]))
            return out
        self.assertGreater(len(self.same(scenario)), 100)

    def test_clients_are_killed_unblocked_muted_and_paused(self):
        def scenario(server):
            c, d = server.client(), server.client()
            out = [c.call("CLIENT", "KILL", "ID", d.call("CLIENT", "ID")), is_open(d)]
            out += [c.call("CLIENT", "KILL", "ID", c.call("CLIENT", "ID"), "SKIPME", "no"), is_open(c)]
            c, d = server.client(), server.client()
            own = c.call("CLIENT", "ID")
            c.send("WAIT", "1", "0")
            resp.wait_until(lambda: b"flags=b" in d.call("CLIENT", "LIST", "ID", own), what="the block")
            out += [d.call("CLIENT", "UNBLOCK", own, "ERROR"), str(c.read()), d.call("CLIENT", "UNBLOCK", own)]
            c.send("WAIT", "1", "0")
            c.send("PING")
            resp.wait_until(lambda: d.call("CLIENT", "UNBLOCK", own) == 1, what="the block")
            out += [c.read(), c.read(), c.call("WAIT", "1", "20")]
            for words in (["CLIENT", "REPLY", "OFF"], ["PING"], ["CLIENT", "REPLY", "ON"]):
                c.send(*words)
            out.append(c.read())
            for words in (["CLIENT", "REPLY", "SKIP"], ["PING", "1"], ["PING", "2"]):
                c.send(*words)
            out.append(c.read())
            d.call("CLIENT", "PAUSE", "400", "WRITE")
            begin = time.monotonic()
            c.call("GET", "a")
            out.append(time.monotonic() - begin < 0.3)
            c.call("SET", "a", "1")
            out.append(time.monotonic() - begin > 0.35)
            d.call("CLIENT", "PAUSE", "10000", "WRITE")
            c.send("SET", "a", "2")
            d.call("CLIENT", "UNPAUSE")
            out.append(c.read())
            return out
        self.same(scenario)

    REPLY_WORDS = [["CLIENT", "REPLY", "ON"], ["CLIENT", "REPLY", "OFF"], ["CLIENT", "REPLY", "SKIP"]]
    OTHER_WORDS = [["ECHO", "1"], ["ECHO", "22"], ["ECHO", "333"], ["MULTI"], ["EXEC"], ["DISCARD"], ["SUBSCRIBE", "c"],
                   ["UNSUBSCRIBE", "c"], ["PUBLISH", "c", "m"], ["BLPOP", "nokey", "0.01"], ["WAIT", "1", "10"],
                   ["WAIT", "0", "10"], ["RPUSH", "l", "x"], ["BLPOP", "l", "0.01"], ["FOO"], ["GET"], ["RESET"],
                   ["LRANGE", "l", "0", "-1"], ["CLIENT", "REPLY", "FOO"], ["CLIENT", "ID", "x"]]

    def whole_answer(self, server, words):
        """What these commands in one packet are answered, up to a last ECHO, with replies on
        again."""
        packet = b"".join(resp.pack(*w) for w in words + [["RESET"], ["CLIENT", "REPLY", "ON"], ["ECHO", "the end"]])
        got = b""
        with server.client(timeout=10) as c:
            c.send_raw(packet)
            while not got.endswith(b"the end\r\n"):
                data = c.sock.recv(1 << 16)
                self.assertNotEqual(data, b"", words)
                got += data
        with server.client() as c:
            c.call("FLUSHALL")
        return got

    def test_replies_come_and_stay_away_as_in_redis(self):
        for words in ([["CLIENT", "REPLY", "SKIP"], ["CLIENT", "REPLY", "ON"], ["ECHO", "e"]],
                      [["CLIENT", "REPLY", "OFF"], ["MULTI"], ["ECHO", "1"], ["CLIENT", "REPLY", "ON"], ["ECHO", "2"], ["EXEC"]],
                      [["MULTI"], ["ECHO", "1"], ["CLIENT", "REPLY", "OFF"], ["ECHO", "2"], ["EXEC"]],
                      [["CLIENT", "REPLY", "OFF"], ["WAIT", "1", "10"]], [["CLIENT", "REPLY", "SKIP"], ["RESET"], ["ECHO", "1"]]):
            self.assertEqual(*(self.whole_answer(s, words) for s in self.servers), words)

    def test_random_commands_after_client_reply_answer_as_in_redis(self):
        seed = int(os.environ.get("REPLY_SEED", random.SystemRandom().randrange(1 << 32)))
        rng = random.Random(seed)
        for _ in range(150):
            words = [rng.choice(self.OTHER_WORDS if rng.random() < 0.5 else self.REPLY_WORDS)
                     for _ in range(rng.randrange(2, 9))]
            self.assertEqual(*(self.whole_answer(s, words) for s in self.servers), "REPLY_SEED=%d: %s" % (seed, words))

    def test_a_muted_client_hears_messages_and_nothing_else(self):
        def scenario(server):
            c, d = server.client(), server.client()
            for words in (["CLIENT", "REPLY", "OFF"], ["SUBSCRIBE", "c"], ["MONITOR"], ["PING"]):
                c.send(*words)
            out = [c.read()]
            d.call("SET", "a", "1")
            d.call("PUBLISH", "c", "m")
            out.append(c.read())
            for words in (["UNSUBSCRIBE"], ["*x"], ["PING"]):
                c.send(*words)
            out.append(c.read())
            c.send_raw(b"*x\r\n")
            if server is self.servers[0]:  # Redis forgets to close it
                with self.assertRaises(EOFError):
                    c.read()
            return out
        self.same(scenario)

    EXPIRING = [["SET", "s", "text"], ["RPUSH", "l", "a", "b"], ["SADD", "m", "a"], ["ZADD", "z", "1", "a"], ["HSET", "h", "f", "v"],
                ["PFADD", "p", "a"], ["XADD", "x", "1-1", "f", "v"], ["SETBIT", "b", "7", "1"]]
    READS = ["GET s", "STRLEN s", "MGET s b", "GETRANGE s 0 -1", "LCS s b", "LRANGE l 0 -1", "LLEN l", "LPOS l a", "SMEMBERS m",
             "SINTER m m", "SRANDMEMBER m", "SSCAN m 0", "ZRANGE z 0 -1", "ZSCORE z a", "ZUNION 1 z", "HGETALL h", "HSCAN h 0",
             "XRANGE x - +", "XREAD STREAMS x 0", "XINFO STREAM x", "GETBIT b 7", "BITCOUNT b", "BITFIELD_RO b GET u8 0",
             "EXISTS s l m", "TYPE s", "TTL s", "PEXPIRETIME s", "DUMP s", "OBJECT ENCODING s", "TOUCH s l", "SORT_RO l",
             "KEYS *", "SCAN 0 COUNT 1000", "SCAN 0 COUNT 1000 TYPE hash", "DBSIZE"]

    def test_a_pause_keeps_what_has_expired(self):
        def scenario(server):
            c, d, ear = server.client(), server.client(), server.client()
            d.call("CONFIG", "SET", "notify-keyspace-events", "KEA")
            for words in self.EXPIRING:
                d.call(*words)
                d.call("PEXPIRE", words[1], "5")
            ear.send("PSUBSCRIBE", "__key*")
            ear.read()
            d.call("CLIENT", "PAUSE", "100000", "WRITE")
            time.sleep(0.25)  # active expiry had its turns
            out = [told(c, *words.split()) for words in self.READS]
            if server is self.servers[0]:  # Redis 7.0 seeks for ever; later versions answer one of those
                self.assertIn(c.call("RANDOMKEY"), [words[1].encode() for words in self.EXPIRING])
            out += [c.call("DBSIZE"), re.findall(rb"expired_keys:\d+", c.call("INFO", "stats"))]
            d.call("CLIENT", "UNPAUSE")
            # It is made up for when the pause is over, with no command to remind it.
            out.append(sorted(ear.read()[2:] for _ in range(2 * len(self.EXPIRING))))
            out.append(c.call("DBSIZE"))
            return out
        self.same(scenario)

    def test_expiry_goes_on_when_a_pause_ends_by_itself(self):
        def scenario(server):
            c, ear = server.client(), server.client()
            c.call("CONFIG", "SET", "notify-keyspace-events", "Ex")
            ear.send("SUBSCRIBE", "__keyevent@0__:expired")
            ear.read()
            c.pipeline([["SET", "a", "1", "PX", "1"], ["CLIENT", "PAUSE", "150", "WRITE"]])
            return ear.read()
        self.same(scenario)

    def test_a_pause_holds_what_may_change_or_be_repeated(self):
        def scenario(server):
            d, out = server.client(), []
            d.call("PFADD", "p", "a", "b")
            d.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
            for batch in (["PFCOUNT p"], ["PFCOUNT p p"], ["PUBLISH c m"], ["SPUBLISH c m"], ["MULTI", "PFCOUNT p", "EXEC"],
                          ["MULTI", "GET a", "PUBLISH c m", "EXEC"], ["MULTI", "GET a", "EXEC"], ["GET a"], ["SET a b"],
                          ["XREADGROUP GROUP g c STREAMS x 0"], ["SORT l"], ["WAIT 0 0"]):
                c = server.client()
                d.call("CLIENT", "PAUSE", "100000", "WRITE")
                c.send_raw(b"".join(resp.pack(*words.split()) for words in batch))
                time.sleep(0.02)
                c.sock.settimeout(0.001)
                got = []
                try:
                    while len(got) < len(batch):
                        got.append(c.read())
                except TimeoutError:
                    pass
                out.append((batch, len(got), re.findall(rb"blocked_clients:\d+", d.call("INFO", "clients"))))
                d.call("CLIENT", "UNPAUSE")
                c.sock.settimeout(10)
                out.append([c.read() for _ in batch[len(got):]])
                c.close()
            return out
        self.same(scenario)

    def test_a_transaction_that_begins_a_pause_may_still_write_over_what_has_expired(self):
        c = self.servers[0].client()
        c.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        for name in ("a", "b"):
            c.call("SET", name, "old", "PX", "1")
        time.sleep(0.01)
        for words in (["MULTI"], ["CLIENT", "PAUSE", "100000", "WRITE"], ["GET", "a"], ["SET", "a", "new"], ["GETSET", "b", "new"],
                      ["GET", "a"], ["DBSIZE"]):
            c.call(*words)
        self.assertEqual(c.call("EXEC"), [b"OK", None, b"OK", None, b"new", 2])

    def test_objections_that_redis_7_2_has_and_7_0_has_not(self):
        with self.servers[0].client() as c:
            self.assertEqual(told(c, "CLIENT", "PAUSE", str(2**63 - 1)), "error: ERR timeout is out of range")
            self.assertEqual(c.call("PING"), b"PONG")
            # The name is looked at before the password; nothing is done before everything is known
            # to be good.
            self.assertEqual(told(c, "HELLO", "3", "AUTH", "default", "x", "SETNAME", "a b"),
                             "error: ERR Client names cannot contain spaces, newlines or special characters.")
            told(c, "HELLO", "3", "SETNAME", "name", "foo")
            self.assertIsNone(c.call("CLIENT", "GETNAME"))
            self.assertIn(b"resp=2", c.call("CLIENT", "INFO"))

    def test_a_blocked_client_that_goes_is_forgotten(self):
        server = self.servers[0]
        d = server.client()
        for _ in range(20):
            c = server.client()
            c.send("WAIT", "1", "60000")
            c.close()
        resp.wait_until(lambda: b"blocked_clients:0" in d.call("INFO", "clients") and
                        b"connected_clients:1\r" in d.call("INFO", "clients"), what="their end")

    def test_who_is_told_something_or_goes_on_is_not_idle(self):
        """The timeout would close it at once: what waits for long, and what reads a long reply."""
        def idle(admin, name):
            line = next(line for line in admin.call("CLIENT", "LIST").split(b"\n") if b" name=" + name in line)
            return int(re.search(rb" idle=(\d+)", line)[1])

        for server in self.servers:
            with server.client() as admin, server.client() as waiting, server.client() as slow:
                admin.call("SETRANGE", "big", 50000000, "x")
                waiting.call("CLIENT", "SETNAME", "waiting")
                slow.call("CLIENT", "SETNAME", "slow")
                waiting.send("BLPOP", "q", 0)
                slow.send("GET", "big")
                resp.wait_until(lambda: min(idle(admin, b"waiting"), idle(admin, b"slow")) >= 4, what="idle clients")
                begin = time.monotonic()
                admin.call("RPUSH", "q", "x")
                self.assertEqual(waiting.read(), [b"q", b"x"])
                for _ in range(1000):
                    self.assertNotEqual(slow.sock.recv(10000), b"")
                for name in (b"waiting", b"slow"):
                    self.assertLessEqual(idle(admin, name), time.monotonic() - begin + 2, server.command[0])
        with self.servers[0].client() as admin, self.servers[0].client() as c:  # which is told nothing
            c.call("CLIENT", "SETNAME", "mute")
            c.send_raw(b"CLIENT REPLY OFF\r\nBLPOP q 0\r\n" + b"INCR n\r\n" * 100000)
            resp.wait_until(lambda: idle(admin, b"mute") >= 4, what="an idle client")
            begin = time.monotonic()
            admin.call("RPUSH", "q", "x")
            resp.wait_until(lambda: admin.call("GET", "n") is not None, what="what it had sent")
            self.assertLessEqual(idle(admin, b"mute"), time.monotonic() - begin + 2)

    def test_the_unix_socket_is_one_more_door(self):
        def scenario(server):
            with resp.Client(path=os.path.join(server.dir, "sock")) as c:
                line = c.call("CLIENT", "INFO").decode()
                return [c.call("SET", "a", "1"), "flags=U" in line, re.sub(r".*(addr=\S+?)/[^ ]*sock:0.*", "", line) != line]
        self.same(scenario)

    def test_a_password_is_asked_for(self):
        def scenario(server):
            old = server.client()
            old.call("CONFIG", "SET", "requirepass", "s3cret")
            c = server.client()
            out = [told(old, "PING"), str(told(c, "HELLO", "3"))[:60]]  # the end of that is 7.2's
            for words in (["PING"], ["GET", "a"], ["NOSUCH"], ["AUTH", "wrong"], ["AUTH", "nobody", "s3cret"],
                          ["AUTH", "s3cret"], ["PING"], ["RESET"], ["PING"], ["AUTH", "default", "s3cret"], ["GET", "a"],
                          ["QUIT"]):
                out.append(told(c, *words))
            return out
        self.same(scenario)

    def test_a_password_of_the_configuration_is_asked_for_from_the_first_client_on(self):
        for name, start in (("c", resp.start_stillframe), ("d", resp.start_redis_server)):
            directory = os.path.join(self.dir, name)
            os.mkdir(directory)
            server = start(directory, "--save", "", "--requirepass", "s3cret")
            self.addCleanup(server.kill)
            c = server.client()
            self.assertEqual([told(c, *words) for words in (["PING"], ["AUTH", "s3cret"], ["PING"])],
                             ["error: NOAUTH Authentication required.", b"OK", b"PONG"])

    def until_closed(self, server, *pieces):
        """What a connection is told for these bytes, until it is closed or says nothing more."""
        with server.client() as c:
            c.sock.settimeout(0.3)
            got = b""
            try:
                for piece in pieces:
                    c.send_raw(piece)
                    time.sleep(0.01)
                while True:
                    data = c.sock.recv(1 << 16)
                    if not data:
                        return got + b"(closed)"
                    got += data
            except TimeoutError:
                return got

    def test_who_has_not_shown_the_password_may_say_little(self):
        def scenario(server):
            admin = server.client()
            admin.call("CONFIG", "SET", "requirepass", "s3cret")
            auth = resp.pack("AUTH", "s3cret")
            out = [self.until_closed(server, *pieces) for pieces in (
                [b"*2\r\n$4\r\nAUTH\r\n$100000000\r\n"], [b"*2\r\n$4\r\nAUTH\r\n$16385\r\n"],
                [b"*2\r\n$4\r\nAUTH\r\n", b"$16385\r\n"],
                [resp.pack("AUTH", "x" * 16384)], [b"*20\r\n$5\r\nHELLO\r\n"], [b"*11\r\n"], [b"*10\r\n"],
                [resp.pack(*"GET 1 2 3 4 5 6 7 8 9".split())], [b"HELLO 1 2 3 4 5 6 7 8 9 10 11 12\r\n"],
                # Whoever shows it may say more, in the same packet too.
                [auth + resp.pack("SET", "a", "x" * 20000) + resp.pack("STRLEN", "a")],
                [resp.pack("PING") + auth + resp.pack("MSET", *range(40)) + resp.pack("EXISTS", *range(40))],
                [auth + resp.pack("RESET"), b"*2\r\n$3\r\nGET\r\n$16385\r\n"])]
            # A server without a password has no strangers, whenever they came.
            stranger = server.client()
            out.append(told(stranger, "PING"))
            admin.call("CONFIG", "SET", "requirepass", "")
            out += [told(stranger, "PING"), told(stranger, "SET", "a", "x" * 20000)]
            return out
        self.same(scenario)

    def test_strangers_hold_little_memory(self):
        server = self.servers[0]
        admin = server.client()
        admin.call("CONFIG", "SET", "requirepass", "s3cret")
        strangers = [server.client(timeout=10) for _ in range(100)]
        for i, c in enumerate(strangers):
            try:
                c.send_raw([resp.pack("AUTH", "x" * 16384), resp.pack("PING") * 400000,
                            b"*10\r\n" + b"$16384\r\n%b\r\n" % (b"x" * 16384) * 9, b"x" * 65000][i % 4])
            except ConnectionError:
                self.assertEqual(i % 4, 1)
        time.sleep(0.3)
        info = admin.call("INFO", "memory").decode()
        self.assertLess(int(re.search(r"mem_clients_normal:(\d+)", info).group(1)), 25 << 20)
        # Who asked much and read nothing is gone.
        self.assertEqual(admin.call("CLIENT", "LIST").count(b"\n"), 1 + 75)
        self.assertIn("overcoming of output buffer limits", server.log())

    def test_a_line_with_a_zero_byte_never_ends(self):
        def scenario(server):
            return [self.until_closed(server, *pieces) for pieces in (
                [b"echo a\0b c\r\nPING\r\n"], [b"PING\r\nPING\0\r\nPING\r\n"], [b"PING\0", b"\r\n", b"PING\r\n"],
                [b"PI\0" + b"\n" * 70000])]
        self.same(scenario)

    def test_large_values_come_whole_whatever_the_pace_of_the_client(self):
        server = self.servers[0]
        values = [bytes([65 + i]) * n for i, n in enumerate((65535, 65536, 100000, 5000000, 20000000, 3))]
        with server.client() as c:
            for i, value in enumerate(values):
                c.call("SET", "v:%d" % i, value)
        for pause in (0, 0.05):
            with server.client() as c, server.client() as writer:
                order = [3, 5, 4, 0, 1, 2, 4, 5, 3]
                for i in order:
                    c.send("GET", "v:%d" % i)
                for words in (["MGET", "v:5", "v:3", "none", "v:1"], ["MULTI"], ["GET", "v:4"], ["INCR", "n:%s" % pause],
                              ["EXEC"], ["CLIENT", "REPLY", "SKIP"], ["GET", "v:4"], ["PING"]):
                    c.send(*words)
                time.sleep(pause)
                writer.call("SETRANGE", "v:4", "1000", b"?" * 1000)
                got = [c.read() for _ in order]
                self.assertEqual([len(g) for g in got], [len(values[i]) for i in order])
                changed = values[4][:1000] + b"?" * 1000 + values[4][2000:]
                self.assertTrue(all(g == values[i] or (i == 4 and g == changed) for g, i in zip(got, order)))
                self.assertEqual(c.read(), [values[5], values[3], None, values[1]])
                self.assertEqual([c.read() for _ in range(3)], [b"OK", b"QUEUED", b"QUEUED"])
                self.assertEqual([len(c.read()[0]), c.read()], [len(values[4]), b"PONG"])
                writer.call("SET", "v:4", values[4])

    def test_killing_clients_in_any_state_leaves_nothing_behind(self):
        server = self.servers[0]
        d = server.client()
        for turn in range(60):
            c = server.client()
            own = c.call("CLIENT", "ID")
            state = turn % 6
            if state == 0:
                c.send("WAIT", "1", "0")
            elif state == 1:
                c.send("SUBSCRIBE", "x")
                c.read()
                d.send("PUBLISH", "x", "y" * 100000)
            elif state == 2:
                c.call("MONITOR")
            elif state == 3:
                c.call("WATCH", "a", "b")
                c.call("MULTI")
                c.call("SET", "a", "1")
            elif state == 4:
                d.call("SET", "big", "z" * 3000000)
                for _ in range(5):
                    c.send("GET", "big")
            else:
                c.send("CLIENT", "REPLY", "OFF")
            if state == 1:
                d.read()
            told(d, "CLIENT", "KILL", "ID", own)
            d.call("SET", "a", str(turn))
            c.close()
        resp.wait_until(lambda: b"connected_clients:1\r" in d.call("INFO", "clients"), what="the end of all")
        self.assertEqual(d.call("PUBSUB", "CHANNELS"), [])
        self.assertIn(b"total_watched_keys:0", d.call("INFO", "clients"))


if __name__ == "__main__":
    unittest.main()
