#!/usr/bin/env python3
"""What the server says of itself: INFO, CONFIG, SLOWLOG, LATENCY, MEMORY, and its last words."""
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import command_docs  # noqa: E402
import resp  # noqa: E402

# Fields of INFO that Redis 7.2 has beside those of the reference server.
OF_7_2 = {
    "server_time_usec", "listener0", "total_blocking_keys", "total_blocking_keys_on_nokey", "eventloop_cycles", "eventloop_duration_sum",
    "eventloop_duration_cmd_sum", "instantaneous_eventloop_cycles_per_sec", "instantaneous_eventloop_duration_usec",
    "acl_access_denied_auth", "acl_access_denied_cmd", "acl_access_denied_key", "acl_access_denied_channel",
}
# What belongs to one start alone.
OWN = {"dir", "port"}
# Parameters of which one value is taken (never written), and second names.
FIXED = {"daemonize", "appendonly", "replicaof", "cluster-enabled", "syslog-enabled",
         "min-replicas-to-write", "list-max-ziplist-size", "hash-max-ziplist-entries", "hash-max-ziplist-value",
         "zset-max-ziplist-entries", "zset-max-ziplist-value", "lua-time-limit", "aof-rewrite-cpulist", "bgsave-cpulist",
         "bio-cpulist", "server-cpulist"}


def pairs_of(flat):
    return zip(flat[::2], flat[1::2])


