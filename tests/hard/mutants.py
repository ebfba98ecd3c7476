#!/usr/bin/env python3
"""Break the core in each way that tests/hard/mutants.txt lists: the test that is named there must
notice.

    tests/hard/mutants.py               the list without what takes long: part of tests/run.sh hard
    tests/hard/mutants.py --long        all of it, and that each test passes with nothing broken:
                                        make check-hard
    tests/hard/mutants.py WORD...       what has one of these words in its name, file or test
    tests/hard/mutants.py --show WORD   ... and every test of the program that fails, for writing an
                                        entry

A mutant is built beside the tree: a copy of the one file, changed, below build/mutants/; the
commands are those of make, asked what it would do if that file were newer; the objects that are not
concerned are those of the flavour's build.  Prints a line a mutant: caught, or why that is a
failure: NOT CAUGHT, text not found (or found twice: an entry that says nothing any more is no
proof), does not compile, hangs.
"""
import concurrent.futures
import fcntl
import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = ROOT / "tests/hard/mutants.txt"
BUILD = ROOT / "build/mutants"
BOUND_S = 180  # for a test program; an entry's "hangs" has its own
FIELDS = {"in", "caught", "case", "flavour", "hangs", "long", "binary"}


class Broken(Exception):
    """This entry proves nothing, and why."""


class Mutant:
    def __init__(self, number, name, fields):
        self.number, self.name = number, name
        self.file, _, self.function = fields["in"].partition(" ")
        self.changes = fields["text"]  # [text, becomes] pairs
        self.program, _, self.test = fields["caught"].partition(" ")
        self.case = fields.get("case")
        self.is_python = self.program.endswith(".py")
        self.flavour = fields.get("flavour", "release" if self.is_python else "debug")
        self.binary = fields.get("binary", "stillframe-server") if self.is_python else self.program
        self.hangs_s = int(fields["hangs"]) if "hangs" in fields else None
        self.is_long = "long" in fields
        self.dir = BUILD / f"{number:03}"

    def target(self):
        return f"build/{self.binary}" if self.flavour == "release" else f"build/{self.flavour}/{self.binary}"

    def matches(self, words):
        return any(w in f"{self.name} {self.file} {self.program} {self.test}" for w in words)


def read_list():
    mutants, name, fields = [], None, {}

    def end():
        if name is None:
            return
        if missing := {"in", "text", "caught"} - fields.keys():
            sys.exit(f"{LIST.name}: '{name}' has no {', '.join(sorted(missing))}")
        mutants.append(Mutant(len(mutants) + 1, name, fields))

    for line in LIST.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if not line[0].isspace():
            end()
            name, fields = line.strip(), {}
            continue
        key, _, value = line.strip().partition(" ")
        if key == "text":
            fields.setdefault("text", []).append([value.strip(), ""])
        elif key == "becomes" and "text" in fields:
            fields["text"][-1][1] = value.strip()
        elif key in FIELDS and key not in fields:
            fields[key] = value.strip()
        else:
            sys.exit(f"{LIST.name}: '{name}': '{key}' is unknown, or out of place")
    end()
    return mutants


def place_of_function(source, function):
    """(begin, end) of a function's definition in the house's form: its name begins a line, as does
    its end."""
    m = re.search(rf"^{re.escape(function)}\(.*?^}}$", source, re.M | re.S)
    if m is None:
        raise Broken(f"there is no function {function}()")
    return m.span()


def mutate(m):
    """The changed file's text.  Blanks in `text` stand for any white space, so that it may span
    lines."""
    path = ROOT / m.file
    if not path.exists():
        raise Broken("there is no such file")
    source = path.read_text()
    for text, becomes in m.changes:
        begin, end = place_of_function(source, m.function) if m.function else (0, len(source))
        found = list(re.compile(r"\s+".join(re.escape(w) for w in text.split())).finditer(source, begin, end))
        if len(found) != 1:
            raise Broken("the text was not found" if not found else f"the text is there {len(found)} times")
        source = source[: found[0].start()] + becomes + source[found[0].end() :]
    return source


