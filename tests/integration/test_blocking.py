"""Clients that wait for keys: who is served, in which order, by what, and what ends a wait."""
import re
import tempfile
import time
import unittest

import resp


class Blocking(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.server = resp.start_stillframe(self.dir.name, "--save", "", "--enable-debug-command", "yes")
        self.c = self.server.client()

    def tearDown(self):
        self.server.stop()
        self.dir.cleanup()

    def info(self, field):
        return int(self.c.call("INFO", "clients").decode().split(field + ":")[1].split("\r\n")[0])

    def wait(self, *command):
        """A client that waits."""
        before = self.info("blocked_clients")
        w = self.server.client()
        w.id = w.call("CLIENT", "ID")
        w.send(*command)
        resp.wait_until(lambda: self.info("blocked_clients") == before + 1, what="a client that waits")
        return w

    def test_first_come_first_served(self):
        waiting = [self.wait("BLPOP", "k", 0) for _ in range(5)]
        self.assertEqual(self.c.call("RPUSH", "k", "a", "b", "c"), 3)
        self.assertEqual([w.read() for w in waiting[:3]], [[b"k", b"a"], [b"k", b"b"], [b"k", b"c"]])
        self.assertEqual(self.info("blocked_clients"), 2)
        self.assertEqual(self.info("total_blocking_keys"), 1)
        self.c.call("RPUSH", "k", "d", "e", "f")
        self.assertEqual([w.read() for w in waiting[3:]], [[b"k", b"d"], [b"k", b"e"]])
        self.assertEqual(self.c.call("LRANGE", "k", 0, -1), [b"f"])
        self.assertEqual(self.info("total_blocking_keys"), 0)

    def test_the_key_that_was_ready_first(self):
        w = self.wait("BLPOP", "a", "b", 0)
        self.c.pipeline([["MULTI"], ["RPUSH", "b", "1"], ["RPUSH", "a", "2"], ["EXEC"]])
        self.assertEqual(w.read(), [b"b", b"1"])
        self.assertEqual(self.c.call("LLEN", "a"), 1)

    def test_a_key_that_is_gone_serves_nobody(self):
        w = self.wait("BLPOP", "k", 0)
        self.c.pipeline([["MULTI"], ["RPUSH", "k", "1"], ["DEL", "k"], ["SET", "k", "x"], ["EXEC"]])
        self.assertEqual(self.info("blocked_clients"), 1)
        self.c.call("DEL", "k")
        self.c.call("RPUSH", "k", "2")
        self.assertEqual(w.read(), [b"k", b"2"])

    def test_every_way_in_which_a_key_appears(self):
        c = self.c
        payload = None
        for make in (lambda: c.call("RENAME", "other", "k"), lambda: c.call("COPY", "other", "k"),
                     lambda: c.call("RESTORE", "k", 0, payload), lambda: c.call("LMOVE", "other", "k", "LEFT", "LEFT"),
                     lambda: c.call("SWAPDB", 0, 1), lambda: c.pipeline([["SELECT", 1], ["MOVE", "k", 0], ["SELECT", 0]])):
            c.call("FLUSHALL")
            c.call("RPUSH", "other", "v")
            c.pipeline([["SELECT", 1], ["RPUSH", "k", "v"], ["SELECT", 0]])
            payload = c.call("DUMP", "other")
            w = self.wait("BLPOP", "k", 0)
            make()
            self.assertEqual(w.read(), [b"k", b"v"])

    def test_a_chain_of_moves(self):
        last = self.wait("BRPOP", "c", 0)
        second = self.wait("BLMOVE", "b", "c", "LEFT", "RIGHT", 0)
        first = self.wait("BRPOPLPUSH", "a", "b", 0)
        self.c.call("RPUSH", "a", "v")
        self.assertEqual([first.read(), second.read(), last.read()], [b"v", b"v", [b"c", b"v"]])
        self.assertEqual(self.c.call("DBSIZE"), 0)

    def test_what_ends_a_wait(self):
        w = self.wait("BLPOP", "k", "k", "j", 0)
        self.assertEqual(self.info("total_blocking_keys"), 2)
        self.assertEqual(self.c.call("CLIENT", "UNBLOCK", w.id), 1)
        self.assertIsNone(w.read())
        self.assertEqual(self.c.call("CLIENT", "UNBLOCK", w.id), 0)
        w = self.wait("BLMOVE", "k", "j", "LEFT", "LEFT", 0)
        self.assertEqual(self.c.call("CLIENT", "UNBLOCK", w.id, "ERROR"), 1)
        self.assertEqual(str(w.read()), "UNBLOCKED client unblocked via CLIENT UNBLOCK")
        w = self.wait("BLPOP", "k", 0)
        w.close()
        resp.wait_until(lambda: self.info("blocked_clients") == 0, what="the end of a client")
        self.assertEqual(self.info("total_blocking_keys"), 0)
        self.c.call("RPUSH", "k", "v")
        self.assertEqual(self.c.call("LLEN", "k"), 1)
        begin = time.monotonic()
        self.assertIsNone(self.c.call("BLPOP", "j", "0.05"))
        self.assertGreaterEqual(time.monotonic() - begin, 0.05)

    def test_commands_behind_a_wait_come_after_it(self):
        w = self.wait("BLPOP", "k", 0)
        w.send("PING")
        self.c.call("RPUSH", "k", "v")
        self.assertEqual([w.read(), w.read()], [[b"k", b"v"], b"PONG"])

    def test_a_pause_holds_serving_back(self):
        w = self.wait("BLPOP", "k", 0)
        self.c.pipeline([["MULTI"], ["RPUSH", "k", "v"], ["CLIENT", "PAUSE", 300, "WRITE"], ["EXEC"]])
        self.assertEqual(self.c.call("LLEN", "k"), 1)
        self.assertEqual(w.read(), [b"k", b"v"])
        self.assertEqual(self.c.call("LLEN", "k"), 0)

    def test_silence_stays_silent(self):
        w = self.server.client()
        w.id = w.call("CLIENT", "ID")
        w.pipeline([["PING"]])
        w.send("CLIENT", "REPLY", "SKIP")
        w.send("BLPOP", "k", 0)
        resp.wait_until(lambda: self.info("blocked_clients") == 1, what="a client that waits")
        self.c.call("RPUSH", "k", "v")
        self.assertEqual(w.call("PING"), b"PONG")

    def test_a_destination_of_another_type(self):
        self.c.call("SET", "s", "x")
        w = self.wait("BLMOVE", "k", "s", "LEFT", "LEFT", 0)
        self.c.call("RPUSH", "k", "v")
        self.assertTrue(str(w.read()).startswith("WRONGTYPE"))
        self.assertEqual(self.c.call("LRANGE", "k", 0, -1), [b"v"])

    def test_many(self):
        waiting = [self.server.client() for _ in range(200)]
        for w in waiting:
            w.send("BLPOP", "k", "j", 0)
        resp.wait_until(lambda: self.info("blocked_clients") == 200, what="200 clients that wait")
        for n in range(0, 200, 2):
            self.c.call("RPUSH", "k", n)
            self.c.call("RPUSH", "j", n + 1)
        got = sorted(int(w.read()[1]) for w in waiting)
        self.assertEqual(got, list(range(200)))
        self.assertEqual(self.c.call("DBSIZE"), 0)

    def test_what_has_expired_when_a_slow_transaction_ends_serves_nobody(self):
        for wait, fill in ((["BLPOP", "k", 0.3], ["RPUSH", "k", "x"]), (["BRPOP", "k", 0.3], ["RPUSH", "k", "x"]),
                           (["BZPOPMIN", "k", 0.3], ["ZADD", "k", 1, "x"]), (["BLMOVE", "k", "d", "LEFT", "LEFT", 0.3], ["RPUSH", "k", "x"]),
                           (["BLMPOP", 0.3, 1, "k", "LEFT"], ["RPUSH", "k", "x"]), (["BZMPOP", 0.3, 1, "k", "MIN"], ["ZADD", "k", 1, "x"]),
                           (["XREAD", "BLOCK", 300, "STREAMS", "k", "$"], ["XADD", "k", "*", "f", "v"])):
            with self.subTest(wait), self.wait(*wait) as w:
                told = self.c.pipeline([["MULTI"], fill, ["PEXPIRE", "k", 50], ["DEBUG", "SLEEP", 0.1], ["EXISTS", "k"], ["EXEC"]])
                self.assertEqual(told[-1][1:], [1, b"OK", 1])  # one time for all of the transaction
                self.assertIsNone(w.read())
                self.assertEqual(self.c.call("DBSIZE"), 0)

    def test_what_follows_a_slow_command_sees_another_time(self):
        told = self.c.pipeline([["SET", "k", "v", "PX", 50], ["DEBUG", "SLEEP", 0.1], ["GET", "k"], ["DBSIZE"]])
        self.assertEqual(told, [b"OK", b"OK", None, 0])

    def figures(self, name):
        """What is known of a command: calls, failures, how often it is in SLOWLOG, commands in
        all."""
        info = self.c.call("INFO", "everything").decode()
        line = re.search(r"cmdstat_%s:calls=(\d+),.*failed_calls=(\d+)" % name, info)
        logged = [e[3] for e in self.c.call("SLOWLOG", "GET", -1) if e[3][0].lower() == name.encode()]
        return (*map(int, line.groups() if line else (0, 0)), logged)

    def test_a_command_that_blocks_counts_once_when_it_is_answered(self):
        self.c.call("CONFIG", "SET", "slowlog-log-slower-than", 0)
        for words in (["BLPOP", "k", "0"], ["BZPOPMIN", "k", "0"], ["XREAD", "BLOCK", "0", "STREAMS", "k", "0"], ["WAIT", "1", "0"]):
            name, logged = words[0].lower(), [[word.encode() for word in words]]
            fill = {"BLPOP": ["RPUSH", "k", "x"], "BZPOPMIN": ["ZADD", "k", 1, "x"], "XREAD": ["XADD", "k", "*", "f", "v"], "WAIT": None}
            for ends, failed, counted in ((fill[words[0]], 0, 1), ("ERROR", 1, 1), ("TIMEOUT", 0, 1), ("close", 0, 0)):
                if ends is None:
                    continue
                with self.subTest((words[0], ends)):
                    self.c.pipeline([["CONFIG", "RESETSTAT"], ["SLOWLOG", "RESET"], ["DEL", "k"]])
                    w = self.wait(*words)
                    self.assertEqual(self.figures(name), (0, 0, []))
                    if ends == "close":
                        w.close()
                        resp.wait_until(lambda: self.info("blocked_clients") == 0, what="its end")
                    elif isinstance(ends, list):
                        self.c.call(*ends)
                        w.read()
                    else:
                        self.assertEqual(self.c.call("CLIENT", "UNBLOCK", w.id, ends), 1)
                        w.read()
                    self.assertEqual(self.figures(name), (counted, failed, logged * counted))
                    w.close()
        self.c.pipeline([["CONFIG", "RESETSTAT"], ["SLOWLOG", "RESET"], ["DEL", "k"]])
        self.wait("BLPOP", "k", "0.05").read()
        self.assertEqual(self.figures("blpop"), (1, 0, [[b"BLPOP", b"k", b"0.05"]]))
        # One that is answered with an error when its turn comes.
        self.c.pipeline([["SET", "s", "x"], ["CONFIG", "RESETSTAT"]])
        w = self.wait("BLMOVE", "k", "s", "LEFT", "LEFT", "0")
        self.c.call("RPUSH", "k", "v")
        w.read()
        self.assertEqual(self.figures("blmove")[:2], (1, 1))


if __name__ == "__main__":
    unittest.main()