class Introspection(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def start(self, start=resp.start_stillframe, *args):
        directory = tempfile.mkdtemp(dir=self.dir)
        server = start(directory, "--save", "", "--enable-debug-command", "yes", *args)
        self.addCleanup(server.kill)
        return server

    def test_every_field_of_redis_info_is_here(self):
        fields = []
        for start in (resp.start_stillframe, resp.start_redis_server):
            with self.start(start).client() as c:
                text = c.call("INFO").decode()
                fields.append({line.split(":")[0] for line in text.split("\r\n") if ":" in line})
        self.assertEqual((fields[1] | OF_7_2) - fields[0], set())

    def figures(self, c, *sections):
        return dict(line.split(":", 1) for line in c.call("INFO", *sections).decode().split("\r\n") if ":" in line)

    def test_figures_of_turns_and_memory_fit_together(self):
        server = self.start(resp.start_stillframe, "--requirepass", "x", "--unixsocket", "s.sock", "--bind", "127.0.0.1", "-::1")
        c = server.client()
        with self.assertRaisesRegex(resp.RespError, "WRONGPASS"):
            c.call("AUTH", "y")
        c.call("AUTH", "x")
        c.call("DEBUG", "SLEEP", "0.05")
        c.pipeline([("SET", "k%d" % i, "x" * 1000, "PX", 1) for i in range(2000)])
        resp.wait_until(lambda: self.figures(c)["expired_keys"] == "2000")
        c.pipeline([("DEL", "k%d" % i) for i in range(2000)])
        now = self.figures(c)
        self.assertEqual(now["acl_access_denied_auth"], "1")
        self.assertEqual(now["listener0"], "name=tcp,bind=127.0.0.1,bind=-::1,port=%d" % server.port)
        self.assertEqual(now["listener1"], "name=unix,bind=s.sock")
        self.assertRegex(now["redis_build_id"], "^[0-9a-f]{16}$")
        self.assertGreaterEqual(int(now["eventloop_duration_sum"]), int(now["eventloop_duration_cmd_sum"]))
        self.assertGreaterEqual(int(now["eventloop_duration_cmd_sum"]), 50000)
        self.assertGreater(int(now["eventloop_cycles"]), 3)
        used, active, resident, rss = (int(now[n]) for n in ("allocator_allocated", "allocator_active", "allocator_resident",
                                                             "used_memory_rss"))
        self.assertEqual(used, int(now["used_memory"]))
        self.assertTrue(used <= active and resident <= active and resident <= rss, now)
        self.assertEqual(int(now["allocator_frag_bytes"]), active - used)
        self.assertEqual(int(now["rss_overhead_bytes"]), rss - resident)
        debug = self.figures(c, "debug")
        self.assertEqual(set(debug), {"eventloop_duration_aof_sum", "eventloop_duration_cron_sum", "eventloop_duration_max",
                                      "eventloop_cmd_per_cycle_max"})
        self.assertGreaterEqual(int(debug["eventloop_duration_max"]), 50000)
        self.assertGreater(int(debug["eventloop_cmd_per_cycle_max"]), 10)
        self.assertNotIn("eventloop_duration_max", self.figures(c, "everything"))
        c.call("CONFIG", "RESETSTAT")
        now = self.figures(c)
        self.assertLess(int(now["eventloop_duration_sum"]), 50000)
        self.assertEqual(now["acl_access_denied_auth"], "0")

    def test_memory_stats_has_what_redis_has(self):
        names = []
        for start in (resp.start_stillframe, resp.start_redis_server):
            with self.start(start).client() as c:
                c.pipeline([("SET", "k%d" % i, "x", "EX", 1000) for i in range(1000)] + [("SELECT", 3), ("SET", "a", "b")])
                stats = c.call("MEMORY", "STATS")
                stats = dict(zip(stats[::2], stats[1::2]))
                names.append(set(stats) | {(n, sub) for n in stats if n.startswith(b"db.") for sub in stats[n][::2]})
                self.assertTrue(all(x > 1000 for x in stats[b"db.0"][1:4:2]))
                if start is resp.start_stillframe:
                    self.assertLessEqual(float(stats[b"peak.percentage"]), 100)
        self.assertEqual(names[1] - names[0], set())

    def test_every_parameter_of_redis_is_known_with_its_default(self):
        values = []
        for start in (resp.start_stillframe, resp.start_redis_server):
            with self.start(start).client() as c:
                flat = [w.decode() for w in c.call("CONFIG", "GET", "*")]
                values.append(dict(zip(flat[::2], flat[1::2])))
        ours, theirs = values
        self.assertEqual(set(theirs) - set(ours), {"aof-disable-auto-gc"})  # hidden in 7.2
        theirs.pop("aof-disable-auto-gc")
        different = {n: (ours[n], theirs[n]) for n in theirs if ours[n] != theirs[n] and n not in OWN}
        self.assertEqual(different, {})

    RENAMED = """rename-command get lies
rename-command flushall ""
rename-command config b840fc02d524045429941cc15f59e41cb7be6c52
rename-command set ping2
rename-command ping set
rename-command lies Truth
rename-command hset hset
rename-command del "a b\\x00"
"""

    def test_commands_may_be_renamed_and_taken_away(self):
        """As redis-server does: another name to call it by, the old one in all replies."""
        path = os.path.join(self.dir, "renamed.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(self.RENAMED)
        clients = []
        for program in (resp.STILLFRAME_SERVER, resp.redis_server()):
            server = resp.start(program, tempfile.mkdtemp(dir=self.dir), [path])
            self.addCleanup(server.kill)
            clients.append(server.client())
        config = "b840fc02d524045429941cc15f59e41cb7be6c52"
        for words in ("truth", "truth a", "TRUTH a", "get a", "lies a", "flushall", "flushall x y", "ping2 k v", "truth k", "set", "hset h f v",
                      "command info truth get lies set flushall hset", "command getkeys truth x", "command getkeys get x", config,
                      config + " nosuch", config + " get port2", config.upper() + " set nosuch 1", "config get port",
                      "command list filterby pattern g?t", "command list filterby pattern flushall", "command docs lies flushall",
                      "multi", "get a", "exec", "multi", "truth k", "set", "exec"):
            replies = []
            for c in clients:
                try:
                    replies.append(c.call(*words.split()))
                except resp.RespError as e:
                    replies.append(str(e))
            self.assertEqual(replies[0], replies[1], words)
        self.assertEqual([c.call(b"A b\0", "k", "nosuch") for c in clients], [1, 1])
        ours = clients[0]
        self.assertEqual(ours.call("COMMAND", "COUNT"), len(ours.call("COMMAND")))
        names = ours.call("COMMAND", "LIST")
        self.assertTrue(b"get" in names and b"flushall" not in names and b"truth" not in names)
        self.assertIn(b"cmdstat_get:calls=", ours.call("INFO", "commandstats"))
        self.assertEqual(ours.call(config, "REWRITE"), b"OK")
        with open(path, encoding="utf-8") as f:
            self.assertTrue(f.read().startswith(self.RENAMED))

    def test_no_module_is_loaded_whoever_may_try(self):
        c = self.start(resp.start_stillframe, "--enable-module-command", "local").client()
        with self.assertRaisesRegex(resp.RespError, "ERR Error loading the extension. Please check the server logs."):
            c.call("MODULE", "LOAD", "/x.so")
        with self.assertRaisesRegex(resp.RespError, "ERR Error unloading module: no such module with that name"):
            c.call("MODULE", "UNLOAD", "x")
        self.assertEqual(c.call("MODULE", "LIST"), [])

    def test_every_parameter_is_documented(self):
        with open(os.path.join(resp.ROOT, "docs", "configuration.md"), encoding="utf-8") as f:
            page = f.read()
        with self.start().client() as c:
            names = [w.decode() for w in c.call("CONFIG", "GET", "*")[::2]]
        self.assertGreater(len(names), 180)
        self.assertEqual([n for n in names if "`%s`" % n not in page], [])

    def test_every_command_is_documented(self):
        with open(command_docs.PATH, encoding="utf-8") as f:
            page = f.read()
        with self.start().client() as c:
            text = command_docs.render(c)
        self.assertGreater(text.count("\n| `"), 150)
        self.assertEqual(page, text, "docs/commands.md is not current: make docs-commands")

    def test_docs_advise_against_what_redis_advises_against(self):
        def advice(server):
            with server.client() as c:
                docs = {name: command_docs.pairs(doc) for name, doc in command_docs.pairs(c.call("COMMAND", "DOCS")).items()}
            return {name: (doc.get(b"doc_flags"), doc.get(b"deprecated_since"), b"replaced_by" in doc) for name, doc in docs.items()}
        ours = advice(self.start())
        redis = resp.start_redis_server(tempfile.mkdtemp(dir=self.dir))
        self.addCleanup(redis.kill)
        theirs = advice(redis)
        differ = {name: (a, theirs[name]) for name, a in ours.items() if name in theirs and a != theirs[name]}
        self.assertEqual(set(differ), {b"quit"})  # 7.2 does
        self.assertGreater(sum(a[1] is not None for a in ours.values()), 12)

    def test_the_example_configuration_says_the_defaults(self):
        with open(os.path.join(resp.ROOT, "server", "dist", "stillframe.conf"), encoding="utf-8") as f:
            lines = [line[2:].strip() for line in f if re.match(r"# [a-z-]+ (?!.*[.:]$)\S", line)]
        with self.start().client() as c:
            flat = [w.decode() for w in c.call("CONFIG", "GET", "*")]
            names = set(flat[::2])
        lines = [line for line in lines if line.split()[0] in names]
        self.assertGreater(len(lines), 45)
        path = os.path.join(self.dir, "all.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(line for line in lines if line.split()[0] not in ("port", "dir")) + "\n")
        directory = tempfile.mkdtemp(dir=self.dir)
        server = resp.start(resp.STILLFRAME_SERVER, directory, [path])
        self.addCleanup(server.kill)
        plain = resp.start(resp.STILLFRAME_SERVER, tempfile.mkdtemp(dir=self.dir), [])
        self.addCleanup(plain.kill)
        values = []
        for each in (server, plain):
            with each.client() as c:
                flat = [w.decode() for w in c.call("CONFIG", "GET", "*")]
                values.append({n: v for n, v in zip(flat[::2], flat[1::2]) if n not in OWN})
        self.assertEqual(*values)

    def test_the_slow_log_keeps_what_was_slow_and_no_secrets(self):
        with self.start().client() as c:
            c.call("CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "6")
            c.call("SLOWLOG", "RESET")
            c.call("CLIENT", "SETNAME", "me")
            c.call("SET", "a", "b" * 200)
            c.call("DEL", *["k%d" % i for i in range(40)])
            c.call("CONFIG", "SET", "requirepass", "hidden")
            with self.assertRaises(resp.RespError):
                c.call("AUTH", "wrong")
            entries = c.call("SLOWLOG", "GET", "-1")
            self.assertEqual(c.call("SLOWLOG", "LEN"), 6)
            by_name = {e[3][0]: e for e in entries}
            self.assertEqual(by_name[b"SET"][3], [b"SET", b"a", b"b" * 128 + b"... (72 more bytes)"])
            self.assertEqual(len(by_name[b"DEL"][3]), 32)
            self.assertEqual(by_name[b"DEL"][3][-1], b"... (10 more arguments)")
            self.assertEqual(by_name[b"AUTH"][3], [b"AUTH", b"(redacted)"])
            self.assertEqual(by_name[b"CONFIG"][3], [b"CONFIG", b"SET", b"requirepass", b"(redacted)"])
            self.assertEqual(by_name[b"SET"][5], b"me")
            self.assertTrue(by_name[b"SET"][4].startswith(b"127.0.0.1:"))
            ids = [e[0] for e in entries]
            self.assertEqual(ids, sorted(ids, reverse=True))

    def test_latency_is_monitored_and_counted(self):
        with self.start().client() as c:
            c.call("DEBUG", "SLEEP", "0.01")
            self.assertEqual(c.call("LATENCY", "LATEST"), [])
            c.call("CONFIG", "SET", "latency-monitor-threshold", "5")
            c.call("DEBUG", "SLEEP", "0.02")
            latest = c.call("LATENCY", "LATEST")
            self.assertEqual([row[0] for row in latest], [b"command"])
            self.assertGreaterEqual(latest[0][2], 20)
            self.assertEqual(c.call("LATENCY", "HISTORY", "command"), [latest[0][1:3]])
            self.assertIn(b"command - high", c.call("LATENCY", "GRAPH", "command"))
            self.assertIn(b"Slow commands", c.call("LATENCY", "DOCTOR"))
            self.assertEqual(c.call("LATENCY", "RESET"), 1)
            for _ in range(100):
                c.call("SET", "a", "b")
            name, row = c.call("LATENCY", "HISTOGRAM", "set")
            self.assertEqual((name, row[:3]), (b"set", [b"calls", 100, b"histogram_usec"]))
            self.assertEqual(row[3][-1], 100)
            self.assertEqual(row[3][1::2], sorted(row[3][1::2]))
            info = c.call("INFO", "latencystats").decode()
            found = re.search(r"latency_percentiles_usec_debug:p50=([\d.]+),p99=([\d.]+),p99.9=([\d.]+)\r\n", info)
            self.assertGreater(float(found[3]), 19000)
            self.assertLess(float(found[3]), 60000)
            c.call("CONFIG", "RESETSTAT")
            self.assertEqual(c.call("LATENCY", "HISTOGRAM", "set"), [])

    def test_figures_begin_anew(self):
        """CONFIG RESETSTAT; and what is freed in slices is counted: keys of a flush, values of more
        than 64 elements."""
        with self.start().client() as c:
            def figures(*names):
                info = dict(line.split(":", 1) for line in c.call("INFO").decode().split("\r\n") if ":" in line)
                return [int(info[name]) for name in names]

            c.pipeline([("SET", "k:%d" % i, "v") for i in range(1000)])
            c.call("FLUSHDB", "ASYNC")
            resp.wait_until(lambda: figures("lazyfreed_objects", "lazyfree_pending_objects") == [1000, 0])
            for elements, freed in ((64, 1000), (65, 1001)):
                c.call("SADD", "s", *["m:%d" % i for i in range(elements)], "y" * 70)
                c.call("SPOP", "s")
                c.call("UNLINK", "s")
                resp.wait_until(lambda: figures("lazyfree_pending_objects") == [0])
                self.assertEqual(figures("lazyfreed_objects"), [freed])
            c.call("BGSAVE")
            resp.wait_until(lambda: figures("rdb_bgsave_in_progress") == [0])
            resp.wait_until(lambda: c.pipeline([("PING",)] * 5000) and figures("instantaneous_ops_per_sec")[0] > 1000)
            busy = ("latest_fork_usec", "lazyfreed_objects", "instantaneous_ops_per_sec")
            self.assertTrue(all(figures(*busy)))
            c.call("MULTI")
            c.call("CONFIG", "RESETSTAT")
            c.call("INFO")
            text = c.call("EXEC")[1].decode()
            for name in busy + ("total_error_replies", "expired_keys"):
                self.assertIn("\r\n%s:0\r\n" % name, text)
            self.assertIn("\r\ninstantaneous_input_kbps:0.00\r\n", text)

    def test_memory_of_a_key_is_known(self):
        with self.start().client() as c:
            c.call("MSET", "small", "x", "large", "y" * 100000, "huge", "z" * 3000000)
            c.call("HSET", "hash", *[w for i in range(2000) for w in ("field:%d" % i, "v" * 50)])
            self.assertLess(c.call("MEMORY", "USAGE", "small"), 120)
            self.assertTrue(100000 <= c.call("MEMORY", "USAGE", "large") < 135000)
            self.assertTrue(3000000 <= c.call("MEMORY", "USAGE", "huge") < 3100000)
            some, every = c.call("MEMORY", "USAGE", "hash"), c.call("MEMORY", "USAGE", "hash", "SAMPLES", "0")
            self.assertTrue(2000 * 60 < every < 2000 * 150, every)
            self.assertLess(abs(some - every), every // 5)
            stats = c.call("MEMORY", "STATS")
            stats = dict(zip(stats[::2], stats[1::2]))
            self.assertEqual(stats[b"keys.count"], 4)
            self.assertGreater(stats[b"dataset.bytes"], 3000000)
            for word in ("DOCTOR", "MALLOC-STATS"):
                self.assertGreater(len(c.call("MEMORY", word)), 20)
            c.call("DEBUG", "POPULATE", 200000, "key", 100)
            self.assertNotIn(b"The arena holds", c.call("MEMORY", "DOCTOR"))
            for first in range(0, 200000, 1000):
                c.call("DEL", *("key:%d" % i for i in range(first, first + 1000) if i % 10))
            self.assertRegex(c.call("MEMORY", "DOCTOR"), rb"The arena holds \d\d\.\d\dM for \d\.\d\dM of data: much was deleted")

    def test_lolwut_draws(self):
        with self.start().client() as c:
            self.assertIn(b"\nStillframe ", c.call("LOLWUT"))

    def test_debug_answers_as_redis_does(self):
        clients = [self.start(start).client() for start in (resp.start_stillframe, resp.start_redis_server)]
        for c in clients:
            c.call("RPUSH", "l", *range(5000))
            c.call("RPUSH", "one", "x" * 10000)  # a node of its own, and no other
            c.call("SET", "s", "x")
            c.call("ZADD", "z", 1, "a")
        for words in ("quicklist l", "quicklist l 1", "quicklist one", "quicklist s", "quicklist none", "quicklist", "listpack z", "listpack s",
                      "listpack l", "stringmatch-test", "stringmatch-test x", "replicate", "replicate all set x y", "pause-cron", "pause-cron 1",
                      "pause-cron 0", "replybuffer", "replybuffer foo", "replybuffer foo 1", "replybuffer peak-reset-time never",
                      "replybuffer peak-reset-time reset", "replybuffer peak-reset-time 100", "replybuffer peak-reset-time x",
                      "replybuffer resizing 1", "set-skip-checksum-validation", "set-skip-checksum-validation 0", "restart x",
                      "crash-and-recover x", "client-eviction", "nosuch", "leak"):
            replies = []
            for c in clients:
                try:
                    replies.append(c.call("DEBUG", *words.split()))
                except resp.RespError as e:
                    replies.append(str(e))
            self.assertEqual(replies[0], replies[1], words)
        for word in ("restart", "crash-and-recover"):
            with self.assertRaisesRegex(resp.RespError, "ERR failed to restart the server"):
                clients[0].call("DEBUG", word)

    def test_debug_can_skip_checksums_and_nothing_else(self):
        c = self.start().client()
        c.call("SET", "a", "value")
        payload = c.call("DUMP", "a")
        wrong = payload[:-1] + bytes([payload[-1] ^ 1])
        with self.assertRaisesRegex(resp.RespError, "DUMP payload version or checksum are wrong"):
            c.call("RESTORE", "b", 0, wrong)
        c.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1)
        self.assertEqual(c.call("RESTORE", "b", 0, wrong), b"OK")
        self.assertEqual(c.call("GET", "b"), b"value")
        with self.assertRaisesRegex(resp.RespError, "Bad data format"):
            c.call("RESTORE", "c", 0, payload[:1] + b"\x7f" + wrong[2:])
        c.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 0)
        with self.assertRaisesRegex(resp.RespError, "DUMP payload version or checksum are wrong"):
            c.call("RESTORE", "c", 0, wrong)

    def test_debug_pauses_timers(self):
        c = self.start().client()
        c.call("DEBUG", "PAUSE-CRON", 1)
        c.pipeline([("SET", "k%d" % i, "x", "PX", 1) for i in range(100)])
        cron = self.figures(c, "debug")["eventloop_duration_cron_sum"]
        time.sleep(0.5)
        self.assertEqual(c.call("DBSIZE"), 100)
        self.assertEqual(self.figures(c, "debug")["eventloop_duration_cron_sum"], cron)
        c.call("DEBUG", "PAUSE-CRON", 0)
        resp.wait_until(lambda: c.call("DBSIZE") == 0)

    def test_debug_rewrites_all_parameters(self):
        path = os.path.join(self.dir, "all.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write("enable-debug-command yes\n# mine\n")
        server = resp.start(resp.STILLFRAME_SERVER, tempfile.mkdtemp(dir=self.dir), [path])
        self.addCleanup(server.kill)
        with server.client() as c:
            self.assertEqual(c.call("DEBUG", "CONFIG-REWRITE-FORCE-ALL"), b"OK")
            flat = [w.decode() for w in c.call("CONFIG", "GET", "*")]
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")
        self.assertEqual(lines[:2], ["enable-debug-command yes", "# mine"])
        written = {line.split(" ")[0] for line in lines}
        self.assertEqual({n for n in flat[::2] if n not in written and not n.startswith(("slave", "repl-ping-slave")) and "slave" not in n} - FIXED,
                         set())
        server.stop()
        again = resp.start(resp.STILLFRAME_SERVER, self.dir, [path, "--port", str(resp.free_port())])
        self.addCleanup(again.kill)
        with again.client() as c:
            self.assertEqual({n: v for n, v in zip(flat[::2], flat[1::2]) if n != "port"},
                             {n.decode(): v.decode() for n, v in pairs_of(c.call("CONFIG", "GET", "*")) if n != b"port"})

    @unittest.skipIf(os.environ.get("STILLFRAME_FLAVOUR") in ("asan", "tsan"), "a leak is reported")
    def test_debug_leaks(self):
        c = self.start().client()
        before = int(self.figures(c)["used_memory"])
        self.assertEqual(c.call("DEBUG", "LEAK", "x" * 1000000), b"OK")
        self.assertGreaterEqual(int(self.figures(c)["used_memory"]), before + 1000000)

    def crash(self, server, how):
        with server.client() as c:
            try:
                how(c)
            except (EOFError, ConnectionError):
                pass
        return server.wait(), server.log()

    @unittest.skipIf(os.environ.get("STILLFRAME_FLAVOUR") in ("asan", "tsan"), "the sanitizer reports crashes itself")
    def test_a_crash_leaves_a_report_and_the_signals_status(self):
        for how, number in (("SEGFAULT", signal.SIGSEGV), ("PANIC", signal.SIGABRT), ("ASSERT", signal.SIGABRT), ("OOM", signal.SIGABRT)):
            with self.subTest(how=how):
                status, log = self.crash(self.start(), lambda c, h=how: c.call("DEBUG", h))
                self.assertEqual(status, -number)
                for part in ("=== STILLFRAME BUG REPORT START", "crashed by signal: %d" % number, "STACK TRACE", "REGISTERS",
                             "cmd=debug argc=2", "=== STILLFRAME BUG REPORT END ==="):
                    self.assertIn(part, log)
        server = self.start(resp.start_stillframe, "--crash-log-enabled", "no")
        status, log = self.crash(server, lambda c: c.call("DEBUG", "SEGFAULT"))
        self.assertEqual(status, -signal.SIGSEGV)
        self.assertNotIn("BUG REPORT", log)


if __name__ == "__main__":
    unittest.main()
