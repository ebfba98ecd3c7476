#!/usr/bin/env python3
"""What of the code the tests have executed: figures by folder, pages, and each branch of the core
that was not taken has to have its reason.

    tests/coverage/report.py             figures, build/coverage/html/, and the list looked at
    tests/coverage/report.py --show WORD   each branch that is not taken, of files whose names
                                         contain WORD, as untaken.txt has them
    tests/coverage/report.py --idle WORD   functions and the longest blocks of files whose names
                                         contain WORD that were never executed

It reads what gcov says of build/coverage/obj/ (`make coverage` builds that and passes the tests). A
branch is a side of a condition, a case of a switch; `a && b` are two conditions, so four sides.
Exit status 1: a branch of what is judged (JUDGED: the sources of these folders themselves) is not
taken and is not in tests/coverage/untaken.txt, or is there without need.
"""
import collections
import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
LIST = os.path.join(ROOT, "tests/coverage/untaken.txt")
OBJECTS = "build/coverage/obj"
JUDGED = ("mm", "mm/base", "snapshot", "snapshot/rdb")
FOLDERS = ("mm", "snapshot", "server", "tool")
BLOCKS_SHOWN = 25


class Line:
    """A line of the source: how often it was executed, and each of its branches."""

    def __init__(self):
        self.count, self.branches = 0, []

    def add(self, count, branches):
        self.count += count
        for i, n in enumerate(branches):
            if i < len(self.branches):
                self.branches[i] += n
            else:
                self.branches.append(n)


class File:
    """One source, summed up over every object that has code of it."""

    def __init__(self, name):
        self.name = name
        self.lines = collections.defaultdict(Line)
        self.functions = {}  # name: [first line, last line, calls]
        with open(os.path.join(ROOT, name)) as f:
            self.text = [" ".join(line.split()) for line in f]

    def add(self, said):
        for f in said["functions"]:
            at = self.functions.setdefault(f["name"], [f["start_line"], f["end_line"], 0])
            at[2] += f["execution_count"]
        for line in said["lines"]:
            self.lines[line["line_number"]].add(line["count"], [b["count"] for b in line["branches"]])

    def function_at(self, line):
        return next((n for n, (first, last, _) in self.functions.items() if first <= line <= last), "?")

    def branches(self):
        """(function, text, which of these lines in the function, side, sides, taken)"""
        seen = collections.Counter()
        for number, line in sorted(self.lines.items()):
            if line.branches:
                function, text = self.function_at(number), self.text[number - 1]
                seen[function, text] += 1
                for i, n in enumerate(line.branches):
                    yield function, text, seen[function, text], i + 1, len(line.branches), n > 0


def gcov(note):
    said = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", note],
                          cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, text=True).stdout
    return [f for line in said.splitlines() if line.startswith("{") for f in json.loads(line)["files"]]


