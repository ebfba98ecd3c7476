"""Random commands on HyperLogLogs."""

NAME = "hll"
NEEDS = "PFADD"
# Other modules' commands would damage sketches in ways that Redis notices later, or not at all:
# here a damaged one is refused whole.
PRIVATE = True
CONFIGS = {"hll-sparse-max-bytes": ["3000", "0", "100", "1000", "20000"]}


def broken(rnd):
    """What is, or looks like, a sketch: runs that do not cover all registers, short and long
    headers."""
    head = b"HYLL" + bytes([rnd.choice([1, 1, 1, 0, 2])]) + bytes(3) + bytes([rnd.randrange(256) for _ in range(7)] + [rnd.choice([0, 0x80])])
    body = rnd.choice([b"\x7f\xff", b"\x7f\xfe\x00", b"\x7f\xfe\x84", b"\x7f\xff\x00", b"", bytes([0x3f] * 256), b"\x7f\xfe\x80",
                       bytes(12288), bytes(12287), b"\x7f\xf0" + bytes([0x84] * 3 + [0x80] * 3 + [0x88] * 2 + [0] * 7), b"\x7f\xff\x84"])
    return rnd.choice([head + body, head + body, (head + body)[:rnd.randrange(17)], b"HYLK" + (head + body)[4:]])


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
        # A long run that is cut off at the very end is refused here; Redis reads a byte behind it.
        # So none is made.
        (0.5, lambda: ["SETRANGE", k(), rnd.choice([0, 3, 4, 5, 8, 15]), rnd.choice(["H", "~"])]),
        (1, lambda: ["SETRANGE", k(), rnd.choice([0, 3, 4, 5, 8, 15]), rnd.choice(["\0", "\x01", "\x80"])]),  # the header only: see PRIVATE
        (1, lambda: ["SET", k(), broken(rnd)]),
        (0.5, lambda: ["SET", k(), rnd.choice(["HYLL", "x", "", "HYLL" + "\0" * 12])]),
        (0.3, lambda: [rnd.choice(["PFADD", "PFCOUNT", "PFMERGE", "PFDEBUG"])] + w.some(k, 0, 1)),
    ]
