"""RDB files that no redis-server of today writes, with what is in them: versions 1 to 9, 11, 12 and
Valkey's 80.  Each holds every type and encoding of its version."""
import struct

from dump_bytes import crc64, length, string

from . import forms
from .forms import flat

FAR_S = 2051222400  # 2035: seconds stand in 31 bits
FAR_MS = FAR_S * 1000 + 123

NUMBERS = [0, 12, 13, 127, 128, -1, -128, -129, 4095, 4096, -4096, -4097, 32767, 32768, -32769, 2 ** 23 - 1, 2 ** 23, -2 ** 23,
           2 ** 31 - 1, 2 ** 31, -2 ** 31 - 1, 2 ** 63 - 1, -2 ** 63]
TEXTS = [b"", b"-0", b"007", b"+1", b"1.5", b"-9223372036854775809", b"\xff\xfe\x00", b"a\r\nb", b'"quoted"', "ü€\U0001f600".encode(), b"base64:QQ==",
         b"\xed\xb2\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82",
         b"x" * 63, b"y" * 64, b"z" * 253, b"u" * 254, b"v" * 4095, b"w" * 4096, b"s" * 16383, b"t" * 16384, bytes(range(256))]
ELEMENTS = [b"%d" % n for n in NUMBERS] + TEXTS
FIELDS = [(e, ELEMENTS[-1 - i]) for i, e in enumerate(ELEMENTS)]
SCORED = [(b"a", 1.0), (b"b", float("inf")), (b"c", float("-inf")), (b"7", 0.1), (b"e", -1e300), (b"f", 5e-324), (b"", 1 / 3),
          (b"\xff", 4503599627370497.0), (b"i", 0.0), (b"j", -12.0), (b"k" * 300, 3.0)]
SMALL_SETS = {2: [-5, 0, 32767], 4: [-5, 2 ** 31 - 1], 8: [-2 ** 63, 1, 2 ** 63 - 1]}


class Value:
    """kind, data: a string's bytes, a list's elements, a set, a hash's fields and values, a sorted
    set's members and scores, a stream as class Stream; type: in the file, and so `written`.
    expiry: of its fields, where they have one."""

    def __init__(self, kind, data, type_, written, expiry=()):
        self.kind, self.data, self.type, self.written, self.expiry = kind, data, type_, written, dict(expiry)
        self.expires_ms = None


class Stream:
    """entries: id -> pairs; groups: name -> (last id, entries read, {consumer: (seen, active,
    {id: (delivered, how often)})})."""

    def __init__(self, entries, last, highest_deleted=(0, 0), added=None, groups=None):
        self.entries, self.last, self.highest_deleted, self.groups = entries, last, highest_deleted, groups or {}
        self.added = len(entries) if added is None else added


def plain_values(version):
    """Types 0 to 5: what can stand in any file."""
    yield b"string", Value("string", b"text", 0, string(b"text"))
    yield b"string:empty", Value("string", b"", 0, string(b""))
    yield b"string:binary", Value("string", bytes(range(256)) * 70, 0, string(bytes(range(256)) * 70))
    yield b"string:long", Value("string", b"x" * 70000, 0, string(b"x" * 70000))
    for n in (-128, 127, -32768, 32767, -2 ** 31, 2 ** 31 - 1):
        yield b"string:int:%d" % n, Value("string", b"%d" % n, 0, forms.integer(n))
    yield b"string:digits", Value("string", b"99999999999", 0, string(b"99999999999"))
    for unit, size in ((b"ab", 21), (b"abc", 270), (b"0123456789", 5000), (b"q", 100001)):
        yield b"string:lzf:%d" % size, Value("string", (unit * size)[:size], 0, forms.lzf(unit, size))
    # lengths of all forms
    yield b"string:length 64", Value("string", b"text", 0, forms.length_64(4) + b"text")
    yield b"string:length 32", Value("string", b"text", 0, b"\x80" + struct.pack(">I", 4) + b"text")
    yield b"list", Value("list", ELEMENTS, 1, forms.strings(ELEMENTS))
    yield b"list:ints", Value("list", [b"%d" % n for n in range(-40, 40)], 1, length(80) + b"".join(forms.integer(n) for n in range(-40, 40)))
    yield b"list:lzf", Value("list", [b"ab" * 50], 1, length(1) + forms.lzf(b"ab", 100))
    yield b"set", Value("set", set(ELEMENTS), 2, forms.strings(ELEMENTS))
    yield b"hash", Value("hash", dict(FIELDS), 4, forms.pairs(FIELDS))
    yield b"hash:large", Value("hash", {b"f%d" % i: b"v" * i for i in range(600)}, 4, forms.pairs([(b"f%d" % i, b"v" * i) for i in range(600)]))
    yield b"zset:text", Value("zset", dict(SCORED), 3, forms.scored_text(SCORED))
    if version >= 8:
        yield b"zset:double", Value("zset", dict(SCORED), 5, forms.scored(SCORED))
        many = [(b"m%d" % i, i / 7) for i in range(500)]
        yield b"zset:large", Value("zset", dict(many), 5, forms.scored(many))


