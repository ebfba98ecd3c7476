#!/usr/bin/env python3
"""Places without fork, or where it is refused: one life of a server in each, with saves beside
writes.  What cannot be tried on a machine is skipped with a line that says why.

    test_elsewhere.py           the tests
    test_elsewhere.py calls     the system calls of a life, phase by phase
    test_elsewhere.py life DIRECTORY
                                a life without anything around it; ends with a line "LIVED"
    test_elsewhere.py machine   lives in a machine that runs nothing else and then powers off
"""
import ctypes
import errno
import fcntl
import mmap
import os
import re
import resource
import shlex
import shutil
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

HELPERS = os.path.join(resp.ROOT, "build", "tests", "integration")
PRELOAD = os.path.join(HELPERS, "syscalls_preload.so")
SHARED = os.path.join(resp.ROOT, "build", "shared", "stillframe.so")
FORMS = {"executable": [resp.STILLFRAME_SERVER], "shared object": [os.path.join(HELPERS, "loader"), SHARED]}
GROWN = os.path.join(HELPERS, "server_grown")
KEYS = 20000


# ---- a life ----

class Place:
    """How a server is started somewhere: before: words before its own; env: what it finds there;
    options: options for it; form: of FORMS, or a program."""

    def __init__(self, directory, before=(), env=None, options=(), form="executable", preexec=None):
        self.dir, self.before, self.env = directory, list(before), env or {}
        self.options, self.form, self.preexec = list(options), form, preexec

    def start(self):
        port = resp.free_port()
        command = (self.before + FORMS.get(self.form, [self.form]) +
                   ["--port", str(port), "--dir", self.dir + "/", "--enable-debug-command", "yes", "--save", ""] + self.options)
        server = Process(command, self.dir, port, dict(os.environ, **self.env), self.preexec)
        server.wait_ready()
        return server


class Process(resp.Server):
    """A server with an environment and limits of its own."""

    def __init__(self, command, directory, port, env, preexec):
        popen = subprocess.Popen

        def with_env(*args, **options):
            return popen(*args, env=env, preexec_fn=preexec, **options)
        subprocess.Popen = with_env
        try:
            super().__init__(command, directory, port)
        finally:
            subprocess.Popen = popen


def end(server, *how):
    """SHUTDOWN, and the exit status of whatever was started."""
    with server.client() as c:
        try:
            c.call("SHUTDOWN", *how)
        except EOFError:
            pass
    return server.wait()


def is_idle(c):
    return b"rdb_bgsave_in_progress:0" in c.call("INFO", "persistence")


def write_some(c, value, step):
    for i in range(0, KEYS, step):
        c.call("SET", "key:%d" % i, value)
        c.call("HSET", "h", "f%d" % (i % 300), value)


def serve(c):
    c.call("DEBUG", "POPULATE", KEYS, "key", 100)
    c.call("HSET", "h", *sum((["f%d" % i, "v" * 100] for i in range(300)), []))
    c.call("RPUSH", "l", *range(1000))
    c.call("ZADD", "z", *range(2000))
    c.call("SADD", "s", *range(1000))
    c.call("XADD", "x", "*", "field", "value")
    c.call("SET", "kept", "for long", "EX", 1000000)
    c.call("INFO", "everything")
    c.call("CONFIG", "SET", "maxclients", 100)
    c.call("MEMORY", "PURGE")


def save(test, c):
    """Saves beside writes, one of them given up.  Returns the digest of the last one's cut."""
    for i in range(2):
        test.assertEqual(c.call("BGSAVE"), b"Background saving started")
        write_some(c, "beside-%d" % i, 70)
        resp.wait_until(lambda: is_idle(c), 120)
        test.assertIn(b"rdb_last_bgsave_status:ok", c.call("INFO", "persistence"))
    c.call("CONFIG", "SET", "snapshot-rate-limit", 1000)  # so that it is not over before it is given up
    c.call("BGSAVE")
    test.assertEqual(c.call("BGSAVE", "CANCEL"), b"Background saving cancelled")
    resp.wait_until(lambda: is_idle(c), 120)
    c.call("CONFIG", "SET", "snapshot-rate-limit", 0)
    c.call("SAVE")
    digest, started = c.pipeline([["MULTI"], ["DEBUG", "DIGEST"], ["BGSAVE"], ["EXEC"]])[3]
    test.assertEqual(started, b"Background saving started")
    write_some(c, "after the cut", 50)
    resp.wait_until(lambda: is_idle(c), 120)
    test.assertIn(b"rdb_last_bgsave_status:ok", c.call("INFO", "persistence"))
    test.assertNotEqual(c.call("DEBUG", "DIGEST"), digest)
    return digest


