#!/usr/bin/env python3
"""Limits of the machine: memory, file sizes, open files, threads, stacks, disks that are full, and
what is left where somebody is killed.  At each limit a start serves, or ends with status 1 and says
what is too little; no write that was acknowledged is lost, no file that was there is damaged, and
what failed says why.

LIMITS_LONG=1: smaller steps.  Limits hold for root, too, but some of them root may raise: servers
are started without that right.
"""
import ctypes
import fcntl
import os
import re
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_elsewhere import Process  # noqa: E402
from test_server import info  # noqa: E402

LONG = bool(os.environ.get("LIMITS_LONG"))
SANITIZED = any(f in resp.STILLFRAME_SERVER for f in ("/asan/", "/tsan/"))
MIB = 1 << 20
HOLD = os.path.join(resp.ROOT, "build", "tests", "integration", "hold_preload.so")
CAP_SYS_RESOURCE, PR_CAPBSET_DROP = 24, 24
# The loader, and the kernel, need some memory and descriptors before the program begins.
BEFORE_US = re.compile(r"error while loading shared libraries: ")


def limited(*limits):
    """For preexec_fn: (RLIMIT_..., value) as soft and hard limit, and no right to raise them."""
    prctl = ctypes.CDLL(None).prctl

    def limit():
        prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0)
        for kind, value in limits:
            resource.setrlimit(kind, (value, value))
    return limit


class Limits(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="stillframe-limits-")
        self.servers = []

    def tearDown(self):
        for s in self.servers:
            if s.is_running():
                s.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def begin(self, *args, limits=(), env=None, program=resp.STILLFRAME_SERVER):
        """A server that is starting."""
        port = resp.free_port()
        command = [program] + [str(a) for a in args] + ["--port", str(port), "--save", ""]
        server = Process(command, self.dir, port, dict(os.environ, **(env or {})), limited(*limits))
        self.servers.append(server)
        return server

    def start(self, *args, **options):
        server = self.begin(*args, **options)
        server.wait_ready()
        return server

    def serves(self, *args, **options):
        """A server that serves; or None: it has ended, as the one that has too little should."""
        try:
            return self.start(*args, **options)
        except resp.StartError as e:
            self.assertEqual(e.status, 1, e.log)
            self.assertRegex(e.log, r"Cannot allocate memory|Resource temporarily unavailable|Limits of this process|Raise the limit|no memory|out of memory")
            return None

    def temporary(self, directory=None):
        return [n for n in os.listdir(directory or self.dir) if n.startswith(("temp-", ".stillframe-"))]

    def wait_saved(self, c):
        resp.wait_until(lambda: info(c, "persistence")["rdb_bgsave_in_progress"] == "0", 120, what="the save to end")
        return info(c, "persistence")

    def assert_saves(self, c):
        self.assertEqual(c.call("BGSAVE", "WAIT"), b"Background saving terminated with success")
        self.assertEqual(self.temporary(), [])

    def error_of(self, c, *command):
        with self.assertRaises(resp.RespError) as e:
            c.call(*command)
        return str(e.exception)


