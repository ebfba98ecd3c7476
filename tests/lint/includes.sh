#!/usr/bin/env bash
# What no source of ours may say.  Prints each line that does, and fails.  Who may include whom: floors.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0
deny() { # deny PATTERN COMPLAINT: no source of mm/, snapshot/ and server/ matches PATTERN
    if grep -rnE --include='*.[ch]' "$1" mm snapshot server; then
        echo "lint: $2" >&2
        bad=1
    fi
}
deny '^#include "tests/' "the server must not include tests"
# A path in quotes is written from the top of the tree, so that the reader sees the module.
deny '^#include "[^/"]+"' "write the whole path"
# What the system below may lack has no place in the server (docs/osv.md).
deny '\b(fork|vfork|execve|execvp|posix_spawn|popen|daemon|userfaultfd|signalfd|membarrier)\(' \
    "a call that the server must do without"
exit $bad
