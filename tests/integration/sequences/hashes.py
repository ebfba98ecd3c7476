"""Random commands on hashes."""
from .compare import as_map, unordered

NAME = "hash"
CONFIGS = {"hash-max-listpack-entries": ["128", "6", "0", "512"], "hash-max-listpack-value": ["64", "12", "0", "300"]}
COMPARE = {"HGETALL": as_map, "HKEYS": unordered, "HVALS": unordered, "HRANDFIELD": unordered}


def hrandfield(client, args):
    """HRANDFIELD is by chance: how many, and whether they are of the hash (and, without
    repetitions, different)."""
    key, *rest = args
    reply = client.call("HRANDFIELD", key, *rest)
    if not isinstance(reply, list):
        return bool(client.call("HEXISTS", key, reply)) if isinstance(reply, bytes) else reply
    words = [w for pair in reply for w in pair] if reply and isinstance(reply[0], list) else reply
    has_values = len(rest) > 1
    fields = words[::2] if has_values else words
    whole = client.call("HGETALL", key)
    content = dict(zip(whole[::2], whole[1::2]))
    right = all(f in content for f in fields) and (not has_values or all(content[f] == v for f, v in zip(fields, words[1::2])))
    is_distinct = len(set(fields)) == len(fields) or int(rest[0]) < 0
    return [type(reply).__name__, len(reply), right, is_distinct]


SPECIALS = {"@hrandfield": lambda pair, args: (hrandfield(pair.ours, args), hrandfield(pair.theirs, args))}


def commands(w):
    k, f, rnd = w.key, w.member, w.rnd

    def pairs():
        words = []
        for _ in range(rnd.choice([1, 1, 1, 2, 5, 30])):
            words += [f(), w.small()]
        return words
    return [
        (12, lambda: [rnd.choice(["HSET", "HSET", "HSET", "HMSET"]), k()] + pairs()),
        (0.5, lambda: [rnd.choice(["HSET", "HMSET"]), k(), "f", "v", "g"]),
        (1, lambda: ["HSETNX", k(), f(), w.small()]),
        (4, lambda: ["HGET", k(), f()]),
        (2, lambda: ["HMGET", k()] + w.some(f, 1, 3, 8)),
        (6, lambda: ["HDEL", k()] + w.some(f, 1, 3, 20)),
        (4, lambda: ["HINCRBY", k(), f(), w.number()]),
        (3, lambda: ["HINCRBYFLOAT", k(), f(), w.float()]),
        (2, lambda: [rnd.choice(["HLEN", "HGETALL", "HKEYS", "HVALS"]), k()]),
        (2, lambda: [rnd.choice(["HEXISTS", "HSTRLEN"]), k(), f()]),
        (0.4, lambda: ["HSCAN", k(), rnd.choice(["x", "-", " 0", "99999999999999999999"])] + w.scan_options()),
        (1, lambda: ["@scan", "HSCAN", k()] + w.scan_options()),
        (1, lambda: ["@hrandfield", k()]),
        (2, lambda: ["@hrandfield", k(), w.count()] + rnd.choice([[], ["WITHVALUES"], ["withvalues"], ["FOO"], ["WITHVALUES", 1]])),
        (0.3, lambda: [rnd.choice(["HGET", "HSET", "HDEL", "HMGET", "HINCRBY", "HLEN", "HSTRLEN"])] +
         w.some(k, 0, 1, 2, 5)),
    ]
