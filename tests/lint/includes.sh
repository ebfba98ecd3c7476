#!/usr/bin/env bash
# Includes point one way: server -> snapshot -> mm.  Prints each include that does not, and fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0
deny() { # deny FOLDER PATTERN: no file of FOLDER includes what matches PATTERN
    if grep -nE "^#include \"($2)/" "$1"/*.[ch] "$1"/*/*.[ch] 2>/dev/null; then
        echo "lint: $1/ must not include the above" >&2
        bad=1
    fi
}
deny mm 'snapshot|server|tests'
deny snapshot 'server|tests'
deny server 'tests'
# A path in quotes is written from the top of the tree, so that the reader sees the module.
if grep -nE '^#include "[^/"]+"' mm/*.[ch] snapshot/*.[ch] server/*.[ch] server/*/*.[ch]; then
    echo "lint: write the whole path" >&2
    bad=1
fi
# What the system below may lack has no place in the server (docs/osv.md).
if grep -nE '\b(fork|vfork|execve|execvp|posix_spawn|popen|daemon|userfaultfd|signalfd|membarrier)\(' mm/*.c snapshot/*.c server/*.c server/*/*.c; then
    echo "lint: a call that the server must do without" >&2
    bad=1
fi
exit $bad
