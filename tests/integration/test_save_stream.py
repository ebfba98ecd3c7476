#!/usr/bin/env python3
"""A copy of the data through a connection: redis-cli --rdb and --functions-rdb, readers that are
slow, dead, many or unwanted, and what else is wanted meanwhile.

A reader that does not read holds its copy where it is: the data are larger than what two sockets
and the server's own queue take.
"""
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_server import ServerCase, info as fields_of  # noqa: E402

KEYS, VALUE = 100000, 500  # 50 MB
WISHES = (("REPLCONF", "capa", "eof"), ("REPLCONF", "rdb-only", "1"))


def info(c, name):
    return fields_of(c)[name]


def connect(port, room):
    sock = socket.socket()
    if room is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    sock.settimeout(120)
    sock.connect(("127.0.0.1", port))
    return sock


class Reader:
    """A connection that asks for a copy, and reads it when it is told to."""

    def __init__(self, server, *commands, room=None, wishes=WISHES):
        self.sock = self.connect(server, room)
        self.buf = b""
        for w in wishes:
            self.sock.sendall(resp.pack(*w))
            assert self.line() == b"+OK"
        for command in commands or (("SYNC",),):
            self.sock.sendall(resp.pack(*command))

    def connect(self, server, room):
        return connect(server.port, room)

    def name(self):
        return "%s:%d" % self.sock.getsockname()

    def more(self):
        data = self.sock.recv(1 << 20)
        if not data:
            raise EOFError
        self.buf += data

    def line(self):
        """The next line that is not empty: who waits gets such now and then."""
        while True:
            while b"\n" not in self.buf:
                self.more()
            line, self.buf = self.buf.split(b"\n", 1)
            if line.strip():
                return line.strip()

    def file(self):
        """All of it; the connection ends behind it."""
        head = self.line()
        assert re.fullmatch(rb"\$EOF:[0-9a-f]{40}", head), head
        parts = [self.buf]
        while True:
            data = self.sock.recv(1 << 20)
            if not data:
                break
            parts.append(data)
        data = b"".join(parts)
        assert data.endswith(head[5:]), "it was cut off"
        return data[:-40]

    def is_cut_off(self):
        """It ends without its mark."""
        try:
            self.file()
        except (AssertionError, ConnectionError, EOFError):
            return True
        return False

    def close(self, hard=False):
        if hard:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Talk:
    """What tests of copies do with readers, through whatever connection."""
    READER = Reader

    def reader(self, server, *args, kind=None, **options):
        r = (kind or self.READER)(server, *args, **options)
        self.addCleanup(r.close)
        return r

    def stuck(self, server, c, **options):
        """A reader whose copy has begun, and cannot end before it reads."""
        r = self.reader(server, room=65536, **options)
        resp.wait_until(lambda: info(c, "copy_readers_sending") == "1", 60)
        return r

    def idle(self, c):
        resp.wait_until(lambda: info(c, "rdb_bgsave_in_progress") == "0", 120)


class StreamCase(Talk, ServerCase):
    def begin(self, *args, keys=KEYS):
        server = self.start("--save", "", "--enable-debug-command", "yes", "--rdbcompression", "no",
                            "--repl-diskless-sync-delay", "0", *args)
        c = server.client()
        c.call("DEBUG", "POPULATE", keys, "k", VALUE)
        return server, c

    def load(self, data, *args, start=resp.start_redis_server):
        directory = self.path("load%d" % len(self.servers))
        os.mkdir(directory)
        if data:
            with open(os.path.join(directory, "dump.rdb"), "wb") as f:
                f.write(data)
        server = start(directory, "--save", "", "--enable-debug-command", "yes", *args)
        self.servers.append(server)
        return server

    def digest_of(self, data):
        server = self.load(data)
        with server.client() as c:
            digest = c.call("DEBUG", "DIGEST")
        server.kill()
        return digest

    def cli(self, server, *args):
        return subprocess.run(["redis-cli", "-p", str(server.port), *args], capture_output=True, text=True, timeout=120, check=False)


