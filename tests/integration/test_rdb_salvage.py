#!/usr/bin/env python3
"""stillframe-rdb salvage: redis-server loads what it writes, and every key is what it was."""
import gzip
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import dump_bytes  # noqa: E402
import resp  # noqa: E402

FAR_MS = 4102444800000  # 2100


def salvage(*args):
    p = subprocess.run([resp.STILLFRAME_RDB, "salvage", *args], capture_output=True, text=True, timeout=300)
    return p.returncode, p.stdout, p.stderr


def digests(client, databases):
    """{(database, key): (DEBUG DIGEST-VALUE, expiry)} of all that a server has."""
    result = {}
    for db in databases:
        client.call("SELECT", db)
        for key in client.call("KEYS", "*"):
            digest = client.call("DEBUG", "DIGEST-VALUE", key)[0]
            result[db, key] = digest, client.call("PEXPIRETIME", key)
    return result


def records(path):
    """What stands before the first key, the databases' heads and keys as {(database, key): bytes},
    in the order of the file."""
    with open(path, "rb") as f:
        data = f.read()
    listed = subprocess.run([resp.STILLFRAME_RDB, "keys", "--long", "--format=json", path], capture_output=True, check=True).stdout
    at, found = data.index(b"\xfe\x00\xfb"), {}
    start = data[:at]
    for key in json.loads(listed):
        db = key["db"]
        if (db, None) not in found:  # SELECTDB, RESIZEDB with two numbers
            head = 3
            for _ in range(2):
                head += 1 + (data[at + head] >> 6)  # of up to 6 bits, or 14
            assert data[at] == 0xfe and data[at + 1] == db and data[at + 2] == 0xfb
            found[db, None] = data[at:at + head]
            at += head
        found[db, key["key"]] = data[at:at + key["record_bytes"]]
        at += key["record_bytes"]
    assert data[at] == 0xff and len(data) == at + 9
    return start, found


def in_order(start, found, salt=b""):
    """A dump with the keys of each database in an order that is the same each time: redis-server
    draws another one in each run, and what can be saved of a file depends on it."""
    def place(of):
        db, key = of
        return db, key is not None and hashlib.sha1(salt + key.encode()).digest() or b""
    body = start + b"".join(found[of] for of in sorted(found, key=place)) + b"\xff"
    return body + dump_bytes.crc64(body).to_bytes(8, "little")


