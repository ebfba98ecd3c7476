#!/usr/bin/env python3
"""Client libraries as they come from Debian and npm: the programs of clients/ against a server.

A library that is not installed is a test that is skipped by its name: make test-packages installs
them.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

CLIENTS = os.path.join(resp.HERE, "clients")
NPM = os.path.join(resp.ROOT, "build", "npm", "node_modules")
DEBIAN_PYTHON = "/usr/bin/python3"


class Libraries(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.server = resp.start_stillframe(self.dir, "--save", "", "--unixsocket", os.path.join(self.dir, "sock"))
        self.addCleanup(self.server.kill)

    def passes(self, *command, **env):
        done = subprocess.run([str(w) for w in command], capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, **env})
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "ok"), done.stderr[-3000:])

    def test_hiredis(self):
        program = os.path.join(resp.ROOT, "build", "tests", "integration", "hiredis_client")
        if not os.path.exists(program):
            self.skipTest("hiredis: its program is not built")
        self.passes(program, self.server.port, os.path.join(self.dir, "sock"))

    def test_python3_redis(self):
        if subprocess.run([DEBIAN_PYTHON, "-c", "import redis"], capture_output=True, check=False).returncode != 0:
            self.skipTest("python3-redis is not installed")
        self.passes(DEBIAN_PYTHON, os.path.join(CLIENTS, "python_redis.py"), self.server.port,
                    os.path.join(self.dir, "sock"))

    def node(self, package, script):
        if shutil.which("node") is None:
            self.skipTest("node is not installed")
        if not os.path.isdir(os.path.join(NPM, package)):
            self.skipTest("%s of npm is not installed" % package)
        self.passes("node", os.path.join(CLIENTS, script), self.server.port, NODE_PATH=NPM)

    def test_ioredis(self):
        self.node("ioredis", "ioredis.cjs")

    def test_node_redis(self):
        self.node("redis", "node_redis.cjs")


if __name__ == "__main__":
    unittest.main()