class Tools(StreamCase):
    def test_redis_cli_gets_its_file_and_nothing_is_on_the_servers_disk(self):
        server, c = self.begin(keys=20000)
        c.pipeline([("HSET", "h", "f", "v"), ("RPUSH", "l", 1, 2), ("SADD", "s", 1), ("SADD", "t", "x"), ("ZADD", "z", 1, "a"),
                    ("XADD", "x", "1-1", "f", "v"), ("SET", "e", 1, "EX", 100000), ("SELECT", 5), ("SET", "other", "db")])
        digest = c.call("DEBUG", "DIGEST")
        out = os.path.join(self.path(".."), os.path.basename(self.dir) + ".rdb")
        self.addCleanup(lambda: os.path.exists(out) and os.unlink(out))
        before = info(c, "rdb_changes_since_last_save"), c.call("LASTSAVE"), info(c, "rdb_saves")
        done = self.cli(server, "--rdb", out)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("Transfer finished with success", done.stdout + done.stderr)
        with open(out, "rb") as f:
            self.assertEqual(self.digest_of(f.read()), digest)
        self.assertEqual([n for n in os.listdir(self.dir) if not n.startswith("load")], [])
        self.idle(c)
        self.assertEqual((info(c, "rdb_changes_since_last_save"), c.call("LASTSAVE"), info(c, "rdb_saves")), before)
        self.assertEqual(info(c, "sync_full"), "1")
        self.assertIn("Copy sent to client", server.log())
        resp.wait_until(lambda: info(c, "connected_clients") == "1")

    LIBRARY = b"#!lua name=mylib\nredis.register_function('f', function(keys, args) return 'x' end)"

    def test_functions_alone_come_at_once_whatever_else_runs(self):
        maker = self.load(b"")
        with maker.client() as m:
            m.call("FUNCTION", "LOAD", self.LIBRARY)
            m.call("SET", "k", "v")
            listed = m.call("FUNCTION", "LIST", "WITHCODE")
            m.call("SAVE")
        with open(os.path.join(maker.dir, "dump.rdb"), "rb") as f:
            dump = f.read()
        maker.kill()
        server = self.load(dump, "--rdbcompression", "no", "--repl-diskless-sync-delay", "0", start=resp.start_stillframe)
        c = server.client()
        c.call("DEBUG", "POPULATE", KEYS, "k", VALUE)
        self.stuck(server, c)
        out = self.path("functions.rdb")
        done = self.cli(server, "--functions-rdb", out)
        self.assertEqual(done.returncode, 0, done)
        with open(out, "rb") as f:
            data = f.read()
        loaded = self.load(data)
        with loaded.client() as o:
            self.assertEqual(o.call("FUNCTION", "LIST", "WITHCODE"), listed)
            self.assertEqual(o.call("DBSIZE"), 0)
        # Its length is known: a client that has not heard of marks can have it, too.
        r = self.reader(server, wishes=(("REPLCONF", "rdb-only", "1", "rdb-filter-only", "functions"),))
        length = int(r.line()[1:])
        while len(r.buf) < length:
            r.more()
        self.assertEqual(r.buf[:9], data[:9])
        self.assertEqual(len(r.buf), length)
        with self.assertRaises(EOFError):
            r.more()
        # No kind at all is a choice, too.
        r = self.reader(server, wishes=WISHES + (("REPLCONF", "rdb-filter-only", ""),))
        empty = r.file()
        self.assertNotIn(b"mylib", empty)
        self.assertEqual(empty[:9], data[:9])


class Moment(StreamCase):
    def test_it_is_of_the_moment_when_it_began(self):
        server, c = self.begin()
        digest = c.call("DEBUG", "DIGEST")
        r = self.stuck(server, c)
        c.pipeline([("SET", "k:%d" % i, "changed") for i in range(1000)] + [("DEL", "k:2000"), ("SET", "new", 1)])
        self.assertNotEqual(c.call("DEBUG", "DIGEST"), digest)
        c.call("FLUSHALL")
        c.call("SET", "after", 1)
        self.assertEqual(self.digest_of(r.file()), digest)
        self.idle(c)

    def test_all_of_a_handshake_may_come_in_one_piece(self):
        server, c = self.begin(keys=100)
        digest = c.call("DEBUG", "DIGEST")
        r = self.reader(server, wishes=())
        r.close()
        r = Reader.__new__(Reader)
        r.buf = b""
        r.sock = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        self.addCleanup(r.close)
        r.sock.sendall(b"".join(resp.pack(*w) for w in WISHES) + resp.pack("PING") + resp.pack("SYNC"))
        self.assertEqual([r.line() for _ in range(3)], [b"+OK", b"+OK", b"+PONG"])
        self.assertEqual(self.digest_of(r.file()), digest)

    def test_psync_is_told_the_number_of_the_run(self):
        server, c = self.begin(keys=100)
        r = self.reader(server, ("PSYNC", "?", "-1"))
        self.assertEqual(r.line(), b"+FULLRESYNC %s 0" % info(c, "run_id").encode())
        self.assertEqual(r.file()[:5], b"REDIS")
        with self.assertRaisesRegex(resp.RespError, "value is not an integer"):
            c.call("PSYNC", "?", "x")


