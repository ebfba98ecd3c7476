"""Random commands on sets."""
from .compare import unordered

NAME = "set"
NEEDS = "SADD"
CONFIGS = {"set-max-intset-entries": ["512", "4", "0", "40"], "set-max-listpack-entries": ["128", "6", "0", "500"],
           "set-max-listpack-value": ["64", "8", "300"]}
COMPARE = {"SMEMBERS": unordered, "SINTER": unordered, "SUNION": unordered, "SDIFF": unordered, "SPOP": unordered}


def is_list(reply):
    return isinstance(reply, (list, set, frozenset))


def spop(client, args):
    """SPOP is by chance: how many, and whether they are different and were members."""
    members = client.call("SMEMBERS", args[0])
    reply = client.call("SPOP", *args)
    popped = list(reply) if is_list(reply) else [reply] if isinstance(reply, bytes) else None
    if popped is None:
        return reply
    return [type(reply).__name__, len(popped), len(set(popped)) == len(popped), all(m in members for m in popped)]


def spop_on_both(pair, args):
    """Then both get what is left here."""
    replies = spop(pair.ours, args), spop(pair.theirs, args)
    payload, at = pair.ours.call("DUMP", args[0]), pair.ours.call("PEXPIRETIME", args[0])
    if isinstance(replies[0], list) and isinstance(payload, bytes):
        for client in (pair.ours, pair.theirs):
            client.call("RESTORE", args[0], max(at, 0), payload, "REPLACE", "ABSTTL")
    return replies


def srandmember(client, args):
    key, *rest = args
    reply = client.call("SRANDMEMBER", key, *rest)
    if isinstance(reply, bytes):
        return bool(client.call("SISMEMBER", key, reply))
    if not is_list(reply):
        return reply
    members = client.call("SMEMBERS", key)
    is_distinct = len(set(reply)) == len(reply) or int(rest[0]) < 0
    return [type(reply).__name__, len(reply), all(m in members for m in reply), is_distinct]


SPECIALS = {"@spop": spop_on_both,
            "@srandmember": lambda pair, args: (srandmember(pair.ours, args), srandmember(pair.theirs, args))}


def commands(w):
    k, rnd = w.key, w.rnd

    def m():
        kind = rnd.random()
        if kind < 0.45:
            return rnd.choice([rnd.randrange(12), rnd.randrange(-300, 700), rnd.randrange(-70000, 70000),
                               rnd.choice([2**31, -2**31 - 1, 2**63 - 1, -2**63, 2**63, "007", "-0", "+1", " 1"])])
        return w.member()

    def ints(count):
        first = rnd.randrange(-100, 700)
        return [first + i * rnd.choice([1, 1, 3]) for i in range(count)]
    return [
        (12, lambda: ["SADD", k()] + w.some(m, 1, 1, 2, 5, 30)),
        (3, lambda: ["SADD", k()] + ints(rnd.choice([2, 10, 60, 300]))),
        (0.3, lambda: ["SADD", k()] + ints(600)),
        (5, lambda: ["SREM", k()] + w.some(m, 1, 3, 20)),
        (1, lambda: ["SREM", k()] + ints(rnd.choice([10, 60]))),
        (4, lambda: ["SMOVE", k(), k(), m()]),
        (3, lambda: [rnd.choice(["SISMEMBER", "SMISMEMBER"]), k(), m()]),
        (1, lambda: ["SMISMEMBER", k()] + w.some(m, 2, 8)),
        (2, lambda: [rnd.choice(["SCARD", "SMEMBERS"]), k()]),
        (4, lambda: [rnd.choice(["SINTER", "SUNION", "SDIFF"])] + w.some(k, 1, 2, 2, 3, 6)),
        (6, lambda: [rnd.choice(["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]), k()] + w.some(k, 1, 2, 2, 3, 6)),
        (2, lambda: ["SINTERCARD", 2, k(), k()] + rnd.choice([[], ["LIMIT", w.count()], ["limit", 3], ["LIMIT"], ["FOO", 1]])),
        (0.5, lambda: ["SINTERCARD", w.number(), k(), k()]),
        (1, lambda: ["@srandmember", k()]),
        (2, lambda: ["@srandmember", k(), w.count()]),
        (0.1, lambda: [rnd.choice(["SPOP", "SRANDMEMBER"]), k(), "1", "2"]),
        (0.3, lambda: ["SPOP", k(), rnd.choice(["-1", "x", "0", "9223372036854775808"])]),
        (0.5, lambda: ["SPOP", k(), 1000000]),
        (1, lambda: ["@spop", k()]),
        (1, lambda: ["@spop", k(), w.rnd.choice([0, 1, 2, 5, 20, 100])]),
        (0.4, lambda: ["SSCAN", k(), rnd.choice(["x", "-", " 0", "99999999999999999999"])] + w.scan_options()),
        (1, lambda: ["@scan", "SSCAN", k()] + w.scan_options()),
        (0.5, lambda: ["@redump", k(), k(), "REPLACE"]),
        (0.5, lambda: ["@exchange", k(), k()]),
        (0.3, lambda: [rnd.choice(["SADD", "SREM", "SMOVE", "SCARD", "SINTER", "SINTERCARD"])] + w.some(k, 0, 1, 2, 5)),
        (0.05, lambda: ["SSCAN"] + w.some(k, 0, 1)),  # a second one may be "", which is a cursor
    ]
