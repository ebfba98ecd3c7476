#!/usr/bin/env python3
"""The page of stillframe-rdb report, in a real browser: what it shows, what a click does, and that
names of keys are nothing but names."""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import browser  # noqa: E402
import resp  # noqa: E402

HOSTILE = [b"</script><img src=x onerror=alert(1)>:a", b"<!--<script>:b", b"\"'><svg/onload=alert(2)>:c", b"${alert(3)}:d",
           "line\u2028and\u2029:e".encode(), b"\xff\xfe\x80:f", "\u202egnp.exe:g".encode(), b"a\x00\n\t:h", b"__proto__:i", b"constructor:j",
           b"javascript:alert(4)", b"{{7*7}}:k", b"\\x41\\\\:l"]


def tool(*args):
    p = subprocess.run([resp.STILLFRAME_RDB, *args], capture_output=True, text=True, timeout=120)
    return p.returncode, p.stdout, p.stderr


def fill(c):
    r = random.Random(4)
    commands = [("SET", name, "v" * (3000 - i)) for i, name in enumerate(HOSTILE)]
    for i in range(3000):
        shop = "shop:%s:" % ("eu" if i % 2 else "us")
        commands.append(("HSET", shop + "cart:%d" % i, "item", "x" * 60))
        commands.append(("SET", shop + "page:%d" % (i % 700), r.randbytes(800), "EX", 1000 + i))
        commands.append(("SET", "token:%d" % i, "y" * 40, "EX", 60))
        commands.append(("ZADD", "rank:%d" % (i % 9), i, "player %d" % i))
    commands += [("SELECT", 4), ("SADD", "numbers", *range(300)), ("RPUSH", "queue", *("job %d" % i for i in range(900))), ("XADD", "events", "*", "a", "b")]
    for reply in c.pipeline(commands):
        assert not isinstance(reply, resp.RespError), reply


class ReportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="rdb-report-")
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        server = resp.start_redis_server(cls.dir, "--save", "")
        cls.addClassCleanup(server.stop)
        fill(server.client())
        server.client().call("SAVE")
        cls.dump, cls.page = os.path.join(cls.dir, "dump.rdb"), os.path.join(cls.dir, "report.html")
        status, out, err = tool("report", cls.dump, "-o", cls.page)
        assert (status, out, err) == (0, "", ""), (status, out, err)
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)

    def open(self, path=None, width=1280, height=900, **window):
        self.browser.window(width, height, **window)
        self.browser.open(path or self.page)

    def run_script(self, expression):
        return self.browser.run(expression)

    def texts(self, selector):
        return self.run_script("[...document.querySelectorAll(%s)].map(e => e.textContent)" % json.dumps(selector))

    def click(self, selector, text=None):
        """With the mouse, on the first element that matches (and has that text)."""
        x, y = self.run_script("""(() => {
            const e = [...document.querySelectorAll(%s)].find(e => %s === null || e.textContent.includes(%s));
            e.scrollIntoView({block: "center"});
            const r = e.getBoundingClientRect();
            return [r.x + Math.min(r.width / 2, 24), r.y + Math.min(r.height / 2, 10)];
        })()""" % ((json.dumps(selector),) + (json.dumps(text),) * 2))
        self.browser.click(x, y)

    def assert_quiet(self):
        self.assertEqual(self.browser.errors, [])
        self.assertEqual([u for u in self.browser.requests if not u.startswith(("file://" + self.dir, "data:"))], [])
        self.assertEqual(len([u for u in self.browser.requests if u.startswith("file:")]), 1)


