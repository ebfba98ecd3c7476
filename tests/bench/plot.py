#!/usr/bin/env python3
"""Drawings of latency over time around a save, for save.py; SVG by hand, standard library only.

A panel for each server, side by side on the same scales: the slowest probe of each slice of time
as a dot, the median one below it, the windows of saves shaded.  Colours follow the reader's light
or dark mode.

    tests/bench/plot.py    draws an example into ./example.svg
"""
import math
import random
import statistics

WIDTH, HEIGHT = 960, 380
LEFT, RIGHT, TOP, BOTTOM, BETWEEN = 66, 16, 68, 46, 22
BEFORE_S, AFTER_S = 1.0, 1.0  # shown around the first save
SLICES = 600  # of a panel, at most
STYLE = """
.back{fill:#fff}.text{fill:#24292f}.faint{fill:#57606a}.grid{stroke:#d8dee4}.axis{stroke:#8c959f}
.save{fill:#fff1c2}.max{stroke:#0550ae}.mid{stroke:#57ab5a}
@media (prefers-color-scheme:dark){.back{fill:#0d1117}.text{fill:#e6edf3}.faint{fill:#9198a1}.grid{stroke:#2a313a}
.axis{stroke:#656c76}.save{fill:#3a2f0e}.max{stroke:#79c0ff}.mid{stroke:#3fb950}}
text{font:12px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}.title{font-size:15px;font-weight:600}
.panel{font-size:13px;font-weight:600}.dots{stroke-linecap:round;fill:none}.end{text-anchor:end}.mean{text-anchor:middle}
"""


def us_name(us):
    return "%g s" % (us / 1e6) if us >= 1e6 else "%g ms" % (us / 1e3) if us >= 1e3 else "%g µs" % us


def step_of(seconds):
    """A round distance between ticks: four to eight of them."""
    for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50):
        if seconds / step <= 8:
            return step
    return 100


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


class Scale:
    """Seconds from the begin of the first save, and microseconds, to places of the drawing."""

    def __init__(self, panels):
        self.end_s = AFTER_S + max(w[0][1] - w[0][0] for _, _, w in panels)
        shown = [us for _, probes, windows in panels for at, us in probes if -BEFORE_S <= at - windows[0][0] <= self.end_s]
        self.low = math.floor(math.log10(max(1, min(shown))))
        self.high = max(math.ceil(math.log10(max(shown))), self.low + 1)
        self.width = (WIDTH - LEFT - RIGHT - BETWEEN) / 2

    def x(self, panel, s):
        return LEFT + panel * (self.width + BETWEEN) + self.width * (s + BEFORE_S) / (self.end_s + BEFORE_S)

    def y(self, us):
        share = (math.log10(max(us, 10 ** self.low)) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def slices(probes, begin, scale):
    """(middle, slowest, median) of each slice that has a probe."""
    length = max(0.01, (scale.end_s + BEFORE_S) / SLICES)
    parts = {}
    for at, us in probes:
        if -BEFORE_S <= at - begin < scale.end_s:
            parts.setdefault(math.floor((at - begin) / length), []).append(us)
    return length, [((i + 0.5) * length, max(us), statistics.median(us)) for i, us in sorted(parts.items())]


def dots(points, kind, size):
    path = "".join("M%.1f %.1fh0" % p for p in points)
    return '<path class="dots %s" stroke-width="%g" d="%s"/>' % (kind, size, path)


def panel(index, name, probes, windows, scale):
    begin, out = windows[0][0], []
    left, right, top, bottom = scale.x(index, -BEFORE_S), scale.x(index, scale.end_s), TOP, HEIGHT - BOTTOM
    for b, e in windows:
        x0, x1 = (min(max(scale.x(index, t - begin), left), right) for t in (b, e))
        if x1 > x0:
            out.append('<rect class="save" x="%.1f" y="%d" width="%.1f" height="%d"/>' % (x0, top, max(x1 - x0, 1), bottom - top))
    for power in range(scale.low, scale.high + 1):
        y = scale.y(10 ** power)
        out.append('<path class="grid" d="M%.1f %.1fH%.1f"/>' % (left, y, right))
        if index == 0:
            out.append('<text class="faint end" x="%.1f" y="%.1f">%s</text>' % (left - 8, y + 4, us_name(10 ** power)))
    step = step_of(scale.end_s + BEFORE_S)
    for i in range(math.ceil(-BEFORE_S / step), math.floor(scale.end_s / step) + 1):
        x = scale.x(index, i * step)
        out.append('<path class="axis" d="M%.1f %dv5"/><text class="faint mean" x="%.1f" y="%d">%g</text>' % (
            x, bottom, x, bottom + 19, i * step))
    out.append('<path class="axis" fill="none" d="M%.1f %dV%dH%.1f"/>' % (left, top, bottom, right))
    _, parts = slices(probes, begin, scale)
    out.append(dots([(scale.x(index, t), scale.y(mid)) for t, _, mid in parts], "mid", 1.6))
    out.append(dots([(scale.x(index, t), scale.y(worst)) for t, worst, _ in parts], "max", 2.6))
    out.append('<text class="text panel" x="%.1f" y="%d">%s</text><text class="faint end" x="%.1f" y="%d">save: %.2f s</text>' % (
        left, top - 9, escape(name), right, top - 9, windows[0][1] - begin))
    return out


def draw(path, panels, title):
    """panels: two of (name, [(sent s, us)], [(begin s, end s) of a save]); the first is shown."""
    scale = Scale(panels)
    length, _ = slices([], 0, scale)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">' % (WIDTH, HEIGHT),
           "<title>Latency of a write around a save: %s</title>" % escape(title), "<style>%s</style>" % STYLE.strip(),
           '<rect class="back" width="%d" height="%d" rx="6"/>' % (WIDTH, HEIGHT),
           '<text class="text title" x="%d" y="26">%s</text>' % (16, escape(title))]
    x = WIDTH - RIGHT - 310
    for kind, words, at in (("max", "slowest write of %.0f ms" % (length * 1000), x), ("mid", "median", x + 178)):
        out.append('<path class="dots %s" stroke-width="6" d="M%d 22h0"/><text class="faint" x="%d" y="26">%s</text>' % (
            kind, at, at + 9, words))
    out.append('<rect class="save" x="%d" y="16" width="14" height="12"/><text class="faint" x="%d" y="26">save</text>' % (
        x + 258, x + 278))
    for i, p in enumerate(panels):
        out += panel(i, *p, scale)
    out.append('<text class="faint mean" x="%d" y="%d">seconds from the begin of the save</text></svg>' % (WIDTH // 2, HEIGHT - 9))
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n")


def example():
    rnd = random.Random(1)
    fast = [(i / 1000, 60 * rnd.lognormvariate(0, 0.5)) for i in range(9000)]
    slow = [(t, us * (30 if 1 < t < 6 else 1)) for t, us in fast]
    draw("example.svg", [("Stillframe", fast, [(1, 1.8)]), ("Redis", slow, [(1, 6)])], "An example")


if __name__ == "__main__":
    example()
