#!/usr/bin/env python3
"""calls.def and call_preload.c from Python: which calls there are, and how one of them is made to
fail.

    tests/fault/calls.py FILE   a table by source file of what was reached, and what was not, by the
                                runs with CALLS_REACHED=FILE
"""
import collections
import ctypes
import errno
import glob
import json
import mmap
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
PRELOAD = os.path.join(ROOT, "build", "tests", "fault", "call_preload.so")
WRAPPED = {"__wrap_" + n: n for n in ("malloc", "calloc", "realloc", "aligned_alloc")}
WAITS = (errno.EINTR, errno.EAGAIN)  # whoever waits waits on: not for good


class Table:
    def __init__(self):
        with open(os.path.join(HERE, "calls.def")) as f:
            text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
        self.errors = {m[1]: [getattr(errno, e) for e in m[2].split()]
                       for m in re.finditer(r'^CALL\((\w+), \w+, "([A-Z0-9 ]+)", ".+"\)$', text, re.M)}
        self.sure = [name for m in re.finditer(r'^SURE\(".+?", "(.+)"\)$', text, re.M) for name in m[1].split()]

    def has(self, name):
        plain = name[2:-4] if name.startswith("__") and name.endswith("_chk") else name
        if name not in self.errors and plain in self.sure:
            return True
        return name in self.errors or name in self.sure or any(s.endswith("*") and name.startswith(s[:-1]) for s in self.sure)


def imports(program):
    """What the program calls outside of itself, by name."""
    said = subprocess.run(["nm", "-D", "--undefined-only", program], stdout=subprocess.PIPE, check=True, text=True).stdout
    return {line.split()[-1].split("@")[0] for line in said.splitlines()}


def looked_up():
    """What the sources look up by name."""
    out = set()
    for path in glob.glob(os.path.join(ROOT, "*", "**", "*.c"), recursive=True):
        if os.path.relpath(path, ROOT).split(os.sep)[0] in ("mm", "snapshot", "server", "tool"):
            with open(path) as f:
                out |= set(re.findall(r'dlsym\(\w+, "(\w+)"\)', f.read()))
    return out


def places(program, table):
    """{offset behind a call: function}, of all calls in the program's code."""
    out, called = {}, None
    with subprocess.Popen(["objdump", "-d", "--no-show-raw-insn", program], stdout=subprocess.PIPE, text=True) as p:
        for line in p.stdout:
            at = re.match(r" +([0-9a-f]+):\t", line)
            if at is None:
                continue
            if called is not None:
                out[int(at[1], 16)] = called
            call = re.search(r"\bcall\b.*<(\w+)", line)
            called = WRAPPED.get(call[1], call[1]) if call is not None else None
            if called not in table.errors:
                called = None
    return out


def lines_of(program, offsets):
    """{offset behind a call: "function at file:line"}."""
    asked = sorted(offsets)
    said = subprocess.run(["addr2line", "-f", "-s", "-e", program], input="".join("%x\n" % (o - 1) for o in asked),
                          stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    return {o: "%s at %s" % (said[2 * i], said[2 * i + 1].split(" ")[0]) for i, o in enumerate(asked)}


class Place(ctypes.Structure):
    _fields_ = [("offset", ctypes.c_uint64), ("calls", ctypes.c_uint64), ("function", ctypes.c_char * 64)]


class Shared(ctypes.Structure):
    _fields_ = [("is_counting", ctypes.c_uint32), ("is_armed", ctypes.c_uint32), ("offset", ctypes.c_uint64),
                ("function", ctypes.c_char * 64), ("error", ctypes.c_int32), ("forever", ctypes.c_uint32),
                ("left", ctypes.c_int64), ("made", ctypes.c_uint64), ("places", Place * 8192)]


class Control:
    """What a program under call_preload.c has mapped."""

    def __init__(self, path):
        self.path = path
        with open(path, "w+b") as f:
            f.truncate(ctypes.sizeof(Shared))
            self.at = Shared.from_buffer(mmap.mmap(f.fileno(), ctypes.sizeof(Shared)))

    def environment(self):
        return {"LD_PRELOAD": PRELOAD, "CALL_CONTROL": self.path}

    def forget(self):
        """What was counted until now."""
        ctypes.memset(self.at.places, 0, ctypes.sizeof(self.at.places))

    def count(self, what):
        """{(function, place): calls} of what that does."""
        self.forget()
        self.at.is_counting = 1
        try:
            what()
        finally:
            self.at.is_counting = 0
        return {(p.function.decode(), p.offset): p.calls for p in self.at.places if p.offset != 0}

    def arm(self, function, place, error, nth, forever):
        self.at.function, self.at.offset, self.at.error = function.encode(), place, error
        self.at.left, self.at.forever, self.at.made = nth, forever, 0
        self.at.is_armed = 1

    def disarm(self):
        """How often it failed."""
        self.at.is_armed = 0
        return self.at.made


def print_table(told):
    """told: [program, place, phases]."""
    table = Table()
    for program in sorted({t[0] for t in told}):
        reached = collections.defaultdict(set)
        for of, place, phases in told:
            if of == program:
                reached[place] |= set(phases)
        there = places(program, table)
        names = lines_of(program, there)
        files = collections.defaultdict(list)
        for place, function in there.items():
            where, _, line = names[place].partition(" at ")
            files[line.split(":")[0]].append((place, "%s in %s:%s" % (function, where, line.partition(":")[2])))
        print("%s: %d of %d places were reached" % (os.path.basename(program), len(set(reached) & set(there)), len(there)))
        for name, of in sorted(files.items()):
            missing = sorted(text for place, text in of if place not in reached)
            by = sorted({p for place, _ in of for p in reached.get(place, ())})
            print("%-24s %3d of %3d  %s" % (name, len(of) - len(missing), len(of), ", ".join(by)))
            for text in missing:
                print("    not reached: " + text)


if __name__ == "__main__":
    with open(sys.argv[1]) as f:
        print_table(json.load(f))
