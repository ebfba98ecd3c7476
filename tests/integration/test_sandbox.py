#!/usr/bin/env python3
"""The sandbox: what the process may still ask of the system after its start, tried from inside of
it by a thread that is older than the sandbox (sandbox_preload.c); and that the server needs nothing
else."""
import ctypes
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
import test_elsewhere  # noqa: E402

HELPERS = os.path.join(resp.ROOT, "build", "tests", "integration")
PRELOAD = os.path.join(HELPERS, "sandbox_preload.so")
SANDBOX_C = os.path.join(resp.ROOT, "server", "process", "sandbox.c")
resolve = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name

# Calls that end the process, with arguments that are harmless where it is not ended.
DEADLY = ["execve 0 0 0", "execveat -1 0 0 0 0", "ptrace 16 0 0 0", "process_vm_readv 0 0 0 0 0 1", "mount 0 0 0 0 0", "umount2 0 0",
          "init_module 0 0 0", "finit_module -1 0 0", "unshare 0x80000000", "setns -1 0", "bpf -1 0 0", "kexec_load 0 0 0 -1",
          "chroot 0", "pivot_root 0 0"]
MAKES_A_PROCESS = ["fork", "vfork", "clone 17 0 0 0 0", "execve text 0 0"]
# Calls that are refused, each with what it says where there is no sandbox.
REFUSED = {"memfd_create text 0": None, "socket 17 3 0": None, "prctl 4 1 0 0 0": 0, "mprotect 0 0 4": 0, "personality -1": None,
           "kill pid 0": 0, "tgkill 1 1 0": None, "prlimit64 1 7 0 0": 0, "symlink 0 0": -errno.EFAULT, "setuid -1": -errno.EINVAL,
           "ioctl 0 0x5412 0": None, "mmap 0 4096 5 34 -1 0": None, "seccomp 0 0 0": None, "clone3 0 0": -errno.EINVAL}
ALLOWED = ["getpid", "prctl 15 text", "prlimit64 0 7 0 0", "tgkill pid pid 0", "mmap 0 4096 3 34 -1 0", "socket 2 1 0", "clone 0x10000 0 0 0 0"]


def number(name):
    n = resolve(name.encode())
    assert n != -1, name
    return n


