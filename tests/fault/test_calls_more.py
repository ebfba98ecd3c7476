#!/usr/bin/env python3
"""More phases of test_calls.py, whose rules hold here: TLS, functions and
scripts, values as payloads, reloads, messages and waiting clients, files and addresses that are
set anew, dumps of other forms, an end by signal; and the other commands of stillframe-rdb, with
each kind of input."""
import contextlib
import gzip
import os
import re
import shutil
import signal
import subprocess
import unittest

from sweep import ANSWER_SECONDS, Living, Starting, Tool, Zzz, resp
import tls
from tls import setUpModule, tearDownModule

__all__ = ["setUpModule", "tearDownModule"]

LIBRARY = "#!lua name=%s\nredis.register_function('%s', function(keys, args) return redis.call('set', keys[1], string.rep('x', 1000)) end)\n"
SCRIPT = """local t = {} for i = 1, 200 do t[i] = {i, string.rep('x', i), k = tostring(i)} end
local packed, text = cmsgpack.pack(t), cjson.encode(t[7]) local s = struct.pack('>I4s', 7, 'abc')
for w in string.gmatch('a b c d', '%w') do s = s .. w:upper() end
if pcall(redis.call, 'incr', KEYS[1]) then return redis.error_reply('ERR it is no number') end
return redis.call('set', KEYS[2], #s .. #text .. #cmsgpack.unpack(packed) .. table.concat({'a', 'b'}, ','))"""


def every_type(c):
    """What fill() has not; and each of more than one form."""
    c.pipeline([("SADD", "ints", *range(50)), ("HSET", "hash-large", *["f%d" % i for i in range(1400)]), ("ZADD", "zset-large", *[w for i in range(400) for w in (i, "m%d" % i)]),
                ("HSET", "hash-expires", "a", 1, "b", 2), ("HPEXPIRE", "hash-expires", 10 ** 9, "FIELDS", 1, "a"), ("PFADD", "hll", *range(400)),
                ("RPUSH", "list-large", *["e" * 500] * 300), ("FUNCTION", "LOAD", LIBRARY % ("of_start", "of_start")), ("SELECT", 3), ("SET", "there", "x"), ("SELECT", 0)])


class Talking(Living):
    """Phases that have connections of their own."""

    def goes(self, strict, talk):
        """talk: with a connection of its own, which may be what fails."""
        try:
            talk()
        except TimeoutError:
            if strict or self.patience() == ANSWER_SECONDS:
                raise
        except (OSError, EOFError, AssertionError, resp.RespError):
            if strict:
                raise

    def all_go(self, c, strict, commands):
        for words, a in zip(commands, c.pipeline(commands)):
            if isinstance(a, resp.RespError):
                assert not strict and len(str(a)) > 10, "%s: %s" % (words, a)


class Encrypted(Talking):
    def start(self):
        self.tls_port = resp.free_port()
        self.MORE = ("--tls-port", self.tls_port, "--tls-cert-file", tls.path("server.crt"), "--tls-key-file", tls.path("server.key"),
                     "--tls-ca-cert-file", tls.path("ca.crt"))
        super().start()

    def test_connections(self):
        def phase(c, strict):
            def talk():
                with tls.Tls(self.tls_port, timeout=self.patience()) as t:
                    assert t.call("PING") == b"PONG"
                    values = t.pipeline([("GET", "large")] * 3 + [("ECHO", "x" * 100000)] + [("PING",)])
                    assert len(values[0]) == 300000 and len(values[3]) == 100000 and values[4] == b"PONG"
                    t.sock.unwrap()
            self.goes(strict, talk)
        self.sweep("tls", resp.STILLFRAME_SERVER, self.kept_up(phase))

    def test_certificates(self):
        def phase(c, strict):
            for words in (("tls-cert-file", tls.path("second.crt"), "tls-key-file", tls.path("second.key"), "tls-ca-cert-dir", tls.path("trusted"),
                           "tls-dh-params-file", tls.path("dh.pem"), "tls-ciphers", "HIGH", "tls-ciphersuites", "TLS_AES_128_GCM_SHA256", "tls-session-caching", "no"),
                          ("tls-cert-file", tls.path("server.crt"), "tls-key-file", tls.path("server.key"), "tls-ca-cert-dir", "", "tls-dh-params-file", "",
                           "tls-ciphers", "", "tls-ciphersuites", "", "tls-session-caching", "yes")):
                self.expect(strict, c.pipeline([("CONFIG", "SET", *words)])[0], b"OK")
            if strict:
                with tls.Tls(self.tls_port, timeout=self.patience()) as t:
                    assert t.common_name() == "server" and t.call("PING") == b"PONG"
        self.sweep("certificates", resp.STILLFRAME_SERVER, self.kept_up(phase))


