"""Random commands on sorted sets."""
import resp

from .compare import numbers
from .replies import Double, is_null
from .specials import on_both, scan_all

NAME = "zset"
NEEDS = "ZADD"
CONFIGS = {"zset-max-listpack-entries": ["128", "6", "0", "300"], "zset-max-listpack-value": ["64", "12", "0", "200"]}
COMPARE = {name: numbers for name in (
    "ZADD", "ZINCRBY", "ZSCORE", "ZMSCORE", "ZRANGE", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZREVRANGE", "ZPOPMIN", "ZPOPMAX", "ZMPOP",
    "BZPOPMIN", "BZPOPMAX", "BZMPOP", "ZUNION", "ZINTER", "ZDIFF", "ZRANK", "ZREVRANK")}


def zrandmember(client, args):
    """By chance: how many, and whether they are members with their scores (and, without
    repetitions, different)."""
    key, *rest = args
    reply = client.call("ZRANDMEMBER", key, *rest)
    if not isinstance(reply, list):
        return not is_null(client.call("ZSCORE", key, reply)) if isinstance(reply, bytes) else reply
    nested = bool(reply) and isinstance(reply[0], list)
    words = [x for pair in reply for x in pair] if nested else reply
    has_scores = len(rest) > 1
    members, scores = (words[::2], words[1::2]) if has_scores else (words, [])
    found = client.call("ZMSCORE", key, *members) if members else []
    right = not any(is_null(f) for f in found) and (not has_scores or list(map(float, found)) == list(map(float, scores)))
    is_distinct = len(set(members)) == len(members) or int(rest[0]) < 0
    return [nested, len(reply), right, is_distinct, {type(s) is Double for s in scores}]


def scan(client, args):
    """A whole iteration, the scores as numbers."""
    found = scan_all(client, ["ZSCAN"] + args)
    return found if isinstance(found, resp.RespError) else [[m, float(s)] for m, s in found]


SPECIALS = {"@zrandmember": on_both(zrandmember), "@zscan": on_both(scan)}


