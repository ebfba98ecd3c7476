#!/usr/bin/env python3
"""Programs of another processor, as qemu-user runs them.

    emulated.py               what is missing here for that, or nothing
    emulated.py PROGRAM ...   run one
"""
import os
import resource
import shutil
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SYSROOT = os.path.join(ROOT, "build", "sysroot-arm64")
QEMU = "qemu-aarch64"
# The emulator has a record for each page that is reserved.  An arena of the usual size, some
# twenty times the machine's memory, would take it gigabytes, and a minute; this bounds the arena.
MEMORY_BYTES = 8 << 30


def lacks():
    for program in (QEMU, "aarch64-linux-gnu-gcc"):
        if shutil.which(program) is None:
            return program
    return None if os.path.exists(os.path.join(SYSROOT, ".packages")) else "build/sysroot-arm64 (make test-packages)"


def command(*words):
    """A command line that runs one of its programs."""
    return [sys.executable, os.path.abspath(__file__), *words]


def main():
    if len(sys.argv) == 1:
        print(lacks() or "", end="")
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.execvp(QEMU, [QEMU, "-L", SYSROOT, *sys.argv[1:]])


if __name__ == "__main__":
    main()
