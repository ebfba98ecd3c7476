#!/usr/bin/env python3
"""stillframe-rdb and the codec under it against redis-server: each reads what the other wrote."""
import fcntl
import os
import pty
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

BUILD = os.path.dirname(resp.STILLFRAME_RDB)
SAMPLER = os.path.join(BUILD, "tests/snapshot/test_rdb_enc")
YEAR_2100_MS = 4102444800000


def tool(*args):
    p = subprocess.run([resp.STILLFRAME_RDB, *args], capture_output=True, text=True, timeout=300)
    return p.returncode, p.stdout, p.stderr


def number(text):
    return 0 if text == "-" else int(text.replace(",", ""))


class Info:
    """What `info` printed, taken apart."""

    def __init__(self, text):
        self.head, self.databases, self.types, self.expiry, self.sizes, self.biggest = {}, {}, {}, {}, {}, []
        block = self._head
        for line in text.splitlines()[1:]:
            if not line:
                continue
            if not line.startswith("    "):
                word = line.split()[0]
                block = {"Auxiliary": self._head, "Databases": self._database, "Types": self._type, "Sizes": self._size,
                         "Expiry": self._expiry, "Biggest": self._biggest}.get(word)
                if block is None:
                    block = self._head
                    self._head(line)
            else:
                block(line)

    def _head(self, line):
        name, rest = line.split(None, 1)
        self.head[name] = rest.strip()

    def _database(self, line):
        name, keys, expires = line.split()[:3]
        self.databases[name] = (number(keys), number(expires))

    def _type(self, line):
        m = re.match(r" +(.*?) {2,}(\S+) +([\d,]+) ", line)
        self.types[m.group(1), m.group(2)] = number(m.group(3))

    def _chart(self, line):
        m = re.match(r" +(.*?) {2,}([\d,]+|-)( +(#+))?$", line)
        return m.group(1), number(m.group(2)), len(m.group(4) or "")

    def _size(self, line):
        name, keys, bar = self._chart(line)
        self.sizes[name] = (keys, bar)

    def _expiry(self, line):
        name, keys, _ = self._chart(line)
        self.expiry[name] = keys

    def _biggest(self, line):
        self.biggest.append(line.strip())


class ToolTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="rdb-tool-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def redis(self, *args):
        server = resp.start_redis_server(self.dir, "--save", "", "--enable-debug-command", "yes", *args)
        self.addCleanup(server.stop)
        return server, server.client()

    def assert_sound(self, path):
        status, out, err = tool("check", path)
        self.assertEqual((status, err), (0, ""))
        return out

    def info(self, path, *args):
        status, out, err = tool("info", path, *args)
        self.assertEqual((status, err), (0, ""))
        self.assertTrue(out.startswith(path + "\n"))
        return Info(out)