def small_values(version):
    """Types 9 to 14: a collection in one string."""
    lists = ELEMENTS[:20], ELEMENTS
    if version >= 2:
        mapped = [(f, v) for f, v in FIELDS if len(f) < 5000 and len(v) < 5000]
        yield b"hash:zipmap", Value("hash", dict(mapped), 9, string(forms.zipmap(mapped)))
        yield b"hash:zipmap:unused", Value("hash", dict(mapped[:5]), 9, string(forms.zipmap(mapped[:5], unused=3)))
        for i, some in enumerate(lists):
            yield b"list:ziplist:%d" % i, Value("list", some, 10, string(forms.ziplist(some)))
        for width, some in SMALL_SETS.items():
            yield b"set:intset:%d" % width, Value("set", {b"%d" % n for n in some}, 11, string(forms.intset(some)))
        yield b"zset:ziplist", Value("zset", dict(SCORED), 12, string(forms.ziplist(forms.scored_flat(SCORED))))
        same = [b"xy" * 100] * 30
        packed = forms.ziplist(same)
        # its head as it is, and then one entry over and over: literals, and a reference to them
        yield b"list:ziplist:lzf", Value("list", same, 10, lzf_of(packed))
    if version >= 4:
        yield b"hash:ziplist", Value("hash", dict(FIELDS), 13, string(forms.ziplist(flat(FIELDS))))
    if version >= 7:
        yield b"list:quicklist", Value("list", ELEMENTS * 2, 14, forms.quicklist([ELEMENTS[:9], ELEMENTS[9:], ELEMENTS]))


def lzf_of(data):
    """data as LZF, all of it literals: 32 of them at a time."""
    packed = b"".join(bytes([len(data[i:i + 32]) - 1]) + data[i:i + 32] for i in range(0, len(data), 32))
    return b"\xc3" + length(len(packed)) + length(len(data)) + packed


def listpack_values(version):
    """Types 16 to 18, and 20: since listpacks are in all of them."""
    if version >= 10:
        yield b"hash:listpack", Value("hash", dict(FIELDS), 16, string(forms.listpack(flat(FIELDS))))
        yield b"zset:listpack", Value("zset", dict(SCORED), 17, string(forms.listpack(forms.scored_flat(SCORED))))
        nodes = [ELEMENTS[:9], b"a plain node" * 100, ELEMENTS[9:]]
        yield b"list:quicklist 2", Value("list", ELEMENTS[:9] + [nodes[1]] + ELEMENTS[9:], 18, forms.quicklist_2(nodes))
    if version >= 11:
        yield b"set:listpack", Value("set", set(ELEMENTS), 20, string(forms.listpack(ELEMENTS)))


ENTRIES = {(5, 1): [(b"f", b"v"), (b"g", b"1")], (5, 2): [(b"f", b""), (b"g", b"\xff\0")], (7, 0): [(b"other", b"x" * 300)],
           (2 ** 40, 0): [(b"f", b"v"), (b"g", b"-70000")], (2 ** 40, 2 ** 63): [(b"f", b"12345678901234567890"), (b"g", b"w")]}
SEEN, ACTIVE, DELIVERED = 1700000000000, 1700000000500, 1699999999000


def stream_value(kind, entries, deleted=(), groups=None):
    told = Stream({i: p for i, p in entries.items() if i not in deleted}, max(entries, default=(0, 0)), groups=groups)
    if kind >= 19:
        told.added, told.highest_deleted = len(entries), max(deleted, default=(0, 0))
    listed = sorted(entries.items())
    halves = [h for h in (listed[:3], listed[3:]) if any(i not in deleted for i, _ in h)]
    nodes = [forms.stream_node(half, deleted) for half in halves]
    written = [forms.stream_group(kind, name, last, read, consumers) for name, (last, read, consumers) in (groups or {}).items()]
    first = min(told.entries, default=(0, 0))
    return Value("stream", told, kind, forms.stream(kind, nodes, len(told.entries), told.last, first, told.highest_deleted, told.added, written))


def stream_values(kind):
    """kind: 15, 19 or 21."""
    read = -1 if kind < 19 else 3
    groups = {b"group": ((7, 0), read, {b"alice": (SEEN, ACTIVE, {(5, 1): (DELIVERED, 1), (7, 0): (DELIVERED + 7, 3)}),
                                        b"bob": (SEEN + 1, ACTIVE + 1, {(5, 2): (DELIVERED, 1)}), b"idle": (SEEN, SEEN, {})}),
              b"\xff binary": ((0, 0), -1 if kind < 19 else 0, {})}
    yield b"stream", stream_value(kind, ENTRIES)
    yield b"stream:groups", stream_value(kind, ENTRIES, groups=groups)
    yield b"stream:deleted", stream_value(kind, ENTRIES, deleted={(5, 2)})
    yield b"stream:empty", stream_value(kind, ENTRIES, deleted=set(ENTRIES))
    yield b"stream:never", stream_value(kind, {}, groups={b"g": ((0, 0), -1 if kind < 19 else 0, {})})


