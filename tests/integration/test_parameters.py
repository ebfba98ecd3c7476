#!/usr/bin/env python3
"""A parameter that is given at start acts from the start, without any CONFIG SET: on the command
line, in a file, in an included file, and in a file that CONFIG REWRITE has written.

The columns say of each parameter what can be seen of it; WITHOUT_A_LOOK names the others, so that
none is forgotten.  One server is given all of a column at once, and no check may change what is
configured: a change would hand down the limits that the start has forgotten.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp
from dump_bytes import payload

CONFIG_DEF = os.path.join(resp.ROOT, "server/config/config.def")
PASSWORD = "from the start"

# What is not looked at here, and where else it is or why nothing can be seen.
WITHOUT_A_LOOK = {
    "the kernel's alone": ["tcp-backlog"],
    "needs another machine": ["protected-mode"],
    "each test starts with it": ["port", "databases", "enable-debug-command"],
    "test_save_when.py": ["save-bytes", "save-idle", "snapshot-schedule", "snapshot-retain", "snapshot-verify"],
    "test_memory_limit.py": ["snapshot-memory-limit", "snapshot-memory-policy", "snapshot-throttle-timeout"],
    "test_acl.py": ["aclfile", "acl-pubsub-default", "acllog-max-len"],
    "test_save_stream.py": ["repl-timeout", "repl-diskless-sync-delay", "repl-diskless-sync-max-replicas"],
    "test_defrag.py": ["active-defrag-ignore-bytes", "active-defrag-threshold-lower",
                       "active-defrag-threshold-upper", "active-defrag-cycle-min",
                       "active-defrag-cycle-max", "active-defrag-max-scan-fields"],
    "test_supervised.py": ["supervised"],
    "test_scripts.py": ["busy-reply-threshold"],
    "test_server.py": ["crash-log-enabled", "shutdown-on-sigint"],
    "how well or how long, not what": ["maxmemory-samples", "maxmemory-eviction-tenacity", "lfu-decay-time",
                                       "active-expire-effort", "shutdown-timeout", "lazyfree-lazy-eviction",
                                       "lazyfree-lazy-expire", "lazyfree-lazy-server-del",
                                       "lazyfree-lazy-user-del", "lazyfree-lazy-user-flush"],
}


def encoding(c, key, *command):
    c.call("DEL", key)
    c.call(*command)
    return c.call("OBJECT", "ENCODING", key)


def info(c, name):
    found = re.search(name + ":([^\r]*)", c.call("INFO", "everything").decode())
    return found and found.group(1)


def is_closed(c):
    try:
        while c.sock.recv(1 << 20):
            pass
    except ConnectionError:
        pass
    return True  # or the time is over


def refusal(c, *command):
    try:
        return "no error but %r" % c.call(*command)
    except resp.RespError as e:
        return str(e)


class Case:
    """A server and what its checks need."""

    def __init__(self, test, server, password):
        self.test, self.server, self.password = test, server, password
        self.c = self.client()

    def client(self, **options):
        c = self.server.client(timeout=20, **options)
        if self.password:
            c.call("AUTH", self.password)
        return c

    def equal(self, a, b):
        self.test.assertEqual(a, b)

    def true(self, value, what=None):
        self.test.assertTrue(value, what)


# ---- what each does ----

def timeout(t):
    with t.client() as c:
        begin = time.monotonic()
        t.true(is_closed(c))
        t.true(time.monotonic() - begin < 10)


def keepalive(t):
    with t.client() as c:
        when = resp.wait_until(lambda: resp.keepalive_timer(t.server, c), what="a keepalive timer")
    t.true(0 < when <= 70 * os.sysconf("SC_CLK_TCK"), when)


def maxclients(t):
    held = []
    try:
        for _ in range(30):
            c = t.server.client(timeout=20)
            held.append(c)
            answer = refusal(c, "PING")
            if "max number" in answer:
                return
        t.true(False, "thirty clients")
    finally:
        for c in held:
            c.close()
        resp.wait_until(lambda: int(info(t.c, "connected_clients")) < 3)  # or the next one is refused


def bulk_length(t):
    with t.client() as c:
        c.send_raw(b"*2\r\n$4\r\nECHO\r\n$1048577\r\n")
        t.true("invalid bulk length" in str(c.read()))


def query_limit(t):
    with t.client() as c:
        c.send_raw(b"*%d\r\n" % 100000 + b"$100000\r\n%b\r\n" % (b"x" * 100000) * 9)
        t.equal(t.c.call("PING"), b"PONG")
        try:
            for _ in range(100):
                c.send_raw(b"$100000\r\n%b\r\n" % (b"x" * 100000))
        except OSError:
            return
        t.true(False, "10 MB are still taken")


def output_limit(t):
    with t.client() as c:
        c.call("SUBSCRIBE", "news")
        for _ in range(300):
            t.c.call("PUBLISH", "news", "x" * 100000)
        resp.wait_until(lambda: t.c.call("PUBLISH", "news", "x") == 0)


def events(t):
    with t.client() as c:
        c.call("SUBSCRIBE", "__keyevent@0__:lpush")
        t.c.call("LPUSH", "heard", "a")
        t.equal(c.read()[2], b"heard")


def slowlog(t):
    t.c.call("PING")
    t.equal(t.c.call("SLOWLOG", "LEN"), 3)


def latency(t):
    t.c.call("DEBUG", "SLEEP", "0.02")
    t.true(b"command" in [row[0] for row in t.c.call("LATENCY", "LATEST")])


def tracked_keys(t):
    with t.client() as c:
        c.pipeline([("CLIENT", "TRACKING", "ON")] + [("EXISTS", "tracked:%d" % i) for i in range(9)])
        t.equal(info(t.c, "tracking_total_keys"), "2")


def frequency(t):
    t.c.call("SET", "often", "x")
    t.c.pipeline([["GET", "often"]] * 60)
    t.true(t.c.call("OBJECT", "FREQ", "often") >= 60)


def stream_nodes(t, entries, value):
    t.c.call("DEL", "nodes")
    for i in range(entries):
        t.c.call("XADD", "nodes", "%d-1" % (i + 1), "f", value)
    reply = t.c.call("XINFO", "STREAM", "nodes")
    return reply[reply.index(b"radix-tree-keys") + 1]


def eviction(t):
    for i in range(200):
        t.c.call("SET", "big:%d" % i, "x" * 100000)
    t.true(int(info(t.c, "evicted_keys")) > 0)
    t.c.pipeline([["DEL", "big:%d" % i] for i in range(200)])


def client_eviction(t):
    with t.client() as c:
        c.send_raw(b"*%d\r\n" % 100 + b"$900000\r\n" + b"x" * 850000)
        resp.wait_until(lambda: int(info(t.c, "evicted_clients")) > 0)
        t.true(is_closed(c))


def saved(t):
    t.c.call("SET", "compressible", "a" * 100000)
    t.c.call("SAVE")
    with open(os.path.join(t.server.dir, "named.rdb"), "rb") as f:
        return f.read()


def slow_save(t):
    saved(t)  # 100,000 bytes at the least, and while everybody waits no rate holds
    began = time.monotonic()
    t.equal(t.c.call("BGSAVE", "WAIT"), b"Background saving terminated with success")
    t.true(time.monotonic() - began > 0.35)


def lz4(data, *options):
    return subprocess.run(["lz4", "-c", "-q", *options], input=data, capture_output=True, check=True).stdout


def packed_dump(t):
    """The dump, less the seven bytes around its LZ4 frame, and the RDB in it."""
    for i in range(3000):
        t.c.call("SET", "packed:%d" % i, "number %d of many, squared: %d" % (i, i * i))
    t.equal(t.c.call("SAVE"), b"OK")
    with open("/proc/%d/cwd/dump.rdb" % t.server.pid, "rb") as f:
        data = f.read()
    t.equal(data[:7], b"VCS\x01\x01\x00\x01")
    return data[7:], lz4(data[7:], "-d")


def compression_level(t):
    packed, rdb = packed_dump(t)
    t.true(len(packed) > 1.5 * len(lz4(rdb, "-1", "-B5")))


def failing_saves(t):
    """A directory stands where the file belongs."""
    path = os.path.join(t.server.dir, "named.rdb")
    if os.path.exists(path):
        os.unlink(path)
    os.mkdir(path)
    t.c.call("BGSAVE")
    resp.wait_until(lambda: info(t.c, "rdb_last_bgsave_status") == "err")
    answer = refusal(t.c, "SET", "written", "yes")
    os.rmdir(path)
    return answer


def save_point(t):
    t.c.call("SET", "changed", time.time())
    resp.wait_until(lambda: int(info(t.c, "rdb_saves")) > 0)


def password(t):
    with t.server.client() as c:
        t.true(refusal(c, "PING").startswith("NOAUTH"))
        t.equal(c.call("AUTH", PASSWORD), b"OK")


def file_mode(t, name):
    return os.stat(os.path.join(t.server.dir, name)).st_mode & 0o777


def unix_ping(t):
    with resp.Client(path=os.path.join(t.server.dir, "s.sock"), timeout=20) as c:
        c.call("AUTH", PASSWORD)
        return c.call("PING")


def encodings_of(column):
    """Of limits of encodings: two of each thing stay small, three do not."""
    words, long = {"h": "HSET", "s": "SADD", "z": "ZADD"}, "w" * 11

    def made(kind, count, word="w"):
        values = {"h": lambda i: (word + str(i), "v"), "s": lambda i: (word + str(i),),
                  "z": lambda i: (i, word + str(i))}[kind]
        return [words[kind], "encoded"] + [w for i in range(count) for w in values(i)]

    def check(kind, large):
        def entries(t):
            t.equal(encoding(t.c, "encoded", *made(kind, 2)), b"listpack")
            t.equal(encoding(t.c, "encoded", *made(kind, 3)), large)

        def value(t):
            t.equal(encoding(t.c, "encoded", *made(kind, 1)), b"listpack")
            t.equal(encoding(t.c, "encoded", *made(kind, 1, long)), large)
        return entries, value
    hashes, sets, zsets = check("h", b"hashtable"), check("s", b"hashtable"), check("z", b"skiplist")
    return {
        "hash-max-listpack-entries": ("2", hashes[0]), "hash-max-listpack-value": ("10", hashes[1]),
        "set-max-listpack-entries": ("2", sets[0]), "set-max-listpack-value": ("10", sets[1]),
        "zset-max-listpack-entries": ("2", zsets[0]), "zset-max-listpack-value": ("10", zsets[1]),
    }[column]


def row(name):
    value, check = encodings_of(name)
    return (name, value, check)


# (name, value, check): all rows of a column are given to one server.
FIRST = [
    ("bind", "127.0.0.1", lambda t: t.true(info(t.c, "listener0").startswith("name=tcp,bind=127.0.0.1,port="))),
    ("unixsocket", "s.sock", lambda t: t.equal(unix_ping(t), b"PONG")),
    ("unixsocketperm", "711", lambda t: t.equal(file_mode(t, "s.sock"), 0o711)),
    ("requirepass", PASSWORD, password),
    ("tcp-keepalive", "70", keepalive),
    ("proto-max-bulk-len", "1mb", bulk_length),
    ("client-query-buffer-limit", "1mb", query_limit),
    ("client-output-buffer-limit", "pubsub 100kb 0 0", output_limit),
    ("hz", "77", lambda t: t.equal(info(t.c, "configured_hz"), "77")),
    ("loglevel", "warning", lambda t: t.true("Ready to accept" not in t.server.log())),
    ("pidfile", "a.pid", lambda t: t.equal(file_mode(t, "a.pid") & 0o400, 0o400)),
    ("enable-protected-configs", "yes", lambda t: t.true("No such file" in refusal(t.c, "CONFIG", "SET", "dir", "/not/there"))),
    ("enable-module-command", "yes", lambda t: t.true("not allowed" not in refusal(t.c, "MODULE", "LOAD", "/x"))),
    ("sandbox", "no", lambda t: t.true(info(t.c, "sandbox") == "off" and "libseccomp" not in t.server.log())),
    ("dbfilename", "named.rdb", lambda t: t.equal(saved(t)[:5], b"REDIS")),
    ("rdbcompression", "no", lambda t: t.true(len(saved(t)) > 100000)),
    ("snapshot-threads", "3", lambda t: t.equal(saved(t) and info(t.c, "rdb_last_save_threads"), "3")),
    ("snapshot-rate-limit", "200kb", slow_save),
    ("rdbchecksum", "no", lambda t: t.equal(saved(t)[-8:], bytes(8))),
    ("stop-writes-on-bgsave-error", "no", lambda t: t.equal(failing_saves(t), "no error but b'OK'")),
    ("maxmemory", "10mb", eviction),
    ("maxmemory-policy", "allkeys-lfu", lambda t: t.equal(t.c.call("OBJECT", "FREQ", t.c.call("SET", "f", 1) and "f"), 5)),
    ("lfu-log-factor", "0", frequency),
    ("activedefrag", "yes", lambda t: t.equal(t.c.call("CONFIG", "GET", "activedefrag")[1], b"yes")),
    ("arena-size", "256mb", lambda t: t.equal(info(t.c, "stillframe_arena_bytes") or info(t.c, "arena_bytes"), "268435456")),
    ("list-max-listpack-size", "2", lambda t: t.equal(encoding(t.c, "l", "RPUSH", "l", "a", "b", "c"), b"quicklist")),
    row("hash-max-listpack-entries"), row("set-max-listpack-entries"), row("zset-max-listpack-entries"),
    ("set-max-intset-entries", "2", lambda t: t.true(encoding(t.c, "i", "SADD", "i", 1, 2, 3) != b"intset")),
    ("hll-sparse-max-bytes", "0", lambda t: t.equal(t.c.call("PFDEBUG", "ENCODING", t.c.call("PFADD", "p", "a") and "p"), b"dense")),
    ("stream-node-max-entries", "3", lambda t: t.equal(stream_nodes(t, 9, "v"), 3)),
    ("slowlog-log-slower-than", "0", slowlog), ("slowlog-max-len", "3", slowlog),
    ("latency-monitor-threshold", "10", latency),
    ("latency-tracking", "no", lambda t: t.equal(info(t.c, "latency_percentiles_usec_info"), None)),
    ("notify-keyspace-events", "El", events),
    ("shutdown-on-sigterm", "save", None),  # looked at in the end
]
SECOND = [
    ("timeout", "1", timeout),
    ("maxclients", "20", maxclients),
    ("logfile", "a.log", lambda t: t.true(os.path.exists(os.path.join(t.server.dir, "inside/a.log")))),
    ("dir", "inside", lambda t: t.equal(os.path.basename(os.readlink("/proc/%d/cwd" % t.server.pid)), "inside")),
    ("save", "1 1", save_point),
    ("rdb-version-check", "relaxed", lambda t: t.equal(t.c.call("RESTORE", "of 13", 0, payload(b"\0\1v", version=13), "REPLACE"), b"OK")),
    ("rdb-version", "11", lambda t: t.equal(packed_dump(t)[1][:9], b"REDIS0011")),
    ("rdbcompression", "lz4", lambda t: t.equal(packed_dump(t)[1][:5], b"REDIS")),
    ("rdb-compression-level", "-50", compression_level),
    ("maxmemory-clients", "800kb", client_eviction),
    ("tracking-table-max-keys", "2", tracked_keys),
    ("script-memory-limit", "1mb", lambda t: t.true("not enough memory" in refusal(t.c, "EVAL", "return ('x'):rep(2e6)", 0))),
    row("hash-max-listpack-value"), row("set-max-listpack-value"), row("zset-max-listpack-value"),
    ("stream-node-max-bytes", "250", lambda t: t.equal(stream_nodes(t, 4, "v" * 300), 4)),
    ("latency-tracking-info-percentiles", "42",
     lambda t: t.true(info(t.c, "latency_percentiles_usec_ping").startswith("p42="))),
    ("rename-command", "GET taken", lambda t: t.true("unknown command" in refusal(t.c, "GET", "x"))),
]


def lines(rows):
    return "".join("%s %s\n" % (name, value if " " in value and name != "requirepass" else '"%s"' % value)
                   for name, value, _ in rows)


class AtStart(unittest.TestCase):
    def setUp(self):
        self.dir = os.path.realpath(tempfile.mkdtemp(prefix="parameters-"))
        os.mkdir(os.path.join(self.dir, "inside"))

    def tearDown(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def look(self, rows, *args):
        server = resp.start_stillframe(self.dir, *args, "--enable-debug-command", "yes", "--databases", "5")
        given = dict((name, value) for name, value, _ in rows)
        for name, value, check in rows:
            if check is not None:
                with self.subTest(parameter=name, value=value, given=args[:1]):
                    t = Case(self, server, given.get("requirepass"))
                    self.assertIn("out of range", refusal(t.c, "SELECT", 5))
                    check(t)
                    t.c.close()
        if "shutdown-on-sigterm" in given:
            server.process.send_signal(signal.SIGTERM)
            server.wait()
            self.assertTrue(os.path.exists(os.path.join(self.dir, "named.rdb")))
            os.unlink(os.path.join(self.dir, "named.rdb"))
        server.stop()

    def arguments(self, rows):
        args = []
        for name, value, _ in rows:
            args += ["--" + name] + (value.split(" ") if name == "rename-command" else [value])
        return args

    def each_way(self, rows):
        half = len(rows) // 2
        with self.subTest("on the command line"):
            self.look(rows, *self.arguments(rows))
        with self.subTest("in a file and one that it includes"):
            self.write("more.conf", lines(rows[half:]))
            self.look(rows, self.write("all.conf", lines(rows[:half]) + "include %s/more.conf\n" % self.dir))
        with self.subTest("as CONFIG REWRITE has written it"):
            self.look(rows, self.rewritten(rows))

    def rewritten(self, rows):
        """A file that holds at first what CONFIG SET does not take."""
        path = self.write("rewritten.conf", "enable-protected-configs yes\n")
        server = resp.start_stillframe(self.dir, path, "--save", "")
        left = []
        with server.client(timeout=20) as c:
            for name, value, check in rows:
                if "can't set immutable" in refusal(c, "CONFIG", "SET", name, c.call("CONFIG", "GET", name)[1]
                                                    if name != "rename-command" else value) or name in (
                        "rename-command", "dir", "maxclients", "maxmemory-clients", "timeout"):
                    left.append((name, value, check))
                else:
                    c.call("CONFIG", "SET", name, value)
            c.call("CONFIG", "SET", "port", server.port)
            c.call("CONFIG", "REWRITE")
        server.kill()
        with open(path, "a") as f:
            f.write(lines(left))
        return path

    def test_the_first_column(self):
        self.each_way(FIRST)

    def test_the_second_column(self):
        self.each_way(SECOND)

    def test_a_change_that_is_refused_leaves_nothing(self):
        names = ("requirepass", "maxmemory-policy", "list-max-listpack-size", "hash-max-listpack-entries",
                 "set-max-listpack-entries", "zset-max-listpack-entries", "set-max-intset-entries",
                 "hll-sparse-max-bytes", "stream-node-max-entries")
        rows = [r for r in FIRST if r[0] in names]
        change = [word for name, value, _ in rows for word in (name, value)]
        server = resp.start_stillframe(self.dir, "--save", "")
        # refused as it is read; when all others have taken effect
        for last in (("hz", "many"), ("maxclients", "4000000000")):
            with server.client(timeout=20) as c:
                self.assertIn("CONFIG SET failed (possibly related to argument '%s'" % last[0],
                              refusal(c, "CONFIG", "SET", *change, *last))
            for name, _, check in rows:
                with self.subTest(parameter=name, last=last):
                    t = Case(self, server, None)
                    with self.assertRaises((AssertionError, resp.RespError)):
                        check(t)
                    self.assertEqual(t.c.call("PING"), b"PONG")
                    t.c.close()
        server.stop()

    def test_every_parameter_is_looked_at_or_told_why_not(self):
        with open(CONFIG_DEF) as f:
            names = set(re.findall(r'^OPTION\("([a-z-]+)"', f.read(), re.M))
        looked_at = {name for name, _, _ in FIRST + SECOND} - {"rename-command"}
        others = {name for group in WITHOUT_A_LOOK.values() for name in group}
        self.assertEqual(looked_at | others, names)
        self.assertEqual(looked_at & others, set())


if __name__ == "__main__":
    unittest.main()
