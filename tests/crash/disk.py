"""What a power cut may leave on a disk: the model, over a recording of record_preload.c.

A recording is a sequence of steps.  A cut comes behind any of them, and of those before it:

  - What a file got (bytes, size, mode) is on the disk once an fsync of that file has returned 0.
    What came later may be there or not, in any form: each write whole, in part or not at all,
    whatever came behind it; a size without its bytes reads as zeros; a mode without the rest.
  - What a directory got (a new name, a rename, a link, a removal) is there once an fsync of that
    directory has returned 0.  A single change is there or not, as a whole.  Of later ones,
      "any"      any subset is there: directories whose changes may overtake each other;
      "ordered"  those up to one of them: a journal.
    That is independent of what files got: a new name may be there before the bytes.
  - An fsync of a file says nothing of its name, sync_file_range() says nothing at all, and a
    failed fsync makes nothing durable.

So every state of "ordered" is one of "any".  Where there are too many for all, some are drawn with
a fixed seed: see subsets() and File.forms().
"""
import collections
import itertools
import os
import random
import struct

HEADER = struct.Struct("=II16sQQIHH")
MAGIC = 0x44434552
PAGE = 4096
ALL_SUBSETS = 7  # of so many changes all 2^n subsets
FORMS_MAX = 48   # of one file at one moment

Step = collections.namedtuple("Step", "kind file name other offset data mode")
Shape = collections.namedtuple("Shape", "data mode")  # a file as it may be
State = collections.namedtuple("State", "names last")  # {name: Shape}; how many steps were made
NAMED = ("create", "rename", "exchange", "link", "unlink")
DATA = ("write", "truncate", "chmod")


class Mark:
    """A record of the test's own, in its place between the others."""

    def __init__(self, trace):
        self.trace = trace

    def __call__(self, text):
        name = text.encode()
        with open(self.trace, "ab", buffering=0) as f:
            f.write(HEADER.pack(MAGIC, 0, b"mark", 0, 0, 0, len(name), 0) + name)


def listing(directory):
    """{name: (inode, Shape)} of a directory's files."""
    out = {}
    for top, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(top, name)
            st = os.lstat(path)
            with open(path, "rb") as f:
                out[os.path.relpath(path, directory)] = (st.st_ino, Shape(f.read(), st.st_mode & 0o7777))
    return out


def plain(found):
    return {name: shape for name, (_, shape) in found.items()}


class Recording:
    """The steps of a trace, with numbers of files in place of inodes, which are used again."""

    def __init__(self, trace, before):
        self.first = {}   # {name: file} at the begin
        self.shapes = []  # of each file, at the begin
        self.steps = []
        self.inodes = {}
        for name, (inode, shape) in before.items():
            if inode not in self.inodes:
                self.inodes[inode] = self.new(shape)
            self.first[name] = self.inodes[inode]
        with open(trace, "rb") as f:
            self.read(f.read())

    def new(self, shape):
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def read(self, raw):
        names, at = dict(self.first), 0
        while at < len(raw):
            magic, mode, kind, inode, offset, size, name_bytes, other_bytes = HEADER.unpack_from(raw, at)
            assert magic == MAGIC, "the trace is damaged at %d" % at
            at += HEADER.size
            name, at = raw[at:at + name_bytes].decode(), at + name_bytes
            other, at = raw[at:at + other_bytes].decode(), at + other_bytes
            data, at = raw[at:at + size], at + size
            kind = kind.rstrip(b"\0").decode()
            file = None
            if kind == "create":
                file = self.inodes[inode] = self.new(Shape(b"", mode & 0o7777))
            elif kind in ("write", "truncate", "chmod") or (kind in ("sync", "sync failed") and mode & 0o170000 == 0o100000):
                file = self.inodes[inode]
            elif kind == "sync":
                kind = "sync directory"
            elif kind != "mark":
                file = names[name]
            step = Step(kind, file, name, other, offset, data, mode & 0o7777)
            self.steps.append(step)
            if kind in NAMED:
                change(names, step)

    def whole(self):
        """Everything is done: what must be there now."""
        names, files = dict(self.first), [File(s) for s in self.shapes]
        for step in self.steps:
            if step.kind in NAMED:
                change(names, step)
            elif step.kind in DATA:
                files[step.file].add(step)
        return {name: files[f].now() for name, f in names.items()}


def change(names, step):
    """One change of a directory.  It is about files, not names: one that came before may be
    missing."""
    if step.kind == "create":
        names[step.name] = step.file
    elif step.kind == "link":
        names[step.other] = step.file
    elif step.kind == "unlink":
        if names.get(step.name) == step.file:
            del names[step.name]
    elif step.kind == "rename":
        if names.get(step.name) == step.file:
            del names[step.name]
        names[step.other] = step.file
    else:
        assert step.kind == "exchange", step.kind
        there = names.get(step.other)
        names[step.other] = step.file
        if there is not None:
            names[step.name] = there


