#!/usr/bin/env python3
"""Each call of the programs that may fail does: once, and from then on.

calls.def has a row for every function that the server and stillframe-rdb import.  A phase of their
life is run once to find the places that call one of them; then it is run for each place and error
(sweep.py says which).  Afterwards

  - a server has not ended, or has refused its start or its end by a line that says why;
  - it has lost nothing: the digest of the data; a dump that is the old or the new one, whole;
    settings, users;
  - it serves, and the same phase succeeds, as soon as nothing fails any more;
  - nothing is left: no temporary file, no descriptor;
  - stillframe-rdb has done all of it, or says why not, with an exit status, and leaves no part.

  CALLS_PHASE    only the phases whose names contain that
  CALLS_LONG=1   all errors for good, and twelve of the later calls; an hour
  CALLS_VERBOSE=1  print each
  CALLS_REACHED=file   add to it what was reached, for tests/fault/calls.py file
"""
import os
import unittest

from sweep import ANSWER_SECONDS, TABLE, Living, Starting, Tool, Zzz, calls, resp

PROGRAMS = (resp.STILLFRAME_SERVER, resp.STILLFRAME_RDB)


class Table(unittest.TestCase):
    def test_every_function_that_is_imported_has_a_row(self):
        names = set().union(*map(calls.imports, PROGRAMS)) | calls.looked_up()
        self.assertEqual(sorted(n for n in names if not TABLE.has(n)), [])

    def test_every_row_is_of_a_function_that_is_called(self):
        names = set().union(*map(calls.imports, PROGRAMS)) | calls.looked_up()
        self.assertEqual(sorted(n for n in TABLE.errors if not {n, "__%s_chk" % n} & names and not n.endswith("_chk")), [])


