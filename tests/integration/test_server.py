#!/usr/bin/env python3
"""The server as its operator sees it: start, configuration, log, INFO, signals, the end."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp

QUICK = bool(os.environ.get("QUICK"))
LOG_LINE = re.compile(r"^\d+:[MC] \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} [.\-*#] .+$")
SIGNAL_LINE = re.compile(r"^\d+:signal-handler \(\d+\) .+$")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def info(client, *sections):
    fields = {}
    for line in client.call("INFO", *sections).decode().split("\r\n"):
        if ":" in line and not line.startswith("#"):
            name, value = line.split(":", 1)
            fields[name] = value
    return fields


class ServerCase(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="stillframe-server-")
        self.servers = []

    def tearDown(self):
        for s in self.servers:
            if s.is_running():
                s.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self, *args, **options):
        server = resp.start_stillframe(self.dir, *args, **options)
        self.servers.append(server)
        return server

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def refused(self, *args, stdin=b""):
        """Run a start that must fail; returns what it said."""
        done = subprocess.run([resp.STILLFRAME_SERVER, *args], cwd=self.dir, input=stdin, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        return done.stdout.decode()


class Start(ServerCase):
    def test_version_and_help_need_no_server(self):
        for flag in ("-v", "--version", "-h", "--help"):
            done = subprocess.run([resp.STILLFRAME_SERVER, flag], stdout=subprocess.PIPE, timeout=10, check=False)
            self.assertEqual(done.returncode, 0)
            self.assertIn(b"v=" if "v" in flag else b"Usage: stillframe-server", done.stdout)

    def test_a_file_and_options_configure_it(self):
        self.write("more.conf", "timeout 77\n")
        conf = self.write("server.conf", "# test\ninclude more.conf\nhz 33\nsave \"\"\nloglevel \"verbose\"\n")
        server = self.start(conf, "--hz", "44", "--logfile", "server.log", "--pidfile", "server.pid", "--bind",
                            "127.0.0.1")
        with server.client() as c:
            values = c.call("CONFIG", "GET", "timeout", "hz", "save", "loglevel", "bind", "dir")
            values = dict(zip(values[::2], values[1::2]))
            self.assertEqual(values[b"timeout"], b"77")
            self.assertEqual(values[b"hz"], b"44")
            self.assertEqual(values[b"save"], b"")
            self.assertEqual(values[b"loglevel"], b"verbose")
            self.assertEqual(values[b"bind"], b"127.0.0.1")
            self.assertEqual(values[b"dir"], os.path.realpath(self.dir).encode())
            self.assertEqual(info(c)["config_file"], os.path.realpath(conf))
            with self.assertRaisesRegex(resp.RespError, "CONFIG REWRITE is not supported"):
                c.call("CONFIG", "REWRITE")
        with open(self.path("server.pid")) as f:
            self.assertEqual(int(f.read()), server.pid)
        self.assertEqual(server.stop(), 0)
        self.assertFalse(os.path.exists(self.path("server.pid")))
        with open(self.path("server.log")) as f:
            log = f.read()
        self.assertEqual(server.log(), "")
        for line in log.splitlines():
            self.assertTrue(LOG_LINE.match(line) or SIGNAL_LINE.match(line), line)
        for part in ("version=", "pid=%d" % server.pid, "port %d" % server.port, "Ready to accept connections",
                     "Received SIGTERM scheduling shutdown...", "User requested shutdown...", "bye bye"):
            self.assertIn(part, log)

    def test_configuration_may_come_from_standard_input(self):
        self.assertIn("Reading the configuration file -, at line 2", self.refused("-", stdin=b"port 0\nfoo bar\n"))

    def test_a_bad_configuration_stops_the_start(self):
        conf = self.write("bad.conf", "port 7000\nport abc\n")
        said = self.refused(conf)
        self.assertIn("*** FATAL CONFIG FILE ERROR (Stillframe ", said)
        self.assertIn("Reading the configuration file %s, at line 2\n>>> 'port abc'\n"
                      "argument couldn't be parsed into an integer" % conf, said)
        self.assertIn(">>> 'port \"x\"'\nargument couldn't be parsed", self.refused("--port", "x"))
        self.assertIn("No such file or directory", self.refused(self.path("none.conf")))
        self.assertIn("No such file or directory", self.refused("--dir", self.path("none")))
        self.assertIn("Can't open the log file", self.refused("--logfile", self.path("none/log")))

    def test_what_is_not_there_is_not_promised(self):
        for option, value, word in (("appendonly", "yes", "append-only"), ("replicaof", "127.0.0.1 1", "Replication"),
                                    ("slaveof", "127.0.0.1 1", "Replication"), ("cluster-enabled", "yes", "Cluster"),
                                    ("daemonize", "yes", "fork"), ("rdbcompression", "lz4", "LZ4"),
                                    ("supervised", "systemd", "service manager"),
                                    ("maxmemory", "1gb", "Bad directive"), ("requirepass", "x", "Bad directive")):
            with self.subTest(option=option):
                self.assertIn(word, self.refused("--port", "0", "--" + option, *value.split()))
        server = self.start("--appendonly", "no", "--daemonize", "no", "--cluster-enabled", "no", "--replicaof", "no",
                            "one", "--supervised", "no")
        with server.client() as c:
            with self.assertRaisesRegex(resp.RespError, "append-only"):
                c.call("CONFIG", "SET", "appendonly", "yes")

    def test_a_port_in_use_stops_the_start(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            said = self.refused("--port", str(s.getsockname()[1]), "--bind", "127.0.0.1")
        self.assertIn("Could not create server TCP listening socket 127.0.0.1:", said)
        self.assertIn("Address already in use", said)

    def test_an_optional_address_that_is_missing_is_a_log_line(self):
        server = self.start("--bind", "127.0.0.1", "-192.0.2.1", "-2001:db8::1")
        self.assertIn("Not listening on 192.0.2.1:", server.log())
        self.assertIn("Not listening on 2001:db8::1:", server.log())
        self.assertIn("Could not create", self.refused("--bind", "127.0.0.1", "192.0.2.1", "--port", "28999"))
        self.assertIn("not a numeric address", self.refused("--bind", "localhost"))

    @unittest.skipUnless(has_ipv6(), "no IPv6 here")
    def test_ipv6_is_listened_on_by_default(self):
        server = self.start()
        with server.client(host="::1") as c:
            self.assertEqual(c.call("PING"), b"PONG")
            self.assertIn(b" addr=[::1]:", c.call("CLIENT", "INFO"))


class Loading(ServerCase):
    KEYS = 300000 if QUICK else 1500000

    def setUp(self):
        super().setUp()
        server = self.start("--save", "", "--enable-debug-command", "yes")
        with server.client() as c:
            c.call("DEBUG", "POPULATE", self.KEYS, "k", 50)
            c.call("SAVE")
        server.kill()

    def connect(self, server):
        def try_once():
            try:
                return server.client()
            except OSError:
                return None
        return resp.wait_until(try_once, what="a connection while loading")

    def test_clients_are_told_while_it_loads(self):
        server = self.start("--save", "", ready=False)
        with self.connect(server) as c:
            replies = c.pipeline([("PING",), ("GET", "k:1"), ("SET", "a", "b"), ("ECHO", "x"), ("INFO", "persistence"),
                                  ("SHUTDOWN", "FOO"), ("MULTI",), ("GET", "k:1"), ("EXEC",)])
            loading = resp.RespError("LOADING Redis is loading the dataset in memory")
            self.assertEqual(replies[:4], [loading, loading, loading, b"x"])
            self.assertIn(b"loading:1\r\n", replies[4])
            self.assertEqual(str(replies[5]), "ERR syntax error")
            self.assertEqual(str(replies[8]), "EXECABORT Transaction discarded because of previous errors.")
            resp.wait_until(lambda: c.pipeline([("PING",)]) == [b"PONG"], 60, what="the end of loading")
            self.assertEqual(c.call("DBSIZE"), self.KEYS)
            self.assertIn(b"loading:0\r\n", c.call("INFO", "persistence"))

    def test_sigterm_and_shutdown_end_it_while_it_loads_and_leave_the_dump(self):
        for by_signal in (True, False):
            size = os.path.getsize(self.path("dump.rdb"))
            server = self.start("--save", "900 1", ready=False)
            with self.connect(server) as c:
                self.assertIn(b"loading:1\r\n", c.call("INFO", "persistence"))
                if by_signal:
                    os.kill(server.pid, signal.SIGTERM)
                else:
                    c.send("SHUTDOWN")
                self.assertEqual(server.wait(), 0)
            self.assertNotIn("Ready to accept connections", server.log())
            self.assertEqual(os.path.getsize(self.path("dump.rdb")), size)


class FailedSave(ServerCase):
    def test_writes_are_refused_as_redis_refuses_them(self):
        answers = []
        for name, start in (("ours", resp.start_stillframe), ("theirs", resp.start_redis_server)):
            directory = self.path(name)
            os.mkdir(directory)
            server = start(self.dir, "--save", "900 1", "--dir", directory)
            self.servers.append(server)
            with server.client() as c:
                c.call("SET", "k", "v")
                os.rmdir(directory)
                c.call("BGSAVE")
                resp.wait_until(lambda: b"rdb_last_bgsave_status:err" in c.call("INFO", "persistence"))
                answers.append(c.pipeline([
                    ("SET", "k", "w"), ("GET", "k"), ("PING",), ("ECHO", "x"), ("MULTI",), ("SET", "k", "w"), ("EXEC",),
                    ("MULTI",), ("GET", "k"), ("EXEC",), ("CONFIG", "SET", "stop-writes-on-bgsave-error", "no"),
                    ("SET", "k", "w"), ("PING",)]))
        self.assertEqual(answers[0], answers[1])
        self.assertIn("MISCONF", str(answers[0][0]))


class End(ServerCase):
    def test_sigterm_saves_where_save_points_are_set(self):
        for args, saved in ((("--save", "900 1"), True), (("--save", ""), False)):
            server = self.start(*args)
            with server.client() as c:
                c.call("SET", "k", "v")
                os.kill(server.pid, signal.SIGTERM)
                self.assertEqual(server.wait(), 0)
                self.assertRaises((EOFError, ConnectionError), c.call, "PING")
            self.assertEqual(os.path.exists(self.path("dump.rdb")), saved)
            if saved:
                os.unlink(self.path("dump.rdb"))

    def test_a_second_sigint_ends_at_once(self):
        server = self.start("--save", "", "--enable-debug-command", "yes")
        with server.client() as c:
            c.send("DEBUG", "SLEEP", 30)
            time.sleep(0.3)
            started = time.monotonic()
            os.kill(server.pid, signal.SIGINT)
            time.sleep(0.3)
            self.assertTrue(server.is_running())
            os.kill(server.pid, signal.SIGINT)
            self.assertEqual(server.wait(), 1)
            self.assertLess(time.monotonic() - started, 10)
        self.assertIn("Received SIGINT scheduling shutdown...", server.log())
        self.assertIn("You insist... exiting now.", server.log())

    def test_one_sigint_is_a_shutdown(self):
        server = self.start("--save", "")
        os.kill(server.pid, signal.SIGINT)
        self.assertEqual(server.wait(), 0)

    def test_shutdown_commands(self):
        for args, words, saved in ((("--save", ""), (), False), (("--save", ""), ("SAVE",), True),
                                   (("--save", "900 1"), ("NOSAVE",), False), (("--save", "900 1"), ("NOW",), True),
                                   (("--save", "900 1"), ("nosave", "force"), False)):
            with self.subTest(args=args, words=words):
                server = self.start(*args)
                with server.client() as c:
                    c.call("SET", "k", "v")
                    c.sock.sendall(resp.pack("SHUTDOWN", *words) + resp.pack("SET", "after", "x"))
                    self.assertRaises((EOFError, ConnectionError), c.read)
                self.assertEqual(server.wait(), 0)
                self.assertEqual(os.path.exists(self.path("dump.rdb")), saved)
                if saved:
                    os.unlink(self.path("dump.rdb"))

    def test_a_shutdown_that_cannot_save_is_refused(self):
        directory = self.path("gone")
        os.mkdir(directory)
        server = self.start("--save", "900 1", "--dir", directory)
        with server.client() as c:
            c.call("SET", "k", "v")
            os.rmdir(directory)
            with self.assertRaisesRegex(resp.RespError, "^ERR Errors trying to SHUTDOWN. Check logs.$"):
                c.call("SHUTDOWN")
            self.assertEqual(c.call("GET", "k"), b"v")
            os.kill(server.pid, signal.SIGTERM)
            resp.wait_until(lambda: "SIGTERM received but errors trying to shut down" in server.log())
            self.assertEqual(c.call("GET", "k"), b"v")
            c.send("SHUTDOWN", "FORCE")
            self.assertEqual(server.wait(), 0)

    def test_a_client_that_leaves_before_its_reply_does_no_harm(self):
        server = self.start("--save", "", "--enable-debug-command", "yes")
        with server.client() as c:
            c.call("SET", "big", b"x" * (4 << 20))
            for _ in range(20):
                s = socket.create_connection(("127.0.0.1", server.port))
                s.sendall(resp.pack("DEBUG", "SLEEP", "0.01") + resp.pack("GET", "big") * 5)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                s.close()
            self.assertEqual(c.call("PING"), b"PONG")
            resp.wait_until(lambda: info(c)["connected_clients"] == "1", what="the others to be gone")


class Configuration(ServerCase):
    def test_another_port_and_address_while_running(self):
        server = self.start("--save", "", "--bind", "127.0.0.1")
        other = resp.free_port()
        with server.client() as c:
            self.assertEqual(c.call("CONFIG", "SET", "port", other), b"OK")
            with resp.Client(port=other) as second:
                self.assertEqual(second.call("PING"), b"PONG")
                self.assertEqual(info(second)["tcp_port"], str(other))
            self.assertRaises(ConnectionRefusedError, resp.Client, port=server.port)
            self.assertEqual(c.call("PING"), b"PONG")
            with self.assertRaisesRegex(resp.RespError, r"argument 'bind'\) - Failed to bind"):
                c.call("CONFIG", "SET", "bind", "127.0.0.1 192.0.2.1")
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                s.listen()
                with self.assertRaisesRegex(resp.RespError, r"argument 'port'\) - Unable to listen on this port"):
                    c.call("CONFIG", "SET", "timeout", "5", "port", s.getsockname()[1])
            self.assertEqual(c.call("CONFIG", "GET", "timeout"), [b"timeout", b"0"])
            with resp.Client(port=other) as second:
                self.assertEqual(second.call("CONFIG", "GET", "port"), [b"port", str(other).encode()])
            self.assertEqual(c.call("CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2"), b"OK")
            with resp.Client(port=other, host="127.0.0.2") as second:
                self.assertEqual(second.call("PING"), b"PONG")

    def test_protected_parameters_and_debug_need_permission(self):
        server = self.start("--save", "")
        with server.client() as c:
            with self.assertRaisesRegex(resp.RespError, r"argument 'dir'\) - can't set protected config"):
                c.call("CONFIG", "SET", "dir", "/")
            with self.assertRaisesRegex(resp.RespError, "^ERR DEBUG command not allowed"):
                c.call("DEBUG", "SLEEP", 0)
        server = self.start("--save", "", "--enable-protected-configs", "local", "--enable-debug-command", "local")
        with server.client() as c:
            os.mkdir(self.path("sub"))
            self.assertEqual(c.call("CONFIG", "SET", "dir", "sub"), b"OK")
            self.assertEqual(c.call("CONFIG", "GET", "dir")[1], os.path.realpath(self.path("sub")).encode())
            self.assertEqual(os.readlink("/proc/%d/cwd" % server.pid), os.path.realpath(self.path("sub")))
            self.assertEqual(c.call("DEBUG", "SLEEP", 0), b"OK")

    def test_idle_clients_are_closed_after_the_timeout(self):
        server = self.start("--save", "", "--timeout", "1")
        with server.client() as idle, server.client() as busy:
            idle.call("PING")
            started = time.monotonic()
            while busy.call("CLIENT", "LIST").count(b"\n") > 1:
                self.assertLess(time.monotonic() - started, 10)
                time.sleep(0.05)
            self.assertGreater(time.monotonic() - started, 0.8)
            self.assertRaises((EOFError, ConnectionError), idle.call, "PING")

    def test_more_clients_than_allowed_are_refused(self):
        server = self.start("--save", "", "--maxclients", "3")
        clients = [server.client() for _ in range(3)]
        for c in clients:
            self.assertEqual(c.call("PING"), b"PONG")
        with server.client() as c:
            self.assertEqual(str(c.read()), "ERR max number of clients reached")
        self.assertEqual(info(clients[0])["rejected_connections"], "1")
        self.assertEqual(clients[0].call("CONFIG", "SET", "maxclients", 5), b"OK")
        with server.client() as c:
            self.assertEqual(c.call("PING"), b"PONG")
        for c in clients:
            c.close()

    def test_running_out_of_descriptors_is_survived(self):
        command = ["sh", "-c", 'ulimit -n 60; exec "$0" "$@"', resp.STILLFRAME_SERVER, "--save", "", "--port"]
        port = resp.free_port()
        server = resp.Server(command + [str(port)], self.dir, port)
        self.servers.append(server)
        server.wait_ready()
        self.assertIn("The limit of open files leaves room for 28 clients", server.log())
        clients = [server.client() for _ in range(28)]
        for c in clients:
            self.assertEqual(c.call("PING"), b"PONG")
        with server.client() as c:
            self.assertEqual(str(c.read()), "ERR max number of clients reached")
        with self.assertRaisesRegex(resp.RespError, "not able to handle the specified number of clients"):
            clients[0].call("CONFIG", "SET", "maxclients", 100000)
        for c in clients:
            c.close()

    def test_the_log_level_can_be_changed(self):
        server = self.start("--save", "")
        with server.client() as c:
            c.call("CONFIG", "SET", "loglevel", "warning")
            c.send_raw(b"*x\r\n")
            resp.wait_until(lambda: info(server.client())["connected_clients"], what="an answer")
        with server.client() as c:
            self.assertNotIn("Protocol error", server.log())
            c.call("CONFIG", "SET", "loglevel", "debug")
        with server.client() as c:
            c.send_raw(b"*x\r\n")
            c.read()
        resp.wait_until(lambda: "Protocol error (Protocol error: invalid multibulk length) from client" in server.log())


class Figures(ServerCase):
    def test_sections_of_info(self):
        server = self.start("--save", "")
        with server.client() as c:
            for section in ("server", "clients", "memory", "persistence", "stats", "replication", "cpu",
                            "commandstats", "errorstats", "cluster", "keyspace"):
                text = c.call("INFO", section.upper()).decode()
                self.assertTrue(text.startswith("# %s\r\n" % {"cpu": "CPU"}.get(section, section.capitalize())), text)
                self.assertEqual(text.count("# "), 1)
            self.assertEqual(c.call("INFO").count(b"# "), 10)
            self.assertEqual(c.call("INFO", "all").count(b"# "), 11)
            self.assertEqual(c.call("INFO", "everything").count(b"# "), 11)
            self.assertEqual(c.call("INFO", "default", "commandstats").count(b"# "), 11)
            self.assertEqual(c.call("INFO", "clients", "server", "clients").count(b"# "), 2)

    def test_fields_that_tools_read(self):
        server = self.start("--save", "")
        with server.client() as c:
            c.pipeline([("SET", "k%d" % i, "v", "PX", 1000000) for i in range(50)] + [("SET", "other", "v")])
            f = info(c)
            self.assertEqual(f["process_id"], str(server.pid))
            self.assertRegex(f["run_id"], "^[0-9a-f]{40}$")
            self.assertEqual(f["redis_mode"], "standalone")
            self.assertEqual(f["role"], "master")
            self.assertEqual(f["connected_clients"], "1")
            self.assertEqual(f["maxmemory"], "0")
            self.assertEqual(f["loading"], "0")
            self.assertRegex(f["db0"], "^keys=51,expires=50,avg_ttl=[0-9]+")
            self.assertGreater(int(f["used_memory_rss"]), int(f["mm_live_bytes"]))
            self.assertGreaterEqual(int(f["used_memory_peak"]), int(f["used_memory"]))
            self.assertGreater(int(f["total_system_memory"]), 1 << 28)
            self.assertIn("latest_fork_usec", f)
            for name in ("mm_preserved_bytes", "mm_retired_bytes", "mm_newborn_bytes", "mm_arena_bytes"):
                self.assertIn(name, f)
            before = int(f["used_memory"])
            c.call("SET", "big", b"x" * (5 << 20))
            self.assertGreater(int(info(c)["used_memory"]), before + (5 << 20))

    def test_commands_and_errors_are_counted(self):
        server = self.start("--save", "")
        with server.client() as c:
            c.pipeline([("SET", "k", "v")] * 7 + [("GET", "k")] * 3 + [("GET",)] * 2 + [("INCR", "k")] * 4 +
                       [("CONFIG", "GET", "port"), ("NOSUCH",), ("MULTI",), ("GET", "k"), ("EXEC",)])
            f = info(c, "commandstats", "errorstats", "stats")
            self.assertRegex(f["cmdstat_set"], r"^calls=7,usec=\d+,usec_per_call=[\d.]+,rejected_calls=0,failed_calls=0$")
            self.assertRegex(f["cmdstat_get"], r"^calls=4,.*,rejected_calls=2,failed_calls=0$")
            self.assertRegex(f["cmdstat_incr"], r"^calls=4,.*,rejected_calls=0,failed_calls=4$")
            self.assertRegex(f["cmdstat_config|get"], r"^calls=1,")
            self.assertRegex(f["cmdstat_exec"], r"^calls=1,")
            self.assertEqual(f["errorstat_ERR"], "count=7")
            self.assertEqual(f["total_error_replies"], "7")
            self.assertEqual(int(f["keyspace_hits"]), 4)
            self.assertGreaterEqual(int(f["total_commands_processed"]), 18)
            self.assertEqual(c.call("CONFIG", "RESETSTAT"), b"OK")
            f = info(c, "commandstats", "errorstats", "stats")
            self.assertNotIn("cmdstat_set", f)
            self.assertNotIn("errorstat_ERR", f)
            self.assertEqual(f["total_error_replies"], "0")

    def test_the_time_of_a_slow_command_is_its_own(self):
        server = self.start("--save", "", "--enable-debug-command", "yes")
        with server.client() as c:
            c.pipeline([("PING",), ("DEBUG", "SLEEP", "0.2"), ("PING",), ("ECHO", "x")])
            f = info(c, "commandstats")
            usec = {name: int(re.search(r"usec=(\d+)", f["cmdstat_" + name])[1]) for name in ("ping", "debug", "echo")}
            self.assertGreater(usec["debug"], 190000)
            self.assertLess(usec["ping"] + usec["echo"], 100000)

    def test_an_idle_server_sleeps(self):
        server = self.start("--save", "")
        with server.client() as c:
            c.call("SET", "k", "v")
            time.sleep(0.3)
            before = info(c)
            time.sleep(1)
            after = info(c)
            turns = int(after["eventloop_cycles"]) - int(before["eventloop_cycles"])
            self.assertLess(turns, 60)
            self.assertGreater(turns, 5)
            used = sum(float(after[n]) - float(before[n]) for n in ("used_cpu_user", "used_cpu_sys"))
            self.assertLess(used, 0.2)

    def test_client_list_tells_who_is_there(self):
        server = self.start("--save", "")
        with server.client() as a, server.client() as b:
            a.call("CLIENT", "SETNAME", "first")
            a.call("CLIENT", "SETINFO", "LIB-NAME", "lib")
            a.call("CLIENT", "SETINFO", "lib-ver", "1.2")
            b.pipeline([("SELECT", 3), ("MULTI",), ("GET", "x")])
            lines = a.call("CLIENT", "LIST").decode().splitlines()
            self.assertEqual(len(lines), 2)
            fields = [dict(word.split("=", 1) for word in line.split(" ")) for line in lines]
            self.assertEqual((fields[0]["name"], fields[0]["lib-name"], fields[0]["lib-ver"]), ("first", "lib", "1.2"))
            self.assertEqual((fields[1]["db"], fields[1]["multi"], fields[1]["flags"]), ("3", "1", "x"))
            self.assertEqual(fields[1]["cmd"], "get")
            self.assertEqual(fields[0]["addr"].rsplit(":", 1)[1], str(a.sock.getsockname()[1]))
            only = a.call("CLIENT", "LIST", "ID", fields[1]["id"]).decode()
            self.assertEqual(only.count("\n"), 1)
            self.assertIn("id=%s " % fields[1]["id"], only)
            with self.assertRaisesRegex(resp.RespError, "Unrecognized option 'x'"):
                a.call("CLIENT", "SETINFO", "x", "y")


if __name__ == "__main__":
    unittest.main()
