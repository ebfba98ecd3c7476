#!/usr/bin/env python3
"""BGSAVE TO: a copy of some of the data beside the dump.  What redis-server loads of it is what was
chosen, as it was at that moment; and nothing that is known of the dump changes."""
import os
import random
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_server import QUICK, ServerCase, info as fields_of  # noqa: E402

PREFIXES = ["user:", "cache:", "x"]
LONG = 70000  # longer than the sweep sees of a record at a time


def info(c, name):
    return fields_of(c)[name]


def fill(c, keys, seed):
    """Keys of each type, in three databases, some with an expiry, some with long names."""
    draw = random.Random(seed)
    for db in (0, 1, 9):
        commands = [("SELECT", db)]
        for i in range(keys):
            name = "%s%d" % (draw.choice(PREFIXES), i)
            if draw.random() < 0.01:
                name += "-" * LONG + draw.choice("ab")
            commands.append(draw.choice([
                ("SET", name, "v" * draw.randrange(200)), ("SET", name, draw.randrange(1000)), ("RPUSH", name, "a", "b", i),
                ("SADD", name, 1, 2, i), ("SADD", name, "m", i), ("ZADD", name, 1, "a", i, "b"),
                ("HSET", name, "f", "v" * 80, "g", i), ("HSET", name, "f", i), ("XADD", name, "1-1", "f", i)]))
            if draw.random() < 0.1:
                commands.append(("PEXPIRE", name, 10 ** 9))
        errors = [r for r in c.pipeline(commands) if isinstance(r, resp.RespError)]
        assert not errors, errors[0]
    c.call("SELECT", 0)


def reduce_to(c, dbs=(), patterns=(), types=()):
    """Remove what was not chosen, by what this server thinks of patterns and types."""
    for db in range(16):
        c.call("SELECT", db)
        if dbs and db not in dbs:
            c.call("FLUSHDB")
            continue
        names = c.call("KEYS", "*")
        wanted = set(names) if not patterns else {n for p in patterns for n in c.call("KEYS", p)}
        if types:
            is_type = dict(zip(names, c.pipeline([("TYPE", n) for n in names])))
            wanted = {n for n in wanted if is_type[n].decode() in types}
        gone = [n for n in names if n not in wanted]
        c.pipeline([("DEL", n) for n in gone])


def options(dbs=(), patterns=(), types=()):
    out = [("DB", db) for db in dbs] + [("MATCH", p) for p in patterns] + [("TYPE", t) for t in types]
    random.Random(len(out)).shuffle(out)
    return [w for pair in out for w in pair]


CHOICES = [
    {},
    {"dbs": [9]},
    {"dbs": [1, 0]},
    {"patterns": ["user:*"]},
    {"patterns": ["*1*", "x?"]},
    {"patterns": ["*-a"]},
    {"patterns": ["*-----*b", "cache:[0-5]*"], "dbs": [0, 9]},
    {"types": ["hash"]},
    {"types": ["STRING", "list", "stream"]},
    {"types": ["set", "zset"], "patterns": ["user:*", "cache:*"], "dbs": [1]},
    {"dbs": [15]},
    {"patterns": ["nothing*"]},
]


class CopyCase(ServerCase):
    def wait(self, c):
        resp.wait_until(lambda: info(c, "rdb_bgsave_in_progress") == "0", 120)

    def digest(self, c):
        return c.call("DEBUG", "DIGEST")