class Memory(Limits):
    """RLIMIT_AS, RLIMIT_DATA: every reservation may be refused."""

    VALUE = "v" * 8000

    def test_a_limit_of_addresses(self):
        self.sweep(resource.RLIMIT_AS, range(12, 260, 4) if LONG else [16, 64, 140, 160, 168, 176, 240])

    def test_a_limit_of_data(self):
        self.sweep(resource.RLIMIT_DATA, range(2, 110, 2) if LONG else [2, 4, 16, 34, 80])

    @unittest.skipIf(SANITIZED, "shadow memory needs more than any limit")
    def sweep(self, kind, sizes):
        """From far too little to plenty.  The dump of each is the next one's."""
        known, served = {}, []
        for mib in sizes:
            with self.subTest(mib=mib):
                before = self.read("dump.rdb") if os.path.exists(self.path("dump.rdb")) else None
                try:
                    server = self.serves("--arena-size", "64mb", limits=[(kind, mib * MIB)])
                except AssertionError as e:
                    if not BEFORE_US.search(str(e)):
                        raise
                    server = None
                if server is None:
                    self.assertEqual(self.read("dump.rdb") if before is not None else None, before)
                    continue
                served.append(mib)
                with server.client() as c:
                    for key, value in known.items():
                        self.assertEqual(c.call("GET", key), value)
                    self.fill_beside_saves(c, server, known)
                self.assertEqual(server.stop(), 0, server.log())
                self.assertEqual(self.temporary(), [])
        self.assertTrue(served, "none of these limits was enough")
        self.assertNotEqual(served[0], sizes[0], "none of these limits was too low")

    @unittest.skipIf(SANITIZED, "shadow memory needs more than any limit")
    def test_a_dump_that_has_no_room_is_left_as_it_is(self):
        server = self.start("--enable-debug-command", "yes")
        with server.client() as c:
            c.call("DEBUG", "POPULATE", 60000, "key", 1000)
            c.call("HSET", "hash", *sum((["f%d" % i, "v" * 100] for i in range(20000)), []))
            digest = c.call("DEBUG", "DIGEST")
            c.call("SAVE")
        self.assertEqual(server.stop(), 0)
        before, outcomes = self.read("dump.rdb"), []
        for mib in range(280, 30, -8) if LONG else (280, 160, 60, 40):
            server = self.serves("--enable-debug-command", "yes", "--arena-size", "256mb", limits=[(resource.RLIMIT_DATA, mib * MIB)])
            outcomes.append(server is not None)
            if server is not None:
                with server.client() as c:
                    self.assertEqual(c.call("DEBUG", "DIGEST"), digest)
                self.assertEqual(server.stop(), 0)
            self.assertEqual(self.read("dump.rdb"), before)
        self.assertEqual((outcomes[0], outcomes[-1]), (True, False))

    def fill_beside_saves(self, c, server, known):
        """Writes until one is refused, with a save behind the other; then relief, and one more."""
        c.call("FLUSHALL")
        known.clear()
        refused = 0
        for i in range(0, 6000, 50):
            if info(c, "persistence")["rdb_bgsave_in_progress"] == "0":
                c.call("BGSAVE")
            commands = [["SET", "key:%d" % k, "%d:%s" % (k, self.VALUE)] for k in range(i, i + 50)]
            try:
                replies = c.pipeline(commands)
            except ConnectionResetError:  # there was no memory to keep what had come of them
                self.assertIn("No memory", server.log())
                c = server.client()
                self.addCleanup(c.close)
                values = [c.call("GET", command[1]) for command in commands]
                replies = [b"OK" if value is not None else resp.RespError("OOM, or not read") for value in values]
            for command, reply in zip(commands, replies):
                if isinstance(reply, resp.RespError):
                    self.assertTrue(str(reply).startswith("OOM "), reply)
                    refused += 1
                else:
                    self.assertEqual(reply, b"OK")
                    known[command[1]] = command[2].encode()
            if refused > 50:
                break
        fields = self.wait_saved(c)
        if fields["rdb_last_bgsave_status"] != "ok":
            self.assertNotEqual(fields["rdb_last_bgsave_error"], "")
            self.assertIn("Background saving error: " + fields["rdb_last_bgsave_error"], server.log())
        self.assertEqual(c.call("DBSIZE"), len(known))
        for key, value in known.items():
            self.assertEqual(c.call("GET", key), value)
        for key in sorted(known)[:len(known) // 2]:
            c.call("DEL", key)
            del known[key]
        self.assert_saves(c)


class FileSizes(Limits):
    """RLIMIT_FSIZE: a file that may not become larger is an error, and not the end (SIGXFSZ)."""

    LIMIT = 256 * 1024

    def test_everything_that_is_written(self):
        conf = self.write("server.conf", "# %s\naclfile %s\nlogfile server.log\n" % ("c" * 100000, self.path("users.acl")))
        users = "user default on nopass ~* &* +@all\n"
        self.write("users.acl", users)
        server = self.start(conf, "--snapshot-retain", "2", limits=[(resource.RLIMIT_FSIZE, self.LIMIT)])
        with server.client() as c:
            c.call("SET", "small", "x")
            c.call("SAVE")
            old = self.read("dump.rdb")
            names = sorted(os.listdir(self.dir))
            value = os.urandom(self.LIMIT * 2)
            c.call("SET", "large", value)
            for command in (["SAVE"], ["BGSAVE", "WAIT"], ["BGSAVE", "TO", "copy.rdb", "WAIT"]):
                self.assertIn("File too large", self.error_of(c, *command), command)
                self.assertEqual(sorted(os.listdir(self.dir)), names)
                self.assertEqual(self.read("dump.rdb"), old)
            self.assertIn("File too large", info(c, "persistence")["rdb_last_bgsave_error"])
            for i in range(3):  # more words than the file may have
                c.call("ACL", "SETUSER", "u%d" % i, *["~%s%d" % ("k" * 1000, k) for k in range(100)])
            self.assertIn("File too large", self.error_of(c, "ACL", "SAVE") + self.log_of())
            self.assertEqual(self.read("users.acl").decode(), users)
            c.call("CONFIG", "SET", "proc-title-template", "t" * (self.LIMIT - 90000))
            before = self.read("server.conf")
            self.assertIn("File too large", self.error_of(c, "CONFIG", "REWRITE") + self.log_of())
            self.assertEqual(self.read("server.conf"), before)
            self.assertEqual(sorted(os.listdir(self.dir)), names)
            c.call("DEL", "large")
            self.assert_saves(c)
            self.assertIn("Background saving error", self.log_of())
        self.assertEqual(server.stop(), 0)

    def log_of(self):
        return self.read("server.log").decode()

    def test_a_log_that_is_full_ends_nothing(self):
        server = self.start("--logfile", "server.log", limits=[(resource.RLIMIT_FSIZE, 200)])
        with server.client() as c:
            c.call("SET", "k", "v")
            c.call("SAVE")
            self.assertEqual(c.call("GET", "k"), b"v")
        self.assertEqual(os.path.getsize(self.path("server.log")), 200)
        self.assertEqual(server.stop(), 0)

    def test_the_tool(self):
        server = self.start()
        with server.client() as c:
            c.call("SET", "large", os.urandom(self.LIMIT * 2))
            c.call("SAVE")
        server.stop()
        before = self.read("dump.rdb")
        for words in (["convert", "--to-version=9", "dump.rdb", "-o", "out.rdb"], ["json", "dump.rdb", "-o", "out.json"]):
            done = subprocess.run([resp.STILLFRAME_RDB] + words, cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                                  preexec_fn=limited((resource.RLIMIT_FSIZE, self.LIMIT)), check=False)
            self.assertGreater(done.returncode, 0, (words, done.stderr))
            self.assertIn(b"File too large", done.stderr, words)
            self.assertEqual(os.listdir(self.dir), ["dump.rdb"], words)
            self.assertEqual(self.read("dump.rdb"), before)


class OpenFiles(Limits):
    """RLIMIT_NOFILE."""

    def open_files(self, server):
        return len(os.listdir("/proc/%d/fd" % server.pid))

    def test_far_too_few_at_the_start(self):
        for count in (4, 5, 8, 16, 32):
            server = self.begin(limits=[(resource.RLIMIT_NOFILE, count)])
            self.assertEqual(server.wait(), 1, server.log())
            self.assertIn("The limit of open files (ulimit -n, RLIMIT_NOFILE) is %d: the server needs 33 at least, and 10032 "
                          "for maxclients 10000." % count, server.log())

    def test_as_many_clients_as_redis_has(self):
        for count in (33, 34, 100):
            ours = self.start(limits=[(resource.RLIMIT_NOFILE, count)])
            theirs = self.start(limits=[(resource.RLIMIT_NOFILE, count)], program=resp.redis_server())
            values = []
            for server in (ours, theirs):
                with server.client() as c:
                    values.append(c.call("CONFIG", "GET", "maxclients")[1])
            self.assertEqual(values, [b"%d" % (count - 32)] * 2)
            self.assertIn("maxclients 10000 needs 10032 open files, and the limit (ulimit -n, RLIMIT_NOFILE) is %d: "
                          "maxclients is lowered to %d." % (count, count - 32), ours.log())
            ours.stop()
            theirs.stop()

    def test_what_needs_files_works_with_all_clients_there(self):
        conf = self.write("server.conf", "aclfile %s\nlogfile server.log\nsnapshot-retain 2\n" % self.path("users.acl"))
        self.write("users.acl", "user default on nopass ~* &* +@all\n")
        server = self.start(conf, limits=[(resource.RLIMIT_NOFILE, 60)])
        clients = [server.client() for _ in range(28)]
        for i, c in enumerate(clients):
            self.assertEqual(c.call("SET", "k%d" % i, "v"), b"OK")
        with self.assertRaisesRegex(resp.RespError, "max number of clients reached"), server.client() as c:
            c.read(raising=True)
        c = clients[0]
        for command in (["SAVE"], ["CONFIG", "REWRITE"], ["ACL", "SAVE"], ["ACL", "LOAD"]):
            self.assertEqual(c.call(*command), b"OK")
        self.assertEqual(c.call("BGSAVE", "TO", "copy.rdb", "WAIT"), b"Background saving terminated with success")
        self.assert_saves(c)
        self.assertLessEqual(self.open_files(server), 60 - 16)  # what a server itself has is far from all that is kept for it
        for c in clients:
            c.close()
        self.assertEqual(server.stop(), 0)

    def test_none_is_left(self):
        """The limit is lowered to what is open."""
        target = self.start()
        conf = self.write("server.conf", "aclfile %s\nlogfile server.log\n" % self.path("users.acl"))
        self.write("users.acl", "user default on nopass ~* &* +@all\n")
        server = self.start(conf)
        with server.client() as c:
            c.call("SET", "k", "v")
            c.call("SAVE")
            files = {name: self.read(name) for name in ("dump.rdb", "server.conf", "users.acl")}
            c.call("SET", "k", "w")
            normal = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (self.open_files(server), normal[1]))
            for command in (["SAVE"], ["BGSAVE", "WAIT"], ["BGSAVE", "TO", "copy.rdb", "WAIT"], ["CONFIG", "REWRITE"],
                            ["ACL", "SAVE"], ["ACL", "LOAD"], ["MIGRATE", "127.0.0.1", target.port, "k", "0", "5000"]):
                reply = self.error_of(c, *command)
                self.assertRegex(reply + self.read("server.log").decode().splitlines()[-1], "Too many open files", command)
            self.assertEqual(c.call("GET", "k"), b"w")
            self.assertIn("Too many open files", info(c, "persistence")["rdb_last_bgsave_error"])
            self.assertRegex(self.read("server.log").decode(), "Background saving error: .*Too many open files")
            for name, content in files.items():
                self.assertEqual(self.read(name), content)
            self.assertEqual(self.temporary(), [])
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, normal)
            for command in (["SAVE"], ["CONFIG", "REWRITE"], ["ACL", "SAVE"], ["ACL", "LOAD"]):
                self.assertEqual(c.call(*command), b"OK")
            self.assertEqual(c.call("MIGRATE", "127.0.0.1", target.port, "k", "0", "5000"), b"OK")
            self.assert_saves(c)
        self.assertEqual(server.stop(), 0)


    def test_a_copy_waits_for_a_descriptor_and_the_log_says_so_once(self):
        server = self.start("--repl-diskless-sync-delay", "0")
        with server.client() as c, server.client() as reader:
            c.call("SET", "k", "v")
            self.assertEqual(reader.call("REPLCONF", "rdb-only", "1", "capa", "eof"), b"OK")
            normal = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (self.open_files(server), normal[1]))
            reader.send("SYNC")
            resp.wait_until(lambda: "has to wait: Too many open files" in server.log(), what="the log to say so")
            time.sleep(0.3)  # time for further tries, which come each 50 ms
            self.assertEqual(server.log().count("has to wait"), 1)
            self.assertEqual(c.call("GET", "k"), b"v")
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, normal)
            got = b""
            while b"$EOF:" not in got:
                more = reader.sock.recv(1 << 16)
                self.assertNotEqual(more, b"", got)
                got += more.lstrip(b"\n")
        self.assertEqual(server.stop(), 0)

    def test_certificates_are_read_anew_when_there_is_room_again(self):
        if shutil.which("openssl") is None:
            self.skipTest("the program openssl is not installed")
        cert, key, port = self.path("s.crt"), self.path("s.key"), resp.free_port()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                        "-out", cert, "-days", "2", "-subj", "/CN=s"], check=True, capture_output=True, timeout=120)
        server = self.start("--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
        with server.client() as c:
            normal = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (self.open_files(server), normal[1]))
            self.assertIn("Unable to update TLS configuration", self.error_of(c, "CONFIG", "SET", "tls-cert-file", cert))
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, normal)
            self.assertIn("Too many open files", server.log())
            self.assert_encrypted(port)  # with what it had
            self.assertEqual(c.call("CONFIG", "SET", "tls-cert-file", cert), b"OK")
            self.assert_encrypted(port)
        self.assertEqual(server.stop(), 0)

    def assert_encrypted(self, port):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", port), 60) as plain, context.wrap_socket(plain) as s:
            s.sendall(b"PING\r\n")
            self.assertEqual(s.recv(100), b"+PONG\r\n")