class FirstSight(ReportTest):
    def test_says_what_takes_the_memory(self):
        self.open()
        status, out, _ = tool("memory", "--format=json", self.dump)
        want = json.loads(out)
        total = want["total"]
        self.assertEqual(self.run_script("document.title"), "What takes the memory: dump.rdb")
        self.assertEqual(self.texts("h1"), ["dump.rdb"])
        self.assertRegex(self.texts("#facts")[0], r"^REDIS0010 · .* · written \d{4}-\d\d-\d\d \d\d:\d\d UTC$")
        self.assertIn(format(total["keys"], ","), self.texts(".tiles dd"))
        self.assertRegex(self.texts(".big")[0], r"^%.1f MiBneeded in Redis 7.2" % ((total["memory"] + total["tables"]) / 2 ** 20))
        shop = next(p for p in want["prefixes"] if p["prefix"] == "shop:")
        self.assertIn("shop: %.0f %%" % (100 * shop["memory"] / total["memory"]), self.texts(".says")[0])
        data = json.loads(self.run_script("document.getElementById('data').textContent"))
        self.assertEqual({k: data["total"][k] for k in total}, total)
        self.assertEqual(data["encodings"], want["encodings"])
        self.assertEqual(data["ttls"], want["ttls"])
        rows = json.loads(tool("memory", "--format=json", "-N", "100", self.dump)[1])["top"]
        self.assertEqual([{k: v for k, v in r.items() if v is not None} for r in rows], data["top"]["memory"])
        self.assert_quiet()

    def test_tiles_are_as_large_as_their_memory(self):
        self.open()
        tiles = self.run_script("""[...document.querySelectorAll("#map > .tile:not(.inner)")].map(t =>
            [parseFloat(t.style.width) + 2, parseFloat(t.style.height) + 2])""")
        sizes = self.run_script("placed(tree.parts, 0, 0, 1000, 500).map(p => p.node.m)")
        self.assertEqual(len(tiles), len(sizes))
        whole = sum(w * h for w, h in tiles)
        box = self.run_script("[map.clientWidth, map.clientHeight]")
        self.assertAlmostEqual(whole / (box[0] * box[1]), 1, delta=0.02)
        for (w, h), m in zip(tiles, sizes):
            self.assertAlmostEqual(w * h / whole, m / sum(sizes), delta=0.003)
        for places in ([5, 4, 3, 2, 1], [1] * 40, [1000, 1], [7]):  # nothing overlaps, nothing is lost
            got = self.run_script("squarify(%s.map(m => ({m})), 0, 0, 300, 200).map(p => [p.x, p.y, p.w, p.h])" % places)
            self.assertEqual(len(got), len(places))
            self.assertAlmostEqual(sum(w * h for _, _, w, h in got), 60000, places=3)
            for i, (x, y, w, h) in enumerate(got):
                self.assertTrue(-1e-6 <= x and x + w <= 300 + 1e-6 and -1e-6 <= y and y + h <= 200 + 1e-6)
                for X, Y, W, H in got[:i]:
                    self.assertTrue(x + w <= X + 1e-6 or X + W <= x + 1e-6 or y + h <= Y + 1e-6 or Y + H <= y + 1e-6)

    def test_fits_a_phone(self):
        for width in (360, 390):
            for dark in (False, True):
                self.open(width=width, height=844, mobile=True, dark=dark)
                self.run_script("document.querySelectorAll('.more').forEach(b => b.click())")
                self.assertEqual(self.run_script("document.documentElement.scrollWidth"), width)
                outside = self.run_script("""[...document.querySelectorAll("main *")].filter(e => {
                    const r = e.getBoundingClientRect();
                    return r.width > 0 && !e.closest("#map, .share, .track, #stack") && (r.right > innerWidth + 1 || r.left < -1);
                }).map(e => e.tagName + "." + e.className + " " + e.textContent.slice(0, 40))""")
                self.assertEqual(outside, [])
        self.assert_quiet()

    def test_without_scripts_there_are_tables(self):
        self.browser.window(1000, 800)
        self.browser.open(self.page, scripts=False)
        self.browser.call("Emulation.setScriptExecutionDisabled", value=False)
        text = self.run_script("document.querySelector('main').innerText")
        self.assertIn("shop:", text)
        self.assertIn("</script><img src=x onerror=alert(1)>:", text)
        self.assertIn("hash/listpack", text)
        self.assertEqual(self.run_script("document.querySelectorAll('img').length"), 0)
        self.assert_quiet()


