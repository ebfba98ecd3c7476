"""Random commands on lists, waiting clients among them."""
from .compare import exact
from .words import INT64_MAX, INT64_MIN

NAME = "list"
NEEDS = "LPUSH"
# What Redis 7.2 refuses and 7.0 does not (or says otherwise): the one rank, and the one count,
# whose negation does not exist; milliseconds that do not fit.
NEWER = ["ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807", "ERR timeout is out of range"]


def newer(command, ours, theirs):
    return exact(command, ours, theirs) or str(ours) in NEWER


CONFIGS = {"list-max-listpack-size": ["-2", "-1", "4", "1", "-3", "0", "100", "-5"]}
COMPARE = {name: newer for name in ("LPOS", "BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP")}
SIDES = ["LEFT", "RIGHT", "left", "RIGHT", "LEFT"]


def commands(w):
    k, rnd = w.key, w.rnd

    def element():
        r = rnd.random()
        if r < 0.5:
            return w.choice("a", "b", "c", "1", "2", "77", "-5000")
        if r < 0.9:
            return w.small()
        return w.choice("v" * 700, "p" * 2000, "q" * 8000, "big" * 3000, "x" * 4080, "y" * 8180)

    def elements():
        return w.some(element, 1, 1, 1, 2, 3, 10, 60) if w.chance(0.97) else [element() for _ in range(500)]

    def side():
        return rnd.choice(SIDES) if w.chance(0.97) else rnd.choice(["UP", "", "1"])

    def timeout():
        return rnd.choice(["0.01", "0.01", "0.02", "1e-2"] if w.chance(0.6) else
                          ["-1", "x", "", "nan", "inf", "1e400", "9223372036854775807", "-0.1", " 1", "1 ", "99999999999999999", "0x"])

    def mpop():
        count = rnd.choice([[], [], ["COUNT", w.count()], ["COUNT"], ["COUNT", 1, "COUNT", 2], ["FOO", 1]])
        keys = w.some(k, 1, 2, 3)
        n = len(keys) if w.chance(0.93) else rnd.choice([0, -1, 1, 2, 10, "x", "", INT64_MAX, 2 ** 31])
        return [n] + keys + [side()] + count

    def lpos():
        options = []
        while w.chance(0.5):
            options += rnd.choice([["RANK", w.index()], ["COUNT", w.count()], ["MAXLEN", w.count()], ["RANK"], ["FOO", 1], ["RANK", 1],
                                   ["RANK", -1], ["RANK", -2], ["COUNT", 0], ["RANK", 0], ["RANK", INT64_MIN]])
        return ["LPOS", k(), element()] + options

    def blocking():
        forever = rnd.choice(["0", "0.0", "1000"])
        return rnd.choice([
            lambda: ["BLPOP"] + w.some(k, 1, 2, 3) + [forever],
            lambda: ["BRPOP"] + w.some(k, 1, 2) + [forever],
            lambda: ["BLMOVE", k(), k(), rnd.choice(SIDES), rnd.choice(SIDES), forever],
            lambda: ["BRPOPLPUSH", k(), k(), forever],
            lambda: ["BLMPOP", forever] + [2, k(), k()] + [rnd.choice(SIDES)] + rnd.choice([[], ["COUNT", 2], ["COUNT", 10]]),
        ])()

    def write():
        return rnd.choice([
            lambda: [rnd.choice(["LPUSH", "RPUSH"]), k()] + w.some(element, 1, 2, 5),
            lambda: ["DEL", k()],
            lambda: ["RENAME", k(), k()],
            lambda: ["COPY", k(), k(), "REPLACE"],
            lambda: ["LMOVE", k(), k(), "LEFT", "RIGHT"],
            lambda: ["SET", k(), "x"],
            lambda: ["@multi", [["LPUSH", k(), "m"], ["RPUSH", k(), "n", "o"], rnd.choice([["DEL", k()], ["LPOP", k()], ["BLPOP", k(), "0"]])]],
            lambda: ["LPOP", k()],
        ])()
    return [
        (14, lambda: [rnd.choice(["LPUSH", "RPUSH"]), k()] + elements()),
        (2, lambda: [rnd.choice(["LPUSHX", "RPUSHX"]), k()] + elements()),
        (0.5, lambda: [rnd.choice(["LPUSH", "RPUSH", "LPUSHX", "RPUSHX", "LREM", "LSET", "LPOP", "LLEN", "LMOVE", "BLPOP", "LMPOP", "BLMPOP",
                                   "LRANGE", "LTRIM", "LINSERT", "LPOS", "BLMOVE", "LINDEX", "RPOPLPUSH", "BRPOPLPUSH"])] + w.some(k, 0, 1, 2, 5)),
        (5, lambda: [rnd.choice(["LPOP", "RPOP"]), k()]),
        (3, lambda: [rnd.choice(["LPOP", "RPOP"]), k(), w.count()]),
        (2, lambda: ["LLEN", k()]),
        (4, lambda: ["LINDEX", k(), w.index()]),
        (6, lambda: ["LRANGE", k(), w.index(), w.index()]),
        (4, lambda: ["LSET", k(), w.index(), element()]),
        (5, lambda: ["LINSERT", k(), rnd.choice(["BEFORE", "AFTER", "before", "after", "AFTER", "IN"]), element(), element()]),
        (4, lambda: ["LREM", k(), rnd.choice([0, 1, 2, -1, -2, 5, -5, INT64_MAX, "x"]), element()]),
        (2, lambda: ["LTRIM", k(), w.index(), w.index()]),
        (4, lpos),
        (4, lambda: ["LMOVE", k(), k(), side(), side()]),
        (2, lambda: ["RPOPLPUSH", k(), k()]),
        (3, lambda: ["LMPOP"] + mpop()),
        (0.3, lambda: [rnd.choice(["BLPOP", "BRPOP"])] + w.some(k, 1, 2) + [timeout()]),
        (0.2, lambda: ["BLMOVE", k(), k(), side(), side(), timeout()]),
        (0.2, lambda: ["BRPOPLPUSH", k(), k(), timeout()]),
        (0.2, lambda: ["BLMPOP", timeout()] + mpop()),
        (0.6, lambda: ["@waiting", [blocking() for _ in range(rnd.choice([1, 2, 3, 5]))], [write() for _ in range(rnd.choice([1, 2, 5]))]]),
        (1, lambda: ["@redump", k(), k(), "REPLACE"]),
        (1, lambda: ["@exchange", k(), k()]),
        (0.3, lambda: ["DEBUG", "DIGEST-VALUE", k()]),
    ]