class Choice(CopyCase):
    def load_in_redis(self, name):
        directory = self.path("redis-" + name)
        os.mkdir(directory)
        os.link(self.path(name), os.path.join(directory, name))
        server = resp.start_redis_server(directory, "--save", "", "--dbfilename", name, "--enable-debug-command", "yes",
                                         "--sanitize-dump-payload", "yes")
        self.servers.append(server)
        return server

    def test_what_redis_loads_of_a_copy_is_what_was_chosen_at_that_moment(self):
        server = self.start("--save", "", "--enable-debug-command", "yes")
        c = server.client()
        seed = random.SystemRandom().randrange(1 << 30)
        print("seed %d" % seed)
        fill(c, 300 if QUICK else 1000, seed)
        c.call("BGSAVE", "TO", "all.rdb")
        self.wait(c)
        for n, choice in enumerate(CHOICES):
            with self.subTest(choice):
                name = "part%d" % n  # with or without a suffix
                # Clients write on, from the very next command: the copy is of the moment before.
                replies = c.pipeline([("BGSAVE", "TO", name, *options(**choice)), ("SET", "user:late", "1"), ("INCR", "x-late"),
                                      ("SELECT", 9), ("HSET", "cache:late", "f", "v"), ("SWAPDB", 1, 9), ("SWAPDB", 9, 1),
                                      ("DEL", "user:late"), ("DEL", "cache:late"), ("SELECT", 0), ("DEL", "user:late"),
                                      ("DEL", "x-late")])
                self.assertEqual(replies[0], b"Background saving started")
                self.wait(c)
                self.assertEqual(info(c, "rdb_last_copy_status"), "ok", server.log())
                part = self.load_in_redis(name)
                with part.client() as loaded:
                    self.assertNotIn("Error", part.log())
                    got = self.digest(loaded)
                    keys = sum(int(line.split("keys=")[1].split(",")[0])
                               for line in loaded.call("INFO", "keyspace").decode().split("\r\n") if "keys=" in line)
                part.kill()
                directory = self.path("whole%d" % n)
                os.mkdir(directory)
                os.link(self.path("all.rdb"), os.path.join(directory, "dump.rdb"))
                reference = resp.start_redis_server(directory, "--save", "", "--enable-debug-command", "yes")
                self.servers.append(reference)
                with reference.client() as r:
                    reduce_to(r, choice.get("dbs", ()), choice.get("patterns", ()), [t.lower() for t in choice.get("types", ())])
                    self.assertEqual(got, self.digest(r))
                reference.kill()
                self.assertEqual(info(c, "rdb_last_copy_keys"), str(keys))
                self.assertEqual(int(info(c, "rdb_last_copy_bytes")), os.path.getsize(self.path(name)))

    def test_it_is_loaded_here_too_and_has_no_wrong_sizes(self):
        server = self.start("--save", "", "--enable-debug-command", "yes")
        c = server.client()
        fill(c, 200, 1)
        c.call("BGSAVE", "TO", "dump-of-users", "MATCH", "user:*")
        self.wait(c)
        other = self.start("--save", "", "--dbfilename", "dump-of-users", "--enable-debug-command", "yes")
        with other.client() as o:
            reduce_to(c, patterns=["user:*"])
            self.assertEqual(self.digest(o), self.digest(c))