class FilesOfRedis(ToolTest):
    def fill(self, c):
        """Writes keys of every form; returns what `info` must count."""
        commands = []
        for i in range(100):
            commands.append(("SET", "int:%d" % i, (-1) ** i * 7 ** (i % 11)))          # integer forms
            commands.append(("SET", "raw:%d" % i, os.urandom(5 + i)))                  # does not compress
            commands.append(("SET", "lzf:%d" % i, "compress me " * (3 + i)))
            commands.append(("HSET", "small:%d" % i, "f", "v", "number", i, "negative", -i * 10 ** 9, "", "empty"))
        for i in range(5):
            commands.append(("SET", "big:%d" % i, os.urandom(50) * (20000 * i + 10000)))
            commands.append(("HSET", "table:%d" % i, *sum([["field:%d" % k, "value %d" % (k * i)] for k in range(300)], [])))
        commands += [("SET", "minute", "x", "EX", 50), ("SET", "hour", "x", "EX", 3000), ("SET", "far", "x", "PXAT", YEAR_2100_MS)]
        commands += [("SELECT", 9), ("SET", "far", "y", "PXAT", YEAR_2100_MS + 1), ("HSET", "far hash", "f", "v"),
                     ("PEXPIREAT", "far hash", YEAR_2100_MS + 2), ("SELECT", 0)]
        for reply in c.pipeline(commands):
            self.assertNotIsInstance(reply, resp.RespError)

    def save(self, c):
        c.call("BGSAVE")
        resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in c.call("INFO", "persistence"))
        self.assertIn(b"rdb_last_bgsave_status:ok", c.call("INFO", "persistence"))
        return self.path("dump.rdb")

    def test_every_form_of_string_and_hash_is_counted(self):
        _, c = self.redis("--rdbcompression", "yes", "--hash-max-listpack-entries", "128")
        self.fill(c)
        path = self.save(c)
        self.assertRegex(self.assert_sound(path), r"sound: RDB 10, 415 keys, .* checksum good\n$")
        info = self.info(path)
        self.assertEqual(info.head["format"], "REDIS0010")
        self.assertEqual(info.head["redis-bits"], "64")
        self.assertRegex(info.head["ctime"], r"^\d+  \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)$")
        self.assertEqual(info.databases, {"0": (413, 3), "9": (2, 2), "all": (415, 5)})
        self.assertEqual(sum(info.types.values()), 415)
        self.assertEqual(info.types["string", "integer"], 100)
        self.assertEqual(info.types["string", "LZF"], 105)
        self.assertEqual(info.types["string", "plain"], 104)
        self.assertEqual(info.types["hash", "elements"], 5)
        self.assertEqual(sum(n for (t, _), n in info.types.items() if t == "hash listpack"), 101)
        self.assertEqual(sum(n for n, _ in info.sizes.values()), 415)
        self.assertEqual(max(bar for _, bar in info.sizes.values()), 40)
        self.assertEqual(info.expiry["never"], 410)
        self.assertEqual((info.expiry["within a minute"], info.expiry["within an hour"], info.expiry["later"]), (1, 1, 3))
        self.assertEqual(len(info.biggest), 10)
        self.assertIn("db 0", info.biggest[0])
        self.assertTrue(info.biggest[0].endswith('"big:4"'))
        self.assertEqual(self.info(path, "--top=2").biggest, info.biggest[:2])
        self.assertEqual(self.info(path, "--top=0").biggest, [])

    def test_files_without_compression_and_checksum_are_read(self):
        _, c = self.redis("--rdbcompression", "no", "--rdbchecksum", "no")
        self.fill(c)
        path = self.save(c)
        self.assertIn("written without checksum", self.assert_sound(path))
        info = self.info(path)
        self.assertEqual(info.head["checksum"], "none: written without")
        self.assertNotIn(("string", "LZF"), info.types)
        self.assertEqual(info.types["string", "plain"], 209)

    def test_listpacks_of_redis_at_the_edges_of_the_format_are_sound(self):
        _, c = self.redis("--rdbcompression", "no", "--hash-max-listpack-value", "3000000", "--hash-max-listpack-entries", "100")
        for n in (62, 63, 64, 124, 125, 126, 4094, 4095, 4096, 16376, 16377, 16378, 16379, 16380, 2097144, 2097145, 2097146, 2097147):
            c.call("HSET", "h:%d" % n, "f", "x" * n, "g", "y")
        numbers = [s * 2 ** e + d for e in (7, 12, 15, 23, 31, 62) for d in (-1, 0, 1) for s in (1, -1)]
        numbers += [2 ** 63 - 1, -2 ** 63]
        c.call("HSET", "numbers", *sum([[n, n + (1 if n < 0 else -1)] for n in numbers], []))
        c.call("HSET", "texts", *sum([[t, t] for t in ("", "-", "-0", "00", "01", "+1", " 1", "9223372036854775808")], []))
        for key in c.call("KEYS", "*"):
            self.assertEqual(c.call("OBJECT", "ENCODING", key), b"listpack")
        path = self.save(c)
        self.assert_sound(path)
        self.assertEqual(self.info(path).types, {("hash listpack", "plain"): 20})


