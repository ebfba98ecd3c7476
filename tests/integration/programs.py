"""For the tests with real programs: a server that saves back to back, and crashes when it is told.

A program of clients/ gets the server's port.  It prints "crash" when it has brought its data into a
state that must survive: a save that begins after that line is waited for, the next one begins, and
the server is killed in it and started again, on the same port, from its dump.  The program then
reads "restarted" and goes on; its library has to find the server again by itself.  In the end it
prints "ok".  What is written between "crash" and "restarted" may be lost, as in Redis without AOF.

With PROGRAMS_REDIS=1 the server is redis-server: what a program expects is true there, too.
"""
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

import resp

CLIENTS = os.path.join(resp.HERE, "clients")
NPM = os.path.join(resp.ROOT, "build", "npm", "node_modules")
DEBIAN_PYTHON, DEBIAN_RUBY = "/usr/bin/python3", "/usr/bin/ruby"
FILLER_DATABASE, FILLER_KEYS = 9, 20000  # beside the program's data, so that a save takes its time
LIMIT_SECONDS = 120
IS_REDIS = os.environ.get("PROGRAMS_REDIS") == "1"


class Saver(threading.Thread):
    """Saves one after the other until it is told to stop."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.client = server.client()
        self.started = self.finished = 0
        self.is_stopped = False
        self.error = None
        self.start()

    def run(self):
        try:
            while not self.is_stopped:
                self.started += 1
                self.client.call("BGSAVE")
                resp.wait_until(self.is_idle, 60, 0.002, "the end of a save")
                self.finished += 1
        except Exception as error:  # for whoever waits
            self.error = error

    def is_idle(self):
        info = self.client.call("INFO", "persistence")
        if b"rdb_bgsave_in_progress:0" not in info:
            return False
        if b"rdb_last_bgsave_status:ok" not in info:
            raise AssertionError("a save failed: %r" % info)
        return True

    def save_all(self):
        """Wait for the end of a save that began after this call."""
        begun = self.started
        resp.wait_until(lambda: self.finished > begun or self.error, 60, what="a whole save")
        if self.error:
            raise self.error

    def stop(self):
        self.is_stopped = True
        self.join()
        self.client.close()
        if self.error:
            raise self.error


class Programs(unittest.TestCase):
    server_words = ()  # more arguments of the server

    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.port = resp.free_port()
        self.server = self.saver = None

    def start(self):
        program = resp.start_redis_server if IS_REDIS else resp.start_stillframe
        self.server = program(self.dir, "--save", "", "--port", self.port, *self.server_words)
        self.addCleanup(self.server.kill)

    def begin(self):
        self.start()
        with self.server.client() as c:
            c.call("SELECT", FILLER_DATABASE)
            for i in range(0, FILLER_KEYS, 1000):
                c.call("MSET", *(word for n in range(i, i + 1000) for word in ("filler:%d" % n, "x" * 100)))
        self.saver = Saver(self.server)

    def crash(self):
        """Kill the server in a save, and start it from the save before."""
        self.saver.save_all()
        self.saver.stop()
        with self.server.client() as c:
            c.call("BGSAVE")
        self.server.kill()
        self.start()
        self.saver = Saver(self.server)

    def attend(self, program):
        """Crash when it says so.  How often it did, and what else it has said."""
        said, crashes = [], 0
        for line in program.stdout:
            if line == "crash\n":
                crashes += 1
                self.crash()
                program.stdin.write("restarted\n")
                program.stdin.flush()
            else:
                said.append(line.strip())
        self.saver.save_all()
        self.saver.stop()
        return crashes, said

    def passes(self, *command, **env):
        """Run a program to its end while saves run."""
        self.begin()
        with tempfile.TemporaryFile("w+") as err:
            program = subprocess.Popen([str(w) for w in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err,
                                       text=True, env={**os.environ, **env}, cwd=self.dir, start_new_session=True)
            timer = threading.Timer(LIMIT_SECONDS, os.killpg, (program.pid, signal.SIGKILL))
            timer.start()
            try:
                crashes, said = self.attend(program)
                status = program.wait()
            finally:
                timer.cancel()
                self.end(program)
                err.seek(0)
                complaint = err.read()[-4000:]
            self.assertEqual((status, crashes, said), (0, 1, ["ok"]), complaint)

    @staticmethod
    def end(program):
        """Nothing of it stays, nor of what it has started."""
        try:
            os.killpg(program.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        program.communicate()

    def node(self, packages, script, *words):
        if shutil.which("node") is None:
            self.skipTest("node is not installed")
        for package in packages:
            if not os.path.isdir(os.path.join(NPM, package)):
                self.skipTest("%s of npm is not installed" % package)
        self.passes("node", os.path.join(CLIENTS, script), self.port, *words, NODE_PATH=NPM)

    def python(self, module, package, script):
        if subprocess.run([DEBIAN_PYTHON, "-c", "import " + module], capture_output=True, check=False).returncode != 0:
            self.skipTest("%s is not installed" % package)
        self.passes(DEBIAN_PYTHON, "-B", os.path.join(CLIENTS, script), self.port)

    def ruby(self, library, package, script):
        if subprocess.run([DEBIAN_RUBY, "-r", library, "-e", ""], capture_output=True, check=False).returncode != 0:
            self.skipTest("%s is not installed" % package)
        self.passes(DEBIAN_RUBY, os.path.join(CLIENTS, script), self.port)
