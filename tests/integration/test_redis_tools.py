#!/usr/bin/env python3
"""redis-cli in every mode that needs no cluster and no replica, and redis-benchmark with its
options."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

QUICK = os.environ.get("QUICK") == "1"
MASS = 20000 if QUICK else 200000


class Tools(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.socket = os.path.join(self.dir, "sock")
        self.server = resp.start_stillframe(self.dir, "--save", "", "--unixsocket", self.socket)
        self.addCleanup(self.server.kill)

    def cli(self, *args, stdin=b"", status=0):
        done = subprocess.run(["redis-cli", "-p", str(self.server.port), *args], input=stdin, capture_output=True,
                              timeout=100, check=False)
        self.assertEqual(done.returncode, status, done)
        return done.stdout.decode()

    def watch(self, *args, until, meanwhile=None):
        """What a mode that runs for ever prints, up to a text."""
        with subprocess.Popen(["redis-cli", "-p", str(self.server.port), *args], stdout=subprocess.PIPE) as cli:
            out, end = "", time.monotonic() + 30
            os.set_blocking(cli.stdout.fileno(), False)
            try:
                while until not in out:
                    self.assertLess(time.monotonic(), end, out)
                    if meanwhile is not None:
                        meanwhile()
                    time.sleep(0.02)
                    out += (cli.stdout.read() or b"").decode()
            finally:
                cli.send_signal(signal.SIGKILL)
        return out

    def fill(self):
        with self.server.client() as c:
            c.pipeline([["SET", "key:%d" % i, "x" * (i % 50)] for i in range(500)])
            c.call("SET", "bigstring", "y" * 100000)
            c.call("HSET", "bighash", *[w for i in range(1000) for w in ("f%d" % i, "v")])

    def test_commands_and_forms_of_replies(self):
        self.assertEqual(self.cli("SET", "a", "1"), "OK\n")
        self.assertEqual(self.cli("-x", "SET", "b", stdin=b"from\nstdin"), "OK\n")
        self.assertEqual(self.cli("GET", "b"), "from\nstdin\n")
        self.assertEqual(self.cli("-X", "tag", "SET", "b", "tag", stdin=b"tagged"), "OK\n")
        self.assertEqual(self.cli("--no-raw", "GET", "b"), '"tagged"\n')
        self.assertEqual(self.cli("--csv", "MGET", "a", "b"), '"1","tagged"\n')
        self.assertEqual(self.cli("--json", "-3", "HELLO").startswith('{"server":"redis"'), True)
        self.assertEqual(self.cli("-r", "3", "-i", "0.01", "INCR", "n"), "1\n2\n3\n")
        self.assertEqual(self.cli("-n", "2", "EXISTS", "a"), "0\n")
        self.assertEqual(self.cli("-s", self.socket, "GET", "a"), "1\n")
        self.assertIn("ERR unknown command", self.cli("NOSUCH"))
        self.assertEqual(self.cli("-e", "NOSUCH", status=1), "")
        self.assertEqual(self.cli(stdin=b"SET c 1\nMULTI\nINCR c\nEXEC\n"), "OK\nOK\nQUEUED\n2\n")
        self.cli("CONFIG", "SET", "requirepass", "secret")
        self.assertIn("NOAUTH", self.cli("GET", "a"))
        self.assertEqual(self.cli("-a", "secret", "--no-auth-warning", "GET", "a"), "1\n")
        self.assertEqual(self.cli("--user", "default", "--pass", "secret", "--no-auth-warning", "GET", "a"), "1\n")

    def test_a_copy_of_the_data_and_one_of_the_functions(self):
        self.fill()
        self.cli("CONFIG", "SET", "repl-diskless-sync-delay", "0")
        for mode, keys in (("--rdb", b"502 keys"), ("--functions-rdb", b"0 keys")):
            self.cli(mode, os.path.join(self.dir, "x.rdb"))
            done = subprocess.run([resp.STILLFRAME_RDB, "check", os.path.join(self.dir, "x.rdb")], capture_output=True, check=False)
            self.assertEqual((done.returncode, keys in done.stdout), (0, True), done)

    def test_finding_big_and_hot_keys(self):
        self.fill()
        out = self.cli("--bigkeys")
        self.assertIn('Biggest string found \'"bigstring"\' has 100000 bytes', out)
        self.assertIn('\'"bighash"\' has 1000 fields', out)
        self.assertIn('Biggest string found', self.cli("--memkeys"))
        self.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
        with self.server.client() as c:
            c.pipeline([["GET", "key:7"]] * 5000)
        self.assertIn("hot key found with counter:", self.cli("--hotkeys"))

    def test_scanning(self):
        self.fill()
        self.assertEqual(len(self.cli("--scan").split()), 502)
        self.assertEqual(len(self.cli("--scan", "--pattern", "key:1*").split()), 111)

    def test_mass_insertion(self):
        stdin = b"".join(b"*3\r\n$3\r\nSET\r\n$%d\r\nmass:%d\r\n$1\r\nx\r\n" % (len("mass:%d" % i), i)
                         for i in range(MASS))
        self.assertIn("errors: 0, replies: %d" % MASS, self.cli("--pipe", stdin=stdin))
        self.assertEqual(self.cli("DBSIZE"), "%d\n" % MASS)

    def test_watching_the_server(self):
        self.assertIn("keys", self.watch("--stat", "-i", "0.05", until="requests"))
        self.assertEqual(len(self.watch("--latency", "-i", "1", until="\n").split()[:4]), 4)
        self.watch("--latency-history", "-i", "1", until="\n")
        self.watch("--latency-dist", "-i", "1", until="\n")
        with self.server.client() as c:
            out = self.watch("SUBSCRIBE", "news", until="hello", meanwhile=lambda: c.call("PUBLISH", "news", "hello"))
            self.assertIn("subscribe", out)
            self.watch("PSUBSCRIBE", "n*", until="hello", meanwhile=lambda: c.call("PUBLISH", "news", "hello"))
            self.watch("MONITOR", until='"SET" "a" "b"', meanwhile=lambda: c.call("SET", "a", "b"))

    def benchmark(self, *args):
        done = subprocess.run(["redis-benchmark", "-p", str(self.server.port), "-n", "2000", *args], capture_output=True,
                              text=True, timeout=100, check=False)
        self.assertEqual(done.returncode, 0, done)
        self.assertNotIn("WARNING: Could not fetch server CONFIG", done.stdout + done.stderr)
        return done.stdout

    def test_the_benchmark_with_its_options(self):
        tests = "ping_inline,ping_mbulk,set,get,incr,hset,mset"
        lines = self.benchmark("-t", tests, "--csv").splitlines()
        self.assertEqual(len(lines), 8)
        for args in (["-P", "16"], ["-c", "1"], ["-d", "10000"], ["-r", "1000"], ["-k", "0", "-c", "10"],
                     ["--threads", "2"], ["--dbnum", "3"], ["--precision", "3"], ["-3"], ["-q", "-e"]):
            with self.subTest(args=args):
                self.assertIn("requests", self.benchmark("-t", "set,get", *args))
        self.assertIn("requests", subprocess.run(["redis-benchmark", "-s", self.socket, "-n", "1000", "-t", "get"],
                                                 capture_output=True, text=True, timeout=60, check=True).stdout)
        self.assertIn("requests", self.benchmark("-q", "SET", "k:__rand_int__", "v"))
        self.cli("CONFIG", "SET", "requirepass", "secret")
        self.assertIn("requests", self.benchmark("-a", "secret", "-t", "get"))


if __name__ == "__main__":
    unittest.main()
