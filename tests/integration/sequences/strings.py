"""Random commands on strings."""
from .compare import exact
from .words import INT64_MAX

NAME = "string"
COMPARE = {"LCS": exact}


def commands(w):
    k, rnd = w.key, w.rnd

    def offset():
        return rnd.choice([0, 0, 1, 5, 44, 100, 900, 1000, 1100, 3000, -1, "x", 200000 if w.chance(0.1) else 2, 536870912,
                           INT64_MAX])

    def set_options():
        o = []
        if w.chance(0.3):
            o += w.expiry()
        if w.chance(0.2):
            o += [rnd.choice(["NX", "XX", "nx"])]
        if w.chance(0.15):
            o += ["GET"]
        if w.chance(0.03):
            o += [rnd.choice(["XX", "NX", "FOO", ""])]
        return o

    def key_values(*counts):
        return [x for _ in range(rnd.choice(counts)) for x in (k(), w.value())]
    return [
        (10, lambda: ["SET", k(), w.value()] + set_options()),
        (4, lambda: ["GET", k()]),
        (2, lambda: ["MSET"] + key_values(1, 2, 5)),
        (0.5, lambda: [rnd.choice(["MSET", "MSETNX"]), k(), 1, k()]),
        (2, lambda: ["MGET"] + w.some(k, 1, 3, 8)),
        (4, lambda: [rnd.choice(["INCR", "DECR"]), k()]),
        (3, lambda: [rnd.choice(["INCRBY", "DECRBY"]), k(), w.number()]),
        (6, lambda: ["APPEND", k(), w.value()]),
        (1, lambda: ["APPEND", k(), ""]),
        (2, lambda: ["STRLEN", k()]),
        (5, lambda: ["SETRANGE", k(), offset(), rnd.choice(["", "z", "replaced", w.value()])]),
        (3, lambda: [rnd.choice(["GETRANGE", "GETRANGE", "SUBSTR"]), k(), w.index(), w.index()]),
        (3, lambda: ["GETEX", k()] + rnd.choice([[], ["PERSIST"], ["PERSIST", "EX", 5], ["FOO"], w.expiry()])),
        (2, lambda: ["GETDEL", k()]),
        (3, lambda: [rnd.choice(["GETSET", "SETNX"]), k(), w.value()]),
        (2, lambda: [rnd.choice(["SETEX", "PSETEX"]), k(), rnd.choice([100000000, 0, -1, "x", 2 ** 62, INT64_MAX]), w.value()]),
        (2, lambda: ["MSETNX"] + key_values(1, 2, 3)),
        (3, lambda: ["INCRBYFLOAT", k(), w.float()]),
        (1, lambda: ["LCS", k(), k()] + rnd.choice([[], ["LEN"], ["IDX"], ["IDX", "MINMATCHLEN", 3, "WITHMATCHLEN"], ["IDX", "LEN"],
                                                    ["FOO"], ["MINMATCHLEN", -1, "IDX"]])),
        (0.3, lambda: [rnd.choice(["SET", "GET", "APPEND", "SETRANGE", "INCRBY", "MSET", "GETEX", "STRLEN"])] + w.some(k, 0, 1, 2, 5)),
    ]
