"""A small RESP client and servers to talk to, for the tests.  Standard library only.

Replies: bulk and simple strings are bytes, integers int, arrays lists, null None; of RESP3: maps
dict, sets lists, doubles float, booleans bool.  An error reply raises RespError from call(); within
an array, and from pipeline(), it is a RespError among the values.

Programs: STILLFRAME_SERVER (build/stillframe-server), STILLFRAME_RDB (build/stillframe-rdb),
REDIS_SERVER (redis-server in PATH, or redis-check-rdb, which is the same program under another
name).
"""
import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
STILLFRAME_SERVER = os.environ.get("STILLFRAME_SERVER", os.path.join(ROOT, "build/stillframe-server"))
STILLFRAME_RDB = os.environ.get("STILLFRAME_RDB", os.path.join(ROOT, "build/stillframe-rdb"))
START_SECONDS = 60
FIRST_PORT, LAST_PORT = 20000, 32000  # below the ports that the kernel gives to outgoing connections


class RespError(Exception):
    """An error reply; str() is its text."""

    def __eq__(self, other):
        return isinstance(other, RespError) and str(self) == str(other)

    def __hash__(self):
        return hash(str(self))


class Client:
    """One connection."""

    sock = None  # until it is connected

    def __init__(self, port=None, host="127.0.0.1", timeout=120, path=None):
        if path is not None:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(path)
        else:
            self.sock = socket.create_connection((host, port), timeout=timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = b""
        self.at = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.sock is not None:
            self.sock.close()

    __del__ = close

    def call(self, *args):
        """Send one command, return its reply; an error reply is raised."""
        self.sock.sendall(pack(*args))
        return self.read(raising=True)

    def pipeline(self, commands):
        """Send all commands at once, return the list of replies, errors among them."""
        self.sock.sendall(b"".join(pack(*c) for c in commands))
        return [self.read() for _ in commands]

    def send(self, *args):
        """Send one command without waiting for its reply: read() gets it."""
        self.sock.sendall(pack(*args))

    def send_raw(self, data):
        self.sock.sendall(data)

    def read(self, raising=False):
        """The next reply."""
        kind, rest = self._line()
        value = self._value(kind, rest)
        if raising and isinstance(value, RespError):
            raise value
        return value

    def _more(self):
        data = self.sock.recv(1 << 18)
        if not data:
            raise EOFError("the server closed the connection")
        self.buf = self.buf[self.at:] + data
        self.at = 0

    def _line(self):
        searched = self.at
        while True:
            end = self.buf.find(b"\r\n", searched)
            if end >= 0:
                line = self.buf[self.at:end]
                self.at = end + 2
                if not line:
                    raise ValueError("an empty line where a reply belongs")
                return line[:1], line[1:]
            keep = max(len(self.buf) - self.at - 1, 0)  # the "\r" may be there already
            self._more()
            searched = keep

    def _bytes(self, n):
        while len(self.buf) - self.at < n + 2:
            missing = n + 2 - (len(self.buf) - self.at)
            if missing > 1 << 20:  # a long string: collect it without copying what is there again and again
                parts, got = [self.buf[self.at:]], 0
                while got < missing:
                    data = self.sock.recv(min(1 << 20, missing - got))
                    if not data:
                        raise EOFError("the server closed the connection")
                    parts.append(data)
                    got += len(data)
                self.buf, self.at = b"".join(parts), 0
            else:
                self._more()
        data = self.buf[self.at:self.at + n]
        if self.buf[self.at + n:self.at + n + 2] != b"\r\n":
            raise ValueError("a string that does not end where it should")
        self.at += n + 2
        return data

    def _value(self, kind, rest):
        if kind == b"+":
            return rest
        if kind == b"-":
            return RespError(rest.decode("utf-8", "backslashreplace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._bytes(int(rest))
        if kind in (b"*", b"~", b">"):
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        if kind == b"%":
            return {hashable(self.read()): self.read() for _ in range(int(rest))}
        if kind == b"|":  # attributes: read over them
            for _ in range(2 * int(rest)):
                self.read()
            return self.read()
        if kind == b"_":
            return None
        if kind == b"#":
            return rest == b"t"
        if kind == b",":
            return float(rest)
        if kind == b"(":
            return int(rest)
        if kind == b"=":
            return self._bytes(int(rest))[4:]
        if kind == b"!":
            return RespError(self._bytes(int(rest)).decode("utf-8", "backslashreplace"))
        raise ValueError("a reply that starts with %r" % kind)


def hashable(value):
    return tuple(map(hashable, value)) if isinstance(value, list) else value


def pack(*args):
    """A command as an array of bulk strings; str and numbers are encoded."""
    out = [b"*%d\r\n" % len(args)]
    for a in args:
        if not isinstance(a, (bytes, bytearray)):
            a = str(a).encode()
        out.append(b"$%d\r\n%b\r\n" % (len(a), a))
    return b"".join(out)


def wait_until(condition, seconds=30, step=0.01, what="a condition"):
    """Wait until condition() is true, and return what it returned."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited %g s in vain for %s" % (seconds, what))
        time.sleep(step)


def keepalive_timer(server, client):
    """Ticks until the system probes the server's end of this connection, None if it is not about
    to: the system connects before the server accepts, and has another timer while it sends."""
    ends = "0100007F:%04X 0100007F:%04X 01" % (server.port, client.sock.getsockname()[1])
    with open("/proc/net/tcp") as f:
        timers = [line.split()[5] for line in f if ends in line]
    kind, when = timers[0].split(":") if timers else ("00", "0")
    return int(when, 16) if kind == "02" else None


def free_port():
    """A port that nobody listens on at this moment."""
    while True:
        port = random.SystemRandom().randrange(FIRST_PORT, LAST_PORT)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Server:
    """A running server: .port, .pid, .dir, .process."""

    def __init__(self, command, directory, port):
        self.dir = str(directory)
        self.port = port
        self.command = command
        self._log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=self._log,
                                        stderr=subprocess.STDOUT)
        self.pid = self.process.pid
        running.append(self)

    def log(self):
        """What it has printed so far."""
        if self._log is not None:
            self._printed = os.pread(self._log.fileno(), 1 << 24, 0).decode("utf-8", "backslashreplace")
        return self._printed

    def client(self, **options):
        return Client(port=self.port, **options)

    def is_running(self):
        return self.process.poll() is None

    def wait(self, seconds=60):
        """Wait for its end; returns the exit status (negative: a signal's number)."""
        status = self.process.wait(seconds)
        if self in running:
            running.remove(self)
        self.log()
        if self._log is not None:
            self._log.close()
            self._log = None
        return status

    def stop(self, seconds=60):
        """SIGTERM, and SIGKILL if that does not help.  Returns the exit status; may be called
        again."""
        if self.is_running():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.wait(seconds)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self):
        """SIGKILL: a crash.  Returns the exit status."""
        if self.is_running() and os.environ.get("STILLFRAME_FLAVOUR") == "coverage" and "stillframe-server" in map(os.path.basename, self.command):
            self.process.send_signal(signal.SIGUSR2)  # tests/coverage/counts.c: SIGKILL, behind its counts
            try:
                return self.wait(5)
            except subprocess.TimeoutExpired:
                pass
        if self.is_running():
            self.process.kill()
        return self.wait()

    def wait_ready(self, seconds=START_SECONDS):
        def answers():
            if not self.is_running():
                raise StartError(self)
            try:
                with Client(port=self.port, timeout=5) as c:
                    return c.call("PING") == b"PONG"
            except (OSError, EOFError):
                return False
            except RespError as e:
                if str(e).startswith("LOADING"):
                    return False
                return True  # it asks for a password, say: it answers
        wait_until(answers, seconds, what="%s to answer" % self.command[0])


class StartError(Exception):
    """The server ended before it answered: .status, .log."""

    def __init__(self, server):
        self.status = server.wait()
        self.log = server.log()
        super().__init__("%s ended with %s:\n%s" % (server.command[0], self.status, self.log))


running = []


@atexit.register
def kill_running():
    for server in list(running):
        server.kill()


def start(program, directory, args, ready=True, under=()):
    """Start a server in directory; unless args name a port, on a free one.  under: words of another
    program that runs it."""
    args = [str(a) for a in args]
    is_given = "--port" in args
    for attempt in range(10):
        port = int(args[args.index("--port") + 1]) if is_given else free_port()
        command = [*under, program] + args + ([] if is_given else ["--port", str(port)])
        server = Server(command, directory, port)
        if not ready:
            return server
        try:
            server.wait_ready()
            return server
        except StartError as e:
            if is_given or attempt == 9 or "already in use" not in e.log:
                raise
    raise AssertionError("not reached")


def start_stillframe(directory, *args, **options):
    return start(STILLFRAME_SERVER, directory, args, **options)


def start_redis_server(directory, *args, **options):
    return start(redis_server(), directory, args, **options)


def redis_server():
    """The path of a program that behaves as redis-server."""
    given = os.environ.get("REDIS_SERVER") or shutil.which("redis-server")
    if given:
        return given
    check = shutil.which("redis-check-rdb")
    if check is None:
        raise FileNotFoundError("neither redis-server nor redis-check-rdb is in PATH: install redis-tools")
    if not hasattr(redis_server, "link"):
        d = tempfile.mkdtemp(prefix="redis-server-")
        atexit.register(shutil.rmtree, d, ignore_errors=True)
        redis_server.link = os.path.join(d, "redis-server")
        os.symlink(os.path.realpath(check), redis_server.link)
    return redis_server.link