class File:
    """A file's bytes and mode, and what of them is not on the disk yet."""

    def __init__(self, shape):
        self.durable = shape
        self.pending = []
        self.known = None

    def add(self, step):
        self.pending.append(step)
        self.known = None

    def sync(self):
        self.durable, self.pending, self.known = self.now(), [], None

    def now(self):
        return self.build(self.pending)

    def build(self, steps):
        data, mode = bytearray(self.durable.data), self.durable.mode
        for s in steps:
            if s.kind == "chmod":
                mode = s.mode
            elif s.kind == "truncate":
                del data[s.offset:]
                data.extend(bytes(s.offset - len(data)))
            else:
                data.extend(bytes(max(0, s.offset - len(data))))
                data[s.offset:s.offset + len(s.data)] = s.data
        return Shape(bytes(data), mode)

    def forms(self):
        """Shapes in which a cut may leave it, FORMS_MAX at most; the durable and the whole one
        first."""
        if self.known is None:
            self.known = list(itertools.islice(dict.fromkeys(self.every_form()), FORMS_MAX))
        return self.known

    def every_form(self):
        p, whole = self.pending, self.now()
        yield self.durable
        if not p:
            return
        yield whole
        if whole.mode != self.durable.mode:
            yield Shape(whole.data, self.durable.mode)
            yield Shape(self.durable.data, whole.mode)
        size = len(whole.data)
        zeros = self.durable.data[:size] + bytes(max(0, size - len(self.durable.data)))
        yield Shape(zeros, whole.mode)  # its size, and nothing of its bytes
        draw = random.Random(34)
        picked = sorted(draw.sample(range(len(p)), min(len(p), 6)))
        for i in picked:
            yield self.build(p[:i])                                        # those before one
            if p[i].kind == "write":
                for cut in (len(p[i].data) // 2 | 1, len(p[i].data) // 2 // PAGE * PAGE):
                    yield self.build(p[:i] + [p[i]._replace(data=p[i].data[:cut])])
            yield Shape(self.build(p[:i] + p[i + 1:]).data, whole.mode)    # all but one
            yield Shape(self.build([p[i]]).data, whole.mode)               # one alone
        for _ in range(8):  # some pages of it
            pages = bytearray(zeros)
            for at in range(0, size, PAGE):
                if draw.random() < 0.5:
                    pages[at:at + PAGE] = whole.data[at:at + PAGE]
            yield Shape(bytes(pages[:size]), whole.mode)


def subsets(changes, model):
    """Which of the changes that are not durable are there."""
    n = len(changes)
    if model == "ordered":
        return [changes[:i] for i in range(n + 1)]
    if n <= ALL_SUBSETS:
        return [[c for i, c in enumerate(changes) if bits >> i & 1] for bits in range(1 << n)]
    draw = random.Random(n)
    out = [changes[:i] for i in range(n + 1)] + [changes[:i] + changes[i + 1:] for i in range(n)] + [[c] for c in changes]
    return out + [[c for c in changes if draw.random() < 0.5] for _ in range(64)]


class Cuts:
    """All states, in the order of the moments; each once for all moments at which it may be."""

    def __init__(self, recording, model):
        self.r, self.model = recording, model
        self.made = 0  # how many were made, those that are like others included

    def combine(self, names, files):
        """Directories of these names, their files in all forms.  Files without a form of their own
        have one."""
        many = sorted({f for f in names.values() if files[f].pending})
        for chosen in itertools.islice(itertools.product(*(files[f].forms() for f in many)), FORMS_MAX * 4):
            shapes = dict(zip(many, chosen))
            self.made += 1
            yield {name: shapes[f] if f in shapes else files[f].durable for name, f in names.items()}

    def at(self, base, changes, files):
        for some in subsets(changes, self.model):
            names = dict(base)
            for step in some:
                change(names, step)
            yield from self.combine(names, files)

    def __iter__(self):
        base, changes, files, seen = dict(self.r.first), [], [File(s) for s in self.r.shapes], set()
        for done in range(len(self.r.steps) + 1):
            for names in self.at(base, changes, files):
                key = frozenset(names.items())
                if key not in seen:
                    seen.add(key)
                    yield State(names, done)
            if done == len(self.r.steps):
                return
            step = self.r.steps[done]
            if step.kind in NAMED:
                changes.append(step)
            elif step.kind in DATA:
                files[step.file].add(step)
            elif step.kind == "sync":
                files[step.file].sync()
            elif step.kind == "sync directory":
                for c in changes:
                    change(base, c)
                changes = []
            elif step.kind == "mark":
                seen = set()  # from here on other states are right


def lay_out(state, directory):
    """Make that state."""
    for name, shape in state.names.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(shape.data)
        os.chmod(path, shape.mode)
