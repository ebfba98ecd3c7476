#!/usr/bin/env python3
"""What a system without processes needs: no fork, no exec, main called by a loader, one processor,
BGSAVE all the same."""
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

BUILD = os.path.join(resp.ROOT, "build")
HELPERS = os.path.join(BUILD, "tests", "integration")
PRELOAD = os.path.join(HELPERS, "seccomp_preload.so")
SHARED = os.path.join(BUILD, "shared", "stillframe.so")


class Launched(resp.Server):
    """A server behind a launcher: the same class, another command line and environment."""

    def __init__(self, command, directory, env=None):
        port = resp.free_port()
        saved = dict(os.environ)
        os.environ.update(env or {})
        try:
            super().__init__(command + ["--port", str(port), "--save", "", "--enable-debug-command", "yes"], directory, port)
        finally:
            os.environ.clear()
            os.environ.update(saved)
        self.wait_ready()


class WithoutProcesses(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(lambda: subprocess.run(["rm", "-rf", self.dir], check=False))

    def exercise(self, launch):
        """Write, save beside writes, stop with a save, start again: the data is there."""
        server = launch()
        with server.client() as c:
            c.call("DEBUG", "POPULATE", 20000, "key", 100)
            c.call("HSET", "h", *sum((["f%d" % i, "v" * 100] for i in range(300)), []))
            c.call("CONFIG", "SET", "rdbcompression", "no")
            for i in range(5):
                self.assertEqual(c.call("BGSAVE"), b"Background saving started")
                for j in range(200):
                    c.call("SET", "key:%d" % (j * 7), "changed-%d" % i)
                    c.call("HSET", "h", "f%d" % (j % 300), "w%d" % i)
                resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in c.call("INFO", "persistence"))
                self.assertIn(b"rdb_last_bgsave_status:ok", c.call("INFO", "persistence"))
            c.call("BGSAVE")
            c.call("BGSAVE", "CANCEL")
            resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in c.call("INFO", "persistence"))
            c.call("SAVE")
            digest = c.call("DEBUG", "DIGEST")
        self.assertEqual(server.stop(), 0, server.log())
        server = launch()
        with server.client() as c:
            self.assertEqual(c.call("DEBUG", "DIGEST"), digest)
            try:
                c.call("SHUTDOWN", "NOSAVE")
            except EOFError:
                pass
        self.assertEqual(server.wait(), 0, server.log())

    def test_the_filter_kills_what_forks(self):
        env = dict(os.environ, LD_PRELOAD=PRELOAD, SECCOMP_PRELOAD_SELF_TEST="1")
        self.assertLess(subprocess.run(["true"], env=env, check=False).returncode, 0)

    def test_under_a_filter_that_kills_on_fork_and_exec(self):
        self.exercise(lambda: Launched([resp.STILLFRAME_SERVER], self.dir, {"LD_PRELOAD": PRELOAD}))

    def test_as_a_shared_object_whose_main_a_loader_calls(self):
        self.exercise(lambda: Launched([os.path.join(HELPERS, "loader"), SHARED], self.dir, {"LD_PRELOAD": PRELOAD}))

    def test_pinned_to_one_processor(self):
        cpu = sorted(os.sched_getaffinity(0))[0]
        self.exercise(lambda: Launched(["taskset", "-c", str(cpu), resp.STILLFRAME_SERVER], self.dir))

    def test_with_little_address_space(self):
        server = Launched(["sh", "-c", 'ulimit -v 1500000; exec "$0" "$@"', resp.STILLFRAME_SERVER], self.dir)
        with server.client() as c:
            c.call("DEBUG", "POPULATE", 10000, "key", 100)
            c.call("SAVE")
        self.assertEqual(server.stop(), 0)

    def test_thread_local_data_fits_what_a_position_independent_executable_gets(self):
        for binary in (resp.STILLFRAME_SERVER, SHARED):
            out = subprocess.run(["readelf", "-lW", binary], capture_output=True, text=True, check=True).stdout
            sizes = [int(m.group(1), 16) for m in re.finditer(r"^\s+TLS\s+(?:0x\w+\s+){4}(0x\w+)", out, re.M)]
            self.assertLessEqual(sum(sizes), 500, binary)

    def test_no_symbol_that_makes_a_process(self):
        for binary in (resp.STILLFRAME_SERVER, SHARED):
            out = subprocess.run(["nm", "-D", "--undefined-only", binary], capture_output=True, text=True, check=True).stdout
            names = {line.split()[-1].split("@")[0] for line in out.splitlines()}
            forbidden = {"fork", "vfork", "clone", "execve", "execv", "execvp", "execl", "execlp", "posix_spawn", "system",
                         "popen", "daemon", "userfaultfd", "memfd_create", "signalfd", "membarrier", "fallocate"}
            self.assertEqual(names & forbidden, set(), binary)

    def test_what_osv_does_not_have_may_be_missing(self):
        """Looked up in a guest; a call of one that is not weak would end the machine."""
        for binary in (resp.STILLFRAME_SERVER, SHARED):
            out = subprocess.run(["nm", "-D", "--undefined-only", binary], capture_output=True, text=True, check=True).stdout
            kinds = {line.split()[-1].split("@")[0]: line.split()[-2] for line in out.splitlines()}
            missing = {"mallinfo2", "strerrorname_np", "posix_fadvise", "sync_file_range", "linkat", "renameat2"}
            self.assertEqual({name: kinds[name] for name in missing & kinds.keys() if kinds[name] != "w"}, {}, binary)


if __name__ == "__main__":
    if os.environ.get("STILLFRAME_FLAVOUR", "release") != "release":
        print("only the release build is tried here")
        sys.exit(0)
    started = time.time()
    unittest.main()