class Salvage(unittest.TestCase):
    DATABASES = (0, 3, 7)

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="rdb-salvage-")
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        server = resp.start_redis_server(cls.dir, "--save", "", "--enable-debug-command", "yes", "--enable-protected-configs", "yes")
        client = server.client()
        cls.fill(client)
        cls.was = digests(client, cls.DATABASES)
        cls.with_sum, cls.without = cls.save(client, "sum.rdb"), None
        client.close()
        server.stop()
        # the same bytes without a checksum
        cls.without = cls.with_sum[:-8] + bytes(8)

    @classmethod
    def save(cls, client, name):
        client.call("CONFIG", "SET", "dbfilename", name)
        client.call("SAVE")
        return in_order(*records(os.path.join(cls.dir, name)))

    @staticmethod
    def fill(c):
        commands = []
        for i in range(300):
            commands.append(("SET", "string:%d" % i, "value %d " % i * (1 + i % 40)))
            commands.append(("SET", "int:%d" % i, i * 7919))
        for i in range(40):
            commands.append(("HSET", "hash:%d" % i, *sum([["f%d" % k, "v%d" % (k * i)] for k in range(1 + i)], [])))
            commands.append(("RPUSH", "list:%d" % i, *range(1 + i)))
            commands.append(("SADD", "set:%d" % i, *range(1 + i)))
            commands.append(("ZADD", "zset:%d" % i, *sum([[k * 1.5, "m%d" % k] for k in range(1 + i)], [])))
            commands.append(("XADD", "stream:%d" % (i % 5), "%d-1" % (i + 1), "field", "value %d" % i))
            commands.append(("SET", "expires:%d" % i, "x", "PXAT", FAR_MS + i))
        commands += [("HSET", "big", *sum([["field %d" % k, "value %d" % k] for k in range(1000)], [])),
                     ("XGROUP", "CREATE", "stream:1", "group", "0"),
                     ("XREADGROUP", "GROUP", "group", "me", "COUNT", 2, "STREAMS", "stream:1", ">")]
        for db in (3, 7):
            commands.append(("SELECT", db))
            commands += [("SET", "db%d:%d" % (db, i), "in %d" % db) for i in range(100)]
        commands.append(("SELECT", 0))
        for reply in c.pipeline(commands):
            assert not isinstance(reply, resp.RespError), reply

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def loaded(self, path):
        """What redis-server has after loading this file."""
        directory = tempfile.mkdtemp(dir=self.dir)
        shutil.copy(path, os.path.join(directory, "dump.rdb"))
        server = resp.start_redis_server(directory, "--save", "", "--enable-debug-command", "yes")
        try:
            with server.client() as client:
                return digests(client, self.DATABASES)
        finally:
            server.stop()

    def assert_part(self, path, least, losses=()):
        """The file is loaded, and all in it is as it was: at least so much of it.

        Where the number of a database may be lost, the list says so."""
        left = self.loaded(path)
        was = dict(self.was)
        if any(l["what"] == "database" for l in losses):
            was.update({(db, name): value for (_, name), value in self.was.items() for db in self.DATABASES})
        for key, value in left.items():
            self.assertEqual(was.get(key), value, (key, losses))
        self.assertGreaterEqual(len(left), least * len(self.was))
        return left

    def salvaged(self, data, *args, status=1):
        source, target = self.write("broken.rdb", data), self.path("saved.rdb")
        got, out, err = salvage(source, target, "--force", "--list=-", *args)
        self.assertEqual(got, status, err)
        with open(source, "rb") as f:
            self.assertEqual(f.read(), data)
        return target, [json.loads(line) for line in out.splitlines()], err

    def test_a_whole_file_is_copied(self):
        target, losses, err = self.salvaged(self.with_sum, status=0)
        self.assertEqual(losses, [])
        self.assertIn("nothing is damaged: %s keys written" % "{:,}".format(len(self.was)), err)
        with open(target, "rb") as f:
            self.assertEqual(f.read(), self.with_sum)

    def test_changed_bytes_are_put_right_by_the_checksum(self):
        rng = random.Random(5)
        for length in (1, 1, 2, 3):
            at = rng.randrange(len(self.with_sum) - length)
            data = bytearray(self.with_sum)
            for i in range(length):
                data[at + i] ^= rng.randrange(1, 256)
            target, losses, _ = self.salvaged(bytes(data), status=0)
            self.assertEqual([(l["what"], l["from"], l["until"]) for l in losses], [("repaired", at, at + length)])
            with open(target, "rb") as f:
                self.assertEqual(f.read(), self.with_sum)

    def test_of_a_truncated_file_all_before_the_cut_is_saved(self):
        half = len(self.with_sum) // 2
        while self.with_sum[half - 9] == 0xff:
            half += 1
        target, losses, _ = self.salvaged(self.with_sum[:half])
        self.assertEqual([l["what"] for l in losses], ["cut"])
        self.assertEqual(losses[0]["until"], half)
        left = self.assert_part(target, 0.1)
        self.assertNotIn((0, (losses[0]["key"] or "").encode()), left)

    def test_a_stretch_that_is_gone_leaves_the_rest_as_it_was(self):
        for data, fill in ((self.with_sum, 0), (self.without, 0xff)):
            at = len(data) // 3
            broken = data[:at] + bytes([fill]) * 512 + data[at + 512:]
            target, losses, err = self.salvaged(broken)
            self.assertTrue(losses)
            self.assertTrue(any(l["from"] <= at + 512 and l["until"] >= at for l in losses), losses)
            left = self.assert_part(target, 0.3, losses)
            self.assertIn("{:,} keys written".format(len(left)), err)

    def test_two_damages_far_apart_leave_what_is_between(self):
        data = self.with_two_damages(self.without)
        target, losses, _ = self.salvaged(data)
        self.assertTrue([l for l in losses if l["what"] in ("unreadable", "damaged")])
        # a step from one damage may run over the other
        self.assert_part(target, 0.3, losses)

    def with_two_damages(self, data):
        data = bytearray(data)
        keys = [data.index(b"\x07int:%d" % i) for i in range(100, 300)]
        first = min(keys, key=lambda at: abs(at - len(data) // 4))
        second = min(keys, key=lambda at: abs(at - len(data) // 2))
        self.assertGreater(second - first, 2000)
        for at in (first, second):
            data[at - 1:at + 40] = b"\xee" * 41
        return bytes(data)

    def test_in_whatever_order_the_keys_stand_each_is_in_its_database(self):
        # bytes behind a damage were taken for a few keys, and one of these for one that runs on
        # over most of the file, a change of database included
        start, found = records(self.write("ordered.rdb", self.with_sum))
        saved = []
        for salt in range(150):
            data = in_order(start, found, b"%d" % salt)[:-8] + bytes(8)
            target, losses, _ = self.salvaged(self.with_two_damages(data))
            _, left = records(target)
            saved.append(len(left) / len(found))
            moved = any(l["what"] == "database" for l in losses)
            for (db, key), record in left.items():
                if key is not None and (db, key) not in found:
                    self.assertTrue(moved and any((other, key) in found for other in self.DATABASES), (salt, db, key, losses))
                elif key is not None:
                    self.assertEqual(record, found[db, key], (salt, key))
        self.assertGreater(sum(saved) / len(saved), 0.9)

    def test_a_length_that_makes_one_name_of_many_keys_is_told(self):
        """Everything reads well; the numbers of keys tell."""
        start, found = records(self.write("ordered.rdb", self.with_sum))
        records_of_0 = [of for of in found if of[0] == 0 and of[1] is not None]
        first = next(i for i, of in enumerate(records_of_0) if of[1].startswith("int:1"))
        last = next(i for i in range(first + 40, len(records_of_0)) if records_of_0[i][1].startswith("int:2"))
        at, end = (self.without.index(found[records_of_0[i]]) for i in (first, last))
        end += 2 + len(records_of_0[last][1])
        data = bytearray(self.without)
        data[at + 1:at + 3] = (0x4000 | (end - at - 3)).to_bytes(2, "big")
        target, losses, err = self.salvaged(bytes(data))
        total = len(records_of_0)
        self.assertEqual([(l["what"], l["db"], l["kept"], l["keys"]) for l in losses], [("count", 0, True, 0)])
        self.assertIn("database 0 has %d keys, and had %d when" % (total - (last - first), total), losses[0]["reason"])
        self.assertIn("{:,} keys written".format(len(self.was) - (last - first)), err)
        with open(target, "rb") as f:
            self.assertEqual(f.read()[:-8], bytes(data[:-8]))

    def test_a_damaged_small_value_costs_its_key_alone(self):
        # the number of elements of a listpack; the length of a compressed one
        for key, beside in (("hash:0", 0), ("hash:39", 1)):
            name = bytes([16, len(key)]) + key.encode()
            at = self.without.index(name) + len(name)
            data = bytearray(self.without)
            if beside == 0:
                at += 5
            else:
                self.assertEqual(data[at], 0xc3)
                at += 4 if data[at + 1] >= 64 else 3
            data[at] ^= 1
            target, losses, _ = self.salvaged(bytes(data))
            self.assertEqual((losses[0]["what"], losses[0]["key"]), ("damaged", key))
            self.assertLessEqual(len(losses), 1 + beside)
            self.assertGreaterEqual(len(self.assert_part(target, 0.9)), len(self.was) - 1 - beside)

    def test_packed_files_are_saved_as_far_as_they_are_unpacked(self):
        packed = gzip.compress(self.with_sum, mtime=0)
        target, losses, _ = self.salvaged(packed, status=0)
        with open(target, "rb") as f:
            self.assertEqual(f.read(), self.with_sum)
        target, losses, _ = self.salvaged(packed[:len(packed) * 3 // 4])
        self.assertTrue(losses)
        self.assert_part(target, 0.3)

    def test_what_is_there_is_not_replaced_and_the_source_never(self):
        source, target = self.write("a.rdb", self.with_sum), self.write("b.rdb", b"mine")
        self.assertEqual(salvage(source, target)[0], 3)
        with open(target, "rb") as f:
            self.assertEqual(f.read(), b"mine")
        self.assertEqual(salvage(source, source, "--force")[0], 2)
        self.assertEqual(salvage(source)[0], 2)
        self.assertEqual(salvage(self.path("missing"), self.path("c.rdb"))[0], 3)
        status, _, err = salvage(self.write("text", b"this is no RDB" * 100), self.path("c.rdb"))
        self.assertEqual(status, 3)
        self.assertIn("nothing is written", err)
        self.assertFalse(os.path.exists(self.path("c.rdb")))


if __name__ == "__main__":
    unittest.main()
