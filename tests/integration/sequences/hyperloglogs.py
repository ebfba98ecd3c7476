"""Random commands on HyperLogLogs."""

NAME = "hll"
NEEDS = "PFADD"
CONFIGS = {"hll-sparse-max-bytes": ["3000", "0", "100"]}


def commands(w):
    k, rnd = w.key, w.rnd

    def element():
        return w.member() if w.chance(0.5) else "e%d" % rnd.randrange(100000)
    return [
        (10, lambda: ["PFADD", k()] + w.some(element, 0, 1, 1, 5, 60, 300)),
        (5, lambda: ["PFCOUNT"] + w.some(k, 1, 1, 2, 4)),
        (3, lambda: ["PFMERGE", k()] + w.some(k, 0, 1, 2, 3)),
        (1, lambda: ["PFDEBUG", rnd.choice(["ENCODING", "DECODE", "TODENSE", "GETREG", "FOO"]), k()]),
        (2, lambda: ["GET", k()]),  # the bytes, the cached count in them too
        (1, lambda: ["SETRANGE", k(), rnd.choice([0, 3, 4, 5, 8, 15, 16, 17, 40]), rnd.choice(["H", "\0", "\x01", "\x80\x00", "~"])]),
        (0.5, lambda: ["SET", k(), rnd.choice(["HYLL", "x", "", "HYLL" + "\0" * 12])]),
        (0.3, lambda: [rnd.choice(["PFADD", "PFCOUNT", "PFMERGE", "PFDEBUG"])] + w.some(k, 0, 1)),
    ]