def hash_expiring(kind, version, fields, expiry):
    """A hash with field expiry, in each of its forms: types 22 to 25 of version 12, 22 of 80."""
    smallest = struct.pack("<q", min(expiry.values(), default=0))
    if (kind, version) == (22, 80):
        body = length(len(fields)) + b"".join(string(f) + string(v) + struct.pack("<q", expiry.get(f, -1)) for f, v in fields)
    elif kind in (25, 23):
        rising = sorted(fields, key=lambda p: expiry.get(p[0], 2 ** 63))
        packed = forms.listpack(flat((f, v, b"%d" % expiry.get(f, 0)) for f, v in rising))
        body = (smallest if kind == 25 else b"") + string(packed)
    else:
        base = min(expiry.values(), default=0) - 1 if kind == 24 else 0
        body = length(len(fields)) + b"".join(forms.length_64(expiry[f] - base if f in expiry else 0) + string(f) + string(v) for f, v in fields)
        body = (smallest if kind == 24 else b"") + body
    return Value("hash", dict(fields), kind, body, expiry)


def expiring_values(version, expiry):
    """expiry: of the third and fourth field, if any."""
    fields = FIELDS[:8]
    times = dict(zip((fields[3][0], fields[2][0]), expiry))
    for kind in (22,) if version == 80 else (24, 25, 22, 23):
        yield b"hash:expiry:%d" % kind, hash_expiring(kind, version, fields, times)


class File:
    """A whole file: name, data (bytes), version, keys: (db, name) -> Value, libraries."""

    def __init__(self, name, version, values, reader, libraries=(), extra=b""):
        self.name, self.version, self.reader, self.libraries = name, version, reader, list(libraries)
        self.keys = {}
        magic = b"VALKEY080" if version == 80 else b"REDIS%04d" % version
        body = b"".join(b"\xf5" + string(code) for code in libraries) + extra
        for db, (key, value), attributes in self._placed(list(values)):
            self.keys[db, key] = value
            body += (b"\xfe" + length(db) if db is not None else b"") + attributes + bytes([value.type]) + string(key) + value.written
        self.data = magic + self._head() + body + b"\xff"
        if version >= 5:
            self.data += struct.pack("<Q", crc64(self.data))

    def _head(self):
        if self.version < 7:
            return b""
        return b"\xfa" + string(b"redis-ver") + string(b"0.0.1") + b"\xfa" + string(b"ctime") + forms.integer(1700000000)

    def _placed(self, values):
        """Most keys in database 0, some with a time, and the last ones in others."""
        first = max(len(values) - 3, 1)
        for i, (key, value) in enumerate(values):
            attributes = b""
            db = 0 if i < first else (9, 3, 9)[i % 3]
            if i % 5 == 1:
                value.expires_ms = FAR_S * 1000
                attributes = b"\xfd" + struct.pack("<I", FAR_S)
            if i % 5 == 2 and self.version >= 3:
                value.expires_ms = FAR_MS + i
                attributes = b"\xfc" + struct.pack("<q", FAR_MS + i)
            if i % 7 == 3 and self.version >= 9:
                attributes += b"\xf8" + length(1000 * i)
            if i % 7 == 4 and self.version >= 9:
                attributes += b"\xf9" + bytes([i % 256])
            if self.version >= 7 and i == 0:
                attributes = b"\xfb" + length(first) + length(0) + attributes
            yield db, (key, value), attributes


LIBRARY = (b"#!lua name=golden\nredis.register_function('answer', function() return 42 end)\n-- " + bytes(range(0x80, 0x100)))


def all_values(version):
    yield from plain_values(version)
    yield from small_values(version)
    yield from listpack_values(version)
    for kind, since in ((15, 9), (19, 10), (21, 11)):
        if version >= since:
            for name, value in stream_values(kind):
                yield name + b":%d" % kind, value


def files():
    """Each with who reads it: "redis" (7.0), or "stillframe", or None: nobody here."""
    for version in range(1, 11):
        yield File("version-%d" % version, version, all_values(version), "redis", [LIBRARY] if version == 10 else [])
    for version in (11, 12, 80):
        yield File("version-%d" % version, version, [*all_values(version), *(expiring_values(version, ()) if version > 11 else ())],
                   "stillframe", [LIBRARY], b"\xf4" + length(5) + length(1) + length(0) if version > 11 else b"")
    for version in (12, 80):
        yield File("expiring-%d" % version, version, expiring_values(version, (FAR_MS, FAR_MS + 1000)), None)