class FilesOfOurs(ToolTest):
    def sample(self, version, compress):
        path = self.path("sample-%d-%s.rdb" % (version, compress))
        subprocess.run([SAMPLER, "--write", path, str(version), compress], check=True, timeout=300)
        return path

    @classmethod
    def setUpClass(cls):
        if not os.path.exists(SAMPLER):
            flavour = os.environ.get("STILLFRAME_FLAVOUR", "release")
            subprocess.run(["make", "-s", "FLAVOUR=" + flavour, os.path.relpath(SAMPLER, resp.ROOT)], cwd=resp.ROOT, check=True)

    def load(self, path):
        shutil.copyfile(path, self.path("dump.rdb"))
        return self.redis("--sanitize-dump-payload", "yes")

    def test_redis_loads_them_and_agrees_on_what_is_in_them(self):
        digests = set()
        for version in (9, 10):
            for compress in ("yes", "no"):
                path = self.sample(version, compress)
                self.assertRegex(self.assert_sound(path), r"sound: RDB %d, 590 keys" % version)
                server, c = self.load(path)
                self.assertEqual(c.call("DBSIZE"), 580)
                self.assertEqual(c.call("GET", "s:7"), b"-128")
                self.assertEqual(c.call("GET", "s:62"), c.call("GETRANGE", "s:62", 0, 61))
                self.assertEqual(c.call("GET", "s:496"), bytes(700000))
                self.assertEqual(c.call("STRLEN", "s:499"), 1000000)
                self.assertEqual(c.call("HLEN", "h:40"), 120)
                self.assertEqual(c.call("OBJECT", "ENCODING", "h:40"), b"listpack")
                self.assertEqual(c.call("HGET", "h:40", "field:7"), b"value -699937")
                self.assertEqual(c.call("HGET", "h:40", "6"), b"-599946")
                self.assertEqual(c.call("HLEN", "p:40"), 4800)
                self.assertEqual(c.call("HGET", "p:40", "field:4798"), b"-479756818")
                c.call("SELECT", 3)
                self.assertEqual([c.call("PEXPIRETIME", "e:%d" % i) for i in range(10)], [YEAR_2100_MS + i for i in range(10)])
                self.assertEqual([c.call("GET", "e:%d" % i) for i in range(10)], [b"%d" % i for i in range(10)])
                digests.add(c.call("DEBUG", "DIGEST"))
                server.stop()
        self.assertEqual(len(digests), 1)  # compressed or not, it is the same data

    def test_the_same_data_gives_the_same_bytes(self):
        with open(self.sample(10, "yes"), "rb") as f:
            first = f.read()
        with open(self.sample(10, "yes"), "rb") as f:
            self.assertEqual(f.read(), first)

    def test_compression_is_about_as_good_as_that_of_redis(self):
        path = self.sample(10, "yes")
        server, c = self.load(path)
        ours = os.path.getsize(path)
        c.call("SAVE")
        theirs = os.path.getsize(self.path("dump.rdb"))
        self.assertLess(ours, theirs * 1.03)
        server.stop()

    def test_versions_that_redis_7_0_does_not_know_are_read_by_us(self):
        for version in (11, 12):
            path = self.sample(version, "yes")
            self.assertRegex(self.assert_sound(path), r"sound: RDB %d, 590 keys" % version)
            self.assertEqual(self.info(path).databases, {"0": (580, 0), "3": (10, 10), "all": (590, 10)})


ZIPMAP = b"REDIS0003\x09\x01h\x0c\x02\x01f\x02\x00va\x01g\x00\x00\xff\xff"
ZIPLIST = (b"REDIS0006\x0d\x01h\x16\x16\x00\x00\x00\x13\x00\x00\x00\x04\x00\x00\x01f\x03\xfe\xfb\x03\x01g\x03\xfd\xff\xff"
           b"\x00\x00\x00\x00\x00\x00\x00\x00")


class OldFiles(ToolTest):
    def test_zipmaps_and_ziplists_are_what_redis_takes_them_for(self):
        for data, fields, kind in ((ZIPMAP, [b"f", b"va", b"g", b""], "hash zipmap"),
                                   (ZIPLIST, [b"f", b"-5", b"g", b"12"], "hash ziplist")):
            path = self.write("dump.rdb", data)
            self.assert_sound(path)
            self.assertEqual(self.info(path).types, {(kind, "plain"): 1})
            server, c = self.redis()
            self.assertEqual(c.call("HGETALL", "h"), fields)
            server.stop()


