"""Random commands on keys of any type, on databases, and what is around them."""
from .compare import by, ignored, near, unordered
from .words import DATABASES, INT64_MAX, INT64_MIN

NAME = "any"
SLACK_MS = 10000  # a loaded machine may stop for a while between the two servers
CONFIGS = {}
COMPARE = {"KEYS": unordered, "TTL": near(SLACK_MS // 1000), "PTTL": near(SLACK_MS), "EXPIRETIME": near(SLACK_MS // 1000),
           "PEXPIRETIME": near(SLACK_MS), "HELLO": by(len), "CONFIG": ignored}


def commands(w):
    k, rnd, now = w.any_key, w.rnd, w.now

    def expire():
        name, when = rnd.choice([("EXPIRE", 100000), ("PEXPIRE", 100000000), ("EXPIREAT", now + 200000),
                                 ("PEXPIREAT", (now + 300000) * 1000), ("EXPIRE", 300000), ("EXPIRE", -1), ("PEXPIREAT", 5),
                                 ("EXPIRE", INT64_MAX), ("PEXPIRE", "x"), ("EXPIRE", INT64_MIN), ("PEXPIREAT", INT64_MAX - 807),
                                 ("PEXPIRE", INT64_MAX), ("EXPIREAT", 9223372036854775)])
        options = []
        while w.chance(0.3):
            options.append(rnd.choice(["NX", "XX", "GT", "LT", "gt", "FOO"]))
        return [name, k(), when] + options
    return [
        (4, lambda: [rnd.choice(["DEL", "UNLINK"])] + w.some(k, 1, 1, 3)),
        (2, lambda: ["EXISTS"] + w.some(k, 1, 3)),
        (2, lambda: ["TYPE", k()]),
        (1, lambda: ["TOUCH"] + w.some(k, 1, 3)),
        (1, lambda: ["KEYS", w.match()]),
        (0.5, lambda: ["@scan", "SCAN"] + w.scan_options()),
        (0.5, lambda: ["@scan", "SCAN", "TYPE", rnd.choice(["string", "hash", "list", "set", "zset", "stream", "LIST", "x", ""])]),
        (0.3, lambda: ["SCAN", rnd.choice(["x", "-", " 0", "99999999999999999999"])] + w.scan_options()),
        (0.5, lambda: ["@draw"]),
        (3, lambda: [rnd.choice(["RENAME", "RENAMENX"]), k(), k()]),
        (2, lambda: ["MOVE", k(), rnd.choice([0, 1, 2, 3, 99, "x", 99999999999])]),
        (3, lambda: ["COPY", k(), k()] + rnd.choice([[], ["REPLACE"], ["REPLACE"], ["DB", 1, "REPLACE"], ["DB", 2], ["DB", 77], ["FOO"], ["DB"]])),
        (6, expire),
        (0.7, lambda: ["@expired", k()]),
        (4, lambda: [rnd.choice(["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST"]), k()]),
        (1, lambda: ["OBJECT", "FREQ", k()]),
        (1, lambda: ["DBSIZE"]),
        (1, lambda: ["DEBUG", "DIGEST-VALUE", k(), k()]),
        (1, lambda: ["SELECT", rnd.choice([0] * 4 + list(range(DATABASES)) + [99, "x"])]),
        (0.4, lambda: ["SWAPDB", rnd.choice([0, 1, 2]), rnd.choice([0, 1, 3, 99, "x"])]),
        (0.5, lambda: ["HELLO", rnd.choice([2, 3])]),
        (3, lambda: ["@redump", k(), k()] + rnd.choice([["REPLACE"], ["REPLACE"], [], ["REPLACE", "IDLETIME", 5], ["REPLACE", "FREQ", 5],
                                                        ["FREQ", 500], ["REPLACE", "ABSTTL"], ["FOO"]])),
        (3, lambda: ["@exchange", k(), k()]),
        (0.5, lambda: ["RESTORE", k(), rnd.choice([0, -1, "x", 5]), rnd.choice(["", "x", "\xc1\x00" * 8])]),
        (0.03, lambda: ["DEBUG", "RELOAD"]),
        (0.08, lambda: [rnd.choice(["FLUSHDB", "FLUSHALL"])] + rnd.choice([[], [], ["ASYNC"], ["SYNC"], ["FOO"]])),
    ]
