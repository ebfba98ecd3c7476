"""Random commands on streams."""
from .compare import pairs
from .replies import Map, is_null
from .specials import on_both
from .words import INT64_MAX

NAME = "stream"
NEEDS = "XADD"
CONFIGS = {"stream-node-max-entries": ["100", "3", "1", "0"], "stream-node-max-bytes": ["4096", "60", "0"]}
GROUPS, CONSUMERS = ["g0", "g1"], ["ann", "bob", "eve", ""]
# Times, what 7.2 has and 7.0 has not, the inner structure, which is our own, and the counters that
# 7.0 gets wrong: for these there are replies/stream_lag.txt and test_stream.c.
LEFT_OUT = {b"idle", b"inactive", b"seen-time", b"active-time", b"radix-tree-keys", b"radix-tree-nodes", b"delivery-time", b"entries-read",
            b"lag"}


def add_now(pair, args):
    """XADD with an ID of the clock: ours first, then the same ID there."""
    key, *rest = args
    at = rest.index("*")
    ours = pair.ours.call("XADD", key, *rest)
    if not isinstance(ours, bytes):
        return ours, pair.theirs.call("XADD", key, *rest)
    return ours, pair.theirs.call("XADD", key, *rest[:at], ours, *rest[at + 1:])


def without_times(reply):
    """XINFO's reply without what cannot be equal, a list of pairs for each map of it."""
    if isinstance(reply, Map) or (isinstance(reply, list) and reply and isinstance(reply[0], bytes) and len(reply) % 2 == 0 and
                                  reply[0] in (b"name", b"length")):
        return [[k, without_entry_times(v) if k in (b"pel", b"pending") else without_times(v)] for k, v in pairs(reply)
                if k not in LEFT_OUT]
    return [without_times(v) for v in reply] if isinstance(reply, list) else reply


def without_entry_times(entries):
    """Pending entries: [id, consumer, time, count] of a group, [id, time, count] of a consumer; or
    their number."""
    return [e[:-2] + e[-1:] for e in entries] if isinstance(entries, list) else entries


def info(client, args):
    return without_times(client.call("XINFO", *args))


def pending(client, args):
    """XPENDING in its long form has idle times: kept is whether they are a number."""
    reply = client.call("XPENDING", *args)
    if len(args) > 2 and isinstance(reply, list) and not is_null(reply):
        return [[e[0], e[1], isinstance(e[2], int) and e[2] >= 0, e[3]] for e in reply]
    return reply


