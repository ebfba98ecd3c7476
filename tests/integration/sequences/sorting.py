"""Random commands of SORT: lists and sets of few numbers and words, and keys that BY and GET
name."""
from .compare import exact, unordered
from .specials import on_both

NAME = "sort"
NEEDS = "SORT"
# Redis's SORT makes a small sorted set a large one: where other commands dump and restore it that
# would go on to be seen.
PRIVATE = True


def has_no_order(words):
    """Elements of equal weight stand in any order when words are compared, and unsorted sets as
    they please."""
    return "BY" in words and ("ALPHA" in words or "nosort" in words)


def same(command, ours, theirs):
    return (unordered if has_no_order(command) else exact)(command, ours, theirs)


def sorted_there(client, args):
    """7.0 takes an errno of an earlier command for one of its own: reading a cursor sets it to
    0."""
    client.call("HSCAN", "no such key", 0)
    return client.call(*args)


COMPARE = {"@SORT": same, "SORT": same, "SORT_RO": same}
SPECIALS = {"@sort": on_both(sorted_there)}


def commands(w):
    k, rnd = w.key, w.rnd
    pick = rnd.choice

    def element():
        return pick([str(rnd.randrange(30)), str(rnd.randrange(30)), "1.5", "-3", "0", "1e3"] + (["word%d" % rnd.randrange(20), "", "inf", "nan"] if w.chance(0.03) else []))

    def pattern():
        return pick(["weight_*", "weight_*", "data_*->f", "nosort", "*", "nothing_*", "data_*->", "sort:*", "data_*->none"])

    def options(store):
        words = []
        if w.chance(0.4):
            words += ["BY", pattern()]
        if w.chance(0.4):
            words += ["LIMIT", pick([0, 1, 5, -1, "x", 100]), pick([0, 2, 10, -1, "x", 1000])]
        for _ in range(pick([0, 0, 1, 2])):
            words += ["GET", pick(["#", pattern(), pattern()])]
        words += pick([[], [], ["ASC"], ["DESC"], ["desc"]]) + pick([[], ["ALPHA"]])
        if store and w.chance(0.25):
            words += ["STORE", k()]
        if w.chance(0.03):
            words += pick([["FOO"], ["LIMIT", 1], ["BY"], ["GET"], ["STORE"]])
        return words

    def sort():
        words = options(True)
        if has_no_order(words):
            for option, values in (("LIMIT", 2), ("STORE", 1)):
                while option in words:
                    at = words.index(option)
                    words = words[:at] + words[at + 1 + values:]
        key = "%s:%d" % (NAME if w.chance(0.96) else pick(["string", "hash"]), rnd.randrange(w.keys))
        return ["@sort", pick(["SORT", "SORT", "SORT_RO"]), key] + words
    return [
        (4, lambda: ["RPUSH", pick([k(), "sort:list"])] + w.some(element, 1, 3, 30)),
        (3, lambda: ["SADD", k()] + w.some(element, 1, 3, 30)),
        (3, lambda: ["ZADD", k()] + [x for _ in range(pick([1, 3, 20])) for x in (rnd.randrange(100), element())]),
        (5, lambda: ["SET", "weight_%d" % rnd.randrange(30), element()]),
        (5, lambda: ["HSET", "data_%d" % rnd.randrange(30), "f", element()]),
        (12, sort),
        (0.3, lambda: [pick(["SORT", "SORT_RO"])] + w.some(k, 0, 2)),
        (1, lambda: ["DEL", k(), pick(["weight_1", "data_2", "sort:list"])]),
    ]
