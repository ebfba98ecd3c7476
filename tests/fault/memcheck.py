"""A server under valgrind's memcheck: memory that it misuses or loses once calls have failed. What
the memory manager hands out is one mapping to memcheck: pointers in it count, blocks do not."""
import glob
import os
import shutil

WANTED = os.environ.get("CALLS_VALGRIND") == "1"
SLOWER = 6 if WANTED else 1


def command(directory):
    if shutil.which("valgrind") is None:
        raise FileNotFoundError("CALLS_VALGRIND=1, and there is no valgrind")
    return ["valgrind", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite", "--num-callers=16",
            "--suppressions=" + os.path.join(os.path.dirname(os.path.abspath(__file__)), "memcheck.supp"),
            # what the tests put before libc's malloc stays there
            "--soname-synonyms=somalloc=nouserintercepts", "--log-file=" + os.path.join(directory, "memcheck.%p")]


def findings(directory):
    """What it says of each server that has ended in this directory by itself."""
    out = []
    for path in glob.glob(os.path.join(directory, "memcheck.*")):
        with open(path) as f:
            text = f.read()
        if "ERROR SUMMARY: " not in text:
            out.append("%s has no sum: the server was killed?\n%s" % (path, text[-500:]))
        elif "ERROR SUMMARY: 0 errors" not in text:
            out.append(text[:6000])
    return out
