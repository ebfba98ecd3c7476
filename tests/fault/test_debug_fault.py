#!/usr/bin/env python3
"""DEBUG FAULT: in builds for tests a fault point is armed from outside; what is installed has no
such command."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import resp  # noqa: E402
from test_server import ServerCase, info  # noqa: E402

IS_RELEASE = os.environ.get("STILLFRAME_FLAVOUR", "release") == "release"


class DebugFault(ServerCase):
    def setUp(self):
        super().setUp()
        self.c = self.start("--save", "", "--enable-debug-command", "yes", "--stop-writes-on-bgsave-error", "no").client()

    @unittest.skipUnless(IS_RELEASE, "of what is installed")
    def test_a_release_does_not_know_it(self):
        for words in ([], ["off"], ["sink_fsync", 1]):
            with self.assertRaisesRegex(resp.RespError, "unknown subcommand or wrong number of arguments"):
                self.c.call("DEBUG", "FAULT", *words)
        self.assertNotIn(b"FAULT", [line.split(b" ")[0] for line in self.c.call("DEBUG", "HELP")])

    @unittest.skipIf(IS_RELEASE, "of builds for tests")
    def test_a_point_fails_once_or_for_good(self):
        self.assertIn(b"FAULT", [line.split(b" ")[0] for line in self.c.call("DEBUG", "HELP")])
        points = [p.decode() for p in self.c.call("DEBUG", "FAULT")]
        self.assertIn("sink_fsync", points)
        self.assertEqual(self.c.call("DEBUG", "FAULT", "sink_fsync"), b"OK")
        with self.assertRaisesRegex(resp.RespError, "fsync of dump.rdb: Input/output error"):
            self.c.call("SAVE")
        self.assertEqual(self.c.call("SAVE"), b"OK")
        self.assertEqual(self.c.call("DEBUG", "FAULT", "OFF"), 1)
        self.c.call("DEBUG", "FAULT", "SINK_RENAME", 2, "forever")
        self.assertEqual(self.c.call("SAVE"), b"OK")
        for _ in range(3):
            with self.assertRaisesRegex(resp.RespError, "rename of dump.rdb"):
                self.c.call("SAVE")
        self.assertEqual(self.c.call("DEBUG", "FAULT", "off"), 3)
        self.assertEqual(self.c.call("SAVE"), b"OK")
        self.c.call("DEBUG", "FAULT", "any")
        self.assertIsInstance(self.c.pipeline([("SAVE",)])[0], resp.RespError)
        self.assertEqual(self.c.call("DEBUG", "FAULT", "off"), 1)
        self.assertEqual(info(self.c, "persistence")["rdb_bgsave_in_progress"], "0")

    @unittest.skipIf(IS_RELEASE, "of builds for tests")
    def test_wrong_words(self):
        for words, error in ((["nothing"], "ERR there is no fault point 'nothing'"), (["sink_fsync", "x"], "ERR value is not an integer"),
                             (["sink_fsync", 0], "ERR syntax error"), (["sink_fsync", 1, "once"], "ERR syntax error"),
                             (["sink_fsync", 1, "forever", 1], "unknown subcommand or wrong number")):
            with self.assertRaisesRegex(resp.RespError, error):
                self.c.call("DEBUG", "FAULT", *words)
        self.assertEqual(self.c.call("DEBUG", "FAULT", "off"), 0)


if __name__ == "__main__":
    unittest.main()
