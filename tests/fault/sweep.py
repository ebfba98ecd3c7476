"""The sweeps of test_calls.py and test_calls_more.py: a phase of a program's life is run once to
find the places that call a function of calls.def, and then again for each failure that is wanted.

In the long form (CALLS_LONG=1) that is, for each place: the first call with each error, once and
for good; and twelve of the later ones.  In the short one a place that no phase before had fails
once, with one of its errors; two fifths of them for good, an eighth at a later call; of those that
an earlier phase had, a sixth fails in one of these ways.  Which, is drawn from its name, the
same each time.
"""
import collections
import contextlib
import errno
import json
import os
import platform
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
import resp  # noqa: E402

sys.path.insert(0, HERE)
import calls  # noqa: E402
import memcheck  # noqa: E402

LONG = os.environ.get("CALLS_LONG") == "1"
VERBOSE = os.environ.get("CALLS_VERBOSE") == "1"
ONLY = os.environ.get("CALLS_PHASE", "")
REACHED = os.environ.get("CALLS_REACHED", "")
TABLE = calls.Table()
OPTIONS = ("--enable-debug-command", "yes", "--enable-protected-configs", "yes", "--stop-writes-on-bgsave-error", "no")
ANSWER_SECONDS = 10 * memcheck.SLOWER  # a client that waits longer has been forgotten

reached = collections.defaultdict(set)  # program: places
phases = collections.defaultdict(list)  # (program, place): phases
injected = collections.Counter()        # phase: failures


@unittest.skipUnless(platform.machine() == "x86_64", "the interposer is for x86-64")
class Sweep(unittest.TestCase):
    def setUp(self):
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # what a disk does is not the question
        self.dir = tempfile.mkdtemp(prefix="stillframe-calls-", dir=memory)
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.control = calls.Control(os.path.join(self.dir, "control"))
        self.findings = []

    def path(self, *names):
        return os.path.join(self.dir, *names)

    @contextlib.contextmanager
    def preloaded(self):
        more = self.control.environment()
        os.environ.update(more)
        try:
            yield
        finally:
            for name in more:
                del os.environ[name]

    @staticmethod
    def all_plans(found):
        """(function, place, error, which call, all behind it too)"""
        draw = random.Random(34)
        for (function, place), many in sorted(found.items()):
            for error in TABLE.errors[function]:
                yield function, place, error, 1, False
                if error not in calls.WAITS:
                    yield function, place, error, 1, True
            error = TABLE.errors[function][0]
            for n in sorted(draw.sample(range(2, many + 1), min(many - 1, 12))):
                yield function, place, error, n, False
                if error not in calls.WAITS:
                    yield function, place, error, n, True

    @staticmethod
    def some_plans(phase, found, known):
        """known: what earlier phases had."""
        draw = random.Random(phase)
        for (function, place), many in sorted(found.items()):
            error, chance = draw.choice(TABLE.errors[function]), draw.random()
            later = draw.randint(2, many) if many > 1 else 1
            if place in known:
                if chance < 0.18:
                    yield function, place, error, later if chance < 0.1 else 1, chance > 0.15 and error not in calls.WAITS
                continue
            yield function, place, error, 1, False
            error = TABLE.errors[function][0]
            if chance < 0.4 and error not in calls.WAITS:
                yield function, place, error, 1, True
            if chance > 0.88 and many > 1:
                yield function, place, error, later, False

    def sweep(self, phase, program, run):
        """run(plan): does it with that armed and looks at what is left; plan None: nothing is
        armed.  It raises what is wrong."""
        if ONLY not in phase:
            return
        start = time.monotonic()
        found = self.control.count(lambda: run(None))
        names = calls.lines_of(program, {place for _, place in found})
        if os.environ.get("STILLFRAME_FLAVOUR") == "coverage":  # what counts has to count
            found = {at: n for at, n in found.items() if "gcov" not in names[at[1]]}
        plans = list(self.all_plans(found) if LONG else self.some_plans(phase, found, reached[program]))
        reached[program] |= {place for _, place in found}
        for _, place in found:
            phases[program, place].append(phase)
        made = tried = 0
        for plan in plans:
            function, place, error, nth, forever = plan
            text = "%s: %s in %s fails with %s, call %d%s" % (
                phase, function, names[place], errno.errorcode[error], nth, " and all after it" if forever else "")
            begin = time.monotonic()
            try:
                made += run(plan)
            except Exception as e:  # all that is wrong is told
                self.findings.append("%s\n    %s" % (text, str(e).strip().replace("\n", "\n    ")[:2600]))
                if VERBOSE:
                    print(self.findings[-1], flush=True)
            tried += 1
            if VERBOSE and time.monotonic() - begin > 3:
                print("%.0f s: %s" % (time.monotonic() - begin, text), flush=True)
        injected[phase] += made
        print("%-14s %4d places, %5d runs, %6d failures, %.0f s" % (phase, len(found), tried, made, time.monotonic() - start), flush=True)
        self.assertTrue(made > 0 or tried == 0)  # all of its places are known, and none was drawn

    def tearDown(self):
        self.assertEqual(len(self.findings), 0, "\n" + "\n".join(self.findings))