class Beside(CopyCase):
    def dump_state(self, c):
        return [info(c, n) for n in ("rdb_changes_since_last_save", "rdb_last_save_time", "rdb_last_bgsave_status",
                                     "rdb_last_bgsave_time_sec", "rdb_saves")] + [c.call("LASTSAVE")]

    def test_nothing_that_is_known_of_the_dump_changes(self):
        server = self.start("--save", "3600 100000")
        c = server.client()
        c.pipeline([("SET", "k%d" % i, "v") for i in range(100)])
        before = self.dump_state(c)
        self.assertEqual(before[0], "100")
        time.sleep(1.1)  # LASTSAVE would be another
        c.call("BGSAVE", "TO", "copy.rdb")
        self.wait(c)
        self.assertEqual(self.dump_state(c), before)
        self.assertEqual((info(c, "rdb_copies"), info(c, "rdb_last_copy_keys")), ("1", "100"))
        self.assertFalse(os.path.exists(self.path("dump.rdb")))
        self.assertIn("Copy saved as 'copy.rdb': 100 of 100 keys", server.log())

    def test_a_copy_that_fails_is_nobody_elses_failure(self):
        directory = self.path("sub")
        os.mkdir(directory)
        server = self.start("--save", "900 1000", "--dir", directory)
        c = server.client()
        c.call("SET", "k", "v")
        os.rmdir(directory)
        before = self.dump_state(c)
        self.assertEqual(c.call("BGSAVE", "TO", "copy.rdb"), b"Background saving started")
        resp.wait_until(lambda: info(c, "rdb_last_copy_status") == "err")
        self.assertEqual(self.dump_state(c), before)
        self.assertEqual(c.call("SET", "k", "w"), b"OK")  # no MISCONF
        self.assertIn("Copy to 'copy.rdb' failed: open of a temporary file beside copy.rdb: No such file", server.log())

    def test_who_waits_is_told_what_became_of_it(self):
        directory = self.path("sub")
        os.mkdir(directory)
        server = self.start("--save", "", "--dir", directory, "--enable-debug-command", "yes")
        c = server.client()
        c.call("DEBUG", "POPULATE", 20000, "k", 50)
        self.assertEqual(c.call("BGSAVE", "TO", "a", "WAIT", "MATCH", "k:1*"), b"Background saving terminated with success")
        self.assertEqual((info(c, "rdb_copies"), info(c, "rdb_bgsave_in_progress")), ("1", "0"))
        # Who wants a dump meanwhile waits for that, and not for the copy.
        self.assertEqual(c.pipeline([("BGSAVE", "TO", "b"), ("BGSAVE", "WAIT")]),
                         [b"Background saving started", b"Background saving terminated with success"])
        self.assertEqual(sorted(os.listdir(directory)), ["a", "b", "dump.rdb"])
        self.assertEqual(c.pipeline([("MULTI",), ("BGSAVE", "TO", "c", "WAIT"), ("BGSAVE", "CANCEL"), ("EXEC",)])[3],
                         [b"Background saving started", b"Background saving cancelled"])
        self.wait(c)
        for name in os.listdir(directory):
            os.unlink(os.path.join(directory, name))
        os.rmdir(directory)
        with self.assertRaisesRegex(resp.RespError, "^ERR Background saving failed: open of a temporary file beside d: No such file"):
            c.call("BGSAVE", "TO", "d", "WAIT")

    def test_one_snapshot_at_a_time(self):
        server = self.start("--save", "", "--enable-debug-command", "yes")
        c = server.client()
        c.call("DEBUG", "POPULATE", 20000, "k", 50)
        busy = resp.RespError("ERR Background save already in progress")
        self.assertEqual(c.pipeline([("BGSAVE", "TO", "a"), ("BGSAVE",), ("BGSAVE", "TO", "b"), ("SAVE",), ("BGSAVE", "SCHEDULE")]),
                         [b"Background saving started", busy, busy, busy, busy])
        self.wait(c)
        self.assertEqual(c.pipeline([("BGSAVE",), ("BGSAVE", "TO", "b")]), [b"Background saving started", busy])
        self.wait(c)
        self.assertEqual(sorted(os.listdir(self.dir)), ["a", "dump.rdb"])

    def test_a_save_that_is_wanted_meanwhile_comes_afterwards(self):
        server = self.start("--save", "3600 1000000", "--enable-debug-command", "yes")
        c = server.client()
        c.call("DEBUG", "POPULATE", 20000, "k", 50)
        replies = c.pipeline([("BGSAVE", "TO", "a"), ("FLUSHALL",), ("INFO", "persistence")])
        self.assertIn(b"rdb_bgsave_scheduled:1", replies[2])
        resp.wait_until(lambda: os.path.exists(self.path("dump.rdb")))
        self.wait(c)
        self.assertEqual((info(c, "rdb_changes_since_last_save"), info(c, "rdb_bgsave_scheduled")), ("0", "0"))
        self.assertEqual(info(c, "rdb_last_copy_keys"), "20000")
        server.stop()

    def test_a_cancelled_one_leaves_the_old_file_and_no_other(self):
        server = self.start("--save", "", "--enable-debug-command", "yes")
        c = server.client()
        c.call("DEBUG", "POPULATE", 20000, "k", 50)
        c.call("BGSAVE", "TO", "a", "MATCH", "k:1*")
        self.wait(c)
        with open(self.path("a"), "rb") as f:
            old = f.read()
        self.assertEqual(c.pipeline([("BGSAVE", "TO", "a"), ("BGSAVE", "CANCEL")]),
                         [b"Background saving started", b"Background saving cancelled"])
        self.wait(c)
        with open(self.path("a"), "rb") as f:
            self.assertEqual(f.read(), old)
        self.assertEqual(os.listdir(self.dir), ["a"])
        self.assertEqual((info(c, "rdb_copies"), info(c, "rdb_last_copy_status")), ("1", "ok"))
        self.assertIn("Copy to 'a' cancelled: by BGSAVE CANCEL", server.log())
        c.call("BGSAVE", "TO", "a")
        self.wait(c)
        self.assertEqual(info(c, "rdb_last_copy_keys"), "20000")

    def test_one_that_is_given_up_for_its_memory_is_no_failure(self):
        """Whether the loop or the sweep is the first to see that a write has taken too much."""
        server = self.start("--save", "", "--enable-debug-command", "yes", "--rdbcompression", "no", "--snapshot-rate-limit", "1mb",
                            "--snapshot-memory-limit", "65536", "--snapshot-memory-policy", "cancel")
        c, w = server.client(), server.client()
        c.call("DEBUG", "POPULATE", 50000, "k", 500)
        reasons = "(snapshot-memory-limit \\(65536 bytes\\) was reached|one command needed more than snapshot-memory-limit)"
        w.send("BGSAVE", "TO", "a", "WAIT")
        resp.wait_until(lambda: info(c, "rdb_copy_in_progress") == "1")
        draw = random.Random(1)
        for _ in range(200):
            c.pipeline([("SETRANGE", "k:%d" % draw.randrange(50000), 0, "zzz") for _ in range(100)])
        with self.assertRaisesRegex(resp.RespError, "^ERR Background saving cancelled: " + reasons):
            w.read(raising=True)
        self.assertEqual((info(c, "rdb_last_copy_status"), info(c, "rdb_saves_cancelled"), info(c, "snapshot_given_up")), ("ok", "0", "1"))
        self.assertRegex(server.log(), "Copy to 'a' cancelled: " + reasons)
        self.assertNotIn("failed", server.log())

    def test_an_end_of_the_server_takes_it_along(self):
        server = self.start("--save", "", "--enable-debug-command", "yes")
        c = server.client()
        c.call("DEBUG", "POPULATE", 20000, "k", 50)
        c.sock.sendall(resp.pack("BGSAVE", "TO", "a") + resp.pack("SHUTDOWN", "NOSAVE"))
        self.assertEqual(server.wait(), 0)
        self.assertLessEqual(set(os.listdir(self.dir)), {"a"})


