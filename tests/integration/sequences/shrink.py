"""From a failing sequence to a short one (delta debugging), and to lines for redis-cli."""
import time

LONGEST = 3000       # of a word that is printed whole
BATCH = 50           # steps sent at once, at first
ALL = 10 ** 9
NEVER = 10 ** 9 + 1  # but in the end

def flat(batches):
    return [step for steps in batches for step in steps]


class Shrinker:
    """Looks for fewer and shorter steps that end in the same kind of difference."""

    def __init__(self, pair, difference, seconds=60):
        self.pair, self.difference = pair, difference
        self.end = time.monotonic() + seconds
        self.runs = 0

    def fails(self, steps):
        """Does this sequence end in the same kind of difference?  last is then that one."""
        return self.fails_in(in_batches(steps, self.at_once))

    def fails_in(self, batches):
        self.runs += 1
        found = self.pair.run_sequence(batches, state_every=NEVER)
        if not self.difference.is_like(found):
            return False
        self.last = found
        return True

    def is_over(self):
        return time.monotonic() > self.end

    def fewer(self, steps, fails):
        """Delta debugging: without parts of the list, the parts becoming smaller."""
        n = 2
        while len(steps) >= 2 and not self.is_over():
            size = -(-len(steps) // n)
            parts = [steps[i:i + size] for i in range(0, len(steps), size)]
            for i in range(len(parts)):
                rest = [s for j, p in enumerate(parts) if j != i for s in p]
                if fails(rest):
                    steps, n = rest, max(n - 1, 2)
                    break
                if self.is_over():
                    break
            else:
                if n >= len(steps):
                    break
                n = min(n * 2, len(steps))
        return steps

    def related(self, steps):
        """The steps that name a key of the last one, and those that set the scene."""
        words = {str(w) for w in flat_words(steps[-1])[1:]}
        scene = {"SELECT", "HELLO", "@config", "SWAPDB", "FLUSHALL", "FLUSHDB"}
        return [s for s in steps if s[0] in scene or words & {str(w) for w in flat_words(s)[1:]}]

    def shorter_words(self, steps):
        """Each step with fewer words."""
        for i in range(len(steps)):
            if self.is_over() or len(steps[i]) < 2:
                continue
            head = steps[i][:1]

            def fails_with(words, i=i, head=head):
                return self.fails(steps[:i] + [head + words] + steps[i + 1:])
            if steps[i][0] == "@multi":
                inner = self.fewer(steps[i][1], lambda c, i=i: self.fails(steps[:i] + [["@multi", c]] + steps[i + 1:]))
                steps = steps[:i] + [["@multi", inner]] + steps[i + 1:]
            elif not steps[i][0].startswith("@"):
                steps = steps[:i] + [head + self.fewer(steps[i][1:], fails_with)] + steps[i + 1:]
        return steps

    def shorter_letters(self, steps):
        """Long words cut, by halves."""
        for i, step in enumerate(steps):
            for j in range(1, len(step)):
                while isinstance(step[j], (str, bytes)) and len(step[j]) > 8 and not self.is_over():
                    step = step[:j] + [step[j][:len(step[j]) // 2]] + step[j + 1:]
                    if not self.fails(steps[:i] + [step] + steps[i + 1:]):
                        break
                    steps = steps[:i] + [step] + steps[i + 1:]
                step = steps[i]
        return steps

    def cut(self, batches):
        """The batches up to the step where the difference was seen."""
        d = self.difference
        batches = batches[:d.batch + 1]
        return batches if d.step is None else batches[:-1] + [batches[-1][:d.step + 1]]

    def shrink(self, batches):
        """The steps, or None: it does not happen again."""
        batches = self.cut(batches)
        steps = flat(batches)
        for self.at_once in (BATCH, 1, ALL):
            if self.fails(steps):
                break
        else:
            if not self.fails_in(batches):
                return None
            self.at_once = ALL  # what is sent at once matters: whole batches first
            batches = self.fewer(batches, self.fails_in)
            steps = flat(batches)
            if not self.fails(steps):
                self.at_once = NEVER
                return steps
        steps = steps[:(self.last.batch + 1) * self.at_once]
        if self.difference.kind == "reply":
            related = self.related(steps)
            if self.fails(related):
                steps = related
        steps = self.fewer(steps, self.fails)
        steps = self.shorter_letters(self.shorter_words(steps))
        steps = self.fewer(steps, self.fails)
        self.fails(steps)  # for the text
        return steps


def in_batches(steps, size):
    return [steps[i:i + size] for i in range(0, len(steps), size)]


def flat_words(step):
    words = []
    for w in step:
        words += flat_words(w) if isinstance(w, list) else [w]
    return words


def quoted(word):
    """A word as redis-cli reads it."""
    data = word if isinstance(word, bytes) else str(word).encode()
    if len(data) > LONGEST:
        return quoted(data[:20]) + "...(%d bytes)" % len(data)
    if data and all(33 <= c < 127 and c not in b"\"'\\#" for c in data):
        return data.decode()
    return '"%s"' % "".join(chr(c) if 32 <= c < 127 and c not in b'"\\' else "\\x%02x" % c for c in data)


def line(command):
    return " ".join(quoted(w) for w in command)


def cli_lines(step):
    """The lines of redis-cli that do what the step does, as far as lines can."""
    name, args = step[0], step[1:]
    if name == "@multi":
        return ["MULTI"] + [line(c) for c in args[0]] + ["EXEC"]
    if name == "@config":
        return [line(["CONFIG", "SET"] + args)]
    if name == "@scan":
        at = 1 if args[0] == "SCAN" else 2
        return [line(args[:at] + [0] + args[at:]) + "     # and so on until the cursor is 0"]
    if name == "@expired":
        return [line(["PEXPIRE", args[0], 1]) + "     # and wait for it"]
    if name == "@redump":
        return ["# DUMP %s; RESTORE %s with the payload" % (quoted(args[0]), line(args[1:]))]
    if name == "@exchange":
        return ["# DUMP %s here, RESTORE %s on the other server; both ways" % (quoted(args[0]), quoted(args[1]))]
    if name == "@blocked":
        return (["# client %d: %s" % (i + 1, line(c)) for i, c in enumerate(args[0])] + [line(c) for c in args[1]] +
                ["# the replies of the clients, those that still wait by CLIENT UNBLOCK"])
    if str(name).startswith("@"):
        return ["# %s %s" % (name, line(flat_words(args)))]
    return [line(step)]


def reproducer(steps):
    return "\n".join(text for step in steps for text in cli_lines(step))


def report(pair, batches, difference, seconds=60):
    """What a person needs: the difference and the shortest sequence found."""
    head = "%s: %s\n%s\n" % (difference.kind, difference.name, difference.text)
    shrinker = Shrinker(pair, difference, seconds)
    steps = shrinker.shrink(batches)
    if steps is None:
        last = batches[difference.batch]
        tail = last[:difference.step + 1] if difference.step is not None else last
        return head + "It did not happen again when the sequence was repeated.  The last steps were\n%s" % reproducer(tail[-20:])
    how = {ALL: " sent at once", NEVER: " (only in their batches)"}.get(shrinker.at_once, "")
    return head + "Shrunk to %d steps%s (%d runs):\n%s\n%s" % (len(steps), how, shrinker.runs, reproducer(steps), shrinker.last.text)
