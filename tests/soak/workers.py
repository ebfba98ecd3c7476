"""Threads that load a server and stand still when they are told to.

A worker does one unit of work after the other (unit(), at most some seconds) until the gate is
closed: then it waits, with nothing on its way, until the gate opens.  Who has closed the gate may
use what belongs to workers: reconnect() after the server was started anew.
"""
import threading


class Gate:
    def __init__(self):
        self.changed = threading.Condition()
        self.is_closed = self.is_over = False
        self.failure = None
        self.workers = self.waiting = 0

    def join(self):
        with self.changed:
            self.workers += 1

    def pass_through(self):
        """By a worker between two units; False when all is over."""
        with self.changed:
            self.waiting += 1
            self.changed.notify_all()
            while self.is_closed and not self.is_over:
                self.changed.wait(0.5)
            self.waiting -= 1
            return not self.is_over

    def close(self, seconds=600):
        """Returns when every worker waits."""
        with self.changed:
            self.is_closed = True
            if not self.changed.wait_for(lambda: self.waiting == self.workers or self.failure is not None, seconds):
                raise AssertionError("%d of %d workers have not come to rest" % (self.workers - self.waiting, self.workers))
        self.check()

    def open(self):
        with self.changed:
            self.is_closed = False
            self.changed.notify_all()

    def end(self, failure=None):
        with self.changed:
            self.is_over = True
            self.failure = self.failure or failure
            self.changed.notify_all()

    def check(self):
        if self.failure is not None:
            raise AssertionError("%s met: %s" % self.failure) from self.failure[1]


class Worker(threading.Thread):
    def __init__(self, gate):
        super().__init__(daemon=True)
        self.gate = gate
        self.commands = 0
        gate.join()

    def unit(self):
        raise NotImplementedError

    def reconnect(self):
        pass

    def run(self):
        try:
            while self.gate.pass_through():
                self.unit()
        except Exception as error:  # pylint: disable=broad-except
            self.gate.end((type(self).__name__, error))
