#!/usr/bin/env python3
"""A hash of a million fields and a string of 512 MB, written at full speed during a save: the snapshot is of its instant,
and one write preserves a handful of pages, whatever the key's size."""
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
from test_oracle import Writer, batch, encode  # noqa: E402

FIELDS = 1000000
STRING_BYTES = 512 << 20


def preserved_pages(info):
    return int(re.search(rb"snapshot_preserved_pages:(\d+)", info).group(1))


class HugeKeys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="huge-")
        os.mkdir(os.path.join(cls.dir, "redis"))
        os.mkdir(os.path.join(cls.dir, "stillframe"))
        cls.server = resp.start_stillframe(os.path.join(cls.dir, "stillframe"), "--save", "", "--rdbcompression", "no",
                                           "--enable-debug-command", "yes")
        c = cls.client = cls.server.client()
        for start in range(0, FIELDS, 1000):
            c.call("HSET", "hash", *sum((["field:%07d" % i, "value-%d" % i] for i in range(start, start + 1000)), []))
        c.call("SETRANGE", "string", STRING_BYTES - 1, "x")
        rnd = random.Random(1)
        c.pipeline([("SETRANGE", "string", rnd.randrange(STRING_BYTES - 100), "r" * 100) for _ in range(5000)])

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.server.stop()
        shutil.rmtree(cls.dir, ignore_errors=True)

    def wait_saved(self):
        resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in self.client.call("INFO", "persistence"), 300)
        self.assertIn(b"rdb_last_bgsave_status:ok", self.client.call("INFO", "persistence"))

    def pages_of(self, *command):
        """How many pages one command preserves while a save runs that has not come to its key."""
        c = self.client
        c.call("MULTI")
        for args in (("BGSAVE",), ("INFO", "persistence"), command, ("INFO", "persistence")):
            c.call(*args)
        replies = c.call("EXEC")
        self.assertNotIsInstance(replies[2], resp.RespError)
        self.wait_saved()
        return preserved_pages(replies[3]) - preserved_pages(replies[1])

    def test_one_write_preserves_a_handful_of_pages(self):
        for command, most in ((("HSET", "hash", "field:0500000", "new-value-" * 2), 4),
                              (("HSET", "hash", "a-new-field", "v"), 12),  # bucket, root, and one split
                              (("HDEL", "hash", "field:0400000"), 12),
                              (("HINCRBY", "hash", "counter", 1), 12),
                              (("SETRANGE", "string", 300 << 20, "change"), 2),
                              (("SETRANGE", "string", (100 << 20) - 3, "across an edge"), 2),
                              (("APPEND", "small", "x" * 10), 2)):
            pages = self.pages_of(*command)
            print("%s %s: %d pages" % (command[0], command[1], pages), file=sys.stderr)
            self.assertLessEqual(pages, most, command)

    def test_the_oracle_under_writes_at_full_speed(self):
        rnd = random.Random(2)
        buffers = []
        for i in range(100):
            commands = []
            for _ in range(50):
                commands.append(encode("HSET", "hash", "field:%07d" % rnd.randrange(FIELDS), "w" * rnd.randrange(30)))
                commands.append(encode("SETRANGE", "string", rnd.randrange(STRING_BYTES - 100), "s" * rnd.randrange(1, 80)))
                if rnd.random() < 0.2:
                    commands.append(encode("HDEL", "hash", "field:%07d" % rnd.randrange(FIELDS)))
                if rnd.random() < 0.1:
                    commands.append(encode("HSET", "hash", "extra:%d" % rnd.randrange(10 ** 6), "e"))
            buffers.append(batch(commands, i))
        redis = resp.start_redis_server(os.path.join(self.dir, "redis"), "--save", "", "--enable-debug-command", "yes",
                                        "--dbfilename", "dump.rdb")
        self.addCleanup(redis.stop)
        writer = Writer(self.server.port, buffers)
        writer.start()
        for _ in range(2):
            c = self.client
            c.call("MULTI")
            c.call("DEBUG", "DIGEST")
            c.call("BGSAVE")
            digest, started = c.call("EXEC")
            self.assertEqual(started, b"Background saving started")
            before = writer.batches
            begin = time.time()
            self.wait_saved()
            print("a save of %.1f s beside %d batches of writes" % (time.time() - begin, writer.batches - before), file=sys.stderr)
            self.assertGreater(writer.batches, before)
            self.assertIsNone(writer.error)
            shutil.copyfile(os.path.join(self.dir, "stillframe", "dump.rdb"), os.path.join(self.dir, "redis", "dump.rdb"))
            with redis.client() as r:
                r.call("DEBUG", "RELOAD", "NOSAVE")
                self.assertEqual(r.call("DEBUG", "DIGEST"), digest)
        writer.stop.set()
        writer.join(30)


if __name__ == "__main__":
    unittest.main()
