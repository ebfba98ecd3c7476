"""Clients that wait for keys: who is served, in which order, by what, and what ends a wait."""
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


if __name__ == "__main__":
    unittest.main()
