"""What a guest has written to its disk, write by write: QEMU's blklogwrites (the format of Linux's
dm-log-writes).  For power cuts at every instant: a disk that has taken the first n writes.

OSv waits for each write of its file system before it begins the next, and a disk without a cache of
its own (guest.py) has taken what it has acknowledged: so the first n writes are what a power cut
leaves behind, and no other selection of them is.
"""
import collections
import struct

SECTOR = 512
MAGIC = 0x6A736677736872
HEAD = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")
FLUSH, DISCARD = 1, 4

Write = collections.namedtuple("Write", "at bytes log_at is_flush")  # at and bytes: of the disk


def read(path):
    """The Writes of a log, also of one whose QEMU was killed."""
    found = []
    with open(path, "rb") as log:
        magic, version, _, sector = HEAD.unpack(log.read(SECTOR)[:HEAD.size])
        if magic != MAGIC or version != 1 or sector != SECTOR:
            raise ValueError("%s: not a log of writes" % path)
        at = SECTOR
        while True:
            log.seek(at)
            head = log.read(ENTRY.size)
            if len(head) < ENTRY.size:
                return found
            first, count, flags, _ = ENTRY.unpack(head)
            at += SECTOR
            if count == 0 and flags == 0:
                return found  # behind the last one
            found.append(Write(first * SECTOR, count * SECTOR, at, bool(flags & FLUSH)))
            if not flags & DISCARD:
                at += count * SECTOR


def apply(path, writes, raw):
    """Let a raw disk (an open file) take these writes."""
    with open(path, "rb") as log:
        for w in writes:
            if w.bytes:
                log.seek(w.log_at)
                raw.seek(w.at)
                raw.write(log.read(w.bytes))
    raw.flush()