class Sandbox(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="stillframe-sandbox-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.count = 0

    def start(self, *options, env=None):
        os.environ.update(env or {})
        try:
            server = resp.start_stillframe(self.dir, "--save", "", *options)
        finally:
            for name in env or {}:
                del os.environ[name]
        self.addCleanup(server.kill)
        return server

    def start_with_guest(self, *options):
        """A server with a thread that does what it is told, and the pipe to tell it."""
        self.count += 1
        ask, self.answer = (os.path.join(self.dir, "%s-%d" % (what, self.count)) for what in ("ask", "answer"))
        os.mkfifo(ask)
        server = self.start(*options, env={"LD_PRELOAD": PRELOAD, "SANDBOX_ASK": ask, "SANDBOX_ANSWER": self.answer})
        pipe = open(ask, "w", buffering=1, encoding="ascii")
        self.addCleanup(pipe.close)
        return server, pipe

    def answers(self):
        with open(self.answer, encoding="ascii") as f:
            return [int(line) for line in f.read().split("\n")[:-1]]

    def ask(self, pipe, call):
        before = len(self.answers())
        name, *arguments = call.split()
        pipe.write("%s %s\n" % (number(name), " ".join(arguments)))
        resp.wait_until(lambda: len(self.answers()) > before, what=call)
        return self.answers()[-1]

    # ---- from inside ----

    def test_a_program_or_a_process_ends_the_server(self):
        for call in DEADLY + MAKES_A_PROCESS:
            name, *arguments = call.split()
            if number(name) < 0:
                continue  # not on this machine
            with self.subTest(call):
                server, pipe = self.start_with_guest()
                pipe.write("%s %s\n" % (number(name), " ".join(arguments)))
                self.assertEqual(server.wait(), -signal.SIGSYS, server.log())
                self.assertEqual(self.answers(), [])

    def test_without_the_sandbox_the_same_calls_only_fail(self):
        server, pipe = self.start_with_guest("--sandbox", "no")
        for call in DEADLY:
            if number(call.split()[0]) >= 0:
                self.ask(pipe, call)
        self.assertTrue(server.is_running())
        for call, expected in REFUSED.items():
            if expected is not None and number(call.split()[0]) >= 0:
                self.assertEqual(self.ask(pipe, call), expected, call)
        self.assertEqual(server.stop(), 0)

    def test_what_is_not_needed_is_refused(self):
        server, pipe = self.start_with_guest()
        for call in REFUSED:
            if number(call.split()[0]) >= 0:
                self.assertEqual(self.ask(pipe, call), -errno.ENOSYS, call)
        for call in ALLOWED:
            self.assertNotEqual(self.ask(pipe, call), -errno.ENOSYS, call)
        with server.client() as c:
            self.assertEqual(c.call("PING"), b"PONG")
        self.assertEqual(server.stop(), 0)

    def test_all_names_of_the_source_are_calls(self):
        with open(SANDBOX_C, encoding="utf-8") as f:
            source = f.read()
        names = re.findall(r'"(\w+)"', re.search(r"deadly\[\] = \{(.*?)\};", source, re.S).group(1))
        some = set(re.findall(r'\{"(\w+)", (?:WITH|ONLY)', source)) | {"tgkill"}
        self.assertGreater(len(names), 20)
        for name in set(names) | some | set(test_elsewhere.calls()):
            self.assertNotEqual(resolve(name.encode()), -1, name)
        with open(os.path.join(resp.ROOT, "server", "process", "syscalls.def"), encoding="utf-8") as f:
            self.assertEqual(some, set(re.findall(r'^CALL\("(\w+)", \w+, SOME,', f.read(), re.M)))

    # ---- from outside ----

    def test_every_thread_is_in_it(self):
        server = self.start("--snapshot-threads", "3")
        tasks = "/proc/%d/task" % server.pid
        names = os.listdir(tasks)
        self.assertGreater(len(names), 2)
        for task in names:
            with open(os.path.join(tasks, task, "status"), encoding="ascii") as f:
                status = f.read()
            self.assertIn("NoNewPrivs:\t1\n", status)
            self.assertIn("Seccomp:\t2\n", status)
        self.assertEqual(server.stop(), 0)

    def test_the_server_needs_nothing_else(self):
        config = os.path.join(self.dir, "conf")
        with open(config, "w", encoding="ascii") as f:
            f.write("sandbox required\nsave \"\"\naclfile %s\n" % os.path.join(self.dir, "users"))
        with open(os.path.join(self.dir, "users"), "w", encoding="ascii"):
            pass
        os.mkdir(os.path.join(self.dir, "other"))
        server = resp.start(resp.STILLFRAME_SERVER, self.dir, (config, "--enable-protected-configs", "yes", "--enable-debug-command",
                            "yes", "--snapshot-retain", "2", "--snapshot-verify", "yes"))
        self.addCleanup(server.kill)
        with server.client() as c:
            self.assertIn(b"\r\nsandbox:on\r\n", c.call("INFO", "server"))
            self.assertEqual(c.call("CONFIG", "GET", "sandbox"), [b"sandbox", b"required"])
            c.call("DEBUG", "POPULATE", 100000)
            for words in (["EVAL", "return redis.sha1hex('x')", 0], ["BGSAVE"], ["ACL", "SETUSER", "u", "on", "nopass"], ["ACL", "SAVE"],
                          ["ACL", "LOAD"], ["CONFIG", "SET", "maxclients", 2000], ["CONFIG", "REWRITE"], ["MEMORY", "PURGE"]):
                c.call(*words)
            resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in c.call("INFO", "persistence"), 120)
            self.assertIn(b"rdb_last_bgsave_status:ok", c.call("INFO", "persistence"))
            port = resp.free_port()
            c.call("CONFIG", "SET", "port", port)
            with resp.Client(port) as d:
                self.assertEqual(d.call("PING"), b"PONG")
            c.call("CONFIG", "SET", "dir", os.path.join(self.dir, "other"))
            c.call("CONFIG", "SET", "snapshot-threads", 4)
            c.call("SAVE")
            self.assertTrue(os.path.exists(os.path.join(self.dir, "other", "dump.rdb")))
            with self.assertRaises((EOFError, ConnectionError)):
                c.call("DEBUG", "SEGFAULT")
        self.assertEqual(server.wait(), -signal.SIGSEGV)
        self.assertIn("STACK TRACE", server.log())

    def test_where_the_system_refuses_it(self):
        calls = [name for name in test_elsewhere.calls() if name != "seccomp"]
        env = test_elsewhere.listed(calls, ["seccomp"], errno.EINVAL)
        server = self.start(env=env)
        with server.client() as c:
            self.assertIn(b"\r\nsandbox:unavailable\r\n", c.call("INFO", "server"))
        self.assertEqual(server.stop(), 0)
        self.assertIn("WARNING: Sandbox: the system refuses it (", server.log())
        with self.assertRaises(resp.StartError) as refused:
            self.start("--sandbox", "required", env=env)
        self.assertEqual(refused.exception.status, 1)
        self.assertIn("The sandbox, which is required, cannot be put up: ", refused.exception.log)

    def test_it_can_be_left_out(self):
        server = self.start("--sandbox", "no")
        with open("/proc/%d/status" % server.pid, encoding="ascii") as f:
            self.assertIn("Seccomp:\t0\n", f.read())
        with server.client() as c:
            self.assertIn(b"\r\nsandbox:off\r\n", c.call("INFO", "server"))
            with self.assertRaisesRegex(resp.RespError, "immutable"):
                c.call("CONFIG", "SET", "sandbox", "yes")
        self.assertEqual(server.stop(), 0)
        self.assertIn("Sandbox: off, as configured", server.log())

    def test_a_server_without_libseccomp_says_so(self):
        program = os.path.join(resp.ROOT, "build", "plain", "stillframe-server")
        if not os.path.exists(program):
            self.skipTest("make FLAVOUR=plain: it is not built")
        done = subprocess.run([program, "--port", "0", "--sandbox", "required"], cwd=self.dir, capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"This server was built without libseccomp", done.stdout + done.stderr)
        self.assertIn(b"The sandbox, which is required, cannot be put up", done.stdout + done.stderr)
        server = resp.start(program, self.dir, ("--save", ""))
        self.addCleanup(server.kill)
        with server.client() as c:
            self.assertIn(b"\r\nsandbox:off\r\n", c.call("INFO", "server"))
            self.assertEqual(c.call("CONFIG", "GET", "sandbox"), [b"sandbox", b"yes"])
        self.assertEqual(server.stop(), 0)
        self.assertIn("Sandbox: none: this server was built without libseccomp", server.log())


if __name__ == "__main__":
    if os.environ.get("STILLFRAME_FLAVOUR", "release") != "release":
        print("only the release build has a sandbox that is tried here")
        sys.exit(0)
    unittest.main()
