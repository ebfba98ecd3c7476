"""Payloads for RESTORE that are not what they claim: values of every type and form, and what
becomes of them by chance or by design; what is done to a key that was made of one."""
import random
import struct

from dump_bytes import EMPTY_ZIPLIST, VALUES, length, listpack, string
from golden import forms
from golden.files import all_values, expiring_values

LONGEST = 1500  # bytes of a value: what is longer shows nothing more
LENGTHS = [0, 1, 2, 63, 64, 255, 256, (1 << 14) - 1, 1 << 14, 0xffff, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32,
           (1 << 62) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 8, (1 << 64) - 1]
BYTES = b"\0\1\x0b\x3f\x40\x7f\x80\x81\xbf\xc0\xc1\xc2\xc3\xdf\xe0\xef\xf0\xf1\xf4\xf5\xfb\xfc\xfd\xfe\xff"

# What makes values of each form, on a server of any kind; "k" is dumped.
COMMANDS = """
set k short|set k 12345|set k -70000|set k 5000000000|setbit k 900 1|pfadd k a b c d
rpush k a b 3 -400 70000 5000000000|rpush k {many}
sadd k 1 2 3|sadd k 1 70000 5000000000|sadd k a b 3|sadd k {many}
hset k a 1 b two 3 c|hset k {pairs}
zadd k 1 a 2.5 b -inf c inf d|zadd k {pairs_of_scores}
xadd k 1-1 f v g w;xadd k 5-0 h x;xadd k 5-1 h y;xdel k 5-0;xgroup create k g 0;xreadgroup group g c count 1 streams k >
xadd k 1-1 f v;xdel k 1-1;xgroup create k g $;xgroup createconsumer k g c
"""
FIELD_EXPIRY = "hset k a 1 b two 3 c;hpexpireat k 4102444800000 fields 2 a 3|hset k {pairs};hpexpireat k 4102444800000 fields 2 w1 w2"
SMALL = [["CONFIG", "SET", name, "3"] for name in ("list-max-listpack-size", "set-max-intset-entries", "hash-max-listpack-entries",
                                                   "zset-max-listpack-entries", "stream-node-max-entries")]


def lines(text):
    words = ["w%d" % i for i in range(12)]
    text = text.format(many=" ".join(words), pairs=" ".join("%s v%s" % (w, w) for w in words),
                       pairs_of_scores=" ".join("%d %s" % (i, w) for i, w in enumerate(words)))
    return [[command.split() for command in line.split(";")] for line in text.replace("\n", "|").split("|") if line]


def dumps(client, text):
    """Of what a server says of its own values, small and large: (type, value, version)."""
    for settings in ([], SMALL):
        client.pipeline(settings)
        for commands in lines(text):
            client.pipeline([["DEL", "k"], *commands])
            data = bytes(client.call("DUMP", "k"))
            yield data[0], data[1:-10], struct.unpack("<H", data[-10:-8])[0]
    client.call("DEL", "k")


def spelled():
    """Every type, by hand and from the golden files."""
    for kind, value in VALUES.items():
        yield kind, value, 12
    far = (4102444800000, 4102444801000)
    yield 22, b"\2\x81" + struct.pack(">q", far[0]) + b"\1f\1v\0\1g\1w", 12
    yield 23, string(forms.listpack([b"f", b"v", b"%d" % far[0], b"g", b"w", b"0"])), 12
    for _, value in [*all_values(12), *expiring_values(12, far)]:
        yield value.type, value.written, 12


