#!/usr/bin/env python3
"""Debian's prometheus-redis-exporter, unchanged: every figure that it knows is there, parses and is
right, and it has nothing to complain of in its log."""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

EXPORTER = shutil.which("prometheus-redis-exporter")
METRIC = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
# Of what this server has none of: replication, append-only files, cluster, modules.
OTHERS = ("redis_aof_", "redis_cluster_", "redis_master_", "redis_slave_", "redis_repl", "redis_module_", "redis_sentinel_")


@unittest.skipIf(EXPORTER is None, "prometheus-redis-exporter is not installed")
class Exporter(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="stillframe-exporter-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def export(self, server, *options, env=None):
        """Start the exporter for this server; returns its port and its log's name."""
        port = resp.free_port()
        log = os.path.join(self.dir, "exporter-%d.log" % port)
        with open(log, "wb") as out:
            p = subprocess.Popen([EXPORTER, "-redis.addr", "redis://127.0.0.1:%d" % server.port, "-web.listen-address",
                                  "127.0.0.1:%d" % port, *options], stdout=out, stderr=subprocess.STDOUT, env=dict(os.environ, **(env or {})))
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)

        def listens():
            try:
                socket.create_connection(("127.0.0.1", port), timeout=10).close()
                return True
            except OSError:
                return False
        resp.wait_until(listens, 60, what="the exporter")
        return port, log

    def scrape(self, port):
        """{name: {labels: value}}"""
        with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=60) as page:
            text = page.read().decode()
        found = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, labels, value = METRIC.match(line).groups()
                found.setdefault(name, {})[labels or ""] = float(value)
        return found

    def complaints(self, log):
        with open(log, encoding="utf-8") as f:
            return [line for line in f if "level=info" not in line]

    def fill(self, server):
        with server.client() as c:
            for i in range(100):
                c.call("SET", "key:%d" % i, "x" * i)
            c.call("EXPIRE", "key:0", 10000)
            c.call("SELECT", 3)
            c.call("LPUSH", "list", *range(7))
            c.call("XADD", "stream", "*", "a", "b")
            c.call("XGROUP", "CREATE", "stream", "readers", "0")
            c.call("XREADGROUP", "GROUP", "readers", "me", "STREAMS", "stream", ">")
            with self.assertRaises(resp.RespError):
                c.call("INCR", "list")
            c.call("GET", "nothing")
            c.call("BGSAVE")
            resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in c.call("INFO", "persistence"), 120)

    def test_what_it_exports(self):
        server = resp.start_stillframe(self.dir, "--save", "", "--maxmemory", "1gb", "--slowlog-log-slower-than", "0",
                                       "--latency-monitor-threshold", "1")
        self.addCleanup(server.kill)
        self.fill(server)
        port, log = self.export(server, "-include-system-metrics", "-include-config-metrics", "-export-client-list", "-check-streams",
                                "db3=stream*", "-check-single-keys", "db3=list,db0=key:9", "-count-keys", "db0=key:*")
        m = self.scrape(port)
        for name, expected in (("redis_up", 1), ("redis_memory_max_bytes", 1 << 30), ("redis_rdb_last_bgsave_status", 1),
                               ("redis_rdb_bgsave_in_progress", 0), ("redis_loading_dump_file", 0), ("redis_rejected_connections_total", 0),
                               ("redis_keyspace_misses_total", 1), ("redis_exporter_last_scrape_error", 0)):
            self.assertEqual(m[name], {next(iter(m[name])): expected}, name)
        self.assertEqual(m["redis_db_keys"]['db="db0"'], 100)
        self.assertEqual(m["redis_db_keys"]['db="db3"'], 2)
        self.assertEqual(m["redis_db_keys_expiring"]['db="db0"'], 1)
        self.assertEqual(m["redis_commands_total"]['cmd="set"'], 100)
        self.assertGreater(m["redis_commands_duration_seconds_total"]['cmd="set"'], 0)
        self.assertEqual(m["redis_commands_failed_calls_total"]['cmd="incr"'], 1)
        self.assertEqual(m["redis_key_size"]['db="db3",key="list"'], 7)
        self.assertEqual(m["redis_stream_group_messages_pending"]['db="db3",group="readers",stream="stream"'], 1)
        self.assertEqual(m["redis_keys_count"]['db="db0",key="key:*"'], 100)
        for name in ("redis_memory_used_bytes", "redis_memory_used_rss_bytes", "redis_connected_clients", "redis_uptime_in_seconds",
                     "redis_commands_processed_total", "redis_net_input_bytes_total", "redis_cpu_user_seconds_total", "redis_slowlog_length",
                     "redis_total_system_memory_bytes", "redis_start_time_seconds", "redis_rdb_last_save_timestamp_seconds",
                     "redis_connected_clients_details"):
            self.assertGreaterEqual(next(iter(m[name].values())), 0, name)
        info, = m["redis_instance_info"]
        self.assertIn('role="master"', info)
        self.assertEqual(self.complaints(log), [])

    def test_the_console_asks_for_what_there_is(self):
        with open(os.path.join(resp.ROOT, "docs", "dashboard", "stillframe.html"), encoding="utf-8") as f:
            page = f.read()
        for choice in re.findall(r"redis_(\w*)\((\w+(?:\|\w+)+)\)(\w*)", page):
            page += "".join(" redis_%s%s%s" % (choice[0], word, choice[2]) for word in choice[1].split("|"))
        asked = set(re.findall(r"redis_\w+[a-z](?!\w|\()", page)) - {"redis_version"}  # a label
        server = resp.start_stillframe(self.dir, "--save", "")
        self.addCleanup(server.kill)
        self.fill(server)
        port, _ = self.export(server)
        self.assertGreater(len(asked), 20)
        self.assertEqual(asked - set(self.scrape(port)), set())

    def test_it_exports_of_redis_nothing_that_is_not_here(self):
        pages = []
        for start in (resp.start_stillframe, resp.start_redis_server):
            if start is resp.start_redis_server and resp.redis_server() is None:
                self.skipTest("there is no redis-server to compare with")
            directory = tempfile.mkdtemp(dir=self.dir)
            server = start(directory, "--save", "")
            self.addCleanup(server.kill)
            self.fill(server)
            port, _ = self.export(server, "-include-system-metrics")
            pages.append(self.scrape(port))
        ours, theirs = (set(page) for page in pages)
        self.assertGreater(len(theirs), 80)
        self.assertEqual({n for n in theirs - ours if not n.startswith(OTHERS)}, set())

    def test_as_a_user_of_few_rights(self):
        server = resp.start_stillframe(self.dir, "--save", "")
        self.addCleanup(server.kill)
        with server.client() as c:
            c.call("CONFIG", "SET", "requirepass", "secret")
            c.call("ACL", "SETUSER", "exporter", "on", ">watch", "+client|setname", "+ping", "+info", "+config|get", "+slowlog", "+latency",
                   "+select", "resetkeys")
        port, log = self.export(server, "-redis.user", "exporter", "-redis.password", "watch")
        self.assertEqual(self.scrape(port)["redis_up"], {"": 1})
        self.assertEqual(self.complaints(log), [])
        port, _ = self.export(server, "-redis.user", "exporter", "-redis.password", "wrong")
        self.assertEqual(self.scrape(port)["redis_up"], {"": 0})


if __name__ == "__main__":
    unittest.main()