class Threads(Limits):
    def test_without_room_for_a_thread_the_limits_are_named(self):
        """Their stacks find no room; test_elsewhere.py has the number of processes."""
        server = self.begin("--arena-size", "64mb", limits=[(resource.RLIMIT_DATA, 6 * MIB)])
        self.assertEqual(server.wait(), 1)
        self.assertRegex(server.log(), r"The snapshot thread cannot be started: (Resource temporarily unavailable|Cannot allocate memory)\n"
                                       r".* Limits of this process: data \(ulimit -d, RLIMIT_DATA\) 6291456 bytes.*pids\.max")


class Group:
    """A control group below the one that this program is in, of version 2, or of version 1, where
    files have other names.  .skipped: why there is none."""

    V1 = {"memory.max": "memory.limit_in_bytes", "memory.peak": "memory.max_usage_in_bytes", "memory.events": "memory.oom_control"}

    def __init__(self, kind):
        self.skipped, self.is_v1 = None, True
        with open("/proc/self/cgroup") as f:
            own = {name: path.strip() for _, names, path in (line.split(":", 2) for line in f) for name in names.split(",")}
        if kind in own:
            base = os.path.join("/sys/fs/cgroup", kind, own[kind].lstrip("/"))
        else:
            base, self.is_v1 = os.path.join("/sys/fs/cgroup", own.get("", "/").lstrip("/")), False
        self.path = os.path.join(base, "stillframe-limits-%d" % os.getpid())
        try:
            os.mkdir(self.path)
            if not self.is_v1 and not os.path.exists(self.file(kind + ".max")):
                self.remove()
                self.skipped = "the group of this program hands no %s on to others" % kind
        except OSError as e:
            self.skipped = "no control group can be made: %s" % e

    def file(self, name):
        return os.path.join(self.path, self.V1.get(name, name) if self.is_v1 else name)

    def set(self, name, value):
        with open(self.file(name), "w") as f:
            f.write(str(value))

    def get(self, name):
        with open(self.file(name)) as f:
            return f.read()

    def kills(self):
        return int(re.search(r"^oom_kill (\d+)$", self.get("memory.events"), re.M).group(1))

    def enter(self):
        self.set("cgroup.procs", os.getpid())

    def remove(self):
        for _ in range(100):  # until the kernel has forgotten who was in it
            try:
                return os.rmdir(self.path)
            except OSError:
                time.sleep(0.05)
        return None