class Clicks(ReportTest):
    def column(self, place, number):
        return self.texts("#%s tbody tr td:nth-child(%d)" % (place, number))

    def number(self, text):
        n, unit = text.split()
        return float(n) * 1024 ** ["B", "KiB", "MiB"].index(unit)

    def test_headings_sort(self):
        self.open()
        for place, name, column in (("keys", "Memory", 3), ("keys", "In file", 5), ("prefixes", "Memory", 2), ("prefixes", "A key", 5), ("types", "Memory", 2)):
            heading = "#%s th:nth-child(%d) button" % (place, column)
            self.assertIn(name, self.texts(heading)[0])
            seen = []
            for _ in range(2):
                self.click(heading)
                numbers = [self.number(t) for t in self.column(place, column)]
                order = self.run_script("document.querySelector(%s).parentNode.getAttribute('aria-sort')" % json.dumps(heading))
                self.assertEqual(numbers, sorted(numbers, reverse=order == "descending"), (place, name, order))
                seen.append(order)
            self.assertEqual(sorted(seen), ["ascending", "descending"])
        self.click("#prefixes th:nth-child(1) button")
        names = self.column("prefixes", 1)
        self.assertEqual(self.run_script("document.querySelector('#prefixes th').getAttribute('aria-sort')"), "ascending")
        self.assertGreater(len(names), 5)
        self.assert_quiet()

    def test_measures_and_more(self):
        self.open()
        self.click("#measures button", "Elements")
        self.assertEqual(self.column("keys", 1)[0], "queue")
        self.assertEqual(self.column("keys", 6)[0], "900")
        self.assertEqual(len(self.column("keys", 1)), 20)
        self.click("#keys .more")
        self.assertEqual(len(self.column("keys", 1)), 100)
        self.click("#levels button", "2 parts")
        self.assertIn("shop:eu:", self.column("prefixes", 1))
        self.assertNotIn("shop:", self.column("prefixes", 1))
        before = self.run_script("document.querySelector('#sizes i').style.width")
        self.click("#weigh button", "Keys")
        self.assertNotEqual(self.run_script("document.querySelector('#sizes i').style.width"), before)
        self.assert_quiet()

    def test_zoom_into_a_prefix_and_back(self):
        self.open()
        self.click("#map .tile.group", "shop:")
        self.assertEqual(self.texts("#crumbs button"), ["All keys", "shop:"])
        self.assertEqual(sorted(self.texts("#map .tile:not(.inner) > .name")), ["eu:", "us:"])
        self.click("#crumbs button", "shop:")
        self.assertRegex(self.texts("#detail")[0], r"^shop: .* in 3,700 keys, ")
        self.click("#map .tile.group", "eu:")
        self.assertEqual(sorted(self.texts("#map .tile > .name")), ["cart:", "page:"])
        self.click("#crumbs button", "All keys")
        self.assertIn("token:", self.texts("#map .tile > .name"))
        self.click("#prefixes tbody tr", "shop:us:page:")
        self.assertIn("shop:us:page:", self.texts("#detail")[0])
        self.assertIn("all expire", self.texts("#detail")[0])
        self.run_script("document.querySelector('#map .tile').dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}))")
        self.assertEqual(self.texts("#crumbs button"), ["All keys", "shop:"])
        self.assert_quiet()

    def test_search(self):
        self.open()
        self.run_script("document.querySelector('#search').focus()")
        self.browser.call("Input.insertText", text="SHOP:EU")
        self.assertEqual(set(self.column("prefixes", 1)), {"shop:eu:", "shop:eu:cart:", "shop:eu:page:"})
        self.assertRegex(self.texts("#found")[0], r"^3 prefixes, \d+ of the largest keys$")
        self.assertIn("token:", self.texts("#map .tile.faint > .name"))
        self.assertNotIn("shop:", self.texts("#map .tile.faint > .name"))
        self.browser.call("Input.insertText", text="nothing has this")
        self.assertEqual(self.texts("#prefixes"), ["Nothing here."])
        self.assert_quiet()

    def test_light_and_dark(self):
        colour = "getComputedStyle(document.body).backgroundColor"
        self.open(dark=False)
        self.run_script("localStorage.clear()")
        self.open(dark=False)
        light = self.run_script(colour)
        self.click("#theme")
        dark = self.run_script(colour)
        self.assertNotEqual(light, dark)
        self.open(dark=False)
        self.assertEqual(self.run_script(colour), dark)  # it is kept
        self.click("#theme")
        self.assertEqual(self.run_script(colour), light)
        self.run_script("localStorage.clear()")
        self.open(dark=True)
        self.assertEqual(self.run_script(colour), dark)
        self.assert_quiet()


