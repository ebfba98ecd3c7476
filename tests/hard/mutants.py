#!/usr/bin/env python3
"""make check-hard, second part: lines taken out, or made wrong, one at a time; a named test must notice each.

    tests/hard/mutants.py             # all of MUTANTS
    tests/hard/mutants.py sink C1     # those whose name or file contains a word

The sources are copied to build/mutants/, so that nothing here is touched; a test that passes with all lines in place
has to fail with one of them changed.  A mutant whose text is not in its file (exactly once) is a failure too: the
list follows the code.
"""
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TREE = os.path.join(ROOT, "build/mutants")
SECONDS = 300  # a test that hangs has noticed, too

# (what is wrong, the file, a part of it, what it becomes, the test)
#   the test: a program of the debug flavour, or an integration test and its case, of the release
MUTANTS = [
    ("the dump is not fsynced", "snapshot/sink_file.c", "return fsync(f->fd) < 0 ? -errno", "return f->fd < 0 ? -errno",
     "tests/snapshot/test_sink_calls"),
    ("the directory is not fsynced", "snapshot/sink_file.c", "return fsync(fd) < 0 && errno", "return fd < 0 && errno",
     "tests/snapshot/test_sink_calls"),
    ("close is forgotten before the rename", "snapshot/sink_file.c", "    if ((r = close_file(f)) < 0)\n        return r;\n    *ret_step = \"directory open\";\n",
     "    *ret_step = \"directory open\";\n    (void)close_file;\n", "tests/snapshot/test_sink_calls"),
    ("a temporary file is not removed", "snapshot/sink_file.c", "    if (f->has_temp)\n        unlink(f->temp_path);\n", "",
     "tests/snapshot/test_sink"),
    ("a temporary file is not locked", "snapshot/temp_file.c", "    if (lock(fd) == -EWOULDBLOCK)\n        return -EAGAIN;\n", "",
     "tests/integration/test_saves.py TemporaryFiles.test_a_start_beside_a_running_save_leaves_it_alone_and_removes_what_a_killed_one_left"),
    ("a file that was unlinked before its lock is written", "snapshot/temp_file.c", "st.st_nlink == 0 ? -EAGAIN : 0", "st.st_nlink > 99 ? -EAGAIN : 0",
     "tests/snapshot/test_sink"),
    ("the lock goes before the rename", "snapshot/sink_file.c", "    r = close(fd);\n",
     "    r = close(fd);\n    close(f->lock_fd);\n    f->lock_fd = -1;\n", "tests/snapshot/test_sink_calls"),
    ("what is locked counts as left behind", "snapshot/temp_file.c", "lock(fd) == 0 ? remove_locked(fd, name) : 0",
     "remove_locked(fd, name)", "tests/integration/test_saves.py TemporaryFiles"),
    ("any name counts as a save's", "snapshot/temp_file.c", "    if (!temp_file_is_ours(name))\n        return 0;\n", "",
     "tests/integration/test_saves.py TemporaryFiles"),
    ("a second SIGINT leaves the file", "server/signals.c",
     "        temp_file_drop_noted();\n        _exit(1);", "        _exit(1);", "tests/integration/test_saves.py TemporaryFiles"),
    ("C1: no look before each piece", "snapshot/view.c", "if (v->cancel != NULL && atomic_load", "if (len == 0 && atomic_load",
     "tests/snapshot/test_cut"),
    ("C1: no look behind an extent", "snapshot/sweep_run.c",
     "        if (is_cancelled(o)) /* the sink may have left RCU since the last look (C1) */\n            return -ECANCELED;\n", "",
     "tests/snapshot/test_snapshot"),
    ("C1: no look between extents", "snapshot/sweep_run.c", "while (!is_cancelled(o) && mm_sweep_next", "while (mm_sweep_next",
     "tests/snapshot/test_snapshot"),
    ("the peak does not see copies", "mm/page.c", "    heap_note_peak();\n", "", "tests/mm/test_page"),
    ("copies have no limit", "mm/page.c", " || (limit_bytes != 0 && mm_snapshot_bytes() > limit_bytes)", "", "tests/mm/test_page"),
    ("N6: the keys are not counted", "snapshot/sweep_run.c", "!= o->rq->keys_total)", "== UINT64_MAX)",
     "tests/snapshot/test_snapshot"),
    ("a checksum is not compared", "snapshot/rdb_dec.c", "has != 0 && d->check_crc && has != want", "has != 0 && has != has + d->check_crc * 0",
     "tests/snapshot/test_rdb_dec_damage"),
    ("a payload may go on", "snapshot/rdb_dec.c",
     "    if (source_left(d->src) > 0)\n        return dec_fail(d, rdb_source_offset(d->src), -EINVAL, \"%llu more bytes after the value\"",
     "    if (source_left(d->src) > 1u << 30)\n        return dec_fail(d, rdb_source_offset(d->src), -EINVAL, \"%llu more bytes after the value\"",
     "tests/snapshot/test_rdb_dec_findings"),
    ("a stream's nodes may be out of order", "snapshot/rdb_dec_stream.c", "if (!is_first && stream_id_compare(id, s->highest) <= 0)",
     "if (!is_first && s->highest.ms == UINT64_MAX)", "tests/server/test_stream_forms"),
    ("sums of pending entries are not compared", "snapshot/rdb_dec_stream.c",
     "s->owned > s->pending_count || s->sums[0].low != s->sums[1].low || s->sums[0].high != s->sums[1].high",
     "s->owned > s->pending_count", "tests/integration/test_rdb_tool.py LargeFiles.test_memory_does_not_grow_with_what_is_pending"),
    ("runs of marks are not merged", "snapshot/tool_marks.c", "            look(m, &last, &mark);\n", "            (void)last;\n",
     "tests/integration/test_rdb_tool.py LargeFiles.test_what_came_twice_is_found_wherever_it_stands"),
    ("libraries are not carried on", "server/data/save.c", "    carried_save(cut->carried, e);\n", "",
     "tests/integration/test_dumps.py Carried"),
    ("a list of libraries is changed while a save holds it", "server/data/carried.c", "current->references == 1 && count < current->room",
     "count < current->room", "tests/server/test_carried"),
    ("SAVE's failure is BGSAVE's", "server/persist.c", "    if (persist.background)\n        persist.last_ok = false;",
     "    persist.last_ok = false;", "tests/integration/test_saves.py FailedSave"),
    ("changes before a FLUSHALL are forgotten if its save fails", "server/persist.c",
     "        take_flushed_back(persist.flushed_at_begin);\n", "        persist.flushed = 0;\n",
     "tests/integration/test_saves.py Flushall"),
    ("a running save takes changes behind a FLUSHALL", "server/persist.c", "server.dirty = persist.dirty_at_begin = 0;", "server.dirty = 0;",
     "tests/integration/test_saves.py Flushall"),
    ("a dump that is loaded is saved over", "server/persist_load.c", "if (exec_refused_loading(c) || !parse_reload(c, &o))",
     "if (!parse_reload(c, &o))", "tests/integration/test_server.py Loading"),
]


