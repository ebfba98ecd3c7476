#!/usr/bin/env bash
# make lint: includes, floors, texts, format, cppcheck, clang-tidy: zero findings.
set -euo pipefail
cd "$(dirname "$0")/../.."
passed=0 failed=0
step() { # step NAME COMMAND...
    local name=$1 start=$SECONDS
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "lint: $name: clean ($((SECONDS - start)) s)"
    else
        failed=$((failed + 1))
        echo "lint: $name: FOUND SOMETHING" >&2
    fi
}
mapfile -t sources < <(find mm snapshot tool server -name '*.c' | sort)
mapfile -t all < <(find mm snapshot tool server tests -name '*.[ch]' | sort)
flags=(-std=gnu11 -D_GNU_SOURCE -I. -isystem /usr/include/lua5.1 -DSTILLFRAME_TLS -DSTILLFRAME_SECCOMP)
# How many nodes the analyzer of clang-tidy looks at in each function before it gives up: its own
# default is 225000.
[ -z "${LINT_NODES:-}" ] || flags+=(-Xclang -analyzer-config -Xclang "max-nodes=$LINT_NODES")

step includes tests/lint/includes.sh
mkdir -p build
flock build/.lock-release make --no-print-directory -s -j2 all # tests/run.sh builds here too
step floors tests/lint/floors.py
step text tests/lint/text.py
step format clang-format --dry-run --Werror "${all[@]}"
step cppcheck cppcheck -q -j2 --std=c11 --language=c -D_GNU_SOURCE -I. --enable=warning,performance,portability \
    --inline-suppr --suppressions-list=tests/lint/cppcheck.txt --error-exitcode=1 "${sources[@]}"
if [ -n "${LINT_FAST:-}" ]; then
    echo "lint: clang-tidy: left out (LINT_FAST)"
else
    tidy() {
        printf '%s\n' "${sources[@]}" | xargs -P2 -n6 sh -c \
            'clang-tidy --quiet --config-file=tests/lint/clang-tidy.yaml "$@" -- '"${flags[*]}"' 2>/dev/null' sh
    }
    step clang-tidy tidy
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
