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
