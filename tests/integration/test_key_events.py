#!/usr/bin/env python3
"""What listeners are told of keys that come, go and are moved, beside what the random sequences
compare; and what moves with a key.  The same here and on redis-server."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
import test_connections as connections  # noqa: E402

told = connections.told


def heard(client, fence):
    """What a subscriber was told up to a message of our own."""
    fence.call("PUBLISH", "fence", "x")
    out = []
    while True:
        kind, _, channel, payload = client.read()
        if channel == b"fence":
            return out
        out.append((channel.decode(), payload))


def listener(server):
    c = server.client()
    c.call("CONFIG", "SET", "notify-keyspace-events", "EAmn")
    s = server.client()
    s.call("PSUBSCRIBE", "*")
    return c, s


class KeyEvents(unittest.TestCase):
    setUp, same = connections.Connections.setUp, connections.Connections.same

    def test_each_key_of_mset_is_told_in_its_turn(self):
        def scenario(server):
            c, s = listener(server)
            c.call("SET", "b", 1)
            c.call("MSET", "a", 1, "b", 2, "a", 3)
            c.call("MSETNX", "x", 1, "y", 2)
            return heard(s, c)
        self.assertIn(("__keyevent@0__:new", b"a"), self.same(scenario))

    def test_what_takes_another_keys_place_is_new(self):
        def scenario(server):
            c, s = listener(server)
            for over in (False, True):
                for command in (["RENAME", "a", "b"], ["COPY", "a", "b", "REPLACE"], ["RESTORE"]):
                    c.call("FLUSHALL")
                    c.call("SET", "a", "1")
                    if over:
                        c.call("SET", "b", "old")
                    if command[0] == "RESTORE":
                        command = ["RESTORE", "b", 100000, c.call("DUMP", "a"), "REPLACE"]
                    c.call(*command)
            return heard(s, c)
        self.same(scenario)

    def test_restore_over_an_expired_key_tells_no_expiry(self):
        def scenario(server):
            c, s = listener(server)
            c.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
            c.call("SET", "a", "1")
            dump = c.call("DUMP", "a")
            for options in ([0, dump, "REPLACE"], [1, dump, "REPLACE", "ABSTTL"], [0, dump]):
                c.call("SET", "b", "old", "PX", 1)
                time.sleep(0.01)
                c.call("RESTORE", "b", *options)
            return heard(s, c)
        self.same(scenario)

    def test_loading_tells_nothing(self):
        def scenario(server):
            c, s = listener(server)
            for i in range(20):
                c.call("SET", "k%d" % i, "v", "EX", 1000)
            c.call("HSET", "h", "f", "v")
            before = len(heard(s, c))
            c.call("DEBUG", "RELOAD")
            return before, heard(s, c)
        self.assertEqual(self.same(scenario)[1], [])

    def test_watched_keys_that_expire_or_are_evicted_abort_the_transaction(self):
        def scenario(server):
            c, d = server.client(), server.client()
            out = []
            c.call("SET", "a", "1", "PX", 1)
            c.call("SET", "b", "1")
            c.call("WATCH", "b")
            c.call("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
            d.call("CONFIG", "SET", "maxmemory", "1")
            told(d, "SET", "c", "1")
            d.call("CONFIG", "SET", "maxmemory", "0")
            c.call("MULTI")
            c.call("PING")
            out.append(c.call("EXEC"))
            return out
        self.assertEqual(self.same(scenario), [None])

    def test_use_goes_with_a_renamed_or_moved_key_and_not_with_a_copy(self):
        def scenario(server):
            c = server.client()
            c.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
            c.call("CONFIG", "SET", "lfu-log-factor", "0")
            c.call("SET", "a", "no shared integer")
            for _ in range(50):
                c.call("GET", "a")
            c.call("COPY", "a", "copy")
            c.call("RENAME", "a", "b")
            out = [c.call("OBJECT", "FREQ", "copy"), c.call("OBJECT", "FREQ", "b")]
            c.call("MOVE", "b", 1)
            c.call("SELECT", 1)
            return out + [c.call("OBJECT", "FREQ", "b")]
        self.assertGreater(self.same(scenario)[1], 40)

    def test_touch_counts_as_use_even_for_a_client_that_leaves_no_trace(self):
        c = self.servers[0].client()  # CLIENT NO-TOUCH came with 7.2
        c.call("SET", "a", "1")
        c.call("CLIENT", "NO-TOUCH", "ON")
        time.sleep(2.1)
        c.call("GET", "a")
        self.assertGreaterEqual(c.call("OBJECT", "IDLETIME", "a"), 1)
        c.call("TOUCH", "a")
        self.assertEqual(c.call("OBJECT", "IDLETIME", "a"), 0)

    def test_waitaof_says_which_number_is_out_of_range(self):
        c = self.servers[0].client()  # 7.2
        self.assertEqual(told(c, "WAITAOF", 2, 0, 0), "error: ERR value is out of range, value must between 0 and 1")
        self.assertEqual(told(c, "WAITAOF", 0, -1, 0), "error: ERR value is out of range, must be positive")


if __name__ == "__main__":
    unittest.main()
