#!/usr/bin/env python3
"""Programs from npm that use scripts: queues, limits, locks, sessions.

Each runs while saves run back to back; in the middle the server is killed in a save, and comes back
with the one before (programs.py).  A package that is not installed is a test that is skipped by its
name: make test-packages installs them.
"""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import programs  # noqa: E402
import resp  # noqa: E402
import tls  # noqa: E402


class Node(programs.Programs):
    def test_bullmq(self):
        self.node(["bullmq", "ioredis"], "bullmq.cjs")

    def test_bullmq_on_node_redis(self):
        self.node(["bullmq", "ioredis", "redis"], "bullmq.cjs", "redis")

    def test_limits_and_locks(self):
        self.node(["rate-limiter-flexible", "redlock", "ioredis", "redis"], "limits.cjs")

    def test_sessions(self):
        self.node(["connect-redis", "express-session", "redis"], "sessions.cjs")

    def test_client_side_cache(self):
        self.node(["redis"], "node_redis_cache.cjs")

    @unittest.skipIf(programs.IS_REDIS, "Redis 7.0 does not know these commands")
    def test_newer_commands(self):
        self.node(["redis", "ioredis"], "newer_commands.cjs")


class Scripts(programs.Programs):
    """Half of the connections are encrypted."""

    @classmethod
    def setUpClass(cls):
        tls.setUpModule()
        cls.addClassCleanup(tls.tearDownModule)

    def setUp(self):
        super().setUp()
        self.tls_port = resp.free_port()
        self.server_words = ("--tls-port", self.tls_port, "--tls-cert-file", tls.path("server.crt"), "--tls-key-file",
                             tls.path("server.key"), "--tls-ca-cert-file", tls.path("ca.crt"))

    def test_ioredis(self):
        self.node(["ioredis"], "ioredis_scripts.cjs", self.tls_port, tls.CERTS)

    def test_node_redis(self):
        self.node(["redis"], "node_redis_scripts.cjs", self.tls_port, tls.CERTS)


if __name__ == "__main__":
    unittest.main()