class OfALivingServer(Talking):
    def prepare(self, c):
        every_type(c)

    def test_functions(self):
        def phase(c, strict):
            self.all_go(c, strict, [("FUNCTION", "LOAD", "REPLACE", LIBRARY % ("l", "f")), ("FCALL", "f", 1, "by-function"), ("FUNCTION", "LIST", "WITHCODE"), ("FUNCTION", "STATS")])
            dump = c.pipeline([("FUNCTION", "DUMP")])[0]
            if isinstance(dump, bytes):
                self.all_go(c, strict, [("FUNCTION", "RESTORE", dump, "REPLACE"), ("FUNCTION", "DELETE", "l"), ("FUNCTION", "RESTORE", dump, "FLUSH")])
            if strict:
                assert len(c.call("FUNCTION", "LIST")) == 2
        self.change(phase)
        self.sweep("functions", resp.STILLFRAME_SERVER, self.kept_up(phase, changes=True))

    def test_scripts(self):
        def phase(c, strict):
            self.all_go(c, strict, [("SCRIPT", "FLUSH"), ("EVAL", SCRIPT, 2, "list", "by-script"), ("EVAL", SCRIPT, 2, "list", "by-script")])
            sha = c.pipeline([("SCRIPT", "LOAD", SCRIPT)])[0]
            if isinstance(sha, bytes):
                c.pipeline([("EVALSHA", sha, 2, "list", "by-script"), ("EVAL", "return {", 0), ("EVAL", "error({err='x'})", 0), ("EVAL", "return string.rep('x', 2000000)", 0)])
        self.change(phase)
        self.sweep("scripts", resp.STILLFRAME_SERVER, self.kept_up(phase, changes=True))

    def test_payloads(self):
        names = ("list", "hash", "set", "names", "zset", "stream", "large", "ints", "hash-large", "zset-large", "hash-expires", "hll", "list-large")

        def phase(c, strict):
            for name in names:
                dump = c.pipeline([("DUMP", name)])[0]
                if isinstance(dump, bytes):
                    self.expect(strict, c.pipeline([("RESTORE", name, 0, dump, "REPLACE")])[0], b"OK")
                else:
                    assert not strict, dump
        self.sweep("payloads", resp.STILLFRAME_SERVER, self.kept_up(phase))

    def test_messages(self):
        def phase(c, strict):
            def talk():
                def connect():
                    return resp.Client(port=self.server.port, timeout=self.patience())
                with connect() as a, connect() as b:
                    a.pipeline([("HELLO", 3), ("CLIENT", "TRACKING", "ON"), ("GET", "large"), ("MGET", *["key:%d" % i for i in range(100)]),
                                ("SUBSCRIBE", "ch"), ("PSUBSCRIBE", "c*"), ("SSUBSCRIBE", "s"), ("CLIENT", "TRACKING", "OFF"),
                                ("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "key:", "PREFIX", "other"), ("CLIENT", "NO-TOUCH", "on")])
                    c.pipeline([("PUBLISH", "ch", "x" * 50000), ("SPUBLISH", "s", "m"), ("EXPIRE", "key:1", 10 ** 6), ("CLIENT", "LIST"), ("PUBSUB", "CHANNELS")])
                    for words, wake in ((("BLPOP", "q1", "q2", 0), ("RPUSH", "q2", "v")), (("BZPOPMIN", "z1", 0), ("ZADD", "z1", 1, "m")),
                                        (("XREAD", "BLOCK", 0, "STREAMS", "x1", "$"), ("XADD", "x1", "*", "f", "v")), (("BLMOVE", "q1", "q3", "LEFT", "LEFT", 0), ("RPUSH", "q1", "v"))):
                        b.send(*words)
                        if strict:
                            resp.wait_until(lambda: b"blocked_clients:1" in c.call("INFO", "clients"))
                        c.pipeline([wake])
                        if strict:
                            b.read(raising=True)
                    b.pipeline([("WATCH", "key:1", "key:2"), ("MULTI",), ("GET", "key:1"), ("EXEC",)]) if strict else None
                    b.send("MONITOR")
                    c.pipeline([("PING",)])
            if strict:  # what was not fetched when a call failed would be there at once
                c.call("DEL", "q1", "q2", "q3", "z1", "x1")
            self.goes(strict, talk)
            answers = c.pipeline([("DEL", "q1", "q2", "q3", "z1", "x1"), ("PEXPIREAT", "key:1", 4000000000000)])
            assert not strict or isinstance(answers[0], int)
        self.change(phase)
        self.sweep("messages", resp.STILLFRAME_SERVER, self.kept_up(phase, changes=True))

    def test_places(self):
        """Files and addresses."""
        def phase(c, strict):
            for words in (("logfile", os.path.join(self.data, "other.log")), ("logfile", ""), ("dbfilename", "dump.rdb"), ("unixsocket", os.path.join(self.data, "other-socket")),
                          ("unixsocket", os.path.join(self.data, "socket")), ("snapshot-threads", 3), ("snapshot-threads", 1), ("maxmemory-clients", "10%"), ("maxmemory-clients", 0),
                          ("slowlog-max-len", 1), ("slowlog-max-len", 128)):
                answer = c.pipeline([("CONFIG", "SET", *words)])[0]
                if words[0] not in ("logfile", "unixsocket"):  # that may be fixed at the start
                    self.expect(strict, answer, b"OK")
            self.all_go(c, strict, [("SLOWLOG", "RESET"), ("LATENCY", "RESET"), ("MEMORY", "PURGE"), ("MEMORY", "DOCTOR"), ("CLIENT", "KILL", "TYPE", "pubsub")])
        self.sweep("places", resp.STILLFRAME_SERVER, self.kept_up(phase))

    def test_reload(self):
        """When it fails what was loaded until then is there, as in Redis; the dump has all."""
        def phase(c, strict):
            self.expect(strict, c.pipeline([("DEBUG", "RELOAD", "NOSAVE")])[0], b"OK")
        self.sweep("reload", resp.STILLFRAME_SERVER, self.kept_up(phase, changes=True))

    def test_migrate_to_it(self):
        other = resp.start(resp.STILLFRAME_SERVER, self.dir, ["--save", ""])
        self.addCleanup(other.kill)
        with other.client() as o, self.server.client() as c:
            for name in ("list", "hash-large", "stream", "large"):
                o.call("RESTORE", name, 0, c.call("DUMP", name))

            def phase(c, strict):
                answer = o.pipeline([("MIGRATE", "127.0.0.1", self.server.port, "", 0, self.patience() * 1000, "COPY", "REPLACE", "KEYS", "list", "hash-large", "stream", "large")])[0]
                self.expect(strict, answer, b"OK")
            self.sweep("migrated to", resp.STILLFRAME_SERVER, self.kept_up(phase))


class OfAStart(Starting):
    MORE = "rdbcompression lz4\n"

    def prepare(self, c):
        every_type(c)

    def test_start_with_every_type(self):
        def serves(c):
            assert len(c.call("FUNCTION", "LIST")) == 1, "it runs without its functions"
            assert c.call("HPTTL", "hash-expires", "FIELDS", 1, "a")[0] > 0
        self.starts("start, every type, LZ4", serves)

    def test_a_signal(self):
        def end(server, c):
            refusal = re.compile("the data could not be saved, so the server goes on|cannot be woken for the signal")
            server.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(AssertionError):
                resp.wait_until(lambda: not server.is_running() or refusal.search(server.log()), ANSWER_SECONDS)
            if not server.is_running():
                return None
            assert refusal.search(server.log()) or self.is_mute(server, self.plan), "it neither ends nor says why"
            return resp.RespError(refusal.pattern)
        self.ends("signal", end)


class OfAnEncryptedStart(Starting):
    def setUp(self):
        port = resp.free_port()
        self.MORE = "tls-port %d\ntls-cert-file %s\ntls-key-file %s\ntls-ca-cert-file %s\n" % (port, *map(tls.path, ("server.crt", "server.key", "ca.crt")))
        super().setUp()

    def test_start_with_tls(self):
        self.starts("start, TLS")


class OfTheTool(Tool):
    def prepare(self, c):
        every_type(c)

    def setUp(self):
        super().setUp()
        with open(self.path("dump.rdb.gz"), "wb") as f:
            f.write(gzip.compress(self.dump) + gzip.compress(b""))
        if shutil.which("zstd"):
            subprocess.run(["zstd", "-q", self.path("dump.rdb")], check=True)
        subprocess.run([resp.STILLFRAME_RDB, "convert", "-q", self.path("dump.rdb"), "--compress=lz4", "-o", self.path("lz4.rdb")], check=True)
        with open(self.path("broken.rdb"), "wb") as f:
            f.write(self.dump[:len(self.dump) // 2] + b"\xff\xfe" * 20 + self.dump[len(self.dump) // 2:])

    def test_commands(self):
        """Of looking, of writing, and of the inputs' forms."""
        plain = "../dump.rdb"
        for words, output in ((("info", plain), None), (("head", plain), None), (("get", "zset-large", plain), None), (("memory", plain), None), (("memory", "--keys", plain), None),
                              (("memory", "--prefixes", plain), None), (("keys", "--long", "-m", "k*", "--regex", "1", plain), None),
                              (("ndjson", plain, "-o", "o.json"), "o.json"), (("csv", plain, "-o", "o.csv"), "o.csv"), (("aof", plain, "-o", "o.aof"), "o.aof"),
                              (("resp", "--restore", "--replace", "--rename=key=other", plain), None), (("convert", plain, "--compress=lz4", "-o", "o.rdb"), "o.rdb"),
                              (("convert", plain, "../lz4.rdb", "--on-conflict=first", "-o", "o.rdb"), "o.rdb"),
                              (("check", "--loads-in=stillframe", plain), None), (("diff", plain, "../lz4.rdb"), None), (("completion", "bash"), None), (("manual",), None)):
            self.sweep("tool %s %s" % (words[0], next((w for w in words if w.startswith("--")), "")), resp.STILLFRAME_RDB, self.command(words, output))

    def test_inputs(self):
        for name in ("dump.rdb.gz", "dump.rdb.zst", "lz4.rdb"):
            if os.path.exists(self.path(name)):
                self.sweep("tool reads " + name, resp.STILLFRAME_RDB, self.command(("check", "../" + name), None))
        self.sweep("tool reads a pipe", resp.STILLFRAME_RDB, self.command(("json", "-", "-o", "o.json"), "o.json", given=self.path("dump.rdb.gz")))


if __name__ == "__main__":
    unittest.main()