def designed():
    """What no mutation by chance would find."""
    pack = listpack(b"a", b"1", b"a", b"2")
    for kind, value in (
            (20, string(listpack(b"m", b"m"))), (16, string(pack)), (16, string(listpack(b"a", b"1", b"b"))), (17, string(pack)),
            (17, string(listpack(b"m", b"nan"))), (17, string(listpack(b"m", b"x"))), (17, string(listpack(b"m", b""))),
            (2, b"\2\1m\1m"), (4, b"\2\1f\1v\1f\1w"), (5, b"\2" + 2 * (b"\1m" + bytes(8))),
            (5, b"\1\1m" + struct.pack("<d", float("nan"))), (3, b"\1\1m\xfd"), (3, b"\1\1m\x03abc"), (3, b"\1\1m\x00"),
            (11, string(struct.pack("<IIhh", 2, 2, 5, 3))), (11, string(struct.pack("<IIhh", 2, 2, 5, 5))),
            (11, string(struct.pack("<IIh", 2, 2, 5))), (11, string(struct.pack("<IIh", 3, 1, 5))), (11, string(struct.pack("<II", 2, 0))),
            (11, string(struct.pack("<IIh", 2, 0xffffffff, 5))), (11, string(struct.pack("<IIq", 8, 0x20000001, 5))),
            (11, string(struct.pack("<IIi", 4, 1, 5))), (11, string(b"")), (10, string(EMPTY_ZIPLIST)), (13, string(EMPTY_ZIPLIST)),
            (9, string(b"\1\1f\1\0v")), (9, string(b"\xfe\1f\1\0v\xff")), (9, string(b"\1\1f\1\xffv\xff")), (9, string(b"\1\xfe\xff\xff\xff\xfff\xff")),
            (9, string(b"\2\1f\1\0v\1f\1\0w\xff")), (0, b"\xc3\x05\x40"), (0, b"\xc3\x02\x05\0a"), (0, b"\xc3\x03\x05\x40\x01a"),
            (0, b"\xc3\x00\x01"), (0, b"\xc3\x01\x00\x00"), (0, b"\xc3\x05\x81" + b"\x7f" * 8 + b"\x03abcd"), (0, b"\xc3\x81" + b"\xff" * 8 + b"\1a"),
            (0, b"\xc4"), (0, b"\xff"), (0, length(1 << 40)), (1, length(1 << 40) + b"\1a"), (4, length((1 << 63) + 1) + b"\1a\1b"),
            (18, b"\1\3" + string(listpack(b"a"))), (18, b"\1\1" + length(1 << 33)), (18, length(1 << 60) + b"\2"), (14, b"\1" + string(b"")),
            (21, length(1 << 60)), (15, b"\1" + string(b"x" * 15) + string(listpack(0))), (15, b"\1" + string(bytes(16)) + string(listpack(b"a"))),
            (6, b"x"), (7, b"\x81" + bytes(8) + b"\0"), (7, b"\0\0"), (8, b"x"), (26, b"\0"), (29, b"\0"), (64, b"\0"), (128, b"\0"), (255, b"\0")):
        yield kind, value, 12


class Mutator:
    def __init__(self, seed):
        self.rnd = random.Random(seed)

    def number(self):
        """A length in one of RDB's forms, or a number as the packed forms have it."""
        n = self.rnd.choice(LENGTHS)
        form = self.rnd.choice(["rdb", "<Q", "<I", "<H", ">I", "B", "long"])
        if form == "rdb":
            return length(n)
        if form == "long":
            return b"\x81" + struct.pack(">Q", n)
        return struct.pack(form, n % (1 << 8 * struct.calcsize(form)))

    def mutate(self, data):
        """data, changed in one to four places."""
        for _ in range(self.rnd.choice((1, 1, 1, 2, 2, 4))):
            data = self.rnd.choice((self.flip, self.byte, self.byte, self.cut, self.overwrite, self.insert, self.repeat, self.remove,
                                    self.exchange, self.compress))(data)
        return data

    def place(self, data):
        """Heads are where lengths stand."""
        return self.rnd.randrange(min(len(data), 12) if self.rnd.random() < 0.4 else len(data)) if data else 0

    def slice(self, data):
        at = self.place(data)
        return at, min(at + self.rnd.choice((1, 1, 2, 3, 4, 8, 16)), len(data))

    def flip(self, data):
        at = self.place(data)
        return data[:at] + bytes(b ^ 1 << self.rnd.randrange(8) for b in data[at:at + 1]) + data[at + 1:]

    def byte(self, data):
        at = self.place(data)
        return data[:at] + bytes([self.rnd.choice(BYTES)]) + data[at + 1:]

    def cut(self, data):
        return data[:self.rnd.randrange(len(data) + 1)]

    def overwrite(self, data):
        at, number = self.place(data), self.number()
        return data[:at] + number + data[at + len(number):]

    def insert(self, data):
        at, number = self.place(data), self.number()
        return data[:at] + number + data[at + self.rnd.choice((0, 0, 1)):]

    def repeat(self, data):
        a, b = self.slice(data)
        return data[:b] + data[a:b] * self.rnd.choice((1, 1, 2, 40)) + data[b:]

    def remove(self, data):
        a, b = self.slice(data)
        return data[:a] + data[b:]

    def exchange(self, data):
        a, b = self.slice(data)
        return data[:a] + data[b:2 * b - a] + data[a:b] + data[2 * b - a:]

    def compress(self, data):
        """A string within as LZF that may lie: its bytes are literals."""
        at = self.place(data)
        n = data[at] if data else 0
        inner = data[at + 1:at + 1 + n]
        if not 0 < n < 33 or len(inner) != n:
            return data
        claimed = n + self.rnd.choice((0, 0, 0, 1, -1, 1 << 20))
        return data[:at] + b"\xc3" + length(n + 1) + length(max(claimed, 0)) + bytes([n - 1]) + inner + data[at + 1 + n:]


