#!/usr/bin/env python3
"""What no formatter looks at: width, banners, guards, names of rules and files.  Prints each
finding; exit status 1.

    A line has at most 100 columns.  More may have: a row of a document's table; a line of C that a
    string makes so long, since strings stay in one piece; a row of a `.def`; code of Python, shell,
    Promela and make.  What a person reads there (comments, docstrings) may not.
    A source of mm/, snapshot/ and server/ begins with a comment that names its own path; a header
    says its threads there, on a line of their own, and its guard is that path.  So do those of
    tests/ that name a path.
    A header whose name ends in _impl is the inside of its folder: no other folder but those of
    tests/ includes it.
    A comment ends on a line with words.
    A rule (a capital letter or two, a number) is explained in one place, its text under its text,
    and its letters stand in docs/glossary.md.  A rule that is cited is explained somewhere.
    The plan in docs/design.md is that of tests/lint/floors.
    A heading that a document links to exists.
    A file that a document or comment names exists; so does a folder that a document names in
    backticks.
"""
import ast
import collections
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAX = 100
READ = (".c", ".h", ".def", ".md", ".py", ".sh", ".pml", ".txt", ".conf", ".yaml")
SOURCES = ("mm", "snapshot", "tool", "server")
# No files of ours: what a tool makes, somebody else's, or an example.
FOREIGN = {"module.py", "setup.py", "run.py", "pan.c", "file.c", "test_x.c", "test_x.py"}
FILE = re.compile(r"(?<![\w./*<>{-])((?:\w[\w-]*/)*\w[\w-]*(?:\.inc)?\.(?:c|h|def|py|sh|pml|md|cjs|yaml))\b(?![\w/*(-])")
CITED = re.compile(r"(?<![\w\"'`#<:.-])([A-Z]{1,2}\d{1,2})\b(?![\w\"'-])(?<!C11)")
FOLDER = re.compile(r"`((?:\w[\w-]*/)+)`")
RULE = re.compile(r"(?: \*   +([A-Z]{1,2}\d+) +| \* ([A-Z]{1,2}\d+)  +|- \*\*([A-Z]{1,2}\d+)\*\* )(?=\S)")
count = 0


def finding(path, number, what):
    global count
    count += 1
    print(f"{path}:{number}: {what}")


