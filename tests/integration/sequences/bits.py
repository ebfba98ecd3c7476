"""Random commands on strings as bits."""
from .words import INT64_MAX

NAME = "bit"


def commands(w):
    k, rnd = w.key, w.rnd

    def offset():
        return rnd.choice([rnd.randrange(100), rnd.randrange(100), rnd.randrange(1000), rnd.randrange(9000)]) if w.chance(0.95) else \
            rnd.choice([-1, "x", "", 4294967296, 8388607 if w.chance(0.05) else 7, INT64_MAX, 100000, "#1", "01"])

    def place():
        """Where a field is."""
        return rnd.choice([offset(), offset(), "#%d" % rnd.randrange(20), "#%d" % rnd.randrange(200)]) if w.chance(0.97) else \
            rnd.choice(["#", "#-1", "#x", "##1", "#%d" % INT64_MAX, "#1000000", ""])

    def kind():
        sign = rnd.choice("ui")
        return "%s%d" % (sign, rnd.choice([1, 2, 5, 7, 8, 12, 16, 31, 32, 33, 57, 62, 63, 64 if sign == "i" else 4])) if w.chance(0.97) else \
            rnd.choice(["u64", "i65", "u0", "i0", "i", "u", "x8", "", "I8", "i-1", "i08", "u999999999999999999999"])

    def amount():
        return rnd.choice([0, 1, -1, rnd.randrange(-300, 300), rnd.randrange(-2 ** 33, 2 ** 33), INT64_MAX, -2 ** 63, rnd.randrange(-2 ** 63, 2 ** 63)]) \
            if w.chance(0.98) else w.number()

    def field():
        return rnd.choice([["GET", kind(), place()], ["SET", kind(), place(), amount()], ["INCRBY", kind(), place(), amount()],
                           ["OVERFLOW", rnd.choice(["WRAP", "SAT", "FAIL", "sat"])]])

    def fields(*counts):
        words = [x for _ in range(rnd.choice(counts)) for x in field()]
        if w.chance(0.03):
            words = words[:-1] if w.chance(0.5) else words + rnd.choice([["GET"], ["OVERFLOW", "FOO"], ["OVERFLOW"], ["FOO", "i8", 0], ["SET", "u8", 0]])
        return words

    def bit_range():
        words = [w.index(), w.index()] + rnd.choice([[], ["BIT"], ["BYTE"], ["bit"], ["FOO"] if w.chance(0.1) else []])
        return words if w.chance(0.97) else rnd.choice([words[:1], words + ["BIT"]])

    def ranged(command):
        """7.0 does not read a wrong range where there is no key, so that a key's expiry is not seen
        at the same time: such ranges are asked of a key that stays."""
        words = command()
        right = all(str(x).lstrip("-").isdigit() or str(x).upper() in ("BIT", "BYTE") for x in words[2:])
        return words if right and len(words) != 3 else [words[0], NAME + ":kept"] + words[2:]

    def positions():
        return [rnd.choice([0, 1]) if w.chance(0.97) else rnd.choice([2, -1, "x", ""])] + \
            rnd.choice([[], [w.index()], bit_range(), bit_range()])

    return [
        (8, lambda: ["SETBIT", k(), offset(), rnd.choice([0, 1]) if w.chance(0.97) else rnd.choice([2, -1, "x", ""])]),
        (3, lambda: ["GETBIT", k(), offset()]),
        (4, lambda: ranged(lambda: ["BITCOUNT", k()] + rnd.choice([[], bit_range(), bit_range()]))),
        (4, lambda: ranged(lambda: ["BITPOS", k()] + positions())),
        (0.5, lambda: ["SETBIT", NAME + ":kept", rnd.randrange(3000), 1]),
        (5, lambda: ["BITOP", rnd.choice(["AND", "OR", "XOR", "xor"]), k()] + w.some(k, 1, 2, 3, 5)),
        (1, lambda: ["BITOP", "NOT", k()] + w.some(k, 1, 1, 1, 2)),
        (0.2, lambda: ["BITOP", rnd.choice(["NAND", "", "A"]), k(), k()]),
        (10, lambda: ["BITFIELD", k()] + fields(0, 1, 1, 2, 3, 8)),
        (2, lambda: ["BITFIELD_RO", k()] + [x for _ in range(rnd.randrange(4)) for x in ["GET", kind(), place()]]),
        (0.5, lambda: ["BITFIELD_RO", k()] + fields(1, 2)),
        (3, lambda: ["SET", k(), w.value()]),
        (1, lambda: ["SETRANGE", k(), rnd.choice([0, 5, 100, 1000, 1100]), w.value()]),
        (1, lambda: ["GET", k()]),
        (1, lambda: ["DEL", k()]),
        (0.3, lambda: [rnd.choice(["SETBIT", "GETBIT", "BITCOUNT", "BITPOS", "BITOP", "BITFIELD", "BITFIELD_RO"])] + w.some(k, 0, 1, 2, 6)),
    ]
