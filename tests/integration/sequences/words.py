"""The words of random commands: everything random comes from here, so that a seed gives the same
sequence."""
import time

DATABASES = 4
INT64_MAX, INT64_MIN = 2 ** 63 - 1, -2 ** 63
BAD_NUMBERS = ["9223372036854775807", "-9223372036854775808", "9223372036854775808", "0", "-0", "01", "+1", " 1", "1 ", "1.5", "x",
               "", "-1", "4294967296", "-4294967297"]
FLOATS = ["1.5", "-0.1", "3.0e3", "1e-7", "inf", "-inf", "+inf", "nan", "x", "", "0", "-0", "5", " 1", "1e308", "1e400",
          "0x10", "0.1", "123456789.987654321", "17179869184", "-1e17"]


class Words:
    """Random words for the module whose keys are name:0 to name:keys."""

    def __init__(self, rnd, name, others, keys=12):
        self.rnd, self.name, self.others, self.keys = rnd, name, others or [name], keys
        self.now = int(time.time())

    def choice(self, *words):
        return self.rnd.choice(words)

    def chance(self, p):
        return self.rnd.random() < p

    def some(self, make, *counts):
        """A list of as many words as one of counts says (1, if there are none)."""
        return [make() for _ in range(self.rnd.choice(counts) if counts else 1)]

    def key(self):
        """A key of this module; one in 20 of another, or a strange one."""
        r = self.rnd.random()
        if r < 0.94:
            return "%s:%d" % (self.name, self.rnd.randrange(self.keys))
        if r < 0.985:
            return "%s:%d" % (self.rnd.choice(self.others), self.rnd.randrange(self.keys))
        if r < 0.993:
            return self.name[0] * self.rnd.choice([200, 254, 255, 256, 300, 1100])
        return self.rnd.choice(["", "a\0b", "*", "[x]", b"\xff\xfe"])

    def any_key(self):
        """A key of any type."""
        return "%s:%d" % (self.rnd.choice(self.others), self.rnd.randrange(self.keys)) if self.chance(0.95) else self.key()

    def member(self):
        """A field or member: from few, from many, integers, strange ones."""
        r = self.rnd.random()
        if r < 0.8:
            return "m%d" % self.rnd.randrange(self.rnd.choice([8, 40, 700]))
        if r < 0.93:
            return str(self.rnd.choice([self.rnd.randrange(-10, 300), self.rnd.randrange(100000), self.rnd.randrange(2 ** 40)]))
        return self.rnd.choice(["", "f" * 63, "f" * 64, "f" * 65, "f" * 300, b"\xff\0", "9223372036854775807", "-1", "00"])

    def integer(self):
        """An integer for sets of integers: all three widths."""
        return str(self.rnd.choice([self.rnd.randrange(-20, 20), self.rnd.randrange(-40000, 40000),
                                    self.rnd.randrange(-2 ** 33, 2 ** 33), self.rnd.choice([INT64_MAX, INT64_MIN, 32767, -32768, 32768, 2147483647, -2147483649])]))

    def number(self):
        """An integer argument, one in three a hard or a wrong one."""
        return str(self.rnd.randrange(-200, 20000)) if self.chance(0.7) else self.rnd.choice(BAD_NUMBERS)

    def count(self):
        """A count argument: mostly small and right."""
        r = self.rnd.random()
        if r < 0.85:
            return self.rnd.choice([0, 1, 1, 2, 3, 5, 10, 50])
        return self.rnd.choice([-1, -3, "x", "", INT64_MAX, INT64_MIN, 100000, "1.5", 2 ** 31])

    def float(self):
        return self.rnd.choice(FLOATS)

    def index(self):
        return self.rnd.choice([0, 0, 1, 2, 3, 5, 10, 50, 1000, -1, -1, -2, -3, -5, -20, -100] if self.chance(0.9) else
                               [INT64_MAX, INT64_MIN, "x", "", "1.0", 4294967296])

    def value(self):
        """A string: numbers, around the limits of embstr and listpacks, now and then large."""
        r = self.rnd.random()
        if r < 0.3:
            return self.number()
        if r < 0.85:
            n = self.rnd.choice([1, 5, 20, 43, 44, 45, 64, 65, 100])
        elif r < 0.99:
            n = self.rnd.choice([400, 900, 1000, 1024, 2000, 5000])
        else:
            n = self.rnd.choice([16383, 16384, 40000, 70000])
        return self.rnd.choice("abcxyz") * self.rnd.randrange(n + 1) + str(self.rnd.randrange(10))

    def small(self):
        """An element: short most times."""
        r = self.rnd.random()
        if r < 0.3:
            return self.integer()
        if r < 0.5:
            return self.number()
        n = self.rnd.choice([0, 1, 5, 10, 12, 20, 62, 63, 64, 65]) if r < 0.97 else self.rnd.choice([100, 127, 128, 300, 4095, 4096, 9000])
        return self.rnd.choice("abcxyz") * n + (str(self.rnd.randrange(10)) if self.chance(0.5) else "")

    def expiry(self):
        """EX, PX, ... of SET and GETEX, right and wrong."""
        now = self.now
        return self.rnd.choice([["EX", 100000], ["PX", 100000000], ["EXAT", now + 200000], ["PXAT", (now + 300000) * 1000],
                                ["PXAT", 1], ["EXAT", 1], ["EX", 0], ["PX", -5], ["EX", "x"], ["EX"], ["EX", INT64_MAX],
                                ["PX", INT64_MAX], ["KEEPTTL"], ["KEEPTTL", "EX", 5]])

    def match(self):
        return self.rnd.choice(["*", "%s:*" % self.name, "*1*", "m?", "m[0-4]", "[^m]*", "\\*", "*[13579]", "[", "nothing", ""])

    def scan_options(self):
        options = []
        if self.chance(0.3):
            options += ["MATCH", self.match()]
        if self.chance(0.2):
            options += ["COUNT", self.rnd.choice([1, 3, 100, 10000])]
        if self.chance(0.06):
            options += self.rnd.choice([["COUNT", 0], ["COUNT", "x"], ["FOO"], ["COUNT"], ["MATCH"], ["COUNT", -1]])
        return options

    def any_case(self, word):
        return word.lower() if self.chance(0.1) else word