class Readers(StreamCase):
    def test_those_who_come_in_time_share_one_snapshot(self):
        server, c = self.begin("--repl-diskless-sync-max-replicas", "3", keys=1000)
        c.call("CONFIG", "SET", "repl-diskless-sync-delay", "1000")
        epoch = int(info(c, "snapshot_epoch"))
        first = [self.reader(server) for _ in range(2)]
        resp.wait_until(lambda: info(c, "copy_readers_waiting") == "2")
        self.assertEqual(first[0].sock.recv(1), b"\n")  # somebody is there
        self.assertEqual(info(c, "rdb_bgsave_in_progress"), "0")
        files = [r.file() for r in first + [self.reader(server)]]
        self.assertEqual(files[0], files[1])
        self.assertEqual(files[0], files[2])
        self.idle(c)
        self.assertEqual(int(info(c, "snapshot_epoch")), epoch + 1)
        self.assertEqual(info(c, "sync_full"), "3")

    def test_who_waits_long_enough_gets_one_alone(self):
        server, c = self.begin(keys=100)
        c.call("CONFIG", "SET", "repl-diskless-sync-delay", "1")
        begin = time.monotonic()
        self.reader(server).file()
        self.assertGreater(time.monotonic() - begin, 0.9)

    def test_a_dead_one_ends_alone(self):
        server, c = self.begin()
        c.call("CONFIG", "SET", "repl-diskless-sync-max-replicas", "3")
        c.call("CONFIG", "SET", "repl-diskless-sync-delay", "1000")
        good, gone, dead = (self.reader(server, room=65536) for _ in range(3))
        resp.wait_until(lambda: info(c, "copy_readers_sending") == "3", 60)
        gone.close()
        dead.close(hard=True)
        resp.wait_until(lambda: info(c, "copy_readers_sending") == "1", 60)
        self.assertEqual(self.digest_of(good.file()), c.call("DEBUG", "DIGEST"))
        self.idle(c)
        self.assertEqual(info(c, "sync_full"), "1")
        self.assertEqual(server.log().count("was not sent"), 2)

    def test_without_one_left_the_copy_ends(self):
        server, c = self.begin()
        r = self.stuck(server, c)
        r.close(hard=True)
        self.idle(c)
        self.assertEqual((info(c, "sync_full"), info(c, "rdb_last_bgsave_status"), info(c, "copy_readers_waiting")),
                         ("0", "ok", "0"))
        self.assertEqual(self.reader(server).file()[:5], b"REDIS")

    def test_one_that_takes_nothing_is_cut_off(self):
        server, c = self.begin("--repl-timeout", "2")
        r = self.stuck(server, c)
        self.idle(c)
        self.assertTrue(r.is_cut_off())
        self.assertIn("The copy for client %s was not sent: it took nothing for repl-timeout" % r.name(), server.log())
        self.assertEqual(c.call("SET", "a", "b"), b"OK")

    def test_one_that_holds_memory_is_cut_off_and_writers_go_on(self):
        server, c = self.begin("--snapshot-memory-limit", "4mb")
        r = self.stuck(server, c)
        for i in range(0, KEYS, 100):  # far more pages than the limit takes
            c.pipeline([("SETRANGE", "k:%d" % k, 0, "changed") for k in range(i, i + 100)])
        self.idle(c)
        self.assertIn("The copy for client %s was not sent: it took too little while writers waited" % r.name(), server.log())
        self.assertTrue(r.is_cut_off())
        self.assertEqual(info(c, "rdb_last_bgsave_status"), "ok")

    def test_the_next_one_waits_and_gets_newer_data(self):
        server, c = self.begin()
        old = self.stuck(server, c)
        before = c.call("DEBUG", "DIGEST")
        new = self.reader(server)
        resp.wait_until(lambda: info(c, "copy_readers_waiting") == "1")
        c.call("FLUSHALL")
        c.call("SET", "only", "this")
        self.assertEqual(self.digest_of(old.file()), before)
        self.assertEqual(self.digest_of(new.file()), c.call("DEBUG", "DIGEST"))

    def test_what_the_server_says_of_one(self):
        server, c = self.begin("--repl-timeout", "600")
        self.stuck(server, c)
        [line] = [x for x in c.call("CLIENT", "LIST", "TYPE", "replica").decode().splitlines()]
        self.assertIn(" flags=S ", line)
        self.assertIn(" cmd=sync ", line)
        number = re.match(r"id=(\d+)", line).group(1)
        self.assertEqual(c.call("CLIENT", "UNBLOCK", number), 0)
        self.assertEqual((info(c, "connected_slaves"), info(c, "blocked_clients"), info(c, "connected_clients")), ("0", "0", "2"))
        self.assertEqual(c.call("ROLE"), [b"master", 0, []])
        self.assertEqual(c.call("CLIENT", "KILL", "TYPE", "replica"), 1)
        resp.wait_until(lambda: info(c, "rdb_bgsave_in_progress") == "0", 40)
        self.assertEqual(c.call("CLIENT", "LIST", "TYPE", "replica"), b"")

    def test_it_is_counted_when_it_is_asked_for(self):
        counted = []
        for start in (resp.start_stillframe, resp.start_redis_server):
            server = start(tempfile.mkdtemp(dir=self.dir), "--repl-diskless-sync-delay", "0")
            self.addCleanup(server.kill)
            with server.client() as c:
                for command in (["SYNC"], ["PSYNC", "?", "-1"]):
                    reader = Reader(server, command)
                    reader.line()
                    reader.sock.close()
                counted.append(re.findall(rb"cmdstat_(p?sync):(calls=\d+),.*(rejected_calls=.*)\r", c.call("INFO", "commandstats")))
        self.assertEqual(*map(sorted, counted))
        self.assertEqual(len(counted[0]), 2)


