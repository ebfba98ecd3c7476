#!/usr/bin/env python3
"""maxmemory: who goes under each policy, when writes are refused, and that a snapshot does not
drive keys out."""
import os
import random
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

ROOM = 3 << 20
KEYS = 40000


def field(client, section, name):
    for line in client.call("INFO", section).decode().split("\r\n"):
        if line.startswith(name + ":"):
            return line.split(":", 1)[1]
    raise KeyError(name)


def used(client):
    return int(field(client, "memory", "used_memory"))


class MaxMemory(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def start(self, *args):
        server = resp.start_stillframe(self.dir, "--save", "", "--enable-debug-command", "yes", *args)
        self.addCleanup(server.kill)
        return server.client()

    def limit(self, c, policy, room=ROOM):
        self.assertEqual(c.call("CONFIG", "SET", "maxmemory", used(c) + room, "maxmemory-policy", policy), b"OK")

    def fill(self, c, count=KEYS, expires=lambda i: None, read=None):
        """The error replies of so many SETs, and GETs of read(i) between them."""
        errors = []
        for first in range(0, count, 500):
            batch = []
            for i in range(first, min(first + 500, count)):
                seconds = expires(i)
                batch.append(["SET", "key:%06d" % i, "x" * 100] + (["EX", str(seconds)] if seconds else []))
                if read is not None and i > 1000:
                    batch.append(["GET", "key:%06d" % read(i)])
            errors += [r for r in c.pipeline(batch) if isinstance(r, resp.RespError)]
        return errors

    def test_without_eviction_commands_that_need_memory_are_refused(self):
        c = self.start()
        self.limit(c, "noeviction")
        errors = self.fill(c)
        self.assertGreater(len(errors), 1000)
        self.assertEqual({str(e) for e in errors}, {"OOM command not allowed when used memory > 'maxmemory'."})
        self.assertEqual(c.call("EXISTS", "key:000000"), 1)
        self.assertEqual(c.call("GET", "key:000000"), b"x" * 100)
        c.call("MULTI")
        with self.assertRaisesRegex(resp.RespError, "^OOM "):
            c.call("SET", "a", "b")
        with self.assertRaisesRegex(resp.RespError, "^EXECABORT "):
            c.call("EXEC")
        for i in range(5000):
            c.send("DEL", "key:%06d" % i)
        self.assertEqual(sum(c.read() for _ in range(5000)), 5000)
        self.assertEqual(c.call("SET", "a", "b"), b"OK")

    def test_who_has_deleted_much_may_go_on(self):
        """What was deleted is freed bit by bit, and nobody is refused meanwhile."""
        for delete in (["FLUSHALL"], ["DEL", "large"]):
            with self.subTest(delete=delete):
                c = self.start()
                if delete[0] == "DEL":
                    for first in range(0, 1000000, 10000):
                        c.call("SADD", "large", *("member:%07d" % i for i in range(first, first + 10000)))
                else:
                    c.call("DEBUG", "POPULATE", 400000, "key", 100)
                self.assertGreater(used(c), 8 * ROOM)
                c.call("CONFIG", "SET", "maxmemory", 3 * ROOM)
                with self.assertRaisesRegex(resp.RespError, "^OOM "):
                    c.call("SET", "a", "b")
                self.assertEqual(set(c.pipeline([delete] + [["SET", "b:%d" % i, "c"] for i in range(100)])[1:]), {b"OK"})

    def test_every_policy_keeps_memory_within_the_limit(self):
        for policy in ("allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random",
                       "volatile-ttl"):
            with self.subTest(policy=policy):
                c = self.start()
                self.limit(c, policy)
                limit = int(c.call("CONFIG", "GET", "maxmemory")[1])
                self.assertEqual(self.fill(c, expires=lambda i: 1000 + i if i % 4 else None), [])
                self.assertLess(used(c), limit + (1 << 20))
                for command in (["MULTI"], ["DBSIZE"], ["INFO", "stats"]):
                    c.call(*command)  # eviction goes on between two looks
                kept, info = c.call("EXEC")
                evicted = int(info.decode().split("evicted_keys:")[1].split()[0])
                self.assertEqual(kept + evicted, KEYS)
                self.assertGreater(evicted, 10000)
                if policy.startswith("volatile"):
                    self.assertEqual(sum(c.call("EXISTS", "key:%06d" % i) for i in range(0, KEYS, 40)), KEYS // 40)

    def test_keys_that_are_used_often_stay_under_lfu(self):
        c = self.start()
        self.limit(c, "allkeys-lfu")
        rnd = random.Random(1)
        self.assertEqual(self.fill(c, read=lambda i: rnd.randrange(200)), [])
        self.assertGreater(sum(c.call("EXISTS", "key:%06d" % i) for i in range(200)), 190)
        self.assertGreater(c.call("OBJECT", "FREQ", "key:000000"), 5)

    def test_keys_that_were_not_used_for_long_go_first_under_lru(self):
        c = self.start()
        self.assertEqual(self.fill(c, 20000), [])
        for i in range(0, 20000, 2):  # those with odd numbers were last used an hour ago
            payload = c.call("DUMP", "key:%06d" % (i + 1))
            c.send("RESTORE", "key:%06d" % (i + 1), "0", payload, "REPLACE", "IDLETIME", "3600")
            c.read()
        self.limit(c, "allkeys-lru", room=0)
        for i in range(4000):
            c.send("SET", "new:%d" % i, "x" * 100)
        for _ in range(4000):
            self.assertEqual(c.read(), b"OK")
        fresh = sum(c.call("EXISTS", "key:%06d" % i) for i in range(0, 20000, 20))
        idle = sum(c.call("EXISTS", "key:%06d" % i) for i in range(1, 20000, 20))
        self.assertGreater(fresh, 980)
        self.assertLess(idle, 800)

    def survivors(self, c, numbers):
        return sum(c.call("EXISTS", "key:%06d" % i) for i in numbers)

    def make_idle(self, c, numbers):
        """These were last used an hour ago."""
        for i in numbers:
            c.send("RESTORE", "key:%06d" % i, "0", c.call("DUMP", "key:%06d" % i), "REPLACE", "IDLETIME", "3600")
            c.read()

    def crowd_out(self, c, count=4000):
        limit = used(c)
        c.call("CONFIG", "SET", "maxmemory", limit)
        for i in range(count):
            c.send("SET", "new:%d" % i, "x" * 100)
        for _ in range(count):
            self.assertEqual(c.read(), b"OK")

    def test_who_was_not_used_for_long_goes_first_after_a_switch_to_lfu(self):
        c = self.start("--maxmemory-policy", "allkeys-lru")
        self.assertEqual(self.fill(c, 20000), [])
        self.make_idle(c, range(1, 20000, 2))
        c.call("SET", "key:000000", "x" * 100)
        c.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
        self.assertEqual(c.call("OBJECT", "FREQ", "key:000000"), 5)  # that of a new key
        self.assertEqual(c.call("OBJECT", "FREQ", "key:000001"), 0)
        self.crowd_out(c)
        self.assertGreater(self.survivors(c, range(0, 20000, 20)), 980)
        self.assertLess(self.survivors(c, range(1, 20000, 20)), 800)
        self.assertGreater(sum(c.call("EXISTS", "new:%d" % i) for i in range(4000)), 3900)

    def test_who_was_not_used_for_long_goes_first_after_a_switch_to_lru(self):
        c = self.start("--maxmemory-policy", "allkeys-lru")
        self.assertEqual(self.fill(c, 10000), [])
        self.make_idle(c, range(10000))
        c.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
        self.assertEqual(self.fill(c, 20000, read=lambda i: 0), [])  # the first 10000 are overwritten
        c.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        self.make_idle(c, range(1, 20000, 2))
        self.assertLess(c.call("OBJECT", "IDLETIME", "key:000002"), 100)
        self.assertIn(c.call("OBJECT", "IDLETIME", "key:000001"), range(3600, 3700))
        self.crowd_out(c)
        self.assertGreater(self.survivors(c, range(0, 20000, 20)), 980)
        self.assertLess(self.survivors(c, range(1, 20000, 20)), 800)

    def test_the_growth_of_the_table_does_not_evict(self):
        """With so many keys the next one needs buckets beyond a power of two."""
        for keys in (4096, 16384, 65536):
            with self.subTest(keys=keys):
                c = self.start("--maxmemory-policy", "allkeys-random")
                c.pipeline([("SET", "key:%06d" % i, "v") for i in range(keys)])
                c.call("CONFIG", "SET", "maxmemory", used(c) + 40000)
                self.assertEqual(set(c.pipeline([("SET", "new:%06d" % i, "v") for i in range(100)])), {b"OK"})
                time.sleep(0.3)  # figures are sampled ten times a second
                c.call("SET", "last", "v")
                self.assertEqual((int(field(c, "stats", "evicted_keys")), c.call("DBSIZE")), (0, keys + 101))

    def test_integers_are_not_shared_where_each_has_a_time_of_use(self):
        c = self.start("--maxmemory-policy", "allkeys-lru")
        c.call("SET", "n", "5")
        self.assertEqual(c.call("OBJECT", "REFCOUNT", "n"), 2 ** 31 - 1)
        for policy, count in (("allkeys-lru", 1), ("volatile-lfu", 1), ("allkeys-random", 2 ** 31 - 1), ("noeviction", 2 ** 31 - 1)):
            self.limit(c, policy)
            c.call("SET", "n", "5")
            self.assertEqual(c.call("OBJECT", "REFCOUNT", "n"), count, policy)

    def test_those_that_expire_soonest_go_first_under_ttl(self):
        c = self.start()
        self.limit(c, "volatile-ttl")
        self.assertEqual(self.fill(c, expires=lambda i: 10 ** 6 - i * 20), [])
        early = sum(c.call("EXISTS", "key:%06d" % i) for i in range(0, 5000, 10))
        self.assertGreater(early, 450)

    def test_an_open_snapshot_does_not_drive_keys_out(self):
        counts = []
        for saves in (False, True):
            c = self.start("--snapshot-memory-limit", "0")
            self.assertEqual(self.fill(c, 20000), [])
            self.limit(c, "allkeys-random", room=0)
            for turn in range(10):
                if saves:
                    try:
                        c.call("BGSAVE")
                    except resp.RespError as error:
                        self.assertIn("in progress", str(error))
                for i in range(2000):
                    c.send("SET", "key:%06d" % (i + 2000 * turn), "y" * 100)
                for _ in range(2000):
                    self.assertEqual(c.read(), b"OK")
            counts.append(c.call("DBSIZE"))
        self.assertLess(abs(counts[0] - counts[1]), counts[0] // 10, counts)

    def test_a_huge_value_goes_alone(self):
        c = self.start()
        self.assertEqual(self.fill(c, 10000), [])
        for first in range(0, 200000, 1000):
            c.call("HSET", "huge", *[w for i in range(first, first + 1000) for w in ("f%d" % i, "v")])
        c.call("EXPIRE", "huge", "1000")
        before = used(c)
        self.limit(c, "volatile-lru", room=-(1 << 20))
        for _ in range(2000):
            told = c.call("SET", "key:000000", "z")
            self.assertEqual(told, b"OK")
        resp.wait_until(lambda: used(c) < before - (5 << 20), what="the huge value's memory")
        self.assertEqual(c.call("EXISTS", "huge"), 0)
        self.assertEqual(c.call("DBSIZE"), 10000)

    def test_room_for_a_string_to_grow_is_no_memory(self):
        """A long string has address space for 512 MB.  It was counted as tables: 9 MB, which
        maxmemory did not see."""
        c = self.start()
        before = used(c)
        c.call("SETRANGE", "k", 3000000, "x")
        self.assertLess(used(c) - before, 4 << 20)
        c.call("DEL", "k")
        self.assertLess(used(c) - before, 1 << 20)
        self.assertLess(int(field(c, "memory", "mem_not_counted_for_evict")), 64 << 10)

    def test_a_flush_within_a_snapshot_does_not_hold_commands_up(self):
        c = self.start("--rdbcompression", "yes")
        c.call("SELECT", "1")
        c.call("DEBUG", "POPULATE", "50000", "gone", "100")
        c.call("SELECT", "0")
        c.call("DEBUG", "POPULATE", "400000", "key", "100")
        c.sock.settimeout(20)
        before = used(c)
        # In one write, so that the snapshot is still at work when memory is short and the flushed
        # keys may not go yet.
        told = c.pipeline([["BGSAVE"], ["SELECT", "1"], ["FLUSHDB"], ["SELECT", "0"],
                           ["CONFIG", "SET", "maxmemory", str(before // 2), "maxmemory-policy", "allkeys-random",
                            "maxmemory-eviction-tenacity", "100"], ["SET", "a", "b"], ["INFO", "persistence"]])
        self.assertEqual(told[5], b"OK")
        self.assertLessEqual(c.call("DBSIZE"), 300000)

    def test_the_loop_sleeps_again_when_the_limit_is_taken_away(self):
        server = resp.start_stillframe(self.dir, "--save", "", "--enable-debug-command", "yes")
        self.addCleanup(server.kill)
        c = server.client()
        c.call("DEBUG", "POPULATE", "300000", "key", "100")
        c.pipeline([["CONFIG", "SET", "maxmemory", "1mb", "maxmemory-policy", "allkeys-random",
                     "maxmemory-eviction-tenacity", "0"], ["SET", "a", "b"]])
        c.call("CONFIG", "SET", "maxmemory", "0")
        turns = int(field(c, "stats", "eventloop_cycles"))
        time.sleep(0.5)
        self.assertLess(int(field(c, "stats", "eventloop_cycles")) - turns, 200)

    def test_a_pause_holds_eviction_and_its_end_lets_it_go_on(self):
        c = self.start()
        self.assertEqual(self.fill(c, 5000), [])
        c.pipeline([["CLIENT", "PAUSE", "400", "WRITE"],
                    ["CONFIG", "SET", "maxmemory", used(c) - (1 << 18), "maxmemory-policy", "allkeys-lru"]])
        for _ in range(20):
            c.call("GET", "key:000001")
            time.sleep(0.01)
        self.assertEqual(c.call("DBSIZE"), 5000)
        self.assertEqual(c.call("SET", "key:000001", "after the pause"), b"OK")
        self.assertLess(c.call("DBSIZE"), 5000)

    def test_eviction_is_heard(self):
        c, server = self.start(), None
        del server
        c.call("CONFIG", "SET", "notify-keyspace-events", "Ee")
        d = resp.Client(int(c.call("CONFIG", "GET", "port")[1]))
        d.send("SUBSCRIBE", "__keyevent@0__:evicted")
        d.read()
        self.limit(c, "allkeys-lru", room=1 << 18)
        self.assertEqual(self.fill(c, 5000), [])
        heard = d.read()
        self.assertEqual(heard[:2], [b"message", b"__keyevent@0__:evicted"])
        self.assertTrue(heard[2].startswith(b"key:"))


if __name__ == "__main__":
    unittest.main()