def live(test, place, mark=lambda phase: None):
    """Start, serve, save beside writes, end; start again with the data of the last cut; end with a
    save; start again with what was there at the end."""
    server = place.start()
    mark("start")
    with server.client() as c:
        serve(c)
        mark("service")
        digest = save(test, c)
        mark("save")
    test.assertEqual(end(server, "NOSAVE"), 0, server.log())
    mark("end")
    server = place.start()
    with server.client() as c:
        test.assertEqual(c.call("DEBUG", "DIGEST"), digest)
        write_some(c, "last", 100)
        digest = c.call("DEBUG", "DIGEST")
    test.assertEqual(end(server, "SAVE"), 0, server.log())
    server = place.start()
    with server.client() as c:
        test.assertEqual(c.call("DEBUG", "DIGEST"), digest)
    test.assertEqual(server.stop(), 0, server.log())


# ---- system calls ----

def calls():
    """syscalls.def: {name: (need, what for)}."""
    with open(os.path.join(resp.ROOT, "server", "process", "syscalls.def")) as f:
        found = re.findall(r'^CALL\("(\w+)", (MUST|MAY|LIBC), \w+, "([^"]*)"\)$', f.read(), re.M)
    return {name: (need, why) for name, need, why in found}


def named(*needs):
    return [name for name, (need, _) in calls().items() if need in needs]


def listed(allowed, refused=(), error=errno.ENOSYS):
    """The environment of a process that may make these calls."""
    return {"LD_PRELOAD": PRELOAD, "SYSCALLS_ALLOWED": " ".join(allowed), "SYSCALLS_REFUSED": " ".join(refused),
            "SYSCALLS_ERRNO": str(error)}


def everything(directory):
    """Options that make a server use what it can use."""
    return ["--unixsocket", os.path.join(directory, "socket"), "--unixsocketperm", "700",
            "--pidfile", os.path.join(directory, "pid"), "--snapshot-threads", "2", "--snapshot-retain", "2",
            "--snapshot-verify", "yes"]


