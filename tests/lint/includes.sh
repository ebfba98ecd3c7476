#!/usr/bin/env bash
# What no source of ours may say.  Prints each line that does, and fails.  Who may include whom:
# floors.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0
deny() { # deny PATTERN COMPLAINT [FOLDER]: no source of mm/, snapshot/ and server/, or of the folder, matches PATTERN
    if grep -rnE --include='*.[ch]' "$1" ${3:-mm snapshot tool server}; then
        echo "lint: $2" >&2
        bad=1
    fi
}
deny '^#include "tests/' "the server must not include tests"
# A path in quotes is written from the top of the tree, so that the reader sees the module.
deny '^#include "[^/"]+"' "write the whole path"
# What the system below may lack has no place in the server (docs/osv.md).
deny '\b(fork|vfork|execve|execvp|posix_spawn|popen|daemon|userfaultfd|signalfd|membarrier|strerrorname_np|strerrordesc_np)\(' \
    "a call that the server must do without"
# A change is said in one way, so that whoever has to hear of it does (CH1).
deny '\b(db_state\.dirty|key_changed|watch_touch)\b' "say it through server/exec/changed.h" server/commands
exit $bad