# All that reads a value of each type, and all that changes one, with words that are in the values.
READS = {
    "string": ["get k", "getrange k -3 -1", "strlen k", "bitcount k", "bitpos k 1", "pfcount k", "lcs k k len"],
    "list": ["lrange k 0 -1", "llen k", "lindex k -1", "lindex k 3", "lpos k a rank -1", "sort k alpha limit 0 9"],
    "set": ["smembers k", "scard k", "sismember k w3", "smismember k 1 m", "sscan k 0", "sinter k k", "srandmember k -5"],
    "hash": ["hgetall k", "hlen k", "hget k w1", "hscan k 0", "hrandfield k -5 withvalues", "httl k fields 2 a 3", "hstrlen k b"],
    "zset": ["zrange k 0 -1 withscores", "zcard k", "zrank k w3", "zrangebyscore k -inf +inf", "zrevrangebylex k + -", "zcount k 1 5",
             "zscan k 0", "zrandmember k -5 withscores", "zinter 1 k withscores", "geopos k a"],
    "stream": ["xrange k - +", "xrevrange k + - count 2", "xlen k", "xinfo stream k full", "xinfo groups k", "xpending k g",
               "xread count 3 streams k 0"],
}
WRITES = {
    "string": ["append k x", "incr k", "incrbyfloat k 1.5", "setrange k 3 abc", "setbit k 77 1", "pfadd k z", "pfmerge k k", "bitfield k incrby u5 3 9",
               "getex k persist"],
    "list": ["lpush k x", "rpush k 5", "lset k 0 yy", "linsert k before a x", "lrem k 0 b", "lrem k -1 a", "ltrim k 1 -2", "lmove k k left right",
             "lpop k 2", "rpop k", "sort k alpha store k2"],
    "set": ["sadd k 5 m2", "sadd k 99999999999", "srem k 1 a w3", "smove k k2 2", "spop k", "sunionstore k2 k", "sdiffstore k k k2", "sinterstore k k k"],
    "hash": ["hset k a 2 n v", "hincrby k a 5", "hdel k b 3 w1", "hpexpireat k 4102444800001 fields 2 a w3", "hpersist k fields 1 3",
             "hexpire k -1 fields 1 w4", "hgetdel k fields 1 w5", "hsetex k fields 1 q w"],
    "zset": ["zadd k 3 n 4 a", "zincrby k 2 w3", "zrem k b w1", "zpopmin k", "zpopmax k 2", "zremrangebyrank k 1 2", "zremrangebyscore k 0 2",
             "zunionstore k2 2 k k", "zrangestore k k 0 -1"],
    "stream": ["xadd k * f v", "xadd k maxlen ~ 2 * a b", "xdel k 1-1", "xtrim k maxlen 1", "xgroup create k h 0", "xreadgroup group g c streams k >",
               "xautoclaim k g d 0 0", "xack k g 1-1", "xclaim k g d 0 5-0 1-1 force", "xgroup delconsumer k g c", "xsetid k 99999999999999-0",
               "xgroup destroy k g"],
}


def uses(rnd, kind, how_many):
    """Commands on k, some that read and some that write, by chance."""
    both = READS[kind] + WRITES[kind]
    return [line.split() for line in rnd.sample(READS[kind], min(2, len(READS[kind]))) + rnd.choices(both, k=how_many)]
