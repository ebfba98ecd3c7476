#!/usr/bin/env python3
"""Sparse memory is emptied: activedefrag, MEMORY PURGE, and by itself after a save; commands see
nothing of it."""
import os
import random
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

KEYS = 150000
MB = 1 << 20
# Free memory that waits to be used again, and a slab for each size: what is there however little is
# live.
SPARE = 16 * MB + 6 * MB


def fields(client):
    lines = client.call("INFO", "everything").decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


class Defrag(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def start(self, *args):
        server = resp.start_stillframe(self.dir, "--save", "", "--enable-debug-command", "yes", *args)
        self.addCleanup(server.kill)
        return server.client()

    def sparse(self, c):
        """Much data of all types, of which nine tenths go at random."""
        rnd = random.Random(7)
        self.assertEqual(c.call("DEBUG", "POPULATE", KEYS, "key", 300), b"OK")
        batch = []
        for i in range(300):
            batch.append(["HSET", "h%d" % i] + [w for k in range(200) for w in ("f%d" % k, "v" * rnd.randint(1, 90))])
            batch.append(["ZADD", "z%d" % i] + [w for k in range(200) for w in (str(k), "member:%d" % k)])
            batch.append(["SADD", "s%d" % i] + ["member:%d" % k for k in range(200)])
            batch.append(["RPUSH", "l%d" % i] + ["e" * rnd.randint(100, 900) for _ in range(100)])
        batch += [["XADD", "x%d" % (i % 50), "*", "field", "v" * rnd.randint(1, 200)] for i in range(10000)]
        self.assertFalse([r for r in c.pipeline(batch) if isinstance(r, resp.RespError)])
        gone = [name for name in c.call("KEYS", "*") if rnd.random() < 0.9]
        for first in range(0, len(gone), 1000):
            c.call("UNLINK", *gone[first:first + 1000])
        self.wait(lambda: fields(c)["lazyfree_pending_objects"] == "0")
        f = fields(c)
        self.assertGreater(int(f["mm_resident_bytes"]), 3 * int(f["mm_live_bytes"]) + SPARE / 2)
        return c.call("DEBUG", "DIGEST")

    def wait(self, true, seconds=60):
        until = time.time() + seconds
        while not true():
            self.assertLess(time.time(), until)
            time.sleep(0.05)

    def is_dense(self, c):
        f = fields(c)
        return int(f["mm_resident_bytes"]) < 1.3 * int(f["mm_live_bytes"]) + SPARE

    def is_quiet(self, c):
        """No pass is under way, and none follows within half a second."""
        before = fields(c)["active_defrag_misses"]
        time.sleep(0.5)
        f = fields(c)
        return f["active_defrag_running"] == "0" and f["active_defrag_misses"] == before

    def assert_quiet(self, c, digest):
        """What was to be done is done, and was seen in INFO; the data is as it was."""
        self.wait(lambda: self.is_quiet(c))
        f = fields(c)
        for name in ("active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses"):
            self.assertGreater(int(f[name]), 100, name)
        self.assertEqual(c.call("DEBUG", "DIGEST"), digest)
        self.assertEqual(f["current_active_defrag_time"], "0")
        self.assertEqual(c.call("CONFIG", "RESETSTAT"), b"OK")
        g = fields(c)
        self.assertEqual(["0"] * 3, [g["active_defrag_hits"], g["active_defrag_key_misses"], g["total_active_defrag_time"]])

    def test_activedefrag_empties_what_is_sparse(self):
        c = self.start()
        digest = self.sparse(c)
        self.assertEqual(c.call("CONFIG", "SET", "activedefrag", "yes"), b"OK")  # less than 100 MB are to be gained
        time.sleep(0.5)
        self.assertEqual(fields(c)["active_defrag_hits"], "0")
        self.assertEqual(c.call("CONFIG", "SET", "active-defrag-ignore-bytes", "1mb",
                                "active-defrag-cycle-min", "1", "active-defrag-cycle-max", "1"), b"OK")
        # At a hundredth of the loop a pass is long enough to be seen, however fast the machine is.
        self.wait(lambda: fields(c)["active_defrag_running"] == "1")
        self.assertEqual(c.call("CONFIG", "SET", "active-defrag-cycle-max", "25"), b"OK")
        self.wait(lambda: self.is_dense(c))
        self.wait(lambda: fields(c)["active_defrag_running"] == "0")
        self.assertGreater(int(fields(c)["total_active_defrag_time"]), 0)
        self.assert_quiet(c, digest)

    def test_activedefrag_keeps_to_its_thresholds_and_its_share(self):
        c = self.start("--activedefrag", "yes", "--active-defrag-ignore-bytes", "1mb", "--active-defrag-threshold-lower", "1000")
        self.sparse(c)
        time.sleep(0.5)
        self.assertEqual(fields(c)["active_defrag_hits"], "0")
        c.call("CONFIG", "SET", "active-defrag-threshold-lower", 1, "active-defrag-threshold-upper", 5,
               "active-defrag-cycle-min", 1, "active-defrag-cycle-max", 2)
        self.wait(lambda: fields(c)["active_defrag_running"] == "2", 5)
        self.assertEqual(c.call("CONFIG", "SET", "activedefrag", "no"), b"OK")
        self.wait(lambda: fields(c)["active_defrag_running"] == "0", 5)

    def test_memory_purge_empties_what_is_sparse(self):
        c = self.start()
        digest = self.sparse(c)
        time.sleep(0.3)
        self.assertEqual(fields(c)["active_defrag_hits"], "0")
        self.assertEqual(c.call("MEMORY", "PURGE"), b"OK")
        self.wait(lambda: self.is_dense(c))
        self.assert_quiet(c, digest)

    def test_after_a_save_what_is_sparse_is_emptied(self):
        c = self.start()
        digest = self.sparse(c)
        self.assertEqual(c.call("BGSAVE"), b"Background saving started")
        self.wait(lambda: fields(c)["rdb_bgsave_in_progress"] == "0")
        self.wait(lambda: self.is_dense(c))
        self.assert_quiet(c, digest)

    def test_commands_and_saves_go_on_meanwhile(self):
        c = self.start("--active-defrag-ignore-bytes", "64kb", "--active-defrag-cycle-min", "60",
                       "--active-defrag-cycle-max", "90", "--hz", "100")
        self.sparse(c)
        c.call("CONFIG", "SET", "activedefrag", "yes")
        model, rnd = {}, random.Random(3)
        for round_ in range(12):
            batch = []
            for _ in range(4000):
                key, value = "k%d" % rnd.randint(0, 8000), "v" * rnd.randint(0, 700)
                if rnd.random() < 0.4:
                    model.pop(key, None)
                    batch.append(["DEL", key])
                else:
                    model[key] = value.encode()
                    batch.append(["SET", key, value])
                batch.append(["HSET", "hash", "f%d" % rnd.randint(0, 3000), value[:rnd.randint(0, 80)]])
                batch.append(["HDEL", "hash"] + ["f%d" % rnd.randint(0, 3000) for _ in range(2)])
            self.assertFalse([r for r in c.pipeline(batch) if isinstance(r, resp.RespError)])
            if round_ % 4 == 0:
                self.wait(lambda: fields(c)["rdb_bgsave_in_progress"] == "0")  # of the round before
                c.call("BGSAVE")
        self.wait(lambda: fields(c)["rdb_bgsave_in_progress"] == "0")
        self.assertGreater(int(fields(c)["active_defrag_key_hits"]), 1000)
        names = sorted(model)
        self.assertEqual(c.call("MGET", *names), [model[n] for n in names])
        digest = c.call("DEBUG", "DIGEST")
        self.assertEqual(c.call("DEBUG", "RELOAD"), b"OK")
        self.assertEqual(c.call("DEBUG", "DIGEST"), digest)

    def test_each_parameter_is_taken_as_in_redis(self):
        c = self.start()
        for name, value in (("activedefrag", b"no"), ("active-defrag-ignore-bytes", b"104857600"),
                            ("active-defrag-threshold-lower", b"10"), ("active-defrag-threshold-upper", b"100"),
                            ("active-defrag-cycle-min", b"1"), ("active-defrag-cycle-max", b"25"),
                            ("active-defrag-max-scan-fields", b"1000")):
            self.assertEqual(c.call("CONFIG", "GET", name), [name.encode(), value])
        for name, value, text in (("active-defrag-ignore-bytes", 0, "between 1 and 9223372036854775807"),
                                  ("active-defrag-cycle-min", 100, "between 1 and 99"),
                                  ("active-defrag-max-scan-fields", 0, "between 1 and 9223372036854775807"),
                                  ("active-defrag-threshold-lower", 1001, "between 0 and 1000"),
                                  ("activedefrag", "perhaps", "must be 'yes' or 'no'")):
            with self.assertRaisesRegex(resp.RespError, text):
                c.call("CONFIG", "SET", name, value)


if __name__ == "__main__":
    unittest.main(verbosity=2)
