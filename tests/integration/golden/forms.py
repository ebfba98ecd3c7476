"""The forms that values have in RDB files of all versions, spelled byte by byte from Python values.

Nothing here is read back by the code it tests: what each form looks like is in docs/rdb.md.
"""
import struct

from dump_bytes import length, string


def integer(n):
    """A string that stands in its integer form."""
    for head, form, bits in ((b"\xc0", "<b", 7), (b"\xc1", "<h", 15), (b"\xc2", "<i", 31)):
        if -2 ** bits <= n < 2 ** bits:
            return head + struct.pack(form, n)
    raise ValueError(n)


def length_64(n):
    """A length in its longest form, which a writer takes for what does not fit into 32 bits."""
    return b"\x81" + struct.pack(">Q", n)


def lzf(unit, size):
    """The string unit * many, cut to size, compressed: unit as it is, then references to it."""
    packed, at = bytes([len(unit) - 1]) + unit, len(unit)
    while at < size:
        n = min(size - at, 264)
        if n < 3:
            packed += bytes([n - 1]) + (unit * 3)[at % len(unit):][:n]
        elif n < 9:
            packed += bytes([n - 2 << 5, len(unit) - 1])
        else:
            packed += bytes([7 << 5, n - 9, len(unit) - 1])
        at += n
    return b"\xc3" + length(len(packed)) + length(size) + packed


def as_int(data):
    """The integer that these bytes stand for, in the one way that it is written; or None."""
    try:
        n = int(data)
    except ValueError:
        return None
    return n if b"%d" % n == data and -2 ** 63 <= n < 2 ** 63 else None


def _listpack_entry(data):
    n = as_int(data)
    if n is None:
        if len(data) < 64:
            return bytes([0x80 | len(data)]) + data
        if len(data) < 4096:
            return bytes([0xe0 | len(data) >> 8, len(data) & 255]) + data
        return b"\xf0" + struct.pack("<I", len(data)) + data
    if 0 <= n < 128:
        return bytes([n])
    if -4096 <= n < 4096:
        return bytes([0xc0 | n >> 8 & 0x1f, n & 255])
    for head, size in ((b"\xf1", 2), (b"\xf2", 3), (b"\xf3", 4), (b"\xf4", 8)):
        if -2 ** (8 * size - 1) <= n < 2 ** (8 * size - 1):
            return head + n.to_bytes(size, "little", signed=True)
    raise ValueError(n)


def _backwards(size):
    """An entry's size, as it stands behind it."""
    for limit, groups in ((128, 1), (16383, 2), (2097151, 3), (268435455, 4)):
        if size < limit:
            parts = [size >> 7 * i & 127 for i in reversed(range(groups))]
            return bytes(parts[:1] + [p | 128 for p in parts[1:]])
    raise ValueError(size)


def listpack(elements):
    body = b""
    for data in elements:
        entry = _listpack_entry(data)
        body += entry + _backwards(len(entry))
    return struct.pack("<IH", len(body) + 7, min(len(elements), 65535)) + body + b"\xff"


def _ziplist_entry(data):
    n = as_int(data)
    if n is None:
        if len(data) < 64:
            return bytes([len(data)]) + data
        if len(data) < 16384:
            return bytes([0x40 | len(data) >> 8, len(data) & 255]) + data
        return b"\x80" + struct.pack(">I", len(data)) + data
    if 0 <= n <= 12:
        return bytes([0xf1 + n])
    for head, size in ((b"\xfe", 1), (b"\xc0", 2), (b"\xf0", 3), (b"\xd0", 4), (b"\xe0", 8)):
        if -2 ** (8 * size - 1) <= n < 2 ** (8 * size - 1):
            return head + n.to_bytes(size, "little", signed=True)
    raise ValueError(n)


def ziplist(elements):
    body, before, last = b"", 0, 10
    for data in elements:
        last = 10 + len(body)
        entry = (bytes([before]) if before < 254 else b"\xfe" + struct.pack("<I", before)) + _ziplist_entry(data)
        body, before = body + entry, len(entry)
    return struct.pack("<IIH", len(body) + 11, last, min(len(elements), 65535)) + body + b"\xff"


def zipmap(pairs, unused=0):
    """unused: bytes behind each value that were its when it was longer."""
    def size(n):
        return bytes([n]) if n < 254 else b"\xfe" + struct.pack("<I", n)
    body = b"".join(size(len(f)) + f + size(len(v)) + bytes([unused]) + v + b"?" * unused for f, v in pairs)
    return bytes([min(len(pairs), 254)]) + body + b"\xff"