class InADirectory(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="stillframe-elsewhere-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)


class SystemCalls(InADirectory):
    """The whole life with a short list of system calls; anything else ends the process."""

    def place(self, allowed, refused=(), error=errno.ENOSYS, form="executable"):
        return Place(self.dir, env=listed(allowed, refused, error), options=everything(self.dir), form=form)

    def test_a_call_that_is_not_in_the_list_ends_the_process(self):
        for missing in ("fsync", "rename"):
            server = self.place([c for c in calls() if c != missing]).start()
            with server.client() as c, self.assertRaises((EOFError, ConnectionError)):
                c.call("SAVE")
            self.assertEqual(server.wait(), 99)
            self.assertIn("not in the list: " + missing, server.log())

    def test_a_life_with_the_calls_of_the_list(self):
        for form in FORMS:
            with self.subTest(form):
                live(self, self.place(calls(), form=form))

    # A system that lacks them answers ENOSYS, a container's filter EPERM.
    def test_a_life_without_those_that_may_be_missing(self):
        for error in (errno.ENOSYS, errno.EPERM):
            with self.subTest(errno.errorcode[error]):
                live(self, self.place(named("MUST", "LIBC"), named("MAY"), error))
                server = self.place(named("MUST", "LIBC"), named("MAY"), error).start()
                with server.client() as c:
                    save_once(self, c)
                    self.assertIn(b"rdb_last_retain_status:err", c.call("INFO", "persistence"))
                self.assertEqual(server.stop(), 0, server.log())

    def test_a_crash_report_needs_no_more(self):
        server = self.place(calls()).start()
        with server.client() as c, self.assertRaises((EOFError, ConnectionError)):
            c.call("DEBUG", "SEGFAULT")
        self.assertEqual(server.wait(), -signal.SIGSEGV)
        self.assertIn("STACK TRACE", server.log())

    def test_a_start_without_one_that_must_be_there_says_why(self):
        for missing, complaint in (("mmap", "The arena cannot be reserved: Cannot allocate memory"),
                                   ("clone", "The snapshot thread cannot be started: Function not implemented"),
                                   ("epoll_create1", "The event loop cannot be set up: Function not implemented"),
                                   ("socket", "socket"), ("chdir", "Changing the working directory")):
            with self.subTest(missing), self.assertRaises(resp.StartError) as refused:
                self.place([c for c in calls() if c != missing], [missing]).start()
            self.assertEqual(refused.exception.status, 1)
            self.assertIn(complaint, refused.exception.log)

    def test_what_the_list_says_is_used_is_used(self):
        used = set().union(*count_phases(self, self.dir).values())
        self.assertLessEqual(used, set(calls()))
        for name in ("fsync", "rename", "epoll_wait", "flock", "linkat", "fadvise64"):
            self.assertIn(name, used)


def count_phases(test, directory):
    """{phase: the calls that a life makes in it}."""
    path = os.path.join(directory, "counts")
    name_of = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_num_arch
    name_of.restype = ctypes.c_char_p
    before, phases = [0] * 1024, {}

    def mark(phase):
        with open(path, "rb") as f:
            now = list(struct.unpack("1024Q", f.read()))
        phases[phase] = {name_of(0, nr).decode() for nr in range(1024) if now[nr] > before[nr]}
        before[:] = now
    # Without the sandbox, which would count for the thread that counts, too.
    options = everything(directory) + ["--sandbox", "no"]
    live(test, Place(directory, env={"LD_PRELOAD": PRELOAD, "SYSCALLS_COUNTS": path}, options=options), mark)
    return phases


class Processes(InADirectory):
    """Where the system refuses one process, or one thread, more."""

    # RLIMIT_NPROC counts threads too: as many as a server has when it is ready are enough.
    @unittest.skipUnless(os.geteuid() == 0, "a user of its own, which root alone can give it, has a limit of its own")
    def test_without_room_for_another_process(self):
        nobody = 61234  # no process has this user's id but the server

        def limited(count):
            def limit():
                resource.setrlimit(resource.RLIMIT_NPROC, (count, count))
                os.setgroups([])
                os.setgid(nobody)
                os.setuid(nobody)
            return limit
        os.chmod(self.dir, 0o777)
        server = Place(self.dir, preexec=limited(100)).start()
        with open("/proc/%d/status" % server.pid) as f:
            threads = int(re.search(r"^Threads:\s+(\d+)", f.read(), re.M).group(1))
        self.assertEqual(end(server, "NOSAVE"), 0)
        live(self, Place(self.dir, preexec=limited(threads)))
        with self.assertRaises(resp.StartError) as refused:
            Place(self.dir, preexec=limited(1)).start()
        self.assertEqual(refused.exception.status, 1)
        self.assertIn("The snapshot thread cannot be started: Resource temporarily unavailable", refused.exception.log)


# ---- a machine of its own ----

PAYLOAD = 131072
SCRATCH = "/mnt"  # memory, as a file system


def kib(name):
    with open("/proc/meminfo") as f:
        return int(re.search(r"^%s:\s+(\d+) kB$" % name, f.read(), re.M).group(1))


def write_file(path, text):
    with open(path, "w") as f:
        f.write(str(text))


def bring_loopback_up():
    with socket.socket() as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS, up and running


def new_directory(name):
    path = os.path.join(SCRATCH, name)
    os.mkdir(path)
    return path


def save_once(test, c):
    test.assertEqual(c.call("BGSAVE"), b"Background saving started")
    for i in range(100):
        c.call("SET", "key:%d" % i, "beside-%d" % i)
    resp.wait_until(lambda: is_idle(c), 120)
    test.assertIn(b"rdb_last_bgsave_status:ok", c.call("INFO", "persistence"))


def take_what_is_left(piece=65536):
    """All that may still be promised, but for half a MiB that this program itself may need: less
    than a save takes."""
    pieces = []
    try:
        while True:
            pieces.append(mmap.mmap(-1, piece, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    except OSError as e:
        assert e.errno == errno.ENOMEM, e
    return pieces[8:]


def live_where_memory_is_promised_once(test):
    """vm.overcommit_memory=2: a process that has more than half of what may be promised cannot
    fork, since its copy would be promised the same.  Files are the outer machine's: those in
    memory are promised, too."""
    write_file("/proc/sys/vm/overcommit_ratio", 80)
    write_file("/proc/sys/vm/overcommit_memory", 2)
    limit = kib("CommitLimit") << 10
    big = bytearray(limit * 6 // 10)
    with test.assertRaises(OSError) as refused:
        if os.fork() == 0:
            os._exit(0)
    test.assertEqual(refused.exception.errno, errno.ENOMEM)
    del big
    directory = new_directory("promised")
    subprocess.run(["mount", "-t", "hostfs", "-o", os.environ["HOST_DIRECTORY"], "none", directory], check=True)
    place = Place(directory)
    server = place.start()
    with server.client() as c:
        c.call("DEBUG", "POPULATE", limit * 55 // 100 // PAYLOAD, "key", PAYLOAD)
        test.assertGreater(kib("Committed_AS") << 10, limit // 2)
        save_once(test, c)
        with test.assertRaises(resp.RespError) as full:
            c.call("DEBUG", "POPULATE", limit // PAYLOAD, "more", PAYLOAD)
        test.assertTrue(str(full.exception).startswith("OOM "), full.exception)
        test.assertEqual(c.call("GET", "key:7"), b"beside-7")
        taken = take_what_is_left()
        save_once(test, c)
        for piece in taken:
            piece.close()
        c.call("DEL", *("more:%d" % i for i in range(200)))
        digest = c.call("DEBUG", "DIGEST")
    test.assertEqual(end(server, "SAVE"), 0, server.log())
    server = place.start()
    with server.client() as c:
        test.assertEqual(c.call("DEBUG", "DIGEST"), digest)
    test.assertEqual(server.stop(), 0, server.log())
    write_file("/proc/sys/vm/overcommit_memory", 0)


def live_in_a_group_without_room(test):
    """A control group that may have as many tasks as a server that is ready, and no more."""
    root = new_directory("groups")
    subprocess.run(["mount", "-t", "cgroup2", "none", root], check=True)
    write_file(os.path.join(root, "cgroup.subtree_control"), "+pids")
    group = os.path.join(root, "server")
    os.mkdir(group)

    def enter():
        write_file(os.path.join(group, "cgroup.procs"), 0)
    server = Place(new_directory("tasks"), preexec=enter).start()
    with open(os.path.join(group, "pids.current")) as f:
        tasks = int(f.read())
    test.assertEqual(server.stop(), 0, server.log())
    write_file(os.path.join(group, "pids.max"), tasks)
    live(test, Place(new_directory("few-tasks"), preexec=enter))
    write_file(os.path.join(group, "pids.max"), 1)
    with test.assertRaises(resp.StartError) as refused:
        Place(new_directory("one-task"), preexec=enter).start()
    test.assertIn("The snapshot thread cannot be started: Resource temporarily unavailable", refused.exception.log)


def live_in_groups_of_version_2(test):
    """The tests of control groups that test_limits.py has; outside they are of the version that the
    machine has.  Files are the outer machine's: those in memory would be the group's."""
    root = "/sys/fs/cgroup"
    subprocess.run(["mount", "-t", "cgroup2", "none", root], check=True)
    write_file(os.path.join(root, "cgroup.subtree_control"), "+memory +pids")
    directory = new_directory("grouped")
    subprocess.run(["mount", "-t", "hostfs", "-o", os.environ["HOST_DIRECTORY"], "none", directory], check=True)
    limits = os.path.join(os.path.dirname(os.path.abspath(__file__)), "test_limits.py")
    done = subprocess.run([sys.executable, limits, "-v", "Groups"], env=dict(os.environ, TMPDIR=directory), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    for name in ("test_a_save_under_writes_is_not_killed", "test_a_group_that_may_have_no_thread_more"):
        test.assertRegex(done.stdout, r"%s \(.*\) \.\.\. ok" % name)
    test.assertEqual(done.returncode, 0, done.stdout)


def live_without_proc(test):
    subprocess.run(["umount", "/proc"], check=True)
    live(test, Place(new_directory("no-proc")))
    subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)


def machine():
    print("BOOTED", flush=True)
    bring_loopback_up()
    for part in (live_where_memory_is_promised_once, live_in_a_group_without_room, live_in_groups_of_version_2,
                 live_without_proc):
        print(part.__name__, flush=True)
        part(unittest.TestCase())
    print("LIVED", flush=True)


class Memory(InADirectory):
    # Without an MMU a reservation is memory, at once and for good.
    def test_where_memory_only_grows(self):
        place = Place(self.dir, form=GROWN, options=["--arena-size", "64mb"])
        live(self, place)
        server = place.start()
        with server.client() as c:
            with self.assertRaises(resp.RespError) as full:
                c.call("DEBUG", "POPULATE", 1000, "big", PAYLOAD)
            self.assertTrue(str(full.exception).startswith("OOM "), full.exception)
            save_once(self, c)
            c.call("FLUSHALL")
            resp.wait_until(lambda: b"lazyfree_pending_objects:0" in c.call("INFO", "memory"))
            c.call("MEMORY", "PURGE")
            serve(c)  # in what was filled and given up
            digest = c.call("DEBUG", "DIGEST")
        self.assertEqual(end(server, "SAVE"), 0, server.log())
        server = place.start()
        with server.client() as c:
            self.assertEqual(c.call("DEBUG", "DIGEST"), digest)
        self.assertEqual(server.stop(), 0, server.log())


# ---- whole systems ----

def inside(*command):
    """This file, run somewhere else."""
    return [sys.executable, os.path.abspath(__file__)] + list(command)


def run_there(command, seconds, env=None):
    """(exit status, what it printed); None as status: it was not done in time, and is not there any
    more, with all that it started."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="backslashreplace", env=env, start_new_session=True) as p:
        try:
            printed = p.communicate(timeout=seconds)[0]
            return p.returncode, printed
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            return None, p.communicate()[0]


def last_line(text):
    return (text.strip().splitlines() or ["it printed nothing"])[-1]


class Elsewhere(InADirectory):
    LIMIT_SECONDS = 900

    def test_under_gvisor(self):
        if shutil.which("runsc") is None:
            self.skipTest("gVisor: runsc is not installed")
        runsc = ["runsc", "--rootless", "--network=none", "--ignore-cgroups", "--root", os.path.join(self.dir, "runsc"), "do"]
        status, printed = run_there(runsc + ["true"], 120)
        if status != 0:
            self.skipTest("gVisor does not work on this machine: " + last_line(printed))
        os.mkdir(os.path.join(self.dir, "data"))
        status, printed = run_there(runsc + inside("life", os.path.join(self.dir, "data")), self.LIMIT_SECONDS)
        self.assertEqual(status, 0, printed)
        self.assertIn("LIVED", printed.splitlines())

    # User-mode Linux: a kernel that is a program, over this machine's files, read-only.
    def test_in_a_linux_of_its_own(self):
        if shutil.which("linux.uml") is None:
            self.skipTest("user-mode-linux is not installed")
        if not os.path.isdir(SCRATCH):
            self.skipTest("there is no directory %s to mount memory at" % SCRATCH)
        init, files = os.path.join(self.dir, "init"), os.path.join(self.dir, "files")
        os.mkdir(files)
        write_file(init, "#!/bin/sh\nmount -t proc proc /proc\nmount -t tmpfs tmpfs %s\nexport TMPDIR=%s\nexport HOST_DIRECTORY=%s\n%s\n"
                   "echo o >/proc/sysrq-trigger\nsleep 60\n" % (SCRATCH, SCRATCH, shlex.quote(files), shlex.join(inside("machine"))))
        os.chmod(init, 0o755)
        kernel = ["linux.uml", "mem=512M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet", "con=null",
                  "con0=fd:0,fd:1", "init=" + init]
        _, printed = run_there(kernel, self.LIMIT_SECONDS, dict(os.environ, TMPDIR=self.dir, HOME=self.dir))
        if "BOOTED" not in printed.splitlines():
            self.skipTest("user-mode Linux does not boot on this machine: " + last_line(printed))
        self.assertIn("LIVED", printed.splitlines(), printed)


def main():
    if sys.argv[1:2] == ["machine"]:
        machine()
    elif sys.argv[1:2] == ["life"]:
        live(unittest.TestCase(), Place(sys.argv[2]))
        print("LIVED")
    elif sys.argv[1:2] == ["calls"]:
        with tempfile.TemporaryDirectory() as d:
            phases, known = count_phases(unittest.TestCase(), d), calls()
        for phase, made in phases.items():
            print("%s:" % phase)
            for need in ("MUST", "MAY", "LIBC"):
                print("    %-5s" % need, " ".join(sorted(c for c in made if known.get(c, ("?", ""))[0] == need)))
    else:
        unittest.main()


if __name__ == "__main__":
    if os.environ.get("STILLFRAME_FLAVOUR", "release") != "release":
        print("only the release build is tried here")
        sys.exit(0)
    started = time.time()
    main()