class Meanwhile(StreamCase):
    def test_a_save_waits_for_the_copy_and_others_are_served(self):
        server, c = self.begin()
        r = self.stuck(server, c)
        for command in (("BGSAVE",), ("SAVE",), ("BGSAVE", "TO", "x")):
            with self.assertRaisesRegex(resp.RespError, "^ERR Background save already in progress$"):
                c.call(*command)
        c.call("CONFIG", "SET", "save", "3600 1000000")
        c.call("FLUSHALL")
        self.assertEqual(info(c, "rdb_bgsave_scheduled"), "1")
        self.assertEqual(c.call("SET", "a", "b"), b"OK")
        next_one = self.reader(server)
        r.close()
        resp.wait_until(lambda: info(c, "rdb_bgsave_scheduled") == "0")
        next_one.file()
        self.idle(c)
        self.assertTrue(os.path.exists(self.path("dump.rdb")))
        log = server.log()
        self.assertLess(log.index("DB saved on disk"), log.rindex("not to disk"))  # it came first
        c.call("CONFIG", "SET", "save", "")

    def test_a_cancel_ends_it(self):
        server, c = self.begin()
        r = self.stuck(server, c)
        self.assertEqual(c.call("BGSAVE", "CANCEL"), b"Background saving cancelled")
        self.idle(c)
        self.assertTrue(r.is_cut_off())
        self.assertIn("was not sent: by BGSAVE CANCEL", server.log())

    def test_a_save_that_everybody_waits_for_ends_it(self):
        server, c = self.begin()
        self.stuck(server, c)
        begin = time.monotonic()
        self.assertEqual(c.call("DEBUG", "RELOAD"), b"OK")
        self.assertLess(time.monotonic() - begin, 55)  # not repl-timeout
        self.idle(c)

    def test_an_end_of_the_server_ends_it(self):
        for how in ("SIGTERM", "SHUTDOWN", "NOSAVE"):
            server, c = self.begin()
            r = self.stuck(server, c)
            begin = time.monotonic()
            if how == "SIGTERM":
                server.process.send_signal(signal.SIGTERM)
            else:
                c.send("SHUTDOWN", *([how] if how == "NOSAVE" else []))
            self.assertEqual(server.wait(), 0)
            self.assertLess(time.monotonic() - begin, 55)  # not repl-timeout
            self.assertTrue(r.is_cut_off())

    def test_expiry_of_idle_clients_leaves_readers_alone(self):
        server, c = self.begin("--timeout", "1", keys=100)
        c.call("CONFIG", "SET", "repl-diskless-sync-delay", "3")
        self.assertEqual(self.reader(server).file()[:5], b"REDIS")