def commands(w):
    k, m, rnd = w.key, w.member, w.rnd
    pick = rnd.choice

    def score():
        r = rnd.random()
        if r < 0.5:
            return rnd.randrange(-5, 40)
        if r < 0.75:
            return pick([rnd.randrange(400) / 4, -rnd.randrange(400) / 8, rnd.random(), rnd.randrange(10 ** 12)])
        if r < 0.97:
            return pick(["inf", "-inf", "+inf", "0", "1e300", "-1e-300", "0.1", "3.0", "1e5", "17179869184", "9007199254740993", "1.7976931348623157e308"])
        return pick(["x", "", "nan", "1x", " 1", "1e400", "0x10"])

    # No -0: a listpack makes 0 of it, so where it is left depends on the way it took.
    def bound():
        return pick([str(score()), "(" + str(score()), "-inf", "+inf", "inf"] if w.chance(0.97) else ["", "(", "x", "((1", "nan", "[1"])

    def lex():
        return pick(["[" + str(m()), "(" + str(m()), "-", "+"] if w.chance(0.97) else ["x", "", "[", "(", "a", "-x"])

    def limit():
        return pick([[], [], [], ["LIMIT", pick([0, 1, 5, -1, 200]), pick([0, 1, 3, -1, 100])], ["LIMIT", "x", 1], ["LIMIT", 1]])

    def scores(*counts):
        return [x for _ in range(pick(counts)) for x in (score(), m())]

    def zadd():
        flags = []
        for flag, p in (("NX", .08), ("XX", .1), ("GT", .1), ("LT", .08), ("CH", .12), ("INCR", .06)):
            if w.chance(p):
                flags.append(w.any_case(flag))
        return ["ZADD", k()] + flags + scores(1, 1, 1, 2, 5, 30)

    def lex_key():
        """Ranges by name are defined among equal scores only: keys that no other command
        touches."""
        return "lex:%d" % rnd.randrange(4) if w.chance(0.97) else pick(["lex:text", "lex:none"])

    def equal_scores():
        return ["ZADD", "lex:%d" % rnd.randrange(4)] + [x for _ in range(pick([1, 5, 30])) for x in (0, m())]

    def zrange(name="ZRANGE"):
        target, key = [k()] if name == "ZRANGESTORE" else [], k()
        by = pick([[], [], ["BYSCORE"], ["BYSCORE"], ["BYLEX"]])
        if by == ["BYSCORE"]:
            ends = [bound(), bound()]
        elif by == ["BYLEX"]:
            ends, key = [lex(), lex()], lex_key()
        else:
            ends = [w.index(), w.index()]
        tail = by + pick([[], ["REV"]]) + (limit() if by or w.chance(0.05) else [])
        if (name == "ZRANGE" and w.chance(0.4)) or w.chance(0.02):
            tail.append("WITHSCORES")
        return [name] + target + [key] + ends + tail + (["FOO"] if w.chance(0.01) else [])

    def older():
        return pick([
            lambda: [pick(["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]), k(), bound(), bound()] + pick([[], ["WITHSCORES"]]) + limit(),
            lambda: [pick(["ZRANGEBYLEX", "ZREVRANGEBYLEX"]), lex_key(), lex(), lex()] + limit(),
            lambda: ["ZREVRANGE", k(), w.index(), w.index()] + pick([[], ["WITHSCORES"], ["withscores"], ["FOO"]])])()

    def keys(*counts):
        n = pick(counts)
        number = n if w.chance(0.96) else pick([0, -1, "x", n + 1, n - 1])
        return [number] + [pick([k, k, k, lambda: "set:%d" % rnd.randrange(w.keys)])() for _ in range(n)]

    def combine(store):
        name = pick(["ZUNION", "ZINTER", "ZDIFF"])
        words = [name + "STORE", k()] if store else [name]
        sources = keys(1, 2, 2, 3)
        words, count = words + sources, len(sources) - 1
        if name != "ZDIFF" or w.chance(0.03):
            if w.chance(0.3):
                weights = [1, 2, 0.5, 3] + ([] if name == "ZINTER" else ["inf"] if store else ["inf", 0]) + ([] if store else [-1])
                # ZINTER in 7.0 has no rule for 0 times infinity (replies/mended.txt).
                words += ["WEIGHTS"] + [pick(weights) if w.chance(0.97) else "x" for _ in range(count if w.chance(0.95) else 2)]
            if w.chance(0.3):
                words += ["AGGREGATE", pick(["SUM", "MIN", "MAX", "max", "FOO"] if w.chance(0.2) else ["SUM", "MIN", "MAX"])]
        if (not store and w.chance(0.5)) or w.chance(0.02):
            words.append("WITHSCORES")
        return words

    def mpop(name):
        return ([name] + ([0.01] if name[0] == "B" else []) + keys(1, 2, 3) + [pick(["MIN", "MAX", "min", "FOO"] if w.chance(0.1) else ["MIN", "MAX"])] +
                pick([[], [], ["COUNT", w.count()], ["COUNT", 2], ["FOO"] if w.chance(0.1) else []]))

    def waiting():
        key = "%s:%d" % (w.name, rnd.randrange(w.keys))
        other = "%s:%d" % (w.name, rnd.randrange(w.keys))
        blocking = [pick([["BZPOPMIN", key, 0], ["BZPOPMAX", other, key, 0], ["BZMPOP", 0, 2, other, key, "MIN", "COUNT", 2], ["BZPOPMIN", key, key, 5]])
                    for _ in range(pick([1, 2, 3, 4]))]
        then = [pick([["ZADD", key, 1, "a", 2, "b"], ["ZADD", key, 5, "c"], ["DEL", key], ["ZINCRBY", key, 1, "a"], ["RENAME", other, key], ["ZCARD", key],
                      ["ZRANGESTORE", key, other, 0, -1], ["COPY", other, key, "REPLACE"], ["GEOADD", key, 1, 1, "p"]])
                for _ in range(pick([1, 2, 3]))]
        return ["@blocked", blocking, [["DEL", key, other]] + then] if w.chance(0.8) else ["@blocked", blocking, then]
    return [
        (12, zadd),
        (3, equal_scores),
        (1, lambda: ["ZADD", k()] + pick([["FOO", 1, "a"], [1], [1, "a", 2], ["INCR", 1, "a", 2, "b"], ["NX"], ["CH"]])),
        (4, lambda: ["ZINCRBY", k(), score(), m()]),
        (1, lambda: ["ZREM", lex_key()] + w.some(m, 1, 3, 20)),
        (5, lambda: ["ZREM", k()] + w.some(m, 1, 3, 20)),
        (2, lambda: ["ZSCORE", k(), m()]),
        (2, lambda: ["ZMSCORE", k()] + w.some(m, 0, 1, 3, 8)),
        (2, lambda: ["ZCARD", k()]),
        (3, lambda: ["ZCOUNT", k(), bound(), bound()]),
        (0.1, lambda: ["SET", "lex:text", "x"]),
        (3, lambda: ["ZLEXCOUNT", lex_key(), lex(), lex()]),
        (4, lambda: [pick(["ZRANK", "ZREVRANK"]), k(), m()]),
        (8, zrange),
        (3, lambda: zrange("ZRANGESTORE")),
        (6, older),
        (3, lambda: pick([["ZREMRANGEBYRANK", k(), w.index(), w.index()], ["ZREMRANGEBYSCORE", k(), bound(), bound()], ["ZREMRANGEBYLEX", lex_key(), lex(), lex()]])),
        (2, lambda: [pick(["ZPOPMIN", "ZPOPMAX"]), k()] + pick([[], [w.count()], [2]])),
        (2, lambda: mpop("ZMPOP")),
        (0.2, lambda: pick([mpop("BZMPOP"), [pick(["BZPOPMIN", "BZPOPMAX"])] + w.some(k, 1, 2) + [pick([0.01, "x", -1])]])),
        (0.6, waiting),
        (5, lambda: combine(False)),
        (4, lambda: combine(True)),
        (2, lambda: ["ZINTERCARD"] + keys(1, 2, 3) + pick([[], [], ["LIMIT", pick([0, 1, 5, -1, "x"])], ["FOO"]])),
        (2, lambda: ["@zrandmember", k()] + pick([[], [w.count()], [w.count(), "WITHSCORES"], [3, "FOO"]])),
        (1, lambda: ["@zscan", k()] + w.scan_options()),
        (1, lambda: ["SADD", "set:%d" % rnd.randrange(w.keys)] + w.some(m, 1, 5)),
        (0.4, lambda: [pick(["ZADD", "ZINCRBY", "ZREM", "ZRANGE", "ZUNION", "ZINTERSTORE", "ZCOUNT", "ZPOPMIN", "ZMPOP", "BZPOPMIN",
                             "ZRANGESTORE", "ZMSCORE"])] + w.some(k, 0, 1, 2, 3)),
    ]
