#!/usr/bin/env python3
"""What an operator sees where the server believes itself on OSv (osv_preload.c): the system's name,
and figures that the system does not give left out, here beside those of the same server on
Linux."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

PRELOAD = os.path.join(resp.ROOT, "build", "tests", "integration", "osv_preload.so")

# What the system is asked for, and what is reckoned from that.
OF_RSS = {"used_memory_rss", "used_memory_rss_human", "allocator_resident", "allocator_rss_ratio", "allocator_rss_bytes",
          "rss_overhead_ratio", "rss_overhead_bytes", "mem_fragmentation_ratio", "mem_fragmentation_bytes"}
OF_SYSTEM_TIME = {"used_cpu_sys", "used_cpu_sys_children", "used_cpu_sys_main_thread"}
STATS_OF_RSS = {b"allocator.resident", b"allocator-rss.bytes", b"allocator-rss.ratio", b"rss-overhead.bytes",
                b"rss-overhead.ratio", b"fragmentation.bytes", b"fragmentation"}


def fields(text):
    """INFO's text as a dict; each line is a title, empty, or name:value."""
    lines = [line for line in text.decode().split("\r\n") if line and not line.startswith("# ")]
    return dict(line.split(":", 1) for line in lines)


class Look(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = directory = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, directory)
        cls.linux = resp.start_stillframe(directory, "--save", "")
        cls.addClassCleanup(cls.linux.kill)
        cls.osv = cls.start(directory, "--save", "")
        cls.addClassCleanup(cls.osv.kill)

    @staticmethod
    def start(directory, *args):
        """A server that believes itself on OSv."""
        before = os.environ.get("LD_PRELOAD")
        os.environ["LD_PRELOAD"] = PRELOAD
        try:
            return resp.start_stillframe(directory, *args)
        finally:
            del os.environ["LD_PRELOAD"]
            if before is not None:
                os.environ["LD_PRELOAD"] = before

    def both(self, *command):
        with self.osv.client() as c, self.linux.client() as d:
            return c.call(*command), d.call(*command)

    def test_info_names_the_system_and_leaves_out_what_it_does_not_say(self):
        osv, linux = (fields(text) for text in self.both("INFO", "everything"))
        self.assertEqual(osv["os"], "OSv 0.57.0-test " + os.uname().machine)
        self.assertEqual(linux["os"], "%s %s %s" % (os.uname().sysname, os.uname().release, os.uname().machine))
        self.assertEqual(set(linux) - set(osv), OF_RSS | OF_SYSTEM_TIME)
        self.assertEqual(set(osv) - set(linux), set())
        for name in ("used_memory", "allocator_allocated", "allocator_active", "allocator_frag_ratio", "total_system_memory"):
            self.assertGreater(float(osv[name]), 0, name)
        self.assertEqual(osv["used_cpu_user"], "1.000000")  # as the system says
        # the thread's own time, not what RUSAGE_THREAD means there
        self.assertLess(float(osv["used_cpu_user_main_thread"]), 1000)

    def test_info_of_sections_is_whole(self):
        for section, missing in (("memory", OF_RSS), ("cpu", OF_SYSTEM_TIME), ("server", set())):
            osv, linux = (fields(text) for text in self.both("INFO", section))
            self.assertEqual(set(linux) - set(osv), missing, section)

    def test_memory_stats_leaves_out_the_same(self):
        with self.osv.client() as c, self.linux.client() as d:
            for command in (("SET", "key", "value"), ("HELLO", "3")):
                c.call(*command)
                d.call(*command)
            osv, linux = c.call("MEMORY", "STATS"), d.call("MEMORY", "STATS")
        self.assertEqual(set(linux) - set(osv), STATS_OF_RSS)
        self.assertEqual(set(osv) - set(linux), set())
        self.assertEqual(list(osv), [name for name in linux if name in osv])  # a map that is whole, in the same order

    def test_of_the_save_that_is_tried_at_the_start_nothing_is_told(self):
        with self.osv.client() as c:
            info = fields(c.call("INFO", "everything"))
            self.assertEqual(c.call("LATENCY", "LATEST"), [])
        self.assertEqual(info["snapshot_epoch"], "2")  # there was one
        for name in ("rdb_saves", "rdb_saves_failed", "latest_fork_usec", "rdb_bgsave_in_progress"):
            self.assertEqual(info[name], "0", name)
        self.assertLess(int(info["mm_images_bytes"]), 4096)
        self.assertNotIn("saving", self.osv.log().lower())
        self.assertEqual([name for name in os.listdir(self.directory) if name.endswith(".rdb")], [])

    def test_where_there_is_no_class_for_the_background_a_save_gives_way_between_its_steps(self):
        with tempfile.TemporaryDirectory() as directory:
            server = self.start(directory, "--save", "", "--snapshot-verify", "yes", "--enable-debug-command", "yes")
            with server.client() as c:
                c.call("DEBUG", "POPULATE", 20000, "key", 100)
                c.call("BGSAVE")
                for i in range(500):
                    c.call("SET", "key:%d" % (i * 7), "changed")
                resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in c.call("INFO", "persistence"))
                info = fields(c.call("INFO", "persistence"))
            self.assertEqual(server.stop(), 0)
            self.assertEqual((info["rdb_saves"], info["rdb_last_bgsave_verify"]), ("1", "ok"))
            times = re.search(r"gave way (\d+) times", server.log())
            self.assertIsNotNone(times, server.log())
            self.assertGreater(int(times.group(1)), 20)  # blocks of 64 KiB, chunks, pieces that are read back

    def test_a_broken_rule_and_its_crash_report_are_whole_lines_and_the_last_ones(self):
        with tempfile.TemporaryDirectory() as directory:
            log = os.path.join(directory, "log")
            server = self.start(directory, "--save", "", "--enable-debug-command", "yes", "--logfile", log)
            with server.client() as c, self.assertRaises((EOFError, ConnectionError)):
                c.call("DEBUG", "ASSERT")
            self.assertEqual(server.wait(), -signal.SIGABRT)
            with open(log) as f:
                lines = f.read().split("\n")
        self.assertEqual(lines.pop(), "")
        broken = [i for i, line in enumerate(lines) if "rule broken" in line]
        self.assertEqual(len(broken), 1, lines)
        self.assertRegex(lines[broken[0]], r"^\d+:signal-handler \(\d+\) stillframe: [a-z_/]+\.c:\d+: rule broken: ")
        self.assertRegex(lines[broken[0] + 1], "BUG REPORT START")
        self.assertRegex(lines[-2], r" os=OSv 0\.57\.0-test ")
        self.assertRegex(lines[-1], r"^\d+:signal-handler \(\d+\) === STILLFRAME BUG REPORT END ===$")
        self.assertRegex(server.log(), r"(?m)^stillframe: [a-z_/]+\.c:\d+: rule broken: .*$")

    def test_redis_cli_reads_it(self):
        def cli(*words):
            return subprocess.run(["redis-cli", "-p", str(self.osv.port), *words], capture_output=True, text=True, timeout=60,
                                  check=True).stdout

        with self.osv.client() as c:
            c.call("SET", "a-key", "v" * 100)
        self.assertIn("a-key", cli("--bigkeys"))
        self.assertIn("a-key", cli("--memkeys"))
        with subprocess.Popen(["redis-cli", "-p", str(self.osv.port), "--stat", "-i", "0.01"], stdout=subprocess.PIPE, text=True) as stat:
            try:
                head, names, figures = (stat.stdout.readline() for _ in range(3))
            finally:
                stat.kill()
        self.assertIn("keys", names, head)
        self.assertRegex(figures, r"^[1-9]\d* +\d")


if __name__ == "__main__":
    unittest.main()
