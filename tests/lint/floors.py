#!/usr/bin/env python3
"""Does anything include or call what is on a floor above its own?  tests/lint/floors names the
folders in order.

    tests/lint/floors.py [OBJ_DIR]      default: build/obj, which must be built

An include runs up if the header's folder is not the file's own and not below it.  A call runs up if
an object uses a name that an object of such a folder defines (nm).  Within a folder no more than
CIRCLE_MAX objects may use each other in a circle.  Prints each finding; exit status 1.
"""
import collections
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CIRCLE_MAX = 3


def read_floors():
    floor = {}
    for number, line in enumerate((ROOT / "tests/lint/floors").read_text().splitlines()):
        if not line.startswith("#"):
            floor.update((folder, number) for folder in line.split())
    return floor


def read_includes():
    """(file, header) of every include of a path of ours."""
    for top in ("mm", "snapshot", "tool", "server"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".c", ".h", ".def"):
                for header in re.findall(r'^#include "([^"]+)"', path.read_text(), re.M):
                    yield str(path.relative_to(ROOT)), header


def read_calls(obj_dir):
    """{object: {object it uses: names}}, as nm sees them."""
    defined, used = {}, collections.defaultdict(set)
    paths = [p for p in obj_dir.rglob("*.o") if p.relative_to(obj_dir).parts[0] != "tests"]
    paths = [p for p in paths if (ROOT / p.relative_to(obj_dir)).with_suffix(".c").exists()]
    if not paths:
        sys.exit(f"{obj_dir}: no objects: build them first")
    out = subprocess.run(["nm", "-A", *map(str, sorted(paths))], check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        path, rest = line.split(":", 1)
        unit, words = str(pathlib.Path(path).relative_to(obj_dir))[:-2], rest.split()
        if words[0] in "Uw":
            used[unit].add(words[1])
        elif words[1] in "TDBRVWCS":
            defined[words[2]] = unit
    calls = collections.defaultdict(lambda: collections.defaultdict(set))
    for unit, names in used.items():
        for name in names:
            if defined.get(name, unit) != unit:
                calls[unit][defined[name]].add(name)
    return calls


def circles(calls):
    """Objects that reach each other, by folder only: strongly connected components (Tarjan)."""
    sys.setrecursionlimit(10000)
    index, low, stack, found = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in calls.get(v, ()):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            part = stack[stack.index(v):]
            del stack[stack.index(v):]
            found.append(sorted(part))

    for v in sorted(calls):
        if v not in index:
            visit(v)
    return [part for part in found if len(part) > CIRCLE_MAX]


def main():
    obj_dir = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/obj").resolve()
    floor, findings = read_floors(), []

    def runs_up(a, b):
        a, b = os.path.dirname(a), os.path.dirname(b)
        if a not in floor or b not in floor:
            findings.append(f"{a if a not in floor else b}: no floor of tests/lint/floors")
            return False
        return a != b and floor[b] >= floor[a]

    for path, header in read_includes():
        if runs_up(path, header):
            findings.append(f"{path} includes {header}")
    calls = read_calls(obj_dir)
    for unit in sorted(calls):
        for other in sorted(calls[unit]):
            if runs_up(unit, other):
                findings.append(f"{unit} calls {other}: {' '.join(sorted(calls[unit][other]))}")
    for part in circles(calls):
        findings.append(f"a circle of {len(part)} objects: {' '.join(part)}")
    for x in sorted(set(findings)):
        print(f"floors: {x}")
    return bool(findings)


sys.exit(main())