class CompressedFiles(ToolTest):
    """A whole RDB as one LZ4 frame, made by lz4, in Valkey's envelope of seven bytes."""
    ENVELOPE = b"VCS\x01\x01\x00\x01"

    def pack(self, path, *options):
        packed = subprocess.run(["lz4", "-c", "-q", *options, path], capture_output=True, check=True).stdout
        return self.write("packed.rdb", self.ENVELOPE + packed)

    def fill(self):
        server, c = self.redis()
        for i in range(2000):
            c.call("SET", "key:%d" % i, "a value that compresses, number %d" % i)
            c.call("HSET", "hash:%d" % i, "field", i)
        self.assertEqual(c.call("SAVE"), b"OK")
        server.stop()
        return self.path("dump.rdb")

    def test_check_and_info_read_any_frame_and_name_the_form(self):
        plain = self.fill()
        without = self.info(plain)
        for options in ((), ("-9", "-B4", "-BD"), ("-B7", "-BX"), ("-B5", "-BI", "--no-frame-crc"), ("-1", "-BD", "--content-size")):
            packed = self.pack(plain, *options)
            self.assertRegex(self.assert_sound(packed), r"sound: RDB 10, 4,000 keys, [\d.]+ KiB as LZ4 in Valkey's envelope \([\d.]+ KiB without\), checksum good")
            info = self.info(packed)
            self.assertEqual((info.databases, info.types, info.sizes), (without.databases, without.types, without.sizes))
            ratio = os.path.getsize(plain) / os.path.getsize(packed)
            self.assertRegex(info.head["compressed"], r"LZ4 in Valkey's envelope: [\d.]+ KiB of RDB, %.2f times as much" % ratio)

    def test_the_server_loads_them_at_start_and_by_debug_reload(self):
        packed = self.pack(self.fill())
        server = resp.start_stillframe(self.dir, "--save", "", "--dbfilename", os.path.basename(packed), "--enable-debug-command", "yes")
        self.addCleanup(server.stop)
        c = server.client()
        digest = c.call("DEBUG", "DIGEST")
        self.assertEqual((c.call("DBSIZE"), c.call("GET", "key:7")), (4000, b"a value that compresses, number 7"))
        self.assertEqual(c.call("DEBUG", "RELOAD", "NOSAVE"), b"OK")
        self.assertEqual(c.call("DEBUG", "DIGEST"), digest)
        shutil.copy(self.path("dump.rdb"), packed)
        self.assertEqual(c.call("DEBUG", "RELOAD", "NOSAVE"), b"OK")
        self.assertEqual(c.call("DEBUG", "DIGEST"), digest)

    def test_what_the_server_writes_passes_lz4_and_loads_in_redis(self):
        self.fill()
        server = resp.start_stillframe(self.dir, "--save", "", "--rdbcompression", "lz4", "--enable-debug-command", "yes")
        self.addCleanup(server.stop)
        c = server.client()
        digest = c.call("DEBUG", "DIGEST")
        self.assertEqual(c.call("SAVE"), b"OK")
        self.assertEqual(c.call("DEBUG", "RELOAD"), b"OK")
        self.assertEqual(c.call("DEBUG", "DIGEST"), digest)
        self.assertRegex(self.assert_sound(self.path("dump.rdb")), r"4,000 keys, .* as LZ4 in .*, the frame's checksums good")
        with open(self.path("dump.rdb"), "rb") as f:
            data = f.read()
        server.stop()
        self.assertEqual(data[:7], self.ENVELOPE)
        subprocess.run(["lz4", "-t", "-q"], input=data[7:], check=True)
        rdb = subprocess.run(["lz4", "-d", "-c", "-q"], input=data[7:], capture_output=True, check=True).stdout
        self.assertEqual((rdb[:9], rdb[-9:]), (b"REDIS0010", b"\xff" + bytes(8)))
        self.write("dump.rdb", rdb)
        self.assertEqual(self.redis()[1].call("DEBUG", "DIGEST"), digest)

    def test_damage_names_its_place(self):
        packed = self.pack(self.fill())
        with open(packed, "rb") as f:
            data = f.read()
        for damaged, text in ((data[:-1], "byte %d: the file ends in the middle of the LZ4 frame" % (len(data) - 1)),
                              (data + b"xy", "byte %d: 2 more bytes after the LZ4 frame" % len(data)),
                              (data[:-1] + bytes([data[-1] ^ 1]), "wrong checksum of what the LZ4 frame holds")):
            status, out, err = tool("check", self.write("damaged.rdb", damaged))
            self.assertEqual((status, out), (1, ""))
            self.assertIn(text, err)
        with open(self.path("inner.rdb"), "wb") as f:
            f.write(b"REDIS0010\x07\x01m\x01")
        status, _, err = tool("check", self.pack(self.path("inner.rdb")))
        self.assertEqual(status, 1)
        self.assertIn("byte 9 of the decompressed RDB: module value", err)