def make(flavour, *words):
    """Run make alone: sections of `make check` may be building the same flavour."""
    with open(ROOT / f"build/.lock-{flavour}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.run(["make", "--no-print-directory", f"FLAVOUR={flavour}", *words], cwd=ROOT,
                              env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")},
                              capture_output=True, text=True)


def commands(m):
    """What make would do for this program if the file had changed."""
    r = make(m.flavour, "-n", "V=1", "-W", m.file, m.target())
    lines = [shlex.split(line) for line in r.stdout.splitlines() if " -o " in line]
    if r.returncode != 0 or not lines or lines[-1][lines[-1].index("-o") + 1] != m.target():
        raise Broken(f"{m.target()} does not depend on the file: {r.stderr.strip()}")
    return lines


def build(m):
    """Compile and link beside the tree.  Returns the program."""
    copy = m.dir / m.file
    text = mutate(m)
    shutil.rmtree(m.dir, ignore_errors=True)
    copy.parent.mkdir(parents=True)
    copy.write_text(text)
    renamed = {m.file: str(copy)}
    for words in commands(m):
        out = words[words.index("-o") + 1]
        renamed[out] = str(m.dir / "out" / out)
        pathlib.Path(renamed[out]).parent.mkdir(parents=True, exist_ok=True)
        # A changed header is found before the tree's.
        words = [f"-I{m.dir}" if w == "-I." else renamed.get(w, w) for w in words]
        r = subprocess.run([*words, "-I.", "-w"], cwd=ROOT, capture_output=True, text=True)
        if r.returncode != 0:
            (m.dir / "compiler.log").write_text(r.stderr)
            raise Broken(f"does not compile: {r.stderr.strip().splitlines()[0] if r.stderr else ''}")
    return renamed[m.target()]


running = set()


def end_all(_signal, _frame):
    for p in list(running):
        end_process(p)
    os._exit(1)


def end_process(p):
    """SIGINT first: Check then kills the test that is running, which has a process group of its
    own, and ends by sending the signal to its own group: it has one to itself."""
    for sig in (signal.SIGINT, signal.SIGKILL):
        p.send_signal(sig)
        try:
            p.wait(10)
            return
        except subprocess.TimeoutExpired:
            pass


def failing_tests(m, program, bound_s, to_the_end):
    """Run it; yields the tests that fail as they end (Check writes them to a pipe).  Ends the
    program when the named test has, unless to_the_end.  Returns (failed tests, did the named one
    run, did it hang)."""
    failed, has_run, deadline = [], False, time.monotonic() + bound_s
    reader, writer = os.pipe()
    scratch = m.dir / "tmp"  # what a failing test leaves behind
    scratch.mkdir(exist_ok=True)
    env = {**os.environ, "CK_TAP_LOG_FILE_NAME": f"/dev/fd/{writer}", "CK_VERBOSITY": "normal", "CK_FORK": "yes",
           "CK_DEFAULT_TIMEOUT": str(2 * BOUND_S), "TMPDIR": str(scratch), "STEP_BUDGET": "125"}
    if m.case:
        env["CK_RUN_CASE"] = m.case
    rest = b""
    with open(m.dir / "test.log", "wb") as log:
        p = subprocess.Popen([program], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log,
                             stderr=subprocess.STDOUT, pass_fds=[writer], start_new_session=True)
    running.add(p)
    os.close(writer)
    hung = False
    try:
        while True:
            if not select.select([reader], [], [], max(0, deadline - time.monotonic()))[0]:
                hung = True
                break
            piece = os.read(reader, 65536)
            if not piece:
                break
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                # not ok 3 - file.c:case:test: message
                r = re.match(rb"(not )?ok \d+ - [^:]*:[^:]*:(\w+)", line)
                if not r:
                    continue
                has_run |= r[2].decode() == m.test
                if r[1]:
                    failed.append(r[2].decode())
            if m.test in failed and not to_the_end:
                break
    finally:
        os.close(reader)
        if hung or p.poll() is None and m.test in failed:
            end_process(p)
        p.wait()
        running.discard(p)
        shutil.rmtree(scratch, ignore_errors=True)
    return failed, has_run, hung