class HostileNames(ReportTest):
    def test_names_are_nothing_but_names(self):
        self.open()
        self.run_script("document.querySelectorAll('.more').forEach(b => b.click())")
        self.assertEqual(self.run_script("document.querySelectorAll('main img, main svg[onload], main iframe, main a').length"), 0)
        self.assertEqual(self.run_script("document.scripts.length"), 2)
        names = self.texts("#keys tbody td:first-child .name") + self.texts("#prefixes tbody td:first-child .name")
        for name in ("</script><img src=x onerror=alert(1)>:a", "<!--<script>:b", "\"'><svg/onload=alert(2)>:c", "${alert(3)}:d", "line\\u{2028}and\\u{2029}:e",
                     "\\xff\\xfe\\x80:f", "\\u{202e}gnp.exe:g", "a\\x00\\x0a\\x09:h", "__proto__:i", "constructor:", "javascript:", "\\\\x41\\\\\\\\:l"):
            self.assertIn(name, names)
        keys = self.run_script("data.top.memory.map(r => r.key)")
        for name in HOSTILE:
            self.assertIn(name.decode("utf-8", "surrogateescape"), [k.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") for k in keys])
        self.assert_quiet()

    def test_a_script_that_a_name_brings_along_would_not_run(self):
        """Even if a name became markup: the page's policy knows its own script alone."""
        self.open()
        self.run_script("document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\" onerror=\"window.ran = 1\">')")
        self.run_script("(() => { const s = document.createElement('div'); s.innerHTML = '<b onclick=\"window.ran = 1\">x</b>'; document.body.append(s); s.firstChild.click(); })()")
        self.browser.settle()
        self.assertIsNone(self.run_script("window.ran"))
        self.assertTrue(any("Content Security Policy" in e for e in self.browser.errors), self.browser.errors)


class Forms(ReportTest):
    def test_several_files_a_sample_and_none(self):
        path = os.path.join(self.dir, "two.html")
        self.assertEqual(tool("report", self.dump, self.dump, "--sample=50", "-o", path), (0, "", ""))
        self.open(path)
        self.assertEqual(self.texts("h1"), ["2 files"])
        self.assertIn("This is a sample of 50 % of all keys", self.texts("#notes")[0])
        self.assertRegex(self.texts(".big")[0], r"from a sample, ± ")
        self.assert_quiet()
        path = os.path.join(self.dir, "none.html")
        self.assertEqual(tool("report", self.dump, "--match=no such key", "-o", path), (0, "", ""))
        self.open(path)
        self.assertIn("There are no keys here.", self.texts("#answer")[0])
        self.assertRegex(self.texts("#facts")[0], "some of the keys only$")
        with open(self.dump, "rb") as f:
            p = subprocess.run([resp.STILLFRAME_RDB, "report", "-", "--match=token:*", "--force", "-o", path], stdin=f, timeout=120)
        self.assertEqual(p.returncode, 0)
        self.open(path)
        self.assertEqual(self.texts("h1"), ["standard input"])
        self.assertRegex(self.texts(".says")[0], "^100 % of the memory is below token:; by type strings take the most, 100 %")
        self.assert_quiet()

    def test_one_file_without_network(self):
        with open(self.page, encoding="utf-8") as f:
            text = f.read()
        self.assertEqual(re.findall(r"(?:src|href|action)=[\"']?(?!data:,)[^\"' >]+", re.sub(r"<script.*?</script>", "", text, flags=re.S).replace("&#60;", "<")),
                         ["src=x"])  # the hostile name, as text, in the table for who runs no scripts
        self.assertNotIn("@", re.sub(r"(?s)<(style|script).*?</\1>", "", text))
        self.assertLess(len(text), 300000)

    def test_a_page_is_not_replaced_unasked(self):
        status, out, err = tool("report", self.dump, "-o", self.page)
        self.assertEqual((status, out), (1, ""))
        self.assertIn(self.page, err)
        status, out, err = tool("report", os.path.join(self.dir, "no such file"), "-o", os.path.join(self.dir, "x.html"))
        self.assertEqual((status, out), (1, ""))
        self.assertFalse(os.path.exists(os.path.join(self.dir, "x.html")))


if __name__ == "__main__":
    unittest.main()