def copy_sources():
    for folder in ("mm", "snapshot", "server", "tests"):
        for path, folders, names in os.walk(os.path.join(ROOT, folder)):
            there = os.path.join(TREE, os.path.relpath(path, ROOT))
            os.makedirs(there, exist_ok=True)
            for name in names:
                copy(os.path.join(path, name), os.path.join(there, name))
    copy(os.path.join(ROOT, "Makefile"), os.path.join(TREE, "Makefile"))


def copy(source, target):
    """Unless it is the same: make goes by times."""
    if os.path.islink(source):
        return
    if os.path.exists(target) and read(source, "rb") == read(target, "rb"):
        return
    shutil.copy(source, target)


def read(path, mode="r"):
    with open(path, mode) as f:
        return f.read()


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def build(test):
    """None, or what the compiler said."""
    if test.startswith("tests/integration"):
        words = ["all", "test-helpers"]
    else:
        words = ["FLAVOUR=debug", "build/debug/" + test]
    p = subprocess.run(["make", "-s", "-j%d" % (os.cpu_count() or 1)] + words, cwd=TREE, capture_output=True, text=True)
    return None if p.returncode == 0 else p.stdout + p.stderr


def passes(test):
    if test.startswith("tests/integration"):
        command = [sys.executable, "-W", "ignore"] + test.split()
    else:
        command = ["build/debug/" + test]
    env = {k: v for k, v in os.environ.items() if k not in ("STILLFRAME_SERVER", "STILLFRAME_RDB")}
    env["QUICK"] = "1"
    p = subprocess.Popen(command, cwd=TREE, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                         start_new_session=True)
    try:
        return p.wait(SECONDS) == 0
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, 9)
        p.wait()
        return False


def try_mutant(name, path, old, new, test):
    """What to say of it, and whether it was noticed."""
    path = os.path.join(TREE, path)
    text = read(path)
    if text.count(old) != 1:
        return "its text is %d times in %s" % (text.count(old), path), False
    write(path, text.replace(old, new))
    try:
        wrong = build(test)
        if wrong is not None:
            return "it does not compile:\n" + wrong, False
        return ("no test notices" if passes(test) else "noticed by %s" % test), None
    finally:
        write(path, text)


def main(words):
    chosen = [m for m in MUTANTS if not words or any(w in m[0] or w in m[1] for w in words)]
    failed = 0
    copy_sources()
    for test in sorted({m[4] for m in chosen}):
        wrong = build(test)
        if wrong is not None or not passes(test):
            print("FAILED with all lines in place: %s\n%s" % (test, wrong or ""))
            failed += 1
    for mutant in chosen:
        start = time.monotonic()
        said, _ = try_mutant(*mutant)
        is_good = said.startswith("noticed")
        failed += not is_good
        print("%s %s: %s (%.0f s)" % ("ok    " if is_good else "FAILED", mutant[0], said, time.monotonic() - start), flush=True)
    print("%d passed, %d failed" % (len(chosen) - failed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