def integration_test(m, binary, bound_s):
    """The same for a test in Python, which finds the server or the tool in its environment."""
    env = {**os.environ, {"stillframe-server": "STILLFRAME_SERVER", "stillframe-rdb": "STILLFRAME_RDB"}[m.binary]: str(binary)}
    with open(m.dir / "test.log", "wb") as log:
        p = subprocess.Popen([sys.executable, "-W", "ignore", m.program, m.test], cwd=ROOT, env=env, stdin=subprocess.DEVNULL,
                             stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    running.add(p)
    try:
        status, hung = p.wait(bound_s), False
    except subprocess.TimeoutExpired:
        end_process(p)
        status, hung = 1, True
    running.discard(p)
    ran = re.search(r"^Ran ([1-9]\d*) test", (m.dir / "test.log").read_text(errors="replace"), re.M)
    return [m.test] if status != 0 and ran else [], bool(ran), hung


def run_test(m, program, bound_s, to_the_end):
    if m.is_python:
        return integration_test(m, pathlib.Path(program).resolve(), bound_s)
    return failing_tests(m, program, bound_s, to_the_end)


def try_mutant(m, show):
    """(is caught, what happened)"""
    try:
        program = build(m)
        failed, has_run, hung = run_test(m, program, m.hangs_s or BOUND_S, show)
    except Broken as e:
        return False, str(e)
    others = f"; failing: {' '.join(dict.fromkeys(failed)) or 'none'}" if show else ""
    if m.test in failed:
        return True, f"caught by {m.test}{others}"
    if hung and m.hangs_s is not None:
        return True, f"caught by {m.test}, which hangs{others}"
    if hung:
        return False, f"hangs (killed after {BOUND_S} s){others}"
    if not has_run:
        return False, f"{m.program} has no test {m.test}{others}"
    return False, f"NOT CAUGHT by {m.program} {m.test}{others}"


def check_unbroken(mutants, report):
    """With nothing broken each test passes, or it could not have caught anything."""
    for m in {(m.flavour, m.program, m.test if m.is_python else m.case): m for m in mutants}.values():
        m.dir.mkdir(parents=True, exist_ok=True)
        failed, _, hung = run_test(m, ROOT / m.target(), 600, True)
        report(not failed and not hung, f"{m.program} ({m.flavour}) with nothing broken",
               "passes" if not failed else f"fails: {' '.join(failed)}")


def main():
    options = [a for a in sys.argv[1:] if a.startswith("--")]
    words = [a for a in sys.argv[1:] if not a.startswith("--")]
    passed = bad = 0
    signal.signal(signal.SIGTERM, end_all)
    signal.signal(signal.SIGINT, end_all)

    def report(is_ok, name, what, seconds=None):
        nonlocal passed, bad
        passed, bad = passed + is_ok, bad + (not is_ok)
        took = "" if seconds is None else f" ({seconds:.1f} s)"
        print(f"{'ok    ' if is_ok else 'FAILED'} {name}: {what}{took}", flush=True)

    mutants = [m for m in read_list() if (m.matches(words) if words else not m.is_long or "--long" in options)]
    BUILD.mkdir(parents=True, exist_ok=True)
    for flavour in sorted({m.flavour for m in mutants}):
        r = make(flavour, "-s", f"-j{os.cpu_count()}", *sorted({m.target() for m in mutants if m.flavour == flavour}))
        if r.returncode != 0:
            sys.exit(r.stdout + r.stderr)
    if "--long" in options:
        check_unbroken(mutants, report)
    jobs = int(os.environ.get("MUTANT_JOBS") or os.cpu_count())
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        def timed(m):
            start = time.monotonic()
            return m, *try_mutant(m, "--show" in options), time.monotonic() - start

        for f in concurrent.futures.as_completed([pool.submit(timed, m) for m in mutants]):
            m, is_caught, what, seconds = f.result()
            report(is_caught, m.name, what, seconds)
            if is_caught:
                shutil.rmtree(m.dir / "out", ignore_errors=True)
    print(f"{passed} passed, {bad} failed")
    return bad != 0 or not mutants


if __name__ == "__main__":
    sys.exit(main())