def sources():
    """All files of the tree but what is built; also where there is no history, or no git."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(f for f in folders if f not in ("build", ".git", "__pycache__", "node_modules"))
        yield from (str((pathlib.Path(folder) / n).relative_to(ROOT)) for n in sorted(names) if not n.endswith((".o", ".rdb")))


def c_comments(text):
    """The text with everything outside of comments blanked, line by line."""
    token = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)
    kept, at = [], 0
    for m in token.finditer(text):
        kept.append(re.sub(r"[^\n]", " ", text[at:m.start()]))
        kept.append(m[0] if m[0].startswith(("/*", "//")) else re.sub(r"[^\n]", " ", m[0]))
        at = m.end()
    return ("".join(kept) + re.sub(r"[^\n]", " ", text[at:])).split("\n")


def python_words(text):
    """Lines of comments and docstrings."""
    lines = text.split("\n")
    keep = {n for n, line in enumerate(lines, 1) if line.lstrip().startswith("#")}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            keep.update(range(node.lineno, node.end_lineno + 1))
    return [line if n in keep else "" for n, line in enumerate(lines, 1)]


def words_of(path, text):
    """What a person reads of a file, line by line; the rest is blank."""
    if path.suffix in (".c", ".h", ".def", ".pml"):
        return c_comments(text)
    if path.suffix == ".py":
        return python_words(text)
    if path.suffix == ".md":
        return text.split("\n")
    return [line if line.lstrip().startswith("#") else "" for line in text.split("\n")]


def check_width(path, lines, words):
    for number, (line, word) in enumerate(zip(lines, words), 1):
        if len(line) <= MAX:
            continue
        if path.suffix == ".md":
            excused = line.lstrip().startswith("|")
        elif path.suffix in (".c", ".h"):
            excused = '"' in line and not word.strip()
        else:
            excused = line.strip() != word.strip() or word.startswith("# here: ")  # a reply, in tests/integration/replies
        if not excused:
            finding(path, number, f"{len(line)} columns, {MAX} at most")


def check_banner(path, lines):
    ours = path.parts[0] in SOURCES
    named = re.match(r"/\* ((?:\w+/)+\S+\.\w+) - ", lines[0])
    if ours and not named or named and named[1] != str(path):
        finding(path, 1, f"does not begin with '/* {path} - '")
    if path.suffix != ".h":
        return
    end = next(n for n, line in enumerate(lines) if "*/" in line)
    if ours and not any(line.startswith(" * Threads: ") for line in lines[:end + 1]):
        finding(path, 1, "the banner has no line ' * Threads: ...'")
    guard = re.sub(r"[^A-Z0-9]", "_", str(path).upper())
    if not path.name.endswith(".inc.h") and lines.count(f"#ifndef {guard}") + lines.count(f"#define {guard}") != 2:
        finding(path, 1, f"its guard is not {guard}")


def check_private(path, lines):
    for number, line in enumerate(lines, 1):
        m = re.match(r'#include "(\S+)/\w+_impl\.h"', line)
        if m and m[1] != str(path.parent) and path.parts[0] in SOURCES:
            finding(path, number, "the inside of another folder")


def check_comments(path, lines):
    indent = None  # of a rule's text, while it lasts
    for number, line in enumerate(lines, 1):
        if m := RULE.match(line):
            indent = m.end()
        elif line in ("", " *") or line.lstrip(" *").startswith("Threads:"):
            indent = None
        elif indent and line.startswith(" *") and len(line) - len(line[2:].lstrip()) < indent:
            finding(path, number, "a rule's text goes on under its text")
        if re.match(r" \* .*\S.*Threads: ", line):
            finding(path, number, "'Threads: ...' is a line of its own")
        if line.strip() in ("*/", "* */"):
            finding(path, number, "the end of a comment stands alone")


def check_names(path, words, names, bases, folders):
    def exists(name):
        at = os.path.normpath(path.parent / name)
        return name in names or at in names or any(full.endswith("/" + name) for full in bases.get(os.path.basename(name), ()))

    for number, line in enumerate(words, 1):
        for name in FILE.findall(line):
            if os.path.basename(name) not in FOREIGN and not name.startswith("build/") and not exists(name):
                finding(path, number, f"there is no {name}")
        for folder in FOLDER.findall(line) if path.suffix == ".md" else ():
            name = folder.rstrip("/")
            if not name.startswith(("build", "apps")) and not any(f"/{f}".endswith(f"/{name}") for f in folders):
                finding(path, number, f"there is no folder {folder}")


def check_links(path, text):
    """Links to a heading: there is one, as GitHub spells it."""
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]*)\)", text):
        page = ROOT / path.parent / target if target else ROOT / path
        heads = re.findall(r"^#+ (.*)", page.read_text(), re.M) if page.exists() else []
        slugs = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
        if anchor not in slugs:
            finding(path, text[:text.index(f"#{anchor})")].count("\n") + 1, f"there is no heading {target}#{anchor}")


def check_plan():
    """The plan of the house in docs/design.md has the folders of tests/lint/floors, in their
    order."""
    text = (ROOT / "docs/design.md").read_text()
    plan = re.search(r"^## The plan of the house\n(.*?)^## ", text, re.M | re.S)[1]
    floors = (ROOT / "tests/lint/floors").read_text().splitlines()
    last = 0
    for number, line in enumerate(floors, 1):
        if line.startswith(("#", "server/commands")):  # groups: one row for all
            continue
        row = [plan.find(f"`{folder}/`") for folder in line.split()]
        if min(row) < last:
            finding("tests/lint/floors", number, "is not here in the plan of docs/design.md")
        last = max(row)


def main():
    names = set(sources())
    bases, folders = collections.defaultdict(list), set()
    rules, known, cited = collections.defaultdict(list), set(), []
    for name in names:
        bases[os.path.basename(name)].append(name)
        folders.update(map(str, pathlib.Path(name).parents))
    for path in map(pathlib.Path, sorted(names)):
        if path.suffix not in READ and path.name != "Makefile":
            continue
        text = (ROOT / path).read_text()
        lines, words = text.split("\n"), words_of(path, text)
        check_width(path, lines, words)
        if path.suffix == ".md":
            check_links(path, text)
        check_names(path, words, names, bases, folders)
        if path.suffix in (".c", ".h", ".def"):
            check_banner(path, lines)
            check_private(path, lines)
            check_comments(path, lines)
        for number, (line, word) in enumerate(zip(lines, words), 1):
            cited += [(name, path, number) for name in CITED.findall(word)]
            if m := RULE.match(line):
                name = m[1] or m[2] or m[3]
                known.add(name)
                if path.parts[0] in SOURCES:
                    rules[name].append((path, number))
    check_plan()
    glossary = (ROOT / "docs/glossary.md").read_text()
    for name, places in sorted(rules.items()):
        if f"**{name.rstrip('0123456789')}**" not in glossary:
            finding(*places[0], f"the letters of {name} are not in docs/glossary.md")
        for path, number in places if len(places) > 1 else ():
            finding(path, number, f"rule {name} is explained {len(places)} times")
    letters = {name.rstrip("0123456789") for name in known}
    for name, path, number in cited:
        if name not in known and name.rstrip("0123456789") in letters:
            finding(path, number, f"rule {name} is not explained")
    return count != 0


sys.exit(main())