def intset(numbers):
    numbers = sorted(numbers)
    width = next(w for w in (2, 4, 8) if all(-2 ** (8 * w - 1) <= n < 2 ** (8 * w - 1) for n in numbers))
    return struct.pack("<II", width, len(numbers)) + b"".join(n.to_bytes(width, "little", signed=True) for n in numbers)


def strings(elements):
    return length(len(elements)) + b"".join(string(e) for e in elements)


def pairs(items):
    return length(len(items)) + b"".join(string(f) + string(v) for f, v in items)


def flat(items):
    return [part for item in items for part in item]


def score_text(score):
    """A score as text, as type 3 has it."""
    if score in (float("inf"), float("-inf")):
        return b"\xfe" if score > 0 else b"\xff"
    text = b"%.17g" % score
    return bytes([len(text)]) + text


def scored_text(items):
    return length(len(items)) + b"".join(string(m) + score_text(s) for m, s in items)


def scored(items):
    return length(len(items)) + b"".join(string(m) + struct.pack("<d", s) for m, s in items)


def score_bytes(score):
    """A score as an element of a ziplist or listpack."""
    if score == int(score) if abs(score) < 1e15 else False:
        return b"%d" % score
    return b"inf" if score == float("inf") else b"-inf" if score == float("-inf") else repr(score).encode()


def scored_flat(items):
    return flat((m, score_bytes(s)) for m, s in sorted(items, key=lambda i: (i[1], i[0])))


def quicklist(nodes):
    """Of ziplists (type 14)."""
    return length(len(nodes)) + b"".join(string(ziplist(n)) for n in nodes)


def quicklist_2(nodes):
    """Nodes are lists of elements, or one element's bytes, which stand plainly (type 18)."""
    return length(len(nodes)) + b"".join(b"\1" + string(n) if isinstance(n, bytes) else b"\2" + string(listpack(n)) for n in nodes)


def stream_id(i):
    return struct.pack(">QQ", *i)


def _signed(n):
    """Differences of ids are stored in 64 bits, which count as a signed number."""
    return n - 2 ** 64 if n >= 2 ** 63 else n


def stream_node(entries, deleted=()):
    """entries: (id, pairs); those whose id is in deleted stand there as deleted ones."""
    first, names = entries[0][0], [f for f, _ in entries[0][1]]
    gone = sum(i in deleted for i, _ in entries)
    out = [len(entries) - gone, gone, len(names), *names, 0]
    for i, fields in entries:
        is_same = [f for f, _ in fields] == names
        out += [is_same * 2 | (i in deleted), i[0] - first[0], i[1] - first[1]]
        out += [v for _, v in fields] if is_same else [len(fields), *flat(fields)]
        out += [len(fields) + 3 if is_same else 2 * len(fields) + 4]
    return string(stream_id(first)) + string(listpack([b"%d" % _signed(e) if isinstance(e, int) else e for e in out]))


def _moment(ms):
    return struct.pack("<q", ms)


def stream_group(kind, name, last, read, consumers):
    """consumers: name -> (seen, active, {id: (delivered, how often)}); read: -1: not known."""
    everything = sorted((i, told) for _, _, pending in consumers.values() for i, told in pending.items())
    out = string(name) + length(last[0]) + length(last[1])
    if kind >= 19:
        out += length(read) if read >= 0 else length_64(2 ** 64 - 1)
    out += length(len(everything)) + b"".join(stream_id(i) + _moment(at) + length(n) for i, (at, n) in everything)
    out += length(len(consumers))
    for consumer, (seen, active, pending) in consumers.items():
        out += string(consumer) + _moment(seen) + (_moment(active) if kind >= 21 else b"")
        out += length(len(pending)) + b"".join(stream_id(i) for i in sorted(pending))
    return out


def stream(kind, nodes, live, last, first=(0, 0), highest_deleted=(0, 0), added=0, groups=()):
    """nodes: of stream_node(); groups: of stream_group()."""
    out = length(len(nodes)) + b"".join(nodes) + length(live) + length(last[0]) + length(last[1])
    if kind >= 19:
        out += length(first[0]) + length(first[1]) + length(highest_deleted[0]) + length(highest_deleted[1]) + length(added)
    return out + length(len(groups)) + b"".join(groups)
