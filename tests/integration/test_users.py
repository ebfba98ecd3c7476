#!/usr/bin/env python3
"""What users build: sessions, a work queue, a leaderboard, a stream with consumer groups, with
python3-redis and ioredis.

Their programs (clients/users.*) run while snapshots are taken back to back; then the server is
killed.  Started again it has exactly what the last snapshot promised: the digests of the keys as
they were at its cut.  What the programs keep true at each instant (no job lost or done twice,
scores that add up, ...) is true of it, and the work that is left can be done.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_client_libraries import CLIENTS, DEBIAN_PYTHON, NPM  # noqa: E402

RUN_SECONDS = 2 if os.environ.get("QUICK") == "1" else 6
NEEDED = ["BLMOVE", "SADD", "ZADD", "XREADGROUP", "XAUTOCLAIM"]
KEYS = ["jobs", "jobs:made", "jobs:done", "workers:dead", "board", "points", "events", "events:made", "events:done"]


class Users(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.server = None
        self.start()

    def start(self):
        self.server = resp.start_stillframe(self.dir, "--save", "", "--enable-debug-command", "yes")
        self.addCleanup(self.server.kill)
        self.client = self.server.client()
        self.addCleanup(self.client.close)

    def snapshot(self):
        """What the keys were when the save began."""
        replies = self.client.pipeline([["MULTI"], ["DEBUG", "DIGEST-VALUE"] + KEYS, ["BGSAVE"], ["EXEC"]])[-1]
        self.assertEqual(replies[1], b"Background saving started")
        return replies[0]

    def is_saving(self):
        info = self.client.call("INFO", "persistence")
        self.assertIn(b"rdb_last_bgsave_status:ok", info)
        return b"rdb_bgsave_in_progress:1" in info

    def save_back_to_back(self, seconds, program):
        """The digests of the last save that was finished, and of one that may have been."""
        finished, count = None, 0
        running = self.snapshot()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assertIsNone(program.poll(), "the program ended early: %s" % (program.communicate(),)
                              if program.poll() is not None else "")
            if not self.is_saving():
                finished, running, count = running, self.snapshot(), count + 1
        self.assertGreater(count, 5)
        return finished, running, count

    def use(self, *command, **env):
        environment = {**os.environ, **env}
        command = [str(w) for w in command]
        program = subprocess.Popen(command + [str(self.server.port), "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env=environment)
        try:
            resp.wait_until(lambda: self.client.call("EXISTS", *KEYS) >= len(KEYS) - 2 or program.poll() is not None, 30)
            finished, running, count = self.save_back_to_back(RUN_SECONDS, program)
            self.server.kill()
            out, err = program.communicate(timeout=120)
            self.assertEqual((program.returncode, out.strip()), (0, "ok"), err[-3000:])
        finally:
            program.kill()
            program.communicate()
        self.client.close()
        self.start()
        self.assertIn(self.client.call("DEBUG", "DIGEST-VALUE", *KEYS), (finished, running))
        made, done, events = (int(self.client.call(*c)) for c in (("GET", "jobs:made"), ("SCARD", "jobs:done"), ("XLEN", "events")))
        print("users: %d snapshots; %d jobs, %d of them done; %d events" % (count, made, done, events), file=sys.stderr)
        self.assertGreater(min(made, done, events), 50)
        done = subprocess.run(command + [str(self.server.port), "check"], capture_output=True, text=True, timeout=120, check=False,
                              env=environment)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "ok"), done.stderr[-3000:])

    def need_types(self):
        missing = [c for c, info in zip(NEEDED, self.client.call("COMMAND", "INFO", *NEEDED)) if info is None]
        if missing:
            self.skipTest("there is no " + ", ".join(missing))

    def test_python3_redis(self):
        if subprocess.run([DEBIAN_PYTHON, "-c", "import redis"], capture_output=True, check=False).returncode != 0:
            self.skipTest("python3-redis is not installed")
        self.need_types()
        self.use(DEBIAN_PYTHON, os.path.join(CLIENTS, "users.py"))

    def test_ioredis(self):
        if shutil.which("node") is None or not os.path.isdir(os.path.join(NPM, "ioredis")):
            self.skipTest("ioredis of npm is not installed")
        self.need_types()
        self.use("node", os.path.join(CLIENTS, "users.cjs"), NODE_PATH=NPM)


if __name__ == "__main__":
    unittest.main()