class Names(CopyCase):
    def setUp(self):
        super().setUp()
        self.server = self.start("--save", "")
        self.c = self.server.client()

    def refused(self, *args):
        with self.assertRaises(resp.RespError) as e:
            self.c.call("BGSAVE", *args)
        self.assertEqual(info(self.c, "rdb_bgsave_in_progress"), "0")
        return str(e.exception)

    def test_what_is_no_name_of_a_copy(self):
        for name, why in (("dump.rdb", "the dump's own name"), ("", "1 to 255 bytes"), ("a/b", "can't be a path"),
                          ("/tmp/x", "can't be a path"), ("..", "can't be a path"), (".", "can't be a path"),
                          ("x" * 256, "1 to 255 bytes"), (b"a\0b", "none of them zero"),
                          ("temp-stillframe-77-0123456789abcdef.rdb", "files that the server removes"),
                          ("dump-20261129T101500Z.rdb", "files that the server removes")):
            self.assertIn(why, self.refused("TO", name))
        self.assertEqual(os.listdir(self.dir), [])
        self.assertEqual(self.c.call("BGSAVE", "TO", "x" * 200), b"Background saving started")

    def test_only_a_dump_is_replaced(self):
        with open(self.path("notes"), "wb") as f:
            f.write(b"REDI")
        os.mkdir(self.path("folder"))
        os.symlink("nowhere", self.path("link"))
        os.mkfifo(self.path("pipe"))
        for name in ("notes", "folder", "link", "pipe"):
            self.assertIn("that is no dump: it stays", self.refused("TO", name))
        with open(self.path("notes"), "rb") as f:
            self.assertEqual(f.read(), b"REDI")
        for _ in range(2):
            self.c.call("BGSAVE", "TO", "copy")
            self.wait(self.c)
            self.assertEqual(info(self.c, "rdb_last_copy_status"), "ok")

    def test_a_name_of_any_other_bytes_is_one(self):
        name = b"a 'name' \xff\n*"
        self.c.call("BGSAVE", "TO", name)
        self.wait(self.c)
        self.assertEqual(os.listdir(os.fsencode(self.dir)), [name])
        self.assertIn("Copy saved as 'a 'name' \\xff\\x0a*'", self.server.log())

    def test_what_is_no_choice(self):
        for args in (("DB",), ("DB", 1, "MATCH"), ("DB", 1, 2), ("TYPE",), ("KEYS", "x"), ("MATCH", "a", "b"), ("TO", "y"), ("WAIT", "WAIT"), ("CANCEL",)):
            self.assertEqual(self.refused("TO", "x", *args), "ERR syntax error")
        self.assertEqual(self.refused("TO"), "ERR syntax error")
        self.assertEqual(self.refused("TO", "x", "DB", 16), "ERR DB index is out of range")
        self.assertEqual(self.refused("TO", "x", "DB", -1), "ERR DB index is out of range")
        self.assertEqual(self.refused("TO", "x", "DB", "one"), "ERR value is not an integer or out of range")
        self.assertIn("ERR unknown type 'table', a type is string", self.refused("TO", "x", "TYPE", "table"))
        self.assertEqual(self.refused("TO", "x", "MATCH", "p" * 1025), "ERR a pattern of BGSAVE TO has at most 1024 bytes")
        self.assertEqual(self.refused("TO", "x", *["MATCH", "p"] * 65), "ERR BGSAVE TO takes MATCH at most 64 times")
        self.assertEqual(self.refused("TO", "x", *["DB", "1"] * 65), "ERR BGSAVE TO takes DB at most 64 times")
        self.assertEqual(os.listdir(self.dir), [])
        self.assertEqual(self.c.call("BGSAVE", "to", "x", *["match", "p" * 1024] * 64, *["db", 2] * 64, *["type", "Set"] * 100),
                         b"Background saving started")


if __name__ == "__main__":
    unittest.main()
