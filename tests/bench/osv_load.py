"""What loads a guest in osv.py: a relay for redis-benchmark, writers, and a probe that times its
commands.  Each in a process of its own, as all of them share no more than the guest."""
import multiprocessing
import os
import selectors
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import resp  # noqa: E402

BACKLOG = 512
CHUNK = 1 << 18
TRIES = 20
ANSWER_SECONDS = 10
ERROR_BYTES = 500  # of an answer


def connect(port, tries=TRIES):
    """A connection to the guest that has answered.  What the forward loses never answers, so it is
    made again."""
    for _ in range(tries):
        s = None
        try:
            s = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.sendall(b"PING\r\n")
            if s.recv(100) == b"+PONG\r\n":
                s.settimeout(300)
                return s
        except OSError:
            pass
        if s is not None:
            s.close()
    raise ConnectionError("no connection to port %d in %d tries" % (port, tries))


class Relay:
    """A port on which all connections are accepted at once; the guest's are made in turn."""

    def __init__(self, guest_port):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(BACKLOG)
        self.port = self.listener.getsockname()[1]
        self.process = multiprocessing.Process(target=relay, args=(self.listener, guest_port), daemon=True)

    def __enter__(self):
        self.process.start()
        self.listener.close()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.join()


def relay(listener, guest_port):
    """Bytes from either side go to the other as they come; a side that ends ends both.  Sending may
    block: the server and redis-benchmark both read whatever else they do."""
    events = selectors.EpollSelector()
    events.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in events.select():
            if key.fileobj is listener:
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                server = connect(guest_port)
                events.register(client, selectors.EVENT_READ, server)
                events.register(server, selectors.EVENT_READ, client)
            elif key.fileobj.fileno() >= 0:  # else its other side has just been closed
                pass_on(events, key.fileobj, key.data)


def pass_on(events, here, there):
    try:
        data = here.recv(CHUNK)
        there.sendall(data)
    except OSError:
        data = b""
    if not data:
        for s in (here, there):
            events.unregister(s)
            s.close()


class Writers:
    """Connections that SET keys of what is there already, with pipelines, as fast as they can."""

    def __init__(self, machine, keys, count=2):
        self.counts = multiprocessing.Array("q", count)
        self.texts = [multiprocessing.Array("c", ERROR_BYTES) for _ in range(count)]
        # One after the other: the forward loses what is connected at the same moment.
        self.processes = [multiprocessing.Process(target=write, args=(connect(machine.port), keys, self.counts, i, self.texts[i]),
                                                  daemon=True) for i in range(count)]

    def __enter__(self):
        for p in self.processes:
            p.start()
        return self

    def __exit__(self, *_):
        for p in self.processes:
            p.kill()
            p.join()

    def done(self):
        """Writes that were answered with OK."""
        return sum(self.counts)

    def error(self):
        """The last error that a writer had for an answer, or ''."""
        return next((t.value.decode() for t in self.texts if t.value), "")


def write(sock, keys, counts, index, text):
    """Until it is killed."""
    made = [b"".join(resp.pack("SET", "key:%012d" % (k * 7919 % keys), "y" * 100) for k in range(i, i + 16))
            for i in range(index * 16000, index * 16000 + 16000, 16)]
    stream = sock.makefile("rb")
    while True:
        for batch in made:
            sock.sendall(batch)
            for _ in range(16):
                line = stream.readline()
                if line == b"+OK\r\n":
                    counts[index] += 1
                elif line[:1] == b"-":
                    text.value = line.strip()[1:ERROR_BYTES - 1]
                else:
                    return


class Probe(threading.Thread):
    """One SET after the other, each timed, without and within a save (.within)."""

    def __init__(self, machine, keys):
        super().__init__(daemon=True)
        self.sock, self.keys = connect(machine.port), keys
        self.times, self.within, self.stopped = ([], []), False, False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.join()
        self.sock.close()

    def run(self):
        try:
            self.measure()
        except OSError:
            pass  # the machine is gone: what was measured until then counts

    def measure(self):
        i = 0
        while not self.stopped:
            i += 1
            command = resp.pack("SET", "key:%012d" % (i * 104729 % self.keys), "z" * 100)
            within, began = self.within, time.perf_counter()
            self.sock.sendall(command)
            self.sock.recv(4096)
            self.times[within].append((time.perf_counter() - began) * 1000)
            time.sleep(0.001)

    def quantiles(self, within):
        times = sorted(self.times[within])
        if not times:
            return "-"
        return "/".join("%.1f" % times[min(len(times) - 1, int(len(times) * q))] for q in (0.5, 0.99, 1))