def read_objects():
    """{name: File} of what the folders' objects have."""
    files = {}
    notes = [n for folder in FOLDERS for n in glob.glob(os.path.join(ROOT, OBJECTS, folder, "**", "*.gcno"), recursive=True)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for said in pool.map(gcov, sorted(notes)):
            for f in said:
                name = f["file"]
                if name.split("/")[0] in FOLDERS and os.path.exists(os.path.join(ROOT, name)):
                    files.setdefault(name, File(name)).add(f)
    if not files:
        sys.exit("nothing in %s: make coverage builds it" % OBJECTS)
    return files


def figures(files):
    rows = collections.defaultdict(lambda: [0] * 6)
    for f in files.values():
        parts = f.name.split("/")
        for folder in {parts[0], "/".join(parts[:-1])}:
            row = rows[folder]
            row[0] += sum(line.count > 0 for line in f.lines.values())
            row[1] += len(f.lines)
            row[2] += sum(n > 0 for line in f.lines.values() for n in line.branches)
            row[3] += sum(len(line.branches) for line in f.lines.values())
            row[4] += sum(calls > 0 for _, _, calls in f.functions.values())
            row[5] += len(f.functions)
    print("%-28s %15s %8s %15s %8s %13s %8s" % ("folder", "lines", "", "branches", "", "functions", ""))
    for folder, row in sorted(rows.items()):
        print("%-28s" % folder + "".join(" %*d/%-*d %6.1f %%" % (w, row[i], w, row[i + 1], 100 * row[i] / max(row[i + 1], 1))
                                         for i, w in ((0, 6), (2, 6), (4, 5))))


class Listed:
    """untaken.txt"""

    def __init__(self):
        self.groups, self.branches, self.chance, self.wrong = [], {}, set(), []
        reason = None
        with open(LIST) as f:
            for number, line in enumerate(f, 1):
                line = line.rstrip()
                if not line or line.startswith("#"):
                    continue
                if not line.startswith(" "):
                    reason = line
                    continue
                group = re.fullmatch(r" +every line with (.+)", line)
                entry = re.fullmatch(r" +(\S+) (\S+) ([0-9,]+)/(\d+)(?:#(\d+))?(~?) \| (.+)", line)
                if reason is None or (group is None and entry is None):
                    self.wrong.append("untaken.txt:%d: this is no entry: %s" % (number, line.strip()))
                elif group:
                    self.groups.append(group[1])
                else:
                    file, function, sides, of, nth, by_chance, text = entry.groups()
                    for side in map(int, sides.split(",")):
                        key = file, function, text, int(nth or 1), side, int(of)
                        if key in self.branches:
                            self.wrong.append("untaken.txt:%d: stands there twice" % number)
                        self.branches[key] = number
                        if by_chance:
                            self.chance.add(key)

    def is_grouped(self, text):
        return any(g in text for g in self.groups)


def entry_of(key, sides):
    file, function, text, nth, of = key
    return "    %s %s %s/%d%s | %s" % (file, function, ",".join(map(str, sides)), of, "#%d" % nth if nth > 1 else "", text)


def is_judged(name):
    return os.path.dirname(name) in JUDGED


def show(files, word):
    for f in sorted(files.values(), key=lambda f: f.name):
        if word not in f.name:
            continue
        sides = collections.defaultdict(list)
        for function, text, nth, side, of, is_taken in f.branches():
            if not is_taken:
                sides[f.name, function, text, nth, of].append(side)
        for key, untaken in sides.items():
            print(entry_of(key, untaken))


def look_at_list(files):
    """Prints what is wrong with the list; True: nothing."""
    listed = Listed()
    wrong, fresh, met = list(listed.wrong), collections.defaultdict(list), set()
    everything, grouped = 0, 0
    for f in sorted(files.values(), key=lambda f: f.name):
        if not is_judged(f.name):
            continue
        for function, text, nth, side, of, is_taken in f.branches():
            key = f.name, function, text, nth, side, of
            everything += not is_taken
            if key in listed.branches:
                met.add(key)
                if is_taken and key not in listed.chance:
                    wrong.append("untaken.txt:%d: %s %s: %d/%d is taken now: %s" % (listed.branches[key], f.name, function, side, of, text))
            elif not is_taken and listed.is_grouped(text):
                grouped += 1
            elif not is_taken:
                fresh[f.name, function, text, nth, of].append(side)
    for key, number in listed.branches.items():
        if key not in met:
            wrong.append("untaken.txt:%d: no such branch: %s %s: %d/%d of: %s" % (number, key[0], key[1], key[4], key[5], key[2]))
    for line in wrong:
        print(line)
    if fresh:
        print("not taken, and without a reason in tests/coverage/untaken.txt:")
        for key, sides in fresh.items():
            print(entry_of(key, sides))
    print("%d branches of %s are not taken: %d by groups, %d listed, %d new; %d entries are wrong" % (
        everything, " and ".join(folder + "/" for folder in JUDGED), grouped, everything - grouped - sum(map(len, fresh.values())),
        sum(map(len, fresh.values())), len(wrong)))
    return not wrong and not fresh


def idle(files, word):
    blocks = []
    for f in sorted(files.values(), key=lambda f: f.name):
        if word not in f.name:
            continue
        for name, (first, last, calls) in sorted(f.functions.items(), key=lambda x: x[1]):
            if calls == 0:
                print("never called: %s:%d %s, %d lines" % (f.name, first, name, last - first + 1))
        run = []
        for number, line in sorted(f.lines.items()):
            if line.count == 0:
                run.append(number)
            elif run:
                blocks.append((len(run), f.name, run[0], run[-1], f.function_at(run[0])))
                run = []
    for n, name, first, last, function in sorted(blocks, reverse=True)[:BLOCKS_SHOWN]:
        print("not executed: %s:%d-%d %s, %d lines of code" % (name, first, last, function, n))


def pages():
    if shutil.which("gcovr") is None:
        print("no gcovr, so no pages")
        return
    os.makedirs(os.path.join(ROOT, "build/coverage/html"), exist_ok=True)
    subprocess.run(["gcovr", "--root", ".", "--object-directory", OBJECTS, *(w for f in FOLDERS for w in ("--filter", f + "/")),
                    "--gcov-ignore-parse-errors", "--html-details", "build/coverage/html/index.html", OBJECTS],
                   cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    print("pages: build/coverage/html/index.html")


def main(args):
    files = read_objects()
    if args[:1] == ["--idle"]:
        idle(files, args[1] if len(args) > 1 else "")
        return 0
    if args[:1] == ["--show"]:
        show(files, args[1] if len(args) > 1 else "")
        return 0
    figures(files)
    if "--no-pages" not in args:
        pages()
    return 0 if look_at_list(files) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