def fill(c):
    c.call("DEBUG", "POPULATE", 500, "key", 50)
    c.pipeline([("RPUSH", "list", *range(300)), ("HSET", "hash", "f", "v" * 90), ("SADD", "set", *range(600)), ("SADD", "names", "a", "b"),
                ("ZADD", "zset", 1, "a", 2, "b" * 90), ("XADD", "stream", "1-1", "f", "v"), ("XGROUP", "CREATE", "stream", "g", "0"),
                ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "stream", ">"), ("SET", "large", "x" * 300000), ("PEXPIRE", "key:1", 10 ** 9)])


class Living(Sweep):
    """Phases of a server that goes on."""

    MORE = ()  # its options beside those of every one

    def prepare(self, c):
        """What is there before all phases."""

    def setUp(self):
        super().setUp()
        self.start()

    def start(self):
        self.data = tempfile.mkdtemp(dir=self.dir)
        conf, acl = os.path.join(self.data, "s.conf"), os.path.join(self.data, "users.acl")
        with open(conf, "w") as f:
            f.write('save ""\naclfile %s\ndir %s\nunixsocket %s\n' % (acl, self.data, os.path.join(self.data, "socket")))
        with open(acl, "w") as f:
            f.write("user default on nopass ~* &* +@all\n")
        options, under = [conf, *OPTIONS, *self.MORE], ()
        if memcheck.WANTED:
            options, under = [*options, "--sandbox", "no"], memcheck.command(self.dir)
        with self.preloaded():
            self.server = resp.start(resp.STILLFRAME_SERVER, self.data, options, under=under)
        self.addCleanup(self.server.kill)
        self.plan = None
        with self.server.client() as c:
            fill(c)
            self.prepare(c)
            c.call("SAVE")
            self.digest = c.call("DEBUG", "DIGEST")
        self.good = None

    def tearDown(self):
        if memcheck.WANTED:
            self.server.stop()
            self.findings += memcheck.findings(self.dir)
        super().tearDown()

    def kept_up(self, phase, changes=False):
        """A plan's run: phase(c, is_strict) under fault, then what is there."""
        def run(plan):
            if not self.server.is_running():
                self.start()
                if changes:
                    self.change(phase)
            self.plan = plan
            try:
                with self.server.client(timeout=self.patience()) as c:
                    c.call("PING")
                    if plan is not None:
                        self.control.arm(*plan)
                    phase(c, plan is None)
            except TimeoutError:
                if self.patience() == ANSWER_SECONDS:
                    raise AssertionError("a client waited %d s" % ANSWER_SECONDS) from None
            except (OSError, EOFError) as e:  # its connection is what failed
                if plan is None:
                    raise
                assert "timed out" not in str(e), e
            finally:
                made = self.control.disarm()
            self.plan = None
            self.look(phase, changes)
            return made
        return run

    def change(self, phase):
        with self.server.client() as c:
            phase(c, True)
            self.digest = c.call("DEBUG", "DIGEST")

    def patience(self):
        """Whom nobody accepts, or looks after, waits; that system calls have no way to fail so for
        good is why the server does not mind.  Of a call of OpenSSL's that was not made it goes on
        saying that it waits for bytes."""
        return 1 if self.plan is not None and self.plan[0] in ("accept4", "epoll_ctl", "SSL_read") and self.plan[4] else ANSWER_SECONDS

    def look(self, phase, changes):
        try:
            with self.reconnect() as c:
                resp.wait_until(lambda: b"rdb_bgsave_in_progress:0" in c.call("INFO", "persistence"), 30)
                if changes:
                    phase(c, True)
                digest = c.call("DEBUG", "DIGEST")
                assert digest == self.digest, "the data is other data: %s, %s" % (digest, self.digest)
                if not changes:
                    phase(c, True)
                left = [n for n in os.listdir(self.data) if n.startswith(("temp-", ".stillframe"))]
                for name in left:
                    os.unlink(os.path.join(self.data, name))
                assert not left, "left behind: %s" % left
        except (OSError, EOFError, AssertionError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self.server.wait(3)
                raise AssertionError("the server has ended with %s:\n%s" % (status, self.report())) from None
            raise
        done = subprocess.run([resp.STILLFRAME_RDB, "check", "-q", os.path.join(self.data, "dump.rdb")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, done.stdout.decode()
        files = self.files()
        if self.good is None:
            self.good = files
        assert files == self.good, "other descriptors: %s, %s" % (files - self.good, self.good - files)

    def reconnect(self):
        """Addresses that were lost are listened on again within a second."""
        for _ in range(100):
            with contextlib.suppress(ConnectionRefusedError):
                return self.server.client(timeout=60)
            if not self.server.is_running():
                break
            time.sleep(0.1)
        return self.server.client(timeout=60)

    def report(self):
        log = self.server.log()
        return log[max(0, log.find("BUG REPORT START")):][:2500] if "BUG REPORT" in log else log[-2500:]

    def files(self):
        """What is open, but for connections."""
        out, base = collections.Counter(), "/proc/%d/fd" % self.server.pid
        for n in os.listdir(base):
            with contextlib.suppress(OSError):
                target = os.readlink(os.path.join(base, n))
                if not target.startswith("socket:"):
                    out[target] += 1
        return out

    @staticmethod
    def expect(strict, answer, good):
        """It is done; or, where something may fail, an error that says something."""
        if not strict and isinstance(answer, resp.RespError):
            assert len(str(answer)) > 12, answer
        else:
            assert answer == good, answer

    def saved(self, c, strict, *words):
        answer = c.pipeline([words])[0]
        if words[0] == "SAVE":
            self.expect(strict, answer, b"OK")
            return
        self.expect(strict, answer, b"Background saving started")

        def ended():
            info = c.pipeline([("INFO", "persistence")])[0]
            assert not strict or isinstance(info, bytes), info
            return str(info) if isinstance(info, resp.RespError) or b"rdb_bgsave_in_progress:0" in info else None
        info = resp.wait_until(ended, ANSWER_SECONDS, what="the end of the save")
        if "rdb_last_bgsave_status:err" in info:
            assert not strict, info
            assert "rdb_last_bgsave_error:\\r" not in info, "no reason is told"


class Starting(Sweep):
    """A start with a dump, a configuration and users; and an end."""

    MORE = ""  # lines of its configuration

    def prepare(self, c):
        """What the dump has beside what every one has."""

    def setUp(self):
        super().setUp()
        self.data = self.path("data")
        os.mkdir(self.data)
        self.conf = os.path.join(self.data, "s.conf")
        with open(self.conf, "w") as f:
            f.write('save 900 1\naclfile users.acl\nunixsocket socket\npidfile pid\nlogfile ""\n' + self.MORE)
        with open(os.path.join(self.data, "users.acl"), "w") as f:
            f.write("user default on nopass ~* &* +@all\nuser u on >p ~k* +@read\n")
        server = resp.start(resp.STILLFRAME_SERVER, self.data, [self.conf, *OPTIONS])
        with server.client() as c:
            fill(c)
            self.prepare(c)
            c.call("SAVE")
            self.digest = c.call("DEBUG", "DIGEST")
        server.stop()
        with open(os.path.join(self.data, "dump.rdb"), "rb") as f:
            self.dump = f.read()

    def launch(self):
        with self.preloaded():
            return resp.start(resp.STILLFRAME_SERVER, self.data, [self.conf, *OPTIONS], ready=False)

    @staticmethod
    def is_mute(server, plan):
        """It has no log, or not the line that says so, and serves."""
        if plan is None or plan[0] != "write":
            return False
        with contextlib.suppress(OSError, EOFError, resp.RespError), server.client(timeout=5) as c:
            return c.call("PING") == b"PONG"
        return False

    def is_whole(self):
        done = subprocess.run([resp.STILLFRAME_RDB, "check", "-q", os.path.join(self.data, "dump.rdb")], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, done.stdout.decode()

    def refused(self, server, plan):
        """It has ended by itself: a refusal that says why."""
        status = server.wait()
        log = server.log()
        assert plan is not None and status == 1 and len(log) > 0, "ended with %s:\n%s" % (status, log[-2500:])
        told = [line for line in log.splitlines() if " # " in line or not line[:1].isdigit()]
        assert told, "it does not say why:\n%s" % log[-1500:]

    def starts(self, phase, serves=lambda c: None):
        """A start with each of its calls failing: a refusal, or the whole.  serves(c): of this
        start."""
        def run(plan):
            with open(os.path.join(self.data, "dump.rdb"), "rb") as f:
                assert f.read() == self.dump, "the dump has changed"
            if plan is not None:
                self.control.arm(*plan)
            server = self.launch()
            try:
                resp.wait_until(lambda: not server.is_running() or "Ready to accept connections" in server.log() or self.is_mute(server, plan), 60,
                                what="a start or its refusal")
                made = self.control.disarm()
                if not server.is_running():
                    self.refused(server, plan)
                    return made
                server.wait_ready()
                with server.client(timeout=ANSWER_SECONDS) as c:
                    digest = c.call("DEBUG", "DIGEST")
                    assert digest == self.digest, "it runs with other data:\n%s" % server.log()[-2500:]
                    assert len(c.call("ACL", "LIST")) == 2, "it runs without its users:\n%s" % server.log()[-2500:]
                    assert c.call("CONFIG", "GET", "save")[1] == b"900 1"
                    serves(c)
                return made
            finally:
                self.control.disarm()
                server.kill()
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(self.data, "socket"))
        self.sweep(phase, resp.STILLFRAME_SERVER, run)

    @staticmethod
    def goes_on(server, plan, digest):
        """The end was refused, and the answer was lost; or it takes long."""
        assert plan is not None
        try:
            with server.client(timeout=60) as c:
                assert c.call("DEBUG", "DIGEST") == digest, "the data has changed"
                c.send("SHUTDOWN", "NOSAVE")
        except (OSError, EOFError):
            pass
        status = server.wait(60)
        assert status == 0, "ended with %s:\n%s" % (status, server.log()[-2500:])

    def ends(self, phase, end):
        """An end with each of its calls failing: it comes, or is refused.  end(server, c): what it
        answers."""
        def run(plan):
            self.plan = plan
            server = self.launch()
            try:
                server.wait_ready()
                with server.client(timeout=ANSWER_SECONDS) as c:
                    c.call("SET", "k", "v")
                    digest = c.call("DEBUG", "DIGEST")
                    if plan is not None:
                        self.control.arm(*plan)
                    else:
                        self.control.forget()  # the start is another phase
                    try:
                        answer = end(server, c)
                    except (EOFError, ConnectionError):
                        answer = None
                made = self.control.disarm()
                if isinstance(answer, resp.RespError):
                    assert plan is not None and len(str(answer)) > 12, answer
                    with server.client(timeout=ANSWER_SECONDS) as c:
                        assert c.call("DEBUG", "DIGEST") == digest, "the data has changed"
                        c.send("SHUTDOWN")
                        assert server.wait(20) == 0, "the end does not come:\n%s" % server.log()[-2500:]
                elif server.is_running():
                    try:
                        status = server.wait(8)
                        assert status == 0, "ended with %s:\n%s" % (status, server.log()[-2500:])
                    except subprocess.TimeoutExpired:
                        self.goes_on(server, plan, digest)
                        return made
                self.is_whole()
                left = [n for n in os.listdir(self.data) if n.startswith("temp-")]
                assert not left, left
                return made
            finally:
                self.control.disarm()
                server.kill()
        self.sweep(phase, resp.STILLFRAME_SERVER, run)


class Tool(Sweep):
    # What asks for a size or a date that stands in a line beside what matters: the line has less.
    FIGURES = ("lseek", "gmtime_r", "stat")

    def prepare(self, c):
        """What the dump has beside what every one has."""

    def setUp(self):
        super().setUp()
        server = resp.start(resp.STILLFRAME_SERVER, self.dir, ["--save", "", *OPTIONS])
        with server.client() as c:
            fill(c)
            self.prepare(c)
            c.call("SAVE")
        server.kill()
        with open(self.path("dump.rdb"), "rb") as f:
            self.dump = f.read()
        self.good = {}

    def command(self, words, output, given=os.devnull):
        """given: its standard input."""
        def run(plan):
            out = self.path("out")
            os.mkdir(out)
            try:
                if plan is not None:
                    self.control.arm(*plan)
                with self.preloaded(), open(given, "rb") as stdin:
                    done = subprocess.run([resp.STILLFRAME_RDB, *words], cwd=out, stdin=stdin, stdout=subprocess.PIPE,
                                          stderr=subprocess.PIPE, timeout=60, check=False)
                made = self.control.disarm()
                said = done.stderr.decode(errors="replace")
                assert done.returncode >= 0, "ended by signal %d: %s" % (-done.returncode, said[-1500:])
                files = sorted(os.listdir(out))
                what = open(os.path.join(out, output), "rb").read() if output in files else None
                if output == "o.html" and what is not None:
                    what = re.sub(rb"[0-9a-f]{16,}|[0-9]+", b"0", what)  # its time, and a number that is used once
                text = done.stdout
                if words[0] == "info":
                    text = re.sub(rb"\d+", b"0", text)  # how old it is
                if plan is not None and done.returncode == 0 and plan[0] in self.FIGURES:
                    text = self.good[words][0]
                result = text, what
                if plan is None:
                    self.good[words] = result
                    assert done.returncode == 0, said
                if done.returncode != 0:
                    assert len(said) > 5, "it ends with %d and says nothing" % done.returncode
                    # The page of a report appears also when it is of a part, as of a damaged file.
                    assert what is None or what == self.good[words][1] or words[0] == "report", "a part of the output is there"
                else:
                    assert result == self.good[words], "it says 0 and has made something else (%s, %s bytes; %s): %s" % (
                        len(result[0]), what and len(what), files, said)
                assert set(files) <= {output}, "left behind: %s" % files
                with open(self.path("dump.rdb"), "rb") as f:
                    assert f.read() == self.dump, "the input has changed"
                return made
            finally:
                shutil.rmtree(out)
        return run


def print_sum():
    """At the end; and for `calls.py`, which prints what no phase reached."""
    for program, found in reached.items():
        there = calls.places(program, TABLE)
        print("%s: %d of %d places were reached" % (os.path.basename(program), len(found & set(there)), len(there)))
    print("injected: %d failures" % sum(injected.values()))
    if REACHED:
        told = []
        if os.path.exists(REACHED):
            with open(REACHED) as f:
                told = json.load(f)
        told += [[program, place, which] for (program, place), which in phases.items()]
        with open(REACHED, "w") as f:
            json.dump(told, f)


class Zzz(unittest.TestCase):
    """The sum, at the end: of who imports this, as unittest takes classes by their names."""

    def test_places(self):
        if not reached or ONLY:
            self.skipTest("not all phases ran")
        print_sum()