class Groups(Limits):
    """A control group's memory: whoever needs more is killed, so a save may not need much."""

    COUNT, VALUE_BYTES = (150000, 2000) if LONG else (30000, 2000)

    def group(self, kind):
        group = Group(kind)
        if group.skipped:
            self.skipTest(group.skipped)
        self.addCleanup(group.remove)
        self.addCleanup(lambda: [s.kill() for s in self.servers if s.is_running()])
        return group

    def begin_in(self, group, program, *args):
        port = resp.free_port()
        server = Process([program, "--port", str(port), "--save", ""] + list(args), self.dir, port, dict(os.environ), group.enter)
        self.servers.append(server)
        server.wait_ready()
        return server

    def overwrite(self, c, salt, done):
        """All keys, again and again, until done()."""
        value = os.urandom(self.VALUE_BYTES // 2).hex()
        while True:
            for first in range(0, self.COUNT, 500):
                c.pipeline([["SET", "key:%d" % i, "%d:%s:%s" % (i, salt, value)] for i in range(first, first + 500)])
                if done():
                    return

    def fill(self, c):
        rounds = iter([False] * (self.COUNT // 500 - 1) + [True])
        self.overwrite(c, "first", lambda: next(rounds))

    def idle(self, c):
        return info(c, "persistence")["rdb_bgsave_in_progress"] == "0"

    def resident(self, server, name="VmRSS"):
        with open("/proc/%d/status" % server.pid) as f:
            return int(re.search(name + r":\s+(\d+) kB", f.read()).group(1)) * 1024

    def test_a_save_under_writes_is_not_killed(self):
        group = self.group("memory")
        server = self.begin_in(group, resp.STILLFRAME_SERVER, "--snapshot-memory-limit", "25%", "--snapshot-throttle-timeout", "0",
                               "--rdbcompression", "no", "--snapshot-rate-limit", "100mb")
        with server.client() as c, server.client() as control:
            self.fill(c)
            before = self.resident(server)
            limit = before + max(before // 4, 16 * MIB) + 48 * MIB
            group.set("memory.max", limit)
            for _ in range(3):
                control.call("BGSAVE")
                self.overwrite(c, "again", lambda: self.idle(control))
                self.assertEqual(info(control, "persistence")["rdb_last_bgsave_status"], "ok")
            self.assertEqual(group.kills(), 0)
            self.assertLessEqual(self.resident(server, "VmHWM"), before + max(before // 4, 16 * MIB) + 16 * MIB)
            self.assertLess(int(group.get("memory.peak")), limit + 1)
            self.assertEqual(c.call("DBSIZE"), self.COUNT)
            if LONG:
                print("data %d MB, peak of the process %d MB, of the group %d MB, limit %d MB" % (
                    before // 10**6, self.resident(server, "VmHWM") // 10**6, int(group.get("memory.peak")) // 10**6, limit // 10**6))
        self.assertEqual(server.stop(), 0)

    @unittest.skipUnless(LONG, "LIMITS_LONG=1: what becomes of redis-server, which is killed")
    def test_beside_redis(self):
        """The same limit, writes and pace of the save."""
        group = self.group("memory")
        server = self.begin_in(group, resp.redis_server(), "--rdbcompression", "no", "--rdb-key-save-delay", "20")
        with server.client() as c, server.client() as control:
            self.fill(c)
            before = self.resident(server)
            limit = before + max(before // 4, 16 * MIB) + 48 * MIB
            group.set("memory.max", limit)
            control.call("BGSAVE")
            try:
                self.overwrite(c, "again", lambda: self.idle(control))
                outcome = info(control, "persistence")["rdb_last_bgsave_status"]
            except (OSError, EOFError):
                outcome = "the server was killed"
            print("redis-server: data %d MB, limit %d MB: %s, %d killed" % (before // 10**6, limit // 10**6, outcome, group.kills()))
            self.assertGreater(group.kills(), 0)
            self.assertNotEqual(outcome, "ok")

    def test_a_group_that_may_have_no_thread_more(self):
        group = self.group("pids")
        group.set("pids.max", 1)
        with self.assertRaises(resp.StartError) as refused:
            self.begin_in(group, resp.STILLFRAME_SERVER)
        self.assertEqual(refused.exception.status, 1)
        self.assertIn("The snapshot thread cannot be started: Resource temporarily unavailable", refused.exception.log)
        self.assertIn("pids.max", refused.exception.log)


class Stack(Limits):
    """RLIMIT_STACK: what is nested deep has room, or the start is refused."""

    DEEP = ("local function f(n) if n == 0 then return 'x' end "
            "return (string.gsub('a', 'a', function() return f(n - 1) end)) end return f(180)")
    SMALL = 128 * 1024

    def test_a_stack_that_may_grow_is_made_large_enough(self):
        hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
        server = Process([resp.STILLFRAME_SERVER, "--save", "", "--port", str(resp.free_port())], self.dir, None, dict(os.environ),
                         lambda: resource.setrlimit(resource.RLIMIT_STACK, (self.SMALL, hard)))
        server.port = int(server.command[-1])
        self.servers.append(server)
        server.wait_ready()
        with server.client() as c:
            self.assertEqual(c.call("EVAL", self.DEEP, 0), b"x")
            c.call("SET", "k", "v" * 100000)
            self.assert_saves(c)
        self.assertEqual(server.stop(), 0)

    def test_otherwise_the_start_is_refused(self):
        server = self.begin(limits=[(resource.RLIMIT_STACK, self.SMALL)])
        self.assertEqual(server.wait(), 1)
        self.assertIn("The limit of the stack (ulimit -s, RLIMIT_STACK) is 131072 bytes: scripts need 4194304. Raise the limit.", server.log())


class LeftOver(Limits):
    """What a server that was killed has left beside the files that it was about to replace."""

    OURS = ".stillframe-%d-0123456789abcdef.conf"

    def make(self, directory, name, text="unfinished"):
        with open(os.path.join(directory, name), "w") as f:
            f.write(text)

    def test_it_is_removed_where_it_is_nobodys(self):
        etc, users, data = (self.path(name) for name in ("etc", "users", "data"))
        for d in (etc, users, data):
            os.mkdir(d)
        conf = self.write("etc/server.conf", "dir %s\naclfile %s/users.acl\n" % (data, users))
        self.write("users/users.acl", "user default on nopass ~* &* +@all\n")
        alive = os.getpid()
        others = [".stillframe-%d.conf" % alive, ".stillframe-1-0123.conf", "temp-1.rdb", "server.conf-12-34.tmp", "x" + self.OURS % 1]
        for d in (etc, users, data):
            for name in others + [self.OURS % 1, self.OURS % alive]:  # a number says nothing: another process may have it
                self.make(d, name)
        dump = "temp-stillframe-1-0123456789abcdef.rdb"
        self.make(data, dump)
        self.make(etc, dump)  # not where dumps are
        os.symlink(conf, os.path.join(etc, self.OURS % 2))
        with open(os.path.join(etc, self.OURS % 3), "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)  # its maker lives, here or in another container
            server = self.start(conf)
            log = server.log()
            self.assertEqual(sorted(os.listdir(data)), sorted(others))
            self.assertEqual(sorted(os.listdir(users)), sorted(others + ["users.acl"]))
            self.assertEqual(sorted(os.listdir(etc)), sorted(others + ["server.conf", dump, self.OURS % 2, self.OURS % 3]))
            self.assertIn("Removed %s/%s, which a CONFIG REWRITE or ACL SAVE that was never finished had left." % (etc, self.OURS % 1), log)
            with server.client() as c:
                self.assertEqual([c.call("CONFIG", "REWRITE"), c.call("ACL", "SAVE")], [b"OK", b"OK"])
        self.assertEqual(server.stop(), 0)
        server = self.start(conf)
        self.assertNotIn(self.OURS % 3, os.listdir(etc))
        self.assertEqual(server.stop(), 0)

    def test_killed_in_the_middle_of_a_rewrite(self):
        """The fsync of the new file never comes back."""
        for command, name in ((["CONFIG", "REWRITE"], "server.conf"), (["ACL", "SAVE"], "users.acl")):
            conf = self.write("server.conf", "aclfile %s\n" % self.path("users.acl"))
            self.write("users.acl", "user default on nopass ~* &* +@all\n")
            before = self.read(name)
            server = self.start(conf, env={"LD_PRELOAD": HOLD, "HOLD_FSYNC": self.write("hold", "")})
            with server.client() as c, server.client() as other:
                c.call("CONFIG", "SET", "timeout", "77")
                other.send(*command)
                left = resp.wait_until(self.temporary, what="the new file")
                resp.wait_until(lambda: os.path.getsize(self.path(left[0])) > 0, what="what it says")
                second = self.start("--aclfile", self.path("users.acl"))  # in the same directory
                self.assertEqual(self.temporary(), left)
                second.stop()
                server.kill()
            self.assertEqual(self.temporary(), left)
            self.assertEqual(self.read(name), before)
            server = self.start(conf)
            self.assertEqual(self.temporary(), [])
            self.assertIn("Removed", server.log())
            self.assertEqual(server.stop(), 0)


class FullDisk(Limits):
    """A file system of one megabyte, that is full."""

    def mount(self, size):
        place = self.path("small")
        os.mkdir(place)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"none", place.encode(), b"tmpfs", 0, b"size=%d" % size) != 0:
            self.skipTest("nothing can be mounted here: " + os.strerror(ctypes.get_errno()))
        self.addCleanup(libc.umount2, place.encode(), 2)  # MNT_DETACH
        return place

    def test_nothing_is_lost_and_the_next_one_succeeds(self):
        place = self.mount(MIB)
        conf, users = os.path.join(place, "server.conf"), os.path.join(place, "users.acl")
        self.write("small/users.acl", "user default on nopass ~* &* +@all\n")
        self.write("small/server.conf", "dir %s\naclfile %s\n" % (place, users))
        server = self.start(conf)
        with server.client() as c:
            c.call("SET", "k", "v")
            c.call("SAVE")
            names = ("dump.rdb", "server.conf", "users.acl")
            before = {name: self.read("small/" + name) for name in names}
            c.call("CONFIG", "SET", "timeout", "77")
            c.call("ACL", "SETUSER", "ann", "on", "nopass", "~*", "+get")
            with open(os.path.join(place, "ballast"), "wb") as f, self.assertRaises(OSError):
                while True:
                    os.write(f.fileno(), bytes(4096))
            for command in (["SAVE"], ["BGSAVE", "WAIT"], ["CONFIG", "REWRITE"], ["ACL", "SAVE"]):
                reply = self.error_of(c, *command)
                self.assertIn("No space left on device", reply + server.log().splitlines()[-1], command)
                self.assertEqual(sorted(os.listdir(place)), ["ballast", "dump.rdb", "server.conf", "users.acl"])
                self.assertEqual({name: self.read("small/" + name) for name in names}, before)
            os.unlink(os.path.join(place, "ballast"))
            for command in (["SAVE"], ["CONFIG", "REWRITE"], ["ACL", "SAVE"]):
                self.assertEqual(c.call(*command), b"OK")
            self.assertIn(b"timeout 77\n", self.read("small/server.conf"))
            self.assertIn(b"user ann ", self.read("small/users.acl"))
        self.assertEqual(server.stop(), 0)


class Tool(Limits):
    """stillframe-rdb, each of its commands, in too little address space."""

    COMMANDS = (["check"], ["salvage", "-o", "out"], ["info"], ["keys", "--long"], ["get", "h"], ["head"], ["memory"], ["report"],
                ["json"], ["ndjson"], ["csv"], ["resp"], ["aof"], ["convert", "-o", "out"], ["diff"])

    @unittest.skipIf(SANITIZED, "shadow memory needs more than any limit")
    def test_each_command(self):
        server = self.start()
        with server.client() as c:
            c.call("HSET", "h", *sum((["f%d" % i, "v" * 50] for i in range(2000)), []))
            c.call("SET", "large", "x" * 3 * MIB)
            c.pipeline([["SET", "key:%d" % i, "v" * 100] for i in range(3000)])
            c.call("SAVE")
        server.stop()
        before = self.read("dump.rdb")
        sizes = range(8, 160, 4) if LONG else (12, 20, 28, 400)
        for words in self.COMMANDS:
            statuses = [self.run_in(words, mib) for mib in sizes]
            self.assertEqual(statuses[-1], 0, words)
            self.assertEqual(self.read("dump.rdb"), before)

    def run_in(self, words, mib):
        files = ["dump.rdb"] * (2 if words[0] == "diff" else 1)
        done = subprocess.run([resp.STILLFRAME_RDB] + words + files, cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              preexec_fn=limited((resource.RLIMIT_AS, mib * MIB)), check=False)
        said = done.stderr.decode("utf-8", "backslashreplace")
        if done.returncode != 0 and not BEFORE_US.search(said):
            self.assertIn(done.returncode, (1, 2, 3), (words, mib, said))
            self.assertRegex(said, "emory|temporarily unavailable", (words, mib))
            self.assertFalse(os.path.exists(self.path("out")), (words, mib))
        self.assertEqual([n for n in os.listdir(self.dir) if n.startswith(".stillframe")], [], (words, mib))
        if os.path.exists(self.path("out")):
            os.unlink(self.path("out"))
        return done.returncode


if __name__ == "__main__":
    unittest.main()
