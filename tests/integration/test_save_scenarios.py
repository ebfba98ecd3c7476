#!/usr/bin/env python3
"""What happens to a server in the middle of a save, scene by scene: scenes that other servers which
save without fork() have not survived are among them.

A save lasts as long as a scene needs it to: `snapshot-rate-limit` holds it back among the first of
its bytes, and is taken off when the scene is over.  Each time the dump has the digest that was
taken in one transaction with BGSAVE, as a second server loads it and as `redis-server` does.

  SCENES_SEED=n   the words of an earlier run: each run prints its seed
"""
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_server import info  # noqa: E402

QUICK = os.environ.get("QUICK") == "1"
SEED = int(os.environ.get("SCENES_SEED") or random.SystemRandom().randrange(1 << 30))
HELD_BACK = "512kb"  # a second: a save of FILL_BYTES would take forty
FILL_BYTES = 20 << 20
HUGE = 2000 if QUICK else 20000  # elements
KEEP = 4102444800000


def value_of(size, n):
    """Text that does not compress to nothing, the same each time."""
    return (("%d." % n) * (size // 2 + 1))[:size]


# A key of each form, twice: before what fills the file and behind it.
FORMS = {
    "int": [("SET", 12345)], "embstr": [("SET", "hello")], "raw": [("SET", value_of(100, 1))],
    "outside": [("SET", value_of(5000, 2))], "huge": [("SET", value_of(1200000, 3))],
    "expires": [("SET", value_of(300, 4), "PXAT", KEEP)],
    "hash": [("HSET", "f1", 1, "f2", 2)], "table": [("HSET", "f%d" % i, value_of(80, i)) for i in range(HUGE // 10)],
    "list": [("RPUSH", "a", "b", "c")], "quicklist": [("RPUSH", "e%d" % i, value_of(60, i)) for i in range(HUGE // 10)],
    "intset": [("SADD", 1, 2, 3)], "set": [("SADD", "m%d" % i) for i in range(HUGE // 10)],
    "zset": [("ZADD", 1, "a", 2, "b")], "skiplist": [("ZADD", i, "m%d" % i) for i in range(HUGE // 10)],
    "stream": [("XADD", "%d-1" % (i + 1), "f", value_of(30, i)) for i in range(HUGE // 10)],
}
KEYS = [place + ":" + form for place in ("early", "late") for form in FORMS]


def fill_keys(c, place):
    for form, commands in FORMS.items():
        for reply in c.pipeline([(name, place + ":" + form) + tuple(rest) for name, *rest in commands]):
            assert not isinstance(reply, resp.RespError), reply
    c.call("XGROUP", "CREATE", place + ":stream", "g", 0)
    c.call("XREADGROUP", "GROUP", "g", "c", "COUNT", 100, "STREAMS", place + ":stream", ">")


class SceneCase(unittest.TestCase):
    OPTIONS = ("--save", "", "--enable-debug-command", "yes", "--enable-protected-configs", "yes", "--rdbcompression", "no",
               "--snapshot-rate-limit", "0", "--snapshot-memory-limit", "0")

    @classmethod
    def setUpClass(cls):
        print("scenes: seed %d" % SEED, file=sys.stderr)
        cls.dir = tempfile.mkdtemp(prefix="scenes-")
        cls.readers = []
        for name, start in (("ours", resp.start_stillframe), ("theirs", resp.start_redis_server)):
            os.mkdir(os.path.join(cls.dir, name))
            server = start(os.path.join(cls.dir, name), "--save", "", "--enable-debug-command", "yes")
            cls.readers.append(server)

    @classmethod
    def tearDownClass(cls):
        for server in cls.readers:
            server.kill()
        shutil.rmtree(cls.dir, ignore_errors=True)

    def setUp(self):
        self.rnd = random.Random("%d %s" % (SEED, self.id()))
        self.where = tempfile.mkdtemp(dir=self.dir)
        self.server = self.start()
        self.c = self.server.client()
        self.addCleanup(self.c.close)
        fill_keys(self.c, "early")
        for first in range(0, FILL_BYTES, 5 << 20):
            self.c.call("DEBUG", "POPULATE", (5 << 20) // 512, "fill%d" % first, 500)
        fill_keys(self.c, "late")

    def start(self, *args):
        server = resp.start_stillframe(self.where, *self.OPTIONS, *args)
        self.addCleanup(server.kill)
        return server

    # -- a save that waits for us

    def begin(self):
        """The digest of the cut; the save goes on until finish()."""
        self.c.call("CONFIG", "SET", "snapshot-rate-limit", HELD_BACK)
        self.c.call("MULTI")
        self.c.call("DEBUG", "DIGEST")
        self.c.call("BGSAVE")
        digest, started = self.c.call("EXEC")
        self.assertEqual(started, b"Background saving started")
        return digest

    def is_saving(self):
        return info(self.c, "persistence")["rdb_bgsave_in_progress"] == "1"

    def finish(self, digest):
        self.assertTrue(self.is_saving(), "the scene was longer than the save")
        self.c.call("CONFIG", "SET", "snapshot-rate-limit", 0)
        self.ended()
        self.assertEqual(info(self.c, "persistence")["rdb_last_bgsave_status"], "ok", self.server.log()[-2000:])
        self.check_dump(digest)

    def ended(self):
        resp.wait_until(lambda: not self.is_saving(), 120, what="the end of the save")

    def check_dump(self, digest):
        for reader in self.readers:
            shutil.copyfile(os.path.join(self.where, "dump.rdb"), os.path.join(reader.dir, "dump.rdb"))
            with reader.client() as r:
                self.assertEqual(r.call("DEBUG", "RELOAD", "NOSAVE"), b"OK")
                self.assertEqual(r.call("DEBUG", "DIGEST"), digest, reader.command[0])
        self.assertEqual([n for n in os.listdir(self.where) if n.startswith("temp-")], [])

    def run_all(self, commands, client=None):
        """None may fail."""
        for command, reply in zip(commands, (client or self.c).pipeline(commands)):
            self.assertNotIsInstance(reply, resp.RespError, (command, reply))

    def in_save(self, commands):
        digest = self.begin()
        self.run_all(commands)
        self.finish(digest)


class Keys(SceneCase):
    """What becomes of keys that are being saved."""

    def test_a_key_is_renamed_onto_each(self):
        self.in_save([("RENAME", "early:" + f, "late:" + f) for f in FORMS])

    def test_each_is_renamed_onto_one_of_another_type(self):
        names = list(FORMS)
        self.in_save([("RENAME", "late:" + a, "early:" + b) for a, b in zip(names, names[1:] + names[:1])])

    def test_each_is_renamed_and_changed_under_its_new_name(self):
        self.in_save([("RENAME", k, "new:" + k) for k in KEYS] + [
            ("SETRANGE", "new:early:huge", 600000, "xyz"), ("APPEND", "new:late:outside", "tail"), ("INCR", "new:late:int"),
            ("HSET", "new:late:table", "f1", "x", "new", 1), ("LPOP", "new:early:quicklist"), ("SADD", "new:early:intset", "word"),
            ("ZINCRBY", "new:late:skiplist", 5, "m1"), ("XADD", "new:early:stream", "99999999-1", "f", "v"),
            ("XACK", "new:late:stream", "g", "1-1")] + [("RENAME", "new:" + k, k) for k in KEYS])

    def test_each_is_deleted(self):
        self.in_save([("DEL", k) for k in KEYS])

    def test_each_is_unlinked_and_set_again(self):
        digest = self.begin()
        self.run_all([("UNLINK", k) for k in KEYS])
        fill_keys(self.c, "late")
        fill_keys(self.c, "early")
        self.finish(digest)

    def test_each_is_copied_and_copied_over(self):
        names = list(FORMS)
        self.in_save([("COPY", k, "copy:" + k) for k in KEYS] + [("COPY", k, k, "DB", 3) for k in KEYS] + [
            ("COPY", "early:" + a, "late:" + b, "REPLACE") for a, b in zip(names, names[1:] + names[:1])])

    def test_each_moves_to_another_database(self):
        self.in_save([("MOVE", k, 5) for k in KEYS])

    def test_each_is_restored_over_another(self):
        payloads = dict(zip(KEYS, self.c.pipeline([("DUMP", k) for k in KEYS])))
        mixed = KEYS[:]
        self.rnd.shuffle(mixed)
        self.in_save([("RESTORE", k, 0, payloads[other], "REPLACE") for k, other in zip(KEYS, mixed)])

    def test_each_expires_and_is_seen_to_have(self):
        digest = self.begin()
        self.run_all([("PEXPIRE", k, 1) for k in KEYS])
        time.sleep(0.01)
        self.run_all([("EXISTS", k) for k in KEYS])
        self.finish(digest)

    def test_all_are_read(self):
        """Large lists by and by and as a whole, too: and it costs the save nothing."""
        digest = self.begin()
        before = info(self.c, "persistence")
        commands = [("LRANGE", p + ":quicklist", 0, -1) for p in ("early", "late")] * 3
        commands += [("LINDEX", "early:quicklist", self.rnd.randrange(HUGE // 10)) for _ in range(200)]
        commands += [("LPOS", "late:quicklist", "e%d" % (HUGE // 10 - 1)), ("HGETALL", "early:table"), ("SMEMBERS", "late:set"),
                     ("ZRANGE", "early:skiplist", 0, -1, "WITHSCORES"), ("XRANGE", "late:stream", "-", "+"),
                     ("GET", "early:huge"), ("SORT_RO", "late:quicklist", "ALPHA", "LIMIT", 0, 10), ("KEYS", "late*"),
                     ("XREAD", "STREAMS", "early:stream", 0), ("DEBUG", "DIGEST")]
        commands += [(command, *rest) for k in KEYS for command, *rest in (
            ("DUMP", k), ("OBJECT", "ENCODING", k), ("OBJECT", "IDLETIME", k), ("TOUCH", k), ("MEMORY", "USAGE", k), ("TYPE", k))]
        self.run_all(commands)
        after = info(self.c, "persistence")
        for field in ("snapshot_preserved_pages", "snapshot_retired_bytes", "snapshot_newborn_bytes"):
            self.assertEqual((before[field], after[field]), ("0", "0"), field)
        self.finish(digest)


class Transactions(SceneCase):
    def test_exec_without_multi(self):
        digest = self.begin()
        for _ in range(3):
            replies = self.c.pipeline([("EXEC",), ("DISCARD",), ("SET", "early:int", 1), ("EXEC",), ("WATCH", "late:int"), ("EXEC",)])
            self.assertEqual([str(r) for r in replies if isinstance(r, resp.RespError)],
                             ["ERR EXEC without MULTI", "ERR DISCARD without MULTI", "ERR EXEC without MULTI",
                              "ERR EXEC without MULTI"])
        self.finish(digest)

    def test_a_transaction_over_all_types(self):
        self.in_save([("WATCH", "early:int"), ("MULTI",), ("INCR", "early:int"), ("SETRANGE", "late:huge", 7, "x"), ("DEL", "early:table"),
                      ("LTRIM", "late:quicklist", 5, 9), ("SINTERSTORE", "late:set", "late:set", "early:set"),
                      ("RENAME", "late:skiplist", "late:zset"), ("XTRIM", "early:stream", "MAXLEN", 3), ("EXEC",)])

    def test_bgsave_in_a_transaction_that_writes_before_and_after(self):
        self.c.call("CONFIG", "SET", "snapshot-rate-limit", HELD_BACK)
        replies = self.c.pipeline([("MULTI",), ("INCR", "late:int"), ("DEBUG", "DIGEST"), ("BGSAVE",), ("INCR", "late:int"),
                                   ("DEL", "early:huge"), ("BGSAVE",), ("EXEC",)])[-1]
        self.assertEqual(str(replies[-1]), "ERR Background save already in progress")
        self.finish(replies[1])


class Databases(SceneCase):
    def test_flushall(self):
        for how in ((), ("SYNC",), ("ASYNC",)):
            with self.subTest(how=how):
                self.in_save([("FLUSHALL",) + how, ("SET", "a", 1), ("DEBUG", "POPULATE", 20000, "after", 300)])
                fill_keys(self.c, "early")
                self.c.call("DEBUG", "POPULATE", FILL_BYTES // 512, "fill", 500)
                fill_keys(self.c, "late")

    def test_flushdb(self):
        self.run_all([("SELECT", 1)] + [("SET", "k%d" % i, value_of(200, i)) for i in range(500)] + [("SELECT", 0)])
        self.in_save([("FLUSHDB",), ("SET", "a", 1), ("SELECT", 1), ("FLUSHDB", "ASYNC"), ("SET", "b", 1), ("SELECT", 0),
                      ("FLUSHDB", "SYNC")])

    def test_swapdb(self):
        self.run_all([("SELECT", 1)] + [("SET", "k%d" % i, value_of(200, i)) for i in range(500)] + [("SELECT", 0)])
        self.in_save([("SWAPDB", 0, 1), ("SET", "a", 1), ("SWAPDB", 1, 7), ("SELECT", 7), ("DEL", "early:huge"), ("INCR", "late:int"),
                      ("SWAPDB", 7, 7), ("SELECT", 0), ("SWAPDB", 0, 7), ("FLUSHDB",), ("SWAPDB", 0, 7)] + [("INCR", "n")] * 5)

    def test_swapdb_and_flushall_in_turn(self):
        commands = []
        for i in range(20):
            commands += [("SWAPDB", i % 4, (i + 1) % 4), ("SET", "k%d" % i, value_of(3000, i)), ("SELECT", i % 4)]
        self.in_save(commands + [("FLUSHALL",), ("SELECT", 0)] + commands + [("SELECT", 0)])


class OtherJobs(SceneCase):
    """Another job is wanted while a save runs."""

    def test_another_save(self):
        digest = self.begin()
        replies = self.c.pipeline([("BGSAVE",), ("BGSAVE", "SCHEDULE"), ("SAVE",)])
        self.assertEqual([str(r) for r in replies], ["ERR Background save already in progress"] * 3)
        self.finish(digest)
        self.assertEqual(info(self.c, "persistence")["rdb_saves"], "1")

    def test_cancel_and_at_once_the_next(self):
        for _ in range(5):
            self.begin()
            self.run_all([("DEL", "early:huge"), ("SETRANGE", "late:huge", 100, "x"), ("BGSAVE", "CANCEL")])
            self.ended()
            self.assertFalse(os.path.exists(os.path.join(self.where, "dump.rdb")))
        digest = self.begin()
        self.run_all([("DEL", "late:huge")])
        self.finish(digest)

    def test_shutdown(self):
        """It ends the save that runs, and saves what there is now."""
        self.begin()
        self.run_all([("INCR", "late:int"), ("DEL", "early:huge")])
        digest = self.c.call("DEBUG", "DIGEST")
        self.c.call("CONFIG", "SET", "snapshot-rate-limit", 0)
        self.c.send("SHUTDOWN", "SAVE")
        self.assertEqual(self.server.wait(120), 0)
        self.check_dump(digest)

    def test_shutdown_without_a_save(self):
        self.begin()
        self.c.send("SHUTDOWN", "NOSAVE")
        self.assertEqual(self.server.wait(120), 0)
        self.assertEqual(os.listdir(self.where), [])

    def test_sigterm_with_save_points(self):
        self.c.call("CONFIG", "SET", "save", "3600 1")
        self.begin()
        self.run_all([("INCR", "late:int")])
        digest = self.c.call("DEBUG", "DIGEST")
        self.c.call("CONFIG", "SET", "snapshot-rate-limit", 0)
        self.assertEqual(self.server.stop(120), 0)
        self.check_dump(digest)

    def test_debug_reload(self):
        """It waits for the save, takes another one, and has the same data afterwards."""
        self.begin()
        self.run_all([("INCR", "late:int"), ("DEL", "early:table"), ("CONFIG", "SET", "snapshot-rate-limit", 0)])
        digest = self.c.call("DEBUG", "DIGEST")
        self.assertEqual(self.c.call("DEBUG", "RELOAD"), b"OK")
        self.assertEqual(self.c.call("DEBUG", "DIGEST"), digest)
        self.check_dump(digest)

    def test_debug_reload_of_the_file_of_before(self):
        """The data of the cut is gone, and the save still writes it."""
        self.c.call("SAVE")
        self.run_all([("DEL", "early:int"), ("SET", "a", 1)])
        digest = self.begin()
        self.assertEqual(self.c.call("DEBUG", "RELOAD", "NOSAVE"), b"OK")
        self.assertEqual(self.c.call("EXISTS", "a"), 0)
        self.finish(digest)

    def test_flushall_with_save_points(self):
        self.c.call("CONFIG", "SET", "save", "3600 100000000")
        digest = self.begin()
        self.run_all([("FLUSHALL",), ("SET", "a", 1)])
        after = self.c.call("DEBUG", "DIGEST")
        self.assertEqual(info(self.c, "persistence")["rdb_bgsave_scheduled"], "1")
        self.finish_then(digest, after)

    def finish_then(self, first, second):
        """The save that runs writes the first; the one that FLUSHALL wants then the second."""
        self.assertTrue(self.is_saving())
        self.c.call("CONFIG", "SET", "snapshot-rate-limit", 0)
        self.assertNotEqual(first, second)

        def nothing_is_to_come():
            f = info(self.c, "persistence")  # both of one moment: one save may begin as the other ends
            return f["rdb_bgsave_in_progress"] == f["rdb_bgsave_scheduled"] == "0"
        resp.wait_until(nothing_is_to_come, 120, what="both saves")
        self.check_dump(second)

    def test_a_defrag_pass_waits(self):
        for i in range(0, FILL_BYTES, 5 << 20):  # nine tenths of each slab go
            self.c.pipeline([("DEL", "fill%d:%d" % (i, k)) for k in range((5 << 20) // 512) if k % 10])
        self.c.call("DEBUG", "POPULATE", FILL_BYTES // 512, "again", 500)
        digest = self.begin()
        self.run_all([("CONFIG", "SET", "active-defrag-ignore-bytes", "1"), ("CONFIG", "SET", "active-defrag-threshold-lower", "1"),
                      ("CONFIG", "SET", "activedefrag", "yes"), ("MEMORY", "PURGE"), ("DEL", "early:huge", "late:table")])
        time.sleep(0.5)
        self.finish(digest)
        after = self.c.call("DEBUG", "DIGEST")
        self.c.call("CONFIG", "SET", "activedefrag", "no")
        self.c.call("SAVE")
        self.check_dump(after)

    def test_parameters_change(self):
        digest = self.begin()
        for name, values in (("rdbcompression", ("yes", "no")), ("dbfilename", ("other.rdb", "dump.rdb")),
                             ("snapshot-memory-limit", ("1mb", "0")), ("save", ("1 1000000", "")), ("stop-writes-on-bgsave-error", ("no", "yes")),
                             ("hash-max-listpack-entries", (1, 512)), ("maxmemory-policy", ("allkeys-lfu", "noeviction")),
                             ("snapshot-threads", (1, 2, 0)), ("hz", (100, 10))):
            for value in values:
                self.run_all([("CONFIG", "SET", name, value), ("HSET", "late:hash", "f3", value), ("INCR", "n")])
        self.finish(digest)


class Clients(SceneCase):
    """Clients that go in the middle of something."""

    def test_one_is_killed_with_half_a_command(self):
        digest = self.begin()
        for half in (b"*3\r\n$3\r\nSET\r\n$8\r\nlate:int\r\n$2000000\r\n" + b"x" * 1000000, b"*2\r\n$3\r\nDEL\r\n$10\r\nearly",
                     b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$8\r\nlate:int\r\n"):
            client = self.server.client()
            number = client.call("CLIENT", "ID")
            client.send_raw(half)
            self.run_all([("INCR", "early:int"), ("CLIENT", "KILL", "ID", number)])
            with self.assertRaises((EOFError, OSError)):
                client.read()  # QUEUED, perhaps
                client.read()
                client.read()
            client.close()
        self.finish(digest)

    def test_one_is_killed_that_waits_and_one_that_reads_nothing(self):
        waiter, lazy = self.server.client(), self.server.client()
        digest = self.begin()
        ids = [waiter.call("CLIENT", "ID"), lazy.call("CLIENT", "ID")]
        waiter.send("BLMOVE", "none", "late:list", "LEFT", "LEFT", 0)
        for _ in range(20):
            lazy.send("GET", "early:huge")
        resp.wait_until(lambda: info(self.c, "clients")["blocked_clients"] == "1")
        self.run_all([("CLIENT", "KILL", "ID", i) for i in ids] + [("RPUSH", "none", "x"), ("DEL", "early:huge")])
        self.assertEqual(self.c.call("LLEN", "late:list"), 3)
        for client in (waiter, lazy):
            client.close()
        self.finish(digest)

    def test_the_one_that_wanted_the_save_goes(self):
        other = self.server.client()
        self.c.call("CONFIG", "SET", "snapshot-rate-limit", HELD_BACK)
        digest = other.pipeline([("MULTI",), ("DEBUG", "DIGEST"), ("BGSAVE",), ("EXEC",)])[-1][0]
        other.close()
        self.run_all([("SETRANGE", "late:huge", 9, "xyz")])
        self.finish(digest)

    def test_those_who_wait_are_served(self):
        waiting = [self.server.client() for _ in range(4)]
        digest = self.begin()
        for client, command in zip(waiting, (("BLPOP", "l", 0), ("BLMOVE", "m", "late:quicklist", "LEFT", "RIGHT", 0), ("BZPOPMIN", "z", 0),
                                             ("XREADGROUP", "GROUP", "g", "d", "BLOCK", 0, "STREAMS", "late:stream", ">"))):
            client.send(*command)
        self.c.call("XREADGROUP", "GROUP", "g", "c", "STREAMS", "late:stream", ">")  # nothing is left for the one that waits
        resp.wait_until(lambda: int(info(self.c, "clients")["blocked_clients"]) >= 3)
        self.run_all([("RENAME", "early:quicklist", "l"), ("RPUSH", "m", "x"), ("RENAME", "early:skiplist", "z"),
                      ("XADD", "late:stream", "99999999-1", "f", "v")])
        for client in waiting:
            self.assertIsNotNone(client.read(raising=True))
            client.close()
        self.finish(digest)


class FullSpeed(SceneCase):
    """One key is the data, and is written as fast as it goes while it is saved."""

    def setUp(self):
        super().setUp()
        self.c.call("DEL", *KEYS)

    def written(self, build, write):
        """build(i): commands that make the key; write(rnd): one that changes it."""
        for first in range(0, HUGE, 500):
            self.run_all([build(i) for i in range(first, first + 500)])
        stop, failures, done = threading.Event(), [], []

        def writer(number):
            rnd = random.Random("%d %d" % (SEED, number))
            try:
                with self.server.client() as c:
                    while not stop.is_set():
                        self.run_all([write(rnd) for _ in range(100)], c)
                        done.append(100)
            except Exception as e:  # noqa: BLE001 - reported below
                failures.append(e)
        threads = [threading.Thread(target=writer, args=(n,), daemon=True) for n in range(2)]
        for t in threads:
            t.start()
        try:
            for _ in range(2):
                digest = self.begin()
                before = len(done)
                resp.wait_until(lambda: len(done) > before + 20 or failures, 60)
                self.finish(digest)
        finally:
            stop.set()
            for t in threads:
                t.join(60)
        self.assertEqual(failures, [])

    def test_a_string(self):
        self.c.call("SETRANGE", "k", 60 * HUGE, "end")
        self.written(lambda i: ("SETRANGE", "k", 60 * i, value_of(60, i)),
                     lambda r: ("SETRANGE", "k", r.randrange(60 * HUGE), value_of(r.randrange(1, 3000), 7)))

    def test_a_hash(self):
        self.written(lambda i: ("HSET", "k", "f%d" % i, value_of(50, i)),
                     lambda r: r.choice([("HSET", "k", "f%d" % r.randrange(2 * HUGE), value_of(r.randrange(90), 5)),
                                         ("HDEL", "k", "f%d" % r.randrange(2 * HUGE)), ("HINCRBY", "k", "n", 1)]))

    def test_a_list(self):
        self.written(lambda i: ("RPUSH", "k", value_of(50, i)),
                     lambda r: r.choice([("RPUSH", "k", value_of(r.randrange(90), 5)), ("LPOP", "k"), ("LMOVE", "k", "k", "LEFT", "RIGHT"),
                                         ("LSET", "k", r.randrange(100), "x"), ("LPUSH", "k", "y"), ("RPOP", "k")]))

    def test_a_set(self):
        self.written(lambda i: ("SADD", "k", "m%d" % i), lambda r: (r.choice(["SADD", "SREM"]), "k", "m%d" % r.randrange(2 * HUGE)))

    def test_a_sorted_set(self):
        self.written(lambda i: ("ZADD", "k", i, "m%d" % i),
                     lambda r: r.choice([("ZADD", "k", r.randrange(HUGE), "m%d" % r.randrange(2 * HUGE)),
                                         ("ZREM", "k", "m%d" % r.randrange(2 * HUGE)), ("ZINCRBY", "k", 3, "m1"), ("ZPOPMIN", "k")]))

    def test_a_stream(self):
        self.c.call("XGROUP", "CREATE", "k", "g", 0, "MKSTREAM")
        self.written(lambda i: ("XADD", "k", "*", "f", value_of(40, i)),
                     lambda r: r.choice([("XADD", "k", "*", "f", value_of(r.randrange(90), 5)), ("XTRIM", "k", "MAXLEN", HUGE),
                                         ("XREADGROUP", "GROUP", "g", "c", "COUNT", 5, "STREAMS", "k", ">"),
                                         ("XAUTOCLAIM", "k", "g", "d", 0, 0, "COUNT", 3)]))


if __name__ == "__main__":
    unittest.main()