class BadFiles(ToolTest):
    def setUp(self):
        super().setUp()
        _, c = self.redis()
        c.pipeline([("SET", "k%d" % i, "value %d" % i) for i in range(50)] + [("HSET", "h", "f", "v")])
        c.call("SAVE")
        self.dump = self.path("dump.rdb")
        with open(self.dump, "rb") as f:
            self.data = f.read()

    def assert_refused(self, data, pattern, finding=None):
        """One line says why.  finding: what may stand before it, where the data may be so."""
        path = self.write("bad.rdb", data)
        for command in ("check", "info"):
            status, out, err = tool(command, path)
            self.assertEqual((status, out), (1, ""))
            *before, last, end = err.split("\n")
            self.assertRegex(last, r"^stillframe-rdb: %s: %s" % (re.escape(path), pattern))
            self.assertEqual(end, "")
            for line in before:
                self.assertRegex(line, r"^stillframe-rdb: %s: %s$" % (re.escape(path), finding or "(?!)"))

    def test_a_cut_file_is_refused_at_its_end(self):
        for cut in (0, 5, 9, 100, len(self.data) // 2, len(self.data) - 1):
            self.assert_refused(self.data[:cut], r"byte \d+: (?:the file (?:ends in|is empty)|.* claims )")

    def test_every_flipped_byte_is_noticed(self):
        for at in range(5, len(self.data), 97):
            # In redis-server's order of keys, another one each time, a byte may be the count of
            # the listpack of h.
            self.assert_refused(self.data[:at] + bytes([self.data[at] ^ 0x20]) + self.data[at + 1:], r"byte \d+: ",
                                r'byte \d+: the hash\'s listpack claims \d+ elements and has 2: counted anew \(key "h"\)')

    def test_a_wrong_count_is_a_finding_before_the_checksum_refuses(self):
        lp = self.data.index(b"\x01h") + 2  # the length of the string that follows, then the listpack's own head
        at = lp + 1 + 4
        self.assertEqual(self.data[at], 2)
        changed = self.data[:at] + b"\x22" + self.data[at + 1:]
        path = self.write("counted.rdb", changed)
        status, out, err = tool("check", path)
        self.assertEqual((status, out), (1, ""))
        self.assertRegex(err, r'claims 34 elements and has 2: counted anew \(key "h"\)\n.*wrong checksum: .*\n$')

    def test_trailing_bytes_are_refused(self):
        self.assert_refused(self.data + b"more", r"byte %d: 4 more bytes after the end" % len(self.data))

    def test_the_key_is_named(self):
        self.assert_refused(b"REDIS0010\x00\x03a\n\xff\x09abc", r'byte 14: the value claims 9 bytes .* \(key "a\\x0a\\xff"\)')

    def test_types_that_are_not_read_are_named(self):
        self.assert_refused(b"REDIS0010\x07\x01m\x01", r'byte 9: module value \(type 7\) of the module type AAAAAAAAA is not read \(key "m"\)')

    def test_compressed_streams_that_are_not_read_are_named(self):
        self.assert_refused(b"VCS\x01\x03\x00\x01" + bytes(20), r"byte 4: Valkey's envelope of compressed RDB, with the unknown codec 3")

    def test_duplicates_are_found_by_check(self):
        for data, text in ((b"REDIS0010\x04\x01h\x02\x01f\x01v\x01f\x01w\xff" + bytes(8), 'the hash has the field "f" twice (key "h")'),
                           (b"REDIS0010\x00\x01k\x01v\xfe\x01\x00\x01k\x01v\xfe\x00\x00\x01k\x01v\xff" + bytes(8),
                            'its database has this key twice (key "k")')):
            status, _, err = tool("check", self.write("double.rdb", data))
            self.assertEqual(status, 1)
            self.assertIn(text, err)

    def test_what_cannot_be_opened_is_an_error_like_any_other(self):
        status, out, err = tool("check", self.path("missing"), self.dump, self.dir)
        self.assertEqual(status, 1)
        self.assertIn("%s: sound" % self.dump, out)
        self.assertEqual(err, "stillframe-rdb: %s: No such file or directory\nstillframe-rdb: %s: Is a directory\n"
                         % (self.path("missing"), self.dir))


class LargeFiles(ToolTest):
    """`check` needs the same memory for any file, and finds what came twice in it all the same."""
    HELD, RUN = 1 << 12, 1 << 18  # tool/check/seen.h: what is held together; a quarter of what is surely in the file
    MEMORY = 32 << 20             # address space, program and libraries included

    def check(self, path, command="check", **env):
        """The exit status, and what it said, within MEMORY."""
        def limit():
            if "asan" not in resp.STILLFRAME_RDB:  # which needs address space of its own
                resource.setrlimit(resource.RLIMIT_AS, (self.MEMORY, self.MEMORY))
        p = subprocess.run([resp.STILLFRAME_RDB, command, path], capture_output=True, text=True, timeout=300,
                           env={**os.environ, **env}, preexec_fn=limit)
        return p.returncode, p.stdout + p.stderr

    def names(self, count, twice=None):
        """So many names; twice: (first, second): the second one is the first once more."""
        names = [b"%08d" % i for i in range(count)]
        if twice is not None:
            names[twice[1]] = names[twice[0]]
        return names

    def keys(self, *args):
        return self.write("keys.rdb", b"REDIS0010" + b"".join(b"\0\x08" + n + b"\x01v" for n in self.names(*args)) +
                          b"\xff" + bytes(8))

    def elements(self, kind, tail, *args):
        names = self.names(*args)
        return self.write("elements.rdb", b"REDIS0010\0\x01k\x01v" + bytes([kind]) + b"\x01c\x80" +
                          struct.pack(">I", len(names)) + b"".join(b"\x08" + n + tail for n in names) + b"\xff" + bytes(8))

    def test_memory_does_not_grow_with_keys_or_elements(self):
        many = self.HELD + 6 * self.RUN
        for make in (self.keys, lambda n: self.elements(2, b"", n), lambda n: self.elements(4, b"\x01v", n),
                     lambda n: self.elements(5, bytes(8), n)):
            status, said = self.check(make(many))
            self.assertEqual(status, 0, said)

    def test_memory_does_not_grow_with_a_value(self):
        long = b"\x80" + struct.pack(">I", 200 << 20)
        tail = b"\xff" + bytes(8)
        for head in (b"\0\x01k" + long, b"\x04\x01h\x01\x01f" + long, b"\x01\x01l\x01" + long,
                     b"\x12\x01l\x01\x01" + long):
            path = self.path("long.rdb")
            with open(path, "wb") as f:  # zeros that take no disk
                f.write(b"REDIS0010" + head)
                f.seek(200 << 20, os.SEEK_CUR)
                f.write(tail)
            for command in ("check", "info"):
                status, said = self.check(path, command)
                self.assertEqual(status, 0, said)
            self.assertIn("200.0 MiB", said)

    def test_memory_does_not_grow_with_what_a_frame_unpacks_to(self):
        inner = self.path("inner.rdb")
        with open(inner, "wb") as f:
            f.write(b"REDIS0010\0\x01k\x80" + struct.pack(">I", 200 << 20))
            f.seek(200 << 20, os.SEEK_CUR)
            f.write(b"\xff" + bytes(8))
        for options in (("-B4", "-BD"), ("-B7",)):
            packed = subprocess.run(["lz4", "-c", "-q", *options, inner], capture_output=True, check=True).stdout
            path = self.write("packed.rdb", CompressedFiles.ENVELOPE + packed)
            self.assertLess(os.path.getsize(path), 2 << 20)
            for command in ("check", "info"):
                status, said = self.check(path, command)
                self.assertEqual(status, 0, said)
            self.assertIn("200.0 MiB", said)

    def pending(self, group, consumer):
        """A stream with a group: what is pending in it, and for its consumer."""
        count = [b"\x80" + struct.pack(">I", len(ids)) for ids in (group, consumer)]
        return self.write("pending.rdb", b"REDIS0009\x0f\x01s\0\0\x01\0" + b"\x01\x01g\0\0" + count[0] +
                          b"".join(i + bytes(8) + b"\1" for i in group) + b"\x01\x01c" + bytes(8) + count[1] +
                          b"".join(consumer) + b"\xff" + bytes(8))

    def test_memory_does_not_grow_with_what_is_pending(self):
        ids = [struct.pack(">QQ", 1, i) for i in range(1000000)]
        status, said = self.check(self.pending(ids, ids))
        self.assertEqual(status, 0, said)
        few = ids[:1000]
        self.assertEqual(self.check(self.pending(few, few[::-1]))[0], 0)
        for consumer in (few[:-1], few + few[:1], few[:-2] + few[-1:] * 2, few[:-1] + ids[1000:1001], []):
            self.assertEqual(self.check(self.pending(few, consumer))[0], 1)
        self.assertEqual(self.check(self.pending(few + few[-1:], few + few[-1:]))[0], 1)

    def groups(self, names):
        return self.write("groups.rdb", b"REDIS0009\x0f\x01s\0\0\x01\0\x80" + struct.pack(">I", len(names)) +
                          b"".join(b"\x08" + n + b"\0\0\0\0" for n in names) + b"\xff" + bytes(8))

    def consumers(self, names):
        count = b"\x80" + struct.pack(">I", len(names))
        return self.write("consumers.rdb", b"REDIS0009\x0f\x01s\0\0\x01\0\x02\x01g\0\0\0" + count +
                          b"".join(b"\x08" + n + bytes(9) for n in names) + b"\x01h\0\0\0\x01\x08" + names[0] + bytes(9) +
                          b"\xff" + bytes(8))

    def test_groups_and_consumers_have_names_of_their_own(self):
        many = self.HELD + 3 * self.RUN
        for make, what in ((self.groups, "stream has the group"), (self.consumers, "group has the consumer")):
            status, said = self.check(make(self.names(many)))
            self.assertEqual(status, 0, said)
            for first, second in ((0, 5), (3, many - 1), (many - 9, many - 1), (self.HELD + 1, self.HELD + self.RUN + 1)):
                status, said = self.check(make(self.names(many, (first, second))))
                self.assertEqual(status, 1)
                self.assertIn('the %s "%08d" twice (key "s")' % (what, first), said)

    def test_what_came_twice_is_found_wherever_it_stands(self):
        last = self.HELD + 5 * self.RUN + 5
        pairs = [(0, 1), (0, last), (self.HELD - 1, self.HELD), (self.HELD, self.HELD + 1), (self.HELD, last),
                 (self.HELD + self.RUN - 1, self.HELD + self.RUN), (last - 1, last),
                 (self.HELD + 7, self.HELD + 2 * self.RUN)]
        for first, second in pairs:
            with self.subTest(first=first, second=second):
                status, said = self.check(self.keys(last + 1, (first, second)))
                self.assertEqual(status, 1, said)
                self.assertIn('its database has this key twice (key "%08d")' % first, said)
                self.assertRegex(said, r"byte %d: .*; %s keys? before it (?:is|are) good\n$" % (9 + 12 * second, f"{second:,}"))
        for kind, tail, what in ((2, b"", "set has the member"), (4, b"\x01v", "hash has the field"),
                                 (5, bytes(8), "sorted set has the member")):
            for first, second in pairs[2:5]:
                with self.subTest(kind=kind, first=first, second=second):
                    status, said = self.check(self.elements(kind, tail, last + 1, (first, second)))
                    self.assertEqual(status, 1, said)
                    self.assertIn('the %s "%08d" twice (key "c")' % (what, first), said)

    def test_what_cannot_be_compared_is_not_called_sound(self):
        path = self.keys(self.HELD + 5 * self.RUN)
        status, said = self.check(path, TMPDIR=self.path("none"))
        self.assertEqual(status, 1)
        self.assertIn("cannot look for duplicates: %s: No such file or directory" % self.path("none"), said)
        os.mkdir(self.path("tmp"))
        self.assertEqual(self.check(path, TMPDIR=self.path("tmp"))[0], 0)
        self.assertEqual(os.listdir(self.path("tmp")), [])


class Arguments(ToolTest):
    def setUp(self):
        super().setUp()
        self.empty = self.write("empty.rdb", b"REDIS0010\xff" + bytes(8))

    def test_help_and_version_are_printed(self):
        for args, begin in ((["--help"], "COMMAND"), (["-h"], "COMMAND"), (["help"], "COMMAND"),
                            (["check", "--help"], "check"), (["help", "info"], "info"), (["check", self.empty, "-h"], "check")):
            status, out, err = tool(*args)
            self.assertEqual((status, err), (0, ""))
            self.assertTrue(out.startswith("Usage: stillframe-rdb %s " % begin))
        self.assertRegex(tool("--version")[1], r"^stillframe-rdb \d+\.\d+\.\d+\n$")

    def test_wrong_arguments_are_told_from_wrong_files(self):
        for args in ([], ["check"], ["nonsense", "x"], ["check", "--nonsense", self.empty], ["info", "--top=x", self.empty],
                     ["info", "--top=1001", self.empty], ["info", "--top=", self.empty], ["check", "-x"]):
            status, out, err = tool(*args)
            self.assertEqual((status, out), (2, ""), args)
            self.assertRegex(err, r"^stillframe-rdb: .*\nTry: stillframe-rdb (check |info )?--help\n$", args)

    def test_options_may_stand_anywhere(self):
        for args in (["-q", "check", self.empty], ["check", "--quiet", self.empty], ["check", self.empty, "-q"],
                     ["check", "-q", "--", self.empty]):
            self.assertEqual(tool(*args), (0, "", ""))
        self.write("-odd", b"REDIS0010\xff" + bytes(8))
        p = subprocess.run([resp.STILLFRAME_RDB, "check", "--", "-odd"], capture_output=True, text=True, cwd=self.dir)
        self.assertEqual((p.returncode, p.stdout), (0, "-odd: sound: RDB 10, 0 keys, 18 B, written without checksum\n"))

    def test_an_empty_file_has_an_info_too(self):
        info = self.info(self.empty)
        self.assertEqual(info.databases, {"all": (0, 0)})
        self.assertEqual((info.types, info.sizes, info.biggest), ({}, {}, []))

    def test_output_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "w") as full:
            p = subprocess.run([resp.STILLFRAME_RDB, "info", self.empty], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(p.returncode, 1)
        self.assertIn("standard output: cannot be written: No space left on device", p.stderr)

    def test_progress_is_drawn_on_a_terminal_only(self):
        big = self.write("big.rdb", b"REDIS0010\x00\x01k\x80" + struct.pack(">I", 4000 << 20))
        with open(big, "r+b") as f:  # zeros that take no disk
            f.seek((4000 << 20) + 17)
            f.write(b"\xff" + bytes(8))
        status, out, err = tool("check", big)
        self.assertEqual((status, err), (0, ""))
        self.assertNotRegex(out, r"[\x00-\x09\x0b-\x1f]")
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 76, 0, 0))
        p = subprocess.Popen([resp.STILLFRAME_RDB, "check", big], stdout=subprocess.PIPE, stderr=slave)
        os.close(slave)
        drawn = b""
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:  # the other end was closed
                break
            if not data:
                break
            drawn += data
        os.close(master)
        self.assertEqual(p.communicate()[0].decode(), out)
        self.assertRegex(drawn, rb"\[[#.]{30}\] +\d+ %  .*/s")
        self.assertRegex(drawn, rb"\r\x1b\[K\.\.\.\S*  \[")  # the path has no room
        self.assertLess(max(len(line) for line in drawn.split(b"\r\x1b[K")), 76)
        self.assertTrue(drawn.endswith(b"\r\x1b[K"))


if __name__ == "__main__":
    unittest.main()