class OfALivingServer(Living):
    def test_save(self):
        def phase(c, strict):
            self.saved(c, strict, "SAVE")
            self.saved(c, strict, "BGSAVE")
        self.sweep("save", resp.STILLFRAME_SERVER, self.kept_up(phase))

    def test_save_kept_and_read_back(self):
        def phase(c, strict):
            self.saved(c, strict, "BGSAVE")
        with self.server.client() as c:
            c.call("CONFIG", "SET", "snapshot-verify", "yes", "snapshot-retain", "1", "rdbcompression", "lz4", "snapshot-threads", "2")
        self.sweep("save, verified", resp.STILLFRAME_SERVER, self.kept_up(phase))

    def test_copy(self):
        def phase(c, strict):
            answer = c.pipeline([("BGSAVE", "TO", "copy.rdb", "MATCH", "*1*", "TYPE", "string", "WAIT")])[0]
            if strict or not isinstance(answer, resp.RespError):
                assert not isinstance(answer, resp.RespError), answer
        self.sweep("copy", resp.STILLFRAME_SERVER, self.kept_up(phase))

    def test_rewriting(self):
        def phase(c, strict):
            for words in (("CONFIG", "REWRITE"), ("ACL", "SAVE"), ("ACL", "LOAD"), ("CONFIG", "SET", "hz", "12", "maxmemory", "1gb"),
                          ("ACL", "SETUSER", "u", "on", "resetpass", ">p", "~k*", "+@read", "-get"), ("CONFIG", "SET", "dir", self.data)):
                self.expect(strict, c.pipeline([words])[0], b"OK")
            assert strict is False or len(c.call("ACL", "LIST")) == 2
        self.sweep("rewriting", resp.STILLFRAME_SERVER, self.kept_up(phase))

    def test_settings(self):
        def phase(c, strict):
            for words in (("maxclients", 900), ("maxclients", 1000), ("unixsocketperm", 700), ("bind", "127.0.0.1"), ("bind", "127.0.0.1 -::1"),
                          ("save", "900 1"), ("save", ""), ("client-output-buffer-limit", "normal 0 0 0"), ("maxmemory-policy", "allkeys-lru"),
                          ("notify-keyspace-events", "KEA"), ("snapshot-schedule", "@daily"), ("snapshot-schedule", "")):
                answer = c.pipeline([("CONFIG", "SET", *words)])[0]
                if words[0] != "unixsocketperm":
                    self.expect(strict, answer, b"OK")
        self.sweep("settings", resp.STILLFRAME_SERVER, self.kept_up(phase))

    def test_commands(self):
        def phase(c, strict):
            answers = c.pipeline([
                ("DEL", "s", "l", "h", "z", "x", "t", "b", "hll", "geo", "o", "i"), ("SET", "s", "v" * 5000), ("APPEND", "s", "w" * 100000), ("SETRANGE", "s", 200000, "x"),
                ("RPUSH", "l", *["e" * 50] * 300), ("LINSERT", "l", "BEFORE", "e" * 50, "n"), ("HSET", "h", *["f%d" % i for i in range(1200)]),
                ("ZADD", "z", *[w for i in range(300) for w in (i, "m%d" % i)]), ("SADD", "t", *range(600)), ("SADD", "t", "a"),
                ("XADD", "x", "1-1", "f", "v" * 5000), ("XGROUP", "CREATE", "x", "g", "0"), ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">"),
                ("SETBIT", "b", 100000, 1), ("PFADD", "hll", *range(300)), ("GEOADD", "geo", 1, 1, "a"), ("SORT", "l", "ALPHA", "STORE", "o"),
                ("EVAL", "return redis.call('set', KEYS[1], cjson.encode({1, 2, string.rep('x', 1000)}))", 1, "i"), ("LCS", "i", "i"),
                ("MULTI",), ("INCR", "n"), ("DECR", "n"), ("DEL", "n"), ("EXEC",), ("RENAME", "o", "o"), ("COPY", "h", "h2", "REPLACE"), ("DUMP", "z"),
                ("KEYS", "*"), ("SCAN", 0), ("CLIENT", "LIST"), ("INFO", "everything"), ("MEMORY", "STATS"), ("COMMAND",), ("SLOWLOG", "GET"), ("CONFIG", "GET", "*"),
                ("SORT", "zset", "BY", "nosort", "LIMIT", 0, 10), ("ZUNIONSTORE", "zu", 2, "z", "zset"), ("SUNIONSTORE", "tu", "t", "set"), ("OBJECT", "ENCODING", "z"),
                ("SCRIPT", "LOAD", "return 1"), ("SCRIPT", "FLUSH"), ("DEL", "n")])
            for a in answers:
                if isinstance(a, resp.RespError):
                    assert not strict and len(str(a)) > 10, a
        self.change(phase)
        self.sweep("commands", resp.STILLFRAME_SERVER, self.kept_up(phase, changes=True))

    def test_network(self):
        def phase(c, strict):
            def one(client):
                assert client.call("PING") == b"PONG"
                big = client.pipeline([("ECHO", "x" * 2000000)] * 3 + [("GET", "large")] * 20 + [("LRANGE", "list", 0, -1)] * 20)
                errors = [a for a in big if isinstance(a, resp.RespError)]
                assert not (strict and errors), errors[0]
                client.pipeline([("HELLO", 3), ("SUBSCRIBE", "ch"), ("UNSUBSCRIBE",), ("RESET",), ("CLIENT", "SETNAME", "x"), ("MONITOR",), ("RESET",),
                                 ("WATCH", "k"), ("BLPOP", "nothing", "0.001"), ("AUTH", "x")])
            for options in ({}, {"path": os.path.join(self.data, "socket")}):
                try:
                    with resp.Client(port=self.server.port, timeout=self.patience(), **options) as client:
                        one(client)
                except TimeoutError:
                    if self.patience() == ANSWER_SECONDS:
                        raise
                except (EOFError, ConnectionError, resp.RespError):
                    if strict:
                        raise
            one(c)
        self.sweep("network", resp.STILLFRAME_SERVER, self.kept_up(phase))

    def test_migrate(self):
        other = resp.start(resp.STILLFRAME_SERVER, self.dir, ["--save", ""])
        self.addCleanup(other.kill)

        def phase(c, strict):
            self.expect(strict, c.pipeline([("MIGRATE", "127.0.0.1", other.port, "", 0, 5000, "COPY", "REPLACE", "KEYS", "list", "hash", "stream", "large")])[0], b"OK")
        self.sweep("migrate", resp.STILLFRAME_SERVER, self.kept_up(phase))


class OfAStart(Starting):
    def test_start(self):
        self.starts("start")

    def test_shutdown(self):
        self.ends("shutdown", lambda server, c: c.pipeline([("SHUTDOWN",)])[0])


class OfTheTool(Tool):
    def test_commands(self):
        for words, output in ((("check", "../dump.rdb"), None), (("convert", "../dump.rdb", "-o", "o.rdb", "--for=redis-6.2"), "o.rdb"),
                              (("salvage", "../dump.rdb", "o.rdb"), "o.rdb"), (("json", "../dump.rdb", "-o", "o.json"), "o.json"),
                              (("keys", "../dump.rdb"), None), (("diff", "../dump.rdb", "../dump.rdb"), None), (("resp", "../dump.rdb"), None),
                              (("report", "../dump.rdb", "-o", "o.html"), "o.html")):
            self.sweep("tool " + words[0], resp.STILLFRAME_RDB, self.command(words, output))


if __name__ == "__main__":
    unittest.main()