def makers(args):
    """7.2 makes the consumer whether or not there is something for it, 7.0 only then: so it is made
    before."""
    if args[0] != "XREADGROUP":
        return [["XGROUP", "CREATECONSUMER"] + args[1:4]]
    keys = args[args.index("STREAMS") + 1:]
    return [["XGROUP", "CREATECONSUMER", key] + args[2:4] for key in keys[:len(keys) // 2]]


def claim(client, args):
    for command in makers(args):
        client.call(*command)
    return client.call(*args)


def set_id(pair, args):
    """XSETID: 7.2 refuses an ID below the highest deleted one, whatever else is wrong; where we do,
    Redis is not asked."""
    ours = pair.ours.call("XSETID", *args)
    if str(ours) == "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id":
        return ours, ours
    return ours, pair.theirs.call("XSETID", *args)


SPECIALS = {"@setid": set_id, "@xadd": add_now, "@claim": on_both(claim), "@xinfo": on_both(info), "@xpending": on_both(pending)}


def commands(w):
    k, rnd = w.key, w.rnd
    pick = rnd.choice

    def number():
        """Half of an ID: few, so that commands meet."""
        return pick([rnd.randrange(60)] * 6 + [rnd.randrange(2000)] * 3 + [0])

    def exact_id():
        r = rnd.random()
        if r < 0.85:
            return "%d-%d" % (number(), pick([0, 0, 1, 2, 5]))
        if r < 0.95:
            return str(number())
        return pick(["x", "", "-", "+", "1-", "-1", "1-x", "18446744073709551615-18446744073709551615", "18446744073709551616",
                     "1-2-3", "$", ">", "0-0", "5-*"])

    def new_id():
        return pick(["%d-*" % rnd.randrange(3000)] * 3 + ["%d-%d" % (rnd.randrange(3000), rnd.randrange(3))] * 3 + [exact_id()])

    def bound():
        return pick(["-", "+", exact_id(), exact_id(), "(" + str(exact_id()), "(-"])

    def fields():
        names = pick([["a"], ["a", "b"], ["a", "b"], ["user", "message", "time"], [w.member()], [w.member(), "b", ""]])
        return [x for name in names for x in (name, w.small())]

    def trim():
        return pick([["MAXLEN"], ["MAXLEN", "="], ["MINID"], ["MINID", "="]]) + [pick([number(), number(), -1, "x", 0, 5])]

    def about():
        return pick([["MAXLEN", "~", number()], ["MINID", "~", number()], ["MAXLEN", "~", number(), "LIMIT", pick([0, 1, 3, 100, -1, "x"])],
                     ["MAXLEN", "=", 3, "LIMIT", 5]])

    def xadd():
        options = []
        if w.chance(0.1):
            options += ["NOMKSTREAM"]
        if w.chance(0.15):
            options += trim() if w.chance(0.7) else about()
        return ["XADD", k()] + options + [new_id()] + fields()

    def streams(ids):
        keys = [k() for _ in range(pick([1, 1, 2, 3]))]
        if w.chance(0.08):
            keys[-1] = keys[0]  # the second one goes on where the first ends
        n = len(keys)
        return ["STREAMS"] + keys + [ids() for _ in range(n if w.chance(0.97) else n + 1)]

    def count():
        return pick([[], [], ["COUNT", 2], ["COUNT", 10], ["COUNT", 0], ["COUNT", -1], ["COUNT", "x"]])

    def g():
        return pick(GROUPS) if w.chance(0.97) else pick(["nogroup", ""])

    def c():
        return pick(CONSUMERS)

    def xreadgroup():
        return (["@claim", "XREADGROUP", "GROUP", g(), c()] + count() + pick([[], [], ["NOACK"]]) +
                streams(lambda: pick([">"] * 4 + [0, exact_id(), "$"])))

    def xclaim():
        options = []
        for _ in range(pick([0, 0, 1, 2])):
            options += pick([["IDLE", pick([0, 1000, -1, "x"])], ["TIME", pick([1, 1000, "x"])], ["RETRYCOUNT", pick([0, 3, -1, "x"])],
                             ["FORCE"], ["JUSTID"], ["LASTID", exact_id()], ["FOO"], ["IDLE"]])
        return ["@claim", "XCLAIM", k(), g(), c(), pick([0, 0, 0, -5, 10 ** 9, "x"])] + w.some(exact_id, 1, 2, 5) + options

    def xautoclaim():
        return (["@claim", "XAUTOCLAIM", k(), g(), c(), pick([0, 0, 0, -5, 10 ** 9, "x"]), pick(["0", "0-0", exact_id(), "(" + exact_id()])] +
                pick([[], [], ["COUNT", 1], ["COUNT", 3], ["COUNT", 0], ["COUNT", "x"], ["JUSTID"], ["COUNT", 2, "JUSTID"], ["FOO"]]))

    def xpending():
        tail = []
        if w.chance(0.7):
            tail = pick([[], [], ["IDLE", 0], ["IDLE", 10 ** 9], ["IDLE", "x"]]) + [bound(), bound(), pick([1, 10, 0, -1, "x"])]
            tail += pick([[], [c()]])
        return ["@xpending", k(), g()] + tail

    def xgroup():
        return ["XGROUP"] + pick([
            ["CREATE", k(), g(), pick([0, "$", exact_id()])] + pick([["MKSTREAM"], ["MKSTREAM"], [], ["ENTRIESREAD", pick([0, 3, -1, -2, "x"])], ["FOO"]]),
            ["CREATE", k(), g(), 0, "MKSTREAM"],
            ["SETID", k(), g(), pick([0, "$", exact_id()])] + pick([[], [], ["ENTRIESREAD", pick([0, 3, -1, "x"])]]),
            ["DESTROY", k(), g()] if w.chance(0.3) else ["CREATECONSUMER", k(), g(), c()],
            ["CREATECONSUMER", k(), g(), c()], ["DELCONSUMER", k(), g(), c()], ["FOO", k()], ["CREATE", k()]])

    def waiting():
        key = "%s:%d" % (w.name, rnd.randrange(w.keys))
        blocking = [pick([["XREAD", "BLOCK", 0, "STREAMS", key, "$"], ["XREAD", "COUNT", 1, "BLOCK", 5000, "STREAMS", key, "3000"],
                          ["XREADGROUP", "GROUP", g(), c(), "BLOCK", 0, "STREAMS", key, ">"],
                          ["XREADGROUP", "GROUP", g(), c(), "BLOCK", 0, "NOACK", "STREAMS", key, w.name + ":other", ">", ">"]]) for _ in range(pick([1, 2, 3]))]
        blocking = [c for b in blocking for c in (makers(b) if b[0] == "XREADGROUP" else []) + [b]]
        then = [pick([["XADD", key, "%d-*" % rnd.randrange(3000, 3005), "f", "v"], ["DEL", key], ["XGROUP", "DESTROY", key, g()],
                      ["SET", key, "x"], ["XDEL", key, exact_id()], ["RENAME", k(), key], ["FLUSHALL"] if w.chance(0.05) else ["XLEN", key]])
                for _ in range(pick([1, 2, 3]))]
        return ["@waiting", blocking, then]  # 7.0 does not count what a waiting client takes
    return [
        (14, xadd),
        (1, lambda: ["@xadd", k()] + pick([[], ["MAXLEN", 50], ["NOMKSTREAM"]]) + ["*"] + fields()),
        (0.5, lambda: ["XADD", k(), new_id()] + pick([["f"], ["f", "v", "g"], []])),
        (1.5, lambda: ["XTRIM", k()] + (trim() if w.chance(0.6) else about())),
        (3, lambda: ["XDEL", k()] + w.some(exact_id, 1, 2, 10)),
        (2, lambda: ["XLEN", k()]),
        (4, lambda: [pick(["XRANGE", "XREVRANGE"]), k(), bound(), bound()] + count()),
        (2, lambda: [pick(["XRANGE -", "XREVRANGE +"]).split()[0], k()] + pick([["-", "+"], ["+", "-"]])),
        (3, lambda: ["XREAD"] + count() + streams(lambda: pick([0, exact_id(), "$", exact_id()]))),
        (1, lambda: ["@setid", k(), exact_id()] + pick([[], [], ["ENTRIESADDED", pick([0, 100, -1, "x"])], ["MAXDELETEDID", exact_id()],
                                                       ["ENTRIESADDED", 500, "MAXDELETEDID", exact_id()], ["FOO"]])),
        (6, xgroup),
        (9, xreadgroup),
        (5, lambda: ["XACK", k(), g()] + w.some(exact_id, 1, 3, 10)),
        (4, xclaim),
        (3, xautoclaim),
        (4, xpending),
        (1.5, lambda: ["@xinfo", "STREAM", k()]),
        (3, lambda: ["@xinfo", "STREAM", k(), "FULL"] + pick([[], ["COUNT", 0], ["COUNT", 3], ["COUNT", "x"], ["FOO"]])),
        (2, lambda: ["@xinfo", "GROUPS", k()]),
        (2, lambda: ["@xinfo", "CONSUMERS", k(), g()]),
        (0.5, waiting),
        (0.5, lambda: [pick(["XADD", "XLEN", "XRANGE", "XREAD", "XREADGROUP", "XACK", "XCLAIM", "XAUTOCLAIM", "XPENDING", "XINFO", "XTRIM", "XDEL",
                             "XSETID"])] + w.some(k, 0, 1, 2, 3)),
        (0.2, lambda: ["XADD", k(), "%d" % INT64_MAX] + fields()),
    ]
