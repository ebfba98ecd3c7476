"""Dumps and DUMP payloads spelled out by hand, for tests of what a reader makes of them."""
import struct

_POLYNOMIAL = 0x95ac9329ac4bc9b5  # CRC-64/Jones, reflected


def _table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _table()


def crc64(data):
    crc = 0
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc


def payload(value, version=10):
    """What DUMP gives, and RESTORE takes."""
    data = value + struct.pack("<H", version)
    return data + struct.pack("<Q", crc64(data))


def rdb(*items, version=10):
    data = b"REDIS%04d" % version + b"".join(items) + b"\xff"
    return data + struct.pack("<Q", crc64(data))


def length(n):
    if n < 64:
        return bytes([n])
    if n < 1 << 14:
        return bytes([0x40 | n >> 8, n & 255])
    return b"\x80" + struct.pack(">I", n) if n < 1 << 32 else b"\x81" + struct.pack(">Q", n)


def string(data):
    return length(len(data)) + data


def key(kind, name, value):
    return bytes([kind]) + string(name) + value


def listpack(*elements, count=None):
    """count: what its head claims."""
    body = b""
    for e in elements:
        entry = bytes([e]) if isinstance(e, int) else bytes([0x80 | len(e)]) + e
        body += entry + bytes([len(entry)])
    return struct.pack("<IH", len(body) + 7, len(elements) if count is None else count) + body + b"\xff"


EMPTY_ZIPLIST = struct.pack("<IIH", 11, 10, 0) + b"\xff"


def stream_node(ms, items, live=None, deleted=0):
    """ms: of the node; items: (difference, is deleted).  live, deleted: what the node claims."""
    elements = [sum(not d for _, d in items) if live is None else live, deleted, 1, b"f", 0]
    for difference, is_deleted in items:
        elements += [3 if is_deleted else 2, difference, 0, b"v", 4]
    return string(struct.pack(">QQ", ms, 0)) + string(listpack(*elements))


def stream(kind, nodes, claimed, last, added=0, groups=b"\0"):
    value = length(len(nodes)) + b"".join(nodes) + length(claimed) + length(last) + b"\0"
    if kind != 15:
        value += b"\0\0\0\0" + length(added)
    return value + groups


def module_id(name, version):
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    number = 0
    for c in name:
        number = number << 6 | alphabet.index(c)
    return number << 10 | version


ENTRIES = struct.pack("<IIH", 15, 12, 2) + b"\x00\xf1\x02\xf2\xff"  # a ziplist of 0 and 1

# One value of each type.
VALUES = {
    0: string(b"v"), 1: b"\x01" + string(b"e"), 2: b"\x01" + string(b"m"), 3: b"\x01" + string(b"m") + b"\x011",
    4: b"\x01" + string(b"f") + string(b"v"), 5: b"\x01" + string(b"m") + struct.pack("<d", 1.5),
    9: string(b"\x01\x01f\x01\x00v\xff"), 10: string(ENTRIES), 11: string(struct.pack("<IIh", 2, 1, 7)),
    12: string(ENTRIES), 13: string(ENTRIES), 14: b"\x01" + string(ENTRIES), 15: b"\0\0\x01\0\0",
    16: string(listpack(b"f", b"v")), 17: string(listpack(b"m", 1)), 18: b"\x01\x02" + string(listpack(b"e")),
    19: b"\0\0\x01\0" + bytes(5) + b"\0", 20: string(listpack(b"m")), 21: b"\0\0\x01\0" + bytes(5) + b"\0",
    24: bytes(8) + b"\x01\x00" + string(b"f") + string(b"v"),
    25: bytes(8) + string(listpack(b"f", b"v", 0)),
}