class Refusals(StreamCase):
    def test_who_cannot_have_one(self):
        server, c = self.begin(keys=10)
        for command in (("SYNC",), ("PSYNC", "?", "-1")):
            with self.assertRaisesRegex(resp.RespError, "^ERR Replication is not supported: .*rdb-only 1"):
                c.call(*command)
        c.call("REPLCONF", "rdb-only", "1")
        with self.assertRaisesRegex(resp.RespError, "^ERR The length of the data is not known.*capa eof"):
            c.call("SYNC")
        c.call("REPLCONF", "capa", "eof", "capa", "psync2")
        self.assertEqual(c.pipeline([("MULTI",), ("REPLCONF", "ACK", "1"), ("EXEC",)])[2],
                         [resp.RespError("ERR REPLCONF ACK and GETACK are not for transactions")])
        with self.assertRaisesRegex(resp.RespError, "^ERR Command not allowed inside a transaction"):
            c.call("MULTI")
            c.call("SYNC")
        c.call("DISCARD")
        c.call("HELLO", 3)
        c.call("SUBSCRIBE", "news")
        with self.assertRaisesRegex(resp.RespError, "gets messages"):
            c.call("SYNC")
        c.call("RESET")  # forgets what was said
        with self.assertRaisesRegex(resp.RespError, "Replication is not supported"):
            c.call("SYNC")

    def test_what_replconf_says(self):
        asked = [("REPLCONF",), ("REPLCONF", "a"), ("REPLCONF", "foo", "bar"), ("REPLCONF", "listening-port", "x"),
                 ("REPLCONF", "listening-port", "70000"), ("REPLCONF", "ip-address", "1.2.3.4"), ("REPLCONF", "rdb-only", "2"),
                 ("REPLCONF", "rdb-only", "x"), ("REPLCONF", "rdb-only", "0", "rdb-only", "1"), ("REPLCONF", "rdb-filter-only", "bar"),
                 ("REPLCONF", "rdb-filter-only", ""), ("REPLCONF", "rdb-filter-only", "functions functions"),
                 ("REPLCONF", "rdb-filter-only", "'"), ("REPLCONF", "capa", "nonsense"), ("REPLCONF", "capa", "eof", "foo", "bar"),
                 ("REPLCONF", "ack", "5"), ("REPLCONF", "getack", "*"),  # no reply to these
                 ("PSYNC",), ("PSYNC", "?"), ("SYNC", "a"), ("PING",)]
        answers = []
        for start in (resp.start_stillframe, resp.start_redis_server):
            server = start(self.dir, "--save", "")
            self.servers.append(server)
            with server.client() as c:
                answers.append(c.pipeline(asked[:15] + asked[17:]))
                c.send_raw(b"".join(resp.pack(*a) for a in asked[15:17]) + resp.pack("ECHO", "next"))
                self.assertEqual(c.read(), b"next")
        self.assertEqual(answers[0], answers[1])

    def test_a_real_replica_is_sent_away_and_keeps_its_data(self):
        server, c = self.begin(keys=10)
        replica = self.load(b"")
        with replica.client() as r:
            r.call("SET", "mine", 1)
            r.call("REPLICAOF", "127.0.0.1", server.port)
            resp.wait_until(lambda: "Replication is not supported" in replica.log(), 60)
            self.assertEqual(r.call("GET", "mine"), b"1")
        self.assertEqual(info(c, "connected_slaves"), "0")
        replica.kill()


if __name__ == "__main__":
    unittest.main()
